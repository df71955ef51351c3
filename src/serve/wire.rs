//! The JSON of the service. Keys are stable: they are added to, never renamed. Times are ISO 8601 UTC.

use crate::registry::Version;
use crate::schedule::outcome::{Outcome, SlotRow};
use crate::schedule::status::{JobStatus, Status};
use serde_json::{Value, json};

/// A timestamp (microseconds UTC) as text.
pub(super) fn time(micros: i64) -> String {
    jiff::Timestamp::from_microsecond(micros).map_or_else(|_| micros.to_string(), |stamp| stamp.to_string())
}

/// All jobs, and how the daemon is.
pub(super) fn jobs(status: &Status) -> Value {
    let reload = status.reload.as_ref().map(|(at, outcome)| {
        json!({ "at": time(*at), "applied": outcome.is_ok(), "reason": outcome.as_ref().err() })
    });
    json!({
        "started_at": time(status.started_at),
        "ready": status.is_ready,
        "draining": status.is_draining,
        "config_sha256": status.config_sha256,
        "reload": reload,
        "jobs": status.jobs.iter().map(job).collect::<Vec<_>>(),
    })
}

/// One job.
pub(super) fn job(job: &JobStatus) -> Value {
    let stages = job.lines.iter().map(|line| {
        json!({
            "stage": line.stage.as_str(),
            "schedule": line.rule,
            "next": line.next.map(time),
            "running": line.running,
            "waiting": line.waiting,
        })
    });
    json!({ "job": job.name, "stages": stages.collect::<Vec<_>>() })
}

/// One slot.
pub(super) fn run(row: &SlotRow) -> Value {
    json!({
        "id": row.id,
        "job": row.job,
        "stage": row.stage.as_str(),
        "slot": time(row.slot),
        "trigger": row.trigger.as_str(),
        "planned_at": time(row.planned_at),
        "started_at": row.started_at.map(time),
        "ended_at": row.ended_at.map(time),
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
    json!({
        "job": version.job,
        "version": version.version,
        "champion": version.is_champion,
        "pinned": version.is_pinned,
        "manifest": version.manifest.as_ref().ok(),
        "broken": version.manifest.as_ref().err().map(ToString::to_string),
    })
}
