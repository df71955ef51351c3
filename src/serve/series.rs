//! The series of a job: which there are, and what was observed of one.

use crate::ingest::Ingested;
use crate::pipeline::LookError;
use crate::series::{Series, Verdict};
use crate::serve::catalogue::Catalogue;
use crate::serve::problem::Problem;
use crate::serve::read::{Answer, limit, within};
use crate::serve::wire::millis;
use crate::serve::{App, blocking};
use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use serde_json::{Value, json};

/// Ids of an answer where nothing is asked for.
const IDS: usize = 50;

/// Points of an answer where nothing is asked for, and at most.
const POINTS: usize = 10_000;
const POINTS_MAX: usize = 100_000;

/// Bytes of a source that are read just to look at it.
const BYTES_MAX: u64 = 256 << 20;

/// Which series.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SeriesQuery {
    /// Words that have to occur.
    q: Option<String>,
    limit: Option<usize>,
    offset: Option<u32>,
}

/// The series of the newest run of a job, ascending: those whose ids have every word of a text.
pub(super) async fn series(
    State(app): State<App>,
    name: Result<Path<String>, PathRejection>,
    query: Result<Query<SeriesQuery>, QueryRejection>,
) -> Answer {
    let (Path(name), Query(query)) = (name?, query?);
    let sink = app.job(&name)?.sink;
    let (limit, offset) = (limit(Some(query.limit.unwrap_or(IDS)))?, query.offset.unwrap_or(0) as usize);
    let words = query.q.unwrap_or_default();
    let search = move || {
        let Some(newest) = Catalogue::newest(&app.held.runs, &sink, &name)? else {
            return Ok(json!({ "job": name, "run_id": null, "total": 0, "matched": 0, "series": [] }));
        };
        let ids = &newest.run.unique_ids;
        let found = newest.matches(&words);
        let series = found.iter().skip(offset).take(limit).map(|&place| json!({ "unique_id": ids[place] }));
        Ok(json!({
            "job": name,
            "run_id": newest.commit.run_id,
            "total": ids.len(),
            "matched": found.len(),
            "series": series.collect::<Vec<_>>(),
        }))
    };
    blocking(search).await?.map(Json).map_err(|error: crate::publish::PublishError| Problem::internal(error))
}

/// Which values.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HistoryQuery {
    unique_id: String,
    points: Option<usize>,
}

/// The newest observed values of a series, as the jobs read its source.
pub(super) async fn history(
    State(app): State<App>,
    name: Result<Path<String>, PathRejection>,
    query: Result<Query<HistoryQuery>, QueryRejection>,
) -> Answer {
    let (Path(name), Query(query)) = (name?, query?);
    let spec = app.job(&name)?.plan.0.job.clone();
    let points = within("points", query.points.unwrap_or(POINTS), POINTS_MAX)?;
    let now = (app.now)();
    let read = move || {
        let read = app.sources.look(&spec.source_name, &spec.source, now, BYTES_MAX);
        let ingested = read.map_err(|error| unreadable(&spec.source_name, &error))?;
        let all = &ingested.panel.series;
        let place = all.binary_search_by(|one| one.unique_id.as_str().cmp(&query.unique_id));
        let place = place.map_err(|_| missing(&ingested, &spec.source_name, &query.unique_id))?;
        Ok(document(&name, &ingested, &all[place], points))
    };
    blocking(read).await?.map(Json)
}

fn document(job: &str, ingested: &Ingested, series: &Series, points: usize) -> Value {
    let total = series.times.len();
    let first = total.saturating_sub(points);
    json!({
        "job": job,
        "unique_id": series.unique_id,
        "tz": ingested.panel.zone.iana_name().unwrap_or("UTC"),
        "frequency": series.frequency.to_string(),
        "total": total,
        "ds": series.times[first..].iter().copied().map(millis).collect::<Vec<_>>(),
        "y": (first..total).map(|step| series.actual(step)).collect::<Vec<_>>(),
    })
}

/// Why the source cannot be shown; what a file holds is nobody's secret here, but where it lies is for the log.
fn unreadable(source: &str, error: &LookError) -> Problem {
    match error {
        LookError::TooLarge { .. } | LookError::Command => {
            Problem::not_found(format!("source '{source}': {error}"))
        }
        LookError::Ingest(error) => {
            tracing::debug!(source, %error, "the source cannot be looked at");
            Problem::not_found(format!(
                "source '{source}' cannot be read now; the next slot of its jobs will say why"
            ))
        }
    }
}

/// Why a series is not among those of the source.
fn missing(ingested: &Ingested, source: &str, unique_id: &str) -> Problem {
    let quality = ingested.quality.iter().find(|one| one.unique_id == unique_id);
    Problem::not_found(match quality.map(|quality| &quality.verdict) {
        Some(Verdict::Quarantined(reasons)) => {
            format!(
                "source '{source}' has series '{unique_id}', but it cannot be used: {}",
                reasons.join("; ")
            )
        }
        _ => format!("source '{source}' has no series '{unique_id}'"),
    })
}
