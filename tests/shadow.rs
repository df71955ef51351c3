//! Versions in shadow: they forecast beside the champion, apart from it, and serve once they have done no worse.

use crate::closed_loop::{DAY, HOUR, Place, load};
use s4cast::model::spec::{ModelSpec, RawModelSpec};
use s4cast::pipeline::{Duel, Fate, Promotion, Trained};
use s4cast::publish;

fn model(kind: &str) -> ModelSpec {
    let raw = RawModelSpec { season_length: Some(DAY), ..RawModelSpec::new(kind, DAY) };
    ModelSpec::try_from(raw).unwrap()
}

/// A job that asks for three runs in shadow; a version of that kind serves, trained on the first 40 days of 60.
fn place(kind: &str) -> Place {
    let mut place = Place::new(|job| {
        (job.promotion, job.shadow_runs, job.model) = (Promotion::Shadow, 3, model(kind));
    });
    place.write(&load(60, 4));
    assert_eq!(place.train(40 * DAY).fate, Fate::Promoted, "the first version serves at once");
    place.job.model = model("ridge");
    place
}

fn shadow(trained: &Trained) -> &str {
    let Fate::Shadow(reason) = &trained.fate else { panic!("{:?}", trained.fate) };
    reason
}

fn duel(place: &Place, hour: usize) -> Option<Duel> {
    let scored = place.score(hour);
    assert!(scored.shortfalls.is_empty(), "{:?}", scored.shortfalls);
    scored.shadow
}

fn in_shadow(place: &Place) -> Option<u32> {
    place.registry.shadow("load").unwrap().map(|manifest| manifest.version)
}

/// Versions of the runs below a root, oldest first.
fn versions(root: &std::path::Path) -> Vec<String> {
    let runs = publish::runs(root, "load").unwrap();
    runs.iter().rev().map(|run| run.metadata["model_version"].clone()).collect()
}

#[test]
fn a_version_serves_once_enough_of_its_runs_were_no_worse() {
    let place = place("seasonal_naive");
    let trained = place.train(41 * DAY);
    assert_eq!(shadow(&trained), "version 2 runs in shadow beside version 1");
    assert_eq!((place.champion(), in_shadow(&place)), (1, Some(2)));
    for day in 41..44 {
        let forecasted = place.forecast(day * DAY);
        assert_eq!(forecasted.version, Some(1));
        let beside = forecasted.shadow.unwrap();
        assert_eq!((beside.version, beside.run.unwrap().rows), (2, DAY));
    }
    // The third run lacks an hour.
    let waiting = duel(&place, 44 * DAY - 1).unwrap();
    assert_eq!((waiting.version, waiting.champion, waiting.runs, waiting.fate), (2, 1, 2, None));
    let decided = duel(&place, 44 * DAY).unwrap();
    let (own, served) = decided.scores.unwrap();
    assert_eq!((decided.runs, decided.fate, own.rows), (3, Some(Fate::Promoted), 3 * DAY));
    assert!(own.pinball < served.pinball && own.rows == served.rows, "{own:?} {served:?}");
    assert_eq!((place.champion(), in_shadow(&place)), (2, None));
    let history = place.registry.history("load").unwrap();
    assert_eq!(history[1].reason, "no worse than version 1 in 3 runs in shadow");
    assert!(duel(&place, 45 * DAY).is_none());
    // The runs of both stand apart, and so do their scores.
    let root = publish::shadow_root(&place.sink());
    assert_eq!((versions(&place.sink()), versions(&root)), (vec!["1".into(); 3], vec!["2".into(); 3]));
    let latest = publish::latest(&place.sink(), "load").unwrap().unwrap();
    assert_eq!(latest.metadata["model_version"], "1");
    assert!(place.scores().iter().all(|row| row.model_version == 1));
    let beside = publish::read_scores(&publish::scores_path(&root, "load").unwrap()).unwrap();
    assert!(!beside.is_empty() && beside.iter().all(|row| row.model_version == 2));
}

#[test]
fn a_worse_version_goes_with_reasons() {
    let mut place = place("ridge");
    place.job.model = model("naive");
    // A person wants to see it.
    place.job.promotion = Promotion::Manual;
    let trained = place.train(41 * DAY);
    assert!(matches!(trained.fate, Fate::Rejected(_)), "{:?}", trained.fate);
    place.registry.run_in_shadow("load", 2).unwrap();
    (41..44).for_each(|day| drop(place.forecast(day * DAY)));
    let looked_at = duel(&place, 44 * DAY).unwrap();
    assert_eq!((looked_at.runs, looked_at.fate), (3, None), "a person decides");
    place.job.promotion = Promotion::Shadow;
    let Some(Fate::Rejected(reasons)) = duel(&place, 45 * DAY).unwrap().fate else { panic!() };
    assert!(reasons[0].contains("pinball loss on the 72 values"), "{reasons:?}");
    assert_eq!((place.champion(), in_shadow(&place)), (1, None));
}

