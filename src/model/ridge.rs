//! Closed-form ridge map from lookback to horizon: the base that every network stands on.
//!
//! W = (Σ a z zᵀ + λ mean(diag) I)⁻¹ Σ a z vᵀ over anchored windows z with targets v = y − anchor, where a window
//! weighs 1 / (windows of its series × noise of its series). Reweighting by 1 / (mean|error| + floor), the floor 0.3 of
//! the median and at least a thousandth of the mean over windows, turns the squared into an absolute error (iteratively
//! reweighted least squares). Normal equations and solve are in f64. Derivations in full: docs/engine/closed-forms.md.
//!
//! Anchoring is linear. With x and y measured from the window's last value, u the weights of the mean that the inputs
//! are measured from (1/k on the last k) and b_t those of target t's base,
//!
//! ```text
//! z = x − 1 uᵀx,   v_t = y_t − b_tᵀx
//! Σ z zᵀ  = G − 1 gᵀ − g 1ᵀ + s 1 1ᵀ            G = Σ x xᵀ,  g = G u,  s = uᵀG u
//! Σ z v_t = r_t − G b_t − 1 (uᵀr_t − gᵀb_t)     r_t = Σ x y_t
//! ```
//!
//! so one pass over the windows serves every anchor and every λ of a lookback.
//!
//! Covariates have columns c_t of their own for every target (see [`features`](crate::model::features)), so that a map
//! reads at step t what is known of step t and not of all others: v_t = Wᵀz + V_tᵀc_t. The inputs' block is the same for all
//! targets, and one factorisation of it serves their bordered systems (Schur complement):
//!
//! ```text
//! [ G    B_t ] [ W_t ]   [ r_t ]        V_t = (C_t − B_tᵀ G⁻¹ B_t)⁻¹ (q_t − B_tᵀ G⁻¹ r_t)
//! [ B_tᵀ C_t ] [ V_t ] = [ q_t ]        W_t = G⁻¹ (r_t − B_t V_t)
//! Σ z c_tᵀ = B_t − 1 uᵀB_t,  Σ c_t v_t = q_t − B_tᵀ b_t          B_t = Σ x c_tᵀ,  C_t = Σ c_t c_tᵀ,  q_t = Σ c_t y_t
//! ```

use faer::linalg::matmul;
use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::linalg::solvers::Solve;
use faer::{Accum, MatMut, MatRef, Par, Side};
use ndarray::{Array1, Array2, Array3, ArrayView3, ArrayViewMut2, Axis, s};
use rand::Rng;
use rayon::prelude::*;

use crate::model::baseline::quantile;
use crate::model::features::TERMS;
use crate::model::windows::{Anchor, Geometry, Origins};
use crate::model::work::WorkSeries;

/// Windows of one lookback, measured from their last value.
pub struct Design {
    /// Inputs (windows, L).
    inputs: Array2<f32>,
    /// What covariates say of each target (windows, T, E); E is 0 without covariates.
    extras: Array3<f32>,
    /// Targets (windows, T); where nothing was observed, the current best guess.
    targets: Array2<f32>,
    /// Positions in `targets` that are guesses.
    guesses: Vec<(usize, usize)>,
    /// Spread of each window.
    spreads: Vec<f32>,
    /// Weight of each window.
    weights: Vec<f64>,
}

/// A map from lookback and covariates to horizon.
#[derive(Clone)]
pub struct Map {
    /// Of the inputs: W (L, T).
    pub inputs: Array2<f64>,
    /// Of what covariates say of each target: V (T, E), or (T, 0) where they have no say.
    pub effects: Array2<f64>,
}

impl Map {
    /// What covariates (windows, T, E) add to the forecasts (windows, T).
    pub fn effects_of(&self, extras: &Array3<f32>) -> Array2<f32> {
        effects(&self.effects.mapv(|v| v as f32), extras)
    }
}

/// V (T, E) applied to what covariates say (windows, T, E): (windows, T).
pub fn effects(effects: &Array2<f32>, extras: &Array3<f32>) -> Array2<f32> {
    let (windows, horizon, columns) = extras.dim();
    if effects.ncols() == 0 {
        return Array2::zeros((windows, horizon));
    }
    debug_assert_eq!(effects.ncols(), columns, "columns of covariates");
    Array2::from_shape_fn((windows, horizon), |(window, step)| {
        effects.row(step).dot(&extras.slice(s![window, step, ..]))
    })
}

