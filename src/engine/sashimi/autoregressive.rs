//! A model of quantised sequences: the distribution of every code given those before it.
//!
//! codes → embedding (H) → backbone → linear → logits. The input at t is the code at t − 1, the first input the level of
//! zero; the label at t is the code at t.

use ndarray::{Array2, ArrayView2, s};
use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::engine::block::{into_rows, sequences};
use crate::engine::embedding::{self, EmbeddingParams};
use crate::engine::linear::{self, LinearParams};
use crate::engine::param::Tensor;
use crate::engine::real::Real;
use crate::engine::sashimi::backbone::{SashimiCache, SashimiParams, SashimiPlan};
use crate::engine::sashimi::spec::SashimiSpec;
use crate::engine::sashimi::step::{StepState, Stepper};

/// Shape of a model, as it also stands in model files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AutoregressiveSpec {
    /// Different codes; 256 for 8 bits.
    pub codes: usize,
    /// Shape of the backbone.
    pub backbone: SashimiSpec,
}

impl AutoregressiveSpec {
    /// What stands before the first code: the level of zero (128 of 256), as the middle of the codes decodes to zero.
    pub fn first_input(&self) -> u16 {
        u16::try_from(self.codes / 2).expect("codes are 16 bits wide")
    }

    /// Inputs (batch, L) that belong to the labels `codes` (batch, L): all one position later.
    pub fn inputs(&self, codes: ArrayView2<u16>) -> Array2<u16> {
        let mut inputs = Array2::from_elem(codes.dim(), self.first_input());
        inputs.slice_mut(s![.., 1..]).assign(&codes.slice(s![.., ..codes.ncols() - 1]));
        inputs
    }

    /// Number of parameters without allocating any; absurd sizes give `u128::MAX`.
    pub fn parameters(&self) -> u128 {
        let (codes, width) = (self.codes as u128, self.backbone.width as u128);
        self.backbone.parameters().saturating_add((2 * width + 1).saturating_mul(codes))
    }
}

/// Parameters of a model.
#[derive(Clone, Debug)]
pub struct AutoregressiveParams<F> {
    /// A vector per code (codes, H).
    pub embedding: EmbeddingParams<F>,
    /// Backbone.
    pub backbone: SashimiParams<F>,
    /// Logits (codes, H).
    pub head: LinearParams<F>,
}

impl<F: Real> AutoregressiveParams<F> {
    /// All zeros, for gradients.
    pub fn zeros(spec: &AutoregressiveSpec) -> AutoregressiveParams<F> {
        AutoregressiveParams {
            embedding: EmbeddingParams::zeros(spec.codes, spec.backbone.width),
            backbone: SashimiParams::zeros(&spec.backbone),
            head: LinearParams::zeros(spec.backbone.width, spec.codes),
        }
    }

    /// Named tensors, always in the same order.
    pub fn tensors(&mut self) -> Vec<Tensor<'_, F>> {
        let mut tensors = self.embedding.tensors("embedding.");
        tensors.extend(self.backbone.tensors("backbone."));
        tensors.extend(self.head.tensors("head."));
        tensors
    }
}

/// Gradient of a model over one batch slice.
pub struct AutoregressiveGradient<F> {
    /// Of the parameters; the state-space part holds D only until [`Autoregressive::finish`].
    pub params: AutoregressiveParams<F>,
    /// Of the kernels, in the order of [`Autoregressive::kernels`].
    pub kernels: Vec<Array2<F>>,
}

