//! How to forecast, checked.

use crate::config::check::{Check, flag, whole, written};
use crate::config::words::{self, Wrong};
use crate::config::{Key, Problem};
use crate::model::rate::{Rate, Scale};
use crate::model::spec::{Bounds, ModelKind, ModelSpec, Point, Preset, RawModelSpec};
use crate::pipeline::{Asked, LoadSpec, Making};
use crate::store::Place;

impl Check<'_> {
    /// What forecasts a one-shot job: a model to train, or a saved one.
    pub(super) fn making(&mut self) -> Option<Making> {
        let load = self.one(Key::LoadModel, |text| Ok(Place::parse(&written(text)?)?));
        let scale = self.one(Key::SamplingScale, scale);
        let trusted = self.trusted(Key::ModelTrustedKeys);
        let Some(path) = load else {
            if self.settings.has(Key::SamplingScale) {
                let wrong = Wrong::new(
                    "sampling_scale says how data stands to a loaded model, and none is loaded".into(),
                    "give --load-model, or load_model under [model], or leave it out",
                );
                self.problem_at(self.settings.place(Key::SamplingScale), wrong);
            }
            return self.model().map(Making::Fit);
        };
        if self.settings.has(Key::SaveModel) {
            let wrong = Wrong::new(
                "save_model would save what load_model has loaded".into(),
                "leave one of them out",
            );
            self.problem_at(self.settings.place(Key::SaveModel), wrong);
        }
        let spec = self.model_settings()?;
        let has = |key| !self.settings.get(key).is_empty();
        let is_bounded = [Key::Min, Key::Max, Key::Integer, Key::NonNegative].into_iter().any(has);
        let asked = Asked {
            kind: has(Key::Kind).then_some(spec.kind()),
            horizon: has(Key::Horizon).then_some(spec.horizon()),
            levels: has(Key::Levels).then(|| spec.levels().to_vec()),
            season_length: spec.season_length(),
            seed: has(Key::Seed).then_some(spec.seed()),
            point: has(Key::Point).then_some(spec.point()),
            bounds: is_bounded.then_some(spec.bounds()),
        };
        Some(Making::Load(LoadSpec { path, asked, scale, trusted }))
    }

    /// A model to train.
    pub(super) fn model(&mut self) -> Option<ModelSpec> {
        self.demand(Key::Horizon, "no horizon: give -H STEPS, or horizon under [model]");
        self.model_settings()
    }

    /// Each setting is checked alone, in an otherwise valid spec, so that one problem does not hide the next.
    fn model_settings(&mut self) -> Option<ModelSpec> {
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

/// A scale: `auto`, a number or a fraction of whole numbers.
fn scale(text: &str) -> Result<Scale, Wrong> {
    if text == "auto" {
        return Ok(Scale::Auto);
    }
    let rate = match text.split_once('/') {
        Some((rows, steps)) => Rate::of_fraction((words::whole(rows)?, words::whole(steps)?)),
        None => Rate::of_number(words::number(text)?),
    };
    rate.map(Scale::By).ok_or_else(|| {
        let message =
            format!("{text} is neither a whole number of steps of the model nor one part of a step");
        Wrong::new(message, "write for example auto, 0.25, 1/3 or 2")
    })
}
