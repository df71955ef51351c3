//! Which season length a group of series has.

use crate::series::Series;

/// Products of values that looking for one season may cost; a sample of very many or long series does as well.
const PRODUCTS_MAX: usize = 500_000_000;

/// Series from which on their mean correlation is evidence of its own.
const POOL_MIN: usize = 10;

/// Least pooled correlation that matters.
const POOLED_CORRELATION_MIN: f64 = 0.03;

/// Most usual of the candidate lengths that shows in the data, or 1.
///
/// A candidate shows in a series if the autocorrelation of the series without its trend at that lag is significant (the M4
/// competition's 90 % test, Makridakis et al. 2020) and is a local peak. It wins if it shows in more than half of the
/// series that are two seasons long, or if the mean correlation over many series, or the correlation of their sum,
/// is a peak too high for chance: short or sparse series do not show alone what they share. The shortest winning candidate is the season: the longer ones lie within
/// the lookback anyway.
pub fn detect(series: &[&Series], candidates: &[usize]) -> usize {
    let values: usize = series.iter().map(|series| series.values.len()).sum();
    for &season in candidates.iter().filter(|&&season| season > 1) {
        let stride = values.saturating_mul(season).div_ceil(PRODUCTS_MAX).max(1);
        let correlations: Vec<Correlation> = series
            .iter()
            .step_by(stride)
            .filter(|series| series.values.len() > 2 * season)
            .filter_map(|series| Correlation::of(latest(&series.values, season), season))
            .collect();
        let total = (series.len() >= POOL_MIN)
            .then(|| Correlation::of(latest(&total(series), season), season))
            .flatten();
        let yes = correlations.iter().filter(|correlation| correlation.is_significant()).count();
        if 2 * yes > correlations.len()
            || is_pooled_peak(&correlations)
            || total.is_some_and(|total| total.is_significant())
        {
            return season;
        }
    }
    1
}

/// Whether a season shows in one series, by the test of [`detect`].
pub fn shows(values: &[f64], season: usize) -> bool {
    Correlation::of(values, season).is_some_and(|correlation| correlation.is_significant())
}

/// The last values of a series, as many as looking for the season in one series may cost.
fn latest(values: &[f64], season: usize) -> &[f64] {
    &values[values.len().saturating_sub((PRODUCTS_MAX / season).max(4 * season))..]
}

/// Sum of all series, each divided by the sum of its steps, aligned at their ends and as long as the shortest.
fn total(series: &[&Series]) -> Vec<f64> {
    let len = series.iter().map(|series| series.values.len()).min().unwrap_or(0);
    let mut total = vec![0.0; len];
    for series in series {
        let values = &series.values[series.values.len() - len..];
        let steps = values.windows(2).map(|pair| (pair[1] - pair[0]).abs()).filter(|step| step.is_finite());
        let size = steps.sum::<f64>();
        if size > 0.0 && size.is_finite() {
            total.iter_mut().zip(values).filter(|(_, y)| !y.is_nan()).for_each(|(sum, y)| *sum += y / size);
        }
    }
    total
}

/// Autocorrelation of a series without its trend, around one lag.
struct Correlation {
    /// At the lag.
    here: f64,
    /// At the lag before and after.
    beside: [f64; 2],
    /// Largest value that chance explains.
    limit: f64,
}

impl Correlation {
    /// `None` for a constant series.
    fn of(values: &[f64], season: usize) -> Option<Correlation> {
        let mut residuals = without_trend(values, season);
        let largest = residuals.iter().fold(0.0, |max: f64, r| max.max(r.abs()));
        if largest == 0.0 {
            return None;
        }
        residuals.iter_mut().for_each(|r| *r /= largest);
        let mean = residuals.iter().sum::<f64>() / residuals.len() as f64;
        residuals.iter_mut().for_each(|r| *r -= mean);
        let variance: f64 = residuals.iter().map(|r| r * r).sum();
        if variance == 0.0 {
            return None;
        }
        let at = |lag: usize| {
            residuals.iter().skip(lag).zip(&residuals).map(|(a, b)| a * b).sum::<f64>() / variance
        };
        let earlier: f64 = (1..season).map(|lag| at(lag).powi(2)).sum();
        let limit = 1.645 * ((1.0 + 2.0 * earlier) / residuals.len() as f64).sqrt();
        Some(Correlation { here: at(season), beside: [at(season - 1), at(season + 1)], limit })
    }

    fn is_significant(&self) -> bool {
        self.here > self.limit && self.beside.iter().all(|beside| self.here > *beside)
    }
}

/// Values minus their centred moving average over one season (fewer values at the ends), 0 where nothing was observed:
/// level and trend, which make every lag look seasonal, are gone, and what repeats with the season is not.
fn without_trend(values: &[f64], season: usize) -> Vec<f64> {
    let half = season.div_ceil(2);
    let mut sums = vec![(0.0, 0usize)];
    for y in values {
        let (sum, count) = sums[sums.len() - 1];
        sums.push(if y.is_finite() { (sum + y, count + 1) } else { (sum, count) });
    }
    let residual = |(t, y): (usize, &f64)| {
        let (from, to) = (sums[t.saturating_sub(half)], sums[(t + half + 1).min(values.len())]);
        let residual = y - (to.0 - from.0) / (to.1 - from.1) as f64;
        if residual.is_finite() { residual } else { 0.0 }
    };
    values.iter().enumerate().map(residual).collect()
}

/// Whether the mean over series is three standard errors above zero and above its neighbours.
fn is_pooled_peak(correlations: &[Correlation]) -> bool {
    let count = correlations.len() as f64;
    let mean = |value: &dyn Fn(&Correlation) -> f64| correlations.iter().map(value).sum::<f64>() / count;
    let here = mean(&|c| c.here);
    let variance = mean(&|c| (c.here - here).powi(2));
    correlations.len() >= POOL_MIN
        && here > POOLED_CORRELATION_MIN
        && here > 3.0 * (variance / count).sqrt()
        && here > mean(&|c| c.beside[0])
        && here > mean(&|c| c.beside[1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::Frequency;

    fn series(values: Vec<f64>) -> Series {
        Series {
            unique_id: "a".into(),
            keys: vec![],
            frequency: Frequency::Fixed { micros: 1 },
            times: (0..values.len() as i64).collect(),
            values,
            covariates: Vec::new(),
            observations: None,
            filled: Vec::new(),
        }
    }

    /// Deterministic noise on ±0.5.
    fn noise(t: usize) -> f64 {
        let x = (t as f64 * 12.9898).sin() * 43_758.547;
        x - x.floor() - 0.5
    }

    #[test]
    fn a_daily_wave_in_hourly_data_is_found_and_a_trend_is_not() {
        let wave =
            series((0..240).map(|t| (t as f64 * std::f64::consts::TAU / 24.0).sin() + noise(t)).collect());
        assert_eq!(detect(&[&wave], &[24, 168]), 24);
        let trend = series((0..240).map(|t| t as f64 * 0.1 + noise(t)).collect());
        assert_eq!(detect(&[&trend], &[24, 168]), 1);
        let constant = series(vec![3.0; 100]);
        assert_eq!(detect(&[&constant], &[24]), 1);
    }
}
