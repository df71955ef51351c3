//! The training loop of one member: batches, gradient slices, optimiser, averaged weights, early stopping.
//!
//! Every step draws its batch and its dropout from a generator keyed by (seed, step, slice), computes fixed slices of
//! the batch in any order and sums their gradients in slice order, so the result does not depend on the threads.

use ndarray::{Array2, Axis};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::engine::loss::Loss;
use crate::engine::network::{Network, NetworkGradient};
use crate::engine::optim::{self, AdamW, Group, Rates, Schedule};
use crate::model::member::{Batch, Member, SLICE};
use crate::model::windows::Origins;
use crate::model::work::WorkSeries;

/// Hyperparameters of one training run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recipe {
    /// Steps of the whole learning-rate schedule.
    pub steps: usize,
    /// Windows per step.
    pub batch: usize,
    /// Learning rate of matrices, biases and norms.
    pub learning_rate: f64,
    /// Learning rate of dt and A.
    pub ssm_learning_rate: f64,
    /// Learning rate of the ridge map; 0 keeps it fixed.
    pub skip_learning_rate: f64,
    /// Decoupled weight decay of matrices.
    pub weight_decay: f64,
    /// Steps between evaluations.
    pub evaluate_every: usize,
    /// Evaluations without improvement before training stops.
    pub patience: usize,
}

impl Recipe {
    /// A third of every learning rate, after a divergence.
    pub fn slow_down(&mut self) {
        self.learning_rate /= 3.0;
        self.ssm_learning_rate /= 3.0;
        self.skip_learning_rate /= 3.0;
    }
}

/// Linear warm-up, in steps.
pub(super) const WARMUP: usize = 50;

/// Largest global gradient norm.
pub(super) const CLIP: f64 = 1.0;

/// Limit of the decay of the averaged weights.
pub(super) const EMA_DECAY: f64 = 0.99;

/// A loss that is no number: training cannot go on.
#[derive(Clone, Debug, PartialEq)]
pub struct Diverged {
    /// Step at which it happened.
    pub step: usize,
    /// Index of the series whose window caused it.
    pub series: usize,
}

/// What to train on.
pub struct Task<'a> {
    /// Series in work space.
    pub series: &'a [WorkSeries],
    /// Training windows.
    pub origins: &'a Origins,
    /// Weight of each series in the loss, mean 1.
    pub weights: &'a [f32],
    /// What is minimised; its levels (Q) are those of the forecasts.
    pub loss: &'a Loss,
    /// Number of quantile levels (Q).
    pub levels: usize,
    /// Whether the ridge map is trained, too; a gradient that moves nothing must not count in the clipped norm.
    pub trains_ridge: bool,
    /// Seed of this member.
    pub seed: u64,
}

/// A training run between two steps: all that the next one depends on.
#[derive(Clone)]
pub struct State {
    /// Weights that are trained: those of the network, which there must be, and of the ridge map.
    pub member: Member,
    /// Their running average: what is judged and served.
    pub averaged: Member,
    /// Moments of every weight.
    pub optimizer: AdamW<f32>,
    /// Steps done.
    pub step: usize,
}

impl State {
    /// The start.
    pub fn new(mut member: Member) -> State {
        let optimizer = AdamW::new(&sizes(&mut member));
        State { averaged: member.clone(), member, optimizer, step: 0 }
    }

    /// Trains the member's network (and its ridge map, if the recipe gives that a rate) for one more step of the
    /// recipe's schedule.
    ///
    /// # Errors
    /// If the loss is no number; nothing has changed then.
    pub fn advance(&mut self, task: &Task, recipe: &Recipe) -> Result<(), Diverged> {
        let State { member, averaged, optimizer, step } = self;
        let schedule = Schedule { warmup: WARMUP, total: recipe.steps };
        let (mut gradient, loss) = batch_gradient(member, task, recipe, *step)?;
        if !loss.is_finite() {
            return Err(Diverged { step: *step, series: 0 });
        }
        let groups = groups(member, recipe);
        let mut grads = gradient.slices();
        optim::clip_global_norm(&mut grads, CLIP);
        let grads: Vec<&[f32]> = grads.iter().map(|slice| &**slice).collect();
        optimizer.step(&mut slices(member), &grads, &groups, schedule.multiplier(*step));
        let decay = optim::ema_decay(*step, EMA_DECAY);
        optim::average(&mut slices(averaged), &slices(member), decay);
        *step += 1;
        Ok(())
    }
}

