//! Forecasts from what is remembered of a panel are those of the whole panel, to the last bit.

use crate::forecaster::{fit, orbits, panel, spec, waves};
use crate::intermittent::zero_inflated;
use s4cast::model::memory::{Apart, Memory};
use s4cast::model::spec::{ModelSpec, Point, RawModelSpec};
use s4cast::series::covariate::{Row, Values};
use s4cast::series::{Covariate, Forecasts, Known, Panel, Series, Status};
use std::ops::Range;

/// Some steps of every series, without missing ones at the ends.
fn part(panel: &Panel, steps: Range<usize>) -> Panel {
    let cut = |series: &Series| {
        let is_known = |at: &usize| !series.values[*at].is_nan();
        let (first, last) = (steps.clone().find(is_known)?, steps.clone().rfind(is_known)?);
        let start = if steps.start == 0 { 0 } else { first };
        let (times, values) = (series.times[start..=last].to_vec(), series.values[start..=last].to_vec());
        Some(Series { times, values, ..series.clone() })
    };
    Panel { series: panel.series.iter().filter_map(cut).collect(), ..panel.clone() }
}

fn is_same(one: &Forecasts, other: &Forecasts) -> bool {
    let bits = |forecasts: &Forecasts| -> Vec<u64> {
        let values = forecasts.series.iter().flat_map(|one| one.point.iter().chain(&one.quantiles));
        values.map(|value| value.to_bits()).collect()
    };
    bits(one) == bits(other)
        && one.series.iter().zip(&other.series).all(|(one, other)| {
            (&one.unique_id, &one.times, one.status, &one.model_id)
                == (&other.unique_id, &other.times, other.status, &other.model_id)
        })
}

/// Waves with holes, some of them longer than a season.
fn holey(series: usize, steps: usize) -> Panel {
    let mut values = waves(series, steps);
    for (index, one) in values.iter_mut().enumerate() {
        one.iter_mut().skip(3 + index).step_by(11).for_each(|y| *y = f64::NAN);
        one[60 + index..80 + index].fill(f64::NAN);
    }
    panel(values)
}

#[test]
fn going_on_from_a_memory_is_like_reading_everything_again() {
    let mean = RawModelSpec { point: Point::Mean, ..RawModelSpec::new("ridge", 7) };
    let low = |mut panel: Panel| {
        panel.series.iter_mut().flat_map(|series| &mut series.values).for_each(|y| *y -= 25.0);
        panel
    };
    let cases: Vec<(ModelSpec, Panel)> = vec![
        (spec("auto", 7, 0), holey(5, 300)),
        (spec("ridge", 7, 0), low(holey(24, 160))),
        (ModelSpec::try_from(mean).unwrap(), holey(6, 300)),
        (spec("s4d", 2, 0), panel(orbits(4, 120))),
        (spec("sashimi", 2, 0), panel(orbits(4, 200))),
        (spec("ets", 7, 0), holey(5, 140)),
        (spec("mstl", 7, 0), holey(3, 140)),
        (spec("seasonal_naive", 7, 0), holey(5, 140)),
        (spec("tsb", 7, 0), holey(5, 140)),
        (spec("counts", 7, 0), panel(zero_inflated(3, 12, 420))),
    ];
    for (spec, panel) in cases {
        let steps = panel.series[0].values.len();
        let from = steps - 45;
        let forecaster = fit(&part(&panel, 0..from), &spec).forecaster;
        for kept in [0, steps] {
            let mut memory = forecaster.remember(&part(&panel, 0..from), kept);
            let mut end = from;
            for more in [1, 1, 2, 9, 31, 1] {
                let follows = memory.follow(part(&panel, end..end + more)).unwrap();
                memory.advance(&follows);
                end += more;
                let whole = forecaster.predict(&part(&panel, 0..end));
                let remembered = forecaster.predict_remembered(&memory, &panel.zone).unwrap();
                assert!(is_same(&remembered, &whole), "{:?}: {end} of {steps} steps", spec.kind());
                let bytes = postcard::to_stdvec(&memory).unwrap();
                let read: Memory = postcard::from_bytes(&bytes).unwrap();
                assert!(
                    read.is_valid()
                        && is_same(&forecaster.predict_remembered(&read, &panel.zone).unwrap(), &whole)
                );
            }
        }
    }
}

