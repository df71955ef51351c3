//! Likelihood heads: the parameters of a distribution per step in place of quantiles, value and gradient.
//!
//! A head's outputs are real numbers without bounds; links make parameters of them. Counts have three: the logit ζ of an extra
//! zero, the logarithm η of the mean of all, and the logarithm θ of the dispersion,
//!
//! ```text
//! π = 1 / (1 + e^−ζ)      μ = e^η / (1 − π)      α = e^θ          P(0) = π + (1 − π) NB(0),  P(y) = (1 − π) NB(y)
//! ```
//!
//! so that η moves the mean alone, whatever share of it are zeros. Sources: Lambert (1992) for extra zeros, Salinas, Flunkert
//! and Gasthaus (2020, arXiv 1704.04110) for negative binomial and Gaussian heads of forecasters.

use ndarray::{ArrayView1, ArrayView2, ArrayView3, ArrayViewMut3};

use crate::engine::negative_binomial::{Counts, DISPERSIONS, digamma};
use crate::engine::real::Real;

/// The distribution that a head gives the parameters of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Likelihood {
    /// Zero-inflated negative binomial: outputs ζ, η, θ as above.
    Counts,
    /// Normal: mean and logarithm of the standard deviation.
    Gaussian,
}

/// Range of the outputs of a count head: beyond it, their gradient is zero.
const LOGIT_MAX: f64 = 12.0;
const LOG_MEAN_MAX: f64 = 25.0;

/// Counts up to which Γ(y + r) / Γ(r) is a product.
const PRODUCT_MAX: f64 = 40.0;

impl Likelihood {
    /// Outputs per step (P).
    pub fn outputs(self) -> usize {
        match self {
            Likelihood::Counts => 3,
            Likelihood::Gaussian => 2,
        }
    }

    /// Weighted sum of −ln P(target) over samples and steps, summed in f64 in row-major order.
    ///
    /// `outputs` is (batch, T, P), `target` (batch, T), `weights` (batch); dLoss/doutputs is written into `gradient` (batch, T,
    /// P). A target that is NaN is missing: its step adds no loss and has gradient zero. Counts may be any numbers from 0 on.
    ///
    /// # Panics
    /// If the shapes differ.
    pub fn value_and_gradient<F: Real>(
        self,
        outputs: ArrayView3<F>,
        target: ArrayView2<F>,
        weights: ArrayView1<F>,
        mut gradient: ArrayViewMut3<F>,
    ) -> f64 {
        let (batch, horizon, width) = outputs.dim();
        assert_eq!(gradient.dim(), outputs.dim(), "gradient and outputs");
        assert_eq!(target.dim(), (batch, horizon), "target and outputs");
        assert_eq!(weights.len(), batch, "weights and outputs");
        assert_eq!(width, self.outputs(), "outputs of the head");
        let mut sum = 0.0;
        for ((sample, step), actual) in target.indexed_iter() {
            let weight = weights[sample].wide();
            let at = |output: usize| outputs[[sample, step, output]].wide();
            let (value, slopes) = match self {
                _ if actual.is_nan() => (0.0, [0.0; 3]),
                Likelihood::Counts => counts_term([at(0), at(1), at(2)], actual.wide()),
                Likelihood::Gaussian => {
                    let (value, [mean, log_deviation]) = gaussian_term([at(0), at(1)], actual.wide());
                    (value, [mean, log_deviation, 0.0])
                }
            };
            sum += weight * value;
            for (output, slope) in slopes.into_iter().take(width).enumerate() {
                gradient[[sample, step, output]] = F::of(weight * slope);
            }
        }
        sum
    }
}

/// The distribution that the outputs ζ, η, θ of a count head stand for.
pub fn counts(outputs: [f64; 3]) -> Counts {
    let [logit, log_mean, log_dispersion] = clamped(outputs);
    let zero = 1.0 / (1.0 + libm::exp(-logit));
    // 1 / (1 − π) = 1 + e^ζ.
    let mean = libm::exp(log_mean) * (1.0 + libm::exp(logit));
    Counts { zero, mean, dispersion: libm::exp(log_dispersion) }
}

fn clamped([logit, log_mean, log_dispersion]: [f64; 3]) -> [f64; 3] {
    let (least, largest) = DISPERSIONS;
    [
        logit.clamp(-LOGIT_MAX, LOGIT_MAX),
        log_mean.clamp(-LOG_MEAN_MAX, LOG_MEAN_MAX),
        log_dispersion.clamp(libm::log(least), libm::log(largest)),
    ]
}

