//! What a count head reads of a series at an origin: how its mean, zeros and spread look over several stretches of the past.
//!
//! ```text
//! m₁ m₂ m₃ m₄     means over the last 5, 20, 60 and 240 steps (whole seasons where that is more), each shrunk to the longer one
//! i₁ i₂           the season's index of a step over 8 and 40 seasons, shrunk to 1
//! start           log mean ln m₂ + ln i₂, dispersion and extra zeros by moments of the longest stretch
//! ```
//!
//! Before anything is learnt, the head's forecast is the start: a distribution of each series alone.

use ndarray::{Array2, ArrayView2, s};

use crate::engine::likelihood::Likelihood;
use crate::engine::negative_binomial::{Counts, DISPERSIONS};

/// Steps of the stretches, before they are made whole seasons.
const STRETCHES: [usize; 4] = [5, 20, 60, 240];

/// Seasons that the two indices are taken from.
const SEASONS: [usize; 2] = [8, 40];

/// Steps that a mean is shrunk by.
const STEPS_PRIOR: f64 = 4.0;

/// Demand that an index is shrunk by, for counts that vary by their mean: seasons move means by about a sixth.
const DEMAND_PRIOR: f64 = 30.0;

/// Observed values that a history needs at least.
pub const VALUES_MIN: usize = 10;

/// Features without those of covariates (F).
const FEATURES: usize = 17;

/// Steps from the origin after which half of what the last values say is gone.
const HALF_LIFE: f64 = 2.0;

/// Features and start of one forecast.
pub struct Inputs {
    /// Features (T, F), the first of them 1.
    pub features: Array2<f64>,
    /// Outputs of the head before anything is learnt (T, P).
    pub start: Array2<f64>,
    /// What a learnt term of an output is multiplied by (P): 1 but for a mean that is no logarithm.
    pub units: Vec<f64>,
}

/// Last steps that a forecast looks at.
pub fn reach(season: usize) -> usize {
    let stretches = stretches(season);
    stretches[3].max(if season > 1 { SEASONS[1] * season } else { 0 })
}

/// Features (F) with that many terms of covariates.
pub fn width(extras: usize) -> usize {
    FEATURES + extras
}

/// The inputs at the end of a history, `NaN` where nothing was observed; `extras` (T, E) are what covariates say of each step.
/// `None` where too little was observed.
pub fn read(
    likelihood: Likelihood,
    history: &[f64],
    season: usize,
    extras: ArrayView2<f32>,
) -> Option<Inputs> {
    let history = &history[history.len().saturating_sub(reach(season))..];
    let horizon = extras.nrows();
    let level = Level::of(history, season)?;
    let seasonal = SEASONS.map(|seasons| indices(history, season, seasons, horizon));
    let [m1, m2, m3, m4] = level.means;
    let trends = [m1 / m2, m3 / m2, m4 / m2].map(libm::log);
    let logs = |index: f64| libm::log(index);
    let mut features = Array2::zeros((horizon, width(extras.ncols())));
    let mut start = Array2::zeros((horizon, likelihood.outputs()));
    for (step, mut row) in features.outer_iter_mut().enumerate() {
        let (ahead, fading) = ((step as f64 + 1.0) / horizon as f64, 0.5f64.powf(step as f64 / HALF_LIFE));
        let [short, long] = [seasonal[0][step], seasonal[1][step]].map(logs);
        let own = [
            1.0,
            trends[0],
            trends[1],
            trends[2],
            trends[0] * ahead,
            trends[1] * ahead,
            trends[2] * ahead,
            short - long,
            long,
            level.last,
            level.last * fading,
            level.run,
            level.run * fading,
            level.zeros,
            libm::log(m2),
            level.log_dispersion,
            ahead,
        ];
        row.slice_mut(s![..FEATURES]).iter_mut().zip(own).for_each(|(to, from)| *to = from);
        row.slice_mut(s![FEATURES..])
            .iter_mut()
            .zip(extras.row(step))
            .for_each(|(to, from)| *to = f64::from(*from));
        let outputs = match likelihood {
            Likelihood::Counts => [level.logit, libm::log(m2) + long, level.log_dispersion],
            Likelihood::Gaussian => [m2 * seasonal[1][step], libm::log(level.deviation), 0.0],
        };
        start.row_mut(step).iter_mut().zip(outputs).for_each(|(to, from)| *to = from);
    }
    let units = match likelihood {
        Likelihood::Counts => vec![1.0; 3],
        Likelihood::Gaussian => vec![level.deviation, 1.0],
    };
    Some(Inputs { features, start, units })
}

