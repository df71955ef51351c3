//! What a point forecast is made of: parts that add up to it, and what the model saw.
//!
//! ```text
//! published = trend + seasonal + covariates + network + remainder + bounds
//! ```
//!
//! The split needs nothing of the model but its forecast, so that it is the same for all of them. With ŷ the forecast before
//! bounds and b that of the ensemble without its networks, `network` is ŷ − b. What maps make of covariates is taken out of b
//! one covariate after the other, the last one first, and each is given the difference; what is left is decomposed after the last seasons of the
//! history by moving averages (classical additive decomposition, Hyndman and Athanasopoulos, Forecasting: Principles and
//! Practice, 3.4); what that leaves is `remainder`, and `bounds` is what minimum, maximum and rounding changed.

use crate::model::classical;
use crate::model::counts;
use crate::model::ensemble::Ensemble;
use crate::model::features::TERMS;
use crate::model::group::{Group, Served};
use crate::model::member::Member;
use crate::model::past::{self, Past};
use crate::model::predict::{self, Made};
use crate::model::smoothing;
use crate::model::spec::ModelSpec;
use crate::model::work::{Space, WorkSeries};
use crate::series::{Covariate, Panel, Series, Status};
use std::sync::Arc;

/// The parts of one series' point forecast (T each), in units of the target.
#[derive(Clone, Debug, PartialEq)]
pub struct Components {
    /// Target timestamps, microseconds UTC.
    pub times: Vec<i64>,
    /// As published: the sum of the parts.
    pub point: Vec<f64>,
    /// Level and drift.
    pub trend: Vec<f64>,
    /// What repeats with the season, around zero; zero where there is no season or the history holds none.
    pub seasonal: Vec<f64>,
    /// What maps made of each covariate that they read, by its name; what networks made of it is theirs.
    pub covariates: Vec<(String, Vec<f64>)>,
    /// What networks added to the maps that they stand on; zero where none serves.
    pub network: Vec<f64>,
    /// What is left of the forecast without networks.
    pub remainder: Vec<f64>,
    /// What bounds and rounding changed.
    pub bounds: Vec<f64>,
    /// What the forecast was made from.
    pub sight: Sight,
}

/// What a model saw of a series, and what it consists of.
#[derive(Clone, Debug, PartialEq)]
pub struct Sight {
    /// Published name of what made the forecast.
    pub model_id: &'static str,
    /// Timestamp of the earliest input that the point depends on, microseconds UTC.
    pub start: i64,
    /// Steps from there to the end of the series.
    pub inputs: usize,
    /// Of these, how many were missing and filled from the past.
    pub missing: usize,
    /// Season length in steps, 1 for none.
    pub season_length: usize,
    /// Space that the model works in; `None` where it works on the target as it is.
    pub space: Option<Space>,
    /// Weight of the members that have networks, 0 to 1.
    pub network_share: f64,
    /// What is averaged, by kind, and how many there are of each.
    pub members: Vec<(&'static str, usize)>,
}

/// The parts of the forecast of one series of the panel; `None` for an empty one.
pub fn of(spec: &ModelSpec, group: Option<&Group>, series: &Series, panel: &Panel) -> Option<Components> {
    let cutoff = series.cutoff()?;
    let season = group.map_or(1, |group| group.season);
    let made = predict::forecasts(spec, group, &[series], &panel.marks, &panel.covariates, &|| {}).pop()?;
    // Where seasonal naive stands in, the group's model has no part in the forecast.
    let group = group.filter(|group| match group.served {
        Served::Blend(_) => made.status != Status::Fallback,
        _ => group.model_id == made.model_id,
    });
    let learnt = group.and_then(|group| Learnt::of(spec, group, series, panel, &made));
    let bare =
        learnt.as_ref().and_then(|learnt| Bare::of(learnt.group, series, &panel.covariates, spec.horizon()));
    let (share, whole) = learnt.map_or((1.0, made.point.clone()), |learnt| (learnt.share, learnt.point));
    let difference = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<f64>>();
    // What networks and covariates made of the learnt part counts as much as that part.
    let shared = |part: Vec<f64>| part.into_iter().map(|part| share * part).collect::<Vec<f64>>();
    let others = difference(&made.point, &shared(whole.clone()));
    let base = bare.as_ref().and_then(|bare| bare.point(bare.names.len())).unwrap_or_else(|| whole.clone());
    let network = shared(difference(&whole, &base));
    let (mut covariates, mut plain) = (Vec::new(), base);
    for (count, name) in bare.iter().flat_map(|bare| bare.names.iter().enumerate()).rev() {
        let Some(without) = bare.as_ref().and_then(|bare| bare.point(count)) else { break };
        covariates.insert(0, (name.clone(), shared(difference(&plain, &without))));
        plain = without;
    }
    let plain: Vec<f64> = shared(plain).iter().zip(&others).map(|(plain, others)| plain + others).collect();
    let split = Split::of(&past::filled(&series.values, season), &plain, season);
    let sight = Sight::of(group, &made, series, season);
    let point = made.clone().bounded(spec.bounds()).point;
    Some(Components {
        times: series.frequency.after(cutoff, spec.horizon(), &panel.zone),
        trend: split.trend,
        seasonal: split.seasonal,
        covariates,
        network,
        remainder: split.remainder,
        bounds: difference(&point, &made.point),
        point,
        sight,
    })
}

/// The part of a forecast that maps and networks made.
struct Learnt<'a> {
    group: &'a Group,
    /// How much it counts, above 0 and at most 1.
    share: f64,
    /// Its own point forecast (T).
    point: Vec<f64>,
}

