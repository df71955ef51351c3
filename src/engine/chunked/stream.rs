//! The same network one observation at a time, for many series at once: what a daemon does when a row arrives.
//!
//! The T places of a chunk hold series instead of positions, so that all that is done position by position is the code of
//! [`super::mix`] and [`super::ends`]; only the state-space model differs. With E, W and K₀ of [`super::tables`],
//!
//! ```text
//! y = K₀ u + 2 Re Σ_n W_n E_n s_n,   s ← E ∘ s + u.
//! ```

use rayon::prelude::*;

use crate::engine::chunked::CHUNK as T;
use crate::engine::chunked::ChunkKernel;
use crate::engine::chunked::grid::Grid;
use crate::engine::chunked::groups::GROUPS;
use crate::engine::chunked::network::Chunked;
use crate::engine::chunked::shape::Shape;
use crate::engine::chunked::tables::Tables;
use crate::engine::network::NetworkParams;
use crate::engine::simd::buffer::Buffer;
use crate::engine::simd::{Isa, Lanes};

/// A network that is told one observation of every series after the other.
pub struct Stream {
    network: Chunked,
    series: usize,
    /// Per block: E and the row of M for the next position, (H, 2 columns), and the states (H, chunks, columns, T).
    layers: Vec<StepLayer>,
}

/// Matrices and states of one block.
pub(super) struct StepLayer {
    rotation: Buffer,
    output: Buffer,
    direct: Buffer,
    states: Buffer,
}

impl Stream {
    /// States zero: nothing was observed. `shape.len` plays no part.
    pub fn new(shape: Shape, params: &NetworkParams<f32>, series: usize, isa: Isa) -> Stream {
        let chunks = series.div_ceil(T);
        let shape = Shape { len: T, ..shape };
        let mut network = Chunked::whole(shape, chunks, isa);
        network.fill(params, false);
        let layers = network.tables().map(|tables| StepLayer::new(tables, chunks)).collect();
        Stream { network, series, layers }
    }

    /// Outputs (series, outputs) after one more observation of every series, tokens (series, P).
    pub fn step(&mut self, params: &NetworkParams<f32>, tokens: &[f32], out: &mut [f32]) {
        let width = out.len() / self.series;
        assert_eq!(out.len(), self.series * width, "outputs of every series");
        self.network.step(params, tokens, &mut self.layers, out);
    }

    /// Bytes of states that are kept for one series.
    pub fn state_bytes(&self) -> usize {
        self.layers.iter().map(|layer| layer.states.len() * size_of::<f32>()).sum::<usize>()
            / self.series.next_multiple_of(T)
    }
}

impl StepLayer {
    fn new(tables: &Tables, chunks: usize) -> StepLayer {
        let (columns, hidden) = (tables.columns, tables.rotation.len() / tables.columns);
        let mut layer = StepLayer {
            rotation: Buffer::zeros(hidden * columns),
            output: Buffer::zeros(hidden * columns),
            direct: Buffer::zeros(hidden),
            states: Buffer::zeros(hidden * chunks * columns * T),
        };
        for h in 0..hidden {
            let of = tables.forward(h);
            // V[T − 2] is E, column 0 of M is W E, and Kᵤ[0][0] is K₀.
            let rows = h * columns..(h + 1) * columns;
            layer.rotation[rows.clone()].copy_from_slice(&of.to_states[(T - 2) * columns..][..columns]);
            for (to, row) in layer.output[rows].iter_mut().zip(of.from_states.chunks_exact(T)) {
                *to = row[0];
            }
            layer.direct[h] = of.toeplitz[0];
        }
        layer
    }

    /// All channels one step on: `u` by chunks of series (chunks, H, T) in, `y` by channels (H, chunks, T) out.
    pub(super) fn step(&mut self, grid: Grid, isa: Isa, u: &[f32], y: &mut [f32]) {
        let StepLayer { rotation, output, direct, states } = self;
        let (hidden, columns) = (direct.len(), rotation.len() / direct.len());
        let (together, kept) = (hidden.div_ceil(GROUPS), grid.chunks * columns * T);
        y[..hidden * grid.channel_stride]
            .par_chunks_mut(together * grid.channel_stride)
            .zip(states.par_chunks_mut(together * kept))
            .enumerate()
            .for_each(|(index, (y, states))| {
                let channels = y.chunks_exact_mut(grid.channel_stride).zip(states.chunks_exact_mut(kept));
                for (h, (y, states)) in (index * together..).zip(channels) {
                    isa.run(Step {
                        rotation: &rotation[h * columns..][..columns],
                        output: &output[h * columns..][..columns],
                        direct: direct[h],
                        u: &u[h * T..],
                        stride: grid.stride,
                        states,
                        y: &mut y[..grid.chunks * T],
                    });
                }
            });
    }
}

