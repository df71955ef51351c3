//! The convolution as sums of products.
//!
//! Channels are independent, so a tile of [`WIDE`] neighbouring channels is carried through all positions with its sum
//! in registers: per product two loads and no store.

use ndarray::{Array2, Array3, ArrayView1, ArrayView2, ArrayView3};

use crate::engine::convolution::{ConvolutionGradient, flat, flat_mut};
use crate::engine::real::Real;
use crate::engine::simd::{Isa, Kernel, Lanes};

/// Channels of a tile; what is left of H goes in tiles of `NARROW` and of one.
const WIDE: usize = 16;
const NARROW: usize = 4;

/// Rows of H channels, row-major.
#[derive(Clone, Copy)]
struct Rows<'a, F> {
    values: &'a [F],
    hidden: usize,
}

impl<'a, F: Real> Rows<'a, F> {
    fn new(values: &'a [F], hidden: usize) -> Rows<'a, F> {
        Rows { values, hidden }
    }

    /// Channels `start..start + W` of one row.
    #[inline(always)]
    fn tile<const W: usize>(&self, row: usize, start: usize) -> &'a [F; W] {
        self.values[row * self.hidden + start..].first_chunk().expect("the tile lies within the row")
    }
}

#[inline(always)]
fn tile_mut<F, const W: usize>(values: &mut [F], at: usize) -> &mut [F; W] {
    values[at..].first_chunk_mut().expect("the tile lies within the row")
}

/// sum += a ⊙ b.
#[inline(always)]
fn add_product<F: Real, const W: usize>(sum: &mut [F; W], a: &[F; W], b: &[F; W]) {
    for lane in 0..W {
        sum[lane] += a[lane] * b[lane];
    }
}

#[inline(always)]
fn add<F: Real, const W: usize>(sum: &mut [F; W], part: &[F; W]) {
    for lane in 0..W {
        sum[lane] += part[lane];
    }
}

/// A computation on channels `start..start + W` of one sample.
trait Tile {
    fn run<const W: usize>(&mut self, start: usize);
}

/// Covers all channels with tiles.
#[inline(always)]
fn for_each_tile(hidden: usize, tile: &mut impl Tile) {
    let (wide, narrow) = (hidden / WIDE * WIDE, hidden / NARROW * NARROW);
    (0..wide).step_by(WIDE).for_each(|start| tile.run::<WIDE>(start));
    (wide..narrow).step_by(NARROW).for_each(|start| tile.run::<NARROW>(start));
    (narrow..hidden).for_each(|start| tile.run::<1>(start));
}

struct Forward<'a, F> {
    u: Rows<'a, F>,
    k: Rows<'a, F>,
    d: Rows<'a, F>,
    y: &'a mut [F],
}

impl<F: Real> Tile for Forward<'_, F> {
    // y_t = D u_t + Σ_{s≤t} K_{t−s} u_s
    #[inline(always)]
    fn run<const W: usize>(&mut self, start: usize) {
        let d = self.d.tile::<W>(0, start);
        for (t, y) in self.y.chunks_exact_mut(self.u.hidden).enumerate() {
            let mut sum = [F::zero(); W];
            add_product(&mut sum, d, self.u.tile(t, start));
            for s in 0..=t {
                add_product(&mut sum, self.k.tile(t - s, start), self.u.tile(s, start));
            }
            *tile_mut(y, start) = sum;
        }
    }
}

/// See [`super::forward`].
pub(super) fn forward<F: Real>(u: ArrayView3<F>, k: ArrayView2<F>, d: ArrayView1<F>) -> Array3<F> {
    let (_, len, hidden) = u.dim();
    let mut y = Array3::zeros(u.dim());
    let (u, k, d) = (flat(&u), Rows::new(flat(&k), hidden), Rows::new(flat(&d), hidden));
    Isa::detect().run(ForwardSamples { len, u, k, d, y: flat_mut(&mut y) });
    y
}

struct ForwardSamples<'a, F> {
    len: usize,
    u: &'a [F],
    k: Rows<'a, F>,
    d: Rows<'a, F>,
    y: &'a mut [F],
}

