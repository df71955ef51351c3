//! Parts of forecasts: they add up to what is published, whatever the model.

use crate::forecaster::{fit, orbits, panel, spec, waves};
use s4cast::model::components::Components;
use s4cast::model::forecaster::Forecaster;
use s4cast::model::spec::{Bounds, ModelSpec, RawModelSpec};
use s4cast::series::covariate::{Covariate, Row, Values};
use s4cast::series::{Known, Panel, Status};

const KINDS: [&str; 11] = [
    "auto",
    "s4d",
    "s4",
    "sashimi",
    "ridge",
    "seasonal_naive",
    "naive",
    "ets",
    "mstl",
    "croston",
    "ensemble",
];

/// Waves, one of them marked as looking wrong, one with holes, and one too short for any model.
fn mixed() -> Panel {
    let mut all = waves(5, 140);
    all[1].iter_mut().skip(3).step_by(10).for_each(|y| *y = f64::NAN);
    all.push(vec![3.0, 4.5]);
    let mut panel = panel(all);
    panel.marks.insert("s002".into(), Status::Fallback);
    panel
}

/// The parts of every series, after checking that they add up to what is published.
fn checked(forecaster: &Forecaster, panel: &Panel) -> Vec<Components> {
    let forecasts = forecaster.predict(panel);
    let one = |forecast: &s4cast::series::SeriesForecast| {
        let parts = forecaster.components(panel, &forecast.unique_id).unwrap();
        assert_eq!((&parts.times, parts.sight.model_id), (&forecast.times, forecast.model_id.as_str()));
        for step in 0..parts.point.len() {
            let Components { trend, seasonal, covariates, network, remainder, bounds, .. } = &parts;
            let mut all = vec![trend[step], seasonal[step], network[step], remainder[step], bounds[step]];
            all.extend(covariates.iter().map(|(_, part)| part[step]));
            let size = all.iter().fold(parts.point[step].abs(), |size: f64, part| size.max(part.abs()));
            assert!((all.iter().sum::<f64>() - parts.point[step]).abs() <= 1e-9 * size, "{all:?}");
            // A batch of one may round differently in single precision.
            let published = forecast.point[step];
            assert!((parts.point[step] - published).abs() <= 1e-5 * published.abs(), "{published}");
        }
        parts
    };
    forecasts.series.iter().map(one).collect()
}

#[test]
fn the_parts_add_up_to_what_is_published() {
    for kind in KINDS {
        let panel = mixed();
        let free = checked(&fit(&panel, &spec(kind, 10, 1)).forecaster, &panel);
        assert!(free.iter().all(|parts| parts.bounds == [0.0; 10]), "{kind}");
        // Fallbacks have no networks, and neither have models without any.
        for index in [2, 5] {
            let parts = &free[index];
            assert_eq!((&parts.network[..], parts.sight.network_share), (&[0.0; 10][..], 0.0));
            assert!(["seasonal_naive", "naive"].contains(&parts.sight.model_id), "{kind}");
        }
        let has_network = free[0].sight.network_share > 0.0;
        assert_eq!(free[0].network.iter().any(|part| *part != 0.0), has_network, "{kind}");
        assert!(has_network || !["s4d", "s4", "sashimi"].contains(&kind));
        let bounds = Bounds { max: Some(33.0), is_integer: true, ..Bounds::default() };
        let raw = RawModelSpec { bounds, ..RawModelSpec::new(kind, 10) };
        let kept = checked(&fit(&panel, &ModelSpec::try_from(raw).unwrap()).forecaster, &panel);
        for (free, kept) in free.iter().zip(&kept) {
            let parts = |one: &Components| (one.trend.clone(), one.network.clone(), one.remainder.clone());
            assert_eq!(parts(free), parts(kept), "{kind}");
            assert!(kept.point.iter().all(|y| *y <= 33.0 && y.fract() == 0.0));
        }
        assert!(kept[4].bounds.iter().any(|part| *part < -5.0), "the largest wave is cut");
    }
}

