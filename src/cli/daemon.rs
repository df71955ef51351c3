//! `s4cast serve`: the daemon with everything around its loop.

use crate::cli::args_daemon::Serve;
use crate::cli::beacon::Beacon;
use crate::cli::error::CliError;
use crate::cli::notify::Notifier;
use crate::cli::{Exit, clock, fleet, launch};
use crate::config::{self, Daemon as Config};
use crate::pipeline::{Budget, Sources};
use crate::publish;
use crate::schedule::command::Request;
use crate::schedule::daemon::{Daemon, Done, Host, Inputs, Parts, Reload, Signal, Work};
use crate::schedule::lease::Fleet;
use crate::schedule::ledger::{Durability, Ending, Ledger};
use crate::schedule::lock::StateLock;
use crate::schedule::metrics::Metrics;
use crate::schedule::outcome::Outcome;
use crate::schedule::scheduler::{Scheduler, Verdict};
use crate::schedule::spec::DaemonSpec;
use crate::schedule::status::{Shared, Status};
use crate::schedule::work::{Workshop, probe};
use crate::serve::{self, Access, App, Held, Journal, Limits, ServeSpec, Tls, TlsError, TlsFiles};
use crate::store;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};

/// Requests that may wait for the loop.
const REQUESTS: usize = 64;

/// Threads that read files and make documents for whoever asks over HTTP.
const PAGE_THREADS: usize = 8;

/// Runs the daemon until it is told to stop, or until its simulated time is over.
pub(super) fn serve(args: &Serve, journal: Journal) -> Result<Exit, CliError> {
    let config = launch::daemon(&args.config)?;
    launch::limit_daemon(config.threads);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(CliError::Runtime)?;
    // From here on a signal waits for the loop, however long what comes before it takes.
    let signals = listen_for_signals(&runtime).map_err(CliError::Runtime)?;
    let clock = clock::parse(&args.clock)?;
    let _lock = StateLock::take(&config.spec.state)?;
    launch::scratch_in(&config.spec.state);
    let registry = launch::registry(&config.spec)?;
    registry.sweep()?;
    let metrics = Arc::new(Metrics::new());
    if !args.dry_run {
        recover_sinks(&config.spec);
        if let Err(error) = registry.refresh_all() {
            tracing::warn!(%error, "the models cannot be brought up to date; those of the last time serve, and slots try again");
        }
    }
    let durability = if clock.is_simulated() { Durability::Simulated } else { Durability::Full };
    let ledger = Ledger::open(&config.spec.state, durability)?;
    // What is simulated, or done for show, is no business of others.
    let is_alone = args.dry_run || clock.is_simulated();
    let fleet = if is_alone { None } else { fleet::join(&config.spec, &clock, &metrics)? };
    let delay = fleet.clone().map(Fleet::delays);
    let scheduler = Scheduler::shared(ledger, &config.spec, clock.is_simulated(), clock.now(), delay)?;
    let sources = Sources::default();
    let workshop = Workshop {
        registry: registry.clone(),
        sources: sources.clone(),
        state: config.spec.state.clone(),
        budget: Budget::new(config.spec.limits),
        metrics: metrics.clone(),
        clock: clock.clone(),
    };
    let work = if args.dry_run { drill() } else { Arc::new(workshop).work() };
    let notifier = Notifier::from_environment();
    let tls = config.http.as_ref().and_then(ServeSpec::tls).map(open_tls).transpose()?;
    let shared = Shared::default();
    // The loop may take a while to its first turn, and is asked meanwhile.
    shared.set(Status { ticked_at: clock.now(), ..Status::default() });
    let _beacon = Beacon::light(&config.spec.state, shared.clone(), clock.is_simulated());
    let parts = Parts {
        scheduler,
        clock: clock.clone(),
        registry: registry.clone(),
        metrics: metrics.clone(),
        shared: shared.clone(),
        host: Host {
            work,
            probe: probe(),
            fleet,
            reload: Box::new(reloader(args.config.clone(), config.clone(), tls.clone(), notifier)),
            turned: Box::new(announcer(notifier)),
        },
        spec: config.spec.clone(),
        config_sha256: config.sha256.clone(),
    };
    let app = |requests, access| App {
        status: shared,
        metrics,
        requests,
        state: config.spec.state.clone(),
        registry,
        access,
        now: Arc::new(move || clock.now()),
        sources,
        journal,
        held: Held::default(),
    };
    let outcome = run(runtime, signals, parts, config.http.as_ref(), tls, app);
    // Of what still works, too: it is begun again with the next start.
    store::remove_scratch();
    outcome
}

