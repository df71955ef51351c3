//! Causal convolution with the skip D: y_t = Σ_{s≤t} K_{t−s} u_s + D u_t, forward and backward.
//!
//! Activations are (batch, L, H) row-major with H innermost, the kernel is (L, H), so the direct form is a multiply-add
//! of contiguous channels. Up to [`DIRECT_LEN_MAX`] positions that beats the FFT; beyond it the FFT does the same sum in
//! O(L log L). The last-position form serves heads that read one position only.

mod direct;
mod fft;

use std::sync::Arc;

use ndarray::{Array, Array1, Array2, Array3, ArrayView, ArrayView1, ArrayView2, ArrayView3, Dimension, s};
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

use crate::engine::real::Real;

/// Longest sequence that is convolved directly.
pub const DIRECT_LEN_MAX: usize = 128;

/// How to convolve sequences of one length.
#[derive(Clone)]
pub enum Plan<F: Real> {
    /// Sums of products.
    Direct,
    /// Real FFT of this padded length, forward and inverse.
    Fft {
        /// Padded length, at least 2 L so that nothing wraps around.
        padded: usize,
        /// Real to half spectrum.
        forward: Arc<dyn RealToComplex<F>>,
        /// Half spectrum to real, unnormalised.
        inverse: Arc<dyn ComplexToReal<F>>,
    },
}

impl<F: Real> Plan<F> {
    /// The faster plan for that length.
    pub fn new(len: usize) -> Plan<F> {
        if len <= DIRECT_LEN_MAX { Plan::Direct } else { Plan::fft(len) }
    }

    /// The FFT plan for that length.
    pub fn fft(len: usize) -> Plan<F> {
        let padded = (2 * len).next_power_of_two();
        let mut planner = RealFftPlanner::new();
        let (forward, inverse) = (planner.plan_fft_forward(padded), planner.plan_fft_inverse(padded));
        Plan::Fft { padded, forward, inverse }
    }
}

/// Gradients of a convolution.
pub struct ConvolutionGradient<F> {
    /// dLoss/du (batch, L, H).
    pub du: Array3<F>,
    /// dLoss/dK (L, H).
    pub dk: Array2<F>,
    /// dLoss/dD (H).
    pub dd: Array1<F>,
}

/// y (batch, L, H) of u (batch, L, H), K (L, H) and D (H).
pub fn forward<F: Real>(plan: &Plan<F>, u: ArrayView3<F>, k: ArrayView2<F>, d: ArrayView1<F>) -> Array3<F> {
    match plan {
        Plan::Direct => direct::forward(u, k, d),
        Plan::Fft { .. } => fft::forward(plan, u, k, d),
    }
}

// The map u -> y is the lower triangular Toeplitz matrix of K plus D I; its transpose gives
//   du_s = Σ_{t≥s} K_{t−s} dy_t + D dy_s,   dK_m = Σ_{batch,t} dy_t u_{t−m},   dD = Σ_{batch,t} dy_t u_t.

/// Gradients given u and dy (batch, L, H).
pub fn backward<F: Real>(
    plan: &Plan<F>,
    u: ArrayView3<F>,
    k: ArrayView2<F>,
    d: ArrayView1<F>,
    dy: ArrayView3<F>,
) -> ConvolutionGradient<F> {
    match plan {
        Plan::Direct => direct::backward(u, k, d, dy),
        Plan::Fft { .. } => fft::backward(plan, u, k, d, dy),
    }
}

/// y (batch, H) at the last position only.
pub fn last_forward<F: Real>(u: ArrayView3<F>, k: ArrayView2<F>, d: ArrayView1<F>) -> Array2<F> {
    direct::last_forward(u, k, d)
}

/// Gradients given u (batch, L, H) and dy (batch, H) of the last position.
pub fn last_backward<F: Real>(
    u: ArrayView3<F>,
    k: ArrayView2<F>,
    d: ArrayView1<F>,
    dy: ArrayView2<F>,
) -> ConvolutionGradient<F> {
    direct::last_backward(u, k, d, dy)
}

/// Anti-causal convolution, y_t = Σ_{s>t} K_{s−t−1} u_s with y, u (batch, L, H) and K (L, H): the second half of a
/// bidirectional layer, which shares A and dt with the causal half and has a C of its own. The position itself belongs to
/// the causal half.
pub fn anticausal_forward<F: Real>(plan: &Plan<F>, u: ArrayView3<F>, k: ArrayView2<F>) -> Array3<F> {
    let none = Array1::zeros(k.ncols());
    reverse(forward(plan, delayed_reverse(u).view(), k, none.view()).view())
}

