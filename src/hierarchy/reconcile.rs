//! Incoherent forecasts in, coherent forecasts out.

use super::HierarchyError;
use super::align::{Aligned, align};
use super::marginal::{Marginal, quantile};
use super::method::Method;
use super::paths::Copula;
use super::residuals::Residuals;
use super::solve::Projection;
use super::tree::Hierarchy;
use crate::series::{Forecasts, Panel, SeriesForecast};
use ndarray::{Array2, ArrayViewMut1, Axis, s};
use rayon::prelude::*;

/// How forecasts are reconciled.
#[derive(Clone, Debug, PartialEq)]
pub struct Reconciliation {
    /// How points are.
    pub method: Method,
    /// Whether no leaf may be negative.
    ///
    /// With a diagonal W, points are the least-squares ones among those; otherwise, and in sample paths, negative leaves are
    /// set to 0 before they are summed.
    pub is_nonnegative: bool,
    /// How quantiles are.
    pub quantiles: Quantiles,
}

/// Where the quantiles of reconciled forecasts come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantiles {
    /// Coherent sample paths ([`paths`](super::paths)).
    ///
    /// Without residuals of [`MOMENTS_MIN`](super::paths::MOMENTS_MIN) moments they are shifted instead.
    Paths {
        /// About how many draws; memory is 10 bytes a draw and node, on any number of threads.
        draws: usize,
        /// Of the random order within ranks.
        seed: u64,
    },
    /// Every node's own, moved by as much as its point.
    ///
    /// They keep their calibrated widths, and belong to no joint distribution.
    Shift,
}

impl Default for Quantiles {
    fn default() -> Quantiles {
        Quantiles::Paths { draws: 256, seed: 0 }
    }
}

/// What is known of the past.
#[derive(Clone, Copy, Debug, Default)]
pub struct Evidence<'a> {
    /// What base forecasts of all nodes missed by: for `wls_var`, `mint_shrink` and sample paths.
    pub residuals: Option<&'a Residuals>,
    /// All nodes, as [`Hierarchy::aggregate`] gives them: for historical proportions.
    pub history: Option<&'a Panel>,
}

/// Forecasts of all nodes that add up, from forecasts of all nodes that do not.
///
/// All nodes come out at the times of the forecast that starts last. `BottomUp` needs forecasts of leaves alone; aggregates
/// that are missing are added. Statuses and model ids stay those of the base forecasts.
///
/// # Panics
/// If `residuals` have another number of rows than the hierarchy nodes: a caller's bug.
pub fn reconcile(
    tree: &Hierarchy,
    forecasts: Forecasts,
    evidence: Evidence<'_>,
    how: &Reconciliation,
) -> Result<Forecasts, HierarchyError> {
    if let Some(residuals) = evidence.residuals {
        assert_eq!(residuals.values.nrows(), tree.nodes(), "residuals have a row per node");
    }
    let mut aligned = align(tree, forecasts, &how.method)?;
    let (residuals, history) = (evidence.residuals, evidence.history);
    let projection = Projection::new(tree, &how.method, &aligned.points, residuals, history, &aligned.gone)?;
    let mut points = aligned.points.clone();
    projection.points(tree, &mut points, how.is_nonnegative);
    let copula = match (how.quantiles, residuals) {
        (Quantiles::Paths { draws, seed }, Some(residuals)) => Copula::new(residuals, draws, seed),
        _ => None,
    };
    if !aligned.forecasts.quantile_levels.is_empty() {
        match copula {
            Some(copula) => draw(tree, &projection, &copula, &points, &mut aligned, how),
            None if aligned.is_summed => {
                return Err(HierarchyError::NoResiduals("a quantile of a sum that was not forecast itself"));
            }
            None => shift(tree, &points, &mut aligned),
        }
    }
    for (node, row) in points.outer_iter().enumerate() {
        aligned.forecasts.series[aligned.places[node]].point = row.to_vec();
    }
    Ok(aligned.forecasts)
}

