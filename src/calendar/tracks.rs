//! The columns of holidays and events: a name, and the time that it covers.

use crate::calendar::event::{Axis, Span, check_window};
use crate::calendar::indicator::{Period, Track};
use crate::calendar::{COLUMNS_MAX, CalendarError, CalendarSpec, HolidaySpec, Occurrence};
use crate::series::Frequency;
use crate::series::civil::{DAY, LocalClock, date_from_days};
use std::collections::HashMap;

/// Every column of a spec, in its order; columns of one name are one. Holds what can meet one of the periods.
pub(super) fn all(
    spec: &CalendarSpec,
    frequency: Frequency,
    periods: &[Period],
    clock: &LocalClock,
) -> Result<Vec<(String, Track)>, CalendarError> {
    let first = periods.iter().map(|period| period.start).min();
    let last = periods.iter().map(|period| period.end).max();
    let axis = Axis::of(frequency);
    let mut tracks = Tracks { named: Vec::new(), index: HashMap::new(), reach: first.zip(last), axis, clock };
    for holidays in &spec.holidays {
        tracks.add_holidays(holidays)?;
    }
    for event in &spec.events {
        let name = format!("event_{}", event.name);
        let widest = |side: fn(&Occurrence) -> u32| event.occurrences.iter().map(side).max().unwrap_or(0);
        let own = tracks.declare(&name, widest(|one| one.before), widest(|one| one.after))?;
        for one in &event.occurrences {
            tracks.add(&own, *one);
        }
    }
    tracks.named.iter_mut().for_each(|(_, track)| track.close());
    Ok(tracks.named)
}

/// Columns in the order in which they were declared.
struct Tracks<'a> {
    named: Vec<(String, Track)>,
    index: HashMap<String, usize>,
    /// Start of the first period and end of the last.
    reach: Option<(i64, i64)>,
    axis: Axis,
    clock: &'a LocalClock,
}

/// Where the columns of a name are: (days away, index).
type Places = Vec<(i64, usize)>;

impl Tracks<'_> {
    fn add_holidays(&mut self, spec: &HolidaySpec) -> Result<(), CalendarError> {
        let base = format!("holiday_{}", spec.country.code().to_lowercase().replace('-', "_"));
        let mut places = HashMap::new();
        for name in spec.country.names() {
            let column = if spec.by_name { format!("{base}_{name}") } else { base.clone() };
            places.insert(name, self.declare(&column, spec.before, spec.after)?);
        }
        let Some((first, last)) = self.reach else { return Ok(()) };
        let year = |on_axis: i64| {
            let wall = if self.axis == Axis::Wall { on_axis } else { self.clock.local(on_axis) };
            date_from_days(wall.div_euclid(DAY)).0
        };
        let (first, last) = (year(first), year(last.saturating_sub(1)));
        spec.country.check(first, last)?;
        // Windows reach into the years beside, as far as those are known.
        let known = spec.country.years();
        for holiday in spec.country.holidays((first - 1).max(known.0), (last + 1).min(known.1))? {
            if let Some(own) = places.get(holiday.name) {
                let span = Span::days(holiday.day, holiday.day);
                self.add(own, Occurrence { span, before: spec.before, after: spec.after });
            }
        }
        Ok(())
    }

    /// Makes the columns of a name: itself, the days before it, the days after it.
    fn declare(&mut self, name: &str, before: u32, after: u32) -> Result<Places, CalendarError> {
        check_window(name, before.max(after))?;
        let around = (1..=i64::from(before)).map(|days| -days).chain(1..=i64::from(after));
        let mut places = Places::new();
        for days in std::iter::once(0).chain(around) {
            let column = match days {
                0 => name.to_string(),
                days if days < 0 => format!("{name}_before_{}", -days),
                days => format!("{name}_after_{days}"),
            };
            let next = self.named.len();
            let at = *self.index.entry(column.clone()).or_insert(next);
            if at == next {
                self.named.push((column, Track::default()));
            }
            places.push((days, at));
        }
        let columns = self.named.len();
        if columns > COLUMNS_MAX {
            return Err(CalendarError::TooManyColumns { columns, max: COLUMNS_MAX });
        }
        Ok(places)
    }

    /// Adds an occurrence to the columns of its name, as far as its own window goes.
    fn add(&mut self, places: &Places, one: Occurrence) {
        let Some((first, last)) = self.reach else { return };
        for &(days, at) in places {
            let (start, end) = one.span.on(self.axis, self.clock, days);
            let inside = -i64::from(one.before) <= days && days <= i64::from(one.after);
            if inside && start < last && end > first {
                self.named[at].1.add(start, end);
            }
        }
    }
}
