//! Atomic publication of one file.

use crate::publish::PublishError;
use crate::store::{Address, Hidden, fence};
use std::fs::{File, Permissions};
use std::io;
use std::path::{Path, PathBuf};

/// How the names of temporary files begin and end.
const PARTIAL: [&str; 2] = [".s4cast-", ".partial"];

/// A path that may be written: the file behind it and the folder that it stands in.
struct Target {
    /// As asked for, for messages.
    path: PathBuf,
    /// The file to replace; symbolic links are followed, so that the link survives.
    file: PathBuf,
    folder: PathBuf,
    /// Of the file that stands there already.
    permissions: Option<Permissions>,
}

impl Target {
    fn at(path: &Path) -> Result<Target, PublishError> {
        let refuse = |reason: String| PublishError::CannotCreate { path: path.into(), reason };
        fence().path(path)?;
        let text = path.to_string_lossy();
        if Address::parse(&text).is_some() {
            return Err(refuse(
                "this is written to local paths only; write it to a file, and copy that".into(),
            ));
        }
        if path.file_name().is_none() || text.ends_with(['/', '\\']) {
            return Err(refuse(format!("'{text}' names no file; write for example out.parquet")));
        }
        let file = match path.is_symlink() {
            true => {
                path.canonicalize().map_err(|error| refuse(format!("the link leads nowhere ({error})")))?
            }
            false => path.into(),
        };
        let folder = match file.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
            _ => PathBuf::from("."),
        };
        let shown = folder.display();
        match folder.metadata() {
            Ok(found) if !found.is_dir() => return Err(refuse(format!("{shown} is not a folder"))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let remedy = format!("the folder {shown} does not exist; create it with: mkdir -p '{shown}'");
                return Err(refuse(remedy));
            }
            Err(error) => return Err(sort_out(path, &error)),
            Ok(_) => {}
        }
        let permissions = match file.metadata() {
            Ok(found) if found.is_dir() => {
                return Err(refuse(format!(
                    "it is a folder; name a file in it, for example {text}/out.parquet"
                )));
            }
            Ok(found) if !found.is_file() => {
                return Err(refuse("it is a device or a pipe, not a file".into()));
            }
            Ok(found) if found.permissions().readonly() => {
                let reason = "the file there is read-only; make it writable or choose another path".into();
                return Err(PublishError::Permission { path: path.into(), reason });
            }
            Ok(found) => Some(found.permissions()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(sort_out(path, &error)),
        };
        Ok(Target { path: path.into(), file, folder, permissions })
    }

    /// A hidden file in the same folder, removed unless it is persisted. Readers that list `*.parquet` do not see it.
    fn partial(&self) -> Result<Partial, PublishError> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(PARTIAL[0]).suffix(PARTIAL[1]);
        if let Some(permissions) = self.permissions.clone().or_else(ordinary_permissions) {
            builder.permissions(permissions);
        }
        loop {
            let file = builder.tempfile_in(&self.folder).map_err(|error| sort_out(&self.path, &error))?;
            // Another run may have taken it for a leftover before it was locked. Some file systems have no locks.
            if file.as_file().lock().is_err() || file.path().exists() {
                let hidden = Hidden::new(file.path());
                return Ok(Partial { file, _hidden: hidden });
            }
        }
    }
}

/// A hidden file, removed unless it is persisted, whatever ends this process but a kill.
struct Partial {
    file: tempfile::NamedTempFile,
    _hidden: Hidden,
}

/// Removes what killed runs left in a folder; returns how many files.
pub(super) fn remove_leftovers(folder: &Path) -> usize {
    let removed = |path: &PathBuf| {
        let removed = std::fs::remove_file(path).is_ok();
        if removed {
            tracing::info!(file = %path.display(), "removed what a killed run left");
        }
        removed
    };
    leftovers(folder).into_iter().filter(removed).count()
}

/// What killed runs left in a folder: temporary files that no process holds locked.
pub(super) fn leftovers(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(PARTIAL[0])
            && name.ends_with(PARTIAL[1])
            // A pipe of that name would keep whoever opens it waiting.
            && entry.file_type().is_ok_and(|kind| kind.is_file())
            && File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok())
        {
            found.push(entry.path());
        }
    }
    found
}

/// What a new file gets where nothing is replaced: everybody's, less the umask (temporary files are private).
#[cfg(unix)]
fn ordinary_permissions() -> Option<Permissions> {
    use std::os::unix::fs::PermissionsExt;
    Some(Permissions::from_mode(0o666))
}

/// Elsewhere the folder decides.
#[cfg(not(unix))]
fn ordinary_permissions() -> Option<Permissions> {
    None
}

