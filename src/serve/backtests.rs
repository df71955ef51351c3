//! The backtests that stand beside the runs of a job.

use crate::evaluation::score::Scores;
use crate::pipeline::{self, Digest};
use crate::publish;
use crate::serve::memo::{Memo, stamp};
use crate::serve::problem::Problem;
use crate::serve::read::Answer;
use crate::serve::wire::{self, millis};
use crate::serve::{App, blocking};
use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use serde_json::{Map, Value, json};
use std::path::Path as FilePath;
use std::time::SystemTime;

/// Files of an answer, the newest ones.
const FILES_MAX: usize = 50;

/// A digest, or why there is none.
pub(super) type Read = Result<Digest, String>;

/// The backtests of a job in figures, the newest file first.
pub(super) async fn backtests(State(app): State<App>, name: Result<Path<String>, PathRejection>) -> Answer {
    let Path(name) = name?;
    let job = app.job(&name)?;
    let read = move || {
        let files = publish::backtest_files(&job.sink, &job.name)?;
        let files =
            files.iter().take(FILES_MAX).map(|(path, modified)| file(&app.held.digests, path, *modified));
        Ok(json!({ "job": job.name, "files": files.collect::<Vec<_>>() }))
    };
    blocking(read).await?.map(Json).map_err(|error: publish::PublishError| Problem::internal(error))
}

fn file(memo: &Memo<Read>, path: &FilePath, modified: SystemTime) -> Value {
    let read = || Ok::<Read, ()>(pipeline::digest(path).map_err(|error| reason(&error)));
    let digest = memo.get(&path.display().to_string(), &stamp(path), read);
    let mut answer = json!({
        "file": path.file_name().unwrap_or_default().to_string_lossy(),
        "modified": jiff::Timestamp::try_from(modified).map(|at| at.to_string()).ok(),
    });
    let more = match digest.as_deref() {
        Ok(Ok(digest)) => figures(digest),
        Ok(Err(reason)) => json!({ "error": reason }),
        Err(()) => Value::Null,
    };
    if let (Some(answer), Value::Object(more)) = (answer.as_object_mut(), more) {
        answer.extend(more);
    }
    answer
}

/// What is wrong with a file, without where it lies.
fn reason(error: &publish::PublishError) -> String {
    match error {
        publish::PublishError::Read { reason, .. } => reason.clone(),
        other => other.to_string(),
    }
}

fn figures(digest: &Digest) -> Value {
    let loss = digest.loss.as_str();
    let by_model = |values: &[(String, Option<f64>)]| -> Map<String, Value> {
        values.iter().map(|(model, value)| (model.clone(), json!(value))).collect()
    };
    let cutoffs = digest.cutoffs.iter();
    let cutoffs =
        cutoffs.map(|(cutoff, values)| json!({ "cutoff_ms": millis(*cutoff), loss: by_model(values) }));
    let steps = digest.steps.iter();
    let steps = steps.map(|(step, values)| json!({ "step": step, loss: by_model(values) }));
    json!({
        "rows": digest.rows,
        "series": digest.series,
        "windows": digest.windows,
        "horizon": digest.horizon,
        "loss": loss,
        "models": digest.models.iter().map(|(model, scores)| figures_of(model, scores)).collect::<Vec<_>>(),
        "cutoffs": cutoffs.collect::<Vec<_>>(),
        "steps": steps.collect::<Vec<_>>(),
    })
}

fn figures_of(model: &str, scores: &Scores) -> Value {
    json!({
        "model": model,
        "mase": scores.mase,
        "rmsse": scores.rmsse,
        "smape": scores.smape,
        "wape": scores.wape,
        "wql": scores.wql,
        "mae": scores.mae,
        "coverage": wire::coverage(scores.coverage.iter().copied()),
        "skill": scores.skill,
    })
}
