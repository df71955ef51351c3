//! A saved model in place of a training: read, held against what is asked for and what the data is, refused with every
//! difference at once.

use crate::ingest::Ingested;
use crate::model::forecaster::Forecaster;
use crate::model::rate::{Match, Rate, Scale};
use crate::model::spec::{Bounds, ModelKind, ModelSpec, Point};
use crate::pipeline::JobError;
use crate::publish::PublishError;
use crate::registry::{self, Opened, PublicKey};
use crate::store::{self, Place};

/// A model to load.
#[derive(Clone, Debug)]
pub struct LoadSpec {
    /// File of weights, or folder of a version.
    pub path: Place,
    /// What it has to be.
    pub asked: Asked,
    /// How the step of the data may differ from the model's.
    pub scale: Option<Scale>,
    /// Keys of which one has to have signed it; where there is none, signatures are not asked for.
    pub trusted: Vec<PublicKey>,
}

/// Model settings that were written, and that a loaded model has to have been trained with. Budget and preset, which say how
/// hard to train, are none of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Asked {
    /// Forecaster.
    pub kind: Option<ModelKind>,
    /// Rows to forecast.
    pub horizon: Option<usize>,
    /// Coverage levels in percent.
    pub levels: Option<Vec<f64>>,
    /// Season length in rows.
    pub season_length: Option<usize>,
    /// Seed.
    pub seed: Option<u64>,
    /// What the point forecast is.
    pub point: Option<Point>,
    /// Values that forecasts may take.
    pub bounds: Option<Bounds>,
}

/// What was loaded, for the report.
#[derive(Clone, Debug)]
pub struct LoadReport {
    /// As asked for.
    pub path: Place,
    /// Job and number, where it is a version of a registry.
    pub version: Option<(String, u32)>,
    /// Which of its frequencies forecast those of the data, with the rows of each forecast.
    pub matches: Vec<(Match, usize)>,
}

/// A model that fits what is asked for and the data.
pub(super) struct Fitting {
    /// Its settings, with the levels and the season that are asked for.
    pub spec: ModelSpec,
    pub matches: Vec<Match>,
    /// The longest forecast in rows.
    pub rows: usize,
    /// What somebody should look at.
    pub warnings: Vec<String>,
}

/// Reads a model: a file that `forecast --save-model` wrote, or the folder of a version, by path or by address.
///
/// # Errors
/// If it cannot be read, is no model, or is of nobody who is trusted.
pub fn open_model(load: &LoadSpec) -> Result<Opened, JobError> {
    store::fence().place(&load.path).map_err(PublishError::from)?;
    let opened = match &load.path {
        Place::Local(path) => registry::open(path, &load.trusted),
        Place::Remote(address) => registry::open_remote(address, &load.trusted),
    };
    opened.map_err(JobError::Load)
}

/// Holds a model against what is asked for and against the data.
///
/// # Errors
/// [`JobError::Unlike`] with every difference.
pub(super) fn fitting(load: &LoadSpec, opened: &Opened, data: &Ingested) -> Result<Fitting, JobError> {
    let (forecaster, panel) = (&opened.forecaster, &data.panel);
    let horizon = forecaster.spec().horizon();
    let mut problems = differences(&load.asked, forecaster.spec());
    problems.extend(forecaster.unmet_covariates(&panel.covariates));
    let matches = forecaster.matches(panel, load.scale).unwrap_or_else(|lines| {
        problems.extend(lines);
        Vec::new()
    });
    problems.extend(matches.iter().flat_map(|found| timing(&load.asked, forecaster, found)));
    if !problems.is_empty() {
        return Err(JobError::Unlike { path: load.path.clone(), problems });
    }
    let mut warnings = forecaster.odd_seasons(panel, &matches);
    let unread = forecaster.unread_covariates(&panel.covariates);
    if !unread.is_empty() {
        warnings.push(format!(
            "the model does not read {}: it was trained without, or on one value",
            unread.join(", ")
        ));
    }
    let rows = matches.iter().map(|found| found.rate.rows(horizon)).max().unwrap_or(horizon);
    Ok(Fitting { spec: as_asked(load, opened), matches, rows, warnings })
}

/// Settings of a model, with the levels and the season that are asked for; whatever the data is.
///
/// # Errors
/// [`JobError::Unlike`] with every difference to what is asked for.
pub(super) fn asked_for(load: &LoadSpec, opened: &Opened) -> Result<ModelSpec, JobError> {
    match differences(&load.asked, opened.forecaster.spec()) {
        problems if problems.is_empty() => Ok(as_asked(load, opened)),
        problems => Err(JobError::Unlike { path: load.path.clone(), problems }),
    }
}

fn as_asked(load: &LoadSpec, opened: &Opened) -> ModelSpec {
    let spec = opened.forecaster.spec().clone().with_season_length(load.asked.season_length);
    match &load.asked.levels {
        Some(levels) => spec.with_levels(levels.clone()),
        None => spec,
    }
}

