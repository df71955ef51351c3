//! The slots of all jobs: planned, launched, ended, each exactly once. Synchronous; time comes in as a value.
//!
//! Every change is written to the ledger before it is made here, so that an error of the ledger leaves the slot due and
//! the next turn tries again.

use crate::schedule::book::{Book, Delay, give_way, replace, skipped, tell_of_failure};
use crate::schedule::crash;
use crate::schedule::lease::Hold;
use crate::schedule::ledger::{Cursor, Ending, Ledger, LedgerError};
use crate::schedule::line::{Line, Running, Waiting};
use crate::schedule::outcome::{Outcome, SlotRow, Trigger};
use crate::schedule::spec::{DaemonSpec, JobPlan, ScheduleSpec, Stage};
use crate::schedule::status::{JobStatus, LineStatus, Plan};
use crate::schedule::track::Tracker;
use crate::series::civil::{micros, shown};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub use crate::schedule::task::{Task, Verdict};

type Key = (String, Stage);

/// The slots of all jobs.
pub struct Scheduler {
    book: Book,
    lines: BTreeMap<Key, Line>,
    /// Forecast and score slots at a time.
    workers: usize,
    /// Whether the stages of a job take turns: in a simulation, where no time passes, their order would be chance.
    takes_turns: bool,
    is_draining: bool,
}

impl Scheduler {
    /// All jobs of a config on their schedules; what a crash left open waits to be worked again.
    ///
    /// # Errors
    /// If the ledger refuses.
    pub fn new(
        ledger: Ledger,
        spec: &DaemonSpec,
        takes_turns: bool,
        now: i64,
    ) -> Result<Scheduler, LedgerError> {
        Scheduler::shared(ledger, spec, takes_turns, now, None)
    }

    /// The same beside other daemons with the same jobs, who are asked about every slot after a delay of its own.
    ///
    /// # Errors
    /// If the ledger refuses.
    pub fn shared(
        ledger: Ledger,
        spec: &DaemonSpec,
        takes_turns: bool,
        now: i64,
        delay: Option<Arc<Delay>>,
    ) -> Result<Scheduler, LedgerError> {
        let mut scheduler = Scheduler {
            book: Book::new(ledger, delay),
            lines: BTreeMap::new(),
            workers: spec.workers.max(1),
            takes_turns,
            is_draining: false,
        };
        scheduler.apply(spec, now)?;
        for row in scheduler.book.ledger.open_slots()? {
            scheduler.resume(row, now)?;
        }
        Ok(scheduler)
    }

    /// The ledger, for what is recorded beside the slots.
    pub fn ledger(&mut self) -> &mut Ledger {
        &mut self.book.ledger
    }

    /// Puts the jobs of a config in force. Unchanged jobs keep their state; a changed or new schedule starts now.
    ///
    /// # Errors
    /// If the ledger refuses.
    pub fn apply(&mut self, spec: &DaemonSpec, now: i64) -> Result<(), LedgerError> {
        self.workers = spec.workers.max(1);
        let mut wanted: BTreeMap<Key, (Arc<JobPlan>, ScheduleSpec)> = BTreeMap::new();
        for plan in &spec.jobs {
            let plan = Arc::new(plan.clone());
            for (stage, schedule) in plan.stages() {
                wanted.insert((plan.job.name.clone(), stage), (plan.clone(), schedule.clone()));
            }
        }
        let dropped: Vec<Key> = self.lines.keys().filter(|key| !wanted.contains_key(*key)).cloned().collect();
        for key in dropped {
            self.retire(&key, now)?;
        }
        for (key, (plan, schedule)) in wanted {
            let same = |line: &Line| line.plan.fingerprint == plan.fingerprint && !line.is_retired;
            if self.lines.get(&key).is_some_and(same) {
                continue;
            }
            let cursor = self.cursor(&key, &schedule, now)?;
            let before = self.lines.remove(&key);
            let mut line = Line::new(plan, key.1, schedule, cursor);
            if let Some(before) = before {
                (line.running, line.waiting) = (before.running, before.waiting);
            }
            self.lines.insert(key, line);
        }
        Ok(())
    }

    /// Where a schedule goes on: behind its last slot, or now if it is new or another one.
    fn cursor(&mut self, key: &Key, schedule: &ScheduleSpec, now: i64) -> Result<Cursor, LedgerError> {
        let rule = schedule.rule.to_string();
        if let Some(cursor) = self.book.ledger.cursor(&key.0, key.1)?.filter(|cursor| cursor.rule == rule) {
            return Ok(cursor);
        }
        let cursor = Cursor { rule, planned_through: now };
        self.book.ledger.set_cursor(&key.0, key.1, &cursor)?;
        Ok(cursor)
    }

