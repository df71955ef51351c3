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
use crate::model::report::Progress;
use crate::model::spec::{ModelSpec, Point};
use crate::model::train::{Recipe, State, Task};
use crate::model::validation::{self, Validation};
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
    /// origins, step 0, the ridge map itself, included.
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
        let start = self.with_network(ridge, index, seed);
        let finished = journal.borrow().finished(&name);
        if let Some(learnt) = finished.filter(|learnt| self.could_learn(learnt, &start)) {
            return Ok(learnt);
        }
        let resumed = journal.borrow_mut().resume(&name);
        let mut run = match resumed.filter(|run| self.could_run(run, &start, &goal)) {
            Some(run) => run,
            None => self.begin(ridge, &start, &task, index, &goal),
        };
        let is_long_enough = run.steps >= STEPS_MIN.min(self.recipe.steps);
        let is_trained = is_long_enough && self.train(&mut run, &start, &task, &goal, &name)?;
        let learnt = run.end(ridge, is_trained);
        journal.borrow_mut().finish(name, &learnt);
        Ok(learnt)
    }

    fn begin(&self, ridge: &Member, start: &Member, task: &Task, index: usize, goal: &Goal) -> Run {
        let (steps, schedule, best) = match goal {
            Goal::Steps { steps, schedule } => (*steps, *schedule, None),
            Goal::Best(validation) => {
                let schedule = self.affordable(start, task, index);
                let error = self.error(ridge, validation);
                (schedule, schedule, Some(Best { error, step: 0, member: ridge.clone() }))
            }
        };
        let is_cut = best.is_some() && schedule < self.recipe.steps;
        Run { steps, schedule, notes: Vec::new(), is_cut, best, state: State::new(start.clone()) }
    }

    /// Trains up to the goal; false where training diverged at every rate.
    fn train(
        &self,
        run: &mut Run,
        start: &Member,
        task: &Task,
        goal: &Goal,
        name: &str,
    ) -> Result<bool, Stopped> {
        let journal = self.conditions.journal;
        while run.state.step < run.steps && self.is_patient(run) {
            if self.conditions.is_stopped() {
                journal.borrow_mut().save(Some((name, run)));
                return Err(Stopped);
            }
            let recipe = self.recipe_of(run);
            if let Err(diverged) = run.state.advance(task, &recipe) {
                let (step, series) = (diverged.step, self.names[diverged.series]);
                run.notes.push(format!(
                    "training diverged at step {step} on series {series}; trying again at a third of the learning rate"
                ));
                if run.notes.len() > RETRIES {
                    run.notes.push("training diverged at every rate; the ridge map serves alone".into());
                    return Ok(false);
                }
                run.state = State::new(start.clone());
                continue;
            }
            let step = run.state.step;
            (self.conditions.watch)(Progress { stage: self.label, done: step, total: run.steps });
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

    /// The recipe after the divergences of a run.
    fn recipe_of(&self, run: &Run) -> Recipe {
        let mut recipe = Recipe { steps: run.schedule, ..self.recipe };
        run.notes.iter().for_each(|_| recipe.slow_down());
        recipe
    }

    fn error(&self, member: &Member, validation: &Validation) -> f64 {
        let levels = self.spec.quantile_levels();
        let ensemble = Ensemble::counted(self.space, vec![(member.clone(), 1)], 0, self.terms(), levels);
        validation::mean(&validation.relative(&ensemble, self.work))
    }

    fn terms(&self) -> Terms {
        let &Shape { horizon, season, .. } = self.shape;
        Terms { horizon, season, point: self.spec.point() }
    }

    /// Whether a result that a file held could be one of this lesson.
    fn could_learn(&self, learnt: &Learnt, start: &Member) -> bool {
        let most = self.recipe.steps;
        fits(&learnt.member, start) && learnt.steps.max(learnt.schedule) <= most
    }

    /// Whether a run that a file held could be one of this lesson.
    fn could_run(&self, run: &Run, start: &Member, goal: &Goal) -> bool {
        let is_goal = match (goal, &run.best) {
            (Goal::Steps { steps, schedule }, None) => (run.steps, run.schedule) == (*steps, *schedule),
            (Goal::Best(_), Some(best)) => {
                run.steps == run.schedule && best.step <= run.steps && fits(&best.member, start)
            }
            _ => false,
        };
        let State { member, averaged, step, .. } = &run.state;
        is_goal
            && run.schedule <= self.recipe.steps
            && *step <= run.steps
            && run.notes.len() <= RETRIES
            && [member, averaged].iter().all(|member| member.network.is_some() && fits(member, start))
    }

    /// The ridge member with a fresh network whose head is zero.
    fn with_network(&self, ridge: &Member, index: usize, seed: u64) -> Member {
        let levels = self.spec.quantile_levels().len();
        let spec = self.networks[index].network(self.shape, levels, self.spec.parts(), self.spec.kind());
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        Member { network: Some(Network::init(spec, &mut rng)), ..ridge.clone() }
    }

    /// Steps that fit into this member's share of the time left, by the clock of a few trial steps.
    fn affordable(&self, start: &Member, task: &Task, index: usize) -> usize {
        let recipe = &self.recipe;
        let Some(deadline) = self.conditions.deadline else { return recipe.steps };
        let begin = Instant::now();
        let mut state = State::new(start.clone());
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

/// What a run is for.
enum Goal<'a> {
    /// The step that does best here.
    Best(&'a Validation),
    /// So many steps of such a schedule.
    Steps { steps: usize, schedule: usize },
}

impl Run {
    /// The result, on a ridge member, of a run that was trained or could not be.
    fn end(self, ridge: &Member, is_trained: bool) -> Learnt {
        let Run { state, schedule, notes, is_cut, best, .. } = self;
        let (member, steps) = match best {
            Some(best) => (best.member, best.step),
            None if is_trained => (state.averaged, state.step),
            None => (ridge.clone(), 0),
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
    use crate::model::checkpoint::Journal;
    use crate::model::spec::RawModelSpec;
    use crate::model::windows::{Anchor, Geometry};
    use ndarray::Array2;
    use std::cell::RefCell;
    use std::sync::atomic::{AtomicBool, Ordering};

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
    fn repeat(work: &[WorkSeries], recipe: Recipe, conditions: &Conditions) -> Result<Learnt, Stopped> {
        let geometry = Geometry { lookback: 12, horizon: 3, anchor: Anchor::Mean(4) };
        let raw = RawModelSpec { levels: vec![80.0], ..RawModelSpec::new("s4d", 3) };
        let spec = ModelSpec::try_from(raw).expect("valid");
        let skip = Array2::from_shape_fn((12, 3), |(l, t)| ((l + 2 * t) as f32).sin() * 0.1);
        let offsets = Array2::zeros((3, spec.quantile_levels().len()));
        let member = Member { geometry, skip, offsets, network: None };
        let lesson = Lesson {
            shape: &Shape { series: 3, length: 60, season: 4, horizon: 3, weekly: false },
            recipe,
            networks: &[NetworkPlan { lookback: 12, patch: 4, on_map: true }],
            space: Space::Scaled,
            work,
            names: &["a", "b", "c"],
            held: 0,
            spec: &spec,
            conditions,
            group: "1h",
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

    fn learn(work: &[WorkSeries], deadline: Option<Instant>) -> Learnt {
        let (stop, journal) = (AtomicBool::new(false), RefCell::new(Journal::default()));
        let conditions = Conditions { deadline, watch: &|_| {}, stop: &stop, journal: &journal };
        repeat(work, RECIPE, &conditions).expect("nobody stops it")
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

    /// With a ridge map that is trained, too.
    #[test]
    fn a_run_goes_on_from_any_step() {
        let work: Vec<WorkSeries> = (0..3).map(wave).collect();
        let recipe = Recipe { skip_learning_rate: 1e-3, ..RECIPE };
        let folder = tempfile::tempdir().expect("folder");
        let run = |stop_at: usize| {
            let stop = AtomicBool::new(false);
            let watch = |progress: Progress| stop.store(progress.done == stop_at, Ordering::Relaxed);
            let journal = RefCell::new(Journal::open(folder.path(), "key".into()));
            let conditions = Conditions { deadline: None, watch: &watch, stop: &stop, journal: &journal };
            repeat(&work, recipe, &conditions)
        };
        let bits = |learnt: &Learnt| -> Vec<u32> {
            let weights = learnt.member.weights("");
            weights.iter().flat_map(|one| &one.values).map(|value| value.to_bits()).collect()
        };
        let whole = run(0).expect("nobody stops it");
        let ridge = |learnt: &Learnt| learnt.member.skip.clone();
        for stops in [vec![1], vec![39], vec![7, 8, 23]] {
            stops.iter().for_each(|&at| assert!(run(at).is_err(), "stopped at {at}"));
            let resumed = run(0).expect("nobody stops it");
            assert_eq!(bits(&resumed), bits(&whole), "{stops:?}");
            Journal::open(folder.path(), "key".into()).close();
        }
        assert_ne!(ridge(&whole), ridge(&learn(&work, None)), "the ridge map is trained");
    }
}
