//! One forecast job, straight down: read, train, forecast, publish. The only place that knows the order.

use crate::ingest::{self, IngestError, Ingested, Layout, Roles, SourceSpec};
use crate::model::forecaster::{Forecaster, ModelError};
use crate::model::report::{FitReport, Progress};
use crate::model::spec::ModelSpec;
use crate::publish::{self, Provenance, PublishError, Published};
use crate::series::{Forecasts, Status, Verdict};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// One forecast job, fully checked.
#[derive(Clone, Debug)]
pub struct Job {
    /// What to read.
    pub source: SourceSpec,
    /// What to train.
    pub model: ModelSpec,
    /// Where the forecasts go.
    pub output: PathBuf,
    /// Where the trained weights go, if anywhere.
    pub save_model: Option<PathBuf>,
    /// Where the quality report goes, if anywhere.
    pub quality: Option<PathBuf>,
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
    /// A file cannot be written.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// Publication would overwrite what the job reads.
    #[error("{0} is one of the inputs; choose another path for what the job writes")]
    OverwritesInput(PathBuf),
    /// Two files of one job have the same path.
    #[error("{0} is asked for twice; give the forecasts, the model and the quality report different paths")]
    SamePath(PathBuf),
}

/// What was found in the source.
#[derive(Clone, Debug)]
pub struct SourceReport {
    /// Files read.
    pub files: Vec<String>,
    /// Files left out, with the reason.
    pub skipped_files: Vec<String>,
    /// Rows read.
    pub rows: usize,
    /// Usable series.
    pub series: usize,
    /// Series left out: id and reasons, ascending by id.
    pub quarantined: Vec<(String, Vec<String>)>,
    /// Assumptions and oddities.
    pub notes: Vec<String>,
    /// Long or wide.
    pub layout: Layout,
    /// Which column plays which part.
    pub roles: Roles,
    /// First and last timestamp of the usable series, microseconds UTC.
    pub span: Option<(i64, i64)>,
    /// SHA-256 over the usable series.
    pub fingerprint: String,
}

impl SourceReport {
    /// The report of what was read.
    pub fn of(ingested: &Ingested) -> SourceReport {
        let quarantined = ingested.quality.iter().filter_map(|quality| match &quality.verdict {
            Verdict::Ok => None,
            Verdict::Quarantined(reasons) => Some((quality.unique_id.clone(), reasons.clone())),
        });
        let series = &ingested.panel.series;
        let first = series.iter().filter_map(|one| one.times.first().copied()).min();
        let last = series.iter().filter_map(|one| one.times.last().copied()).max();
        SourceReport {
            files: ingested.files.clone(),
            skipped_files: ingested.skipped_files.clone(),
            rows: ingested.rows,
            series: series.len(),
            quarantined: quarantined.collect(),
            notes: ingested.notes.iter().map(|note| note.0.clone()).collect(),
            layout: ingested.layout,
            roles: ingested.roles.clone(),
            span: first.zip(last),
            fingerprint: ingested.fingerprint.clone(),
        }
    }
}

