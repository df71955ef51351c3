//! Forecasts of data whose step is another than the model's.
//!
//! Finer data, k rows to a step, are k series of the model's own step, each a row later than the one before: its phases
//! (the polyphase form of a signal; Vaidyanathan, Multirate Systems and Filter Banks, 1993, 4.3). The model forecasts each of
//! them as it was trained to, so that maps, lookbacks, seasons and corrections all keep their meaning, and the forecasts are
//! woven together again. Of H steps come k H rows, and every k-th of them is, to the last bit, what the model says of the
//! series thinned to its own step. Scaling `dt` of the kernels, as S4 (arXiv 2111.00396, 4.3) and FlowState do it, would fit
//! neither the linear maps nor tokens of several steps that networks stand on here.
//!
//! The phase that ends j rows before the others knows nothing of those rows. What they tell is carried over to it: with f the
//! latest phase, s the forecast of phase j where f has its rows (between two of its own: the line), and w = j / k,
//!
//! ```text
//! d = f − s − offset         what is newer in f, less what always lies between the two phases
//! f_j += gain · (w d before it + (1 − w) d after it)
//! offset, gain               from the history: mean of e, and 1 − var e / var Δ, within 0 and 1, where e is the distance of
//!                            values of the latest phase from the line through phase j, and Δ their steps
//! ```
//!
//! A signal that is smooth within a step has a gain near 1; phases that have nothing to do with each other have 0 and stay
//! apart. Without it, forecasts of a single hour from 15-minute data err by a seventh more than those of a model of
//! that step, with it less (`benches/RESULTS.md`).
//!
//! Coarser data, k steps to a row, are filled up by straight lines; every k-th step of the forecast is a row.

use std::collections::BTreeMap;

use ndarray::{Array2, Axis};

use crate::model::features::Encoding;
use crate::model::group::{Group, Served};
use crate::model::predict::{self, Made, Told};
use crate::model::rate::Rate;
use crate::model::spec::ModelSpec;
use crate::model::work::Space;
use crate::series::covariate::{Known, Row, Values};
use crate::series::forecast::within;
use crate::series::{Covariate, Frequency, Series, Status};

/// Steps of the history that offset and gain are taken from, and how few of them say nothing.
const STEPS: usize = 512;
const STEPS_MIN: usize = 8;

/// What data of another step needs beside the group that forecasts it.
pub struct Sampled<'a> {
    /// Settings of the model.
    pub spec: &'a ModelSpec,
    /// What forecasts.
    pub group: &'a Group,
    /// Step of the data.
    pub data: Frequency,
    /// That step in terms of the group's.
    pub rate: Rate,
    /// As in a panel.
    pub marks: &'a BTreeMap<String, Status>,
    /// As in a panel.
    pub covariates: &'a [Covariate],
}

