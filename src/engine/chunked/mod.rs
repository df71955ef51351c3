//! The network of [`crate::engine::network`] for long sequences in f32: chunked state-space products, fused tiles.
//!
//! A sequence is cut into chunks of T = 32 positions (missing ones in front count as zero). Within a chunk a channel's
//! state-space model is a triangular product, between chunks it hands on a state of N numbers, so that a layer costs
//! T/2 + 2 N multiply-adds per value forward, twice that backward, and no transform ([`ssm`]). All that happens position by position is done with one
//! chunk in the first cache ([`mix`], [`ends`]). [`Stream`] takes one observation at a time.
//!
//! # Layout
//!
//! Activations by chunks: (chunks, H, T), each chunk padded by one cache line. What a state-space layer writes, its
//! output and the gradient of its input, lies by channels: (H, chunks, T). Each side of a barrier thus writes memory of
//! its own in one piece, and reads the other's in rows of T.
//!
//! # Order of work
//!
//! Slices of whole sequences run one after the other through forward, loss and backward of all layers, and stay in the
//! shared cache meanwhile. Within a slice, channels or groups of chunks run in parallel. The grid of slices and groups
//! depends on the shape alone, and every sum runs in the order of the grid: any number of threads gives the same bits.

pub mod ends;
pub mod mix;
#[cfg(test)]
mod dropout_tests;
mod grid;
mod groups;
mod long;
mod memory;
mod network;
mod pass;
mod shape;
pub mod ssm;
mod stream;
pub mod tables;
#[cfg(test)]
mod tests;

pub use network::{Chunked, SliceLoss};
pub use shape::Shape;
pub use stream::Stream;

use crate::engine::simd::{Kernel, Lanes};

/// Positions of a chunk (T).
pub const CHUNK: usize = 32;

/// A kernel on chunks, whose rows of T floats are K registers.
trait ChunkKernel {
    /// The work.
    fn chunks<S: Lanes, const K: usize>(self, simd: S);
}

impl<C: ChunkKernel> Kernel for C {
    #[inline(always)]
    fn run<S: Lanes>(self, simd: S) {
        match S::F32_LANES {
            16 => self.chunks::<S, { CHUNK / 16 }>(simd),
            8 => self.chunks::<S, { CHUNK / 8 }>(simd),
            _ => self.chunks::<S, CHUNK>(simd),
        }
    }
}