impl<F: Real> AutoregressiveGradient<F> {
    /// Adds another slice's gradient.
    pub fn add(&mut self, other: &mut AutoregressiveGradient<F>) {
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

/// What backward needs of one forward pass.
pub struct AutoregressiveCache<F> {
    inputs: Array2<u16>,
    backbone: SashimiCache<F>,
    /// Input of the head (batch · L, H).
    read: Array2<F>,
}

/// A model: shape, parameters and how to compute.
#[derive(Clone)]
pub struct Autoregressive<F: Real> {
    /// Shape.
    pub spec: AutoregressiveSpec,
    /// Parameters.
    pub params: AutoregressiveParams<F>,
    plan: SashimiPlan<F>,
}

impl<F: Real> Autoregressive<F> {
    /// A model whose head is zero: it starts by holding every code for equally likely.
    ///
    /// # Panics
    /// As [`SashimiPlan::new`].
    pub fn init(spec: AutoregressiveSpec, rng: &mut impl Rng) -> Autoregressive<F> {
        let params = AutoregressiveParams {
            embedding: EmbeddingParams::init(spec.codes, spec.backbone.width, rng),
            backbone: SashimiParams::init(&spec.backbone, rng),
            head: LinearParams::zeros(spec.backbone.width, spec.codes),
        };
        Autoregressive::new(spec, params)
    }

    /// A model with given parameters, whose shapes must be those of `spec`.
    ///
    /// # Panics
    /// As [`SashimiPlan::new`].
    pub fn new(spec: AutoregressiveSpec, params: AutoregressiveParams<F>) -> Autoregressive<F> {
        let plan = SashimiPlan::new(spec.backbone.clone());
        Autoregressive { spec, params, plan }
    }

    /// Kernels (L of the level, H of the level) of all state-space models, for one state of the parameters.
    pub fn kernels(&self) -> Vec<Array2<F>> {
        self.plan.kernels(&self.params.backbone)
    }

    /// A gradient of all zeros.
    pub fn zero_gradient(&self) -> AutoregressiveGradient<F> {
        AutoregressiveGradient {
            params: AutoregressiveParams::zeros(&self.spec),
            kernels: self.plan.zero_kernels(),
        }
    }

    /// Logits (batch · L, codes) of inputs (batch, L), which [`AutoregressiveSpec::inputs`] makes of codes.
    ///
    /// `rng` draws the dropout masks while training; without it nothing is dropped.
    pub fn forward(
        &self,
        kernels: &[Array2<F>],
        inputs: Array2<u16>,
        rng: Option<&mut impl Rng>,
    ) -> (Array2<F>, AutoregressiveCache<F>) {
        let x = embedding::forward(&self.params.embedding, inputs.view());
        let (read, backbone) = self.plan.forward(&self.params.backbone, kernels, x, rng);
        let read = into_rows(read);
        let logits = linear::forward(&self.params.head, read.view());
        (logits, AutoregressiveCache { inputs, backbone, read })
    }

    // Each line of forward has its transpose here, in reverse order.

    /// Adds the gradient of one slice to `grad`, given dlogits (batch · L, codes).
    pub fn backward(
        &self,
        kernels: &[Array2<F>],
        cache: &AutoregressiveCache<F>,
        d_logits: ArrayView2<F>,
        grad: &mut AutoregressiveGradient<F>,
    ) {
        linear::accumulate(cache.read.view(), d_logits, &mut grad.params.head);
        let d_read = linear::input_gradient(&self.params.head, d_logits);
        let d_read = sequences(d_read, cache.inputs.nrows());
        let (params, dk) = (&mut grad.params.backbone, &mut grad.kernels);
        let dx = self.plan.backward(&self.params.backbone, kernels, &cache.backbone, d_read, params, dk);
        embedding::accumulate(cache.inputs.view(), dx.view(), &mut grad.params.embedding);
    }

    /// Pulls the summed kernel gradients back to the state-space parameters.
    pub fn finish(&self, grad: &mut AutoregressiveGradient<F>) {
        self.plan.finish(&self.params.backbone, &grad.kernels, &mut grad.params.backbone);
    }

    /// The model one code at a time.
    pub fn stepper(&self) -> AutoregressiveStepper<'_, F> {
        AutoregressiveStepper {
            backbone: Stepper::new(&self.spec.backbone, &self.params.backbone),
            spec: &self.spec,
            params: &self.params,
        }
    }
}

/// A model with its state-space models discretised.
pub struct AutoregressiveStepper<'a, F> {
    /// Shape.
    pub spec: &'a AutoregressiveSpec,
    params: &'a AutoregressiveParams<F>,
    backbone: Stepper<'a, F>,
}

impl<F: Real> AutoregressiveStepper<'_, F> {
    /// The state before the first input of `batch` sequences.
    pub fn start(&self, batch: usize) -> StepState<F> {
        self.backbone.start(batch)
    }

    /// Logits (batch, codes) after the next inputs (batch), the first of which is [`AutoregressiveSpec::first_input`].
    pub fn step(&self, state: &mut StepState<F>, inputs: &[u16]) -> Array2<F> {
        let inputs = ArrayView2::from_shape((inputs.len(), 1), inputs).expect("one column");
        let x = into_rows(embedding::forward(&self.params.embedding, inputs));
        linear::forward(&self.params.head, self.backbone.step(state, x.view()).view())
    }
}
