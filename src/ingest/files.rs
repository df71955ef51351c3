//! Which files an input names: paths, globs, directories, Hive partitions; what is left out, and why.
//!
//! `key=value` folders count below a named directory and below the part of a glob that has no wildcard; of a named file
//! they count as its path is written. Where the program is started from plays no part.

use super::spec::{IngestError, IngestErrorKind};
use std::collections::HashSet;
use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Text with a separator; `None` finds it in the header.
    Csv(Option<u8>),
    /// Apache Parquet.
    Parquet,
}

/// One file to read.
#[derive(Clone, Debug)]
pub(super) struct SourceFile {
    pub(super) path: PathBuf,
    /// As messages name it.
    pub(super) name: String,
    pub(super) format: Format,
    /// Columns that the path holds as `key=value`; `None` is Hive's null.
    pub(super) hive: Vec<(String, Option<String>)>,
    /// Named by the user, so that it must be readable; files of a directory or glob may be left out.
    pub(super) named: bool,
    /// Size and times, taken before the content is looked at.
    pub(super) metadata: Metadata,
}

/// The files of all inputs, in reading order.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) files: Vec<SourceFile>,
    /// Left out, with the reason.
    pub(super) skipped: Vec<String>,
}

const TEXT_EXTENSIONS: [&str; 3] = ["csv", "tsv", "txt"];
const PARQUET_EXTENSIONS: [&str; 3] = ["parquet", "pq", "parq"];
const PACKED_EXTENSIONS: [&str; 5] = ["gz", "zst", "zip", "bz2", "xz"];

/// Finds the files of all inputs; a file that several inputs name is read once.
pub(super) fn find(inputs: &[String]) -> Result<Found, IngestError> {
    if inputs.is_empty() {
        return Err(usage("no input: name a file, a glob or a directory".to_owned()));
    }
    let mut found = Found::default();
    for input in inputs {
        add_input(input, &mut found)?;
    }
    let mut seen = HashSet::new();
    found.files.retain(|file| seen.insert(file.path.canonicalize().unwrap_or_else(|_| file.path.clone())));
    if found.files.is_empty() {
        let mut problems = vec![format!("{}: no CSV or Parquet file to read", inputs.join(", "))];
        problems.extend(found.skipped.iter().map(|skipped| format!("left out: {skipped}")));
        return Err(IngestError::new(IngestErrorKind::InputMissing, problems));
    }
    Ok(found)
}

