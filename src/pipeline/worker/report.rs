//! What became of a stream, as values.

use crate::ingest::{BadSeriesLimit, IngestError, IngestErrorKind, Ingested};
use crate::model::report::FitReport;
use crate::model::spec::ModelSpec;
use crate::pipeline::report::{count_statuses, training_shortfalls};
use crate::pipeline::{JobError, Moment, SourceReport};
use crate::series::{Forecasts, Status, Verdict};
use crate::store::Place;
use std::collections::BTreeSet;

/// Series left out that are told one by one; more are only counted.
const TOLD: usize = 20;

/// Different notes that are kept.
const NOTES: usize = 100;

/// What became of a stream.
#[derive(Clone, Debug)]
pub struct WorkerReport {
    /// When and as what it ran.
    pub moment: Moment,
    /// Rows read.
    pub rows: usize,
    /// Series of the stream, those left out included.
    pub series: usize,
    /// Series left out.
    pub left_out: usize,
    /// The first of them, with the reasons.
    pub quarantined: Vec<(String, Vec<String>)>,
    /// Rows of forecasts.
    pub forecast_rows: usize,
    /// Number of forecast series of each status that occurs.
    pub statuses: Vec<(Status, usize)>,
    /// Assumptions and oddities, each once.
    pub notes: Vec<String>,
    /// Model settings.
    pub model: ModelSpec,
    /// How it was trained; empty where it was loaded.
    pub fits: Vec<FitReport>,
    /// Where it was loaded from.
    pub loaded: Option<Place>,
    /// SHA-256 of the weights.
    pub weights_sha256: String,
    /// Seconds of each stage, in order.
    pub seconds: Vec<(&'static str, f64)>,
}

impl WorkerReport {
    /// Why the result is less than what was asked for, one line each; empty if it is not.
    pub fn degradations(&self) -> Vec<String> {
        let left_out = (self.left_out > 0).then(|| format!("{} series left out", self.left_out));
        let statuses = self.statuses.iter().filter(|(status, _)| *status != Status::Ok);
        let statuses =
            statuses.map(|(status, count)| format!("{count} series with status {}", status.as_str()));
        left_out.into_iter().chain(statuses).chain(training_shortfalls(&self.fits)).collect()
    }
}

/// Counts while a stream is read.
#[derive(Debug, Default)]
pub(super) struct Tally {
    rows: usize,
    series: usize,
    left_out: usize,
    quarantined: Vec<(String, Vec<String>)>,
    forecast_rows: usize,
    statuses: Vec<(Status, usize)>,
    notes: Vec<String>,
    seen: BTreeSet<String>,
}

impl Tally {
    /// What was read; series that are left out are told as they come.
    pub(super) fn read(&mut self, ingested: &Ingested) {
        self.rows += ingested.rows;
        self.series += ingested.quality.len();
        for quality in &ingested.quality {
            let Verdict::Quarantined(reasons) = &quality.verdict else { continue };
            self.leave_out(&quality.unique_id, reasons);
        }
        self.note(ingested.notes.iter().map(|note| note.0.clone()).collect());
    }

    /// What was read of a stream that was kept.
    pub(super) fn read_all(&mut self, source: &SourceReport) {
        self.rows += source.rows;
        self.series += source.series + source.quarantined.len();
        source.quarantined.iter().for_each(|(id, reasons)| self.leave_out(id, reasons));
        self.note(source.notes.clone());
    }

    fn leave_out(&mut self, unique_id: &str, reasons: &[String]) {
        self.left_out += 1;
        if self.quarantined.len() < TOLD {
            tracing::warn!("series '{unique_id}' is left out: {}", reasons.join("; "));
            self.quarantined.push((unique_id.to_owned(), reasons.to_vec()));
        } else if self.left_out == TOLD + 1 {
            tracing::warn!("more series are left out, and counted at the end");
        }
    }

    pub(super) fn forecast(&mut self, forecasts: &Forecasts) {
        self.forecast_rows += forecasts.series.iter().map(|one| one.times.len()).sum::<usize>();
        for (status, count) in count_statuses(forecasts) {
            match self.statuses.iter_mut().find(|(known, _)| *known == status) {
                Some((_, all)) => *all += count,
                None => self.statuses.push((status, count)),
            }
        }
    }

    /// Notes what somebody may want to know, each thing once.
    pub(super) fn note(&mut self, lines: Vec<String>) {
        for line in lines {
            if self.seen.len() < NOTES && self.seen.insert(line.clone()) {
                tracing::info!("{line}");
                self.notes.push(line);
            }
        }
    }

    /// Notes what somebody should look at, each thing once.
    pub(super) fn warn(&mut self, lines: Vec<String>) {
        for line in lines {
            if self.seen.len() < NOTES && self.seen.insert(line.clone()) {
                tracing::warn!("{line}");
                self.notes.push(line);
            }
        }
    }

    /// Whether so many series may be bad.
    ///
    /// # Errors
    /// If too many are.
    pub(super) fn judge(&self, limit: BadSeriesLimit) -> Result<(), JobError> {
        if limit.allows(self.left_out, self.series) {
            return Ok(());
        }
        let mut problems = vec![format!(
            "{} of {} series cannot be used, max_bad_series allows {limit}; repair them, or leave them out with a higher \
             --max-bad-series",
            self.left_out, self.series
        )];
        let reasons = self
            .quarantined
            .iter()
            .flat_map(|(id, reasons)| reasons.iter().map(move |reason| format!("series '{id}': {reason}")));
        problems.extend(reasons);
        Err(IngestError::new(IngestErrorKind::Data, problems).into())
    }

    pub(super) fn report(
        self,
        moment: Moment,
        model: ModelSpec,
        loaded: Option<Place>,
        weights_sha256: String,
        seconds: Vec<(&'static str, f64)>,
    ) -> WorkerReport {
        let Tally { rows, series, left_out, quarantined, forecast_rows, mut statuses, notes, .. } = self;
        let order = [Status::Ok, Status::Fallback, Status::Degraded, Status::ColdStart, Status::Stale];
        statuses.sort_by_key(|(status, _)| order.iter().position(|one| one == status));
        WorkerReport {
            moment,
            rows,
            series,
            left_out,
            quarantined,
            forecast_rows,
            statuses,
            notes,
            model,
            fits: Vec::new(),
            loaded,
            weights_sha256,
            seconds,
        }
    }
}
