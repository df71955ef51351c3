//! Who may read, who may write, and how often.

use super::support::{Served, patient, raw};
use s4cast::serve::{Limits, RawServe, Reads};

const RIGHT: &str = "Authorization: Bearer sesame\r\n";
const WRONG: &str = "Authorization: Bearer simsalabim\r\n";

/// Everything that is not a page, and needs the token where reads do.
const GUARDED: [&str; 8] = [
    "/metrics",
    "/openapi.json",
    "/api/v1/jobs",
    "/api/v1/overview",
    "/api/v1/forecasts/a",
    "/api/v1/models",
    "/nothing",
    "//version",
];

#[test]
fn reads_may_need_the_token_and_the_page_never_does() {
    let served = Served::of(RawServe { reads: Some(Reads::Token), ..raw() }, patient());
    for path in ["/", "/healthz", "/readyz", "/version", "/assets/main.js"] {
        let answer = served.get(path, "");
        assert!([200, 503].contains(&answer.status), "{path}: {answer:?}");
    }
    for path in GUARDED {
        let missing = served.get(path, "");
        assert_eq!(missing.status, 401, "{path}");
        assert_eq!(missing.header("www-authenticate"), Some("bearer realm=\"s4cast\""), "{path}");
        assert_eq!(missing.header("content-type"), Some("application/problem+json"), "{path}");
        assert_eq!(served.get(path, WRONG).status, 401, "{path}");
        let right = served.get(path, RIGHT).status;
        assert!(![401, 403, 429].contains(&right), "{path}: {right}");
    }
    let mut client = served.connect();
    client.say("HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut head = [0; 12];
    std::io::Read::read_exact(&mut client.0, &mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 401");
    let open = Served::new(patient());
    assert_eq!(open.get("/metrics", "").status, 200);
    assert_eq!(open.get("/metrics", WRONG).status, 200, "where reads are open nobody looks at tokens");
}

#[test]
fn writes_need_the_token_and_a_read_only_daemon_takes_none() {
    let served = Served::new(patient());
    for path in ["/api/v1/reload", "/api/v1/jobs/a/run", "/api/v1/models/a/promote", "/api/v1/runs/1/retry"] {
        assert_eq!(served.post(path, "", "{}").status, 401, "{path}");
        assert_eq!(served.post(path, WRONG, "{}").status, 401, "{path}");
        assert_ne!(served.post(path, RIGHT, "{}").status, 401, "{path}");
    }
    let read_only = Served::of(RawServe { read_only: true, ..raw() }, patient());
    let refusal = read_only.post("/api/v1/reload", RIGHT, "{}");
    assert!(refusal.status == 403 && refusal.text().contains("read_only"), "{}", refusal.text());
    let tokenless = Served::of(RawServe { token: None, ..raw() }, patient());
    assert_eq!(tokenless.post("/api/v1/reload", RIGHT, "{}").status, 403);
}

#[test]
fn wrong_tokens_are_counted_and_after_too_many_of_them_none_is_looked_at() {
    let served = Served::new(Limits { wrong_tokens: 5, ..patient() });
    for _ in 0..5 {
        assert_eq!(served.post("/api/v1/reload", WRONG, "{}").status, 401);
    }
    for token in [WRONG, RIGHT] {
        let answer = served.post("/api/v1/reload", token, "{}");
        assert_eq!(answer.status, 429, "{token}");
        let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=60).contains(&wait), "{wait}");
    }
    assert_eq!(served.get("/api/v1/jobs", "").status, 200, "what needs no token goes on");
}

#[test]
fn who_asks_too_often_is_told_when_to_come_back() {
    // One a second and three at once; a machine that takes a second for four requests refuses one later.
    let served = Served::new(Limits { rate: 1, ..patient() });
    let refusal = (0..1000).map(|_| served.get("/version", "")).find(|answer| answer.status != 200).unwrap();
    assert_eq!(refusal.status, 429);
    assert_eq!(refusal.header("retry-after"), Some("1"));
    let free = Served::new(Limits { rate: 0, ..patient() });
    assert!((0..400).all(|_| free.get("/version", "").status == 200));
}

#[test]
fn every_answer_tells_browsers_to_be_careful() {
    let served = Served::new(patient());
    for path in ["/", "/assets/main.js", "/version", "/api/v1/jobs", "/nothing"] {
        let answer = served.get(path, "");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("x-frame-options"), Some("deny"), "{path}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{path}");
        let policy = answer.header("content-security-policy").unwrap();
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("strict-transport-security"), None, "{path}: without TLS it means nothing");
        assert!(answer.header("cache-control").is_some(), "{path}");
    }
}

#[test]
fn no_path_leads_out() {
    let served = Served::new(patient());
    let secret = served.folder.path().join("secret.json");
    std::fs::write(&secret, "the secret").unwrap();
    let outs = [
        "..",
        "../secret",
        "../../secret.json",
        "..%2f..%2fsecret.json",
        "%2e%2e",
        "%2e%2e%2f%2e%2e%2fsecret.json",
        "..%5c..%5csecret.json",
        "%00",
        "secret.json%00",
        "%2fetc%2fpasswd",
        "%252e%252e%252fsecret",
        "....//....//secret.json",
    ];
    let absolute = secret.display().to_string().replace('/', "%2f");
    let places = [
        "/assets/OUT",
        "/api/v1/jobs/OUT",
        "/api/v1/models/OUT",
        "/api/v1/models?job=OUT",
        "/api/v1/models/OUT/1",
        "/api/v1/models/a/OUT",
        "/api/v1/forecasts/OUT",
        "/api/v1/scores/OUT",
        "/api/v1/anomalies/OUT",
        "/api/v1/series/OUT",
        "/api/v1/history/OUT?unique_id=a",
        "/api/v1/vintages/OUT?unique_id=a",
        "/api/v1/backtests/OUT",
        "/api/v1/runs/OUT",
        "/api/v1/runs/OUT/log",
    ];
    for place in places {
        for out in outs.iter().copied().chain([absolute.as_str()]) {
            let path = place.replace("OUT", out);
            let answer = served.get(&path, "");
            assert!((400..500).contains(&answer.status), "{path}: {answer:?}");
            assert!(!answer.text().contains("the secret"), "{path}");
        }
    }
    for out in outs.iter().copied().chain([absolute.as_str()]) {
        for (place, body) in
            [("/api/v1/models/OUT/promote", r#"{"version":1}"#), ("/api/v1/models/OUT/rollback", "{}")]
        {
            let path = place.replace("OUT", out);
            let answer = served.post(&path, RIGHT, body);
            assert!((400..500).contains(&answer.status), "{path}: {answer:?}");
        }
    }
    let left: Vec<_> =
        std::fs::read_dir(served.folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| name == "secret.json" || name == "state"), "{left:?}");
}
