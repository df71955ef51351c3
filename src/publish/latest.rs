//! `latest/job=J/`: one file that always shows the newest run, and only ever moves forward.

use crate::publish::commit::{Commit, part_name};
use crate::publish::layout::{self, JobFolders, RunKey};
use crate::publish::splice::{self, Reach};
use crate::publish::{Format, PublishError, store};
use parquet::file::metadata::KeyValue;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::path::Path;

/// Key of the SHA-256 of the part file that a file in `latest` shows.
const PART_SHA256: &str = "s4cast.part_sha256";

/// The run that `latest` shows; `None` before the first one.
///
/// # Errors
/// If the sink cannot be read or the job is misnamed.
pub fn latest(sink_path: &Path, job: &str) -> Result<Option<Commit>, PublishError> {
    let folders = JobFolders::of(sink_path, job)?;
    match named(&folders, job).map(|key| Commit::read(&folders.run(&key)?)).transpose()?.flatten() {
        Some(commit) => Ok(Some(commit)),
        // A CSV file names no run: but for the instant of a publication, it shows the newest one.
        None => newest(&folders),
    }
}

/// The run that the Parquet file names.
fn named(folders: &JobFolders, job: &str) -> Option<RunKey> {
    let file = File::open(folders.latest.join(part_name(Format::Parquet))).ok()?;
    let footer = splice::footer(&file).ok()?;
    let issued_at = splice::value(&footer, "s4cast.issued_at")?.parse::<jiff::Timestamp>().ok()?;
    let run_id = splice::value(&footer, "s4cast.run_id")?;
    Some(RunKey { job: job.into(), run_id, issued_at: issued_at.as_microsecond() })
}

/// The newest run that is committed.
pub(super) fn newest(folders: &JobFolders) -> Result<Option<Commit>, PublishError> {
    for day in folders.days()?.iter().rev() {
        let newest = layout::commits(day)?.into_iter().max_by(|a, b| a.age().cmp(&b.age()));
        if newest.is_some() {
            return Ok(newest);
        }
    }
    Ok(None)
}

/// Lets `latest` show the newest run, if it does not yet; returns whether it moved.
pub(super) fn update(folders: &JobFolders) -> Result<bool, PublishError> {
    let Some(newest) = newest(folders)? else { return Ok(false) };
    let path = folders.latest.join(part_name(newest.format));
    let moves = !shows(&path, &newest);
    if moves {
        store::create_folder(&folders.latest)?;
        place(&path, &newest, &path, Reach::Footer)?;
    }
    remove_other_formats(&folders.latest, newest.format);
    Ok(moves)
}

/// Puts the file of a run at a path, for readers who may have begun with the file `old`.
pub(super) fn place(path: &Path, commit: &Commit, old: &Path, reach: Reach) -> Result<(), PublishError> {
    match commit.format {
        Format::Parquet => place_parquet(path, commit, old, reach),
        Format::Csv => place_as_it_is(path, commit),
    }
}

/// Whether the file shows this very run.
pub(super) fn shows(path: &Path, commit: &Commit) -> bool {
    let Ok(file) = File::open(path) else { return false };
    match commit.format {
        Format::Parquet => {
            let footer = splice::footer(&file).ok();
            footer
                .and_then(|footer| splice::value(&footer, PART_SHA256))
                .is_some_and(|hash| hash == commit.sha256)
        }
        Format::Csv => sha256(file).is_ok_and(|hash| hash == commit.sha256),
    }
}

fn place_parquet(path: &Path, commit: &Commit, old: &Path, reach: Reach) -> Result<(), PublishError> {
    let part = File::open(commit.path()).map_err(|error| PublishError::read(&commit.path(), &error))?;
    let old = File::open(old).ok();
    let hash = KeyValue::new(PART_SHA256.into(), commit.sha256.clone());
    let write = |out: &File| splice::splice(&part, old.as_ref(), vec![hash], out, reach);
    store::publish(path, write, |spliced| splice::verify(&part, &spliced)).map(drop)
}

/// Readers of CSV open a file once, so a link will do; a copy where there are no links.
fn place_as_it_is(path: &Path, commit: &Commit) -> Result<(), PublishError> {
    let part = commit.path();
    if store::link(&part, path).is_ok() {
        return Ok(());
    }
    let mut source = File::open(&part).map_err(|error| PublishError::read(&part, &error))?;
    let verify = |copy: File| match sha256(copy) {
        Ok(hash) if hash == commit.sha256 => Ok(()),
        Ok(_) => Err("the copy differs from the run".into()),
        Err(error) => Err(error.to_string()),
    };
    store::publish(path, |mut out| Ok(std::io::copy(&mut source, &mut out).map(drop)?), verify).map(drop)
}

/// Removes the part files of other formats, which an earlier config asked for.
pub(super) fn remove_other_formats(folder: &Path, format: Format) {
    for other in Format::ALL.into_iter().filter(|other| *other != format) {
        let path = folder.join(part_name(other));
        if std::fs::remove_file(&path).is_ok() {
            tracing::info!(file = %path.display(), "removed the file of a format that is no longer written");
        }
    }
}

/// SHA-256 of a file from its present position on, lower-case hex.
pub(super) fn sha256(mut file: File) -> std::io::Result<String> {
    let mut hash = Sha256::new();
    std::io::copy(&mut file, &mut hash)?;
    Ok(hex(hash))
}

/// Lower-case hex.
pub(super) fn hex(hash: Sha256) -> String {
    format!("{:x}", hash.finalize())
}
