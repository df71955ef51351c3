//! One forecast job, straight down: read, train, forecast, publish. The only place that knows the order.

mod actuals;
mod ahead;
mod backtest;
mod coherent;
mod compare;
mod correct;
mod digest;
mod explain;
mod forecast;
mod gallery;
mod guess;
mod job;
mod load;
mod making;
mod memory;
mod parts;
mod report;
mod scenario;
mod score;
mod shard;
mod shadow;
mod sources;
mod stage;
mod train;
mod worker;

pub use backtest::{BacktestJob, BacktestReport, backtest};
pub use compare::{CompareError, CompareJob, CompareReport, Contender, Loss, compare, contender};
pub use digest::{ByModel, DIGEST_ROWS_MAX, Digest, DigestLoss, digest};
pub use explain::{Explanation, PastError, explain};
pub use forecast::{Forecasted, forecast};
pub use gallery::{CutoffLoss, Exhibit, Gallery, Windowed};
pub use job::{Fallback, JobSpec, Promotion};
pub use load::{Asked, LoadReport, LoadSpec};
pub use making::Making;
pub use report::{CovariateReport, JobReport, SourceReport};
pub use scenario::{Change, Effect, Scenario, ScenarioError, ScenarioReport};
pub use score::{Reviewed, Scored, review_runs, score};
pub use shadow::{Duel, Shadowed, duel};
pub use shard::{Delivered, Sharded, begin, complete};
pub use sources::{LookError, Reading, Sources};
pub use stage::{Context, StageError};
pub use train::{Fate, SourceRead, Trained, train};
pub use worker::{Ending, WorkerJob, WorkerReport, work};

use crate::evaluation::spec::BacktestError;
use crate::ingest::{IngestError, SourceSpec};
use crate::model::forecaster::ModelError;
use crate::model::report::Progress;
use crate::publish::{self, Provenance, PublishError, Published};
use crate::registry::RegistryError;
use std::path::{Path, PathBuf};
use std::time::Instant;

use making::Made;

/// One forecast job, fully checked.
#[derive(Clone, Debug)]
pub struct Job {
    /// What to read.
    pub source: SourceSpec,
    /// What forecasts.
    pub making: Making,
    /// What is forecast beside the plan.
    pub scenarios: Vec<Scenario>,
    /// Where the forecasts go.
    pub output: PathBuf,
    /// Whose series are forecast, where the run is one of several processes; the folder of the run is then the output.
    pub sharded: Option<Sharded>,
    /// Where the trained weights go, if anywhere.
    pub save_model: Option<PathBuf>,
    /// Where the quality report goes, if anywhere.
    pub quality: Option<PathBuf>,
    /// The job file, if there is one: it must not be overwritten.
    pub config_file: Option<PathBuf>,
    /// SHA-256 of the settings that decide the result, lower-case hex.
    pub config_sha256: String,
}

/// When and as what a job runs; values, because only the command line reads the clock.
#[derive(Clone, Debug)]
pub struct Moment {
    /// Nominal instant of the forecast, microseconds UTC.
    pub issued_at: i64,
    /// Wall clock, microseconds UTC.
    pub created_at: i64,
    /// UUIDv7 of the run.
    pub run_id: String,
}

