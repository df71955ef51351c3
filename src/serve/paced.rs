//! A connection that does not wait for ever: neither for the head of a request, nor between requests, nor for a reader.
//!
//! hyper has a limit for heads alone, which counts the time between requests in. Here a head counts from its first byte, and
//! what is written has to move.

use crate::serve::limits::Limits;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// Bytes that an answer has to move within the limit of answers.
const PACE: usize = 16 << 10;

/// Bytes in both directions, within limits.
pub(super) struct Paced<S> {
    inner: S,
    limits: Limits,
    /// Whether a request is being worked on; that has limits of its own.
    is_served: Arc<AtomicBool>,
    /// Whether it was when somebody last waited for bytes.
    was_served: bool,
    /// Whether a head has begun to come.
    is_in_head: bool,
    /// Until when the next bytes, or the rest of a head, have to be there.
    read_until: Pin<Box<Sleep>>,
    /// Until when the peer has to have taken [`PACE`] bytes; `None` where it takes them at once.
    taken_until: Option<Pin<Box<Sleep>>>,
    /// Bytes that it took meanwhile.
    taken: usize,
}

impl<S> Paced<S> {
    /// A connection that has just begun; `is_served` is true while a request of it is being worked on.
    pub fn new(inner: S, limits: Limits, is_served: Arc<AtomicBool>) -> Paced<S> {
        Paced {
            inner,
            limits,
            is_served,
            was_served: false,
            is_in_head: true,
            read_until: Box::pin(sleep(limits.head)),
            taken_until: None,
            taken: 0,
        }
    }

    /// The first head begins now: keys are agreed on.
    pub fn begin(&mut self) {
        self.is_in_head = true;
        self.within(self.limits.head);
    }

    fn within(&mut self, limit: Duration) {
        self.read_until.as_mut().reset(Instant::now() + limit);
    }

    /// What is read from here on belongs to another request.
    fn rest(&mut self) {
        self.is_in_head = false;
        self.within(self.limits.idle);
    }

    fn heard(&mut self) {
        if self.is_served.load(Ordering::Relaxed) {
            self.was_served = true;
        } else if !self.is_in_head {
            self.is_in_head = true;
            self.within(self.limits.head);
        }
    }

    fn sent(&mut self, bytes: usize) {
        self.taken += bytes;
        if self.taken >= PACE {
            self.settle();
        }
        self.rest();
    }

    fn settle(&mut self) {
        self.taken = 0;
        self.taken_until = None;
    }

    /// The peer takes nothing now.
    fn stalled<T>(&mut self, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        let limit = self.limits.answer;
        let until = self.taken_until.get_or_insert_with(|| Box::pin(sleep(limit)));
        ready!(until.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(ErrorKind::TimedOut, "the peer takes its answer too slowly")))
    }

    fn written(
        &mut self,
        outcome: Poll<io::Result<usize>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        match outcome {
            Poll::Pending => self.stalled(context),
            Poll::Ready(Ok(bytes)) => {
                self.sent(bytes);
                Poll::Ready(Ok(bytes))
            }
            failed => failed,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut self.inner).poll_read(context, buffer);
        if outcome.is_ready() {
            if buffer.filled().len() > before {
                self.heard();
            }
            return outcome;
        }
        if self.is_served.load(Ordering::Relaxed) {
            self.was_served = true;
            return Poll::Pending;
        }
        if std::mem::take(&mut self.was_served) {
            self.rest();
        }
        ready!(self.read_until.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(ErrorKind::TimedOut, "no request came in time")))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.written(outcome, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.inner).poll_write_vectored(context, slices);
        self.written(outcome, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.inner).poll_flush(context);
        if outcome.is_ready() {
            self.settle();
        }
        outcome
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::time::timeout;

    const SOON: Duration = Duration::from_millis(40);
    const NEVER: Duration = Duration::from_secs(3600);

    /// A connection over which 64 bytes are on their way at most, and its other end.
    fn pair(limits: Limits) -> (Paced<DuplexStream>, DuplexStream, Arc<AtomicBool>) {
        let (ours, theirs) = duplex(64);
        let is_served = Arc::new(AtomicBool::new(false));
        (Paced::new(ours, limits, is_served.clone()), theirs, is_served)
    }

    async fn runs_out<T>(what: impl Future<Output = io::Result<T>>) {
        assert_eq!(what.await.err().map(|error| error.kind()), Some(ErrorKind::TimedOut));
    }

    #[tokio::test]
    async fn a_head_counts_from_its_first_byte_whatever_trickles_in() {
        let (mut paced, mut peer, _) = pair(Limits { head: SOON, idle: NEVER, ..Limits::default() });
        let trickle = tokio::spawn(async move {
            while peer.write_all(b"x").await.is_ok() {
                sleep(SOON / 8).await;
            }
        });
        runs_out(paced.read_to_end(&mut Vec::new())).await;
        drop(paced);
        trickle.await.expect("ends");
    }

    #[tokio::test]
    async fn an_answered_connection_may_rest_longer_than_a_head_may_take() {
        let (mut paced, mut peer, is_served) = pair(Limits { head: SOON, idle: NEVER, ..Limits::default() });
        peer.write_all(b"GET").await.expect("room");
        let mut heard = [0; 8];
        assert_eq!(paced.read(&mut heard).await.expect("bytes"), 3);
        is_served.store(true, Ordering::Relaxed);
        assert!(timeout(SOON * 3, paced.read(&mut heard)).await.is_err(), "work has a limit of its own");
        is_served.store(false, Ordering::Relaxed);
        paced.write_all(b"ok").await.expect("room");
        assert!(timeout(SOON * 3, paced.read(&mut heard)).await.is_err(), "nothing has begun");
        peer.write_all(b"G").await.expect("room");
        assert_eq!(paced.read(&mut heard).await.expect("a byte"), 1);
        runs_out(paced.read(&mut heard)).await;
    }

    #[tokio::test]
    async fn a_silent_connection_ends() {
        let (mut paced, _peer, _) = pair(Limits { head: NEVER, idle: SOON, ..Limits::default() });
        paced.write_all(b"ok").await.expect("room");
        runs_out(paced.read(&mut [0; 8])).await;
    }

    #[tokio::test]
    async fn who_takes_an_answer_too_slowly_loses_it() {
        let (mut paced, mut peer, _) = pair(Limits { answer: SOON, ..Limits::default() });
        let slow = tokio::spawn(async move {
            let mut one = [0];
            while peer.read_exact(&mut one).await.is_ok() {
                sleep(SOON / 8).await;
            }
        });
        runs_out(paced.write_all(&[0; 40 << 10])).await;
        drop(paced);
        slow.await.expect("ends");
    }

    #[tokio::test]
    async fn what_moves_arrives() {
        let (mut paced, mut peer, _) = pair(Limits::default());
        let reader = tokio::spawn(async move {
            let mut all = Vec::new();
            peer.read_to_end(&mut all).await.map(|_| all.len())
        });
        paced.write_all(&[0; 100 << 10]).await.expect("moves");
        paced.flush().await.expect("moves");
        drop(paced);
        assert_eq!(reader.await.expect("ends").expect("bytes"), 100 << 10);
    }
}