/// What a job did: everything that the summary, the JSON document and the exit code are made of.
#[derive(Clone, Debug)]
pub struct JobReport {
    /// When and as what it ran.
    pub moment: Moment,
    /// What was found.
    pub source: SourceReport,
    /// Model settings.
    pub model: ModelSpec,
    /// How each group of series was trained.
    pub fits: Vec<FitReport>,
    /// Number of forecast series of each status that occurs.
    pub statuses: Vec<(Status, usize)>,
    /// The forecasts.
    pub published: Published,
    /// The quality report.
    pub quality: Option<PathBuf>,
    /// The saved model.
    pub saved_model: Option<PathBuf>,
    /// Seconds of each stage, in order.
    pub seconds: Vec<(&'static str, f64)>,
    /// SHA-256 of the trained weights.
    pub weights_sha256: String,
    /// SHA-256 of the settings.
    pub config_sha256: String,
}

impl JobReport {
    /// Why the result is less than what was asked for, one line each; empty if it is not.
    pub fn degradations(&self) -> Vec<String> {
        let quarantined = self.source.quarantined.len();
        let skipped = self.source.skipped_files.len();
        let mut lines = Vec::new();
        if quarantined > 0 {
            lines.push(format!("{quarantined} series left out"));
        }
        if skipped > 0 {
            lines.push(format!("{skipped} files skipped"));
        }
        let statuses = self.statuses.iter().filter(|(status, _)| *status != Status::Ok);
        lines.extend(
            statuses.map(|(status, count)| format!("{count} series with status {}", status.as_str())),
        );
        if self.fits.iter().any(|fit| fit.budget_exhausted) {
            lines.push("the budget ended training early".into());
        }
        lines
    }
}

/// Runs a job; `watch` hears of the progress. Everything that can be refused is refused before training.
///
/// # Errors
/// See [`JobError`]; nothing is published then.
pub fn run(job: &Job, moment: Moment, watch: &(dyn Fn(Progress) + Sync)) -> Result<JobReport, JobError> {
    let deadline = job.model.budget().and_then(|budget| Instant::now().checked_add(budget));
    let mut clock = StopWatch::start();
    check_paths(job)?;

    watch(Progress { stage: "reading", done: 0, total: 0 });
    let ingested = ingest::read(&job.source)?;
    check_overwrites(job, &ingested.files)?;
    let source = SourceReport::of(&ingested);
    if let Some(path) = &job.quality {
        publish::write_quality(path, &ingested.quality)?;
    }
    clock.lap("read");

    let fitted = Forecaster::fit(&ingested.panel, &job.model, deadline, watch)?;
    let weights_sha256 = fitted.forecaster.weights_sha256();
    if let Some(path) = &job.save_model {
        publish::write_model(path, &fitted.forecaster.to_bytes())?;
    }
    clock.lap("train");

    watch(Progress { stage: "forecasting", done: 0, total: 0 });
    let forecasts = fitted.forecaster.predict(&ingested.panel);
    clock.lap("forecast");

    watch(Progress { stage: "publishing", done: 0, total: 0 });
    let provenance = provenance(job, &moment, &source, &weights_sha256);
    let published =
        publish::write_forecasts(&job.output, &forecasts, &ingested.panel.id_columns, &provenance)?;
    clock.lap("publish");

    Ok(JobReport {
        moment,
        source,
        model: job.model.clone(),
        fits: fitted.reports,
        statuses: count_statuses(&forecasts),
        published,
        quality: job.quality.clone(),
        saved_model: job.save_model.clone(),
        seconds: clock.laps,
        weights_sha256,
        config_sha256: job.config_sha256.clone(),
    })
}

/// Every path that the job writes.
fn outputs(job: &Job) -> impl Iterator<Item = &PathBuf> {
    [Some(&job.output), job.save_model.as_ref(), job.quality.as_ref()].into_iter().flatten()
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

/// Whether publication would replace an input.
fn check_overwrites(job: &Job, files: &[String]) -> Result<(), JobError> {
    let inputs: Vec<PathBuf> = files.iter().map(|file| place(Path::new(file))).collect();
    match outputs(job).find(|path| inputs.contains(&place(path))) {
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

fn provenance(job: &Job, moment: &Moment, source: &SourceReport, weights_sha256: &str) -> Provenance {
    let metadata = [
        ("config_sha256", job.config_sha256.as_str()),
        ("code_sha256", crate::CODE_SHA256),
        ("data_fingerprint", &source.fingerprint),
        ("weights_sha256", weights_sha256),
        ("seed", &job.model.seed().to_string()),
        ("model", job.model.kind().as_str()),
    ];
    Provenance {
        run_id: moment.run_id.clone(),
        issued_at: moment.issued_at,
        created_at: moment.created_at,
        model_version: 1,
        primary_level: job.model.levels()[0],
        metadata: metadata.map(|(key, value)| (key.into(), value.into())).into(),
    }
}

fn count_statuses(forecasts: &Forecasts) -> Vec<(Status, usize)> {
    let all = [Status::Ok, Status::Fallback, Status::Degraded, Status::ColdStart, Status::Stale];
    let count = |status: Status| forecasts.series.iter().filter(|one| one.status == status).count();
    all.map(|status| (status, count(status))).into_iter().filter(|(_, count)| *count > 0).collect()
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
    use crate::model::spec::RawModelSpec;

    fn job(folder: &Path) -> Job {
        let raw = RawModelSpec {
            kind: "auto".into(),
            horizon: 2,
            levels: vec![80.0],
            season_length: None,
            seed: 1,
            budget: None,
        };
        Job {
            source: SourceSpec::new(vec![folder.join("in.csv").display().to_string()]),
            model: ModelSpec::try_from(raw).expect("valid"),
            output: folder.join("out.parquet"),
            save_model: None,
            quality: None,
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
        assert!(matches!(check_overwrites(&job, &[input]), Err(JobError::OverwritesInput(_))));
        assert!(check_overwrites(&job, &[folder.path().join("in.csv").display().to_string()]).is_ok());
    }
}
