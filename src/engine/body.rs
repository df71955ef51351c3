//! What stands between encoder and head: a stack of blocks, or the levels of a SaShiMi U-net, behind one set of calls.
//!
//! ```text
//! stack   x (batch, T, H) → blocks → rows that the head reads → norm
//! levels  x (batch, T, H) → zeros in front up to a multiple of the stride → backbone, its norm → rows that the head reads
//! ```
//!
//! Padding stands in front, so that the last token ends a frame of every level and what comes later stays unseen.

use ndarray::{Array2, Array3, ArrayView3, Axis, s};
use rand::Rng;

use crate::engine::block::{self, BlockCache, BlockParams, BlockPlan, Placement, Positions};
use crate::engine::block::{into_rows, sequences};
use crate::engine::convolution::Plan;
use crate::engine::linear::LinearParams;
use crate::engine::network::{NetworkSpec, Readout};
use crate::engine::norm::{self, NormCache, NormParams};
use crate::engine::param::{Kind, Tensor};
use crate::engine::real::Real;
use crate::engine::s4d::Discretization;
use crate::engine::sashimi::backbone::{SashimiCache, SashimiParams, SashimiPlan};
use crate::engine::ssm::SsmParams;

/// Parameters of a stack of blocks.
#[derive(Clone, Debug)]
pub struct StackParams<F> {
    /// Blocks, first to last.
    pub blocks: Vec<BlockParams<F>>,
    /// Final norm (H).
    pub norm: NormParams<F>,
}

/// Parameters of a body.
#[derive(Clone, Debug)]
pub enum BodyParams<F> {
    /// Blocks.
    Stack(StackParams<F>),
    /// A U-net.
    Levels(SashimiParams<F>),
}

/// What backward needs of one forward pass.
pub enum BodyCache<F> {
    /// Of blocks.
    Stack {
        /// Of each of them.
        blocks: Vec<BlockCache<F>>,
        /// Of the final norm.
        norm: NormCache<F>,
        /// Positions that left the last of them.
        positions: usize,
    },
    /// Of a U-net.
    Levels(SashimiCache<F>),
}

/// How a body computes: everything that is not a parameter.
#[derive(Clone)]
pub struct BodyPlan<F: Real> {
    tokens: usize,
    readout: Readout,
    dropout: f64,
    discretization: Discretization,
    steps: Steps<F>,
}

#[derive(Clone)]
enum Steps<F: Real> {
    Stack(Vec<BlockPlan<F>>),
    Levels(SashimiPlan<F>),
}

impl<F: Real> BodyParams<F> {
    /// All zeros, for gradients.
    pub fn zeros(spec: &NetworkSpec) -> BodyParams<F> {
        let block = |_| BlockParams::zeros_of(spec.ssm, spec.hidden, spec.modes, spec.tokens);
        match spec.backbone() {
            Some(backbone) => BodyParams::Levels(SashimiParams::zeros(&backbone)),
            None => BodyParams::Stack(StackParams {
                blocks: (0..spec.layers).map(block).collect(),
                norm: NormParams::zeros(spec.hidden),
            }),
        }
    }

    /// Parameters to train.
    pub fn init(spec: &NetworkSpec, rng: &mut impl Rng) -> BodyParams<F> {
        let &NetworkSpec { ssm, hidden, modes, tokens, init, dt, .. } = spec;
        let block = |_| BlockParams {
            reverse: None,
            norm: NormParams::init(hidden),
            ssm: SsmParams::init(ssm, hidden, modes, tokens, init, dt, rng),
            mix: LinearParams::init(hidden, 2 * hidden, rng),
        };
        match spec.backbone() {
            Some(backbone) => BodyParams::Levels(SashimiParams::init(&backbone, rng)),
            None => BodyParams::Stack(StackParams {
                blocks: (0..spec.layers).map(block).collect(),
                norm: NormParams::init(hidden),
            }),
        }
    }

