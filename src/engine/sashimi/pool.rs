//! Down-pooling and up-pooling (SaShiMi, arXiv 2202.09729): p frames to one and back, causally.
//!
//! Both are a linear map and a change of shape; the features of p grouped frames have the index channel · p + offset.

use ndarray::{Array2, Array3, ArrayView3, s};

use crate::engine::block::{into_rows, rows, sequences};
use crate::engine::linear::{self, LinearParams};
use crate::engine::real::Real;

/// Every p consecutive frames of x (batch, L, H) side by side: (batch, L/p, H p).
///
/// # Panics
/// If L is not a multiple of p.
pub fn group<F: Real>(x: ArrayView3<F>, pool: usize) -> Array3<F> {
    let (batch, len, width) = x.dim();
    assert!(len.is_multiple_of(pool), "{len} positions in frames of {pool}");
    let x = x
        .into_shape_with_order((batch, len / pool, pool, width))
        .expect("activations are in standard layout");
    let grouped = x.permuted_axes([0, 1, 3, 2]).as_standard_layout().into_owned();
    grouped.into_shape_with_order((batch, len / pool, width * pool)).expect("in standard layout")
}

/// The inverse of [`group`], which is also its transpose: (batch, L, H p) to (batch, L p, H).
pub fn ungroup<F: Real>(x: ArrayView3<F>, pool: usize) -> Array3<F> {
    let (batch, len, features) = x.dim();
    let width = features / pool;
    let x = x.into_shape_with_order((batch, len, width, pool)).expect("activations are in standard layout");
    let frames = x.permuted_axes([0, 1, 3, 2]).as_standard_layout().into_owned();
    frames.into_shape_with_order((batch, len * pool, width)).expect("in standard layout")
}

/// Coarse frames (batch, L/p, outputs) of x (batch, L, H), with the map (outputs, H p); and what backward needs, the
/// grouped frames (rows, H p).
pub fn down_forward<F: Real>(
    params: &LinearParams<F>,
    pool: usize,
    x: ArrayView3<F>,
) -> (Array3<F>, Array2<F>) {
    let batch = x.dim().0;
    let grouped = into_rows(group(x, pool));
    (sequences(linear::forward(params, grouped.view()), batch), grouped)
}

// y = W G x + b, where G permutes: dx = Gᵀ Wᵀ dy, and Gᵀ = G⁻¹ takes the group apart.

/// dLoss/dx (batch, L, H) given dy (batch, L/p, outputs); adds to `grad`.
pub fn down_backward<F: Real>(
    params: &LinearParams<F>,
    pool: usize,
    grouped: &Array2<F>,
    dy: ArrayView3<F>,
    grad: &mut LinearParams<F>,
) -> Array3<F> {
    linear::accumulate(grouped.view(), rows(dy), grad);
    let d_grouped = linear::input_gradient(params, rows(dy));
    ungroup(sequences(d_grouped, dy.dim().0).view(), pool)
}

/// Fine frames (batch, L p, outputs) of x (batch, L, H), with the map (outputs p, H): what coarse frame t says is unfolded
/// to the p frames of coarse position t + 1, and the first p frames are zero. Backward needs x.
pub fn up_forward<F: Real>(params: &LinearParams<F>, pool: usize, x: ArrayView3<F>) -> Array3<F> {
    let (batch, len, _) = x.dim();
    let said = sequences(linear::forward(params, rows(x)), batch);
    let mut shifted = Array3::zeros(said.dim());
    shifted.slice_mut(s![.., 1.., ..]).assign(&said.slice(s![.., ..len - 1, ..]));
    ungroup(shifted.view(), pool)
}

// y = G⁻¹ S (W x + b) with the shift S: its transpose moves the gradient one coarse frame back and drops the first, so
// the last coarse frame, which no fine one hears, gets none: neither in W nor in b.

/// dLoss/dx (batch, L, H) given dy (batch, L p, outputs); adds to `grad`.
pub fn up_backward<F: Real>(
    params: &LinearParams<F>,
    pool: usize,
    x: ArrayView3<F>,
    dy: ArrayView3<F>,
    grad: &mut LinearParams<F>,
) -> Array3<F> {
    let (batch, len, _) = x.dim();
    let d_shifted = group(dy, pool);
    let mut d_said = Array3::zeros(d_shifted.dim());
    d_said.slice_mut(s![.., ..len - 1, ..]).assign(&d_shifted.slice(s![.., 1.., ..]));
    linear::accumulate(rows(x), rows(d_said.view()), grad);
    sequences(linear::input_gradient(params, rows(d_said.view())), batch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn features_of_a_group_are_channel_times_pool_plus_offset() {
        let x = array![[[1.0, 10.0], [2.0, 20.0], [3.0, 30.0], [4.0, 40.0]]];
        let grouped = group(x.view(), 2);
        assert_eq!(grouped, array![[[1.0, 2.0, 10.0, 20.0], [3.0, 4.0, 30.0, 40.0]]]);
        assert_eq!(ungroup(grouped.view(), 2), x);
    }

    #[test]
    fn a_coarse_frame_is_heard_one_coarse_frame_later() {
        let params = LinearParams { weight: array![[1.0], [10.0]], bias: array![0.5, 0.5] };
        let y = up_forward(&params, 2, array![[[1.0], [2.0], [3.0]]].view());
        assert_eq!(y, array![[[0.0], [0.0], [1.5], [10.5], [2.5], [20.5]]]);
    }
}
