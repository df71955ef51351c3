//! Values far outside of what a series does: spikes and drops.
//!
//! ```text
//! b_t = median(y_{t−m}, y_{t−2m}, y_{t−3m})        m, the season: what the same phase was
//! r_t = y_t − b_t                                  c, s: median and robust deviation of r over the reference, the R steps before
//! y_t is a spike  ⇔  |r_t − c| > k·s  and y_t lies k·s/2 outside of all values since the reference began
//! ```
//!
//! A Hampel identifier (Hampel 1974; Davies and Gather 1993) of seasonal residuals, looking back only: what is known later
//! changes nothing about a value, so that a backtest sees what a forecast saw. The range keeps what happens now and then,
//! such as a weekly peak or a sale, from being called a spike; it also ends a spike where a new level begins.

use super::robust;

/// Seasons of the reference.
const SEASONS: usize = 8;

/// Least steps of the reference.
const STEPS_MIN: usize = 48;

/// Least residuals that tell a spread, and least seasons of them.
const KNOWN_MIN: usize = 20;
const SEASONS_MIN: usize = 3;

/// Share of the threshold that a spike lies outside of all values: a sale that is a little larger than the last is none.
const MARGIN: f64 = 0.5;

/// Earlier values of the same phase that a value is compared with.
const PHASES: usize = 3;

/// One value far outside.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spike {
    /// Its step.
    pub(super) at: usize,
    pub(super) value: f64,
    /// What season and level suggest.
    pub(super) expected: f64,
    /// Distance from that in robust deviations, positive.
    pub(super) distance: f64,
}

/// The spikes among the steps of a grid from `from` on, ascending; `NaN` is a missing value. Where the reference holds too few
/// values, or equal ones only, nothing is called a spike.
///
/// Steps share the reference of their stretch of a season, counted from the first step, so that the cost is linear.
pub(super) fn spikes(values: &[f64], season: usize, threshold: f64, from: usize) -> Vec<Spike> {
    let season = season.max(1);
    let (reach, stretch) = ((SEASONS * season).max(STEPS_MIN), season.max(STEPS_MIN / SEASONS));
    let mut found = Vec::new();
    let first = from / stretch;
    for begin in (first..).map(|number| number * stretch).take_while(|begin| *begin < values.len()) {
        let Some(reference) = Reference::of(values, season, begin.saturating_sub(reach)..begin) else {
            continue;
        };
        let (mut low, mut high) = reference.range;
        for at in begin..(begin + stretch).min(values.len()) {
            let value = values[at];
            if value.is_nan() {
                continue;
            }
            let margin = threshold * MARGIN * reference.deviation;
            let is_outside = value < low - margin || value > high + margin;
            (low, high) = (low.min(value), high.max(value));
            if !is_outside || at < from {
                continue;
            }
            let expected = phase(values, season, at) + reference.center;
            let distance = (value - expected).abs() / reference.deviation;
            if distance > threshold {
                found.push(Spike { at, value, expected, distance });
            }
        }
    }
    found
}

/// What a series did before.
struct Reference {
    center: f64,
    deviation: f64,
    /// Least and largest value.
    range: (f64, f64),
}

impl Reference {
    fn of(values: &[f64], season: usize, steps: std::ops::Range<usize>) -> Option<Reference> {
        let observed = || values[steps.clone()].iter().copied().filter(|value| !value.is_nan());
        let range = (observed().fold(f64::INFINITY, f64::min), observed().fold(f64::NEG_INFINITY, f64::max));
        let residuals = steps.clone().map(|at| values[at] - phase(values, season, at));
        let mut residuals: Vec<f64> = residuals.filter(|residual| residual.is_finite()).collect();
        if residuals.len() < KNOWN_MIN.max(SEASONS_MIN * season) {
            return None;
        }
        let center = robust::median(&mut residuals);
        let size = range.0.abs().max(range.1.abs());
        let deviation = robust::deviation(&mut residuals, center, size)?;
        Some(Reference { center, deviation, range })
    }
}

/// The median of the last values of the same phase; `NaN` where none is known.
fn phase(values: &[f64], season: usize, at: usize) -> f64 {
    let mut earlier = [0.0; PHASES];
    let mut count = 0;
    let steps = (1..=PHASES).filter_map(|back| at.checked_sub(back * season));
    for value in steps.map(|step| values[step]).filter(|value| !value.is_nan()) {
        earlier[count] = value;
        count += 1;
    }
    robust::median(&mut earlier[..count])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Days of a week with a little noise that no seed decides.
    fn week(steps: usize) -> Vec<f64> {
        (0..steps)
            .map(|t| 100.0 + 20.0 * f64::from(u8::from(t % 7 < 5)) + (t * t % 11) as f64 / 2.0)
            .collect()
    }

    fn places(values: &[f64], from: usize) -> Vec<usize> {
        spikes(values, 7, 8.0, from).iter().map(|spike| spike.at).collect()
    }

    #[test]
    fn a_value_ten_times_as_large_and_a_drop_to_zero_are_spikes() {
        let mut values = week(120);
        assert!(places(&values, 0).is_empty());
        values[80] *= 10.0;
        values[115] = 0.0;
        assert_eq!(places(&values, 0), [80, 115]);
        assert_eq!(places(&values, 113), [115]);
        let spike = spikes(&values, 7, 8.0, 113)[0];
        assert!((spike.expected - 120.0).abs() < 8.0 && spike.distance > 8.0, "{spike:?}");
    }

    #[test]
    fn what_came_before_is_no_spike_when_it_comes_again() {
        let mut values = week(140);
        [(60, 400.0), (74, 405.0), (88, 398.0)].into_iter().for_each(|(at, sale)| values[at] = sale);
        assert_eq!(places(&values, 0), [60]);
        // A new level is one only where it begins.
        let mut moved = week(140);
        moved[100..].iter_mut().for_each(|value| *value += 500.0);
        assert!(places(&moved, 103).is_empty());
        assert_eq!(places(&moved, 100)[0], 100);
    }

    #[test]
    fn later_values_change_nothing() {
        let mut values = week(200);
        [70, 91, 150].into_iter().for_each(|at| values[at] *= 10.0);
        values[120] = f64::NAN;
        let all = places(&values, 0);
        for end in 60..200 {
            let until: Vec<usize> = all.iter().copied().filter(|at| *at < end).collect();
            assert_eq!(places(&values[..end], 0), until, "{end}");
        }
    }

    #[test]
    fn short_constant_and_empty_series_have_none() {
        let mut young = week(20);
        young[19] = 1e6;
        assert!(places(&young, 0).is_empty());
        let mut constant = vec![5.0; 100];
        constant[99] = 50.0;
        assert!(places(&constant, 0).is_empty());
        assert!(places(&[], 0).is_empty() && places(&[f64::NAN; 90], 0).is_empty());
        let gigantic: Vec<f64> = (0..100).map(|t| if t % 2 == 0 { 1.7e308 } else { -1.7e308 }).collect();
        assert!(places(&gigantic, 0).is_empty());
    }
}
