//! A slot that several daemons have: its lease before the work, its end after it.

use crate::pipeline::JobSpec;
use crate::schedule::Delay;
use crate::schedule::crash;
use crate::schedule::daemon::Done;
use crate::schedule::lease::desk::{Answer, Desk, Times};
use crate::schedule::lease::hold::{Ended, Hold, Lease, Pulse};
use crate::schedule::lease::key::Key;
use crate::schedule::lease::member::Member;
use crate::schedule::lease::turn::Finish;
use crate::schedule::ledger::{Ending, SeenFile};
use crate::schedule::metrics::Metrics;
use crate::schedule::outcome::{Outcome, Trigger};
use crate::schedule::scheduler::{Task, Verdict};
use crate::schedule::spec::Stage;
use crate::series::civil::shown;
use crate::series::shard::Shard;
use crate::store::Store;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The files of a source as they are now, as (path, stamp); called on a blocking thread. `None` where they cannot be looked at.
pub type Stamp = dyn Fn(&JobSpec, &[SeenFile]) -> Option<Vec<(String, String)>> + Send + Sync;

/// Work of a slot whose lease is held.
pub type Begun<'a> = dyn Fn(&Task) -> Done + 'a;

/// Wait between two tries to write how a slot ended.
const AGAIN: Duration = Duration::from_millis(500);

/// What of a stamp depends on the machine that looks.
const OF_THE_MACHINE: [&str; 4] = ["path", "modified_ns", "changed_ns", "inode"];

/// The daemons that share jobs, as one of them sees them.
pub struct Fleet {
    desk: Arc<Desk>,
    times: Times,
    shard: Shard,
    metrics: Arc<Metrics>,
    stamp: Arc<Stamp>,
    /// What data the newest known forecast of a job was made from, and by whom.
    data: Mutex<BTreeMap<String, (String, String)>>,
    /// The days up to which leases are removed, by folder of job and stage.
    pub(super) cleaned: Mutex<BTreeMap<String, i64>>,
}

impl Fleet {
    /// The fleet that meets at a store.
    pub fn new(
        store: Store,
        (me, ttl, shard): (Member, Duration, Shard),
        times: Times,
        metrics: Arc<Metrics>,
        stamp: Arc<Stamp>,
    ) -> Fleet {
        let desk = Arc::new(Desk::new(store, me, ttl, times.clone()));
        Fleet { desk, times, shard, metrics, stamp, data: Mutex::default(), cleaned: Mutex::default() }
    }

    /// Name of this daemon.
    pub fn node(&self) -> &str {
        &self.desk.member().node
    }

    pub(super) fn desk(&self) -> &Arc<Desk> {
        &self.desk
    }

    pub(super) fn shard(&self) -> Shard {
        self.shard
    }

    /// A task from the question for its lease to its verdict; on a blocking thread. `begin` hears that the lease is had; then
    /// `work` is called.
    pub fn work(&self, task: &Task, seen: &[SeenFile], begin: &dyn Fn(), work: &Begun<'_>) -> Done {
        let look = (task.row.trigger == Trigger::NewData).then(|| (self.stamp)(&task.job, seen)).flatten();
        let data = look.as_deref().map(digest);
        let key = self.key(task, data.as_deref());
        let files = look.map(|files| (task.job.source_name.clone(), files));
        if let Some(known) = data.and_then(|data| self.known_data(&task.job.name, &data)) {
            let verdict =
                Verdict::Ended(elsewhere(&format!("worked by {known}: its data is in"), Value::Null));
            return Done { verdict, files, retrain: None };
        }
        let verdict = match self.desk.acquire(&key) {
            Ok(Answer::Mine(lease)) => return self.worked(task, &lease, begin, work),
            Ok(Answer::Held { by, look_in }) => Verdict::Held { by, look_in },
            Ok(Answer::Done(finish)) => {
                self.heard(task, &finish);
                return Done { verdict: Verdict::Ended(self.known(&finish)), files, retrain: None };
            }
            Err(error) => {
                self.metrics.lease_error();
                tracing::warn!(slot = %key, %error, "the leases cannot be read; the slot waits");
                // As long as the others would wait for a holder: nobody is to be overrun.
                Verdict::Held { by: String::new(), look_in: self.desk.ttl() / 3 }
            }
        };
        Done { verdict, files: None, retrain: None }
    }

