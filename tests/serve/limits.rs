//! Clients that are slow, large, many, or no clients at all.

use super::support::{NEVER, SOON, Served, VERSION, patient};
use s4cast::serve::Limits;

const TOKEN: &str = "Authorization: Bearer sesame\r\n";

#[test]
fn a_head_that_trickles_in_ends_the_connection_and_takes_nobody_elses_place() {
    let served = Served::new(Limits { head: SOON, connections: 1, ..patient() });
    let mut slow = served.connect();
    slow.say("GET /version HTTP/1.1\r\nX-Slow: ");
    while slow.say("x") {
        std::thread::sleep(SOON / 8);
    }
    assert_eq!(served.ask(VERSION).status, 200, "its seat is free");
    assert!(served.connect().ends(), "who says nothing is not waited for");
}

#[test]
fn a_connection_may_rest_between_two_requests_but_not_for_ever() {
    let served = Served::new(Limits { head: SOON, ..patient() });
    let mut client = served.connect();
    client.say(VERSION);
    assert_eq!(client.answer().unwrap().status, 200);
    assert!(client.is_silent(), "longer than a head may take");
    client.say(VERSION);
    assert_eq!(client.answer().unwrap().status, 200);
    let served = Served::new(Limits { idle: SOON, ..patient() });
    let mut client = served.connect();
    client.say(VERSION);
    assert_eq!(client.answer().unwrap().status, 200);
    assert!(client.ends());
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for() {
    let served = Served::new(Limits { body: SOON, ..patient() });
    let mut client = served.connect();
    client.say(format!(
        "POST /api/v1/reload HTTP/1.1\r\nHost: localhost\r\n{TOKEN}Content-Length: 10\r\n\r\n{{}}"
    ));
    let answer = client.answer().unwrap();
    assert_eq!(answer.status, 408, "{}", answer.text());
    assert!(client.ends(), "what would still come is nothing that could be understood");
}

#[test]
fn a_body_that_is_too_large_is_refused_before_it_comes() {
    let served = Served::new(patient());
    let mut client = served.connect();
    client.say(format!(
        "POST /api/v1/reload HTTP/1.1\r\nHost: localhost\r\n{TOKEN}Content-Length: 99999999\r\n\r\n"
    ));
    assert_eq!(client.answer().unwrap().status, 413);
    let mut client = served.connect();
    client.say(format!(
        "POST /api/v1/reload HTTP/1.1\r\nHost: localhost\r\n{TOKEN}Transfer-Encoding: chunked\r\n\r\n"
    ));
    let chunk = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
    for _ in 0..5 {
        client.say(&chunk);
    }
    assert_eq!(client.answer().unwrap().status, 413, "however it is framed");
    let broken = served.ask(format!(
        "POST /api/v1/reload HTTP/1.1\r\nHost: localhost\r\n{TOKEN}Transfer-Encoding: chunked\r\n\r\nzz\r\n"
    ));
    assert_eq!(broken.status, 400);
}

#[test]
fn a_body_without_the_token_is_not_read() {
    let served = Served::new(patient());
    let mut client = served.connect();
    client.say("POST /api/v1/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.answer().unwrap().status, 401, "and not 100");
}

#[test]
fn heads_have_a_size() {
    let served = Served::new(patient());
    let long = "x".repeat(9 << 10);
    let target = served.get(&format!("/version?{long}"), "");
    assert_eq!(target.status, 414);
    assert!(target.text().contains("at most 8192"), "{}", target.text());
    assert_eq!(served.get("/version", &format!("X-Long: {long}\r\n")).status, 200);
    let mut client = served.connect();
    client.say(format!("GET /version HTTP/1.1\r\nX-Long: {}", "x".repeat(20 << 10)));
    assert_eq!(client.answer().unwrap().status, 431);
    assert_eq!(served.get("/version", &"X-Many: 1\r\n".repeat(70)).status, 431);
}

#[test]
fn further_connections_wait_for_a_seat() {
    let served = Served::new(Limits { connections: 2, ..patient() });
    let (first, _second) = (served.connect(), served.connect());
    let mut third = served.connect();
    third.say(VERSION);
    assert!(third.is_silent());
    drop(first);
    let answer = third.answer().unwrap();
    assert_eq!(
        (answer.status, answer.header("connection")),
        (200, Some("close")),
        "no seat is kept by silence"
    );
    assert!(third.ends());
}

#[test]
fn requests_that_come_at_once_are_answered_in_order() {
    let served = Served::new(patient());
    let mut client = served.connect();
    let other = VERSION.replace("version", "nothing");
    client.say(format!("{VERSION}{other}{VERSION}"));
    let statuses = [(); 3].map(|()| client.answer().unwrap().status);
    assert_eq!(statuses, [200, 404, 200]);
}

#[test]
fn who_says_no_more_is_still_answered() {
    let served = Served::new(patient());
    let mut client = served.connect();
    client.say(VERSION);
    client.0.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(client.answer().unwrap().status, 200);
    assert!(client.ends());
}

#[test]
fn what_is_no_http_is_refused_and_harms_nobody() {
    let served = Served::new(Limits { head: SOON, idle: NEVER, ..patient() });
    let odd: [&[u8]; 7] = [
        b"\x00\x01\x02\xff\xfe\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /version HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"GET /version HTTP/1.1\r\nHost : x\r\n\r\n",
    ];
    for bytes in odd {
        let mut client = served.connect();
        client.say(bytes);
        let answer = client.answer();
        assert!(answer.is_none_or(|answer| answer.status >= 400), "{bytes:?}");
    }
    assert_eq!(served.ask(VERSION).status, 200);
}

#[test]
fn two_lengths_of_one_body_are_none() {
    let served = Served::new(patient());
    let mut client = served.connect();
    client.say(format!(
        "POST /api/v1/reload HTTP/1.1\r\nHost: localhost\r\n{TOKEN}Content-Length: 2\r\nContent-Length: 60\r\n\r\n{{}}{VERSION}"
    ));
    assert_eq!(client.answer().unwrap().status, 400);
    assert!(client.ends(), "what follows is no request of anybody");
}

#[test]
fn a_stop_ends_what_is_silent() {
    let mut served = Served::new(patient());
    let mut client = served.connect();
    client.say(VERSION);
    assert_eq!(client.answer().unwrap().status, 200);
    served.stop();
    assert!(client.ends());
}