/// Values of covariates that are gathered at most: of long horizons with many columns, fewer windows are taken.
pub(super) const EXTRAS_MAX: usize = 1 << 26;

/// Fixed number of partial sums, so that the result does not depend on the number of threads.
pub(super) const PARTS: usize = 8;

/// Rows converted to f64 at a time.
const CHUNK: usize = 256;

impl Design {
    /// Gathers at most `windows_max` windows of so many inputs and targets.
    pub fn new(
        series: &[WorkSeries],
        origins: &Origins,
        lookback: usize,
        horizon: usize,
        windows_max: usize,
        rng: &mut impl Rng,
    ) -> Design {
        let extras = TERMS * series.first().map_or(0, |series| series.features.width());
        let windows_max = windows_max.min(EXTRAS_MAX / (extras * horizon).max(1)).max(1);
        let geometry = Geometry { lookback, horizon, anchor: Anchor::Mean(1) };
        let chosen = origins.sample(windows_max, rng);
        let mut count_of = vec![0.0; series.len()];
        for (index, count) in origins.per_series() {
            count_of[index] += count as f64;
        }
        let mut design = Design {
            inputs: Array2::zeros((chosen.len(), lookback)),
            extras: Array3::zeros((chosen.len(), horizon, extras)),
            targets: Array2::zeros((chosen.len(), horizon)),
            guesses: Vec::new(),
            spreads: Vec::with_capacity(chosen.len()),
            weights: Vec::with_capacity(chosen.len()),
        };
        for (row, &(index, origin)) in chosen.iter().enumerate() {
            let window = geometry.window(&series[index], origin);
            design.inputs.row_mut(row).assign(&Array1::from(window.input));
            series[index].features.read(origin, design.extras.index_axis_mut(Axis(0), row));
            let future = origin..origin + horizon;
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

    /// The normal equations, without reweighting.
    pub fn moments(&self) -> Moments {
        self.weighted_moments(&self.weights)
    }

    /// The map after `passes` of reweighting from `map` on, which also replace guessed targets by the map's own
    /// forecasts.
    pub fn solve_absolute(&mut self, anchor: Anchor, lambda: f64, mut map: Map, passes: usize) -> Map {
        let with_covariates = map.effects.ncols() > 0;
        for _ in 0..passes {
            let predicted = self.predict(&map, anchor);
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
            map = self.weighted_moments(&reweighted).anchored(anchor).solve(lambda, with_covariates);
        }
        map
    }

    /// Σ a x xᵀ (L, L) and Σ a x yᵀ (L, T), summed part by part in a fixed order.
    fn weighted_moments(&self, weights: &[f64]) -> Moments {
        let zeros = || Moments::zeros(self.inputs.ncols(), self.targets.ncols(), self.extras.dim().2);
        let total = weights.iter().sum::<f64>();
        let part_len = self.windows().div_ceil(PARTS).max(1);
        let parts: Vec<Moments> = (0..self.windows())
            .step_by(part_len)
            .collect::<Vec<_>>()
            .into_par_iter()
            .map(|start| {
                let mut sum = zeros();
                let end = (start + part_len).min(self.windows());
                for from in (start..end).step_by(CHUNK) {
                    let to = (from + CHUNK).min(end);
                    let x = self.inputs.slice(s![from..to, ..]).mapv(f64::from);
                    let y = self.targets.slice(s![from..to, ..]).mapv(f64::from);
                    let mut weighted = x.clone();
                    for (mut row, weight) in weighted.outer_iter_mut().zip(&weights[from..to]) {
                        row *= weight / total;
                    }
                    sum.add(&weighted, &x, &y);
                    let weights = weights[from..to].iter().map(|weight| weight / total).collect();
                    sum.add_covariates(&weighted, self.extras.slice(s![from..to, .., ..]), &y, &weights);
                }
                sum
            })
            .collect();
        let sum = parts.into_iter().fold(zeros(), |sum, part| Moments {
            gram: sum.gram + part.gram,
            cross: sum.cross + part.cross,
            sides: sum.sides + part.sides,
            squares: sum.squares + part.squares,
            effects: sum.effects + part.effects,
        });
        sum.mirrored()
    }

    /// Forecasts (windows, T) of an anchored map, measured from each window's last value.
    fn predict(&self, map: &Map, anchor: Anchor) -> Array2<f32> {
        let (inputs, bases) = anchor_inputs(&self.inputs, anchor, self.targets.ncols());
        inputs.dot(&map.inputs.mapv(|w| w as f32)) + bases + map.effects_of(&self.extras)
    }

    /// Quantiles (T, Q) of an anchored map's errors over these windows, in units of each window's spread.
    pub fn error_quantiles(&self, map: &Map, anchor: Anchor, levels: &[f64]) -> Array2<f64> {
        let mut errors = &self.targets - &self.predict(map, anchor);
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

/// Inputs (windows, L) measured from their last value, measured from an anchor instead, and the bases (windows, T) of
/// their targets.
pub fn anchor_inputs(inputs: &Array2<f32>, anchor: Anchor, horizon: usize) -> (Array2<f32>, Array2<f32>) {
    let lookback = inputs.ncols();
    let mut anchored = inputs.clone();
    let mut bases = Array2::zeros((inputs.nrows(), horizon));
    for (mut row, mut bases) in anchored.outer_iter_mut().zip(bases.outer_iter_mut()) {
        let last = row.slice(s![lookback - anchor.inputs()..]);
        let level = last.mean().unwrap_or(0.0);
        match anchor {
            Anchor::Mean(_) => bases.fill(level),
            Anchor::Season(season) => {
                bases.iter_mut().enumerate().for_each(|(step, base)| *base = last[step % season]);
            }
        }
        row -= level;
    }
    (anchored, bases)
}

/// Normal equations of one lookback.
#[derive(Clone)]
pub struct Moments {
    /// Σ a x xᵀ (L, L).
    gram: Array2<f64>,
    /// Σ a x yᵀ (L, T).
    cross: Array2<f64>,
    /// Σ a x c_tᵀ (T, L, E).
    sides: Array3<f64>,
    /// Σ a c_t c_tᵀ (T, E, E).
    squares: Array3<f64>,
    /// Σ a c_t y_t (T, E).
    effects: Array2<f64>,
}

impl Moments {
    fn zeros(lookback: usize, horizon: usize, extras: usize) -> Moments {
        Moments {
            gram: Array2::zeros((lookback, lookback)),
            cross: Array2::zeros((lookback, horizon)),
            sides: Array3::zeros((horizon, lookback, extras)),
            squares: Array3::zeros((horizon, extras, extras)),
            effects: Array2::zeros((horizon, extras)),
        }
    }

    /// Adds what concerns the covariates (windows, T, E) of some windows; `weighted` are their inputs times `weights`.
    fn add_covariates(
        &mut self,
        weighted: &Array2<f64>,
        extras: ArrayView3<f32>,
        y: &Array2<f64>,
        weights: &Array1<f64>,
    ) {
        if extras.dim().2 == 0 {
            return;
        }
        for (step, c) in extras.axis_iter(Axis(1)).enumerate() {
            let c = c.mapv(f64::from);
            let a_c = &c * &weights.view().insert_axis(Axis(1));
            let mut side = self.sides.index_axis_mut(Axis(0), step);
            add_product(&mut side, weighted, &c);
            add_product(&mut self.squares.index_axis_mut(Axis(0), step), &a_c, &c);
            let mut effects = self.effects.row_mut(step);
            effects += &a_c.t().dot(&y.column(step));
        }
    }

    /// Adds (a x)ᵀ x, of which only the lower half is computed, and (a x)ᵀ y of some windows.
    fn add(&mut self, weighted: &Array2<f64>, x: &Array2<f64>, y: &Array2<f64>) {
        let weighted = matrix(weighted).transpose();
        let gram = matrix_mut(&mut self.gram);
        let (lower, whole) = (BlockStructure::TriangularLower, BlockStructure::Rectangular);
        triangular::matmul(gram, lower, Accum::Add, weighted, whole, matrix(x), whole, 1.0, Par::Seq);
        matmul::matmul(matrix_mut(&mut self.cross), Accum::Add, weighted, matrix(y), 1.0, Par::Seq);
    }

    /// The same with the upper half of Σ a x xᵀ taken from the lower one.
    fn mirrored(mut self) -> Moments {
        for row in 0..self.gram.nrows() {
            for column in row + 1..self.gram.ncols() {
                self.gram[[row, column]] = self.gram[[column, row]];
            }
        }
        self
    }

    /// Those of the same windows measured from an anchor instead of their last value; see the head of this file.
    pub fn anchored(&self, anchor: Anchor) -> Moments {
        let (lookback, horizon) = self.cross.dim();
        let last = lookback - anchor.inputs()..;
        let g = self.gram.slice(s![.., last.clone()]).mean_axis(Axis(1)).expect("an anchor has inputs");
        let s = g.slice(s![last.clone()]).mean().expect("an anchor has inputs");
        let mut gram = &self.gram - &g - g.view().insert_axis(Axis(1));
        gram += s;
        let mut cross = Array2::zeros((lookback, horizon));
        for (step, mut to) in cross.axis_iter_mut(Axis(1)).enumerate() {
            let r = self.cross.column(step);
            let (gram_base, base_mean) = match anchor {
                Anchor::Mean(_) => (g.view(), s),
                Anchor::Season(season) => {
                    let input = lookback - season + step % season;
                    (self.gram.column(input), g[input])
                }
            };
            let mean = r.slice(s![last.clone()]).mean().expect("an anchor has inputs");
            to.assign(&(&r - &gram_base - (mean - base_mean)));
        }
        let (mut sides, mut effects) = (self.sides.clone(), self.effects.clone());
        for (step, (mut side, mut effects)) in
            sides.outer_iter_mut().zip(effects.outer_iter_mut()).enumerate()
        {
            let level = side.slice(s![last.clone(), ..]).mean_axis(Axis(0)).expect("an anchor has inputs");
            match anchor {
                Anchor::Mean(_) => effects -= &level,
                Anchor::Season(season) => effects -= &side.row(lookback - season + step % season),
            }
            side -= &level;
        }
        Moments { gram, cross, sides, squares: self.squares.clone(), effects }
    }

    /// The map for a regularisation strength λ relative to the mean diagonal of each block; without covariates where they
    /// have no say.
    pub fn solve(&self, lambda: f64, with_covariates: bool) -> Map {
        let mean_diagonal = self.gram.diag().mean().unwrap_or(0.0).max(f64::MIN_POSITIVE);
        let mut system = self.gram.clone();
        // A floor keeps constant series, whose Gram matrix is zero, solvable.
        system.diag_mut().mapv_inplace(|d| d + lambda * mean_diagonal + 1e-9);
        let (lookback, horizon) = self.cross.dim();
        let extras = if with_covariates { self.effects.ncols() } else { 0 };
        let mut map =
            Map { inputs: Array2::zeros((lookback, horizon)), effects: Array2::zeros((horizon, extras)) };
        let Ok(cholesky) = matrix(&system).llt(Side::Lower) else { return map };
        let alone = cholesky.solve(matrix(&self.cross));
        map.inputs = Array2::from_shape_fn((lookback, horizon), |(input, step)| alone[(input, step)]);
        if extras == 0 {
            return map;
        }
        let bordered = |step: usize| {
            let side = self.sides.index_axis(Axis(0), step).to_owned();
            let solved = cholesky.solve(matrix(&side));
            let solved = Array2::from_shape_fn((lookback, extras), |at| solved[at]);
            let mut schur = self.squares.index_axis(Axis(0), step).to_owned();
            let mean_diagonal = schur.diag().mean().unwrap_or(0.0).max(f64::MIN_POSITIVE);
            schur -= &side.t().dot(&solved);
            schur.diag_mut().mapv_inplace(|d| d + lambda * mean_diagonal + 1e-9);
            let right = &self.effects.row(step) - &side.t().dot(&map.inputs.column(step));
            let right = right.insert_axis(Axis(1));
            let effects = matrix(&schur).llt(Side::Lower).ok()?.solve(matrix(&right));
            let effects = Array1::from_shape_fn(extras, |at| effects[(at, 0)]);
            let inputs = &map.inputs.column(step) - &solved.dot(&effects);
            Some((inputs, effects))
        };
        let steps: Vec<Option<(Array1<f64>, Array1<f64>)>> =
            (0..horizon).into_par_iter().map(bordered).collect();
        for (step, (inputs, effects)) in
            steps.into_iter().enumerate().filter_map(|(step, one)| Some((step, one?)))
        {
            map.inputs.column_mut(step).assign(&inputs);
            map.effects.row_mut(step).assign(&effects);
        }
        map
    }
}

/// Adds aᵀ b.
fn add_product(to: &mut ArrayViewMut2<f64>, a: &Array2<f64>, b: &Array2<f64>) {
    let (rows, columns) = to.dim();
    let values = to.as_slice_mut().expect("standard layout");
    let to = MatMut::from_row_major_slice_mut(values, rows, columns);
    matmul::matmul(to, Accum::Add, matrix(a).transpose(), matrix(b), 1.0, Par::Seq);
}

/// The same matrix for the dense solver.
fn matrix(array: &Array2<f64>) -> MatRef<'_, f64> {
    let values = array.as_slice().expect("standard layout");
    MatRef::from_row_major_slice(values, array.nrows(), array.ncols())
}

fn matrix_mut(array: &mut Array2<f64>) -> MatMut<'_, f64> {
    let (rows, columns) = array.dim();
    let values = array.as_slice_mut().expect("standard layout");
    MatMut::from_row_major_slice_mut(values, rows, columns)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn anchoring_the_moments_equals_anchoring_every_window() {
        let values: Vec<f32> = (0..80).map(|t| (t as f32 * 0.7).sin() + (t * t % 11) as f32 * 0.1).collect();
        let work = [WorkSeries {
            filled: values.clone(),
            target: values,
            noise: 1.0,
            unit: 1.0,
            level: 0.0,
            features: Default::default(),
            events: Default::default(),
        }];
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for anchor in [Anchor::Mean(1), Anchor::Mean(3), Anchor::Mean(8), Anchor::Season(4)] {
            let geometry = Geometry { lookback: 8, horizon: 6, anchor };
            let origins = Origins::new(&work, &geometry, 0);
            let design = Design::new(&work, &origins, 8, 6, 1000, &mut rng);
            let by_moments = design.moments().anchored(anchor);
            let (mut gram, mut cross) = (Array2::<f64>::zeros((8, 8)), Array2::<f64>::zeros((8, 6)));
            for (_, start, end) in [(0, geometry.first_origin(), 75)] {
                for origin in start..end {
                    let window = geometry.window(&work[0], origin);
                    let z = Array2::from_shape_fn((8, 1), |(l, _)| f64::from(window.input[l]));
                    let v = Array2::from_shape_fn((1, 6), |(_, t)| {
                        f64::from(work[0].target[origin + t] - window.base[t])
                    });
                    gram += &z.dot(&z.t());
                    cross += &z.dot(&v);
                }
            }
            let windows = design.windows() as f64;
            let far = |a: &Array2<f64>, b: &Array2<f64>| {
                (a * windows - b).iter().fold(0.0, |max: f64, d| max.max(d.abs()))
            };
            assert!(far(&by_moments.gram, &gram) < 1e-4, "{anchor:?}");
            assert!(far(&by_moments.cross, &cross) < 1e-4, "{anchor:?}");
        }
    }

    #[test]
    fn one_factorisation_solves_every_bordered_system() {
        let (lookback, horizon, extras, windows, lambda) = (5, 3, 2, 40, 0.1);
        let wave =
            |i: usize, j: usize, k: usize| ((i * 7 + j * 5 + k * 3) as f64 * 0.618_033_988_75).fract() - 0.5;
        let x = Array2::from_shape_fn((windows, lookback), |(i, j)| wave(i, j, 0) + wave(i * i, j, 1));
        let y = Array2::from_shape_fn((windows, horizon), |(i, t)| wave(i * i, t, 2));
        let c = Array3::from_shape_fn((windows, horizon, extras), |(i, t, e)| wave(i * i + t, e, 3) as f32);
        let mut moments = Moments::zeros(lookback, horizon, extras);
        moments.add(&x, &x, &y);
        moments.add_covariates(&x, c.view(), &y, &Array1::ones(windows));
        let moments = moments.mirrored();
        let map = moments.solve(lambda, true);
        let regularised = |block: &Array2<f64>| {
            let mut block = block.clone();
            let mean = block.diag().mean().unwrap();
            block.diag_mut().mapv_inplace(|d| d + lambda * mean + 1e-9);
            block
        };
        for step in 0..horizon {
            let (w, v) = (map.inputs.column(step), map.effects.row(step));
            let side = moments.sides.index_axis(Axis(0), step);
            let square = regularised(&moments.squares.index_axis(Axis(0), step).to_owned());
            let first = regularised(&moments.gram).dot(&w) + side.dot(&v) - moments.cross.column(step);
            let second = side.t().dot(&w) + square.dot(&v) - moments.effects.row(step);
            assert!(first.iter().chain(&second).all(|rest| rest.abs() < 1e-10), "{step}: {first} {second}");
            assert!(v.iter().all(|v| v.abs() > 1e-6));
        }
    }
}
