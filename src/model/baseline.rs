//! Naive forecasts with empirical quantiles: the bar for every model and the fallback of every series.

use ndarray::Array2;

use crate::model::past;

/// Errors needed before the empirical quantiles of a lag are trusted.
const ERRORS_MIN: usize = 20;

/// Quantile forecasts (T, Q) by the value one season (or as many seasons as needed) earlier.
///
/// `values` is the visible history with `NaN` where nothing was observed; `season` 1 is the naive forecast. The median
/// is the seasonal naive value itself; the other levels add the centred empirical quantiles of the errors that the
/// same lag made in the history, or those of one season times √seasons where there are too few (of one step where there is
/// hardly a season). All zeros without any
/// observation. Source: Hyndman and Athanasopoulos, Forecasting: Principles and Practice, 5.2 and 5.5.
pub fn seasonal_naive(values: &[f64], season: usize, horizon: usize, levels: &[f64]) -> Array2<f64> {
    seasonal_naive_filled(values, &past::filled(values, season), season, horizon, levels)
}

/// Steps at the end of a history that [`seasonal_naive`] depends on, with holes in them filled.
pub fn reach(season: usize, horizon: usize) -> usize {
    ERRORS_MAX + season * horizon.div_ceil(season)
}

/// As [`seasonal_naive`], for values whose holes are filled in `filled`.
pub fn seasonal_naive_filled(
    values: &[f64],
    filled: &[f64],
    season: usize,
    horizon: usize,
    levels: &[f64],
) -> Array2<f64> {
    // A history shorter than a season repeats its last value.
    let season = if filled.len() >= season { season } else { 1 };
    let one_season = few_or_more(values, season);
    let mut forecast = Array2::zeros((horizon, levels.len()));
    if filled.is_empty() {
        return forecast;
    }
    let mut seasons_before = 0;
    let mut offsets = Vec::new();
    for (step, mut row) in forecast.outer_iter_mut().enumerate() {
        let seasons = step / season + 1;
        if seasons != seasons_before {
            offsets = offsets_at(values, season, seasons, &one_season, levels);
            seasons_before = seasons;
        }
        let point = filled[filled.len() - season + step % season];
        for (quantile, offset) in row.iter_mut().zip(&offsets) {
            *quantile = (point + offset).clamp(-f64::MAX, f64::MAX);
        }
        // Interpolated quantiles of gigantic errors may change places by a rounding.
        row.as_slice_mut().expect("standard layout").sort_by(f64::total_cmp);
    }
    forecast
}

/// Point forecasts (T) of [`seasonal_naive`], which are its medians.
pub fn seasonal_naive_point(values: &[f64], season: usize, horizon: usize) -> Vec<f64> {
    let filled = past::filled(values, season);
    let season = if filled.len() >= season { season } else { 1 };
    let last = filled.len().saturating_sub(season);
    (0..horizon).map(|step| filled.get(last + step % season).copied().unwrap_or(0.0)).collect()
}

/// Errors below which quantiles of those of one season say next to nothing.
const ERRORS_FEW: usize = 5;

/// Sorted errors one season ahead. Where they are few, those of one step stand in if there are more of them, and few of
/// either count with both signs: a single error is no interval.
fn few_or_more(values: &[f64], season: usize) -> Vec<f64> {
    let mut found = errors(values, season);
    if found.len() < ERRORS_FEW {
        let steps = errors(values, 1);
        found = if steps.len() > found.len() { steps } else { found };
    }
    if found.len() < ERRORS_FEW {
        found.extend(found.clone().into_iter().map(|error| -error));
        found.sort_by(f64::total_cmp);
    }
    found
}

/// Latest errors that quantiles are taken from: more would cost time and change little.
const ERRORS_MAX: usize = 2_000;

/// Sorted errors of the forecast `lag` steps ahead, the latest ones.
fn errors(values: &[f64], lag: usize) -> Vec<f64> {
    let values = &values[values.len().saturating_sub(ERRORS_MAX.saturating_add(lag))..];
    let pairs = values.iter().skip(lag).zip(values);
    let mut errors: Vec<f64> = pairs.map(|(now, before)| now - before).filter(|e| e.is_finite()).collect();
    errors.sort_by(f64::total_cmp);
    errors
}

/// Quantile minus median of the errors, one per level.
fn offsets_at(values: &[f64], season: usize, seasons: usize, one_season: &[f64], levels: &[f64]) -> Vec<f64> {
    let own = if seasons == 1 { one_season.to_vec() } else { errors(values, season.saturating_mul(seasons)) };
    let (sorted, factor) =
        if own.len() >= ERRORS_MIN { (own.as_slice(), 1.0) } else { (one_season, (seasons as f64).sqrt()) };
    let median = quantile(sorted, 0.5);
    levels.iter().map(|&level| factor * (quantile(sorted, level) - median)).collect()
}

/// Empirical quantile of sorted values by linear interpolation; 0 of none.
pub fn quantile(sorted: &[f64], level: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let position = level * last as f64;
    let below = (position.floor() as usize).min(last);
    let above = (below + 1).min(last);
    let share = position - below as f64;
    sorted[below] * (1.0 - share) + sorted[above] * share
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_repeats_the_season_and_the_quantiles_widen() {
        let values: Vec<f64> = (0..40).map(|t| [10.0, 20.0][t % 2] + (t * t % 7) as f64).collect();
        let forecast = seasonal_naive(&values, 2, 4, &[0.1, 0.5, 0.9]);
        assert_eq!(forecast.column(1).to_vec(), seasonal_naive_point(&values, 2, 4));
        assert_eq!(forecast.column(1).to_vec(), [values[38], values[39], values[38], values[39]]);
        assert!(forecast.outer_iter().all(|row| row[0] <= row[1] && row[1] <= row[2]));
    }

    #[test]
    fn a_history_with_hardly_a_season_has_an_interval() {
        let year = [5.0, 9.0, 4.0, 8.0, 2.0, 7.0, 3.0, 9.0, 1.0, 6.0, 5.0, 8.0, 6.0];
        for values in [&year[..], &year[..12], &year[..2]] {
            let forecast = seasonal_naive(values, 12, 3, &[0.1, 0.5, 0.9]);
            assert!(forecast.outer_iter().all(|row| row[0] < row[1] && row[1] < row[2]), "{forecast}");
        }
    }

    #[test]
    fn short_empty_and_holey_histories_have_a_forecast() {
        assert_eq!(seasonal_naive(&[], 12, 2, &[0.5]).sum(), 0.0);
        assert_eq!(seasonal_naive(&[7.0], 12, 2, &[0.1, 0.9]).sum(), 28.0);
        assert_eq!(seasonal_naive(&[1.0, 2.0, f64::NAN, 4.0], 2, 2, &[0.5]).column(0).to_vec(), [1.0, 4.0]);
        let constant = seasonal_naive(&[3.0; 50], 7, 14, &[0.025, 0.975]);
        assert!(constant.iter().all(|&y| y == 3.0));
    }
}
