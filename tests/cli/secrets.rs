//! No secret is in anything that a daemon writes: state, runs, log, answers, errors.

use super::program::{Place, weekly};
use super::service::await_;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

const TOKEN: &str = "tok-5f0e9c1a77d2";
const PASSWORD: &str = "pw-93bb1d02c4e8";
const STORE: &str = "aws-7c1de0aa52f9";

/// Files that hold secrets because the test put them there.
const OWN: [&str; 4] = ["signing.pem", "tls.key", "token", "d.toml"];

const CONFIG: &str = r#"schema_version = 1
[daemon]
state = "state"
signing_key = { file = "signing.pem" }
[http]
listen = "127.0.0.1:PORT"
token = { file = "token" }
TLS
[source.s]
exec = ["sh", "-c", "echo token $S4CAST_TOKEN. >&2; cat s.csv", "sh", "--password", "pw-93bb1d02c4e8"]
[source.broken]
exec = ["sh", "-c", "echo password=pw-93bb1d02c4e8 and $S4CAST_TOKEN >&2; exit 3", "sh", "--password", "pw-93bb1d02c4e8"]
[model.m]
kind = "ridge"
horizon = 3
[sink.o]
path = "out"
[job.good]
source = "s"
model = "m"
sink = "o"
train = { cron = "0 3 * * *" }
forecast = { cron = "0 4 * * *", attempts = 1 }
[job.bad]
source = "broken"
model = "m"
sink = "o"
forecast = { cron = "0 4 * * *", attempts = 1 }
"#;

/// A daemon that is killed when the test is over.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found
}

fn ask(port: u16, head: &str, body: &str) -> String {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return String::new() };
    let length = body.len();
    let _ = write!(
        stream,
        "{head} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {TOKEN}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    let mut text = String::new();
    let _ = stream.read_to_string(&mut text);
    text
}

/// What a daemon leaves, with its answers, whether its log is JSON, and lines under `[http]`.
fn looked_through(log_format: &str, tls: bool) {
    let place = Place::new();
    let key = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    place.put("tls.crt", key.cert.pem());
    place.put("tls.key", key.signing_key.serialize_pem());
    place.put("token", format!("{TOKEN}\n"));
    place.put("s.csv", weekly(60));
    place.run("models key -o signing.pem").expect(0);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let certificates = if tls { "tls = { cert = \"tls.crt\", key = \"tls.key\" }" } else { "" };
    place.put("d.toml", CONFIG.replace("PORT", &port.to_string()).replace("TLS", certificates));
    let environment = [("S4CAST_TOKEN", TOKEN), ("AWS_SECRET_ACCESS_KEY", STORE), ("PATH", "/usr/bin:/bin")];
    let mut answers = String::new();
    let said = |arguments: &str| {
        let mut command = place.command();
        command.envs(environment).args(arguments.split(' '));
        let output = command.output().unwrap();
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    };
    let log = std::fs::File::create(place.path("log")).unwrap();
    let mut command = place.command();
    command.envs(environment).env("S4CAST_LOG", "debug");
    command.args(["serve", "-c", "d.toml", "--log-format", log_format]);
    let child = command.stdout(log.try_clone().unwrap()).stderr(log).stdin(Stdio::null()).spawn().unwrap();
    let daemon = Killed(child);
    let logged = || String::from_utf8_lossy(&place.read("log")).into_owned();
    await_(|| logged().contains("listening"));
    match tls {
        true => answers.push_str(&ask(port, "GET /version", "")),
        false => {
            await_(|| ask(port, "GET /readyz", "").contains("ready"));
            for job in ["good", "bad"] {
                ask(port, &format!("POST /api/v1/jobs/{job}/run"), r#"{"stage":"forecast"}"#);
            }
            ask(port, "POST /api/v1/jobs/good/run", r#"{"stage":"train"}"#);
            await_(|| {
                let runs = ask(port, "GET /api/v1/runs", "");
                runs.matches("\"outcome\":\"").count() >= 3
            });
            let places = [
                "runs",
                "jobs",
                "overview",
                "models",
                "models/good",
                "runs/1/log",
                "runs/2/log",
                "runs/3/log",
            ];
            for path in places {
                answers.push_str(&ask(port, &format!("GET /api/v1/{path}"), ""));
            }
            answers.push_str(&ask(port, "GET /metrics", ""));
            answers.push_str(&ask(port, "GET /api/v1/jobs HTTP/1.1\r\nX-Odd: ", ""));
        }
    }
    drop(daemon);
    for arguments in
        ["validate -c d.toml", "validate --json -c d.toml", "runs ls -c d.toml --json", "run bad -c d.toml"]
    {
        answers.push_str(&said(arguments));
    }
    place.put(
        "broken.toml",
        format!("{}\nnonsense = [", CONFIG.replace("TLS", &format!("token = \"{TOKEN}\""))),
    );
    answers.push_str(&said("validate -c broken.toml"));
    place.put("broken.toml", "");
    place.put("answers", &answers);

    let inner = |name: &str| {
        let text = String::from_utf8(place.read(name)).unwrap();
        text.lines()
            .filter(|line| !line.starts_with("-----") && line.len() > 8)
            .map(String::from)
            .collect::<Vec<_>>()
    };
    let mut secrets: Vec<String> = [TOKEN, PASSWORD, STORE].map(String::from).into();
    secrets.extend(inner("tls.key"));
    secrets.extend(inner("signing.pem"));
    assert!(secrets.len() >= 5, "{secrets:?}");
    let mut looked_at = 0;
    for path in files(&place.path("")) {
        if OWN.iter().any(|own| path == place.path(own)) {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        looked_at += 1;
        for secret in &secrets {
            let found = bytes.windows(secret.len()).position(|window| window == secret.as_bytes());
            if let Some(at) = found {
                let around = &bytes[at.saturating_sub(200)..(at + secret.len()).min(bytes.len())];
                panic!("{} holds '{secret}': {}", path.display(), String::from_utf8_lossy(around));
            }
        }
    }
    assert!(looked_at > 5, "{looked_at} files");
    if !tls {
        assert!(logged().contains("****"), "the command was logged, masked: {}", logged());
    }
}

#[test]
fn no_secret_is_in_what_a_daemon_writes() {
    looked_through("text", false);
}

#[test]
fn no_secret_is_in_a_log_of_json() {
    looked_through("json", false);
}

#[test]
fn no_key_of_a_certificate_is_in_what_a_daemon_writes() {
    looked_through("json", true);
}
