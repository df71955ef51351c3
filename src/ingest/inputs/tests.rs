use super::*;
use crate::ingest::hive;

fn find(inputs: &[String]) -> Result<Found, IngestError> {
    super::find(&SourceSpec::new(inputs.to_vec()), &AtomicBool::new(false), &|_| {})
}

fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    folder
}

fn names(found: &Found, folder: &tempfile::TempDir) -> Vec<String> {
    let root = folder.path().display().to_string();
    found.files.iter().map(|file| file.name.replace(&root, "").replace('\\', "/")).collect()
}

#[test]
fn a_directory_is_searched_and_what_is_unfit_is_listed() {
    let files: [(&str, &[u8]); 9] = [
        ("b/2.csv", b"x"),
        ("a.csv", b"x"),
        (".hidden.csv", b"x"),
        ("x.csv.tmp", b"x"),
        ("y.partial", b"x"),
        ("empty.csv", b""),
        ("torn.parquet", b"PAR1 and more"),
        ("notes.md", b"x"),
        ("_commit.csv", b"x"),
    ];
    let folder = folder(&files);
    let found = find(&[folder.path().display().to_string()]).unwrap();
    assert_eq!(names(&found, &folder), ["/a.csv", "/b/2.csv"]);
    assert_eq!(found.skipped.len(), 4, "{:?}", found.skipped);
}

#[test]
fn folders_that_other_programs_set_aside_are_not_searched() {
    let files: [(&str, &[u8]); 4] = [
        ("t/_temporary/0/task_1/part-1.csv", b"x"),
        ("t/_delta_log/0.csv", b"x"),
        ("t/_id=a/p.csv", b"x"),
        ("t/part-0.csv", b"x"),
    ];
    let folder = folder(&files);
    let root = folder.path().display();
    for input in [root.to_string(), format!("{root}/**/*.csv")] {
        assert_eq!(names(&find(&[input]).unwrap(), &folder), ["/t/_id=a/p.csv", "/t/part-0.csv"]);
    }
    let spelt = find(&[format!("{root}/*/_delta_log/*.csv")]).unwrap();
    assert_eq!(names(&spelt, &folder), ["/t/_delta_log/0.csv"]);
}

#[cfg(unix)]
#[test]
fn links_that_lead_back_end_the_search() {
    let folder = folder(&[("l/x.csv", b"x")]);
    for link in ["l/a", "l/b"] {
        std::os::unix::fs::symlink(".", folder.path().join(link)).unwrap();
    }
    let found = find(&[folder.path().display().to_string()]).unwrap();
    assert_eq!(names(&found, &folder), ["/l/x.csv"]);
}

#[test]
fn hive_folders_become_columns() {
    let folder = folder(&[("region=north%20sea/k=__HIVE_DEFAULT_PARTITION__/p.csv", b"x")]);
    let found = find(&[format!("{}/**/*.csv", folder.path().display())]).unwrap();
    let expected = vec![("region".to_owned(), Some("north sea".to_owned())), ("k".to_owned(), None)];
    assert_eq!(found.files[0].hive, expected);
}

#[test]
fn hive_folders_above_the_input_do_not_count() {
    let folder = folder(&[("env=prod/k=a/p.csv", b"x")]);
    let root = folder.path().join("env=prod").display().to_string();
    let keys = |input: String| -> Vec<String> {
        find(&[input]).unwrap().files[0].hive.iter().map(|(key, _)| key.clone()).collect()
    };
    let (path, rest) = (Path::new("env=prod/k=a/p.csv"), Path::new("k=a/p.csv"));
    assert_eq!((hive::below(path, Path::new("./env=prod")), hive::below(path, Path::new("."))), (rest, path));
    assert_eq!(keys(root.clone()), ["k"]);
    assert_eq!(keys(format!("{root}/*/p.csv")), ["k"]);
    assert_eq!(keys(format!("{root}/k=[a]/p.csv")), ["k"]);
    assert_eq!(keys(format!("{root}/k=a/*.csv")), [""; 0]);
    assert_eq!(keys(format!("{root}/k=a/p.csv")), ["env", "k"], "a named file counts as written");
}

#[test]
fn a_missing_file_suggests_its_neighbours() {
    let folder = folder(&[("sales_2024.csv", b"x")]);
    let error = find(&[folder.path().join("sale_2024.csv").display().to_string()]).unwrap_err();
    assert_eq!(error.kind(), IngestErrorKind::InputMissing);
    assert!(error.to_string().contains("did you mean") && error.to_string().contains("sales_2024.csv"));
}

#[test]
fn named_files_must_be_whole() {
    let folder = folder(&[("torn.parquet", b"PAR1 and more"), ("empty.csv", b""), ("x.csv.gz", b"x")]);
    for name in ["torn.parquet", "empty.csv", "x.csv.gz"] {
        let error = find(&[folder.path().join(name).display().to_string()]).unwrap_err();
        assert_eq!(error.kind(), IngestErrorKind::Data);
        assert!(error.to_string().contains(name));
    }
    let error = find(&["ftp://host/x.parquet".to_owned()]).unwrap_err();
    assert_eq!(error.kind(), IngestErrorKind::Usage);
    assert!(error.to_string().contains("no such scheme"));
}

#[test]
fn the_same_file_is_read_once() {
    let folder = folder(&[("a.csv", b"x")]);
    let path = folder.path().join("a.csv").display().to_string();
    assert_eq!(find(&[path.clone(), folder.path().display().to_string(), path]).unwrap().files.len(), 1);
}
