//! Looks at a daemon from outside: its status file, its ledger, its models. Nothing is asked of it and nothing is written.

use super::history::History;
use super::view::{Health, Job, Line, Phase, Run, Running, View};
use crate::cli::beacon;
use crate::cli::error::CliError;
use crate::registry::Registry;
use crate::schedule::ledger::LedgerError;
use crate::schedule::outcome::{Outcome, SlotRow};
use crate::schedule::spec::Stage;
use crate::series::civil::SECOND;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Slots of a job that are listed.
const RUNS: usize = 60;

/// How long the loop may take for a turn, in microseconds: as long as `/healthz` lets it.
const TURN: i64 = 30 * SECOND;

/// How old what is known of the serving versions may get, in microseconds.
const CHAMPIONS_EVERY: i64 = 5 * SECOND;

/// What is kept between two looks.
pub(super) struct Gatherer {
    state: PathBuf,
    registry: Registry,
    history: Option<History>,
    champions: BTreeMap<String, Option<u32>>,
    champions_at: i64,
}

impl Gatherer {
    /// For a state directory that a daemon has used.
    pub fn new(state: &Path) -> Result<Gatherer, CliError> {
        if !state.is_dir() {
            return Err(CliError::Missing(format!(
                "there is no state directory {}; name that of a daemon, with --state or --config, or start one: s4cast serve",
                state.display()
            )));
        }
        let history = match History::open(state) {
            Ok(history) => Some(history),
            // A daemon that has just started for the first time.
            Err(LedgerError::Missing(_)) if state.join(beacon::FILE).is_file() => None,
            Err(error) => return Err(error.into()),
        };
        let registry = Registry::at(state.join("models"));
        Ok(Gatherer {
            state: state.into(),
            registry,
            history,
            champions: BTreeMap::new(),
            champions_at: i64::MIN,
        })
    }

    /// What there is to see at `now`, microseconds UTC. What cannot be read is told in the view.
    pub fn look(&mut self, now: i64) -> View {
        let snapshot = Snapshot::read(&self.state.join(beacon::FILE), now);
        let mut problems = Vec::new();
        if let Err(error) = self.refresh(&snapshot) {
            problems.push(error.to_string());
            // A ledger that was replaced is opened anew.
            self.history = None;
        }
        problems.extend(snapshot.problem.clone());
        let mut names: Vec<String> = snapshot.stages.keys().cloned().collect();
        if snapshot.health == Health::Unknown {
            names = self.history.as_ref().map_or(Vec::new(), History::jobs);
        }
        if !(0..CHAMPIONS_EVERY).contains(&now.saturating_sub(self.champions_at)) {
            let champion = |job: &String| {
                let manifest = self.registry.champion(job).ok().flatten();
                (job.clone(), manifest.map(|manifest| manifest.version))
            };
            (self.champions, self.champions_at) = (names.iter().map(champion).collect(), now);
        }
        View {
            now: snapshot.now,
            state: self.state.display().to_string(),
            health: snapshot.health,
            version: snapshot.version.clone(),
            pid: snapshot.pid,
            started_at: snapshot.started_at,
            reload: snapshot.reload.clone(),
            jobs: names.into_iter().map(|name| self.job(name, &snapshot)).collect(),
            problems,
        }
    }

    fn refresh(&mut self, snapshot: &Snapshot) -> Result<(), LedgerError> {
        let history = match &mut self.history {
            Some(history) => {
                history.refresh()?;
                history
            }
            None => self.history.insert(History::open(&self.state)?),
        };
        for (job, lines) in &snapshot.stages {
            lines.iter().try_for_each(|line| history.want(job, line.stage))?;
        }
        Ok(())
    }

