//! The series of the newest run of a job, in order and ready to be searched.

use crate::publish::{self, Commit, PublishError, RunSeries};
use crate::serve::memo::Memo;
use memchr::memmem::Finder;
use std::path::Path;
use std::sync::Arc;

/// The newest run of a job and its series.
pub(super) struct Catalogue {
    /// The run.
    pub(super) commit: Commit,
    /// Its series.
    pub(super) run: RunSeries,
    /// All ids in lower case, one after the other.
    lower: String,
    /// Where each of them ends.
    ends: Vec<usize>,
}

impl Catalogue {
    fn new(commit: Commit, run: RunSeries) -> Catalogue {
        let mut lower = String::new();
        let mut ends = Vec::with_capacity(run.unique_ids.len());
        for id in &run.unique_ids {
            lower.extend(id.chars().flat_map(char::to_lowercase));
            ends.push(lower.len());
        }
        Catalogue { commit, run, lower, ends }
    }

    /// The newest run of a job; read where the one that is remembered is another one, `None` before the first.
    pub(super) fn newest(
        memo: &Memo<Catalogue>,
        sink: &Path,
        job: &str,
    ) -> Result<Option<Arc<Catalogue>>, PublishError> {
        let Some(commit) = publish::latest(sink, job)? else { return Ok(None) };
        let stamp = format!("{} {}", commit.run_id, commit.sha256);
        let read = || Ok(Catalogue::new(commit.clone(), publish::read_series(&commit)?));
        memo.get(job, &stamp, read).map(Some)
    }

    /// Places of the ids in which every word of a text occurs, whatever its case; all where there is no word.
    pub(super) fn matches(&self, text: &str) -> Vec<usize> {
        let text: String = text.chars().flat_map(char::to_lowercase).collect();
        let words: Vec<Finder<'_>> = text.split_whitespace().map(Finder::new).collect();
        let holds = |place: &usize| {
            let start = place.checked_sub(1).map_or(0, |before| self.ends[before]);
            let id = &self.lower.as_bytes()[start..self.ends[*place]];
            words.iter().all(|word| word.find(id).is_some())
        };
        (0..self.ends.len()).filter(holds).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::{Format, Naming};

    fn catalogue(ids: &[&str]) -> Catalogue {
        let commit = Commit {
            job: "load".into(),
            run_id: "r".into(),
            issued_at: 0,
            created_at: 0,
            first_created_at: 0,
            rows: 0,
            bytes: 0,
            sha256: String::new(),
            schema_version: 1,
            naming: Naming::V1,
            format: Format::Parquet,
            metadata: Default::default(),
            parts: Vec::new(),
            folder: "nowhere".into(),
        };
        let unique_ids = ids.iter().map(ToString::to_string).collect();
        Catalogue::new(commit, RunSeries { unique_ids, cutoff: None })
    }

    #[test]
    fn every_word_has_to_occur_within_one_id_and_case_does_not_count() {
        let all = catalogue(&["Nord/Äpfel", "nord/birnen", "süd/äpfel"]);
        assert_eq!(all.matches(""), [0, 1, 2]);
        assert_eq!(all.matches("  ÄPFEL "), [0, 2]);
        assert_eq!(all.matches("äpfel NORD"), [0]);
        assert_eq!(all.matches("felnord"), [] as [usize; 0], "ids are not read across");
        assert_eq!(catalogue(&[]).matches("a"), [] as [usize; 0]);
    }
}