/// Which variant an error of the operating system belongs to.
pub(super) fn sort_out(path: &Path, error: &io::Error) -> PublishError {
    use io::ErrorKind as Kind;
    let (path, reason) = (path.to_path_buf(), root_cause(error));
    let elsewhere = |reason: &str| format!("{reason}; choose another path");
    match error.kind() {
        Kind::PermissionDenied | Kind::ReadOnlyFilesystem => {
            PublishError::Permission { path, reason: elsewhere(&reason) }
        }
        Kind::NotFound
        | Kind::NotADirectory
        | Kind::IsADirectory
        | Kind::AlreadyExists
        | Kind::InvalidInput
        | Kind::InvalidFilename => PublishError::CannotCreate { path, reason: elsewhere(&reason) },
        _ => PublishError::Io { path, reason },
    }
}

/// The innermost message, without the path that the wrapper of temporary files appends: it means nothing to a person.
fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let text = error.to_string();
    match error.source() {
        Some(source) => root_cause(source),
        None => text.split(" at path ").next().unwrap_or(&text).into(),
    }
}

/// Whether a file can be written there, without touching what stands there: asked before hours of training.
///
/// # Errors
/// See [`PublishError`].
pub fn probe(path: &Path) -> Result<(), PublishError> {
    let target = Target::at(path)?;
    remove_leftovers(&target.folder);
    target.partial().map(drop)
}

/// Writes a file atomically: temporary neighbour, sync, `verify` on the closed file, rename, sync of the folder.
///
/// Returns the size in bytes.
pub(super) fn publish(
    path: &Path,
    write: impl FnOnce(&File) -> Result<(), Failure>,
    verify: impl FnOnce(File) -> Result<(), String>,
) -> Result<u64, PublishError> {
    let (prepared, ()) = prepare(path, write, verify)?;
    prepared.persist()
}

/// Why writing failed, in the words of whatever wrote.
pub(super) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A file that is written, synced and verified, and that nobody sees yet. Dropped, it is gone.
pub(super) struct Prepared {
    target: Target,
    partial: Partial,
    /// Its size.
    pub(super) bytes: u64,
}

/// Everything of [`publish`] but the rename; also returns what `verify` found.
pub(super) fn prepare<T>(
    path: &Path,
    write: impl FnOnce(&File) -> Result<(), Failure>,
    verify: impl FnOnce(File) -> Result<T, String>,
) -> Result<(Prepared, T), PublishError> {
    let draft = Draft::new(path)?;
    write(draft.file()).map_err(|error| draft.failed(error.as_ref()))?;
    draft.seal(verify)
}

/// A file that is being written and that nobody sees. Dropped, it is gone.
pub(super) struct Draft {
    target: Target,
    partial: Partial,
}

impl Draft {
    /// An empty file that is to stand at a path.
    pub(super) fn new(path: &Path) -> Result<Draft, PublishError> {
        let target = Target::at(path)?;
        remove_leftovers(&target.folder);
        let partial = target.partial()?;
        Ok(Draft { target, partial })
    }

    /// Where to write.
    pub(super) fn file(&self) -> &File {
        self.partial.file.as_file()
    }

    /// What to say where writing failed.
    pub(super) fn failed(&self, error: &(dyn std::error::Error + 'static)) -> PublishError {
        PublishError::Io { path: self.target.path.clone(), reason: root_cause(error) }
    }

    /// Syncs what was written and has it verified; also returns what `verify` found.
    pub(super) fn seal<T>(
        self,
        verify: impl FnOnce(File) -> Result<T, String>,
    ) -> Result<(Prepared, T), PublishError> {
        self.file().sync_all().map_err(|error| self.failed(&error))?;
        let reopened = self.partial.file.reopen().map_err(|error| self.failed(&error))?;
        let bytes = reopened.metadata().map_err(|error| self.failed(&error))?.len();
        let path = self.target.path.clone();
        let found = verify(reopened).map_err(|reason| PublishError::Verify { path, reason })?;
        Ok((Prepared { target: self.target, partial: self.partial, bytes }, found))
    }
}

impl Prepared {
    /// The hidden file.
    pub(super) fn path(&self) -> &Path {
        self.partial.file.path()
    }

    /// Renames it over its path and makes that durable; returns the size in bytes.
    pub(super) fn persist(self) -> Result<u64, PublishError> {
        let Prepared { target, partial, bytes } = self;
        partial.file.persist(&target.file).map_err(|error| sort_out(&target.path, &error.error))?;
        sync_folder(&target.folder);
        Ok(bytes)
    }
}

/// Puts a hard link of `file` atomically at `path`; an error where the file system has none.
pub(super) fn link(file: &Path, path: &Path) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(PARTIAL[0]).suffix(PARTIAL[1]);
    let partial = builder.make_in(folder, |partial| std::fs::hard_link(file, partial))?;
    std::fs::rename(partial.path(), path)?;
    sync_folder(folder);
    // A rename between two links of one file leaves both, so the temporary one is removed in any case.
    drop(partial);
    Ok(())
}

