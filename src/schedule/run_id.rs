//! Names of runs.

use crate::schedule::spec::Stage;
use sha2::{Digest, Sha256};

/// UUIDv7 of the run of a slot: its time is the slot's nominal instant (microseconds UTC), the rest is drawn from job,
/// stage and instant. A repetition has the same, and so replaces its own files and nothing else.
pub fn run_id(job: &str, stage: Stage, slot: i64) -> String {
    let digest = Sha256::digest(format!("{job}\n{}\n{slot}", stage.as_str()));
    let mut random = [0; 10];
    random.copy_from_slice(&digest[..10]);
    let millis = u64::try_from(slot.div_euclid(1000)).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid().to_string()
}

/// Delay of the start of every slot of a stage, in microseconds: fixed by the names, at most `jitter` microseconds.
pub(super) fn jitter(job: &str, stage: Stage, jitter: i64) -> i64 {
    let digest = Sha256::digest(format!("jitter\n{job}\n{}", stage.as_str()));
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    match u64::try_from(jitter) {
        Ok(jitter @ 1..) => i64::try_from(u64::from_le_bytes(first) % jitter).unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_ids_sort_by_slot_and_repeat() {
        let id = |slot| run_id("load", Stage::Forecast, slot);
        assert_eq!(id(1_700_000_000_000_000), id(1_700_000_000_000_000));
        assert!(id(1_700_000_000_000_000) < id(1_700_000_000_001_000));
        assert_ne!(id(1_700_000_000_000_000), run_id("load", Stage::Train, 1_700_000_000_000_000));
        assert_eq!(id(0).as_bytes()[14], b'7');
    }

    #[test]
    fn jitter_is_fixed_and_bounded() {
        let offsets: Vec<i64> =
            (0..50).map(|job| jitter(&job.to_string(), Stage::Train, 300_000_000)).collect();
        assert!(offsets.iter().all(|offset| (0..300_000_000).contains(offset)));
        assert!(offsets.iter().max() > Some(&200_000_000) && offsets.iter().min() < Some(&100_000_000));
        assert_eq!(jitter("7", Stage::Train, 300_000_000), offsets[7]);
        assert_eq!(jitter("7", Stage::Train, 0), 0);
    }
}
