//! Covariates from CSV and Parquet: kinds, alignment, what is known when, and what is wrong with them.

use super::{Folder, assert_holds, read_csv, reasons, shown};
use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, Int32Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use parquet::arrow::ArrowWriter;
use s4cast::ingest::{BadSeriesLimit, Duplicates, IngestErrorKind, Ingested, SourceSpec};
use s4cast::series::covariate::Values;
use s4cast::series::{Known, Series};
use std::sync::Arc;

/// Days 1 to 4 of two shops with a target, and two more days that are known in advance.
const SHOPS: &str = "\
id,ds,y,temp,price,holiday,event,region,code
b,2024-01-01,10,1.5,2,false,none,south,7
b,2024-01-02,11,2.5,2,false,fair,south,7
b,2024-01-03,12,3.5,3,true,none,south,7
b,2024-01-04,13,,3,false,none,south,7
b,2024-01-05,,,4,true,sale,south,7
b,2024-01-06,,,4,false,none,south,7
a,2024-01-01,20,1.5,5,false,none,north,12
a,2024-01-02,21,2.5,5,false,fair,north,12
a,2024-01-03,22,3.5,6,true,none,north,12
a,2024-01-04,23,4.5,6,false,none,north,12
a,2024-01-05,,,7,true,flood,north,12
";

