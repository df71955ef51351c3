//! What is known of the values of series, whole or as far as they are remembered.

use crate::model::memory::{Memory, Remembered};
use crate::series::{Frequency, Panel, Series};
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Values by series and time.
pub(super) struct Actuals<'a>(BTreeMap<&'a str, Known<'a>>);

/// What is known of one series.
pub(super) struct Known<'a> {
    pub(super) frequency: Frequency,
    times: Times<'a>,
    values: &'a [f64],
    /// Places of values that are guesses.
    filled: &'a [usize],
    /// Whether the series begins with them.
    is_whole: bool,
}

enum Times<'a> {
    Own(&'a [i64]),
    /// Series that begin and end alike have one grid.
    Shared(Arc<Vec<i64>>),
}

impl Times<'_> {
    fn as_slice(&self) -> &[i64] {
        match self {
            Times::Own(times) => times,
            Times::Shared(times) => times,
        }
    }
}

impl<'a> Actuals<'a> {
    /// Of whole series.
    pub(super) fn whole(panel: &'a Panel) -> Actuals<'a> {
        let known = |series: &'a Series| Known {
            frequency: series.frequency,
            times: Times::Own(&series.times),
            values: &series.values,
            filled: &series.filled,
            is_whole: true,
        };
        Actuals(panel.series.iter().map(|series| (series.unique_id.as_str(), known(series))).collect())
    }

    /// Of what is remembered.
    pub(super) fn remembered(memory: &'a Memory, zone: &TimeZone) -> Actuals<'a> {
        let mut grids: HashMap<(String, i64, i64), Arc<Vec<i64>>> = HashMap::new();
        let mut known = |one: &'a Remembered| {
            let Remembered { frequency, start, cutoff, .. } = *one;
            let grid = grids.entry((frequency.to_string(), start, cutoff));
            let grid = grid.or_insert_with(|| Arc::new(frequency.grid(start, cutoff, zone)));
            Known {
                frequency,
                times: Times::Shared(grid.clone()),
                values: &one.kept.tail,
                // Filled series are not remembered.
                filled: &[],
                is_whole: one.kept.sums.steps == one.kept.tail.len(),
            }
        };
        Actuals(memory.series.iter().map(|one| (one.unique_id.as_str(), known(one))).collect())
    }

    /// The series of that id.
    pub(super) fn series(&self, unique_id: &str) -> Option<&Known<'a>> {
        self.0.get(unique_id)
    }
}

impl Known<'_> {
    /// Whether the series begins after an instant; `None` if that is not known.
    pub(super) fn begins_after(&self, instant: i64) -> Option<bool> {
        match self.times.as_slice().first() {
            Some(first) if *first > instant => self.is_whole.then_some(true),
            Some(_) => Some(false),
            None => Some(true),
        }
    }

    /// The observed value at a time, if there is one.
    pub(super) fn at(&self, time: i64) -> Option<f64> {
        let times = self.times.as_slice();
        let place = times.binary_search(&time).ok()?;
        let is_guess = self.filled.binary_search(&place).is_ok();
        self.values.get(place).copied().filter(|value| !value.is_nan() && !is_guess)
    }

    /// Steps from the last value back to an instant.
    pub(super) fn steps_since(&self, instant: i64) -> usize {
        let steps =
            self.times.as_slice().last().map_or(0, |last| self.frequency.steps_between(instant, *last));
        usize::try_from(steps).unwrap_or(0)
    }
}
