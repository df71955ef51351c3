//! What comes of a fit: the group that serves, the one that was judged, and a report.

use crate::model::control::Extent;
use crate::model::ensemble::Ensemble;
use crate::model::fit::Fit;
use crate::model::group::{Group, Served};
use crate::model::holdout;
use crate::model::report::FitReport;

/// A trained group.
pub struct Outcome {
    /// Trained on everything.
    pub served: Group,
    /// The same as it was judged, before it saw the tail; where nothing is learnt, as served.
    pub unseen: Group,
    /// What `unseen` has seen.
    pub extent: Extent,
    /// How it came about.
    pub report: FitReport,
}

impl Fit<'_> {
    pub(super) fn extent(&self, tail: usize, held: usize) -> Extent {
        let cutoff = self.series.iter().filter_map(|series| series.cutoff()).max().unwrap_or(i64::MIN);
        Extent { cutoff, tail, held }
    }

    /// Seasonal naive for every series, and why.
    pub(super) fn baseline(&self, is_fallback: bool, note: impl Into<Option<String>>) -> Outcome {
        let model_id = if self.shape.season > 1 { "seasonal_naive" } else { "naive" };
        let fallbacks = if is_fallback { self.series.len() } else { 0 };
        let report =
            FitReport { fallbacks, notes: note.into().into_iter().collect(), ..self.report(model_id) };
        self.unlearnt(Served::SeasonalNaive { is_fallback }, report)
    }

    /// A model of each series alone.
    pub(super) fn local(&self) -> Outcome {
        let kind = self.spec.kind();
        self.unlearnt(Served::Local { kind }, self.report(kind.as_str()))
    }

    /// What learns nothing before it forecasts, so that it has seen no tail.
    pub(super) fn unlearnt(&self, served: Served, report: FitReport) -> Outcome {
        let (season, origins) = (self.shape.season, self.plan.tail_origins.max(1));
        let served = self.group(served, report.model_id);
        let covariates = self.conditions.covariates;
        let holdout = holdout::score(
            self.spec,
            &served,
            self.series,
            covariates,
            (origins, season + 1),
            self.conditions.watch,
        );
        let (unseen, steps) = (served.clone(), origins * self.shape.horizon);
        let report = FitReport { holdout, ..report };
        Outcome { served, unseen, extent: self.extent(steps, steps), report }
    }

    pub(super) fn ensemble(&self, ensemble: Ensemble) -> Group {
        let model_id = self.model_id(&ensemble);
        self.group(Served::Ensemble(Box::new(ensemble)), model_id)
    }

    /// Published name of an ensemble.
    pub(super) fn model_id(&self, ensemble: &Ensemble) -> &'static str {
        match (ensemble.has_network(), ensemble.smoothing > 0.0) {
            (true, _) => self.spec.kind().network_id(),
            (false, true) => "ensemble",
            (false, false) => "ridge",
        }
    }

    pub(super) fn group(&self, served: Served, model_id: &'static str) -> Group {
        Group {
            frequency: self.frequency,
            season: self.shape.season,
            encoding: self.encoding.clone(),
            served,
            model_id,
        }
    }

    /// A report without figures.
    pub(super) fn report(&self, model_id: &'static str) -> FitReport {
        FitReport {
            frequency: self.name.clone(),
            series: self.series.len(),
            season_length: self.shape.season,
            model_id,
            lookbacks: Vec::new(),
            log_space: false,
            parameters: 0,
            steps: 0,
            steps_tried: 0,
            warm: 0,
            gate: 0.0,
            weights: vec![(model_id, 1.0)],
            validation_error: None,
            interval_scores: 0,
            fallbacks: 0,
            notes: Vec::new(),
            budget_exhausted: false,
            holdout: None,
        }
    }
}
