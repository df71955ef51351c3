//! Versions of models, and what was decided about them.

use crate::publish;
use crate::registry::Event;
use crate::serve::problem::Problem;
use crate::serve::read::Answer;
use crate::serve::{App, blocking, wire};
use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use serde_json::{Value, json};

/// Refuses what no job is called, before it becomes a part of a path or of the log.
fn could_be(job: &str) -> Result<(), Problem> {
    match publish::is_name(job) {
        true => Ok(()),
        false => Err(Problem::not_found(format!("there is no job {job:?}"))),
    }
}

/// Which models.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ModelsQuery {
    job: Option<String>,
}

/// Versions of models.
pub(super) async fn models(
    State(app): State<App>,
    query: Result<Query<ModelsQuery>, QueryRejection>,
) -> Answer {
    let Query(query) = query?;
    query.job.as_deref().map_or(Ok(()), could_be)?;
    let versions = blocking(move || app.registry.versions(query.job.as_deref())).await?;
    Ok(Json(json!({ "models": versions.iter().map(wire::model).collect::<Vec<_>>() })))
}

/// The versions of a job and the decisions about them, the newest first.
pub(super) async fn of_job(State(app): State<App>, name: Result<Path<String>, PathRejection>) -> Answer {
    let Path(name) = name?;
    could_be(&name)?;
    let is_job = app.job(&name).is_ok();
    let read = move || {
        let versions = app.registry.versions(Some(&name));
        if versions.is_empty() && !is_job {
            return Err(Problem::not_found(format!("there is no job '{name}'")));
        }
        let standing = app.registry.standing(&name).map_err(Problem::internal)?;
        let mut events = events(&standing.history);
        events.reverse();
        Ok(json!({
            "job": name,
            "champion": standing.champion,
            "pinned": standing.pinned,
            "shadow": standing.shadow,
            "versions": versions.iter().rev().map(wire::model).collect::<Vec<_>>(),
            "events": events,
        }))
    };
    blocking(read).await?.map(Json)
}

/// Changes of the serving version, each with the one that served before.
fn events(history: &[Event]) -> Vec<Value> {
    let before = std::iter::once(None).chain(history.iter().map(|event| Some(event.version)));
    history.iter().zip(before).map(|(event, before)| wire::event(event, before)).collect()
}

/// One version of a model.
pub(super) async fn model(
    State(app): State<App>,
    path: Result<Path<(String, u32)>, PathRejection>,
) -> Answer {
    let Path((job, number)) = path?;
    could_be(&job)?;
    let missing = Problem::not_found(format!("job '{job}' has no version {number}"));
    let versions = blocking(move || app.registry.versions(Some(&job))).await?;
    let found = versions.iter().find(|version| version.version == number);
    found.map(|version| Json(wire::model(version))).ok_or(missing)
}
