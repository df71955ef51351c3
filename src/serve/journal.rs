//! The last lines of the log, so that what a run said can be read beside it.
//!
//! They are text in one block, which is as large on the first day as ever: thousands of values of their own, each made amid
//! the work of a slot and held for hours, would keep what lies around them from going back to the system.

use serde_json::{Map, Value};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// Lines that are held.
const LINES_MAX: usize = 4_000;

/// Bytes of them.
const BYTES_MAX: usize = 2 << 20;

/// Characters of a message or a field that are held.
const TEXT_MAX: usize = 2_000;

/// Fields by which a line belongs to a slot; what they say is the same for all of its lines.
const OWNERS: [&str; 4] = ["run_id", "slot_id", "job", "stage"];

/// One line of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// When, microseconds UTC.
    pub at: i64,
    /// `ERROR`, `WARN`, `INFO`, `DEBUG` or `TRACE`.
    pub level: &'static str,
    /// What happened.
    pub message: String,
    /// What it happened to, with what was going on around it.
    pub fields: Map<String, Value>,
}

impl Line {
    /// Whether it was said by the work of a slot: by the number of the slot, or by the run where no number is said.
    fn is_of(&self, slot_id: i64, run_id: &str) -> bool {
        match self.slot_id() {
            Some(number) => number == slot_id,
            None => self.fields.get("run_id").and_then(Value::as_str) == Some(run_id),
        }
    }

    fn slot_id(&self) -> Option<i64> {
        self.fields.get("slot_id").and_then(Value::as_i64)
    }

    /// The fields that tell lines of one slot apart.
    pub(super) fn own_fields(&self) -> Map<String, Value> {
        let mut fields = self.fields.clone();
        fields.retain(|name, _| !OWNERS.contains(&name.as_str()));
        fields
    }
}

/// Where the text of a line is, and what is asked for without reading it.
#[derive(Debug)]
struct Mark {
    at: i64,
    level: &'static str,
    slot_id: Option<i64>,
    length: usize,
}

/// Lines as text, `[message, fields]` in JSON, the oldest first.
#[derive(Debug)]
struct Block {
    marks: VecDeque<Mark>,
    text: VecDeque<u8>,
}

impl Block {
    fn add(&mut self, line: &Line) {
        let text = serde_json::to_vec(&(&line.message, &line.fields)).unwrap_or_default();
        if text.is_empty() || text.len() > BYTES_MAX {
            return;
        }
        while !self.marks.is_empty() && self.is_full(text.len()) {
            let oldest = self.marks.pop_front().map_or(0, |mark| mark.length);
            self.text.drain(..oldest);
        }
        self.marks.push_back(Mark {
            at: line.at,
            level: line.level,
            slot_id: line.slot_id(),
            length: text.len(),
        });
        self.text.extend(text);
    }

    fn is_full(&self, coming: usize) -> bool {
        self.marks.len() >= LINES_MAX || self.text.len() + coming > BYTES_MAX
    }

    /// The lines of a slot, and those that name no slot and may be of its run.
    fn of(&self, slot_id: i64) -> impl Iterator<Item = Line> + '_ {
        let starts = self.marks.iter().scan(0, |start, mark| {
            let own = *start;
            *start += mark.length;
            Some((own, mark))
        });
        let may_be = starts.filter(move |(_, mark)| mark.slot_id.is_none_or(|number| number == slot_id));
        may_be.filter_map(|(start, mark)| {
            let text: Vec<u8> = self.text.range(start..start + mark.length).copied().collect();
            let (message, fields) = serde_json::from_slice(&text).ok()?;
            Some(Line { at: mark.at, level: mark.level, message, fields })
        })
    }
}

/// The last lines of the log; a clone has the same.
#[derive(Clone, Debug)]
pub struct Journal(Arc<Mutex<Block>>);

impl Default for Journal {
    fn default() -> Journal {
        let block =
            Block { marks: VecDeque::with_capacity(LINES_MAX), text: VecDeque::with_capacity(BYTES_MAX) };
        Journal(Arc::new(Mutex::new(block)))
    }
}

/// What a run said.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Lines {
    /// The lines, oldest first.
    pub(super) lines: Vec<Line>,
    /// Whether nothing that it said is gone.
    pub(super) is_complete: bool,
}

impl Journal {
    /// Adds a line; the oldest one goes where there are too many.
    pub fn add(&self, mut line: Line) {
        shorten(&mut line.message);
        for value in line.fields.values_mut() {
            if let Value::String(text) = value {
                shorten(text);
            }
        }
        self.0.lock().unwrap_or_else(PoisonError::into_inner).add(&line);
    }

