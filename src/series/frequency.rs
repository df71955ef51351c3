//! The step of a regular time grid.

/// Which day of the month a month-based grid stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MonthAnchor {
    /// That day (1 to 31), clipped to shorter months.
    Day(i8),
    /// The last day of the month.
    End,
}

/// Step of a regular grid: absolute below a day, civil from a day on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Frequency {
    /// A fixed number of microseconds of absolute time (sub-daily data).
    Fixed {
        /// Microseconds per step.
        micros: i64,
    },
    /// Civil days in the panel's zone; 7 is a week. A day may last 23 or 25 hours.
    Days {
        /// Days per step.
        days: i64,
    },
    /// Monday to Friday.
    BusinessDays,
    /// Civil months; 3 is a quarter, 12 a year.
    Months {
        /// Months per step.
        months: i64,
        /// Day of the month.
        anchor: MonthAnchor,
    },
}
