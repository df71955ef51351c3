//! Registries in a store: numbers, champions, what several programs do at once, what breaks.

use super::{address, fresh};
use crate::registry::{birth, forecaster};
use s4cast::registry::{Birth, Registry, RegistryError};
use s4cast::store::{Fault, break_memory, mend_memory};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

fn copy(folder: &Path, store: &str) -> Registry {
    Registry::copy_of(folder.join("models"), &address(store, "models")).unwrap()
}

fn numbers(registry: &Registry) -> Vec<u32> {
    registry.refresh("load").unwrap();
    registry.versions(Some("load")).iter().map(|version| version.version).collect()
}

fn serves(registry: &Registry) -> Option<u32> {
    registry.refresh("load").unwrap();
    registry.champion("load").unwrap().map(|manifest| manifest.version)
}

fn add(registry: &Registry, run: &str) -> Result<u32, RegistryError> {
    static BORN: OnceLock<Birth> = OnceLock::new();
    let born = BORN.get_or_init(|| birth("")).clone();
    Ok(registry.add("load", forecaster(), None, &Birth { run_id: run.into(), ..born })?.version)
}

fn folders() -> [tempfile::TempDir; 2] {
    [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()]
}

#[test]
fn what_one_trains_and_promotes_the_other_serves() {
    let (store, folders) = (fresh("models"), folders());
    let [a, b] = folders.each_ref().map(|folder| copy(folder.path(), &store));
    assert_eq!(serves(&a), None);
    assert_eq!((add(&a, "r1").unwrap(), add(&b, "r2").unwrap(), add(&a, "r3").unwrap()), (1, 2, 3));
    assert_eq!((numbers(&a), numbers(&b)), (vec![1, 2, 3], vec![1, 2, 3]));
    a.promote("load", 1, 5, "first").unwrap();
    let promotion = b.promote("load", 2, 6, "second").unwrap();
    assert_eq!((promotion.previous, serves(&a), serves(&b)), (Some(1), Some(2), Some(2)));
    assert_eq!(a.rollback("load", 7).unwrap().version, 1);
    b.pin("load", 1).unwrap();
    assert!(matches!(a.promote("load", 3, 8, "no"), Err(RegistryError::Pinned { .. })));
    a.unpin("load", 1).unwrap();
    b.run_in_shadow("load", 3).unwrap();
    a.refresh("load").unwrap();
    assert_eq!(a.shadow("load").unwrap().unwrap().version, 3);
    assert_eq!(b.history("load").unwrap().len(), 3);
    assert!(b.find_slot("load", "r1", i64::MIN).unwrap().is_some());
    let bytes = |registry: &Registry| registry.load("load", 2).unwrap().0.to_bytes();
    assert_eq!(bytes(&a), bytes(&b));
    // A version is a model by its address, too.
    let at = address(&store, "models/load/2");
    let opened = s4cast::registry::open_remote(&at, &[]).unwrap();
    assert_eq!((opened.forecaster.to_bytes(), opened.manifest.unwrap().version), (bytes(&a), 2));
    assert_eq!(a.verify(None).len() + b.verify(None).len(), 0);
}

#[test]
fn programs_at_once_get_a_number_each_and_lose_no_decision() {
    let store = fresh("race");
    let folders: Vec<_> = (0..6).map(|_| tempfile::tempdir().unwrap()).collect();
    let registries: Vec<Registry> = folders.iter().map(|folder| copy(folder.path(), &store)).collect();
    std::thread::scope(|scope| {
        for (number, registry) in registries.iter().enumerate() {
            scope.spawn(move || {
                for turn in 0..4 {
                    let version = add(registry, &format!("r{number}-{turn}")).unwrap();
                    registry.promote("load", version, turn, "trained").unwrap();
                }
            });
        }
    });
    for registry in &registries {
        assert_eq!(numbers(registry), (1..=24).collect::<Vec<_>>());
        let mut history: Vec<u32> =
            registry.history("load").unwrap().iter().map(|event| event.version).collect();
        assert_eq!(history.last().copied(), serves(registry));
        history.sort_unstable();
        assert_eq!(history, (1..=24).collect::<Vec<_>>(), "every promotion is in the one history");
    }
}

