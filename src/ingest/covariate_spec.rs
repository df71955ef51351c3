//! Which columns come with the target, and what to do where they are not known far enough.

use super::spec::PolicyError;
use crate::series::Known;

/// The columns that come with the target. None is read unless it is named here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CovariateSpec {
    /// Columns, and when each of them is known.
    pub columns: Vec<(String, Known)>,
    /// Those of the columns whose numbers are names. Text is names anyway; true and false are 1 and 0.
    pub categories: Vec<String>,
    /// What to do where a column that is known in advance lacks values of the horizon.
    pub missing: MissingAhead,
    /// The same for single columns.
    pub missing_of: Vec<(String, MissingAhead)>,
}

/// What to do where a covariate that should be known in advance is not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissingAhead {
    /// Forecast nothing, and say which values are missing.
    #[default]
    Error,
    /// Take the last value before.
    Last,
    /// Take the value one season before.
    Seasonal,
    /// Forecast it: numbers by exponential smoothing, names and numbers of which there are two by the one that was most
    /// often there at that step of the season.
    Forecast,
}

impl CovariateSpec {
    /// Whether there are no covariates.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// Whether any is known in advance.
    pub fn has_known_ahead(&self) -> bool {
        self.columns.iter().any(|(_, known)| *known == Known::Future)
    }

    /// What to do where a column lacks values of the horizon. Letter case may differ, as where columns are found.
    pub fn missing_of(&self, column: &str) -> MissingAhead {
        let exact = self.missing_of.iter().find(|(name, _)| name == column);
        let alike = || self.missing_of.iter().find(|(name, _)| name.eq_ignore_ascii_case(column));
        exact.or_else(alike).map_or(self.missing, |(_, policy)| *policy)
    }
}

impl std::str::FromStr for MissingAhead {
    type Err = PolicyError;

    fn from_str(word: &str) -> Result<MissingAhead, PolicyError> {
        match word.trim() {
            "error" => Ok(MissingAhead::Error),
            "last" => Ok(MissingAhead::Last),
            "seasonal" => Ok(MissingAhead::Seasonal),
            "forecast" => Ok(MissingAhead::Forecast),
            _ => Err(PolicyError {
                policy: "missing covariates",
                word: word.into(),
                choices: vec!["error", "last", "seasonal", "forecast"],
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_has_its_own_policy_or_that_of_all() {
        let spec = CovariateSpec {
            missing: MissingAhead::Seasonal,
            missing_of: vec![("Price".into(), MissingAhead::Last), ("promo".into(), MissingAhead::Error)],
            ..CovariateSpec::default()
        };
        let policies = ["price", "promo", "holiday"].map(|column| spec.missing_of(column));
        assert_eq!(policies, [MissingAhead::Last, MissingAhead::Error, MissingAhead::Seasonal]);
        assert!(spec.is_empty() && !spec.has_known_ahead());
    }

    #[test]
    fn policies_are_read_from_their_words() {
        assert_eq!(" last ".parse(), Ok(MissingAhead::Last));
        let error = "zero".parse::<MissingAhead>().expect_err("no policy").to_string();
        assert_eq!(
            error,
            "unknown policy for missing covariates 'zero'; choose one of error, last, seasonal, forecast"
        );
    }
}
