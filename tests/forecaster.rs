//! The forecaster as a whole: determinism, missing values, fallbacks, budgets, hostile panels.

use std::time::Instant;

use jiff::tz::TimeZone;
use proptest::prelude::*;
use rand_distr::{Distribution, StandardNormal};
use s4cast::model::forecaster::{Control, Fitted, Forecaster, ModelError};
use s4cast::model::spec::{Bounds, ModelSpec, Point, RawModelSpec};
use s4cast::series::{Forecasts, Frequency, Panel, Series, SeriesForecast, Status};

use crate::support::arrays::generator;

const DAY: i64 = 86_400_000_000;

pub fn spec(kind: &str, horizon: usize, seed: u64) -> ModelSpec {
    let raw = RawModelSpec { seed, ..RawModelSpec::new(kind, horizon) };
    ModelSpec::try_from(raw).unwrap()
}

pub fn panel(all: Vec<Vec<f64>>) -> Panel {
    let series = all.into_iter().enumerate().map(|(index, values)| Series {
        unique_id: format!("s{index:03}"),
        keys: vec![],
        frequency: Frequency::Days { days: 1 },
        times: (0..values.len() as i64).map(|t| t * DAY).collect(),
        values,
        covariates: Vec::new(),
        observations: None,
        filled: Vec::new(),
    });
    Panel {
        id_columns: vec![],
        series: series.collect(),
        zone: TimeZone::UTC,
        marks: Default::default(),
        covariates: Vec::new(),
    }
}

/// Weekly waves of different size with noise on ±0.5.
pub fn waves(series: usize, len: usize) -> Vec<Vec<f64>> {
    let noise = |i: usize, t: usize| {
        let x = ((i * 7919 + t) as f64 * 12.9898).sin() * 43_758.547;
        x - x.floor() - 0.5
    };
    let value = |i: usize, t: usize| {
        let level = 10.0 * (i + 1) as f64;
        level * (1.0 + 0.3 * (t as f64 * std::f64::consts::TAU / 7.0).sin()) + noise(i, t)
    };
    (0..series).map(|i| (0..len).map(|t| value(i, t)).collect()).collect()
}

/// Chaotic series, which a network learns better than a linear map.
pub fn orbits(series: usize, len: usize) -> Vec<Vec<f64>> {
    let orbit = |index: usize| {
        let orbit = std::iter::successors(Some(0.1 + 0.07 * index as f64), |x| Some(3.9 * x * (1.0 - x)));
        orbit.take(len).map(|x| 20.0 + 10.0 * x).collect()
    };
    (0..series).map(orbit).collect()
}

pub fn fit(panel: &Panel, spec: &ModelSpec) -> Fitted {
    Forecaster::fit(panel, spec, &Control::watched(&|_| {})).unwrap()
}

pub fn bits(forecasts: &Forecasts) -> Vec<u64> {
    forecasts.series.iter().flat_map(|series| &series.quantiles).map(|value| value.to_bits()).collect()
}

#[test]
fn weights_and_forecasts_do_not_depend_on_the_threads_but_on_the_seed() {
    let panel = panel(waves(5, 140));
    let run = |threads: usize, seed: u64| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let forecaster = fit(&panel, &spec("s4d", 7, seed)).forecaster;
            (forecaster.weights_sha256(), bits(&forecaster.predict(&panel)))
        })
    };
    let one = run(1, 1);
    assert_eq!(one, run(2, 1));
    assert_eq!(one, run(3, 1));
    assert_ne!(one.0, run(2, 2).0);
}

#[test]
fn a_model_that_learnt_the_wave_beats_seasonal_naive() {
    let fitted = fit(&panel(waves(5, 400)), &spec("auto", 7, 1));
    let report = &fitted.reports[0];
    assert_eq!(report.season_length, 7);
    let holdout = report.holdout.as_ref().unwrap();
    assert!(holdout.mase < holdout.mase_seasonal_naive, "{holdout:?}");
}

#[test]
fn missing_values_are_masked_and_not_read_as_zero() {
    let with = |gap: f64| {
        let mut all = waves(5, 140);
        for values in &mut all {
            values.iter_mut().skip(3).step_by(10).for_each(|y| *y = gap);
        }
        let panel = panel(all);
        fit(&panel, &spec("ridge", 7, 1)).forecaster.predict(&panel)
    };
    let (masked, zeroed) = (with(f64::NAN), with(0.0));
    let complete = waves(5, 147);
    let error = |forecasts: &Forecasts| -> f64 {
        let future = complete.iter().map(|values| &values[140..]);
        let pairs = forecasts.series.iter().zip(future).flat_map(|(f, y)| f.point.iter().zip(y));
        pairs.map(|(p, y)| (p - y).abs()).sum()
    };
    assert!(error(&masked) < 0.5 * error(&zeroed), "{} against {}", error(&masked), error(&zeroed));
}

