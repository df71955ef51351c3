//! What is let through: forecasts with networks, or with smoothing, must beat those without on the validation origins.

use crate::model::validation;

/// Who shows that forecasts with more in them are better.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Witness {
    /// Many series, which hardly err together.
    Panel,
    /// Few series: less than the standard error over the blocks, or than this share, is no evidence.
    Table(f64),
}

impl Witness {
    /// Few series, of networks. Those that did up to 5 % better on ETT's validation part did up to 5 % worse on its test
    /// part: they were stopped where they did best there.
    pub const TABLE_OF_NETWORKS: Witness = Witness::Table(0.05);

    /// Few series, of what was not fitted to the validation origins.
    pub const TABLE: Witness = Witness::Table(0.01);
}

/// Least relative improvement that a single origin can show.
const MARGIN_SINGLE: f64 = 0.02;

/// Whether forecasts with more in them are let through in place of those without, from the errors of both on every
/// validation origin: the mean error must be less by what the witness demands, and they must win on two thirds of the
/// blocks of origins: one lucky block is not evidence.
pub fn lets_through(without: &[f64], with: &[f64], witness: Witness) -> bool {
    let (without, with) = (blocks(without), blocks(with));
    let advantage = validation::mean(&without) - validation::mean(&with);
    let wins = with.iter().zip(&without).filter(|(with, without)| with < without).count();
    let margin = match witness {
        Witness::Panel => 0.0,
        Witness::Table(share) => standard_error(&without, &with).max(share * validation::mean(&without)),
    };
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
    fn a_small_advantage_convinces_only_of_some_and_one_lucky_block_of_nothing() {
        let without = [1.0; 12];
        let lets = |with: &[f64; 12], witness| lets_through(&without, with, witness);
        let slightly = [0.97; 12];
        assert!(lets(&slightly, Witness::Panel) && lets(&slightly, Witness::TABLE));
        assert!(!lets(&slightly, Witness::TABLE_OF_NETWORKS));
        assert!(lets(&[0.9; 12], Witness::TABLE_OF_NETWORKS));
        let mut luckily = [1.01; 12];
        luckily[..2].fill(0.2);
        assert!(!lets(&luckily, Witness::Panel) && !lets(&luckily, Witness::TABLE));
        // Better in four blocks of six, but no more than they differ among themselves.
        let mixed = [0.9, 0.9, 0.9, 0.9, 0.97, 0.97, 0.99, 0.99, 1.06, 1.06, 1.08, 1.08];
        assert!(lets(&mixed, Witness::Panel) && !lets(&mixed, Witness::TABLE));
    }

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
