//! A walk through the footer of a Parquet file before polars reads it.
//!
//! polars reserves memory for as many entries as a list of the footer claims, and a damaged footer may claim more than
//! any machine has: that would end the process. So every length is first checked against the bytes that are there.
//! Source: the Thrift compact protocol, in which the footer is written.

/// Structures inside structures; real footers need about six.
const DEPTH_MAX: usize = 64;

/// Whether the bytes of a footer are one structure whose lists and texts lie inside it.
pub(super) fn is_plausible(bytes: &[u8]) -> bool {
    Walk::new(bytes).structure(0).is_some()
}

/// Bytes of the protocol, from where they have been walked to.
pub(super) struct Walk<'a> {
    bytes: &'a [u8],
}

impl<'a> Walk<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Walk<'a> {
        Walk { bytes }
    }

    /// Bytes that are left.
    pub(super) fn left(&self) -> usize {
        self.bytes.len()
    }

    /// The type of the next field of a structure, and its number in the place of that of the one before; an inner `None` ends
    /// the structure.
    pub(super) fn field(&mut self, number: &mut i64) -> Option<Option<u8>> {
        let header = self.byte()?;
        if header == 0 {
            return Some(None);
        }
        *number = match header >> 4 {
            0 => unzigzag(self.varint()?),
            delta => number.saturating_add(delta.into()),
        };
        Some(Some(header & 0x0f))
    }

    /// A number that is not below zero.
    pub(super) fn size(&mut self) -> Option<u64> {
        u64::try_from(unzigzag(self.varint()?)).ok()
    }

    /// Passes over the value of a field of that type.
    pub(super) fn skip_value(&mut self, kind: u8) -> Option<()> {
        // A boolean field is told by its type alone.
        if matches!(kind, 1 | 2) { Some(()) } else { self.value(kind, 0) }
    }

    fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(first)
    }

    fn skip(&mut self, count: u64) -> Option<()> {
        self.bytes = self.bytes.get(usize::try_from(count).ok()?..)?;
        Some(())
    }

    /// A number in groups of seven bits.
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn structure(&mut self, depth: usize) -> Option<()> {
        if depth > DEPTH_MAX {
            return None;
        }
        loop {
            let header = self.byte()?;
            if header == 0 {
                return Some(());
            }
            if header >> 4 == 0 {
                self.varint()?;
            }
            // A boolean field is told by its type alone.
            if !matches!(header & 0x0f, 1 | 2) {
                self.value(header & 0x0f, depth)?;
            }
        }
    }

    fn value(&mut self, kind: u8, depth: usize) -> Option<()> {
        match kind {
            1..=3 => self.skip(1),
            4..=6 => self.varint().map(|_| ()),
            7 => self.skip(8),
            8 => {
                let length = self.varint()?;
                self.skip(length)
            }
            9 | 10 => self.list(depth),
            12 => self.structure(depth + 1),
            _ => None,
        }
    }

    fn list(&mut self, depth: usize) -> Option<()> {
        let header = self.byte()?;
        let size = if header >> 4 == 15 { self.varint()? } else { u64::from(header >> 4) };
        // Every entry takes a byte at least.
        if size > self.bytes.len() as u64 {
            return None;
        }
        (0..size).try_for_each(|_| self.value(header & 0x0f, depth + 1))
    }
}

/// Numbers with a sign are written so that small ones are short.
fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lengths_must_lie_inside() {
        // Field 1: a list of two integers; field 2: the text "ab".
        assert!(is_plausible(&[0x19, 0x25, 2, 4, 0x18, 2, b'a', b'b', 0]));
        // A list of 2^32 structures, a text of 200 bytes, no end.
        assert!(!is_plausible(&[0x19, 0xfc, 0x80, 0x80, 0x80, 0x80, 0x10, 0]));
        assert!(!is_plausible(&[0x18, 0xc8, 0x01, b'a', 0]));
        assert!(!is_plausible(&[0x15, 2]));
        assert!(!is_plausible(&[0x1c; 1000]));
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            is_plausible(&bytes);
        }
    }
}
