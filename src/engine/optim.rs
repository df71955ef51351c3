//! AdamW over parameter groups, global-norm clipping, learning-rate schedule and averaged weights.

use crate::engine::param::Kind;
use crate::engine::real::Real;

/// Decay of the first and second moment, and the number added to the root of the second (Kingma and Ba, 2015).
const BETA_1: f64 = 0.9;
const BETA_2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// Added to the norm before dividing by it, as PyTorch's `clip_grad_norm_`.
const CLIP_EPSILON: f64 = 1e-6;

/// How one tensor is trained.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Group {
    /// Learning rate before the schedule's multiplier; 0 freezes the tensor and leaves its moments alone.
    pub learning_rate: f64,
    /// Decoupled weight decay (Loshchilov and Hutter, arXiv 1711.05101).
    pub weight_decay: f64,
}

/// How each kind of tensor is trained (S4 reference recipe).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    /// Of everything but the dynamics.
    pub learning_rate: f64,
    /// Of dt and A, and in S4 of P and B, which are not decayed.
    pub ssm_learning_rate: f64,
    /// Decoupled decay of matrices.
    pub weight_decay: f64,
}

impl Rates {
    /// The group of a kind.
    pub fn group(&self, kind: Kind) -> Group {
        let (learning_rate, weight_decay) = match kind {
            Kind::Ssm => (self.ssm_learning_rate, 0.0),
            Kind::Matrix => (self.learning_rate, self.weight_decay),
            Kind::Vector => (self.learning_rate, 0.0),
            Kind::Frozen => (0.0, 0.0),
        };
        Group { learning_rate, weight_decay }
    }
}

/// First and second moment of every parameter, and the number of steps done.
#[derive(Clone, Debug)]
pub struct AdamW<F> {
    steps: i32,
    first: Vec<Vec<F>>,
    second: Vec<Vec<F>>,
}

impl<F: Real> AdamW<F> {
    /// Moments zero, for tensors of these sizes.
    pub fn new(sizes: &[usize]) -> AdamW<F> {
        let zeros = || sizes.iter().map(|&size| vec![F::zero(); size]).collect();
        AdamW { steps: 0, first: zeros(), second: zeros() }
    }

    /// Number of steps done, and all first and all second moments, tensor after tensor: what a checkpoint keeps.
    pub fn moments(&self) -> (i32, Vec<F>, Vec<F>) {
        (self.steps, self.first.concat(), self.second.concat())
    }

    /// The optimiser that [`AdamW::moments`] describes, for tensors of these sizes.
    ///
    /// # Panics
    /// If there are fewer or more moments than the sizes add up to.
    pub fn resume(sizes: &[usize], steps: i32, first: &[F], second: &[F]) -> AdamW<F> {
        let mut optimizer = AdamW::new(sizes);
        optimizer.steps = steps;
        for (to, from) in [(&mut optimizer.first, first), (&mut optimizer.second, second)] {
            let mut rest = from;
            for tensor in to {
                let (values, after) = rest.split_at(tensor.len());
                tensor.copy_from_slice(values);
                rest = after;
            }
            assert!(rest.is_empty(), "{} moments too many", rest.len());
        }
        optimizer
    }

    // m ← β₁ m + (1 − β₁) g,  v ← β₂ v + (1 − β₂) g²,  both divided by 1 − β^t because they started at zero;
    // θ ← θ (1 − lr wd),  θ ← θ − lr m̂ / (√v̂ + ε).

    /// One step on all tensors, which keep their order from step to step; the learning rates are those of `groups`
    /// times `multiplier`.
    ///
    /// # Panics
    /// If the numbers of tensors, gradients and groups differ from those at construction.
    pub fn step(&mut self, params: &mut [&mut [F]], grads: &[&[F]], groups: &[Group], multiplier: f64) {
        assert_eq!(params.len(), self.first.len(), "tensors");
        assert_eq!(grads.len(), self.first.len(), "gradients");
        assert_eq!(groups.len(), self.first.len(), "groups");
        self.steps += 1;
        let (one, epsilon) = (F::one(), F::of(EPSILON));
        let (beta_1, beta_2) = (F::of(BETA_1), F::of(BETA_2));
        let (rest_1, rest_2) = (F::of(1.0 - BETA_1), F::of(1.0 - BETA_2));
        let correction_1 = 1.0 - BETA_1.powi(self.steps);
        let root_correction_2 = F::of((1.0 - BETA_2.powi(self.steps)).sqrt());
        let moments = self.first.iter_mut().zip(&mut self.second);
        for (((params, grads), group), (first, second)) in
            params.iter_mut().zip(grads).zip(groups).zip(moments)
        {
            if group.learning_rate == 0.0 {
                continue;
            }
            let learning_rate = group.learning_rate * multiplier;
            let kept = one - F::of(learning_rate * group.weight_decay);
            let rate = F::of(learning_rate / correction_1);
            assert_eq!(params.len(), first.len(), "parameters of a tensor");
            assert_eq!(grads.len(), first.len(), "gradients of a tensor");
            for (((theta, &g), m), v) in params.iter_mut().zip(*grads).zip(first).zip(second) {
                *m = beta_1 * *m + rest_1 * g;
                *v = beta_2 * *v + rest_2 * g * g;
                *theta = *theta * kept - rate * *m / (v.sqrt() / root_correction_2 + epsilon);
            }
        }
    }
}

