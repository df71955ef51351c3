//! What the slots of a daemon may take of their machine, and have taken of it.
//!
//! A slot takes its memory after its source is read, when its plan is exact, and gives it back as it ends. It holds none while it
//! waits, so that slots do not wait for each other in a circle; what it has read stays, and is not counted twice.

use crate::machine::Size;
use crate::pipeline::memory_plan::{self, MemoryError, MemoryPlan};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Space that stays free on every disk that a slot writes to, where nothing is written.
const MIN_FREE: u64 = 256 << 20;

/// How often a slot that waits looks whether it is to stop.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Limits of slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of memory that the process may take; `None` takes nine tenths of what there is.
    pub max_memory: Option<u64>,
    /// Bytes that have to be free on every disk that a slot writes to.
    pub min_free: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { max_memory: None, min_free: MIN_FREE }
    }
}

/// The limits, and what running slots have of them.
#[derive(Debug, Default)]
pub struct Budget {
    limits: Limits,
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Bytes of the slots that run.
    taken: u64,
    /// The plan of the last slot of each job.
    plans: BTreeMap<String, u64>,
}

/// Memory of a slot; given back when it is dropped.
#[derive(Debug)]
pub struct Share<'a> {
    budget: &'a Budget,
    bytes: u64,
}

impl Budget {
    /// Nothing is taken yet.
    pub fn new(limits: Limits) -> Budget {
        Budget { limits, ..Budget::default() }
    }

    /// The limits.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// The plan of the last slot of a job, bytes.
    pub fn plan(&self, job: &str) -> Option<u64> {
        self.state().plans.get(job).copied()
    }

    /// Takes what a plan says, beside `held` bytes that nobody gives back; waits while other slots have it, until `stop`.
    ///
    /// # Errors
    /// If the plan is above the limit, however little others have.
    pub(super) fn take(
        &self,
        job: &str,
        plan: &MemoryPlan,
        held: u64,
        stop: &AtomicBool,
    ) -> Result<Share<'_>, MemoryError> {
        let limit = memory_plan::limit(self.limits.max_memory).unwrap_or(u64::MAX);
        self.state().plans.insert(job.into(), plan.bytes());
        plan.within(limit)?;
        let (own, base) = (plan.own_bytes(), plan.bytes() - plan.own_bytes());
        let fits = |taken: u64| base.saturating_add(held).saturating_add(taken).saturating_add(own) <= limit;
        let mut state = self.state();
        let mut is_told = false;
        // Alone it may begin in any case: what is held besides may be less than it seems.
        while state.taken > 0 && !fits(state.taken) && !stop.load(Ordering::Relaxed) {
            if !std::mem::replace(&mut is_told, true) {
                let (planned, taken, limit) = (Size(own), Size(state.taken), Size(limit));
                tracing::info!(%planned, %taken, %limit, "the slot waits for memory that others have");
            }
            let waited = self.freed.wait_timeout(state, LOOK_EVERY).unwrap_or_else(PoisonError::into_inner);
            state = waited.0;
        }
        state.taken += own;
        Ok(Share { budget: self, bytes: own })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        let mut state = self.budget.state();
        state.taken = state.taken.saturating_sub(self.bytes);
        drop(state);
        self.budget.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    fn plan(mib: u64) -> MemoryPlan {
        MemoryPlan::of_parts("training", vec![("process", 20 << 20), ("windows", mib << 20)])
    }

    #[test]
    fn slots_wait_for_memory_that_others_have_and_never_for_what_there_is_not() {
        let limits = Limits { max_memory: Some(100 << 20), ..Limits::default() };
        let (budget, stop) = (Budget::new(limits), AtomicBool::new(false));
        assert!(budget.take("a", &plan(90), 0, &stop).is_err());
        assert_eq!(budget.plan("a"), Some(110 << 20));
        let first = budget.take("a", &plan(50), 0, &stop).expect("it fits");
        let second = budget.take("b", &plan(30), 0, &stop).expect("both fit");
        let most = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            let third = scope.spawn(|| {
                let share = budget.take("c", &plan(60), 0, &stop).expect("it fits in the end");
                most.store((budget.state().taken >> 20) as usize, Ordering::Relaxed);
                drop(share);
            });
            drop(second);
            drop(first);
            third.join().expect("no panic");
        });
        assert_eq!(most.into_inner(), 60);
        assert_eq!(budget.state().taken, 0);
        stop.store(true, Ordering::Relaxed);
        let _all = budget.take("a", &plan(70), 0, &stop).expect("it fits");
        assert!(budget.take("b", &plan(70), 0, &stop).is_ok(), "who is told to stop does not wait");
    }
}
