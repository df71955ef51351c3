//! What changes something: all of it needs the token, and all of it but the registry goes through the loop.

use crate::registry::{Promotion, RegistryError};
use crate::schedule::command::{Command, Reply, Request};
use crate::schedule::metrics::Metrics;
use crate::schedule::spec::Stage;
use crate::serve::problem::Problem;
use crate::serve::{App, blocking};
use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::oneshot;

type Answer = Result<(StatusCode, Json<Value>), Problem>;

async fn ask(app: &App, command: Command) -> Answer {
    let (reply, answer) = oneshot::channel();
    let gone = || Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the daemon is shutting down");
    app.requests.send(Request { command, reply }).await.map_err(|_| gone())?;
    match answer.await.map_err(|_| gone())? {
        Reply::Planned { id, run_id } => {
            Ok((StatusCode::ACCEPTED, Json(json!({ "id": id, "run_id": run_id }))))
        }
        Reply::Reloaded => Ok((StatusCode::OK, Json(json!({ "reloaded": true })))),
        Reply::NotFound(detail) => Err(Problem::not_found(detail)),
        Reply::Refused(detail) => Err(Problem::new(StatusCode::CONFLICT, detail)),
    }
}

/// Which slot to plan.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RunBody {
    stage: String,
    slot: Option<String>,
}

/// Plans a slot.
pub(super) async fn run(
    State(app): State<App>,
    job: Result<Path<String>, PathRejection>,
    body: Result<Json<RunBody>, JsonRejection>,
) -> Answer {
    let (Path(job), Json(body)) = (job?, body?);
    let unknown = || Problem::bad(format!("unknown stage '{}'; choose train, forecast or score", body.stage));
    let stage = Stage::from_name(&body.stage).ok_or_else(unknown)?;
    let instant = |text: &String| {
        let stamp = text.parse::<jiff::Timestamp>().map(jiff::Timestamp::as_microsecond);
        stamp.map_err(|_| {
            Problem::bad(format!("'{text}' is not a time; write for example 2024-03-31T12:00:00Z"))
        })
    };
    let slot = body.slot.as_ref().map(instant).transpose()?;
    ask(&app, Command::Run { job, stage, slot }).await
}

/// Works an ended slot again.
pub(super) async fn retry(State(app): State<App>, id: Result<Path<i64>, PathRejection>) -> Answer {
    let Path(id) = id?;
    ask(&app, Command::Retry { id }).await
}

/// Reads the config again.
pub(super) async fn reload(State(app): State<App>) -> Answer {
    ask(&app, Command::Reload).await
}

/// Which version is to serve.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PromoteBody {
    /// A whole number; JSON writes it as 3 or as 3.0.
    version: f64,
}

/// Lets a version serve.
pub(super) async fn promote(
    State(app): State<App>,
    job: Result<Path<String>, PathRejection>,
    body: Result<Json<PromoteBody>, JsonRejection>,
) -> Answer {
    let (Path(job), Json(body)) = (job?, body?);
    let at = (app.now)();
    if body.version.fract() != 0.0 || !(0.0..=f64::from(u32::MAX)).contains(&body.version) {
        return Err(Problem::bad(format!("{} is no number of a version", body.version)));
    }
    let (version, metrics) = (body.version as u32, app.metrics.clone());
    let result = blocking(move || app.registry.promote(&job, version, at, "asked for over HTTP")).await?;
    promoted(&metrics, result)
}

/// Lets the version serve that served before.
pub(super) async fn rollback(State(app): State<App>, job: Result<Path<String>, PathRejection>) -> Answer {
    let Path(job) = job?;
    let at = (app.now)();
    let metrics = app.metrics.clone();
    promoted(&metrics, blocking(move || app.registry.rollback(&job, at)).await?)
}

fn promoted(metrics: &Metrics, result: Result<Promotion, RegistryError>) -> Answer {
    match result {
        Ok(promotion) => {
            metrics.promotion("asked_for");
            let body = json!({
                "job": promotion.job,
                "version": promotion.version,
                "previous": promotion.previous,
            });
            Ok((StatusCode::OK, Json(body)))
        }
        Err(error @ (RegistryError::UnknownJob { .. } | RegistryError::UnknownVersion { .. })) => {
            Err(Problem::not_found(error.to_string()))
        }
        Err(error @ RegistryError::JobName(_)) => Err(Problem::bad(error.to_string())),
        Err(
            error @ (RegistryError::Pinned { .. }
            | RegistryError::NothingBefore(_)
            | RegistryError::Serves { .. }),
        ) => Err(Problem::new(StatusCode::CONFLICT, error.to_string())),
        Err(RegistryError::Untrusted { reason, .. }) => {
            Err(Problem::new(StatusCode::CONFLICT, format!("the version is not used: {reason}")))
        }
        Err(RegistryError::Store(error)) => {
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()))
        }
        Err(error) => Err(Problem::internal(error)),
    }
}
