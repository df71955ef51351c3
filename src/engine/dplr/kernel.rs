//! The kernel of a DPLR state-space model: forward, backward (S4 paper, theorem 3 and algorithm 1, without its pole at
//! ω = −1).
//!
//! The generating function K̂(ω) = Σ_{l<L} K_l ωˡ = C̃ (I − Ā ω)⁻¹ B̄ at the L-th roots of unity is the DFT of the kernel.
//! By the Woodbury identity it needs four Cauchy sums S_v = dt Σ (v R + v̄ R̃) with v = C̃B, C̃P, P̄B and |P|²:
//!
//! ```text
//! K̂ = S_{C̃B} − q S_{C̃P} S_{P̄B} / (1 + q S_{|P|²}) = e^{iθ/2} ( s₀ − κ s₁ s₂ / (1 + κ s₃) ),   S_v = e^{iθ/2} s_v.
//! ```
//!
//! In the notation of [`nodes`](super::nodes), s_v = dt Σ_n (iσ a − κ b) (X − iY), so per block of nodes all four sums are
//! one real product of the coefficients (8, N/2) and the factors (N/2, 2 · block). All is f64, rounded once at the end.

use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView2};
use realfft::RealFftPlanner;

use crate::engine::dplr::nodes::{FillFactors, Nodes, PullBackFactors};
use crate::engine::dplr::{Channel, DplrParams};
use crate::engine::real::Real;
use crate::engine::s4d::C64;
use crate::engine::simd::Isa;

/// Sums of one node: C̃B, C̃P, P̄B, |P|².
type Sums = [C64; 4];

/// Coefficients of one channel, and what one block of nodes is computed in.
struct Cauchy<'a> {
    isa: Isa,
    nodes: &'a Nodes,
    /// λ = dt Λ (N/2).
    poles: Vec<C64>,
    dt: f64,
    /// a of the four sums, then b of the four sums (8, N/2).
    coefficients: Array2<f64>,
    /// X and Y (N/2, 2 · block).
    factors: Array2<f64>,
    /// dt Σ a X, dt Σ b X and the same with Y (8, 2 · block).
    products: Array2<f64>,
}

impl Cauchy<'_> {
    fn new(nodes: &Nodes, modes: usize) -> Cauchy<'_> {
        let columns = 2 * nodes.block;
        Cauchy {
            isa: Isa::detect(),
            nodes,
            poles: vec![C64::ZERO; modes],
            dt: 0.0,
            coefficients: Array2::zeros((8, modes)),
            factors: Array2::zeros((modes, columns)),
            products: Array2::zeros((8, columns)),
        }
    }

    /// Takes the poles and coefficients of a channel.
    fn load(&mut self, channel: &Channel) {
        self.dt = channel.dt;
        for (n, pole) in self.poles.iter_mut().enumerate() {
            *pole = channel.dt * channel.lambda[n];
            for (v, weight) in weights(channel, n).into_iter().enumerate() {
                self.coefficients[[v, n]] = 2.0 * weight.re;
                self.coefficients[[4 + v, n]] = 2.0 * (weight * pole.conj()).re;
            }
        }
    }

    /// Computes factors and products of the block that starts at node `start`.
    fn block(&mut self, start: usize) {
        let nodes = start..start + self.nodes.block;
        self.isa.run(FillFactors {
            poles: &self.poles,
            sigma: &self.nodes.sigma[nodes.clone()],
            kappa: &self.nodes.kappa[nodes],
            factors: self.factors.as_slice_mut().expect("made in standard layout"),
        });
        general_mat_mul(self.dt, &self.coefficients, &self.factors, 0.0, &mut self.products);
    }

    /// The sums of node `start + i` of the block just computed.
    fn sums(&self, start: usize, i: usize) -> Sums {
        let (sigma, kappa) = (self.nodes.sigma[start + i], self.nodes.kappa[start + i]);
        let at = |row: usize| (self.products[[row, i]], self.products[[row, self.nodes.block + i]]);
        std::array::from_fn(|v| {
            let ((a_x, a_y), (b_x, b_y)) = (at(v), at(4 + v));
            C64::new(sigma * a_y - kappa * b_x, sigma * a_x + kappa * b_y)
        })
    }
}

/// v of the four sums.
fn weights(channel: &Channel, n: usize) -> Sums {
    let (p, b, c) = (channel.p[n], channel.b[n], channel.c[n]);
    [c * b, c * p, p.conj() * b, C64::from(p.norm_sqr())]
}

