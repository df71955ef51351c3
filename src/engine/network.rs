//! Patch encoder, S4D or S4 blocks, final norm, head: parameters, cache, forward, backward.
//!
//! tokens (batch, T, P) → encoder (T, H) → blocks → norm → readout → head (rows, outputs). Kernels depend on the
//! parameters alone, so they are made once per step and shared by all batch slices; their gradients are summed over
//! the slices before [`Network::finish`] pulls them back to the parameters once.

use ndarray::{Array2, Array3, ArrayView2, ArrayView3, Axis, s};
use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::engine::activation::dropout_factors;
use crate::engine::block::{
    self, BlockCache, BlockParams, BlockPlan, Placement, Positions, into_rows, rows, sequences,
};
use crate::engine::convolution::Plan;
use crate::engine::linear::{self, LinearParams};
use crate::engine::norm::{self, NormCache, NormParams};
use crate::engine::param::{Kind, Tensor};
use crate::engine::real::Real;
use crate::engine::s4d::{Discretization, Init};
use crate::engine::ssm::{SsmKind, SsmParams};

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
    /// Width (H).
    pub hidden: usize,
    /// Stored modes per channel (N/2).
    pub modes: usize,
    /// Blocks.
    pub layers: usize,
    /// Outputs of the head per row.
    pub outputs: usize,
    /// What the head reads.
    pub readout: Readout,
    /// State-space model of every block; files from before there were two have S4D.
    #[serde(default, skip_serializing_if = "SsmKind::is_default")]
    pub ssm: SsmKind,
    /// Initialisation of A in S4D.
    pub init: Init,
    /// Discretisation of S4D.
    pub discretization: Discretization,
    /// Range of dt at initialisation.
    pub dt: (f64, f64),
    /// Dropout after GELU and before the head.
    pub dropout: f64,
}

/// Parameters of a network.
#[derive(Clone, Debug)]
pub struct NetworkParams<F> {
    /// Patch embedding (H, P).
    pub encoder: LinearParams<F>,
    /// Blocks, first to last.
    pub blocks: Vec<BlockParams<F>>,
    /// Final norm (H).
    pub norm: NormParams<F>,
    /// Head.
    pub head: LinearParams<F>,
}

/// Gradient of a network over one batch slice.
pub struct NetworkGradient<F> {
    /// Of the parameters; the SSM part holds D only until [`Network::finish`].
    pub params: NetworkParams<F>,
    /// Of the kernels (T, H), one per block.
    pub kernels: Vec<Array2<F>>,
}

/// What backward needs of one forward pass.
pub struct NetworkCache<F> {
    tokens: Array3<F>,
    blocks: Vec<BlockCache<F>>,
    norm: NormCache<F>,
    dropout: Option<Array2<F>>,
    /// Input of the head.
    read: Array2<F>,
    /// Positions that left the last block.
    positions: usize,
}

/// A network: shape, parameters and how to compute.
#[derive(Clone)]
pub struct Network<F: Real> {
    /// Shape.
    pub spec: NetworkSpec,
    /// Parameters.
    pub params: NetworkParams<F>,
    plans: Vec<BlockPlan<F>>,
}

impl<F: Real> NetworkParams<F> {
    /// All zeros, for gradients.
    pub fn zeros(spec: &NetworkSpec) -> NetworkParams<F> {
        NetworkParams {
            encoder: LinearParams::zeros(spec.patch, spec.hidden),
            blocks: (0..spec.layers)
                .map(|_| BlockParams::zeros_of(spec.ssm, spec.hidden, spec.modes, spec.tokens))
                .collect(),
            norm: NormParams::zeros(spec.hidden),
            head: LinearParams::zeros(spec.head_inputs(), spec.outputs),
        }
    }

    /// Named tensors, always in the same order.
    pub fn tensors(&mut self) -> Vec<Tensor<'_, F>> {
        let mut tensors = self.encoder.tensors("encoder.");
        for (index, block) in self.blocks.iter_mut().enumerate() {
            tensors.extend(block.tensors(&format!("block{index}.")));
        }
        tensors.extend(self.norm.tensors("norm."));
        tensors.extend(self.head.tensors("head."));
        tensors
    }
}

impl<F: Real> NetworkGradient<F> {
    /// All zeros.
    pub fn zeros(spec: &NetworkSpec) -> NetworkGradient<F> {
        NetworkGradient {
            params: NetworkParams::zeros(spec),
            kernels: vec![Array2::zeros((spec.tokens, spec.hidden)); spec.layers],
        }
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
    /// may be made.
    pub fn parameters(&self) -> u128 {
        let [patch, hidden, modes, layers, outputs] =
            [self.patch, self.hidden, self.modes, self.layers, self.outputs].map(|size| size as u128);
        let linear = |inputs: u128, outputs: u128| (inputs + 1) * outputs;
        let (norm, ssm) = (2 * hidden, self.ssm.parameters(modes) * hidden);
        let block = norm + ssm + linear(hidden, 2 * hidden);
        linear(patch, hidden) + layers * block + norm + linear(self.head_inputs() as u128, outputs)
    }

    /// Inputs of the head.
    fn head_inputs(&self) -> usize {
        match self.readout {
            Readout::Last | Readout::Suffix(_) => self.hidden,
            Readout::Flatten => self.tokens * self.hidden,
        }
    }
}

impl<F: Real> Network<F> {
    /// A network whose head is zero: it starts by saying nothing.
    pub fn init(spec: NetworkSpec, rng: &mut impl Rng) -> Network<F> {
        let NetworkSpec { hidden, modes, tokens, init, dt, .. } = spec;
        let params = NetworkParams {
            encoder: LinearParams::init(spec.patch, hidden, rng),
            blocks: (0..spec.layers)
                .map(|_| BlockParams {
                    reverse: None,
                    norm: NormParams::init(hidden),
                    ssm: SsmParams::init(spec.ssm, hidden, modes, tokens, init, dt, rng),
                    mix: LinearParams::init(hidden, 2 * hidden, rng),
                })
                .collect(),
            norm: NormParams::init(hidden),
            head: LinearParams::zeros(spec.head_inputs(), spec.outputs),
        };
        Network::new(spec, params)
    }

