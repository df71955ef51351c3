//! The event loop: one owner of the slots, computation on blocking threads, time as a value.
//!
//! ```text
//!  signals ──┐
//!  requests ─┼─▶ loop: plan due slots, launch tasks ──▶ blocking threads, panics caught
//!  clock ────┘     ▲                                        │
//!                  └────────────── verdicts ────────────────┘
//! ```

mod requests;
mod upkeep;

use crate::live::drift::Reason;
use crate::pipeline::JobSpec;
use crate::registry::Registry;
use crate::schedule::clock::Clock;
use crate::schedule::command::Request;
use crate::schedule::lease::Fleet;
use crate::schedule::ledger::{Ending, LedgerError, SeenFile};
use crate::schedule::metrics::Metrics;
use crate::schedule::outcome::{Outcome, SlotRow, Trigger};
use crate::schedule::scheduler::{Scheduler, Task, Verdict};
use crate::schedule::spec::{DaemonSpec, Stage};
use crate::schedule::status::{Shared, Status};
use crate::schedule::work::catch_up;
use crate::series::civil::{micros, shown};
use std::collections::{BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// The longest sleep: a heartbeat that notices a clock that was set, and feeds the watchdog.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// A step back of the clock that is worth a line, in microseconds.
const STEP_BACK: i64 = 1_000_000;

/// How often a simulation shows what it is doing.
const SHOW_EVERY: Duration = Duration::from_millis(100);

/// What a process is told from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Read the config again (SIGHUP).
    Reload,
    /// Finish and go; the second time, go at once (SIGTERM, SIGINT).
    Stop,
    /// Write the state to the log (SIGUSR1).
    Dump,
}

/// What a task gave: the verdict, and what is recorded beside the slot.
#[derive(Clone, Debug)]
pub struct Done {
    /// How it ended.
    pub verdict: Verdict,
    /// Name of the source and the files that it had, as (path, stamp); `None` if it was not looked at.
    pub files: Option<(String, Vec<(String, String)>)>,
    /// Why the job's model is to be trained again, if it is.
    pub retrain: Option<Reason>,
}

/// Works a task, given the files that its source had the last time; called on a blocking thread.
pub type Work = dyn Fn(&Task, &[SeenFile]) -> Done + Send + Sync;

/// Whether a source has new or changed files; called on a blocking thread.
pub type Probe = dyn Fn(&JobSpec, &[SeenFile]) -> bool + Send + Sync;

/// What a look at the config gave: the spec and the SHA-256 of its text; `None` if it is the one in force and nobody
/// asked for a reload; an error if it is rejected.
pub type Reload = Result<Option<(DaemonSpec, String)>, String>;

/// What the layers above give the loop.
pub struct Host {
    /// Works a task.
    pub work: Arc<Work>,
    /// Looks for new data.
    pub probe: Arc<Probe>,
    /// The daemons with the same jobs; `None` where this one works all.
    pub fleet: Option<Arc<Fleet>>,
    /// Reads the config; the argument says whether somebody asked for it.
    pub reload: Box<dyn FnMut(bool) -> Reload + Send>,
    /// Hears of every turn: the service manager, the watchdog.
    pub turned: Box<dyn FnMut(&Status) + Send>,
}

/// The ends of the channels that lead into the loop.
pub struct Inputs {
    /// From the operating system.
    pub signals: mpsc::Receiver<Signal>,
    /// From HTTP.
    pub requests: mpsc::Receiver<Request>,
}

/// What the loop works with.
pub struct Parts {
    /// The slots.
    pub scheduler: Scheduler,
    /// The time.
    pub clock: Clock,
    /// The models.
    pub registry: Registry,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What others see.
    pub shared: Shared,
    /// The layers above.
    pub host: Host,
    /// The config in force.
    pub spec: DaemonSpec,
    /// SHA-256 of its text.
    pub config_sha256: String,
}

/// What comes back from the blocking threads.
enum Event {
    /// The lease of a shared slot is had.
    Begun(SlotRow),
    Finished(SlotRow, Box<Done>),
    NewData(String),
}

/// The daemon.
pub struct Daemon {
    parts: Parts,
    status: Status,
    /// Begun slots and verdicts that the ledger has not taken yet.
    notes: VecDeque<(SlotRow, Option<Done>)>,
    sender: mpsc::UnboundedSender<Event>,
    events: mpsc::UnboundedReceiver<Event>,
    /// Sources that are being looked at.
    probing: usize,
    /// Jobs whose last forecast failed: new data starts no slot for them, or a broken file would start one every time it
    /// is looked at. Their schedule goes on trying.
    failing: BTreeSet<String>,
    next_reload: Option<i64>,
    next_probe: i64,
    next_clean: i64,
    shown_at: Option<Instant>,
    /// When a shutdown that has begun is over at the latest.
    drain_until: Option<Instant>,
}

