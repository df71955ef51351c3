//! Slices through all layers: memory for one slice, forward, backward.

use ndarray::ArrayView2;
use rayon::prelude::*;

use crate::engine::block::Placement;
use crate::engine::chunked::CHUNK as T;
use crate::engine::chunked::ends::{Encode, EncodeBackward, Frame, Head, HeadBackward};
use crate::engine::chunked::groups::{GROUPS, Group};
use crate::engine::chunked::mix::{self, ByChannel, Norm, Upstream};
use crate::engine::chunked::ssm::{self, BLOCK, Channel};
use crate::engine::chunked::tables::{TableGradients, Tables};
use crate::engine::linear::LinearParams;
use crate::engine::network::NetworkParams;
use crate::engine::norm::NormParams;
use crate::engine::s4d::Discretization;
use crate::engine::simd::Isa;
use crate::engine::simd::buffer::{Buffer, LINE_FLOATS};

/// Positions of a slice, as long as single sequences are shorter.
const SLICE_POSITIONS: usize = 8192;

/// Width of a chunked network has to be a multiple of this: the lanes of the widest registers.
pub const WIDTH: usize = 16;

/// Shape of a network that reads and answers at every position.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// Positions of a sequence (L).
    pub len: usize,
    /// Values per position (P).
    pub patch: usize,
    /// Width (H), a multiple of 16.
    pub hidden: usize,
    /// Stored modes per channel (N/2).
    pub modes: usize,
    /// Blocks.
    pub layers: usize,
    /// Outputs per position.
    pub outputs: usize,
    /// [`Placement::Pre`], with a norm before every block and one before the head, or [`Placement::Post`], with a norm
    /// after every block.
    pub placement: Placement,
    /// Discretisation.
    pub discretization: Discretization,
}

impl Shape {
    /// Whether a norm stands between the residual sum and what is added next.
    fn pre(&self) -> bool {
        self.placement == Placement::Pre
    }

    /// The norm of the sum that leaves a block.
    fn norm_after<'a>(&self, params: &'a NetworkParams<f32>, layer: usize) -> &'a NormParams<f32> {
        match self.placement {
            Placement::Pre if layer + 1 == self.layers => &params.norm,
            Placement::Pre => &params.blocks[layer + 1].norm,
            _ => &params.blocks[layer].norm,
        }
    }

    /// [`Shape::norm_after`] of a gradient.
    pub fn norm_after_mut<'a>(
        &self,
        params: &'a mut NetworkParams<f32>,
        layer: usize,
    ) -> &'a mut NormParams<f32> {
        match self.placement {
            Placement::Pre if layer + 1 == self.layers => &mut params.norm,
            Placement::Pre => &mut params.blocks[layer + 1].norm,
            _ => &mut params.blocks[layer].norm,
        }
    }

    /// The norm before the first block of a gradient, if there is one.
    pub fn first_norm_mut<'a>(&self, params: &'a mut NetworkParams<f32>) -> Option<&'a mut NormParams<f32>> {
        if self.pre() { Some(&mut params.blocks[0].norm) } else { None }
    }
}

/// Memory and matrices of one block.
struct Layer {
    tables: Tables,
    gradients: TableGradients,
    /// Wᵀ (H, 2H) of the mixing map.
    weight_t: Buffer,
    /// Output of the state-space layer, by channels.
    y: Buffer,
    /// States at the start of every chunk (H, chunks, columns).
    states: Buffer,
    /// Values and gates (chunks, 2H, T).
    gated: Buffer,
    /// Residual sum that leaves the block, its moments and its norm.
    out: Sum,
}

/// A residual sum, its moments and its norm, by chunks.
struct Sum {
    sum: Buffer,
    moments: Buffer,
    normed: Buffer,
}

