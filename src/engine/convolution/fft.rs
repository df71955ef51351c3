//! The convolution by real FFTs, channel by channel.

use std::sync::Arc;

use ndarray::{Array2, Array3, ArrayView1, ArrayView2, ArrayView3, Axis};
use num_complex::Complex;
use realfft::{ComplexToReal, RealToComplex};

use crate::engine::convolution::{ConvolutionGradient, Plan};
use crate::engine::real::Real;

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

/// See [`super::forward`].
pub(super) fn forward<F: Real>(
    plan: &Plan<F>,
    u: ArrayView3<F>,
    k: ArrayView2<F>,
    d: ArrayView1<F>,
) -> Array3<F> {
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

/// See [`super::backward`].
pub(super) fn backward<F: Real>(
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
