//! What a group serves, as JSON, and back.

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::engine::likelihood::Likelihood;
use crate::model::artifact::{LoadError, Tensors, Weights};
use crate::model::counts::{CountHead, rates};
use crate::model::ensemble::Ensemble;
use crate::model::exam::Terms;
use crate::model::features::{Encoding, TERMS};
use crate::model::group::{Group, MODEL_IDS, Served};
use crate::model::member::Member;
use crate::model::spec::{ModelKind, ModelSpec};
use crate::model::stored::blend::StoredBlend;
use crate::model::stored::events::StoredEvents;
use crate::model::stored::limits::{COLUMNS_MAX, MEMBERS_MAX, check, check_floor, read_conformal, wrong};
use crate::model::stored::member::StoredMember;
use crate::model::work::Space;
use crate::series::{Frequency, SEASON_MAX};

/// One group.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredGroup {
    frequency: String,
    season_length: usize,
    /// Not in files of models without covariates.
    #[serde(default, skip_serializing_if = "Encoding::is_blank")]
    covariates: Encoding,
    model_id: String,
    served: StoredServed,
}

/// What it serves.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum StoredServed {
    Ensemble {
        space: Space,
        width: f64,
        /// Not in the first format, which had neither smoothing nor corrections.
        #[serde(default)]
        smoothing: f64,
        #[serde(default)]
        is_corrected: bool,
        /// Least width that corrections count in; files without it have none.
        #[serde(default)]
        width_floor: f64,
        members: Vec<Weighted>,
        /// The network on raw observations; files without it have none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        events: Option<StoredEvents>,
    },
    Local {
        kind: String,
    },
    Counts {
        columns: usize,
        /// What quantiles are asked for at.
        levels: Vec<f64>,
    },
    SeasonalNaive {
        is_fallback: bool,
    },
    Blend(StoredBlend),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Weighted {
    weight: f64,
    member: StoredMember,
}

impl StoredServed {
    pub(super) fn of(served: &Served) -> StoredServed {
        match served {
            Served::SeasonalNaive { is_fallback } => {
                StoredServed::SeasonalNaive { is_fallback: *is_fallback }
            }
            Served::Local { kind } => StoredServed::Local { kind: kind.as_str().into() },
            Served::Counts(head) => {
                StoredServed::Counts { columns: head.columns, levels: head.levels.clone() }
            }
            Served::Ensemble(ensemble) => {
                let weighted = |(member, weight): &(Member, f64)| Weighted {
                    weight: *weight,
                    member: StoredMember::of(member),
                };
                let members = ensemble.members.iter().map(weighted).collect();
                StoredServed::Ensemble {
                    space: ensemble.space,
                    width: ensemble.width,
                    smoothing: ensemble.smoothing,
                    is_corrected: ensemble.conformal.is_some(),
                    width_floor: ensemble.conformal.as_ref().map_or(0.0, |conformal| conformal.floor),
                    members,
                    events: ensemble.events.as_ref().map(|(member, weight)| StoredEvents {
                        weight: *weight,
                        context: member.context,
                        network: member.network.spec.clone(),
                    }),
                }
            }
            Served::Blend(blend) => StoredServed::Blend(StoredBlend {
                base_id: blend.base.model_id.into(),
                base: Box::new(StoredServed::of(&blend.base.served)),
                locals: blend.locals.iter().map(|kind| kind.as_str().into()).collect(),
                shared: blend.shared.clone(),
                own: blend.own.iter().map(|(hash, weights)| (*hash, weights.clone())).collect(),
                is_corrected: blend.conformal.is_some(),
                width_floor: blend.conformal.as_ref().map_or(0.0, |conformal| conformal.floor),
            }),
        }
    }
}

impl StoredGroup {
    pub(super) fn of(group: &Group) -> StoredGroup {
        StoredGroup {
            frequency: group.frequency.to_string(),
            season_length: group.season,
            covariates: group.encoding.clone(),
            model_id: group.model_id.into(),
            served: StoredServed::of(&group.served),
        }
    }

    pub(super) fn read(&self, spec: &ModelSpec, tensors: &mut Tensors) -> Result<Group, LoadError> {
        let parsed = self.frequency.parse::<Frequency>().ok();
        let frequency = parsed.filter(|parsed| parsed.to_string() == self.frequency);
        let frequency =
            frequency.ok_or_else(|| wrong("frequency", &self.frequency, "as s4cast writes it"))?;
        let season = self.season_length;
        check("season length", season, format!("in 1..={SEASON_MAX}"), (1..=SEASON_MAX).contains(&season))?;
        let columns = self.covariates.width();
        let is_usable = columns <= COLUMNS_MAX && self.covariates.is_valid();
        check("number of covariates", columns, format!("at most {COLUMNS_MAX}, with scales"), is_usable)?;
        let mut group = Group {
            frequency,
            season,
            encoding: self.covariates.clone(),
            served: Served::SeasonalNaive { is_fallback: true },
            model_id: model_id(&self.model_id)?,
        };
        group.served = self.served.read(&group, spec, tensors)?;
        Ok(group)
    }
}

