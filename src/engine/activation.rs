//! GELU, gated linear unit and dropout: forward, backward.

use ndarray::{Array2, ArrayView2};
use rand::Rng;

use crate::engine::real::Real;
use crate::engine::simd::{Isa, Kernel, Lanes};

const ROOT_HALF: f64 = std::f64::consts::FRAC_1_SQRT_2;
const INVERSE_ROOT_TWO_PI: f64 = 0.398_942_280_401_432_7;

/// GELU(x) = x Φ(x) with the exact normal distribution function (Hendrycks and Gimpel, arXiv 1606.08415).
#[inline(always)]
pub fn gelu<F: Real>(x: F) -> F {
    F::of(0.5) * x * (F::one() + (x * F::of(ROOT_HALF)).erf())
}

// d GELU / dx = Φ(x) + x φ(x),  φ(x) = exp(−x²/2) / √(2π).

/// Derivative of [`gelu`].
#[inline(always)]
pub fn gelu_slope<F: Real>(x: F) -> F {
    let half = F::of(0.5);
    half * (F::one() + (x * F::of(ROOT_HALF)).erf())
        + x * F::of(INVERSE_ROOT_TWO_PI) * (-half * x * x).exp_fast()
}

/// [`gelu`] of every element of x (rows, H).
pub fn gelu_forward<F: Real>(x: ArrayView2<F>) -> Array2<F> {
    let mut y = Array2::zeros(x.dim());
    let (to, from) = (slice_mut(&mut y), slice(&x));
    Isa::detect().run(Gelu { to, from });
    y
}

struct Gelu<'a, F> {
    to: &'a mut [F],
    from: &'a [F],
}

impl<F: Real> Kernel for Gelu<'_, F> {
    #[inline(always)]
    fn run<S: Lanes>(self, _: S) {
        for (y, &x) in self.to.iter_mut().zip(self.from) {
            *y = gelu(x);
        }
    }
}

/// Turns dLoss/dGELU(x) (rows, H) into dLoss/dx, in place.
pub fn gelu_backward<F: Real>(x: ArrayView2<F>, dy: &mut Array2<F>) {
    assert_eq!(x.dim(), dy.dim(), "input and gradient");
    let (to, from) = (slice_mut(dy), slice(&x));
    Isa::detect().run(GeluBackward { to, from });
}

struct GeluBackward<'a, F> {
    to: &'a mut [F],
    from: &'a [F],
}

impl<F: Real> Kernel for GeluBackward<'_, F> {
    #[inline(always)]
    fn run<S: Lanes>(self, _: S) {
        for (dy, &x) in self.to.iter_mut().zip(self.from) {
            *dy *= gelu_slope(x);
        }
    }
}

/// The logistic function.
#[inline(always)]
pub fn sigmoid<F: Real>(x: F) -> F {
    F::one() / (F::one() + (-x).exp_fast())
}

/// Gated linear unit (Dauphin et al., arXiv 1612.08083): y (rows, H) = a σ(b) of v = (a, b) (rows, 2H).
///
/// The second half of v is replaced by the gate σ(b), which is what [`glu_backward`] needs.
pub fn glu_forward<F: Real>(v: &mut Array2<F>) -> Array2<F> {
    let hidden = v.ncols() / 2;
    let mut y = Array2::zeros((v.nrows(), hidden));
    Isa::detect().run(Glu { hidden, v: slice_mut(v), y: slice_mut(&mut y) });
    y
}

struct Glu<'a, F> {
    hidden: usize,
    v: &'a mut [F],
    y: &'a mut [F],
}

impl<F: Real> Kernel for Glu<'_, F> {
    #[inline(always)]
    fn run<S: Lanes>(self, _: S) {
        let rows = self.v.chunks_exact_mut(2 * self.hidden).zip(self.y.chunks_exact_mut(self.hidden));
        for (v, y) in rows {
            let (a, b) = v.split_at_mut(self.hidden);
            // In local blocks: the compiler does not see that the three slices lie apart.
            let blocks = a.chunks(BLOCK).zip(b.chunks_mut(BLOCK)).zip(y.chunks_mut(BLOCK));
            for ((a, b), y) in blocks {
                let mut gate = [F::zero(); BLOCK];
                gate[..b.len()].copy_from_slice(b);
                for gate in &mut gate {
                    *gate = sigmoid(*gate);
                }
                b.copy_from_slice(&gate[..b.len()]);
                for ((y, &a), &gate) in y.iter_mut().zip(a).zip(&gate) {
                    *y = a * gate;
                }
            }
        }
    }
}

