//! Forecasters of one series each, fitted where they forecast: exponential smoothing, alone or after a decomposition.

use ndarray::Array2;
use stlrs::Mstl;

use crate::model::ets;
use crate::model::intermittent;
use crate::model::spec::ModelKind;
use crate::series::Frequency;

/// Last steps that exponential smoothing looks at, so that one series takes a second at most; a season has to fit in
/// twice to be seen.
const SMOOTHED_MAX: usize = 2_000;

/// Last steps that are decomposed.
const DECOMPOSED_MAX: usize = 20_000;

/// Values that a fit needs at least.
const VALUES_MIN: usize = 5;

/// The seasons of a series: the one found, and for a decomposition the next longer one that is usual at its frequency.
pub fn seasons(kind: ModelKind, season: usize, frequency: Frequency) -> Vec<usize> {
    let longer = frequency.season_lengths().into_iter().filter(|length| *length > season).min();
    let has_longer = kind == ModelKind::Mstl && season > 1;
    std::iter::once(season).chain(longer.filter(|_| has_longer)).collect()
}

/// Last steps that a forecast depends on.
pub fn reach(kind: ModelKind) -> usize {
    match kind {
        ModelKind::Mstl => DECOMPOSED_MAX,
        kind if kind.is_intermittent() => intermittent::REACH,
        _ => SMOOTHED_MAX,
    }
}

/// Quantile forecasts (T, Q) of a local model; `None` where there is too little to fit, or no finite forecast.
///
/// `seen` is the visible history, or its last steps ([`reach`]), with holes filled from the past; `seasons` the
/// season length and, for a decomposition, longer ones that count where two of their cycles are seen. The median is the
/// point forecast, the quantiles are those of a normal distribution around it, or of a demand
/// ([`intermittent::forecast`]). Sources: Hyndman et al. (2008) for
/// smoothing, Bandara, Hyndman and Bergmeir (2021, arXiv 2107.13462) for several seasons.
pub fn forecast(
    kind: ModelKind,
    mut seen: Vec<f64>,
    seasons: &[usize],
    horizon: usize,
    levels: &[f64],
) -> Option<Array2<f64>> {
    let season = seasons.first().copied().unwrap_or(1);
    seen.drain(..seen.len().saturating_sub(reach(kind)));
    let size = seen.iter().fold(0.0, |size: f64, y| size.max(y.abs()));
    if seen.len() < VALUES_MIN || !size.is_finite() {
        return None;
    }
    if kind.is_intermittent() {
        let forecast = intermittent::forecast(kind, &seen, horizon, levels)?;
        return Some(forecast.quantiles);
    }
    let first = seen[0];
    let normal = if seen.iter().all(|y| *y == first) {
        ets::Normal { mean: vec![first; horizon], deviation: vec![0.0; horizon] }
    } else {
        seen.iter_mut().for_each(|y| *y /= size);
        let mut normal = match kind {
            ModelKind::Mstl => decomposed(&seen, seasons, horizon)?,
            _ => ets::forecast(&seen, season, horizon)?,
        };
        normal.mean.iter_mut().chain(&mut normal.deviation).for_each(|value| *value *= size);
        normal
    };
    let scores: Vec<f64> = levels.iter().map(|&level| standard_normal_quantile(level)).collect();
    let quantiles = Array2::from_shape_fn((horizon, levels.len()), |(step, level)| {
        normal.mean[step] + scores[level] * normal.deviation[step]
    });
    quantiles.iter().all(|value| value.is_finite()).then_some(quantiles)
}

/// Smoothing of what is left without the seasons, and the last cycle of each of them on top.
fn decomposed(values: &[f64], seasons: &[usize], horizon: usize) -> Option<ets::Normal> {
    let fits = |season: &usize| *season > 1 && values.len() >= 2 * season;
    let mut seasons: Vec<usize> = seasons.iter().copied().filter(fits).collect();
    seasons.sort_unstable();
    seasons.dedup();
    if seasons.is_empty() {
        return ets::forecast(&values[values.len().saturating_sub(SMOOTHED_MAX)..], 1, horizon);
    }
    let parts = Mstl::fit(values, &seasons).ok()?;
    let rest = parts.trend().iter().zip(parts.remainder()).map(|(trend, remainder)| trend + remainder);
    let rest: Vec<f64> = rest.skip(values.len().saturating_sub(SMOOTHED_MAX)).collect();
    let mut normal = ets::forecast(&rest, 1, horizon)?;
    for (season, component) in seasons.iter().zip(parts.seasonal()) {
        let cycle = component[component.len() - season..].iter().cycle();
        normal.mean.iter_mut().zip(cycle).for_each(|(mean, term)| *mean += term);
    }
    Some(normal)
}