#[test]
fn what_cannot_be_forecast_falls_back_and_says_so() {
    let mut all = waves(4, 140);
    all.push(vec![5.0]);
    all.push(vec![3.0, 4.0]);
    let panel = panel(all);
    let forecasts = fit(&panel, &spec("ridge", 7, 1)).forecaster.predict(&panel);
    let status: Vec<Status> = forecasts.series.iter().map(|series| series.status).collect();
    assert_eq!(status[..4], [Status::Ok; 4]);
    // Both end long before the others, and both are too short: the fallback is the stronger warning.
    assert_eq!(status[4..], [Status::Fallback; 2]);
    assert_eq!(forecasts.series[4].point, [5.0; 7]);
}

#[test]
fn classical_models_beat_seasonal_naive_on_waves_with_a_trend_whatever_the_threads() {
    let mut all = waves(6, 150);
    all.iter_mut().for_each(|values| values.iter_mut().enumerate().for_each(|(t, y)| *y += 0.1 * t as f64));
    all.push(vec![5.0, 6.0]);
    let panel = panel(all);
    for kind in ["ets", "mstl"] {
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let fitted = fit(&panel, &spec(kind, 7, 1));
                let holdout = fitted.reports[0].holdout.clone().unwrap();
                assert_eq!((fitted.reports[0].model_id, holdout.series), (kind, 6));
                assert!(holdout.mase < 0.8 * holdout.mase_seasonal_naive, "{kind}: {holdout:?}");
                let coverage = holdout.coverage[0].1;
                assert!((0.6..=0.95).contains(&coverage), "{kind}: {coverage}");
                fitted.forecaster.predict(&panel)
            })
        };
        let one = run(1);
        assert_eq!(bits(&one), bits(&run(3)));
        for series in &one.series[..6] {
            assert_eq!((series.status, series.model_id.as_str()), (Status::Ok, kind));
        }
        let short = &one.series[6];
        assert_eq!((short.status, short.model_id.as_str()), (Status::Fallback, "naive"));
        assert_eq!(short.point, [6.0; 7]);
    }
}

/// Autoregressive series x = 0.7 x' + e, normal e, from a seed.
fn autoregressive(series: usize, len: usize) -> Vec<Vec<f64>> {
    let mut rng = generator(11);
    let one = |_| {
        let mut x = 0.0;
        let values = (0..len + 20).map(|_| {
            let e: f64 = StandardNormal.sample(&mut rng);
            x = 0.7 * x + e;
            x
        });
        values.skip(20).collect()
    };
    (0..series).map(one).collect()
}

#[test]
fn an_interval_of_90_percent_holds_88_to_92_at_every_step_of_stationary_series() {
    const HORIZON: usize = 6;
    let all = autoregressive(4_000, 90 + HORIZON);
    let known = panel(all.iter().map(|values| values[..90].to_vec()).collect());
    let raw =
        RawModelSpec { levels: vec![90.0], season_length: Some(1), ..RawModelSpec::new("ridge", HORIZON) };
    let fitted = fit(&known, &ModelSpec::try_from(raw).unwrap());
    assert!(fitted.reports[0].interval_scores >= 400);
    let forecasts = fitted.forecaster.predict(&known);
    let at = |level: f64| forecasts.quantile_levels.iter().position(|l| *l == level).unwrap();
    let (lower, upper) = (at(0.05), at(0.95));
    for step in 0..HORIZON {
        let inside = |(forecast, values): (&SeriesForecast, &Vec<f64>)| {
            let interval = forecast.quantiles[[step, lower]]..=forecast.quantiles[[step, upper]];
            usize::from(interval.contains(&values[90 + step]))
        };
        // Panels are sorted by id, and so are these.
        let count: usize = forecasts.series.iter().zip(&sorted(&all)).map(inside).sum();
        let share = count as f64 / all.len() as f64;
        assert!((0.88..=0.92).contains(&share), "step {step}: {share}");
    }
}

