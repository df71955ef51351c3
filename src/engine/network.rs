//! Patch encoder, body of S4D or S4 blocks, head: shape, parameters, cache, forward, backward.
//!
//! tokens (batch, T, P) → encoder (T, H) → [`body`] → rows that the head reads → head (rows,
//! outputs). Kernels depend on the parameters alone, so they are made once per step and shared by all batch slices;
//! their gradients are summed over the slices before [`Network::finish`] pulls them back to the parameters once.

use ndarray::{Array2, Array3, ArrayView2};
use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::engine::activation::dropout_factors;
use crate::engine::block::{into_rows, rows, sequences};
use crate::engine::body::{self, BodyCache, BodyParams, BodyPlan, StackParams};
use crate::engine::linear::{self, LinearParams};
use crate::engine::param::Tensor;
use crate::engine::real::Real;
use crate::engine::s4d::{Discretization, Init};
use crate::engine::sashimi::spec::SashimiSpec;
use crate::engine::ssm::SsmKind;

/// Which positions the head reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Readout {
    /// The last position: head input is H.
    Last,
    /// All positions at once: head input is T H.
    Flatten,
    /// Each of the last positions by itself (masked-suffix forecasting): head input is H.
    Suffix(usize),
}

/// Shape of a network, as it also stands in model files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkSpec {
    /// Values per token (P).
    pub patch: usize,
    /// Tokens (T).
    pub tokens: usize,
    /// Width (H); with levels, that of the finest.
    pub hidden: usize,
    /// Stored modes per channel (N/2).
    pub modes: usize,
    /// Blocks; with levels, pairs on each of them.
    pub layers: usize,
    /// Outputs of the head per row.
    pub outputs: usize,
    /// What the head reads.
    pub readout: Readout,
    /// State-space model of every block; files from before there were two have S4D.
    #[serde(default, skip_serializing_if = "SsmKind::is_default")]
    pub ssm: SsmKind,
    /// The levels of a U-net in place of a stack of blocks; files from before there were any have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub levels: Option<Levels>,
    /// Initialisation of A in S4D.
    pub init: Init,
    /// Discretisation of S4D.
    pub discretization: Discretization,
    /// Range of dt at initialisation.
    pub dt: (f64, f64),
    /// Dropout after GELU and before the head.
    pub dropout: f64,
}

/// What a U-net has beyond a stack of blocks; see [`SashimiSpec`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Levels {
    /// Frames that become one, finest level first.
    pub pools: Vec<usize>,
    /// Factor of the width from a level to the next coarser one.
    pub expand: usize,
    /// Width of the feed-forward layers as a multiple of the level's.
    pub feed_forward: usize,
}

/// Parameters of a network.
#[derive(Clone, Debug)]
pub struct NetworkParams<F> {
    /// Patch embedding (H, P).
    pub encoder: LinearParams<F>,
    /// What stands between encoder and head, final norm included.
    pub body: BodyParams<F>,
    /// Head.
    pub head: LinearParams<F>,
}

/// Gradient of a network over one batch slice.
pub struct NetworkGradient<F> {
    /// Of the parameters; the SSM part holds D only until [`Network::finish`].
    pub params: NetworkParams<F>,
    /// Of the kernels (L, H), one per state-space model.
    pub kernels: Vec<Array2<F>>,
}

/// What backward needs of one forward pass.
pub struct NetworkCache<F> {
    tokens: Array3<F>,
    body: BodyCache<F>,
    dropout: Option<Array2<F>>,
    /// Input of the head.
    read: Array2<F>,
}

/// A network: shape, parameters and how to compute.
#[derive(Clone)]
pub struct Network<F: Real> {
    /// Shape.
    pub spec: NetworkSpec,
    /// Parameters.
    pub params: NetworkParams<F>,
    plan: BodyPlan<F>,
}

impl<F: Real> NetworkParams<F> {
    /// All zeros, for gradients.
    pub fn zeros(spec: &NetworkSpec) -> NetworkParams<F> {
        NetworkParams {
            encoder: LinearParams::zeros(spec.patch, spec.hidden),
            body: BodyParams::zeros(spec),
            head: LinearParams::zeros(spec.head_inputs(), spec.outputs),
        }
    }

    /// Named tensors, always in the same order.
    pub fn tensors(&mut self) -> Vec<Tensor<'_, F>> {
        let mut tensors = self.encoder.tensors("encoder.");
        tensors.extend(self.body.tensors());
        tensors.extend(self.head.tensors("head."));
        tensors
    }

    /// The parameters of a stack; panics as [`BodyParams::stack`].
    pub fn stack(&self) -> &StackParams<F> {
        self.body.stack()
    }

    /// [`NetworkParams::stack`], to be changed.
    pub fn stack_mut(&mut self) -> &mut StackParams<F> {
        self.body.stack_mut()
    }
}

impl<F: Real> NetworkGradient<F> {
    /// All zeros.
    pub fn zeros(spec: &NetworkSpec) -> NetworkGradient<F> {
        NetworkGradient { params: NetworkParams::zeros(spec), kernels: body::zero_kernels(spec) }
    }

