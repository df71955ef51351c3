//! Fits that are stopped or killed and go on: the same weights as if nothing had happened.

use crate::forecaster::{orbits, panel, spec};
use s4cast::model::forecaster::{Control, Fitted, Forecaster, ModelError};
use s4cast::model::report::Progress;
use s4cast::series::{Frequency, Panel};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Two groups, the second of another frequency.
fn two_groups() -> Panel {
    let mut panel = panel(orbits(4, 70));
    for series in &mut panel.series[2..] {
        series.frequency = Frequency::Days { days: 2 };
    }
    panel
}

/// A fit that is stopped after so many steps of training; also the steps that it did, by stage.
fn fit(panel: &Panel, folder: &Path, stop_after: usize) -> (Result<Fitted, ModelError>, Vec<&'static str>) {
    fit_of("s4d", panel, folder, stop_after)
}

/// [`fit`] of another kind of network.
fn fit_of(
    kind: &str,
    panel: &Panel,
    folder: &Path,
    stop_after: usize,
) -> (Result<Fitted, ModelError>, Vec<&'static str>) {
    let (stop, steps) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    let watch = |progress: Progress| {
        if progress.stage.starts_with("training") {
            let mut steps = steps.lock().unwrap();
            steps.push(progress.stage);
            stop.store(steps.len() >= stop_after, Ordering::Relaxed);
        }
    };
    let control = Control { stop: &stop, checkpoints: Some(folder), ..Control::watched(&watch) };
    let fitted = Forecaster::fit(panel, &spec(kind, 2, 1), &control);
    (fitted, steps.into_inner().unwrap())
}

fn facts(fitted: &Fitted) -> (String, String) {
    let reports: Vec<String> = fitted.reports.iter().map(|report| format!("{report:?}")).collect();
    (fitted.forecaster.weights_sha256(), reports.join("\n"))
}

#[test]
fn a_fit_that_is_stopped_anywhere_ends_with_the_same_weights() {
    let panel = two_groups();
    let folder = tempfile::tempdir().unwrap();
    let (whole, all) = fit(&panel, folder.path(), usize::MAX);
    let whole = facts(&whole.unwrap());
    assert!(all.contains(&"training on everything"), "networks are trained a second time");
    let mut state: usize = 12345;
    for round in 0..2 {
        let (mut done, mut stages) = (Vec::new(), Vec::new());
        let fitted = loop {
            // Irregular gaps, so that stops fall before, at and after evaluations, and between members.
            state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
            let (fitted, steps) = fit(&panel, folder.path(), 1 + state % (all.len() / 3));
            stages.extend(steps.last().copied());
            done.extend(steps);
            match fitted {
                Err(ModelError::Stopped) => assert!(folder.path().join("checkpoint").exists()),
                fitted => break fitted.unwrap(),
            }
        };
        assert_eq!(facts(&fitted), whole, "round {round}");
        assert_eq!(done, all, "round {round}: every step is done once");
        assert!(stages.len() > 2, "{stages:?}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the checkpoint is removed");
    }
}

#[test]
fn a_stop_at_every_evaluation_changes_nothing() {
    let panel = panel(orbits(2, 70));
    let folder = tempfile::tempdir().unwrap();
    for kind in ["s4d", "sashimi"] {
        let whole = fit_of(kind, &panel, folder.path(), usize::MAX).0.unwrap();
        assert_eq!(whole.reports[0].model_id, kind);
        let fitted = loop {
            match fit_of(kind, &panel, folder.path(), 50).0 {
                Err(ModelError::Stopped) => {}
                fitted => break fitted.unwrap(),
            }
        };
        assert_eq!(facts(&fitted), facts(&whole));
    }
}

/// Number of the first step that a fit does; it is stopped after that one.
fn first_step(panel: &Panel, folder: &Path) -> usize {
    let (stop, first) = (AtomicBool::new(false), AtomicUsize::new(0));
    let watch = |progress: Progress| {
        if progress.stage.starts_with("training") {
            first.store(progress.done, Ordering::Relaxed);
            stop.store(true, Ordering::Relaxed);
        }
    };
    let control = Control { stop: &stop, checkpoints: Some(folder), ..Control::watched(&watch) };
    let fitted = Forecaster::fit(panel, &spec("s4d", 2, 1), &control);
    assert!(matches!(fitted, Err(ModelError::Stopped)));
    first.into_inner()
}

