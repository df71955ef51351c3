//! All rows of all files by series (raw time, value), and where each row came from.

use super::columns::Assignment;
use super::dimensions::too_many_rows;
use super::files::data;
use super::gauge::Gauge;
use super::keys::{Keys, NO_CODE, Names, Part};
use super::problems::{ALIKE, Capped};
use super::raw_series::RawSeries;
use super::sketch::{Share, Sketch};
use super::source::{Chunk, ColumnOf, ColumnType, Source, Table};
use super::spec::{IngestError, Layout};
use super::time_column::TimeColumn;
use super::timeline::Timeline;
use super::value;
use super::wanted::{Place, Wanted};
use polars::prelude::DataType;
use std::borrow::Cow;

/// How many bad cells are described; more are only counted.
pub(super) const DESCRIBED: usize = 20_000;

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
    /// Rows by the code of their series; none for those of other shards.
    pub(super) series: Vec<RawSeries>,
    /// What is kept of the series of other shards, by their code; empty where nothing is.
    pub(super) sketches: Vec<Sketch>,
    /// Which series are kept.
    share: Option<Share>,
    /// By code, whether a series is kept; empty where all are.
    is_own: Vec<bool>,
    /// Number of rows, those without an id included.
    pub(super) count: usize,
    pub(super) timeline: Timeline,
    pub(super) faults: Vec<Fault>,
    /// Records that are no rows, and rows without an id: they belong to no series.
    pub(super) unplaced: [Capped; 2],
    /// How many of these records are ones in which their file ends.
    pub(super) cut_off: usize,
    /// Rows of the files; a row of a wide file counts once.
    pub(super) file_rows: usize,
    /// Zone of the first zoned timestamp column.
    pub(super) zone_name: Option<String>,
    /// Where the values are names: which ones.
    pub(super) names: Option<Names>,
    /// Rows that there may be.
    max_rows: Option<u64>,
    pieces: Vec<Piece>,
    files: Vec<(String, &'static str)>,
    modified: Vec<i128>,
}

impl Rows {
    /// Reads all rows of the sources, and keeps those of the share; `timeline` is what is known of their times before.
    pub(super) fn read(
        sources: &[Source],
        assignment: &Assignment,
        (timeline, share): (Timeline, Option<Share>),
        max_rows: Option<u64>,
        gauge: &Gauge,
    ) -> Result<Rows, IngestError> {
        let rows = Rows { max_rows, ..Rows::default() };
        rows.read_all(sources, assignment, None, (timeline, share), gauge)
    }

    /// Reads all rows of the sources, and keeps those of the share; with `names`, the values are names.
    pub(super) fn read_as(
        sources: &[Source],
        assignment: &Assignment,
        names: Option<Names>,
        (timeline, share): (Timeline, Option<Share>),
        gauge: &Gauge,
    ) -> Result<Rows, IngestError> {
        Rows::default().read_all(sources, assignment, names, (timeline, share), gauge)
    }

