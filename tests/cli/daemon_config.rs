//! Daemon files on the command line: `validate`, `schema`, `init`.

use super::program::{Place, dataset};
use serde_json::Value;
use std::path::Path;

const BASE: &str = include_str!("../golden_config/base.toml");
const BROKEN: &str = include_str!("../golden_config/broken.txt");

/// A place with the base config and its input.
fn place() -> Place {
    let place = Place::new();
    place.put("in.csv", super::program::weekly(60));
    place.put("d.toml", BASE);
    place
}

/// `line:column message | help` of every problem, as the golden file has them.
fn lines(problems: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or("no help").to_string();
    let line = |one: &Value| {
        format!("{}:{} {} | {}", one["line"], one["column"], text(&one["message"]), text(&one["help"]))
    };
    problems.as_array().unwrap().iter().map(line).collect()
}

#[test]
fn every_broken_config_is_refused_in_these_words() {
    let place = place();
    let mut seen = 0;
    for block in BROKEN.split("\n\n").skip(1) {
        let marked = |mark: &str| -> String {
            block.lines().filter_map(|line| line.strip_prefix(mark)).map(|line| format!("{line}\n")).collect()
        };
        let (from, to) = (marked("- "), marked("+ "));
        assert!(BASE.contains(&from), "{block}");
        place.put("d.toml", BASE.replacen(&from, &to, 1));
        let run = place.run("validate --no-environment --json -c d.toml").expect(78);
        let want: Vec<&str> =
            block.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit())).collect();
        let document = run.json();
        assert_eq!(lines(&document["problems"]), want, "{block}");
        assert_eq!(document["valid"], false);
        assert!(
            run.stderr.contains(&format!("d.toml:{}", want[0].split(' ').next().unwrap())),
            "{}",
            run.stderr
        );
        assert!(!format!("{}{}", run.stdout, run.stderr).contains("s3cret"), "{block}");
        seen += 1;
    }
    assert!(seen >= 30, "{seen} configs");
}

#[test]
fn a_valid_file_of_either_kind_is_told_so() {
    let place = place();
    let document = place.run("validate --json -c d.toml").expect(0).json();
    assert_eq!((&document["valid"], &document["kind"]), (&true.into(), &"daemon".into()));
    assert_eq!(document["jobs"], serde_json::json!(["load"]));
    assert!(document["found"].to_string().contains("time ds, target y"), "{document}");
    assert_eq!(place.names(), ["d.toml", "in.csv"], "nothing is left behind");
    let run = place.run("validate --no-environment -c d.toml").expect(0);
    assert!(run.stdout.starts_with("Valid     d.toml: for the daemon, 1 job"), "{}", run.stdout);
    place.put(
        "j.toml",
        "[source]\ninputs = \"in.csv\"\n[model]\nhorizon = 3\n[output]\npath = \"o.parquet\"\n",
    );
    let document = place.run("validate --json -c j.toml").expect(0).json();
    assert_eq!((&document["kind"], &document["problems"]), (&"one_shot".into(), &serde_json::json!([])));
    assert!(place.run("validate -c none.toml").expect(78).stderr.contains("none.toml"));
    assert!(place.run("forecast -c d.toml").expect(78).stderr.contains("s4cast serve"));
}

#[test]
fn warnings_stop_only_who_denies_them() {
    let place = place();
    place.put("d.toml", format!("{BASE}[model.old]\nhorizon = 3\n"));
    let run = place.run("validate --json -c d.toml").expect(0);
    assert_eq!(
        lines(&run.json()["warnings"]),
        ["20:8 no job refers to [model.old] | refer to it from a job, or remove it: model = \"old\""]
    );
    assert!(run.stderr.contains("no job refers to"), "{}", run.stderr);
    let denied = place.run("validate --deny-warnings --json -c d.toml").expect(78).json();
    assert_eq!(denied["valid"], false);
}

