//! A model forecasts data of another step than its own: exact where its own step is, as accurate as a model of that step.

use crate::forecaster::{fit, spec};
use jiff::tz::TimeZone;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use s4cast::model::forecaster::Forecaster;
use s4cast::model::rate::{Match, Rate, Scale};
use s4cast::model::spec::{Bounds, ModelSpec, Preset, RawModelSpec};
use s4cast::series::covariate::{Covariate, Known, Row, Values};
use s4cast::series::{Forecasts, Panel, Series, Status};

const MINUTE: i64 = 60_000_000;

/// Series with values every so many minutes, on one grid that ends for all at the same time.
fn panel(minutes: i64, all: Vec<Vec<f64>>) -> Panel {
    let series = all.into_iter().enumerate().map(|(index, values)| Series {
        unique_id: format!("s{index}"),
        keys: vec![],
        frequency: format!("{minutes}m").parse().unwrap(),
        times: (0..values.len() as i64).map(|t| t * minutes * MINUTE).collect(),
        values,
        observations: None,
        filled: Vec::new(),
        covariates: Vec::new(),
    });
    Panel {
        id_columns: vec![],
        series: series.collect(),
        zone: TimeZone::UTC,
        marks: Default::default(),
        covariates: Vec::new(),
    }
}

/// Four loads of so many days every 15 minutes, ending on the hour: a day, a week, and weather that wanders.
fn loads(days: usize) -> Vec<Vec<f64>> {
    let load = |index: u64| {
        let mut draw = ChaCha8Rng::seed_from_u64(index);
        let mut weather = 0.0;
        let value = |t: usize| {
            weather = 0.985 * weather + draw.random_range(-0.5..0.5);
            let (day, week) = (t as f64 / 96.0, t as f64 / 672.0);
            let tau = std::f64::consts::TAU;
            40.0 + 8.0 * (tau * day).sin()
                + 3.0 * (2.0 * tau * day).cos()
                + 4.0 * (tau * week).sin()
                + weather
        };
        (0..days * 96 + 1).map(value).collect()
    };
    (0..4).map(load).collect()
}

fn thinned(all: &[Vec<f64>], rows: usize) -> Vec<Vec<f64>> {
    all.iter().map(|values| values.iter().copied().step_by(rows).collect()).collect()
}

/// Every row replaced by so many, on the line to the next one.
fn interpolated(all: &[Vec<f64>], rows: usize) -> Vec<Vec<f64>> {
    let line = |pair: &[f64]| {
        let (from, to) = (pair[0], pair[1]);
        (0..rows).map(move |row| from + (to - from) * row as f64 / rows as f64)
    };
    all.iter()
        .map(|values| values.windows(2).flat_map(line).chain(values.last().copied()).collect())
        .collect()
}

fn cut(all: &[Vec<f64>], rows: usize) -> Vec<Vec<f64>> {
    all.iter().map(|values| values[..rows].to_vec()).collect()
}

fn at_auto(forecaster: &Forecaster, panel: &Panel) -> Forecasts {
    let matches = forecaster.matches(panel, Some(Scale::Auto)).unwrap();
    assert!(forecaster.odd_seasons(panel, &matches).is_empty());
    forecaster.predict_at(panel, &matches)
}

/// Mean of the MASE of forecasts from the ends of ten days, each of a day.
fn score(all: &[Vec<f64>], minutes: i64, forecast: &dyn Fn(&Panel) -> Forecasts) -> f64 {
    let day = (1440 / minutes) as usize;
    let end = all[0].len();
    let mut scores = Vec::new();
    for back in 1..=10 {
        let known = end - back * day;
        let forecasts = forecast(&panel(minutes, cut(all, known)));
        for (one, values) in forecasts.series.iter().zip(all) {
            assert_eq!((one.point.len(), one.status), (day, Status::Ok));
            let scale =
                values[..known].windows(day + 1).map(|window| (window[day] - window[0]).abs()).sum::<f64>();
            let scale = scale / (known - day) as f64;
            let error: f64 = one.point.iter().zip(&values[known..]).map(|(a, b)| (a - b).abs()).sum();
            scores.push(error / day as f64 / scale);
        }
    }
    scores.iter().sum::<f64>() / scores.len() as f64
}

