//! A ridge map and the network on it.

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::engine::network::{Levels, Network, NetworkParams, NetworkSpec, Readout};
use crate::model::artifact::{LoadError, Tensors};
use crate::model::features::{NETWORK_MAX, TERMS};
use crate::model::member::{Member, with_covariates};
use crate::model::stored::limits::{
    ACTIVATIONS_MAX, COLUMNS_MAX, HORIZON_MAX, LAYERS_MAX, LEVELS_MAX, LOOKBACK_MAX, WIDTH_MAX, check,
};
use crate::model::windows::Geometry;

/// What is no tensor of a member.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::model) struct StoredMember {
    pub(super) geometry: Geometry,
    network: Option<NetworkSpec>,
    /// Encoded covariates of its series, 0 in files that do not say.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) columns: usize,
    /// Whether its map reads them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    has_effects: bool,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
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
