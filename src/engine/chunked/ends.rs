//! Both ends of the network over a group of chunks: encoder and head, which read and write the callers' (batch, L, ·).

use crate::engine::chunked::CHUNK as T;
use crate::engine::chunked::mix::{ByChannel, PARTIAL};
use crate::engine::simd::prefetch::prefetch;
use crate::engine::simd::product::{self, Rows, Start};
use crate::engine::simd::{Kernel, Lanes};

/// Where the chunks of a slice lie in sequences of any length: the first chunk of each begins with `pad` positions that
/// are not there, so that the last one is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Positions of a sequence (L).
    pub len: usize,
    /// Chunks of a sequence.
    pub per_sequence: usize,
}

impl Frame {
    /// Frame of sequences of `len` positions.
    pub fn new(len: usize) -> Frame {
        Frame { len, per_sequence: len.div_ceil(T) }
    }

    /// Positions that are missing before the first.
    pub fn pad(self) -> usize {
        self.per_sequence * T - self.len
    }

    /// Missing positions at the start of a chunk.
    pub fn missing(self, chunk: usize) -> usize {
        if chunk.is_multiple_of(self.per_sequence) { self.pad() } else { 0 }
    }

    /// Sets the missing positions of a chunk (rows, T) to zero.
    pub fn clear(self, chunk: usize, values: &mut [f32]) {
        let missing = self.missing(chunk);
        if missing > 0 {
            values.chunks_exact_mut(T).for_each(|row| row[..missing].fill(0.0));
        }
    }

    /// First position of a chunk that is there, counted over all sequences.
    fn position(self, chunk: usize) -> usize {
        let (sequence, part) = (chunk / self.per_sequence, chunk % self.per_sequence);
        sequence * self.len + (part * T + self.missing(chunk)) - self.pad()
    }

    /// Chunk of positions of (positions, width) as (width, T), missing ones zero.
    fn gather(self, chunk: usize, values: &[f32], width: usize, to: &mut [f32]) {
        let missing = self.missing(chunk);
        let from = &values[self.position(chunk) * width..];
        if width == 1 {
            to[..missing].fill(0.0);
            to[missing..T].copy_from_slice(&from[..T - missing]);
            return;
        }
        to[..width * T].fill(0.0);
        for (t, row) in (missing..T).zip(from.chunks_exact(width)) {
            for (i, &value) in row.iter().enumerate() {
                to[i * T + t] = value;
            }
        }
    }

    /// The transpose of [`Frame::gather`]; `first` is the chunk where `to` begins.
    fn scatter(self, chunk: usize, first: usize, values: &[f32], width: usize, to: &mut [f32]) {
        let missing = self.missing(chunk);
        let to = &mut to[(self.position(chunk) - self.position(first)) * width..];
        for (t, row) in (missing..T).zip(to.chunks_exact_mut(width)) {
            for (i, value) in row.iter_mut().enumerate() {
                *value = values[i * T + t];
            }
        }
    }
}

/// Encoder over a group of chunks.
pub struct Encode<'a> {
    /// Where positions lie.
    pub frame: Frame,
    /// First chunk of the group.
    pub first: usize,
    /// Distance between chunks.
    pub stride: usize,
    /// W (H, P) and bias (H).
    pub map: (&'a [f32], &'a [f32]),
    /// Tokens of the slice (positions, P), or codes below P (positions).
    pub tokens: &'a [f32],
    /// Whether tokens are codes.
    pub reads_codes: bool,
    /// Memory (P, T), or (T).
    pub gathered: &'a mut [f32],
    /// Output (chunks, H, T), missing positions zero.
    pub out: &'a mut [f32],
}