/// The checkpoint of a fit that was stopped after 60 steps.
fn checkpoint(panel: &Panel, folder: &Path) -> Vec<u8> {
    let (fitted, _) = fit(panel, folder, 60);
    assert!(matches!(fitted, Err(ModelError::Stopped)));
    std::fs::read(folder.join("checkpoint")).unwrap()
}

#[test]
fn only_a_checkpoint_of_the_same_fit_that_is_whole_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let (own, mut other) = (panel(orbits(2, 70)), panel(orbits(2, 70)));
    other.series[0].values[3] += 1.0;
    let good = checkpoint(&own, folder.path());
    assert_eq!(first_step(&own, folder.path()), 61);
    assert_eq!(first_step(&other, folder.path()), 1);
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    for bytes in [&good[..good.len() / 2], &flipped, b"", b"\xff\xff"] {
        std::fs::write(folder.path().join("checkpoint"), bytes).unwrap();
        assert_eq!(first_step(&own, folder.path()), 1);
    }
}

/// The digest says that the content is as written; a hostile writer knows how to make one.
#[test]
fn a_forged_checkpoint_is_not_believed() {
    let panel = panel(orbits(2, 70));
    let folder = tempfile::tempdir().unwrap();
    let good = checkpoint(&panel, folder.path());
    let length = u64::from_le_bytes(good[65..73].try_into().unwrap()) as usize;
    let header = std::str::from_utf8(&good[73..73 + length]).unwrap();
    let forgeries = [
        (r#"\"step\":60"#, r#"\"step\":99999999"#),
        (r#"\"step\":60"#, r#"\"step\":301"#),
        (r#"\"steps\":300"#, r#"\"steps\":301"#),
        (r#"\"schedule\":300"#, r#"\"schedule\":4000000000"#),
        (r#"\"space\":\""#, r#"\"space\":\"un"#),
        (r#"\"dropout\":0.1"#, r#"\"dropout\":0.2"#),
        (r#"\"levels\":11"#, r#"\"levels\":12"#),
        (r#"averaged.ridge"#, r#"averaged.rigde"#),
    ];
    for (from, to) in forgeries {
        assert!(header.contains(from), "{from} is not in {header}");
        let forged = header.replacen(from, to, 1);
        let body = [&(forged.len() as u64).to_le_bytes(), forged.as_bytes(), &good[73 + length..]].concat();
        let digest = s4cast::model::artifact::sha256(&body);
        std::fs::write(folder.path().join("checkpoint"), [digest.as_bytes(), b"\n", &body].concat()).unwrap();
        assert_eq!(first_step(&panel, folder.path()), 1, "{to}");
    }
}

#[test]
fn the_choice_of_the_base_stops_too() {
    let folder = tempfile::tempdir().unwrap();
    let stop = AtomicBool::new(false);
    let seen = AtomicUsize::new(0);
    let watch = |progress: Progress| {
        seen.fetch_add(1, Ordering::Relaxed);
        stop.store(progress.stage == "choosing the base", Ordering::Relaxed);
    };
    let control = Control { stop: &stop, checkpoints: Some(folder.path()), ..Control::watched(&watch) };
    let fitted = Forecaster::fit(&two_groups(), &spec("auto", 2, 1), &control);
    assert!(matches!(fitted, Err(ModelError::Stopped)));
    assert_eq!(seen.into_inner(), 1, "nothing was begun after the stop");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "there is nothing to go on from");
}

#[test]
fn a_budget_is_shared_by_the_fits_that_use_it() {
    let panel = panel(orbits(2, 70));
    let folder = tempfile::tempdir().unwrap();
    let stop = AtomicBool::new(false);
    let watch = |progress: Progress| stop.store(progress.stage == "training", Ordering::Relaxed);
    let minute = || Some(Instant::now() + Duration::from_secs(60));
    let control = Control {
        deadline: minute(),
        stop: &stop,
        checkpoints: Some(folder.path()),
        ..Control::watched(&watch)
    };
    assert!(matches!(Forecaster::fit(&panel, &spec("s4d", 2, 1), &control), Err(ModelError::Stopped)));
    let resumed = Control {
        deadline: minute(),
        checkpoints: Some(folder.path()),
        ..Control::watched(&|_: Progress| {})
    };
    let fitted = Forecaster::fit(&panel, &spec("s4d", 2, 1), &resumed).unwrap();
    let (whole, _) = fit(&panel, folder.path(), usize::MAX);
    // A minute is enough for all steps, so that the budget decides nothing.
    assert_eq!(facts(&fitted), facts(&whole.unwrap()));
}
