//! Sinks and registries in stores: several machines, stores that break at every operation, readers meanwhile.

mod faults;
mod loops;
mod registry;
mod runs;
mod shards;
mod signing;

use crate::publish::{forecasts, is_whole, provenance};
use jiff::SignedDuration;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use s4cast::publish::{self, Format, Naming, PublishError, PublishedRun, RemoteSink, RunKey, SinkSpec};
use s4cast::series::Shard;
use s4cast::store::{Address, Store};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Microseconds.
pub const SECOND: i64 = 1_000_000;
pub const DAY: i64 = 86_400 * SECOND;

/// A name that no other test uses: a store in memory is one in the whole process.
pub fn fresh(name: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{name}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A folder of a store in memory, or of one that `store` is the address of.
pub fn address(store: &str, folder: &str) -> Address {
    if let Some(at) = Address::parse(store) {
        return at.unwrap().join(folder);
    }
    Address::parse(&format!("memory://{store}/{folder}")).unwrap().unwrap()
}

/// A sink in the store of that name, whose copy is below `folder`.
pub fn sink(folder: &Path, store: &str, shard: &str) -> SinkSpec {
    SinkSpec {
        name: "lake".into(),
        path: folder.join("out"),
        format: Format::Parquet,
        naming: Naming::V1,
        retention: None,
        grace: SignedDuration::ZERO,
        remote: Some(RemoteSink {
            address: address(store, "lake"),
            shard: Shard::parse(shard).unwrap(),
            shard_timeout: SignedDuration::from_millis(200),
        }),
    }
}

/// A machine that publishes.
pub struct Machine {
    pub sink: SinkSpec,
    pub store: Store,
    _folder: tempfile::TempDir,
}

impl Machine {
    pub fn new(store: &str) -> Machine {
        Machine::shard(store, "0/1")
    }

    pub fn shard(store: &str, shard: &str) -> Machine {
        let folder = tempfile::tempdir().unwrap();
        let sink = sink(folder.path(), store, shard);
        Machine { store: Store::open(&address(store, "lake")).unwrap(), sink, _folder: folder }
    }

    /// Publishes a run of `series` series, written one second after its slot.
    pub fn publish(&self, key: &RunKey, series: usize) -> Result<PublishedRun, PublishError> {
        let mut provenance = provenance(key, key.issued_at + SECOND);
        provenance.correction = Some(format!("{{\"1h\": {series}}}"));
        publish::publish_run(&self.sink, key, &forecasts(series), &[], &["site".into()], &provenance)
    }

    pub fn pull(&self) -> usize {
        publish::pull(&self.sink, "load").unwrap()
    }

    /// Ids and rows of the runs here, the newest first.
    pub fn here(&self) -> Vec<(String, usize)> {
        let runs = publish::runs(&self.sink.path, "load").unwrap();
        runs.into_iter().map(|run| (run.run_id, run.rows)).collect()
    }

    /// Names of what is there, below the sink.
    pub fn there(&self) -> Vec<String> {
        self.store.list("").unwrap().into_iter().map(|entry| entry.name).collect()
    }

    /// The text of an object.
    pub fn text(&self, name: &str) -> Option<serde_json::Value> {
        let bytes = self.store.get(name, 1 << 20).unwrap()?;
        Some(serde_json::from_slice(&bytes).unwrap())
    }

    /// Rows of the runs that are committed there, by id, and whether everything that a commit names is there as it says.
    pub fn committed(&self) -> BTreeMap<String, u64> {
        let mut runs = BTreeMap::new();
        for name in self.there().iter().filter(|name| name.ends_with("/_commit.json")) {
            let commit = self.text(name).unwrap();
            let folder = name.trim_end_matches("/_commit.json");
            for part in commit["parts"].as_array().unwrap() {
                let name = format!("{folder}/{}", part["name"].as_str().unwrap());
                let bytes = self.store.get(&name, 1 << 30).unwrap().expect("a part that a commit names");
                assert_eq!(sha256(&bytes), part["sha256"], "{name}");
            }
            let correction = commit["metadata"]["correction_sha256"].as_str();
            if let Some(hash) = correction {
                let text = self.store.get(&format!("{folder}/_correction-{}.json", &hash[..12]), 1 << 20);
                assert_eq!(sha256(&text.unwrap().expect("what it was corrected by")), hash);
            }
            runs.insert(commit["run_id"].as_str().unwrap().into(), commit["rows"].as_u64().unwrap());
        }
        runs
    }

    /// The run that the file in `latest` shows there; it is whole.
    pub fn latest(&self) -> Option<String> {
        let at = tempfile::tempdir().unwrap();
        let path = at.path().join("latest.parquet");
        self.store.download("latest/job=load/part-0.parquet", &path).unwrap()?;
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&path).unwrap()).unwrap();
        let pairs = reader.metadata().file_metadata().key_value_metadata().cloned().unwrap();
        let run = pairs.into_iter().find(|pair| pair.key == "s4cast.run_id").unwrap().value;
        let batches: Vec<_> = reader.build().unwrap().map(|batch| batch.unwrap()).collect();
        assert!(is_whole(&batches));
        run
    }

    /// The run that the pointer names there.
    pub fn pointer(&self) -> Option<String> {
        Some(self.text("latest/job=load/_latest.json")?["run_id"].as_str().unwrap().into())
    }
}

pub fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    format!("{:x}", Sha256::digest(bytes))
}