// With L = ln(1 + αμ) and r = 1/α:  ln NB(y) = Σ_{k<y} ln(1 + αk) + y ln μ − y L − r L − ln y!, where the sum stands for
// ln Γ(y + r) − ln Γ(r) + y ln α. Its derivatives are
//
//   d / d ln μ = (y − μ) / (1 + αμ)
//   d / dθ     = r L − r (ψ(y + r) − ψ(r)) + (y − μ) / (1 + αμ),        r (ψ(y + r) − ψ(r)) = Σ_{k<y} 1 / (1 + αk).
//
// ln μ = η + ln(1 + e^ζ), so d ln μ / dη = 1 and d ln μ / dζ = π. For y > 0, d ln(1 − π) / dζ = −π. For y = 0,
// P = π + (1 − π) NB(0): the derivatives of ln NB(0) count with w = (1 − π) NB(0) / P, and those of π add
// π (1 − π) (1 − NB(0)) / P.

/// −ln P(y) and its derivatives in ζ, η, θ.
fn counts_term(outputs: [f64; 3], y: f64) -> (f64, [f64; 3]) {
    let inside = clamped(outputs);
    let Counts { zero, mean, dispersion } = counts(inside);
    let log_term = libm::log1p(dispersion * mean);
    let spread = log_term / dispersion;
    let score = (y - mean) / (1.0 + dispersion * mean);
    let (log_p, slopes) = if y == 0.0 {
        let none = libm::exp(-spread);
        let p = zero + (1.0 - zero) * none;
        let share = (1.0 - zero) * none / p;
        let of_zero = zero * (1.0 - zero) * (1.0 - none) / p;
        (libm::log(p), [of_zero + share * score * zero, share * score, share * (spread + score)])
    } else {
        let (log_product, inverse_sum) = rising(y, dispersion);
        let log_p = log_product + y * libm::log(mean) - y * log_term - spread - libm::lgamma(y + 1.0);
        // ln(1 − π), exact for π near 1.
        let log_kept = -libm::log1p(libm::exp(inside[0]));
        (log_kept + log_p, [zero * (score - 1.0), score, spread - inverse_sum + score])
    };
    // A clamped output is a constant; NaN goes through, so that a diverged head is noticed.
    let free = |output: usize| if outputs[output] == inside[output] { 1.0 } else { outputs[output] * 0.0 };
    (-log_p, [0, 1, 2].map(|output| -slopes[output] * free(output)))
}

/// ln of Γ(y + r) / Γ(r) α^y and r (ψ(y + r) − ψ(r)) for r = 1/α.
fn rising(y: f64, dispersion: f64) -> (f64, f64) {
    if y <= PRODUCT_MAX && y == y.floor() {
        let (mut product, mut inverse) = (0.0, 0.0);
        for k in 0..y as usize {
            let factor = 1.0 + dispersion * k as f64;
            product += libm::log(factor);
            inverse += 1.0 / factor;
        }
        return (product, inverse);
    }
    let r = 1.0 / dispersion;
    let log_ratio = libm::lgamma(y + r) - libm::lgamma(r) + y * libm::log(dispersion);
    (log_ratio, r * (digamma(y + r) - digamma(r)))
}

// −ln p = ½ z² + ln σ + ½ ln 2π with z = (y − μ) / σ: d / dμ = −z / σ,  d / d ln σ = 1 − z².

