//! What happens position by position between two state-space layers, a chunk at a time and all in the first caches:
//! GELU → linear → GLU → residual → norm, forward and backward.
//!
//! A chunk is (rows, T) with positions innermost, so that the mixing map is one product and the norm sums registers.

use crate::engine::chunked::CHUNK as T;
use crate::engine::chunked::ChunkKernel;
use crate::engine::chunked::ends::Frame;
use crate::engine::norm::EPSILON;
use crate::engine::simd::Lanes;
use crate::engine::simd::math::{normal_cdf, normal_density, sigmoid};
use crate::engine::simd::prefetch::prefetch;
use crate::engine::simd::product::{self, Rows, Start};

/// Floats that are kept for a row of a partial sum. A kernel uses one register for each, the first rows' first.
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
    /// Values (H, chunks, T).
    pub values: &'a [f32],
    /// Distance between channels.
    pub stride: usize,
}

/// Factors of one block's branch, one for every channel of a sequence (tied dropout, as the S4 repository has it).
#[derive(Clone, Copy)]
pub struct Dropout<'a> {
    /// Of the block's channels (H) in the first sequence, `stride` further on in the next.
    pub factors: &'a [f32],
    /// Distance between sequences.
    pub stride: usize,
    /// Chunks of a sequence.
    pub per_sequence: usize,
}

impl<'a> Dropout<'a> {
    /// Factors (H) of the sequence that a chunk belongs to.
    #[inline(always)]
    fn of_chunk(&self, chunk: usize, hidden: usize) -> &'a [f32] {
        &self.factors[chunk / self.per_sequence * self.stride..][..hidden]
    }
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
    /// Factors of the branch, while training with dropout.
    pub dropout: Option<Dropout<'a>>,
    /// Values, times their factors, and gates (chunks, 2H, T), or memory for one chunk if nobody needs them afterwards.
    pub gated: &'a mut [f32],
    /// Sum of residual and block (chunks, H, T), or memory for one chunk if nobody needs it afterwards.
    pub sum: &'a mut [f32],
    /// Its mean and inverse standard deviation (chunks, 2, T).
    pub moments: &'a mut [f32],
    /// Its norm (chunks, H, T).
    pub normed: &'a mut [f32],
    /// Memory (H, T).
    pub activated: &'a mut [f32],
}

