//! A chunked network with its memory: slices of sequences through forward, loss and backward.

use ndarray::ArrayView2;
use rayon::prelude::*;

use crate::engine::block::{BlockParams, Placement};
use crate::engine::chunked::CHUNK as T;
use crate::engine::chunked::ends::Frame;
use crate::engine::chunked::grid::Grid;
use crate::engine::chunked::groups::{GROUPS, Group};
use crate::engine::chunked::long::{C32, Long, Waves};
use crate::engine::chunked::memory::{Gradients, Memory};
use crate::engine::chunked::pass::{Pass, Scan};
use crate::engine::chunked::shape::{Shape, WIDTH};
use crate::engine::chunked::ssm::BLOCK;
use crate::engine::chunked::stream::StepLayer;
use crate::engine::chunked::tables::{TableGradients, Tables};
use crate::engine::network::NetworkParams;
use crate::engine::s4d::Discretization;
use crate::engine::simd::Isa;
use crate::engine::simd::buffer::Buffer;

/// Positions of a slice while training, and while only forecasting, as long as single sequences are shorter: few enough
/// for the shared and for the core's own cache, enough for the matrices that every slice reads again.
const SLICE_POSITIONS: [usize; 2] = [8192, 2048];

/// How the state-space layer of one block is computed, and the gradients of what it is computed with.
pub(super) enum Dynamics {
    /// Matrices of a chunk, of a diagonal model.
    Chunks { tables: Box<Tables>, gradients: Box<TableGradients> },
    /// Spectra of kernels, of any model.
    Long { kernels: Long, gradient: Vec<C32> },
}

/// What one block is computed with.
pub(super) struct Layer {
    pub(super) dynamics: Dynamics,
    /// Wᵀ (H, 2H) of the mixing map.
    pub(super) weight_t: Buffer,
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
        let columns = shape.columns();
        let dynamics = || {
            if shape.is_long() {
                let kernels = Long::new(h, frame);
                let gradient = if training { kernels.zeros() } else { Vec::new() };
                return Dynamics::Long { kernels, gradient };
            }
            Dynamics::Chunks {
                tables: Box::new(Tables::new(h, shape.modes)),
                gradients: Box::new(TableGradients::new(if training { h } else { 0 }, columns)),
            }
        };
        let layer =
            |_| Layer { dynamics: dynamics(), weight_t: Buffer::zeros(if training { 2 * h * h } else { 0 }) };
        let layers: Vec<Layer> = (0..shape.layers).map(layer).collect();
        let channels = h.div_ceil(GROUPS) * grid.chunks * T;
        let group = || {
            let waves = layers[0].dynamics.waves();
            Group::new(&shape, channels, BLOCK.min(grid.chunks) * columns, columns, waves)
        };
        Chunked {
            frame,
            head_weight_t: Buffer::zeros(h * shape.outputs),
            groups: (0..GROUPS).map(|_| group()).collect(),
            layers,
            step_tokens: vec![0.0; if training { 0 } else { grid.chunks * T * shape.token() }],
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
        let pass = Pass { shape, isa: *isa, frame: *frame, params, dropout: &[] };
        let [_, sequences] = memory.sequences;
        for (tokens, to) in tokens.chunks(sequences * read).zip(out.chunks_mut(sequences * written)) {
            pass.forward(layers, groups, memory, tokens, Scan::Sequence { keep: false });
            to.copy_from_slice(&memory.out[..to.len()]);
        }
    }

