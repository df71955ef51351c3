//! Exponential smoothing in work space, one series at a time, for what a map over all series misses in level and trend.
//!
//! The series is deseasonalised (additive classical decomposition, where the season shows); the forecast is the mean of
//! the Theta method and of damped trend, which err in opposite ways on trends that go on and on trends that end:
//!
//! ```text
//! Theta   ŷ(h) = ℓ + b/2 · (h − 1 + (1 − (1 − α)ⁿ)/α)          ℓ of simple exponential smoothing, b of a line
//! damped  ŷ(h) = ℓ + (φ + … + φʰ) β                            ℓ and β of Holt's method with damping φ
//! ```
//!
//! Sources: Assimakopoulos and Nikolopoulos (2000) in the closed form of Hyndman and Billah (2003), eq. 3; Gardner and
//! McKenzie (1985). Averaging such methods is the idea of the M competitions' Comb benchmark. Seasonal test as in M4.

use ndarray::Array2;

use crate::model::season;

/// Steps that are looked at, or this many seasons if that is more.
const STEPS_MAX: usize = 500;
const SEASONS_MAX: usize = 20;

/// Smoothing weights that are tried: multiples of 1/20 below 1.
const ALPHA_STEPS: usize = 20;

/// Last steps that a forecast depends on.
pub fn reach(season: usize) -> usize {
    STEPS_MAX.max(SEASONS_MAX * season)
}

/// Quantile forecasts (T, Q) of one series from its visible values, none of them missing; the middle is the point
/// forecast. A logistic distribution with the variance of simple exponential smoothing, σ² (1 + (h − 1) α²), stands in for
/// that of the errors. All zeros without any value.
pub fn forecast(values: &[f32], season: usize, horizon: usize, levels: &[f64]) -> Array2<f64> {
    let values: Vec<f64> =
        values[values.len().saturating_sub(reach(season))..].iter().copied().map(f64::from).collect();
    let mut quantiles = Array2::zeros((horizon, levels.len()));
    if values.is_empty() {
        return quantiles;
    }
    let indices = seasonal_indices(&values, season);
    let count = values.len();
    let adjusted: Vec<f64> = values.iter().enumerate().map(|(t, y)| y - indices[t % indices.len()]).collect();
    let slope = slope(&adjusted);
    let Smoothed { alpha, level, error } = smooth(&adjusted);
    let damped = Damped::fit(&adjusted);
    let start = (1.0 - (1.0 - alpha).powi(i32::try_from(count).unwrap_or(i32::MAX))) / alpha;
    let mut trend = 0.0;
    for (step, mut row) in quantiles.outer_iter_mut().enumerate() {
        let ahead = step as f64;
        let theta = level + 0.5 * slope * (ahead + start);
        trend = damped.phi * (trend + damped.slope);
        let point = 0.5 * (theta + damped.level + trend) + indices[(count + step) % indices.len()];
        let deviation = error * (1.0 + ahead * alpha * alpha).sqrt();
        for (quantile, &tau) in row.iter_mut().zip(levels) {
            *quantile = point + deviation * (tau / (1.0 - tau)).ln() * 3f64.sqrt() / std::f64::consts::PI;
        }
    }
    quantiles
}

/// Indices of a season, which add up to zero; one zero where no season shows or there are less than two of them.
fn seasonal_indices(values: &[f64], season: usize) -> Vec<f64> {
    if season < 2 || values.len() < 2 * season || !season::shows(values, season) {
        return vec![0.0];
    }
    // Centred moving average over one season, with half weights at its ends where the season is even.
    let half = season / 2;
    let is_even = season.is_multiple_of(2);
    let mut sums = vec![(0.0, 0usize); season];
    for t in half..values.len() - half {
        let window = &values[t - half..=t + half];
        let sum: f64 = window.iter().sum();
        let ends = if is_even { 0.5 * (window[0] + window[window.len() - 1]) } else { 0.0 };
        let (total, count) = &mut sums[t % season];
        *total += values[t] - (sum - ends) / season as f64;
        *count += 1;
    }
    let mut indices: Vec<f64> = sums.iter().map(|(total, count)| total / *count as f64).collect();
    let mean = indices.iter().sum::<f64>() / season as f64;
    indices.iter_mut().for_each(|index| *index -= mean);
    indices
}

/// Slope of the least-squares line per step, 0 of fewer than two values.
pub fn slope(values: &[f64]) -> f64 {
    let middle = (values.len() as f64 - 1.0) / 2.0;
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let (mut cross, mut square) = (0.0, 0.0);
    for (t, y) in values.iter().enumerate() {
        cross += (t as f64 - middle) * (y - mean);
        square += (t as f64 - middle).powi(2);
    }
    if square > 0.0 { cross / square } else { 0.0 }
}