fn add_input(input: &str, found: &mut Found) -> Result<(), IngestError> {
    if let Some((scheme, _)) = input.split_once("://")
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric())
    {
        return Err(usage(format!(
            "{input}: {scheme}:// is not supported yet; copy the file to a local path"
        )));
    }
    let path = Path::new(input);
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => {
            let mut paths = Vec::new();
            walk(path, &mut HashSet::new(), &mut paths)?;
            paths.sort();
            add_many(paths, path, false, found)
        }
        Ok(metadata) if !metadata.is_file() => {
            Err(usage(format!("{input}: a pipe or a device, which cannot be read twice; name a file")))
        }
        Ok(_) => {
            found.files.push(source_file(path, Path::new(""), true)?);
            Ok(())
        }
        Err(_) if input == "-" => {
            Err(usage("-: standard input cannot be read twice; write it to a file and name that".to_owned()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound && input.contains(['*', '?', '[']) => {
            let matches = glob::glob(input).map_err(|error| {
                usage(format!("{input}: neither a file nor a pattern ({error}); write [[] for a bracket"))
            })?;
            let mut paths: Vec<PathBuf> =
                matches.collect::<Result<_, _>>().map_err(|error| io_error(error.path(), error.error()))?;
            // A folder that the pattern spells out is wanted, whatever its name.
            let spelt: Vec<Component<'_>> = path.components().collect();
            let wanted = |folder: &Path| {
                let last = folder.components().next_back();
                !set_aside(folder) || last.is_some_and(|last| spelt.contains(&last))
            };
            paths.retain(|path| path.is_file() && path.ancestors().skip(1).all(wanted));
            if paths.is_empty() {
                let problem = format!("{input}: the pattern matches no file{}", similar(path));
                return Err(IngestError::new(IngestErrorKind::InputMissing, vec![problem]));
            }
            paths.sort();
            let is_fixed =
                |part: &Component<'_>| !part.as_os_str().to_string_lossy().contains(['*', '?', '[']);
            let root: PathBuf = path.components().take_while(is_fixed).collect();
            add_many(paths, &root, true, found)
        }
        Err(error) => Err(io_error(path, &error)),
    }
}

/// All files below a directory. Links to directories are followed, but no folder is entered twice.
fn walk(
    directory: &Path,
    visited: &mut HashSet<PathBuf>,
    paths: &mut Vec<PathBuf>,
) -> Result<(), IngestError> {
    if !visited.insert(directory.canonicalize().map_err(|error| io_error(directory, &error))?) {
        return Ok(());
    }
    let entries = std::fs::read_dir(directory).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let entries = entries.map_err(|error| io_error(directory, &error))?;
    let mut entries: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        match path.is_dir() {
            true if set_aside(&path) => {}
            true => walk(&path, visited, paths)?,
            false => paths.push(path),
        }
    }
    Ok(())
}

/// Adds the files of a directory or glob. A glob that matches files of other kinds says so; a directory may hold them.
fn add_many(
    paths: Vec<PathBuf>,
    root: &Path,
    tell_foreign: bool,
    found: &mut Found,
) -> Result<(), IngestError> {
    for path in paths {
        match refuse(&path)? {
            Refusal::Foreign(reason) if tell_foreign => {
                found.skipped.push(format!("{}: {reason}", path.display()));
            }
            Refusal::Foreign(_) => {}
            Refusal::Because(reason) => found.skipped.push(format!("{}: {reason}", path.display())),
            Refusal::None => found.files.push(source_file(&path, root, false)?),
        }
    }
    Ok(())
}

enum Refusal {
    None,
    /// Not meant to be read: directories hold marks of other programs, such as `_SUCCESS`.
    Foreign(&'static str),
    Because(&'static str),
}

fn refuse(path: &Path) -> Result<Refusal, IngestError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let extension = extension(path);
    let known = |list: &[&str]| list.contains(&extension.as_str());
    let packed = known(&PACKED_EXTENSIONS) && name.split('.').any(|part| TEXT_EXTENSIONS.contains(&part));
    Ok(if hidden(path) || name.starts_with('_') {
        Refusal::Foreign("hidden by its name")
    } else if known(&["tmp", "partial"]) {
        Refusal::Because("unfinished file")
    } else if packed {
        Refusal::Because("compressed; unpack it first")
    } else if !known(&TEXT_EXTENSIONS) && !known(&PARQUET_EXTENSIONS) {
        Refusal::Foreign("neither CSV nor Parquet by its name")
    } else if std::fs::metadata(path).map_err(|error| io_error(path, &error))?.len() == 0 {
        Refusal::Because("empty file")
    } else if known(&PARQUET_EXTENSIONS) && !has_footer(path).map_err(|error| io_error(path, &error))? {
        Refusal::Because("no Parquet footer: half written or damaged")
    } else {
        Refusal::None
    })
}

/// The file of a path; its `key=value` folders count below `root`.
fn source_file(path: &Path, root: &Path, named: bool) -> Result<SourceFile, IngestError> {
    let name = path.display().to_string();
    let extension = extension(path);
    if named && PACKED_EXTENSIONS.contains(&extension.as_str()) {
        return Err(data(format!("{name}: compressed files are not read; unpack it first")));
    }
    let metadata = std::fs::metadata(path).map_err(|error| io_error(path, &error))?;
    if metadata.len() == 0 {
        return Err(data(format!("{name}: the file is empty; write a header line and at least one row")));
    }
    let format = if extension == "tsv" {
        Format::Csv(Some(b'\t'))
    } else if TEXT_EXTENSIONS.contains(&extension.as_str()) {
        Format::Csv(None)
    } else if PARQUET_EXTENSIONS.contains(&extension.as_str()) || has_magic(path) {
        Format::Parquet
    } else {
        Format::Csv(None)
    };
    if format == Format::Parquet && !has_footer(path).map_err(|error| io_error(path, &error))? {
        return Err(data(format!(
            "{name}: no Parquet footer: half written or damaged; write the file again"
        )));
    }
    let hive = hive_columns(below(path, root));
    Ok(SourceFile { path: path.to_owned(), name, format, hive, named, metadata })
}

/// The part of a path below a folder; matches of a glob lack the `./` that it may begin with.
fn below<'a>(path: &'a Path, root: &Path) -> &'a Path {
    let path = path.strip_prefix(".").unwrap_or(path);
    path.strip_prefix(root.strip_prefix(".").unwrap_or(root)).unwrap_or(path)
}

/// `key=value` folders of a path.
fn hive_columns(path: &Path) -> Vec<(String, Option<String>)> {
    let folders = path.parent().into_iter().flat_map(Path::components);
    let pair = |part: std::path::Component<'_>| {
        let part = part.as_os_str().to_str()?.to_owned();
        let (key, value) = part.split_once('=').filter(|(key, _)| !key.is_empty())?;
        let value = (value != "__HIVE_DEFAULT_PARTITION__").then(|| percent_decoded(value));
        Some((percent_decoded(key), value))
    };
    folders.filter_map(pair).collect()
}

