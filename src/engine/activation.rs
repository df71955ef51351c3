//! GELU, gated linear unit and dropout: forward, backward.

use ndarray::{Array2, ArrayView2, Zip, s};
use rand::{Rng, RngExt};

use crate::engine::real::Real;

/// GELU(x) = x Φ(x) with the exact normal distribution function (Hendrycks and Gimpel, arXiv 1606.08415).
pub fn gelu<F: Real>(x: F) -> F {
    let half = F::of(0.5);
    let root_half = F::of(std::f64::consts::FRAC_1_SQRT_2);
    half * x * (F::one() + (x * root_half).erf())
}

// d GELU / dx = Φ(x) + x φ(x),  φ(x) = exp(−x²/2) / √(2π).

/// Derivative of [`gelu`].
pub fn gelu_slope<F: Real>(x: F) -> F {
    let half = F::of(0.5);
    let root_half = F::of(std::f64::consts::FRAC_1_SQRT_2);
    let inverse_root_two_pi = F::of(0.398_942_280_401_432_7);
    half * (F::one() + (x * root_half).erf()) + x * inverse_root_two_pi * (-half * x * x).exp_fast()
}

/// The logistic function.
pub fn sigmoid<F: Real>(x: F) -> F {
    F::one() / (F::one() + (-x).exp_fast())
}

/// Gated linear unit of v (rows, 2H): first half times the sigmoid of the second (Dauphin et al., arXiv 1612.08083).
pub fn glu_forward<F: Real>(v: ArrayView2<F>) -> Array2<F> {
    let hidden = v.ncols() / 2;
    let mut y = Array2::zeros((v.nrows(), hidden));
    Zip::from(&mut y)
        .and(v.slice(s![.., ..hidden]))
        .and(v.slice(s![.., hidden..]))
        .for_each(|y, &a, &b| *y = a * sigmoid(b));
    y
}

// y = a σ(b):  da = σ dy,  db = a σ (1 − σ) dy.

/// dLoss/dv (rows, 2H) given v (rows, 2H) and dy (rows, H).
pub fn glu_backward<F: Real>(v: ArrayView2<F>, dy: ArrayView2<F>) -> Array2<F> {
    let hidden = v.ncols() / 2;
    let mut dv = Array2::zeros(v.dim());
    let (mut da, mut db) = dv.view_mut().split_at(ndarray::Axis(1), hidden);
    Zip::from(&mut da)
        .and(&mut db)
        .and(v.slice(s![.., ..hidden]))
        .and(v.slice(s![.., hidden..]))
        .and(dy)
        .for_each(|da, db, &a, &b, &dy| {
            let gate = sigmoid(b);
            *da = gate * dy;
            *db = a * gate * (F::one() - gate) * dy;
        });
    dv
}

/// Dropout factors (rows, columns): 0 with the given probability, else 1 / (1 − probability); multiply by them in
/// forward and in backward.
pub fn dropout_factors<F: Real>(shape: (usize, usize), probability: f64, rng: &mut impl Rng) -> Array2<F> {
    let kept = F::of(1.0 / (1.0 - probability));
    let threshold = (probability * 4_294_967_296.0) as u32;
    Array2::from_shape_simple_fn(shape, || if rng.random::<u32>() < threshold { F::zero() } else { kept })
}