/// Simple exponential smoothing with the weight that makes the least squared errors one step ahead.
struct Smoothed {
    alpha: f64,
    /// After the last value.
    level: f64,
    /// Root mean squared error one step ahead.
    error: f64,
}

fn smooth(values: &[f64]) -> Smoothed {
    let run = |step: usize| {
        let alpha = step as f64 / ALPHA_STEPS as f64;
        let (mut level, mut square) = (values[0], 0.0);
        for y in &values[1..] {
            let error = y - level;
            square += error * error;
            level += alpha * error;
        }
        Smoothed { alpha, level, error: (square / (values.len() - 1).max(1) as f64).sqrt() }
    };
    let best = (1..ALPHA_STEPS).map(run).min_by(|a, b| a.error.total_cmp(&b.error));
    best.expect("there are weights to try")
}

/// Holt's method with a damped trend.
#[derive(Clone, Copy)]
struct Damped {
    phi: f64,
    /// After the last value.
    level: f64,
    slope: f64,
}

/// Smoothing weights of the level, of the trend relative to it, and damping factors that are tried.
const LEVEL_WEIGHTS: [f64; 10] = [0.05, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95];
const TREND_WEIGHTS: [f64; 5] = [0.01, 0.03, 0.1, 0.2, 0.4];
const DAMPINGS: [f64; 4] = [0.8, 0.9, 0.95, 0.98];

/// Steps that the first slope is the mean of.
const FIRST_STEPS: usize = 12;

impl Damped {
    /// With the weights and the damping that make the least squared errors one step ahead.
    fn fit(values: &[f64]) -> Damped {
        let first = &values[..values.len().min(FIRST_STEPS + 1)];
        let slope = (first[first.len() - 1] - first[0]) / (first.len() - 1).max(1) as f64;
        let run = |alpha: f64, beta: f64, phi: f64| {
            let (mut level, mut slope, mut square) = (values[0], slope, 0.0);
            for y in &values[1..] {
                let expected = level + phi * slope;
                let error = y - expected;
                square += error * error;
                level = expected + alpha * error;
                slope = phi * slope + alpha * beta * error;
            }
            (square, Damped { phi, level, slope })
        };
        let mut best: Option<(f64, Damped)> = None;
        for (alpha, beta, phi) in LEVEL_WEIGHTS
            .into_iter()
            .flat_map(|alpha| TREND_WEIGHTS.map(|beta| (alpha, beta)))
            .flat_map(|(alpha, beta)| DAMPINGS.map(|phi| (alpha, beta, phi)))
        {
            let tried = run(alpha, beta, phi);
            if best.is_none_or(|(least, _)| tried.0 < least) {
                best = Some(tried);
            }
        }
        best.map_or(Damped { phi: 0.0, level: values[0], slope: 0.0 }, |(_, damped)| damped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trend_with_a_season_is_continued_at_half_the_slope_and_damped() {
        let indices = [3.0, -1.0, -2.0, 0.0];
        let values: Vec<f32> = (0..40).map(|t| t as f32 + indices[t % 4]).collect();
        let forecast = forecast(&values, 4, 8, &[0.5]);
        // The moving average takes the trend out of the indices, smoothing at α = 0.95 trails the trend by 1/α − 1.
        let adjusted: Vec<f64> = (0..40).map(f64::from).collect();
        let damped = Damped::fit(&adjusted);
        assert!((damped.level - 39.0).abs() < 0.1 && (damped.slope - 1.0).abs() < 0.1 && damped.phi == 0.98);
        let mut trend = 0.0;
        for step in 0..8 {
            let theta = 39.0 - (1.0 / 0.95 - 1.0) + 0.5 * (step as f64 + 1.0 / 0.95);
            trend += damped.phi.powi(step as i32 + 1) * damped.slope;
            let want = 0.5 * (theta + damped.level + trend) + f64::from(indices[step % 4]);
            assert!((forecast[[step, 0]] - want).abs() < 1e-6, "{step}: {} for {want}", forecast[[step, 0]]);
        }
    }

    #[test]
    fn every_history_has_a_finite_forecast_that_widens() {
        for values in [vec![], vec![2.0], vec![2.0, 2.0], vec![1e30, -1e30, 1e30], vec![0.0; 50]] {
            assert!(forecast(&values, 12, 3, &[0.1, 0.5, 0.9]).iter().all(|y| y.is_finite()), "{values:?}");
        }
        let noisy: Vec<f32> = (0..60).map(|t| ((t * t) % 7) as f32).collect();
        let wide = forecast(&noisy, 1, 5, &[0.1, 0.5, 0.9]);
        assert!((0..4).all(|h| wide[[h + 1, 2]] - wide[[h + 1, 0]] > wide[[h, 2]] - wide[[h, 0]]));
    }
}
