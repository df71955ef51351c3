//! The nodes of the generating function and the Cauchy factor of every pair of conjugate poles at them.
//!
//! With ω = e^{−iθ}, θ = 2πk/L, and q = (1 + ω)/2, a pair of poles λ = dt Λ and λ̄ contributes to a sum with weights v, v̄
//!
//! ```text
//! v / (1 − ω − q λ) + v̄ / (1 − ω − q λ̄).
//! ```
//!
//! Taking e^{−iθ/2} out of 1 − ω and q leaves iσ and κ, with σ = 2 sin(θ/2) and κ = cos(θ/2) both real, so that the pair
//! is one real-coefficient fraction and needs one division instead of two complex ones:
//!
//! ```text
//! e^{iθ/2} (iσ a − κ b) R,   a = 2 Re v,   b = 2 Re(v λ̄),   R = 1 / (κ²|λ|² − σ² − 2iσκ Re λ) = X − iY.
//! ```
//!
//! Nothing is infinite at θ = π, where κ = 0. The real part of the denominator is formed as (κ|λ| − σ)(κ|λ| + σ): near a
//! pole that keeps the digits that the difference of squares would lose.

use crate::engine::s4d::C64;
use crate::engine::simd::{Kernel, Lanes};

/// Most nodes that are computed together: their tables stay in the cache.
const BLOCK_MAX: usize = 128;

/// Blocks are padded to a multiple of this, so that loops over nodes are whole registers.
const LANES: usize = 8;

/// σ and κ of the nodes k = 0 … L/2, padded to whole blocks by nodes at θ = π.
pub(super) struct Nodes {
    /// Nodes per block.
    pub block: usize,
    /// σ of every node (blocks · block).
    pub sigma: Vec<f64>,
    /// κ of every node (blocks · block).
    pub kappa: Vec<f64>,
}

impl Nodes {
    /// Nodes of sequences of `len` positions.
    pub(super) fn new(len: usize) -> Nodes {
        let count = len / 2 + 1;
        let blocks = count.div_ceil(BLOCK_MAX);
        let block = count.div_ceil(blocks).next_multiple_of(LANES);
        let mut nodes = Nodes { block, sigma: vec![2.0; blocks * block], kappa: vec![0.0; blocks * block] };
        // At θ = π exactly, the padding's values are those of the node; the sine and cosine of a rounded π are not.
        for k in (0..count).filter(|k| 2 * k < len) {
            let (sine, cosine) = (std::f64::consts::PI * k as f64 / len as f64).sin_cos();
            (nodes.sigma[k], nodes.kappa[k]) = (2.0 * sine, cosine);
        }
        nodes
    }

    /// The first node of every block.
    pub(super) fn blocks(&self) -> impl Iterator<Item = usize> {
        (0..self.sigma.len()).step_by(self.block)
    }

    /// e^{iθ/2}.
    pub(super) fn phase(&self, k: usize) -> C64 {
        C64::new(self.kappa[k], 0.5 * self.sigma[k])
    }
}

/// Writes X and Y of all poles at one block of nodes.
pub(super) struct FillFactors<'a> {
    /// λ = dt Λ (N/2).
    pub poles: &'a [C64],
    /// σ of the nodes (block).
    pub sigma: &'a [f64],
    /// κ of the nodes (block).
    pub kappa: &'a [f64],
    /// X, then Y of the block, pole after pole (N/2, 2 · block).
    pub factors: &'a mut [f64],
}

impl Kernel for FillFactors<'_> {
    #[inline(always)]
    fn run<S: Lanes>(self, _: S) {
        let block = self.sigma.len();
        for (pole, row) in self.poles.iter().zip(self.factors.chunks_exact_mut(2 * block)) {
            let (modulus, twice) = (pole.norm_sqr().sqrt(), -2.0 * pole.re);
            let (x, y) = row.split_at_mut(block);
            for (((x, y), &sigma), &kappa) in x.iter_mut().zip(y).zip(self.sigma).zip(self.kappa) {
                let root = kappa * modulus;
                let re = (root - sigma) * (root + sigma);
                let im = twice * sigma * kappa;
                let scale = 1.0 / (re * re + im * im);
                *x = re * scale;
                *y = im * scale;
            }
        }
    }
}