/// In the order of the ids that [`panel`] gives them.
/// Sums of independent standard normal steps.
fn walks(series: usize, len: usize) -> Vec<Vec<f64>> {
    let walk = |index: usize| {
        let mut rng = generator(40 + index as u64);
        let mut level = 100.0;
        let mut step = || {
            let noise: f64 = StandardNormal.sample(&mut rng);
            level += noise;
            level
        };
        (0..len).map(|_| step()).collect()
    };
    (0..series).map(walk).collect()
}

#[test]
fn what_nothing_can_be_learnt_of_is_left_to_naive_with_its_own_intervals() {
    let fitted = fit(&panel(walks(6, 900)), &spec("auto", 7, 1));
    let report = &fitted.reports[0];
    assert_eq!(report.model_id, "naive", "{report:?}");
    assert!(report.notes.iter().any(|note| note.contains("than seasonal naive")), "{:?}", report.notes);
    let asked_for = fit(&panel(walks(6, 900)), &spec("ridge", 7, 1));
    assert_eq!(asked_for.reports[0].model_id, "ridge");
}

fn sorted(all: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let mut named: Vec<(String, Vec<f64>)> =
        all.iter().enumerate().map(|(index, values)| (format!("s{index:03}"), values.clone())).collect();
    named.sort_by(|a, b| a.0.cmp(&b.0));
    named.into_iter().map(|(_, values)| values).collect()
}

#[test]
fn a_mean_is_asked_for_by_name_and_is_no_median() {
    // Skewed: nine values in ten are near zero, one is large.
    let skewed =
        (0..30).map(|i| (0..140).map(|t| if (t * 7 + i * 3) % 10 == 0 { 10.0 } else { 0.1 }).collect());
    let panel = panel(skewed.collect());
    let point = |point: Point| {
        let raw = RawModelSpec { point, season_length: Some(1), ..RawModelSpec::new("ridge", 3) };
        let forecaster = fit(&panel, &ModelSpec::try_from(raw).unwrap()).forecaster;
        let loaded = Forecaster::from_bytes(&forecaster.to_bytes()).unwrap();
        let (forecasts, again) = (forecaster.predict(&panel), loaded.predict(&panel));
        assert_eq!(bits(&forecasts), bits(&again));
        forecasts.series.iter().flat_map(|one| one.point.clone()).sum::<f64>() / 90.0
    };
    assert!(point(Point::Mean) > point(Point::Median), "the mean of skewed values is above their median");
}

#[test]
fn bounds_hold_for_every_model_and_are_off_unless_asked_for() {
    // Deep below zero at times, and a series that is too short for any model.
    let mut all = waves(5, 140);
    all.iter_mut().for_each(|values| values.iter_mut().for_each(|y| *y -= 25.0));
    all.push(vec![-4.4, -3.0]);
    let panel = panel(all);
    let bounds = Bounds { min: Some(-12.0), max: Some(15.0), is_integer: true };
    let kinds =
        ["auto", "s4d", "s4", "sashimi", "ridge", "seasonal_naive", "naive", "ets", "mstl", "ensemble"];
    for kind in kinds {
        let free = fit(&panel, &spec(kind, 7, 1)).forecaster.predict(&panel);
        let raw = RawModelSpec { bounds, ..RawModelSpec::new(kind, 7) };
        let kept = fit(&panel, &ModelSpec::try_from(raw).unwrap()).forecaster.predict(&panel);
        let beyond = free.series.iter().flat_map(|one| &one.quantiles).filter(|y| **y < -12.0 || **y > 15.0);
        assert!(beyond.count() > 20, "{kind}");
        for (free, kept) in free.series.iter().zip(&kept.series) {
            assert_eq!((free.status, &free.model_id), (kept.status, &kept.model_id));
            let all = free.point.iter().zip(&kept.point).chain(free.quantiles.iter().zip(&kept.quantiles));
            for (free, kept) in all {
                assert_eq!(*kept, free.round().clamp(-12.0, 15.0), "{kind}");
            }
            assert!(kept.quantiles.outer_iter().all(|row| row.to_vec().is_sorted()));
        }
    }
}

#[test]
fn a_panel_too_short_for_any_model_gets_seasonal_naive() {
    for kind in ["auto", "s4d", "s4", "sashimi", "ridge", "ensemble"] {
        let panel = panel(vec![vec![1.0, 2.0, 3.0]]);
        let fitted = fit(&panel, &spec(kind, 12, 1));
        assert_eq!(fitted.reports[0].model_id, "naive");
        let forecasts = fitted.forecaster.predict(&panel);
        assert_eq!((forecasts.series[0].status, forecasts.series[0].point[0]), (Status::Fallback, 3.0));
    }
}

