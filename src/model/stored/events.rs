//! The network on raw observations.

use serde::{Deserialize, Serialize};

use crate::engine::irregular::IrregularNetwork;
use crate::engine::network::{NetworkParams, NetworkSpec};
use crate::model::artifact::{LoadError, Tensors};
use crate::model::events::EventMember;
use crate::model::spec::ModelSpec;
use crate::model::stored::limits::{ACTIVATIONS_MAX, LOOKBACK_MAX, check};

/// What is no tensor of it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredEvents {
    pub(super) weight: f64,
    pub(super) context: usize,
    pub(super) network: NetworkSpec,
}

impl StoredEvents {
    /// The member, its tensors taken by the names that [`EventMember::weights`] gives them.
    pub(super) fn read(
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