impl ChunkKernel for Forward<'_> {
    #[inline(always)]
    fn chunks<S: Lanes, const K: usize>(self, simd: S) {
        let hidden = self.norm.gamma.len();
        let stride = self.stride;
        let chunks = self.normed.len() / stride;
        let gated_stride = if self.gated.len() < 2 * chunks * hidden * T { 0 } else { 2 * hidden * T };
        let sum_stride = if self.sum.len() < chunks * stride { 0 } else { stride };
        let (weight, bias) = self.mix;
        let weight = Rows { values: weight, stride: hidden, k: hidden };
        for c in 0..chunks {
            gelu::<S, K>(simd, self.y, self.first + c, self.activated);
            if gated_stride > 0 {
                prefetch(self.gated.get((c + 1) * gated_stride..(c + 2) * gated_stride).unwrap_or_default());
                prefetch(self.sum.get((c + 1) * stride..(c + 2) * stride).unwrap_or_default());
            }
            let gated = &mut self.gated[c * gated_stride..][..2 * hidden * T];
            let activated = S::as_simd_f32s(self.activated).0;
            product::rows(simd, Start::Bias(bias), &[(weight, activated)], 2 * hidden, T, gated);
            let (value, gate) = rows_mut::<S, K>(gated).split_at_mut(hidden);
            if let Some(dropout) = self.dropout {
                scale(simd, dropout.of_chunk(self.first + c, hidden), value);
            }
            let residual = rows::<S, K>(&self.residual[(self.first + c) * stride..][..hidden * T]);
            let sum = rows_mut::<S, K>(&mut self.sum[c * sum_stride..][..hidden * T]);
            let mut total = [simd.splat_f32s(0.0); K];
            let (value, gate) = (&value[..hidden], &mut gate[..hidden]);
            let (residual, sum) = (&residual[..hidden], &mut sum[..hidden]);
            for h in 0..hidden {
                prefetch(next_row(self.residual, self.first + c, stride, h));
                prefetch(next_row(self.normed, c, stride, h));
                for k in 0..K {
                    gate[h][k] = sigmoid(simd, gate[h][k]);
                    sum[h][k] = simd.mul_add_e_f32s(value[h][k], gate[h][k], residual[h][k]);
                    total[k] = simd.add_f32s(total[k], sum[h][k]);
                }
            }
            let moments = &mut self.moments[c * 2 * T..][..2 * T];
            let normed = &mut self.normed[c * stride..][..hidden * T];
            norm(simd, sum, total, self.norm, moments, normed);
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

impl ChunkKernel for NormForward<'_> {
    #[inline(always)]
    fn chunks<S: Lanes, const K: usize>(self, simd: S) {
        let size = self.norm.gamma.len() * T;
        for (c, normed) in self.normed.chunks_exact_mut(self.stride).enumerate() {
            let normed = &mut normed[..size];
            let sum = rows::<S, K>(&self.sum[c * self.stride..][..size]);
            let mut total = [simd.splat_f32s(0.0); K];
            for row in sum {
                for k in 0..K {
                    total[k] = simd.add_f32s(total[k], row[k]);
                }
            }
            norm(simd, sum, total, self.norm, &mut self.moments[c * 2 * T..][..2 * T], normed);
            self.frame.clear(self.first + c, normed);
        }
    }
}

/// (rows, T) as rows of K registers.
#[inline(always)]
fn rows<S: Lanes, const K: usize>(values: &[f32]) -> &[[S::f32s; K]] {
    S::as_simd_f32s(values).0.as_chunks().0
}

/// [`rows`] to write to.
#[inline(always)]
fn rows_mut<S: Lanes, const K: usize>(values: &mut [f32]) -> &mut [[S::f32s; K]] {
    S::as_mut_simd_f32s(values).0.as_chunks_mut().0
}

impl ByChannel<'_> {
    /// The row of one channel in one chunk.
    #[inline(always)]
    fn row<S: Lanes, const K: usize>(&self, h: usize, chunk: usize) -> &[S::f32s; K] {
        let (row, next) = self.values[h * self.stride + chunk * T..].split_at(T);
        prefetch(&next[..T.min(next.len())]);
        &rows::<S, K>(row)[0]
    }
}

/// Row `h` of the chunk after chunk `c`, if there is one: what is asked for while chunk `c` is worked on.
#[inline(always)]
fn next_row(values: &[f32], c: usize, stride: usize, h: usize) -> &[f32] {
    let from = (c + 1) * stride + h * T;
    values.get(from..from + T).unwrap_or_default()
}

/// Multiplies each row by its factor.
#[inline(always)]
fn scale<S: Lanes, const K: usize>(simd: S, factors: &[f32], to: &mut [[S::f32s; K]]) {
    for (row, &factor) in to.iter_mut().zip(factors) {
        let factor = simd.splat_f32s(factor);
        for value in row {
            *value = simd.mul_f32s(*value, factor);
        }
    }
}

/// GELU of a chunk's rows, gathered from all channels.
#[inline(always)]
fn gelu<S: Lanes, const K: usize>(simd: S, y: ByChannel, chunk: usize, activated: &mut [f32]) {
    for (h, row) in rows_mut::<S, K>(activated).iter_mut().enumerate() {
        let y = y.row::<S, K>(h, chunk);
        for k in 0..K {
            row[k] = simd.mul_f32s(y[k], normal_cdf(simd, y[k]));
        }
    }
}

