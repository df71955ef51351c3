//! Cron expressions and intervals to instants (pure).

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// The instants at which something is due.
#[derive(Clone, Debug)]
pub enum Rule {
    /// A cron expression in the civil time of a zone.
    ///
    /// In a spring gap, a fixed time runs at the first instant after the gap; in an autumn fold, a fixed time runs once
    /// (the first time) and a wildcard or step runs in both hours.
    Cron(Box<CronRule>),
    /// Every so often, counted from 1970-01-01T00:00:00Z, so that restarts keep the phase.
    Every(SignedDuration),
}

/// A parsed cron expression and its zone.
#[derive(Clone, Debug)]
pub struct CronRule {
    text: String,
    cron: Cron,
    zone: TimeZone,
}

/// A rule that gives no instants.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// Not a cron expression.
    #[error("'{text}' is not a cron expression: {reason}; write for example '30 2 * * *' or '@hourly'")]
    Cron {
        /// As written.
        text: String,
        /// What the parser says.
        reason: String,
    },
    /// A date that never comes, such as 30 February.
    #[error("'{0}' never comes")]
    Never(String),
    /// An interval below one second, or with a fraction of one.
    #[error("{0} is no whole number of seconds")]
    Interval(SignedDuration),
}

impl Rule {
    /// A cron expression of 5 fields, or 6 with seconds first, or a nickname such as `@daily`.
    ///
    /// # Errors
    /// If it cannot be read or never comes.
    pub fn cron(text: &str, zone: TimeZone) -> Result<Rule, RuleError> {
        let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
        let cron = parser
            .parse(text.trim())
            .map_err(|error| RuleError::Cron { text: text.into(), reason: error.to_string() })?;
        let rule = Rule::Cron(Box::new(CronRule { text: text.trim().into(), cron, zone }));
        match rule.after(0) {
            Some(_) => Ok(rule),
            None => Err(RuleError::Never(text.into())),
        }
    }

    /// Every `interval`, which is a whole number of seconds.
    ///
    /// # Errors
    /// If it is not.
    pub fn every(interval: SignedDuration) -> Result<Rule, RuleError> {
        match interval.as_secs() >= 1 && interval.subsec_nanos() == 0 {
            true => Ok(Rule::Every(interval)),
            false => Err(RuleError::Interval(interval)),
        }
    }

    /// The first instant after `instant`, both in microseconds UTC; `None` beyond the calendar's end.
    pub fn after(&self, instant: i64) -> Option<i64> {
        match self {
            Rule::Every(interval) => {
                let step = interval.as_secs().checked_mul(1_000_000)?;
                instant.div_euclid(step).checked_add(1)?.checked_mul(step)
            }
            Rule::Cron(rule) => {
                let from = Timestamp::from_microsecond(instant).ok()?.to_zoned(rule.zone.clone());
                let next = rule.cron.find_next_occurrence(&from, false).ok()?;
                Some(next.timestamp().as_microsecond())
            }
        }
    }

    /// The zone that the rule is read in.
    pub fn zone(&self) -> TimeZone {
        match self {
            Rule::Cron(rule) => rule.zone.clone(),
            Rule::Every(_) => TimeZone::UTC,
        }
    }
}

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Rule::Cron(rule) => {
                write!(f, "cron {} ({})", rule.text, rule.zone.iana_name().unwrap_or("UTC"))
            }
            Rule::Every(interval) => write!(f, "every {interval:#}"),
        }
    }
}