impl Sampled<'_> {
    /// Forecasts of series of the data's step from their own ends, in order, before bounds are applied: as many rows as the
    /// horizon of the model lasts. A series that the model cannot forecast, or that looks wrong, gets seasonal naive on its
    /// own step.
    pub fn forecasts(&self, series: &[&Series], told: &Told) -> Vec<Made> {
        let Sampled { spec, group, marks, covariates, .. } = *self;
        if self.rate == Rate::Same {
            return predict::forecasts(spec, Some(group), series, marks, covariates, told);
        }
        let is_naive = matches!(group.served, Served::SeasonalNaive { .. });
        let is_able = |one: &&Series| {
            let is_long = self.rate.scale() > 1.0 || one.values.len() as f64 * self.rate.scale() >= 2.0;
            !is_naive && is_long && marks.get(&one.unique_id) != Some(&Status::Fallback)
        };
        let able: Vec<&Series> = series.iter().copied().filter(is_able).collect();
        let own = match self.rate {
            Rate::Finer(rows) => self.finer(&able, rows),
            Rate::Coarser(steps) => self.coarser(&able, steps),
            Rate::Same => unreachable!("it returned"),
        };
        let mut own = own.into_iter();
        let made: Vec<Option<Made>> =
            series.iter().map(|one| if is_able(one) { own.next().flatten() } else { None }).collect();
        let left = series.iter().zip(&made).filter(|(_, made)| made.is_none()).map(|(one, _)| *one);
        let mut stand_ins = self.stand_ins(&left.collect::<Vec<_>>()).into_iter();
        let made = made.into_iter().map(|made| made.or_else(|| stand_ins.next()));
        made.map(|made| made.expect("there is a stand-in for each that is left")).collect()
    }

    /// Seasonal naive of the data's step.
    fn stand_ins(&self, series: &[&Series]) -> Vec<Made> {
        let is_asked_for = matches!(self.group.served, Served::SeasonalNaive { is_fallback: false });
        let naive = Group {
            frequency: self.data,
            season: self.rate.season(self.group.season),
            encoding: Encoding::default(),
            served: Served::SeasonalNaive { is_fallback: !is_asked_for },
            model_id: "seasonal_naive",
        };
        let rows = self.rate.rows(self.spec.horizon());
        let spec =
            self.spec.clone().with_horizon(rows).expect("a match has as many rows as a model may have steps");
        predict::forecasts(&spec, Some(&naive), series, self.marks, &[], &|| {})
    }

    /// Of the phases of every series, woven together; `None` where the model cannot forecast all of them.
    fn finer(&self, series: &[&Series], rows: usize) -> Vec<Option<Made>> {
        let phases: Vec<Series> = series
            .iter()
            .flat_map(|one| (0..rows).map(|behind| phase(one, self.group.frequency, rows, behind)))
            .collect();
        let made = self.model(&phases);
        series.iter().zip(made.chunks(rows)).map(|(one, phases)| self.woven(one, phases)).collect()
    }

    /// Of every series filled up to the step of the model; `None` where the model cannot forecast it.
    fn coarser(&self, series: &[&Series], steps: usize) -> Vec<Option<Made>> {
        let filled: Vec<Series> =
            series.iter().map(|one| filled_up(one, self.covariates, self.group.frequency, steps)).collect();
        let rows: Vec<usize> = (1..=self.rate.rows(self.spec.horizon())).map(|row| row * steps - 1).collect();
        let thinned = |made: Made| {
            let point = rows.iter().map(|&step| made.point[step]).collect();
            let quantiles = made.quantiles.select(Axis(0), &rows);
            (made.status != Status::Fallback).then_some(Made { point, quantiles, ..made })
        };
        self.model(&filled).into_iter().map(thinned).collect()
    }

    fn model(&self, series: &[Series]) -> Vec<Made> {
        let series: Vec<&Series> = series.iter().collect();
        predict::forecasts(self.spec, Some(self.group), &series, self.marks, self.covariates, &|| {})
    }

    /// The forecasts of a series' phases (k), the latest first, as one of the series.
    fn woven(&self, series: &Series, phases: &[Made]) -> Option<Made> {
        if phases.iter().any(|made| made.status == Status::Fallback) {
            return None;
        }
        let (rows, horizon, median) = (phases.len(), self.spec.horizon(), self.spec.median());
        // A phase without any value, of hours that were written down as quarters, says nothing of its own.
        let has_value = |behind| series.values.iter().rev().skip(behind).step_by(rows).any(|y| !y.is_nan());
        if !(0..rows).all(has_value) {
            return None;
        }
        let space = match &self.group.served {
            Served::Ensemble(ensemble) => ensemble.space,
            Served::Local { .. } | Served::Counts(_) | Served::Blend(_) | Served::SeasonalNaive { .. } => {
                Space::Scaled
            }
        };
        let tail = &series.values[series.values.len().saturating_sub((STEPS + 1) * rows + 1)..];
        let seen: Vec<f64> = tail.iter().map(|&y| space.apply(y, 1.0)).collect();
        let fresh = in_space(&phases[0].point, space);
        let levels = self.spec.quantile_levels().len();
        let mut point = vec![0.0; rows * horizon];
        let mut quantiles = Array2::zeros((rows * horizon, levels));
        let reach = phases.iter().map(|made| made.reach).fold(0.0, f64::max);
        for (behind, made) in phases.iter().enumerate() {
            let news = match behind {
                0 => vec![0.0; horizon],
                _ => carried(&seen, &in_space(&made.point, space), &fresh, rows, behind),
            };
            for (step, &news) in news.iter().enumerate() {
                let row = (step + 1) * rows - behind - 1;
                point[row] = moved(made.point[step], news, space);
                let mut to = quantiles.row_mut(row);
                to.assign(&made.quantiles.row(step));
                to.mapv_inplace(|value| moved(value, news, space));
                within(reach, median, to.as_slice_mut().expect("standard layout"));
            }
        }
        let is_degraded = phases.iter().any(|made| made.status == Status::Degraded);
        let status = if is_degraded { Status::Degraded } else { Status::Ok };
        Some(Made { point, quantiles, reach, status, ..phases[0].clone() })
    }
}

fn in_space(values: &[f64], space: Space) -> Vec<f64> {
    values.iter().map(|&value| space.apply(value, 1.0)).collect()
}

/// A value that news in work space move; it stays where that gives no number.
fn moved(value: f64, news: f64, space: Space) -> f64 {
    let moved = match space {
        _ if news == 0.0 => value,
        Space::Log => value * news.exp(),
        Space::Scaled | Space::Standard => value + news,
    };
    if moved.is_finite() { moved } else { value }
}