/// Layer norm over the rows (channels) of a chunk, whose column sums are `total`.
#[inline(always)]
fn norm<S: Lanes, const K: usize>(
    simd: S,
    sum: &[[S::f32s; K]],
    total: [S::f32s; K],
    norm: Norm,
    moments: &mut [f32],
    normed: &mut [f32],
) {
    let scale = simd.splat_f32s(1.0 / sum.len() as f32);
    let mut mean = total;
    let mut square = [simd.splat_f32s(0.0); K];
    for mean in &mut mean {
        *mean = simd.mul_f32s(*mean, scale);
    }
    for row in sum {
        for k in 0..K {
            let centred = simd.sub_f32s(row[k], mean[k]);
            square[k] = simd.mul_add_e_f32s(centred, centred, square[k]);
        }
    }
    let mut inverse = square;
    for inverse in &mut inverse {
        let variance = simd.mul_add_e_f32s(*inverse, scale, simd.splat_f32s(EPSILON as f32));
        *inverse = simd.div_f32s(simd.splat_f32s(1.0), simd.sqrt_f32s(variance));
    }
    let moments = rows_mut::<S, K>(moments);
    (moments[0], moments[1]) = (mean, inverse);
    let scales = norm.gamma.iter().zip(norm.beta);
    for ((normed, row), (&gamma, &beta)) in rows_mut::<S, K>(normed).iter_mut().zip(sum).zip(scales) {
        let (gamma, beta) = (simd.splat_f32s(gamma), simd.splat_f32s(beta));
        for k in 0..K {
            let normal = simd.mul_f32s(simd.sub_f32s(row[k], mean[k]), inverse[k]);
            normed[k] = simd.mul_add_e_f32s(normal, gamma, beta);
        }
    }
}

/// Sums that a group of chunks adds to, each row of H or 2H in as many parts as there are lanes.
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
    /// Gradient of (x − mean) / sd (H, T).
    pub d_normal: &'a mut [f32],
    /// Gradient of GELU's output (H, T).
    pub d_activated: &'a mut [f32],
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
    /// Factors of the branch, as in forward.
    pub dropout: Option<Dropout<'a>>,
    /// Values, times their factors, and gates (chunks, 2H, T).
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

