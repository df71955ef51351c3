//! The score of the tail: last horizons of each series that nothing was trained or chosen on.

use std::collections::BTreeMap;

use ndarray::{Array2, Array3, ArrayView1};

use crate::model::ensemble::Predicted;
use crate::model::exam::{Exam, Terms};
use crate::model::group::Group;
use crate::model::predict::{self, Told};
use crate::model::report::{Counter, HoldoutScore, Progress, Unit};
use crate::model::spec::{ModelSpec, tails};
use crate::model::validation::{self, long_enough};
use crate::series::{Covariate, Series};

/// What progress calls it.
const STAGE: &str = "scoring the tail";

/// Scores what a group publishes for the last `origins` horizons of each series, one origin after the other: forecasts
/// of the series cut off there, bounds and fallbacks included. A series takes part in an origin with `history` steps
/// before it; `None` where none does.
pub fn score(
    spec: &ModelSpec,
    group: &Group,
    series: &[&Series],
    covariates: &[Covariate],
    (origins, history): (usize, usize),
    watch: &(dyn Fn(Progress) + Sync),
) -> Option<HoldoutScore> {
    watch(Progress::begun(STAGE));
    let terms = Terms { horizon: spec.horizon(), season: group.season, point: spec.point() };
    let levels = spec.quantile_levels();
    let position = |level: f64| levels.iter().position(|&l| l == level).expect("tails are among the levels");
    let exams: Vec<(Exam, Predicted)> = (1..=origins)
        .map(|origin| origin * terms.horizon)
        .map(|back| (back, long_enough(series, back + history)))
        .filter(|(_, chosen)| !chosen.is_empty())
        .map(|(back, chosen)| Exam::new(series, &chosen, back, terms))
        .filter(Exam::has_actuals)
        .map(|exam| {
            let counter =
                group.fits_each().then(|| Counter::new(watch, STAGE, exam.series.len(), Unit::Series));
            let told = || counter.iter().for_each(Counter::one);
            let predicted = published(spec, group, series, covariates, &exam, &told);
            (exam, predicted)
        })
        .collect();
    let (latest, _) = exams.first()?;
    let mean = |of: &dyn Fn(&Exam, &Predicted) -> f64| {
        let figures: Vec<f64> = exams.iter().map(|(exam, predicted)| of(exam, predicted)).collect();
        validation::mean(&figures)
    };
    let own = |exam: &Exam, predicted: &Predicted| exam.accuracy(predicted.point.view());
    let coverage = |&level: &f64| {
        let [lower, upper] = tails(level).map(position);
        (level, mean(&|exam, predicted| exam.coverage(predicted.quantiles.view(), lower, upper)))
    };
    let is_positive = exams.iter().all(|(exam, _)| exam.is_positive);
    Some(HoldoutScore {
        series: latest.series.len(),
        horizon: terms.horizon,
        origins: exams.len(),
        mase: mean(&|exam, predicted| own(exam, predicted).mase),
        mase_seasonal_naive: mean(&|exam, _| exam.naive.mase),
        smape: is_positive.then(|| mean(&|exam, predicted| own(exam, predicted).smape)),
        smape_seasonal_naive: is_positive.then(|| mean(&|exam, _| exam.naive.smape)),
        coverage: spec.levels().iter().map(coverage).collect(),
    })
}

/// What would be published for the examined series if they ended at their origins.
pub fn published(
    spec: &ModelSpec,
    group: &Group,
    series: &[&Series],
    covariates: &[Covariate],
    exam: &Exam,
    told: &Told,
) -> Predicted {
    let until = |(&index, &origin): (&usize, &usize)| series[index].cut(0, origin);
    let cut: Vec<Series> = exam.series.iter().zip(&exam.origins).map(until).collect();
    let cut: Vec<&Series> = cut.iter().collect();
    let (rows, horizon, levels) = (cut.len(), spec.horizon(), spec.quantile_levels().len());
    let (mut point, mut quantiles) = (Array2::zeros((rows, horizon)), Array3::zeros((rows, horizon, levels)));
    for (row, made) in predict::forecasts(spec, Some(group), &cut, &BTreeMap::new(), covariates, told)
        .into_iter()
        .enumerate()
    {
        let made = made.bounded(spec.bounds());
        point.row_mut(row).assign(&ArrayView1::from(&made.point));
        quantiles.index_axis_mut(ndarray::Axis(0), row).assign(&made.quantiles);
    }
    Predicted { point, quantiles }
}
