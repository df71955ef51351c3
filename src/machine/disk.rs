//! Room on the disks.

use std::path::{Path, PathBuf};

/// Free space where a path lies or would lie, bytes; `None` where nobody knows.
pub fn free_bytes(path: &Path) -> Option<u64> {
    space(&existing(path)?)
}

/// The nearest folder or file above a path, itself included, that is there.
fn existing(path: &Path) -> Option<PathBuf> {
    let spelled = |path: &Path| match path.as_os_str().is_empty() {
        true => PathBuf::from("."),
        false => path.to_path_buf(),
    };
    path.ancestors().map(spelled).find(|above| above.exists())
}

#[cfg(unix)]
fn space(path: &Path) -> Option<u64> {
    let space = rustix::fs::statvfs(path).ok()?;
    space.f_bavail.checked_mul(space.f_frsize)
}

#[cfg(not(unix))]
fn space(_: &Path) -> Option<u64> {
    None
}

/// What tells one file system from another; `None` where nobody knows.
#[cfg(unix)]
pub fn device(path: &Path) -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    Some(std::fs::metadata(existing(path)?).ok()?.dev())
}

/// What tells one file system from another; `None` where nobody knows.
#[cfg(not(unix))]
pub fn device(_: &Path) -> Option<u64> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_is_not_there_lies_where_its_folder_does() {
        let folder = tempfile::tempdir().expect("folder");
        let below = folder.path().join("no/such/file");
        assert!(free_bytes(&below).is_some_and(|free| free > 0));
        assert_eq!(device(&below), device(folder.path()));
        assert!(free_bytes(Path::new("out.parquet")).is_some());
    }
}
