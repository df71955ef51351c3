//! Columns of the calendar for the series of a panel: covariates that are known in advance.
//!
//! Series of one step share a calendar from the first of their times to the last, and beyond it as far as forecasts go; one
//! whose times are not on that grid has its own.

use super::inputs::within;
use super::objects::Objects;
use super::sketch::Spans;
use super::spec::{IngestError, IngestErrorKind};
use crate::calendar::{self, CalendarError, CalendarSpec, Event, Feature, HolidaySpec, event_csv, ical};
use crate::series::civil::{DAY, LocalClock};
use crate::series::covariate::{Covariate, Known, Row, Values};
use crate::series::{Frequency, Panel, Series};
use crate::store;
use jiff::tz::TimeZone;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the models are told of the calendar.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AlmanacSpec {
    /// Whether the cycles that the step and the length of the history allow are among the features.
    pub is_auto: bool,
    /// Cycles of the wall clock.
    pub features: Vec<Feature>,
    /// Public holidays.
    pub holidays: Vec<HolidaySpec>,
    /// Files of events, by path or address: iCal (`.ics`), or CSV with columns `ds` and `event`.
    pub events: Vec<PathBuf>,
    /// Days before and after an event that have columns of their own, beside those that a CSV file gives itself.
    pub window: (u32, u32),
    /// Steps past the end of a series that forecasts reach.
    pub ahead: usize,
    /// Whether `is_auto` takes all cycles that the step allows, however long the history is: for parts of a panel, of which
    /// none knows how long the history of all is.
    pub is_part: bool,
}

impl AlmanacSpec {
    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        !self.is_auto && self.features.is_empty() && self.holidays.is_empty() && self.events.is_empty()
    }
}

/// Adds the columns to every series of the panel; `spans` say how far the series go of which the panel holds some. Files of events
/// that are named by address are copied.
pub(super) fn add(
    panel: &mut Panel,
    spec: &AlmanacSpec,
    objects: &Objects,
    spans: Option<&Spans>,
) -> Result<(), IngestError> {
    if spec.is_empty() || panel.series.is_empty() {
        return Ok(());
    }
    let zone = panel.zone.clone();
    let mut groups: BTreeMap<String, (Frequency, Vec<usize>)> = BTreeMap::new();
    for (index, series) in panel.series.iter().enumerate() {
        let group = groups.entry(series.frequency.to_string());
        group.or_insert_with(|| (series.frequency, Vec::new())).1.push(index);
    }
    let events = events(panel, spec, objects)?;
    let known = panel.covariates.len();
    let mut names: Vec<String> = Vec::new();
    let mut rows: Vec<BTreeMap<usize, Row>> = vec![BTreeMap::new(); panel.series.len()];
    for (frequency, members) in groups.into_values() {
        let series: Vec<&Series> = members.iter().map(|&index| &panel.series[index]).collect();
        let span = spans.and_then(|spans| spans.of(frequency)).unwrap_or_else(|| span(&series));
        let mut shared = Shared::new(span, frequency, &zone, spec, &events)?;
        let places: Vec<usize> = shared.names.iter().map(|name| place_of(&mut names, name)).collect();
        for (&index, series) in members.iter().zip(series) {
            let of_series = shared.rows(series, &zone, spec.ahead)?;
            rows[index].extend(places.iter().copied().zip(of_series));
        }
    }
    for (series, mut rows) in panel.series.iter_mut().zip(rows) {
        let row = |place| rows.remove(&place).unwrap_or_else(|| Row::new(Known::Future, Vec::new()));
        series.covariates.extend((0..names.len()).map(row));
    }
    debug_assert!(panel.series.iter().all(|series| series.covariates.len() == known + names.len()));
    let covariate = |name| Covariate { name, known: Known::Future, values: Values::Real };
    panel.covariates.extend(names.into_iter().map(covariate));
    Ok(())
}

/// Index of a name among those so far; a new one is added.
fn place_of(names: &mut Vec<String>, name: &str) -> usize {
    names.iter().position(|known| known == name).unwrap_or_else(|| {
        names.push(name.to_owned());
        names.len() - 1
    })
}

/// The first and the last time of some series.
fn span(series: &[&Series]) -> (i64, i64) {
    let first = series.iter().filter_map(|one| one.times.first()).min().copied().unwrap_or(0);
    let last = series.iter().filter_map(|one| one.times.last()).max().copied().unwrap_or(0);
    (first, last)
}

/// Values of a column, at all times of a calendar.
type Column = Arc<[f64]>;

