//! Training of the member that reads observations: batches in fixed slices, early stopping, recovery from divergence.
//!
//! It keeps no checkpoint: a fit that was stopped begins this part anew, with the same result.

use ndarray::Array1;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::engine::loss::Loss;
use crate::engine::network::NetworkParams;
use crate::engine::optim::{self, AdamW, Group, Rates, Schedule};
use crate::model::control::{Conditions, Stopped};
use crate::model::ensemble::Ensemble;
use crate::model::events::batch::{Batch, Queries};
use crate::model::events::member::{EventMember, to_outputs};
use crate::model::exam::Terms;
use crate::model::member::SLICE;
use crate::model::report::{Progress, Unit};
use crate::model::spec::{ModelSpec, Point};
use crate::model::train::{CLIP, EMA_DECAY, Recipe, WARMUP, generator};
use crate::model::validation::{self, Validation};
use crate::model::windows::{Anchor, Geometry, Origins};
use crate::model::work::{Space, WorkSeries};

/// Observations that a window reads at least and at most (K).
const CONTEXT: (usize, usize) = (48, 192);

/// Trials after a divergence, each at a third of the learning rate before.
const RETRIES: usize = 2;

/// Windows that the first guess is taken from.
const GUESS_WINDOWS: usize = 512;

/// A group as the member sees it.
pub struct Teacher<'a> {
    /// Series in work space, with events.
    pub work: &'a [WorkSeries],
    /// Work space.
    pub space: Space,
    /// Horizon, season length, which error counts.
    pub terms: Terms,
    /// Levels, seed.
    pub spec: &'a ModelSpec,
    /// Weight of each series in the loss, mean 1.
    pub weights: &'a [f32],
    /// Last steps of each series that training may not see.
    pub held: usize,
    /// Deadline, stop, progress.
    pub conditions: &'a Conditions<'a>,
    /// What is going on, for the progress.
    pub label: &'static str,
}

/// A trained member and how it came about.
#[derive(Clone)]
pub struct Taught {
    /// With averaged weights.
    pub member: EventMember,
    /// Optimiser steps that it has learnt for.
    pub steps: usize,
    /// Optimiser steps done.
    pub steps_tried: usize,
    /// Steps of the learning-rate schedule.
    pub schedule: usize,
    /// What went wrong on the way, one line each.
    pub notes: Vec<String>,
    /// Whether time ran out.
    pub is_cut: bool,
}

/// Weights that are trained, their average, moments.
struct State {
    member: EventMember,
    averaged: EventMember,
    optimizer: AdamW<f32>,
    step: usize,
}

impl State {
    fn new(mut member: EventMember) -> State {
        let sizes: Vec<usize> =
            member.network.params.tensors().iter().map(|tensor| tensor.values.len()).collect();
        State { averaged: member.clone(), member, optimizer: AdamW::new(&sizes), step: 0 }
    }
}

