//! Files that a daemon leaves for itself and for others, each changed in place among the others that are good.
//!
//! An input is the kind of the file, a line feed, and its content.

use super::forged;
use super::json;
use super::mutate::{self, Dice};
use super::world::World;
use s4cast::model::control::Control;
use s4cast::model::forecaster::Forecaster;
use s4cast::model::memory::Memory;
use s4cast::model::spec::{ModelSpec, RawModelSpec};
use s4cast::publish::parts::{self, Asked, Opening, Part};
use s4cast::publish::{self, Filter, Format, Naming};
use s4cast::registry::{Keys, Registry, SigningKey};
use s4cast::schedule::inbox;
use s4cast::schedule::lease::{Desk, Key, Member, Times};
use s4cast::schedule::ledger::{LedgerReader, SlotQuery};
use s4cast::schedule::spec::Stage;
use s4cast::series::Shard;
use s4cast::store::{Address, Store};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::Duration;

/// Kinds of files, with how their names begin or end.
const KINDS: [(&str, &str); 14] = [
    ("commit", "_commit.json"),
    ("correction", "_correction.json"),
    ("part", "part-0.parquet"),
    ("manifest", "manifest.json"),
    ("champion", "champion.json"),
    ("signature", "manifest.sig"),
    ("ledger", "ledger.db"),
    ("letter", "letter.json"),
    ("turn", "turn-1.json"),
    ("opening", "_run.json"),
    ("record", "_part-1-of-2.json"),
    ("whole", "_commit.json"),
    ("memory", ""),
    ("checkpoint", ""),
];

pub const WORDS: &[&str] = &[
    "version",
    "format",
    "job",
    "load",
    "run_id",
    "0190d3a5-0000-7000-8000-000000000000",
    "2024-01-03T12:00:00Z",
    "9999-12-31T23:59:59Z",
    "-009999-01-01T00:00:00Z",
    "+999999-12-31T23:59:59.999999999Z",
    "part-0.parquet",
    "part-1-000000000000.parquet",
    "../part-0.parquet",
    "v1",
    "nixtla",
    "parquet",
    "csv",
    "parts",
    "metadata",
    "turn",
    "claim",
    "over",
    "done",
    "ttl_s",
    "wait_s",
    "attempts",
    "history",
    "current",
    "pinned",
    "shadow",
    "weights_sha256",
    "command",
    "run",
    "retry",
    "reload",
    "stage",
    "slot",
    "1/2",
    "0/0",
    "4294967295/4294967295",
    "s0",
    "yhat_lower",
    "alpha",
    "levels",
];

/// What is read, and where it lies.
pub struct State {
    world: World,
    /// Where the objects of leases and of runs in several parts are.
    shared: PathBuf,
    forecaster: Forecaster,
    /// The versions, which have to be signed.
    registry: Registry,
}

/// A secret key: 32 bytes of seven.
const KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

impl State {
    pub fn new(folder: &Path) -> State {
        let world = World::new(&folder.join("world"));
        let key = SigningKey::parse(KEY).unwrap();
        let keys = Keys { signing: None, trusted: vec![key.public()] };
        let registry = Registry::at(world.state().join("models")).with_keys(keys);
        for version in registry.versions(Some("load")) {
            registry.sign("load", version.version, &key).unwrap();
        }
        let shared = folder.join("shared");
        let _ = std::fs::remove_dir_all(&shared);
        std::fs::create_dir_all(&shared).unwrap();
        let spec = ModelSpec::try_from(RawModelSpec::new("ridge", 2)).unwrap();
        let panel = super::models::small();
        let forecaster = Forecaster::fit(&panel, &spec, &Control::watched(&|_| {})).unwrap().forecaster;
        State { world, shared, forecaster, registry }
    }

