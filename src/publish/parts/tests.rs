//! Many processes on one folder, in any order, ended anywhere.

use super::*;
use crate::publish::{Format, Naming};
use crate::store::{Address, Fault, break_memory, mend_memory};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

const FOLDER: &str = "job=load/run_id=r";

/// A store of its own for every call.
fn store() -> (Store, String) {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("parts{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let address = Address::parse(&format!("memory://{name}/out")).expect("scheme").expect("address");
    (Store::open(&address).expect("opened"), name)
}

/// A part with its file; `variant` is what differs between attempts: when it was written, say.
fn part(folder: &Path, index: u32, count: u32, variant: usize) -> (Part, PathBuf) {
    let shard = Shard::new(index, count).expect("shard");
    let text = format!("rows of {shard}, attempt {variant}{}", " ".repeat(variant));
    let sha256 = hash(text.as_bytes());
    let file = folder.join(format!("{index}-{count}-{variant}"));
    std::fs::write(&file, &text).expect("written");
    let metadata = [("config_sha256", "c1".to_owned()), ("shard", shard.to_string())];
    let part = Part {
        shard,
        job: "load".into(),
        run_id: "r".into(),
        issued_at: 5,
        created_at: 1_000_000 * i64::try_from(variant).expect("small"),
        rows: 10 + index as usize,
        bytes: text.len() as u64,
        file: Part::file_name(shard, &sha256, Format::Parquet),
        sha256,
        schema_version: 1,
        naming: Naming::V1,
        format: Format::Parquet,
        metadata: metadata.map(|(key, value)| (key.into(), value)).into(),
    };
    (part, file)
}

fn hash(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    crate::publish::latest::hex(Sha256::new_with_prefix(bytes))
}

fn names(store: &Store) -> Vec<String> {
    let prefix = format!("{FOLDER}/");
    let name = |entry: crate::store::Entry| entry.name.strip_prefix(&prefix).map(str::to_owned);
    store.list(FOLDER).expect("listed").into_iter().filter_map(name).collect()
}

/// The commit's bytes, after a look at whether every part it names stands as it says.
fn sound_commit(store: &Store) -> Option<Vec<u8>> {
    let commit = committed(store, FOLDER).expect("read")?;
    assert!(!commit.parts.is_empty());
    let count = Shard::parse(&commit.parts[0].shard).expect("shard").count();
    for (index, part) in (0..).zip(&commit.parts) {
        assert_eq!(part.shard, format!("{index}/{count}"));
        let bytes = store.get(&within(FOLDER, &part.name), 1 << 20).expect("asked").expect("there");
        assert_eq!((bytes.len() as u64, hash(&bytes)), (part.bytes, part.sha256.clone()), "{}", part.name);
    }
    assert_eq!(commit.parts.len(), count as usize, "a commit of fewer");
    store.get(&within(FOLDER, COMMIT_FILE), 1 << 20).expect("asked")
}

#[test]
fn the_last_part_commits_and_all_that_is_left_is_named() {
    let files = tempfile::tempdir().expect("folder");
    let (store, _) = store();
    let parts: Vec<(Part, PathBuf)> = (0..3).map(|index| part(files.path(), index, 3, 0)).collect();
    for (index, missing) in [(2, vec![0, 1]), (0, vec![1]), (0, vec![1])] {
        let delivery = deliver(&store, FOLDER, &parts[index].0, &parts[index].1).expect("delivered");
        assert_eq!(delivery, Delivery::Waiting { missing });
        assert_eq!(committed(&store, FOLDER).expect("read"), None);
    }
    assert_eq!(complete(&store, FOLDER, 3).expect("asked"), Delivery::Waiting { missing: vec![1] });
    assert_eq!(deliver(&store, FOLDER, &parts[1].0, &parts[1].1).expect("delivered"), Delivery::Committed);
    let commit = committed(&store, FOLDER).expect("read").expect("committed");
    assert_eq!((commit.rows, commit.issued_at), (33, 5));
    assert_eq!(commit.bytes, parts.iter().map(|(part, _)| part.bytes).sum::<u64>());
    // What differs from part to part is not said of the run.
    assert_eq!(commit.metadata, BTreeMap::from([("config_sha256".into(), "c1".into())]));
    assert_eq!(standing(&store, FOLDER, parts[1].0.shard).expect("read").as_ref(), Some(&parts[1].0));
    let before = sound_commit(&store);
    for (part, file) in &parts {
        check(&store, FOLDER, part).expect("the same");
        assert_eq!(deliver(&store, FOLDER, part, file).expect("again"), Delivery::Committed);
    }
    assert_eq!(
        (sound_commit(&store), complete(&store, FOLDER, 3).expect("asked")),
        (before, Delivery::Committed)
    );
    assert_eq!(names(&store).len(), 3 + 3 + 1);
}

#[test]
fn one_shard_commits_at_once_and_its_commit_is_that_of_its_part() {
    let files = tempfile::tempdir().expect("folder");
    let (store, _) = store();
    let (only, file) = part(files.path(), 0, 1, 0);
    assert_eq!(deliver(&store, FOLDER, &only, &file).expect("delivered"), Delivery::Committed);
    let commit = committed(&store, FOLDER).expect("read").expect("committed");
    assert_eq!((&commit.sha256, commit.parts.len()), (&only.sha256, 1));
    assert_eq!(commit.metadata, only.metadata);
}

#[test]
fn whoever_comes_second_or_late_changes_nothing_and_leaves_nothing() {
    let files = tempfile::tempdir().expect("folder");
    let (store, _) = store();
    let of = |index, variant| part(files.path(), index, 2, variant);
    let (first, second) = (of(0, 0), of(0, 1));
    deliver(&store, FOLDER, &first.0, &first.1).expect("delivered");
    deliver(&store, FOLDER, &second.0, &second.1).expect("the other one stands");
    assert_eq!(standing(&store, FOLDER, first.0.shard).expect("read"), Some(first.0.clone()));
    let last = of(1, 0);
    assert_eq!(deliver(&store, FOLDER, &last.0, &last.1).expect("delivered"), Delivery::Committed);
    assert!(!names(&store).contains(&second.0.file), "a part that nobody names stays");
    let before = sound_commit(&store);
    let late = of(1, 1);
    assert_eq!(deliver(&store, FOLDER, &late.0, &late.1).expect("late"), Delivery::Committed);
    assert_eq!((sound_commit(&store), names(&store).len()), (before, 5));
    // Late by more: it had asked before there was a commit.
    let mut slow = Delivering::new(&store, FOLDER, &late.0, &late.1).expect("a part");
    store.delete(&within(FOLDER, COMMIT_FILE)).expect("removed");
    assert_eq!(slow.step().expect("asked"), None);
    assert_eq!(complete(&store, FOLDER, 2).expect("again"), Delivery::Committed);
    while slow.step().expect("a step").is_none() {}
    assert!(!names(&store).contains(&late.0.file));
    assert!(sound_commit(&store).is_some());
}

#[test]
fn parts_of_other_settings_and_other_runs_are_named_and_nothing_is_committed() {
    let files = tempfile::tempdir().expect("folder");
    let (store, _) = store();
    for index in 0..3 {
        let (mut part, file) = part(files.path(), index, 4, 0);
        if index == 1 {
            part.metadata.insert("config_sha256".into(), "c2".into());
        }
        deliver(&store, FOLDER, &part, &file).expect("delivered");
    }
    let (last, file) = part(files.path(), 3, 4, 0);
    let error = deliver(&store, FOLDER, &last, &file).expect_err("they differ").to_string();
    assert!(error.contains("config_sha256 is c1 in shard 0, 2, 3, c2 in shard 1"), "{error}");
    assert!(error.contains("_part-I-of-N.json") && error.contains("memory://"), "{error}");
    assert_eq!(committed(&store, FOLDER).expect("read"), None);
    // The remedy.
    store.delete(&within(FOLDER, "_part-1-of-4.json")).expect("removed");
    let (good, good_file) = part(files.path(), 1, 4, 0);
    assert_eq!(deliver(&store, FOLDER, &good, &good_file).expect("delivered"), Delivery::Committed);
    let other = Part { run_id: "other".into(), ..last.clone() };
    for refused in [deliver(&store, FOLDER, &other, &file).map(drop), check(&store, FOLDER, &other)] {
        let error = refused.expect_err("another run");
        assert!(matches!(&error, PublishError::OtherRun { stands, .. } if stands == "r"), "{error}");
    }
    let mut changed = last;
    changed.metadata.insert("config_sha256".into(), "c3".into());
    let error = check(&store, FOLDER, &changed).expect_err("other settings").to_string();
    assert!(error.contains("c3") && error.contains("c1"), "{error}");
}

#[test]
fn weights_of_each_shards_own_training_may_differ_and_others_may_not() {
    let files = tempfile::tempdir().expect("folder");
    for is_own in [true, false] {
        let (store, _) = store();
        let deliver = |index: u32| {
            let (mut part, file) = part(files.path(), index, 2, 0);
            part.metadata.insert("weights_sha256".into(), index.to_string());
            if is_own {
                part.metadata.insert(agreement::TRAINED_ON.into(), part.shard.to_string());
            }
            super::deliver(&store, FOLDER, &part, &file)
        };
        deliver(0).expect("delivered");
        assert_eq!(matches!(deliver(1), Ok(Delivery::Committed)), is_own);
    }
}

#[test]
fn a_part_that_was_removed_by_hand_is_missing_until_it_is_delivered_again() {
    let files = tempfile::tempdir().expect("folder");
    let (store, _) = store();
    let (first, second) = (part(files.path(), 0, 2, 0), part(files.path(), 1, 2, 0));
    deliver(&store, FOLDER, &first.0, &first.1).expect("delivered");
    store.delete(&within(FOLDER, &first.0.file)).expect("removed");
    let delivery = deliver(&store, FOLDER, &second.0, &second.1).expect("delivered");
    assert_eq!(delivery, Delivery::Waiting { missing: vec![0] });
    assert_eq!(deliver(&store, FOLDER, &first.0, &first.1).expect("again"), Delivery::Committed);
    assert!(sound_commit(&store).is_some());
}

#[test]
fn an_operation_that_fails_or_loses_its_answer_is_made_up_for_by_the_next_attempt() {
    let files = tempfile::tempdir().expect("folder");
    for fault in [Fault::Fails, Fault::LosesAnswer] {
        for after in 0..16 {
            let (store, name) = store();
            let (first, second) = (part(files.path(), 0, 2, 0), part(files.path(), 1, 2, 0));
            break_memory(&name, fault, after, 1);
            for (part, file) in [&first, &second, &first] {
                let _ = deliver(&store, FOLDER, part, file);
            }
            mend_memory(&name);
            // Whatever came of it, what is committed is sound.
            sound_commit(&store);
            deliver(&store, FOLDER, &second.0, &second.1).expect("mended");
            assert_eq!(deliver(&store, FOLDER, &first.0, &first.1).expect("mended"), Delivery::Committed);
            assert!(sound_commit(&store).is_some());
        }
    }
}

/// What happens next, to which of the processes.
#[derive(Clone, Copy, Debug)]
enum Turn {
    Step(usize),
    Dies(usize),
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let turn = prop_oneof![8 => (0_usize..12).prop_map(Turn::Step), 1 => (0_usize..12).prop_map(Turn::Dies)];
    proptest::collection::vec(turn, 0..160)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Two processes at once for every shard, of runs of two numbers of shards, each with parts of its own: in any order
    /// of steps and deaths there is at most one commit, it never changes, and all it names is there.
    #[test]
    fn in_any_order_there_is_one_commit_of_parts_that_are_there(turns in turns()) {
        let files = tempfile::tempdir().expect("folder");
        let (store, _) = store();
        let shards = [(0, 2), (1, 2), (0, 3), (1, 3), (2, 3)];
        // Several attempts of each shard, whose parts differ but for the last, which is the first again.
        let attempts: Vec<Vec<(Part, PathBuf)>> = shards
            .iter()
            .map(|(index, count)| [0, 1, 2, 0].map(|variant| part(files.path(), *index, *count, variant)).into())
            .collect();
        let attempt = |number: usize| &attempts[number % shards.len()][number / shards.len() % 4];
        let begin = |number: usize| {
            let (part, file) = attempt(number);
            Delivering::new(&store, FOLDER, part, file).expect("a part")
        };
        let mut started = 10;
        let mut working: Vec<Delivering<'_>> = (0..10).map(begin).collect();
        working.extend([Delivering::completing(&store, FOLDER, 2), Delivering::completing(&store, FOLDER, 3)]);
        let mut before: Option<Vec<u8>> = None;
        for turn in turns {
            match turn {
                Turn::Step(at) => drop(working[at].step().expect("no fault")),
                Turn::Dies(at) => {
                    working[at] = begin(started);
                    started += 1;
                }
            }
            let stands = sound_commit(&store);
            if before.is_some() {
                prop_assert_eq!(&stands, &before);
            }
            before = stands;
        }
        drop(working);
        for number in 0..5 {
            let (part, file) = attempt(started + number);
            deliver(&store, FOLDER, part, file).expect("no fault");
        }
        let stands = sound_commit(&store).expect("everybody came again");
        if let Some(before) = before {
            prop_assert_eq!(before, stands);
        }
        let commit = committed(&store, FOLDER).expect("read").expect("committed");
        complete(&store, FOLDER, 2).expect("no fault");
        let left: Vec<String> = names(&store).into_iter().filter(|name| is_part(name)).collect();
        prop_assert_eq!(left.len(), commit.parts.len(), "{:?}", left);
    }
}
