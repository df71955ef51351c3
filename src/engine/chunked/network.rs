//! Slices through all layers: memory for one slice, forward, backward.

use ndarray::ArrayView2;
use rayon::prelude::*;

use crate::engine::block::Placement;
use crate::engine::chunked::CHUNK as T;
use crate::engine::chunked::ends::{Encode, EncodeBackward, Frame, Head, HeadBackward};
use crate::engine::chunked::groups::{GROUPS, Group};
use crate::engine::chunked::mix::{self, ByChannel, Norm, Upstream};
use crate::engine::chunked::ssm::{self, BLOCK};
use crate::engine::chunked::stream::StepLayer;
use crate::engine::chunked::tables::{self, TableGradients, Tables};
use crate::engine::linear::LinearParams;
use crate::engine::network::NetworkParams;
use crate::engine::norm::NormParams;
use crate::engine::s4d::Discretization;
use crate::engine::simd::Isa;
use crate::engine::simd::buffer::{Buffer, LINE_FLOATS};

/// Positions of a slice while training, and while only forecasting, as long as single sequences are shorter: few enough
/// for the shared and for the core's own cache, enough for the matrices that every slice reads again.
const SLICE_POSITIONS: [usize; 2] = [8192, 2048];

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
    /// Floats of a sequence of tokens and of outputs.
    fn row_sizes(&self) -> [usize; 2] {
        [self.len * self.patch, self.len * self.outputs]
    }

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

/// Matrices of one block, and their gradients.
struct Layer {
    tables: Tables,
    gradients: TableGradients,
    /// Wᵀ (H, 2H) of the mixing map.
    weight_t: Buffer,
}

/// What one block of a slice writes.
struct Run {
    /// Output of the state-space layer, by channels.
    y: Buffer,
    /// States at the start of every chunk (H, chunks, columns).
    states: Buffer,
    /// Values and gates (chunks, 2H, T).
    gated: Buffer,
    out: Sum,
}

/// A residual sum, its moments and its norm, by chunks.
struct Sum {
    sum: Buffer,
    moments: Buffer,
    normed: Buffer,
}

/// Memory of a slice. Backward needs all of it. A network that only forecasts has memory for two blocks, which take turns,
/// and where nobody reads an array afterwards each group uses a small part of it again and again.
struct Memory {
    /// Sequences of a slice, if backward follows and if not.
    sequences: [usize; 2],
    encoded: Sum,
    runs: Vec<Run>,
    out: Vec<f32>,
}

/// Memory of the gradients of a slice: by chunks; of the state-space layers' outputs, by chunks, and inputs, by
/// channels; of the outputs.
struct Gradients {
    d_chunks: Buffer,
    dy: Buffer,
    du: Buffer,
    dout: Vec<f32>,
}

/// A network with its memory: made once, it allocates nothing while it works.
pub struct Chunked {
    shape: Shape,
    isa: Isa,
    frame: Frame,
    layers: Vec<Layer>,
    head_weight_t: Buffer,
    groups: Vec<Group>,
    memory: Memory,
    gradients: Option<Gradients>,
    /// Observations of one step, up to a whole number of chunks.
    step_tokens: Vec<f32>,
}

/// Loss of a slice: (first sequence, outputs (positions, outputs), their gradient to be filled).
pub type SliceLoss<'a> = dyn FnMut(usize, &[f32], &mut [f32]) + 'a;

