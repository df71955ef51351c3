//! What happens position by position between two state-space layers, a chunk at a time and all in the first caches:
//! GELU → linear → GLU → residual → norm, forward and backward.
//!
//! A chunk is (rows, T) with positions innermost, so that the mixing map is one product and the norm sums registers.

use crate::engine::chunked::CHUNK as T;
use crate::engine::chunked::ends::Frame;
use crate::engine::norm::EPSILON;
use crate::engine::simd::math::{normal_cdf, normal_density, sigmoid};
use crate::engine::simd::product::{self, Rows, Start};
use crate::engine::simd::{Kernel, Lanes};

/// Floats per row of a partial sum: one register of the widest kind.
pub const PARTIAL: usize = 16;

/// Scale and shift of the norm that follows.
#[derive(Clone, Copy)]
pub struct Norm<'a> {
    /// gamma (H).
    pub gamma: &'a [f32],
    /// beta (H).
    pub beta: &'a [f32],
}

/// Output of the state-space layer of this block, one channel after the other.
#[derive(Clone, Copy)]
pub struct ByChannel<'a> {
    /// Values.
    pub values: &'a [f32],
    /// Distance between channels.
    pub stride: usize,
}

/// Forward over a group of chunks.
pub struct Forward<'a> {
    /// Where positions lie: missing ones are zero in the norm's output, which the next state-space layer reads.
    pub frame: Frame,
    /// Output of the state-space layer.
    pub y: ByChannel<'a>,
    /// First chunk of the group, and how far chunks are apart in all that follow.
    pub first: usize,
    /// Distance between chunks.
    pub stride: usize,
    /// What is added to the block's output (chunks, H, T).
    pub residual: &'a [f32],
    /// W (2H, H) and bias (2H).
    pub mix: (&'a [f32], &'a [f32]),
    /// The norm.
    pub norm: Norm<'a>,
    /// Values and gates (chunks, 2H, T), or memory for one chunk if nobody needs them afterwards.
    pub gated: &'a mut [f32],
    /// Sum of residual and block (chunks, H, T).
    pub sum: &'a mut [f32],
    /// Its mean and inverse standard deviation (chunks, 2, T).
    pub moments: &'a mut [f32],
    /// Its norm (chunks, H, T).
    pub normed: &'a mut [f32],
    /// Memory (H, T).
    pub activated: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    #[inline(always)]
    fn run<S: Lanes>(self, simd: S) {
        let hidden = self.norm.gamma.len();
        let (lanes, stride) = (S::F32_LANES, self.stride);
        let registers = T / lanes;
        let chunks = self.sum.len() / stride;
        let kept = self.gated.len() >= 2 * chunks * hidden * T;
        let (weight, bias) = self.mix;
        let weight = Rows { values: weight, stride: hidden, k: hidden };
        for c in 0..chunks {
            gelu(simd, self.y, self.first + c, hidden, self.activated);
            let gated = &mut self.gated[if kept { c * 2 * hidden * T } else { 0 }..][..2 * hidden * T];
            let activated = S::as_simd_f32s(self.activated).0;
            product::rows(simd, Start::Bias(bias), &[(weight, activated)], 2 * hidden, T, gated);
            let (value, gate) = S::as_mut_simd_f32s(gated).0.split_at_mut(hidden * registers);
            let residual = S::as_simd_f32s(&self.residual[(self.first + c) * stride..][..hidden * T]).0;
            let sum = S::as_mut_simd_f32s(&mut self.sum[c * stride..][..hidden * T]).0;
            for ((sum, &residual), (&value, gate)) in
                sum.iter_mut().zip(residual).zip(value.iter().zip(gate))
            {
                *gate = sigmoid(simd, *gate);
                *sum = simd.mul_add_e_f32s(value, *gate, residual);
            }
            let moments = &mut self.moments[c * 2 * T..][..2 * T];
            let normed = &mut self.normed[c * stride..][..hidden * T];
            norm(simd, sum, self.norm, moments, normed);
            self.frame.clear(self.first + c, normed);
        }
    }
}

