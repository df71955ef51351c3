//! Single values as people write them, for flags that are no settings.

use crate::config::words::{self, Wrong};
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};

/// An instant, microseconds UTC; a date or a time without an offset is read in `zone`.
///
/// # Errors
/// What is wrong with it, and what would do.
pub fn instant(text: &str, zone: &TimeZone) -> Result<i64, String> {
    words::instant(text, zone).map_err(in_words)
}

/// A time zone of the IANA database.
///
/// # Errors
/// What is wrong with it, and what would do.
pub fn zone(text: &str) -> Result<TimeZone, String> {
    words::zone(text).map_err(in_words)
}

/// A positive duration with a unit.
///
/// # Errors
/// What is wrong with it, and what would do.
pub fn duration(text: &str) -> Result<SignedDuration, String> {
    words::positive_span(text).map_err(in_words)
}

/// SHA-256 of a file's text, as [`crate::config::Daemon::sha256`] has it: lower-case hex.
pub fn sha256(text: impl AsRef<[u8]>) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn in_words(wrong: Wrong) -> String {
    match wrong.help {
        Some(help) => format!("{}; {help}", wrong.message),
        None => wrong.message,
    }
}