/// Gradient of one slice or of the batch.
struct Gradient {
    network: NetworkGradient<f32>,
    skip: Array2<f32>,
    loss: f64,
}

impl Gradient {
    /// All gradients in the order of [`slices`].
    fn slices(&mut self) -> Vec<&mut [f32]> {
        let skip = self.skip.as_slice_mut().expect("standard layout");
        let network = self.network.params.tensors().into_iter().map(|tensor| tensor.values);
        network.chain([skip]).collect()
    }
}

/// Gradient of the mean weighted pinball loss of one batch, and the loss.
fn batch_gradient(
    member: &Member,
    task: &Task,
    recipe: &Recipe,
    step: usize,
) -> Result<(Gradient, f64), Diverged> {
    let network = member.network.as_ref().expect("only members with a network are trained");
    let mut rng = generator(task.seed, step, 0);
    let windows: Vec<(usize, usize)> = (0..recipe.batch).map(|_| task.origins.draw(&mut rng)).collect();
    let kernels = network.kernels();
    let slices: Vec<Gradient> = windows
        .par_chunks(SLICE)
        .enumerate()
        .map(|(slice, windows)| slice_gradient(member, network, &kernels, task, windows, step, slice))
        .collect();
    if let Some(slice) = slices.iter().position(|slice| !slice.loss.is_finite()) {
        let series = windows[slice * SLICE..]
            .iter()
            .take(SLICE)
            .position(|&window| {
                let alone = slice_gradient(member, network, &kernels, task, &[window], step, slice);
                !alone.loss.is_finite()
            })
            .unwrap_or(0);
        return Err(Diverged { step, series: windows[slice * SLICE + series].0 });
    }
    let mut slices = slices.into_iter();
    let mut sum = slices.next().expect("a batch has at least one slice");
    for mut slice in slices {
        sum.network.add(&mut slice.network);
        sum.skip += &slice.skip;
        sum.loss += slice.loss;
    }
    network.finish(&mut sum.network);
    let count = (recipe.batch * member.geometry.horizon * task.levels) as f64;
    let scale = (2.0 / count) as f32;
    sum.slices().into_iter().flatten().for_each(|value| *value *= scale);
    let loss = sum.loss * 2.0 / count;
    Ok((sum, loss))
}

/// Gradient and summed loss of one slice of windows (series index, origin).
fn slice_gradient(
    member: &Member,
    network: &Network<f32>,
    kernels: &[Array2<f32>],
    task: &Task,
    windows: &[(usize, usize)],
    step: usize,
    slice: usize,
) -> Gradient {
    let series: Vec<&WorkSeries> = windows.iter().map(|&(index, _)| &task.series[index]).collect();
    let origins: Vec<usize> = windows.iter().map(|&(_, origin)| origin).collect();
    let batch = Batch::gather(&member.geometry, &series, &origins);
    let horizon = member.geometry.horizon;
    let mut targets = Array2::zeros((windows.len(), horizon));
    for (row, mut target) in targets.outer_iter_mut().enumerate() {
        let future = &series[row].target[origins[row]..origins[row] + horizon];
        let base = batch.bases.row(row);
        target.iter_mut().zip(future).zip(base).for_each(|((to, from), base)| *to = from - base);
    }
    let weights = windows.iter().map(|&(index, _)| task.weights[index]).collect();
    let mut rng = generator(task.seed, step, slice + 1);
    let (forecast, cache) = member.forward(&batch, kernels, Some(&mut rng));
    let mut d_forecast = forecast.clone();
    let loss = task.loss.value_and_gradient(
        forecast.view(),
        targets.view(),
        ndarray::Array1::from_vec(weights).view(),
        d_forecast.view_mut(),
    );
    let mut gradient = Gradient {
        network: NetworkGradient::zeros(&network.spec),
        skip: Array2::zeros(member.skip.dim()),
        loss,
    };
    // forecast = z W + spread (offset + o): dW = zᵀ Σ_q d, do = spread d.
    let d_base = d_forecast.sum_axis(Axis(2));
    if task.trains_ridge {
        ndarray::linalg::general_mat_mul(1.0, &batch.inputs.t(), &d_base, 1.0, &mut gradient.skip);
    }
    for (mut sample, &spread) in d_forecast.outer_iter_mut().zip(&batch.spreads) {
        sample *= spread;
    }
    let outputs = network.spec.outputs;
    let d_out = d_forecast.into_shape_with_order((windows.len(), outputs)).expect("standard layout");
    if let Some(cache) = cache {
        network.backward(kernels, &cache, d_out.view(), &mut gradient.network);
    }
    gradient
}

