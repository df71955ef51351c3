//! Folders below which everything has to lie: by a config, by the environment, whatever links lead to.

use super::program::{Place, Run, weekly};
use std::os::unix::fs::symlink;

const CONFIG: &str = r#"schema_version = 1
[daemon]
state = "in/state"
allow_paths = "in"
[source.s]
inputs = "in/data/*.csv"
[model.m]
kind = "naive"
horizon = 3
[sink.o]
path = "in/out"
[job.a]
source = "s"
model = "m"
sink = "o"
forecast = { every = "1d" }
"#;

fn place() -> Place {
    let place = Place::new();
    for folder in ["in/data", "out"] {
        std::fs::create_dir_all(place.path(folder)).unwrap();
    }
    place.put("in/data/a.csv", weekly(40));
    place.put("out/b.csv", weekly(40));
    place.put("d.toml", CONFIG);
    place
}

fn narrowed(place: &Place, list: &str, arguments: &str) -> Run {
    let mut command = place.command();
    command.env("S4CAST_ALLOW_PATHS", list).args(arguments.split(' '));
    Run::of(command.output().unwrap())
}

#[test]
fn a_config_that_names_something_outside_is_refused_with_everything_at_once() {
    let place = place();
    place.run("validate -c d.toml").expect(0);
    let strays = CONFIG
        .replace("\"in/data/*.csv\"", "[\"in/../out/b.csv\", \"/etc\", \"in/data/a.csv\"]")
        .replace("\"in/out\"", "\"elsewhere\"")
        .replace("\"in/state\"", "\"state\"");
    place.put("d.toml", strays);
    let run = place.run("validate --no-environment -c d.toml").expect(78);
    for part in ["in/../out/b.csv", "/etc lies", "elsewhere", "state", "allow_paths"] {
        assert!(run.stderr.contains(part), "{part}: {}", run.stderr);
    }
    let command = CONFIG.replace("inputs = \"in/data/*.csv\"", "exec = [\"/bin/cat\", \"in/data/a.csv\"]");
    place.put("d.toml", &command);
    assert!(place.run("validate -c d.toml").expect(78).stderr.contains("allow_exec"));
    place.put("d.toml", command.replace("allow_paths", "allow_exec = true\nallow_paths"));
    place.run("validate -c d.toml").expect(0);
}

#[test]
fn a_link_that_appears_later_is_not_followed_out() {
    let place = place();
    place.run("run a -c d.toml --slot 2024-11-01T00:00:00Z").expect(0);
    symlink(place.path("out/b.csv"), place.path("in/data/b.csv")).unwrap();
    let run = place.run("run a -c d.toml --slot 2024-11-02T00:00:00Z");
    assert_ne!(run.code, Some(0));
    let said = format!("{}{}", run.stdout, run.stderr);
    assert!(said.contains("b.csv") && said.contains("allow_paths"), "{said}");
}

#[test]
fn the_environment_limits_commands_of_one_shot() {
    let place = place();
    let list = place.path("in").display().to_string();
    narrowed(&place, &list, "forecast in/data/a.csv -H 3 --model naive -o in/f.parquet").expect(0);
    let run =
        narrowed(&place, &list, "forecast out/b.csv -H 3 --model naive -o f.parquet --quality q.parquet")
            .expect(77);
    for part in ["out/b.csv", "f.parquet", "q.parquet", "S4CAST_ALLOW_PATHS"] {
        assert!(run.stderr.contains(part), "{part}: {}", run.stderr);
    }
    assert!(!place.path("f.parquet").exists());
    symlink(place.path("out/new.parquet"), place.path("in/link.parquet")).unwrap();
    narrowed(&place, &list, "forecast in/data/a.csv -H 3 --model naive -o in/link.parquet").expect(77);
    narrowed(&place, &list, "forecast s3://bucket/a.csv -H 3 --model naive -o in/f.parquet").expect(77);
    narrowed(&place, &list, "backtest out/b.csv -H 3 --models naive").expect(77);
    narrowed(&place, &list, "plot out/f.parquet -o in/f.svg").expect(77);
    narrowed(&place, &list, "plot in/f.parquet -o out/f.svg").expect(77);
    narrowed(&place, &list, "train pipeline=etth1 model=s4d data_dir=out").expect(77);
    narrowed(&place, &list, "train pipeline=text model=s4 data_dir=in out=out/run").expect(77);
    narrowed(&place, &list, "generate in/m.safetensors -n 3 -o out/next.csv").expect(77);
    narrowed(&place, "nosuch://a", "forecast in/data/a.csv -H 3 --model naive -o in/f.parquet").expect(2);
    narrowed(&place, "", "forecast out/b.csv -H 3 --model naive -o f.parquet").expect(0);
}

#[test]
fn the_environment_narrows_a_config() {
    let place = place();
    let list = place.path("in/data").display().to_string();
    let run = narrowed(&place, &list, "validate -c d.toml").expect(78);
    assert!(run.stderr.contains("in/out") && run.stderr.contains("S4CAST_ALLOW_PATHS"), "{}", run.stderr);
}
