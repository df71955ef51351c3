//! Series that are not kept: those of other shards, as far as they decide how the series of this one are read.
//!
//! A series is forecast as part of its source: short ones take the step of most others, one that ended long before the others
//! is stale, the calendar reaches from the first of all times to the last, and too many bad series end the job. So that a shard
//! forecasts its series to the last bit as the whole would, it follows the times of the others, and which of their values are
//! there. Times and row numbers mostly go on in even steps, and values are mostly there: of a regular series a few
//! numbers are kept.

use super::assemble::complete;
use super::complete::Gate;
use super::draft::{self, Draft};
use super::grid;
use super::raw_series::{RawSeries, RowIds};
use super::spec::{SourceSpec, SpikeAction, SuspectAction};
use crate::series::{Ends, Frequency, Shard};
use std::collections::BTreeMap;

/// Which series are kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    /// Those of this shard.
    pub(super) shard: Shard,
    /// What is kept of the others: nothing, or a sketch with their values as they are, or with no more than which are there.
    pub(super) others: Option<Detail>,
}

/// How much of its values a sketch keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    /// Whether there is one, and whether it is finite.
    Presence,
    /// The values.
    Values,
}

impl Share {
    /// That of a source; `None` where all series are kept.
    pub(super) fn of(spec: &SourceSpec) -> Option<Share> {
        let shard = spec.shard.filter(|shard| !shard.is_whole())?;
        let detail = if judges_values(spec) { Detail::Values } else { Detail::Presence };
        Some(Share { shard, others: spec.heeds_others.then_some(detail) })
    }

    /// The same, where values tell more than whether they are there.
    pub(super) fn with_values(self) -> Share {
        Share { others: self.others.map(|_| Detail::Values), ..self }
    }
}

/// Whether values decide which series are left out, or where one ends.
fn judges_values(spec: &SourceSpec) -> bool {
    let leaves_out = |action: SuspectAction| action == SuspectAction::Quarantine;
    spec.flat.is_some_and(|flat| leaves_out(flat.action))
        || spec.level_shift.is_some_and(|shift| leaves_out(shift.action))
        || spec.spikes.is_some_and(|spikes| match spikes.action {
            SpikeAction::Suspect(action) => leaves_out(action),
            SpikeAction::Mask => true,
        })
}

/// The rows of a series that is not kept, in input order.
#[derive(Clone, Debug, Default)]
pub(super) struct Sketch {
    times: Runs,
    rows: Runs,
    /// Bits of a value, and how many neighbours have them.
    values: Vec<(u64, u32)>,
    /// See [`RawSeries::faults`].
    pub(super) faults: Vec<u32>,
}

impl Sketch {
    /// Adds neighbouring rows, of which the first is `row`.
    pub(super) fn push(&mut self, row: u32, times: &[i64], values: &[f64], detail: Detail) {
        times.iter().for_each(|time| self.times.push(*time));
        (i64::from(row)..).take(times.len()).for_each(|row| self.rows.push(row));
        for value in values {
            let bits = match detail {
                Detail::Values => *value,
                Detail::Presence if value.is_finite() => 1.0,
                Detail::Presence => *value,
            };
            let bits = if bits.is_nan() { f64::NAN.to_bits() } else { bits.to_bits() };
            match self.values.last_mut() {
                Some((known, count)) if *known == bits && *count < u32::MAX => *count += 1,
                _ => self.values.push((bits, 1)),
            }
        }
    }

