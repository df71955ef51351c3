//! Several members averaged in work space, and the way back to the target's units.

use ndarray::{Array2, Array3, ArrayView2, Axis};
use rayon::prelude::*;

use crate::model::artifact::Weights;
use crate::model::blend;
use crate::model::conformal::{Conformal, Evidence, Sides};
use crate::model::events::EventMember;
use crate::model::exam::Terms;
use crate::model::member::Member;
use crate::model::smoothing;
use crate::model::spec::Point;
use crate::model::work::{Space, WorkSeries};

/// Weighted members that forecast as one.
#[derive(Clone)]
pub struct Ensemble {
    /// Work space of all members.
    pub space: Space,
    /// Members with their weights.
    pub members: Vec<(Member, f64)>,
    /// The member that reads observations at any times, with its weight.
    pub events: Option<(EventMember, f64)>,
    /// Weight of exponential smoothing, which all weights with it add up to 1.
    pub smoothing: f64,
    /// Horizon, season length and what the middle of the members' quantiles is.
    pub terms: Terms,
    /// Quantile levels (Q), ascending, the median among them.
    pub levels: Vec<f64>,
    /// Factor on every quantile's distance from the median; 1 but for models of the first format, which had no
    /// corrections.
    pub width: f64,
    /// Corrections of the quantiles, learned from forecasts of unseen values.
    pub conformal: Option<Conformal>,
}

/// Forecasts in units of the target.
pub struct Predicted {
    /// Point forecasts (series, T).
    pub point: Array2<f64>,
    /// Quantiles (series, T, Q), never decreasing along Q.
    pub quantiles: Array3<f64>,
}

impl Ensemble {
    /// Members and how often each counts, intervals as the members state them.
    pub fn counted(
        space: Space,
        members: Vec<(Member, usize)>,
        smoothing: usize,
        events: Option<(EventMember, usize)>,
        terms: Terms,
        levels: &[f64],
    ) -> Ensemble {
        let of_events = events.as_ref().map_or(0, |(_, times)| *times);
        let count = smoothing + of_events + members.iter().map(|(_, times)| times).sum::<usize>();
        let weight = |times: usize| times as f64 / count as f64;
        Ensemble {
            space,
            members: members.into_iter().map(|(member, times)| (member, weight(times))).collect(),
            events: events.map(|(member, times)| (member, weight(times))),
            smoothing: weight(smoothing),
            terms,
            levels: levels.to_vec(),
            width: 1.0,
            conformal: None,
        }
    }

    /// The same with weights that add up to 1; `None` if nothing is left.
    pub fn rescaled(mut self) -> Option<Ensemble> {
        let members = self.members.iter().map(|(_, weight)| weight).sum::<f64>();
        let sum = self.smoothing + members + self.events.as_ref().map_or(0.0, |(_, weight)| *weight);
        let is_whole = (sum - 1.0).abs() < 1e-9;
        if !is_whole {
            self.smoothing /= sum;
            let events = self.events.iter_mut().map(|(_, weight)| weight);
            self.members.iter_mut().map(|(_, weight)| weight).chain(events).for_each(|weight| *weight /= sum);
        }
        (sum > 0.0).then_some(self)
    }

    /// Mean of the members' forecasts in work space (series, T, Q), from one origin per series.
    pub fn work_forecast(&self, series: &[&WorkSeries], origins: &[usize]) -> Array3<f64> {
        let Terms { horizon, season, .. } = self.terms;
        let mut mean = Array3::zeros((series.len(), horizon, self.levels.len()));
        for (member, weight) in &self.members {
            mean += &member.forecast(series, origins).mapv(|value| f64::from(value) * weight);
        }
        if let Some((member, weight)) = &self.events {
            mean += &member.forecast(series, origins).mapv(|value| f64::from(value) * weight);
        }
        if self.smoothing > 0.0 {
            let one = |(series, &origin): (&&WorkSeries, &usize)| {
                smoothing::forecast(&series.filled[..origin], season, horizon, &self.levels)
            };
            let forecasts: Vec<Array2<f64>> = series.par_iter().zip(origins).map(one).collect();
            mean.outer_iter_mut()
                .zip(&forecasts)
                .for_each(|(mut to, from)| to.scaled_add(self.smoothing, from));
        }
        mean
    }

    /// Forecasts in units of the target, from one origin per series.
    pub fn forecast(&self, series: &[&WorkSeries], origins: &[usize]) -> Predicted {
        let mut quantiles = self.work_forecast(series, origins);
        let median = self.median();
        let point = self.points_in_units(quantiles.index_axis(Axis(2), median), series);
        for (mut sample, series) in quantiles.outer_iter_mut().zip(series) {
            for (step, mut row) in sample.outer_iter_mut().enumerate() {
                let row = row.as_slice_mut().expect("standard layout");
                ascend(row, median);
                let middle = row[median];
                row.iter_mut().for_each(|value| *value = middle + self.width * (*value - middle));
                if let Some(conformal) = &self.conformal {
                    conformal.apply(step, row, &self.levels, median, self.terms.point == Point::Median);
                }
                row.iter_mut().for_each(|value| *value = series.in_units(self.space, *value));
            }
        }
        Predicted { point, quantiles }
    }

