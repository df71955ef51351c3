//! Several daemons with one job list: each under a simulated clock of its own, so that all of them disagree about the time.

use super::support::*;
use s4cast::pipeline::JobSpec;
use s4cast::schedule::clock::Clock;
use s4cast::schedule::daemon::{Done, Work};
use s4cast::schedule::lease::{Fleet, Member, Times};
use s4cast::schedule::ledger::SeenFile;
use s4cast::schedule::metrics::Metrics;
use s4cast::schedule::outcome::{Outcome, SlotRow, Trigger};
use s4cast::schedule::scheduler::Verdict;
use s4cast::schedule::spec::{DaemonSpec, JobPlan, Missed, Overlap, ScheduleSpec, Stage};
use s4cast::series::shard::Shard;
use s4cast::store::{Address, Created, Store, break_memory, mend_memory};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const HOUR: i64 = 3_600_000_000;

fn store(name: &str) -> Store {
    Store::open(&Address::parse(&format!("memory://{name}/leases")).unwrap().unwrap()).unwrap()
}

fn fleet(name: &str, state: &Path, node: &str, clock: &Clock, metrics: &Arc<Metrics>) -> Arc<Fleet> {
    let me = Member::of(state, node, clock.now()).unwrap();
    let (ticks, now) = (clock.clone(), clock.clone());
    let times = Times { ticks: Arc::new(move || ticks.now()), now: Arc::new(move || now.now()) };
    let stamp = Arc::new(|_: &JobSpec, _: &[SeenFile]| Some(vec![("in.csv".into(), "{}".into())]));
    let ttl = Duration::from_secs(30);
    Arc::new(Fleet::new(store(name), (me, ttl, Shard::WHOLE), times, metrics.clone(), stamp))
}

/// One daemon of a fleet from one instant to another.
fn member(
    name: &str,
    (node, state): (&str, &Path),
    jobs: Vec<JobPlan>,
    (from, until): (i64, i64),
    work: Arc<Work>,
) -> (Vec<SlotRow>, Arc<Metrics>) {
    let (clock, metrics) = (Clock::simulated(from, until), Arc::new(Metrics::new()));
    let fleet = fleet(name, state, node, &clock, &metrics);
    let spec: DaemonSpec = spec(state, jobs);
    (simulate_beside(spec, clock, work, metrics.clone(), Some(fleet)), metrics)
}

/// Work that commits a run by creating an object, as sinks in a store do.
fn committing(name: &str) -> Arc<Work> {
    let runs = store(name).below("runs");
    Arc::new(move |task, _| {
        let verdict = match task.hold.holds() {
            true => {
                let created = runs.create(&task.row.run_id, b"committed").unwrap();
                let reason = if created == Created::Now { "" } else { "published before" };
                Verdict::Ended(ending(Outcome::Ok, reason))
            }
            false => Verdict::Stopped,
        };
        Done { verdict, files: None, retrain: None }
    })
}

fn is_worked(row: &SlotRow) -> bool {
    matches!(row.outcome, Some(Outcome::Ok | Outcome::Degraded))
}

fn all_slots(job: &str, schedule: ScheduleSpec) -> JobPlan {
    self::job(job, ScheduleSpec { missed: Missed::All, overlap: Overlap::Queue, ..schedule })
}

