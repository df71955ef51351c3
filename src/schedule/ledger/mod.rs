//! The slot ledger: SQLite in the state directory, in WAL mode, with one writer.
//!
//! A slot is written before its work begins and ends exactly once: the table itself refuses a second outcome. What a
//! crash leaves is therefore a slot without an outcome, and nothing else. Schedule slots are unique by job, stage and
//! instant; the cursor of a schedule moves in the same transaction that writes its slots, so replay neither loses nor
//! repeats one.

mod files;
mod read;

pub use files::SeenFile;
pub use read::{LedgerReader, SlotMark, SlotQuery};

use crate::schedule::crash;
use crate::schedule::outcome::{Outcome, SlotRow, Trigger};
use crate::schedule::spec::Stage;
use crate::series::version::refusal;
use rusqlite::{Connection, OptionalExtension, params};
use std::path::{Path, PathBuf};

/// Name of the database in the state directory.
pub const FILE: &str = "ledger.db";

/// Version of the tables, in SQLite's `user_version`.
const FORMAT: i64 = 1;

/// The tables. Times are microseconds UTC.
const TABLES: &str = "
CREATE TABLE slots (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  job TEXT NOT NULL,
  stage TEXT NOT NULL,
  slot INTEGER NOT NULL,
  trigger TEXT NOT NULL,
  planned_at INTEGER NOT NULL,
  started_at INTEGER,
  ended_at INTEGER,
  outcome TEXT CHECK (outcome IN ('ok', 'degraded', 'failed', 'skipped', 'missed')),
  is_late INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  run_id TEXT NOT NULL,
  reasons TEXT NOT NULL,
  detail TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX one_slot ON slots (job, stage, slot) WHERE trigger = 'schedule';
CREATE INDEX open_slots ON slots (id) WHERE outcome IS NULL;
CREATE INDEX ended_slots ON slots (ended_at);
CREATE TRIGGER one_outcome BEFORE UPDATE ON slots WHEN OLD.outcome IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'the slot has ended'); END;
CREATE TABLE cursors (
  job TEXT NOT NULL,
  stage TEXT NOT NULL,
  rule TEXT NOT NULL,
  planned_through INTEGER NOT NULL,
  PRIMARY KEY (job, stage)
) STRICT, WITHOUT ROWID;
CREATE TABLE files (
  source TEXT NOT NULL,
  path TEXT NOT NULL,
  stamp TEXT NOT NULL,
  first_seen INTEGER NOT NULL,
  changed_at INTEGER NOT NULL,
  PRIMARY KEY (source, path)
) STRICT, WITHOUT ROWID;
";

/// What makes the newest slots of a stage quick to find, however long the ledger is; databases of early programs get it when they
/// are opened.
const INDEX: &str = "CREATE INDEX IF NOT EXISTS stage_slots ON slots (job, stage)";

/// Why the ledger cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The database refuses: full disk, damage, permission.
    #[error("{path}: {reason}; check the disk and the permissions of the state directory")]
    Database {
        /// The database.
        path: PathBuf,
        /// SQLite's words.
        reason: rusqlite::Error,
    },
    /// Written by a newer program, or no ledger at all.
    #[error("{path} cannot be read: {}; or name another state directory", refused(*found))]
    Format {
        /// The database.
        path: PathBuf,
        /// What it says.
        found: i64,
    },
    /// There is no ledger.
    #[error("{0} does not exist; name the state directory of a daemon that ran, with --state or --config")]
    Missing(PathBuf),
}

/// Why a ledger of some format is refused.
fn refused(found: i64) -> String {
    let words = refusal(u64::try_from(found).unwrap_or(0), 1..=FORMAT.unsigned_abs());
    words.unwrap_or_else(|| "it is no ledger".into())
}

/// How much a power cut may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Nothing: every transaction is synced.
    Full,
    /// The last transactions; for simulations, which have no power to lose.
    Simulated,
}

