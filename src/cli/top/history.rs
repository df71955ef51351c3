//! The newest slots of every job, kept up with the ledger: what has not changed is not read again.

use crate::schedule::ledger::{LedgerError, LedgerReader, SlotQuery};
use crate::schedule::outcome::SlotRow;
use crate::schedule::spec::Stage;
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;

/// Slots of a job and stage that are kept.
const KEPT: usize = 60;

/// How many slots back jobs are looked for that nothing else names.
const DEPTH: usize = 20_000;

/// The newest slots, by job and stage.
pub(super) struct History {
    reader: LedgerReader,
    revision: i64,
    /// Oldest first.
    rows: BTreeMap<(String, Stage), VecDeque<SlotRow>>,
}

impl History {
    /// Reads what the ledger of a state directory has.
    pub fn open(state: &Path) -> Result<History, LedgerError> {
        let reader = LedgerReader::open(state)?;
        // Before the rows: what is written meanwhile is seen the next time.
        let revision = reader.revision()?;
        let mut history = History { rows: BTreeMap::new(), revision, reader };
        for (job, stage) in history.reader.recent_lines(DEPTH)? {
            history.want(&job, stage)?;
        }
        Ok(history)
    }

    /// Reads the slots of a job and stage that were never read.
    pub fn want(&mut self, job: &str, stage: Stage) -> Result<(), LedgerError> {
        let key = (job.to_owned(), stage);
        if !self.rows.contains_key(&key) {
            let query =
                SlotQuery { job: Some(job.into()), stage: Some(stage), limit: KEPT, ..SlotQuery::default() };
            let newest = self.reader.slots(&query)?;
            self.rows.insert(key, newest.into_iter().rev().collect());
        }
        Ok(())
    }

    /// Takes over what was written since.
    pub fn refresh(&mut self) -> Result<(), LedgerError> {
        let revision = self.reader.revision()?;
        if revision == self.revision {
            return Ok(());
        }
        // Only slots that have not ended can change.
        let all = || self.rows.values().flatten();
        let open = all().filter(|row| row.outcome.is_none()).map(|row| row.id).min();
        let next = all().map(|row| row.id).max().map_or(0, |newest| newest + 1);
        for row in self.reader.slots_from(open.unwrap_or(next).min(next))? {
            let line = self.rows.entry((row.job.clone(), row.stage)).or_default();
            match line.iter().position(|known| known.id >= row.id) {
                Some(place) if line[place].id == row.id => line[place] = row,
                Some(place) => line.insert(place, row),
                None => line.push_back(row),
            }
            while line.len() > KEPT {
                line.pop_front();
            }
        }
        self.revision = revision;
        Ok(())
    }

    /// The names of all jobs.
    pub fn jobs(&self) -> Vec<String> {
        let mut names: Vec<String> = self.rows.keys().map(|(job, _)| job.clone()).collect();
        names.dedup();
        names
    }

    /// The newest slots of a job and stage, the newest first.
    pub fn of(&self, job: &str, stage: Stage) -> impl Iterator<Item = &SlotRow> {
        self.rows.get(&(job.to_owned(), stage)).into_iter().flat_map(|rows| rows.iter().rev())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::ledger::{Durability, Ending, Ledger, NewSlot};
    use crate::schedule::outcome::{Outcome, Trigger};

    fn slot(job: &str, at: i64) -> NewSlot {
        NewSlot {
            job: job.into(),
            stage: Stage::Forecast,
            slot: at,
            trigger: Trigger::Schedule,
            is_late: false,
            run_id: format!("{job}-{at}"),
            ended: None,
            is_open: false,
        }
    }

    #[test]
    fn it_follows_the_ledger() {
        let folder = tempfile::tempdir().expect("folder");
        let mut ledger = Ledger::open(folder.path(), Durability::Simulated).expect("opened");
        let first = ledger.plan(&[slot("a", 1), slot("b", 1)], None, 1).expect("planned");
        let mut history = History::open(folder.path()).expect("opened");
        assert_eq!(history.jobs(), ["a", "b"]);
        let outcomes = |history: &History, job: &str| {
            history.of(job, Stage::Forecast).map(|row| row.outcome).collect::<Vec<_>>()
        };
        assert_eq!(outcomes(&history, "a"), [None]);
        let ok = Ending { outcome: Outcome::Ok, reasons: Vec::new(), detail: serde_json::Value::Null };
        ledger.end(first[0].id, &ok, 2).expect("ended");
        ledger.plan(&[slot("a", 2), slot("c", 2)], None, 2).expect("planned");
        history.refresh().expect("read");
        assert_eq!(outcomes(&history, "a"), [None, Some(Outcome::Ok)]);
        assert_eq!((history.jobs().len(), outcomes(&history, "b")), (3, vec![None]));
        for at in 3..200 {
            ledger.plan(&[slot("c", at)], None, at).expect("planned");
        }
        history.refresh().expect("read");
        let kept: Vec<i64> = history.of("c", Stage::Forecast).map(|row| row.slot).collect();
        assert_eq!((kept.len(), kept[0]), (KEPT, 199));
    }
}
