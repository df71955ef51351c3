//! The kernel of a diagonal state-space model: forward, backward.
//!
//! Position l = j b + i is reached in two steps, E^l = E^{jb} E^i with b about √L, from tables of powers in f64. The
//! kernel is rounded to the engine's float type once, at the end.

use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView2, s};

use crate::engine::real::Real;
use crate::engine::s4d::{C64, Discrete, Discretization, Mode, S4dParams, mode_gradient};

/// Powers of one E: E^i for i ≤ block and E^{j block} for j < blocks.
struct Powers {
    block: usize,
    blocks: usize,
    fine: Vec<C64>,
    coarse: Vec<C64>,
}

impl Powers {
    /// Tables that reach `len` positions.
    fn new(len: usize) -> Powers {
        let block = ((len as f64).sqrt().ceil() as usize).next_power_of_two();
        let blocks = len.div_ceil(block);
        Powers { block, blocks, fine: vec![C64::ONE; block + 1], coarse: vec![C64::ONE; blocks] }
    }

    fn fill(&mut self, e: C64) {
        fill_powers(&mut self.fine, e);
        fill_powers(&mut self.coarse, self.fine[self.block]);
    }
}

fn fill_powers(table: &mut [C64], base: C64) {
    let mut power = C64::ONE;
    for entry in table {
        *entry = power;
        power *= base;
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
    let mut powers = Powers::new(len);
    let mut kernel = Array2::zeros((len, hidden));
    let mut left = Array2::zeros((powers.blocks, 2 * modes));
    let mut right = Array2::zeros((2 * modes, powers.block));
    let mut values = Array2::zeros((powers.blocks, powers.block));
    for h in 0..hidden {
        for n in 0..modes {
            let mode = params.mode(h, n);
            let discrete = mode.discretize(discretization);
            powers.fill(discrete.e);
            let weight = 2.0 * mode.c * mode.b * mode.dt * discrete.f;
            for (j, &power) in powers.coarse.iter().enumerate() {
                let value = weight * power;
                left[[j, 2 * n]] = value.re;
                left[[j, 2 * n + 1]] = -value.im;
            }
            for (i, &power) in powers.fine[..powers.block].iter().enumerate() {
                right[[2 * n, i]] = power.re;
                right[[2 * n + 1, i]] = power.im;
            }
        }
        general_mat_mul(1.0, &left, &right, 0.0, &mut values);
        for (out, &value) in kernel.column_mut(h).iter_mut().zip(&values) {
            *out = F::of(value);
        }
    }
    kernel
}

// Let G = dLoss/dK. A holomorphic coefficient c_z means dLoss = Re(c_z dz). From K_l = 2 Re Σ W E^l:
//   S = Σ_l G_l E^l,  T = Σ_l l G_l E^{l−1},  c_W = 2 S,  c_E = 2 W T,
// and from there on as [`mode_gradient`](super::mode_gradient) derives.
// T is formed with E^{l−1}, not l E^l / E: the bilinear E is zero at x = −2.
//
// S and T come by the same two steps. With p_j = Σ_i G_{jb+i} E^i and q_j = Σ_i i G_{jb+i} E^{i−1}, one real product of
// (blocks, block) and (block, 4 · N/2) for all modes of a channel,
//   S = Σ_j E^{jb} p_j,  T = Σ_j (E^{jb} q_j + jb E^{jb−1} p_j),  E^{jb−1} = E^{(j−1)b} E^{b−1}.

/// Adds the gradients of `log_dt`, A, B and C to `grad`, given dK transposed (L, H). D belongs to the convolution.
pub fn kernel_backward<F: Real>(
    params: &S4dParams<F>,
    discretization: Discretization,
    dk: ArrayView2<F>,
    grad: &mut S4dParams<F>,
) {
    let (len, hidden) = dk.dim();
    let modes = params.a_im.ncols();
    let mut powers = Powers::new(len);
    // Per mode: Re E^i, Im E^i, Re i E^{i−1}, Im i E^{i−1}.
    let mut right = Array2::zeros((powers.block, 4 * modes));
    let mut padded = Array2::zeros((powers.blocks, powers.block));
    let mut sums = Array2::zeros((powers.blocks, 4 * modes));
    for h in 0..hidden {
        for (to, from) in padded.iter_mut().zip(dk.column(h)) {
            *to = from.wide();
        }
        let of_mode = |n| {
            let mode = params.mode(h, n);
            (mode, mode.discretize(discretization))
        };
        let channel: Vec<(Mode, Discrete)> = (0..modes).map(of_mode).collect();
        for (n, (_, discrete)) in channel.iter().enumerate() {
            powers.fill(discrete.e);
            for i in 0..powers.block {
                let slope = if i == 0 { C64::ZERO } else { powers.fine[i - 1] * i as f64 };
                right[[i, 4 * n]] = powers.fine[i].re;
                right[[i, 4 * n + 1]] = powers.fine[i].im;
                right[[i, 4 * n + 2]] = slope.re;
                right[[i, 4 * n + 3]] = slope.im;
            }
        }
        general_mat_mul(1.0, &padded, &right, 0.0, &mut sums);
        let mut d_log_dt = 0.0;
        for (n, (mode, discrete)) in channel.iter().enumerate() {
            powers.fill(discrete.e);
            let (s, t) = moments(&powers, sums.slice(s![.., 4 * n..4 * n + 4]));
            let b_bar = mode.b * mode.dt * discrete.f;
            let gradient = mode_gradient(mode, discrete, 2.0 * s, 2.0 * mode.c * b_bar * t);
            d_log_dt += grad.add_mode([h, n], mode, &gradient);
        }
        grad.log_dt[h] += F::of(d_log_dt);
    }
}

/// S and T of one mode from its sums (blocks, 4).
fn moments(powers: &Powers, sums: ArrayView2<f64>) -> (C64, C64) {
    let (mut s, mut t) = (C64::ZERO, C64::ZERO);
    for (j, (&power, sums)) in powers.coarse.iter().zip(sums.outer_iter()).enumerate() {
        let (p, q) = (C64::new(sums[0], sums[1]), C64::new(sums[2], sums[3]));
        s += power * p;
        t += power * q;
        if j > 0 {
            t += powers.coarse[j - 1] * powers.fine[powers.block - 1] * p * (j * powers.block) as f64;
        }
    }
    (s, t)
}
