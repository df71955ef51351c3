//! Publishing a run: its part file, its commit, then `latest`.
//!
//! A run counts once `_commit.json` stands in its folder. Up to then the part file is complete, verified and harmless,
//! and [`crate::publish::recover`] or the next attempt clears it away.

use crate::publish::commit::{COMMIT_FILE, Commit, part_name};
use crate::publish::layout::{self, JobFolders, RunKey};
use crate::publish::remote::{Delivered, Mirror};
use crate::publish::store::{self, Failure, Prepared};
use crate::publish::table::Table;
use crate::publish::{
    Format, Provenance, PublishError, SCHEMA_VERSION, SinkSpec, correction, csv, forecasts, latest, verify,
};
use crate::series::{Forecasts, ScenarioForecasts};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

/// A run that stands in its folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedRun {
    /// Rows of the run.
    pub rows: usize,
    /// Size of the part file.
    pub bytes: u64,
    /// The part file.
    pub path: PathBuf,
    /// SHA-256 of the part file, lower-case hex.
    pub sha256: String,
    /// Shards whose parts are missing in the store, ascending: the run does not count before they are there.
    pub waits_for: Vec<u32>,
}

/// Publishes a run, and lets `latest` show it unless a newer one stands there.
///
/// A repetition of a run replaces its file, but for the `created_at` of its rows; one that has the same forecasts leaves the file
/// alone. The run id and the instant of `key` take the place of those in `provenance`.
///
/// In a sink that is a store, a run counts once it is committed there, and stays as it is from then on: a repetition gives
/// what stands, whoever has published it.
///
/// # Errors
/// See [`PublishError`]; the files that stood there are untouched then, or the run is committed and only `latest` still
/// shows the one before. Repeating the call completes it in both cases.
pub fn publish_run(
    sink: &SinkSpec,
    key: &RunKey,
    forecasts: &Forecasts,
    scenarios: &[ScenarioForecasts],
    id_columns: &[String],
    provenance: &Provenance,
) -> Result<PublishedRun, PublishError> {
    let folders = JobFolders::of(&sink.path, &key.job)?;
    let folder = folders.run(key)?;
    store::create_folder(&folders.history)?;
    let _lock = folders.lock();
    settle(&folder)?;
    let run = Run { sink, key, folder: &folder, forecasts, scenarios, id_columns };
    let provenance = run.provenance(provenance);
    let mirror = Mirror::of(sink, &key.job)?;
    let clean = |_: &PublishError| layout::remove_empty(&folder, &folders.history);
    let (commit, waits_for) = match &mirror {
        Some(mirror) => run.deliver(mirror, &provenance).inspect_err(clean)?,
        None => match run.unchanged(&provenance)? {
            Some(commit) => (commit, Vec::new()),
            None => (run.write(&provenance).inspect_err(clean)?, Vec::new()),
        },
    };
    match &mirror {
        Some(mirror) => mirror.update_latest()?,
        None => drop(latest::update(&folders)?),
    }
    let (rows, bytes, path) = (commit.rows, commit.bytes, commit.path());
    Ok(PublishedRun { rows, bytes, path, sha256: commit.sha256, waits_for })
}

/// The run, if it is committed: what to ask after a crash.
///
/// # Errors
/// If the sink cannot be read or the key is no name.
pub fn find_run(sink: &SinkSpec, key: &RunKey) -> Result<Option<Commit>, PublishError> {
    Commit::read(&JobFolders::of(&sink.path, &key.job)?.run(key)?)
}

/// All committed runs of a job, newest first.
///
/// # Errors
/// If the sink cannot be read or the job is misnamed.
pub fn runs(sink_path: &Path, job: &str) -> Result<Vec<Commit>, PublishError> {
    let mut all = Vec::new();
    for day in JobFolders::of(sink_path, job)?.days()? {
        all.extend(layout::commits(&day)?);
    }
    all.sort_by(|a, b| b.age().cmp(&a.age()));
    Ok(all)
}

/// Completes or clears away what an interrupted publication left in the folder of a run.
///
/// The commit is written before the part file takes its name, so a part file without its commit has it beside it.
pub(super) fn settle(folder: &Path) -> Result<usize, PublishError> {
    for path in store::leftovers(folder) {
        // A commit is small; what else is left here are forecasts.
        let is_small = path.metadata().is_ok_and(|found| found.len() < 1 << 20);
        let text = if is_small { std::fs::read(&path).unwrap_or_default() } else { Vec::new() };
        let Ok(commit) = Commit::from_json(&text, folder) else { continue };
        let hash = File::open(commit.path()).and_then(latest::sha256);
        if hash.is_ok_and(|hash| hash == commit.sha256) {
            let target = folder.join(COMMIT_FILE);
            std::fs::rename(&path, &target).map_err(|error| store::sort_out(&target, &error))?;
            store::sync_folder(folder);
            latest::remove_other_formats(folder, commit.format);
        }
    }
    Ok(store::remove_leftovers(folder))
}

/// What is to be published, and where.
struct Run<'a> {
    sink: &'a SinkSpec,
    key: &'a RunKey,
    folder: &'a Path,
    forecasts: &'a Forecasts,
    scenarios: &'a [ScenarioForecasts],
    id_columns: &'a [String],
}