/// A slot that is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSlot {
    /// Name of the job.
    pub job: String,
    /// What it does.
    pub stage: Stage,
    /// Nominal instant.
    pub slot: i64,
    /// Why it is planned.
    pub trigger: Trigger,
    /// Whether its time passed unseen.
    pub is_late: bool,
    /// UUIDv7 of its run.
    pub run_id: String,
    /// How it ended, if it is not to be worked at all, and why.
    pub ended: Option<(Outcome, String)>,
    /// Whether the other daemons that share it are to be asked before it ends so: it is written open then, with the reason.
    pub is_open: bool,
}

/// Where a schedule stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The rule in words; another rule starts anew.
    pub rule: String,
    /// All slots up to this instant are written.
    pub planned_through: i64,
}

/// How a slot ends.
#[derive(Clone, Debug)]
pub struct Ending {
    /// In one word.
    pub outcome: Outcome,
    /// Why, one line each.
    pub reasons: Vec<String>,
    /// What it did.
    pub detail: serde_json::Value,
}

/// The writing connection; one per state directory, which the lock of [`crate::schedule::lock`] makes sure of.
pub struct Ledger {
    connection: Connection,
    path: PathBuf,
}

impl Ledger {
    /// Opens or creates the ledger of a state directory, which exists.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn open(state: &Path, durability: Durability) -> Result<Ledger, LedgerError> {
        let path = state.join(FILE);
        let wrap = |reason| LedgerError::Database { path: path.clone(), reason };
        let connection = Connection::open(&path).map_err(wrap)?;
        let found: i64 =
            connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(wrap)?;
        let synchronous = match durability {
            Durability::Full => "FULL",
            Durability::Simulated => "OFF",
        };
        connection.pragma_update(None, "journal_mode", "WAL").map_err(wrap)?;
        connection.pragma_update(None, "synchronous", synchronous).map_err(wrap)?;
        connection.busy_timeout(std::time::Duration::from_secs(10)).map_err(wrap)?;
        let empty: i64 =
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(wrap)?;
        match found {
            0 if empty == 0 => connection
                .execute_batch(&format!("BEGIN; {TABLES} PRAGMA user_version = {FORMAT}; COMMIT;"))
                .map_err(wrap)?,
            FORMAT => {}
            found => return Err(LedgerError::Format { path, found }),
        }
        connection.execute_batch(INDEX).map_err(wrap)?;
        Ok(Ledger { connection, path })
    }

    fn wrap(&self) -> impl Fn(rusqlite::Error) -> LedgerError + use<> {
        let path = self.path.clone();
        move |reason| LedgerError::Database { path: path.clone(), reason }
    }

    /// Where the schedule of a stage stands; `None` if it never ran.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn cursor(&self, job: &str, stage: Stage) -> Result<Option<Cursor>, LedgerError> {
        let query = "SELECT rule, planned_through FROM cursors WHERE job = ?1 AND stage = ?2";
        let row = |row: &rusqlite::Row<'_>| Ok(Cursor { rule: row.get(0)?, planned_through: row.get(1)? });
        self.connection.query_row(query, params![job, stage.as_str()], row).optional().map_err(self.wrap())
    }

    /// Moves the cursor of a schedule without slots: a new or changed rule starts here.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn set_cursor(&mut self, job: &str, stage: Stage, cursor: &Cursor) -> Result<(), LedgerError> {
        set_cursor(&self.connection, job, stage, cursor).map_err(self.wrap())
    }

    /// Writes slots and moves the cursor, all or nothing; returns the rows.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn plan(
        &mut self,
        slots: &[NewSlot],
        cursor: Option<&Cursor>,
        now: i64,
    ) -> Result<Vec<SlotRow>, LedgerError> {
        let wrap = self.wrap();
        let work = |connection: &mut Connection| {
            let transaction = connection.transaction()?;
            let rows = slots.iter().map(|slot| insert(&transaction, slot, now)).collect::<Result<_, _>>()?;
            if let (Some(cursor), Some(slot)) = (cursor, slots.first()) {
                set_cursor(&transaction, &slot.job, slot.stage, cursor)?;
            }
            transaction.commit()?;
            Ok(rows)
        };
        work(&mut self.connection).map_err(wrap)
    }

    /// Records that the attempt begins which the row counts already.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn start(&mut self, row: &SlotRow, now: i64) -> Result<(), LedgerError> {
        let update = "UPDATE slots SET started_at = ?2, attempts = ?3, detail = ?4 WHERE id = ?1";
        let mut statement = self.connection.prepare_cached(update).map_err(self.wrap())?;
        let values = params![row.id, now, row.attempts, crash::at_work(row).to_string()];
        statement.execute(values).map(drop).map_err(self.wrap())
    }

    /// Records that a slot waits, and why its attempt failed if one did: it was given up in an orderly way.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn rest(&mut self, row: &SlotRow) -> Result<(), LedgerError> {
        let update = "UPDATE slots SET reasons = ?2, detail = ?3 WHERE id = ?1";
        let values = params![row.id, json(&row.reasons), crash::at_rest(row).to_string()];
        self.connection.execute(update, values).map(drop).map_err(self.wrap())
    }

    /// Ends a slot; a second time is an error.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn end(&mut self, id: i64, ending: &Ending, now: i64) -> Result<(), LedgerError> {
        let update = "UPDATE slots SET ended_at = ?2, outcome = ?3, reasons = ?4, detail = ?5 WHERE id = ?1";
        let mut statement = self.connection.prepare_cached(update).map_err(self.wrap())?;
        let values =
            params![id, now, ending.outcome.as_str(), json(&ending.reasons), ending.detail.to_string()];
        statement.execute(values).map(drop).map_err(self.wrap())
    }

    /// Slots without an outcome, in the order of planning: what a crash or a shutdown left.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn open_slots(&self) -> Result<Vec<SlotRow>, LedgerError> {
        read::select(&self.connection, "WHERE outcome IS NULL ORDER BY id", &[]).map_err(self.wrap())
    }

    /// One slot.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn slot(&self, id: i64) -> Result<Option<SlotRow>, LedgerError> {
        let mut rows = read::select(&self.connection, "WHERE id = ?1", &[&id]).map_err(self.wrap())?;
        Ok(rows.pop())
    }

    /// Whether a person asked for a slot of that instant already.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn has_manual(&self, job: &str, stage: Stage, slot: i64) -> Result<bool, LedgerError> {
        let query = "SELECT EXISTS (SELECT 1 FROM slots WHERE job = ?1 AND stage = ?2 AND slot = ?3 AND trigger = 'manual')";
        let values = params![job, stage.as_str(), slot];
        self.connection.query_row(query, values, |row| row.get(0)).map_err(self.wrap())
    }

    /// When the last slot of a stage ended well, here or with another daemon that shares it.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn last_success(&self, job: &str, stage: Stage) -> Result<Option<i64>, LedgerError> {
        let query =
            "SELECT max(ended_at) FROM slots WHERE job = ?1 AND stage = ?2 AND (outcome IN ('ok', 'degraded')
            OR outcome = 'skipped' AND json_extract(detail, '$.worked_by.outcome') IN ('ok', 'degraded'))";
        self.connection.query_row(query, params![job, stage.as_str()], |row| row.get(0)).map_err(self.wrap())
    }

    /// Forgets slots that ended before an instant; returns how many.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn forget(&mut self, before: i64) -> Result<usize, LedgerError> {
        let delete = "DELETE FROM slots WHERE outcome IS NOT NULL AND ended_at < ?1";
        self.connection.execute(delete, [before]).map_err(self.wrap())
    }
}

