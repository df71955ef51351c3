//! The records of a CSV file: where they end, on which line they begin, whether each has its fields, and where the
//! fields stand.

use super::record::{Record, blank, place, record, start_of, unquote};
use memchr::{memchr, memchr2_iter, memrchr};
use std::io::{self, Read};

/// How to repair a record with a stray quote.
const QUOTES: &str = "close every quote, and double those that belong to the text";

/// How to repair a record with too few or too many fields.
const FIELDS: &str = "write one field per column, and quote fields that hold the separator";

/// Records that begin in one stretch of the file, checked.
#[derive(Debug, Default)]
pub(super) struct Block {
    /// The stretch. Quotes are taken out of the fields that are kept, and records with problems are blank.
    pub(super) bytes: Vec<u8>,
    /// Start and length of every field that is kept, record by record, in bytes.
    pub(super) places: Vec<(u32, u32)>,
    /// Number of records.
    pub(super) records: usize,
    /// Line on which the stretch begins, 1-based.
    pub(super) first_line: usize,
    /// Line of every record, where they are not consecutive.
    pub(super) lines: Option<Vec<u32>>,
    /// What is wrong with records that were left out.
    pub(super) problems: Vec<String>,
    /// Whether the last of them is of a record in which the file ends, without a line feed.
    pub(super) is_cut_off: bool,
}

/// Reads a CSV file block by block.
pub(super) struct Blocks<R> {
    reader: R,
    separator: u8,
    fields: usize,
    /// Whether a field is kept, by its place in the record.
    kept: Vec<bool>,
    pending: Vec<u8>,
    line: usize,
    at_end: bool,
    /// Whether the last line had no line feed.
    is_open: bool,
    /// Whether the last record that was looked at is used, or blank.
    is_good: bool,
    size: usize,
}

impl<R: Read> Blocks<R> {
    /// Starts before the header line. `size` is how many bytes are read at a time.
    pub(super) fn new(reader: R, size: usize) -> Blocks<R> {
        // The mark that some programs write at the start of UTF-8 must be seen as a whole.
        let size = size.max(3);
        let (pending, kept) = (Vec::new(), Vec::new());
        let (separator, fields, line) = (b',', 0, 1);
        let (at_end, is_open, is_good) = (false, false, true);
        Blocks { reader, separator, fields, kept, pending, line, at_end, is_open, is_good, size }
    }

    /// The first record that is not blank, as column names; `None` in a file of blank lines. The separator is the
    /// most frequent of comma, semicolon, tab and bar where it is not given.
    pub(super) fn header(
        &mut self,
        separator: Option<u8>,
    ) -> io::Result<Result<Option<Vec<String>>, String>> {
        self.fill()?;
        if self.pending.starts_with(b"\xEF\xBB\xBF") {
            self.pending.drain(..3);
        }
        loop {
            let Some(mut record) = self.next_record()? else { return Ok(Ok(None)) };
            let mut text = self.pending[..record.length].to_vec();
            self.separator = separator.unwrap_or_else(|| sniff(&text));
            if let Some(again) = self.next_record()? {
                record = again;
                text = self.pending[..record.length].to_vec();
            }
            let line = self.line;
            self.line += record.line_feeds;
            self.pending.drain(..record.length);
            if text.trim_ascii().is_empty() {
                continue;
            }
            if let Some(fault) = record.fault {
                return Ok(Err(format!("line {line} {fault}: '{}'; {QUOTES}", start_of(&text))));
            }
            self.fields = record.fields;
            self.kept = vec![true; self.fields];
            return Ok(String::from_utf8(text).map(|text| Some(names(&text, self.separator))).map_err(
                |_| {
                    format!(
                        "line {line} is not UTF-8 text; save the file as UTF-8, or as CSV if it is none yet"
                    )
                },
            ));
        }
    }

    /// The separator between fields.
    pub(super) fn separator(&self) -> u8 {
        self.separator
    }

    /// Keeps only the fields of these columns, ascending; after the header.
    pub(super) fn keep(&mut self, columns: &[usize]) {
        self.kept = (0..self.fields).map(|at| columns.binary_search(&at).is_ok()).collect();
    }

