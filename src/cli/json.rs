//! The JSON documents of `--json`. Keys are stable: they are added to, never renamed.

use crate::cli::clock::shown;
use crate::cli::models::Standing;
use crate::ingest::{Ingested, Layout};
use crate::model::report::{FitReport, HoldoutScore};
use crate::model::spec::ModelSpec;
use crate::pipeline::memory_plan::MemoryReport;
use crate::pipeline::{CovariateReport, JobReport, LoadReport, ScenarioReport, SourceReport};
use crate::publish::SCHEMA_VERSION;
use crate::registry::{Event, Manifest, Version};
use crate::series::{Known, Quality, Verdict};
use crate::store::Place;
use serde_json::{Map, Value, json};

/// What a job did.
pub(super) fn job(report: &JobReport) -> Value {
    let seconds: Map<String, Value> =
        report.seconds.iter().map(|(stage, seconds)| ((*stage).into(), json!(seconds))).collect();
    let statuses: Map<String, Value> =
        report.statuses.iter().map(|(status, count)| (status.as_str().into(), json!(count))).collect();
    let mut settings = model(&report.model);
    if report.loaded.is_some() {
        // How hard it was trained, its file does not say.
        settings["preset"] = Value::Null;
    }
    json!({
        "run_id": report.moment.run_id,
        "issued_at": shown(report.moment.issued_at),
        "created_at": shown(report.moment.created_at),
        "source": source(&report.source),
        "model": settings,
        "fits": report.fits.iter().map(fit).collect::<Vec<_>>(),
        "loaded_model": report.loaded.as_ref().map(loaded),
        "statuses": statuses,
        "scenarios": report.scenarios.iter().map(scenario).collect::<Vec<_>>(),
        "output": {
            "path": report.published.path.to_string(),
            "rows": report.published.rows,
            "bytes": report.published.bytes,
            "schema_version": SCHEMA_VERSION,
        },
        "shard": report.delivered.as_ref().map(|delivered| json!({
            "shard": delivered.shard.to_string(),
            "folder": delivered.folder.to_string(),
            "committed": report.missing_shards().is_empty(),
            "missing": report.missing_shards(),
        })),
        "saved_model": report.saved_model.as_ref().map(Place::to_string),
        "quality": report.quality.as_ref().map(Place::to_string),
        "memory": memory(&report.memory),
        "seconds": seconds,
        "weights_sha256": report.weights_sha256,
        "config_sha256": report.config_sha256,
        "degraded": report.degradations(),
    })
}

/// What memory a job was to take, and took.
pub(super) fn memory(memory: &MemoryReport) -> Value {
    json!({
        "planned_bytes": memory.planned_bytes,
        "peak_bytes": memory.peak_bytes,
        "limit_bytes": memory.limit_bytes,
        "chunks": memory.chunks,
    })
}

/// What came of a scenario; means are those of the point forecasts over all series and steps.
fn scenario(scenario: &ScenarioReport) -> Value {
    json!({
        "name": scenario.name,
        "changes": scenario.changes,
        "mean": scenario.mean,
        "plain_mean": scenario.plain_mean,
        "change_of_mean": scenario.change(),
    })
}

/// Where a model was loaded from, and what it forecasts at which rate.
fn loaded(loaded: &LoadReport) -> Value {
    let rates = loaded.matches.iter().map(|(found, rows)| {
        json!({
            "freq": found.data.to_string(),
            "model_freq": found.model.to_string(),
            "sampling_scale": found.rate.scale(),
            "horizon": rows,
        })
    });
    json!({
        "path": loaded.path.to_string(),
        "job": loaded.version.as_ref().map(|(job, _)| job),
        "version": loaded.version.as_ref().map(|(_, version)| version),
        "rates": rates.collect::<Vec<_>>(),
    })
}

/// What was found in a source.
pub(super) fn source(source: &SourceReport) -> Value {
    let quarantined: Vec<Value> = source
        .quarantined
        .iter()
        .map(|(id, reasons)| json!({ "unique_id": id, "reasons": reasons }))
        .collect();
    json!({
        "files": source.files,
        "command": source.command,
        "skipped_files": source.skipped_files,
        "rows": source.rows,
        "series": source.series,
        "quarantined": quarantined,
        "notes": source.notes,
        "layout": match source.layout {
            Layout::Long => "long",
            Layout::Wide => "wide",
        },
        "roles": { "id": source.roles.id, "time": source.roles.time, "targets": source.roles.targets },
        "covariates": source.covariates.iter().map(covariate).collect::<Vec<_>>(),
        "first_ds": source.span.map(|(first, _)| shown(first)),
        "last_ds": source.span.map(|(_, last)| shown(last)),
        "fingerprint": source.fingerprint,
    })
}

fn covariate(covariate: &CovariateReport) -> Value {
    json!({
        "column": covariate.name,
        "known": match covariate.known {
            Known::Past => "past",
            Known::Future => "future",
            Known::Static => "static",
        },
        "values": if covariate.names.is_some() { "category" } else { "number" },
        "names": covariate.names,
        "missing": covariate.missing,
        "steps_ahead": (covariate.known == Known::Future).then_some([covariate.ahead.0, covariate.ahead.1]),
    })
}

