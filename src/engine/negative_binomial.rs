//! The negative binomial distribution, alone and with extra zeros: probabilities, distribution function, quantiles.
//!
//! ```text
//! P(k) = Γ(k + r) / (k! Γ(r)) · (1 + α μ)^−r · (α μ / (1 + α μ))^k       r = 1/α, mean μ, variance μ + α μ²
//! ```
//!
//! α = 0 is the Poisson distribution. Source: Cameron and Trivedi, Regression Analysis of Count Data (2013), 3.3 (NB2).

/// Largest mean up to which probabilities are added up one by one; beyond it, the incomplete beta function gives their sums.
const SUMMED_MAX: f64 = 500.0;

/// Least and largest dispersion α: below, the distribution is Poisson's to four digits, and above, all but a mass at zero.
pub const DISPERSIONS: (f64, f64) = (1e-4, 100.0);

/// Counts with mean `mean` where they are not extra zeros, which they are with probability `zero`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Counts {
    /// Probability of an extra zero, in [0, 1).
    pub zero: f64,
    /// Mean μ of the negative binomial part, not negative and finite.
    pub mean: f64,
    /// Dispersion α of the negative binomial part, within [`DISPERSIONS`].
    pub dispersion: f64,
}

impl Counts {
    /// Mean of all.
    pub fn total_mean(&self) -> f64 {
        (1.0 - self.zero) * self.mean
    }

    /// P(Y ≤ y); 0 below zero.
    pub fn cdf(&self, y: f64) -> f64 {
        if y < 0.0 {
            return 0.0;
        }
        let sum = if self.mean <= SUMMED_MAX {
            self.probabilities().take(y as usize + 1).sum::<f64>().min(1.0)
        } else {
            self.beta_sum(y.floor())
        };
        self.zero + (1.0 - self.zero) * sum
    }

    /// The least whole numbers with P(Y ≤ k) ≥ level, for ascending levels in (0, 1); whole numbers that never decrease.
    pub fn quantiles(&self, levels: &[f64]) -> Vec<f64> {
        // Of levels in the negative binomial part: those below the extra zeros are 0.
        let inner = levels.iter().map(|level| ((level - self.zero) / (1.0 - self.zero)).clamp(0.0, LAST));
        if self.mean > SUMMED_MAX {
            let mut least = 0.0;
            let quantiles = inner.map(|level| {
                least = self.search(level, least);
                least
            });
            return quantiles.collect();
        }
        let mut probabilities = self.probabilities();
        let (mut count, mut sum) = (0.0, probabilities.next().unwrap_or(1.0));
        let mut quantile = |level: f64| {
            while sum < level && count < COUNT_MAX {
                sum += probabilities.next().unwrap_or(1.0);
                count += 1.0;
            }
            count
        };
        inner.map(&mut quantile).collect()
    }

    /// P(0), P(1), … of the negative binomial part.
    fn probabilities(&self) -> impl Iterator<Item = f64> {
        let (alpha, mean) = (self.dispersion, self.mean);
        let odds = alpha * mean / (1.0 + alpha * mean);
        let first = (-libm::log1p(alpha * mean) / alpha).exp();
        let (r, mut k) = (1.0 / alpha, 0.0);
        std::iter::successors(Some(first), move |probability| {
            k += 1.0;
            Some(probability * odds * (k - 1.0 + r) / k)
        })
    }

    /// Σ P(i) for i ≤ k of the negative binomial part: I_p(r, k + 1) with p = 1 / (1 + α μ).
    fn beta_sum(&self, k: f64) -> f64 {
        incomplete_beta(1.0 / self.dispersion, k + 1.0, 1.0 / (1.0 + self.dispersion * self.mean))
    }

    /// The least k ≥ `from` whose sum of probabilities reaches the level, by bisection.
    fn search(&self, level: f64, from: f64) -> f64 {
        let reaches = |k: f64| self.beta_sum(k) >= level;
        let (mut below, mut above) = (from - 1.0, from.max(self.mean.ceil()));
        while !reaches(above) && above < COUNT_MAX * self.mean {
            (below, above) = (above, 2.0 * above + 1.0);
        }
        while above - below > 1.0 {
            let middle = ((below + above) / 2.0).floor();
            if middle <= below || middle >= above {
                break;
            }
            *(if reaches(middle) { &mut above } else { &mut below }) = middle;
        }
        above
    }
}

/// The largest level that is looked for: beyond it, rounding decides.
const LAST: f64 = 1.0 - 1e-12;

/// A count, in units of the mean where that is large, beyond which nothing is looked for.
const COUNT_MAX: f64 = 1e6;

/// ψ(x), the derivative of ln Γ, for x > 0, to about 1e-14.
///
/// ψ(x) = ψ(x + 1) − 1/x up to x ≥ 8, then the asymptotic series (Abramowitz and Stegun, 6.3.5 and 6.3.18).
pub fn digamma(mut x: f64) -> f64 {
    let mut sum = 0.0;
    while x < 8.0 {
        sum -= 1.0 / x;
        x += 1.0;
    }
    let z = 1.0 / (x * x);
    let series = 1.0 / 132.0 - z * (691.0 / 32_760.0 - z / 12.0);
    let series = 1.0 / 252.0 - z * (1.0 / 240.0 - z * series);
    sum + libm::log(x) - 0.5 / x - z * (1.0 / 12.0 - z * (1.0 / 120.0 - z * series))
}

