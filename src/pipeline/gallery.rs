//! What a page about a backtest shows of single series and single cutoffs: kept window by window, bounded however many
//! series there are.

use crate::evaluation::backtest::{ModelResult, Outcome};
use crate::model::spec::{ModelKind, ModelSpec, tails};
use crate::series::{Frequency, Panel, Series};
use std::collections::BTreeMap;

/// Numbers that are kept at most, and the fewest series whatever they take.
const NUMBERS_MAX: usize = 6_000_000;
const SERIES_MIN: usize = 48;

/// Series that are shown, and the latest windows of each.
const SHOWN: usize = 12;
const WINDOWS: usize = 24;

/// Quantile levels closer than that are the same.
const SAME_LEVEL: f64 = 5.1e-7;

/// Horizons and seasons before the first cutoff that are shown, and the most values.
const BEFORE: usize = 3;
const BEFORE_MAX: usize = 400;

/// Some series with their forecasts by the best model.
#[derive(Clone, Debug)]
pub struct Gallery {
    /// Whose forecasts they are.
    pub model: ModelKind,
    /// How many series they were chosen from: evenly spaced ones, where not all could be kept.
    pub among: usize,
    /// The best first.
    pub exhibits: Vec<Exhibit>,
}

/// One series.
#[derive(Clone, Debug)]
pub struct Exhibit {
    /// Composed id.
    pub unique_id: String,
    /// Step.
    pub frequency: Frequency,
    /// Its mean absolute scaled error.
    pub mase: f64,
    /// Its place by MASE among those chosen from, 1 is the best.
    pub place: usize,
    /// (time, value) from some time before the first cutoff shown on; `NaN` where nothing was observed.
    pub observed: Vec<(i64, f64)>,
    /// The latest windows, ascending by cutoff.
    pub windows: Vec<Windowed>,
}

/// One forecast from one cutoff.
#[derive(Clone, Debug, PartialEq)]
pub struct Windowed {
    /// Instant up to which values were known, microseconds UTC.
    pub cutoff: i64,
    /// Target times.
    pub times: Vec<i64>,
    /// Point forecasts.
    pub point: Vec<f64>,
    /// Central intervals: (level in percent, lower ends, upper ends).
    pub intervals: Vec<(f64, Vec<f64>, Vec<f64>)>,
}

/// Loss of one model at one cutoff, over all series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CutoffLoss {
    /// Which model.
    pub model: ModelKind,
    /// Number of the window, from 1 on.
    pub window: usize,
    /// Mean of absolute errors, each divided by the scale of its series.
    pub mase: f64,
    /// Steps with an actual.
    pub points: usize,
}

/// What is kept while a backtest goes on.
pub(super) struct Keeper {
    /// Places in the panel of the series that are kept, ascending by id as the panel is.
    ids: BTreeMap<String, usize>,
    kept: BTreeMap<(ModelKindName, String), Vec<Windowed>>,
    levels: Vec<(f64, usize, usize)>,
    losses: Vec<CutoffLoss>,
}

/// Kinds have no order; their names have.
type ModelKindName = &'static str;

impl Keeper {
    /// Keeps nothing of single series unless a page is wanted.
    pub(super) fn new(
        panel: &Panel,
        models: &[ModelSpec],
        horizon: usize,
        windows: usize,
        is_wanted: bool,
    ) -> Keeper {
        let spec = models.first();
        let quantiles = spec.map_or(&[] as &[f64], ModelSpec::quantile_levels);
        let column = |wanted: f64| quantiles.iter().position(|level| (level - wanted).abs() < SAME_LEVEL);
        let levels = spec.map_or(&[] as &[f64], ModelSpec::levels).iter().filter_map(|&level| {
            let [lower, upper] = tails(level).map(column);
            Some((level, lower?, upper?))
        });
        let mut levels: Vec<(f64, usize, usize)> = levels.collect();
        levels.sort_by(|a, b| b.0.total_cmp(&a.0));
        let cost = models.len() * windows.min(WINDOWS) * horizon * (2 + 2 * levels.len());
        let all = panel.series.len();
        let count = (NUMBERS_MAX / cost.max(1)).max(SERIES_MIN).min(all);
        let places = (0..if is_wanted { count } else { 0 }).map(|number| number * all / count.max(1));
        let ids = places.map(|place| (panel.series[place].unique_id.clone(), place)).collect();
        Keeper { ids, kept: BTreeMap::new(), levels, losses: Vec::new() }
    }

