//! The same model one observation at a time: the check on the scan, and streaming inference.

use ndarray::{Array2, Array3, ArrayView1, ArrayView2, s};

use crate::engine::real::Real;
use crate::engine::s4d::{C64, Discretization, Mode, S4dParams};

/// A system ready to step. States are (batch, H, N/2), in f64 as those of [`recurrence`](crate::engine::recurrence).
pub struct IrregularRecurrence {
    modes: Array2<Mode>,
    d: Vec<f64>,
}

impl IrregularRecurrence {
    /// Of these parameters.
    pub fn new<F: Real>(params: &S4dParams<F>) -> IrregularRecurrence {
        let modes = Array2::from_shape_fn(params.a_im.dim(), |(h, n)| params.mode(h, n));
        IrregularRecurrence { modes, d: params.d.iter().map(|d| d.wide()).collect() }
    }

    /// Advances the states by one observation u (batch, H) that stands `gaps` (batch) after the last one; returns y
    /// (batch, H). What a query sees is this of a copy of the states, with `writes` false.
    pub fn step<F: Real>(
        &self,
        state: &mut Array3<C64>,
        gaps: ArrayView1<F>,
        u: ArrayView2<F>,
        writes: bool,
    ) -> Array2<F> {
        let mut y = Array2::zeros(u.dim());
        for ((b, h), y) in y.indexed_iter_mut() {
            let (input, gap) = (u[[b, h]].wide(), gaps[b].wide());
            let mut sum = 0.0;
            for (mode, x) in self.modes.row(h).iter().zip(&mut state.slice_mut(s![b, h, ..])) {
                let mode = Mode { dt: mode.dt * gap, ..*mode };
                let discrete = mode.discretize(Discretization::ZeroOrderHold);
                *x *= discrete.e;
                if writes {
                    *x += mode.b * mode.dt * discrete.f * input;
                }
                sum += (mode.c * *x).re;
            }
            *y = F::of(2.0 * sum + self.d[h] * input);
        }
        y
    }
}
