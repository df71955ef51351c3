//! A lease that is held: kept alive while its slot is worked, asked for before anything is published, ended once.

use crate::schedule::lease::desk::{Desk, LeaseError};
use crate::schedule::lease::key::Key;
use crate::schedule::lease::turn::{Finish, Over, Turn, shared};
use crate::store::Created;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// The lease of a slot.
#[derive(Clone, Debug)]
pub struct Lease(Arc<Held>);

#[derive(Debug)]
struct Held {
    desk: Arc<Desk>,
    key: Key,
    turn: u32,
    attempts: u32,
    /// When the last renewal that the store has taken was sent, in ticks.
    renewed: AtomicI64,
    beats: AtomicI64,
    is_lost: AtomicBool,
}

/// What became of an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It is the slot's.
    Mine,
    /// Another member had taken over before.
    Lost,
}

impl Lease {
    pub(super) fn new(desk: Arc<Desk>, key: Key, turn: u32, attempts: u32, began: i64) -> Lease {
        let (renewed, beats) = (AtomicI64::new(began), AtomicI64::new(0));
        Lease(Arc::new(Held { desk, key, turn, attempts, renewed, beats, is_lost: AtomicBool::new(false) }))
    }

    /// The number of its turn; above 1, others were at work before.
    pub fn turn(&self) -> u32 {
        self.0.turn
    }

    /// Attempts begun, this one included, by whomever.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// Says that the holder is alive; false where that was not heard.
    pub fn renew(&self) -> bool {
        let held = &self.0;
        let (sent, beat) = (held.desk.ticks(), held.beats.fetch_add(1, Ordering::Relaxed) + 1);
        let bytes = format!("{{\"beat\":{beat},\"process\":\"{}\"}}", held.desk.member().process);
        match held.desk.store().put(&held.key.beat(held.turn), bytes.as_bytes()) {
            Ok(()) => {
                held.renewed.fetch_max(sent, Ordering::Relaxed);
                true
            }
            Err(error) => {
                tracing::warn!(slot = %held.key, %error, "the lease could not be renewed");
                false
            }
        }
    }

    /// Whether it is lost: by the holder's own clock, or because another member was seen to have it. Asks nobody.
    pub fn is_lost(&self) -> bool {
        let held = &self.0;
        let silent = held.desk.ticks() - held.renewed.load(Ordering::Relaxed);
        if u128::try_from(silent).unwrap_or(0) >= held.desk.ttl().as_micros() {
            held.is_lost.store(true, Ordering::Relaxed);
        }
        held.is_lost.load(Ordering::Relaxed)
    }

    /// Whether the slot is still the holder's, as far as the store knows; not where it does not answer.
    pub fn holds(&self) -> bool {
        let held = &self.0;
        if self.is_lost() {
            return false;
        }
        let next = held.desk.store().head(&held.key.turn(held.turn.saturating_add(1)));
        let is_free = match next {
            Ok(next) => next.is_none(),
            Err(error) => {
                tracing::warn!(slot = %held.key, %error, "whether the lease is held cannot be told");
                false
            }
        };
        if !is_free {
            held.is_lost.store(true, Ordering::Relaxed);
        }
        // The answer may have been long in coming.
        is_free && !self.is_lost()
    }

    /// Ends the slot for everybody, if nobody has taken over.
    ///
    /// # Errors
    /// If the store does not answer; the same may be asked again.
    pub fn end(&self, finish: &Finish) -> Result<Ended, LeaseError> {
        let done = Finish { attempts: self.0.attempts, reasons: shared(&finish.reasons), ..finish.clone() };
        self.next(Turn::Done(done))
    }

    /// Lets the slot go; the next attempt begins `wait` later at the earliest.
    ///
    /// # Errors
    /// If the store does not answer; it is free after its ttl then.
    pub fn release(&self, reasons: &[String], wait: Duration) -> Result<Ended, LeaseError> {
        self.next(Turn::Over(Over {
            by: self.0.desk.by(),
            attempts: self.0.attempts,
            reasons: shared(reasons),
            wait_s: wait.as_secs_f64(),
        }))
    }

    fn next(&self, turn: Turn) -> Result<Ended, LeaseError> {
        let held = &self.0;
        let number = held.turn.saturating_add(1);
        Ok(match held.desk.store().create(&held.key.turn(number), &turn.to_bytes())? {
            Created::Now => {
                if matches!(turn, Turn::Over(_)) {
                    held.desk.wrote(&held.key, number, turn);
                }
                Ended::Mine
            }
            Created::Exists(_) => {
                held.is_lost.store(true, Ordering::Relaxed);
                Ended::Lost
            }
        })
    }
}

/// Keeps a lease alive until it is dropped.
pub(super) struct Pulse(#[expect(dead_code, reason = "its end is the message")] mpsc::Sender<()>);

impl Pulse {
    /// Renews every third of the ttl; sets `stop` once the lease is lost.
    pub fn of(lease: &Lease, stop: Arc<AtomicBool>) -> std::io::Result<Pulse> {
        let (sender, over) = mpsc::channel();
        let lease = lease.clone();
        let every = lease.0.desk.ttl() / 3;
        let thread = std::thread::Builder::new().name("s4cast-lease".into());
        thread.spawn(move || {
            // One renewal at a time, on a thread of its own: a store that is silent must not keep the loss from being seen.
            let mut under_way: Weak<()> = Weak::new();
            while over.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                if lease.is_lost() {
                    stop.store(true, Ordering::Relaxed);
                    return;
                }
                if under_way.strong_count() == 0 {
                    let (mark, lease) = (Arc::new(()), lease.clone());
                    under_way = Arc::downgrade(&mark);
                    let thread = std::thread::Builder::new().name("s4cast-beat".into());
                    // Without a thread there is no renewal this time.
                    let _ = thread.spawn(move || {
                        lease.renew();
                        drop(mark);
                    });
                }
            }
        })?;
        Ok(Pulse(sender))
    }
}

/// Whether a slot is still the worker's to publish.
#[derive(Clone, Debug, Default)]
pub struct Hold(Option<Lease>);

impl Hold {
    /// By a lease.
    pub fn of(lease: &Lease) -> Hold {
        Hold(Some(lease.clone()))
    }

    /// Whether it is, asked of the store where there is a lease; always, where nothing is shared.
    pub fn holds(&self) -> bool {
        self.0.as_ref().is_none_or(Lease::holds)
    }

    /// Whether somebody was at work on it before: there may be a run already.
    pub fn is_continued(&self) -> bool {
        self.0.as_ref().is_some_and(|lease| lease.turn() > 1)
    }
}
