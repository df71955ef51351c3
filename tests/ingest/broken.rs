//! Broken input: every message names the file, the place, the value and the remedy, and nothing panics.

use super::{Folder, assert_holds, read_csv, reasons};
use proptest::prelude::*;
use s4cast::ingest::{BadSeriesLimit, IngestErrorKind};

#[test]
fn an_endless_id_is_refused_with_its_row() {
    let rows = |bytes: usize| {
        let id = "x".repeat(bytes);
        format!("id,ds,y\na,2024-01-01,1\na,2024-01-02,1\n{id},2024-01-01,1\n{id},2024-01-02,1\n")
    };
    assert!(read_csv(&rows(10_000), |_| {}).is_ok());
    let error = read_csv(&rows(10_001), |_| {}).unwrap_err();
    assert_eq!(error.kind(), IngestErrorKind::Data);
    assert_holds(&error.to_string(), &["a.csv: line 4", "10001 bytes", "--id"]);
    assert!(error.to_string().len() < 1000);
}

#[test]
fn broken_files_are_refused_with_place_value_and_remedy() {
    let cases: &[(&str, &[&str])] = &[
        (
            "id,ds,y\na,2024-01-01,\"12,5\"\na,2024-01-02,1\n",
            &["line 2", "column y", "'12,5'", "decimal point"],
        ),
        ("id,ds,y\na,2024-01-01,1\na,2024-01-02,abc\n", &["line 3", "series 'a'", "'abc'", "write a number"]),
        ("id,ds,y\na,2024-01-01,1 000\na,2024-01-02,1\n", &["line 2", "'1 000'", "thousands"]),
        ("id,ds,y\na,2024-01-01,7 kWh\na,2024-01-02,1\n", &["line 2", "'7 kWh'", "unit"]),
        ("id,ds,y\na,2024-01-01,1\na,2024-01-02,inf\n", &["line 3", "infinite", "leave it empty"]),
        ("id,ds,y\na,2024-01-01,1\na,2024-02-30,1\n", &["line 3", "column ds", "'2024-02-30'", "2024-01-31"]),
        ("id,ds,y\na,2024-01-01,1\na,,1\n", &["line 3", "column ds", "empty", "remove the row"]),
        ("id,ds,y\na,2024-01-01,1\n,2024-01-02,1\n", &["line 3", "the id is empty", "fill it in"]),
        (
            "id,ds,y\na,2024-01-01,1\na,2024-01-01,2\n",
            &["line 2 and line 3", "2024-01-01T00:00:00Z", "duplicates ="],
        ),
        ("id,ds,y\na,2024-01-01,\na,2024-01-02,NA\n", &["series 'a'", "none of the 2 rows has a value"]),
        ("id,ds,y\na,2024-01-01,1\n", &["line 2", "single row", "--freq"]),
        (
            "id,ds,y\na,2024-01-01,1\na,2024-01-08,1\na,2024-01-21,1\na,2024-03-11,1\n",
            &["line 4", "2024-01-21", "--freq"],
        ),
        ("id,ds,y\na,03/04/2021,1\na,04/04/2021,1\n", &["'03/04/2021'", "line 2", "day/month", "2024-01-31"]),
        ("id,ds,y\na,13/04/2021,1\na,04/14/2021,1\n", &["'13/04/2021'", "'04/14/2021'", "line 3"]),
        (
            "id,ds,y\na,2024-01-01T00:00Z,1\na,2024-01-01T01:00,1\n",
            &["line 3", "line 2", "without offset", "one form"],
        ),
        ("id,ds,y\na,0000-01-01,1\na,0000-01-02,1\n", &["line 2", "'0000-01-01'"]),
        ("id,ds,y\na,9999-12-31,1\na,9999-12-30,1\n", &["line 2", "'9999-12-31'", "years 1 to 9999"]),
        ("id,ds,y\na,1,1\na,2,1\n", &["1 to 2", "neither years", "2024-01-31"]),
        ("id,ds,y\na,2024-01-01\na,2024-01-02,1\n", &["line 2", "2 of 3 fields", "a,2024-01-01"]),
        ("id,ds,y\na,2024-01-01,1,9\na,2024-01-02,1\n", &["line 2", "4 of 3 fields"]),
        ("id,ds,y\na,2024-01-01,1\n\"a,2024-01-02,1\n", &["line 3", "quote", "never closed"]),
        ("id,ds,y\n", &["no rows", "at least one row"]),
        ("2024-01-01,1.5\n2024-01-02,2.5\n2024-01-03,2\n", &["no header", "'2024-01-01'", "add a line"]),
        ("date;kWh\n01.02.2024;1,5\n02.02.2024;2,5\n", &["line 2", "column kWh", "'1,5'", "decimal point"]),
        (
            "store,date,sales\n1,2024-01-01,5\n2,2024-01-01,7\n",
            &["line 2 and line 3", "several series", "--id"],
        ),
        ("\n\n\n", &["no header"]),
        ("id,ds,y,y\na,2024-01-01,1,1\n", &["line 1", "'y' twice", "rename"]),
        (
            "id,ds,y\na,2024-01-01,1\na,2024-01-02,2\na,0002-01-01,1\n",
            &["line 4", "steps", "correct the time"],
        ),
    ];
    for (text, words) in cases {
        let error = read_csv(text, |_| {}).unwrap_err();
        assert_eq!(error.kind(), IngestErrorKind::Data, "{text}: {error}");
        assert_holds(&error.to_string(), words);
        assert_holds(&error.to_string(), &["a.csv"]);
    }
}

