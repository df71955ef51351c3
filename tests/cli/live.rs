//! What is asked of forecasts after they were published: scores and explanations.

use std::path::Path;
use std::process::{Command, Output};

const CONFIG: &str = r#"schema_version = 1
[daemon]
state = "state"
[source.s]
inputs = "s.csv"
[model.m]
kind = "ridge"
horizon = 6
season_length = 24
[sink.o]
path = "out"
[job.a]
source = "s"
model = "m"
sink = "o"
train = { cron = "0 2 * * *" }
forecast = { every = "1h" }
score = { cron = "0 5 * * *" }
segment = "site"
anomaly = { level = 95 }
"#;

fn s4cast(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_s4cast"));
    command.current_dir(folder).args(arguments).output().unwrap()
}

fn json(folder: &Path, arguments: &[&str]) -> serde_json::Value {
    let output = s4cast(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A folder with data of 20 days and a config.
fn data() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut rows = String::from("ds,site,y\n");
    for hour in 0..20 * 24 {
        for (site, level) in [("north", 20.0), ("south", 60.0)] {
            let wave = 5.0 * (f64::from(hour) / 24.0 * std::f64::consts::TAU).sin();
            let noise = f64::from((hour * hour + 7) % 13) / 6.0;
            let (day, hour) = (1 + hour / 24, hour % 24);
            rows += &format!("2024-01-{day:02}T{hour:02}:00:00Z,{site},{}\n", level + wave + noise);
        }
    }
    std::fs::write(folder.path().join("s.csv"), rows).unwrap();
    std::fs::write(folder.path().join("daemon.toml"), CONFIG).unwrap();
    folder
}

fn place() -> tempfile::TempDir {
    let folder = data();
    let run = |stage: &str, slot: &str| {
        json(folder.path(), &["run", "a", "-c", "daemon.toml", "--stage", stage, "--slot", slot, "--json"])
    };
    run("train", "2024-01-15T02:00:00Z");
    run("forecast", "2024-01-16T00:00:00Z");
    run("forecast", "2024-01-17T00:00:00Z");
    folder
}

#[test]
fn published_forecasts_are_scored_by_job_band_and_segment() {
    let folder = place();
    let document = json(folder.path(), &["score", "--job", "a", "-c", "daemon.toml", "--json"]);
    assert_eq!((&document["runs"], &document["score"]["rows"]), (&2.into(), &24.into()));
    let score = &document["score"];
    assert!(
        score["mase"].as_f64().unwrap() > 0.0 && score["coverage"]["80"].as_f64().unwrap() > 0.3,
        "{score}"
    );
    assert_eq!(document["bands"].as_array().unwrap().len(), 3);
    let segments = document["segments"].as_array().unwrap();
    let names: Vec<&str> = segments.iter().map(|one| one["segment"].as_str().unwrap()).collect();
    assert_eq!(names, ["north", "south"]);
    assert!(!folder.path().join("out/scores").exists(), "a look writes nothing");
    let page = s4cast(folder.path(), &["score", "--job", "a", "-c", "daemon.toml"]);
    let page = String::from_utf8(page.stdout).unwrap();
    assert!(page.contains("2 runs") && page.contains("step 4 to 6") && page.contains("south"), "{page}");
    let unknown = s4cast(folder.path(), &["score", "--job", "b", "-c", "daemon.toml"]);
    assert_eq!(unknown.status.code(), Some(2));
    json(folder.path(), &["run", "a", "-c", "daemon.toml", "--stage", "score", "--json"]);
    assert!(folder.path().join("out/scores/job=a/part-0.parquet").is_file());
    assert!(folder.path().join("out/anomalies/job=a/part-0.parquet").is_file());
}

#[test]
fn a_forecast_is_explained_by_parts_that_add_up() {
    let folder = place();
    let document = json(folder.path(), &["explain", "south", "--job", "a", "-c", "daemon.toml", "--json"]);
    assert_eq!((&document["status"], &document["model_version"]), (&"ok".into(), &1.into()));
    assert_eq!(document["saw"]["season_length"], 24);
    let steps = document["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 6);
    for step in steps {
        let part = |name: &str| step[name].as_f64().unwrap();
        let sum: f64 = ["trend", "seasonal", "network", "remainder", "bounds"].map(part).iter().sum();
        assert!((sum - part("yhat")).abs() < 1e-9 * part("yhat").abs(), "{step}");
    }
    let errors = document["errors"].as_array().unwrap();
    assert_eq!((errors.len(), &errors[0]["ds"]), (12, &"2024-01-17T06:00:00Z".into()));
    let page = s4cast(folder.path(), &["explain", "south", "--job", "a", "-c", "daemon.toml"]);
    let page = String::from_utf8(page.stdout).unwrap();
    assert!(page.contains("version 1 of job a, status ok") && page.contains("PAST VALUE"), "{page}");
    let unknown = s4cast(folder.path(), &["explain", "souht", "--job", "a", "-c", "daemon.toml"]);
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("did you mean 'south'"));
}

#[test]
fn under_the_daemon_a_candidate_serves_after_its_runs_in_shadow() {
    let folder = data();
    let configure = |kind: &str| {
        let config = CONFIG.replace("ridge", kind).replace("0 2 * * *", "0 2 16 * *").replace("1h", "6h");
        let config = format!("{config}promotion = \"shadow\"\nshadow_runs = 3\n");
        std::fs::write(folder.path().join("daemon.toml"), config).unwrap();
    };
    let serve = |span: &str| {
        let clock = format!("sim:{span}");
        let output = s4cast(folder.path(), &["serve", "-c", "daemon.toml", "--clock", &clock]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let versions = || {
        let models = json(folder.path(), &["models", "ls", "--json"])["models"].clone();
        let name = |one: &serde_json::Value| match (one["serves"] == true, one["shadow"] == true) {
            (true, _) => "serves",
            (_, true) => "shadow",
            _ => "",
        };
        models.as_array().unwrap().iter().map(name).collect::<Vec<_>>()
    };
    let versions_in = |root: &str| {
        let runs = s4cast::publish::runs(&folder.path().join(root), "a").unwrap();
        runs.iter().rev().map(|run| run.metadata["model_version"].clone()).collect::<Vec<_>>().concat()
    };
    configure("seasonal_naive");
    serve("2024-01-15T00:00:00Z..2024-01-16T01:00:00Z");
    assert_eq!(versions(), ["serves"]);
    configure("ridge");
    serve("2024-01-16T01:00:00Z..2024-01-16T13:00:00Z");
    assert_eq!(versions(), ["serves", "shadow"]);
    let score = ["score", "--job", "a", "-c", "daemon.toml"];
    let beside = json(folder.path(), &[&score[..], &["--json"]].concat())["shadow"].clone();
    assert_eq!(
        (&beside["model_version"], &beside["champion_version"], &beside["runs"]),
        (&2.into(), &1.into(), &2.into())
    );
    assert!(beside["score"]["pinball"].as_f64() < beside["champion_score"]["pinball"].as_f64(), "{beside}");
    let page = String::from_utf8(s4cast(folder.path(), &score).stdout).unwrap();
    assert!(page.contains("version 2, shadow") && page.contains("version 1, serves"), "{page}");
    serve("2024-01-16T13:00:00Z..2024-01-18T01:00:00Z");
    assert_eq!(versions(), ["", "serves"]);
    let runs = json(folder.path(), &["runs", "ls", "-c", "daemon.toml", "--json"])["runs"].clone();
    let decided =
        runs.as_array().unwrap().iter().find(|run| run["detail"]["shadow"]["promotion"] == "promoted");
    let decided = decided.unwrap();
    assert_eq!((&decided["stage"], &decided["slot"]), (&"score".into(), &"2024-01-17T05:00:00Z".into()));
    assert_eq!(decided["reasons"][0], "version 2 ran in shadow: promoted");
    // Shadow runs of the 16th at 06, 12 and 18, of the 17th at 00; those of the job go on with version 2.
    assert_eq!(versions_in("out/shadow"), "2222");
    assert!(versions_in("out").ends_with("112222"), "{}", versions_in("out"));
    let latest = s4cast::publish::latest(&folder.path().join("out"), "a").unwrap().unwrap();
    assert_eq!(latest.metadata["model_version"], "2");
}
