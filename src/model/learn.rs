//! Training the networks of a group: step counts that fit the budget, early stopping, recovery from divergence.

use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::engine::network::Network;
use crate::model::ensemble::Ensemble;
use crate::model::member::Member;
use crate::model::plan::{MemberPlan, Shape};
use crate::model::report::Progress;
use crate::model::select::{Choice, RidgeChoice};
use crate::model::train::{self, Recipe, Task};
use crate::model::validation::{self, Validation};
use crate::model::windows::Origins;
use crate::model::work::WorkSeries;

/// Fewer steps than this teach a network nothing.
const STEPS_MIN: usize = 30;

/// Trials after a divergence, each at a third of the learning rate before.
const RETRIES: usize = 2;

/// A group as the networks see it.
pub struct Lesson<'a> {
    /// Group statistics.
    pub shape: &'a Shape,
    /// How the networks are trained.
    pub recipe: Recipe,
    /// Work space and ridge maps.
    pub choice: &'a Choice,
    /// Series in work space.
    pub work: &'a [WorkSeries],
    /// Names of the series, for messages.
    pub names: &'a [&'a str],
    /// Last steps of each series that training may not see.
    pub held: usize,
    /// Quantile levels.
    pub levels: &'a [f64],
    /// Seed of the group.
    pub seed: u64,
    /// When to be done.
    pub deadline: Option<Instant>,
    /// Hears of the progress.
    pub watch: &'a (dyn Fn(Progress) + Sync),
    /// What is going on, for the progress.
    pub label: &'static str,
}

/// A trained member and how it came about.
pub struct Learnt {
    /// With averaged weights.
    pub member: Member,
    /// Optimiser steps that the member has learnt for.
    pub steps: usize,
    /// Optimiser steps done, the later ones that early stopping threw away included.
    pub steps_tried: usize,
    /// Steps of the learning-rate schedule; fewer than planned where the budget is short.
    pub schedule: usize,
    /// What went wrong on the way, one line each.
    pub notes: Vec<String>,
    /// Whether time ran out.
    pub is_cut: bool,
}

impl Lesson<'_> {
    /// Trains a network on a ridge member and keeps the averaged weights of the step that did best on the validation
    /// origins, step 0, the ridge map itself, included.
    pub fn explore(&self, ridge: &Member, index: usize, validation: &Validation) -> Learnt {
        let mut best = (self.error(ridge, validation), 0, ridge.clone());
        let mut learnt = self.run(ridge, index, None, &mut |member, step, recipe| {
            if step % recipe.evaluate_every != 0 && step != recipe.steps {
                return true;
            }
            let error = self.error(member, validation);
            // With nothing to judge by, the last step is the best guess.
            if error < best.0 || validation.is_empty() {
                best = (error, step, member.clone());
            }
            step < best.1 + recipe.patience * recipe.evaluate_every
        });
        (learnt.member, learnt.steps) = (best.2, best.1);
        learnt
    }

    /// Trains the same network for the steps that exploration found best, of the same schedule.
    pub fn repeat(&self, ridge: &Member, index: usize, explored: &Learnt) -> Learnt {
        self.run(ridge, index, Some((explored.steps, explored.schedule)), &mut |_, _, _| true)
    }

    fn error(&self, member: &Member, validation: &Validation) -> f64 {
        let ensemble = Ensemble::equal(self.choice.space, vec![member.clone()], self.levels);
        validation::mean(&validation.relative(&ensemble, self.work))
    }

    fn run(
        &self,
        ridge: &Member,
        index: usize,
        fixed: Option<(usize, usize)>,
        checkpoint: &mut dyn FnMut(&Member, usize, &Recipe) -> bool,
    ) -> Learnt {
        let origins = Origins::new(self.work, &ridge.geometry, self.held);
        let weights = loss_weights(self.work);
        let seed = self.seed.wrapping_add(index as u64 + 1);
        let task = Task {
            series: self.work,
            origins: &origins,
            weights: &weights,
            levels: self.levels,
            trains_ridge: self.recipe.skip_learning_rate > 0.0,
            seed,
        };
        let mut recipe = self.recipe;
        let mut notes = Vec::new();
        let start = self.with_network(ridge, index, seed);
        recipe.steps = match fixed {
            Some((_, schedule)) => schedule,
            None => self.affordable(&start, &task, &recipe, index),
        };
        let steps = fixed.map_or(recipe.steps, |(steps, _)| steps);
        let mut is_cut = recipe.steps < self.recipe.steps && fixed.is_none();
        if steps < STEPS_MIN.min(self.recipe.steps) {
            let schedule = recipe.steps;
            return Learnt { member: ridge.clone(), steps: 0, steps_tried: 0, schedule, notes, is_cut };
        }
        for _ in 0..=RETRIES {
            let mut member = start.clone();
            let mut progress = |member: &Member, step: usize| {
                (self.watch)(Progress { stage: self.label, done: step, total: steps });
                is_cut |= self.is_over();
                checkpoint(member, step, &recipe) && !self.is_over()
            };
            match train::train(&mut member, &task, &recipe, steps, &mut progress) {
                Ok(steps) => {
                    return Learnt {
                        member,
                        steps,
                        steps_tried: steps,
                        schedule: recipe.steps,
                        notes,
                        is_cut,
                    };
                }
                Err(diverged) => {
                    let name = self.names[diverged.series];
                    notes.push(format!(
                        "training diverged at step {} on series {name}; trying again at a third of the learning rate",
                        diverged.step
                    ));
                    recipe.slow_down();
                }
            }
        }
        notes.push("training diverged at every rate; the ridge map serves alone".into());
        Learnt { member: ridge.clone(), steps: 0, steps_tried: 0, schedule: recipe.steps, notes, is_cut }
    }

    /// The ridge member with a fresh network whose head is zero.
    fn with_network(&self, ridge: &Member, index: usize, seed: u64) -> Member {
        let RidgeChoice { geometry, patch, .. } = self.choice.ridges[index];
        let plan = MemberPlan { lookback: geometry.lookback, patch };
        let spec = plan.network(self.shape, self.levels.len());
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        Member { network: Some(Network::init(spec, &mut rng)), ..ridge.clone() }
    }

    /// Steps that fit into this member's share of the time left, by the clock of a few trial steps.
    fn affordable(&self, start: &Member, task: &Task, recipe: &Recipe, index: usize) -> usize {
        let Some(deadline) = self.deadline else { return recipe.steps };
        let begin = Instant::now();
        let trial = train::train(&mut start.clone(), task, recipe, TRIAL_STEPS, &mut |_, _| true);
        let per_step = begin.elapsed() / TRIAL_STEPS as u32;
        // Members yet to be judged, and all members once more to serve.
        let runs = (2 * self.choice.ridges.len() - index) as u32;
        let share = deadline.saturating_duration_since(Instant::now()).mul_f64(TRAINING_SHARE) / runs;
        let steps = share.as_nanos() / per_step.max(Duration::from_nanos(1)).as_nanos();
        if trial.is_err() {
            recipe.steps
        } else {
            recipe.steps.min(usize::try_from(steps).unwrap_or(usize::MAX))
        }
    }

    fn is_over(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}