impl StoredServed {
    /// What it stands for, in a group of which all else is known.
    pub(super) fn read(
        &self,
        group: &Group,
        spec: &ModelSpec,
        tensors: &mut Tensors,
    ) -> Result<Served, LoadError> {
        let prefix = format!("{}.", group.frequency);
        match self {
            StoredServed::SeasonalNaive { is_fallback } => {
                Ok(Served::SeasonalNaive { is_fallback: *is_fallback })
            }
            StoredServed::Local { kind } => {
                let known = ModelKind::from_name(kind).filter(|kind| kind.is_local());
                let known = known.ok_or_else(|| wrong("local model", kind, "one of a single series"))?;
                Ok(Served::Local { kind: known })
            }
            StoredServed::Counts { columns, levels } => {
                let wanted = (group.encoding.width(), spec.quantile_levels().len());
                let head = read_counts(*columns, levels, wanted, &group.frequency.to_string(), tensors)?;
                Ok(Served::Counts(Box::new(head)))
            }
            StoredServed::Ensemble {
                space,
                width,
                smoothing,
                is_corrected,
                width_floor,
                members,
                events,
            } => {
                check("width", width, "above 0 and at most 1e6", *width > 0.0 && *width <= 1e6)?;
                check_floor(*width_floor)?;
                let columns = group.encoding.width();
                for Weighted { member, .. } in members {
                    check(
                        "covariates of a member",
                        member.columns,
                        format!("{columns}"),
                        member.columns == columns,
                    )?;
                }
                let events = events.as_ref().map(|events| events.read(&prefix, spec, tensors)).transpose()?;
                let others = smoothing + events.as_ref().map_or(0.0, |(_, weight)| *weight);
                let members = read_members(members, &prefix, others, spec, tensors)?;
                let levels = spec.quantile_levels().to_vec();
                let conformal =
                    is_corrected.then(|| read_conformal(&prefix, *width_floor, spec, tensors)).transpose()?;
                Ok(Served::Ensemble(Box::new(Ensemble {
                    space: *space,
                    members,
                    events,
                    levels,
                    width: *width,
                    conformal,
                    smoothing: *smoothing,
                    terms: Terms { horizon: spec.horizon(), season: group.season, point: spec.point() },
                })))
            }
            StoredServed::Blend(blend) => Ok(Served::Blend(Box::new(blend.read(group, spec, tensors)?))),
        }
    }
}

/// Weights of a count head, as [`read_counts`] takes them.
pub(in crate::model) fn count_weights(head: &CountHead, prefix: &str) -> Weights {
    let values = head.weights.iter().map(|weight| *weight as f32).collect();
    Weights { name: format!("{prefix}counts"), shape: head.weights.shape().to_vec(), values }
}

fn read_counts(
    columns: usize,
    levels: &[f64],
    (covariates, count): (usize, usize),
    frequency: &str,
    tensors: &mut Tensors,
) -> Result<CountHead, LoadError> {
    check("covariates of the count head", columns, format!("{covariates}"), columns == covariates)?;
    let is_usable =
        levels.len() == count && levels.is_sorted() && levels.iter().all(|l| (0.0..=1.0).contains(l));
    check(
        "levels of the count head",
        format!("{levels:?}"),
        format!("{count}, ascending in 0..=1"),
        is_usable,
    )?;
    let shape = [rates::width(TERMS * columns), Likelihood::Counts.outputs()];
    let values = tensors.take(&format!("{frequency}.counts"), &shape)?;
    let weights = Array2::from_shape_vec((shape[0], shape[1]), values).expect("the shape was checked");
    Ok(CountHead { weights: weights.mapv(f64::from), levels: levels.to_vec(), columns })
}

pub(super) fn model_id(name: &str) -> Result<&'static str, LoadError> {
    let known = MODEL_IDS.into_iter().find(|id| *id == name);
    known.ok_or_else(|| wrong("model id", name, &format!("one of {MODEL_IDS:?}")))
}

fn read_members(
    members: &[Weighted],
    prefix: &str,
    others: f64,
    spec: &ModelSpec,
    tensors: &mut Tensors,
) -> Result<Vec<(Member, f64)>, LoadError> {
    let count = members.len();
    let least = usize::from(others < 1.0);
    let is_usable = (least..=MEMBERS_MAX).contains(&count);
    check("number of members", count, format!("in {least}..={MEMBERS_MAX}"), is_usable)?;
    check("weight of smoothing and observations", others, "in 0..=1", (0.0..=1.0).contains(&others))?;
    let sum = others + members.iter().map(|member| member.weight).sum::<f64>();
    let is_mean = members.iter().all(|member| member.weight > 0.0) && (sum - 1.0).abs() < 1e-6;
    check("sum of member weights", sum, "1, of positive ones", is_mean)?;
    let read = |(index, Weighted { weight, member }): (usize, &Weighted)| {
        let horizon = member.geometry.horizon;
        check("horizon of a member", horizon, format!("{}", spec.horizon()), horizon == spec.horizon())?;
        let levels = spec.quantile_levels().len();
        Ok((member.read(&format!("{prefix}member{index}."), levels, tensors)?, *weight))
    };
    members.iter().enumerate().map(read).collect()
}
