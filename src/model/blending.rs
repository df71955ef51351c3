//! What `auto` would serve against models of each series alone, on every series: the story of an ensemble, straight down.
//!
//! ```text
//! Outcome of auto ─▶ trials: every part at a few origins per series ─▶ pooling: weights ─▶ conformal ─▶ Outcome
//! ```
//!
//! The base forecasts the trial origins as it was before it was trained on everything. It was chosen and its networks were
//! stopped on them, so it looks better there than it is; the models of each series alone are fitted at every origin and have
//! seen nothing after it. Only the tail is as new to the one as to the others: it decides as much as all other origins of a
//! panel, once the score is taken. The score is thus of what would have been chosen without the tail, which may be the base
//! alone; what serves has seen it.

use std::collections::BTreeMap;

use ndarray::{Array2, Array3, Axis};
use rayon::prelude::*;

use crate::model::blend::{Blend, LOCALS};
use crate::model::conformal::{Conformal, Evidence, Sides};
use crate::model::control::{Conditions, Stopped};
use crate::model::exam;
use crate::model::fit::Outcome;
use crate::model::group::{Group, Served};
use crate::model::holdout;
use crate::model::known;
use crate::model::plan::Rolling;
use crate::model::pooling::{self, Pooled, Window};
use crate::model::predict;
use crate::model::report::{FitReport, Progress, Unit};
use crate::model::spec::{ModelKind, ModelSpec, Point};
use crate::model::validation::{long_enough, sample};
use crate::series::{Series, Status};

/// Origins of a series before the tail that weights are learnt on, at most.
pub(super) const ORIGINS: usize = 6;

/// Steps that models of each series alone are fitted to in all trials, about 50 µs each; what is beyond costs origins, then
/// series.
const STEPS_MAX: usize = 6_000_000;

/// Fewest origins that series are left out for.
const ORIGINS_MIN: usize = 3;

/// Series that are tried at once.
const CHUNK: usize = 128;

/// What is averaged, of which group.
pub struct Task<'a> {
    /// The group.
    pub series: &'a [&'a Series],
    /// What a person chose.
    pub spec: &'a ModelSpec,
    /// When to end.
    pub conditions: &'a Conditions<'a>,
    /// Season length, 1 for none.
    pub season: usize,
    /// Origins that the base was judged at.
    pub rolling: Rolling,
    /// Origins of the tail.
    pub tail_origins: usize,
    /// Steps that a series needs before an origin.
    pub history: usize,
    /// Whether many series teach one model.
    pub is_panel: bool,
}

/// One origin of one series and what every part made of it.
struct Trial {
    series: usize,
    window: Window,
    /// Quantiles (T, Q) of every part, where intervals are to be learnt from it.
    quantiles: Vec<Array2<f64>>,
}

/// What `auto` would serve, averaged with models of each series alone where that pays; as it is, with the reason, where not.
///
/// # Errors
/// If the fit is to stop.
pub fn blend(task: &Task, outcome: Outcome) -> Result<Outcome, Stopped> {
    let is_fallback = matches!(outcome.unseen.served, Served::SeasonalNaive { is_fallback: true });
    if task.rolling.origins == 0 || is_fallback {
        return Ok(kept(outcome, "too short to weigh models of each series alone"));
    }
    if matches!(outcome.unseen.served, Served::Counts(_)) {
        return Ok(kept(outcome, "counts serve as they are: averages of them are no whole numbers"));
    }
    let is_naive = matches!(outcome.unseen.served, Served::SeasonalNaive { .. });
    let locals = LOCALS.into_iter().filter(|kind| !is_naive || *kind != ModelKind::SeasonalNaive).collect();
    let plain = Blend::unweighted(outcome.unseen.clone(), locals);
    let horizon = task.spec.horizon();
    let backs = task.backs();
    let tail: Vec<usize> = (1..=task.tail_origins).map(|origin| origin * horizon).collect();
    let (backs, series) = task.affordable(backs, &tail);
    let origins = backs.len();
    let all: Vec<usize> = backs.into_iter().chain(tail).collect();
    let Some(trials) = task.trials(&plain, &all, &series)? else {
        let outcome = kept(outcome, "the budget ended before models of each series alone were weighed");
        let report = FitReport { budget_exhausted: true, ..outcome.report };
        return Ok(Outcome { report, ..outcome });
    };
    (task.conditions.watch)(Progress::begun("learning weights"));
    let before_tail = |trial: &&Trial| trial.window.fold < origins;
    let levels = task.spec.quantile_levels();
    let outcome = match pooling::learn(&by_series(task, trials.iter().filter(before_tail))) {
        None => outcome,
        Some(judged) => {
            let unseen = plain.weighted(task, &judged);
            let evidence = task.evidence(&unseen, trials.iter().filter(before_tail));
            let unseen = task.group(unseen.calibrated(&evidence, levels).0);
            let covariates = task.conditions.covariates;
            let (count, history) = (task.tail_origins.max(1), task.history);
            let holdout = holdout::score(
                task.spec,
                &unseen,
                task.series,
                covariates,
                (count, history),
                task.conditions.watch,
            );
            Outcome { unseen, report: FitReport { holdout, ..outcome.report }, ..outcome }
        }
    };
    let Some(pooled) = pooling::learn(&by_series(task, trials.iter())) else {
        return Ok(kept(outcome, "averages with models of each series alone did not improve on the base"));
    };
    let served = Blend { base: outcome.served.clone(), ..plain }.weighted(task, &pooled);
    let evidence = task.evidence(&served, trials.iter().filter(before_tail));
    let evidence = evidence.with_tail(task.evidence(&served, trials.iter().filter(|one| !before_tail(one))));
    let (served, interval_scores) = served.calibrated(&evidence, levels);
    task.conditions.go_on()?;

    let weights = served.mean_weights(task.series.iter().map(|series| series.unique_id.as_str()));
    let served = task.group(served);
    let mut notes = outcome.report.notes.clone();
    notes.push(note(&pooled, all.len(), series.len(), task.series.len()));
    let report = FitReport { model_id: served.model_id, weights, interval_scores, notes, ..outcome.report };
    Ok(Outcome { served, report, ..outcome })
}

