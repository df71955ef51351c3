//! Memory that a fit and a forecast take, before they begin: bytes by what they are for, from counts alone.
//!
//! Nothing is allocated to find out. The sizes are those of the arrays that the code next door makes, at the moment when most
//! of them live at a time; constants that no array explains (one series, one forecast) were measured (`benches/memory.py`).
//!
//! With S series of n steps in all, horizon T, levels Q, K encoded columns (E = 4 K of them in a map), lookback L, W windows and
//! p threads, in bytes:
//!
//! ```text
//! work space      8 n                              inputs and targets in f32; twice while the last fit repeats the first
//! windows         4 W (L + T + T E)                of one lookback: 10 000 while choosing, 40 000 in the last fit
//! a look at them  4 W (L + 4 T)                    anchored copy and forecasts, for the quantiles of errors
//! normal equations  8 (L² + L T + T L E + T E²)    eight parts and their sum; then four copies a thread that solves
//! validation      4 V (L + T) a thread, 4 V T for each candidate, 24 V T Q for intervals       V windows
//! networks        4 P (slices + 9) + caches        P parameters, a gradient for each slice of 16 windows of a batch
//! score           16 n + 8 S T (2 Q + 4)           series cut off before the tail, their forecasts as they are made and kept
//! forecasts       8 S T (2 Q + 4) + 24 S T Q while an ensemble averages its members
//! ```

use crate::model::features::{Encoding, NETWORK_MAX, TERMS};
use crate::model::member::SLICE;
use crate::model::plan::{Plan, Shape};
use crate::model::ridge::{EXTRAS_MAX, PARTS};
use crate::model::select::{WINDOWS_CHOICE, WINDOWS_FIT};
use crate::model::spec::{ModelKind, ModelSpec};
use crate::model::{blend, blending, counts, plan, season, validation};
use crate::series::{Frequency, Panel, Series};
use std::collections::BTreeMap;

/// Bytes by what they are for.
pub type Parts = Vec<(&'static str, u64)>;

/// A forecast of one series beside its numbers: id, names, list heads.
const ONE_FORECAST: u64 = 420;

/// A series in work space, or cut off, beside its values.
const ONE_SERIES: u64 = 360;

/// What a group of series, all of one frequency, looks like.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    /// Series.
    pub series: usize,
    /// Steps of all of them.
    pub steps: usize,
    /// Steps of the longest.
    pub longest: usize,
    /// What decides the plan of a fit.
    pub shape: Shape,
    /// Encoded columns, those included that networks do not read.
    pub columns: usize,
    /// Values of covariates of all series.
    pub covariates: usize,
}

/// The groups of a panel as a fit with these settings would see them; where nothing is fitted, without their seasons.
pub fn extents(panel: &Panel, spec: &ModelSpec, is_fitted: bool) -> Vec<Extent> {
    let mut groups: BTreeMap<String, (Frequency, Vec<&Series>)> = BTreeMap::new();
    for series in &panel.series {
        let group = groups.entry(series.frequency.to_string());
        group.or_insert_with(|| (series.frequency, Vec::new())).1.push(series);
    }
    let of = |(frequency, series): (Frequency, Vec<&Series>)| {
        Extent::of(panel, frequency, &series, spec, is_fitted && is_learnt(spec))
    };
    groups.into_values().map(of).collect()
}

impl Extent {
    fn of(
        panel: &Panel,
        frequency: Frequency,
        series: &[&Series],
        spec: &ModelSpec,
        is_fitted: bool,
    ) -> Extent {
        let season = match spec.season_length() {
            Some(declared) => declared,
            None if is_fitted => season::detect(series, &frequency.season_lengths()),
            None => 1,
        };
        let mut lengths: Vec<usize> = series.iter().map(|series| series.values.len()).collect();
        lengths.sort_unstable();
        let columns = if is_fitted { Encoding::learn(&panel.covariates, series).width() } else { 0 };
        let shape = Shape {
            columns: if columns <= NETWORK_MAX { columns } else { 0 },
            series: series.len(),
            length: lengths[lengths.len() / 2],
            season,
            horizon: spec.horizon(),
            weekly: frequency == Frequency::Days { days: 7 },
        };
        Extent {
            series: series.len(),
            steps: lengths.iter().sum(),
            longest: lengths.last().copied().unwrap_or(0),
            shape,
            columns,
            covariates: series.iter().flat_map(|one| &one.covariates).map(|row| row.values().len()).sum(),
        }
    }
}

