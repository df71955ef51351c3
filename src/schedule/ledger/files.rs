//! Which source files were seen, and since when.

use crate::schedule::ledger::{Ledger, LedgerError};
use rusqlite::params;

/// A source file as it was last read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenFile {
    /// The file.
    pub path: String,
    /// Its stamp as JSON: size, times, content hash.
    pub stamp: String,
    /// When it was first seen, microseconds UTC: from then on its rows were available.
    pub first_seen: i64,
    /// When its content last changed.
    pub changed_at: i64,
}

impl Ledger {
    /// The files of a source, ascending by path.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn files(&self, source: &str) -> Result<Vec<SeenFile>, LedgerError> {
        let query = "SELECT path, stamp, first_seen, changed_at FROM files WHERE source = ?1 ORDER BY path";
        let mut statement = self.connection.prepare_cached(query).map_err(self.wrap())?;
        let rows = statement.query_map([source], |row| {
            Ok(SeenFile {
                path: row.get(0)?,
                stamp: row.get(1)?,
                first_seen: row.get(2)?,
                changed_at: row.get(3)?,
            })
        });
        rows.map_err(self.wrap())?.collect::<Result<_, _>>().map_err(self.wrap())
    }

    /// Records the files that a source has now, as (path, stamp); those that vanished are forgotten.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn see_files(
        &mut self,
        source: &str,
        files: &[(String, String)],
        now: i64,
    ) -> Result<(), LedgerError> {
        let wrap = self.wrap();
        let work = |connection: &mut rusqlite::Connection| {
            let transaction = connection.transaction()?;
            let known: Vec<String> = {
                let mut statement = transaction.prepare_cached("SELECT path FROM files WHERE source = ?1")?;
                let rows = statement.query_map([source], |row| row.get(0))?;
                rows.collect::<Result<_, _>>()?
            };
            for path in known.iter().filter(|path| files.iter().all(|(name, _)| name != *path)) {
                transaction.execute("DELETE FROM files WHERE source = ?1 AND path = ?2", [source, path])?;
            }
            let upsert =
                "INSERT INTO files (source, path, stamp, first_seen, changed_at) VALUES (?1, ?2, ?3, ?4, ?4)
                ON CONFLICT (source, path) DO UPDATE SET stamp = ?3, changed_at = ?4 WHERE stamp <> ?3";
            for (path, stamp) in files {
                transaction.prepare_cached(upsert)?.execute(params![source, path, stamp, now])?;
            }
            transaction.commit()
        };
        work(&mut self.connection).map_err(wrap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::ledger::Durability;

    #[test]
    fn files_keep_their_first_sight_and_vanish() {
        let folder = tempfile::tempdir().expect("folder");
        let mut ledger = Ledger::open(folder.path(), Durability::Simulated).expect("opened");
        let file = |path: &str, stamp: &str| (path.to_string(), stamp.to_string());
        ledger.see_files("s", &[file("a", "1"), file("b", "1")], 10).expect("written");
        ledger.see_files("other", &[file("b", "9")], 10).expect("written");
        ledger.see_files("s", &[file("a", "2"), file("c", "1")], 20).expect("written");
        ledger.see_files("s", &[file("a", "2"), file("c", "1")], 30).expect("written");
        let seen = ledger.files("s").expect("read");
        let short: Vec<_> = seen.iter().map(|f| (f.path.as_str(), f.first_seen, f.changed_at)).collect();
        assert_eq!(short, [("a", 10, 20), ("c", 20, 20)]);
        assert_eq!(ledger.files("other").expect("read").len(), 1);
    }
}
