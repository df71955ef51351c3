//! The two float types of the engine: f32 in production, f64 where a check needs the digits.
//!
//! The f32 versions of exp and erf are sequences of additions, multiplications and bit operations without a branch, so
//! loops over them become vector code on any processor, and they give the same bits on every platform.

use ndarray::NdFloat;
use realfft::FftNum;

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// A float type of the engine: f32 or f64.
pub trait Real: NdFloat + FftNum + std::iter::Sum + sealed::Sealed {
    /// Nearest value of this type.
    fn of(value: f64) -> Self;

    /// The value in f64.
    fn wide(self) -> f64;

    /// erf(x) = 2/√π ∫₀ˣ exp(−t²) dt, with an absolute error below 1.5e-7 in f32 and to rounding in f64.
    fn erf(self) -> Self;

    /// e^x, with a relative error below 2e-7 in f32 and to rounding in f64. In f32 the argument is clamped to
    /// [−87, 88], where the result stays a normal number. NaN stays NaN.
    fn exp_fast(self) -> Self;

    /// (sin x, cos x), with absolute errors below 2e-7 for |x| ≤ 100 and 1e-6 up to 8192 in f32, where the argument is
    /// clamped to ±8192, and to rounding in f64. NaN stays NaN.
    fn sin_cos_fast(self) -> (Self, Self);
}

impl Real for f64 {
    #[inline(always)]
    fn of(value: f64) -> f64 {
        value
    }

    #[inline(always)]
    fn wide(self) -> f64 {
        self
    }

    #[inline(always)]
    fn erf(self) -> f64 {
        libm::erf(self)
    }

    #[inline(always)]
    fn exp_fast(self) -> f64 {
        libm::exp(self)
    }

    #[inline(always)]
    fn sin_cos_fast(self) -> (f64, f64) {
        libm::sincos(self)
    }
}

/// g(a) = −ln erfc(a) = a Σ c_k a^k on [0, 4]; fitted so that the largest error of exp(−g) is least, 1.6e-8.
const LOG_ERFC: [f32; 8] = [
    1.128_380_3,
    0.636_597_7,
    0.102_919_75,
    -0.019_584_315,
    5.373_958e-4,
    1.032_092_5e-3,
    -3.087_01e-4,
    3.142_738_3e-5,
];

/// (e^r − 1 − r) / r² on |r| ≤ ½ ln 2, highest power first (Cephes, expf).
const EXP_TAIL: [f32; 6] =
    [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5];

/// 1.5 · 2²³: adding it rounds a small float to an integer, which then lies in the low bits.
const ROUNDER: f32 = 12_582_912.0;

/// ln 2 in two parts, the first exact in nine bits, so that k · `LN_2_HIGH` is exact.
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;

/// π/2 in three parts, the first two exact in few bits (Cephes, sinf).
const HALF_PI_PARTS: [f32; 3] = [1.570_312_5, 4.837_513e-4, 7.549_79e-8];

/// (sin r − r) / r³ and (cos r − 1 + r²/2) / r⁴ on |r| ≤ π/4 as polynomials in r², highest power first (Cephes, sinf).
const SIN_TAIL: [f32; 3] = [-1.951_529_6e-4, 8.332_161e-3, -1.666_665_5e-1];
const COS_TAIL: [f32; 3] = [2.443_315_7e-5, -1.388_731_6e-3, 4.166_664_6e-2];

impl Real for f32 {
    #[inline(always)]
    fn of(value: f64) -> f32 {
        value as f32
    }

    #[inline(always)]
    fn wide(self) -> f64 {
        f64::from(self)
    }

    // erf(x) = sign(x) (1 − exp(−g(|x|))); from |x| = 4 on that is ±1 in f32.
    #[inline(always)]
    fn erf(self) -> f32 {
        let a = self.clamp(-4.0, 4.0).abs();
        let g = a * LOG_ERFC.iter().rev().fold(0.0, |sum, &c| sum * a + c);
        (1.0 - (-g).exp_fast()).copysign(self)
    }

