//! The records of a CSV file: where they end, on which line they begin, and whether each has its fields.
//!
//! Frames are parsed by polars, which fills short records and cuts long ones without a word when only some columns
//! are read. So every record is checked here first, and polars sees whole records only.

use std::io::{self, Read};

/// How to repair a record with a stray quote.
const QUOTES: &str = "close every quote, and double those that belong to the text";

/// How to repair a record with too few or too many fields.
const FIELDS: &str = "write one field per column, and quote fields that hold the separator";

/// Records that begin in one stretch of the file, checked and without blank lines.
#[derive(Debug, Default)]
pub(super) struct Block {
    /// Whole records, each ended by a line feed.
    pub(super) bytes: Vec<u8>,
    /// Number of records.
    pub(super) records: usize,
    /// Line of the first record, 1-based.
    pub(super) first_line: usize,
    /// Line of every record, where they are not consecutive.
    pub(super) lines: Option<Vec<u32>>,
    /// What is wrong with records that were left out.
    pub(super) problems: Vec<String>,
}

/// Reads a CSV file block by block.
pub(super) struct Blocks<R> {
    reader: R,
    separator: u8,
    fields: usize,
    pending: Vec<u8>,
    line: usize,
    at_end: bool,
    size: usize,
}

/// One record at the start of a text.
struct Record {
    /// Bytes up to and including its line feed.
    length: usize,
    fields: usize,
    line_feeds: usize,
    fault: Option<&'static str>,
}

