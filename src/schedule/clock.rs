//! The daemon's clock: the machine's, or one that jumps from event to event.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Where the daemon has the time from; microseconds UTC.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's; read by the function, for only the command line may.
    System(fn() -> i64),
    /// A simulated one. It stands still while anything is being worked, and then jumps to the next event.
    Simulated {
        /// The time.
        now: Arc<AtomicI64>,
        /// When the simulation is over.
        end: i64,
    },
}

impl Clock {
    /// A simulated clock.
    pub fn simulated(start: i64, end: i64) -> Clock {
        Clock::Simulated { now: Arc::new(AtomicI64::new(start)), end }
    }

    /// The time.
    pub fn now(&self) -> i64 {
        match self {
            Clock::System(read) => read(),
            Clock::Simulated { now, .. } => now.load(Ordering::Relaxed),
        }
    }

    /// Whether it is simulated.
    pub fn is_simulated(&self) -> bool {
        matches!(self, Clock::Simulated { .. })
    }

    /// Sets a simulated clock; false if that is beyond its end, or if there is nothing to jump to.
    pub(super) fn jump(&self, to: Option<i64>) -> bool {
        match self {
            Clock::System(_) => false,
            Clock::Simulated { now, end } => {
                let target = to.filter(|to| to <= end);
                // The end is reached in any case, so that what is recorded last says so.
                now.fetch_max(target.unwrap_or(*end), Ordering::Relaxed);
                target.is_some()
            }
        }
    }
}
