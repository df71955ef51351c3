//! What is no tensor of a saved forecaster: its JSON description, and the checks that make a file of any origin safe.
//!
//! Nothing is allocated that the file does not hold itself: shapes follow from checked sizes, and the parameters that
//! they add up to are compared with the length of the file first. Loading so takes at most three times the file, and
//! forecasting at most about 100 MB per thread beyond that (`limits`).

mod blend;
mod events;
mod limits;
mod member;
mod served;

pub(super) use member::StoredMember;
pub(super) use served::count_weights;

use serde::{Deserialize, Serialize};

use crate::model::artifact::{LoadError, Tensors};
use crate::model::group::{Group, Served};
use crate::model::known::Known;
use crate::model::spec::{Bounds, ModelSpec, Point, RawModelSpec, tails};
use crate::model::stored::limits::{LEVELS_MAX, check};
use crate::model::stored::served::StoredGroup;

/// Version of the format that is written; blends came with it.
const FORMAT: u64 = 3;

/// What is written where an older program can read it, too.
const FORMAT_PLAIN: u64 = 2;

/// The oldest one that is read.
const FORMAT_OLDEST: u64 = 1;

/// The description.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    format: u64,
    kind: String,
    horizon: usize,
    levels: Vec<f64>,
    quantile_levels: Vec<f64>,
    seed: u64,
    /// Not in the first format, whose point was the median.
    #[serde(default)]
    is_mean: bool,
    /// What forecasts may be; files without it have no bounds, and those of models without bounds have none of it.
    #[serde(default, skip_serializing_if = "StoredBounds::is_none")]
    bounds: StoredBounds,
    groups: Vec<StoredGroup>,
    /// Hashes of the ids of the series that it was trained on; files without them name none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    known: Vec<u64>,
}

#[derive(Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredBounds {
    min: Option<f64>,
    max: Option<f64>,
    is_integer: bool,
}

impl StoredBounds {
    fn is_none(&self) -> bool {
        *self == StoredBounds::default()
    }
}

/// The part of the description that tells whether the rest can be read.
#[derive(Deserialize)]
struct Version {
    format: u64,
}

/// The description of a forecaster.
pub(super) fn describe(spec: &ModelSpec, groups: &[Group], known: &Known) -> String {
    let bounds = spec.bounds();
    let is_blend = groups.iter().any(|group| matches!(group.served, Served::Blend(_)));
    let description = Description {
        format: if is_blend { FORMAT } else { FORMAT_PLAIN },
        kind: spec.kind().as_str().into(),
        horizon: spec.horizon(),
        levels: spec.levels().to_vec(),
        quantile_levels: spec.quantile_levels().to_vec(),
        seed: spec.seed(),
        is_mean: spec.point() == Point::Mean,
        bounds: StoredBounds { min: bounds.min, max: bounds.max, is_integer: bounds.is_integer },
        groups: groups.iter().map(StoredGroup::of).collect(),
        known: known.hashes().to_vec(),
    };
    serde_json::to_string(&description).expect("a description has text keys only")
}

/// The forecaster that some bytes describe; every tensor is checked and none may be left over.
pub(super) fn read(bytes: &[u8]) -> Result<(ModelSpec, Vec<Group>, Known), LoadError> {
    let (mut tensors, text) = Tensors::open(bytes)?;
    let damaged = |error: serde_json::Error| LoadError::Description(error.to_string());
    let Version { format } = serde_json::from_str(&text).map_err(damaged)?;
    if !(FORMAT_OLDEST..=FORMAT).contains(&format) {
        return Err(LoadError::Format { found: format, known: FORMAT });
    }
    let description: Description = serde_json::from_str(&text).map_err(damaged)?;
    let spec = description.spec()?;
    let groups: Vec<Group> =
        description.groups.iter().map(|group| group.read(&spec, &mut tensors)).collect::<Result<_, _>>()?;
    let names: Vec<String> = groups.iter().map(|group| group.frequency.to_string()).collect();
    check("order of groups", format!("{names:?}"), "ascending", names.windows(2).all(|p| p[0] < p[1]))?;
    tensors.finish()?;
    Ok((spec, groups, Known::from_hashes(description.known)))
}

impl Description {
    fn spec(&self) -> Result<ModelSpec, LoadError> {
        let levels = &self.quantile_levels;
        let is_ascending = levels.windows(2).all(|pair| pair[0] < pair[1]);
        let is_inside = levels.iter().all(|level| 0.0 < *level && *level < 1.0);
        let wanted = format!("at most {LEVELS_MAX}, ascending inside (0, 1), 0.5 among them");
        let is_usable = levels.len() <= LEVELS_MAX && is_ascending && is_inside && levels.contains(&0.5);
        check("list of quantile levels", format!("{levels:?}"), wanted, is_usable)?;
        let has_tails =
            self.levels.iter().all(|&level| tails(level).iter().all(|tail| levels.contains(tail)));
        check(
            "list of coverage levels",
            format!("{:?}", self.levels),
            "among the quantile levels",
            has_tails,
        )?;
        let raw = RawModelSpec {
            levels: self.levels.clone(),
            seed: self.seed,
            point: if self.is_mean { Point::Mean } else { Point::Median },
            bounds: Bounds { min: self.bounds.min, max: self.bounds.max, is_integer: self.bounds.is_integer },
            ..RawModelSpec::new(&self.kind, self.horizon)
        };
        let spec = ModelSpec::try_from(raw).map_err(|error| LoadError::Description(error.to_string()))?;
        Ok(spec.with_quantile_levels(levels.clone()))
    }
}