/// The stretches at a season length: whole seasons where they are longer than one.
fn stretches(season: usize) -> [usize; 4] {
    STRETCHES.map(|steps| if steps > season { steps.next_multiple_of(season.max(1)) } else { steps })
}

/// A history in figures.
struct Level {
    /// m₁ to m₄, positive.
    means: [f64; 4],
    /// ln of the last value plus 1, from what m₂ lets expect.
    last: f64,
    /// ln of the zeros at the end plus 1.
    run: f64,
    /// Log odds of a zero over the third stretch.
    zeros: f64,
    /// Standard deviation over the longest stretch, positive.
    deviation: f64,
    /// Of the count distribution by moments.
    log_dispersion: f64,
    logit: f64,
}

impl Level {
    fn of(history: &[f64], season: usize) -> Option<Level> {
        let seen = |steps: usize| {
            history[history.len().saturating_sub(steps)..].iter().copied().filter(|y| !y.is_nan())
        };
        let lengths = stretches(season);
        if seen(history.len()).count() < VALUES_MIN {
            return None;
        }
        // Half a demand in the longest stretch, so that a series of zeros has a mean, too.
        let all: Vec<f64> = seen(lengths[3]).collect();
        let count = all.len() as f64;
        let mut mean = (all.iter().sum::<f64>() + 0.5) / (count + 1.0);
        let mut means = [mean; 4];
        for stretch in (0..3).rev() {
            let (sum, count) =
                seen(lengths[stretch]).fold((0.0, 0.0), |(sum, count), y| (sum + y, count + 1.0));
            mean = (sum + STEPS_PRIOR * mean) / (count + STEPS_PRIOR);
            means[stretch] = mean;
        }
        let longest = means[3];
        let variance = all.iter().map(|y| (y - longest).powi(2)).sum::<f64>() / count.max(1.0);
        let zeros = |steps: usize| seen(steps).filter(|y| *y == 0.0).count() as f64;
        let recent = seen(lengths[2]).count() as f64;
        let share = (zeros(lengths[3]) + 0.5) / (count + 1.0);
        let (zero, dispersion) = by_moments(longest, variance, share, count);
        let last = seen(history.len()).next_back().unwrap_or(0.0);
        let run = history.iter().rev().take_while(|y| y.is_nan() || **y == 0.0).count() as f64;
        Some(Level {
            means,
            last: libm::log1p(last.max(0.0)) - libm::log1p(means[1]),
            run: libm::log1p(run),
            zeros: libm::log((zeros(lengths[2]) + 0.5) / (recent - zeros(lengths[2]) + 0.5)),
            deviation: variance.max(longest).sqrt(),
            log_dispersion: libm::log(dispersion),
            logit: libm::log(zero / (1.0 - zero)),
        })
    }
}

/// Extra zeros are none of the moments' business below that and beyond.
const ZEROS: (f64, f64) = (0.01, 0.9);

/// Weight of the usual dispersion against a value each.
const DISPERSION_PRIOR: (f64, f64) = (20.0, 0.5);

/// Extra zeros and dispersion of counts with that mean, variance and share of zeros: the two equations in turn.
fn by_moments(mean: f64, variance: f64, share: f64, count: f64) -> (f64, f64) {
    let (mut zero, mut dispersion) = (ZEROS.0, DISPERSION_PRIOR.1);
    for _ in 0..MOMENT_PASSES {
        let inner = mean / (1.0 - zero);
        let own = (variance / (1.0 - zero) - zero * inner * inner - inner) / (inner * inner);
        let (weight, usual) = DISPERSION_PRIOR;
        dispersion = (count * own.max(0.0) + weight * usual) / (count + weight);
        dispersion = dispersion.clamp(DISPERSIONS.0, DISPERSIONS.1);
        let expected = Counts { zero: 0.0, mean: inner, dispersion }.cdf(0.0);
        let extra = ((share - expected) / (1.0 - expected).max(1e-9)).clamp(ZEROS.0, ZEROS.1);
        zero = 0.5 * (zero + extra);
    }
    (zero, dispersion)
}

