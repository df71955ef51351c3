//! Forecasts of covariates that should be known in advance and are not.
//!
//! Numbers are smoothed exponentially ([`classical`], the form chosen by corrected AIC) from what is known of them up to the
//! first missing step, values of the horizon that are given included. Names, and numbers of which no more than two differ
//! (a promotion, a holiday), are no level that could be smoothed: the one that was there most often at that step of the
//! season counts.

use crate::model::classical;
use crate::model::spec::ModelKind;
use crate::series::covariate::Values;
use std::collections::BTreeMap;

/// Different numbers up to which they count as names.
const STATES: usize = 2;

/// Seasons that are looked back on for the name that was there most often.
const SEASONS: usize = 8;

/// Last steps that are smoothed, or this many seasons if that is more: a covariate is one of many, of many series.
const STEPS_MAX: usize = 400;
const SEASONS_MAX: usize = 4;

/// Stretches of missing steps that are forecast one after the other; further ones are left to whoever asks.
const STRETCHES: usize = 4;

/// Forecasts the missing values from step `from` on, as many as fill `length` steps; those that are known stay, and so do
/// holes before that. Nothing is filled where nothing is known before.
pub(super) fn fill(values: &mut Vec<f64>, kind: &Values, (from, length): (usize, usize), season: usize) {
    values.resize(values.len().max(length), f64::NAN);
    let Some(first) = values.iter().position(|value| !value.is_nan()) else { return };
    let mut start = from;
    for _ in 0..STRETCHES {
        let Some(hole) = (start..length).find(|step| values[*step].is_nan()).filter(|hole| *hole > first)
        else {
            return;
        };
        let end = (hole..length).find(|step| !values[*step].is_nan()).unwrap_or(length);
        let known = filled(&values[first..hole]);
        let forecasts = match is_of_states(kind, &known) {
            true => most_often(&known, season, end - hole),
            false => smoothed(&known, season, end - hole),
        };
        let Some(forecasts) = forecasts else { return };
        values[hole..end].copy_from_slice(&forecasts);
        start = end;
    }
}

/// Values with every hole filled by the one before.
fn filled(values: &[f64]) -> Vec<f64> {
    let mut last = f64::NAN;
    let known = values.iter().map(|value| {
        last = if value.is_nan() { last } else { *value };
        last
    });
    known.collect()
}

fn is_of_states(kind: &Values, known: &[f64]) -> bool {
    let mut states: Vec<f64> = Vec::new();
    for value in known {
        if states.len() > STATES {
            break;
        }
        if !states.contains(value) {
            states.push(*value);
        }
    }
    matches!(kind, Values::Category(_)) || states.len() <= STATES
}

/// Exponential smoothing; nothing where there is too little of it.
fn smoothed(known: &[f64], season: usize, ahead: usize) -> Option<Vec<f64>> {
    let seen = &known[known.len().saturating_sub(STEPS_MAX.max(SEASONS_MAX * season))..];
    let median = classical::forecast(ModelKind::Ets, seen.to_vec(), &[season], ahead, &[0.5])?;
    let (least, largest) =
        known.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), y| (low.min(*y), high.max(*y)));
    // A price that has never been negative is not forecast to be.
    let bounded = |value: f64| if least >= 0.0 { value.max(0.0) } else { value };
    let bounded = |value: f64| if largest <= 0.0 { value.min(0.0) } else { bounded(value) };
    Some(median.column(0).iter().map(|value| bounded(*value)).collect())
}

/// What was there most often at the step of the season, the latest of equals; without a season, the last one.
fn most_often(known: &[f64], season: usize, ahead: usize) -> Option<Vec<f64>> {
    let last = *known.last()?;
    if season < 2 || known.len() < season {
        return Some(vec![last; ahead]);
    }
    let at = |step: usize| {
        let mut counts: BTreeMap<u64, (usize, usize)> = BTreeMap::new();
        let earlier = (1..=SEASONS).filter_map(|seasons| {
            let back = (step / season + seasons) * season;
            (known.len() + step).checked_sub(back).filter(|place| *place < known.len())
        });
        for (age, place) in earlier.enumerate() {
            counts.entry(known[place].to_bits()).or_insert((0, usize::MAX - age)).0 += 1;
        }
        let best = counts.into_iter().max_by_key(|(_, (count, youth))| (*count, *youth));
        best.map_or(last, |(bits, _)| f64::from_bits(bits))
    };
    Some((0..ahead).map(at).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAN: f64 = f64::NAN;

    fn after(values: &[f64], kind: &Values, season: usize, ahead: usize) -> Vec<f64> {
        let mut values = values.to_vec();
        let from = values.len();
        fill(&mut values, kind, (from, from + ahead), season);
        values.split_off(from)
    }

    #[test]
    fn numbers_go_on_with_their_season_and_their_trend() {
        let level = |step: usize| 100.0 + [0.0, 10.0, 30.0, -5.0][step % 4] + 0.5 * step as f64;
        let known: Vec<f64> = (0..80).map(level).collect();
        let forecast = after(&known, &Values::Real, 4, 6);
        for (step, value) in forecast.iter().enumerate() {
            assert!((value - level(80 + step)).abs() < 2.0, "step {step}: {value} for {}", level(80 + step));
        }
        // The value of the season before would be two below.
        let naive: f64 = (0..4).map(|step| (level(80 + step) - level(76 + step)).abs()).sum();
        let own: f64 = (0..4).map(|step| (level(80 + step) - forecast[step]).abs()).sum();
        assert!(own < naive, "{own} against {naive}");
    }

    #[test]
    fn names_and_states_are_those_that_were_there_most_often() {
        let names = Values::Category(vec!["fair".into(), "flood".into(), "none".into()]);
        let week = [2.0, 2.0, 0.0, 2.0, 2.0, 2.0, 2.0];
        let mut known: Vec<f64> = (0..70).map(|step| week[step % 7]).collect();
        known[65] = 1.0;
        assert_eq!(after(&known, &names, 7, 9), [2.0, 2.0, 0.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0]);
        let promo: Vec<f64> = known.iter().map(|name| f64::from(u8::from(*name == 0.0))).collect();
        assert_eq!(after(&promo, &Values::Real, 7, 3), [0.0, 0.0, 1.0], "no half a promotion");
        assert_eq!(after(&known[..5], &names, 7, 2), [2.0, 2.0], "less than a season: the last one");
        // Of what was there as often, the latest.
        assert_eq!(after(&[0.0, 2.0], &names, 1, 2), [2.0, 2.0]);
        assert_eq!(after(&[0.0, 1.0, 2.0, 1.0], &names, 2, 2), [2.0, 1.0]);
    }

    #[test]
    fn what_is_known_stays_and_what_was_never_known_is_not_made_up() {
        let mut values = vec![NAN, 5.0, NAN, 5.0, 5.0, NAN, 7.0, NAN];
        fill(&mut values, &Values::Real, (5, 9), 1);
        assert!(values[0].is_nan() && values[2].is_nan(), "holes of the history");
        assert_eq!(values[6], 7.0);
        assert_eq!((values[5], values.len()), (5.0, 9));
        assert!(values[7..].iter().all(|value| value.is_finite()));
        assert!(after(&[NAN, NAN], &Values::Real, 1, 2).iter().all(|value| value.is_nan()));
        let falling: Vec<f64> = (0..30).map(|step| 30.0 - f64::from(step)).collect();
        assert!(
            after(&falling, &Values::Real, 1, 20).iter().all(|value| *value >= 0.0),
            "no price below zero"
        );
    }
}