    fn job(&self, name: String, snapshot: &Snapshot) -> Job {
        let known = name.as_str();
        let rows = |stage: Stage| self.history.iter().flat_map(move |history| history.of(known, stage));
        let mut newest: Vec<&SlotRow> = Stage::ALL.into_iter().flat_map(&rows).collect();
        newest.sort_by_key(|row| std::cmp::Reverse(row.id));
        let mut lines = snapshot.stages.get(&name).cloned().unwrap_or_default();
        if lines.is_empty() {
            let known = Stage::ALL.into_iter().filter(|stage| rows(*stage).next().is_some());
            lines = known.map(Line::of).collect();
        }
        for line in &mut lines {
            line.outcomes = rows(line.stage).filter_map(|row| row.outcome).collect();
            line.outcomes.reverse();
            if let Some(running) = &mut line.running {
                let open = rows(line.stage).find(|row| row.outcome.is_none() && row.started_at.is_some());
                running.started_at = open.and_then(|row| row.started_at);
            }
        }
        let done = |row: &&&SlotRow| matches!(row.outcome, Some(Outcome::Ok | Outcome::Degraded));
        let published = newest.iter().filter(|row| row.stage == Stage::Forecast).filter(done);
        let scored = newest.iter().find(|row| row.stage == Stage::Score && row.detail["mase"].is_f64());
        let mase = scored.and_then(|row| {
            Some((row.detail["mase"].as_f64()?, row.detail["mase_seasonal_naive"].as_f64()?))
        });
        let last_ds = newest.iter().filter_map(|row| instant(&row.detail["source"]["last_ds"])).max();
        Job {
            last_ds,
            issued_at: published.map(|row| row.slot).max(),
            mase,
            coverage: scored.map_or(Vec::new(), |row| coverage(&row.detail["coverage"])),
            champion: self.champions.get(&name).copied().flatten(),
            runs: newest.iter().take(RUNS).map(|row| run(row)).collect(),
            lines,
            name,
        }
    }
}

impl Line {
    /// A stage of which nothing is known but that there were slots.
    fn of(stage: Stage) -> Line {
        Line {
            stage,
            rule: String::new(),
            next: None,
            waiting: 0,
            held_by: None,
            running: None,
            outcomes: Vec::new(),
        }
    }
}

fn run(row: &SlotRow) -> Run {
    Run {
        id: row.id,
        stage: row.stage,
        slot: row.slot,
        trigger: row.trigger,
        outcome: row.outcome,
        started_at: row.started_at,
        ended_at: row.ended_at,
        reasons: row.reasons.clone(),
    }
}

/// Levels in percent with the share of values inside, ascending.
fn coverage(value: &Value) -> Vec<(f64, f64)> {
    let pairs = value.as_object().into_iter().flatten();
    let mut all: Vec<(f64, f64)> =
        pairs.filter_map(|(level, share)| Some((level.parse().ok()?, share.as_f64()?))).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    all
}

/// An instant of a document.
fn instant(value: &Value) -> Option<i64> {
    value.as_str()?.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_microsecond)
}

/// The status file, as far as it can be understood: its writer may be another version of the program.
#[derive(Debug)]
struct Snapshot {
    health: Health,
    /// By the daemon's clock.
    now: i64,
    version: Option<String>,
    pid: Option<u64>,
    started_at: Option<i64>,
    reload: Option<(i64, Option<String>)>,
    stages: BTreeMap<String, Vec<Line>>,
    problem: Option<String>,
}

impl Snapshot {
    fn read(path: &Path, now: i64) -> Snapshot {
        let unknown = |problem: Option<String>| Snapshot {
            health: Health::Unknown,
            now,
            version: None,
            pid: None,
            started_at: None,
            reload: None,
            stages: BTreeMap::new(),
            problem,
        };
        match std::fs::read(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => unknown(None),
            Err(error) => unknown(Some(format!("{}: {error}", path.display()))),
            Ok(bytes) => match serde_json::from_slice(&bytes) {
                Ok(document) => Snapshot::of(&document, now, &exists),
                Err(error) => unknown(Some(format!("{}: {error}", path.display()))),
            },
        }
    }