/// [`Norm`] over a group of chunks: what the first block reads of the encoder's output.
pub struct NormForward<'a> {
    /// Where positions lie.
    pub frame: Frame,
    /// First chunk of the group.
    pub first: usize,
    /// The norm.
    pub norm: Norm<'a>,
    /// Distance between chunks.
    pub stride: usize,
    /// Input (chunks, H, T).
    pub sum: &'a [f32],
    /// Mean and inverse standard deviation (chunks, 2, T).
    pub moments: &'a mut [f32],
    /// Output (chunks, H, T).
    pub normed: &'a mut [f32],
}

impl Kernel for NormForward<'_> {
    #[inline(always)]
    fn run<S: Lanes>(self, simd: S) {
        let size = self.norm.gamma.len() * T;
        for (c, normed) in self.normed.chunks_exact_mut(self.stride).enumerate() {
            let sum = S::as_simd_f32s(&self.sum[c * self.stride..][..size]).0;
            norm(simd, sum, self.norm, &mut self.moments[c * 2 * T..][..2 * T], &mut normed[..size]);
            self.frame.clear(self.first + c, &mut normed[..size]);
        }
    }
}

/// GELU of a chunk's rows, gathered from all channels.
#[inline(always)]
fn gelu<S: Lanes>(simd: S, y: ByChannel, chunk: usize, hidden: usize, activated: &mut [f32]) {
    let registers = T / S::F32_LANES;
    let (activated, _) = S::as_mut_simd_f32s(activated);
    for (h, row) in activated.chunks_exact_mut(registers).take(hidden).enumerate() {
        let y = S::as_simd_f32s(&y.values[h * y.stride + chunk * T..][..T]).0;
        for (value, &y) in row.iter_mut().zip(y) {
            *value = simd.mul_f32s(y, normal_cdf(simd, y));
        }
    }
}

/// Layer norm over the rows (channels) of a chunk.
#[inline(always)]
fn norm<S: Lanes>(simd: S, sum: &[S::f32s], norm: Norm, moments: &mut [f32], normed: &mut [f32]) {
    let registers = T / S::F32_LANES;
    let hidden = norm.gamma.len();
    let scale = simd.splat_f32s(1.0 / hidden as f32);
    let (moments, _) = S::as_mut_simd_f32s(moments);
    let (normed, _) = S::as_mut_simd_f32s(normed);
    let zero = simd.splat_f32s(0.0);
    for k in 0..registers {
        let (mut even, mut odd) = (zero, zero);
        for h in (0..hidden).step_by(2) {
            even = simd.add_f32s(even, sum[h * registers + k]);
            odd = simd.add_f32s(odd, sum[(h + 1) * registers + k]);
        }
        let mean = simd.mul_f32s(simd.add_f32s(even, odd), scale);
        (even, odd) = (zero, zero);
        for h in (0..hidden).step_by(2) {
            let low = simd.sub_f32s(sum[h * registers + k], mean);
            let high = simd.sub_f32s(sum[(h + 1) * registers + k], mean);
            even = simd.mul_add_e_f32s(low, low, even);
            odd = simd.mul_add_e_f32s(high, high, odd);
        }
        let variance = simd.mul_f32s(simd.add_f32s(even, odd), scale);
        let variance = simd.add_f32s(variance, simd.splat_f32s(EPSILON as f32));
        let inverse = simd.div_f32s(simd.splat_f32s(1.0), simd.sqrt_f32s(variance));
        (moments[k], moments[registers + k]) = (mean, inverse);
        for h in 0..hidden {
            let normal = simd.mul_f32s(simd.sub_f32s(sum[h * registers + k], mean), inverse);
            let (gamma, beta) = (simd.splat_f32s(norm.gamma[h]), simd.splat_f32s(norm.beta[h]));
            normed[h * registers + k] = simd.mul_add_e_f32s(normal, gamma, beta);
        }
    }
}

/// Sums that a group of chunks adds to, each row of H or 2H in [`PARTIAL`] parts.
pub struct Partials<'a> {
    /// dW (2H, H).
    pub weight: &'a mut [f32],
    /// d bias (2H).
    pub bias: &'a mut [f32],
    /// d gamma (H).
    pub gamma: &'a mut [f32],
    /// d beta (H).
    pub beta: &'a mut [f32],
}

