//! What the loop does beside slots: metrics of what is to come, new data, old rows and leases.

use crate::pipeline::JobSpec;
use crate::schedule::daemon::{Daemon, Event};
use crate::schedule::lease::{Fleet, KEPT};
use crate::schedule::ledger::LedgerError;
use crate::schedule::outcome::{Outcome, SlotRow};
use crate::schedule::spec::Stage;
use crate::series::civil::micros;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// How often source files are looked at for jobs that start on new data, in microseconds.
const PROBE_EVERY: i64 = 10_000_000;

/// How often old slots are forgotten, in microseconds.
const CLEAN_EVERY: i64 = 3_600_000_000;

impl Daemon {
    /// How another daemon ended a slot that it shares with this one; a success of it counts for the job.
    pub(super) fn heard(&self, row: &SlotRow) -> Option<Outcome> {
        let outcome = Outcome::from_name(row.detail["worked_by"]["outcome"].as_str()?)?;
        if matches!(outcome, Outcome::Ok | Outcome::Degraded) {
            let ended_at = row.ended_at.unwrap_or(row.planned_at) as f64 / 1e6;
            self.parts.metrics.succeeded_elsewhere(&row.job, row.stage, row.slot as f64 / 1e6, ended_at);
        }
        Some(outcome)
    }

    /// Tells the metrics which slots to expect: an alert on a job that failed for days must not end with a restart.
    pub(super) fn expect_slots(&mut self) {
        let now = self.parts.clock.now();
        for plan in &self.parts.spec.jobs {
            for (stage, schedule) in plan.stages() {
                let job = &plan.job.name;
                let next = schedule.rule.after(now);
                let interval = next.and_then(|next| Some(schedule.rule.after(next)? - next)).unwrap_or(0);
                let success = self.parts.scheduler.ledger().last_success(job, stage).unwrap_or_default();
                let success = success.map(|at| at as f64 / 1e6);
                self.parts.metrics.expect(job, stage, interval as f64 / 1e6, success);
            }
        }
    }

    /// Starts a look at the source files of the jobs that want it.
    pub(super) fn look_for_data(&mut self, now: i64) {
        if now < self.next_probe || self.probing > 0 {
            return;
        }
        self.next_probe = now + PROBE_EVERY;
        let jobs: Vec<Arc<JobSpec>> = self
            .parts
            .spec
            .jobs
            .iter()
            .filter(|plan| plan.on_new_data)
            .map(|plan| plan.job.clone())
            .collect();
        for job in jobs {
            let Ok(files) = self.parts.scheduler.ledger().files(&job.source_name) else { continue };
            // Before its first slot a job has seen nothing; its schedule will see to that.
            let is_busy = self.parts.scheduler.is_busy(&job.name, Stage::Forecast);
            if files.is_empty() || is_busy || self.failing.contains(&job.name) {
                continue;
            }
            self.probing += 1;
            let (probe, sender) = (self.parts.host.probe.clone(), self.sender.clone());
            tokio::task::spawn_blocking(move || {
                let has_new = catch_unwind(AssertUnwindSafe(|| probe(&job, &files))).unwrap_or(false);
                let name = if has_new { job.name.clone() } else { String::new() };
                let _ = sender.send(Event::NewData(name));
            });
        }
    }

    /// Forgets slots beyond the retention, and their leases.
    pub(super) fn clean(&mut self, now: i64) -> Result<(), LedgerError> {
        if now < self.next_clean {
            return Ok(());
        }
        self.next_clean = now + CLEAN_EVERY;
        let keep = self.parts.spec.ledger_retention.map(micros);
        if let Some(fleet) = self.parts.host.fleet.clone() {
            let before = now.saturating_sub(keep.unwrap_or(KEPT).max(KEPT));
            self.clean_leases(fleet, before);
        }
        let Some(keep) = keep else { return Ok(()) };
        let forgotten = self.parts.scheduler.ledger().forget(now.saturating_sub(keep))?;
        if forgotten > 0 {
            tracing::info!(slots = forgotten, "old slots forgotten");
        }
        Ok(())
    }

    /// Removes old leases on a blocking thread.
    fn clean_leases(&self, fleet: Arc<Fleet>, before: i64) {
        let lines = self.parts.spec.jobs.iter().flat_map(|plan| {
            plan.stages().map(|(stage, _)| (plan.job.name.clone(), stage)).collect::<Vec<_>>()
        });
        let lines: Vec<(String, Stage)> = lines.collect();
        tokio::task::spawn_blocking(move || {
            for (job, stage) in lines {
                match fleet.clean(&job, stage, before) {
                    Ok(0) => {}
                    Ok(objects) => tracing::info!(job, stage = stage.as_str(), objects, "old leases removed"),
                    Err(error) => tracing::warn!(job, %error, "old leases cannot be removed yet"),
                }
            }
        });
    }
}
