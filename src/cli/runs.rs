//! `s4cast runs`: what the ledger says.

use crate::cli::args_daemon::{RunsCommand, RunsExport, RunsLs, RunsShow, StateArgs};
use crate::cli::clock::shown;
use crate::cli::error::{CliError, plain};
use crate::cli::terminal::Terminal;
use crate::cli::{Exit, launch, run};
use crate::config::{self, nearest};
use crate::publish::{self, RunRow};
use crate::schedule::ledger::{LedgerReader, SlotQuery};
use crate::schedule::outcome::{Outcome, SlotRow};
use crate::schedule::spec::Stage;
use crate::serve;
use jiff::tz::TimeZone;
use serde_json::json;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Runs a command of the ledger.
pub(super) fn dispatch(command: &RunsCommand, terminal: &Terminal) -> Result<Exit, CliError> {
    match command {
        RunsCommand::Ls(args) => ls(args, terminal),
        RunsCommand::Show(args) => show(args, terminal),
        RunsCommand::Retry(args) => run::retry(args, terminal),
        RunsCommand::Export(args) => export(args, terminal),
    }
}

/// The state directory that the flags name.
pub(super) fn state(args: &StateArgs) -> Result<PathBuf, CliError> {
    match (&args.state, &args.config) {
        (Some(state), _) => Ok(state.clone()),
        (None, Some(config)) => Ok(launch::daemon(config)?.spec.state),
        (None, None) => Ok("state".into()),
    }
}

/// The stage of a name.
pub(super) fn stage(name: &str) -> Result<Stage, CliError> {
    word("stage", name, Stage::from_name, &Stage::ALL.map(Stage::as_str))
}

/// One slot of a ledger.
pub(super) fn slot(state: &Path, id: i64) -> Result<SlotRow, CliError> {
    let row = LedgerReader::open(state)?.slot(id)?;
    row.ok_or_else(|| CliError::Request {
        message: format!("the ledger has no slot {id}"),
        help: Some("s4cast runs ls lists the slots with their numbers".into()),
    })
}

fn word<T>(what: &str, name: &str, of: fn(&str) -> Option<T>, all: &[&str]) -> Result<T, CliError> {
    of(name).ok_or_else(|| CliError::Request {
        message: format!("unknown {what} '{name}'; choose one of {}", all.join(", ")),
        help: nearest(name, all.iter().copied()).map(|meant| format!("did you mean '{meant}'?")),
    })
}

fn ls(args: &RunsLs, terminal: &Terminal) -> Result<Exit, CliError> {
    let instant = |text: &String| {
        config::instant(text, &TimeZone::UTC).map_err(|message| CliError::Request { message, help: None })
    };
    let outcomes = Outcome::ALL.map(Outcome::as_str);
    let query = SlotQuery {
        job: args.job.clone(),
        stage: args.stage.as_deref().map(stage).transpose()?,
        outcome: args
            .outcome
            .as_deref()
            .map(|name| word("outcome", name, Outcome::from_name, &outcomes))
            .transpose()?,
        since: args.since.as_ref().map(instant).transpose()?,
        until: args.until.as_ref().map(instant).transpose()?,
        limit: args.limit,
        offset: 0,
    };
    let rows = LedgerReader::open(&state(&args.state)?)?.slots(&query)?;
    terminal.result(
        || json!({ "runs": rows.iter().map(serve::run_document).collect::<Vec<_>>() }),
        || table(&rows),
    )?;
    Ok(Exit::Ok)
}

fn show(args: &RunsShow, terminal: &Terminal) -> Result<Exit, CliError> {
    let row = slot(&state(&args.state)?, args.id)?;
    terminal.result(|| serve::run_document(&row), || page(&row))?;
    Ok(Exit::Ok)
}

fn export(args: &RunsExport, terminal: &Terminal) -> Result<Exit, CliError> {
    let mut rows = LedgerReader::open(&state(&args.state)?)?.slots(&SlotQuery::default())?;
    rows.reverse();
    let runs: Vec<RunRow> = rows.into_iter().map(run_row).collect();
    let rows = publish::write_to(&args.output, |file| publish::write_runs(file, &runs))?.rows;
    let path = args.output.to_string();
    terminal.result(
        || json!({ "output": { "path": path, "rows": rows } }),
        || format!("Wrote      {rows} slots to {path}\n"),
    )?;
    Ok(Exit::Ok)
}

fn run_row(row: SlotRow) -> RunRow {
    RunRow {
        id: row.id,
        job: row.job,
        stage: row.stage.as_str().into(),
        slot: row.slot,
        trigger: row.trigger.as_str().into(),
        planned_at: row.planned_at,
        started_at: row.started_at,
        ended_at: row.ended_at,
        outcome: row.outcome.map(|outcome| outcome.as_str().into()),
        is_late: row.is_late,
        attempts: row.attempts,
        run_id: row.run_id,
        reasons: row.reasons.join("\n"),
        detail: row.detail.to_string(),
    }
}

/// A slot for a person.
pub(super) fn page(row: &SlotRow) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name:<11}{}", plain(&value));
    };
    line(
        "Slot",
        format!("{} of {}, {} ({})", shown(row.slot), row.job, row.stage.as_str(), row.trigger.as_str()),
    );
    line("Outcome", outcome(row).into());
    for reason in &row.reasons {
        line("", reason.clone());
    }
    line("Planned", shown(row.planned_at));
    if let Some(started) = row.started_at {
        line("Started", format!("{}, attempt {}", shown(started), row.attempts));
    }
    if let Some(ended) = row.ended_at {
        line("Ended", shown(ended));
    }
    line("Run", row.run_id.clone());
    if !row.detail.is_null() {
        line("Detail", String::new());
        let _ = writeln!(text, "{:#}", row.detail);
    }
    text
}

fn outcome(row: &SlotRow) -> &'static str {
    match (row.outcome, row.started_at) {
        (Some(outcome), _) => outcome.as_str(),
        (None, Some(_)) => "running",
        (None, None) => "waiting",
    }
}

/// Slots for a person, one line each.
fn table(rows: &[SlotRow]) -> String {
    if rows.is_empty() {
        return "no slot matches\n".into();
    }
    let width = rows.iter().map(|row| row.job.len()).max().unwrap_or(0).max(3);
    let mut text = format!(
        "{:>7}  {:<20}  {:<width$}  {:<8}  {:<14}  {:<8}  {:>7}  REASON\n",
        "ID", "SLOT", "JOB", "STAGE", "TRIGGER", "OUTCOME", "SECONDS"
    );
    for row in rows {
        let seconds = row.ended_at.zip(row.started_at).map(|(end, start)| (end - start) as f64 / 1e6);
        let seconds = seconds.map_or(String::new(), |seconds| format!("{seconds:.2}"));
        let _ = writeln!(
            text,
            "{:>7}  {:<20}  {:<width$}  {:<8}  {:<14}  {:<8}  {seconds:>7}  {}",
            row.id,
            shown(row.slot),
            row.job,
            row.stage.as_str(),
            row.trigger.as_str(),
            outcome(row),
            plain(row.reasons.first().map_or("", String::as_str)),
        );
    }
    text
}
