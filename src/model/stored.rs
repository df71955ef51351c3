//! What is no tensor of a saved forecaster: its JSON description, and the checks that make a file of any origin safe.
//!
//! Nothing is allocated that the file does not hold itself: shapes follow from checked sizes, and the parameters that
//! they add up to are compared with the length of the file first. Loading so takes at most three times the file, and
//! forecasting at most about 100 MB per thread beyond that ([`ACTIVATIONS_MAX`]).

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::engine::irregular::IrregularNetwork;
use crate::engine::likelihood::Likelihood;
use crate::engine::network::{Levels, Network, NetworkParams, NetworkSpec, Readout};
use crate::model::artifact::{LoadError, Tensors, Weights};
use crate::model::blend::{Blend, LOCALS};
use crate::model::conformal::Conformal;
use crate::model::counts::{CountHead, rates};
use crate::model::ensemble::Ensemble;
use crate::model::events::EventMember;
use crate::model::exam::Terms;
use crate::model::features::{Encoding, NETWORK_MAX, TERMS};
use crate::model::group::{Group, MODEL_IDS, Served};
use crate::model::known::Known;
use crate::model::member::{Member, with_covariates};
use crate::model::spec::{Bounds, ModelKind, ModelSpec, Point, RawModelSpec, tails};
use crate::model::windows::Geometry;
use crate::model::work::Space;
use crate::series::Frequency;

/// Version of the format that is written; blends came with it.
const FORMAT: u64 = 3;

/// What is written where an older program can read it, too.
const FORMAT_PLAIN: u64 = 2;

/// The oldest one that is read.
const FORMAT_OLDEST: u64 = 1;

/// Largest sizes that are believed; what is trained today stays below a tenth of each.
const LOOKBACK_MAX: usize = 65_536;
const HORIZON_MAX: usize = 10_000;
const LEVELS_MAX: usize = 1_000;
const MEMBERS_MAX: usize = 64;
const LAYERS_MAX: usize = 16;
const COLUMNS_MAX: usize = 1_024;
const WIDTH_MAX: usize = 1_024;