    /// Ends what waits of a line that the config has dropped; what runs may finish.
    fn retire(&mut self, key: &Key, now: i64) -> Result<(), LedgerError> {
        let Some(line) = self.lines.get_mut(key) else { return Ok(()) };
        line.is_retired = true;
        while let Some(waiting) = line.waiting.front() {
            let ending = skipped("the config has no such schedule any more");
            self.book.end(&waiting.row, &ending, now)?;
            line.waiting.pop_front();
        }
        if line.running.is_none() {
            self.lines.remove(key);
        }
        Ok(())
    }

    /// A slot that a crash or a shutdown left open waits again, or ends if its job is gone.
    fn resume(&mut self, mut row: SlotRow, now: i64) -> Result<(), LedgerError> {
        crash::count(&mut row);
        match self.lines.get_mut(&(row.job.clone(), row.stage)) {
            // It was to end without work when the process did.
            Some(line) if row.attempts == 0 && !row.reasons.is_empty() => {
                let outcome = if row.is_late { Outcome::Missed } else { Outcome::Skipped };
                let ending =
                    Ending { outcome, reasons: row.reasons.clone(), detail: serde_json::Value::Null };
                self.book.close(&row, &line.plan.job, ending, now)
            }
            Some(line) => {
                if let Some(ending) = crash::given_up(&row) {
                    return self.book.close(&row, &line.plan.job, ending, now);
                }
                tracing::info!(
                    run_id = row.run_id,
                    slot_id = row.id,
                    job = row.job,
                    stage = row.stage.as_str(),
                    "slot resumed"
                );
                line.waiting.push_back(Waiting::at_once(row, now));
                Ok(())
            }
            None => {
                let ending = skipped("it was left open, and the config has no such schedule any more");
                self.book.end(&row, &ending, now)
            }
        }
    }

    /// Plans a slot outside of the schedule.
    ///
    /// # Errors
    /// If the ledger refuses; `None` if there is no such job or stage.
    pub fn plan_extra(
        &mut self,
        job: &str,
        stage: Stage,
        slot: i64,
        trigger: Trigger,
        now: i64,
    ) -> Result<Option<SlotRow>, LedgerError> {
        let Some(line) = self.lines.get_mut(&(job.to_owned(), stage)).filter(|line| !line.is_retired) else {
            return Ok(None);
        };
        let rows = self.book.ledger.plan(&[line.slot(slot, trigger)], None, now)?;
        line.waiting.extend(rows.iter().cloned().map(|row| Waiting::at_once(row, now)));
        Ok(rows.into_iter().next())
    }

    /// Whether a slot of a stage waits or runs.
    pub fn is_busy(&self, job: &str, stage: Stage) -> bool {
        let line = self.lines.get(&(job.to_owned(), stage));
        line.is_some_and(|line| line.running.is_some() || !line.waiting.is_empty())
    }

    /// Writes every slot that is due.
    ///
    /// # Errors
    /// If the ledger refuses; the slots stay due then.
    pub fn plan_due(&mut self, now: i64) -> Result<(), LedgerError> {
        if self.is_draining {
            return Ok(());
        }
        for line in self.lines.values_mut() {
            let mut due = line.due(now);
            let Some(last) = due.slots.last().map(|slot| slot.slot) else { continue };
            let cursor = Cursor { planned_through: last, ..line.cursor.clone() };
            give_way(&mut self.book, line, &due.slots, now)?;
            if due.replaces {
                replace(&mut self.book, line, last, now)?;
            }
            due.slots.iter_mut().for_each(|slot| slot.is_open = self.book.is_shared(slot.trigger));
            let rows = self.book.ledger.plan(&due.slots, Some(&cursor), now)?;
            (line.cursor, line.next) = (cursor, due.next);
            for (row, slot) in rows.into_iter().zip(due.slots) {
                match (row.outcome, slot.ended) {
                    (Some(_), _) => self.book.ended.push(row),
                    (None, Some((outcome, _))) => {
                        let (reasons, detail) = (row.reasons.clone(), serde_json::Value::Null);
                        self.book.close(&row, &line.plan.job, Ending { outcome, reasons, detail }, now)?;
                    }
                    (None, None) => {
                        let delay = self.book.delay.as_ref();
                        let delay = delay.map_or(0, |delay| delay(&row.job, row.stage, row.slot));
                        line.waiting.push_back(Waiting::at_once(row, now.saturating_add(delay)));
                    }
                }
            }
        }
        Ok(())
    }

