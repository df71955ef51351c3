//! Levels that nest, and the exact reconciliation along them in one sweep up and one down.
//!
//! Let r be what aggregates have beyond the sums of their leaves, w the variances of all nodes, A the summing matrix of the
//! aggregates. The weighted least-squares leaves are b = y_b + W_b A' λ with (W_a + A W_b A') λ = r. On a tree λ needs no
//! matrix. Write V_v for the variance of the sum of v's children after they were reconciled among themselves and M_v for
//! what this moved their sum by. Then v itself is moved by m_v and left with variance P_v:
//!
//! ```text
//! up:    M_v = Σ m_child    V_v = Σ P_child    m_v = M_v + V_v / (V_v + w_v) (r_v − M_v)    P_v = V_v w_v / (V_v + w_v)
//! down:  λ_v = (r_v − M_v − V_v δ) / (V_v + w_v),   δ the sum of λ over v's ancestors;   b = y_b + w_b (Σ λ of all above)
//! ```
//!
//! This is belief propagation, exact on trees, O(N) per column. Where forecasts add up already, r = 0 and λ = 0: their
//! leaves are not touched. A variance of 0 divides nothing unless both V and w are 0; then nothing can move and λ = 0.

use super::tree::Level;
use ndarray::{Array1, Array2, Axis, Zip, s};

/// Aggregates of levels that nest, coarsest first.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    /// Its nodes, parents before children.
    pub nodes: Vec<usize>,
    /// Index into `nodes` of the parent of each; `None` at the top.
    pub parents: Vec<Option<usize>>,
    /// Index into `nodes` of the lowest node above every leaf.
    pub above_leaf: Vec<usize>,
}

/// Splits levels into as few lists of nested levels as taking each into the first list that it fits gives.
pub(super) fn chains(levels: &[Level], groups: &[Vec<u32>]) -> Vec<Chain> {
    // By number of nodes: a level can only lie within one that has no more nodes.
    let mut order: Vec<usize> = (0..levels.len()).collect();
    order.sort_by_key(|&level| levels[level].nodes.len());
    let mut lists: Vec<Vec<usize>> = Vec::new();
    for level in order {
        let fits = |list: &&mut Vec<usize>| {
            list.last().is_none_or(|&last| {
                parents(levels[level].nodes.clone(), &groups[level], &groups[last]).is_some()
            })
        };
        match lists.iter_mut().find(fits) {
            Some(list) => list.push(level),
            None => lists.push(vec![level]),
        }
    }
    lists.iter().map(|list| chain(list, levels, groups)).collect()
}

/// The node of the level above of every node of one level, if each has one.
fn parents(nodes: std::ops::Range<usize>, own: &[u32], above: &[u32]) -> Option<Vec<u32>> {
    let mut parents = vec![u32::MAX; nodes.len()];
    for (&node, &parent) in own.iter().zip(above) {
        let known = &mut parents[node as usize - nodes.start];
        if *known != u32::MAX && *known != parent {
            return None;
        }
        *known = parent;
    }
    Some(parents)
}

fn chain(list: &[usize], levels: &[Level], groups: &[Vec<u32>]) -> Chain {
    let mut chain = Chain { nodes: Vec::new(), parents: Vec::new(), above_leaf: Vec::new() };
    let mut above: Option<(usize, usize)> = None;
    for &level in list {
        let begin = chain.nodes.len();
        let nodes = levels[level].nodes.clone();
        match above {
            None => chain.parents.extend(nodes.clone().map(|_| None)),
            Some((upper, upper_begin)) => {
                let parents = parents(nodes.clone(), &groups[level], &groups[upper]).unwrap_or_default();
                let first = levels[upper].nodes.start;
                chain.parents.extend(parents.iter().map(|&node| Some(upper_begin + node as usize - first)));
            }
        }
        chain.above_leaf = groups[level].iter().map(|&node| begin + node as usize - nodes.start).collect();
        chain.nodes.extend(nodes);
        above = Some((level, begin));
    }
    chain
}

impl Chain {
    /// The sum of λ (A, C) over every node and those above it, by index into `nodes`: what pulls on everything below.
    pub fn pulls(&self, lambda: &Array2<f64>) -> Array2<f64> {
        let mut pulls = Array2::zeros((self.nodes.len(), lambda.ncols()));
        for (at, &node) in self.nodes.iter().enumerate() {
            let (above, mut own) = pulls.view_mut().split_at(Axis(0), at);
            own.row_mut(0).assign(&lambda.row(node));
            if let Some(parent) = self.parents[at] {
                own.row_mut(0).zip_mut_with(&above.row(parent), |own, &above| *own += above);
            }
        }
        pulls
    }
}

/// A chain with the variances of one problem.
#[derive(Clone, Debug)]
pub(super) struct Sweep<'a> {
    chain: &'a Chain,
    /// V by index into the chain's nodes.
    spread: Vec<f64>,
    /// w, likewise.
    variance: Vec<f64>,
}

impl<'a> Sweep<'a> {
    /// `aggregates` (A) and `leaves` (L) are variances, none negative.
    pub fn new(chain: &'a Chain, aggregates: &[f64], leaves: &[f64]) -> Sweep<'a> {
        let variance: Vec<f64> = chain.nodes.iter().map(|&node| aggregates[node]).collect();
        let mut spread = vec![0.0; chain.nodes.len()];
        chain.above_leaf.iter().zip(leaves).for_each(|(&at, &leaf)| spread[at] += leaf);
        for at in (0..spread.len()).rev() {
            if let Some(parent) = chain.parents[at] {
                spread[parent] += ratio(spread[at] * variance[at], spread[at] + variance[at]);
            }
        }
        Sweep { chain, spread, variance }
    }

    /// λ (A, C) of what aggregates have beyond their leaves (A, C), at the chain's nodes; other rows are left as they are.
    pub fn solve(&self, beyond: &Array2<f64>, lambda: &mut Array2<f64>) {
        let count = self.chain.nodes.len();
        let columns = beyond.ncols();
        // M, by index into the chain's nodes; on the way down it becomes δ + λ, the pull on everything below.
        let mut moved = Array2::<f64>::zeros((count, columns));
        for at in (0..count).rev() {
            let Some(parent) = self.chain.parents[at] else { continue };
            let gain = ratio(self.spread[at], self.spread[at] + self.variance[at]);
            let (mut upper, own) = moved.multi_slice_mut((s![parent, ..], s![at, ..]));
            Zip::from(&mut upper).and(&own).and(&beyond.row(self.chain.nodes[at])).for_each(|sum, &m, &r| {
                *sum += m + gain * (r - m);
            });
        }
        let zero = Array1::<f64>::zeros(columns);
        for at in 0..count {
            let (spread, total) = (self.spread[at], self.spread[at] + self.variance[at]);
            let (before, mut from) = moved.view_mut().split_at(Axis(0), at);
            let pull = self.chain.parents[at].map_or(zero.view(), |parent| before.row(parent));
            let node = self.chain.nodes[at];
            Zip::from(from.row_mut(0)).and(&pull).and(beyond.row(node)).and(lambda.row_mut(node)).for_each(
                |own, &pull, &r, out| {
                    *out = ratio(r - *own - spread * pull, total);
                    *own = pull + *out;
                },
            );
        }
    }
}

/// A quotient that is 0 where nothing can move.
fn ratio(above: f64, below: f64) -> f64 {
    if below > 0.0 { above / below } else { 0.0 }
}