/// The base alone, and why.
fn kept(outcome: Outcome, why: &str) -> Outcome {
    let mut notes = outcome.report.notes.clone();
    notes.push(why.to_owned());
    Outcome { report: FitReport { notes, ..outcome.report }, ..outcome }
}

fn note(pooled: &Pooled, origins: usize, tried: usize, all: usize) -> String {
    let own = match pooled.pool {
        pool if pool.is_finite() => {
            format!("weights of each series, the group counting as {pool} of its origins")
        }
        _ => "the same weights for all series".to_owned(),
    };
    let better = 100.0 * (1.0 - pooled.error);
    let some = if tried < all { format!(" of {tried} series") } else { String::new() };
    format!(
        "{own}, from {origins} origins{some}: {better:.1} % better there than without models of each series alone"
    )
}

impl Task<'_> {
    /// Steps from trial origins to the end of a series, the latest first: of those that the base was judged at, evenly spaced
    /// ones.
    fn backs(&self) -> Vec<usize> {
        let (Rolling { origins, stride }, horizon) = (self.rolling, self.spec.horizon());
        let (count, tail) = (origins.min(ORIGINS), self.tail_origins * horizon);
        let fold = |place: usize| place * (origins - 1) / (count - 1).max(1);
        (0..count).map(|place| tail + horizon + fold(place) * stride).collect()
    }

    /// As many of these origins as can be afforded, and the series that are tried.
    fn affordable(&self, mut backs: Vec<usize>, tail: &[usize]) -> (Vec<usize>, Vec<usize>) {
        let steps = |series: &&&Series| series.values.len().min(2_000);
        let once: usize = self.series.iter().map(|series| steps(&series)).sum();
        let most = (STEPS_MAX / once.max(1)).saturating_sub(tail.len());
        backs.truncate(most.max(ORIGINS_MIN));
        let total = once * (backs.len() + tail.len());
        let stride = total.div_ceil(STEPS_MAX).max(1);
        (backs, (0..self.series.len()).step_by(stride).collect())
    }

    /// Every part's forecasts at these distances from the end of the series; `None` where time ended before.
    fn trials(&self, blend: &Blend, backs: &[usize], tried: &[usize]) -> Result<Option<Vec<Trial>>, Stopped> {
        let for_intervals = sample(tried.to_vec());
        // The tail, which the base was not chosen on, counts as much as all else.
        let origins = backs.len() - self.tail_origins;
        let times = if self.is_panel { (origins / self.tail_origins.max(1)).max(1) } else { 1 };
        let group = self.group(blend.clone());
        let jobs: Vec<(usize, usize, &[usize])> = backs
            .iter()
            .enumerate()
            .flat_map(|(fold, &back)| tried.chunks(CHUNK).map(move |chunk| (fold, back, chunk)))
            .collect();
        let mut all = Vec::new();
        for (done, &(fold, back, chunk)) in jobs.iter().enumerate() {
            self.conditions.go_on()?;
            if self.conditions.is_over() {
                return Ok(None);
            }
            (self.conditions.watch)(Progress::of("weighing models", done, jobs.len(), Unit::Parts));
            let chosen: Vec<usize> = long_enough(self.series, back + self.history)
                .into_iter()
                .filter(|index| chunk.binary_search(index).is_ok())
                .collect();
            let cut: Vec<Series> = chosen
                .iter()
                .map(|&index| self.series[index].cut(0, self.series[index].values.len() - back))
                .collect();
            let cut: Vec<&Series> = cut.iter().collect();
            let marks = BTreeMap::new();
            let seen = predict::seen(self.spec, Some(&group), &cut, &marks, self.conditions.covariates);
            let bases = predict::of_seen(self.spec, Some(&blend.base), &seen, &|| {});
            let (spec, season, series) = (self.spec, self.season, self.series);
            let trial = |((&index, seen), base): ((&usize, &predict::Seen<'_>), Option<predict::Made>)| {
                let base = base.filter(|base| base.status != Status::Fallback)?;
                let (mut points, mut quantiles) = (vec![base.point], vec![base.quantiles]);
                for &kind in &blend.locals {
                    let part = blend.local(spec, kind, seen);
                    // What can make nothing of a series is as bad as the base there: it then leaves its weight to it.
                    points.push(part.as_ref().map_or_else(|| points[0].clone(), |part| part.point.clone()));
                    quantiles.push(part.map_or_else(|| quantiles[0].clone(), |part| part.quantiles));
                }
                let origin = seen.values.len();
                let window = Window {
                    fold,
                    actual: series[index].values[origin..origin + spec.horizon()].to_vec(),
                    points,
                    scale: exam::scale(seen.values, season),
                    is_squared: spec.point() == Point::Mean,
                    times: if fold < origins { 1 } else { times },
                };
                let is_kept = for_intervals.binary_search(&index).is_ok();
                Some(Trial { series: index, window, quantiles: if is_kept { quantiles } else { Vec::new() } })
            };
            let trials: Vec<Option<Trial>> = chosen.par_iter().zip(&seen).zip(bases).map(trial).collect();
            all.extend(trials.into_iter().flatten());
        }
        Ok(Some(all))
    }

    /// Averaged forecasts of trials, in units of the error scale of each series, and what came.
    fn evidence<'a>(&self, blend: &Blend, trials: impl Iterator<Item = &'a Trial>) -> Evidence {
        let trials: Vec<&Trial> = trials.filter(|trial| !trial.quantiles.is_empty()).collect();
        let (horizon, levels) = (self.spec.horizon(), self.spec.quantile_levels().len());
        let mut forecasts = Array3::zeros((trials.len(), horizon, levels));
        let mut actual = Array2::zeros((trials.len(), horizon));
        for (row, trial) in trials.iter().enumerate() {
            let weights = blend.weights_of(&self.series[trial.series].unique_id);
            let scale = trial.window.scale;
            let mut to = forecasts.index_axis_mut(Axis(0), row);
            for (weight, part) in weights.iter().zip(&trial.quantiles).filter(|(weight, _)| **weight > 0.0) {
                to.scaled_add(weight / scale, part);
            }
            actual.row_mut(row).iter_mut().zip(&trial.window.actual).for_each(|(to, y)| *to = y / scale);
        }
        let sides = if self.is_panel { Sides::Apart } else { Sides::Outwards };
        Evidence { forecasts, actual, sides }
    }

    fn group(&self, blend: Blend) -> Group {
        let Group { frequency, season, encoding, .. } = blend.base.clone();
        Group { frequency, season, encoding, served: Served::Blend(Box::new(blend)), model_id: "ensemble" }
    }
}