/// Largest product of tokens, hidden channels and layers: activations of a slice of windows take about 400 bytes each.
const ACTIVATIONS_MAX: usize = 1 << 18;

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

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredGroup {
    frequency: String,
    season_length: usize,
    /// Not in files of models without covariates.
    #[serde(default, skip_serializing_if = "Encoding::is_blank")]
    covariates: Encoding,
    model_id: String,
    served: StoredServed,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum StoredServed {
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

/// What is no tensor of a blend.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredBlend {
    /// Published name of the base.
    base_id: String,
    base: Box<StoredServed>,
    /// Names of the parts after the base.
    locals: Vec<String>,
    shared: Vec<f64>,
    /// Hashes of ids, ascending, with the weights of their series.
    own: Vec<(u64, Vec<f64>)>,
    is_corrected: bool,
    width_floor: f64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredEvents {
    weight: f64,
    context: usize,
    network: NetworkSpec,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Weighted {
    weight: f64,
    member: StoredMember,
}

/// What is no tensor of a member.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredMember {
    geometry: Geometry,
    network: Option<NetworkSpec>,
    /// Encoded covariates of its series, 0 in files that do not say.
    #[serde(default, skip_serializing_if = "is_zero")]
    columns: usize,
    /// Whether its map reads them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    has_effects: bool,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
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

impl StoredServed {
    fn of(served: &Served) -> StoredServed {
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
    fn of(group: &Group) -> StoredGroup {
        StoredGroup {
            frequency: group.frequency.to_string(),
            season_length: group.season,
            covariates: group.encoding.clone(),
            model_id: group.model_id.into(),
            served: StoredServed::of(&group.served),
        }
    }

    fn read(&self, spec: &ModelSpec, tensors: &mut Tensors) -> Result<Group, LoadError> {
        let parsed = self.frequency.parse::<Frequency>().ok();
        let frequency = parsed.filter(|parsed| parsed.to_string() == self.frequency);
        let frequency =
            frequency.ok_or_else(|| wrong("frequency", &self.frequency, "as s4cast writes it"))?;
        let season = self.season_length;
        check("season length", season, "in 1..=2147483647", (1..=i32::MAX as usize).contains(&season))?;
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
    fn read(&self, group: &Group, spec: &ModelSpec, tensors: &mut Tensors) -> Result<Served, LoadError> {
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
pub(super) fn count_weights(head: &CountHead, prefix: &str) -> Weights {
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

impl StoredBlend {
    fn read(&self, group: &Group, spec: &ModelSpec, tensors: &mut Tensors) -> Result<Blend, LoadError> {
        let is_base =
            matches!(*self.base, StoredServed::Ensemble { .. } | StoredServed::SeasonalNaive { .. });
        check("base of a blend", "another", "an ensemble or seasonal naive", is_base)?;
        let base = Group {
            served: self.base.read(group, spec, tensors)?,
            model_id: model_id(&self.base_id)?,
            ..group.clone()
        };
        let local = |name: &String| {
            let known = ModelKind::from_name(name).filter(|kind| LOCALS.contains(kind));
            known.ok_or_else(|| wrong("part of a blend", name, "ets, mstl or seasonal_naive"))
        };
        let locals: Vec<ModelKind> = self.locals.iter().map(local).collect::<Result<_, _>>()?;
        let is_distinct = (1..locals.len()).all(|place| !locals[..place].contains(&locals[place]));
        check("parts of a blend", format!("{:?}", self.locals), "each once", is_distinct)?;
        let count = 1 + locals.len();
        for weights in self.own.iter().map(|(_, weights)| weights).chain([&self.shared]) {
            let is_mean = weights.len() == count
                && weights.iter().all(|weight| (0.0..=1.0).contains(weight))
                && (weights.iter().sum::<f64>() - 1.0).abs() < 1e-6;
            check(
                "weights of a blend",
                format!("{weights:?}"),
                format!("{count} that add up to 1"),
                is_mean,
            )?;
        }
        let is_ascending = self.own.windows(2).all(|pair| pair[0].0 < pair[1].0);
        check("order of own weights", "another", "ascending", is_ascending)?;
        check_floor(self.width_floor)?;
        let prefix = format!("{}.blend.", group.frequency);
        let conformal = self
            .is_corrected
            .then(|| read_conformal(&prefix, self.width_floor, spec, tensors))
            .transpose()?;
        Ok(Blend {
            base,
            locals,
            shared: self.shared.clone(),
            own: self.own.iter().cloned().collect(),
            conformal,
        })
    }
}

fn wrong(what: &'static str, found: &str, wanted: &str) -> LoadError {
    LoadError::Value { what, found: format!("'{found}'"), wanted: wanted.into() }
}

fn model_id(name: &str) -> Result<&'static str, LoadError> {
    let known = MODEL_IDS.into_iter().find(|id| *id == name);
    known.ok_or_else(|| wrong("model id", name, &format!("one of {MODEL_IDS:?}")))
}

fn check_floor(floor: f64) -> Result<(), LoadError> {
    check("width floor", floor, "at least 0", floor.is_finite() && floor >= 0.0)
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

impl StoredEvents {
    /// The member, its tensors taken by the names that [`EventMember::weights`] gives them.
    fn read(
        &self,
        prefix: &str,
        spec: &ModelSpec,
        tensors: &mut Tensors,
    ) -> Result<(EventMember, f64), LoadError> {
        let (horizon, levels) = (spec.horizon(), spec.quantile_levels().len());
        let context = self.context;
        check(
            "observations that are read",
            context,
            format!("in 1..={LOOKBACK_MAX}"),
            (1..=LOOKBACK_MAX).contains(&context),
        )?;
        let network = &self.network;
        let wanted = EventMember::shape(context, horizon, levels);
        let is_known = *network == NetworkSpec { dt: network.dt, ..wanted.clone() };
        check("network on observations", format!("{network:?}"), format!("{wanted:?}"), is_known)?;
        let activations = network.tokens * network.hidden * network.layers;
        let most = format!("at most {ACTIVATIONS_MAX}");
        check("activations per window", activations, most, activations <= ACTIVATIONS_MAX)?;
        let parameters = network.parameters();
        check("number of parameters", parameters, "what the file holds", tensors.could_hold(parameters))?;
        let mut params = NetworkParams::zeros(network);
        for tensor in params.tensors() {
            let values = tensors.take(&format!("{prefix}events.{}", tensor.name), &tensor.shape)?;
            tensor.values.copy_from_slice(&values);
        }
        let network = IrregularNetwork::new(network.clone(), params);
        Ok((EventMember { context, horizon, network }, self.weight))
    }
}

fn read_conformal(
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

impl StoredMember {
    /// What is no tensor of that member.
    pub fn of(member: &Member) -> StoredMember {
        let network = member.network.as_ref().map(|network| network.spec.clone());
        let (columns, has_effects) = (member.columns, member.effects.ncols() > 0);
        StoredMember { geometry: member.geometry, network, columns, has_effects }
    }

    /// The member, its tensors taken by the names that [`Member::weights`] gives them; `levels` is Q.
    pub fn read(&self, prefix: &str, levels: usize, tensors: &mut Tensors) -> Result<Member, LoadError> {
        let Geometry { lookback, horizon, anchor } = self.geometry;
        check(
            "lookback",
            lookback,
            format!("in 1..={LOOKBACK_MAX}"),
            (1..=LOOKBACK_MAX).contains(&lookback),
        )?;
        check("horizon", horizon, format!("in 1..={HORIZON_MAX}"), (1..=HORIZON_MAX).contains(&horizon))?;
        check(
            "number of levels",
            levels,
            format!("in 1..={LEVELS_MAX}"),
            (1..=LEVELS_MAX).contains(&levels),
        )?;
        let reach = anchor.inputs();
        check("anchor", reach, format!("in 1..={lookback}"), (1..=lookback).contains(&reach))?;
        let mut matrix = |name: &str, rows: usize, columns: usize| {
            let values = tensors.take(&format!("{prefix}{name}"), &[rows, columns])?;
            Ok(Array2::from_shape_vec((rows, columns), values).expect("the shape is that of the tensor"))
        };
        let skip = matrix("ridge", lookback, horizon)?;
        let offsets = matrix("offsets", horizon, levels)?;
        let columns = self.columns;
        check("covariates", columns, format!("at most {COLUMNS_MAX}"), columns <= COLUMNS_MAX)?;
        let effects = match self.has_effects {
            true => matrix("effects", horizon, TERMS * columns)?,
            false => Array2::zeros((horizon, 0)),
        };
        let network = match &self.network {
            Some(spec) => Some(self.read_network(spec, prefix, levels, tensors)?),
            None => None,
        };
        Ok(Member { geometry: self.geometry, skip, effects, columns, offsets, network })
    }

    fn read_network(
        &self,
        spec: &NetworkSpec,
        prefix: &str,
        levels: usize,
        tensors: &mut Tensors,
    ) -> Result<Network<f32>, LoadError> {
        let within = |what, found: usize, most: usize| {
            check(what, found, format!("in 1..={most}"), (1..=most).contains(&found))
        };
        let Geometry { lookback, horizon, .. } = self.geometry;
        within("patch", spec.patch, lookback * (1 + NETWORK_MAX))?;
        within("number of tokens", spec.tokens, lookback + horizon)?;
        within("number of hidden channels", spec.hidden, WIDTH_MAX)?;
        within("number of modes", spec.modes, WIDTH_MAX)?;
        within("number of layers", spec.layers, LAYERS_MAX)?;
        match &spec.levels {
            Some(levels) => check_levels(spec, levels)?,
            None => {
                within("activations per window", spec.tokens * spec.hidden * spec.layers, ACTIVATIONS_MAX)?
            }
        }
        let inputs = spec.tokens * spec.patch;
        let patch = spec.patch / (1 + self.columns);
        let reads_covariates = (1..=NETWORK_MAX).contains(&self.columns)
            && patch > 0
            && lookback.is_multiple_of(patch)
            && (spec.patch, spec.tokens) == with_covariates(patch, lookback, horizon, self.columns);
        let wanted = "the lookback, or what its covariates add to it";
        check("tokens times patch", inputs, wanted, inputs == lookback || reads_covariates)?;
        let outputs = self.geometry.horizon * levels;
        check("number of outputs", spec.outputs, format!("{outputs}"), spec.outputs == outputs)?;
        let is_known = matches!(spec.readout, Readout::Last | Readout::Flatten);
        check("readout", format!("{:?}", spec.readout), "last or flatten", is_known)?;
        let (least, most) = spec.dt;
        let is_range = 0.0 < least && least < most && most.is_finite();
        check("range of dt", format!("{least}..{most}"), "positive and ascending", is_range)?;
        check("dropout", spec.dropout, "in 0..1", (0.0..1.0).contains(&spec.dropout))?;
        let parameters = spec.parameters();
        check("number of parameters", parameters, "what the file holds", tensors.could_hold(parameters))?;
        let mut params = NetworkParams::zeros(spec);
        for tensor in params.tensors() {
            let values = tensors.take(&format!("{prefix}{}", tensor.name), &tensor.shape)?;
            tensor.values.copy_from_slice(&values);
        }
        Ok(Network::new(spec.clone(), params))
    }
}

/// Refuses levels whose sizes are not believed: a stride beyond the tokens, which padding alone would fill, a coarsest
/// level that is too wide, or more activations than a stack may have. Nothing is computed that could overflow.
fn check_levels(spec: &NetworkSpec, levels: &Levels) -> Result<(), LoadError> {
    let Levels { pools, expand, feed_forward } = levels;
    let is_pool = pools.iter().all(|pool| (2..=spec.tokens).contains(pool));
    check("list of pools", format!("{pools:?}"), format!("each in 2..={}", spec.tokens), is_pool)?;
    // Pools of at least 2 whose product is a number are few.
    let stride = levels.stride().filter(|stride| *stride <= spec.tokens);
    let found = format!("of {pools:?}");
    check("product of pools", found, format!("at most {}", spec.tokens), stride.is_some())?;
    let within = |what, found: usize| {
        check(what, found, format!("in 1..={WIDTH_MAX}"), (1..=WIDTH_MAX).contains(&found))
    };
    within("factor of widths", *expand)?;
    within("factor of feed-forward layers", *feed_forward)?;
    let wider = |width: usize, _| width.checked_mul(*expand).filter(|width| *width <= WIDTH_MAX);
    let coarsest = pools.iter().try_fold(spec.hidden, wider);
    let found = format!("{} times {expand} per pool", spec.hidden);
    check("width of the coarsest level", found, format!("at most {WIDTH_MAX}"), coarsest.is_some())?;
    let wide = coarsest.and_then(|width| width.checked_mul(*feed_forward)).unwrap_or(usize::MAX);
    check("width of feed-forward layers", wide, format!("at most {}", 4 * WIDTH_MAX), wide <= 4 * WIDTH_MAX)?;
    let backbone = spec.backbone().expect("there are levels");
    // A feed-forward layer keeps about half of what a block keeps, times its factor.
    let each =
        backbone.levels().into_iter().map(|level| level.len * level.width * spec.layers * (1 + feed_forward));
    let activations: usize = each.sum();
    let wanted = format!("at most {ACTIVATIONS_MAX}");
    check("activations per window", activations, wanted, activations <= ACTIVATIONS_MAX)
}

fn check(
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
