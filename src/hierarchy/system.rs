//! The equations of weighted least squares over crossed levels, K λ = r with K = W_a + A W_b A', sparse.
//!
//! K has a row per aggregate: far fewer than leaves. It is solved by conjugate gradients, preconditioned by the exact
//! sweeps of [`chain`](super::chain), one for every list of nested levels. Where all levels nest, one sweep is the answer.
//! Where they cross, what is left to iterate over is how lists overlap. A sparse factorisation would fill: the total meets
//! every node, and of two crossing levels every pair of nodes that share a leaf.
//!
//! Every column has its own coefficients and is done when its own error is, so that no column depends on another.

use super::chain::Sweep;
use super::tree::Hierarchy;
use ndarray::{Array1, Array2, ArrayViewMut1, Axis, Zip};
use rayon::prelude::*;

/// Rounds after which the iteration ends, whatever is left; leaves are summed afterwards, so the result adds up.
const ROUNDS_MAX: usize = 1000;

/// K of one hierarchy and its variances, with its preconditioner.
pub(super) struct System<'a> {
    sweeps: Vec<Sweep<'a>>,
    /// Rows of K as starts, columns and values; empty where the levels nest.
    starts: Vec<usize>,
    columns: Vec<u32>,
    values: Vec<f64>,
}

