//! Scores of forecasts whose actuals are known, added up case by case: memory grows with series and steps, not points.

use crate::evaluation::sums::{self, Columns, Sums};
use crate::model::exam;
use crate::model::spec::tails;
use crate::series::metric;
use ndarray::ArrayView2;
use std::collections::BTreeMap;

/// One forecast of one series from one cutoff, and what came.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// Composed id of the series.
    pub unique_id: &'a str,
    /// What came (T); `NaN` where nothing was observed: it does not count.
    pub actual: &'a [f64],
    /// Point forecast (T).
    pub point: &'a [f64],
    /// Quantile forecasts (T, Q), levels as in [`Tally::new`].
    pub quantiles: ArrayView2<'a, f64>,
    /// Point forecast (T) of seasonal naive, for the skill.
    pub naive: &'a [f64],
    /// What errors are divided by.
    pub scale: Scale,
}

/// In-sample errors of seasonal naive over the history before a cutoff, both positive: what scaled errors are relative to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// Mean |y_t − y_{t−m}|, in units of the target.
    pub absolute: f64,
    /// Mean (y_t − y_{t−m})², in its squared units.
    pub squared: f64,
}

impl Scale {
    /// The scale of a history (`NaN` where nothing was observed) with season length m in steps.
    ///
    /// Where seasonal naive makes no error, that of naive stands in, then the size of the values, then 1; see
    /// [`exam::scale`]. Source: Hyndman and Koehler (2006).
    pub fn of(history: &[f64], season: usize) -> Scale {
        let absolute = exam::scale(history, season);
        let at_lag = |lag: usize| {
            let pairs = history.iter().skip(lag).zip(history);
            let squares: Vec<f64> =
                pairs.map(|(now, before)| (now - before).powi(2)).filter(|square| !square.is_nan()).collect();
            squares.iter().sum::<f64>() / squares.len() as f64
        };
        // The lag that the absolute scale was taken at is the one whose scale it is.
        let lag = [season, 1].into_iter().find(|&lag| metric::scale(history, lag) == Some(absolute));
        let squared = lag.map(at_lag).filter(|square| square.is_finite() && *square > 0.0);
        Scale { absolute, squared: squared.unwrap_or(absolute * absolute).clamp(f64::MIN_POSITIVE, f64::MAX) }
    }
}

/// How good forecasts are; `None` where a figure is not defined. Nothing here depends on the order of the cases but for
/// the last bits.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    /// Cases with an actual: forecasts of one series from one cutoff.
    pub windows: usize,
    /// Series with an actual.
    pub series: usize,
    /// Steps with an actual.
    pub points: usize,
    /// Mean absolute scaled error: mean over the points of a series, then over series. Hyndman and Koehler (2006).
    pub mase: Option<f64>,
    /// Root mean squared scaled error of a series, mean over series. Makridakis et al. (2022), the M5 competition.
    pub rmsse: Option<f64>,
    /// Symmetric mean absolute percentage error, percent (0 to 200): mean over points, then over series.
    pub smape: Option<f64>,
    /// Σ |y − ŷ| / Σ |y|.
    pub wape: Option<f64>,
    /// Mean squared error over all points.
    pub mse: Option<f64>,
    /// Mean absolute error over all points.
    pub mae: Option<f64>,
    /// Mean of ŷ − y over all points: positive where forecasts are too high.
    pub bias: Option<f64>,
    /// Weighted quantile loss: 2 Σ pinball / Σ |y|, mean over the nine deciles.
    pub wql: Option<f64>,
    /// Continuous ranked probability score, as twice the mean pinball loss of the nine deciles.
    pub crps: Option<f64>,
    /// The same with each point divided by its scale.
    pub scaled_crps: Option<f64>,
    /// Share of actuals inside each central interval, both ends included: (level in percent, share).
    pub coverage: Vec<(f64, f64)>,
    /// Mean width of each central interval: (level in percent, units of the target).
    pub width: Vec<(f64, f64)>,
    /// Mean scaled interval score: (level in percent, Winkler score / scale). Makridakis et al. (2020), the M4 competition.
    pub msis: Vec<(f64, f64)>,
    /// 1 − MASE / MASE of seasonal naive on the same points: above 0 is better.
    pub skill: Option<f64>,
}

