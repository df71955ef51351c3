//! Rolling-origin backtests: at each cutoff the panel is cut, and what production runs is run on the rest.
//!
//! ```text
//! panel ─▶ cutoffs ─▶ next_window: cut ─▶ Forecaster::fit (by the refit policy) ─▶ predict ─▶ Outcome ─▶ Tally
//! ```
//!
//! Nothing after a cutoff is seen by what forecasts from it: series are cut to the values at or before the cutoff,
//! missing values at their end are trimmed as ingestion does, and a series that only begins later does not exist.

use crate::evaluation::cutoffs::{self, Known, Window};
use crate::evaluation::score::{Case, Scale, Tally};
use crate::evaluation::spec::{BacktestError, BacktestSpec, Refit};
use crate::model::forecaster::{Control, Forecaster, ModelError};
use crate::model::report::{Progress, Unit};
use crate::model::season;
use crate::model::spec::{ModelKind, ModelSpec};
use crate::series::{Forecasts, Frequency, Panel, Series, SeriesForecast};
use ndarray::s;
use std::collections::BTreeMap;
use std::time::Instant;

/// One forecast of one series from one cutoff, and what came.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Which model was asked.
    pub model: ModelKind,
    /// Number of the window, from 1 on, the oldest first.
    pub window: usize,
    /// Instant up to which values were known, microseconds UTC; the forecast's own cutoff is earlier where the last of
    /// them were missing.
    pub cutoff: i64,
    /// The forecast of gap and horizon (G + H steps).
    pub forecast: SeriesForecast,
    /// What came (G + H); `NaN` where nothing was observed.
    pub actual: Vec<f64>,
    /// Steps at its beginning that are not scored (G).
    pub gap: usize,
    /// What its errors are divided by.
    pub scale: Scale,
}

/// What became of one model.
#[derive(Clone)]
pub struct ModelResult {
    /// Which one.
    pub model: ModelKind,
    /// Its scores.
    pub tally: Tally,
    /// Fits.
    pub fits: usize,
    /// Seconds of all fits.
    pub fit_seconds: f64,
    /// Seconds of all predictions.
    pub predict_seconds: f64,
    /// How many forecasts each forecaster made that served in its name, by published name.
    pub served: BTreeMap<String, usize>,
    /// Sum over forecasts of the weights of what they are averages of, by published name.
    weights: BTreeMap<String, f64>,
    /// What went wrong and was dealt with, one line each.
    pub notes: Vec<String>,
    fitted: Option<Forecaster>,
}

/// What production does with forecasts of a panel before it publishes them; or why it would not.
pub type Finish<'a> = &'a dyn Fn(Forecasts, &Panel, &ModelSpec) -> Result<Forecasts, String>;

/// A backtest under way.
pub struct Backtest<'a> {
    panel: &'a Panel,
    spec: &'a BacktestSpec,
    /// Oldest first.
    windows: Vec<Window>,
    next: usize,
    /// Season length of each frequency, found in what is known at its first cutoff.
    seasons: BTreeMap<String, usize>,
    /// In the order in which they run: seasonal naive first, for the others are held against it.
    models: Vec<ModelResult>,
    finish: Finish<'a>,
}

