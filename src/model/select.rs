//! Which work space, anchor and regularisation the ridge maps of a group use: judged on the validation origins.

use ndarray::Array2;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::model::ensemble::Ensemble;
use crate::model::member::Member;
use crate::model::plan::MemberPlan;
use crate::model::ridge::Design;
use crate::model::validation::{self, Validation};
use crate::model::windows::{Geometry, Origins};
use crate::model::work::{Space, WorkSeries};
use crate::series::Series;

/// Regularisation strengths that are tried, relative to the mean diagonal of the Gram matrix.
const LAMBDAS: [f64; 7] = [1e-3, 1e-2, 0.1, 0.3, 1.0, 10.0, 100.0];

/// Reweighting passes of the absolute-error map.
const ABSOLUTE_PASSES: usize = 3;

/// Windows that a choice is based on, and that the served map is fitted to.
const WINDOWS_CHOICE: usize = 8_000;
const WINDOWS_FIT: usize = 30_000;

/// How one member's ridge map is fitted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RidgeChoice {
    /// Lookback, horizon and anchor.
    pub geometry: Geometry,
    /// Values per token of the network that may stand on it.
    pub patch: usize,
    /// Regularisation strength.
    pub lambda: f64,
    /// Whether it minimises the absolute instead of the squared error.
    pub is_absolute: bool,
}

/// The choices for one group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// Work space of all members.
    pub space: Space,
    /// One ridge map per member; none if the series are too short for any.
    pub ridges: Vec<RidgeChoice>,
}

/// What a choice is made from.
pub struct Candidates<'a> {
    /// The group.
    pub series: &'a [&'a Series],
    /// Members that the plan proposes.
    pub members: &'a [MemberPlan],
    /// Season length, 1 for none.
    pub season: usize,
    /// Steps to forecast.
    pub horizon: usize,
    /// Last steps of each series that the maps may not see.
    pub held: usize,
    /// Seed of the window sample.
    pub seed: u64,
}

impl Candidates<'_> {
    /// Whether [`choose`] could have chosen that: what is read from a file may say anything.
    pub fn allow(&self, choice: &Choice) -> bool {
        let is_proposed = |ridge: &RidgeChoice| {
            let geometry = ridge.geometry;
            let is_of = |plan: &&MemberPlan| (plan.lookback, plan.patch) == (geometry.lookback, ridge.patch);
            let plan = self.members.iter().find(is_of);
            plan.is_some_and(|plan| plan.anchors(self.season).contains(&geometry.anchor))
                && geometry.horizon == self.horizon
                && LAMBDAS.contains(&ridge.lambda)
        };
        spaces(self.series).contains(&choice.space)
            && choice.ridges.len() <= self.members.len()
            && choice.ridges.iter().all(is_proposed)
    }
}

/// Chooses by mean error relative to seasonal naive; stops trying when `is_over` says so.
///
/// Without validation origins, or when time is over, the first of everything is taken, which is the rule of thumb:
/// logarithms for positive values, one season as the anchor, λ = 0.1.
pub fn choose(candidates: &Candidates, validation: &Validation, is_over: &dyn Fn() -> bool) -> Choice {
    let mut best: Option<(f64, Choice)> = None;
    for space in spaces(candidates.series) {
        if best.is_some() && is_over() {
            break;
        }
        let work = work_series(candidates.series, candidates.held, space, candidates.season);
        let mut errors = Vec::new();
        let mut ridges = Vec::new();
        for plan in candidates.members {
            if !ridges.is_empty() && is_over() {
                break;
            }
            if let Some((error, ridge)) = best_ridge(candidates, plan, &work, validation, space, is_over) {
                errors.push(error);
                ridges.push(ridge);
            }
        }
        let error = validation::mean(&errors);
        if best.as_ref().is_none_or(|(least, _)| error < *least) {
            best = Some((error, Choice { space, ridges }));
        }
    }
    best.expect("there is at least one work space").1
}

