//! What the daemon is doing, as a value: the loop writes it, serving reads it.

use crate::schedule::spec::{JobPlan, Stage};
use crate::schedule::track::LineProgress;
use std::sync::{Arc, PoisonError, RwLock};

/// A snapshot; all instants in microseconds UTC.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Status {
    /// When the daemon started.
    pub started_at: i64,
    /// The last turn of the scheduler loop, by the daemon's clock.
    pub ticked_at: i64,
    /// Whether the config is loaded, the ledger is open and the past is replayed.
    pub is_ready: bool,
    /// Whether a shutdown has begun.
    pub is_draining: bool,
    /// SHA-256 of the config file that is in force.
    pub config_sha256: String,
    /// The last reload: when, and why it was rejected if it was.
    pub reload: Option<(i64, Result<(), String>)>,
    /// All jobs, ascending by name.
    pub jobs: Vec<JobStatus>,
}

/// One job.
#[derive(Clone, Debug, PartialEq)]
pub struct JobStatus {
    /// Name.
    pub name: String,
    /// Root of its sink.
    pub sink: std::path::PathBuf,
    /// What the config says about it.
    pub plan: Plan,
    /// Its stages.
    pub lines: Vec<LineStatus>,
}

/// The plan of a job; the same where the config says the same, and short where it is printed.
#[derive(Clone)]
pub struct Plan(pub Arc<JobPlan>);

impl PartialEq for Plan {
    fn eq(&self, other: &Plan) -> bool {
        self.0.fingerprint == other.0.fingerprint
    }
}

impl std::fmt::Debug for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.fingerprint)
    }
}

/// One stage of a job.
#[derive(Clone, Debug, PartialEq)]
pub struct LineStatus {
    /// Which stage.
    pub stage: Stage,
    /// The schedule in words.
    pub rule: String,
    /// The next slot.
    pub next: Option<i64>,
    /// Run id of the slot that runs.
    pub running: Option<String>,
    /// Slots that wait.
    pub waiting: usize,
    /// The daemon that works the slot that waits first, where jobs are shared; empty where it cannot be told.
    pub held_by: Option<String>,
    /// How far the slot that runs is, once it has said so.
    pub progress: Option<LineProgress>,
}

/// The snapshot that is shared.
#[derive(Clone, Debug, Default)]
pub struct Shared(Arc<RwLock<Status>>);

impl Shared {
    /// A copy of the latest snapshot.
    pub fn get(&self) -> Status {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces the snapshot.
    pub fn set(&self, status: Status) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = status;
    }
}