/// Memory of one group.
pub struct Scratch<'a> {
    /// Three of (H, T): (x − mean) / sd, the gradient of that, and that of GELU's output.
    pub rows: [&'a mut [f32]; 3],
    /// GELU's output (H, T) of one chunk.
    pub activated: &'a mut [f32],
    /// Its transpose (T, H), of two chunks.
    pub activated_t: &'a mut [f32],
    /// Gradient of values and gates (2H, T), of two chunks.
    pub d_gated: &'a mut [f32],
}

/// Where the gradient of a norm's output comes from; parts that are there are added.
pub struct Upstream<'a> {
    /// From the state-space layer that read it.
    pub channels: Option<ByChannel<'a>>,
    /// Whether the gradient by chunks belongs to the norm's output too (post-norm, or the head's), or to the residual
    /// sum past the norm (pre-norm).
    pub of_normed: bool,
}

/// Backward over a group of chunks.
pub struct Backward<'a> {
    /// Output of the state-space layer.
    pub y: ByChannel<'a>,
    /// First chunk of the group.
    pub first: usize,
    /// Distance between chunks.
    pub stride: usize,
    /// Wᵀ (H, 2H).
    pub weight_t: &'a [f32],
    /// The norm's gamma (H).
    pub gamma: &'a [f32],
    /// Values and gates (chunks, 2H, T).
    pub gated: &'a [f32],
    /// Sum of residual and block (chunks, H, T).
    pub sum: &'a [f32],
    /// Mean and inverse standard deviation (chunks, 2, T).
    pub moments: &'a [f32],
    /// What comes from above besides `d_chunks`.
    pub upstream: Upstream<'a>,
    /// In: gradient by chunks from above. Out: gradient of the residual (chunks, H, T).
    pub d_chunks: &'a mut [f32],
    /// Out: gradient of the state-space layer's output (chunks, H, T).
    pub dy: &'a mut [f32],
    /// Sums.
    pub partials: Partials<'a>,
    /// Memory.
    pub scratch: Scratch<'a>,
}

impl Kernel for Backward<'_> {
    #[inline(always)]
    fn run<S: Lanes>(mut self, simd: S) {
        let hidden = self.gamma.len();
        let (size, stride) = (hidden * T, self.stride);
        let chunks = self.d_chunks.len() / stride;
        let weight_t = Rows { values: self.weight_t, stride: 2 * hidden, k: 2 * hidden };
        for pair in (0..chunks).step_by(2) {
            let count = 2.min(chunks - pair);
            for c in 0..count {
                self.sum_backward(simd, pair + c, c);
                self.activation_backward(simd, weight_t, pair + c, c);
            }
            let (d_gated, activated_t) = (&*self.scratch.d_gated, &*self.scratch.activated_t);
            let term = |c: usize| {
                let rows = Rows { values: &d_gated[c * 2 * size..][..2 * size], stride: T, k: T };
                (rows, S::as_simd_f32s(&activated_t[c * size..][..size]).0)
            };
            let terms = [term(0), term(count - 1)];
            product::rows(simd, Start::Add, &terms[..count], 2 * hidden, hidden, self.partials.weight);
        }
    }
}