    /// Named tensors, always in the same order.
    pub fn tensors(&mut self) -> Vec<Tensor<'_, F>> {
        match self {
            BodyParams::Levels(params) => params.tensors(""),
            BodyParams::Stack(StackParams { blocks, norm }) => {
                let mut tensors = Vec::new();
                for (index, block) in blocks.iter_mut().enumerate() {
                    tensors.extend(block.tensors(&format!("block{index}.")));
                }
                tensors.extend(norm.tensors("norm."));
                tensors
            }
        }
    }

    /// The parameters of a stack.
    ///
    /// # Panics
    /// If the body is none: a caller that computes stacks only has to be given one.
    pub fn stack(&self) -> &StackParams<F> {
        match self {
            BodyParams::Stack(params) => params,
            BodyParams::Levels(_) => panic!("this path computes stacks of blocks only"),
        }
    }

    /// [`BodyParams::stack`], to be changed.
    ///
    /// # Panics
    /// As that.
    pub fn stack_mut(&mut self) -> &mut StackParams<F> {
        match self {
            BodyParams::Stack(params) => params,
            BodyParams::Levels(_) => panic!("this path computes stacks of blocks only"),
        }
    }
}

impl<F: Real> BodyPlan<F> {
    /// The plan of a network's body.
    pub fn new(spec: &NetworkSpec) -> BodyPlan<F> {
        let last = spec.layers.saturating_sub(1);
        let reads_last = |layer: usize| layer == last && spec.readout == Readout::Last;
        let block = |layer| BlockPlan {
            placement: Placement::Pre,
            positions: if reads_last(layer) { Positions::Last } else { Positions::All },
            convolution: Plan::new(spec.tokens),
        };
        let steps = match spec.backbone() {
            Some(backbone) => Steps::Levels(SashimiPlan::new(backbone)),
            None => Steps::Stack((0..spec.layers).map(block).collect()),
        };
        let &NetworkSpec { tokens, readout, dropout, discretization, .. } = spec;
        BodyPlan { tokens, readout, dropout, discretization, steps }
    }

    /// Kernels (L, H) of all state-space models, in the order of computation.
    pub fn kernels(&self, params: &BodyParams<F>) -> Vec<Array2<F>> {
        let of = |block: &BlockParams<F>| block.ssm.kernel_forward(self.tokens, self.discretization);
        match (&self.steps, params) {
            (Steps::Stack(_), BodyParams::Stack(params)) => params.blocks.iter().map(of).collect(),
            (Steps::Levels(plan), BodyParams::Levels(params)) => plan.kernels(params),
            _ => other_kind(),
        }
    }

    /// Rows (batch, or batch × positions read, H) that the head reads of x (batch, T, H).
    ///
    /// `rng` draws the dropout masks while training; without it nothing is dropped.
    pub fn forward(
        &self,
        params: &BodyParams<F>,
        kernels: &[Array2<F>],
        mut x: Array3<F>,
        mut rng: Option<&mut impl Rng>,
    ) -> (Array2<F>, BodyCache<F>) {
        match (&self.steps, params) {
            (Steps::Stack(plans), BodyParams::Stack(params)) => {
                let mut blocks = Vec::with_capacity(plans.len());
                for ((params, plan), kernel) in params.blocks.iter().zip(plans).zip(kernels) {
                    let dropout = rng.as_deref_mut().map(|rng| (self.dropout, rng));
                    let (y, cache) = block::forward(params, plan, kernel.view(), x, dropout);
                    x = y;
                    blocks.push(cache);
                }
                let (read, norm) = norm::forward(&params.norm, read_rows(self.readout, x.view()).view());
                (read, BodyCache::Stack { blocks, norm, positions: x.dim().1 })
            }
            (Steps::Levels(plan), BodyParams::Levels(params)) => {
                let padding = plan.spec().len - self.tokens;
                let (y, cache) = plan.forward(params, kernels, pad(x, padding), rng);
                (read_rows(self.readout, y.slice(s![.., padding.., ..])), BodyCache::Levels(cache))
            }
            _ => other_kind(),
        }
    }

    // Each line of forward has its transpose here, in reverse order. Padding is constant: its gradient is dropped.