    /// Adds another slice's gradient.
    pub fn add(&mut self, other: &mut NetworkGradient<F>) {
        for (sum, part) in self.params.tensors().into_iter().zip(other.params.tensors()) {
            for (sum, &mut part) in sum.values.iter_mut().zip(part.values) {
                *sum += part;
            }
        }
        for (sum, part) in self.kernels.iter_mut().zip(&other.kernels) {
            *sum += part;
        }
    }
}

impl NetworkSpec {
    /// Number of parameters, for sizes below 2³⁰, without allocating any: what a file has to hold before its network
    /// may be made. Levels may have any size.
    pub fn parameters(&self) -> u128 {
        let [patch, hidden, modes, layers, outputs] =
            [self.patch, self.hidden, self.modes, self.layers, self.outputs].map(|size| size as u128);
        let linear = |inputs: u128, outputs: u128| (inputs + 1) * outputs;
        let norm = 2 * hidden;
        let block = norm + self.ssm.parameters(modes) * hidden + linear(hidden, 2 * hidden);
        let ends = linear(patch, hidden) + linear(self.head_inputs() as u128, outputs);
        let body = self.levels.as_ref().map(|levels| self.backbone_of(levels, self.tokens).parameters());
        ends.saturating_add(body.unwrap_or(layers * block + norm))
    }

    /// The U-net between encoder and head, if it is one: as long as the tokens, filled up to a multiple of its stride.
    ///
    /// # Panics
    /// If a pool is zero or their product is no number of positions: [`Levels::stride`] tells.
    pub fn backbone(&self) -> Option<SashimiSpec> {
        let stride = |levels: &Levels| levels.stride().expect("pools are checked where a spec is read");
        self.levels
            .as_ref()
            .map(|levels| self.backbone_of(levels, self.tokens.next_multiple_of(stride(levels))))
    }

    fn backbone_of(&self, levels: &Levels, len: usize) -> SashimiSpec {
        SashimiSpec {
            len,
            width: self.hidden,
            pools: levels.pools.clone(),
            expand: levels.expand,
            layers: self.layers,
            feed_forward: levels.feed_forward,
            modes: self.modes,
            ssm: self.ssm,
            init: self.init,
            discretization: self.discretization,
            dt: self.dt,
            dropout: self.dropout,
        }
    }

    /// Inputs of the head.
    fn head_inputs(&self) -> usize {
        match self.readout {
            Readout::Last | Readout::Suffix(_) => self.hidden,
            Readout::Flatten => self.tokens * self.hidden,
        }
    }
}

impl Levels {
    /// Tokens that become one on the coarsest level; `None` where there is no such number.
    pub fn stride(&self) -> Option<usize> {
        let product = self.pools.iter().try_fold(1_usize, |product, &pool| product.checked_mul(pool));
        product.filter(|stride| *stride > 0)
    }
}

impl<F: Real> Network<F> {
    /// A network whose head is zero: it starts by saying nothing.
    pub fn init(spec: NetworkSpec, rng: &mut impl Rng) -> Network<F> {
        let params = NetworkParams {
            encoder: LinearParams::init(spec.patch, spec.hidden, rng),
            body: BodyParams::init(&spec, rng),
            head: LinearParams::zeros(spec.head_inputs(), spec.outputs),
        };
        Network::new(spec, params)
    }

    /// A network with given parameters, whose shapes must be those of `spec`.
    pub fn new(spec: NetworkSpec, params: NetworkParams<F>) -> Network<F> {
        Network { plan: BodyPlan::new(&spec), spec, params }
    }

    /// Kernels (L, H) of all state-space models; in a stack, L is T.
    pub fn kernels(&self) -> Vec<Array2<F>> {
        self.plan.kernels(&self.params.body)
    }

    /// Outputs (rows, outputs) of tokens (batch, T, P); rows = batch, or batch × suffix.
    ///
    /// `rng` draws the dropout masks while training; without it nothing is dropped.
    pub fn forward(
        &self,
        kernels: &[Array2<F>],
        tokens: Array3<F>,
        mut rng: Option<&mut impl Rng>,
    ) -> (Array2<F>, NetworkCache<F>) {
        let (batch, positions, _) = tokens.dim();
        assert_eq!(positions, self.spec.tokens, "tokens per sample");
        let x = sequences(linear::forward(&self.params.encoder, rows(tokens.view())), batch);
        let (read, body) = self.plan.forward(&self.params.body, kernels, x, rng.as_deref_mut());
        let rows_read = read.len() / self.spec.head_inputs();
        let mut read =
            read.into_shape_with_order((rows_read, self.spec.head_inputs())).expect("standard layout");
        let dropout = rng.filter(|_| self.spec.dropout > 0.0).map(|rng| {
            let factors = dropout_factors(read.dim(), self.spec.dropout, rng);
            read *= &factors;
            factors
        });
        let out = linear::forward(&self.params.head, read.view());
        (out, NetworkCache { tokens, body, dropout, read })
    }

