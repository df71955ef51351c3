//! What becomes of slots that were missed, overlap, fail or are asked for: the scheduler alone, at instants of our choice.

use super::support::*;
use jiff::SignedDuration;
use s4cast::schedule::ledger::{Durability, Ledger};
use s4cast::schedule::outcome::{Outcome, SlotRow, Trigger};
use s4cast::schedule::scheduler::{Scheduler, Task, Verdict};
use s4cast::schedule::spec::{JobPlan, Missed, Overlap, ScheduleSpec, Stage};
use std::sync::atomic::Ordering;

const MINUTE: i64 = 60_000_000;

/// A scheduler of one job, "load", that began at 0, and its state directory.
struct Bench {
    folder: tempfile::TempDir,
    plan: JobPlan,
    scheduler: Scheduler,
}

impl Bench {
    fn new(schedule: ScheduleSpec) -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let plan = job("load", schedule);
        let ledger = Ledger::open(folder.path(), Durability::Simulated).unwrap();
        let spec = spec(folder.path(), vec![plan.clone()]);
        let scheduler = Scheduler::new(ledger, &spec, false, 0).unwrap();
        Bench { folder, plan, scheduler }
    }

    /// The same state after a crash or a stop, with a new scheduler.
    fn restart(self, now: i64) -> Bench {
        let Bench { folder, plan, scheduler } = self;
        drop(scheduler);
        let ledger = Ledger::open(folder.path(), Durability::Simulated).unwrap();
        let spec = spec(folder.path(), vec![plan.clone()]);
        Bench { scheduler: Scheduler::new(ledger, &spec, false, now).unwrap(), folder, plan }
    }

    fn turn(&mut self, minute: i64) -> Vec<Task> {
        self.scheduler.plan_due(minute * MINUTE).unwrap();
        launch_all(&mut self.scheduler, minute * MINUTE)
    }

    fn finish(&mut self, task: &Task, verdict: Verdict, minute: i64) {
        self.scheduler.finish(&task.row, &verdict, minute * MINUTE).unwrap();
    }

    /// Works everything that can be worked at that minute; returns the instants in minutes.
    fn work_all(&mut self, minute: i64) -> Vec<i64> {
        let mut worked = Vec::new();
        loop {
            let tasks = self.turn(minute);
            if tasks.is_empty() {
                return worked;
            }
            for task in tasks {
                worked.push(task.row.slot / MINUTE);
                self.finish(&task, ok(), minute);
            }
        }
    }

    /// (minute, outcome, late) of every slot, in the order of planning.
    fn rows(&self) -> Vec<(i64, Option<Outcome>, bool)> {
        let rows = ledger_rows(self.folder.path());
        rows.iter().map(|row| (row.slot / MINUTE, row.outcome, row.is_late)).collect()
    }

    fn last(&self) -> SlotRow {
        ledger_rows(self.folder.path()).pop().unwrap()
    }
}

fn launch_all(scheduler: &mut Scheduler, now: i64) -> Vec<Task> {
    std::iter::from_fn(|| scheduler.launch(now).unwrap()).collect()
}

fn ok() -> Verdict {
    Verdict::Ended(ending(Outcome::Ok, ""))
}

fn flaky() -> Verdict {
    Verdict::Retryable(ending(Outcome::Failed, "the disk hiccups"))
}

#[test]
fn missed_slots_run_never_once_or_all() {
    use Outcome::{Missed as Gone, Ok as Done};
    let cases = [
        (Missed::Skip, vec![], [Some(Gone), Some(Gone), Some(Gone)]),
        (Missed::Once, vec![30], [Some(Gone), Some(Gone), Some(Done)]),
        (Missed::All, vec![10, 20, 30], [Some(Done), Some(Done), Some(Done)]),
    ];
    for (missed, worked, outcomes) in cases {
        // Stopped over three slots.
        let mut bench = Bench::new(ScheduleSpec { missed, ..every(600) }).restart(35 * MINUTE);
        assert_eq!(bench.work_all(35), worked, "{missed:?}");
        let want: Vec<_> =
            [10, 20, 30].into_iter().zip(outcomes).map(|(minute, outcome)| (minute, outcome, true)).collect();
        assert_eq!(bench.rows(), want, "{missed:?}");
        assert_eq!(bench.work_all(40), [40], "the schedule goes on");
        assert!(!bench.last().is_late);
    }
}

