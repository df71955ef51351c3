//! Who works a slot: taking a lease, or learning who has it or how the slot ended.

use crate::schedule::lease::hold::Lease;
use crate::schedule::lease::key::{Key, number};
use crate::schedule::lease::member::Member;
use crate::schedule::lease::turn::{BYTES_MAX, By, Claim, Finish, Turn};
use crate::series::civil::shown;
use crate::store::{Created, Entry, Store, StoreError};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Where the time comes from.
#[derive(Clone)]
pub struct Times {
    /// Microseconds of a clock that nobody sets, from any beginning.
    pub ticks: Arc<dyn Fn() -> i64 + Send + Sync>,
    /// Microseconds UTC, for people.
    pub now: Arc<dyn Fn() -> i64 + Send + Sync>,
}

/// One member's view of the leases.
pub struct Desk {
    store: Store,
    me: Member,
    ttl: Duration,
    times: Times,
    /// What was seen of the leases of others, and since when.
    sightings: Mutex<BTreeMap<Key, Sighting>>,
}

/// The last turn of a slot as it was seen.
#[derive(Clone, Debug)]
struct Sighting {
    number: u32,
    turn: Turn,
    /// The beat of that turn, by whatever changes with it.
    beat: Option<Entry>,
    /// The first look at it, in ticks.
    since: i64,
    /// The first look at the turn, whatever its beat was.
    first: i64,
}

/// What a member learns that asks for a lease.
#[derive(Debug)]
pub enum Answer {
    /// The slot is its to work.
    Mine(Lease),
    /// It has ended.
    Done(Finish),
    /// It is another's, or not to be begun yet.
    Held {
        /// Whose.
        by: String,
        /// When to look again.
        look_in: Duration,
    },
}

