//! What was observed around some forecasts.

use crate::cli::args_plot::HistoryArgs;
use crate::cli::error::CliError;
use crate::cli::plot::choice::Came;
use crate::cli::{clock, launch};
use crate::config::{self, nearest};
use crate::ingest::{self, BadSeriesLimit};
use crate::pipeline::SourceReport;
use crate::series::{Frequency, Series};
use jiff::tz::TimeZone;
use std::collections::BTreeMap;

/// Horizons and seasons before the first cutoff, and the fewest and most values, where no number is asked for.
const HORIZONS: usize = 3;
const SEASONS: usize = 3;
const VALUES: std::ops::RangeInclusive<usize> = 24..=1000;

/// The data that was forecast.
pub(super) struct History {
    /// Zone of the source.
    pub zone: TimeZone,
    /// Name of the target column; empty where there are several.
    pub target: String,
    /// What was read.
    pub files: Vec<String>,
    all: Vec<Series>,
    /// Series that were left out, with the reasons.
    left_out: Vec<(String, Vec<String>)>,
}

/// Reads the history, if there is any.
pub(super) fn read(args: &HistoryArgs) -> Result<Option<History>, CliError> {
    if !args.is_given() {
        return Ok(None);
    }
    let mut settings = launch::settings(args.config.as_deref())?;
    args.apply(&mut settings);
    let launch = config::source(&settings)?;
    launch::limit_threads(launch.threads);
    launch::end_tidily();
    let mut source = launch.source.at(clock::now());
    // Series that are not drawn may be as bad as they like.
    source.max_bad_series = BadSeriesLimit::All;
    let ingested = ingest::read(&source)?;
    let report = SourceReport::of(&ingested);
    let target = match report.roles.targets.as_slice() {
        [one] => one.clone(),
        _ => String::new(),
    };
    Ok(Some(History {
        zone: ingested.panel.zone.clone(),
        target,
        files: report.files,
        all: ingested.panel.series,
        left_out: report.quarantined,
    }))
}

impl History {
    /// A series.
    pub fn series(&self, unique_id: &str) -> Option<&Series> {
        self.all.iter().find(|series| series.unique_id == unique_id)
    }

    /// Whether a series is there, but cannot be used.
    pub fn rejects(&self, unique_id: &str) -> bool {
        self.left_out.iter().any(|(id, _)| id == unique_id)
    }

    /// Why there is no such series.
    pub fn lacks(&self, unique_id: &str) -> String {
        if let Some((_, reasons)) = self.left_out.iter().find(|(id, _)| id == unique_id) {
            return format!("the history of '{unique_id}' cannot be used: {}", reasons.join("; "));
        }
        let meant = nearest(unique_id, self.all.iter().map(|series| series.unique_id.as_str()));
        let meant = meant.map_or(String::new(), |meant| format!("; the nearest is '{meant}'"));
        format!("the history has no series '{unique_id}'{meant}")
    }
}

/// The newest values before the first cutoff, and all until the last step that is forecast; what came according to the file of
/// a backtest, where the history does not say.
pub(super) fn around(
    known: Option<&Series>,
    fans: &[Came],
    frequency: Option<Frequency>,
    last: Option<usize>,
) -> Vec<(i64, f64)> {
    let mut values: BTreeMap<i64, f64> = BTreeMap::new();
    for (fan, came) in fans {
        values.extend(fan.times.iter().copied().zip(came.iter().copied()));
    }
    let end = fans.iter().filter_map(|(fan, _)| fan.times.last()).max().copied().unwrap_or(i64::MAX);
    if let Some(series) = known {
        let actual = (0..series.times.len()).map(|step| (series.times[step], series.actual(step)));
        values.extend(actual.take_while(|(time, _)| *time <= end));
    }
    let horizon = fans.iter().map(|(fan, _)| fan.times.len()).max().unwrap_or(0);
    let season = frequency.and_then(|step| step.season_lengths().first().copied()).unwrap_or(0);
    let usual = (HORIZONS * horizon).max(SEASONS * season).clamp(*VALUES.start(), *VALUES.end());
    let cutoff = fans.iter().map(|(fan, _)| fan.cutoff).min().unwrap_or(i64::MAX);
    let before = values.range(..=cutoff).count();
    let skipped = before.saturating_sub(last.unwrap_or(usual));
    values.into_iter().skip(skipped).collect()
}
