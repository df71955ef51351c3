//! Accuracy of point forecasts: free functions of (actual, predicted). A step without an actual (`NaN`) does not count.

use serde::{Deserialize, Serialize};

/// Symmetric mean absolute percentage error, percent (0 to 200); `None` if nothing was observed.
///
/// mean 200 |y − ŷ| / (|y| + |ŷ|), where 0/0 counts as 0. Source: Makridakis et al. (2020), the M4 competition.
pub fn smape(actual: &[f64], predicted: &[f64]) -> Option<f64> {
    mean(actual, predicted, |y, p| {
        // Halving first keeps gigantic values finite.
        let size = y.abs() / 2.0 + p.abs() / 2.0;
        if size > 0.0 { 200.0 * ((y / 2.0 - p / 2.0).abs() / size) } else { 0.0 }
    })
}

/// Mean absolute error, in units of the target; `None` if nothing was observed.
pub fn mae(actual: &[f64], predicted: &[f64]) -> Option<f64> {
    mean(actual, predicted, |y, p| (y - p).abs())
}

/// Mean of squared errors in units of `scale`²; `None` if nothing was observed.
pub fn mse(actual: &[f64], predicted: &[f64], scale: f64) -> Option<f64> {
    mean(actual, predicted, |y, p| ((y - p) / scale).powi(2))
}

/// A mean under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Mean {
    sum: f64,
    count: usize,
}

impl Mean {
    /// Adds a value.
    pub fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1;
    }

    /// Values so far.
    pub fn count(self) -> usize {
        self.count
    }

    /// The mean; `None` of nothing.
    pub fn value(self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }
}

/// Pinball loss of one quantile forecast, in units of the target. Source: Koenker and Bassett (1978).
pub fn pinball(actual: f64, quantile: f64, level: f64) -> f64 {
    let error = actual - quantile;
    (level * error).max((level - 1.0) * error)
}

fn mean(actual: &[f64], predicted: &[f64], error: impl Fn(f64, f64) -> f64) -> Option<f64> {
    let errors = actual.iter().zip(predicted).filter(|(y, _)| !y.is_nan()).map(|(&y, &p)| error(y, p));
    let (sum, count) = errors.fold((0.0, 0usize), |(sum, count), error| (sum + error, count + 1));
    (count > 0).then(|| sum / count as f64)
}

/// Scale of the mean absolute scaled error: mean |y_t − y_{t−season}| over observed pairs of the history.
///
/// `None` where that is zero or no pair was observed: the error has no scale then. Source: Hyndman and Koehler (2006).
pub fn scale(history: &[f64], season: usize) -> Option<f64> {
    let pairs = history.iter().skip(season).zip(history);
    let differences: Vec<f64> =
        pairs.map(|(now, earlier)| (now - earlier).abs()).filter(|d| !d.is_nan()).collect();
    let scale = differences.iter().sum::<f64>() / differences.len() as f64;
    (scale > 0.0 && scale.is_finite()).then_some(scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smape_of_a_miss_by_half_and_of_nothing() {
        assert_eq!(smape(&[1.0, f64::NAN], &[3.0, 9.0]), Some(100.0));
        assert_eq!(smape(&[0.0], &[0.0]), Some(0.0));
        assert_eq!(smape(&[f64::NAN], &[0.0]), None);
        assert!(smape(&[1.7e308], &[-1.7e308]).is_some_and(f64::is_finite));
    }

    #[test]
    fn the_scale_is_the_in_sample_error_of_seasonal_naive() {
        assert_eq!(scale(&[1.0, 2.0, 4.0, 8.0], 2), Some(4.5));
        assert_eq!(scale(&[1.0, f64::NAN, 4.0, 8.0, 5.0], 1), Some(3.5));
        assert_eq!(scale(&[5.0, 5.0], 1), None);
        assert_eq!(scale(&[5.0], 3), None);
    }
}
