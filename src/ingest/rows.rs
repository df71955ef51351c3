//! All rows of all files as three columns (series code, raw time, value), and where each row came from.

use super::columns::Assignment;
use super::files::data;
use super::keys::{Keys, NO_CODE, Part};
use super::problems::{ALIKE, Capped};
use super::source::{Chunk, ColumnType, Source};
use super::spec::{IngestError, Layout};
use super::timeline::{NO_TIME, Timeline, Unfit};
use super::value;
use super::wanted::{Place, Wanted};
use crate::series::civil::DAY;
use polars::prelude::{DataFrame, DataType, Series, TimeUnit};
use std::time::{SystemTime, UNIX_EPOCH};

/// How many bad cells are described; more are only counted.
const DESCRIBED: usize = 20_000;

/// Longest id: longer ones are text in the wrong column, and a table of forecasts repeats the id in every row.
const ID_BYTES_MAX: usize = 10_000;

/// Rows with the same origin.
#[derive(Debug)]
struct Piece {
    start: usize,
    file: usize,
    first_row: usize,
    rows: Option<Vec<u32>>,
}

/// A cell that cannot be used.
#[derive(Debug)]
pub(super) struct Fault {
    /// Index of the row.
    pub(super) row: u32,
    /// Where and what; empty past a number of faults.
    pub(super) text: String,
    /// How to repair it: the same for faults that are alike.
    pub(super) remedy: &'static str,
}

/// All rows read.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) keys: Keys,
    pub(super) codes: Vec<u32>,
    /// Raw times, see [`Timeline`].
    pub(super) times: Vec<i64>,
    pub(super) values: Vec<f64>,
    pub(super) timeline: Timeline,
    pub(super) faults: Vec<Fault>,
    /// Records that are no rows, and rows without an id: they belong to no series.
    pub(super) unplaced: [Capped; 2],
    /// Rows of the files; a row of a wide file counts once.
    pub(super) file_rows: usize,
    /// Zone of the first zoned timestamp column.
    pub(super) zone_name: Option<String>,
    pieces: Vec<Piece>,
    files: Vec<(String, &'static str)>,
    modified: Vec<SystemTime>,
}

impl Rows {
    /// Reads all rows of the sources.
    pub(super) fn read(sources: &[Source], assignment: &Assignment) -> Result<Rows, IngestError> {
        let mut rows = Rows {
            keys: Keys::new(assignment.roles.id.len()),
            unplaced: [Capped::showing(ALIKE), Capped::showing(ALIKE)],
            ..Rows::default()
        };
        for (file, source) in sources.iter().enumerate() {
            rows.files.push((source.file.name.clone(), source.row_word()));
            rows.modified.push(source.file.metadata.modified().unwrap_or(UNIX_EPOCH));
            let wanted = Wanted::new(source, assignment)?;
            if let ColumnType::Known(_, Some(zone)) = &source.columns[wanted.columns[wanted.time]].1 {
                rows.zone_name.get_or_insert_with(|| zone.clone());
            }
            source.chunks(&wanted.columns, |chunk| rows.add(file, source, &wanted, assignment, chunk))?;
        }
        Ok(rows)
    }

    /// How many records belong to no series.
    pub(super) fn unplaced(&self) -> usize {
        self.unplaced.iter().map(Capped::total).sum()
    }

    /// File and row of a row, as messages write it.
    pub(super) fn place(&self, row: u32) -> String {
        let piece = self.piece(row);
        let row = row as usize;
        let (file, word) = &self.files[piece.file];
        format!("{file}: {word} {}", piece.number(row - piece.start))
    }

    /// Index of the file of a row.
    pub(super) fn file(&self, row: u32) -> usize {
        self.piece(row).file
    }

    /// When the file of a row was modified last.
    pub(super) fn modified(&self, row: u32) -> SystemTime {
        self.modified[self.file(row)]
    }

    fn piece(&self, row: u32) -> &Piece {
        let after = self.pieces.partition_point(|piece| piece.start <= row as usize);
        &self.pieces[after.saturating_sub(1)]
    }

    /// The first file, for problems of all files together.
    pub(super) fn first_file(&self) -> &str {
        self.files.first().map_or("", |(name, _)| name)
    }

