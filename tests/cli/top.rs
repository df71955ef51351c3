//! `s4cast top` beside a daemon, after it and without one.

use super::program::{Place, weekly};
use serde_json::Value;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

const CONFIG: &str = r#"schema_version = 1
[daemon]
state = "state"
[source.s]
inputs = "s.csv"
[model.m]
kind = "ridge"
horizon = 3
[sink.o]
path = "out"
[job.often]
source = "s"
model = "m"
sink = "o"
forecast = { every = "1s" }
[job.rare]
source = "s"
model = "m"
sink = "o"
train = { cron = "30 2 * * *", tz = "Europe/Berlin" }
forecast = { cron = "0 3 * * *", tz = "Europe/Berlin" }
score = { cron = "0 5 * * *" }
"#;

/// A daemon that is killed when the test is over.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(place: &Place) -> Daemon {
    place.put("s.csv", weekly(200));
    place.put("daemon.toml", CONFIG);
    let mut command = place.command();
    command.args(["serve", "-c", "daemon.toml"]).stdout(Stdio::null()).stderr(Stdio::null());
    Daemon(command.spawn().unwrap())
}

/// What `top --json` says once something holds.
fn seen(place: &Place, holds: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let run = place.run("top -c daemon.toml --json");
        let document = if run.code == Some(0) { run.json() } else { Value::Null };
        if holds(&document) {
            return document;
        }
        assert!(Instant::now() < deadline, "it never came: {document:#} {}", run.stderr);
        std::thread::yield_now();
    }
}

#[test]
fn a_daemon_is_seen_while_it_works_when_it_stops_and_when_it_is_killed() {
    let place = Place::new();
    let mut daemon = start(&place);
    let outcomes =
        |document: &Value| document["jobs"][0]["stages"][0]["outcomes"].as_array().map_or(0, Vec::len);
    let document = seen(&place, |document| outcomes(document) >= 2 && document["jobs"][1]["champion"] == 1);
    assert_eq!((&document["daemon"], &document["pid"]), (&"running".into(), &daemon.0.id().into()));
    // On a busy machine a slot may meet the one before it.
    assert!(document["jobs"][0]["last"]["outcome"].is_string());
    assert_eq!(document["jobs"][0]["last_ds"], "2024-07-18T00:00:00Z");
    assert_eq!(document["jobs"][1]["stages"].as_array().map(Vec::len), Some(3));
    assert_eq!(place.run("top --state state --check -q").expect(0).stdout, "");
    let page = place.run("top --state state --once").expect(0).stdout;
    for part in ["daemon running, up ", "2 jobs", "often", "── rare ──", "OUTCOMES", "Europe/Berlin"]
    {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(page.lines().all(|line| line.chars().count() <= 120 && !line.contains('\u{1b}')), "{page}");

    // Nothing is left beside the file, and it is small.
    let hidden = std::fs::read_dir(place.path("state")).unwrap();
    let hidden =
        hidden.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with('.'));
    assert!(hidden.count() <= 1);
    assert!(place.read("state/status.json").len() < 4096);

    let pid = daemon.0.id().to_string();
    assert!(std::process::Command::new("kill").arg(&pid).status().unwrap().success());
    assert_eq!(daemon.0.wait().unwrap().code(), Some(0));
    place.run("top --state state --check -q").expect(1);
    let page = place.run("top --state state").expect(0).stdout;
    assert!(page.contains("daemon not running, it stopped "), "{page}");
    assert!(page.contains("2 jobs") && page.contains("not while nobody works it"), "{page}");

    // One that was killed said nothing; its last sign grows old.
    let text = String::from_utf8(place.read("state/status.json")).unwrap().replace("stopped", "running");
    let mut status: Value = serde_json::from_str(&text).unwrap();
    status["written_at"] = "2024-01-01T00:00:00Z".into();
    place.put("state/status.json", status.to_string());
    let lost = place.run("top --state state --json").expect(0).json();
    assert_eq!((&lost["daemon"], &lost["seen_at"]), (&"lost".into(), &"2024-01-01T00:00:00Z".into()));
}

#[test]
fn a_simulation_is_seen_after_it_is_over() {
    let place = Place::new();
    place.put("s.csv", weekly(200));
    place.put("daemon.toml", CONFIG.replace("every = \"1s\"", "every = \"6h\""));
    place.run("serve -c daemon.toml --clock sim:2024-05-01..2024-05-03 --dry-run").expect(0);
    let document = place.run("top -c daemon.toml --json").expect(0).json();
    assert_eq!((&document["daemon"], &document["now"]), (&"stopped".into(), &"2024-05-03T00:00:00Z".into()));
    let outcomes = &document["jobs"][0]["stages"][0]["outcomes"];
    assert_eq!(outcomes.as_array().map(Vec::len), Some(8));
}

#[test]
fn without_a_state_directory_there_is_nothing_to_see() {
    let place = Place::new();
    let run = place.run("top --state nowhere --once").expect(66);
    assert!(run.stderr.contains("nowhere") && run.stderr.contains("s4cast serve"), "{}", run.stderr);
    let refused = place.run("top --state nowhere --json").expect(66).json();
    assert_eq!(refused["error"]["exit_code"], 66);
    std::fs::create_dir(place.path("empty")).unwrap();
    place.run("top --state empty").expect(66);
    place.run("top --state empty --interval never").expect(2);
}