    /// The next waiting slot that can begin now, its attempt recorded; to be called until there is none.
    ///
    /// # Errors
    /// If the ledger refuses; the slot waits on then.
    pub fn launch(&mut self, now: i64) -> Result<Option<Task>, LedgerError> {
        if self.is_draining {
            return Ok(None);
        }
        if let Some(task) = self.settle(now) {
            return Ok(Some(task));
        }
        let waits = |(key, line): (&Key, &Line)| (!line.waiting.is_empty()).then(|| key.clone());
        let keys: Vec<Key> = self.lines.iter().filter_map(waits).collect();
        for key in keys {
            if let Some(task) = self.launch_line(&key, now)? {
                return Ok(Some(task));
            }
        }
        Ok(None)
    }

    /// The next slot that is to end without work, on its way to the others.
    fn settle(&mut self, now: i64) -> Option<Task> {
        let settling = self.book.ask(now)?;
        Some(Task {
            row: settling.row.clone(),
            job: settling.job.clone(),
            fits_first: false,
            stop: Arc::default(),
            progress: Tracker::default(),
            is_shared: true,
            settles: Some(settling.ending.clone()),
            attempts_max: 1,
            backoff: 0,
            hold: Hold::default(),
        })
    }

    fn launch_line(&mut self, key: &Key, now: i64) -> Result<Option<Task>, LedgerError> {
        let has_room = self.has_room(key);
        let Some(line) = self.lines.get_mut(key) else { return Ok(None) };
        while let Some(waiting) = line.waiting.front() {
            let ready = has_room && line.running.is_none() && waiting.not_before <= now;
            // A person who asks for a slot knows what time it is.
            let is_scheduled = waiting.row.trigger == Trigger::Schedule;
            match line.too_late(waiting.row.slot, now).filter(|_| is_scheduled && ready) {
                None if ready => {}
                None => return Ok(None),
                Some(reason) => {
                    let ending = Ending {
                        outcome: if waiting.row.attempts == 0 { Outcome::Missed } else { Outcome::Failed },
                        reasons: waiting.row.reasons.iter().cloned().chain([reason]).collect(),
                        detail: serde_json::Value::Null,
                    };
                    self.book.close(&waiting.row, &line.plan.job, ending, now)?;
                    line.waiting.pop_front();
                    continue;
                }
            }
            let mut row = waiting.row.clone();
            let is_shared = self.book.is_shared(row.trigger);
            if !is_shared {
                (row.attempts, row.started_at) = (row.attempts + 1, Some(now));
                self.book.ledger.start(&row, now)?;
            }
            line.waiting.pop_front();
            let (stop, progress) = (Arc::new(AtomicBool::new(false)), Tracker::default());
            line.running = Some(Running {
                row: row.clone(),
                stop: stop.clone(),
                progress: progress.clone(),
                replaced_by: None,
                has_begun: !is_shared,
            });
            return Ok(Some(Task {
                row,
                job: line.plan.job.clone(),
                fits_first: line.stage == Stage::Forecast && line.plan.train.is_none(),
                stop,
                progress,
                is_shared,
                settles: None,
                attempts_max: line.schedule.attempts,
                backoff: micros(line.schedule.backoff),
                hold: Hold::default(),
            }));
        }
        Ok(None)
    }

    /// Records that an attempt at a shared slot begins: its lease is had.
    ///
    /// # Errors
    /// If the ledger refuses; the caller tries again.
    pub fn begin(&mut self, row: &SlotRow, now: i64) -> Result<(), LedgerError> {
        let line = self.lines.get_mut(&(row.job.clone(), row.stage));
        let running = line.and_then(|line| line.running.as_mut()).filter(|running| running.row.id == row.id);
        let Some(running) = running.filter(|running| !running.has_begun) else { return Ok(()) };
        let begun =
            SlotRow { attempts: running.row.attempts + 1, started_at: Some(now), ..running.row.clone() };
        self.book.ledger.start(&begun, now)?;
        (running.row, running.has_begun) = (begun, true);
        Ok(())
    }

    /// Whether one more slot of that line may run.
    fn has_room(&self, key: &Key) -> bool {
        let mut running = self.lines.iter().filter(|(_, line)| line.running.is_some());
        if self.takes_turns && running.clone().any(|(other, _)| other.0 == key.0) {
            return false;
        }
        match key.1 {
            Stage::Train => !running.any(|(other, _)| other.1 == Stage::Train),
            _ => running.filter(|(other, _)| other.1 != Stage::Train).count() < self.workers,
        }
    }

