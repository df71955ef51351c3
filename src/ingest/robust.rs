//! Centre and spread that a few wild values do not move.

/// From a median absolute deviation to the standard deviation of a normal distribution (Hampel 1974).
const MAD_TO_DEVIATION: f64 = 1.4826;

/// Deviations of a normal distribution that 95 % of values lie within.
const TAIL_TO_DEVIATION: f64 = 1.96;

/// A deviation below this share of the values themselves is rounding.
const ROUNDING: f64 = 1e-9;

/// The median of some values, which are reordered; the mean of the two in the middle where their number is even. `NaN`
/// without any.
pub(super) fn median(values: &mut [f64]) -> f64 {
    let count = values.len();
    if count == 0 {
        return f64::NAN;
    }
    let (below, &mut upper, _) = values.select_nth_unstable_by(count / 2, f64::total_cmp);
    match count % 2 {
        0 => below.iter().copied().fold(f64::NEG_INFINITY, f64::max) / 2.0 + upper / 2.0,
        _ => upper,
    }
}

/// Robust standard deviation of residuals around `center`, for a series of values as large as `size`: the larger one of 1.4826
/// times the median absolute deviation and of the 95th percentile of absolute deviations divided by 1.96. Both estimate the
/// deviation of normal residuals; where tails are heavy, as of counts, the second says what is usual. `None` where nearly all
/// are equal, but for rounding. The residuals are overwritten.
pub(super) fn deviation(residuals: &mut [f64], center: f64, size: f64) -> Option<f64> {
    residuals.iter_mut().for_each(|residual| *residual = (*residual - center).abs());
    let place = residuals.len().checked_sub(1)? * 95 / 100;
    let (_, &mut tail, _) = residuals.select_nth_unstable_by(place, f64::total_cmp);
    let unit = (MAD_TO_DEVIATION * median(residuals)).max(tail / TAIL_TO_DEVIATION);
    Some(unit).filter(|unit| unit.is_finite() && *unit > size.abs() * ROUNDING && *unit > 1e-300)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_odd_and_even_numbers() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&mut [4.0, 1.0, 3.0, 2.0]), 2.5);
        assert_eq!(median(&mut [1e308, 1.7e308]), 1.35e308);
        assert!(median(&mut []).is_nan());
    }

    #[test]
    fn one_wild_value_moves_no_deviation_and_equal_values_have_none() {
        let calm = [1.0, 2.0, 3.0, 4.0, 5.0];
        assert_eq!(deviation(&mut calm.clone(), 3.0, 3.0), Some(1.4826));
        assert_eq!(deviation(&mut [1.0, 2.0, 3.0, 4.0, 500.0], 3.0, 3.0), Some(1.4826));
        let mut counts: Vec<f64> = (0..100).map(|t| if t % 10 == 0 { 1.96 } else { 0.0 }).collect();
        assert_eq!(deviation(&mut counts, 0.0, 1.0), Some(1.0));
        assert_eq!(deviation(&mut [2.0, 2.0, 2.0], 2.0, 2.0), None);
        assert_eq!(deviation(&mut [], 0.0, 0.0), None);
    }
}
