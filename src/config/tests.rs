//! Config files as people write them, right and wrong.

use super::*;
use crate::ingest::{BadSeriesLimit, Duplicates};
use crate::model::rate::{Rate, Scale};
use crate::pipeline::Making;
use miette::Diagnostic;
use std::path::{Path, PathBuf};

const GOOD: &str = r#"
schema_version = 1
[source]
inputs = ["a.csv", "/abs/b.csv"]
id = "site"
tz = "Europe/Berlin"
duplicates = "mean"
max_bad_series = "5%"
as_of = 2024-01-01
[model]
horizon = 24
levels = [80, 97.5]
seed = "${SEED:-7}"
budget = "60s"
[output]
path = "out.parquet"
"#;

fn parse(text: &str) -> Settings {
    let env = |name: &str| (name == "DATA").then(|| "/data".to_string());
    Settings::parse("job.toml", text, PathBuf::from("conf"), &env)
}

/// Message, place (`line:column`) and help of every problem.
fn problems(text: &str) -> Vec<(String, String, String)> {
    let problems = job(&parse(text)).expect_err("wrong");
    let place = |problem: &Problem| {
        let offset = problem.labels()?.next()?.offset();
        let before = &text[..offset];
        let column = before.rsplit('\n').next().map_or(0, str::len) + 1;
        Some(format!("{}:{column}", before.matches('\n').count() + 1))
    };
    let help = |problem: &Problem| problem.help().map(|help| help.to_string()).unwrap_or_default();
    let all = problems.all().iter();
    all.map(|one| (one.message().to_string(), place(one).unwrap_or_default(), help(one))).collect()
}

#[test]
fn a_file_becomes_a_job() {
    let Launch { job, threads, .. } = job(&parse(GOOD)).expect("valid");
    assert_eq!(job.source.inputs, ["conf/a.csv", "/abs/b.csv"]);
    assert_eq!(job.source.id, ["site"]);
    assert_eq!(job.source.duplicates, Duplicates::Mean);
    assert_eq!(job.source.max_bad_series, BadSeriesLimit::Share(0.05));
    // Midnight in Berlin.
    assert_eq!(job.source.as_of, Some(1_704_063_600_000_000));
    let Making::Fit(model) = &job.making else { panic!("nothing is loaded") };
    assert_eq!((model.horizon(), model.seed()), (24, 7));
    assert_eq!(model.levels(), [80.0, 97.5]);
    assert_eq!(job.output.local(), Some(Path::new("conf/out.parquet")));
    assert_eq!(threads, None);
}

#[test]
fn flags_win_over_the_file() {
    let mut settings = parse(GOOD);
    let before = settings.sha256();
    settings.flag(Key::Horizon, Some("12"));
    settings.flag(Key::Inputs, ["c.csv"]);
    settings.flag(Key::Time, None::<String>);
    assert_ne!(settings.sha256(), before);
    let job = job(&settings).expect("valid").job;
    assert!(matches!(&job.making, Making::Fit(model) if model.horizon() == 12));
    assert_eq!(job.source.inputs, ["c.csv"]);
}

#[test]
fn flags_and_file_spell_the_same_settings() {
    let mut flags = Settings::default();
    flags.flag(Key::Id, ["site"]);
    flags.flag(Key::Tz, Some("Europe/Berlin"));
    flags.flag(Key::Duplicates, Some("mean"));
    flags.flag(Key::MaxBadSeries, Some("5%"));
    flags.flag(Key::AsOf, Some("2024-01-01"));
    flags.flag(Key::Horizon, Some("24"));
    flags.flag(Key::Levels, ["80", "97.5"]);
    flags.flag(Key::Seed, Some("7"));
    flags.flag(Key::Budget, Some("60s"));
    assert_eq!(flags.sha256(), parse(GOOD).sha256());
}