    /// The next records, `None` at the end of the file.
    pub(super) fn next_block(&mut self) -> io::Result<Option<Block>> {
        self.fill()?;
        let mut block = Block { first_line: self.line, ..Block::default() };
        let end = loop {
            if self.pending.is_empty() {
                return Ok(None);
            }
            if u32::try_from(self.pending.len()).is_err() {
                let problem = format!("the record of line {} is longer than 4 GB; {QUOTES}", self.line);
                return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
            }
            let end = match memchr(b'"', &self.pending) {
                None => self.plain_records(&mut block),
                Some(_) => self.any_records(&mut block),
            };
            if end > 0 {
                break end;
            }
            self.grow()?;
        };
        let mut rest = Vec::with_capacity(self.size + 1);
        rest.extend_from_slice(&self.pending[end..]);
        block.bytes = std::mem::replace(&mut self.pending, rest);
        block.bytes.truncate(end);
        block.is_cut_off = self.at_end && self.is_open && self.pending.is_empty() && !self.is_good;
        Ok(Some(block))
    }

    /// Splits what is pending, which has no quote, into records; gives the bytes of those that are whole.
    fn plain_records(&mut self, block: &mut Block) -> usize {
        let pending = std::mem::take(&mut self.pending);
        let mut blanks = Vec::new();
        let (mut from, mut start, mut field) = (0, 0, 0);
        for at in memchr2_iter(self.separator, b'\n', &pending) {
            let ends = pending[at] == b'\n';
            if self.kept.get(field) == Some(&true) {
                let cut = usize::from(ends && at > start && pending[at - 1] == b'\r');
                block.places.push(place(start, at - cut));
            }
            (start, field) = (at + 1, field + 1);
            if ends {
                let record = Record { length: start - from, fields: field, line_feeds: 1, fault: None };
                if !self.judge(&record, &pending[from..start], block) {
                    blanks.push(from..start);
                }
                (from, field) = (start, 0);
            }
        }
        // The fields of the record that is not whole.
        block.places.truncate(block.records * self.width());
        self.pending = pending;
        blanks.into_iter().for_each(|range| blank(&mut self.pending[range]));
        from
    }

    /// As [`Blocks::plain_records`] for records that may have quotes.
    fn any_records(&mut self, block: &mut Block) -> usize {
        let mut pending = std::mem::take(&mut self.pending);
        let mut from = 0;
        while let Some(record) = record(&pending[from..], self.separator, self.at_end) {
            let end = from + record.length;
            if self.judge(&record, &pending[from..end], block) {
                self.take_fields(&mut pending, from, end, block);
            } else {
                blank(&mut pending[from..end]);
            }
            from = end;
        }
        self.pending = pending;
        from
    }

    /// Number of fields that are kept.
    fn width(&self) -> usize {
        self.kept.iter().filter(|&&kept| kept).count()
    }

    /// Whether a record is used. Its line is noted, or what is wrong with it, and its places are taken back if it is not.
    fn judge(&mut self, record: &Record, text: &[u8], block: &mut Block) -> bool {
        let line = self.line;
        self.line += record.line_feeds;
        let is_blank = record.length <= 2 && text.trim_ascii().is_empty() && self.fields > 1;
        if record.fault.is_none() && record.fields == self.fields && !is_blank {
            if record.line_feeds > 1 {
                block.list_lines();
            }
            if let Some(lines) = &mut block.lines {
                lines.push(u32::try_from(line).unwrap_or(u32::MAX));
            }
            block.records += 1;
            self.is_good = true;
            return true;
        }
        self.is_good = is_blank;
        block.list_lines();
        block.places.truncate(block.records * self.width());
        if !is_blank {
            let start = start_of(text);
            block.problems.push(match record.fault {
                Some(fault) => format!("line {line} {fault}: '{start}'; {QUOTES}"),
                None => format!(
                    "line {line} has {} of {} fields: '{start}'; {FIELDS}",
                    record.fields, self.fields
                ),
            });
        }
        false
    }

    /// Notes the places of the kept fields of a record without fault, and takes their quotes out.
    fn take_fields(&self, pending: &mut [u8], from: usize, end: usize, block: &mut Block) {
        let (mut start, mut field, mut quoted) = (from, 0, false);
        for at in from..end {
            quoted ^= pending[at] == b'"';
            if quoted || !(pending[at] == self.separator || pending[at] == b'\n') {
                continue;
            }
            if self.kept[field] {
                let cut = usize::from(pending[at] == b'\n' && at > start && pending[at - 1] == b'\r');
                block.places.push(unquote(pending, start, at - cut));
            }
            (start, field) = (at + 1, field + 1);
        }
    }

    /// The record at the start of what is pending, reading on until it is whole.
    fn next_record(&mut self) -> io::Result<Option<Record>> {
        loop {
            match record(&self.pending, self.separator, self.at_end) {
                Some(record) => return Ok(Some(record)),
                None if self.at_end => return Ok(None),
                None => self.grow()?,
            }
        }
    }

