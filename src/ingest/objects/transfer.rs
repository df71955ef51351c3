//! Downloads, several at a time.

use super::{Copied, Object, copies, refused};
use crate::ingest::Watch;
use crate::ingest::seen::Seen;
use crate::ingest::spec::{IngestError, IngestErrorKind};
use crate::series::progress::{Progress, Unit};
use crate::store::StoreError;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Objects on their way at a time.
const AT_A_TIME: usize = 8;

/// How often whoever waits looks whether to stop.
const LOOK: Duration = Duration::from_millis(100);

/// How long whoever gives up waits for the next that is on its way.
const LAST: Duration = Duration::from_secs(1);

/// Objects that are to be copied, each with its place among all.
type Errands = Arc<Mutex<Vec<(usize, Object)>>>;

/// What became of one.
type Arrival = (usize, Result<Option<Copied>, StoreError>);

/// Copies the objects at these places into the folder; `None` stands for one that is gone by now. The first failure, or `stop`,
/// ends it: what is on its way then ends by itself, and its copy is found the next time.
pub(super) fn download(
    folder: &Path,
    objects: &[Object],
    wanted: &[usize],
    stop: &AtomicBool,
    watch: &Watch,
) -> Result<Vec<(usize, Option<Copied>)>, IngestError> {
    let total = wanted.len();
    let errands: Errands =
        Arc::new(Mutex::new(wanted.iter().rev().map(|&place| (place, objects[place].clone())).collect()));
    let (sender, arrivals) = mpsc::channel();
    for _ in 0..total.min(AT_A_TIME) {
        let (errands, sender, folder) = (errands.clone(), sender.clone(), folder.to_owned());
        let spawned =
            std::thread::Builder::new().name("objects".into()).spawn(move || run(&errands, &sender, &folder));
        spawned.map_err(|error| copies::unusable(&crate::store::scratch_parent(), &error))?;
    }
    drop(sender);
    let give_up = |error: IngestError| {
        errands.lock().unwrap_or_else(PoisonError::into_inner).clear();
        // What ends soon leaves nothing behind in a folder that is about to go.
        while arrivals.recv_timeout(LAST).is_ok() {}
        Err(error)
    };
    let mut copied = Vec::with_capacity(total);
    while copied.len() < total {
        watch(Progress::of("downloading", copied.len(), total, Unit::Files));
        if stop.load(Ordering::Relaxed) {
            let problem = "the download was stopped".to_owned();
            return give_up(IngestError::new(IngestErrorKind::Stopped, vec![problem]));
        }
        match arrivals.recv_timeout(LOOK) {
            Ok((place, Ok(one))) => copied.push((place, one)),
            Ok((_, Err(error))) => return give_up(refused(error)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                let problem = "a download ended without an answer; run again".to_owned();
                return give_up(IngestError::new(IngestErrorKind::Io, vec![problem]));
            }
        }
    }
    Ok(copied)
}

/// Runs errands until there are none.
fn run(errands: &Errands, arrivals: &Sender<Arrival>, folder: &Path) {
    loop {
        let next = errands.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let Some((place, object)) = next else { return };
        // Nobody may be waiting any more.
        if arrivals.send((place, one(&object, folder))).is_err() {
            return;
        }
    }
}

/// Copies one object. It may have been replaced since it was found; then the copy is that of the new one.
fn one(object: &Object, folder: &Path) -> Result<Option<Copied>, StoreError> {
    let incoming = copies::incoming(folder);
    let Some(entry) = object.store.download(object.address.name(), &incoming)? else { return Ok(None) };
    // A list may know less than the answer to a question.
    let is_untagged = object.entry.etag.is_none() && entry.bytes == object.entry.bytes;
    let entry = if is_untagged { &object.entry } else { &entry };
    let path = copies::path(folder, object, entry);
    std::fs::rename(&incoming, &path).map_err(|source| StoreError::Local { path: incoming, source })?;
    Ok(Some(Copied { path, seen: Seen::of_object(entry) }))
}
