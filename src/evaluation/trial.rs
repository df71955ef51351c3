//! Forecasters that are fitted already, at the same cutoffs: what a promotion is decided by.

use crate::evaluation::compare::{Block, Comparison, compare};
use crate::evaluation::cutoffs;
use crate::evaluation::score::{Case, Scale, Scores, Tally};
use crate::evaluation::spec::{Align, BacktestSpec, Refit};
use crate::model::forecaster::Forecaster;
use crate::series::{Panel, SeriesForecast};
use std::collections::BTreeMap;

/// Windows at most: more of them overlap ever more, and tell no more.
const WINDOWS_MAX: usize = 12;

/// Draws of the paired bootstrap, and its seed.
const DRAWS: usize = 2_000;
const SEED: u64 = 1;

/// The windows of a trial.
#[derive(Clone, Copy, Debug)]
pub struct TrialSpec {
    /// Steps forecast (H).
    pub horizon: usize,
    /// Last steps of each series that the windows lie in, at least one horizon.
    pub steps: usize,
    /// Season length in steps, which errors are scaled by.
    pub season: usize,
}

/// What a trial found.
pub struct Trial {
    /// Scores of every contestant, in their order; the skill is against the last one.
    pub scores: Vec<Scores>,
    /// Of every contestant by (series, window): points and summed scaled absolute errors.
    losses: Vec<BTreeMap<(usize, usize), (usize, f64)>>,
    /// Consecutive windows that share target times.
    overlap: usize,
}

impl Trial {
    /// Lets all contestants forecast the panel as it was at every cutoff; the last one is the baseline. Series that no
    /// window reaches, or that one of them does not forecast, do not count. `None` where nothing can be scored.
    ///
    /// # Panics
    /// Without a contestant.
    pub fn new(panel: &Panel, contestants: &[&Forecaster], spec: TrialSpec) -> Option<Trial> {
        let TrialSpec { horizon, steps, season } = spec;
        let room = steps.checked_sub(horizon)?;
        let step = room.div_ceil(WINDOWS_MAX - 1).max(1);
        let rounds = BacktestSpec {
            models: Vec::new(),
            horizon,
            gap: 0,
            windows: room / step + 1,
            step,
            refit: Refit::Never,
            align: Align::Calendar,
            sliding: None,
        };
        let windows = cutoffs::windows(panel, &rounds).ok()?;
        let baseline = contestants.last().expect("there is a baseline");
        let quantiles = baseline.spec().quantile_levels();
        let mut tallies = vec![Tally::new(quantiles, baseline.spec().levels()); contestants.len()];
        let mut losses = vec![BTreeMap::new(); contestants.len()];
        for (number, window) in windows.iter().enumerate() {
            let known = cutoffs::cut(panel, window, None);
            let forecasts: Vec<Vec<SeriesForecast>> =
                contestants.iter().map(|forecaster| forecaster.predict(&known).series).collect();
            for place in window.iter().filter(|known| known.is_scored) {
                let series = &panel.series[place.series];
                let of = |all: &'_ Vec<SeriesForecast>| {
                    all.binary_search_by(|one| one.unique_id.cmp(&series.unique_id)).ok()
                };
                let Some(own) = forecasts.iter().map(of).collect::<Option<Vec<usize>>>() else { continue };
                let all: Vec<&SeriesForecast> = forecasts.iter().zip(own).map(|(all, at)| &all[at]).collect();
                let naive = all[all.len() - 1];
                let actual = |time: &i64| match series.times.binary_search(time) {
                    Ok(at) => series.values[at],
                    Err(_) => f64::NAN,
                };
                let actual: Vec<f64> = naive.times.iter().take(horizon).map(actual).collect();
                let scale = Scale::of(&series.values[..place.steps], season);
                for ((forecast, tally), losses) in all.iter().zip(&mut tallies).zip(&mut losses) {
                    tally.add(&Case {
                        unique_id: &series.unique_id,
                        actual: &actual,
                        point: &forecast.point,
                        quantiles: forecast.quantiles.view(),
                        naive: &naive.point,
                        scale,
                    });
                    let errors = actual.iter().zip(&forecast.point).map(|(y, yhat)| (y - yhat).abs());
                    let errors: Vec<f64> = errors.filter(|error| !error.is_nan()).collect();
                    let sum = errors.iter().sum::<f64>() / scale.absolute;
                    if !errors.is_empty() {
                        losses.insert((place.series, number), (errors.len(), sum));
                    }
                }
            }
        }
        let scores: Vec<Scores> = tallies.iter().map(Tally::scores).collect();
        let is_scored = scores.iter().all(|scores| scores.points > 0);
        is_scored.then(|| Trial { scores, losses, overlap: horizon.div_ceil(step) })
    }

    /// Whether one contestant makes smaller absolute errors than another, in units of each series' scale.
    pub fn compare(&self, first: usize, second: usize) -> Comparison {
        let pairs = self.losses[first].iter().filter_map(|(key, (points, loss))| {
            let (_, other) = self.losses[second].get(key)?;
            Some(Block { series: key.0, window: key.1, points: *points, losses: [*loss, *other] })
        });
        compare(&pairs.collect::<Vec<_>>(), self.overlap, DRAWS, SEED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::compare::Verdict;
    use crate::evaluation::test_data::{panel, series};
    use crate::model::forecaster::Control;
    use crate::model::spec::{ModelSpec, RawModelSpec};

    fn fitted(panel: &Panel, kind: &str) -> Forecaster {
        let spec = ModelSpec::try_from(RawModelSpec { season_length: Some(7), ..RawModelSpec::new(kind, 7) });
        let fitted = Forecaster::fit(panel, &spec.expect("valid"), &Control::watched(&|_| {}));
        fitted.expect("fitted").forecaster
    }

    #[test]
    fn the_better_of_two_wins_and_one_does_not_beat_itself() {
        let week = |t: usize| f64::from(u32::try_from(t % 7).expect("small")).powi(2);
        let wave = |shift: usize| (0..140).map(|t| week(t + shift) + (t * t % 5) as f64 / 9.0).collect();
        let panel = panel(vec![series("a", 0, wave(0)), series("b", 0, wave(3))]);
        let (naive, seasonal) = (fitted(&panel, "naive"), fitted(&panel, "seasonal_naive"));
        let spec = TrialSpec { horizon: 7, steps: 28, season: 7 };
        let trial = Trial::new(&panel, &[&seasonal, &naive], spec).expect("scored");
        assert_eq!((trial.scores[0].windows, trial.scores[0].series), (22, 2));
        let comparison = trial.compare(0, 1);
        assert_eq!((comparison.verdict, comparison.windows), (Verdict::First, 11));
        assert!(trial.scores[0].mase < trial.scores[1].mase);
        assert_eq!(trial.compare(1, 1).difference, 0.0);
        assert!(Trial::new(&panel, &[&naive], TrialSpec { steps: 3, ..spec }).is_none());
        assert!(Trial::new(&panel, &[&naive], TrialSpec { steps: 900, ..spec }).is_none());
    }
}
