//! How the step of some data stands to the step that a model was trained on.

use std::fmt;

use crate::model::group::{Group, Served};
use crate::series::Frequency;

/// Most steps that a model may be made to take within one row: at four of them errors were 2 % above those of a model of the
/// coarser step, and every further one is made up by interpolation.
const COARSER_MAX: usize = 8;

/// Rows of a season without which coarser data do not show it.
const SEASON_ROWS_MIN: usize = 4;

/// Most rows of a forecast.
const ROWS_MAX: usize = 10_000;

/// How the step of some data stands to the step that a model was trained on: 15 minutes to an hour are `Finer(4)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// It is the model's.
    Same,
    /// That many rows make one step of the model, at least 2.
    Finer(usize),
    /// One row lasts that many steps of the model, at least 2.
    Coarser(usize),
}

/// Which [`Rate`] is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// That of the frequencies.
    Auto,
    /// This one.
    By(Rate),
}

/// Which frequency of a model forecasts a frequency of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match {
    /// Step of the data.
    pub data: Frequency,
    /// Step of the model.
    pub model: Frequency,
    /// The one in terms of the other.
    pub rate: Rate,
}

impl Rate {
    /// One row in steps of the model as a fraction; `None` unless it or its inverse is a whole number.
    pub fn of_fraction((rows, steps): (u64, u64)) -> Option<Rate> {
        let count = |number: u64| usize::try_from(number).ok();
        match (rows, steps) {
            (0, _) | (_, 0) => None,
            (1, 1) => Some(Rate::Same),
            (1, steps) => count(steps).map(Rate::Finer),
            (rows, 1) => count(rows).map(Rate::Coarser),
            _ => None,
        }
    }

    /// One row in steps of the model as a number, to three digits: 0.333 is a third.
    pub fn of_number(scale: f64) -> Option<Rate> {
        if !(scale.is_finite() && scale > 0.0) {
            return None;
        }
        let (whole, is_finer) = if scale < 1.0 { (1.0 / scale, true) } else { (scale, false) };
        let nearest = whole.round();
        let is_near = nearest <= 1e6 && (whole / nearest - 1.0).abs() < 2e-3;
        let number = nearest as u64;
        is_near.then(|| Rate::of_fraction(if is_finer { (1, number) } else { (number, 1) })).flatten()
    }

    /// One row in steps of the model: 0.25 where four rows make a step.
    pub fn scale(self) -> f64 {
        match self {
            Rate::Same => 1.0,
            Rate::Finer(rows) => 1.0 / rows as f64,
            Rate::Coarser(steps) => steps as f64,
        }
    }

    /// Rows that so many steps of the model reach.
    pub fn rows(self, steps: usize) -> usize {
        match self {
            Rate::Same => steps,
            Rate::Finer(rows) => steps.saturating_mul(rows),
            Rate::Coarser(each) => steps / each,
        }
    }

    /// A season of the model in rows, 1 where it is no whole number of them.
    pub fn season(self, season: usize) -> usize {
        match self {
            _ if season <= 1 => 1,
            Rate::Coarser(each) if !season.is_multiple_of(each) => 1,
            _ => self.rows(season).max(1),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rate::Same => f.write_str("1"),
            Rate::Finer(rows) => write!(f, "1/{rows}"),
            Rate::Coarser(steps) => write!(f, "{steps}"),
        }
    }
}

/// The group that forecasts data of a frequency, and at which rate.
///
/// # Errors
/// Why none does, in a sentence that goes on after "series of step 15m".
pub fn matched(
    groups: &[Group],
    horizon: usize,
    data: Frequency,
    scale: Option<Scale>,
) -> Result<Match, String> {
    let known = || groups.iter().map(|group| group.frequency.to_string()).collect::<Vec<_>>().join(", ");
    let own = |group: &Group, rate| Match { data, model: group.frequency, rate };
    if let Some(group) = groups.iter().find(|group| group.frequency == data)
        && matches!(scale, None | Some(Scale::Auto | Scale::By(Rate::Same)))
    {
        return Ok(own(group, Rate::Same));
    }
    let fractions = groups.iter().filter_map(|group| Some((group, data.in_steps_of(group.frequency)?)));
    let mut rates: Vec<(&Group, Rate)> =
        fractions.filter_map(|(group, fraction)| Some((group, Rate::of_fraction(fraction)?))).collect();
    // The nearest step first; of two as near, the finer one of the model.
    rates.sort_by(|(_, a), (_, b)| a.scale().ln().abs().total_cmp(&b.scale().ln().abs()));
    let (group, rate) = match scale {
        None => {
            let help = match rates.first() {
                Some(_) => "; sampling_scale = auto lets it forecast them",
                None => "; give freq if they are of that step, or train a model on them",
            };
            return Err(format!("cannot be forecast by a model of step {}{help}", known()));
        }
        Some(Scale::Auto) => *rates.first().ok_or_else(|| {
            format!(
                "stand in no ratio of 1 to a whole number, or the other way round, to the model's step {}",
                known()
            )
        })?,
        Some(Scale::By(rate)) => match rates.iter().find(|(_, found)| *found == rate) {
            Some(found) => *found,
            None => match (groups, rates.first()) {
                // What has no ratio in time (business days and weeks) has the one that is asked for.
                ([group], None) if data.in_steps_of(group.frequency).is_none() => (group, rate),
                (_, Some((group, found))) => {
                    return Err(format!(
                        "are {found} of the model's step {}, not {rate}; give sampling_scale = auto or {found}",
                        group.frequency
                    ));
                }
                _ => return Err(format!("are not {rate} of the model's step {}", known())),
            },
        },
    };
    possible(group, horizon, rate).map(|()| own(group, rate))
}

