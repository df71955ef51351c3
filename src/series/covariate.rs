//! What comes with the target: columns that explain it, and how much of them is known at a cutoff.

use crate::series::{Observations, Series};
use std::ops::Range;
use std::sync::Arc;

/// When a value of a covariate is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Known {
    /// With the target: a measured temperature, units in stock.
    Past,
    /// Before it: a holiday, a planned price, a forecast made elsewhere.
    Future,
    /// Always the same: a region, a floor area.
    Static,
}

/// What the values of a covariate are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Values {
    /// Numbers.
    Real,
    /// Positions in these names, ascending: one of them each.
    Category(Vec<String>),
}

/// A covariate of a panel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Covariate {
    /// Name of the column in the input.
    pub name: String,
    /// When its values are known.
    pub known: Known,
    /// What they are.
    pub values: Values,
}

impl Series {
    /// The series as it was known when only its first `steps` steps were, without the first `from` of them: targets and past
    /// covariates and observations end there, and what is known in advance goes on.
    pub fn cut(&self, from: usize, steps: usize) -> Series {
        let covariate = |row: &Row| {
            let Range { start, end } = row.range;
            let range = match row.known {
                Known::Past => start + from..end.min(start + steps),
                Known::Future => start + from..end,
                Known::Static => start..end,
            };
            Row { range, ..row.clone() }
        };
        let until = self.times.get(steps).copied();
        let observed = |all: &Observations| Some(all.between(*self.times.get(from)?, until));
        Series {
            unique_id: self.unique_id.clone(),
            keys: self.keys.clone(),
            frequency: self.frequency,
            times: self.times[from..steps].to_vec(),
            values: self.values[from..steps].to_vec(),
            covariates: self.covariates.iter().map(covariate).collect(),
            observations: self.observations.as_ref().and_then(observed),
            filled: within(&self.filled, from, steps),
        }
    }
}

/// Ascending places between two others, counted from the first of them.
fn within(places: &[usize], from: usize, to: usize) -> Vec<usize> {
    let range = places.partition_point(|place| *place < from)..places.partition_point(|place| *place < to);
    places.get(range).unwrap_or_default().iter().map(|place| place - from).collect()
}

/// One covariate of one series, on its grid. Series on one grid may share the values of what is the same for all, such as
/// a calendar; cutting a series copies none.
#[derive(Clone, Debug)]
pub struct Row {
    /// When its values are known.
    pub known: Known,
    values: Arc<[f64]>,
    /// Its part of the values.
    range: Range<usize>,
}

impl Row {
    /// Values of its own, `NaN` where missing: as many as the series has steps; more where they are known in advance; one
    /// where they never change.
    pub fn new(known: Known, values: Vec<f64>) -> Row {
        let range = 0..values.len();
        Row { known, values: values.into(), range }
    }

    /// A part of values that others have too.
    ///
    /// # Panics
    /// If there are not as many.
    pub fn shared(known: Known, values: &Arc<[f64]>, range: Range<usize>) -> Row {
        assert!(range.start <= range.end && range.end <= values.len(), "a part of {} values", values.len());
        Row { known, values: values.clone(), range }
    }

    /// Changes its values, which are its own from then on.
    pub fn change(&mut self, change: impl FnOnce(&mut Vec<f64>)) {
        let mut values = self.values().to_vec();
        change(&mut values);
        *self = Row::new(self.known, values);
    }

    /// When it is known.
    pub fn known(&self) -> Known {
        self.known
    }

    /// The values.
    pub fn values(&self) -> &[f64] {
        self.values.get(self.range.clone()).unwrap_or(&[])
    }

    /// The value at a step of the series; `NaN` where it is missing or lies beyond what is known.
    pub fn at(&self, step: usize) -> f64 {
        let step = if self.known == Known::Static { 0 } else { step };
        self.values().get(step).copied().unwrap_or(f64::NAN)
    }

    /// Where the values lie: two rows with the same have the same values.
    pub fn place(&self) -> (usize, Range<usize>) {
        (self.values.as_ptr().addr(), self.range.clone())
    }
}

impl PartialEq for Row {
    fn eq(&self, other: &Row) -> bool {
        self.known == other.known && self.values() == other.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::Frequency;

    #[test]
    fn a_cut_series_knows_of_later_only_what_was_known_in_advance() {
        let row = |known, values: &[f64]| Row::new(known, values.to_vec());
        let series = Series {
            unique_id: "a".into(),
            keys: vec![],
            frequency: Frequency::Fixed { micros: 1 },
            times: vec![0, 1, 2, 3],
            values: vec![10.0, 11.0, 12.0, 13.0],
            covariates: vec![
                row(Known::Past, &[1.0, 2.0, 3.0, 4.0]),
                row(Known::Future, &[5.0, 6.0, 7.0, 8.0, 9.0]),
                row(Known::Static, &[7.0]),
            ],
            observations: None,
            filled: vec![0, 2, 3],
        };
        let cut = series.cut(1, 3);
        assert_eq!((cut.filled.as_slice(), cut.actual(0)), (&[1][..], 11.0));
        assert!(cut.actual(1).is_nan() && cut.observed() == 1);
        assert_eq!((cut.observed_until(2), cut.observed_until(9), series.observed_until(1)), (1, 1, 0));
        assert_eq!((cut.times, cut.values), (vec![1, 2], vec![11.0, 12.0]));
        assert_eq!(cut.covariates[0].values(), [2.0, 3.0]);
        assert_eq!(cut.covariates[1].values(), [6.0, 7.0, 8.0, 9.0]);
        assert_eq!(cut.covariates[2].at(17), 7.0);
        assert!(cut.covariates[0].at(2).is_nan() && cut.covariates[1].at(4).is_nan());
    }
}
