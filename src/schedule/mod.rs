//! Cron slots, the ledger that accounts for every one of them, and the loop that works them.

pub mod command;
pub mod cron;
pub mod outcome;
pub mod spec;
pub mod status;
