//! The covariance of all residuals, shrunk towards its diagonal, and the reconciliation that it gives.

use super::DENSE_NODES_MAX;
use super::HierarchyError;
use super::residuals::Residuals;
use super::tree::Hierarchy;
use faer::linalg::solvers::Solve;
use faer::{MatRef, Side};
use ndarray::{Array2, ArrayView1, s};
use rayon::prelude::*;

/// Added to standard deviations and squared correlations, as in hierarchicalforecast 1.5, whose numbers these are.
const EPSILON: f64 = 2e-8;

/// The covariance W (N, N) of residuals, every correlation times 1 − λ.
///
/// λ = Σ Var(r_ij) / Σ r_ij² over pairs i ≠ j, between 0 and 1. Means, covariances and correlations of a pair are over the
/// moments that both nodes know. Source: Schäfer and Strimmer (2005).
pub(super) fn covariance(residuals: &Residuals) -> Array2<f64> {
    let nodes = residuals.values.nrows();
    let row = |i: usize| -> Vec<Pair> {
        (0..=i).map(|j| pair(residuals.values.row(i), residuals.values.row(j))).collect()
    };
    let rows: Vec<Vec<Pair>> = (0..nodes).into_par_iter().map(row).collect();
    let apart = rows.iter().enumerate().flat_map(|(i, row)| &row[..i]);
    let (noise, strength) = apart.fold((0.0, 0.0), |(noise, strength), pair| {
        (noise + pair.noise, strength + pair.correlation.powi(2))
    });
    let keep = 1.0 - (noise / (strength + EPSILON)).clamp(0.0, 1.0);
    let mean = rows.iter().enumerate().map(|(i, row)| row[i].covariance).sum::<f64>() / nodes.max(1) as f64;
    let floor = (mean * 1e-10).max(f64::MIN_POSITIVE);
    Array2::from_shape_fn((nodes, nodes), |(i, j)| {
        let own = rows[i.max(j)][i.min(j)].covariance;
        if i == j { own.max(floor) } else { keep * own }
    })
}

/// What two nodes' residuals have in common; all 0 where they share fewer than two moments.
#[derive(Clone, Copy, Default)]
struct Pair {
    covariance: f64,
    correlation: f64,
    /// Variance of the correlation, as estimated.
    noise: f64,
}

fn pair(one: ArrayView1<'_, f64>, two: ArrayView1<'_, f64>) -> Pair {
    let known = || one.iter().zip(&two).filter(|(x, y)| !x.is_nan() && !y.is_nan());
    let (mut count, mut sum_x, mut sum_y) = (0.0, 0.0, 0.0);
    known().for_each(|(x, y)| (count, sum_x, sum_y) = (count + 1.0, sum_x + x, sum_y + y));
    if count < 2.0 {
        return Pair::default();
    }
    let centred = || known().map(|(x, y)| (x - sum_x / count, y - sum_y / count));
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    centred().for_each(|(x, y)| (xx, yy, xy) = (xx + x * x, yy + y * y, xy + x * y));
    let scale = ((xx / count).sqrt() + EPSILON) * ((yy / count).sqrt() + EPSILON);
    let correlation = xy / scale / count;
    let noise = centred().map(|(x, y)| (x * y / scale - correlation).powi(2)).sum::<f64>();
    Pair { covariance: xy / (count - 1.0), correlation, noise: noise / (count * (count - 1.0)) }
}

/// G (L, A): leaves are b = y_b + G (y_a − A y_b).
///
/// With C = (I, −A), b = y_b − (W C')_b (C W C')⁻¹ C ŷ.
pub(super) fn gain(tree: &Hierarchy, residuals: &Residuals) -> Result<Array2<f64>, HierarchyError> {
    if tree.nodes() > DENSE_NODES_MAX {
        return Err(HierarchyError::TooManyNodes { nodes: tree.nodes() });
    }
    let aggregates = tree.aggregates();
    let w = covariance(residuals);
    // C W (A, N): rows of aggregates without the rows of their leaves.
    let mut constrained = w.slice(s![..aggregates, ..]).to_owned();
    for node in 0..aggregates {
        let leaf = |&leaf: &u32| -> ArrayView1<'_, f64> { w.row(aggregates + leaf as usize) };
        tree.members(node).iter().map(leaf).for_each(|row| constrained.row_mut(node).scaled_add(-1.0, &row));
    }
    let mut system = constrained.slice(s![.., ..aggregates]).to_owned();
    for node in 0..aggregates {
        for &leaf in tree.members(node) {
            system.column_mut(node).scaled_add(-1.0, &constrained.column(aggregates + leaf as usize));
        }
    }
    let of_leaves = constrained.slice(s![.., aggregates..]).as_standard_layout().into_owned();
    let solved = solve(&mut system, &of_leaves);
    // (C W C')⁻¹ C W_b is (A, L), and G its transpose with the sign of y_b − ….
    Ok(solved.t().mapv(|value| -value))
}

/// X of K X = B for a symmetric K that is positive or nearly so: a ridge grows until it is.
fn solve(system: &mut Array2<f64>, right: &Array2<f64>) -> Array2<f64> {
    let size = system.nrows();
    let mean = (system.diag().sum() / size.max(1) as f64).abs().max(f64::MIN_POSITIVE);
    let mut ridge = 0.0;
    for _ in 0..12 {
        if let Ok(cholesky) = matrix(system).llt(Side::Lower) {
            let solved = cholesky.solve(matrix(right));
            return Array2::from_shape_fn(right.raw_dim(), |(row, column)| solved[(row, column)]);
        }
        let next = if ridge == 0.0 { mean * 1e-12 } else { ridge * 10.0 };
        system.diag_mut().iter_mut().for_each(|value| *value += next - ridge);
        ridge = next;
    }
    // Nothing but residuals without a number leads here: no node moves another.
    Array2::zeros(right.raw_dim())
}

/// The same matrix for the dense solver.
fn matrix(of: &Array2<f64>) -> MatRef<'_, f64> {
    let values = of.as_slice().expect("standard layout");
    MatRef::from_row_major_slice(values, of.nrows(), of.ncols())
}
