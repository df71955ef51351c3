//! One step of a discretised DPLR channel, x' = Ā x + B̄ u, in O(N), and powers of Ā as dense real matrices.

use ndarray::Array2;

use crate::engine::dplr::Channel;
use crate::engine::s4d::C64;

/// Ā and B̄ of one channel in the form that a step takes.
#[derive(Clone, Debug)]
pub(crate) struct Transition {
    /// Δ (2/dt + Λ) (N/2).
    rotation: Vec<C64>,
    /// Δ P (N/2).
    shift: Vec<C64>,
    /// 2 Δ B (N/2).
    input: Vec<C64>,
    /// P̄ (N/2).
    p_conj: Vec<C64>,
    /// 1 / (1 + 2 Σ |P|² Re Δ).
    shrink: f64,
}

// With A = Λ − p p* and Δ = (2/dt − Λ)⁻¹, the Woodbury identity gives
//   (2/dt − A)⁻¹ = Δ − Δ p p* Δ / (1 + p* Δ p),   Ā = (2/dt − A)⁻¹ (2/dt + A),   B̄ = 2 (2/dt − A)⁻¹ B,
// so with v = Δ ((2/dt + Λ) x − P s + 2 B u) and s = p* x = 2 Re Σ P̄ x, the step is
//   x' = v − Δ P (2 Re Σ P̄ v) / (1 + 2 Σ |P|² Re Δ).
// Both Δ and what multiplies it are formed from z = dt Λ / 2, which stays of size one where 2/dt is large.

impl Transition {
    /// Discretises a channel by the bilinear rule.
    pub(crate) fn new(channel: &Channel) -> Transition {
        let half = 0.5 * channel.dt;
        let delta: Vec<C64> = channel.lambda.iter().map(|lambda| half / (1.0 - half * lambda)).collect();
        let times = |factor: f64, x: &[C64]| delta.iter().zip(x).map(|(d, x)| factor * d * x).collect();
        let low_rank = delta.iter().zip(&channel.p).map(|(delta, p)| p.norm_sqr() * delta.re).sum::<f64>();
        let rotation = |lambda: &C64| (1.0 + half * lambda) / (1.0 - half * lambda);
        Transition {
            rotation: channel.lambda.iter().map(rotation).collect(),
            shift: times(1.0, &channel.p),
            input: times(2.0, &channel.b),
            p_conj: channel.p.iter().map(|p| p.conj()).collect(),
            shrink: 1.0 / (1.0 + 2.0 * low_rank),
        }
    }

    /// Advances the state x (N/2) by the input `u`.
    pub(crate) fn advance(&self, x: &mut [C64], u: f64) {
        let s = self.project(x);
        for (n, x) in x.iter_mut().enumerate() {
            *x = self.rotation[n] * *x - self.shift[n] * s + self.input[n] * u;
        }
        let t = self.project(x) * self.shrink;
        for (x, shift) in x.iter_mut().zip(&self.shift) {
            *x -= shift * t;
        }
    }

    /// p* x = 2 Re Σ P̄ x.
    fn project(&self, x: &[C64]) -> f64 {
        2.0 * self.p_conj.iter().zip(x).map(|(p, x)| p.re * x.re - p.im * x.im).sum::<f64>()
    }

    /// Āˡ as the real matrix (N, N) that acts on (Re x, Im x): the conjugate half says nothing new, and a real matrix
    /// of size N is multiplied four times as fast as a complex one.
    pub(crate) fn power(&self, len: usize) -> Array2<f64> {
        let mut square = self.matrix();
        let mut power = Array2::eye(square.nrows());
        let mut rest = len;
        while rest > 0 {
            if rest % 2 == 1 {
                power = power.dot(&square);
            }
            rest /= 2;
            if rest > 0 {
                square = square.dot(&square);
            }
        }
        power
    }

    /// Ā, column by column from the steps that unit states take.
    fn matrix(&self) -> Array2<f64> {
        let modes = self.rotation.len();
        let mut matrix = Array2::zeros((2 * modes, 2 * modes));
        for (unit, mut column) in matrix.columns_mut().into_iter().enumerate() {
            let mut x = vec![C64::ZERO; modes];
            x[unit % modes] = if unit < modes { C64::ONE } else { C64::I };
            self.advance(&mut x, 0.0);
            for (n, x) in x.iter().enumerate() {
                column[n] = x.re;
                column[modes + n] = x.im;
            }
        }
        matrix
    }
}
