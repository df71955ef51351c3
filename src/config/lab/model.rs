//! Model settings of `s4cast train`, by argument or in a file of their own.

use crate::config::lab::definition::{point, set};
use crate::config::lab::table::Entry;
use crate::config::lab::value::{choice, numbers, text, whole};
use crate::config::words::{self, Wrong};
use crate::model::spec::{ModelKind, ModelSpec, Parts, Point, Preset, RawModelSpec};
use std::time::Duration;

/// What is asked of a model.
#[derive(Clone, Debug, Default)]
pub(super) struct Wishes {
    kind: Option<String>,
    levels: Option<Vec<f64>>,
    season_length: Option<usize>,
    seed: Option<u64>,
    budget: Option<Duration>,
    preset: Option<Preset>,
    point: Option<Point>,
    parts: Option<Parts>,
}

/// Names of the parts that an ablation keeps.
pub(super) const PARTS: [(&str, Parts); 3] =
    [("both", Parts::Both), ("network", Parts::NetworkAlone), ("perceptron", Parts::Perceptron)];

/// All keys; `kind` is the name of the model.
pub(super) const KEYS: &[Entry<Wishes>] = &[
    ("kind", |wishes, value| set(&mut wishes.kind, text(value).and_then(kind))),
    ("levels", |wishes, value| set(&mut wishes.levels, numbers(value).and_then(levels))),
    ("season_length", |wishes, value| set(&mut wishes.season_length, whole(value).and_then(season))),
    ("seed", |wishes, value| set(&mut wishes.seed, whole(value).map(|seed| seed as u64))),
    ("budget", |wishes, value| set(&mut wishes.budget, text(value).and_then(|text| words::duration(&text)))),
    ("preset", |wishes, value| {
        set(&mut wishes.preset, choice(value, &Preset::ALL.map(|preset| (preset.as_str(), preset))))
    }),
    ("point", |wishes, value| set(&mut wishes.point, point(value))),
    ("parts", |wishes, value| set(&mut wishes.parts, choice(value, &PARTS))),
];

/// A spec in which every setting is fine.
fn valid() -> RawModelSpec {
    RawModelSpec::new(ModelKind::Auto.as_str(), 1)
}

pub(super) fn kind(name: String) -> Result<String, Wrong> {
    match ModelSpec::try_from(RawModelSpec { kind: name.clone(), ..valid() }) {
        Ok(_) => Ok(name),
        Err(error) => Err(Wrong::meant(error.to_string(), &name, ModelKind::ALL.map(ModelKind::as_str))),
    }
}

fn levels(levels: Vec<f64>) -> Result<Vec<f64>, Wrong> {
    ModelSpec::try_from(RawModelSpec { levels: levels.clone(), ..valid() })?;
    Ok(levels)
}

fn season(length: usize) -> Result<usize, Wrong> {
    ModelSpec::try_from(RawModelSpec { season_length: Some(length), ..valid() })?;
    Ok(length)
}

impl Wishes {
    /// Names the model.
    pub(super) fn name(&mut self, kind: String) {
        self.kind = Some(kind);
    }

    /// The model for a horizon; where nothing is asked for, the point forecast is the one that suits the benchmark.
    pub(super) fn spec(&self, horizon: usize, point: Point) -> Result<ModelSpec, Wrong> {
        let kind = self.kind.as_deref().unwrap_or(ModelKind::Auto.as_str());
        let default = RawModelSpec::new(kind, horizon);
        Ok(ModelSpec::try_from(RawModelSpec {
            levels: self.levels.clone().unwrap_or(default.levels),
            season_length: self.season_length,
            seed: self.seed.unwrap_or(default.seed),
            budget: self.budget,
            preset: self.preset.unwrap_or_default(),
            point: self.point.unwrap_or(point),
            parts: self.parts.unwrap_or_default(),
            ..RawModelSpec::new(kind, horizon)
        })?)
    }
}
