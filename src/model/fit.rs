//! Training of one group of series, all of one frequency: the story, straight down.

use std::time::Instant;

use ndarray::{Array3, ArrayView3, Axis};

use crate::model::baseline;
use crate::model::control::{Conditions, Stopped};
use crate::model::ensemble::Ensemble;
use crate::model::exam::Exam;
use crate::model::gate;
use crate::model::group::{Group, Served};
use crate::model::learn::{Learnt, Lesson};
use crate::model::member::Member;
use crate::model::plan::{Plan, Shape};
use crate::model::report::{FitReport, HoldoutScore, Progress};
use crate::model::season;
use crate::model::select::{self, Candidates, Choice};
use crate::model::spec::{ModelKind, ModelSpec, tails};
use crate::model::validation::{self, Validation, long_enough};
use crate::model::work::{Space, WorkSeries};
use crate::series::{Frequency, Series};

/// Error relative to seasonal naive up to which a model serves: on a random walk nothing is better than naive,
/// and a model that is as good has at least learnt its intervals.
const ERROR_MAX: f64 = 1.02;

/// Error relative to seasonal naive from which on the ratio says more about seasonal naive than about the model.
const EXACT: f64 = 10.0;

/// Share of the budget that may go into choosing the base; the rest is for the networks.
const CHOICE_SHARE: f64 = 0.25;

