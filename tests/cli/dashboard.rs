//! The dashboard of a daemon and the routes that it draws from, over a socket.

use super::service::{Daemon, await_, s4cast, start, start_with};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;

/// Status, head and body of an answer to a request that calls the machine by a name.
fn ask(daemon: &Daemon, host: &str, path: &str, headers: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", daemon.port)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_lowercase(), body.into())
}

/// The JSON of an answer that has to be there.
fn json(daemon: &Daemon, path: &str) -> Value {
    let (status, _, body) = ask(daemon, "localhost", path, "");
    assert_eq!(status, 200, "{path}: {body}");
    serde_json::from_str(&body).unwrap()
}

/// The detail of a refusal, which is a problem document.
fn refusal(daemon: &Daemon, path: &str, wanted: u16) -> String {
    let (status, head, body) = ask(daemon, "localhost", path, "");
    assert_eq!(status, wanted, "{path}: {body}");
    assert!(head.contains("application/problem+json"), "{path}: {head}");
    let problem: Value = serde_json::from_str(&body).unwrap();
    problem["detail"].as_str().unwrap().into()
}

/// Has a slot worked; returns its number.
fn work(daemon: &Daemon, stage: &str, slot: &str) -> i64 {
    let body = format!(r#"{{"stage":"{stage}","slot":"{slot}"}}"#);
    let (status, text) = daemon.post("/api/v1/jobs/a/run", "sesame", &body);
    assert_eq!(status, 202, "{text}");
    let answer: Value = serde_json::from_str(text.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    let id = answer["id"].as_i64().unwrap();
    await_(|| !json(daemon, &format!("/api/v1/runs/{id}"))["outcome"].is_null());
    id
}

#[test]
fn the_page_has_a_policy_and_versions() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = start(folder.path());
    for (path, kind) in [
        ("/", "text/html; charset=utf-8"),
        ("/assets/main.js", "text/javascript; charset=utf-8"),
        ("/assets/app.css", "text/css; charset=utf-8"),
    ] {
        let (status, head, body) = ask(&daemon, "localhost", path, "");
        assert!(status == 200 && !body.is_empty(), "{path}: {head}");
        let wanted = [
            &format!("content-type: {kind}"),
            "cache-control: no-cache",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'; \
             img-src 'self' data:; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'",
        ];
        for line in wanted {
            assert!(head.contains(line), "{path}: {line} is missing in {head}");
        }
        let tag = head.split("etag: ").nth(1).unwrap().lines().next().unwrap();
        let (status, again, body) =
            ask(&daemon, "localhost", path, &format!("If-None-Match: \"x\", {tag}\r\n"));
        assert!(status == 304 && body.is_empty() && again.contains(tag), "{path}: {again}");
        assert_eq!(ask(&daemon, "localhost", path, "If-None-Match: \"x\"\r\n").0, 200);
    }
    assert!(refusal(&daemon, "/assets/nothing.js", 404).contains("nothing.js"));
    refusal(&daemon, "/assets/..%2Fopenapi.json", 404);
    let (_, head, _) = ask(&daemon, "localhost", "/api/v1/overview", "");
    assert!(head.contains("cache-control: no-store"), "{head}");
}

#[test]
fn a_request_by_a_name_that_nobody_gave_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = start_with(folder.path(), "hosts = [\"Forecasts.example.org\"]");
    let port = daemon.port;
    for host in ["localhost", "127.0.0.1", "[::1]", "10.1.2.3", "forecasts.example.org"] {
        for host in [host.to_owned(), format!("{host}:{port}")] {
            assert_eq!(ask(&daemon, &host, "/api/v1/jobs", "").0, 200, "{host}");
        }
    }
    for path in ["/", "/healthz", "/api/v1/jobs", "/nothing"] {
        let (status, head, body) = ask(&daemon, "evil.example.com:80", path, "");
        assert!(status == 421 && head.contains("application/problem+json"), "{path}: {head}");
        assert!(head.contains("nosniff"), "{head}");
        assert!(body.contains("hosts = [\\\"evil.example.com\\\"] under [http]"), "{body}");
    }
}

