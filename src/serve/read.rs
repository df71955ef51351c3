//! What can be looked at: nothing here changes anything.

use crate::publish::{self, Filter, PublishError, Which};
use crate::schedule::ledger::{LedgerReader, SlotQuery};
use crate::schedule::outcome::Outcome;
use crate::schedule::spec::Stage;
use crate::series::civil::shown;
use crate::serve::problem::Problem;
use crate::serve::{App, blocking, wire};
use arrow_array::RecordBatch;
use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

/// The loop counts as dead after so long without a turn, in microseconds.
const ALIVE: i64 = 30_000_000;

/// Rows of an answer where nothing is asked for, and at most.
const LIMIT: usize = 100;
const LIMIT_MAX: usize = 10_000;

/// Lines of a log where nothing is asked for.
const LOG_LINES: usize = 1_000;

/// Media type of an Arrow stream.
const ARROW: &str = "application/vnd.apache.arrow.stream";

pub(super) type Answer = Result<Json<Value>, Problem>;

/// Whether the scheduler loop turns.
pub(super) async fn health(State(app): State<App>) -> Result<&'static str, Problem> {
    match (app.now)() - app.status.get().ticked_at < ALIVE {
        true => Ok("ok\n"),
        false => {
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the scheduler loop has not turned for 30 s"))
        }
    }
}

/// Whether work is taken on.
pub(super) async fn ready(State(app): State<App>) -> Result<&'static str, Problem> {
    let status = app.status.get();
    match (status.is_ready, status.is_draining) {
        (true, false) => Ok("ready\n"),
        (_, true) => Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "draining")),
        (false, _) => Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "starting")),
    }
}

/// Everything that is counted, for Prometheus.
pub(super) async fn metrics(State(app): State<App>) -> Response {
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (kind, app.metrics.render((app.now)() as f64 / 1e6)).into_response()
}

/// The program.
pub(super) async fn version() -> Json<Value> {
    Json(json!({ "version": env!("CARGO_PKG_VERSION"), "code_sha256": crate::CODE_SHA256 }))
}

/// What can be asked, as OpenAPI 3.1.
pub(super) async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], include_str!("openapi.json")).into_response()
}

/// All jobs with their next slots.
pub(super) async fn jobs(State(app): State<App>) -> Json<Value> {
    Json(wire::jobs(&app.status.get()))
}

/// One job.
pub(super) async fn job(State(app): State<App>, name: Result<Path<String>, PathRejection>) -> Answer {
    let Path(name) = name?;
    Ok(Json(wire::job(&app.job(&name)?)))
}

/// Which runs.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RunsQuery {
    job: Option<String>,
    stage: Option<String>,
    outcome: Option<String>,
    since: Option<String>,
    until: Option<String>,
    limit: Option<usize>,
    offset: Option<u32>,
}

/// Slots of the ledger, newest first.
pub(super) async fn runs(State(app): State<App>, query: Result<Query<RunsQuery>, QueryRejection>) -> Answer {
    let Query(query) = query?;
    let word = |what: &str, name: &str| Problem::bad(format!("unknown {what} '{name}'"));
    let instant = |text: &String| {
        let stamp = text.parse::<jiff::Timestamp>();
        stamp.map(jiff::Timestamp::as_microsecond).map_err(|_| {
            Problem::bad(format!("'{text}' is not a time; write for example 2024-03-31T12:00:00Z"))
        })
    };
    let stage = |name: &String| Stage::from_name(name).ok_or_else(|| word("stage", name));
    let outcome = |name: &String| Outcome::from_name(name).ok_or_else(|| word("outcome", name));
    let wanted = SlotQuery {
        stage: query.stage.as_ref().map(stage).transpose()?,
        outcome: query.outcome.as_ref().map(outcome).transpose()?,
        since: query.since.as_ref().map(instant).transpose()?,
        until: query.until.as_ref().map(instant).transpose()?,
        job: query.job,
        limit: limit(query.limit)?,
        offset: query.offset.unwrap_or(0) as usize,
    };
    let state = app.state.clone();
    let rows = blocking(move || LedgerReader::open(&state)?.slots(&wanted)).await?;
    Ok(Json(json!({ "runs": rows.map_err(Problem::internal)?.iter().map(wire::run).collect::<Vec<_>>() })))
}

pub(super) fn limit(asked: Option<usize>) -> Result<usize, Problem> {
    within("limit", asked.unwrap_or(LIMIT), LIMIT_MAX)
}