impl Memory {
    fn new(shape: &Shape, frame: Frame, sequences: [usize; 2], keep: bool) -> Memory {
        let grid = Grid::new(sequences[usize::from(!keep)], frame, shape.hidden, keep);
        let size = grid.chunks * grid.stride;
        let sum = |sum: usize| Sum {
            sum: Buffer::zeros(sum),
            moments: Buffer::zeros(grid.chunks * 2 * T),
            normed: Buffer::zeros(size),
        };
        let run = || Run {
            y: Buffer::zeros(shape.hidden * grid.channel_stride),
            states: Buffer::zeros(GROUPS * grid.states(shape.hidden, tables::columns(shape.modes))),
            gated: Buffer::zeros(GROUPS * grid.gated(shape.hidden)),
            out: sum(if shape.pre() { size } else { GROUPS * grid.sums(shape.pre()) }),
        };
        let runs = if keep { shape.layers } else { shape.layers.min(2) };
        Memory {
            sequences,
            encoded: sum(if shape.pre() { size } else { 0 }),
            runs: (0..runs).map(|_| run()).collect(),
            out: vec![0.0; grid.chunks / frame.per_sequence * shape.len * shape.outputs],
        }
    }

    /// What block `index` reads and writes.
    fn block(&mut self, index: usize) -> (&Sum, &mut Run) {
        let count = self.runs.len();
        if index == 0 {
            return (&self.encoded, &mut self.runs[0]);
        }
        let places = [(index - 1) % count, index % count];
        let [before, run] = self.runs.get_disjoint_mut(places).expect("two blocks at least");
        (&before.out, run)
    }
}

impl Chunked {
    /// Memory for batches of up to `batch` sequences, to forecast only or to train too.
    ///
    /// # Panics
    /// If the width is not a multiple of 16, a size is zero, or the placement is [`Placement::None`].
    pub fn new(shape: Shape, batch: usize, training: bool, isa: Isa) -> Chunked {
        assert!(shape.hidden > 0 && shape.hidden.is_multiple_of(WIDTH), "width {}", shape.hidden);
        assert!(
            shape.len * shape.patch * shape.modes * shape.layers * shape.outputs * batch > 0,
            "{shape:?}"
        );
        assert!(shape.placement != Placement::None, "a chunked network has norms");
        let slice = |positions: usize| (positions / shape.len.next_multiple_of(T)).clamp(1, batch);
        let sequences = SLICE_POSITIONS.map(slice);
        Chunked::with_slices(shape, sequences, training, isa)
    }

    /// A network that only forecasts, and all sequences at once.
    pub(super) fn whole(shape: Shape, batch: usize, isa: Isa) -> Chunked {
        Chunked::with_slices(shape, [batch; 2], false, isa)
    }

    /// Memory for slices of so many sequences, in training and without.
    fn with_slices(shape: Shape, sequences: [usize; 2], training: bool, isa: Isa) -> Chunked {
        let (h, frame) = (shape.hidden, Frame::new(shape.len));
        let memory = Memory::new(&shape, frame, sequences, training);
        let grid = Grid::new(memory.sequences[usize::from(!training)], frame, h, training);
        let by_chunks = || Buffer::zeros(grid.chunks * grid.stride);
        let gradients = training.then(|| Gradients {
            d_chunks: by_chunks(),
            dy: by_chunks(),
            du: Buffer::zeros(h * grid.channel_stride),
            dout: vec![0.0; memory.out.len()],
        });
        let columns = tables::columns(shape.modes);
        let layer = || Layer {
            tables: Tables::new(h, shape.modes),
            gradients: TableGradients::new(if training { h } else { 0 }, columns),
            weight_t: Buffer::zeros(if training { 2 * h * h } else { 0 }),
        };
        let channels = h.div_ceil(GROUPS) * grid.chunks * T;
        let group = || Group::new(&shape, channels, BLOCK.min(grid.chunks) * columns, columns);
        Chunked {
            frame,
            layers: (0..shape.layers).map(|_| layer()).collect(),
            head_weight_t: Buffer::zeros(h * shape.outputs),
            groups: (0..GROUPS).map(|_| group()).collect(),
            step_tokens: vec![0.0; if training { 0 } else { grid.chunks * T * shape.patch }],
            memory,
            gradients,
            shape,
            isa,
        }
    }

