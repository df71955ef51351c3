//! An average of a base and of models of each series alone.

use serde::{Deserialize, Serialize};

use crate::model::artifact::{LoadError, Tensors};
use crate::model::blend::{Blend, LOCALS};
use crate::model::group::Group;
use crate::model::spec::{ModelKind, ModelSpec};
use crate::model::stored::limits::{check, check_floor, read_conformal, wrong};
use crate::model::stored::served::{StoredServed, model_id};

/// What is no tensor of a blend.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredBlend {
    /// Published name of the base.
    pub(super) base_id: String,
    pub(super) base: Box<StoredServed>,
    /// Names of the parts after the base.
    pub(super) locals: Vec<String>,
    pub(super) shared: Vec<f64>,
    /// Hashes of ids, ascending, with the weights of their series.
    pub(super) own: Vec<(u64, Vec<f64>)>,
    pub(super) is_corrected: bool,
    pub(super) width_floor: f64,
}

impl StoredBlend {
    /// The blend, its base read first.
    pub(super) fn read(
        &self,
        group: &Group,
        spec: &ModelSpec,
        tensors: &mut Tensors,
    ) -> Result<Blend, LoadError> {
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
