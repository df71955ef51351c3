//! Memory of a slice: activations and their gradients.

use crate::engine::chunked::CHUNK as T;
use crate::engine::chunked::ends::Frame;
use crate::engine::chunked::grid::Grid;
use crate::engine::chunked::groups::GROUPS;
use crate::engine::chunked::shape::Shape;
use crate::engine::simd::buffer::Buffer;

/// What one block of a slice writes.
pub(super) struct Run {
    /// Output of the state-space layer, by channels (H, chunks, T).
    pub(super) y: Buffer,
    /// States at the start of every chunk (H, chunks, columns).
    pub(super) states: Buffer,
    /// Values and gates (chunks, 2H, T).
    pub(super) gated: Buffer,
    pub(super) out: Sum,
}

/// A residual sum, its moments and its norm, by chunks.
pub(super) struct Sum {
    /// Residual sum (chunks, H, T).
    pub(super) sum: Buffer,
    /// Its mean and inverse standard deviation over H (chunks, 2, T).
    pub(super) moments: Buffer,
    /// Its norm (chunks, H, T).
    pub(super) normed: Buffer,
}

/// Memory of a slice. Backward needs all of it. A network that only forecasts has memory for two blocks, which take turns,
/// and where nobody reads an array afterwards each group uses a small part of it again and again.
pub(super) struct Memory {
    /// Sequences of a slice, if backward follows and if not.
    pub(super) sequences: [usize; 2],
    pub(super) encoded: Sum,
    pub(super) runs: Vec<Run>,
    pub(super) out: Vec<f32>,
}

/// Memory of the gradients of a slice: by chunks; of the state-space layers' outputs, by chunks, and inputs, by
/// channels; of the outputs.
pub(super) struct Gradients {
    /// Of residual sums, or of norms (chunks, H, T).
    pub(super) d_chunks: Buffer,
    /// Of the state-space layer's output (chunks, H, T).
    pub(super) dy: Buffer,
    /// Of its input (H, chunks, T).
    pub(super) du: Buffer,
    /// Of the outputs (positions, outputs).
    pub(super) dout: Vec<f32>,
}

impl Memory {
    pub(super) fn new(shape: &Shape, frame: Frame, sequences: [usize; 2], keep: bool) -> Memory {
        let grid = Grid::new(sequences[usize::from(!keep)], frame, shape.hidden, keep);
        let size = grid.chunks * grid.stride;
        let sum = |sum: usize| Sum {
            sum: Buffer::zeros(sum),
            moments: Buffer::zeros(grid.chunks * 2 * T),
            normed: Buffer::zeros(size),
        };
        let run = || Run {
            y: Buffer::zeros(shape.hidden * grid.channel_stride),
            states: Buffer::zeros(GROUPS * grid.states(shape.columns())),
            gated: Buffer::zeros(GROUPS * grid.gated(shape.hidden)),
            out: sum(if shape.pre() { size } else { GROUPS * grid.sums(shape.pre()) }),
        };
        let runs = if keep { shape.layers } else { shape.layers.min(2) };
        Memory {
            sequences,
            encoded: sum(if shape.pre() { size } else { 0 }),
            runs: (0..runs).map(|_| run()).collect(),
            out: vec![0.0; grid.chunks / frame.per_sequence * shape.len * shape.outputs],
        }
    }

    /// What block `index` reads and writes.
    pub(super) fn block(&mut self, index: usize) -> (&Sum, &mut Run) {
        let count = self.runs.len();
        if index == 0 {
            return (&self.encoded, &mut self.runs[0]);
        }
        let places = [(index - 1) % count, index % count];
        let [before, run] = self.runs.get_disjoint_mut(places).expect("two blocks at least");
        (&before.out, run)
    }
}