    // Each line of forward has its transpose here, in reverse order.

    /// Adds the gradient of one slice to `grad`, given dout (rows, outputs).
    pub fn backward(
        &self,
        kernels: &[Array2<F>],
        cache: &NetworkCache<F>,
        dout: ArrayView2<F>,
        grad: &mut NetworkGradient<F>,
    ) {
        linear::accumulate(cache.read.view(), dout, &mut grad.params.head);
        let mut d_read = linear::input_gradient(&self.params.head, dout);
        if let Some(factors) = &cache.dropout {
            d_read *= factors;
        }
        let rows_read = d_read.len() / self.spec.hidden;
        let d_read = d_read.into_shape_with_order((rows_read, self.spec.hidden)).expect("standard layout");
        let (params, grads) = (&self.params.body, &mut grad.params.body);
        let dx = self.plan.backward(params, kernels, &cache.body, d_read, grads, &mut grad.kernels);
        linear::accumulate(rows(cache.tokens.view()), into_rows(dx).view(), &mut grad.params.encoder);
    }

    /// Pulls the summed kernel gradients back to the state-space parameters. The B of S4D is never trained, so its
    /// gradient is set to zero and has no part in the global norm.
    pub fn finish(&self, grad: &mut NetworkGradient<F>) {
        self.plan.finish(&self.params.body, &grad.kernels, &mut grad.params.body);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(pools: &[usize]) -> Option<Levels> {
        Some(Levels { pools: pools.to_vec(), expand: 2, feed_forward: 3 })
    }

    #[test]
    fn the_number_of_parameters_is_that_of_the_tensors() {
        let cases = [
            (Readout::Last, SsmKind::S4d, None),
            (Readout::Flatten, SsmKind::S4, None),
            (Readout::Last, SsmKind::S4d, levels(&[])),
            (Readout::Flatten, SsmKind::S4d, levels(&[2])),
            (Readout::Flatten, SsmKind::S4, levels(&[2, 2])),
        ];
        for (readout, ssm, levels) in cases {
            let spec = NetworkSpec {
                patch: 4,
                tokens: 3,
                hidden: 6,
                modes: 2,
                layers: 2,
                outputs: 9,
                readout,
                ssm,
                levels,
                init: Init::Lin,
                discretization: Discretization::ZeroOrderHold,
                dt: (0.01, 0.5),
                dropout: 0.1,
            };
            let mut params = NetworkParams::<f32>::zeros(&spec);
            let held: usize = params.tensors().iter().map(|tensor| tensor.values.len()).sum();
            assert_eq!(spec.parameters(), held as u128);
        }
    }

    #[test]
    fn a_spec_names_its_model_only_where_it_is_not_s4d() {
        // As written before there were two models.
        let text = r#"{"patch":4,"tokens":3,"hidden":6,"modes":2,"layers":2,"outputs":9,"readout":"last","init":"lin","discretization":"zero_order_hold","dt":[0.01,0.5],"dropout":0.1}"#;
        let mut spec: NetworkSpec = serde_json::from_str(text).unwrap();
        assert_eq!(spec.ssm, SsmKind::S4d);
        assert_eq!(serde_json::to_string(&spec).unwrap(), text);
        spec.ssm = SsmKind::S4;
        let written = serde_json::to_string(&spec).unwrap();
        assert!(written.contains(r#""ssm":"s4""#));
        assert_eq!(serde_json::from_str::<NetworkSpec>(&written).unwrap(), spec);
    }
    #[test]
    fn a_spec_says_that_it_has_levels_only_where_it_has() {
        let text = r#"{"patch":4,"tokens":3,"hidden":6,"modes":2,"layers":2,"outputs":9,"readout":"last","init":"lin","discretization":"zero_order_hold","dt":[0.01,0.5],"dropout":0.1}"#;
        let mut spec: NetworkSpec = serde_json::from_str(text).unwrap();
        assert_eq!((&spec.levels, spec.backbone()), (&None, None));
        spec.levels = levels(&[2, 2]);
        let written = serde_json::to_string(&spec).unwrap();
        assert!(written.contains(r#""levels":{"pools":[2,2],"expand":2,"feed_forward":3}"#), "{written}");
        assert_eq!(serde_json::from_str::<NetworkSpec>(&written).unwrap(), spec);
        assert_eq!(spec.backbone().map(|backbone| backbone.len), Some(4));
        assert!(serde_json::from_str::<NetworkSpec>(&written.replace("expand", "widen")).is_err());
        spec.levels = Some(Levels { pools: vec![usize::MAX; 9], expand: usize::MAX, feed_forward: 2 });
        assert_eq!(spec.parameters(), u128::MAX);
        for pools in [vec![0], vec![2, 0], vec![usize::MAX, 2]] {
            assert_eq!(Levels { pools, expand: 2, feed_forward: 2 }.stride(), None);
        }
    }
}
