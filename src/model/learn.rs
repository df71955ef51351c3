//! Training the networks of a group: step counts that fit the budget, early stopping, recovery from divergence, stop
//! and resumption.

use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::engine::loss::Loss;
use crate::engine::network::Network;
use crate::model::control::{Conditions, Stopped};
use crate::model::ensemble::Ensemble;
use crate::model::exam::Terms;
use crate::model::member::Member;
use crate::model::plan::{NetworkPlan, Shape};
use crate::model::report::{Progress, Unit};
use crate::model::spec::{ModelSpec, Point};
use crate::model::train::{Recipe, State, Task};
use crate::model::validation::{self, Validation};
use crate::model::warm;
use crate::model::windows::Origins;
use crate::model::work::{Space, WorkSeries};

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
    /// Networks, as many as there are maps that they stand on.
    pub networks: &'a [NetworkPlan],
    /// The champion's network that each of them starts from; a fresh one where there is none.
    pub champions: Vec<Option<&'a Network<f32>>>,
    /// Work space.
    pub space: Space,
    /// Series in work space.
    pub work: &'a [WorkSeries],
    /// Names of the series, for messages.
    pub names: &'a [&'a str],
    /// Last steps of each series that training may not see.
    pub held: usize,
    /// Levels, seed, which error counts.
    pub spec: &'a ModelSpec,
    /// Deadline, stop, progress, checkpoint.
    pub conditions: &'a Conditions<'a>,
    /// Frequency of the group: a checkpoint knows its runs by group, label and member.
    pub group: &'a str,
    /// What is going on, for the progress.
    pub label: &'static str,
}

/// A trained member and how it came about.
#[derive(Clone)]
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

/// A training run under way.
#[derive(Clone)]
pub struct Run {
    /// Steps to do.
    pub steps: usize,
    /// Steps of the learning-rate schedule.
    pub schedule: usize,
    /// One line for each divergence so far.
    pub notes: Vec<String>,
    /// Whether time ran out, or the schedule was cut for it.
    pub is_cut: bool,
    /// The best step so far, where a run is judged.
    pub best: Option<Best>,
    /// Weights and moments.
    pub state: State,
}

/// The step of a run that did best on the validation origins.
#[derive(Clone)]
pub struct Best {
    /// Mean error relative to seasonal naive.
    pub error: f64,
    /// Steps done.
    pub step: usize,
    /// With averaged weights.
    pub member: Member,
}

