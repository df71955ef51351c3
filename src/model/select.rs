//! Which ridge maps make up the base of a group: a greedy ensemble, judged on the validation origins.
//!
//! Candidates are maps of every lookback, anchor and regularisation strength, and one with absolute errors per
//! lookback, and exponential smoothing. Lookbacks that err differently average out, and a map shrunk to zero, which is naive
//! or seasonal naive, pulls the others towards it where they overreach.

use std::sync::Arc;

use ndarray::{Array2, Array3};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::model::features::Features;
use crate::model::greedy;
use crate::model::member::{Batch, Member};
use crate::model::plan::{self, NetworkPlan, Plan};
use crate::model::report::{Progress, Unit};
use crate::model::ridge::{Design, Map, anchor_inputs};
use crate::model::smoothing;
use crate::model::spec::{ModelKind, ModelSpec, Point};
use crate::model::validation::Validation;
use crate::model::windows::{Anchor, Fold, Geometry, Origins};
use crate::model::work::{Space, WorkSeries};
use crate::series::Series;

/// Regularisation strengths that are tried, relative to the mean diagonal of the Gram matrix; the last leaves nothing of
/// a map.
const LAMBDAS: [f64; 8] = [1e-3, 1e-2, 0.1, 0.3, 1.0, 10.0, 100.0, ZERO];

/// A strength that leaves the anchor alone.
const ZERO: f64 = 1e9;

/// Strength where there is nothing to choose by.
const LAMBDA: f64 = 0.1;

/// Reweighting passes of the absolute-error map.
const ABSOLUTE_PASSES: usize = 3;

/// Windows that a choice and intervals are based on, and that the served maps are fitted to.
pub(super) const WINDOWS_CHOICE: usize = 10_000;
pub(super) const WINDOWS_FIT: usize = 40_000;

/// Least relative improvement by which exponential smoothing gets into the base of few series: what they show about
/// themselves hardly lasts.
const MARGIN_SMOOTHING: f64 = 0.01;

/// How one ridge map is fitted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RidgeChoice {
    /// Lookback, horizon and anchor.
    pub geometry: Geometry,
    /// Regularisation strength.
    pub lambda: f64,
    /// Whether it minimises the absolute instead of the squared error.
    pub is_absolute: bool,
    /// Whether covariates have a say.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub with_covariates: bool,
}

/// The choices for one group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// Work space of all members.
    pub space: Space,
    /// The base: ridge maps and how often each was taken; none if the series are too short for any.
    pub base: Vec<(RidgeChoice, usize)>,
    /// How often exponential smoothing was taken.
    pub smoothing: usize,
    /// The map that each network of the plan stands on, in the order of the plan.
    pub stems: Vec<RidgeChoice>,
}

/// What a choice is made from.
pub struct Candidates<'a> {
    /// The group.
    pub series: &'a [&'a Series],
    /// Encoded covariates of each; none where there are none.
    pub features: &'a [Arc<Features>],
    /// Lookbacks and networks that are proposed.
    pub plan: &'a Plan,
    /// What a person chose.
    pub spec: &'a ModelSpec,
    /// Season length, 1 for none.
    pub season: usize,
    /// Last steps of each series that the maps may not see.
    pub held: usize,
    /// A stretch before them that they may not see either.
    pub without: Option<Fold>,
}

/// What may become a member, and what it forecasts on the validation windows.
struct Candidate {
    /// A map; `None` is exponential smoothing.
    ridge: Option<RidgeChoice>,
    /// Forecasts (windows, T) in work space.
    points: Array2<f32>,
    /// Mean error relative to seasonal naive.
    error: f64,
}

impl Candidate {
    fn is_smoothing(&self) -> bool {
        self.ridge.is_none()
    }
}

