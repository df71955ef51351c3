//! What a group of chunks owns: memory, and the sums that its chunks add to.

use crate::engine::chunked::CHUNK as T;
use crate::engine::chunked::long::Waves;
use crate::engine::chunked::mix::{PARTIAL, Partials, Scratch};
use crate::engine::chunked::shape::Shape;
use crate::engine::linear::LinearParams;
use crate::engine::network::NetworkParams;
use crate::engine::simd::buffer::Buffer;

/// Groups of a slice: as many tasks can run at once.
pub const GROUPS: usize = 16;

/// Sums of a linear map and of a norm.
struct Sums {
    weight: Buffer,
    bias: Buffer,
    gamma: Buffer,
    beta: Buffer,
}

/// Memory and sums of one group of chunks.
pub struct Group {
    d_normal: Buffer,
    d_activated: Buffer,
    activated: Buffer,
    activated_t: Buffer,
    d_gated: Buffer,
    /// Memory for a chunk of tokens (P, T) or outputs (outputs, T).
    pub gathered: Buffer,
    /// Memory for the rows of the group's channels (channels, chunks, T), twice.
    pub channels: [Buffer; 2],
    /// Memory for the states of a block of chunks (chunks, columns).
    pub states: Buffer,
    /// Memory for one state (columns).
    pub carry: Buffer,
    /// Memory for transforms, where there are any.
    pub waves: Option<Waves>,
    /// Per block: mixing map, and the norm that follows it.
    blocks: Vec<Sums>,
    /// Encoder (transposed), and the norm that follows it.
    encoder: Sums,
    head: Sums,
}

impl Sums {
    fn zeros(weight: usize, bias: usize, norm: usize) -> Sums {
        let partial = |rows: usize| Buffer::zeros(rows * PARTIAL);
        Sums { weight: Buffer::zeros(weight), bias: partial(bias), gamma: partial(norm), beta: partial(norm) }
    }

    fn clear(&mut self) {
        for buffer in [&mut self.weight, &mut self.bias, &mut self.gamma, &mut self.beta] {
            buffer.fill(0.0);
        }
    }
}

impl Group {
    /// Zeros; `channels` floats for the rows of the group's channels, `states` for the states of a block of chunks,
    /// `columns` for one state.
    pub fn new(shape: &Shape, channels: usize, states: usize, columns: usize, waves: Option<Waves>) -> Group {
        let (h, size) = (shape.hidden, shape.hidden * T);
        let block = || Sums::zeros(2 * h * h, 2 * h, h);
        Group {
            d_normal: Buffer::zeros(size),
            d_activated: Buffer::zeros(size),
            activated: Buffer::zeros(size),
            activated_t: Buffer::zeros(2 * size),
            d_gated: Buffer::zeros(4 * size),
            gathered: Buffer::zeros(shape.token().max(shape.outputs) * T),
            channels: std::array::from_fn(|_| Buffer::zeros(channels)),
            states: Buffer::zeros(states),
            carry: Buffer::zeros(columns),
            waves,
            blocks: (0..shape.layers).map(|_| block()).collect(),
            encoder: Sums::zeros(h * shape.patch, h, h),
            head: Sums::zeros(h * shape.outputs, shape.outputs, 0),
        }
    }

    /// Sets all sums to zero.
    pub fn clear(&mut self) {
        self.blocks.iter_mut().chain([&mut self.encoder, &mut self.head]).for_each(Sums::clear);
    }

    /// Memory for GELU's output of one chunk (H, T).
    pub fn activated(&mut self) -> &mut [f32] {
        &mut self.activated
    }

    /// Sums and memory for a tile's backward.
    pub fn block(&mut self, layer: usize) -> (Partials<'_>, Scratch<'_>) {
        let sums = &mut self.blocks[layer];
        let partials = Partials {
            weight: &mut sums.weight,
            bias: &mut sums.bias,
            gamma: &mut sums.gamma,
            beta: &mut sums.beta,
        };
        let scratch = Scratch {
            d_normal: &mut self.d_normal,
            d_activated: &mut self.d_activated,
            activated: &mut self.activated,
            activated_t: &mut self.activated_t,
            d_gated: &mut self.d_gated,
        };
        (partials, scratch)
    }

    /// Sums of the norm after the encoder: d gamma and d beta (H, [`PARTIAL`]).
    pub fn first_norm(&mut self) -> [&mut [f32]; 2] {
        [&mut self.encoder.gamma, &mut self.encoder.beta]
    }

    /// Sums of the encoder, dWᵀ (P, H) and d bias (H, [`PARTIAL`]), and its memory, (P, T) and (T, H).
    pub fn encoder(&mut self) -> ([&mut [f32]; 2], [&mut [f32]; 2]) {
        ([&mut self.encoder.weight, &mut self.encoder.bias], [&mut self.gathered, &mut self.activated_t])
    }

    /// Sums of the head, dW (outputs, H) and d bias (outputs, [`PARTIAL`]), and its memory, (outputs, T) and (T, H).
    pub fn head(&mut self) -> ([&mut [f32]; 2], [&mut [f32]; 2]) {
        ([&mut self.head.weight, &mut self.head.bias], [&mut self.gathered, &mut self.activated_t])
    }

    /// Adds the sums to the gradient of the network.
    pub fn add_to(&self, shape: &Shape, lanes: usize, grad: &mut NetworkParams<f32>) {
        add_linear(&self.head, lanes, &mut grad.head, false);
        add_linear(&self.encoder, lanes, &mut grad.encoder, true);
        for (layer, sums) in self.blocks.iter().enumerate() {
            add_linear(sums, lanes, &mut grad.stack_mut().blocks[layer].mix, false);
            let norm = shape.norm_after_mut(grad, layer);
            add_partials(&sums.gamma, lanes, norm.gamma.as_slice_mut().expect("standard layout"));
            add_partials(&sums.beta, lanes, norm.beta.as_slice_mut().expect("standard layout"));
        }
        if let Some(norm) = shape.first_norm_mut(grad) {
            add_partials(&self.encoder.gamma, lanes, norm.gamma.as_slice_mut().expect("standard layout"));
            add_partials(&self.encoder.beta, lanes, norm.beta.as_slice_mut().expect("standard layout"));
        }
    }
}

/// Adds the sums of a map, whose weight may be held transposed.
fn add_linear(sums: &Sums, lanes: usize, grad: &mut LinearParams<f32>, transposed: bool) {
    add_partials(&sums.bias, lanes, grad.bias.as_slice_mut().expect("standard layout"));
    if transposed {
        for (mut column, values) in
            grad.weight.columns_mut().into_iter().zip(sums.weight.chunks_exact(grad.bias.len()))
        {
            for (to, &value) in column.iter_mut().zip(values) {
                *to += value;
            }
        }
    } else {
        for (to, &value) in grad.weight.iter_mut().zip(sums.weight.iter()) {
            *to += value;
        }
    }
}

/// Adds each row's parts, one for every lane, from the first to the last.
fn add_partials(partial: &[f32], lanes: usize, to: &mut [f32]) {
    for (to, parts) in to.iter_mut().zip(partial.chunks_exact(lanes)) {
        *to += parts.iter().sum::<f32>();
    }
}
