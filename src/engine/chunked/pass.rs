//! One slice through all layers: forward, backward.

use rayon::prelude::*;

use crate::engine::chunked::CHUNK as T;
use crate::engine::chunked::ends::{Encode, EncodeBackward, Frame, Head, HeadBackward};
use crate::engine::chunked::grid::Grid;
use crate::engine::chunked::groups::Group;
use crate::engine::chunked::memory::{Gradients, Memory, Run, Sum};
use crate::engine::chunked::mix::{self, ByChannel, Dropout, Norm, Upstream};
use crate::engine::chunked::network::Layer;
use crate::engine::chunked::shape::Shape;
use crate::engine::chunked::stream::StepLayer;
use crate::engine::linear::LinearParams;
use crate::engine::network::NetworkParams;
use crate::engine::norm::NormParams;
use crate::engine::simd::Isa;

/// How the state-space layers go on from what was before.
pub(super) enum Scan<'a> {
    /// Sequences from their start on; `keep` if backward follows.
    Sequence { keep: bool },
    /// One step from the states that are held.
    Step(&'a mut [StepLayer]),
}

/// One slice through all layers.
pub(super) struct Pass<'a> {
    pub(super) shape: &'a Shape,
    pub(super) isa: Isa,
    pub(super) frame: Frame,
    pub(super) params: &'a NetworkParams<f32>,
    /// Factors of the blocks' branches (sequences of the slice, layers, H); empty if nothing is dropped.
    pub(super) dropout: &'a [f32],
}

