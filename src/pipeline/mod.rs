//! One forecast job, straight down: read, train, forecast, publish. The only place that knows the order.

mod actuals;
mod ahead;
mod backtest;
mod budget;
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
pub mod memory_plan;
mod parts;
mod passes;
mod report;
mod room;
mod scenario;
mod score;
mod shard;
mod shadow;
mod sources;
mod stage;
mod train;
mod worker;

pub use backtest::{BacktestJob, BacktestReport, backtest};
pub use budget::{Budget, Limits, Share};
pub use compare::{CompareError, CompareJob, CompareReport, Contender, Loss, compare, contender};
pub use digest::{ByModel, DIGEST_ROWS_MAX, Digest, DigestLoss, digest};
pub use explain::{Explanation, PastError, explain};
pub use forecast::{Forecasted, forecast};
pub use gallery::{CutoffLoss, Exhibit, Gallery, Windowed};
pub use job::{Fallback, JobSpec, Promotion};
pub use load::{Asked, LoadReport, LoadSpec, open_model};
pub use making::Making;
pub use report::{CovariateReport, JobReport, SourceReport};
pub use room::check_all as check_room;
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
use crate::publish::{self, Outlet, Provenance, PublishError, Published};
use crate::registry::RegistryError;
use crate::store::Place;
use std::path::{Path, PathBuf};
use std::time::Instant;

use making::Made;
use memory_plan::MemoryError;

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
    pub output: Place,
    /// Whose series are forecast, where the run is one of several processes; the folder of the run is then the output.
    pub sharded: Option<Sharded>,
    /// Where the trained weights go, if anywhere.
    pub save_model: Option<Place>,
    /// Where the quality report goes, if anywhere.
    pub quality: Option<Place>,
    /// The job file, if there is one: it must not be overwritten.
    pub config_file: Option<PathBuf>,
    /// Bytes of memory that it may take; `None` takes nine tenths of what there is.
    pub max_memory: Option<u64>,
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
        path: Place,
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
    /// It would take more memory than it may.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// Publication would overwrite what the job reads.
    #[error("{0} is one of the files that are read; choose another path for what is written")]
    OverwritesInput(Place),
    /// Two files of one job have the same path.
    #[error("{0} is asked for twice; give the forecasts, the model and the quality report different paths")]
    SamePath(Place),
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
    let outlets = Outlets::open(job)?;
    check_overwrites(outputs(job), job.config_file.iter())?;
    let made = match &job.making {
        Making::Fit(spec) => making::fitted(job, spec, &outlets, watch, &mut clock)?,
        Making::Load(spec) => making::loaded(job, spec, &outlets, watch, &mut clock)?,
    };

    watch(Progress::begun("publishing"));
    let (published, delivered) = match (&job.sharded, &outlets.output) {
        (Some(sharded), _) => {
            let (published, delivered) = sharded.deliver(job, &moment, &made)?;
            (published, Some(delivered))
        }
        (None, Some(outlet)) => (write(job, &moment, &made, outlet)?, None),
        (None, None) => unreachable!("what is no shard has an outlet"),
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
        memory: made.memory.ended(),
        weights_sha256: made.weights_sha256,
        config_sha256: job.config_sha256.clone(),
    })
}

/// Writes the file of a job.
fn write(job: &Job, moment: &Moment, made: &Made, outlet: &Outlet) -> Result<Published, PublishError> {
    let provenance = provenance(job, moment, made);
    let (plain, what_if) = (&made.forecasts, &made.scenarios.forecasts);
    let published = publish::write_forecasts(outlet.file(), plain, what_if, &made.id_columns, &provenance)?;
    outlet.publish(published)
}

/// Every place that the job writes to; a part of a run has a name of its own.
fn outputs(job: &Job) -> impl Iterator<Item = &Place> {
    let output = job.sharded.is_none().then_some(&job.output);
    [output, job.save_model.as_ref(), job.quality.as_ref()].into_iter().flatten()
}

/// Where the files of a job go; all of them can be written.
struct Outlets {
    /// Of the forecasts, where they do not go to the parts of a run.
    output: Option<Outlet>,
    save_model: Option<Outlet>,
    quality: Option<Outlet>,
}

