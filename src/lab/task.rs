//! One horizon of a benchmark: the panel, what is trained on, and the origins that are forecast from.

use crate::lab::data::Loaded;
use crate::lab::spec::{Align, FitOn, Kind, Pipeline};
use crate::lab::split::Split;
use crate::series::{Panel, Series};
use std::collections::HashMap;

/// Which steps of a panel are trained on, and from where they are forecast. Counts are of the steps of each series, in the
/// order of the panel.
#[derive(Clone, Debug)]
pub struct Task {
    /// All that may ever be seen or scored; scaled where windows roll.
    pub panel: Panel,
    /// Steps of each series that are trained on.
    pub trained: Vec<usize>,
    /// Steps of each series whose errors of seasonal naive scale its errors: those of the training part.
    pub scaled_by: Vec<usize>,
    /// Steps of each series that are visible from the first origin.
    pub first: Vec<usize>,
    /// Steps from one origin to the next.
    pub step: usize,
    /// Number of origins.
    pub origins: usize,
    /// Steps of a forecast.
    pub horizon: usize,
}

impl Task {
    /// The task of a benchmark for one horizon; every problem of the data otherwise.
    pub(super) fn new(pipeline: &Pipeline, loaded: &Loaded, horizon: usize) -> Result<Task, Vec<String>> {
        let panel = &loaded.panel;
        match &pipeline.kind {
            Kind::Rolling { split, stride, fit_on } => rolling(panel, *split, *stride, *fit_on, horizon),
            Kind::OneOrigin { .. } => {
                let held = |series: &Series| series.values.len().saturating_sub(horizon);
                let trained = loaded.trained.clone();
                let first = trained.unwrap_or_else(|| panel.series.iter().map(held).collect());
                holdout(panel.clone(), first, horizon, horizon, 1)
            }
            Kind::Holdout { test_rows, step, align } => {
                let step = step.unwrap_or(horizon);
                let origins = (test_rows - horizon) / step + 1;
                let first = match align {
                    Align::End => {
                        let held = |series: &Series| series.values.len().saturating_sub(*test_rows);
                        panel.series.iter().map(held).collect()
                    }
                    Align::Calendar => before_the_end(panel, *test_rows),
                };
                holdout(panel.clone(), first, horizon, step, origins)
            }
        }
    }

    /// What is trained on.
    pub fn training(&self) -> Panel {
        self.cut(|index| self.trained[index])
    }

    /// What is known at an origin.
    pub fn known_at(&self, origin: usize) -> Panel {
        self.cut(|index| self.steps_to(index, origin))
    }

    /// Steps of a series up to an origin; a series may end before it.
    pub fn steps_to(&self, index: usize, origin: usize) -> usize {
        self.first[index] + origin * self.step
    }

    /// What a series does after an origin (T); `NaN` where nothing was observed.
    pub fn actual(&self, index: usize, origin: usize) -> Vec<f64> {
        let (values, start) = (&self.panel.series[index].values, self.steps_to(index, origin));
        (start..start + self.horizon).map(|at| values.get(at).copied().unwrap_or(f64::NAN)).collect()
    }

    /// The panel with that many steps of each series, less those at the end that were not observed, as ingestion gives it;
    /// a series without any is left out.
    fn cut(&self, steps: impl Fn(usize) -> usize) -> Panel {
        let cut = |(index, series): (usize, &Series)| {
            let visible = &series.values[..steps(index).min(series.values.len())];
            let end = visible.iter().rposition(|value| !value.is_nan())? + 1;
            Some(series.cut(0, end))
        };
        Panel {
            id_columns: self.panel.id_columns.clone(),
            covariates: self.panel.covariates.clone(),
            series: self.panel.series.iter().enumerate().filter_map(cut).collect(),
            zone: self.panel.zone.clone(),
            marks: self.panel.marks.clone(),
        }
    }
}

