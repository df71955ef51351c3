//! Forecasts of series and their sums that add up.

use crate::hierarchy::{Evidence, Quantiles, Reconciliation, Residuals, reconcile};
use crate::ingest::{IngestError, SumsSpec, hierarchy_refused};
use crate::model::spec::ModelSpec;
use crate::series::{Forecasts, Panel};

/// Past errors of the sums and their series that say how they err together.
const MOMENTS: usize = 200;

/// Sample paths that quantiles are read from.
const DRAWS: usize = 512;

/// The forecasts reconciled, as the source has it; as they are where it has no hierarchy.
///
/// # Errors
/// If the sums cannot be built or forecasts of some are missing.
pub(super) fn coherent(
    forecasts: Forecasts,
    panel: &Panel,
    spec: &SumsSpec,
    model: &ModelSpec,
) -> Result<Forecasts, IngestError> {
    let Some(tree) = spec.tree(panel)? else { return Ok(forecasts) };
    let own = || panel.series.first().and_then(|one| one.frequency.season_lengths().first().copied());
    let season = model.season_length().or_else(own).unwrap_or(1);
    let residuals = Residuals::seasonal_naive(&tree, panel, season, MOMENTS);
    let how = Reconciliation {
        method: spec.method.clone(),
        is_nonnegative: model.bounds().min.is_some_and(|min| min >= 0.0),
        quantiles: Quantiles::Paths { draws: DRAWS, seed: model.seed() },
    };
    let evidence = Evidence { residuals: Some(&residuals), history: Some(panel) };
    reconcile(&tree, forecasts, evidence, &how).map_err(hierarchy_refused)
}
