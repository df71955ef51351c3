//! The whole loop, stopped and started again.

use super::support::*;
use s4cast::schedule::daemon::{Done, Work};
use s4cast::schedule::ledger::{Durability, Ledger};
use s4cast::schedule::metrics::Metrics;
use s4cast::schedule::outcome::{Outcome, Trigger};
use s4cast::schedule::scheduler::{Scheduler, Verdict};
use s4cast::schedule::spec::{JobPlan, Missed, ScheduleSpec, Stage};
use std::sync::Arc;

#[test]
fn the_slots_of_a_stop_are_accounted_for_by_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let schedule = ScheduleSpec { missed: Missed::All, ..every(3600) };
    let plan = || spec(folder.path(), vec![job("load", schedule.clone())]);
    simulate(plan(), at("2026-01-01T00:00:00Z"), at("2026-01-01T06:30:00Z"), done());
    let rows = simulate(plan(), at("2026-01-01T12:10:00Z"), at("2026-01-02T00:00:00Z"), done());
    let hours: Vec<i64> =
        rows.iter().map(|row| (row.slot - at("2026-01-01T00:00:00Z")) / 3_600_000_000).collect();
    assert_eq!(hours, (1..=24).collect::<Vec<_>>());
    let late: Vec<i64> =
        hours.iter().zip(&rows).filter(|(_, row)| row.is_late).map(|(hour, _)| *hour).collect();
    assert_eq!(late, (7..=12).collect::<Vec<_>>());
    assert!(rows.iter().all(|row| row.outcome == Some(Outcome::Ok)));
}

#[test]
fn a_panic_ends_its_slot_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let work: Arc<Work> = Arc::new(|task, _| {
        assert!(task.row.job != "bad", "a deliberate bug");
        Done { verdict: Verdict::Ended(ending(Outcome::Ok, "")), files: None, retrain: None }
    });
    let jobs = vec![job("bad", every(3600)), job("good", every(3600))];
    let metrics = Arc::new(Metrics::new());
    let (from, until) = (at("2026-01-01T00:00:00Z"), at("2026-01-01T03:00:00Z"));
    let rows = simulate_counted(spec(folder.path(), jobs), from, until, work, metrics.clone());
    let text = metrics.render(0.0);
    assert!(text.contains("s4cast_worker_restarts_total 3"), "{text}");
    assert!(
        text.contains("s4cast_slots_total{job=\"bad\",outcome=\"failed\",stage=\"forecast\"} 3"),
        "{text}"
    );
    assert_eq!(rows.len(), 6);
    for row in rows {
        let want = if row.job == "bad" { Outcome::Failed } else { Outcome::Ok };
        assert_eq!(row.outcome, Some(want));
        assert_eq!(row.reasons.iter().any(|reason| reason.contains("a deliberate bug")), row.job == "bad");
    }
}

#[test]
fn a_job_without_a_model_is_trained_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let plan = JobPlan { train: Some(every(86_400)), ..job("load", every(3600)) };
    let start = at("2026-01-01T00:30:00Z");
    let rows = simulate(spec(folder.path(), vec![plan]), start, start + 7_200_000_000, done());
    assert_eq!((rows[0].trigger, rows[0].stage, rows[0].slot), (Trigger::Bootstrap, Stage::Train, start));
    assert_eq!(rows.len(), 3);
}

#[test]
fn a_slot_that_takes_the_process_along_is_given_up_after_ten_times() {
    let folder = tempfile::tempdir().unwrap();
    let plan = spec(folder.path(), vec![job("load", every(3600))]);
    let (from, due) = (at("2026-01-01T00:00:00Z"), at("2026-01-01T01:00:00Z"));
    let open = |now| {
        let ledger = Ledger::open(folder.path(), Durability::Simulated).unwrap();
        Scheduler::new(ledger, &plan, true, now).unwrap()
    };
    let mut scheduler = open(from);
    scheduler.plan_due(due).unwrap();
    // A stop in good order counts for nothing.
    let task = scheduler.launch(due).unwrap().unwrap();
    scheduler.finish(&task.row, &Verdict::Stopped, due).unwrap();
    for attempt in 2..12 {
        let task = open(due).launch(due).unwrap();
        assert_eq!(task.map(|task| task.row.attempts), Some(attempt), "and the process ends");
    }
    assert!(open(due).launch(due).unwrap().is_none());
    let rows = ledger_rows(folder.path());
    assert_eq!((rows.len(), rows[0].outcome), (1, Some(Outcome::Failed)));
    assert!(rows[0].reasons[0].contains("10 times"), "{:?}", rows[0].reasons);
}