/// −ln p(y) of a normal distribution and its derivatives in the mean and the logarithm of the deviation.
fn gaussian_term([mean, log_deviation]: [f64; 2], y: f64) -> (f64, [f64; 2]) {
    let deviation = libm::exp(log_deviation);
    let z = (y - mean) / deviation;
    let value = 0.5 * z * z + log_deviation + 0.5 * libm::log(std::f64::consts::TAU);
    (value, [-z / deviation, 1.0 - z * z])
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array3, array};

    /// Central differences of the term in each output, fourth order.
    fn differences<const N: usize>(at: [f64; N], value: impl Fn([f64; N]) -> f64) -> [f64; N] {
        let h = 1e-3;
        std::array::from_fn(|output| {
            let moved = |by: f64| {
                let mut at = at;
                at[output] += by;
                value(at)
            };
            (8.0 * (moved(h) - moved(-h)) - (moved(2.0 * h) - moved(-2.0 * h))) / (12.0 * h)
        })
    }

    #[test]
    fn slopes_are_those_of_finite_differences() {
        for y in [0.0, 1.0, 2.0, 7.0, 3.5, 40.0, 41.0, 300.0] {
            for logit in [-11.0, -3.0, 0.0, 2.5, 8.0] {
                for (log_mean, log_dispersion) in
                    [(-4.0, 0.5), (0.0, -7.0), (0.7, -1.0), (3.0, 2.0), (5.5, 4.0)]
                {
                    let at = [logit, log_mean, log_dispersion];
                    let (_, slopes) = counts_term(at, y);
                    let want = differences(at, |at| counts_term(at, y).0);
                    for (slope, want) in slopes.into_iter().zip(want) {
                        assert!(
                            (slope - want).abs() < 1e-6 * (1.0 + want.abs()),
                            "{at:?} {y}: {slope} {want}"
                        );
                    }
                }
            }
            for at in [[0.3, -1.0], [-2.0, 2.0]] {
                let (_, slopes) = gaussian_term(at, y);
                let want = differences(at, |at| gaussian_term(at, y).0);
                for (slope, want) in slopes.into_iter().zip(want) {
                    assert!((slope - want).abs() < 1e-6 * (1.0 + want.abs()), "{at:?} {y}: {slope} {want}");
                }
            }
        }
    }

    #[test]
    fn probabilities_add_up_to_one_with_the_mean_asked_for_and_fit_the_distribution_function() {
        for outputs in [[-12.0, 0.3, -9.0], [0.5, -1.0, 0.0], [2.0, 1.5, 1.0], [-2.0, 3.0, -2.0]] {
            let (mut sum, mut mean) = (0.0, 0.0);
            for y in 0..4_000 {
                let probability = (-counts_term(outputs, f64::from(y)).0).exp();
                sum += probability;
                mean += f64::from(y) * probability;
                if y == 5 {
                    assert!((counts(outputs).cdf(5.0) - sum).abs() < 1e-10, "{outputs:?}");
                }
            }
            assert!((sum - 1.0).abs() < 1e-9, "{outputs:?}: {sum}");
            assert!((mean - outputs[1].exp()).abs() < 1e-6 * mean, "{outputs:?}: {mean}");
            assert!((counts(outputs).total_mean() - outputs[1].exp()).abs() < 1e-9 * mean);
        }
    }

    #[test]
    fn both_ways_to_the_gamma_functions_agree() {
        for dispersion in [1e-4, 0.01, 1.0, 50.0] {
            let (product, inverse) = rising(40.0, dispersion);
            let r = 1.0 / dispersion;
            let log_ratio = libm::lgamma(40.0 + r) - libm::lgamma(r) + 40.0 * libm::log(dispersion);
            assert!((product - log_ratio).abs() < 1e-9 * (1.0 + product.abs()), "{product} {log_ratio}");
            assert!((inverse - r * (digamma(40.0 + r) - digamma(r))).abs() < 1e-8, "{dispersion}");
        }
    }

    #[test]
    fn weights_count_missing_targets_do_not_and_outputs_beyond_their_range_stay() {
        let outputs = array![[[0.0, 0.2, -1.0], [0.5, 0.1, 0.0]], [[90.0, 0.0, -40.0], [0.0, f64::NAN, 0.0]]];
        let mut gradient = Array3::from_elem((2, 2, 3), 7.0);
        let target = array![[2.0, f64::NAN], [0.0, f64::NAN]];
        let weights = array![2.0, 1.0];
        let value = Likelihood::Counts.value_and_gradient(
            outputs.view(),
            target.view(),
            weights.view(),
            gradient.view_mut(),
        );
        let (first, slopes) = counts_term([0.0, 0.2, -1.0], 2.0);
        let (second, _) = counts_term([12.0, 0.0, DISPERSIONS.0.ln()], 0.0);
        assert!((value - 2.0 * first - second).abs() < 1e-12);
        assert_eq!(gradient[[0, 0, 1]], 2.0 * slopes[1]);
        assert_eq!(
            [gradient[[0, 1, 0]], gradient[[1, 0, 0]], gradient[[1, 0, 2]], gradient[[1, 1, 1]]],
            [0.0; 4]
        );
        assert!(counts_term([f64::NAN, 0.0, 0.0], 1.0).0.is_nan());
    }
}
