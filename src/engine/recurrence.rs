//! The same state-space models one step at a time: the oracle of the convolution, and streaming inference.
//!
//! x_t = Ā x_{t−1} + B̄ u_t,  y_t = 2 Re Σ_n C_n x_{t,n} + D u_t, in O(N) per channel also where A is not diagonal. The
//! state is carried in f64: |Ā| may be 1 − 5e-4.

use ndarray::{Array2, Array3, ArrayView2, ArrayView3};

use crate::engine::dplr::DplrParams;
use crate::engine::dplr::transition::Transition;
use crate::engine::real::Real;
use crate::engine::s4d::{C64, Discretization, S4dParams};
use crate::engine::ssm::SsmParams;

/// A discretised system, ready to step. States are (batch, H, N/2) of either kind.
pub struct Recurrence {
    system: System,
    c: Array2<C64>,
    d: Vec<f64>,
}

/// Ā and B̄.
enum System {
    /// S4D: entries (H, N/2).
    Diagonal { a_bar: Array2<C64>, b_bar: Array2<C64> },
    /// S4: one transition per channel.
    Dplr(Vec<Transition>),
}

impl Recurrence {
    /// Discretises every mode.
    pub fn new<F: Real>(params: &S4dParams<F>, discretization: Discretization) -> Recurrence {
        let shape = params.a_im.dim();
        let (mut a_bar, mut b_bar) = (Array2::zeros(shape), Array2::zeros(shape));
        let mut c = Array2::zeros(shape);
        for ((h, n), a_bar) in a_bar.indexed_iter_mut() {
            let mode = params.mode(h, n);
            let discrete = mode.discretize(discretization);
            *a_bar = discrete.e;
            b_bar[[h, n]] = mode.b * mode.dt * discrete.f;
            c[[h, n]] = mode.c;
        }
        Recurrence { system: System::Diagonal { a_bar, b_bar }, c, d: wide(&params.d) }
    }

    /// Discretises every channel and recovers the true C, which costs O(N³ log L) once.
    pub fn dplr<F: Real>(params: &DplrParams<F>) -> Recurrence {
        let transition = |h| Transition::new(&params.channel(h));
        Recurrence {
            system: System::Dplr((0..params.d.len()).map(transition).collect()),
            c: params.output(),
            d: wide(&params.d),
        }
    }

    /// The system of either kind; S4 is bilinear and ignores the discretisation.
    pub fn of<F: Real>(params: &SsmParams<F>, discretization: Discretization) -> Recurrence {
        match params {
            SsmParams::Diagonal(params) => Recurrence::new(params, discretization),
            SsmParams::Dplr(params) => Recurrence::dplr(params),
        }
    }

    /// Advances the states (batch, H, N/2) by one observation u (batch, H) and returns y (batch, H).
    ///
    /// # Panics
    /// If the states are not in standard layout.
    pub fn step<F: Real>(&self, state: &mut Array3<C64>, u: ArrayView2<F>) -> Array2<F> {
        let mut y = Array2::zeros(u.dim());
        for ((b, h), y) in y.indexed_iter_mut() {
            let input = u[[b, h]].wide();
            let mut x = state.slice_mut(ndarray::s![b, h, ..]);
            match &self.system {
                System::Diagonal { a_bar, b_bar } => {
                    for (n, x) in x.iter_mut().enumerate() {
                        *x = a_bar[[h, n]] * *x + b_bar[[h, n]] * input;
                    }
                }
                System::Dplr(channels) => {
                    channels[h].advance(x.as_slice_mut().expect("states are in standard layout"), input);
                }
            }
            let sum: f64 = self.c.row(h).iter().zip(&x).map(|(c, x)| (c * x).re).sum();
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

/// D in f64.
fn wide<F: Real>(d: &ndarray::Array1<F>) -> Vec<f64> {
    d.iter().map(|d| d.wide()).collect()
}
