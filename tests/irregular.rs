//! Series that were sampled at random times: noisy sines, read as they are, against a regular grid and against resampling.

use jiff::tz::TimeZone;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use s4cast::model::control::Control;
use s4cast::model::forecaster::{Fitted, Forecaster};
use s4cast::model::spec::{ModelSpec, Preset, RawModelSpec};
use s4cast::series::{Frequency, Observations, Panel, Series};

use crate::support::arrays::generator;

const STEP: i64 = 60_000_000;
const FREQUENCY: Frequency = Frequency::Fixed { micros: STEP };
const HORIZON: usize = 8;
const TRAIN: usize = 1_000;
const TEST: usize = 200;
const NOISE: f64 = 0.2;
const PERIODS: [f64; 2] = [9.3, 14.1];

fn sine(index: usize, position: f64) -> f64 {
    5.0 + (std::f64::consts::TAU * position / PERIODS[index] + index as f64).sin()
}

fn observe(index: usize, positions: &[f64], rng: &mut ChaCha8Rng) -> Observations {
    let times = positions.iter().map(|position| (position * STEP as f64) as i64).collect();
    let value = |position: &f64| sine(index, *position) + NOISE * rng.sample::<f64, _>(StandardNormal);
    Observations::new(times, positions.iter().map(value).collect())
}

/// One observation in the middle of every step.
fn regular(steps: usize) -> Vec<f64> {
    (0..steps).map(|step| step as f64 + 0.5).collect()
}

/// A Poisson process with one observation per step in the mean.
fn random(steps: usize, rng: &mut ChaCha8Rng) -> Vec<f64> {
    let mut positions = vec![0.5];
    loop {
        let next = positions[positions.len() - 1] - rng.random_range(1e-9_f64..1.0).ln();
        if next >= steps as f64 {
            return positions;
        }
        positions.push(next);
    }
}

/// Linear interpolation at the middle of so many steps, from what was observed within them.
fn resampled(observations: &Observations, steps: usize) -> Vec<f64> {
    let known = observations.between(0, Some(steps as i64 * STEP));
    let (times, values) = (known.times(), known.values());
    let at = |position: &f64| {
        let time = (position * STEP as f64) as i64;
        let after = times.partition_point(|one| *one < time).clamp(1, times.len() - 1);
        let share = (time - times[after - 1]) as f64 / (times[after] - times[after - 1]).max(1) as f64;
        values[after - 1] + (values[after] - values[after - 1]) * share.clamp(0.0, 1.0)
    };
    regular(steps).iter().map(at).collect()
}

fn series(index: usize, values: Vec<f64>, observations: Option<Observations>) -> Series {
    Series {
        unique_id: format!("s{index}"),
        keys: vec![],
        frequency: FREQUENCY,
        times: (0..values.len() as i64).map(|step| step * STEP).collect(),
        values,
        covariates: Vec::new(),
        observations,
        filled: Vec::new(),
    }
}

fn native(index: usize, observations: &Observations) -> Series {
    let (_, values) = observations.on_grid(FREQUENCY, &TimeZone::UTC).unwrap();
    series(index, values, Some(observations.clone()))
}

/// The panel as it was known after so many steps.
fn panel(all: &[Series], steps: usize) -> Panel {
    let cut = |series: &Series| {
        let last = series.values[..steps.min(series.values.len())]
            .iter()
            .rposition(|value| !value.is_nan())
            .unwrap();
        series.cut(0, last + 1)
    };
    Panel {
        id_columns: vec![],
        series: all.iter().map(cut).collect(),
        zone: TimeZone::UTC,
        marks: Default::default(),
        covariates: Vec::new(),
    }
}

fn fit(kind: &str, preset: Preset, panel: &Panel) -> Fitted {
    let raw = RawModelSpec { preset, ..RawModelSpec::new(kind, HORIZON) };
    let spec = ModelSpec::try_from(raw).unwrap();
    Forecaster::fit(panel, &spec, &Control::watched(&|_| {})).unwrap()
}

/// Mean absolute error against new noisy values, over rolling origins after the training part.
fn error(fitted: &Fitted, known: &dyn Fn(usize) -> Panel) -> f64 {
    let mut rng = generator(99);
    let (mut sum, mut count) = (0.0, 0.0);
    for origin in (TRAIN..TRAIN + TEST).step_by(5) {
        for (index, one) in fitted.forecaster.predict(&known(origin)).series.iter().enumerate() {
            for (time, point) in one.times.iter().zip(&one.point) {
                let truth = sine(index, *time as f64 / STEP as f64 + 0.5);
                sum += (point - truth - NOISE * rng.sample::<f64, _>(StandardNormal)).abs();
                count += 1.0;
            }
        }
    }
    sum / count
}

