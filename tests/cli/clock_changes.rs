//! Ten years of quarter hours in zones whose clocks change by an hour, by half an hour, or never: no row is lost, none is
//! doubled, and what is published stands at the times that the wall clock shows.

use super::program::Place;
use crate::support::arrays::generator;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, TimestampMicrosecondType};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rand::RngExt;
use rand_distr::StandardNormal;
use s4cast::ingest::{self, SourceSpec};
use s4cast::series::Frequency;
use std::fmt::Write;
use std::fs::File;
use std::path::Path;

const MINUTE: i64 = 60_000_000;
const STEP: i64 = 15 * MINUTE;

/// Zones, and how many wall-clock times of ten years of quarter hours stand there twice.
const ZONES: [(&str, usize); 4] =
    [("Europe/Berlin", 40), ("America/New_York", 40), ("Australia/Lord_Howe", 20), ("Asia/Kathmandu", 0)];

/// Every quarter hour from one local time to another, the second excluded.
fn quarters(zone: &TimeZone, from: DateTime, to: DateTime) -> Vec<i64> {
    let at = |time: DateTime| zone.to_timestamp(time).unwrap().as_microsecond();
    (at(from)..at(to)).step_by(STEP as usize).collect()
}

/// What the wall clock shows.
fn wall(zone: &TimeZone, instant: i64) -> DateTime {
    zone.to_datetime(Timestamp::from_microsecond(instant).unwrap())
}

/// The instants as `ds,y` with the number of each as its value; times with their offset, or as the wall clock shows them.
fn csv(zone: &TimeZone, instants: &[i64], with_offset: bool) -> String {
    let mut text = String::from("ds,y\n");
    for (row, &instant) in instants.iter().enumerate() {
        let at = Timestamp::from_microsecond(instant).unwrap();
        let offset = zone.to_offset(at);
        match with_offset {
            true => writeln!(text, "{},{row}", at.display_with_offset(offset)).unwrap(),
            false => writeln!(text, "{},{row}", offset.to_datetime(at)).unwrap(),
        }
    }
    text
}

#[test]
fn ten_years_of_quarter_hours_lose_and_double_no_row() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("in.csv");
    for (name, repeated) in ZONES {
        let zone = TimeZone::get(name).unwrap();
        let (from, to) = (jiff::civil::date(2015, 1, 1), jiff::civil::date(2025, 1, 1));
        let instants = quarters(&zone, from.into(), to.into());
        assert_eq!(instants.len(), 3653 * 96, "{name}: ten years hold as many quarter hours as their days");
        let mut walls: Vec<DateTime> = instants.iter().map(|&instant| wall(&zone, instant)).collect();
        walls.sort();
        walls.dedup();
        assert_eq!(instants.len() - walls.len(), repeated, "{name}: what the clock shows twice");
        for with_offset in [false, true] {
            std::fs::write(&path, csv(&zone, &instants, with_offset)).unwrap();
            let mut spec = SourceSpec::new(vec![path.display().to_string()]);
            spec.zone = Some(zone.clone());
            let read = ingest::read(&spec).unwrap();
            let series = &read.panel.series[0];
            assert_eq!((read.rows, read.panel.series.len()), (instants.len(), 1));
            assert_eq!(series.frequency, Frequency::Fixed { micros: STEP }, "{name}");
            let wrong = series.times.iter().zip(&instants).position(|(read, written)| read != written);
            assert_eq!(wrong, None, "{name}, with offset {with_offset}: the first row at another instant");
            assert_eq!(series.times.len(), instants.len(), "{name}: the grid is complete");
            assert!(series.values.iter().enumerate().all(|(row, value)| *value == row as f64), "{name}");
            let quality = &read.quality[0];
            assert_eq!((quality.rows, quality.missing, quality.gaps), (instants.len(), 0, 0), "{name}");
        }
    }
}

/// The times of a published file.
fn published(path: &Path) -> Vec<i64> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let times = |batch: arrow_array::RecordBatch| {
        batch["ds"].as_primitive::<TimestampMicrosecondType>().values().to_vec()
    };
    reader.build().unwrap().flat_map(|batch| times(batch.unwrap())).collect()
}

