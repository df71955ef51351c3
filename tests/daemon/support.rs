//! Jobs, a stand-in for the work, and a run of the daemon from one instant to another.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use s4cast::ingest::SourceSpec;
use s4cast::model::spec::{ModelSpec, RawModelSpec};
use s4cast::pipeline::{Fallback, JobSpec, Promotion};
use s4cast::publish::{Format, Naming, SinkSpec};
use s4cast::registry::{Keys, Registry};
use s4cast::schedule::clock::Clock;
use s4cast::schedule::command::Request;
use s4cast::schedule::cron::Rule;
use s4cast::schedule::daemon::{Daemon, Done, Host, Inputs, Parts, Signal, Work};
use s4cast::schedule::lease::Fleet;
use s4cast::schedule::ledger::{Durability, Ending, Ledger, LedgerReader, SlotQuery};
use s4cast::schedule::metrics::Metrics;
use s4cast::schedule::outcome::{Outcome, SlotRow};
use s4cast::schedule::scheduler::{Scheduler, Verdict};
use s4cast::schedule::spec::{DaemonSpec, JobPlan, Missed, Overlap, ScheduleSpec};
use s4cast::schedule::status::Shared;
use s4cast::series::shard::Shard;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::mpsc;

/// An instant from its text, microseconds UTC.
pub fn at(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_microsecond()
}

/// A schedule with no jitter and one attempt.
pub fn schedule(rule: Rule) -> ScheduleSpec {
    ScheduleSpec {
        rule,
        missed: Missed::Once,
        max_lateness: None,
        overlap: Overlap::Forbid,
        jitter: SignedDuration::ZERO,
        attempts: 1,
        backoff: SignedDuration::from_secs(30),
    }
}

/// A cron schedule in a zone.
pub fn cron(text: &str, zone: &str) -> ScheduleSpec {
    schedule(Rule::cron(text, TimeZone::get(zone).unwrap()).unwrap())
}

/// A schedule of so many seconds.
pub fn every(seconds: i64) -> ScheduleSpec {
    schedule(Rule::every(SignedDuration::from_secs(seconds)).unwrap())
}

/// A job that forecasts, with no other stage.
pub fn job(name: &str, forecast: ScheduleSpec) -> JobPlan {
    let model = RawModelSpec { levels: vec![80.0], ..RawModelSpec::new("naive", 2) };
    let sink = SinkSpec {
        name: "out".into(),
        path: "out".into(),
        format: Format::Parquet,
        naming: Naming::V1,
        retention: None,
        grace: SignedDuration::from_secs(3600),
        remote: None,
    };
    let job = JobSpec {
        name: name.into(),
        source_name: "source".into(),
        source: SourceSpec::new(vec!["in.csv".into()]),
        model_name: "model".into(),
        model: ModelSpec::try_from(model).unwrap(),
        scenarios: Vec::new(),
        sink,
        fallback: Fallback::SeasonalNaive,
        keep_versions: 3,
        promotion: Promotion::Gate,
        shadow_runs: 7,
        is_adaptive: true,
        is_warm: true,
        retrain: None,
        anomaly: None,
        segment: None,
        config_sha256: String::new(),
    };
    let fingerprint = format!("{name} {}", forecast.rule);
    JobPlan { job: Arc::new(job), train: None, forecast, score: None, on_new_data: false, fingerprint }
}

/// A daemon of these jobs.
pub fn spec(state: &Path, jobs: Vec<JobPlan>) -> DaemonSpec {
    DaemonSpec {
        state: state.into(),
        workers: 4,
        drain_limit: SignedDuration::from_secs(5),
        reload_poll: None,
        ledger_retention: None,
        models: None,
        leases: None,
        shard: Shard::WHOLE,
        shard_timeout: SignedDuration::from_mins(10),
        keys: Keys::default(),
        limits: Default::default(),
        jobs,
    }
}

/// An ending with this outcome.
pub fn ending(outcome: Outcome, reason: &str) -> Ending {
    let reasons = if reason.is_empty() { vec![] } else { vec![reason.into()] };
    Ending { outcome, reasons, detail: serde_json::Value::Null }
}

/// Work that is done at once.
pub fn done() -> Arc<Work> {
    Arc::new(|_, _| Done { verdict: Verdict::Ended(ending(Outcome::Ok, "")), files: None, retrain: None })
}

/// Runs the daemon over simulated time; returns every slot of the ledger, oldest first.
pub fn simulate(spec: DaemonSpec, from: i64, until: i64, work: Arc<Work>) -> Vec<SlotRow> {
    simulate_counted(spec, from, until, work, Arc::new(Metrics::new()))
}

/// The same, with metrics to look at afterwards.
pub fn simulate_counted(
    spec: DaemonSpec,
    from: i64,
    until: i64,
    work: Arc<Work>,
    metrics: Arc<Metrics>,
) -> Vec<SlotRow> {
    simulate_beside(spec, Clock::simulated(from, until), work, metrics, None)
}

/// The same, by a clock and beside other daemons.
pub fn simulate_beside(
    spec: DaemonSpec,
    clock: Clock,
    work: Arc<Work>,
    metrics: Arc<Metrics>,
    fleet: Option<Arc<Fleet>>,
) -> Vec<SlotRow> {
    let state = spec.state.clone();
    let ledger = Ledger::open(&state, Durability::Simulated).unwrap();
    let delay = fleet.clone().map(Fleet::delays);
    let parts = Parts {
        scheduler: Scheduler::shared(ledger, &spec, true, clock.now(), delay).unwrap(),
        clock,
        registry: Registry::at(state.join("models")),
        metrics,
        shared: Shared::default(),
        host: Host {
            work,
            probe: Arc::new(|_, _| false),
            fleet,
            reload: Box::new(|_| Ok(None)),
            turned: Box::new(|_| {}),
        },
        spec,
        config_sha256: String::new(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (_signals, signals) = mpsc::channel::<Signal>(1);
    let (_requests, requests) = mpsc::channel::<Request>(1);
    runtime.block_on(Daemon::new(parts).run(Inputs { signals, requests })).unwrap();
    ledger_rows(&state)
}

/// Every slot of a ledger, oldest first.
pub fn ledger_rows(state: &Path) -> Vec<SlotRow> {
    let mut rows = LedgerReader::open(state).unwrap().slots(&SlotQuery::default()).unwrap();
    rows.reverse();
    rows
}
