//! Encoder, blocks and head on observations at any times, the last positions queries.
//!
//! ```text
//! tokens (batch, L, P) → linear → blocks, their state-space models by scan over the gaps → rows of the queries → norm → linear
//! ```
//!
//! Shape and parameters are those of [`network`](crate::engine::network) with [`Readout::Suffix`]: the queries.

use ndarray::{Array2, Array3, ArrayView2, ArrayView3};
use rand::Rng;

use crate::engine::activation::dropout_factors;
use crate::engine::block::{self, BlockCache, Placement, Positions, into_rows, rows, sequences};
use crate::engine::body::{BodyParams, read_rows, scatter_rows};
use crate::engine::irregular::scan::{self, ScanCache};
use crate::engine::linear::{self, LinearParams};
use crate::engine::network::{NetworkParams, NetworkSpec, Readout};
use crate::engine::norm::{self, NormCache};
use crate::engine::param::Kind;
use crate::engine::real::Real;
use crate::engine::ssm::SsmKind;

/// How every block computes.
const PLAN: (Placement, Positions) = (Placement::Pre, Positions::All);

/// A network on observations at any times.
#[derive(Clone)]
pub struct IrregularNetwork<F> {
    /// Shape: a stack of diagonal models that reads a suffix.
    pub spec: NetworkSpec,
    /// Parameters.
    pub params: NetworkParams<F>,
}

/// What backward needs of one forward pass.
pub struct IrregularCache<F> {
    tokens: Array3<F>,
    blocks: Vec<(BlockCache<F>, ScanCache<F>)>,
    norm: NormCache<F>,
    dropout: Option<Array2<F>>,
    /// Input of the head.
    read: Array2<F>,
}

impl<F: Real> IrregularNetwork<F> {
    /// A network whose head is zero.
    ///
    /// # Panics
    /// As [`IrregularNetwork::new`].
    pub fn init(spec: NetworkSpec, rng: &mut impl Rng) -> IrregularNetwork<F> {
        let params = NetworkParams {
            encoder: LinearParams::init(spec.patch, spec.hidden, rng),
            body: BodyParams::init(&spec, rng),
            head: LinearParams::zeros(spec.hidden, spec.outputs),
        };
        IrregularNetwork::new(spec, params)
    }

    /// A network with given parameters, whose shapes must be those of `spec`.
    ///
    /// # Panics
    /// If `spec` is no stack of diagonal models that reads a suffix.
    pub fn new(spec: NetworkSpec, params: NetworkParams<F>) -> IrregularNetwork<F> {
        assert!(IrregularNetwork::<F>::is_one(&spec), "a stack of S4D blocks that reads a suffix");
        IrregularNetwork { spec, params }
    }

    /// Whether a shape is that of such a network.
    pub fn is_one(spec: &NetworkSpec) -> bool {
        let is_suffix = matches!(spec.readout, Readout::Suffix(count) if (1..=spec.tokens).contains(&count));
        is_suffix && spec.ssm == SsmKind::S4d && spec.levels.is_none()
    }

    /// Positions that write: all before the queries.
    fn writes(&self, len: usize) -> usize {
        let Readout::Suffix(queries) = self.spec.readout else { unreachable!("checked at construction") };
        len - queries
    }

    /// Outputs (batch × queries, outputs) of tokens (batch, L, P) at gaps (batch, L). L need not be that of the shape.
    ///
    /// `rng` draws the dropout masks while training; without it nothing is dropped.
    ///
    /// # Panics
    /// If L is less than the queries.
    pub fn forward(
        &self,
        tokens: Array3<F>,
        gaps: ArrayView2<F>,
        mut rng: Option<&mut impl Rng>,
    ) -> (Array2<F>, IrregularCache<F>) {
        let (batch, len, _) = tokens.dim();
        let (spec, writes) = (&self.spec, self.writes(len));
        let stack = self.params.stack();
        let mut x = sequences(linear::forward(&self.params.encoder, rows(tokens.view())), batch);
        let mut blocks = Vec::with_capacity(stack.blocks.len());
        for params in &stack.blocks {
            let dropout = rng.as_deref_mut().map(|rng| (spec.dropout, rng));
            let mut kept = None;
            let scan = |u: ArrayView3<F>| {
                let (y, cache) = scan::forward(params.ssm.diagonal(), gaps, writes, u);
                kept = Some(cache);
                into_rows(y)
            };
            let (y, cache) = block::forward_through(params, PLAN, x, dropout, scan);
            blocks.push((cache, kept.expect("a block computes its state-space model")));
            x = y;
        }
        let (mut read, norm) = norm::forward(&stack.norm, read_rows(spec.readout, x.view()).view());
        let dropout = rng.filter(|_| spec.dropout > 0.0).map(|rng| {
            let factors = dropout_factors(read.dim(), spec.dropout, rng);
            read *= &factors;
            factors
        });
        let out = linear::forward(&self.params.head, read.view());
        (out, IrregularCache { tokens, blocks, norm, dropout, read })
    }

    // Each line of forward has its transpose here, in reverse order.

    /// Adds the gradient to `grad`, given dout (batch × queries, outputs). The B of S4D is never trained, so its gradient
    /// is zero.
    pub fn backward(
        &self,
        gaps: ArrayView2<F>,
        cache: &IrregularCache<F>,
        dout: ArrayView2<F>,
        grad: &mut NetworkParams<F>,
    ) {
        let (batch, len, _) = cache.tokens.dim();
        let (spec, writes, stack) = (&self.spec, self.writes(len), self.params.stack());
        linear::accumulate(cache.read.view(), dout, &mut grad.head);
        let mut d_read = linear::input_gradient(&self.params.head, dout);
        if let Some(factors) = &cache.dropout {
            d_read *= factors;
        }
        let grads = grad.stack_mut();
        let d_rows = norm::backward(&stack.norm, &cache.norm, d_read.view(), &mut grads.norm);
        let mut dx = scatter_rows(spec.readout, d_rows, len);
        for ((params, grad), (cache, kept)) in
            stack.blocks.iter().zip(&mut grads.blocks).zip(&cache.blocks).rev()
        {
            dx = block::backward_through(params, PLAN, cache, dx, grad, |u, d_ssm, grad| {
                let d_ssm = sequences(d_ssm, batch);
                let (ssm, grad) = (params.ssm.diagonal(), grad.diagonal_mut());
                scan::backward(ssm, gaps, writes, kept, u, d_ssm.view(), grad)
            });
            for tensor in grad.ssm.tensors("").into_iter().filter(|tensor| tensor.kind == Kind::Frozen) {
                tensor.values.fill(F::zero());
            }
        }
        linear::accumulate(rows(cache.tokens.view()), into_rows(dx).view(), &mut grad.encoder);
    }
}
