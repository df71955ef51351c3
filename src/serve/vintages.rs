//! What the newest runs of a job said about one series, beside each other.

use crate::publish::{self, Interval, PublishError, Vintage};
use crate::serve::problem::Problem;
use crate::serve::read::{Answer, within};
use crate::serve::wire::millis;
use crate::serve::{App, blocking};
use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use rayon::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

/// Runs of an answer where nothing is asked for, and at most.
const RUNS: usize = 20;
const RUNS_MAX: usize = 200;

/// Which vintages.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VintagesQuery {
    unique_id: String,
    runs: Option<usize>,
}

/// The plain forecasts of a series by the newest runs of a job, newest first.
pub(super) async fn vintages(
    State(app): State<App>,
    name: Result<Path<String>, PathRejection>,
    query: Result<Query<VintagesQuery>, QueryRejection>,
) -> Answer {
    let (Path(name), Query(query)) = (name?, query?);
    let job = app.job(&name)?;
    let runs = within("runs", query.runs.unwrap_or(RUNS), RUNS_MAX)?;
    let (id, levels) = (query.unique_id, job.plan.0.job.model.levels().to_vec());
    let read = move || {
        let commits = publish::newest_runs(&job.sink, &job.name, runs)?;
        let found: Vec<Option<Vintage>> = commits
            .par_iter()
            .map(|commit| publish::read_vintage(commit, &id, &levels))
            .collect::<Result<_, PublishError>>()?;
        let found: Vec<Value> = found.iter().flatten().map(document).collect();
        Ok((commits.len(), json!({ "job": job.name, "unique_id": id, "levels": levels, "vintages": found })))
    };
    let (runs, answer) = blocking(read).await?.map_err(|error: PublishError| Problem::internal(error))?;
    match answer["vintages"].as_array().is_some_and(|found| !found.is_empty()) {
        true => Ok(Json(answer)),
        false if runs == 0 => Err(Problem::not_found("the job has published nothing yet")),
        false => Err(Problem::not_found(format!(
            "none of the newest {runs} runs of job '{name}' has series {}",
            answer["unique_id"]
        ))),
    }
}

fn document(vintage: &Vintage) -> Value {
    let interval = |one: &Interval| json!({ "level": one.level, "lower": one.lower, "upper": one.upper });
    json!({
        "run_id": vintage.run_id,
        "issued_at_ms": millis(vintage.issued_at),
        "cutoff_ms": vintage.cutoff.map(millis),
        "model_id": vintage.model_id,
        "model_version": vintage.model_version,
        "status": vintage.status,
        "ds": vintage.ds.iter().copied().map(millis).collect::<Vec<_>>(),
        "yhat": vintage.yhat,
        "intervals": vintage.intervals.iter().map(interval).collect::<Vec<_>>(),
    })
}
