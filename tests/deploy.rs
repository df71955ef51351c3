//! What is shipped for operation speaks of metrics that exist.

use s4cast::schedule::metrics::{JobFigures, Metrics};
use s4cast::schedule::outcome::Outcome;
use s4cast::schedule::spec::Stage;
use s4cast::series::Status;
use std::collections::BTreeSet;

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

#[test]
fn alerts_and_dashboard_name_metrics_that_the_daemon_has() {
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
    metrics.score("load", Some(1.0), Some(0.0), &[(80.0, 0.8)]);
    let known = named(&metrics.render(3.0));
    for shipped in [
        include_str!("../configs/deploy/prometheus/alerts.yml"),
        include_str!("../configs/deploy/prometheus/alerts_test.yml"),
        include_str!("../configs/deploy/grafana/s4cast.json"),
    ] {
        let unknown: Vec<String> = named(shipped).difference(&known).cloned().collect();
        assert!(unknown.is_empty(), "{unknown:?}");
        assert!(!named(shipped).is_empty());
    }
}

#[test]
fn the_dashboard_is_json_with_panels() {
    let text = include_str!("../configs/deploy/grafana/s4cast.json");
    let dashboard: serde_json::Value = serde_json::from_str(text).unwrap();
    assert!(dashboard["panels"].as_array().unwrap().len() > 10);
}
