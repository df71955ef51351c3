//! Whether networks are let through: forecasts with them must beat those without on the validation origins.

use crate::model::ensemble::Ensemble;
use crate::model::validation::{self, Validation};
use crate::model::work::WorkSeries;

/// Least relative improvement on few series. Networks that did up to 5 % better on ETT's validation part did up to 5 %
/// worse on its test part: what few series show about themselves does not last.
const MARGIN_TABLE: f64 = 0.05;

/// Least relative improvement of a network that reads observations at their own times, which tell it what no base can know. With
/// 5 % as for others, it was turned away on four of eight seeds of noisy sines at random times, and would have been better on all
/// of them (by 2.7 to 6.3 %).
const MARGIN_OBSERVED: f64 = 0.02;

/// Least relative improvement that a single origin can show.
const MARGIN_SINGLE: f64 = 0.02;

/// Whether forecasts with networks are let through in place of those without: their mean error must be less, they must
/// win on two thirds of the blocks of origins and, unless many series teach the networks (`is_panel`), by more than
/// 5 % (2 % where they read raw observations) and than the standard error of their advantage over the blocks: one lucky block is
/// not evidence.
pub fn lets_through(
    base: &Ensemble,
    mixed: &Ensemble,
    validation: &Validation,
    work: &[WorkSeries],
    is_panel: bool,
) -> bool {
    let without = blocks(&validation.relative(base, work));
    let with = blocks(&validation.relative(mixed, work));
    let advantage = validation::mean(&without) - validation::mean(&with);
    let wins = with.iter().zip(&without).filter(|(with, without)| with < without).count();
    let share = if mixed.events.is_some() { MARGIN_OBSERVED } else { MARGIN_TABLE };
    let margin =
        if is_panel { 0.0 } else { standard_error(&without, &with).max(share * validation::mean(&without)) };
    tracing::debug!(advantage, margin, wins, blocks = with.len(), "gate");
    advantage > margin && 3 * wins >= 2 * with.len()
}

/// Blocks of neighbouring origins: those of few series overlap, and neighbours are hardly evidence of their own.
const BLOCKS: usize = 6;

/// Means of at most [`BLOCKS`] runs of fold figures.
fn blocks(folds: &[f64]) -> Vec<f64> {
    folds.chunks(folds.len().div_ceil(BLOCKS).max(1)).map(validation::mean).collect()
}

/// Standard error of the mean difference between two rows of fold figures.
fn standard_error(base: &[f64], folds: &[f64]) -> f64 {
    let advantage: Vec<f64> = base.iter().zip(folds).map(|(base, fold)| base - fold).collect();
    let count = advantage.len() as f64;
    if advantage.len() < 2 {
        return MARGIN_SINGLE * validation::mean(base);
    }
    let mean = validation::mean(&advantage);
    let variance = advantage.iter().map(|a| (a - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (variance / count).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_origins_are_one_block() {
        assert_eq!(blocks(&[1.0, 2.0, 3.0]), [1.0, 2.0, 3.0]);
        assert_eq!(blocks(&[1.0; 13]).len(), 5);
        assert!(blocks(&[]).is_empty());
    }

    #[test]
    fn the_standard_error_grows_with_disagreement_and_a_single_origin_has_a_margin() {
        assert_eq!(standard_error(&[1.0, 1.0], &[0.9, 0.9]), 0.0);
        assert!((standard_error(&[1.0, 1.0], &[0.8, 1.0]) - 0.1).abs() < 1e-12);
        assert_eq!(standard_error(&[1.0], &[0.5]), MARGIN_SINGLE);
    }
}