impl Candidates<'_> {
    /// Whether [`choose`] could have chosen that: what is read from a file may say anything.
    pub fn allow(&self, choice: &Choice) -> bool {
        let is_proposed = |ridge: &RidgeChoice| {
            let Geometry { lookback, horizon, anchor } = ridge.geometry;
            self.plan.lookbacks.contains(&lookback)
                && plan::anchors(lookback, self.season).contains(&anchor)
                && horizon == self.spec.horizon()
                && LAMBDAS.contains(&ridge.lambda)
                && (!ridge.with_covariates || self.columns() > 0)
        };
        let is_stem = |(stem, network): (&RidgeChoice, &NetworkPlan)| {
            is_proposed(stem) && stem.geometry.lookback == network.lookback
        };
        let taken: usize =
            choice.base.iter().fold(choice.smoothing, |sum: usize, (_, times)| sum.saturating_add(*times));
        spaces(self.series, self.spec.point()).contains(&choice.space)
            && taken <= greedy::ROUNDS
            && choice.base.iter().all(|(ridge, times)| *times > 0 && is_proposed(ridge))
            && choice.stems.len() == self.plan.networks.len()
            && choice.stems.iter().zip(&self.plan.networks).all(is_stem)
    }

    /// Encoded columns (K) of each series.
    fn columns(&self) -> usize {
        self.features.first().map_or(0, |features| features.width())
    }

    /// A map of that lookback with the rule of thumb for all else.
    fn rule_of_thumb(&self, lookback: usize) -> RidgeChoice {
        let anchor = plan::anchors(lookback, self.season)[0];
        let geometry = Geometry { lookback, horizon: self.spec.horizon(), anchor };
        RidgeChoice { geometry, lambda: LAMBDA, is_absolute: false, with_covariates: self.columns() > 0 }
    }

    /// The choice where nothing can be judged: the longest lookbacks, as the networks have them.
    fn unjudged(&self, space: Space) -> Choice {
        let stems = self.plan.networks.iter().map(|network| self.rule_of_thumb(network.lookback)).collect();
        let longest = self.plan.lookbacks.iter().rev().take(2);
        let base = longest.map(|&lookback| (self.rule_of_thumb(lookback), 1)).collect();
        Choice { space, base, smoothing: 0, stems }
    }
}

/// Chooses by mean error relative to seasonal naive; stops trying when `is_over` says so. `watch` hears how many lookbacks were
/// tried.
///
/// Without validation origins, or when time is over, the first of everything is taken, which is the rule of thumb:
/// logarithms for positive values, one season as the anchor, λ = 0.1.
pub fn choose(
    candidates: &Candidates,
    validation: &Validation,
    is_over: &(dyn Fn() -> bool + Sync),
    watch: &dyn Fn(Progress),
) -> Choice {
    let spaces = spaces(candidates.series, candidates.spec.point());
    let mut best: Option<(f64, Choice)> = None;
    let lookbacks = candidates.plan.lookbacks.len();
    for (place, &space) in spaces.iter().enumerate() {
        let told = |lookback: usize| {
            let (done, total) = (place * lookbacks + lookback, spaces.len() * lookbacks);
            watch(Progress::of("choosing the base", done, total, Unit::Lookbacks));
        };
        if best.is_some() && is_over() {
            break;
        }
        let work =
            work_series(candidates.series, candidates.features, candidates.held, space, candidates.season);
        let mut tried = if validation.is_empty() {
            Vec::new()
        } else {
            try_maps(candidates, &work, validation, space, is_over, &told)
        };
        if tried.is_empty() {
            continue;
        }
        if candidates.spec.kind() != ModelKind::Ridge {
            tried.push(smoothing(candidates, validation, space, &work));
        }
        for Candidate { ridge, error, .. } in &tried {
            tracing::debug!(?space, ?ridge, error, "candidate");
        }
        let points: Vec<&Array2<f32>> = tried.iter().map(|one| &one.points).collect();
        let (mut error, mut times) = greedy::choose(&points, validation, space, &work);
        if !candidates.plan.is_panel
            && tried.iter().zip(&times).any(|(one, times)| one.is_smoothing() && *times > 0)
        {
            let maps: Vec<&Array2<f32>> =
                tried.iter().filter(|one| !one.is_smoothing()).map(|one| &one.points).collect();
            let (without, mut times_without) = greedy::choose(&maps, validation, space, &work);
            if error > (1.0 - MARGIN_SMOOTHING) * without {
                times_without.push(0);
                (error, times) = (without, times_without);
            }
        }
        let taken = || tried.iter().zip(&times).filter(|(_, times)| **times > 0);
        let base: Vec<(RidgeChoice, usize)> =
            taken().filter_map(|(one, times)| one.ridge.map(|ridge| (ridge, *times))).collect();
        let smoothing = taken().filter(|(one, _)| one.is_smoothing()).map(|(_, times)| times).sum();
        tracing::debug!(?space, error, ?base, smoothing, "ensemble");
        if best.as_ref().is_none_or(|(least, _)| error < *least) {
            let stem = |network: &NetworkPlan| {
                let is_of = |one: &&Candidate| {
                    one.ridge.is_some_and(|ridge| ridge.geometry.lookback == network.lookback)
                };
                let best = tried.iter().filter(is_of).min_by(|a, b| a.error.total_cmp(&b.error));
                let best = best.and_then(|one| one.ridge);
                let rule = candidates.rule_of_thumb(network.lookback);
                let stem = best.unwrap_or(rule);
                // Without a map, the anchor of the best one is left.
                if network.on_map {
                    stem
                } else {
                    RidgeChoice { lambda: ZERO, is_absolute: false, with_covariates: false, ..stem }
                }
            };
            let stems = candidates.plan.networks.iter().map(stem).collect();
            best = Some((error, Choice { space, base, smoothing, stems }));
        }
    }
    best.map_or_else(|| candidates.unjudged(spaces[0]), |(_, choice)| choice)
}