/// Spaces worth trying, the rule of thumb first.
fn spaces(series: &[&Series]) -> Vec<Space> {
    let is_positive = series.iter().flat_map(|series| &series.values).all(|y| y.is_nan() || *y > 0.0);
    if is_positive { vec![Space::Log, Space::Scaled] } else { vec![Space::Scaled] }
}

/// The group in work space; the last `held` steps are visible as inputs but set no scale.
pub fn work_series(series: &[&Series], held: usize, space: Space, season: usize) -> Vec<WorkSeries> {
    let one = |series: &&Series| {
        let len = series.values.len();
        // A series that is held back whole is not trained on; its own values are all there is to scale it by.
        let known = if len > held + season { len - held } else { len };
        WorkSeries::new(series, len, known, space, season)
    };
    series.iter().map(one).collect()
}

fn best_ridge(
    candidates: &Candidates,
    plan: &MemberPlan,
    work: &[WorkSeries],
    validation: &Validation,
    space: Space,
    is_over: &dyn Fn() -> bool,
) -> Option<(f64, RidgeChoice)> {
    let mut best: Option<(f64, RidgeChoice)> = None;
    for anchor in plan.anchors(candidates.season) {
        if best.is_some() && (validation.is_empty() || is_over()) {
            break;
        }
        let geometry = Geometry { lookback: plan.lookback, horizon: candidates.horizon, anchor };
        let Some(mut design) = design(work, geometry, candidates.held, WINDOWS_CHOICE, candidates.seed)
        else {
            continue;
        };
        let ridge = |lambda, is_absolute| RidgeChoice { geometry, patch: plan.patch, lambda, is_absolute };
        if validation.is_empty() {
            best = Some((f64::INFINITY, ridge(0.1, false)));
            continue;
        }
        let error = |map: &Array2<f64>| {
            let ensemble = Ensemble::equal(space, vec![Member::point(geometry, map)], &[0.5]);
            validation::mean(&validation.relative(&ensemble, work))
        };
        let squared = design.solve(&LAMBDAS);
        let tried = LAMBDAS.iter().zip(&squared).map(|(&lambda, map)| (error(map), ridge(lambda, false)));
        let (least, squared_best) =
            tried.min_by(|a, b| a.0.total_cmp(&b.0)).expect("there are strengths to try");
        let absolute = design.solve_absolute(squared_best.lambda, ABSOLUTE_PASSES);
        let absolute = (error(&absolute), ridge(squared_best.lambda, true));
        for (error, ridge) in [(least, squared_best), absolute] {
            if best.as_ref().is_none_or(|(least, _)| error < *least) {
                best = Some((error, ridge));
            }
        }
    }
    best
}

/// Training windows of one geometry whose targets end before the last `held` steps; `None` where there are fewer
/// than a map can be trusted with.
fn design(
    work: &[WorkSeries],
    geometry: Geometry,
    held: usize,
    windows_max: usize,
    seed: u64,
) -> Option<Design> {
    let origins = Origins::new(work, &geometry, held);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (origins.count() >= WINDOWS_MIN).then(|| Design::new(work, &origins, &geometry, windows_max, &mut rng))
}

/// Windows that a map needs at least.
const WINDOWS_MIN: usize = 8;

/// Fits the chosen map on everything but the last `held` steps, with the quantiles of its errors; `None` where there
/// are too few windows.
pub fn fit_ridge(
    work: &[WorkSeries],
    ridge: &RidgeChoice,
    held: usize,
    levels: &[f64],
    seed: u64,
) -> Option<Member> {
    let mut design = design(work, ridge.geometry, held, WINDOWS_FIT, seed)?;
    let map = if ridge.is_absolute {
        design.solve_absolute(ridge.lambda, ABSOLUTE_PASSES)
    } else {
        design.solve(&[ridge.lambda]).remove(0)
    };
    let offsets = design.error_quantiles(map.view(), levels);
    Some(Member {
        geometry: ridge.geometry,
        skip: map.mapv(|w| w as f32),
        offsets: offsets.mapv(|offset| offset as f32),
        network: None,
    })
}
