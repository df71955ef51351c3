//! Which files of a source are new, revised or gone since an earlier look, without reading a row.

use super::Watch;
use super::files::{self, SourceFile};
use super::inputs::{self, Found};
use super::seen::Seen;
use super::spec::{IngestError, SourceSpec};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};
use std::sync::atomic::AtomicBool;

/// A file as it was at one look.
///
/// A later look trusts size, times and, on Unix, the time of the last change of the inode and its number: only a clock that
/// was set back between two writes of the same length into the same file can hide a change. Of an object, it trusts what the
/// store says: size, time and tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileStamp {
    /// As the inputs name it.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Time of the last modification, nanoseconds since 1970.
    pub modified_ns: i128,
    /// Time of the last change of the inode, nanoseconds since 1970; 0 where there is none.
    pub changed_ns: i128,
    /// Number of the inode, or a hash of the tag of an object; 0 where there is none.
    pub inode: u64,
    /// SHA-256 of the content, lower-case hex.
    pub sha256: String,
}

/// In which way a file differs from an earlier look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It was not there.
    New,
    /// It had another content.
    Revised,
    /// It was written again with the same content.
    Touched,
    /// It is gone.
    Vanished,
}

impl ChangeKind {
    /// The word in the run record.
    pub fn as_str(self) -> &'static str {
        match self {
            ChangeKind::New => "new",
            ChangeKind::Revised => "revised",
            ChangeKind::Touched => "touched",
            ChangeKind::Vanished => "vanished",
        }
    }
}

/// A file that differs from an earlier look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// As the inputs name it.
    pub path: String,
    /// In which way.
    pub kind: ChangeKind,
}

/// The files of a source at one look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stamps {
    /// All of them, in reading order.
    pub files: Vec<FileStamp>,
    /// Bytes that were read to hash what is not known.
    pub bytes_hashed: u64,
    /// What differs, ascending by path.
    pub changes: Vec<Change>,
    /// Files that are left out by name, size or ends, with the reason: they come and go without a stamp.
    pub skipped: Vec<String>,
}

impl Stamps {
    /// Whether reading the files again could give something else.
    pub fn has_new_content(&self) -> bool {
        self.changes.iter().any(|change| change.kind != ChangeKind::Touched)
    }
}

/// Looks at the files that the inputs name now; only content that size and times do not vouch for is read. A source that
/// is a command has no files to look at: nothing is new of it until it runs.
///
/// # Errors
/// If an input names no file, or one cannot be read.
pub fn stamp(spec: &SourceSpec, known: &[FileStamp]) -> Result<Stamps, IngestError> {
    match &spec.exec {
        Some(_) => Ok(Stamps::default()),
        None => Ok(stamp_found(spec, known, &AtomicBool::new(false), &|_| {})?.0),
    }
}

/// As [`stamp`], with the files that were found.
pub(super) fn stamp_found(
    spec: &SourceSpec,
    known: &[FileStamp],
    stop: &AtomicBool,
    watch: &Watch,
) -> Result<(Stamps, Found), IngestError> {
    let known: BTreeMap<&str, &FileStamp> = known.iter().map(|file| (file.path.as_str(), file)).collect();
    let found = inputs::find(spec, stop, watch)?;
    let mut stamps = Stamps { skipped: found.skipped.clone(), ..Stamps::default() };
    for file in &found.files {
        let before = known.get(file.name.as_str()).copied();
        let now = stamp_file(file, before).map_err(|error| files::io_error(&file.path, &error))?;
        let kind = match before {
            None => Some(ChangeKind::New),
            Some(before) if *before == now => None,
            Some(before) if before.sha256 == now.sha256 => Some(ChangeKind::Touched),
            Some(_) => Some(ChangeKind::Revised),
        };
        if before.is_none_or(|before| *before != now) {
            stamps.bytes_hashed += now.size;
        }
        stamps.changes.extend(kind.map(|kind| Change { path: now.path.clone(), kind }));
        stamps.files.push(now);
    }
    let here: BTreeSet<&str> = stamps.files.iter().map(|file| file.path.as_str()).collect();
    let gone = known.keys().filter(|path| !here.contains(*path));
    let gone = gone.map(|path| Change { path: (*path).to_owned(), kind: ChangeKind::Vanished });
    stamps.changes.extend(gone);
    stamps.changes.sort_by(|a, b| a.path.cmp(&b.path));
    Ok((stamps, found))
}

/// What can be told of the files of a source from the folders that they stand in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glance {
    /// Bytes of all of them.
    pub bytes: u64,
    /// Whether they are those of an earlier look, by names, sizes and times.
    pub is_same: bool,
}

