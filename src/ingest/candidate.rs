//! What a column may be, as far as its name and a sample of its rows tell.

use super::{time, value};
use polars::prelude::{DataType, Series};

/// Names of time columns, the most telling first.
pub(super) const TIME_NAMES: [&str; 19] = [
    "ds",
    "ts",
    "time",
    "timestamp",
    "datetime",
    "date_time",
    "date",
    "day",
    "week",
    "month",
    "quarter",
    "year",
    "period",
    "hour",
    "utc",
    "index",
    "time_utc",
    "utc_timestamp",
    "date_utc",
];

/// Names of id columns, likewise.
pub(super) const ID_NAMES: [&str; 14] = [
    "unique_id",
    "series_id",
    "item_id",
    "ts_id",
    "id",
    "series",
    "item",
    "key",
    "sensor_id",
    "meter_id",
    "sensor",
    "meter",
    "symbol",
    "ticker",
];

/// Names of target columns, likewise.
pub(super) const TARGET_NAMES: [&str; 9] =
    ["y", "target", "value", "values", "val", "demand", "sales", "load", "quantity"];

/// Last words of partition keys that cut a file by time and tell no series apart.
const CALENDAR_WORDS: [&str; 20] = [
    "year",
    "yyyy",
    "yr",
    "quarter",
    "qtr",
    "month",
    "mon",
    "mm",
    "week",
    "date",
    "day",
    "dd",
    "dt",
    "ds",
    "hour",
    "hr",
    "hh",
    "minute",
    "time",
    "timestamp",
];

/// What a column holds, as far as a sample tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Number,
    Time,
    Text,
    /// Booleans: numbers if asked for, but no series of their own.
    Flag,
    /// A part of the path such as `year=2024`: an id only if asked for.
    Calendar,
    /// Nothing in the sample.
    Empty,
    /// A list, a struct, binary data.
    Other(&'static str),
}

impl Kind {
    /// As messages name it.
    pub(super) fn words(self) -> &'static str {
        match self {
            Kind::Number => "number",
            Kind::Time => "time",
            Kind::Text => "text",
            Kind::Flag => "yes/no",
            Kind::Calendar => "calendar part of the path",
            Kind::Empty => "empty",
            Kind::Other(what) => what,
        }
    }
}

/// A column that may play a part.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// Text with one value in the whole sample.
    pub(super) constant: bool,
    /// Read as whole numbers only.
    pub(super) whole: bool,
}

impl Candidate {
    /// From the sample of a column.
    pub(super) fn of(name: &str, series: &Series) -> Candidate {
        let (kind, constant, whole) = match series.dtype() {
            DataType::String => text_kind(series),
            DataType::Boolean => (Kind::Flag, false, false),
            DataType::Date | DataType::Datetime(..) => (Kind::Time, false, false),
            dtype if dtype.is_primitive_numeric() => {
                (Kind::Number, false, dtype.is_integer() || all_whole(series))
            }
            _ => (Kind::Other("unusable type"), false, false),
        };
        Candidate { name: name.to_owned(), kind, constant, whole }
    }

    /// A column of the path: text that does not change within a file.
    pub(super) fn of_path(name: &str) -> Candidate {
        let last = name.rsplit(['_', '-', ' ']).next().unwrap_or(name).to_lowercase();
        let kind = if CALENDAR_WORDS.contains(&last.as_str()) { Kind::Calendar } else { Kind::Text };
        Candidate { name: name.to_owned(), kind, constant: true, whole: false }
    }

    /// A column of a type that no part can have.
    pub(super) fn unusable(name: &str, what: &'static str) -> Candidate {
        Candidate { name: name.to_owned(), kind: Kind::Other(what), constant: false, whole: false }
    }

    pub(super) fn is_usable(&self) -> bool {
        !matches!(self.kind, Kind::Other(_))
    }
}

/// Kind of a text column: what at least half of its cells are, so that a few bad cells are reported as such later.
fn text_kind(series: &Series) -> (Kind, bool, bool) {
    let Ok(text) = series.str() else { return (Kind::Other("text that cannot be read"), false, false) };
    let cells: Vec<&str> = text.iter().flatten().filter(|cell| !value::is_missing(cell)).collect();
    let constant = cells.windows(2).all(|pair| pair[0] == pair[1]);
    if cells.is_empty() {
        return (Kind::Empty, false, false);
    }
    let share =
        |fits: &dyn Fn(&str) -> bool| cells.iter().filter(|cell| fits(cell)).count() * 2 >= cells.len();
    if share(&value::is_nearly_number) {
        let flags =
            cells.iter().all(|cell| ["true", "false"].iter().any(|word| cell.eq_ignore_ascii_case(word)));
        let whole = share(&|cell| matches!(time::parse(cell), Some(time::Cell::Integer(_))));
        return (if flags { Kind::Flag } else { Kind::Number }, false, whole);
    }
    let is_time = |cell: &str| time::parse(cell).is_some();
    (if share(&is_time) { Kind::Time } else { Kind::Text }, constant, false)
}

fn all_whole(series: &Series) -> bool {
    let Ok(numbers) = series.cast(&DataType::Float64) else { return false };
    numbers.f64().is_ok_and(|numbers| numbers.iter().flatten().all(|value| value.fract() == 0.0))
}

/// Whether any value stands twice.
pub(super) fn has_repeats(series: &Series) -> bool {
    let mut seen = std::collections::HashSet::new();
    if let Ok(text) = series.str() {
        return text.iter().flatten().any(|cell| !seen.insert(cell.to_owned()));
    }
    let physical = series.to_physical_repr().cast(&DataType::Int64);
    physical.is_ok_and(|physical| {
        let mut seen = std::collections::HashSet::new();
        physical.i64().is_ok_and(|numbers| numbers.iter().flatten().any(|value| !seen.insert(value)))
    })
}
