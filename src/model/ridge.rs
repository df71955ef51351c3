//! Closed-form ridge map from lookback to horizon: the base that every network stands on.
//!
//! W = (Σ a z zᵀ + λ mean(diag) I)⁻¹ Σ a z vᵀ over anchored windows z with targets v = y − anchor, where a window
//! weighs 1 / (windows of its series × noise of its series). Reweighting by 1 / (mean|error| + 0.3 median) turns the
//! squared into an absolute error (iteratively reweighted least squares). Normal equations and solve are in f64.

use linfa_linalg::cholesky::SolveC;
use ndarray::linalg::general_mat_mul;
use ndarray::{Array1, Array2, ArrayView2, Axis, s};
use rand::Rng;
use rayon::prelude::*;

use crate::model::baseline::quantile;
use crate::model::windows::{Geometry, Origins};
use crate::model::work::WorkSeries;

/// Windows of one geometry, gathered for the normal equations.
pub struct Design {
    /// Anchored inputs (windows, L).
    inputs: Array2<f32>,
    /// Anchored targets (windows, T); where nothing was observed, the current best guess.
    targets: Array2<f32>,
    /// Positions in `targets` that are guesses.
    guesses: Vec<(usize, usize)>,
    /// Spread of each window.
    spreads: Vec<f32>,
    /// Weight of each window.
    weights: Vec<f64>,
}

/// Fixed number of partial sums, so that the result does not depend on the number of threads.
const PARTS: usize = 8;

/// Rows converted to f64 at a time.
const CHUNK: usize = 256;

impl Design {
    /// Gathers at most `windows_max` windows.
    pub fn new(
        series: &[WorkSeries],
        origins: &Origins,
        geometry: &Geometry,
        windows_max: usize,
        rng: &mut impl Rng,
    ) -> Design {
        let chosen = origins.sample(windows_max, rng);
        let mut count_of = vec![1.0; series.len()];
        for (index, count) in origins.per_series() {
            count_of[index] = count as f64;
        }
        let mut design = Design {
            inputs: Array2::zeros((chosen.len(), geometry.lookback)),
            targets: Array2::zeros((chosen.len(), geometry.horizon)),
            guesses: Vec::new(),
            spreads: Vec::with_capacity(chosen.len()),
            weights: Vec::with_capacity(chosen.len()),
        };
        for (row, &(index, origin)) in chosen.iter().enumerate() {
            let window = geometry.window(&series[index], origin);
            design.inputs.row_mut(row).assign(&Array1::from(window.input));
            let future = origin..origin + geometry.horizon;
            let observed = series[index].target[future.clone()].iter().zip(&series[index].filled[future]);
            for (step, (&target, &guess)) in observed.enumerate() {
                if target.is_nan() {
                    design.guesses.push((row, step));
                }
                design.targets[[row, step]] =
                    if target.is_nan() { guess } else { target } - window.base[step];
            }
            design.spreads.push(window.spread);
            design.weights.push(1.0 / (count_of[index] * series[index].noise));
        }
        let mean = design.weights.iter().sum::<f64>() / design.weights.len().max(1) as f64;
        design.weights.iter_mut().for_each(|weight| *weight /= mean);
        design
    }

    /// Number of windows.
    pub fn windows(&self) -> usize {
        self.weights.len()
    }

    /// W (L, T) for each regularisation strength, without reweighting.
    pub fn solve(&self, lambdas: &[f64]) -> Vec<Array2<f64>> {
        self.solve_weighted(&self.weights, lambdas)
    }

    /// W (L, T) after `passes` of reweighting, which also replace guessed targets by the map's own forecasts.
    pub fn solve_absolute(&mut self, lambda: f64, passes: usize) -> Array2<f64> {
        let mut map = self.solve(&[lambda]).remove(0);
        for _ in 0..passes {
            let predicted = self.predict(map.view());
            for &(row, step) in &self.guesses {
                self.targets[[row, step]] = predicted[[row, step]];
            }
            let errors: Vec<f64> = predicted
                .outer_iter()
                .zip(self.targets.outer_iter())
                .map(|(p, y)| p.iter().zip(y).map(|(p, y)| f64::from((p - y).abs())).sum::<f64>())
                .map(|sum| sum / predicted.ncols() as f64)
                .collect();
            let mean = errors.iter().sum::<f64>() / errors.len().max(1) as f64;
            let floor = (0.3 * median(errors.clone())).max(1e-3 * mean);
            let reweighted: Vec<f64> = self
                .weights
                .iter()
                .zip(&errors)
                .map(|(weight, error)| weight / (error + floor).max(f64::MIN_POSITIVE))
                .collect();
            map = self.solve_weighted(&reweighted, &[lambda]).remove(0);
        }
        map
    }

