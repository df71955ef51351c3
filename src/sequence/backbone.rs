//! The network of a task: outputs at every position of some sequences, and gradients.

use ndarray::{Array2, ArrayView2};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::engine::chunked::{Chunked, Shape};
use crate::engine::network::NetworkParams;
use crate::engine::param::Tensor;
use crate::engine::s4d::Discretization;
use crate::engine::sashimi::autoregressive::{
    Autoregressive, AutoregressiveCache, AutoregressiveParams, AutoregressiveSpec,
};
use crate::engine::sashimi::spec::SashimiSpec;
use crate::engine::simd::Isa;
use crate::sequence::spec::Architecture;
use crate::sequence::words::Arrangement;

/// Weights of a network, or their gradient.
#[derive(Clone, Debug)]
pub enum Weights {
    /// Blocks in a row.
    Stack(NetworkParams<f32>),
    /// SaShiMi.
    Sashimi(AutoregressiveParams<f32>),
}

impl Weights {
    /// All zeros.
    pub fn zeros(architecture: &Architecture, ports: Ports) -> Weights {
        match architecture.backbone {
            Arrangement::Stack => Weights::Stack(shape(architecture, ports).zeros()),
            Arrangement::Sashimi => {
                let spec = sashimi_spec(architecture, ports.patch, ports.len);
                Weights::Sashimi(AutoregressiveParams::zeros(&spec))
            }
        }
    }

    /// Named tensors, always in the same order.
    pub fn tensors(&mut self) -> Vec<Tensor<'_, f32>> {
        match self {
            Weights::Stack(params) => params.tensors(),
            Weights::Sashimi(params) => params.tensors(),
        }
    }

    /// Values of all tensors.
    pub fn values(&mut self) -> Vec<&mut [f32]> {
        self.tensors().into_iter().map(|tensor| tensor.values).collect()
    }
}

/// What a network reads and answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// Positions of a sequence (L).
    pub len: usize,
    /// Values per position (P), or number of codes.
    pub patch: usize,
    /// Whether a position is a code, of which the encoder is a table.
    pub reads_codes: bool,
    /// Outputs per position.
    pub outputs: usize,
}

/// A network with its memory.
pub enum Backbone {
    /// Blocks in a row.
    Stack {
        /// Computes gradients.
        training: Box<Chunked>,
        /// Without gradients: a quarter of the memory traffic.
        scoring: Box<Chunked>,
    },
    /// SaShiMi; its weights are those of the last call.
    Sashimi(Box<Autoregressive<f32>>),
}

/// Loss of a slice: (first sequence, outputs, their gradient to be filled).
pub type Loss<'a> = dyn FnMut(usize, &[f32], &mut [f32]) + 'a;

/// Sequences of a slice of SaShiMi: slices run at once and are added up in their order.
const SLICE: usize = 2;

/// The shape of blocks in a row.
pub fn shape(architecture: &Architecture, ports: Ports) -> Shape {
    Shape {
        len: ports.len,
        patch: ports.patch,
        reads_codes: ports.reads_codes,
        hidden: architecture.hidden,
        ssm: architecture.ssm,
        bidirectional: architecture.bidirectional,
        modes: architecture.state / 2,
        layers: architecture.layers,
        outputs: ports.outputs,
        placement: architecture.placement(),
        discretization: Discretization::ZeroOrderHold,
    }
}

/// The shape of SaShiMi for sequences of that length.
pub fn sashimi_spec(architecture: &Architecture, codes: usize, len: usize) -> AutoregressiveSpec {
    AutoregressiveSpec {
        codes,
        backbone: SashimiSpec {
            len,
            width: architecture.hidden,
            pools: architecture.pools.clone(),
            expand: architecture.expand,
            layers: architecture.layers,
            feed_forward: architecture.feed_forward,
            modes: architecture.state / 2,
            ssm: architecture.ssm,
            init: architecture.init,
            discretization: Discretization::ZeroOrderHold,
            dt: architecture.dt,
            dropout: 0.0,
        },
    }
}

