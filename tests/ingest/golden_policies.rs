//! Every policy on one fixture against a file that `tests/golden/policies/policies.py` wrote, by its own reasoning.

use s4cast::ingest::{self, BadSeriesLimit, Duplicates, Gaps, Order, SourceSpec};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// A row of a panel or of a golden file: series, day, value, whether it is a guess.
type Step = (String, String, Option<f64>, bool);

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/policies")
}

fn golden(name: &str) -> Vec<Step> {
    let text = std::fs::read_to_string(folder().join(format!("{name}.csv"))).unwrap();
    let step = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        (cells[0].into(), cells[1].into(), cells[2].parse().ok(), cells[3] == "1")
    };
    text.lines().skip(1).map(step).collect()
}

/// The fixture under changed policies; the first file was modified last.
fn read(change: impl Fn(&mut SourceSpec)) -> Vec<Step> {
    let place = tempfile::tempdir().unwrap();
    for (name, age) in [("rows_a.csv", 0), ("rows_b.csv", 1000)] {
        let path = place.path().join(name);
        std::fs::copy(folder().join(name), &path).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 - age);
        File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
    }
    let mut spec = SourceSpec::new(vec![place.path().display().to_string()]);
    spec.max_bad_series = BadSeriesLimit::All;
    spec.duplicates = Duplicates::Last;
    change(&mut spec);
    let read = ingest::read(&spec).unwrap();
    let mut steps = Vec::new();
    for series in &read.panel.series {
        let quality = read.quality.iter().find(|one| one.unique_id == series.unique_id).unwrap();
        assert!(spec.gaps == Gaps::Zero || quality.filled == series.filled.len());
        for (at, (time, value)) in series.times.iter().zip(&series.values).enumerate() {
            let day = jiff::Timestamp::from_microsecond(*time).unwrap().to_string()[..10].to_owned();
            let filled = series.filled.contains(&at);
            steps.push((series.unique_id.clone(), day, Some(*value).filter(|value| !value.is_nan()), filled));
        }
    }
    let notes = read.notes.iter().filter(|note| note.0.contains("filled with")).count();
    assert_eq!(notes > 0, read.quality.iter().any(|one| one.filled > 0), "{:?}", read.notes);
    steps
}

fn check(name: &str, found: &[Step]) {
    let want = golden(name);
    assert!(!want.is_empty());
    let close = |one: Option<f64>, two: Option<f64>| match (one, two) {
        (Some(one), Some(two)) => (one - two).abs() < 1e-12,
        (one, two) => one == two,
    };
    let is_same = |(one, two): (&Step, &Step)| {
        (&one.0, &one.1, one.3) == (&two.0, &two.1, two.3) && close(one.2, two.2)
    };
    let other = found.iter().zip(&want).find(|pair| !is_same(*pair));
    assert!(found.len() == want.len() && other.is_none(), "{name}: {other:?}\n{found:?}\n{want:?}");
}

#[test]
fn every_policy_for_duplicates() {
    for policy in ["error", "first", "last", "latest", "mean", "sum"] {
        check(&format!("duplicates_{policy}"), &read(|spec| spec.duplicates = policy.parse().unwrap()));
    }
}

#[test]
fn every_policy_for_gaps() {
    for policy in ["mask", "null", "error", "zero", "ffill", "linear", "seasonal"] {
        check(&format!("gaps_{policy}"), &read(|spec| spec.gaps = policy.parse().unwrap()));
    }
    // A declared season counts instead of the week that is usual: two days before 3 January is the first.
    let declared = read(|spec| (spec.gaps, spec.season_length) = (Gaps::Seasonal, Some(2)));
    assert_eq!(declared[6], ("g".into(), "2024-01-03".into(), Some(0.0), true));
}

#[test]
fn every_policy_for_order() {
    for policy in ["sort", "error"] {
        check(&format!("order_{policy}"), &read(|spec| spec.order = policy.parse::<Order>().unwrap()));
    }
}