/// Hive writes characters that paths do not like as `%3A`.
fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let code = bytes.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        match code.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) if bytes[at] == b'%' => {
                decoded.push(byte);
                at += 3;
            }
            _ => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(decoded).unwrap_or_else(|_| text.to_owned())
}

fn hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

/// Whether other programs set a folder aside by its name: `.git`, Spark's `_temporary`, Delta's `_delta_log`. A Hive key
/// may begin with `_`.
fn set_aside(folder: &Path) -> bool {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.') || (name.starts_with('_') && !name.contains('='))
}

fn extension(path: &Path) -> String {
    path.extension().map(|extension| extension.to_string_lossy().to_lowercase()).unwrap_or_default()
}

fn has_magic(path: &Path) -> bool {
    let mut magic = [0; 4];
    File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok() && magic == *b"PAR1"
}

/// Whether the file begins and ends as Parquet does, with room for the footer that it declares.
pub(super) fn has_footer(path: &Path) -> io::Result<bool> {
    footer(&mut File::open(path)?).map(|footer| footer.is_some())
}

/// The footer of a Parquet file, from its declared length; `None` if the file does not begin and end as Parquet does.
pub(super) fn footer(file: &mut File) -> io::Result<Option<Vec<u8>>> {
    let length = file.metadata()?.len();
    if length < 12 {
        return Ok(None);
    }
    let (mut head, mut tail) = ([0; 4], [0; 8]);
    file.seek(SeekFrom::Start(0))?;
    file.read_exact(&mut head)?;
    file.seek(SeekFrom::End(-8))?;
    file.read_exact(&mut tail)?;
    let [a, b, c, d, magic @ ..] = tail;
    let size = u32::from_le_bytes([a, b, c, d]);
    if head != *b"PAR1" || magic != *b"PAR1" || u64::from(size) + 12 > length {
        return Ok(None);
    }
    let mut footer = vec![0; size as usize];
    file.seek(SeekFrom::End(-8 - i64::from(size)))?;
    file.read_exact(&mut footer)?;
    Ok(Some(footer))
}

/// The refusal that an IO error deserves.
pub(super) fn io_error(path: &Path, error: &io::Error) -> IngestError {
    let name = path.display();
    let (kind, problem) = match error.kind() {
        io::ErrorKind::NotFound => {
            (IngestErrorKind::InputMissing, format!("{name}: no such file or directory{}", similar(path)))
        }
        io::ErrorKind::PermissionDenied => {
            (IngestErrorKind::Permission, format!("{name}: reading is not allowed; check its permissions"))
        }
        _ => (IngestErrorKind::Io, format!("{name}: reading failed: {error}; check the disk and run again")),
    };
    IngestError::new(kind, vec![problem])
}

/// `; did you mean …?` with the names in the same folder that resemble a missing one.
fn similar(path: &Path) -> String {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let wanted = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let names = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let score = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        strsim::jaro_winkler(&name, &wanted)
    };
    let mut scored: Vec<(f64, PathBuf)> =
        names.map(|path| (score(&path), path)).filter(|s| s.0 > 0.8).collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    let shown: Vec<String> = scored.iter().take(3).map(|(_, path)| path.display().to_string()).collect();
    if shown.is_empty() { String::new() } else { format!("; did you mean {}?", shown.join(" or ")) }
}

pub(super) fn data(problem: String) -> IngestError {
    IngestError::new(IngestErrorKind::Data, vec![problem])
}

pub(super) fn usage(problem: String) -> IngestError {
    IngestError::new(IngestErrorKind::Usage, vec![problem])
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!((below(path, Path::new("./env=prod")), below(path, Path::new("."))), (rest, path));
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
    fn named_files_must_be_whole_and_local() {
        let folder = folder(&[("torn.parquet", b"PAR1 and more"), ("empty.csv", b""), ("x.csv.gz", b"x")]);
        for name in ["torn.parquet", "empty.csv", "x.csv.gz"] {
            let error = find(&[folder.path().join(name).display().to_string()]).unwrap_err();
            assert_eq!(error.kind(), IngestErrorKind::Data);
            assert!(error.to_string().contains(name));
        }
        let error = find(&["s3://bucket/x.parquet".to_owned()]).unwrap_err();
        assert_eq!(error.kind(), IngestErrorKind::Usage);
        assert!(error.to_string().contains("not supported yet"));
    }

    #[test]
    fn the_same_file_is_read_once() {
        let folder = folder(&[("a.csv", b"x")]);
        let path = folder.path().join("a.csv").display().to_string();
        assert_eq!(find(&[path.clone(), folder.path().display().to_string(), path]).unwrap().files.len(), 1);
    }
}
