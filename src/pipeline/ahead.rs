//! What has to be known of the horizon before anything is trained or forecast: covariates that are known in advance.

use crate::ingest::{self, CovariateSpec, IngestError, IngestErrorKind, MissingAhead, SumsSpec};
use crate::model::forecaster::Forecaster;
use crate::pipeline::guess;
use crate::series::covariate::{Covariate, Known, Row};
use crate::series::{Ends, Panel, Series};
use rayon::prelude::*;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Missing values that are listed before the rest is only counted.
const LISTED: usize = 18;

/// Names that are listed of those that are new.
const NAMES: usize = 5;

/// A panel whose covariates reach over the horizon.
pub(super) struct Ahead<'a> {
    pub(super) panel: Cow<'a, Panel>,
    /// What was filled in.
    pub(super) notes: Vec<String>,
}

/// The panel with every covariate that is known in advance known for the whole horizon, as the policies of the source
/// have it. Series that are forecast with status `stale`, or by seasonal naive because they look wrong, need none; sums have
/// what their series have.
///
/// # Errors
/// Which values are missing, by series, time and column, where the policy is that none may be.
pub(super) fn complete<'a>(
    panel: &'a Panel,
    known: (&CovariateSpec, &SumsSpec),
    horizon: usize,
    season_length: Option<usize>,
) -> Result<Ahead<'a>, IngestError> {
    complete_among(panel, known, horizon, season_length, &Ends::default())
}

/// As [`complete`], of a panel of some of the series: the others end where `ends` says.
pub(super) fn complete_among<'a>(
    panel: &'a Panel,
    (spec, sums): (&CovariateSpec, &SumsSpec),
    horizon: usize,
    season_length: Option<usize>,
    ends: &Ends,
) -> Result<Ahead<'a>, IngestError> {
    let is_leaf = |index: &usize| sums.levels.is_none() || !ingest::is_sum(&panel.series[*index]);
    let needy: Vec<usize> = needy(panel, horizon, ends).into_iter().filter(is_leaf).collect();
    let ahead = panel.covariates.iter().enumerate().filter(|(_, one)| one.known == Known::Future);
    let mut missing = Missing::default();
    let mut filled: BTreeMap<&str, usize> = BTreeMap::new();
    let mut complete = Cow::Borrowed(panel);
    let season_of = |series: &Series| {
        let own = || series.frequency.season_lengths().first().copied().unwrap_or(1);
        season_length.unwrap_or_else(own).max(1)
    };
    for (place, covariate) in ahead {
        let policy = spec.missing_of(&covariate.name);
        let mut forecast: Vec<(usize, usize)> = Vec::new();
        for &index in &needy {
            let series = &panel.series[index];
            let Some(row) = series.covariates.get(place) else { continue };
            let steps = series.values.len();
            let gaps: Vec<usize> = (0..horizon).filter(|step| row.at(steps + step).is_nan()).collect();
            match policy {
                _ if gaps.is_empty() => {}
                MissingAhead::Error => missing.add(panel, series, covariate, horizon, &gaps),
                MissingAhead::Last | MissingAhead::Seasonal => {
                    let back = if policy == MissingAhead::Last { 1 } else { season_of(series) };
                    let row = &mut complete.to_mut().series[index].covariates[place];
                    row.change(|values| fill(values, steps + horizon, steps, back));
                    *filled.entry(&covariate.name).or_default() += gaps.len();
                }
                MissingAhead::Forecast => {
                    forecast.push((index, season_of(series)));
                    *filled.entry(&covariate.name).or_default() += gaps.len();
                }
            }
        }
        let guessed = |&(index, season): &(usize, usize)| {
            let series = &panel.series[index];
            let (mut row, from) = (series.covariates[place].clone(), series.values.len());
            row.change(|values| {
                guess::fill(values, &covariate.values, (from, from + horizon), season);
                // What could not be forecast is the one a season before.
                fill(values, from + horizon, from, season);
            });
            (index, row)
        };
        let rows: Vec<(usize, Row)> = forecast.par_iter().map(guessed).collect();
        rows.into_iter().for_each(|(index, row)| complete.to_mut().series[index].covariates[place] = row);
    }
    missing.none()?;
    if let Cow::Owned(panel) = &mut complete {
        sums.pool(panel, spec.columns.len())?;
    }
    let note = |(name, count): (&str, usize)| {
        let what = match spec.missing_of(name) {
            MissingAhead::Seasonal => "count as the one a season before",
            MissingAhead::Last | MissingAhead::Error => "count as the last one before",
            MissingAhead::Forecast => "are forecast from its own past",
        };
        format!("covariate '{name}': {count} missing values of the horizon {what}")
    };
    Ok(Ahead { panel: complete, notes: filled.into_iter().map(note).collect() })
}