    /// Delay of the first question for a slot: the daemons take turns at being first, and those that come later find it worked.
    pub fn delay(&self, job: &str, stage: Stage, slot: i64) -> Duration {
        let most = self.desk.ttl() / 30;
        self.desk.member().offset(Key::of_slot(job, stage, self.shard, slot).folder(), most)
    }

    /// [`Fleet::delay`] for the scheduler.
    pub fn delays(self: Arc<Self>) -> Arc<Delay> {
        Arc::new(move |job, stage, slot| {
            i64::try_from(self.delay(job, stage, slot).as_micros()).unwrap_or(i64::MAX)
        })
    }

    /// The lease of a task. What several daemons begin by themselves has one by what it is about, not by when they saw it.
    fn key(&self, task: &Task, data: Option<&str>) -> Key {
        let (job, stage, slot) = (&task.row.job, task.row.stage, task.row.slot);
        match (task.row.trigger, data) {
            (Trigger::Bootstrap, _) => Key::apart(job, stage, self.shard, slot, "bootstrap"),
            (Trigger::NewData, Some(data)) => {
                Key::apart(job, stage, self.shard, slot, &format!("new-data-{data}"))
            }
            _ => Key::of_slot(job, stage, self.shard, slot),
        }
    }

    /// Works a slot whose lease is held.
    fn worked(&self, task: &Task, lease: &Lease, begin: &dyn Fn(), work: &Begun<'_>) -> Done {
        if lease.turn() > 1 {
            self.metrics.lease_taken_over(&task.row.job, task.row.stage);
        }
        let ended = |verdict| Done { verdict, files: None, retrain: None };
        if let Some(ending) = &task.settles {
            return self.concluded(task, lease, ended(Verdict::Ended(ending.clone())));
        }
        if task.stop.load(Ordering::Relaxed) {
            return self.concluded(task, lease, ended(Verdict::Stopped));
        }
        if lease.attempts() > task.attempts_max.saturating_add(crash::CRASHES_MAX) {
            let ending = crash::ending(task.row.id, lease.attempts() - 1);
            return self.concluded(task, lease, ended(Verdict::Ended(ending)));
        }
        begin();
        let mut row = task.row.clone();
        (row.attempts, row.started_at) = (row.attempts + 1, Some((self.times.now)()));
        let pulse = Pulse::of(lease, task.stop.clone());
        if let Err(error) = &pulse {
            tracing::warn!(%error, "no thread can renew the lease; it holds for its ttl");
        }
        let done = work(&Task { row, hold: Hold::of(lease), ..task.clone() });
        self.concluded(task, lease, done)
    }

    /// Tells the others what became of a slot, and the loop what became of that.
    fn concluded(&self, task: &Task, lease: &Lease, done: Done) -> Done {
        let Done { verdict, files, retrain } = done;
        let data = files.as_ref().map(|(_, files)| digest(files));
        let verdict = match verdict {
            Verdict::Retryable(ending) if lease.attempts() < task.attempts_max => {
                let wait = task.wait_after(lease.attempts());
                self.released(lease, &ending.reasons, wait, Verdict::Retryable(ending.clone()))
            }
            Verdict::Ended(ending) | Verdict::Retryable(ending) => {
                match ending.outcome == Outcome::Failed && is_own(task.row.trigger) {
                    // Each daemon may try what each of them has begun by itself.
                    true => {
                        let reasons = &ending.reasons;
                        self.released(lease, reasons, Duration::ZERO, Verdict::Ended(ending.clone()))
                    }
                    false => self.ended(task, lease, ending, data.clone()),
                }
            }
            Verdict::Stopped if lease.is_lost() => self.lost(task),
            Verdict::Stopped => {
                let reasons = ["it was stopped".to_owned()];
                self.released(lease, &reasons, Duration::ZERO, Verdict::Stopped)
            }
            held @ Verdict::Held { .. } => held,
        };
        let is_mine = matches!(verdict, Verdict::Ended(_));
        if let Some(data) = data.filter(|_| is_mine && task.row.stage == Stage::Forecast) {
            self.data().insert(task.row.job.clone(), (data, self.node().to_owned()));
        }
        Done { verdict, files: files.filter(|_| is_mine), retrain: retrain.filter(|_| is_mine) }
    }