impl Teacher<'_> {
    /// Trains and keeps the averaged weights of the step that did best on the validation origins; the last one where there
    /// are none. `None` where there is nothing to learn from, or training diverged at every rate.
    ///
    /// # Errors
    /// If the fit is to stop.
    pub fn explore(&self, recipe: &Recipe, validation: &Validation) -> Result<Option<Taught>, Stopped> {
        self.learn(recipe, recipe.steps, Some(validation))
    }

    /// Trains for the steps that exploration found best, of the same schedule.
    ///
    /// # Errors
    /// If the fit is to stop.
    pub fn repeat(&self, recipe: &Recipe, explored: &Taught) -> Result<Option<Taught>, Stopped> {
        self.learn(&Recipe { steps: explored.schedule, ..*recipe }, explored.steps, None)
    }

    fn learn(
        &self,
        recipe: &Recipe,
        steps: usize,
        validation: Option<&Validation>,
    ) -> Result<Option<Taught>, Stopped> {
        let (horizon, levels) = (self.terms.horizon, self.spec.quantile_levels());
        let seed = self.spec.seed().wrapping_add(SEED);
        let geometry = Geometry { lookback: 1, horizon, anchor: Anchor::Mean(1) };
        let origins = Origins::new(self.work, &geometry, self.held);
        if origins.count() == 0 {
            return Ok(None);
        }
        let shape = (self.context(), horizon);
        let mut rng = generator(seed, 0, usize::from(u16::MAX));
        let guess = origins.sample(GUESS_WINDOWS, &mut rng);
        let start = EventMember::fresh(shape, levels, &gather(self.work, shape, &guess), seed);
        let loss = match self.spec.point() {
            Point::Median => Loss::Pinball { levels: levels.to_vec() },
            Point::Mean => Loss::PinballAroundMean { levels: levels.to_vec() },
        };
        let judge =
            |member: &EventMember| validation.map_or(0.0, |validation| self.error(member, validation));
        let mut best = (judge(&start), 0, start.clone());
        let (mut state, mut recipe, mut notes) = (State::new(start.clone()), *recipe, Vec::new());
        let mut is_cut = false;
        while state.step < steps {
            if self.conditions.is_stopped() {
                return Err(Stopped);
            }
            if !self.advance(&mut state, &recipe, &origins, &loss, seed) {
                let step = state.step;
                notes.push(format!(
                    "training on observations diverged at step {step}; trying again at a third of the learning rate"
                ));
                if notes.len() > RETRIES {
                    return Ok(None);
                }
                recipe.slow_down();
                state = State::new(start.clone());
                continue;
            }
            (self.conditions.watch)(Progress::of(self.label, state.step, steps, Unit::Steps));
            let is_due = state.step.is_multiple_of(recipe.evaluate_every) || state.step == recipe.steps;
            if let Some(validation) = validation.filter(|_| is_due) {
                let error = judge(&state.averaged);
                tracing::debug!(step = state.step, error, "observations");
                if error < best.0 || validation.is_empty() {
                    best = (error, state.step, state.averaged.clone());
                }
                if state.step >= best.1 + recipe.patience * recipe.evaluate_every {
                    break;
                }
            }
            if self.conditions.is_over() {
                is_cut = true;
                break;
            }
        }
        let (steps_tried, schedule) = (state.step, recipe.steps);
        let (member, steps) = match validation {
            Some(_) => (best.2, best.1),
            None => (state.averaged, state.step),
        };
        Ok(Some(Taught { member, steps, steps_tried, schedule, notes, is_cut }))
    }

    /// Observations of a window: those of three seasons or horizons, whichever is longer.
    fn context(&self) -> usize {
        let mut rates: Vec<f64> = self.work.iter().map(|work| work.events.rate(work.steps())).collect();
        rates.sort_by(f64::total_cmp);
        let steps = 3 * self.terms.season.max(self.terms.horizon);
        ((rates[rates.len() / 2] * steps as f64).ceil() as usize).clamp(CONTEXT.0, CONTEXT.1)
    }

    fn error(&self, member: &EventMember, validation: &Validation) -> f64 {
        let levels = self.spec.quantile_levels();
        let ensemble =
            Ensemble::counted(self.space, Vec::new(), 0, Some((member.clone(), 1)), self.terms, levels);
        validation::mean(&validation.relative(&ensemble, self.work))
    }

    /// One step; false if the loss is no number, and then nothing has changed.
    fn advance(&self, state: &mut State, recipe: &Recipe, origins: &Origins, loss: &Loss, seed: u64) -> bool {
        let State { member, averaged, optimizer, step } = state;
        let mut rng = generator(seed, *step, 0);
        let windows: Vec<(usize, usize)> = (0..recipe.batch).map(|_| origins.draw(&mut rng)).collect();
        let lesson = (self.work, self.weights);
        let slices: Vec<(NetworkParams<f32>, f64, usize)> = windows
            .par_chunks(SLICE)
            .enumerate()
            .map(|(slice, windows)| {
                slice_gradient(lesson, member, windows, loss, &mut generator(seed, *step, slice + 1))
            })
            .collect();
        let count: usize = slices.iter().map(|(_, _, count)| count).sum();
        if slices.iter().any(|(_, loss, _)| !loss.is_finite()) {
            return false;
        }
        let mut slices = slices.into_iter().map(|(gradient, ..)| gradient);
        let mut gradient = slices.next().expect("a batch has at least one slice");
        for mut other in slices {
            for (sum, part) in gradient.tensors().into_iter().zip(other.tensors()) {
                sum.values.iter_mut().zip(&*part.values).for_each(|(sum, part)| *sum += part);
            }
        }
        let scale = (2.0 / (count * self.spec.quantile_levels().len()).max(1) as f64) as f32;
        let mut grads: Vec<&mut [f32]> = gradient.tensors().into_iter().map(|tensor| tensor.values).collect();
        grads.iter_mut().flat_map(|slice| slice.iter_mut()).for_each(|value| *value *= scale);
        optim::clip_global_norm(&mut grads, CLIP);
        let grads: Vec<&[f32]> = grads.iter().map(|slice| &**slice).collect();
        let &Recipe { learning_rate, ssm_learning_rate, weight_decay, .. } = recipe;
        let rates = Rates { learning_rate, ssm_learning_rate, weight_decay };
        let groups: Vec<Group> =
            member.network.params.tensors().iter().map(|tensor| rates.group(tensor.kind)).collect();
        let schedule = Schedule { warmup: WARMUP, total: recipe.steps };
        let mut values: Vec<&mut [f32]> =
            member.network.params.tensors().into_iter().map(|tensor| tensor.values).collect();
        optimizer.step(&mut values, &grads, &groups, schedule.multiplier(*step));
        let mut means: Vec<&mut [f32]> =
            averaged.network.params.tensors().into_iter().map(|tensor| tensor.values).collect();
        optim::average(&mut means, &values, optim::ema_decay(*step, EMA_DECAY));
        *step += 1;
        true
    }
}

