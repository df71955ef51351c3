//! What is shipped for operation speaks of metrics that exist.

use s4cast::schedule::metrics::{JobFigures, Metrics};
use s4cast::schedule::outcome::Outcome;
use s4cast::schedule::spec::Stage;
use s4cast::series::Status;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

const METRICS_BOARD: &str = include_str!("../configs/deploy/grafana/s4cast.json");
const FORECASTS_BOARD: &str = include_str!("../configs/deploy/grafana/s4cast-forecasts.json");
const VIEWS: &str = include_str!("../configs/deploy/duckdb/views.sql");

/// Every metric that a text names; the parts of a histogram count as the histogram.
fn named(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c: char| !is_part(c)).filter(|word| word.starts_with("s4cast_"));
    let base = |word: &str| {
        let part = ["_bucket", "_sum", "_count"].iter().find_map(|part| word.strip_suffix(part));
        part.unwrap_or(word).to_owned()
    };
    words.map(base).collect()
}

/// Every metric of a daemon to which everything has happened.
fn known() -> BTreeSet<String> {
    let metrics = Metrics::new();
    metrics.expect("load", Stage::Forecast, 900.0, Some(1.0));
    metrics.slot_ended("load", Stage::Forecast, Outcome::Ok, Some(0.1), 2.0);
    metrics.step_seconds("load", Stage::Forecast, "read", 0.1);
    metrics.reload(true, 1.0);
    let series = [(Status::Ok, 3)];
    let figures = JobFigures {
        issued_at_s: Some(1.0),
        observed_at_s: Some(1.0),
        series: &series,
        ..JobFigures::default()
    };
    metrics.job("load", &figures);
    metrics.score("load", Some(1.0), Some(2.0), Some(0.0), &[(80.0, 0.8)]);
    metrics.promotion("promoted");
    metrics.training("load", 10);
    metrics.memory_plan("load", 1 << 20);
    metrics.lease_taken_over("load", Stage::Forecast);
    metrics.lease_lost("load", Stage::Forecast);
    metrics.ingest(1, 1, &[("unusable", 1)]);
    let mut known = named(&metrics.render(3.0));
    // Linux alone tells.
    known.insert("s4cast_process_resident_memory_bytes".into());
    known
}

#[test]
fn alerts_and_dashboard_name_metrics_that_the_daemon_has() {
    let known = known();
    for shipped in [
        include_str!("../configs/deploy/prometheus/alerts.yml"),
        include_str!("../configs/deploy/prometheus/alerts_test.yml"),
        METRICS_BOARD,
    ] {
        let unknown: Vec<String> = named(shipped).difference(&known).cloned().collect();
        assert!(unknown.is_empty(), "{unknown:?}");
        assert!(!named(shipped).is_empty());
    }
}

#[test]
fn the_dashboard_shows_every_metric_of_the_daemon() {
    let not_shown: Vec<String> = known().difference(&named(METRICS_BOARD)).cloned().collect();
    // When a config was accepted says little beside whether the last one was.
    assert_eq!(not_shown, ["s4cast_config_last_reload_success_timestamp_seconds"]);
}

/// The panels of a dashboard, rows aside.
fn panels(board: &str) -> Vec<Value> {
    let board: Value = serde_json::from_str(board).expect("JSON");
    let panels = board["panels"].as_array().expect("panels").clone();
    panels.into_iter().filter(|panel| panel["type"] != "row").collect()
}

#[test]
fn panels_have_places_and_queries_of_their_own() {
    for board in [METRICS_BOARD, FORECASTS_BOARD] {
        let panels = panels(board);
        assert!(panels.len() > 10);
        let ids: BTreeSet<u64> = panels.iter().filter_map(|panel| panel["id"].as_u64()).collect();
        assert_eq!(ids.len(), panels.len());
        let mut taken = BTreeSet::new();
        for panel in &panels {
            let side = |name: &str| panel["gridPos"][name].as_u64().expect("a side");
            for x in side("x")..side("x") + side("w") {
                for y in side("y")..side("y") + side("h") {
                    assert!(x < 24 && taken.insert((x, y)), "{} lies on another panel", panel["title"]);
                }
            }
            assert!(!panel["description"].as_str().expect("a description").is_empty(), "{}", panel["title"]);
            let targets = panel["targets"].as_array().expect("queries");
            let text = |target: &Value| target["expr"].as_str().or(target["rawSql"].as_str()).map(str::len);
            assert!(!targets.is_empty() && targets.iter().all(|target| text(target) > Some(5)));
        }
    }
}

/// What `CREATE OR REPLACE VIEW` names.
fn views() -> BTreeSet<&'static str> {
    let named = VIEWS.split("CREATE OR REPLACE VIEW ").skip(1);
    named.filter_map(|text| text.split_whitespace().next()).collect()
}

#[test]
fn dashboards_on_the_views_read_views_that_there_are() {
    let views = views();
    assert!(views.len() >= 10, "{views:?}");
    for panel in panels(FORECASTS_BOARD) {
        for target in panel["targets"].as_array().expect("queries") {
            let words: Vec<&str> = target["rawSql"].as_str().expect("SQL").split([' ', '(', ')']).collect();
            let read = words.windows(2).filter(|pair| pair[0] == "FROM").map(|pair| pair[1]);
            let unknown: Vec<&str> = read.filter(|name| !name.is_empty() && !views.contains(name)).collect();
            assert!(unknown.is_empty(), "{}: {unknown:?}", panel["title"]);
        }
    }
    let datasets =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/deploy/superset/s4cast/datasets/s4cast");
    let files: Vec<String> = std::fs::read_dir(datasets)
        .expect("datasets")
        .map(|entry| std::fs::read_to_string(entry.expect("entry").path()).expect("text"))
        .collect();
    assert!(files.len() > 5);
    for text in files {
        let name = text.lines().find_map(|line| line.strip_prefix("table_name: ")).expect("a table");
        assert!(views.contains(name), "{name}");
        let columns = text.lines().filter_map(|line| line.strip_prefix("- column_name: "));
        for column in columns {
            let comment = format!("COMMENT ON COLUMN {name}.{column} IS ");
            assert!(VIEWS.contains(&comment), "{name}.{column}");
        }
    }
}