/// Trained once, before the first origin, which lies after `first` steps of each series.
fn holdout(
    panel: Panel,
    first: Vec<usize>,
    horizon: usize,
    step: usize,
    origins: usize,
) -> Result<Task, Vec<String>> {
    let is_short = |&(series, first): &(&Series, &usize)| series.values[..*first].iter().all(|y| y.is_nan());
    let message = |(series, _): (&Series, &usize)| {
        let (id, rows) = (&series.unique_id, series.values.len());
        format!("series {id}: nothing of its {rows} rows lies before the test part")
    };
    let problems: Vec<String> = panel.series.iter().zip(&first).filter(is_short).map(message).collect();
    match problems.is_empty() {
        true => Ok(Task {
            panel,
            trained: first.clone(),
            scaled_by: first.clone(),
            first,
            step,
            origins,
            horizon,
        }),
        false => Err(problems),
    }
}

/// Steps of each series before the last `rows` steps that the longest of its frequency has.
fn before_the_end(panel: &Panel, rows: usize) -> Vec<usize> {
    let mut starts = HashMap::new();
    for series in &panel.series {
        let Some(end) = series.cutoff() else { continue };
        let start = series.times[series.times.len().saturating_sub(rows)];
        let latest = starts.entry(series.frequency).or_insert((end, start));
        *latest = (*latest).max((end, start));
    }
    let start = |series: &Series| starts.get(&series.frequency).map_or(i64::MIN, |(_, start)| *start);
    let before = |series: &Series| series.times.partition_point(|time| *time < start(series));
    panel.series.iter().map(before).collect()
}