    /// The rows as if they had been kept, but for values of which only the presence was.
    pub(super) fn rows(&self) -> RawSeries {
        let values = self.values.iter();
        RawSeries {
            times: self.times.iter().collect(),
            values: values.flat_map(|(bits, count)| (0..*count).map(|_| f64::from_bits(*bits))).collect(),
            rows: RowIds::Listed(
                self.rows.iter().map(|row| u32::try_from(row).unwrap_or(u32::MAX)).collect(),
            ),
            faults: self.faults.clone(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty() && self.faults.is_empty()
    }
}

/// Numbers that mostly go on in even steps: start, step, count.
#[derive(Clone, Debug, Default)]
struct Runs(Vec<(i64, i64, u32)>);

impl Runs {
    fn push(&mut self, number: i64) {
        match self.0.last_mut() {
            Some((start, step, count @ 1)) => (*step, *count) = (number.wrapping_sub(*start), 2),
            Some((start, step, count)) if at(*start, *step, *count) == number && *count < u32::MAX => {
                *count += 1;
            }
            _ => self.0.push((number, 0, 1)),
        }
    }

    fn iter(&self) -> impl Iterator<Item = i64> {
        self.0.iter().flat_map(|&(start, step, count)| (0..count).map(move |place| at(start, step, place)))
    }
}

fn at(start: i64, step: i64, place: u32) -> i64 {
    start.wrapping_add(step.wrapping_mul(i64::from(place)))
}

/// What a usable series of another shard is to those of this one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outline {
    pub(super) frequency: Frequency,
    pub(super) first: i64,
    pub(super) cutoff: i64,
}

/// A series of another shard; without an outline it cannot be used.
#[derive(Clone, Copy, Debug)]
pub(super) struct Other {
    pub(super) code: u32,
    pub(super) outline: Option<Outline>,
}

/// The number of stamps and the step of a series, for [`grid::majority`].
pub(super) fn stamps(
    (code, sketch): (u32, &Sketch),
    limit: Option<i64>,
    context: &draft::Context<'_>,
) -> (usize, Option<Frequency>) {
    let draft = Draft::new(code, sketch.rows(), limit, context);
    (draft.times.len(), draft.frequency)
}

/// What a series of another shard is; `None` where it does not exist yet at the as-of time.
pub(super) fn other(
    (code, sketch): (u32, &Sketch),
    limit: Option<i64>,
    gate: Option<Gate>,
    context: &draft::Context<'_>,
    grid: &grid::Context<'_>,
) -> Option<Other> {
    let mut draft = Draft::new(code, sketch.rows(), limit, context);
    if let Some(gate) = gate {
        complete(&mut draft, gate, grid, |code, limit| Draft::new(code, sketch.rows(), limit, context));
    }
    if draft.rows_read == 0 && limit.is_some() {
        return None;
    }
    let series = grid::place(draft, grid).series;
    let outline = series.and_then(|series| {
        let (first, cutoff) = (series.times.first().copied()?, series.cutoff()?);
        Some(Outline { frequency: series.frequency, first, cutoff })
    });
    Some(Other { code, outline })
}

/// From when to when the usable series of a source go, those of all shards, by their frequency.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spans(BTreeMap<String, (i64, i64)>);

impl Spans {
    /// Adds a series from its first time to its last, microseconds UTC.
    pub fn add(&mut self, frequency: Frequency, first: i64, last: i64) {
        let span = self.0.entry(frequency.to_string()).or_insert((first, last));
        *span = (span.0.min(first), span.1.max(last));
    }

    /// The first and the last time of all series of a frequency, microseconds UTC.
    pub fn of(&self, frequency: Frequency) -> Option<(i64, i64)> {
        self.0.get(&frequency.to_string()).copied()
    }

    /// Where all series end.
    pub fn ends(&self) -> Ends {
        self.0.iter().map(|(frequency, (_, last))| (frequency.clone(), *last)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value() -> impl Strategy<Value = f64> {
        prop_oneof![4 => -9.0..9.0_f64, 1 => Just(f64::NAN), 1 => Just(f64::INFINITY)]
    }

    proptest! {
        #[test]
        fn rows_come_back_as_they_were_kept(
            pieces in prop::collection::vec((0_u32..3, prop::collection::vec((-3_i64..40, value()), 1..6)), 0..6),
            exact in any::<bool>(),
        ) {
            let (mut raw, mut sketch, mut row) = (RawSeries::default(), Sketch::default(), 0);
            let detail = if exact { Detail::Values } else { Detail::Presence };
            for (gap, rows) in pieces {
                let (times, values): (Vec<i64>, Vec<f64>) = rows.into_iter().unzip();
                let times: Vec<i64> = times.iter().map(|time| if *time < 0 { i64::MIN } else { time * 7 }).collect();
                row += gap;
                raw.push(row, &times, &values);
                sketch.push(row, &times, &values, detail);
                row += times.len() as u32;
            }
            let back = sketch.rows();
            prop_assert_eq!(&back.times, &raw.times);
            prop_assert!((0..raw.rows.len()).all(|place| back.rows.at(place) == raw.rows.at(place)));
            for (kept, given) in back.values.iter().zip(&raw.values) {
                prop_assert_eq!(kept.is_nan(), given.is_nan());
                prop_assert_eq!(kept.is_infinite(), given.is_infinite());
                prop_assert!(!exact || given.is_nan() || kept == given);
            }
            prop_assert_eq!(back.values.len(), raw.values.len());
        }
    }

    #[test]
    fn a_regular_series_is_a_few_numbers_however_long_it_is() {
        let mut sketch = Sketch::default();
        for step in 0..10_000_i64 {
            // Rows of a hundred series, hour by hour.
            sketch.push(100 * step as u32, &[step * 3600], &[step as f64], Detail::Presence);
        }
        assert_eq!((sketch.times.0.len(), sketch.rows.0.len(), sketch.values.len()), (1, 1, 1));
    }

    #[test]
    fn spans_are_those_of_all_series_of_a_step() {
        let mut spans = Spans::default();
        let day = Frequency::Days { days: 1 };
        spans.add(day, 5, 9);
        spans.add(day, 3, 7);
        spans.add(Frequency::BusinessDays, 1, 2);
        assert_eq!((spans.of(day), spans.of(Frequency::BusinessDays)), (Some((3, 9)), Some((1, 2))));
        assert_eq!(spans.of(Frequency::Days { days: 7 }), None);
    }
}