// With R the reversal, S the delay by one and T the causal map, y = R T S R u. R is its own transpose, and so is S R
// (it sends position L−i to i), hence du = S R Tᵀ R dy.

/// Gradients of [`anticausal_forward`] given u and dy (batch, L, H); the gradient of D is zero.
pub fn anticausal_backward<F: Real>(
    plan: &Plan<F>,
    u: ArrayView3<F>,
    k: ArrayView2<F>,
    dy: ArrayView3<F>,
) -> ConvolutionGradient<F> {
    let none = Array1::zeros(k.ncols());
    let inner = backward(plan, delayed_reverse(u).view(), k, none.view(), reverse(dy).view());
    ConvolutionGradient { du: delayed_reverse(inner.du.view()), dk: inner.dk, dd: none }
}

/// The sequence backwards in time.
fn reverse<F: Real>(x: ArrayView3<F>) -> Array3<F> {
    x.slice(s![.., ..;-1, ..]).as_standard_layout().into_owned()
}

/// The sequence backwards in time, one position later, zero at the first.
fn delayed_reverse<F: Real>(x: ArrayView3<F>) -> Array3<F> {
    let mut y = Array3::zeros(x.dim());
    y.slice_mut(s![.., 1.., ..]).assign(&x.slice(s![.., 1..;-1, ..]));
    y
}

impl<F: Real> ConvolutionGradient<F> {
    fn zeros(shape: (usize, usize, usize)) -> ConvolutionGradient<F> {
        let (_, len, hidden) = shape;
        ConvolutionGradient {
            du: Array3::zeros(shape),
            dk: Array2::zeros((len, hidden)),
            dd: Array1::zeros(hidden),
        }
    }

    fn flat_mut(&mut self) -> (&mut [F], &mut [F], &mut [F]) {
        (flat_mut(&mut self.du), flat_mut(&mut self.dk), flat_mut(&mut self.dd))
    }
}

fn flat<'a, F, D: Dimension>(array: &'a ArrayView<F, D>) -> &'a [F] {
    array.as_slice().expect("activations are in standard layout")
}

fn flat_mut<F, D: Dimension>(array: &mut Array<F, D>) -> &mut [F] {
    array.as_slice_mut().expect("activations are in standard layout")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn random<D: Dimension>(shape: impl ndarray::ShapeBuilder<Dim = D>, seed: u64) -> Array<f64, D> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        Array::from_shape_simple_fn(shape, || rng.random_range(-1.0..1.0))
    }

    fn close<D: Dimension>(a: &Array<f64, D>, b: &Array<f64, D>) {
        let worst = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(worst < 1e-12, "differ by {worst}");
    }

    #[test]
    fn fft_and_direct_agree_forward_and_backward() {
        for len in [1, 2, 7, 33] {
            let (u, dy) = (random((3, len, 5), 1), random((3, len, 5), 2));
            let (k, d) = (random((len, 5), 3), random(5, 4));
            let fft = Plan::fft(len);
            let direct = Plan::Direct;
            close(
                &forward(&fft, u.view(), k.view(), d.view()),
                &forward(&direct, u.view(), k.view(), d.view()),
            );
            let a = backward(&fft, u.view(), k.view(), d.view(), dy.view());
            let b = backward(&direct, u.view(), k.view(), d.view(), dy.view());
            close(&a.du, &b.du);
            close(&a.dk, &b.dk);
            close(&a.dd, &b.dd);
        }
    }

    // 21 channels are one tile of each width.
    #[test]
    fn last_position_is_the_last_row_of_all() {
        let (u, k, d) = (random((2, 9, 21), 1), random((9, 21), 2), random(21, 3));
        let all = forward(&Plan::Direct, u.view(), k.view(), d.view());
        close(&last_forward(u.view(), k.view(), d.view()), &all.slice(s![.., 8, ..]).to_owned());
        let last = random((2, 21), 4);
        let mut dy = Array3::zeros((2, 9, 21));
        dy.slice_mut(s![.., 8, ..]).assign(&last);
        let a = last_backward(u.view(), k.view(), d.view(), last.view());
        let b = backward(&Plan::Direct, u.view(), k.view(), d.view(), dy.view());
        close(&a.du, &b.du);
        close(&a.dk, &b.dk);
        close(&a.dd, &b.dd);
    }
}
