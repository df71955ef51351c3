//! Which of several processes works on a series: every id belongs to one of N shards, whoever asks.
//!
//! The owner is chosen by rendezvous, a function of the id and N alone, so that anything that can hash can tell it too:
//!
//! ```text
//! h        = the first 8 bytes of SHA-256(unique_id in UTF-8), little-endian
//! score(i) = mix(h xor mix(i))                                   for i = 0 .. N-1
//! owner    = the i with the greatest score, the smallest such i where two are equal
//!
//! mix(x):  z = x + 0x9e3779b97f4a7c15                            splitmix64; all arithmetic modulo 2^64
//!          z = (z xor (z >> 30)) * 0xbf58476d1ce4e5b9
//!          z = (z xor (z >> 27)) * 0x94d049bb133111eb
//!          z xor (z >> 31)
//! ```
//!
//! With one shard more, an id stays where it is or moves to the new one: no other score changes. About one in N moves.
//!
//! Sources: Thaler and Ravishankar (1998), "Using name-based mappings to increase hit rates"; Steele, Lea and Flood (2014),
//! "Fast splittable pseudorandom number generators", for the mix.

use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// The most shards of one run: each of them is a file, and whoever commits reads a record of each.
pub const SHARDS_MAX: u32 = 10_000;

/// One of N shares of the series of a source; written `i/N`, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Shard {
    index: u32,
    count: u32,
}

/// Why a text or a pair of numbers is no shard.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShardError {
    /// Not of the form `i/N`.
    #[error("'{0}' is no shard; write i/N with whole numbers, for example 0/4 for the first of four")]
    Form(String),
    /// Shards are counted from 0.
    #[error("shard {index}/{count} does not exist: {count} shards are 0/{count} to {last}/{count}", last = .count - 1)]
    Index {
        /// Asked for.
        index: u32,
        /// Number of shards, at least 1.
        count: u32,
    },
    /// No shards, or more than [`SHARDS_MAX`].
    #[error("a run has 1 to {SHARDS_MAX} shards, not {0}")]
    Count(u32),
}

impl Shard {
    /// Everything: the only shard of one.
    pub const WHOLE: Shard = Shard { index: 0, count: 1 };

    /// Shard `index` of `count`.
    ///
    /// # Errors
    /// Unless `index < count <= SHARDS_MAX`.
    pub fn new(index: u32, count: u32) -> Result<Shard, ShardError> {
        match count {
            0 => Err(ShardError::Count(0)),
            _ if count > SHARDS_MAX => Err(ShardError::Count(count)),
            _ if index >= count => Err(ShardError::Index { index, count }),
            _ => Ok(Shard { index, count }),
        }
    }

    /// The shard that `i/N` names.
    ///
    /// # Errors
    /// With what is wrong and how it is written.
    pub fn parse(text: &str) -> Result<Shard, ShardError> {
        let refuse = || ShardError::Form(text.into());
        // Signs, that numbers may have elsewhere, have no place here.
        let number = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
            true => text.parse().map_err(|_| refuse()),
            false => Err(refuse()),
        };
        let (index, count) = text.split_once('/').ok_or_else(refuse)?;
        Shard::new(number(index)?, number(count)?)
    }

    /// Its number, from 0 on.
    pub fn index(self) -> u32 {
        self.index
    }

    /// How many there are.
    pub fn count(self) -> u32 {
        self.count
    }

    /// Whether there is no other.
    pub fn is_whole(self) -> bool {
        self.count == 1
    }

    /// Whether a series is this one's.
    pub fn owns(self, unique_id: &str) -> bool {
        if self.is_whole() {
            return true;
        }
        let hash = hash(unique_id);
        let own = score(hash, self.index);
        (0..self.index).all(|other| score(hash, other) < own)
            && (self.index + 1..self.count).all(|other| score(hash, other) <= own)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Shard, ShardError> {
        Shard::parse(text)
    }
}

fn hash(unique_id: &str) -> u64 {
    let digest = Sha256::digest(unique_id.as_bytes());
    digest.iter().take(8).rev().fold(0, |hash, byte| hash << 8 | u64::from(*byte))
}

