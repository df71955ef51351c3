//! Slots whose work takes the process along: tried again by every start, but not for ever.
//!
//! While an attempt is under way its slot says so in its detail. A process that is told to stop takes that back, one that is
//! killed or runs out of memory does not: the next start knows by it that the attempt ended with the process.

use crate::schedule::ledger::Ending;
use crate::schedule::outcome::{Outcome, SlotRow};
use serde_json::{Value, json};

/// Ends of a process that work on one slot may take along before the slot is given up.
pub(super) const CRASHES_MAX: u32 = 10;

/// Detail of a slot whose attempt begins.
pub(super) fn at_work(row: &SlotRow) -> Value {
    json!({ "under_way": true, "crashes": crashes(row) })
}

/// Detail of a slot whose attempt was given up in an orderly way, and that waits.
pub(super) fn at_rest(row: &SlotRow) -> Value {
    json!({ "under_way": false, "crashes": crashes(row) })
}

/// Counts the attempt that was under way when the process before this one ended.
pub(super) fn count(row: &mut SlotRow) {
    if row.detail["under_way"] == true {
        row.detail = json!({ "under_way": false, "crashes": crashes(row).saturating_add(1) });
    }
}

/// How a slot ends that has taken too many processes along.
pub(super) fn given_up(row: &SlotRow) -> Option<Ending> {
    (crashes(row) >= CRASHES_MAX).then(|| ending(row.id, crashes(row)))
}

/// The end of a slot whose attempts ended with the process so many times.
pub(super) fn ending(id: i64, crashes: u32) -> Ending {
    let reason = format!(
        "work on it ended with the process {crashes} times (killed, or out of memory); once that is mended: s4cast runs retry {id}"
    );
    Ending { outcome: Outcome::Failed, reasons: vec![reason], detail: json!({ "crashes": crashes }) }
}

fn crashes(row: &SlotRow) -> u32 {
    row.detail["crashes"].as_u64().and_then(|count| u32::try_from(count).ok()).unwrap_or(0)
}
