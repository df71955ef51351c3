//! Proportions by which leaves share the aggregates above them.

use super::HierarchyError;
use super::method::Proportions;
use super::tree::Hierarchy;
use crate::series::{Panel, Series};
use ndarray::Array2;

/// A sum of children's forecasts that is none.
const NOTHING: f64 = 1e-8;

/// The share of every leaf (L, H or 1) in its node of a level; the shares within a node sum to 1.
///
/// `base` (N, H) are the base forecasts, `history` a panel of all nodes, `gone` leaves that have ended and get nothing.
pub(super) fn shares(
    tree: &Hierarchy,
    proportions: Proportions,
    level: usize,
    base: &Array2<f64>,
    history: Option<&Panel>,
    gone: &[bool],
) -> Result<Array2<f64>, HierarchyError> {
    let mut shares = match proportions {
        Proportions::Forecast => by_forecast(tree, level, base)?,
        historical => {
            let history = history.ok_or(HierarchyError::NoHistory)?;
            let one = by_history(tree, historical, level, history);
            Array2::from_shape_vec((one.len(), 1), one).expect("one share per leaf")
        }
    };
    gone.iter()
        .zip(shares.outer_iter_mut())
        .filter(|(gone, _)| **gone)
        .for_each(|(_, mut row)| row.fill(0.0));
    normalise(tree, level, &mut shares, gone);
    Ok(shares)
}

/// Shares that sum to 1 within every node; equal ones where the sum is nothing.
fn normalise(tree: &Hierarchy, level: usize, shares: &mut Array2<f64>, gone: &[bool]) {
    for node in tree.levels()[level].nodes.clone() {
        let members = tree.members(node);
        let alive = members.iter().filter(|&&leaf| !gone[leaf as usize]).count();
        for column in 0..shares.ncols() {
            let sum: f64 = members.iter().map(|&leaf| shares[[leaf as usize, column]]).sum();
            for &leaf in members {
                let share = &mut shares[[leaf as usize, column]];
                *share = match (sum.is_finite() && sum.abs() > NOTHING, alive) {
                    (true, _) => *share / sum,
                    (false, 0) => 1.0 / members.len() as f64,
                    (false, _) if gone[leaf as usize] => 0.0,
                    (false, alive) => 1.0 / alive as f64,
                };
            }
        }
    }
}

fn by_history(tree: &Hierarchy, proportions: Proportions, level: usize, history: &Panel) -> Vec<f64> {
    let mut of_node: Vec<Option<&Series>> = vec![None; tree.nodes()];
    for one in &history.series {
        if let Some(node) = tree.node(&one.unique_id) {
            of_node[node] = Some(one);
        }
    }
    let share = |leaf: usize| {
        let whole = of_node[tree.groups()[level][leaf] as usize]?;
        let part = of_node[tree.aggregates() + leaf]?;
        match proportions {
            Proportions::AverageHistory => {
                Some(mean(part.values.iter().copied())? / mean(whole.values.iter().copied())?)
            }
            _ => {
                let begin = whole.times.binary_search(part.times.first()?).ok()?;
                mean(part.values.iter().zip(&whole.values[begin..]).map(|(part, whole)| part / whole))
            }
        }
    };
    (0..tree.leaves()).map(|leaf| share(leaf).filter(|share| share.is_finite()).unwrap_or(0.0)).collect()
}

/// The mean of finite values.
fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let known = values.filter(|value| value.is_finite());
    let (sum, count) = known.fold((0.0, 0usize), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / count as f64)
}

/// Down the tree from a level, every node shared by its children's forecasts.
fn by_forecast(tree: &Hierarchy, level: usize, base: &Array2<f64>) -> Result<Array2<f64>, HierarchyError> {
    let [chain] = tree.chains() else { return Err(HierarchyError::NotNested) };
    let top = &tree.levels()[level].nodes;
    let count = chain.nodes.len();
    let leaf_base = |leaf: usize, step: usize| base[[tree.aggregates() + leaf, step]];
    let mut shares = Array2::zeros((tree.leaves(), base.ncols()));
    for step in 0..base.ncols() {
        // Sums and numbers of the children's forecasts.
        let (mut sums, mut children) = (vec![0.0; count], vec![0.0; count]);
        for (at, parent) in chain.parents.iter().enumerate() {
            if let Some(parent) = *parent {
                sums[parent] += base[[chain.nodes[at], step]];
                children[parent] += 1.0;
            }
        }
        for (leaf, &parent) in chain.above_leaf.iter().enumerate() {
            sums[parent] += leaf_base(leaf, step);
            children[parent] += 1.0;
        }
        let of = |own: f64, parent: usize| -> f64 {
            if sums[parent].abs() < NOTHING { 1.0 / children[parent] } else { own / sums[parent] }
        };
        let mut share = vec![1.0; count];
        for at in 0..count {
            if let (Some(parent), false) = (chain.parents[at], top.contains(&chain.nodes[at])) {
                share[at] = share[parent] * of(base[[chain.nodes[at], step]], parent);
            }
        }
        for (leaf, &parent) in chain.above_leaf.iter().enumerate() {
            shares[[leaf, step]] = share[parent] * of(leaf_base(leaf, step), parent);
        }
    }
    Ok(shares)
}
