//! Versions of what the program writes and reads again: told before anything else of a file is understood, and in the same words
//! everywhere.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::ops::RangeInclusive;

/// Why something that was written cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// It is of a version that this program does not know: see [`refusal`].
    #[error("{0}")]
    Version(String),
    /// It is not as any version is.
    #[error("{0}")]
    Damaged(String),
}

/// Why a file of some version cannot be read by this program, which knows those of a range; `None` where it can be.
pub fn refusal(found: u64, known: RangeInclusive<u64>) -> Option<String> {
    let (program, first, last) = (env!("CARGO_PKG_VERSION"), known.start(), known.end());
    match found {
        found if known.contains(&found) => None,
        found if found > *last => Some(format!(
            "it has format {found}, and this is s4cast {program}, which reads up to {last}; use a newer s4cast"
        )),
        found => Some(format!("it has format {found}, and s4cast {program} reads {first} to {last}")),
    }
}

/// JSON with a key `version`, 1 where it is left out, as early programs did with some files.
///
/// # Errors
/// If the version is none of those up to `known`, or the text is not as that version is.
pub fn from_json<T: DeserializeOwned>(text: &[u8], known: u32) -> Result<T, Unread> {
    #[derive(Deserialize)]
    struct Version {
        version: Option<u64>,
    }
    let damaged = |error: serde_json::Error| Unread::Damaged(error.to_string());
    let Version { version } = serde_json::from_slice(text).map_err(damaged)?;
    match refusal(version.unwrap_or(1), 1..=known.into()) {
        Some(reason) => Err(Unread::Version(reason)),
        None => serde_json::from_slice(text).map_err(damaged),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct File {
        rows: usize,
    }

    #[test]
    fn a_newer_version_is_told_before_anything_else() {
        let read = |text: &str| from_json::<File>(text.as_bytes(), 2);
        for text in ["{\"rows\": 3}", "{\"version\": 1, \"rows\": 3}", "{\"rows\": 3, \"version\": 2}"] {
            assert_eq!(read(text), Ok(File { rows: 3 }), "{text}");
        }
        let Err(Unread::Version(reason)) = read("{\"version\": 3, \"lines\": []}") else { panic!("newer") };
        assert!(reason.contains("format 3") && reason.contains("up to 2"), "{reason}");
        assert!(reason.contains(env!("CARGO_PKG_VERSION")) && reason.contains("newer s4cast"), "{reason}");
        assert!(matches!(read("{\"version\": 0}"), Err(Unread::Version(_))));
        assert!(matches!(read("{\"version\": 2}"), Err(Unread::Damaged(_))));
        assert!(matches!(read("no JSON"), Err(Unread::Damaged(_))));
    }
}
