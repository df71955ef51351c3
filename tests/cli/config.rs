//! Job files: the same as flags, and what is said where they are wrong.

use super::program::{Place, weekly};

#[test]
fn flags_and_file_give_the_same_forecast() {
    let place = Place::new();
    place.put("in.csv", weekly(60));
    std::fs::create_dir(place.path("conf")).unwrap();
    place.put(
        "conf/job.toml",
        "schema_version = 1\n[source]\ninputs = \"../in.csv\"\ntarget = \"y\"\nas_of = 2024-02-10\n[model]\n\
         kind = \"ridge\"\nhorizon = 5\nlevels = [90]\nseed = 4\n[output]\npath = \"../a.parquet\"\n",
    );
    let flags =
        "forecast in.csv --target y --as-of 2024-02-10 --model ridge -H 5 --levels 90 --seed 4 -o b.parquet";
    let by_flags = place.run(&format!("{flags} --json")).expect(0).json();
    let by_file = place.run("forecast --config conf/job.toml --json").expect(0).json();
    for key in ["config_sha256", "weights_sha256", "model", "issued_at"] {
        assert_eq!(by_flags[key], by_file[key], "{key}");
    }
    assert_eq!(by_flags["source"]["fingerprint"], by_file["source"]["fingerprint"]);
    assert_eq!(place.names(), ["a.parquet", "b.parquet", "conf", "in.csv"]);

    let over = place.run("forecast -c conf/job.toml -H 2 -o c.parquet --json").expect(0).json();
    assert_eq!((over["output"]["rows"].as_u64(), over["model"]["seed"].as_u64()), (Some(2), Some(4)));
}

#[test]
fn the_environment_stands_between_flag_and_file() {
    let place = Place::new();
    place.put("in.csv", weekly(60));
    place.put("job.toml", "[source]\ninputs = \"in.csv\"\n[model]\nhorizon = 5\nkind = \"naive\"\n");
    let rows = |arguments: &[&str]| {
        let mut command = place.command();
        command.env("S4CAST_HORIZON", "4").env("S4CAST_OUTPUT", "out.parquet").env("S4CAST_JSON", "1");
        let run = super::program::Run::of(command.args(arguments).output().unwrap()).expect(0);
        run.json()["output"]["rows"].as_u64()
    };
    assert_eq!(rows(&["forecast", "-c", "job.toml"]), Some(4));
    assert_eq!(rows(&["forecast", "-c", "job.toml", "-H", "3"]), Some(3));
}

#[test]
fn every_problem_of_a_file_is_shown_at_its_line() {
    let place = Place::new();
    let job = "schema_version = 1\n[source]\ninputs = \"in.csv\"\ntyme = \"ds\"\n[model]\nhorizon = \"many\"\n\
               kind = \"ridgee\"\n[output]\npath = \"${NO_SUCH}/out.parquet\"\n";
    place.put("job.toml", job);
    let run = place.run("forecast -c job.toml").expect(78);
    assert_eq!(run.stdout, "");
    let want = [
        "unknown key 'tyme' in [source]",
        "job.toml:4:1",
        "did you mean 'time'?",
        "horizon must be a whole number, not a string",
        "job.toml:6:11",
        "unknown model 'ridgee'",
        "job.toml:7:8",
        "did you mean 'ridge'?",
        "the environment variable NO_SUCH is not set",
        "job.toml:9:8",
    ];
    let mut rest = run.stderr.as_str();
    for words in want {
        let at =
            rest.find(words).unwrap_or_else(|| panic!("{words} is missing or misplaced in {}", run.stderr));
        rest = &rest[at..];
    }
    assert!(!run.stderr.contains('\u{1b}'), "no colour where no terminal is");
    assert!(place.run("forecast -c job.toml --color always").expect(78).stderr.contains('\u{1b}'));
    let problems = place.run("forecast -c job.toml --json").expect(78).json();
    assert_eq!(problems["error"]["problems"].as_array().map(Vec::len), Some(4));
}
