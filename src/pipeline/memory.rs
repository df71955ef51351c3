//! What a job's champion remembers of its source between two forecasts, as a file in the state folder.
//!
//! ```text
//! files, in reading order:   a b c … w x | y z        what the first ones say is remembered, the last ones are read again
//!                            settled     | open       (a file of today grows, a late one is replaced)
//! ```
//!
//! A settled file that changes, a new series, rows that do not follow, a row that cannot be used: then everything is read,
//! and a new page begun. A source with covariates has no page: what is known in advance stands in any file. Nor has a model that averages others: some of
//! them look at whole series. A page is taken only if the whole source, read at once, gives the same fingerprint as the page and
//! the open files; from there on rows are only added that follow what is there.

use crate::ingest::{self, Chain, FileStamp, Ingested, Layout, Roles, SourceSpec, Stamps};
use crate::model::forecaster::Forecaster;
use crate::model::memory::Memory;
use crate::pipeline::SourceReport;
use crate::publish;
use crate::series::civil::micros;
use crate::series::{Panel, Series};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// Files at the end of the reading order that are not settled: the one that grows and the one before it.
const OPEN: usize = 2;

/// Open files from which on all but the last settle.
const OPEN_MAX: usize = 8;

/// What a file begins with, its version at the end; one that begins otherwise is begun anew.
const MAGIC: &[u8] = b"s4cast-memory-1\n";

/// A page of the file.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Page {
    for_whom: Key,
    /// As of when it was read, microseconds UTC.
    as_of: i64,
    /// Settled files.
    files: Vec<FileStamp>,
    rows: usize,
    /// First timestamp of any series, microseconds UTC.
    first: i64,
    source: Habits,
    notes: Vec<String>,
    chains: Vec<Chain>,
    memory: Memory,
}

/// Whose page it is: another model, other settings or other code begin a new one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Key {
    weights_sha256: String,
    settings: String,
    code_sha256: String,
}

/// What all rows have in common: files that are read alone might be understood in another way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Habits {
    layout: Layout,
    roles: Roles,
    times_are: String,
    zone: Option<String>,
}

/// A source as far as it is remembered, and what its open files add.
pub(super) struct Continued {
    pub(super) memory: Memory,
    pub(super) report: SourceReport,
    pub(super) zone: TimeZone,
    pub(super) bytes_read: u64,
}

impl Key {
    pub(super) fn new(spec: &SourceSpec, weights_sha256: &str) -> Key {
        Key {
            weights_sha256: weights_sha256.into(),
            settings: format!("{:?}", SourceSpec { as_of: None, ..spec.clone() }),
            code_sha256: crate::CODE_SHA256.into(),
        }
    }
}

impl Habits {
    fn of(ingested: &Ingested) -> Habits {
        Habits {
            layout: ingested.layout,
            roles: ingested.roles.clone(),
            times_are: ingested.times_are.clone(),
            zone: ingested.panel.zone.iana_name().map(Into::into),
        }
    }
}

/// Where the page of a job lies.
pub(super) fn path(state: &Path, job: &str) -> PathBuf {
    state.join("memory").join(format!("{job}.bin"))
}

impl Page {
    /// The page at a path, if there is a sound one.
    pub(super) fn read(path: &Path) -> Option<Page> {
        let bytes = std::fs::read(path).ok()?;
        let (hash, body) = bytes.strip_prefix(MAGIC)?.split_at_checked(32)?;
        let page: Page =
            (Sha256::digest(body).as_slice() == hash).then(|| postcard::from_bytes(body).ok())??;
        (page.memory.is_valid() && page.chains.len() == page.memory.series.len()).then_some(page)
    }

    /// Puts the page at its path.
    pub(super) fn write(&self, path: &Path) -> Result<(), String> {
        let body = postcard::to_stdvec(self).map_err(|error| error.to_string())?;
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
        let bytes = [MAGIC, Sha256::digest(&body).as_slice(), &body].concat();
        publish::write_bytes(path, &bytes).map(drop).map_err(|error| error.to_string())
    }

    /// The source at an instant (microseconds UTC) from this page and the files that are not on it; `None` if it has to be
    /// read as a whole. The page goes on where files settle, and is written to `path` then.
    pub(super) fn go_on(
        mut self,
        spec: &SourceSpec,
        key: &Key,
        as_of: i64,
        stamps: &Stamps,
        path: &Path,
    ) -> Option<Continued> {
        let (settled, mut open): (Vec<&FileStamp>, Vec<&FileStamp>) =
            stamps.files.iter().partition(|file| self.files.contains(file));
        if self.for_whom != *key || as_of < self.as_of || settled.len() != self.files.len() {
            return None;
        }
        let mut bytes_read = 0;
        if open.len() > OPEN_MAX {
            let settling = open.drain(..open.len() - OPEN).collect::<Vec<_>>();
            let new = self.read_files(spec, as_of, &settling)?;
            // Rows that count later are read again later.
            if new.rows_after_as_of == 0 && new.rows_incomplete == 0 {
                bytes_read += new.bytes;
                self.add(&new, as_of)?;
                self.files.extend(settling.into_iter().cloned());
                let written = self.write(path);
                written
                    .inspect_err(|error| tracing::warn!(%error, "what is remembered cannot be written"))
                    .ok()?;
            } else {
                open.splice(..0, settling);
            }
        }
        let zone = self.zone()?;
        if !open.is_empty() {
            let new = self.read_files(spec, as_of, &open)?;
            bytes_read += new.bytes;
            self.add(&new, as_of)?;
        }
        let stale_before = spec.stale.map(|stale| as_of.saturating_sub(micros(stale.after)));
        let is_stale = |cutoff: i64| stale_before.is_some_and(|before| cutoff < before);
        if self.memory.series.iter().any(|one| is_stale(one.cutoff)) {
            return None;
        }
        let report = SourceReport {
            files: stamps.files.iter().map(|file| file.path.clone()).collect(),
            command: None,
            skipped_files: stamps.skipped.clone(),
            rows: self.rows,
            series: self.memory.series.len(),
            quarantined: Vec::new(),
            notes: self.notes,
            layout: self.source.layout,
            roles: self.source.roles,
            covariates: Vec::new(),
            span: self.memory.series.iter().map(|one| one.cutoff).max().map(|last| (self.first, last)),
            fingerprint: ingest::fingerprint_of(&self.chains),
        };
        Some(Continued { memory: self.memory, report, zone, bytes_read })
    }

