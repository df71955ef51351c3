//! Residual S4 block: norm -> SSM + D skip -> GELU -> dropout -> linear -> GLU -> residual.

use ndarray::{Array2, Array3, ArrayView2, ArrayView3, Axis, s};
use rand::Rng;

use crate::engine::activation::{dropout_factors, gelu_backward, gelu_forward, glu_backward, glu_forward};
use crate::engine::convolution::{self, Plan};
use crate::engine::linear::{self, LinearParams};
use crate::engine::norm::{self, NormCache, NormParams};
use crate::engine::param::Tensor;
use crate::engine::real::Real;
use crate::engine::reverse::Reverse;
use crate::engine::ssm::{SsmKind, SsmParams};

/// Where the layer norm stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// x + f(norm(x)).
    Pre,
    /// norm(x + f(x)).
    Post,
    /// f(x): no norm, no residual.
    None,
}

/// Which positions a block computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Positions {
    /// All L.
    All,
    /// Only the last, for a head that reads no other; needs [`Placement::Pre`].
    Last,
}

/// Parameters of one block.
#[derive(Clone, Debug)]
pub struct BlockParams<F> {
    /// Layer norm (H); unused with [`Placement::None`].
    pub norm: NormParams<F>,
    /// State-space model (H, N/2).
    pub ssm: SsmParams<F>,
    /// Its second direction, where the block may look ahead; [`crate::engine::chunked`] computes it.
    pub reverse: Option<Reverse<F>>,
    /// Mixing map (2H, H).
    pub mix: LinearParams<F>,
}

impl<F: Real> BlockParams<F> {
    /// All zeros with a diagonal model, for gradients.
    pub fn zeros(hidden: usize, modes: usize) -> BlockParams<F> {
        BlockParams::zeros_of(SsmKind::S4d, hidden, modes, 0)
    }

    /// All zeros with a model of that kind for kernels of up to `len` positions.
    pub fn zeros_of(kind: SsmKind, hidden: usize, modes: usize, len: usize) -> BlockParams<F> {
        BlockParams {
            norm: NormParams::zeros(hidden),
            ssm: SsmParams::zeros(kind, hidden, modes, len),
            reverse: None,
            mix: LinearParams::zeros(hidden, 2 * hidden),
        }
    }

    /// Named tensors.
    pub fn tensors(&mut self, prefix: &str) -> Vec<Tensor<'_, F>> {
        let mut tensors = self.norm.tensors(&format!("{prefix}norm."));
        tensors.extend(self.ssm.tensors(&format!("{prefix}ssm.")));
        if let Some(reverse) = &mut self.reverse {
            tensors.extend(reverse.tensors(&format!("{prefix}ssm.")));
        }
        tensors.extend(self.mix.tensors(&format!("{prefix}mix.")));
        tensors
    }
}

/// How a block computes: everything that is not a parameter.
#[derive(Clone)]
pub struct BlockPlan<F: Real> {
    /// Where the norm stands.
    pub placement: Placement,
    /// Which positions are computed.
    pub positions: Positions,
    /// How to convolve.
    pub convolution: Plan<F>,
}

/// What backward needs of one forward pass over (batch, L, H).
pub struct BlockCache<F> {
    /// Input of the SSM (batch, L, H).
    pub u: Array3<F>,
    /// What the norm keeps, if there is one.
    pub norm: Option<NormCache<F>>,
    /// SSM output (rows, H), rows = batch × positions.
    pub ssm_out: Array2<F>,
    /// GELU output after dropout (rows, H).
    pub activated: Array2<F>,
    /// Dropout factors (rows, H), if any.
    pub dropout: Option<Array2<F>>,
    /// Values and gates of the GLU (rows, 2H).
    pub gated: Array2<F>,
}

/// Output (batch, L or 1, H) of x (batch, L, H), with the kernel K (L, H) of the block's SSM.
///
/// `dropout` is (probability, generator) while training.
pub fn forward<F: Real>(
    params: &BlockParams<F>,
    plan: &BlockPlan<F>,
    kernel: ArrayView2<F>,
    x: Array3<F>,
    dropout: Option<(f64, &mut impl Rng)>,
) -> (Array3<F>, BlockCache<F>) {
    let convolve = |u: ArrayView3<F>| match plan.positions {
        Positions::All => {
            into_rows(convolution::forward(&plan.convolution, u, kernel, params.ssm.d().view()))
        }
        Positions::Last => convolution::last_forward(u, kernel, params.ssm.d().view()),
    };
    forward_through(params, (plan.placement, plan.positions), x, dropout, convolve)
}