impl<'a> Backtest<'a> {
    /// Finds the windows; nothing is fitted yet.
    ///
    /// # Errors
    /// If the panel is empty, or shorter than the windows asked for.
    pub fn new(panel: &'a Panel, spec: &'a BacktestSpec) -> Result<Backtest<'a>, BacktestError> {
        if panel.series.is_empty() {
            return Err(ModelError::EmptyPanel.into());
        }
        let windows = cutoffs::windows(panel, spec)?;
        let mut kinds: Vec<ModelKind> = spec.models.iter().map(ModelSpec::kind).collect();
        kinds.sort_by_key(|kind| *kind != ModelKind::SeasonalNaive);
        let model = |kind: ModelKind| {
            let (quantiles, levels) = (spec.models[0].quantile_levels(), spec.models[0].levels());
            ModelResult {
                model: kind,
                tally: Tally::new(quantiles, levels),
                fits: 0,
                fit_seconds: 0.0,
                predict_seconds: 0.0,
                served: BTreeMap::new(),
                weights: BTreeMap::new(),
                notes: Vec::new(),
                fitted: None,
            }
        };
        let models = kinds.into_iter().map(model).collect();
        let finish: Finish<'a> = &|forecasts, _, _| Ok(forecasts);
        Ok(Backtest { panel, spec, windows, next: 0, seasons: BTreeMap::new(), models, finish })
    }

    /// The same with forecasts finished as production does; those of seasonal naive, which all are held against, stay as they
    /// are.
    pub fn finished_by(self, finish: Finish<'a>) -> Backtest<'a> {
        Backtest { finish, ..self }
    }

    /// Works the next window, the oldest first: one outcome per model and series that something comes after, ascending by
    /// model as they run and by series. `None` after the last one.
    ///
    /// A fit that fails is noted; the model has no forecasts then until it is fitted again.
    ///
    /// # Errors
    /// If a fit is told to stop.
    pub fn next_window(&mut self, watch: &dyn Fn(Progress)) -> Result<Option<Vec<Outcome>>, BacktestError> {
        let Some(window) = self.windows.get(self.next) else { return Ok(None) };
        let number = self.next + 1;
        let known = cutoffs::cut(self.panel, window, self.spec.sliding);
        self.find_seasons(&known);
        let fits = match self.spec.refit {
            Refit::Always => true,
            Refit::Never => self.next == 0,
            Refit::Every(windows) => self.next.is_multiple_of(windows.max(1)),
        };
        let mut outcomes: Vec<Outcome> = Vec::new();
        let mut naive: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
        for place in 0..self.models.len() {
            let (done, total) =
                (self.next * self.models.len() + place, self.windows.len() * self.models.len());
            watch(Progress::of("backtesting", done, total, Unit::Fits).in_cycles(self.models.len()));
            let spec = self.spec.models.iter().find(|spec| spec.kind() == self.models[place].model);
            let Some(spec) = spec else { continue };
            let Some(forecasts) = self.models[place].forecast(&known, spec, fits, number, self.finish)?
            else {
                continue;
            };
            for (series, outcome) in self.outcomes(forecasts, place, number) {
                if self.models[place].model == ModelKind::SeasonalNaive {
                    naive.insert(series, outcome.forecast.point.clone());
                }
                if let Some(naive) = naive.get(&series) {
                    self.models[place].add(&outcome, naive);
                }
                outcomes.push(outcome);
            }
        }
        self.next += 1;
        Ok(Some(outcomes))
    }

    /// The season length of every frequency that has none yet.
    fn find_seasons(&mut self, known: &Panel) {
        let declared = self.spec.models.iter().find_map(ModelSpec::season_length);
        let mut groups: BTreeMap<String, (Frequency, Vec<&Series>)> = BTreeMap::new();
        for series in &known.series {
            let group = groups.entry(series.frequency.to_string());
            group.or_insert_with(|| (series.frequency, Vec::new())).1.push(series);
        }
        for (name, (frequency, series)) in groups {
            self.seasons.entry(name).or_insert_with(|| {
                declared.unwrap_or_else(|| season::detect(&series, &frequency.season_lengths()))
            });
        }
    }

    /// What came of the forecasts of a model, for the series that something comes after; with their places in the panel.
    fn outcomes(&self, forecasts: Vec<SeriesForecast>, place: usize, number: usize) -> Vec<(usize, Outcome)> {
        let scored = self.windows[self.next].iter().filter(|known| known.is_scored);
        let mut forecasts = forecasts.into_iter().peekable();
        let outcome = |known: &Known| {
            let series = &self.panel.series[known.series];
            // Both ascend by id.
            while forecasts.peek()?.unique_id < series.unique_id {
                forecasts.next();
            }
            let forecast = forecasts.next_if(|forecast| forecast.unique_id == series.unique_id)?;
            let actual = |time| match series.times.binary_search(time) {
                Ok(at) => series.actual(at),
                Err(_) => f64::NAN,
            };
            let season = self.seasons.get(&series.frequency.to_string()).copied().unwrap_or(1);
            let outcome = Outcome {
                model: self.models[place].model,
                window: number,
                cutoff: known.cutoff,
                actual: forecast.times.iter().map(actual).collect(),
                forecast,
                gap: self.spec.gap,
                scale: Scale::of(&series.values[..known.steps], season),
            };
            Some((known.series, outcome))
        };
        scored.filter_map(outcome).collect()
    }

    /// The cutoff of each window so far, the latest where series have their own, microseconds UTC.
    pub fn cutoffs(&self) -> Vec<i64> {
        let latest = |window: &Window| window.iter().map(|known| known.cutoff).max();
        self.windows.iter().filter_map(latest).collect()
    }

    /// Series that something comes after in no window.
    pub fn left_out(&self) -> Vec<&'a str> {
        let mut is_scored = vec![false; self.panel.series.len()];
        let scored = self.windows.iter().flatten().filter(|known| known.is_scored);
        scored.for_each(|known| is_scored[known.series] = true);
        let left = self.panel.series.iter().zip(is_scored).filter(|(_, is_scored)| !is_scored);
        left.map(|(series, _)| series.unique_id.as_str()).collect()
    }

    /// Season length of each frequency in steps: what errors are scaled by.
    pub fn seasons(&self) -> &BTreeMap<String, usize> {
        &self.seasons
    }

    /// What became of each model, in the order of the settings.
    pub fn results(mut self) -> Vec<ModelResult> {
        let order =
            |result: &ModelResult| self.spec.models.iter().position(|spec| spec.kind() == result.model);
        self.models.sort_by_key(order);
        self.models
    }
}