/// Passes over the two equations; they settle within a few.
const MOMENT_PASSES: usize = 12;

/// The season's index of every step of the horizon (T) over the last `seasons`, shrunk to 1; 1 without a season.
fn indices(history: &[f64], season: usize, seasons: usize, horizon: usize) -> Vec<f64> {
    if season < 2 {
        return vec![1.0; horizon];
    }
    let whole = (history.len() / season).min(seasons) * season;
    let recent = &history[history.len() - whole..];
    let (mut sums, mut counts) = (vec![0.0; season], vec![0.0; season]);
    for (at, y) in recent.iter().enumerate().filter(|(_, y)| !y.is_nan()) {
        sums[at % season] += y;
        counts[at % season] += 1.0;
    }
    let count = counts.iter().sum::<f64>();
    // Half a demand, as for the mean.
    let mean = (sums.iter().sum::<f64>() + 0.5) / (count + 1.0);
    let squares = recent.iter().filter(|y| !y.is_nan()).map(|y| (y - mean).powi(2)).sum::<f64>();
    // Counts vary by their mean at least.
    let prior = DEMAND_PRIOR * (squares / (count + 1.0) / mean).max(1.0);
    let index = |at: usize| (sums[at] + prior) / (counts[at] * mean + prior);
    (0..horizon).map(|step| index(step % season)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(history: &[f64], season: usize) -> Option<Inputs> {
        read(Likelihood::Counts, history, season, Array2::zeros((9, 2)).view())
    }

    #[test]
    fn the_start_is_a_distribution_of_the_series_alone() {
        // Half extra zeros, else 1 to 9: mean 2.5.
        let values: Vec<f64> =
            (0..400).map(|t| if t % 2 == 0 { 0.0 } else { ((t * 7919) % 9 + 1) as f64 }).collect();
        let start = inputs(&values, 1).expect("long enough").start;
        assert!((start[[0, 1]].exp() - 2.5).abs() < 0.3, "{start}");
        assert!((0.3..0.6).contains(&(1.0 / (1.0 + (-start[[0, 0]]).exp()))), "{start}");
        // Nearly Poisson: no extra zeros to speak of.
        let calm: Vec<f64> = (0..400).map(|t| [0.0, 1.0, 1.0, 2.0, 0.0, 2.0, 1.0, 3.0][t * 5 % 8]).collect();
        let start = inputs(&calm, 1).expect("long enough").start;
        assert!(start[[0, 0]] < -2.0 && start[[0, 2]] < -1.5, "{start}");
    }

    #[test]
    fn the_season_shows_in_the_start_and_every_history_has_finite_inputs_or_none() {
        let week: Vec<f64> = (0..280).map(|t| if t % 7 == 3 { 6.0 } else { 1.0 }).collect();
        let start = inputs(&week, 7).expect("long enough").start;
        assert!(start[[3, 1]] > start[[2, 1]] + 1.0 && start[[2, 1]] == start[[4, 1]], "{start}");
        for (values, season, is_some) in [
            (vec![], 7, false),
            (vec![1.0; 9], 7, false),
            (vec![0.0; 30], 7, true),
            (vec![f64::NAN; 300], 7, false),
            (vec![1e8; 30], 1, true),
            ((0..40).map(|t| if t % 3 == 0 { f64::NAN } else { 1.0 }).collect(), 52, true),
        ] {
            let inputs = inputs(&values, season);
            assert_eq!(inputs.is_some(), is_some, "{:?}", values.first());
            let is_finite =
                |inputs: Inputs| inputs.features.iter().chain(&inputs.start).all(|x| x.is_finite());
            assert!(inputs.is_none_or(is_finite), "{:?}", values.first());
        }
    }

    #[test]
    fn steps_before_the_reach_do_not_count() {
        for season in [1, 7, 24] {
            let values: Vec<f64> = (0..3_000).map(|t| ((t * 7919) % 5) as f64).collect();
            let whole = inputs(&values, season).expect("long enough");
            let end = inputs(&values[values.len() - reach(season)..], season).expect("long enough");
            assert_eq!(whole.features, end.features);
        }
    }
}
