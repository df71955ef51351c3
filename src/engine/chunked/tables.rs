//! The matrices of a chunk of T positions of one channel, and the way back from their gradients to dt, A, C and D.
//!
//! With E and W of [`crate::engine::s4d`] (one half of the conjugate pairs), K_m = 2 Re Σ_n W_n E_n^m, and with s the
//! real and the imaginary parts of the states at the start of a chunk, the chunk is
//!
//! ```text
//! y = u Kᵤ + s M,   s⁺ = E^T ∘ s + u V,
//! Kᵤ[j][i] = K_{i−j} + D δ_{ij} for i ≥ j,   V[j] = (Re, Im) E^{T−1−j},   M[·][i] = (2 Re, −2 Im) W E^{i+1}.
//! ```
//!
//! All powers are f64 and each entry is rounded once.

use crate::engine::chunked::CHUNK as T;
use crate::engine::chunked::ssm::ChannelTables;
use crate::engine::s4d::{C64, Discrete, Discretization, Mode, S4dParams, mode_gradient};
use crate::engine::simd::buffer::Buffer;
use crate::engine::simd::{Isa, Kernel, Lanes};

/// Modes are padded with zeros to this many, so that their rows are whole registers.
const MODES: usize = 16;

/// Columns of a state with so many modes.
pub fn columns(modes: usize) -> usize {
    2 * modes.next_multiple_of(MODES)
}

/// The matrices of all channels of one layer; each field holds one channel after the other.
pub struct Tables {
    /// Columns of a state: the real, then the imaginary parts of the padded modes.
    pub columns: usize,
    /// Kᵤ (T, T).
    pub toeplitz: Buffer,
    /// Kᵤᵀ (T, T).
    pub toeplitz_t: Buffer,
    /// V (T, columns).
    pub input: Buffer,
    /// Vᵀ (columns, T).
    pub input_t: Buffer,
    /// M (columns, T).
    pub output: Buffer,
    /// Mᵀ (T, columns).
    pub output_t: Buffer,
    /// E^T (columns).
    pub rotation: Buffer,
    modes: Vec<(Mode, Discrete)>,
    powers: Vec<C64>,
    /// W of one channel, doubled forward, and the coefficients of W and E.
    weights: Vec<C64>,
    sums: Vec<[C64; 2]>,
}

/// Gradients of the matrices, summed over chunks; the fields are laid out as those of [`Tables`].
#[derive(Clone)]
pub struct TableGradients {
    /// dKᵤ (T, T); only i ≥ j is filled.
    pub toeplitz: Buffer,
    /// dV (T, columns).
    pub input: Buffer,
    /// dMᵀ (T, columns).
    pub output_t: Buffer,
    /// d E^T (columns).
    pub rotation: Buffer,
}

impl Tables {
    /// Zeros.
    pub fn new(hidden: usize, modes: usize) -> Tables {
        let columns = columns(modes);
        let zeros = |size: usize| Buffer::zeros(hidden * size);
        Tables {
            columns,
            toeplitz: zeros(T * T),
            toeplitz_t: zeros(T * T),
            input: zeros(T * columns),
            input_t: zeros(T * columns),
            output: zeros(T * columns),
            output_t: zeros(T * columns),
            rotation: zeros(columns),
            modes: Vec::with_capacity(hidden * modes),
            powers: vec![C64::ZERO; (T + 1) * modes],
            weights: vec![C64::ZERO; modes],
            sums: vec![[C64::ZERO; 2]; modes],
        }
    }

