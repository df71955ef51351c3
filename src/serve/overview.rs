//! All jobs at one look: what runs, how it went, how far the data reaches, how good the forecasts were.

use crate::live::review;
use crate::publish::{self, PublishError, ScoreRow};
use crate::schedule::ledger::{LedgerError, LedgerReader, SlotMark};
use crate::schedule::outcome::{Outcome, SlotRow};
use crate::schedule::spec::Stage;
use crate::schedule::status::JobStatus;
use crate::series::civil::shown;
use crate::serve::catalogue::Catalogue;
use crate::serve::memo::stamp;
use crate::serve::problem::Problem;
use crate::serve::wire::{self, millis};
use crate::serve::{App, blocking};
use axum::Json;
use axum::extract::State;
use serde_json::{Map, Value, json};
use std::path::Path;
use std::sync::Arc;

/// Slots that are marked.
const MARKS: usize = 100;

/// Scored runs that accuracy is taken over.
const RUNS: usize = 100;

/// All jobs at one look.
pub(super) async fn overview(State(app): State<App>) -> Result<Json<Value>, Problem> {
    let document = blocking(move || document(&app)).await?;
    document.map(Json).map_err(Problem::internal)
}

fn document(app: &App) -> Result<Value, LedgerError> {
    let status = app.status.get();
    let now = (app.now)();
    let ledger = LedgerReader::open(&app.state)?;
    let jobs = status.jobs.iter().map(|one| job(app, &ledger, one, now));
    let jobs = jobs.collect::<Result<Vec<Value>, LedgerError>>()?;
    Ok(json!({
        "now": shown(now),
        "version": env!("CARGO_PKG_VERSION"),
        "started_at": shown(status.started_at),
        "ready": status.is_ready,
        "draining": status.is_draining,
        "writable": app.access.is_writable(),
        "read_only": app.access.is_read_only(),
        "reload": wire::reload(&status),
        "jobs": jobs,
    }))
}

fn job(app: &App, ledger: &LedgerReader, status: &JobStatus, now: i64) -> Result<Value, LedgerError> {
    let (name, spec) = (&status.name, &status.plan.0.job);
    let mut marks: Vec<SlotMark> = Vec::new();
    let mut last = Map::new();
    for stage in Stage::ALL {
        marks.extend(ledger.marks(name, stage, MARKS)?);
        if let Some(row) = ledger.last_ended(name, stage)? {
            last.insert(stage.as_str().into(), ended(&row));
        }
    }
    marks.sort_by_key(|mark| mark.id);
    marks.drain(..marks.len().saturating_sub(MARKS));
    let mut answer = json!({
        "job": name,
        "source": spec.source_name,
        "model": spec.model.kind().as_str(),
        "horizon": spec.model.horizon(),
        "season_length": spec.model.season_length(),
        "tz": spec.source.zone.as_ref().and_then(|zone| zone.iana_name()).unwrap_or("UTC"),
        "stages": status.lines.iter().map(wire::stage).collect::<Vec<_>>(),
        "last": last,
        "outcomes": marks.iter().map(mark).collect::<Vec<_>>(),
    });
    // A sink or a registry that cannot be read hides its own figures, and nobody else's.
    let newest = seen(name, Catalogue::newest(&app.held.runs, &status.sink, name)).flatten();
    let table = seen(name, scores(app, &status.sink, name));
    let standing = seen(name, app.registry.standing(name));
    let more = [
        ("accuracy", table.as_deref().map_or(Value::Null, |rows| accuracy(rows))),
        ("champion", json!(standing.and_then(|standing| standing.champion))),
        ("data_lag_s", json!(newest.as_ref().and_then(|newest| Some(seconds(now - newest.run.cutoff?))))),
        ("forecast_age_s", json!(newest.as_ref().map(|newest| seconds(now - newest.commit.issued_at)))),
        ("issued_at", json!(newest.as_ref().map(|newest| shown(newest.commit.issued_at)))),
        ("cutoff", json!(newest.as_ref().and_then(|newest| newest.run.cutoff.map(shown)))),
        ("run_id", json!(newest.as_ref().map(|newest| &newest.commit.run_id))),
        ("series", json!(newest.as_ref().map(|newest| newest.run.unique_ids.len()))),
        ("rows", json!(newest.as_ref().map(|newest| newest.commit.rows))),
    ];
    for (key, value) in more {
        answer[key] = value;
    }
    Ok(answer)
}

