//! The daemon's address: health, metrics, JSON and Arrow over HTTP, and the dashboard that shows them.
//!
//! Reading needs nothing but the address, or the token where others can reach it; whatever changes something needs the token,
//! and goes through the scheduler's loop or the registry's lock.

mod access;
mod assets;
mod backtests;
mod catalogue;
mod host;
mod journal;
mod limits;
mod listen;
mod memo;
mod models;
mod overview;
mod paced;
mod problem;
mod read;
mod series;
mod spec;
mod tls;
mod vintages;
mod wire;
mod write;

pub use access::Access;
pub use journal::{Journal, Line};
pub use limits::Limits;
pub use listen::run;
pub use spec::{RawServe, Reads, ServeError, ServeSpec, Token, is_host};
pub use tls::{Tls, TlsError, TlsFile, TlsFiles};
pub use wire::{jobs as jobs_document, run as run_document};

use crate::pipeline::Sources;
use crate::publish::ScoreRow;
use crate::registry::Registry;
use crate::schedule::command::Request;
use crate::schedule::metrics::Metrics;
use crate::schedule::status::{JobStatus, Shared};
use axum::Router;
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::{from_fn_with_state, map_response_with_state};
use axum::routing::{get, post};
use catalogue::Catalogue;
use memo::Memo;
use problem::Problem;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::mpsc;

/// What the handlers work with.
#[derive(Clone)]
pub struct App {
    /// What the loop is doing.
    pub status: Shared,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The way into the loop.
    pub requests: mpsc::Sender<Request>,
    /// State directory, for the ledger.
    pub state: PathBuf,
    /// The models.
    pub registry: Registry,
    /// Who may ask for what, and how often.
    pub access: Arc<Access>,
    /// The daemon's clock, microseconds UTC.
    pub now: Arc<dyn Fn() -> i64 + Send + Sync>,
    /// What the stages of the jobs have read.
    pub sources: Sources,
    /// The last lines of the log.
    pub journal: Journal,
    /// What was read of files that are asked for again and again.
    pub held: Held,
}

/// What was read of files that are asked for again and again; a clone has the same.
#[derive(Clone, Default)]
pub struct Held {
    /// The newest run of each job.
    runs: Arc<Memo<Catalogue>>,
    /// The newest scored runs, by table.
    scores: Arc<Memo<Vec<ScoreRow>>>,
    /// Backtests, by file.
    digests: Arc<Memo<backtests::Read>>,
}

impl App {
    /// The job of that name.
    fn job(&self, name: &str) -> Result<JobStatus, Problem> {
        let job = self.status.get().jobs.into_iter().find(|job| job.name == name);
        job.ok_or_else(|| Problem::not_found(format!("there is no job '{name}'")))
    }
}

/// All routes.
pub fn router(app: App) -> Router {
    let writes = Router::new()
        .route("/api/v1/jobs/{job}/run", post(write::run))
        .route("/api/v1/runs/{number}/retry", post(write::retry))
        .route("/api/v1/models/{job}/promote", post(write::promote))
        .route("/api/v1/models/{job}/rollback", post(write::rollback))
        .route("/api/v1/reload", post(write::reload))
        .route_layer(from_fn_with_state(app.clone(), limits::whole))
        .route_layer(from_fn_with_state(app.clone(), access::writes));
    Router::new()
        .route("/", get(assets::page))
        .route("/assets/{file}", get(assets::asset))
        .route("/healthz", get(read::health))
        .route("/readyz", get(read::ready))
        .route("/metrics", get(read::metrics))
        .route("/version", get(read::version))
        .route("/openapi.json", get(read::openapi))
        .route("/api/v1/jobs", get(read::jobs))
        .route("/api/v1/jobs/{job}", get(read::job))
        .route("/api/v1/runs", get(read::runs))
        .route("/api/v1/runs/{number}", get(read::run))
        .route("/api/v1/runs/{number}/log", get(read::log))
        .route("/api/v1/models", get(models::models))
        .route("/api/v1/models/{job}", get(models::of_job))
        .route("/api/v1/models/{job}/{version}", get(models::model))
        .route("/api/v1/overview", get(overview::overview))
        .route("/api/v1/series/{job}", get(series::series))
        .route("/api/v1/history/{job}", get(series::history))
        .route("/api/v1/vintages/{job}", get(vintages::vintages))
        .route("/api/v1/backtests/{job}", get(backtests::backtests))
        .route("/api/v1/forecasts/{job}", get(read::forecasts))
        .route("/api/v1/scores/{job}", get(read::scores))
        .route("/api/v1/anomalies/{job}", get(read::anomalies))
        .merge(writes)
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(app.clone(), limits::patient))
        .layer(from_fn_with_state(app.clone(), access::reads))
        .layer(from_fn_with_state(app.clone(), host::known))
        .layer(from_fn_with_state(app.clone(), limits::short))
        .layer(from_fn_with_state(app.clone(), access::seldom))
        .layer(map_response_with_state(app.clone(), access::guarded))
        .with_state(app)
}

async fn unknown(uri: Uri) -> Problem {
    Problem::not_found(format!("there is nothing at {}", uri.path()))
}

async fn wrong_method(method: Method, uri: Uri) -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, format!("{} does not take {method}", uri.path()))
}

/// Runs work that blocks where it may.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.map_err(Problem::internal)
}

#[cfg(test)]
mod tests {
    /// Every route is described, and nothing else is.
    #[test]
    fn the_description_has_the_routes_of_the_router() {
        let routes: Vec<&str> = include_str!("mod.rs")
            .split(".route(\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .collect();
        let text = include_str!("openapi.json");
        let document: serde_json::Value = serde_json::from_str(text).expect("JSON");
        let mut described: Vec<&String> = document["paths"].as_object().expect("paths").keys().collect();
        described.sort();
        let mut routes: Vec<String> =
            routes.into_iter().filter(|route| route.starts_with('/')).map(String::from).collect();
        routes.sort();
        assert_eq!(routes.iter().collect::<Vec<_>>(), described);
    }
}