#[test]
fn what_is_asked_for_wrongly_is_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = start(folder.path());
    for path in [
        "series/b",
        "history/b?unique_id=series",
        "vintages/b?unique_id=series",
        "models/b",
        "backtests/b",
        "anomalies/b?unique_id=series",
    ] {
        let detail = refusal(&daemon, &format!("/api/v1/{path}"), 404);
        assert_eq!(detail, "there is no job 'b'", "{path}");
    }
    for path in [
        "series/a?limit=0",
        "series/a?limit=10001",
        "series/a?words=x",
        "history/a",
        "history/a?unique_id=series&points=0",
        "vintages/a",
        "vintages/a?unique_id=series&runs=201",
        "anomalies/a?id=series",
        "runs/1/log?limit=0",
        "runs/one/log",
    ] {
        refusal(&daemon, &format!("/api/v1/{path}"), 400);
    }
    assert_eq!(refusal(&daemon, "/api/v1/runs/999/log", 404), "there is no run 999");
    assert_eq!(
        refusal(&daemon, "/api/v1/history/a?unique_id=nobody", 404),
        "source 's' has no series 'nobody'"
    );
    assert_eq!(
        refusal(&daemon, "/api/v1/vintages/a?unique_id=series", 404),
        "the job has published nothing yet"
    );
    let nothing = json(&daemon, "/api/v1/series/a");
    assert!(nothing["run_id"].is_null() && nothing["total"] == 0, "{nothing}");
    std::fs::remove_file(folder.path().join("s.csv")).unwrap();
    await_(|| json(&daemon, "/api/v1/history/a?unique_id=series")["total"] == 200);
}

#[test]
fn what_the_dashboard_draws_is_what_the_daemon_did() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = start(folder.path());
    await_(|| json(&daemon, "/api/v1/models/a")["champion"] == 1);
    let first = work(&daemon, "forecast", "2024-01-09T00:00:00Z");
    work(&daemon, "forecast", "2024-01-09T01:00:00Z");

    let vintages = json(&daemon, "/api/v1/vintages/a?unique_id=series");
    let found = vintages["vintages"].as_array().unwrap();
    assert_eq!((found.len(), &vintages["levels"]), (2, &serde_json::json!([80.0, 95.0])));
    // 2024-01-09T01:00:00Z, and the hours after it.
    assert_eq!(found[0]["issued_at_ms"], 1_704_762_000_000_i64);
    assert_eq!(found[0]["cutoff_ms"], 1_704_762_000_000_i64);
    assert_eq!(found[0]["ds"][0], 1_704_765_600_000_i64);
    assert_eq!((found[0]["status"].as_str(), found[0]["model_version"].as_i64()), (Some("ok"), Some(1)));
    assert_eq!(found[1]["issued_at_ms"], 1_704_758_400_000_i64);
    let levels: Vec<_> = found[1]["intervals"].as_array().unwrap().iter().map(|one| &one["level"]).collect();
    assert_eq!(levels, [80.0, 95.0]);
    assert_eq!(found[1]["intervals"][1]["upper"].as_array().unwrap().len(), 3);
    let one = json(&daemon, "/api/v1/vintages/a?unique_id=series&runs=1");
    assert_eq!(one["vintages"].as_array().unwrap().len(), 1);
    let absent = refusal(&daemon, "/api/v1/vintages/a?unique_id=nobody", 404);
    assert_eq!(absent, "none of the newest 2 runs of job 'a' has series \"nobody\"");

    let page = json(&daemon, "/api/v1/series/a?q=SER+ies");
    assert_eq!((&page["total"], &page["matched"]), (&1.into(), &1.into()), "{page}");
    assert_eq!(page["series"], serde_json::json!([{ "unique_id": "series" }]));
    assert_eq!(page["run_id"], found[0]["run_id"]);
    assert_eq!(json(&daemon, "/api/v1/series/a?q=other")["matched"], 0);

    let history = json(&daemon, "/api/v1/history/a?unique_id=series&points=5");
    assert_eq!((&history["total"], &history["tz"]), (&200.into(), &"UTC".into()));
    assert_eq!((history["ds"].as_array().unwrap().len(), &history["frequency"]), (5, &"1h".into()));
    assert_eq!((&history["ds"][4], &history["y"][4]), (&1_704_783_600_000_i64.into(), &10.0.into()));

    let log = json(&daemon, &format!("/api/v1/runs/{first}/log"));
    let lines = log["lines"].as_array().unwrap();
    let messages: Vec<_> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
    assert_eq!((messages[0], messages[messages.len() - 1]), ("slot started", "slot ended"), "{log}");
    assert_eq!((&log["complete"], &lines[0]["level"]), (&true.into(), &"INFO".into()));
    assert_eq!(lines[lines.len() - 1]["fields"]["outcome"], "ok");
    let short = json(&daemon, &format!("/api/v1/runs/{first}/log?limit=1"));
    assert_eq!((&short["lines"][0]["message"], &short["complete"]), (&"slot ended".into(), &false.into()));

    work(&daemon, "score", "2024-01-09T08:00:00Z");
    let overview = json(&daemon, "/api/v1/overview");
    assert!(overview["writable"] == true && overview["ready"] == true, "{overview}");
    let job = &overview["jobs"][0];
    assert_eq!((&job["job"], &job["source"], &job["model"]), (&"a".into(), &"s".into(), &"ridge".into()));
    assert_eq!((&job["horizon"], &job["champion"], &job["series"]), (&3.into(), &1.into(), &1.into()));
    assert_eq!((&job["cutoff"], &job["rows"]), (&"2024-01-09T01:00:00Z".into(), &3.into()));
    assert_eq!(job["stages"].as_array().unwrap().len(), 3);
    assert_eq!(job["last"]["score"]["outcome"], "ok", "{job}");
    assert_eq!(job["last"]["forecast"]["run_id"], found[0]["run_id"]);
    let outcomes = job["outcomes"].as_array().unwrap();
    let ids: Vec<_> = outcomes.iter().map(|one| one["id"].as_i64().unwrap()).collect();
    assert!(ids.len() >= 4 && ids.is_sorted(), "{job}");
    let lag = job["data_lag_s"].as_i64().unwrap();
    assert_eq!(lag, job["forecast_age_s"].as_i64().unwrap(), "the cutoff is the slot");
    let accuracy = &job["accuracy"];
    assert_eq!((&accuracy["points"], &accuracy["runs"]), (&6.into(), &2.into()), "{job}");
    assert!(accuracy["mase"].is_f64() && accuracy["coverage"]["80"].is_f64(), "{accuracy}");
    assert_eq!(accuracy["history"].as_array().unwrap().len(), 2);

    let models = json(&daemon, "/api/v1/models/a");
    assert_eq!((&models["versions"][0]["version"], &models["shadow"]), (&1.into(), &Value::Null));
    assert_eq!(
        (&models["events"][0]["version"], &models["events"][0]["previous"]),
        (&1.into(), &Value::Null)
    );
    let anomalies = json(&daemon, "/api/v1/anomalies/a?unique_id=series");
    assert_eq!(anomalies["anomalies"], serde_json::json!([]));
}

