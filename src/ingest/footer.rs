//! A walk through the footer of a Parquet file before polars reads it.
//!
//! polars reserves memory for as many entries as a list of the footer claims, and a damaged footer may claim more than
//! any machine has: that would end the process. So every length is first checked against the bytes that are there.
//! Source: the Thrift compact protocol, in which the footer is written.

use super::shapes::{Field, Shape};

/// Structures inside structures; real footers need about six.
const DEPTH_MAX: usize = 64;

/// Whether the bytes of a footer are one structure whose lists and texts lie inside it, and whose fields are of the types that
/// they are read as.
pub(super) fn is_plausible(bytes: &[u8]) -> bool {
    is_whole(Shape::FileMetaData, bytes)
}

/// Whether a structure of that shape stands at the start of some bytes and ends in them.
pub(super) fn is_whole(shape: Shape, bytes: &[u8]) -> bool {
    Walk::new(bytes).structure(shape, 0).is_some()
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
        self.take(usize::try_from(count).ok()?).map(|_| ())
    }

    /// So many bytes.
    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count)?;
        self.bytes = rest;
        Some(taken)
    }

    /// The bytes that are left.
    pub(super) fn rest(self) -> &'a [u8] {
        self.bytes
    }

    /// A number in groups of seven bits.
    pub(super) fn varint(&mut self) -> Option<u64> {
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

    fn structure(&mut self, shape: Shape, depth: usize) -> Option<()> {
        if depth > DEPTH_MAX {
            return None;
        }
        let mut number = 0;
        while let Some(kind) = self.field(&mut number)? {
            // Fields are numbered by 16 bits.
            if !(0..=i64::from(i16::MAX)).contains(&number) {
                return None;
            }
            match (shape.field(number), kind) {
                // A boolean field is told by its type alone.
                (Some(Field::Flag) | None, 1 | 2) => {}
                (Some(Field::Byte), 3) => self.skip(1)?,
                (Some(Field::Number), 4..=6) => drop(self.varint()?),
                (Some(Field::Text), 8) => self.value(kind, depth)?,
                (Some(Field::One(shape)), 12) => self.structure(shape, depth + 1)?,
                (Some(field @ (Field::Numbers | Field::Texts | Field::Many(_))), 9 | 10) => {
                    self.list(Some(field), depth)?;
                }
                (None, _) => self.value(kind, depth)?,
                (Some(_), _) => return None,
            }
        }
        Some(())
    }

    /// A value of which its type alone is known.
    fn value(&mut self, kind: u8, depth: usize) -> Option<()> {
        match kind {
            1..=3 => self.skip(1),
            4..=6 => self.varint().map(|_| ()),
            7 => self.skip(8),
            8 => {
                let length = self.varint()?;
                self.skip(length)
            }
            9 | 10 => self.list(None, depth),
            12 => self.structure(Shape::Other, depth + 1),
            _ => None,
        }
    }

    fn list(&mut self, field: Option<Field>, depth: usize) -> Option<()> {
        let header = self.byte()?;
        let size = if header >> 4 == 15 { self.varint()? } else { u64::from(header >> 4) };
        let kind = header & 0x0f;
        let is_expected = match field {
            Some(Field::Numbers) => matches!(kind, 4..=6),
            Some(Field::Texts) => kind == 8,
            Some(Field::Many(_)) => kind == 12,
            _ => true,
        };
        // Every entry takes a byte at least; where there is none, some programs name no type.
        if size > self.bytes.len() as u64 || size > 0 && !is_expected {
            return None;
        }
        (0..size).try_for_each(|_| match field {
            Some(Field::Many(shape)) => self.structure(shape, depth + 1),
            _ => self.value(kind, depth + 1),
        })
    }
}

/// Numbers with a sign are written so that small ones are short.
pub(super) fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lengths_must_lie_inside() {
        let is_other = |bytes: &[u8]| is_whole(Shape::Other, bytes);
        // Field 1: a list of two integers; field 2: the text "ab".
        assert!(is_other(&[0x19, 0x25, 2, 4, 0x18, 2, b'a', b'b', 0]));
        // A list of 2^32 structures, a text of 200 bytes, no end.
        assert!(!is_other(&[0x19, 0xfc, 0x80, 0x80, 0x80, 0x80, 0x10, 0]));
        assert!(!is_other(&[0x18, 0xc8, 0x01, b'a', 0]));
        assert!(!is_other(&[0x15, 2]));
        assert!(!is_other(&[0x1c; 1000]));
    }

    #[test]
    fn fields_are_of_the_types_that_they_are_read_as() {
        // Version 2, no schema, 5 rows; the last with fields that nobody reads.
        assert!(is_plausible(&[0x15, 4, 0x19, 0x0c, 0x16, 10, 0]));
        assert!(is_plausible(&[0x15, 4, 0x19, 0x00, 0x16, 10, 0]), "an empty list of no type");
        assert!(is_plausible(&[0x15, 4, 0x19, 0x0c, 0x16, 10, 0x55, 2, 0x11, 0]));
        // A number in the place of the schema, whose bytes would be taken for the length of a list; a schema of numbers.
        assert!(!is_plausible(&[0x15, 4, 0x15, 0xfc, 0xff, 0xff, 0x7f, 0x16, 10, 0]));
        assert!(!is_plausible(&[0x15, 4, 0x19, 0x25, 2, 4, 0x16, 10, 0]));
        // A key that is a number, and fields that count beyond 16 bits.
        assert!(!is_plausible(&[0x59, 0x1c, 0x15, 2, 0, 0]));
        assert!(!is_plausible(&[0x05, 0xfe, 0xff, 0xff, 0x0f, 2, 0]));
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            is_plausible(&bytes);
        }
    }
}
