//! Forecasts from every origin of a task, scored while they come: no more than a few origins are in memory.

use crate::evaluation::score::{Case, Scale, Scores, Tally};
use crate::lab::run::LabError;
use crate::lab::task::Task;
use crate::model::baseline::seasonal_naive_point;
use crate::model::forecaster::Forecaster;
use crate::model::report::{Progress, Unit};
use crate::publish::Window;
use crate::series::{SeriesForecast, Status};
use ndarray::Array2;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::time::Instant;

/// Origins forecast at a time. Their forecasts are scored in order, so the result does not depend on the number of threads.
const CHUNK: usize = 32;

/// Naive forecasts of the same windows.
#[derive(Clone, Debug)]
pub struct NaiveScores {
    /// Season length in steps; 1 repeats the last value.
    pub season: usize,
    /// Scores of all windows.
    pub scores: Scores,
    /// Scores of each series, ascending by id.
    pub by_series: Vec<(String, Scores)>,
}

/// How good a forecaster is on a task.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// Scores of all windows.
    pub scores: Scores,
    /// Scores of each series, ascending by id.
    pub by_series: Vec<(String, Scores)>,
    /// Naive forecasts, one per season length asked for, in that order.
    pub naive: Vec<NaiveScores>,
    /// Forecasts that each model made, by its published name.
    pub models: BTreeMap<String, usize>,
    /// Forecasts that seasonal naive made in place of the model.
    pub fallbacks: usize,
    /// Observed steps that no forecast reached: where the values before an origin are missing, forecasts start earlier.
    pub unreached: usize,
    /// Seconds spent on forecasts.
    pub predict_seconds: f64,
}

/// Forecast of one series from one origin, what came, and naive forecasts; all have one entry per step.
struct Scored {
    index: usize,
    origin: i64,
    forecast: SeriesForecast,
    /// Steps of the forecast that are known at the origin.
    skipped: usize,
    actual: Vec<f64>,
    naive: Vec<Vec<f64>>,
    unreached: usize,
}

/// Forecasts and scores a task. Errors are scaled by those of seasonal naive with `scale_season` in the training part.
/// `seasons` are those of the naive forecasts; the first one is that of the skill. `keep` takes the forecasts, a few origins
/// at a time and in order.
///
/// # Errors
/// What `keep` says.
pub fn evaluate(
    task: &Task,
    forecaster: &Forecaster,
    scale_season: usize,
    seasons: &[usize],
    watch: &(dyn Fn(Progress) + Sync),
    keep: &mut dyn FnMut(&[Window<'_>]) -> Result<(), LabError>,
) -> Result<Evaluation, LabError> {
    let spec = forecaster.spec();
    let panel = &task.panel;
    let histories = panel.series.iter().zip(&task.scaled_by);
    let scales: Vec<Scale> =
        histories.map(|(series, &steps)| Scale::of(&series.values[..steps], scale_season)).collect();
    let mut tally = Tally::new(spec.quantile_levels(), spec.levels());
    let mut naive: Vec<Tally> = seasons.iter().map(|_| Tally::new(&[], &[])).collect();
    let (mut models, mut fallbacks, mut unreached) = (BTreeMap::new(), 0, 0);
    let mut seconds = 0.0;
    for start in (0..task.origins).step_by(CHUNK) {
        watch(Progress::of("forecasting", start, task.origins, Unit::Origins));
        let clock = Instant::now();
        let origins: Vec<usize> = (start..(start + CHUNK).min(task.origins)).collect();
        let chunk: Vec<Vec<Scored>> =
            origins.into_par_iter().map(|origin| forecast(task, forecaster, seasons, origin)).collect();
        seconds += clock.elapsed().as_secs_f64();
        let chunk: Vec<Scored> = chunk.into_iter().flatten().collect();
        for scored in &chunk {
            let Scored { forecast, skipped, actual, .. } = scored;
            let case = Case {
                unique_id: &forecast.unique_id,
                actual,
                point: &forecast.point[*skipped..],
                quantiles: forecast.quantiles.slice(ndarray::s![*skipped.., ..]),
                naive: &scored.naive[0],
                scale: scales[scored.index],
            };
            tally.add(&case);
            let nothing = Array2::zeros((actual.len(), 0));
            for (tally, point) in naive.iter_mut().zip(&scored.naive) {
                tally.add(&Case { point, quantiles: nothing.view(), ..case });
            }
            *models.entry(forecast.model_id.clone()).or_insert(0) += 1;
            fallbacks += usize::from(forecast.status == Status::Fallback);
            unreached += scored.unreached;
        }
        let windows: Vec<Window<'_>> =
            chunk.iter().map(window).filter(|window| !window.times.is_empty()).collect();
        keep(&windows)?;
    }
    let scored = |(tally, &season): (&Tally, &usize)| NaiveScores {
        season,
        scores: tally.scores(),
        by_series: tally.by_series(),
    };
    Ok(Evaluation {
        scores: tally.scores(),
        by_series: tally.by_series(),
        naive: naive.iter().zip(seasons).map(scored).collect(),
        models,
        fallbacks,
        unreached,
        predict_seconds: seconds,
    })
}

/// Everything about one origin, ascending by series.
fn forecast(task: &Task, forecaster: &Forecaster, seasons: &[usize], origin: usize) -> Vec<Scored> {
    let known = task.known_at(origin);
    let forecasts = forecaster.predict(&known);
    // Both are ascending by id, and no series is forecast that is not known.
    let mut known = known.series.iter();
    let scored = |forecast: SeriesForecast| {
        let series = known.find(|series| series.unique_id == forecast.unique_id)?;
        let index = task.panel.series.binary_search_by(|one| one.unique_id.cmp(&forecast.unique_id)).ok()?;
        let skipped = (task.steps_to(index, origin) - series.values.len()).min(task.horizon);
        let mut actual = task.actual(index, origin);
        let left = actual.split_off(task.horizon - skipped);
        let naive = |&season: &usize| {
            let mut point = seasonal_naive_point(&series.values, season, task.horizon);
            point.drain(..skipped);
            point
        };
        Some(Scored {
            index,
            origin: skipped.checked_sub(1).map_or(forecast.cutoff, |last| forecast.times[last]),
            skipped,
            actual,
            naive: seasons.iter().map(naive).collect(),
            unreached: left.iter().filter(|y| !y.is_nan()).count(),
            forecast,
        })
    };
    forecasts.series.into_iter().filter_map(scored).collect()
}

fn window(scored: &Scored) -> Window<'_> {
    let Scored { forecast, skipped, .. } = scored;
    Window {
        series_id: &forecast.unique_id,
        origin: scored.origin,
        times: &forecast.times[*skipped..],
        point: &forecast.point[*skipped..],
        quantiles: forecast.quantiles.slice(ndarray::s![*skipped.., ..]),
    }
}
