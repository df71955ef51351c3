//! The closed loop with everything in a store: the same rows as in folders, and another machine that goes on.

use super::{address, fresh, sink};
use crate::closed_loop::{DAY, HOUR, Place};
use s4cast::live::anomaly::{AnomalySpec, Direction};
use s4cast::publish;
use s4cast::registry::Registry;
use s4cast::store::{Fault, break_memory, mend_memory};

fn values(days: usize) -> Vec<f64> {
    (0..days * DAY)
        .map(|hour| 50.0 + 10.0 * (hour as f64 * 0.2618).sin() + ((hour * 7919) % 13) as f64)
        .collect()
}

fn place(store: Option<&str>) -> Place {
    let mut place = Place::new(|job| {
        job.anomaly = Some(AnomalySpec {
            level: 95.0,
            direction: Direction::Both,
            least_distance: 0.0,
            least_share: 0.0,
            range: None,
        });
    });
    if let Some(store) = store {
        place.job.sink = sink(place.folder.path(), store, "0/1");
        place.registry =
            Registry::copy_of(place.folder.path().join("models"), &address(store, "models")).unwrap();
    }
    place.write(&values(30));
    place
}

#[test]
fn the_same_scenario_gives_the_same_rows_here_and_there() {
    let store = fresh("loop");
    let (local, remote) = (place(None), place(Some(&store)));
    for place in [&local, &remote] {
        place.train(20 * DAY);
        for day in 20..24 {
            place.forecast(day * DAY);
        }
        place.score(24 * DAY);
        place.forecast(24 * DAY);
    }
    let runs = |place: &Place| {
        let runs = publish::runs(&place.job.sink.path, "load").unwrap();
        runs.into_iter().map(|run| (run.run_id, run.sha256, run.metadata)).collect::<Vec<_>>()
    };
    assert_eq!(runs(&local).len(), 5);
    assert_eq!(runs(&local), runs(&remote));
    let scores = |place: &Place| {
        let at = publish::scores_path(&place.job.sink.path, "load").unwrap();
        publish::read_scores(&at).unwrap()
    };
    assert_eq!(scores(&local), scores(&remote));

    // Another machine has nothing but the address: it serves the same model, corrects by the same runs, scores the same.
    let other = place(Some(&store));
    local.forecast(25 * DAY);
    other.forecast(25 * DAY);
    assert_eq!(runs(&local)[0], runs(&other)[0]);
    local.score(26 * DAY);
    other.score(26 * DAY);
    assert_eq!(scores(&local), scores(&other));
    remote.score(26 * DAY);
    assert_eq!((runs(&other), scores(&other)), (runs(&remote), scores(&remote)));
    let anomalies = |place: &Place| {
        publish::read_anomalies(&publish::anomalies_path(&place.job.sink.path, "load").unwrap()).unwrap()
    };
    assert_eq!(anomalies(&local), anomalies(&other));
}

#[test]
fn a_forecast_fails_while_its_sink_is_away_and_serves_on_while_its_models_are() {
    let (sinks, models) = (fresh("sink"), fresh("registry"));
    let mut place = place(Some(&sinks));
    place.registry =
        Registry::copy_of(place.folder.path().join("models"), &address(&models, "models")).unwrap();
    place.train(20 * DAY);
    break_memory(&models, Fault::Fails, 0, 1_000);
    assert_eq!(place.forecast(20 * DAY).version, Some(1));
    mend_memory(&models);
    let context = |hour: usize| s4cast::pipeline::Moment {
        issued_at: hour as i64 * HOUR,
        created_at: hour as i64 * HOUR,
        run_id: format!("run-{hour}"),
    };
    break_memory(&sinks, Fault::Fails, 0, 1_000);
    let failed = place.with(&context(21 * DAY), |context| {
        s4cast::pipeline::forecast(&place.job, context, false, false).err().unwrap()
    });
    assert!(failed.is_retryable() && failed.to_string().contains("memory://"), "{failed}");
    mend_memory(&sinks);
    assert_eq!(publish::runs(&place.job.sink.path, "load").unwrap().len(), 1);
    let done = place.with(&context(21 * DAY), |context| {
        s4cast::pipeline::forecast(&place.job, context, false, true).unwrap()
    });
    assert!(!done.was_there);
    let again = place.with(&context(21 * DAY), |context| {
        s4cast::pipeline::forecast(&place.job, context, false, false).unwrap()
    });
    assert!(again.was_there, "what is committed in a store is not made twice");
}

#[test]
fn a_shard_that_stays_away_leaves_its_run_degraded_and_uncommitted() {
    let store = fresh("degraded");
    let mut place = place(Some(&store));
    place.job.sink = sink(place.folder.path(), &store, "0/2");
    place.train(20 * DAY);
    let done = place.forecast(20 * DAY);
    let words = done.shortfalls.join("\n");
    assert!(words.contains("1 of 2 shards are missing") && words.contains(": 1;"), "{words}");
    let there = s4cast::store::Store::open(&address(&store, "lake")).unwrap().list("").unwrap();
    assert!(!there.iter().any(|entry| entry.name.ends_with("_commit.json")));
}
