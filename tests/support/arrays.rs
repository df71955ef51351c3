//! Random arrays, layouts and distances.

use ndarray::{Array, ArrayBase, Data, Dimension, Ix3, ShapeBuilder};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use s4cast::engine::dplr::DplrParams;
use s4cast::engine::real::Real;
use s4cast::engine::s4d::{Init, S4dParams};

/// Uniform on (−1, 1).
pub fn random<D: Dimension>(shape: impl ShapeBuilder<Dim = D>, seed: u64) -> Array<f64, D> {
    let mut rng = generator(seed);
    Array::from_shape_simple_fn(shape, || rng.random_range(-1.0..1.0))
}

/// The generator of a test.
pub fn generator(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// State-space parameters of one initialisation with a B that is no longer real and dt around 0.1.
pub fn random_ssm(hidden: usize, modes: usize, init: Init, seed: u64) -> S4dParams<f64> {
    let mut params = S4dParams::init(hidden, modes, init, (0.02, 0.3), &mut generator(seed));
    params.b_re += &random((hidden, modes), seed + 1);
    params.b_im += &random((hidden, modes), seed + 2);
    params
}

/// DPLR parameters away from their initialisation, with P and B that are no longer real and dt around 0.1.
pub fn random_dplr(hidden: usize, modes: usize, len: usize, seed: u64) -> DplrParams<f64> {
    let mut params = DplrParams::init(hidden, modes, len, (0.02, 0.3), &mut generator(seed));
    let shape = (hidden, modes);
    let parts = [&mut params.log_neg_a, &mut params.a_im, &mut params.p_re, &mut params.p_im];
    for (index, part) in parts.into_iter().chain([&mut params.b_re, &mut params.b_im]).enumerate() {
        *part += &(random(shape, seed + 1 + index as u64) * 0.3);
    }
    params
}

/// (batch, H, L) as (batch, L, H), or the reverse.
pub fn swap_last<F: Real, S: Data<Elem = F>>(x: &ArrayBase<S, Ix3>) -> Array<F, Ix3> {
    x.view().permuted_axes([0, 2, 1]).as_standard_layout().into_owned()
}

/// Σ a ⊙ b.
pub fn dot<D: Dimension>(a: &Array<f64, D>, b: &Array<f64, D>) -> f64 {
    assert_eq!(a.shape(), b.shape());
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Largest absolute difference, relative to the largest absolute value of `b` where that exceeds one.
pub fn distance<'a>(a: impl IntoIterator<Item = &'a f64>, b: impl IntoIterator<Item = &'a f64>) -> f64 {
    let (mut difference, mut size) = (0.0_f64, 1.0_f64);
    let mut b = b.into_iter();
    for a in a {
        let b = b.next().expect("as many values on both sides");
        assert!(a.is_finite() && b.is_finite(), "{a} against {b}");
        difference = difference.max((a - b).abs());
        size = size.max(b.abs());
    }
    assert!(b.next().is_none(), "as many values on both sides");
    difference / size
}
