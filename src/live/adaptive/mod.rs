//! Intervals that keep their promise while the daemon runs: past forecasts that came true correct the next
//! ones.
//!
//! ```text
//! published rows + what came + the corrections stored with their runs ──adapt──▶ correction of the next run
//!   evidence: what the model had said (undone), how far off it was    law: the quantile of outcomes and a prior
//!   debt: the share that each published level still owes              factor: how wide a series is beside others
//! ```
//!
//! A correction widens or narrows the quantiles of a series about their median and moves each level, by
//! horizon band:
//!
//! ```text
//! q'_τ = m + κ_i (β_b (q_τ − m) + w · t_bτ)      m: median, w: the 90 % quantile less the 10 %, t_b ascends
//! ```
//!
//! t_b ascends and κ and β are positive, so quantiles never cross and the correction can be taken back. Moves
//! are the τ-quantiles of exponentially forgotten scores (y − q_τ) / w (Barber et al. 2023), held by a few
//! issues' worth of outcomes that fell where the model said (a Dirichlet prior), at a level raised by what
//! the published intervals owe (the integrator of Gibbs and Candès 2021, forgetting). Issues are counted, not
//! rows: overlapping forecasts err alike.

mod adapt;
mod correction;
mod debt;
mod evidence;
mod factor;
mod law;
#[cfg(test)]
mod adapt_tests;
#[cfg(test)]
mod correction_tests;
#[cfg(test)]
mod stream_tests;

pub use adapt::adapt;
pub use correction::Correction;

/// A row of a past run that has come true.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row<'a> {
    /// Series.
    pub unique_id: &'a str,
    /// Step of the forecast, from 0.
    pub step: usize,
    /// What was forecast, microseconds since the Unix epoch: at most the cutoff that is known now.
    pub ds: i64,
    /// What came, in the units of the target. A row whose value is not finite is left out.
    pub actual: f64,
    /// Quantiles as published (Q).
    pub published: &'a [f64],
}

/// A past run: when it was issued, what its quantiles were corrected by, and its rows that have come true.
#[derive(Clone, Debug)]
pub struct Vintage<'a> {
    /// Orders the runs; newer is larger.
    pub issued_at: i64,
    /// Correction stored with the run.
    pub correction: Correction,
    /// Rows of series of one frequency, in any order.
    pub rows: Vec<Row<'a>>,
}