    /// Good files of every kind.
    pub fn good(&self) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        for (kind, name) in &KINDS[..7] {
            for path in World::files(self.world.root(), &|file| file == *name).into_iter().take(3) {
                all.push(input(kind, &std::fs::read(path).unwrap()));
            }
        }
        all.push(input(
            "letter",
            br#"{"command":"run","job":"load","stage":"forecast","slot":1704301200000000}"#,
        ));
        let by = r#""node":"a","state":"00000000000000000000000000000001","process":"1","at":"2024-01-03T12:00:00Z""#;
        for text in [
            format!(r#"{{"turn":"claim","by":{{{by}}},"attempts":1,"ttl_s":30.0}}"#),
            format!(r#"{{"turn":"over","by":{{{by}}},"attempts":1,"reasons":["x"],"wait_s":30.0}}"#),
            format!(
                r#"{{"turn":"done","by":{{{by}}},"attempts":1,"outcome":"ok","reasons":[],"run_id":"x","ended_at":1704301200000000,"data":null}}"#
            ),
        ] {
            all.push(input("turn", text.as_bytes()));
        }
        all.extend(self.parts());
        all.push(input(
            "memory",
            &postcard::to_stdvec(&self.forecaster.remember(&super::models::small(), 0)).unwrap(),
        ));
        all.push(input("checkpoint", &super::models::checkpoint()));
        all
    }

    /// What two shards leave of a run.
    fn parts(&self) -> Vec<Vec<u8>> {
        let (store, file) = (self.store(), self.shared.join("content"));
        std::fs::write(&file, "content").unwrap();
        let run_id = "0190d3a5-0000-7000-8000-000000000000".to_owned();
        let own = opening();
        parts::open(&store, "r", &own, Asked::default()).unwrap();
        for index in 0..2 {
            let shard = Shard::parse(&format!("{index}/2")).unwrap();
            let sha256 = "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73".to_owned();
            let part = Part {
                shard,
                job: "load".into(),
                run_id: run_id.clone(),
                issued_at: own.issued_at,
                created_at: own.created_at,
                rows: 1,
                bytes: 7,
                file: Part::file_name(shard, &sha256, Format::Parquet),
                sha256,
                schema_version: publish::SCHEMA_VERSION,
                naming: Naming::V1,
                format: Format::Parquet,
                metadata: Default::default(),
            };
            parts::deliver(&store, "r", &part, &file).unwrap();
        }
        let kinds = [("opening", "_run.json"), ("record", "_part-1-of-2.json"), ("whole", "_commit.json")];
        kinds
            .map(|(kind, name)| input(kind, &std::fs::read(self.shared.join("r").join(name)).unwrap()))
            .to_vec()
    }

    fn store(&self) -> Store {
        Store::open(&Address::of_local(&self.shared).unwrap()).unwrap()
    }

    /// Puts a file where its like is, has everything read that may look at it, and puts things right again.
    pub fn ask(&self, dice: &mut Dice, input: &[u8]) -> bool {
        let at = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
        let (kind, content) = (&input[..at], input.get(at + 1..).unwrap_or_default());
        let Some((kind, name)) = KINDS.into_iter().find(|(known, _)| known.as_bytes() == kind) else {
            return false;
        };
        match kind {
            "memory" => self.memory(content),
            "checkpoint" => checkpoint(&self.shared.join("checkpoints"), content),
            "letter" => {
                let path = self.world.state().join("inbox").join(name);
                put(&path, content);
                !inbox::look(&self.world.state()).is_empty()
            }
            "turn" => self.turn(content),
            "opening" | "record" | "whole" => self.part(name, content),
            _ => {
                let files = World::files(self.world.root(), &|file| file == name);
                let Some(path) = World::pick(dice, &files) else { return false };
                let good = std::fs::read(&path).unwrap();
                std::fs::write(&path, content).unwrap();
                let is_read = self.look(dice, kind, &path);
                std::fs::write(&path, good).unwrap();
                is_read
            }
        }
    }

    /// Everything that looks at what was published, at versions and at the ledger.
    fn look(&self, dice: &mut Dice, kind: &str, path: &Path) -> bool {
        let (sink, job) = (
            &self.world.sink.path,
            if path.to_string_lossy().contains("job=other") { "other" } else { "load" },
        );
        match kind {
            "manifest" | "champion" | "signature" => {
                let registry = &self.registry;
                let versions = registry.versions(None);
                let _ = (registry.standing("load"), registry.history("load"), registry.shadow("load"));
                let _ = (
                    registry.load("load", 1),
                    registry.load_unseen("load", 1),
                    registry.find_slot("load", "x", i64::MIN),
                );
                registry.champion("load").is_ok() && versions.iter().all(|version| version.manifest.is_ok())
            }
            "ledger" => LedgerReader::open(&self.world.state())
                .and_then(|ledger| ledger.slots(&SlotQuery::default()))
                .is_ok(),
            _ => {
                let _ = (
                    publish::latest(sink, job),
                    publish::newest_runs(sink, job, 3),
                    publish::read_scores(path),
                );
                let _ =
                    (publish::read_anomalies(path), publish::series_of(path), publish::read_outcomes(path));
                let filter = Filter {
                    unique_ids: vec!["s0".into()],
                    offset: dice.below(3),
                    limit: Some(2),
                    ..Filter::default()
                };
                let _ = publish::read_run(path, &filter);
                let Ok(runs) = publish::runs(sink, job) else { return false };
                let mut is_whole = !runs.is_empty();
                for commit in &runs {
                    is_whole &=
                        publish::read_correction(commit).is_ok() && publish::read_series(commit).is_ok();
                    let _ = (
                        publish::read_columns(commit, &[80.0]),
                        publish::read_vintage(commit, "s0", &[80.0]),
                    );
                }
                is_whole
            }
        }
    }

    fn memory(&self, content: &[u8]) -> bool {
        let Ok(mut memory) = postcard::from_bytes::<Memory>(content) else { return false };
        if !memory.is_valid() {
            return false;
        }
        let panel = super::models::small();
        let _ = self.forecaster.predict_remembered(&memory, &panel.zone);
        if let Ok(steps) = memory.follow(super::models::later()) {
            memory.advance(&steps);
            let _ = self.forecaster.predict_remembered(&memory, &panel.zone);
        }
        true
    }

    fn turn(&self, content: &[u8]) -> bool {
        let key = Key::of_slot("load", Stage::Forecast, Shard::WHOLE, 1_704_301_200_000_000);
        let _ = std::fs::remove_dir_all(self.shared.join(key.folder()));
        put(&self.shared.join(key.turn(1)), content);
        let ticks = Arc::new(AtomicI64::new(0));
        let told = ticks.clone();
        let times =
            Times { ticks: Arc::new(move || told.load(Relaxed)), now: Arc::new(|| 1_704_301_200_000_000) };
        let me = Member { node: "b".into(), state: "2".repeat(32), process: "2".into() };
        let desk = Arc::new(Desk::new(self.store(), me, Duration::from_secs(30), times));
        let mut is_read = false;
        for now in [0, 40_000_000, i64::MAX / 2] {
            ticks.store(now, Relaxed);
            is_read |= desk.acquire(&key).is_ok();
        }
        is_read
    }

    fn part(&self, name: &str, content: &[u8]) -> bool {
        let path = self.shared.join("r").join(name);
        let good = std::fs::read(&path).unwrap();
        std::fs::write(&path, content).unwrap();
        let store = self.store();
        let shard = Shard::parse("1/2").unwrap();
        let is_read = parts::open(&store, "r", &opening(), Asked::default()).is_ok()
            && parts::standing(&store, "r", shard).is_ok()
            && parts::committed(&store, "r").is_ok();
        if name != "_commit.json" {
            let commit = self.shared.join("r/_commit.json");
            let whole = std::fs::read(&commit).unwrap();
            std::fs::remove_file(&commit).unwrap();
            let _ = parts::complete(&store, "r", 2);
            std::fs::write(&commit, whole).unwrap();
        }
        std::fs::write(&path, good).unwrap();
        std::fs::write(self.shared.join("content"), "content").unwrap();
        is_read
    }
}

fn opening() -> Opening {
    Opening {
        run_id: "0190d3a5-0000-7000-8000-000000000000".into(),
        issued_at: 1_704_301_200_000_000,
        created_at: 1_704_301_200_000_000,
        config_sha256: "c0ffee".into(),
    }
}

fn input(kind: &str, content: &[u8]) -> Vec<u8> {
    [kind.as_bytes(), b"\n", content].concat()
}

fn put(path: &Path, content: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

/// A fit of another model looks at a checkpoint before it begins anew.
fn checkpoint(folder: &Path, content: &[u8]) -> bool {
    let body = content.get(65..).unwrap_or_default();
    // The digest is made right, or nothing behind it would be looked at.
    let sealed = [s4cast::model::artifact::sha256(body).as_bytes(), b"\n", body].concat();
    put(&folder.join("checkpoint"), &sealed);
    let spec = ModelSpec::try_from(RawModelSpec::new("seasonal_naive", 2)).unwrap();
    let control = Control { checkpoints: Some(folder), ..Control::watched(&|_| {}) };
    Forecaster::fit(&super::models::small(), &spec, &control).is_ok()
}

/// A file changed: as JSON where it is that, else as bytes; its kind stays.
pub fn mutated(dice: &mut Dice, good: &[Vec<u8>]) -> Vec<u8> {
    let own = &good[dice.below(good.len())];
    let at = own.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let (kind, content) = (std::str::from_utf8(&own[..at]).unwrap_or(""), &own[at + 1..]);
    let document = serde_json::from_slice::<serde_json::Value>(content).ok().filter(|_| !dice.one_in(3));
    let content = match document {
        Some(mut document) => {
            (0..=dice.size(4)).for_each(|_| json::change(dice, &mut document, WORDS));
            document.to_string().into_bytes()
        }
        None if kind == "part" && !dice.one_in(3) => forged::mutated(dice, &forged::of(content)),
        None if kind == "checkpoint" && !dice.one_in(3) => {
            match super::tensors::Container::read(content.get(65..).unwrap_or_default()) {
                Some(container) => {
                    [vec![b'0'; 64], vec![b'\n'], container.mutated(dice, super::models::WORDS, good)]
                        .concat()
                }
                None => content.to_vec(),
            }
        }
        None => mutate::text(dice, content, WORDS, good),
    };
    input(kind, &content)
}