    /// As [`Rows::place`], without the file: for a second row next to a first.
    pub(super) fn place_after(&self, first: u32, row: u32) -> String {
        let (first, place) = (self.place(first), self.place(row));
        match (first.rsplit_once(": "), place.rsplit_once(": ")) {
            (Some((file, _)), Some((same, number))) if file == same => number.to_owned(),
            _ => place,
        }
    }

    fn add(
        &mut self,
        file: usize,
        source: &Source,
        wanted: &Wanted,
        assignment: &Assignment,
        chunk: Chunk,
    ) -> Result<(), IngestError> {
        for problem in &chunk.problems {
            self.unplaced[0].push(problem.clone());
        }
        let count = chunk.frame.height();
        self.file_rows += count;
        if self.codes.len() + count * wanted.targets.len() > NO_CODE as usize {
            return Err(data(format!(
                "{}: more than 4 billion rows; read fewer files at once",
                source.file.name
            )));
        }
        let piece = Piece { start: self.codes.len(), file, first_row: chunk.first_row, rows: chunk.rows };
        let time_name = &assignment.roles.time;
        let (times, bad_times) =
            self.read_times(file, &piece, time_name, column(&chunk.frame, wanted.time), count);
        let long_codes = match assignment.layout {
            Layout::Long => Some(self.read_codes(file, &piece, source, wanted, &chunk.frame)),
            Layout::Wide => None,
        };
        for (&target, name) in wanted.targets.iter().zip(&assignment.roles.targets) {
            let start = self.codes.len();
            match &long_codes {
                Some(codes) => self.codes.extend_from_slice(codes),
                None => {
                    let code = self.keys.named(name);
                    self.codes.resize(start + count, code);
                }
            }
            self.times.extend_from_slice(&times);
            for (at, remedy, text) in &bad_times {
                self.fault(start + at, remedy, || text.clone());
            }
            self.read_values(file, &piece, name, column(&chunk.frame, target), start);
            self.pieces.push(Piece { start, file, first_row: piece.first_row, rows: piece.rows.clone() });
        }
        Ok(())
    }

    fn read_codes(
        &mut self,
        file: usize,
        piece: &Piece,
        source: &Source,
        wanted: &Wanted,
        frame: &DataFrame,
    ) -> Vec<u32> {
        let part = |place: &Place| match *place {
            Place::Frame(at) => Part::Column(column(frame, at)),
            Place::Path(at) => Part::Constant(source.file.hive[at].1.as_deref()),
        };
        let known = self.keys.len();
        let codes = self.keys.encode(&wanted.id.iter().map(part).collect::<Vec<_>>(), frame.height());
        for (at, _) in codes.iter().enumerate().filter(|(_, code)| **code == NO_CODE) {
            let place = self.place_in(file, piece, at);
            self.unplaced[1].push_with(|| format!("{place}: the id is empty; fill it in or remove the row"));
        }
        let long = |code: &usize| self.keys.bytes(*code) > ID_BYTES_MAX;
        for code in (known..self.keys.len()).filter(long).collect::<Vec<_>>() {
            let Some(at) = codes.iter().position(|&other| other as usize == code) else { continue };
            let (place, bytes) = (self.place_in(file, piece, at), self.keys.bytes(code));
            self.unplaced[1].push_with(|| {
                format!(
                    "{place}: the id has {bytes} bytes, at most {ID_BYTES_MAX} are read; choose another --id"
                )
            });
        }
        codes
    }

