//! Forecasts of all nodes at common times.

use super::HierarchyError;
use super::method::Method;
use super::tree::Hierarchy;
use crate::series::{Forecasts, SeriesForecast, Status};
use ndarray::Array2;

/// Base forecasts by node.
pub(super) struct Aligned {
    /// All nodes, at the same times, ascending by id.
    pub forecasts: Forecasts,
    /// Index into the forecasts of every node (N).
    pub places: Vec<usize>,
    /// Base points (N, H).
    pub points: Array2<f64>,
    /// Leaves (L) whose own forecasts ended before the first common time: they are 0.
    pub gone: Vec<bool>,
    /// Whether aggregates had no forecast and stand there empty, to be summed.
    pub is_summed: bool,
}

/// Brings forecasts to the times of the one that starts last.
///
/// A series that ended earlier was forecast from there. Where its forecast does not reach, its last step stands; if it
/// reaches none of the common times, the series has ended and counts as 0. Only bottom-up adds aggregates that are missing.
pub(super) fn align(
    tree: &Hierarchy,
    mut forecasts: Forecasts,
    method: &Method,
) -> Result<Aligned, HierarchyError> {
    let Some(latest) = forecasts.series.iter().max_by_key(|one| one.cutoff) else {
        return Err(HierarchyError::MissingForecast(tree.id(0).to_owned()));
    };
    let (cutoff, times) = (latest.cutoff, latest.times.clone());
    let mut places = vec![usize::MAX; tree.nodes()];
    for (place, one) in forecasts.series.iter().enumerate() {
        let node = tree.node(&one.unique_id);
        places[node.ok_or_else(|| HierarchyError::UnknownSeries(one.unique_id.clone()))?] = place;
    }
    let mut gone = vec![false; tree.leaves()];
    for node in 0..tree.nodes() {
        let is_aggregate = node < tree.aggregates();
        match places[node] {
            usize::MAX if is_aggregate && *method == Method::BottomUp => {}
            usize::MAX => return Err(HierarchyError::MissingForecast(tree.id(node).to_owned())),
            place => {
                let has_ended = hold(&mut forecasts.series[place], &times);
                if !is_aggregate {
                    gone[node - tree.aggregates()] = has_ended;
                }
            }
        }
    }
    let is_summed = places.contains(&usize::MAX);
    if is_summed {
        let levels = forecasts.quantile_levels.len();
        let missing = (0..tree.aggregates()).filter(|&node| places[node] == usize::MAX);
        forecasts.series.extend(missing.map(|node| sum_to_be(tree, node, cutoff, &times, levels)));
        forecasts.series.sort_by(|a, b| a.unique_id.cmp(&b.unique_id));
        tree.by_id().enumerate().for_each(|(place, node)| places[node] = place);
    }
    let mut points = Array2::zeros((tree.nodes(), times.len()));
    for (node, mut row) in points.outer_iter_mut().enumerate() {
        let one = &forecasts.series[places[node]];
        if !one.point.iter().chain(&one.quantiles).all(|value| value.is_finite()) {
            return Err(HierarchyError::NotFinite(one.unique_id.clone()));
        }
        row.iter_mut().zip(&one.point).for_each(|(out, &point)| *out = point);
    }
    Ok(Aligned { forecasts, places, points, gone, is_summed })
}

/// An aggregate that nothing was forecast of.
fn sum_to_be(tree: &Hierarchy, node: usize, cutoff: i64, times: &[i64], levels: usize) -> SeriesForecast {
    SeriesForecast {
        reach: f64::INFINITY,
        unique_id: tree.id(node).to_owned(),
        keys: tree.keys(node).to_vec(),
        cutoff,
        times: times.to_vec(),
        point: vec![0.0; times.len()],
        quantiles: Array2::zeros((times.len(), levels)),
        status: Status::Ok,
        model_id: Method::BottomUp.name().to_owned(),
        weights: Vec::new(),
    }
}

/// Brings one forecast to other times; says whether it reaches none of them, and then is 0.
fn hold(one: &mut SeriesForecast, times: &[i64]) -> bool {
    if one.times == times {
        return false;
    }
    let has_ended = match (one.times.last(), times.first()) {
        (Some(last), Some(first)) => last < first,
        (last, _) => last.is_none(),
    };
    let own = |time: &i64| one.times.partition_point(|own| own < time).min(one.times.len().saturating_sub(1));
    let steps: Vec<usize> = times.iter().map(own).collect();
    let levels = one.quantiles.ncols();
    let size = (times.len(), levels);
    if has_ended {
        one.point = vec![0.0; times.len()];
        one.quantiles = Array2::zeros(size);
    } else {
        one.point = steps.iter().map(|&step| one.point[step]).collect();
        one.quantiles = Array2::from_shape_fn(size, |(step, level)| one.quantiles[[steps[step], level]]);
    }
    one.times = times.to_vec();
    has_ended
}
