//! What a forecast needs of a series' past: running sums over all of it, and its last values.
//!
//! ```text
//! y₁ … y_{n−R} | y_{n−R+1} … y_n          R, the reach: the last steps that maps, networks and smoothing look at
//!     sums       tail (R)                 the step y_{n+1} costs O(1), however long the series is
//! ```
//!
//! The sums are taken in order, so a value that is added later and a pass over everything give the same bits. A network
//! reads a window that is scaled by itself and starts from a state of zero: what it remembers of a series between two
//! forecasts are the values of the window.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::model::work::Space;
use crate::series::metric::Mean;

/// Sums over all values of a series, in the order of time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sums {
    /// Values, missing ones included.
    pub steps: usize,
    /// First observed value.
    pub first: Option<f64>,
    /// Whether no observed value is zero or below.
    pub is_positive: bool,
    /// Least and largest observed value; the other way round before there is one.
    pub ends: (f64, f64),
    /// |y_t − y_{t−season}|, of logarithms where the models work on those.
    pub difference: Mean,
    /// |y|, of logarithms where the models work on those.
    pub size: Mean,
    /// Number, mean and summed squared distance from it of the observed values (Welford 1962), where the models divide by
    /// the deviation.
    pub spread: Welford,
}

/// A mean and a sum of squares under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Welford {
    /// Values.
    pub count: usize,
    /// Their mean.
    pub mean: f64,
    /// Σ (y − mean)².
    pub squares: f64,
}

impl Welford {
    fn add(&mut self, value: f64) {
        self.count += 1;
        let distance = value - self.mean;
        self.mean += distance / self.count as f64;
        self.squares += distance * (value - self.mean);
    }

    fn deviation(self) -> f64 {
        (self.squares / self.count as f64).sqrt()
    }
}

impl Default for Sums {
    fn default() -> Sums {
        let (difference, size) = (Mean::default(), Mean::default());
        let ends = (f64::INFINITY, f64::NEG_INFINITY);
        Sums { steps: 0, first: None, is_positive: true, ends, difference, size, spread: Welford::default() }
    }
}

impl Sums {
    /// Of these values.
    pub fn of(values: &[f64], space: Space, season: usize) -> Sums {
        let mut sums = Sums::default();
        let is_log = space == Space::Log;
        let logs: Cow<'_, [f64]> =
            if is_log { values.iter().map(|y| y.ln()).collect::<Vec<_>>().into() } else { values.into() };
        for (t, (&y, &seen)) in values.iter().zip(logs.iter()).enumerate() {
            let before = t.checked_sub(season).map_or(f64::NAN, |before| logs[before]);
            sums.add(y, seen, before, space);
        }
        sums
    }

    /// Observed values.
    pub fn observed(&self) -> usize {
        self.size.count()
    }

    /// Distance between the least and the largest observed value; not positive where there are not two of them.
    pub fn range(&self) -> f64 {
        self.ends.1 - self.ends.0
    }

    /// Adds the value `y`, which came `season` steps after `before` (`NaN` where there is none).
    fn push(&mut self, y: f64, before: f64, space: Space) {
        let of = |y: f64| if space == Space::Log { y.ln() } else { y };
        self.add(y, of(y), of(before), space);
    }

    fn add(&mut self, y: f64, seen: f64, before: f64, space: Space) {
        self.steps += 1;
        if y.is_nan() {
            return;
        }
        self.first.get_or_insert(y);
        self.is_positive &= y > 0.0;
        self.ends = (self.ends.0.min(y), self.ends.1.max(y));
        self.size.add(seen.abs());
        let difference = (seen - before).abs();
        if !difference.is_nan() {
            self.difference.add(difference);
        }
        if space == Space::Standard {
            self.spread.add(y);
        }
    }

