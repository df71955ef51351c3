//! Scores of runs, against figures by hand.

use crate::live::review::{RunName, bands, merge, review, summary, whole_runs};
use crate::live::truth::Truth;
use crate::publish::{RunColumns, ScoreRow};
use crate::series::{Panel, Series};
use jiff::tz::TimeZone;
use std::collections::BTreeMap;

const HOUR: i64 = 3_600_000_000;

fn panel(values: &[f64]) -> Panel {
    let series = Series {
        unique_id: "a".into(),
        keys: vec!["north".into()],
        frequency: "1h".parse().expect("frequency"),
        times: (0..values.len() as i64).map(|hour| hour * HOUR).collect(),
        values: values.to_vec(),
        covariates: Vec::new(),
        observations: None,
        filled: Vec::new(),
    };
    Panel {
        id_columns: vec!["region".into()],
        series: vec![series],
        zone: TimeZone::UTC,
        marks: BTreeMap::new(),
        covariates: Vec::new(),
    }
}

/// Forecasts of hours 4, 5, 6 from hour 3.
fn run(id: &str, yhat: [f64; 3]) -> RunColumns {
    let quantile = |shift: f64| yhat.iter().map(|y| y + shift).collect();
    RunColumns {
        unique_id: vec![id.into(); 3],
        ds: vec![4 * HOUR, 5 * HOUR, 6 * HOUR],
        cutoff: vec![3 * HOUR; 3],
        step: vec![1, 2, 3],
        yhat: yhat.into(),
        quantiles: vec![(0.1, quantile(-1.0)), (0.9, quantile(1.0))],
    }
}

fn name(run_id: &str, issued_at: i64) -> RunName {
    RunName { run_id: run_id.into(), issued_at, model_version: 1 }
}

fn scores(values: &[f64], run: &RunColumns, segment: Option<usize>) -> Vec<ScoreRow> {
    let panel = panel(values);
    review(&name("r", 0), run, &Truth::new(&panel, Some(1)), &[80.0, 95.0], segment)
}

#[test]
fn figures_are_those_of_a_calculation_by_hand() {
    // Up to the cutoff the values change by 2 an hour, so the scale is 2; the last forecast has no actual yet.
    let values = [0.0, 2.0, 0.0, 2.0, 4.0, 10.0];
    let rows = scores(&values, &run("a", [5.0, 6.0, 7.0]), Some(0));
    let steps: Vec<(i32, i32)> = rows.iter().map(|row| row.steps).collect();
    assert_eq!(steps, [(1, 3), (1, 1), (2, 3), (1, 3)]);
    assert_eq!(rows[3].segment.as_deref(), Some("north"));
    let score = summary(rows[..1].iter()).expect("two rows");
    assert_eq!((score.rows, rows[1].points, rows[2].points, rows[0].is_final), (2, 1, 1, false));
    // Errors are +1 and -4; those of naive, which says 2, are -2 and -8.
    assert_eq!((score.mase, score.mase_seasonal_naive), ((0.5 + 2.0) / 2.0, (1.0 + 4.0) / 2.0));
    assert_eq!(score.bias, (0.5 - 2.0) / 2.0);
    assert_eq!(score.wape, Some(5.0 / 14.0));
    // 4 is at the edge of [4, 6], 10 outside of [5, 7]; the 95 % interval was not published.
    assert_eq!(score.coverage, [(80.0, 0.5)]);
    assert_eq!(rows[0].intervals, [(80.0, 0.5, 1.0)]);
    // Quantiles 4 and 6 of actual 4, 5 and 7 of actual 10: losses 0, 0.1 * 2, 0.1 * 5, 0.9 * 3.
    let pinball = (0.0 + 0.2 + 0.5 + 2.7) / 2.0 / 4.0;
    assert!((score.pinball.expect("quantiles") - pinball).abs() < 1e-12);
}

#[test]
fn without_actuals_there_is_no_score() {
    let values = [0.0, 2.0, 0.0, 2.0, f64::NAN, f64::NAN, f64::NAN];
    assert!(scores(&values, &run("a", [1.0; 3]), None).is_empty());
    assert!(scores(&[0.0; 9], &run("unknown", [1.0; 3]), None).is_empty());
    assert!(summary([].iter()).is_none());
}

#[test]
fn a_run_is_final_once_its_span_has_passed_again() {
    let long = |hours: usize| (0..hours).map(|hour| (hour % 3) as f64).collect::<Vec<_>>();
    let is_final = |hours| scores(&long(hours), &run("a", [1.0; 3]), None)[0].is_final;
    assert!(!is_final(9) && is_final(10));
}

#[test]
fn bands_halve_the_horizon_from_its_end() {
    assert_eq!(bands(24), [(1, 1), (2, 3), (4, 6), (7, 12), (13, 24)]);
    assert_eq!(bands(1), [(1, 1)]);
    assert_eq!(bands(720).len(), 5);
    assert_eq!(bands(0), []);
    for horizon in 1..200 {
        let all: Vec<i32> = bands(horizon).into_iter().flat_map(|(first, last)| first..=last).collect();
        assert_eq!(all, (1..=horizon).collect::<Vec<_>>());
    }
}

#[test]
fn a_run_that_is_scored_again_replaces_its_rows() {
    let values = [0.0, 2.0, 0.0, 2.0, 4.0, 10.0];
    let panel = panel(&values);
    let rows = |run_id: &str, issued_at, run: &RunColumns| {
        review(&name(run_id, issued_at), run, &Truth::new(&panel, Some(1)), &[80.0], None)
    };
    let good = run("a", [4.0, 10.0, 0.0]);
    let table = merge(Vec::new(), [rows("y", 2, &good), rows("x", 1, &run("a", [0.0; 3]))].concat());
    let table = merge(table, rows("x", 1, &good));
    let runs: Vec<(&str, f64)> = whole_runs(&table).map(|row| (row.run_id.as_str(), row.mase)).collect();
    assert_eq!(runs, [("x", 0.0), ("y", 0.0)]);
    assert_eq!(table.len(), 6);
}