/// Spaces worth trying, the rule of thumb first. A mean of logarithms is no mean, so means are not looked for there.
fn spaces(series: &[&Series], point: Point) -> Vec<Space> {
    let is_positive = || series.iter().flat_map(|series| &series.values).all(|y| y.is_nan() || *y > 0.0);
    match point {
        Point::Mean => vec![Space::Standard],
        Point::Median if is_positive() => vec![Space::Log, Space::Scaled],
        Point::Median => vec![Space::Scaled],
    }
}

/// The group in work space; the last `held` steps are visible as inputs but set no scale.
pub fn work_series(
    series: &[&Series],
    features: &[Arc<Features>],
    held: usize,
    space: Space,
    season: usize,
) -> Vec<WorkSeries> {
    let one = |(index, series): (usize, &&Series)| {
        let len = series.values.len();
        // A series that is held back whole is not trained on; its own values are all there is to scale it by.
        let known = if len > held + season { len - held } else { len };
        WorkSeries::new(series, len, known, space, season)
            .with(features.get(index).cloned().unwrap_or_default())
    };
    series.iter().enumerate().map(one).collect()
}

/// Every lookback and anchor with its best strength, and the absolute map of every lookback. The longest lookbacks,
/// those of the networks among them, come first, in case time ends.
fn try_maps(
    candidates: &Candidates,
    work: &[WorkSeries],
    validation: &Validation,
    space: Space,
    is_over: &(dyn Fn() -> bool + Sync),
    told: &dyn Fn(usize),
) -> Vec<Candidate> {
    let mut all: Vec<Candidate> = Vec::new();
    let of_networks = |lookback: &usize| candidates.plan.networks.iter().any(|n| n.lookback == *lookback);
    let (mut order, others): (Vec<usize>, Vec<usize>) =
        candidates.plan.lookbacks.iter().rev().partition(|lookback| of_networks(lookback));
    order.extend(others);
    for (place, lookback) in order.into_iter().enumerate() {
        if !all.is_empty() && is_over() {
            break;
        }
        told(place);
        let horizon = candidates.spec.horizon();
        let Some(mut design) = design(work, lookback, candidates, WINDOWS_CHOICE) else { continue };
        let moments = design.moments();
        let windows = ValidationWindows::gather(validation, work, lookback, horizon);
        let candidate = |anchor: Anchor, lambda: f64, is_absolute: bool, map: &Map| {
            let geometry = Geometry { lookback, horizon, anchor };
            let with_covariates = map.effects.ncols() > 0;
            let points = windows.forecast(map, anchor);
            let error = validation.error_of(points.view(), space, work);
            Candidate {
                ridge: Some(RidgeChoice { geometry, lambda, is_absolute, with_covariates }),
                points,
                error,
            }
        };
        let anchors = plan::anchors(lookback, candidates.season);
        // With covariates first: of equals, those that know more.
        let forms: Vec<(Anchor, bool)> = [true, false]
            .into_iter()
            .filter(|with| !with || candidates.columns() > 0)
            .flat_map(|with| anchors.iter().map(move |&anchor| (anchor, with)))
            .collect();
        let squared: Vec<Candidate> = forms
            .par_iter()
            .filter_map(|&(anchor, with)| {
                let anchored = moments.anchored(anchor);
                let tried = LAMBDAS.iter().map(|&lambda| {
                    if lambda != LAMBDAS[0] && is_over() {
                        return None;
                    }
                    Some(candidate(anchor, lambda, false, &anchored.solve(lambda, with)))
                });
                tried.flatten().min_by(|a, b| a.error.total_cmp(&b.error))
            })
            .collect();
        let best = squared.iter().min_by(|a, b| a.error.total_cmp(&b.error)).and_then(|best| best.ridge);
        all.extend(squared);
        if let Some(ridge) = best.filter(|_| candidates.spec.point() == Point::Median && !is_over()) {
            let anchor = ridge.geometry.anchor;
            let start = moments.anchored(anchor).solve(ridge.lambda, ridge.with_covariates);
            let map = design.solve_absolute(anchor, ridge.lambda, start, ABSOLUTE_PASSES);
            all.push(candidate(anchor, ridge.lambda, true, &map));
        }
    }
    all
}

/// Validation windows of one lookback, measured from their last value, and that value.
struct ValidationWindows {
    inputs: Array2<f32>,
    last: Array2<f32>,
    extras: Array3<f32>,
}