/// A network with memory for one slice: made once, it allocates nothing while it works.
pub struct Chunked {
    shape: Shape,
    isa: Isa,
    frame: Frame,
    /// Sequences of a slice.
    sequences: usize,
    /// Whether there is memory for backward.
    training: bool,
    encoded: Sum,
    layers: Vec<Layer>,
    groups: Vec<Group>,
    head_weight_t: Buffer,
    /// Gradient by chunks; that of the state-space layers' outputs, by chunks, and of their inputs, by channels.
    d_chunks: Buffer,
    dy: Buffer,
    du: Buffer,
    out: Vec<f32>,
    dout: Vec<f32>,
}

/// Loss of a slice: (first sequence, outputs (positions, outputs), their gradient to be filled).
pub type SliceLoss<'a> = dyn FnMut(usize, &[f32], &mut [f32]) + 'a;

impl Chunked {
    /// Memory for batches of up to `batch` sequences, to forecast only or to train too.
    ///
    /// # Panics
    /// If the width is not a multiple of 16, a size is zero, or the placement is [`Placement::None`].
    pub fn new(shape: Shape, batch: usize, training: bool, isa: Isa) -> Chunked {
        assert!(shape.hidden > 0 && shape.hidden.is_multiple_of(WIDTH), "width {}", shape.hidden);
        assert!(shape.len * shape.patch * shape.modes * shape.layers * shape.outputs * batch > 0, "{shape:?}");
        assert!(shape.placement != Placement::None, "a chunked network has norms");
        let frame = Frame::new(shape.len);
        let sequences = (SLICE_POSITIONS / (frame.per_sequence * T)).clamp(1, batch);
        let (h, chunks) = (shape.hidden, sequences * frame.per_sequence);
        let stride = h * T + LINE_FLOATS;
        let by_channels = h * (chunks * T + LINE_FLOATS);
        let only = |wanted: bool, len: usize| Buffer::zeros(if wanted { len } else { 0 });
        let sum = |sum: bool| Sum {
            sum: only(sum, chunks * stride),
            moments: Buffer::zeros(chunks * 2 * T),
            normed: Buffer::zeros(chunks * stride),
        };
        let layers: Vec<Layer> = (0..shape.layers)
            .map(|_| {
                let tables = Tables::new(h, shape.modes);
                Layer {
                    gradients: TableGradients::new(if training { h } else { 0 }, tables.columns),
                    weight_t: only(training, 2 * h * h),
                    y: Buffer::zeros(by_channels),
                    states: only(training, h * chunks * tables.columns),
                    gated: only(training, 2 * chunks * h * T),
                    out: sum(true),
                    tables,
                }
            })
            .collect();
        let columns = layers[0].tables.columns;
        let block = BLOCK.min(chunks) * columns;
        let values = sequences * shape.len * shape.outputs;
        Chunked {
            frame,
            sequences,
            training,
            encoded: sum(shape.pre()),
            layers,
            groups: (0..GROUPS).map(|_| Group::new(&shape, block, columns)).collect(),
            head_weight_t: only(training, h * shape.outputs),
            d_chunks: only(training, chunks * stride),
            dy: only(training, chunks * stride),
            du: only(training, by_channels),
            out: vec![0.0; values],
            dout: vec![0.0; if training { values } else { 0 }],
            shape,
            isa,
        }
    }

    /// Outputs (batch, L, outputs) of tokens (batch, L, P).
    pub fn forward(&mut self, params: &NetworkParams<f32>, tokens: &[f32], out: &mut [f32]) {
        self.fill(params, false);
        let (read, written) = self.row_sizes();
        let slices = tokens.chunks(self.sequences * read).zip(out.chunks_mut(self.sequences * written));
        for (tokens, to) in slices {
            self.slice_forward(params, tokens, false);
            to.copy_from_slice(&self.out[..to.len()]);
        }
    }

