//! The time column of one chunk: raw times, and what is wrong with the cells that have none.

use super::iso::Iso;
use super::rows::DESCRIBED;
use super::source::ColumnOf;
use super::timeline::{NO_TIME, Timeline, Unfit};
use super::value;
use crate::series::civil::DAY;
use polars::prelude::{DataType, Series, TimeUnit};

/// Raw times of one chunk.
pub(super) struct TimeColumn<'a> {
    timeline: &'a mut Timeline,
    name: &'a str,
    place: &'a dyn Fn(usize) -> String,
    /// One per row, see [`Timeline`]; [`NO_TIME`] where a cell has none.
    pub(super) times: Vec<i64>,
    /// Row, remedy and problem of each cell that has none; past a number of them, the problem is empty.
    pub(super) bad: Vec<(usize, &'static str, String)>,
}

impl<'a> TimeColumn<'a> {
    /// Reads a column; `place` tells where a row stands.
    pub(super) fn read(
        column: ColumnOf<'_>,
        name: &'a str,
        timeline: &'a mut Timeline,
        place: &'a dyn Fn(usize) -> String,
    ) -> TimeColumn<'a> {
        let mut read = TimeColumn { timeline, name, place, times: Vec::new(), bad: Vec::new() };
        match column {
            ColumnOf::Text(column) => read.texts(column.iter().map(Some)),
            ColumnOf::Typed(series) => match series.str() {
                Ok(texts) => read.texts(texts.iter()),
                Err(_) => {
                    if !read.all_at_once(series) {
                        read.numbers(series);
                    }
                }
            },
        }
        read
    }

    fn texts<'b>(&mut self, cells: impl Iterator<Item = Option<&'b str>>) {
        let mut iso = Iso::new();
        self.times.reserve(cells.size_hint().0);
        for (at, cell) in cells.enumerate() {
            let usual = cell.and_then(|cell| iso.read(cell)).filter(|&micros| self.timeline.goes_on(micros));
            if let Some(micros) = usual {
                self.times.push(micros);
                continue;
            }
            let place = || (self.place)(at);
            let known = cell.filter(|cell| !value::is_missing(cell));
            let read = known.map(|cell| self.timeline.text(cell, place));
            self.keep(at, || cell.unwrap_or_default().to_owned(), read);
        }
    }

    /// Reads a column of timestamps without a zone that all are there and fit; otherwise nothing is done.
    fn all_at_once(&mut self, series: &Series) -> bool {
        let DataType::Datetime(unit, None) = series.dtype() else { return false };
        let physical = series.to_physical_repr();
        let Ok(numbers) = physical.i64() else { return false };
        if numbers.null_count() > 0 || numbers.is_empty() {
            return false;
        }
        let mut times = Vec::with_capacity(numbers.len());
        for array in numbers.downcast_iter() {
            match unit {
                TimeUnit::Microseconds => times.extend_from_slice(array.values()),
                _ => times.extend(array.values().iter().map(|&number| micros(number, *unit))),
            }
        }
        let place = self.place;
        let (first, last) =
            times.iter().fold((i64::MAX, i64::MIN), |(low, high), &time| (low.min(time), high.max(time)));
        let fits = Timeline::is_calendar(first)
            && Timeline::is_calendar(last)
            && self.timeline.local(times[0], || example(place(0))).is_ok();
        if fits {
            self.times = times;
        }
        fits
    }

    fn numbers(&mut self, series: &Series) {
        let numbers = integers(series);
        self.times.reserve(series.len());
        for at in 0..series.len() {
            let number = numbers.as_ref().and_then(|numbers| numbers.get(at).copied().flatten());
            let shown = || match number {
                Some(NO_TIME) => "a number with a fraction".to_owned(),
                number => number.map(|number| number.to_string()).unwrap_or_default(),
            };
            let place = self.place;
            let example = || example(place(at));
            let read = number.map(|number| match series.dtype() {
                DataType::Date => self.timeline.local(number.saturating_mul(DAY), example),
                DataType::Datetime(unit, None) => self.timeline.local(micros(number, *unit), example),
                DataType::Datetime(unit, Some(_)) => self.timeline.instant(micros(number, *unit), example),
                _ => self.timeline.integer(number, || place(at)),
            });
            self.keep(at, shown, read);
        }
    }

    /// Adds a time, or what is wrong with its cell.
    fn keep(&mut self, at: usize, shown: impl Fn() -> String, read: Option<Result<i64, Unfit>>) {
        let (problem, remedy) = match read {
            Some(Ok(raw)) => return self.times.push(raw),
            Some(Err(unfit)) => (format!("'{}' {}", shown(), unfit.what), unfit.remedy),
            None => ("the time is empty".to_owned(), "fill it in or remove the row"),
        };
        self.times.push(NO_TIME);
        let text = if self.bad.len() < DESCRIBED {
            format!("{}: column {}: {problem}", (self.place)(at), self.name)
        } else {
            String::new()
        };
        self.bad.push((at, remedy, text));
    }
}

/// A time of a typed column as messages about other times name it.
fn example(place: String) -> String {
    format!("the time in {place}")
}

fn micros(number: i64, unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Nanoseconds => number.div_euclid(1000),
        TimeUnit::Microseconds => number,
        TimeUnit::Milliseconds => number.saturating_mul(1000),
    }
}

/// The physical integers of a column; floats count where they are whole.
fn integers(series: &Series) -> Option<Vec<Option<i64>>> {
    if series.dtype().is_float() {
        let numbers = series.cast(&DataType::Float64).ok()?;
        // Frames write whole times as floats next to missing ones; a fraction would not survive, so it is refused.
        let whole =
            |value: f64| if value.fract() == 0.0 && value.abs() < 9.0e18 { value as i64 } else { NO_TIME };
        let numbers = numbers.f64().ok()?.iter();
        return Some(numbers.map(|value| value.filter(|value| !value.is_nan()).map(whole)).collect());
    }
    let numbers = series.to_physical_repr().cast(&DataType::Int64).ok()?;
    Some(numbers.i64().ok()?.iter().collect())
}
