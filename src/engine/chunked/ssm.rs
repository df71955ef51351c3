//! The state-space model of one channel over the chunks of a slice: forward, backward.

use crate::engine::chunked::CHUNK as T;
use crate::engine::simd::prefetch::prefetch;
use crate::engine::simd::product::{self, Rows, Start, Triangle};
use crate::engine::simd::{Kernel, Lanes};

/// Chunks that are worked on together, so that their rows stay in the first two caches.
pub const BLOCK: usize = 64;

/// Matrices of one channel; see [`super::tables`].
#[derive(Clone, Copy)]
pub struct ChannelTables<'a> {
    /// Kᵤ forward, Kᵤᵀ backward (T, T).
    pub toeplitz: &'a [f32],
    /// V forward, Mᵀ backward (T, columns): from positions to states.
    pub to_states: &'a [f32],
    /// M forward, Vᵀ backward (columns, T): from states to positions.
    pub from_states: &'a [f32],
    /// E^T (columns).
    pub rotation: &'a [f32],
}

/// Copies the rows of some neighbouring channels, which lie side by side in every chunk, to (channels, chunks, T):
/// they are read many times, and chunks lie in as many pages.
///
/// `values` begins at the first channel's first value, `stride` is the distance between chunks.
pub fn gather(values: &[f32], stride: usize, chunks: usize, to: &mut [f32]) {
    /// Chunks that are asked for ahead.
    const AHEAD: usize = 16;
    let width = to.len() / chunks;
    for c in 0..chunks {
        if c + AHEAD < chunks {
            prefetch(&values[(c + AHEAD) * stride..][..width]);
        }
        let from = &values[c * stride..][..width];
        for (channel, row) in from.chunks_exact(T).enumerate() {
            to[(channel * chunks + c) * T..][..T].copy_from_slice(row);
        }
    }
}

/// Rows of `count` chunks from `first` on.
#[inline(always)]
fn chunk_rows(channel: &[f32], first: usize, count: usize) -> Rows<'_> {
    Rows { values: &channel[first * T..(first + count) * T], stride: T, k: T }
}

/// y (chunks, T) of u, and the states at the start of every chunk.
pub struct Forward<'a> {
    /// Matrices.
    pub tables: ChannelTables<'a>,
    /// Input (chunks, T).
    pub u: &'a [f32],
    /// Chunks in the slice, and in one sequence.
    pub chunks: (usize, usize),
    /// States (chunks, columns), or those of one block of chunks if nobody needs them afterwards.
    pub states: &'a mut [f32],
    /// Memory for one state (columns).
    pub carry: &'a mut [f32],
    /// Output (chunks, T).
    pub y: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    #[inline(always)]
    fn run<S: Lanes>(self, simd: S) {
        let columns = self.tables.rotation.len();
        let (all, per_sequence) = self.chunks;
        let kept = self.states.len() >= all * columns;
        let input = S::as_simd_f32s(self.tables.to_states).0;
        let toeplitz = S::as_simd_f32s(self.tables.toeplitz).0;
        let output = S::as_simd_f32s(self.tables.from_states).0;
        for first in (0..all).step_by(BLOCK) {
            let count = BLOCK.min(all - first);
            let from = if kept { first * columns } else { 0 };
            if kept {
                prefetch(&self.states[from + count * columns..][..count.min(all - first - count) * columns]);
            }
            let states = &mut self.states[from..from + count * columns];
            let u = chunk_rows(self.u, first, count);
            product::rows(simd, Start::Zero, &[(u, input)], count, columns, states);
            start_states(simd, self.tables.rotation, self.carry, states, first, per_sequence);
            let states = Rows { values: states, stride: columns, k: columns };
            let y = &mut self.y[first * T..(first + count) * T];
            product::triangle_and_rows(simd, (u, toeplitz, Triangle::Upper), &(states, output), count, T, y);
        }
    }
}

/// Turns what each chunk adds to the state, u V, into the state at the chunk's start: s⁺ = E^T ∘ s + u V, s = 0 at the
/// start of a sequence. `carry` holds the state between blocks.
#[inline(always)]
fn start_states<S: Lanes>(
    simd: S,
    rotation: &[f32],
    carry: &mut [f32],
    states: &mut [f32],
    first: usize,
    per_sequence: usize,
) {
    let (rotation, _) = S::as_simd_f32s(rotation);
    let (carry, _) = S::as_mut_simd_f32s(carry);
    let (states, _) = S::as_mut_simd_f32s(states);
    let registers = rotation.len();
    let wide = registers / 2;
    let zero = simd.splat_f32s(0.0);
    for j in 0..wide {
        let (a, b) = (rotation[j], rotation[wide + j]);
        let (mut re, mut im) = (carry[j], carry[wide + j]);
        for (c, state) in states.chunks_exact_mut(registers).enumerate() {
            if (first + c).is_multiple_of(per_sequence) {
                (re, im) = (zero, zero);
            }
            let (added_re, added_im) = (state[j], state[wide + j]);
            (state[j], state[wide + j]) = (re, im);
            let next_re = simd.negate_mul_add_e_f32s(b, im, simd.mul_add_e_f32s(a, re, added_re));
            im = simd.mul_add_e_f32s(b, re, simd.mul_add_e_f32s(a, im, added_im));
            re = next_re;
        }
        (carry[j], carry[wide + j]) = (re, im);
    }
}