    /// dLoss/dx (batch, T, H) given d_read (rows, H); adds to `grad`, whose state-space part holds D only until
    /// [`BodyPlan::finish`], and to the kernels' gradients `dk`.
    pub fn backward(
        &self,
        params: &BodyParams<F>,
        kernels: &[Array2<F>],
        cache: &BodyCache<F>,
        d_read: Array2<F>,
        grad: &mut BodyParams<F>,
        dk: &mut [Array2<F>],
    ) -> Array3<F> {
        match (&self.steps, params, cache, grad) {
            (
                Steps::Stack(plans),
                BodyParams::Stack(params),
                BodyCache::Stack { blocks, norm, positions },
                BodyParams::Stack(grad),
            ) => {
                let d_rows = norm::backward(&params.norm, norm, d_read.view(), &mut grad.norm);
                let mut dx = scatter_rows(self.readout, d_rows, *positions);
                for (index, cache) in blocks.iter().enumerate().rev() {
                    let (params, grad) = (&params.blocks[index], &mut grad.blocks[index]);
                    let (kernel, dk) = (kernels[index].view(), &mut dk[index]);
                    dx = block::backward(params, &plans[index], kernel, cache, dx, grad, dk);
                }
                dx
            }
            (
                Steps::Levels(plan),
                BodyParams::Levels(params),
                BodyCache::Levels(cache),
                BodyParams::Levels(grad),
            ) => {
                let padding = plan.spec().len - self.tokens;
                let dy = pad(scatter_rows(self.readout, d_read, self.tokens), padding);
                let dx = plan.backward(params, kernels, cache, dy, grad, dk);
                if padding == 0 {
                    dx
                } else {
                    dx.slice_move(s![.., padding.., ..]).as_standard_layout().into_owned()
                }
            }
            _ => other_kind(),
        }
    }

    /// Pulls the summed kernel gradients `dk` (L, H) back to the state-space parameters in `grad`. The B of S4D is never
    /// trained, so its gradient is set to zero and has no part in the global norm.
    pub fn finish(&self, params: &BodyParams<F>, dk: &[Array2<F>], grad: &mut BodyParams<F>) {
        match (&self.steps, params, grad) {
            (Steps::Stack(_), BodyParams::Stack(params), BodyParams::Stack(grad)) => {
                for ((params, grad), dk) in params.blocks.iter().zip(&mut grad.blocks).zip(dk) {
                    params.ssm.kernel_backward(self.discretization, dk.view(), &mut grad.ssm);
                    for tensor in
                        grad.ssm.tensors("").into_iter().filter(|tensor| tensor.kind == Kind::Frozen)
                    {
                        tensor.values.fill(F::zero());
                    }
                }
            }
            (Steps::Levels(plan), BodyParams::Levels(params), BodyParams::Levels(grad)) => {
                plan.finish(params, dk, grad);
            }
            _ => other_kind(),
        }
    }
}

/// All zeros in the shapes of [`BodyPlan::kernels`], for gradients.
pub fn zero_kernels<F: Real>(spec: &NetworkSpec) -> Vec<Array2<F>> {
    match spec.backbone() {
        Some(backbone) => {
            backbone.pair_levels().iter().map(|level| Array2::zeros((level.len, level.width))).collect()
        }
        None => vec![Array2::zeros((spec.tokens, spec.hidden)); spec.layers],
    }
}

fn other_kind() -> ! {
    panic!("parameters, caches and gradients are those of the plan")
}

/// x (batch, T, H) after so many positions of zeros.
fn pad<F: Real>(x: Array3<F>, padding: usize) -> Array3<F> {
    if padding == 0 {
        return x;
    }
    let (batch, len, width) = x.dim();
    let mut padded = Array3::zeros((batch, padding + len, width));
    padded.slice_mut(s![.., padding.., ..]).assign(&x);
    padded
}

/// The rows that the head reads of x (batch, positions, H).
pub(super) fn read_rows<F: Real>(readout: Readout, x: ArrayView3<F>) -> Array2<F> {
    let start = match readout {
        Readout::Flatten => 0,
        Readout::Last => return x.index_axis(Axis(1), x.dim().1 - 1).to_owned(),
        Readout::Suffix(count) => x.dim().1 - count,
    };
    into_rows(x.slice(s![.., start.., ..]).as_standard_layout().into_owned())
}

/// The transpose of [`read_rows`]: (rows, H) to (batch, positions, H), zero where nothing was read.
pub(super) fn scatter_rows<F: Real>(readout: Readout, d_rows: Array2<F>, positions: usize) -> Array3<F> {
    let read = match readout {
        Readout::Flatten => positions,
        Readout::Last => 1,
        Readout::Suffix(count) => count,
    };
    let batch = d_rows.nrows() / read;
    pad(sequences(d_rows, batch), positions - read)
}
