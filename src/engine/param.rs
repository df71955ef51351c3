//! Named views of parameters, so that optimiser, checkpoint and gradient reduction need no list of their own.

use ndarray::{ArrayBase, DataMut, Dimension};

use crate::engine::real::Real;

/// How the optimiser treats a tensor (S4 reference recipe: state-space parameters get their own rate, no decay).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `log_dt`, A and, in S4, P and B: small learning rate, no decay.
    Ssm,
    /// Weight matrices and C: decayed.
    Matrix,
    /// Biases, norms, D: not decayed.
    Vector,
    /// Never trained (the B of S4D, absorbed by C).
    Frozen,
}

/// One parameter tensor, row-major.
pub struct Tensor<'a, F> {
    /// Path in the model, for example `block0.ssm.log_dt`.
    pub name: String,
    /// Optimiser group.
    pub kind: Kind,
    /// Shape.
    pub shape: Vec<usize>,
    /// Values, as many as the shape says.
    pub values: &'a mut [F],
}

/// View of an array as a [`Tensor`].
///
/// # Panics
/// If the array is not in standard layout: all parameters are.
pub fn tensor<'a, F, S, D>(
    prefix: &str,
    name: &str,
    kind: Kind,
    array: &'a mut ArrayBase<S, D>,
) -> Tensor<'a, F>
where
    F: Real,
    S: DataMut<Elem = F>,
    D: Dimension,
{
    let shape = array.shape().to_vec();
    let values = array.as_slice_mut().expect("parameters are in standard layout");
    Tensor { name: format!("{prefix}{name}"), kind, shape, values }
}
