//! Causal convolution with the skip D: y_t = Σ_{s≤t} K_{t−s} u_s + D u_t, forward and backward.
//!
//! Activations are (batch, L, H) row-major with H innermost, the kernel is (L, H), so the direct form is a multiply-add
//! of contiguous rows over all channels at once. Up to [`DIRECT_LEN_MAX`] positions that beats the FFT; beyond it the
//! FFT does the same sum in O(L log L). The last-position form serves heads that read one position only.

use std::sync::Arc;

use ndarray::{
    Array, Array1, Array2, Array3, ArrayView, ArrayView1, ArrayView2, ArrayView3, Axis, Dimension, s,
};
use num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

use crate::engine::real::Real;

/// Longest sequence that is convolved directly.
pub const DIRECT_LEN_MAX: usize = 96;

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
        Plan::Direct => direct_forward(u, k, d),
        Plan::Fft { .. } => fft_forward(plan, u, k, d),
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
        Plan::Direct => direct_backward(u, k, d, dy),
        Plan::Fft { .. } => fft_backward(plan, u, k, d, dy),
    }
}

/// y (batch, H) at the last position only.
pub fn last_forward<F: Real>(u: ArrayView3<F>, k: ArrayView2<F>, d: ArrayView1<F>) -> Array2<F> {
    let (batch, len, hidden) = u.dim();
    let (u, k, d) = (flat(&u), flat(&k), flat(&d));
    let mut y = Array2::zeros((batch, hidden));
    for (u, y) in u.chunks_exact(len * hidden).zip(flat_mut(&mut y).chunks_exact_mut(hidden)) {
        for s in 0..len {
            add_product(y, row(k, len - 1 - s, hidden), row(u, s, hidden));
        }
        add_product(y, d, row(u, len - 1, hidden));
    }
    y
}

/// Gradients given u (batch, L, H) and dy (batch, H) of the last position.
pub fn last_backward<F: Real>(
    u: ArrayView3<F>,
    k: ArrayView2<F>,
    d: ArrayView1<F>,
    dy: ArrayView2<F>,
) -> ConvolutionGradient<F> {
    let mut gradient = ConvolutionGradient::zeros(u.dim());
    let (_, len, hidden) = u.dim();
    let (u, k, d, dy) = (flat(&u), flat(&k), flat(&d), flat(&dy));
    let (du, dk, dd) = gradient.flat_mut();
    let samples = u.chunks_exact(len * hidden).zip(du.chunks_exact_mut(len * hidden));
    for ((u, du), dy) in samples.zip(dy.chunks_exact(hidden)) {
        for s in 0..len {
            add_product(row_mut(du, s, hidden), row(k, len - 1 - s, hidden), dy);
            add_product(row_mut(dk, len - 1 - s, hidden), row(u, s, hidden), dy);
        }
        add_product(row_mut(du, len - 1, hidden), d, dy);
        add_product(dd, row(u, len - 1, hidden), dy);
    }
    gradient
}

fn direct_forward<F: Real>(u: ArrayView3<F>, k: ArrayView2<F>, d: ArrayView1<F>) -> Array3<F> {
    let (_, len, hidden) = u.dim();
    let mut y = Array3::zeros(u.dim());
    let (u, k, d) = (flat(&u), flat(&k), flat(&d));
    for (u, y) in u.chunks_exact(len * hidden).zip(flat_mut(&mut y).chunks_exact_mut(len * hidden)) {
        for (t, y) in y.chunks_exact_mut(hidden).enumerate() {
            for s in 0..=t {
                add_product(y, row(k, t - s, hidden), row(u, s, hidden));
            }
            add_product(y, d, row(u, t, hidden));
        }
    }
    y
}