/// Why a job gave no forecast.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The input cannot be used.
    #[error(transparent)]
    Ingest(#[from] IngestError),
    /// The model cannot be trained.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The model cannot be loaded.
    #[error("the model cannot be loaded: {0}")]
    Load(#[source] RegistryError),
    /// The model is another one than is asked for, or of other data.
    #[error("{path} is another model than is asked for, or for other data: {}", .problems.join("; "))]
    Unlike {
        /// The model.
        path: PathBuf,
        /// Every difference.
        problems: Vec<String>,
    },
    /// The data cannot be backtested like that.
    #[error(transparent)]
    Backtest(#[from] BacktestError),
    /// There is no such id column to tell segments by.
    #[error("no id column '{column}' to tell segments by; the id columns are {}", listed(.known))]
    NoSegment {
        /// Asked for.
        column: String,
        /// Those of the data.
        known: Vec<String>,
    },
    /// A file cannot be written.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// A stream of forecasts is not taken, or has no threads to be made by.
    #[error("the stream of forecasts failed: {0}")]
    Stream(#[from] std::io::Error),
    /// Publication would overwrite what the job reads.
    #[error("{0} is one of the files that are read; choose another path for what is written")]
    OverwritesInput(PathBuf),
    /// Two files of one job have the same path.
    #[error("{0} is asked for twice; give the forecasts, the model and the quality report different paths")]
    SamePath(PathBuf),
}

fn listed(columns: &[String]) -> String {
    if columns.is_empty() { "none".into() } else { columns.join(", ") }
}

/// Runs a job; `watch` hears of the progress. Everything that can be refused is refused before training.
///
/// # Errors
/// See [`JobError`]; no forecast is published then.
pub fn run(job: &Job, moment: Moment, watch: &(dyn Fn(Progress) + Sync)) -> Result<JobReport, JobError> {
    let mut clock = StopWatch::start();
    check_paths(job)?;
    check_overwrites(outputs(job), job.config_file.iter())?;
    let made = match &job.making {
        Making::Fit(spec) => making::fitted(job, spec, watch, &mut clock)?,
        Making::Load(spec) => making::loaded(job, spec, watch, &mut clock)?,
    };

    watch(Progress::begun("publishing"));
    let (published, delivered) = match &job.sharded {
        Some(sharded) => {
            let (published, delivered) = sharded.deliver(job, &moment, &made)?;
            (published, Some(delivered))
        }
        None => (write(job, &moment, &made)?, None),
    };
    clock.lap("publish");

    Ok(JobReport {
        moment,
        source: made.source,
        model: made.model,
        fits: made.fits,
        loaded: made.loaded,
        statuses: report::count_statuses(&made.forecasts),
        scenarios: made.scenarios.reports,
        published,
        delivered,
        quality: job.quality.clone(),
        saved_model: job.save_model.clone(),
        seconds: clock.laps,
        weights_sha256: made.weights_sha256,
        config_sha256: job.config_sha256.clone(),
    })
}

/// Writes the file of a job.
fn write(job: &Job, moment: &Moment, made: &Made) -> Result<Published, PublishError> {
    let provenance = provenance(job, moment, made);
    let (plain, what_if) = (&made.forecasts, &made.scenarios.forecasts);
    publish::write_forecasts(&job.output, plain, what_if, &made.id_columns, &provenance)
}

/// Every path that the job writes; a part of a run has a name of its own.
fn outputs(job: &Job) -> impl Iterator<Item = &PathBuf> {
    let output = job.sharded.is_none().then_some(&job.output);
    [output, job.save_model.as_ref(), job.quality.as_ref()].into_iter().flatten()
}

/// Whether everything can be written, and to different files.
fn check_paths(job: &Job) -> Result<(), JobError> {
    let mut seen: Vec<PathBuf> = Vec::new();
    for path in outputs(job) {
        publish::probe(path)?;
        let place = place(path);
        if seen.contains(&place) {
            return Err(JobError::SamePath(path.clone()));
        }
        seen.push(place);
    }
    Ok(())
}

/// Whether publication would replace a file that is read.
///
/// # Errors
/// [`JobError::OverwritesInput`].
pub fn check_overwrites<'a>(
    mut outputs: impl Iterator<Item = &'a PathBuf>,
    read: impl IntoIterator<Item = impl AsRef<Path>>,
) -> Result<(), JobError> {
    let read: Vec<PathBuf> = read.into_iter().map(|file| place(file.as_ref())).collect();
    match outputs.find(|path| read.contains(&place(path))) {
        Some(path) => Err(JobError::OverwritesInput(path.clone())),
        None => Ok(()),
    }
}

/// One spelling for one file, whether it exists or not.
fn place(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default();
    path.canonicalize()
        .or_else(|_| Ok(folder.canonicalize()?.join(name)))
        .unwrap_or_else(|_: std::io::Error| path.into())
}

fn provenance(job: &Job, moment: &Moment, made: &Made) -> Provenance {
    let seed = made.model.seed().to_string();
    let version = made.loaded.as_ref().and_then(|loaded| loaded.version.as_ref());
    let metadata = [
        ("config_sha256", job.config_sha256.as_str()),
        ("code_sha256", crate::CODE_SHA256),
        ("data_fingerprint", &made.source.fingerprint),
        ("weights_sha256", &made.weights_sha256),
        ("seed", &seed),
        ("model", made.model.kind().as_str()),
    ];
    let mut metadata: Vec<(String, String)> =
        metadata.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    metadata.extend(version.map(|(job, _)| ("job".into(), job.clone())));
    metadata.extend(made.scales.clone().map(|scales| ("sampling_scale".into(), scales)));
    metadata.extend(made.source.command.clone().map(|command| ("source_command".into(), command)));
    let in_words = scenario::in_words(&made.scenarios.forecasts, &job.scenarios);
    metadata.extend(in_words.map(|words| ("scenarios".into(), words)));
    Provenance {
        run_id: moment.run_id.clone(),
        issued_at: moment.issued_at,
        created_at: moment.created_at,
        model_version: version.map_or(1, |(_, version)| i32::try_from(*version).unwrap_or(i32::MAX)),
        primary_level: made.model.levels()[0],
        levels: made.model.levels().to_vec(),
        correction: None,
        metadata,
    }
}

/// Seconds per stage, on the monotonic clock.
struct StopWatch {
    since: Instant,
    laps: Vec<(&'static str, f64)>,
}

impl StopWatch {
    fn start() -> StopWatch {
        StopWatch { since: Instant::now(), laps: Vec::new() }
    }

    fn lap(&mut self, stage: &'static str) {
        self.laps.push((stage, self.since.elapsed().as_secs_f64()));
        self.since = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::spec::{ModelSpec, RawModelSpec};

    fn job(folder: &Path) -> Job {
        let raw = RawModelSpec { levels: vec![80.0], ..RawModelSpec::new("auto", 2) };
        Job {
            source: SourceSpec::new(vec![folder.join("in.csv").display().to_string()]),
            making: Making::Fit(ModelSpec::try_from(raw).expect("valid")),
            scenarios: Vec::new(),
            output: folder.join("out.parquet"),
            sharded: None,
            save_model: None,
            quality: None,
            config_file: None,
            config_sha256: String::new(),
        }
    }

    fn moment() -> Moment {
        Moment { issued_at: 0, created_at: 0, run_id: "run".into() }
    }

    #[test]
    fn an_unwritable_output_is_refused_before_anything_is_read() {
        let folder = tempfile::tempdir().expect("folder");
        let job = Job { output: folder.path().join("no/out.parquet"), ..job(folder.path()) };
        let error = run(&job, moment(), &|_| {}).expect_err("no folder");
        assert!(matches!(error, JobError::Publish(PublishError::CannotCreate { .. })), "{error}");
    }

    #[test]
    fn one_path_cannot_hold_two_files() {
        let folder = tempfile::tempdir().expect("folder");
        let quality = Some(folder.path().join("./out.parquet"));
        let job = Job { quality, ..job(folder.path()) };
        assert!(matches!(run(&job, moment(), &|_| {}), Err(JobError::SamePath(_))));
    }

    #[test]
    fn an_input_is_not_overwritten_however_it_is_spelled() {
        let folder = tempfile::tempdir().expect("folder");
        let job = job(folder.path());
        std::fs::write(&job.output, "x").expect("written");
        let input = folder.path().join(".").join("out.parquet").display().to_string();
        assert!(matches!(check_overwrites(outputs(&job), [input]), Err(JobError::OverwritesInput(_))));
        assert!(check_overwrites(outputs(&job), [folder.path().join("in.csv")]).is_ok());
    }
}
