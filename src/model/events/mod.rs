//! Forecasts from the observations themselves, where their time stamps stand on no grid.
//!
//! ```text
//! last K observations  (value, value before, gap)  ─┐
//! T queries            (0, 0, time since the last) ─┴▶ state-space blocks over the gaps ─▶ Q quantiles per query
//! ```
//!
//! Training asks for the observations that came within the horizon, each at its own time; a forecast asks for the middle of
//! every step, for the value of a step is the mean over it. Values are measured from the mean of the window in units of its
//! spread. There is no ridge map below: a map reads a grid, and what fills the grid's holes is the error to be avoided.

mod batch;
mod learn;
mod member;

/// Longest horizon, steps: a window has a token for each.
pub const HORIZON_MAX: usize = 3_000;

pub use batch::{Batch, Events, Queries};
pub use learn::{Taught, Teacher};
pub use member::EventMember;
