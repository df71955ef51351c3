//! The commit of a run: the small file that makes it count, and says what it holds.

use crate::publish::parts::{Part, is_part};
use crate::publish::{Format, Naming, PublishError, SCHEMA_VERSION, latest};
use crate::series::version::{self, Unread};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Name of the file; engines leave out files whose names begin with `_`.
pub(super) const COMMIT_FILE: &str = "_commit.json";

/// The largest commit that is read from a store: some thousand parts.
pub(super) const COMMIT_BYTES_MAX: u64 = 64 << 20;

/// Version of the file's form.
const COMMIT_VERSION: u32 = 1;

/// A run that is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Name of the job.
    pub job: String,
    /// UUIDv7 of the run.
    pub run_id: String,
    /// Nominal instant of the forecast, microseconds UTC.
    pub issued_at: i64,
    /// Wall clock at writing, microseconds UTC.
    pub created_at: i64,
    /// Wall clock at the first writing of this run, microseconds UTC: what its rows say.
    pub first_created_at: i64,
    /// Rows of the run.
    pub rows: usize,
    /// Size of the part file.
    pub bytes: u64,
    /// SHA-256 of the part file, lower-case hex.
    pub sha256: String,
    /// Version of the forecast schema.
    pub schema_version: u32,
    /// Names of the columns.
    pub naming: Naming,
    /// Format of the part file.
    pub format: Format,
    /// Where the forecasts come from: what the metadata of a Parquet file carries.
    pub metadata: BTreeMap<String, String>,
    /// Its parts, by shard, where it was delivered in parts; empty where it is the one file that [`Commit::path`] names. Rows and
    /// bytes are then the sums, and the hash is that of the hashes of the parts, one a line (of one part, its own).
    pub parts: Vec<PartFile>,
    /// Folder of the run; not in the file, for trees are moved.
    pub folder: PathBuf,
}

/// One part of a run that was delivered in parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartFile {
    /// Name in the folder of the run.
    pub name: String,
    /// Whose it is, as `i/N`.
    pub shard: String,
    /// Rows.
    pub rows: usize,
    /// Size.
    pub bytes: u64,
    /// SHA-256, lower-case hex.
    pub sha256: String,
}

/// The file as it is written. Keys are only ever added; unknown ones are passed over.
#[derive(Serialize, Deserialize)]
struct CommitFile {
    version: u32,
    job: String,
    run_id: String,
    issued_at: String,
    created_at: String,
    /// Not in the commits of early programs, whose rows were never older than they.
    #[serde(default)]
    first_created_at: Option<String>,
    rows: usize,
    bytes: u64,
    sha256: String,
    schema_version: u32,
    naming: String,
    format: String,
    files: Vec<String>,
    /// Not in the commits of runs of one file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    parts: Vec<PartFile>,
    metadata: BTreeMap<String, String>,
}

impl Commit {
    /// The commit of a run of several parts, which are of one run: the same for the same parts.
    pub(super) fn of_parts(parts: &[Part], folder: PathBuf) -> Commit {
        let first = &parts[0];
        let created = || parts.iter().map(|part| part.created_at);
        let is_shared =
            |key: &String, value: &String| parts.iter().all(|part| part.metadata.get(key) == Some(value));
        let mut metadata = first.metadata.clone();
        metadata.retain(|key, value| is_shared(key, value));
        let sha256 = match parts {
            [only] => only.sha256.clone(),
            _ => {
                let mut hash = Sha256::new();
                parts.iter().for_each(|part| hash.update(format!("{}\n", part.sha256)));
                latest::hex(hash)
            }
        };
        let files = parts.iter().map(|part| PartFile {
            name: part.file.clone(),
            shard: part.shard.to_string(),
            rows: part.rows,
            bytes: part.bytes,
            sha256: part.sha256.clone(),
        });
        Commit {
            job: first.job.clone(),
            run_id: first.run_id.clone(),
            issued_at: first.issued_at,
            created_at: created().max().unwrap_or(first.created_at),
            first_created_at: created().min().unwrap_or(first.created_at),
            rows: parts.iter().map(|part| part.rows).sum(),
            bytes: parts.iter().map(|part| part.bytes).sum(),
            sha256,
            schema_version: first.schema_version,
            naming: first.naming,
            format: first.format,
            metadata,
            parts: files.collect(),
            folder,
        }
    }

    /// The part file; of a run of several parts, the first.
    pub fn path(&self) -> PathBuf {
        match self.parts.first() {
            Some(part) => self.folder.join(&part.name),
            None => self.folder.join(part_name(self.format)),
        }
    }

    /// All part files, with their sizes.
    pub fn files(&self) -> Vec<(PathBuf, u64)> {
        match self.parts.is_empty() {
            true => vec![(self.path(), self.bytes)],
            false => self.parts.iter().map(|part| (self.folder.join(&part.name), part.bytes)).collect(),
        }
    }

    /// The text of the file.
    pub(super) fn to_json(&self) -> Result<Vec<u8>, String> {
        let instant = |micros| jiff::Timestamp::from_microsecond(micros).map(|instant| instant.to_string());
        let file = CommitFile {
            version: COMMIT_VERSION,
            job: self.job.clone(),
            run_id: self.run_id.clone(),
            issued_at: instant(self.issued_at).map_err(|error| error.to_string())?,
            created_at: instant(self.created_at).map_err(|error| error.to_string())?,
            first_created_at: Some(instant(self.first_created_at).map_err(|error| error.to_string())?),
            rows: self.rows,
            bytes: self.bytes,
            sha256: self.sha256.clone(),
            schema_version: self.schema_version,
            naming: self.naming.as_str().into(),
            format: self.format.as_str().into(),
            files: match self.parts.is_empty() {
                true => vec![part_name(self.format)],
                false => self.parts.iter().map(|part| part.name.clone()).collect(),
            },
            parts: self.parts.clone(),
            metadata: self.metadata.clone(),
        };
        let mut text = serde_json::to_vec_pretty(&file).map_err(|error| error.to_string())?;
        text.push(b'\n');
        Ok(text)
    }