#[test]
fn a_punctual_slot_stands_in_for_the_missed_ones() {
    let mut bench = Bench::new(every(600)).restart(30 * MINUTE);
    assert_eq!(bench.work_all(30), [30]);
    let gone = |minute| (minute, Some(Outcome::Missed), true);
    assert_eq!(bench.rows(), [gone(10), gone(20), (30, Some(Outcome::Ok), false)]);
}

#[test]
fn beyond_max_lateness_a_slot_is_missed_also_where_it_waited() {
    let max_lateness = Some(SignedDuration::from_mins(15));
    let late = ScheduleSpec { missed: Missed::All, max_lateness, ..every(600) };
    let mut bench = Bench::new(late.clone()).restart(39 * MINUTE);
    assert_eq!(bench.work_all(39), [30]);
    let reason = &ledger_rows(bench.folder.path())[0].reasons[0];
    assert_eq!(reason, "29m late, max_lateness is 15m");

    let mut bench = Bench::new(ScheduleSpec { overlap: Overlap::Queue, ..late });
    let first = bench.turn(10).pop().unwrap();
    assert!(bench.turn(20).is_empty(), "it queues");
    bench.finish(&first, ok(), 39);
    bench.work_all(39);
    assert_eq!(bench.rows()[1].1, Some(Outcome::Missed));
}

#[test]
fn an_overlapping_slot_is_skipped_queued_or_takes_over() {
    let mut forbid = Bench::new(every(600));
    let running = forbid.turn(10).pop().unwrap();
    assert!(forbid.turn(20).is_empty());
    assert_eq!(forbid.last().outcome, Some(Outcome::Skipped));
    assert_eq!(forbid.last().reasons, ["the slot of 1970-01-01T00:10:00Z still runs (overlap = forbid)"]);
    forbid.finish(&running, ok(), 25);
    assert_eq!(forbid.work_all(30), [30]);

    let mut queue = Bench::new(ScheduleSpec { overlap: Overlap::Queue, ..every(600) });
    let running = queue.turn(10).pop().unwrap();
    assert!(queue.turn(20).is_empty() && queue.turn(30).is_empty());
    queue.finish(&running, ok(), 35);
    assert_eq!(queue.work_all(35), [20, 30]);

    let mut replace = Bench::new(ScheduleSpec { overlap: Overlap::Replace, ..every(600) });
    let running = replace.turn(10).pop().unwrap();
    assert!(replace.turn(20).is_empty() && running.stop.load(Ordering::Relaxed));
    assert!(replace.turn(30).is_empty());
    replace.finish(&running, Verdict::Stopped, 31);
    assert_eq!(replace.work_all(31), [30]);
    let outcomes: Vec<_> = replace.rows().iter().map(|row| row.1).collect();
    assert_eq!(outcomes, [Some(Outcome::Skipped), Some(Outcome::Skipped), Some(Outcome::Ok)]);
}

#[test]
fn a_failure_that_may_pass_is_tried_again_with_growing_waits_and_then_fails() {
    let mut bench =
        Bench::new(ScheduleSpec { attempts: 3, backoff: SignedDuration::from_mins(1), ..every(3600) });
    let first = bench.turn(60).pop().unwrap();
    bench.finish(&first, flaky(), 60);
    assert_eq!(bench.last().reasons, ["the disk hiccups"]);
    assert_eq!(bench.scheduler.wake(60 * MINUTE), Some(61 * MINUTE));
    let second = bench.turn(61).pop().unwrap();
    assert_eq!((second.row.attempts, second.row.run_id.clone()), (2, first.row.run_id));
    bench.finish(&second, flaky(), 61);
    assert!(bench.turn(62).is_empty());
    let third = bench.turn(63).pop().unwrap();
    bench.finish(&third, flaky(), 63);
    assert_eq!((bench.last().outcome, bench.last().attempts), (Some(Outcome::Failed), 3));
    assert!(bench.turn(64).is_empty());
}

#[test]
fn a_failure_of_the_data_is_not_tried_again() {
    let mut bench = Bench::new(ScheduleSpec { attempts: 3, ..every(3600) });
    let task = bench.turn(60).pop().unwrap();
    bench.finish(&task, Verdict::Ended(ending(Outcome::Failed, "no such column")), 60);
    assert_eq!((bench.last().outcome, bench.last().attempts), (Some(Outcome::Failed), 1));
    assert!(bench.turn(62).is_empty());
}