#[test]
fn a_series_that_ends_early_is_stale_and_one_of_holes_is_degraded() {
    let mut all = waves(5, 140);
    all[0].truncate(120);
    for (t, y) in all[1].iter_mut().enumerate().skip(20) {
        if t % 3 != 1 {
            *y = f64::NAN;
        }
    }
    let panel = panel(all);
    let forecasts = fit(&panel, &spec("ridge", 7, 1)).forecaster.predict(&panel);
    let status: Vec<Status> = forecasts.series.iter().map(|series| series.status).collect();
    assert_eq!(status, [Status::Stale, Status::Degraded, Status::Ok, Status::Ok, Status::Ok]);
}

#[test]
fn a_budget_already_spent_still_yields_a_model() {
    let panel = panel(waves(5, 140));
    let control = Control { deadline: Some(Instant::now()), ..Control::watched(&|_| {}) };
    let fitted = Forecaster::fit(&panel, &spec("auto", 7, 1), &control).unwrap();
    assert!(fitted.reports[0].budget_exhausted);
    assert_eq!(fitted.forecaster.predict(&panel).series.len(), 5);
}

#[test]
fn an_empty_panel_is_refused() {
    let error = Forecaster::fit(&panel(vec![]), &spec("auto", 7, 1), &Control::watched(&|_| {}));
    assert!(matches!(error, Err(ModelError::EmptyPanel)));
}

#[test]
fn saved_weights_have_the_stated_hash() {
    let panel = panel(waves(3, 100));
    let forecaster = fit(&panel, &spec("ridge", 7, 1)).forecaster;
    let bytes = forecaster.to_bytes();
    let header = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert!(header.names().iter().any(|name| name.ends_with("ridge")), "{:?}", header.names());
    use sha2::Digest;
    let hash: String = sha2::Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hash, forecaster.weights_sha256());
}

/// Values of every size and sign, with holes.
fn hostile_value() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => -1e3..1e3,
        2 => Just(0.0),
        1 => Just(f64::NAN),
        1 => Just(1.7e308),
        1 => Just(-1.7e308),
        1 => Just(5e-324),
        1 => 0.0..1e-200,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn hostile_panels_have_finite_monotone_forecasts(
        all in proptest::collection::vec(proptest::collection::vec(hostile_value(), 1..90), 1..6),
        horizon in 1usize..9,
        kind in proptest::sample::select(vec!["ridge", "ridge", "ridge", "auto"]),
    ) {
        let panel = panel(all);
        let forecasts = fit(&panel, &spec(kind, horizon, 1)).forecaster.predict(&panel);
        prop_assert_eq!(forecasts.series.len(), panel.series.len());
        for series in &forecasts.series {
            prop_assert!(series.quantiles.iter().all(|value| value.is_finite()), "{:?}", series);
            for row in series.quantiles.outer_iter() {
                prop_assert!(row.windows(2).into_iter().all(|pair| pair[0] <= pair[1]));
            }
        }
    }
}

#[test]
fn a_series_that_is_new_to_the_model_is_a_cold_start() {
    let mut values = waves(24, 200);
    let fitted = fit(&panel(values.clone()), &spec("ridge", 7, 0));
    let newcomer = values[3].iter().map(|y| y * 1.5).collect();
    values.push(newcomer);
    values.push(vec![1.0, 2.0, 3.0]);
    let all = panel(values);
    let saved = Forecaster::from_bytes(&fitted.forecaster.to_bytes()).unwrap();
    for forecaster in [&fitted.forecaster, &saved] {
        let forecasts = forecaster.predict(&all);
        let statuses: Vec<Status> = forecasts.series.iter().map(|one| one.status).collect();
        assert!(statuses[..24].iter().all(|status| *status == Status::Ok));
        assert_eq!(
            statuses[24..],
            [Status::ColdStart, Status::Fallback],
            "too short to be forecast by the model"
        );
        assert!(forecasts.series[24].model_id != "seasonal_naive");
    }
    // What is fitted where it forecasts knows no series beforehand.
    let local = fit(&panel(waves(2, 100)), &spec("ets", 7, 0)).forecaster;
    assert!(local.predict(&panel(waves(3, 100))).series.iter().all(|one| one.status == Status::Ok));
}
