//! Diagonal plus low-rank state-space model (S4, Gu et al., arXiv 2111.00396): parameters, initialisation, kernel.
//!
//! Per channel h and over one half of the conjugate pairs, dt = exp(log_dt), Λ_n = −exp(log_neg_a_n) + i a_im_n. The
//! system of full size N is x' = A x + B u with A = diag(Λ, Λ̄) − p p* and p = (P, P̄): the low-rank part takes energy
//! away whatever P is, so A stays stable under training. It is discretised by the bilinear rule,
//! Ā = (I − dt/2 A)⁻¹ (I + dt/2 A), B̄ = dt (I − dt/2 A)⁻¹ B, and K_l = C Āˡ B̄ = 2 Re Σ_{n<N/2} (…).
//!
//! The leaf is not C but C̃ = C (I − Ā^L), which belongs to one length L: a kernel from C̃ costs O(N L) and needs no
//! power of Ā. [`DplrParams::output`] gives C back where a step needs it. When dt, Λ or P change, so does the C that a
//! given C̃ stands for; the kernel of length L is what C̃ parameterises.

mod kernel;
mod nodes;
mod output;
pub(crate) mod transition;

pub use kernel::{kernel_backward, kernel_forward};

use ndarray::{Array1, Array2};
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

use crate::engine::hippo;
use crate::engine::param::{Kind, Tensor, tensor};
use crate::engine::real::Real;
use crate::engine::s4d::C64;

/// Parameters of H independent DPLR state-space models with N/2 stored modes each.
#[derive(Clone, Debug)]
pub struct DplrParams<F> {
    /// The length L that C̃ belongs to: the longest kernel.
    pub len: usize,
    /// Logarithm of the step (H).
    pub log_dt: Array1<F>,
    /// Logarithm of −Re Λ (H, N/2).
    pub log_neg_a: Array2<F>,
    /// Im Λ (H, N/2).
    pub a_im: Array2<F>,
    /// Re P (H, N/2).
    pub p_re: Array2<F>,
    /// Im P (H, N/2).
    pub p_im: Array2<F>,
    /// Re B (H, N/2).
    pub b_re: Array2<F>,
    /// Im B (H, N/2).
    pub b_im: Array2<F>,
    /// Re C̃ (H, N/2).
    pub c_re: Array2<F>,
    /// Im C̃ (H, N/2).
    pub c_im: Array2<F>,
    /// Skip D (H).
    pub d: Array1<F>,
}

impl<F: Real> DplrParams<F> {
    /// All zeros, for gradients; `modes` is N/2 and `len` the length of C̃.
    pub fn zeros(hidden: usize, modes: usize, len: usize) -> DplrParams<F> {
        let matrix = || Array2::zeros((hidden, modes));
        DplrParams {
            len,
            log_dt: Array1::zeros(hidden),
            log_neg_a: matrix(),
            a_im: matrix(),
            p_re: matrix(),
            p_im: matrix(),
            b_re: matrix(),
            b_im: matrix(),
            c_re: matrix(),
            c_im: matrix(),
            d: Array1::zeros(hidden),
        }
    }

    /// HiPPO-LegS in every channel (S4 paper, theorem 1), `log_dt` uniform on [ln dt_min, ln dt_max], the true C complex
    /// normal with E|C|² = 1 and turned into the C̃ of `len`, D standard normal.
    pub fn init(
        hidden: usize,
        modes: usize,
        len: usize,
        dt: (f64, f64),
        rng: &mut impl Rng,
    ) -> DplrParams<F> {
        let mut params = DplrParams::zeros(hidden, modes, len);
        let (low, high) = (dt.0.ln(), dt.1.ln());
        params.log_dt.mapv_inplace(|_| F::of(rng.random_range(low..high)));
        let spectrum = hippo::legs_spectrum(2 * modes);
        params.log_neg_a.fill(F::of(0.5_f64.ln()));
        for n in 0..modes {
            params.a_im.column_mut(n).fill(F::of(spectrum.omega[n]));
            params.p_re.column_mut(n).fill(F::of(spectrum.p[n]));
            params.b_re.column_mut(n).fill(F::of(spectrum.b[n]));
        }
        let mut normal = |scale: f64| scale * rng.sample::<f64, _>(StandardNormal);
        let part = std::f64::consts::FRAC_1_SQRT_2;
        let c = Array2::from_shape_simple_fn((hidden, modes), || C64::new(normal(part), normal(part)));
        params.d.mapv_inplace(|_| F::of(normal(1.0)));
        params.set_output(c.view(), len);
        params
    }

    /// Named tensors. P and B are trained like A here, at the small rate: no other parameter absorbs them.
    pub fn tensors(&mut self, prefix: &str) -> Vec<Tensor<'_, F>> {
        vec![
            tensor(prefix, "log_dt", Kind::Ssm, &mut self.log_dt),
            tensor(prefix, "log_neg_a", Kind::Ssm, &mut self.log_neg_a),
            tensor(prefix, "a_im", Kind::Ssm, &mut self.a_im),
            tensor(prefix, "p_re", Kind::Ssm, &mut self.p_re),
            tensor(prefix, "p_im", Kind::Ssm, &mut self.p_im),
            tensor(prefix, "b_re", Kind::Ssm, &mut self.b_re),
            tensor(prefix, "b_im", Kind::Ssm, &mut self.b_im),
            tensor(prefix, "c_re", Kind::Matrix, &mut self.c_re),
            tensor(prefix, "c_im", Kind::Matrix, &mut self.c_im),
            tensor(prefix, "d", Kind::Vector, &mut self.d),
        ]
    }

    /// One channel in f64.
    pub(crate) fn channel(&self, h: usize) -> Channel {
        let complex = |re: &Array2<F>, im: &Array2<F>| -> Vec<C64> {
            re.row(h).iter().zip(im.row(h)).map(|(re, im)| C64::new(re.wide(), im.wide())).collect()
        };
        let mut lambda = complex(&self.log_neg_a, &self.a_im);
        lambda.iter_mut().for_each(|lambda| lambda.re = -lambda.re.exp());
        Channel {
            dt: self.log_dt[h].wide().exp(),
            lambda,
            p: complex(&self.p_re, &self.p_im),
            b: complex(&self.b_re, &self.b_im),
            c: complex(&self.c_re, &self.c_im),
        }
    }
}

/// One channel: dt and, per stored mode, Λ, P, B and C̃ (N/2 each).
#[derive(Clone, Debug)]
pub(crate) struct Channel {
    pub dt: f64,
    pub lambda: Vec<C64>,
    pub p: Vec<C64>,
    pub b: Vec<C64>,
    pub c: Vec<C64>,
}
