//! The daemon as a process: its address, its lock, its end.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const CONFIG: &str = r#"schema_version = 1
[daemon]
state = "state"
[http]
listen = "127.0.0.1:PORT"
token = { env = "S4CAST_TEST_TOKEN" }
[source.s]
inputs = "s.csv"
[model.m]
kind = "ridge"
horizon = 3
[sink.o]
path = "out"
[job.a]
source = "s"
model = "m"
sink = "o"
train = { cron = "30 2 * * *", tz = "Europe/Berlin" }
forecast = { every = "1h" }
score = { cron = "0 5 * * *" }
"#;

/// A daemon that is killed when the test is over.
pub(super) struct Daemon {
    child: Child,
    pub(super) port: u16,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(super) fn s4cast(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_s4cast"));
    command
        .current_dir(folder)
        .args(arguments)
        .env("S4CAST_TEST_TOKEN", "sesame")
        .env_remove("MALLOC_ARENA_MAX");
    command
}

pub(super) fn start(folder: &Path) -> Daemon {
    start_with(folder, "")
}

/// A daemon with further keys under `[http]`.
pub(super) fn start_with(folder: &Path, http: &str) -> Daemon {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let rows: Vec<String> = (0..200)
        .map(|hour| format!("2024-01-{:02}T{:02}:00:00Z,{}", 1 + hour / 24, hour % 24, hour % 24 + hour / 50))
        .collect();
    std::fs::write(folder.join("s.csv"), format!("ds,y\n{}\n", rows.join("\n"))).unwrap();
    std::fs::write(
        folder.join("daemon.toml"),
        CONFIG.replace("PORT", &port.to_string()).replace("[source.s]", &format!("{http}\n[source.s]")),
    )
    .unwrap();
    let mut command = s4cast(folder, &["serve", "-c", "daemon.toml"]);
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let daemon = Daemon { child, port };
    await_(|| daemon.get("/readyz").0 == 200);
    daemon
}

/// Waits for something that comes soon.
pub(super) fn await_(mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < deadline, "it never came");
        std::thread::yield_now();
    }
}

impl Daemon {
    /// Status and whole text of an answer; status 0 where nobody listens.
    fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> (u16, String) {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else { return (0, String::new()) };
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        (status, text)
    }

