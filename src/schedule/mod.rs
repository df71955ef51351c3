//! Cron slots, the ledger that accounts for every one of them, and the loop that works them.

mod book;
pub mod clock;
pub mod command;
mod crash;
pub mod cron;
pub mod daemon;
pub mod inbox;
pub mod lease;
pub mod ledger;
mod line;
pub mod lock;
pub mod metrics;
pub mod outcome;
mod run_id;
pub mod scheduler;
pub mod spec;
pub mod status;
mod task;
pub mod track;
pub mod work;

pub use book::Delay;
pub use run_id::run_id;
