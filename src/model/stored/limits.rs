//! What every part of a description is held against.

use ndarray::Array2;

use crate::model::artifact::{LoadError, Tensors};
use crate::model::conformal::Conformal;
use crate::model::spec::ModelSpec;

/// Largest sizes that are believed; what is trained today stays below a tenth of each.
pub(super) const LOOKBACK_MAX: usize = 65_536;
pub(super) const HORIZON_MAX: usize = 10_000;
pub(super) const LEVELS_MAX: usize = 1_000;
pub(super) const MEMBERS_MAX: usize = 64;
pub(super) const LAYERS_MAX: usize = 16;
pub(super) const COLUMNS_MAX: usize = 1_024;
pub(super) const WIDTH_MAX: usize = 1_024;

/// Largest product of tokens, hidden channels and layers: activations of a slice of windows take about 400 bytes each.
pub(super) const ACTIVATIONS_MAX: usize = 1 << 18;

/// Refuses a value, unless it is as wanted.
pub(super) fn check(
    what: &'static str,
    found: impl ToString,
    wanted: impl Into<String>,
    is_so: bool,
) -> Result<(), LoadError> {
    if is_so {
        Ok(())
    } else {
        Err(LoadError::Value { what, found: found.to_string(), wanted: wanted.into() })
    }
}

/// A name that is none of those that are wanted.
pub(super) fn wrong(what: &'static str, found: &str, wanted: &str) -> LoadError {
    LoadError::Value { what, found: format!("'{found}'"), wanted: wanted.into() }
}

/// Refuses a least width of corrections that is none.
pub(super) fn check_floor(floor: f64) -> Result<(), LoadError> {
    check("width floor", floor, "at least 0", floor.is_finite() && floor >= 0.0)
}

/// The corrections whose tensor stands under the prefix.
pub(super) fn read_conformal(
    prefix: &str,
    floor: f64,
    spec: &ModelSpec,
    tensors: &mut Tensors,
) -> Result<Conformal, LoadError> {
    let shape = [spec.horizon(), spec.quantile_levels().len()];
    let values = tensors.take(&format!("{prefix}conformal"), &shape)?;
    let shifts = Array2::from_shape_vec((shape[0], shape[1]), values).expect("the shape was checked");
    Ok(Conformal { shifts: shifts.mapv(f64::from), floor })
}
