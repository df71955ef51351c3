//! Forecasts of one group's series by whatever serves it, and by seasonal naive where that has none.
//!
//! Publication, the score of the tail and whoever compares forecasters all come through here.

use std::collections::BTreeMap;

use ndarray::Array2;
use rayon::prelude::*;

use crate::model::baseline;
use crate::model::classical;
use crate::model::ensemble::Ensemble;
use crate::model::group::{Group, Served};
use crate::model::spec::{Bounds, ModelKind, ModelSpec};
use crate::model::work::{Space, WorkSeries};
use crate::series::{Series, Status};

/// The forecast of one series.
#[derive(Clone)]
pub struct Made {
    /// Point forecast (T).
    pub point: Vec<f64>,
    /// Quantiles (T, Q), never decreasing along Q.
    pub quantiles: Array2<f64>,
    /// How it came about.
    pub status: Status,
    /// Published name of what made it.
    pub model_id: &'static str,
}

impl Made {
    /// The same inside the bounds.
    pub fn bounded(self, bounds: Bounds) -> Made {
        Made {
            point: self.point.into_iter().map(|value| bounds.apply(value)).collect(),
            quantiles: self.quantiles.mapv_into(|value| bounds.apply(value)),
            ..self
        }
    }
}

/// Point forecast (T), quantiles (T, Q) and status of a series that its model could forecast.
type Own = (Vec<f64>, Array2<f64>, Status);

/// Inputs missing beyond this share make a forecast degraded.
const MISSING_SHARE_MAX: f64 = 0.5;

/// Forecasts of series of one frequency from their own ends, in order, before bounds are applied.
///
/// Without a group, and where the group's model cannot forecast a series or `marks` say `Fallback` of it, seasonal naive
/// stands in and the status says so.
pub fn forecasts(
    spec: &ModelSpec,
    group: Option<&Group>,
    series: &[&Series],
    marks: &BTreeMap<String, Status>,
) -> Vec<Made> {
    let season = group.map_or(1, |group| group.season);
    let is_asked_for = matches!(spec.kind(), ModelKind::Naive | ModelKind::SeasonalNaive);
    let naive_status = match group.map(|group| &group.served) {
        Some(Served::SeasonalNaive { is_fallback: false }) => Status::Ok,
        None | Some(Served::SeasonalNaive { .. }) if is_asked_for => Status::Ok,
        _ => Status::Fallback,
    };
    let own = group.and_then(|group| own(spec, group, series)).unwrap_or_else(|| vec![None; series.len()]);
    let one = |(series, own): (&&Series, Option<Own>)| {
        let is_suspect = marks.get(&series.unique_id) == Some(&Status::Fallback);
        match (own.filter(|_| !is_suspect), group) {
            (Some((point, quantiles, status)), Some(group)) => {
                Made { point, quantiles, status, model_id: group.model_id }
            }
            _ => {
                let status = if is_suspect { Status::Fallback } else { naive_status };
                naive(spec, series, season, status)
            }
        }
    };
    series.iter().zip(own).map(one).collect()
}

fn naive(spec: &ModelSpec, series: &Series, season: usize, status: Status) -> Made {
    let quantiles = baseline::seasonal_naive(&series.values, season, spec.horizon(), spec.quantile_levels());
    let is_seasonal = (2..=series.values.len()).contains(&season);
    let model_id = if is_seasonal { "seasonal_naive" } else { "naive" };
    Made { point: quantiles.column(spec.median()).to_vec(), quantiles, status, model_id }
}

/// What the group's model makes of every series; `None` where it is seasonal naive.
fn own(spec: &ModelSpec, group: &Group, series: &[&Series]) -> Option<Vec<Option<Own>>> {
    match &group.served {
        Served::Ensemble(ensemble) => Some(learnt(ensemble, series, group.season)),
        Served::Local { kind } => {
            let seasons = classical::seasons(*kind, group.season, group.frequency);
            Some(local(spec, *kind, series, &seasons))
        }
        Served::SeasonalNaive { .. } => None,
    }
}

/// Forecasts of every series by a model of its own, in order.
fn local(spec: &ModelSpec, kind: ModelKind, series: &[&Series], seasons: &[usize]) -> Vec<Option<Own>> {
    let (horizon, levels) = (spec.horizon(), spec.quantile_levels());
    let forecast = |series: &&Series| {
        let quantiles = classical::forecast(kind, &series.values, seasons, horizon, levels)?;
        let missing = 1.0 - series.observed() as f64 / series.values.len() as f64;
        let status = if missing > MISSING_SHARE_MAX { Status::Degraded } else { Status::Ok };
        Some((quantiles.column(spec.median()).to_vec(), quantiles, status))
    };
    series.par_iter().map(forecast).collect()
}

/// Forecasts of every series that the ensemble can forecast: long enough, positive if it works on logarithms, and with a
/// finite result.
fn learnt(ensemble: &Ensemble, series: &[&Series], season: usize) -> Vec<Option<Own>> {
    let work: Vec<Option<WorkSeries>> =
        series.iter().map(|series| in_work_space(ensemble, series, season)).collect();
    let able: Vec<&WorkSeries> = work.iter().flatten().collect();
    let origins: Vec<usize> = able.iter().map(|work| work.steps()).collect();
    if able.is_empty() {
        return vec![None; series.len()];
    }
    let predicted = ensemble.forecast(&able, &origins);
    let mut rows = predicted.point.outer_iter().zip(predicted.quantiles.outer_iter());
    let mut forecast = |work: &WorkSeries| {
        let (point, quantiles) = rows.next()?;
        if !quantiles.iter().chain(&point).all(|value| value.is_finite()) {
            return None;
        }
        let missing = work.missing_share(work.steps(), ensemble.lookback_max());
        let status = if missing > MISSING_SHARE_MAX { Status::Degraded } else { Status::Ok };
        Some((point.to_vec(), quantiles.to_owned(), status))
    };
    work.iter().map(|work| work.as_ref().and_then(&mut forecast)).collect()
}

/// A series as the ensemble sees it; `None` where it cannot.
pub fn in_work_space(ensemble: &Ensemble, series: &Series, season: usize) -> Option<WorkSeries> {
    let len = series.values.len();
    let is_positive = || series.values.iter().all(|y| y.is_nan() || *y > 0.0);
    let can = len >= ensemble.history_min() && (ensemble.space != Space::Log || is_positive());
    can.then(|| WorkSeries::new(series, len, len, ensemble.space, season))
}