/// As [`forward`], whatever computes the state-space model: `ssm` makes rows (batch × positions, H), the skip D included,
/// of its input (batch, L, H).
pub fn forward_through<F: Real>(
    params: &BlockParams<F>,
    (placement, positions): (Placement, Positions),
    x: Array3<F>,
    dropout: Option<(f64, &mut impl Rng)>,
    ssm: impl FnOnce(ArrayView3<F>) -> Array2<F>,
) -> (Array3<F>, BlockCache<F>) {
    assert!(positions == Positions::All || placement == Placement::Pre, "last position needs pre-norm");
    let (batch, len, hidden) = x.dim();
    let (u, norm) = match placement {
        Placement::Pre => {
            let (u, cache) = norm::forward(&params.norm, rows(x.view()));
            (sequences(u, batch), Some(cache))
        }
        Placement::Post | Placement::None => (x.clone(), None),
    };
    let ssm_out = ssm(u.view());
    let mut activated = gelu_forward(ssm_out.view());
    let dropout = dropout.filter(|(probability, _)| *probability > 0.0).map(|(probability, rng)| {
        let factors = dropout_factors(activated.dim(), probability, rng);
        activated *= &factors;
        factors
    });
    let mut gated = linear::forward(&params.mix, activated.view());
    let mut y = glu_forward(&mut gated);
    let mut cache = BlockCache { u, norm, ssm_out, activated, dropout, gated };
    match (placement, positions) {
        (Placement::None, _) => {}
        (Placement::Pre, Positions::Last) => y += &x.slice(s![.., len - 1, ..]),
        (Placement::Pre, Positions::All) => y += &rows(x.view()),
        (Placement::Post, _) => {
            y += &rows(x.view());
            let (normed, norm_cache) = norm::forward(&params.norm, y.view());
            (y, cache.norm) = (normed, Some(norm_cache));
        }
    }
    debug_assert_eq!(y.ncols(), hidden);
    (sequences(y, batch), cache)
}

// The residual splits the gradient: dy goes to x unchanged and through GLU, linear, dropout, GELU, state-space model and
// norm in turn. With post-norm the norm's backward comes first and its result is what splits. A last-position block
// sends the unchanged part to the last position only.

/// dLoss/dx (batch, L, H) given dy (batch, L or 1, H); adds to `grad` and to the kernel's gradient `dk` (L, H).
pub fn backward<F: Real>(
    params: &BlockParams<F>,
    plan: &BlockPlan<F>,
    kernel: ArrayView2<F>,
    cache: &BlockCache<F>,
    dy: Array3<F>,
    grad: &mut BlockParams<F>,
    dk: &mut Array2<F>,
) -> Array3<F> {
    let convolve = |u: ArrayView3<F>, d_ssm: Array2<F>, grad: &mut SsmParams<F>| {
        let d = params.ssm.d().view();
        let gradient = match plan.positions {
            Positions::All => {
                let d_ssm = sequences(d_ssm, u.dim().0);
                convolution::backward(&plan.convolution, u, kernel, d, d_ssm.view())
            }
            Positions::Last => convolution::last_backward(u, kernel, d, d_ssm.view()),
        };
        *dk += &gradient.dk;
        *grad.d_mut() += &gradient.dd;
        gradient.du
    };
    backward_through(params, (plan.placement, plan.positions), cache, dy, grad, convolve)
}

/// As [`backward`], whatever computes the state-space model: `ssm` makes du (batch, L, H) of u (batch, L, H) and the
/// gradient of its output (batch × positions, H), and adds to the gradient of its parameters.
pub fn backward_through<F: Real>(
    params: &BlockParams<F>,
    (placement, positions): (Placement, Positions),
    cache: &BlockCache<F>,
    dy: Array3<F>,
    grad: &mut BlockParams<F>,
    ssm: impl FnOnce(ArrayView3<F>, Array2<F>, &mut SsmParams<F>) -> Array3<F>,
) -> Array3<F> {
    let (batch, len, _) = cache.u.dim();
    let mut dy = into_rows(dy);
    if let (Placement::Post, Some(norm)) = (placement, &cache.norm) {
        dy = norm::backward(&params.norm, norm, dy.view(), &mut grad.norm);
    }
    let d_mixed = glu_backward(cache.gated.view(), dy.view());
    linear::accumulate(cache.activated.view(), d_mixed.view(), &mut grad.mix);
    let mut d_ssm = linear::input_gradient(&params.mix, d_mixed.view());
    if let Some(factors) = &cache.dropout {
        d_ssm *= factors;
    }
    gelu_backward(cache.ssm_out.view(), &mut d_ssm);
    let du = ssm(cache.u.view(), d_ssm, &mut grad.ssm);
    match placement {
        Placement::None => du,
        Placement::Post => du + sequences(dy, batch),
        Placement::Pre => {
            let norm = cache.norm.as_ref().expect("pre-norm forward kept its cache");
            let dx = norm::backward(&params.norm, norm, rows(du.view()), &mut grad.norm);
            let mut dx = sequences(dx, batch);
            match positions {
                Positions::All => dx += &sequences(dy, batch),
                Positions::Last => {
                    let mut last = dx.index_axis_mut(Axis(1), len - 1);
                    last += &dy;
                }
            }
            dx
        }
    }
}

/// (batch, L, H) as (batch L, H).
pub(crate) fn rows<F: Real>(x: ArrayView3<F>) -> ArrayView2<F> {
    let (batch, len, hidden) = x.dim();
    x.into_shape_with_order((batch * len, hidden)).expect("activations are in standard layout")
}

/// (batch, L, H) as (batch L, H), owned.
pub(crate) fn into_rows<F: Real>(x: Array3<F>) -> Array2<F> {
    let (batch, len, hidden) = x.dim();
    x.into_shape_with_order((batch * len, hidden)).expect("activations are in standard layout")
}

/// (batch L, H) as (batch, L, H).
pub(crate) fn sequences<F: Real>(x: Array2<F>, batch: usize) -> Array3<F> {
    let (rows, hidden) = x.dim();
    x.into_shape_with_order((batch, rows / batch, hidden)).expect("activations are in standard layout")
}
