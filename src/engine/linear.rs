//! Affine map: forward, backward.

use ndarray::linalg::general_mat_mul;
use ndarray::{Array1, Array2, ArrayView2, Axis};
use rand::{Rng, RngExt};

use crate::engine::param::{Kind, Tensor, tensor};
use crate::engine::real::Real;

/// Weights and bias of y = x Wᵀ + b.
#[derive(Clone, Debug)]
pub struct LinearParams<F> {
    /// W (outputs, inputs).
    pub weight: Array2<F>,
    /// b (outputs).
    pub bias: Array1<F>,
}

impl<F: Real> LinearParams<F> {
    /// All zeros: the start of a head that must not disturb, and of a gradient.
    pub fn zeros(inputs: usize, outputs: usize) -> LinearParams<F> {
        LinearParams { weight: Array2::zeros((outputs, inputs)), bias: Array1::zeros(outputs) }
    }

    /// Uniform on ±1/√inputs, as PyTorch's `Linear`.
    pub fn init(inputs: usize, outputs: usize, rng: &mut impl Rng) -> LinearParams<F> {
        let bound = 1.0 / (inputs as f64).sqrt();
        let mut draw = || F::of(rng.random_range(-bound..bound));
        LinearParams {
            weight: Array2::from_shape_simple_fn((outputs, inputs), &mut draw),
            bias: Array1::from_shape_simple_fn(outputs, &mut draw),
        }
    }

    /// Named tensors.
    pub fn tensors(&mut self, prefix: &str) -> Vec<Tensor<'_, F>> {
        vec![
            tensor(prefix, "weight", Kind::Matrix, &mut self.weight),
            tensor(prefix, "bias", Kind::Vector, &mut self.bias),
        ]
    }
}

/// y (rows, outputs) of x (rows, inputs).
pub fn forward<F: Real>(params: &LinearParams<F>, x: ArrayView2<F>) -> Array2<F> {
    let mut y = Array2::zeros((x.nrows(), params.weight.nrows()));
    y += &params.bias;
    general_mat_mul(F::one(), &x, &params.weight.t(), F::one(), &mut y);
    y
}

// y[r,o] = sum_i x[r,i] W[o,i] + b[o], hence with g = dLoss/dy:
// dW = gᵀ x,  db = column sums of g,  dx = g W.

/// Adds dLoss/dW and dLoss/db to `grad`, given x (rows, inputs) and dy (rows, outputs).
pub fn accumulate<F: Real>(x: ArrayView2<F>, dy: ArrayView2<F>, grad: &mut LinearParams<F>) {
    general_mat_mul(F::one(), &dy.t(), &x, F::one(), &mut grad.weight);
    grad.bias += &dy.sum_axis(Axis(0));
}

/// dLoss/dx (rows, inputs), given dy (rows, outputs).
pub fn input_gradient<F: Real>(params: &LinearParams<F>, dy: ArrayView2<F>) -> Array2<F> {
    dy.dot(&params.weight)
}
