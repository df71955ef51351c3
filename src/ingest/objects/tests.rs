use super::*;
use crate::ingest::inputs::{Found, find};
use crate::ingest::{ChangeKind, IngestErrorKind, SourceSpec, fetch, glance, look, stamp};
use crate::store::{Fault, Store, break_memory, mend_memory};
use std::time::Duration;

const ROWS: &[u8] = b"ds,y\n2024-01-01,1\n2024-01-02,2\n";

fn address(text: &str) -> Address {
    Address::parse(text).expect("scheme").expect("address")
}

/// A store in memory with these objects.
fn store(name: &str, objects: &[(&str, &[u8])]) -> Store {
    let store = Store::open(&address(&format!("memory://{name}"))).expect("opened");
    objects.iter().for_each(|(object, bytes)| store.put(object, bytes).expect("put"));
    store
}

fn spec(input: &str) -> SourceSpec {
    SourceSpec::new(vec![input.to_owned()])
}

fn found(spec: &SourceSpec) -> Result<Found, IngestError> {
    find(spec, &AtomicBool::new(false), &|_| {})
}

fn names(spec: &SourceSpec) -> Vec<String> {
    found(spec).expect("found").files.into_iter().map(|file| file.name).collect()
}

fn copies_in(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).expect("folder").flatten().map(|entry| entry.file_name());
    let mut names: Vec<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    names
}

#[test]
fn an_object_a_folder_and_a_pattern_name_what_paths_would() {
    store(
        "layouts",
        &[
            ("d/b/2.csv", ROWS),
            ("d/a.csv", ROWS),
            ("d/a-1/c.csv", ROWS),
            ("d/_SUCCESS", b""),
            ("d/_delta_log/0.csv", ROWS),
            ("d/empty.csv", b""),
            ("d/torn.parquet", b"PAR1 and more"),
            ("d/notes.md", b"x"),
            ("d/k=north%20sea/p.csv", ROWS),
            ("e/x.csv", ROWS),
        ],
    );
    let at = |names: &[&str]| -> Vec<String> {
        names.iter().map(|name| format!("memory://layouts/{name}")).collect()
    };
    assert_eq!(names(&spec("memory://layouts/d/a.csv")), at(&["d/a.csv"]));
    let all = ["d/a-1/c.csv", "d/a.csv", "d/b/2.csv", "d/k=north%20sea/p.csv"];
    for input in ["memory://layouts/d", "memory://layouts/d/", "memory://layouts/d/**/*.csv"] {
        let mut got = names(&spec(input));
        got.sort();
        assert_eq!(got, at(&all), "{input}");
    }
    assert_eq!(names(&spec("memory://layouts/*/x.csv")), at(&["e/x.csv"]));
    assert_eq!(names(&spec("memory://layouts/*/_delta_log/*.csv")), at(&["d/_delta_log/0.csv"]));
    let skipped = found(&spec("memory://layouts/d")).expect("found").skipped;
    assert_eq!(skipped.len(), 2, "an empty and a torn one: {skipped:?}");
    let twice = SourceSpec::new(at(&["d/a.csv", "d", "d/a.csv"]));
    assert_eq!(names(&twice).len(), all.len(), "one object is read once");
}

#[test]
fn folders_of_keys_count_as_those_of_paths() {
    store("hive", &[("env=prod/k=a%3Ab/p.csv", ROWS)]);
    let keys = |input: &str| -> Vec<(String, Option<String>)> {
        found(&spec(input)).expect("found").files.remove(0).hive
    };
    let (env, k) = (("env".into(), Some("prod".into())), ("k".into(), Some("a:b".into())));
    let k = || vec![k.clone()];
    assert_eq!(keys("memory://hive/env=prod"), k());
    assert_eq!(keys("memory://hive/env=prod/*/p.csv"), k());
    assert_eq!(keys("memory://hive/env=prod/k=a%3Ab/p.csv"), [vec![env], k()].concat());
}

#[test]
fn what_is_not_there_is_told_with_its_neighbours() {
    store("missing", &[("d/sales_2024.csv", ROWS), ("d/other/x.csv", ROWS)]);
    let refusal = |input: &str| found(&spec(input)).expect_err("nothing there");
    let error = refusal("memory://missing/d/sale_2024.csv");
    assert_eq!(error.kind(), IngestErrorKind::InputMissing);
    assert!(error.to_string().contains("did you mean memory://missing/d/sales_2024.csv?"), "{error}");
    assert!(refusal("memory://missing/none/*.csv").to_string().contains("matches no object"));
    assert_eq!(refusal("memory://missing/d/x.csv.gz").kind(), IngestErrorKind::InputMissing);
    for input in ["https://127.0.0.1:1/d/", "https://127.0.0.1:1/d/*.csv", "ftp://h/x.csv"] {
        assert_eq!(refusal(input).kind(), IngestErrorKind::Usage, "{input}");
    }
    store("packed", &[("x.csv.gz", ROWS), ("empty.csv", b""), ("torn.parquet", b"PAR1 and more")]);
    for name in ["x.csv.gz", "empty.csv", "torn.parquet"] {
        let error = refusal(&format!("memory://packed/{name}"));
        assert_eq!(error.kind(), IngestErrorKind::Data, "{error}");
        assert!(error.to_string().starts_with(&format!("memory://packed/{name}: ")), "{error}");
    }
}