impl Backward<'_> {
    // With x the sum, n = (x − mean) r, q = gamma ⊙ d normed:  dx = r (q − mean(q) − n mean(q ⊙ n)) + d past the norm,
    // and x = residual + a σ:  d residual = dx,  da = σ dx,  db = a σ (1 − σ) dx.

    /// From the norm's output to values, gates and residual of one chunk.
    #[inline(always)]
    fn sum_backward<S: Lanes>(&mut self, simd: S, c: usize, slot: usize) {
        let hidden = self.gamma.len();
        let (size, lanes, stride) = (hidden * T, S::F32_LANES, self.stride);
        let registers = T / lanes;
        let scale = simd.splat_f32s(1.0 / hidden as f32);
        let one = simd.splat_f32s(1.0);
        let sum = S::as_simd_f32s(&self.sum[c * stride..][..size]).0;
        let moments = S::as_simd_f32s(&self.moments[c * 2 * T..][..2 * T]).0;
        let (value, gate) = S::as_simd_f32s(&self.gated[c * 2 * size..][..2 * size]).0.split_at(hidden * registers);
        let d_chunk = S::as_mut_simd_f32s(&mut self.d_chunks[c * stride..][..size]).0;
        let [normal, q, _] = &mut self.scratch.rows;
        let (normal, q) = (S::as_mut_simd_f32s(normal).0, S::as_mut_simd_f32s(q).0);
        let d_gated = S::as_mut_simd_f32s(&mut self.scratch.d_gated[slot * 2 * size..][..2 * size]).0;
        let (d_value, d_gate) = d_gated.split_at_mut(hidden * registers);
        let zero = simd.splat_f32s(0.0);
        let of_normed = self.upstream.of_normed;
        for k in 0..registers {
            let (mean, inverse) = (moments[k], moments[registers + k]);
            let (mut sum_q, mut sum_qn) = (zero, zero);
            for h in 0..hidden {
                let at = h * registers + k;
                let n = simd.mul_f32s(simd.sub_f32s(sum[at], mean), inverse);
                let mut d = if of_normed { d_chunk[at] } else { zero };
                if let Some(channels) = self.upstream.channels {
                    let from = h * channels.stride + (self.first + c) * T + k * lanes;
                    d = simd.add_f32s(d, S::as_simd_f32s(&channels.values[from..][..lanes]).0[0]);
                }
                let d_gamma = register::<S>(self.partials.gamma, h);
                *d_gamma = simd.mul_add_e_f32s(d, n, *d_gamma);
                let d_beta = register::<S>(self.partials.beta, h);
                *d_beta = simd.add_f32s(*d_beta, d);
                let value = simd.mul_f32s(d, simd.splat_f32s(self.gamma[h]));
                sum_q = simd.add_f32s(sum_q, value);
                sum_qn = simd.mul_add_e_f32s(value, n, sum_qn);
                (normal[at], q[at]) = (n, value);
            }
            let (mean_q, mean_qn) = (simd.mul_f32s(sum_q, scale), simd.mul_f32s(sum_qn, scale));
            for h in 0..hidden {
                let at = h * registers + k;
                let centred = simd.sub_f32s(q[at], simd.mul_add_e_f32s(normal[at], mean_qn, mean_q));
                let mut dx = simd.mul_f32s(inverse, centred);
                if !of_normed {
                    dx = simd.add_f32s(dx, d_chunk[at]);
                }
                d_chunk[at] = dx;
                let da = simd.mul_f32s(dx, gate[at]);
                let db = simd.mul_f32s(simd.mul_f32s(da, value[at]), simd.sub_f32s(one, gate[at]));
                (d_value[at], d_gate[at]) = (da, db);
                let d_bias = register::<S>(self.partials.bias, h);
                *d_bias = simd.add_f32s(*d_bias, da);
                let d_bias = register::<S>(self.partials.bias, hidden + h);
                *d_bias = simd.add_f32s(*d_bias, db);
            }
        }
    }

    // v = W GELU(y) + bias:  d GELU = Wᵀ dv,  dy = d GELU (Φ(y) + y φ(y));  dW = Σ dv GELU(y)ᵀ needs its transpose.

    /// From values and gates to the state-space layer's output of one chunk.
    #[inline(always)]
    fn activation_backward<S: Lanes>(&mut self, simd: S, weight_t: Rows, c: usize, slot: usize) {
        let hidden = self.gamma.len();
        let (size, lanes) = (hidden * T, S::F32_LANES);
        let registers = T / lanes;
        let [_, _, d_activated] = &mut self.scratch.rows;
        let dv = S::as_simd_f32s(&self.scratch.d_gated[slot * 2 * size..][..2 * size]).0;
        product::rows(simd, Start::Zero, &[(weight_t, dv)], hidden, T, d_activated);
        let d_activated = S::as_simd_f32s(d_activated).0;
        let dy = S::as_mut_simd_f32s(&mut self.dy[c * self.stride..][..size]).0;
        let activated = S::as_mut_simd_f32s(self.scratch.activated).0;
        for h in 0..hidden {
            let y = &self.y.values[h * self.y.stride + (self.first + c) * T..][..T];
            for (k, &y) in S::as_simd_f32s(y).0.iter().enumerate() {
                let at = h * registers + k;
                let cdf = normal_cdf(simd, y);
                activated[at] = simd.mul_f32s(y, cdf);
                let slope = simd.mul_add_e_f32s(y, normal_density(simd, y), cdf);
                dy[at] = simd.mul_f32s(d_activated[at], slope);
            }
        }
        let to = &mut self.scratch.activated_t[slot * size..][..size];
        for h in (0..hidden).step_by(lanes) {
            for t in (0..T).step_by(lanes) {
                simd.transpose(&self.scratch.activated[h * T + t..], T, &mut to[t * hidden + h..], hidden);
            }
        }
    }
}

