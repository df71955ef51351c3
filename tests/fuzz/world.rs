//! A daemon's state and what it published, made by the daemon itself over a few simulated hours: what files and requests are
//! about.

use super::mutate::Dice;
use s4cast::config;
use s4cast::pipeline::{Budget, Sources};
use s4cast::publish::SinkSpec;
use s4cast::registry::Registry;
use s4cast::schedule::clock::Clock;
use s4cast::schedule::command::Request;
use s4cast::schedule::daemon::{Daemon, Host, Inputs, Parts, Signal};
use s4cast::schedule::ledger::{Durability, Ledger};
use s4cast::schedule::metrics::Metrics;
use s4cast::schedule::scheduler::Scheduler;
use s4cast::schedule::status::Shared;
use s4cast::schedule::work::Workshop;
use s4cast::serve::{self, Access, App, Held, Journal, RawServe, ServeSpec, Token};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Simulated time: three forecasts, each with a score of the one before.
const FROM: i64 = 1_704_301_200_000_000;
const HOURS: i64 = 4;

const CONFIG: &str = r#"
schema_version = 1
[daemon]
state = "state"
[source.load]
inputs = "in.csv"
[model.quick]
kind = "seasonal_naive"
horizon = 3
levels = [80]
[sink.lake]
path = "out"
[job.load]
source = "load"
model = "quick"
sink = "lake"
train = { every = "2h" }
forecast = { every = "1h" }
score = { every = "1h" }
[job.other]
source = "load"
model = "quick"
sink = "lake"
forecast = { every = "3h" }
"#;

/// What a daemon left.
pub struct World {
    folder: PathBuf,
    pub sink: SinkSpec,
    status: Shared,
    metrics: Arc<Metrics>,
    sources: Sources,
}

impl World {
    /// Has a daemon work in a folder.
    pub fn new(folder: &Path) -> World {
        let _ = std::fs::remove_dir_all(folder);
        std::fs::create_dir_all(folder).unwrap();
        let hour = |at: i64| jiff::Timestamp::from_microsecond(FROM + (at - 60) * 3_600_000_000).unwrap();
        let rows: String =
            (0..70).map(|at| format!("s0,{0},{1}\ns1,{0},{2}\n", hour(at), at % 24, at * 7 % 11)).collect();
        std::fs::write(folder.join("in.csv"), format!("unique_id,ds,y\n{rows}")).unwrap();
        let path = folder.join("s4cast.toml");
        std::fs::write(&path, CONFIG).unwrap();
        let config = config::daemon(&path, &|_| None).unwrap_or_else(|problems| panic!("{problems}"));
        let state = config.spec.state.clone();
        std::fs::create_dir_all(&state).unwrap();
        let (metrics, sources, shared) = (Arc::new(Metrics::new()), Sources::default(), Shared::default());
        let clock = Clock::simulated(FROM, FROM + HOURS * 3_600_000_000);
        let registry = Registry::at(state.join("models"));
        let workshop = Workshop {
            registry: registry.clone(),
            sources: sources.clone(),
            state: state.clone(),
            budget: Budget::new(config.spec.limits),
            metrics: metrics.clone(),
            clock: clock.clone(),
        };
        let sink = config.spec.jobs[0].job.sink.clone();
        let ledger = Ledger::open(&state, Durability::Simulated).unwrap();
        let parts = Parts {
            scheduler: Scheduler::shared(ledger, &config.spec, true, clock.now(), None).unwrap(),
            clock,
            registry,
            metrics: metrics.clone(),
            shared: shared.clone(),
            host: Host {
                work: Arc::new(workshop).work(),
                probe: Arc::new(|_, _| false),
                fleet: None,
                reload: Box::new(|_| Ok(None)),
                turned: Box::new(|_| {}),
            },
            spec: config.spec,
            config_sha256: config.sha256,
        };
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (_signals, signals) = mpsc::channel::<Signal>(1);
        let (_requests, requests) = mpsc::channel::<Request>(1);
        runtime.block_on(Daemon::new(parts).run(Inputs { signals, requests })).unwrap();
        World { folder: folder.into(), sink, status: shared, metrics, sources }
    }

    pub fn root(&self) -> &Path {
        &self.folder
    }

    pub fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// The server's side of it; requests to the loop go to the channel.
    pub fn app(&self, requests: mpsc::Sender<Request>) -> App {
        // Without a limit of requests: all of them come from one peer.
        let raw = RawServe {
            token: Token::new("sesame"),
            hosts: vec!["forecasts.example.org".into()],
            rate_limit: 0,
            ..RawServe::at("127.0.0.1:8091".parse().unwrap())
        };
        let spec = ServeSpec::new(raw).unwrap();
        App {
            status: self.status.clone(),
            metrics: self.metrics.clone(),
            requests,
            state: self.state(),
            registry: Registry::at(self.state().join("models")),
            now: Arc::new(|| FROM + HOURS * 3_600_000_000),
            access: Arc::new(Access::new(&spec, serve::Limits::of(&spec))),
            sources: self.sources.clone(),
            journal: Journal::default(),
            held: Held::default(),
        }
    }

    /// Paths of files below a folder, ascending, as far as `is_wanted` of their names.
    pub fn files(folder: &Path, is_wanted: &dyn Fn(&str) -> bool) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                found.extend(World::files(&path, is_wanted));
            } else if path.file_name().is_some_and(|name| is_wanted(&name.to_string_lossy())) {
                found.push(path);
            }
        }
        found.sort();
        found
    }

    /// One of the files, at will.
    pub fn pick(dice: &mut Dice, files: &[PathBuf]) -> Option<PathBuf> {
        files.get(dice.below(files.len())).cloned()
    }
}