    /// Adds to `grad` the gradient of a loss that `loss` computes slice by slice.
    ///
    /// # Panics
    /// If the network was made without memory for training.
    pub fn gradient(
        &mut self,
        params: &NetworkParams<f32>,
        tokens: &[f32],
        loss: &mut SliceLoss,
        grad: &mut NetworkParams<f32>,
    ) {
        assert!(self.training, "a network made for training");
        self.fill(params, true);
        self.groups.par_iter_mut().for_each(Group::clear);
        self.layers.iter_mut().for_each(|layer| layer.gradients.clear());
        let (read, written) = self.row_sizes();
        for (index, tokens) in tokens.chunks(self.sequences * read).enumerate() {
            self.slice_forward(params, tokens, true);
            let values = tokens.len() / read * written;
            loss(index * self.sequences, &self.out[..values], &mut self.dout[..values]);
            self.slice_backward(params, tokens);
        }
        for group in &self.groups {
            group.add_to(&self.shape, grad);
        }
        self.layers.par_iter_mut().zip(&mut grad.blocks).for_each(|(layer, grad)| {
            layer.tables.pull_back(&layer.gradients, &mut grad.ssm);
        });
    }

    /// Floats of a sequence of tokens and of outputs.
    fn row_sizes(&self) -> (usize, usize) {
        (self.shape.len * self.shape.patch, self.shape.len * self.shape.outputs)
    }

    /// Makes the matrices of these parameters.
    fn fill(&mut self, params: &NetworkParams<f32>, backward: bool) {
        let discretization = self.shape.discretization;
        self.layers.par_iter_mut().zip(&params.blocks).for_each(|(layer, params)| {
            layer.tables.fill(&params.ssm, discretization, backward);
            if backward {
                transpose(params.mix.weight.view(), &mut layer.weight_t);
            }
        });
        if backward {
            transpose(params.head.weight.view(), &mut self.head_weight_t);
        }
    }

