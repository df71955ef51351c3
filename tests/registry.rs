//! The model registry: versions appear whole, the champion is never lost, and nothing that matters is collected.

use crate::forecaster::{bits, fit, panel, spec, waves};
use s4cast::model::forecaster::Forecaster;
use s4cast::registry::{Birth, Judgement, Registry, RegistryError, Version};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// A registry in a folder that is removed with it.
struct Place {
    folder: tempfile::TempDir,
    registry: Registry,
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        Place { registry: Registry::at(folder.path().join("models")), folder }
    }

    /// Adds versions of the same training run.
    fn fill(&self, count: u32) {
        for _ in 0..count {
            self.add("run");
        }
    }

    /// Adds a version trained in the run of that name.
    fn add(&self, run_id: &str) -> u32 {
        self.registry.add("load", forecaster(), None, &birth(run_id)).unwrap().version
    }

    fn job(&self) -> PathBuf {
        self.folder.path().join("models/load")
    }

    fn numbers(&self) -> Vec<u32> {
        self.registry.versions(Some("load")).iter().map(|version| version.version).collect()
    }

    fn champion(&self) -> Option<u32> {
        self.registry.champion("load").unwrap().map(|manifest| manifest.version)
    }
}

pub fn forecaster() -> &'static Forecaster {
    static FORECASTER: OnceLock<Forecaster> = OnceLock::new();
    FORECASTER.get_or_init(|| fit(&panel(waves(3, 60)), &spec("ridge", 3, 1)).forecaster)
}

pub fn birth(run_id: &str) -> Birth {
    let fitted = fit(&panel(waves(3, 60)), &spec("ridge", 3, 1));
    Birth {
        run_id: run_id.into(),
        slot: 1_700_000_000_000_000,
        created_at: 1_700_000_100_000_000,
        config_sha256: "c0ffee".into(),
        config: serde_json::json!({ "horizon": 3, "share": 0.1 }),
        data_fingerprint: "da7a".into(),
        cutoff: 1_699_999_000_000_000,
        reports: fitted.reports,
        seconds: 1.0 / 3.0,
        series: 3,
        rows: 180,
        judgement: Judgement::default(),
        warm_from: None,
    }
}