impl<F: Real> Kernel for ForwardSamples<'_, F> {
    #[inline(always)]
    fn run<S: Lanes>(self, _: S) {
        let ForwardSamples { len, u, k, d, y } = self;
        let hidden = k.hidden;
        for (u, y) in u.chunks_exact(len * hidden).zip(y.chunks_exact_mut(len * hidden)) {
            for_each_tile(hidden, &mut Forward { u: Rows::new(u, hidden), k, d, y });
        }
    }
}

struct Backward<'a, F> {
    u: Rows<'a, F>,
    k: Rows<'a, F>,
    d: Rows<'a, F>,
    dy: Rows<'a, F>,
    du: &'a mut [F],
    dk: &'a mut [F],
    dd: &'a mut [F],
}

impl<F: Real> Tile for Backward<'_, F> {
    // du_i = D dy_i + Σ_{t≥i} K_{t−i} dy_t,  dK_i += Σ_{t≥i} u_{t−i} dy_t,  dD += Σ_i u_i dy_i: the first two run over
    // the same pairs of positions, so one pass serves both.
    #[inline(always)]
    fn run<const W: usize>(&mut self, start: usize) {
        let hidden = self.u.hidden;
        let d = self.d.tile::<W>(0, start);
        let mut dd = [F::zero(); W];
        let rows = self.du.chunks_exact_mut(hidden).zip(self.dk.chunks_exact_mut(hidden));
        let len = rows.len();
        for (i, (du, dk)) in rows.enumerate() {
            let mut du_sum = [F::zero(); W];
            let mut dk_sum = [F::zero(); W];
            add_product(&mut du_sum, d, self.dy.tile(i, start));
            add_product(&mut dd, self.u.tile(i, start), self.dy.tile(i, start));
            for t in i..len {
                let dy = self.dy.tile(t, start);
                add_product(&mut du_sum, self.k.tile(t - i, start), dy);
                add_product(&mut dk_sum, self.u.tile(t - i, start), dy);
            }
            *tile_mut(du, start) = du_sum;
            add(tile_mut(dk, start), &dk_sum);
        }
        add(tile_mut(self.dd, start), &dd);
    }
}

/// See [`super::backward`].
pub(super) fn backward<F: Real>(
    u: ArrayView3<F>,
    k: ArrayView2<F>,
    d: ArrayView1<F>,
    dy: ArrayView3<F>,
) -> ConvolutionGradient<F> {
    let mut gradient = ConvolutionGradient::zeros(u.dim());
    let (_, len, hidden) = u.dim();
    let (u, dy, k, d) = (flat(&u), flat(&dy), Rows::new(flat(&k), hidden), Rows::new(flat(&d), hidden));
    let (du, dk, dd) = gradient.flat_mut();
    Isa::detect().run(BackwardSamples { len, k, d, u, dy, du, dk, dd });
    gradient
}

/// Samples side by side; the gradients of K and D are summed over them.
struct BackwardSamples<'a, F> {
    len: usize,
    k: Rows<'a, F>,
    d: Rows<'a, F>,
    u: &'a [F],
    dy: &'a [F],
    du: &'a mut [F],
    dk: &'a mut [F],
    dd: &'a mut [F],
}

impl<F: Real> Kernel for BackwardSamples<'_, F> {
    #[inline(always)]
    fn run<S: Lanes>(self, _: S) {
        let BackwardSamples { len, k, d, u, dy, du, dk, dd } = self;
        let hidden = k.hidden;
        let samples = u.chunks_exact(len * hidden).zip(dy.chunks_exact(len * hidden));
        for ((u, dy), du) in samples.zip(du.chunks_exact_mut(len * hidden)) {
            let (u, dy) = (Rows::new(u, hidden), Rows::new(dy, hidden));
            for_each_tile(hidden, &mut Backward { u, k, d, dy, du, dk, dd });
        }
    }
}

struct Last<'a, F> {
    u: Rows<'a, F>,
    k: Rows<'a, F>,
    d: Rows<'a, F>,
    y: &'a mut [F],
}

