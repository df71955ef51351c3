//! Who may ask for what, and how often.
//!
//! Limits count by peer: an IPv4 address, or the 64 bits of an IPv6 address that a network has. Behind a proxy all peers are one.

use crate::serve::App;
use crate::serve::limits::Limits;
use crate::serve::problem::Problem;
use crate::serve::spec::{Reads, ServeSpec, Token};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Requests at once, as a multiple of those per second: a page loads all of its files.
const BURST: u32 = 3;

/// What browsers are told under TLS: not to come without it for a day. No longer, because it holds for every port of the machine.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=86400");

/// Paths that are open to whoever reaches the address; the page itself holds no data.
const OPEN: [&str; 4] = ["/", "/healthz", "/readyz", "/version"];

/// Where the files of the page are, which are open, too.
const OPEN_BELOW: &str = "/assets/";

/// Whom a connection belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Peer(IpAddr);

impl Peer {
    /// The peer at that address.
    pub fn at(address: IpAddr) -> Peer {
        match address.to_canonical() {
            IpAddr::V6(address) if !address.is_loopback() => {
                Peer(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into())
            }
            address => Peer(address),
        }
    }

    /// The peer of a request; requests that came over no connection share one.
    fn of(request: &Request) -> Peer {
        request.extensions().get().copied().unwrap_or(Peer(Ipv6Addr::UNSPECIFIED.into()))
    }
}

/// Who may ask for what, and how often.
pub struct Access {
    token: Option<Token>,
    reads: Reads,
    is_read_only: bool,
    has_tls: bool,
    hosts: Option<Vec<String>>,
    limits: Limits,
    requests: Option<DefaultKeyedRateLimiter<Peer>>,
    wrong_tokens: DefaultKeyedRateLimiter<Peer>,
    /// Until when no token of a peer is looked at.
    barred: Mutex<HashMap<Peer, Instant>>,
}

impl Access {
    /// The rules of an address, with these limits.
    pub fn new(spec: &ServeSpec, limits: Limits) -> Access {
        let per_second = |rate: NonZeroU32| {
            Quota::per_second(rate)
                .allow_burst(rate.saturating_mul(NonZeroU32::MIN.saturating_add(BURST - 1)))
        };
        let wrong = NonZeroU32::new(limits.wrong_tokens).unwrap_or(NonZeroU32::MIN);
        Access {
            token: spec.token().cloned(),
            reads: spec.reads(),
            is_read_only: spec.is_read_only(),
            has_tls: spec.tls().is_some(),
            hosts: spec.checked_hosts(),
            limits,
            requests: NonZeroU32::new(limits.rate).map(|rate| RateLimiter::keyed(per_second(rate))),
            wrong_tokens: RateLimiter::keyed(Quota::per_minute(wrong)),
            barred: Mutex::default(),
        }
    }

    /// The limits.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether whoever shows the token may change something.
    pub(super) fn is_writable(&self) -> bool {
        self.token.is_some() && !self.is_read_only
    }

    /// Whether nobody may change anything.
    pub(super) fn is_read_only(&self) -> bool {
        self.is_read_only
    }

    /// Names by which requests may call this machine; `None` where everybody may call it anything.
    pub(super) fn hosts(&self) -> Option<&[String]> {
        self.hosts.as_deref()
    }

