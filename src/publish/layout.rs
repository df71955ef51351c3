//! Where runs stand below a sink: names, paths, and one publisher at a time for every job.

use crate::publish::{Commit, PublishError};
use jiff::Timestamp;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Which run: what its folder is named after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunKey {
    /// Name of the job, of `[a-z0-9_-]`, at most 64 characters.
    pub job: String,
    /// UUIDv7, derived from the slot: a repetition has the same.
    pub run_id: String,
    /// Nominal instant of the forecast, microseconds UTC.
    pub issued_at: i64,
}

/// The folders of one job below a sink.
pub(super) struct JobFolders {
    /// `job=J`.
    pub(super) history: PathBuf,
    /// `latest/job=J`.
    pub(super) latest: PathBuf,
}

impl JobFolders {
    /// The folders of a job, whether they exist or not.
    pub(super) fn of(sink: &Path, job: &str) -> Result<JobFolders, PublishError> {
        if !is_name(job) {
            let reason = format!("'{job}' names no job; use 1 to 64 of a-z, 0-9, _ and -");
            return Err(PublishError::CannotCreate { path: sink.into(), reason });
        }
        let name = format!("job={job}");
        Ok(JobFolders { history: sink.join(&name), latest: sink.join("latest").join(&name) })
    }

    /// The folder of a run.
    pub(super) fn run(&self, key: &RunKey) -> Result<PathBuf, PublishError> {
        let refuse = |reason: String| PublishError::CannotCreate { path: self.history.clone(), reason };
        let (run_id, issued_at) = (&key.run_id, key.issued_at);
        if !is_run_id(run_id) {
            return Err(refuse(format!("'{run_id}' is no run id; a UUID is one")));
        }
        let date = date_name(issued_at)
            .ok_or_else(|| refuse(format!("{issued_at} microseconds since 1970 lie outside the calendar")))?;
        Ok(self.history.join(date).join(format!("run_id={run_id}")))
    }

    /// Waits until no other publisher works on the job and keeps others out until the file is dropped.
    ///
    /// The folder itself is what is locked, so nothing is left behind. Some file systems have no locks: there, whoever
    /// schedules has to see to it that one process publishes a job.
    pub(super) fn lock(&self) -> Option<File> {
        let folder = File::open(&self.history).ok()?;
        folder.lock().ok()?;
        Some(folder)
    }

    /// The folders of the days that have runs, ascending.
    pub(super) fn days(&self) -> Result<Vec<PathBuf>, PublishError> {
        folders(&self.history, "issued_date=")
    }
}

/// Name of the folder of a day (UTC), of year 0 to 9999, so that the order of names is the order of days.
pub(super) fn date_name(issued_at: i64) -> Option<String> {
    let date = Timestamp::from_microsecond(issued_at).ok()?.to_zoned(jiff::tz::TimeZone::UTC).date();
    (date.year() >= 0).then(|| format!("issued_date={date}"))
}

/// The folders of the runs of a day.
pub(super) fn run_folders(day: &Path) -> Result<Vec<PathBuf>, PublishError> {
    folders(day, "run_id=")
}

/// The commits of a day, in no order.
pub(super) fn commits(day: &Path) -> Result<Vec<Commit>, PublishError> {
    let read = run_folders(day)?.into_iter().map(|folder| Commit::read(&folder));
    Ok(read.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

/// The folders below a folder whose names begin with `prefix`, ascending; none where it does not exist.
fn folders(above: &Path, prefix: &str) -> Result<Vec<PathBuf>, PublishError> {
    let entries = match std::fs::read_dir(above) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|error| PublishError::read(above, &error))?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| PublishError::read(above, &error))?;
        if entry.file_name().to_string_lossy().starts_with(prefix) && entry.path().is_dir() {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// Removes folders that are empty, from `folder` upwards, up to but not including `end`.
pub(super) fn remove_empty(folder: &Path, end: &Path) {
    for above in folder.ancestors().take_while(|above| *above != end) {
        match std::fs::remove_dir(above) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return,
            _ => {}
        }
    }
}

/// Whether a text can name a run: 1 to 64 letters, digits, _ and -.
pub fn is_run_id(run_id: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    (1..=64).contains(&run_id.len()) && run_id.bytes().all(allowed)
}

/// Whether a name is safe as a folder, a label and a part of a URL: 1 to 64 of a-z, 0-9, _ and -.
pub fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
    (1..=64).contains(&name.len()) && name.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_and_days_are_utc() {
        let sink = Path::new("out");
        for job in ["", "Load", "a b", "../x", &"j".repeat(65)] {
            assert!(matches!(JobFolders::of(sink, job), Err(PublishError::CannotCreate { .. })), "{job}");
        }
        let folders = JobFolders::of(sink, "load_1-a").expect("job");
        let key =
            |run_id: &str, issued_at| RunKey { job: "load_1-a".into(), run_id: run_id.into(), issued_at };
        let folder = folders.run(&key("r", 86_400_000_000 - 1)).expect("run");
        assert_eq!(folder, Path::new("out/job=load_1-a/issued_date=1970-01-01/run_id=r"));
        for wrong in
            [key("", 0), key("a/b", 0), key("..", 0), key("r", i64::MAX), key("r", -70_000_000_000_000_000)]
        {
            assert!(matches!(folders.run(&wrong), Err(PublishError::CannotCreate { .. })), "{wrong:?}");
        }
    }
}
