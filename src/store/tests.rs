use super::*;
use std::path::PathBuf;

fn address(text: &str) -> Address {
    Address::parse(text).expect("has a scheme").expect("is an address")
}

fn store(name: &str) -> Store {
    Store::open(&address(&format!("memory://{name}/root"))).expect("opened")
}

fn names(store: &Store, folder: &str) -> Vec<String> {
    store.list(folder).expect("listed").into_iter().map(|entry| entry.name).collect()
}

#[test]
fn addresses_are_told_from_paths_and_taken_apart() {
    for path in ["a.csv", "/a/b", "c:\\x", "a:b", "://x", "./s3://"] {
        assert!(Address::parse(path).is_none(), "{path}");
    }
    let at = address("s3://bucket//a/b c/*.csv/");
    assert_eq!(at.as_str(), "s3://bucket/a/b c/*.csv");
    assert_eq!((at.root(), at.path(), at.name()), ("s3://bucket", "a/b c/*.csv", "*.csv"));
    assert_eq!(at.parent().as_str(), "s3://bucket/a/b c");
    assert_eq!(address("gs://b").parent(), address("gs://b"));
    assert_eq!(address("gs://b").join("x//y/").as_str(), "gs://b/x/y");
    assert!(at.is_below(&address("s3://bucket/a")) && !at.is_below(&address("s3://bucket/a/b")));
    assert_eq!(address("file:///data/x").local(), Some(PathBuf::from("/data/x")));
    assert_eq!(Address::of_local(Path::new("/data/x")).expect("address"), address("file:///data/x"));
    assert_eq!(Place::parse("file:///data/x").expect("place"), Place::Local("/data/x".into()));
    assert_eq!(Place::parse("s3://b/x").expect("place").to_string(), "s3://b/x");
}

#[test]
fn what_is_no_address_says_why_and_keeps_passwords() {
    for (text, part) in [
        ("ftp://host/x", "s3://"),
        ("s3://", "bucket"),
        ("s3:///x", "bucket"),
        ("file://host/x", "three slashes"),
        ("https://host/x?sig=1", "source.exec"),
        ("s3://bucket/a/../b", ".."),
    ] {
        let error = Address::parse(text).expect("scheme").expect_err("refused").to_string();
        assert!(error.contains(part) && error.starts_with(text), "{error}");
    }
    let error = Address::parse("https://me:secret@host/x").expect("scheme").expect_err("refused").to_string();
    assert!(!error.contains("secret") && error.contains("host/x"), "{error}");
}

#[test]
fn objects_are_put_read_listed_and_removed() {
    let store = store("basics");
    assert_eq!(store.get("a/x", 9).expect("asked"), None);
    assert_eq!(store.head("a/x").expect("asked"), None);
    store.put("a/x", b"one").expect("put");
    store.put("a/x", b"four").expect("put again");
    store.put("a/b/y", b"").expect("put");
    store.put("ab", b"2").expect("put");
    assert_eq!(store.get("a/x", 9).expect("asked").as_deref(), Some(&b"four"[..]));
    assert!(matches!(store.get("a/x", 3), Err(StoreError::TooLarge { bytes: 4, bytes_max: 3, .. })));
    assert_eq!(store.head("a/x").expect("asked").expect("there").bytes, 4);
    assert_eq!(names(&store, ""), ["a/b/y", "a/x", "ab"]);
    assert_eq!(names(&store, "a"), ["a/b/y", "a/x"]);
    assert_eq!(names(&store.below("a"), ""), ["b/y", "x"]);
    assert!(names(&store, "none").is_empty());
    store.delete("a/x").expect("removed");
    store.delete("a/x").expect("gone already");
    assert_eq!(names(&store, "a"), ["a/b/y"]);
    let one = Store::open(&address("memory://basics/root/ab")).expect("opened");
    assert_eq!(one.head("").expect("asked").expect("the address itself").name, "");
}

#[test]
fn files_are_carried_whole_both_ways() {
    let folder = tempfile::tempdir().expect("folder");
    let (from, to) = (folder.path().join("from"), folder.path().join("to"));
    let shared = Address::of_local(&folder.path().join("shared")).expect("address");
    for at in [store("carried"), Store::open(&shared).expect("opened")] {
        for bytes in [0_usize, 5, (8 << 20) + 1, (35 << 20) + 7] {
            let content: Vec<u8> = (0..bytes).map(|at| (at % 251) as u8).collect();
            std::fs::write(&from, &content).expect("written");
            at.upload("deep/er", &from).expect("uploaded");
            let entry = at.download("deep/er", &to).expect("downloaded").expect("there");
            assert_eq!((entry.name.as_str(), entry.bytes), ("deep/er", bytes as u64));
            assert!(std::fs::read(&to).expect("read") == content);
        }
        assert_eq!(at.download("none", &to).expect("asked"), None);
    }
    let left: Vec<_> = std::fs::read_dir(folder.path()).expect("folder").collect();
    assert_eq!(left.len(), 3, "no partial file stays: {left:?}");
}

#[test]
fn of_all_who_create_an_object_one_does() {
    let folder = tempfile::tempdir().expect("folder");
    let shared = Address::of_local(folder.path()).expect("address");
    for store in [store("race"), Store::open(&shared).expect("opened")] {
        let won: Vec<Created> = std::thread::scope(|scope| {
            let tries: Vec<_> = (0..8_u8)
                .map(|who| {
                    let store = store.clone();
                    scope.spawn(move || store.create("slot", &[who]).expect("asked"))
                })
                .collect();
            tries.into_iter().map(|one| one.join().expect("no panic")).collect()
        });
        assert_eq!(won.iter().filter(|one| **one == Created::Now).count(), 1);
        let stands = store.get("slot", 9).expect("asked").expect("there");
        let mut others = won.iter().filter(|one| **one != Created::Now);
        assert!(others.all(|one| *one == Created::Exists(stands.clone())));
    }
}

#[test]
fn a_store_that_breaks_fails_and_a_lost_answer_is_found_out() {
    let store = store("broken");
    break_memory("broken", Fault::Fails, 1, 2);
    store.put("x", b"1").expect("one works");
    let error = store.put("x", b"2").expect_err("broken");
    assert!(error.is_retryable() && error.to_string().contains("memory://broken/root/x"), "{error}");
    mend_memory("broken");
    assert_eq!(store.get("x", 9).expect("mended").as_deref(), Some(&b"1"[..]));
    break_memory("broken", Fault::LosesAnswer, 0, 1);
    assert_eq!(store.create("y", b"mine").expect("created"), Created::Now);
    break_memory("broken", Fault::LosesAnswer, 0, 1);
    assert_eq!(store.create("y", b"other").expect("asked"), Created::Exists(b"mine".to_vec()));
}
