//! A run of several parts, each delivered by another process, on a store that knows one promise: to create an object only
//! where there is none.
//!
//! ```text
//! FOLDER/_run.json                which run it is (created once), where nobody was told
//!        part-I-SHA12.parquet     forecasts of shard I; the name says what is in it, so that no two contents share one
//!        _part-I-of-N.json        record (created once): this is the part of shard I
//!        _commit.json             commit (created once) by whoever finds N records that agree
//! ```
//!
//! 1. Where a commit stands already, the run is what it says.
//! 2. The part is put; nothing names it yet.
//! 3. Its record is created. Where another one stands, that one is the shard's, and this part counts for nothing.
//! 4. Once N records are there, their commit is created: a function of the records alone, so that all who try write the same.
//! 5. Parts that the commit does not name are removed: nothing can ever name them.
//!
//! A record and a commit are never replaced, and a part that is named is never removed. So whoever dies anywhere leaves a run that
//! a repetition completes, nobody who comes late changes what is committed, and there is never a commit of fewer parts.

mod agreement;
mod opening;
mod record;
mod step;
mod write;
#[cfg(test)]
mod tests;

pub use agreement::TRAINED_ON;
pub use opening::{Asked, Opening, open};
pub use record::Part;
pub(super) use record::is_part;
pub use write::write;

use crate::publish::PublishError;
use crate::publish::commit::{COMMIT_BYTES_MAX, COMMIT_FILE, Commit};
use crate::series::Shard;
use crate::series::version::Unread;
use crate::store::Store;
use std::path::Path;
use step::Delivering;

/// How far a run is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// All parts are there, and the commit.
    Committed,
    /// The parts of these shards are not there, or not yet.
    Waiting {
        /// Their numbers, ascending.
        missing: Vec<u32>,
    },
}

/// Delivers the part of one shard from a file, and commits the run if it was the last one. A repetition changes nothing.
///
/// Where the shard has another part of this run already, or the run is committed without this one, what stands stays;
/// [`standing`] and [`committed`] tell what that is.
///
/// # Errors
/// [`PublishError::OtherRun`] where the folder is of another run, [`PublishError::Disagree`] where the parts do not belong
/// together, [`PublishError::Store`] where the store fails. Nothing is committed then, or only the answer was lost.
pub fn deliver(store: &Store, folder: &str, part: &Part, file: &Path) -> Result<Delivery, PublishError> {
    Delivering::new(store, folder, part, file)?.run()
}

/// Commits the run if the parts of all `count` shards are there; what is missing otherwise.
///
/// # Errors
/// See [`deliver`].
pub fn complete(store: &Store, folder: &str, count: u32) -> Result<Delivery, PublishError> {
    Delivering::completing(store, folder, count).run()
}

/// The commit of the run in a folder, if there is one.
///
/// # Errors
/// If the store fails or what stands there is no commit.
pub fn committed(store: &Store, folder: &str) -> Result<Option<Commit>, PublishError> {
    let name = within(folder, COMMIT_FILE);
    let Some(text) = store.get(&name, COMMIT_BYTES_MAX)? else { return Ok(None) };
    let commit = Commit::from_json(&text, Path::new(folder));
    commit.map(Some).map_err(|why| unread(store, &name, why))
}

/// The part that a shard has delivered, committed or not, if there is one.
///
/// # Errors
/// If the store fails or what stands there is no record.
pub fn standing(store: &Store, folder: &str, shard: Shard) -> Result<Option<Part>, PublishError> {
    let name = within(folder, &record::record_name(shard));
    let Some(text) = store.get(&name, record::RECORD_BYTES_MAX)? else { return Ok(None) };
    Part::from_json(&text).map(Some).map_err(|why| unread(store, &name, why))
}

/// Whether a part says the same of its run as what stands: the commit, and the part that its shard has delivered before, which
/// has to be made of the same data.
///
/// # Errors
/// [`PublishError::OtherRun`] or [`PublishError::Disagree`], with every difference; or the store's.
pub fn check(store: &Store, folder: &str, part: &Part) -> Result<(), PublishError> {
    if let Some(commit) = committed(store, folder)? {
        agreement::with_commit(store, folder, part, &commit)?;
    }
    match standing(store, folder, part.shard)? {
        Some(stands) => agreement::with_earlier(store, folder, part, &stands),
        None => Ok(()),
    }
}

/// The name of something in a folder of a store.
fn within(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.into() } else { format!("{folder}/{name}") }
}

fn unread(store: &Store, name: &str, why: Unread) -> PublishError {
    PublishError::unread(store.address().join(name).as_str(), why)
}

fn no_good(store: &Store, name: &str, reason: &str) -> PublishError {
    PublishError::Read { path: store.address().join(name).as_str().into(), reason: reason.into() }
}
