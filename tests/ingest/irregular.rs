//! Time stamps that stand on no grid, and are not meant to.

use super::{assert_holds, at, read_csv, reasons, shown};
use s4cast::ingest::{Sampling, SourceSpec};

fn irregular(spec: &mut SourceSpec) {
    spec.sampling = Sampling::Irregular;
}

const ROWS: &str = "ds,y\n2024-01-01T00:04:10,1\n2024-01-01T00:09:59,3\n2024-01-01T00:11:00,\n\
                    2024-01-01T00:18:00,5\n2024-01-01T00:26:01,7\n2024-01-01T00:29:30,8\n";

#[test]
fn a_step_is_the_mean_of_its_observations_and_they_stay_at_hand() {
    let read = read_csv(ROWS, irregular).unwrap();
    let series = &read.panel.series[0];
    // The median gap is about 6 minutes: 5 is the usual step next to it.
    assert_eq!(series.frequency.to_string(), "5m");
    assert_eq!(shown(&series.times[..1]), ["2024-01-01T00:00:00Z"]);
    let values: Vec<String> = series.values.iter().map(|value| format!("{value}")).collect();
    assert_eq!(values.join(" "), "1 3 NaN 5 NaN 7.5");
    let observations = series.observations.as_ref().unwrap();
    assert_eq!(observations.values(), [1.0, 3.0, 5.0, 7.0, 8.0]);
    assert_eq!(observations.times()[2], at("2024-01-01T00:18:00Z"));
    assert!(read_csv(ROWS, |_| {}).is_err(), "regular, they are refused");
}

#[test]
fn a_declared_step_and_an_as_of_time_hold() {
    let read = read_csv(ROWS, |spec| {
        irregular(spec);
        spec.frequency = Some("10m".parse().unwrap());
        spec.as_of = Some(at("2024-01-01T00:27:00Z"));
    });
    let read = read.unwrap();
    let series = &read.panel.series[0];
    assert_eq!(series.values, [2.0, 5.0, 7.0]);
    assert_eq!(series.observations.as_ref().unwrap().times().len(), 4);
    assert_eq!(read.rows_after_as_of, 1);
}

#[test]
fn the_fingerprint_knows_when_within_a_step_something_was_observed() {
    let later = ROWS.replace("00:18:00", "00:19:00");
    let fingerprint = |text: &str| read_csv(text, irregular).unwrap().fingerprint;
    assert_eq!(fingerprint(ROWS), fingerprint(ROWS));
    assert_ne!(fingerprint(ROWS), fingerprint(&later));
}

#[test]
fn months_have_no_mean_over_irregular_times() {
    let error = read_csv(ROWS, |spec| {
        irregular(spec);
        spec.frequency = Some("MS".parse().unwrap());
    });
    assert_holds(&error.unwrap_err().to_string(), &["irregular times", "--freq"]);
    let single = read_csv("ds,y\n2024-01-01T00:04:10,1\n", irregular).unwrap_err();
    assert_holds(&single.to_string(), &["single row", "--freq"]);
    let read = read_csv(&format!("{ROWS}2024-01-01T00:30:00,9\n"), irregular).unwrap();
    assert!(reasons(&read, "series").is_empty());
}
