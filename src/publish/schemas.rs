//! Versions of the tables, in the metadata of their files: those of a newer program are refused, and not read by the names of
//! columns that may mean something else there.

use crate::series::version::{Unread, refusal};
use parquet::file::metadata::KeyValue;
use parquet::file::metadata::ParquetMetaData;

/// Version of the tables of scores, in the file's metadata as `s4cast.scores_schema_version`.
const SCORES_VERSION: u32 = 1;

/// Version of the tables of anomalies, in the file's metadata as `s4cast.anomalies_schema_version`.
const ANOMALIES_VERSION: u32 = 1;

/// Keys of the metadata, with the newest version that is known of each.
const KNOWN: [(&str, u32); 5] = [
    ("s4cast.schema_version", crate::publish::SCHEMA_VERSION),
    ("s4cast.backtest_schema_version", super::backtest::SCHEMA_VERSION),
    ("s4cast.quality_schema_version", super::quality::SCHEMA_VERSION),
    ("s4cast.scores_schema_version", SCORES_VERSION),
    ("s4cast.anomalies_schema_version", ANOMALIES_VERSION),
];

/// A table beside the forecasts that is read again.
#[derive(Clone, Copy)]
pub(super) enum Side {
    Scores,
    Anomalies,
}

impl Side {
    /// What says so in its file. Those of early programs say nothing.
    pub(super) fn mark(self) -> KeyValue {
        let (key, version) = match self {
            Side::Scores => KNOWN[3],
            Side::Anomalies => KNOWN[4],
        };
        KeyValue::new(key.into(), version.to_string())
    }
}

/// Refuses a file of a newer program.
pub(super) fn check(metadata: &ParquetMetaData) -> Result<(), Unread> {
    let pairs = metadata.file_metadata().key_value_metadata().into_iter().flatten();
    for pair in pairs {
        let known = KNOWN.iter().find(|(key, _)| *key == pair.key);
        if let Some((_, known)) = known
            && let Some(found) = pair.value.as_ref().and_then(|value| value.parse().ok())
            && let Some(reason) = refusal(found, 1..=(*known).into())
        {
            return Err(Unread::Version(reason));
        }
    }
    Ok(())
}
