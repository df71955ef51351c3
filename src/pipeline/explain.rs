//! Why one series is forecast as it is: its status, what the model saw, the parts of the forecast, and past errors.

use crate::ingest::Ingested;
use crate::live::review::interval;
use crate::live::truth::Truth;
use crate::model::components::Components;
use crate::model::forecaster::Forecaster;
use crate::pipeline::{JobSpec, ahead};
use crate::publish::{self, PublishError};
use crate::series::{Status, Verdict};
use std::borrow::Cow;

/// The newest runs whose errors are told.
const RUNS: usize = 20;

/// Why one series is forecast as it is.
#[derive(Debug)]
pub struct Explanation {
    /// Status that its forecast has.
    pub status: Status,
    /// What ingestion says of it, one line each.
    pub quality: Vec<String>,
    /// The forecast in parts, and what the model saw.
    pub components: Components,
    /// Errors of published forecasts, the latest value first.
    pub errors: Vec<PastError>,
}

/// A published forecast whose time has come.
#[derive(Clone, Debug, PartialEq)]
pub struct PastError {
    /// Its time, microseconds UTC.
    pub ds: i64,
    /// When it was issued, microseconds UTC.
    pub issued_at: i64,
    /// Steps ahead.
    pub step: i32,
    /// What came.
    pub y: f64,
    /// What was forecast.
    pub yhat: f64,
    /// The interval of the first level, where it was published.
    pub interval: Option<[f64; 2]>,
}

/// Explains the forecast that a model makes of a series now; `None` if there is no such series.
///
/// # Errors
/// If the published runs cannot be read.
pub fn explain(
    job: &JobSpec,
    forecaster: &Forecaster,
    ingested: &Ingested,
    unique_id: &str,
) -> Result<Option<Explanation>, PublishError> {
    let (spec, season_length) = ((&job.source.covariates, &job.source.sums), job.model.season_length());
    // Where values are missing that a forecast would be refused for, the last ones before are what there is to explain.
    let ahead = ahead::complete(&ingested.panel, spec, forecaster.spec().horizon(), season_length);
    let panel = &*ahead.map_or(Cow::Borrowed(&ingested.panel), |ahead| ahead.panel);
    let forecasts = forecaster.predict(panel).series;
    let Ok(place) = forecasts.binary_search_by(|one| one.unique_id.as_str().cmp(unique_id)) else {
        return Ok(None);
    };
    let Some(components) = forecaster.components(panel, unique_id) else { return Ok(None) };
    let quality = ingested.quality.iter().find(|quality| quality.unique_id == unique_id);
    let words = quality.map(|quality| {
        let reasons = match &quality.verdict {
            Verdict::Ok => Vec::new(),
            Verdict::Fallback(reasons) | Verdict::Quarantined(reasons) => reasons.clone(),
        };
        reasons.into_iter().chain(quality.warnings.iter().cloned()).collect()
    });
    Ok(Some(Explanation {
        status: forecasts[place].status,
        quality: words.unwrap_or_default(),
        components,
        errors: errors(job, &Truth::new(panel, job.model.season_length()), unique_id)?,
    }))
}

/// Errors of the newest runs, the latest value first, and of one value the newest run first.
fn errors(job: &JobSpec, truth: &Truth<'_>, unique_id: &str) -> Result<Vec<PastError>, PublishError> {
    let mut errors = Vec::new();
    for commit in publish::runs(&job.sink.path, &job.name)?.iter().take(RUNS) {
        let Some(run) = publish::read_columns(commit, job.model.quantile_levels())? else { continue };
        let own = truth.met(&run).into_iter().filter(|met| run.unique_id[met.row] == unique_id);
        errors.extend(own.map(|met| PastError {
            ds: run.ds[met.row],
            issued_at: commit.issued_at,
            step: run.step[met.row],
            y: met.actual,
            yhat: run.yhat[met.row],
            interval: interval(&run, met.row, job.model.levels()[0]),
        }));
    }
    errors.sort_by_key(|error| std::cmp::Reverse((error.ds, error.issued_at)));
    Ok(errors)
}
