//! What if: forecasts of the same series and steps under other values of covariates that are known in advance.
//!
//! A scenario changes nothing but the steps of the horizon: the history that a model looks back on stays what it was.

mod spec;

pub use spec::{Change, Effect, Scenario, ScenarioError};

use crate::ingest::{CovariateSpec, IngestError, IngestErrorKind, SumsSpec};
use crate::series::covariate::{Covariate, Row, Values};
use crate::series::{Forecasts, Panel, ScenarioForecasts};

/// Names of a category that a message lists.
const NAMES: usize = 8;

/// What came of a scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct ScenarioReport {
    /// Its name.
    pub name: String,
    /// What it changed, in words.
    pub changes: Vec<String>,
    /// Mean of its point forecasts over all series and steps; `NaN` where there is none.
    pub mean: f64,
    /// The same of the plain forecasts.
    pub plain_mean: f64,
}

impl ScenarioReport {
    /// Difference of the means as a share of the plain one; `None` where that says nothing.
    pub fn change(&self) -> Option<f64> {
        let change = (self.mean - self.plain_mean) / self.plain_mean.abs();
        change.is_finite().then_some(change)
    }
}

/// Whether every scenario can be applied to a panel whose covariates reach over the horizon.
///
/// # Errors
/// Every change that cannot be made, with its remedy.
pub(super) fn check(
    scenarios: &[Scenario],
    panel: &Panel,
    spec: &CovariateSpec,
    horizon: usize,
) -> Result<(), IngestError> {
    let problems: Vec<String> =
        scenarios.iter().filter_map(|one| changed(one, panel, spec, horizon).err()).flatten().collect();
    match problems.is_empty() {
        true => Ok(()),
        false => Err(IngestError::new(IngestErrorKind::Usage, problems)),
    }
}

/// Forecasts of every scenario from a panel whose covariates reach over the horizon, with what came of each beside the
/// plain forecasts, and notes.
///
/// # Errors
/// Where a scenario cannot be applied, or the forecaster refuses.
pub(super) fn forecast<E: From<IngestError>>(
    scenarios: &[Scenario],
    (panel, plain): (&Panel, &Forecasts),
    (spec, sums): (&CovariateSpec, &SumsSpec),
    horizon: usize,
    predict: impl Fn(&Panel) -> Result<Forecasts, E>,
) -> Result<Made, E> {
    let mut made = Made::default();
    for scenario in scenarios {
        let rows = changed(scenario, panel, spec, horizon);
        let rows = rows.map_err(|problems| IngestError::new(IngestErrorKind::Usage, problems))?;
        let mut other = panel.clone();
        rows.into_iter().for_each(|(series, place, row)| other.series[series].covariates[place] = row);
        // Sums have what their series have.
        sums.pool(&mut other, spec.columns.len())?;
        let forecasts = predict(&other)?;
        let is_same = points(&forecasts).eq(points(plain));
        if is_same {
            made.notes.push(format!(
                "scenario '{}' changes no forecast: what forecasts here does not depend on what it changes, or that is so \
                 already",
                scenario.name
            ));
        }
        made.reports.push(ScenarioReport {
            name: scenario.name.clone(),
            changes: scenario.changes.iter().map(Change::to_string).collect(),
            mean: mean(points(&forecasts)),
            plain_mean: mean(points(plain)),
        });
        made.forecasts.push(ScenarioForecasts { name: scenario.name.clone(), forecasts });
    }
    Ok(made)
}

/// Forecasts of scenarios, and what is said of them.
#[derive(Debug, Default)]
pub(super) struct Made {
    pub(super) forecasts: Vec<ScenarioForecasts>,
    pub(super) reports: Vec<ScenarioReport>,
    pub(super) notes: Vec<String>,
}

impl Made {
    pub(super) fn add(&mut self, other: Made) {
        self.forecasts.extend(other.forecasts);
        self.reports.extend(other.reports);
        self.notes.extend(other.notes);
    }
}

/// The names of scenarios with what they change, as the metadata of a file has them.
pub(super) fn in_words(scenarios: &[ScenarioForecasts], all: &[Scenario]) -> Option<String> {
    let published = |scenario: &&Scenario| scenarios.iter().any(|one| one.name == scenario.name);
    let pair = |scenario: &Scenario| {
        let changes: Vec<String> = scenario.changes.iter().map(Change::to_string).collect();
        (scenario.name.clone(), changes.join(", ").into())
    };
    let pairs: serde_json::Map<String, serde_json::Value> = all.iter().filter(published).map(pair).collect();
    (!pairs.is_empty()).then(|| serde_json::Value::Object(pairs).to_string())
}

