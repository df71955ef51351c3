//! A look at texts that are told by what they share with the one before (DELTA_BYTE_ARRAY) before polars reads them.
//!
//! A page says of every text how much of the one before it begins with and how many bytes follow, and polars reserves by both
//! numbers before it looks for the bytes. A damaged page may say anything. Source: Encodings.md of the Parquet format.

use super::footer::{Walk, unzigzag};

/// Whether a page of at most so many texts lies inside its bytes, and its texts have no more bytes than `most`.
pub(super) fn are_plausible(page: &[u8], texts: u64, most: u64) -> bool {
    walk(page, texts).is_some_and(|bytes| bytes <= most)
}

/// Bytes of all texts; `None` where a length leads out of them.
fn walk(page: &[u8], texts: u64) -> Option<u64> {
    let (shared, page) = lengths(page, texts)?;
    let (own, page) = lengths(page, texts)?;
    if shared.len() != own.len() {
        return None;
    }
    let (mut before, mut left, mut bytes) = (0, page.len() as u64, 0u64);
    for (shared, own) in shared.into_iter().zip(own) {
        left = left.checked_sub(own)?;
        before = if shared <= before { shared + own } else { return None };
        bytes = bytes.checked_add(before)?;
    }
    Some(bytes)
}

/// The lengths at the start of some bytes (DELTA_BINARY_PACKED), at most so many, and what follows them.
///
/// ```text
/// values per block, parts per block, values, first value, blocks: least difference, bits per value of every part, parts
/// ```
fn lengths(bytes: &[u8], most: u64) -> Option<(Vec<u64>, &[u8])> {
    let mut walk = Walk::new(bytes);
    let block = walk.varint()?;
    let parts = usize::try_from(walk.varint()?).ok().filter(|parts| *parts > 0)?;
    let count = walk.varint()?;
    let per_part = usize::try_from(block).ok()? / parts;
    if count > most || per_part == 0 || !per_part.is_multiple_of(8) {
        return None;
    }
    let mut last = unzigzag(walk.varint()?);
    let count = usize::try_from(count).ok()?;
    let mut lengths = Vec::with_capacity(count);
    if count > 0 {
        lengths.push(u64::try_from(last).ok()?);
    }
    while lengths.len() < count {
        let least = unzigzag(walk.varint()?);
        let widths = walk.take(parts)?;
        // Parts behind the last value are not there.
        for &width in widths {
            let left = count - lengths.len();
            if left == 0 {
                break;
            }
            let width = usize::from(width);
            let part = walk.take((per_part / 8).checked_mul(width)?)?;
            for place in 0..per_part.min(left) {
                last = last.wrapping_add(least).wrapping_add(bits(part, place * width, width)?);
                lengths.push(u64::try_from(last).ok()?);
            }
        }
    }
    Some((lengths, walk.rest()))
}

/// A number of up to 64 bits that begins at a bit, the lowest first.
fn bits(bytes: &[u8], from: usize, width: usize) -> Option<i64> {
    let bit = |at: usize| u64::from(bytes[at / 8] >> (at % 8) & 1);
    (width <= 64).then(|| (0..width).fold(0, |number, at| number | bit(from + at) << at) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers as a page has them: the first, and for another one block with the least difference and eight bits for the rest.
    fn packed(numbers: &[i64]) -> Vec<u8> {
        let zigzag = |number: i64| {
            let mut value = ((number << 1) ^ (number >> 63)) as u64;
            let mut bytes = Vec::new();
            while value >= 0x80 {
                bytes.push(value as u8 | 0x80);
                value >>= 7;
            }
            bytes.push(value as u8);
            bytes
        };
        let mut bytes = vec![0x80, 0x01, 1, numbers.len() as u8];
        bytes.extend(zigzag(numbers[0]));
        if let [first, second] = numbers {
            bytes.extend(zigzag(second - first));
            bytes.push(0);
        }
        bytes
    }

    fn page(shared: &[i64], own: &[i64], texts: &[u8]) -> Vec<u8> {
        [packed(shared), packed(own), texts.to_vec()].concat()
    }

    #[test]
    fn lengths_of_several_bits_are_unpacked() {
        // From the specification: 7, 5, 3, 1, 2, 3, 4, 5 are differences of 2 bits above −2; then a byte that is not theirs.
        let bytes = [0x80, 0x01, 4, 8, 14, 3, 2, 0, 0, 0, 0xc0, 0x3f, 0, 0, 0, 0, 0, 0, 9];
        assert_eq!(lengths(&bytes, 8), Some((vec![7, 5, 3, 1, 2, 3, 4, 5], &[9][..])));
        assert_eq!(lengths(&bytes, 7), None);
        assert_eq!(lengths(&bytes[..17], 8), None);
    }

    #[test]
    fn lengths_must_lie_inside() {
        // "Hello", then "Help".
        let good = page(&[0, 3], &[5, 1], b"Hellop");
        assert_eq!(walk(&good, 2), Some(9));
        assert!(are_plausible(&good, 2, 9) && !are_plausible(&good, 2, 8) && !are_plausible(&good, 1, 9));
        let wrong = [
            page(&[0, 6], &[5, 1], b"Hellop"),
            page(&[1, 3], &[5, 1], b"Hellop"),
            page(&[0, 3], &[5, 2], b"Hellop"),
            page(&[0, -1], &[5, 1], b"Hellop"),
            page(&[0, 3], &[5, -1], b"Hellop"),
            page(&[0, 3], &[i64::MAX, 1], b"Hellop"),
            page(&[0], &[5, 1], b"Hellop"),
            vec![0x80],
        ];
        for (case, page) in wrong.iter().enumerate() {
            assert_eq!(walk(page, 2), None, "{case}");
        }
    }
}