/// What the rows after the end of a phase tell of its forecast (H): see the head of this file. `seen` are values of the
/// series up to its end, `own` (H) and `fresh` (H) the forecasts of the phase and of the latest one, all in work space.
fn carried(seen: &[f64], own: &[f64], fresh: &[f64], rows: usize, behind: usize) -> Vec<f64> {
    let horizon = own.len();
    let Some((offset, gain)) = kinship(seen, rows, behind) else { return vec![0.0; horizon] };
    let w = behind as f64 / rows as f64;
    let last = seen.len() - 1;
    let at = |values: &[f64], step: usize, now: f64| if step == 0 { now } else { values[step - 1] };
    let newer = |step: usize| {
        let [from, to] = [step, step + 1].map(|step| at(own, step, seen[last - behind]));
        at(fresh, step, seen[last]) - (from * (1.0 - w) + to * w) - offset
    };
    let mut news: Vec<f64> = (0..horizon).map(newer).collect();
    if news[0].is_nan() {
        news[0] = news.get(1).copied().unwrap_or(0.0);
    }
    news.push(news[horizon - 1]);
    let carry = |pair: &[f64]| gain * (pair[0] * w + pair[1] * (1.0 - w));
    let carried = news.windows(2).map(carry);
    carried.map(|news| if news.is_finite() { news } else { 0.0 }).collect()
}

/// Offset and gain of a phase beside the latest one; `None` where the history is too short to tell, or they are no kin.
fn kinship(seen: &[f64], rows: usize, behind: usize) -> Option<(f64, f64)> {
    let w = behind as f64 / rows as f64;
    let last = seen.len().checked_sub(1)?;
    let places = (1..=STEPS).map_while(|step| last.checked_sub(step * rows)).filter(|&at| at >= rows);
    let pair = |at: usize| {
        let line = seen[at - behind] * (1.0 - w) + seen[at - behind + rows] * w;
        (seen[at] - line, seen[at] - seen[at - rows])
    };
    let pairs: Vec<(f64, f64)> = places.map(pair).filter(|(e, step)| (e + step).is_finite()).collect();
    if pairs.len() < STEPS_MIN {
        return None;
    }
    let count = pairs.len() as f64;
    let mean = |value: &dyn Fn(&(f64, f64)) -> f64| pairs.iter().map(value).sum::<f64>() / count;
    let (offset, step) = (mean(&|pair| pair.0), mean(&|pair| pair.1));
    let (spread, motion) = (mean(&|pair| (pair.0 - offset).powi(2)), mean(&|pair| (pair.1 - step).powi(2)));
    let gain = 1.0 - spread / motion;
    (gain > 0.0).then_some((offset, gain.min(1.0)))
}

/// Every so many rows of a series, the last one that many rows before its end: a series of the model's step.
pub fn phase(series: &Series, frequency: Frequency, rows: usize, behind: usize) -> Series {
    let start = (series.values.len() - 1 - behind) % rows;
    let end = series.values.len() - behind;
    let thinned = |row: &Row| match row.known {
        Known::Static => row.clone(),
        // What is known beyond the end of the series is so of the phase.
        Known::Past | Known::Future => {
            let values = row.values().get(start..).unwrap_or(&[]);
            Row::new(row.known, values.iter().copied().step_by(rows).collect())
        }
    };
    Series {
        unique_id: series.unique_id.clone(),
        keys: series.keys.clone(),
        frequency,
        times: series.times[start..end].iter().copied().step_by(rows).collect(),
        values: series.values[start..end].iter().copied().step_by(rows).collect(),
        observations: None,
        filled: Vec::new(),
        covariates: series.covariates.iter().map(thinned).collect(),
    }
}