    /// Some files alone, if nothing about them is odd.
    fn read_files(&self, spec: &SourceSpec, as_of: i64, files: &[&FileStamp]) -> Option<Ingested> {
        let frequency = self.memory.series.first()?.frequency;
        let new = read_alone(spec, as_of, files, frequency)?;
        (Habits::of(&new) == self.source).then_some(new)
    }

    /// Adds what files say.
    fn add(&mut self, new: &Ingested, as_of: i64) -> Option<()> {
        let follows = self.memory.follow(new.panel.clone()).ok()?;
        self.memory.advance(&follows);
        for series in &follows.series {
            let place =
                self.memory.series.binary_search_by(|one| one.unique_id.cmp(&series.unique_id)).ok()?;
            self.chains[place].extend(&series.times, &series.values);
        }
        self.rows += new.rows;
        self.as_of = as_of;
        Some(())
    }

    fn zone(&self) -> Option<TimeZone> {
        TimeZone::get(self.source.zone.as_deref()?).ok()
    }

    /// The page of a source that was read as a whole as of an instant; `steps` of every series are kept in any case. `None`
    /// where its files do not follow one another, or something about them is odd.
    pub(super) fn begin(
        spec: &SourceSpec,
        key: Key,
        as_of: i64,
        stamps: &[FileStamp],
        whole: &Ingested,
        forecaster: &Forecaster,
        steps: usize,
    ) -> Option<Page> {
        let (settled, open) = stamps.split_at(stamps.len().checked_sub(OPEN).filter(|settled| *settled > 0)?);
        let frequency = whole.panel.series.first()?.frequency;
        let is_plain = forecaster.remembers()
            && spec.flat.is_none()
            && spec.spikes.is_none()
            && spec.level_shift.is_none()
            && spec.covariates.is_empty()
            && spec.almanac.is_empty()
            && spec.sums.levels.is_none()
            && spec.gaps == ingest::Gaps::Mask
            && spec.sampling == ingest::Sampling::Regular
            && is_sound(whole)
            && whole.panel.series.iter().all(|series| series.frequency == frequency);
        let last =
            is_plain.then(|| read_alone(spec, as_of, &open.iter().collect::<Vec<_>>(), frequency))??;
        let is_all_settled =
            (last.rows_after_as_of, last.rows_incomplete) == (whole.rows_after_as_of, whole.rows_incomplete);
        if !is_all_settled || Habits::of(&last) != Habits::of(whole) {
            return None;
        }
        // A file that grew meanwhile may have more.
        let rows = whole.rows.checked_sub(last.rows)?;
        let before = before(&whole.panel, &last.panel);
        if before.series.len() != whole.panel.series.len() {
            return None;
        }
        let mut page = Page {
            for_whom: key,
            as_of,
            files: settled.to_vec(),
            rows,
            first: whole.panel.series.iter().filter_map(|series| series.times.first().copied()).min()?,
            source: Habits::of(whole),
            notes: whole.notes.iter().map(|note| note.0.clone()).collect(),
            chains: ingest::chains(&before.series),
            memory: forecaster.remember(&before, steps),
        };
        page.zone()?;
        // What the page and the open files say together has to be what everything says.
        let chains = page.chains.clone();
        let memory = page.memory.clone();
        page.add(&last, as_of)?;
        let is_same = ingest::fingerprint_of(&page.chains) == whole.fingerprint;
        is_same.then_some(Page { chains, memory, rows, ..page })
    }
}

/// Some files of a source alone; `None` where something about them is odd.
fn read_alone(
    spec: &SourceSpec,
    as_of: i64,
    files: &[&FileStamp],
    frequency: crate::series::Frequency,
) -> Option<Ingested> {
    let inputs = files.iter().map(|file| file.path.clone()).collect();
    let spec = SourceSpec { inputs, frequency: Some(frequency), as_of: Some(as_of), ..spec.clone() };
    ingest::read(&spec).ok().filter(is_sound)
}

/// Whether no file, series or row was left out for a fault.
fn is_sound(ingested: &Ingested) -> bool {
    ingested.skipped_files.is_empty()
        && ingested.panel.marks.is_empty()
        && ingested.quality.len() == ingested.panel.series.len()
}

/// Every series up to the first step of its last part, without missing steps at the end.
fn before(whole: &Panel, last: &Panel) -> Panel {
    let cut = |series: &Series| {
        let part = last.series.binary_search_by(|one| one.unique_id.cmp(&series.unique_id)).ok();
        let Some(first) = part.and_then(|place| last.series[place].times.first()) else {
            return series.clone();
        };
        let end = series.times.partition_point(|time| time < first);
        let end = series.values[..end].iter().rposition(|value| !value.is_nan()).map_or(0, |last| last + 1);
        Series {
            times: series.times[..end].to_vec(),
            values: series.values[..end].to_vec(),
            ..series.clone()
        }
    };
    Panel {
        series: whole.series.iter().map(cut).filter(|series| !series.times.is_empty()).collect(),
        ..whole.clone()
    }
}
