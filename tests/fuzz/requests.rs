//! Requests as bytes to the daemon's router, over a connection in memory.

use super::mutate::{self, Dice};
use super::world::World;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use s4cast::schedule::command::{Reply, Request};
use s4cast::serve;
use std::path::Path;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

/// Bytes of an answer that are read; none of what this daemon has is longer.
const ANSWER_MAX: u64 = 8 << 20;

const READS: &[&str] = &[
    "/",
    "/assets/main.js",
    "/healthz",
    "/readyz",
    "/metrics",
    "/version",
    "/openapi.json",
    "/api/v1/jobs",
    "/api/v1/jobs/load",
    "/api/v1/runs?job=load&stage=forecast&outcome=ok&since=2024-01-01T00:00:00Z&until=2024-02-01T00:00:00Z&limit=5&offset=1",
    "/api/v1/runs/1",
    "/api/v1/runs/1/log?limit=10",
    "/api/v1/models?job=load",
    "/api/v1/models/load",
    "/api/v1/models/load/1",
    "/api/v1/overview",
    "/api/v1/series/load?q=s0&limit=2&offset=0",
    "/api/v1/history/load?unique_id=s0&points=20",
    "/api/v1/vintages/load?unique_id=s1&runs=3",
    "/api/v1/backtests/load",
    "/api/v1/forecasts/load?unique_id=s0&scenario=*&limit=4&offset=1",
    "/api/v1/scores/load?limit=10&offset=0",
    "/api/v1/anomalies/other?limit=10",
];

const WRITES: &[(&str, &str)] = &[
    ("/api/v1/jobs/load/run", "{\"stage\":\"forecast\",\"slot\":\"2024-01-03T12:00:00Z\"}"),
    ("/api/v1/runs/1/retry", ""),
    ("/api/v1/models/load/promote", "{\"version\":1}"),
    ("/api/v1/models/load/rollback", ""),
    ("/api/v1/reload", ""),
];

pub const WORDS: &[&str] = &[
    " ",
    "\r\n",
    "\r\n\r\n",
    "\n",
    ":",
    "/",
    "?",
    "&",
    "=",
    "%",
    "%00",
    "%2e%2e%2f",
    "%ff",
    "%F0%9F",
    "*",
    "#",
    ";",
    "//",
    "/../",
    "GET ",
    "POST ",
    "HEAD ",
    "OPTIONS ",
    "PUT ",
    "CONNECT ",
    "HTTP/1.1",
    "HTTP/1.0",
    "HTTP/2.0",
    "Host: localhost\r\n",
    "Host: evil.example.org\r\n",
    "Content-Length: 5\r\n",
    "Content-Length: 18446744073709551615\r\n",
    "Content-Length: -1\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Connection: close\r\n",
    "Connection: upgrade\r\nUpgrade: h2c\r\n",
    "Expect: 100-continue\r\n",
    "Accept: application/vnd.apache.arrow.stream\r\n",
    "Accept: text/csv\r\n",
    "If-None-Match: *\r\n",
    "Authorization: Bearer sesame\r\n",
    "Authorization: Bearer \r\n",
    "Authorization: Basic c2VzYW1l\r\n",
    "Content-Type: application/json\r\n",
    "Content-Type: text/plain\r\n",
    "Range: bytes=0-\r\n",
    "Cookie: a=b\r\n",
    "5\r\n12345\r\n0\r\n\r\n",
    "ffffffffffffffff\r\n",
    "0\r\n\r\n",
    "unique_id",
    "s0",
    "limit=10000",
    "limit=18446744073709551615",
    "offset=4294967295",
    "points=0",
    "runs=-1",
    "version",
    "job=load",
    "stage=",
    "outcome=",
    "since=9999-12-31T23:59:59Z",
    "until=-009999-01-01T00:00:00Z",
    "load",
    "other",
    "9223372036854775807",
    "{\"stage\":\"train\"}",
    "[",
    "{",
    "\"",
    "[[[[[[[[",
    "null",
    "1e999",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
];

/// Requests to every route.
pub fn good() -> Vec<Vec<u8>> {
    let head = "Host: localhost\r\nUser-Agent: fuzz\r\nConnection: close\r\n";
    let arrow = "Accept: application/vnd.apache.arrow.stream\r\n";
    let mut requests: Vec<String> =
        READS.iter().map(|path| format!("GET {path} HTTP/1.1\r\n{head}\r\n")).collect();
    requests.push(format!("GET /api/v1/forecasts/load HTTP/1.1\r\n{head}{arrow}\r\n"));
    let bearer = "Authorization: Bearer sesame\r\nContent-Type: application/json\r\n";
    for (path, body) in WRITES {
        let length = body.len();
        requests
            .push(format!("POST {path} HTTP/1.1\r\n{head}{bearer}Content-Length: {length}\r\n\r\n{body}"));
        requests.push(format!(
            "POST {path} HTTP/1.1\r\n{head}{bearer}Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\n\r\n"
        ));
    }
    let two = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    requests.push(two("/healthz") + &two("/api/v1/jobs") + &two("/nothing"));
    requests.into_iter().map(String::into_bytes).collect()
}

/// The daemon's router and a runtime to serve it on.
pub struct Server {
    runtime: Runtime,
    world: World,
    requests: mpsc::Sender<Request>,
}

impl Server {
    /// A daemon in a folder, whose loop refuses whatever it is asked for.
    pub fn new(folder: &Path) -> Server {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (sender, mut requests) = mpsc::channel::<Request>(4);
        runtime.spawn(async move {
            while let Some(request) = requests.recv().await {
                let _ = request.reply.send(Reply::Refused("this loop does nothing".into()));
            }
        });
        Server { runtime, world: World::new(folder), requests: sender }
    }

    /// Sends bytes and reads what comes back; whether the first answer was a good one.
    ///
    /// # Panics
    /// If the server has an error of its own, or the answer is no HTTP.
    pub fn ask(&self, bytes: &[u8]) -> bool {
        // Anew each time, because whoever shows wrong tokens is not heard for a while.
        let router: Router = serve::router(self.world.app(self.requests.clone()));
        let answer = self.runtime.block_on(async {
            let (client, server) = tokio::io::duplex(16 << 10);
            let service = TowerToHyperService::new(router);
            let connection =
                http1::Builder::new().half_close(true).serve_connection(TokioIo::new(server), service);
            let (mut reader, mut writer) = tokio::io::split(client);
            let mut answer = Vec::new();
            let write = async {
                let _ = writer.write_all(bytes).await;
                let _ = writer.shutdown().await;
            };
            let read = async {
                let _ = (&mut reader).take(ANSWER_MAX).read_to_end(&mut answer).await;
            };
            // A connection that ends with an error has refused what is no request.
            let (_, (), ()) = tokio::join!(connection, write, read);
            answer
        });
        let head = String::from_utf8_lossy(&answer[..answer.len().min(200)]).into_owned();
        assert!(answer.is_empty() || head.starts_with("HTTP/1."), "no answer of HTTP: {head}");
        assert!(!head.contains(" 500 "), "{}", String::from_utf8_lossy(&answer[..answer.len().min(600)]));
        head.split(' ').nth(1).is_some_and(|status| status.starts_with('2'))
    }
}

/// A request changed, now and then with another one behind it.
pub fn mutated(dice: &mut Dice, good: &[Vec<u8>]) -> Vec<u8> {
    let at = dice.below(good.len());
    let one = mutate::text(dice, &good[at], WORDS, good);
    match dice.one_in(6) {
        true => [one, good[dice.below(good.len())].clone()].concat(),
        false => one,
    }
}