#[test]
fn a_memory_is_as_long_as_a_forecast_looks_back() {
    let panel = panel(waves(24, 3_000));
    let forecaster = fit(&panel, &spec("ridge", 7, 0)).forecaster;
    let size = |steps: usize| {
        postcard::to_stdvec(&forecaster.remember(&part(&panel, 0..steps), 0)).unwrap().len() as f64
    };
    let (short, long) = (size(1_500), size(3_000));
    assert!((long / short - 1.0).abs() < 0.01, "{short} {long}");
}

#[test]
fn rows_that_do_not_follow_are_told_apart() {
    let panel = panel(waves(3, 200));
    let forecaster = fit(&panel, &spec("ridge", 7, 0)).forecaster;
    let memory = forecaster.remember(&part(&panel, 0..150), 0);
    let why = |new: Panel| memory.follow(new).unwrap_err();
    let first = panel.series[0].unique_id.clone();
    assert_eq!(why(part(&panel, 149..151)), Apart::Order(first.clone()), "a row that is known");
    assert_eq!(why(part(&panel, 100..101)), Apart::Order(first.clone()), "a row before the end");
    let mut off = part(&panel, 150..152);
    off.series[0].times.iter_mut().for_each(|time| *time += 1);
    assert_eq!(why(off), Apart::Order(first), "a row beside the grid");
    let mut other = part(&panel, 150..152);
    other.series[0].unique_id = "another".into();
    assert_eq!(why(other), Apart::New("another".into()));

    // What is not there counts as missing, and a series that has nothing new stays where it is.
    let mut gap = part(&panel, 152..153);
    gap.series.pop();
    let follows = memory.follow(gap).unwrap();
    assert_eq!(follows.series[0].times, panel.series[0].times[150..153]);
    assert!(follows.series[0].values[..2].iter().all(|y| y.is_nan()));
}

#[test]
fn another_model_or_a_stand_in_that_looks_further_back_asks_for_everything() {
    // Growth by a factor, which is forecast on logarithms.
    let mut values = waves(5, 4_000);
    values.iter_mut().flatten().for_each(|y| *y = (*y / 4.0).exp());
    let panel = panel(values.clone());
    let forecaster = fit(&panel, &spec("ridge", 7, 0)).forecaster;
    let memory = forecaster.remember(&panel, 0);
    assert!(forecaster.predict_remembered(&memory, &panel.zone).is_some());
    let other = fit(&panel, &spec("ets", 7, 0)).forecaster;
    assert!(other.predict_remembered(&memory, &panel.zone).is_none());

    // A value below zero, which a model of logarithms cannot forecast.
    let mut odd = values;
    odd[2][3_000] = -1.0;
    let odd = crate::forecaster::panel(odd);
    let whole = forecaster.predict(&odd);
    assert_eq!(whole.series[2].status, Status::Fallback);
    assert!(forecaster.predict_remembered(&forecaster.remember(&odd, 0), &panel.zone).is_none());
    let long = forecaster.remember(&odd, 2_500);
    assert!(is_same(&forecaster.predict_remembered(&long, &panel.zone).unwrap(), &whole));
}

#[test]
fn a_model_that_reads_covariates_has_nothing_to_remember() {
    let mut panel = panel(waves(2, 120));
    panel.covariates = vec![Covariate { name: "price".into(), known: Known::Future, values: Values::Real }];
    for series in &mut panel.series {
        series.covariates = vec![Row::new(Known::Future, (0..140).map(|step| f64::from(step % 5)).collect())];
        series.values.iter_mut().enumerate().for_each(|(step, y)| *y += (step % 5) as f64);
    }
    let forecaster = fit(&panel, &spec("ridge", 7, 0)).forecaster;
    assert!(!forecaster.remembers());
    // Neither where the source has lost them since.
    let bare = crate::forecaster::panel(waves(2, 120));
    for panel in [&panel, &bare] {
        let memory = forecaster.remember(panel, 0);
        assert_eq!(forecaster.predict_remembered(&memory, &panel.zone).map(|_| ()), None);
    }
}