#[test]
fn forecasts_over_a_change_stand_at_the_times_of_the_wall_clock() {
    // The day before each change at noon.
    let cases = [
        ("Europe/Berlin", (2024, 3, 30)),
        ("Europe/Berlin", (2024, 10, 26)),
        ("America/New_York", (2024, 3, 9)),
        ("America/New_York", (2024, 11, 2)),
        ("Australia/Lord_Howe", (2024, 4, 6)),
        ("Australia/Lord_Howe", (2024, 10, 5)),
        ("Asia/Kathmandu", (2024, 3, 30)),
    ];
    let place = Place::new();
    for (name, (year, month, day)) in cases {
        let zone = TimeZone::get(name).unwrap();
        let noon = jiff::civil::date(year, month, day).at(12, 0, 0, 0);
        let days = |number: i64| jiff::Span::new().days(number);
        let history = quarters(&zone, noon.saturating_sub(days(20)), noon);
        let ahead = quarters(&zone, noon, noon.saturating_add(days(2)));
        place.put("in.csv", csv(&zone, &history, false));
        let steps = ahead.len();
        place
            .run(&format!("forecast in.csv --tz {name} -H {steps} --model seasonal_naive -o out.parquet -q"))
            .expect(0);
        assert_eq!(published(&place.path("out.parquet")), ahead, "{name} {month}");
        // As a reader writes them down by the wall clock, they come back as the same instants.
        place.put("again.csv", csv(&zone, &published(&place.path("out.parquet")), false));
        let mut spec = SourceSpec::new(vec![place.path("again.csv").display().to_string()]);
        spec.zone = Some(zone);
        assert_eq!(ingest::read(&spec).unwrap().panel.series[0].times, ahead, "{name} {month}");
    }
}

/// Load that follows people's days: two peaks by the hour of the wall clock, quieter weekends.
fn load(wall: DateTime) -> f64 {
    let hour = f64::from(wall.hour()) + f64::from(wall.minute()) / 60.0;
    let peak = |middle: f64, width: f64| (-((hour - middle) / width).powi(2)).exp();
    match wall.weekday().to_monday_zero_offset() {
        0..5 => 100.0 + 60.0 * (peak(8.0, 1.6) + 1.3 * peak(19.0, 2.2)),
        _ => 100.0 + 60.0 * (0.6 * peak(10.5, 2.5) + peak(19.5, 2.5)),
    }
}

/// Cutoff and absolute error of every row that ridge maps made in a backtest.
fn misses(path: &Path) -> Vec<(i64, f64)> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let rows = |batch: arrow_array::RecordBatch| {
        let number = |name: &str| batch[name].as_primitive::<Float64Type>().values().to_vec();
        let cutoffs = batch["cutoff"].as_primitive::<TimestampMicrosecondType>().values().to_vec();
        let models = batch["model"].as_string::<i32>();
        let pairs = number("y").into_iter().zip(number("yhat"));
        let rows = cutoffs.into_iter().zip(pairs.map(|(y, yhat)| (y - yhat).abs())).zip(models);
        rows.filter(|(_, model)| *model == Some("ridge")).map(|(row, _)| row).collect::<Vec<_>>()
    };
    reader.build().unwrap().flat_map(|batch| rows(batch.unwrap())).collect()
}

#[test]
fn the_week_after_a_change_is_forecast_as_well_as_the_week_before() {
    let changes = [
        ("Europe/Berlin", (2024, 10, 27)),
        ("America/New_York", (2024, 3, 10)),
        ("Australia/Lord_Howe", (2024, 4, 7)),
        ("Asia/Kathmandu", (2024, 3, 31)),
    ];
    let place = Place::new();
    for (name, (year, month, day)) in changes {
        let zone = TimeZone::get(name).unwrap();
        let days = |number: i64| jiff::Span::new().days(number);
        let change = jiff::civil::date(year, month, day);
        let instants =
            quarters(&zone, change.saturating_sub(days(36)).into(), change.saturating_add(days(8)).into());
        let mut rng = generator(7);
        let mut text = String::from("unique_id,ds,y\n");
        for series in 0..4 {
            for &instant in &instants {
                let value = load(wall(&zone, instant)) + 3.0 * rng.sample::<f64, _>(StandardNormal);
                let at = Timestamp::from_microsecond(instant).unwrap();
                writeln!(text, "s{series},{at},{value:.3}").unwrap();
            }
        }
        place.put("load.csv", text);
        let arguments = format!(
            "backtest load.csv --tz {name} -H 96 --windows 14 --step 96 --refit never --models ridge --preset fast -o bt.parquet -q"
        );
        place.run(&arguments).expect(0);
        let border = zone.to_timestamp(change.into()).unwrap().as_microsecond();
        let (before, after): (Vec<_>, Vec<_>) =
            misses(&place.path("bt.parquet")).into_iter().partition(|(cutoff, _)| *cutoff < border - STEP);
        let mean = |misses: &[(i64, f64)]| misses.iter().map(|one| one.1).sum::<f64>() / misses.len() as f64;
        assert!(before.len() > 2_000 && after.len() > 2_000, "{name}: {} and {}", before.len(), after.len());
        let ratio = mean(&after) / mean(&before);
        println!("{name} {month}: {ratio:.4} ({:.3} after {:.3})", mean(&after), mean(&before));
        assert!(ratio <= 1.05, "{name} {month}: {ratio:.3}");
    }
}
