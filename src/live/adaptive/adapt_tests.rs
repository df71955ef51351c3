//! What is learnt of little, of nothing, of ties and of values that are not.

use crate::live::adaptive::{Correction, Row, Vintage, adapt};

const LEVELS: [f64; 5] = [0.025, 0.1, 0.5, 0.9, 0.975];

/// Even on 0..1, of a fixed recipe.
fn even(index: usize) -> f64 {
    (index as f64 * 0.618_033_988_749_895).fract()
}

/// Runs of `series` series of one step each, all forecast as `said`; outcomes of `actual` (issue, series).
fn runs<'a>(
    issues: usize,
    ids: &'a [String],
    said: &'a [f64],
    actual: &dyn Fn(usize, usize) -> f64,
) -> Vec<Vintage<'a>> {
    let row = |issue: usize, series: usize| Row {
        unique_id: &ids[series],
        step: 0,
        ds: issue as i64,
        actual: actual(issue, series),
        published: said,
    };
    let run = |issue: usize| Vintage {
        issued_at: issue as i64,
        correction: Correction::identity(&LEVELS, 1),
        rows: (0..ids.len()).map(|series| row(issue, series)).collect(),
    };
    (0..issues).map(run).collect()
}

fn ids(count: usize) -> Vec<String> {
    (0..count).map(|index| format!("series {index}")).collect()
}

#[test]
fn nothing_known_corrects_nothing() {
    assert!(adapt(&[], &LEVELS, 24, false).is_identity());
    let flat = [1.0; 5];
    assert!(adapt(&runs(50, &ids(1), &flat, &|_, _| 2.0), &LEVELS, 1, false).is_identity());
    let said = [0.0, 0.1, 0.5, 0.9, 1.0];
    assert!(adapt(&runs(50, &ids(1), &said, &|_, _| f64::NAN), &LEVELS, 1, false).is_identity());
    let other = adapt(&runs(50, &ids(1), &said, &|_, _| 7.0), &[0.2, 0.5, 0.8], 1, false);
    assert_eq!(other, Correction::identity(&[0.2, 0.5, 0.8], 1));
}

#[test]
fn one_miss_moves_little_and_many_move_until_they_are_covered() {
    let said = [0.4, 0.45, 0.5, 0.55, 0.6];
    let one_series = ids(1);
    let few = adapt(&runs(1, &one_series, &said, &|_, _| 5.0), &LEVELS, 1, false);
    let mut row = said;
    few.apply("series 0", 0, &mut row);
    assert!(row[4] > 0.6 && row[4] < 0.75, "{row:?}");

    let ids = ids(40);
    let many = adapt(&runs(60, &ids, &said, &|issue, series| even(issue + 77 * series)), &LEVELS, 1, false);
    let mut row = said;
    many.apply("a new one", 0, &mut row);
    // Wider than needed by what the narrow runs owe.
    for (value, level) in row.iter().zip(LEVELS) {
        let outwards = (value - level) * (level - 0.5).signum();
        assert!((-0.02..0.1).contains(&outwards), "level {level} at {value}");
    }
    assert!(many.unsupported().is_empty());
}

#[test]
fn levels_too_rare_for_the_outcomes_are_named_and_move_with_the_rarest_that_is_not() {
    let said = [0.0, 0.1, 0.5, 0.9, 1.0];
    let one = ids(1);
    let correction = adapt(&runs(20, &one, &said, &|issue, _| even(issue)), &LEVELS, 1, false);
    assert_eq!(correction.unsupported(), [0.025, 0.975]);
    let mut row = said;
    correction.apply("another", 0, &mut row);
    assert!((row[4] - row[3] - 0.1).abs() < 0.05 && (row[1] - row[0] - 0.1).abs() < 0.05, "{row:?}");
}

#[test]
fn a_wide_series_gets_a_factor_and_one_with_few_outcomes_does_not() {
    let said = [0.0, 0.1, 0.5, 0.9, 1.0];
    let ids = ids(20);
    let actual = |issue: usize, series: usize| match series {
        0 => 0.5 + 2.0 * (even(issue) - 0.5),
        1 if issue < 58 => f64::NAN,
        _ => even(issue + 31 * series),
    };
    let correction = adapt(&runs(60, &ids, &said, &actual), &LEVELS, 1, false);
    assert!(correction.factor("series 0") > 1.4, "{}", correction.factor("series 0"));
    assert_eq!(correction.factor("series 1"), correction.factor("a new one"));
    assert!((correction.factor("series 5") - 1.0).abs() < 0.15, "{}", correction.factor("series 5"));
    assert!((correction.factor("a new one") - 1.0).abs() < 0.15, "{}", correction.factor("a new one"));
}

#[test]
fn counts_that_are_mostly_zero_keep_their_upper_ends() {
    let said = [0.0, 0.0, 0.0, 1.0, 2.0];
    let ids = ids(10);
    // 0 of 85 %, 1 of 9 %, 2 of 5 %, 3 of the rest.
    let count = |share: f64| [0.85, 0.94, 0.99].iter().filter(|bound| share > **bound).count() as f64;
    let correction =
        adapt(&runs(100, &ids, &said, &|issue, series| count(even(issue + 13 * series))), &LEVELS, 1, false);
    let mut row = said;
    correction.apply("a new one", 0, &mut row);
    assert!(row[0] >= -1e-6 && row[2] == 0.0 && row[3] > 0.8 && row[4] > 1.8, "{row:?}");
}

#[test]
fn the_median_stays_where_it_is_asked_to_and_the_order_of_runs_does_not_matter() {
    let said = [0.4, 0.45, 0.5, 0.55, 0.6];
    let ids = ids(3);
    let mut runs = runs(40, &ids, &said, &|issue, series| 0.3 + even(issue + 77 * series));
    let kept = adapt(&runs, &LEVELS, 1, true);
    let mut row = said;
    kept.apply("series 0", 0, &mut row);
    assert_eq!(row[2], 0.5);
    assert!(row.is_sorted() && row[4] > 0.6, "{row:?}");
    runs.reverse();
    assert_eq!(adapt(&runs, &LEVELS, 1, true), kept);
}