fn direct_backward<F: Real>(
    u: ArrayView3<F>,
    k: ArrayView2<F>,
    d: ArrayView1<F>,
    dy: ArrayView3<F>,
) -> ConvolutionGradient<F> {
    let mut gradient = ConvolutionGradient::zeros(u.dim());
    let (_, len, hidden) = u.dim();
    let (u, k, d, dy) = (flat(&u), flat(&k), flat(&d), flat(&dy));
    let (du, dk, dd) = gradient.flat_mut();
    let samples = u.chunks_exact(len * hidden).zip(du.chunks_exact_mut(len * hidden));
    for ((u, du), dy) in samples.zip(dy.chunks_exact(len * hidden)) {
        for (t, dy) in dy.chunks_exact(hidden).enumerate() {
            for s in 0..=t {
                add_product(row_mut(du, s, hidden), row(k, t - s, hidden), dy);
                add_product(row_mut(dk, t - s, hidden), row(u, s, hidden), dy);
            }
            add_product(row_mut(du, t, hidden), d, dy);
            add_product(dd, row(u, t, hidden), dy);
        }
    }
    gradient
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

/// out += a ⊙ b over one row of channels.
fn add_product<F: Real>(out: &mut [F], a: &[F], b: &[F]) {
    for ((out, &a), &b) in out.iter_mut().zip(a).zip(b) {
        *out += a * b;
    }
}

fn row<F>(values: &[F], index: usize, width: usize) -> &[F] {
    &values[index * width..][..width]
}

fn row_mut<F>(values: &mut [F], index: usize, width: usize) -> &mut [F] {
    &mut values[index * width..][..width]
}

fn flat<'a, F, D: Dimension>(array: &'a ArrayView<F, D>) -> &'a [F] {
    array.as_slice().expect("activations are in standard layout")
}

fn flat_mut<F, D: Dimension>(array: &mut Array<F, D>) -> &mut [F] {
    array.as_slice_mut().expect("activations are in standard layout")
}

/// The two transforms of a plan with their buffers.
struct Transform<F: Real> {
    forward: Arc<dyn RealToComplex<F>>,
    inverse: Arc<dyn ComplexToReal<F>>,
    time: Vec<F>,
    scratch: Vec<Complex<F>>,
}

impl<F: Real> Transform<F> {
    /// # Panics
    /// If the plan is direct: callers match on it first.
    fn new(plan: &Plan<F>) -> Transform<F> {
        let Plan::Fft { padded, forward, inverse } = plan else { panic!("a direct plan has no transform") };
        let scratch = forward.get_scratch_len().max(inverse.get_scratch_len());
        Transform {
            forward: forward.clone(),
            inverse: inverse.clone(),
            time: vec![F::zero(); *padded],
            scratch: vec![Complex::new(F::zero(), F::zero()); scratch],
        }
    }

    fn spectrum(&mut self, values: ArrayView1<F>) -> Vec<Complex<F>> {
        self.time.fill(F::zero());
        for (to, &from) in self.time.iter_mut().zip(values) {
            *to = from;
        }
        let mut spectrum = self.forward.make_output_vec();
        self.forward
            .process_with_scratch(&mut self.time, &mut spectrum, &mut self.scratch)
            .expect("buffers have the planned sizes");
        spectrum
    }

    /// Inverse transform; the result lies in `self.time`, normalised.
    fn invert(&mut self, mut spectrum: Vec<Complex<F>>) -> &[F] {
        // Rounding leaves a trace of imaginary part in the two real bins, which the inverse would refuse.
        spectrum[0].im = F::zero();
        if let Some(last) = spectrum.last_mut() {
            last.im = F::zero();
        }
        self.inverse
            .process_with_scratch(&mut spectrum, &mut self.time, &mut self.scratch)
            .expect("buffers have the planned sizes");
        let scale = F::one() / F::of(self.time.len() as f64);
        for value in &mut self.time {
            *value *= scale;
        }
        &self.time
    }
}

