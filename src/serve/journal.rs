//! The last lines of the log, so that what a run said can be read beside it.

use serde_json::{Map, Value};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// Lines that are held.
const LINES_MAX: usize = 4_000;

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
        match self.fields.get("slot_id") {
            Some(number) => number.as_i64() == Some(slot_id),
            None => self.fields.get("run_id").and_then(Value::as_str) == Some(run_id),
        }
    }

    /// The fields that tell lines of one slot apart.
    pub(super) fn own_fields(&self) -> Map<String, Value> {
        let mut fields = self.fields.clone();
        fields.retain(|name, _| !OWNERS.contains(&name.as_str()));
        fields
    }
}

/// The last lines of the log; a clone has the same.
#[derive(Clone, Debug, Default)]
pub struct Journal(Arc<Mutex<VecDeque<Arc<Line>>>>);

/// What a run said.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Lines {
    /// The lines, oldest first.
    pub(super) lines: Vec<Arc<Line>>,
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
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() >= LINES_MAX {
            lines.pop_front();
        }
        lines.push_back(Arc::new(line));
    }

    /// What a slot said, the last `limit` lines of it. Its first attempt begins with `slot started`; as long as that is held,
    /// so is all that came after.
    pub(super) fn of(&self, slot_id: i64, run_id: &str, limit: usize) -> Lines {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines: Vec<Arc<Line>> =
            held.iter().filter(|line| line.is_of(slot_id, run_id)).cloned().collect();
        drop(held);
        let is_start = |line: &Arc<Line>| {
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
        journal.add(line("slot started", json!({ "slot_id": 1, "attempt": 1 })));
        for number in 0..LINES_MAX {
            journal.add(line(&"ü".repeat(TEXT_MAX + 1), json!({ "slot_id": 1, "number": number })));
        }
        let found = journal.of(1, "r", LINES_MAX + 1);
        assert_eq!((found.lines.len(), found.is_complete), (LINES_MAX, false));
        assert_eq!(found.lines[0].message.chars().count(), TEXT_MAX + 1);
    }
}
