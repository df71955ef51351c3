//! Values as codes: linear or mu-law quantisation within a range, and back.

use ndarray::{Array, ArrayBase, ArrayView, Data, Dimension};
use serde::{Deserialize, Serialize};

use crate::engine::real::Real;

/// Added to the width of a range, so that a constant example has one.
const WIDTH_EPSILON: f64 = 1e-6;

/// The largest code is reached a little before the top of the range, the smallest left a little after the bottom.
const BIN_EPSILON: f64 = 0.01;

/// Added before taking the absolute value in mu-law companding, as in the SaShiMi recipe.
const COMPANDING_EPSILON: f64 = 1e-8;

/// How a range is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Companding {
    /// Equal bins.
    Linear,
    /// Bins whose width grows with the distance from the middle of the range: sign(x) ln(1 + μ |x|) / ln(1 + μ) in equal
    /// bins, with μ = bins − 1 (ITU-T G.711 for 256).
    MuLaw,
}

impl Companding {
    /// All of them.
    pub const ALL: [Companding; 2] = [Companding::Linear, Companding::MuLaw];

    /// Name in settings and documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Companding::Linear => "linear",
            Companding::MuLaw => "mu_law",
        }
    }
}

/// A quantiser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Codes {
    /// How the range is divided.
    pub companding: Companding,
    /// Number of codes; 256 for 8 bits. From 2 to 65 536, with mu-law to 4096: beyond that the bins around zero are no
    /// wider than the small numbers of the recipe.
    pub bins: usize,
}

/// The range of one example, in its units.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// Smallest value.
    pub low: f64,
    /// Largest value.
    pub high: f64,
}

impl Range {
    /// From the smallest to the largest of some finite values.
    pub fn of<F: Real, S: Data<Elem = F>, D: Dimension>(x: &ArrayBase<S, D>) -> Range {
        let start = Range { low: f64::INFINITY, high: f64::NEG_INFINITY };
        x.iter()
            .map(|x| x.wide())
            .fold(start, |range, x| Range { low: range.low.min(x), high: range.high.max(x) })
    }

    fn width(&self) -> f64 {
        self.high - self.low + WIDTH_EPSILON
    }
}

impl Codes {
    /// 256 mu-law codes, as for speech in the SaShiMi paper (arXiv 2202.09729).
    pub const MU_LAW_8_BIT: Codes = Codes { companding: Companding::MuLaw, bins: 256 };

    /// 256 equal bins.
    pub const LINEAR_8_BIT: Codes = Codes { companding: Companding::Linear, bins: 256 };

    fn mu(self) -> f64 {
        self.bins as f64 - 1.0
    }

    /// Codes of x, any shape. Values outside the range get the first or the last code, NaN the first.
    pub fn encode<F: Real, D: Dimension>(self, range: Range, x: ArrayView<F, D>) -> Array<u16, D> {
        x.mapv(|x| self.code(range, x.wide()))
    }

    fn code(self, range: Range, x: f64) -> u16 {
        let unit = (x - range.low) / range.width();
        let unit = match self.companding {
            Companding::Linear => unit,
            Companding::MuLaw => {
                let level = 2.0 * unit - 1.0;
                let size = libm::log1p(self.mu() * (level + COMPANDING_EPSILON).abs());
                (signum(level) * size / libm::log1p(self.mu()) + 1.0) / 2.0
            }
        };
        let bins = self.bins as f64;
        let code = unit * (bins - BIN_EPSILON) + BIN_EPSILON / 2.0;
        // The conversion truncates and takes NaN to zero.
        code.clamp(0.0, bins - 1.0) as u16
    }

    /// The value in [−1, 1) that a code stands for; the middle code stands for zero.
    pub fn level(self, code: u16) -> f64 {
        let d = 2.0 * f64::from(code) / self.bins as f64 - 1.0;
        match self.companding {
            Companding::Linear => d,
            Companding::MuLaw => signum(d) * libm::expm1(d.abs() * libm::log1p(self.mu())) / self.mu(),
        }
    }

    /// Values of codes, any shape, in the units of the range.
    pub fn decode<F: Real, D: Dimension>(self, range: Range, codes: ArrayView<u16, D>) -> Array<F, D> {
        codes.mapv(|code| F::of(range.low + (self.level(code) + 1.0) / 2.0 * range.width()))
    }
}

/// −1, 0 or 1.
fn signum(x: f64) -> f64 {
    if x == 0.0 { 0.0 } else { x.signum() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array1, array};

    #[test]
    fn a_code_survives_decoding_and_encoding() {
        let range = Range { low: -3.0, high: 5.0 };
        for (companding, most) in [(Companding::Linear, 65_536), (Companding::MuLaw, 4096)] {
            for bins in [2, 10, 256, 1000, most] {
                let codes = Codes { companding, bins };
                let all: Array1<u16> = (0..bins).map(|code| code as u16).collect();
                let mut values: Array1<f64> = codes.decode(range, all.view());
                assert!(values.windows(2).into_iter().all(|pair| pair[0] < pair[1]), "{codes:?}");
                // A code stands for the lower edge of its bin; any value inside has the same code.
                for at in 0..bins - 1 {
                    values[at] = 0.5 * (values[at] + values[at + 1]);
                }
                values[bins - 1] = range.high;
                assert_eq!(codes.encode(range, values.view()), all, "{codes:?}");
            }
        }
    }

    #[test]
    fn the_error_is_at_most_a_bin() {
        let x: Array1<f64> = (0..500).map(|t| (f64::from(t) * 0.1).sin() * 40.0 + 7.0).collect();
        let (range, codes) = (Range::of(&x), Codes::LINEAR_8_BIT);
        let back: Array1<f64> = codes.decode(range, codes.encode(range, x.view()).view());
        assert!((&back - &x).iter().all(|error| error.abs() <= range.width() / 256.0 * 1.01));
    }

    #[test]
    fn the_ends_the_outside_and_constants_have_codes() {
        let range = Range { low: 0.0, high: 1.0 };
        let x = array![0.0_f32, 1.0, -7.0, 7.0, f32::NAN, f32::INFINITY];
        for codes in [Codes::LINEAR_8_BIT, Codes::MU_LAW_8_BIT] {
            assert_eq!(codes.encode(range, x.view()), array![0, 255, 0, 255, 0, 255]);
            let constant = array![2.5, 2.5];
            let range = Range::of(&constant);
            let back: Array1<f64> = codes.decode(range, codes.encode(range, constant.view()).view());
            assert!((&back - &constant).iter().all(|error| error.abs() < 2e-6));
            assert_eq!(codes.level(128), 0.0);
        }
    }
}