#[test]
fn a_slot_that_waits_for_another_attempt_gives_way_to_the_next() {
    let mut bench =
        Bench::new(ScheduleSpec { attempts: 9, backoff: SignedDuration::from_hours(2), ..every(3600) });
    let task = bench.turn(60).pop().unwrap();
    bench.finish(&task, flaky(), 60);
    assert_eq!(bench.work_all(120), [120]);
    assert_eq!(bench.rows()[0].1, Some(Outcome::Failed));
    assert_eq!(
        ledger_rows(bench.folder.path())[0].reasons,
        ["the disk hiccups", "no attempt before the slot of 1970-01-01T02:00:00Z was due"]
    );
}

#[test]
fn a_clock_that_is_set_back_repeats_no_slot_and_loses_none() {
    let mut bench = Bench::new(every(600));
    let mut worked = bench.work_all(60);
    for minute in (5..=130).step_by(5) {
        worked.extend(bench.work_all(minute));
    }
    worked.sort_unstable();
    assert_eq!(worked, [60, 70, 80, 90, 100, 110, 120, 130]);
    let minutes: Vec<i64> = bench.rows().iter().map(|row| row.0).collect();
    assert_eq!(minutes, (1..=13).map(|k| 10 * k).collect::<Vec<_>>());
}

#[test]
fn what_waits_behind_another_slot_wakes_nobody() {
    let backoff = SignedDuration::from_mins(150);
    let mut bench = Bench::new(ScheduleSpec { attempts: 2, backoff, overlap: Overlap::Queue, ..every(3600) });
    let first = bench.turn(60).pop().unwrap();
    assert!(bench.turn(120).is_empty());
    assert_eq!(bench.scheduler.wake(120 * MINUTE), Some(180 * MINUTE), "the end of the first is heard of");
    bench.finish(&first, flaky(), 120);
    assert!(bench.turn(180).is_empty());
    assert_eq!(bench.scheduler.wake(180 * MINUTE), Some(240 * MINUTE));
    assert!(bench.turn(240).is_empty());
    assert_eq!(bench.scheduler.wake(240 * MINUTE), Some(270 * MINUTE), "its second attempt");
}

#[test]
fn jitter_delays_the_start_and_not_the_slot() {
    let mut bench = Bench::new(ScheduleSpec { jitter: SignedDuration::from_mins(5), ..every(600) });
    let wake = bench.scheduler.wake(0).unwrap();
    assert!((10 * MINUTE..15 * MINUTE).contains(&wake));
    assert!(bench.turn(10).is_empty() || wake == 10 * MINUTE);
    bench.scheduler.plan_due(wake).unwrap();
    let task = launch_all(&mut bench.scheduler, wake).pop().unwrap();
    assert_eq!(task.row.slot, 10 * MINUTE);
    assert_eq!(
        launch_all(&mut bench.restart(wake).scheduler, wake).len(),
        1,
        "the open slot is resumed at once"
    );
}

#[test]
fn what_a_crash_left_is_worked_again_and_recorded_once() {
    let mut bench = Bench::new(every(600));
    let task = bench.turn(10).pop().unwrap();
    let mut bench = bench.restart(12 * MINUTE);
    let again = bench.turn(12).pop().unwrap();
    assert_eq!((again.row.id, again.row.attempts), (task.row.id, 2));
    bench.finish(&again, ok(), 12);
    assert_eq!(bench.rows(), [(10, Some(Outcome::Ok), false)]);
}

#[test]
fn a_shutdown_leaves_its_slot_to_the_next_start() {
    let mut bench = Bench::new(every(600));
    let task = bench.turn(10).pop().unwrap();
    bench.scheduler.drain();
    assert!(bench.turn(20).is_empty());
    bench.finish(&task, Verdict::Stopped, 20);
    assert_eq!(bench.scheduler.running(), 0);
    let mut bench = bench.restart(25 * MINUTE);
    assert_eq!(bench.work_all(25), [10, 20]);
}

#[test]
fn a_person_gets_a_slot_at_any_instant_and_a_job_that_does_not_exist_none() {
    let mut bench = Bench::new(every(600));
    let now = 7 * MINUTE;
    let plan = |bench: &mut Bench, job: &str, stage| {
        bench.scheduler.plan_extra(job, stage, 5 * MINUTE, Trigger::Manual, now).unwrap()
    };
    assert!(plan(&mut bench, "load", Stage::Train).is_none());
    assert!(plan(&mut bench, "lod", Stage::Forecast).is_none());
    let row = plan(&mut bench, "load", Stage::Forecast).unwrap();
    assert_eq!(row.run_id, s4cast::schedule::run_id("load", Stage::Forecast, 5 * MINUTE));
    assert_eq!(bench.work_all(7), [5]);
}

