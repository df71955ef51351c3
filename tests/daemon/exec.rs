//! The daemon with a source that is a command: real work under a simulated clock.

use super::support::{at, every, job, simulate, spec};
use s4cast::ingest::ExecSpec;
use s4cast::pipeline::Sources;
use s4cast::registry::Registry;
use s4cast::schedule::clock::Clock;
use s4cast::schedule::metrics::Metrics;
use s4cast::schedule::outcome::{Outcome, SlotRow};
use s4cast::schedule::work::Workshop;
use std::path::Path;
use std::sync::Arc;

/// Slots of a job that forecasts every hour what a shell script prints; the script is called with the number of its call.
fn slots(folder: &Path, script: &str) -> Vec<SlotRow> {
    let counted = format!("n=$(($(cat calls 2>/dev/null || echo 0) + 1)); echo $n > calls; {script}");
    let mut plan = job("a", every(3600));
    let spec_of = Arc::make_mut(&mut plan.job);
    spec_of.source.inputs = Vec::new();
    spec_of.source.exec =
        Some(ExecSpec { folder: folder.into(), ..ExecSpec::new(vec!["sh".into(), "-c".into(), counted]) });
    spec_of.sink.path = folder.join("out");
    let (from, until) = (at("2024-01-03T00:30:00Z"), at("2024-01-03T04:30:00Z"));
    let state = folder.join("state");
    std::fs::create_dir_all(&state).unwrap();
    let workshop = Workshop {
        budget: Default::default(),
        registry: Registry::at(state.join("models")),
        sources: Sources::default(),
        state: state.clone(),
        metrics: Arc::new(Metrics::new()),
        clock: Clock::simulated(from, until),
    };
    simulate(spec(&state, vec![plan]), from, until, Arc::new(workshop).work())
}

/// Two days of hours.
fn write(folder: &Path) {
    let rows: String = (0..48)
        .map(|hour| format!("2024-01-{:02}T{:02}:00:00Z,{}\n", 1 + hour / 24, hour % 24, hour % 24))
        .collect();
    std::fs::write(folder.join("in.csv"), format!("ds,y\n{rows}")).unwrap();
}

#[test]
fn a_command_that_fails_ends_one_slot_and_the_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let script = "if [ $n = 2 ]; then echo the database is away >&2; exit 9; fi; cat in.csv";
    let rows = slots(folder.path(), script);
    let outcomes: Vec<Option<Outcome>> = rows.iter().map(|row| row.outcome).collect();
    let (ok, failed) = (Some(Outcome::Ok), Some(Outcome::Failed));
    assert_eq!(
        outcomes,
        [ok, failed, ok, ok],
        "{:?}",
        rows.iter().map(|row| &row.reasons).collect::<Vec<_>>()
    );
    let reasons = rows[1].reasons.join("\n");
    assert!(reasons.contains("exec: 'sh' ended with exit code 9"), "{reasons}");
    assert!(reasons.contains("exec: the database is away"), "{reasons}");
    // One call a slot, though each slot trains, too; and what has not changed is not read again.
    assert_eq!(std::fs::read_to_string(folder.path().join("calls")).unwrap().trim(), "4");
    let source = |row: &SlotRow| row.detail["source"].clone();
    assert!(source(&rows[0])["command"].as_str().unwrap().starts_with("sh -c "));
    assert_eq!(source(&rows[0])["revisions"][0]["kind"], "new");
    assert_eq!(
        (source(&rows[2])["revisions"].as_array().unwrap().len(), &source(&rows[2])["bytes_read"]),
        (0, &0.into())
    );
}

#[test]
fn what_a_command_prints_anew_is_read_anew() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let rows = slots(folder.path(), "cat in.csv; echo 2024-01-03T00:00:00Z,$n");
    assert!(rows.iter().all(|row| row.outcome == Some(Outcome::Ok)), "{rows:?}");
    assert!(rows.iter().skip(1).all(|row| row.detail["source"]["revisions"][0]["kind"] == "revised"));
}