/// Kernel K transposed, (len, H): row l holds K_l of every channel.
///
/// # Panics
/// If `len` exceeds the length of C̃: a longer kernel takes [`DplrParams::double`] first.
pub fn kernel_forward<F: Real>(params: &DplrParams<F>, len: usize) -> Array2<F> {
    assert!(len <= params.len, "C̃ of length {} has no kernel of length {len}", params.len);
    let (hidden, modes) = params.a_im.dim();
    let inverse = RealFftPlanner::<f64>::new().plan_fft_inverse(params.len);
    let (mut spectrum, mut time) = (inverse.make_input_vec(), inverse.make_output_vec());
    let mut scratch = inverse.make_scratch_vec();
    let nodes = Nodes::new(params.len);
    let mut cauchy = Cauchy::new(&nodes, modes);
    let scale = 1.0 / params.len as f64;
    let mut kernel = Array2::zeros((len, hidden));
    for h in 0..hidden {
        cauchy.load(&params.channel(h));
        for start in nodes.blocks() {
            cauchy.block(start);
            for (i, value) in spectrum[start..].iter_mut().take(nodes.block).enumerate() {
                let (s, kappa) = (cauchy.sums(start, i), nodes.kappa[start + i]);
                *value = nodes.phase(start + i) * (s[0] - kappa * s[1] * s[2] / (1.0 + kappa * s[3]));
            }
        }
        clear_imaginary(&mut spectrum, params.len);
        inverse
            .process_with_scratch(&mut spectrum, &mut time, &mut scratch)
            .expect("buffers have the planned sizes");
        for (out, &value) in kernel.column_mut(h).iter_mut().zip(&time) {
            *out = F::of(scale * value);
        }
    }
    kernel
}

/// Rounding leaves a trace of imaginary part in the bins that are real, which the inverse transform would refuse.
fn clear_imaginary(spectrum: &mut [C64], len: usize) {
    spectrum[0].im = 0.0;
    if len.is_multiple_of(2) {
        spectrum[len / 2].im = 0.0;
    }
}

// Let G = dLoss/dK, zero beyond the positions that were asked for. A holomorphic coefficient c_z means dLoss = Re(c_z dz).
// The inverse transform is K_l = 1/L Σ_k m_k Re(K̂_k e^{2πikl/L}), with m_k = 1 for the real bins and 2 for the others, so
//   γ_k = m_k/L conj(DFT(G)_k) e^{iθ/2}
// is the coefficient of the bracket of K̂, and with d = 1 + κ s₃ those of the sums are
//   w₀ = γ,  w₁ = −γκ s₂/d,  w₂ = −γκ s₁/d,  w₃ = γκ² s₁ s₂/d².
// In s_v = dt Σ_n (iσ a − κ b) R_n the a and b are real and R = X − iY is complex:
//   da_v = dt Re Σ_k iσw R = dt Σ_k (−σ Im w X + σ Re w Y),   db_v = dt Re Σ_k −κw R = dt Σ_k (−κ Re w X − κ Im w Y),
//   c_R = Z = dt Σ_v (iσ w a − κ w b).
// The rows (−σ Im w | σ Re w) and (−κ Re w | −κ Im w) are `pull` (8, 2 · block); da and db are its product with the
// factors, and PullBackFactors forms Z, its product with the coefficients, and goes on to |λ|² and Re λ. From a = 2 Re v,
// b = 2 Re(v λ̄) and |λ|²,
//   c_v = α_v = 2 (da_v + db_v λ̄),   c_λ = Σ_v 2 db_v v̄ + 2 d|λ|² λ̄ + dRe λ,
//   c_C̃ = α₀ B + α₁ P,   c_B = α₀ C̃ + α₂ P̄,   c_P = α₁ C̃ + conj(α₂ B) + 2 Re α₃ P̄,
// and with λ = dt Λ and the dt before the sums, d log_dt = Re Σ_{k,v} w s + Re Σ_n c_λ λ,  c_Λ = dt c_λ,
// d log_neg_a = Re c_Λ Re Λ,  d a_im = −Im c_Λ, and d Re z = Re c_z, d Im z = −Im c_z for P, B and C̃.

/// Adds the gradients of `log_dt`, Λ, P, B and C̃ to `grad`, given dK transposed (len, H). D belongs to the convolution.
///
/// # Panics
/// If `len` exceeds the length of C̃.
pub fn kernel_backward<F: Real>(params: &DplrParams<F>, dk: ArrayView2<F>, grad: &mut DplrParams<F>) {
    let (len, hidden) = dk.dim();
    assert!(len <= params.len, "C̃ of length {} has no kernel of length {len}", params.len);
    let forward = RealFftPlanner::<f64>::new().plan_fft_forward(params.len);
    let (mut time, mut spectrum) = (forward.make_input_vec(), forward.make_output_vec());
    let mut scratch = forward.make_scratch_vec();
    let nodes = Nodes::new(params.len);
    let mut pass = Backward::new(&nodes, params.a_im.ncols());
    for h in 0..hidden {
        time.fill(0.0);
        for (time, dk) in time.iter_mut().zip(dk.column(h)) {
            *time = dk.wide();
        }
        forward
            .process_with_scratch(&mut time, &mut spectrum, &mut scratch)
            .expect("buffers have the planned sizes");
        let channel = params.channel(h);
        pass.run(&channel, &spectrum, params.len);
        pass.add_to(&channel, h, grad);
    }
}

/// Gradients of one channel by its real intermediate values.
struct Backward<'a> {
    cauchy: Cauchy<'a>,
    /// Rows of the coefficients of the sums, a block at a time (8, 2 · block).
    pull: Array2<f64>,
    /// da and db (8, N/2).
    coefficients: Array2<f64>,
    /// The coefficients of the sums, pole after pole and times dt.
    transposed: Vec<[f64; 8]>,
    /// d|λ|² and dRe λ (N/2).
    poles: Vec<[f64; 2]>,
    /// The part of d log_dt that stands before the sums.
    log_dt: f64,
}

