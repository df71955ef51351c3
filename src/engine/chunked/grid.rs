//! The grid of one slice: groups of chunks, groups of channels, and the state-space layers that run on it.

use rayon::prelude::*;

use crate::engine::chunked::CHUNK as T;
use crate::engine::chunked::ends::Frame;
use crate::engine::chunked::groups::{GROUPS, Group};
use crate::engine::chunked::ssm::{self, BLOCK};
use crate::engine::chunked::tables::{TableGradients, Tables};
use crate::engine::simd::Isa;
use crate::engine::simd::buffer::LINE_FLOATS;

/// Chunks of one slice, and how they are shared out.
#[derive(Clone, Copy)]
pub(super) struct Grid {
    pub(super) chunks: usize,
    pub(super) frame: Frame,
    /// Distance between chunks in arrays by chunks.
    pub(super) stride: usize,
    /// Chunks of a group.
    pub(super) per_group: usize,
    /// Distance between channels in arrays by channels.
    pub(super) channel_stride: usize,
    /// Whether backward follows.
    pub(super) keep: bool,
}

impl Grid {
    pub(super) fn new(sequences: usize, frame: Frame, hidden: usize, keep: bool) -> Grid {
        let chunks = sequences * frame.per_sequence;
        Grid {
            chunks,
            frame,
            stride: hidden * T + LINE_FLOATS,
            per_group: chunks.div_ceil(GROUPS).next_multiple_of(2),
            channel_stride: chunks * T + LINE_FLOATS,
            keep,
        }
    }

    /// Floats of states that a group of channels keeps: all, or those of a block of chunks.
    pub(super) fn states(self, hidden: usize, columns: usize) -> usize {
        if self.keep {
            hidden.div_ceil(GROUPS) * self.chunks * columns
        } else {
            BLOCK.min(self.chunks) * columns
        }
    }

    /// Floats of values and gates that a group of chunks keeps: all, or those of one chunk.
    pub(super) fn gated(self, hidden: usize) -> usize {
        2 * hidden * T * if self.keep { self.per_group } else { 1 }
    }

    /// Floats of residual sums that a group of chunks keeps: all, or, where the next block does not read them, those of
    /// one chunk.
    pub(super) fn sums(self, read: bool) -> usize {
        self.stride * if self.keep || read { self.per_group } else { 1 }
    }

    /// The groups that have chunks, each with its first.
    pub(super) fn groups(
        self,
        groups: &mut [Group],
    ) -> impl IndexedParallelIterator<Item = (usize, &mut Group)> {
        let used = self.chunks.div_ceil(self.per_group);
        groups[..used].par_iter_mut().enumerate().map(move |(index, group)| (index * self.per_group, group))
    }

    /// All channels of a state-space layer: `u` by chunks in, `y` by channels and the states out.
    pub(super) fn ssm_forward(
        self,
        isa: Isa,
        tables: &Tables,
        u: &[f32],
        groups: &mut [Group],
        states: &mut [f32],
        y: &mut [f32],
    ) {
        let (hidden, columns) = (tables.rotation.len() / tables.columns, tables.columns);
        let (together, row) = (hidden.div_ceil(GROUPS), self.chunks * T);
        let chunks = (self.chunks, self.frame.per_sequence);
        groups
            .par_iter_mut()
            .zip(y[..hidden * self.channel_stride].par_chunks_mut(together * self.channel_stride))
            .zip(states.par_chunks_mut(self.states(hidden, columns)))
            .enumerate()
            .for_each(|(index, ((group, y), states))| {
                let first = index * together;
                let inputs = &mut group.channels[0][..y.len() / self.channel_stride * row];
                ssm::gather(&u[first * T..], self.stride, self.chunks, inputs);
                let channels = y.chunks_exact_mut(self.channel_stride).zip(inputs.chunks_exact(row));
                for (part, (y, u)) in channels.enumerate() {
                    let kept = self.chunks * columns;
                    let states = if self.keep { &mut states[part * kept..][..kept] } else { &mut *states };
                    let (tables, carry) = (tables.forward(first + part), &mut *group.carry);
                    isa.run(ssm::Forward { tables, u, chunks, states, carry, y });
                }
            });
    }

    /// All channels backward: the input, the states and the gradient of the output in, the gradient of the input out.
    pub(super) fn ssm_backward(
        self,
        isa: Isa,
        tables: &Tables,
        (u, states, dy): (&[f32], &[f32], &[f32]),
        groups: &mut [Group],
        gradients: &mut TableGradients,
        du: &mut [f32],
    ) {
        let (hidden, columns) = (tables.rotation.len() / tables.columns, tables.columns);
        let (together, kept) = (hidden.div_ceil(GROUPS), self.chunks * columns);
        let TableGradients { toeplitz, input, output_t, rotation } = gradients;
        let sizes = [T * T, T * columns, T * columns, columns];
        groups
            .par_iter_mut()
            .zip(du[..hidden * self.channel_stride].par_chunks_mut(together * self.channel_stride))
            .zip(toeplitz.par_chunks_mut(together * sizes[0]))
            .zip(input.par_chunks_mut(together * sizes[1]))
            .zip(output_t.par_chunks_mut(together * sizes[2]))
            .zip(rotation.par_chunks_mut(together * sizes[3]))
            .enumerate()
            .for_each(|(index, (((((group, du), toeplitz), input), output_t), rotation))| {
                let (first, count) = (index * together, du.len() / self.channel_stride);
                let row = self.chunks * T;
                let [us, dys] = &mut group.channels;
                ssm::gather(&u[first * T..], self.stride, self.chunks, &mut us[..count * row]);
                ssm::gather(&dy[first * T..], self.stride, self.chunks, &mut dys[..count * row]);
                for (part, du) in du.chunks_exact_mut(self.channel_stride).enumerate() {
                    let h = first + part;
                    let range = |size: usize| part * size..(part + 1) * size;
                    isa.run(ssm::Backward {
                        tables: tables.backward(h),
                        u: &us[part * row..][..row],
                        states: &states[h * kept..(h + 1) * kept],
                        dy: &dys[part * row..][..row],
                        chunks: (self.chunks, self.frame.per_sequence),
                        memory: [&mut group.states, &mut group.carry],
                        du,
                        gradients: [
                            &mut toeplitz[range(sizes[0])],
                            &mut input[range(sizes[1])],
                            &mut output_t[range(sizes[2])],
                            &mut rotation[range(sizes[3])],
                        ],
                    });
                    for chunk in (0..self.chunks).step_by(self.frame.per_sequence) {
                        du[chunk * T..][..self.frame.pad()].fill(0.0);
                    }
                }
            });
    }
}
