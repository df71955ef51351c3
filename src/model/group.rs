//! One group of series, all of one frequency, once it is trained.

use crate::model::blend::Blend;
use crate::model::counts::CountHead;
use crate::model::ensemble::Ensemble;
use crate::model::features::Encoding;
use crate::model::spec::ModelKind;
use crate::series::Frequency;

/// Published names of all forecasters.
pub const MODEL_IDS: [&str; 15] = [
    "s4d",
    "s4",
    "sashimi",
    "ensemble",
    "ridge",
    "seasonal_naive",
    "naive",
    "ets",
    "mstl",
    "croston",
    "croston_sba",
    "tsb",
    "adida",
    "imapa",
    "counts",
];

/// What forecasts the series of a group.
#[derive(Clone)]
pub enum Served {
    /// Ridge maps, with or without networks.
    Ensemble(Box<Ensemble>),
    /// A model of each series alone, fitted where it forecasts: nothing is learnt before.
    Local {
        /// One for which [`ModelKind::is_local`] holds.
        kind: ModelKind,
    },
    /// A count head over all series.
    Counts(Box<CountHead>),
    /// One of the others and models of each series alone, averaged with weights of each series.
    Blend(Box<Blend>),
    /// The value one season earlier; `is_fallback` where a model was asked for and could not be trained.
    SeasonalNaive {
        /// Whether it stands in for something else.
        is_fallback: bool,
    },
}

/// A trained group.
#[derive(Clone)]
pub struct Group {
    /// Frequency of its series.
    pub frequency: Frequency,
    /// Season length in steps, 1 for none.
    pub season: usize,
    /// How covariates become columns that models read; empty without any.
    pub encoding: Encoding,
    /// What forecasts it.
    pub served: Served,
    /// Its published name, one of [`MODEL_IDS`].
    pub model_id: &'static str,
}

impl Group {
    /// Whether a forecast fits models to each series, which takes long where there are many.
    pub fn fits_each(&self) -> bool {
        matches!(self.served, Served::Local { .. } | Served::Blend(_))
    }

    /// Its learnt maps and networks, if it has any.
    pub fn ensemble(&self) -> Option<&Ensemble> {
        match &self.served {
            Served::Ensemble(ensemble) => Some(ensemble),
            Served::Blend(blend) => blend.base.ensemble(),
            Served::Local { .. } | Served::Counts(_) | Served::SeasonalNaive { .. } => None,
        }
    }

    /// The models that forecast a series and their weights, which add up to 1, the heaviest first; of a blend, those of a series
    /// without its own.
    pub fn weights(&self) -> Vec<(&'static str, f64)> {
        match &self.served {
            Served::Ensemble(ensemble) => ensemble.shares(),
            Served::Blend(blend) => blend.mean_weights(std::iter::once("")),
            Served::Local { .. } | Served::Counts(_) | Served::SeasonalNaive { .. } => {
                vec![(self.model_id, 1.0)]
            }
        }
    }
}