/// Values whose gates are computed together.
const BLOCK: usize = 32;

// y = a σ(b):  da = σ dy,  db = a σ (1 − σ) dy.

/// dLoss/dv (rows, 2H) given the values and gates (a, σ(b)) that [`glu_forward`] left, and dy (rows, H).
pub fn glu_backward<F: Real>(gated: ArrayView2<F>, dy: ArrayView2<F>) -> Array2<F> {
    let hidden = gated.ncols() / 2;
    assert_eq!(dy.dim(), (gated.nrows(), hidden), "gradient of the gated output");
    let mut dv = Array2::zeros(gated.dim());
    Isa::detect().run(GluBackward { hidden, v: slice(&gated), dy: slice(&dy), dv: slice_mut(&mut dv) });
    dv
}

struct GluBackward<'a, F> {
    hidden: usize,
    v: &'a [F],
    dy: &'a [F],
    dv: &'a mut [F],
}

impl<F: Real> Kernel for GluBackward<'_, F> {
    #[inline(always)]
    fn run<S: Lanes>(self, _: S) {
        let hidden = self.hidden;
        let rows = self.v.chunks_exact(2 * hidden).zip(self.dy.chunks_exact(hidden));
        for ((v, dy), dv) in rows.zip(self.dv.chunks_exact_mut(2 * hidden)) {
            let (a, gate) = v.split_at(hidden);
            let (da, db) = dv.split_at_mut(hidden);
            for ((da, &gate), &dy) in da.iter_mut().zip(gate).zip(dy) {
                *da = gate * dy;
            }
            for (((db, &a), &gate), &da) in db.iter_mut().zip(a).zip(gate).zip(&*da) {
                *db = a * (F::one() - gate) * da;
            }
        }
    }
}

/// Dropout factors (rows, columns): 0 with the given probability, to the nearest 1/65536, else 1 / (1 − probability);
/// multiply by them in forward and in backward.
pub fn dropout_factors<F: Real>(shape: (usize, usize), probability: f64, rng: &mut impl Rng) -> Array2<F> {
    let kept = F::of(1.0 / (1.0 - probability));
    let threshold = (probability * 65_536.0).round() as u32;
    let mut factors = Array2::zeros(shape);
    let mut bytes = vec![0; 2 * factors.len()];
    rng.fill_bytes(&mut bytes);
    for (factor, draw) in slice_mut(&mut factors).iter_mut().zip(bytes.chunks_exact(2)) {
        let dropped = u32::from(u16::from_le_bytes([draw[0], draw[1]])) < threshold;
        *factor = if dropped { F::zero() } else { kept };
    }
    factors
}

fn slice<'a, F>(array: &'a ArrayView2<F>) -> &'a [F] {
    array.as_slice().expect("activations are in standard layout")
}

fn slice_mut<F>(array: &mut Array2<F>) -> &mut [F] {
    array.as_slice_mut().expect("activations are in standard layout")
}

#[cfg(test)]
mod tests {
    use super::dropout_factors;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn dropout_keeps_the_mean() {
        let factors = dropout_factors::<f64>((200, 100), 0.3, &mut ChaCha8Rng::seed_from_u64(1));
        let dropped = factors.iter().filter(|factor| **factor == 0.0).count();
        // Four standard deviations of a binomial count of 20 000 draws.
        assert!((dropped as f64 - 6000.0).abs() < 4.0 * (20_000.0 * 0.3 * 0.7_f64).sqrt());
        assert!(factors.iter().all(|&factor| factor == 0.0 || (factor - 1.0 / 0.7).abs() < 1e-12));
    }
}