impl Run<'_> {
    fn part(&self) -> PathBuf {
        self.folder.join(part_name(self.sink.format))
    }

    fn provenance(&self, given: &Provenance) -> Provenance {
        let mut provenance = given.clone();
        provenance.run_id = self.key.run_id.clone();
        provenance.issued_at = self.key.issued_at;
        provenance.metadata.insert(0, ("job".into(), self.key.job.clone()));
        if let Some(correction) = &provenance.correction {
            provenance.metadata.push((correction::SHA256.into(), correction::sha256(correction)));
        }
        provenance
    }

    fn table<'a>(&'a self, provenance: &'a Provenance) -> Result<Table<'a>, PublishError> {
        Table::new(self.forecasts, self.scenarios, self.id_columns, provenance, self.sink.naming)
            .map_err(|reason| PublishError::Verify { path: self.part(), reason })
    }

    /// The commit that stands there, if writing the run again would give the same file but for the wall clock.
    fn unchanged(&self, provenance: &Provenance) -> Result<Option<Commit>, PublishError> {
        let Some(commit) = Commit::read(self.folder)? else { return Ok(None) };
        if commit.format != self.sink.format || commit.naming != self.sink.naming {
            return Ok(None);
        }
        let provenance = Provenance { created_at: commit.first_created_at, ..provenance.clone() };
        let table = self.table(&provenance)?;
        let mut hash = Sha256::new();
        let written = write(self.sink.format, &table, &mut hash);
        let stands = File::open(commit.path()).and_then(latest::sha256);
        let is_same = written.is_ok()
            && latest::hex(hash) == commit.sha256
            && stands.is_ok_and(|hash| hash == commit.sha256);
        Ok(is_same.then_some(commit))
    }

    /// Writes both files, and renames one right after the other.
    fn write(&self, provenance: &Provenance) -> Result<Commit, PublishError> {
        let (part, committed, commit) = self.prepare(provenance)?;
        part.persist()?;
        committed.persist()?;
        latest::remove_other_formats(self.folder, self.sink.format);
        Ok(commit)
    }

    /// Lets the store decide: what is committed there stands; otherwise this run is delivered, or what is here of it from before.
    fn deliver(&self, mirror: &Mirror<'_>, provenance: &Provenance) -> Result<Delivered, PublishError> {
        if let Some(commit) = mirror.standing(self.folder)? {
            return Ok((commit, Vec::new()));
        }
        if let Some(commit) = Commit::read(self.folder)? {
            return mirror.again(self.folder, commit);
        }
        let (part, committed, commit) = self.prepare(provenance)?;
        mirror.first(self.folder, (part, committed), commit)
    }

    /// Writes and verifies both files under hidden names: the part file, and the commit.
    fn prepare(&self, provenance: &Provenance) -> Result<(Prepared, Prepared, Commit), PublishError> {
        // A run that is written again was published when it first was: another model, then the first one again, give the
        // first file again.
        let created_at = provenance.created_at;
        let first_created_at =
            Commit::read(self.folder)?.map_or(created_at, |commit| commit.first_created_at);
        let provenance = &Provenance { created_at: first_created_at, ..provenance.clone() };
        let table = self.table(provenance)?;
        store::create_folder(self.folder)?;
        if let Some(text) = &provenance.correction {
            correction::write(self.folder, text)?;
        }
        let (part, sha256) = store::prepare(
            &self.part(),
            |file| write(self.sink.format, &table, file),
            |mut file| {
                let hash = file.try_clone().and_then(latest::sha256).map_err(|error| error.to_string())?;
                file.rewind().map_err(|error| error.to_string())?;
                match self.sink.format {
                    Format::Parquet => verify::parquet(file, &table.schema, &table.quantiles, table.rows)?,
                    Format::Csv => csv::verify(file, &table)?,
                }
                Ok(hash)
            },
        )?;
        let commit = Commit {
            job: self.key.job.clone(),
            run_id: self.key.run_id.clone(),
            issued_at: self.key.issued_at,
            created_at,
            first_created_at,
            rows: table.rows,
            bytes: part.bytes,
            sha256,
            schema_version: SCHEMA_VERSION,
            naming: self.sink.naming,
            format: self.sink.format,
            metadata: table.metadata().into_iter().collect(),
            parts: Vec::new(),
            folder: self.folder.into(),
        };
        let path = self.folder.join(COMMIT_FILE);
        let text = commit.to_json().map_err(|reason| PublishError::Verify { path: path.clone(), reason })?;
        let same = |mut file: File| {
            let mut found = Vec::new();
            file.read_to_end(&mut found).map_err(|error| error.to_string())?;
            (found == text).then_some(()).ok_or_else(|| "the bytes on disk are others".to_string())
        };
        let (committed, ()) = store::prepare(&path, |mut file| Ok(file.write_all(&text)?), same)?;
        Ok((part, committed, commit))
    }
}

fn write(format: Format, table: &Table<'_>, sink: impl Write + Send) -> Result<(), Failure> {
    match format {
        Format::Parquet => forecasts::write(table, sink),
        Format::Csv => csv::write(table, sink),
    }
}