// The transpose of each line, with ε the gradient of the state at a chunk's end and g = dy Mᵀ:
//   du = dy Kᵤᵀ + ε Vᵀ,   ε of the chunk before = g + E^T* ∘ ε (in real and imaginary parts, hence the conjugate),
//   dKᵤ = Σ uᵀ dy,  dV = Σ uᵀ ε,  dMᵀ = Σ dyᵀ s,  d E^T = Σ s* ε.

/// du (chunks, T) of dy, and what the chunks add to the gradients of the matrices.
pub struct Backward<'a> {
    /// Matrices.
    pub tables: ChannelTables<'a>,
    /// Input of forward (chunks, T).
    pub u: &'a [f32],
    /// States of forward (chunks, columns).
    pub states: &'a [f32],
    /// Gradient of the output (chunks, T).
    pub dy: &'a [f32],
    /// Chunks in the slice, and in one sequence.
    pub chunks: (usize, usize),
    /// Memory for the ε of one block (chunks, columns), and for one state (columns).
    pub memory: [&'a mut [f32]; 2],
    /// Gradient of the input (chunks, T).
    pub du: &'a mut [f32],
    /// dKᵤ (T, T), dV and dMᵀ (T, columns), d E^T (columns), added to.
    pub gradients: [&'a mut [f32]; 4],
}

impl Kernel for Backward<'_> {
    #[inline(always)]
    fn run<S: Lanes>(self, simd: S) {
        let columns = self.tables.rotation.len();
        let (all, per_sequence) = self.chunks;
        let output_t = S::as_simd_f32s(self.tables.to_states).0;
        let toeplitz_t = S::as_simd_f32s(self.tables.toeplitz).0;
        let input_t = S::as_simd_f32s(self.tables.from_states).0;
        let [d_toeplitz, d_input, d_output_t, d_rotation] = self.gradients;
        let [ends, carry] = self.memory;
        for block in (0..all.div_ceil(BLOCK)).rev() {
            let first = block * BLOCK;
            let count = BLOCK.min(all - first);
            let ends = &mut ends[..count * columns];
            prefetch(&self.states[first.saturating_sub(BLOCK) * columns..first * columns]);
            let states = &self.states[first * columns..(first + count) * columns];
            let (u, dy) = (chunk_rows(self.u, first, count), chunk_rows(self.dy, first, count));
            product::rows(simd, Start::Zero, &[(dy, output_t)], count, columns, ends);
            let scan = EndScan { rotation: self.tables.rotation, states, first, per_sequence };
            scan.run(simd, carry, ends, d_rotation);
            let ends_rows = Rows { values: ends, stride: columns, k: columns };
            let du = &mut self.du[first * T..(first + count) * T];
            product::triangle_and_rows(
                simd,
                (dy, toeplitz_t, Triangle::Lower),
                &(ends_rows, input_t),
                count,
                T,
                du,
            );
            product::outer(simd, u, (dy.values, dy.stride), (count, T), true, d_toeplitz);
            product::outer(simd, u, (ends, columns), (count, columns), false, d_input);
            product::outer(simd, dy, (states, columns), (count, columns), false, d_output_t);
        }
    }
}

struct EndScan<'a> {
    rotation: &'a [f32],
    states: &'a [f32],
    first: usize,
    per_sequence: usize,
}

impl EndScan<'_> {
    /// Turns g of each chunk into ε of the same chunk, from the last chunk to the first, and adds to d E^T.
    #[inline(always)]
    fn run<S: Lanes>(self, simd: S, carry: &mut [f32], ends: &mut [f32], d_rotation: &mut [f32]) {
        let (rotation, _) = S::as_simd_f32s(self.rotation);
        let (states, _) = S::as_simd_f32s(self.states);
        let (carry, _) = S::as_mut_simd_f32s(carry);
        let (ends, _) = S::as_mut_simd_f32s(ends);
        let (d_rotation, _) = S::as_mut_simd_f32s(d_rotation);
        let registers = rotation.len();
        let wide = registers / 2;
        let zero = simd.splat_f32s(0.0);
        for j in 0..wide {
            let (a, b) = (rotation[j], rotation[wide + j]);
            let (mut re, mut im) = (carry[j], carry[wide + j]);
            let (mut d_re, mut d_im) = (d_rotation[j], d_rotation[wide + j]);
            let rows = ends.chunks_exact_mut(registers).zip(states.chunks_exact(registers));
            for (c, (end, state)) in rows.enumerate().rev() {
                if (self.first + c + 1).is_multiple_of(self.per_sequence) {
                    (re, im) = (zero, zero);
                }
                let (g_re, g_im) = (end[j], end[wide + j]);
                let (s_re, s_im) = (state[j], state[wide + j]);
                (end[j], end[wide + j]) = (re, im);
                d_re = simd.mul_add_e_f32s(s_re, re, simd.mul_add_e_f32s(s_im, im, d_re));
                d_im = simd.negate_mul_add_e_f32s(s_im, re, simd.mul_add_e_f32s(s_re, im, d_im));
                let before_re = simd.mul_add_e_f32s(b, im, simd.mul_add_e_f32s(a, re, g_re));
                im = simd.negate_mul_add_e_f32s(b, re, simd.mul_add_e_f32s(a, im, g_im));
                re = before_re;
            }
            (carry[j], carry[wide + j]) = (re, im);
            (d_rotation[j], d_rotation[wide + j]) = (d_re, d_im);
        }
    }
}