impl Lesson<'_> {
    /// Trains a network on a ridge member and keeps the averaged weights of the step that did best on the validation
    /// origins. Step 0 counts, too: the ridge map itself, or with the champion's network if that does better.
    ///
    /// # Errors
    /// If the fit is to stop.
    pub fn explore(&self, ridge: &Member, index: usize, validation: &Validation) -> Result<Learnt, Stopped> {
        self.learn(ridge, index, Goal::Best(validation))
    }

    /// Trains the same network for the steps that exploration found best, of the same schedule.
    ///
    /// # Errors
    /// If the fit is to stop.
    pub fn repeat(&self, ridge: &Member, index: usize, explored: &Learnt) -> Result<Learnt, Stopped> {
        self.learn(ridge, index, Goal::Steps { steps: explored.steps, schedule: explored.schedule })
    }

    /// A run from its start or its checkpoint to its end, or its result where a checkpoint has that.
    fn learn(&self, ridge: &Member, index: usize, goal: Goal) -> Result<Learnt, Stopped> {
        let journal = self.conditions.journal;
        let name = format!("{} {} {index}", self.group, self.label);
        let origins = Origins::new(self.work, &ridge.geometry, self.held);
        let weights = loss_weights(self.work);
        let seed = self.spec.seed().wrapping_add(index as u64 + 1);
        let levels = self.spec.quantile_levels().to_vec();
        let levels_count = levels.len();
        let loss = match self.spec.point() {
            Point::Median => Loss::Pinball { levels },
            Point::Mean => Loss::PinballAroundMean { levels },
        };
        let task = Task {
            series: self.work,
            origins: &origins,
            weights: &weights,
            loss: &loss,
            levels: levels_count,
            trains_ridge: self.recipe.skip_learning_rate > 0.0,
            seed,
        };
        let start = Start {
            is_warm: self.champions[index].is_some(),
            member: self.with_network(ridge, index, seed),
            ridge,
            recipe: self.recipe_for(index),
        };
        let finished = journal.borrow().finished(&name);
        if let Some(learnt) = finished.filter(|learnt| self.could_learn(learnt, &start)) {
            return Ok(learnt);
        }
        let resumed = journal.borrow_mut().resume(&name);
        let mut run = match resumed.filter(|run| self.could_run(run, &start, &goal)) {
            Some(run) => run,
            None => self.begin(&start, &task, index, &goal),
        };
        let is_long_enough = run.steps >= STEPS_MIN.min(start.recipe.steps);
        let is_trained = is_long_enough && self.train(&mut run, &start, &task, &goal, (index, &name))?;
        let learnt = run.end(start.untrained(), is_trained);
        journal.borrow_mut().finish(name, &learnt);
        Ok(learnt)
    }

    fn begin(&self, start: &Start, task: &Task, index: usize, goal: &Goal) -> Run {
        let (steps, schedule, best) = match goal {
            Goal::Steps { steps, schedule } => (*steps, *schedule, None),
            Goal::Best(validation) => {
                let schedule = self.affordable(start, task, index);
                let best = |member: &Member| Best {
                    error: self.error(member, validation),
                    step: 0,
                    member: member.clone(),
                };
                let (ridge, warm) = (best(start.ridge), start.is_warm.then(|| best(&start.member)));
                let warm = warm.filter(|warm| warm.error < ridge.error || validation.is_empty());
                (schedule, schedule, Some(warm.unwrap_or(ridge)))
            }
        };
        let is_cut = best.is_some() && schedule < start.recipe.steps;
        Run { steps, schedule, notes: Vec::new(), is_cut, best, state: State::new(start.member.clone()) }
    }

    /// Trains up to the goal; false where training diverged at every rate.
    fn train(
        &self,
        run: &mut Run,
        start: &Start,
        task: &Task,
        goal: &Goal,
        (index, name): (usize, &str),
    ) -> Result<bool, Stopped> {
        let journal = self.conditions.journal;
        while run.state.step < run.steps && self.is_patient(run) {
            if self.conditions.is_stopped() {
                journal.borrow_mut().save(Some((name, run)));
                return Err(Stopped);
            }
            let recipe = start.recipe_of(run);
            if let Err(diverged) = run.state.advance(task, &recipe) {
                let (step, series) = (diverged.step, self.names[diverged.series]);
                run.notes.push(format!(
                    "training diverged at step {step} on series {series}; trying again at a third of the learning rate"
                ));
                if run.notes.len() > RETRIES {
                    run.notes.push("training diverged at every rate; the ridge map serves alone".into());
                    return Ok(false);
                }
                run.state = State::new(start.member.clone());
                continue;
            }
            let step = run.state.step;
            (self.conditions.watch)(
                Progress::of(self.label, step, run.steps, Unit::Steps)
                    .in_part(index + 1, self.networks.len()),
            );
            if let Goal::Best(validation) = goal
                && (step.is_multiple_of(recipe.evaluate_every) || step == recipe.steps)
            {
                self.judge(run, validation);
            }
            if self.conditions.is_over() {
                run.is_cut = true;
                break;
            }
            journal.borrow_mut().save_if_due(name, run);
        }
        Ok(true)
    }

    /// Keeps the averaged weights if they are the best so far.
    fn judge(&self, run: &mut Run, validation: &Validation) {
        let (member, step) = (&run.state.averaged, run.state.step);
        let error = self.error(member, validation);
        // With nothing to judge by, the last step is the best guess.
        if run.best.as_ref().is_none_or(|best| error < best.error) || validation.is_empty() {
            run.best = Some(Best { error, step, member: member.clone() });
        }
    }

    /// Whether the best step is not too long ago.
    fn is_patient(&self, run: &Run) -> bool {
        let patience = self.recipe.patience * self.recipe.evaluate_every;
        run.best.as_ref().is_none_or(|best| run.state.step < best.step + patience)
    }

    fn error(&self, member: &Member, validation: &Validation) -> f64 {
        let levels = self.spec.quantile_levels();
        let ensemble =
            Ensemble::counted(self.space, vec![(member.clone(), 1)], 0, None, self.terms(), levels);
        validation::mean(&validation.relative(&ensemble, self.work))
    }

    fn terms(&self) -> Terms {
        let &Shape { horizon, season, .. } = self.shape;
        Terms { horizon, season, point: self.spec.point() }
    }

    /// Whether a result that a file held could be one of this lesson.
    fn could_learn(&self, learnt: &Learnt, start: &Start) -> bool {
        let most = start.recipe.steps;
        fits(&learnt.member, &start.member) && learnt.steps.max(learnt.schedule) <= most
    }

    /// Whether a run that a file held could be one of this lesson.
    fn could_run(&self, run: &Run, start: &Start, goal: &Goal) -> bool {
        let Start { member: start, recipe, .. } = start;
        let is_goal = match (goal, &run.best) {
            (Goal::Steps { steps, schedule }, None) => (run.steps, run.schedule) == (*steps, *schedule),
            (Goal::Best(_), Some(best)) => {
                run.steps == run.schedule && best.step <= run.steps && fits(&best.member, start)
            }
            _ => false,
        };
        let State { member, averaged, step, .. } = &run.state;
        is_goal
            && run.schedule <= recipe.steps
            && *step <= run.steps
            && run.notes.len() <= RETRIES
            && [member, averaged].iter().all(|member| member.network.is_some() && fits(member, start))
    }

    /// The ridge member with the champion's network, or a fresh one whose head is zero.
    fn with_network(&self, ridge: &Member, index: usize, seed: u64) -> Member {
        if let Some(network) = self.champions[index] {
            return Member { network: Some(network.clone()), ..ridge.clone() };
        }
        let levels = self.spec.quantile_levels().len();
        let spec = self.networks[index].network(self.shape, levels, self.spec.parts(), self.spec.kind());
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        Member { network: Some(Network::init(spec, &mut rng)), ..ridge.clone() }
    }

    fn recipe_for(&self, index: usize) -> Recipe {
        match self.champions[index] {
            Some(_) => warm::shortened(self.recipe, STEPS_MIN),
            None => self.recipe,
        }
    }

    /// Steps that fit into this member's share of the time left, by the clock of a few trial steps.
    fn affordable(&self, start: &Start, task: &Task, index: usize) -> usize {
        let recipe = &start.recipe;
        let Some(deadline) = self.conditions.deadline else { return recipe.steps };
        let begin = Instant::now();
        let mut state = State::new(start.member.clone());
        let trial = (0..TRIAL_STEPS).try_for_each(|_| state.advance(task, recipe));
        let per_step = begin.elapsed() / TRIAL_STEPS as u32;
        // Members yet to be judged, and all members once more to serve.
        let runs = (2 * self.networks.len() - index) as u32;
        let share = deadline.saturating_duration_since(Instant::now()).mul_f64(TRAINING_SHARE) / runs;
        let steps = share.as_nanos() / per_step.max(Duration::from_nanos(1)).as_nanos();
        if trial.is_err() {
            recipe.steps
        } else {
            recipe.steps.min(usize::try_from(steps).unwrap_or(usize::MAX))
        }
    }
}

