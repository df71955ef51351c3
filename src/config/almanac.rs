//! What models are told of the calendar, checked.

use crate::calendar::{Country, Feature, HolidaySpec, WINDOW_MAX};
use crate::config::Key;
use crate::config::check::Check;
use crate::config::words::Wrong;
use crate::ingest::AlmanacSpec;
use std::path::PathBuf;

/// The word for the cycles that suit the data.
const AUTO: &str = "auto";

impl Check<'_> {
    /// How far forecasts reach is not known here.
    pub(super) fn almanac(&mut self) -> AlmanacSpec {
        let features = self.many(Key::Calendar, |text| match text.trim() {
            AUTO => Ok(None),
            name => name.parse::<Feature>().map(Some).map_err(Wrong::from),
        });
        let holidays = self.many(Key::Holidays, holiday);
        let [before, after] = [Key::DaysBefore, Key::DaysAfter]
            .map(|key| self.between(key, 0, WINDOW_MAX as usize).unwrap_or(0) as u32);
        let holiday = |(country, by_name)| HolidaySpec { country, before, after, by_name };
        AlmanacSpec {
            is_auto: features.contains(&None),
            features: features.into_iter().flatten().collect(),
            holidays: holidays.into_iter().map(holiday).collect(),
            events: self.many(Key::Events, |text| Ok(PathBuf::from(text))),
            window: (before, after),
            ahead: 0,
            is_part: false,
        }
    }
}

/// A country, and whether each of its holidays has a column.
fn holiday(text: &str) -> Result<(Country, bool), Wrong> {
    let (code, by_name) = match text.split_once('=') {
        None => (text, false),
        Some((code, "names")) => (code, true),
        Some((code, word)) => {
            let message = format!("'{word}' is nothing that can be said of the holidays of {code}");
            return Err(Wrong::new(message, &format!("write {code}, or {code}=names")));
        }
    };
    Ok((code.trim().parse::<Country>()?, by_name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Settings, source};

    fn parse(keys: &str) -> Settings {
        let text = format!("[source]\ninputs = \"a.csv\"\n{keys}");
        Settings::parse("job.toml", &text, PathBuf::new(), &|_| None)
    }

    #[test]
    fn a_calendar_is_read() {
        let settings =
            parse("calendar = [\"auto\", \"monthday\"]\nholidays = [\"DE\", \"US=names\"]\ndays_after = 1");
        let spec = source(&settings).expect("valid").source.almanac;
        assert!(spec.is_auto && !spec.is_empty());
        assert_eq!(spec.features, ["monthday".parse().expect("known")]);
        let holidays: Vec<(&str, bool, u32, u32)> = spec
            .holidays
            .iter()
            .map(|one| (one.country.code(), one.by_name, one.before, one.after))
            .collect();
        assert_eq!(holidays, [("DE", false, 0, 1), ("US", true, 0, 1)]);
        assert!(source(&parse("")).expect("valid").source.almanac.is_empty());
    }

    #[test]
    fn what_no_calendar_has_is_refused() {
        let cases = [
            ("calendar = \"fortnight\"", "unknown calendar feature"),
            ("holidays = \"XX\"", "no holidays are built in"),
            ("holidays = \"US=all\"", "nothing that can be said"),
            ("days_before = 99", "99"),
        ];
        for (keys, words) in cases {
            let problems = source(&parse(keys)).expect_err("wrong");
            let messages: Vec<&str> = problems.all().iter().map(|problem| problem.message()).collect();
            assert!(messages.iter().any(|message| message.contains(words)), "{keys}: {messages:?}");
        }
    }
}