#[test]
fn a_reload_keeps_what_did_not_change_and_ends_what_is_gone() {
    let mut bench = Bench::new(every(600));
    let running = bench.turn(10).pop().unwrap();
    let other = job("other", every(600));
    let both = spec(bench.folder.path(), vec![bench.plan.clone(), other.clone()]);
    bench.scheduler.apply(&both, 12 * MINUTE).unwrap();
    assert_eq!(bench.scheduler.running(), 1, "the unchanged job runs on");
    // A new job begins with the reload, not with the past.
    let tasks = bench.turn(20);
    assert_eq!(tasks.iter().map(|task| task.row.job.as_str()).collect::<Vec<_>>(), ["other"]);
    bench.scheduler.apply(&spec(bench.folder.path(), vec![other]), 21 * MINUTE).unwrap();
    bench.finish(&running, ok(), 22);
    assert!(bench.scheduler.status().iter().all(|job| job.name == "other"));
    let load: Vec<_> = bench.rows();
    assert_eq!(load[0], (10, Some(Outcome::Ok), false), "what ran may finish");
}

#[test]
fn a_ledger_that_refuses_leaves_every_slot_to_the_next_turn() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(folder.path(), Durability::Simulated).unwrap();
    let jobs = ["a", "b", "c"].map(|name| job(name, every(600)));
    let mut scheduler = Scheduler::new(ledger, &spec(folder.path(), jobs.into()), false, 0).unwrap();
    scheduler.plan_due(10 * MINUTE).unwrap();
    // The slots of b may not start for a while, as on a full disk.
    let database = rusqlite::Connection::open(folder.path().join("ledger.db")).unwrap();
    let refuse = "CREATE TRIGGER full BEFORE UPDATE ON slots WHEN OLD.job = 'b' BEGIN SELECT RAISE(ABORT, 'full'); END";
    database.execute_batch(refuse).unwrap();
    let first = scheduler.launch(10 * MINUTE).unwrap().unwrap();
    assert!(scheduler.launch(10 * MINUTE).is_err());
    database.execute_batch("DROP TRIGGER full").unwrap();
    let rest = launch_all(&mut scheduler, 11 * MINUTE);
    let names: Vec<&str> = [&first].into_iter().chain(&rest).map(|task| task.row.job.as_str()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    for task in [&first].into_iter().chain(&rest) {
        scheduler.finish(&task.row, &ok(), 12 * MINUTE).unwrap();
    }
    assert!(
        ledger_rows(folder.path()).iter().all(|row| row.outcome == Some(Outcome::Ok) && row.attempts == 1)
    );
}

#[test]
fn a_shutdown_also_stops_a_forecast_that_trains_first() {
    let mut bench = Bench::new(every(600));
    bench.plan.train = Some(every(6000));
    bench.plan.fingerprint.push_str(" trained elsewhere");
    bench.scheduler.apply(&spec(bench.folder.path(), vec![bench.plan.clone()]), MINUTE).unwrap();
    let forecast = bench.turn(10).pop().unwrap();
    bench.scheduler.drain();
    assert!(!forecast.stop.load(Ordering::Relaxed), "it only predicts, and may finish");

    let mut fits = Bench::new(every(600));
    let task = fits.turn(10).pop().unwrap();
    fits.scheduler.drain();
    assert!(task.fits_first && task.stop.load(Ordering::Relaxed));
}

#[test]
fn trainings_run_one_at_a_time_and_never_block_forecasts() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = ["a", "b", "c"].map(|name| JobPlan { train: Some(every(600)), ..job(name, every(600)) });
    let mut daemon = spec(folder.path(), jobs.into());
    daemon.workers = 2;
    let ledger = Ledger::open(folder.path(), Durability::Simulated).unwrap();
    let mut scheduler = Scheduler::new(ledger, &daemon, false, 0).unwrap();
    scheduler.plan_due(10 * MINUTE).unwrap();
    let tasks = launch_all(&mut scheduler, 10 * MINUTE);
    let count = |stage| tasks.iter().filter(|task| task.row.stage == stage).count();
    assert_eq!((count(Stage::Train), count(Stage::Forecast)), (1, 2));
}