impl<R: Read> Blocks<R> {
    /// Starts before the header line. `size` is how many bytes are read at a time.
    pub(super) fn new(reader: R, size: usize) -> Blocks<R> {
        // The mark that some programs write at the start of UTF-8 must be seen as a whole.
        let size = size.max(3);
        Blocks { reader, separator: b',', fields: 0, pending: Vec::new(), line: 1, at_end: false, size }
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
            let Some(mut record) = self.next_record(0)? else { return Ok(Ok(None)) };
            let mut text = self.pending[..record.length].to_vec();
            self.separator = separator.unwrap_or_else(|| sniff(&text));
            if let Some(again) = self.next_record(0)? {
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

    /// The next records, `None` at the end of the file.
    pub(super) fn next_block(&mut self) -> io::Result<Option<Block>> {
        self.fill()?;
        if self.pending.is_empty() {
            return Ok(None);
        }
        let mut block = Block { first_line: self.line, ..Block::default() };
        let mut lines = Vec::new();
        let mut consecutive = true;
        let (mut from, mut to) = (0, 0);
        while let Some(record) = if from == 0 { self.next_record(0)? } else { self.record_at(from) } {
            let text = &self.pending[from..from + record.length];
            let blank = record.length <= 2 && text.trim_ascii().is_empty() && self.fields > 1;
            let fault = record.fault.map(|fault| (fault.to_owned(), QUOTES)).or_else(|| {
                (record.fields != self.fields)
                    .then(|| (format!("has {} of {} fields", record.fields, self.fields), FIELDS))
            });
            match fault {
                _ if blank => consecutive = false,
                Some((fault, remedy)) => {
                    consecutive = false;
                    block.problems.push(format!(
                        "line {} {fault}: '{}'; {remedy}",
                        self.line,
                        start_of(text)
                    ));
                }
                None => {
                    // Blank and faulty records are closed up, so that record and row stay the same thing.
                    self.pending.copy_within(from..from + record.length, to);
                    to += record.length;
                    block.records += 1;
                    lines.push(u32::try_from(self.line).unwrap_or(u32::MAX));
                    consecutive &= record.line_feeds <= 1;
                }
            }
            self.line += record.line_feeds;
            from += record.length;
        }
        let rest = self.pending.split_off(from);
        block.bytes = std::mem::replace(&mut self.pending, rest);
        block.bytes.truncate(to);
        if block.bytes.last().is_some_and(|&byte| byte != b'\n') {
            block.bytes.push(b'\n');
        }
        block.lines = (!consecutive).then_some(lines);
        Ok(Some(block))
    }

    /// The record at the start of what is pending, reading on until it is whole.
    fn next_record(&mut self, from: usize) -> io::Result<Option<Record>> {
        loop {
            match self.record_at(from) {
                Some(record) => return Ok(Some(record)),
                None if self.at_end => return Ok(None),
                None => {
                    // A record longer than the block: read twice as much, so that few rescans happen.
                    self.size *= 2;
                    self.fill()?;
                }
            }
        }
    }

    fn record_at(&self, from: usize) -> Option<Record> {
        let text = &self.pending[from..];
        if text.is_empty() { None } else { record(text, self.separator, self.at_end) }
    }

    fn fill(&mut self) -> io::Result<()> {
        if !self.at_end && self.pending.len() < self.size {
            let wanted = self.size - self.pending.len();
            let read = (&mut self.reader).take(wanted as u64).read_to_end(&mut self.pending)?;
            self.at_end = read < wanted;
        }
        Ok(())
    }
}

/// The first record of `text`, `None` if its end is not in sight.
fn record(text: &[u8], separator: u8, at_end: bool) -> Option<Record> {
    let line_feed = text.iter().position(|&byte| byte == b'\n');
    let line = match line_feed {
        Some(end) => &text[..=end],
        None if at_end => text,
        None => return None,
    };
    if line.contains(&b'"') {
        return quoted_record(text, separator, at_end);
    }
    let fields = line.iter().filter(|&&byte| byte == separator).count() + 1;
    Some(Record { length: line.len(), fields, line_feeds: usize::from(line_feed.is_some()), fault: None })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    Plain,
    Quoted,
    Closed,
}

fn quoted_record(text: &[u8], separator: u8, at_end: bool) -> Option<Record> {
    let mut record = Record { length: 0, fields: 1, line_feeds: 0, fault: None };
    let mut state = State::Start;
    for (at, &byte) in text.iter().enumerate() {
        record.line_feeds += usize::from(byte == b'\n');
        state = match (state, byte) {
            (State::Quoted, b'"') => State::Closed,
            (State::Quoted, _) | (State::Closed, b'"') => State::Quoted,
            (State::Start, b'"') => State::Quoted,
            (_, b'\n') => {
                record.length = at + 1;
                return Some(record);
            }
            (_, byte) if byte == separator => {
                record.fields += 1;
                State::Start
            }
            (State::Closed, b'\r') => State::Closed,
            (State::Closed, _) => {
                record.fault = Some("has text after a closing quote");
                State::Plain
            }
            (_, b'"') => {
                record.fault = Some("has a quote inside an unquoted field");
                State::Plain
            }
            _ => State::Plain,
        };
    }
    if !at_end {
        return None;
    }
    if state == State::Quoted {
        record.fault = Some("opens a quote that is never closed");
    }
    record.length = text.len();
    Some(record)
}

/// What messages show of a record: its first line, if that is short.
fn start_of(record: &[u8]) -> String {
    let line = record.split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default();
    String::from_utf8_lossy(line).chars().take(60).collect()
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
    use proptest::prelude::*;

    fn read(text: &[u8], size: usize) -> (Vec<String>, Vec<String>, Vec<u32>, Vec<String>) {
        let mut blocks = Blocks::new(text, size);
        let header = blocks.header(None).unwrap().unwrap().unwrap_or_default();
        let (mut records, mut lines, mut problems) = (Vec::new(), Vec::new(), Vec::new());
        while let Some(block) = blocks.next_block().unwrap() {
            let first = u32::try_from(block.first_line).unwrap();
            lines.extend(block.lines.unwrap_or_else(|| (first..).take(block.records).collect()));
            records.push(String::from_utf8_lossy(&block.bytes).into_owned());
            problems.extend(block.problems);
        }
        (header, records.concat().split_terminator('\n').map(str::to_owned).collect(), lines, problems)
    }

    #[test]
    fn records_and_their_lines_whatever_the_block_size() {
        let text = b"\xEF\xBB\xBFid; ds ;y\r\n\na;1;2\n\"b\nb\";2;3\n\nc;3;4";
        for size in [1, 2, 3, 7, 1000] {
            let (header, records, lines, problems) = read(text, size);
            assert_eq!(header, ["id", "ds", "y"]);
            assert_eq!(records, ["a;1;2", "\"b", "b\";2;3", "c;3;4"], "{size}");
            assert_eq!(lines, [3, 4, 7]);
            assert!(problems.is_empty());
        }
    }

    #[test]
    fn ragged_records_are_named_and_left_out() {
        let (_, records, lines, problems) =
            read(b"a,b\n1,2\n1\n1,2,3\nx\"y,2\n\"x\"y,2\n3,4\n\"open,2\n", 1000);
        assert_eq!(records, ["1,2", "3,4"]);
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
    }
}
