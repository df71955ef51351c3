//! Leases of days long gone are removed.

use crate::schedule::lease::key::Key;
use crate::schedule::lease::work::Fleet;
use crate::schedule::spec::Stage;
use crate::series::civil::DAY;
use crate::store::StoreError;
use std::sync::PoisonError;

/// How long leases are kept where the ledger is kept for ever, in microseconds: longer than any daemon is away that still works
/// what it finds when it is back.
pub const KEPT: i64 = 30 * DAY;

/// Days without a lease, one after the other, at which nothing older is looked for.
const EMPTY_DAYS: i64 = 7;

impl Fleet {
    /// Removes the leases of a job's stage that are older than an instant (microseconds UTC); returns how many objects. Days that
    /// this process has looked at are not looked at again, so a new day costs two lists.
    ///
    /// # Errors
    /// If the store does not answer; what is left is removed the next time.
    pub fn clean(&self, job: &str, stage: Stage, before: i64) -> Result<usize, StoreError> {
        let (shard, store) = (self.shard(), self.desk().store());
        let line = format!("{job}/{}", stage.as_str());
        let newest = before.div_euclid(DAY) - 1;
        let known = self.cleaned.lock().unwrap_or_else(PoisonError::into_inner).get(&line).copied();
        let (mut days, mut empty, mut day) = (Vec::new(), 0, newest);
        while known.map_or(empty < EMPTY_DAYS, |known| day > known) {
            let folder = Key::day(job, stage, shard, day);
            empty = if store.list(&folder)?.is_empty() { empty + 1 } else { 0 };
            days.push(folder);
            day -= 1;
        }
        let mut removed = 0;
        // The oldest first: a gap in between would end the search for them the next time.
        for folder in days.iter().rev() {
            for entry in store.list(folder)? {
                store.delete(&entry.name)?;
                removed += 1;
            }
        }
        self.cleaned.lock().unwrap_or_else(PoisonError::into_inner).insert(line, newest);
        Ok(removed)
    }
}
