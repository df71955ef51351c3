//! Events from a CSV text.
//!
//! Columns: `ds` (Prophet) or `start` and, if wanted, `end`; `event` or `holiday` (Prophet) for the name; `lower_window` and
//! `upper_window` in days, 0 where missing. Others are passed over. Dates are whole days of the source's zone, and an `end` that
//! is a date belongs to the event; times without offset are read from the wall clock of that zone, and an `end` that is a time
//! is when it is over. A `ds` at midnight is a date, as pandas writes one.

use crate::calendar::error::{CalendarError, Faults};
use crate::calendar::event::{Event, Occurrence, Span, TEXT_BYTES_MAX, WINDOW_MAX, grouped, slug};
use crate::calendar::moment::{Clock, Moment, Zones};
use crate::series::civil::DAY;
use std::collections::BTreeMap;

/// Where the columns are.
struct Header {
    start: usize,
    is_ds: bool,
    end: Option<usize>,
    event: usize,
    lower: Option<usize>,
    upper: Option<usize>,
}

/// The events of a text, by name.
///
/// # Errors
/// [`CalendarError::Events`] with every fault of the text.
pub fn parse(text: &str) -> Result<Vec<Event>, CalendarError> {
    let mut faults = Faults::default();
    if text.len() > TEXT_BYTES_MAX {
        faults.add(0, "", format!("has more than {TEXT_BYTES_MAX} bytes; split the file"));
        return faults.or(Vec::new());
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader =
        csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(text.as_bytes());
    let header = reader.headers().cloned().unwrap_or_default();
    let Some(header) = find(&header, &mut faults) else { return faults.or(Vec::new()) };

    let mut zones = Zones::default();
    let mut found: BTreeMap<String, Vec<Occurrence>> = BTreeMap::new();
    for record in reader.records() {
        // Text in memory that is UTF-8 and may have rows of any length cannot fail to be read.
        let Ok(record) = record else { continue };
        let line = record.position().map_or(0, |position| line_of(text, position));
        let row = Row { line, record: &record, header: &header };
        if let Some((name, occurrence)) = row.read(&mut zones, &mut faults) {
            found.entry(name).or_default().push(occurrence);
        }
    }
    faults.or(grouped(found))
}

/// The line of a record, from 1. The reader counts from the end of the record before, empty lines included.
fn line_of(text: &str, position: &csv::Position) -> usize {
    let at = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let rest = text.as_bytes().get(at(position.byte())..).unwrap_or_default();
    let ends = rest.iter().take_while(|&&byte| byte == b'\r' || byte == b'\n');
    at(position.line()).saturating_add(ends.filter(|&&byte| byte == b'\n').count())
}

/// Finds the columns by their names.
fn find(header: &csv::StringRecord, faults: &mut Faults) -> Option<Header> {
    let names: Vec<String> = header.iter().map(str::to_ascii_lowercase).collect();
    let at = |wanted: &str| names.iter().position(|name| name == wanted);
    let all = names.join(",");
    for name in ["ds", "start", "end", "event", "holiday", "lower_window", "upper_window"] {
        if names.iter().filter(|own| *own == name).count() > 1 {
            faults.add(1, &all, format!("has the column {name} twice"));
        }
    }
    if at("ds").is_some() && at("start").is_some() {
        faults.add(1, &all, "has both ds and start; keep one");
    }
    let (ds, start) = (at("ds"), at("ds").or(at("start")));
    let event = at("event").or(at("holiday"));
    if start.is_none() {
        faults.add(1, &all, "has no column ds or start, which say when");
    }
    if event.is_none() {
        faults.add(1, &all, "has no column event or holiday, which name what takes place");
    }
    Some(Header {
        start: start?,
        is_ds: ds.is_some(),
        end: at("end"),
        event: event?,
        lower: at("lower_window"),
        upper: at("upper_window"),
    })
}

/// One row and where it stands.
struct Row<'a> {
    line: usize,
    record: &'a csv::StringRecord,
    header: &'a Header,
}

