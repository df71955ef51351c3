//! Who a daemon is among those that share jobs.

use crate::store::Hidden;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// Name of the file in the state directory.
const FILE: &str = "member";

/// One daemon, in one process.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Member {
    /// Its name, for people.
    pub node: String,
    /// Its state directory: the same after a restart, and nobody else's. What it began before is its own.
    pub state: String,
    /// The process: what an earlier one of the same state directory held is free, for the lock of the directory says that it is
    /// gone.
    pub process: String,
}

impl Member {
    /// The daemon of a state directory; `began` is when the process did, microseconds UTC.
    ///
    /// # Errors
    /// If the directory cannot be read or written.
    pub fn of(state: &Path, node: &str, began: i64) -> std::io::Result<Member> {
        let process = drawn(&format!("{node}\n{began}"));
        let path = state.join(FILE);
        let known = match std::fs::read_to_string(&path) {
            Ok(text) => text.trim().to_owned(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        let is_sound = known.len() == 32 && known.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_sound {
            return Ok(Member { node: node.into(), state: known, process });
        }
        let state_id = drawn(&format!("{}\n{process}", state.display()));
        let mut file = tempfile::Builder::new().prefix(".member-").suffix(".partial").tempfile_in(state)?;
        let _hidden = Hidden::new(file.path());
        file.write_all(format!("{state_id}\n").as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(&path).map_err(|error| error.error)?;
        Ok(Member { node: node.into(), state: state_id, process })
    }

    /// Delay of whatever it does about something, so that members do not all do it at once: fixed by its state directory and
    /// `what`, less than `most`.
    pub fn offset(&self, what: &str, most: Duration) -> Duration {
        let digest = Sha256::digest(format!("{}\n{what}", self.state));
        let mut first = [0; 4];
        first.copy_from_slice(&digest[..4]);
        most.mul_f64(f64::from(u32::from_le_bytes(first)) / (f64::from(u32::MAX) + 1.0))
    }
}

/// 128 bits that nobody else has, as hex: of what is known of the process, and the keys that the standard library draws for its
/// hash maps.
fn drawn(seed: &str) -> String {
    use std::hash::{BuildHasher, RandomState};
    let keys = RandomState::new();
    let random = (keys.hash_one(0_u8), keys.hash_one(1_u8));
    let words = format!("{seed}\n{}\n{random:?}\n{:?}", std::process::id(), Instant::now());
    Sha256::digest(words)[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_directory_is_one_member_in_many_processes() {
        let (one, two) = (tempfile::tempdir().expect("folder"), tempfile::tempdir().expect("folder"));
        let first = Member::of(one.path(), "a", 5).expect("made");
        let again = Member::of(one.path(), "a", 5).expect("read");
        let other = Member::of(two.path(), "a", 5).expect("made");
        assert_eq!(first.state, again.state);
        assert_ne!(first.process, again.process);
        assert_ne!(first.state, other.state);
        std::fs::write(one.path().join(FILE), "").expect("emptied by a crash");
        assert_ne!(Member::of(one.path(), "a", 5).expect("made anew").state, first.state);
        assert_eq!(std::fs::read_dir(one.path()).expect("folder").count(), 1, "no partial file stays");
    }

    #[test]
    fn offsets_are_spread_and_fixed() {
        let member = |state: &str| Member { node: "a".into(), state: state.into(), process: String::new() };
        let most = Duration::from_secs(10);
        let offsets: Vec<Duration> =
            (0..100).map(|at| member(&at.to_string()).offset("slot", most)).collect();
        assert!(offsets.iter().all(|offset| *offset < most));
        assert!(offsets.iter().any(|one| *one < most / 4) && offsets.iter().any(|one| *one > most * 3 / 4));
        assert_eq!(member("7").offset("slot", most), offsets[7]);
    }
}
