//! A one-shot job whose inputs, model and outputs are in a store: the same bytes as in folders.

use s4cast::ingest::SourceSpec;
use s4cast::model::spec::{ModelSpec, RawModelSpec};
use s4cast::pipeline::{Asked, Job, JobError, LoadSpec, Making, Moment, run};
use s4cast::store::{Address, Fault, Place, Store, break_memory, mend_memory};
use std::path::Path;

const STORE: &str = "memory://jobs";

fn store() -> Store {
    let address = Address::parse(STORE).unwrap().unwrap();
    Store::open(&address).unwrap()
}

fn text(shop: usize) -> String {
    let rows = (0..120).map(|day| {
        let y = 10.0 * shop as f64 + f64::from(day * 7 % 5) + f64::from(day % 7 * 3);
        format!("2024-{:02}-{:02},{y}\n", 1 + day / 28, 1 + day % 28)
    });
    format!("ds,y\n{}", rows.collect::<String>())
}

fn job(root: &str, making: Making, output: &str) -> Job {
    let place = |name: &str| Place::parse(&format!("{root}/{name}")).unwrap();
    let is_trained = matches!(making, Making::Fit(_));
    Job {
        source: SourceSpec { id: vec!["shop".into()], ..SourceSpec::new(vec![format!("{root}/data")]) },
        making,
        scenarios: Vec::new(),
        output: place(output),
        sharded: None,
        save_model: is_trained.then(|| place("m.safetensors")),
        quality: is_trained.then(|| place("q.parquet")),
        config_file: None,
        config_sha256: "same".into(),
        max_memory: None,
    }
}

fn train() -> Making {
    let raw = RawModelSpec { levels: vec![80.0], ..RawModelSpec::new("ridge", 7) };
    Making::Fit(ModelSpec::try_from(raw).unwrap())
}

fn load(root: &str) -> Making {
    let path = Place::parse(&format!("{root}/m.safetensors")).unwrap();
    Making::Load(LoadSpec { path, asked: Asked::default(), scale: None, trusted: Vec::new() })
}

fn moment() -> Moment {
    Moment { issued_at: 1, created_at: 2, run_id: "run".into() }
}

fn run_both(root: &str) {
    let report = run(&job(root, train(), "f.parquet"), moment(), &|_| {}).unwrap();
    assert_eq!(report.published.path.to_string(), format!("{root}/f.parquet"));
    run(&job(root, load(root), "g.parquet"), moment(), &|_| {}).unwrap();
}

#[test]
fn jobs_in_a_store_write_what_jobs_in_folders_write() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().display().to_string();
    for shop in 0..3 {
        let name = format!("data/shop={shop}/p.csv");
        let path = folder.path().join(&name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text(shop)).unwrap();
        store().put(&name, text(shop).as_bytes()).unwrap();
    }
    run_both(&root);
    run_both(STORE);
    for name in ["f.parquet", "g.parquet", "m.safetensors", "q.parquet"] {
        let local = std::fs::read(Path::new(&root).join(name)).unwrap();
        assert!(store().get(name, 1 << 30).unwrap().unwrap() == local, "{name}");
    }
    breaks_leave_what_was_there();
}

/// Wherever the store breaks, the forecasts are the old ones or the new ones, and an error says so.
fn breaks_leave_what_was_there() {
    let new = store().get("g.parquet", 1 << 30).unwrap().unwrap();
    for after in 0.. {
        store().put("g.parquet", b"old").unwrap();
        break_memory("jobs", Fault::Fails, after, 1000);
        let done = run(&job(STORE, load(STORE), "g.parquet"), moment(), &|_| {});
        mend_memory("jobs");
        let stands = store().get("g.parquet", 1 << 30).unwrap().unwrap();
        match done {
            Ok(_) => {
                assert!(stands == new && after > 5, "{after}");
                return;
            }
            Err(JobError::Ingest(_) | JobError::Load(_) | JobError::Publish(_)) => {
                assert_eq!(stands, b"old", "{after}");
            }
            Err(error) => panic!("{after}: {error}"),
        }
    }
}
