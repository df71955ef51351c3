//! Intermittent demand, one series at a time: how often something is asked for, and how much then.
//!
//! ```text
//! croston      size ẑ and interval p̂ between demands, each smoothed where there is demand; rate ẑ / p̂      Croston (1972)
//! croston_sba  the same with weights of 0.1, times 1 − 0.1/2, without the bias of a ratio    Syntetos and Boylan (2005)
//! tsb          the probability of demand is smoothed at every step, so it fades  Teunter, Syntetos and Babai (2011)
//! adida        sums over as many steps as demands are apart, smoothed              Nikolopoulos et al. (2011)
//! imapa        mean of the same at every number of steps up to that              Petropoulos and Kourentzes (2015)
//! ```
//!
//! Each gives a rate; the distribution around it is a demand with a probability, of a size that is one and a negative binomial
//! where all values are whole, or one of those seen where they are not. Every step of a horizon is forecast alike.

use ndarray::Array2;

use crate::engine::negative_binomial::{Counts, DISPERSIONS};
use crate::model::baseline::quantile;
use crate::model::counts::{WHOLE_MAX, are_whole};
use crate::model::spec::ModelKind;

/// Smoothing weight that is tried without a search: Croston's own range is 0.1 to 0.3.
const WEIGHT: f64 = 0.1;

/// Where weights are looked for.
const CROSTON: Weight = Weight::Between(0.1, 0.3);
const TSB: Weight = Weight::Between(0.02, 0.3);

/// Last values that a forecast looks at.
pub const REACH: usize = 2_000;

/// The smoothing weight of a sequence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Weight {
    /// As it is.
    Fixed(f64),
    /// The one with the least squared errors one step ahead, between two bounds.
    Between(f64, f64),
}

/// Demand per step: a probability, and a size where there is demand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Demand {
    /// Mean per step.
    pub rate: f64,
    /// Probability that there is any, in [0, 1].
    pub probability: f64,
    /// Mean size where there is.
    pub size: f64,
}

/// Forecasts of one series.
pub struct Forecast {
    /// Mean demand per step.
    pub rate: f64,
    /// Quantiles (T, Q), whole numbers where all values are, never decreasing along Q.
    pub quantiles: Array2<f64>,
}

/// Quantile forecasts of a series without missing values, of which only the last [`REACH`] are looked at; `None` where there
/// are none, or any is negative: that is no demand.
pub fn forecast(kind: ModelKind, values: &[f64], horizon: usize, levels: &[f64]) -> Option<Forecast> {
    let values = &values[values.len().saturating_sub(REACH)..];
    let is_demand = |y: &f64| *y >= 0.0 && *y <= SIZE_MAX;
    if values.is_empty() || !values.iter().all(is_demand) {
        return None;
    }
    let demand = demand(kind, values);
    let row = quantiles(&demand, &sizes(values), levels);
    let quantiles = Array2::from_shape_fn((horizon, levels.len()), |(_, level)| row[level]);
    Some(Forecast { rate: demand.rate, quantiles })
}

/// Values beyond that are no demand: sums of their squares would overflow.
const SIZE_MAX: f64 = 1e100;

/// What a method makes of a series; no demand at all where there has been none.
pub fn demand(kind: ModelKind, values: &[f64]) -> Demand {
    match kind {
        ModelKind::Tsb => tsb(values, TSB, TSB),
        ModelKind::Adida => of_rate(adida(values), values),
        ModelKind::Imapa => of_rate(imapa(values), values),
        ModelKind::CrostonSba => {
            let Demand { rate, probability, size } = croston(values, Weight::Fixed(WEIGHT));
            let without_bias = 1.0 - WEIGHT / 2.0;
            Demand { rate: rate * without_bias, probability: probability * without_bias, size }
        }
        _ => croston(values, CROSTON),
    }
}

/// Croston's method with that weight for sizes and intervals.
pub fn croston(values: &[f64], weight: Weight) -> Demand {
    let (Some(size), Some(interval)) =
        (smoothed(&sizes(values), weight), smoothed(&intervals(values), weight))
    else {
        return Demand { rate: 0.0, probability: 0.0, size: 0.0 };
    };
    // Intervals are at least one step.
    Demand { rate: size / interval, probability: 1.0 / interval, size }
}

/// The method of Teunter, Syntetos and Babai with weights of sizes and of the probability.
pub fn tsb(values: &[f64], of_size: Weight, of_probability: Weight) -> Demand {
    let occurs: Vec<f64> = values.iter().map(|&y| f64::from(u8::from(y > 0.0))).collect();
    let (Some(size), Some(probability)) =
        (smoothed(&sizes(values), of_size), smoothed(&occurs, of_probability))
    else {
        return Demand { rate: 0.0, probability: 0.0, size: 0.0 };
    };
    Demand { rate: size * probability, probability, size }
}

