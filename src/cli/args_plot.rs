//! The clap types of `s4cast plot`, nothing else.

use crate::config::{Key, Settings};
use clap::{ValueEnum, value_parser};
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(super) struct Plot {
    /// Forecasts: Parquet or CSV of forecast, backtest or the daemon, or the folder of a run
    #[arg(value_name = "FORECASTS")]
    pub forecasts: PathBuf,
    /// Series to draw, by unique_id; repeat the flag for small multiples (needless where the file has one series)
    #[arg(long, value_name = "UNIQUE_ID")]
    pub id: Vec<String>,
    /// Picture to write, .svg or .png (default: a picture of characters on stdout)
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Scenarios to draw beside the plain forecast; repeat the flag or separate by commas (default: all)
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub scenario: Vec<String>,
    /// Model to draw, of a backtest (default: the first one that is not seasonal_naive)
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Intervals to draw, in percent [default: 80 and 95 where the file has them, else the two widest]
    #[arg(long, value_name = "PERCENT", value_delimiter = ',')]
    pub levels: Vec<f64>,
    #[command(flatten)]
    pub history: HistoryArgs,
    #[command(flatten)]
    pub look: LookArgs,
}

/// What was observed.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "History")]
pub(super) struct HistoryArgs {
    /// Data that was forecast: CSV or Parquet files, globs or folders, as forecast reads them; repeat the flag for more
    #[arg(long, value_name = "DATA")]
    pub history: Vec<String>,
    /// Job file whose source is the history; flags win over it
    #[arg(short, long, env = "S4CAST_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Newest values of the history that are drawn before the first cutoff [default: three horizons, or three seasons]
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..))]
    pub last: Option<u32>,
    /// Id columns of the history, as --id of forecast; repeat the flag or separate by commas (default: found by their values)
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    pub id_columns: Vec<String>,
    /// Time column of the history (default: found by its values)
    #[arg(long, value_name = "COLUMN")]
    pub time: Option<String>,
    /// Target column of the history (default: found by its values)
    #[arg(long, value_name = "COLUMN")]
    pub target: Option<String>,
    /// Frequency of the history, for example 15m, 1h, MS (default: inferred per series)
    #[arg(long, value_name = "STEP")]
    pub freq: Option<String>,
    /// Time zone of times of the history without an offset, as --tz of forecast [default: that of the job file, else UTC]
    #[arg(long, value_name = "ZONE")]
    pub history_tz: Option<String>,
    /// Repeated timestamps of the history: error, first, last, latest, mean, sum [default: error]
    #[arg(long, value_name = "POLICY")]
    pub duplicates: Option<String>,
    /// Sums that are series of the history, too, as --hierarchy of forecast
    #[arg(long, value_name = "LEVEL", value_delimiter = ',')]
    pub hierarchy: Vec<String>,
}

/// How it looks.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Look")]
pub(super) struct LookArgs {
    /// Time zone that is shown (default: that of the history, else UTC)
    #[arg(long, env = "S4CAST_TZ", value_name = "ZONE")]
    pub tz: Option<String>,
    /// Title (default: the series)
    #[arg(long, value_name = "TEXT")]
    pub title: Option<String>,
    /// What the values are, beside the axis, for example "load in MW" (default: the target column of the history)
    #[arg(long, value_name = "TEXT")]
    pub unit: Option<String>,
    /// Pixels of an SVG [default: 960] or PNG [default: 1920], columns of a terminal [default: its own, else 80]
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(40..=8000))]
    pub width: Option<u32>,
    /// Pixels of an SVG [default: 540] or PNG [default: 1080], lines of each chart in a terminal [default: 24]
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(10..=8000))]
    pub height: Option<u32>,
    /// Colours
    #[arg(long, value_enum, default_value = "light", value_name = "THEME")]
    pub theme: ThemeName,
}

/// Colours of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ThemeName {
    /// For paper
    Light,
    /// For dark pages
    Dark,
}

impl HistoryArgs {
    /// Lays the flags over the settings.
    pub fn apply(&self, settings: &mut Settings) {
        if self.history.iter().any(|input| !input.trim().is_empty()) {
            settings.drop_exec();
        }
        settings.flag(Key::Inputs, self.history.clone());
        settings.flag(Key::Id, self.id_columns.clone());
        settings.flag(Key::Time, self.time.clone());
        settings.flag(Key::Target, self.target.clone());
        settings.flag(Key::Freq, self.freq.clone());
        settings.flag(Key::Tz, self.history_tz.clone());
        settings.flag(Key::Duplicates, self.duplicates.clone());
        settings.flag(Key::Hierarchy, self.hierarchy.clone());
    }

    /// Whether there is any.
    pub fn is_given(&self) -> bool {
        self.config.is_some() || self.history.iter().any(|input| !input.trim().is_empty())
    }
}
