//! Arguments and definitions, right and wrong.

use super::bundled::BENCHMARKS;
use crate::config::{BenchmarkTrain, Problems, Train, train};
use crate::lab::{Kind, Split};
use crate::model::spec::{ModelKind, Parts, Point, Preset};
use std::path::Path;
use std::time::Duration;

fn parse_any(arguments: &str) -> Result<Train, Problems> {
    let arguments: Vec<String> = arguments.split_whitespace().map(String::from).collect();
    train(&arguments, &|name| (name == "S4CAST_DATA_DIR").then(|| "/data".into()))
}

fn parse(arguments: &str) -> Result<BenchmarkTrain, Problems> {
    match parse_any(arguments)? {
        Train::Benchmark(train) => Ok(*train),
        Train::Sequence(train) => panic!("a sequence task: {train:?}"),
    }
}

/// Every problem with its remedy, one line each; its place in front where it has one.
fn problems(arguments: &str) -> Vec<String> {
    let refused = parse_any(arguments).map(drop).expect_err("wrong");
    let line = |one: &crate::config::Problem| {
        let place = one.place().map_or(String::new(), |place| format!("{}:{} ", place.line, place.column));
        let help = one.remedy().map_or(String::new(), |help| format!(" ({help})"));
        format!("{place}{}{help}", one.message())
    };
    refused.all().iter().map(line).collect()
}

#[test]
fn every_bundled_definition_is_sound_and_says_where_its_data_is_from() {
    for (name, _) in BENCHMARKS {
        let train = parse(&format!("pipeline={name} model=naive")).expect(name);
        let pipeline = &train.experiment.pipeline;
        assert!(train.experiment.is_official && pipeline.data().source.is_some(), "{name}");
        assert_eq!(pipeline.name(), *name);
        assert_eq!(train.experiment.models.len(), pipeline.horizons().len());
        assert_eq!(train.experiment.data_dir.as_deref(), Some(Path::new("/data")));
    }
}

#[test]
fn arguments_are_toml_values_or_bare_words() {
    let train = parse(
        "pipeline=etth1 model=s4d horizon=96,192 seed=3 budget=90s preset=fast threads=2 levels=[50,90.5] \
         model.parts=perceptron season_length=24 data_dir=/a/b pipeline.fit_on=train_and_validation",
    )
    .expect("right");
    let (experiment, model) = (&train.experiment, &train.experiment.models[1]);
    assert_eq!((experiment.pipeline.horizons(), model.horizon()), (&[96, 192][..], 192));
    assert_eq!((model.kind(), model.seed(), model.preset()), (ModelKind::S4d, 3, Preset::Fast));
    assert_eq!((model.budget(), model.parts()), (Some(Duration::from_secs(90)), Parts::Perceptron));
    assert_eq!((model.levels(), model.season_length()), (&[50.0, 90.5][..], Some(24)));
    // Windows are scored by squared errors, so the point forecast is the mean unless it is asked for.
    assert_eq!(model.point(), Point::Mean);
    assert_eq!((train.threads, experiment.data_dir.as_deref()), (Some(2), Some(Path::new("/a/b"))));
    assert!(!experiment.is_official);
    let median = parse("pipeline=etth1 model=naive point=median").expect("right");
    assert_eq!(median.experiment.models[0].point(), Point::Median);
}

#[test]
fn official_is_what_the_definition_says_for_some_of_its_horizons() {
    let official = |arguments: &str| parse(arguments).expect("right").experiment.is_official;
    assert!(official("pipeline=etth1 model=naive horizon=720"));
    assert!(official("pipeline=etth1 model=naive stride=1 split=ett-hour seed=4 point=median"));
    for changed in ["stride=24", "split=ratio", "horizon=48", "pipeline.season=168"] {
        assert!(!official(&format!("pipeline=etth1 model=naive {changed}")), "{changed}");
    }
    let split = parse("pipeline=etth1 split=[10,20,30]").expect("right").experiment.pipeline;
    assert!(matches!(split.kind(), Kind::Rolling { split: Split::Rows([10, 20, 30]), .. }));
}

#[test]
fn all_problems_of_the_arguments_are_told_at_once() {
    assert_eq!(
        problems(
            "pipeline=etth1 model=rigde stide=2 horizon=x seed=-1 preset=quick levels=100 naive seed=2 threads=0"
        ),
        [
            "'naive' is not KEY=VALUE (write for example pipeline=etth1 model=ridge horizon=96)",
            "seed is given twice; remove one of them",
            "model: unknown model 'rigde'; choose one of auto, s4d, s4, sashimi, ridge, seasonal_naive, naive, ets, mstl, \
             croston, croston_sba, tsb, adida, imapa, counts, ensemble (did you mean 'ridge'?)",
            "unknown key 'stide' (did you mean 'stride'?)",
            "horizon: 'x' is not a whole number",
            "seed: '-1' is not a whole number",
            "preset: 'quick' is unknown; choose one of fast, balanced, best",
            "levels: level 100 is not a percentage above 0 and below 100; write for example 80,95",
            "threads: 0 is not in 1..=1024",
        ]
    );
    let unknown = problems("pipeline=m4_hurly");
    assert!(unknown[0].contains("unknown pipeline 'm4_hurly'; choose one of etth1, "), "{unknown:?}");
    assert!(unknown[0].ends_with("(did you mean 'm4_hourly'?)"), "{unknown:?}");
    assert!(problems("model=naive")[0].starts_with("no pipeline; write pipeline=NAME, one of etth1, "));
    // What arguments do to a sound definition is a problem of theirs.
    assert_eq!(problems("pipeline=m5_subset horizon=29"), ["test_rows 28 hold no forecast of 29 steps"]);
    assert_eq!(
        problems("pipeline=m5_subset stride=2"),
        ["stride belongs to kind = \"rolling\", and this one is holdout; remove it"]
    );
}