/// The runtime: the loop, and the server beside it if there is an address.
fn run(
    runtime: Runtime,
    signals: mpsc::Receiver<Signal>,
    parts: Parts,
    http: Option<&ServeSpec>,
    tls: Option<Tls>,
    app: impl FnOnce(mpsc::Sender<Request>, Arc<Access>) -> App,
) -> Result<Exit, CliError> {
    let pages = http.map(|_| pages()).transpose()?;
    let outcome = runtime.block_on(async {
        let (request_sender, requests) = mpsc::channel(REQUESTS);
        let (done, over) = oneshot::channel::<()>();
        let server = match http.zip(pages.as_ref()) {
            None => None,
            Some((spec, pages)) => {
                let address = spec.listen();
                let bound = pages.spawn(TcpListener::bind(address)).await;
                let listener = bound
                    .map_err(std::io::Error::from)
                    .and_then(|listener| listener)
                    .map_err(|reason| CliError::Listen { address, reason })?;
                tracing::info!(%address, tls = tls.is_some(), "listening");
                let app = app(request_sender, Arc::new(Access::new(spec, Limits::of(spec))));
                let over = async move {
                    let _ = over.await;
                };
                Some(pages.spawn(serve::run(listener, app, tls, over)))
            }
        };
        let outcome = Daemon::new(parts).run(Inputs { signals, requests }).await;
        let _ = done.send(());
        if let Some(server) = server {
            let _ = tokio::time::timeout(std::time::Duration::from_secs(2), server).await;
        }
        outcome.map_err(CliError::from)
    });
    // What still computes is told nothing: its slot is open in the ledger, and the next start resumes it.
    runtime.shutdown_background();
    pages.into_iter().for_each(Runtime::shutdown_background);
    outcome.map(|()| Exit::Ok)
}

/// Where requests are answered, apart from the slots: many of them make no more threads than these, and slots never wait for one.
fn pages() -> Result<Runtime, CliError> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(PAGE_THREADS)
        .thread_name("http")
        .enable_all()
        .build()
        .map_err(CliError::Runtime)
}

/// The certificates; the config has read them a moment ago.
fn open_tls(files: &TlsFiles) -> Result<Tls, CliError> {
    Tls::open(files).map_err(|problems| CliError::Tls(in_a_line(&problems)))
}

fn in_a_line(problems: &[TlsError]) -> String {
    problems.iter().map(TlsError::to_string).collect::<Vec<_>>().join("; ")
}

/// What signals of the operating system ask the loop for.
fn listen_for_signals(runtime: &Runtime) -> std::io::Result<mpsc::Receiver<Signal>> {
    let _entered = runtime.enter();
    let (sender, signals) = mpsc::channel(8);
    let kinds = [
        (SignalKind::hangup(), Signal::Reload),
        (SignalKind::terminate(), Signal::Stop),
        (SignalKind::interrupt(), Signal::Stop),
        (SignalKind::user_defined1(), Signal::Dump),
    ];
    for (kind, meaning) in kinds {
        let mut stream = signal(kind)?;
        let sender = sender.clone();
        tokio::spawn(
            async move { while stream.recv().await.is_some() && sender.send(meaning).await.is_ok() {} },
        );
    }
    Ok(signals)
}

/// Puts right what a crash left in the sinks; a sink that cannot be reached now fails its slots later, visibly. A store is asked
/// once whether it answers.
fn recover_sinks(spec: &DaemonSpec) {
    let mut silent = BTreeSet::new();
    let mut asked = BTreeSet::new();
    for plan in &spec.jobs {
        let name = &plan.job.sink.name;
        if asked.insert(name)
            && let Err(error) = publish::probe_store(&plan.job.sink)
        {
            tracing::error!(sink = name, %error, "the store of the sink does not answer; slots try again");
            silent.insert(name);
        }
        let recover = if silent.contains(name) { publish::recover_copy } else { publish::recover };
        for sink in [&plan.job.sink, &plan.job.sink.shadow()] {
            if let Err(error) = recover(sink, &plan.job.name) {
                tracing::warn!(job = plan.job.name, %error, "the sink could not be put right");
            }
        }
    }
}