/// One channel of all series one step on.
struct Step<'a> {
    /// E (columns), and 2 W E as a row of M (columns).
    rotation: &'a [f32],
    output: &'a [f32],
    /// K₀.
    direct: f32,
    /// Input: the T series of a chunk, chunks `stride` apart.
    u: &'a [f32],
    stride: usize,
    /// (chunks, columns, T).
    states: &'a mut [f32],
    /// Output (chunks, T).
    y: &'a mut [f32],
}

impl ChunkKernel for Step<'_> {
    #[inline(always)]
    fn chunks<S: Lanes, const K: usize>(self, simd: S) {
        let columns = self.rotation.len();
        let (rotation_re, rotation_im) = self.rotation.split_at(columns / 2);
        let (output_re, output_im) = self.output.split_at(columns / 2);
        let chunks = self.y.chunks_exact_mut(T).zip(self.states.chunks_exact_mut(columns * T));
        for (c, (y, states)) in chunks.enumerate() {
            let y: &mut [[S::f32s; K]] = S::as_mut_simd_f32s(y).0.as_chunks_mut().0;
            let u: &[[S::f32s; K]] = S::as_simd_f32s(&self.u[c * self.stride..][..T]).0.as_chunks().0;
            let (u, mut sum) = (u[0], u[0]);
            for sum in &mut sum {
                *sum = simd.mul_f32s(*sum, simd.splat_f32s(self.direct));
            }
            let (re, im) = states.split_at_mut(columns / 2 * T);
            let re: &mut [[S::f32s; K]] = S::as_mut_simd_f32s(re).0.as_chunks_mut().0;
            let im: &mut [[S::f32s; K]] = S::as_mut_simd_f32s(im).0.as_chunks_mut().0;
            let (re, im) = (&mut re[..columns / 2], &mut im[..columns / 2]);
            for n in 0..columns / 2 {
                let (a, b) = (simd.splat_f32s(rotation_re[n]), simd.splat_f32s(rotation_im[n]));
                let (w_re, w_im) = (simd.splat_f32s(output_re[n]), simd.splat_f32s(output_im[n]));
                for k in 0..K {
                    let (x, z) = (re[n][k], im[n][k]);
                    sum[k] = simd.mul_add_e_f32s(w_re, x, simd.mul_add_e_f32s(w_im, z, sum[k]));
                    re[n][k] = simd.negate_mul_add_e_f32s(b, z, simd.mul_add_e_f32s(a, x, u[k]));
                    im[n][k] = simd.mul_add_e_f32s(b, x, simd.mul_f32s(a, z));
                }
            }
            y[0] = sum;
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::Stream;
    use crate::engine::block::Placement;
    use crate::engine::chunked::Chunked;
    use crate::engine::chunked::tests::{init, shape};
    use crate::engine::simd::Isa;

    #[test]
    fn observations_one_by_one_give_what_the_sequence_gives() {
        let (len, series) = (150, 40);
        for placement in [Placement::Pre, Placement::Post] {
            let (shape, mut rng) = (shape(placement, len), ChaCha8Rng::seed_from_u64(3));
            let params = init(&shape, &mut rng);
            let (patch, outputs) = (shape.patch, shape.outputs);
            let tokens: Vec<f32> = (0..series * len * patch).map(|_| rng.random_range(-1.0..1.0)).collect();
            for isa in Isa::available() {
                let mut whole = vec![0.0; series * len * outputs];
                Chunked::new(shape.clone(), series, false, isa).forward(&params, &tokens, &mut whole);
                let mut stream = Stream::new(shape.clone(), &params, series, isa);
                let mut out = vec![0.0; series * outputs];
                for t in 0..len {
                    let now: Vec<f32> =
                        (0..series).flat_map(|s| tokens[(s * len + t) * patch..][..patch].to_vec()).collect();
                    stream.step(&params, &now, &mut out);
                    for s in 0..series {
                        for o in 0..outputs {
                            let (one, all) = (out[s * outputs + o], whole[(s * len + t) * outputs + o]);
                            assert!(
                                (one - all).abs() < 2e-5,
                                "{placement:?} {} {t}: {one} {all}",
                                isa.name()
                            );
                        }
                    }
                }
            }
        }
    }
}