    /// Takes the outcomes of a window.
    pub(super) fn add(&mut self, outcomes: &[Outcome]) {
        for of_model in outcomes.chunk_by(|a, b| a.model == b.model) {
            let [first, ..] = of_model else { continue };
            let errors = of_model.iter().flat_map(|one| {
                let steps = one.gap..one.actual.len();
                steps.map(|step| (one.actual[step] - one.forecast.point[step]).abs() / one.scale.absolute)
            });
            let (sum, points) = errors
                .filter(|error| error.is_finite())
                .fold((0.0, 0), |(sum, points), error| (sum + error, points + 1));
            let mase = sum / points as f64;
            self.losses.push(CutoffLoss { model: first.model, window: first.window, mase, points });
        }
        for outcome in outcomes.iter().filter(|one| self.ids.contains_key(&one.forecast.unique_id)) {
            let column = |place: usize| -> Vec<f64> {
                (outcome.gap..outcome.actual.len())
                    .map(|step| outcome.forecast.quantiles[[step, place]])
                    .collect()
            };
            let levels = self.levels.iter();
            let windowed = Windowed {
                cutoff: outcome.cutoff,
                times: outcome.forecast.times[outcome.gap..].to_vec(),
                point: outcome.forecast.point[outcome.gap..].to_vec(),
                intervals: levels
                    .map(|&(level, lower, upper)| (level, column(lower), column(upper)))
                    .collect(),
            };
            let key = (outcome.model.as_str(), outcome.forecast.unique_id.clone());
            let kept = self.kept.entry(key).or_default();
            kept.push(windowed);
            if kept.len() > WINDOWS {
                kept.remove(0);
            }
        }
    }

    /// The losses by cutoff, and the series that are shown: the best, the median, the worst, and others evenly between them.
    pub(super) fn finish(self, panel: &Panel, models: &[ModelResult]) -> (Vec<CutoffLoss>, Option<Gallery>) {
        let mase = |model: &&ModelResult| model.tally.scores().mase.unwrap_or(f64::INFINITY);
        let best = models.iter().min_by(|a, b| mase(a).total_cmp(&mase(b)));
        let Some(best) = best.filter(|_| !self.ids.is_empty()) else { return (self.losses, None) };
        let scored = best.tally.by_series().into_iter();
        let mut ranked: Vec<(String, f64)> = scored
            .filter(|(id, _)| self.kept.contains_key(&(best.model.as_str(), id.clone())))
            .filter_map(|(id, scores)| Some((id, scores.mase?)))
            .collect();
        ranked.sort_by(|a, b| a.1.total_cmp(&b.1));
        let exhibits = spread(ranked.len(), SHOWN).into_iter().filter_map(|place| {
            let (id, mase) = &ranked[place];
            let series = &panel.series[*self.ids.get(id)?];
            let windows = self.kept.get(&(best.model.as_str(), id.clone()))?.clone();
            let observed = observed(series, &windows);
            let (unique_id, frequency) = (id.clone(), series.frequency);
            Some(Exhibit { unique_id, frequency, mase: *mase, place: place + 1, observed, windows })
        });
        let gallery = Gallery { model: best.model, among: ranked.len(), exhibits: exhibits.collect() };
        (self.losses, Some(gallery))
    }
}

/// Some of so many places, the first, the middle and the last among them.
fn spread(all: usize, most: usize) -> Vec<usize> {
    if all <= most {
        return (0..all).collect();
    }
    let mut places: Vec<usize> = (0..most).map(|number| number * (all - 1) / (most - 1)).collect();
    // The middle one stands in for the nearest.
    let middle = (all - 1) / 2;
    if let Some(nearest) = places[1..most - 1].iter_mut().min_by_key(|place| place.abs_diff(middle)) {
        *nearest = middle;
    }
    places
}

/// What was observed around some windows.
fn observed(series: &Series, windows: &[Windowed]) -> Vec<(i64, f64)> {
    let cutoff = windows.first().map_or(i64::MIN, |window| window.cutoff);
    let horizon = windows.iter().map(|window| window.times.len()).max().unwrap_or(0);
    let end = windows.iter().filter_map(|window| window.times.last()).max().copied().unwrap_or(i64::MAX);
    let season = series.frequency.season_lengths().first().copied().unwrap_or(0);
    let before = (BEFORE * horizon).max(BEFORE * season).clamp(24, BEFORE_MAX);
    let first = series.times.partition_point(|&time| time <= cutoff).saturating_sub(before);
    let last = series.times.partition_point(|&time| time <= end);
    (first..last).map(|step| (series.times[step], series.actual(step))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_the_middle_and_the_last_are_shown() {
        assert_eq!(spread(3, 12), [0, 1, 2]);
        let places = spread(100_000, 12);
        assert!(places.len() == 12 && places.windows(2).all(|pair| pair[0] < pair[1]), "{places:?}");
        assert!([0, 49_999, 99_999].iter().all(|place| places.contains(place)), "{places:?}");
        for all in 13..60 {
            let places = spread(all, 12);
            assert!(places.windows(2).all(|pair| pair[0] < pair[1]), "{all}: {places:?}");
        }
    }
}
