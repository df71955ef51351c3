//! What the quantiles of a run were corrected by, beside the run: whoever learns from it later takes that back first.

use crate::publish::latest::hex;
use crate::publish::{Commit, PublishError, store};
use sha2::{Digest, Sha256};
use std::io::Write;
use std::path::Path;

/// Name of the file; engines leave out files whose names begin with `_`.
pub(super) const FILE: &str = "_correction.json";

/// The largest one that is read from a store.
pub(super) const BYTES_MAX: u64 = 256 << 20;

/// Its name in a store, where several attempts may put theirs: it says what is in it.
pub(super) fn stored_name(sha256: &str) -> String {
    format!("_correction-{}.json", sha256.get(..12).unwrap_or(sha256))
}

/// Key of its SHA-256 in the metadata of the run.
pub(super) const SHA256: &str = "correction_sha256";

/// SHA-256 of a text, lower-case hex.
pub(super) fn sha256(text: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(text);
    hex(hash)
}

/// Writes the text into the folder of a run. The run counts it only if its metadata has the text's hash.
pub(super) fn write(folder: &Path, text: &str) -> Result<(), PublishError> {
    let path = folder.join(FILE);
    store::publish(&path, |mut file| Ok(file.write_all(text.as_bytes())?), |_| Ok(())).map(drop)
}

/// The text that a run was published with; `None` if it was published without.
///
/// # Errors
/// If it is not there any more, or is another one.
pub fn read_correction(commit: &Commit) -> Result<Option<String>, PublishError> {
    let Some(wanted) = commit.metadata.get(SHA256) else { return Ok(None) };
    let path = commit.folder.join(FILE);
    let text = std::fs::read_to_string(&path).map_err(|error| PublishError::read(&path, &error))?;
    match sha256(&text) == *wanted {
        true => Ok(Some(text)),
        false => Err(PublishError::Read {
            path,
            reason: "it is not the one that the run was published with".into(),
        }),
    }
}
