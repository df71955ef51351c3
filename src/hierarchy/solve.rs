//! From base forecasts of all nodes to coherent ones, as one linear map per step.
//!
//! The map of the points is also that of every sample path, so that paths are reconciled as their centre is.

use super::HierarchyError;
use super::method::{Method, Weights, level_of};
use super::residuals::Residuals;
use super::shares::shares;
use super::shrink;
use super::system::System;
use super::tree::Hierarchy;
use crate::series::Panel;
use ndarray::{Array2, ArrayViewMut1, Axis, s};
use rayon::prelude::*;

/// How far the error of points is reduced; of sample paths, [`PATH_TOLERANCE`] of their deviations is enough.
const POINT_TOLERANCE: f64 = 1e-13;
const PATH_TOLERANCE: f64 = 1e-5;

/// Exchanges of the search for non-negative leaves before those still negative are clipped.
const EXCHANGES_MAX: usize = 100;

/// A method with all that it needs to know of one hierarchy.
pub(super) enum Projection<'a> {
    /// Leaves stay.
    BottomUp,
    /// Leaves are shares (L, H or 1) of the nodes of a level.
    Shares { level: usize, shares: Array2<f64> },
    /// Weighted least squares with these variances (A and L).
    Diagonal { aggregates: Vec<f64>, leaves: Vec<f64>, system: System<'a> },
    /// Leaves move by G (L, A) times the incoherence.
    Dense { gain: Array2<f64> },
}

impl<'a> Projection<'a> {
    /// `base` (N, H) are the points to be reconciled; leaves that are `gone` are 0 and stay 0.
    pub fn new(
        tree: &'a Hierarchy,
        method: &Method,
        base: &Array2<f64>,
        residuals: Option<&Residuals>,
        history: Option<&Panel>,
        gone: &[bool],
    ) -> Result<Projection<'a>, HierarchyError> {
        let residuals = || residuals.ok_or(HierarchyError::NoResiduals(method.name()));
        let size = |node: usize| if node < tree.aggregates() { tree.members(node).len() as f64 } else { 1.0 };
        let variances: Vec<f64> = match method {
            Method::BottomUp => return Ok(Projection::BottomUp),
            Method::TopDown { proportions, from } => {
                let level = level_of(tree, from.as_deref())?;
                return Ok(Projection::Shares {
                    level,
                    shares: shares(tree, *proportions, level, base, history, gone)?,
                });
            }
            Method::MinTrace(Weights::Shrunk) => {
                let mut gain = shrink::gain(tree, residuals()?)?;
                let rows = gain.outer_iter_mut().zip(gone);
                rows.filter(|(_, gone)| **gone).for_each(|(mut row, _)| row.fill(0.0));
                return Ok(Projection::Dense { gain });
            }
            Method::MinTrace(Weights::Equal) => vec![1.0; tree.nodes()],
            Method::MinTrace(Weights::Structure) => (0..tree.nodes()).map(size).collect(),
            Method::MinTrace(Weights::Variance) => residuals()?.variances(tree),
        };
        let (aggregates, leaves) = variances.split_at(tree.aggregates());
        let leaves: Vec<f64> =
            leaves.iter().zip(gone).map(|(&own, &gone)| if gone { 0.0 } else { own }).collect();
        let system = System::new(tree, aggregates, &leaves);
        Ok(Projection::Diagonal { aggregates: aggregates.to_vec(), leaves, system })
    }

    /// Reconciles points (N, H) in place.
    pub fn points(&self, tree: &Hierarchy, all: &mut Array2<f64>, nonnegative: bool) {
        let base = nonnegative.then(|| all.clone());
        self.leaves(tree, all, None, POINT_TOLERANCE);
        if let Some(base) = base {
            self.lift(tree, &base, all);
        }
        tree.add_up(all);
    }

    /// Reconciles draws (N, K) of one step in place.
    pub fn draws(&self, tree: &Hierarchy, all: &mut Array2<f64>, step: usize) {
        self.leaves(tree, all, Some(step), PATH_TOLERANCE);
        tree.add_up(all);
    }

    /// Makes the leaves' rows of `all` reconciled ones; columns are steps, or draws of one.
    fn leaves(&self, tree: &Hierarchy, all: &mut Array2<f64>, step: Option<usize>, tolerance: f64) {
        match self {
            Projection::BottomUp => {}
            Projection::Shares { level, shares } => {
                let (above, below) = all.view_mut().split_at(Axis(0), tree.aggregates());
                let nodes = &tree.groups()[*level];
                let share = |leaf: usize, column: usize| match (shares.ncols(), step) {
                    (1, _) => shares[[leaf, 0]],
                    (_, Some(step)) => shares[[leaf, step]],
                    (_, None) => shares[[leaf, column]],
                };
                rows(below).into_par_iter().enumerate().for_each(|(leaf, mut row)| {
                    let whole = above.row(nodes[leaf] as usize);
                    for (column, value) in row.iter_mut().enumerate() {
                        *value = whole[column] * share(leaf, column);
                    }
                });
            }
            Projection::Diagonal { leaves, system, .. } => {
                let (lambda, _) = system.solve(&tree.incoherence(all), tolerance);
                let pulls: Vec<Array2<f64>> =
                    tree.chains().iter().map(|chain| chain.pulls(&lambda)).collect();
                let below = all.slice_mut(s![tree.aggregates().., ..]);
                rows(below).into_par_iter().enumerate().for_each(|(leaf, mut row)| {
                    for (chain, pulls) in tree.chains().iter().zip(&pulls) {
                        row.scaled_add(leaves[leaf], &pulls.row(chain.above_leaf[leaf]));
                    }
                });
            }
            Projection::Dense { gain } => {
                let moved = gain.dot(&tree.incoherence(all));
                let mut below = all.slice_mut(s![tree.aggregates().., ..]);
                below += &moved;
            }
        }
    }

    /// Makes the leaves of `all` non-negative: the least-squares leaves among those that are, where W is diagonal.
    ///
    /// Elsewhere, and after [`EXCHANGES_MAX`] exchanges, negative leaves become 0, which is not the least-squares answer.
    fn lift(&self, tree: &Hierarchy, base: &Array2<f64>, all: &mut Array2<f64>) {
        if let Projection::Diagonal { aggregates, leaves, .. } = self {
            let mut columns: Vec<(usize, ArrayViewMut1<'_, f64>)> =
                all.axis_iter_mut(Axis(1)).enumerate().collect();
            columns.par_iter_mut().for_each(|(step, column)| {
                let column = column.slice_mut(s![tree.aggregates()..]);
                let step = *step;
                let base = base.slice(s![.., step..=step]).to_owned();
                exchange(tree, &base, aggregates, leaves, column);
            });
        }
        all.slice_mut(s![tree.aggregates().., ..]).mapv_inplace(|value| value.max(0.0));
    }
}