    /// Mean |y_t − y_{t−season}| over observed pairs; where that is zero or undefined, the spread or size of `values`, and 1
    /// for a series of zeros: always positive and finite.
    pub fn noise(&self, values: impl FnOnce() -> Vec<f64>) -> f64 {
        let size = self.size.value().unwrap_or(f64::NAN);
        // Below that, differences are the rounding of a constant.
        let is_usable = |noise: &f64| noise.is_finite() && *noise > size * 1e-9 && *noise > 1e-300;
        let spread = || {
            let observed: Vec<f64> = values().into_iter().filter(|y| !y.is_nan()).collect();
            let center = mean(observed.iter().copied(), observed.len());
            mean(observed.iter().map(|y| (y - center).abs()), observed.len())
        };
        let difference = self.difference.value().filter(is_usable);
        difference
            .or_else(|| Some(spread()).filter(is_usable))
            .or(Some(size).filter(is_usable))
            .unwrap_or(1.0)
    }

    /// Standard deviation of the observed values; that failing, their size, and 1 for a series of zeros.
    pub fn deviation(&self) -> f64 {
        let size = self.size.value().unwrap_or(f64::NAN);
        let is_usable = |unit: &f64| unit.is_finite() && *unit > 1e-300;
        let deviation = Some(self.spread.deviation()).filter(|d| is_usable(d) && *d > size * 1e-9);
        deviation.or(Some(size).filter(is_usable)).unwrap_or(1.0)
    }
}

fn mean(values: impl Iterator<Item = f64>, count: usize) -> f64 {
    // Dividing first keeps gigantic values finite.
    values.map(|value| value / count as f64).sum()
}

/// A series as far as a forecast looks at it.
pub struct Past<'a> {
    /// Over everything.
    pub sums: Sums,
    /// The last steps before the tail, at most a season, with holes filled.
    pub before: Cow<'a, [f64]>,
    /// The last steps, `NaN` where nothing was observed: as many as the reach, or all.
    pub tail: &'a [f64],
}

impl<'a> Past<'a> {
    /// Of all values of a series.
    pub fn of(values: &'a [f64], space: Space, season: usize, reach: usize) -> Past<'a> {
        let start = values.len().saturating_sub(reach);
        let before = (start.saturating_sub(season)..start).map(|t| filled_at(values, t, season)).collect();
        Past { sums: Sums::of(values, space, season), before: Cow::Owned(before), tail: &values[start..] }
    }

    /// The tail with holes filled.
    pub fn filled(&self, season: usize) -> Vec<f64> {
        fill(&self.before, self.tail, season, self.sums.first.unwrap_or(0.0))
    }
}

/// The past of a series that goes on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// Over everything.
    pub sums: Sums,
    /// See [`Past::before`].
    pub before: Vec<f64>,
    /// See [`Past::tail`]; it may be longer than a forecast asks for.
    pub tail: Vec<f64>,
}

impl Kept {
    /// Of what is known so far.
    pub fn of(past: &Past<'_>) -> Kept {
        Kept { sums: past.sums, before: past.before.to_vec(), tail: past.tail.to_vec() }
    }

    /// As a forecast sees it that looks at the last `reach` steps.
    pub fn past(&self, season: usize, reach: usize) -> Past<'_> {
        let start = self.tail.len().saturating_sub(reach);
        let before = match start {
            0 => Cow::Borrowed(self.before.as_slice()),
            _ => Cow::Owned(self.before_tail(season, start)),
        };
        Past { sums: self.sums, before, tail: &self.tail[start..] }
    }

    /// Filled values before the step at `start` of the tail, at most a season.
    fn before_tail(&self, season: usize, start: usize) -> Vec<f64> {
        if let Some(from) = start.checked_sub(season)
            && self.tail[from..start].iter().all(|y| !y.is_nan())
        {
            return self.tail[from..start].to_vec();
        }
        let filled = fill(&self.before, &self.tail[..start], season, self.sums.first.unwrap_or(0.0));
        let mut before = [self.before.as_slice(), &filled].concat();
        before.drain(..before.len().saturating_sub(season));
        before
    }

    /// Goes on by some values and keeps the last `reach`, at least `season` of them.
    pub fn extend(&mut self, values: &[f64], space: Space, season: usize, reach: usize) {
        for &y in values {
            let before = self.tail.len().checked_sub(season).map_or(f64::NAN, |at| self.tail[at]);
            self.sums.push(y, before, space);
            self.tail.push(y);
        }
        let gone = self.tail.len().saturating_sub(reach);
        if gone > 0 {
            self.before = self.before_tail(season, gone);
            self.tail.drain(..gone);
        }
    }
}