#[test]
fn old_versions_go_everywhere_and_what_serves_stays() {
    let (store, folders) = (fresh("gc"), folders());
    let [a, b] = folders.each_ref().map(|folder| copy(folder.path(), &store));
    for run in 1..=6 {
        add(&a, &format!("r{run}")).unwrap();
    }
    a.promote("load", 2, 1, "x").unwrap();
    assert_eq!(numbers(&b).len(), 6);
    let removed: Vec<u32> = b.gc("load", 2, false).unwrap().iter().map(|one| one.version).collect();
    assert_eq!((removed, numbers(&a), numbers(&b)), (vec![1, 3, 4], vec![2, 5, 6], vec![2, 5, 6]));
    assert_eq!(add(&a, "r7").unwrap(), 7);
}

#[test]
fn while_the_store_is_away_the_copy_serves_and_nothing_changes() {
    let (store, folders) = (fresh("away"), folders());
    let [a, b] = folders.each_ref().map(|folder| copy(folder.path(), &store));
    add(&a, "r1").unwrap();
    a.promote("load", 1, 1, "x").unwrap();
    assert_eq!(serves(&b), Some(1));
    break_memory(&store, Fault::Fails, 0, 1_000);
    b.refresh_or_warn("load");
    assert_eq!(b.champion("load").unwrap().unwrap().version, 1);
    assert!(b.load("load", 1).is_ok());
    for error in
        [add(&b, "r2").unwrap_err(), b.rollback("load", 2).unwrap_err(), b.pin("load", 1).unwrap_err()]
    {
        assert!(error.is_retryable() && error.to_string().contains("memory://"), "{error}");
    }
    mend_memory(&store);
    assert_eq!((numbers(&b), serves(&b)), (vec![1], Some(1)));
}

#[test]
fn whatever_operation_breaks_a_training_is_whole_or_not_there() {
    for fault in [Fault::Fails, Fault::LosesAnswer] {
        for after in 0..40 {
            let (store, folders) = (fresh("torn"), folders());
            let [a, b] = folders.each_ref().map(|folder| copy(folder.path(), &store));
            add(&a, "r1").unwrap();
            a.promote("load", 1, 1, "x").unwrap();
            break_memory(&store, fault, after, 1_000);
            let version = add(&a, "r2");
            let promoted = a.promote("load", 2, 2, "y");
            let removed = a.gc("load", 1, false);
            mend_memory(&store);
            // Another program sees whole versions alone, and a champion among them.
            let champion = serves(&b).unwrap();
            assert!(b.verify(None).is_empty());
            assert!(promoted.is_err() || champion == 2);
            // The slot is worked again.
            a.refresh("load").unwrap();
            let version = match a.find_slot("load", "r2", i64::MIN).unwrap() {
                Some(manifest) => manifest.version,
                None => {
                    assert!(version.is_err(), "a version that was added is gone");
                    add(&a, "r2").unwrap()
                }
            };
            a.promote("load", version, 2, "y").unwrap();
            a.gc("load", 9, false).unwrap();
            assert_eq!((serves(&b), numbers(&a)), (Some(version), numbers(&b)));
            drop(removed);
        }
    }
}

#[test]
fn models_that_were_here_first_go_there_unless_others_have_their_numbers() {
    let (store, folders) = (fresh("first"), folders());
    let local = Registry::at(folders[0].path().join("models"));
    assert_eq!((add(&local, "r1").unwrap(), add(&local, "r2").unwrap()), (1, 2));
    local.promote("load", 2, 1, "x").unwrap();
    let a = copy(folders[0].path(), &store);
    assert_eq!((numbers(&a), serves(&a)), (vec![1, 2], Some(2)));
    let b = copy(folders[1].path(), &store);
    assert_eq!((numbers(&b), serves(&b)), (vec![1, 2], Some(2)));

    let other = tempfile::tempdir().unwrap();
    let own = Registry::at(other.path().join("models"));
    add(&own, "other").unwrap();
    let c = copy(other.path(), &store);
    assert_eq!((numbers(&c), serves(&c)), (vec![1, 2], Some(2)));
    let aside: Vec<PathBuf> = std::fs::read_dir(other.path().join("models"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("1/manifest.json").exists() && !path.ends_with("load"))
        .collect();
    assert_eq!(aside.len(), 1, "what was here is set aside, not lost");

    // The folder knows that it is a copy, until it is told that it is none.
    let found = Registry::found(other.path().join("models")).unwrap();
    assert!(found.is_remote());
    let alone = Registry::alone(other.path().join("models")).unwrap();
    assert_eq!(add(&alone, "mine").unwrap(), 3);
    assert!(!Registry::found(other.path().join("models")).unwrap().is_remote());
    assert_eq!(numbers(&b), [1, 2]);
}