/// A number of rows that is asked for, if an answer may have so many.
pub(super) fn within(what: &str, asked: usize, most: usize) -> Result<usize, Problem> {
    match (1..=most).contains(&asked) {
        true => Ok(asked),
        false => Err(Problem::bad(format!("{what} {asked} is not in 1..={most}"))),
    }
}

/// One slot.
pub(super) async fn run(State(app): State<App>, id: Result<Path<i64>, PathRejection>) -> Answer {
    let Path(id) = id?;
    let state = app.state.clone();
    let row = blocking(move || LedgerReader::open(&state)?.slot(id)).await?.map_err(Problem::internal)?;
    row.map(|row| Json(wire::run(&row))).ok_or_else(|| Problem::not_found(format!("there is no run {id}")))
}

/// How much of a log.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogQuery {
    limit: Option<usize>,
}

/// What a slot said, as far as this process still holds it.
pub(super) async fn log(
    State(app): State<App>,
    id: Result<Path<i64>, PathRejection>,
    query: Result<Query<LogQuery>, QueryRejection>,
) -> Answer {
    let (Path(id), Query(query)) = (id?, query?);
    let limit = limit(Some(query.limit.unwrap_or(LOG_LINES)))?;
    let state = app.state.clone();
    let row = blocking(move || LedgerReader::open(&state)?.slot(id)).await?.map_err(Problem::internal)?;
    let row = row.ok_or_else(|| Problem::not_found(format!("there is no run {id}")))?;
    let said = app.journal.of(id, &row.run_id, limit);
    // What never began has said nothing yet, or all in the line of its end.
    let is_complete = match (row.started_at, row.outcome) {
        (Some(_), _) => said.is_complete,
        (None, Some(_)) => !said.lines.is_empty(),
        (None, None) => true,
    };
    Ok(Json(json!({
        "id": id,
        "run_id": row.run_id,
        "lines": said.lines.iter().map(wire::line).collect::<Vec<_>>(),
        "complete": is_complete,
    })))
}

/// Which forecasts.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ForecastsQuery {
    unique_id: Option<String>,
    /// Name of a scenario; `*` for all rows.
    scenario: Option<String>,
    limit: Option<usize>,
    offset: Option<u32>,
}

/// Rows of the newest run of a job, as JSON or as an Arrow stream: the plain forecasts, unless a scenario is asked for.
pub(super) async fn forecasts(
    State(app): State<App>,
    name: Result<Path<String>, PathRejection>,
    query: Result<Query<ForecastsQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (Path(name), Query(query)) = (name?, query?);
    let sink = app.job(&name)?.sink;
    let filter = Filter {
        unique_ids: query.unique_id.into_iter().collect(),
        scenario: match query.scenario {
            None => Which::Plain,
            Some(all) if all == "*" => Which::All,
            Some(name) => Which::Scenario(name),
        },
        offset: query.offset.unwrap_or(0) as usize,
        limit: Some(limit(query.limit)?),
        columns: Vec::new(),
    };
    let read = move || match publish::latest(&sink, &name)? {
        Some(commit) => publish::read_run(&commit.path(), &filter).map(|rows| Some((commit.run_id, rows))),
        None => Ok(None),
    };
    let found = blocking(read).await?.map_err(Problem::internal)?;
    let (run_id, batches) = found.ok_or_else(|| Problem::not_found("the job has published nothing yet"))?;
    if wants_arrow(&headers) {
        let first = batches.first().ok_or_else(|| Problem::not_found("no row of the newest run matches"))?;
        let stream = arrow(first, &batches).map_err(Problem::internal)?;
        return Ok(([(header::CONTENT_TYPE, ARROW)], stream).into_response());
    }
    let rows = batches.iter().map(rows).collect::<Result<Vec<_>, _>>().map_err(Problem::internal)?.concat();
    Ok(Json(json!({ "run_id": run_id, "rows": rows })).into_response())
}

/// Which rows of a table beside the forecasts.
#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TableQuery {
    limit: Option<usize>,
    offset: Option<u32>,
}

/// Scores of the runs of a job, and of those of versions in shadow beside them, the newest run first.
pub(super) async fn scores(
    State(app): State<App>,
    name: Result<Path<String>, PathRejection>,
    query: Result<Query<TableQuery>, QueryRejection>,
) -> Answer {
    let (Path(name), Query(query)) = (name?, query?);
    let Json(mut answer) = table(app.clone(), name.clone(), query, "scores", scores_in).await?;
    let in_shadow = |sink: &std::path::Path, job: &str| scores_in(&publish::shadow_root(sink), job);
    let Json(mut beside) = table(app, name, query, "shadow", in_shadow).await?;
    answer["shadow"] = beside["shadow"].take();
    Ok(Json(answer))
}