    /// Forgets peers that have not been here for long.
    pub(super) fn sweep(&self) {
        for limiter in self.requests.iter().chain([&self.wrong_tokens]) {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
        let now = Instant::now();
        self.barred().retain(|_, until| *until > now);
    }

    fn barred(&self) -> std::sync::MutexGuard<'_, HashMap<Peer, Instant>> {
        self.barred.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the request shows the token, if there is one.
    fn shown(&self, peer: Peer, headers: &HeaderMap) -> Result<(), Problem> {
        let Some(token) = &self.token else {
            let detail =
                "no token is configured, so nothing can be changed over HTTP; set token under [http]";
            return Err(Problem::new(StatusCode::FORBIDDEN, detail));
        };
        let Some(shown) = bearer(headers) else {
            let detail = "show the token: Authorization: Bearer TOKEN";
            return Err(Problem::new(StatusCode::UNAUTHORIZED, detail));
        };
        let now = Instant::now();
        if let Some(until) = self.barred().get(&peer).filter(|until| **until > now) {
            return Err(too_many("wrong tokens", *until - now));
        }
        // Digests take the same time to compare however much of the token is right.
        if Sha256::digest(shown) == Sha256::digest(token.reveal()) {
            return Ok(());
        }
        tracing::warn!(peer = %peer.0, "a wrong token was shown");
        match self.wrong_tokens.check_key(&peer) {
            Ok(()) => {
                let detail = "the token is wrong; show that of the config: Authorization: Bearer TOKEN";
                Err(Problem::new(StatusCode::UNAUTHORIZED, detail))
            }
            Err(refusal) => {
                let wait = refusal.wait_time_from(DefaultClock::default().now());
                self.barred().insert(peer, now + wait);
                Err(too_many("wrong tokens", wait))
            }
        }
    }
}

/// The token that a request shows.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let shown = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = shown.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

fn too_many(what: &str, wait: Duration) -> Problem {
    let detail = format!("too many {what} from this address; come back in {} s", seconds(wait));
    Problem { retry_after: Some(seconds(wait)), ..Problem::new(StatusCode::TOO_MANY_REQUESTS, detail) }
}

/// Whole seconds after which the time has passed.
fn seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

/// Refuses a peer that asks too often.
pub(super) async fn seldom(
    State(app): State<App>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let limiter = app.access.requests.as_ref();
    match limiter.map(|limiter| limiter.check_key(&Peer::of(&request))) {
        Some(Err(refusal)) => {
            Err(too_many("requests", refusal.wait_time_from(DefaultClock::default().now())))
        }
        _ => Ok(next.run(request).await),
    }
}

/// Lets a request through that may read what it asks for.
pub(super) async fn reads(State(app): State<App>, request: Request, next: Next) -> Result<Response, Problem> {
    let access = &app.access;
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    if is_read && access.reads == Reads::Token && !is_open(request.uri().path()) {
        access.shown(Peer::of(&request), request.headers())?;
    }
    Ok(next.run(request).await)
}

/// Lets a request through that may change something.
pub(super) async fn writes(
    State(app): State<App>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    if app.access.is_read_only {
        let detail = "this daemon changes nothing over HTTP: read_only is set under [http]";
        return Err(Problem::new(StatusCode::FORBIDDEN, detail));
    }
    app.access.shown(Peer::of(&request), request.headers())?;
    Ok(next.run(request).await)
}

fn is_open(path: &str) -> bool {
    OPEN.contains(&path) || path.starts_with(OPEN_BELOW)
}

/// What every answer says to a browser: no cache keeps it unless it has a version, nobody guesses at its type, shows it in a frame of
/// another page, or learns where it was linked from.
pub(super) async fn guarded(State(app): State<App>, mut response: Response) -> Response {
    let headers = response.headers_mut();
    let fixed = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let nothing = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(nothing);
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if app.access.has_tls {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HSTS);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::spec::RawServe;

    fn access(limits: Limits) -> Access {
        let raw = RawServe::at("127.0.0.1:8091".parse().expect("address"));
        let raw = RawServe { token: Token::new("sesame"), ..raw };
        Access::new(&ServeSpec::new(raw).expect("right"), limits)
    }

    fn peer(text: &str) -> Peer {
        Peer::at(text.parse().expect("address"))
    }

    fn headers(authorization: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_static(authorization))])
    }

    #[test]
    fn a_network_is_one_peer_and_loopback_one_too() {
        assert_eq!(peer("2001:db8::1"), peer("2001:db8::ffff:1"));
        assert_ne!(peer("2001:db8::1"), peer("2001:db8:0:1::1"));
        assert_eq!(peer("::ffff:10.0.0.1"), peer("10.0.0.1"));
        assert_ne!(peer("10.0.0.2"), peer("10.0.0.1"));
        assert_ne!(peer("::1"), peer("::2"));
    }

    #[test]
    fn who_shows_wrong_tokens_is_not_listened_to_for_a_while() {
        let access = access(Limits { wrong_tokens: 3, ..Limits::default() });
        let status = |peer: Peer, token| access.shown(peer, &headers(token)).map_err(|p| p.status.as_u16());
        let (one, other) = (peer("10.0.0.1"), peer("10.0.0.2"));
        for _ in 0..3 {
            assert_eq!(status(one, "Bearer wrong"), Err(401));
        }
        assert_eq!(status(one, "Bearer wrong"), Err(429));
        assert_eq!(status(one, "Bearer sesame"), Err(429), "or it would be told when it is right");
        assert_eq!(status(other, "bearer sesame"), Ok(()));
        assert_eq!(access.shown(one, &HeaderMap::new()).map_err(|p| p.status.as_u16()), Err(401));
        access.sweep();
        assert_eq!(status(one, "Bearer sesame"), Err(429));
    }

    #[test]
    fn what_is_no_bearer_token_is_none() {
        for odd in ["Basic c2VzYW1l", "Bearer", "sesame", ""] {
            assert_eq!(bearer(&headers(odd)), None, "{odd}");
        }
        assert_eq!(bearer(&headers("BEARER  sesame ")), Some("sesame"));
    }

    #[test]
    fn waits_are_whole_seconds_and_no_less_than_one() {
        let all = [0, 1, 999, 1000, 1001].map(|ms| seconds(Duration::from_millis(ms)));
        assert_eq!(all, [1, 1, 1, 1, 2]);
    }

    #[test]
    fn paths_are_open_as_they_are_written() {
        for path in ["/", "/healthz", "/readyz", "/version", "/assets/api.js"] {
            assert!(is_open(path), "{path}");
        }
        for path in ["//", "/metrics", "/openapi.json", "/api/v1/jobs", "/healthz/", "/assets", "/Version"] {
            assert!(!is_open(path), "{path}");
        }
    }
}
