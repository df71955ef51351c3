//! Time zones, clock changes and calendar grids.

use super::{Folder, assert_holds, at, read_csv, reasons, shown};
use jiff::tz::TimeZone;
use s4cast::ingest::SourceSpec;

fn berlin(spec: &mut SourceSpec) {
    spec.zone = Some(TimeZone::get("Europe/Berlin").unwrap());
}

/// Hourly wall-clock rows in Berlin of so many hours from an instant.
fn hourly(start: &str, hours: i64) -> String {
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    let row = |hour: i64| {
        let instant = jiff::Timestamp::from_microsecond(at(start) + hour * 3_600_000_000).unwrap();
        format!("{},{hour}\n", zone.to_datetime(instant).strftime("%Y-%m-%d %H:%M"))
    };
    format!("ds,y\n{}", (0..hours).map(row).collect::<String>())
}

#[test]
fn hours_over_both_clock_changes_lose_no_row() {
    for start in ["2024-10-25T22:00:00Z", "2024-03-29T23:00:00Z"] {
        let read = read_csv(&hourly(start, 72), berlin).unwrap();
        let series = &read.panel.series[0];
        assert_eq!(series.frequency.to_string(), "1h");
        assert_eq!((series.times[0], series.times.len()), (at(start), 72));
        assert_eq!(series.values, (0..72).map(f64::from).collect::<Vec<_>>());
    }
}

#[test]
fn hours_in_reverse_order_are_the_same() {
    let text = hourly("2024-10-25T22:00:00Z", 72);
    let mut lines: Vec<&str> = text.lines().collect();
    lines[1..].reverse();
    let reversed = read_csv(&lines.join("\n"), berlin).unwrap();
    assert_eq!(reversed.fingerprint, read_csv(&text, berlin).unwrap().fingerprint);
}

#[test]
fn repeated_hours_are_told_apart_whatever_the_order_of_files_and_rows() {
    let text = hourly("2024-10-25T22:00:00Z", 72);
    let rows: Vec<&str> = text.lines().skip(1).collect();
    let expected = read_csv(&text, berlin).unwrap().fingerprint;
    let file = |rows: &[&str], newest_first: bool| {
        let mut rows = rows.to_vec();
        if newest_first {
            rows.reverse();
        }
        format!("ds,y\n{}\n", rows.join("\n"))
    };
    // Row 27 is the second 02:00 of that night.
    for cut in [20, 26, 27, 28, 40] {
        for newest_first in [false, true] {
            let folder = Folder::with("d/9.csv", file(&rows[..cut], newest_first))
                .file("d/10.csv", file(&rows[cut..], newest_first));
            let mut spec = folder.spec(&["d"]);
            berlin(&mut spec);
            let read = s4cast::ingest::read(&spec).unwrap();
            assert_eq!(read.fingerprint, expected, "{cut} {newest_first}");
        }
    }
}

#[test]
fn days_over_both_clock_changes_are_civil() {
    let rows = |month: u8| (20..=30).map(|day| format!("2024-{month:02}-{day},{day}\n")).collect::<String>();
    let autumn = read_csv(&format!("ds,y\n{}2024-10-31,1\n", rows(10)), berlin).unwrap();
    let spring = read_csv(&format!("ds,y\n{}2024-03-31,1\n2024-04-01,1\n", rows(3)), berlin).unwrap();
    for read in [&autumn, &spring] {
        assert_eq!(read.panel.series[0].frequency.to_string(), "1d");
        assert!(read.panel.series[0].values.iter().all(|value| !value.is_nan()));
    }
    let tail = &spring.panel.series[0].times[10..];
    assert_eq!(shown(tail), ["2024-03-29T23:00:00Z", "2024-03-30T23:00:00Z", "2024-03-31T22:00:00Z"]);
}

#[test]
fn a_skipped_local_time_moves_to_the_end_of_the_gap_with_a_note() {
    let text = "ds,y\n2024-03-30 02:30,1\n2024-03-31 02:30,2\n2024-04-01 02:30,3\n2024-04-02 02:30,4\n";
    let read = read_csv(text, berlin).unwrap();
    assert_eq!(shown(&read.panel.series[0].times)[1], "2024-03-31T01:00:00Z");
    assert_eq!(read.panel.series[0].frequency.to_string(), "1d");
    assert!(read.notes.iter().any(|note| note.0.contains("1 local time")), "{:?}", read.notes);
}

#[test]
fn hours_that_the_zone_skips_are_explained() {
    let text = "ds,y\n2024-03-31 01:00,1\n2024-03-31 02:00,2\n2024-03-31 03:00,3\n2024-03-31 04:00,4\n";
    let error = read_csv(text, berlin).unwrap_err().to_string();
    assert_holds(&error, &["line 3", "line 4", "Europe/Berlin", "skips 2024-03-31T02:00", "another zone"]);
}