impl ModelResult {
    /// What its forecasts are averages of, with mean weights, the heaviest first.
    pub fn weights(&self) -> Vec<(String, f64)> {
        let forecasts = self.served.values().sum::<usize>().max(1) as f64;
        let mean = |(name, sum): (&String, &f64)| (name.clone(), sum / forecasts);
        let mut all: Vec<(String, f64)> = self.weights.iter().map(mean).collect();
        all.sort_by(|a, b| b.1.total_cmp(&a.1));
        all
    }

    /// Forecasts a cut panel, ascending by id, after a fit where it is time for one; `None` without a fitted model.
    fn forecast(
        &mut self,
        known: &Panel,
        spec: &ModelSpec,
        fits: bool,
        window: usize,
        finish: Finish<'_>,
    ) -> Result<Option<Vec<SeriesForecast>>, BacktestError> {
        if fits || self.fitted.is_none() {
            let start = Instant::now();
            let deadline = spec.budget().and_then(|budget| start.checked_add(budget));
            match Forecaster::fit(known, spec, &Control { deadline, ..Control::watched(&|_| {}) }) {
                Ok(fitted) => {
                    let notes = fitted.reports.iter().flat_map(|report| &report.notes);
                    self.notes.extend(notes.map(|note| format!("window {window}: {note}")));
                    if fitted.reports.iter().any(|report| report.budget_exhausted) {
                        self.notes.push(format!("window {window}: the budget ended training early"));
                    }
                    self.fitted = Some(fitted.forecaster);
                    self.fits += 1;
                }
                Err(ModelError::Stopped) => return Err(ModelError::Stopped.into()),
                Err(error) => {
                    self.notes.push(format!("window {window}: {error}"));
                    self.fitted = None;
                }
            }
            self.fit_seconds += start.elapsed().as_secs_f64();
        }
        let Some(fitted) = &self.fitted else { return Ok(None) };
        let start = Instant::now();
        let mut forecasts = Ok(fitted.predict(known));
        if self.model != ModelKind::SeasonalNaive {
            forecasts = forecasts.and_then(|forecasts| finish(forecasts, known, spec));
        }
        let forecasts = match forecasts {
            Ok(forecasts) => forecasts.series,
            Err(error) => {
                self.notes.push(format!("window {window}: {error}"));
                return Ok(None);
            }
        };
        self.predict_seconds += start.elapsed().as_secs_f64();
        Ok(Some(forecasts))
    }

