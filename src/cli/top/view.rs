//! What there is to see of a daemon, as a plain value.

use crate::schedule::outcome::{Outcome, Trigger};
use crate::schedule::spec::Stage;
use serde_json::{Value, json};
use std::cmp::Ordering;

use super::words::shown;

/// Everything at one moment; instants are microseconds UTC.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct View {
    /// By the daemon's clock.
    pub now: i64,
    /// The state directory.
    pub state: String,
    pub health: Health,
    /// Version of the program that the daemon is.
    pub version: Option<String>,
    pub pid: Option<u64>,
    pub started_at: Option<i64>,
    /// The last reload: when, and why it was rejected if it was.
    pub reload: Option<(i64, Option<String>)>,
    /// Ascending by name.
    pub jobs: Vec<Job>,
    /// What could not be looked at.
    pub problems: Vec<String>,
}

/// How the daemon is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Health {
    Starting,
    Running,
    Draining,
    /// Its process shows itself, but its loop has not turned since then.
    Hung(i64),
    /// It showed itself last then, and its process is still there.
    Silent(i64),
    /// It ended as it should, then.
    Stopped(i64),
    /// It was seen last then, and did not say that it would end.
    Lost(i64),
    /// Nothing tells of one.
    Unknown,
}

impl Health {
    /// Whether there is a daemon.
    pub fn is_alive(self) -> bool {
        matches!(self, Health::Starting | Health::Running | Health::Draining | Health::Hung(_))
    }

    /// Whether there is one whose loop turns.
    pub fn is_well(self) -> bool {
        matches!(self, Health::Starting | Health::Running | Health::Draining)
    }

    fn as_str(self) -> &'static str {
        match self {
            Health::Starting => "starting",
            Health::Running => "running",
            Health::Draining => "draining",
            Health::Hung(_) => "hung",
            Health::Silent(_) => "silent",
            Health::Stopped(_) => "stopped",
            Health::Lost(_) => "lost",
            Health::Unknown => "unknown",
        }
    }
}

/// One job.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Job {
    pub name: String,
    pub lines: Vec<Line>,
    /// Time of the newest observation that a slot has read.
    pub last_ds: Option<i64>,
    /// Nominal instant of the newest published run.
    pub issued_at: Option<i64>,
    /// Scaled error of what was published, and of seasonal naive.
    pub mase: Option<(f64, f64)>,
    /// (level in percent, share of actual values inside), ascending.
    pub coverage: Vec<(f64, f64)>,
    /// The version that serves.
    pub champion: Option<u32>,
    /// The newest slots, newest first.
    pub runs: Vec<Run>,
}

/// One stage of a job.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    pub stage: Stage,
    /// The schedule in words.
    pub rule: String,
    /// The next slot, if there is a daemon that will work it.
    pub next: Option<i64>,
    pub waiting: usize,
    /// The daemon that works the slot that waits first, where several share the job.
    pub held_by: Option<String>,
    pub running: Option<Running>,
    /// How its newest slots ended, the oldest first.
    pub outcomes: Vec<Outcome>,
}

/// A slot that is being worked.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Running {
    pub started_at: Option<i64>,
    pub phase: Option<Phase>,
}

/// How far it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Phase {
    pub name: String,
    pub done: u64,
    pub total: Option<u64>,
    pub unit: String,
    /// 0 to 1.
    pub fraction: Option<f64>,
    pub rate: Option<f64>,
    pub seconds_left: Option<f64>,
    pub started_at: i64,
}

/// One slot.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Run {
    pub id: i64,
    pub stage: Stage,
    pub slot: i64,
    pub trigger: Trigger,
    pub outcome: Option<Outcome>,
    pub started_at: Option<i64>,
    pub ended_at: Option<i64>,
    pub reasons: Vec<String>,
}

impl Job {
    /// What forecasts gain over seasonal naive; 1 would be without error.
    pub fn skill(&self) -> Option<f64> {
        let (own, naive) = self.mase?;
        Some(1.0 - own / naive).filter(|skill| skill.is_finite())
    }

    /// The stage that runs, if one does: a training last, for it takes longest.
    pub fn running(&self) -> Option<(&Line, &Running)> {
        let mut all = self.lines.iter().filter_map(|line| Some((line, line.running.as_ref()?)));
        let first = all.next()?;
        Some(if first.0.stage == Stage::Train { all.next().unwrap_or(first) } else { first })
    }

    /// The next slot.
    pub fn next(&self) -> Option<(&Line, i64)> {
        self.lines.iter().filter_map(|line| Some((line, line.next?))).min_by_key(|(_, next)| *next)
    }

    /// Whether a slot is being worked, and not waiting to be tried again.
    pub fn works(&self, run: &Run) -> bool {
        let mut lines = self.lines.iter().filter(|line| line.stage == run.stage);
        run.outcome.is_none()
            && run.started_at.is_some()
            && lines.any(|line| line.running.as_ref().is_some_and(|one| one.started_at == run.started_at))
    }

    /// A slot that failed and is or will be tried again.
    pub fn troubled(&self) -> Option<&Run> {
        self.runs.iter().find(|run| run.outcome.is_none() && !run.reasons.is_empty())
    }

    /// Slots that wait.
    pub fn waiting(&self) -> usize {
        self.lines.iter().map(|line| line.waiting).sum()
    }