impl Kernel for Encode<'_> {
    #[inline(always)]
    fn run<S: Lanes>(self, simd: S) {
        let (weight, bias) = self.map;
        let (hidden, patch) = (bias.len(), weight.len() / bias.len());
        let token = if self.reads_codes { 1 } else { patch };
        for (c, out) in self.out.chunks_exact_mut(self.stride).enumerate() {
            self.frame.gather(self.first + c, self.tokens, token, self.gathered);
            let out = &mut out[..hidden * T];
            if self.reads_codes {
                let rows = out.chunks_exact_mut(T).zip(weight.chunks_exact(patch)).zip(bias);
                for ((out, weight), &bias) in rows {
                    for (out, &code) in out.iter_mut().zip(&self.gathered[..T]) {
                        *out = weight[code as usize] + bias;
                    }
                }
            } else {
                let weight = Rows { values: weight, stride: patch, k: patch };
                let gathered = S::as_simd_f32s(self.gathered).0;
                product::rows(simd, Start::Bias(bias), &[(weight, gathered)], hidden, T, out);
            }
            self.frame.clear(self.first + c, out);
        }
    }
}

/// Head over a group of chunks.
pub struct Head<'a> {
    /// Where positions lie.
    pub frame: Frame,
    /// First chunk of the group.
    pub first: usize,
    /// Distance between chunks.
    pub stride: usize,
    /// W (outputs, H) and bias (outputs).
    pub map: (&'a [f32], &'a [f32]),
    /// Input (chunks, H, T).
    pub x: &'a [f32],
    /// Memory (outputs, T).
    pub gathered: &'a mut [f32],
    /// Output of the group (positions, outputs).
    pub out: &'a mut [f32],
}

impl Kernel for Head<'_> {
    #[inline(always)]
    fn run<S: Lanes>(self, simd: S) {
        let (weight, bias) = self.map;
        let (outputs, hidden) = (bias.len(), weight.len() / bias.len());
        let weight = Rows { values: weight, stride: hidden, k: hidden };
        for (c, x) in self.x.chunks_exact(self.stride).enumerate() {
            let x = S::as_simd_f32s(&x[..hidden * T]).0;
            product::rows(simd, Start::Bias(bias), &[(weight, x)], outputs, T, self.gathered);
            self.frame.scatter(self.first + c, self.first, self.gathered, outputs, self.out);
        }
    }
}

// out = W x + bias:  dx = Wᵀ dout,  dW = Σ dout xᵀ,  d bias = Σ dout.

/// Backward of [`Head`].
pub struct HeadBackward<'a> {
    /// Where positions lie.
    pub frame: Frame,
    /// First chunk of the group.
    pub first: usize,
    /// Distance between chunks.
    pub stride: usize,
    /// Wᵀ (H, outputs).
    pub weight_t: &'a [f32],
    /// Input of forward (chunks, H, T).
    pub x: &'a [f32],
    /// Gradient of the output of the slice (positions, outputs).
    pub dout: &'a [f32],
    /// Memory: (outputs, T) and (T, H).
    pub scratch: [&'a mut [f32]; 2],
    /// Out: gradient of the input (chunks, H, T).
    pub dx: &'a mut [f32],
    /// dW (outputs, H), d bias (outputs, [`PARTIAL`]).
    pub partials: [&'a mut [f32]; 2],
}

impl Kernel for HeadBackward<'_> {
    #[inline(always)]
    fn run<S: Lanes>(self, simd: S) {
        let [dw, d_bias] = self.partials;
        let [gathered, transposed] = self.scratch;
        let outputs = d_bias.len() / PARTIAL;
        let hidden = dw.len() / outputs;
        let weight_t = Rows { values: self.weight_t, stride: outputs, k: outputs };
        for (c, dx) in self.dx.chunks_exact_mut(self.stride).enumerate() {
            self.frame.gather(self.first + c, self.dout, outputs, gathered);
            let dout = S::as_simd_f32s(&gathered[..outputs * T]).0;
            product::rows(simd, Start::Zero, &[(weight_t, dout)], hidden, T, &mut dx[..hidden * T]);
            let x = &self.x[c * self.stride..][..hidden * T];
            outer_of_rows(simd, gathered, outputs, x, hidden, transposed, dw);
            add_rows(simd, gathered, d_bias);
        }
    }
}

