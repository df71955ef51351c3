//! A forecast from what is remembered beside one from everything: `cargo bench --bench remember [-- --series N]`.
//!
//! Hourly series of several lengths; every one goes on by one value and is forecast 48 steps ahead.

use jiff::tz::TimeZone;
use s4cast::model::forecaster::{Control, Forecaster};
use s4cast::model::memory::Memory;
use s4cast::model::report::Progress;
use s4cast::model::spec::{ModelSpec, Preset, RawModelSpec};
use s4cast::series::{Forecasts, Frequency, Panel, Series};
use std::time::Instant;

const HOUR: i64 = 3_600_000_000;
const HORIZON: usize = 48;
const ROUNDS: usize = 5;

fn main() {
    let series = argument("--series").unwrap_or(10_000);
    println!(
        "{series} hourly series, one new value each, {HORIZON} steps ahead; seconds, the best of {ROUNDS}"
    );
    println!(
        "model  | hours | whole panel | remembered: advance + forecast | times faster | largest difference"
    );
    for kind in ["ridge", "s4d"] {
        let teachers = panel(50, 2_000, 0);
        let raw = RawModelSpec { preset: Preset::Fast, ..RawModelSpec::new(kind, HORIZON) };
        let spec = ModelSpec::try_from(raw).expect("settings");
        let forecaster = Forecaster::fit(&teachers, &spec, &Control::watched(&|_: Progress| {}))
            .expect("a model")
            .forecaster;
        for hours in [2_190, 8_760, 17_520] {
            compare(&forecaster, kind, series, hours);
        }
    }
}

fn compare(forecaster: &Forecaster, kind: &str, series: usize, hours: usize) {
    let before = panel(series, hours, 0);
    let memory = forecaster.remember(&before, 0);
    let whole = panel(series, hours + 1, 0);
    drop(before);
    let new = panel(series, 1, hours);
    let (full, forecasts) = best(|| (), |()| forecaster.predict(&whole));
    let go_on = |mut memory: Memory| {
        memory.advance(&memory.follow(new.clone()).expect("the next hour"));
        forecaster.predict_remembered(&memory, &TimeZone::UTC).expect("the same model")
    };
    let (short, remembered) = best(|| memory.clone(), go_on);
    let (faster, difference) = (full / short, difference(&forecasts, &remembered));
    println!("{kind:6} | {hours:5} | {full:11.3} | {short:30.3} | {faster:12.1} | {difference:e}");
}

/// Seconds of the fastest round, without what prepares it, and what it gave.
fn best<P, T>(prepare: impl Fn() -> P, work: impl Fn(P) -> T) -> (f64, T) {
    let once = || {
        let prepared = prepare();
        let start = Instant::now();
        let done = work(prepared);
        (start.elapsed().as_secs_f64(), done)
    };
    let rounds = (1..ROUNDS).map(|_| once());
    rounds.fold(once(), |best, next| if next.0 < best.0 { next } else { best })
}

fn difference(one: &Forecasts, other: &Forecasts) -> f64 {
    let values = |forecasts: &Forecasts| -> Vec<f64> {
        forecasts.series.iter().flat_map(|one| one.point.iter().chain(&one.quantiles).copied()).collect()
    };
    values(one).iter().zip(values(other)).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// Series with a day, a week and noise, from an hour on.
fn panel(series: usize, hours: usize, from: usize) -> Panel {
    let value = |index: usize, hour: usize| {
        let noise = (index * 7_919 + hour * 104_729) % 1_009;
        let day = (hour as f64 / 24.0 * std::f64::consts::TAU).sin();
        let week = if hour % 168 < 120 { 3.0 } else { 0.0 };
        50.0 + (index % 17) as f64 + 10.0 * day + week + noise as f64 / 500.0
    };
    let one = |index: usize| Series {
        unique_id: format!("s{index:05}"),
        keys: vec![],
        frequency: Frequency::Fixed { micros: HOUR },
        times: (from..from + hours).map(|hour| hour as i64 * HOUR).collect(),
        values: (from..from + hours).map(|hour| value(index, hour)).collect(),
        covariates: Vec::new(),
        observations: None,
        filled: Vec::new(),
    };
    let series = (0..series).map(one).collect();
    Panel {
        id_columns: vec![],
        series,
        zone: TimeZone::UTC,
        marks: Default::default(),
        covariates: Vec::new(),
    }
}

fn argument(name: &str) -> Option<usize> {
    let arguments: Vec<String> = std::env::args().collect();
    let place = arguments.iter().position(|argument| argument == name)?;
    arguments.get(place + 1)?.parse().ok()
}