    /// Fills the matrices; those that only backward needs, if asked for.
    pub fn fill(
        &mut self,
        params: &S4dParams<f32>,
        discretization: Discretization,
        backward: bool,
        isa: Isa,
    ) {
        let (hidden, modes) = params.a_im.dim();
        let (columns, wide) = (self.columns, self.columns / 2);
        self.modes.clear();
        for h in 0..hidden {
            self.modes.extend((0..modes).map(|n| {
                let mode = params.mode(h, n);
                (mode, mode.discretize(discretization))
            }));
            let channel = &self.modes[h * modes..];
            fill_powers(&mut self.powers, channel);
            let toeplitz = &mut self.toeplitz[h * T * T..][..T * T];
            let input = &mut self.input[h * T * columns..][..T * columns];
            let weights = &mut self.weights[..modes];
            for (weight, (mode, discrete)) in weights.iter_mut().zip(channel) {
                *weight = 2.0 * mode.c * mode.b * mode.dt * discrete.f;
            }
            let mut kernel = [0.0; T];
            let output_t = &mut self.output_t[h * T * columns..][..T * columns];
            for i in 0..T {
                let power = &self.powers[i * modes..][..modes];
                let next = &self.powers[(i + 1) * modes..][..modes];
                let (re, im) = input[(T - 1 - i) * columns..][..columns].split_at_mut(wide);
                let (out_re, out_im) = output_t[i * columns..][..columns].split_at_mut(wide);
                for n in 0..modes {
                    (re[n], im[n]) = (power[n].re as f32, power[n].im as f32);
                    kernel[i] += weights[n].re * power[n].re - weights[n].im * power[n].im;
                    let value = weights[n] * next[n];
                    (out_re[n], out_im[n]) = (value.re as f32, -value.im as f32);
                }
            }
            for n in 0..modes {
                let rotation = self.powers[T * modes + n];
                self.rotation[h * columns + n] = rotation.re as f32;
                self.rotation[h * columns + wide + n] = rotation.im as f32;
            }
            kernel[0] += f64::from(params.d[h]);
            let kernel = kernel.map(|value| value as f32);
            for j in 0..T {
                toeplitz[j * T + j..(j + 1) * T].copy_from_slice(&kernel[..T - j]);
            }
            isa.run(Transpose {
                from: output_t,
                columns,
                to: &mut self.output[h * T * columns..][..T * columns],
            });
            if backward {
                let size = T * columns;
                isa.run(Transpose {
                    from: toeplitz,
                    columns: T,
                    to: &mut self.toeplitz_t[h * T * T..][..T * T],
                });
                isa.run(Transpose { from: input, columns, to: &mut self.input_t[h * size..][..size] });
            }
        }
    }

