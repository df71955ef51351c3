//! What a job found and did, as values: the summary, the JSON document and the exit code are made of them.

use crate::ingest::{Ingested, Layout, Roles};
use crate::model::report::FitReport;
use crate::model::spec::ModelSpec;
use crate::pipeline::Moment;
use crate::publish::Published;
use crate::series::{Forecasts, Status, Verdict};
use std::path::PathBuf;

/// What was found in the source.
#[derive(Clone, Debug)]
pub struct SourceReport {
    /// Files read.
    pub files: Vec<String>,
    /// Files left out, with the reason.
    pub skipped_files: Vec<String>,
    /// Rows read.
    pub rows: usize,
    /// Usable series.
    pub series: usize,
    /// Series left out: id and reasons, ascending by id.
    pub quarantined: Vec<(String, Vec<String>)>,
    /// Assumptions and oddities.
    pub notes: Vec<String>,
    /// Long or wide.
    pub layout: Layout,
    /// Which column plays which part.
    pub roles: Roles,
    /// First and last timestamp of the usable series, microseconds UTC.
    pub span: Option<(i64, i64)>,
    /// SHA-256 over the usable series.
    pub fingerprint: String,
}

impl SourceReport {
    /// The report of what was read.
    pub fn of(ingested: &Ingested) -> SourceReport {
        let quarantined = ingested.quality.iter().filter_map(|quality| match &quality.verdict {
            Verdict::Ok | Verdict::Fallback(_) => None,
            Verdict::Quarantined(reasons) => Some((quality.unique_id.clone(), reasons.clone())),
        });
        let series = &ingested.panel.series;
        let first = series.iter().filter_map(|one| one.times.first().copied()).min();
        let last = series.iter().filter_map(|one| one.times.last().copied()).max();
        SourceReport {
            files: ingested.files.clone(),
            skipped_files: ingested.skipped_files.clone(),
            rows: ingested.rows,
            series: series.len(),
            quarantined: quarantined.collect(),
            notes: ingested.notes.iter().map(|note| note.0.clone()).collect(),
            layout: ingested.layout,
            roles: ingested.roles.clone(),
            span: first.zip(last),
            fingerprint: ingested.fingerprint.clone(),
        }
    }
}

/// What a job did: everything that the summary, the JSON document and the exit code are made of.
#[derive(Clone, Debug)]
pub struct JobReport {
    /// When and as what it ran.
    pub moment: Moment,
    /// What was found.
    pub source: SourceReport,
    /// Model settings.
    pub model: ModelSpec,
    /// How each group of series was trained.
    pub fits: Vec<FitReport>,
    /// Number of forecast series of each status that occurs.
    pub statuses: Vec<(Status, usize)>,
    /// The forecasts.
    pub published: Published,
    /// The quality report.
    pub quality: Option<PathBuf>,
    /// The saved model.
    pub saved_model: Option<PathBuf>,
    /// Seconds of each stage, in order.
    pub seconds: Vec<(&'static str, f64)>,
    /// SHA-256 of the trained weights.
    pub weights_sha256: String,
    /// SHA-256 of the settings.
    pub config_sha256: String,
}

impl JobReport {
    /// Why the result is less than what was asked for, one line each; empty if it is not.
    pub fn degradations(&self) -> Vec<String> {
        let mut lines = shortfalls(&self.source, &self.statuses);
        lines.extend(training_shortfalls(&self.fits));
        lines
    }
}

/// What a source and the forecasts from it lack, one line each.
pub(super) fn shortfalls(source: &SourceReport, statuses: &[(Status, usize)]) -> Vec<String> {
    let quarantined = source.quarantined.len();
    let skipped = source.skipped_files.len();
    let mut lines = Vec::new();
    if quarantined > 0 {
        lines.push(format!("{quarantined} series left out"));
    }
    if skipped > 0 {
        lines.push(format!("{skipped} files skipped"));
    }
    let statuses = statuses.iter().filter(|(status, _)| *status != Status::Ok);
    lines.extend(statuses.map(|(status, count)| format!("{count} series with status {}", status.as_str())));
    lines
}

/// What a training lacks, one line each.
pub(super) fn training_shortfalls(fits: &[FitReport]) -> Vec<String> {
    match fits.iter().any(|fit| fit.budget_exhausted) {
        true => vec!["the budget ended training early".into()],
        false => Vec::new(),
    }
}

/// How many series have each status that occurs.
pub(super) fn count_statuses(forecasts: &Forecasts) -> Vec<(Status, usize)> {
    let all = [Status::Ok, Status::Fallback, Status::Degraded, Status::ColdStart, Status::Stale];
    let count = |status: Status| forecasts.series.iter().filter(|one| one.status == status).count();
    all.map(|status| (status, count(status))).into_iter().filter(|(_, count)| *count > 0).collect()
}