fn model(spec: &ModelSpec) -> Value {
    json!({
        "kind": spec.kind().as_str(),
        "horizon": spec.horizon(),
        "levels": spec.levels(),
        "quantile_levels": spec.quantile_levels(),
        "season_length": spec.season_length(),
        "seed": spec.seed(),
        "budget_seconds": spec.budget().map(|budget| budget.as_secs_f64()),
        "preset": spec.preset().as_str(),
        "point": spec.point().as_str(),
        "min": spec.bounds().min,
        "max": spec.bounds().max,
        "integer": spec.bounds().is_integer,
    })
}

pub(super) fn fit(fit: &FitReport) -> Value {
    json!({
        "freq": fit.frequency,
        "series": fit.series,
        "season_length": fit.season_length,
        "model_id": fit.model_id,
        "lookbacks": fit.lookbacks,
        "log_space": fit.log_space,
        "parameters": fit.parameters,
        "steps": fit.steps,
        "steps_tried": fit.steps_tried,
        "gate": fit.gate,
        "weights": fit.weights.iter().map(|(name, weight)| ((*name).into(), json!(weight))).collect::<Map<_, _>>(),
        "validation_error": fit.validation_error,
        "interval_scores": fit.interval_scores,
        "fallbacks": fit.fallbacks,
        "notes": fit.notes,
        "budget_exhausted": fit.budget_exhausted,
        "holdout": fit.holdout.as_ref().map(holdout),
    })
}

fn holdout(score: &HoldoutScore) -> Value {
    let coverage: Map<String, Value> =
        score.coverage.iter().map(|(level, share)| (level.to_string(), json!(share))).collect();
    json!({
        "series": score.series,
        "horizon": score.horizon,
        "mase": score.mase,
        "mase_seasonal_naive": score.mase_seasonal_naive,
        "origins": score.origins,
        "smape": score.smape,
        "smape_seasonal_naive": score.smape_seasonal_naive,
        "coverage": coverage,
    })
}

/// What `data check` found: the keys of a source, and the quality of every series.
pub(super) fn check(ingested: &Ingested, accepted: bool) -> Value {
    let mut document = source(&SourceReport::of(ingested));
    document["verdict"] = json!(if accepted { "ok" } else { "rejected" });
    document["quality"] = ingested.quality.iter().map(quality).collect();
    document
}

fn quality(quality: &Quality) -> Value {
    let (verdict, reasons): (_, &[String]) = match &quality.verdict {
        Verdict::Ok => ("ok", &[]),
        Verdict::Fallback(reasons) => ("fallback", reasons),
        Verdict::Quarantined(reasons) => ("quarantined", reasons),
    };
    json!({
        "unique_id": quality.unique_id,
        "verdict": verdict,
        "reasons": reasons,
        "warnings": quality.warnings,
        "rows": quality.rows,
        "missing": quality.missing,
        "gaps": quality.gaps,
        "longest_gap": quality.longest_gap,
        "flat_run": quality.flat_run,
        "filled": quality.filled,
        "spikes": quality.spikes,
        "level_shift": quality.level_shift,
        "first_ds": quality.first_ds.map(shown),
        "last_ds": quality.last_ds.map(shown),
        "freq": quality.frequency.map(|frequency| frequency.to_string()),
    })
}

/// One line of the list of models: a broken version has a reason instead of figures.
pub(super) fn version(version: &Version) -> Value {
    let mut line = json!({
        "job": version.job,
        "version": version.version,
        "serves": version.is_champion,
        "pinned": version.is_pinned,
        "shadow": version.is_shadow,
        "signed_by": version.signed_by.map(|key| key.to_string()),
        "signature_problem": version.signature_problem,
        "broken": version.manifest.as_ref().err().map(ToString::to_string),
    });
    if let (Ok(manifest), Some(line)) = (&version.manifest, line.as_object_mut()) {
        line.insert("created_at".into(), json!(shown(manifest.created_at)));
        line.insert("cutoff".into(), json!(shown(manifest.cutoff)));
        line.insert("run_id".into(), json!(manifest.run_id));
        line.insert("horizon".into(), json!(manifest.horizon));
        line.insert("series".into(), json!(manifest.series));
        line.insert("fits".into(), json!(manifest.fits));
        line.insert("weights_sha256".into(), json!(manifest.weights_sha256));
    }
    line
}

/// All that is known of a version: its manifest with instants as text, whether it serves, and what served when.
pub(super) fn model_version(manifest: &Manifest, history: &[Event], standing: &Standing) -> Value {
    let mut document = json!(manifest);
    for (key, instant) in
        [("slot", manifest.slot), ("created_at", manifest.created_at), ("cutoff", manifest.cutoff)]
    {
        document[key] = json!(shown(instant));
    }
    document["serves"] = json!(standing.serves);
    document["pinned"] = json!(standing.is_pinned);
    document["shadow"] = json!(standing.is_shadow);
    document["signed_by"] = json!(standing.signed_by.map(|key| key.to_string()));
    document["signature_problem"] = json!(standing.signature_problem);
    let event = |event: &Event| {
        json!({
            "version": event.version,
            "at": shown(event.at),
            "rollback": event.is_rollback,
            "reason": event.reason,
        })
    };
    document["history"] = history.iter().map(event).collect();
    document
}
