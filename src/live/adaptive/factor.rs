//! How much wider or narrower one series is than the others: the factor that its own outcomes would have
//! liked best.

use std::collections::BTreeMap;

use crate::live::adaptive::correction::{Correction, median};
use crate::live::adaptive::evidence::Evidence;

/// Independent issues that the other series are worth against those of one. 4 and 8 differ by less than 1
/// point of coverage on weekly sales, tourism and influenza.
const PRIOR: f64 = 8.0;

/// Factors lie between this and its inverse. Set, not measured: a series beyond it needs another model.
const FACTOR_MIN: f64 = 0.4;

/// Issues, forgotten as they age, that a series needs for a factor of its own.
const ISSUES_MIN: f64 = 3.0;

/// Halvings of the logarithm of a factor: to within 1 %.
const HALVINGS: usize = 8;

/// Factors by series. Each minimises the pinball loss of all levels in units of the width, which is convex in
/// it, given the moves of the newest run (`last`); its logarithm shrinks towards 0 where issues are few. A
/// proper score, so levels that sit on a bound with the outcomes (counts at 0) pull neither way.
pub(super) fn factors(
    evidence: &Evidence,
    levels: &[f64],
    last: &Correction,
    horizon: usize,
) -> BTreeMap<String, f64> {
    let mut of_series: Vec<Vec<usize>> = vec![Vec::new(); evidence.series.len()];
    for (index, outcome) in evidence.outcomes.iter().enumerate() {
        of_series[outcome.series].push(index);
    }
    let shape = evidence.mean_shape(levels.len());
    let moves: Vec<Vec<f64>> = (0..last.bands()).map(|band| last.moves(band, &shape)).collect();
    let factor = |(series, own): (usize, &Vec<usize>)| {
        let seen: f64 = own.iter().map(|index| evidence.outcomes[*index].weight).sum();
        let issues = seen / horizon.max(1) as f64;
        if issues < ISSUES_MIN {
            return None;
        }
        let trust = issues / (issues + PRIOR * evidence.overlap);
        let factor = (trust * best_logarithm(evidence, own, levels, &moves)).exp();
        Some((evidence.series[series].to_owned(), factor))
    };
    of_series.iter().enumerate().filter_map(factor).collect()
}

fn best_logarithm(evidence: &Evidence, own: &[usize], levels: &[f64], moves: &[Vec<f64>]) -> f64 {
    let middle = median(levels);
    let slope = |factor: f64| -> f64 {
        let of_outcome = |index: &usize| {
            let outcome = &evidence.outcomes[*index];
            let shape = &evidence.shapes[index * levels.len()..][..levels.len()];
            let moves = &moves[outcome.band];
            let from_median = outcome.actual - moves[middle];
            let of_level = |level: usize| {
                let distance = shape[level] + moves[level] - moves[middle];
                match from_median.total_cmp(&(factor * distance)) {
                    std::cmp::Ordering::Less => (1.0 - levels[level]) * distance,
                    std::cmp::Ordering::Greater => -levels[level] * distance,
                    std::cmp::Ordering::Equal => 0.0,
                }
            };
            outcome.weight * (0..levels.len()).map(of_level).sum::<f64>()
        };
        own.iter().map(of_outcome).sum()
    };
    let (mut low, mut high) = (FACTOR_MIN.ln(), -FACTOR_MIN.ln());
    for _ in 0..HALVINGS {
        let middle = 0.5 * (low + high);
        if slope(middle.exp()) > 0.0 { high = middle } else { low = middle }
    }
    0.5 * (low + high)
}

/// Factor of a series with too few outcomes for its own: the geometric mean of the others', 1 where there are
/// none.
pub(super) fn common(factors: &BTreeMap<String, f64>) -> f64 {
    let sum: f64 = factors.values().map(|factor| factor.ln()).sum();
    (sum / factors.len().max(1) as f64).exp()
}
