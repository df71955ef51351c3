//! The record of a part: which shard delivered what, and of which run.

use crate::publish::{Format, Naming};
use crate::series::Shard;
use crate::series::civil::shown;
use crate::series::version::{self, Unread};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of the record's form.
const RECORD_VERSION: u32 = 1;

/// The largest record that is read.
pub(super) const RECORD_BYTES_MAX: u64 = 4 << 20;

/// The part of one shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Whose it is.
    pub shard: Shard,
    /// Name of the job.
    pub job: String,
    /// Id of the run, the same for all of its parts.
    pub run_id: String,
    /// Nominal instant of the forecast, microseconds UTC, the same for all parts.
    pub issued_at: i64,
    /// When its rows say that they were written, microseconds UTC.
    pub created_at: i64,
    /// Rows.
    pub rows: usize,
    /// Size.
    pub bytes: u64,
    /// SHA-256 of the file, lower-case hex.
    pub sha256: String,
    /// Version of the forecast schema.
    pub schema_version: u32,
    /// Names of the columns.
    pub naming: Naming,
    /// Format of the file.
    pub format: Format,
    /// What its file carries; keys without the `s4cast.` prefix.
    pub metadata: BTreeMap<String, String>,
    /// Name in the folder of the run: [`Part::file_name`].
    pub file: String,
}

/// The record as it is written. Keys are only ever added; unknown ones are passed over.
#[derive(Serialize, Deserialize)]
struct RecordFile {
    version: u32,
    shard: String,
    job: String,
    run_id: String,
    issued_at: String,
    created_at: String,
    rows: usize,
    bytes: u64,
    sha256: String,
    schema_version: u32,
    naming: String,
    format: String,
    file: String,
    metadata: BTreeMap<String, String>,
}

impl Part {
    /// The name of a part: whose, and the beginning of the hash of what is in it.
    pub fn file_name(shard: Shard, sha256: &str, format: Format) -> String {
        let short = sha256.get(..12).unwrap_or(sha256);
        format!("part-{}-{short}.{}", shard.index(), format.as_str())
    }

    /// The text of the record: the same for the same part.
    pub(super) fn to_json(&self) -> Result<Vec<u8>, String> {
        let file = RecordFile {
            version: RECORD_VERSION,
            shard: self.shard.to_string(),
            job: self.job.clone(),
            run_id: self.run_id.clone(),
            issued_at: shown(self.issued_at),
            created_at: shown(self.created_at),
            rows: self.rows,
            bytes: self.bytes,
            sha256: self.sha256.clone(),
            schema_version: self.schema_version,
            naming: self.naming.as_str().into(),
            format: self.format.as_str().into(),
            file: self.file.clone(),
            metadata: self.metadata.clone(),
        };
        let mut text = serde_json::to_vec_pretty(&file).map_err(|error| error.to_string())?;
        text.push(b'\n');
        Ok(text)
    }

    /// The part that a text records.
    pub(super) fn from_json(text: &[u8]) -> Result<Part, Unread> {
        Part::of_file(version::from_json(text, RECORD_VERSION)?).map_err(Unread::Damaged)
    }

    fn of_file(file: RecordFile) -> Result<Part, String> {
        let instant = |text: &str| match text.parse::<jiff::Timestamp>() {
            Ok(instant) => Ok(instant.as_microsecond()),
            Err(error) => Err(error.to_string()),
        };
        if !is_part(&file.file) {
            return Err(format!("'{}' names no part", file.file));
        }
        Ok(Part {
            shard: Shard::parse(&file.shard).map_err(|error| error.to_string())?,
            issued_at: instant(&file.issued_at)?,
            created_at: instant(&file.created_at)?,
            naming: Naming::from_name(&file.naming).ok_or_else(|| format!("naming '{}'", file.naming))?,
            format: Format::from_name(&file.format).ok_or_else(|| format!("format '{}'", file.format))?,
            job: file.job,
            run_id: file.run_id,
            rows: file.rows,
            bytes: file.bytes,
            sha256: file.sha256,
            schema_version: file.schema_version,
            metadata: file.metadata,
            file: file.file,
        })
    }
}

/// The name of a shard's record.
pub(super) fn record_name(shard: Shard) -> String {
    format!("_part-{}-of-{}.json", shard.index(), shard.count())
}

/// Whether a name is one that parts have: what may be cleared away where no commit names it.
pub(in crate::publish) fn is_part(name: &str) -> bool {
    let Some((index, rest)) = name.strip_prefix("part-").and_then(|rest| rest.split_once('-')) else {
        return false;
    };
    let Some((hash, format)) = rest.split_once('.') else { return false };
    !index.is_empty()
        && index.bytes().all(|byte| byte.is_ascii_digit())
        && hash.len() == 12
        && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
        && Format::from_name(format).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_parts_are_told_from_others() {
        let shard = Shard::parse("3/7").expect("shard");
        let name = Part::file_name(shard, "0123456789abcdef", Format::Parquet);
        assert_eq!(name, "part-3-0123456789ab.parquet");
        assert!(is_part(&name));
        for other in ["part-0.parquet", "part-x-0123456789ab.parquet", "part-1-0123.csv", "_part-1-of-3.json"]
        {
            assert!(!is_part(other), "{other}");
        }
        assert_eq!(record_name(shard), "_part-3-of-7.json");
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let part = Part {
            shard: Shard::parse("3/7").expect("shard"),
            job: "load".into(),
            run_id: "r".into(),
            issued_at: 1_700_000_000_000_001,
            created_at: -7,
            rows: 3,
            bytes: 4,
            sha256: "ab".into(),
            schema_version: 1,
            naming: Naming::Nixtla,
            format: Format::Csv,
            metadata: BTreeMap::from([("seed".into(), "1".into())]),
            file: "part-3-0123456789ab.csv".into(),
        };
        let text = part.to_json().expect("json");
        assert_eq!(Part::from_json(&text), Ok(part));
        let newer = String::from_utf8(text).expect("text").replace("\"version\": 1", "\"version\": 2");
        assert!(Part::from_json(newer.as_bytes()).is_err());
        assert!(Part::from_json(b"{}").is_err());
    }
}
