//! Trainings of a job one after the other: from the networks of the version before, afresh where that cannot be.

use crate::closed_loop::{DAY, HOUR, Place, load};
use crate::forecaster::orbits;
use s4cast::model::spec::{ModelSpec, Preset, RawModelSpec};
use s4cast::pipeline::{Fate, JobSpec, Moment, Promotion, Trained, train};
use s4cast::registry::Ancestor;

/// A job whose networks serve whatever they are worth.
fn job(job: &mut JobSpec) {
    let raw = RawModelSpec {
        preset: Preset::Fast,
        season_length: Some(1),
        levels: vec![80.0],
        ..RawModelSpec::new("s4d", 2)
    };
    job.model = ModelSpec::try_from(raw).unwrap();
    job.promotion = Promotion::Always;
}

fn place(change: impl FnOnce(&mut JobSpec)) -> Place {
    let place = Place::new(|spec| {
        job(spec);
        change(spec);
    });
    write(&place, 0);
    place
}

/// Four chaotic series, which a network learns better than a map, from 1970 on; the last of the first 181 values are others, so many of them.
fn write(place: &Place, others: usize) {
    let mut rows = String::from("ds,unique_id,y\n");
    for (index, values) in orbits(4, 260).iter().enumerate() {
        for (hour, value) in values.iter().enumerate() {
            let stamp = jiff::Timestamp::from_microsecond(hour as i64 * HOUR).unwrap();
            let is_other = hour < 181 && hour + others >= 181;
            let value = if is_other { value + 1.0 } else { *value };
            rows += &format!("{stamp},s{index},{value}\n");
        }
    }
    std::fs::write(place.folder.path().join("in.csv"), rows).unwrap();
}

/// Hour of a training: all values up to it are known.
fn at(slot: usize) -> usize {
    180 + 10 * slot
}

/// Version and generation of what a training started from, and the steps of its networks.
fn start(trained: &Trained) -> (Option<(u32, u32)>, usize) {
    let from = trained.manifest.warm_from.map(|Ancestor { version, generation }| (version, generation));
    (from, trained.fits.iter().map(|fit| fit.steps_tried).sum())
}

fn unseen_file(place: &Place, version: u32) -> std::path::PathBuf {
    place.folder.path().join(format!("models/load/{version}/unseen.safetensors"))
}

fn flip(path: &std::path::Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn trainings_start_from_the_one_before_and_every_sixth_afresh() {
    let place = place(|_| {});
    let all: Vec<Trained> = (0..7).map(|slot| place.train(at(slot))).collect();
    let starts: Vec<_> = all.iter().map(|trained| start(trained).0).collect();
    let line = |version| Some((version, version));
    assert_eq!(starts, [None, line(1), line(2), line(3), line(4), line(5), None]);
    let steps: Vec<usize> = all.iter().map(|trained| start(trained).1).collect();
    assert_eq!((steps[0], steps[6]), (100, 100));
    assert!(steps[1..6].iter().all(|steps| *steps <= 30), "{steps:?}");
    let notes = &all[2].fits[0].notes;
    assert!(notes.contains(&"1 of 1 networks started from those of the champion".into()), "{notes:?}");
    assert!(place.registry.verify(None).is_empty());
    // The line goes on behind the fresh one.
    assert_eq!(start(&place.train(at(7))).0, Some((7, 1)));
}

#[test]
fn a_slot_that_is_worked_again_gives_the_same_weights() {
    let place = place(|_| {});
    let weights: Vec<String> = (0..3).map(|slot| place.train(at(slot)).manifest.weights_sha256).collect();
    let slot = at(2) as i64 * HOUR;
    let again = Moment { issued_at: slot, created_at: slot + 5, run_id: "by hand".into() };
    let again = place.with(&again, |context| train(&place.job, context)).unwrap();
    assert_eq!((again.manifest.version, &again.manifest.weights_sha256), (4, &weights[2]));
    assert_eq!(again.manifest.warm_from, Some(Ancestor { version: 2, generation: 2 }));
    let other = self::place(|_| {});
    assert_eq!((0..3).map(|slot| other.train(at(slot)).manifest.weights_sha256).collect::<Vec<_>>(), weights);
}

#[test]
fn what_is_started_from_has_not_seen_what_it_is_judged_by() {
    let place = place(|_| {});
    place.train(at(0));
    let kept = place.registry.load_unseen("load", 1).unwrap().unwrap();
    let (served, manifest) = place.registry.load("load", 1).unwrap();
    assert!(kept.forecaster.to_bytes() != served.to_bytes());
    assert_eq!(kept.extents["1h"].cutoff, manifest.cutoff);
    // Other values at the end, which it is kept from, give the same file; what serves has learnt them.
    let other = self::place(|_| {});
    write(&other, kept.steps("1h"));
    other.train(at(0));
    let read = |place: &Place| std::fs::read(unseen_file(place, 1)).unwrap();
    assert!(read(&other) == read(&place));
    assert!(other.registry.load("load", 1).unwrap().0.to_bytes() != served.to_bytes());
}

#[test]
fn where_nothing_can_be_started_from_networks_are_fresh() {
    let cold = place(|job| job.is_warm = false);
    let weights: Vec<String> = (0..3).map(|slot| cold.train(at(slot)).manifest.weights_sha256).collect();
    assert!(
        cold.registry.versions(None).iter().all(|one| one.manifest.as_ref().unwrap().warm_from.is_none())
    );

    let damaged = place(|_| {});
    damaged.train(at(1));
    flip(&unseen_file(&damaged, 1));
    assert_eq!(damaged.registry.verify(None).len(), 1);
    let trained = damaged.train(at(2));
    assert_eq!((start(&trained), &trained.manifest.weights_sha256), ((None, 100), &weights[2]));
    assert_eq!(trained.fate, Fate::Promoted);
    // A backfill knows less than what serves.
    let backfill = damaged.train(at(0));
    assert_eq!((start(&backfill), &backfill.manifest.weights_sha256), ((None, 100), &weights[0]));
    assert!(matches!(backfill.fate, Fate::HeldBack(_)));
    std::fs::remove_file(unseen_file(&damaged, 2)).unwrap();
    assert_eq!(start(&damaged.train(at(3))), (None, 100));
}

#[test]
fn a_model_without_networks_keeps_nothing_more() {
    let place = Place::new(|_| {});
    place.write(&load(42, 3));
    place.train(40 * DAY);
    let second = place.train(41 * DAY);
    assert_eq!((second.manifest.warm_from, &second.manifest.unseen), (None, &None));
    assert!(!unseen_file(&place, 1).exists() && place.registry.load_unseen("load", 1).unwrap().is_none());
    // Versions of programs that kept nothing.
    let path = place.folder.path().join("models/load/1/manifest.json");
    let mut manifest: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let all = manifest.as_object_mut().unwrap();
    assert!(all.remove("unseen").is_some() && all.remove("warm_from").is_some());
    std::fs::write(&path, serde_json::to_vec(&manifest).unwrap()).unwrap();
    assert!(place.registry.verify(None).is_empty());
    assert!(place.registry.load_unseen("load", 1).unwrap().is_none());
}
