//! What the calendar knows of an instant: cycles, public holidays, events of one's own.
//!
//! ```text
//! names ─▶ feature: cycles as sine and cosine ──────────────────────────┐
//! code ──▶ holiday: rules of a country ─▶ days of a span of years ──────┤
//! .ics ──▶ ical: content_line, vevent, recur ─────┐                     ├─▶ columns ─▶ names (K), values (T, K)
//! .csv ──▶ event_csv ─────────────────────────────┴▶ event: named spans ┘      ▲
//! zone, frequency, times (T) ─▶ indicator, tracks: what of each step they cover
//! ```
//!
//! Days and hours are read off the wall clock of the source's zone, so that 08:00 is the same hour before and after a clock
//! change, and one day in spring has 23 of them. No IO and no clock: texts come in as text, and what a file says is expanded
//! for a given span of days. All faults of a file are told at once, with line and remedy; no text can make it panic, run
//! without end or take memory without bound.
//!
//! Names of columns are public: `hour_sin_1`, `holiday_de`, `holiday_de_before_1`, `holiday_de_christmas_day`, `event_sale`,
//! `event_sale_after_2`. They depend on the spec and the step alone, not on the times: an event that does not take place in the
//! span has a column of zeros, and what took place less than twice in training is named by [`Columns::rare`], since one
//! occurrence cannot be told from chance.

pub mod error;
pub mod event;
pub mod event_csv;
pub mod feature;
pub mod holiday;
pub mod ical;
mod content_line;
mod indicator;
mod moment;
mod recur;
mod tracks;
mod vevent;

pub use error::{CalendarError, Fault, Faults};
pub use event::{Event, Occurrence, Span, WINDOW_MAX};
pub use feature::Feature;
pub use holiday::{Country, Holiday};

use crate::series::Frequency;
use crate::series::civil::{DAY, LocalClock};
use indicator::Period;
use jiff::tz::TimeZone;
use ndarray::Array2;

/// Most columns that a calendar may have.
pub const COLUMNS_MAX: usize = 1000;

/// Holidays of one country as columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HolidaySpec {
    /// Whose holidays.
    pub country: Country,
    /// Days before a holiday that have a column of their own.
    pub before: u32,
    /// Days after it.
    pub after: u32,
    /// One column for every name instead of one for all. Needs many years: most holidays come once in each.
    pub by_name: bool,
}

/// What to know of every instant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CalendarSpec {
    /// Cycles.
    pub features: Vec<Feature>,
    /// Public holidays.
    pub holidays: Vec<HolidaySpec>,
    /// Events of one's own.
    pub events: Vec<Event>,
}

/// Calendar columns at T instants.
#[derive(Clone, Debug, PartialEq)]
pub struct Columns {
    /// Name of each column, unique (K): features first, then holidays and events.
    pub names: Vec<String>,
    /// (T, K). Features lie in [-1, 1]; holidays and events are the share of a step below a day that they cover, and the number
    /// of days of a longer one.
    pub values: Array2<f32>,
    /// Index of the first column of a holiday or event.
    pub indicators: usize,
}

impl Columns {
    /// Holidays and events that took place less than twice in the first `rows` rows: name of the column and how often. Their
    /// columns are there all the same.
    pub fn rare(&self, rows: usize) -> Vec<(&str, usize)> {
        let rows = rows.min(self.values.nrows());
        let times = |column: usize| {
            let mut before = 0.0;
            let starts = self.values.column(column).into_iter().take(rows).filter(|&&value| {
                let starts = value > 0.0 && before == 0.0;
                before = value;
                starts
            });
            starts.count()
        };
        let counted =
            (self.indicators..self.names.len()).map(|column| (self.names[column].as_str(), times(column)));
        counted.filter(|&(_, times)| times < 2).collect()
    }
}

/// Names of the columns of a spec on a grid of that step, in the order of [`columns`].
///
/// # Errors
/// As [`columns`], but for years.
pub fn column_names(spec: &CalendarSpec, frequency: Frequency) -> Result<Vec<String>, CalendarError> {
    let mut names = feature_names(spec, frequency)?;
    let nowhere = LocalClock::new(&TimeZone::UTC, 0, 0);
    names.extend(tracks::all(spec, frequency, &[], &nowhere)?.into_iter().map(|(name, _)| name));
    Ok(names)
}

/// The calendar at `times` (T, microseconds UTC), each the start of a step of `frequency` in `zone`.
///
/// # Errors
/// Where a feature is finer than the step, the holidays of a year are not known, or there are too many columns.
pub fn columns(
    spec: &CalendarSpec,
    zone: &TimeZone,
    frequency: Frequency,
    times: &[i64],
) -> Result<Columns, CalendarError> {
    let names_of_features = feature_names(spec, frequency)?;
    let first = times.iter().min().copied().unwrap_or(0);
    let last = times.iter().max().copied().unwrap_or(0);
    let margin = i64::from(WINDOW_MAX) * DAY;
    let clock = LocalClock::new(zone, first.saturating_sub(margin), last.saturating_add(margin));
    let periods: Vec<Period> = times.iter().map(|&stamp| Period::of(stamp, frequency, &clock)).collect();
    let tracks = tracks::all(spec, frequency, &periods, &clock)?;

    let indicators = names_of_features.len();
    let mut values = Array2::zeros((times.len(), indicators + tracks.len()));
    for (mut row, &stamp) in values.outer_iter_mut().zip(times) {
        let wall = match frequency {
            Frequency::Fixed { .. } => clock.local(stamp),
            _ => clock.civil(stamp),
        };
        let cycles = distinct(&spec.features).flat_map(|feature| feature.values(frequency, wall));
        row.iter_mut().zip(cycles).for_each(|(value, cycle)| *value = cycle);
    }
    for (column, (_, track)) in tracks.iter().enumerate() {
        let into = values.column_mut(indicators + column);
        into.into_iter().zip(track.covered(&periods)).for_each(|(value, covered)| *value = covered);
    }
    let names = names_of_features.into_iter().chain(tracks.into_iter().map(|(name, _)| name)).collect();
    Ok(Columns { names, values, indicators })
}

/// Features in their order, each once.
fn distinct(features: &[Feature]) -> impl Iterator<Item = Feature> {
    let is_first = |&(at, feature): &(usize, &Feature)| !features[..at].contains(feature);
    features.iter().enumerate().filter(is_first).map(|(_, &feature)| feature)
}

fn feature_names(spec: &CalendarSpec, frequency: Frequency) -> Result<Vec<String>, CalendarError> {
    let names = distinct(&spec.features).map(|feature| feature.columns(frequency));
    Ok(names.collect::<Result<Vec<_>, _>>()?.concat())
}

#[cfg(test)]
mod tests;
