//! A trained forecaster of a panel: fit, predict, save.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Instant;

use ndarray::Array2;
use rayon::prelude::*;

use crate::model::artifact;
use crate::model::baseline;
use crate::model::checkpoint::{self, Journal};
use crate::model::classical;
use crate::model::control::{Conditions, Stopped};
use crate::model::ensemble::Ensemble;
use crate::model::fit;
use crate::model::group::{Group, Served};
use crate::model::report::FitReport;
use crate::model::spec::{ModelKind, ModelSpec};
use crate::model::stored;
use crate::model::work::{Space, WorkSeries};
use crate::series::{Forecasts, Frequency, Panel, Series, SeriesForecast, Status};

pub use crate::model::artifact::LoadError;
pub use crate::model::control::Control;

/// Why no forecaster could be trained.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// Nothing to learn from.
    #[error("the panel holds no series; every series was left out or the input is empty")]
    EmptyPanel,
    /// It was told to stop.
    #[error("training was stopped; it goes on from its checkpoint when it is started again")]
    Stopped,
}

impl From<Stopped> for ModelError {
    fn from(_: Stopped) -> ModelError {
        ModelError::Stopped
    }
}

/// A trained forecaster: one group per frequency of the panel it was trained on.
#[derive(Clone)]
pub struct Forecaster {
    spec: ModelSpec,
    groups: Vec<Group>,
}

/// What training gave.
pub struct Fitted {
    /// Ready to predict.
    pub forecaster: Forecaster,
    /// How each group of series (one frequency each) was trained.
    pub reports: Vec<FitReport>,
}

/// Point forecast (T), quantiles (T, Q) and status of a series that its model could forecast.
type Own = (Vec<f64>, Array2<f64>, Status);

/// Inputs missing beyond this share make a forecast degraded.
const MISSING_SHARE_MAX: f64 = 0.5;

impl Forecaster {
    /// Trains on a panel.
    ///
    /// With a folder for checkpoints, a fit that was stopped or killed goes on where it was, provided that data,
    /// settings and code are the same; without a deadline it ends with the same weights as if nothing had happened.
    ///
    /// # Errors
    /// If the panel is empty, or the fit is told to stop.
    pub fn fit(panel: &Panel, spec: &ModelSpec, control: &Control) -> Result<Fitted, ModelError> {
        let by_frequency = by_frequency(panel);
        if by_frequency.is_empty() {
            return Err(ModelError::EmptyPanel);
        }
        let journal = control.checkpoints.map(|folder| Journal::open(folder, checkpoint::key(panel, spec)));
        let journal = RefCell::new(journal.unwrap_or_default());
        let used = journal.borrow().used();
        let deadline = control.deadline.map(|end| end.checked_sub(used).unwrap_or_else(Instant::now));
        let (mut groups, mut reports) = (Vec::new(), Vec::new());
        let count = by_frequency.len() as u32;
        for (index, (frequency, series)) in by_frequency.into_iter().enumerate() {
            // The groups yet to come share what is left of the budget.
            let deadline = deadline.map(|end| {
                let now = Instant::now();
                now + end.saturating_duration_since(now) / (count - index as u32)
            });
            let (watch, stop, journal) = (control.watch, control.stop, &journal);
            let conditions = Conditions { deadline, watch, stop, journal };
            conditions.go_on()?;
            let (group, report) = fit::fit(&series, frequency, spec, &conditions)?;
            groups.push(group);
            reports.push(report);
        }
        journal.into_inner().close();
        Ok(Fitted { forecaster: Forecaster { spec: spec.clone(), groups }, reports })
    }

    /// The forecaster that [`Forecaster::to_bytes`] wrote: it forecasts the same to the last bit. Bytes of any origin
    /// are safe; see [`LoadError`] for what is refused. Declared season and budget of the settings are not kept.
    ///
    /// # Errors
    /// If the bytes are damaged, of another format or no forecaster.
    pub fn from_bytes(bytes: &[u8]) -> Result<Forecaster, LoadError> {
        let (spec, groups) = stored::read(bytes)?;
        Ok(Forecaster { spec, groups })
    }

    /// The settings it was trained with.
    pub fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    /// Forecasts every series of the panel from its own end.
    ///
    /// Bounds of the settings hold for every value. A series that the model cannot forecast (too short, or of a
    /// frequency it was not trained on) gets seasonal naive, and its status says so. So does one that the panel marks
    /// as looking wrong.
    pub fn predict(&self, panel: &Panel) -> Forecasts {
        let mut all = Vec::with_capacity(panel.series.len());
        for (frequency, series) in by_frequency(panel) {
            let group = self.groups.iter().find(|group| group.frequency == frequency);
            all.extend(self.predict_group(group, frequency, &series, panel));
        }
        all.sort_by(|a, b| a.unique_id.cmp(&b.unique_id));
        Forecasts { quantile_levels: self.spec.quantile_levels().to_vec(), series: all }
    }