#[test]
fn a_sine_on_a_line_is_seen_as_one() {
    let value = |t: usize| 100.0 + 0.5 * t as f64 + wave(t);
    let panel = panel((0..3).map(|i| (0..210).map(|t| value(t) * (i + 1) as f64).collect()).collect());
    for kind in ["auto", "ridge", "ets", "mstl"] {
        let parts = checked(&fit(&panel, &spec(kind, 10, 1)).forecaster, &panel).swap_remove(0);
        assert_eq!(parts.sight.season_length, 7, "{kind}");
        for step in 0..10 {
            let t = 210 + step;
            let errors = [parts.trend[step] - 100.0 - 0.5 * t as f64, parts.seasonal[step] - wave(t)];
            assert!(errors.iter().all(|error| error.abs() < 0.5), "{kind} {step}: {errors:?}");
        }
    }
}

/// A week of ten units up and down.
fn wave(t: usize) -> f64 {
    10.0 * (t as f64 * std::f64::consts::TAU / 7.0).sin()
}

#[test]
fn what_was_seen_is_said() {
    let panel = mixed();
    let forecaster = fit(&panel, &spec("ets", 7, 1)).forecaster;
    let sight = forecaster.components(&panel, "s001").unwrap().sight;
    assert_eq!((sight.start, sight.inputs, sight.missing), (panel.series[1].times[0], 140, 14));
    assert_eq!((sight.season_length, sight.space, sight.members), (7, None, vec![("ets", 1)]));
    let sight = forecaster.components(&panel, "s002").unwrap().sight;
    assert_eq!(
        (sight.start, sight.inputs, sight.model_id),
        (panel.series[2].times[133], 7, "seasonal_naive")
    );
    assert!(forecaster.components(&panel, "nobody").is_none());

    let orbits = self::panel(orbits(4, 200));
    let fitted = fit(&orbits, &spec("sashimi", 2, 1));
    let sight = fitted.forecaster.components(&orbits, "s000").unwrap().sight;
    assert_eq!((sight.inputs, sight.start), (96, orbits.series[0].times[104]));
    assert!((sight.network_share - fitted.reports[0].gate).abs() < 1e-12 && sight.space.is_some());
    assert_eq!(sight.members.last(), Some(&("sashimi", 1)));
}

/// Whether there is a promotion at a step: at three of ten, as good as by chance.
fn promotion(step: usize) -> bool {
    let mixed = (step as u32 + 20).wrapping_mul(0x9e37_79b9);
    let mixed = (mixed ^ mixed >> 16).wrapping_mul(0x85eb_ca6b);
    (mixed ^ mixed >> 13) % 10 < 3
}

/// Waves of 20 and more, to which a promotion adds 15 and a measured column nothing.
fn promoted() -> Panel {
    let promotion = |step: usize| f64::from(u8::from(promotion(step)));
    let all = waves(3, 150).into_iter().map(|values| {
        let add = |(t, y): (usize, f64)| y + 10.0 + 15.0 * promotion(t);
        values.into_iter().enumerate().map(add).collect()
    });
    let mut panel = panel(all.collect());
    let covariate = |name: &str, known| Covariate { name: name.into(), known, values: Values::Real };
    panel.covariates = vec![covariate("promotion", Known::Future), covariate("measured", Known::Past)];
    for series in &mut panel.series {
        let measured = (0..150).map(|t| ((t * 7) % 13) as f64).collect();
        series.covariates =
            vec![Row::new(Known::Future, (0..160).map(promotion).collect()), Row::new(Known::Past, measured)];
    }
    panel
}

#[test]
fn what_each_covariate_adds_is_a_part() {
    let panel = promoted();
    for kind in ["ridge", "s4d"] {
        let parts = checked(&fit(&panel, &spec(kind, 10, 1)).forecaster, &panel);
        let names: Vec<&str> = parts[0].covariates.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["promotion", "measured"], "{kind}");
        let of = |name: &str| &parts[0].covariates.iter().find(|(one, _)| one == name).unwrap().1;
        let mean = |steps: Vec<usize>| {
            steps.iter().map(|step| of("promotion")[*step]).sum::<f64>() / steps.len() as f64
        };
        let (with, without): (Vec<usize>, Vec<usize>) = (0..10).partition(|step| promotion(150 + step));
        let difference = mean(with) - mean(without);
        assert!((10.0..20.0).contains(&difference), "{kind}: a promotion adds {difference}");
        assert!(of("measured").iter().all(|part| part.abs() < 3.0), "{kind}: {:?}", of("measured"));
    }
}
