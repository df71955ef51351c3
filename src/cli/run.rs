//! `s4cast run` and `s4cast runs retry`: one slot, now.

use crate::cli::args_daemon::{Run, RunsRetry};
use crate::cli::error::CliError;
use crate::cli::terminal::Terminal;
use crate::cli::{Exit, clock, launch, runs};
use crate::config::{self, Daemon as Config, nearest};
use crate::pipeline::{Budget, Sources};
use crate::publish;
use crate::schedule::clock::Clock;
use crate::schedule::command::Command;
use crate::schedule::inbox;
use crate::schedule::lease::Hold;
use crate::schedule::ledger::{Durability, Ending, Ledger, NewSlot};
use crate::schedule::lock::{LockError, StateLock};
use crate::schedule::metrics::Metrics;
use crate::schedule::outcome::{Outcome, SlotRow, Trigger};
use crate::schedule::run_id;
use crate::schedule::scheduler::{Task, Verdict};
use crate::schedule::spec::{JobPlan, Stage};
use crate::schedule::track::Tracker;
use crate::schedule::work::Workshop;
use crate::serve;
use jiff::tz::TimeZone;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Works a slot of a job; a daemon that has the state directory is asked to.
pub(super) fn run(args: &Run, terminal: &Terminal) -> Result<Exit, CliError> {
    let config = launch::daemon(&args.config)?;
    let stage = runs::stage(&args.stage)?;
    let instant = |text: &String| config::instant(text, &TimeZone::UTC).map_err(|m| request(m, None));
    let slot = args.slot.as_ref().map(instant).transpose()?.unwrap_or_else(clock::now);
    if slot > clock::now() {
        let help = Some("name an instant that has passed; its run would hide every later one".into());
        return Err(request(format!("the slot of {} has not come yet", clock::shown(slot)), help));
    }
    let command = Command::Run { job: args.job.clone(), stage, slot: Some(slot) };
    find(&config, &args.job)?;
    ask_or_work(&config, &args.config, &command, (&args.job, stage, slot), terminal)
}

/// Works an ended slot again.
pub(super) fn retry(args: &RunsRetry, terminal: &Terminal) -> Result<Exit, CliError> {
    let config = launch::daemon(&args.config)?;
    let row = runs::slot(&config.spec.state, args.id)?;
    if row.outcome.is_none() {
        return Err(request(format!("slot {} has not ended yet", args.id), None));
    }
    find(&config, &row.job)?;
    let command = Command::Retry { id: args.id };
    ask_or_work(&config, &args.config, &command, (&row.job, row.stage, row.slot), terminal)
}

pub(super) fn find<'a>(config: &'a Config, name: &str) -> Result<&'a JobPlan, CliError> {
    let jobs = &config.spec.jobs;
    jobs.iter().find(|plan| plan.job.name == name).ok_or_else(|| {
        let names = || jobs.iter().map(|plan| plan.job.name.as_str());
        let help = nearest(name, names()).map(|meant| format!("did you mean '{meant}'?"));
        let all = names().collect::<Vec<_>>().join(", ");
        request(format!("there is no job '{name}'; the config has {all}"), help)
    })
}

fn request(message: String, help: Option<String>) -> CliError {
    CliError::Request { message, help }
}

/// Leaves the request with the daemon that has the state directory; without one, works it here.
fn ask_or_work(
    config: &Config,
    path: &Path,
    command: &Command,
    (job, stage, slot): (&str, Stage, i64),
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let state = &config.spec.state;
    let lock = match StateLock::take(state) {
        Ok(lock) => lock,
        Err(LockError::Held { holder, .. }) => {
            inbox::leave(state, command)
                .map_err(|reason| LockError::Unusable { state: state.clone(), reason })?;
            let run_id = run_id(job, stage, slot);
            let document = serde_json::json!({ "asked": holder, "run_id": run_id });
            let text = format!(
                "Asked      {holder}, which has the state directory\nWatch      s4cast runs ls --config {} --job {job}\n",
                path.display()
            );
            terminal.result(|| document, || text)?;
            return Ok(Exit::Ok);
        }
        Err(error) => return Err(error.into()),
    };
    launch::limit_threads(config.threads);
    launch::scratch_in(state);
    let row = work(config, find(config, job)?, (job, stage, slot), terminal)?;
    drop(lock);
    let exit = match row.outcome {
        Some(Outcome::Ok | Outcome::Degraded) => Exit::Ok,
        _ => Exit::Failed,
    };
    terminal.result(|| serve::run_document(&row), || runs::page(&row))?;
    Ok(exit)
}

/// Works one slot in this process; the ledger has it before and after.
fn work(
    config: &Config,
    plan: &JobPlan,
    (job, stage, slot): (&str, Stage, i64),
    terminal: &Terminal,
) -> Result<SlotRow, CliError> {
    let state = &config.spec.state;
    let registry = launch::registry(&config.spec)?;
    registry.sweep()?;
    publish::recover(&plan.job.sink, job)?;
    publish::recover(&plan.job.sink.shadow(), job)?;
    let mut ledger = Ledger::open(state, Durability::Full)?;
    let known = ledger.files(&plan.job.source_name)?;
    let new = NewSlot {
        job: job.into(),
        stage,
        slot,
        trigger: Trigger::Manual,
        is_late: false,
        run_id: run_id(job, stage, slot),
        ended: None,
        is_open: false,
    };
    let now = clock::now();
    let mut row = ledger.plan(&[new], None, now)?.remove(0);
    (row.attempts, row.started_at) = (1, Some(now));
    ledger.start(&row, now)?;
    let workshop = Workshop {
        registry,
        sources: Sources::default(),
        state: state.clone(),
        budget: Budget::new(config.spec.limits),
        metrics: Arc::new(Metrics::new()),
        clock: Clock::System(clock::now),
    };
    let task = Task {
        row: row.clone(),
        job: plan.job.clone(),
        fits_first: stage == Stage::Forecast && plan.train.is_none(),
        stop: Arc::new(AtomicBool::new(false)),
        progress: Tracker::default(),
        is_shared: false,
        settles: None,
        attempts_max: 1,
        backoff: 0,
        hold: Hold::default(),
    };
    launch::end_tidily();
    let done = {
        let meter = terminal.meter();
        workshop.run_watched(&task, &known, &|progress| meter.show(progress))
    };
    if let Some((source, files)) = &done.files {
        ledger.see_files(source, files, clock::now())?;
    }
    let ending = match done.verdict {
        Verdict::Ended(ending) | Verdict::Retryable(ending) => ending,
        Verdict::Stopped | Verdict::Held { .. } => Ending {
            outcome: Outcome::Failed,
            reasons: vec!["it was stopped".into()],
            detail: serde_json::Value::Null,
        },
    };
    ledger.end(row.id, &ending, clock::now())?;
    Ok(ledger.slot(row.id)?.unwrap_or(row))
}