/// Value below which a standard normal variable lies with probability `level`, to about 1e-15, by bisection.
fn standard_normal_quantile(level: f64) -> f64 {
    if level > 0.5 {
        return -standard_normal_quantile(1.0 - level);
    }
    if level == 0.5 {
        return 0.0;
    }
    let (mut below, mut above) = (-40.0, 0.0);
    for _ in 0..60 {
        let middle = 0.5 * (below + above);
        let share = 0.5 * libm::erfc(-middle / std::f64::consts::SQRT_2);
        *(if share < level { &mut below } else { &mut above }) = middle;
    }
    0.5 * (below + above)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::past;

    const LEVELS: [f64; 5] = [0.025, 0.1, 0.5, 0.9, 0.975];
    const KINDS: [ModelKind; 2] = [ModelKind::Ets, ModelKind::Mstl];

    fn hourly(steps: usize) -> Vec<f64> {
        let week = |t: usize| if t % 168 < 120 { 10.0 } else { 0.0 };
        let wave = |t: usize| 5.0 * (t as f64 * std::f64::consts::TAU / 24.0).sin();
        (0..steps).map(|t| 50.0 + week(t) + wave(t) + (t * 7919 % 13) as f64 * 0.05).collect()
    }

    #[test]
    fn odd_data_has_a_forecast_or_none_but_never_breaks() {
        let wave: Vec<f64> = (0..60).map(|t| (t as f64 * 0.7).sin()).collect();
        let with = |factor: f64| wave.iter().map(|y| y * factor).collect::<Vec<f64>>();
        let odd: Vec<(Vec<f64>, bool)> = vec![
            (vec![], false),
            (vec![3.0], false),
            (vec![1.0, 2.0], false),
            (vec![f64::NAN; 30], true),
            (vec![0.0; 40], true),
            (vec![7.5; 40], true),
            (with(1e-300), true),
            (with(1e300), true),
            (with(5e-324), true),
            (vec![1e300, -1e300, 1e300, -1e300, 1e300, -1e300, 1e300, -1e300], true),
            ((0..50).map(f64::from).collect(), true),
            ((0..50).map(|t| f64::from(t % 12)).collect(), true),
            ((0..50).map(|t| 1.5_f64.powi(t)).collect(), true),
            ((0..50).map(|t| if t == 30 { 1e12 } else { 1.0 }).collect(), true),
            ((0..50).map(|t| if t % 9 == 0 { 4.0 } else { 0.0 }).collect(), true),
            ((0..50).map(|t| if t % 4 == 0 { f64::NAN } else { f64::from(t) }).collect(), true),
        ];
        for (values, has_forecast) in odd {
            for kind in KINDS {
                let forecast = forecast(kind, past::filled(&values, 12), &[12], 30, &LEVELS);
                assert_eq!(forecast.is_some(), has_forecast, "{kind:?} {:?}", values.first());
                for row in forecast.iter().flat_map(|quantiles| quantiles.outer_iter()) {
                    assert!(row.iter().all(|y| y.is_finite()));
                    assert!(row.to_vec().is_sorted(), "{kind:?} {row}");
                }
            }
        }
    }

    #[test]
    fn a_constant_stays_what_it_is() {
        for kind in KINDS {
            let forecast = forecast(kind, vec![7.3; 40], &[12], 5, &LEVELS).expect("long enough");
            assert!(forecast.iter().all(|&y| y == 7.3));
        }
    }

    #[test]
    fn the_decomposition_sees_the_week_behind_the_day() {
        let values = hourly(24 * 7 * 6 + 48);
        let (past, future) = values.split_at(24 * 7 * 6);
        let error = |seasons: &[usize]| {
            let quantiles =
                forecast(ModelKind::Mstl, past.to_vec(), seasons, 48, &[0.5]).expect("long enough");
            quantiles.iter().zip(future).map(|(f, y)| (f - y).abs()).sum::<f64>() / 48.0
        };
        assert!(error(&[24, 168]) < 1.0 && error(&[24]) > 2.0, "{} {}", error(&[24, 168]), error(&[24]));
        let hour = "1h".parse().expect("known");
        assert_eq!(seasons(ModelKind::Mstl, 24, hour), [24, 168]);
        assert_eq!(seasons(ModelKind::Mstl, 1, hour), [1]);
        assert_eq!(seasons(ModelKind::Ets, 24, hour), [24]);
    }

    #[test]
    fn normal_quantiles_are_those_of_the_tables() {
        // NIST/SEMATECH e-Handbook, table of the normal distribution: 1.2816, 1.9600, 2.3263.
        for (level, want) in [(0.9, 1.281_551_565_545), (0.975, 1.959_963_984_540), (0.99, 2.326_347_874_041)]
        {
            assert!((standard_normal_quantile(level) - want).abs() < 1e-11, "{level}");
            assert!((standard_normal_quantile(1.0 - level) + want).abs() < 1e-11, "{level}");
        }
        assert_eq!(standard_normal_quantile(0.5), 0.0);
    }
}