/// Rate from sums over the mean interval; 0 without any demand.
pub fn adida(values: &[f64]) -> f64 {
    mean_interval(values).map_or(0.0, |level| aggregated(values, level))
}

/// Mean of the rates from sums over one step up to the mean interval; 0 without any demand.
pub fn imapa(values: &[f64]) -> f64 {
    let Some(level) = mean_interval(values) else { return 0.0 };
    (1..=level).map(|level| aggregated(values, level)).sum::<f64>() / level as f64
}

/// Mean interval between demands in whole steps, halves to the even number; `None` without any.
fn mean_interval(values: &[f64]) -> Option<usize> {
    let intervals = intervals(values);
    let mean = intervals.iter().sum::<f64>() / intervals.len() as f64;
    (!intervals.is_empty()).then(|| mean.round_ties_even() as usize)
}

/// Smoothed sums of `level` steps each, per step; steps at the start that fill no sum are left out.
fn aggregated(values: &[f64], level: usize) -> f64 {
    let sums: Vec<f64> = values[values.len() % level..].chunks(level).map(|part| part.iter().sum()).collect();
    smoothed(&sums, CROSTON).unwrap_or(0.0) / level as f64
}

/// Probability and size for a rate: the size is that of Croston's method, as long as the probability can be one.
fn of_rate(rate: f64, values: &[f64]) -> Demand {
    let size = smoothed(&sizes(values), Weight::Fixed(WEIGHT)).unwrap_or(0.0);
    if rate >= size {
        return Demand { rate, probability: f64::from(u8::from(rate > 0.0)), size: rate };
    }
    Demand { rate, probability: rate / size, size }
}

/// Values where there is demand.
fn sizes(values: &[f64]) -> Vec<f64> {
    values.iter().copied().filter(|y| *y > 0.0).collect()
}

/// Steps from one demand to the next, the first one from before the start.
fn intervals(values: &[f64]) -> Vec<f64> {
    let mut last = -1.0;
    let places = values.iter().enumerate().filter(|(_, y)| **y > 0.0).map(|(at, _)| at as f64);
    places.map(|at| at - std::mem::replace(&mut last, at)).collect()
}

/// Simple exponential smoothing from the first value on; `None` of nothing.
fn smoothed(values: &[f64], weight: Weight) -> Option<f64> {
    let weight = match weight {
        Weight::Fixed(weight) => weight,
        Weight::Between(low, high) => least_squares(values, low, high),
    };
    let (first, rest) = values.split_first()?;
    Some(rest.iter().fold(*first, |level, y| weight * y + (1.0 - weight) * level))
}

/// Smoothing weight with the least squared errors one step ahead, by golden section (Kiefer 1953).
fn least_squares(values: &[f64], mut low: f64, mut high: f64) -> f64 {
    let cost = |weight: f64| {
        let mut level = values.first().copied().unwrap_or(0.0);
        let mut sum = 0.0;
        for y in values.iter().skip(1) {
            sum += (y - level) * (y - level);
            level = weight * y + (1.0 - weight) * level;
        }
        sum
    };
    let ratio = (5f64.sqrt() - 1.0) / 2.0;
    let (mut left, mut right) = (high - ratio * (high - low), low + ratio * (high - low));
    let (mut at_left, mut at_right) = (cost(left), cost(right));
    while high - low > PRECISION {
        if at_left < at_right {
            (high, right, at_right) = (right, left, at_left);
            left = high - ratio * (high - low);
            at_left = cost(left);
        } else if at_left == at_right {
            // Where the cost says nothing, the middle.
            (low, high) = (left, right);
            (left, right) = (high - ratio * (high - low), low + ratio * (high - low));
            (at_left, at_right) = (cost(left), cost(right));
        } else {
            (low, left, at_left) = (left, right, at_right);
            right = low + ratio * (high - low);
            at_right = cost(right);
        }
    }
    (low + high) / 2.0
}

/// Width at which the search for a weight ends; a cost is flat to rounding long before.
const PRECISION: f64 = 1e-9;

