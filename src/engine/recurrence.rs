//! The same state-space models one step at a time: the oracle of the convolution, and streaming inference.
//!
//! x_t = Ā x_{t−1} + B̄ u_t,  y_t = 2 Re Σ_n C_n x_{t,n} + D u_t. The state is carried in f64: |Ā| may be 1 − 5e-4.

use ndarray::{Array2, Array3, ArrayView2, ArrayView3};

use crate::engine::real::Real;
use crate::engine::s4d::{C64, Discretization, S4dParams};

/// A discretised system, ready to step.
pub struct Recurrence {
    a_bar: Array2<C64>,
    b_bar: Array2<C64>,
    c: Array2<C64>,
    d: Vec<f64>,
}

impl Recurrence {
    /// Discretises every mode.
    pub fn new<F: Real>(params: &S4dParams<F>, discretization: Discretization) -> Recurrence {
        let shape = params.a_im.dim();
        let mut system = Recurrence {
            a_bar: Array2::zeros(shape),
            b_bar: Array2::zeros(shape),
            c: Array2::zeros(shape),
            d: params.d.iter().map(|d| d.wide()).collect(),
        };
        for ((h, n), a_bar) in system.a_bar.indexed_iter_mut() {
            let mode = params.mode(h, n);
            let discrete = mode.discretize(discretization);
            *a_bar = discrete.e;
            system.b_bar[[h, n]] = mode.b * mode.dt * discrete.f;
            system.c[[h, n]] = mode.c;
        }
        system
    }

    /// Advances the states (batch, H, N/2) by one observation u (batch, H) and returns y (batch, H).
    pub fn step<F: Real>(&self, state: &mut Array3<C64>, u: ArrayView2<F>) -> Array2<F> {
        let mut y = Array2::zeros(u.dim());
        for ((b, h), y) in y.indexed_iter_mut() {
            let input = u[[b, h]].wide();
            let mut sum = 0.0;
            for n in 0..self.c.ncols() {
                let x = &mut state[[b, h, n]];
                *x = self.a_bar[[h, n]] * *x + self.b_bar[[h, n]] * input;
                sum += (self.c[[h, n]] * *x).re;
            }
            *y = F::of(2.0 * sum + self.d[h] * input);
        }
        y
    }

    /// Runs a whole sequence u (batch, L, H) from `state` on and returns y (batch, L, H).
    pub fn run<F: Real>(&self, state: &mut Array3<C64>, u: ArrayView3<F>) -> Array3<F> {
        let mut y = Array3::zeros(u.dim());
        for t in 0..u.dim().1 {
            let step = self.step(state, u.slice(ndarray::s![.., t, ..]));
            y.slice_mut(ndarray::s![.., t, ..]).assign(&step);
        }
        y
    }
}