impl ChunkKernel for Backward<'_> {
    #[inline(always)]
    fn chunks<S: Lanes, const K: usize>(mut self, simd: S) {
        let hidden = self.gamma.len();
        let (size, stride) = (hidden * T, self.stride);
        let chunks = self.d_chunks.len() / stride;
        let weight_t = Rows { values: self.weight_t, stride: 2 * hidden, k: 2 * hidden };
        for pair in (0..chunks).step_by(2) {
            let count = 2.min(chunks - pair);
            for c in 0..count {
                match self.dropout {
                    None => self.sum_backward::<S, K, false>(simd, &[], pair + c, c),
                    Some(dropout) => {
                        let factors = dropout.of_chunk(self.first + pair + c, hidden);
                        self.sum_backward::<S, K, true>(simd, factors, pair + c, c);
                    }
                }
                self.activation_backward::<S, K>(simd, weight_t, pair + c, c);
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
    // and x = residual + k a σ, k a factor:  d residual = dx,  da = k σ dx,  db = k a σ (1 − σ) dx, where k a is what is kept.

    /// From the norm's output to values, gates and residual of one chunk; `factors` are (H) if it DROPS any.
    #[inline(always)]
    fn sum_backward<S: Lanes, const K: usize, const DROPS: bool>(
        &mut self,
        simd: S,
        factors: &[f32],
        c: usize,
        slot: usize,
    ) {
        let hidden = self.gamma.len();
        let (size, stride) = (hidden * T, self.stride);
        let scale = simd.splat_f32s(1.0 / hidden as f32);
        let (zero, one) = (simd.splat_f32s(0.0), simd.splat_f32s(1.0));
        let sum = rows::<S, K>(&self.sum[c * stride..][..size]);
        let moments = rows::<S, K>(&self.moments[c * 2 * T..][..2 * T]);
        let (mean, inverse) = (moments[0], moments[1]);
        prefetch(self.d_chunks.get((c + 1) * stride..(c + 2) * stride).unwrap_or_default());
        prefetch(self.dy.get((c + 1) * stride..(c + 2) * stride).unwrap_or_default());
        let d_chunk = rows_mut::<S, K>(&mut self.d_chunks[c * stride..][..size]);
        let q = rows_mut::<S, K>(self.scratch.d_normal);
        let of_normed = self.upstream.of_normed;
        let (mut mean_q, mut mean_qn) = ([zero; K], [zero; K]);
        let (sum, d_chunk, q, gamma) =
            (&sum[..hidden], &mut d_chunk[..hidden], &mut q[..hidden], &self.gamma[..hidden]);
        let d_gamma = &mut S::as_mut_simd_f32s(self.partials.gamma).0[..hidden];
        let d_beta = &mut S::as_mut_simd_f32s(self.partials.beta).0[..hidden];
        for h in 0..hidden {
            prefetch(next_row(self.sum, c, stride, h));
            let mut d = if of_normed { d_chunk[h] } else { [zero; K] };
            if let Some(channels) = self.upstream.channels {
                let more = channels.row::<S, K>(h, self.first + c);
                for k in 0..K {
                    d[k] = simd.add_f32s(d[k], more[k]);
                }
            }
            let gamma = simd.splat_f32s(gamma[h]);
            let (mut gamma_sum, mut beta_sum) = (d_gamma[h], d_beta[h]);
            for k in 0..K {
                let n = simd.mul_f32s(simd.sub_f32s(sum[h][k], mean[k]), inverse[k]);
                gamma_sum = simd.mul_add_e_f32s(d[k], n, gamma_sum);
                beta_sum = simd.add_f32s(beta_sum, d[k]);
                q[h][k] = simd.mul_f32s(d[k], gamma);
                mean_q[k] = simd.add_f32s(mean_q[k], q[h][k]);
                mean_qn[k] = simd.mul_add_e_f32s(q[h][k], n, mean_qn[k]);
            }
            (d_gamma[h], d_beta[h]) = (gamma_sum, beta_sum);
        }
        // r (q − mean(q) − (x − mean) r mean(q ⊙ n)), the last factors together.
        let mut slope = mean_qn;
        for k in 0..K {
            mean_q[k] = simd.mul_f32s(mean_q[k], scale);
            slope[k] = simd.mul_f32s(simd.mul_f32s(slope[k], scale), inverse[k]);
        }
        let (value, gate) = rows::<S, K>(&self.gated[c * 2 * size..][..2 * size]).split_at(hidden);
        let d_gated = rows_mut::<S, K>(&mut self.scratch.d_gated[slot * 2 * size..][..2 * size]);
        let (d_value, d_gate) = d_gated.split_at_mut(hidden);
        let (value, gate) = (&value[..hidden], &gate[..hidden]);
        let (d_value, d_gate) = (&mut d_value[..hidden], &mut d_gate[..hidden]);
        let d_bias = S::as_mut_simd_f32s(self.partials.bias).0;
        let (value_bias, gate_bias) = d_bias[..2 * hidden].split_at_mut(hidden);
        for h in 0..hidden {
            prefetch(next_row(self.gated, c, 2 * size, h));
            prefetch(next_row(self.gated, c, 2 * size, hidden + h));
            let (mut value_sum, mut gate_sum) = (value_bias[h], gate_bias[h]);
            let factor = simd.splat_f32s(if DROPS { factors[h] } else { 1.0 });
            for k in 0..K {
                let centred = simd.sub_f32s(sum[h][k], mean[k]);
                let rest = simd.negate_mul_add_e_f32s(centred, slope[k], simd.sub_f32s(q[h][k], mean_q[k]));
                let mut dx = simd.mul_f32s(inverse[k], rest);
                if !of_normed {
                    dx = simd.add_f32s(dx, d_chunk[h][k]);
                }
                d_chunk[h][k] = dx;
                let passed = simd.mul_f32s(dx, gate[h][k]);
                let db = simd.mul_f32s(simd.mul_f32s(passed, value[h][k]), simd.sub_f32s(one, gate[h][k]));
                let da = if DROPS { simd.mul_f32s(passed, factor) } else { passed };
                (d_value[h][k], d_gate[h][k]) = (da, db);
                value_sum = simd.add_f32s(value_sum, da);
                gate_sum = simd.add_f32s(gate_sum, db);
            }
            (value_bias[h], gate_bias[h]) = (value_sum, gate_sum);
        }
    }

    // v = W GELU(y) + bias:  d GELU = Wᵀ dv,  dy = d GELU (Φ(y) + y φ(y));  dW = Σ dv GELU(y)ᵀ needs its transpose.

    /// From values and gates to the state-space layer's output of one chunk.
    #[inline(always)]
    fn activation_backward<S: Lanes, const K: usize>(
        &mut self,
        simd: S,
        weight_t: Rows,
        c: usize,
        slot: usize,
    ) {
        let hidden = self.gamma.len();
        let (size, lanes) = (hidden * T, S::F32_LANES);
        let d_activated = &mut *self.scratch.d_activated;
        let dv = S::as_simd_f32s(&self.scratch.d_gated[slot * 2 * size..][..2 * size]).0;
        product::rows(simd, Start::Zero, &[(weight_t, dv)], hidden, T, d_activated);
        let dy = rows_mut::<S, K>(&mut self.dy[c * self.stride..][..size]);
        let activated = rows_mut::<S, K>(self.scratch.activated);
        let d_activated = rows::<S, K>(d_activated);
        let (dy, activated, d_activated) =
            (&mut dy[..hidden], &mut activated[..hidden], &d_activated[..hidden]);
        for h in 0..hidden {
            let y = self.y.row::<S, K>(h, self.first + c);
            for k in 0..K {
                let cdf = normal_cdf(simd, y[k]);
                activated[h][k] = simd.mul_f32s(y[k], cdf);
                let slope = simd.mul_add_e_f32s(y[k], normal_density(simd, y[k]), cdf);
                dy[h][k] = simd.mul_f32s(d_activated[h][k], slope);
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
    /// d gamma and d beta (H, [`PARTIAL`]).
    pub partials: [&'a mut [f32]; 2],
}

impl ChunkKernel for NormBackward<'_> {
    #[inline(always)]
    fn chunks<S: Lanes, const K: usize>(self, simd: S) {
        let (size, zero) = (self.gamma.len() * T, simd.splat_f32s(0.0));
        let scale = simd.splat_f32s(1.0 / self.gamma.len() as f32);
        let [d_gamma, d_beta] = self.partials;
        for (c, d_chunk) in self.d_chunks.chunks_exact_mut(self.stride).enumerate() {
            let sum = rows::<S, K>(&self.sum[c * self.stride..][..size]);
            let moments = rows::<S, K>(&self.moments[c * 2 * T..][..2 * T]);
            let (mean, inverse) = (moments[0], moments[1]);
            let (mut mean_q, mut mean_qn) = ([zero; K], [zero; K]);
            let d_gamma = S::as_mut_simd_f32s(d_gamma).0.iter_mut();
            let partials = d_gamma.zip(S::as_mut_simd_f32s(d_beta).0);
            for (h, ((sum, &gamma), (d_gamma, d_beta))) in
                sum.iter().zip(self.gamma).zip(partials).enumerate()
            {
                let d = self.d_normed.row::<S, K>(h, self.first + c);
                let gamma = simd.splat_f32s(gamma);
                for k in 0..K {
                    let n = simd.mul_f32s(simd.sub_f32s(sum[k], mean[k]), inverse[k]);
                    *d_gamma = simd.mul_add_e_f32s(d[k], n, *d_gamma);
                    *d_beta = simd.add_f32s(*d_beta, d[k]);
                    let q = simd.mul_f32s(d[k], gamma);
                    mean_q[k] = simd.add_f32s(mean_q[k], q);
                    mean_qn[k] = simd.mul_add_e_f32s(q, n, mean_qn[k]);
                }
            }
            for k in 0..K {
                mean_q[k] = simd.mul_f32s(mean_q[k], scale);
                mean_qn[k] = simd.mul_f32s(mean_qn[k], scale);
            }
            let rows = rows_mut::<S, K>(&mut d_chunk[..size]).iter_mut().zip(sum).zip(self.gamma);
            for (h, ((d_chunk, sum), &gamma)) in rows.enumerate() {
                let d = self.d_normed.row::<S, K>(h, self.first + c);
                let gamma = simd.splat_f32s(gamma);
                for k in 0..K {
                    let n = simd.mul_f32s(simd.sub_f32s(sum[k], mean[k]), inverse[k]);
                    let rest = simd
                        .sub_f32s(simd.mul_f32s(d[k], gamma), simd.mul_add_e_f32s(n, mean_qn[k], mean_q[k]));
                    d_chunk[k] = simd.mul_add_e_f32s(inverse[k], rest, d_chunk[k]);
                }
            }
        }
    }
}
