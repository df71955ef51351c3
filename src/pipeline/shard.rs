//! One shard of a run: its series alone, forecast as the whole run would forecast them, and its part on the way to the others.
//!
//! What series of other shards decide is carried over: ingestion tells where they end ([`Ends`]), and whoever trains sees
//! all of them.

use crate::pipeline::{Job, JobError, Moment, making::Made, provenance};
use crate::publish::parts::{self, Asked, Delivery, Opening};
use crate::publish::{PublishError, Published};
use crate::series::{Ends, Panel, Shard};
use crate::store::{Address, Place, Scratch, Store};
use std::borrow::Cow;

/// Name of the job in the commits of one-shot runs whose model is of no job.
const JOB: &str = "forecast";

/// A share of a run, and where the run is put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sharded {
    /// Whose forecasts these are.
    pub shard: Shard,
    /// Folder of the run.
    pub folder: Address,
    /// What of the run's id and instant was asked for.
    pub asked: Asked,
}

/// What became of the part of a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// Whose it is.
    pub shard: Shard,
    /// Folder of the run.
    pub folder: Address,
    /// How far the run is.
    pub delivery: Delivery,
}

/// Begins the run of a sharded job, or joins it: the moment that all of its shards share. Other jobs keep theirs.
///
/// # Errors
/// See [`parts::open`].
pub fn begin(job: &Job, moment: Moment) -> Result<Moment, JobError> {
    let Some(sharded) = &job.sharded else { return Ok(moment) };
    let own = Opening {
        run_id: moment.run_id,
        issued_at: moment.issued_at,
        created_at: moment.created_at,
        config_sha256: job.config_sha256.clone(),
    };
    let Opening { run_id, issued_at, created_at, .. } =
        parts::open(&sharded.store()?, "", &own, sharded.asked)?;
    Ok(Moment { run_id, issued_at, created_at })
}

/// Commits a run if all parts are there; what is missing otherwise.
///
/// # Errors
/// See [`parts::complete`].
pub fn complete(sharded: &Sharded) -> Result<Delivery, JobError> {
    Ok(parts::complete(&sharded.store()?, "", sharded.shard.count())?)
}

impl Sharded {
    fn store(&self) -> Result<Store, JobError> {
        Ok(Store::open(&self.folder).map_err(PublishError::from)?)
    }

    /// Delivers the forecasts of the shard.
    pub(super) fn deliver(
        &self,
        job: &Job,
        moment: &Moment,
        made: &Made,
    ) -> Result<(Published, Delivered), JobError> {
        let name = made.loaded.as_ref().and_then(|loaded| loaded.version.as_ref());
        let name = name.map_or(JOB, |(job, _)| job.as_str());
        let mut provenance = provenance(job, moment, made);
        provenance.metadata.push(("source_rows".into(), made.source.rows.to_string()));
        let nowhere = |error: std::io::Error| PublishError::Io {
            path: crate::store::scratch_parent(),
            reason: error.to_string(),
        };
        let folder = Scratch::begin().map_err(nowhere)?;
        let file = folder.path().join("part.parquet");
        let (plain, what_if) = (&made.forecasts, &made.scenarios.forecasts);
        let part = parts::write(&file, (self.shard, name), plain, what_if, &made.id_columns, &provenance)?;
        let store = self.store()?;
        parts::check(&store, "", &part)?;
        let delivery = parts::deliver(&store, "", &part, &file)?;
        // Another attempt at the same shard may have been quicker.
        parts::check(&store, "", &part)?;
        let at = self.folder.join(&part.file);
        let path = at.local().map_or(Place::Remote(at), Place::Local);
        let published = Published { rows: part.rows, bytes: part.bytes, path };
        Ok((published, Delivered { shard: self.shard, folder: self.folder.clone(), delivery }))
    }
}

/// The series of a shard, and where those of all shards end.
pub(super) fn own<'a>(panel: &'a Panel, shard: Shard) -> (Cow<'a, Panel>, Ends) {
    let mut ends = Ends::default();
    ends.reach(panel);
    let series = panel.series.iter().filter(|series| shard.owns(&series.unique_id)).cloned().collect();
    let own = Panel {
        series,
        id_columns: panel.id_columns.clone(),
        covariates: panel.covariates.clone(),
        zone: panel.zone.clone(),
        marks: panel.marks.clone(),
    };
    (Cow::Owned(own), ends)
}
