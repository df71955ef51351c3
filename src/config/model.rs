//! How to forecast, checked.

use crate::config::check::{Check, whole};
use crate::config::words::{self, Wrong};
use crate::config::{Key, Problem};
use crate::model::spec::{ModelKind, ModelSpec, RawModelSpec};

impl Check<'_> {
    /// Each setting is checked alone, in an otherwise valid spec, so that one problem does not hide the next.
    pub(super) fn model(&mut self) -> Option<ModelSpec> {
        self.demand(Key::Horizon, "no horizon: give -H STEPS, or horizon under [model]");
        let mut raw = valid();
        let before = self.problems.len();
        if let Some(kind) = self.one(Key::Kind, kind) {
            raw.kind = kind;
        }
        let horizon = |text: &str| checked(RawModelSpec { horizon: whole(text)?, ..valid() });
        raw.horizon = self.one(Key::Horizon, horizon).map_or(raw.horizon, |spec| spec.horizon());
        let level = |text: &str| checked(RawModelSpec { levels: vec![words::number(text)?], ..valid() });
        let levels: Vec<f64> =
            self.many(Key::Levels, level).iter().flat_map(ModelSpec::levels).copied().collect();
        if !self.settings.get(Key::Levels).is_empty() {
            raw.levels = levels;
        } else if self.settings.values.contains_key(&Key::Levels) {
            self.demand(Key::Levels, "no coverage level: write for example levels = [80, 95]");
        }
        let season = |text: &str| checked(RawModelSpec { season_length: Some(whole(text)?), ..valid() });
        raw.season_length = self.one(Key::SeasonLength, season).and_then(|spec| spec.season_length());
        raw.seed = self.one(Key::Seed, words::whole).unwrap_or(raw.seed);
        raw.budget = self.one(Key::Budget, words::duration);
        if self.problems.len() > before {
            return None;
        }
        ModelSpec::try_from(raw)
            .map_err(|error| self.problems.push(Problem::of_flag(error.to_string(), None)))
            .ok()
    }
}

/// A spec in which every setting is fine.
fn valid() -> RawModelSpec {
    RawModelSpec::new(ModelKind::Auto.as_str(), 1)
}

fn checked(raw: RawModelSpec) -> Result<ModelSpec, Wrong> {
    Ok(ModelSpec::try_from(raw)?)
}

fn kind(text: &str) -> Result<String, Wrong> {
    match checked(RawModelSpec { kind: text.into(), ..valid() }) {
        Ok(spec) => Ok(spec.kind().as_str().into()),
        Err(wrong) => Err(Wrong::meant(wrong.message, text, ModelKind::ALL.map(ModelKind::as_str))),
    }
}
