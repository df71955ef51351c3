//! A model that is trained on all of a stream, and its forecasts.

use super::report::Tally;
use super::{WorkerJob, WorkerReport, empty, provenance, unfit};
use crate::ingest;
use crate::model::report::Progress;
use crate::model::spec::ModelSpec;
use crate::pipeline::{Job, JobError, Making, Moment, Outlets, StopWatch, making};
use crate::publish::{ForecastBatches, ForecastStream, Outlet};
use crate::store::Place;
use std::io::{BufWriter, Read, Write};
use std::sync::Arc;

/// Reads a stream to its end, trains on it and forecasts it, as a job on the same rows in a file does.
pub(super) fn work(
    job: &WorkerJob,
    spec: &ModelSpec,
    moment: Moment,
    input: impl Read,
    output: impl Write,
    watch: &(dyn Fn(Progress) + Sync),
) -> Result<WorkerReport, JobError> {
    let mut clock = StopWatch::start();
    watch(Progress::begun("reading the stream"));
    let spooled = ingest::spool(input)?;
    let output = BufWriter::new(output);
    let mut tally = Tally::default();
    if spooled.rows() == 0 {
        let id_columns = spooled.id_columns(&job.source)?;
        let provenance = provenance(job, &moment, spec, None, "");
        empty(output, spec.quantile_levels(), &id_columns, &provenance).map_err(JobError::Stream)?;
        clock.lap("read");
        return Ok(tally.report(moment, spec.clone(), None, String::new(), clock.laps));
    }
    let source = ingest::SourceSpec { spooled: Some(Arc::new(spooled)), ..job.source.clone() };
    let one_shot = Job {
        max_memory: None,
        source,
        making: Making::Fit(spec.clone()),
        scenarios: Vec::new(),
        output: Place::Local("stdout".into()),
        sharded: None,
        save_model: job.save_model.clone(),
        quality: None,
        config_file: None,
        config_sha256: job.config_sha256.clone(),
    };
    let save_model = job.save_model.as_ref().map(Outlet::open).transpose()?;
    let outlets = Outlets { output: None, save_model, quality: None };
    let made = making::fitted(&one_shot, spec, &outlets, watch, &mut clock)?;
    tally.read_all(&made.source);
    tally.forecast(&made.forecasts);
    let mut provenance = provenance(job, &moment, &made.model, None, &made.weights_sha256);
    provenance.metadata.push(("data_fingerprint".into(), made.source.fingerprint.clone()));
    let levels = &made.forecasts.quantile_levels;
    let rows = ForecastBatches::sorted(&made.forecasts, &[], &made.id_columns, &provenance).map_err(unfit)?;
    let write = || {
        let mut stream = ForecastStream::begin(output, levels, &made.id_columns, &provenance)?;
        stream.write(&rows)?;
        stream.end()
    };
    write().map_err(JobError::Stream)?;
    clock.lap("write");
    let report = tally.report(moment, made.model, None, made.weights_sha256, clock.laps);
    Ok(WorkerReport { fits: made.fits, ..report })
}