/// A series with so many steps in place of one, on the line between its values; names stay until the next one.
fn filled_up(series: &Series, covariates: &[Covariate], frequency: Frequency, steps: usize) -> Series {
    let dense = |values: &[f64], is_stepped: bool| -> Vec<f64> {
        let line = |pair: &[f64]| {
            let (from, to) = (pair[0], pair[1]);
            let between = move |step: usize| match step {
                0 => from,
                _ if is_stepped => from,
                step => from + (to - from) * (step as f64 / steps as f64),
            };
            (0..steps).map(between)
        };
        values.windows(2).flat_map(line).chain(values.last().copied()).collect()
    };
    let times = series.times.windows(2).flat_map(|pair| {
        let (from, span) = (pair[0], pair[1] - pair[0]);
        (0..steps as i64).map(move |step| from + span / steps as i64 * step)
    });
    let row = |(place, row): (usize, &Row)| match row.known {
        Known::Static => row.clone(),
        Known::Past | Known::Future => {
            let is_name = covariates.get(place).is_some_and(|one| matches!(one.values, Values::Category(_)));
            Row::new(row.known, dense(row.values(), is_name))
        }
    };
    Series {
        unique_id: series.unique_id.clone(),
        keys: series.keys.clone(),
        frequency,
        times: times.chain(series.times.last().copied()).collect(),
        values: dense(&series.values, false),
        observations: None,
        filled: Vec::new(),
        covariates: series.covariates.iter().enumerate().map(row).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(values: Vec<f64>) -> Series {
        Series {
            unique_id: "a".into(),
            keys: vec![],
            frequency: "15m".parse().unwrap(),
            times: (0..values.len() as i64).map(|t| t * 900_000_000).collect(),
            observations: None,
            filled: Vec::new(),
            covariates: vec![Row::new(Known::Future, (0..values.len() + 8).map(|t| t as f64).collect())],
            values,
        }
    }

    #[test]
    fn phases_are_the_rows_of_a_series_and_what_is_known_beyond_them() {
        let all = series((0..11).map(f64::from).collect());
        let hour: Frequency = "1h".parse().unwrap();
        let latest = phase(&all, hour, 4, 0);
        assert_eq!(latest.values, [2.0, 6.0, 10.0]);
        assert_eq!(latest.times, [2, 6, 10].map(|t| t * 900_000_000));
        assert_eq!(latest.covariates[0].values(), [2.0, 6.0, 10.0, 14.0, 18.0]);
        let behind = phase(&all, hour, 4, 3);
        assert_eq!((&behind.values[..], behind.frequency), (&[3.0, 7.0][..], hour));
        assert_eq!(behind.covariates[0].values(), [3.0, 7.0, 11.0, 15.0]);
        let count: usize = (0..4).map(|behind| phase(&all, hour, 4, behind).values.len()).sum();
        assert_eq!(count, 11);
    }

    #[test]
    fn coarse_series_are_filled_by_lines_and_names_by_steps() {
        let mut coarse = series(vec![1.0, 3.0, f64::NAN, 5.0]);
        coarse.covariates = vec![Row::new(Known::Future, vec![0.0, 1.0, 0.0, 1.0, 0.0])];
        let name = Covariate { name: "n".into(), known: Known::Future, values: Values::Category(vec![]) };
        let dense = filled_up(&coarse, &[name], "5m".parse().unwrap(), 2);
        assert_eq!(dense.values[..3], [1.0, 2.0, 3.0]);
        assert!(dense.values[3].is_nan() && dense.values[4].is_nan() && dense.values[5].is_nan());
        assert_eq!((dense.values[6], dense.times.len()), (5.0, 7));
        assert_eq!(dense.covariates[0].values(), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0]);
    }

    #[test]
    fn smooth_signals_are_kin_whatever_lies_between_their_phases_and_noise_is_not() {
        let wave = |t: usize| (t as f64 / 30.0).sin() + [0.0, 5.0, 1.0, -2.0][t % 4];
        let smooth: Vec<f64> = (0..401).map(wave).collect();
        for behind in 1..4 {
            let (offset, gain) = kinship(&smooth, 4, behind).unwrap();
            let between = wave(400 - behind) - (((400 - behind) as f64) / 30.0).sin();
            assert!((offset + between).abs() < 0.01 && gain > 0.95, "{behind}: {offset} {gain}");
        }
        let noise = |t: usize| {
            let x = (t as f64 * 12.9898).sin() * 43_758.547;
            10.0 * if t.is_multiple_of(4) { (t as f64 / 200.0).sin() } else { x - x.floor() - 0.5 }
        };
        assert_eq!(kinship(&(0..401).map(noise).collect::<Vec<_>>(), 4, 2), None);
        assert_eq!(kinship(&smooth[..30], 4, 1), None, "too short");
    }

    #[test]
    fn a_phase_learns_what_came_after_its_end() {
        // A level that has just risen by 4 in the last row; each phase says that its last value stays.
        let mut seen: Vec<f64> = (0..201).map(|t| (t as f64 / 40.0).sin()).collect();
        seen[200] += 4.0;
        let own = vec![seen[198]; 3];
        let fresh = vec![seen[200]; 3];
        let news = carried(&seen, &own, &fresh, 4, 2);
        assert_eq!(news.len(), 3);
        assert!(news.iter().all(|news| (3.0..4.2).contains(news)), "{news:?}");
        // A hole at its end is bridged by the step after it.
        seen[198] = f64::NAN;
        let holed = carried(&seen, &own, &fresh, 4, 2);
        assert!(holed.iter().all(|news| (3.0..4.2).contains(news)), "{holed:?}");
        assert_eq!(moved(2.0, 0.5, Space::Log), 2.0 * 0.5_f64.exp());
        assert_eq!(moved(1e308, 900.0, Space::Log), 1e308);
    }
}
