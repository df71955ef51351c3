//! One node's distribution from its quantiles, and quantiles from draws.

/// z-scores of levels: between them, and beyond the outermost, deviations are linear in z.
///
/// For normal deviations that is exact; the tails of others go on as their last segment does.
#[derive(Clone, Debug)]
pub(super) struct Marginal {
    scores: Vec<f64>,
}

impl Marginal {
    /// Of quantile levels, ascending in (0, 1).
    pub fn new(levels: &[f64]) -> Marginal {
        Marginal { scores: levels.iter().map(|&level| standard_normal_quantile(level)).collect() }
    }

    /// Writes the deviations at ascending `scores` into `out`, given the quantiles' deviations (Q).
    pub fn at(&self, deviations: &[f64], scores: &[f64], out: &mut [f64]) {
        let last = self.scores.len() - 1;
        let mut left = 0;
        for (out, &score) in out.iter_mut().zip(scores) {
            while left + 2 <= last && score > self.scores[left + 1] {
                left += 1;
            }
            let right = (left + 1).min(last);
            let width = self.scores[right] - self.scores[left];
            let slope = if width > 0.0 { (deviations[right] - deviations[left]) / width } else { 0.0 };
            *out = deviations[left] + slope * (score - self.scores[left]);
        }
    }
}

/// z-scores of the middles of `count` cells of equal probability, ascending.
pub(super) fn cell_scores(count: usize) -> Vec<f64> {
    (0..count).map(|cell| standard_normal_quantile((cell as f64 + 0.5) / count as f64)).collect()
}

/// Quantile of ascending draws; draw k stands at level (k + 0.5) / K. Source: Hyndman and Fan (1996), type 5.
pub(super) fn quantile(sorted: &[f64], level: f64) -> f64 {
    let last = sorted.len() - 1;
    let place = (level * sorted.len() as f64 - 0.5).clamp(0.0, last as f64);
    let below = place.floor() as usize;
    let above = (below + 1).min(last);
    sorted[below] + (place - below as f64) * (sorted[above] - sorted[below])
}

/// z with P(Z ≤ z) = `level`. Source: Acklam's rational approximation (1.15e-9), then one step of Newton's method.
pub(super) fn standard_normal_quantile(level: f64) -> f64 {
    let level = level.clamp(1e-300, 1.0 - 1e-16);
    let guess = acklam(level);
    let share = 0.5 * libm::erfc(-guess / std::f64::consts::SQRT_2);
    let density = (-0.5 * guess * guess).exp() / (2.0 * std::f64::consts::PI).sqrt();
    if density > 0.0 { guess - (share - level) / density } else { guess }
}

fn acklam(level: f64) -> f64 {
    const A: [f64; 6] = [
        -3.969683028665376e1,
        2.209460984245205e2,
        -2.759285104469687e2,
        1.38357751867269e2,
        -3.066479806614716e1,
        2.506628277459239,
    ];
    const B: [f64; 6] = [
        -5.447609879822406e1,
        1.615858368580409e2,
        -1.556989798598866e2,
        6.680131188771972e1,
        -1.328068155288572e1,
        1.0,
    ];
    const C: [f64; 6] = [
        -7.784894002430293e-3,
        -3.223964580411365e-1,
        -2.400758277161838,
        -2.549732539343734,
        4.374664141464968,
        2.938163982698783,
    ];
    const D: [f64; 5] =
        [7.784695709041462e-3, 3.224671290700398e-1, 2.445134137142996, 3.754408661907416, 1.0];
    let horner = |coefficients: &[f64], x: f64| coefficients.iter().fold(0.0, |sum, c| sum * x + c);
    let tail = |level: f64| {
        let q = (-2.0 * level.ln()).sqrt();
        horner(&C, q) / horner(&D, q)
    };
    if level < 0.02425 {
        tail(level)
    } else if level > 1.0 - 0.02425 {
        -tail(1.0 - level)
    } else {
        let (q, r) = (level - 0.5, (level - 0.5).powi(2));
        horner(&A, r) * q / horner(&B, r)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_quantiles_are_those_of_the_tables() {
        for (level, z) in
            [(0.5, 0.0), (0.975, 1.959963984540054), (0.01, -2.3263478740408408), (0.9, 1.2815515655446004)]
        {
            assert!((standard_normal_quantile(level) - z).abs() < 1e-9, "{level}");
        }
        assert!(standard_normal_quantile(0.0).is_finite() && standard_normal_quantile(1.0).is_finite());
    }

    #[test]
    fn draws_at_the_middles_of_cells_give_the_quantiles_back() {
        let levels = [0.05, 0.25, 0.5, 0.75, 0.95];
        let deviations = [-3.0, -1.0, 0.0, 2.0, 9.0];
        let scores = cell_scores(400);
        let mut draws = vec![0.0; 400];
        Marginal::new(&levels).at(&deviations, &scores, &mut draws);
        assert!(draws.windows(2).all(|pair| pair[0] <= pair[1]) && draws[0] < -3.0 && draws[399] > 9.0);
        for (level, deviation) in levels.into_iter().zip(deviations) {
            assert!(
                (quantile(&draws, level) - deviation).abs() < 0.05,
                "{level}: {}",
                quantile(&draws, level)
            );
        }
    }

    #[test]
    fn one_level_has_no_spread() {
        let mut draws = vec![0.0; 3];
        Marginal::new(&[0.5]).at(&[1.0], &cell_scores(3), &mut draws);
        assert_eq!(draws, [1.0; 3]);
        assert_eq!(quantile(&[7.0], 0.9), 7.0);
    }
}