impl Daemon {
    /// A daemon that has not begun.
    pub fn new(parts: Parts) -> Daemon {
        let (sender, events) = mpsc::unbounded_channel();
        let now = parts.clock.now();
        let status = Status {
            started_at: now,
            ticked_at: now,
            is_ready: true,
            config_sha256: parts.config_sha256.clone(),
            ..Status::default()
        };
        let next_reload = parts.spec.reload_poll.map(|every| now + micros(every));
        Daemon {
            parts,
            status,
            notes: VecDeque::new(),
            sender,
            events,
            probing: 0,
            failing: BTreeSet::new(),
            next_reload,
            next_probe: now,
            next_clean: now,
            shown_at: None,
            drain_until: None,
        }
    }

    /// Works until it is told to stop, or until a simulation is over. What still runs then stays open in the ledger.
    ///
    /// # Errors
    /// In a simulation, if the ledger refuses; otherwise the loop goes on trying.
    pub async fn run(mut self, mut inputs: Inputs) -> Result<(), LedgerError> {
        self.parts.metrics.reload(true, self.status.started_at as f64 / 1e6);
        self.expect_slots();
        self.bootstrap();
        loop {
            let ledger_works = match self.turn() {
                Ok(()) => true,
                Err(error) if self.parts.clock.is_simulated() => return Err(error),
                Err(error) => {
                    tracing::error!(%error, "the ledger refuses; trying again");
                    false
                }
            };
            self.show();
            if self.is_over() {
                return Ok(());
            }
            let (wake, is_idle) = (self.wake(), self.is_idle());
            tokio::select! {
                biased;
                Some(signal) = inputs.signals.recv() => {
                    if self.heed(signal) {
                        return Ok(());
                    }
                }
                Some(event) = self.events.recv() => self.note(event),
                Some(request) = inputs.requests.recv() => self.answer(request),
                goes_on = sleep(&self.parts.clock, wake, is_idle, ledger_works) => {
                    if !goes_on {
                        self.begin_drain();
                    }
                }
            }
        }
    }

    /// Everything that is due.
    fn turn(&mut self) -> Result<(), LedgerError> {
        let now = self.tick();
        self.take_notes(now)?;
        if self.drain_until.is_none() {
            if self.next_reload.is_some_and(|at| at <= now) {
                self.next_reload = self.parts.spec.reload_poll.map(|every| now + micros(every));
                // A rejected config is told in status, log and metric.
                let _ = self.reload(false);
            }
            if !self.parts.clock.is_simulated() {
                self.open_inbox();
            }
            self.look_for_data(now);
            self.clean(now)?;
        }
        self.parts.scheduler.plan_due(now)?;
        while let Some(task) = self.parts.scheduler.launch(now)? {
            self.spawn(task);
        }
        self.report_ended();
        Ok(())
    }

    /// The time; a clock that was set back is told, and does not repeat slots: the cursor of every schedule is ahead.
    fn tick(&mut self) -> i64 {
        let now = self.parts.clock.now();
        if now < self.status.ticked_at - STEP_BACK {
            let seconds = (self.status.ticked_at - now) / 1_000_000;
            self.parts.metrics.clock_set_back();
            tracing::warn!(seconds, "the clock was set back; slots that were worked are not repeated");
        }
        self.status.ticked_at = now;
        now
    }

    fn take_notes(&mut self, now: i64) -> Result<(), LedgerError> {
        while let Some((row, done)) = self.notes.front() {
            let Some(done) = done else {
                self.parts.scheduler.begin(row, now)?;
                self.notes.pop_front();
                continue;
            };
            if let Some((source, files)) = &done.files {
                self.parts.scheduler.ledger().see_files(source, files, now)?;
            }
            self.parts.scheduler.finish(row, &done.verdict, now)?;
            if let Some(reason) =
                done.retrain.filter(|_| !self.parts.scheduler.is_busy(&row.job, Stage::Train))
            {
                self.parts.scheduler.plan_extra(&row.job, Stage::Train, row.slot, reason.into(), now)?;
            }
            self.notes.pop_front();
        }
        Ok(())
    }