/// Trains one group.
///
/// # Errors
/// If the fit is to stop.
pub fn fit(
    series: &[&Series],
    frequency: Frequency,
    spec: &ModelSpec,
    conditions: &Conditions,
) -> Result<(Group, FitReport), Stopped> {
    let fit = Fit::new(series, frequency, spec, conditions);
    match spec.kind() {
        ModelKind::Naive | ModelKind::SeasonalNaive | ModelKind::Ets | ModelKind::Mstl => {
            Ok(fit.baseline(false, None))
        }
        ModelKind::Auto | ModelKind::S4d | ModelKind::Ridge => fit.model(),
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
        let shape = Shape {
            series: series.len(),
            length: lengths[lengths.len() / 2],
            season,
            horizon: spec.horizon(),
            weekly: frequency == Frequency::Days { days: 7 },
        };
        let plan = Plan::new(&shape);
        let tail = plan.tail_origins * shape.horizon;
        let held = tail + plan.validation_origins * shape.horizon;
        let name = frequency.to_string();
        Fit { series, frequency, name, spec, conditions, shape, plan, tail, held }
    }

    /// Ridge maps, a network on each if it pays, seasonal naive if nothing does.
    fn model(&self) -> Result<(Group, FitReport), Stopped> {
        let (spec, shape) = (self.spec, &self.shape);
        let history = self.history();
        let validation = Validation::new(
            self.series,
            self.plan.validation_origins,
            self.tail,
            shape.horizon,
            shape.season,
            history,
        );
        (self.conditions.watch)(Progress { stage: "choosing the base", done: 0, total: 1 });
        let choice = self.choose(&validation)?;
        let Some(early) = self.stage(&choice, self.held) else {
            let (length, horizon) = (shape.length, shape.horizon);
            let reason =
                format!("too short to learn from: {length} steps at the median for horizon {horizon}");
            return Ok(self.baseline(true, reason));
        };
        if spec.kind() == ModelKind::Auto && validation.is_empty() {
            let reason = "too short to check a model against seasonal naive".to_owned();
            return Ok(self.baseline(true, reason));
        }
        let explored = self.explore(&choice, &early, &validation)?;
        let share = self.share(&early, &explored, &validation);
        let mut judged = mix(&early, &explored, share);
        let error = validation::mean(&validation.relative(&judged, &early.work));
        if spec.kind() == ModelKind::Auto && error > ERROR_MAX {
            let reason = if error > EXACT {
                "seasonal naive is nearly exact here".to_owned()
            } else {
                format!("a trained model was {:.1} % worse than seasonal naive", 100.0 * (error - 1.0))
            };
            return Ok(self.baseline(false, reason));
        }
        self.conditions.go_on()?;
        judged.width = validation.best_width(&judged, &early.work);
        let holdout = self.holdout(self.plan.tail_origins, history, |exam| {
            judged.forecast(&exam.pick(&early.work), &exam.origins)
        });
        self.conditions.go_on()?;
        let (served, refit_notes) = self.serve(&choice, &explored, share, &judged)?;
        let is_refitted = refit_notes.is_empty();

        let mut notes: Vec<String> =
            explored.iter().flat_map(|learnt| learnt.notes.iter().cloned()).collect();
        notes.extend(refit_notes);
        // A network may have been thrown away for its best step was the first, or for it diverged.
        let has_network = served.has_network();
        let history_min = served.history_min();
        let report = FitReport {
            lookbacks: choice.ridges.iter().map(|ridge| ridge.geometry.lookback).collect(),
            log_space: choice.space == Space::Log,
            parameters: served.parameters(),
            steps: if has_network { explored.iter().map(|learnt| learnt.steps).sum() } else { 0 },
            steps_tried: explored.iter().map(|learnt| learnt.steps_tried).sum(),
            gate: if has_network { share } else { 0.0 },
            fallbacks: self.series.iter().filter(|series| series.values.len() < history_min).count(),
            notes,
            budget_exhausted: !is_refitted && self.conditions.is_over()
                || explored.iter().any(|learnt| learnt.is_cut),
            holdout,
            ..self.report(if has_network { "s4d" } else { "ridge" })
        };
        Ok((self.group(Served::Ensemble(Box::new(served)), report.model_id), report))
    }

    /// Steps that a series needs before an origin to be examined there.
    fn history(&self) -> usize {
        let shortest = self.plan.members.iter().map(|member| member.lookback / 3).min();
        shortest.unwrap_or(1).max(self.shape.season)
    }

    /// The base: that of an interrupted fit if there is one, for with a budget it depends on the clock.
    fn choose(&self, validation: &Validation) -> Result<Choice, Stopped> {
        let candidates = Candidates {
            series: self.series,
            members: &self.plan.members,
            season: self.shape.season,
            horizon: self.shape.horizon,
            held: self.held,
            seed: self.spec.seed(),
        };
        let known = self.conditions.journal.borrow().choice(&self.name);
        if let Some(choice) = known.filter(|choice| candidates.allow(choice)) {
            return Ok(choice);
        }
        let until = self.conditions.deadline.map(|deadline| {
            let now = Instant::now();
            now + deadline.saturating_duration_since(now).mul_f64(CHOICE_SHARE)
        });
        let is_over = || self.conditions.is_stopped() || until.is_some_and(|until| Instant::now() >= until);
        let choice = select::choose(&candidates, validation, &is_over);
        // A choice that was cut short is none.
        self.conditions.go_on()?;
        self.conditions.journal.borrow_mut().chosen(&self.name, &choice);
        Ok(choice)
    }

    /// The chosen ridge maps, fitted to everything but the last `held` steps; `None` if there is nothing to fit.
    fn stage(&self, choice: &Choice, held: usize) -> Option<Stage> {
        let work = select::work_series(self.series, held, choice.space, self.shape.season);
        let levels = self.spec.quantile_levels();
        let fit = |ridge| select::fit_ridge(&work, ridge, held, levels, self.spec.seed());
        let ridges: Vec<Member> = choice.ridges.iter().map(fit).collect::<Option<_>>()?;
        let is_usable = !ridges.is_empty();
        is_usable.then(|| Stage { ridge: Ensemble::equal(choice.space, ridges, levels), work, held })
    }

    /// A network on every ridge map, stopped where it did best on the validation origins.
    fn explore(
        &self,
        choice: &Choice,
        stage: &Stage,
        validation: &Validation,
    ) -> Result<Vec<Learnt>, Stopped> {
        if self.spec.kind() == ModelKind::Ridge {
            return Ok(Vec::new());
        }
        let names = self.names();
        let lesson = self.lesson(choice, stage, &names, "training");
        let members = stage.ridge.members.iter().enumerate();
        members.map(|(index, (member, _))| lesson.explore(member, index, validation)).collect()
    }

    /// Share of the networks in the forecast.
    fn share(&self, stage: &Stage, explored: &[Learnt], validation: &Validation) -> f64 {
        match self.spec.kind() {
            ModelKind::S4d => 1.0,
            _ if explored.iter().all(|learnt| learnt.steps == 0) => 0.0,
            _ => {
                let trained = mix(stage, explored, 1.0);
                gate::judge(&stage.ridge, &trained, validation, &stage.work, self.plan.is_panel)
            }
        }
    }

    /// The judged ensemble trained again on everything, or as it is with the reasons that prevented that.
    fn serve(
        &self,
        choice: &Choice,
        explored: &[Learnt],
        share: f64,
        judged: &Ensemble,
    ) -> Result<(Ensemble, Vec<String>), Stopped> {
        let out_of_time =
            || format!("the budget ended before the last {} steps of each series were learnt", self.held);
        let Some(full) = (!self.conditions.is_over()).then(|| self.stage(choice, 0)).flatten() else {
            return Ok((judged.clone(), vec![out_of_time()]));
        };
        let mut learnt = Vec::new();
        if share > 0.0 {
            let names = self.names();
            let lesson = self.lesson(choice, &full, &names, "training on everything");
            let members = full.ridge.members.iter().zip(explored).enumerate();
            for (index, ((member, _), explored)) in members {
                learnt.push(lesson.repeat(member, index, explored)?);
            }
        }
        if learnt.iter().any(|learnt| learnt.is_cut) {
            return Ok((judged.clone(), vec![out_of_time()]));
        }
        if learnt.iter().zip(explored).any(|(learnt, explored)| learnt.steps < explored.steps) {
            return Ok((judged.clone(), learnt.into_iter().flat_map(|learnt| learnt.notes).collect()));
        }
        Ok((Ensemble { width: judged.width, ..mix(&full, &learnt, share) }, Vec::new()))
    }

    fn lesson<'b>(
        &'b self,
        choice: &'b Choice,
        stage: &'b Stage,
        names: &'b [&'b str],
        label: &'static str,
    ) -> Lesson<'b> {
        Lesson {
            shape: &self.shape,
            recipe: self.plan.recipe,
            choice,
            work: &stage.work,
            names,
            held: stage.held,
            levels: self.spec.quantile_levels(),
            seed: self.spec.seed(),
            conditions: self.conditions,
            group: &self.name,
            label,
        }
    }

    fn names(&self) -> Vec<&str> {
        self.series.iter().map(|series| series.unique_id.as_str()).collect()
    }

    /// Seasonal naive for every series, and why.
    fn baseline(&self, is_fallback: bool, note: impl Into<Option<String>>) -> (Group, FitReport) {
        let (season, horizon) = (self.shape.season, self.shape.horizon);
        let levels = self.spec.quantile_levels();
        let holdout = self.holdout(self.plan.tail_origins.max(1), season + 1, |exam| {
            let mut quantiles = Array3::zeros((exam.series.len(), horizon, levels.len()));
            for ((mut sample, &index), &origin) in
                quantiles.outer_iter_mut().zip(&exam.series).zip(&exam.origins)
            {
                let history = &self.series[index].values[..origin];
                sample.assign(&baseline::seasonal_naive(history, season, horizon, levels));
            }
            quantiles
        });
        let model_id = if season > 1 { "seasonal_naive" } else { "naive" };
        let fallbacks = if is_fallback { self.series.len() } else { 0 };
        let notes = note.into().into_iter().collect();
        let report = FitReport { fallbacks, notes, holdout, ..self.report(model_id) };
        (self.group(Served::SeasonalNaive { is_fallback }, model_id), report)
    }

    /// Scores forecasts of the last `origins` horizons of each series, which nothing was trained or chosen on; `None`
    /// where there are none.
    fn holdout(
        &self,
        origins: usize,
        history: usize,
        forecast: impl Fn(&Exam) -> Array3<f64>,
    ) -> Option<HoldoutScore> {
        let (horizon, season) = (self.shape.horizon, self.shape.season);
        let levels = self.spec.quantile_levels();
        let position =
            |level: f64| levels.iter().position(|&l| l == level).expect("tails are among the levels");
        let exams: Vec<(Exam, Array3<f64>)> = (1..=origins)
            .map(|origin| origin * horizon)
            .map(|back| (back, long_enough(self.series, back + history)))
            .filter(|(_, chosen)| !chosen.is_empty())
            .map(|(back, chosen)| Exam::new(self.series, &chosen, back, horizon, season))
            .filter(Exam::has_actuals)
            .map(|exam| {
                let quantiles = forecast(&exam);
                (exam, quantiles)
            })
            .collect();
        let (latest, _) = exams.first()?;
        let mean = |of: &dyn Fn(&Exam, ArrayView3<f64>) -> f64| {
            let figures: Vec<f64> =
                exams.iter().map(|(exam, quantiles)| of(exam, quantiles.view())).collect();
            validation::mean(&figures)
        };
        let own = |exam: &Exam, quantiles: ArrayView3<f64>| {
            exam.accuracy(quantiles.index_axis_move(Axis(2), position(0.5)))
        };
        let coverage = |&level: &f64| {
            let [lower, upper] = tails(level).map(position);
            (level, mean(&|exam, quantiles| exam.coverage(quantiles, lower, upper)))
        };
        let is_positive = exams.iter().all(|(exam, _)| exam.is_positive);
        Some(HoldoutScore {
            series: latest.series.len(),
            horizon,
            origins: exams.len(),
            mase: mean(&|exam, quantiles| own(exam, quantiles).mase),
            mase_seasonal_naive: mean(&|exam, _| exam.naive.mase),
            smape: is_positive.then(|| mean(&|exam, quantiles| own(exam, quantiles).smape)),
            smape_seasonal_naive: is_positive.then(|| mean(&|exam, _| exam.naive.smape)),
            coverage: self.spec.levels().iter().map(coverage).collect(),
        })
    }

    fn group(&self, served: Served, model_id: &'static str) -> Group {
        Group { frequency: self.frequency, season: self.shape.season, served, model_id }
    }

    /// A report without figures.
    fn report(&self, model_id: &'static str) -> FitReport {
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
            gate: 0.0,
            fallbacks: 0,
            notes: Vec::new(),
            budget_exhausted: false,
            holdout: None,
        }
    }
}

/// The group in work space with the ridge maps fitted to everything but the last `held` steps.
struct Stage {
    work: Vec<WorkSeries>,
    ridge: Ensemble,
    held: usize,
}

/// The ridge maps and what was learnt on them, in the given share.
fn mix(stage: &Stage, learnt: &[Learnt], share: f64) -> Ensemble {
    if share == 0.0 {
        return stage.ridge.clone();
    }
    let members = learnt.iter().map(|learnt| learnt.member.clone()).collect();
    stage.ridge.blend(&Ensemble::equal(stage.ridge.space, members, &stage.ridge.levels), share)
}
