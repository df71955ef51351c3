//! How people write a step: `15m`, `1h`, `1w`, `B`, `MS`, `QE` and their like.

use crate::series::civil::{HOUR, MINUTE, SECOND};
use crate::series::frequency::{Frequency, MonthAnchor};
use std::fmt;
use std::str::FromStr;

/// A frequency that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown frequency '{0}'; write a count and a unit: 30s, 15m, 1h, 1d, 1w, B (business days), \
     MS or ME (month start or end), QS, QE, YS, YE"
)]
pub struct FrequencyError(pub String);

impl fmt::Display for Frequency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Frequency::Fixed { micros } => {
                let units = [(HOUR, "h"), (MINUTE, "m"), (SECOND, "s"), (1000, "ms"), (1, "us")];
                let (unit, name) =
                    units.into_iter().find(|(unit, _)| micros % unit == 0).unwrap_or((1, "us"));
                write!(f, "{}{name}", micros / unit)
            }
            Frequency::Days { days } if days % 7 == 0 => write!(f, "{}w", days / 7),
            Frequency::Days { days } => write!(f, "{days}d"),
            Frequency::BusinessDays => f.write_str("B"),
            Frequency::Months { months, anchor } => {
                match months {
                    1 => f.write_str("M")?,
                    3 => f.write_str("Q")?,
                    12 => f.write_str("Y")?,
                    _ => write!(f, "{months}M")?,
                }
                match anchor {
                    MonthAnchor::End => f.write_str("E"),
                    MonthAnchor::Day(1) => f.write_str("S"),
                    MonthAnchor::Day(day) => write!(f, "S@{day}"),
                }
            }
        }
    }
}

impl FromStr for Frequency {
    type Err = FrequencyError;

    /// Reads `15m`, `15min`, `1h`, `1d`, `1w`, `B`, `MS`, `ME`, `QS`, `YE` and their like; `M` is a month, `m` a minute.
    ///
    /// A month unit without `S` or `E` means the end of the month; `MS@15` stands on the fifteenth.
    fn from_str(text: &str) -> Result<Frequency, FrequencyError> {
        parse(text.trim()).ok_or_else(|| FrequencyError(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<Frequency> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (count, unit) = text.split_at(digits);
    let count: i64 = if count.is_empty() { 1 } else { count.parse().ok().filter(|&count| count > 0)? };
    let fixed = |unit: i64| Some(Frequency::Fixed { micros: count.checked_mul(unit)? });
    let days =
        |days: i64| Some(Frequency::Days { days: count.checked_mul(days).filter(|&days| days < 4_000_000)? });
    let months = |months: i64, anchor: MonthAnchor| {
        Some(Frequency::Months {
            months: count.checked_mul(months).filter(|&months| months < 120_000)?,
            anchor,
        })
    };
    let start = MonthAnchor::Day(1);
    match unit.trim() {
        "us" => return fixed(1),
        "ms" => return fixed(1000),
        "m" | "T" => return fixed(MINUTE),
        "M" | "ME" => return months(1, MonthAnchor::End),
        "MS" => return months(1, start),
        "B" if count == 1 => return Some(Frequency::BusinessDays),
        // The day itself is that of the data.
        "W-MON" | "W-TUE" | "W-WED" | "W-THU" | "W-FRI" | "W-SAT" | "W-SUN" => return days(7),
        _ => {}
    }
    if let Some((unit, day)) = unit.split_once("S@") {
        let day: i8 = day.parse().ok().filter(|day| (1..=31).contains(day))?;
        let unit = match unit {
            "M" => 1,
            "Q" => 3,
            "Y" => 12,
            _ => return None,
        };
        return months(unit, MonthAnchor::Day(day));
    }
    match unit.trim().to_ascii_lowercase().as_str() {
        "s" | "sec" | "second" | "seconds" => fixed(SECOND),
        "min" | "minute" | "minutes" => fixed(MINUTE),
        "h" | "hour" | "hours" | "hourly" => fixed(HOUR),
        "d" | "day" | "days" | "daily" => days(1),
        "w" | "week" | "weeks" | "weekly" => days(7),
        "mo" | "month" | "months" | "monthly" => months(1, MonthAnchor::End),
        "q" | "qe" | "quarter" | "quarters" | "quarterly" => months(3, MonthAnchor::End),
        "qs" => months(3, start),
        "y" | "ye" | "year" | "years" | "yearly" | "a" => months(12, MonthAnchor::End),
        "ys" | "as" => months(12, start),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::frequency::tests::any_frequency;
    use proptest::prelude::*;

    #[test]
    fn words_and_their_canonical_form() {
        let words = [
            ("15min", "15m"),
            ("15m", "15m"),
            ("60m", "1h"),
            ("h", "1h"),
            ("H", "1h"),
            ("30s", "30s"),
            ("D", "1d"),
            ("7d", "1w"),
            ("W-SUN", "1w"),
            ("B", "B"),
            ("MS", "MS"),
            ("M", "ME"),
            ("1mo", "ME"),
            ("QS", "QS"),
            ("Q", "QE"),
            ("1y", "YE"),
            ("YS", "YS"),
            ("2MS", "2MS"),
            ("QS@15", "QS@15"),
            ("250ms", "250ms"),
        ];
        for (word, canonical) in words {
            assert_eq!(word.parse::<Frequency>().unwrap().to_string(), canonical, "{word}");
        }
    }

    #[test]
    fn a_wrong_word_is_named_with_the_remedy() {
        for word in [
            "",
            "W-FOO",
            "W-",
            "0h",
            "-1h",
            "5x",
            "2B",
            "MS@32",
            "99999999999999999999d",
            "9223372036854775807h",
            "1.5h",
        ] {
            let error = word.parse::<Frequency>().unwrap_err().to_string();
            assert!(error.contains(&format!("'{word}'")) && error.contains("15m"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn the_canonical_form_parses_back(frequency in any_frequency()) {
            prop_assert_eq!(frequency.to_string().parse::<Frequency>().unwrap(), frequency);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,12}") {
            let _ = text.parse::<Frequency>();
        }
    }
}
