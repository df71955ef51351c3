//! How slots end: in the ledger at once, or, where daemons share them, once the others have been asked.

use crate::pipeline::JobSpec;
use crate::schedule::ledger::{Ending, Ledger, LedgerError, NewSlot};
use crate::schedule::line::Line;
use crate::schedule::outcome::{Outcome, SlotRow, Trigger};
use crate::schedule::scheduler::Verdict;
use crate::schedule::spec::{Overlap, Stage};
use crate::series::civil::{SECOND, shown};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Delay of the first question for the lease of a slot (job, stage, instant), in microseconds.
pub type Delay = dyn Fn(&str, Stage, i64) -> i64 + Send + Sync;

/// The ledger, what has just ended in it, and what is to end once the others agree.
pub(super) struct Book {
    pub ledger: Ledger,
    pub ended: Vec<SlotRow>,
    /// What daemons share slots by; `None` where this one works all.
    pub delay: Option<Arc<Delay>>,
    settling: VecDeque<Settling>,
    /// Whether the first of them is being asked about.
    is_asking: bool,
}

/// A slot that is to end without work, unless another daemon works it or has done so.
pub(super) struct Settling {
    pub row: SlotRow,
    pub job: Arc<JobSpec>,
    pub ending: Ending,
    not_before: i64,
}

impl Book {
    pub fn new(ledger: Ledger, delay: Option<Arc<Delay>>) -> Book {
        Book { ledger, ended: Vec::new(), delay, settling: VecDeque::new(), is_asking: false }
    }

    /// Whether other daemons may work a slot: all but those that a person asked this one for.
    pub fn is_shared(&self, trigger: Trigger) -> bool {
        self.delay.is_some() && trigger != Trigger::Manual
    }

    /// Ends a slot.
    pub fn end(&mut self, row: &SlotRow, ending: &Ending, now: i64) -> Result<(), LedgerError> {
        self.ledger.end(row.id, ending, now)?;
        self.ended.push(SlotRow {
            outcome: Some(ending.outcome),
            ended_at: Some(now),
            reasons: ending.reasons.clone(),
            detail: ending.detail.clone(),
            ..row.clone()
        });
        Ok(())
    }

    /// Ends a slot that a policy keeps from being worked: at once where it is this daemon's alone.
    pub fn close(
        &mut self,
        row: &SlotRow,
        job: &Arc<JobSpec>,
        ending: Ending,
        now: i64,
    ) -> Result<(), LedgerError> {
        if !self.is_shared(row.trigger) {
            return self.end(row, &ending, now);
        }
        // A crash before the others have answered leaves it open; what is to become of it is not forgotten.
        if ending.outcome == Outcome::Skipped && row.attempts == 0 && row.reasons != ending.reasons {
            self.ledger.rest(&SlotRow { reasons: ending.reasons.clone(), ..row.clone() })?;
        }
        self.settling.push_back(Settling { row: row.clone(), job: job.clone(), ending, not_before: now });
        Ok(())
    }

    /// The next slot to ask about, if none is being asked about.
    pub fn ask(&mut self, now: i64) -> Option<&Settling> {
        if self.is_asking {
            return None;
        }
        let place = self.settling.iter().position(|one| one.not_before <= now)?;
        self.settling.swap(0, place);
        self.is_asking = true;
        self.settling.front()
    }

    /// Takes the answer about a slot; false if none was being asked about.
    pub fn answer(&mut self, row: &SlotRow, verdict: &Verdict, now: i64) -> Result<bool, LedgerError> {
        let Some(first) = self.settling.front().filter(|one| self.is_asking && one.row.id == row.id) else {
            return Ok(false);
        };
        match verdict {
            Verdict::Ended(ending) | Verdict::Retryable(ending) => {
                let row = first.row.clone();
                self.end(&row, ending, now)?;
                self.settling.pop_front();
            }
            Verdict::Held { .. } | Verdict::Stopped => {
                let look_in = match verdict {
                    Verdict::Held { look_in, .. } => i64::try_from(look_in.as_micros()).unwrap_or(i64::MAX),
                    _ => 0,
                };
                self.settling.rotate_left(1);
                if let Some(last) = self.settling.back_mut() {
                    last.not_before = now.saturating_add(look_in);
                }
            }
        }
        self.is_asking = false;
        Ok(true)
    }

    /// Number of slots that are being asked about.
    pub fn asking(&self) -> usize {
        usize::from(self.is_asking)
    }

    /// When to ask again.
    pub fn wake(&self) -> Option<i64> {
        self.settling.iter().map(|one| one.not_before).min().filter(|_| !self.is_asking)
    }
}

/// Slots that failed and wait for another attempt end when a newer one is due.
pub(super) fn give_way(
    book: &mut Book,
    line: &mut Line,
    due: &[NewSlot],
    now: i64,
) -> Result<(), LedgerError> {
    let Some(newest) = due.iter().rev().find(|slot| slot.ended.is_none()) else { return Ok(()) };
    if line.schedule.overlap == Overlap::Queue {
        return Ok(());
    }
    while let Some(index) = line.waiting.iter().position(|waiting| waiting.has_failed) {
        let row = &line.waiting[index].row;
        let reason = format!("no attempt before the slot of {} was due", shown(newest.slot));
        let ending = Ending {
            outcome: Outcome::Failed,
            reasons: row.reasons.iter().cloned().chain([reason]).collect(),
            detail: serde_json::Value::Null,
        };
        book.close(row, &line.plan.job, ending, now)?;
        line.waiting.remove(index);
    }
    Ok(())
}

/// Stops the running slot for the one of the instant `by`, and skips what waits in between.
pub(super) fn replace(book: &mut Book, line: &mut Line, by: i64, now: i64) -> Result<(), LedgerError> {
    if let Some(running) = &mut line.running {
        running.replaced_by = Some(by);
        running.stop.store(true, Ordering::Relaxed);
    }
    while let Some(waiting) = line.waiting.front() {
        let ending = skipped(&format!("replaced by the slot of {} (overlap = replace)", shown(by)));
        book.close(&waiting.row, &line.plan.job, ending, now)?;
        line.waiting.pop_front();
    }
    Ok(())
}

/// An attempt that failed leaves a line in the log: a later one may end well, and its record says nothing of this one.
pub(super) fn tell_of_failure(row: &SlotRow, wait: i64) {
    tracing::warn!(
        run_id = row.run_id,
        slot_id = row.id,
        job = row.job,
        stage = row.stage.as_str(),
        attempt = row.attempts,
        wait_s = wait / SECOND,
        reasons = row.reasons.join("; "),
        "attempt failed; the slot is tried again"
    );
}

/// An ending without work.
pub(super) fn skipped(reason: &str) -> Ending {
    Ending { outcome: Outcome::Skipped, reasons: vec![reason.into()], detail: serde_json::Value::Null }
}
