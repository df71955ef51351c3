//! A store that breaks at every single operation in turn: nothing is torn, and a repetition completes.

use super::{DAY, Machine, fresh};
use crate::publish::key;
use s4cast::publish;
use s4cast::store::{Fault, break_memory, mend_memory};

/// More operations than anything here takes.
const OPERATIONS: u64 = 80;

/// What holds at every instant, whatever broke.
fn holds(machine: &Machine, before: &str, new: &str) {
    let committed = machine.committed();
    for (run, _) in machine.here() {
        assert!(committed.contains_key(&run), "{run} counts here and not there");
    }
    for shown in [machine.latest(), machine.pointer()].into_iter().flatten() {
        assert!(committed.contains_key(&shown), "latest shows {shown}, which does not count");
        assert!([before, new].contains(&shown.as_str()));
    }
}

#[test]
fn a_publication_that_breaks_anywhere_is_completed_by_the_next_attempt() {
    for fault in [Fault::Fails, Fault::LosesAnswer] {
        let mut failures = 0;
        for after in 0..OPERATIONS {
            let store = fresh("fault");
            let machine = Machine::new(&store);
            machine.publish(&key("load", 1, DAY), 5).unwrap();
            break_memory(&store, fault, after, 1_000);
            let outcome = machine.publish(&key("load", 2, 2 * DAY), 7);
            mend_memory(&store);
            holds(&machine, "run-1", "run-2");
            if let Err(error) = &outcome {
                failures += 1;
                assert!(error.is_retryable(), "{error}");
            }
            // The next attempt of the same daemon, which has been killed or not, or of another one.
            let other = Machine::new(&store);
            match after % 3 {
                0 => drop(machine.publish(&key("load", 2, 2 * DAY), 7).unwrap()),
                1 => {
                    publish::recover(&machine.sink, "load").unwrap();
                    machine.publish(&key("load", 2, 2 * DAY), 8).unwrap();
                }
                _ => {
                    publish::recover(&other.sink, "load").unwrap();
                    other.publish(&key("load", 2, 2 * DAY), 8).unwrap();
                    machine.pull();
                }
            }
            assert_eq!(machine.committed().len(), 2);
            assert_eq!((machine.latest(), machine.pointer()), (Some("run-2".into()), Some("run-2".into())));
            publish::recover(&other.sink, "load").unwrap();
            assert_eq!(machine.here(), other.here());
            let parts = machine.there().iter().filter(|name| name.contains("/part-0-")).count();
            assert_eq!(parts, 2, "a part is left that no commit names");
        }
        assert!(failures > 10, "{failures} failures: the faults hit nothing");
    }
}

#[test]
fn pulling_pruning_and_tables_break_without_harm() {
    for after in 0..OPERATIONS {
        let store = fresh("pull");
        let (a, mut b) = (Machine::new(&store), Machine::new(&store));
        for run in 1..=3 {
            a.publish(&key("load", run, run as i64 * DAY), 5).unwrap();
        }
        break_memory(&store, Fault::Fails, after, 1_000);
        let _ = publish::recover(&b.sink, "load");
        mend_memory(&store);
        holds(&b, "run-3", "run-3");
        b.pull();
        assert_eq!(b.here(), a.here());
        b.sink.retention = Some(jiff::SignedDuration::from_hours(30));
        break_memory(&store, Fault::LosesAnswer, after, 1_000);
        let _ = publish::prune(&b.sink, "load", 4 * DAY);
        mend_memory(&store);
        b.pull();
        publish::prune(&b.sink, "load", 4 * DAY).unwrap();
        assert_eq!(b.committed().into_keys().collect::<Vec<_>>(), ["run-3"]);
        a.pull();
        assert_eq!(a.here(), b.here());
    }
}