    /// A record longer than the block: reads twice as much, so that few rescans happen.
    fn grow(&mut self) -> io::Result<()> {
        self.size *= 2;
        self.fill()
    }

    fn fill(&mut self) -> io::Result<()> {
        if !self.at_end && self.pending.len() < self.size {
            let wanted = self.size - self.pending.len();
            let read = (&mut self.reader).take(wanted as u64).read_to_end(&mut self.pending)?;
            self.at_end = read < wanted;
            if self.at_end {
                self.end_last_line();
            }
        }
        Ok(())
    }

    /// Adds the line feed that the last line of a file may lack, unless that line is blank.
    fn end_last_line(&mut self) {
        let start = memrchr(b'\n', &self.pending).map_or(0, |line_feed| line_feed + 1);
        let last = &self.pending[start..];
        if last.len() <= 2 && last.trim_ascii().is_empty() {
            self.pending.truncate(start);
        } else {
            self.is_open = true;
            self.pending.push(b'\n');
        }
    }
}

impl Block {
    /// From here on the line of every record is noted.
    fn list_lines(&mut self) {
        let first = u32::try_from(self.first_line).unwrap_or(u32::MAX);
        let until_here = || (0..self.records as u32).map(|row| first.saturating_add(row)).collect();
        self.lines.get_or_insert_with(until_here);
    }
}

/// The most frequent separator of a header line, outside quotes; comma where there is none.
fn sniff(header: &[u8]) -> u8 {
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0), (b'|', 0)];
    let mut quoted = false;
    for &byte in header {
        quoted ^= byte == b'"';
        if let Some(count) = counts.iter_mut().find(|count| !quoted && count.0 == byte) {
            count.1 += 1;
        }
    }
    // The first of equally frequent separators wins, so that a single column is read as comma separated.
    counts.into_iter().rev().max_by_key(|&(_, count)| count).map_or(b',', |(separator, _)| separator)
}