#[test]
fn bytes_that_are_no_text_are_named_by_line() {
    let latin = Folder::with("a.csv", b"id,ds,y\na,2024-01-01,1\n\xe4,2024-01-01,1\n");
    assert_holds(&latin.read(&["a.csv"]).unwrap_err().to_string(), &["a.csv", "line 3", "UTF-8"]);
    let wide = Folder::with("a.csv", b"\xff\xfei\0d\0,\0d\0s\0\n\0");
    assert_holds(&wide.read(&["a.csv"]).unwrap_err().to_string(), &["a.csv", "UTF-8"]);
}

#[test]
fn a_defect_in_series_10001_is_reported_by_id_and_row() {
    let mut text = "unique_id,ds,y\n".to_owned();
    for series in 1..=10_003 {
        for day in 1..=3 {
            let value = if series == 10_001 && day == 2 { "4,2".to_owned() } else { day.to_string() };
            text.push_str(&format!("id{series},2024-01-0{day},\"{value}\"\n"));
        }
    }
    let read = read_csv(&text, |_| {}).unwrap();
    assert_eq!((read.quality.len(), read.panel.series.len()), (10_003, 10_002));
    assert_holds(&reasons(&read, "id10001").join("\n"), &["a.csv: line 30003", "column y", "'4,2'"]);
    let error = read_csv(&text, |spec| spec.max_bad_series = BadSeriesLimit::Count(0)).unwrap_err();
    assert_eq!(error.kind(), IngestErrorKind::Data);
    assert_holds(&error.to_string(), &["series 'id10001'", "line 30003", "1 of 10003 series"]);
}

#[test]
fn long_lists_of_problems_are_capped_and_counted() {
    let mut text = "ds,y\n".to_owned();
    (1..=28).for_each(|day| text.push_str(&format!("2024-01-{day:02},x\n")));
    let problems = read_csv(&text, |spec| spec.target = Some("y".into())).unwrap_err().problems().to_vec();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_holds(&problems[0], &["line 2", "27 more like it", "line 29"]);
    let row = |id: u32| (1..=3).map(|day| format!("{id},2024-01-0{day},x\n")).collect::<String>();
    let text = format!("id,ds,y\n{}", (0..9).map(row).collect::<String>());
    let problems = read_csv(&text, |spec| spec.target = Some("y".into())).unwrap_err().problems().to_vec();
    assert_eq!(problems.len(), 22, "{problems:?}");
    assert_holds(&problems[21], &["7 more of this kind"]);
}

#[test]
fn files_that_are_missing_or_locked_have_their_own_kind() {
    let folder = Folder::with("demand.csv", "id,ds,y\n");
    let error = folder.read(&["demnad.csv"]).unwrap_err();
    assert_eq!(error.kind(), IngestErrorKind::InputMissing);
    assert_holds(&error.to_string(), &["demnad.csv", "did you mean", "demand.csv"]);
    let error = folder.read(&["*.parquet"]).unwrap_err();
    assert_eq!(error.kind(), IngestErrorKind::InputMissing);
    let error =
        s4cast::ingest::read(&s4cast::ingest::SourceSpec::new(vec!["ftp://x/y.csv".into()])).unwrap_err();
    assert_eq!(error.kind(), IngestErrorKind::Usage);
}

#[test]
fn a_later_file_without_the_columns_is_named() {
    let folder =
        Folder::with("1.csv", "id,ds,y\na,2024-01-01,1\n").file("2.csv", "id,ds,v\na,2024-01-02,1\n");
    assert_holds(&folder.read(&["1.csv", "2.csv"]).unwrap_err().to_string(), &["2.csv", "'y'", "id, ds, v"]);
}

#[test]
fn gigantic_but_finite_values_are_allowed() {
    let read = read_csv("ds,y\n2024-01-01,1e308\n2024-01-02,-1.7e308\n", |_| {}).unwrap();
    assert_eq!(read.panel.series[0].values, [1e308, -1.7e308]);
}

fn any_cell() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => (0i64..40).prop_map(|day| format!("2024-01-{day:02}")),
        4 => any::<i32>().prop_map(|number| number.to_string()),
        2 => any::<f64>().prop_map(|number| number.to_string()),
        1 => "[0-9TZ:./+ -]{0,20}",
        1 => "\\PC{0,6}",
        2 => prop::sample::select(vec!["a", "b", "", "NA", "1,5", "inf"]).prop_map(str::to_owned),
    ]
}

proptest! {
    #[test]
    fn random_bytes_as_csv_never_panic(bytes in prop::collection::vec(any::<u8>(), 1..400)) {
        if let Err(error) = Folder::with("a.csv", &bytes).read(&["a.csv"]) {
            prop_assert!(!error.problems().is_empty());
        }
    }

    #[test]
    fn random_text_under_a_header_never_panics(text in "[a-c0-9\",;\r\n. -]{0,200}") {
        let _ = read_csv(&format!("id,ds,y\n{text}"), |_| {});
    }

    #[test]
    fn random_cells_are_read_or_refused_with_the_file_named(
        cells in prop::collection::vec((any_cell(), any_cell(), any_cell()), 1..30),
    ) {
        let quoted = |cell: &str| format!("\"{}\"", cell.replace('"', "\"\""));
        let lines = cells.iter().map(|(id, ds, y)| format!("{},{},{}\n", quoted(id), quoted(ds), quoted(y)));
        match read_csv(&format!("id,ds,y\n{}", lines.collect::<String>()), |_| {}) {
            Ok(read) => {
                prop_assert_eq!(read.rows, cells.len());
                for series in &read.panel.series {
                    prop_assert_eq!(series.times.len(), series.values.len());
                    prop_assert!(series.times.windows(2).all(|pair| pair[0] < pair[1]));
                    prop_assert!(series.values.last().is_some_and(|value| value.is_finite()));
                }
            }
            Err(error) => prop_assert!(!error.problems().is_empty()),
        }
    }
}