    /// Point forecasts in units of the target (series, T).
    pub fn point(&self, series: &[&WorkSeries], origins: &[usize]) -> Array2<f64> {
        let work = self.work_forecast(series, origins);
        self.points_in_units(work.index_axis(Axis(2), self.median()), series)
    }

    fn points_in_units(&self, work: ArrayView2<f64>, series: &[&WorkSeries]) -> Array2<f64> {
        let mut points = work.to_owned();
        for (mut row, series) in points.outer_iter_mut().zip(series) {
            row.mapv_inplace(|value| series.in_units(self.space, value));
        }
        points
    }

    /// The same with quantiles corrected by what they missed, and the number of scores behind every correction, 0 where
    /// there were too few for any.
    pub fn calibrated(self, evidence: &Evidence) -> (Ensemble, usize) {
        match Conformal::fit(evidence, &self.levels) {
            Some((conformal, scores)) => (Ensemble { conformal: Some(conformal), ..self }, scores),
            None => (self, 0),
        }
    }

    /// Forecasts of windows (series index, origin), in work space, and what came.
    pub fn evidence(&self, work: &[WorkSeries], windows: &[(usize, usize)], sides: Sides) -> Evidence {
        let series: Vec<&WorkSeries> = windows.iter().map(|&(index, _)| &work[index]).collect();
        let origins: Vec<usize> = windows.iter().map(|&(_, origin)| origin).collect();
        let actual = Array2::from_shape_fn((series.len(), self.terms.horizon), |(window, step)| {
            f64::from(series[window].target[origins[window] + step])
        });
        let median = self.median();
        let mut forecasts = self.work_forecast(&series, &origins);
        for mut row in forecasts.rows_mut() {
            ascend(row.as_slice_mut().expect("standard layout"), median);
        }
        Evidence { forecasts, actual, sides }
    }

    /// Position of the median among the levels.
    pub fn median(&self) -> usize {
        self.levels.iter().position(|&level| level == 0.5).expect("the median is always among the levels")
    }

    /// Whether any member has a network.
    pub fn has_network(&self) -> bool {
        self.events.is_some() || self.members.iter().any(|(member, _)| member.network.is_some())
    }

    /// Kinds of members with the sum of their weights, the heaviest first; a network counts with the map that it stands on.
    pub fn shares(&self) -> Vec<(&'static str, f64)> {
        let members = self.members.iter().map(|(member, weight)| (member.kind(), *weight));
        blend::heaviest_first(members.chain([("smoothing", self.smoothing)]).collect())
    }

    /// Lookbacks of the members, longest first, without repeats.
    pub fn lookbacks(&self) -> Vec<usize> {
        let mut all: Vec<usize> = self.members.iter().map(|(member, _)| member.geometry.lookback).collect();
        all.sort_unstable_by(|a, b| b.cmp(a));
        all.dedup();
        all
    }

    /// Longest lookback.
    pub fn lookback_max(&self) -> usize {
        self.members.iter().map(|(member, _)| member.geometry.lookback).max().unwrap_or(1)
    }

    /// Last steps that a forecast depends on.
    pub fn reach(&self) -> usize {
        let smoothed = if self.smoothing > 0.0 { smoothing::reach(self.terms.season) } else { 0 };
        self.lookback_max().max(smoothed)
    }

    /// Appends every tensor of every member, its name after `prefix`.
    pub fn weights(&self, prefix: &str, all: &mut Vec<Weights>) {
        for (index, (member, _)) in self.members.iter().enumerate() {
            all.extend(member.weights(&format!("{prefix}member{index}.")));
        }
        if let Some((member, _)) = &self.events {
            all.extend(member.weights(&format!("{prefix}events.")));
        }
        all.extend(self.conformal.iter().map(|conformal| conformal.weights(prefix)));
    }

    /// Parameters of all members.
    pub fn parameters(&self) -> usize {
        let events = self.events.as_ref().map_or(0, |(member, _)| member.parameters());
        events + self.members.iter().map(|(member, _)| member.parameters()).sum::<usize>()
    }

    /// Steps of history from which on a series can be forecast: enough of every lookback is real.
    pub fn history_min(&self) -> usize {
        let members = self.members.iter().map(|(member, _)| member.geometry.first_origin());
        members.chain((self.smoothing > 0.0).then_some(self.terms.season + 2)).max().unwrap_or(1)
    }
}

/// Sorts the quantiles on both sides of the middle, which stays.
fn ascend(row: &mut [f64], median: usize) {
    let middle = row[median];
    row[..median].iter_mut().for_each(|value| *value = value.min(middle));
    row[median + 1..].iter_mut().for_each(|value| *value = value.max(middle));
    row.sort_by(f64::total_cmp);
}
