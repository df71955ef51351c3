//! What a slot is and how it ends.

use crate::live::drift::Reason;
use crate::schedule::spec::Stage;

/// How a slot ended: exactly one of these, for every planned slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Done.
    Ok,
    /// Done, with less than what was asked for.
    Degraded,
    /// Tried and not done.
    Failed,
    /// Not tried, by a policy: overlap, replacement.
    Skipped,
    /// Not tried, for its time had passed.
    Missed,
}

impl Outcome {
    /// All outcomes.
    pub const ALL: [Outcome; 5] =
        [Outcome::Ok, Outcome::Degraded, Outcome::Failed, Outcome::Skipped, Outcome::Missed];

    /// Name in the ledger, the metrics and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::Degraded => "degraded",
            Outcome::Failed => "failed",
            Outcome::Skipped => "skipped",
            Outcome::Missed => "missed",
        }
    }

    /// The outcome of that name.
    pub fn from_name(name: &str) -> Option<Outcome> {
        Outcome::ALL.into_iter().find(|outcome| outcome.as_str() == name)
    }
}

/// Why a slot was planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trigger {
    /// Its schedule.
    Schedule,
    /// A person: `s4cast run`, or a request over HTTP.
    Manual,
    /// A job that has a training schedule and no model yet.
    Bootstrap,
    /// New or changed source files.
    NewData,
    /// The retrain policy: the champion is old.
    Age,
    /// The retrain policy: there is much new data.
    NewRows,
    /// The retrain policy: the errors of the champion have grown.
    ErrorDrift,
    /// The retrain policy: the intervals of the champion do not hold what they promise.
    CoverageDrift,
}

impl From<Reason> for Trigger {
    fn from(reason: Reason) -> Trigger {
        match reason {
            Reason::Age => Trigger::Age,
            Reason::NewRows => Trigger::NewRows,
            Reason::ErrorDrift => Trigger::ErrorDrift,
            Reason::CoverageDrift => Trigger::CoverageDrift,
        }
    }
}

impl Trigger {
    /// All triggers.
    pub const ALL: [Trigger; 8] = [
        Trigger::Schedule,
        Trigger::Manual,
        Trigger::Bootstrap,
        Trigger::NewData,
        Trigger::Age,
        Trigger::NewRows,
        Trigger::ErrorDrift,
        Trigger::CoverageDrift,
    ];

    /// Name in the ledger and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Trigger::Schedule => "schedule",
            Trigger::Manual => "manual",
            Trigger::Bootstrap => "bootstrap",
            Trigger::NewData => "new_data",
            Trigger::Age => "age",
            Trigger::NewRows => "new_rows",
            Trigger::ErrorDrift => "error_drift",
            Trigger::CoverageDrift => "coverage_drift",
        }
    }

    /// The trigger of that name.
    pub fn from_name(name: &str) -> Option<Trigger> {
        Trigger::ALL.into_iter().find(|trigger| trigger.as_str() == name)
    }
}

/// One line of the ledger.
#[derive(Clone, Debug, PartialEq)]
pub struct SlotRow {
    /// Number in the ledger, ascending in the order of planning.
    pub id: i64,
    /// Name of the job.
    pub job: String,
    /// What it does.
    pub stage: Stage,
    /// Its nominal instant, microseconds UTC.
    pub slot: i64,
    /// Why it was planned.
    pub trigger: Trigger,
    /// When it was written, before any work; microseconds UTC.
    pub planned_at: i64,
    /// When its last attempt began.
    pub started_at: Option<i64>,
    /// When it ended.
    pub ended_at: Option<i64>,
    /// How it ended; `None` while it waits or runs.
    pub outcome: Option<Outcome>,
    /// Whether it ran, or was to run, after its time had passed unseen.
    pub is_late: bool,
    /// Attempts begun.
    pub attempts: u32,
    /// UUIDv7 of its run: derived from job, stage, trigger and instant, so that a repetition replaces its own files.
    pub run_id: String,
    /// Why it ended as it did, one line each.
    pub reasons: Vec<String>,
    /// What it did: figures of the stage, as JSON; null where there are none.
    pub detail: serde_json::Value,
}