/// Why nothing is known.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What stands there makes no sense.
    #[error("{at}: this is no turn of a lease ({reason}); is another, newer s4cast at work there?")]
    Foreign {
        /// The object.
        at: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Desk {
    /// The desk of a member at a store; a holder that is not heard of for `ttl` has lost its lease.
    pub fn new(store: Store, me: Member, ttl: Duration, times: Times) -> Desk {
        Desk { store, me, ttl, times, sightings: Mutex::default() }
    }

    /// Who this is.
    pub fn member(&self) -> &Member {
        &self.me
    }

    /// How long a holder may be silent.
    pub fn ttl(&self) -> Duration {
        self.ttl
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    pub(super) fn ticks(&self) -> i64 {
        (self.times.ticks)()
    }

    pub(super) fn by(&self) -> By {
        By { member: self.me.clone(), at: shown((self.times.now)()) }
    }

    /// Asks for the lease of a slot, which nobody else in this process has.
    ///
    /// One list of the slot's folder; an object more where the last turn is new to this member, and one more where it takes the
    /// next.
    ///
    /// # Errors
    /// See [`LeaseError`]. What was asked for may have been done all the same; asking again finds that out.
    pub fn acquire(self: &Arc<Self>, key: &Key) -> Result<Answer, LeaseError> {
        let Some(seen) = self.look(key)? else { return self.take(key, 1, 0) };
        let waited = Duration::from_micros(u64::try_from(self.ticks() - seen.since).unwrap_or(0));
        let next = |attempts| self.take(key, seen.number.saturating_add(1), attempts);
        match &seen.turn {
            Turn::Done(done) => {
                self.forget(key);
                Ok(Answer::Done(done.clone()))
            }
            // An earlier process of this daemon, or an answer that was lost.
            Turn::Claim(claim) if claim.by.member.state == self.me.state => next(claim.attempts),
            Turn::Claim(claim) => {
                let ttl = Duration::try_from_secs_f64(claim.ttl_s).unwrap_or(self.ttl);
                let patience = ttl.saturating_add(ttl / 8);
                match waited >= patience {
                    true => next(claim.attempts),
                    false => Ok(self.held(&claim.by, self.patient(key, &seen).min(patience - waited))),
                }
            }
            Turn::Over(over) => {
                let wait = Duration::try_from_secs_f64(over.wait_s).unwrap_or_default();
                // What failed here may work elsewhere: the others come first.
                let is_mine = over.by.member.state == self.me.state && !wait.is_zero();
                let wait = if is_mine { wait.saturating_add(self.ttl / 2) } else { wait };
                match waited >= wait {
                    true => next(over.attempts),
                    false => Ok(self.held(&over.by, wait - waited)),
                }
            }
        }
    }

    /// The last turn of a slot; `None` before the first.
    fn look(&self, key: &Key) -> Result<Option<Sighting>, LeaseError> {
        let entries = self.store.list(key.folder())?;
        let turns = entries.iter().filter_map(|entry| number(&entry.name, "turn"));
        let Some(last) = turns.max() else { return Ok(None) };
        let beat = entries.into_iter().find(|entry| number(&entry.name, "beat") == Some(last));
        let known = self.sightings().get(key).filter(|seen| seen.number == last).cloned();
        let (turn, first) = match &known {
            Some(seen) => (seen.turn.clone(), seen.first),
            None => {
                let name = key.turn(last);
                // Whoever cleans up may have come in between.
                let Some(bytes) = self.store.get(&name, BYTES_MAX)? else { return Ok(None) };
                (self.read(&name, &bytes)?, self.ticks())
            }
        };
        let since = known.filter(|seen| seen.beat == beat).map_or_else(|| self.ticks(), |seen| seen.since);
        let seen = Sighting { number: last, turn, beat, since, first };
        self.sightings().insert(key.clone(), seen.clone());
        Ok(Some(seen))
    }

    fn read(&self, name: &str, bytes: &[u8]) -> Result<Turn, LeaseError> {
        let at = || self.store.address().join(name).to_string();
        Turn::from_bytes(bytes).map_err(|reason| LeaseError::Foreign { at: at(), reason })
    }

    /// Tries to be the one who takes a turn.
    fn take(self: &Arc<Self>, key: &Key, number: u32, attempts: u32) -> Result<Answer, LeaseError> {
        let attempts = attempts.saturating_add(1);
        let claim = Claim { by: self.by(), attempts, ttl_s: self.ttl.as_secs_f64() };
        let began = self.ticks();
        let name = key.turn(number);
        match self.store.create(&name, &Turn::Claim(claim).to_bytes())? {
            Created::Now => {
                self.forget(key);
                Ok(Answer::Mine(Lease::new(self.clone(), key.clone(), number, attempts, began)))
            }
            Created::Exists(bytes) => {
                let turn = self.read(&name, &bytes)?;
                if let Turn::Done(done) = turn {
                    self.forget(key);
                    return Ok(Answer::Done(done));
                }
                let by = turn.by().clone();
                let now = self.ticks();
                let seen = Sighting { number, turn, beat: None, since: now, first: now };
                let look_in = self.patient(key, &seen);
                self.sightings().insert(key.clone(), seen);
                Ok(self.held(&by, look_in))
            }
        }
    }

    fn held(&self, by: &By, look_in: Duration) -> Answer {
        Answer::Held { by: by.member.node.clone(), look_in: look_in.max(Duration::from_millis(1)) }
    }

    /// How long until the next look at another's slot: half of what it has taken already, so that short work is seen to end soon
    /// and long work is not asked for all the time.
    fn patient(&self, key: &Key, seen: &Sighting) -> Duration {
        let age = Duration::from_micros(u64::try_from(self.ticks() - seen.first).unwrap_or(0));
        let look_in = (age / 2).clamp(self.ttl / 60, self.ttl / 3);
        look_in * 7 / 8 + self.me.offset(key.folder(), look_in / 4)
    }

    /// Takes note of a turn that this member has written, as others do when they see it.
    pub(super) fn wrote(&self, key: &Key, number: u32, turn: Turn) {
        let now = self.ticks();
        self.sightings().insert(key.clone(), Sighting { number, turn, beat: None, since: now, first: now });
    }

    /// Forgets what was seen of a slot, which has ended here.
    pub fn forget(&self, key: &Key) {
        self.sightings().remove(key);
    }

    fn sightings(&self) -> std::sync::MutexGuard<'_, BTreeMap<Key, Sighting>> {
        self.sightings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {}", self.me.node, self.store.address())
    }
}