impl<F: Real> Tile for Last<'_, F> {
    #[inline(always)]
    fn run<const W: usize>(&mut self, start: usize) {
        let len = self.u.values.len() / self.u.hidden;
        let mut sum = [F::zero(); W];
        add_product(&mut sum, self.d.tile(0, start), self.u.tile(len - 1, start));
        for s in 0..len {
            add_product(&mut sum, self.k.tile(len - 1 - s, start), self.u.tile(s, start));
        }
        *tile_mut(self.y, start) = sum;
    }
}

/// See [`super::last_forward`].
pub(super) fn last_forward<F: Real>(u: ArrayView3<F>, k: ArrayView2<F>, d: ArrayView1<F>) -> Array2<F> {
    let (batch, len, hidden) = u.dim();
    let mut y = Array2::zeros((batch, hidden));
    let (u, k, d) = (flat(&u), Rows::new(flat(&k), hidden), Rows::new(flat(&d), hidden));
    Isa::detect().run(LastSamples { len, u, k, d, y: flat_mut(&mut y) });
    y
}

struct LastSamples<'a, F> {
    len: usize,
    u: &'a [F],
    k: Rows<'a, F>,
    d: Rows<'a, F>,
    y: &'a mut [F],
}

impl<F: Real> Kernel for LastSamples<'_, F> {
    #[inline(always)]
    fn run<S: Lanes>(self, _: S) {
        let LastSamples { len, u, k, d, y } = self;
        let hidden = k.hidden;
        for (u, y) in u.chunks_exact(len * hidden).zip(y.chunks_exact_mut(hidden)) {
            for_each_tile(hidden, &mut Last { u: Rows::new(u, hidden), k, d, y });
        }
    }
}

/// See [`super::last_backward`].
pub(super) fn last_backward<F: Real>(
    u: ArrayView3<F>,
    k: ArrayView2<F>,
    d: ArrayView1<F>,
    dy: ArrayView2<F>,
) -> ConvolutionGradient<F> {
    let mut gradient = ConvolutionGradient::zeros(u.dim());
    let (_, len, hidden) = u.dim();
    let (k, d) = (Rows::new(flat(&k), hidden), Rows::new(flat(&d), hidden));
    let (du, dk, dd) = gradient.flat_mut();
    Isa::detect().run(LastBackwardSamples(BackwardSamples {
        len,
        k,
        d,
        u: flat(&u),
        dy: flat(&dy),
        du,
        dk,
        dd,
    }));
    gradient
}

/// [`BackwardSamples`] with one dy (H) a sample.
struct LastBackwardSamples<'a, F>(BackwardSamples<'a, F>);

impl<F: Real> Kernel for LastBackwardSamples<'_, F> {
    #[inline(always)]
    fn run<S: Lanes>(self, _: S) {
        let BackwardSamples { len, k, d, u, dy, du, dk, dd } = self.0;
        let (hidden, k, d) = (k.hidden, k.values, d.values);
        let samples = u.chunks_exact(len * hidden).zip(du.chunks_exact_mut(len * hidden));
        for ((u, du), dy) in samples.zip(dy.chunks_exact(hidden)) {
            // Position s meets the kernel at L − 1 − s.
            let kernel = k.chunks_exact(hidden).zip(dk.chunks_exact_mut(hidden)).rev();
            let positions = u.chunks_exact(hidden).zip(du.chunks_exact_mut(hidden));
            for ((u, du), (k, dk)) in positions.zip(kernel) {
                for ((du, dk), ((&u, &k), &dy)) in du.iter_mut().zip(dk).zip(u.iter().zip(k).zip(dy)) {
                    *du = k * dy;
                    *dk += u * dy;
                }
            }
            let last = (len - 1) * hidden;
            for ((du, dd), ((&u, &d), &dy)) in
                du[last..].iter_mut().zip(&mut *dd).zip(u[last..].iter().zip(d).zip(dy))
            {
                *du += d * dy;
                *dd += u * dy;
            }
        }
    }
}