    /// Raw times, and what is wrong with the cells that have none.
    fn read_times(
        &mut self,
        file: usize,
        piece: &Piece,
        name: &str,
        series: &Series,
        count: usize,
    ) -> (Vec<i64>, Vec<(usize, &'static str, String)>) {
        let mut bad = Vec::new();
        let mut times = Vec::with_capacity(count);
        let files = &self.files;
        let place = |at: usize| format!("{}: {} {}", files[file].0, files[file].1, piece.number(at));
        let timeline = &mut self.timeline;
        let mut keep = |at: usize, shown: &dyn Fn() -> String, read: Option<Result<i64, Unfit>>| {
            let (problem, remedy) = match read {
                Some(Ok(raw)) => return times.push(raw),
                Some(Err(unfit)) => (format!("'{}' {}", shown(), unfit.what), unfit.remedy),
                None => ("the time is empty".to_owned(), "fill it in or remove the row"),
            };
            times.push(NO_TIME);
            let text = if bad.len() < DESCRIBED {
                format!("{}: column {name}: {problem}", place(at))
            } else {
                String::new()
            };
            bad.push((at, remedy, text));
        };
        if let Ok(text) = series.str() {
            for (at, cell) in text.iter().enumerate() {
                let read = cell
                    .filter(|cell| !value::is_missing(cell))
                    .map(|cell| timeline.text(cell, || place(at)));
                keep(at, &|| cell.unwrap_or_default().to_owned(), read);
            }
            return (times, bad);
        }
        let numbers = integers(series);
        for at in 0..count {
            let number = numbers.as_ref().and_then(|numbers| numbers.get(at).copied().flatten());
            let shown = || match number {
                Some(NO_TIME) => "a number with a fraction".to_owned(),
                number => number.map(|number| number.to_string()).unwrap_or_default(),
            };
            let example = || format!("the time in {}", place(at));
            let read = number.map(|number| match series.dtype() {
                DataType::Date => timeline.local(number.saturating_mul(DAY), example),
                DataType::Datetime(unit, zone) => {
                    let micros = match unit {
                        TimeUnit::Nanoseconds => number.div_euclid(1000),
                        TimeUnit::Microseconds => number,
                        TimeUnit::Milliseconds => number.saturating_mul(1000),
                    };
                    if zone.is_some() {
                        timeline.instant(micros, example)
                    } else {
                        timeline.local(micros, example)
                    }
                }
                _ => timeline.integer(number, || place(at)),
            });
            keep(at, &shown, read);
        }
        (times, bad)
    }

    fn read_values(&mut self, file: usize, piece: &Piece, name: &str, series: &Series, start: usize) {
        if let Ok(text) = series.str() {
            for (at, cell) in text.iter().enumerate() {
                let cell = cell.unwrap_or_default();
                let read = value::parse(cell);
                self.values.push(read.unwrap_or(f64::NAN));
                if read.is_none() {
                    let place = self.place_in(file, piece, at);
                    self.fault(start + at, value::remedy(cell), || {
                        format!("{place}: column {name}: '{cell}' is no number")
                    });
                }
            }
            return;
        }
        let numbers = series.cast(&DataType::Float64);
        match numbers.as_ref().map(|numbers| numbers.f64()) {
            Ok(Ok(numbers)) => self.values.extend(numbers.iter().map(|value| value.unwrap_or(f64::NAN))),
            _ => {
                self.values.resize(start + series.len(), f64::NAN);
                let place = self.place_in(file, piece, 0);
                let dtype = series.dtype().clone();
                self.fault(start, "choose another --target", || {
                    format!("{place}: column {name}: {dtype} is no number")
                });
            }
        }
    }

    fn fault(&mut self, row: usize, remedy: &'static str, text: impl FnOnce() -> String) {
        let text = if self.faults.len() < DESCRIBED { text() } else { String::new() };
        self.faults.push(Fault { row: u32::try_from(row).unwrap_or(u32::MAX), text, remedy });
    }

    fn place_in(&self, file: usize, piece: &Piece, at: usize) -> String {
        let (name, word) = &self.files[file];
        format!("{name}: {word} {}", piece.number(at))
    }
}

impl Piece {
    fn number(&self, at: usize) -> usize {
        match &self.rows {
            Some(rows) => rows.get(at).map_or(self.first_row + at, |&row| row as usize),
            None => self.first_row + at,
        }
    }
}

fn column(frame: &DataFrame, at: usize) -> &Series {
    frame.columns()[at].as_materialized_series()
}

/// The physical integers of a column; floats count where they are whole.
fn integers(series: &Series) -> Option<Vec<Option<i64>>> {
    if series.dtype().is_float() {
        let numbers = series.cast(&DataType::Float64).ok()?;
        // Frames write whole times as floats next to missing ones; a fraction would not survive, so it is refused.
        let whole =
            |value: f64| if value.fract() == 0.0 && value.abs() < 9.0e18 { value as i64 } else { NO_TIME };
        let numbers = numbers.f64().ok()?.iter();
        return Some(numbers.map(|value| value.filter(|value| !value.is_nan()).map(whole)).collect());
    }
    let numbers = series.to_physical_repr().cast(&DataType::Int64).ok()?;
    Some(numbers.i64().ok()?.iter().collect())
}
