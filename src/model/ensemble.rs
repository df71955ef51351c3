//! Several members averaged in work space, and the way back to the target's units.

use ndarray::{Array2, Array3, ArrayView3, Axis};

use crate::model::artifact::Weights;
use crate::model::member::Member;
use crate::model::work::{Space, WorkSeries};

/// Weighted members that forecast as one.
#[derive(Clone)]
pub struct Ensemble {
    /// Work space of all members.
    pub space: Space,
    /// Members with their weights, which add up to 1.
    pub members: Vec<(Member, f64)>,
    /// Quantile levels (Q), ascending, the median among them.
    pub levels: Vec<f64>,
    /// Factor on every quantile's distance from the median, learned from forecasts of unseen values.
    pub width: f64,
}

impl Ensemble {
    /// Members of equal weight, intervals as the members state them.
    pub fn equal(space: Space, members: Vec<Member>, levels: &[f64]) -> Ensemble {
        let weight = 1.0 / members.len() as f64;
        let members = members.into_iter().map(|member| (member, weight)).collect();
        Ensemble { space, members, levels: levels.to_vec(), width: 1.0 }
    }

    /// `(1 − share)` of this ensemble and `share` of the other.
    pub fn blend(&self, other: &Ensemble, share: f64) -> Ensemble {
        let part = |ensemble: &Ensemble, share: f64| {
            let members = ensemble.members.iter().filter(move |_| share > 0.0);
            members.map(|(member, weight)| (member.clone(), weight * share)).collect::<Vec<_>>()
        };
        let members = part(self, 1.0 - share).into_iter().chain(part(other, share)).collect();
        Ensemble { members, ..self.clone() }
    }

    /// Mean of the members' forecasts in work space (series, T, Q), from one origin per series.
    pub fn work_forecast(&self, series: &[&WorkSeries], origins: &[usize]) -> Array3<f64> {
        let mut mean: Option<Array3<f64>> = None;
        for (member, weight) in &self.members {
            let forecast = member.forecast(series, origins).mapv(|value| f64::from(value) * weight);
            mean = Some(match mean {
                Some(sum) => sum + forecast,
                None => forecast,
            });
        }
        mean.expect("an ensemble has at least one member")
    }

    /// Forecasts in units of the target (series, T, Q), never decreasing along Q, of those in work space.
    pub fn quantiles(&self, work: ArrayView3<f64>, series: &[&WorkSeries]) -> Array3<f64> {
        let mut quantiles = work.to_owned();
        let median = self.median();
        for (mut sample, series) in quantiles.outer_iter_mut().zip(series) {
            for mut row in sample.outer_iter_mut() {
                let row = row.as_slice_mut().expect("standard layout");
                row.sort_by(f64::total_cmp);
                let middle = row[median];
                for value in row {
                    *value = series.in_units(self.space, middle + self.width * (*value - middle));
                }
            }
        }
        quantiles
    }

    /// Quantile forecasts in units of the target (series, T, Q), never decreasing along Q.
    pub fn forecast(&self, series: &[&WorkSeries], origins: &[usize]) -> Array3<f64> {
        self.quantiles(self.work_forecast(series, origins).view(), series)
    }

    /// Median forecasts in units of the target (series, T).
    pub fn point(&self, series: &[&WorkSeries], origins: &[usize]) -> Array2<f64> {
        self.forecast(series, origins).index_axis_move(Axis(2), self.median())
    }

    /// Position of the median among the levels.
    pub fn median(&self) -> usize {
        self.levels.iter().position(|&level| level == 0.5).expect("the median is always among the levels")
    }

    /// Whether any member has a network.
    pub fn has_network(&self) -> bool {
        self.members.iter().any(|(member, _)| member.network.is_some())
    }

    /// Longest lookback.
    pub fn lookback_max(&self) -> usize {
        self.members.iter().map(|(member, _)| member.geometry.lookback).max().unwrap_or(1)
    }

    /// Appends every tensor of every member, its name after `prefix`.
    pub fn weights(&self, prefix: &str, all: &mut Vec<Weights>) {
        for (index, (member, _)) in self.members.iter().enumerate() {
            all.extend(member.weights(&format!("{prefix}member{index}.")));
        }
    }

    /// Parameters of all members.
    pub fn parameters(&self) -> usize {
        self.members.iter().map(|(member, _)| member.parameters()).sum()
    }

    /// Steps of history from which on a series can be forecast: enough of every lookback is real.
    pub fn history_min(&self) -> usize {
        self.members.iter().map(|(member, _)| member.geometry.first_origin()).max().unwrap_or(1)
    }
}