    /// Adds to `grad` the gradient of a loss of the outputs for tokens (batch, L, P), which `loss` computes slice by slice.
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
        self.gradient_with_dropout(params, tokens, &[], loss, grad);
    }

    /// [`Chunked::gradient`] of a network whose blocks' branches are multiplied by `dropout` (sequences, layers, H) before
    /// they are added to the residual, at all positions alike; empty, nothing is multiplied.
    ///
    /// # Panics
    /// As that, and if there are factors, but not for every sequence.
    pub fn gradient_with_dropout(
        &mut self,
        params: &NetworkParams<f32>,
        tokens: &[f32],
        dropout: &[f32],
        loss: &mut SliceLoss,
        grad: &mut NetworkParams<f32>,
    ) {
        self.fill(params, true);
        let [read, written] = self.shape.row_sizes();
        let Chunked { shape, isa, frame, layers, head_weight_t, groups, memory, gradients, .. } = self;
        let gradients = gradients.as_mut().expect("a network made for training");
        groups.iter_mut().for_each(Group::clear);
        layers.iter_mut().for_each(|layer| layer.dynamics.clear());
        let factors = shape.layers * shape.hidden;
        let batch = tokens.len() / read;
        assert!(dropout.is_empty() || dropout.len() == batch * factors, "factors of {batch} sequences");
        let [sequences, _] = memory.sequences;
        for (index, tokens) in tokens.chunks(sequences * read).enumerate() {
            let dropout = dropout.chunks(sequences * factors).nth(index).unwrap_or_default();
            let pass = Pass { shape, isa: *isa, frame: *frame, params, dropout };
            pass.forward(layers, groups, memory, tokens, Scan::Sequence { keep: true });
            let values = tokens.len() / read * written;
            loss(index * sequences, &memory.out[..values], &mut gradients.dout[..values]);
            pass.backward(layers, head_weight_t, groups, memory, gradients, tokens);
        }
        for group in groups.iter() {
            group.add_to(shape, isa.lanes(), grad);
        }
        let discretization = shape.discretization;
        layers.par_iter_mut().zip(&params.stack().blocks).zip(&mut grad.stack_mut().blocks).for_each(
            |((layer, params), grad)| {
                layer.dynamics.pull_back(params, discretization, grad);
            },
        );
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
        let pass = Pass { shape, isa: *isa, frame: *frame, params, dropout: &[] };
        pass.forward(layers, groups, memory, step_tokens, Scan::Step(steps));
        out.copy_from_slice(&memory.out[..out.len()]);
    }

    /// Matrices of every block.
    ///
    /// # Panics
    /// If a block is not diagonal.
    pub(super) fn tables(&self) -> impl Iterator<Item = &Tables> {
        self.layers.iter().map(|layer| match &layer.dynamics {
            Dynamics::Chunks { tables, .. } => &**tables,
            Dynamics::Long { .. } => panic!("a long convolution takes no single steps"),
        })
    }

    /// Makes the matrices of these parameters.
    pub(super) fn fill(&mut self, params: &NetworkParams<f32>, backward: bool) {
        let (discretization, isa) = (self.shape.discretization, self.isa);
        self.layers.par_iter_mut().zip(&params.stack().blocks).for_each(|(layer, params)| {
            layer.dynamics.fill(params, discretization, backward, isa);
            if backward {
                transpose(params.mix.weight.view(), &mut layer.weight_t);
            }
        });
        if backward {
            transpose(params.head.weight.view(), &mut self.head_weight_t);
        }
    }
}

impl Dynamics {
    /// Memory for the transforms of one task, where there are any.
    fn waves(&self) -> Option<Waves> {
        match self {
            Dynamics::Chunks { .. } => None,
            Dynamics::Long { kernels, .. } => Some(kernels.waves()),
        }
    }

    /// Forgets the gradients.
    fn clear(&mut self) {
        match self {
            Dynamics::Chunks { gradients, .. } => gradients.clear(),
            Dynamics::Long { gradient, .. } => gradient.fill(C32::ZERO),
        }
    }

    /// Computes what the layer is computed with from its parameters.
    fn fill(&mut self, params: &BlockParams<f32>, discretization: Discretization, backward: bool, isa: Isa) {
        match self {
            Dynamics::Chunks { tables, .. } => {
                tables.fill(params.ssm.diagonal(), discretization, backward, isa)
            }
            Dynamics::Long { kernels, .. } => kernels.fill(params, discretization),
        }
    }

    /// Adds the gradient of the parameters to `grad`.
    fn pull_back(
        &mut self,
        params: &BlockParams<f32>,
        discretization: Discretization,
        grad: &mut BlockParams<f32>,
    ) {
        match self {
            Dynamics::Chunks { tables, gradients } => tables.pull_back(gradients, grad.ssm.diagonal_mut()),
            Dynamics::Long { kernels, gradient } => kernels.pull_back(gradient, params, discretization, grad),
        }
    }
}

/// Writes the transpose of a matrix, row after row.
fn transpose(from: ArrayView2<f32>, to: &mut [f32]) {
    for (to, &value) in to.iter_mut().zip(from.t()) {
        *to = value;
    }
}
