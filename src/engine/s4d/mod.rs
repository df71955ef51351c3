//! Diagonal state-space model (S4D, Gu et al., arXiv 2206.11893): parameters, initialisation, discretisation, kernel.
//!
//! Per channel h: dt = exp(log_dt), A_n = −exp(log_neg_a_n) + i a_im_n, and, over one half of the conjugate pairs,
//! K_l = 2 Re Σ_n W_n E_n^l with W = C B dt f(x), E = Ā(x), x = dt A.

mod kernel;

pub use kernel::{kernel_backward, kernel_forward};

use ndarray::{Array1, Array2};
use num_complex::Complex;
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

use crate::engine::hippo;
use crate::engine::param::{Kind, Tensor, tensor};
use crate::engine::real::Real;

/// Double-precision complex number.
pub type C64 = Complex<f64>;

/// How the continuous system becomes a discrete one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Discretization {
    /// Zero-order hold: Ā = e^x.
    ZeroOrderHold,
    /// Bilinear (Tustin): Ā = (1 + x/2) / (1 − x/2).
    Bilinear,
}

/// Where A starts (S4D paper, section 4; N is the full state size, conjugates included).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Init {
    /// A_n = −1/2 + i π n.
    Lin,
    /// A_n = −1/2 + i (N/π) (N/(2n+1) − 1).
    Inv,
    /// Eigenvalues of the normal part of HiPPO-LegS.
    LegS,
    /// A_n = −(n+1).
    Real,
    /// A_n = −1/2 + i exp(standard normal).
    Random,
}

/// Parameters of H independent diagonal state-space models with N/2 stored modes each.
#[derive(Clone, Debug)]
pub struct S4dParams<F> {
    /// Logarithm of the step (H).
    pub log_dt: Array1<F>,
    /// Logarithm of −Re A (H, N/2).
    pub log_neg_a: Array2<F>,
    /// Im A (H, N/2).
    pub a_im: Array2<F>,
    /// Re B (H, N/2).
    pub b_re: Array2<F>,
    /// Im B (H, N/2).
    pub b_im: Array2<F>,
    /// Re C (H, N/2).
    pub c_re: Array2<F>,
    /// Im C (H, N/2).
    pub c_im: Array2<F>,
    /// Skip D (H).
    pub d: Array1<F>,
}

impl<F: Real> S4dParams<F> {
    /// All zeros, for gradients; `modes` is N/2.
    pub fn zeros(hidden: usize, modes: usize) -> S4dParams<F> {
        let matrix = || Array2::zeros((hidden, modes));
        S4dParams {
            log_dt: Array1::zeros(hidden),
            log_neg_a: matrix(),
            a_im: matrix(),
            b_re: matrix(),
            b_im: matrix(),
            c_re: matrix(),
            c_im: matrix(),
            d: Array1::zeros(hidden),
        }
    }

    /// Draws `log_dt` uniformly on [ln dt_min, ln dt_max], C complex normal with E|C|² = 1, D standard normal.
    pub fn init(hidden: usize, modes: usize, init: Init, dt: (f64, f64), rng: &mut impl Rng) -> S4dParams<F> {
        let mut params = S4dParams::zeros(hidden, modes);
        let (low, high) = (dt.0.ln(), dt.1.ln());
        params.log_dt.mapv_inplace(|_| F::of(rng.random_range(low..high)));
        let mut start = poles(init, modes, rng);
        for channel in 0..hidden {
            // Only the random poles differ from channel to channel.
            if init == Init::Random && channel > 0 {
                start = poles(init, modes, rng);
            }
            for (n, &(a, b)) in start.iter().enumerate() {
                params.log_neg_a[[channel, n]] = F::of((-a.re).ln());
                params.a_im[[channel, n]] = F::of(a.im);
                params.b_re[[channel, n]] = F::of(b);
            }
        }
        let mut normal = |scale: f64| F::of(scale * rng.sample::<f64, _>(StandardNormal));
        params.c_re.mapv_inplace(|_| normal(std::f64::consts::FRAC_1_SQRT_2));
        params.c_im.mapv_inplace(|_| normal(std::f64::consts::FRAC_1_SQRT_2));
        params.d.mapv_inplace(|_| normal(1.0));
        params
    }

    /// Named tensors.
    pub fn tensors(&mut self, prefix: &str) -> Vec<Tensor<'_, F>> {
        vec![
            tensor(prefix, "log_dt", Kind::Ssm, &mut self.log_dt),
            tensor(prefix, "log_neg_a", Kind::Ssm, &mut self.log_neg_a),
            tensor(prefix, "a_im", Kind::Ssm, &mut self.a_im),
            tensor(prefix, "b_re", Kind::Frozen, &mut self.b_re),
            tensor(prefix, "b_im", Kind::Frozen, &mut self.b_im),
            tensor(prefix, "c_re", Kind::Matrix, &mut self.c_re),
            tensor(prefix, "c_im", Kind::Matrix, &mut self.c_im),
            tensor(prefix, "d", Kind::Vector, &mut self.d),
        ]
    }

    /// dt, A, B, C of one mode in f64.
    pub(crate) fn mode(&self, channel: usize, n: usize) -> Mode {
        let at = [channel, n];
        let complex = |re: F, im: F| C64::new(re.wide(), im.wide());
        Mode {
            dt: self.log_dt[channel].wide().exp(),
            a: C64::new(-self.log_neg_a[at].wide().exp(), self.a_im[at].wide()),
            b: complex(self.b_re[at], self.b_im[at]),
            c: complex(self.c_re[at], self.c_im[at]),
        }
    }
}