#[test]
fn a_second_look_copies_nothing_and_changes_are_told_as_of_files() {
    let folder = tempfile::tempdir().expect("folder");
    let kept = folder.path().join("objects");
    let store = store("looks", &[("a.csv", ROWS), ("b.csv", ROWS), ("c.csv", ROWS)]);
    let spec = SourceSpec { objects: Objects::kept(kept.clone()), ..spec("memory://looks/") };
    let first = stamp(&spec, &[]).expect("stamped");
    assert_eq!((first.files.len(), copies_in(&kept).len()), (3, 3));
    let before = copies_in(&kept);
    // Nothing but the list works.
    break_memory("looks", Fault::Fails, 1, 100);
    let second = stamp(&spec, &first.files).expect("a list is enough");
    mend_memory("looks");
    assert_eq!((second.bytes_hashed, second.changes.len()), (0, 0));
    assert!(glance(&spec, &first.files).expect("listed").is_same);

    store.put("a.csv", b"ds,y\n2024-01-01,1\n2024-01-02,3\n").expect("put");
    store.put("b.csv", ROWS).expect("put again");
    store.delete("c.csv").expect("deleted");
    store.put("d.csv", ROWS).expect("put");
    assert!(!glance(&spec, &first.files).expect("listed").is_same);
    assert_eq!(copies_in(&kept), before, "a glance copies nothing");
    let third = stamp(&spec, &first.files).expect("stamped");
    let kinds: Vec<(&str, ChangeKind)> =
        third.changes.iter().map(|change| (change.path.as_str(), change.kind)).collect();
    let expected = [
        ("memory://looks/a.csv", ChangeKind::Revised),
        ("memory://looks/b.csv", ChangeKind::Touched),
        ("memory://looks/c.csv", ChangeKind::Vanished),
        ("memory://looks/d.csv", ChangeKind::New),
    ];
    assert_eq!(kinds, expected);
    std::fs::remove_dir_all(&kept).expect("removed");
    let fourth = stamp(&spec, &third.files).expect("copied anew");
    assert!(fourth.changes.is_empty(), "a copy that was made anew is no change: {:?}", fourth.changes);
}

#[test]
fn what_was_fetched_is_read_whatever_comes_meanwhile() {
    let store = store("fetched", &[("a.csv", ROWS)]);
    let spec = spec("memory://fetched/a.csv");
    let fetched = fetch(&spec, &[], &AtomicBool::new(false), &|_| {}).expect("fetched");
    store.put("a.csv", b"ds,y\n2024-01-01,1\n2024-01-02,2\n2024-01-03,3\n").expect("put");
    assert_eq!(fetched.read(&spec).expect("read").panel.series[0].values.len(), 2);
    let again = fetch(&spec, &[], &AtomicBool::new(false), &|_| {}).expect("fetched");
    assert_eq!(again.read(&spec).expect("read").panel.series[0].values.len(), 3);
}

#[test]
fn the_temporary_folder_goes_with_the_last_one_who_reads() {
    store("temporary", &[("a.csv", ROWS)]);
    let spec = spec("memory://temporary/a.csv");
    let path = found(&spec).expect("found").files.remove(0).path;
    let clone = spec.clone();
    drop(spec);
    assert!(path.exists());
    drop(clone);
    assert!(!path.exists() && !path.parent().is_some_and(Path::exists));
}

#[test]
fn a_store_that_fails_or_a_stop_ends_the_download() {
    store("failing", &[("a.csv", ROWS), ("b.csv", ROWS)]);
    let spec = spec("memory://failing/");
    let error = find(&spec, &AtomicBool::new(true), &|_| {}).expect_err("stopped before the first arrival");
    assert_eq!(error.kind(), IngestErrorKind::Stopped);
    break_memory("failing", Fault::Fails, 0, 100);
    let error = found(&spec).expect_err("no list");
    mend_memory("failing");
    assert_eq!(error.kind(), IngestErrorKind::Unavailable);
    assert!(error.to_string().contains("memory://failing"), "{error}");
}

#[test]
fn a_look_leaves_large_objects_where_they_are() {
    let large = vec![b'x'; 65 << 20];
    store("look", &[("a.csv", ROWS), ("b.csv", &large)]);
    let seen = look(&spec("memory://look/")).expect("looked");
    assert_eq!(seen.files, ["memory://look/a.csv", "memory://look/b.csv"]);
    assert_eq!(seen.roles.expect("of the first").time, "ds");
    let seen = look(&spec("memory://look/b.csv")).expect("looked");
    assert!(seen.roles.is_none() && seen.files.len() == 1);
}

#[test]
fn copies_that_nobody_needs_are_removed() {
    let folder = tempfile::tempdir().expect("folder");
    let now = copies::now(folder.path()).expect("writable");
    let age = |name: &str, hours: u64| {
        let path = folder.path().join(name);
        let file = std::fs::File::create(path).expect("created");
        file.set_modified(now - Duration::from_secs(3600 * hours)).expect("set");
    };
    age("a-1", 2);
    age("a-2", 1);
    age("b-1", 24 * 29);
    age("c-1", 24 * 31);
    age(".s4cast-x.partial", 2);
    copies::sweep(folder.path(), now);
    assert_eq!(copies_in(folder.path()), ["a-2", "b-1"], "an old version, an unused copy");
    assert!(!folder.path().join(".s4cast-x.partial").exists());
    assert_eq!(copies::check_room(folder.path(), 1).err(), None);
    let error = copies::check_room(folder.path(), u64::MAX / 2).expect_err("too much").to_string();
    assert!(error.contains("MiB are free") && error.contains("TMPDIR"), "{error}");
}
