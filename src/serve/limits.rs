//! What a connection and a peer may take: times, sizes, numbers.

use crate::serve::App;
use crate::serve::problem::Problem;
use crate::serve::spec::{RawServe, ServeSpec};
use axum::body::{Body, HttpBody, to_bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;
use std::time::Duration;

/// The limits of the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long the head of a request may take from its first byte; on a new connection from the beginning.
    pub head: Duration,
    /// Bytes of a head; the parser's buffer, and so at least 8192.
    pub head_bytes: usize,
    /// Bytes of the path and query of a request.
    pub target_bytes: usize,
    /// How long a body may take.
    pub body: Duration,
    /// Bytes of a body.
    pub body_bytes: usize,
    /// How long an answer may take to begin, and how long its bytes may move slower than 16 KiB in that time.
    pub answer: Duration,
    /// How long a connection may be silent between two requests.
    pub idle: Duration,
    /// How long the agreement on keys may take.
    pub handshake: Duration,
    /// Connections at a time. Further ones wait in the queue of the operating system: they take no memory here, and get the next seat.
    pub connections: usize,
    /// Requests per second of one peer, and three times as many at once; 0 sets no limit.
    pub rate: u32,
    /// Wrong tokens per minute of one peer, after which none of its tokens is looked at.
    pub wrong_tokens: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            head: Duration::from_secs(10),
            head_bytes: 16 << 10,
            target_bytes: 8 << 10,
            body: Duration::from_secs(10),
            body_bytes: 64 << 10,
            answer: Duration::from_secs(30),
            idle: Duration::from_secs(60),
            handshake: Duration::from_secs(10),
            connections: RawServe::CONNECTIONS,
            rate: RawServe::RATE_LIMIT,
            wrong_tokens: 20,
        }
    }
}

impl Limits {
    /// Those of an address: some are settings, the others are the same everywhere.
    pub fn of(spec: &ServeSpec) -> Limits {
        Limits { connections: spec.connections(), rate: spec.rate_limit(), ..Limits::default() }
    }
}

/// Refuses a path and query that are too long.
pub(super) async fn short(State(app): State<App>, request: Request, next: Next) -> Result<Response, Problem> {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    let most = app.access.limits().target_bytes;
    match target <= most {
        true => Ok(next.run(request).await),
        false => {
            let detail = format!("path and query have {target} bytes, at most {most} are read");
            Err(Problem::new(StatusCode::URI_TOO_LONG, detail))
        }
    }
}

/// Reads the whole body before anything is done, so that nothing waits for a slow one.
pub(super) async fn whole(State(app): State<App>, request: Request, next: Next) -> Result<Response, Problem> {
    if request.body().is_end_stream() {
        return Ok(next.run(request).await);
    }
    let limits = app.access.limits();
    let most = limits.body_bytes;
    let too_large = || {
        let detail = format!("the body is larger than {most} bytes");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    };
    let (parts, body) = request.into_parts();
    if body.size_hint().lower() > most as u64 {
        return Err(too_large());
    }
    let late = |_| {
        let detail = format!("the body was not there within {} s", limits.body.as_secs());
        Problem::new(StatusCode::REQUEST_TIMEOUT, detail)
    };
    match tokio::time::timeout(limits.body, to_bytes(body, most)).await.map_err(late)? {
        Ok(bytes) => Ok(next.run(Request::from_parts(parts, Body::from(bytes))).await),
        Err(error) if is_too_large(&error) => Err(too_large()),
        Err(_) => Err(Problem::bad("the body broke off or is not framed as it says")),
    }
}

/// Whether a body was given up because of its size.
fn is_too_large(error: &axum::Error) -> bool {
    error.to_string().contains("length limit")
}

/// Gives up on an answer that takes too long.
pub(super) async fn patient(
    State(app): State<App>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let patience = app.access.limits().answer;
    let late = |_| {
        let detail = format!("no answer within {} s", patience.as_secs());
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    };
    tokio::time::timeout(patience, next.run(request)).await.map_err(late)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_that_is_too_large_is_told_from_others() {
        let error = to_bytes(Body::from("abc"), 2).await.expect_err("too large");
        assert!(is_too_large(&error), "{error}");
        assert!(!is_too_large(&axum::Error::new(std::io::Error::other("broke off"))));
    }
}
