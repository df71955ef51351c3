//! The same data in many layouts, and which column plays which part.

use super::{Folder, assert_holds, read_csv, shown};
use s4cast::ingest::{Duplicates, IngestErrorKind, Layout, SourceSpec};

const LONG: &str = "unique_id,ds,y\na,2024-01-01,1\na,2024-01-02,2\na,2024-01-04,4.5\nb,2024-01-01,-1\nb,2024-01-02,\nb,2024-01-03,7\n";

#[test]
fn long_wide_renamed_partitioned_and_shuffled_have_one_fingerprint() {
    let lines: Vec<&str> = LONG.lines().collect();
    let renamed = LONG.replace("unique_id,ds,y", "sensor;When;kWh").replace(',', ";");
    let wide = "ds,a,b\n2024-01-01,1,-1\n2024-01-02,2,\n2024-01-03,,7\n2024-01-04,4.5,\n";
    let shuffled = [lines[0], lines[6], lines[3], lines[1], lines[5], lines[2], lines[4], ""].join("\r\n");
    let part = |id: &str| {
        LONG.lines().filter(|line| line.starts_with(id)).map(|line| &line[2..]).collect::<Vec<_>>().join("\n")
    };
    let folder = Folder::with("long.csv", LONG)
        .file("renamed.csv", renamed)
        .file("wide.csv", wide)
        .file("shuffled.csv", shuffled)
        .file("tabs.tsv", LONG.replace(',', "\t"))
        .file("hive/unique_id=a/p.csv", format!("ds,y\n{}\n", part("a")))
        .file("hive/unique_id=b/p.csv", format!("ds,y\n{}\n", part("b")))
        .file("split/1.csv", lines[..3].join("\n"))
        .file("split/2.csv", [&[lines[0]], &lines[3..]].concat().join("\n"));
    let long = folder.read(&["long.csv"]).unwrap();
    assert_eq!((long.rows, long.panel.series.len(), long.layout), (6, 2, Layout::Long));
    assert_eq!(long.panel.id_columns, ["unique_id"]);
    assert_eq!(long.panel.series[0].keys, ["a"]);
    assert_eq!(shown(&long.panel.series[0].times)[2], "2024-01-03T00:00:00Z");
    assert!(long.panel.series[0].values[2].is_nan());
    for inputs in [
        &["renamed.csv"][..],
        &["wide.csv"],
        &["shuffled.csv"],
        &["tabs.tsv"],
        &["hive"],
        &["split"],
        &["split/*.csv"],
        &["split/1.csv", "split/2.csv"],
    ] {
        let other = folder.read(inputs).unwrap();
        assert_eq!(other.fingerprint, long.fingerprint, "{inputs:?}");
        if other.layout == Layout::Long {
            assert_eq!(other.rows, 6);
        }
    }
    let changed = Folder::with("long.csv", LONG.replace("4.5", "4.6")).read(&["long.csv"]).unwrap();
    assert_ne!(changed.fingerprint, long.fingerprint);
}

#[test]
fn a_wide_file_needs_no_flag_and_says_so() {
    let wide =
        read_csv("date,HUFL,OT\n2016-07-01 00:00:00,5.8,30\n2016-07-01 01:00:00,5.6,27\n", |_| {}).unwrap();
    assert_eq!(wide.layout, Layout::Wide);
    assert_eq!(wide.roles.targets, ["HUFL", "OT"]);
    assert!(wide.panel.id_columns.is_empty());
    assert!(wide.notes.iter().any(|note| note.0.contains("wide") && note.0.contains('2')));
}

#[test]
fn a_column_that_only_a_later_wide_file_has_is_named() {
    let folder = Folder::with("a.csv", "ds,a,b\n2024-01-01,1,2\n2024-01-02,1,2\n")
        .file("b.csv", "ds,a,b,c\n2024-01-03,1,2,3\n2024-01-04,1,2,3\n");
    let read = folder.read(&["a.csv", "b.csv"]).unwrap();
    assert_eq!(read.panel.series.len(), 2);
    let notes: Vec<&str> = read.notes.iter().map(|note| note.0.as_str()).collect();
    assert_holds(&notes.join("\n"), &["b.csv", "a.csv does not have", "used: c;"]);
}

#[test]
fn covariates_of_a_long_file_are_left_aside_with_a_note() {
    let text = "series_id,ts,y,temp,weather,holiday\nbikes,2011-01-01 00:00,16,9.8,clear,true\nbikes,2011-01-01 01:00,40,9.0,rain,false\n";
    let long = read_csv(text, |_| {}).unwrap();
    assert_eq!(long.roles.id, ["series_id"]);
    assert!(long.notes.iter().any(|note| note.0.contains("temp, weather, holiday")), "{:?}", long.notes);
}

#[test]
fn two_id_columns_are_joined_and_kept_apart() {
    let text = "site,meter,ds,y\nn,1,2024-01-01,1\nn,1,2024-01-02,1\nn,2,2024-01-01,1\nn,2,2024-01-02,3\n";
    let read = read_csv(text, |spec| spec.id = vec!["site".into(), "meter".into()]).unwrap();
    let ids: Vec<&str> = read.panel.series.iter().map(|series| series.unique_id.as_str()).collect();
    assert_eq!(ids, ["n/1", "n/2"]);
    assert_eq!(read.panel.series[1].keys, ["n", "2"]);
    let clash = "p,q,ds,y\na/b,c,2024-01-01,1\na,b/c,2024-01-01,1\n";
    let error = read_csv(clash, |spec| spec.id = vec!["p".into(), "q".into()]).unwrap_err();
    assert_holds(&error.to_string(), &["a/b/c", "'a/b', 'c'", "'a', 'b/c'"]);
}