    fn add(&mut self, outcome: &Outcome, naive: &[f64]) {
        *self.served.entry(outcome.forecast.model_id.clone()).or_default() += 1;
        for (name, weight) in &outcome.forecast.weights {
            *self.weights.entry(name.clone()).or_default() += weight;
        }
        let gap = outcome.gap;
        self.tally.add(&Case {
            unique_id: &outcome.forecast.unique_id,
            actual: &outcome.actual[gap..],
            point: &outcome.forecast.point[gap..],
            quantiles: outcome.forecast.quantiles.slice(s![gap.., ..]),
            naive: &naive[gap..],
            scale: outcome.scale,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::spec::Align;
    use crate::evaluation::test_data::{DAY, panel, series, spec};

    fn run(panel: &Panel, spec: &BacktestSpec) -> (Vec<Outcome>, Vec<ModelResult>) {
        let mut backtest = Backtest::new(panel, spec).expect("windows");
        let mut outcomes = Vec::new();
        while let Some(window) = backtest.next_window(&|_| {}).expect("never stopped") {
            outcomes.extend(window);
        }
        (outcomes, backtest.results())
    }

    /// A week with noise that no seed decides.
    fn wave(steps: usize, shift: usize) -> Vec<f64> {
        (0..steps).map(|t| 20.0 + ((t + shift) % 7) as f64 + (t * t % 11) as f64 / 4.0).collect()
    }

    fn two_meters() -> Panel {
        let mut holey = wave(90, 3);
        holey[70..76].fill(f64::NAN);
        panel(vec![series("a", 0, wave(100, 0)), series("b", 10, holey)])
    }

    #[test]
    fn every_model_forecasts_every_window_of_every_series() {
        let spec = spec(3, 5);
        let (outcomes, results) = run(&two_meters(), &spec);
        assert_eq!(outcomes.len(), spec.models.len() * 2 * 3);
        assert!(outcomes.iter().all(|outcome| outcome.forecast.times.len() == 5));
        let kinds: Vec<ModelKind> = results.iter().map(|result| result.model).collect();
        assert_eq!(kinds, spec.models.iter().map(ModelSpec::kind).collect::<Vec<_>>());
        let naive = results.iter().find(|result| result.model == ModelKind::SeasonalNaive).expect("there");
        assert_eq!(naive.tally.scores().skill, Some(0.0));
        assert_eq!((naive.fits, naive.served["seasonal_naive"]), (3, 6));
        let last: Vec<f64> = two_meters().series[0].values[95..].to_vec();
        assert_eq!(outcomes.last().map(|one| one.window), Some(3));
        assert!(outcomes.iter().any(|one| one.forecast.unique_id == "a" && one.actual == last));
    }

    #[test]
    fn nothing_after_a_cutoff_changes_a_forecast() {
        let spec = spec(3, 5);
        let clean = run(&two_meters(), &spec).0;
        for window in 1..=3 {
            let cutoff = clean.iter().find(|one| one.window == window).expect("there").cutoff;
            for poison in [f64::NAN, 1e9] {
                let mut panel = two_meters();
                for series in &mut panel.series {
                    let end = series.values.len() - 1;
                    let after = series.times.partition_point(|&time| time <= cutoff);
                    series.values[after..end].fill(poison);
                }
                let poisoned = run(&panel, &spec).0;
                let until = |all: &[Outcome]| {
                    let known = all.iter().filter(|one| one.window <= window);
                    known
                        .map(|one| format!("{:?} {:?} {:?}", one.model, one.forecast, one.scale))
                        .collect::<Vec<_>>()
                };
                assert_eq!(until(&poisoned), until(&clean), "window {window}, {poison}");
            }
        }
    }

    #[test]
    fn the_refit_policy_counts_fits_and_never_refits_nothing() {
        let fits = |refit| {
            let spec = BacktestSpec { refit, ..spec(5, 3) };
            run(&two_meters(), &spec).1.iter().map(|result| result.fits).max()
        };
        let counts = [Refit::Always, Refit::Never, Refit::Every(2), Refit::Every(9)].map(fits);
        assert_eq!(counts, [Some(5), Some(1), Some(3), Some(1)]);
    }

    #[test]
    fn a_gap_is_forecast_and_not_scored() {
        let gapped = BacktestSpec { gap: 2, ..spec(1, 3) };
        let models = gapped.models.iter().map(|model| model.clone().with_horizon(5).expect("valid"));
        let gapped = BacktestSpec { models: models.collect(), ..gapped };
        let (outcomes, results) = run(&two_meters(), &gapped);
        assert_eq!((outcomes[0].forecast.times.len(), outcomes[0].gap), (5, 2));
        assert_eq!(results[0].tally.scores().points, 6);
        assert_eq!(outcomes[0].cutoff, 94 * DAY);
        assert_eq!(outcomes[0].forecast.times[2], 97 * DAY);
    }

    #[test]
    fn a_sliding_window_forgets_what_is_older() {
        let sliding = BacktestSpec { sliding: Some(30), align: Align::End, ..spec(1, 3) };
        let mut changed = two_meters();
        changed.series.iter_mut().for_each(|series| series.values[..40].fill(1e6));
        let forecasts = |panel: &Panel| {
            run(panel, &sliding).0.into_iter().map(|one| format!("{:?}", one.forecast)).collect::<Vec<_>>()
        };
        assert_eq!(forecasts(&changed), forecasts(&two_meters()));
        let all = BacktestSpec { sliding: None, ..sliding.clone() };
        assert_ne!(format!("{:?}", run(&changed, &all).0), format!("{:?}", run(&two_meters(), &all).0));
    }

    #[test]
    fn series_that_end_early_are_named() {
        let panel = panel(vec![series("a", 0, wave(60, 0)), series("old", 0, wave(30, 0))]);
        let spec = spec(2, 5);
        let backtest = Backtest::new(&panel, &spec).expect("windows");
        assert_eq!(backtest.left_out(), ["old"]);
        assert_eq!(backtest.cutoffs(), [49 * DAY, 54 * DAY]);
    }
}