#[test]
fn an_hourly_model_forecasts_quarters_as_well_as_hours() {
    let quarters = loads(60);
    let hours = thinned(&quarters, 4);
    let until = hours[0].len() - 240;
    let hourly = fit(&panel(60, cut(&hours, until)), &spec("ridge", 24, 1)).forecaster;
    let of_hours = score(&hours, 60, &|panel| hourly.predict(panel));
    assert!(of_hours < 0.9, "{of_hours}");
    let copy = score(&interpolated(&hours, 4), 15, &|panel| at_auto(&hourly, panel));
    assert!(copy < 1.05 * of_hours, "a copy: {copy} beside {of_hours}");
    let scaled = score(&quarters, 15, &|panel| at_auto(&hourly, panel));
    assert!(scaled < 1.05 * of_hours, "true quarters: {scaled} beside {of_hours}");
    let own = fit(&panel(15, cut(&quarters, 4 * until)), &spec("ridge", 96, 1)).forecaster;
    let of_quarters = score(&quarters, 15, &|panel| own.predict(panel));
    assert!(scaled < 1.05 * of_quarters, "{scaled} beside {of_quarters} of a model of quarters");
}

#[test]
fn a_model_of_hours_forecasts_every_third_of_them_as_well_as_one_of_those() {
    let hours = thinned(&loads(60), 4);
    let thirds = thinned(&hours, 3);
    let until = thirds[0].len() - 80;
    let hourly = fit(&panel(60, cut(&hours, 3 * until)), &spec("ridge", 24, 1)).forecaster;
    let own = fit(&panel(180, cut(&thirds, until)), &spec("ridge", 8, 1)).forecaster;
    let scaled = score(&thirds, 180, &|panel| at_auto(&hourly, panel));
    let of_thirds = score(&thirds, 180, &|panel| own.predict(panel));
    assert!(scaled < 1.05 * of_thirds, "{scaled} beside {of_thirds}");
}

/// A panel with a price that is known in advance, and its rows thinned.
fn priced(minutes: i64, all: Vec<Vec<f64>>, rows: usize) -> Panel {
    let mut panel = panel(minutes, all);
    let price = |t: usize| f64::from(u8::from((t / 16).is_multiple_of(5)));
    panel.covariates = vec![Covariate { name: "price".into(), known: Known::Future, values: Values::Real }];
    for series in &mut panel.series {
        let steps = series.values.len() + 96 / rows;
        let values = (0..steps).map(|t| price(t * rows)).collect();
        series.covariates = vec![Row::new(Known::Future, values)];
    }
    panel
}

#[test]
fn rows_at_the_steps_of_the_model_are_what_it_says_of_them_to_the_last_bit() {
    let quarters = cut(&loads(9), 8 * 96 + 16 * 4 + 1);
    let hours = thinned(&quarters, 4);
    for kind in ["ridge", "s4d", "sashimi", "mstl"] {
        let (fine, own) = (priced(15, quarters.clone(), 1), priced(60, hours.clone(), 4));
        let raw = RawModelSpec { preset: Preset::Fast, ..RawModelSpec::new(kind, 6) };
        let hourly = fit(&own, &ModelSpec::try_from(raw).unwrap()).forecaster;
        let (scaled, expected) = (at_auto(&hourly, &fine), hourly.predict(&own));
        for (one, own) in scaled.series.iter().zip(&expected.series) {
            assert_eq!((one.point.len(), one.cutoff, &one.model_id), (24, own.cutoff, &own.model_id));
            assert_eq!(one.times[0] - one.cutoff, 15 * MINUTE);
            for step in 0..6 {
                let row = 4 * step + 3;
                assert_eq!((one.times[row], one.point[row]), (own.times[step], own.point[step]), "{kind}");
                assert_eq!(one.quantiles.row(row), own.quantiles.row(step), "{kind}");
            }
            let is_sound = |row: &[f64]| row.windows(2).all(|pair| pair[0] <= pair[1]) && row[0].is_finite();
            assert!(one.quantiles.rows().into_iter().all(|row| is_sound(row.to_slice().unwrap())));
        }
        let same = hourly.matches(&own, Some(Scale::Auto)).unwrap();
        assert!(same.iter().all(|found| found.rate == Rate::Same));
        assert_eq!(hourly.predict_at(&own, &same).series[0].point, expected.series[0].point);
    }
}