    fn solve_weighted(&self, weights: &[f64], lambdas: &[f64]) -> Vec<Array2<f64>> {
        let (gram, moment) = self.normal_equations(weights);
        let mean_diagonal = gram.diag().mean().unwrap_or(0.0).max(f64::MIN_POSITIVE);
        lambdas
            .iter()
            .map(|lambda| {
                let mut system = gram.clone();
                // A floor keeps constant series, whose Gram matrix is zero, solvable.
                system.diag_mut().mapv_inplace(|d| d + lambda * mean_diagonal + 1e-9);
                system.solvec(&moment).unwrap_or_else(|_| Array2::zeros(moment.dim()))
            })
            .collect()
    }

    /// Σ a z zᵀ (L, L) and Σ a z vᵀ (L, T), summed part by part in a fixed order.
    fn normal_equations(&self, weights: &[f64]) -> (Array2<f64>, Array2<f64>) {
        let (lookback, horizon) = (self.inputs.ncols(), self.targets.ncols());
        let total = weights.iter().sum::<f64>();
        let part_len = self.windows().div_ceil(PARTS).max(1);
        let parts: Vec<(Array2<f64>, Array2<f64>)> = (0..self.windows())
            .step_by(part_len)
            .collect::<Vec<_>>()
            .into_par_iter()
            .map(|start| {
                let mut gram = Array2::zeros((lookback, lookback));
                let mut moment = Array2::zeros((lookback, horizon));
                let end = (start + part_len).min(self.windows());
                for from in (start..end).step_by(CHUNK) {
                    let to = (from + CHUNK).min(end);
                    let z = self.inputs.slice(s![from..to, ..]).mapv(f64::from);
                    let v = self.targets.slice(s![from..to, ..]).mapv(f64::from);
                    let mut weighted = z.clone();
                    for (mut row, weight) in weighted.outer_iter_mut().zip(&weights[from..to]) {
                        row *= weight / total;
                    }
                    general_mat_mul(1.0, &weighted.t(), &z, 1.0, &mut gram);
                    general_mat_mul(1.0, &weighted.t(), &v, 1.0, &mut moment);
                }
                (gram, moment)
            })
            .collect();
        let zero = (Array2::zeros((lookback, lookback)), Array2::zeros((lookback, horizon)));
        parts.into_iter().fold(zero, |(gram, moment), part| (gram + part.0, moment + part.1))
    }

    /// Forecasts (windows, T) minus anchor.
    fn predict(&self, map: ArrayView2<f64>) -> Array2<f32> {
        self.inputs.dot(&map.mapv(|w| w as f32))
    }

    /// Quantiles (T, Q) of the map's errors over these windows, in units of each window's spread.
    pub fn error_quantiles(&self, map: ArrayView2<f64>, levels: &[f64]) -> Array2<f64> {
        let mut errors = &self.targets - &self.predict(map);
        for (mut row, spread) in errors.outer_iter_mut().zip(&self.spreads) {
            row /= *spread;
        }
        for &(row, step) in &self.guesses {
            errors[[row, step]] = f32::NAN;
        }
        let mut quantiles = Array2::zeros((errors.ncols(), levels.len()));
        for (column, mut quantiles) in errors.axis_iter(Axis(1)).zip(quantiles.outer_iter_mut()) {
            let observed = column.iter().copied().filter(|error| !error.is_nan());
            let mut sorted: Vec<f64> = observed.map(f64::from).collect();
            sorted.sort_by(f64::total_cmp);
            for (to, level) in quantiles.iter_mut().zip(levels) {
                *to = quantile(&sorted, *level);
            }
        }
        quantiles
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}
