//! A training run between two steps, and the step.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::engine::activation::dropout_factors;
use crate::engine::optim::{self, AdamW, Group, Rates};
use crate::sequence::backbone::{Backbone, Ports, Weights};
use crate::sequence::data::{self, Batch, Data, Part};
use crate::sequence::score::{Score, Scorer};
use crate::sequence::spec::{Recipe, SequenceSpec};
use crate::sequence::words::Task;

/// A random generator for one purpose of a run: drawing with one leaves the others as they are.
pub fn generator(seed: u64, purpose: u64, index: usize) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(purpose << 48 | index as u64);
    rng
}

/// Purposes of random numbers.
pub const WEIGHTS: u64 = 0;
pub const ORDER: u64 = 1;
pub const BATCH: u64 = 2;
pub const VALID: u64 = 3;
pub const DROPOUT: u64 = 6;

/// All that the next step depends on.
pub struct State {
    /// What is trained.
    pub weights: Weights,
    /// Its running average: what is judged and kept.
    pub averaged: Weights,
    /// Moments of every weight.
    pub optimizer: AdamW<f32>,
    /// Steps done.
    pub step: usize,
}

/// A network at its task, with the memory of a step.
pub struct Learner<'a> {
    spec: &'a SequenceSpec,
    data: &'a Data,
    ports: Ports,
    scorer: Scorer,
    backbone: Backbone,
    /// To start from.
    weights: Weights,
    groups: Vec<Group>,
    grad: Weights,
    batch: Batch,
    /// Factors of the blocks' branches (sequences of the batch, layers, H); empty without dropout.
    dropout: Vec<f32>,
    out: Vec<f32>,
}

impl<'a> Learner<'a> {
    /// A network for some data.
    pub fn new(spec: &'a SequenceSpec, data: &'a Data) -> Learner<'a> {
        let task = spec.task;
        let ports = Ports {
            len: data.len,
            patch: data::patch(task, data.classes),
            reads_codes: task == Task::Generate,
            outputs: data::outputs(task, data.classes),
        };
        let mut rng = generator(spec.recipe.seed, WEIGHTS, 0);
        let (backbone, weights) = Backbone::new(&spec.architecture, ports, spec.recipe.batch, &mut rng);
        let mut grad = Weights::zeros(&spec.architecture, ports);
        let Recipe { learning_rate, ssm_learning_rate, weight_decay, .. } = spec.recipe;
        let rates = Rates { learning_rate, ssm_learning_rate, weight_decay };
        let groups = grad.tensors().iter().map(|tensor| rates.group(tensor.kind)).collect();
        let scorer = Scorer {
            task,
            readout: spec.architecture.readout,
            len: ports.len,
            outputs: ports.outputs,
            lead: 0,
        };
        let out = vec![0.0; spec.recipe.batch * ports.len * ports.outputs];
        let (batch, dropout) = (Batch::new(), Vec::new());
        Learner { spec, data, ports, scorer, backbone, weights, groups, grad, batch, dropout, out }
    }

    /// The start.
    pub fn start(&self) -> State {
        let mut weights = self.weights.clone();
        let sizes: Vec<usize> = weights.values().iter().map(|values| values.len()).collect();
        State { averaged: weights.clone(), weights, optimizer: AdamW::new(&sizes), step: 0 }
    }

    /// Weights of the right shapes, all zero.
    pub fn zeros(&self) -> Weights {
        Weights::zeros(&self.spec.architecture, self.ports)
    }

    /// Trains on some sequences; rates are multiplied by `multiplier`. `offset` moves windows of a stream.
    pub fn advance(&mut self, state: &mut State, indices: &[usize], offset: usize, multiplier: f64) -> Score {
        let Learner { spec, data, scorer, backbone, groups, grad, batch, dropout, .. } = self;
        let mut rng = generator(spec.recipe.seed, BATCH, state.step);
        data.fill(spec.task, &data.train, indices, (spec.recipe.shift, offset), &mut rng, batch);
        draw_dropout(spec, state.step, indices.len(), dropout);
        grad.values().into_iter().for_each(|values| values.fill(0.0));
        let weight = (1.0 / (scorer.per_sequence(batch) * indices.len() as f64)) as f32;
        let mut score = Score::default();
        let mut loss = |first: usize, out: &[f32], dout: &mut [f32]| {
            score = score.and(scorer.score(batch, first, out, weight, Some(dout)));
        };
        backbone.gradient(&state.weights, &batch.tokens, dropout, &mut loss, grad);
        let mut grads = grad.values();
        optim::clip_global_norm(&mut grads, spec.recipe.clip);
        let grads: Vec<&[f32]> = grads.iter().map(|values| &**values).collect();
        let mut weights = state.weights.values();
        state.optimizer.step(&mut weights, &grads, groups, multiplier);
        let decay = optim::ema_decay(state.step, spec.recipe.average);
        optim::average(&mut state.averaged.values(), &weights, decay);
        state.step += 1;
        score
    }

    /// Score of some weights on all sequences of a part. What is hidden for reconstruction is the same every time.
    pub fn score(&mut self, weights: &Weights, part: &Part) -> Score {
        let Learner { spec, data, scorer, backbone, batch, out, .. } = self;
        let scorer = Scorer { lead: part.lead, ..*scorer };
        let all: Vec<usize> = (0..part.starts.len()).collect();
        let mut sum = Score::default();
        for (index, indices) in all.chunks(spec.recipe.batch).enumerate() {
            let mut rng = generator(spec.recipe.seed, VALID, index);
            data.fill(spec.task, part, indices, (0, 0), &mut rng, batch);
            let out = &mut out[..indices.len() * scorer.len * scorer.outputs];
            backbone.forward(weights, &batch.tokens, out);
            sum = sum.and(scorer.score(batch, 0, out, 0.0, None));
        }
        sum
    }
}

/// Factors of the blocks' branches in a step (sequences, layers, H): each sequence has random numbers of its own, so that
/// nothing else decides what is dropped.
fn draw_dropout(spec: &SequenceSpec, step: usize, sequences: usize, to: &mut Vec<f32>) {
    let (Recipe { seed, batch, dropout, .. }, architecture) = (&spec.recipe, &spec.architecture);
    to.clear();
    if *dropout > 0.0 {
        for sequence in 0..sequences {
            let mut rng = generator(*seed, DROPOUT, step * batch + sequence);
            to.extend(dropout_factors::<f32>((architecture.layers, architecture.hidden), *dropout, &mut rng));
        }
    }
}
