//! Runs that diverge, end early, go on, or start from a champion's network.

use super::*;
use crate::model::checkpoint::Journal;
use crate::model::plan::Rolling;
use crate::model::select;
use crate::model::spec::RawModelSpec;
use crate::model::windows::{Anchor, Geometry};
use crate::series::{Frequency, Series};
use ndarray::Array2;
use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};

const RECIPE: Recipe = Recipe {
    steps: 40,
    batch: 8,
    learning_rate: 1e-3,
    ssm_learning_rate: 1e-3,
    skip_learning_rate: 0.0,
    weight_decay: 0.0,
    evaluate_every: 10,
    patience: 2,
};

/// A lesson of one network on these series and the map that it stands on.
fn with_lesson<T>(
    work: &[WorkSeries],
    recipe: Recipe,
    conditions: &Conditions,
    champion: Option<&Network<f32>>,
    run: impl FnOnce(&Lesson, &Member) -> T,
) -> T {
    let geometry = Geometry { lookback: 12, horizon: 3, anchor: Anchor::Mean(4) };
    let raw = RawModelSpec { levels: vec![80.0], ..RawModelSpec::new("s4d", 3) };
    let spec = ModelSpec::try_from(raw).expect("valid");
    let skip = Array2::from_shape_fn((12, 3), |(l, t)| ((l + 2 * t) as f32).sin() * 0.1);
    let offsets = Array2::zeros((3, spec.quantile_levels().len()));
    let member = Member {
        geometry,
        skip,
        effects: Array2::zeros((geometry.horizon, 0)),
        columns: 0,
        offsets,
        network: None,
    };
    let lesson = Lesson {
        shape: &Shape { series: 3, length: 60, season: 4, horizon: 3, weekly: false, columns: 0 },
        recipe,
        networks: &[NetworkPlan { lookback: 12, patch: 4, on_map: true }],
        champions: vec![champion],
        space: Space::Scaled,
        work,
        names: &["a", "b", "c"],
        held: 0,
        spec: &spec,
        conditions,
        group: "1h",
        label: "training",
    };
    run(&lesson, &member)
}

/// Repeats a fitted member's network on these series: 40 steps.
fn repeat(work: &[WorkSeries], recipe: Recipe, conditions: &Conditions) -> Result<Learnt, Stopped> {
    with_lesson(work, recipe, conditions, None, |lesson, member| {
        let explored = Learnt {
            member: member.clone(),
            steps: 40,
            steps_tried: 40,
            schedule: 40,
            notes: vec![],
            is_cut: false,
        };
        lesson.repeat(member, 0, &explored)
    })
}

fn learn(work: &[WorkSeries], deadline: Option<Instant>) -> Learnt {
    let (stop, journal) = (AtomicBool::new(false), RefCell::new(Journal::default()));
    let conditions = Conditions {
        deadline,
        watch: &|_| {},
        stop: &stop,
        journal: &journal,
        champion: None,
        covariates: &[],
    };
    repeat(work, RECIPE, &conditions).expect("nobody stops it")
}

fn wave(index: usize) -> WorkSeries {
    let values: Vec<f32> = (0..60).map(|t| ((t + index) as f32 * 0.9).sin()).collect();
    WorkSeries {
        filled: values.clone(),
        target: values,
        noise: 1.0,
        unit: 1.0,
        level: 0.0,
        features: Default::default(),
        events: Default::default(),
    }
}

#[test]
fn divergence_names_the_series_and_leaves_the_ridge_map() {
    let mut work: Vec<WorkSeries> = (0..3).map(wave).collect();
    work[1].filled[30] = f32::INFINITY;
    let learnt = learn(&work, None);
    assert_eq!((learnt.steps, learnt.member.network.is_none()), (0, true));
    assert_eq!(learnt.notes.len(), RETRIES + 2, "{:?}", learnt.notes);
    assert!(learnt.notes[0].contains("series b"), "{:?}", learnt.notes);
}

