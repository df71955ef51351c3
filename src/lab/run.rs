//! One benchmark, straight down: read, and for every horizon train, forecast, score.

use crate::ingest::IngestError;
use crate::lab::data;
use crate::lab::evaluate::{Evaluation, evaluate};
use crate::lab::missing::MissingFile;
use crate::lab::report::{Figures, Outcome, Report, relative};
use crate::lab::spec::Pipeline;
use crate::lab::task::Task;
use crate::model::forecaster::{Control, Forecaster, ModelError};
use crate::model::report::Progress;
use crate::model::spec::ModelSpec;
use crate::pipeline::{JobError, check_overwrites};
use crate::publish::{self, PublishError, Window, WindowFile};
use crate::store::Place;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// A benchmark and the model that is put to it.
#[derive(Clone, Debug)]
pub struct Experiment {
    /// The benchmark.
    pub pipeline: Pipeline,
    /// The model, once for each horizon of the benchmark, in that order.
    pub models: Vec<ModelSpec>,
    /// Folder of the files; `None` if nobody said.
    pub data_dir: Option<PathBuf>,
    /// Whether the protocol is the one that the benchmark defines.
    pub is_official: bool,
}

/// Why a benchmark has no result.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// Its file is not there.
    #[error(transparent)]
    NoFile(#[from] MissingFile),
    /// The data does not fit the protocol: every problem.
    #[error("{}", .0.join("\n"))]
    Data(Vec<String>),
    /// Reading, training or writing failed.
    #[error(transparent)]
    Job(#[from] JobError),
}

impl From<IngestError> for LabError {
    fn from(error: IngestError) -> LabError {
        LabError::Job(error.into())
    }
}

impl From<ModelError> for LabError {
    fn from(error: ModelError) -> LabError {
        LabError::Job(error.into())
    }
}

impl From<PublishError> for LabError {
    fn from(error: PublishError) -> LabError {
        LabError::Job(error.into())
    }
}

/// Rows beyond which a file of forecasts has no quantiles: with them it would take gigabytes.
const ROWS_WITH_QUANTILES: usize = 3_000_000;

/// Runs a benchmark; `save` takes the forecasts, one file per horizon. `watch` hears of the progress.
///
/// Each horizon is trained for by itself, within the budget of its own model.
///
/// # Errors
/// See [`LabError`].
pub fn run(
    experiment: &Experiment,
    save: Option<&Path>,
    watch: &(dyn Fn(Progress) + Sync),
) -> Result<Report, LabError> {
    let pipeline = &experiment.pipeline;
    let horizons = pipeline.horizons();
    let paths = || horizons.iter().filter_map(|&horizon| Some(saved_path(save?, horizons, horizon)));
    for path in paths() {
        publish::probe(&path)?;
    }
    let clock = Instant::now();
    let loaded = data::load(pipeline, experiment.data_dir.as_deref(), watch)?;
    check_overwrites(paths().map(Place::Local).collect::<Vec<_>>().iter(), &loaded.files)?;
    let task = |&horizon: &usize| Task::new(pipeline, &loaded, horizon);
    let tasks: Vec<Result<Task, Vec<String>>> = horizons.iter().map(task).collect();
    let problems: Vec<String> =
        tasks.iter().filter_map(|task| task.as_ref().err()).flatten().cloned().collect();
    let read_seconds = clock.elapsed().as_secs_f64();
    if !problems.is_empty() {
        return Err(LabError::Data(problems));
    }
    let mut outcomes = Vec::new();
    for (task, model) in tasks.into_iter().flatten().zip(&experiment.models) {
        let save = save.map(|path| saved_path(path, horizons, task.horizon));
        outcomes.push(one_horizon(pipeline, &task, model, save.as_deref(), watch)?);
    }
    Ok(Report {
        files: loaded.files,
        rows: loaded.rows,
        series: loaded.panel.series.len(),
        fingerprint: loaded.fingerprint,
        read_seconds,
        outcomes,
    })
}

/// Where the forecasts of one horizon go: the path itself if it is the only one, else `name-H.parquet`, because a scorer reads
/// one horizon at a time.
pub fn saved_path(path: &Path, horizons: &[usize], horizon: usize) -> PathBuf {
    if horizons.len() == 1 {
        return path.into();
    }
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension =
        path.extension().map_or(String::new(), |extension| format!(".{}", extension.to_string_lossy()));
    path.with_file_name(format!("{name}-{horizon}{extension}"))
}

fn one_horizon(
    pipeline: &Pipeline,
    task: &Task,
    model: &ModelSpec,
    save: Option<&Path>,
    watch: &(dyn Fn(Progress) + Sync),
) -> Result<Outcome, LabError> {
    let clock = Instant::now();
    let deadline = model.budget().and_then(|budget| clock.checked_add(budget));
    let control = Control { deadline, ..Control::watched(watch) };
    let fitted = Forecaster::fit(&task.training(), model, &control)?;
    let fit_seconds = clock.elapsed().as_secs_f64();

    let with_quantiles = task.origins * task.panel.series.len() * task.horizon <= ROWS_WITH_QUANTILES;
    let levels = if with_quantiles { model.quantile_levels() } else { &[] };
    let mut file = save.map(|path| WindowFile::create(path, levels)).transpose()?;
    let seasons = [Some(pipeline.season), Some(1), pipeline.reference_season];
    let seasons: Vec<usize> = seasons.into_iter().flatten().collect();
    let mut keep = |windows: &[Window<'_>]| match &mut file {
        Some(file) => Ok(file.write(windows)?),
        None => Ok(()),
    };
    let evaluation = evaluate(task, &fitted.forecaster, pipeline.scale_season, &seasons, watch, &mut keep)?;
    let saved = file.map(WindowFile::close).transpose()?;

    let naive2 = pipeline.naive2;
    let Evaluation { naive, by_series, scores, .. } = &evaluation;
    let reference = pipeline.reference_season.and(naive.get(2));
    let series_error = |at: usize, own| relative(own, &reference?.by_series.get(at)?.1);
    let by_series = by_series.iter().enumerate();
    Ok(Outcome {
        horizon: task.horizon,
        origins: task.origins,
        model: Figures::new(scores, naive2),
        seasonal_naive: Figures::new(&naive[0].scores, naive2),
        naive: Figures::new(&naive[1].scores, naive2),
        rmae: reference.and_then(|reference| relative(scores, &reference.scores)),
        by_series: by_series
            .map(|(at, (id, scores))| (id.clone(), scores.clone(), series_error(at, scores)))
            .collect(),
        fits: fitted.reports,
        fit_seconds,
        weights_sha256: fitted.forecaster.weights_sha256(),
        saved: saved.map(|published| (published, with_quantiles)),
        evaluation,
    })
}