#[test]
fn every_problem_is_reported_at_its_place() {
    let text = r#"schema_version = 1
[source]
inputs = "a.csv"
tyme = "ds"
tz = "Europe/Berlln"
id = ["${NO_SUCH}"]
[modle]
[model]
horizon = "many"
levels = [80, 180]
kind = "ridgee"
[output]
path = "out.parquet"
horizon = 3
"#;
    let found: Vec<(String, String, String)> = problems(text);
    let want = [
        ("unknown key 'tyme' in [source]", "4:1", "did you mean 'time'?"),
        ("unknown time zone 'Europe/Berlln'", "5:6", "did you mean 'Europe/Berlin'?"),
        (
            "the environment variable NO_SUCH is not set",
            "6:7",
            "give it a value, or a default as in ${NAME:-default}",
        ),
        ("unknown table or key 'modle'", "7:2", "did you mean 'model'?"),
        ("horizon must be a whole number, not a string", "9:11", ""),
        ("level 180 is not a percentage above 0 and below 100; write for example 80,95", "10:15", ""),
        (
            "unknown model 'ridgee'; choose one of auto, s4d, s4, sashimi, ridge, seasonal_naive, naive, ets, mstl, \
             croston, croston_sba, tsb, adida, imapa, counts, ensemble",
            "11:8",
            "did you mean 'ridge'?",
        ),
        ("unknown key 'horizon' in [output]", "14:1", "'horizon' belongs under [model]"),
    ];
    let want: Vec<_> = want.map(|(a, b, c)| (a.to_string(), b.to_string(), c.to_string())).into();
    for problem in &want {
        assert!(found.contains(problem), "{problem:?} not in {found:#?}");
    }
    assert_eq!(found.len(), want.len(), "{found:#?}");
}

#[test]
fn broken_files_name_the_reason() {
    let cases = [
        ("[source", "1:8", "unclosed table"),
        ("a = = 1", "", "value"),
        ("source = 1", "1:10", "source must be a table"),
        ("schema_version = 2", "1:18", "unknown version"),
        ("horizon = 3", "1:1", "unknown table or key 'horizon'"),
        ("[source]\ninputs = 5", "2:10", "inputs must be a string or a list of strings, not a whole number"),
        ("[source]\ninputs = [[\"a\"]]", "2:11", "not a list"),
        ("[source]\ntime = [\"a\"]", "2:8", "time must be a string, not a list"),
        ("[source]\nfreq = \"fortnightly\"", "2:8", "fortnightly"),
        ("[source]\nduplicates = \"drop\"", "2:14", "unknown policy for duplicates 'drop'"),
        ("[source]\nmax_bad_series = 1.5", "2:18", "not a decimal number"),
        ("[source]\nas_of = \"soon\"", "2:9", "'soon' is not a time"),
        ("[source]\ntime = \"\"", "2:8", "empty"),
        ("[model]\nhorizon = 0", "2:11", "horizon 0 is not in 1..=10000"),
        ("[model]\nhorizon = -1", "2:11", "'-1' is not a whole number"),
        ("[model]\nhorizon = 1.5", "2:11", "must be a whole number, not a decimal number"),
        ("[model]\nlevels = []", "", "no coverage level"),
        ("[model]\nlevels = [80, \"95\"]", "2:15", "levels must be a number or a list of numbers"),
        ("[model]\nlevels = nan", "2:10", "not a percentage"),
        ("[model]\nseason_length = 0", "2:17", "season length 0"),
        ("[model]\nseed = true", "2:8", "seed must be a whole number, not true or false"),
        ("[model]\nseed = -4", "2:8", "'-4' is not a whole number"),
        ("[model]\nbudget = 60", "2:10", "budget must be a string"),
        ("[model]\nbudget = \"60\"", "2:10", "'60' is not a duration"),
        ("[model]\npreset = \"slow\"", "2:10", "unknown preset 'slow'"),
        ("[model]\npoint = \"mod\"", "2:9", "choose one of median, mean"),
        ("[model]\nmin = \"0\"", "2:7", "min must be a number, not a string"),
        ("[model]\nmax = inf", "2:7", "both are to be finite"),
        ("[model]\nmin = 2\nmax = 2.0", "2:7", "no value lies between min 2 and max 2"),
        ("[model]\ninteger = 1", "2:11", "integer must be true or false, not a whole number"),
        ("[model]\nmin = 0\nnon_negative = true", "3:16", "min is given too"),
        ("[model]\nmax = -1\nnon_negative = true", "2:7", "no value lies between min 0 and max -1"),
        ("[model]\nthreads = 0", "2:11", "0 threads"),
        ("[output]\npath = false", "2:8", "path must be a string"),
        ("[output]\npath = \"${OUT\"", "2:8", "never closes"),
        ("[output]\npath = \"a\"\npath = \"b\"", "3:1", "duplicate key"),
        ("[output]\npath = \"${A B}\"", "2:8", "no name of an environment variable"),
        ("[model]\nmodel = \"naive\"", "2:1", "unknown key 'model' in [model]"),
        ("[outputs]", "1:2", "unknown table or key 'outputs'"),
        ("seed = 99999999999999999999999999", "", ""),
        ("\u{0}", "", ""),
    ];
    for (text, place, message) in cases {
        let found = problems(text);
        let hit = |(have, at, _): &(String, String, String)| {
            have.contains(message) && (place.is_empty() || at == place)
        };
        assert!(found.iter().any(hit), "{text:?}: {found:#?}");
    }
}

