//! exp, logistic function and the normal distribution, a register at a time.
//!
//! The scalar twins are in [`crate::engine::real`] and [`crate::engine::activation`].

use crate::engine::simd::Lanes;

/// 1.5 · 2²³: adding it rounds a small float to an integer, which then lies in the low bits.
const ROUNDER: f32 = 12_582_912.0;

/// ln 2 in two parts, the first exact in nine bits, so that k times it is exact.
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;

/// (e^r − 1 − r) / r² on |r| ≤ ½ ln 2, highest power first; fitted so that the largest relative error of e^r is least,
/// 1.1e-7.
const EXP_TAIL: [f32; 4] = [8.312_44e-3, 4.189_054e-2, 1.666_711_7e-1, 4.999_922_9e-1];

/// erf(z) = z P(z²) / Q(z²) on |z| ≤ [`ERF_END`], highest power first; beyond it erf is ±1 in f32. The coefficients are
/// those of Eigen's and XLA's `erf`.
const ERF_P: [f64; 5] = [2.290_506_6e-4, 3.408_291e-3, 5.095_569_5e-2, 1.852_083_2e-1, 1.128_379_143_5];
const ERF_Q: [f64; 7] =
    [-1.179_160_3e-7, 2.354_796_6e-5, 1.017_962_5e-3, 1.407_047e-2, 1.109_850_5e-1, 4.974_692_5e-1, 1.0];
const ERF_END: f64 = 3.743_921_2;

/// P and Q as polynomials in x², where Φ(x) = ½ + x P / Q: z = x / √2, so z² halves with every power.
const CDF_P: [f32; 5] = halved(ERF_P, 0.5 * std::f64::consts::FRAC_1_SQRT_2);
const CDF_Q: [f32; 7] = halved(ERF_Q, 1.0);
const CDF_END: f32 = (ERF_END * std::f64::consts::SQRT_2) as f32;

/// Coefficients in x² of `factor` times a polynomial in x²/2.
const fn halved<const N: usize>(coefficients: [f64; N], factor: f64) -> [f32; N] {
    let mut result = [0.0; N];
    let (mut at, mut scale) = (N, factor);
    while at > 0 {
        at -= 1;
        result[at] = (coefficients[at] * scale) as f32;
        scale /= 2.0;
    }
    result
}

/// Horner's rule, highest power first.
#[inline(always)]
fn polynomial<S: Lanes>(simd: S, x: S::f32s, coefficients: &[f32]) -> S::f32s {
    let mut sum = simd.splat_f32s(coefficients[0]);
    for &coefficient in &coefficients[1..] {
        sum = simd.mul_add_e_f32s(sum, x, simd.splat_f32s(coefficient));
    }
    sum
}

/// e^x for x up to 88, with a relative error below 3e-7; below −87 a number near the smallest normal one.
///
/// e^x = 2^k e^r with k the integer nearest to x / ln 2; 2^k is made in the exponent bits.
#[inline(always)]
pub fn exp<S: Lanes>(simd: S, x: S::f32s) -> S::f32s {
    let x = simd.min_f32s(simd.max_f32s(x, simd.splat_f32s(-87.0)), simd.splat_f32s(88.0));
    let rounder = simd.splat_f32s(ROUNDER);
    let shifted = simd.mul_add_e_f32s(x, simd.splat_f32s(std::f32::consts::LOG2_E), rounder);
    let k = simd.sub_f32s(shifted, rounder);
    let r = simd.mul_add_e_f32s(k, simd.splat_f32s(-LN_2_HIGH), x);
    let r = simd.mul_add_e_f32s(k, simd.splat_f32s(-LN_2_LOW), r);
    let tail = polynomial(simd, r, &EXP_TAIL);
    let value = simd.mul_add_e_f32s(tail, simd.mul_f32s(r, r), r);
    let value = simd.add_f32s(value, simd.splat_f32s(1.0));
    let bits = simd.wrapping_dyn_shl_u32s(simd.transmute_u32s_f32s(shifted), simd.splat_u32s(23));
    let power = simd.transmute_f32s_u32s(simd.add_u32s(bits, simd.splat_u32s(1.0_f32.to_bits())));
    simd.mul_f32s(value, power)
}

/// 1 / (1 + e^−x).
#[inline(always)]
pub fn sigmoid<S: Lanes>(simd: S, x: S::f32s) -> S::f32s {
    let one = simd.splat_f32s(1.0);
    simd.div_f32s(one, simd.add_f32s(one, exp(simd, simd.neg_f32s(x))))
}

/// Φ(x), the standard normal distribution function, with an absolute error below 2e-7.
#[inline(always)]
pub fn normal_cdf<S: Lanes>(simd: S, x: S::f32s) -> S::f32s {
    let end = simd.splat_f32s(CDF_END);
    let x = simd.min_f32s(simd.max_f32s(x, simd.neg_f32s(end)), end);
    let square = simd.mul_f32s(x, x);
    let numerator = simd.mul_f32s(x, polynomial(simd, square, &CDF_P));
    let part = simd.div_f32s(numerator, polynomial(simd, square, &CDF_Q));
    simd.add_f32s(part, simd.splat_f32s(0.5))
}

/// φ(x) = exp(−x²/2) / √(2π).
#[inline(always)]
pub fn normal_density<S: Lanes>(simd: S, x: S::f32s) -> S::f32s {
    let power = simd.mul_f32s(simd.mul_f32s(x, x), simd.splat_f32s(-0.5));
    simd.mul_f32s(exp(simd, power), simd.splat_f32s(0.398_942_3))
}

#[cfg(test)]
mod tests {
    use super::{normal_cdf, normal_density, sigmoid};
    use crate::engine::simd::{Isa, Kernel, Lanes};

    struct Grid<'a> {
        x: &'a [f32],
        out: [&'a mut [f32]; 3],
    }

    impl Kernel for Grid<'_> {
        #[inline(always)]
        fn run<S: Lanes>(self, simd: S) {
            let [cdf, density, logistic] = self.out;
            let (x, _) = S::as_simd_f32s(self.x);
            let (cdf, density, logistic) =
                (S::as_mut_simd_f32s(cdf).0, S::as_mut_simd_f32s(density).0, S::as_mut_simd_f32s(logistic).0);
            for (i, &x) in x.iter().enumerate() {
                cdf[i] = normal_cdf(simd, x);
                density[i] = normal_density(simd, x);
                logistic[i] = sigmoid(simd, x);
            }
        }
    }

    #[test]
    fn functions_are_close_on_a_dense_grid() {
        let x: Vec<f32> = (-80_000..80_000).map(|i| i as f32 * 1e-4).collect();
        for isa in Isa::available() {
            let (mut cdf, mut density, mut logistic) =
                (vec![0.0; x.len()], vec![0.0; x.len()], vec![0.0; x.len()]);
            isa.run(Grid { x: &x, out: [&mut cdf, &mut density, &mut logistic] });
            let mut worst = [0.0_f64; 3];
            for (i, &x) in x.iter().enumerate() {
                let x = f64::from(x);
                let exact = [
                    0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2),
                    (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt(),
                    1.0 / (1.0 + (-x).exp()),
                ];
                for (worst, (exact, value)) in
                    worst.iter_mut().zip(exact.into_iter().zip([cdf[i], density[i], logistic[i]]))
                {
                    *worst = worst.max((f64::from(value) - exact).abs());
                }
            }
            assert!(worst.iter().all(|&error| error < 2e-7), "{}: {worst:?}", isa.name());
        }
    }
}
