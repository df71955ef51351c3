//! Forecasts of one group's series by whatever serves it, and by seasonal naive where that has none.
//!
//! Publication, the score of the tail and whoever compares forecasters all come through here.

use std::collections::BTreeMap;
use std::sync::Arc;

use ndarray::Array2;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::model::baseline;
use crate::model::classical;
use crate::model::counts::{self, CountHead};
use crate::model::ensemble::Ensemble;
use crate::model::features::Features;
use crate::model::group::{Group, Served};
use crate::model::intermittent;
use crate::model::past::{self, Past, Sums};
use crate::model::spec::{Bounds, ModelKind, ModelSpec, Point};
use crate::model::work::{Space, WorkSeries};
use crate::series::forecast::within;
use crate::series::{Covariate, Series, Status};

/// The forecast of one series.
#[derive(Clone)]
pub struct Made {
    /// Point forecast (T).
    pub point: Vec<f64>,
    /// Quantiles (T, Q), never decreasing along Q.
    pub quantiles: Array2<f64>,
    /// How far they may lie from the median.
    pub reach: f64,
    /// How it came about.
    pub status: Status,
    /// Published name of what made it.
    pub model_id: &'static str,
    /// Models that it is an average of, with their weights, which add up to 1; the heaviest first.
    pub weights: Vec<(&'static str, f64)>,
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
pub(super) type Own = (Vec<f64>, Array2<f64>, Status);

/// Inputs missing beyond this share make a forecast degraded.
const MISSING_SHARE_MAX: f64 = 0.5;

/// A series, or what is kept of one, as far as its forecast needs it.
pub struct Seen<'a> {
    /// Whose they are.
    pub unique_id: &'a str,
    /// Its sums, and its end as far as [`Reading`] asks for it.
    pub past: Past<'a>,
    /// All of its values that are at hand.
    pub values: &'a [f64],
    /// Filled values before those, a season of them or all.
    pub before: &'a [f64],
    /// Whether the data says that it looks wrong.
    pub is_suspect: bool,
    /// The series itself, where its raw observations are at hand.
    pub observed: Option<&'a Series>,
    /// Encoded covariates, aligned with the tail of the past.
    pub features: Arc<Features>,
}

impl Seen<'_> {
    /// Whether as much is at hand as if everything were.
    fn holds(&self, reach: usize) -> bool {
        self.values.len() == self.past.sums.steps || self.values.len() >= reach
    }
}

/// How the forecasts of a group look at a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// In which space sums are kept.
    pub space: Space,
    /// Season length, 1 for none.
    pub season: usize,
    /// Last steps that the group's own forecasts depend on, at least a season.
    pub reach: usize,
}

impl Reading {
    /// Of a group; without one, of seasonal naive.
    pub fn of(spec: &ModelSpec, group: Option<&Group>) -> Reading {
        let season = group.map_or(1, |group| group.season);
        let (space, reach) = match group.map(|group| &group.served) {
            Some(Served::Ensemble(ensemble)) => (ensemble.space, ensemble.reach()),
            Some(Served::Local { kind }) => (Space::Scaled, classical::reach(*kind)),
            Some(Served::Counts(_)) => (Space::Scaled, counts::rates::reach(season)),
            Some(Served::Blend(blend)) => {
                let base = Reading::of(spec, Some(&blend.base));
                (base.space, base.reach.max(blend.reach()))
            }
            Some(Served::SeasonalNaive { .. }) | None => {
                (Space::Scaled, baseline::reach(season, spec.horizon()))
            }
        };
        Reading { space, season, reach: reach.max(season) }
    }
}

/// Hears of every series that a model of its own was fitted to; others are forecast all at once.
pub type Told<'a> = dyn Fn() + Sync + 'a;

/// Forecasts of series of one frequency from their own ends, in order, before bounds are applied.
///
/// Without a group, and where the group's model cannot forecast a series or `marks` say `Fallback` of it, seasonal naive
/// stands in and the status says so.
pub fn forecasts(
    spec: &ModelSpec,
    group: Option<&Group>,
    series: &[&Series],
    marks: &BTreeMap<String, Status>,
    covariates: &[Covariate],
    told: &Told,
) -> Vec<Made> {
    let seen = seen(spec, group, series, marks, covariates);
    of_seen(spec, group, &seen, told).into_iter().map(|made| made.expect("every value is at hand")).collect()
}