/// Share of the time left that may go into training: evaluations and the second fit of the base need some, too.
const TRAINING_SHARE: f64 = 0.75;

/// Steps that are timed.
const TRIAL_STEPS: usize = 3;

/// Weight of each series in the loss, mean 1: 1 + c / noise with c the median noise, so that neither quiet nor noisy
/// series rule.
fn loss_weights(work: &[WorkSeries]) -> Vec<f32> {
    let mut sorted: Vec<f64> = work.iter().map(|series| series.noise).collect();
    sorted.sort_by(f64::total_cmp);
    let median = sorted[sorted.len() / 2];
    let raw: Vec<f64> = work.iter().map(|series| 1.0 + median / series.noise).collect();
    let mean = raw.iter().sum::<f64>() / raw.len() as f64;
    raw.iter().map(|weight| (weight / mean) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::select::fit_ridge;
    use crate::model::windows::{Anchor, Geometry};
    use crate::model::work::Space;

    const RECIPE: Recipe = Recipe {
        steps: 40,
        batch: 8,
        learning_rate: 1e-3,
        ssm_learning_rate: 1e-3,
        skip_learning_rate: 0.0,
        weight_decay: 0.0,
        evaluate_every: 10,
        patience: 2,
    };

    /// Repeats a fitted member's network on these series: 40 steps.
    fn learn(work: &[WorkSeries], deadline: Option<Instant>) -> Learnt {
        let geometry = Geometry { lookback: 12, horizon: 3, anchor: Anchor::Mean(4) };
        let ridge = RidgeChoice { geometry, patch: 4, lambda: 0.1, is_absolute: false };
        let clean: Vec<WorkSeries> = (0..3).map(wave).collect();
        let member = fit_ridge(&clean, &ridge, 0, &[0.5], 1).expect("enough windows");
        let lesson = Lesson {
            shape: &Shape { series: 3, length: 60, season: 4, horizon: 3, weekly: false },
            recipe: RECIPE,
            choice: &Choice { space: Space::Scaled, ridges: vec![ridge] },
            work,
            names: &["a", "b", "c"],
            held: 0,
            levels: &[0.5],
            seed: 1,
            deadline,
            watch: &|_| {},
            label: "training",
        };
        let explored = Learnt {
            member: member.clone(),
            steps: 40,
            steps_tried: 40,
            schedule: 40,
            notes: vec![],
            is_cut: false,
        };
        lesson.repeat(&member, 0, &explored)
    }

    fn wave(index: usize) -> WorkSeries {
        let values: Vec<f32> = (0..60).map(|t| ((t + index) as f32 * 0.9).sin()).collect();
        WorkSeries { filled: values.clone(), target: values, noise: 1.0, unit: 1.0, level: 0.0 }
    }

    #[test]
    fn divergence_names_the_series_and_leaves_the_ridge_map() {
        let mut work: Vec<WorkSeries> = (0..3).map(wave).collect();
        work[1].filled[30] = f32::INFINITY;
        let learnt = learn(&work, None);
        assert_eq!((learnt.steps, learnt.member.network.is_none()), (0, true));
        assert_eq!(learnt.notes.len(), RETRIES + 2, "{:?}", learnt.notes);
        assert!(learnt.notes[0].contains("series b"), "{:?}", learnt.notes);
    }

    #[test]
    fn a_deadline_ends_training_with_the_weights_so_far() {
        let work: Vec<WorkSeries> = (0..3).map(wave).collect();
        let full = learn(&work, None);
        assert_eq!((full.steps, full.is_cut), (40, false));
        let cut = learn(&work, Some(Instant::now()));
        assert_eq!((cut.steps, cut.is_cut), (1, true));
        assert!(cut.member.network.is_some());
    }
}
