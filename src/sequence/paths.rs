//! Series as codes, and the futures that a model draws for them.
//!
//! A window is a context and the steps after it. Its values are measured in standard deviations of the context from the
//! context's mean, so that one model serves series of any size, and become codes of even width. A path continues the context
//! code by code; sums over a path keep what single quantiles lose, how errors of neighbouring steps go together.

use ndarray::ArrayView2;
use rayon::prelude::*;

use crate::engine::codes::{Codes, Range};
use crate::engine::sashimi::autoregressive::AutoregressiveStepper;
use crate::engine::sashimi::sample::{Sampling, continue_prefix};
use crate::sequence::data::{Data, Part};
use crate::sequence::learner::generator;

/// Standard deviations that the codes reach to either side.
const REACH: f64 = 4.0;

/// Codes of even width.
pub const QUANTISER: Codes = Codes::LINEAR_8_BIT;

/// The range of the codes of a window with this context; values beyond it get the outermost codes.
pub fn range(context: &[f32]) -> Range {
    let count = context.len() as f64;
    let mean = context.iter().map(|&value| f64::from(value)).sum::<f64>() / count;
    let variance = context.iter().map(|&value| (f64::from(value) - mean).powi(2)).sum::<f64>() / count;
    // A constant context still has a range, in the units of its level.
    let deviation = if variance > 0.0 { variance.sqrt() } else { mean.abs().max(1.0) * 1e-3 };
    Range { low: mean - REACH * deviation, high: mean + REACH * deviation }
}

/// The values in the middle of what codes stand for.
pub fn values(range: Range, codes: ArrayView2<u16>) -> Vec<f64> {
    let half = (range.high - range.low) / (2.0 * QUANTISER.bins as f64);
    QUANTISER.decode::<f64, _>(range, codes).iter().map(|value| value + half).collect()
}

/// Draws `paths` futures of `steps` values after a context; `stream` keys the random numbers.
pub fn draw(
    model: &AutoregressiveStepper<'_, f32>,
    context: &[f32],
    steps: usize,
    paths: usize,
    sampling: Sampling,
    (seed, stream): (u64, usize),
) -> Vec<f64> {
    let range = range(context);
    let context = ArrayView2::from_shape((1, context.len()), context).expect("one row");
    let prefix = QUANTISER.encode(range, context);
    let mut rngs: Vec<_> = (0..paths).map(|path| generator(seed, PURPOSE, stream * paths + path)).collect();
    let drawn = continue_prefix(model, prefix.view(), steps, sampling, &mut rngs);
    values(range, drawn.codes.view())
}

/// Purpose of the random numbers.
const PURPOSE: u64 = 5;

/// How often sums over the horizon lay between quantiles of the sums of paths.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SumCoverage {
    /// Divides the logits.
    pub temperature: f64,
    /// Share inside the central 80 %.
    pub of_80: f64,
    /// Share inside the central 95 %.
    pub of_95: f64,
    /// Windows.
    pub windows: usize,
    /// Paths of each.
    pub paths: usize,
}

/// Temperatures that are tried, the plain model first.
const TEMPERATURES: [f64; 8] = [1.0, 0.85, 1.15, 1.3, 1.45, 1.6, 1.8, 2.0];

/// Paths of a window, where a temperature is chosen and where it is judged; windows to choose by at most.
const PATHS: [usize; 2] = [50, 100];
const WINDOWS: usize = 600;

/// The temperature at which sums of paths cover best what came in a part that was not trained on.
pub fn temperature(
    model: &AutoregressiveStepper<'_, f32>,
    data: &Data,
    part: &Part,
    seed: u64,
) -> SumCoverage {
    let every = part.starts.len().div_ceil(WINDOWS).max(1);
    let some = Part { starts: part.starts.iter().copied().step_by(every).collect(), ..part.clone() };
    let miss = |found: &SumCoverage| (found.of_80 - 0.8).abs() + (found.of_95 - 0.95).abs();
    let all = TEMPERATURES.map(|temperature| covered(model, data, &some, temperature, (PATHS[0], seed)));
    all.into_iter().min_by(|one, other| miss(one).total_cmp(&miss(other))).expect("some temperatures")
}

/// Coverage of the sums over the horizon of all windows of a part.
pub fn coverage(
    model: &AutoregressiveStepper<'_, f32>,
    data: &Data,
    part: &Part,
    temperature: f64,
    seed: u64,
) -> SumCoverage {
    covered(model, data, part, temperature, (PATHS[1], seed))
}

fn covered(
    model: &AutoregressiveStepper<'_, f32>,
    data: &Data,
    part: &Part,
    temperature: f64,
    (paths, seed): (usize, u64),
) -> SumCoverage {
    let context = data.context.expect("windows of series have a context");
    let steps = data.len - context;
    let sampling = Sampling { temperature, top_p: 1.0 };
    let inside: Vec<[bool; 2]> = part
        .starts
        .par_iter()
        .enumerate()
        .map(|(index, &start)| {
            let window = part.values.reals(start, data.len);
            let drawn = draw(model, &window[..context], steps, paths, sampling, (seed, index));
            let mut sums: Vec<f64> = drawn.chunks_exact(steps).map(|path| path.iter().sum()).collect();
            sums.sort_by(f64::total_cmp);
            let actual: f64 = window[context..].iter().map(|&value| f64::from(value)).sum();
            [0.8, 0.95].map(|level| {
                let [low, high] =
                    [(1.0 - level) / 2.0, (1.0 + level) / 2.0].map(|share| quantile(&sums, share));
                (low..=high).contains(&actual)
            })
        })
        .collect();
    let share =
        |level: usize| inside.iter().filter(|inside| inside[level]).count() as f64 / inside.len() as f64;
    SumCoverage { temperature, of_80: share(0), of_95: share(1), windows: inside.len(), paths }
}

/// Quantile of sorted values, linear between neighbours (Hyndman and Fan, type 7).
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = share * (sorted.len() - 1) as f64;
    let (below, part) = (at.floor() as usize, at.fract());
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + part * (sorted[above] - sorted[below])
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn codes_of_a_window_are_undone_within_half_a_bin() {
        let context: Vec<f32> = (0..50).map(|t| 300.0 + 20.0 * (t as f32 * 0.5).sin()).collect();
        let range = range(&context);
        let wanted = array![[280.0_f64, 300.0, 317.0]];
        let codes = QUANTISER.encode(range, wanted.view());
        let bin = (range.high - range.low) / 256.0;
        for (value, wanted) in values(range, codes.view()).into_iter().zip(&wanted) {
            assert!((value - wanted).abs() <= 0.51 * bin, "{value} {wanted}");
        }
        assert!((range.high - range.low - 8.0 * 14.1).abs() < 2.0, "eight standard deviations: {range:?}");
        assert!(super::range(&[5.0; 8]).high > 5.0);
    }

    #[test]
    fn quantiles_lie_between_neighbours() {
        let sorted = [0.0, 1.0, 2.0, 4.0];
        assert_eq!([0.0, 0.5, 1.0].map(|share| quantile(&sorted, share)), [0.0, 1.5, 4.0]);
    }
}
