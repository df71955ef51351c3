//! What base forecasts missed by in the past, all nodes at the same moments.

use super::tree::Hierarchy;
use crate::series::Panel;
use ndarray::Array2;

/// Least share of the mean variance that a node's variance counts as, so that one that never erred can be divided by.
const VARIANCE_FLOOR: f64 = 1e-10;

/// Errors (actual − forecast) of all nodes at common moments.
#[derive(Clone, Debug)]
pub struct Residuals {
    /// Rows are nodes, columns moments in order (N, T); `NaN` where an error is not known.
    pub values: Array2<f64>,
}

impl Residuals {
    /// Errors of seasonal naive at the last `moments` steps of the grid, in a panel of all nodes.
    ///
    /// For callers who keep no errors of their own models: what counts is how large errors are beside those of other nodes,
    /// and which nodes err together. Nodes that the panel lacks have none. `season` is in steps, 1 or more.
    pub fn seasonal_naive(tree: &Hierarchy, panel: &Panel, season: usize, moments: usize) -> Residuals {
        let season = season.max(1);
        let grid = match panel.series.iter().max_by_key(|one| (one.cutoff(), one.times.len())) {
            Some(longest) => &longest.times[longest.times.len().saturating_sub(moments)..],
            None => &[],
        };
        let mut values = Array2::from_elem((tree.nodes(), grid.len()), f64::NAN);
        for one in &panel.series {
            let Some(node) = tree.node(&one.unique_id) else { continue };
            for (out, time) in values.row_mut(node).iter_mut().zip(grid) {
                if let Ok(at) = one.times.binary_search(time)
                    && at >= season
                {
                    *out = one.values[at] - one.values[at - season];
                }
            }
        }
        Residuals { values }
    }

    /// Mean squared error of every node (N), at least a ten-thousand-millionth of their mean.
    ///
    /// A node without errors counts as the mean of its like: leaves as other leaves, aggregates by their number of leaves.
    pub(super) fn variances(&self, tree: &Hierarchy) -> Vec<f64> {
        let own: Vec<Option<f64>> =
            self.values.outer_iter().map(|row| mean_square(row.iter().copied())).collect();
        let known = own[tree.aggregates()..].iter().flatten();
        let (sum, count) = known.fold((0.0, 0usize), |(sum, count), one| (sum + one, count + 1));
        let typical = if count > 0 { sum / count as f64 } else { 1.0 };
        let size = |node: usize| if node < tree.aggregates() { tree.members(node).len() as f64 } else { 1.0 };
        let mut all: Vec<f64> =
            own.iter().enumerate().map(|(node, own)| own.unwrap_or(typical * size(node))).collect();
        let mean = all.iter().sum::<f64>() / all.len().max(1) as f64;
        let floor = if mean > 0.0 && mean.is_finite() { mean * VARIANCE_FLOOR } else { 1.0 };
        all.iter_mut()
            .for_each(|one| *one = if one.is_finite() { one.max(floor) } else { mean_or_one(mean) });
        all
    }
}

fn mean_or_one(mean: f64) -> f64 {
    if mean.is_finite() { mean } else { 1.0 }
}

fn mean_square(errors: impl Iterator<Item = f64>) -> Option<f64> {
    let known = errors.filter(|error| !error.is_nan());
    let (sum, count) = known.fold((0.0, 0usize), |(sum, count), error| (sum + error * error, count + 1));
    (count > 0).then(|| sum / count as f64)
}