/// Whether a group can forecast at that rate.
fn possible(group: &Group, horizon: usize, rate: Rate) -> Result<(), String> {
    let (step, rows) = (group.frequency, rate.rows(horizon));
    if rate != Rate::Same && matches!(group.served, Served::Counts(_)) {
        return Err(format!(
            "are no steps of {step}, and counts of one step say nothing of another: train a model on them"
        ));
    }
    if rate != Rate::Same && group.ensemble().is_some_and(|ensemble| ensemble.events.is_some()) {
        return Err(format!(
            "are no steps of {step}, and the model reads observations at any times: give freq {step} and no scale"
        ));
    }
    if let Rate::Coarser(each) = rate {
        if each > COARSER_MAX {
            return Err(format!(
                "last {each} steps of the model ({step}); at most {COARSER_MAX} can be bridged: train a model on them"
            ));
        }
        let is_seasonal = group.season > 1 && !matches!(group.served, Served::Local { .. });
        if is_seasonal && group.season < SEASON_ROWS_MIN * each {
            return Err(format!(
                "have fewer than {SEASON_ROWS_MIN} rows in the season of {} steps of {step} that the model repeats: train \
                 a model on them",
                group.season
            ));
        }
    }
    match rows {
        0 => Err(format!("are longer than the {horizon} steps of {step} that the model forecasts")),
        1..=ROWS_MAX => Ok(()),
        _ => Err(format!(
            "would get {rows} rows each from {horizon} steps of {step}; at most {ROWS_MAX} are made"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::features::Encoding;

    fn group(step: &str, season: usize) -> Group {
        Group {
            frequency: step.parse().unwrap(),
            season,
            encoding: Encoding::default(),
            served: Served::SeasonalNaive { is_fallback: false },
            model_id: "seasonal_naive",
        }
    }

    fn rate(groups: &[Group], data: &str, scale: Option<Scale>) -> Result<(String, Rate), String> {
        let found = matched(groups, 24, data.parse().unwrap(), scale)?;
        Ok((found.model.to_string(), found.rate))
    }

    #[test]
    fn numbers_and_fractions_are_rates_where_one_side_is_whole() {
        assert_eq!(Rate::of_number(0.25), Some(Rate::Finer(4)));
        assert_eq!(
            (Rate::of_number(0.3333), Rate::of_number(0.333)),
            (Some(Rate::Finer(3)), Some(Rate::Finer(3)))
        );
        assert_eq!((Rate::of_number(1.0), Rate::of_number(4.0)), (Some(Rate::Same), Some(Rate::Coarser(4))));
        for wrong in [0.0, -0.25, 0.4, 1.5, f64::NAN, f64::INFINITY, 1e-9] {
            assert_eq!(Rate::of_number(wrong), None, "{wrong}");
        }
        assert_eq!((Rate::Finer(4).rows(24), Rate::Coarser(4).rows(26), Rate::Same.rows(7)), (96, 6, 7));
        assert_eq!(
            (Rate::Finer(4).season(24), Rate::Coarser(4).season(24), Rate::Coarser(5).season(24)),
            (96, 6, 1)
        );
    }

    #[test]
    fn the_nearest_step_of_the_model_forecasts() {
        let groups = [group("1d", 7), group("1h", 24)];
        let hour = |rate| Ok(("1h".to_owned(), rate));
        assert_eq!(rate(&groups, "15m", Some(Scale::Auto)), hour(Rate::Finer(4)));
        assert_eq!(rate(&groups, "1h", Some(Scale::Auto)), hour(Rate::Same));
        assert_eq!(rate(&groups, "2h", Some(Scale::Auto)), hour(Rate::Coarser(2)));
        assert_eq!(rate(&groups, "6h", Some(Scale::By(Rate::Finer(4)))), Ok(("1d".into(), Rate::Finer(4))));
        assert_eq!(rate(&groups, "1h", None), hour(Rate::Same));
        let weeks = [group("1w", 52)];
        assert_eq!(rate(&weeks, "B", Some(Scale::By(Rate::Finer(5)))), Ok(("1w".into(), Rate::Finer(5))));
    }

    #[test]
    fn what_cannot_work_is_refused_with_its_reason() {
        let groups = [group("1h", 24)];
        let cases = [
            ("15m", None, "sampling_scale = auto"),
            ("MS", None, "train a model on them"),
            ("25m", Some(Scale::Auto), "no ratio of 1 to a whole number"),
            ("B", Some(Scale::Auto), "no ratio"),
            ("15m", Some(Scale::By(Rate::Finer(2))), "are 1/4 of the model's step 1h, not 1/2"),
            ("1h", Some(Scale::By(Rate::Finer(4))), "are 1 of the model's step 1h, not 1/4"),
            ("25m", Some(Scale::By(Rate::Finer(2))), "are not 1/2 of the model's step 1h"),
            ("8h", Some(Scale::Auto), "fewer than 4 rows in the season of 24 steps"),
            ("1d", Some(Scale::Auto), "at most 8"),
            ("1s", Some(Scale::Auto), "86400 rows"),
        ];
        for (data, scale, words) in cases {
            let error = rate(&groups, data, scale).unwrap_err();
            assert!(error.contains(words), "{data}: {error}");
        }
        let short = matched(&[group("1h", 1)], 3, "4h".parse().unwrap(), Some(Scale::Auto)).unwrap_err();
        assert!(short.contains("longer than the 3 steps"), "{short}");
    }
}