fn flip(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_version_comes_back_with_all_that_is_known_of_it() {
    let place = Place::new();
    let added = place.registry.add("load", forecaster(), None, &birth("run-1")).unwrap();
    let (loaded, manifest) = place.registry.load("load", 1).unwrap();
    assert_eq!(added, manifest);
    assert_eq!((manifest.version, manifest.job.as_str(), manifest.horizon), (1, "load", 3));
    assert_eq!(manifest.seconds, 1.0 / 3.0, "numbers come back to the last bit");
    assert_eq!(manifest.config["share"], 0.1);
    assert_eq!(manifest.weights_sha256, forecaster().weights_sha256());
    let score = manifest.fits[0].holdout.as_ref().unwrap();
    assert!(score.mase.is_some_and(|mase| mase > 0.0) && score.coverage.len() == 2);
    // Weights and new data are enough.
    let new = panel(waves(5, 90));
    assert_eq!(bits(&loaded.predict(&new)), bits(&forecaster().predict(&new)));
}

#[test]
fn the_first_version_serves_only_after_its_promotion() {
    let place = Place::new();
    assert!(place.registry.champion("load").unwrap().is_none());
    assert_eq!((place.add("a"), place.champion()), (1, None));
    let promotion = place.registry.promote("load", 1, 5, "first").unwrap();
    assert_eq!((promotion.version, promotion.previous, promotion.is_change), (1, None, true));
    assert_eq!((place.add("b"), place.champion()), (2, Some(1)));
    let again = place.registry.promote("load", 1, 6, "again").unwrap();
    assert_eq!((again.is_change, place.registry.history("load").unwrap().len()), (false, 1));
}

#[test]
fn rollback_leads_back_step_by_step() {
    let place = Place::new();
    for at in 1..=3 {
        place.add("run");
        place.registry.promote("load", at, i64::from(at), "newer").unwrap();
    }
    assert_eq!(place.registry.rollback("load", 4).unwrap().version, 2);
    assert_eq!(place.registry.rollback("load", 5).unwrap().version, 1);
    assert!(matches!(place.registry.rollback("load", 6), Err(RegistryError::NothingBefore(_))));
    assert_eq!(place.champion(), Some(1));
    let versions: Vec<u32> =
        place.registry.history("load").unwrap().iter().map(|event| event.version).collect();
    assert_eq!(versions, [1, 2, 3, 2, 1]);
}

#[test]
fn a_rollback_passes_over_what_is_damaged() {
    let place = Place::new();
    for version in 1..=3 {
        place.add("run");
        place.registry.promote("load", version, 0, "newer").unwrap();
    }
    flip(&place.job().join("2/weights.safetensors"));
    assert_eq!(place.registry.rollback("load", 4).unwrap().version, 1);
}

#[test]
fn a_pin_holds_what_serves() {
    let place = Place::new();
    place.fill(3);
    place.registry.promote("load", 1, 0, "first").unwrap();
    place.registry.pin("load", 1).unwrap();
    let refused = place.registry.promote("load", 2, 1, "newer");
    assert!(matches!(refused, Err(RegistryError::Pinned { pinned: 1, version: 2, .. })), "{refused:?}");
    assert!(place.registry.promote("load", 1, 1, "the same").is_ok());
    place.registry.unpin("load", 1).unwrap();
    assert!(place.registry.promote("load", 2, 2, "newer").unwrap().is_change);
    assert!(place.registry.pin("load", 9).is_err() && place.registry.unpin("load", 9).is_err());
}

#[test]
fn what_is_damaged_is_named_and_nothing_else_suffers() {
    let place = Place::new();
    place.fill(4);
    place.registry.promote("load", 4, 0, "newest").unwrap();
    assert!(place.registry.verify(None).is_empty());
    flip(&place.job().join("1/weights.safetensors"));
    std::fs::write(place.job().join("2/manifest.json"), "{}").unwrap();
    std::fs::remove_file(place.job().join("3/weights.safetensors")).unwrap();
    std::fs::create_dir_all(place.folder.path().join("models/empty")).unwrap();
    let findings = place.registry.verify(Some("load"));
    let of: Vec<Option<u32>> = findings.iter().map(|finding| finding.version).collect();
    assert_eq!(of, [Some(1), Some(2), Some(3)]);
    assert!(findings[0].error.to_string().contains("the manifest says"), "{}", findings[0].error);
    let versions = place.registry.versions(None);
    let broken: Vec<bool> = versions.iter().map(|version| version.manifest.is_err()).collect();
    assert_eq!(broken, [false, true, false, false]);
    for version in 1..=3 {
        let outcome = place.registry.promote("load", version, 1, "damaged");
        assert!(matches!(outcome, Err(RegistryError::Broken { .. })), "{outcome:?}");
    }
    assert_eq!(place.champion(), Some(4));
}

#[test]
fn a_hostile_manifest_is_an_error_of_that_version_only() {
    let place = Place::new();
    place.fill(2);
    let path = place.job().join("1/manifest.json");
    let good = std::fs::read_to_string(&path).unwrap();
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let hostile = [
        good.replace("\"format\": 1", "\"format\": 2"),
        good.replace("\"format\": 1,", "\"format\": 1, \"extra\": 0,"),
        good.replace("\"version\": 1", "\"version\": 2"),
        good.replace("\"job\": \"load\"", "\"job\": \"../load\""),
        good.replace("\"weights_bytes\": ", "\"weights_bytes\": 9999999999999999999"),
        good.replace("\"config\": {", &format!("\"config\": {deep}, \"x\": {{")),
        good.replace("\"rows\": 180", "\"rows\": -1"),
        good[..good.len() / 2].to_owned(),
        String::new(),
    ];
    for text in hostile {
        assert_ne!(text, good);
        std::fs::write(&path, text).unwrap();
        let refused = place.registry.load("load", 1);
        assert!(matches!(refused, Err(RegistryError::Broken { .. } | RegistryError::Newer { .. })));
        assert!(place.registry.load("load", 2).is_ok());
    }
    let contradiction = r#"{"format": 1, "current": 7, "pinned": [], "history": []}"#;
    std::fs::write(place.job().join("champion.json"), contradiction).unwrap();
    assert!(place.registry.champion("load").is_err());
    assert_eq!(place.registry.verify(None).len(), 2);
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let place = Place::new();
    for job in ["", "..", "../x", "a/b", "Load", "a b", "ü", ".hidden", &"x".repeat(65)] {
        let outcome = place.registry.add(job, forecaster(), None, &birth("run"));
        assert!(matches!(outcome, Err(RegistryError::JobName(_))), "{job}");
        assert!(matches!(place.registry.load(job, 1), Err(RegistryError::JobName(_))), "{job}");
        assert!(place.registry.versions(Some(job)).is_empty(), "{job}");
    }
    assert_eq!(std::fs::read_dir(place.folder.path()).unwrap().count(), 0);
    assert!(place.registry.add(&"x".repeat(64), forecaster(), None, &birth("run")).is_ok());
}

#[test]
fn of_a_training_run_the_first_version_counts() {
    let place = Place::new();
    assert_eq!(place.registry.find_slot("load", "b", i64::MIN).unwrap(), None);
    for run in ["a", "b", "b", "c"] {
        place.add(run);
    }
    assert_eq!(place.registry.find_slot("load", "b", i64::MIN).unwrap().map(|found| found.version), Some(2));
    assert_eq!(place.registry.find_slot("load", "x", i64::MIN).unwrap(), None);
}

#[test]
fn collection_spares_champion_predecessor_pinned_and_newest() {
    let place = Place::new();
    place.fill(9);
    for (at, version) in [(1, 3), (2, 5)] {
        place.registry.promote("load", version, at, "better").unwrap();
    }
    place.registry.pin("load", 5).unwrap();
    place.registry.pin("load", 2).unwrap();
    let planned = place.registry.gc("load", 2, true).unwrap();
    assert_eq!(place.numbers(), [1, 2, 3, 4, 5, 6, 7, 8, 9], "a dry run removes nothing");
    assert_eq!(place.registry.gc("load", 2, false).unwrap(), planned);
    assert_eq!(place.numbers(), [2, 3, 5, 8, 9]);
    assert!(planned.iter().all(|removed| removed.bytes > 0));
    place.registry.gc("load", 0, false).unwrap();
    assert_eq!(place.numbers(), [2, 3, 5, 9]);
    assert_eq!(place.add("next"), 10, "numbers are not given twice");
    place.registry.unpin("load", 5).unwrap();
    place.registry.unpin("load", 2).unwrap();
    assert_eq!(place.registry.rollback("load", 3).unwrap().version, 3, "the way back is still there");
    assert!(matches!(place.registry.gc("other", 1, false), Err(RegistryError::UnknownJob { .. })));
}

/// A process may die at any moment: what it leaves are hidden folders, and nothing that anybody reads.
#[test]
fn what_a_killed_process_left_is_not_seen_and_swept() {
    let place = Place::new();
    place.add("run");
    place.registry.promote("load", 1, 0, "first").unwrap();
    for name in [".partial-2", ".partial-1"] {
        let hidden = place.job().join(name);
        std::fs::create_dir(&hidden).unwrap();
        std::fs::write(hidden.join("weights.safetensors"), "half").unwrap();
    }
    assert_eq!((place.numbers(), place.champion()), (vec![1], Some(1)));
    assert!(place.registry.verify(None).is_empty());
    assert_eq!(place.add("next"), 2, "a leftover is no obstacle");
    place.registry.sweep().unwrap();
    let mut names: Vec<String> = std::fs::read_dir(place.job())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, [".lock", "1", "2", "champion.json"]);
}