/// Non-negative least squares of one step by block principal pivoting: leaves are held at 0 or free, those on the wrong side
/// change sides, all at once while that helps, else the last alone. Source: Kim and Park (2011).
///
/// `column` (L) holds the unconstrained leaves and becomes the constrained ones.
fn exchange(
    tree: &Hierarchy,
    base: &Array2<f64>,
    aggregates: &[f64],
    leaves: &[f64],
    mut column: ArrayViewMut1<'_, f64>,
) {
    let scale = base.iter().fold(0.0, |size: f64, value| size.max(value.abs()));
    let wrong_by = scale * 1e-12;
    let mut held = vec![false; leaves.len()];
    let (mut fewest, mut patience) = (usize::MAX, 3);
    for _ in 0..EXCHANGES_MAX {
        // Of a held leaf, `column` has what it would be if it were let go: the side that it wants to be on.
        let is_wrong = |(leaf, &value): (usize, &f64)| {
            (if held[leaf] { value > wrong_by } else { value < -wrong_by }).then_some(leaf)
        };
        let wrong: Vec<usize> = column.iter().enumerate().filter_map(is_wrong).collect();
        let Some(&last) = wrong.last() else { break };
        let all_at_once = if wrong.len() < fewest {
            (fewest, patience) = (wrong.len(), 3);
            true
        } else {
            patience -= i32::from(patience > 0);
            patience > 0
        };
        let changing = if all_at_once { wrong } else { vec![last] };
        changing.into_iter().for_each(|leaf| held[leaf] = !held[leaf]);
        let mut rest = base.clone();
        let mut variances = leaves.to_vec();
        for leaf in (0..leaves.len()).filter(|&leaf| held[leaf]) {
            rest[[tree.aggregates() + leaf, 0]] = 0.0;
            variances[leaf] = 0.0;
        }
        let system = System::new(tree, aggregates, &variances);
        let (lambda, _) = system.solve(&tree.incoherence(&rest), POINT_TOLERANCE);
        for (leaf, value) in column.iter_mut().enumerate() {
            let pull: f64 = tree.groups().iter().map(|group| lambda[[group[leaf] as usize, 0]]).sum();
            *value = base[[tree.aggregates() + leaf, 0]] + leaves[leaf] * pull;
        }
    }
    column.iter_mut().zip(&held).filter(|(_, held)| **held).for_each(|(value, _)| *value = 0.0);
}

/// The rows of a matrix, to be shared out.
fn rows(of: ndarray::ArrayViewMut2<'_, f64>) -> Vec<ArrayViewMut1<'_, f64>> {
    let mut rows = Vec::with_capacity(of.nrows());
    let mut rest = of;
    while rest.nrows() > 0 {
        let (first, others) = rest.split_at(Axis(0), 1);
        rows.push(first.index_axis_move(Axis(0), 0));
        rest = others;
    }
    rows
}
