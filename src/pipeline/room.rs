//! Room on disks, asked for before work begins: hours of training should not end at a full disk.

use crate::machine::{Size, disk};
use crate::publish::PublishError;
use std::path::{Path, PathBuf};

/// Bytes of a row of a file of forecasts beside its quantiles, and of a quantile, compressed: they hardly repeat.
const ROW: u64 = 24;
const QUANTILE: u64 = 7;

/// Bytes that a file of forecasts takes, about: so many rows with so many quantile levels.
pub(super) fn of_forecasts(rows: usize, levels: usize) -> u64 {
    rows as u64 * (ROW + QUANTILE * levels as u64)
}

/// Whether a file of so many bytes can be written at a path, and `spare` bytes stay free.
///
/// # Errors
/// [`PublishError::NoRoom`] with what there is and what is needed.
pub(super) fn check(path: &Path, bytes: u64, spare: u64) -> Result<(), PublishError> {
    match disk::free_bytes(path) {
        Some(free) if free < bytes.saturating_add(spare) => {
            let (free, needed) = (Size(free), Size(bytes.saturating_add(spare)));
            Err(PublishError::NoRoom { path: path.into(), free, needed })
        }
        _ => Ok(()),
    }
}

/// Whether `spare` bytes are free on the disks of all of these folders; each disk is asked once.
///
/// # Errors
/// As `check`, of the first that lacks room.
pub fn check_all(folders: &[PathBuf], spare: u64) -> Result<(), PublishError> {
    let mut seen = Vec::new();
    for folder in folders {
        let device = disk::device(folder);
        if device.is_none() || !seen.contains(&device) {
            seen.push(device);
            check(folder, 0, spare)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_with_both_figures() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("out.parquet");
        assert!(check(&path, 1, 0).is_ok());
        let error = check(&path, 1 << 62, 1 << 20).expect_err("no such disk").to_string();
        assert!(
            error.contains("out.parquet") && error.contains("4.00 EiB") && error.contains("make room"),
            "{error}"
        );
        assert!(check_all(&[folder.path().into(), path], 1).is_ok());
    }
}
