//! The usual forms of a time in CSV, `2021-03-04`, `2021-03-04 05:06` and `2021-03-04 05:06:07`, at their fixed places.
//!
//! Everything else is left to [`super::time`], which reads these forms, too.

use super::time::{self, Cell};
use crate::series::civil::{HOUR, MINUTE, SECOND};

/// Reads times one after another. Neighbours mostly fall on one day, so the last date is remembered.
pub(super) struct Iso {
    date: [u8; 10],
    /// Microseconds of that date.
    midnight: i64,
}

impl Iso {
    pub(super) fn new() -> Iso {
        Iso { date: *b"1970-01-01", midnight: 0 }
    }

    /// Microseconds of the wall-clock time in a cell that has one of these forms; `None` in any other.
    pub(super) fn read(&mut self, cell: &str) -> Option<i64> {
        let (date, time) = cell.as_bytes().split_first_chunk()?;
        if *date != self.date {
            self.midnight = time::iso(date).and_then(|cell| match cell {
                Cell::Local(midnight) => Some(midnight),
                _ => None,
            })?;
            self.date = *date;
        }
        let time_of_day = match *time {
            [] => 0,
            [b' ' | b'T', h1, h0, b':', m1, m0] => time_of_day([h1, h0, m1, m0, b'0', b'0'])?,
            [b' ' | b'T', h1, h0, b':', m1, m0, b':', s1, s0] => time_of_day([h1, h0, m1, m0, s1, s0])?,
            _ => return None,
        };
        Some(self.midnight + time_of_day)
    }
}

/// Microseconds of a time of day before 24:00, written in six digits.
fn time_of_day(digits: [u8; 6]) -> Option<i64> {
    let digits = digits.map(|digit| i64::from(digit.wrapping_sub(b'0')));
    let [hour, minute, second] = [0, 2, 4].map(|at| digits[at] * 10 + digits[at + 1]);
    let valid = digits.iter().all(|&digit| digit < 10) && hour < 24 && minute < 60 && second < 60;
    valid.then_some(hour * HOUR + minute * MINUTE + second * SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_read_is_what_the_general_reader_reads(
            cells in prop::collection::vec(
                "(19|20)[0-9]{2}-[01][0-9]-[0-3][0-9]([ T][0-2][0-9]:[0-6][0-9](:[0-6][0-9])?)?|[0-9TZ:./ +-]{0,24}|\\PC{0,24}",
                1..20,
            ),
        ) {
            let mut iso = Iso::new();
            for cell in cells {
                if let Some(micros) = iso.read(&cell) {
                    prop_assert_eq!(time::parse(&cell), Some(Cell::Local(micros)), "{}", cell);
                }
            }
        }

        #[test]
        fn times_to_the_second_are_read(seconds in -62_135_596_800i64..253_402_300_800, separator in "[ T]") {
            let instant = jiff::Timestamp::from_second(seconds).unwrap();
            let wall = jiff::tz::TimeZone::UTC.to_datetime(instant);
            let mut iso = Iso::new();
            let text = wall.strftime("%Y-%m-%d*%H:%M:%S").to_string().replace('*', &separator);
            prop_assert_eq!(iso.read(&text), Some(seconds * SECOND));
            prop_assert_eq!(iso.read(&text[..16]), Some((seconds - seconds.rem_euclid(60)) * SECOND));
            prop_assert_eq!(iso.read(&text[..10]), Some((seconds - seconds.rem_euclid(86_400)) * SECOND));
        }
    }

    #[test]
    fn other_forms_and_times_that_are_none_are_left_to_the_general_reader() {
        let mut iso = Iso::new();
        for cell in [
            "",
            "2021-03-04 24:00",
            "2021-02-30",
            "2021-03-04T05:06Z",
            "2021-03-04 05:06:07.5",
            "2021-03-04 5:06",
        ] {
            assert_eq!(iso.read(cell), None, "{cell}");
        }
        assert_eq!(iso.read("1970-01-01"), Some(0));
    }
}
