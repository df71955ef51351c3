//! The identity of a panel: the same series give the same text, however the files were laid out.

use crate::series::Series;
use sha2::{Digest, Sha256};

/// SHA-256 over ids, timestamps and value bits of series that ascend by id, in lower-case hex.
pub(super) fn fingerprint(series: &[Series]) -> String {
    let mut hash = Sha256::new();
    let mut buffer: Vec<u8> = Vec::new();
    for one in series {
        hash.update((one.unique_id.len() as u64).to_le_bytes());
        hash.update(one.unique_id.as_bytes());
        hash.update((one.times.len() as u64).to_le_bytes());
        fill(&mut buffer, &one.times, |time| time.to_le_bytes());
        hash.update(&buffer);
        // There are many NaNs and two zeros, but one missing value and one nothing.
        let bits = |value: f64| if value.is_nan() { f64::NAN.to_bits() } else { (value + 0.0).to_bits() };
        fill(&mut buffer, &one.values, |value| bits(value).to_le_bytes());
        hash.update(&buffer);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Makes the buffer hold the bytes of the words; eight at a time, which an iterator over bytes does not do.
fn fill<T: Copy>(buffer: &mut Vec<u8>, words: &[T], bytes: impl Fn(T) -> [u8; 8]) {
    buffer.resize(8 * words.len(), 0);
    for (slot, &word) in buffer.chunks_exact_mut(8).zip(words) {
        slot.copy_from_slice(&bytes(word));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::Frequency;

    #[test]
    fn one_for_equal_series_and_another_for_a_moved_value() {
        let series = |values: Vec<f64>| Series {
            unique_id: "a".into(),
            keys: Vec::new(),
            frequency: Frequency::BusinessDays,
            times: vec![0, 1],
            values,
        };
        let base = fingerprint(&[series(vec![0.0, f64::NAN])]);
        assert_eq!(base, fingerprint(&[series(vec![-0.0, -f64::NAN])]));
        assert_ne!(base, fingerprint(&[series(vec![f64::NAN, 0.0])]));
        assert_eq!(base.len(), 64);
    }
}
