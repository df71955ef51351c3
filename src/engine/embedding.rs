//! Lookup table: a vector per code; forward, backward.

use ndarray::{Array2, Array3, ArrayView2, ArrayView3};
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

use crate::engine::param::{Kind, Tensor, tensor};
use crate::engine::real::Real;

/// The table.
#[derive(Clone, Debug)]
pub struct EmbeddingParams<F> {
    /// One row per code (codes, H).
    pub table: Array2<F>,
}

impl<F: Real> EmbeddingParams<F> {
    /// All zeros, for gradients.
    pub fn zeros(codes: usize, hidden: usize) -> EmbeddingParams<F> {
        EmbeddingParams { table: Array2::zeros((codes, hidden)) }
    }

    /// Standard normal, as PyTorch's `Embedding`.
    pub fn init(codes: usize, hidden: usize, rng: &mut impl Rng) -> EmbeddingParams<F> {
        let draw = || F::of(rng.sample(StandardNormal));
        EmbeddingParams { table: Array2::from_shape_simple_fn((codes, hidden), draw) }
    }

    /// Named tensors.
    pub fn tensors(&mut self, prefix: &str) -> Vec<Tensor<'_, F>> {
        vec![tensor(prefix, "table", Kind::Matrix, &mut self.table)]
    }
}

/// x (batch, L, H) of codes (batch, L).
///
/// # Panics
/// If a code has no row.
pub fn forward<F: Real>(params: &EmbeddingParams<F>, codes: ArrayView2<u16>) -> Array3<F> {
    let (batch, len) = codes.dim();
    let mut x = Array3::zeros((batch, len, params.table.ncols()));
    for (mut x, &code) in x.rows_mut().into_iter().zip(codes) {
        x.assign(&params.table.row(usize::from(code)));
    }
    x
}

// x[r] = table[code r]: a row of the table has the sum of the gradients of its positions.

/// Adds dLoss/dtable to `grad`, given dx (batch, L, H).
pub fn accumulate<F: Real>(codes: ArrayView2<u16>, dx: ArrayView3<F>, grad: &mut EmbeddingParams<F>) {
    assert_eq!(codes.dim(), (dx.dim().0, dx.dim().1), "codes and gradients");
    for (dx, &code) in dx.rows().into_iter().zip(codes) {
        let mut row = grad.table.row_mut(usize::from(code));
        row += &dx;
    }
}
