//! The objects of a slot's chain, as JSON.

use crate::schedule::lease::member::Member;
use crate::series::version;
use serde::{Deserialize, Serialize};

/// Largest object that is read.
pub(super) const BYTES_MAX: u64 = 1 << 20;

/// Version of an object, written from the second one on: what says nothing of it is of the first.
const VERSION: u32 = 1;

/// Bytes of reasons that are kept.
const REASONS_MAX: usize = 64 << 10;

/// One object of a slot's chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "turn", rename_all = "snake_case")]
pub enum Turn {
    /// Somebody works the slot.
    Claim(Claim),
    /// Somebody has let it go.
    Over(Over),
    /// It has ended.
    Done(Finish),
}

/// Who wrote a turn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct By {
    /// The daemon.
    #[serde(flatten)]
    pub member: Member,
    /// When, ISO 8601 by its own clock: for people.
    pub at: String,
}

/// Somebody works the slot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// Who.
    pub by: By,
    /// Attempts begun, this one included, by whomever.
    pub attempts: u32,
    /// How long nothing may be heard of it before others take over, seconds.
    pub ttl_s: f64,
}

/// Somebody has let the slot go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Over {
    /// Who.
    pub by: By,
    /// Attempts begun.
    pub attempts: u32,
    /// Why, one line each.
    pub reasons: Vec<String>,
    /// How long to wait before the next attempt, seconds.
    pub wait_s: f64,
}

/// How a slot ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finish {
    /// Who worked it, or saw to its end.
    pub by: By,
    /// Attempts begun.
    pub attempts: u32,
    /// How: `ok`, `degraded`, `failed`, `skipped`, `missed`.
    pub outcome: String,
    /// Why, one line each.
    pub reasons: Vec<String>,
    /// UUIDv7 of its run.
    pub run_id: String,
    /// When, microseconds UTC by the clock of whoever worked it.
    pub ended_at: i64,
    /// What the data was that it read, where it is known: a hash.
    #[serde(default)]
    pub data: Option<String>,
}

impl Turn {
    /// Who wrote it.
    pub fn by(&self) -> &By {
        match self {
            Turn::Claim(claim) => &claim.by,
            Turn::Over(over) => &over.by,
            Turn::Done(done) => &done.by,
        }
    }

    /// Attempts begun.
    pub fn attempts(&self) -> u32 {
        match self {
            Turn::Claim(Claim { attempts, .. })
            | Turn::Over(Over { attempts, .. })
            | Turn::Done(Finish { attempts, .. }) => *attempts,
        }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("all keys are text")
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Turn, String> {
        version::from_json(bytes, VERSION).map_err(|error| error.to_string())
    }
}

/// Reasons that everybody is to read, cut where they are too long.
pub(super) fn shared(reasons: &[String]) -> Vec<String> {
    let mut left = REASONS_MAX;
    let mut kept = Vec::new();
    for reason in reasons {
        if reason.len() > left {
            kept.push("… (cut)".into());
            break;
        }
        left -= reason.len();
        kept.push(reason.clone());
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_read_as_they_were_written_and_new_keys_do_no_harm() {
        let member = Member { node: "a".into(), state: "s".into(), process: "p".into() };
        let by = By { member, at: "2026-01-01T00:00:00Z".into() };
        let done = Finish {
            by: by.clone(),
            attempts: 2,
            outcome: "ok".into(),
            reasons: vec!["fine".into()],
            run_id: "r".into(),
            ended_at: 7,
            data: None,
        };
        let over = Over { by: by.clone(), attempts: 1, reasons: vec![], wait_s: 30.0 };
        let claim = Claim { by, attempts: 1, ttl_s: 3.0 };
        for turn in [Turn::Claim(claim), Turn::Over(over), Turn::Done(done)] {
            let bytes = turn.to_bytes();
            assert_eq!(Turn::from_bytes(&bytes), Ok(turn.clone()));
            let text = String::from_utf8(bytes).expect("text");
            let later = text.replacen('{', "{\"new\":1,", 1);
            assert_eq!(Turn::from_bytes(later.as_bytes()), Ok(turn));
            assert!(text.contains("\"node\":\"a\""), "{text}");
        }
        assert!(Turn::from_bytes(b"{\"turn\":\"truce\"}").is_err());
        let long = vec!["x".repeat(REASONS_MAX), "y".into()];
        assert_eq!(shared(&long), ["x".repeat(REASONS_MAX), "… (cut)".into()]);
    }
}