impl Fitting {
    /// Whether every series has the step of the model.
    pub(super) fn is_same(&self) -> bool {
        self.matches.iter().all(|found| found.rate == Rate::Same)
    }

    pub(super) fn report(&self, path: &Place, opened: &Opened) -> LoadReport {
        let horizon = opened.forecaster.spec().horizon();
        LoadReport {
            path: path.clone(),
            version: opened.manifest.as_ref().map(|manifest| (manifest.job.clone(), manifest.version)),
            matches: self.matches.iter().map(|found| (*found, found.rate.rows(horizon))).collect(),
        }
    }

    /// The scales as they stand in the metadata of what is published.
    pub(super) fn scales(&self) -> String {
        let scales: Vec<String> = self
            .matches
            .iter()
            .map(|found| format!("{}={}*{}", found.data, found.rate, found.model))
            .collect();
        scales.join(" ")
    }
}

/// What is asked for and the model is not, whatever the data.
fn differences(asked: &Asked, model: &ModelSpec) -> Vec<String> {
    let mut lines = Vec::new();
    let mut differs = |what: &str, asked: Option<String>, own: String| {
        lines.extend(
            asked
                .filter(|asked| *asked != own)
                .map(|asked| format!("{what} {asked} is asked for, the model was trained with {own}")),
        );
    };
    differs("model", asked.kind.map(|kind| kind.as_str().into()), model.kind().as_str().into());
    differs("seed", asked.seed.map(|seed| seed.to_string()), model.seed().to_string());
    differs("point", asked.point.map(|point| point.as_str().into()), model.point().as_str().into());
    differs("range", asked.bounds.map(range), range(model.bounds()));
    let unknown = asked.levels.iter().flatten().filter(|level| !model.has_level(**level));
    let known: Vec<String> = model.levels().iter().map(f64::to_string).collect();
    let line = |level| format!("level {level} is asked for, the model was trained with {}", known.join(","));
    lines.extend(unknown.map(line));
    lines
}

/// Bounds in words.
fn range(bounds: Bounds) -> String {
    let side = |bound: Option<f64>| bound.map_or("none".into(), |bound| bound.to_string());
    let whole = if bounds.is_integer { ", whole numbers" } else { "" };
    format!("(min {}, max {}{whole})", side(bounds.min), side(bounds.max))
}

/// Horizon and season that are asked for and the model has not, in rows of the data.
fn timing(asked: &Asked, forecaster: &Forecaster, found: &Match) -> Vec<String> {
    let Match { data, model, rate } = *found;
    let own = forecaster.spec().horizon();
    let season = forecaster.seasons().get(&model.to_string()).map_or(1, |season| rate.season(*season));
    let rows = rate.rows(own);
    let of = |rows: usize, steps: usize| match rate {
        Rate::Same => rows.to_string(),
        Rate::Finer(_) | Rate::Coarser(_) => format!("{rows} ({steps} steps of {model} in rows of {data})"),
    };
    let mut lines = Vec::new();
    lines.extend(
        asked
            .horizon
            .filter(|asked| *asked != rows)
            .map(|asked| format!("horizon {asked} is asked for, the model has {}", of(rows, own))),
    );
    lines.extend(asked.season_length.filter(|asked| *asked != season).map(|asked| {
        format!("season_length {asked} is asked for, the model has {season} for series of step {data}")
    }));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::spec::RawModelSpec;

    fn model() -> ModelSpec {
        let bounds = Bounds { min: Some(0.0), max: None, is_integer: false };
        ModelSpec::try_from(RawModelSpec { bounds, ..RawModelSpec::new("s4", 24) }).expect("valid")
    }

    #[test]
    fn what_is_not_written_is_the_models() {
        assert!(differences(&Asked::default(), &model()).is_empty());
        let same = Asked {
            kind: Some(ModelKind::S4),
            // Deciles are always there, and so is their level.
            levels: Some(vec![95.0, 60.0]),
            seed: Some(1),
            point: Some(Point::Median),
            bounds: Some(model().bounds()),
            ..Asked::default()
        };
        assert!(differences(&same, &model()).is_empty(), "{:?}", differences(&same, &model()));
    }

    #[test]
    fn every_difference_is_told() {
        let other = Asked {
            kind: Some(ModelKind::S4d),
            levels: Some(vec![80.0, 90.0, 99.0]),
            seed: Some(2),
            point: Some(Point::Mean),
            bounds: Some(Bounds { min: Some(1.0), max: Some(2.5), is_integer: true }),
            ..Asked::default()
        };
        assert_eq!(
            differences(&other, &model()),
            [
                "model s4d is asked for, the model was trained with s4",
                "seed 2 is asked for, the model was trained with 1",
                "point mean is asked for, the model was trained with median",
                "range (min 1, max 2.5, whole numbers) is asked for, the model was trained with (min 0, max none)",
                "level 90 is asked for, the model was trained with 80,95",
                "level 99 is asked for, the model was trained with 80,95",
            ]
        );
    }
}
