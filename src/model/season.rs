//! Which season length a group of series has.

use crate::series::Series;

/// Series looked at; more would not change the vote.
const SERIES_MAX: usize = 200;

/// Most usual of the candidate lengths that shows in the data, or 1.
///
/// A candidate counts for a series if the autocorrelation of the differenced series at that lag is significant (the
/// M4 competition's 90 % test, Makridakis et al. 2020) and is a local peak; it wins if it counts for more than half of
/// the series that are three seasons long. The shortest winning candidate is the season: the longer ones lie within
/// the lookback anyway.
pub fn detect(series: &[&Series], candidates: &[usize]) -> usize {
    let stride = series.len().div_ceil(SERIES_MAX).max(1);
    for &season in candidates {
        let votes: Vec<bool> = series
            .iter()
            .step_by(stride)
            .filter(|series| series.values.len() >= 3 * season)
            .map(|series| is_seasonal(&series.values, season))
            .collect();
        let yes = votes.iter().filter(|&&vote| vote).count();
        if 2 * yes > votes.len() {
            return season;
        }
    }
    1
}

fn is_seasonal(values: &[f64], season: usize) -> bool {
    // Differencing removes level and trend, which would make every lag look seasonal.
    let mut differences: Vec<f64> = values
        .windows(2)
        .map(|pair| pair[1] - pair[0])
        .map(|d| if d.is_finite() { d } else { 0.0 })
        .collect();
    let largest = differences.iter().fold(0.0, |max: f64, d| max.max(d.abs()));
    if largest == 0.0 {
        return false;
    }
    differences.iter_mut().for_each(|d| *d /= largest);
    let mean = differences.iter().sum::<f64>() / differences.len() as f64;
    differences.iter_mut().for_each(|d| *d -= mean);
    let variance: f64 = differences.iter().map(|d| d * d).sum();
    let correlation = |lag: usize| {
        differences.iter().skip(lag).zip(&differences).map(|(a, b)| a * b).sum::<f64>() / variance
    };
    let earlier: f64 = (1..season).map(|lag| correlation(lag).powi(2)).sum();
    let limit = 1.645 * ((1.0 + 2.0 * earlier) / differences.len() as f64).sqrt();
    let here = correlation(season);
    let is_peak = here > correlation(season + 1) && (season == 1 || here > correlation(season - 1));
    is_peak && here > limit
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