#[test]
fn many_writers_get_numbers_of_their_own() {
    let place = Place::new();
    let birth = birth("run");
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (registry, birth) = (&place.registry, &birth);
            scope.spawn(move || {
                for _ in 0..5 {
                    let version = registry.add("load", forecaster(), None, birth).unwrap().version;
                    registry.promote("load", version, thread, "mine").unwrap();
                    assert!(registry.champion("load").unwrap().is_some());
                }
            });
        }
    });
    assert_eq!(place.numbers(), (1..=20).collect::<Vec<u32>>());
    assert_eq!(place.registry.history("load").unwrap().len(), 20, "no promotion is lost");
    let serving = |version: &&Version| version.is_champion;
    assert_eq!(place.registry.versions(None).iter().filter(serving).count(), 1);
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_written_keeps_the_champion() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    place.add("run");
    place.registry.promote("load", 1, 0, "first").unwrap();
    let lock = |mode| std::fs::set_permissions(place.job(), std::fs::Permissions::from_mode(mode)).unwrap();
    lock(0o555);
    // Whoever may do everything is not stopped by permissions.
    let is_root = std::fs::write(place.job().join("probe"), "").is_ok();
    let outcome = place.registry.add("load", forecaster(), None, &birth("next"));
    lock(0o755);
    assert!(is_root || matches!(outcome, Err(RegistryError::Io { .. })), "{outcome:?}");
    assert_eq!(place.champion(), Some(1));
}
