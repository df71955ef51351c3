//! Signatures in a store: there before what they are of, and copied with it.

use super::{address, fresh};
use crate::registry::{birth, forecaster};
use crate::signing::{is_untrusted, key, trusting};
use s4cast::registry::{self, Birth, Keys, Registry, SigningKey};
use s4cast::store::{Fault, Store, break_memory, mend_memory};
use std::sync::OnceLock;

fn copy(folder: &tempfile::TempDir, store: &str, keys: Keys) -> Registry {
    let at = address(store, "models");
    Registry::copy_of(folder.path().join("models"), &at).unwrap().with_keys(keys)
}

fn signing(key: &SigningKey) -> Keys {
    Keys { signing: Some(key.clone()), trusted: vec![key.public()] }
}

/// Adds a version of a run of its own: what is the same to the last byte is one version.
fn add(registry: &Registry) -> u32 {
    static BORN: OnceLock<Birth> = OnceLock::new();
    let born = BORN.get_or_init(|| birth("")).clone();
    registry.add("load", forecaster(), None, &Birth { run_id: fresh("run"), ..born }).unwrap().version
}

#[test]
fn what_one_signs_the_other_checks() {
    let (store, folders) = (fresh("signed"), [(); 3].map(|()| tempfile::tempdir().unwrap()));
    let (own, other) = (key(), key());
    let a = copy(&folders[0], &store, signing(&own));
    let b = copy(&folders[1], &store, trusting(&[&own]));
    let stranger = copy(&folders[2], &store, signing(&other));
    assert_eq!((add(&a), add(&stranger)), (1, 2));
    a.promote("load", 1, 1, "first").unwrap();
    b.refresh("load").unwrap();
    assert!(b.load("load", 1).is_ok() && is_untrusted(b.load("load", 2)));
    assert!(is_untrusted(b.promote("load", 2, 2, "no")));
    // Its number had been given meanwhile: the signature that stays is that of the manifest that stays.
    let names: Vec<String> =
        names(&store, "load/2").into_iter().filter(|name| name.ends_with(".sig")).collect();
    assert_eq!(names.len(), 1, "{names:?}");
    // A version is signed by its address, too.
    let at = |version: u32| address(&store, &format!("models/load/{version}"));
    assert!(registry::open_remote(&at(1), &[own.public()]).is_ok());
    assert!(is_untrusted(registry::open_remote(&at(2), &[own.public()])));
    assert!(registry::open_remote(&at(2), &[]).is_ok());
    // Signed anew, it is so in the copies that have it, with the next look.
    a.sign("load", 2, &own).unwrap();
    assert!(is_untrusted(b.load("load", 2)));
    b.promote("load", 2, 3, "signed").unwrap();
    assert!(b.verify(None).is_empty() && b.load("load", 2).is_ok());
    b.gc("load", 1, false).unwrap();
    add(&a);
    add(&a);
    a.promote("load", 4, 4, "x").unwrap();
    a.promote("load", 3, 5, "x").unwrap();
    a.gc("load", 0, false).unwrap();
    assert!(self::names(&store, "load/1").is_empty(), "what goes goes with its signature");
}

fn names(store: &str, folder: &str) -> Vec<String> {
    let store = Store::open(&address(store, "models")).unwrap();
    store.list(folder).unwrap().into_iter().map(|entry| entry.name).collect()
}

#[test]
fn at_once_everybody_gets_a_number_and_a_signature_that_holds() {
    let store = fresh("signed-race");
    let (own, folders) = (key(), [(); 4].map(|()| tempfile::tempdir().unwrap()));
    let registries = folders.each_ref().map(|folder| copy(folder, &store, signing(&own)));
    std::thread::scope(|scope| {
        for registry in &registries {
            scope.spawn(move || (0..3).for_each(|_| assert!(add(registry) > 0)));
        }
    });
    for registry in &registries {
        registry.refresh("load").unwrap();
        assert_eq!((registry.versions(None).len(), registry.verify(None).len()), (12, 0));
    }
    let signatures = names(&store, "load").iter().filter(|name| name.ends_with(".sig")).count();
    assert_eq!(signatures, 12);
}

#[test]
fn wherever_it_breaks_no_version_of_a_signer_is_without_signature() {
    for operation in 0..12 {
        for fault in [Fault::Fails, Fault::LosesAnswer] {
            let (store, own) = (fresh("signed-broken"), key());
            let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
            let [a, b] = folders.each_ref().map(|folder| copy(folder, &store, signing(&own)));
            add(&a);
            break_memory(&store, fault, operation, 1);
            let _ = a.add("load", forecaster(), None, &birth("again"));
            mend_memory(&store);
            b.refresh("load").unwrap();
            assert!(b.verify(None).is_empty(), "{operation}, {fault:?}: {:?}", b.verify(None));
        }
    }
}

#[test]
fn a_folder_that_goes_into_a_store_takes_its_signatures_along() {
    let (store, own) = (fresh("signed-begin"), key());
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let alone = Registry::at(folders[0].path().join("models")).with_keys(signing(&own));
    add(&alone);
    alone.promote("load", 1, 1, "x").unwrap();
    let [a, b] = folders.each_ref().map(|folder| copy(folder, &store, trusting(&[&own])));
    a.refresh("load").unwrap();
    b.refresh("load").unwrap();
    assert_eq!(b.champion("load").unwrap().map(|manifest| manifest.version), Some(1));
    assert!(a.load("load", 1).is_ok() && b.load("load", 1).is_ok());
}
