//! One ensemble member: anchored ridge map plus, where it earned its place, an S4D network on patch tokens.
//!
//! forecast[t, q] = anchor + (z W)[t] + spread (offset[t, q] + gate · o[t, q]): z are the anchored inputs, W the ridge map,
//! offset the map's own error quantiles and o the network's output, whose head starts at zero.

use ndarray::{Array2, Array3, ArrayView2};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::engine::network::{Network, NetworkCache};
use crate::model::windows::{Geometry, Window};
use crate::model::work::WorkSeries;

/// Windows computed together; fixed, so that results do not depend on the number of threads.
pub const SLICE: usize = 16;

/// One ensemble member.
#[derive(Clone)]
pub struct Member {
    /// Geometry of its windows.
    pub geometry: Geometry,
    /// Ridge map W (L, T).
    pub skip: Array2<f32>,
    /// Quantiles of the ridge map's errors (T, Q), in units of a window's spread.
    pub offsets: Array2<f32>,
    /// The network, if there is one.
    pub network: Option<Network<f32>>,
}

/// A slice of windows, gathered.
pub struct Batch {
    /// Anchored inputs (batch, L).
    pub inputs: Array2<f32>,
    /// Anchor of each window.
    pub anchors: Vec<f32>,
    /// Spread of each window.
    pub spreads: Vec<f32>,
}

impl Batch {
    /// Gathers windows (series index, origin).
    pub fn gather(geometry: &Geometry, series: &[&WorkSeries], origins: &[usize]) -> Batch {
        let windows: Vec<Window> =
            series.iter().zip(origins).map(|(series, &origin)| geometry.window(series, origin)).collect();
        let mut inputs = Array2::zeros((windows.len(), geometry.lookback));
        for (mut row, window) in inputs.outer_iter_mut().zip(&windows) {
            row.iter_mut().zip(&window.input).for_each(|(to, &from)| *to = from);
        }
        Batch {
            inputs,
            anchors: windows.iter().map(|window| window.anchor).collect(),
            spreads: windows.iter().map(|window| window.spread).collect(),
        }
    }

    /// Tokens (batch, T, P) of the inputs divided by their spread.
    pub fn tokens(&self, patch: usize) -> Array3<f32> {
        let (batch, lookback) = self.inputs.dim();
        let mut tokens = self.inputs.clone();
        for (mut row, &spread) in tokens.outer_iter_mut().zip(&self.spreads) {
            row /= spread;
        }
        tokens.into_shape_with_order((batch, lookback / patch, patch)).expect("the lookback is a multiple of P")
    }
}

impl Member {
    /// Anchored forecasts (batch, T, Q), unsorted, and the network's cache for the backward pass.
    pub fn forward(
        &self,
        batch: &Batch,
        kernels: &[Array2<f32>],
        gate: f32,
        rng: Option<&mut ChaCha8Rng>,
    ) -> (Array3<f32>, Option<NetworkCache<f32>>) {
        let base = batch.inputs.dot(&self.skip);
        let (horizon, levels) = self.offsets.dim();
        let mut forecast = Array3::zeros((base.nrows(), horizon, levels));
        let (correction, cache) = match &self.network {
            Some(network) if gate > 0.0 => {
                let tokens = batch.tokens(network.spec.patch);
                let (out, cache) = network.forward(kernels, tokens, rng);
                (Some(out), Some(cache))
            }
            _ => (None, None),
        };
        for (row, mut forecast) in forecast.outer_iter_mut().enumerate() {
            let spread = batch.spreads[row];
            for ((step, level), value) in forecast.indexed_iter_mut() {
                let learned = correction.as_ref().map_or(0.0, |out| out[[row, step * levels + level]]);
                *value = base[[row, step]] + spread * (self.offsets[[step, level]] + gate * learned);
            }
        }
        (forecast, cache)
    }

    /// Forecasts in work space (series, T, Q) from one origin per series.
    pub fn forecast(&self, series: &[&WorkSeries], origins: &[usize], gate: f32) -> Array3<f32> {
        let kernels = self.network.as_ref().map(Network::kernels).unwrap_or_default();
        let (horizon, levels) = self.offsets.dim();
        let slices: Vec<Array3<f32>> = series
            .par_chunks(SLICE)
            .zip(origins.par_chunks(SLICE))
            .map(|(series, origins)| {
                let batch = Batch::gather(&self.geometry, series, origins);
                let (mut forecast, _) = self.forward(&batch, &kernels, gate, None);
                for (mut sample, &anchor) in forecast.outer_iter_mut().zip(&batch.anchors) {
                    sample += anchor;
                }
                forecast
            })
            .collect();
        let mut all = Array3::zeros((series.len(), horizon, levels));
        for (chunk, mut to) in slices.iter().zip(all.axis_chunks_iter_mut(ndarray::Axis(0), SLICE)) {
            to.assign(chunk);
        }
        all
    }

    /// Number of parameters.
    pub fn parameters(&self) -> usize {
        let network = self.network.as_ref().map_or(0, |network| {
            network.params.clone().tensors().iter().map(|tensor| tensor.values.len()).sum()
        });
        self.skip.len() + network
    }

    /// The ridge map as the network's skip, for gradients.
    pub fn skip_view(&self) -> ArrayView2<'_, f32> {
        self.skip.view()
    }
}