/// Names of categories that a forecaster has never seen, one line for each covariate; they are none of those it knows.
pub(super) fn new_names(forecaster: &Forecaster, panel: &Panel) -> Vec<String> {
    let line = |(covariate, names): (String, Vec<String>)| {
        let listed: Vec<String> = names.iter().take(NAMES).map(|name| format!("'{name}'")).collect();
        let more = names.len().saturating_sub(NAMES);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!(
            "covariate '{covariate}' has names that the model has never seen and counts as none of those that it knows: {}{more}",
            listed.join(", ")
        )
    };
    forecaster.unknown_names(&panel.covariates).into_iter().map(line).collect()
}

/// Places of the series whose forecasts are of times to come and of a model.
fn needy(panel: &Panel, horizon: usize, ends: &Ends) -> Vec<usize> {
    let mut own = Ends::default();
    own.reach(panel);
    let is_needy = |series: &Series| {
        let Some(cutoff) = series.cutoff() else { return false };
        let end = ends.of(series.frequency, own.known(series.frequency)).unwrap_or(cutoff);
        // A series that ended more than a horizon before the others is forecast with status stale.
        let is_alive = cutoff >= end
            || series.frequency.after(cutoff, horizon, &panel.zone).last().is_some_and(|last| *last > end);
        is_alive && !panel.marks.contains_key(&series.unique_id)
    };
    (0..panel.series.len()).filter(|place| is_needy(&panel.series[*place])).collect()
}

/// Fills the values from a step on by those `back` steps before, further back where there is none, and by the last value
/// where no step before has one. Missing values of the history stay.
fn fill(values: &mut Vec<f64>, length: usize, from: usize, back: usize) {
    values.resize(values.len().max(length), f64::NAN);
    let mut last = values[..from].iter().rev().copied().find(|value| !value.is_nan()).unwrap_or(f64::NAN);
    for step in from..length {
        if values[step].is_nan() {
            let earlier = std::iter::successors(step.checked_sub(back), |at| at.checked_sub(back));
            let earlier = earlier.map(|at| values[at]).find(|value| !value.is_nan());
            values[step] = earlier.unwrap_or(last);
        }
        last = values[step];
    }
}

/// Values that are missing though they may not be.
#[derive(Default)]
struct Missing {
    lines: Vec<String>,
    count: usize,
}

impl Missing {
    fn add(&mut self, panel: &Panel, series: &Series, covariate: &Covariate, horizon: usize, gaps: &[usize]) {
        self.count += gaps.len();
        let room = LISTED - self.lines.len();
        let Some(cutoff) = series.cutoff().filter(|_| room > 0) else { return };
        let times = series.frequency.after(cutoff, horizon, &panel.zone);
        let (id, name) = (&series.unique_id, &covariate.name);
        let line = |step: &usize| {
            let time = ingest::text_of_instant(times[*step], &panel.zone);
            format!("series '{id}', {time}: {name} is missing")
        };
        self.lines.extend(gaps.iter().take(room).map(line));
    }

