//! Which version of a job serves, which are pinned, and what served before.

use crate::publish;
use crate::registry::error::RegistryError;
use crate::registry::folder;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::io;
use std::path::Path;

/// Name of the file in a job's folder.
pub(super) const FILE: &str = "champion.json";

/// Version of the file's own format.
const FORMAT: u32 = 1;

/// Largest file that is read, and changes that are remembered: the file stays far below it.
const BYTES_MAX: u64 = 4 << 20;
const HISTORY_MAX: usize = 1_000;

/// A change of the serving version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// The version that serves since.
    pub version: u32,
    /// When, microseconds UTC.
    pub at: i64,
    /// Whether it was a step back.
    pub is_rollback: bool,
    /// Why.
    pub reason: String,
}

/// What a promotion or rollback did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promotion {
    /// Of the versions.
    pub job: String,
    /// The version that serves now.
    pub version: u32,
    /// The version that served until now.
    pub previous: Option<u32>,
    /// Whether anything changed: promoting what serves already does not.
    pub is_change: bool,
}

/// The file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Champion {
    format: u32,
    /// The version that serves.
    pub current: Option<u32>,
    /// Versions that are kept, and that alone may serve; all may if there is none.
    pub pinned: BTreeSet<u32>,
    /// Changes of the serving version, oldest first.
    pub history: Vec<Event>,
    /// The version that forecasts beside the one that serves; not in the files of early programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadow: Option<u32>,
}

impl Champion {
    fn none() -> Champion {
        Champion { format: FORMAT, current: None, pinned: BTreeSet::new(), history: Vec::new(), shadow: None }
    }

    /// That of a job's folder; none serves where there is no file yet.
    pub fn read(job: &Path) -> Result<Champion, RegistryError> {
        let path = job.join(FILE);
        match folder::read(&path, BYTES_MAX) {
            Err(RegistryError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Ok(Champion::none())
            }
            bytes => Champion::parse(job, &bytes?),
        }
    }

    /// That of a job's folder, whose file has these bytes.
    pub fn parse(job: &Path, bytes: &[u8]) -> Result<Champion, RegistryError> {
        let path = job.join(FILE);
        let champion: Champion = folder::parse(&path, bytes, FORMAT)?;
        match champion.current == champion.history.last().map(|event| event.version) {
            true => Ok(champion),
            false => Err(RegistryError::broken(&path, "the history does not end with the current version")),
        }
    }

    /// Replaces the file; the lock is held.
    pub fn write(&self, job: &Path) -> Result<(), RegistryError> {
        publish::write_bytes(&job.join(FILE), &folder::pretty(self))?;
        Ok(())
    }

    /// Lets a version serve, which ends its time in shadow.
    pub fn serve(&mut self, event: Event) {
        self.current = Some(event.version);
        self.shadow = self.shadow.filter(|shadow| *shadow != event.version);
        self.history.push(event);
        let excess = self.history.len().saturating_sub(HISTORY_MAX);
        self.history.drain(..excess);
    }

    /// The pinned version that forbids another one to serve, the newest of several.
    pub fn forbids(&self, version: u32) -> Option<u32> {
        self.pinned.last().copied().filter(|_| !self.pinned.contains(&version))
    }

    /// Versions that served before the current one and were not rolled back themselves, latest first.
    pub fn earlier(&self) -> Vec<u32> {
        let mut served: Vec<u32> = Vec::new();
        for event in &self.history {
            if event.is_rollback {
                // A rollback undoes everything since that version served last.
                let back = served.iter().rposition(|version| *version == event.version);
                served.truncate(back.unwrap_or(0));
            }
            served.push(event.version);
        }
        served.retain(|version| Some(*version) != self.current);
        served.reverse();
        served
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn champion(changes: &[(u32, bool)]) -> Champion {
        let mut champion = Champion::none();
        for &(version, is_rollback) in changes {
            champion.serve(Event { version, at: 0, is_rollback, reason: String::new() });
        }
        champion
    }

    #[test]
    fn a_second_rollback_goes_one_further_back() {
        let mut changes = vec![(1, false), (2, false), (3, false)];
        assert_eq!(champion(&changes).earlier(), [2, 1]);
        changes.push((2, true));
        assert_eq!(champion(&changes).earlier(), [1]);
        changes.push((1, true));
        assert!(champion(&changes).earlier().is_empty());
        changes.push((4, false));
        assert_eq!(champion(&changes).earlier(), [1]);
    }

    #[test]
    fn only_pinned_versions_may_serve_where_there_are_any() {
        let mut champion = champion(&[(1, false)]);
        assert_eq!(champion.forbids(2), None);
        champion.pinned.extend([1, 3]);
        assert_eq!((champion.forbids(2), champion.forbids(1)), (Some(3), None));
    }

    #[test]
    fn whoever_serves_is_no_shadow_and_files_without_one_are_read() {
        let mut champion = champion(&[(1, false)]);
        let text = serde_json::to_string(&champion).unwrap();
        assert!(!text.contains("shadow") && serde_json::from_str::<Champion>(&text).unwrap() == champion);
        champion.shadow = Some(3);
        let event = |version| Event { version, at: 0, is_rollback: false, reason: String::new() };
        champion.serve(event(2));
        assert_eq!(champion.shadow, Some(3));
        champion.serve(event(3));
        assert_eq!(champion.shadow, None);
    }

    #[test]
    fn the_history_is_bounded() {
        let many: Vec<(u32, bool)> = (0..HISTORY_MAX as u32 + 5).map(|version| (version, false)).collect();
        let champion = champion(&many);
        assert_eq!((champion.history.len(), champion.history[0].version), (HISTORY_MAX, 5));
    }
}
