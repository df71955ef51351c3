//! Intermittent demand: the methods against statsforecast, and counts through the whole forecaster.

use std::collections::BTreeMap;

use rand::RngExt;
use s4cast::engine::negative_binomial::Counts;
use s4cast::model::forecaster::Forecaster;
use s4cast::model::intermittent::{self, Weight};
use s4cast::model::spec::{ModelKind, ModelSpec, Point, Preset, RawModelSpec};
use s4cast::series::metric::pinball;
use s4cast::series::{Forecasts, Panel, Status};

use crate::forecaster::{bits, fit, panel, spec, waves};
use crate::support::arrays::generator;

/// Points of `golden/intermittent/generate.py`.
#[derive(serde::Deserialize)]
struct Case {
    values: Vec<f64>,
    croston_classic: f64,
    croston_optimized: f64,
    croston_sba: f64,
    tsb: Vec<Tsb>,
    adida: f64,
    imapa: f64,
}

#[derive(serde::Deserialize)]
struct Tsb {
    weights: [f64; 2],
    point: f64,
}

#[test]
fn points_are_those_of_statsforecast() {
    let cases: Vec<Case> =
        serde_json::from_str(include_str!("golden/intermittent/statsforecast.json")).unwrap();
    assert_eq!(cases.len(), 7);
    for case in &cases {
        let close = |found: f64, want: f64, bound: f64| {
            assert!((found - want).abs() <= bound * want.abs().max(1.0), "{found} for {want}");
        };
        let rate = |kind| intermittent::demand(kind, &case.values).rate;
        close(intermittent::croston(&case.values, Weight::Fixed(0.1)).rate, case.croston_classic, 1e-12);
        close(rate(ModelKind::CrostonSba), case.croston_sba, 1e-12);
        for Tsb { weights, point } in &case.tsb {
            let [of_size, of_probability] = weights.map(Weight::Fixed);
            close(intermittent::tsb(&case.values, of_size, of_probability).rate, *point, 1e-12);
        }
        // A weight by least squares is known as far as its cost tells, which is half of the digits.
        close(rate(ModelKind::Croston), case.croston_optimized, 1e-7);
        close(rate(ModelKind::Adida), case.adida, 1e-7);
        close(rate(ModelKind::Imapa), case.imapa, 1e-7);
    }
}

/// Zero-inflated counts by inversion; levels, extra zeros and weekdays differ.
pub fn zero_inflated(seed: u64, series: usize, length: usize) -> Vec<Vec<f64>> {
    let mut rng = generator(seed);
    let mut one = |index: usize| -> Vec<f64> {
        let zero = 0.3 + 0.5 * (index as f64 * 0.61).fract();
        let level = 1.0 + 7.0 * (index as f64 * 0.37).fract();
        let value = |t: usize| {
            let counts = Counts { zero, mean: level * if t % 7 >= 5 { 1.8 } else { 0.7 }, dispersion: 0.4 };
            counts.quantiles(&[rng.random::<f64>().clamp(1e-9, 1.0 - 1e-9)])[0]
        };
        (0..length).map(value).collect()
    };
    (0..series).map(&mut one).collect()
}

/// Mean pinball loss against what came after a panel.
fn loss(forecasts: &Forecasts, future: &BTreeMap<String, Vec<f64>>) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    for one in &forecasts.series {
        for (row, y) in one.quantiles.outer_iter().zip(&future[&one.unique_id]) {
            for (quantile, level) in row.iter().zip(&forecasts.quantile_levels) {
                sum += pinball(*y, *quantile, *level);
                count += 1.0;
            }
        }
    }
    sum / count
}

fn is_whole(forecasts: &Forecasts) -> bool {
    let all = forecasts.series.iter().flat_map(|one| &one.quantiles);
    all.into_iter().all(|quantile| *quantile >= 0.0 && *quantile == quantile.round())
}

/// All but the last steps of a panel, and those by series.
fn cut(panel: &Panel, back: usize) -> (Panel, BTreeMap<String, Vec<f64>>) {
    let known = panel.series.iter().map(|one| one.cut(0, one.values.len() - back)).collect();
    let future = |one: &s4cast::series::Series| {
        (one.unique_id.clone(), one.values[one.values.len() - back..].to_vec())
    };
    (Panel { series: known, ..panel.clone() }, panel.series.iter().map(future).collect())
}