/// Adds the gradients of |λ|² and of Re λ that one block of nodes gives to every pole.
pub(super) struct PullBackFactors<'a> {
    /// σ of the nodes (block).
    pub sigma: &'a [f64],
    /// κ of the nodes (block).
    pub kappa: &'a [f64],
    /// X, then Y of the block, pole after pole (N/2, 2 · block).
    pub factors: &'a [f64],
    /// The eight coefficients of every pole (N/2).
    pub coefficients: &'a [[f64; 8]],
    /// Eight rows, real and then imaginary parts (8, 2 · block), whose sum with the coefficients is Z.
    pub pull: &'a [f64],
    /// d|λ|² and dRe λ of every pole (N/2), added to.
    pub gradients: &'a mut [[f64; 2]],
}

// With R = 1/δ and δ = κ²|λ|² − σ² − 2iσκ Re λ, dR = −R² (κ² d|λ|² − 2iσκ dRe λ). Let Z = c_R and T = R² Z; then
//   d|λ|² = −κ² Re T,   dRe λ = Re(2iσκ T) = −2σκ Im T.
// Sums over nodes are kept per lane and added up at the end of the block.

impl Kernel for PullBackFactors<'_> {
    #[inline(always)]
    fn run<S: Lanes>(self, _: S) {
        let block = self.sigma.len();
        let lanes = block / LANES;
        let rows: [_; 16] =
            std::array::from_fn(|row| &self.pull.as_chunks::<LANES>().0[row * lanes..][..lanes]);
        let nodes = self.sigma.as_chunks::<LANES>().0.iter().zip(self.kappa.as_chunks::<LANES>().0);
        let poles = self.factors.chunks_exact(2 * block).zip(self.coefficients).zip(self.gradients);
        for ((factors, c), gradient) in poles {
            let (x, y) = factors.split_at(block);
            let (mut modulus, mut real) = ([0.0; LANES], [0.0; LANES]);
            let factors = x.as_chunks::<LANES>().0.iter().zip(y.as_chunks::<LANES>().0);
            for (at, ((x, y), (sigma, kappa))) in factors.zip(nodes.clone()).enumerate() {
                let (mut z_re, mut z_im) = ([0.0; LANES], [0.0; LANES]);
                for v in 0..8 {
                    let (re, im) = (&rows[2 * v][at], &rows[2 * v + 1][at]);
                    for lane in 0..LANES {
                        z_re[lane] += c[v] * re[lane];
                        z_im[lane] += c[v] * im[lane];
                    }
                }
                // One loop per quantity: together they would be compiled to shuffles.
                let square = each(|lane| (x[lane] - y[lane]) * (x[lane] + y[lane]));
                let cross = each(|lane| 2.0 * x[lane] * y[lane]);
                let t_re = each(|lane| square[lane] * z_re[lane] + cross[lane] * z_im[lane]);
                let t_im = each(|lane| square[lane] * z_im[lane] - cross[lane] * z_re[lane]);
                modulus = each(|lane| modulus[lane] - kappa[lane] * kappa[lane] * t_re[lane]);
                real = each(|lane| real[lane] - 2.0 * sigma[lane] * kappa[lane] * t_im[lane]);
            }
            gradient[0] += modulus.iter().sum::<f64>();
            gradient[1] += real.iter().sum::<f64>();
        }
    }
}

/// A value per lane.
#[inline(always)]
fn each(value: impl Fn(usize) -> f64) -> [f64; LANES] {
    let mut values = [0.0; LANES];
    for (lane, to) in values.iter_mut().enumerate() {
        *to = value(lane);
    }
    values
}