fn set_cursor(
    connection: &Connection,
    job: &str,
    stage: Stage,
    cursor: &Cursor,
) -> Result<(), rusqlite::Error> {
    let upsert = "INSERT INTO cursors (job, stage, rule, planned_through) VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT (job, stage) DO UPDATE SET rule = ?3, planned_through = ?4";
    let mut statement = connection.prepare_cached(upsert)?;
    statement.execute(params![job, stage.as_str(), cursor.rule, cursor.planned_through]).map(drop)
}

fn insert(connection: &Connection, new: &NewSlot, now: i64) -> Result<SlotRow, rusqlite::Error> {
    let insert =
        "INSERT INTO slots (job, stage, slot, trigger, planned_at, ended_at, outcome, is_late, attempts,
        run_id, reasons, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, ?9, ?10, 'null')";
    let outcome = new.ended.as_ref().filter(|_| !new.is_open).map(|(outcome, _)| *outcome);
    let reasons: Vec<String> = new.ended.iter().map(|(_, reason)| reason.clone()).collect();
    let ended_at = outcome.map(|_| now);
    connection.prepare_cached(insert)?.execute(params![
        new.job,
        new.stage.as_str(),
        new.slot,
        new.trigger.as_str(),
        now,
        ended_at,
        outcome.map(Outcome::as_str),
        new.is_late,
        new.run_id,
        json(&reasons),
    ])?;
    Ok(SlotRow {
        id: connection.last_insert_rowid(),
        job: new.job.clone(),
        stage: new.stage,
        slot: new.slot,
        trigger: new.trigger,
        planned_at: now,
        started_at: None,
        ended_at,
        outcome,
        is_late: new.is_late,
        attempts: 0,
        run_id: new.run_id.clone(),
        reasons,
        detail: serde_json::Value::Null,
    })
}

