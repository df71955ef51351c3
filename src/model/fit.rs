//! Training of one group of series, all of one frequency: the story, straight down.

mod counts;
mod mixing;
mod networks;
mod outcome;

pub use outcome::Outcome;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::model::blending::{self, Task};
use crate::model::conformal::{self, Evidence, Sides};
use crate::model::control::{Conditions, Stopped};
use crate::model::ensemble::Ensemble;
use crate::model::exam::Terms;
use crate::model::features::{Encoding, Features, NETWORK_MAX};
use crate::model::holdout;
use crate::model::intervals;
use crate::model::mix::Stage;
use crate::model::plan::{Plan, Shape};
use crate::model::report::{FitReport, Progress};
use crate::model::season;
use crate::model::select::{self, Candidates, Choice, RidgeChoice};
use crate::model::spec::{ModelKind, ModelSpec, tails};
use crate::model::validation::{self, Validation};
use crate::model::work::Space;
use crate::series::{Frequency, Series};

/// Error relative to seasonal naive up to which a model may serve: one that is as good may have the better intervals.
const ERROR_MAX: f64 = 1.02;

/// Error relative to seasonal naive from which on the ratio says more about seasonal naive than about the model.
const EXACT: f64 = 10.0;

/// Share of the budget that may go into choosing the base; the rest is for the networks.
const CHOICE_SHARE: f64 = 0.25;

/// Share of the budget of an ensemble that goes into what `auto` would serve.
const BASE_SHARE: f64 = 0.7;

/// Trains one group.
///
/// # Errors
/// If the fit is to stop.
pub fn fit(
    series: &[&Series],
    frequency: Frequency,
    spec: &ModelSpec,
    conditions: &Conditions,
) -> Result<Outcome, Stopped> {
    let fit = Fit::new(series, frequency, spec, conditions);
    match spec.kind() {
        ModelKind::Naive | ModelKind::SeasonalNaive => Ok(fit.baseline(false, None)),
        ModelKind::Ets | ModelKind::Mstl => Ok(fit.local()),
        ModelKind::Croston | ModelKind::CrostonSba | ModelKind::Tsb | ModelKind::Adida | ModelKind::Imapa => {
            Ok(fit.local())
        }
        ModelKind::Counts => fit.counts(),
        ModelKind::Auto => fit.or_counts(fit.model()?),
        ModelKind::S4d | ModelKind::S4 | ModelKind::Sashimi | ModelKind::Ridge => fit.model(),
        ModelKind::Ensemble => {
            // Models of each series alone need time, too.
            let hurried = Conditions { deadline: conditions.share(BASE_SHARE), ..*conditions };
            let base = Fit::new(series, frequency, spec, &hurried);
            fit.blended(base.or_counts(base.model()?)?)
        }
    }
}

/// A fit under way.
struct Fit<'a> {
    series: &'a [&'a Series],
    frequency: Frequency,
    /// The frequency as text: what a checkpoint calls the group.
    name: String,
    spec: &'a ModelSpec,
    conditions: &'a Conditions<'a>,
    shape: Shape,
    plan: Plan,
    /// How covariates become columns, and those of every series.
    encoding: Encoding,
    features: Vec<Arc<Features>>,
    /// Steps at the end of each series that are kept for the score; none if the series are short.
    tail: usize,
    /// The tail and the validation origins before it.
    held: usize,
}