    /// Hands a task to a blocking thread; a panic in it becomes a failed slot.
    fn spawn(&mut self, task: Task) {
        // Without them every file counts as new, which costs a second look and no more.
        let files = self.parts.scheduler.ledger().files(&task.job.source_name).unwrap_or_default();
        let (work, sender) = (self.parts.host.work.clone(), self.sender.clone());
        let (metrics, registry) = (self.parts.metrics.clone(), self.parts.registry.clone());
        let fleet = self.parts.host.fleet.clone().filter(|_| task.is_shared);
        let (run_id, job, stage) = (&task.row.run_id, &task.row.job, task.row.stage.as_str());
        let span = tracing::info_span!("slot", run_id, slot_id = task.row.id, job, stage);
        tokio::task::spawn_blocking(move || {
            let _entered = span.entered();
            let guarded = |what: &dyn Fn() -> Done| {
                catch_unwind(AssertUnwindSafe(what)).unwrap_or_else(|panic| {
                    metrics.worker_restarted();
                    Done { verdict: Verdict::Ended(panicked(panic.as_ref())), files: None, retrain: None }
                })
            };
            let run = |task: &Task| {
                let attempt = task.row.attempts;
                tracing::info!(slot = shown(task.row.slot), attempt, "slot started");
                guarded(&|| work(task, &files))
            };
            // The loop is gone only when the process goes.
            let begin = || drop(sender.send(Event::Begun(task.row.clone())));
            let done = match &fleet {
                Some(fleet) => guarded(&|| fleet.work(&task, &files, &begin, &run)),
                None => run(&task),
            };
            let (job, stage) = (task.job.clone(), task.row.stage);
            let is_elsewhere = fleet.is_some() && done.verdict.is_skipped();
            let _ = sender.send(Event::Finished(task.row, Box::new(done)));
            if is_elsewhere {
                catch_up(&job, stage, &registry);
            }
        });
    }

    fn note(&mut self, event: Event) {
        match event {
            Event::Begun(row) => self.notes.push_back((row, None)),
            Event::Finished(row, done) => self.notes.push_back((row, Some(*done))),
            Event::NewData(job) => {
                self.probing = self.probing.saturating_sub(1);
                if !job.is_empty() && !self.parts.scheduler.is_busy(&job, Stage::Forecast) {
                    let now = self.parts.clock.now();
                    if let Err(error) = self.plan(&job, Stage::Forecast, now, Trigger::NewData) {
                        tracing::error!(%error, job, "the slot for new data could not be planned");
                    }
                }
            }
        }
    }

    /// Tells metrics and log about the slots that ended.
    fn report_ended(&mut self) {
        for row in self.parts.scheduler.take_ended() {
            let Some(outcome) = row.outcome else { continue };
            let elsewhere = self.heard(&row);
            match (row.stage, elsewhere.unwrap_or(outcome)) {
                (Stage::Forecast, Outcome::Failed) => drop(self.failing.insert(row.job.clone())),
                (Stage::Forecast, Outcome::Ok | Outcome::Degraded) => drop(self.failing.remove(&row.job)),
                _ => {}
            }
            let seconds = |micros: i64| micros as f64 / 1e6;
            // A person may ask for a slot of last year; only a schedule can be late.
            let started = row.started_at.filter(|_| row.trigger == Trigger::Schedule);
            let lateness = started.map(|started| seconds(started - row.slot));
            let at = seconds(row.ended_at.unwrap_or(row.planned_at));
            self.parts.metrics.slot_ended(&row.job, row.stage, outcome, lateness, at);
            let (run_id, job, stage) = (&row.run_id, &row.job, row.stage.as_str());
            let (slot, reasons) = (shown(row.slot), row.reasons.join("; "));
            let (slot_id, outcome_word) = (row.id, outcome.as_str());
            match outcome {
                Outcome::Failed | Outcome::Missed => {
                    tracing::warn!(
                        run_id,
                        slot_id,
                        job,
                        stage,
                        slot,
                        outcome = outcome_word,
                        reasons,
                        "slot ended"
                    );
                }
                _ => tracing::info!(
                    run_id,
                    slot_id,
                    job,
                    stage,
                    slot,
                    outcome = outcome_word,
                    reasons,
                    "slot ended"
                ),
            }
        }
    }