fn json(reasons: &[String]) -> String {
    serde_json::json!(reasons).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(slot: i64, trigger: Trigger) -> NewSlot {
        NewSlot {
            job: "load".into(),
            stage: Stage::Forecast,
            slot,
            trigger,
            is_late: false,
            run_id: format!("run-{slot}"),
            ended: None,
            is_open: false,
        }
    }

    fn ending(outcome: Outcome) -> Ending {
        Ending { outcome, reasons: vec!["because".into()], detail: serde_json::json!({ "rows": 3 }) }
    }

    #[test]
    fn a_slot_is_planned_started_and_ended_once() {
        let folder = tempfile::tempdir().expect("folder");
        let mut ledger = Ledger::open(folder.path(), Durability::Simulated).expect("opened");
        let cursor = Cursor { rule: "every 1h".into(), planned_through: 5 };
        let rows = ledger.plan(&[new(5, Trigger::Schedule)], Some(&cursor), 6).expect("planned");
        let id = rows[0].id;
        assert_eq!(ledger.open_slots().expect("read"), rows);
        assert_eq!(ledger.cursor("load", Stage::Forecast).expect("read"), Some(cursor));
        let begun = SlotRow { attempts: 1, ..rows[0].clone() };
        ledger.start(&begun, 7).expect("started");
        ledger.end(id, &ending(Outcome::Ok), 8).expect("ended");
        let row = ledger.slot(id).expect("read").expect("there");
        assert_eq!((row.outcome, row.started_at, row.ended_at), (Some(Outcome::Ok), Some(7), Some(8)));
        assert_eq!((row.attempts, row.detail["rows"].as_i64()), (1, Some(3)));
        assert!(ledger.end(id, &ending(Outcome::Failed), 9).is_err(), "it has ended");
        assert!(ledger.start(&begun, 9).is_err(), "it has ended");
        assert!(ledger.open_slots().expect("read").is_empty());
        assert_eq!(ledger.last_success("load", Stage::Forecast).expect("read"), Some(8));
    }

    #[test]
    fn a_scheduled_instant_is_written_once_and_a_manual_one_as_often_as_wanted() {
        let folder = tempfile::tempdir().expect("folder");
        let mut ledger = Ledger::open(folder.path(), Durability::Full).expect("opened");
        let cursor = Cursor { rule: "r".into(), planned_through: 9 };
        ledger.plan(&[new(5, Trigger::Schedule)], None, 6).expect("planned");
        assert!(
            ledger.plan(&[new(6, Trigger::Schedule), new(5, Trigger::Schedule)], Some(&cursor), 7).is_err()
        );
        assert_eq!(ledger.cursor("load", Stage::Forecast).expect("read"), None, "all or nothing");
        for _ in 0..2 {
            ledger.plan(&[new(5, Trigger::Manual)], None, 8).expect("planned");
        }
        assert_eq!(ledger.open_slots().expect("read").len(), 3);
    }

    #[test]
    fn ended_slots_are_forgotten_and_open_ones_kept() {
        let folder = tempfile::tempdir().expect("folder");
        let mut ledger = Ledger::open(folder.path(), Durability::Simulated).expect("opened");
        let missed = NewSlot { ended: Some((Outcome::Missed, "down".into())), ..new(1, Trigger::Schedule) };
        let rows = ledger.plan(&[missed, new(2, Trigger::Schedule)], None, 3).expect("planned");
        assert_eq!((rows[0].outcome, rows[0].ended_at), (Some(Outcome::Missed), Some(3)));
        assert_eq!(ledger.forget(3).expect("deleted"), 0);
        assert_eq!(ledger.forget(4).expect("deleted"), 1);
        assert_eq!(ledger.open_slots().expect("read").len(), 1);
    }

    #[test]
    fn the_newest_slots_of_a_stage_are_found_by_an_index_that_early_databases_get() {
        let folder = tempfile::tempdir().expect("folder");
        let mut ledger = Ledger::open(folder.path(), Durability::Simulated).expect("opened");
        ledger.connection.execute_batch("DROP INDEX stage_slots").expect("dropped");
        let other =
            |slot, job: &str, stage| NewSlot { job: job.into(), stage, ..new(slot, Trigger::Schedule) };
        let slots: Vec<NewSlot> = (0..6).map(|slot| new(slot, Trigger::Schedule)).collect();
        let rows = ledger.plan(&slots, None, 9).expect("planned");
        ledger
            .plan(&[other(7, "other", Stage::Forecast), other(7, "load", Stage::Train)], None, 9)
            .expect("planned");
        for row in &rows[..4] {
            ledger.end(row.id, &ending(Outcome::Degraded), 10).expect("ended");
        }
        drop(ledger);
        drop(Ledger::open(folder.path(), Durability::Simulated).expect("opened again"));
        let reader = LedgerReader::open(folder.path()).expect("opened");
        let marks = reader.marks("load", Stage::Forecast, 4).expect("read");
        let seen: Vec<(i64, Option<Outcome>)> = marks.iter().map(|mark| (mark.slot, mark.outcome)).collect();
        let degraded = Some(Outcome::Degraded);
        assert_eq!(seen, [(5, None), (4, None), (3, degraded), (2, degraded)]);
        let last = reader.last_ended("load", Stage::Forecast).expect("read").expect("there");
        assert_eq!((last.slot, last.reasons.len()), (3, 1));
        assert_eq!(reader.last_ended("load", Stage::Train).expect("read"), None);
        for query in [read::MARKS.to_owned(), format!("SELECT id FROM slots {}", read::LAST_ENDED)] {
            let plan = reader.plan_of(&query);
            assert!(plan.contains("stage_slots") && !plan.contains("TEMP B-TREE"), "{query}: {plan}");
        }
    }

    #[test]
    fn foreign_and_newer_databases_are_refused() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join(FILE);
        Connection::open(&path).expect("opened").execute_batch("PRAGMA user_version = 7").expect("set");
        assert!(matches!(
            Ledger::open(folder.path(), Durability::Full),
            Err(LedgerError::Format { found: 7, .. })
        ));
        std::fs::write(&path, "no database at all, but long enough to be looked at as one").expect("written");
        assert!(matches!(Ledger::open(folder.path(), Durability::Full), Err(LedgerError::Database { .. })));
    }
}
