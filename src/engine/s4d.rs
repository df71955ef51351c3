//! Diagonal state-space kernel (S4D, Gu et al., arXiv 2206.11893): parameters, initialisation, forward, backward.
//!
//! Per channel h: dt = exp(log_dt), A_n = −exp(log_neg_a_n) + i a_im_n, and, over one half of the conjugate pairs,
//! K_l = 2 Re Σ_n W_n E_n^l with W = C B dt f(x), E = Ā(x), x = dt A. Tables are made in f64 and rounded once.

use ndarray::{Array1, Array2, ArrayView2, s};
use num_complex::Complex;
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

use crate::engine::hippo;
use crate::engine::param::{Kind, Tensor, tensor};
use crate::engine::real::Real;

/// Double-precision complex number.
pub type C64 = Complex<f64>;

/// How the continuous system becomes a discrete one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discretization {
    /// Zero-order hold: Ā = e^x.
    ZeroOrderHold,
    /// Bilinear (Tustin): Ā = (1 + x/2) / (1 − x/2).
    Bilinear,
}

/// Where A starts (S4D paper, section 4; N is the full state size, conjugates included).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
        for channel in 0..hidden {
            for (n, (a, b)) in poles(init, modes, rng).into_iter().enumerate() {
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

/// Tables of a two-level Vandermonde product: E^i for i < block and E^{j block} for j < blocks.
struct Powers {
    block: usize,
    blocks: usize,
}

impl Powers {
    fn new(len: usize) -> Powers {
        let block = ((len as f64).sqrt().ceil() as usize).next_power_of_two();
        Powers { block, blocks: len.div_ceil(block) }
    }

    /// E^i, i = 0..count.
    fn table(base: C64, count: usize) -> Vec<C64> {
        let mut table = Vec::with_capacity(count);
        let mut power = C64::ONE;
        for _ in 0..count {
            table.push(power);
            power *= base;
        }
        table
    }
}

/// Kernel K transposed, (L, H): row l holds K_l of every channel.
///
/// K[j b + i] = 2 Re Σ_n (W_n E_n^{jb}) (E_n^i): per channel one real product of (blocks, N) and (N, block).
pub fn kernel_forward<F: Real>(
    params: &S4dParams<F>,
    discretization: Discretization,
    len: usize,
) -> Array2<F> {
    let (hidden, modes) = params.a_im.dim();
    let powers = Powers::new(len);
    let mut kernel = Array2::zeros((len, hidden));
    let mut left = Array2::<f64>::zeros((powers.blocks, 2 * modes));
    let mut right = Array2::<f64>::zeros((2 * modes, powers.block));
    for h in 0..hidden {
        for n in 0..modes {
            let mode = params.mode(h, n);
            let discrete = mode.discretize(discretization);
            let weight = 2.0 * mode.c * mode.b * mode.dt * discrete.f;
            let fine = Powers::table(discrete.e, powers.block + 1);
            let coarse = Powers::table(fine[powers.block], powers.blocks);
            for (j, &power) in coarse.iter().enumerate() {
                let value = weight * power;
                left[[j, 2 * n]] = value.re;
                left[[j, 2 * n + 1]] = -value.im;
            }
            for (i, &power) in fine[..powers.block].iter().enumerate() {
                right[[2 * n, i]] = power.re;
                right[[2 * n + 1, i]] = power.im;
            }
        }
        let values = left.dot(&right);
        for (out, &value) in kernel.column_mut(h).iter_mut().zip(&values) {
            *out = F::of(value);
        }
    }
    kernel
}

// Let G = dLoss/dK. A holomorphic coefficient c_z means dLoss = Re(c_z dz). From K_l = 2 Re Σ W E^l:
//   S = Σ_l G_l E^l,  T = Σ_l l G_l E^{l−1},  c_W = 2 S,  c_E = 2 W T,
// and with W = C B dt f(x), E = Ā(x), x = dt A:
//   c_x = c_E Ā' + c_W C B dt f',  c_C = c_W B dt f,  c_B = c_W C dt f,  c_A = dt c_x,
//   d log_dt = dt Re Σ (c_W C B f + c_x A),  d log_neg_a = Re c_A Re A,  d a_im = −Im c_A,
//   d Re C = Re c_C,  d Im C = −Im c_C, and the same for B.
// T is formed with E^{l−1}, not l E^l / E: the bilinear E is zero at x = −2.

/// Adds the gradients of `log_dt`, A, B and C to `grad`, given dK transposed (L, H). D belongs to the convolution.
pub fn kernel_backward<F: Real>(
    params: &S4dParams<F>,
    discretization: Discretization,
    dk: ArrayView2<F>,
    grad: &mut S4dParams<F>,
) {
    let (len, hidden) = dk.dim();
    let modes = params.a_im.ncols();
    let powers = Powers::new(len);
    // Right factors per mode: Re E^i, Im E^i, Re i E^{i−1}, Im i E^{i−1}.
    let mut right = Array2::<f64>::zeros((powers.block, 4 * modes));
    let mut padded = Array2::<f64>::zeros((powers.blocks, powers.block));
    for h in 0..hidden {
        for (to, from) in padded.iter_mut().zip(dk.slice(s![.., h])) {
            *to = from.wide();
        }
        let discrete: Vec<(Mode, Discrete)> = (0..modes)
            .map(|n| params.mode(h, n))
            .map(|mode| (mode, mode.discretize(discretization)))
            .collect();
        let fine: Vec<Vec<C64>> =
            discrete.iter().map(|(_, discrete)| Powers::table(discrete.e, powers.block + 1)).collect();
        for (n, fine) in fine.iter().enumerate() {
            for i in 0..powers.block {
                let slope = if i == 0 { C64::ZERO } else { fine[i - 1] * i as f64 };
                right[[i, 4 * n]] = fine[i].re;
                right[[i, 4 * n + 1]] = fine[i].im;
                right[[i, 4 * n + 2]] = slope.re;
                right[[i, 4 * n + 3]] = slope.im;
            }
        }
        let sums = padded.dot(&right);
        let mut d_log_dt = 0.0;
        for (n, (mode, discrete)) in discrete.iter().enumerate() {
            let coarse = Powers::table(fine[n][powers.block], powers.blocks);
            let (mut s, mut t) = (C64::ZERO, C64::ZERO);
            for (j, &power) in coarse.iter().enumerate() {
                let p = C64::new(sums[[j, 4 * n]], sums[[j, 4 * n + 1]]);
                let q = C64::new(sums[[j, 4 * n + 2]], sums[[j, 4 * n + 3]]);
                s += power * p;
                t += power * q;
                if j > 0 {
                    // E^{jb−1} = E^{(j−1)b} E^{b−1}
                    t += coarse[j - 1] * fine[n][powers.block - 1] * p * (j * powers.block) as f64;
                }
            }
            let b_bar = mode.b * mode.dt * discrete.f;
            let c_w = 2.0 * s;
            let c_e = 2.0 * mode.c * b_bar * t;
            let c_x = c_e * discrete.e_slope + c_w * mode.c * mode.b * mode.dt * discrete.f_slope;
            let c_a = c_x * mode.dt;
            let c_c = c_w * b_bar;
            let c_b = c_w * mode.c * mode.dt * discrete.f;
            d_log_dt += mode.dt * (c_w * mode.c * mode.b * discrete.f + c_x * mode.a).re;
            let at = [h, n];
            grad.log_neg_a[at] += F::of(c_a.re * mode.a.re);
            grad.a_im[at] -= F::of(c_a.im);
            grad.c_re[at] += F::of(c_c.re);
            grad.c_im[at] -= F::of(c_c.im);
            grad.b_re[at] += F::of(c_b.re);
            grad.b_im[at] -= F::of(c_b.im);
        }
        grad.log_dt[h] += F::of(d_log_dt);
    }
}
