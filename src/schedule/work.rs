//! The work of a slot: the stage of the pipeline, its result as an ending, its figures as metrics.

use crate::ingest::{self, FileStamp};
use crate::live::review::Score;
use crate::model::report::{FitReport, Progress};
use crate::pipeline::{
    Budget, Context, Duel, Fate, Forecasted, JobSpec, Moment, Promotion, ScenarioReport, Scored, Shadowed,
    SourceRead, Sources, StageError, Trained, forecast, score, train,
};
use crate::publish;
use crate::registry::Registry;
use crate::schedule::clock::Clock;
use crate::schedule::daemon::{Done, Probe, Work};
use crate::schedule::lease::Stamp;
use crate::schedule::ledger::{Ending, SeenFile};
use crate::schedule::metrics::{JobFigures, Metrics};
use crate::schedule::outcome::{Outcome, Trigger};
use crate::schedule::scheduler::{Task, Verdict};
use crate::schedule::spec::Stage;
use crate::series::civil::shown;
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use std::sync::Arc;

/// Series, files and notes that the ledger names before the rest is only counted.
const NAMED: usize = 20;

/// What every slot works with.
pub struct Workshop {
    /// The models.
    pub registry: Registry,
    /// The sources, as far as they are kept.
    pub sources: Sources,
    /// State directory.
    pub state: PathBuf,
    /// What slots may take of the machine.
    pub budget: Budget,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The time.
    pub clock: Clock,
}

impl Workshop {
    /// The work of slots.
    pub fn work(self: Arc<Self>) -> Arc<Work> {
        Arc::new(move |task, seen| self.run(task, seen))
    }

    fn run(&self, task: &Task, seen: &[SeenFile]) -> Done {
        let watch = |progress: Progress| {
            task.progress.hear(self.clock.now(), progress);
            log(progress);
        };
        self.run_watched(task, seen, &watch)
    }

    /// A slot from its task to its ending; `watch` hears of the progress.
    pub fn run_watched(&self, task: &Task, seen: &[SeenFile], watch: &(dyn Fn(Progress) + Sync)) -> Done {
        let known = stamps(seen);
        let moment = Moment {
            issued_at: task.row.slot,
            created_at: self.clock.now(),
            run_id: task.row.run_id.clone(),
        };
        let context = Context {
            registry: &self.registry,
            sources: &self.sources,
            state: &self.state,
            known: &known,
            budget: &self.budget,
            moment: &moment,
            asked_at: if task.row.trigger == Trigger::Manual { task.row.planned_at } else { i64::MIN },
            stop: &task.stop,
            watch,
            holds: &|| task.hold.holds(),
        };
        let is_resumed = task.row.attempts > 1 || task.hold.is_continued();
        let job = task.job.as_ref();
        let ended = context.check_room(&job.sink.path).and_then(|()| match task.row.stage {
            Stage::Train => train(job, &context).map(|trained| (self.trained(job, &trained), None)),
            Stage::Forecast => forecast(job, &context, task.fits_first, is_resumed)
                .map(|forecasted| (self.forecasted(job, &forecasted), None)),
            Stage::Score => score(job, &context).map(|scored| {
                let retrain = scored.retrain.first().map(|(reason, _)| *reason);
                (self.scored(job, &scored), retrain)
            }),
        });
        if let Some(bytes) = self.budget.plan(&job.name) {
            self.metrics.memory_plan(&job.name, bytes);
        }
        match ended {
            Ok(((ending, files), retrain)) => {
                let files = files.map(|files| (job.source_name.clone(), files));
                Done { verdict: Verdict::Ended(ending), files, retrain }
            }
            Err(error) => Done { verdict: self.failed(&error), files: None, retrain: None },
        }
    }

    fn failed(&self, error: &StageError) -> Verdict {
        if error.is_stop() {
            return Verdict::Stopped;
        }
        if matches!(error, StageError::Publish(_)) {
            self.metrics.publish_failed();
        }
        let reasons = error.to_string().lines().take(NAMED).map(str::to_owned).collect();
        let ending = Ending { outcome: Outcome::Failed, reasons, detail: Value::Null };
        match error.is_retryable() {
            true => Verdict::Retryable(ending),
            false => Verdict::Ended(ending),
        }
    }

    fn trained(&self, job: &JobSpec, trained: &Trained) -> (Ending, Option<Files>) {
        self.metrics.promotion(trained.fate.as_str());
        let steps: usize = trained.fits.iter().map(|fit| fit.steps_tried).sum();
        self.metrics.training(&job.name, steps as u64);
        self.steps(job, Stage::Train, &trained.seconds);
        let mut reasons = trained.fate.reasons();
        let shortfalls = trained.shortfalls();
        // That the champion is better is no shortfall, nor that a person is to decide.
        let is_awaited = job.promotion == Promotion::Manual;
        let is_short = !shortfalls.is_empty() || matches!(trained.fate, Fate::HeldBack(_)) && !is_awaited;
        reasons.extend(shortfalls);
        let files = trained.source.as_ref().map(|source| self.source(source));
        let detail = json!({
            "model_version": trained.manifest.version,
            "promotion": trained.fate.as_str(),
            "judgement": trained.manifest.judgement,
            "weights_sha256": trained.manifest.weights_sha256,
            "fits": trained.fits.iter().map(fit).collect::<Vec<_>>(),
            "source": trained.source.as_ref().map(source),
            "seconds": seconds(&trained.seconds),
        });
        (ending(is_short, reasons, detail), files)
    }