/// Looks at the files that the inputs name now, opens none of them, and copies no object. A command has none.
///
/// # Errors
/// If an input names no file.
pub fn glance(spec: &SourceSpec, known: &[FileStamp]) -> Result<Glance, IngestError> {
    if spec.exec.is_some() {
        return Ok(Glance { bytes: 0, is_same: false });
    }
    let (files, bytes_missing) = inputs::at_hand(spec)?;
    let is_same = |(file, before): (&SourceFile, &FileStamp)| {
        FileStamp { sha256: before.sha256.clone(), ..unhashed(file) } == *before
    };
    Ok(Glance {
        bytes: files.iter().map(|file| file.seen.bytes).sum::<u64>() + bytes_missing,
        is_same: bytes_missing == 0 && files.len() == known.len() && files.iter().zip(known).all(is_same),
    })
}

/// The stamp of a file without its hash.
fn unhashed(file: &SourceFile) -> FileStamp {
    let Seen { bytes, modified_ns, changed_ns, inode } = file.seen;
    let (path, sha256) = (file.name.clone(), String::new());
    FileStamp { path, size: bytes, modified_ns, changed_ns, inode, sha256 }
}

/// The stamp of a file; the hash is the one before where everything else is the same.
fn stamp_file(file: &SourceFile, before: Option<&FileStamp>) -> io::Result<FileStamp> {
    let sha256 = before.map_or_else(String::new, |before| before.sha256.clone());
    let mut stamp = FileStamp { sha256, ..unhashed(file) };
    if before != Some(&stamp) {
        stamp.sha256 = hash(File::open(&file.path)?)?;
    }
    Ok(stamp)
}

fn hash(mut file: File) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut block = vec![0; 1 << 20];
    loop {
        match file.read(&mut block)? {
            0 => return Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            length => hash.update(&block[..length]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use std::time::UNIX_EPOCH;

    fn write(folder: &Path, name: &str, text: &str) {
        std::fs::write(folder.join(name), text).expect("written");
    }

    fn kinds(stamps: &Stamps) -> Vec<(String, &'static str)> {
        let name = |path: &str| Path::new(path).file_name().expect("name").to_string_lossy().into_owned();
        stamps.changes.iter().map(|change| (name(&change.path), change.kind.as_str())).collect()
    }

    #[test]
    fn new_revised_touched_and_vanished_files_are_told_apart() {
        let folder = tempfile::tempdir().expect("folder");
        let spec = SourceSpec::new(vec![folder.path().join("*.csv").display().to_string()]);
        write(folder.path(), "a.csv", "ds,y\n2024-01-01,1\n");
        write(folder.path(), "b.csv", "ds,y\n2024-01-02,1\n");
        write(folder.path(), "c.csv", "ds,y\n2024-01-03,1\n");
        let first = stamp(&spec, &[]).expect("readable");
        assert_eq!(first.changes.len(), 3);
        let again = stamp(&spec, &first.files).expect("readable");
        assert_eq!((again.bytes_hashed, again.changes.len()), (0, 0), "unchanged files are not read");

        write(folder.path(), "a.csv", "ds,y\n2024-01-01,2\n");
        File::options()
            .write(true)
            .open(folder.path().join("b.csv"))
            .expect("b")
            .set_modified(UNIX_EPOCH)
            .expect("set");
        std::fs::remove_file(folder.path().join("c.csv")).expect("removed");
        write(folder.path(), "d.csv", "ds,y\n2024-01-04,1\n");
        let changed = stamp(&spec, &first.files).expect("readable");
        let want = [("a.csv", "revised"), ("b.csv", "touched"), ("c.csv", "vanished"), ("d.csv", "new")];
        assert_eq!(kinds(&changed), want.map(|(name, kind)| (name.to_owned(), kind)));
        assert!(changed.has_new_content());
    }

    #[test]
    fn a_file_that_is_only_touched_has_nothing_new_and_stamps_survive_json() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("a.csv");
        let spec = SourceSpec::new(vec![path.display().to_string()]);
        write(folder.path(), "a.csv", "ds,y\n2024-01-01,1\n");
        let first = stamp(&spec, &[]).expect("readable");
        let text = serde_json::to_string(&first.files).expect("JSON");
        assert_eq!(serde_json::from_str::<Vec<FileStamp>>(&text).expect("stamps"), first.files);
        File::options().write(true).open(&path).expect("a").set_modified(UNIX_EPOCH).expect("set");
        let touched = stamp(&spec, &first.files).expect("readable");
        assert_eq!(kinds(&touched), [("a.csv".to_owned(), "touched")]);
        assert!(!touched.has_new_content() && touched.bytes_hashed > 0);
    }
}
