//! What a scenario changes, from its text: `promo: price=-10%, promo=1`.
//!
//! ```text
//! scenario = [name ":"] change {"," change}
//! change   = column "=" value
//! value    = "+10%" | "-5%"          the planned value and so much of it
//!          | "+3" | "-3" | "*1.2"    the planned value and so much, or so many times
//!          | anything else           in its place: a number, true, false, a name
//!          | "=" anything            in its place, whatever it looks like: "==-3" sets -3
//! ```
//!
//! Columns, names and values that hold one of `: = ,` stand in double quotes; a value in quotes is taken as it is.

use crate::ingest::CovariateSpec;
use crate::series::Known;
use std::fmt;
use std::str::FromStr;

/// Characters of a name at most: it stands in every row.
const NAME_MAX: usize = 200;

/// Other values of covariates that are known in advance, over the whole horizon.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// What the `scenario` column holds: the name that was given, or the text. Never empty.
    pub name: String,
    /// At least one; no column twice.
    pub changes: Vec<Change>,
}

/// What becomes of one covariate.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Its column; letter case may differ, as where columns are found.
    pub column: String,
    /// What becomes of its values.
    pub effect: Effect,
}

/// What becomes of the values of a covariate.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// So many percent are added: 10 of `+10%`.
    Percent(f64),
    /// So much is added.
    Plus(f64),
    /// Multiplied by so much.
    Times(f64),
    /// This in their place: a number, or a name of a category.
    Set(String),
}

/// Why a text is no scenario: what is wrong, and what would do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("scenario '{text}': {reason}")]
pub struct ScenarioError {
    /// As written.
    pub text: String,
    /// What is wrong, and what to write.
    pub reason: String,
}

impl FromStr for Scenario {
    type Err = ScenarioError;

    fn from_str(text: &str) -> Result<Scenario, ScenarioError> {
        parse(text.trim()).map_err(|reason| ScenarioError { text: text.trim().into(), reason })
    }
}

fn parse(text: &str) -> Result<Scenario, String> {
    if !text.matches('"').count().is_multiple_of(2) {
        return Err("a quote is not closed".into());
    }
    let equals = places(text, '=').next().unwrap_or(text.len());
    let colon = places(text, ':').next().filter(|colon| *colon < equals);
    let (name, rest) = match colon {
        Some(colon) => (unquoted(&text[..colon]), &text[colon + 1..]),
        None => (text.to_owned(), text),
    };
    if name.is_empty() && colon.is_some() {
        return Err("there is no name before the colon; write for example promo: price=-10%".into());
    }
    if name == "*" || name.chars().count() > NAME_MAX || name.chars().any(char::is_control) {
        return Err(format!(
            "its name is '*', longer than {NAME_MAX} characters or holds control characters; give it one in front, as in \
             promo: price=-10%"
        ));
    }
    let mut changes: Vec<Change> = Vec::new();
    for part in split(rest, ',') {
        let change = change(part.trim())?;
        if changes.iter().any(|other| other.column.eq_ignore_ascii_case(&change.column)) {
            return Err(format!("column '{}' is changed twice; change it once", change.column));
        }
        changes.push(change);
    }
    Ok(Scenario { name, changes })
}

fn change(part: &str) -> Result<Change, String> {
    let example = "write COLUMN=VALUE, for example price=+10%";
    let Some(at) = places(part, '=').next() else {
        return Err(format!("'{part}' changes nothing; {example}"));
    };
    let (column, value) = (unquoted(&part[..at]), part[at + 1..].trim());
    if column.is_empty() || value.is_empty() {
        return Err(format!("'{part}' has no column or no value; {example}"));
    }
    Ok(Change { column, effect: effect(value)? })
}

