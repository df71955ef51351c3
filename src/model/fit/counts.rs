//! Count forecasts for a group: asked for by name, or taken where they beat what was chosen otherwise.

use ndarray::Array2;

use crate::engine::likelihood::Likelihood;
use crate::model::control::Stopped;
use crate::model::counts::{self, CountHead};
use crate::model::fit::{Fit, Outcome};
use crate::model::group::{Group, Served};
use crate::model::holdout;
use crate::model::intermittent;
use crate::model::intervals;
use crate::model::report::FitReport;
use crate::model::validation::Validation;

/// Least share by which the loss of counts is to be lower than that of the forecaster in place.
const MARGIN: f64 = 0.01;

/// Published name.
const MODEL_ID: &str = "counts";

impl Fit<'_> {
    /// The count head for every series that it can forecast.
    pub(super) fn counts(&self) -> Result<Outcome, Stopped> {
        let visible = |values: &[f64]| values.len().saturating_sub(self.held);
        if !self.series.iter().any(|one| counts::are_whole(&one.values[..visible(&one.values)])) {
            let reason = "counts are whole numbers from 0 on, and every series has other values";
            return Ok(self.baseline(true, reason.to_owned()));
        }
        let validation = self.validation();
        let Some(judged) = self.judged_counts(&validation)? else {
            let reason =
                format!("too little to learn counts from: {} steps at the median", self.shape.length);
            return Ok(self.baseline(true, reason));
        };
        self.serve_counts(judged, &validation, None)
    }

    /// What was chosen, or counts where the series are counts that are zero often and the pinball loss of their quantiles on the
    /// validation origins is lower.
    pub(super) fn or_counts(&self, chosen: Outcome) -> Result<Outcome, Stopped> {
        let values = self.series.iter().map(|series| series.values.as_slice());
        let validation = self.validation();
        if validation.is_empty() || self.conditions.is_over() || !intermittent::are_counts(values) {
            return Ok(chosen);
        }
        let Some(judged) = self.judged_counts(&validation)? else { return Ok(chosen) };
        let [own, other] = [&judged.0, &chosen.unseen]
            .map(|group| validation.loss(self.spec, group, self.series, self.conditions.covariates));
        tracing::debug!(own, other, "counts against what was chosen");
        if own >= (1.0 - MARGIN) * other {
            return Ok(chosen);
        }
        let less = 100.0 * (1.0 - own / other);
        let note =
            format!("counts lose {less:.1} % less than {} on the validation origins", chosen.report.model_id);
        self.serve_counts(judged, &validation, Some(note))
    }

    fn validation(&self) -> Validation {
        Validation::new(self.series, self.plan.rolling, self.tail, self.history(), self.terms())
    }

    fn panel(&self) -> counts::Panel<'_> {
        counts::Panel {
            values: self.series.iter().map(|series| series.values.as_slice()).collect(),
            features: &self.features,
            columns: self.encoding.width(),
            season: self.shape.season,
            horizon: self.shape.horizon,
        }
    }

    /// Weights learnt from all but the last `held` steps; `None` where there is too little, or no time.
    fn learn_counts(&self, held: usize) -> Result<Option<Array2<f64>>, Stopped> {
        let (stop, deadline) = (self.conditions.stop, self.conditions.deadline);
        let is_over = || {
            stop.load(std::sync::atomic::Ordering::Relaxed)
                || deadline.is_some_and(|deadline| std::time::Instant::now() >= deadline)
        };
        self.tell("learning counts");
        let weights = self.panel().learn(Likelihood::Counts, held, &is_over);
        self.conditions.go_on()?;
        Ok(weights)
    }

    /// A group that has learnt nothing of the validation origins but its levels, and the values behind those.
    fn judged_counts(&self, validation: &Validation) -> Result<Option<(Group, usize)>, Stopped> {
        let Some(weights) = self.learn_counts(self.held)? else { return Ok(None) };
        let windows: Vec<(usize, usize)> = validation.indices().collect();
        let (head, values) = self.panel().head(weights, self.spec.quantile_levels(), &windows);
        Ok(Some((self.count_group(head), values)))
    }

    /// The judged group trained again on everything, its levels corrected by the tail, too.
    fn serve_counts(
        &self,
        (unseen, _): (Group, usize),
        validation: &Validation,
        note: Option<String>,
    ) -> Result<Outcome, Stopped> {
        let (horizon, origins) = (self.shape.horizon, self.plan.tail_origins);
        let covariates = self.conditions.covariates;
        let holdout = holdout::score(
            self.spec,
            &unseen,
            self.series,
            covariates,
            (origins, self.history()),
            self.conditions.watch,
        );
        let mut windows: Vec<(usize, usize)> = validation.indices().collect();
        windows.extend(intervals::tail(self.series, horizon, origins, self.history()));
        let Served::Counts(judged) = &unseen.served else { unreachable!("a count group serves counts") };
        let levels = self.spec.quantile_levels();
        let (with_tail, values) = self.panel().head(judged.weights.clone(), levels, &windows);
        let mut notes: Vec<String> = note.into_iter().collect();
        let weights = match self.learn_counts(0)? {
            Some(weights) => weights,
            None => {
                let held = self.held;
                notes.push(format!(
                    "the last {held} steps of each series were not learnt: no time, or no counts"
                ));
                with_tail.weights.clone()
            }
        };
        let served = self.count_group(CountHead { weights, ..with_tail });
        let Served::Counts(head) = &served.served else { unreachable!("a count group serves counts") };
        let report = FitReport {
            lookbacks: vec![counts::rates::reach(self.shape.season)],
            parameters: head.weights.len(),
            interval_scores: values,
            budget_exhausted: self.conditions.is_over(),
            notes,
            holdout,
            ..self.report(MODEL_ID)
        };
        Ok(Outcome { served, unseen, extent: self.extent(self.tail, self.held), report })
    }

    fn count_group(&self, head: CountHead) -> Group {
        self.group(Served::Counts(Box::new(head)), MODEL_ID)
    }
}
