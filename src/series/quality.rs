//! What ingestion found out about each series.

use crate::series::Frequency;

/// Whether a series takes part in the job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Usable.
    Ok,
    /// Used, but forecast by seasonal naive: it looks wrong, for the reasons given.
    Fallback(Vec<String>),
    /// Left out, with the reasons a person can act on.
    Quarantined(Vec<String>),
}

/// Quality of one series, one row of the quality report.
#[derive(Clone, Debug)]
pub struct Quality {
    /// Composed id.
    pub unique_id: String,
    /// Rows read.
    pub rows: usize,
    /// Rows whose target is null or `NaN`.
    pub missing: usize,
    /// Number of holes in the time grid.
    pub gaps: usize,
    /// Longest hole or run of missing targets, in steps.
    pub longest_gap: usize,
    /// Longest run of equal values, in steps.
    pub flat_run: usize,
    /// Missing steps that the policy for gaps filled.
    pub filled: usize,
    /// Values that were called spikes: those of the last season, or all where spikes count as missing.
    pub spikes: usize,
    /// How far the level moved, in units of the target; `None` where it did not, or nobody asked.
    pub level_shift: Option<f64>,
    /// First timestamp, microseconds UTC.
    pub first_ds: Option<i64>,
    /// Last timestamp, microseconds UTC.
    pub last_ds: Option<i64>,
    /// Frequency, where one could be declared or inferred.
    pub frequency: Option<Frequency>,
    /// Whether the series is used.
    pub verdict: Verdict,
    /// What looks wrong with it and stops nothing.
    pub warnings: Vec<String>,
}

/// Something that the reader should know and that stops nothing (an assumed zone, a skipped file).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note(pub String);