    fn predict_group(
        &self,
        group: Option<&Group>,
        frequency: Frequency,
        series: &[&Series],
        panel: &Panel,
    ) -> Vec<SeriesForecast> {
        let season = group.map_or(1, |group| group.season);
        let is_asked_for = matches!(self.spec.kind(), ModelKind::Naive | ModelKind::SeasonalNaive);
        let (own, naive_status) = match group.map(|group| &group.served) {
            Some(Served::Ensemble(ensemble)) => {
                (Some(learnt_forecasts(ensemble, series, season)), Status::Fallback)
            }
            Some(Served::Local { kind }) => {
                let seasons = classical::seasons(*kind, season, frequency);
                (Some(self.local_forecasts(*kind, series, &seasons)), Status::Fallback)
            }
            Some(Served::SeasonalNaive { is_fallback: false }) => (None, Status::Ok),
            _ => (None, if is_asked_for { Status::Ok } else { Status::Fallback }),
        };
        let end = series.iter().filter_map(|series| series.cutoff()).max();
        let mut forecasts = Vec::with_capacity(series.len());
        for (index, series) in series.iter().enumerate() {
            let Some(cutoff) = series.cutoff() else { continue };
            let mark = panel.marks.get(&series.unique_id);
            let is_suspect = mark == Some(&Status::Fallback);
            let own = own.as_ref().and_then(|own| own[index].clone()).filter(|_| !is_suspect);
            let (point, quantiles, status, model_id) = match own {
                Some((point, quantiles, status)) => {
                    (point, quantiles, status, group.map_or("ridge", |group| group.model_id))
                }
                None => {
                    let (horizon, levels) = (self.spec.horizon(), self.spec.quantile_levels());
                    let quantiles = baseline::seasonal_naive(&series.values, season, horizon, levels);
                    let status = if is_suspect { Status::Fallback } else { naive_status };
                    let is_seasonal = (2..=series.values.len()).contains(&season);
                    let model_id = if is_seasonal { "seasonal_naive" } else { "naive" };
                    (quantiles.column(self.spec.median()).to_vec(), quantiles, status, model_id)
                }
            };
            let times = frequency.after(cutoff, self.spec.horizon(), &panel.zone);
            let is_stale = mark == Some(&Status::Stale) || times.last().copied() <= end;
            let status = if is_stale && status == Status::Ok { Status::Stale } else { status };
            let bounds = self.spec.bounds();
            forecasts.push(SeriesForecast {
                unique_id: series.unique_id.clone(),
                keys: series.keys.clone(),
                cutoff,
                times,
                point: point.into_iter().map(|value| bounds.apply(value)).collect(),
                quantiles: quantiles.mapv_into(|value| bounds.apply(value)),
                status,
                model_id: model_id.to_owned(),
            });
        }
        forecasts
    }

    /// Forecasts of every series by a model of its own, in order.
    fn local_forecasts(&self, kind: ModelKind, series: &[&Series], seasons: &[usize]) -> Vec<Option<Own>> {
        let (horizon, levels) = (self.spec.horizon(), self.spec.quantile_levels());
        let forecast = |series: &&Series| {
            let quantiles = classical::forecast(kind, &series.values, seasons, horizon, levels)?;
            let missing = 1.0 - series.observed() as f64 / series.values.len() as f64;
            let status = if missing > MISSING_SHARE_MAX { Status::Degraded } else { Status::Ok };
            Some((quantiles.column(self.spec.median()).to_vec(), quantiles, status))
        };
        series.par_iter().map(forecast).collect()
    }

    /// SHA-256 of the saved form, lower-case hex.
    pub fn weights_sha256(&self) -> String {
        artifact::sha256(&self.to_bytes())
    }

    /// All weights as safetensors.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut weights = Vec::new();
        for group in &self.groups {
            if let Served::Ensemble(ensemble) = &group.served {
                ensemble.weights(&format!("{}.", group.frequency), &mut weights);
            }
        }
        artifact::to_bytes(&weights, &stored::describe(&self.spec, &self.groups))
            .expect("names are unique and shapes fit their values")
    }
}

/// Series of one frequency each, in a fixed order.
fn by_frequency(panel: &Panel) -> Vec<(Frequency, Vec<&Series>)> {
    let mut groups: BTreeMap<String, (Frequency, Vec<&Series>)> = BTreeMap::new();
    for series in &panel.series {
        let entry =
            groups.entry(series.frequency.to_string()).or_insert_with(|| (series.frequency, Vec::new()));
        entry.1.push(series);
    }
    groups.into_values().collect()
}

/// Point forecast (T), quantiles (T, Q) and status of every series that the ensemble can forecast: long enough, positive if it works on
/// logarithms, and with a finite result.
fn learnt_forecasts(ensemble: &Ensemble, series: &[&Series], season: usize) -> Vec<Option<Own>> {
    let can = |series: &Series| {
        let is_positive = || series.values.iter().all(|y| y.is_nan() || *y > 0.0);
        series.values.len() >= ensemble.history_min() && (ensemble.space != Space::Log || is_positive())
    };
    let work: Vec<Option<WorkSeries>> = series
        .iter()
        .map(|series| (series, series.values.len()))
        .map(|(series, len)| can(series).then(|| WorkSeries::new(series, len, len, ensemble.space, season)))
        .collect();
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
