//! A trained forecaster of a panel: fit, predict, save.

use crate::model::report::{FitReport, Progress};
use crate::model::spec::ModelSpec;
use crate::series::{Forecasts, Panel};
use std::path::Path;
use std::time::Instant;

/// Why no forecaster could be trained.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// Nothing to learn from.
    #[error("the panel holds no series; every series was left out or the input is empty")]
    EmptyPanel,
    /// The artifact cannot be written.
    #[error("cannot save the model to {path}: {reason}")]
    Save {
        /// Where it should go.
        path: String,
        /// The operating system's words.
        reason: String,
    },
}

/// A trained forecaster.
#[derive(Clone, Debug)]
pub struct Forecaster {
    spec: ModelSpec,
}

/// What training gave.
#[derive(Clone, Debug)]
pub struct Fitted {
    /// Ready to predict.
    pub forecaster: Forecaster,
    /// How each group of series (one frequency each) was trained.
    pub reports: Vec<FitReport>,
}

impl Forecaster {
    /// Trains on a panel; `deadline` yields the best model so far; `watch` hears of the progress.
    ///
    /// # Errors
    /// If the panel is empty.
    pub fn fit(
        panel: &Panel,
        spec: &ModelSpec,
        deadline: Option<Instant>,
        watch: &(dyn Fn(Progress) + Sync),
    ) -> Result<Fitted, ModelError> {
        let _ = (deadline, watch);
        if panel.series.is_empty() {
            return Err(ModelError::EmptyPanel);
        }
        Ok(Fitted { forecaster: Forecaster { spec: spec.clone() }, reports: Vec::new() })
    }

    /// Forecasts every series of the panel from its end.
    pub fn predict(&self, panel: &Panel) -> Forecasts {
        let _ = panel;
        Forecasts { quantile_levels: self.spec.quantile_levels().to_vec(), series: Vec::new() }
    }

    /// Writes all weights as safetensors, atomically.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), ModelError> {
        Err(ModelError::Save { path: path.display().to_string(), reason: "no weights yet".into() })
    }

    /// SHA-256 of the saved form, lower-case hex.
    pub fn weights_sha256(&self) -> String {
        String::new()
    }
}
