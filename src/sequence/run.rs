//! One sequence task, straight down: read, train epoch after epoch, choose, score.

use std::path::{Path, PathBuf};
use std::time::Instant;

use rand::RngExt;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use crate::engine::sashimi::autoregressive::Autoregressive;
use crate::publish::PublishError;
use crate::sequence::backbone::{Weights, sashimi_spec};
use crate::sequence::curve::{self, Point};
use crate::sequence::data::{Data, DataError};
use crate::sequence::learner::{Learner, ORDER, generator};
use crate::sequence::load;
use crate::sequence::paths::{self, SumCoverage};
use crate::sequence::score::Score;
use crate::sequence::spec::{Places, SequenceSpec};
use crate::sequence::stored::{self, Checkpoint, StoredError};
use crate::sequence::words::{Arrangement, Form, Task};

/// Why a task has no result.
#[derive(Debug, thiserror::Error)]
pub enum SequenceError {
    /// The data.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Results cannot be written.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// A checkpoint cannot be resumed from.
    #[error(transparent)]
    Stored(#[from] StoredError),
    /// The loss is no number any more.
    #[error(
        "the loss became {loss} in step {step}: training diverged; lower learning_rate ({learning_rate}) or raise warmup"
    )]
    Diverged {
        /// Loss of the step.
        loss: f64,
        /// Step, from 0 on.
        step: usize,
        /// Rate of the recipe.
        learning_rate: f64,
    },
}

/// What a pass through the training part gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Epoch {
    /// From 1 on.
    pub epoch: usize,
    /// Steps since the start.
    pub steps: usize,
    /// While training, on weights that change.
    pub train: Score,
    /// Of the averaged weights.
    pub valid: Score,
    /// Multiplier of the rates at its end.
    pub multiplier: f64,
    /// Since the start, those of interrupted runs included.
    pub seconds: f64,
}

/// Where a run is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// What is going on, in a word or two; the figures are those of training in any case.
    pub stage: &'static str,
    /// From 1 on.
    pub epoch: usize,
    /// Epochs of the recipe.
    pub epochs: usize,
    /// Steps done, and all.
    pub steps: [usize; 2],
    /// Mean loss of the last steps.
    pub loss: f64,
    /// Positions trained on per second.
    pub rate: f64,
    /// Seconds that are left, as far as one can say.
    pub left: f64,
}

/// The stage that the figures of [`Progress`] are about.
pub const TRAINING: &str = "training";

impl Progress {
    /// Before the first step.
    fn begun(stage: &'static str) -> Progress {
        Progress { stage, epoch: 0, epochs: 0, steps: [0; 2], loss: f64::NAN, rate: 0.0, left: f64::INFINITY }
    }
}

/// What a run found.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Files that were read.
    pub files: Vec<PathBuf>,
    /// Sequences of the three parts, and positions of each.
    pub sequences: [usize; 3],
    /// Positions of a sequence.
    pub len: usize,
    /// Number of weights.
    pub parameters: usize,
    /// All epochs.
    pub epochs: Vec<Epoch>,
    /// The epoch whose weights were kept.
    pub best: usize,
    /// Score of those on the test part.
    pub test: Score,
    /// Coverage of the sums of paths of series: where the temperature was chosen, and in the test part.
    pub sums: Option<[SumCoverage; 2]>,
    /// Seconds of the whole run.
    pub seconds: f64,
    /// SHA-256 of the model file.
    pub weights_sha256: String,
    /// Files that were written.
    pub written: Vec<PathBuf>,
}

/// Steps between two points of the curve.
const POINT_STEPS: usize = 20;

/// Trains and scores; `watch` hears of every step that is worth telling. With `resume` it goes on from the last checkpoint in
/// the folder of the results.
///
/// # Errors
/// See [`SequenceError`].
pub fn run(
    spec: &SequenceSpec,
    places: &Places,
    resume: bool,
    watch: &mut dyn FnMut(&Progress),
) -> Result<Outcome, SequenceError> {
    let clock = Instant::now();
    let mut newest = Progress::begun("reading");
    watch(&newest);
    let data = load::load(spec, places.data.as_deref())?;
    stored::make_folder(&places.out)?;
    let mut learner = Learner::new(spec, &data);
    let key = stored::key(spec, &data);
    let found = if resume { stored::read(&places.out, &key, &learner)? } else { None };
    let mut run = found.unwrap_or_else(|| Checkpoint::start(key, learner.start()));
    let before = run.seconds;
    let seconds = || before + clock.elapsed().as_secs_f64();

    let per_epoch = data.train.starts.len() / spec.recipe.batch;
    let total = per_epoch * spec.recipe.epochs;
    let pace = Pace { spec, total };
    while run.state.step < total && pace.progress(run.state.step, seconds()) < 1.0 {
        let epoch = run.state.step / per_epoch;
        let mut training = |progress: &Progress| {
            newest = *progress;
            watch(progress);
        };
        let train = one_epoch(&mut learner, &mut run, &data, &pace, &seconds, &mut training)?;
        watch(&Progress { stage: "validating", ..newest });
        let valid = learner.score(&run.state.averaged, &data.valid);
        let multiplier = pace.multiplier(run.state.step, seconds());
        let done =
            Epoch { epoch: epoch + 1, steps: run.state.step, train, valid, multiplier, seconds: seconds() };
        if run.best.as_ref().is_none_or(|(_, best)| is_better(spec.task, &valid, best)) {
            run.best = Some((done.epoch, valid));
            stored::write_model(&places.out, spec, &data, &mut run.state.averaged, &done)?;
        }
        run.epochs.push(done);
        run.seconds = seconds();
        stored::write(&places.out, &mut run)?;
        curve::write(&places.out, spec, &run.epochs, &run.points)?;
    }
    let mut sums = None;
    if data.context.is_some() {
        let (weights, _) = stored::best(&places.out, spec, &data)?;
        let Weights::Sashimi(params) = weights else {
            unreachable!("a checked spec of series is of sashimi")
        };
        let shape = sashimi_spec(&spec.architecture, data.classes, data.len);
        let model = Autoregressive::new(shape, params);
        let (stepper, seed) = (model.stepper(), spec.recipe.seed);
        watch(&Progress { stage: "choosing a temperature", ..newest });
        let found = paths::temperature(&stepper, &data, &data.valid, seed);
        stored::write_temperature(&places.out, found.temperature)?;
        sums = Some([found, paths::coverage(&stepper, &data, &data.test, found.temperature, seed)]);
    }
    let (weights, weights_sha256) = stored::best(&places.out, spec, &data)?;
    watch(&Progress { stage: "scoring the test part", ..newest });
    let test = learner.score(&weights, &data.test);
    Ok(Outcome {
        files: data.files.clone(),
        sequences: [&data.train, &data.valid, &data.test].map(|part| part.starts.len()),
        len: data.len,
        parameters: run.state.weights.values().iter().map(|values| values.len()).sum(),
        best: run.best.map_or(0, |(epoch, _)| epoch),
        test,
        sums,
        seconds: seconds(),
        weights_sha256,
        written: stored::files(&places.out),
        epochs: run.epochs,
    })
}