    /// Outputs (batch, L, outputs) of tokens (batch, L, P).
    pub fn forward(&mut self, params: &NetworkParams<f32>, tokens: &[f32], out: &mut [f32]) {
        self.fill(params, false);
        let [read, written] = self.shape.row_sizes();
        let Chunked { shape, isa, frame, layers, groups, memory, .. } = self;
        let pass = Pass { shape, isa: *isa, frame: *frame, params };
        let [_, sequences] = memory.sequences;
        for (tokens, to) in tokens.chunks(sequences * read).zip(out.chunks_mut(sequences * written)) {
            pass.forward(layers, groups, memory, tokens, Scan::Sequence { keep: false });
            to.copy_from_slice(&memory.out[..to.len()]);
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
        self.fill(params, true);
        let [read, written] = self.shape.row_sizes();
        let Chunked { shape, isa, frame, layers, head_weight_t, groups, memory, gradients, .. } = self;
        let gradients = gradients.as_mut().expect("a network made for training");
        groups.iter_mut().for_each(Group::clear);
        layers.iter_mut().for_each(|layer| layer.gradients.clear());
        let pass = Pass { shape, isa: *isa, frame: *frame, params };
        let [sequences, _] = memory.sequences;
        for (index, tokens) in tokens.chunks(sequences * read).enumerate() {
            pass.forward(layers, groups, memory, tokens, Scan::Sequence { keep: true });
            let values = tokens.len() / read * written;
            loss(index * sequences, &memory.out[..values], &mut gradients.dout[..values]);
            pass.backward(layers, head_weight_t, groups, memory, gradients, tokens);
        }
        for group in groups {
            group.add_to(shape, isa.lanes(), grad);
        }
        layers.par_iter_mut().zip(&mut grad.blocks).for_each(|(layer, grad)| {
            layer.tables.pull_back(&layer.gradients, &mut grad.ssm);
        });
    }

    /// Outputs (series, outputs) of one more observation, tokens (series, P): series take the places of positions.
    pub(super) fn step(
        &mut self,
        params: &NetworkParams<f32>,
        tokens: &[f32],
        steps: &mut [StepLayer],
        out: &mut [f32],
    ) {
        let Chunked { shape, isa, frame, layers, groups, memory, step_tokens, .. } = self;
        step_tokens[..tokens.len()].copy_from_slice(tokens);
        let pass = Pass { shape, isa: *isa, frame: *frame, params };
        pass.forward(layers, groups, memory, step_tokens, Scan::Step(steps));
        out.copy_from_slice(&memory.out[..out.len()]);
    }

    /// Matrices of every block.
    pub(super) fn tables(&self) -> impl Iterator<Item = &Tables> {
        self.layers.iter().map(|layer| &layer.tables)
    }

    /// Makes the matrices of these parameters.
    pub(super) fn fill(&mut self, params: &NetworkParams<f32>, backward: bool) {
        let (discretization, isa) = (self.shape.discretization, self.isa);
        self.layers.par_iter_mut().zip(&params.blocks).for_each(|(layer, params)| {
            layer.tables.fill(&params.ssm, discretization, backward, isa);
            if backward {
                transpose(params.mix.weight.view(), &mut layer.weight_t);
            }
        });
        if backward {
            transpose(params.head.weight.view(), &mut self.head_weight_t);
        }
    }
}

/// How the state-space layers go on from what was before.
enum Scan<'a> {
    /// Sequences from their start on; `keep` if backward follows.
    Sequence { keep: bool },
    /// One step from the states that are held.
    Step(&'a mut [StepLayer]),
}

/// One slice through all layers.
struct Pass<'a> {
    shape: &'a Shape,
    isa: Isa,
    frame: Frame,
    params: &'a NetworkParams<f32>,
}

