//! One record of a CSV file: where it ends, its fields, and what may be wrong with it.

use memchr::memchr;

/// One record at the start of a text.
pub(super) struct Record {
    /// Bytes up to and including its line feed.
    pub(super) length: usize,
    pub(super) fields: usize,
    pub(super) line_feeds: usize,
    pub(super) fault: Option<&'static str>,
}

/// Start and length of a field; the bytes of a block are counted in 32 bits.
pub(super) fn place(start: usize, end: usize) -> (u32, u32) {
    (start as u32, (end - start) as u32)
}

/// A record that is left out need not be text; lines are still counted.
pub(super) fn blank(record: &mut [u8]) {
    record.iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
}

/// Where the content of a field stands: within its quotes if it has some, every doubled quote made one.
pub(super) fn unquote(bytes: &mut [u8], start: usize, end: usize) -> (u32, u32) {
    if bytes.get(start) != Some(&b'"') || end == start {
        return place(start, end);
    }
    // Carriage returns may follow the closing quote.
    let close = (start + 1..end).rev().find(|&at| bytes[at] == b'"').unwrap_or(end);
    let (mut to, mut from) = (start + 1, start + 1);
    while from < close {
        bytes[to] = bytes[from];
        from += if bytes[from] == b'"' { 2 } else { 1 };
        to += 1;
    }
    // What is left behind may be a part of a character.
    bytes[to..close].fill(b' ');
    place(start + 1, to)
}

/// The first record of `text`, `None` if its end is not in sight. The last of a file ends with a line feed, too.
pub(super) fn record(text: &[u8], separator: u8, at_end: bool) -> Option<Record> {
    let line = &text[..=memchr(b'\n', text)?];
    if memchr(b'"', line).is_some() {
        return quoted_record(text, separator, at_end);
    }
    let fields = line.iter().filter(|&&byte| byte == separator).count() + 1;
    Some(Record { length: line.len(), fields, line_feeds: 1, fault: None })
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
pub(super) fn start_of(record: &[u8]) -> String {
    let line = record.split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default();
    String::from_utf8_lossy(line).chars().take(60).collect()
}