    // e^x = 2^k e^r with k the integer nearest to x / ln 2; 2^k is made in the exponent bits.
    #[inline(always)]
    fn exp_fast(self) -> f32 {
        let x = self.clamp(-87.0, 88.0);
        let shifted = x * std::f32::consts::LOG2_E + ROUNDER;
        let k = shifted - ROUNDER;
        let r = x - k * LN_2_HIGH - k * LN_2_LOW;
        let tail = EXP_TAIL.iter().fold(0.0, |sum, &c| sum * r + c);
        let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(1.0_f32.to_bits()));
        (tail * r * r + r + 1.0) * power
    }

    // x = j π/2 + r with j the nearest integer: sine and cosine of r, in the places and with the signs of quadrant j.
    #[inline(always)]
    fn sin_cos_fast(self) -> (f32, f32) {
        let x = self.clamp(-8192.0, 8192.0);
        let shifted = x * std::f32::consts::FRAC_2_PI + ROUNDER;
        let j = shifted - ROUNDER;
        let [high, middle, low] = HALF_PI_PARTS;
        let r = x - j * high - j * middle - j * low;
        let square = r * r;
        let tail = |of: &[f32]| of.iter().fold(0.0, |sum, &c| sum * square + c);
        let sine = r + r * square * tail(&SIN_TAIL);
        let cosine = 1.0 - 0.5 * square + square * square * tail(&COS_TAIL);
        let quadrant = shifted.to_bits();
        let swap = (quadrant & 1).wrapping_neg();
        let pick = |one: f32, other: f32| (one.to_bits() & !swap) | (other.to_bits() & swap);
        let (sine_sign, cosine_sign) = ((quadrant & 2) << 30, (quadrant.wrapping_add(1) & 2) << 30);
        (f32::from_bits(pick(sine, cosine) ^ sine_sign), f32::from_bits(pick(cosine, sine) ^ cosine_sign))
    }
}

#[cfg(test)]
mod tests {
    use super::Real;

    #[test]
    fn erf_in_f32_is_close_on_a_dense_grid() {
        let grid = (-60_000..=60_000).map(|i| i as f32 * 1e-4);
        let worst =
            grid.map(|x| (f64::from(Real::erf(x)) - libm::erf(f64::from(x))).abs()).fold(0.0, f64::max);
        assert!(worst < 1.5e-7, "worst absolute error {worst:e}");
    }

    #[test]
    fn exp_in_f32_is_close_on_a_dense_grid() {
        let grid = (-870_000..=880_000).map(|i| i as f32 * 1e-4);
        let error = |x: f32| (f64::from(x.exp_fast()) / libm::exp(f64::from(x)) - 1.0).abs();
        let worst = grid.map(error).fold(0.0, f64::max);
        assert!(worst < 2e-7, "worst relative error {worst:e}");
    }

    #[test]
    fn sine_and_cosine_in_f32_are_close_on_dense_grids() {
        for (scale, bound) in [(1e-3_f32, 2e-7), (8e-2, 1e-6)] {
            let worst = (-100_000..=100_000).map(|i| i as f32 * scale).fold(0.0_f64, |worst, x| {
                let ((sine, cosine), (s, c)) = (x.sin_cos_fast(), libm::sincos(f64::from(x)));
                worst.max((f64::from(sine) - s).abs()).max((f64::from(cosine) - c).abs())
            });
            assert!(worst < bound, "worst absolute error {worst:e} at scale {scale}");
        }
        assert!(f32::INFINITY.sin_cos_fast().0.abs() <= 1.0 && f32::NAN.sin_cos_fast().1.is_nan());
    }

    #[test]
    fn extremes_saturate_and_nan_stays() {
        assert_eq!(Real::erf(f32::INFINITY), 1.0);
        assert_eq!(Real::erf(-30.0_f32), -1.0);
        assert_eq!(Real::erf(0.0_f32), 0.0);
        assert_eq!(0.0_f32.exp_fast(), 1.0);
        assert!((-1e30_f32).exp_fast() < 1e-37 && 1e30_f32.exp_fast().is_finite());
        assert!(Real::erf(f32::NAN).is_nan() && f32::NAN.exp_fast().is_nan());
    }
}
