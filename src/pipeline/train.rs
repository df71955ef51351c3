//! The training stage: read, fit, keep the version, let it serve.

use crate::ingest::{self, Fetched};
use crate::live::gate;
use crate::model::forecaster::{Control, Forecaster, Unseen};
use crate::model::report::FitReport;
use crate::pipeline::stage::{Context, StageError};
use crate::pipeline::{JobSpec, Promotion, SourceReport, StopWatch, report};
use crate::registry::{Ancestor, Birth, Judgement, Manifest, Registry, RegistryError};
use std::time::Instant;

/// Trainings in a row that start from the networks of the one before; the next one starts afresh. Networks that only ever go
/// on from where they were stay in the basin that the first of them fell into. One fresh training in six costs
/// (1 + 5 x 0.3) / 6 = 42 % of what six would, where none at all costs 30 %, and the gate lets it serve if it is no worse.
const WARM_GENERATIONS: u32 = 5;

/// What a training did.
pub struct Trained {
    /// The new version.
    pub manifest: Manifest,
    /// Whether it serves.
    pub fate: Fate,
    /// What was found; `None` if the version was there already, from an attempt that did not get to its end.
    pub source: Option<SourceRead>,
    /// How each group of series was trained.
    pub fits: Vec<FitReport>,
    /// Seconds of each step.
    pub seconds: Vec<(&'static str, f64)>,
}

/// Whether a new version serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It does.
    Promoted,
    /// It passed the gate and runs in shadow beside the champion: how, in a line.
    Shadow(String),
    /// It was no better than what serves, or its data looks damaged: why, one line each.
    Rejected(Vec<String>),
    /// It may be better, but something else forbids it: a pin, a champion of later data, a person's say.
    HeldBack(String),
}

impl Fate {
    /// Name in the ledger and the metrics.
    pub fn as_str(&self) -> &'static str {
        match self {
            Fate::Promoted => "promoted",
            Fate::Shadow(_) => "shadow",
            Fate::Rejected(_) => "rejected",
            Fate::HeldBack(_) => "held_back",
        }
    }

    /// Why it does not serve, one line each.
    pub fn reasons(&self) -> Vec<String> {
        match self {
            Fate::Promoted => Vec::new(),
            Fate::Rejected(reasons) => reasons.clone(),
            Fate::Shadow(reason) | Fate::HeldBack(reason) => vec![reason.clone()],
        }
    }
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

/// Trains a job's model on what was known at the slot, judges it beside the one that serves, and lets it serve if it may.
///
/// # Errors
/// See [`StageError`].
pub fn train(job: &JobSpec, context: &Context) -> Result<Trained, StageError> {
    train_on(job, context, None)
}

/// As [`train`], on data that has been fetched for the slot.
pub(super) fn train_on(
    job: &JobSpec,
    context: &Context,
    fetched: Option<&Fetched>,
) -> Result<Trained, StageError> {
    let (registry, moment) = (context.registry, context.moment);
    // A model that cannot be kept is not worth hours.
    registry.refresh(&job.name)?;
    let deadline = job.model.budget().and_then(|budget| Instant::now().checked_add(budget));
    if let Some(manifest) = registry.find_slot(&job.name, &moment.run_id, context.asked_at)? {
        let fate = promote(job, context, &manifest)?;
        return Ok(Trained { manifest, fate, source: None, fits: Vec::new(), seconds: Vec::new() });
    }
    let mut clock = StopWatch::start();
    let (name, as_of) = (&job.source_name, moment.issued_at);
    let demand = context.demand(job, &job.model, true);
    let guard = |dimensions: &_| context.guard(dimensions, &demand);
    let read = |fetched: &Fetched| {
        context.sources.read_fetched(name, &job.source, as_of, fetched, context.watch, &guard)
    };
    let reading = match fetched {
        Some(fetched) => read(fetched)?,
        None => read(&ingest::fetch(&job.source, context.known, context.stop, context.watch)?)?,
    };
    let _memory = context.take_memory(job, &reading.ingested, &demand)?;
    let panel = &reading.ingested.panel;
    let report = SourceReport::of(&reading.ingested);
    clock.lap("read");

    // What cannot be loaded can be no match for a candidate.
    let champion = registry.champion(&job.name)?.and_then(|champion| {
        let loaded = registry.load(&job.name, champion.version);
        loaded.inspect_err(|error| tracing::warn!(%error, "the champion cannot be compared with")).ok()
    });
    let checkpoints = context.state.join("checkpoints").join(&job.name);
    let cutoff = panel.series.iter().filter_map(|series| series.cutoff()).max().unwrap_or(moment.issued_at);
    let start = start(job, context, champion.as_ref().map(|(_, manifest)| manifest), cutoff);
    let control = Control {
        deadline,
        champion: start.as_ref().map(|(unseen, _)| unseen),
        stop: context.stop,
        checkpoints: Some(&checkpoints),
        ..Control::watched(context.watch)
    };
    let fitted = Forecaster::fit(panel, &job.model, &control)?;
    clock.lap("fit");
    context.tell("judging");
    let judgement = match job.promotion {
        Promotion::Always => Judgement::default(),
        Promotion::Gate | Promotion::Manual | Promotion::Shadow => {
            let champion = champion.as_ref().map(|(forecaster, manifest)| (forecaster, manifest));
            gate::judge(panel, &fitted.unseen, champion, &job.model)?
        }
    };
    clock.lap("judge");

    let birth = Birth {
        run_id: moment.run_id.clone(),
        slot: moment.issued_at,
        created_at: moment.created_at,
        config_sha256: job.config_sha256.clone(),
        config: serde_json::json!({ "source": job.source_name, "model": job.model_name }),
        data_fingerprint: report.fingerprint.clone(),
        cutoff,
        reports: fitted.reports.clone(),
        seconds: clock.laps.iter().map(|(_, seconds)| seconds).sum(),
        series: report.series,
        rows: report.rows,
        judgement,
        warm_from: start
            .map(|(_, ancestor)| ancestor)
            .filter(|_| fitted.reports.iter().any(|fit| fit.warm > 0)),
    };
    context.check_held()?;
    let manifest = registry.add(&job.name, &fitted.forecaster, Some(&fitted.unseen), &birth)?;
    // A daemon that was frozen when it had the slot may have added a version of it, too: the first one counts, for all.
    let manifest = registry.find_slot(&job.name, &moment.run_id, context.asked_at)?.unwrap_or(manifest);
    let fate = promote(job, context, &manifest)?;
    clock.lap("register");
    let source = SourceRead { report, bytes_read: reading.bytes_read, stamps: reading.stamps };
    Ok(Trained { manifest, fate, source: Some(source), fits: fitted.reports, seconds: clock.laps })
}

