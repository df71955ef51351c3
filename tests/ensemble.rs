//! The model `ensemble`: what `auto` serves averaged with models of each series alone, weights of each series.

use crate::forecaster::{bits, fit, panel, spec, waves};
use s4cast::model::forecaster::{Control, Forecaster};
use s4cast::series::{Forecasts, Panel, Status};

/// Levels that hold for long under heavy noise, and random walks: no map of the last values fits both kinds, smoothing of
/// each series alone does.
fn levels_and_walks(series: usize, len: usize) -> Vec<Vec<f64>> {
    let noise = |i: usize, t: usize| {
        let x = ((i * 7919 + t * 31 + 5) as f64 * 12.9898).sin() * 43_758.547;
        x - x.floor() - 0.5
    };
    let one = |i: usize| {
        let mut level = 60.0 + i as f64;
        let step = |t: usize| {
            if i.is_multiple_of(2) {
                level + 12.0 * noise(i, t)
            } else {
                level += 4.0 * noise(i, t);
                level
            }
        };
        (0..len).map(step).collect()
    };
    (0..series).map(one).collect()
}

/// With a short and a suspect one.
fn mixed() -> Panel {
    let mut all = levels_and_walks(30, 90);
    all.push(vec![5.0, 6.0]);
    let mut panel = panel(all);
    panel.marks.insert("s003".into(), Status::Fallback);
    panel
}

fn weights(forecasts: &Forecasts) -> Vec<Vec<(String, f64)>> {
    forecasts.series.iter().map(|one| one.weights.clone()).collect()
}

#[test]
fn every_forecast_says_what_it_is_an_average_of_whatever_the_threads() {
    let panel = mixed();
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let fitted = fit(&panel, &spec("ensemble", 6, 1));
            let forecasts = fitted.forecaster.predict(&panel);
            (fitted.forecaster.to_bytes(), fitted.reports[0].clone(), forecasts)
        })
    };
    let (bytes, report, forecasts) = run(1);
    let (others, _, same) = run(3);
    assert!(bytes == others && bits(&forecasts) == bits(&same) && weights(&forecasts) == weights(&same));
    assert_eq!(report.model_id, "ensemble", "{report:?}");
    assert!((report.weights.iter().map(|(_, weight)| weight).sum::<f64>() - 1.0).abs() < 1e-9);
    let local = report.weights.iter().filter(|(name, _)| ["ets", "mstl"].contains(name));
    assert!(local.map(|(_, weight)| weight).sum::<f64>() > 0.2, "{:?}", report.weights);
    for one in &forecasts.series {
        let sum: f64 = one.weights.iter().map(|(_, weight)| weight).sum();
        assert!((sum - 1.0).abs() < 1e-9, "{:?}", one.weights);
        assert!(one.weights.is_sorted_by(|a, b| a.1 >= b.1), "{:?}", one.weights);
        assert!(one.quantiles.outer_iter().all(|row| row.to_vec().is_sorted()));
        match one.unique_id.as_str() {
            "s003" | "s030" => {
                assert_eq!((one.status, one.weights.len()), (Status::Fallback, 1));
                assert_eq!(one.model_id, one.weights[0].0);
            }
            _ => {
                let has_local = one.weights.iter().any(|(name, _)| name == "ets" || name == "mstl");
                assert_eq!(one.status, Status::Ok);
                assert!(
                    one.model_id == "ensemble" || !has_local || one.weights.len() == 1,
                    "{:?}",
                    one.weights
                );
            }
        }
    }
    // The score is that of averages, and no worse than that of what `auto` would have served.
    let auto = fit(&panel, &spec("auto", 6, 1)).reports[0].holdout.clone().unwrap();
    assert!(report.holdout.clone().unwrap().mase <= auto.mase, "{:?} {auto:?}", report.holdout);
}

#[test]
fn a_saved_ensemble_keeps_its_weights_and_gives_those_of_the_group_to_new_series() {
    let panel = mixed();
    let forecaster = fit(&panel, &spec("ensemble", 6, 1)).forecaster;
    let loaded = Forecaster::from_bytes(&forecaster.to_bytes()).unwrap();
    assert!(loaded.to_bytes() == forecaster.to_bytes());
    let (before, after) = (forecaster.predict(&panel), loaded.predict(&panel));
    assert_eq!((bits(&before), weights(&before)), (bits(&after), weights(&after)));
    let mut more = panel.clone();
    let mut twin = more.series[0].clone();
    twin.unique_id = "t000".into();
    more.series.push(twin);
    let forecasts = loaded.predict(&more);
    let new = forecasts.series.last().unwrap();
    assert_eq!((new.unique_id.as_str(), new.status), ("t000", Status::ColdStart));
    assert!((new.weights.iter().map(|(_, weight)| weight).sum::<f64>() - 1.0).abs() < 1e-9);
    // What it remembers of a panel is of no use: the models of each series alone look at all of it.
    let memory = loaded.remember(&panel, 1);
    assert!(!loaded.remembers() && loaded.predict_remembered(&memory, &panel.zone).is_none());
}

#[test]
fn where_averaging_does_not_pay_it_serves_what_auto_serves_and_says_so() {
    let panel = panel(waves(2, 300));
    let (auto, ensemble) = (fit(&panel, &spec("auto", 7, 1)), fit(&panel, &spec("ensemble", 7, 1)));
    let (report, notes) = (&ensemble.reports[0], &ensemble.reports[0].notes);
    if report.model_id == "ensemble" && report.weights.iter().any(|(name, _)| ["ets", "mstl"].contains(name))
    {
        assert!(notes.iter().any(|note| note.contains("% better there than without")), "{notes:?}");
    } else {
        assert_eq!(bits(&auto.forecaster.predict(&panel)), bits(&ensemble.forecaster.predict(&panel)));
        assert!(notes.iter().any(|note| note.contains("did not improve")), "{notes:?}");
    }
}

#[test]
fn a_budget_that_is_over_leaves_what_auto_serves() {
    let panel = mixed();
    let control = Control { deadline: Some(std::time::Instant::now()), ..Control::watched(&|_| {}) };
    let fitted = Forecaster::fit(&panel, &spec("ensemble", 6, 1), &control).unwrap();
    let notes = &fitted.reports[0].notes;
    assert!(notes.iter().any(|note| note.contains("the budget ended before")), "{notes:?}");
    let forecasts = fitted.forecaster.predict(&panel);
    assert!(forecasts.series.iter().all(|one| !one.weights.iter().any(|(name, _)| name == "ets")));
}
