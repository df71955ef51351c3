//! Runs of several shards: none counts before all of its parts are there.

use super::{DAY, Machine, fresh};
use crate::publish::key;
use s4cast::publish;
use s4cast::store::{Fault, break_memory, mend_memory};

#[test]
fn a_run_counts_once_the_last_shard_has_delivered() {
    let store = fresh("shards");
    let (a, b) = (Machine::shard(&store, "0/2"), Machine::shard(&store, "1/2"));
    let run = key("load", 1, DAY);
    let first = a.publish(&run, 5).unwrap();
    assert_eq!((first.waits_for, a.committed().len(), a.pointer()), (vec![1], 0, None));
    // The own part is here, and stays while the run waits.
    assert_eq!((a.pull(), a.here()), (0, vec![("run-1".into(), 10)]));
    assert_eq!(publish::wait_step(&a.sink, &run).unwrap(), [1]);
    assert_eq!(b.publish(&run, 7).unwrap().waits_for, Vec::<u32>::new());
    assert_eq!(a.committed().into_iter().collect::<Vec<_>>(), [("run-1".to_owned(), 24)]);
    assert_eq!(publish::wait_step(&a.sink, &run).unwrap(), Vec::<u32>::new());
    assert_eq!((a.here(), b.here()), (vec![("run-1".into(), 10)], vec![("run-1".into(), 14)]));
    let pointer = a.text("latest/job=load/_latest.json").unwrap();
    assert_eq!((pointer["files"].as_array().unwrap().len(), pointer["rows"].as_u64()), (2, Some(24)));
    assert_eq!(a.latest(), None, "one file cannot show both parts");

    // A copy that was lost comes back with the part of its shard, and what it was corrected by.
    let again = Machine::shard(&store, "1/2");
    publish::recover(&again.sink, "load").unwrap();
    assert_eq!(again.here(), b.here());
    let commit = publish::latest(&again.sink.path, "load").unwrap().unwrap();
    assert_eq!(publish::read_correction(&commit).unwrap().unwrap(), "{\"1h\": 7}");
    // Whoever counts otherwise has nothing of it.
    let other = Machine::shard(&store, "0/3");
    publish::recover(&other.sink, "load").unwrap();
    assert_eq!(other.here(), []);
    assert!(other.publish(&run, 5).unwrap_err().to_string().contains("0/2"));
}

#[test]
fn a_part_that_was_delivered_before_a_crash_is_the_one_that_counts() {
    let store = fresh("crash");
    let run = key("load", 1, DAY);
    let first = Machine::shard(&store, "0/2").publish(&run, 5).unwrap();
    // Its copy is gone, and the next attempt gives other rows.
    let a = Machine::shard(&store, "0/2");
    let second = a.publish(&run, 9).unwrap();
    assert_eq!((second.sha256, second.waits_for), (first.sha256, vec![1]));
    Machine::shard(&store, "1/2").publish(&run, 7).unwrap();
    assert_eq!(publish::complete_run(&a.sink, &run).unwrap(), Vec::<u32>::new());
    assert_eq!(a.committed()["run-1"], 24);
    assert_eq!(a.there().iter().filter(|name| name.contains("/part-")).count(), 2);
}

#[test]
fn shards_that_break_anywhere_commit_all_or_nothing() {
    for after in 0..40 {
        let store = fresh("broken");
        let (a, b) = (Machine::shard(&store, "0/2"), Machine::shard(&store, "1/2"));
        let run = key("load", 1, DAY);
        let fault = if after % 2 == 0 { Fault::Fails } else { Fault::LosesAnswer };
        break_memory(&store, fault, after, 1_000);
        let _ = a.publish(&run, 5);
        let _ = b.publish(&run, 7);
        mend_memory(&store);
        assert!(a.committed().values().all(|rows| *rows == 24));
        b.publish(&run, 8).unwrap();
        publish::recover(&a.sink, "load").unwrap();
        a.publish(&run, 6).unwrap();
        assert_eq!(a.committed().len(), 1);
        assert_eq!((a.pointer(), a.here().len(), b.here().len()), (Some("run-1".into()), 1, 1));
        let parts = a.there().iter().filter(|name| name.contains("/part-")).count();
        assert_eq!(parts, 2);
    }
}

#[test]
fn scores_of_shards_stand_side_by_side() {
    let store = fresh("scores");
    for (shard, text) in [("0/2", "zero"), ("1/2", "one")] {
        let machine = Machine::shard(&store, shard);
        let path = publish::scores_path(&machine.sink.path, "load").unwrap();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        assert_eq!(publish::sync_files(&machine.sink, "load").unwrap(), 1);
    }
    let again = Machine::shard(&store, "1/2");
    assert_eq!(publish::sync_files(&again.sink, "load").unwrap(), 1);
    assert_eq!(
        std::fs::read_to_string(publish::scores_path(&again.sink.path, "load").unwrap()).unwrap(),
        "one"
    );
    assert_eq!(again.there(), ["scores/job=load/part-0.parquet", "scores/job=load/part-1.parquet"]);
}