#[test]
fn without_an_id_column_there_is_one_series() {
    let read = read_csv("Date,Sales\n2024-01-01,1\n2024-02-01,2\n2024-03-01,3\n", |_| {}).unwrap();
    assert_eq!(read.panel.series[0].unique_id, "series");
    assert_eq!(read.panel.series[0].frequency.to_string(), "MS");
}

#[test]
fn folders_by_time_are_no_series_unless_asked_for() {
    for key in ["year", "Event_Date"] {
        let mut folder = Folder::new();
        for year in 2020..2023 {
            let rows = format!("ds,y\n{year}-01-01,1\n{year}-07-01,2\n");
            folder = folder.file(&format!("hy/{key}={year}/x.csv"), rows);
        }
        let read = folder.read(&["hy"]).unwrap();
        assert_eq!(read.panel.series[0].times.len(), 6, "{key}");
        let mut spec = folder.spec(&["hy"]);
        spec.id = vec![key.to_owned()];
        spec.frequency = Some("6MS".parse().unwrap());
        assert_eq!(s4cast::ingest::read(&spec).unwrap().panel.series.len(), 3, "{key}");
    }
}

#[test]
fn an_unknown_flag_is_corrected_with_the_list_of_columns() {
    let error = read_csv(LONG, |spec| spec.target = Some("Yy".into())).unwrap_err();
    assert_eq!(error.kind(), IngestErrorKind::Usage);
    assert_holds(&error.to_string(), &["'Yy'", "--target", "did you mean 'y'", "unique_id (text)"]);
    let error = read_csv(LONG, |spec| {
        spec.time = Some("ds".into());
        spec.target = Some("ds".into());
    });
    assert_eq!(error.unwrap_err().kind(), IngestErrorKind::Usage);
}

#[test]
fn what_is_ambiguous_names_the_candidates_and_the_flag() {
    let cases = [
        ("id,ds,price,volume\na,2024-01-01,1,2\na,2024-01-02,1,2\n", vec!["price, volume", "--target"]),
        ("p,q,ds,y\na,x,2024-01-01,1\nb,x,2024-01-01,2\n", vec!["p, q", "--id"]),
        (
            "opened,closed,y\n2024-01-01,2024-01-05,1\n2024-01-02,2024-01-07,2\n",
            vec!["opened, closed", "--time"],
        ),
        ("a,b\n1.5,2\n2.5,3\n", vec!["no time column", "a (number)", "--time"]),
        ("ds,comment\n2024-01-01,fine\n2024-01-02,good\n", vec!["no numeric column", "--target"]),
    ];
    for (text, words) in cases {
        assert_holds(&read_csv(text, |_| {}).unwrap_err().to_string(), &words);
    }
}

#[test]
fn a_flag_ends_the_ambiguity() {
    let text = "id,ds,price,volume\na,2024-01-01,1,2\na,2024-01-02,1,2\n";
    let read = read_csv(text, |spec| spec.target = Some("Volume".into())).unwrap();
    assert_eq!(read.roles.targets, ["volume"]);
}

#[test]
fn an_index_without_a_name_is_no_series() {
    let read = read_csv(",ds,y\n0,2024-01-01,5\n1,2024-01-02,6\n", |_| {}).unwrap();
    assert_eq!(read.panel.series[0].values, [5.0, 6.0]);
}

#[test]
fn quoted_cells_blank_lines_and_marks_are_read_as_written() {
    let text =
        "\u{feff}unique_id,ds,y\r\n\r\n\"a, \"\"x\"\"\",2024-01-01,\"1\"\r\n\"a, \"\"x\"\"\",2024-01-02,2";
    let read = read_csv(text, |_| {}).unwrap();
    assert_eq!(read.panel.series[0].unique_id, "a, \"x\"");
    assert_eq!(read.panel.series[0].values, [1.0, 2.0]);
}

#[test]
fn the_panel_is_the_same_on_any_number_of_threads_and_in_any_order_of_rows() {
    let rows = |order: &dyn Fn(usize) -> (usize, usize)| -> String {
        let row = |at| {
            let (series, hour) = order(at);
            format!(
                "s{series},2024-03-{:02} {:02}:00:00,{}.5\n",
                30 + hour / 24,
                hour % 24,
                series * 7 + hour
            )
        };
        (0..20 * 40).map(row).collect()
    };
    let by_series = rows(&|at| (at / 40, at % 40));
    let by_time = rows(&|at| (at % 20, at / 20));
    let read = |rows: &str, threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let zone = jiff::tz::TimeZone::get("Europe/Berlin").unwrap();
        let text = format!("unique_id,ds,y\n{rows}");
        pool.install(|| {
            let set = |spec: &mut SourceSpec| {
                (spec.zone, spec.duplicates) = (Some(zone.clone()), Duplicates::Last);
            };
            read_csv(&text, set).unwrap()
        })
    };
    let one = read(&by_series, 1);
    assert_eq!(one.panel.series.len(), 20);
    assert!(one.notes.iter().any(|note| note.0.contains("skipped by the clock")), "{:?}", one.notes);
    for (rows, threads) in [(&by_series, 4), (&by_time, 1), (&by_time, 4)] {
        let other = read(rows, threads);
        assert_eq!(other.panel.series, one.panel.series);
        assert_eq!(other.fingerprint, one.fingerprint);
        assert_eq!(format!("{:?}", other.quality), format!("{:?}", one.quality));
    }
}