impl<'a> Fit<'a> {
    fn new(
        series: &'a [&'a Series],
        frequency: Frequency,
        spec: &'a ModelSpec,
        conditions: &'a Conditions<'a>,
    ) -> Fit<'a> {
        let season = match (spec.kind(), spec.season_length()) {
            (ModelKind::Naive, _) => 1,
            (_, Some(declared)) => declared,
            (_, None) => season::detect(series, &frequency.season_lengths()),
        };
        let mut lengths: Vec<usize> = series.iter().map(|series| series.values.len()).collect();
        lengths.sort_unstable();
        let horizon = spec.horizon();
        let encoding = Encoding::learn(conditions.covariates, series);
        let features = encoding.apply(conditions.covariates, series, horizon, season);
        let is_read = encoding.width() <= NETWORK_MAX;
        let shape = Shape {
            columns: if is_read { encoding.width() } else { 0 },
            series: series.len(),
            length: lengths[lengths.len() / 2],
            season,
            horizon: spec.horizon(),
            weekly: frequency == Frequency::Days { days: 7 },
        };
        let plan = Plan::new(&shape, spec.preset(), spec.parts());
        let tail = plan.tail_origins * shape.horizon;
        let held = tail + plan.rolling.span(shape.horizon);
        let name = frequency.to_string();
        Fit { series, frequency, name, spec, conditions, shape, plan, encoding, features, tail, held }
    }

    /// Ridge maps, a network on each if it pays, seasonal naive if nothing does.
    fn model(&self) -> Result<Outcome, Stopped> {
        let (spec, shape) = (self.spec, &self.shape);
        let history = self.history();
        let validation = Validation::new(self.series, self.plan.rolling, self.tail, history, self.terms());
        let choice = self.choose(&validation)?;
        let Some(early) = self.stage(&choice, self.held) else {
            let (length, horizon) = (shape.length, shape.horizon);
            let reason =
                format!("too short to learn from: {length} steps at the median for horizon {horizon}");
            return Ok(self.baseline(true, reason));
        };
        if spec.kind().is_gated() && validation.is_empty() {
            let reason = "too short to check a model against seasonal naive".to_owned();
            return Ok(self.baseline(true, reason));
        }
        let explored = self.explore(&choice, &early, &validation)?;
        let events = self.explore_events(&choice, &early, &validation)?;
        let mix = self.weigh(&choice, &early, &explored, events.as_ref(), &validation);
        let judged = early.mix(&explored, events.as_ref(), &mix);
        let error = validation::mean(&validation.relative(&judged, &early.work));
        if spec.kind().is_gated() && error > ERROR_MAX {
            let reason = if error > EXACT {
                "seasonal naive is nearly exact here".to_owned()
            } else {
                format!("a trained model was {:.1} % worse than seasonal naive", 100.0 * (error - 1.0))
            };
            return Ok(self.baseline(false, reason));
        }
        self.conditions.go_on()?;
        self.tell("calibrating intervals");
        let evidence = self.evidence(&judged, &choice, &early, &validation);
        let (judged, _) = judged.calibrated(&evidence);
        let loss = validation.relative_loss(&judged, &early.work, self.series);
        tracing::debug!(error, loss, "against seasonal naive");
        if let Some(loss) = loss.filter(|loss| spec.kind().is_gated() && *loss > 1.0) {
            let more = 100.0 * (loss - 1.0);
            let reason = format!("with intervals, a trained model lost {more:.1} % more than seasonal naive");
            return Ok(self.baseline(false, reason));
        }
        let unseen = self.ensemble(judged.clone());
        let holdout = holdout::score(
            spec,
            &unseen,
            self.series,
            self.conditions.covariates,
            (self.plan.tail_origins, history),
            self.conditions.watch,
        );
        // The score above is that of intervals which had not seen the tail; those that serve have.
        let tail = intervals::tail(self.series, self.shape.horizon, self.plan.tail_origins, history);
        let tail = judged.evidence(&early.work, &tail, evidence.sides);
        let evidence = evidence.with_tail(tail);
        let (judged, interval_scores) = judged.calibrated(&evidence);
        self.conditions.go_on()?;
        self.tell("fitting to everything");
        let (served, refit_notes) = self.serve(&choice, &explored, events.as_ref(), &mix, &judged)?;
        let is_refitted = refit_notes.is_empty();

        let mut notes: Vec<String> =
            explored.iter().flat_map(|learnt| learnt.notes.iter().cloned()).collect();
        let warm = if explored.is_empty() { 0 } else { self.champions(&early).iter().flatten().count() };
        notes.extend(events.iter().flat_map(|taught| taught.notes.iter().cloned()));
        notes.extend(self.warm_note(warm, &explored));
        notes.extend(refit_notes);
        notes.extend(self.unsupported(interval_scores));
        // A network may have been thrown away for its best step was the first, or for it diverged.
        let has_network = served.has_network();
        let of_events = events.as_ref().map_or((0, 0), |taught| (taught.steps, taught.steps_tried));
        let history_min = served.history_min();
        let report = FitReport {
            lookbacks: served.lookbacks(),
            log_space: choice.space == Space::Log,
            parameters: served.parameters(),
            steps: if has_network {
                explored.iter().map(|learnt| learnt.steps).sum::<usize>() + of_events.0
            } else {
                0
            },
            steps_tried: explored.iter().map(|learnt| learnt.steps_tried).sum::<usize>() + of_events.1,
            warm,
            gate: if has_network { mix.share() } else { 0.0 },
            weights: served.shares(),
            validation_error: Some(error).filter(|error| error.is_finite()),
            interval_scores,
            fallbacks: self.series.iter().filter(|series| series.values.len() < history_min).count(),
            notes,
            budget_exhausted: !is_refitted && self.conditions.is_over()
                || explored.iter().any(|learnt| learnt.is_cut)
                || events.is_some_and(|taught| taught.is_cut),
            holdout,
            ..self.report(self.model_id(&served))
        };
        let extent = self.extent(self.tail, self.held);
        Ok(Outcome { served: self.ensemble(served), unseen, extent, report })
    }

    /// Says what is being done.
    fn tell(&self, stage: &'static str) {
        (self.conditions.watch)(Progress::begun(stage));
    }

    /// What `auto` would serve, averaged with models of each series alone.
    fn blended(&self, outcome: Outcome) -> Result<Outcome, Stopped> {
        let task = Task {
            series: self.series,
            spec: self.spec,
            conditions: self.conditions,
            season: self.shape.season,
            rolling: self.plan.rolling,
            tail_origins: self.plan.tail_origins,
            history: self.history(),
            is_panel: self.plan.is_panel,
        };
        blending::blend(&task, outcome)
    }

    /// Forecasts of unseen values before the tail, which intervals are corrected by.
    fn evidence(
        &self,
        ensemble: &Ensemble,
        choice: &Choice,
        stage: &Stage,
        validation: &Validation,
    ) -> Evidence {
        // What networks have seen cannot be unseen fold by fold at a bearable cost.
        let is_cross_fitted = !self.plan.is_panel && !ensemble.has_network();
        let across = || {
            let candidates = self.candidates(self.tail);
            let is_over = || self.conditions.is_over();
            intervals::across_history(
                choice,
                &candidates,
                &stage.work,
                self.history(),
                self.terms(),
                &is_over,
            )
        };
        is_cross_fitted.then(across).flatten().unwrap_or_else(|| {
            let windows: Vec<(usize, usize)> = validation.indices().collect();
            let sides = if self.plan.is_panel { Sides::Apart } else { Sides::Outwards };
            ensemble.evidence(&stage.work, &windows, sides)
        })
    }

    /// Steps that a series needs before an origin to be examined there.
    fn history(&self) -> usize {
        let longest = self.plan.lookbacks.iter().map(|lookback| lookback / 3).max();
        longest.unwrap_or(1).max(self.shape.season)
    }

    fn terms(&self) -> Terms {
        Terms { horizon: self.shape.horizon, season: self.shape.season, point: self.spec.point() }
    }

    /// What is to be said of coverage levels too rare for the unseen values that intervals were corrected by.
    fn unsupported(&self, scores: usize) -> Option<String> {
        let is_rare = |level: &&f64| !conformal::is_enough_for(scores, tails(**level)[0]);
        let rare: Vec<String> =
            self.spec.levels().iter().filter(is_rare).map(|level| format!("{level} %")).collect();
        let values = if scores == 0 { "too few".to_owned() } else { format!("only {scores}") };
        (!rare.is_empty()).then(|| {
            format!("{values} unseen values to correct intervals by: those of {} are rough", rare.join(", "))
        })
    }

    fn candidates(&self, held: usize) -> Candidates<'_> {
        let (series, plan, spec) = (self.series, &self.plan, self.spec);
        Candidates {
            series,
            features: &self.features,
            plan,
            spec,
            season: self.shape.season,
            held,
            without: None,
        }
    }

    /// The base: that of an interrupted fit if there is one, for with a budget it depends on the clock.
    fn choose(&self, validation: &Validation) -> Result<Choice, Stopped> {
        let candidates = self.candidates(self.held);
        let known = self.conditions.journal.borrow().choice(&self.name);
        if let Some(choice) = known.filter(|choice| candidates.allow(choice)) {
            return Ok(choice);
        }
        let until = self.conditions.share(CHOICE_SHARE);
        let stop = self.conditions.stop;
        let is_over = || stop.load(Ordering::Relaxed) || until.is_some_and(|until| Instant::now() >= until);
        let choice = select::choose(&candidates, validation, &is_over, self.conditions.watch);
        // A choice that was cut short is none.
        self.conditions.go_on()?;
        self.conditions.journal.borrow_mut().chosen(&self.name, &choice);
        Ok(choice)
    }

    /// The chosen ridge maps, fitted to everything but the last `held` steps; `None` if there is nothing to fit.
    fn stage(&self, choice: &Choice, held: usize) -> Option<Stage> {
        let work = select::work_series(self.series, &self.features, held, choice.space, self.shape.season);
        let ridges: Vec<RidgeChoice> =
            choice.base.iter().map(|(ridge, _)| *ridge).chain(choice.stems.iter().copied()).collect();
        let mut members = select::fit_maps(&work, &ridges, &self.candidates(held))?;
        let stems = members.split_off(choice.base.len());
        if members.is_empty() && choice.smoothing == 0 {
            return None;
        }
        let counted = members.into_iter().zip(choice.base.iter().map(|(_, times)| *times)).collect();
        let levels = self.spec.quantile_levels();
        let base = Ensemble::counted(choice.space, counted, choice.smoothing, None, self.terms(), levels);
        Some(Stage { base, stems, work, held })
    }
}