#[test]
fn what_could_not_be_understood_is_not_called_missing() {
    for text in
        ["[source", "job: yaml", "[source]\ninput = \"a.csv\"", "[[model]]\nhorizon = 3", "horizon = 3"]
    {
        let found = problems(text);
        assert!(found.iter().all(|(message, ..)| !message.starts_with("no ")), "{text:?}: {found:?}");
    }
    let help = |text: &str| problems(text).into_iter().find(|one| !one.1.is_empty()).expect("placed").2;
    assert_eq!(help("[model]\nmodel = \"naive\""), "write --model as 'kind' under [model]");
    assert_eq!(help("[output]\npath = \"${A\""), "write ${NAME}, or $${ for the characters themselves");
}

#[test]
fn what_is_missing_is_asked_for() {
    let messages: Vec<String> = problems("").into_iter().map(|(message, ..)| message).collect();
    assert_eq!(messages.len(), 3, "{messages:?}");
    for word in ["INPUT", "-H", "-o"] {
        let word = if word == "INPUT" { "inputs" } else { word };
        assert!(messages.iter().any(|message| message.contains(word)), "{messages:?}");
    }
    assert!(!job(&Settings::default()).expect_err("empty").in_config());
}

#[test]
fn the_examples_of_the_repository_are_valid() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).expect("configs") {
        let path = entry.expect("entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("daemon") || path.is_dir() {
            continue;
        }
        let settings = Settings::read(&path, &|_| None).expect("readable");
        let job = job(&settings).unwrap_or_else(|problems| panic!("{path:?}: {problems:?}")).job;
        assert!(job.source.inputs.iter().all(|input| Path::new(input).is_file()), "{:?}", job.source.inputs);
        seen += 1;
    }
    assert_eq!(seen, 3);
}

#[test]
fn brackets_in_the_folder_are_no_pattern() {
    let text = "[source]\ninputs = [\"*.csv\", \"a.csv\", \"https://host/x.csv\", \"${DATA}/b.csv\"]";
    let settings = Settings::parse("job.toml", text, PathBuf::from("a[1]"), &|_| Some("/data".into()));
    let inputs = source(&settings).expect("valid").source.inputs;
    assert_eq!(inputs, ["a[[]1[]]/*.csv", "a[1]/a.csv", "https://host/x.csv", "/data/b.csv"]);
}

#[test]
fn an_empty_flag_or_variable_sets_nothing_and_blanks_do_not_count() {
    let mut settings = parse(GOOD);
    settings.flag(Key::Tz, [""]);
    settings.flag(Key::Horizon, [" 12 "]);
    settings.flag(Key::Id, ["a", " b"]);
    let job = job(&settings).expect("valid").job;
    assert_eq!(
        job.source.zone.and_then(|zone| zone.iana_name().map(str::to_owned)).as_deref(),
        Some("Europe/Berlin")
    );
    assert!(matches!(&job.making, Making::Fit(model) if model.horizon() == 12));
    assert_eq!(job.source.id, ["a", "b"]);
}

#[test]
fn a_loaded_model_is_held_against_what_is_written() {
    let text =
        GOOD.replace("horizon = 24\n", "load_model = \"m.safetensors\"\nsampling_scale = 0.25\nmin = 0\n");
    let Making::Load(load) = job(&parse(&text)).expect("valid").job.making else { panic!("it is loaded") };
    assert_eq!(
        (load.path.local().expect("a path"), load.scale),
        (Path::new("conf/m.safetensors"), Some(Scale::By(Rate::Finer(4))))
    );
    assert_eq!((load.asked.horizon, load.asked.kind, load.asked.seed), (None, None, Some(7)));
    assert_eq!(load.asked.levels.as_deref(), Some(&[80.0, 97.5][..]));
    assert_eq!(load.asked.bounds.and_then(|bounds| bounds.min), Some(0.0));

    let wrong = text.replace("0.25", "0.4").replace("path =", "save_model = \"s\"\npath =");
    let found: Vec<String> =
        problems(&wrong).into_iter().map(|(message, _, help)| message + "; " + &help).collect();
    assert_eq!(
        found,
        [
            "0.4 is neither a whole number of steps of the model nor one part of a step; write for example auto, 0.25, 1/3 or 2",
            "save_model would save what load_model has loaded; leave one of them out",
        ]
    );
    let alone = GOOD.replace("seed =", "sampling_scale = \"auto\"\nseed =");
    assert!(problems(&alone)[0].0.contains("none is loaded"));
    let mut moved = parse(&text);
    moved.flag(Key::LoadModel, Some("other"));
    assert_eq!(moved.sha256(), parse(&text).sha256(), "the weights decide, not where they are");
}
