//! Shape of a chunked network.

use rand::Rng;

use crate::engine::block::{BlockParams, Placement};
use crate::engine::body::{BodyParams, StackParams};
use crate::engine::chunked::tables;
use crate::engine::linear::LinearParams;
use crate::engine::network::NetworkParams;
use crate::engine::norm::NormParams;
use crate::engine::real::Real;
use crate::engine::reverse::Reverse;
use crate::engine::s4d::{Discretization, Init};
use crate::engine::ssm::{SsmKind, SsmParams};

/// Width of a chunked network has to be a multiple of this: the lanes of the widest registers.
pub const WIDTH: usize = 16;

/// Shape of a network that reads and answers at every position.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// Positions of a sequence (L).
    pub len: usize,
    /// Values per position (P); with `reads_codes`, number of codes.
    pub patch: usize,
    /// Whether a token is one code, a whole number below P, whose column of the encoder's W is read: the map of a token that
    /// is one there and zero elsewhere.
    pub reads_codes: bool,
    /// Width (H), a multiple of 16.
    pub hidden: usize,
    /// State-space model of the blocks.
    pub ssm: SsmKind,
    /// Whether every position sees those after it, too: blocks have a second direction.
    pub bidirectional: bool,
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
    /// Parameters to start from, drawn as PyTorch's `Linear` and the S4D paper do; dt lies in the given range.
    pub fn init(&self, init: Init, dt: (f64, f64), rng: &mut impl Rng) -> NetworkParams<f32> {
        let h = self.hidden;
        NetworkParams {
            encoder: LinearParams::init(self.patch, h, rng),
            body: BodyParams::Stack(StackParams {
                blocks: (0..self.layers)
                    .map(|_| {
                        let norm = NormParams::init(h);
                        let ssm = SsmParams::init(self.ssm, h, self.modes, self.len, init, dt, rng);
                        let mix = LinearParams::init(h, 2 * h, rng);
                        let reverse = self.bidirectional.then(|| Reverse::init(&ssm, rng));
                        BlockParams { norm, ssm, reverse, mix }
                    })
                    .collect(),
                norm: NormParams::init(h),
            }),
            head: LinearParams::init(h, self.outputs, rng),
        }
    }

    /// All zeros, for gradients.
    pub fn zeros<F: Real>(&self) -> NetworkParams<F> {
        NetworkParams {
            encoder: LinearParams::zeros(self.patch, self.hidden),
            body: BodyParams::Stack(StackParams {
                blocks: (0..self.layers)
                    .map(|_| BlockParams {
                        reverse: self.bidirectional.then(|| Reverse::zeros(self.hidden, self.modes)),
                        ..BlockParams::zeros_of(self.ssm, self.hidden, self.modes, self.len)
                    })
                    .collect(),
                norm: NormParams::zeros(self.hidden),
            }),
            head: LinearParams::zeros(self.hidden, self.outputs),
        }
    }

    /// Numbers of the state of one channel that is handed from chunk to chunk: none where there are no chunks.
    pub(super) fn columns(&self) -> usize {
        if self.is_long() { 0 } else { tables::columns(self.modes) }
    }

    /// Whether state-space layers are computed as long convolutions: S4 has no diagonal state, and a second direction none
    /// that goes from chunk to chunk.
    pub(super) fn is_long(&self) -> bool {
        self.ssm == SsmKind::S4 || self.bidirectional
    }

    /// Floats of a token.
    pub(super) fn token(&self) -> usize {
        if self.reads_codes { 1 } else { self.patch }
    }

    /// Floats of a sequence of tokens and of outputs.
    pub(super) fn row_sizes(&self) -> [usize; 2] {
        [self.len * self.token(), self.len * self.outputs]
    }

    /// Whether a norm stands between the residual sum and what is added next.
    pub(super) fn pre(&self) -> bool {
        self.placement == Placement::Pre
    }

    /// The norm of the sum that leaves a block.
    pub(super) fn norm_after<'a>(&self, params: &'a NetworkParams<f32>, layer: usize) -> &'a NormParams<f32> {
        match self.placement {
            Placement::Pre if layer + 1 == self.layers => &params.stack().norm,
            Placement::Pre => &params.stack().blocks[layer + 1].norm,
            _ => &params.stack().blocks[layer].norm,
        }
    }

    /// [`Shape::norm_after`] of a gradient.
    pub(super) fn norm_after_mut<'a>(
        &self,
        params: &'a mut NetworkParams<f32>,
        layer: usize,
    ) -> &'a mut NormParams<f32> {
        match self.placement {
            Placement::Pre if layer + 1 == self.layers => &mut params.stack_mut().norm,
            Placement::Pre => &mut params.stack_mut().blocks[layer + 1].norm,
            _ => &mut params.stack_mut().blocks[layer].norm,
        }
    }

    /// The norm before the first block of a gradient, if there is one.
    pub(super) fn first_norm_mut<'a>(
        &self,
        params: &'a mut NetworkParams<f32>,
    ) -> Option<&'a mut NormParams<f32>> {
        if self.pre() { Some(&mut params.stack_mut().blocks[0].norm) } else { None }
    }
}