/// Scores below the root of a sink, the newest run first.
fn scores_in(root: &std::path::Path, job: &str) -> Result<Vec<Value>, PublishError> {
    let mut rows = publish::read_scores(&publish::scores_path(root, job)?)?;
    rows.sort_by_key(|row| std::cmp::Reverse(row.issued_at));
    Ok(rows.iter().map(wire::score).collect())
}

/// Which anomalies.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AnomaliesQuery {
    unique_id: Option<String>,
    limit: Option<usize>,
    offset: Option<u32>,
}

/// Anomalies of a job, or of one of its series, the latest first.
pub(super) async fn anomalies(
    State(app): State<App>,
    name: Result<Path<String>, PathRejection>,
    query: Result<Query<AnomaliesQuery>, QueryRejection>,
) -> Answer {
    let (Path(name), Query(query)) = (name?, query?);
    let AnomaliesQuery { unique_id, limit, offset } = query;
    let read = move |sink: &std::path::Path, job: &str| {
        let mut rows = publish::read_anomalies(&publish::anomalies_path(sink, job)?)?;
        rows.retain(|row| row.is_anomaly && unique_id.as_ref().is_none_or(|id| *id == row.unique_id));
        rows.sort_by_key(|row| std::cmp::Reverse(row.ds));
        Ok(rows.iter().map(wire::anomaly).collect())
    };
    table(app, name, TableQuery { limit, offset }, "anomalies", read).await
}

/// Some rows of a table that stands in the sink of a job, under a key.
async fn table(
    app: App,
    name: String,
    query: TableQuery,
    key: &'static str,
    read: impl FnOnce(&std::path::Path, &str) -> Result<Vec<Value>, PublishError> + Send + 'static,
) -> Answer {
    let sink = app.job(&name)?.sink;
    let (limit, offset) = (limit(query.limit)?, query.offset.unwrap_or(0) as usize);
    let job = name.clone();
    let rows = blocking(move || read(&sink, &job)).await?.map_err(Problem::internal)?;
    let rows: Vec<Value> = rows.into_iter().skip(offset).take(limit).collect();
    Ok(Json(json!({ "job": name, key: rows })))
}

/// Whether an Arrow stream is among the types that a client accepts.
fn wants_arrow(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accepted.split(',').any(|kind| kind.split(';').next().is_some_and(|kind| kind.trim() == ARROW))
}

fn arrow(first: &RecordBatch, batches: &[RecordBatch]) -> Result<Vec<u8>, arrow_schema::ArrowError> {
    let mut writer = arrow_ipc::writer::StreamWriter::try_new(Vec::new(), &first.schema())?;
    for batch in batches {
        writer.write(batch)?;
    }
    writer.into_inner()
}

/// The rows of a batch as JSON objects.
fn rows(batch: &RecordBatch) -> Result<Vec<Value>, String> {
    let schema = batch.schema();
    let names = || schema.fields().iter().map(|field| field.name());
    let cell = |row: usize, column: usize| cell(batch.column(column).as_ref(), row);
    let object = |row: usize| {
        let cells = names().enumerate().map(|(column, name)| Ok((name.clone(), cell(row, column)?)));
        cells.collect::<Result<serde_json::Map<_, _>, String>>().map(Value::Object)
    };
    (0..batch.num_rows()).map(object).collect()
}

fn cell(column: &dyn arrow_array::Array, row: usize) -> Result<Value, String> {
    use arrow_array::cast::AsArray;
    use arrow_array::types::{Float64Type, Int32Type, TimestampMicrosecondType};
    if column.is_null(row) {
        return Ok(Value::Null);
    }
    if let Some(values) = column.as_primitive_opt::<Float64Type>() {
        return Ok(json!(values.value(row)));
    }
    if let Some(values) = column.as_primitive_opt::<Int32Type>() {
        return Ok(json!(values.value(row)));
    }
    if let Some(values) = column.as_primitive_opt::<TimestampMicrosecondType>() {
        return Ok(json!(shown(values.value(row))));
    }
    let text = column.as_string_opt::<i32>();
    text.map(|values| json!(values.value(row))).ok_or_else(|| format!("a column of {}", column.data_type()))
}
