//! The state-space model of a block: diagonal (S4D) or diagonal plus low-rank (S4), behind one set of calls.

use ndarray::{Array1, Array2, ArrayView2};
use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::engine::dplr::{self, DplrParams};
use crate::engine::param::Tensor;
use crate::engine::real::Real;
use crate::engine::s4d::{self, Discretization, Init, S4dParams};

/// Which state-space model a network is made of, as it also stands in model files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SsmKind {
    /// Diagonal, arXiv 2206.11893.
    #[default]
    S4d,
    /// Diagonal plus low-rank, arXiv 2111.00396: HiPPO-LegS and bilinear, whatever initialisation and discretisation
    /// are asked for.
    S4,
}

impl SsmKind {
    /// All of them.
    pub const ALL: [SsmKind; 2] = [SsmKind::S4d, SsmKind::S4];

    /// Name in settings and documents.
    pub fn as_str(self) -> &'static str {
        match self {
            SsmKind::S4d => "s4d",
            SsmKind::S4 => "s4",
        }
    }

    /// Whether this is the default, which model files leave out.
    pub fn is_default(&self) -> bool {
        *self == SsmKind::default()
    }

    /// Parameters per channel with `modes` stored modes.
    pub fn parameters(self, modes: u128) -> u128 {
        match self {
            // Real and imaginary parts of A, B and C; dt and D.
            SsmKind::S4d => 6 * modes + 2,
            // P besides.
            SsmKind::S4 => 8 * modes + 2,
        }
    }
}

/// Parameters of H state-space models of either kind.
#[derive(Clone, Debug)]
pub enum SsmParams<F> {
    /// S4D.
    Diagonal(S4dParams<F>),
    /// S4.
    Dplr(DplrParams<F>),
}

impl<F> From<S4dParams<F>> for SsmParams<F> {
    fn from(params: S4dParams<F>) -> SsmParams<F> {
        SsmParams::Diagonal(params)
    }
}

impl<F> From<DplrParams<F>> for SsmParams<F> {
    fn from(params: DplrParams<F>) -> SsmParams<F> {
        SsmParams::Dplr(params)
    }
}

impl<F: Real> SsmParams<F> {
    /// All zeros; `modes` is N/2 and `len` the longest kernel.
    pub fn zeros(kind: SsmKind, hidden: usize, modes: usize, len: usize) -> SsmParams<F> {
        match kind {
            SsmKind::S4d => S4dParams::zeros(hidden, modes).into(),
            SsmKind::S4 => DplrParams::zeros(hidden, modes, len).into(),
        }
    }

    /// All zeros in the shape of these parameters, for gradients.
    pub fn zeros_like(&self) -> SsmParams<F> {
        match self {
            SsmParams::Diagonal(p) => S4dParams::zeros(p.a_im.nrows(), p.a_im.ncols()).into(),
            SsmParams::Dplr(p) => DplrParams::zeros(p.a_im.nrows(), p.a_im.ncols(), p.len).into(),
        }
    }

    /// Parameters to start from, for kernels of up to `len` positions; S4 has one initialisation and ignores `init`.
    pub fn init(
        kind: SsmKind,
        hidden: usize,
        modes: usize,
        len: usize,
        init: Init,
        dt: (f64, f64),
        rng: &mut impl Rng,
    ) -> SsmParams<F> {
        match kind {
            SsmKind::S4d => S4dParams::init(hidden, modes, init, dt, rng).into(),
            SsmKind::S4 => DplrParams::init(hidden, modes, len, dt, rng).into(),
        }
    }

    /// Named tensors.
    pub fn tensors(&mut self, prefix: &str) -> Vec<Tensor<'_, F>> {
        match self {
            SsmParams::Diagonal(params) => params.tensors(prefix),
            SsmParams::Dplr(params) => params.tensors(prefix),
        }
    }

    /// Skip D (H).
    pub fn d(&self) -> &Array1<F> {
        match self {
            SsmParams::Diagonal(params) => &params.d,
            SsmParams::Dplr(params) => &params.d,
        }
    }

    /// Skip D (H), to be changed.
    pub fn d_mut(&mut self) -> &mut Array1<F> {
        match self {
            SsmParams::Diagonal(params) => &mut params.d,
            SsmParams::Dplr(params) => &mut params.d,
        }
    }

    /// Kernel K transposed, (len, H). S4 is bilinear and ignores the discretisation.
    ///
    /// # Panics
    /// If `len` exceeds the length that an S4 model was made for.
    pub fn kernel_forward(&self, len: usize, discretization: Discretization) -> Array2<F> {
        match self {
            SsmParams::Diagonal(params) => s4d::kernel_forward(params, discretization, len),
            SsmParams::Dplr(params) => dplr::kernel_forward(params, len),
        }
    }

    /// Adds the gradients of all parameters but D to `grad`, given dK transposed (len, H).
    ///
    /// # Panics
    /// If `grad` is of another kind, or `len` exceeds the length that an S4 model was made for.
    pub fn kernel_backward(
        &self,
        discretization: Discretization,
        dk: ArrayView2<F>,
        grad: &mut SsmParams<F>,
    ) {
        match (self, grad) {
            (SsmParams::Diagonal(params), SsmParams::Diagonal(grad)) => {
                s4d::kernel_backward(params, discretization, dk, grad);
            }
            (SsmParams::Dplr(params), SsmParams::Dplr(grad)) => dplr::kernel_backward(params, dk, grad),
            _ => panic!("a gradient has the kind of its parameters"),
        }
    }

    /// The parameters of a diagonal model.
    ///
    /// # Panics
    /// If the model is none: a caller that computes diagonal models only has to be given one.
    pub fn diagonal(&self) -> &S4dParams<F> {
        match self {
            SsmParams::Diagonal(params) => params,
            SsmParams::Dplr(_) => panic!("this path computes diagonal state-space models only"),
        }
    }

    /// [`SsmParams::diagonal`], to be changed.
    ///
    /// # Panics
    /// As that.
    pub fn diagonal_mut(&mut self) -> &mut S4dParams<F> {
        match self {
            SsmParams::Diagonal(params) => params,
            SsmParams::Dplr(_) => panic!("this path computes diagonal state-space models only"),
        }
    }
}