/// How far a run is, and how large its steps are.
struct Pace<'a> {
    spec: &'a SequenceSpec,
    total: usize,
}

impl Pace<'_> {
    /// Share of the run that is over: by steps, or by time where that runs out sooner.
    fn progress(&self, step: usize, seconds: f64) -> f64 {
        let by_time = self.spec.recipe.budget.map_or(0.0, |budget| seconds / budget.as_secs_f64());
        (step as f64 / self.total as f64).max(by_time)
    }

    /// Multiplier of the rates: linear warm-up times half a cosine over the run.
    fn multiplier(&self, step: usize, seconds: f64) -> f64 {
        let warmup = self.spec.recipe.warmup.min(self.total / 10);
        let up = if step < warmup { (step + 1) as f64 / warmup as f64 } else { 1.0 };
        up * 0.5 * (1.0 + (std::f64::consts::PI * self.progress(step, seconds).min(1.0)).cos())
    }
}

fn one_epoch(
    learner: &mut Learner,
    run: &mut Checkpoint,
    data: &Data,
    pace: &Pace,
    seconds: &dyn Fn() -> f64,
    watch: &mut dyn FnMut(&Progress),
) -> Result<Score, SequenceError> {
    let recipe = &pace.spec.recipe;
    let per_epoch = pace.total / recipe.epochs;
    let (first, start) = (run.state.step, seconds());
    let epoch = first / per_epoch;
    let mut rng = generator(recipe.seed, ORDER, epoch);
    let mut order: Vec<usize> = (0..data.train.starts.len()).collect();
    order.shuffle(&mut rng);
    // Windows of a text begin elsewhere in every epoch; images, sounds and series have places of their own.
    let offset = if pace.spec.form == Form::Bytes { rng.random_range(0..data.len) } else { 0 };
    let (mut all, mut last) = (Score::default(), Score::default());
    for indices in order.chunks_exact(recipe.batch) {
        let now = seconds();
        if pace.progress(run.state.step, now) >= 1.0 {
            break;
        }
        let step = run.state.step;
        let score = learner.advance(&mut run.state, indices, offset, pace.multiplier(step, now));
        if !score.loss.is_finite() {
            let (loss, learning_rate) = (score.mean(), recipe.learning_rate);
            return Err(SequenceError::Diverged { loss, step, learning_rate });
        }
        (all, last) = (all.and(score), last.and(score));
        if run.state.step.is_multiple_of(POINT_STEPS) {
            run.points.push(Point { step: run.state.step, loss: last.mean() });
            let spent = seconds() - start;
            let steps = (run.state.step - first) as f64;
            let by_steps = spent / steps * (pace.total - run.state.step) as f64;
            let by_time = recipe.budget.map_or(f64::INFINITY, |budget| budget.as_secs_f64() - seconds());
            watch(&Progress {
                stage: TRAINING,
                epoch: epoch + 1,
                epochs: recipe.epochs,
                steps: [run.state.step, pace.total],
                loss: last.mean(),
                rate: steps * (recipe.batch * data.len) as f64 / spent,
                left: by_steps.min(by_time).max(0.0),
            });
            last = Score::default();
        }
    }
    Ok(all)
}

/// Whether a score beats another: hits first, where there are classes, then the loss.
fn is_better(task: Task, one: &Score, other: &Score) -> bool {
    match task {
        Task::Classify => (one.hits, -one.loss) > (other.hits, -other.loss),
        Task::Generate | Task::Reconstruct => one.mean() < other.mean(),
    }
}

/// Where the results of a run go if nobody says.
pub fn default_folder(spec: &SequenceSpec) -> PathBuf {
    let network = match spec.architecture.backbone {
        Arrangement::Stack => spec.architecture.ssm.as_str(),
        Arrangement::Sashimi => spec.architecture.backbone.as_str(),
    };
    Path::new("runs").join(format!("{}-{network}", spec.name))
}
