//! Corrections keep quantiles ascending, can be taken back and survive files.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::live::adaptive::Correction;

const LEVELS: [f64; 7] = [0.05, 0.1, 0.3, 0.5, 0.7, 0.9, 0.95];
const SHAPE: [f64; 7] = [-0.64, -0.5, -0.2, 0.0, 0.2, 0.5, 0.64];

/// Ascending, ties included.
fn rows() -> impl Strategy<Value = Vec<f64>> {
    (-1e9..1e9_f64, prop::collection::vec(prop_oneof![Just(0.0), 0.0..1e-6_f64, 0.0..1e6_f64], 7)).prop_map(
        |(start, gaps)| {
            let running = gaps.iter().scan(start, |at, gap| {
                *at += gap;
                Some(*at)
            });
            running.collect()
        },
    )
}

/// Corrections of moves of any direction and size, of one series.
fn corrections() -> impl Strategy<Value = Correction> {
    (prop::collection::vec(prop::collection::vec(-2.0..2.0_f64, 7), 6), 0.4..2.5_f64).prop_map(
        |(moves, factor)| {
            let mut correction = Correction::identity(&LEVELS, 24);
            correction.set(&moves, &SHAPE, vec![]);
            correction.set_factors(BTreeMap::from([("a".to_owned(), factor)]), 1.0);
            correction
        },
    )
}

proptest! {
    #[test]
    fn rows_stay_ascending_and_finite(
        correction in corrections(),
        row in rows(),
        step in 0_usize..40,
        scale in -1..290_i32,
    ) {
        let mut corrected: Vec<f64> = row.iter().map(|value| value * 10_f64.powi(scale)).collect();
        correction.apply("a", step, &mut corrected);
        prop_assert!(corrected.iter().all(|value| value.is_finite()) && corrected.is_sorted());
        correction.undo("a", step, &mut corrected);
        prop_assert!(corrected.iter().all(|value| value.is_finite()) && corrected.is_sorted());
    }

    #[test]
    fn what_was_applied_can_be_taken_back(correction in corrections(), row in rows(), step in 0_usize..40) {
        let size = row.iter().fold(0.0_f64, |size, value| size.max(value.abs()));
        let width = row[5] - row[1];
        prop_assume!(width == 0.0 || width > 1e-9 * size);
        let mut back = row.clone();
        correction.apply("a", step, &mut back);
        correction.undo("a", step, &mut back);
        for (back, value) in back.iter().zip(&row) {
            prop_assert!((back - value).abs() <= 1e-9 * size, "{back} {value}");
        }
    }

    #[test]
    fn a_stored_correction_reads_back_the_same(correction in corrections()) {
        let text = serde_json::to_string(&correction).expect("plain values");
        let read: Correction = serde_json::from_str(&text).expect("what was written");
        prop_assert!(read.is_valid());
        prop_assert_eq!(read, correction);
    }
}

#[test]
fn the_identity_moves_nothing_and_rows_without_width_are_left_alone() {
    let identity = Correction::identity(&LEVELS, 720);
    assert!(identity.is_identity() && identity.is_valid());
    let row = [0.1, 0.2, 0.3, 0.7, 1.1, 1.3, 9.0];
    let mut same = row;
    identity.apply("a", 719, &mut same);
    assert_eq!(same, row);

    let mut correction = identity.clone();
    correction.set(&vec![vec![-0.5, -0.4, 0.0, 0.1, 0.2, 0.4, 0.5]; 6], &SHAPE, vec![]);
    assert!(!correction.is_identity());
    for row in [
        vec![3.0; 7],
        vec![1.0, 2.0],
        vec![],
        vec![f64::NAN; 7],
        vec![f64::MIN, 0.0, 0.0, 0.0, 0.0, 0.0, f64::MAX],
    ] {
        let mut same = row.clone();
        correction.apply("a", 0, &mut same);
        correction.undo("a", 0, &mut same);
        assert_eq!(format!("{same:?}"), format!("{row:?}"));
    }
}

#[test]
fn moves_are_made_in_full_on_a_row_of_their_shape() {
    let mut correction = Correction::identity(&LEVELS, 1);
    let moves = vec![0.1, 0.05, 0.0, -0.02, -0.03, 0.0, 0.3];
    correction.set(std::slice::from_ref(&moves), &SHAPE, vec![]);
    let mut row = SHAPE;
    correction.apply("a", 0, &mut row);
    for (level, value) in row.iter().enumerate() {
        assert!((value - SHAPE[level] - moves[level]).abs() < 1e-5, "level {level}: {value}");
    }
}

#[test]
fn files_that_could_not_be_taken_back_are_known() {
    let text = serde_json::to_string(&Correction::identity(&LEVELS, 2)).expect("plain values");
    for (from, to) in [
        ("\"format\":1", "\"format\":9"),
        ("\"shares\":[1.0,1.0]", "\"shares\":[0.0,1.0]"),
        ("\"shares\":[1.0,1.0]", "\"shares\":[1.0]"),
        ("\"factors\":{}", "\"factors\":{\"a\":-1.0}"),
        ("[0.0,0.0,0.0,0.0,0.0,0.0,0.0]]", "[0.0,0.0,0.0,0.0,0.0,0.0,-1.0]]"),
        ("\"bands\":[1,2]", "\"bands\":[2,1]"),
    ] {
        assert!(text.contains(from), "{from} in {text}");
        let read: Correction = serde_json::from_str(&text.replace(from, to)).expect("of the right types");
        assert!(!read.is_valid(), "{to}");
    }
}