#[test]
fn three_daemons_work_every_slot_once_however_their_clocks_run() {
    let name = "fleet-three";
    let start = at("2026-01-01T00:00:00Z");
    let jobs = || vec![all_slots("load", every(600)), all_slots("price", every(900))];
    let folders = [0; 3].map(|_| tempfile::tempdir().unwrap());
    let rows: Vec<Vec<SlotRow>> = std::thread::scope(|scope| {
        let span = (start, start + 30 * HOUR + HOUR / 12);
        let threads: Vec<_> = folders
            .iter()
            .zip(["a", "b", "c"])
            .map(|(folder, node)| {
                let work = committing(name);
                scope.spawn(move || member(name, (node, folder.path()), jobs(), span, work).0)
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut worked: BTreeMap<(String, i64), Vec<String>> = BTreeMap::new();
    for row in rows.iter().flatten().filter(|row| is_worked(row)) {
        worked.entry((row.job.clone(), row.slot)).or_default().push(row.run_id.clone());
    }
    // 180 slots of ten minutes and 120 of a quarter of an hour; the last ones may be open with whoever does not have them.
    assert!(worked.values().all(|runs| runs.len() == 1), "{worked:?}");
    assert_eq!(worked.len(), 300);
    let runs = store(name).below("runs").list("").unwrap();
    assert_eq!(runs.len(), 300);
    for row in rows.iter().flatten().filter(|row| !is_worked(row)) {
        assert!(matches!(row.outcome, Some(Outcome::Skipped) | None), "{row:?}");
        assert!(row.outcome.is_none() || row.reasons[0].starts_with("worked by "), "{row:?}");
        assert!(row.started_at.is_none() || row.attempts > 0);
    }
}

#[test]
fn what_one_missed_and_another_worked_is_no_miss_and_what_all_missed_is_one() {
    let name = "fleet-missed";
    let start = at("2026-01-01T00:00:00Z");
    let jobs = || vec![job("load", every(3600))];
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let run = |node: &str, folder: &tempfile::TempDir, from: i64, until: i64| {
        let span = (start + from * HOUR, start + until * HOUR + HOUR / 2);
        member(name, (node, folder.path()), jobs(), span, committing(name))
    };
    run("b", &b, 0, 1);
    run("a", &a, 0, 3);
    // Nobody is there for the slots of hours 4 to 6; b comes back, then a.
    let (rows, metrics) = run("b", &b, 7, 8);
    let short: Vec<(i64, Outcome, &str)> = rows
        .iter()
        .map(|row| {
            let reason = row.reasons.first().map_or("", String::as_str);
            ((row.slot - start) / HOUR, row.outcome.unwrap(), reason.split(" (").next().unwrap())
        })
        .collect();
    let (ok, skipped, missed) = (Outcome::Ok, Outcome::Skipped, Outcome::Missed);
    let passed = "a later slot runs in its place";
    assert_eq!(
        short,
        [
            (1, ok, ""),
            (2, skipped, "worked by a: ok"),
            (3, skipped, "worked by a: ok"),
            (4, missed, passed),
            (5, missed, passed),
            (6, missed, passed),
            (7, ok, ""),
            (8, ok, ""),
        ]
    );
    let text = metrics.render(0.0);
    assert!(
        text.contains("s4cast_slots_total{job=\"load\",outcome=\"missed\",stage=\"forecast\"} 3"),
        "{text}"
    );
    let (rows, metrics) = run("a", &a, 8, 9);
    let reasons: Vec<&str> =
        rows[3..].iter().map(|row| row.reasons.first().map_or("", String::as_str)).collect();
    let recorded = "recorded by b: missed";
    assert_eq!(reasons, [recorded, recorded, recorded, "worked by b: ok", "worked by b: ok", ""]);
    let last = format!(
        "s4cast_job_last_success_timestamp_seconds{{job=\"load\",stage=\"forecast\"}} {}",
        (start + 9 * HOUR) / 1_000_000
    );
    assert!(metrics.render(0.0).contains(&last), "{}", metrics.render(0.0));
}

#[test]
fn a_model_that_nobody_has_yet_is_trained_by_one() {
    let name = "fleet-bootstrap";
    let start = at("2026-01-01T00:00:00Z");
    let trained = Arc::new(AtomicUsize::new(0));
    let folders = [0; 3].map(|_| tempfile::tempdir().unwrap());
    for (at, folder) in folders.iter().enumerate() {
        let count = trained.clone();
        let work: Arc<Work> = Arc::new(move |task, _| {
            let fails = task.row.stage == Stage::Train && count.fetch_add(1, Ordering::Relaxed) == 0;
            let outcome = if fails { Outcome::Failed } else { Outcome::Ok };
            Done { verdict: Verdict::Ended(ending(outcome, "")), files: None, retrain: None }
        });
        let plan = JobPlan { train: Some(every(86_400)), ..job("load", every(3600)) };
        let from = start + at as i64 * 1_000_000;
        let (rows, _) =
            member(name, (&at.to_string(), folder.path()), vec![plan], (from, from + HOUR / 2), work);
        let first = &rows[0];
        assert_eq!((first.trigger, first.stage), (Trigger::Bootstrap, Stage::Train));
        // The first fails for reasons of its own, the second does it, the third need not.
        let want = [Outcome::Failed, Outcome::Ok, Outcome::Skipped][at];
        assert_eq!(first.outcome, Some(want), "{first:?}");
    }
    assert_eq!(trained.load(Ordering::Relaxed), 2);
}

#[test]
fn failures_are_tried_by_whoever_can_and_counted_together() {
    let name = "fleet-retry";
    let start = at("2026-01-01T00:00:00Z");
    let schedule = ScheduleSpec { attempts: 3, ..every(3600) };
    let plan = || vec![job("load", schedule.clone())];
    let folder = tempfile::tempdir().unwrap();
    let failing: Arc<Work> = Arc::new(|_, _| Done {
        verdict: Verdict::Retryable(ending(Outcome::Failed, "no disk")),
        files: None,
        retrain: None,
    });
    let span = (start, start + HOUR + HOUR / 2);
    let (rows, _) = member(name, ("a", folder.path()), plan(), span, failing);
    assert_eq!((rows[0].outcome, rows[0].attempts), (Some(Outcome::Failed), 3));
    let other = tempfile::tempdir().unwrap();
    let (rows, _) = member(name, ("b", other.path()), plan(), span, done());
    assert_eq!(rows[0].reasons, ["worked by a: failed"]);
}

#[test]
fn without_the_store_nothing_is_worked_and_with_it_everything_is() {
    let name = "fleet-dark";
    let start = at("2026-01-01T00:00:00Z");
    let folder = tempfile::tempdir().unwrap();
    let plan = || vec![all_slots("load", every(3600))];
    break_memory(name, s4cast::store::Fault::Fails, 0, u64::MAX);
    let span = (start, start + 2 * HOUR + HOUR / 2);
    let (rows, metrics) = member(name, ("a", folder.path()), plan(), span, committing(name));
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|row| row.outcome.is_none() && row.attempts == 0 && row.started_at.is_none()));
    assert!(!metrics.render(0.0).contains("s4cast_lease_errors_total 0"));
    mend_memory(name);
    let span = (start + 3 * HOUR, start + 3 * HOUR + HOUR / 2);
    let (rows, _) = member(name, ("a", folder.path()), plan(), span, committing(name));
    assert!(rows.iter().all(|row| row.outcome == Some(Outcome::Ok)), "{rows:?}");
    assert_eq!(rows.len(), 3);
}

#[test]
fn a_slot_that_ended_right_before_a_crash_ends_the_same_after_it() {
    let name = "fleet-crash";
    let start = at("2026-01-01T00:00:00Z");
    let folder = tempfile::tempdir().unwrap();
    let plan = || vec![job("load", every(3600))];
    // A day's work, and the ledger of its first half: what a power cut would leave of it.
    let early = (start, start + HOUR / 2);
    member(name, ("a", folder.path()), plan(), early, committing(name));
    let copy = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()) {
        if file.is_file() {
            std::fs::copy(&file, copy.path().join(file.file_name().unwrap())).unwrap();
        }
    }
    let span = (start + HOUR / 2, start + 3 * HOUR + HOUR / 2);
    member(name, ("a", folder.path()), plan(), span, committing(name));
    let never: Arc<Work> = Arc::new(|task, _| panic!("{} is worked twice", task.row.slot));
    let (rows, _) = member(name, ("a", copy.path()), plan(), span, never);
    assert_eq!(rows.len(), 3);
    assert!(rows.iter().all(|row| row.outcome == Some(Outcome::Ok)), "{rows:?}");
    assert!(rows[0].reasons[0].contains("right before this daemon was stopped"));
}

#[test]
fn leases_of_long_ago_are_removed_and_those_of_late_stay() {
    let name = "fleet-clean";
    let start = at("2026-01-01T00:00:00Z");
    let folder = tempfile::tempdir().unwrap();
    let plan = || vec![job("load", every(6 * 3600))];
    let day = 24 * HOUR;
    member(name, ("a", folder.path()), plan(), (start, start + 3 * day + HOUR), committing(name));
    let count = || store(name).list("load").unwrap().len();
    assert_eq!(count(), 12 * 2);
    let (clock, metrics) = (Clock::simulated(start, start), Arc::new(Metrics::new()));
    let fleet = fleet(name, folder.path(), "a", &clock, &metrics);
    let clean = |before: i64| fleet.clean("load", Stage::Forecast, before).unwrap();
    assert_eq!(clean(start + day + HOUR), 3 * 2, "the slots of 06, 12 and 18 o'clock");
    assert_eq!(clean(start + day + 2 * HOUR), 0);
    assert_eq!(clean(start + 3 * day), 8 * 2);
    assert_eq!(count(), 2, "the slot of midnight");
}
