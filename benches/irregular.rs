//! What reading observations at their own times is worth: noisy sines sampled at random times, against the same sines on a
//! regular grid and against random samples that are resampled to it.
//!
//! ```text
//! cargo bench --bench irregular -- [seeds] [series] [first seed] [part of the name of a case]
//! ```

use jiff::tz::TimeZone;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use s4cast::model::control::Control;
use s4cast::model::forecaster::Forecaster;
use s4cast::model::spec::{ModelSpec, RawModelSpec};
use s4cast::series::{Frequency, Observations, Panel, Series};

const STEP: i64 = 60_000_000;
const HORIZON: usize = 12;
const TRAIN: usize = 1_500;
const TEST: usize = 240;
const NOISE: f64 = 0.2;

/// A sine and its samples.
struct Sine {
    period: f64,
    phase: f64,
}

impl Sine {
    fn at(&self, position: f64) -> f64 {
        (std::f64::consts::TAU * position / self.period + self.phase).sin()
    }
}

fn observed(sine: &Sine, positions: &[f64], rng: &mut impl Rng) -> Observations {
    let times = positions.iter().map(|position| (position * STEP as f64) as i64).collect();
    let value = |position: &f64| 5.0 + sine.at(*position) + NOISE * rng.sample::<f64, _>(StandardNormal);
    Observations::new(times, positions.iter().map(value).collect())
}

/// Positions of a Poisson process of rate 1 over the whole span, and with one in the first step.
fn poisson(rng: &mut impl Rng) -> Vec<f64> {
    let mut positions = vec![0.5];
    while *positions.last().expect("one is there") < (TRAIN + TEST) as f64 {
        let last = *positions.last().expect("one is there");
        positions.push(last - rng.random_range(1e-9_f64..1.0).ln());
    }
    positions.pop();
    positions
}

/// Linear interpolation at the middle of so many steps, from what was observed within them.
fn resampled(observations: &Observations, steps: usize) -> Vec<f64> {
    let known = observations.between(0, Some(steps as i64 * STEP));
    let (times, values) = (known.times(), known.values());
    let middle = |step: usize| (step as i64) * STEP + STEP / 2;
    let at = |step: usize| {
        let time = middle(step);
        let after = times.partition_point(|one| *one < time).clamp(1, times.len() - 1);
        let share = (time - times[after - 1]) as f64 / (times[after] - times[after - 1]).max(1) as f64;
        let share = share.clamp(0.0, 1.0);
        values[after - 1] * (1.0 - share) + values[after] * share
    };
    (0..steps).map(at).collect()
}

fn series(index: usize, values: Vec<f64>, observations: Option<Observations>) -> Series {
    let frequency = Frequency::Fixed { micros: STEP };
    let times = (0..values.len() as i64).map(|step| step * STEP).collect();
    let (unique_id, keys, covariates) = (format!("s{index}"), vec![], Vec::new());
    Series { unique_id, keys, frequency, times, values, covariates, observations, filled: Vec::new() }
}

fn panel(series: Vec<Series>) -> Panel {
    let (id_columns, covariates, marks) = (vec![], vec![], Default::default());
    Panel { id_columns, covariates, series, zone: TimeZone::UTC, marks }
}