/// Windows of every series of the group, those that were not tried without any.
fn by_series<'a>(task: &Task, trials: impl Iterator<Item = &'a Trial>) -> Vec<Vec<Window>> {
    let mut all: Vec<Vec<Window>> = (0..task.series.len()).map(|_| Vec::new()).collect();
    trials.for_each(|trial| all[trial.series].push(trial.window.clone()));
    all
}

impl Blend {
    /// All weight on the base.
    fn unweighted(base: Group, locals: Vec<ModelKind>) -> Blend {
        let mut shared = vec![0.0; 1 + locals.len()];
        shared[0] = 1.0;
        Blend { base, locals, shared, own: BTreeMap::new(), conformal: None }
    }

    /// With the weights that were learnt; those that are the group's are not kept one by one.
    fn weighted(&self, task: &Task, pooled: &Pooled) -> Blend {
        let own = task.series.iter().zip(&pooled.own).filter(|(_, own)| **own != pooled.shared);
        let own = own.map(|(series, own)| (known::hash(&series.unique_id), own.clone())).collect();
        Blend { shared: pooled.shared.clone(), own, ..self.clone() }
    }

    /// With corrections of its quantiles, and the number of scores behind each.
    fn calibrated(self, evidence: &Evidence, levels: &[f64]) -> (Blend, usize) {
        match Conformal::fit(evidence, levels) {
            Some((conformal, scores)) => (Blend { conformal: Some(conformal), ..self }, scores),
            None => (self, 0),
        }
    }
}