#[test]
fn the_repeated_hour_of_local_times_asks_for_the_zone() {
    let error = read_csv(&hourly("2024-10-26T22:00:00Z", 24), |_| {}).unwrap_err().to_string();
    assert_holds(&error, &["line 4 and line 5", "duplicates", "change of the clocks, give --tz"]);
    let days = read_csv("ds,y\n2024-01-01,1\n2024-01-01,1\n2024-01-02,1\n", |_| {}).unwrap_err();
    assert!(!days.to_string().contains("--tz"), "{days}");
}

#[test]
fn zones_are_assumed_aloud_and_offsets_are_respected() {
    let dates = read_csv("ds,y\n2024-01-01,1\n2024-01-02,1\n", |_| {}).unwrap();
    assert!(dates.notes.is_empty(), "a date is a date anywhere: {:?}", dates.notes);
    let assumed = read_csv("ds,y\n2024-01-01 00:00,1\n2024-01-01 01:00,1\n", |_| {}).unwrap();
    assert!(assumed.notes.iter().any(|note| note.0.contains("UTC") && note.0.contains("--tz")));
    let offsets = "ds,y\n2024-01-01T00:00:00+01:00,1\n2024-01-01T01:00:00+01:00,1\n";
    let read = read_csv(offsets, berlin).unwrap();
    assert_eq!(shown(&read.panel.series[0].times)[0], "2023-12-31T23:00:00Z");
    assert!(!read.notes.iter().any(|note| note.0.contains("UTC")));
}

#[test]
fn the_unit_of_whole_numbers_is_said() {
    for (zeros, unit) in [("", " seconds"), ("000", "milliseconds"), ("000000", "microseconds")] {
        let text = format!("ds,y\n1704067200{zeros},1\n1704070800{zeros},2\n");
        let read = read_csv(&text, |_| {}).unwrap();
        assert!(read.notes.iter().any(|note| note.0.contains(unit)), "{:?}", read.notes);
    }
}

#[test]
fn calendar_grids_are_recognised_and_hold_only_valid_dates() {
    let cases = [
        ("2024-01-31,1\n2024-02-29,2\n2024-03-31,3\n2024-05-31,5\n", "ME", 5),
        ("2024-01-15,1\n2024-02-15,2\n2024-04-15,4\n", "MS@15", 4),
        ("2024-03-01,1\n2024-03-04,2\n2024-03-05,3\n2024-03-07,5\n2024-03-08,6\n", "B", 6),
        ("2024-01-07,1\n2024-01-14,2\n2024-01-28,4\n", "1w", 4),
        ("2023-12-31,1\n2024-03-31,2\n2024-06-30,3\n", "QE", 3),
        ("2020,1\n2021,2\n2023,4\n", "YS", 4),
        ("2024-01,1\n2024-02,2\n2024-03,3\n", "MS", 3),
    ];
    for (rows, frequency, steps) in cases {
        let read = read_csv(&format!("ds,y\n{rows}"), |_| {}).unwrap();
        let series = &read.panel.series[0];
        assert_eq!((series.frequency.to_string().as_str(), series.times.len()), (frequency, steps), "{rows}");
        let next = series.frequency.after(*series.times.last().unwrap(), 1, &TimeZone::UTC);
        assert!(next[0] > series.times[steps - 1]);
    }
}

#[test]
fn a_declared_frequency_makes_a_stray_row_stand_out() {
    let text = "id,ds,y\na,2024-01-01 00:00,1\na,2024-01-01 01:00,1\na,2024-01-01 01:30,1\nb,2024-01-01 00:00,1\nb,2024-01-01 01:00,1\n";
    let read = read_csv(text, |spec| {
        spec.frequency = Some("1h".parse().unwrap());
        spec.max_bad_series = "50%".parse().unwrap();
    });
    assert_holds(&reasons(&read.unwrap(), "a").join(""), &["line 4", "2024-01-01T01:30:00Z", "1h", "--freq"]);
}

#[test]
fn a_short_series_takes_the_step_of_the_others() {
    let days: String = (1..=9).map(|day| format!("a,2024-01-0{day},1\nb,2024-01-0{day},2\n")).collect();
    let read =
        read_csv(&format!("id,ds,y\n{days}new,2024-01-09,3\nrare,2024-01-02,1\nrare,2024-01-05,1\n"), |_| {})
            .unwrap();
    let new = read.panel.series.iter().find(|series| series.unique_id == "new").unwrap();
    assert_eq!((new.frequency.to_string().as_str(), new.values.as_slice()), ("1d", &[3.0][..]));
    assert_eq!(read.panel.series.iter().find(|series| series.unique_id == "rare").unwrap().times.len(), 4);
    assert!(
        read.notes.iter().any(|note| note.0.contains("2 series") && note.0.contains("1d")),
        "{:?}",
        read.notes
    );
}