/// Backward of [`Encode`].
pub struct EncodeBackward<'a> {
    /// Where positions lie.
    pub frame: Frame,
    /// First chunk of the group.
    pub first: usize,
    /// Distance between chunks.
    pub stride: usize,
    /// Tokens of the slice (positions, P), or codes below P (positions).
    pub tokens: &'a [f32],
    /// Whether tokens are codes.
    pub reads_codes: bool,
    /// Gradient of the output (chunks, H, T).
    pub d_chunks: &'a mut [f32],
    /// A second part of it, to be added.
    pub d_channels: Option<ByChannel<'a>>,
    /// Memory: (P, T), or (T), and (T, H).
    pub scratch: [&'a mut [f32]; 2],
    /// dWᵀ (P, H), d bias (H, [`PARTIAL`]).
    pub partials: [&'a mut [f32]; 2],
}

impl Kernel for EncodeBackward<'_> {
    #[inline(always)]
    fn run<S: Lanes>(self, simd: S) {
        let [dw_t, d_bias] = self.partials;
        let [gathered, transposed] = self.scratch;
        let hidden = d_bias.len() / PARTIAL;
        let patch = dw_t.len() / hidden;
        for (c, d) in self.d_chunks.chunks_exact_mut(self.stride).enumerate() {
            let d = &mut d[..hidden * T];
            if let Some(channels) = self.d_channels {
                for (h, row) in d.chunks_exact_mut(T).enumerate() {
                    let from = h * channels.stride + (self.first + c) * T;
                    let (more, next) = channels.values[from..].split_at(T);
                    prefetch(&next[..T.min(next.len())]);
                    for (d, &more) in row.iter_mut().zip(more) {
                        *d += more;
                    }
                }
            }
            let token = if self.reads_codes { 1 } else { patch };
            self.frame.gather(self.first + c, self.tokens, token, gathered);
            if self.reads_codes {
                for t in self.frame.missing(self.first + c)..T {
                    let column = &mut dw_t[gathered[t] as usize * hidden..][..hidden];
                    for (dw, d) in column.iter_mut().zip(d.chunks_exact(T)) {
                        *dw += d[t];
                    }
                }
            } else {
                outer_of_rows(simd, gathered, patch, d, hidden, transposed, dw_t);
            }
            add_rows(simd, d, d_bias);
        }
    }
}

/// C (m, hidden) += A (m, T) Xᵀ, with X (hidden, T) and memory for its transpose.
#[inline(always)]
fn outer_of_rows<S: Lanes>(
    simd: S,
    a: &[f32],
    m: usize,
    x: &[f32],
    hidden: usize,
    transposed: &mut [f32],
    c: &mut [f32],
) {
    if m == 1 {
        // One sum per row of X needs no transpose.
        let a = S::as_simd_f32s(&a[..T]).0;
        for (c, x) in c.iter_mut().zip(x.chunks_exact(T)) {
            let mut sum = simd.splat_f32s(0.0);
            for (&a, &x) in a.iter().zip(S::as_simd_f32s(x).0) {
                sum = simd.mul_add_e_f32s(a, x, sum);
            }
            *c += simd.reduce_sum_f32s(sum);
        }
        return;
    }
    for h in (0..hidden).step_by(S::F32_LANES) {
        for t in (0..T).step_by(S::F32_LANES) {
            simd.transpose(&x[h * T + t..], T, &mut transposed[t * hidden + h..], hidden);
        }
    }
    let a = Rows { values: a, stride: T, k: T };
    let term = (a, S::as_simd_f32s(&transposed[..T * hidden]).0);
    product::rows(simd, Start::Add, &[term], m, hidden, c);
}

/// Adds every row of x (rows, T) to its partial sum.
#[inline(always)]
fn add_rows<S: Lanes>(simd: S, x: &[f32], partial: &mut [f32]) {
    for (x, sum) in x.chunks_exact(T).zip(S::as_mut_simd_f32s(partial).0) {
        for &x in S::as_simd_f32s(x).0 {
            *sum = simd.add_f32s(*sum, x);
        }
    }
}