fn effect(value: &str) -> Result<Effect, String> {
    let literally = "; for the text itself write two equals signs";
    if let Some(exact) = value.strip_prefix('=') {
        let exact = unquoted(exact);
        let empty = "there is no value after the equals signs; write for example ==-3";
        return if exact.is_empty() { Err(empty.into()) } else { Ok(Effect::Set(exact)) };
    }
    if value.starts_with('"') {
        return Ok(Effect::Set(unquoted(value)));
    }
    let finite = |text: &str| {
        let number = text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
        number.ok_or_else(|| {
            format!("'{value}' is no number to change by; write for example +10%, -3 or *1.2{literally}")
        })
    };
    match (value.as_bytes()[0], value.strip_suffix('%')) {
        (b'+' | b'-', Some(percent)) => Ok(Effect::Percent(finite(percent)?)),
        (b'+' | b'-', None) => Ok(Effect::Plus(finite(value)?)),
        (b'*', None) => Ok(Effect::Times(finite(&value[1..])?)),
        (b'*', Some(_)) => {
            Err(format!("'{value}' multiplies by a percentage; write for example *1.1 or +10%{literally}"))
        }
        (_, Some(percent)) if percent.trim().parse::<f64>().is_ok() => {
            Err(format!("'{value}' may be a share or a change; write +{value} for so much more{literally}"))
        }
        _ => match value.parse::<f64>() {
            Ok(number) if !number.is_finite() => {
                Err(format!("'{value}' is no finite number; write one{literally}"))
            }
            _ => Ok(Effect::Set(value.into())),
        },
    }
}

/// Places of a character that stand in no quotes.
fn places(text: &str, wanted: char) -> impl Iterator<Item = usize> {
    let mut is_quoted = false;
    text.char_indices().filter_map(move |(at, c)| {
        is_quoted ^= c == '"';
        (c == wanted && !is_quoted).then_some(at)
    })
}

/// The parts between a character that stands in no quotes.
fn split(text: &str, separator: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut from = 0;
    for at in places(text, separator) {
        parts.push(&text[from..at]);
        from = at + separator.len_utf8();
    }
    parts.push(&text[from..]);
    parts
}

/// A text without blanks and quotes around it.
fn unquoted(text: &str) -> String {
    let text = text.trim();
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text).to_owned()
}

impl Scenario {
    /// What is wrong with its columns, as far as the names of the covariates tell, one line each. `has_calendar` says
    /// whether there are columns of the calendar beside them.
    pub fn problems(&self, covariates: &CovariateSpec, has_calendar: bool) -> Vec<String> {
        let problem = |change: &Change| {
            let column = &change.column;
            let (name, known) = match known(covariates, column) {
                Some((_, Known::Future)) => return None,
                found => (&self.name, found.map(|(_, known)| known)),
            };
            let ahead: Vec<&str> = (covariates.columns.iter())
                .filter(|(_, known)| *known == Known::Future)
                .map(|(name, _)| name.as_str())
                .collect();
            let those = match ahead.as_slice() {
                [] => "there is none: name some with future_covariates".into(),
                names => format!("those of future_covariates are {}", names.join(", ")),
            };
            let why = match known {
                Some(Known::Past) => "is known as far as the target, so that nothing of it can be planned",
                Some(Known::Static) => "never changes",
                _ if has_calendar => {
                    "is no covariate that is known in advance; the calendar cannot be changed (make the day a column of \
                     your own)"
                }
                _ => "is no covariate that is known in advance",
            };
            Some(format!("scenario '{name}': column '{column}' {why}; {those}"))
        };
        self.changes.iter().filter_map(problem).collect()
    }
}