#[test]
fn the_environment_is_looked_at_where_the_file_is_right() {
    let cases = [
        ("inputs = \"in.csv\"", "inputs = \"none.csv\"", "7:10", "none.csv: no such file"),
        ("inputs = \"in.csv\"", "inputs = \"*.parquet\"", "7:10", "the pattern matches no file"),
        ("inputs = \"in.csv\"", "inputs = \"in.csv\"\ntime = \"tyme\"", "8:8", "no column 'tyme'"),
        ("path = \"out\"", "path = \"in.csv/out\"", "13:8", "in.csv is not a folder"),
        ("state = \"state\"", "state = \"in.csv\"", "3:9", "in.csv is not a folder"),
        ("127.0.0.1:8091\"", "127.0.0.1:8091\"\ntoken = { env = \"T\" }", "6:9", "T of a secret is not set"),
        (
            "127.0.0.1:8091\"",
            "127.0.0.1:8091\"\ntls = { cert = \"in.csv\", key = \"none\" }",
            "6:16",
            "no certificate",
        ),
        (
            "127.0.0.1:8091\"",
            "127.0.0.1:8091\"\ntls = { cert = \"in.csv\", key = \"none\" }",
            "6:32",
            "cannot be read",
        ),
    ];
    let place = place();
    for (from, to, at, message) in cases {
        place.put("d.toml", BASE.replacen(from, to, 1));
        let found = lines(&place.run("validate --json -c d.toml").expect(78).json()["problems"]);
        assert!(found.iter().any(|line| line.starts_with(at) && line.contains(message)), "{to}: {found:?}");
        place.run("validate --no-environment -c d.toml").expect(0);
    }
}

#[test]
fn a_secret_that_is_there_is_never_shown() {
    let place = place();
    place.put(
        "d.toml",
        BASE.replacen("127.0.0.1:8091\"", "0.0.0.0:8091\"\nplaintext = true\ntoken = { env = \"T\" }", 1),
    );
    let mut command = place.command();
    command.env("T", "s3cret").args(["validate", "-c", "d.toml"]);
    let run = super::program::Run::of(command.output().unwrap()).expect(0);
    assert!(!format!("{}{}", run.stdout, run.stderr).contains("s3cret"));
}

#[test]
fn the_schema_is_one_document() {
    let place = Place::new();
    let schema = place.run("schema").expect(0).json();
    assert_eq!(schema, place.run("schema --json").expect(0).json());
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let job = &schema["$defs"]["job"];
    assert_eq!(job["required"], serde_json::json!(["source", "model", "sink", "forecast"]));
    assert_eq!(job["additionalProperties"], false);
}

#[test]
fn the_views_are_over_the_folder_that_was_named() {
    let place = Place::new();
    let sql = place.run("schema --views it's").expect(0).stdout;
    let folder = place.path("it's").to_string_lossy().replace('\'', "''");
    assert!(sql.starts_with(&format!("SET VARIABLE s4cast_out = '{folder}';\n")), "{}", &sql[..200]);
    assert!(sql.ends_with(include_str!("../../configs/deploy/duckdb/views.sql")));
    assert_eq!(place.run("schema --json --views it's").expect(0).json()["sql"], sql);
}

#[test]
fn what_init_prints_is_valid_and_reads_the_same() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets");
    let csv = |path: &Path| path.extension().is_some_and(|extension| extension == "csv");
    let names =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| csv(path));
    let mut seen = 0;
    for data in names.map(|path| path.display().to_string()) {
        let place = Place::new();
        let config = place.run(&format!("init --from {data}")).expect(0).stdout;
        place.put("d.toml", &config);
        let document = place.run("validate --deny-warnings --json -c d.toml").expect(0).json();
        let roles =
            &place.run(&format!("data check {data} --max-bad-series 50% --json")).expect(0).json()["roles"];
        let found = document["found"][0].as_str().unwrap();
        assert!(found.contains(&format!("time {}", roles["time"].as_str().unwrap())), "{found}");
        assert!(found.ends_with(&format!("target {}", roles["targets"][0].as_str().unwrap())), "{found}");
        seen += 1;
    }
    assert!(seen >= 5, "{seen} data sets");
}

#[test]
fn init_fits_the_data() {
    let place = Place::new();
    let hourly = place.run(&format!("init --json --from {}", dataset("hourly_load.csv"))).expect(0).json();
    assert_eq!((&hourly["freq"], &hourly["horizon"]), (&"1h".into(), &24.into()));
    let config = hourly["config"].as_str().unwrap();
    for line in
        ["[job.hourly_load]", "target = \"load_mw\"", "forecast = { every = \"1h\" }", "freq = \"1h\""]
    {
        assert!(config.contains(line), "{line} is missing in {config}");
    }
    let monthly = place.run(&format!("init --from {} -H 7", dataset("air_passengers.csv"))).expect(0).stdout;
    assert!(monthly.contains("\nhorizon = 7 ") && monthly.contains("forecast = { schedule = \"monthly\" }"));
    place.put("no.csv", "a,b\nx,y\n");
    place.run("init --from no.csv").expect(65);
    place.run("init --from none.csv").expect(66);
}

#[test]
fn init_of_a_folder_keeps_the_sink_out_of_it() {
    let place = place();
    let config = place.run("init --from .").expect(0).stdout;
    place.put("e.toml", config);
    place.run("validate -c e.toml").expect(0);
}
