//! What comes with the target: columns that explain it, and how much of them is known at a cutoff.

use crate::series::Series;

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
    /// covariates end there, and what is known in advance goes on.
    pub fn cut(&self, from: usize, steps: usize) -> Series {
        let covariate = |row: &Row| match row.known {
            Known::Past => Row { values: row.values[from..steps].to_vec(), ..*row },
            Known::Future => Row { values: row.values[from..].to_vec(), ..*row },
            Known::Static => row.clone(),
        };
        Series {
            unique_id: self.unique_id.clone(),
            keys: self.keys.clone(),
            frequency: self.frequency,
            times: self.times[from..steps].to_vec(),
            values: self.values[from..steps].to_vec(),
            covariates: self.covariates.iter().map(covariate).collect(),
        }
    }
}

/// One covariate of one series, on its grid.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// When its values are known.
    pub known: Known,
    /// `NaN` where missing. As many as the series has steps; more where they are known in advance; one where they never
    /// change.
    pub values: Vec<f64>,
}

impl Row {
    /// The value at a step of the series; `NaN` where it is missing or lies beyond what is known.
    pub fn at(&self, step: usize) -> f64 {
        let step = if self.known == Known::Static { 0 } else { step };
        self.values.get(step).copied().unwrap_or(f64::NAN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::Frequency;

    #[test]
    fn a_cut_series_knows_of_later_only_what_was_known_in_advance() {
        let row = |known, values: &[f64]| Row { known, values: values.to_vec() };
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
        };
        let cut = series.cut(1, 3);
        assert_eq!((cut.times, cut.values), (vec![1, 2], vec![11.0, 12.0]));
        assert_eq!(cut.covariates[0].values, [2.0, 3.0]);
        assert_eq!(cut.covariates[1].values, [6.0, 7.0, 8.0, 9.0]);
        assert_eq!(cut.covariates[2].at(17), 7.0);
        assert!(cut.covariates[0].at(2).is_nan() && cut.covariates[1].at(4).is_nan());
    }
}