#[test]
fn a_deadline_ends_training_with_the_weights_so_far() {
    let work: Vec<WorkSeries> = (0..3).map(wave).collect();
    let full = learn(&work, None);
    assert_eq!((full.steps, full.is_cut), (40, false));
    let cut = learn(&work, Some(Instant::now()));
    assert_eq!((cut.steps, cut.is_cut), (1, true));
    assert!(cut.member.network.is_some());
}

/// With a ridge map that is trained, too.
#[test]
fn a_run_goes_on_from_any_step() {
    let work: Vec<WorkSeries> = (0..3).map(wave).collect();
    let recipe = Recipe { skip_learning_rate: 1e-3, ..RECIPE };
    let folder = tempfile::tempdir().expect("folder");
    let run = |stop_at: usize| {
        let stop = AtomicBool::new(false);
        let watch = |progress: Progress| stop.store(progress.done == stop_at, Ordering::Relaxed);
        let journal = RefCell::new(Journal::open(folder.path(), "key".into()));
        let conditions = Conditions {
            deadline: None,
            watch: &watch,
            stop: &stop,
            journal: &journal,
            champion: None,
            covariates: &[],
        };
        repeat(&work, recipe, &conditions)
    };
    let bits = |learnt: &Learnt| -> Vec<u32> {
        let weights = learnt.member.weights("");
        weights.iter().flat_map(|one| &one.values).map(|value| value.to_bits()).collect()
    };
    let whole = run(0).expect("nobody stops it");
    let ridge = |learnt: &Learnt| learnt.member.skip.clone();
    for stops in [vec![1], vec![39], vec![7, 8, 23]] {
        stops.iter().for_each(|&at| assert!(run(at).is_err(), "stopped at {at}"));
        let resumed = run(0).expect("nobody stops it");
        assert_eq!(bits(&resumed), bits(&whole), "{stops:?}");
        Journal::open(folder.path(), "key".into()).close();
    }
    assert_ne!(ridge(&whole), ridge(&learn(&work, None)), "the ridge map is trained");
}

/// Steps that move nothing leave the choice between the starts.
#[test]
fn a_warm_run_keeps_its_first_step_or_the_map_whichever_is_better() {
    let one = |index: usize| Series {
        unique_id: format!("{index}"),
        keys: vec![],
        frequency: Frequency::Days { days: 1 },
        times: (0..60).collect(),
        values: (0..60).map(|t| ((t + index) as f64 * 0.9).sin()).collect(),
        covariates: Vec::new(),
        observations: None,
        filled: Vec::new(),
    };
    let all: Vec<Series> = (0..3).map(one).collect();
    let all: Vec<&Series> = all.iter().collect();
    let terms = Terms { horizon: 3, season: 4, point: Point::Median };
    let validation = Validation::new(&all, Rolling { origins: 3, stride: 3 }, 0, 12, terms);
    let work = select::work_series(&all, &[], 0, Space::Scaled, 4);
    let (stop, journal) = (AtomicBool::new(false), RefCell::new(Journal::default()));
    let conditions = Conditions {
        deadline: None,
        watch: &|_| {},
        stop: &stop,
        journal: &journal,
        champion: None,
        covariates: &[],
    };
    let fast = Recipe { learning_rate: 1e-2, ..RECIPE };
    let good = repeat(&work, fast, &conditions).expect("nobody stops it").member.network.expect("trained");
    let mut bad = good.clone();
    bad.params.head.weight.mapv_inplace(|weight| -weight);
    let still = Recipe { learning_rate: 0.0, ssm_learning_rate: 0.0, ..RECIPE };
    for (champion, is_kept) in [(good, true), (bad, false)] {
        with_lesson(&work, still, &conditions, Some(&champion), |lesson, map| {
            let explored = lesson.explore(map, 0, &validation).expect("nobody stops it");
            assert_eq!((explored.steps, explored.schedule), (0, STEPS_MIN));
            assert_eq!(explored.member.network.is_some(), is_kept);
            let repeated = lesson.repeat(map, 0, &explored).expect("nobody stops it");
            let head = repeated.member.network.map(|network| network.params.head.weight);
            assert_eq!((repeated.steps, head), (0, Some(champion.params.head.weight.clone())));
        });
    }
}