fn seconds(micros: i64) -> i64 {
    micros.div_euclid(1_000_000)
}

/// What could be read; why not is for those who look for it, for this is asked every few seconds.
fn seen<T, E: std::fmt::Display>(job: &str, found: Result<T, E>) -> Option<T> {
    found.inspect_err(|error| tracing::debug!(job, %error, "left out of the overview")).ok()
}

fn ended(row: &SlotRow) -> Value {
    json!({
        "id": row.id,
        "slot": shown(row.slot),
        "outcome": row.outcome.map(Outcome::as_str),
        "ended_at": row.ended_at.map(shown),
        "run_id": row.run_id,
        "reasons": row.reasons,
    })
}

fn mark(mark: &SlotMark) -> Value {
    json!({
        "id": mark.id,
        "stage": mark.stage.as_str(),
        "slot": shown(mark.slot),
        "outcome": mark.outcome.map(Outcome::as_str),
    })
}

/// The newest scored runs of a job over all steps and series, oldest first.
fn scores(app: &App, sink: &Path, job: &str) -> Result<Arc<Vec<ScoreRow>>, PublishError> {
    let path = publish::scores_path(sink, job)?;
    app.held.scores.get(&path.display().to_string(), &stamp(&path), || {
        let table = publish::read_scores(&path)?;
        let mut runs: Vec<ScoreRow> =
            review::whole_runs(&table).filter(|row| row.segment.is_none()).cloned().collect();
        runs.sort_by_key(|row| row.issued_at);
        runs.drain(..runs.len().saturating_sub(RUNS));
        Ok(runs)
    })
}

/// How good those runs were, weighted by points.
fn accuracy(runs: &[ScoreRow]) -> Value {
    let Some(all) = review::summary(runs.iter()) else { return Value::Null };
    let of_run = |row: &ScoreRow| {
        let levels = row.intervals.iter().map(|(level, inside, _)| (*level, *inside));
        json!({
            "issued_at_ms": millis(row.issued_at),
            "mase": row.mase,
            "mase_seasonal_naive": row.mase_seasonal_naive,
            "points": row.points,
            "coverage": wire::coverage(levels),
        })
    };
    let naive = all.mase_seasonal_naive;
    json!({
        "mase": all.mase,
        "mase_seasonal_naive": naive,
        "skill": (naive > 0.0).then(|| 1.0 - all.mase / naive),
        "points": all.rows,
        "runs": runs.len(),
        "coverage": wire::coverage(all.coverage.iter().copied()),
        "history": runs.iter().map(of_run).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accuracy_is_weighted_by_points_and_nothing_of_no_run() {
        let row = |issued_at: i64, points: i64, mase: f64, inside: f64| ScoreRow {
            run_id: issued_at.to_string(),
            issued_at,
            model_version: 1,
            steps: (1, 7),
            segment: None,
            points,
            mase,
            mase_seasonal_naive: 2.0,
            bias: 0.0,
            mae: 1.0,
            size: 1.0,
            pinball: None,
            intervals: vec![(80.0, inside, 1.0)],
            is_final: true,
        };
        assert_eq!(accuracy(&[]), Value::Null);
        let found = accuracy(&[row(1_000_000, 1, 4.0, 0.0), row(2_000_000, 3, 0.0, 1.0)]);
        assert_eq!((found["mase"].as_f64(), found["skill"].as_f64()), (Some(1.0), Some(0.5)));
        assert_eq!((found["points"].as_i64(), found["runs"].as_i64()), (Some(4), Some(2)));
        assert_eq!(found["coverage"], json!({ "80": 0.75 }));
        assert_eq!(found["history"][1]["issued_at_ms"], 2_000);
    }
}