impl Pass<'_> {
    fn grid(&self, tokens: &[f32], keep: bool) -> Grid {
        let [read, _] = self.shape.row_sizes();
        Grid::new(tokens.len() / read, self.frame, self.shape.hidden, keep)
    }

    fn forward(
        &self,
        layers: &[Layer],
        groups: &mut [Group],
        memory: &mut Memory,
        tokens: &[f32],
        mut scan: Scan,
    ) {
        let Pass { shape, isa, frame, params } = *self;
        let grid = self.grid(tokens, matches!(scan, Scan::Sequence { keep: true }));
        let Grid { chunks, stride, per_group, .. } = grid;
        let encoder = linear(&params.encoder);
        let encode = |first: usize, group: &mut Group, out: &mut [f32]| {
            let gathered = &mut group.gathered;
            isa.run(Encode { frame, first, stride, map: encoder, tokens, gathered, out });
        };
        let Sum { sum, moments, normed } = &mut memory.encoded;
        let to = if shape.pre() { &mut *sum } else { &mut *normed };
        grid.groups(groups)
            .zip(to[..chunks * stride].par_chunks_mut(per_group * stride))
            .for_each(|((first, group), out)| encode(first, group, out));
        if shape.pre() {
            let norm = norm(&params.blocks[0].norm);
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
                    grid.ssm_forward(isa, &layers[index].tables, &input.normed, groups, states, y);
                }
                Scan::Step(steps) => steps[index].step(grid, isa, &input.normed, y),
            }
            let residual: &[f32] = if shape.pre() { &input.sum } else { &input.normed };
            let mix = linear(&params.blocks[index].mix);
            let norm = norm(shape.norm_after(params, index));
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

    fn backward(
        &self,
        layers: &mut [Layer],
        head_weight_t: &[f32],
        groups: &mut [Group],
        memory: &mut Memory,
        gradients: &mut Gradients,
        tokens: &[f32],
    ) {
        let Pass { shape, isa, frame, params } = *self;
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
            let Layer { tables, gradients, weight_t } = &mut layers[index];
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
            grid.ssm_backward(isa, tables, arrays, groups, gradients, du);
        }
        let channels = ByChannel { values: du, stride: channel_stride };
        if shape.pre() {
            let gamma = norm(&params.blocks[0].norm).gamma;
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
                    d_chunks,
                    d_channels,
                    scratch,
                    partials,
                });
            },
        );
    }
}

/// Chunks of one slice, and how they are shared out.
#[derive(Clone, Copy)]
pub(super) struct Grid {
    pub(super) chunks: usize,
    frame: Frame,
    /// Distance between chunks in arrays by chunks.
    pub(super) stride: usize,
    /// Chunks of a group.
    per_group: usize,
    /// Distance between channels in arrays by channels.
    pub(super) channel_stride: usize,
    /// Whether backward follows.
    keep: bool,
}

impl Grid {
    fn new(sequences: usize, frame: Frame, hidden: usize, keep: bool) -> Grid {
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
    fn states(self, hidden: usize, columns: usize) -> usize {
        if self.keep {
            hidden.div_ceil(GROUPS) * self.chunks * columns
        } else {
            BLOCK.min(self.chunks) * columns
        }
    }

    /// Floats of values and gates that a group of chunks keeps: all, or those of one chunk.
    fn gated(self, hidden: usize) -> usize {
        2 * hidden * T * if self.keep { self.per_group } else { 1 }
    }

    /// Floats of residual sums that a group of chunks keeps: all, or, where the next block does not read them, those of
    /// one chunk.
    fn sums(self, read: bool) -> usize {
        self.stride * if self.keep || read { self.per_group } else { 1 }
    }

    /// The groups that have chunks, each with its first.
    fn groups(self, groups: &mut [Group]) -> impl IndexedParallelIterator<Item = (usize, &mut Group)> {
        let used = self.chunks.div_ceil(self.per_group);
        groups[..used].par_iter_mut().enumerate().map(move |(index, group)| (index * self.per_group, group))
    }

    /// All channels of a state-space layer: `u` by chunks in, `y` by channels and the states out.
    fn ssm_forward(
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