/// Creates a folder and what is missing above it, durably.
pub(super) fn create_folder(folder: &Path) -> Result<(), PublishError> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    create_folder(parent)?;
    match std::fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists || !folder.is_dir() => {
            Err(sort_out(folder, &error))
        }
        _ => {
            sync_folder(parent);
            Ok(())
        }
    }
}

/// Makes the rename durable. A file system that cannot sync folders keeps the file all the same, so this only warns.
pub(super) fn sync_folder(folder: &Path) {
    if cfg!(unix)
        && let Err(error) = File::open(folder).and_then(|folder| folder.sync_all())
    {
        tracing::warn!(folder = %folder.display(), %error, "the folder could not be synced");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn entries(folder: &Path) -> Vec<String> {
        let names = std::fs::read_dir(folder).expect("folder").map(|entry| entry.expect("entry").file_name());
        names.map(|name| name.to_string_lossy().into_owned()).collect()
    }

    fn put(path: &Path, text: &str) -> Result<u64, PublishError> {
        publish(path, |mut file| Ok(file.write_all(text.as_bytes())?), |_| Ok(()))
    }

    #[test]
    fn the_new_file_replaces_the_old_one_and_nothing_else_stays() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("out");
        assert_eq!(put(&path, "old").expect("written"), 3);
        assert_eq!(put(&path, "newer").expect("written"), 5);
        assert_eq!(std::fs::read_to_string(&path).expect("read"), "newer");
        assert_eq!(entries(folder.path()), ["out"]);
    }

    #[test]
    fn a_failed_write_or_verification_leaves_the_old_file_and_no_other() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("out");
        put(&path, "old").expect("written");
        let full = publish(
            &path,
            |mut file| {
                file.write_all(b"half")?;
                Err(io::Error::from(io::ErrorKind::StorageFull).into())
            },
            |_| Ok(()),
        );
        assert!(matches!(full, Err(PublishError::Io { .. })), "{full:?}");
        let torn = publish(&path, |mut file| Ok(file.write_all(b"half")?), |_| Err("torn".into()));
        assert!(matches!(torn, Err(PublishError::Verify { .. })), "{torn:?}");
        assert_eq!(std::fs::read_to_string(&path).expect("read"), "old");
        assert_eq!(entries(folder.path()), ["out"]);
    }

    #[test]
    fn what_a_killed_run_left_is_removed_and_what_a_running_one_writes_is_not() {
        let folder = tempfile::tempdir().expect("folder");
        let left = folder.path().join(".s4cast-killed.partial");
        std::fs::write(&left, "half").expect("written");
        let other = Target::at(&folder.path().join("other")).expect("target").partial().expect("running");
        put(&folder.path().join("out"), "x").expect("written");
        assert!(!left.exists() && other.file.path().exists());
    }

    #[test]
    fn impossible_paths_are_told_apart() {
        let folder = tempfile::tempdir().expect("folder");
        let missing = folder.path().join("no/such/out.parquet");
        let error = probe(&missing).expect_err("no folder").to_string();
        assert!(error.contains("mkdir -p"), "{error}");
        let file = folder.path().join("file");
        put(&file, "x").expect("written");
        for path in [folder.path().to_path_buf(), file.join("below"), PathBuf::new(), "new/".into()] {
            assert!(matches!(probe(&path), Err(PublishError::CannotCreate { .. })), "{path:?}");
        }
        let mut permissions = file.metadata().expect("metadata").permissions();
        permissions.set_readonly(true);
        std::fs::set_permissions(&file, permissions).expect("set");
        assert!(matches!(probe(&file), Err(PublishError::Permission { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn devices_are_refused_links_followed_and_permissions_kept() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        assert!(matches!(probe(Path::new("/dev/null")), Err(PublishError::CannotCreate { .. })));
        let folder = tempfile::tempdir().expect("folder");
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        put(&file, "old").expect("written");
        std::fs::set_permissions(&file, Permissions::from_mode(0o640)).expect("set");
        symlink(&file, &link).expect("link");
        put(&link, "new").expect("written");
        assert!(link.is_symlink());
        assert_eq!(std::fs::read_to_string(&file).expect("read"), "new");
        assert_eq!(file.metadata().expect("metadata").permissions().mode() & 0o777, 0o640);
    }

    #[test]
    fn a_probe_leaves_no_trace() {
        let folder = tempfile::tempdir().expect("folder");
        probe(&folder.path().join("out")).expect("writable");
        assert!(entries(folder.path()).is_empty());
    }
}