#[test]
fn what_the_model_cannot_forecast_gets_seasonal_naive_of_its_own_step() {
    let quarters = loads(14);
    let hourly = fit(&panel(60, thinned(&quarters, 4)), &spec("ridge", 6, 1)).forecaster;
    let mut fine = panel(15, quarters);
    let ends = fine.series[0].times.clone();
    // One that froze, one of two hours, one that is observed on the hour alone, one with holes at its end.
    fine.marks.insert("s0".into(), Status::Fallback);
    let last = ends.len() - 8;
    (fine.series[1].values, fine.series[1].times) =
        (fine.series[1].values[last..].to_vec(), ends[last..].to_vec());
    let rows = fine.series[2].values.iter_mut().enumerate().filter(|(t, _)| t % 4 != 0);
    rows.for_each(|(_, value)| *value = f64::NAN);
    let holes = ends.len() - 4;
    fine.series[3].values[holes..holes + 3].fill(f64::NAN);
    let forecasts = at_auto(&hourly, &fine);
    let statuses: Vec<Status> = forecasts.series.iter().map(|one| one.status).collect();
    assert_eq!(statuses, [Status::Fallback, Status::Fallback, Status::Fallback, Status::Ok]);
    for one in &forecasts.series {
        assert_eq!(one.point.len(), 24);
        assert!(one.quantiles.iter().chain(&one.point).all(|value| value.is_finite()));
        assert!(one.times.windows(2).all(|pair| pair[1] - pair[0] == 15 * MINUTE));
    }
    // What came a day before.
    let day_ago = &fine.series[0].values[ends.len() - 96..][..24];
    assert_eq!(forecasts.series[0].point, day_ago);
    assert_eq!(forecasts.series[0].model_id, "seasonal_naive");
}

#[test]
fn bounds_hold_between_the_steps_and_one_row_of_data_is_enough_to_be_sound() {
    let quarters = loads(14);
    let bounds = Bounds { min: Some(38.0), max: Some(43.0), is_integer: true };
    let raw = RawModelSpec { bounds, ..RawModelSpec::new("ridge", 6) };
    let hourly = fit(&panel(60, thinned(&quarters, 4)), &ModelSpec::try_from(raw).unwrap()).forecaster;
    let forecasts = at_auto(&hourly, &panel(15, quarters.clone()));
    let cells = || forecasts.series.iter().flat_map(|one| &one.quantiles);
    assert!(cells().all(|cell| (38.0..=43.0).contains(cell) && cell.fract() == 0.0));
    for rows in 1..6 {
        for minutes in [15, 180] {
            let tiny = panel(minutes, cut(&quarters, rows));
            let matches = hourly.matches(&tiny, Some(Scale::Auto)).unwrap();
            let made = hourly.predict_at(&tiny, &matches);
            assert!(made.series.iter().all(|one| one.point.iter().all(|value| value.is_finite())));
            assert_eq!(made.series[0].point.len(), if minutes == 15 { 24 } else { 2 });
        }
    }
}

#[test]
fn a_season_of_another_length_in_time_is_told() {
    let hourly = fit(&panel(60, thinned(&loads(30), 4)), &spec("ridge", 24, 1)).forecaster;
    assert_eq!(hourly.seasons()["1h"], 24);
    // A day of 144 rows, as if ten minutes had been written down as quarters.
    let slow = panel(15, interpolated(&thinned(&loads(30), 4), 6));
    let matches = hourly.matches(&slow, Some(Scale::Auto)).unwrap();
    let [Match { rate: Rate::Finer(4), .. }] = matches[..] else { panic!("{matches:?}") };
    let told = hourly.odd_seasons(&slow, &matches);
    assert!(told[0].contains("do not show the season of 24 steps of 1h (96 rows)"), "{told:?}");
    let refused = hourly.matches(&slow, None).unwrap_err();
    assert!(refused[0].starts_with("4 series of step 15m, such as 's0', cannot be forecast"), "{refused:?}");
}
