//! The clap types of `s4cast backtest` and `s4cast compare`, nothing else.

use crate::cli::args::{LimitArgs, ModelArgs, SourceArgs};
use crate::config::{Key, RawBacktest, Settings};
use clap::ValueEnum;

#[derive(Debug, clap::Args)]
pub(super) struct Backtest {
    #[command(flatten)]
    pub source: SourceArgs,
    /// Id columns; repeat the flag or separate by commas (default: found by their values)
    #[arg(long, env = "S4CAST_ID", value_name = "COLUMN", value_delimiter = ',', help_heading = "Source")]
    pub id: Vec<String>,
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub windows: WindowArgs,
    #[command(flatten)]
    pub limits: LimitArgs,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Backtest")]
pub(super) struct WindowArgs {
    /// Windows; the last one ends with the data [default: 3]
    #[arg(short = 'W', long, env = "S4CAST_WINDOWS", allow_negative_numbers = true, value_name = "N")]
    pub windows: Option<String>,
    /// Steps from one cutoff to the next (default: the horizon)
    #[arg(long, env = "S4CAST_STEP", allow_negative_numbers = true, value_name = "STEPS")]
    pub step: Option<String>,
    /// When to fit: always, never (once, at the first cutoff) or every so many windows (default: always for up to 3
    /// windows, else never)
    #[arg(long, env = "S4CAST_REFIT", allow_negative_numbers = true, value_name = "WHEN")]
    pub refit: Option<String>,
    /// Steps between a cutoff and the first one scored: forecast too, but not scored [default: 0]
    #[arg(long, env = "S4CAST_GAP", allow_negative_numbers = true, value_name = "STEPS")]
    pub gap: Option<String>,
    /// Count windows back from the latest end of all series (calendar) or from each one's own (end) [default: calendar]
    #[arg(long, env = "S4CAST_ALIGN", value_name = "HOW")]
    pub align: Option<String>,
    /// See no more than so many values before a cutoff (default: all)
    #[arg(long, env = "S4CAST_SLIDING", allow_negative_numbers = true, value_name = "STEPS")]
    pub sliding: Option<String>,
    /// Models to compare; seasonal_naive is always one of them (default: auto, ridge, ets, mstl, seasonal_naive, naive)
    #[arg(long, env = "S4CAST_MODELS", value_name = "NAME", value_delimiter = ',')]
    pub models: Vec<String>,
    /// Also write every forecast beside what came, as Parquet
    #[arg(short, long, env = "S4CAST_BACKTEST_OUTPUT", value_name = "OUT.parquet")]
    pub output: Option<String>,
    /// Also write a page about it that opens offline: scores in words, losses, some series with their forecasts
    #[arg(long, env = "S4CAST_BACKTEST_REPORT", value_name = "OUT.html")]
    pub report: Option<String>,
    /// Also score by series, by step ahead or by segment; repeat the flag or separate by commas
    #[arg(long, env = "S4CAST_BY", value_enum, value_name = "WHAT", value_delimiter = ',')]
    pub by: Vec<By>,
    /// Id column whose values are the segments of --by segment
    #[arg(long, env = "S4CAST_SEGMENT", value_name = "COLUMN")]
    pub segment: Option<String>,
}

/// What scores are broken down by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(super) enum By {
    /// Every series
    Series,
    /// Every step ahead
    Step,
    /// Every value of an id column
    Segment,
}

impl Backtest {
    /// Lays the flags over the settings.
    pub fn apply(&self, settings: &mut Settings) {
        self.source.apply(settings);
        settings.flag(Key::Id, self.id.clone());
        self.model.apply(settings);
        settings.flag(Key::MaxMemory, self.limits.max_memory.clone());
    }

    /// The flags that no file has.
    pub fn raw(&self) -> RawBacktest {
        let flags = &self.windows;
        RawBacktest {
            windows: flags.windows.clone(),
            step: flags.step.clone(),
            refit: flags.refit.clone(),
            gap: flags.gap.clone(),
            align: flags.align.clone(),
            sliding: flags.sliding.clone(),
            models: flags.models.clone(),
            output: flags.output.clone(),
            report: flags.report.clone(),
            segment: flags.segment.clone(),
        }
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct Compare {
    /// Output of backtest, FILE.parquet or FILE.parquet:MODEL
    #[arg(value_name = "A")]
    pub a: String,
    /// What to hold it against, in the same way; :MODEL for another model of the same file
    #[arg(value_name = "B")]
    pub b: String,
    /// What a good model keeps small, per point and scaled as in MASE
    #[arg(long, env = "S4CAST_LOSS", value_enum, default_value = "mae", value_name = "LOSS")]
    pub loss: LossName,
    /// Seed of the bootstrap
    #[arg(long, env = "S4CAST_SEED", default_value_t = 1, value_name = "N")]
    pub seed: u64,
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LossName {
    /// Absolute error: its mean is MASE
    Mae,
    /// Squared error
    Mse,
    /// Pinball loss of all quantiles
    Pinball,
}
