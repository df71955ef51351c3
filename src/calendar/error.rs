//! What can be wrong with a calendar that a user asks for, and the faults of an event file.

use std::fmt;
use thiserror::Error;

/// Most faults that are listed of one file; the rest is counted.
const FAULTS_SHOWN: usize = 50;

/// Why a calendar cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CalendarError {
    /// No feature has that name.
    #[error("unknown calendar feature {0:?}; known are auto, {known}", known = crate::calendar::feature::known())]
    UnknownFeature(String),
    /// A cycle that is shorter than two steps cannot be seen on the grid.
    #[error(
        "the calendar feature {feature} is finer than the step of the series; leave it out or ask for auto"
    )]
    TooFine {
        /// Name of the feature.
        feature: &'static str,
    },
    /// No holidays are built in for that code.
    #[error("no holidays are built in for {code:?}; known are {known}. Other days can come from an iCal or CSV file",
        known = crate::calendar::holiday::known())]
    UnknownCountry {
        /// The code as written.
        code: String,
    },
    /// The holidays of a year are not known.
    #[error(
        "the holidays of {country} are known from {first} to {last}, not for {year}; leave the country out, cut the \
        history, or give these days as an iCal or CSV file"
    )]
    UnknownYear {
        /// Code of the country.
        country: &'static str,
        /// The year asked for.
        year: i64,
        /// First year that is known.
        first: i64,
        /// Last year that is known.
        last: i64,
    },
    /// A window reaches too far.
    #[error("the window of {name} reaches {days} days; it may reach {max} at most")]
    Window {
        /// What has the window.
        name: String,
        /// Days asked for.
        days: u32,
        /// Most that is allowed.
        max: u32,
    },
    /// More columns than any model should be given.
    #[error(
        "the calendar has {columns} columns, of which at most {max} are allowed; leave out events or narrow windows"
    )]
    TooManyColumns {
        /// Columns asked for.
        columns: usize,
        /// Most that is allowed.
        max: usize,
    },
    /// An event file with faults, all of them.
    #[error("{0}")]
    Events(Faults),
}

/// One fault of an event file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Line in the file, from 1; 0 is the file as a whole.
    pub line: usize,
    /// The offending text, cut to a readable length.
    pub value: String,
    /// What is wrong and what would be right.
    pub problem: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        if self.line > 0 {
            write!(f, "line {}: ", self.line)?;
        }
        if self.value.is_empty() {
            f.write_str(&self.problem)
        } else {
            write!(f, "{:?}: {}", self.value, self.problem)
        }
    }
}

/// Every fault of a file, in the order of its lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// The first of them.
    pub shown: Vec<Fault>,
    /// How many there are beyond those.
    pub further: usize,
}

impl Faults {
    pub(super) fn add(&mut self, line: usize, value: &str, problem: impl Into<String>) {
        if self.shown.len() == FAULTS_SHOWN {
            self.further += 1;
            return;
        }
        let mut cut: String = value.chars().take(80).collect();
        if cut.len() < value.len() {
            cut.push('…');
        }
        self.shown.push(Fault { line, value: cut, problem: problem.into() });
    }

    /// What was read, if nothing was wrong.
    pub(super) fn or<T>(mut self, value: T) -> Result<T, CalendarError> {
        if self.shown.is_empty() {
            return Ok(value);
        }
        self.shown.sort_by_key(|fault| fault.line);
        Err(CalendarError::Events(self))
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for (index, fault) in self.shown.iter().enumerate() {
            write!(f, "{}{fault}", if index > 0 { "\n" } else { "" })?;
        }
        if self.further > 0 { write!(f, "\nand {} further faults", self.further) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_come_in_the_order_of_lines_and_are_counted_beyond_the_first() {
        let mut faults = Faults::default();
        faults.add(7, &"x".repeat(200), "is long");
        faults.add(2, "", "is short");
        let text = faults.clone().or(()).unwrap_err().to_string();
        assert!(text.starts_with("line 2: is short\nline 7: \"xxx"), "{text}");
        for line in 0..60 {
            faults.add(line, "v", "p");
        }
        assert_eq!((faults.shown.len(), faults.further), (50, 12));
        assert!(Faults::default().or(3).is_ok());
    }
}
