//! Student's t distribution: its tail and its quantiles.

/// P(|T| ≥ |t|) for `freedom` degrees of freedom.
pub(super) fn two_sided(t: f64, freedom: f64) -> f64 {
    match t.is_finite() {
        true => incomplete_beta(freedom / 2.0, 0.5, freedom / (freedom + t * t)),
        false => 0.0,
    }
}

/// The t that |T| exceeds with that probability, in (0, 1).
pub(super) fn critical(probability: f64, freedom: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    while two_sided(high, freedom) > probability && high < 1e9 {
        high *= 2.0;
    }
    for _ in 0..80 {
        let middle = 0.5 * (low + high);
        if two_sided(middle, freedom) > probability { low = middle } else { high = middle }
    }
    high
}

/// Regularized incomplete beta function I_x(a, b), by its continued fraction. Source: Press et al., Numerical Recipes, 6.4.
fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return if x <= 0.0 { 0.0 } else { 1.0 };
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(b, a, 1.0 - x);
    }
    let front = libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b) + a * x.ln() + b * (1.0 - x).ln();
    let nonzero = |value: f64| if value.abs() < 1e-300 { 1e-300 } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / nonzero(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for m in 1..500 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for term in [even, odd] {
            d = 1.0 / nonzero(1.0 + term * d);
            c = nonzero(1.0 + term / c);
            change *= c * d;
        }
        fraction *= change;
        if (change - 1.0).abs() < 1e-15 {
            break;
        }
    }
    front.exp() * fraction / a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_are_those_of_tables() {
        // scipy.stats: 2 * t.sf(t, freedom).
        let cases = [
            (1.0, 1.0, 0.5),
            (2.0, 5.0, 0.101_939_478_829_858_35),
            (12.706_204_736_174_7, 1.0, 0.05),
            (0.1, 30.0, 0.921_009_611_790_271_2),
            (4.5, 200.0, 1.151_878_126_287_533e-5),
        ];
        for (t, freedom, want) in cases {
            let found = two_sided(t, freedom);
            assert!((found - want).abs() < 1e-12 * want.max(1e-3), "{t}, {freedom}: {found}");
            assert_eq!(two_sided(-t, freedom), found);
            assert!((critical(want, freedom) - t).abs() < 1e-8 * t);
        }
        assert_eq!((two_sided(0.0, 3.0), two_sided(f64::INFINITY, 3.0)), (1.0, 0.0));
    }
}