    fn slice_forward(&mut self, params: &NetworkParams<f32>, tokens: &[f32], keep: bool) {
        let (shape, isa, frame) = (&self.shape, self.isa, self.frame);
        let grid = Grid::new(tokens.len() / (shape.len * shape.patch), frame, shape.hidden);
        let Grid { chunks, stride, per_group, .. } = grid;
        let encoder = linear(&params.encoder);
        let encode = |first: usize, group: &mut Group, out: &mut [f32]| {
            let gathered = &mut group.gathered;
            isa.run(Encode { frame, first, stride, map: encoder, tokens, gathered, out });
        };
        let Sum { sum, moments, normed } = &mut self.encoded;
        let to = if shape.pre() { &mut *sum } else { &mut *normed };
        grid.groups(&mut self.groups)
            .zip(to[..chunks * stride].par_chunks_mut(per_group * stride))
            .for_each(|((first, group), out)| encode(first, group, out));
        if shape.pre() {
            let norm = norm(&params.blocks[0].norm);
            grid.groups(&mut self.groups)
                .zip(sum[..chunks * stride].par_chunks(per_group * stride))
                .zip(moments.par_chunks_mut(per_group * 2 * T))
                .zip(normed[..chunks * stride].par_chunks_mut(per_group * stride))
                .for_each(|((((first, _), sum), moments), normed)| {
                    isa.run(mix::NormForward { frame, first, norm, stride, sum, moments, normed });
                });
        }
        for index in 0..shape.layers {
            let (before, rest) = self.layers.split_at_mut(index);
            let input = before.last().map_or(&self.encoded, |layer| &layer.out);
            let Layer { tables, y, states, gated, out, .. } = &mut rest[0];
            grid.ssm_forward(isa, tables, &input.normed, &mut self.groups, keep.then_some(states), y);
            let params_of = &params.blocks[index];
            let residual: &[f32] = if shape.pre() { &input.sum } else { &input.normed };
            let mix = linear(&params_of.mix);
            let norm = norm(shape.norm_after(params, index));
            let y = ByChannel { values: y, stride: grid.channel_stride };
            let run = |first, sum, moments, normed, activated, gated| {
                isa.run(mix::Forward {
                    frame, y, first, stride, residual, mix, norm, gated, sum, moments, normed, activated,
                });
            };
            let outputs = grid
                .groups(&mut self.groups)
                .zip(out.sum[..chunks * stride].par_chunks_mut(per_group * stride))
                .zip(out.moments.par_chunks_mut(per_group * 2 * T))
                .zip(out.normed[..chunks * stride].par_chunks_mut(per_group * stride));
            if keep {
                outputs.zip(gated.par_chunks_mut(per_group * 2 * shape.hidden * T)).for_each(
                    |((((( first, group), sum), moments), normed), gated)| {
                        run(first, sum, moments, normed, group.tile().0, gated);
                    },
                );
            } else {
                outputs.for_each(|((((first, group), sum), moments), normed)| {
                    let (activated, memory) = group.tile();
                    run(first, sum, moments, normed, activated, &mut memory[..2 * shape.hidden * T]);
                });
            }
        }
        let x = &self.layers.last().expect("at least one block").out.normed;
        let head = linear(&params.head);
        let written = shape.outputs;
        let mut rest = &mut self.out[..];
        // Groups write positions in order; each takes its part of the outputs.
        for (index, group) in self.groups.iter_mut().enumerate() {
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

    // Each region of slice_forward has its transpose here, in reverse order.

    fn slice_backward(&mut self, params: &NetworkParams<f32>, tokens: &[f32]) {
        let (shape, isa, frame) = (&self.shape, self.isa, self.frame);
        let grid = Grid::new(tokens.len() / (shape.len * shape.patch), frame, shape.hidden);
        let Grid { chunks, stride, per_group, channel_stride, .. } = grid;
        let (dout, head_weight_t) = (&*self.dout, &*self.head_weight_t);
        let d_chunks = &mut self.d_chunks[..chunks * stride];
        let x = &self.layers.last().expect("at least one block").out.normed;
        grid.groups(&mut self.groups)
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
            let (before, rest) = self.layers.split_at_mut(index);
            let Layer { tables, gradients, weight_t, y, states, gated, out } = &mut rest[0];
            let by_channels = |values| ByChannel { values, stride: channel_stride };
            let du = &*self.du;
            grid.groups(&mut self.groups)
                .zip(d_chunks.par_chunks_mut(per_group * stride))
                .zip(self.dy[..chunks * stride].par_chunks_mut(per_group * stride))
                .zip(out.sum.par_chunks(per_group * stride))
                .zip(out.moments.par_chunks(per_group * 2 * T))
                .zip(gated.par_chunks(per_group * 2 * shape.hidden * T))
                .for_each(|((((((first, group), d_chunks), dy), sum), moments), gated)| {
                    let (partials, scratch) = group.block(index);
                    let upstream = Upstream {
                        channels: (!top).then(|| by_channels(du)),
                        of_normed: top || !shape.pre(),
                    };
                    isa.run(mix::Backward {
                        y: by_channels(y), first, stride, weight_t, gamma, gated, sum, moments, upstream,
                        d_chunks, dy, partials, scratch,
                    });
                });
            let input = before.last().map_or(&self.encoded, |layer| &layer.out);
            let arrays = (&*input.normed, &**states, &*self.dy);
            grid.ssm_backward(isa, tables, arrays, &mut self.groups, gradients, &mut self.du);
        }
        let channels = ByChannel { values: &self.du, stride: channel_stride };
        if shape.pre() {
            let gamma = norm(&params.blocks[0].norm).gamma;
            grid.groups(&mut self.groups)
                .zip(d_chunks.par_chunks_mut(per_group * stride))
                .zip(self.encoded.sum.par_chunks(per_group * stride))
                .zip(self.encoded.moments.par_chunks(per_group * 2 * T))
                .for_each(|((((first, group), d_chunks), sum), moments)| {
                    let (d_normed, partials) = (channels, group.first_norm());
                    isa.run(mix::NormBackward {
                        first, stride, gamma, sum, moments, d_normed, d_chunks, partials,
                    });
                });
        }
        let d_channels = (!shape.pre()).then_some(channels);
        grid.groups(&mut self.groups).zip(d_chunks.par_chunks_mut(per_group * stride)).for_each(
            |((first, group), d_chunks)| {
                let (partials, scratch) = group.encoder();
                isa.run(EncodeBackward {
                    frame, first, stride, tokens, d_chunks, d_channels, scratch, partials,
                });
            },
        );
    }
}

/// Chunks of one slice, and how they are shared out.
#[derive(Clone, Copy)]
struct Grid {
    chunks: usize,
    frame: Frame,
    /// Distance between chunks in arrays by chunks.
    stride: usize,
    /// Chunks of a group.
    per_group: usize,
    /// Distance between channels in arrays by channels.
    channel_stride: usize,
}

impl Grid {
    fn new(sequences: usize, frame: Frame, hidden: usize) -> Grid {
        let chunks = sequences * frame.per_sequence;
        Grid {
            chunks,
            frame,
            stride: hidden * T + LINE_FLOATS,
            per_group: chunks.div_ceil(GROUPS).next_multiple_of(2),
            channel_stride: chunks * T + LINE_FLOATS,
        }
    }

