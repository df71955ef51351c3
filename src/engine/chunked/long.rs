//! A state-space layer as one long convolution per channel, by FFT: for models whose state has no diagonal form.
//!
//! Two sequences are the real and the imaginary part of one complex sequence z. A real kernel keeps them apart,
//!
//! ```text
//! y₁ + i y₂ = IFFT(K̂ ∘ FFT(z)),
//! ```
//!
//! so that a pair takes one transform there and one back, and none of half a spectrum.

use std::sync::Arc;

use ndarray::{Array1, Array2};
use num_complex::Complex;
use rustfft::{Fft, FftPlanner};

use crate::engine::block::BlockParams;
use crate::engine::chunked::CHUNK as T;
use crate::engine::chunked::ends::Frame;
use crate::engine::s4d::Discretization;
use crate::engine::simd::{Isa, Kernel, Lanes};

/// Single-precision complex number.
pub type C32 = Complex<f32>;

const ZERO: C32 = C32::new(0.0, 0.0);

/// Kernels of all channels of one layer as spectra of `size` values.
pub struct Long {
    /// Positions of a kernel (L).
    len: usize,
    /// Positions of a sequence, missing ones included.
    positions: usize,
    /// Values of a transform: sequences with what is missing before them, and the kernel behind.
    size: usize,
    forward: Arc<dyn Fft<f32>>,
    inverse: Arc<dyn Fft<f32>>,
    /// K̂ / size (H, size), D in K₀.
    kernel: Vec<C32>,
}

/// Memory for the transforms of one task.
pub struct Waves {
    u: Vec<C32>,
    dy: Vec<C32>,
    scratch: Vec<C32>,
}

/// Least number of values that a transform of this many may have: even, of small prime factors.
fn smooth(least: usize) -> usize {
    let is_smooth = |mut size: usize| {
        for factor in [2, 3, 5] {
            while size.is_multiple_of(factor) {
                size /= factor;
            }
        }
        size == 1
    };
    (least..).find(|&size| size.is_multiple_of(4) && is_smooth(size)).expect("there is a power of two")
}

impl Long {
    /// Zeros.
    pub fn new(hidden: usize, frame: Frame) -> Long {
        let positions = frame.per_sequence * T;
        let size = smooth(positions + frame.len);
        let mut planner = FftPlanner::new();
        Long {
            len: frame.len,
            positions,
            size,
            forward: planner.plan_fft_forward(size),
            inverse: planner.plan_fft_inverse(size),
            kernel: vec![ZERO; hidden * size],
        }
    }

    /// Memory for one task.
    pub fn waves(&self) -> Waves {
        let scratch = self.forward.get_inplace_scratch_len().max(self.inverse.get_inplace_scratch_len());
        Waves { u: vec![ZERO; self.size], dy: vec![ZERO; self.size], scratch: vec![ZERO; scratch] }
    }

    /// Transforms the kernels of these parameters.
    pub fn fill(&mut self, params: &BlockParams<f32>, discretization: Discretization) {
        let mut waves = self.waves();
        let kernel = params.ssm.kernel_forward(self.len, discretization);
        let reverse = params.reverse.as_ref();
        let reverse = reverse.map(|reverse| reverse.kernel_forward(&params.ssm, self.len, discretization));
        let scale = 1.0 / self.size as f32;
        let channels = self.kernel.chunks_exact_mut(self.size).zip(kernel.columns()).zip(params.ssm.d());
        for (h, ((spectrum, kernel), &d)) in channels.enumerate() {
            spectrum.fill(ZERO);
            for (to, &value) in spectrum.iter_mut().zip(kernel) {
                to.re = scale * value;
            }
            spectrum[0].re += scale * d;
            // Position −1 − l of a circle: what comes l + 1 positions later.
            for (to, &value) in
                spectrum.iter_mut().rev().zip(reverse.iter().flat_map(|reverse| reverse.column(h)))
            {
                to.re = scale * value;
            }
            self.forward.process_with_scratch(spectrum, &mut waves.scratch);
        }
    }

    /// Zeros, for the gradient of K̂ (H, size).
    pub fn zeros(&self) -> Vec<C32> {
        vec![ZERO; self.kernel.len()]
    }

    /// Values of the spectrum of one channel.
    pub fn size(&self) -> usize {
        self.size
    }

    /// y (sequences, positions) of u in channel `h`.
    pub fn forward(&self, isa: Isa, h: usize, u: &[f32], waves: &mut Waves, y: &mut [f32]) {
        let positions = self.positions;
        let kernel = &self.kernel[h * self.size..][..self.size];
        for (u, y) in u.chunks(2 * positions).zip(y.chunks_mut(2 * positions)) {
            pack(u, positions, &mut waves.u);
            self.forward.process_with_scratch(&mut waves.u, &mut waves.scratch);
            isa.run(Multiply { by: kernel, values: &mut waves.u });
            self.inverse.process_with_scratch(&mut waves.u, &mut waves.scratch);
            unpack(&waves.u, positions, y);
        }
    }