/// A definition, and what is wrong with it.
const BROKEN: &[(&str, &[&str])] = &[
    (
        "",
        &[
            "1:1 no files; write for example files = [\"sales.parquet\"]",
            "1:1 no horizons; write for example horizons = [24]",
            "1:1 no kind; write one of rolling, one_origin, holdout",
        ],
    ),
    (
        "files = \"a.csv\"\nkind = \"roling\"\nhorizons = 0\nseason = 0\n",
        &[
            "2:8 unknown kind 'roling'; choose one of rolling, one_origin, holdout",
            "3:12 horizon 0 is not in 1..=10000",
            "4:10 season 0 is not in 1..=100000",
        ],
    ),
    (
        "files = 7\nkind = \"rolling\"\nhorizon = 4\nmetric = \"mape\"\nfreq = \"2x\"\n",
        &[
            "1:9 files: must be a string or a list of strings, not a whole number",
            "3:1 unknown key 'horizon' (did you mean 'horizons'?)",
            "4:10 metric: 'mape' is unknown; choose one of mse, mase, owa (did you mean 'mase'?)",
            "5:8 freq: unknown frequency '2x'; write a count and a unit: 30s, 15m, 1h, 1d, 1w, B (business days), MS or ME \
             (month start or end), QS, QE, YS, YE",
        ],
    ),
    (
        "files = \"a.csv\"\nkind = \"rolling\"\nhorizons = 4\nsplit = [7, 5, 9]\ntest_rows = 3\n",
        &[
            "4:9 split [7, 5, 9] does not ascend; write where training ends, testing starts, testing ends",
            "5:13 test_rows belongs to kind = \"holdout\", and this one is rolling; remove it",
        ],
    ),
    (
        "files = \"a.csv\"\nkind = \"rolling\"\nhorizons = 4\nsplit = [0.7, 0.2]\n",
        &[
            "4:9 split: has 2 entries (write three row numbers as [8640, 11520, 14400], or three shares as [0.7, 0.1, 0.2])",
        ],
    ),
    (
        "files = \"a.csv\"\nkind = \"rolling\"\nhorizons = 4\nsplit = [0.7, 0.2, 0.3]\n",
        &[
            "4:9 split [0.7, 0.2, 0.3] are no shares of training, validation and test; write for example [0.7, 0.1, 0.2]",
        ],
    ),
    (
        "files = \"a.csv\"\nkind = \"holdout\"\nhorizons = [4, 4]\nmetric = \"owa\"\n",
        &[
            "1:1 no test_rows; write how many of the last rows are scored",
            "3:12 horizon 4 stands there twice; remove one of them",
            "4:10 owa is relative to Naive2; write naive2_smape and naive2_mase",
        ],
    ),
    ("files = \n", &["1:9 string values must be quoted, expected literal string"]),
];

#[test]
fn all_problems_of_a_definition_are_told_at_their_places() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("own.toml");
    for (text, wanted) in BROKEN {
        std::fs::write(&path, text).expect("written");
        let arguments = format!("pipeline={}", path.display());
        assert_eq!(problems(&arguments), *wanted, "{text}");
        assert!(parse(&arguments).map(drop).expect_err("wrong").in_config());
    }
}

#[test]
fn files_of_ones_own_stand_next_to_their_definition() {
    let folder = tempfile::tempdir().expect("folder");
    let (own, model) = (folder.path().join("own.toml"), folder.path().join("small.toml"));
    std::fs::write(&own, "files = \"a.csv\"\nkind = \"one_origin\"\nhorizons = 4\n").expect("written");
    std::fs::write(&model, "[model]\nkind = \"ridge\"\nlevels = 50\nseed = 9\n").expect("written");
    let (own, model) = (own.display(), model.display());
    let train = parse(&format!("pipeline={own} model={model} seed=5")).expect("right");
    let (experiment, spec) = (&train.experiment, &train.experiment.models[0]);
    assert_eq!(experiment.data_dir.as_deref(), Some(folder.path()));
    assert_eq!(experiment.pipeline.name(), "own");
    // Arguments win over the file.
    assert_eq!((spec.kind(), spec.levels(), spec.seed()), (ModelKind::Ridge, &[50.0][..], 5));
    std::fs::write(folder.path().join("small.toml"), "kind = \"rige\"\nsteps = 3\n").expect("written");
    assert_eq!(problems(&format!("pipeline={own} model={model}")).len(), 2);
    assert!(problems("pipeline=no/such.toml")[0].starts_with("cannot read no/such.toml: "));
}
