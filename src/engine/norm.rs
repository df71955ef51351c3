//! Layer norm over the hidden axis: forward, backward.

use ndarray::{Array1, Array2, ArrayView2};

use crate::engine::param::{Kind, Tensor, tensor};
use crate::engine::real::Real;

/// Added to the variance.
pub const EPSILON: f64 = 1e-5;

/// Scale and shift.
#[derive(Clone, Debug)]
pub struct NormParams<F> {
    /// gamma (H).
    pub gamma: Array1<F>,
    /// beta (H).
    pub beta: Array1<F>,
}

impl<F: Real> NormParams<F> {
    /// All zeros, for gradients.
    pub fn zeros(hidden: usize) -> NormParams<F> {
        NormParams { gamma: Array1::zeros(hidden), beta: Array1::zeros(hidden) }
    }

    /// The identity: gamma 1, beta 0.
    pub fn init(hidden: usize) -> NormParams<F> {
        NormParams { gamma: Array1::ones(hidden), beta: Array1::zeros(hidden) }
    }

    /// Named tensors.
    pub fn tensors(&mut self, prefix: &str) -> Vec<Tensor<'_, F>> {
        vec![
            tensor(prefix, "gamma", Kind::Vector, &mut self.gamma),
            tensor(prefix, "beta", Kind::Vector, &mut self.beta),
        ]
    }
}

/// What backward needs.
#[derive(Clone, Debug)]
pub struct NormCache<F> {
    /// (x − mean) / sd, (rows, H).
    normal: Array2<F>,
    /// 1 / sd (rows).
    inverse_sd: Array1<F>,
}

/// y (rows, H) = gamma (x − mean) / √(var + eps) + beta, row by row.
pub fn forward<F: Real>(params: &NormParams<F>, x: ArrayView2<F>) -> (Array2<F>, NormCache<F>) {
    let (rows, hidden) = x.dim();
    let scale = F::one() / F::of(hidden as f64);
    let mut normal = Array2::zeros((rows, hidden));
    let mut inverse_sd = Array1::zeros(rows);
    for ((x, mut normal), inverse_sd) in x.outer_iter().zip(normal.outer_iter_mut()).zip(&mut inverse_sd) {
        let mean = x.sum() * scale;
        normal.zip_mut_with(&x, |n, &x| *n = x - mean);
        let variance = normal.fold(F::zero(), |sum, &n| sum + n * n) * scale;
        *inverse_sd = F::one() / (variance + F::of(EPSILON)).sqrt();
        normal *= *inverse_sd;
    }
    let y = &normal * &params.gamma + &params.beta;
    (y, NormCache { normal, inverse_sd })
}

// With n = (x − mean) r, r = 1/sd, and q = gamma ⊙ dy: both mean and r depend on every x of the row, and
// dx = r (q − mean(q) − n mean(q ⊙ n));  dgamma = sum dy ⊙ n,  dbeta = sum dy.

/// dLoss/dx (rows, H) given dy (rows, H); adds dgamma and dbeta to `grad`.
pub fn backward<F: Real>(
    params: &NormParams<F>,
    cache: &NormCache<F>,
    dy: ArrayView2<F>,
    grad: &mut NormParams<F>,
) -> Array2<F> {
    let (rows, hidden) = dy.dim();
    let scale = F::one() / F::of(hidden as f64);
    let mut dx = Array2::zeros((rows, hidden));
    for (row, mut dx) in dx.outer_iter_mut().enumerate() {
        let (dy, normal) = (dy.row(row), cache.normal.row(row));
        let (mut mean_q, mut mean_qn) = (F::zero(), F::zero());
        for h in 0..hidden {
            grad.gamma[h] += dy[h] * normal[h];
            grad.beta[h] += dy[h];
            dx[h] = dy[h] * params.gamma[h];
            mean_q += dx[h];
            mean_qn += dx[h] * normal[h];
        }
        (mean_q, mean_qn) = (mean_q * scale, mean_qn * scale);
        let r = cache.inverse_sd[row];
        dx.zip_mut_with(&normal, |q, &n| *q = r * (*q - mean_q - n * mean_qn));
    }
    dx
}