impl Outlets {
    /// Whether everything can be written, and to different files.
    fn open(job: &Job) -> Result<Outlets, JobError> {
        let mut seen: Vec<PathBuf> = Vec::new();
        let mut open = |place: &Place| {
            let outlet = Outlet::open(place)?;
            let spelled = spelled(place);
            if seen.contains(&spelled) {
                return Err(JobError::SamePath(place.clone()));
            }
            seen.push(spelled);
            Ok(outlet)
        };
        Ok(Outlets {
            output: job.sharded.is_none().then_some(&job.output).map(&mut open).transpose()?,
            save_model: job.save_model.as_ref().map(&mut open).transpose()?,
            quality: job.quality.as_ref().map(&mut open).transpose()?,
        })
    }
}

/// Whether publication would replace a file that is read; an address may stand where a path does.
///
/// # Errors
/// [`JobError::OverwritesInput`].
pub fn check_overwrites<'a>(
    mut outputs: impl Iterator<Item = &'a Place>,
    read: impl IntoIterator<Item = impl AsRef<Path>>,
) -> Result<(), JobError> {
    let place = |file: &Path| match file.to_str().map(Place::parse) {
        Some(Ok(place)) => place,
        _ => Place::Local(file.into()),
    };
    let read: Vec<PathBuf> = read.into_iter().map(|file| spelled(&place(file.as_ref()))).collect();
    match outputs.find(|place| read.contains(&spelled(place))) {
        Some(place) => Err(JobError::OverwritesInput(place.clone())),
        None => Ok(()),
    }
}

/// One spelling for one file, whether it exists or not.
fn spelled(place: &Place) -> PathBuf {
    let path = match place {
        Place::Local(path) => path,
        Place::Remote(address) => {
            let (_, rest) = address.as_str().split_once("://").unwrap_or_default();
            return format!("{:?}://{rest}", address.scheme()).into();
        }
    };
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
        let seconds = self.since.elapsed().as_secs_f64();
        match self.laps.iter_mut().find(|(known, _)| *known == stage) {
            // One more pass.
            Some((_, sum)) => *sum += seconds,
            None => self.laps.push((stage, seconds)),
        }
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
            output: Place::Local(folder.join("out.parquet")),
            sharded: None,
            save_model: None,
            quality: None,
            config_file: None,
            max_memory: None,
            config_sha256: String::new(),
        }
    }

    fn moment() -> Moment {
        Moment { issued_at: 0, created_at: 0, run_id: "run".into() }
    }

    #[test]
    fn an_unwritable_output_is_refused_before_anything_is_read() {
        let folder = tempfile::tempdir().expect("folder");
        let job = Job { output: Place::Local(folder.path().join("no/out.parquet")), ..job(folder.path()) };
        let error = run(&job, moment(), &|_| {}).expect_err("no folder");
        assert!(matches!(error, JobError::Publish(PublishError::CannotCreate { .. })), "{error}");
    }

    #[test]
    fn one_path_cannot_hold_two_files() {
        let folder = tempfile::tempdir().expect("folder");
        let quality = Some(Place::Local(folder.path().join("./out.parquet")));
        let job = Job { quality, ..job(folder.path()) };
        assert!(matches!(run(&job, moment(), &|_| {}), Err(JobError::SamePath(_))));
    }

    #[test]
    fn an_input_is_not_overwritten_however_it_is_spelled() {
        let folder = tempfile::tempdir().expect("folder");
        let job = job(folder.path());
        std::fs::write(folder.path().join("out.parquet"), "x").expect("written");
        let input = folder.path().join(".").join("out.parquet").display().to_string();
        assert!(matches!(check_overwrites(outputs(&job), [input]), Err(JobError::OverwritesInput(_))));
        assert!(check_overwrites(outputs(&job), [folder.path().join("in.csv")]).is_ok());
        let remote = [Place::parse("s3a://b/x//out.parquet").expect("address")];
        let refused = check_overwrites(remote.iter(), ["s3://b/x/out.parquet"]);
        assert!(matches!(refused, Err(JobError::OverwritesInput(_))));
        assert!(check_overwrites(remote.iter(), ["s3://b/out.parquet", "out.parquet"]).is_ok());
    }
}
