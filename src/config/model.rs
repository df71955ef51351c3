//! How to forecast, checked.

use crate::config::check::{Check, flag, whole};
use crate::config::words::{self, Wrong};
use crate::config::{Key, Problem};
use crate::model::spec::{Bounds, ModelKind, ModelSpec, Point, Preset, RawModelSpec};

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
        raw.preset = self.choice(Key::Preset, &Preset::ALL);
        raw.point = self.choice(Key::Point, &Point::ALL);
        raw.bounds = self.bounds();
        if self.problems.len() > before {
            return None;
        }
        ModelSpec::try_from(raw)
            .map_err(|error| self.problems.push(Problem::of_flag(error.to_string(), None)))
            .ok()
    }

    /// What forecasts may be; each bound is checked alone, then both against each other.
    fn bounds(&mut self) -> Bounds {
        let before = self.problems.len();
        let bound = |text: &str| {
            let bounds = Bounds { min: Some(words::number(text)?), ..Bounds::default() };
            Ok(checked(RawModelSpec { bounds, ..valid() })?.bounds().min)
        };
        let mut bounds = Bounds {
            min: self.one(Key::Min, bound).flatten(),
            max: self.one(Key::Max, bound).flatten(),
            is_integer: self.one(Key::Integer, flag).unwrap_or(false),
        };
        if self.one(Key::NonNegative, flag).unwrap_or(false) {
            if self.settings.has(Key::Min) {
                let message = "non_negative says that min is 0, and min is given too".into();
                let wrong = Wrong::new(message, "leave one of them out");
                self.problem_at(self.settings.place(Key::NonNegative), wrong);
            }
            bounds.min = Some(0.0);
        }
        if self.problems.len() == before
            && let Err(wrong) = checked(RawModelSpec { bounds, ..valid() })
        {
            let key = if self.settings.has(Key::Min) { Key::Min } else { Key::Max };
            self.problem_at(self.settings.place(key), wrong);
            return Bounds::default();
        }
        bounds
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