    fn forecasted(&self, job: &JobSpec, done: &Forecasted) -> (Ending, Option<Files>) {
        if done.was_there {
            let detail = json!({ "rows": done.run.rows, "bytes": done.run.bytes });
            let mut reasons = vec!["published by an earlier attempt".to_owned()];
            reasons.extend(done.shortfalls.iter().cloned());
            return (ending(!done.shortfalls.is_empty(), reasons, detail), None);
        }
        self.steps(job, Stage::Forecast, &done.seconds);
        self.metrics.published(done.run.rows);
        let seconds_of = |instant: i64| instant as f64 / 1e6;
        let figures = JobFigures {
            issued_at_s: Some(seconds_of(done.issued_at)),
            observed_at_s: done.latest.map(seconds_of),
            series: &done.statuses,
            quarantined: done.source.as_ref().map_or(0, |source| source.report.quarantined.len()),
        };
        self.metrics.job(&job.name, &figures);
        let files = done.source.as_ref().map(|source| self.source(source));
        let statuses: Map<String, Value> =
            done.statuses.iter().map(|(status, count)| (status.as_str().into(), json!(count))).collect();
        let detail = json!({
            "model_version": done.version,
            "rows": done.run.rows,
            "bytes": done.run.bytes,
            "sha256": done.run.sha256,
            "corrected": done.is_corrected,
            "remembered": done.is_remembered,
            "scenarios": done.scenarios.iter().map(scenario).collect::<Vec<_>>(),
            "statuses": statuses,
            "shadow": done.shadow.as_ref().map(shadowed),
            "trained_version": done.trained.as_ref().map(|trained| trained.manifest.version),
            "source": done.source.as_ref().map(source),
            "seconds": seconds(&done.seconds),
        });
        (ending(!done.shortfalls.is_empty(), done.shortfalls.clone(), detail), files)
    }

    fn scored(&self, job: &JobSpec, scored: &Scored) -> (Ending, Option<Files>) {
        self.steps(job, Stage::Score, &scored.seconds);
        let files = Some(self.source(&scored.source));
        let Some(score) = &scored.score else {
            let mut reasons = vec!["no published forecast has come true yet".into()];
            reasons.extend(scored.shortfalls.iter().cloned());
            return (ending(!scored.shortfalls.is_empty(), reasons, Value::Null), files);
        };
        let (mase, naive) = (Some(score.mase), Some(score.mase_seasonal_naive));
        self.metrics.score(&job.name, mase, naive, Some(score.bias), &score.coverage);
        let coverage: Map<String, Value> =
            score.coverage.iter().map(|(level, share)| (level.to_string(), json!(share))).collect();
        let retrain: Vec<Value> = scored
            .retrain
            .iter()
            .map(|(reason, text)| json!({ "reason": Trigger::from(*reason).as_str(), "why": text }))
            .collect();
        let detail = json!({
            "runs": scored.runs,
            "compared": scored.compared,
            "rows": score.rows,
            "mase": score.mase,
            "mase_seasonal_naive": score.mase_seasonal_naive,
            "bias": score.bias,
            "wape": score.wape,
            "pinball": score.pinball,
            "coverage": coverage,
            "anomalies": scored.anomalies,
            "retrain": retrain,
            "shadow": scored.shadow.as_ref().map(|duel| dueled(duel, job.shadow_runs)),
            "seconds": seconds(&scored.seconds),
        });
        let mut reasons = scored.shortfalls.clone();
        if let Some((duel, fate)) = scored.shadow.as_ref().and_then(|duel| Some((duel, duel.fate.as_ref()?)))
        {
            self.metrics.promotion(fate.as_str());
            reasons.push(format!("version {} ran in shadow: {}", duel.version, fate.as_str()));
            reasons.extend(fate.reasons());
        }
        (ending(!scored.shortfalls.is_empty(), reasons, detail), files)
    }

    /// Counts what was read; returns the files for the ledger.
    fn source(&self, source: &SourceRead) -> Files {
        if source.bytes_read > 0 {
            let report = &source.report;
            self.metrics.ingest(report.rows, source.bytes_read, &[("unusable", report.skipped_files.len())]);
        }
        source.stamps.files.iter().filter_map(in_words).collect()
    }