fn points(forecasts: &Forecasts) -> impl Iterator<Item = f64> {
    forecasts.series.iter().flat_map(|series| series.point.iter().copied())
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    sum / f64::from(count)
}

/// A row in the place of another: index of the series, of the covariate.
type Changed = (usize, usize, Row);

/// The rows of a panel that a scenario changes; every change that cannot be made.
fn changed(
    scenario: &Scenario,
    panel: &Panel,
    spec: &CovariateSpec,
    horizon: usize,
) -> Result<Vec<Changed>, Vec<String>> {
    let mut problems = scenario.problems(spec, panel.covariates.len() > spec.columns.len());
    let mut rows = Vec::new();
    for change in &scenario.changes {
        let wanted = spec::known(spec, &change.column).map_or(change.column.as_str(), |(name, _)| name);
        let own = &panel.covariates[..spec.columns.len().min(panel.covariates.len())];
        let exact = own.iter().position(|one| one.name == wanted);
        let alike = || own.iter().position(|one| one.name.eq_ignore_ascii_case(wanted));
        // A column that is not there is a problem already.
        let Some(place) = exact.or_else(alike) else { continue };
        let covariate = &own[place];
        let value = match value(change, covariate) {
            Ok(value) => value,
            Err(reason) => {
                problems.push(format!("scenario '{}': {reason}", scenario.name));
                continue;
            }
        };
        for (index, series) in panel.series.iter().enumerate() {
            let Some(row) = series.covariates.get(place) else { continue };
            let (mut row, steps) = (row.clone(), series.values.len());
            let mut broken = None;
            row.change(|values| {
                values.resize(values.len().max(steps + horizon), f64::NAN);
                for (step, planned) in values[steps..steps + horizon].iter_mut().enumerate() {
                    let other = value.of(*planned);
                    if !other.is_finite() && planned.is_finite() {
                        broken.get_or_insert((step, *planned));
                    }
                    *planned = other;
                }
            });
            if let Some((step, planned)) = broken {
                let (id, column) = (&series.unique_id, &covariate.name);
                problems.push(format!(
                    "scenario '{}': series '{id}', step {}: {column} {planned} would not be finite any more; change it by \
                     less",
                    scenario.name,
                    step + 1
                ));
                break;
            }
            rows.push((index, place, row));
        }
    }
    if problems.is_empty() { Ok(rows) } else { Err(problems) }
}

/// What becomes of a planned value.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Value {
    Plus(f64),
    Times(f64),
    Set(f64),
}

impl Value {
    fn of(self, planned: f64) -> f64 {
        match self {
            Value::Plus(much) => planned + much,
            Value::Times(factor) => planned * factor,
            Value::Set(value) => value,
        }
    }
}

/// A change as the values of its covariate take it; why they do not.
fn value(change: &Change, covariate: &Covariate) -> Result<Value, String> {
    let column = &covariate.name;
    match (&covariate.values, &change.effect) {
        (Values::Real, Effect::Percent(percent)) => Ok(Value::Times(1.0 + percent / 100.0)),
        (Values::Real, Effect::Plus(much)) => Ok(Value::Plus(*much)),
        (Values::Real, Effect::Times(factor)) => Ok(Value::Times(*factor)),
        (Values::Real, Effect::Set(text)) => match text.trim() {
            yes if yes.eq_ignore_ascii_case("true") => Ok(Value::Set(1.0)),
            no if no.eq_ignore_ascii_case("false") => Ok(Value::Set(0.0)),
            text => {
                let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
                number.map(Value::Set).ok_or_else(|| {
                    format!("column '{column}' holds numbers, and '{text}' is none; write for example {column}=1.5")
                })
            }
        },
        (Values::Category(names), Effect::Set(text)) => {
            let found = names.iter().position(|name| name == text);
            found.map(|place| Value::Set(place as f64)).ok_or_else(|| {
                format!("column '{column}' has never held '{text}'; choose one of {}", listed(names))
            })
        }
        (Values::Category(names), _) => Err(format!(
            "column '{column}' holds names, which nothing can be added to or multiplied by; choose one of {} (after two \
             equals signs where it begins with +, - or *)",
            listed(names)
        )),
    }
}