/// Windows (series index, origin) with the observations that came.
fn gather(work: &[WorkSeries], shape: (usize, usize), windows: &[(usize, usize)]) -> Batch {
    let series: Vec<&WorkSeries> = windows.iter().map(|&(index, _)| &work[index]).collect();
    let origins: Vec<usize> = windows.iter().map(|&(_, origin)| origin).collect();
    Batch::gather(shape, &series, &origins, Queries::Observed)
}

/// Gradient of the summed loss of one slice of windows, the loss, and the number of targets.
fn slice_gradient(
    lesson: (&[WorkSeries], &[f32]),
    member: &EventMember,
    windows: &[(usize, usize)],
    loss: &Loss,
    rng: &mut ChaCha8Rng,
) -> (NetworkParams<f32>, f64, usize) {
    let mut batch = gather(lesson.0, (member.context, member.horizon), windows);
    // Windows with too few observations have no level, and so no loss.
    for (mut row, level) in batch.targets.outer_iter_mut().zip(&mut batch.levels) {
        if level.is_nan() {
            row.fill(f32::NAN);
            *level = 0.0;
        }
    }
    let weights: Array1<f32> = windows.iter().map(|&(index, _)| lesson.1[index]).collect();
    let (forecast, cache) = member.forward(&batch, Some(rng));
    let mut gradient = forecast.clone();
    let value =
        loss.value_and_gradient(forecast.view(), batch.targets.view(), weights.view(), gradient.view_mut());
    let d_out = to_outputs(&batch, gradient);
    let mut grad = NetworkParams::zeros(&member.network.spec);
    member.network.backward(batch.gaps.view(), &cache, d_out.view(), &mut grad);
    let count = batch.targets.iter().filter(|target| !target.is_nan()).count();
    (grad, value, count)
}

/// Added to the seed of the settings, so that no network of a map draws the same numbers.
const SEED: u64 = 1 << 32;