/// Scales the gradients by min(1, limit / (norm + 1e-6)), norm being that of all of them together in f64, and returns the
/// norm before.
pub fn clip_global_norm<F: Real>(grads: &mut [&mut [F]], limit: f64) -> f64 {
    let square = |values: &[F]| values.iter().map(|value| value.wide() * value.wide()).sum::<f64>();
    let norm = grads.iter().map(|values| square(values)).sum::<f64>().sqrt();
    let scale = limit / (norm + CLIP_EPSILON);
    if scale < 1.0 {
        let scale = F::of(scale);
        grads.iter_mut().flat_map(|values| values.iter_mut()).for_each(|value| *value *= scale);
    }
    norm
}

/// Linear warm-up, then half a cosine down to zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Steps of warm-up.
    pub warmup: usize,
    /// All steps, warm-up included.
    pub total: usize,
}

impl Schedule {
    /// Multiplier of the learning rate at `step`, counted from 0: (step + 1) / warmup during warm-up, so that the first
    /// step is not wasted, then (1 + cos(π (step − warmup) / (total − warmup))) / 2, and 0 from `total` on.
    pub fn multiplier(&self, step: usize) -> f64 {
        if step < self.warmup {
            return (step + 1) as f64 / self.warmup as f64;
        }
        if step >= self.total {
            return 0.0;
        }
        let progress = (step - self.warmup) as f64 / (self.total - self.warmup) as f64;
        0.5 * (1.0 + (std::f64::consts::PI * progress).cos())
    }
}

/// Decay of the averaged weights after `step`, counted from 0: min(limit, (1 + step) / (10 + step)), so that the start
/// is forgotten quickly.
pub fn ema_decay(step: usize, limit: f64) -> f64 {
    let step = step as f64;
    limit.min((1.0 + step) / (10.0 + step))
}

/// averaged ← decay · averaged + (1 − decay) · current, tensor by tensor.
pub fn average<F: Real>(averaged: &mut [&mut [F]], current: &[&mut [F]], decay: f64) {
    assert_eq!(averaged.len(), current.len(), "tensors");
    let rest = F::of(1.0 - decay);
    for (averaged, current) in averaged.iter_mut().zip(current) {
        for (mean, &value) in averaged.iter_mut().zip(current.iter()) {
            *mean += rest * (value - *mean);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AdamW, Group, Schedule, average, clip_global_norm, ema_decay};

    #[test]
    fn the_first_step_moves_by_the_learning_rate_against_the_sign() {
        let mut optimizer = AdamW::new(&[2, 1]);
        let (mut a, mut b) = ([1.0_f64, 2.0], [3.0_f64]);
        let groups = [
            Group { learning_rate: 0.1, weight_decay: 0.5 },
            Group { learning_rate: 0.0, weight_decay: 0.5 },
        ];
        optimizer.step(&mut [&mut a, &mut b], &[&[4.0, -5.0], &[6.0]], &groups, 1.0);
        assert!((a[0] - (0.95 - 0.1)).abs() < 1e-8 && (a[1] - (1.9 + 0.1)).abs() < 1e-8);
        assert_eq!(b, [3.0]);
    }

    #[test]
    fn an_optimizer_goes_on_from_its_moments() {
        let groups = [Group { learning_rate: 0.1, weight_decay: 0.5 }; 2];
        let step = |optimizer: &mut AdamW<f64>, a: &mut [f64], b: &mut [f64]| {
            optimizer.step(&mut [a, b], &[&[4.0, -5.0], &[6.0]], &groups, 1.0);
        };
        let (mut whole, mut a, mut b) = (AdamW::new(&[2, 1]), [1.0, 2.0], [3.0]);
        step(&mut whole, &mut a, &mut b);
        let (steps, first, second) = whole.moments();
        let (mut resumed, mut c, mut d) = (AdamW::resume(&[2, 1], steps, &first, &second), a, b);
        step(&mut whole, &mut a, &mut b);
        step(&mut resumed, &mut c, &mut d);
        assert_eq!((a, b), (c, d));
    }

    #[test]
    fn clipping_scales_only_what_is_too_long() {
        let (mut a, mut b) = ([3.0_f32], [4.0_f32]);
        assert_eq!(clip_global_norm(&mut [&mut a, &mut b], 10.0), 5.0);
        assert_eq!((a, b), ([3.0], [4.0]));
        assert_eq!(clip_global_norm(&mut [&mut a, &mut b], 1.0), 5.0);
        assert!((a[0] - 0.6).abs() < 1e-6 && (b[0] - 0.8).abs() < 1e-6);
    }

    #[test]
    fn the_schedule_warms_up_and_ends_at_zero() {
        let schedule = Schedule { warmup: 4, total: 12 };
        let expected = [(0, 0.25), (3, 1.0), (4, 1.0), (8, 0.5), (12, 0.0), (99, 0.0)];
        for (step, value) in expected {
            assert!((schedule.multiplier(step) - value).abs() < 1e-15, "step {step}");
        }
    }

    #[test]
    fn averaging_forgets_the_start_quickly_at_first() {
        assert_eq!((ema_decay(0, 0.99), ema_decay(100_000, 0.99)), (0.1, 0.99));
        let (mut mean, mut value) = ([0.0_f64], [1.0_f64]);
        average(&mut [&mut mean], &[&mut value], 0.25);
        assert_eq!(mean, [0.75]);
    }
}