/// What a run starts from.
struct Start<'a> {
    /// The map alone.
    ridge: &'a Member,
    /// With the network that is trained.
    member: Member,
    /// Whether the network is one of the champion's.
    is_warm: bool,
    /// How it is trained.
    recipe: Recipe,
}

impl Start<'_> {
    /// What is there without training: a fresh network adds nothing to the map.
    fn untrained(&self) -> &Member {
        if self.is_warm { &self.member } else { self.ridge }
    }

    /// The recipe after the divergences of a run.
    fn recipe_of(&self, run: &Run) -> Recipe {
        let mut recipe = Recipe { steps: run.schedule, ..self.recipe };
        run.notes.iter().for_each(|_| recipe.slow_down());
        recipe
    }
}

/// What a run is for.
enum Goal<'a> {
    /// The step that does best here.
    Best(&'a Validation),
    /// So many steps of such a schedule.
    Steps { steps: usize, schedule: usize },
}

impl Run {
    /// The result of a run that was trained or could not be.
    fn end(self, untrained: &Member, is_trained: bool) -> Learnt {
        let Run { state, schedule, notes, is_cut, best, .. } = self;
        let (member, steps) = match best {
            Some(best) => (best.member, best.step),
            None if is_trained => (state.averaged, state.step),
            None => (untrained.clone(), 0),
        };
        let steps_tried = if is_trained { state.step } else { 0 };
        Learnt { member, steps, steps_tried, schedule, notes, is_cut }
    }
}

/// Whether two members differ in nothing but values; the first may lack the network.
fn fits(member: &Member, start: &Member) -> bool {
    let is_network = match (&member.network, &start.network) {
        (Some(network), Some(of)) => network.spec == of.spec,
        (network, _) => network.is_none(),
    };
    is_network && member.geometry == start.geometry && member.offsets.dim() == start.offsets.dim()
}

/// Share of the time left that may go into training: evaluations and the second fit of the base need some, too.
const TRAINING_SHARE: f64 = 0.75;

/// Steps that are timed.
const TRIAL_STEPS: usize = 3;

/// Weight of each series in the loss, mean 1: 1 + c / noise with c the median noise, so that neither quiet nor noisy
/// series rule.
pub(super) fn loss_weights(work: &[WorkSeries]) -> Vec<f32> {
    let mut sorted: Vec<f64> = work.iter().map(|series| series.noise).collect();
    sorted.sort_by(f64::total_cmp);
    let median = sorted[sorted.len() / 2];
    let raw: Vec<f64> = work.iter().map(|series| 1.0 + median / series.noise).collect();
    let mean = raw.iter().sum::<f64>() / raw.len() as f64;
    raw.iter().map(|weight| (weight / mean) as f32).collect()
}

#[cfg(test)]
#[path = "learn_tests.rs"]
mod tests;