    /// A job with a training schedule and no model is trained at once rather than in the night.
    fn bootstrap(&mut self) {
        let now = self.parts.clock.now();
        let jobs: Vec<String> = self
            .parts
            .spec
            .jobs
            .iter()
            .filter(|plan| plan.train.is_some())
            .map(|plan| plan.job.name.clone())
            .collect();
        for job in jobs {
            let has_model = self.parts.registry.champion(&job).is_ok_and(|champion| champion.is_some());
            if !has_model
                && !self.parts.scheduler.is_busy(&job, Stage::Train)
                && let Err(error) = self.plan(&job, Stage::Train, now, Trigger::Bootstrap)
            {
                tracing::error!(%error, job, "the first training could not be planned");
            }
        }
    }

    fn plan(
        &mut self,
        job: &str,
        stage: Stage,
        slot: i64,
        trigger: Trigger,
    ) -> Result<Option<SlotRow>, LedgerError> {
        let now = self.parts.clock.now();
        self.parts.scheduler.plan_extra(job, stage, slot, trigger, now)
    }

    /// Does what a signal says; true if the process is to go at once.
    fn heed(&mut self, signal: Signal) -> bool {
        match signal {
            Signal::Reload => drop(self.reload(true)),
            Signal::Dump => {
                tracing::info!(status = ?self.status, jobs = ?self.parts.scheduler.status(), "state")
            }
            Signal::Stop if self.drain_until.is_some() => {
                tracing::warn!("stopping at once; what runs is resumed by the next start");
                return true;
            }
            Signal::Stop => self.begin_drain(),
        }
        false
    }

    fn begin_drain(&mut self) {
        let limit = Duration::try_from(self.parts.spec.drain_limit).unwrap_or_default();
        self.drain_until = Some(Instant::now() + limit);
        self.status.is_draining = true;
        self.parts.scheduler.drain();
        tracing::info!(running = self.parts.scheduler.running(), limit_s = limit.as_secs(), "draining");
    }

    /// Whether a shutdown is complete, or has taken as long as it may.
    fn is_over(&mut self) -> bool {
        let Some(until) = self.drain_until else { return false };
        if self.parts.scheduler.running() == 0 && self.notes.is_empty() {
            return true;
        }
        if Instant::now() < until {
            return false;
        }
        tracing::warn!(
            running = self.parts.scheduler.running(),
            "the drain limit is over; what runs is resumed by the next start"
        );
        true
    }

    /// Whether no slot is being worked, so that a simulated clock may move.
    fn is_idle(&self) -> bool {
        self.parts.scheduler.running() == 0 && self.notes.is_empty() && self.probing == 0
    }

    /// When to look again, by the daemon's clock.
    fn wake(&self) -> Option<i64> {
        let probes = self.parts.spec.jobs.iter().any(|plan| plan.on_new_data).then_some(self.next_probe);
        [self.parts.scheduler.wake(self.status.ticked_at), probes].into_iter().flatten().min()
    }

    /// Publishes the status; in a simulation, which turns ten thousand times a second, not every time.
    fn show(&mut self) {
        let is_fresh = self.shown_at.is_some_and(|at| at.elapsed() < SHOW_EVERY);
        if self.parts.clock.is_simulated() && is_fresh && self.drain_until.is_none() {
            return;
        }
        self.shown_at = Some(Instant::now());
        self.status.jobs = self.parts.scheduler.status();
        self.parts.shared.set(self.status.clone());
        (self.parts.host.turned)(&self.status);
    }
}

/// Waits for the next thing to do, but not longer than a heartbeat; a simulated clock jumps there once nothing is being
/// worked. False if a simulation is over.
async fn sleep(clock: &Clock, wake: Option<i64>, is_idle: bool, ledger_works: bool) -> bool {
    if clock.is_simulated() {
        return match is_idle {
            true => clock.jump(wake),
            // Only a verdict can move things on.
            false => std::future::pending().await,
        };
    }
    let wait = wake.map_or(HEARTBEAT.as_micros() as i64, |wake| wake - clock.now());
    let wait = Duration::from_micros(u64::try_from(wait).unwrap_or(0));
    tokio::time::sleep(if ledger_works { wait.min(HEARTBEAT) } else { HEARTBEAT }).await;
    true
}

/// How a slot ends whose work panicked.
fn panicked(panic: &(dyn std::any::Any + Send)) -> Ending {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    let reason =
        format!("s4cast has a bug: {}", text.unwrap_or_else(|| "panicked".into()).replace('\n', " "));
    Ending { outcome: Outcome::Failed, reasons: vec![reason], detail: serde_json::Value::Null }
}
