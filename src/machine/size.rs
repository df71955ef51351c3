//! Sizes of memory and files as people write and read them.

use std::fmt;
use std::str::FromStr;

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// Why a text is no size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a size; write for example 512MiB, 4GiB or 2GB")]
pub struct SizeError(String);

/// Units with their bytes, those of a power of two and those of a power of ten; a bare letter is the former, as with `ulimit`
/// and systemd.
const UNITS: [(&str, u64); 14] = [
    ("", 1),
    ("b", 1),
    ("k", 1 << 10),
    ("kib", 1 << 10),
    ("kb", 1_000),
    ("m", 1 << 20),
    ("mib", 1 << 20),
    ("mb", 1_000_000),
    ("g", 1 << 30),
    ("gib", 1 << 30),
    ("gb", 1_000_000_000),
    ("t", 1 << 40),
    ("tib", 1 << 40),
    ("tb", 1_000_000_000_000),
];

impl FromStr for Size {
    type Err = SizeError;

    /// A number above zero and a unit; without one, bytes.
    fn from_str(text: &str) -> Result<Size, SizeError> {
        let wrong = || SizeError(text.into());
        let text = text.trim();
        let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let unit = unit.trim().to_lowercase();
        let (_, bytes) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        let exact = number.parse::<u64>().ok().and_then(|number| number.checked_mul(*bytes));
        let rounded = || number.parse::<f64>().ok().map(|number| number * *bytes as f64);
        let rounded = || rounded().filter(|size| *size < u64::MAX as f64).map(|size| size as u64);
        match exact.or_else(rounded) {
            Some(size) if size > 0 => Ok(Size(size)),
            _ => Err(wrong()),
        }
    }
}

/// With three digits that mean something: `17 B`, `3.50 MiB`, `412 MiB`.
impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
        let (mut value, mut place) = (self.0 as f64, 0);
        while value >= 999.5 && place + 1 < names.len() {
            (value, place) = (value / 1024.0, place + 1);
        }
        let digits = match value {
            _ if place == 0 || value >= 99.95 => 0,
            _ if value >= 9.995 => 1,
            _ => 2,
        };
        write!(f, "{value:.digits$} {}", names[place])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_of_both_kinds() {
        let bytes = |text: &str| text.parse::<Size>().map(|size| size.0).ok();
        assert_eq!(bytes("4GiB"), Some(4 << 30));
        assert_eq!(bytes(" 1.5 g "), Some(3 << 29));
        assert_eq!(bytes("2MB"), Some(2_000_000));
        assert_eq!(bytes("4096"), Some(4096));
        for text in ["", "0", "GiB", "4 GiBs", "-1", "1e9", "99999999999TiB", "0.1B", "."] {
            assert_eq!(bytes(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_are_shown_with_three_digits() {
        let shown = [17, 1000, 1 << 20, 3_670_016, 432_013_312, 5 << 30].map(|size| Size(size).to_string());
        assert_eq!(shown, ["17 B", "0.98 KiB", "1.00 MiB", "3.50 MiB", "412 MiB", "5.00 GiB"]);
    }
}