    fn read_all(
        self,
        sources: &[Source],
        assignment: &Assignment,
        names: Option<Names>,
        (timeline, share): (Timeline, Option<Share>),
        gauge: &Gauge,
    ) -> Result<Rows, IngestError> {
        let mut rows = Rows {
            keys: Keys::new(assignment.roles.id.len()),
            unplaced: [Capped::showing(ALIKE), Capped::showing(ALIKE)],
            names,
            timeline,
            share,
            ..self
        };
        for (file, source) in sources.iter().enumerate() {
            rows.files.push((source.file.name.clone(), source.row_word()));
            rows.modified.push(source.file.seen.modified_ns);
            let wanted = Wanted::new(source, assignment)?;
            if let ColumnType::Known(_, Some(zone)) = &source.columns[wanted.columns[wanted.time]].1 {
                rows.zone_name.get_or_insert_with(|| zone.clone());
            }
            source.chunks(&wanted.columns, |chunk| {
                let bytes = chunk.bytes;
                rows.add(file, source, &wanted, assignment, chunk)?;
                gauge.add(bytes);
                Ok(())
            })?;
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

    /// When the file of a row was modified last, nanoseconds since 1970.
    pub(super) fn modified(&self, row: u32) -> i128 {
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
        self.cut_off += usize::from(chunk.is_cut_off);
        let count = chunk.table.rows();
        self.file_rows += count;
        if self.count + count * wanted.targets.len() > NO_CODE as usize {
            return Err(data(format!(
                "{}: more than 4 billion rows; read fewer files at once",
                source.file.name
            )));
        }
        let all = self.count + count * wanted.targets.len();
        if let Some(most) = self.max_rows.filter(|most| all as u64 > *most) {
            return Err(data(too_many_rows(&format!("at least {all}"), most)));
        }
        let piece = Piece { start: self.count, file, first_row: chunk.first_row, rows: chunk.rows };
        let time_name = &assignment.roles.time;
        let (path, word) = &self.files[file];
        let place = |at: usize| format!("{path}: {word} {}", piece.number(at));
        let column = chunk.table.column(wanted.time);
        let TimeColumn { times, bad: bad_times, .. } =
            TimeColumn::read(column, time_name, &mut self.timeline, &place);
        let long_codes = match assignment.layout {
            Layout::Long => Some(self.read_codes(&piece, source, wanted, &chunk.table)),
            Layout::Wide => None,
        };
        for (&target, name) in wanted.targets.iter().zip(&assignment.roles.targets) {
            let piece =
                Piece { start: self.count, file, first_row: piece.first_row, rows: piece.rows.clone() };
            let codes = match &long_codes {
                Some(codes) => Cow::Borrowed(codes),
                None => Cow::Owned(vec![self.keys.named(name); count]),
            };
            self.series.resize_with(self.keys.len(), RawSeries::default);
            self.share_out();
            for (at, remedy, text) in &bad_times {
                self.fault(codes[*at], piece.start + at, remedy, || text.clone());
            }
            let values = self.read_values(&piece, name, chunk.table.column(target), &codes);
            self.gather(&codes, &times, &values);
            self.pieces.push(piece);
        }
        Ok(())
    }

    /// Whether a series is kept.
    pub(super) fn is_own(&self, code: u32) -> bool {
        self.is_own.get(code as usize).copied().unwrap_or(true)
    }

    /// Tells whose the series are that are new.
    fn share_out(&mut self) {
        let Some(Share { shard, others }) = self.share else { return };
        for code in self.is_own.len()..self.keys.len() {
            let code = u32::try_from(code).unwrap_or(NO_CODE);
            self.is_own.push(shard.owns(&self.keys.unique_id(code)));
        }
        if others.is_some() {
            self.sketches.resize_with(self.keys.len(), Sketch::default);
        }
    }

    /// Hands rows to their series; those without an id belong to none, those of other shards at most to a sketch.
    fn gather(&mut self, codes: &[u32], times: &[i64], values: &[f64]) {
        let mut from = 0;
        for run in codes.chunk_by(|one, other| one == other) {
            let to = from + run.len();
            let (code, row) = (run[0] as usize, u32::try_from(self.count + from).unwrap_or(u32::MAX));
            if self.is_own(run[0]) {
                if let Some(series) = self.series.get_mut(code) {
                    series.push(row, &times[from..to], &values[from..to]);
                }
            } else if let (Some(sketch), Some(detail)) =
                (self.sketches.get_mut(code), self.share.and_then(|share| share.others))
            {
                sketch.push(row, &times[from..to], &values[from..to], detail);
            }
            from = to;
        }
        self.count += from;
    }

    fn read_codes(&mut self, piece: &Piece, source: &Source, wanted: &Wanted, table: &Table) -> Vec<u32> {
        let part = |place: &Place| match *place {
            Place::Frame(at) => Part::Column(table.column(at)),
            Place::Path(at) => Part::Constant(source.file.hive[at].1.as_deref()),
        };
        let known = self.keys.len();
        let codes = self.keys.encode(&wanted.id.iter().map(part).collect::<Vec<_>>(), table.rows());
        for (at, _) in codes.iter().enumerate().filter(|(_, code)| **code == NO_CODE) {
            let place = self.place_in(piece, at);
            self.unplaced[1].push_with(|| format!("{place}: the id is empty; fill it in or remove the row"));
        }
        let long = |code: &usize| self.keys.bytes(*code) > ID_BYTES_MAX;
        for code in (known..self.keys.len()).filter(long).collect::<Vec<_>>() {
            let Some(at) = codes.iter().position(|&other| other as usize == code) else { continue };
            let (place, bytes) = (self.place_in(piece, at), self.keys.bytes(code));
            self.unplaced[1].push_with(|| {
                format!(
                    "{place}: the id has {bytes} bytes, at most {ID_BYTES_MAX} are read; choose another --id"
                )
            });
        }
        codes
    }

    /// The values of one column whose rows have these codes.
    fn read_values(&mut self, piece: &Piece, name: &str, column: ColumnOf<'_>, codes: &[u32]) -> Vec<f64> {
        if let Some(names) = &mut self.names {
            return names.encode(column, codes.len());
        }
        let series = match column {
            ColumnOf::Text(column) => return self.read_texts(piece, name, column.iter(), codes),
            ColumnOf::Typed(series) => series,
        };
        if let Ok(texts) = series.str() {
            let texts = texts.iter().map(Option::unwrap_or_default);
            return self.read_texts(piece, name, texts, codes);
        }
        let numbers = series.cast(&DataType::Float64);
        match numbers.as_ref().map(|numbers| numbers.f64()) {
            Ok(Ok(numbers)) if numbers.null_count() == 0 => {
                let mut values = Vec::with_capacity(numbers.len());
                numbers.downcast_iter().for_each(|array| values.extend_from_slice(array.values()));
                values
            }
            Ok(Ok(numbers)) => numbers.iter().map(|value| value.unwrap_or(f64::NAN)).collect(),
            _ => {
                let place = self.place_in(piece, 0);
                let dtype = series.dtype().clone();
                let code = codes.first().copied().unwrap_or(NO_CODE);
                self.fault(code, piece.start, "choose another --target", || {
                    format!("{place}: column {name}: {dtype} is no number")
                });
                vec![f64::NAN; series.len()]
            }
        }
    }

    fn read_texts<'a>(
        &mut self,
        piece: &Piece,
        name: &str,
        cells: impl Iterator<Item = &'a str>,
        codes: &[u32],
    ) -> Vec<f64> {
        let mut values = Vec::with_capacity(codes.len());
        for (at, cell) in cells.enumerate() {
            let read = value::parse(cell);
            values.push(read.unwrap_or(f64::NAN));
            if read.is_none() {
                let place = self.place_in(piece, at);
                self.fault(codes[at], piece.start + at, value::remedy(cell), || {
                    format!("{place}: column {name}: '{cell}' is no number")
                });
            }
        }
        values
    }

    fn fault(&mut self, code: u32, row: usize, remedy: &'static str, text: impl FnOnce() -> String) {
        let faults = match self.is_own(code) {
            true => self.series.get_mut(code as usize).map(|series| &mut series.faults),
            false => self.sketches.get_mut(code as usize).map(|sketch| &mut sketch.faults),
        };
        let Some(faults) = faults else { return };
        faults.push(u32::try_from(self.faults.len()).unwrap_or(u32::MAX));
        let text = if self.faults.len() < DESCRIBED { text() } else { String::new() };
        self.faults.push(Fault { row: u32::try_from(row).unwrap_or(u32::MAX), text, remedy });
    }

    fn place_in(&self, piece: &Piece, at: usize) -> String {
        let (name, word) = &self.files[piece.file];
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
