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