fn at_random(seed: u64, steps: usize) -> Vec<Observations> {
    let mut rng = generator(seed);
    let one = |index| {
        let positions = random(steps, &mut rng);
        observe(index, &positions, &mut rng)
    };
    (0..PERIODS.len()).map(one).collect()
}

#[test]
fn a_sine_at_random_times_is_forecast_as_well_as_on_a_grid_and_better_than_resampled() {
    let steps = TRAIN + TEST;
    let mut rng = generator(1);
    let grid = |index| series(index, observe(index, &regular(steps), &mut rng).values().to_vec(), None);
    let on_grid: Vec<Series> = (0..PERIODS.len()).map(grid).collect();
    let observations = at_random(2, steps);
    let all = |of: &dyn Fn(usize, &Observations) -> Series| -> Vec<Series> {
        observations.iter().enumerate().map(|(index, one)| of(index, one)).collect()
    };
    let own = all(&native);
    let at_random = |end| panel(&own, end);
    let on_steps = |end| panel(&on_grid, end);
    let resampled = |end| panel(&all(&|index, one| series(index, resampled(one, end), None)), end);

    let fitted = fit("s4d", Preset::Balanced, &at_random(TRAIN));
    assert_eq!(fitted.reports[0].model_id, "s4d");
    let error_at_random = error(&fitted, &at_random);
    let base = |known: &dyn Fn(usize) -> Panel| error(&fit("ridge", Preset::Balanced, &known(TRAIN)), known);
    let (error_on_grid, error_resampled) = (base(&on_steps), base(&resampled));
    println!("grid {error_on_grid:.4}, random {error_at_random:.4}, resampled {error_resampled:.4}");
    assert!(error_at_random < 1.10 * error_on_grid, "{error_at_random} against {error_on_grid} on a grid");
    assert!(error_resampled > error_at_random, "{error_resampled} resampled against {error_at_random}");
}

#[test]
fn forecasts_are_the_same_after_a_file_on_any_number_of_threads_and_whatever_comes_later() {
    let steps = 400;
    let all: Vec<Series> =
        at_random(3, steps).iter().enumerate().map(|(index, one)| native(index, one)).collect();
    let known = panel(&all, 300);
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| fit("s4d", Preset::Fast, &known).forecaster)
    };
    let (forecaster, other) = (on(1), on(3));
    assert_eq!(forecaster.weights_sha256(), other.weights_sha256());
    let loaded = Forecaster::from_bytes(&forecaster.to_bytes()).unwrap();
    let forecasts = forecaster.predict(&known);
    assert_eq!(loaded.predict(&known).series[0].quantiles, forecasts.series[0].quantiles);

    // Later observations, those of the same file, are no part of a series that is cut.
    let mut altered = all.clone();
    for (series, known) in altered.iter_mut().zip(&known.series) {
        let observations = series.observations.as_ref().unwrap();
        let end = known.cutoff().unwrap() + STEP;
        let change = |(time, value): (&i64, &f64)| if *time < end { *value } else { 1e6 };
        let values = observations.times().iter().zip(observations.values()).map(change).collect();
        series.observations = Some(Observations::new(observations.times().to_vec(), values));
    }
    let after = forecaster.predict(&panel(&altered, 300));
    assert_eq!(after.series[1].quantiles, forecasts.series[1].quantiles);

    // Quantiles never cross, and are finite.
    for one in &forecasts.series {
        assert!(one.quantiles.rows().into_iter().all(|row| row.windows(2).into_iter().all(|p| p[0] <= p[1])));
        assert!(one.quantiles.iter().all(|value| value.is_finite()));
    }
}

#[test]
fn where_the_network_cannot_serve_the_base_on_means_of_steps_does() {
    // Noise has nothing to be learnt from: `auto` leaves it to the base or to seasonal naive.
    let mut rng = generator(5);
    let positions = random(300, &mut rng);
    let values = positions.iter().map(|_| rng.sample::<f64, _>(StandardNormal)).collect();
    let times = positions.iter().map(|position| (position * STEP as f64) as i64).collect();
    let noise = [native(0, &Observations::new(times, values))];
    let fitted = fit("auto", Preset::Fast, &panel(&noise, 300));
    assert!(!fitted.forecaster.has_network(), "{}", fitted.reports[0].model_id);
    // A series with three observations gets seasonal naive from a network that needs more.
    let all: Vec<Series> = at_random(3, 300).iter().enumerate().map(|(i, one)| native(i, one)).collect();
    let forecaster = fit("s4d", Preset::Fast, &panel(&all, 300)).forecaster;
    let short = [native(0, &Observations::new(vec![0, 3 * STEP, 4 * STEP], vec![1.0, 2.0, 3.0]))];
    let forecasts = forecaster.predict(&panel(&short, 5));
    assert!(forecasts.series[0].point.iter().all(|value| value.is_finite()));
    assert_eq!(forecasts.series[0].status.as_str(), "fallback");
}