/// The covariate of that name; letter case may differ.
pub(super) fn known<'a>(covariates: &'a CovariateSpec, column: &str) -> Option<(&'a str, Known)> {
    let exact = covariates.columns.iter().find(|(name, _)| name == column);
    let alike = || covariates.columns.iter().find(|(name, _)| name.eq_ignore_ascii_case(column));
    exact.or_else(alike).map(|(name, known)| (name.as_str(), *known))
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let column = &self.column;
        match &self.effect {
            Effect::Percent(percent) => write!(f, "{column} {percent:+} %"),
            Effect::Plus(much) => write!(f, "{column} {much:+}"),
            Effect::Times(factor) => write!(f, "{column} × {factor}"),
            Effect::Set(value) => write!(f, "{column} = {value}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effects(text: &str) -> Vec<(String, Effect)> {
        let scenario: Scenario = text.parse().expect("a scenario");
        scenario.changes.into_iter().map(|change| (change.column, change.effect)).collect()
    }

    #[test]
    fn every_form_is_read() {
        let set = |text: &str| Effect::Set(text.into());
        let cases = [
            ("price=+10%", Effect::Percent(10.0)),
            ("price = -5 %", Effect::Percent(-5.0)),
            ("price=+3", Effect::Plus(3.0)),
            ("price=-3e2", Effect::Plus(-300.0)),
            ("price=*1.2", Effect::Times(1.2)),
            ("price=7.5", set("7.5")),
            ("price==-3", set("-3")),
            ("price==\"-3\"", set("-3")),
            ("price=true", set("true")),
            ("price=big sale", set("big sale")),
            ("price=\"a, b=c: d\"", set("a, b=c: d")),
        ];
        for (text, effect) in cases {
            assert_eq!(effects(text), [("price".to_owned(), effect)], "{text}");
        }
        assert_eq!(effects("\"price, net\"=1")[0].0, "price, net");
    }

    #[test]
    fn a_scenario_has_the_name_in_front_or_its_text() {
        let name = |text: &str| text.parse::<Scenario>().expect("a scenario").name;
        assert_eq!(name(" price=+10%, promo=1 "), "price=+10%, promo=1");
        assert_eq!(name("promo : price=-10%,promo=1"), "promo");
        assert_eq!(name("\"a: b\": at=12:30"), "a: b");
        assert_eq!(name("at=12:30"), "at=12:30");
        assert_eq!(effects("promo: price=-10%, promo=1").len(), 2);
    }

    #[test]
    fn what_is_no_scenario_says_what_would_do() {
        let cases = [
            ("", "'' changes nothing; write COLUMN=VALUE"),
            ("promo: ", "'' changes nothing"),
            (": price=1", "no name before the colon"),
            ("price", "'price' changes nothing"),
            ("price=", "no column or no value"),
            ("=3", "no column or no value"),
            ("price=+ten", "'+ten' is no number to change by; write for example +10%"),
            ("price=+inf", "no number to change by"),
            ("price=-nan%", "no number to change by"),
            ("price=inf", "no finite number"),
            ("price=10%", "write +10% for so much more"),
            ("price=*10%", "multiplies by a percentage"),
            ("price==", "no value after the equals signs"),
            ("price=1, Price=2", "column 'Price' is changed twice"),
            ("price=\"1", "a quote is not closed"),
            ("*: price=1", "its name is '*'"),
        ];
        for (text, words) in cases {
            let error = text.parse::<Scenario>().expect_err(text).to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn only_what_is_known_in_advance_can_be_changed() {
        let columns = [("price", Known::Future), ("visitors", Known::Past), ("region", Known::Static)];
        let columns = columns.map(|(name, known)| (name.to_owned(), known)).to_vec();
        let covariates = CovariateSpec { columns, ..CovariateSpec::default() };
        let scenario: Scenario = "s: PRICE=1, visitors=2, region=x, colour=red".parse().expect("a scenario");
        let problems = scenario.problems(&covariates, false);
        let words =
            ["column 'visitors' is known as far as the target", "'region' never changes", "'colour' is no"];
        assert_eq!(problems.len(), 3, "{problems:?}");
        for (problem, words) in problems.iter().zip(words) {
            assert!(
                problem.contains(words) && problem.ends_with("those of future_covariates are price"),
                "{problem}"
            );
        }
        assert!(scenario.problems(&covariates, true)[2].contains("the calendar cannot be changed"));
        let none = CovariateSpec::default();
        assert!(
            scenario.problems(&none, false)[0].ends_with("there is none: name some with future_covariates")
        );
    }

    #[test]
    fn changes_are_told_in_words() {
        let scenario: Scenario = "a=+10%, b=-3, c=*1.2, d=red".parse().expect("a scenario");
        let words: Vec<String> = scenario.changes.iter().map(Change::to_string).collect();
        assert_eq!(words, ["a +10 %", "b -3", "c × 1.2", "d = red"]);
    }
}