/// Fills missing values from the past: one season earlier where known, else the last known value; before the first
/// observation, with `first`. `before` are filled values that come before these, a season of them or all.
pub fn fill(before: &[f64], values: &[f64], season: usize, first: f64) -> Vec<f64> {
    let mut filled = Vec::with_capacity(before.len() + values.len());
    filled.extend_from_slice(before);
    for &y in values {
        let t = filled.len();
        let guess = if t >= season { filled[t - season] } else { filled.last().copied().unwrap_or(first) };
        filled.push(if y.is_nan() { guess } else { y });
    }
    filled.drain(..before.len());
    filled
}

/// All values of a series with holes filled, see [`fill`].
pub fn filled(values: &[f64], season: usize) -> Vec<f64> {
    fill(&[], values, season, values.iter().copied().find(|y| !y.is_nan()).unwrap_or(0.0))
}

/// What [`fill`] makes of the value at `t`, without the others.
fn filled_at(values: &[f64], t: usize, season: usize) -> f64 {
    let seasons = std::iter::successors(Some(t), |t| t.checked_sub(season));
    let same_phase = seasons.map(|t| values[t]).find(|y| !y.is_nan());
    let earlier = || values[..=t % season].iter().rev().copied().find(|y| !y.is_nan());
    let any = || values.iter().copied().find(|y| !y.is_nan());
    same_phase.or_else(earlier).or_else(any).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn holey() -> impl Strategy<Value = Vec<f64>> {
        prop::collection::vec(prop_oneof![3 => 0.1..9.0, 1 => Just(f64::NAN)], 0..60)
    }

    fn is_same(one: &Kept, other: &Kept) -> bool {
        let bits = |values: &[f64]| values.iter().map(|y| y.to_bits()).collect::<Vec<_>>();
        one.sums == other.sums && one.before == other.before && bits(&one.tail) == bits(&other.tail)
    }

    proptest! {
        #[test]
        fn going_on_is_like_having_seen_everything(
            values in holey(), cut in 0usize..60, season in 1usize..6, more in 0usize..9, spare in 0usize..9,
        ) {
            let (cut, reach) = (cut.min(values.len()), season + more);
            for space in [Space::Log, Space::Scaled, Space::Standard] {
                let mut kept = Kept::of(&Past::of(&values[..cut], space, season, reach + spare));
                kept.extend(&values[cut..], space, season, reach + spare);
                let all = Past::of(&values, space, season, reach);
                let past = kept.past(season, reach);
                prop_assert!(is_same(&Kept::of(&past), &Kept::of(&all)), "{kept:?}");
                let whole = filled(&values, season);
                prop_assert_eq!(past.filled(season), &whole[values.len() - all.tail.len()..]);
            }
        }
    }

    #[test]
    fn constant_and_zero_series_have_a_positive_unit() {
        let noise = |values: &[f64]| Sums::of(values, Space::Scaled, 1).noise(|| values.to_vec());
        let deviation = |values: &[f64]| Sums::of(values, Space::Standard, 1).deviation();
        assert_eq!(noise(&[5.0, 5.0, 5.0]), 5.0);
        assert_eq!(noise(&[0.0, 0.0]), 1.0);
        assert!(noise(&[1e300, -1e300, 1e300]).is_finite());
        assert_eq!((deviation(&[5.0, 5.0]), deviation(&[0.0, 0.0]), deviation(&[1.0, 3.0])), (5.0, 1.0, 1.0));
        assert!(deviation(&[1e300, -1e300, 1e300]).is_finite());
        assert_eq!((noise(&[]), deviation(&[])), (1.0, 1.0));
    }
}
