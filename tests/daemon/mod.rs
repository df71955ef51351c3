//! The daemon under a simulated clock: the real loop, ledger and schedules; only the work is a stand-in.

mod exec;
mod fleet;
mod policies;
mod restart;
mod support;
mod year;
