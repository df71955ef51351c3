//! Reading the ledger, also beside a running daemon.

use crate::schedule::ledger::{FILE, FORMAT, LedgerError};
use crate::schedule::outcome::{Outcome, SlotRow, Trigger};
use crate::schedule::spec::Stage;
use rusqlite::types::Type;
use rusqlite::{Connection, OpenFlags, Row, ToSql};
use std::path::{Path, PathBuf};

/// The newest slots of a stage.
pub(super) const MARKS: &str =
    "SELECT id, slot, outcome FROM slots WHERE job = ?1 AND stage = ?2 ORDER BY id DESC LIMIT ?3";

/// The newest one that has ended.
pub(super) const LAST_ENDED: &str =
    "WHERE job = ?1 AND stage = ?2 AND outcome IS NOT NULL ORDER BY id DESC LIMIT 1";

/// Which slots; the newest come first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotQuery {
    /// Of this job only.
    pub job: Option<String>,
    /// Of this stage only.
    pub stage: Option<Stage>,
    /// With this outcome only.
    pub outcome: Option<Outcome>,
    /// Nominal instant at or after this one, microseconds UTC.
    pub since: Option<i64>,
    /// Nominal instant before this one.
    pub until: Option<i64>,
    /// At most so many.
    pub limit: usize,
    /// After so many others.
    pub offset: usize,
}

impl Default for SlotQuery {
    fn default() -> SlotQuery {
        SlotQuery {
            job: None,
            stage: None,
            outcome: None,
            since: None,
            until: None,
            limit: usize::MAX,
            offset: 0,
        }
    }
}

/// What is seen of a slot in a row of many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotMark {
    /// Number in the ledger.
    pub id: i64,
    /// What it does.
    pub stage: Stage,
    /// Its nominal instant, microseconds UTC.
    pub slot: i64,
    /// How it ended; `None` while it waits or runs.
    pub outcome: Option<Outcome>,
}

/// A reading connection.
pub struct LedgerReader {
    connection: Connection,
    path: PathBuf,
}