    /// Ends the slot for everybody; tries until the store answers or the lease is lost.
    fn ended(&self, task: &Task, lease: &Lease, ending: Ending, data: Option<String>) -> Verdict {
        let finish = Finish {
            by: self.desk.by(),
            attempts: lease.attempts(),
            outcome: ending.outcome.as_str().into(),
            reasons: ending.reasons.clone(),
            run_id: task.row.run_id.clone(),
            ended_at: (self.times.now)(),
            data,
        };
        loop {
            match lease.end(&finish) {
                Ok(Ended::Mine) => return Verdict::Ended(ending),
                Ok(Ended::Lost) => return self.lost(task),
                Err(error) => {
                    self.metrics.lease_error();
                    tracing::warn!(job = task.row.job, %error, "the end of a slot cannot be written yet");
                    if lease.is_lost() {
                        return self.lost(task);
                    }
                    std::thread::sleep(AGAIN.min(self.desk.ttl() / 6));
                }
            }
        }
    }

    /// Lets the slot go; if the store does not hear of it, the lease ends by itself.
    fn released(&self, lease: &Lease, reasons: &[String], wait: Duration, verdict: Verdict) -> Verdict {
        if let Err(error) = lease.release(reasons, wait) {
            self.metrics.lease_error();
            tracing::warn!(%error, "a lease could not be given back; it ends by itself");
        }
        verdict
    }

    /// The slot may be another's now: whoever asks again finds out.
    fn lost(&self, task: &Task) -> Verdict {
        self.metrics.lease_lost(&task.row.job, task.row.stage);
        tracing::warn!(
            run_id = task.row.run_id,
            job = task.row.job,
            stage = task.row.stage.as_str(),
            "the lease was lost while the slot was worked; nothing more of it is published"
        );
        Verdict::Held { by: String::new(), look_in: Duration::from_millis(1) }
    }

    /// Takes note of another's slot.
    fn heard(&self, task: &Task, finish: &Finish) {
        let Some(data) = finish.data.clone().filter(|_| task.row.stage == Stage::Forecast) else { return };
        self.data().insert(task.row.job.clone(), (data, finish.by.member.node.clone()));
    }

    /// Who has forecast a job from this very data last, if that is known.
    fn known_data(&self, job: &str, data: &str) -> Option<String> {
        self.data().get(job).filter(|(known, _)| known == data).map(|(_, node)| node.clone())
    }

    fn data(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, (String, String)>> {
        self.data.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How a slot ends here that has ended for all: as it did, if it was worked by this daemon (which crashed before its ledger
    /// said so), and skipped otherwise.
    fn known(&self, finish: &Finish) -> Ending {
        let outcome = Outcome::from_name(&finish.outcome);
        let by = &finish.by.member;
        match outcome {
            Some(outcome) if by.state == self.desk.member().state => {
                let mut reasons = finish.reasons.clone();
                reasons.push("it ended right before this daemon was stopped".into());
                Ending { outcome, reasons, detail: Value::Null }
            }
            _ => {
                let verb = match outcome {
                    Some(Outcome::Skipped | Outcome::Missed) => "recorded",
                    _ => "worked",
                };
                let detail = json!({ "worked_by": {
                    "node": by.node,
                    "outcome": finish.outcome,
                    "reasons": finish.reasons,
                    "ended_at": shown(finish.ended_at),
                } });
                elsewhere(&format!("{verb} by {}: {}", by.node, finish.outcome), detail)
            }
        }
    }
}

/// Whether a daemon begins such slots by itself.
fn is_own(trigger: Trigger) -> bool {
    matches!(trigger, Trigger::Bootstrap | Trigger::NewData)
}

fn elsewhere(reason: &str, detail: Value) -> Ending {
    Ending { outcome: Outcome::Skipped, reasons: vec![reason.to_owned()], detail }
}

/// The content of files whatever machine looks at them: a hash over their names and what of their stamps is theirs.
fn digest(files: &[(String, String)]) -> String {
    let mut lines: Vec<String> = files
        .iter()
        .map(|(path, stamp)| {
            let name = path.rsplit('/').next().unwrap_or(path);
            let mut stamp: Value =
                serde_json::from_str(stamp).unwrap_or_else(|_| Value::from(stamp.as_str()));
            if let Some(stamp) = stamp.as_object_mut() {
                OF_THE_MACHINE.iter().for_each(|key| drop(stamp.remove(*key)));
            }
            format!("{name}\n{stamp}")
        })
        .collect();
    lines.sort();
    let digest = Sha256::digest(lines.join("\n"));
    digest[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}