/// Quantiles of one step. Of whole sizes, those after the first unit are negative binomial with the variance of the sizes seen;
/// other sizes are those seen, in proportion to the mean.
fn quantiles(demand: &Demand, sizes: &[f64], levels: &[f64]) -> Vec<f64> {
    let none = 1.0 - demand.probability;
    // The levels among the sizes; at 0 and below there is no demand.
    let inner =
        |level: &f64| if demand.probability > 0.0 { (level - none) / demand.probability } else { 0.0 };
    let inner: Vec<f64> = levels.iter().map(inner).collect();
    let (mean, variance) = moments(sizes);
    let is_whole = sizes.iter().all(|size| *size == size.round() && *size < WHOLE_MAX);
    if is_whole {
        let beyond = (demand.size - 1.0).max(0.0);
        let dispersion = (variance - (mean - 1.0)) / (mean - 1.0).powi(2);
        let dispersion = if dispersion.is_finite() { dispersion } else { 0.0 };
        let dispersion = dispersion.clamp(DISPERSIONS.0, DISPERSIONS.1);
        let within: Vec<f64> = inner.iter().map(|level| level.clamp(0.0, 1.0)).collect();
        let more = Counts { zero: 0.0, mean: beyond, dispersion }.quantiles(&within);
        return inner
            .iter()
            .zip(more)
            .map(|(level, more)| if *level > 0.0 { 1.0 + more } else { 0.0 })
            .collect();
    }
    let mut sorted = sizes.to_vec();
    sorted.sort_by(f64::total_cmp);
    let factor = demand.size / mean;
    let of = |level: &f64| if *level > 0.0 { factor * quantile(&sorted, level.min(1.0)) } else { 0.0 };
    // Between two equal sizes, rounding may take the larger level below the smaller one.
    let ascending = |least: &mut f64, level: &f64| {
        *least = least.max(of(level));
        Some(*least)
    };
    inner.iter().scan(0.0, ascending).collect()
}

/// Mean and variance; zeros of nothing.
fn moments(values: &[f64]) -> (f64, f64) {
    let count = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / count;
    (mean, values.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / count)
}

/// How demand comes, by the scheme of Syntetos, Boylan and Croston (2005): steps per demand (ADI) up to or beyond 1.32, squared
/// coefficient of variation of the sizes up to or beyond 0.49.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Often, of like sizes.
    Smooth,
    /// Often, of unlike sizes.
    Erratic,
    /// Seldom, of like sizes.
    Intermittent,
    /// Seldom, of unlike sizes.
    Lumpy,
}

/// The pattern of a series, missing values left out; `None` where there has been no demand, or a value is negative.
pub fn pattern(values: &[f64]) -> Option<Pattern> {
    let seen: Vec<f64> = values.iter().copied().filter(|y| !y.is_nan()).collect();
    let sizes = sizes(&seen);
    if sizes.is_empty() || seen.iter().any(|y| *y < 0.0) {
        return None;
    }
    let (mean, variance) = moments(&sizes);
    let is_seldom = seen.len() as f64 / sizes.len() as f64 >= 1.32;
    let is_unlike = variance / (mean * mean) >= 0.49;
    Some(match (is_seldom, is_unlike) {
        (false, false) => Pattern::Smooth,
        (false, true) => Pattern::Erratic,
        (true, false) => Pattern::Intermittent,
        (true, true) => Pattern::Lumpy,
    })
}

