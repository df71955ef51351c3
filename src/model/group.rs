//! One group of series, all of one frequency, once it is trained.

use crate::model::ensemble::Ensemble;
use crate::series::Frequency;

/// What forecasts the series of a group.
#[derive(Clone)]
pub enum Served {
    /// Ridge maps, with or without networks.
    Ensemble(Box<Ensemble>),
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
    /// What forecasts it.
    pub served: Served,
    /// Its published name.
    pub model_id: &'static str,
}

impl Group {
    /// What is no tensor, as JSON.
    pub fn description(&self) -> serde_json::Value {
        let ensemble = match &self.served {
            Served::Ensemble(ensemble) => Some(ensemble.description()),
            Served::SeasonalNaive { .. } => None,
        };
        serde_json::json!({
            "frequency": self.frequency.to_string(),
            "season_length": self.season,
            "model_id": self.model_id,
            "ensemble": ensemble,
        })
    }
}