/// Scores under way.
#[derive(Clone, Debug)]
pub struct Tally {
    columns: Columns,
    series: BTreeMap<String, Sums>,
    steps: Vec<Sums>,
}

/// Levels closer than that are the same: quantile levels are rounded to 1e-6.
const SAME_LEVEL: f64 = 5.1e-7;

impl Tally {
    /// Nothing is scored yet. `quantile_levels` (Q) lie in (0, 1), `coverage_levels` are percent; a coverage whose tails
    /// are not among the quantiles is not scored, and neither are WQL and CRPS unless all nine deciles are.
    pub fn new(quantile_levels: &[f64], coverage_levels: &[f64]) -> Tally {
        let column =
            |wanted: f64| quantile_levels.iter().position(|level| (level - wanted).abs() < SAME_LEVEL);
        let deciles = (1..10).map(|tenth| f64::from(tenth) / 10.0);
        let deciles: Option<Vec<_>> = deciles.map(|level| Some((level, column(level)?))).collect();
        let intervals = coverage_levels.iter().filter_map(|&level| {
            let [lower, upper] = tails(level).map(column);
            Some((level, lower?, upper?))
        });
        let columns = Columns { deciles: deciles.unwrap_or_default(), intervals: intervals.collect() };
        Tally { columns, series: BTreeMap::new(), steps: Vec::new() }
    }

    /// Adds a case. One without any actual changes nothing.
    ///
    /// # Panics
    /// If the parts of the case differ in length: a caller's bug, never a property of the data.
    pub fn add(&mut self, case: &Case<'_>) {
        let steps = case.actual.len();
        let lengths = [case.point.len(), case.naive.len(), case.quantiles.nrows()];
        assert!(lengths.iter().all(|&length| length == steps), "{steps} actuals, forecasts {lengths:?}");
        let observed = (0..steps).filter(|&step| !case.actual[step].is_nan());
        let observed: Vec<usize> = observed.collect();
        if observed.is_empty() {
            return;
        }
        let columns = &self.columns;
        while self.steps.len() < steps {
            self.steps.push(Sums::new(columns));
        }
        if !self.series.contains_key(case.unique_id) {
            self.series.insert(case.unique_id.to_owned(), Sums::new(columns));
        }
        let Some(series) = self.series.get_mut(case.unique_id) else { return };
        series.add_window();
        for step in observed {
            series.add(case, step, columns);
            self.steps[step].add_window();
            self.steps[step].add(case, step, columns);
        }
    }

    /// Adds what another tally of the same levels has.
    pub fn merge(mut self, other: Tally) -> Tally {
        for (unique_id, sums) in other.series {
            match self.series.get_mut(&unique_id) {
                Some(own) => own.merge(&sums),
                None => drop(self.series.insert(unique_id, sums)),
            }
        }
        for (step, sums) in other.steps.into_iter().enumerate() {
            match self.steps.get_mut(step) {
                Some(own) => own.merge(&sums),
                None => self.steps.push(sums),
            }
        }
        self
    }

    /// The scores of everything.
    pub fn scores(&self) -> Scores {
        sums::scores(self.series.values(), &self.columns)
    }

    /// The scores of each series, ascending by id.
    pub fn by_series(&self) -> Vec<(String, Scores)> {
        let scores = |sums| sums::scores([sums], &self.columns);
        self.series.iter().map(|(unique_id, sums)| (unique_id.clone(), scores(sums))).collect()
    }

    /// The scores of each segment, ascending by name; `segment` names the one that a series belongs to.
    pub fn by_segment<'a>(&self, segment: impl Fn(&str) -> &'a str) -> Vec<(String, Scores)> {
        let mut segments: BTreeMap<&str, Vec<&Sums>> = BTreeMap::new();
        for (unique_id, sums) in &self.series {
            segments.entry(segment(unique_id)).or_default().push(sums);
        }
        let scores = |sums: Vec<&Sums>| sums::scores(sums, &self.columns);
        segments.into_iter().map(|(name, sums)| (name.to_owned(), scores(sums))).collect()
    }

    /// The scores of each step ahead (T). All means are over the points of a step, also those that are otherwise means
    /// over series; `series` is the number of all of them.
    pub fn by_step(&self) -> Vec<Scores> {
        let of = |sums| Scores { series: self.series.len(), ..sums::scores([sums], &self.columns) };
        self.steps.iter().map(of).collect()
    }
}
