//! The grid of one slice: groups of chunks, groups of channels, and the state-space layers that run on it.

use rayon::prelude::*;

use crate::engine::chunked::CHUNK as T;
use crate::engine::chunked::ends::Frame;
use crate::engine::chunked::groups::{GROUPS, Group};
use crate::engine::chunked::network::Dynamics;
use crate::engine::chunked::ssm::{self, BLOCK};
use crate::engine::chunked::tables::TableGradients;
use crate::engine::simd::Isa;
use crate::engine::simd::buffer::LINE_FLOATS;

/// Chunks of one slice, and how they are shared out.
#[derive(Clone, Copy)]
pub(super) struct Grid {
    pub(super) chunks: usize,
    /// Width (H).
    pub(super) hidden: usize,
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
            hidden,
            frame,
            stride: hidden * T + LINE_FLOATS,
            per_group: chunks.div_ceil(GROUPS).next_multiple_of(2),
            channel_stride: chunks * T + LINE_FLOATS,
            keep,
        }
    }

    /// Floats of states that a group of channels keeps: all, or those of a block of chunks.
    pub(super) fn states(self, columns: usize) -> usize {
        if self.keep { self.together() * self.chunks * columns } else { BLOCK.min(self.chunks) * columns }
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

    /// All channels of a state-space layer: `u` by chunks (chunks, H, T) in, `y` by channels (H, chunks, T) out, and the
    /// states (H, chunks, columns), or those of one block of chunks for each group, where there are chunks.
    pub(super) fn ssm_forward(
        self,
        isa: Isa,
        dynamics: &Dynamics,
        u: &[f32],
        groups: &mut [Group],
        states: &mut [f32],
        y: &mut [f32],
    ) {
        let (together, row) = (self.together(), self.chunks * T);
        let tasks = groups
            .par_iter_mut()
            .zip(y[..self.hidden * self.channel_stride].par_chunks_mut(together * self.channel_stride))
            .enumerate()
            .map(|(index, (group, y))| {
                let first = index * together;
                let inputs = &mut group.channels[0][..y.len() / self.channel_stride * row];
                ssm::gather(&u[first * T..], self.stride, self.chunks, inputs);
                (first, group, y)
            });
        match dynamics {
            Dynamics::Chunks { tables, .. } => {
                let (columns, chunks) = (tables.columns, (self.chunks, self.frame.per_sequence));
                let kept = self.chunks * columns;
                tasks.zip(states.par_chunks_mut(self.states(columns))).for_each(
                    |((first, group, y), states)| {
                        let inputs = group.channels[0].chunks_exact(row);
                        for (part, (y, u)) in y.chunks_exact_mut(self.channel_stride).zip(inputs).enumerate()
                        {
                            let states =
                                if self.keep { &mut states[part * kept..][..kept] } else { &mut *states };
                            let (tables, carry) = (tables.forward(first + part), &mut *group.carry);
                            isa.run(ssm::Forward { tables, u, chunks, states, carry, y });
                        }
                    },
                );
            }
            Dynamics::Long { kernels, .. } => tasks.for_each(|(first, group, y)| {
                let inputs = group.channels[0].chunks_exact(row);
                let waves = group.waves.as_mut().expect("memory for transforms");
                for (part, (y, u)) in y.chunks_exact_mut(self.channel_stride).zip(inputs).enumerate() {
                    kernels.forward(isa, first + part, u, waves, &mut y[..row]);
                }
            }),
        }
    }

    /// All channels backward: the input (chunks, H, T), the states (H, chunks, columns) and the gradient of the output
    /// (chunks, H, T) in, the gradient of the input (H, chunks, T) out.
    pub(super) fn ssm_backward(
        self,
        isa: Isa,
        dynamics: &mut Dynamics,
        (u, states, dy): (&[f32], &[f32], &[f32]),
        groups: &mut [Group],
        du: &mut [f32],
    ) {
        let (together, row) = (self.together(), self.chunks * T);
        let tasks = groups
            .par_iter_mut()
            .zip(du[..self.hidden * self.channel_stride].par_chunks_mut(together * self.channel_stride))
            .enumerate()
            .map(|(index, (group, du))| {
                let (first, count) = (index * together, du.len() / self.channel_stride);
                let [us, dys] = &mut group.channels;
                ssm::gather(&u[first * T..], self.stride, self.chunks, &mut us[..count * row]);
                ssm::gather(&dy[first * T..], self.stride, self.chunks, &mut dys[..count * row]);
                (first, group, du)
            });
        match dynamics {
            Dynamics::Chunks { tables, gradients } => {
                let columns = tables.columns;
                let kept = self.chunks * columns;
                let TableGradients { toeplitz, input, output_t, rotation } = &mut **gradients;
                let sizes = [T * T, T * columns, T * columns, columns];
                tasks
                    .zip(toeplitz.par_chunks_mut(together * sizes[0]))
                    .zip(input.par_chunks_mut(together * sizes[1]))
                    .zip(output_t.par_chunks_mut(together * sizes[2]))
                    .zip(rotation.par_chunks_mut(together * sizes[3]))
                    .for_each(|(((((first, group, du), toeplitz), input), output_t), rotation)| {
                        let Group { channels: [us, dys], states: ends, carry, .. } = group;
                        for (part, du) in du.chunks_exact_mut(self.channel_stride).enumerate() {
                            let h = first + part;
                            let range = |size: usize| part * size..(part + 1) * size;
                            isa.run(ssm::Backward {
                                tables: tables.backward(h),
                                u: &us[range(row)],
                                states: &states[h * kept..(h + 1) * kept],
                                dy: &dys[range(row)],
                                chunks: (self.chunks, self.frame.per_sequence),
                                memory: [&mut *ends, &mut *carry],
                                du,
                                gradients: [
                                    &mut toeplitz[range(sizes[0])],
                                    &mut input[range(sizes[1])],
                                    &mut output_t[range(sizes[2])],
                                    &mut rotation[range(sizes[3])],
                                ],
                            });
                            self.clear_missing(du);
                        }
                    });
            }
            Dynamics::Long { kernels, gradient } => {
                let size = kernels.size();
                let kernels = &*kernels;
                tasks.zip(gradient.par_chunks_mut(together * size)).for_each(
                    |((first, group, du), gradient)| {
                        let Group { channels: [us, dys], waves, .. } = group;
                        let waves = waves.as_mut().expect("memory for transforms");
                        let parts =
                            du.chunks_exact_mut(self.channel_stride).zip(gradient.chunks_exact_mut(size));
                        for (part, (du, gradient)) in parts.enumerate() {
                            let inputs = [&us[part * row..][..row], &dys[part * row..][..row]];
                            kernels.backward(isa, first + part, inputs, waves, gradient, &mut du[..row]);
                            self.clear_missing(du);
                        }
                    },
                );
            }
        }
    }

    /// Sets the missing positions of a channel to zero.
    fn clear_missing(self, channel: &mut [f32]) {
        for chunk in (0..self.chunks).step_by(self.frame.per_sequence) {
            channel[chunk * T..][..self.frame.pad()].fill(0.0);
        }
    }

    /// Channels of a group.
    fn together(self) -> usize {
        self.hidden.div_ceil(GROUPS)
    }
}