impl ValidationWindows {
    fn gather(
        validation: &Validation,
        work: &[WorkSeries],
        lookback: usize,
        horizon: usize,
    ) -> ValidationWindows {
        let (series, origins) = validation.windows(work);
        let geometry = Geometry { lookback, horizon, anchor: Anchor::Mean(1) };
        let batch = Batch::gather(&geometry, &series, origins);
        ValidationWindows { inputs: batch.inputs, last: batch.bases, extras: batch.extras }
    }

    /// Forecasts (windows, T) of a map, in work space.
    fn forecast(&self, map: &Map, anchor: Anchor) -> Array2<f32> {
        let (inputs, bases) = anchor_inputs(&self.inputs, anchor, self.last.ncols());
        inputs.dot(&map.inputs.mapv(|w| w as f32)) + map.effects_of(&self.extras) + bases + &self.last
    }
}

/// Exponential smoothing on the validation windows.
fn smoothing(
    candidates: &Candidates,
    validation: &Validation,
    space: Space,
    work: &[WorkSeries],
) -> Candidate {
    let (series, origins) = validation.windows(work);
    let (season, horizon) = (candidates.season, candidates.spec.horizon());
    let forecasts: Vec<Array2<f64>> = series
        .par_iter()
        .zip(origins)
        .map(|(series, &origin)| smoothing::forecast(&series.filled[..origin], season, horizon, &[0.5]))
        .collect();
    let points =
        Array2::from_shape_fn((series.len(), horizon), |(row, step)| forecasts[row][[step, 0]] as f32);
    let error = validation.error_of(points.view(), space, work);
    Candidate { ridge: None, points, error }
}

/// Training windows of one lookback whose targets are not held back; `None` where there are fewer
/// than a map can be trusted with.
fn design(
    work: &[WorkSeries],
    lookback: usize,
    candidates: &Candidates,
    windows_max: usize,
) -> Option<Design> {
    let horizon = candidates.spec.horizon();
    // Targets may be measured from one season earlier.
    let anchor = if candidates.season > 1 && candidates.season <= lookback {
        Anchor::Season(candidates.season)
    } else {
        Anchor::Mean(1)
    };
    let held = candidates.held;
    let mut origins = Origins::new(work, &Geometry { lookback, horizon, anchor }, held);
    if let Some(fold) = candidates.without {
        origins = origins.without(fold, work, horizon, held);
    }
    let mut rng = ChaCha8Rng::seed_from_u64(candidates.spec.seed());
    (origins.count() >= WINDOWS_MIN)
        .then(|| Design::new(work, &origins, lookback, horizon, windows_max, &mut rng))
}

/// Windows that a map needs at least.
const WINDOWS_MIN: usize = 8;

/// Fits chosen maps on everything but what the candidates hold back, with the quantiles of their errors; `None` where
/// there are too few windows.
pub fn fit_maps(work: &[WorkSeries], ridges: &[RidgeChoice], candidates: &Candidates) -> Option<Vec<Member>> {
    let mut members: Vec<Option<Member>> = vec![None; ridges.len()];
    let mut lookbacks: Vec<usize> = ridges.iter().map(|ridge| ridge.geometry.lookback).collect();
    lookbacks.sort_unstable();
    lookbacks.dedup();
    for lookback in lookbacks {
        let windows_max = if candidates.without.is_some() { WINDOWS_CHOICE } else { WINDOWS_FIT };
        let mut design = design(work, lookback, candidates, windows_max)?;
        let moments = design.moments();
        for (ridge, member) in ridges.iter().zip(&mut members) {
            if ridge.geometry.lookback == lookback {
                let anchor = ridge.geometry.anchor;
                let mut map = moments.anchored(anchor).solve(ridge.lambda, ridge.with_covariates);
                if ridge.is_absolute {
                    map = design.solve_absolute(anchor, ridge.lambda, map, ABSOLUTE_PASSES);
                }
                *member = Some(with_errors(&design, ridge, &map, candidates));
            }
        }
    }
    members.into_iter().collect()
}

/// The member that a map becomes, with the quantiles of its errors.
fn with_errors(design: &Design, ridge: &RidgeChoice, map: &Map, candidates: &Candidates) -> Member {
    let spec = candidates.spec;
    let levels = spec.quantile_levels();
    let mut offsets = design.error_quantiles(map, ridge.geometry.anchor, levels);
    if spec.point() == Point::Mean {
        // The middle is the mean, which the map is.
        offsets.column_mut(spec.median()).fill(0.0);
    }
    Member {
        geometry: ridge.geometry,
        skip: map.inputs.mapv(|w| w as f32),
        effects: map.effects.mapv(|v| v as f32),
        columns: candidates.columns(),
        offsets: offsets.mapv(|offset| offset as f32),
        network: None,
    }
}