/// Regularised incomplete beta function I_x(a, b) for a, b > 0 and x in [0, 1], to about 1e-12.
///
/// The continued fraction of Abramowitz and Stegun, 26.5.8, by the method of Lentz (1976).
pub fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return if x <= 0.0 { 0.0 } else { 1.0 };
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(b, a, 1.0 - x);
    }
    let front =
        libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b) + a * libm::log(x) + b * libm::log1p(-x);
    let away_from_zero = |value: f64| if value.abs() < 1e-300 { 1e-300 } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for m in 1..FRACTION_MAX {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for term in [even, odd] {
            d = 1.0 / away_from_zero(1.0 + term * d);
            c = away_from_zero(1.0 + term / c);
            change = c * d;
            fraction *= change;
        }
        if (change - 1.0).abs() < 1e-15 {
            break;
        }
    }
    (libm::exp(front) * fraction / a).clamp(0.0, 1.0)
}

/// Terms of the continued fraction; it takes about the root of the larger of a and b.
const FRACTION_MAX: i32 = 20_000;

#[cfg(test)]
mod tests {
    use super::*;

    const LEVELS: [f64; 7] = [0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99];

    #[test]
    fn digamma_is_that_of_the_tables_and_the_slope_of_ln_gamma() {
        // Abramowitz and Stegun, table 6.1: ψ(1) = −γ, ψ(1.5), ψ(2) = 1 − γ.
        for (x, want) in
            [(1.0, -0.577_215_664_901_532_9), (1.5, 0.036_489_973_978_576_5), (2.0, 0.422_784_335_098_467_1)]
        {
            assert!((digamma(x) - want).abs() < 1e-14, "{x}: {}", digamma(x));
        }
        for x in [0.01, 0.3, 1.0, 4.5, 7.99, 8.0, 30.0, 2e3] {
            let h = 1e-4 * f64::min(x, 1.0);
            let slope = |h: f64| (libm::lgamma(x + h) - libm::lgamma(x - h)) / (2.0 * h);
            let slope = (4.0 * slope(h / 2.0) - slope(h)) / 3.0;
            assert!((digamma(x) - slope).abs() < 1e-7 * (1.0 + slope.abs()), "{x}");
            assert!((digamma(x + 1.0) - digamma(x) - 1.0 / x).abs() < 1e-12 / x.min(1.0), "{x}");
        }
    }

    #[test]
    fn the_incomplete_beta_function_is_that_of_sums_and_mirrors_itself() {
        // I_x(1, b) = 1 − (1 − x)^b,  I_x(a, 1) = x^a.
        for (shape, x) in [(0.5, 0.2), (3.0, 0.7), (40.0, 0.03), (400.0, 0.999)] {
            let one = 1.0 - f64::powf(1.0 - x, shape);
            assert!((incomplete_beta(1.0, shape, x) - one).abs() < 1e-12);
            assert!((incomplete_beta(shape, 1.0, x) - f64::powf(x, shape)).abs() < 1e-12);
            assert!(
                (incomplete_beta(shape, 2.5, x) + incomplete_beta(2.5, shape, 1.0 - x) - 1.0).abs() < 1e-12
            );
        }
    }

    #[test]
    fn both_ways_to_sum_agree_and_the_moments_are_those_asked_for() {
        for (mean, dispersion) in [(0.05, 1.0), (0.8, 1e-4), (3.0, 0.5), (20.0, 4.0), (400.0, 0.05)] {
            let counts = Counts { zero: 0.0, mean, dispersion };
            for k in [0.0, 1.0, 2.0, 7.0, 30.0, 500.0] {
                let (sum, beta) = (counts.cdf(k), counts.beta_sum(k));
                assert!((sum - beta).abs() < 1e-10, "{mean} {dispersion} {k}: {sum} {beta}");
            }
            let (mut first, mut second) = (0.0, 0.0);
            for (k, probability) in counts.probabilities().take(40_000).enumerate() {
                first += k as f64 * probability;
                second += (k as f64).powi(2) * probability;
            }
            let variance = mean + dispersion * mean * mean;
            assert!(
                (first - mean).abs() < 1e-6 * mean
                    && (second - first * first - variance).abs() < 1e-5 * variance
            );
        }
    }

    #[test]
    fn quantiles_are_the_least_whole_numbers_that_reach_their_level() {
        for zero in [0.0, 0.3, 0.95] {
            for (mean, dispersion) in
                [(0.0, 1.0), (0.2, 2.0), (4.0, 0.3), (60.0, 10.0), (700.0, 0.2), (5e4, 1e-4)]
            {
                let counts = Counts { zero, mean, dispersion };
                let quantiles = counts.quantiles(&LEVELS);
                assert!(quantiles.is_sorted());
                for (&k, level) in quantiles.iter().zip(LEVELS) {
                    assert_eq!(k, k.round());
                    let slack = 1e-9;
                    assert!(counts.cdf(k) >= level - slack, "{counts:?} {level}: {k}");
                    assert!(k == 0.0 || counts.cdf(k - 1.0) < level + slack, "{counts:?} {level}: {k}");
                }
            }
        }
    }
}
