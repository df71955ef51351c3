//! Pairs of S4 block and feed-forward layer, both pre-norm residual: what a level of SaShiMi is made of.
//!
//! The state-space model of a pair is touched here and nowhere else in this folder.

use ndarray::{Array2, Array3};
use rand::Rng;

use crate::engine::activation::{gelu_forward, glu_forward};
use crate::engine::block::{
    self, BlockCache, BlockParams, BlockPlan, Placement, Positions, into_rows, sequences,
};
use crate::engine::convolution::Plan;
use crate::engine::linear::{self, LinearParams};
use crate::engine::norm::{self, NormParams};
use crate::engine::param::{Kind, Tensor};
use crate::engine::real::Real;
use crate::engine::recurrence::Recurrence;
use crate::engine::s4d::C64;
use crate::engine::sashimi::feed_forward::{self, FeedForwardCache, FeedForwardParams};
use crate::engine::sashimi::spec::{Level, SashimiSpec};
use crate::engine::ssm::SsmParams;

/// Parameters of one pair.
#[derive(Clone, Debug)]
pub struct PairParams<F> {
    /// S4 block.
    pub s4: BlockParams<F>,
    /// Feed-forward layer.
    pub feed_forward: FeedForwardParams<F>,
}

/// What backward needs of one pair.
pub struct PairCache<F> {
    s4: BlockCache<F>,
    feed_forward: FeedForwardCache<F>,
}

impl<F: Real> PairParams<F> {
    /// All zeros, for gradients.
    pub fn zeros(spec: &SashimiSpec, level: Level) -> PairParams<F> {
        PairParams {
            s4: BlockParams::zeros_of(spec.ssm, level.width, spec.modes, level.len),
            feed_forward: FeedForwardParams::zeros(level.width, spec.feed_forward),
        }
    }

    /// A pair to train.
    pub fn init(spec: &SashimiSpec, level: Level, rng: &mut impl Rng) -> PairParams<F> {
        PairParams {
            s4: BlockParams {
                reverse: None,
                norm: NormParams::init(level.width),
                ssm: SsmParams::init(spec.ssm, level.width, spec.modes, level.len, spec.init, spec.dt, rng),
                mix: LinearParams::init(level.width, 2 * level.width, rng),
            },
            feed_forward: FeedForwardParams::init(level.width, spec.feed_forward, rng),
        }
    }

    /// Named tensors.
    pub fn tensors(&mut self, prefix: &str) -> Vec<Tensor<'_, F>> {
        let mut tensors = self.s4.tensors(&format!("{prefix}s4."));
        tensors.extend(self.feed_forward.tensors(&format!("{prefix}feed_forward.")));
        tensors
    }

    /// Kernel (L, H) of the pair's state-space model on its level.
    pub fn kernel(&self, spec: &SashimiSpec, level: Level) -> Array2<F> {
        self.s4.ssm.kernel_forward(level.len, spec.discretization)
    }

    /// Adds what the gradient `dk` (L, H) of the kernel says of the parameters. The B of S4D is never trained, so its
    /// gradient is set to zero and has no part in the global norm.
    pub fn pull_back(&self, spec: &SashimiSpec, dk: &Array2<F>, grad: &mut PairParams<F>) {
        self.s4.ssm.kernel_backward(spec.discretization, dk.view(), &mut grad.s4.ssm);
        let frozen = |tensor: &Tensor<'_, F>| tensor.kind == Kind::Frozen;
        for tensor in grad.s4.ssm.tensors("").into_iter().filter(frozen) {
            tensor.values.fill(F::zero());
        }
    }

    /// The pair's state-space model, ready to step.
    pub fn recurrence(&self, spec: &SashimiSpec) -> Recurrence {
        Recurrence::of(&self.s4.ssm, spec.discretization)
    }

    /// Output (batch, H) of one observation x (batch, H), advancing the states (batch, H, N/2).
    pub fn step(&self, system: &Recurrence, state: &mut Array3<C64>, x: Array2<F>) -> Array2<F> {
        let (u, _) = norm::forward(&self.s4.norm, x.view());
        let activated = gelu_forward(system.step(state, u.view()).view());
        let mut gated = linear::forward(&self.s4.mix, activated.view());
        feed_forward::apply(&self.feed_forward, x + glu_forward(&mut gated))
    }
}

/// How the S4 blocks of a level compute.
pub fn plan<F: Real>(level: Level) -> BlockPlan<F> {
    BlockPlan { placement: Placement::Pre, positions: Positions::All, convolution: Plan::new(level.len) }
}

/// Output (batch, L, H) of pairs one after the other on x (batch, L, H), with one kernel (L, H) each.
///
/// `dropout` is the probability; nothing is dropped without a generator.
pub fn forward<F: Real>(
    pairs: &[PairParams<F>],
    plan: &BlockPlan<F>,
    kernels: &[Array2<F>],
    mut x: Array3<F>,
    dropout: f64,
    mut rng: Option<&mut impl Rng>,
) -> (Array3<F>, Vec<PairCache<F>>) {
    assert_eq!(pairs.len(), kernels.len(), "one kernel per pair");
    let batch = x.dim().0;
    let mut caches = Vec::with_capacity(pairs.len());
    for (params, kernel) in pairs.iter().zip(kernels) {
        let dropped = rng.as_deref_mut().map(|rng| (dropout, rng));
        let (y, s4) = block::forward(&params.s4, plan, kernel.view(), x, dropped);
        let dropped = rng.as_deref_mut().map(|rng| (dropout, rng));
        let (y, feed_forward) = feed_forward::forward(&params.feed_forward, into_rows(y), dropped);
        x = sequences(y, batch);
        caches.push(PairCache { s4, feed_forward });
    }
    (x, caches)
}

// Each line of forward has its transpose here, in reverse order.

/// dLoss/dx (batch, L, H) given dy (batch, L, H); adds to `grad` and to the kernels' gradients `dk` (L, H).
pub fn backward<F: Real>(
    pairs: &[PairParams<F>],
    plan: &BlockPlan<F>,
    kernels: &[Array2<F>],
    caches: &[PairCache<F>],
    mut dy: Array3<F>,
    grad: &mut [PairParams<F>],
    dk: &mut [Array2<F>],
) -> Array3<F> {
    let batch = dy.dim().0;
    for (index, cache) in caches.iter().enumerate().rev() {
        let (params, grad) = (&pairs[index], &mut grad[index]);
        let dx = feed_forward::backward(
            &params.feed_forward,
            &cache.feed_forward,
            into_rows(dy).view(),
            &mut grad.feed_forward,
        );
        let (kernel, dk) = (kernels[index].view(), &mut dk[index]);
        dy = block::backward(&params.s4, plan, kernel, &cache.s4, sequences(dx, batch), &mut grad.s4, dk);
    }
    dy
}