    /// Records what became of a task.
    ///
    /// # Errors
    /// If the ledger refuses; the caller tries again with the same verdict.
    pub fn finish(&mut self, row: &SlotRow, verdict: &Verdict, now: i64) -> Result<(), LedgerError> {
        if self.book.answer(row, verdict, now)? {
            return Ok(());
        }
        let key = (row.job.clone(), row.stage);
        let Some(line) = self.lines.get_mut(&key) else { return Ok(()) };
        let Some(running) = line.running.as_ref().filter(|running| running.row.id == row.id) else {
            return Ok(());
        };
        let (book, job) = (&mut self.book, &line.plan.job);
        match (verdict, running.replaced_by) {
            (Verdict::Stopped | Verdict::Held { .. }, Some(by)) => {
                let ending = skipped(&format!("replaced by the slot of {} (overlap = replace)", shown(by)));
                book.close(&running.row, job, ending, now)?;
            }
            // A shutdown: the slot stays open, and the next start resumes it.
            (Verdict::Stopped, None) => {
                let row = running.row.clone();
                book.ledger.rest(&row)?;
                line.waiting.push_front(Waiting::at_once(row, now));
            }
            (Verdict::Held { .. }, None) if line.is_retired => {
                book.end(&running.row, &skipped("the config has no such schedule any more"), now)?;
            }
            (Verdict::Held { by, look_in }, None) => {
                let look_in = i64::try_from(look_in.as_micros()).unwrap_or(i64::MAX);
                let waiting = Waiting::at_once(running.row.clone(), now.saturating_add(look_in));
                let has_failed = running.row.attempts > 0 && !running.row.reasons.is_empty();
                line.waiting.push_front(Waiting { held_by: Some(by.clone()), has_failed, ..waiting });
            }
            (Verdict::Ended(ending), _) => book.end(&running.row, ending, now)?,
            (Verdict::Retryable(ending), replaced_by) => {
                let attempts = running.row.attempts;
                if line.is_retired || attempts >= line.schedule.attempts && !book.is_shared(row.trigger) {
                    book.end(&running.row, ending, now)?;
                } else if replaced_by.is_some() {
                    book.close(&running.row, job, ending.clone(), now)?;
                } else {
                    let again = SlotRow { reasons: ending.reasons.clone(), ..running.row.clone() };
                    book.ledger.rest(&again)?;
                    let wait = line.backoff(attempts);
                    tell_of_failure(&again, wait);
                    let not_before = now.saturating_add(wait);
                    line.waiting
                        .push_front(Waiting { has_failed: true, ..Waiting::at_once(again, not_before) });
                }
            }
        }
        line.running = None;
        if line.is_retired && line.waiting.is_empty() {
            self.lines.remove(&key);
        }
        Ok(())
    }

    /// Plans and launches nothing any more, and stops what trains; forecasts and scores are short and may finish.
    pub fn drain(&mut self) {
        self.is_draining = true;
        for line in self.lines.values() {
            let trains = line.stage == Stage::Train || line.plan.train.is_none();
            if let Some(running) = line.running.as_ref().filter(|_| trains) {
                running.stop.store(true, Ordering::Relaxed);
            }
        }
    }

    /// Number of slots that are being worked or asked about.
    pub fn running(&self) -> usize {
        self.lines.values().filter(|line| line.running.is_some()).count() + self.book.asking()
    }

    /// When to look again after a turn at `now`; `None` if nothing is to come.
    pub fn wake(&self, now: i64) -> Option<i64> {
        if self.is_draining {
            return None;
        }
        self.lines.values().filter_map(|line| line.wake(now)).chain(self.book.wake()).min()
    }

    /// The slots that ended since the last call.
    pub fn take_ended(&mut self) -> Vec<SlotRow> {
        std::mem::take(&mut self.book.ended)
    }

    /// What every job is doing.
    pub fn status(&self) -> Vec<JobStatus> {
        let mut jobs: Vec<JobStatus> = Vec::new();
        for ((name, stage), line) in self.lines.iter().filter(|(_, line)| !line.is_retired) {
            if jobs.last().is_none_or(|job| job.name != *name) {
                let sink = line.plan.job.sink.path.clone();
                let plan = Plan(line.plan.clone());
                jobs.push(JobStatus { name: name.clone(), sink, plan, lines: Vec::new() });
            }
            let status = LineStatus {
                stage: *stage,
                rule: line.schedule.rule.to_string(),
                next: line.next,
                running: line
                    .running
                    .as_ref()
                    .filter(|running| running.has_begun)
                    .map(|running| running.row.run_id.clone()),
                waiting: line.waiting.len(),
                held_by: line.waiting.front().and_then(|waiting| waiting.held_by.clone()),
                progress: line.running.as_ref().and_then(|running| running.progress.look()),
            };
            jobs.last_mut().expect("pushed above").lines.push(status);
        }
        jobs
    }
}
