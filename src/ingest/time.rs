//! Time cells as written in text files, one at a time. What a whole column means is decided in [`super::timeline`].

use crate::series::civil::{DAY, HOUR, MINUTE, SECOND, days_from_date, days_in_month};

/// One time cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    /// Wall-clock time without a zone, microseconds.
    Local(i64),
    /// An instant, microseconds UTC.
    Instant(i64),
    /// `a/b/year`: day and month in an order that only the column can tell; the rest of the cell in microseconds.
    Slash {
        /// The number that stands first.
        first: i64,
        /// The number that stands second.
        second: i64,
        /// The year.
        year: i64,
        /// Time of day.
        time_of_day: i64,
    },
    /// A whole number: a year, a date without separators or an epoch time.
    Integer(i64),
}

/// The time in a cell, or `None`. ISO dates take the short way.
pub(super) fn parse(text: &str) -> Option<Cell> {
    let text = text.trim();
    iso(text.as_bytes()).or_else(|| uncommon(text))
}

/// Microseconds of a date at midnight, if it exists and lies in the years 1 to 9999.
pub(super) fn date(year: i64, month: i64, day: i64) -> Option<i64> {
    let exists = (1..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day);
    exists.then(|| days_from_date(year, month, day) * DAY)
}

/// `2021-03-04`, with an optional time after `T` or a blank and an optional offset; `/` may separate the date.
pub(super) fn iso(text: &[u8]) -> Option<Cell> {
    let head: &[u8; 10] = text.first_chunk()?;
    if !(head[4] == b'-' || head[4] == b'/') || head[7] != head[4] {
        return None;
    }
    let year = number(&head[..4])?;
    let midnight = date(year, number(&head[5..7])?, number(&head[8..])?)?;
    match &text[10..] {
        [] => Some(Cell::Local(midnight)),
        [b'T' | b't' | b' ', rest @ ..] => {
            let (time_of_day, rest) = time_of_day(rest)?;
            let local = midnight + time_of_day;
            Some(match offset(rest)? {
                None => Cell::Local(local),
                Some(offset) => Cell::Instant(local - offset),
            })
        }
        _ => None,
    }
}

/// `HH:MM`, `HH:MM:SS`, `HH:MM:SS.fraction` in microseconds, and what follows.
fn time_of_day(text: &[u8]) -> Option<(i64, &[u8])> {
    let (hour, mut rest) = match text {
        [a, b, b':', rest @ ..] => (number(&[*a, *b])?, rest),
        [a, b':', rest @ ..] => (number(&[*a])?, rest),
        _ => return None,
    };
    let minute = number(rest.get(..2)?)?;
    rest = &rest[2..];
    let (mut second, mut fraction) = (0, 0);
    if let [b':', after @ ..] = rest {
        second = number(after.get(..2)?)?;
        rest = &after[2..];
        if let [b'.' | b',', after @ ..] = rest {
            let digits = after.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if digits == 0 {
                return None;
            }
            let digit = |place: usize| after[..digits].get(place).map_or(0, |digit| i64::from(digit - b'0'));
            fraction = (0..6).fold(0, |micros, place| micros * 10 + digit(place));
            rest = &after[digits..];
        }
    }
    // ISO 8601 writes the end of a day as 24:00.
    let end_of_day = hour == 24 && minute == 0 && second == 0 && fraction == 0;
    let valid = (hour < 24 && minute < 60 && second < 60) || end_of_day;
    valid.then_some((hour * HOUR + minute * MINUTE + second * SECOND + fraction, rest))
}

