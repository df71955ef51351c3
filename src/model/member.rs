//! One ensemble member: anchored ridge map plus, where it earned its place, an S4D network on patch tokens.
//!
//! ```text
//! forecast[t, q] = anchor[t] + (z W)[t] + c[t] V[t] + spread (offset[t, q] + o[t, q])
//! ```
//!
//! z are the anchored inputs, W the ridge map, c what covariates say of a step and V what the map makes of it, offset the map's own error quantiles and o the network's output, whose
//! head starts at zero.

use ndarray::{Array2, Array3, ArrayView1, Axis, s};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::engine::network::{Network, NetworkCache, NetworkSpec};
use crate::model::artifact::Weights;
use crate::model::features::{NETWORK_MAX, TERMS};
use crate::model::ridge;
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
    /// What the map makes of covariates, V (T, E); (T, 0) where they have no say in it.
    pub effects: Array2<f32>,
    /// Encoded covariates (K) of the series that it is made for, whether it reads them or not.
    pub columns: usize,
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
    /// What covariates say of each target (batch, T, E).
    pub extras: Array3<f32>,
    /// Covariates from the first input to the last target (batch, K, L + T), 0 where they are not known at the origin.
    pub around: Array3<f32>,
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
        let spreads = windows.iter().map(|window| window.spread).collect();
        let columns = series.first().map_or(0, |series| series.features.width());
        let Geometry { lookback, horizon, .. } = *geometry;
        let mut extras = Array3::zeros((windows.len(), horizon, TERMS * columns));
        let read = if columns > NETWORK_MAX { 0 } else { columns };
        let mut around = Array3::zeros((windows.len(), read, lookback + horizon));
        if columns > 0 {
            for (row, (series, &origin)) in series.iter().zip(origins).enumerate() {
                series.features.read(origin, extras.index_axis_mut(Axis(0), row));
                for column in 0..read {
                    let mut to = around.slice_mut(s![row, column, ..]);
                    let to = to.as_slice_mut().expect("standard layout");
                    series.features.window(column, origin as isize - lookback as isize, origin, to);
                }
            }
        }
        Batch { inputs, bases, spreads, extras, around }
    }

    /// Tokens (batch, T, P) of the inputs divided by their spread. A network that reads covariates has more values in each,
    /// and tokens for the targets, whose own part is 0: see [`NetworkSpec`].
    pub fn tokens(&self, spec: &NetworkSpec) -> Array3<f32> {
        let (batch, lookback) = self.inputs.dim();
        let patch = spec.patch;
        if spec.tokens * patch > lookback {
            return self.tokens_with_covariates(spec);
        }
        let mut tokens = self.inputs.clone();
        for (mut row, &spread) in tokens.outer_iter_mut().zip(&self.spreads) {
            row /= spread;
        }
        tokens
            .into_shape_with_order((batch, lookback / patch, patch))
            .expect("the lookback is a multiple of P")
    }

    /// ```text
    /// y y y y  a a a a  b b b b  |  …  |  0 0 0 0  a a a a  b b b b       a, b: covariates of the same steps
    /// ```
    fn tokens_with_covariates(&self, spec: &NetworkSpec) -> Array3<f32> {
        let ((batch, lookback), (_, columns, steps)) = (self.inputs.dim(), self.around.dim());
        let patch = spec.patch / (1 + columns);
        Array3::from_shape_fn((batch, spec.tokens, spec.patch), |(row, token, value)| {
            let (part, step) = (value / patch, token * patch + value % patch);
            match part.checked_sub(1) {
                None if step < lookback => self.inputs[[row, step]] / self.spreads[row],
                Some(column) if step < steps => self.around[[row, column, step]],
                _ => 0.0,
            }
        })
    }
}

/// Values per token and tokens of a network that also reads `columns` covariates, of one that reads `patch` values of
/// `lookback` inputs in each.
pub fn with_covariates(patch: usize, lookback: usize, horizon: usize, columns: usize) -> (usize, usize) {
    (patch * (1 + columns), lookback / patch + horizon.div_ceil(patch))
}

impl Member {
    /// What it is, in a word: a network, or a ridge map.
    pub fn kind(&self) -> &'static str {
        match &self.network {
            None => "ridge",
            Some(network) if network.spec.levels.is_some() => "sashimi",
            Some(network) => network.spec.ssm.as_str(),
        }
    }

    /// Anchored forecasts (batch, T, Q), unsorted, and the network's cache for the backward pass.
    ///
    /// `rng` draws the dropout masks while training; without it nothing is dropped.
    pub fn forward(
        &self,
        batch: &Batch,
        kernels: &[Array2<f32>],
        rng: Option<&mut ChaCha8Rng>,
    ) -> (Array3<f32>, Option<NetworkCache<f32>>) {
        let mut base = batch.inputs.dot(&self.skip);
        if self.effects.ncols() > 0 {
            base += &ridge::effects(&self.effects, &batch.extras);
        }
        let (horizon, levels) = self.offsets.dim();
        let mut forecast = Array3::zeros((base.nrows(), horizon, levels));
        forecast += &self.offsets;
        let cache = self.network.as_ref().map(|network| {
            let (out, cache) = network.forward(kernels, batch.tokens(&network.spec), rng);
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
        if self.effects.ncols() > 0 {
            all.push(matrix("effects", &self.effects));
        }
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
        self.skip.len() + self.effects.len() + network
    }
}