    fn none(self) -> Result<(), IngestError> {
        if self.count == 0 {
            return Ok(());
        }
        let values = if self.count == 1 { "value" } else { "values" };
        let mut problems = vec![format!(
            "{} {values} of covariates that are to be known in advance are missing in the horizon; add them, or set \
             missing_covariates = last, seasonal or forecast",
            self.count
        )];
        let more = self.count - self.lines.len();
        problems.extend(self.lines);
        problems.extend((more > 0).then(|| format!("and {more} more")));
        Err(IngestError::new(IngestErrorKind::Data, problems))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::covariate::Values;
    use crate::series::{Frequency, Status};
    use jiff::tz::TimeZone;

    const DAY: i64 = 86_400_000_000;

    /// A daily series from a day on, with prices.
    fn series(id: &str, from: i64, steps: i64, prices: &[f64]) -> Series {
        Series {
            unique_id: id.into(),
            keys: Vec::new(),
            frequency: Frequency::Days { days: 1 },
            times: (from..from + steps).map(|day| day * DAY).collect(),
            values: vec![1.0; steps as usize],
            covariates: vec![Row::new(Known::Future, prices.to_vec())],
            observations: None,
            filled: Vec::new(),
        }
    }

    fn panel(series: Vec<Series>) -> Panel {
        Panel {
            id_columns: vec!["id".into()],
            covariates: vec![Covariate { name: "price".into(), known: Known::Future, values: Values::Real }],
            series,
            zone: TimeZone::UTC,
            marks: BTreeMap::new(),
        }
    }

    fn with(missing: MissingAhead) -> CovariateSpec {
        CovariateSpec { missing, ..CovariateSpec::default() }
    }

    #[test]
    fn every_missing_value_is_named_and_many_are_counted() {
        let short = [1.0, 2.0, 3.0, 4.0, f64::NAN, 6.0];
        let panel = panel(vec![series("a", 0, 3, &short), series("b", 0, 3, &short[..5])]);
        let of = |horizon| {
            complete(&panel, (&with(MissingAhead::Error), &SumsSpec::default()), horizon, None).err()
        };
        assert!(of(1).is_none(), "the first step is known");
        let error = of(3).expect("missing");
        assert_eq!(error.kind(), IngestErrorKind::Data);
        assert!(error.problems()[0].starts_with("3 values of covariates"), "{error}");
        assert_eq!(
            error.problems()[1..],
            [
                "series 'a', 1970-01-05T00:00:00Z: price is missing",
                "series 'b', 1970-01-05T00:00:00Z: price is missing",
                "series 'b', 1970-01-06T00:00:00Z: price is missing",
            ]
        );
        let many = of(30).expect("missing");
        assert_eq!(many.problems().len(), LISTED + 2);
        assert_eq!(many.problems()[LISTED + 1], format!("and {} more", 28 + 29 - LISTED));
    }

    #[test]
    fn missing_values_are_filled_as_the_policy_says() {
        let panel = panel(vec![series("a", 0, 4, &[1.0, 2.0, f64::NAN, 4.0, f64::NAN, 6.0])]);
        let of = |policy| {
            let ahead = complete(&panel, (&with(policy), &SumsSpec::default()), 4, Some(2)).expect("filled");
            (ahead.panel.series[0].covariates[0].values()[4..].to_vec(), ahead.notes)
        };
        let (last, notes) = of(MissingAhead::Last);
        assert_eq!(last, [4.0, 6.0, 6.0, 6.0]);
        assert_eq!(
            notes,
            ["covariate 'price': 3 missing values of the horizon count as the last one before"]
        );
        // Two steps before the first is a hole; the value before that counts.
        assert_eq!(of(MissingAhead::Seasonal).0, [1.0, 6.0, 1.0, 6.0]);
        let (forecast, notes) = of(MissingAhead::Forecast);
        assert!(forecast.iter().all(|price| price.is_finite()) && forecast[1] == 6.0, "{forecast:?}");
        assert_eq!(
            notes,
            ["covariate 'price': 3 missing values of the horizon are forecast from its own past"]
        );
        let whole = complete(&panel, (&with(MissingAhead::Last), &SumsSpec::default()), 0, None)
            .expect("nothing to fill");
        assert!(matches!(whole.panel, Cow::Borrowed(_)) && whole.notes.is_empty());
    }

    #[test]
    fn series_that_no_model_forecasts_need_nothing() {
        let mut panel = panel(vec![series("old", 0, 3, &[1.0; 3]), series("young", 5, 3, &[1.0; 5])]);
        assert!(
            complete(&panel, (&with(MissingAhead::Error), &SumsSpec::default()), 2, None).is_ok(),
            "its forecast is stale"
        );
        let error = complete(&panel, (&with(MissingAhead::Error), &SumsSpec::default()), 6, None)
            .err()
            .expect("both are alive");
        assert!(error.problems()[0].starts_with("10 values"), "{error}");
        panel.marks.insert("young".into(), Status::Fallback);
        assert!(complete(&panel, (&with(MissingAhead::Error), &SumsSpec::default()), 4, None).is_ok());
    }
}