#[test]
fn a_new_candidate_takes_the_place_and_an_older_one_does_not() {
    let mut place = place("seasonal_naive");
    place.train(41 * DAY);
    place.forecast(42 * DAY);
    let second = (43..50).map(|day| place.train(day * DAY)).find(|it| matches!(it.fate, Fate::Shadow(_)));
    let second = second.unwrap();
    let version = second.manifest.version;
    assert!(shadow(&second).ends_with("beside version 1, in place of version 2"));
    // Only its own runs count.
    (50..52).for_each(|day| drop(place.forecast(day * DAY)));
    assert_eq!(duel(&place, 53 * DAY).unwrap().runs, 2);
    let backfill = place.train(42 * DAY);
    assert!(matches!(&backfill.fate, Fate::HeldBack(why) if why.contains("runs in shadow on")));
    assert_eq!(in_shadow(&place), Some(version));
    // Neither collection nor a pin harms it; a pin keeps it from serving.
    place.registry.gc("load", 0, false).unwrap();
    place.registry.pin("load", 1).unwrap();
    place.forecast(53 * DAY);
    assert!(matches!(duel(&place, 55 * DAY).unwrap().fate, Some(Fate::HeldBack(_))));
    assert_eq!((place.champion(), in_shadow(&place)), (1, Some(version)));
    place.job.shadow_runs = 4;
    assert_eq!(duel(&place, 56 * DAY).unwrap().fate, None);
}

#[test]
fn what_happens_to_the_shadow_harms_nobody_else() {
    let place = place("seasonal_naive");
    let alone = place.forecast(42 * DAY).run.sha256;
    place.train(41 * DAY);
    let beside = place.forecast(42 * DAY);
    assert_eq!(beside.run.sha256, alone);
    let own = beside.shadow.unwrap().run.unwrap().sha256;
    assert_ne!(own, alone);
    // Its folder cannot be written.
    let root = publish::shadow_root(&place.sink());
    std::fs::rename(&root, place.sink().join("aside")).unwrap();
    std::fs::write(&root, "no folder").unwrap();
    let blocked = place.forecast(42 * DAY);
    assert_eq!((&blocked.run.sha256, blocked.version), (&alone, Some(1)));
    assert!(blocked.shadow.unwrap().run.unwrap_err().contains("shadow"));
    std::fs::remove_file(&root).unwrap();
    // Its weights are damaged.
    let path = place.folder.path().join("models/load/2/weights.safetensors");
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[1..]).unwrap();
    let damaged = place.forecast(42 * DAY);
    assert_eq!(damaged.run.sha256, alone);
    assert!(damaged.shadow.unwrap().run.unwrap_err().contains("damaged"));
    std::fs::write(&path, &whole).unwrap();
    // There and back: the files of before, byte for byte.
    place.registry.promote("load", 2, 1, "by hand").unwrap();
    assert_eq!(in_shadow(&place), None);
    let promoted = place.forecast(42 * DAY);
    assert!(promoted.run.sha256 == own && promoted.shadow.is_none(), "it is what it was in shadow");
    place.registry.rollback("load", 2).unwrap();
    assert_eq!(place.forecast(42 * DAY).run.sha256, alone);
}

#[test]
fn a_shadow_of_a_job_that_reads_what_is_new_remembers_for_itself() {
    let mut place = place("seasonal_naive");
    let values = load(60, 4);
    place.job.source.inputs = vec![place.folder.path().join("days").display().to_string()];
    let folder = place.folder.path().join("days");
    std::fs::create_dir_all(&folder).unwrap();
    let write = |day: usize| {
        let rows: String = (day * DAY..(day + 1) * DAY)
            .map(|hour| {
                let stamp = jiff::Timestamp::from_microsecond(hour as i64 * HOUR).unwrap();
                format!("{stamp},a,{}\n", values[hour])
            })
            .collect();
        std::fs::write(folder.join(format!("{day:04}.csv")), format!("ds,unique_id,y\n{rows}")).unwrap();
    };
    (0..41).for_each(write);
    place.train(41 * DAY - 1);
    let mut remembered = 0;
    for day in 41..46 {
        write(day);
        place.sources = s4cast::pipeline::Sources::default();
        let done = place.forecast((day + 1) * DAY - 1);
        remembered += usize::from(done.is_remembered);
        let apart = done.shadow.unwrap().run.unwrap().sha256;
        place.sources = s4cast::pipeline::Sources::default();
        drop(std::fs::remove_dir_all(place.folder.path().join("shadow")));
        let whole = place.forecast((day + 1) * DAY - 1).shadow.unwrap().run.unwrap().sha256;
        assert_eq!(apart, whole, "day {day}");
    }
    assert!(remembered >= 3, "{remembered}");
}
