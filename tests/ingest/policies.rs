//! Policies for repeats, holes and order; quarantine; what the quality report counts.

use super::{assert_holds, at, counts, read_csv, reasons, shown};
use s4cast::ingest::{BadSeriesLimit, Duplicates, Gaps, IngestErrorKind, Order};
use s4cast::series::Verdict;

const REPEATED: &str = "ds,y\n2024-01-01,1\n2024-01-02,2\n2024-01-02,4\n2024-01-03,3\n";

#[test]
fn each_policy_for_repeats_has_its_value() {
    let policies =
        [(Duplicates::First, 2.0), (Duplicates::Last, 4.0), (Duplicates::Mean, 3.0), (Duplicates::Sum, 6.0)];
    for (policy, value) in policies {
        let read = read_csv(REPEATED, |spec| spec.duplicates = policy).unwrap();
        assert_eq!(read.panel.series[0].values, [1.0, value, 3.0], "{policy:?}");
    }
    assert_holds(&read_csv(REPEATED, |_| {}).unwrap_err().to_string(), &["line 3 and line 4"]);
}

#[test]
fn each_policy_for_holes_has_its_value() {
    let text = "ds,y\n2024-01-01,1\n2024-01-02,\n2024-01-03,3\n2024-01-05,5\n2024-01-06,6\n";
    let masked = read_csv(text, |_| {}).unwrap();
    assert!(masked.panel.series[0].values[3].is_nan());
    let zero = read_csv(text, |spec| spec.gaps = Gaps::Zero).unwrap();
    assert_eq!(zero.panel.series[0].values[3], 0.0);
    // A row that says "not observed" is not a row that was not written.
    assert!(zero.panel.series[0].values[1].is_nan());
    let error = read_csv(text, |spec| spec.gaps = Gaps::Error).unwrap_err().to_string();
    assert_holds(&error, &["line 4", "2024-01-04T00:00:00Z", "gaps = mask"]);
}

#[test]
fn order_is_restored_or_refused() {
    let text = "ds,y\n2024-01-02,2\n2024-01-01,1\n2024-01-03,3\n";
    assert_eq!(read_csv(text, |_| {}).unwrap().panel.series[0].values, [1.0, 2.0, 3.0]);
    let error = read_csv(text, |spec| spec.order = Order::Error).unwrap_err().to_string();
    assert_holds(&error, &["line 3", "2024-01-01", "order = sort"]);
}

#[test]
fn quality_counts_rows_holes_and_runs() {
    let text = "ds,y\n2024-01-04,\n2024-01-05,7\n2024-01-06,7\n2024-01-07,7\n2024-01-08,\n2024-01-11,1\n2024-01-13,2\n2024-01-14,\n";
    let read = read_csv(text, |_| {}).unwrap();
    let quality = &read.quality[0];
    assert_eq!(counts(quality), [8, 3, 2, 3, 3]);
    assert_eq!(
        (quality.first_ds, quality.last_ds),
        (Some(at("2024-01-05T00:00:00Z")), Some(at("2024-01-13T00:00:00Z")))
    );
    assert_eq!(read.panel.series[0].cutoff(), quality.last_ds);
}

/// Ten series, of which the first `bad` hold a word.
fn ten(bad: usize) -> String {
    let rows = |id: usize| {
        let value = if id < bad { "oops" } else { "1" };
        format!("s{id},2024-01-01,{value}\ns{id},2024-01-02,1\n")
    };
    format!("id,ds,y\n{}", (0..10).map(rows).collect::<String>())
}

#[test]
fn one_bad_series_is_left_out_and_too_many_end_the_job() {
    let read = read_csv(&ten(1), |_| {}).unwrap();
    assert_eq!((read.panel.series.len(), read.quality.len(), read.rows), (9, 10, 20));
    assert_holds(&reasons(&read, "s0")[0], &["a.csv: line 2", "'oops'"]);
    assert!(read.quality[1..].iter().all(|quality| quality.verdict == Verdict::Ok));
    let error = read_csv(&ten(3), |_| {}).unwrap_err();
    assert_eq!(error.kind(), IngestErrorKind::Data);
    assert_holds(&error.to_string(), &["series 's2'", "line 6", "3 of 10 series", "25%"]);
    assert!(read_csv(&ten(3), |spec| spec.max_bad_series = BadSeriesLimit::Count(3)).is_ok());
    assert!(read_csv(&ten(3), |spec| spec.max_bad_series = BadSeriesLimit::Count(2)).is_err());
    assert!(read_csv(&ten(10), |spec| spec.max_bad_series = BadSeriesLimit::Share(1.0)).is_err());
}

#[test]
fn what_comes_after_the_as_of_time_is_not_judged() {
    let text = "id,ds,y\na,2024-01-01,1\na,2024-01-02,2\na,2024-01-03,x\na,2024-01-03,4\nb,2024-01-03,1\n";
    let read = read_csv(text, |spec| spec.as_of = Some(at("2024-01-02T12:00:00Z"))).unwrap();
    assert_eq!(read.panel.series.len(), 1);
    assert_eq!(shown(&read.panel.series[0].times), ["2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z"]);
    let error = read_csv(text, |spec| spec.as_of = Some(at("2020-01-01T00:00:00Z"))).unwrap_err();
    assert_holds(&error.to_string(), &["as-of"]);
}