impl<'a> System<'a> {
    /// `aggregates` (A) and `leaves` (L) are variances, none negative.
    pub fn new(tree: &'a Hierarchy, aggregates: &[f64], leaves: &[f64]) -> System<'a> {
        let sweeps = tree.chains().iter().map(|chain| Sweep::new(chain, aggregates, leaves)).collect();
        let mut system = System { sweeps, starts: vec![0], columns: Vec::new(), values: Vec::new() };
        if !tree.is_nested() {
            system.assemble(tree, aggregates, leaves);
        }
        system
    }

    /// Rows of W_a + A W_b A': the variance that every pair of aggregates shares.
    fn assemble(&mut self, tree: &Hierarchy, aggregates: &[f64], leaves: &[f64]) {
        let mut shared = vec![0.0; tree.aggregates()];
        let mut marked = vec![false; tree.aggregates()];
        let mut touched: Vec<u32> = Vec::new();
        for (node, &own) in aggregates.iter().enumerate() {
            for &leaf in tree.members(node) {
                for group in tree.groups() {
                    let other = group[leaf as usize];
                    if !marked[other as usize] {
                        marked[other as usize] = true;
                        touched.push(other);
                    }
                    shared[other as usize] += leaves[leaf as usize];
                }
            }
            shared[node] += own;
            touched.sort_unstable();
            for other in touched.drain(..) {
                self.columns.push(other);
                self.values.push(shared[other as usize]);
                shared[other as usize] = 0.0;
                marked[other as usize] = false;
            }
            self.starts.push(self.columns.len());
        }
    }

    /// λ (A, C) of r (A, C), and the rounds it took; ends where the energy of the error fell by `tolerance`².
    pub fn solve(&self, beyond: &Array2<f64>, tolerance: f64) -> (Array2<f64>, usize) {
        let mut direction = self.precondition(beyond);
        if self.sweeps.len() == 1 {
            return (direction, 1);
        }
        let mut lambda = Array2::zeros(beyond.raw_dim());
        let mut left = beyond.clone();
        let mut energy = products(&left, &direction);
        let goal = energy.mapv(|energy| energy * tolerance * tolerance);
        for round in 0..ROUNDS_MAX {
            if energy.iter().zip(&goal).all(|(&energy, &goal)| energy <= goal) {
                return (lambda, round);
            }
            let image = self.apply(&direction);
            // A column that is done takes no further step.
            let mut step = products(&direction, &image);
            Zip::from(&mut step).and(&energy).and(&goal).for_each(|step, &energy, &goal| {
                *step = if *step > 0.0 && energy > goal { energy / *step } else { 0.0 };
            });
            add_scaled(&mut lambda, &direction, &step);
            add_scaled(&mut left, &image, &step.mapv(|step| -step));
            let residual = self.precondition(&left);
            let next = products(&left, &residual);
            let keep = Zip::from(&next)
                .and(&energy)
                .map_collect(|&next, &energy| if energy > 0.0 { next / energy } else { 0.0 });
            Zip::indexed(&mut direction).and(&residual).for_each(|(_, column), old, &new| {
                *old = new + keep[column] * *old;
            });
            Zip::from(&mut energy).and(&next).and(&step).for_each(|energy, &next, &step| {
                *energy = if step > 0.0 { next } else { 0.0 };
            });
        }
        (lambda, ROUNDS_MAX)
    }

    /// The sum of the sweeps' answers, each at its own nodes.
    fn precondition(&self, beyond: &Array2<f64>) -> Array2<f64> {
        let mut lambda = Array2::zeros(beyond.raw_dim());
        self.sweeps.iter().for_each(|sweep| sweep.solve(beyond, &mut lambda));
        lambda
    }

    /// K times a matrix (A, C).
    fn apply(&self, of: &Array2<f64>) -> Array2<f64> {
        let mut image = Array2::zeros(of.raw_dim());
        let rows: Vec<ArrayViewMut1<'_, f64>> = image.axis_iter_mut(Axis(0)).collect();
        rows.into_par_iter().enumerate().for_each(|(node, mut row)| {
            let range = self.starts[node]..self.starts[node + 1];
            for (&column, &value) in self.columns[range.clone()].iter().zip(&self.values[range]) {
                row.scaled_add(value, &of.row(column as usize));
            }
        });
        image
    }
}

/// Column by column, Σ over rows of the products.
fn products(one: &Array2<f64>, two: &Array2<f64>) -> Array1<f64> {
    let mut sums = Array1::zeros(one.ncols());
    for (one, two) in one.outer_iter().zip(two.outer_iter()) {
        Zip::from(&mut sums).and(&one).and(&two).for_each(|sum, &one, &two| *sum += one * two);
    }
    sums
}

/// to += what, every column times its own factor.
fn add_scaled(to: &mut Array2<f64>, what: &Array2<f64>, factors: &Array1<f64>) {
    for (mut to, what) in to.outer_iter_mut().zip(what.outer_iter()) {
        Zip::from(&mut to).and(&what).and(factors).for_each(|to, &what, &factor| *to += factor * what);
    }
}

#[cfg(test)]
mod tests {
    use super::super::cases::{incoherent, random};
    use super::*;

    /// Rounds and the largest residual r − K λ where levels cross.
    fn crossed(leaves: usize, variance: impl Fn(usize) -> f64) -> (usize, f64) {
        let tree = random(leaves, 3, false);
        assert!(!tree.is_nested());
        let variances: Vec<f64> = (0..tree.nodes()).map(variance).collect();
        let (aggregates, below) = variances.split_at(tree.aggregates());
        let system = System::new(&tree, aggregates, below);
        let beyond = tree.incoherence(&incoherent(&tree, 4, 1));
        let (lambda, rounds) = system.solve(&beyond, 1e-13);
        (rounds, (beyond - system.apply(&lambda)).iter().fold(0.0, |most: f64, left| most.max(left.abs())))
    }

    #[test]
    fn crossed_levels_take_few_rounds() {
        for variance in [|_: usize| 1.0, |node: usize| 10f64.powi(node as i32 % 7 - 3), |_: usize| 1e-10] {
            let (rounds, left) = crossed(500, variance);
            assert!(rounds <= 40 && left < 1e-9, "{rounds} rounds, {left:e} left");
        }
    }

    #[test]
    fn variances_of_nothing_end_at_once() {
        assert_eq!(crossed(20, |_| 0.0).0, 0);
    }
}
