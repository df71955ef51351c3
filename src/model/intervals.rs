//! Forecasts of values that the forecaster had not seen, which intervals are corrected by.
//!
//! Many series are forecast at the validation origins and in the tail. Of few series those are one short stretch of one
//! history: a calm year is no evidence against the years before it. Their maps are fitted anew without each fold of the
//! history, which they then forecast (cross-conformal prediction, Vovk 2015).

use crate::model::conformal::{Evidence, Sides};
use crate::model::ensemble::Ensemble;
use crate::model::exam::Terms;
use crate::model::plan;
use crate::model::select::{self, Candidates, Choice, RidgeChoice};
use crate::model::validation::{long_enough, sample};
use crate::model::windows::Fold;
use crate::model::work::WorkSeries;
use crate::series::Series;

/// Folds of a history.
const FOLDS: usize = 4;

/// The base fitted without each fold of the history in turn, and its forecasts there, of as many windows as there are
/// validation origins; nothing of the steps that the candidates hold back. `None` where folds are too short for that, or
/// where `is_over` says so before all are done.
pub fn across_history(
    choice: &Choice,
    candidates: &Candidates,
    work: &[WorkSeries],
    history_min: usize,
    terms: Terms,
    is_over: &dyn Fn() -> bool,
) -> Option<Evidence> {
    let Terms { horizon, season, .. } = terms;
    let steps = |series: &WorkSeries| series.steps().saturating_sub(candidates.held);
    let longest = work.iter().map(steps).max()?;
    let rolling = candidates.plan.rolling;
    if rolling.origins == 0 || 2 * longest < 3 * horizon * FOLDS {
        return None;
    }
    let stride = plan::spread(longest.saturating_sub(history_min), horizon, rolling.origins, season).stride;
    let ridges: Vec<RidgeChoice> = choice.base.iter().map(|(ridge, _)| *ridge).collect();
    let fold = |index: usize| {
        if is_over() {
            return None;
        }
        let fold = Fold { index, of: FOLDS };
        let members = select::fit_maps(work, &ridges, &Candidates { without: Some(fold), ..*candidates })?;
        let counted = members.into_iter().zip(choice.base.iter().map(|(_, times)| *times)).collect();
        let levels = candidates.spec.quantile_levels();
        let ensemble = Ensemble::counted(choice.space, counted, choice.smoothing, None, terms, levels);
        let of_one = |(index, series): (usize, &WorkSeries)| {
            let range = fold.range(steps(series));
            let last = (range.end + 1).saturating_sub(horizon);
            let first = range.start.max(history_min);
            (first..last).rev().step_by(stride).map(move |origin| (index, origin))
        };
        let windows: Vec<(usize, usize)> = work.iter().enumerate().flat_map(of_one).collect();
        Some(ensemble.evidence(work, &windows, Sides::Together))
    };
    let folds: Vec<Evidence> = (0..FOLDS).map(fold).collect::<Option<_>>()?;
    folds.into_iter().reduce(Evidence::and)
}

/// Windows (series index, origin) of the last origins, one horizon apart.
pub fn tail(series: &[&Series], horizon: usize, origins: usize, history_min: usize) -> Vec<(usize, usize)> {
    let at = |back: usize| {
        let chosen = sample(long_enough(series, back + history_min));
        chosen.into_iter().map(move |index| (index, series[index].values.len() - back))
    };
    (1..=origins).flat_map(|origin| at(origin * horizon)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::plan::{Plan, Shape};
    use crate::model::select::work_series;
    use crate::model::spec::{ModelSpec, Parts, Preset, RawModelSpec};
    use crate::model::windows::{Anchor, Geometry};
    use crate::model::work::Space;
    use crate::series::Frequency;

    /// White noise of a fixed recipe: nothing can be learnt of it, so all that a map finds is luck.
    fn noise(length: usize) -> Series {
        let value = |t: usize| ((t as f64 * 12.9898).sin() * 43_758.545_3).fract();
        Series {
            unique_id: "a".into(),
            keys: vec![],
            frequency: Frequency::Fixed { micros: 1 },
            times: (0..length as i64).collect(),
            values: (0..length).map(value).collect(),
            covariates: Vec::new(),
            observations: None,
            filled: Vec::new(),
        }
    }

    fn miss(evidence: &Evidence, spec: &ModelSpec) -> f64 {
        let middle = evidence.forecasts.index_axis(ndarray::Axis(2), spec.median());
        (&evidence.actual - &middle).mapv(|error| error * error).mean().expect("there are windows")
    }

    #[test]
    fn forecasts_of_a_fold_are_those_of_maps_that_have_not_seen_it() {
        let all = noise(160);
        let series: Vec<&Series> = vec![&all];
        let spec = ModelSpec::try_from(RawModelSpec::new("ridge", 4)).expect("valid");
        let shape = Shape { series: 1, length: 160, season: 1, horizon: 4, weekly: false, columns: 0 };
        let plan = Plan::new(&shape, Preset::Balanced, Parts::Both);
        let geometry = Geometry { lookback: 24, horizon: 4, anchor: Anchor::Mean(4) };
        let ridge = RidgeChoice { geometry, lambda: 1e-3, is_absolute: false, with_covariates: false };
        let choice = Choice { space: Space::Scaled, base: vec![(ridge, 1)], smoothing: 0, stems: vec![] };
        let candidates = Candidates {
            series: &series,
            features: &[],
            plan: &plan,
            spec: &spec,
            season: 1,
            held: 0,
            without: None,
        };
        let terms = Terms { horizon: 4, season: 1, point: spec.point() };
        let work = work_series(&series, &[], 0, Space::Scaled, 1);
        let unseen = across_history(&choice, &candidates, &work, 8, terms, &|| false).expect("long enough");

        let members = select::fit_maps(&work, &[ridge], &candidates).expect("fitted");
        let counted = members.into_iter().map(|member| (member, 1)).collect();
        let fitted = Ensemble::counted(Space::Scaled, counted, 0, None, terms, spec.quantile_levels());
        let windows: Vec<(usize, usize)> = (8..156).map(|origin| (0, origin)).collect();
        let seen = fitted.evidence(&work, &windows, Sides::Together);
        let (seen, unseen) = (miss(&seen, &spec), miss(&unseen, &spec));
        assert!(unseen > 1.2 * seen, "in sample {seen}, across {unseen}");
    }

    #[test]
    fn folds_shorter_than_forecasts_are_no_evidence() {
        let all = noise(20);
        let series: Vec<&Series> = vec![&all];
        let spec = ModelSpec::try_from(RawModelSpec::new("ridge", 4)).expect("valid");
        let shape = Shape { series: 1, length: 20, season: 1, horizon: 4, weekly: false, columns: 0 };
        let plan = Plan::new(&shape, Preset::Balanced, Parts::Both);
        let choice = Choice { space: Space::Scaled, base: vec![], smoothing: 1, stems: vec![] };
        let candidates = Candidates {
            series: &series,
            features: &[],
            plan: &plan,
            spec: &spec,
            season: 1,
            held: 0,
            without: None,
        };
        let terms = Terms { horizon: 4, season: 1, point: spec.point() };
        let work = work_series(&series, &[], 0, Space::Scaled, 1);
        assert!(across_history(&choice, &candidates, &work, 2, terms, &|| false).is_none());
    }
}