/// The most that fitting one group takes beyond the panel itself.
pub fn fit(extent: &Extent, spec: &ModelSpec, threads: usize) -> Parts {
    let sums = Sums::new(extent, spec, threads);
    match spec.kind() {
        ModelKind::Naive | ModelKind::SeasonalNaive => sums.score(1),
        kind if kind.is_local() => sums.score(1),
        ModelKind::Counts => most([sums.counts(), sums.score(sums.plan.tail_origins)]),
        ModelKind::Ensemble => most([sums.learnt(), sums.trials()]),
        _ => sums.learnt(),
    }
}

/// The most that forecasting so many series of a group takes, `rows` ahead each; the forecasts themselves are part of it.
pub fn forecast(extent: &Extent, spec: &ModelSpec, rows: usize) -> Parts {
    let (series, steps) = (extent.series as u64, rows as u64);
    let levels = spec.quantile_levels().len() as u64;
    let made = made(series, steps, levels);
    let mut parts = vec![("forecasts", 2 * made)];
    if is_learnt(spec) {
        let reach = (extent.steps as u64).min(series * plan::LOOKBACK_MAX as u64);
        parts.push(("work space", 8 * reach + ONE_SERIES * series));
        parts[0].1 = made.max(24 * series * steps * levels) + made;
    }
    parts
}

/// Whether weights are learnt of all series, and nothing is made of each series alone.
fn is_learnt(spec: &ModelSpec) -> bool {
    !spec.kind().is_local() && !matches!(spec.kind(), ModelKind::Naive | ModelKind::SeasonalNaive)
}

/// Forecasts of some series, kept.
pub fn made(series: u64, rows: u64, levels: u64) -> u64 {
    series * (8 * rows * (levels + 2) + ONE_FORECAST)
}

/// The larger of some, by their sums.
fn most<const N: usize>(all: [Parts; N]) -> Parts {
    all.into_iter().max_by_key(total).unwrap_or_default()
}

fn total(parts: &Parts) -> u64 {
    parts.iter().map(|(_, bytes)| bytes).sum()
}

/// The counts of one group, as the formulas above have them.
struct Sums<'a> {
    extent: &'a Extent,
    spec: &'a ModelSpec,
    plan: Plan,
    threads: u64,
    series: u64,
    steps: u64,
    horizon: u64,
    levels: u64,
    /// E.
    extras: u64,
}

