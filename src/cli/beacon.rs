//! What a daemon shows to those who look without asking it: `STATE/status.json`, for `s4cast top` and for scripts.
//!
//! A thread of its own writes what the loop shares, so that a disk that is full or hangs is felt by nobody but those who look.
//! The file is replaced as a whole, and not synced: after a power cut there is no daemon to tell of.

use crate::cli::clock;
use crate::schedule::status::{Shared, Status};
use crate::series::civil::{SECOND, shown};
use crate::serve;
use serde_json::{Value, json};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Name of the file in the state directory.
pub(super) const FILE: &str = "status.json";

/// Version of its form. Keys are added to, never renamed.
pub(super) const FORMAT: u64 = 1;

/// How often is looked whether anything has changed.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How old the file may get where nothing changes, in microseconds.
const BEAT_EVERY: i64 = 5 * SECOND;

/// The age from which on there is no daemon behind the file, in microseconds.
pub(super) const DEAD_AFTER: i64 = 15 * SECOND;

/// Shows the daemon until it is dropped; then it says that the daemon has ended.
pub(super) struct Beacon {
    over: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Beacon {
    /// Begins to show.
    pub fn light(state: &Path, shared: Shared, is_simulated: bool) -> Beacon {
        let (over, told) = channel();
        let lamp = Lamp { path: state.join(FILE), is_simulated, last: None, is_failing: false };
        let thread =
            std::thread::Builder::new().name("status".into()).spawn(move || lamp.burn(&shared, &told));
        if let Err(error) = &thread {
            tracing::warn!(%error, "nobody can watch this daemon with s4cast top");
        }
        Beacon { over: Some(over), thread: thread.ok() }
    }
}

impl Drop for Beacon {
    fn drop(&mut self) {
        drop(self.over.take());
        if let Some(thread) = self.thread.take() {
            // A bug in showing is no reason to end otherwise than the daemon would.
            let _ = thread.join();
        }
    }
}

/// What writes the file.
struct Lamp {
    path: PathBuf,
    is_simulated: bool,
    /// What was written last, and when.
    last: Option<(Status, i64)>,
    is_failing: bool,
}

impl Lamp {
    fn burn(mut self, shared: &Shared, told: &Receiver<()>) {
        loop {
            let is_over = told.recv_timeout(LOOK_EVERY) != Err(RecvTimeoutError::Timeout);
            let (status, now) = (shared.get(), clock::now());
            // Before the first turn of the loop there is nothing to show.
            if status.started_at != 0 && (is_over || self.is_due(&status, now)) {
                self.write(status, is_over, now);
            }
            if is_over {
                return;
            }
        }
    }

    fn is_due(&self, status: &Status, now: i64) -> bool {
        let Some((before, written_at)) = &self.last else { return true };
        // A clock that was set back must not keep the file old for as long.
        let is_old = !(0..BEAT_EVERY).contains(&(now - written_at));
        is_old || Status { ticked_at: before.ticked_at, ..status.clone() } != *before
    }

    fn write(&mut self, status: Status, is_over: bool, now: i64) {
        let text = document(&status, self.is_simulated, is_over, now).to_string();
        match replace(&self.path, text.as_bytes()) {
            Ok(()) => (self.last, self.is_failing) = (Some((status, now)), false),
            Err(error) if !std::mem::replace(&mut self.is_failing, true) => {
                tracing::warn!(file = %self.path.display(), %error, "s4cast top sees an old state of this daemon");
            }
            Err(_) => {}
        }
    }
}

/// The document: that of `/api/v1/jobs`, and what concerns the process.
fn document(status: &Status, is_simulated: bool, is_over: bool, now: i64) -> Value {
    let state = match (is_over, status.is_draining, status.is_ready) {
        (true, ..) => "stopped",
        (_, true, _) => "draining",
        (_, _, true) => "running",
        _ => "starting",
    };
    let mut document = serve::jobs_document(status);
    document["format"] = json!(FORMAT);
    document["state"] = json!(state);
    document["version"] = json!(env!("CARGO_PKG_VERSION"));
    document["pid"] = json!(std::process::id());
    document["clock"] = json!(if is_simulated { "simulated" } else { "system" });
    document["ticked_at"] = json!(shown(status.ticked_at));
    document["written_at"] = json!(shown(now));
    document
}

/// Replaces a file as a whole; what could not be finished is removed.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let partial = path.with_file_name(format!(".{FILE}.partial"));
    let done = std::fs::write(&partial, bytes).and_then(|()| std::fs::rename(&partial, path));
    if done.is_err() {
        // Where it cannot even be removed, the next one writes over it.
        let _ = std::fs::remove_file(&partial);
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lamp(path: PathBuf) -> Lamp {
        Lamp { path, is_simulated: false, last: None, is_failing: false }
    }

    fn read(path: &Path) -> Value {
        serde_json::from_slice(&std::fs::read(path).expect("written")).expect("a document")
    }

    #[test]
    fn it_is_written_when_something_has_changed_or_it_is_old() {
        let folder = tempfile::tempdir().expect("folder");
        let mut lamp = lamp(folder.path().join(FILE));
        let status = Status { started_at: 1, ticked_at: SECOND, is_ready: true, ..Status::default() };
        assert!(lamp.is_due(&status, SECOND));
        lamp.write(status.clone(), false, SECOND);
        let later = Status { ticked_at: 2 * SECOND, ..status.clone() };
        assert!(!lamp.is_due(&later, 2 * SECOND), "a turn alone is no news");
        assert!(lamp.is_due(&later, 6 * SECOND) && lamp.is_due(&later, 0), "old, or of another time");
        assert!(lamp.is_due(&Status { is_draining: true, ..later }, 2 * SECOND));
        let document = read(&lamp.path);
        assert_eq!((&document["state"], &document["format"]), (&json!("running"), &json!(1)));
        assert_eq!(document["written_at"], "1970-01-01T00:00:01Z");
    }

    #[test]
    fn a_place_that_refuses_leaves_nothing_behind_and_is_tried_again() {
        let folder = tempfile::tempdir().expect("folder");
        let mut lamp = lamp(folder.path().join("later").join(FILE));
        let status = Status { started_at: 1, ..Status::default() };
        lamp.write(status.clone(), false, SECOND);
        assert!(lamp.is_failing && lamp.is_due(&status, SECOND));
        std::fs::create_dir(folder.path().join("later")).expect("created");
        lamp.write(status, true, SECOND);
        assert!(!lamp.is_failing);
        assert_eq!(read(&lamp.path)["state"], "stopped");
        assert_eq!(std::fs::read_dir(folder.path().join("later")).expect("there").count(), 1);
    }

    #[test]
    fn a_daemon_that_ends_says_so() {
        let folder = tempfile::tempdir().expect("folder");
        let shared = Shared::default();
        shared.set(Status { started_at: 1, is_ready: true, ..Status::default() });
        drop(Beacon::light(folder.path(), shared, true));
        let document = read(&folder.path().join(FILE));
        assert_eq!((&document["state"], &document["clock"]), (&json!("stopped"), &json!("simulated")));
    }
}
