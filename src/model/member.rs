//! One ensemble member: anchored ridge map plus, where it earned its place, an S4D network on patch tokens.
//!
//! ```text
//! forecast[t, q] = anchor[t] + (z W)[t] + spread (offset[t, q] + o[t, q])
//! ```
//!
//! z are the anchored inputs, W the ridge map, offset the map's own error quantiles and o the network's output, whose
//! head starts at zero.

use ndarray::{Array2, Array3, ArrayView1, Axis};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::engine::network::{Network, NetworkCache};
use crate::model::artifact::Weights;
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
    /// What each window's targets are measured from (batch, T).
    pub bases: Array2<f32>,
    /// Spread of each window.
    pub spreads: Vec<f32>,
}

impl Batch {
    /// Gathers windows (series index, origin).
    pub fn gather(geometry: &Geometry, series: &[&WorkSeries], origins: &[usize]) -> Batch {
        let windows: Vec<Window> =
            series.iter().zip(origins).map(|(series, &origin)| geometry.window(series, origin)).collect();
        let mut inputs = Array2::zeros((windows.len(), geometry.lookback));
        let mut bases = Array2::zeros((windows.len(), geometry.horizon));
        for (row, window) in windows.iter().enumerate() {
            inputs.row_mut(row).assign(&ArrayView1::from(&window.input));
            bases.row_mut(row).assign(&ArrayView1::from(&window.base));
        }
        Batch { inputs, bases, spreads: windows.iter().map(|window| window.spread).collect() }
    }

    /// Tokens (batch, T, P) of the inputs divided by their spread.
    pub fn tokens(&self, patch: usize) -> Array3<f32> {
        let (batch, lookback) = self.inputs.dim();
        let mut tokens = self.inputs.clone();
        for (mut row, &spread) in tokens.outer_iter_mut().zip(&self.spreads) {
            row /= spread;
        }
        tokens
            .into_shape_with_order((batch, lookback / patch, patch))
            .expect("the lookback is a multiple of P")
    }
}

impl Member {
    /// Anchored forecasts (batch, T, Q), unsorted, and the network's cache for the backward pass.
    ///
    /// `rng` draws the dropout masks while training; without it nothing is dropped.
    pub fn forward(
        &self,
        batch: &Batch,
        kernels: &[Array2<f32>],
        rng: Option<&mut ChaCha8Rng>,
    ) -> (Array3<f32>, Option<NetworkCache<f32>>) {
        let base = batch.inputs.dot(&self.skip);
        let (horizon, levels) = self.offsets.dim();
        let mut forecast = Array3::zeros((base.nrows(), horizon, levels));
        forecast += &self.offsets;
        let cache = self.network.as_ref().map(|network| {
            let (out, cache) = network.forward(kernels, batch.tokens(network.spec.patch), rng);
            let out = out.into_shape_with_order(forecast.dim()).expect("outputs are T Q in standard layout");
            forecast += &out;
            cache
        });
        for ((mut forecast, base), &spread) in
            forecast.outer_iter_mut().zip(base.outer_iter()).zip(&batch.spreads)
        {
            forecast *= spread;
            forecast += &base.insert_axis(Axis(1));
        }
        (forecast, cache)
    }

    /// Forecasts in work space (series, T, Q) from one origin per series.
    pub fn forecast(&self, series: &[&WorkSeries], origins: &[usize]) -> Array3<f32> {
        let kernels = self.network.as_ref().map(Network::kernels).unwrap_or_default();
        let (horizon, levels) = self.offsets.dim();
        let slices: Vec<Array3<f32>> = series
            .par_chunks(SLICE)
            .zip(origins.par_chunks(SLICE))
            .map(|(series, origins)| {
                let batch = Batch::gather(&self.geometry, series, origins);
                let (mut forecast, _) = self.forward(&batch, &kernels, None);
                forecast += &batch.bases.view().insert_axis(Axis(2));
                forecast
            })
            .collect();
        let mut all = Array3::zeros((series.len(), horizon, levels));
        for (chunk, mut to) in slices.iter().zip(all.axis_chunks_iter_mut(Axis(0), SLICE)) {
            to.assign(chunk);
        }
        all
    }

    /// Every tensor, its name after `prefix`.
    pub fn weights(&self, prefix: &str) -> Vec<Weights> {
        let matrix = |name: &str, values: &Array2<f32>| Weights {
            name: format!("{prefix}{name}"),
            shape: values.shape().to_vec(),
            values: values.iter().copied().collect(),
        };
        let mut all = vec![matrix("ridge", &self.skip), matrix("offsets", &self.offsets)];
        if let Some(network) = &self.network {
            all.extend(network.params.clone().tensors().into_iter().map(|tensor| Weights {
                name: format!("{prefix}{}", tensor.name),
                shape: tensor.shape,
                values: tensor.values.to_vec(),
            }));
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
}