impl Backward<'_> {
    fn new(nodes: &Nodes, modes: usize) -> Backward<'_> {
        let columns = 2 * nodes.block;
        Backward {
            cauchy: Cauchy::new(nodes, modes),
            pull: Array2::zeros((8, columns)),
            coefficients: Array2::zeros((8, modes)),
            transposed: vec![[0.0; 8]; modes],
            poles: vec![[0.0; 2]; modes],
            log_dt: 0.0,
        }
    }

    /// Sums the gradients over all nodes, given the transform of G (L/2 + 1).
    fn run(&mut self, channel: &Channel, spectrum: &[C64], len: usize) {
        let nodes = self.cauchy.nodes;
        self.cauchy.load(channel);
        self.coefficients.fill(0.0);
        self.poles.fill([0.0; 2]);
        self.log_dt = 0.0;
        for (n, coefficients) in self.transposed.iter_mut().enumerate() {
            *coefficients = std::array::from_fn(|row| channel.dt * self.cauchy.coefficients[[row, n]]);
        }
        for start in nodes.blocks() {
            self.cauchy.block(start);
            self.pull.fill(0.0);
            for (i, value) in spectrum[start..].iter().take(nodes.block).enumerate() {
                let is_real = start + i == 0 || 2 * (start + i) == len;
                let multiplicity = if is_real { 1.0 } else { 2.0 };
                self.pull_node(start, i, multiplicity / len as f64 * value.conj());
            }
            let cauchy = &self.cauchy;
            general_mat_mul(channel.dt, &self.pull, &cauchy.factors.t(), 1.0, &mut self.coefficients);
            cauchy.isa.run(PullBackFactors {
                sigma: &nodes.sigma[start..][..nodes.block],
                kappa: &nodes.kappa[start..][..nodes.block],
                factors: cauchy.factors.as_slice().expect("made in standard layout"),
                coefficients: &self.transposed,
                pull: self.pull.as_slice().expect("made in standard layout"),
                gradients: &mut self.poles,
            });
        }
    }

    /// Fills the columns of node `start + i`, given the coefficient of its K̂.
    fn pull_node(&mut self, start: usize, i: usize, coefficient: C64) {
        let nodes = self.cauchy.nodes;
        let (sigma, kappa) = (nodes.sigma[start + i], nodes.kappa[start + i]);
        let s = self.cauchy.sums(start, i);
        let gamma = coefficient * nodes.phase(start + i);
        let inverse = (1.0 + kappa * s[3]).inv();
        let shared = -gamma * kappa * inverse;
        let w = [gamma, shared * s[2], shared * s[1], -shared * kappa * s[1] * s[2] * inverse];
        for (v, (w, s)) in w.into_iter().zip(s).enumerate() {
            self.log_dt += (w * s).re;
            self.pull[[v, i]] = -sigma * w.im;
            self.pull[[v, nodes.block + i]] = sigma * w.re;
            self.pull[[4 + v, i]] = -kappa * w.re;
            self.pull[[4 + v, nodes.block + i]] = -kappa * w.im;
        }
    }

    /// Pulls the sums back to the parameters of channel `h`.
    fn add_to<F: Real>(&self, channel: &Channel, h: usize, grad: &mut DplrParams<F>) {
        let mut d_log_dt = self.log_dt;
        for (n, pole) in self.cauchy.poles.iter().enumerate() {
            let (p, b, c) = (channel.p[n], channel.b[n], channel.c[n]);
            let d = |row: usize| 2.0 * self.coefficients[[row, n]];
            let alpha: Sums = std::array::from_fn(|v| d(v) + d(4 + v) * pole.conj());
            let [d_modulus, d_real] = self.poles[n];
            let mut c_pole = 2.0 * d_modulus * pole.conj() + d_real;
            for (v, weight) in weights(channel, n).into_iter().enumerate() {
                c_pole += d(4 + v) * weight.conj();
            }
            d_log_dt += (c_pole * pole).re;
            let c_lambda = channel.dt * c_pole;
            grad.log_neg_a[[h, n]] += F::of(c_lambda.re * channel.lambda[n].re);
            grad.a_im[[h, n]] -= F::of(c_lambda.im);
            let add = |re: &mut Array2<F>, im: &mut Array2<F>, coefficient: C64| {
                re[[h, n]] += F::of(coefficient.re);
                im[[h, n]] -= F::of(coefficient.im);
            };
            add(&mut grad.c_re, &mut grad.c_im, alpha[0] * b + alpha[1] * p);
            add(&mut grad.b_re, &mut grad.b_im, alpha[0] * c + alpha[2] * p.conj());
            let c_p = alpha[1] * c + (alpha[2] * b).conj() + 2.0 * alpha[3].re * p.conj();
            add(&mut grad.p_re, &mut grad.p_im, c_p);
        }
        grad.log_dt[h] += F::of(d_log_dt);
    }
}
