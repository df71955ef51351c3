//! Leases: several daemons work one list of jobs, and every slot is worked by one of them.
//!
//! What the daemons agree on is a folder for each slot, in which objects are created where there are none and never replaced:
//!
//! ```text
//! LEASES/JOB/STAGE/DATE/TIME/turn-1.json   claim   node a works it
//!                            turn-2.json   claim   a was not heard of for its ttl: node b works it
//!                            turn-3.json   over    b gave up for now (failed, shut down): anybody may
//!                            turn-4.json   claim   node c works it
//!                            turn-5.json   done    how the slot ended, for everybody
//!                            beat-4.json           put by the holder of turn 4 every third of its ttl
//! ```
//!
//! All turns of a slot are one chain, so whoever wants the next turn races for one name, and the store lets one of them have
//! it: the holder that ends its slot, the holder that lets go, and the observer that takes over. That a slot ends and that it is
//! taken over exclude each other; there is one end; nobody ends what is not theirs any more.
//!
//! No clock is compared with another. A holder counts itself out once its own clock, which no one sets, says that it could not
//! renew for `ttl`; an observer takes over once its own says that for `ttl` and an eighth of it nothing of the holder has changed.
//! Before it publishes, a holder also asks whether the next turn is taken ([`Hold::holds`]). That is for economy: a holder that
//! is frozen between that question and its commit commits the same run that others would, and only the first commit of a run
//! counts.

mod clean;
mod desk;
mod hold;
mod key;
mod member;
mod turn;
mod work;

pub use clean::KEPT;
pub use desk::{Answer, Desk, LeaseError, Times};
pub use hold::{Ended, Hold, Lease};
pub use key::Key;
pub use member::Member;
pub use turn::{By, Claim, Finish, Over, Turn};
pub use work::{Begun, Fleet, Stamp};

#[cfg(test)]
mod tests;
