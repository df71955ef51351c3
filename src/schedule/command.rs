//! What others ask of the scheduler loop, over one channel; every request gets one reply.

use crate::schedule::spec::Stage;
use tokio::sync::oneshot;

/// A request to the loop.
#[derive(Debug)]
pub struct Request {
    /// What is asked for.
    pub command: Command,
    /// Where the reply goes; a requester that is gone does not matter.
    pub reply: oneshot::Sender<Reply>,
}

/// What can be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Plan a slot now.
    Run {
        /// Name of the job.
        job: String,
        /// What it is to do.
        stage: Stage,
        /// Its nominal instant, microseconds UTC; `None` is now.
        slot: Option<i64>,
    },
    /// Run an ended slot of the ledger again.
    Retry {
        /// Its number.
        id: i64,
    },
    /// Read the config file again.
    Reload,
}

/// The reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A slot was planned, with this number in the ledger and this run id.
    Planned {
        /// Number in the ledger.
        id: i64,
        /// UUIDv7 of the run.
        run_id: String,
    },
    /// The new config is in force.
    Reloaded,
    /// There is no such job, stage or slot.
    NotFound(String),
    /// It cannot be done, and why: a rejected config, a slot that still runs, a shutdown.
    Refused(String),
}