impl LedgerReader {
    /// Opens the ledger of a state directory for reading.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn open(state: &Path) -> Result<LedgerReader, LedgerError> {
        let path = state.join(FILE);
        if !path.is_file() {
            return Err(LedgerError::Missing(path));
        }
        let wrap = |reason| LedgerError::Database { path: path.clone(), reason };
        let connection =
            Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(wrap)?;
        connection.busy_timeout(std::time::Duration::from_secs(10)).map_err(wrap)?;
        let found: i64 =
            connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(wrap)?;
        match found {
            FORMAT => Ok(LedgerReader { connection, path }),
            found => Err(LedgerError::Format { path, found }),
        }
    }

    /// The slots that a query asks for.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn slots(&self, query: &SlotQuery) -> Result<Vec<SlotRow>, LedgerError> {
        let stage = query.stage.map(Stage::as_str);
        let outcome = query.outcome.map(Outcome::as_str);
        let limit = i64::try_from(query.limit).unwrap_or(i64::MAX);
        let offset = i64::try_from(query.offset).unwrap_or(i64::MAX);
        let filter =
            "WHERE (?1 IS NULL OR job = ?1) AND (?2 IS NULL OR stage = ?2) AND (?3 IS NULL OR outcome = ?3)
            AND (?4 IS NULL OR slot >= ?4) AND (?5 IS NULL OR slot < ?5) ORDER BY id DESC LIMIT ?6 OFFSET ?7";
        let values: [&dyn ToSql; 7] =
            [&query.job, &stage, &outcome, &query.since, &query.until, &limit, &offset];
        select(&self.connection, filter, &values).map_err(|reason| self.wrap(reason))
    }

    /// One slot by its number.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn slot(&self, id: i64) -> Result<Option<SlotRow>, LedgerError> {
        let mut rows =
            select(&self.connection, "WHERE id = ?1", &[&id]).map_err(|reason| self.wrap(reason))?;
        Ok(rows.pop())
    }

    /// The newest slots of a stage, newest first, at most `count`.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn marks(&self, job: &str, stage: Stage, count: usize) -> Result<Vec<SlotMark>, LedgerError> {
        let mark = |row: &Row<'_>| {
            let outcome: Option<String> = row.get(2)?;
            Ok(SlotMark {
                id: row.get(0)?,
                stage,
                slot: row.get(1)?,
                outcome: outcome.map(|_| word(row, 2, Outcome::from_name)).transpose()?,
            })
        };
        let read = || -> Result<Vec<SlotMark>, rusqlite::Error> {
            let mut statement = self.connection.prepare_cached(MARKS)?;
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            let rows = statement.query_map(rusqlite::params![job, stage.as_str(), count], mark)?;
            rows.collect()
        };
        read().map_err(|reason| self.wrap(reason))
    }

    /// The newest slot of a stage that has ended.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn last_ended(&self, job: &str, stage: Stage) -> Result<Option<SlotRow>, LedgerError> {
        let rows = select(&self.connection, LAST_ENDED, &[&job, &stage.as_str()]);
        Ok(rows.map_err(|reason| self.wrap(reason))?.pop())
    }

    /// How the database answers a query, in its words.
    #[cfg(test)]
    pub(super) fn plan_of(&self, query: &str) -> String {
        let mut statement = self.connection.prepare(&format!("EXPLAIN QUERY PLAN {query}")).expect("a query");
        let nothing = vec![rusqlite::types::Null; statement.parameter_count()];
        let values = rusqlite::params_from_iter(nothing);
        let rows = statement.query_map(values, |row| row.get::<_, String>(3)).expect("a plan");
        rows.collect::<Result<Vec<_>, _>>().expect("words").join("; ")
    }

    /// The slots from a number on, the oldest first.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn slots_from(&self, id: i64) -> Result<Vec<SlotRow>, LedgerError> {
        select(&self.connection, "WHERE id >= ?1 ORDER BY id", &[&id]).map_err(|reason| self.wrap(reason))
    }

    /// The jobs and stages of the newest slots, `depth` of them: which ones there are without reading all.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn recent_lines(&self, depth: usize) -> Result<Vec<(String, Stage)>, LedgerError> {
        let depth = i64::try_from(depth).unwrap_or(i64::MAX);
        let query = "SELECT DISTINCT job, stage FROM (SELECT job, stage FROM slots ORDER BY id DESC LIMIT ?1)
            ORDER BY job, stage";
        let read = || -> Result<Vec<(String, Stage)>, rusqlite::Error> {
            let mut statement = self.connection.prepare_cached(query)?;
            let rows =
                statement.query_map([depth], |row| Ok((row.get(0)?, word(row, 1, Stage::from_name)?)))?;
            rows.collect()
        };
        read().map_err(|reason| self.wrap(reason))
    }

    /// A number that is another one whenever somebody has written since it was asked for last.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn revision(&self) -> Result<i64, LedgerError> {
        let read = self.connection.pragma_query_value(None, "data_version", |row| row.get(0));
        read.map_err(|reason| self.wrap(reason))
    }

    fn wrap(&self, reason: rusqlite::Error) -> LedgerError {
        LedgerError::Database { path: self.path.clone(), reason }
    }
}

/// The rows of a filter.
pub(super) fn select(
    connection: &Connection,
    filter: &str,
    values: &[&dyn ToSql],
) -> Result<Vec<SlotRow>, rusqlite::Error> {
    let query = format!(
        "SELECT id, job, stage, slot, trigger, planned_at, started_at, ended_at, outcome, is_late, attempts, run_id,
        reasons, detail FROM slots {filter}"
    );
    let mut statement = connection.prepare_cached(&query)?;
    let rows = statement.query_map(values, slot_row)?;
    rows.collect()
}

fn slot_row(row: &Row<'_>) -> Result<SlotRow, rusqlite::Error> {
    let outcome: Option<String> = row.get(8)?;
    Ok(SlotRow {
        id: row.get(0)?,
        job: row.get(1)?,
        stage: word(row, 2, Stage::from_name)?,
        slot: row.get(3)?,
        trigger: word(row, 4, Trigger::from_name)?,
        planned_at: row.get(5)?,
        started_at: row.get(6)?,
        ended_at: row.get(7)?,
        outcome: outcome.map(|_| word(row, 8, Outcome::from_name)).transpose()?,
        is_late: row.get(9)?,
        attempts: row.get(10)?,
        run_id: row.get(11)?,
        reasons: json(row, 12)?,
        detail: json(row, 13)?,
    })
}

fn word<T>(row: &Row<'_>, column: usize, of: fn(&str) -> Option<T>) -> Result<T, rusqlite::Error> {
    let text: String = row.get(column)?;
    of(&text).ok_or_else(|| {
        let reason = format!("unknown word '{text}'").into();
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, reason)
    })
}

fn json<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: usize) -> Result<T, rusqlite::Error> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into()))
}