#[test]
fn auto_takes_counts_for_counts_and_they_are_better_than_anything_else() {
    let (known, future) = cut(&panel(zero_inflated(1, 40, 240)), 14);
    let of = |kind: &str| {
        let raw = RawModelSpec { preset: Preset::Fast, ..RawModelSpec::new(kind, 14) };
        let fitted = fit(&known, &ModelSpec::try_from(raw).unwrap());
        let forecasts = fitted.forecaster.predict(&known);
        assert!(forecasts.series.iter().all(|one| one.status == Status::Ok), "{kind}");
        (loss(&forecasts, &future), forecasts, fitted)
    };
    let (auto, forecasts, fitted) = of("auto");
    assert_eq!(fitted.reports[0].model_id, "counts");
    assert!(fitted.reports[0].notes.iter().any(|note| note.contains("on the validation origins")));
    let holdout = fitted.reports[0].holdout.clone().unwrap();
    assert!(holdout.coverage[0].1 > 0.75, "{holdout:?}");
    assert!(is_whole(&forecasts));
    assert_eq!(bits(&forecasts), bits(&of("counts").1));
    for other in ["ridge", "ets", "seasonal_naive", "croston", "croston_sba", "tsb", "adida", "imapa"] {
        let (loss, ..) = of(other);
        assert!(auto < 0.99 * loss, "{auto} {other} {loss}");
    }
}

#[test]
fn a_count_forecaster_is_the_same_whatever_the_threads_and_comes_back_from_its_file() {
    let mut counts = zero_inflated(5, 24, 200);
    counts[3].iter_mut().skip(4).step_by(9).for_each(|y| *y = f64::NAN);
    let panel = panel(counts);
    for point in [Point::Median, Point::Mean] {
        let raw = RawModelSpec { point, ..RawModelSpec::new("counts", 14) };
        let spec = ModelSpec::try_from(raw).unwrap();
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| fit(&panel, &spec).forecaster)
        };
        let (one, three) = (run(1), run(3));
        let bytes = one.to_bytes();
        assert!(bytes == three.to_bytes());
        let loaded = Forecaster::from_bytes(&bytes).unwrap();
        assert_eq!(bits(&loaded.predict(&panel)), bits(&one.predict(&panel)));
        let forecasts = one.predict(&panel);
        let parts = one.components(&panel, "s003").unwrap();
        assert_eq!((&parts.point, parts.sight.model_id), (&forecasts.series[3].point, "counts"));
        let middle = spec.median();
        for series in &forecasts.series {
            assert_eq!((series.model_id.as_str(), series.status), ("counts", Status::Ok));
            let is_median = series.point == series.quantiles.column(middle).to_vec();
            assert_eq!(is_median, point == Point::Median);
        }
    }
}

#[test]
fn what_is_no_count_falls_back_and_the_others_do_not() {
    let mut all = zero_inflated(4, 20, 200);
    all.extend(waves(2, 200));
    all.push(vec![1.0, 0.0]);
    let mixed = panel(all);
    let fitted = fit(&mixed, &spec("counts", 7, 1));
    let forecasts = fitted.forecaster.predict(&mixed);
    for (index, series) in forecasts.series.iter().enumerate() {
        let is_count = index < 20;
        assert_eq!(series.status == Status::Ok, is_count, "{index}: {:?}", series.status);
        assert_eq!(series.model_id == "counts", is_count);
    }
    let none = fit(&panel(waves(3, 200)), &spec("counts", 7, 1));
    assert!(
        none.reports[0].model_id.ends_with("naive") && none.reports[0].notes[0].contains("whole numbers")
    );
}

#[test]
fn local_methods_publish_the_rate_where_means_are_asked_for_and_refuse_what_is_no_demand() {
    let mut all = zero_inflated(6, 3, 120);
    all.push((0..120).map(|t| f64::from(t % 5) - 1.0).collect());
    let panel = panel(all);
    for kind in ["croston", "croston_sba", "tsb", "adida", "imapa"] {
        let raw = RawModelSpec { point: Point::Mean, ..RawModelSpec::new(kind, 7) };
        let forecasts = fit(&panel, &ModelSpec::try_from(raw).unwrap()).forecaster.predict(&panel);
        for (series, values) in forecasts.series[..3].iter().zip(&panel.series) {
            let rate = intermittent::demand(ModelKind::from_name(kind).unwrap(), &values.values).rate;
            assert_eq!((series.point.clone(), series.status), (vec![rate; 7], Status::Ok));
            assert_eq!(series.model_id, kind);
        }
        assert_eq!(forecasts.series[3].status, Status::Fallback);
        let middle = fit(&panel, &spec(kind, 7, 1)).forecaster.predict(&panel);
        assert_eq!(middle.series[0].point, middle.series[0].quantiles.column(5).to_vec());
    }
}
