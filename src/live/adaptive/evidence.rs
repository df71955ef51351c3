//! Past rows as scores: what the model had said before corrections, and where the outcome fell.

use std::collections::BTreeMap;

use crate::live::adaptive::correction::{Correction, median, width};
use crate::live::adaptive::{Row, Vintage};

/// Newest runs that count. An older one weighs less than 2 % of the newest.
const ISSUES_MAX: usize = 300;

/// Issues after which an outcome counts half. With 30 the 90 % intervals of 24 steps still hold 84 % a
/// hundred to two hundred issues after noise doubled, with 50 they hold 87 %, with 70 88 %, but then weekly
/// sales pay longer for a holiday: 81.9 % inside their 80 % interval, not 81.4.
const HALF_LIFE: f64 = 50.0;

/// Weight of an outcome `age` issues old.
pub(super) fn recency(age: usize) -> f64 {
    0.5_f64.powf(age as f64 / HALF_LIFE)
}

/// One outcome beside what the model had said of it.
pub(super) struct Outcome {
    /// Index into [`Evidence::series`].
    pub series: usize,
    /// Horizon band.
    pub band: usize,
    /// Runs issued since, from 0.
    pub age: usize,
    /// What it counts for, less the older it is.
    pub weight: f64,
    /// (y − m) / w.
    pub actual: f64,
}

/// Outcomes of all runs, oldest first.
pub(super) struct Evidence<'a> {
    /// Series, ascending.
    pub series: Vec<&'a str>,
    pub outcomes: Vec<Outcome>,
    /// (q − m) / w of every outcome (outcomes, Q), row after row.
    pub shapes: Vec<f64>,
    /// Consecutive forecasts that share outcomes: so many issues are worth one.
    pub overlap: f64,
}

/// The newest runs of the same levels, newest first, with their ages.
pub(super) fn newest<'v, 'a>(vintages: &'v [Vintage<'a>], levels: &[f64]) -> Vec<(usize, &'v Vintage<'a>)> {
    let mut chosen: Vec<&Vintage> = vintages
        .iter()
        .filter(|vintage| vintage.correction.is_valid() && vintage.correction.levels() == levels)
        .collect();
    chosen.sort_by_key(|vintage| std::cmp::Reverse(vintage.issued_at));
    let mut age = 0;
    let mut aged = Vec::with_capacity(chosen.len());
    for (index, vintage) in chosen.iter().enumerate() {
        age += usize::from(index > 0 && chosen[index - 1].issued_at != vintage.issued_at);
        if age < ISSUES_MAX {
            aged.push((age, *vintage));
        }
    }
    aged
}

/// Whether a row says anything about the levels.
pub(super) fn is_usable(row: &Row, levels: &[f64]) -> bool {
    row.actual.is_finite() && width(row.published, levels).is_some()
}

impl<'a> Evidence<'a> {
    /// Outcomes of these runs; `next` names the bands.
    pub fn of(
        newest: &[(usize, &Vintage<'a>)],
        levels: &[f64],
        next: &Correction,
        horizon: usize,
    ) -> Evidence<'a> {
        let rows =
            || newest.iter().flat_map(|(_, vintage)| &vintage.rows).filter(|row| is_usable(row, levels));
        let mut index: BTreeMap<&str, usize> = rows().map(|row| (row.unique_id, 0)).collect();
        index.values_mut().enumerate().for_each(|(rank, at)| *at = rank);
        let middle = median(levels);
        let mut outcomes = Vec::with_capacity(rows().count());
        let mut shapes = Vec::with_capacity(rows().count() * levels.len());
        let mut raw = vec![0.0; levels.len()];
        for (age, vintage) in newest.iter().rev() {
            for row in vintage.rows.iter().filter(|row| is_usable(row, levels)) {
                raw.copy_from_slice(row.published);
                vintage.correction.undo(row.unique_id, row.step, &mut raw);
                let Some(width) = width(&raw, levels) else { continue };
                let of_width = |value: f64| (value - raw[middle]) / width;
                let actual = of_width(row.actual);
                if !actual.is_finite() || raw.iter().any(|value| !of_width(*value).is_finite()) {
                    continue;
                }
                let (series, band) = (index[row.unique_id], next.band(row.step));
                outcomes.push(Outcome { series, band, age: *age, weight: recency(*age), actual });
                shapes.extend(raw.iter().map(|value| of_width(*value)));
            }
        }
        Evidence { series: index.into_keys().collect(), outcomes, shapes, overlap: overlap(newest, horizon) }
    }

    /// Mean shape (Q) of a row, weighed like its outcomes.
    pub fn mean_shape(&self, levels: usize) -> Vec<f64> {
        let mut sum = vec![0.0; levels];
        let mut total = 0.0;
        for (outcome, shape) in self.outcomes.iter().zip(self.shapes.chunks_exact(levels)) {
            total += outcome.weight;
            sum.iter_mut().zip(shape).for_each(|(sum, at)| *sum += outcome.weight * at);
        }
        sum.into_iter().map(|sum| sum / total).collect()
    }
}

/// How many issues in a row forecast the same outcome, at least 1; the horizon where that cannot be seen yet.
fn overlap(newest: &[(usize, &Vintage)], horizon: usize) -> f64 {
    let first = |vintage: &Vintage| vintage.rows.iter().filter(|row| row.step == 0).map(|row| row.ds).max();
    let anchors: Vec<i64> = newest.iter().filter_map(|(_, vintage)| first(vintage)).collect();
    let mut between: Vec<i64> =
        anchors.windows(2).map(|pair| pair[0].saturating_sub(pair[1])).filter(|gap| *gap > 0).collect();
    between.sort_unstable();
    let step = newest.iter().flat_map(|(_, vintage)| {
        let first = first(vintage);
        let far = vintage.rows.iter().filter(|row| row.step > 0).max_by_key(|row| (row.step, row.ds));
        first.zip(far).map(|(first, far)| far.ds.saturating_sub(first) as f64 / far.step as f64)
    });
    let step = step.filter(|step| *step > 0.0).fold(f64::INFINITY, f64::min);
    match between.get(between.len() / 2) {
        Some(between) if step.is_finite() => (horizon as f64 * step / *between as f64).max(1.0),
        _ => horizon.max(1) as f64,
    }
}
