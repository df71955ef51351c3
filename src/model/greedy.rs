//! Greedy ensembles: which forecasts, averaged, err least on the validation windows (Caruana et al. 2004).

use ndarray::Array2;
use rayon::prelude::*;

use crate::model::validation::Validation;
use crate::model::work::{Space, WorkSeries};

/// Forecasts that an ensemble has, with repeats, at most.
pub const ROUNDS: usize = 12;

/// How often each of some forecasts (windows, T), in work space, is taken, and the error of their mean relative to
/// seasonal naive.
///
/// The ensemble starts empty and takes, time and again, the forecast that lowers its error most, the same one again if
/// need be; of all rounds the best one counts.
pub fn choose(
    points: &[&Array2<f32>],
    validation: &Validation,
    space: Space,
    work: &[WorkSeries],
) -> (f64, Vec<usize>) {
    let mut times = vec![0; points.len()];
    let mut best = (f64::INFINITY, times.clone());
    let Some(first) = points.first() else { return best };
    let mut sum: Array2<f32> = Array2::zeros(first.dim());
    for round in 1..=ROUNDS {
        let error = |one: &&Array2<f32>| {
            let mean = (&sum + *one) / round as f32;
            validation.error_of(mean.view(), space, work)
        };
        let errors: Vec<f64> = points.par_iter().map(error).collect();
        let least = errors.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1));
        let (next, error) = least.expect("there are forecasts to choose from");
        times[next] += 1;
        sum += points[next];
        if *error < best.0 {
            best = (*error, times.clone());
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::exam::Terms;
    use crate::model::plan::Rolling;
    use crate::model::select::work_series;
    use crate::model::spec::Point;
    use crate::series::{Frequency, Series};

    #[test]
    fn errors_that_cancel_are_taken_together_and_a_bad_forecast_is_not_taken() {
        let values: Vec<f64> = (0..40).map(|t| 10.0 + (t as f64 * 1.3).sin()).collect();
        let times = (0..40).collect();
        let frequency = Frequency::Fixed { micros: 1 };
        let series = [Series {
            unique_id: "a".into(),
            keys: vec![],
            frequency,
            times,
            values,
            covariates: Vec::new(),
            observations: None,
            filled: Vec::new(),
        }];
        let series: Vec<&Series> = series.iter().collect();
        let terms = Terms { horizon: 2, season: 1, point: Point::Median };
        let validation = Validation::new(&series, Rolling { origins: 3, stride: 2 }, 0, 1, terms);
        let work = work_series(&series, &[], 6, Space::Scaled, 1);
        let (windows, origins) = validation.windows(&work);
        let truth =
            Array2::from_shape_fn((windows.len(), 2), |(row, step)| windows[row].target[origins[row] + step]);
        let (high, low, far) = (&truth + 1.0, &truth - 1.0, &truth + 9.0);
        let (error, times) = choose(&[&high, &far, &low], &validation, Space::Scaled, &work);
        assert!(error < 1e-4, "{error}");
        // As often as rounding likes, but as often as each other.
        assert!(times[0] > 0 && times[0] == times[2] && times[1] == 0, "{times:?}");
    }
}