impl<'a> Pass<'a> {
    /// Factors of one block.
    fn dropout(&self, layer: usize) -> Option<Dropout<'a>> {
        let (hidden, per_sequence) = (self.shape.hidden, self.frame.per_sequence);
        let factors = self.dropout.get(layer * hidden..).filter(|factors| !factors.is_empty())?;
        Some(Dropout { factors, stride: self.shape.layers * hidden, per_sequence })
    }

    fn grid(&self, tokens: &[f32], keep: bool) -> Grid {
        let [read, _] = self.shape.row_sizes();
        Grid::new(tokens.len() / read, self.frame, self.shape.hidden, keep)
    }

    /// Outputs of tokens (sequences of the slice, L, P) into `memory.out` (positions, outputs).
    pub(super) fn forward(
        &self,
        layers: &[Layer],
        groups: &mut [Group],
        memory: &mut Memory,
        tokens: &[f32],
        mut scan: Scan,
    ) {
        let Pass { shape, isa, frame, params, .. } = *self;
        let grid = self.grid(tokens, matches!(scan, Scan::Sequence { keep: true }));
        let Grid { chunks, stride, per_group, .. } = grid;
        let (encoder, reads_codes) = (linear(&params.encoder), shape.reads_codes);
        let encode = |first: usize, group: &mut Group, out: &mut [f32]| {
            let gathered = &mut group.gathered;
            isa.run(Encode { frame, first, stride, map: encoder, tokens, reads_codes, gathered, out });
        };
        let Sum { sum, moments, normed } = &mut memory.encoded;
        let to = if shape.pre() { &mut *sum } else { &mut *normed };
        grid.groups(groups)
            .zip(to[..chunks * stride].par_chunks_mut(per_group * stride))
            .for_each(|((first, group), out)| encode(first, group, out));
        if shape.pre() {
            let norm = norm(&params.stack().blocks[0].norm);
            grid.groups(groups)
                .zip(sum[..chunks * stride].par_chunks(per_group * stride))
                .zip(moments.par_chunks_mut(per_group * 2 * T))
                .zip(normed[..chunks * stride].par_chunks_mut(per_group * stride))
                .for_each(|((((first, _), sum), moments), normed)| {
                    isa.run(mix::NormForward { frame, first, norm, stride, sum, moments, normed });
                });
        }
        for index in 0..shape.layers {
            let (input, Run { y, states, gated, out }) = memory.block(index);
            match &mut scan {
                Scan::Sequence { .. } => {
                    grid.ssm_forward(isa, &layers[index].dynamics, &input.normed, groups, states, y);
                }
                Scan::Step(steps) => steps[index].step(grid, isa, &input.normed, y),
            }
            let residual: &[f32] = if shape.pre() { &input.sum } else { &input.normed };
            let mix = linear(&params.stack().blocks[index].mix);
            let norm = norm(shape.norm_after(params, index));
            let dropout = self.dropout(index);
            let y = ByChannel { values: y, stride: grid.channel_stride };
            grid.groups(groups)
                .zip(out.sum.par_chunks_mut(grid.sums(shape.pre())))
                .zip(out.moments.par_chunks_mut(per_group * 2 * T))
                .zip(out.normed[..chunks * stride].par_chunks_mut(per_group * stride))
                .zip(gated.par_chunks_mut(grid.gated(shape.hidden)))
                .for_each(|(((((first, group), sum), moments), normed), gated)| {
                    let activated = group.activated();
                    isa.run(mix::Forward {
                        frame,
                        y,
                        first,
                        stride,
                        residual,
                        mix,
                        norm,
                        dropout,
                        gated,
                        sum,
                        moments,
                        normed,
                        activated,
                    });
                });
        }
        let x = &memory.runs[(shape.layers - 1) % memory.runs.len()].out.normed;
        let head = linear(&params.head);
        let written = shape.outputs;
        let mut rest = &mut memory.out[..];
        // Groups write positions in order; each takes its part of the outputs.
        for (index, group) in groups.iter_mut().enumerate() {
            let first = index * per_group;
            if first >= chunks {
                break;
            }
            let end = (first + per_group).min(chunks);
            let positions: usize = (first..end).map(|chunk| T - frame.missing(chunk)).sum();
            let (out, after) = rest.split_at_mut(positions * written);
            rest = after;
            let x = &x[first * stride..end * stride];
            isa.run(Head { frame, first, stride, map: head, x, gathered: &mut group.gathered, out });
        }
    }

    // Each region of forward has its transpose here, in reverse order.

    /// Adds to the sums of groups and layers what `gradients.dout` (positions, outputs) says, after [`Pass::forward`] of the
    /// same tokens; `head_weight_t` is Wᵀ (H, outputs) of the head.
    pub(super) fn backward(
        &self,
        layers: &mut [Layer],
        head_weight_t: &[f32],
        groups: &mut [Group],
        memory: &mut Memory,
        gradients: &mut Gradients,
        tokens: &[f32],
    ) {
        let Pass { shape, isa, frame, params, .. } = *self;
        let grid = self.grid(tokens, true);
        let Grid { chunks, stride, per_group, channel_stride, .. } = grid;
        let Gradients { d_chunks, dy, du, dout } = gradients;
        let d_chunks = &mut d_chunks[..chunks * stride];
        let x = &memory.runs[shape.layers - 1].out.normed;
        grid.groups(groups)
            .zip(d_chunks.par_chunks_mut(per_group * stride))
            .zip(x[..chunks * stride].par_chunks(per_group * stride))
            .for_each(|(((first, group), dx), x)| {
                let (partials, scratch) = group.head();
                let weight_t = head_weight_t;
                isa.run(HeadBackward { frame, first, stride, weight_t, x, dout, scratch, dx, partials });
            });
        for index in (0..shape.layers).rev() {
            let top = index + 1 == shape.layers;
            let gamma = norm(shape.norm_after(params, index)).gamma;
            let dropout = self.dropout(index);
            let Layer { dynamics, weight_t } = &mut layers[index];
            let (input, Run { y, states, gated, out }) = memory.block(index);
            let by_channels = |values| ByChannel { values, stride: channel_stride };
            let d_input = &**du;
            grid.groups(groups)
                .zip(d_chunks.par_chunks_mut(per_group * stride))
                .zip(dy[..chunks * stride].par_chunks_mut(per_group * stride))
                .zip(out.sum.par_chunks(per_group * stride))
                .zip(out.moments.par_chunks(per_group * 2 * T))
                .zip(gated.par_chunks(per_group * 2 * shape.hidden * T))
                .for_each(|((((((first, group), d_chunks), dy), sum), moments), gated)| {
                    let (partials, scratch) = group.block(index);
                    let upstream = Upstream {
                        channels: (!top).then(|| by_channels(d_input)),
                        of_normed: top || !shape.pre(),
                    };
                    isa.run(mix::Backward {
                        y: by_channels(y),
                        first,
                        stride,
                        weight_t,
                        gamma,
                        dropout,
                        gated,
                        sum,
                        moments,
                        upstream,
                        d_chunks,
                        dy,
                        partials,
                        scratch,
                    });
                });
            let arrays = (&*input.normed, &**states, &**dy);
            grid.ssm_backward(isa, dynamics, arrays, groups, du);
        }
        let channels = ByChannel { values: du, stride: channel_stride };
        if shape.pre() {
            let gamma = norm(&params.stack().blocks[0].norm).gamma;
            grid.groups(groups)
                .zip(d_chunks.par_chunks_mut(per_group * stride))
                .zip(memory.encoded.sum.par_chunks(per_group * stride))
                .zip(memory.encoded.moments.par_chunks(per_group * 2 * T))
                .for_each(|((((first, group), d_chunks), sum), moments)| {
                    let (d_normed, partials) = (channels, group.first_norm());
                    isa.run(mix::NormBackward {
                        first,
                        stride,
                        gamma,
                        sum,
                        moments,
                        d_normed,
                        d_chunks,
                        partials,
                    });
                });
        }
        let d_channels = (!shape.pre()).then_some(channels);
        grid.groups(groups).zip(d_chunks.par_chunks_mut(per_group * stride)).for_each(
            |((first, group), d_chunks)| {
                let (partials, scratch) = group.encoder();
                isa.run(EncodeBackward {
                    frame,
                    first,
                    stride,
                    tokens,
                    reads_codes: shape.reads_codes,
                    d_chunks,
                    d_channels,
                    scratch,
                    partials,
                });
            },
        );
    }
}

/// Weight and bias of a map.
fn linear(params: &LinearParams<f32>) -> (&[f32], &[f32]) {
    (params.weight.as_slice().expect("standard layout"), params.bias.as_slice().expect("standard layout"))
}

/// Scale and shift of a norm.
fn norm(params: &NormParams<f32>) -> Norm<'_> {
    Norm {
        gamma: params.gamma.as_slice().expect("standard layout"),
        beta: params.beta.as_slice().expect("standard layout"),
    }
}