    /// The groups that have chunks, each with its first.
    fn groups(self, groups: &mut [Group]) -> impl IndexedParallelIterator<Item = (usize, &mut Group)> {
        let used = self.chunks.div_ceil(self.per_group);
        groups[..used].par_iter_mut().enumerate().map(move |(index, group)| (index * self.per_group, group))
    }

    /// All channels of a state-space layer: `u` by chunks in, `y` by channels out, and the states if they are wanted.
    fn ssm_forward(
        self,
        isa: Isa,
        tables: &Tables,
        u: &[f32],
        groups: &mut [Group],
        states: Option<&mut Buffer>,
        y: &mut [f32],
    ) {
        let (hidden, columns) = (tables.rotation.len() / tables.columns, tables.columns);
        let (together, kept) = (hidden.div_ceil(GROUPS), self.chunks * columns);
        let chunks = (self.chunks, self.frame.per_sequence);
        let run = |h: usize, states: &mut [f32], carry: &mut [f32], y: &mut [f32]| {
            let u = Channel { values: &u[h * T..], stride: self.stride };
            isa.run(ssm::Forward { tables: tables.forward(h), u, chunks, states, carry, y });
        };
        let outputs = groups
            .par_iter_mut()
            .zip(y[..hidden * self.channel_stride].par_chunks_mut(together * self.channel_stride))
            .enumerate();
        match states {
            Some(states) => outputs.zip(states[..hidden * kept].par_chunks_mut(together * kept)).for_each(
                |((index, (group, y)), states)| {
                    let channels = y.chunks_exact_mut(self.channel_stride).zip(states.chunks_exact_mut(kept));
                    for (h, (y, states)) in (index * together..).zip(channels) {
                        run(h, states, &mut group.carry, y);
                    }
                },
            ),
            None => outputs.for_each(|(index, (group, y))| {
                for (h, y) in (index * together..).zip(y.chunks_exact_mut(self.channel_stride)) {
                    run(h, &mut group.states, &mut group.carry, y);
                }
            }),
        }
    }

    /// All channels backward: the input, the states and the gradient of the output in, the gradient of the input out.
    fn ssm_backward(
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
                for (part, du) in du.chunks_exact_mut(self.channel_stride).enumerate() {
                    let h = index * together + part;
                    let range = |size: usize| part * size..(part + 1) * size;
                    isa.run(ssm::Backward {
                        tables: tables.backward(h),
                        u: Channel { values: &u[h * T..], stride: self.stride },
                        states: &states[h * kept..(h + 1) * kept],
                        dy: Channel { values: &dy[h * T..], stride: self.stride },
                        chunks: (self.chunks, self.frame.per_sequence),
                        ends: &mut group.states,
                        carry: &mut group.carry,
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

/// Writes the transpose of a matrix, row after row.
fn transpose(from: ArrayView2<f32>, to: &mut [f32]) {
    for (to, &value) in to.iter_mut().zip(from.t()) {
        *to = value;
    }
}
