//! What people ask of the loop: slots, and another config.

use crate::schedule::command::{Command, Reply, Request};
use crate::schedule::daemon::Daemon;
use crate::schedule::inbox;
use crate::schedule::outcome::Trigger;
use crate::schedule::spec::DaemonSpec;
use crate::series::civil::{micros, shown};

impl Daemon {
    pub(super) fn answer(&mut self, request: Request) {
        let reply = self.execute(&request.command);
        // A requester that is gone needs no reply.
        let _ = request.reply.send(reply);
    }

    fn execute(&mut self, command: &Command) -> Reply {
        if self.drain_until.is_some() {
            return Reply::Refused("the daemon is shutting down".into());
        }
        let planned = match command {
            Command::Reload => return self.reload(true),
            Command::Run { job, stage, slot } => {
                let now = self.parts.clock.now();
                let slot = slot.unwrap_or(now);
                // Its run would hide every later one from `latest`.
                if slot > now {
                    return Reply::Refused(format!("the slot of {} has not come yet", shown(slot)));
                }
                let unknown = || format!("there is no job '{job}' with a {} schedule", stage.as_str());
                self.plan(job, *stage, slot, Trigger::Manual).map(|row| row.ok_or_else(unknown))
            }
            Command::Retry { id } => match self.parts.scheduler.ledger().slot(*id) {
                Ok(Some(row)) if row.outcome.is_none() => {
                    return Reply::Refused(format!("slot {id} has not ended yet"));
                }
                Ok(Some(row)) => {
                    let unknown = || format!("the config has no job '{}' any more", row.job);
                    self.plan(&row.job, row.stage, row.slot, Trigger::Manual)
                        .map(|new| new.ok_or_else(unknown))
                }
                Ok(None) => return Reply::NotFound(format!("there is no slot {id}")),
                Err(error) => return Reply::Refused(error.to_string()),
            },
        };
        match planned {
            Ok(Ok(row)) => Reply::Planned { id: row.id, run_id: row.run_id },
            Ok(Err(unknown)) => Reply::NotFound(unknown),
            Err(error) => Reply::Refused(error.to_string()),
        }
    }

    /// Requests that were left as files. A file goes after its slot is written; after a crash in between, the slot is
    /// there already and is not planned again.
    pub(super) fn open_inbox(&mut self) {
        for (path, command) in inbox::look(&self.parts.spec.state) {
            let is_done = match &command {
                Command::Run { job, stage, slot: Some(slot) } => {
                    self.parts.scheduler.ledger().has_manual(job, *stage, *slot).unwrap_or(false)
                }
                _ => false,
            };
            if !is_done {
                let reply = self.execute(&command);
                tracing::info!(?command, ?reply, "request from the inbox");
            }
            if let Err(error) = std::fs::remove_file(&path) {
                tracing::warn!(file = %path.display(), %error, "a request could not be removed");
            }
        }
    }

    /// Stages, checks and swaps the config; whatever is wrong leaves the one in force.
    pub(super) fn reload(&mut self, is_asked_for: bool) -> Reply {
        let now = self.parts.clock.now();
        let outcome = match (self.parts.host.reload)(is_asked_for) {
            Ok(None) => return Reply::Reloaded,
            Ok(Some((spec, _))) if spec.state != self.parts.spec.state => {
                Err("the state directory cannot change while the daemon runs; restart it".to_owned())
            }
            Ok(Some((spec, sha256))) => self
                .parts
                .scheduler
                .apply(&spec, now)
                .map_err(|error| error.to_string())
                .map(|()| (spec, sha256)),
            Err(reason) => Err(reason),
        };
        self.parts.metrics.reload(outcome.is_ok(), now as f64 / 1e6);
        let outcome = outcome.map(|(spec, sha256)| {
            tracing::info!(sha256, jobs = spec.jobs.len(), "config applied");
            self.forget_jobs(&spec);
            self.next_reload = spec.reload_poll.map(|every| now + micros(every));
            self.parts.spec = spec;
            self.status.config_sha256 = sha256;
            self.expect_slots();
            self.bootstrap();
        });
        self.status.reload = Some((now, outcome.clone()));
        match outcome {
            Ok(()) => Reply::Reloaded,
            Err(reason) => {
                tracing::error!(reason, "config rejected; the one in force stays");
                Reply::Refused(reason)
            }
        }
    }

    /// Drops the metrics of jobs that a new config does not have.
    fn forget_jobs(&self, spec: &DaemonSpec) {
        let has = |name: &str| spec.jobs.iter().any(|plan| plan.job.name == name);
        for plan in self.parts.spec.jobs.iter().filter(|plan| !has(&plan.job.name)) {
            self.parts.metrics.forget(&plan.job.name);
        }
    }
}