    /// What a status file says at `now`; `exists` tells whether there is a process of a number.
    fn of(document: &Value, now: i64, exists: &dyn Fn(u64) -> bool) -> Snapshot {
        let written = instant(&document["written_at"]).unwrap_or(0);
        let is_fresh = now.saturating_sub(written) < beacon::DEAD_AFTER;
        // The time of a simulation is none of anybody else.
        let ticked = instant(&document["ticked_at"]);
        let own = ticked.filter(|_| document["clock"] == "simulated");
        let turned = ticked.filter(|_| own.is_none() && document["state"] != "starting").unwrap_or(now);
        let health = match document["state"].as_str() {
            Some("stopped") => Health::Stopped(written),
            _ if !is_fresh && document["pid"].as_u64().is_some_and(exists) => Health::Silent(written),
            _ if !is_fresh => Health::Lost(written),
            _ if now.saturating_sub(turned) > TURN => Health::Hung(turned),
            Some("draining") => Health::Draining,
            Some("starting") => Health::Starting,
            _ => Health::Running,
        };
        let is_newer = document["format"].as_u64().is_some_and(|format| format > beacon::FORMAT);
        let reload = instant(&document["reload"]["at"])
            .map(|at| (at, document["reload"]["reason"].as_str().map(str::to_owned)));
        let jobs = document["jobs"].as_array().into_iter().flatten();
        let stages = jobs.filter_map(|job| {
            let lines = job["stages"].as_array().into_iter().flatten();
            let lines = lines.filter_map(|line| stage(line, health.is_alive())).collect();
            Some((job["job"].as_str()?.to_owned(), lines))
        });
        Snapshot {
            health,
            now: own.unwrap_or(now),
            version: document["version"].as_str().map(str::to_owned),
            pid: document["pid"].as_u64(),
            started_at: instant(&document["started_at"]),
            reload,
            stages: stages.collect(),
            problem: is_newer
                .then(|| "the daemon is newer than this program, which may not see everything".into()),
        }
    }
}