    /// Status and whole answer, which may be binary.
    fn bytes(&self, path: &str, headers: &str) -> (u16, Vec<u8>) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n")
            .unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let head = String::from_utf8_lossy(&answer[..answer.len().min(20)]).into_owned();
        (head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0), answer)
    }

    pub(super) fn get(&self, path: &str) -> (u16, String) {
        self.ask("GET", path, "", "")
    }

    pub(super) fn post(&self, path: &str, token: &str, body: &str) -> (u16, String) {
        let headers = format!("Authorization: Bearer {token}\r\nContent-Type: application/json\r\n");
        self.ask("POST", path, &headers, body)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_daemon_answers_is_alone_and_ends_well() {
    let folder = tempfile::tempdir().unwrap();
    let mut daemon = start(folder.path());
    for path in ["/healthz", "/version", "/api/v1/jobs", "/api/v1/jobs/a", "/api/v1/runs", "/api/v1/models"] {
        assert_eq!(daemon.get(path).0, 200, "{path}");
    }
    let refusals = [
        ("/nothing", 404),
        ("/api/v1/jobs/b", 404),
        ("/api/v1/runs?outcome=great", 400),
        ("/api/v1/runs?colour=red", 400),
        ("/api/v1/runs/many", 400),
        ("/api/v1/forecasts/b", 404),
    ];
    for (path, status) in refusals {
        let (found, text) = daemon.get(path);
        assert_eq!(found, status, "{path}: {text}");
        assert!(text.contains("application/problem+json"), "{path}: {text}");
    }
    assert_eq!(daemon.ask("DELETE", "/api/v1/jobs", "", "").0, 405);

    let run = r#"{"stage":"forecast","slot":"2024-01-09T00:00:00Z"}"#;
    assert_eq!(daemon.ask("POST", "/api/v1/jobs/a/run", "", run).0, 401);
    assert_eq!(daemon.post("/api/v1/jobs/a/run", "wrong", run).0, 401);
    assert_eq!(daemon.post("/api/v1/jobs/a/run", "sesame", "{}").0, 422);
    assert_eq!(daemon.post("/api/v1/jobs/b/run", "sesame", run).0, 404);
    let (status, text_of) = daemon.post("/api/v1/jobs/a/run", "sesame", &" ".repeat(70_000));
    assert!(status == 413 && text_of.contains("application/problem+json"), "{text_of}");
    let small = "authorization: bearer sesame\r\nContent-Type: application/json\r\n";
    assert_eq!(daemon.ask("POST", "/api/v1/jobs/a/run", small, "{}").0, 422, "schemes have no case");
    let future = r#"{"stage":"forecast","slot":"2999-01-01T00:00:00Z"}"#;
    let (status, refusal) = daemon.post("/api/v1/jobs/a/run", "sesame", future);
    assert!(status == 409 && refusal.contains("has not come yet"), "{refusal}");
    let (status, planned) = daemon.post("/api/v1/jobs/a/run", "sesame", run);
    assert_eq!(status, 202, "{planned}");
    await_(|| daemon.get("/api/v1/forecasts/a").0 == 200);
    for table in ["scores", "anomalies"] {
        let (status, rows) = daemon.get(&format!("/api/v1/{table}/a"));
        assert!(status == 200 && rows.contains(&format!("\"{table}\":[]")), "{rows}");
        assert_eq!(daemon.get(&format!("/api/v1/{table}/nobody")).0, 404);
        assert_eq!(daemon.get(&format!("/api/v1/{table}/a?limit=0")).0, 400);
    }
    let rows_of = |query: &str| {
        let (status, answer) = daemon.get(&format!("/api/v1/forecasts/a?limit=10&{query}"));
        assert_eq!(status, 200, "{answer}");
        answer.matches("\"yhat\":").count()
    };
    // The job has no scenarios: the plain forecast is all there is.
    assert_eq!(["", "scenario=*", "scenario=promo"].map(rows_of), [3, 3, 0]);
    let (_, rows) = daemon.get("/api/v1/forecasts/a?limit=2");
    assert_eq!(rows.matches("\"yhat\":").count(), 2, "{rows}");
    let arrow = "Accept: application/vnd.apache.arrow.stream, */*;q=0.1\r\n";
    let (status, stream) = daemon.bytes("/api/v1/forecasts/a", arrow);
    assert!(
        status == 200 && stream.windows(20).any(|part| part == b"apache.arrow.stream\r"),
        "an Arrow stream"
    );
    assert_eq!(daemon.bytes("/api/v1/forecasts/a?unique_id=nobody", arrow).0, 404);
    await_(|| daemon.get("/api/v1/models/a/1").0 == 200);
    let (_, model) = daemon.get("/api/v1/models/a/1");
    assert!(model.contains("\"cutoff\":\"2024-01-09T07:00:00Z\""), "{model}");
    assert_eq!(daemon.post("/api/v1/reload", "sesame", "").0, 200);
    let (_, metrics) = daemon.get("/metrics");
    assert!(metrics.contains("s4cast_slots_total{job=\"a\""), "{metrics}");

    let second: Output = s4cast(folder.path(), &["serve", "-c", "daemon.toml"]).output().unwrap();
    assert_eq!(second.status.code(), Some(75), "{}", text(&second.stderr));
    let holder = format!("process {}", daemon.child.id());
    assert!(text(&second.stderr).contains(&holder), "{}", text(&second.stderr));

    let asked = s4cast(folder.path(), &["run", "a", "-c", "daemon.toml", "--slot", "2024-01-09T01:00:00Z"])
        .output()
        .unwrap();
    assert!(asked.status.success() && text(&asked.stdout).starts_with("Asked"), "{}", text(&asked.stderr));
    await_(|| {
        daemon
            .get("/api/v1/runs?since=2024-01-09T01:00:00Z&until=2024-01-09T01:00:01Z&outcome=ok")
            .1
            .contains("\"manual\"")
    });

    let pid = daemon.child.id().to_string();
    assert!(Command::new("kill").arg(&pid).status().unwrap().success());
    assert_eq!(daemon.child.wait().unwrap().code(), Some(0));
    let rows = s4cast(folder.path(), &["runs", "ls", "--config", "daemon.toml", "--json"]).output().unwrap();
    let rows = text(&rows.stdout);
    assert!(!rows.contains("\"outcome\": null") && rows.contains("\"bootstrap\""), "{rows}");
}

/// glibc's allocator reads how many heaps there may be at the start of a process: the daemon starts itself again.
#[test]
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn the_heaps_of_a_daemon_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = start(folder.path());
    let environment = std::fs::read(format!("/proc/{}/environ", daemon.child.id())).unwrap();
    let mut variables = environment.split(|byte| *byte == 0).map(text);
    let heaps = variables.find_map(|variable| variable.strip_prefix("MALLOC_ARENA_MAX=").map(str::to_owned));
    assert!(
        heaps.as_ref().is_some_and(|heaps| heaps.parse::<usize>().is_ok_and(|heaps| heaps >= 2)),
        "{heaps:?}"
    );
}