    /// The commit that a text holds, of the run in `folder`.
    pub(super) fn from_json(text: &[u8], folder: &Path) -> Result<Commit, Unread> {
        let file: CommitFile = version::from_json(text, COMMIT_VERSION)?;
        // CSV says nothing of its own schema.
        if let Some(reason) = version::refusal(file.schema_version.into(), 1..=SCHEMA_VERSION.into()) {
            return Err(Unread::Version(format!("its forecasts are of another schema: {reason}")));
        }
        Commit::of_file(file, folder).map_err(Unread::Damaged)
    }

    fn of_file(file: CommitFile, folder: &Path) -> Result<Commit, String> {
        let instant = |text: &str| match text.parse::<jiff::Timestamp>() {
            Ok(instant) => Ok(instant.as_microsecond()),
            Err(error) => Err(error.to_string()),
        };
        // Names are joined to the folder: none leads out of it.
        if let Some(part) = file.parts.iter().find(|part| !is_part(&part.name)) {
            return Err(format!("'{}' names no part", part.name));
        }
        Ok(Commit {
            issued_at: instant(&file.issued_at)?,
            created_at: instant(&file.created_at)?,
            first_created_at: instant(file.first_created_at.as_ref().unwrap_or(&file.created_at))?,
            naming: Naming::from_name(&file.naming).ok_or_else(|| format!("naming '{}'", file.naming))?,
            format: Format::from_name(&file.format).ok_or_else(|| format!("format '{}'", file.format))?,
            job: file.job,
            run_id: file.run_id,
            rows: file.rows,
            bytes: file.bytes,
            sha256: file.sha256,
            schema_version: file.schema_version,
            metadata: file.metadata,
            parts: file.parts,
            folder: folder.into(),
        })
    }

    /// The commit of the run in a folder; `None` where there is none, or where it does not fit the part file beside it.
    pub(super) fn read(folder: &Path) -> Result<Option<Commit>, PublishError> {
        let path = folder.join(COMMIT_FILE);
        let text = match std::fs::read(&path) {
            // A run that was pruned meanwhile is none.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            text => text.map_err(|error| PublishError::read(&path, &error))?,
        };
        let fits = |commit: &Commit| {
            let mut files = commit.files().into_iter();
            files.all(|(path, bytes)| path.metadata().is_ok_and(|part| part.len() == bytes))
        };
        match Commit::from_json(&text, folder) {
            Ok(commit) if fits(&commit) => Ok(Some(commit)),
            // Retention takes the commit first.
            Ok(_) if !path.exists() => Ok(None),
            Ok(commit) => {
                tracing::warn!(part = %commit.path().display(), "the file is not the one that was committed");
                Ok(None)
            }
            Err(Unread::Damaged(reason)) => {
                tracing::warn!(commit = %path.display(), reason, "this is no commit");
                Ok(None)
            }
            Err(newer) => Err(PublishError::unread(path, newer)),
        }
    }

    /// What orders runs: later slots first count, then later writing.
    pub(super) fn age(&self) -> (i64, i64, &str) {
        (self.issued_at, self.created_at, &self.run_id)
    }
}

/// Name of the part file.
pub(super) fn part_name(format: Format) -> String {
    format!("part-0.{}", format.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_read_as_it_was_written_and_only_beside_its_file() {
        let folder = tempfile::tempdir().expect("folder");
        let commit = Commit {
            job: "load".into(),
            run_id: "r".into(),
            issued_at: 1_700_000_000_000_001,
            created_at: -5,
            first_created_at: -7,
            rows: 3,
            bytes: 4,
            sha256: "ab".into(),
            schema_version: 1,
            naming: Naming::Nixtla,
            format: Format::Csv,
            metadata: BTreeMap::from([("seed".into(), "1".into())]),
            parts: Vec::new(),
            folder: folder.path().into(),
        };
        let text = commit.to_json().expect("json");
        assert_eq!(Commit::from_json(&text, folder.path()), Ok(commit.clone()));
        assert_eq!(Commit::read(folder.path()).expect("read"), None);
        std::fs::write(folder.path().join(COMMIT_FILE), &text).expect("written");
        std::fs::write(commit.path(), "123").expect("written");
        assert_eq!(Commit::read(folder.path()).expect("read"), None);
        std::fs::write(commit.path(), "1234").expect("written");
        assert_eq!(Commit::read(folder.path()).expect("read"), Some(commit));
        let newer = String::from_utf8(text).expect("text").replace("\"version\": 1", "\"version\": 2");
        assert!(matches!(Commit::from_json(newer.as_bytes(), folder.path()), Err(Unread::Version(_))));
        std::fs::write(folder.path().join(COMMIT_FILE), newer).expect("written");
        let error =
            Commit::read(folder.path()).expect_err("a run that is there and cannot be read").to_string();
        assert!(error.contains("format 2") && error.contains("newer s4cast"), "{error}");
    }
}
