//! From a saved model to a forecast of one series: reading and checking the file, then predicting.
//!
//! `cargo bench --bench load_model -- FILE.safetensors`, a file that `s4cast forecast --save-model` wrote; results with
//! machine and date are kept in RESULTS.md.

use std::time::Instant;

use jiff::tz::TimeZone;
use s4cast::model::forecaster::Forecaster;
use s4cast::series::{Frequency, Panel, Series};

const HOUR: i64 = 3_600_000_000;

fn main() {
    let Some(path) = std::env::args().skip(1).find(|argument| !argument.starts_with("--")) else {
        println!("name a saved model, for example: cargo bench --bench load_model -- model.safetensors");
        return;
    };
    let values: Vec<f64> =
        (0..960).map(|t| 100.0 + 30.0 * (f64::from(t) * std::f64::consts::TAU / 24.0).sin()).collect();
    let series = Series {
        unique_id: "series".into(),
        keys: Vec::new(),
        frequency: Frequency::Fixed { micros: HOUR },
        times: (0..values.len() as i64).map(|t| t * HOUR).collect(),
        values,
        covariates: Vec::new(),
        observations: None,
        filled: Vec::new(),
    };
    let panel = Panel {
        id_columns: Vec::new(),
        series: vec![series],
        zone: TimeZone::UTC,
        marks: Default::default(),
        covariates: Vec::new(),
    };
    let bytes = std::fs::read(&path).expect("the file can be read");
    let mut load = Vec::new();
    let mut predict = Vec::new();
    for _ in 0..50 {
        let start = Instant::now();
        let forecaster = Forecaster::from_bytes(&bytes).expect("a saved model");
        load.push(start.elapsed().as_secs_f64());
        let start = Instant::now();
        let forecasts = forecaster.predict(&panel);
        predict.push(start.elapsed().as_secs_f64());
        assert_eq!(forecasts.series.len(), 1);
    }
    println!("{:<44}{:>10}{:>10}", format!("{} KiB", bytes.len() / 1024), "first ms", "median ms");
    for (name, mut seconds) in [("load", load), ("predict one series of 960 steps", predict)] {
        let first = seconds[0];
        seconds.sort_by(f64::total_cmp);
        println!("{name:<44}{:>10.3}{:>10.3}", first * 1e3, seconds[seconds.len() / 2] * 1e3);
    }
}