fn listed(names: &[String]) -> String {
    let first: Vec<&str> = names.iter().take(NAMES).map(String::as_str).collect();
    let more = names.len().saturating_sub(NAMES);
    if more > 0 { format!("{} and {more} more", first.join(", ")) } else { first.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::{Frequency, Known, Series};
    use jiff::tz::TimeZone;

    /// Three days of history, two of them ahead: a price, a kind of event, and a column of the calendar.
    fn panel() -> Panel {
        let row = |values: &[f64]| Row::new(Known::Future, values.to_vec());
        let series = Series {
            unique_id: "a".into(),
            keys: vec![],
            frequency: Frequency::Days { days: 1 },
            times: vec![0, 1, 2],
            values: vec![1.0; 3],
            observations: None,
            filled: Vec::new(),
            covariates: vec![row(&[1.0, 2.0, 3.0, 4.0, f64::NAN]), row(&[0.0; 5]), row(&[0.0; 5])],
        };
        let covariate = |name: &str, values| Covariate { name: name.into(), known: Known::Future, values };
        let names = Values::Category(vec!["fair".into(), "none".into()]);
        Panel {
            id_columns: vec![],
            covariates: vec![
                covariate("Price", Values::Real),
                covariate("event", names),
                covariate("holiday_de", Values::Real),
            ],
            series: vec![series],
            zone: TimeZone::UTC,
            marks: std::collections::BTreeMap::new(),
        }
    }

    fn spec() -> CovariateSpec {
        let columns = vec![("price".into(), Known::Future), ("event".into(), Known::Future)];
        CovariateSpec { columns, ..CovariateSpec::default() }
    }

    fn apply(text: &str) -> Result<Vec<Vec<f64>>, Vec<String>> {
        let scenario: Scenario = text.parse().expect("a scenario");
        let rows = changed(&scenario, &panel(), &spec(), 2)?;
        Ok(rows.into_iter().map(|(_, _, row)| row.values().to_vec()).collect())
    }

    #[test]
    fn the_horizon_changes_and_the_history_does_not() {
        let price = |text: &str| apply(text).expect("applied").remove(0);
        assert_eq!(price("price=+10%")[..4], [1.0, 2.0, 3.0, 4.0 * 1.1]);
        assert!(price("price=+10%")[4].is_nan(), "what is not planned is not changed by so much");
        assert_eq!(price("price=-3")[3], 1.0);
        assert_eq!(price("price=*0.5")[3], 2.0);
        assert_eq!(price("price=9"), [1.0, 2.0, 3.0, 9.0, 9.0]);
        assert_eq!(price("price=false")[3..], [0.0, 0.0]);
        assert_eq!(apply("event=none").expect("applied"), [[0.0, 0.0, 0.0, 1.0, 1.0]]);
        assert_eq!(apply("event=none, price=1").expect("applied").len(), 2);
    }

    #[test]
    fn everything_that_cannot_be_is_told_at_once() {
        let problems = apply("s: price=cheap, event=flood, holiday_de=1").expect_err("wrong");
        let words = [
            "the calendar cannot be changed",
            "'cheap' is none",
            "never held 'flood'; choose one of fair, none",
        ];
        assert_eq!(problems.len(), 3, "{problems:?}");
        for (problem, words) in problems.iter().zip(words) {
            assert!(problem.starts_with("scenario 's': ") && problem.contains(words), "{problem}");
        }
        assert!(apply("event=+10%").expect_err("wrong")[0].contains("holds names"));
        assert!(apply("price=*1e307").expect("large")[0][3].is_finite());
        assert!(apply("price=*1e308").expect_err("too much")[0].contains("would not be finite any more"));
        let scenarios = ["price=x", "event=y"].map(|text| text.parse().expect("a scenario"));
        let error = check(&scenarios, &panel(), &spec(), 2).expect_err("wrong");
        assert_eq!((error.kind(), error.problems().len()), (IngestErrorKind::Usage, 2));
    }

    #[test]
    fn a_report_compares_means() {
        let report =
            |mean, plain_mean| ScenarioReport { name: "s".into(), changes: vec![], mean, plain_mean };
        assert_eq!(report(3.0, 2.0).change(), Some(0.5));
        assert_eq!(report(-3.0, -2.0).change(), Some(-0.5));
        assert_eq!(report(3.0, 0.0).change(), None);
    }
}