/// What [`forecasts`] sees of the series.
pub fn seen<'a>(
    spec: &ModelSpec,
    group: Option<&Group>,
    series: &[&'a Series],
    marks: &BTreeMap<String, Status>,
    covariates: &[Covariate],
) -> Vec<Seen<'a>> {
    let Reading { space, season, reach } = Reading::of(spec, group);
    let encode = |group: &Group| group.encoding.apply(covariates, series, spec.horizon(), season);
    let features = group.map_or_else(|| vec![Arc::default(); series.len()], encode);
    let see = |(series, features): (&&'a Series, Arc<Features>)| {
        let past = Past::of(&series.values, space, season, reach);
        let features = Arc::new(features.after(series.values.len() - past.tail.len()));
        let is_suspect = marks.get(&series.unique_id) == Some(&Status::Fallback);
        Seen {
            unique_id: series.unique_id.as_str(),
            past,
            values: &series.values,
            before: &[],
            observed: Some(series),
            is_suspect,
            features,
        }
    };
    series.par_iter().zip(features).map(see).collect()
}

/// As [`forecasts`]; `None` where seasonal naive would have to stand in and needs values that are not at hand.
pub fn of_seen(spec: &ModelSpec, group: Option<&Group>, seen: &[Seen<'_>], told: &Told) -> Vec<Option<Made>> {
    if let Some(Served::Blend(blend)) = group.map(|group| &group.served) {
        return blend.forecasts(spec, seen, told);
    }
    let is_asked_for = matches!(spec.kind(), ModelKind::Naive | ModelKind::SeasonalNaive);
    let naive_status = match group.map(|group| &group.served) {
        Some(Served::SeasonalNaive { is_fallback: false }) => Status::Ok,
        None | Some(Served::SeasonalNaive { .. }) if is_asked_for => Status::Ok,
        _ => Status::Fallback,
    };
    let own = group.and_then(|group| own(spec, group, seen, told)).unwrap_or_else(|| vec![None; seen.len()]);
    let season = group.map_or(1, |group| group.season);
    let weights = group.map(Group::weights).unwrap_or_default();
    let one = |(seen, own): (&Seen<'_>, Option<Own>)| match (own.filter(|_| !seen.is_suspect), group) {
        (Some((point, quantiles, status)), Some(group)) => {
            let reach = reach(&seen.past.sums, spec.horizon());
            let quantiles = within_reach(quantiles, spec.median(), reach);
            let (model_id, weights) = (group.model_id, weights.clone());
            Some(Made { point, quantiles, reach, status, model_id, weights })
        }
        _ => {
            let status = if seen.is_suspect { Status::Fallback } else { naive_status };
            let can = seen.holds(baseline::reach(season, spec.horizon()));
            can.then(|| naive(spec, seen, season, status))
        }
    };
    seen.par_iter().zip(own).map(one).collect()
}

/// How far a quantile may lie from the median: as far as the series has ever ranged. Rare levels are corrected by the misses
/// of all series, on logarithms often: a series that wavers more than the others would be sent to the sky by them. A history
/// shorter than the horizon does not tell.
pub(super) fn reach(sums: &Sums, horizon: usize) -> f64 {
    let is_known = sums.observed() >= horizon.max(2) && sums.range() > 0.0;
    if is_known { sums.range() } else { f64::INFINITY }
}

/// Quantiles (T, Q) within that reach.
pub(super) fn within_reach(mut quantiles: Array2<f64>, median: usize, reach: f64) -> Array2<f64> {
    for mut row in quantiles.outer_iter_mut() {
        within(reach, median, row.as_slice_mut().expect("standard layout"));
    }
    quantiles
}

/// Seasonal naive.
pub(super) fn naive(spec: &ModelSpec, seen: &Seen<'_>, season: usize, status: Status) -> Made {
    let (horizon, levels) = (spec.horizon(), spec.quantile_levels());
    let filled = past::fill(seen.before, seen.values, season, seen.past.sums.first.unwrap_or(0.0));
    let quantiles = baseline::seasonal_naive_filled(seen.values, &filled, season, horizon, levels);
    let is_seasonal = (2..=seen.values.len()).contains(&season);
    let model_id = if is_seasonal { "seasonal_naive" } else { "naive" };
    Made {
        point: quantiles.column(spec.median()).to_vec(),
        quantiles,
        reach: f64::INFINITY,
        status,
        model_id,
        weights: vec![(model_id, 1.0)],
    }
}

/// What the group's model makes of every series; `None` where it is seasonal naive.
fn own(spec: &ModelSpec, group: &Group, seen: &[Seen<'_>], told: &Told) -> Option<Vec<Option<Own>>> {
    match &group.served {
        Served::Ensemble(ensemble) => Some(learnt(ensemble, seen, group.season)),
        Served::Local { kind } => {
            let seasons = classical::seasons(*kind, group.season, group.frequency);
            let one = |seen: &Seen<'_>| {
                let own = local(spec, *kind, seen, &seasons);
                told();
                own
            };
            Some(seen.par_iter().map(one).collect())
        }
        Served::Counts(head) => Some(counted(spec, head, seen, group.season)),
        Served::Blend(_) | Served::SeasonalNaive { .. } => None,
    }
}

/// The forecast of a series by a model of its own.
pub(super) fn local(spec: &ModelSpec, kind: ModelKind, seen: &Seen<'_>, seasons: &[usize]) -> Option<Own> {
    let (horizon, levels) = (spec.horizon(), spec.quantile_levels());
    let filled = seen.past.filled(seasons[0]);
    let is_mean = kind.is_intermittent() && spec.point() == Point::Mean;
    let rate = is_mean.then(|| intermittent::demand(kind, &filled).rate);
    let quantiles = classical::forecast(kind, filled, seasons, horizon, levels)?;
    let missing = 1.0 - seen.past.sums.observed() as f64 / seen.past.sums.steps as f64;
    let status = if missing > MISSING_SHARE_MAX { Status::Degraded } else { Status::Ok };
    let point = rate.map_or_else(|| quantiles.column(spec.median()).to_vec(), |rate| vec![rate; horizon]);
    Some((point, quantiles, status))
}

/// Forecasts of every series by the count head, in order.
fn counted(spec: &ModelSpec, head: &CountHead, seen: &[Seen<'_>], season: usize) -> Vec<Option<Own>> {
    let forecast = |seen: &Seen<'_>| {
        let tail = seen.past.tail;
        let counts::Forecast { mean, quantiles } =
            head.forecast(tail, &seen.features, season, spec.horizon())?;
        let end = &tail[tail.len().saturating_sub(counts::rates::reach(season))..];
        let missing = end.iter().filter(|y| y.is_nan()).count() as f64 / end.len() as f64;
        let status = if missing > MISSING_SHARE_MAX { Status::Degraded } else { Status::Ok };
        let point = match spec.point() {
            Point::Mean => mean,
            Point::Median => quantiles.column(spec.median()).to_vec(),
        };
        Some((point, quantiles, status))
    };
    seen.par_iter().map(forecast).collect()
}

/// Forecasts of every series that the ensemble can forecast: long enough, positive if it works on logarithms, and with a
/// finite result.
fn learnt(ensemble: &Ensemble, seen: &[Seen<'_>], season: usize) -> Vec<Option<Own>> {
    let work: Vec<Option<WorkSeries>> = seen
        .par_iter()
        .map(|seen| in_work_space(ensemble, &seen.past, seen.observed, &seen.features, season))
        .collect();
    let able: Vec<&WorkSeries> = work.iter().flatten().collect();
    let origins: Vec<usize> = able.iter().map(|work| work.steps()).collect();
    if able.is_empty() {
        return vec![None; seen.len()];
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
pub fn in_work_space(
    ensemble: &Ensemble,
    past: &Past<'_>,
    observed: Option<&Series>,
    features: &Arc<Features>,
    season: usize,
) -> Option<WorkSeries> {
    let can =
        past.sums.steps >= ensemble.history_min() && (ensemble.space != Space::Log || past.sums.is_positive);
    let work = || WorkSeries::of(past, past.tail, ensemble.space, season).with(features.clone());
    can.then(|| match observed.filter(|_| ensemble.events.is_some()) {
        Some(series) => work().observed(series, series.values.len() - past.tail.len(), ensemble.space),
        None => work(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn no_quantile_is_further_from_its_median_than_the_series_has_ranged() {
        let sums = |values: &[f64]| Sums::of(values, Space::Log, 1);
        let quantiles = array![[1.0, 30.0, 5.6e6], [25.0, 30.0, 36.0]];
        let within = |values: &[f64]| within_reach(quantiles.clone(), 1, reach(&sums(values), 4));
        assert_eq!(
            within(&[20.0, 30.0, f64::NAN, 25.0, 22.0]),
            array![[20.0, 30.0, 40.0], [25.0, 30.0, 36.0]]
        );
        assert_eq!(within(&[20.0, 30.0, f64::NAN, 25.0]), quantiles, "shorter than the horizon");
        assert_eq!(within(&[30.0; 9]), quantiles, "without a range");
    }
}