/// Moves every node's quantiles as its point moved.
fn shift(tree: &Hierarchy, points: &Array2<f64>, aligned: &mut Aligned) {
    for node in 0..tree.nodes() {
        let one = &mut aligned.forecasts.series[aligned.places[node]];
        for (step, mut row) in one.quantiles.outer_iter_mut().enumerate() {
            let moved = points[[node, step]] - aligned.points[[node, step]];
            row.mapv_inplace(|value| value + moved);
        }
    }
}

/// Replaces every node's quantiles by those of its draws.
fn draw(
    tree: &Hierarchy,
    projection: &Projection<'_>,
    copula: &Copula,
    points: &Array2<f64>,
    aligned: &mut Aligned,
    how: &Reconciliation,
) {
    let levels = aligned.forecasts.quantile_levels.clone();
    let keeps_leaves = how.method == Method::BottomUp && !how.is_nonnegative;
    let mut series: Vec<Option<&mut SeriesForecast>> =
        aligned.forecasts.series.iter_mut().map(Some).collect();
    let mut nodes: Vec<&mut SeriesForecast> =
        aligned.places.iter().map(|&place| series[place].take().expect("a place per node")).collect();
    let mut draws = Array2::zeros((tree.nodes(), copula.draws()));
    for step in 0..points.ncols() {
        spread(copula, &levels, &nodes, step, &mut draws);
        projection.draws(tree, &mut draws, step);
        if how.is_nonnegative {
            let mut below = draws.slice_mut(s![tree.aggregates().., ..]);
            for (leaf, mut row) in below.outer_iter_mut().enumerate() {
                let point = points[[tree.aggregates() + leaf, step]];
                row.mapv_inplace(|deviation| deviation.max(-point));
            }
            tree.add_up(&mut draws);
        }
        let rows: Vec<ArrayViewMut1<'_, f64>> = draws.axis_iter_mut(Axis(0)).collect();
        rows.into_par_iter().zip(nodes.par_iter_mut()).enumerate().for_each(|(node, (mut row, one))| {
            if keeps_leaves && node >= tree.aggregates() {
                return;
            }
            let row = row.as_slice_mut().expect("rows are whole");
            row.sort_unstable_by(f64::total_cmp);
            let point = points[[node, step]];
            let base = (one.point[step], one.quantiles.row(step).to_vec());
            let drawn = one.quantiles.row_mut(step);
            settle(drawn, &levels, point, &base, |level| point + quantile(row, level));
        });
    }
}

/// Writes the deviations of all nodes from their base points at one step (N, K).
fn spread(
    copula: &Copula,
    levels: &[f64],
    nodes: &[&mut SeriesForecast],
    step: usize,
    draws: &mut Array2<f64>,
) {
    let marginal = Marginal::new(levels);
    let rows: Vec<ArrayViewMut1<'_, f64>> = draws.axis_iter_mut(Axis(0)).collect();
    rows.into_par_iter().zip(nodes).enumerate().for_each_init(
        || vec![0.0; copula.draws()],
        |ordered, (node, (mut row, one))| {
            let point = one.point[step];
            let deviations: Vec<f64> = one.quantiles.row(step).iter().map(|value| value - point).collect();
            marginal.at(&deviations, copula.scores(), ordered);
            let cells = copula.cells(node);
            row.iter_mut().zip(cells).for_each(|(out, &cell)| *out = ordered[usize::from(cell)]);
        },
    );
}

/// Writes quantiles; where the base forecast was a median between its quantiles, so is what is written.
fn settle(
    mut out: ArrayViewMut1<'_, f64>,
    levels: &[f64],
    point: f64,
    base: &(f64, Vec<f64>),
    quantile: impl Fn(f64) -> f64,
) {
    let is_median = levels.iter().zip(&base.1).all(|(&level, &quantile)| match level {
        level if level < 0.5 => quantile <= base.0,
        level if level > 0.5 => quantile >= base.0,
        _ => quantile == base.0,
    });
    for (out, &level) in out.iter_mut().zip(levels) {
        let value = quantile(level);
        *out = match level {
            _ if !is_median => value,
            level if level < 0.5 => value.min(point),
            level if level > 0.5 => value.max(point),
            _ => point,
        };
    }
}
