//! The true C and the C̃ of a length: C̃ = C (I − Ā^L) (S4 paper, lemma C.3).
//!
//! A readout y = 2 Re Σ C x is, up to the factor two, the real row (Re C, −Im C) on the column (Re x, Im x), where Ā^L
//! is a real matrix of size N.

use ndarray::{Array1, Array2, ArrayView2};

use crate::engine::dplr::DplrParams;
use crate::engine::dplr::transition::Transition;
use crate::engine::real::Real;
use crate::engine::s4d::C64;

impl<F: Real> DplrParams<F> {
    /// Makes C̃ that of the true C (H, N/2) for kernels of up to `len` positions.
    pub fn set_output(&mut self, c: ArrayView2<C64>, len: usize) {
        for (h, c) in c.outer_iter().enumerate() {
            let power = Transition::new(&self.channel(h)).power(len);
            let c = row(c);
            self.set_row(h, &(&c - &c.dot(&power)));
        }
        self.len = len;
    }

    /// The true C (H, N/2), which steps need; it changes whenever dt, Λ, P or C̃ does.
    pub fn output(&self) -> Array2<C64> {
        let mut c = Array2::zeros(self.c_re.dim());
        for (h, mut c) in c.outer_iter_mut().enumerate() {
            let channel = self.channel(h);
            let power = Transition::new(&channel).power(self.len);
            let matrix = Array2::eye(power.nrows()) - power.t();
            let solution = solve(matrix, row(&channel.c));
            for (n, c) in c.iter_mut().enumerate() {
                *c = C64::new(solution[n], -solution[channel.c.len() + n]);
            }
        }
        c
    }

    /// Doubles the length of C̃, which the same C then has: C̃_{2L} = C (I − Ā^{2L}) = C̃_L (I + Ā^L).
    pub fn double(&mut self) {
        for h in 0..self.log_dt.len() {
            let channel = self.channel(h);
            let power = Transition::new(&channel).power(self.len);
            let c = row(&channel.c);
            self.set_row(h, &(&c + &c.dot(&power)));
        }
        self.len *= 2;
    }

    fn set_row(&mut self, h: usize, row: &Array1<f64>) {
        let modes = self.c_re.ncols();
        for n in 0..modes {
            self.c_re[[h, n]] = F::of(row[n]);
            self.c_im[[h, n]] = F::of(-row[modes + n]);
        }
    }
}

/// The row (Re C, −Im C).
fn row<'a>(c: impl IntoIterator<Item = &'a C64> + Clone) -> Array1<f64> {
    c.clone().into_iter().map(|c| c.re).chain(c.into_iter().map(|c| -c.im)).collect()
}

/// x with `matrix` x = `right`, by Gaussian elimination with partial pivoting.
fn solve(mut matrix: Array2<f64>, mut right: Array1<f64>) -> Array1<f64> {
    let size = right.len();
    for k in 0..size {
        let larger = |&a: &usize, &b: &usize| matrix[[a, k]].abs().total_cmp(&matrix[[b, k]].abs());
        let pivot = (k..size).max_by(larger).expect("k lies below the size");
        right.swap(k, pivot);
        for column in k..size {
            matrix.swap([k, column], [pivot, column]);
        }
        for i in k + 1..size {
            let factor = matrix[[i, k]] / matrix[[k, k]];
            right[i] -= factor * right[k];
            for column in k + 1..size {
                matrix[[i, column]] -= factor * matrix[[k, column]];
            }
        }
    }
    for k in (0..size).rev() {
        let known: f64 = (k + 1..size).map(|column| matrix[[k, column]] * right[column]).sum();
        right[k] = (right[k] - known) / matrix[[k, k]];
    }
    right
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::solve;

    #[test]
    fn elimination_swaps_rows_where_a_pivot_is_zero() {
        let matrix = array![[0.0, 2.0, 1.0], [1.0, -1.0, 0.0], [3.0, 0.0, -2.0]];
        let x = array![1.0, -2.0, 3.0];
        let solution = solve(matrix.clone(), matrix.dot(&x));
        assert!((&solution - &x).iter().all(|difference| difference.abs() < 1e-14));
    }
}
