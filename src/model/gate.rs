//! Whether the network's correction is let through: it must beat the ridge maps on the validation origins.

use crate::model::ensemble::Ensemble;
use crate::model::validation::{self, Validation};
use crate::model::work::WorkSeries;

/// Shares of the trained members that are tried.
const SHARES: [f64; 2] = [0.5, 1.0];

/// Least relative improvement where few series teach the network: one lucky validation block is not evidence.
const MARGIN_FEW: f64 = 0.01;

/// What the gate decided.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Share of the trained members in the served ensemble: 0, 0.5 or 1.
    pub share: f64,
    /// Mean error of the ridge maps, relative to seasonal naive.
    pub ridge: f64,
    /// Mean error with the best share of the trained members.
    pub network: f64,
}

/// Judges trained members against the ridge maps that they started from.
///
/// The share with the least mean error is let through if it also wins on two thirds of the origins, and, unless many
/// series teach the network (`is_panel`), by a margin.
pub fn judge(
    ridge: &Ensemble,
    trained: &Ensemble,
    validation: &Validation,
    work: &[WorkSeries],
    is_panel: bool,
) -> Verdict {
    let base = validation.relative(ridge, work);
    let ridge_error = validation::mean(&base);
    let tried = SHARES.map(|share| (share, validation.relative(&ridge.blend(trained, share), work)));
    let (share, folds) = tried
        .into_iter()
        .min_by(|a, b| validation::mean(&a.1).total_cmp(&validation::mean(&b.1)))
        .expect("there are shares to try");
    let network = validation::mean(&folds);
    let wins = folds.iter().zip(&base).filter(|(with, without)| with < without).count();
    let margin = if is_panel { 0.0 } else { MARGIN_FEW };
    let is_better = network < ridge_error * (1.0 - margin) && 3 * wins >= 2 * folds.len();
    Verdict { share: if is_better { share } else { 0.0 }, ridge: ridge_error, network }
}
