//! The JSON of the service. Keys are stable: they are added to, never renamed. Times are ISO 8601 UTC.

use crate::publish::{AnomalyRow, ScoreRow};
use crate::registry::{Event, Version};
use crate::schedule::outcome::{Outcome, SlotRow};
use crate::schedule::status::{JobStatus, LineStatus, Status};
use crate::schedule::track::LineProgress;
use crate::series::civil::shown;
use crate::serve::journal::Line;
use serde_json::{Map, Value, json};

/// All jobs, and how the daemon is.
pub fn jobs(status: &Status) -> Value {
    json!({
        "started_at": shown(status.started_at),
        "ready": status.is_ready,
        "draining": status.is_draining,
        "config_sha256": status.config_sha256,
        "reload": reload(status),
        "jobs": status.jobs.iter().map(job).collect::<Vec<_>>(),
    })
}

/// The last reload of the config, if there was one.
pub(super) fn reload(status: &Status) -> Value {
    let reload = status.reload.as_ref().map(|(at, outcome)| {
        json!({ "at": shown(*at), "applied": outcome.is_ok(), "reason": outcome.as_ref().err() })
    });
    json!(reload)
}

/// One job.
pub(super) fn job(job: &JobStatus) -> Value {
    json!({ "job": job.name, "stages": job.lines.iter().map(stage).collect::<Vec<_>>() })
}

/// One stage of a job.
pub(super) fn stage(line: &LineStatus) -> Value {
    json!({
        "stage": line.stage.as_str(),
        "schedule": line.rule,
        "next": line.next.map(shown),
        "running": line.running,
        "waiting": line.waiting,
        "held_by": line.held_by,
        "progress": line.progress.as_ref().map(progress),
    })
}

/// How far the slot that runs is.
fn progress(progress: &LineProgress) -> Value {
    json!({
        "phase": progress.phase,
        "part": (progress.part.1 > 1).then_some(progress.part.0),
        "parts": (progress.part.1 > 1).then_some(progress.part.1),
        "fraction": progress.fraction(),
        "done": progress.done,
        "total": (progress.total > 0).then_some(progress.total),
        "unit": progress.unit.as_str(),
        "rate": progress.rate,
        "seconds_left": progress.seconds_left,
        "started_at": shown(progress.started_at),
        "updated_at": shown(progress.updated_at),
    })
}

/// One slot, as `s4cast runs` prints it, too.
pub fn run(row: &SlotRow) -> Value {
    json!({
        "id": row.id,
        "job": row.job,
        "stage": row.stage.as_str(),
        "slot": shown(row.slot),
        "trigger": row.trigger.as_str(),
        "planned_at": shown(row.planned_at),
        "started_at": row.started_at.map(shown),
        "ended_at": row.ended_at.map(shown),
        "outcome": row.outcome.map(Outcome::as_str),
        "late": row.is_late,
        "attempts": row.attempts,
        "run_id": row.run_id,
        "reasons": row.reasons,
        "detail": row.detail,
    })
}

/// One version of a model.
pub(super) fn model(version: &Version) -> Value {
    let mut manifest = version.manifest.as_ref().map_or(Value::Null, |manifest| json!(manifest));
    for instant in ["slot", "created_at", "cutoff"] {
        if let Some(micros) = manifest.get(instant).and_then(Value::as_i64) {
            manifest[instant] = json!(shown(micros));
        }
    }
    json!({
        "job": version.job,
        "version": version.version,
        "champion": version.is_champion,
        "pinned": version.is_pinned,
        "shadow": version.is_shadow,
        "signed_by": version.signed_by.map(|key| key.to_string()),
        "signature_problem": version.signature_problem,
        "manifest": manifest,
        "broken": version.manifest.as_ref().err().map(ToString::to_string),
    })
}

/// Scores of one run, of one band and segment.
pub(super) fn score(row: &ScoreRow) -> Value {
    let intervals: Map<String, Value> = row
        .intervals
        .iter()
        .map(|(level, inside, width)| (level.to_string(), json!({ "coverage": inside, "width": width })))
        .collect();
    json!({
        "run_id": row.run_id,
        "issued_at": shown(row.issued_at),
        "model_version": row.model_version,
        "first_step": row.steps.0,
        "last_step": row.steps.1,
        "segment": row.segment,
        "points": row.points,
        "mase": row.mase,
        "mase_seasonal_naive": row.mase_seasonal_naive,
        "bias": row.bias,
        "mae": row.mae,
        "pinball": row.pinball,
        "intervals": intervals,
        "final": row.is_final,
    })
}

/// One value and what was expected of it.
pub(super) fn anomaly(row: &AnomalyRow) -> Value {
    json!({
        "unique_id": row.unique_id,
        "ds": shown(row.ds),
        "y": row.y,
        "yhat": row.yhat,
        "yhat_lower": row.lower,
        "yhat_upper": row.upper,
        "score": row.score,
        "direction": row.direction,
        "run_id": row.run_id,
    })
}

/// A change of the serving version, and the version that served before.
pub(super) fn event(event: &Event, previous: Option<u32>) -> Value {
    json!({
        "at": shown(event.at),
        "version": event.version,
        "previous": previous,
        "reason": event.reason,
    })
}

/// A line of the log.
pub(super) fn line(line: &Line) -> Value {
    json!({
        "at": shown(line.at),
        "level": line.level,
        "message": line.message,
        "fields": line.own_fields(),
    })
}

/// Shares inside of central intervals, by level in percent.
pub(super) fn coverage(levels: impl Iterator<Item = (f64, f64)>) -> Map<String, Value> {
    levels.map(|(level, share)| (level.to_string(), json!(share))).collect()
}

/// An instant (microseconds UTC) as pictures take it: milliseconds.
pub(super) fn millis(instant: i64) -> i64 {
    instant.div_euclid(1_000)
}
