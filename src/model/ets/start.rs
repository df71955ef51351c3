//! Where the search for the parameters of a form starts, and how a point of it is read.

use crate::model::ets::states::{Form, Seasonal, Smoothing, State, Trend};

/// Seasons up to this length have their initial state fitted; longer ones keep that of the decomposition.
const FITTED_SEASON_MAX: usize = 24;

/// Where the search for the parameters starts.
pub(super) struct Start {
    /// Seasonal terms (m).
    pub season: Vec<f64>,
    /// Level without trend.
    pub mean: f64,
    /// Level and slope of a straight line.
    pub line: (f64, f64),
    /// Standard deviation around that line, above zero.
    pub spread: f64,
}

impl Start {
    /// Seasonal terms by classical decomposition, the rest by a line through the first values without season.
    pub(super) fn new(values: &[f64], seasonal: Seasonal, length: usize) -> Start {
        let season = seasonal_terms(values, seasonal, length);
        let first = values.len().min(10.max(2 * season.len()));
        let adjusted = values[..first].iter().zip(season.iter().cycle()).map(|(y, s)| match seasonal {
            Seasonal::Multiplicative => y / s,
            _ => y - s,
        });
        let adjusted: Vec<f64> =
            if seasonal == Seasonal::None { values[..first].to_vec() } else { adjusted.collect() };
        let count = first as f64;
        let (time, mean) = ((count + 1.0) / 2.0, adjusted.iter().sum::<f64>() / count);
        let (mut covariance, mut variance) = (0.0, 0.0);
        for (t, y) in adjusted.iter().enumerate() {
            let centred = t as f64 + 1.0 - time;
            covariance += centred * (y - mean);
            variance += centred * centred;
        }
        let slope = covariance / variance.max(1.0);
        let level = mean - slope * time;
        let residual = |(t, y): (usize, &f64)| (y - level - slope * (t as f64 + 1.0)).powi(2);
        let spread = (adjusted.iter().enumerate().map(residual).sum::<f64>() / count).sqrt();
        Start { season, mean, line: (level, slope), spread: spread.max(1e-4) }
    }
}

/// Seasonal terms (m) whose mean is neutral, from the differences or ratios to the centred moving average.
pub(super) fn seasonal_terms(values: &[f64], seasonal: Seasonal, length: usize) -> Vec<f64> {
    if seasonal == Seasonal::None {
        return vec![0.0];
    }
    let is_ratio = seasonal == Seasonal::Multiplicative;
    let half = length / 2;
    let (mut sums, mut counts) = (vec![0.0; length], vec![0.0_f64; length]);
    let mut window: f64 = values[..length].iter().sum();
    for t in half..values.len() - half {
        // With an even season the window has one value more, and both its ends count half.
        let mut sum = window;
        if length.is_multiple_of(2) {
            sum += 0.5 * (values[t + half] - values[t - half]);
        }
        let (average, y) = (sum / length as f64, values[t]);
        sums[t % length] += if is_ratio { y / average } else { y - average };
        counts[t % length] += 1.0;
        if let Some(next) = values.get(t - half + length) {
            window += next - values[t - half];
        }
    }
    let terms: Vec<f64> = sums.iter().zip(&counts).map(|(sum, count)| sum / count.max(1.0)).collect();
    let mean = terms.iter().sum::<f64>() / length as f64;
    terms.iter().map(|term| if is_ratio { (term / mean).max(0.01) } else { term - mean }).collect()
}

/// The parameters of a form as one point of the search: α, the shares β/α, γ/(1−α), then φ, level, slope, season.
pub(super) struct Layout {
    pub form: Form,
    pub season_length: usize,
}

impl Layout {
    /// First point, first steps and ranges.
    pub(super) fn start(&self, start: &Start) -> (Vec<f64>, Vec<f64>, Vec<(f64, f64)>) {
        let mut all = Vec::new();
        let share = (1e-4, 0.9999);
        let anything = (f64::NEG_INFINITY, f64::INFINITY);
        let has_trend = self.form.trend != Trend::None;
        all.push((0.3, 0.3, share));
        if has_trend {
            all.push((0.1, 0.1, share));
        }
        if self.form.seasonal != Seasonal::None {
            all.push((0.1, 0.1, share));
        }
        if self.form.trend == Trend::Damped {
            all.push((0.97, -0.05, (0.8, 0.98)));
        }
        let (level, slope) = if has_trend { start.line } else { (start.mean, 0.0) };
        // A relative error needs a positive forecast from the first step on.
        let level = if self.form.is_relative { level.max(0.1 * start.mean) } else { level };
        all.push((level, start.spread, anything));
        if has_trend {
            all.push((slope, 0.1 * start.spread, anything));
        }
        if self.is_season_fitted() {
            let is_ratio = self.form.seasonal == Seasonal::Multiplicative;
            let step = if is_ratio { 0.05 } else { 0.3 * start.spread };
            // The last term follows from the others.
            all.extend(start.season[1..].iter().map(|&term| (term, step, anything)));
        }
        (
            all.iter().map(|one| one.0).collect(),
            all.iter().map(|one| one.1).collect(),
            all.iter().map(|one| one.2).collect(),
        )
    }

    pub(super) fn is_season_fitted(&self) -> bool {
        self.form.seasonal != Seasonal::None && self.season_length <= FITTED_SEASON_MAX
    }

    /// Smoothing parameters of a point; the state becomes its initial one.
    pub(super) fn read(&self, point: &[f64], season: &[f64], state: &mut State) -> Smoothing {
        let mut next = point.iter().copied();
        let mut take = |is_there: bool| if is_there { next.next().unwrap_or(0.0) } else { 0.0 };
        let has_trend = self.form.trend != Trend::None;
        let alpha = take(true);
        let beta = alpha * take(has_trend);
        let gamma = (1.0 - alpha) * take(self.form.seasonal != Seasonal::None);
        let phi = if self.form.trend == Trend::Damped { take(true) } else { 1.0 };
        state.level = take(true);
        state.slope = take(has_trend);
        state.season.copy_from_slice(season);
        state.at = 0;
        if self.is_season_fitted() {
            state.season[1..].iter_mut().for_each(|term| *term = take(true));
            let neutral =
                if self.form.seasonal == Seasonal::Multiplicative { season.len() as f64 } else { 0.0 };
            state.season[0] = neutral - state.season[1..].iter().sum::<f64>();
        }
        Smoothing { alpha, beta, gamma, phi }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seasonal_terms_are_neutral_and_exact_on_a_pattern() {
        for length in [4, 7] {
            let values: Vec<f64> = (0..5 * length).map(|t| 3.0 + (t % length) as f64).collect();
            let terms = seasonal_terms(&values, Seasonal::Additive, length);
            assert!(terms.iter().sum::<f64>().abs() < 1e-12);
            assert!((terms[1] - terms[0] - 1.0).abs() < 1e-12, "{terms:?}");
        }
    }
}