#[test]
fn backtests_beside_the_runs_are_shown_in_figures() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = start(folder.path());
    let empty = json(&daemon, "/api/v1/backtests/a");
    assert_eq!(empty, serde_json::json!({ "job": "a", "files": [] }));
    let beside = folder.path().join("out/backtests/job=a");
    std::fs::create_dir_all(&beside).unwrap();
    let arguments = [
        "backtest",
        "s.csv",
        "--horizon",
        "3",
        "--models",
        "ridge,seasonal_naive,naive",
        "--windows",
        "4",
        "-o",
        "out/backtests/job=a/first.parquet",
        "--json",
    ];
    let output = s4cast(folder.path(), &arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let shown = json(&daemon, "/api/v1/backtests/a");
    let file = &shown["files"][0];
    assert_eq!((&file["file"], &file["rows"]), (&"first.parquet".into(), &36.into()), "{shown}");
    assert_eq!((&file["windows"], &file["horizon"], &file["series"]), (&4.into(), &3.into(), &1.into()));
    assert_eq!((&file["loss"], file["cutoffs"].as_array().unwrap().len()), (&"mase".into(), 4));
    assert_eq!((&file["steps"][2]["step"], file["steps"].as_array().unwrap().len()), (&3.into(), 3));
    let models = file["models"].as_array().unwrap();
    let errors: Vec<f64> = models.iter().map(|model| model["mase"].as_f64().unwrap()).collect();
    assert!(models.len() == 3 && errors.is_sorted(), "{file}");
    for model in models {
        let name = model["model"].as_str().unwrap();
        let scores = &told["models"][name];
        for figure in ["mase", "smape", "wape", "wql", "mae", "skill"] {
            let (own, wanted) = (model[figure].as_f64(), scores[figure].as_f64());
            let is_same = match own.zip(wanted) {
                Some((own, wanted)) => (own - wanted).abs() < 1e-12 * (1.0 + wanted.abs()),
                // Of a series that repeats itself there is no skill.
                None => own == wanted && figure == "skill",
            };
            assert!(is_same, "{name}: {figure} {own:?} {wanted:?}");
        }
        assert!(model["rmsse"].is_null(), "the file has no squared scale");
        assert!(
            model["coverage"]["95"].is_f64() && model["coverage"].as_object().unwrap().len() == 2,
            "{model}"
        );
        assert!(file["cutoffs"][3]["mase"][name].is_f64() && file["steps"][0]["mase"][name].is_f64());
    }

    std::fs::write(beside.join("second.parquet"), "no Parquet at all").unwrap();
    let shown = json(&daemon, "/api/v1/backtests/a");
    let files = shown["files"].as_array().unwrap();
    let broken = files.iter().find(|file| file["file"] == "second.parquet").unwrap();
    assert!(files.len() == 2 && broken["error"].is_string() && broken["models"].is_null(), "{shown}");
}