#[test]
fn a_slot_is_worked_without_a_daemon_and_repeated_with_the_same_file() {
    let folder = tempfile::tempdir().unwrap();
    drop(start(folder.path()));
    let work = |arguments: &[&str]| {
        let output = s4cast(folder.path(), arguments).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let slot = ["run", "a", "-c", "daemon.toml", "--slot", "2024-01-09T02:00:00Z", "--json"];
    let first: serde_json::Value = serde_json::from_str(&work(&slot)).unwrap();
    let id = first["id"].to_string();
    let second: serde_json::Value =
        serde_json::from_str(&work(&["runs", "retry", "-c", "daemon.toml", &id, "--json"])).unwrap();
    assert_eq!(first["run_id"], second["run_id"]);
    assert_eq!(first["detail"]["sha256"], second["detail"]["sha256"]);
    let runs = folder.path().join("out/job=a/issued_date=2024-01-09");
    assert_eq!(std::fs::read_dir(runs).unwrap().count(), 1);
    let train =
        ["run", "a", "-c", "daemon.toml", "--stage", "train", "--slot", "2024-01-09T02:00:00Z", "--json"];
    let trained: serde_json::Value = serde_json::from_str(&work(&train)).unwrap();
    let id = trained["id"].to_string();
    let again: serde_json::Value =
        serde_json::from_str(&work(&["runs", "retry", "-c", "daemon.toml", &id, "--json"])).unwrap();
    let version = |row: &serde_json::Value| row["detail"]["model_version"].as_u64().unwrap();
    assert_eq!(version(&again), version(&trained) + 1, "a training that is asked for again trains again");
    let models = folder.path().join("state/models/a");
    for version in std::fs::read_dir(&models).unwrap().map(|entry| entry.unwrap().path()) {
        let weights = version.join("weights.safetensors");
        if weights.is_file() {
            std::fs::write(weights, "damaged").unwrap();
        }
    }
    let damaged: serde_json::Value = serde_json::from_str(&work(&slot)).unwrap();
    assert_eq!(damaged["outcome"], "degraded");
    assert!(damaged["reasons"].to_string().contains("is damaged"), "{damaged}");
    let exported = work(&["runs", "export", "--config", "daemon.toml", "-o", "runs.parquet"]);
    assert!(exported.starts_with("Wrote"), "{exported}");
    let mut future =
        s4cast(folder.path(), &["run", "a", "-c", "daemon.toml", "--slot", "2999-01-01T00:00:00Z"]);
    let future = future.output().unwrap();
    assert_eq!(future.status.code(), Some(2), "{}", text(&future.stderr));
    assert_eq!(
        s4cast(folder.path(), &["run", "b", "-c", "daemon.toml"]).output().unwrap().status.code(),
        Some(2)
    );
}

#[test]
fn the_next_slots_follow_the_clock_of_the_place() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [
        "schedule",
        "next",
        "-n",
        "3",
        "--from",
        "2026-10-24T12:00",
        "--tz",
        "Europe/Berlin",
        "--cron",
        "30 2 * * *",
    ];
    let output = s4cast(folder.path(), &arguments).output().unwrap();
    let want = "2026-10-25T00:30:00Z  Sun 2026-10-25 02:30:00 CEST\n\
                2026-10-26T01:30:00Z  Mon 2026-10-26 02:30:00 CET\n\
                2026-10-27T01:30:00Z  Tue 2026-10-27 02:30:00 CET\n";
    assert_eq!(text(&output.stdout), want, "{}", text(&output.stderr));
}
