//! The member of an ensemble that reads observations at any times.

use ndarray::{Array2, Array3, Axis};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::engine::irregular::IrregularNetwork;
use crate::engine::irregular::network::IrregularCache;
use crate::engine::network::{NetworkSpec, Readout};
use crate::engine::s4d::{Discretization, Init};
use crate::engine::ssm::SsmKind;
use crate::model::artifact::Weights;
use crate::model::baseline::quantile;
use crate::model::events::batch::{Batch, Queries, TOKEN};
use crate::model::member::SLICE;
use crate::model::work::WorkSeries;

/// A network on the last observations.
#[derive(Clone)]
pub struct EventMember {
    /// Observations that it reads (K).
    pub context: usize,
    /// Steps that it forecasts (T).
    pub horizon: usize,
    /// The network: K + T tokens, Q outputs for each of the last T.
    pub network: IrregularNetwork<f32>,
}

impl EventMember {
    /// The shape of its network, for that many quantile levels (Q).
    pub fn shape(context: usize, horizon: usize, levels: usize) -> NetworkSpec {
        NetworkSpec {
            patch: TOKEN,
            tokens: context + horizon,
            hidden: 32,
            modes: 8,
            layers: 2,
            outputs: levels,
            readout: Readout::Suffix(horizon),
            ssm: SsmKind::S4d,
            levels: None,
            init: Init::Lin,
            discretization: Discretization::ZeroOrderHold,
            // The fastest mode of the widest channel turns once in two steps, the slowest of the narrowest in hundreds.
            dt: (0.005, 0.15),
            dropout: 0.0,
        }
    }

    /// A network that says of every window what all windows have in common: the quantiles of their targets, measured
    /// from the mean of the window.
    pub fn fresh(
        (context, horizon): (usize, usize),
        levels: &[f64],
        windows: &Batch,
        seed: u64,
    ) -> EventMember {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let spec = EventMember::shape(context, horizon, levels.len());
        let mut network = IrregularNetwork::init(spec, &mut rng);
        let rows = windows.targets.outer_iter().zip(windows.levels.iter().zip(&windows.spreads));
        let scaled = rows.flat_map(|(row, (level, spread))| {
            row.to_vec().into_iter().map(move |target| f64::from((target - level) / spread))
        });
        let mut scaled: Vec<f64> = scaled.filter(|value| value.is_finite()).collect();
        scaled.sort_by(f64::total_cmp);
        for (bias, level) in network.params.head.bias.iter_mut().zip(levels) {
            *bias = quantile(&scaled, *level) as f32;
        }
        EventMember { context, horizon, network }
    }

    /// Forecasts (batch, T, Q) in work space, unsorted, and what backward needs; `NaN` for windows with too few observations.
    pub fn forward(&self, batch: &Batch, rng: Option<&mut impl Rng>) -> (Array3<f32>, IrregularCache<f32>) {
        let (out, cache) = self.network.forward(batch.tokens.clone(), batch.gaps.view(), rng);
        let shape = (batch.levels.len(), self.horizon, self.network.spec.outputs);
        let mut forecast = out.into_shape_with_order(shape).expect("outputs are in standard layout");
        for (mut sample, (&level, &spread)) in
            forecast.outer_iter_mut().zip(batch.levels.iter().zip(&batch.spreads))
        {
            sample.mapv_inplace(|value| level + spread * value);
        }
        (forecast, cache)
    }

    /// Forecasts in work space (series, T, Q) from one origin per series.
    pub fn forecast(&self, series: &[&WorkSeries], origins: &[usize]) -> Array3<f32> {
        let slices: Vec<Array3<f32>> = series
            .par_chunks(SLICE)
            .zip(origins.par_chunks(SLICE))
            .map(|(series, origins)| {
                let batch = Batch::gather((self.context, self.horizon), series, origins, Queries::Steps);
                self.forward(&batch, None::<&mut ChaCha8Rng>).0
            })
            .collect();
        let mut all = Array3::zeros((series.len(), self.horizon, self.network.spec.outputs));
        for (chunk, mut to) in slices.iter().zip(all.axis_chunks_iter_mut(Axis(0), SLICE)) {
            to.assign(chunk);
        }
        all
    }

    /// Every tensor, its name after `prefix`.
    pub fn weights(&self, prefix: &str) -> Vec<Weights> {
        let mut params = self.network.params.clone();
        let weights = params.tensors().into_iter().map(|tensor| Weights {
            name: format!("{prefix}{}", tensor.name),
            shape: tensor.shape,
            values: tensor.values.to_vec(),
        });
        weights.collect()
    }

    /// Number of parameters.
    pub fn parameters(&self) -> usize {
        self.network.params.clone().tensors().iter().map(|tensor| tensor.values.len()).sum()
    }
}

/// dLoss/doutputs (batch T, Q) of dLoss/dforecasts (batch, T, Q).
pub(super) fn to_outputs(batch: &Batch, mut gradient: Array3<f32>) -> Array2<f32> {
    let (windows, horizon, levels) = gradient.dim();
    for (mut sample, &spread) in gradient.outer_iter_mut().zip(&batch.spreads) {
        sample *= spread;
    }
    gradient.into_shape_with_order((windows * horizon, levels)).expect("standard layout")
}
