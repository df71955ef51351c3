//! Bytes as they are: a trained model, a text.

use crate::publish::{PublishError, store};
use std::io::{Read, Write};
use std::path::Path;

/// Writes bytes atomically and reads them back; returns their number.
///
/// # Errors
/// See [`PublishError`].
pub fn write_bytes(path: &Path, bytes: &[u8]) -> Result<u64, PublishError> {
    let verify = |mut file: std::fs::File| {
        let mut written = Vec::with_capacity(bytes.len());
        file.read_to_end(&mut written).map_err(|error| error.to_string())?;
        if written == bytes { Ok(()) } else { Err("the bytes on disk are others".into()) }
    };
    store::publish(path, |mut file| Ok(file.write_all(bytes)?), verify)
}