/// Whether series are counts that are zero often: whole numbers from 0 on, and most series that have any demand with seldom
/// demand.
pub fn are_counts<'a>(series: impl Iterator<Item = &'a [f64]>) -> bool {
    let (mut known, mut seldom) = (0usize, 0usize);
    for values in series {
        if !are_whole(values) {
            return false;
        }
        if let Some(pattern) = pattern(values) {
            known += 1;
            seldom += usize::from(matches!(pattern, Pattern::Intermittent | Pattern::Lumpy));
        }
    }
    2 * seldom > known
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LEVELS: [f64; 5] = [0.025, 0.1, 0.5, 0.9, 0.975];
    const KINDS: [ModelKind; 5] =
        [ModelKind::Croston, ModelKind::CrostonSba, ModelKind::Tsb, ModelKind::Adida, ModelKind::Imapa];

    #[test]
    fn croston_by_hand() {
        // Demands of 4 at the 2nd, 2 at the 3rd and 6 at the 6th step: intervals 2, 1, 3.
        let values = [0.0, 4.0, 2.0, 0.0, 0.0, 6.0];
        let Demand { rate, probability, size } = croston(&values, Weight::Fixed(0.5));
        assert_eq!((size, 1.0 / probability), (0.5 * 6.0 + 0.5 * 3.0, 0.5 * 3.0 + 0.5 * 1.5));
        assert_eq!(rate, size * probability);
        let fading = tsb(&[4.0, 0.0, 0.0], Weight::Fixed(0.5), Weight::Fixed(0.5));
        assert_eq!((fading.probability, fading.size), (0.25, 4.0));
        // Mean interval 2: sums 4, 2, 6.
        assert_eq!(mean_interval(&values), Some(2));
        let sums = [4.0, 2.0, 6.0];
        assert_eq!(adida(&values), smoothed(&sums, CROSTON).expect("some") / 2.0);
    }

    #[test]
    fn a_weight_is_found_where_the_errors_are_least() {
        let values: Vec<f64> = (0..80).map(|t| ((t * 7919) % 11) as f64 + t as f64 * 0.1).collect();
        let found = least_squares(&values, 0.01, 0.9);
        let error = |weight: f64| {
            let mut level = values[0];
            values[1..]
                .iter()
                .map(|y| {
                    let error = y - level;
                    level += weight * error;
                    error * error
                })
                .sum::<f64>()
        };
        assert!((1..90).all(|step| error(found) <= error(0.01 * f64::from(step)) + 1e-9), "{found}");
    }

    #[test]
    fn a_distribution_has_the_mean_of_its_rate() {
        let levels: Vec<f64> = (0..20_000).map(|i| (f64::from(i) + 0.5) / 20_000.0).collect();
        let whole: Vec<f64> =
            (0..300).map(|t| if t * 7 % 10 < 6 { 0.0 } else { (t % 5 + 1) as f64 }).collect();
        let parts: Vec<f64> = whole.iter().map(|y| 0.37 * y).collect();
        for values in [&whole, &parts] {
            for kind in KINDS {
                let forecast = forecast(kind, values, 1, &levels).expect("demand");
                let mean = forecast.quantiles.mean().expect("levels");
                assert!((mean / forecast.rate - 1.0).abs() < 0.02, "{kind:?}: {mean} {}", forecast.rate);
                let is_whole = forecast.quantiles.iter().all(|q| *q == q.round());
                assert_eq!(is_whole, std::ptr::eq(values, &whole));
            }
        }
    }

    #[test]
    fn what_is_no_demand_has_no_forecast_and_no_demand_is_none() {
        for kind in KINDS {
            assert!(forecast(kind, &[], 3, &LEVELS).is_none());
            assert!(forecast(kind, &[1.0, -0.1, 0.0], 3, &LEVELS).is_none());
            assert!(forecast(kind, &[1.0, 1e200], 3, &LEVELS).is_none());
            let none = forecast(kind, &[0.0; 20], 3, &LEVELS).expect("zeros");
            assert!(none.rate == 0.0 && none.quantiles.iter().all(|q| *q == 0.0));
            let always = forecast(kind, &[3.0; 20], 2, &LEVELS).expect("demand");
            assert!((always.rate / 3.0 - 1.0).abs() < 0.051 && always.quantiles[[1, 2]] == 3.0, "{kind:?}");
        }
    }

    #[test]
    fn patterns_are_those_of_the_scheme() {
        let seldom =
            |size: fn(usize) -> f64| (0..60).map(|t| if t % 3 == 0 { size(t) } else { 0.0 }).collect();
        let cases: [(Vec<f64>, Option<Pattern>); 6] = [
            ((0..60).map(|t| f64::from(t % 3 + 4)).collect(), Some(Pattern::Smooth)),
            ((0..60).map(|t| if t % 4 == 0 { 30.0 } else { 2.0 }).collect(), Some(Pattern::Erratic)),
            (seldom(|_| 2.0), Some(Pattern::Intermittent)),
            (seldom(|t| if t % 4 == 0 { 40.0 } else { 1.0 }), Some(Pattern::Lumpy)),
            (vec![0.0; 9], None),
            (vec![1.0, -1.0], None),
        ];
        for (values, want) in &cases {
            assert_eq!(pattern(values), *want, "{values:?}");
        }
        let of = |places: &[usize]| are_counts(places.iter().map(|&at| cases[at].0.as_slice()));
        assert!(
            of(&[2, 3, 4]) && of(&[2, 3, 0]) && !of(&[2, 0]) && !of(&[0, 1]) && !of(&[2, 5]) && !of(&[4])
        );
        assert!(!are_counts([&[0.5, 0.0, 0.0, 0.0][..]].into_iter()));
    }

    #[test]
    fn quantiles_between_equal_sizes_are_in_order() {
        let values = [0.0, 7.0, 33.126246909072684, 7.0, 33.03494521927177];
        let row = forecast(ModelKind::Adida, &values, 1, &LEVELS).expect("demand").quantiles;
        assert!(row.iter().is_sorted(), "{row}");
    }

    proptest! {
        #[test]
        fn quantiles_are_in_order_and_finite(
            values in prop::collection::vec(prop_oneof![3 => Just(0.0), 1 => 0.0..40.0, 1 => Just(7.0)], 1..80),
            is_whole: bool,
        ) {
            let values: Vec<f64> = values.iter().map(|y: &f64| if is_whole { y.round() } else { *y }).collect();
            for kind in KINDS {
                let quantiles = forecast(kind, &values, 2, &LEVELS).expect("demand").quantiles;
                for row in quantiles.outer_iter() {
                    prop_assert!(row.iter().all(|q| q.is_finite() && *q >= 0.0));
                    prop_assert!(row.to_vec().is_sorted(), "{kind:?} {row}");
                    prop_assert!(!is_whole || row.iter().all(|q| *q == q.round()));
                }
            }
        }
    }
}
