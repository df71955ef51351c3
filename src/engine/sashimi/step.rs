//! The backbone one observation at a time: O(N) per channel, and a level works only when its frame is full.
//!
//! Down-pooling keeps frames until it has p of them. Up-pooling keeps a queue of p frames, zeros at first; when the last is
//! taken, the coarser level has just had its frame completed and fills the queue again. A level's clock therefore ticks
//! once in p ticks of the finer one, and the outputs are those of [`SashimiPlan::forward`] position by position.
//!
//! [`SashimiPlan::forward`]: crate::engine::sashimi::backbone::SashimiPlan::forward

use ndarray::{Array2, Array3, ArrayView2, Axis, s};

use crate::engine::linear;
use crate::engine::norm;
use crate::engine::real::Real;
use crate::engine::recurrence::Recurrence;
use crate::engine::s4d::C64;
use crate::engine::sashimi::backbone::SashimiParams;
use crate::engine::sashimi::pair::PairParams;
use crate::engine::sashimi::spec::SashimiSpec;

/// A backbone with its state-space models discretised.
pub struct Stepper<'a, F> {
    spec: &'a SashimiSpec,
    params: &'a SashimiParams<F>,
    systems: Vec<Recurrence>,
}

/// Where a batch of sequences stands; they share one clock. Clone it, or [`select`](StepState::select) from it, to
/// continue one past in several ways.
#[derive(Clone, Debug)]
pub struct StepState<F> {
    down: Vec<Frames<F>>,
    up: Vec<Frames<F>>,
    /// States (batch, H, N/2) of every pair, in f64: |Ā| may be 1 − 5e-4.
    ssm: Vec<Array3<C64>>,
}

/// p frames of the same level, side by side as in a group (batch, H p), and how many of them were written or taken.
#[derive(Clone, Debug)]
struct Frames<F> {
    values: Array2<F>,
    done: usize,
}

impl<F: Real> Frames<F> {
    fn zeros(batch: usize, width: usize, pool: usize) -> Frames<F> {
        Frames { values: Array2::zeros((batch, width * pool)), done: 0 }
    }

    /// Writes the next frame (batch, H); whether that was the last of p.
    fn push(&mut self, pool: usize, frame: ArrayView2<F>) -> bool {
        self.values.slice_mut(s![.., self.done..;pool]).assign(&frame);
        self.count(pool)
    }

    /// Takes the next frame (batch, H); whether that was the last of p.
    fn pop(&mut self, pool: usize) -> (Array2<F>, bool) {
        let frame = self.values.slice(s![.., self.done..;pool]).as_standard_layout().into_owned();
        (frame, self.count(pool))
    }

    fn count(&mut self, pool: usize) -> bool {
        self.done = (self.done + 1) % pool;
        self.done == 0
    }

    fn select(&self, rows: &[usize]) -> Frames<F> {
        Frames { values: self.values.select(Axis(0), rows), done: self.done }
    }
}

impl<F: Real> StepState<F> {
    /// Sequences `rows` of the batch in that order; a row may be taken many times, which forks it, or never.
    pub fn select(&self, rows: &[usize]) -> StepState<F> {
        StepState {
            down: self.down.iter().map(|frames| frames.select(rows)).collect(),
            up: self.up.iter().map(|frames| frames.select(rows)).collect(),
            ssm: self.ssm.iter().map(|state| state.select(Axis(0), rows)).collect(),
        }
    }
}

impl<'a, F: Real> Stepper<'a, F> {
    /// Discretises the state-space models of all pairs.
    pub fn new(spec: &'a SashimiSpec, params: &'a SashimiParams<F>) -> Stepper<'a, F> {
        Stepper { spec, params, systems: params.pairs().map(|pair| pair.recurrence(spec)).collect() }
    }

    /// The state before the first observation of `batch` sequences.
    pub fn start(&self, batch: usize) -> StepState<F> {
        let levels = self.spec.levels();
        let frames = || levels.iter().zip(&self.spec.pools);
        let ssm = |pair: &PairParams<F>| {
            let width = pair.s4.mix.weight.ncols();
            Array3::from_elem((batch, width, self.spec.modes), C64::ZERO)
        };
        StepState {
            down: frames().map(|(level, &pool)| Frames::zeros(batch, level.width, pool)).collect(),
            up: frames().rev().map(|(level, &pool)| Frames::zeros(batch, level.width, pool)).collect(),
            ssm: self.params.pairs().map(ssm).collect(),
        }
    }

    /// Output (batch, H) of the next observation x (batch, H).
    pub fn step(&self, state: &mut StepState<F>, x: ArrayView2<F>) -> Array2<F> {
        let pools = &self.spec.pools;
        // Frames of the levels that tick now, finest first.
        let mut skips = vec![x.to_owned()];
        for ((frames, map), &pool) in state.down.iter_mut().zip(&self.params.down).zip(pools) {
            let finer = skips.last().expect("the input is there");
            if !frames.push(pool, finer.view()) {
                break;
            }
            skips.push(linear::forward(map, frames.values.view()));
        }
        // Output of the next coarser level, if that ticks.
        let mut coarse = None;
        if skips.len() > pools.len() {
            let skip = skips.pop().expect("one more than there are pools");
            coarse = Some(self.pairs(0, &self.params.center, &mut state.ssm, skip));
        }
        for (index, (stage, frames)) in self.params.up.iter().zip(&mut state.up).enumerate() {
            let level = pools.len() - 1 - index;
            if level >= skips.len() {
                continue;
            }
            let (frame, was_last) = frames.pop(pools[level]);
            if was_last {
                let coarse = coarse.take().expect("the coarser level ticks when its frame is full");
                frames.values = linear::forward(&stage.pool, coarse.view());
            }
            let s = frame + skips.pop().expect("the level ticks");
            coarse = Some(self.pairs(index + 1, &stage.pairs, &mut state.ssm, s));
        }
        let finest = coarse.expect("the finest level always ticks");
        norm::forward(&self.params.norm, finest.view()).0
    }

    /// s + pairs(s) for the pairs of stage `stage`: the centre is stage 0.
    fn pairs(
        &self,
        stage: usize,
        pairs: &[PairParams<F>],
        ssm: &mut [Array3<C64>],
        s: Array2<F>,
    ) -> Array2<F> {
        let first = stage * self.spec.layers;
        let systems = self.systems[first..].iter().zip(&mut ssm[first..]);
        let y = pairs
            .iter()
            .zip(systems)
            .fold(s.clone(), |x, (pair, (system, state))| pair.step(system, state, x));
        y + s
    }
}
