//! Scores against an independent calculation.

use crate::evaluation::score::{Case, Scale, Scores, Tally};
use crate::model::exam;
use ndarray::Array2;

const LEVELS: [f64; 11] = [0.025, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.975];
const OFFSETS: [f64; 11] = [-4.0, -2.5, -1.5, -0.75, -0.25, 0.0, 0.5, 1.0, 1.75, 2.75, 4.5];
const A: [f64; 14] = [3.0, 7.0, 5.0, 9.0, 4.0, 8.0, 6.0, 11.0, 5.0, 9.0, 4.0, 12.0, 7.5, 10.0];
const B: [f64; 14] = [-20.0, 35.0, 10.0, -5.0, 42.0, 3.0, -18.0, 30.0, 12.0, 0.0, 45.0, -7.0, -25.0, 31.0];

/// Two series, two windows of three steps each; quantiles are the point plus offsets. `holes` are points of the first
/// window of `a` that were not observed.
fn tally(windows: &[(&str, usize, [f64; 3])], holes: &[usize]) -> Tally {
    let mut tally = Tally::new(&LEVELS, &[80.0, 95.0, 99.0]);
    for &(unique_id, origin, point) in windows {
        let (values, spread) = if unique_id == "a" { (A, 0.5) } else { (B, 1.0) };
        let mut actual = values[origin..origin + 3].to_vec();
        holes.iter().filter(|_| (unique_id, origin) == ("a", 8)).for_each(|&hole| actual[hole] = f64::NAN);
        let quantiles = Array2::from_shape_fn((3, 11), |(step, q)| point[step] + spread * OFFSETS[q]);
        let naive = [values[origin - 2], values[origin - 1], values[origin - 2]];
        let scale = Scale::of(&values[..8], 2);
        let (actual, point) = (&actual, &point);
        tally.add(&Case { unique_id, actual, point, quantiles: quantiles.view(), naive: &naive, scale });
    }
    tally
}

const WINDOWS: [(&str, usize, [f64; 3]); 4] = [
    ("a", 8, [6.25, 9.5, 5.5]),
    ("a", 11, [10.5, 6.5, 9.0]),
    ("b", 8, [8.0, -3.0, 40.0]),
    ("b", 11, [1.0, -20.0, 38.0]),
];

fn close(found: Option<f64>, want: f64) {
    let found = found.expect("defined");
    assert!((found - want).abs() <= 1e-12 * want.abs().max(1.0), "{found} is not {want}");
}

fn levels_close(found: &[(f64, f64)], want: &[(f64, f64)]) {
    assert_eq!(found.len(), want.len(), "{found:?}");
    for (found, want) in found.iter().zip(want) {
        assert_eq!(found.0, want.0);
        close(Some(found.1), want.1);
    }
}

#[test]
fn scores_are_those_of_the_reference_scorer() {
    // All but rmsse and skill: score.py holdout --test-rows 6 --horizon 3 --insample (the first 8 values) --season 2;
    // those two by numpy from their definitions.
    let scores = tally(&WINDOWS, &[]).scores();
    assert_eq!((scores.windows, scores.series, scores.points), (4, 2, 12));
    close(scores.mase, 0.388_036_455_929_856_9);
    close(scores.rmsse, 0.377_637_475_361_512_2);
    close(scores.smape, 49.302_393_465_134_074);
    close(scores.wape, 0.231_343_283_582_089_55);
    close(scores.mse, 16.359_375);
    close(scores.mae, 3.229_166_666_666_666_5);
    close(scores.bias, 0.645_833_333_333_333_4);
    close(scores.wql, 0.191_873_963_515_754_56);
    close(scores.crps, 2.678_240_740_740_741);
    close(scores.scaled_crps, 0.287_808_285_904_732_6);
    close(scores.skill, 0.663_885_280_303_787_4);
    levels_close(&scores.coverage, &[(80.0, 1.0 / 3.0), (95.0, 2.0 / 3.0)]);
    levels_close(&scores.width, &[(80.0, 3.9375), (95.0, 6.375)]);
    levels_close(&scores.msis, &[(80.0, 1.378_749_423_165_667), (95.0, 2.151_476_695_892_94)]);
}

