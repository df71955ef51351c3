//! Comparisons whose answer is known.

use crate::evaluation::compare::{Block, Comparison, Verdict, compare};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// Blocks of four points; the first model's loss exceeds the second's by `difference(series, window)`.
fn blocks(series: usize, windows: usize, mut difference: impl FnMut(usize, usize) -> f64) -> Vec<Block> {
    let places = (0..series).flat_map(|series| (0..windows).map(move |window| (series, window)));
    let block = |(series, window)| Block {
        series,
        window,
        points: 4,
        losses: [4.0 + difference(series, window), 4.0],
    };
    places.map(block).collect()
}

fn of(blocks: &[Block]) -> Comparison {
    compare(blocks, 1, 2_000, 7)
}

#[test]
fn equals_are_equal() {
    let same = of(&blocks(6, 10, |_, _| 0.0));
    assert_eq!((same.points, same.series, same.windows), (240, 6, 10));
    assert_eq!((same.means, same.difference, same.interval), ([1.0, 1.0], 0.0, Some([0.0, 0.0])));
    assert_eq!((same.p_value, same.diebold_mariano, same.verdict), (Some(1.0), None, Verdict::Neither));
}

#[test]
fn a_clear_winner_is_named() {
    let noise = |series: usize, window: usize| ((series * 31 + window * 17) % 13) as f64 / 13.0;
    let better = of(&blocks(6, 10, |series, window| -2.0 + noise(series, window)));
    assert_eq!(better.verdict, Verdict::First);
    assert!(better.p_value.is_some_and(|p| p < 0.01) && better.interval.is_some_and(|[_, high]| high < 0.0));
    assert!(better.diebold_mariano.is_some_and(|test| test.statistic < -5.0));
    let worse = of(&blocks(6, 10, |series, window| 2.0 - noise(series, window)));
    assert_eq!(worse.verdict, Verdict::Second);
    assert!((worse.difference + better.difference).abs() < 1e-12);
}

#[test]
fn one_block_shows_nothing() {
    let one = of(&blocks(1, 1, |_, _| 3.0));
    assert_eq!((one.interval, one.p_value, one.verdict), (None, None, Verdict::Neither));
    assert_eq!(one.difference, 0.75);
}

#[test]
fn the_statistic_is_that_of_the_formula() {
    // Differences per point of ten windows of one series; figures by numpy and scipy from the formulas of Diebold and
    // Mariano (1995) and Harvey, Leybourne and Newbold (1997) for horizons 1 and, over twenty windows, 2.
    let values = [0.3, -0.1, 0.4, 0.2, 0.5, -0.2, 0.6, 0.1, 0.0, 0.35];
    let ten = of(&blocks(1, 10, |_, window| 4.0 * values[window])).diebold_mariano.expect("enough windows");
    assert!((ten.statistic - 2.5898602390942087).abs() < 1e-12, "{}", ten.statistic);
    assert!((ten.p_value - 0.02922017131289849).abs() < 1e-12, "{}", ten.p_value);
    let twenty = blocks(1, 20, |_, window| (window % 6) as f64 / 2.0 - 0.5);
    let twenty = compare(&twenty, 2, 100, 7).diebold_mariano.expect("enough windows");
    assert!((twenty.statistic - 2.6449277308699863).abs() < 1e-12, "{}", twenty.statistic);
    assert!((twenty.p_value - 0.01597375144188894).abs() < 1e-12, "{}", twenty.p_value);
}

/// How often a difference is shown between models that are equal on average.
fn rejections(overlap: usize, mut simulate: impl FnMut(&mut ChaCha8Rng) -> Vec<Block>) -> f64 {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let shown = |_: &usize| compare(&simulate(&mut rng), overlap, 400, 3).verdict != Verdict::Neither;
    let rounds = 600;
    (0..rounds).filter(shown).count() as f64 / rounds as f64
}

#[test]
fn equals_are_told_apart_in_about_five_of_a_hundred_cases() {
    let normal = |rng: &mut ChaCha8Rng| -> f64 { StandardNormal.sample(rng) };
    // 600 rounds of a 5 % test give 3 to 7 % nearly always; the rule of the wider interval costs some of it.
    let noise = rejections(1, |rng| blocks(1, 30, |_, _| normal(rng)));
    assert!((0.02..0.075).contains(&noise), "windows: {noise}");
    let few = rejections(1, |rng| blocks(1, 6, |_, _| normal(rng)));
    assert!((0.01..0.08).contains(&few), "few windows: {few}");
    let series = rejections(1, |rng| {
        let own: Vec<f64> = (0..25).map(|_| normal(rng)).collect();
        blocks(25, 3, |series, _| own[series] + 0.3 * normal(rng))
    });
    assert!((0.02..0.08).contains(&series), "series: {series}");
    let both = rejections(1, |rng| {
        let own: Vec<f64> = (0..20).map(|_| normal(rng)).collect();
        let common: Vec<f64> = (0..12).map(|_| 0.3 * normal(rng)).collect();
        blocks(20, 12, |series, window| own[series] + common[window] + normal(rng))
    });
    assert!((0.01..0.09).contains(&both), "series and windows: {both}");
    let overlapping = rejections(2, |rng| {
        let shocks: Vec<f64> = (0..41).map(|_| normal(rng)).collect();
        blocks(1, 40, |_, window| shocks[window] + shocks[window + 1])
    });
    assert!((0.02..0.09).contains(&overlapping), "overlapping windows: {overlapping}");
}