    /// A network with given parameters, whose shapes must be those of `spec`.
    pub fn new(spec: NetworkSpec, params: NetworkParams<F>) -> Network<F> {
        let last = spec.layers.saturating_sub(1);
        let plans = (0..spec.layers)
            .map(|layer| BlockPlan {
                placement: Placement::Pre,
                positions: if layer == last && spec.readout == Readout::Last {
                    Positions::Last
                } else {
                    Positions::All
                },
                convolution: Plan::new(spec.tokens),
            })
            .collect();
        Network { spec, params, plans }
    }

    /// Kernels (T, H) of all blocks.
    pub fn kernels(&self) -> Vec<Array2<F>> {
        let kernel =
            |block: &BlockParams<F>| block.ssm.kernel_forward(self.spec.tokens, self.spec.discretization);
        self.params.blocks.iter().map(kernel).collect()
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
        let mut x = sequences(linear::forward(&self.params.encoder, rows(tokens.view())), batch);
        let mut blocks = Vec::with_capacity(self.spec.layers);
        for ((params, plan), kernel) in self.params.blocks.iter().zip(&self.plans).zip(kernels) {
            let dropout = rng.as_deref_mut().map(|rng| (self.spec.dropout, rng));
            let (y, cache) = block::forward(params, plan, kernel.view(), x, dropout);
            x = y;
            blocks.push(cache);
        }
        let positions = x.dim().1;
        let (normed, norm) = norm::forward(&self.params.norm, read_rows(self.spec.readout, x.view()).view());
        let mut read = match self.spec.readout {
            Readout::Flatten => {
                normed.into_shape_with_order((batch, self.spec.head_inputs())).expect("standard layout")
            }
            Readout::Last | Readout::Suffix(_) => normed,
        };
        let dropout = rng.filter(|_| self.spec.dropout > 0.0).map(|rng| {
            let factors = dropout_factors(read.dim(), self.spec.dropout, rng);
            read *= &factors;
            factors
        });
        let out = linear::forward(&self.params.head, read.view());
        (out, NetworkCache { tokens, blocks, norm, dropout, read, positions })
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
        let batch = cache.tokens.dim().0;
        let d_normed = match self.spec.readout {
            Readout::Flatten => d_read
                .into_shape_with_order((batch * self.spec.tokens, self.spec.hidden))
                .expect("standard layout"),
            Readout::Last | Readout::Suffix(_) => d_read,
        };
        let d_rows = norm::backward(&self.params.norm, &cache.norm, d_normed.view(), &mut grad.params.norm);
        let mut dx = scatter_rows(self.spec.readout, d_rows, batch, cache.positions);
        for index in (0..self.spec.layers).rev() {
            dx = block::backward(
                &self.params.blocks[index],
                &self.plans[index],
                kernels[index].view(),
                &cache.blocks[index],
                dx,
                &mut grad.params.blocks[index],
                &mut grad.kernels[index],
            );
        }
        linear::accumulate(rows(cache.tokens.view()), into_rows(dx).view(), &mut grad.params.encoder);
    }

    /// Pulls the summed kernel gradients back to the state-space parameters. The B of S4D is never trained, so its
    /// gradient is set to zero and has no part in the global norm.
    pub fn finish(&self, grad: &mut NetworkGradient<F>) {
        let blocks = self.params.blocks.iter().zip(&mut grad.params.blocks);
        for ((params, grad), dk) in blocks.zip(&grad.kernels) {
            params.ssm.kernel_backward(self.spec.discretization, dk.view(), &mut grad.ssm);
            for tensor in grad.ssm.tensors("").into_iter().filter(|tensor| tensor.kind == Kind::Frozen) {
                tensor.values.fill(F::zero());
            }
        }
    }
}

/// The rows that the head reads of x (batch, positions, H).
fn read_rows<F: Real>(readout: Readout, x: ArrayView3<F>) -> Array2<F> {
    match readout {
        Readout::Last => x.index_axis(Axis(1), x.dim().1 - 1).to_owned(),
        Readout::Flatten => rows(x).to_owned(),
        Readout::Suffix(count) => {
            let start = x.dim().1 - count;
            into_rows(x.slice(s![.., start.., ..]).as_standard_layout().into_owned())
        }
    }
}

/// The transpose of [`read_rows`].
fn scatter_rows<F: Real>(readout: Readout, d_rows: Array2<F>, batch: usize, positions: usize) -> Array3<F> {
    let d_read = sequences(d_rows, batch);
    let start = match readout {
        Readout::Flatten => return d_read,
        Readout::Last => positions - 1,
        Readout::Suffix(count) => positions - count,
    };
    let mut dx = Array3::zeros((batch, positions, d_read.dim().2));
    dx.slice_mut(s![.., start.., ..]).assign(&d_read);
    dx
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_parameters_is_that_of_the_tensors() {
        for (readout, ssm) in [(Readout::Last, SsmKind::S4d), (Readout::Flatten, SsmKind::S4)] {
            let spec = NetworkSpec {
                patch: 4,
                tokens: 3,
                hidden: 6,
                modes: 2,
                layers: 2,
                outputs: 9,
                readout,
                ssm,
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
}