fn score(hash: u64, index: u32) -> u64 {
    mix(hash ^ mix(u64::from(index)))
}

/// splitmix64.
fn mix(x: u64) -> u64 {
    let z = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn owner(unique_id: &str, count: u32) -> u32 {
        let owners: Vec<u32> =
            (0..count).filter(|index| Shard { index: *index, count }.owns(unique_id)).collect();
        assert_eq!(owners.len(), 1, "{unique_id} of {count}: {owners:?}");
        owners[0]
    }

    /// Made by the Python script of the documentation (`hashlib` and integers): see `tests/golden/shards.py`.
    #[test]
    fn owners_are_those_that_other_languages_compute() {
        let golden = include_str!("../../tests/golden/shards.tsv");
        let mut lines = golden.lines();
        let counts: Vec<u32> = lines
            .next()
            .expect("header")
            .split('\t')
            .skip(1)
            .map(|count| count.parse().expect("count"))
            .collect();
        let mut seen = 0;
        for line in lines {
            let (unique_id, owners) = line.split_once('\t').expect("id");
            for (count, expected) in counts.iter().zip(owners.split('\t')) {
                assert_eq!(owner(unique_id, *count).to_string(), expected, "{unique_id} of {count}");
                seen += 1;
            }
        }
        assert!(seen > 50, "{seen}");
    }

    #[test]
    fn shares_are_even_and_a_new_shard_takes_its_own_from_all_alike() {
        let ids: Vec<String> = (0..20_000).map(|number| format!("store_{number}/item")).collect();
        for count in [1_u32, 2, 3, 7, 16] {
            let before: Vec<u32> = ids.iter().map(|id| owner(id, count)).collect();
            let after: Vec<u32> = ids.iter().map(|id| owner(id, count + 1)).collect();
            let mut sizes = vec![0_usize; count as usize];
            before.iter().for_each(|shard| sizes[*shard as usize] += 1);
            let fair = ids.len() as f64 / f64::from(count);
            // Five standard deviations of a binomial.
            let slack = 5.0 * fair.sqrt();
            assert!(sizes.iter().all(|size| (*size as f64 - fair).abs() <= slack), "{count}: {sizes:?}");
            let moved: Vec<usize> = (0..ids.len()).filter(|id| before[*id] != after[*id]).collect();
            assert!(moved.iter().all(|id| after[*id] == count));
            let expected = ids.len() as f64 / f64::from(count + 1);
            assert!(
                (moved.len() as f64 - expected).abs() <= 5.0 * expected.sqrt(),
                "{count}: {}",
                moved.len()
            );
        }
    }

    proptest! {
        #[test]
        fn every_id_has_one_owner_and_moves_to_the_new_shard_or_not_at_all(id in ".{0,40}", count in 1_u32..40) {
            let (before, after) = (owner(&id, count), owner(&id, count + 1));
            prop_assert!(after == before || after == count);
        }

        #[test]
        fn what_is_shown_is_read(count in 1_u32..=SHARDS_MAX, index in 0_u32..SHARDS_MAX) {
            let shard = Shard::new(index % count, count).expect("a shard");
            prop_assert_eq!(Shard::parse(&shard.to_string()), Ok(shard));
        }
    }

    #[test]
    fn what_is_no_shard_is_refused_with_the_way_to_write_it() {
        for text in [
            "",
            "3",
            "/",
            "1/",
            "/4",
            "a/4",
            "1/b",
            "+1/4",
            "-1/4",
            "1/4/9",
            " 1/4",
            "1.0/4",
            "1/99999999999",
        ] {
            let error = Shard::parse(text).expect_err(text);
            assert_eq!(error, ShardError::Form(text.into()));
            assert!(error.to_string().contains("0/4"), "{error}");
        }
        let error = Shard::parse("4/4").expect_err("counted from 0");
        assert_eq!(error.to_string(), "shard 4/4 does not exist: 4 shards are 0/4 to 3/4");
        assert_eq!(Shard::parse("0/0"), Err(ShardError::Count(0)));
        assert_eq!(Shard::parse("0/10001"), Err(ShardError::Count(10_001)));
        assert_eq!(Shard::parse("00/01"), Ok(Shard::WHOLE));
    }
}