    // With Z = FFT(u₁ + i u₂), G = FFT(dy₁ + i dy₂) and real kernels, transposed convolutions are products with
    // conjugates:  du₁ + i du₂ = IFFT(conj(K̂) ∘ G),  and
    //   conj(Z) ∘ G = conj(U₁) G₁ + conj(U₂) G₂ + i (conj(U₁) G₂ − conj(U₂) G₁):
    // both brackets are spectra of real sequences, so that the real part of the inverse transform is that of the first, dK.

    /// du (sequences, positions) of dy in channel `h`, whose u was the input; adds to `gradient`, that of the channel.
    pub fn backward(
        &self,
        isa: Isa,
        h: usize,
        [u, dy]: [&[f32]; 2],
        waves: &mut Waves,
        gradient: &mut [C32],
        du: &mut [f32],
    ) {
        let kernel = &self.kernel[h * self.size..][..self.size];
        let (positions, pair) = (self.positions, 2 * self.positions);
        for ((u, dy), du) in u.chunks(pair).zip(dy.chunks(pair)).zip(du.chunks_mut(pair)) {
            pack(u, positions, &mut waves.u);
            pack(dy, positions, &mut waves.dy);
            self.forward.process_with_scratch(&mut waves.u, &mut waves.scratch);
            self.forward.process_with_scratch(&mut waves.dy, &mut waves.scratch);
            isa.run(MultiplyBack { kernel, u: &waves.u, dy: &mut waves.dy, gradient });
            self.inverse.process_with_scratch(&mut waves.dy, &mut waves.scratch);
            unpack(&waves.dy, positions, du);
        }
    }

    /// Adds the gradient of the parameters to `grad`; that of K̂ is lost.
    pub fn pull_back(
        &self,
        gradient: &mut [C32],
        params: &BlockParams<f32>,
        discretization: Discretization,
        grad: &mut BlockParams<f32>,
    ) {
        let mut waves = self.waves();
        let hidden = gradient.len() / self.size;
        let [mut dk, mut dk_reverse] = [(); 2].map(|()| Array2::<f32>::zeros((self.len, hidden)));
        let scale = 1.0 / self.size as f32;
        let columns = dk.columns_mut().into_iter().zip(dk_reverse.columns_mut());
        for (spectrum, (mut dk, mut dk_reverse)) in gradient.chunks_exact_mut(self.size).zip(columns) {
            self.inverse.process_with_scratch(spectrum, &mut waves.scratch);
            for (dk, value) in dk.iter_mut().zip(spectrum.iter()) {
                *dk = scale * value.re;
            }
            for (dk, value) in dk_reverse.iter_mut().zip(spectrum.iter().rev()) {
                *dk = scale * value.re;
            }
        }
        let dd: Array1<f32> = dk.row(0).to_owned();
        *grad.ssm.d_mut() += &dd;
        params.ssm.kernel_backward(discretization, dk.view(), &mut grad.ssm);
        if let (Some(reverse), Some(own)) = (&params.reverse, &mut grad.reverse) {
            reverse.kernel_backward(&params.ssm, discretization, dk_reverse.view(), own, &mut grad.ssm);
        }
    }
}

/// One or two sequences as the two parts of a complex one, zeros behind it.
fn pack(values: &[f32], positions: usize, to: &mut [C32]) {
    let (first, second) = values.split_at(positions);
    let (begin, behind) = to.split_at_mut(positions);
    if second.is_empty() {
        begin.iter_mut().zip(first).for_each(|(to, &re)| *to = C32::new(re, 0.0));
    } else {
        begin.iter_mut().zip(first).zip(second).for_each(|((to, &re), &im)| *to = C32::new(re, im));
    }
    behind.fill(ZERO);
}

/// The transpose of [`pack`].
fn unpack(values: &[C32], positions: usize, to: &mut [f32]) {
    let (first, second) = to.split_at_mut(positions);
    first.iter_mut().zip(values).for_each(|(to, value)| *to = value.re);
    second.iter_mut().zip(values).for_each(|(to, value)| *to = value.im);
}

/// values ∘ by.
struct Multiply<'a> {
    by: &'a [C32],
    values: &'a mut [C32],
}

impl Kernel for Multiply<'_> {
    #[inline(always)]
    fn run<S: Lanes>(self, _: S) {
        for (value, by) in self.values.iter_mut().zip(self.by) {
            *value = C32::new(value.re * by.re - value.im * by.im, value.re * by.im + value.im * by.re);
        }
    }
}

/// gradient += conj(u) ∘ dy, then dy ∘ conj(kernel).
struct MultiplyBack<'a> {
    kernel: &'a [C32],
    u: &'a [C32],
    dy: &'a mut [C32],
    gradient: &'a mut [C32],
}

impl Kernel for MultiplyBack<'_> {
    #[inline(always)]
    fn run<S: Lanes>(self, _: S) {
        for (((dy, u), k), sum) in self.dy.iter_mut().zip(self.u).zip(self.kernel).zip(self.gradient) {
            let g = *dy;
            sum.re += u.re * g.re + u.im * g.im;
            sum.im += u.re * g.im - u.im * g.re;
            *dy = C32::new(g.re * k.re + g.im * k.im, g.im * k.re - g.re * k.im);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::smooth;

    #[test]
    fn transforms_have_small_prime_factors() {
        assert_eq!([1, 17, 1584, 1601, 2049].map(smooth), [4, 20, 1600, 1620, 2160]);
    }
}