fn fft_forward<F: Real>(plan: &Plan<F>, u: ArrayView3<F>, k: ArrayView2<F>, d: ArrayView1<F>) -> Array3<F> {
    let mut transform = Transform::new(plan);
    let mut y = &u * &d;
    for h in 0..u.dim().2 {
        let kernel = transform.spectrum(k.column(h));
        for (u, mut y) in u.outer_iter().zip(y.outer_iter_mut()) {
            let product = multiply(&transform.spectrum(u.column(h)), &kernel);
            for (y, &value) in y.column_mut(h).iter_mut().zip(transform.invert(product)) {
                *y += value;
            }
        }
    }
    y
}

// In the frequency domain a transposed convolution is a product with the conjugate spectrum.
fn fft_backward<F: Real>(
    plan: &Plan<F>,
    u: ArrayView3<F>,
    k: ArrayView2<F>,
    d: ArrayView1<F>,
    dy: ArrayView3<F>,
) -> ConvolutionGradient<F> {
    let mut transform = Transform::new(plan);
    let mut du = &dy * &d;
    let mut dk = Array2::zeros(k.dim());
    let dd = (&u * &dy).sum_axis(Axis(0)).sum_axis(Axis(0));
    for h in 0..u.dim().2 {
        let kernel = conjugate(transform.spectrum(k.column(h)));
        let mut dk_spectrum = vec![Complex::new(F::zero(), F::zero()); kernel.len()];
        for ((u, dy), mut du) in u.outer_iter().zip(dy.outer_iter()).zip(du.outer_iter_mut()) {
            let dy = transform.spectrum(dy.column(h));
            for (sum, value) in
                dk_spectrum.iter_mut().zip(multiply(&dy, &conjugate(transform.spectrum(u.column(h)))))
            {
                *sum += value;
            }
            for (du, &value) in du.column_mut(h).iter_mut().zip(transform.invert(multiply(&dy, &kernel))) {
                *du += value;
            }
        }
        for (dk, &value) in dk.column_mut(h).iter_mut().zip(transform.invert(dk_spectrum)) {
            *dk = value;
        }
    }
    ConvolutionGradient { du, dk, dd }
}

fn multiply<F: Real>(a: &[Complex<F>], b: &[Complex<F>]) -> Vec<Complex<F>> {
    a.iter().zip(b).map(|(a, b)| a * b).collect()
}

fn conjugate<F: Real>(spectrum: Vec<Complex<F>>) -> Vec<Complex<F>> {
    spectrum.into_iter().map(|value| value.conj()).collect()
}

/// Anti-causal convolution, y_t = Σ_{s>t} K_{s−t−1} u_s: the second half of a bidirectional layer, which shares A and
/// dt with the causal half and has a C of its own. The position itself belongs to the causal half.
pub fn anticausal_forward<F: Real>(plan: &Plan<F>, u: ArrayView3<F>, k: ArrayView2<F>) -> Array3<F> {
    let none = Array1::zeros(k.ncols());
    reverse(forward(plan, delayed_reverse(u).view(), k, none.view()).view())
}

// With R the reversal, S the delay by one and T the causal map, y = R T S R u. R is its own transpose, and so is S R
// (it sends position L−i to i), hence du = S R Tᵀ R dy.

/// Gradients of [`anticausal_forward`]; the gradient of D is zero.
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

    #[test]
    fn last_position_is_the_last_row_of_all() {
        let (u, k, d) = (random((2, 9, 4), 1), random((9, 4), 2), random(4, 3));
        let all = forward(&Plan::Direct, u.view(), k.view(), d.view());
        close(&last_forward(u.view(), k.view(), d.view()), &all.slice(s![.., 8, ..]).to_owned());
        let last = random((2, 4), 4);
        let mut dy = Array3::zeros((2, 9, 4));
        dy.slice_mut(s![.., 8, ..]).assign(&last);
        let a = last_backward(u.view(), k.view(), d.view(), last.view());
        let b = backward(&Plan::Direct, u.view(), k.view(), d.view(), dy.view());
        close(&a.du, &b.du);
        close(&a.dk, &b.dk);
        close(&a.dd, &b.dd);
    }
}
