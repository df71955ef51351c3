//! The identity of a panel: the same series give the same text, however the files were laid out, and a panel that goes on
//! need not be read again for it.

use crate::series::{Covariate, Series};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Rows that are hashed at once, so that there is little to keep between two of them.
const BLOCK: usize = 64;

/// The identity of a series that goes on: s ← SHA-256(s, timestamps, value bits) for every block of rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chain {
    state: [u8; 32],
    blocks: u64,
    /// Timestamps and values of the rows since the last whole block.
    times: Vec<i64>,
    values: Vec<f64>,
}

impl Chain {
    /// Of a series as far as it goes.
    pub fn of(series: &Series) -> Chain {
        let mut hash = Sha256::new_with_prefix(series.unique_id.as_bytes());
        if let Some(observations) = &series.observations {
            observations.times().iter().for_each(|time| hash.update(time.to_le_bytes()));
            observations.values().iter().for_each(|value| hash.update(bits(*value).to_le_bytes()));
        }
        let state = hash.finalize().into();
        let mut chain = Chain { state, blocks: 0, times: Vec::new(), values: Vec::new() };
        chain.extend(&series.times, &series.values);
        chain
    }

    /// Goes on by some rows.
    pub fn extend(&mut self, mut times: &[i64], mut values: &[f64]) {
        let mut buffer = Vec::new();
        while self.times.len() + times.len() >= BLOCK {
            let taken = BLOCK - self.times.len();
            self.times.extend_from_slice(&times[..taken]);
            self.values.extend_from_slice(&values[..taken]);
            (times, values) = (&times[taken..], &values[taken..]);
            self.state = self.hashed(&mut buffer);
            self.blocks += 1;
            self.times.clear();
            self.values.clear();
        }
        self.times.extend_from_slice(times);
        self.values.extend_from_slice(values);
    }

    /// Hash of the state and of the rows since.
    fn hashed(&self, buffer: &mut Vec<u8>) -> [u8; 32] {
        buffer.resize(16 * self.times.len(), 0);
        let (times, values) = buffer.split_at_mut(8 * self.times.len());
        let words = times.chunks_exact_mut(8).zip(&self.times);
        words.for_each(|(slot, time)| slot.copy_from_slice(&time.to_le_bytes()));
        let words = values.chunks_exact_mut(8).zip(&self.values);
        words.for_each(|(slot, value)| slot.copy_from_slice(&bits(*value).to_le_bytes()));
        let mut hash = Sha256::new();
        hash.update(self.state);
        hash.update(&*buffer);
        hash.finalize().into()
    }

    fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.hashed(&mut Vec::new()));
        hash.update((self.blocks * BLOCK as u64 + self.times.len() as u64).to_le_bytes());
        hash.finalize().into()
    }
}

/// The identities of some series.
pub fn chains(series: &[Series]) -> Vec<Chain> {
    series.par_iter().map(Chain::of).collect()
}

/// SHA-256 over the identities of series that ascend by id, in lower-case hex.
pub fn fingerprint_of(chains: &[Chain]) -> String {
    let digests: Vec<[u8; 32]> = chains.par_iter().map(Chain::digest).collect();
    let mut hash = Sha256::new();
    digests.iter().for_each(|digest| hash.update(digest));
    hex(hash)
}

/// The identity of series that ascend by id, as [`fingerprint_of`]; of that and of the covariates, where there are some.
pub(super) fn fingerprint(series: &[Series], covariates: &[Covariate]) -> String {
    let targets = fingerprint_of(&chains(series));
    if covariates.is_empty() {
        return targets;
    }
    let digests: Vec<[u8; 32]> = series.par_iter().map(covariates_of).collect();
    let mut hash = Sha256::new();
    hash.update(targets);
    covariates.iter().for_each(|covariate| hash.update(format!("{covariate:?}")));
    digests.iter().for_each(|digest| hash.update(digest));
    hex(hash)
}

/// Hash of the covariates of a series.
fn covariates_of(series: &Series) -> [u8; 32] {
    let mut hash = Sha256::new();
    for row in &series.covariates {
        hash.update((row.values().len() as u64).to_le_bytes());
        row.values().iter().for_each(|value| hash.update(bits(*value).to_le_bytes()));
    }
    hash.finalize().into()
}

/// There are many NaNs and two zeros, but one missing value and one nothing.
fn bits(value: f64) -> u64 {
    if value.is_nan() { f64::NAN.to_bits() } else { (value + 0.0).to_bits() }
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::Frequency;

    fn series(values: Vec<f64>) -> Series {
        Series {
            unique_id: "a".into(),
            keys: Vec::new(),
            frequency: Frequency::BusinessDays,
            times: (0..values.len() as i64).collect(),
            values,
            covariates: Vec::new(),
            observations: None,
            filled: Vec::new(),
        }
    }

    #[test]
    fn one_for_equal_series_and_another_for_a_moved_value() {
        let base = fingerprint(&[series(vec![0.0, f64::NAN])], &[]);
        assert_eq!(base, fingerprint(&[series(vec![-0.0, -f64::NAN])], &[]));
        assert_ne!(base, fingerprint(&[series(vec![f64::NAN, 0.0])], &[]));
        assert_ne!(base, fingerprint(&[series(vec![0.0])], &[]));
        assert_eq!(base.len(), 64);
    }

    #[test]
    fn covariates_are_data() {
        use crate::series::covariate::{Known, Row, Values};
        let covariate =
            |name: &str| Covariate { name: name.into(), known: Known::Future, values: Values::Real };
        let of = |name: &str, values: &[f64]| {
            let row = Row::new(Known::Future, values.to_vec());
            let one = Series { covariates: vec![row], ..series(vec![1.0, 2.0]) };
            fingerprint(&[one], &[covariate(name)])
        };
        let base = of("price", &[1.0, 2.0, f64::NAN]);
        assert_eq!(base, of("price", &[1.0, 2.0, f64::NAN]));
        let others = [of("price", &[1.0, 2.0]), of("price", &[1.0, 2.0, 3.0]), of("cost", &[1.0, 2.0])];
        assert!(others.iter().all(|other| *other != base));
        assert_ne!(base, fingerprint(&[series(vec![1.0, 2.0])], &[]));
    }

    #[test]
    fn a_series_that_goes_on_is_the_series_that_it_becomes() {
        let values: Vec<f64> = (0..300).map(|t| f64::from(t * 7 % 31)).collect();
        let whole = fingerprint(&[series(values.clone())], &[]);
        for cut in [0, 1, 63, 64, 65, 128, 299, 300] {
            let mut chain = Chain::of(&series(values[..cut].to_vec()));
            let times: Vec<i64> = (cut as i64..300).collect();
            let half = times.len() / 2;
            chain.extend(&times[..half], &values[cut..cut + half]);
            chain.extend(&times[half..], &values[cut + half..]);
            assert_eq!(fingerprint_of(&[chain]), whole, "{cut}");
        }
    }
}