/// The offset from UTC that ends a time: nothing, `Z`, `UTC`, `+01`, `+0100` or `+01:00`.
fn offset(text: &[u8]) -> Option<Option<i64>> {
    let text = text.trim_ascii_start();
    let (sign, digits) = match text {
        [] => return Some(None),
        [b'Z' | b'z'] | b"UTC" | b"GMT" => return Some(Some(0)),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let (hour, minute) = match digits {
        [a, b] => (number(&[*a, *b])?, 0),
        [a, b, c, d] | [a, b, b':', c, d] => (number(&[*a, *b])?, number(&[*c, *d])?),
        _ => return None,
    };
    (hour < 26 && minute < 60).then_some(Some(sign * (hour * HOUR + minute * MINUTE)))
}

/// A number of digits only.
fn number(digits: &[u8]) -> Option<i64> {
    let all = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let step = |number: i64, digit: &u8| number.checked_mul(10)?.checked_add(i64::from(digit - b'0'));
    if all { digits.iter().try_fold(0, step) } else { None }
}

fn uncommon(text: &str) -> Option<Cell> {
    integer(text).or_else(|| month(text)).or_else(|| separated(text)).or_else(|| other(text))
}

/// `1700000000`, `2021`, `20210304`; a fraction of zeros is how frames write whole numbers next to missing ones.
fn integer(text: &str) -> Option<Cell> {
    let whole = match text.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() && fraction.bytes().all(|byte| byte == b'0') => whole,
        Some(_) => return None,
        None => text,
    };
    let digits = whole.strip_prefix('-').unwrap_or(whole);
    number(digits.as_bytes())
        .map(|value| Cell::Integer(if digits.len() < whole.len() { -value } else { value }))
}

/// `2021-03` and `2021Q1`.
fn month(text: &str) -> Option<Cell> {
    let (year, rest) = text.split_at_checked(4)?;
    let year = number(year.as_bytes())?;
    let month = match rest.trim_start_matches(['-', ' ', '/']) {
        quarter if quarter.starts_with(['Q', 'q']) => {
            (number(&quarter.as_bytes()[1..]).filter(|quarter| (1..=4).contains(quarter))? - 1) * 3 + 1
        }
        month if rest.len() == 3 && month.len() == 2 => number(month.as_bytes())?,
        _ => return None,
    };
    date(year, month, 1).map(Cell::Local)
}

/// `04.03.2021`, `3/4/2021`, `4-3-2021` and `2021/3/4`, with an optional time of day.
fn separated(text: &str) -> Option<Cell> {
    let (day, time) = match text.split_once([' ', 'T']) {
        Some((day, time)) => (day, time.trim()),
        None => (text, ""),
    };
    let separator = ['.', '/', '-'].into_iter().find(|&separator| day.matches(separator).count() == 2)?;
    let mut parts = day.split(separator).map(|part| number(part.as_bytes()));
    let (a, b, c) = (parts.next()??, parts.next()??, parts.next()??);
    let time_of_day = if time.is_empty() { 0 } else { twelve_hours(time)? };
    if day.find(separator) == Some(4) {
        return Some(Cell::Local(date(a, b, c)? + time_of_day));
    }
    if day.len() - day.rfind(separator)? != 5 {
        return None;
    }
    if separator == '.' {
        return Some(Cell::Local(date(c, b, a)? + time_of_day));
    }
    let possible = date(c, a, b).or(date(c, b, a)).is_some();
    possible.then_some(Cell::Slash { first: a, second: b, year: c, time_of_day })
}

/// A time of day that may end in AM or PM.
fn twelve_hours(text: &str) -> Option<i64> {
    let (time, rest) = time_of_day(text.as_bytes())?;
    let hour = time / HOUR;
    match rest.trim_ascii().to_ascii_lowercase().as_slice() {
        [] => Some(time),
        b"am" if (1..=12).contains(&hour) => Some(time - if hour == 12 { 12 * HOUR } else { 0 }),
        b"pm" if (1..=12).contains(&hour) => Some(time + if hour == 12 { 0 } else { 12 * HOUR }),
        _ => None,
    }
}

/// Everything else that jiff reads, and month names.
fn other(text: &str) -> Option<Cell> {
    if let Ok(zoned) = text.parse::<jiff::Zoned>() {
        return Some(Cell::Instant(zoned.timestamp().as_microsecond()));
    }
    if let Ok(instant) = text.parse::<jiff::Timestamp>() {
        return Some(Cell::Instant(instant.as_microsecond()));
    }
    if let Ok(instant) = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text) {
        return Some(Cell::Instant(instant.as_microsecond()));
    }
    if let Ok(local) = text.parse::<jiff::civil::DateTime>() {
        return civil(local.date()).map(|midnight| {
            let time = local.time();
            let seconds =
                i64::from(time.hour()) * 3600 + i64::from(time.minute()) * 60 + i64::from(time.second());
            Cell::Local(midnight + seconds * SECOND + i64::from(time.subsec_nanosecond()) / 1000)
        });
    }
    let formats = ["%d-%b-%Y", "%d %b %Y", "%b %d, %Y", "%d %B %Y", "%B %d, %Y"];
    let named = formats.into_iter().find_map(|format| jiff::civil::Date::strptime(format, text).ok());
    let of_month = || {
        let text = format!("1 {text}");
        ["%d %b %Y", "%d %B %Y", "%d %b-%Y"]
            .into_iter()
            .find_map(|format| jiff::civil::Date::strptime(format, &text).ok())
    };
    civil(named.or_else(of_month)?).map(Cell::Local)
}

