//! A likelihood head over a few features: outputs = start + features · W, one W for all series and steps.
//!
//! W starts at zero and is trained by AdamW on windows of the past; decay pulls it back to zero, and with it every forecast to
//! the start, which is a distribution of each series alone.

use ndarray::{Array2, Array3, ArrayView1, ArrayView2, Axis};
use rayon::prelude::*;

use crate::engine::likelihood::Likelihood;
use crate::engine::optim::{AdamW, Group};
use crate::model::counts::rates::Inputs;

/// Windows of one optimiser step, and passes over all of them.
const BATCH: usize = 64;
const PASSES: usize = 12;

/// Steps that training takes at least and at most.
const STEPS: (usize, usize) = (300, 1_500);

/// Learning rate at the start; it falls to zero along a cosine.
const LEARNING_RATE: f64 = 0.02;

/// Decoupled weight decay.
const DECAY: f64 = 0.02;

/// Largest norm of a gradient of the mean loss.
const NORM_MAX: f64 = 1.0;

/// A window: what is read at its origin, and the values that came (T), `NaN` where nothing was observed.
pub struct Window {
    /// Features and start.
    pub inputs: Inputs,
    /// What came.
    pub target: Vec<f64>,
}

/// Outputs (T, P) of a head with weights W (F, P).
pub fn outputs(inputs: &Inputs, weights: ArrayView2<f64>) -> Array2<f64> {
    let mut outputs = inputs.features.dot(&weights);
    for (mut column, unit) in outputs.columns_mut().into_iter().zip(&inputs.units) {
        column *= *unit;
    }
    outputs + &inputs.start
}

// outputs = start + unit · (features W):  dLoss/dW = featuresᵀ (unit · dLoss/doutputs).

/// −ln P of a window per step, and its derivative in W (F, P).
fn value_and_gradient(
    likelihood: Likelihood,
    window: &Window,
    weights: ArrayView2<f64>,
) -> (f64, Array2<f64>) {
    let outputs = outputs(&window.inputs, weights);
    let (horizon, width) = outputs.dim();
    let mut gradient = Array3::zeros((1, horizon, width));
    let target = ArrayView1::from(&window.target);
    let weight = [1.0 / horizon as f64];
    let value = likelihood.value_and_gradient(
        outputs.view().insert_axis(Axis(0)),
        target.insert_axis(Axis(0)),
        ArrayView1::from(&weight),
        gradient.view_mut(),
    );
    let mut gradient = gradient.index_axis_move(Axis(0), 0);
    for (mut column, unit) in gradient.columns_mut().into_iter().zip(&window.inputs.units) {
        column *= *unit;
    }
    (value, window.inputs.features.t().dot(&gradient))
}

/// Mean −ln P of some windows per step, and its derivative in W; sums are taken in the order of the windows.
fn mean_and_gradient(
    likelihood: Likelihood,
    windows: &[&Window],
    weights: ArrayView2<f64>,
) -> (f64, Array2<f64>) {
    let each: Vec<(f64, Array2<f64>)> =
        windows.par_iter().map(|window| value_and_gradient(likelihood, window, weights)).collect();
    let mut sum = (0.0, Array2::zeros(weights.dim()));
    for (value, gradient) in each {
        sum.0 += value;
        sum.1 += &gradient;
    }
    let count = windows.len().max(1) as f64;
    (sum.0 / count, sum.1 / count)
}

/// Weights (F, P) trained on the windows, which are taken in their order, pass after pass; `is_over` ends training early.
/// `None` without windows, or where training diverges.
pub fn fit(likelihood: Likelihood, windows: &[Window], is_over: &dyn Fn() -> bool) -> Option<Array2<f64>> {
    let features = windows.first()?.inputs.features.ncols();
    let mut weights = Array2::zeros((features, likelihood.outputs()));
    let batches = windows.len().div_ceil(BATCH);
    let steps = (PASSES * batches).clamp(STEPS.0, STEPS.1);
    let mut optimizer = AdamW::new(&[weights.len()]);
    let group = [Group { learning_rate: LEARNING_RATE, weight_decay: DECAY }];
    for step in 0..steps {
        if is_over() {
            break;
        }
        // Every batch holds windows from all over.
        let batch: Vec<&Window> = windows.iter().skip(step % batches).step_by(batches).collect();
        let (value, mut gradient) = mean_and_gradient(likelihood, &batch, weights.view());
        let norm = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
        if !value.is_finite() || !norm.is_finite() {
            return None;
        }
        gradient *= (NORM_MAX / norm.max(NORM_MAX)).min(1.0);
        let multiplier = 0.5 * (1.0 + libm::cos(std::f64::consts::PI * step as f64 / steps as f64));
        let params = weights.as_slice_mut().expect("standard layout");
        optimizer.step(&mut [params], &[gradient.as_slice().expect("standard layout")], &group, multiplier);
    }
    weights.iter().all(|weight| weight.is_finite()).then_some(weights)
}