/// The calendar of all series of one step.
struct Shared {
    spec: CalendarSpec,
    frequency: Frequency,
    names: Vec<String>,
    times: Vec<i64>,
    columns: Vec<Column>,
}

impl Shared {
    fn new(
        (first, last): (i64, i64),
        frequency: Frequency,
        zone: &TimeZone,
        spec: &AlmanacSpec,
        events: &[Event],
    ) -> Result<Shared, IngestError> {
        let mut times = frequency.grid(first, last, zone);
        let end = times.last().copied().unwrap_or(first);
        times.extend(frequency.after(end, spec.ahead, zone));
        let mut features = spec.features.clone();
        if spec.is_auto {
            let span = if spec.is_part { i64::MAX } else { last.saturating_sub(first) };
            features.extend(Feature::auto(frequency, span));
        }
        let spec = CalendarSpec { features, holidays: spec.holidays.clone(), events: events.to_vec() };
        let (names, columns) = columns(&spec, frequency, zone, &times)?;
        Ok(Shared { spec, frequency, names, times, columns })
    }

    /// Those of one series, as far as it and what follows it go.
    fn rows(&mut self, series: &Series, zone: &TimeZone, ahead: usize) -> Result<Vec<Row>, IngestError> {
        let steps = series.times.len();
        let start = series.times.first().and_then(|first| self.times.binary_search(first).ok());
        let is_on_grid = |start: &usize| self.times.get(*start..start + steps) == Some(&series.times[..]);
        if let Some(start) = start.filter(is_on_grid) {
            let end = (start + steps + ahead).min(self.times.len());
            let row = |column| Row::shared(Known::Future, column, start..end);
            return Ok(self.columns.iter().map(row).collect());
        }
        let mut times = series.times.clone();
        times.extend(series.cutoff().into_iter().flat_map(|end| self.frequency.after(end, ahead, zone)));
        let (_, columns) = columns(&self.spec, self.frequency, zone, &times)?;
        Ok(columns.iter().map(|column| Row::shared(Known::Future, column, 0..column.len())).collect())
    }
}

/// Names and values of the columns at some times.
fn columns(
    spec: &CalendarSpec,
    frequency: Frequency,
    zone: &TimeZone,
    times: &[i64],
) -> Result<(Vec<String>, Vec<Column>), IngestError> {
    let columns = calendar::columns(spec, zone, frequency, times).map_err(|error| refused(&error))?;
    let values = columns.values.columns().into_iter();
    let values = values.map(|column| column.iter().map(|value| f64::from(*value)).collect()).collect();
    Ok((columns.names, values))
}

/// The events of all files in the days of the panel and of what is forecast.
fn events(panel: &Panel, spec: &AlmanacSpec, objects: &Objects) -> Result<Vec<Event>, IngestError> {
    if spec.events.is_empty() {
        return Ok(Vec::new());
    }
    let ends = |series: &Series| {
        let last = series.frequency.after(series.cutoff()?, spec.ahead, &panel.zone).last().copied();
        Some((*series.times.first()?, last.or(series.cutoff())?))
    };
    let (first, last) = panel
        .series
        .iter()
        .filter_map(ends)
        .fold((i64::MAX, i64::MIN), |(low, high), (first, last)| (low.min(first), high.max(last)));
    let clock = LocalClock::new(&panel.zone, first, last);
    let day = |instant: i64| clock.civil(instant).div_euclid(DAY);
    let (mut events, mut problems) = (Vec::new(), Vec::new());
    let fence = store::fence();
    within("events", spec.events.iter().filter_map(|named| fence.input(&named.to_string_lossy()).err()))?;
    for named in &spec.events {
        let path = objects.local(named)?;
        match events_of(named, &path, day(first), day(last)) {
            Ok(more) => events.extend(more),
            Err(problem) => problems.push(problem),
        }
    }
    let (before, after) = spec.window;
    if problems.is_empty() && (before, after) != (0, 0) {
        let widened: Result<Vec<Event>, _> =
            events.into_iter().map(|event: Event| event.with_window(before, after)).collect();
        return widened.map_err(|error| refused(&error));
    }
    if problems.is_empty() { Ok(events) } else { Err(IngestError::new(IngestErrorKind::Data, problems)) }
}

fn events_of(named: &Path, path: &Path, first: i64, last: i64) -> Result<Vec<Event>, String> {
    let at = named.display();
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("events {at} cannot be read: {error}"))?;
    let is_ical = named.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("ics"));
    let events = if is_ical { ical::parse(&text, first, last) } else { event_csv::parse(&text) };
    events.map_err(|error| format!("events {at}: {error}"))
}

