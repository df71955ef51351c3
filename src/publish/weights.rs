//! A trained model as a file.

use std::io::{Read, Write};
use std::path::Path;

use crate::publish::{PublishError, store};

/// Writes a serialised model atomically and reads it back; returns the size in bytes.
///
/// # Errors
/// See [`PublishError`].
pub fn write_model(path: &Path, bytes: &[u8]) -> Result<u64, PublishError> {
    let verify = |mut file: std::fs::File| {
        let mut written = Vec::with_capacity(bytes.len());
        file.read_to_end(&mut written).map_err(|error| error.to_string())?;
        if written == bytes { Ok(()) } else { Err("the bytes on disk are not those of the model".into()) }
    };
    store::publish(path, |mut file| Ok(file.write_all(bytes)?), verify)
}