/// Reads the config file again: always if somebody asks, otherwise only if its content has changed.
///
/// Certificates are looked at every time: whoever renews them need not tell.
fn reloader(
    path: PathBuf,
    started_with: Config,
    tls: Option<Tls>,
    notifier: Notifier,
) -> impl FnMut(bool) -> Reload {
    let mut seen = started_with.sha256;
    let mut refusal = None;
    move |is_asked_for| {
        if let Some(tls) = &tls {
            renew(tls, &mut refusal);
        }
        let content = content(&path)?;
        if !is_asked_for && content == seen {
            return Ok(None);
        }
        seen = content;
        notifier.reloading();
        let loaded = launch::daemon(&path).map_err(|error| error.problems().join("; "));
        notifier.ready();
        let Config { spec, sha256, http, threads, .. } = loaded?;
        if http != started_with.http || threads != started_with.threads {
            tracing::warn!("what changed under [http] or of the threads takes effect with a restart");
        }
        if spec.keys != started_with.spec.keys {
            tracing::warn!("another signing_key or other trusted_keys take effect with a restart");
        }
        if spec.limits != started_with.spec.limits {
            tracing::warn!("other limits of memory and free space take effect with a restart");
        }
        if spec.leases != started_with.spec.leases || spec.shard != started_with.spec.shard {
            tracing::warn!("another lease store, node, ttl or shard takes effect with a restart");
        }
        Ok(Some((spec, sha256)))
    }
}

/// Reads the certificates again; what is wrong with them is said once, and the old ones stay in use.
fn renew(tls: &Tls, refusal: &mut Option<String>) {
    match tls.renew() {
        Ok(is_new) => {
            *refusal = None;
            if is_new {
                tracing::info!("the certificates were renewed");
            }
        }
        Err(problems) => {
            let problems = in_a_line(&problems);
            if refusal.as_ref() != Some(&problems) {
                tracing::error!(problems, "the certificates cannot be read again; the old ones stay in use");
                *refusal = Some(problems);
            }
        }
    }
}

/// SHA-256 of the file's text, which tells a changed file from an untouched one whatever its times say.
fn content(path: &Path) -> Result<String, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(config::sha256(&bytes))
}

/// Tells the service manager what every turn of the loop gives: ready, stopping, what comes next, that it turns at all.
fn announcer(notifier: Notifier) -> impl FnMut(&Status) {
    let (mut is_ready, mut is_draining, mut text) = (false, false, String::new());
    move |status| {
        if status.is_ready && !std::mem::replace(&mut is_ready, true) {
            notifier.ready();
        }
        if status.is_draining && !std::mem::replace(&mut is_draining, true) {
            notifier.stopping();
        }
        let now = next_slot(status);
        if now != text {
            notifier.status(&now);
            text = now;
        }
        notifier.watchdog();
    }
}

/// The next slot in words.
fn next_slot(status: &Status) -> String {
    let lines = status.jobs.iter().flat_map(|job| job.lines.iter().map(move |line| (line.next, job, line)));
    match lines.filter_map(|(next, job, line)| Some((next?, job, line))).min_by_key(|(next, ..)| *next) {
        Some((next, job, line)) => {
            format!("next: {} {} at {}", line.stage.as_str(), job.name, clock::shown(next))
        }
        None => "no slot to come".into(),
    }
}

/// Work that does nothing, for drills.
fn drill() -> Arc<Work> {
    Arc::new(|_, _| {
        let reasons = vec!["a drill: no work was done".to_owned()];
        let ending = Ending { outcome: Outcome::Ok, reasons, detail: serde_json::Value::Null };
        Done { verdict: Verdict::Ended(ending), files: None, retrain: None }
    })
}
