//! Events with a name: when they take place, and how far around them they are felt.

use crate::calendar::error::CalendarError;
use crate::series::Frequency;
use crate::series::civil::{DAY, LocalClock};
use std::collections::BTreeMap;

/// Furthest that a window may reach, days.
pub const WINDOW_MAX: u32 = 60;

/// Largest text of events that is read, bytes.
pub const TEXT_BYTES_MAX: usize = 32 << 20;

/// When something takes place, in microseconds; the end is not part of it. Where both are equal it has no duration, and
/// counts for the whole step that it falls into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Span {
    /// By the wall clock of the source: whole days, and times without a zone.
    Wall {
        /// First moment, microseconds of the wall clock.
        start: i64,
        /// End.
        end: i64,
    },
    /// Between two instants.
    Absolute {
        /// First moment, microseconds UTC.
        start: i64,
        /// End.
        end: i64,
    },
}

impl Span {
    /// Whole civil days, `first` to `last` (since 1970-01-01).
    pub fn days(first: i64, last: i64) -> Span {
        Span::Wall { start: first.saturating_mul(DAY), end: last.saturating_add(1).saturating_mul(DAY) }
    }

    /// Start and end on an axis, moved by civil days. Something without duration lasts one microsecond.
    pub(super) fn on(self, axis: Axis, clock: &LocalClock, days: i64) -> (i64, i64) {
        let by = days.saturating_mul(DAY);
        let (start, end) = match (self, axis) {
            (Span::Absolute { start, end }, Axis::Absolute) if days == 0 => (start, end),
            (Span::Absolute { start, end }, axis) => {
                let wall = clock.local(start).saturating_add(by);
                let moved = if axis == Axis::Wall { wall } else { clock.first_instant(wall) };
                (moved, moved.saturating_add(end.saturating_sub(start)))
            }
            (Span::Wall { start, end }, axis) => {
                let on_axis = |wall: i64| if axis == Axis::Wall { wall } else { clock.first_instant(wall) };
                (on_axis(start.saturating_add(by)), on_axis(end.saturating_add(by)))
            }
        };
        (start, end.max(start.saturating_add(1)))
    }
}

/// How time is told: civil steps are compared by the wall clock, steps of a fixed length by instants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Axis {
    /// Microseconds of the wall clock.
    Wall,
    /// Microseconds UTC.
    Absolute,
}

impl Axis {
    /// The axis of a grid.
    pub(super) fn of(frequency: Frequency) -> Axis {
        if matches!(frequency, Frequency::Fixed { .. }) { Axis::Absolute } else { Axis::Wall }
    }
}

/// One time that an event takes place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Occurrence {
    /// When.
    pub span: Span,
    /// Days before it that have a column of their own; at most [`WINDOW_MAX`].
    pub before: u32,
    /// Days after it.
    pub after: u32,
}

/// Everything that goes by one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Stable name in snake case, as it stands in column names: letters and digits of any script, lower case.
    pub name: String,
    /// When it takes place, ascending.
    pub occurrences: Vec<Occurrence>,
}

impl Event {
    /// The same event with a window of so many days around every occurrence.
    ///
    /// # Errors
    /// Where the window reaches too far.
    pub fn with_window(mut self, before: u32, after: u32) -> Result<Event, CalendarError> {
        check_window(&self.name, before.max(after))?;
        for occurrence in &mut self.occurrences {
            (occurrence.before, occurrence.after) = (before, after);
        }
        Ok(self)
    }
}

/// Refuses a window that would make more columns than sense.
pub(super) fn check_window(name: &str, days: u32) -> Result<(), CalendarError> {
    if days > WINDOW_MAX {
        return Err(CalendarError::Window { name: name.to_string(), days, max: WINDOW_MAX });
    }
    Ok(())
}

/// A title as a column name: lower case, runs of anything but letters and digits as one `_`, at most 60 characters. `None` if
/// nothing is left.
pub(super) fn slug(title: &str) -> Option<String> {
    let mut slug = String::new();
    for c in title.chars().flat_map(char::to_lowercase) {
        if c.is_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('_') {
            slug.push('_');
        }
        if slug.chars().count() == 60 {
            break;
        }
    }
    let slug = slug.trim_end_matches('_');
    (!slug.is_empty()).then(|| slug.to_string())
}

/// Events by name; equal occurrences once, ascending.
pub(super) fn grouped(by_name: BTreeMap<impl Into<String>, Vec<Occurrence>>) -> Vec<Event> {
    let event = |(name, mut occurrences): (_, Vec<Occurrence>)| {
        occurrences.sort_unstable();
        occurrences.dedup();
        Event { name: Into::into(name), occurrences }
    };
    by_name.into_iter().map(event).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_become_column_names() {
        assert_eq!(slug("Black Friday – 2nd  sale!").unwrap(), "black_friday_2nd_sale");
        assert_eq!(slug("Fête nationale").unwrap(), "fête_nationale");
        assert_eq!(slug("春节").unwrap(), "春节");
        assert_eq!(slug("--- !"), None);
        assert_eq!(slug(&"long ".repeat(40)).unwrap().chars().count(), 59);
    }

    #[test]
    fn a_window_has_a_limit() {
        let event = Event { name: "sale".into(), occurrences: vec![] };
        let error = event.with_window(61, 0).unwrap_err().to_string();
        assert!(error.contains("window of sale reaches 61 days"), "{error}");
    }
}
