//! Copies of objects in a folder: their names, their age, the room for them.

use super::{Copied, Object};
use crate::ingest::files::io_error;
use crate::ingest::seen::{Seen, plain};
use crate::ingest::spec::{IngestError, IngestErrorKind};
use crate::machine::disk;
use crate::store::Entry;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// Its time is the file system's own: ages need no other clock.
const NOW: &str = ".now";

/// Room that stays free, bytes.
const MARGIN: u64 = 64 << 20;

/// How long the copy of an older version stays after its last use: somebody may be reading it.
const OLD_VERSION: Duration = Duration::from_secs(3600);

/// How long any copy stays after its last use.
const UNUSED: Duration = Duration::from_secs(30 * 86_400);

/// How exactly the last use is known.
const USE: Duration = Duration::from_secs(600);

/// A name for what is on its way into the folder.
pub(super) fn incoming(folder: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    folder.join(format!(".incoming-{}-{count}", std::process::id()))
}

/// Where the copy of a version of an object is, or is to be.
pub(super) fn path(folder: &Path, object: &Object, entry: &Entry) -> PathBuf {
    let second = entry.modified.div_euclid(1_000_000);
    let tag = entry.etag.as_deref().map_or("", plain);
    let version = format!("{tag}\0{}\0{second}", entry.bytes);
    folder.join(format!("{}-{}", short_hash(object.address.as_str()), short_hash(&version)))
}

fn short_hash(text: &str) -> String {
    Sha256::digest(text).iter().take(12).map(|byte| format!("{byte:02x}")).collect()
}

/// The copy of an object, if it has been made.
pub(super) fn found(folder: &Path, object: &Object) -> Option<Copied> {
    let path = path(folder, object, &object.entry);
    let is_whole = path.metadata().is_ok_and(|file| file.is_file() && file.len() == object.entry.bytes);
    is_whole.then(|| Copied { path, seen: Seen::of_object(&object.entry) })
}

/// As [`found`]; it is marked as used.
pub(super) fn at_hand(folder: &Path, object: &Object, now: SystemTime) -> Option<Copied> {
    let copied = found(folder, object)?;
    let used = copied.path.metadata().and_then(|file| file.modified()).ok();
    if used.is_none_or(|used| now.duration_since(used).is_ok_and(|age| age > USE)) {
        // It goes a little too early then.
        let _ = File::options().append(true).open(&copied.path).and_then(|file| file.set_modified(now));
    }
    Some(copied)
}

/// What time it is in the folder.
pub(super) fn now(folder: &Path) -> Result<SystemTime, IngestError> {
    let path = folder.join(NOW);
    let time = File::create(&path).and_then(|mut file| {
        io::Write::write_all(&mut file, b"now")?;
        file.metadata()?.modified()
    });
    time.map_err(|error| unusable(folder, &error))
}

/// Removes copies that nobody needs any more.
pub(super) fn sweep(folder: &Path, now: SystemTime) {
    let mut objects: BTreeMap<String, Vec<(SystemTime, PathBuf)>> = BTreeMap::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let used = entry.metadata().and_then(|file| file.modified());
        if let (Ok(used), false) = (used, name == NOW) {
            // What a killed run left of a download has a name of its own.
            let object = name.split('-').next().filter(|part| !part.is_empty()).unwrap_or(&name).to_owned();
            objects.entry(object).or_default().push((used, entry.path()));
        }
    }
    for mut versions in objects.into_values() {
        versions.sort();
        let newest = versions.len() - 1;
        for (place, (used, path)) in versions.iter().enumerate() {
            let is_partial = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
            let limit = if place < newest || is_partial { OLD_VERSION } else { UNUSED };
            let is_old = now.duration_since(*used).is_ok_and(|age| age > limit);
            if is_old && std::fs::remove_file(path).is_ok() {
                tracing::debug!(file = %path.display(), "removed a copy that nobody needs");
            }
        }
    }
}

/// Whether so many bytes fit.
pub(super) fn check_room(folder: &Path, bytes: u64) -> Result<(), IngestError> {
    match disk::free_bytes(folder) {
        Some(free) if bytes.saturating_add(MARGIN) > free => {
            let problem = format!(
                "{}: {} MiB of objects are to be copied there, and {} MiB are free; make room, set TMPDIR (of the daemon: state), \
                 or name less",
                folder.display(),
                bytes.div_ceil(1 << 20),
                free >> 20
            );
            Err(IngestError::new(IngestErrorKind::Io, vec![problem]))
        }
        _ => Ok(()),
    }
}

/// The refusal of a folder that takes no copies.
pub(super) fn unusable(folder: &Path, error: &io::Error) -> IngestError {
    match error.kind() {
        io::ErrorKind::PermissionDenied => io_error(folder, error),
        _ => {
            let problem = format!(
                "{}: objects cannot be copied there: {error}; make room, or set TMPDIR (of the daemon: state)",
                folder.display()
            );
            IngestError::new(IngestErrorKind::Io, vec![problem])
        }
    }
}
