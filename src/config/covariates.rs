//! Which columns come with the target, checked.

use crate::config::Key;
use crate::config::check::{Check, policy, written};
use crate::config::words::Wrong;
use crate::ingest::{CovariateSpec, MissingAhead};
use crate::series::Known;

/// The lists of columns.
const LISTS: [(Key, Known); 3] = [
    (Key::PastCovariates, Known::Past),
    (Key::FutureCovariates, Known::Future),
    (Key::StaticCovariates, Known::Static),
];

impl Check<'_> {
    pub(super) fn covariates(&mut self) -> CovariateSpec {
        let mut columns: Vec<(String, Known)> = Vec::new();
        for (key, known) in LISTS {
            let taken = columns.clone();
            let new = self.many(key, |text| match taken.iter().find(|(name, _)| name == text) {
                Some((name, other)) => Err(Wrong::new(
                    format!("column '{name}' is among the {} already", list(*other).name()),
                    "a column is known with the target, in advance, or never changes: name it once",
                )),
                None => written(text),
            });
            columns.extend(new.into_iter().map(|name| (name, known)));
        }
        let categories = self.many(Key::Categories, |text| {
            named(text, columns.iter(), "no covariate", "name it in one of the three lists of covariates too")
        });
        let ahead = || columns.iter().filter(|(_, known)| *known == Known::Future);
        let policies = self.many(Key::MissingCovariates, |text| match text.rsplit_once('=') {
            None => Ok((None, policy::<MissingAhead>(text)?)),
            Some((column, word)) => {
                let help = "only those of future_covariates are needed ahead";
                let column = named(column.trim(), ahead(), "no covariate that is known in advance", help)?;
                Ok((Some(column), policy(word)?))
            }
        });
        let missing = policies.iter().find(|(column, _)| column.is_none()).map(|(_, policy)| *policy);
        let missing_of = policies.into_iter().filter_map(|(column, policy)| Some((column?, policy)));
        CovariateSpec {
            categories,
            missing: missing.unwrap_or_default(),
            missing_of: missing_of.collect(),
            columns,
        }
    }
}

/// The list of columns that are known like that.
fn list(known: Known) -> Key {
    LISTS.iter().find(|(_, one)| *one == known).map_or(Key::PastCovariates, |(key, _)| *key)
}

/// A text that is one of some columns; letter case may differ.
pub(super) fn named<'a>(
    text: &str,
    columns: impl Iterator<Item = &'a (String, Known)> + Clone,
    what: &str,
    help: &str,
) -> Result<String, Wrong> {
    if columns.clone().any(|(name, _)| name.eq_ignore_ascii_case(text)) {
        return Ok(text.to_owned());
    }
    let names = columns.map(|(name, _)| name.as_str());
    let wrong = Wrong::meant(format!("column '{text}' is {what}"), text, names);
    Err(Wrong { help: wrong.help.or(Some(help.to_owned())), ..wrong })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Settings, source};
    use std::path::PathBuf;

    fn parse(keys: &str) -> Settings {
        let text = format!("[source]\ninputs = \"a.csv\"\n{keys}");
        Settings::parse("job.toml", &text, PathBuf::new(), &|_| None)
    }

    #[test]
    fn columns_and_policies_are_read() {
        let settings = parse(
            "past_covariates = \"temperature\"\nfuture_covariates = [\"price\", \"promo\"]\n\
             static_covariates = [\"region\"]\ncategories = \"Region\"\n\
             missing_covariates = [\"last\", \"promo = error\"]",
        );
        let spec = source(&settings).expect("valid").source.covariates;
        let columns: Vec<(&str, Known)> =
            spec.columns.iter().map(|(name, known)| (name.as_str(), *known)).collect();
        let expected = [
            ("temperature", Known::Past),
            ("price", Known::Future),
            ("promo", Known::Future),
            ("region", Known::Static),
        ];
        assert_eq!(columns, expected);
        assert_eq!(spec.categories, ["Region"]);
        assert_eq!(spec.missing_of("price"), MissingAhead::Last);
        assert_eq!(spec.missing_of("promo"), MissingAhead::Error);
        assert!(source(&parse("")).expect("valid").source.covariates.is_empty());
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let cases = [
            ("past_covariates = \"a\"\nfuture_covariates = \"a\"", "among the past_covariates already"),
            ("categories = \"b\"", "column 'b' is no covariate"),
            (
                "past_covariates = \"temp\"\nmissing_covariates = \"temp=last\"",
                "'temp' is no covariate that is known",
            ),
            ("missing_covariates = \"zero\"", "unknown policy for missing covariates 'zero'"),
            ("future_covariates = \"p\"\nmissing_covariates = \"p=\"", "unknown policy"),
            ("static_covariates = 3", "must be a string or a list of strings"),
        ];
        for (keys, words) in cases {
            let problems = source(&parse(keys)).expect_err("wrong");
            let messages: Vec<&str> = problems.all().iter().map(|problem| problem.message()).collect();
            assert!(messages.iter().any(|message| message.contains(words)), "{keys}: {messages:?}");
        }
    }
}