/// Whether this machine has a process of that number.
#[cfg(unix)]
fn exists(pid: u64) -> bool {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    // One that may not be asked is there.
    pid.is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

/// Elsewhere nobody knows.
#[cfg(not(unix))]
fn exists(_: u64) -> bool {
    false
}

/// One stage; without a daemon nothing runs and nothing is to come.
fn stage(line: &Value, is_alive: bool) -> Option<Line> {
    let runs = is_alive && !line["running"].is_null();
    Some(Line {
        rule: line["schedule"].as_str().unwrap_or_default().to_owned(),
        next: instant(&line["next"]).filter(|_| is_alive),
        waiting: line["waiting"].as_u64().filter(|_| is_alive).unwrap_or(0) as usize,
        held_by: line["held_by"].as_str().filter(|_| is_alive).map(str::to_owned),
        running: runs.then(|| Running { started_at: None, phase: phase(&line["progress"]) }),
        ..Line::of(Stage::from_name(line["stage"].as_str()?)?)
    })
}

fn phase(progress: &Value) -> Option<Phase> {
    let name = progress["phase"].as_str()?;
    let part = progress["part"].as_u64().zip(progress["parts"].as_u64());
    Some(Phase {
        name: part.map_or(name.to_owned(), |(part, of)| format!("{name} {part} of {of}")),
        done: progress["done"].as_u64().unwrap_or(0),
        total: progress["total"].as_u64(),
        unit: progress["unit"].as_str().unwrap_or_default().to_owned(),
        fraction: progress["fraction"].as_f64(),
        rate: progress["rate"].as_f64(),
        seconds_left: progress["seconds_left"].as_f64(),
        started_at: instant(&progress["started_at"])?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn document(state: &str) -> Value {
        json!({
            "format": 1, "state": state, "version": "0.1.0", "pid": 7, "clock": "system",
            "written_at": "2026-03-01T12:00:00Z", "ticked_at": "2026-03-01T12:00:00Z",
            "started_at": "2026-03-01T11:00:00Z", "reload": null,
            "jobs": [{ "job": "load", "stages": [{
                "stage": "train", "schedule": "every 1h", "next": "2026-03-01T13:00:00Z", "running": "run",
                "waiting": 2, "progress": {
                    "phase": "reading", "part": 2, "parts": 3, "fraction": 0.5, "done": 5, "total": 10, "unit": "bytes", "rate": null,
                    "seconds_left": null, "started_at": "2026-03-01T11:59:00Z",
                },
            }, { "stage": "prune" }] }],
        })
    }

    fn at(text: &str) -> i64 {
        instant(&json!(text)).expect("an instant")
    }

    #[test]
    fn a_daemon_that_shows_itself_is_alive() {
        let snapshot = Snapshot::of(&document("running"), at("2026-03-01T12:00:07Z"), &|_| true);
        assert_eq!((snapshot.health, snapshot.pid), (Health::Running, Some(7)));
        let lines = &snapshot.stages["load"];
        assert_eq!(lines.len(), 1, "an unknown stage is passed over");
        assert_eq!((lines[0].waiting, lines[0].next), (2, Some(at("2026-03-01T13:00:00Z"))));
        let phase = lines[0].running.as_ref().and_then(|running| running.phase.clone()).expect("a phase");
        assert_eq!(
            (phase.name.as_str(), phase.fraction, phase.total),
            ("reading 2 of 3", Some(0.5), Some(10))
        );
    }

    #[test]
    fn without_a_daemon_nothing_runs_and_nothing_is_to_come() {
        let written = at("2026-03-01T12:00:00Z");
        for (state, later, health) in [
            ("stopped", 1, Health::Stopped(written)),
            ("running", 180, Health::Lost(written)),
            ("draining", 15, Health::Lost(written)),
        ] {
            let snapshot = Snapshot::of(&document(state), written + later * SECOND, &|_| false);
            assert_eq!(snapshot.health, health);
            let line = &snapshot.stages["load"][0];
            assert_eq!((line.next, line.waiting, &line.running), (None, 0, &None));
        }
    }

    #[test]
    fn what_is_no_status_is_told_and_what_is_missing_is_left_out() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join(beacon::FILE);
        assert_eq!(Snapshot::read(&path, 5).health, Health::Unknown);
        std::fs::write(&path, "{").expect("written");
        assert!(Snapshot::read(&path, 5).problem.is_some_and(|problem| problem.contains(beacon::FILE)));
        std::fs::write(&path, r#"{"state":"running","format":9}"#).expect("written");
        let snapshot = Snapshot::read(&path, 5);
        assert_eq!((snapshot.health, snapshot.stages.len()), (Health::Running, 0));
        assert!(snapshot.problem.is_some_and(|problem| problem.contains("newer")));
    }

    #[test]
    fn a_simulation_has_its_own_time() {
        let mut document = document("running");
        document["clock"] = json!("simulated");
        document["ticked_at"] = json!("2024-01-01T00:00:00Z");
        let now = at("2026-03-01T12:00:01Z");
        let snapshot = Snapshot::of(&document, now, &|_| true);
        assert_eq!((snapshot.now, snapshot.health), (at("2024-01-01T00:00:00Z"), Health::Running));
    }

    #[test]
    fn a_loop_that_does_not_turn_and_a_process_that_says_nothing_are_told() {
        let mut document = document("running");
        let written = at("2026-03-01T12:00:00Z");
        assert_eq!(
            Snapshot::of(&document, written + 60 * SECOND, &|pid| pid == 7).health,
            Health::Silent(written)
        );
        document["written_at"] = json!("2026-03-01T12:00:40Z");
        let hung = Snapshot::of(&document, written + 41 * SECOND, &|_| true);
        assert_eq!((hung.health, hung.stages["load"][0].waiting), (Health::Hung(written), 2));
        assert!(exists(std::process::id().into()) && !exists(0) && !exists(u64::MAX));
    }

    #[test]
    fn a_state_directory_that_is_not_there_is_refused_with_a_remedy() {
        let folder = tempfile::tempdir().expect("folder");
        let error = Gatherer::new(&folder.path().join("none")).err().expect("refused");
        assert_eq!(error.exit(), crate::cli::Exit::NoInput);
        assert!(error.to_string().contains("--state"));
        assert_eq!(Gatherer::new(folder.path()).err().expect("no ledger").exit(), crate::cli::Exit::NoInput);
        std::fs::write(folder.path().join(beacon::FILE), document("running").to_string()).expect("written");
        let view = Gatherer::new(folder.path()).expect("a daemon").look(at("2026-03-01T12:00:01Z"));
        assert_eq!((view.jobs.len(), view.jobs[0].runs.len()), (1, 0));
    }
}
