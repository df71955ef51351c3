//! What is known of a file before its content is looked at.

use crate::store::Entry;
use sha2::{Digest, Sha256};
use std::fs::Metadata;
use std::time::{SystemTime, UNIX_EPOCH};

/// Size and times of a file, or of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) bytes: u64,
    /// Time of the last modification, nanoseconds since 1970. Of an object in whole seconds: some answers have no more.
    pub(super) modified_ns: i128,
    /// Time of the last change of the inode, nanoseconds since 1970; 0 where there is none.
    pub(super) changed_ns: i128,
    /// Number of the inode; of an object a hash of its tag; 0 where there is none.
    pub(super) inode: u64,
}

impl Seen {
    /// Of a file.
    pub(super) fn of(metadata: &Metadata) -> Seen {
        let (changed_ns, inode) = identity(metadata);
        let modified_ns = metadata.modified().map_or(0, nanoseconds);
        Seen { bytes: metadata.len(), modified_ns, changed_ns, inode }
    }

    /// Whether it is the same file with the same bytes; links and permissions may have changed.
    pub(super) fn is_same_content(&self, other: &Seen) -> bool {
        let of = |seen: &Seen| (seen.bytes, seen.modified_ns, seen.inode);
        of(self) == of(other)
    }

    /// Of an object: what its store says, so that a copy that was made anew is the same.
    pub(super) fn of_object(entry: &Entry) -> Seen {
        Seen {
            bytes: entry.bytes,
            modified_ns: i128::from(entry.modified.div_euclid(1_000_000)) * 1_000_000_000,
            changed_ns: 0,
            inode: entry.etag.as_deref().map_or(0, |tag| hash(plain(tag))),
        }
    }
}

/// A tag without quotes, and without the mark of a weak one: lists and answers about one object differ in them.
pub(super) fn plain(tag: &str) -> &str {
    tag.trim_start_matches("W/").trim_matches('"')
}

/// Half of a hash, so that every database has room for it.
fn hash(text: &str) -> u64 {
    let digest = Sha256::digest(text);
    digest.iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte)) >> 1
}

fn nanoseconds(time: SystemTime) -> i128 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => i128::try_from(since.as_nanos()).unwrap_or(i128::MAX),
        Err(before) => -i128::try_from(before.duration().as_nanos()).unwrap_or(i128::MAX),
    }
}

#[cfg(unix)]
fn identity(metadata: &Metadata) -> (i128, u64) {
    use std::os::unix::fs::MetadataExt;
    (i128::from(metadata.ctime()) * 1_000_000_000 + i128::from(metadata.ctime_nsec()), metadata.ino())
}

#[cfg(not(unix))]
fn identity(_: &Metadata) -> (i128, u64) {
    (0, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_the_same_whatever_answer_tells_of_it() {
        let entry =
            |modified: i64, tag: &str| Entry { name: "a".into(), bytes: 3, modified, etag: Some(tag.into()) };
        let listed = Seen::of_object(&entry(1_700_000_000_123_000, "\"abc\""));
        assert_eq!(listed, Seen::of_object(&entry(1_700_000_000_000_000, "W/\"abc\"")));
        assert_ne!(listed, Seen::of_object(&entry(1_700_000_000_000_000, "\"abd\"")));
        assert_eq!(listed.modified_ns, 1_700_000_000_000_000_000);
    }
}