    /// The matrices of channel `h` for forward.
    pub fn forward(&self, h: usize) -> ChannelTables<'_> {
        self.channel(h, &self.toeplitz, &self.input, &self.output)
    }

    /// The matrices of channel `h` for backward.
    pub fn backward(&self, h: usize) -> ChannelTables<'_> {
        self.channel(h, &self.toeplitz_t, &self.output_t, &self.input_t)
    }

    fn channel<'a>(
        &'a self,
        h: usize,
        toeplitz: &'a [f32],
        to_states: &'a [f32],
        from_states: &'a [f32],
    ) -> ChannelTables<'a> {
        let part = |size: usize| h * size..(h + 1) * size;
        ChannelTables {
            toeplitz: &toeplitz[part(T * T)],
            to_states: &to_states[part(T * self.columns)],
            from_states: &from_states[part(T * self.columns)],
            rotation: &self.rotation[part(self.columns)],
        }
    }

    // With p_m = E^m and q_m = W p_m, and c_z the holomorphic coefficient of z (dLoss = Re c_z dz):
    //   c_{q_m} = 2 dK_m [m < T] + 2 (dM_re + i dM_im)[m − 1] [m ≥ 1],   dK_m = Σ_{i−j=m} dKᵤ[j][i],   dD = dK_0,
    //   c_W = Σ_m c_{q_m} p_m,
    //   c_{p_m} = W c_{q_m} + (dV_re − i dV_im)[T − 1 − m] [m < T] + (dE^T_re − i dE^T_im) [m = T],
    //   c_E = Σ_m m p_{m−1} c_{p_m}.

    /// Adds the gradients of `log_dt`, A, B, C and D to `grad`.
    pub fn pull_back(&mut self, gradients: &TableGradients, grad: &mut S4dParams<f32>) {
        let (hidden, modes) = grad.a_im.dim();
        let (columns, wide) = (self.columns, self.columns / 2);
        for h in 0..hidden {
            let channel = &self.modes[h * modes..][..modes];
            fill_powers(&mut self.powers, channel);
            let mut dk = [0.0_f64; T];
            for j in 0..T {
                let row = &gradients.toeplitz[(h * T + j) * T..][..T];
                for (dk, &value) in dk.iter_mut().zip(&row[j..]) {
                    *dk += f64::from(value);
                }
            }
            grad.d[h] += dk[0] as f32;
            let input = &gradients.input[h * T * columns..][..T * columns];
            let output = &gradients.output_t[h * T * columns..][..T * columns];
            let rotation = &gradients.rotation[h * columns..][..columns];
            let (weights, sums) = (&mut self.weights[..modes], &mut self.sums[..modes]);
            for ((weight, sums), (mode, discrete)) in weights.iter_mut().zip(&mut *sums).zip(channel) {
                *weight = mode.c * mode.b * mode.dt * discrete.f;
                *sums = [C64::new(2.0 * dk[0], 0.0), C64::ZERO];
            }
            for m in 1..=T {
                let before = &self.powers[(m - 1) * modes..][..modes];
                let power = &self.powers[m * modes..][..modes];
                let (d_m, d_p) = (
                    &output[(m - 1) * columns..],
                    if m < T { &input[(T - 1 - m) * columns..] } else { rotation },
                );
                let dk = if m < T { 2.0 * dk[m] } else { 0.0 };
                for n in 0..modes {
                    let c_q = C64::new(dk + 2.0 * f64::from(d_m[n]), 2.0 * f64::from(d_m[wide + n]));
                    let c_p = weights[n] * c_q + C64::new(f64::from(d_p[n]), -f64::from(d_p[wide + n]));
                    sums[n][0] += c_q * power[n];
                    sums[n][1] += c_p * before[n] * m as f64;
                }
            }
            let mut d_log_dt = 0.0;
            for (n, ((mode, discrete), &[c_w, c_e])) in channel.iter().zip(&*sums).enumerate() {
                let gradient = mode_gradient(mode, discrete, c_w, c_e);
                d_log_dt += grad.add_mode([h, n], mode, &gradient);
            }
            grad.log_dt[h] += d_log_dt as f32;
        }
    }
}

impl TableGradients {
    /// Zeros.
    pub fn new(hidden: usize, columns: usize) -> TableGradients {
        TableGradients {
            toeplitz: Buffer::zeros(hidden * T * T),
            input: Buffer::zeros(hidden * T * columns),
            output_t: Buffer::zeros(hidden * T * columns),
            rotation: Buffer::zeros(hidden * columns),
        }
    }

    /// Back to zeros.
    pub fn clear(&mut self) {
        for buffer in [&mut self.toeplitz, &mut self.input, &mut self.output_t, &mut self.rotation] {
            buffer.fill(0.0);
        }
    }
}

/// E_n^m of one channel, (T + 1, modes).
fn fill_powers(powers: &mut [C64], channel: &[(Mode, Discrete)]) {
    let modes = channel.len();
    powers[..modes].fill(C64::ONE);
    for m in 1..=T {
        let (before, after) = powers.split_at_mut(m * modes);
        let before = &before[(m - 1) * modes..];
        for ((after, before), (_, discrete)) in after[..modes].iter_mut().zip(before).zip(channel) {
            *after = before * discrete.e;
        }
    }
}

/// The (columns, T) transpose of a (T, columns) matrix.
struct Transpose<'a> {
    from: &'a [f32],
    columns: usize,
    to: &'a mut [f32],
}

impl Kernel for Transpose<'_> {
    #[inline(always)]
    fn run<S: Lanes>(self, simd: S) {
        for t in (0..T).step_by(S::F32_LANES) {
            for column in (0..self.columns).step_by(S::F32_LANES) {
                let from = &self.from[t * self.columns + column..];
                simd.transpose(from, self.columns, &mut self.to[column * T + t..], T);
            }
        }
    }
}
