//! What a backtest is asked to do, and why it cannot.

use crate::model::forecaster::ModelError;
use crate::model::spec::ModelSpec;

/// When the models are fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refit {
    /// At every cutoff.
    Always,
    /// Once, at the first cutoff: later windows are forecast from what is known by then, with the weights of that fit.
    Never,
    /// At the first cutoff and every so many windows after it; at least 1.
    Every(usize),
}

impl std::fmt::Display for Refit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refit::Always => f.write_str("always"),
            Refit::Never => f.write_str("never"),
            Refit::Every(windows) => write!(f, "{windows}"),
        }
    }
}

/// What cutoffs are counted back from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Align {
    /// The latest end of the series of a frequency: all have the same cutoffs, as in production.
    #[default]
    Calendar,
    /// Each series' own end: for sets whose timestamps mean nothing, as in competitions.
    End,
}

impl Align {
    /// All of them, for help texts and suggestions.
    pub const ALL: [Align; 2] = [Align::Calendar, Align::End];

    /// Name in flags.
    pub fn as_str(self) -> &'static str {
        match self {
            Align::Calendar => "calendar",
            Align::End => "end",
        }
    }
}

/// A checked backtest.
#[derive(Clone, Debug)]
pub struct BacktestSpec {
    /// What is compared, each of a kind of its own and for `gap + horizon` steps. Seasonal naive is among them.
    pub models: Vec<ModelSpec>,
    /// Steps that are scored in each window (H).
    pub horizon: usize,
    /// Steps between a cutoff and the first one scored: forecast as well, but known too late to be of use.
    pub gap: usize,
    /// Number of windows, at least 1.
    pub windows: usize,
    /// Steps from one cutoff to the next, at least 1.
    pub step: usize,
    /// When the models are fitted.
    pub refit: Refit,
    /// What cutoffs are counted back from.
    pub align: Align,
    /// The most values of a series that are seen, the last ones before the cutoff; `None` sees all.
    pub sliding: Option<usize>,
}

/// Why there is no backtest.
#[derive(Debug, thiserror::Error)]
pub enum BacktestError {
    /// The data is too short.
    #[error("{}", too_many(*.windows, *.fitting, *.horizon, *.gap, *.step, *.longest))]
    TooManyWindows {
        /// Asked for.
        windows: usize,
        /// What would do.
        fitting: usize,
        /// Steps scored.
        horizon: usize,
        /// Steps before them.
        gap: usize,
        /// Steps between cutoffs.
        step: usize,
        /// Steps of the data.
        longest: usize,
    },
    /// A fit was stopped.
    #[error(transparent)]
    Model(#[from] ModelError),
}

fn too_many(
    windows: usize,
    fitting: usize,
    horizon: usize,
    gap: usize,
    step: usize,
    longest: usize,
) -> String {
    let gap = if gap > 0 { format!(" after a gap of {gap}") } else { String::new() };
    match fitting {
        0 => format!(
            "no window fits: one of {horizon} steps{gap} and two steps before it are more than the {longest} steps of the data; \
             choose a smaller --horizon"
        ),
        fitting => format!(
            "{windows} windows of {horizon} steps{gap}, {step} apart, are more than the {longest} steps of the data hold: \
             {fitting} windows fit; choose --windows {fitting} or fewer, or a smaller --step"
        ),
    }
}
