//! Values that people write: durations, zones, instants, numbers; and the word that they may have meant.

use crate::machine::Size;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp, Zoned};
use std::time::Duration;

/// Why a written value will not do, and what would.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub message: String,
    pub help: Option<String>,
}

impl Wrong {
    pub(super) fn new(message: String, help: &str) -> Wrong {
        Wrong { message, help: Some(help.into()) }
    }

    /// With the nearest of some words as help.
    pub(super) fn meant<'a>(message: String, word: &str, words: impl IntoIterator<Item = &'a str>) -> Wrong {
        let help = nearest(word, words).map(|nearest| format!("did you mean '{nearest}'?"));
        Wrong { message, help }
    }
}

impl<E: std::error::Error> From<E> for Wrong {
    fn from(error: E) -> Wrong {
        Wrong { message: error.to_string(), help: None }
    }
}

/// The word of a list that was probably meant.
pub fn nearest<'a>(word: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let near = |candidate: &str| strsim::jaro_winkler(&lower, &candidate.to_lowercase());
    let scored = words.into_iter().map(|candidate| (near(candidate), candidate));
    scored
        .filter(|(score, _)| *score > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// A whole number of zero or more.
pub(super) fn whole(text: &str) -> Result<u64, Wrong> {
    text.trim().parse().map_err(|_| Wrong { message: format!("'{text}' is not a whole number"), help: None })
}

/// A number of bytes above zero, with a unit or without.
pub(super) fn size(text: &str) -> Result<u64, Wrong> {
    Ok(text.parse::<Size>()?.0)
}

/// A number.
pub(super) fn number(text: &str) -> Result<f64, Wrong> {
    text.trim().parse().map_err(|_| Wrong { message: format!("'{text}' is not a number"), help: None })
}

/// A length of time of zero or more, with a unit: a day is 24 hours, a week seven of them.
pub(super) fn span(text: &str) -> Result<SignedDuration, Wrong> {
    let wrong =
        || Wrong::new(format!("'{text}' is not a duration"), "write for example 90s, 15m, 1h30m or 7d");
    let exact = text.trim().parse::<SignedDuration>();
    let civil = || text.trim().parse::<Span>()?.to_duration(SpanRelativeTo::days_are_24_hours());
    let span = exact.or_else(|_| civil()).map_err(|_| wrong())?;
    match span.is_negative() {
        true => Err(Wrong::new(format!("'{text}' is negative"), "write a duration of zero or more")),
        false => Ok(span),
    }
}

/// A length of time above zero.
pub(super) fn positive_span(text: &str) -> Result<SignedDuration, Wrong> {
    let span = span(text)?;
    match span.is_zero() {
        true => Err(Wrong::new(format!("'{text}' is no time at all"), "write a duration above zero")),
        false => Ok(span),
    }
}

/// A length of time above zero, for a stop watch.
pub(super) fn duration(text: &str) -> Result<Duration, Wrong> {
    Ok(Duration::try_from(positive_span(text)?)?)
}

/// A time zone of the IANA database.
pub(super) fn zone(text: &str) -> Result<TimeZone, Wrong> {
    TimeZone::get(text.trim()).map_err(|_| {
        let message = format!("unknown time zone '{text}'");
        let known: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
        let wrong = Wrong::meant(message, text, known.iter().map(String::as_str));
        Wrong { help: wrong.help.or(Some("write for example UTC or Europe/Berlin".into())), ..wrong }
    })
}

/// An instant, microseconds UTC; a date or a time without an offset is read in `zone`.
pub(super) fn instant(text: &str, zone: &TimeZone) -> Result<i64, Wrong> {
    let text = text.trim();
    let stamp = text.parse::<Timestamp>().or_else(|_| text.parse::<Zoned>().map(|zoned| zoned.timestamp()));
    let civil = || text.parse::<DateTime>().and_then(|civil| civil.to_zoned(zone.clone()));
    stamp.or_else(|_| civil().map(|zoned| zoned.timestamp())).map(Timestamp::as_microsecond).map_err(|_| {
        Wrong::new(format!("'{text}' is not a time"), "write for example 2024-03-31 or 2024-03-31T12:00:00Z")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(span("2d"), Ok(SignedDuration::from_hours(48)));
        assert_eq!(span("1w 1d 12h"), Ok(SignedDuration::from_hours(8 * 24 + 12)));
        assert_eq!(span("0s"), Ok(SignedDuration::ZERO));
        assert!(span("1 month").is_err() && span("-1d").is_err() && span("99999999999w").is_err());
        for text in ["", "60", "soon", "-5s", "0s"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn instants_without_offset_are_read_in_the_zone() {
        let berlin = zone("Europe/Berlin").expect("known");
        let hours = |text: &str, zone: &TimeZone| instant(text, zone).map(|micros| micros / 3_600_000_000);
        assert_eq!(hours("1970-01-02", &TimeZone::UTC), Ok(24));
        assert_eq!(hours("1970-01-02", &berlin), Ok(23));
        assert_eq!(hours("1970-01-02T00:00:00Z", &berlin), Ok(24));
        assert_eq!(hours("1970-01-02 03:00", &TimeZone::UTC), Ok(27));
        assert!(hours("yesterday", &berlin).is_err());
    }

    #[test]
    fn a_misspelt_zone_is_recognised() {
        let help = zone("Europe/Berlln").expect_err("unknown").help;
        assert_eq!(help.as_deref(), Some("did you mean 'Europe/Berlin'?"));
        assert!(zone("Nowhere").is_err());
    }

    #[test]
    fn nothing_is_suggested_for_a_word_unlike_any() {
        assert_eq!(nearest("horizn", ["horizon", "levels"]), Some("horizon"));
        assert_eq!(nearest("xyz", ["horizon", "levels"]), None);
    }
}
