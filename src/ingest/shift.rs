//! A level that moved: the last window of a series against the windows before it.
//!
//! ```text
//! windows   j = B … 1 | 0      W steps each, L apart: L is W rounded up to whole seasons, so that phases are alike
//! a_p                          median over j = 1 … B of the value at phase p
//! R_j = median over p of (y_{j,p} − a_p)                    how far window j lies from the usual one
//! s   = robust deviation of y_{j,p} − a_p, j = 1 … B
//! the level moved  ⇔  |R_0| > k·s  and |R_0| > 2·max_{j≥1} |R_j|
//! ```
//!
//! Differences of medians, as in the rank test of Mood (1950) and the change point of Pettitt (1979), in robust deviations
//! instead of a p-value: with many values every small move is significant. The second condition is that it never moved
//! like that before; a steady trend moves the last window 9/7 (B = 8) to 5/3 (B = 4) as far as the first.

use super::robust;

/// Windows before the last one that are looked at, and the least that tell what is usual.
const WINDOWS: usize = 8;
const WINDOWS_MIN: usize = 4;

/// How much further the last window has to lie from the usual one than any before it.
const FURTHER: f64 = 2.0;

/// A level that moved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Shift {
    /// From the usual level to that of the last window, in units of the series.
    pub(super) by: f64,
    /// The same in robust deviations, positive.
    pub(super) distance: f64,
}

/// Whether the last `window` steps of a grid lie on another level; `NaN` is a missing value. `None` as well where fewer than
/// four earlier windows are there, or half of a window is missing. The cost does not depend on the length of the series.
pub(super) fn shift(values: &[f64], season: usize, window: usize, threshold: f64) -> Option<Shift> {
    let apart = window.checked_next_multiple_of(season.max(1))?;
    let before = values.len().checked_sub(window)?;
    let windows = (before / apart).min(WINDOWS);
    if windows < WINDOWS_MIN {
        return None;
    }
    let of = |number: usize| &values[before - number * apart..before - number * apart + window];
    let usual: Vec<f64> =
        (0..window).map(|phase| median((1..=windows).map(|number| of(number)[phase]))).collect();
    let residuals = |number: usize| of(number).iter().zip(&usual).map(|(value, usual)| value - usual);
    let observed = residuals(0).filter(|residual| !residual.is_nan()).count();
    if observed * 2 < window {
        return None;
    }
    let by = median(residuals(0));
    let furthest = (1..=windows).map(|number| median(residuals(number)).abs()).fold(0.0, f64::max);
    let mut all: Vec<f64> = (1..=windows).flat_map(residuals).filter(|residual| !residual.is_nan()).collect();
    let distance = by.abs() / robust::deviation(&mut all, 0.0, median(usual.iter().copied()))?;
    (distance > threshold && distance.is_finite() && by.abs() > FURTHER * furthest)
        .then_some(Shift { by, distance })
}

/// The median of those that are observed.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    robust::median(&mut values.filter(|value| !value.is_nan()).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two deviations of 1.3 or so around a weekly season.
    fn noisy(steps: usize) -> Vec<f64> {
        let noise = |t: usize| ((t * 7919 + t * t * 31) % 101) as f64 / 22.0;
        (0..steps).map(|t| 50.0 + 10.0 * (t % 7) as f64 + noise(t)).collect()
    }

    #[test]
    fn a_level_five_deviations_higher_is_found_and_a_calm_series_is_not() {
        let mut values = noisy(100);
        assert_eq!(shift(&values, 7, 10, 4.0), None);
        values[90..].iter_mut().for_each(|value| *value += 7.0);
        let found = shift(&values, 7, 10, 4.0).expect("moved");
        assert!((found.by - 7.0).abs() < 2.0 && found.distance > 4.0, "{found:?}");
        values[90..].iter_mut().for_each(|value| *value -= 14.0);
        assert!(shift(&values, 7, 10, 4.0).expect("moved").by < -5.0);
    }

    #[test]
    fn trends_seasons_and_single_spikes_are_no_shift() {
        let trend: Vec<f64> = (0..200).map(|t| t as f64).collect();
        assert_eq!(shift(&trend, 1, 10, 1.0), None);
        let season: Vec<f64> =
            noisy(200).iter().enumerate().map(|(t, y)| y + 90.0 * (t % 7) as f64).collect();
        assert_eq!(shift(&season, 7, 3, 3.0), None);
        let mut spiky = noisy(100);
        spiky[97] = 1e9;
        assert_eq!(shift(&spiky, 7, 10, 4.0), None);
    }

    #[test]
    fn too_little_to_compare_is_no_shift() {
        let mut values = noisy(40);
        values[30..].iter_mut().for_each(|value| *value += 900.0);
        assert_eq!(shift(&values, 7, 10, 4.0), None);
        assert_eq!(shift(&[], 7, 10, 4.0), None);
        assert_eq!(shift(&[1.0; 100], 7, 10, 4.0), None);
        let mut holey = noisy(100);
        holey[90..96].fill(f64::NAN);
        holey[96..].iter_mut().for_each(|value| *value += 900.0);
        assert_eq!(shift(&holey, 7, 10, 4.0), None);
        assert_eq!(shift(&values, usize::MAX, 10, 4.0), None);
    }
}
