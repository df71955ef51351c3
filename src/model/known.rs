//! Which series a forecaster was trained on: one that it has never seen is a cold start, and its forecast says so.

use sha2::{Digest, Sha256};

use crate::series::Series;

/// Hashes of the ids of series, ascending. Empty where nobody noted them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Known(Vec<u64>);

impl Known {
    /// These series.
    pub fn of(series: &[Series]) -> Known {
        Known::from_hashes(series.iter().map(|series| hash(&series.unique_id)).collect())
    }

    /// From what [`Known::hashes`] gave.
    pub fn from_hashes(mut hashes: Vec<u64>) -> Known {
        hashes.sort_unstable();
        hashes.dedup();
        Known(hashes)
    }

    /// For a file.
    pub fn hashes(&self) -> &[u64] {
        &self.0
    }

    /// Whether a series is none of them.
    pub fn is_new(&self, unique_id: &str) -> bool {
        !self.0.is_empty() && self.0.binary_search(&hash(unique_id)).is_err()
    }
}

/// The first eight bytes of the id's SHA-256.
pub(super) fn hash(unique_id: &str) -> u64 {
    let digest = Sha256::digest(unique_id.as_bytes());
    digest.iter().take(8).fold(0, |hash, byte| hash << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_that_were_not_there_are_new() {
        let known = Known::from_hashes(["b", "a"].map(hash).into());
        assert!(!known.is_new("a") && !known.is_new("b") && known.is_new("c"));
        assert_eq!(Known::from_hashes(known.hashes().to_vec()), known);
        assert!(!Known::default().is_new("a"), "nobody noted any");
    }
}