    /// The daemon that works the slot that waits first, where several share the job.
    pub fn held_by(&self) -> Option<&str> {
        self.lines.iter().find_map(|line| line.held_by.as_deref()).filter(|node| !node.is_empty())
    }

    /// The slot that ended last.
    pub fn last(&self) -> Option<&Run> {
        let ended = self.runs.iter().filter(|run| run.outcome.is_some());
        ended.max_by_key(|run| (run.ended_at, run.id))
    }

    /// The newest slots of any stage that have ended, the oldest first, at most so many.
    pub fn outcomes(&self, most: usize) -> Vec<Outcome> {
        let mut newest: Vec<Outcome> = self.runs.iter().filter_map(|run| run.outcome).take(most).collect();
        newest.reverse();
        newest
    }

    /// How much it needs somebody to look: the outcome of its last slot.
    fn trouble(&self) -> usize {
        match self.last().and_then(|run| run.outcome) {
            Some(Outcome::Failed) => 0,
            Some(Outcome::Missed) => 1,
            Some(Outcome::Degraded) => 2,
            Some(Outcome::Skipped) => 3,
            Some(Outcome::Ok) | None => 4,
        }
    }
}

/// In which order jobs stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sort {
    #[default]
    Name,
    /// What runs, then what comes next.
    Next,
    /// What went wrong last.
    Trouble,
    /// The least skill first.
    Skill,
}

impl Sort {
    pub fn as_str(self) -> &'static str {
        match self {
            Sort::Name => "name",
            Sort::Next => "next slot",
            Sort::Trouble => "trouble",
            Sort::Skill => "skill",
        }
    }

    /// The order after this one.
    pub fn next(self) -> Sort {
        match self {
            Sort::Name => Sort::Next,
            Sort::Next => Sort::Trouble,
            Sort::Trouble => Sort::Skill,
            Sort::Skill => Sort::Name,
        }
    }

    /// The jobs in this order; those that are alike stay by name.
    pub fn of(self, jobs: &[Job]) -> Vec<&Job> {
        let mut sorted: Vec<&Job> = jobs.iter().collect();
        let next = |job: &Job| (job.running().is_none(), job.next().map_or(i64::MAX, |(_, next)| next));
        sorted.sort_by(|a, b| match self {
            Sort::Name => Ordering::Equal,
            Sort::Next => next(a).cmp(&next(b)),
            Sort::Trouble => a.trouble().cmp(&b.trouble()),
            Sort::Skill => {
                let skill = |job: &Job| job.skill().unwrap_or(f64::INFINITY);
                skill(a).total_cmp(&skill(b))
            }
        });
        sorted
    }
}

/// The view for a program.
pub(super) fn document(view: &View) -> Value {
    let seen = match view.health {
        Health::Hung(at) | Health::Silent(at) | Health::Stopped(at) | Health::Lost(at) => Some(shown(at)),
        _ => None,
    };
    json!({
        "now": shown(view.now),
        "state": view.state,
        "daemon": view.health.as_str(),
        "seen_at": seen,
        "version": view.version,
        "pid": view.pid,
        "started_at": view.started_at.map(shown),
        "reload": view.reload.as_ref().map(|(at, reason)| {
            json!({ "at": shown(*at), "applied": reason.is_none(), "reason": reason })
        }),
        "problems": view.problems,
        "jobs": view.jobs.iter().map(|job| job_document(job, view.now)).collect::<Vec<_>>(),
    })
}

fn job_document(job: &Job, now: i64) -> Value {
    let seconds = |at: i64| (now - at) as f64 / 1e6;
    let coverage: serde_json::Map<String, Value> =
        job.coverage.iter().map(|(level, share)| (level.to_string(), json!(share))).collect();
    let stages = job.lines.iter().map(|line| {
        let phase = |running: &Running| {
            let phase = running.phase.as_ref();
            json!({
                "started_at": running.started_at.map(shown),
                "phase": phase.map(|phase| &phase.name),
                "fraction": phase.and_then(|phase| phase.fraction),
                "rate": phase.and_then(|phase| phase.rate),
                "unit": phase.map(|phase| &phase.unit),
                "seconds_left": phase.and_then(|phase| phase.seconds_left),
            })
        };
        json!({
            "stage": line.stage.as_str(),
            "schedule": line.rule,
            "next": line.next.map(shown),
            "waiting": line.waiting,
            "held_by": line.held_by,
            "running": line.running.as_ref().map(phase),
            "outcomes": line.outcomes.iter().map(|outcome| outcome.as_str()).collect::<Vec<_>>(),
        })
    });
    json!({
        "job": job.name,
        "stages": stages.collect::<Vec<_>>(),
        "last": job.last().map(|run| json!({
            "id": run.id,
            "stage": run.stage.as_str(),
            "slot": shown(run.slot),
            "outcome": run.outcome.map(Outcome::as_str),
            "ended_at": run.ended_at.map(shown),
            "reasons": run.reasons,
        })),
        "last_ds": job.last_ds.map(shown),
        "data_lag_s": job.last_ds.map(seconds),
        "issued_at": job.issued_at.map(shown),
        "forecast_age_s": job.issued_at.map(seconds),
        "mase": job.mase.map(|(own, _)| own),
        "mase_seasonal_naive": job.mase.map(|(_, naive)| naive),
        "skill": job.skill(),
        "coverage": coverage,
        "champion": job.champion,
    })
}
