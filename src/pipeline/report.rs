//! What a job found and did, as values: the summary, the JSON document and the exit code are made of them.

use crate::ingest::{Ingested, Layout, Roles};
use crate::model::report::FitReport;
use crate::model::spec::ModelSpec;
use crate::pipeline::memory_plan::MemoryReport;
use crate::pipeline::{Delivered, LoadReport, Moment, ScenarioReport};
use crate::publish::Published;
use crate::publish::parts::Delivery;
use crate::series::covariate::{Covariate, Known, Values};
use crate::series::{Forecasts, Panel, Status, Verdict};
use crate::store::Place;

/// What was found in the source.
#[derive(Clone, Debug)]
pub struct SourceReport {
    /// Files read.
    pub files: Vec<String>,
    /// The command whose output was read, secrets masked.
    pub command: Option<String>,
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
    /// What comes with the target.
    pub covariates: Vec<CovariateReport>,
    /// First and last timestamp of the usable series, microseconds UTC.
    pub span: Option<(i64, i64)>,
    /// SHA-256 over the usable series.
    pub fingerprint: String,
}

/// What was found of one covariate.
#[derive(Clone, Debug, PartialEq)]
pub struct CovariateReport {
    /// Its column.
    pub name: String,
    /// When it is known.
    pub known: Known,
    /// Names of a category; `None` of numbers.
    pub names: Option<usize>,
    /// Values that are missing in the history.
    pub missing: usize,
    /// Least and largest number of steps that it is known after the last target.
    pub ahead: (usize, usize),
}

impl SourceReport {
    /// Adds what somebody should look at to the notes, and to the log.
    pub(super) fn warn(&mut self, lines: Vec<String>) {
        lines.iter().for_each(|line| tracing::warn!("{line}"));
        self.notes.extend(lines);
    }

    /// Adds what another pass over the same files found of other series.
    pub(super) fn join(&mut self, other: SourceReport) {
        self.series += other.series;
        self.quarantined.extend(other.quarantined);
        let new = other.notes.into_iter().filter(|note| !self.notes.contains(note)).collect::<Vec<_>>();
        self.notes.extend(new);
        self.span = match (self.span, other.span) {
            (Some(one), Some(other)) => Some((one.0.min(other.0), one.1.max(other.1))),
            (one, other) => one.or(other),
        };
    }

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
            command: ingested.command.clone(),
            skipped_files: ingested.skipped_files.clone(),
            rows: ingested.rows,
            series: series.len(),
            quarantined: quarantined.collect(),
            notes: ingested.notes.iter().map(|note| note.0.clone()).collect(),
            layout: ingested.layout,
            roles: ingested.roles.clone(),
            covariates: covariates(&ingested.panel),
            span: first.zip(last),
            fingerprint: ingested.fingerprint.clone(),
        }
    }
}

/// What was found of the covariates.
fn covariates(panel: &Panel) -> Vec<CovariateReport> {
    let report = |(place, covariate): (usize, &Covariate)| {
        let rows = panel.series.iter().filter_map(|series| Some((series, series.covariates.get(place)?)));
        let (mut missing, mut ahead) = (0, None);
        for (series, row) in rows {
            let history = if covariate.known == Known::Static { 1 } else { series.values.len() };
            missing += row.values().iter().take(history).filter(|value| value.is_nan()).count();
            let steps = row.values().len().saturating_sub(history);
            let (least, most) = ahead.unwrap_or((steps, steps));
            ahead = Some((steps.min(least), steps.max(most)));
        }
        let names = match &covariate.values {
            Values::Category(names) => Some(names.len()),
            Values::Real => None,
        };
        let (name, known) = (covariate.name.clone(), covariate.known);
        CovariateReport { name, known, names, missing, ahead: ahead.unwrap_or_default() }
    };
    panel.covariates.iter().enumerate().map(report).collect()
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
    /// How each group of series was trained; empty where the model was loaded.
    pub fits: Vec<FitReport>,
    /// Where it was loaded from.
    pub loaded: Option<LoadReport>,
    /// Number of forecast series of each status that occurs.
    pub statuses: Vec<(Status, usize)>,
    /// What came of each scenario.
    pub scenarios: Vec<ScenarioReport>,
    /// The forecasts.
    pub published: Published,
    /// How far the run of several shards is.
    pub delivered: Option<Delivered>,
    /// The quality report.
    pub quality: Option<Place>,
    /// The saved model.
    pub saved_model: Option<Place>,
    /// What memory it was to take, and took.
    pub memory: MemoryReport,
    /// Seconds of each stage, in order.
    pub seconds: Vec<(&'static str, f64)>,
    /// SHA-256 of the trained weights.
    pub weights_sha256: String,
    /// SHA-256 of the settings.
    pub config_sha256: String,
}

impl JobReport {
    /// The shards whose parts the run still lacks, ascending.
    pub fn missing_shards(&self) -> &[u32] {
        match self.delivered.as_ref().map(|delivered| &delivered.delivery) {
            Some(Delivery::Waiting { missing }) => missing,
            Some(Delivery::Committed) | None => &[],
        }
    }

    /// Takes down how far the run is now.
    pub fn deliver(&mut self, delivery: Delivery) {
        if let Some(delivered) = &mut self.delivered {
            delivered.delivery = delivery;
        }
    }

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
        let files = if skipped == 1 { "file" } else { "files" };
        lines.push(format!("{skipped} {files} skipped"));
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
