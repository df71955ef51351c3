//! Fits that start from the networks of a champion.

use crate::forecaster::{orbits, panel, spec};
use s4cast::model::forecaster::{Control, Extent, Fitted, Forecaster, ModelError, Unseen};
use s4cast::model::report::Progress;
use s4cast::model::spec::{ModelSpec, Point, RawModelSpec};
use s4cast::series::Panel;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// The first steps of some series that a network learns.
fn first(steps: usize) -> Panel {
    panel(orbits(4, steps))
}

fn fit(panel: &Panel, champion: Option<&Unseen>) -> Fitted {
    let control = Control { champion, ..Control::watched(&|_| {}) };
    Forecaster::fit(panel, &spec("s4d", 2, 1), &control).unwrap()
}

fn champion(kind: &str) -> Unseen {
    Forecaster::fit(&first(180), &spec(kind, 2, 1), &Control::watched(&|_| {})).unwrap().unseen
}

#[test]
fn a_warm_fit_is_as_good_on_the_validation_origins_in_three_tenths_of_the_steps() {
    let champion = champion("s4d");
    let (cold, warm) = (fit(&first(200), None), fit(&first(200), Some(&champion)));
    let (cold, warm) = (&cold.reports[0], &warm.reports[0]);
    assert_eq!(warm.notes, ["1 of 1 networks started from those of the champion"]);
    assert!(cold.notes.is_empty());
    // The cold run does best at its last step, so that all of its steps count.
    assert_eq!((cold.steps, cold.steps_tried), (300, 300));
    assert!(warm.steps_tried * 10 <= cold.steps_tried * 3, "{}", warm.steps_tried);
    let [cold, warm] = [cold, warm].map(|report| report.validation_error.unwrap());
    assert!(warm <= cold, "warm {warm}, cold {cold}");
}

#[test]
fn the_same_champion_gives_the_same_weights_whatever_the_threads() {
    let champion = champion("s4d");
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let fitted = fit(&first(200), Some(&champion));
            (fitted.forecaster.to_bytes(), fitted.unseen.forecaster.to_bytes())
        })
    };
    let one = run(1);
    assert!(one == run(1) && one == run(2));
    let forecaster = Forecaster::from_bytes(&champion.forecaster.to_bytes()).unwrap();
    let loaded = Unseen { forecaster, ..champion };
    assert!(fit(&first(200), Some(&loaded)).forecaster.to_bytes() == one.0, "a loaded champion is the same");
}

#[test]
fn networks_of_another_shape_or_purpose_are_left_aside() {
    let cold = fit(&first(200), None).forecaster.to_bytes();
    let of = |raw: RawModelSpec| {
        let spec = ModelSpec::try_from(raw).unwrap();
        Forecaster::fit(&first(180), &spec, &Control::watched(&|_| {})).unwrap().unseen
    };
    let raw = || RawModelSpec::new("s4d", 2);
    let champions = [
        champion("sashimi"),
        champion("ridge"),
        champion("ets"),
        of(RawModelSpec { point: Point::Mean, ..raw() }),
        of(RawModelSpec { levels: vec![90.0], ..raw() }),
        of(RawModelSpec::new("s4d", 3)),
    ];
    for champion in &champions {
        let fitted = fit(&first(200), Some(champion));
        assert_eq!((fitted.reports[0].warm, fitted.reports[0].notes.len()), (0, 1));
        assert!(fitted.forecaster.to_bytes() == cold);
    }
}

#[test]
fn a_champion_that_has_seen_what_is_judged_by_is_left_aside() {
    let cold = fit(&first(175), None).forecaster.to_bytes();
    let late = champion("s4d");
    let fitted = fit(&first(175), Some(&late));
    let note = "networks started afresh: those of the champion have seen what they are judged by";
    assert_eq!((fitted.reports[0].notes.as_slice(), fitted.reports[0].warm), (&[note.to_owned()][..], 0));
    assert!(fitted.forecaster.to_bytes() == cold);
    // One that was kept from less than this fit keeps back needs that many new values.
    let extent = late.extents["1d"];
    let early =
        Unseen { extents: [("1d".into(), Extent { held: extent.held - 20, ..extent })].into(), ..late };
    assert_eq!([190, 210].map(|steps| fit(&first(steps), Some(&early)).reports[0].warm), [0, 1]);
}

/// A fit that is stopped after so many steps, and the numbers of the steps that it did.
fn stopped(champion: &Unseen, folder: &Path, stop_after: usize) -> (Result<Fitted, ModelError>, Vec<usize>) {
    let (stop, steps) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    let watch = |progress: Progress| {
        if progress.stage.starts_with("training") {
            let mut steps = steps.lock().unwrap();
            steps.push(progress.done);
            stop.store(steps.len() >= stop_after, Ordering::Relaxed);
        }
    };
    let (stop, checkpoints) = (&stop, Some(folder));
    let control = Control { stop, checkpoints, champion: Some(champion), ..Control::watched(&watch) };
    let fitted = Forecaster::fit(&first(200), &spec("s4d", 2, 1), &control);
    (fitted, steps.into_inner().unwrap())
}

#[test]
fn a_warm_fit_goes_on_from_its_checkpoint_with_the_same_champion_only() {
    let folder = tempfile::tempdir().unwrap();
    let (own, other) = (champion("s4d"), fit(&first(180), Some(&champion("s4d"))).unseen);
    let (whole, all) = stopped(&own, folder.path(), usize::MAX);
    let whole = whole.unwrap().forecaster.to_bytes();
    assert_eq!(all.len(), 180, "90 steps to be judged, and 90 on everything");
    // In the middle of the first run, and of the second.
    for stop_after in [40, 130] {
        assert!(stopped(&own, folder.path(), stop_after).0.is_err());
        let (resumed, steps) = stopped(&own, folder.path(), usize::MAX);
        assert_eq!(steps, all[stop_after..]);
        assert!(resumed.unwrap().forecaster.to_bytes() == whole);
    }
    assert!(stopped(&own, folder.path(), 40).0.is_err());
    let (_, steps) = stopped(&other, folder.path(), 1);
    assert_eq!(steps, [1], "a checkpoint of another champion is none");
}
