//! A slot on its way to a worker, and what becomes of it.

use crate::pipeline::JobSpec;
use crate::schedule::lease::Hold;
use crate::schedule::ledger::Ending;
use crate::schedule::line::doubled;
use crate::schedule::outcome::{Outcome, SlotRow};
use crate::schedule::track::Tracker;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// A slot on its way to a worker.
#[derive(Clone, Debug)]
pub struct Task {
    /// The slot; its attempt is counted already, but where it is shared.
    pub row: SlotRow,
    /// What the job is.
    pub job: Arc<JobSpec>,
    /// Whether a forecast fits its model first, for the job has no training schedule.
    pub fits_first: bool,
    /// Becomes true when the work is to stop soon.
    pub stop: Arc<AtomicBool>,
    /// Where the work says how far it is.
    pub progress: Tracker,
    /// Whether other daemons have the slot, too: whoever has its lease works it.
    pub is_shared: bool,
    /// How the slot ends, if nobody works it; `None` where it is to be worked.
    pub settles: Option<Ending>,
    /// Attempts in all, at least one.
    pub attempts_max: u32,
    /// Wait before the second attempt, microseconds; it doubles with each further one.
    pub backoff: i64,
    /// Whether the slot is still this daemon's to publish.
    pub hold: Hold,
}

impl Task {
    /// Wait before the attempt that follows so many.
    pub fn wait_after(&self, attempts: u32) -> Duration {
        Duration::from_micros(u64::try_from(doubled(self.backoff, attempts)).unwrap_or(0))
    }
}

/// What became of a task.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It ended.
    Ended(Ending),
    /// It failed in a way that may pass by itself.
    Retryable(Ending),
    /// It stopped when it was told to.
    Stopped,
    /// It has not begun, or does not count: the slot is another daemon's, or the others cannot be asked.
    Held {
        /// Whose it is; empty where nobody knows.
        by: String,
        /// When to look again.
        look_in: Duration,
    },
}

impl Verdict {
    /// Whether the slot ended without its work.
    pub fn is_skipped(&self) -> bool {
        matches!(self, Verdict::Ended(ending) if ending.outcome == Outcome::Skipped)
    }
}