/// What training starts from: the champion as it was before it was trained on everything. Nothing if that has no network,
/// knows more than the data (a backfill), or ends a long enough line. A slot that is worked again starts from what its
/// champion had started from, so that it gives the same weights.
fn start(
    job: &JobSpec,
    context: &Context,
    champion: Option<&Manifest>,
    cutoff: i64,
) -> Option<(Unseen, Ancestor)> {
    let champion = champion.filter(|champion| job.is_warm && champion.cutoff <= cutoff)?;
    let generation = |manifest: &Manifest| manifest.warm_from.map_or(1, |from| from.generation + 1);
    let ancestor = match champion.slot == context.moment.issued_at {
        true => champion.warm_from?,
        false => Ancestor { version: champion.version, generation: generation(champion) },
    };
    let loaded = context.registry.load_unseen(&job.name, ancestor.version);
    let loaded = loaded.inspect_err(|error| tracing::warn!(%error, "training starts with fresh networks"));
    let unseen = loaded.ok().flatten().filter(|_| ancestor.generation <= WARM_GENERATIONS)?;
    Some((unseen, ancestor))
}

/// Lets a version run in shadow beside the champion, in place of one of no later data.
fn shadow(
    job: &JobSpec,
    registry: &Registry,
    manifest: &Manifest,
    champion: &Manifest,
) -> Result<Fate, StageError> {
    let running = registry.shadow(&job.name)?;
    if let Some(later) = running.filter(|running| running.cutoff > manifest.cutoff) {
        let reason = format!("version {} was trained on later data and runs in shadow on", later.version);
        return Ok(Fate::HeldBack(reason));
    }
    let (version, champion) = (manifest.version, champion.version);
    let replaced = match registry.run_in_shadow(&job.name, version) {
        Err(error @ RegistryError::Untrusted { .. }) => return Ok(Fate::HeldBack(error.to_string())),
        replaced => replaced?,
    };
    let place = replaced.map_or(String::new(), |replaced| format!(", in place of version {replaced}"));
    Ok(Fate::Shadow(format!("version {version} runs in shadow beside version {champion}{place}")))
}

/// Lets a version serve, and removes versions beyond those to keep. One that knows less than the champion (a backfill), or that
/// was judged to be no better, does not serve, nor does any while another is pinned.
fn promote(job: &JobSpec, context: &Context, manifest: &Manifest) -> Result<Fate, StageError> {
    context.check_held()?;
    let registry = context.registry;
    let champion = registry.champion(&job.name)?.filter(|champion| champion.version != manifest.version);
    let fate = match champion {
        Some(champion) if champion.cutoff > manifest.cutoff => {
            Fate::HeldBack(format!("version {} was trained on later data and serves on", champion.version))
        }
        Some(_) if !manifest.judgement.reasons.is_empty() => {
            Fate::Rejected(manifest.judgement.reasons.clone())
        }
        Some(champion) if job.promotion == Promotion::Manual => Fate::HeldBack(format!(
            "version {} serves until a person promotes another one (promotion = manual)",
            champion.version
        )),
        Some(champion) if job.promotion == Promotion::Shadow => shadow(job, registry, manifest, &champion)?,
        _ => match registry.promote(&job.name, manifest.version, context.moment.created_at, "trained") {
            Ok(_) => Fate::Promoted,
            Err(error @ (RegistryError::Pinned { .. } | RegistryError::Untrusted { .. })) => {
                Fate::HeldBack(error.to_string())
            }
            Err(error) => return Err(error.into()),
        },
    };
    registry.gc(&job.name, job.keep_versions, false)?;
    Ok(fate)
}