/// Starting (A_n, B_n) of one channel; B is real in every initialisation.
fn poles(init: Init, modes: usize, rng: &mut impl Rng) -> Vec<(C64, f64)> {
    let pi = std::f64::consts::PI;
    let size = 2.0 * modes as f64;
    match init {
        Init::Lin => (0..modes).map(|n| (C64::new(-0.5, pi * n as f64), 1.0)).collect(),
        Init::Inv => {
            let imaginary = |n: usize| size / pi * (size / (2 * n + 1) as f64 - 1.0);
            (0..modes).map(|n| (C64::new(-0.5, imaginary(n)), 1.0)).collect()
        }
        Init::LegS => {
            let spectrum = hippo::legs_spectrum(2 * modes);
            spectrum.omega.iter().zip(&spectrum.b).map(|(&omega, &b)| (C64::new(-0.5, omega), b)).collect()
        }
        Init::Real => (0..modes).map(|n| (C64::new(-(n as f64 + 1.0), 0.0), 1.0)).collect(),
        Init::Random => {
            (0..modes).map(|_| (C64::new(-0.5, rng.sample::<f64, _>(StandardNormal).exp()), 1.0)).collect()
        }
    }
}

/// One mode of one channel, in f64.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mode {
    pub dt: f64,
    pub a: C64,
    pub b: C64,
    pub c: C64,
}

/// Ā, f and their derivatives at x = dt A, so that B̄ = B dt f.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Discrete {
    pub e: C64,
    pub e_slope: C64,
    pub f: C64,
    pub f_slope: C64,
}

impl Mode {
    /// Discretises the mode.
    pub(crate) fn discretize(&self, discretization: Discretization) -> Discrete {
        let x = self.a * self.dt;
        match discretization {
            Discretization::ZeroOrderHold => {
                let e = x.exp();
                let (f, f_slope) = phi(x, e);
                Discrete { e, e_slope: e, f, f_slope }
            }
            Discretization::Bilinear => {
                let f = (1.0 - x / 2.0).inv();
                Discrete { e: (1.0 + x / 2.0) * f, e_slope: f * f, f, f_slope: 0.5 * f * f }
            }
        }
    }
}

/// Holomorphic coefficients of one mode, and its part of d log_dt.
pub(crate) struct ModeGradient {
    pub a: C64,
    pub b: C64,
    pub c: C64,
    pub log_dt: f64,
}

// With W = C B dt f(x), E = Ā(x), x = dt A, and c_W, c_E given:
//   c_x = c_E Ā' + c_W C B dt f',  c_C = c_W B dt f,  c_B = c_W C dt f,  c_A = dt c_x,
//   d log_dt = dt Re Σ (c_W C B f + c_x A),  d log_neg_a = Re c_A Re A,  d a_im = −Im c_A,
//   d Re C = Re c_C,  d Im C = −Im c_C, and the same for B.

/// From the coefficients of W and of E to those of A, B and C.
pub(crate) fn mode_gradient(mode: &Mode, discrete: &Discrete, c_w: C64, c_e: C64) -> ModeGradient {
    let x = c_e * discrete.e_slope + c_w * mode.c * mode.b * mode.dt * discrete.f_slope;
    ModeGradient {
        a: x * mode.dt,
        b: c_w * mode.c * mode.dt * discrete.f,
        c: c_w * mode.b * mode.dt * discrete.f,
        log_dt: mode.dt * (c_w * mode.c * mode.b * discrete.f + x * mode.a).re,
    }
}

impl<F: Real> S4dParams<F> {
    /// Adds the gradient of one mode to this one, and returns nothing but its part of d log_dt.
    pub(crate) fn add_mode(&mut self, at: [usize; 2], mode: &Mode, gradient: &ModeGradient) -> f64 {
        self.log_neg_a[at] += F::of(gradient.a.re * mode.a.re);
        self.a_im[at] -= F::of(gradient.a.im);
        self.c_re[at] += F::of(gradient.c.re);
        self.c_im[at] -= F::of(gradient.c.im);
        self.b_re[at] += F::of(gradient.b.re);
        self.b_im[at] -= F::of(gradient.b.im);
        gradient.log_dt
    }
}

/// φ₁(x) = (e^x − 1)/x and its derivative; series below |x| = 0.1, where the closed form cancels.
fn phi(x: C64, e: C64) -> (C64, C64) {
    if x.norm() >= 0.1 {
        return ((e - 1.0) / x, (e * (x - 1.0) + 1.0) / (x * x));
    }
    // φ₁ = Σ x^k/(k+1)!,  φ₁' = Σ (k+1) x^k/(k+2)!; the terms fall below 1e-17 before k = 12.
    let (mut value, mut slope) = (C64::ZERO, C64::ZERO);
    let (mut power, mut factorial) = (C64::ONE, 1.0);
    for k in 0..12 {
        factorial *= (k + 1) as f64;
        value += power / factorial;
        slope += power * ((k + 1) as f64) / (factorial * (k + 2) as f64);
        power *= x;
    }
    (value, slope)
}