impl Row<'_> {
    /// Reads the row; every cell that is wrong is noted.
    fn read(&self, zones: &mut Zones, faults: &mut Faults) -> Option<(String, Occurrence)> {
        let title = self.cell(Some(self.header.event));
        let name = slug(title);
        if name.is_none() {
            faults.add(self.line, title, "the event needs a letter or digit: columns are named after it");
        }
        let start = self.moment(self.header.start, zones, faults).map(|start| self.day_if_midnight(start));
        let end = self.header.end.filter(|&at| !self.cell(Some(at)).is_empty());
        let end = end.map(|at| self.moment(at, zones, faults));
        let before = self.window(self.header.lower, "lower_window", -1, faults);
        let after = self.window(self.header.upper, "upper_window", 1, faults);
        let span = match end {
            Some(end) => self.span(start?, Some(end?), faults),
            None => self.span(start?, None, faults),
        };
        Some((name?, Occurrence { span: span?, before: before?, after: after? }))
    }

    fn cell(&self, at: Option<usize>) -> &str {
        at.and_then(|at| self.record.get(at)).unwrap_or("")
    }

    fn moment(&self, at: usize, zones: &mut Zones, faults: &mut Faults) -> Option<Moment> {
        let text = self.cell(Some(at));
        zones.iso(text).map_err(|problem| faults.add(self.line, text, problem)).ok()
    }

    fn day_if_midnight(&self, start: Moment) -> Moment {
        let is_midnight = matches!(start.clock, Clock::Floating) && start.wall % DAY == 0;
        if self.header.is_ds && is_midnight { Moment { clock: Clock::Date, ..start } } else { start }
    }

    fn span(&self, start: Moment, end: Option<Moment>, faults: &mut Faults) -> Option<Span> {
        let shown = || self.cell(self.header.end);
        let end = match end {
            None if start.clock.is_date() => Moment { wall: start.wall + DAY, ..start.clone() },
            None => start.clone(),
            Some(end) if end.clock.is_date() => Moment { wall: end.wall + DAY, ..end },
            Some(end) => end,
        };
        let span = match (start.instant(), end.instant()) {
            (Some(start), Some(end)) => Span::Absolute { start, end },
            (None, None) if start.clock.is_date() == end.clock.is_date() => {
                Span::Wall { start: start.wall, end: end.wall }
            }
            _ => {
                faults.add(
                    self.line,
                    shown(),
                    "has to be of the kind of the start: two dates, or two times with or without offset",
                );
                return None;
            }
        };
        let (Span::Wall { start: from, end: to } | Span::Absolute { start: from, end: to }) = span;
        // A day ends after it began.
        if to < from || start.clock.is_date() && to == from {
            faults.add(self.line, shown(), "the end lies before the start");
            return None;
        }
        Some(span)
    }

    /// Days of a window, of the sign that it has to have; 0 where the cell is empty.
    fn window(&self, at: Option<usize>, name: &str, sign: i32, faults: &mut Faults) -> Option<u32> {
        let text = self.cell(at);
        if text.is_empty() || text.eq_ignore_ascii_case("nan") {
            return Some(0);
        }
        // pandas writes whole numbers of a column with gaps as 1.0.
        let days =
            text.parse::<f64>().ok().filter(|days| days.fract() == 0.0).map(|days| days * f64::from(sign));
        let days = days.filter(|&days| (0.0..=f64::from(WINDOW_MAX)).contains(&days));
        if days.is_none() {
            let (from, to) = if sign < 0 { (-i64::from(WINDOW_MAX), 0) } else { (0, i64::from(WINDOW_MAX)) };
            faults.add(self.line, text, format!("{name} is no whole number of days from {from} to {to}"));
        }
        days.map(|days| days as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::civil::{HOUR, days_from_date};
    use proptest::prelude::*;

    fn day(year: i64, month: i64, day: i64) -> i64 {
        days_from_date(year, month, day)
    }

    #[test]
    fn the_table_that_prophet_takes() {
        let text = "holiday,ds,lower_window,upper_window\nplayoff,2008-01-13,0,1\n\"super, bowl\",2010-02-07 00:00:00,-1,1.0\n\
            playoff,2009-01-03,,\n";
        let events = parse(text).unwrap();
        let names: Vec<_> = events.iter().map(|event| event.name.as_str()).collect();
        assert_eq!(names, ["playoff", "super_bowl"]);
        let first = day(2008, 1, 13);
        assert_eq!(
            events[0].occurrences[0],
            Occurrence { span: Span::days(first, first), before: 0, after: 1 }
        );
        assert_eq!((events[0].occurrences[1].before, events[0].occurrences[1].after), (0, 0));
        assert_eq!((events[1].occurrences[0].before, events[1].occurrences[0].after), (1, 1));
        assert_eq!(events[1].occurrences[0].span, Span::days(day(2010, 2, 7), day(2010, 2, 7)));
    }

    #[test]
    fn starts_and_ends() {
        let text = "\u{feff}Start,End,Event\r\n2024-12-24,2024-12-26,fair\r\n2024-05-01 08:00,2024-05-01 10:00,fair\r\n\
            2024-05-01T08:00Z,2024-05-01T10:00+01:00,fair\r\n2024-06-01 08:00,,fair\r\n";
        let spans: Vec<_> = parse(text).unwrap()[0].occurrences.iter().map(|one| one.span).collect();
        let eight = day(2024, 5, 1) * DAY + 8 * HOUR;
        let june = day(2024, 6, 1) * DAY + 8 * HOUR;
        assert_eq!(
            spans,
            [
                Span::Wall { start: eight, end: eight + 2 * HOUR },
                Span::Wall { start: june, end: june },
                Span::days(day(2024, 12, 24), day(2024, 12, 26)),
                Span::Absolute { start: eight, end: eight + HOUR },
            ]
        );
    }

    #[test]
    fn lines_are_those_of_the_file_whatever_ends_them() {
        for end in ["\n", "\r\n"] {
            let text = ["ds,event", "2024-01-01,\"a", "b\"", "", "", "x,c", "2024-01-02,d", "y,e"].join(end);
            let error = parse(&text).unwrap_err().to_string();
            let lines: Vec<&str> = error.lines().map(|line| &line[..7]).collect();
            assert_eq!(lines, ["line 6:", "line 8:"], "{error}");
        }
    }

    #[test]
    fn every_fault_is_told_with_its_line() {
        let text = "start,end,event,lower_window\n2024-01-01,2023-12-31,a,0\nsoon,,b,1\n2024-01-01,2024-01-01 08:00,c,0\n\
            2024-01-01,,?!,-99\n\n2024-01-02\n";
        let error = parse(text).unwrap_err().to_string();
        let lines: Vec<&str> = error.lines().collect();
        assert_eq!(lines.len(), 7, "{error}");
        assert!(lines[0].starts_with("line 2: \"2023-12-31\": the end lies before"), "{error}");
        assert!(lines[1].starts_with("line 3: \"soon\": is no time; write 2024-12-25"), "{error}");
        assert!(
            lines[2].starts_with("line 3: \"1\": lower_window is no whole number of days from -60 to 0"),
            "{error}"
        );
        assert!(lines[3].starts_with("line 4: \"2024-01-01 08:00\": has to be of the kind"), "{error}");
        assert!(lines[4].starts_with("line 5: \"?!\": the event needs a letter"), "{error}");
        assert!(lines[5].starts_with("line 5: \"-99\""), "{error}");
        assert!(lines[6].starts_with("line 7: the event needs"), "{error}");
        let error = parse("when,what\n").unwrap_err().to_string();
        assert_eq!(error.lines().count(), 2, "{error}");
        assert!(parse("").is_err());
        assert!(parse("ds,event\n").unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,200}") {
            let _ = parse(&text);
        }

        #[test]
        fn any_rows_are_read_or_refused(
            rows in prop::collection::vec("[-0-9T: Z+.,\"a-cé]{0,40}", 0..12),
            header in prop::sample::select(vec!["ds,event", "start,end,event,lower_window,upper_window", "holiday,ds,upper_window"]),
        ) {
            if let Ok(events) = parse(&format!("{header}\n{}", rows.join("\n"))) {
                prop_assert!(events.iter().map(|event| event.occurrences.len()).sum::<usize>() <= rows.len());
            }
        }

        #[test]
        fn rows_that_are_right_are_read(year in 1900i64..2200, month in 1i64..13, of_month in 1i64..29, before in 0u32..61) {
            let text = format!("event,ds,lower_window\nx,{year:04}-{month:02}-{of_month:02},-{before}\n");
            let events = parse(&text).unwrap();
            let own = day(year, month, of_month);
            prop_assert_eq!(&events[0].occurrences, &[Occurrence { span: Span::days(own, own), before, after: 0 }]);
        }
    }
}