impl<'a> Learnt<'a> {
    /// `None` where it has no part in the forecast `made`.
    fn of(
        spec: &ModelSpec,
        group: &'a Group,
        series: &Series,
        panel: &Panel,
        made: &Made,
    ) -> Option<Learnt<'a>> {
        let Served::Blend(blend) = &group.served else {
            return Some(Learnt { group, share: 1.0, point: made.point.clone() });
        };
        // Parts that made nothing of the series left their weight to the others.
        let share: f64 =
            made.weights.iter().map(|(name, weight)| weight * f64::from(!blend.is_local(name))).sum();
        let base = Some(&blend.base);
        let own = predict::forecasts(spec, base, &[series], &panel.marks, &panel.covariates, &|| {}).pop()?;
        (share > 0.0).then_some(Learnt { group: &blend.base, share, point: own.point })
    }
}

/// An ensemble without its networks, and a series as it sees it.
struct Bare<'a> {
    ensemble: Ensemble,
    work: WorkSeries,
    /// Covariates that its maps read, and the columns of all.
    names: Vec<String>,
    columns: Vec<&'a str>,
}

impl<'a> Bare<'a> {
    /// `None` where there is nothing to leave out.
    fn of(group: &'a Group, series: &Series, covariates: &[Covariate], horizon: usize) -> Option<Bare<'a>> {
        let Served::Ensemble(ensemble) = &group.served else { return None };
        let reads = ensemble.members.iter().any(|(member, _)| member.effects.ncols() > 0);
        if !ensemble.has_network() && !reads {
            return None;
        }
        let bare = |(member, weight): &(Member, f64)| (Member { network: None, ..member.clone() }, *weight);
        let members = ensemble.members.iter().map(bare).collect();
        let ensemble = Ensemble { members, events: None, ..(**ensemble).clone() }.rescaled()?;
        let past = Past::of(&series.values, ensemble.space, group.season, ensemble.reach());
        let features = group.encoding.apply(covariates, &[series], horizon, group.season).remove(0);
        let features = Arc::new(features.after(series.values.len() - past.tail.len()));
        let work = predict::in_work_space(&ensemble, &past, Some(series), &features, group.season)?;
        let columns: Vec<&str> = group.encoding.covariates().collect();
        let mut names: Vec<String> = Vec::new();
        for name in columns.iter().filter(|_| reads) {
            if !names.iter().any(|known| known == name) {
                names.push((*name).to_owned());
            }
        }
        Some(Bare { ensemble, work, names, columns })
    }

    /// Point forecast (T) of maps that read the first `count` covariates alone; `None` where the difference that this makes
    /// is no number.
    fn point(&self, count: usize) -> Option<Vec<f64>> {
        let mut ensemble = self.ensemble.clone();
        for (member, _) in &mut ensemble.members {
            for (index, mut column) in member.effects.columns_mut().into_iter().enumerate() {
                let covariate = self.columns.get(index / TERMS);
                if !self.names[..count].iter().any(|name| Some(&name.as_str()) == covariate) {
                    column.fill(0.0);
                }
            }
        }
        let point = ensemble.point(&[&self.work], &[self.work.steps()]).row(0).to_vec();
        // Beyond that, differences may overflow.
        point.iter().all(|y| y.abs() < f64::MAX / 4.0).then_some(point)
    }
}

impl Sight {
    fn of(group: Option<&Group>, made: &Made, series: &Series, season: usize) -> Sight {
        let len = series.values.len();
        let naive = || if season <= len { season } else { 1 };
        let (reach, members) = match group.map(|group| &group.served) {
            Some(Served::Ensemble(ensemble)) => (ensemble.reach(), kinds(ensemble)),
            Some(Served::Local { kind }) => (classical::reach(*kind), vec![(made.model_id, 1)]),
            Some(Served::Counts(_)) => (counts::rates::reach(season), vec![(made.model_id, 1)]),
            Some(Served::Blend(blend)) => {
                let parts = made.weights.iter().map(|(name, _)| (*name, 1)).collect();
                (blend.base.ensemble().map_or(1, Ensemble::reach).max(blend.reach()), parts)
            }
            _ => (naive(), vec![(made.model_id, 1)]),
        };
        let ensemble = match group.map(|group| &group.served) {
            Some(Served::Ensemble(ensemble)) => Some(ensemble),
            _ => None,
        };
        let share = |ensemble: &Ensemble| {
            let networks = ensemble.members.iter().filter(|(member, _)| member.network.is_some());
            let events = ensemble.events.as_ref().map_or(0.0, |(_, weight)| *weight);
            events + networks.map(|(_, weight)| weight).sum::<f64>()
        };
        let inputs = reach.min(len);
        Sight {
            model_id: made.model_id,
            start: series.times[len - inputs],
            inputs,
            missing: series.values[len - inputs..].iter().filter(|y| y.is_nan()).count(),
            season_length: season,
            space: ensemble.map(|ensemble| ensemble.space),
            network_share: match group.map(|group| &group.served) {
                Some(Served::Blend(_)) => networks_of(&made.weights),
                _ => ensemble.map_or(0.0, |ensemble| share(ensemble)),
            },
            members,
        }
    }
}

/// Weight of networks among some weights.
fn networks_of(weights: &[(&str, f64)]) -> f64 {
    let networks = weights.iter().filter(|(name, _)| ["s4d", "s4", "sashimi"].contains(name));
    networks.map(|(_, weight)| weight).sum()
}

/// Members by kind: maps alone first, then smoothing, then networks.
fn kinds(ensemble: &Ensemble) -> Vec<(&'static str, usize)> {
    let count = |of: &str| ensemble.members.iter().filter(|(member, _)| member.kind() == of).count();
    let smoothing = ("smoothing", usize::from(ensemble.smoothing > 0.0));
    let all = [("ridge", count("ridge")), smoothing];
    let networks = ["s4d", "s4", "sashimi"].map(|name| {
        let events = usize::from(name == "s4d" && ensemble.events.is_some());
        (name, count(name) + events)
    });
    all.into_iter().chain(networks).filter(|(_, count)| *count > 0).collect()
}

/// Seasons of the history that a forecast is decomposed with.
const SEASONS: usize = 3;

/// A forecast in parts (T each).
struct Split {
    trend: Vec<f64>,
    seasonal: Vec<f64>,
    remainder: Vec<f64>,
}

impl Split {
    /// The parts of a forecast after a history without holes; the forecast alone as trend where they are no numbers.
    fn of(history: &[f64], forecast: &[f64], season: usize) -> Split {
        let tail = &history[history.len().saturating_sub(SEASONS * season)..];
        let values: Vec<f64> = tail.iter().chain(forecast).copied().collect();
        let size = values.iter().fold(0.0, |size: f64, y| size.max(y.abs()));
        let zeros = vec![0.0; forecast.len()];
        let whole = || Split { trend: forecast.to_vec(), seasonal: zeros.clone(), remainder: zeros.clone() };
        if size == 0.0 {
            return whole();
        }
        // In units of the size, so that gigantic values have finite sums.
        let values: Vec<f64> = values.iter().map(|y| y / size).collect();
        let is_seasonal = season > 1 && tail.len() >= season && values.len() >= 2 * season;
        let (mut trend, mut seasonal) = if is_seasonal {
            decomposed(&values, season)
        } else {
            (line(&values[tail.len()..]), vec![0.0; forecast.len()])
        };
        let start = trend.len() - forecast.len();
        trend.drain(..start);
        seasonal.drain(..start.min(seasonal.len() - forecast.len()));
        trend.iter_mut().chain(&mut seasonal).for_each(|part| *part *= size);
        let rest = |step: usize| forecast[step] - trend[step] - seasonal[step];
        let remainder: Vec<f64> = (0..forecast.len()).map(rest).collect();
        let is_finite = trend.iter().chain(&seasonal).chain(&remainder).all(|part| part.is_finite());
        if is_finite { Split { trend, seasonal, remainder } } else { whole() }
    }
}

/// Trend and seasonal part of values that are at least two seasons long; both lack the first half season.
///
/// The trend is the centred moving average over one season, which goes on from the last one with the slope of the averages
/// of one season; the seasonal part is the mean deviation from it of every phase, all of which add up to zero.
fn decomposed(values: &[f64], season: usize) -> (Vec<f64>, Vec<f64>) {
    let (half, is_even) = (season / 2, season.is_multiple_of(2));
    let mut sums = vec![0.0];
    for y in values {
        sums.push(sums[sums.len() - 1] + y);
    }
    let mut trend: Vec<f64> = (half..values.len() - half)
        .map(|t| {
            let ends = if is_even { 0.5 * (values[t - half] + values[t + half]) } else { 0.0 };
            (sums[t + half + 1] - sums[t - half] - ends) / season as f64
        })
        .collect();
    let averages = &trend[trend.len().saturating_sub(season)..];
    let slope = smoothing::slope(averages);
    let last = averages[averages.len() - 1];
    trend.extend((1..=half).map(|ahead| last + slope * ahead as f64));
    let mut phases = vec![(0.0, 0usize); season];
    for (t, (y, trend)) in values[half..].iter().zip(&trend).enumerate() {
        let (sum, count) = &mut phases[t % season];
        *sum += y - trend;
        *count += 1;
    }
    let means: Vec<f64> = phases.iter().map(|(sum, count)| sum / *count as f64).collect();
    let level = means.iter().sum::<f64>() / season as f64;
    let seasonal = (0..trend.len()).map(|t| means[t % season] - level).collect();
    trend.iter_mut().for_each(|value| *value += level);
    (trend, seasonal)
}

/// The least-squares line through the values, at each of them.
fn line(values: &[f64]) -> Vec<f64> {
    let count = values.len() as f64;
    let (mean, slope) = (values.iter().sum::<f64>() / count, smoothing::slope(values));
    (0..values.len()).map(|t| mean + slope * (t as f64 - (count - 1.0) / 2.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(t: usize, season: usize) -> f64 {
        4.0 * (t as f64 * std::f64::consts::TAU / season as f64).sin()
    }

    #[test]
    fn a_line_with_a_sine_on_it_comes_apart_exactly() {
        for season in [2, 7, 12, 24] {
            for (history, horizon) in [(5 * season, 1), (2 * season, season + 3), (season, season), (300, 50)]
            {
                let values: Vec<f64> =
                    (0..history + horizon).map(|t| 50.0 + 0.3 * t as f64 + wave(t, season)).collect();
                let split = Split::of(&values[..history], &values[history..], season);
                for step in 0..horizon {
                    let t = history + step;
                    let (trend, seasonal) = (50.0 + 0.3 * t as f64, wave(t, season));
                    assert!((split.trend[step] - trend).abs() < 1e-9, "{season} {history} {step}");
                    assert!((split.seasonal[step] - seasonal).abs() < 1e-9, "{season} {history} {step}");
                    assert!(split.remainder[step].abs() < 1e-9);
                }
            }
        }
    }

    #[test]
    fn without_a_season_or_a_history_of_one_a_line_is_the_trend() {
        for (history, season) in [(vec![], 1), (vec![9.0; 40], 1), (vec![9.0; 6], 7), (vec![9.0; 8], 7)] {
            let split = Split::of(&history, &[1.0, 2.0, 4.0, 4.0], season);
            assert_eq!(split.seasonal, [0.0; 4]);
            let expected = [1.1, 2.2, 3.3, 4.4];
            assert!(
                split.trend.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12),
                "{:?}",
                split.trend
            );
        }
        assert_eq!(Split::of(&[], &[3.0], 12).trend, [3.0]);
        assert_eq!(Split::of(&[0.0; 30], &[0.0; 2], 7).trend, [0.0; 2]);
    }

    #[test]
    fn gigantic_values_have_parts() {
        let history: Vec<f64> = (0..40).map(|t| if t % 3 == 0 { 1.7e308 } else { -1.7e308 }).collect();
        for forecast in [[1.7e308, -1.7e308], [-1.7e308, 5e-324]] {
            let Split { trend, seasonal, remainder } = Split::of(&history, &forecast, 7);
            assert!(trend.iter().chain(&seasonal).chain(&remainder).all(|part| part.is_finite()));
        }
    }
}
