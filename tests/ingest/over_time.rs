//! Sources that grow: periods that are not over, series that stopped or froze, files that were corrected.

use s4cast::ingest::{self, Duplicates, Flat, Ingested, SourceSpec, Stale, SuspectAction};
use s4cast::model::forecaster::{Control, Forecaster};
use s4cast::model::spec::{ModelSpec, RawModelSpec};
use s4cast::series::{Status, Verdict};
use std::fs::File;
use std::path::Path;
use std::time::{Duration, SystemTime};

const HOUR: i64 = 3_600_000_000;

/// Hourly rows of a series from 1970-01-01, one per value.
fn rows(id: &str, values: &[i64]) -> String {
    let row = |(hour, value): (usize, &i64)| {
        format!("{id},1970-01-{:02}T{:02}:00:00Z,{value}\n", 1 + hour / 24, hour % 24)
    };
    values.iter().enumerate().map(row).collect()
}

fn write(folder: &Path, name: &str, rows: &str) {
    std::fs::write(folder.join(name), format!("unique_id,ds,y\n{rows}")).unwrap();
}

fn spec(folder: &Path) -> SourceSpec {
    SourceSpec::new(vec![folder.join("*.csv").display().to_string()])
}

fn lengths(ingested: &Ingested) -> Vec<usize> {
    ingested.panel.series.iter().map(|series| series.values.len()).collect()
}

/// `live` moves up to hour 29, `frozen` does not move in its last ten hours, `gone` ends at hour 9.
fn three(folder: &Path) {
    let live: Vec<i64> = (0..30).map(|hour| hour % 7).collect();
    let frozen: Vec<i64> = (0..30).map(|hour| if hour < 20 { hour % 7 } else { 3 }).collect();
    write(folder, "a.csv", &(rows("live", &live) + &rows("frozen", &frozen) + &rows("gone", &live[..10])));
}

#[test]
fn an_hour_counts_once_it_is_over_and_the_latency_has_passed() {
    let folder = tempfile::tempdir().unwrap();
    three(folder.path());
    let latency_offset = Some(jiff::SignedDuration::from_mins(30));
    let read = |as_of| ingest::read(&SourceSpec { as_of, latency_offset, ..spec(folder.path()) });
    let at = |minutes: i64| read(Some(minutes * HOUR / 60)).unwrap();
    assert_eq!(lengths(&at(30 * 60 + 29)), [29, 10, 29], "hour 29 is over since 29 minutes");
    let whole = at(30 * 60 + 30);
    assert_eq!((lengths(&whole), whole.same_until), (vec![30, 10, 30], i64::MAX));
    let partial = at(30 * 60 + 29);
    assert_eq!((partial.rows_incomplete, partial.same_until), (2, 30 * HOUR + HOUR / 2 - 1));
    assert!(read(None).unwrap_err().to_string().contains("as_of"));
    assert!(read(Some(HOUR)).unwrap_err().to_string().contains("no period was over"));
}

#[test]
fn a_stale_and_a_frozen_series_are_warned_about_left_out_or_forecast_by_seasonal_naive() {
    let folder = tempfile::tempdir().unwrap();
    three(folder.path());
    let read = |action| {
        let stale = Some(Stale { after: jiff::SignedDuration::from_hours(12), action });
        let flat = Some(Flat { steps: 8, action });
        let limit = "90%".parse().unwrap();
        ingest::read(&SourceSpec {
            as_of: Some(30 * HOUR),
            stale,
            flat,
            max_bad_series: limit,
            ..spec(folder.path())
        })
        .unwrap()
    };
    let words = |ingested: &Ingested| -> Vec<String> {
        let reasons = ingested.quality.iter().map(|quality| match &quality.verdict {
            Verdict::Ok => quality.warnings.join(";"),
            Verdict::Fallback(reasons) | Verdict::Quarantined(reasons) => reasons.join(";"),
        });
        reasons.map(|reason| reason.split(':').next().unwrap().to_owned()).collect()
    };
    let warned = read(SuspectAction::Warn);
    assert_eq!(
        (lengths(&warned).len(), words(&warned)),
        (3, vec!["flatline".into(), "stale".into(), String::new()])
    );
    let quarantined = read(SuspectAction::Quarantine);
    assert_eq!(quarantined.panel.series[0].unique_id, "live");
    assert_eq!((lengths(&quarantined).len(), words(&quarantined)), (1, words(&warned)));

    let fallback = read(SuspectAction::Fallback);
    assert_eq!(words(&fallback), words(&warned));
    let raw = RawModelSpec { levels: vec![80.0], season_length: Some(7), ..RawModelSpec::new("ridge", 2) };
    let spec = ModelSpec::try_from(raw).unwrap();
    let fitted = Forecaster::fit(&fallback.panel, &spec, &Control::watched(&|_| {})).unwrap();
    let forecasts = fitted.forecaster.predict(&fallback.panel);
    let statuses: Vec<(&str, Status, &str)> = forecasts
        .series
        .iter()
        .map(|one| (one.unique_id.as_str(), one.status, one.model_id.as_str()))
        .collect();
    assert_eq!(statuses[0], ("frozen", Status::Fallback, "seasonal_naive"));
    assert_eq!(statuses[1], ("gone", Status::Fallback, "seasonal_naive"));
    assert_eq!(statuses[2].1, Status::Ok);
}

#[test]
fn a_corrected_file_wins_whatever_its_name() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a.csv", &rows("s", &[1, 2, 3, 4, 5]));
    write(folder.path(), "b.csv", &rows("s", &[1, 2, 9, 9, 9]));
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
    let touch = |name: &str, time| {
        File::options().write(true).open(folder.path().join(name)).unwrap().set_modified(time).unwrap();
    };
    let values = || {
        let spec = SourceSpec { duplicates: Duplicates::Latest, ..spec(folder.path()) };
        ingest::read(&spec).unwrap().panel.series.remove(0).values
    };
    touch("a.csv", now + Duration::from_secs(60));
    touch("b.csv", now);
    assert_eq!(values(), [1.0, 2.0, 3.0, 4.0, 5.0]);
    touch("b.csv", now + Duration::from_secs(120));
    assert_eq!(values(), [1.0, 2.0, 9.0, 9.0, 9.0]);
}
