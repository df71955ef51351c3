//! The network of a task: outputs at every position of some sequences, and gradients.

use rand::Rng;

use crate::engine::chunked::{Chunked, Shape};
use crate::engine::network::NetworkParams;
use crate::engine::s4d::Discretization;
use crate::engine::simd::Isa;
use crate::sequence::spec::Architecture;

/// Weights, or their gradient.
pub type Weights = NetworkParams<f32>;

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
pub struct Backbone {
    shape: Shape,
    training: Chunked,
    /// Without gradients: a quarter of the memory traffic.
    scoring: Chunked,
}

impl Backbone {
    /// Memory for batches of up to `batch` sequences.
    pub fn new(architecture: &Architecture, ports: Ports, batch: usize) -> Backbone {
        let shape = Shape {
            len: ports.len,
            patch: ports.patch,
            hidden: architecture.hidden,
            ssm: architecture.ssm,
            modes: architecture.state / 2,
            layers: architecture.layers,
            outputs: ports.outputs,
            placement: architecture.placement(),
            discretization: Discretization::ZeroOrderHold,
            reads_codes: ports.reads_codes,
        };
        let isa = Isa::detect();
        let network = |training| Chunked::new(shape.clone(), batch, training, isa);
        Backbone { training: network(true), scoring: network(false), shape }
    }

    /// Weights to start from.
    pub fn init(&self, architecture: &Architecture, rng: &mut impl Rng) -> Weights {
        self.shape.init(architecture.init, architecture.dt, rng)
    }

    /// All zeros.
    pub fn zeros(&self) -> Weights {
        self.shape.zeros()
    }

    /// Adds to `grad` the gradient of a loss that is asked slice by slice: (first sequence, outputs, their gradient).
    pub fn gradient(
        &mut self,
        weights: &Weights,
        tokens: &[f32],
        loss: &mut dyn FnMut(usize, &[f32], &mut [f32]),
        grad: &mut Weights,
    ) {
        self.training.gradient(weights, tokens, loss, grad);
    }

    /// Outputs (sequences, L, outputs).
    pub fn forward(&mut self, weights: &Weights, tokens: &[f32], out: &mut [f32]) {
        self.scoring.forward(weights, tokens, out);
    }
}
