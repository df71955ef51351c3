//! Layer norm over the hidden axis: forward, backward.

use ndarray::{Array, Array1, Array2, ArrayBase, ArrayView2, Data, Dimension};

use crate::engine::param::{Kind, Tensor, tensor};
use crate::engine::real::Real;
use crate::engine::simd::{Isa, Kernel, Lanes};

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
    let mut y = Array2::zeros((rows, hidden));
    let mut cache = NormCache { normal: Array2::zeros((rows, hidden)), inverse_sd: Array1::zeros(rows) };
    Isa::detect().run(Forward {
        gamma: slice(&params.gamma),
        beta: slice(&params.beta),
        x: slice(&x),
        y: slice_mut(&mut y),
        normal: slice_mut(&mut cache.normal),
        inverse_sd: slice_mut(&mut cache.inverse_sd),
    });
    (y, cache)
}

struct Forward<'a, F> {
    gamma: &'a [F],
    beta: &'a [F],
    x: &'a [F],
    y: &'a mut [F],
    normal: &'a mut [F],
    inverse_sd: &'a mut [F],
}

impl<F: Real> Kernel for Forward<'_, F> {
    #[inline(always)]
    fn run<S: Lanes>(self, _: S) {
        let Forward { gamma, beta, x, y, normal, inverse_sd } = self;
        let hidden = gamma.len();
        let scale = F::one() / F::of(hidden as f64);
        let outputs = y.chunks_exact_mut(hidden).zip(inverse_sd);
        let inputs = x.chunks_exact(hidden).zip(normal.chunks_exact_mut(hidden));
        for ((x, normal), (y, inverse_sd)) in inputs.zip(outputs) {
            let mean = sum(x) * scale;
            for (normal, &x) in normal.iter_mut().zip(x) {
                *normal = x - mean;
            }
            let variance = dot(normal, normal) * scale;
            *inverse_sd = F::one() / (variance + F::of(EPSILON)).sqrt();
            for (((y, normal), &gamma), &beta) in y.iter_mut().zip(normal).zip(gamma).zip(beta) {
                *normal *= *inverse_sd;
                *y = *normal * gamma + beta;
            }
        }
    }
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
    let mut dx = Array2::zeros(dy.dim());
    Isa::detect().run(Backward {
        gamma: slice(&params.gamma),
        normal: slice(&cache.normal),
        inverse_sd: slice(&cache.inverse_sd),
        dy: slice(&dy),
        dx: slice_mut(&mut dx),
        d_gamma: slice_mut(&mut grad.gamma),
        d_beta: slice_mut(&mut grad.beta),
    });
    dx
}

struct Backward<'a, F> {
    gamma: &'a [F],
    normal: &'a [F],
    inverse_sd: &'a [F],
    dy: &'a [F],
    dx: &'a mut [F],
    d_gamma: &'a mut [F],
    d_beta: &'a mut [F],
}

impl<F: Real> Kernel for Backward<'_, F> {
    #[inline(always)]
    fn run<S: Lanes>(self, _: S) {
        let Backward { gamma, normal, inverse_sd, dy, dx, d_gamma, d_beta } = self;
        let hidden = gamma.len();
        let scale = F::one() / F::of(hidden as f64);
        let inputs = dy.chunks_exact(hidden).zip(normal.chunks_exact(hidden));
        for ((dy, normal), (dx, &r)) in inputs.zip(dx.chunks_exact_mut(hidden).zip(inverse_sd)) {
            for ((d_gamma, &dy), &normal) in d_gamma.iter_mut().zip(dy).zip(normal) {
                *d_gamma += dy * normal;
            }
            for ((d_beta, &dy), (dx, &gamma)) in d_beta.iter_mut().zip(dy).zip(dx.iter_mut().zip(gamma)) {
                *d_beta += dy;
                *dx = dy * gamma;
            }
            let mean_q = sum(dx) * scale;
            let mean_qn = dot(dx, normal) * scale;
            for (q, &normal) in dx.iter_mut().zip(normal) {
                *q = r * (*q - mean_q - normal * mean_qn);
            }
        }
    }
}

/// Lanes of [`sum`] and [`dot`].
const LANES: usize = 8;

/// Sum in interleaved partial sums, always in the same order: one long chain of additions would wait for each.
#[inline(always)]
fn sum<F: Real>(values: &[F]) -> F {
    let mut partial = [F::zero(); LANES];
    let chunks = values.chunks_exact(LANES);
    let rest: F = chunks.remainder().iter().copied().sum();
    for chunk in chunks {
        for lane in 0..LANES {
            partial[lane] += chunk[lane];
        }
    }
    fold(partial) + rest
}

/// Σ a ⊙ b in the order of [`sum`].
#[inline(always)]
fn dot<F: Real>(a: &[F], b: &[F]) -> F {
    let mut partial = [F::zero(); LANES];
    let (a, b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: F = a.remainder().iter().zip(b.remainder()).map(|(&a, &b)| a * b).sum();
    for (a, b) in a.zip(b) {
        for lane in 0..LANES {
            partial[lane] += a[lane] * b[lane];
        }
    }
    fold(partial) + rest
}

#[inline(always)]
fn fold<F: Real>(partial: [F; LANES]) -> F {
    let pair = |lane: usize| partial[lane] + partial[lane + LANES / 2];
    (pair(0) + pair(1)) + (pair(2) + pair(3))
}

fn slice<F, S: Data<Elem = F>, D: Dimension>(array: &ArrayBase<S, D>) -> &[F] {
    array.as_slice().expect("activations are in standard layout")
}

fn slice_mut<F, D: Dimension>(array: &mut Array<F, D>) -> &mut [F] {
    array.as_slice_mut().expect("activations are in standard layout")
}
