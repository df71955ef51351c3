//! The training stage: read, fit, keep the version, let it serve.

use crate::model::forecaster::{Control, Forecaster};
use crate::model::report::FitReport;
use crate::pipeline::stage::{Context, StageError};
use crate::pipeline::{JobSpec, SourceReport, StopWatch, report};
use crate::registry::{Birth, Manifest, RegistryError};
use std::time::Instant;

/// What a training did.
pub struct Trained {
    /// The new version.
    pub manifest: Manifest,
    /// Why it does not serve, if it does not.
    pub held_back: Option<String>,
    /// What was found; `None` if the version was there already, from an attempt that did not get to its end.
    pub source: Option<SourceRead>,
    /// How each group of series was trained.
    pub fits: Vec<FitReport>,
    /// Seconds of each step.
    pub seconds: Vec<(&'static str, f64)>,
}

/// A source as a stage found it.
pub struct SourceRead {
    /// Files, rows, series, what was left out.
    pub report: SourceReport,
    /// Bytes of data read.
    pub bytes_read: u64,
    /// The files and how they changed.
    pub stamps: crate::ingest::Stamps,
}

impl Trained {
    /// What the training lacks, one line each.
    pub fn shortfalls(&self) -> Vec<String> {
        let source = self.source.as_ref().map(|source| report::shortfalls(&source.report, &[]));
        source.unwrap_or_default().into_iter().chain(report::training_shortfalls(&self.fits)).collect()
    }
}

/// Trains a job's model on what was known at the slot, and lets it serve unless it is older than the one that does.
///
/// # Errors
/// See [`StageError`].
pub fn train(job: &JobSpec, context: &Context) -> Result<Trained, StageError> {
    let (registry, moment) = (context.registry, context.moment);
    let deadline = job.model.budget().and_then(|budget| Instant::now().checked_add(budget));
    if let Some(manifest) = registry.find_slot(&job.name, &moment.run_id)? {
        let held_back = promote(job, context, &manifest)?;
        return Ok(Trained { manifest, held_back, source: None, fits: Vec::new(), seconds: Vec::new() });
    }
    let mut clock = StopWatch::start();
    let reading = context.sources.read(&job.source_name, &job.source, moment.issued_at, context.known)?;
    let panel = &reading.ingested.panel;
    let report = SourceReport::of(&reading.ingested);
    clock.lap("read");

    let checkpoints = context.state.join("checkpoints").join(&job.name);
    let control = Control {
        deadline,
        stop: context.stop,
        checkpoints: Some(&checkpoints),
        ..Control::watched(context.watch)
    };
    let fitted = Forecaster::fit(panel, &job.model, &control)?;
    clock.lap("fit");

    let birth = Birth {
        run_id: moment.run_id.clone(),
        slot: moment.issued_at,
        created_at: moment.created_at,
        config_sha256: job.config_sha256.clone(),
        config: serde_json::json!({ "source": job.source_name, "model": job.model_name }),
        data_fingerprint: report.fingerprint.clone(),
        cutoff: panel.series.iter().filter_map(|series| series.cutoff()).max().unwrap_or(moment.issued_at),
        reports: fitted.reports.clone(),
        seconds: clock.laps.iter().map(|(_, seconds)| seconds).sum(),
        series: report.series,
        rows: report.rows,
    };
    let manifest = registry.add(&job.name, &fitted.forecaster, &birth)?;
    let held_back = promote(job, context, &manifest)?;
    clock.lap("register");
    let source = SourceRead { report, bytes_read: reading.bytes_read, stamps: reading.stamps };
    Ok(Trained { manifest, held_back, source: Some(source), fits: fitted.reports, seconds: clock.laps })
}

/// Lets a version serve, and removes versions beyond those to keep. One that knows less than the champion (a backfill)
/// does not serve, nor does any while another is pinned.
fn promote(job: &JobSpec, context: &Context, manifest: &Manifest) -> Result<Option<String>, StageError> {
    let registry = context.registry;
    let champion = registry.champion(&job.name)?;
    if let Some(champion) = champion.filter(|champion| champion.cutoff > manifest.cutoff) {
        return Ok(Some(format!("version {} was trained on later data and serves on", champion.version)));
    }
    match registry.promote(&job.name, manifest.version, context.moment.created_at, "trained") {
        Ok(_) => {}
        Err(error @ RegistryError::Pinned { .. }) => return Ok(Some(error.to_string())),
        Err(error) => return Err(error.into()),
    }
    registry.gc(&job.name, job.keep_versions, false)?;
    Ok(None)
}