/// Every window of the test part, of values scaled by mean and population deviation of the training part.
fn rolling(
    panel: &Panel,
    split: Split,
    stride: usize,
    fit_on: FitOn,
    horizon: usize,
) -> Result<Task, Vec<String>> {
    let Some(reference) = panel.series.first() else { return Err(vec!["there is no series".into()]) };
    let is_other = |series: &&Series| series.times != reference.times;
    let other = |series: &Series| {
        format!(
            "series {}: {} rows on other timestamps than the {} of series {}; rolling windows need one grid",
            series.unique_id,
            series.times.len(),
            reference.times.len(),
            reference.unique_id
        )
    };
    let problems: Vec<String> = panel.series.iter().filter(is_other).map(other).collect();
    if !problems.is_empty() {
        return Err(problems);
    }
    let [train, start, end] =
        split.ends(reference.times.len(), horizon).map_err(|error| vec![format!("split: {error}")])?;
    let mut scaled = Vec::new();
    let mut problems = Vec::new();
    for series in &panel.series {
        match standardize(&series.values[..end], train) {
            Some(values) => scaled.push(Series {
                times: series.times[..end].to_vec(),
                values,
                observations: None,
                ..series.clone()
            }),
            None => problems.push(format!(
                "series {}: its {train} training rows are constant or empty, so it cannot be scaled",
                series.unique_id
            )),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let count = scaled.len();
    let trained = match fit_on {
        FitOn::Train => train,
        FitOn::TrainAndValidation => start,
    };
    Ok(Task {
        panel: Panel { series: scaled, ..panel.clone() },
        trained: vec![trained; count],
        scaled_by: vec![train; count],
        first: vec![start; count],
        step: stride,
        origins: (end - start - horizon) / stride + 1,
        horizon,
    })
}

/// Values less their mean over the first `train` ones, divided by the population deviation of those; `None` where that is 0.
fn standardize(values: &[f64], train: usize) -> Option<Vec<f64>> {
    let observed: Vec<f64> = values[..train].iter().copied().filter(|y| !y.is_nan()).collect();
    let count = observed.len() as f64;
    let mean = observed.iter().sum::<f64>() / count;
    let variance = observed.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / count;
    let deviation = variance.sqrt();
    let is_usable = deviation > 0.0 && deviation.is_finite();
    is_usable.then(|| values.iter().map(|y| (y - mean) / deviation).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::spec::RawPipeline;
    use crate::series::Frequency;
    use jiff::tz::TimeZone;

    fn panel(all: &[(&str, &[f64])]) -> Panel {
        let series = |&(id, values): &(&str, &[f64])| Series {
            unique_id: id.into(),
            keys: vec![id.into()],
            frequency: Frequency::Fixed { micros: 10 },
            times: (1..=values.len() as i64).map(|step| 10 * step).collect(),
            values: values.to_vec(),
            covariates: Vec::new(),
            observations: None,
            filled: Vec::new(),
        };
        let series = all.iter().map(series).collect();
        Panel {
            id_columns: vec!["id".into()],
            series,
            zone: TimeZone::UTC,
            marks: Default::default(),
            covariates: Vec::new(),
        }
    }

    fn task(raw: RawPipeline, panel: Panel, horizon: usize) -> Result<Task, Vec<String>> {
        let raw = RawPipeline { files: vec!["x".into()], horizons: vec![horizon], ..raw };
        let pipeline = Pipeline::try_from(raw).expect("valid");
        let loaded = Loaded { panel, trained: None, files: vec![], rows: 0, fingerprint: String::new() };
        Task::new(&pipeline, &loaded, horizon)
    }

    #[test]
    fn windows_roll_over_scaled_values() {
        let raw = RawPipeline {
            kind: Some("rolling".into()),
            split: Some(Split::Rows([2, 3, 7])),
            stride: Some(2),
            ..RawPipeline::default()
        };
        // Mean 2 and population deviation 1 of the training part 1, 3.
        let values = [1.0, 3.0, 2.0, 4.0, 5.0, 6.0, 7.0, 99.0];
        let task = task(raw.clone(), panel(&[("a", &values)]), 2).expect("fits");
        assert_eq!(task.panel.series[0].values, [-1.0, 1.0, 0.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(task.training().series[0].values, [-1.0, 1.0]);
        assert_eq!((task.origins, task.steps_to(0, 0), task.steps_to(0, 1)), (2, 3, 5));
        assert_eq!(task.actual(0, 1), [4.0, 5.0]);
        assert_eq!(task.known_at(1).series[0].times, [10, 20, 30, 40, 50]);
        let more = RawPipeline { fit_on: Some(FitOn::TrainAndValidation), ..raw.clone() };
        let task = self::task(more, panel(&[("a", &values)]), 2).expect("fits");
        assert_eq!(task.training().series[0].values.len(), 3);
        let constant = self::task(raw, panel(&[("a", &[1.0; 7]), ("b", &[1.0; 8])]), 2);
        assert!(constant.expect_err("two grids")[0].contains("one grid"));
    }

    #[test]
    fn holdouts_end_with_each_series_or_with_the_calendar() {
        let holdout = |align| RawPipeline {
            kind: Some("holdout".into()),
            test_rows: Some(4),
            step: Some(1),
            align: Some(align),
            ..RawPipeline::default()
        };
        let long: Vec<f64> = (0..9).map(f64::from).collect();
        let panel = || panel(&[("a", &long), ("b", &long[..7])]);
        let end = task(holdout(Align::End), panel(), 2).expect("fits");
        assert_eq!((end.first.clone(), end.origins), (vec![5, 3], 3));
        let calendar = task(holdout(Align::Calendar), panel(), 2).expect("fits");
        assert_eq!(calendar.first, [5, 5]);
        assert!(calendar.actual(1, 2).iter().all(|y| y.is_nan()));
        let short = task(holdout(Align::End), self::panel(&[("a", &long[..4])]), 2);
        assert_eq!(short.expect_err("short").len(), 1);
    }

    #[test]
    fn what_is_known_ends_with_an_observation() {
        let nan = f64::NAN;
        let raw = RawPipeline {
            kind: Some("holdout".into()),
            test_rows: Some(3),
            step: Some(1),
            ..RawPipeline::default()
        };
        let task = task(raw, panel(&[("a", &[1.0, nan, nan, 4.0, 5.0])]), 1).expect("fits");
        assert_eq!(task.known_at(1).series[0].values, [1.0]);
        assert_eq!(task.known_at(2).series[0].values.len(), 4);
    }
}