/// Mean absolute errors against noisy values and root mean squared error against the sine, over rolling origins.
fn errors(kind: &str, known: &dyn Fn(usize) -> Vec<Series>, sines: &[Sine], seed: u64) -> (f64, f64, String) {
    let raw = RawModelSpec { seed, ..RawModelSpec::new(kind, HORIZON) };
    let spec = ModelSpec::try_from(raw).expect("the settings are sound");
    let cut = |end: usize| panel(known(end));
    let fitted = Forecaster::fit(&cut(TRAIN), &spec, &Control::watched(&|_| {})).expect("fits");
    let mut noise = ChaCha8Rng::seed_from_u64(seed ^ 0xabcd);
    let (mut absolute, mut square, mut count) = (0.0, 0.0, 0.0);
    for origin in (TRAIN..TRAIN + TEST - 2 * HORIZON).step_by(7) {
        let forecasts = fitted.forecaster.predict(&cut(origin));
        for (one, sine) in forecasts.series.iter().zip(sines) {
            for (time, point) in one.times.iter().zip(&one.point) {
                let truth = 5.0 + sine.at(*time as f64 / STEP as f64 + 0.5);
                absolute += (point - truth - NOISE * noise.sample::<f64, _>(StandardNormal)).abs();
                square += (point - truth).powi(2);
                count += 1.0;
            }
        }
    }
    let report = &fitted.reports[0];
    let note = format!(
        "{} gate {:.2} steps {} season {}",
        report.model_id, report.gate, report.steps, report.season_length
    );
    (absolute / count, (square / count).sqrt(), note)
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let numbers: Vec<usize> = args.iter().filter_map(|arg| arg.parse().ok()).collect();
    let words: Vec<&String> = args.iter().filter(|arg| arg.parse::<usize>().is_err()).collect();
    let (seeds, count) = (numbers.first().copied().unwrap_or(3), numbers.get(1).copied().unwrap_or(8));
    let first = numbers.get(2).copied().unwrap_or(0) as u64;
    for seed in first..first + seeds as u64 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let draw = |_| Sine { period: rng.random_range(8.0..24.0), phase: rng.random_range(0.0..6.3) };
        let sines: Vec<Sine> = (0..count).map(draw).collect();
        let regular: Vec<f64> = (0..TRAIN + TEST).map(|step| step as f64 + 0.5).collect();
        let on_grid: Vec<Observations> =
            sines.iter().map(|sine| observed(sine, &regular, &mut rng)).collect();
        let at_random: Vec<Observations> = sines
            .iter()
            .map(|sine| {
                let positions = poisson(&mut rng);
                observed(sine, &positions, &mut rng)
            })
            .collect();
        // What is known after so many steps; a series ends with its last observed step.
        let ended = |series: Series, end: usize| {
            let last = series.values[..end].iter().rposition(|y| !y.is_nan()).expect("observed") + 1;
            series.cut(0, last)
        };
        let each = |observations: &[Observations], of: &dyn Fn(usize, &Observations) -> Series| {
            observations.iter().enumerate().map(|(index, one)| of(index, one)).collect::<Vec<Series>>()
        };
        let on_steps = |end| each(&on_grid, &|i, o| ended(series(i, o.values().to_vec(), None), end));
        let native = |observations: &[Observations], end| {
            let of = |index, one: &Observations| {
                let frequency = Frequency::Fixed { micros: STEP };
                let (_, values) = one.on_grid(frequency, &TimeZone::UTC).expect("minutes are a grid");
                ended(series(index, values, Some(one.clone())), end)
            };
            each(observations, &of)
        };
        let interpolated = |end| each(&at_random, &|i, o| series(i, resampled(o, end), None));
        let native_on_grid = |end| native(&on_grid, end);
        let native_at_random = |end| native(&at_random, end);
        type Known<'a> = &'a dyn Fn(usize) -> Vec<Series>;
        let cases: [(&str, &str, Known<'_>); 7] = [
            ("regular grid, usual model", "auto", &on_steps),
            ("regular grid, network on observations", "s4d", &native_on_grid),
            ("random times, network on observations", "s4d", &native_at_random),
            ("random times, auto", "auto", &native_at_random),
            ("random times resampled, usual model", "auto", &interpolated),
            ("random times resampled, s4d", "s4d", &interpolated),
            ("random times, base alone", "ridge", &native_at_random),
        ];
        let wanted = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word.as_str()));
        for (name, kind, known) in cases.into_iter().filter(|(name, ..)| wanted(name)) {
            let begin = std::time::Instant::now();
            let (mae, rmse, note) = errors(kind, known, &sines, seed);
            let seconds = begin.elapsed().as_secs_f64();
            println!(
                "seed {seed}  {name:40} MAE {mae:.4}  RMSE to the sine {rmse:.4}  {seconds:.0} s  {note}"
            );
        }
    }
}
