//! One stage of one job on its schedule: which slots are due, and what becomes of each of them (pure).

use crate::schedule::ledger::{Cursor, NewSlot};
use crate::schedule::outcome::{Outcome, SlotRow, Trigger};
use crate::schedule::run_id;
use crate::schedule::spec::{JobPlan, Missed, Overlap, ScheduleSpec, Stage};
use crate::schedule::track::Tracker;
use crate::series::civil::{micros, shown};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// A slot that starts within this after its instant was seen in time: timers are late, machines are busy.
const PUNCTUAL: i64 = 60_000_000;

/// A planned slot that has not begun, or is to be tried again.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub row: SlotRow,
    /// Microseconds UTC.
    pub not_before: i64,
    /// Whether its last attempt failed; it gives way to the next slot then.
    pub has_failed: bool,
    /// The daemon that works it, empty where nobody knows; `None` where nobody was asked.
    pub held_by: Option<String>,
}

impl Waiting {
    /// A slot that may begin at an instant, usually now.
    pub fn at_once(row: SlotRow, not_before: i64) -> Waiting {
        Waiting { row, not_before, has_failed: false, held_by: None }
    }
}

/// A slot that is being worked.
#[derive(Clone, Debug)]
pub(super) struct Running {
    pub row: SlotRow,
    pub stop: Arc<AtomicBool>,
    pub progress: Tracker,
    /// The slot that takes its place, by its instant.
    pub replaced_by: Option<i64>,
    /// Whether its work has begun; before that, the other daemons are asked.
    pub has_begun: bool,
}

/// One stage of one job.
pub(super) struct Line {
    pub plan: Arc<JobPlan>,
    pub stage: Stage,
    pub schedule: ScheduleSpec,
    pub cursor: Cursor,
    /// The first instant after the cursor.
    pub next: Option<i64>,
    jitter: i64,
    pub running: Option<Running>,
    pub waiting: VecDeque<Waiting>,
    /// Whether the config has dropped it: it plans nothing and goes when its last slot has ended.
    pub is_retired: bool,
}

/// What becomes of the slots that are due.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Due {
    /// All of them, oldest first.
    pub slots: Vec<NewSlot>,
    /// Whether the running one has to make room.
    pub replaces: bool,
    /// The first instant after them.
    pub next: Option<i64>,
}

impl Line {
    pub fn new(plan: Arc<JobPlan>, stage: Stage, schedule: ScheduleSpec, cursor: Cursor) -> Line {
        let jitter = run_id::jitter(&plan.job.name, stage, micros(schedule.jitter));
        let next = schedule.rule.after(cursor.planned_through);
        let (running, waiting, is_retired) = (None, VecDeque::new(), false);
        Line { plan, stage, schedule, cursor, next, jitter, running, waiting, is_retired }
    }

    /// When to look again after a turn at `now`; `None` if nothing is to come. What could have begun by then has begun, or waits
    /// for another slot to end, which is heard of.
    pub fn wake(&self, now: i64) -> Option<i64> {
        let planned = self.next.filter(|_| !self.is_retired).map(|next| next + self.jitter);
        let first = self.waiting.front().filter(|first| self.running.is_none() && first.not_before > now);
        planned.into_iter().chain(first.map(|first| first.not_before)).min()
    }

    /// The slots that are due now and were never written, and what becomes of them.
    ///
    /// Of slots that passed unseen, the policy picks; of one that is punctual, the overlap policy decides.
    pub fn due(&self, now: i64) -> Due {
        let mut instants = Vec::new();
        let mut next = self.next.filter(|_| !self.is_retired);
        while let Some(instant) = next.filter(|instant| instant + self.jitter <= now) {
            instants.push(instant);
            next = self.schedule.rule.after(instant);
        }
        let Some(&latest) = instants.last() else { return Due::default() };
        let is_punctual = now - (latest + self.jitter) <= PUNCTUAL;
        let mut due = Due { next, ..Due::default() };
        for instant in instants {
            let unseen = !(is_punctual && instant == latest);
            let ended = match unseen {
                true => self.unseen(instant, latest, is_punctual, now).map(|why| (Outcome::Missed, why)),
                false => self.overlapping(now).map(|why| (Outcome::Skipped, why)),
            };
            due.replaces |= ended.is_none() && self.schedule.overlap == Overlap::Replace;
            due.slots.push(NewSlot { is_late: unseen, ended, ..self.slot(instant, Trigger::Schedule) });
        }
        due
    }

    /// A slot of this line.
    pub fn slot(&self, instant: i64, trigger: Trigger) -> NewSlot {
        NewSlot {
            job: self.plan.job.name.clone(),
            stage: self.stage,
            slot: instant,
            trigger,
            is_late: false,
            run_id: run_id::run_id(&self.plan.job.name, self.stage, instant),
            ended: None,
            is_open: false,
        }
    }

    /// Why a slot that passed unseen is not worked any more.
    fn unseen(&self, instant: i64, latest: i64, latest_is_punctual: bool, now: i64) -> Option<String> {
        if let Some(reason) = self.too_late(instant, now) {
            return Some(reason);
        }
        match self.schedule.missed {
            Missed::All => None,
            Missed::Once if instant == latest && !latest_is_punctual => None,
            Missed::Once => Some("a later slot runs in its place (missed = once)".into()),
            Missed::Skip => Some("its time passed while nobody was there (missed = skip)".into()),
        }
    }

    /// Why a slot may not start at `now`, if it is too late.
    pub fn too_late(&self, instant: i64, now: i64) -> Option<String> {
        let limit = self.schedule.max_lateness?;
        let late = now - instant;
        (late > micros(limit)).then(|| {
            let late = jiff::SignedDuration::from_secs(late / 1_000_000);
            format!("{late:#} late, max_lateness is {limit:#}")
        })
    }

    /// Why a punctual slot is not worked, if the one before it is in the way. One that another daemon may be working is not: that
    /// daemon decides.
    fn overlapping(&self, now: i64) -> Option<String> {
        if self.schedule.overlap != Overlap::Forbid {
            return None;
        }
        if let Some(running) = &self.running {
            if !running.has_begun {
                return None;
            }
            return Some(format!("the slot of {} still runs (overlap = forbid)", shown(running.row.slot)));
        }
        // One that failed and waits for another attempt gives way instead: see `Scheduler::plan_due`.
        let is_in_the_way = |waiting: &&Waiting| match waiting.held_by.as_deref() {
            None => waiting.not_before <= now,
            // The others cannot be asked.
            Some("") => true,
            Some(_) => false,
        };
        let unbegun = self.waiting.iter().filter(is_in_the_way).find(|waiting| !waiting.has_failed)?;
        Some(format!("the slot of {} still waits (overlap = forbid)", shown(unbegun.row.slot)))
    }

    /// Wait before the attempt that follows so many.
    pub fn backoff(&self, attempts: u32) -> i64 {
        doubled(micros(self.schedule.backoff), attempts)
    }
}

/// The first wait (microseconds), doubled for each attempt after the first.
pub(super) fn doubled(first: i64, attempts: u32) -> i64 {
    first.saturating_mul(1i64 << (attempts.saturating_sub(1)).min(20))
}