/// Column names of a header record.
fn names(header: &str, separator: u8) -> Vec<String> {
    let header = header.trim_end_matches(['\n', '\r']);
    let mut names = vec![String::new()];
    let mut quoted = false;
    for c in header.chars() {
        if c == '"' {
            quoted = !quoted;
        } else if c == char::from(separator) && !quoted {
            names.push(String::new());
        } else if let Some(name) = names.last_mut() {
            name.push(c);
        }
    }
    names.into_iter().map(|name| name.trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::cells::Cells;
    use proptest::prelude::*;

    /// Column names, records as lists of cells, the line of each, and problems.
    type Read = (Vec<String>, Vec<Vec<String>>, Vec<u32>, Vec<String>);

    fn read(text: &[u8], size: usize) -> Read {
        let mut blocks = Blocks::new(text, size);
        let header = blocks.header(None).unwrap().unwrap().unwrap_or_default();
        let (mut records, mut lines, mut problems) = (Vec::new(), Vec::new(), Vec::new());
        while let Some(block) = blocks.next_block().unwrap() {
            let first = u32::try_from(block.first_line).unwrap();
            lines.extend(block.lines.unwrap_or_else(|| (first..).take(block.records).collect()));
            let cells = Cells::new(block.bytes, block.places, header.len()).unwrap();
            assert_eq!(cells.rows(), block.records);
            let cell = |row, at| cells.column(at).iter().nth(row).unwrap().to_owned();
            records.extend((0..cells.rows()).map(|row| (0..header.len()).map(|at| cell(row, at)).collect()));
            problems.extend(block.problems);
        }
        (header, records, lines, problems)
    }

    #[test]
    fn records_and_their_lines_whatever_the_block_size() {
        let text = "\u{feff}id; ds ;y\r\n\na;1;2\n\"b\nb\";2;3\r\n\r\n\n\"ü;\"\"ü\"\"\"\r;;\"\"\nc;3;4\n ";
        for size in [1, 2, 3, 7, 1000] {
            let (header, records, lines, problems) = read(text.as_bytes(), size);
            assert_eq!(header, ["id", "ds", "y"]);
            let expected = [["a", "1", "2"], ["b\nb", "2", "3"], ["ü;\"ü\"", "", ""], ["c", "3", "4"]];
            assert_eq!(records, expected, "{size}");
            assert_eq!(lines, [3, 4, 8, 9]);
            assert!(problems.is_empty());
        }
    }

    #[test]
    fn only_the_columns_that_are_kept_have_places() {
        for text in ["a,b,c\n1,2,3\r\n,5,\n7,8\n", "a,b,c\n1,2,\"3\"\r\n,\"5\",\n7,\"8\"\n"] {
            let mut blocks = Blocks::new(text.as_bytes(), 1000);
            blocks.header(None).unwrap().unwrap().unwrap();
            blocks.keep(&[0, 2]);
            let block = blocks.next_block().unwrap().unwrap();
            let cells = Cells::new(block.bytes, block.places, 2).unwrap();
            assert_eq!(cells.column(0).iter().collect::<Vec<_>>(), ["1", ""]);
            assert_eq!(cells.column(1).iter().collect::<Vec<_>>(), ["3", ""]);
            assert_eq!(block.problems.len(), 1);
        }
    }

    #[test]
    fn ragged_records_are_named_and_left_out() {
        let text = b"a,b\n1,2\n1\n1,2,3\nx\"y,2\n\"x\"y,2\n3,4\n\"op\xffen,2\n";
        let (_, records, lines, problems) = read(text, 1000);
        assert_eq!(records, [["1", "2"], ["3", "4"]]);
        assert_eq!(lines, [2, 7]);
        let expected = [
            "line 3 has 1 of 2",
            "line 4 has 3 of 2",
            "line 5 has a quote",
            "line 6 has text",
            "line 8 opens",
        ];
        assert_eq!(problems.len(), expected.len());
        assert!(
            problems.iter().zip(expected).all(|(problem, start)| problem.starts_with(start)),
            "{problems:?}"
        );
    }

    #[test]
    fn a_record_in_which_the_file_ends_is_told_apart() {
        let ends = |text: &str, size: usize| {
            let mut blocks = Blocks::new(text.as_bytes(), size);
            blocks.header(None).unwrap().unwrap().unwrap();
            let (mut problems, mut cut_off) = (0, 0);
            while let Some(block) = blocks.next_block().unwrap() {
                (problems, cut_off) =
                    (problems + block.problems.len(), cut_off + usize::from(block.is_cut_off));
            }
            (problems, cut_off)
        };
        for size in [1, 4, 8, 12, 1000] {
            assert_eq!(ends("a,b\n1,2\n3", size), (1, 1), "{size}");
            assert_eq!(ends("a,b\n1\n3", size), (2, 1), "{size}");
            assert_eq!(ends("a,b\n1,2\n\"3,", size), (1, 1), "{size}");
            assert_eq!(ends("a,b\n1,2\n3\n", size), (1, 0), "{size}: a line like any other");
            assert_eq!(ends("a,b\n1\n3,4", size), (1, 0), "{size}: another line");
            assert_eq!(ends("a,b\n1,2\n3,4", size), (0, 0), "{size}");
        }
    }

    #[test]
    fn a_byte_that_is_no_text_is_told_by_its_line() {
        let mut blocks = Blocks::new(&b"a,b\n1,2\n\n\"3\n3\",4\n5,\xff\n"[..], 1000);
        blocks.header(None).unwrap().unwrap();
        let block = blocks.next_block().unwrap().unwrap();
        let line_feeds = Cells::new(block.bytes, block.places, 2).unwrap_err();
        assert_eq!(block.first_line + line_feeds, 6);
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_blocks_give_the_same(
            text in prop::collection::vec(prop::sample::select(b"a1,;\"\n\r\t ".to_vec()), 0..60),
            size in 1usize..20,
        ) {
            let ok = |size| Blocks::new(&text[..], size).header(None).unwrap().is_ok();
            prop_assert_eq!(ok(size), ok(1000));
            if ok(size) {
                prop_assert_eq!(read(&text, size), read(&text, 1000));
            }
        }

        #[test]
        fn what_the_csv_crate_writes_is_read(
            rows in prop::collection::vec(["[a\u{fc},;\"\n ]{0,4}", "[0-9]{0,3}", "\\PC{0,3}"], 0..12),
            size in 1usize..40, quoted in any::<bool>(), crlf in any::<bool>(), ends in any::<bool>(),
        ) {
            let style = if quoted { csv::QuoteStyle::Always } else { csv::QuoteStyle::Necessary };
            let end = if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
            let mut writer =
                csv::WriterBuilder::new().quote_style(style).terminator(end).from_writer(Vec::new());
            writer.write_record(["id", "ds", "y"]).unwrap();
            rows.iter().for_each(|row| writer.write_record(row).unwrap());
            let mut text = writer.into_inner().unwrap();
            if !ends {
                text.truncate(text.len() - if crlf { 2 } else { 1 });
            }
            let (_, records, _, problems) = read(&text, size);
            prop_assert!(problems.is_empty(), "{:?}", problems);
            prop_assert_eq!(records, rows.iter().map(|row| row.to_vec()).collect::<Vec<_>>());
        }
    }
}