/// Generator of one (seed, step, slice): counter-based, so no draw depends on another slice's.
pub(super) fn generator(seed: u64, step: usize, slice: usize) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    // Stream 0 drew the initial weights.
    rng.set_stream(((step as u64 + 1) << 16) | slice as u64);
    rng
}

/// All trained tensors of a member, the ridge map last.
fn slices(member: &mut Member) -> Vec<&mut [f32]> {
    let skip = member.skip.as_slice_mut().expect("standard layout");
    let network = member.network.as_mut().expect("only members with a network are trained");
    network.params.tensors().into_iter().map(|tensor| tensor.values).chain([skip]).collect()
}

/// Number of values of every trained tensor, in the order of the optimiser's moments.
///
/// # Panics
/// If the member has no network.
pub fn sizes(member: &mut Member) -> Vec<usize> {
    slices(member).iter().map(|slice| slice.len()).collect()
}

/// Learning rate and decay of every tensor, in the order of [`slices`].
fn groups(member: &mut Member, recipe: &Recipe) -> Vec<Group> {
    let network = member.network.as_mut().expect("only members with a network are trained");
    let &Recipe { learning_rate, ssm_learning_rate, weight_decay, .. } = recipe;
    let rates = Rates { learning_rate, ssm_learning_rate, weight_decay };
    let skip = Group { learning_rate: recipe.skip_learning_rate, weight_decay: 0.0 };
    network.params.tensors().iter().map(|tensor| rates.group(tensor.kind)).chain([skip]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::network::{NetworkSpec, Readout};
    use crate::engine::s4d::{Discretization, Init};
    use crate::engine::ssm::SsmKind;
    use crate::model::windows::{Anchor, Geometry};
    use rand::RngExt;

    const LEVELS: [f64; 3] = [0.1, 0.5, 0.9];
    const RECIPE: Recipe = Recipe {
        steps: 20,
        batch: 40,
        learning_rate: 5e-3,
        ssm_learning_rate: 1e-3,
        skip_learning_rate: 1e-3,
        weight_decay: 1e-2,
        evaluate_every: 10,
        patience: 2,
    };

    fn work(index: usize) -> WorkSeries {
        let values: Vec<f32> =
            (0..60).map(|t| (t as f32 * 0.9).sin() + (index * t % 5) as f32 * 0.1).collect();
        WorkSeries {
            filled: values.clone(),
            target: values,
            noise: 1.0,
            unit: 1.0,
            level: 0.0,
            features: Default::default(),
            events: Default::default(),
        }
    }

    /// A member whose every parameter is random, the head included, so that no gradient is zero by construction.
    fn member() -> Member {
        let geometry = Geometry { lookback: 12, horizon: 3, anchor: Anchor::Season(4) };
        let spec = NetworkSpec {
            patch: 4,
            tokens: 3,
            hidden: 6,
            modes: 2,
            layers: 2,
            outputs: 9,
            readout: Readout::Last,
            ssm: SsmKind::S4d,
            levels: None,
            init: Init::Lin,
            discretization: Discretization::ZeroOrderHold,
            dt: (0.01, 0.5),
            dropout: 0.1,
        };
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut network = Network::init(spec, &mut rng);
        network.params.head.weight.mapv_inplace(|_| rng.random_range(-0.3..0.3));
        let skip = Array2::from_shape_simple_fn((12, 3), || rng.random_range(-0.2..0.2));
        Member {
            geometry,
            skip,
            effects: Array2::zeros((3, 0)),
            columns: 0,
            offsets: Array2::zeros((3, 3)),
            network: Some(network),
        }
    }

    fn with_task<T>(work: &[WorkSeries], run: impl FnOnce(&Task) -> T) -> T {
        let origins = Origins::new(work, &member().geometry, 0);
        let weights = vec![1.0; work.len()];
        run(&Task {
            series: work,
            origins: &origins,
            weights: &weights,
            loss: &Loss::Pinball { levels: LEVELS.to_vec() },
            levels: LEVELS.len(),
            trains_ridge: true,
            seed: 7,
        })
    }

    /// The layers are checked scalar by scalar in f64; here the whole member, in the f32 that it trains in, is checked
    /// along its own gradient: the loss must fall as fast as the gradient says.
    #[test]
    fn the_loss_changes_along_the_gradient_as_the_gradient_says() {
        let work: Vec<WorkSeries> = (0..4).map(work).collect();
        with_task(&work, |task| {
            let mut start = member();
            let (mut gradient, _) = batch_gradient(&start, task, &RECIPE, 0).expect("finite");
            let gradient: Vec<Vec<f32>> = gradient.slices().iter().map(|slice| slice.to_vec()).collect();
            let frozen: Vec<bool> =
                groups(&mut start, &RECIPE).iter().map(|g| g.learning_rate == 0.0).collect();
            for (tensor, slope) in gradient.iter().enumerate().filter(|(tensor, _)| !frozen[*tensor]) {
                let square: f64 = slope.iter().map(|g| f64::from(*g).powi(2)).sum();
                assert!(square > 0.0, "tensor {tensor} has no gradient");
                let step = 2e-3 / square.sqrt();
                let loss_at = |sign: f64| {
                    let mut moved = member();
                    let values = &mut slices(&mut moved)[tensor];
                    values.iter_mut().zip(slope).for_each(|(value, g)| *value += (sign * step) as f32 * g);
                    batch_gradient(&moved, task, &RECIPE, 0).expect("finite").1
                };
                let measured = (loss_at(1.0) - loss_at(-1.0)) / (2.0 * step);
                // The pinball loss has kinks and f32 has 24 bits; a wrong term shows as tens of per cent.
                assert!(
                    (measured / square - 1.0).abs() < 0.05,
                    "tensor {tensor}: {measured} against {square}"
                );
            }
        });
    }

    #[test]
    fn training_lowers_the_loss() {
        let work: Vec<WorkSeries> = (0..4).map(work).collect();
        with_task(&work, |task| {
            let before = batch_gradient(&member(), task, &RECIPE, 0).expect("finite").1;
            let mut run = State::new(member());
            (0..RECIPE.steps).for_each(|_| run.advance(task, &RECIPE).expect("finite"));
            assert!(batch_gradient(&run.averaged, task, &RECIPE, 0).expect("finite").1 < before);
        });
    }

    #[test]
    fn a_poisoned_series_is_named() {
        let mut work: Vec<WorkSeries> = (0..4).map(work).collect();
        work[2].filled[30] = f32::INFINITY;
        with_task(&work, |task| {
            let mut run = State::new(member());
            let error = (0..RECIPE.steps).try_for_each(|_| run.advance(task, &RECIPE));
            assert_eq!(error.map_err(|diverged| diverged.series), Err(2));
        });
    }
}