    /// What a slot said, the last `limit` lines of it. Its first attempt begins with `slot started`; as long as that is held,
    /// so is all that came after.
    pub(super) fn of(&self, slot_id: i64, run_id: &str, limit: usize) -> Lines {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines: Vec<Line> = held.of(slot_id).filter(|line| line.is_of(slot_id, run_id)).collect();
        drop(held);
        let is_start = |line: &Line| {
            line.message == "slot started" && line.fields.get("attempt").and_then(Value::as_u64) == Some(1)
        };
        let is_complete = lines.iter().any(is_start) && lines.len() <= limit;
        lines.drain(..lines.len().saturating_sub(limit));
        Lines { lines, is_complete }
    }
}

/// Cuts a text that is too long.
fn shorten(text: &mut String) {
    if let Some((end, _)) = text.char_indices().nth(TEXT_MAX) {
        text.truncate(end);
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn line(message: &str, fields: Value) -> Line {
        let fields = fields.as_object().cloned().unwrap_or_default();
        Line { at: 5, level: "INFO", message: message.into(), fields }
    }

    #[test]
    fn a_slot_has_its_own_lines_and_knows_whether_they_are_all() {
        let journal = Journal::default();
        journal.add(line("slot started", json!({ "slot_id": 1, "run_id": "r", "attempt": 1 })));
        journal.add(line("slot started", json!({ "slot_id": 2, "run_id": "r", "attempt": 2 })));
        journal.add(line("a run is not learnt from", json!({ "run_id": "r" })));
        journal.add(line("listening", json!({ "address": "here" })));
        journal.add(line("slot ended", json!({ "slot_id": 1, "run_id": "r", "job": "j", "outcome": "ok" })));
        let said = |slot_id, limit| {
            let found = journal.of(slot_id, "r", limit);
            let messages: Vec<String> = found.lines.iter().map(|line| line.message.clone()).collect();
            (messages.join(", "), found.is_complete)
        };
        assert_eq!(said(1, 9), ("slot started, a run is not learnt from, slot ended".into(), true));
        assert_eq!(said(1, 1), ("slot ended".into(), false), "the rest was not asked for");
        assert!(!said(2, 9).1, "its first attempt was in another process");
        assert_eq!(Value::Object(journal.of(1, "r", 1).lines[0].own_fields()), json!({ "outcome": "ok" }));
    }

    #[test]
    fn the_oldest_lines_go_and_long_ones_are_cut() {
        let journal = Journal::default();
        let short = |number: usize| line("short", json!({ "slot_id": 1, "number": number }));
        journal.add(line("slot started", json!({ "slot_id": 1, "attempt": 1 })));
        for number in 0..LINES_MAX {
            journal.add(line(&"ü".repeat(TEXT_MAX + 1), json!({ "slot_id": 1, "number": number })));
        }
        let found = journal.of(1, "r", LINES_MAX + 1);
        // Of lines of four thousand bytes, as many as the block has room for.
        let length = 2 * TEXT_MAX + "…".len() + r#"["",{"number":1000,"slot_id":1}]"#.len();
        assert_eq!((found.lines.len(), found.is_complete), (BYTES_MAX / length, false));
        assert_eq!(found.lines[0].message.chars().count(), TEXT_MAX + 1);
        for number in 0..2 * LINES_MAX {
            journal.add(short(number));
        }
        let found = journal.of(1, "r", LINES_MAX + 1);
        assert_eq!((found.lines.len(), &found.lines[0]), (LINES_MAX, &short(LINES_MAX)));
    }

    #[test]
    fn memory_stays_as_it_is() {
        let journal = Journal::default();
        let room = || {
            let held = journal.0.lock().expect("sound");
            (held.marks.capacity(), held.text.capacity())
        };
        let before = room();
        let huge: Map<String, Value> =
            (0..2_000).map(|number| (number.to_string(), json!("x".repeat(TEXT_MAX)))).collect();
        for number in 0..3 * LINES_MAX {
            journal.add(line(&"a message ".repeat(number % 200), json!({ "slot_id": number })));
        }
        let number = LINES_MAX as i64 * 3 - 1;
        journal.add(line("a line longer than the journal", Value::Object(huge)));
        assert_eq!(room(), before);
        assert_eq!(journal.of(number, "", 9).lines.len(), 1, "what cannot be held takes nothing away");
    }
}
