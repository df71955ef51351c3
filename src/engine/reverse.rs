//! The second direction of a bidirectional layer: a C of its own, everything else shared with the first (S4 repository,
//! `bidirectional`; Goel et al., arXiv 2202.09729, section 3.3).
//!
//! y_t = Σ_{s≤t} K_{t−s} u_s + Σ_{s>t} K'_{s−t−1} u_s + D u_t: the position itself belongs to the first direction.

use ndarray::{Array2, ArrayView2};
use num_complex::Complex;
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

use crate::engine::param::{Kind, Tensor, tensor};
use crate::engine::real::Real;
use crate::engine::s4d::Discretization;
use crate::engine::ssm::SsmParams;

/// C of the second direction; of an S4 model the C̃ that belongs to its length.
#[derive(Clone, Debug)]
pub struct Reverse<F> {
    /// Re C (H, N/2).
    pub c_re: Array2<F>,
    /// Im C (H, N/2).
    pub c_im: Array2<F>,
}

impl<F: Real> Reverse<F> {
    /// All zeros.
    pub fn zeros(hidden: usize, modes: usize) -> Reverse<F> {
        Reverse { c_re: Array2::zeros((hidden, modes)), c_im: Array2::zeros((hidden, modes)) }
    }

    /// C complex normal with E|C|² = 1, as that of the first direction.
    pub fn init(ssm: &SsmParams<F>, rng: &mut impl Rng) -> Reverse<F> {
        let mut normal = || std::f64::consts::FRAC_1_SQRT_2 * rng.sample::<f64, _>(StandardNormal);
        match ssm {
            SsmParams::Diagonal(params) => {
                let mut matrix = || Array2::from_shape_simple_fn(params.a_im.dim(), || F::of(normal()));
                Reverse { c_re: matrix(), c_im: matrix() }
            }
            SsmParams::Dplr(params) => {
                let shape = params.a_im.dim();
                let c = Array2::from_shape_simple_fn(shape, || Complex::new(normal(), normal()));
                let mut own = params.clone();
                own.set_output(c.view(), params.len);
                Reverse { c_re: own.c_re, c_im: own.c_im }
            }
        }
    }

    /// Named tensors.
    pub fn tensors(&mut self, prefix: &str) -> Vec<Tensor<'_, F>> {
        vec![
            tensor(prefix, "reverse_c_re", Kind::Matrix, &mut self.c_re),
            tensor(prefix, "reverse_c_im", Kind::Matrix, &mut self.c_im),
        ]
    }

    /// The model with this C in place of its own.
    fn model(&self, ssm: &SsmParams<F>) -> SsmParams<F> {
        let mut model = ssm.clone();
        let (c_re, c_im) = outputs(&mut model);
        c_re.clone_from(&self.c_re);
        c_im.clone_from(&self.c_im);
        model
    }

    /// K' transposed, (len, H).
    pub fn kernel_forward(
        &self,
        ssm: &SsmParams<F>,
        len: usize,
        discretization: Discretization,
    ) -> Array2<F> {
        self.model(ssm).kernel_forward(len, discretization)
    }

    // Both directions read dt, A and B: their gradients add. C and C' are read by one each.

    /// Adds the gradient of C' to `grad` and those of all that is shared to `shared`, given dK' transposed (len, H).
    pub fn kernel_backward(
        &self,
        ssm: &SsmParams<F>,
        discretization: Discretization,
        dk: ArrayView2<F>,
        grad: &mut Reverse<F>,
        shared: &mut SsmParams<F>,
    ) {
        let (re, im) = outputs(shared);
        let own = (re.clone(), im.clone());
        self.model(ssm).kernel_backward(discretization, dk, shared);
        let (re, im) = outputs(shared);
        grad.c_re += &(&*re - &own.0);
        grad.c_im += &(&*im - &own.1);
        (*re, *im) = own;
    }
}

/// Re C and Im C of a model.
fn outputs<F>(ssm: &mut SsmParams<F>) -> (&mut Array2<F>, &mut Array2<F>) {
    match ssm {
        SsmParams::Diagonal(params) => (&mut params.c_re, &mut params.c_im),
        SsmParams::Dplr(params) => (&mut params.c_re, &mut params.c_im),
    }
}