fn civil(day: jiff::civil::Date) -> Option<i64> {
    date(i64::from(day.year()), i64::from(day.month()), i64::from(day.day()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wall(text: &str) -> i64 {
        format!("{text}Z").parse::<jiff::Timestamp>().unwrap().as_microsecond()
    }

    #[test]
    fn local_times_in_many_hands() {
        let expected = wall("2021-03-04T05:06:00");
        for text in [
            "2021-03-04 05:06",
            "2021-03-04T05:06:00",
            "2021/03/04 05:06",
            "04.03.2021 05:06",
            "2021-03-04 05:06:00.000",
            "2021-03-04t05:06:00.000000000",
            " 2021-03-04 05:06 ",
            "4.3.2021 5:06",
            "2021/3/4 05:06",
        ] {
            assert_eq!(parse(text), Some(Cell::Local(expected)), "{text}");
        }
        for text in ["2021-03-01", "2021-03", "01.03.2021", "1-Mar-2021", "Mar 2021", "March 1, 2021"] {
            assert_eq!(parse(text), Some(Cell::Local(wall("2021-03-01T00:00:00"))), "{text}");
        }
        assert_eq!(parse("2021Q2"), Some(Cell::Local(wall("2021-04-01T00:00:00"))));
        assert_eq!(parse("2021-12-31 24:00"), Some(Cell::Local(wall("2022-01-01T00:00:00"))));
        assert_eq!(parse("2021-03-04 05:06:07.5"), Some(Cell::Local(wall("2021-03-04T05:06:07.5"))));
    }

    #[test]
    fn instants_carry_an_offset() {
        let expected = wall("2021-03-04T05:06:00");
        for text in [
            "2021-03-04T05:06Z",
            "2021-03-04 06:06:00+01:00",
            "2021-03-04 06:06:00+0100",
            "2021-03-04 04:06:00-01",
            "2021-03-04 05:06:00 UTC",
            "2021-03-04T06:06:00+01:00[Europe/Berlin]",
            "20210304T050600Z",
            "Thu, 04 Mar 2021 06:06:00 +0100",
        ] {
            assert_eq!(parse(text), Some(Cell::Instant(expected)), "{text}");
        }
    }

    #[test]
    fn numbers_and_slashes_are_left_to_the_column() {
        assert_eq!(parse("1700000000"), Some(Cell::Integer(1_700_000_000)));
        assert_eq!(parse("-86400.0"), Some(Cell::Integer(-86_400)));
        let slash = Cell::Slash { first: 3, second: 14, year: 2021, time_of_day: 17 * HOUR };
        assert_eq!(parse("3/14/2021 5:00 PM"), Some(slash));
    }

    #[test]
    fn no_such_day_no_such_time() {
        for text in [
            "2021-02-29",
            "2021-13-01",
            "0000-01-01",
            "2021-03-04 25:00",
            "2021-03-04 05:60",
            "2021-03-04x",
            "12/31",
            "hello",
            "",
            "2021-03-04 05:06:07.",
            "31.02.2021",
            "13/13/2021",
            "1.5",
            "12345-01-01",
            "2021Q5",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_jiff_prints_is_read(micros in -62_135_596_800_000_000i64..253_402_207_200_000_000) {
            let instant = jiff::Timestamp::from_microsecond(micros).unwrap();
            prop_assert_eq!(parse(&instant.to_string()), Some(Cell::Instant(micros)));
            let local = jiff::tz::TimeZone::UTC.to_datetime(instant).to_string();
            prop_assert_eq!(parse(&local), Some(Cell::Local(micros)));
        }

        #[test]
        fn any_cell_has_an_answer(text in "[0-9TZ:./ +-]{0,24}|\\PC{0,24}") {
            parse(&text);
        }
    }
}