fn refused(error: &CalendarError) -> IngestError {
    IngestError::new(IngestErrorKind::Usage, vec![error.to_string()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::civil::HOUR;

    const DAYS: i64 = 30;

    fn daily(unique_id: &str, first: i64, days: i64) -> Series {
        let times: Vec<i64> = (first..first + days).map(|day| day * DAY).collect();
        Series {
            unique_id: unique_id.into(),
            keys: vec![],
            frequency: Frequency::Days { days: 1 },
            values: vec![1.0; times.len()],
            times,
            covariates: Vec::new(),
            observations: None,
            filled: Vec::new(),
        }
    }

    fn panel(series: Vec<Series>) -> Panel {
        Panel {
            id_columns: vec![],
            covariates: Vec::new(),
            series,
            zone: TimeZone::UTC,
            marks: Default::default(),
        }
    }

    #[test]
    fn series_of_one_grid_share_a_calendar_that_goes_on_past_their_ends() {
        let spec = AlmanacSpec { is_auto: true, ahead: 7, ..AlmanacSpec::default() };
        let mut panel = panel(vec![daily("a", 0, DAYS), daily("b", 3, DAYS - 5)]);
        add(&mut panel, &spec, &Objects::default(), None).expect("a calendar");
        assert_eq!(panel.covariates.len(), 6, "three harmonics of the week: {:?}", panel.covariates);
        let [a, b] = [0, 1].map(|series: usize| &panel.series[series].covariates[0]);
        assert_eq!((a.values().len(), b.values().len()), (DAYS as usize + 7, DAYS as usize - 5 + 7));
        assert_eq!(a.place().0, b.place().0, "one calendar");
        assert_eq!(a.at(3), b.at(0));
        assert!((a.at(30) - a.at(23)).abs() < 1e-6);
    }

    #[test]
    fn months_have_their_calendar_as_far_as_forecasts_go() {
        let quarters: Frequency = "QS".parse().expect("a step");
        let mut series = daily("a", 0, 1);
        series.frequency = quarters;
        series.times = quarters.grid(0, 20 * 365 * DAY, &TimeZone::UTC);
        series.values = vec![1.0; series.times.len()];
        let steps = series.times.len();
        let spec = AlmanacSpec { is_auto: true, ahead: 4, ..AlmanacSpec::default() };
        let mut panel = panel(vec![series]);
        add(&mut panel, &spec, &Objects::default(), None).expect("a calendar");
        let rows = &panel.series[0].covariates;
        assert!(!rows.is_empty() && rows.iter().all(|row| row.values().len() == steps + 4));
    }

    #[test]
    fn holidays_and_events_of_two_steps_stand_side_by_side() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("own.csv");
        std::fs::write(&path, "ds,event\n1970-01-05,fair\n1970-01-19,fair\n").expect("written");
        let country = "US".parse().expect("known");
        let holiday = HolidaySpec { country, before: 0, after: 0, by_name: false };
        // Holidays are known from 1992 on.
        let mut far = daily("a", 0, DAYS);
        far.times.iter_mut().for_each(|time| *time += 365 * 40 * DAY);
        let spec = AlmanacSpec { holidays: vec![holiday], ahead: 1, ..AlmanacSpec::default() };
        let mut holidays = panel(vec![far]);
        add(&mut holidays, &spec, &Objects::default(), None).expect("known years");
        assert_eq!(holidays.covariates[0].name, "holiday_us");
        let spec = AlmanacSpec { events: vec![path], ahead: 1, ..AlmanacSpec::default() };
        let mut hourly = daily("b", 0, DAYS);
        hourly.frequency = Frequency::Fixed { micros: HOUR };
        hourly.times = (0..DAYS).map(|hour| (96 + hour) * HOUR).collect();
        let mut both = panel(vec![daily("a", 0, DAYS), hourly]);
        add(&mut both, &spec, &Objects::default(), None).expect("events");
        let sums: Vec<f64> = both.series.iter().map(|one| one.covariates[0].values().iter().sum()).collect();
        assert_eq!(sums, [2.0, 24.0], "two days of thirty; all of the 5th by the hour");
        let spec = AlmanacSpec { events: vec![folder.path().join("none.ics")], ..AlmanacSpec::default() };
        let error = add(&mut both, &spec, &Objects::default(), None).expect_err("no such file");
        assert!(error.to_string().contains("none.ics"), "{error}");
    }
}