/// The same as Parquet, with types.
fn parquet() -> Vec<u8> {
    let rows: Vec<Vec<&str>> = SHOPS.lines().skip(1).map(|line| line.split(',').collect()).collect();
    let text = |at: usize| -> ArrayRef {
        Arc::new(StringArray::from(rows.iter().map(|row| row[at]).collect::<Vec<_>>()))
    };
    let number = |at: usize| -> ArrayRef {
        Arc::new(Float64Array::from(rows.iter().map(|row| row[at].parse().ok()).collect::<Vec<_>>()))
    };
    let day = |row: &Vec<&str>| format!("{}T00:00:00Z", row[1]).parse::<jiff::Timestamp>().unwrap();
    let days = rows.iter().map(|row| day(row).as_microsecond()).collect::<Vec<_>>();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("id", text(0)),
        ("ds", Arc::new(TimestampMicrosecondArray::from(days))),
        ("y", number(2)),
        ("temp", number(3)),
        ("price", number(4)),
        (
            "holiday",
            Arc::new(BooleanArray::from(rows.iter().map(|row| row[5] == "true").collect::<Vec<_>>())),
        ),
        ("event", text(6)),
        ("region", text(7)),
        (
            "code",
            Arc::new(Int32Array::from(rows.iter().map(|row| row[8].parse().unwrap()).collect::<Vec<i32>>())),
        ),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

/// Asks for every column of the shops.
fn all(spec: &mut SourceSpec) {
    let columns = [
        ("temp", Known::Past),
        ("price", Known::Future),
        ("holiday", Known::Future),
        ("event", Known::Future),
        ("region", Known::Static),
        ("code", Known::Static),
    ];
    spec.covariates.columns = columns.map(|(name, known)| (name.to_owned(), known)).into();
    spec.covariates.categories = vec!["code".into()];
}

fn only(name: &str, known: Known) -> impl Fn(&mut SourceSpec) {
    let name = name.to_owned();
    move |spec| spec.covariates.columns = vec![(name.clone(), known)]
}

/// A row of a series, missing values as -1.
fn row(series: &Series, place: usize) -> Vec<f64> {
    let values = series.covariates[place].values().iter();
    values.map(|value| if value.is_nan() { -1.0 } else { *value }).collect()
}

fn names(read: &Ingested, place: usize) -> &[String] {
    match &read.panel.covariates[place].values {
        Values::Category(names) => names,
        Values::Real => &[],
    }
}

#[test]
fn covariates_stand_on_the_grids_of_their_series() {
    let read = read_csv(SHOPS, all).unwrap();
    let [a, b] = &read.panel.series[..] else { panic!("two series") };
    assert_eq!(shown(&b.times[3..]), ["2024-01-04T00:00:00Z"], "targets end where they did");
    assert_eq!(row(b, 0), [1.5, 2.5, 3.5, -1.0], "known as far as the target");
    assert_eq!(row(b, 1), [2.0, 2.0, 3.0, 3.0, 4.0, 4.0], "known in advance");
    assert_eq!(row(a, 1), [5.0, 5.0, 6.0, 6.0, 7.0], "as far as each goes");
    assert_eq!(row(b, 2), [0.0, 0.0, 1.0, 0.0, 1.0, 0.0]);
    assert_eq!(names(&read, 3), ["fair", "flood", "none", "sale"]);
    assert_eq!(row(a, 3), [2.0, 0.0, 2.0, 2.0, 1.0]);
    assert_eq!((names(&read, 4), row(a, 4)), (&["north".to_owned(), "south".to_owned()][..], vec![0.0]));
    assert_eq!((names(&read, 5), row(b, 5)), (&["12".to_owned(), "7".to_owned()][..], vec![1.0]));
    let quality: usize = read.quality.iter().map(|quality| quality.missing).sum();
    assert_eq!(quality, 0, "a row for what is to come lacks no target");
    let notes: Vec<&str> = read.notes.iter().map(|note| note.0.as_str()).collect();
    assert_holds(&notes.join("\n"), &["covariate 'temp': 1 of 8 values of the history are missing"]);
    assert!(!notes.iter().any(|note| note.contains("not used")), "{notes:?}");
}

#[test]
fn csv_and_parquet_give_the_same_panel() {
    let folder = Folder::with("a.csv", SHOPS).file("a.parquet", parquet());
    let read = |input: &str| {
        let mut spec = folder.spec(&[input]);
        all(&mut spec);
        s4cast::ingest::read(&spec).unwrap()
    };
    let (csv, parquet) = (read("a.csv"), read("a.parquet"));
    assert_eq!(csv.panel.covariates, parquet.panel.covariates);
    assert_eq!(csv.fingerprint, parquet.fingerprint);
    assert_eq!(format!("{:?}", csv.panel.series), format!("{:?}", parquet.panel.series));
}

#[test]
fn a_panel_without_covariates_is_what_it_was() {
    let pick = |spec: &mut SourceSpec| {
        (spec.id, spec.target) = (vec!["id".into()], Some("y".into()));
    };
    let without = read_csv(SHOPS, pick).unwrap();
    let with = read_csv(SHOPS, |spec| {
        pick(spec);
        only("price", Known::Future)(spec);
    });
    assert!(without.panel.covariates.is_empty() && without.panel.series[0].covariates.is_empty());
    assert_ne!(without.fingerprint, with.unwrap().fingerprint);
    let bare: String = SHOPS
        .lines()
        .filter(|line| !line.contains(",,"))
        .map(|line| format!("{}\n", line.splitn(4, ',').take(3).collect::<Vec<_>>().join(",")))
        .collect();
    let missing = "b,2024-01-04,13\n";
    assert!(!bare.contains(missing), "the temperature is missing there, too");
    let bare = bare.replacen("a,2024-01-01", &format!("{missing}a,2024-01-01"), 1);
    assert_eq!(read_csv(&bare, |_| {}).unwrap().fingerprint, without.fingerprint);
}

#[test]
fn what_is_known_in_advance_is_known_before_the_target() {
    let as_of = |day: &str| {
        read_csv(SHOPS, |spec| {
            all(spec);
            spec.as_of = Some(super::at(&format!("2024-01-{day}T00:00:00Z")));
        })
        .unwrap()
    };
    let read = as_of("02");
    let b = &read.panel.series[1];
    assert_eq!(b.values, [10.0, 11.0]);
    assert_eq!(row(b, 0), [1.5, 2.5], "the temperature of tomorrow is not known");
    assert_eq!(row(b, 1), [2.0, 2.0, 3.0, 3.0, 4.0, 4.0]);
    // A later look says the same of the days until then.
    assert_eq!(row(&as_of("03").panel.series[1], 1), row(b, 1));
}

#[test]
fn cells_that_are_no_numbers_leave_their_series_out() {
    let text = SHOPS.replace("b,2024-01-03,12,3.5,3,", "b,2024-01-03,12,3.5,\"3,5\",");
    let read = read_csv(&text, |spec| {
        only("price", Known::Future)(spec);
        spec.max_bad_series = BadSeriesLimit::Count(1);
    })
    .unwrap();
    assert_eq!(read.panel.series.len(), 1);
    assert_holds(&reasons(&read, "b")[0], &["a.csv: line 4: column price: '3,5' is no number", "point"]);
    let error = read_csv(&text, |spec| {
        only("price", Known::Future)(spec);
        spec.max_bad_series = BadSeriesLimit::Count(0);
    })
    .unwrap_err();
    assert_holds(&error.to_string(), &["series 'b'", "max_bad_series"]);
    let infinite = SHOPS.replace("b,2024-01-03,12,3.5,3,", "b,2024-01-03,12,3.5,inf,");
    let read = read_csv(&infinite, |spec| {
        only("price", Known::Future)(spec);
        spec.max_bad_series = BadSeriesLimit::All;
    });
    assert_holds(&reasons(&read.unwrap(), "b")[0], &["column price: ", "a.csv: line 4: the value inf"]);
}

#[test]
fn a_static_covariate_that_changes_leaves_its_series_out() {
    let text = SHOPS.replace("b,2024-01-03,12,3.5,3,true,none,south", "b,2024-01-03,12,3.5,3,true,none,east");
    let read = read_csv(&text, |spec| {
        only("region", Known::Static)(spec);
        spec.max_bad_series = BadSeriesLimit::Count(1);
    })
    .unwrap();
    assert_holds(
        &reasons(&read, "b")[0],
        &["line 2: column region is 'south' there and 'east' in line 4", "past_covariates"],
    );
    assert_eq!(names(&read, 0), ["north"], "names of series that are left out do not count");
    let past = read_csv(&text, only("region", Known::Past)).unwrap();
    assert_eq!(row(&past.panel.series[1], 0), [2.0, 2.0, 0.0, 2.0]);
}

#[test]
fn repeated_rows_follow_the_policy() {
    let text = format!("{SHOPS}b,2024-01-02,31,4.5,6,false,sale,south,7\n");
    let read = |duplicates| {
        let read = read_csv(&text, |spec| {
            all(spec);
            spec.duplicates = duplicates;
        })
        .unwrap();
        let b = &read.panel.series[1];
        let event = names(&read, 3)[b.covariates[3].values()[1] as usize].clone();
        (b.values[1], b.covariates[0].values()[1], b.covariates[1].values()[1], event)
    };
    assert_eq!(read(Duplicates::Last), (31.0, 4.5, 6.0, "sale".into()));
    assert_eq!(read(Duplicates::First), (11.0, 2.5, 2.0, "fair".into()));
    assert_eq!(read(Duplicates::Mean), (21.0, 3.5, 4.0, "fair".into()));
    assert_eq!(read(Duplicates::Sum), (42.0, 3.5, 4.0, "fair".into()), "what it cost does not add up");
}

#[test]
fn rows_ahead_have_to_stand_on_the_grid() {
    let text = SHOPS.replace("b,2024-01-06,", "b,2024-01-06T12:00:00,");
    let read = read_csv(&text, |spec| {
        only("price", Known::Future)(spec);
        spec.frequency = Some("1d".parse().unwrap());
        spec.max_bad_series = BadSeriesLimit::Count(1);
    })
    .unwrap();
    assert_holds(
        &reasons(&read, "b")[0],
        &["line 7: column price", "2024-01-06T12:00:00Z does not stand on the grid"],
    );
    let far = SHOPS.replace("b,2024-01-06,", "b,9024-01-06,");
    let read = read_csv(&far, |spec| {
        only("price", Known::Future)(spec);
        spec.frequency = Some("1d".parse().unwrap());
        spec.max_bad_series = BadSeriesLimit::Count(1);
    });
    assert_holds(&reasons(&read.unwrap(), "b")[0], &["line 7", "too far ahead"]);
}

#[test]
fn columns_that_cannot_be_covariates_are_refused() {
    let refusal = |text: &str, name: &str, known| {
        let error = read_csv(text, only(name, known)).unwrap_err();
        (error.kind(), error.to_string())
    };
    let (kind, text) = refusal(SHOPS, "prise", Known::Future);
    assert_eq!(kind, IngestErrorKind::Usage);
    assert_holds(&text, &["no column 'prise' for --future-covariates", "did you mean 'price'?"]);
    let error = read_csv(SHOPS, |spec| {
        spec.target = Some("y".into());
        only("y", Known::Past)(spec);
    });
    assert_holds(&error.unwrap_err().to_string(), &["'y' is given two parts", "--past-covariates"]);
    let error = read_csv(SHOPS, |spec| {
        only("price", Known::Past)(spec);
        spec.covariates.categories = vec!["code".into()];
    });
    assert_holds(&error.unwrap_err().to_string(), &["'code' is among the categories and no covariate"]);
    let times = "ds,y,opened\n2024-01-01,1,2020-05-01\n2024-01-02,2,2020-05-01\n";
    assert_holds(&refusal(times, "opened", Known::Static).1, &["'opened' holds times", "--categories"]);
    let folder = Folder::new().file("region=north/a.csv", SHOPS);
    let mut spec = SourceSpec { id: vec!["id".into()], target: Some("y".into()), ..folder.spec(&["."]) };
    spec.inputs = vec![folder.path().display().to_string()];
    spec.covariates.columns = vec![("area".into(), Known::Static)];
    assert!(s4cast::ingest::read(&spec).unwrap_err().to_string().contains("no column 'area'"));
    let path = Folder::new().file("area=north/a.csv", SHOPS);
    spec.inputs = vec![path.path().display().to_string()];
    assert!(s4cast::ingest::read(&spec).unwrap_err().to_string().contains("part of the path"));
}

#[test]
fn a_covariate_keeps_its_column_from_being_taken_for_something_else() {
    let text = "ds,region,load,temp\n2024-01-01,x,1,5\n2024-01-02,x,2,6\n2024-01-03,x,3,7\n";
    let read = read_csv(text, |spec| {
        spec.covariates.columns = vec![("TEMP".into(), Known::Past), ("region".into(), Known::Static)];
    })
    .unwrap();
    assert_eq!((&read.roles.targets[..], read.roles.id.len()), (&["load".to_owned()][..], 0));
    assert_eq!(read.panel.covariates[0].name, "temp");
    assert_eq!(row(&read.panel.series[0], 0), [5.0, 6.0, 7.0]);
}

#[test]
fn a_covariate_of_a_wide_file_is_that_of_all_its_series() {
    const WIDE: &str = "ds,north,south,price,event\n2024-01-01,1,,5,none\n2024-01-02,2,7,6,fair\n2024-01-03,3,8,7,none\n\
                        2024-01-04,4,9,8,none\n2024-01-05,,,9,fair\n";
    let columns = |spec: &mut s4cast::ingest::SourceSpec| {
        let columns = [("price", Known::Future), ("event", Known::Future)];
        spec.covariates.columns = columns.map(|(name, known)| (name.to_owned(), known)).into();
    };
    let read = read_csv(WIDE, columns).unwrap();
    let [north, south] = &read.panel.series[..] else { panic!("two series") };
    assert_eq!((north.unique_id.as_str(), south.unique_id.as_str()), ("north", "south"));
    assert_eq!(row(north, 0), [5.0, 6.0, 7.0, 8.0, 9.0]);
    assert_eq!(row(south, 0), [6.0, 7.0, 8.0, 9.0], "from where it begins");
    assert_eq!(
        (names(&read, 1), row(south, 1)),
        (&["fair".to_owned(), "none".to_owned()][..], vec![0.0, 1.0, 1.0, 0.0])
    );
    let refused = read_csv(WIDE, |spec| spec.covariates.columns = vec![("event".into(), Known::Static)]);
    assert_holds(&refused.unwrap_err().to_string(), &["column 'event' would have one value per series"]);
}