impl Backbone {
    /// Memory for batches of up to `batch` sequences; weights to start from are drawn from `rng`.
    pub fn new(
        architecture: &Architecture,
        ports: Ports,
        batch: usize,
        rng: &mut impl Rng,
    ) -> (Backbone, Weights) {
        match architecture.backbone {
            Arrangement::Stack => {
                let shape = shape(architecture, ports);
                let isa = Isa::detect();
                let network = |training| Box::new(Chunked::new(shape.clone(), batch, training, isa));
                let weights = shape.init(architecture.init, architecture.dt, rng);
                let (training, scoring) = (network(true), network(false));
                (Backbone::Stack { training, scoring }, Weights::Stack(weights))
            }
            Arrangement::Sashimi => {
                let model = Autoregressive::init(sashimi_spec(architecture, ports.patch, ports.len), rng);
                let weights = Weights::Sashimi(model.params.clone());
                (Backbone::Sashimi(Box::new(model)), weights)
            }
        }
    }

    /// Adds to `grad` the gradient of a loss that is asked slice by slice. `dropout` holds factors of blocks in a row
    /// (sequences, layers, H), or nothing.
    pub fn gradient(
        &mut self,
        weights: &Weights,
        tokens: &[f32],
        dropout: &[f32],
        loss: &mut Loss,
        grad: &mut Weights,
    ) {
        match (self, weights, grad) {
            (Backbone::Stack { training, .. }, Weights::Stack(weights), Weights::Stack(grad)) => {
                training.gradient_with_dropout(weights, tokens, dropout, loss, grad);
            }
            (Backbone::Sashimi(model), Weights::Sashimi(weights), Weights::Sashimi(grad)) => {
                model.params.clone_from(weights);
                sashimi_gradient(model, tokens, loss, grad);
            }
            _ => unreachable!("weights and gradient are of the network's own kind"),
        }
    }

    /// Outputs (sequences, L, outputs).
    pub fn forward(&mut self, weights: &Weights, tokens: &[f32], out: &mut [f32]) {
        match (self, weights) {
            (Backbone::Stack { scoring, .. }, Weights::Stack(weights)) => {
                scoring.forward(weights, tokens, out)
            }
            (Backbone::Sashimi(model), Weights::Sashimi(weights)) => {
                model.params.clone_from(weights);
                let (kernels, len) = (model.kernels(), model.spec.backbone.len);
                tokens
                    .par_chunks(SLICE * len)
                    .zip(out.par_chunks_mut(SLICE * len * model.spec.codes))
                    .for_each(|(tokens, out)| {
                        let (logits, _) =
                            model.forward(&kernels, inputs(tokens, len), None::<&mut ChaCha8Rng>);
                        out.copy_from_slice(logits.as_slice().expect("standard layout"));
                    });
            }
            _ => unreachable!("weights are of the network's own kind"),
        }
    }
}

/// Codes (sequences, L) of tokens.
fn inputs(tokens: &[f32], len: usize) -> Array2<u16> {
    let codes = tokens.iter().map(|&token| token as u16).collect();
    Array2::from_shape_vec((tokens.len() / len, len), codes).expect("whole sequences")
}

/// [`Backbone::gradient`] of SaShiMi.
fn sashimi_gradient(
    model: &Autoregressive<f32>,
    tokens: &[f32],
    loss: &mut Loss,
    grad: &mut AutoregressiveParams<f32>,
) {
    let (kernels, len, codes) = (model.kernels(), model.spec.backbone.len, model.spec.codes);
    let slices: Vec<(Array2<f32>, AutoregressiveCache<f32>)> = tokens
        .par_chunks(SLICE * len)
        .map(|tokens| model.forward(&kernels, inputs(tokens, len), None::<&mut ChaCha8Rng>))
        .collect();
    let d_logits: Vec<Vec<f32>> = slices
        .iter()
        .enumerate()
        .map(|(index, (logits, _))| {
            let mut d_logits = vec![0.0; logits.len()];
            loss(index * SLICE, logits.as_slice().expect("standard layout"), &mut d_logits);
            d_logits
        })
        .collect();
    let parts: Vec<_> = slices
        .into_par_iter()
        .zip(&d_logits)
        .map(|((_, cache), d_logits)| {
            let mut part = model.zero_gradient();
            let rows = (d_logits.len() / codes, codes);
            let d_logits = ArrayView2::from_shape(rows, d_logits).expect("whole rows");
            model.backward(&kernels, &cache, d_logits, &mut part);
            part
        })
        .collect();
    let mut sum = model.zero_gradient();
    for mut part in parts {
        sum.add(&mut part);
    }
    model.finish(&mut sum);
    for (to, from) in grad.tensors().into_iter().zip(sum.params.tensors()) {
        to.values.iter_mut().zip(from.values).for_each(|(to, &mut value)| *to += value);
    }
}