#[test]
fn series_steps_and_segments_have_scores_of_their_own() {
    let tally = tally(&WINDOWS, &[]);
    let by_series = tally.by_series();
    let ids: Vec<&str> = by_series.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, ["a", "b"]);
    // score.py --per-series --per-h.
    close(by_series[0].1.mase, 0.613_636_363_636_363_6);
    close(by_series[1].1.smape, 82.379_463_862_839_81);
    let steps = tally.by_step();
    for (step, want) in steps.iter().zip([3.6875, 2.375, 3.625]) {
        assert_eq!((step.windows, step.series, step.points), (4, 2, 4));
        close(step.mae, want);
    }
    let segments = tally.by_segment(|id| if id == "a" { "east" } else { "west" });
    let names: Vec<&str> = segments.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!((names, &segments[0].1), (vec!["east", "west"], &by_series[0].1));
    assert_eq!(tally.by_segment(|_| "all"), [("all".to_owned(), tally.scores())]);
}

#[test]
fn two_tallies_are_one() {
    let (first, second) = WINDOWS.split_at(1);
    let merged = tally(first, &[]).merge(tally(second, &[]));
    let whole = tally(&WINDOWS, &[]);
    close(merged.scores().mse, 16.359_375);
    assert_eq!(merged.scores().coverage, whole.scores().coverage);
    assert_eq!(merged.by_step().len(), 3);
    assert_eq!(merged.by_series().len(), 2);
}

#[test]
fn what_was_not_observed_does_not_count() {
    let with_holes = tally(&WINDOWS[..1], &[0, 2]).scores();
    assert_eq!((with_holes.windows, with_holes.series, with_holes.points), (1, 1, 1));
    assert_eq!(with_holes.mae, Some(0.5));
    let nothing = tally(&WINDOWS[..1], &[0, 1, 2]);
    assert_eq!(nothing.scores(), Tally::new(&LEVELS, &[80.0]).scores());
    let none: Scores = nothing.scores();
    assert_eq!((none.windows, none.mase, none.mse, none.wql, none.skill), (0, None, None, None, None));
    assert!(none.coverage.is_empty() && nothing.by_step().is_empty());
}

#[test]
fn without_all_deciles_there_is_no_quantile_loss() {
    let mut tally = Tally::new(&[0.1, 0.5, 0.9], &[80.0, 95.0]);
    let quantiles = Array2::from_shape_fn((1, 3), |(_, q)| q as f64);
    let scale = Scale { absolute: 2.0, squared: 8.0 };
    let quantiles = quantiles.view();
    tally.add(&Case { unique_id: "a", actual: &[0.0], point: &[1.0], quantiles, naive: &[0.0], scale });
    let scores = tally.scores();
    assert_eq!((scores.mase, scores.rmsse), (Some(0.5), Some((1.0_f64 / 8.0).sqrt())));
    assert_eq!((scores.wql, scores.crps, scores.scaled_crps), (None, None, None));
    assert_eq!((scores.wape, scores.skill), (None, None), "nothing to divide by");
    assert_eq!((scores.coverage, scores.width), (vec![(80.0, 1.0)], vec![(80.0, 2.0)]));
}

#[test]
fn every_history_has_a_positive_scale() {
    assert_eq!(Scale::of(&[1.0, 2.0, 4.0, 8.0], 2), Scale { absolute: 4.5, squared: 22.5 });
    // A perfect season: the error of naive stands in; a constant: its size; zeros and nothing: one.
    assert_eq!(Scale::of(&[1.0, 2.0, 1.0, 2.0], 2), Scale { absolute: 1.0, squared: 1.0 });
    assert_eq!(Scale::of(&[-3.0, -3.0], 1), Scale { absolute: 3.0, squared: 9.0 });
    assert_eq!(Scale::of(&[], 1), Scale { absolute: 1.0, squared: 1.0 });
    for history in [vec![1e300, -1e300, 1e300], vec![1e-300, 2e-300, 4e-300], vec![f64::NAN, 1.0]] {
        let scale = Scale::of(&history, 1);
        assert_eq!(scale.absolute, exam::scale(&history, 1));
        assert!(scale.squared > 0.0 && scale.squared.is_finite(), "{scale:?}");
    }
}