impl<'a> Sums<'a> {
    fn new(extent: &'a Extent, spec: &'a ModelSpec, threads: usize) -> Sums<'a> {
        Sums {
            plan: Plan::new(&extent.shape, spec.preset(), spec.parts()),
            extent,
            spec,
            threads: threads as u64,
            series: extent.series as u64,
            steps: extent.steps as u64,
            horizon: spec.horizon() as u64,
            levels: spec.quantile_levels().len() as u64,
            extras: (TERMS * extent.columns) as u64,
        }
    }

    /// Ridge maps and the networks on them.
    fn learnt(&self) -> Parts {
        let work = 8 * self.steps + ONE_SERIES * self.series + 4 * self.extent.covariates as u64;
        // What is in memory from the first fit to the last: the series in work space, candidates and their forecasts.
        let choice = self.plan.lookbacks.iter().map(|&lookback| self.choice(lookback));
        let (equations, looks) = choice.max_by_key(|(one, other)| one + other).unwrap_or_default();
        let kept =
            vec![("work space", work), ("validation", self.candidates()), ("normal equations", equations)];
        let last = self.plan.lookbacks.iter().map(|&lookback| self.last_fit(lookback)).max().unwrap_or(0);
        let beside = most([
            vec![("windows", looks)],
            vec![("windows", last), ("work space again", work)],
            vec![("networks", self.networks())],
            vec![("intervals", 2 * 24 * self.windows() * self.horizon * self.levels)],
            self.score(self.plan.tail_origins),
        ]);
        kept.into_iter().chain(beside).collect()
    }

    /// Windows that choices are judged on.
    fn windows(&self) -> u64 {
        let each = self.extent.series.div_ceil(validation::SERIES_MAX).max(1);
        (self.extent.series.div_ceil(each) * self.plan.rolling.origins) as u64
    }

    /// Training windows of a lookback, at most so many.
    fn training(&self, lookback: usize, most: usize) -> u64 {
        let first = (lookback / 3).max(1) + self.spec.horizon();
        let known = self.extent.steps.saturating_sub(first.saturating_mul(self.extent.series));
        let limit = EXTRAS_MAX / (self.extras as usize * self.spec.horizon()).max(1);
        known.min(most).min(limit.max(1)) as u64
    }

    /// One set of normal equations.
    fn equations(&self, lookback: u64) -> u64 {
        let (t, e) = (self.horizon, self.extras);
        8 * (lookback * lookback + lookback * t + t * lookback * e + t * e * e)
    }

    /// Windows of a lookback, gathered.
    fn gathered(&self, windows: u64, lookback: u64) -> u64 {
        4 * windows * (lookback + self.horizon * (1 + self.extras))
    }

    /// While the base is chosen: normal equations; windows to learn from and to judge by.
    fn choice(&self, lookback: usize) -> (u64, u64) {
        let windows = self.training(lookback, WINDOWS_CHOICE);
        let lookback = lookback as u64;
        let one = self.equations(lookback);
        let summed = (PARTS as u64 + 1) * one;
        // Anchored, with a strength, factorised, and what stands between them. The allocator keeps what it has freed of either
        // for the thread that had it, so that one does not take the place of the other.
        let solved = 4 * self.threads * one;
        let judged = self.gathered(self.windows(), lookback);
        let looks = self.threads * 4 * self.windows() * (lookback + 5 * self.horizon);
        (summed + solved, self.gathered(windows, lookback) + judged + looks)
    }

    /// While chosen maps are fitted to all windows.
    fn last_fit(&self, lookback: usize) -> u64 {
        let windows = self.training(lookback, WINDOWS_FIT);
        let lookback = lookback as u64;
        // A fifth more for the spaces between freed arrays.
        let look = 4 * windows * (lookback * 6 / 5 + 4 * self.horizon);
        self.gathered(windows, lookback) + look.max((PARTS as u64 + 1) * self.equations(lookback))
    }

    /// Forecasts of every candidate on the validation windows, and what they are held against.
    fn candidates(&self) -> u64 {
        let anchors = self.plan.lookbacks.iter().map(|&lookback| {
            let forms = plan::anchors(lookback, self.extent.shape.season).len();
            forms * if self.extras > 0 { 2 } else { 1 } + 1
        });
        let candidates = anchors.sum::<usize>() as u64 + 1;
        self.windows() * self.horizon * (4 * candidates + 16 + 16 * self.threads)
    }

    /// While a network is trained: gradients of a batch, optimiser, averaged and best weights, caches; and those trained before.
    fn networks(&self) -> u64 {
        if !self.spec.kind().trains_networks() {
            return 0;
        }
        let one = |network: &plan::NetworkPlan| {
            let levels = self.spec.quantile_levels().len();
            let spec = network.network(&self.extent.shape, levels, self.spec.parts(), self.spec.kind());
            let parameters = 4 * spec.parameters() as u64;
            let slices = self.plan.recipe.batch.div_ceil(SLICE) as u64;
            let outputs = self.horizon * self.levels;
            let tokens =
                (spec.tokens * spec.hidden * 14 * spec.layers) as u64 + (network.lookback as u64) * 3;
            let slice = SLICE as u64 * 4 * (tokens + 4 * outputs);
            // Judging forecasts all validation windows at once.
            let judged = 24 * self.windows() * outputs;
            (parameters, (parameters * slices + self.threads * slice).max(judged))
        };
        let all: Vec<(u64, u64)> = self.plan.networks.iter().map(one).collect();
        let kept: u64 = all.iter().map(|(parameters, _)| 3 * parameters).sum();
        let largest = all.iter().map(|(parameters, pass)| 6 * parameters + pass).max().unwrap_or(0);
        kept + largest
    }

    /// While the tail is scored at so many origins.
    fn score(&self, origins: usize) -> Parts {
        let origins = origins.max(1) as u64;
        let cut = 16 * self.steps + ONE_SERIES * self.series + 8 * self.extent.covariates as u64;
        let kept = origins * 8 * self.series * self.horizon * (self.levels + 3);
        let made = made(self.series, self.horizon, self.levels);
        let averaged = match is_learnt(self.spec) {
            true => made.max(24 * self.series * self.horizon * self.levels),
            false => made,
        };
        vec![("series without their tail", cut), ("their forecasts", kept + averaged)]
    }

    /// Windows of counts.
    fn counts(&self) -> Parts {
        let windows = (counts::WINDOWS as u64).min(self.steps);
        let one = 8 * self.horizon * (counts::rates::width(self.extras as usize) as u64 + 6);
        vec![("windows of counts", windows * one)]
    }

    /// Forecasts of every part of an average, at every origin.
    fn trials(&self) -> Parts {
        let parts = 1 + blend::LOCALS.len() as u64;
        let origins = (self.plan.rolling.origins.min(blending::ORIGINS) + self.plan.tail_origins) as u64;
        let windows = self.series * origins;
        let with_quantiles = windows.min(validation::SERIES_MAX as u64 * origins);
        let points = 3 * 8 * windows * self.horizon * (parts + 1);
        let quantiles = 8 * with_quantiles * self.horizon * self.levels * (parts + 1);
        vec![("trials", points + quantiles), ("series without their tail", 16 * self.steps)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::spec::RawModelSpec;

    fn bytes(kind: &str, series: usize, length: usize, horizon: usize) -> u64 {
        let spec = ModelSpec::try_from(RawModelSpec::new(kind, horizon)).expect("valid");
        let shape = Shape { series, length, season: 24, horizon, weekly: false, columns: 0 };
        let extent =
            Extent { series, steps: series * length, longest: length, shape, columns: 0, covariates: 0 };
        total(&fit(&extent, &spec, 2))
    }

    #[test]
    fn more_data_longer_horizons_and_networks_take_more() {
        for kind in ["seasonal_naive", "ridge", "auto", "counts", "ets", "ensemble"] {
            let few = bytes(kind, 10, 1_000, 24);
            assert!(few > 0 && few <= bytes(kind, 10, 4_000, 24), "{kind}");
            // Counts learn from so many windows and no more.
            assert!(few <= bytes(kind, 1_000, 1_000, 24), "{kind}");
            assert!(kind == "counts" || few < bytes(kind, 1_000, 1_000, 24), "{kind}");
            assert!(bytes(kind, 1_000, 1_000, 24) < bytes(kind, 1_000, 1_000, 96), "{kind}");
        }
        assert!(bytes("seasonal_naive", 100, 1_000, 24) < bytes("ridge", 100, 1_000, 24));
        assert!(bytes("ridge", 100, 1_000, 24) <= bytes("auto", 100, 1_000, 24));
    }

    #[test]
    fn windows_of_long_series_are_as_many_as_are_taken_and_no_more() {
        let (long, longer) = (bytes("ridge", 1_000, 2_000, 24), bytes("ridge", 1_000, 4_000, 24));
        // What grows are the series in work space, twice, and their copies without a tail.
        assert!(longer - long <= 2 * (16 + 16) * 1_000 * 2_000, "{long} {longer}");
    }
}
