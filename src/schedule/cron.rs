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
        let refused = |reason: String| RuleError::Cron { text: text.into(), reason };
        // The parser takes "," for a field without a value, and the search for an instant then goes through every minute of the
        // calendar.
        if text.split_whitespace().any(|field| field.split(',').any(str::is_empty)) {
            return Err(refused("a list has an entry without a value".into()));
        }
        let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
        let cron = parser.parse(text.trim()).map_err(|error| refused(error.to_string()))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(rule: &Rule, from: &str, number: usize) -> Vec<String> {
        let from = from.parse::<Timestamp>().expect("instant").as_microsecond();
        let after = |instant: &i64| rule.after(*instant);
        let instants = std::iter::successors(rule.after(from), after).take(number);
        instants.map(|at| Timestamp::from_microsecond(at).expect("instant").to_string()).collect()
    }

    fn berlin(text: &str) -> Rule {
        Rule::cron(text, TimeZone::get("Europe/Berlin").expect("zone")).expect("rule")
    }

    #[test]
    fn a_skipped_time_runs_at_the_first_instant_after_the_gap() {
        // At 02:00 of 29 March 2026 clocks in Berlin go to 03:00.
        let want = ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"];
        assert_eq!(slots(&berlin("30 2 * * *"), "2026-03-27T12:00:00Z", 3), want);
        // A step has no slot inside the gap, and none in its place.
        let want = ["2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"];
        assert_eq!(slots(&berlin("*/30 * * * *"), "2026-03-29T00:00:00Z", 3), want);
    }

    #[test]
    fn a_repeated_time_runs_once_and_a_repeated_step_twice() {
        // At 03:00 of 25 October 2026 clocks in Berlin go back to 02:00.
        let want = ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"];
        assert_eq!(slots(&berlin("30 2 * * *"), "2026-10-24T12:00:00Z", 2), want);
        let want = ["2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"];
        assert_eq!(slots(&berlin("0 * * * *"), "2026-10-24T23:30:00Z", 3), want);
    }

    #[test]
    fn intervals_keep_their_phase_and_six_fields_have_seconds() {
        let quarter = Rule::every(SignedDuration::from_mins(15)).expect("rule");
        assert_eq!(
            slots(&quarter, "2026-01-01T00:07:01Z", 2),
            ["2026-01-01T00:15:00Z", "2026-01-01T00:30:00Z"]
        );
        assert_eq!(slots(&quarter, "2026-01-01T00:15:00Z", 1), ["2026-01-01T00:30:00Z"]);
        assert_eq!(slots(&berlin("5 0 12 * * MON"), "2026-01-01T00:00:00Z", 1), ["2026-01-05T11:00:05Z"]);
        assert_eq!(slots(&berlin("@daily"), "2026-01-01T00:00:00Z", 1), ["2026-01-01T23:00:00Z"]);
    }

    #[test]
    fn what_gives_no_instants_is_refused() {
        for text in [
            "",
            "often",
            "61 * * * *",
            "* * * *",
            "0 0 0 1 1 * 2026",
            ", * * * *",
            "1,,2 * * * *",
            "0 0 1, * *",
        ] {
            assert!(matches!(Rule::cron(text, TimeZone::UTC), Err(RuleError::Cron { .. })), "{text}");
        }
        assert_eq!(
            Rule::cron("0 0 30 2 *", TimeZone::UTC).err(),
            Some(RuleError::Never("0 0 30 2 *".into()))
        );
        assert!(Rule::every(SignedDuration::from_millis(1500)).is_err());
        assert!(Rule::every(SignedDuration::ZERO).is_err());
    }
}