    fn steps(&self, job: &JobSpec, stage: Stage, laps: &[(&'static str, f64)]) {
        for (step, seconds) in laps {
            self.metrics.step_seconds(&job.name, stage, step, *seconds);
        }
    }
}

/// Files as (path, stamp).
type Files = Vec<(String, String)>;

/// Brings here what another daemon has made in a slot; what cannot be had now comes with the next slot.
pub(super) fn catch_up(job: &JobSpec, stage: Stage, registry: &Registry) {
    let outcome = match stage {
        Stage::Train => {
            registry.refresh_or_warn(&job.name);
            return;
        }
        Stage::Forecast => publish::pull(&job.sink, &job.name),
        Stage::Score => publish::sync_files(&job.sink, &job.name),
    };
    if let Err(error) = outcome {
        tracing::warn!(job = job.name, stage = stage.as_str(), %error, "what another daemon has made cannot be had yet");
    }
}

/// Looks for new or changed source files.
pub fn probe() -> Arc<Probe> {
    Arc::new(|job, seen| {
        ingest::stamp(&job.source, &stamps(seen)).is_ok_and(|stamps| stamps.has_new_content())
    })
}

/// Looks at the files of sources for the other daemons that share their jobs.
pub fn stamp() -> Arc<Stamp> {
    Arc::new(|job, seen| {
        let looked = ingest::stamp(&job.source, &stamps(seen)).ok()?;
        Some(looked.files.iter().filter_map(in_words).collect())
    })
}

/// A file as (path, stamp).
fn in_words(file: &FileStamp) -> Option<(String, String)> {
    serde_json::to_string(file).map(|text| (file.path.clone(), text)).ok()
}

/// The stamps that the ledger has; one that cannot be read counts as never seen.
fn stamps(seen: &[SeenFile]) -> Vec<FileStamp> {
    seen.iter().filter_map(|file| serde_json::from_str(&file.stamp).ok()).collect()
}

fn ending(is_short: bool, reasons: Vec<String>, detail: Value) -> Ending {
    let outcome = if is_short { Outcome::Degraded } else { Outcome::Ok };
    Ending { outcome, reasons, detail }
}

fn log(progress: Progress) {
    tracing::debug!(step = progress.stage, done = progress.done, total = progress.total, "progress");
}

fn scenario(scenario: &ScenarioReport) -> Value {
    json!({ "name": scenario.name, "changes": scenario.changes, "change_of_mean": scenario.change() })
}

fn shadowed(shadow: &Shadowed) -> Value {
    let run = shadow.run.as_ref();
    json!({
        "model_version": shadow.version,
        "rows": run.ok().map(|run| run.rows),
        "sha256": run.ok().map(|run| &run.sha256),
        "error": run.err(),
    })
}

fn dueled(duel: &Duel, wanted: usize) -> Value {
    let figures = |score: &Score| {
        let coverage: Map<String, Value> =
            score.coverage.iter().map(|(level, share)| (level.to_string(), json!(share))).collect();
        json!({ "rows": score.rows, "mase": score.mase, "pinball": score.pinball, "coverage": coverage })
    };
    json!({
        "model_version": duel.version,
        "champion_version": duel.champion,
        "runs": duel.runs,
        "runs_wanted": wanted,
        "score": duel.scores.as_ref().map(|(own, _)| figures(own)),
        "champion_score": duel.scores.as_ref().map(|(_, served)| figures(served)),
        "promotion": duel.fate.as_ref().map(Fate::as_str),
    })
}

fn seconds(laps: &[(&'static str, f64)]) -> Value {
    let round = |seconds: f64| (seconds * 1e4).round() / 1e4;
    let map: Map<String, Value> =
        laps.iter().map(|(step, seconds)| ((*step).into(), json!(round(*seconds)))).collect();
    Value::Object(map)
}

fn source(source: &SourceRead) -> Value {
    let report = &source.report;
    let quarantined: Vec<Value> = report
        .quarantined
        .iter()
        .take(NAMED)
        .map(|(id, reasons)| json!({ "unique_id": id, "reasons": reasons }))
        .collect();
    let revisions: Vec<Value> = source
        .stamps
        .changes
        .iter()
        .take(NAMED)
        .map(|change| json!({ "path": change.path, "kind": change.kind.as_str() }))
        .collect();
    json!({
        "files": report.files.len(),
        "command": report.command,
        "rows": report.rows,
        "series": report.series,
        "bytes_read": source.bytes_read,
        "fingerprint": report.fingerprint,
        "quarantined_count": report.quarantined.len(),
        "quarantined": quarantined,
        "skipped_files": report.skipped_files.iter().take(NAMED).collect::<Vec<_>>(),
        "revisions": revisions,
        "last_ds": report.span.map(|(_, last)| shown(last)),
        "notes": report.notes.iter().take(NAMED).collect::<Vec<_>>(),
    })
}

fn fit(fit: &FitReport) -> Value {
    json!({
        "frequency": fit.frequency,
        "series": fit.series,
        "model_id": fit.model_id,
        "season_length": fit.season_length,
        "steps": fit.steps,
        "steps_tried": fit.steps_tried,
        "warm_networks": fit.warm,
        "validation_error": fit.validation_error,
        "mase": fit.holdout.as_ref().map(|score| score.mase),
        "mase_seasonal_naive": fit.holdout.as_ref().map(|score| score.mase_seasonal_naive),
        "notes": fit.notes,
    })
}
