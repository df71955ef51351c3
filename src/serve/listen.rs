//! The loop that takes connections, with limits for each of them.
//!
//! Further connections than are allowed wait: none is taken before one is over. Where all are taken, answers end their
//! connections, so that no silent one keeps a seat.

use crate::serve::access::Peer;
use crate::serve::limits::Limits;
use crate::serve::paced::Paced;
use crate::serve::tls::Tls;
use crate::serve::{App, router};
use axum::Router;
use axum::http::{HeaderValue, Request, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

/// How often peers that are gone are forgotten.
const SWEEP: Duration = Duration::from_secs(60);

/// Pause after the operating system gave no connection, for example because this process has too many files open.
const PAUSE: Duration = Duration::from_millis(100);

/// Headers of a request.
const HEADERS_MAX: usize = 64;

/// First byte of a connection that speaks TLS.
const TLS_HANDSHAKE: u8 = 0x16;

/// What somebody reads who speaks plain HTTP where TLS is spoken.
const NOT_PLAIN: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\
    Content-Length: 42\r\n\r\nthis port speaks TLS; write https:// here\n";

/// Answers until `shutdown` is ready, and then what was asked before.
///
/// # Errors
/// None for now: what goes wrong with a connection ends that connection, and what goes wrong with taking one is tried again.
pub async fn run(
    listener: TcpListener,
    app: App,
    tls: Option<Tls>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let access = app.access.clone();
    let limits = *access.limits();
    let seats = Arc::new(Semaphore::new(limits.connections));
    let graceful = GracefulShutdown::new();
    let host = Host { router: router(app), tls, limits, seats: seats.clone() };
    let mut sweeps = interval(SWEEP);
    sweeps.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut shutdown = pin!(shutdown);
    loop {
        if seats.available_permits() == 0 {
            tracing::warn!(connections = limits.connections, "all connections are taken; further ones wait");
        }
        let next = async {
            // The semaphore is never closed.
            let seat = seats.clone().acquire_owned().await.ok();
            (accept(&listener).await, seat)
        };
        let ((stream, peer), seat) = tokio::select! {
            next = next => next,
            () = &mut shutdown => break,
            _ = sweeps.tick() => {
                access.sweep();
                continue;
            }
        };
        tokio::spawn(host.clone().attend(stream, peer, seat, graceful.watcher()));
    }
    drop(listener);
    graceful.shutdown().await;
    Ok(())
}

/// The next connection.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(connection) => return connection,
            Err(error) if is_of_connection(&error) => {}
            Err(error) => {
                tracing::error!(%error, "no connection can be taken");
                sleep(PAUSE).await;
            }
        }
    }
}

/// Whether an error is that of one connection, which ended before it was taken.
fn is_of_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset
    )
}

/// What connections have in common.
#[derive(Clone)]
struct Host {
    router: Router,
    tls: Option<Tls>,
    limits: Limits,
    seats: Arc<Semaphore>,
}

impl Host {
    /// Serves a connection to its end.
    async fn attend(
        self,
        mut stream: TcpStream,
        peer: SocketAddr,
        seat: Option<OwnedSemaphorePermit>,
        watcher: Watcher,
    ) {
        // Without it small answers may wait for the peer's acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
        let is_served = Arc::new(AtomicBool::new(false));
        let outcome = match &self.tls {
            None => {
                let stream = Paced::new(stream, self.limits, is_served.clone());
                self.http(stream, peer, is_served, watcher).await
            }
            Some(tls) => {
                let agreed = async {
                    if !speaks_tls(&mut stream).await? {
                        return Ok(None);
                    }
                    let stream = Paced::new(stream, self.limits, is_served.clone());
                    tls.acceptor().accept(stream).await.map(Some)
                };
                match timeout(self.limits.handshake, agreed).await {
                    Ok(Ok(Some(mut stream))) => {
                        stream.get_mut().0.begin();
                        self.http(stream, peer, is_served, watcher).await
                    }
                    Ok(Ok(None)) => Ok(()),
                    Ok(Err(error)) => Err(error.to_string()),
                    Err(_) => Err("no agreement on keys in time".into()),
                }
            }
        };
        drop(seat);
        if let Err(error) = outcome {
            tracing::debug!(peer = %peer.ip(), %error, "a connection ended early");
        }
    }

    /// Answers the requests of a connection.
    async fn http<S: AsyncRead + AsyncWrite + Unpin + 'static>(
        &self,
        stream: S,
        peer: SocketAddr,
        is_served: Arc<AtomicBool>,
        watcher: Watcher,
    ) -> Result<(), String> {
        let router = TowerToHyperService::new(self.router.clone());
        let (peer, seats) = (Peer::at(peer.ip()), self.seats.clone());
        let service = service_fn(move |mut request: Request<Incoming>| {
            is_served.store(true, Ordering::Relaxed);
            request.extensions_mut().insert(peer);
            let answer = router.call(request);
            let (is_served, seats) = (is_served.clone(), seats.clone());
            async move {
                let mut answer = answer.await;
                is_served.store(false, Ordering::Relaxed);
                if let (Ok(answer), 0) = (&mut answer, seats.available_permits()) {
                    answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                }
                answer
            }
        });
        let mut http = http1::Builder::new();
        // Counts the time between requests in; heads alone are counted by the stream, which cannot tell what TLS sends by itself.
        http.timer(TokioTimer::new()).header_read_timeout(self.limits.idle + self.limits.head);
        // Who says no more may still wait for the answer.
        http.half_close(true);
        http.max_buf_size(self.limits.head_bytes).max_headers(HEADERS_MAX);
        let connection = http.serve_connection(TokioIo::new(stream), service);
        watcher.watch(connection).await.map_err(|error| error.to_string())
    }
}

/// Whether a connection begins as TLS does; one that does not is told so.
async fn speaks_tls(stream: &mut TcpStream) -> io::Result<bool> {
    let mut first = [0];
    if stream.peek(&mut first).await? == 0 || first[0] == TLS_HANDSHAKE {
        return Ok(true);
    }
    // What is not read when a connection is closed takes the answer along.
    let _ = stream.read(&mut [0; 4096]).await?;
    stream.write_all(NOT_PLAIN).await?;
    stream.shutdown().await?;
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refusal_of_plain_http_is_as_long_as_it_says() {
        let text = std::str::from_utf8(NOT_PLAIN).expect("text");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        assert!(head.ends_with(&format!("Content-Length: {}", body.len())), "{head}: {}", body.len());
    }
}