/// Backward of [`NormForward`] over a group of chunks.
pub struct NormBackward<'a> {
    /// First chunk of the group.
    pub first: usize,
    /// Distance between chunks.
    pub stride: usize,
    /// gamma (H).
    pub gamma: &'a [f32],
    /// Input of forward (chunks, H, T).
    pub sum: &'a [f32],
    /// Mean and inverse standard deviation (chunks, 2, T).
    pub moments: &'a [f32],
    /// Gradient of the output.
    pub d_normed: ByChannel<'a>,
    /// In: gradient of the input that does not pass the norm. Out: all of it (chunks, H, T).
    pub d_chunks: &'a mut [f32],
    /// d gamma and d beta.
    pub partials: [&'a mut [f32]; 2],
}

impl Kernel for NormBackward<'_> {
    #[inline(always)]
    fn run<S: Lanes>(self, simd: S) {
        let hidden = self.gamma.len();
        let (size, lanes, stride) = (hidden * T, S::F32_LANES, self.stride);
        let registers = T / lanes;
        let scale = simd.splat_f32s(1.0 / hidden as f32);
        let [d_gamma, d_beta] = self.partials;
        for (c, d_chunk) in self.d_chunks.chunks_exact_mut(stride).enumerate() {
            let sum = S::as_simd_f32s(&self.sum[c * stride..][..size]).0;
            let moments = S::as_simd_f32s(&self.moments[c * 2 * T..][..2 * T]).0;
            let d_chunk = S::as_mut_simd_f32s(&mut d_chunk[..size]).0;
            for k in 0..registers {
                let (mean, inverse) = (moments[k], moments[registers + k]);
                let zero = simd.splat_f32s(0.0);
                let (mut sum_q, mut sum_qn) = (zero, zero);
                let parts = |h: usize| {
                    let from = h * self.d_normed.stride + (self.first + c) * T + k * lanes;
                    let d = S::as_simd_f32s(&self.d_normed.values[from..][..lanes]).0[0];
                    (simd.mul_f32s(simd.sub_f32s(sum[h * registers + k], mean), inverse), d)
                };
                for h in 0..hidden {
                    let (n, d) = parts(h);
                    let gamma_sum = register::<S>(d_gamma, h);
                    *gamma_sum = simd.mul_add_e_f32s(d, n, *gamma_sum);
                    let beta_sum = register::<S>(d_beta, h);
                    *beta_sum = simd.add_f32s(*beta_sum, d);
                    let q = simd.mul_f32s(d, simd.splat_f32s(self.gamma[h]));
                    sum_q = simd.add_f32s(sum_q, q);
                    sum_qn = simd.mul_add_e_f32s(q, n, sum_qn);
                }
                let (mean_q, mean_qn) = (simd.mul_f32s(sum_q, scale), simd.mul_f32s(sum_qn, scale));
                for h in 0..hidden {
                    let (n, d) = parts(h);
                    let q = simd.mul_f32s(d, simd.splat_f32s(self.gamma[h]));
                    let centred = simd.sub_f32s(q, simd.mul_add_e_f32s(n, mean_qn, mean_q));
                    let at = h * registers + k;
                    d_chunk[at] = simd.mul_add_e_f32s(inverse, centred, d_chunk[at]);
                }
            }
        }
    }
}

/// The register in which row `row` of a partial sum is collected.
#[inline(always)]
fn register<S: Lanes>(partial: &mut [f32], row: usize) -> &mut S::f32s {
    &mut S::as_mut_simd_f32s(&mut partial[row * PARTIAL..][..S::F32_LANES]).0[0]
}
