//! The forecaster as it was before it saw the tail: its score is the one reported, and no value of the tail is in it.

use crate::forecaster::{fit, orbits, panel, spec, waves};
use crate::intermittent::zero_inflated;
use s4cast::model::exam::{Exam, Terms};
use s4cast::model::forecaster::{Fitted, Forecaster};
use s4cast::model::spec::{Bounds, ModelSpec, RawModelSpec};
use s4cast::series::{Frequency, Panel, Series};

/// Waves that reach below zero, so that no logarithm is taken.
fn low(mut all: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    all.iter_mut().flatten().for_each(|y| *y -= 25.0);
    all
}

/// Panels of one frequency, with a name of a model and a horizon.
fn cases() -> Vec<(&'static str, usize, Panel)> {
    vec![
        ("auto", 7, panel(waves(5, 300))),
        ("ridge", 7, panel(low(waves(24, 120)))),
        ("s4d", 2, panel(orbits(4, 90))),
        ("sashimi", 2, panel(low(orbits(4, 200)))),
        ("ensemble", 7, panel(waves(24, 120))),
        ("ets", 7, panel(waves(5, 140))),
        ("mstl", 7, panel(waves(3, 140))),
        ("seasonal_naive", 7, panel(waves(5, 140))),
        ("counts", 7, panel(zero_inflated(8, 20, 200))),
    ]
}

/// Every series without its last steps.
fn cut(panel: &Panel, back: usize) -> Panel {
    let cut = |series: &Series| {
        let end = series.values.len() - back;
        Series {
            times: series.times[..end].to_vec(),
            values: series.values[..end].to_vec(),
            ..series.clone()
        }
    };
    Panel { series: panel.series.iter().map(cut).collect(), ..panel.clone() }
}

/// MASE of the unseen forecaster's published points, one horizon after the other over the steps it has not seen; all
/// series are of one length.
fn mase_of_unseen(fitted: &Fitted, panel: &Panel, horizon: usize) -> f64 {
    let steps = fitted.unseen.extents.values().next().unwrap().tail;
    assert!(steps >= horizon);
    let season = fitted.reports[0].season_length;
    let terms = Terms { horizon, season, point: fitted.forecaster.spec().point() };
    let series: Vec<&Series> = panel.series.iter().collect();
    let all: Vec<usize> = (0..series.len()).collect();
    let one = |back: usize| {
        let forecasts = fitted.unseen.forecaster.predict(&cut(panel, back));
        let points = forecasts.series.iter().flat_map(|one| one.point.clone()).collect();
        let points = ndarray::Array2::from_shape_vec((series.len(), horizon), points).unwrap();
        Exam::new(&series, &all, back, terms).accuracy(points.view()).mase
    };
    let all: Vec<f64> = (1..=steps / horizon).map(|origin| one(origin * horizon)).collect();
    all.iter().sum::<f64>() / all.len() as f64
}

#[test]
fn what_predict_makes_of_the_tail_has_the_score_of_the_report() {
    for (kind, horizon, panel) in cases() {
        let fitted = fit(&panel, &spec(kind, horizon, 1));
        let (mase, reported) =
            (mase_of_unseen(&fitted, &panel, horizon), fitted.reports[0].holdout.clone().unwrap());
        assert!((mase - reported.mase).abs() < 1e-9, "{kind}: {mase} against {reported:?}");
    }
}

#[test]
fn bounds_are_scored_as_they_are_published() {
    let panel = panel(waves(5, 140));
    let bounds = Bounds { max: Some(21.0), is_integer: true, ..Bounds::default() };
    for kind in ["ridge", "ets", "naive"] {
        let raw = RawModelSpec { bounds, ..RawModelSpec::new(kind, 7) };
        let fitted = fit(&panel, &ModelSpec::try_from(raw).unwrap());
        let free = fit(&panel, &spec(kind, 7, 1)).reports[0].holdout.clone().unwrap();
        let reported = fitted.reports[0].holdout.clone().unwrap();
        assert!((mase_of_unseen(&fitted, &panel, 7) - reported.mase).abs() < 1e-9, "{kind}");
        assert!(reported.mase > 1.2 * free.mase, "{kind}: 21 is too low for most series");
    }
}

#[test]
fn no_value_of_the_tail_is_in_it() {
    for (kind, horizon, panel) in cases() {
        let fitted = fit(&panel, &spec(kind, horizon, 1));
        let steps = fitted.unseen.extents.values().next().unwrap().tail;
        let mut other = panel.clone();
        for series in &mut other.series {
            let start = series.values.len() - steps;
            // Counts stay whole.
            let factor = if kind == "counts" { 2.0 } else { 1.2 };
            series.values[start..].iter_mut().for_each(|y| *y *= factor);
        }
        let refitted = fit(&other, &spec(kind, horizon, 1));
        assert_eq!(refitted.reports[0].season_length, fitted.reports[0].season_length);
        assert!(refitted.unseen.forecaster.to_bytes() == fitted.unseen.forecaster.to_bytes(), "{kind}");
        let is_learnt = !["ets", "mstl", "seasonal_naive"].contains(&kind);
        let is_same = refitted.forecaster.to_bytes() == fitted.forecaster.to_bytes();
        assert_eq!(is_same, !is_learnt, "{kind}: what serves has seen the tail");
    }
}

#[test]
fn every_frequency_has_its_own_steps_and_short_series_hold_nothing_back() {
    let mut mixed = panel(waves(6, 140));
    for series in &mut mixed.series[4..] {
        series.frequency = Frequency::Days { days: 2 };
        series.values.truncate(20);
        series.times.truncate(20);
    }
    let fitted = fit(&mixed, &spec("ridge", 7, 1));
    let steps: Vec<(&str, usize)> =
        fitted.unseen.extents.iter().map(|(name, extent)| (name.as_str(), extent.tail)).collect();
    assert_eq!(steps, [("1d", 7), ("2d", 0)]);
    assert_eq!(
        fitted.reports.iter().map(|report| report.holdout.is_some()).collect::<Vec<_>>(),
        [true, false]
    );
    let loaded = Forecaster::from_bytes(&fitted.unseen.forecaster.to_bytes()).unwrap();
    assert_eq!(loaded.to_bytes(), fitted.unseen.forecaster.to_bytes());
}
