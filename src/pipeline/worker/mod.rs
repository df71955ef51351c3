//! Forecasts of an Arrow stream as an Arrow stream: by a saved model, group after group of whole series, or by one that is
//! trained on all of it.
//!
//! ```text
//! thread "reading"      bytes ─▶ whole series          │ one group waits between two of them, so that memory is that
//! thread "assembling"   series ─▶ panel                │ of a few groups, however long the stream is
//! this thread           panel ─▶ forecasts, on all cores
//! thread "writing"      forecasts ─▶ bytes
//! ```
//!
//! Every forecast is that of the whole data in one file, bit for bit. Which series are stale is asked of all series: they end
//! where the job says ([`Ending`]), or a stream in which that cannot be told ends with an error.

mod ending;
mod report;
mod stage;
mod trained;

pub use ending::Ending;
pub use report::WorkerReport;

use crate::ingest::{self, BadSeriesLimit, Bounds, Group, Ingested, Parts, SourceSpec, Stream};
use crate::model::rate::{Rate, Scale};
use crate::model::report::Progress;
use crate::model::spec::ModelSpec;
use crate::pipeline::{JobError, LoadSpec, Making, Moment, StopWatch, ahead, load};
use crate::publish::{ForecastBatches, ForecastStream, Provenance, PublishError};
use crate::registry::Opened;
use crate::series::{Forecasts, Frequency};
use crate::store::Place;
use ending::Ends;
use report::Tally;
use stage::{Outlet, Stage};
use std::collections::HashMap;
use std::io::{self, Read, Write};

/// Rows of a group, about.
const GROUP_ROWS: usize = 1 << 16;

/// Rows of the forecasts of a group, about, and the fewest series that it may have.
const FORECAST_ROWS: usize = 1 << 17;
const GROUP_SERIES_MIN: usize = 64;

/// What happens to a stream, fully checked.
#[derive(Clone, Debug)]
pub struct WorkerJob {
    /// How the stream is read; its inputs are not looked at.
    pub source: SourceSpec,
    /// What forecasts.
    pub making: Making,
    /// Where the data ends.
    pub ending: Ending,
    /// How many series may be bad, judged at the end of the stream; of one that is trained on, the source says it.
    pub limit: BadSeriesLimit,
    /// Where the weights of a model that is trained on the stream go, if anywhere.
    pub save_model: Option<Place>,
    /// How much of the stream is held at a time; `None` is what suits.
    pub bounds: Option<Bounds>,
    /// SHA-256 of the settings that decide the result, lower-case hex.
    pub config_sha256: String,
}

/// Reads a stream to its end and writes the forecasts of its series; `watch` hears of a training.
///
/// # Errors
/// See [`JobError`]; what was written until then is good, and lacks the mark of the end. [`JobError::Stream`] where the
/// forecasts are not taken, a closed pipe included.
pub fn work(
    job: &WorkerJob,
    moment: Moment,
    input: impl Read + Send + 'static,
    output: impl Write + Send + 'static,
    watch: &(dyn Fn(Progress) + Sync),
) -> Result<WorkerReport, JobError> {
    match &job.making {
        Making::Fit(spec) => trained::work(job, spec, moment, input, output, watch),
        Making::Load(load) => loaded(job, load, moment, input, output),
    }
}

/// Forecasts of a model that was trained before.
fn loaded(
    job: &WorkerJob,
    load: &LoadSpec,
    moment: Moment,
    input: impl Read + Send + 'static,
    output: impl Write + Send + 'static,
) -> Result<WorkerReport, JobError> {
    let mut clock = StopWatch::start();
    let opened = load::open_model(load)?;
    let spec = load::asked_for(load, &opened)?;
    let reach = reach(job, load, spec.horizon())?;
    clock.lap("load");

    let source = job.source.clone().reaching(reach, load.asked.season_length);
    let bounds = job.bounds.unwrap_or_else(|| bounds(reach));
    let Stream { groups, parts } = ingest::stream(input, &source, bounds, usual(job, load, &opened))?;
    let id_columns = parts.roles().id.clone();
    let provenance = provenance(job, &moment, &spec, Some(&opened), &opened.weights_sha256);
    let levels = opened.forecaster.spec().quantile_levels().to_vec();
    let mut writing = Outlet::begin(output, levels, id_columns.clone(), provenance.clone())?;
    let mut reading = reading(groups);
    let mut panels = assembling(parts, move || reading.next());

    let (mut ends, mut tally) = (Ends::new(&job.ending), Tally::default());
    let mut rows_ahead = None;
    while let Some((ids, ingested)) = panels.next()? {
        tally.read(&ingested);
        if ingested.panel.series.is_empty() {
            continue;
        }
        let panel = &ingested.panel;
        let fitting = load::fitting(load, &opened, &ingested)?;
        one_reach(&mut rows_ahead, fitting.rows, &job.source)?;
        tally.warn(fitting.warnings);
        let known = (&job.source.covariates, &job.source.sums);
        let ends_now = ends.reached(panel)?;
        let ahead = ahead::complete_among(panel, known, fitting.rows, load.asked.season_length, ends_now)?;
        tally.note(ahead.notes);
        tally.warn(ahead::new_names(&opened.forecaster, &ahead.panel));
        let forecasts = opened.forecaster.predict_among(&ahead.panel, &fitting.matches, ends_now, &|_| {});
        ends.made(panel, &forecasts);
        let forecasts = in_stream_order(forecasts, &ids);
        tally.forecast(&forecasts);
        let batches = ForecastBatches::as_they_come(&forecasts, &id_columns, &provenance).map_err(unfit)?;
        writing.write(batches)?;
    }
    tally.judge(job.limit)?;
    writing.end()?;
    clock.lap("forecast");
    Ok(tally.report(moment, spec, Some(load.path.clone()), opened.weights_sha256, clock.laps))
}

/// Rows past the end of every series that forecasts reach.
fn reach(job: &WorkerJob, load: &LoadSpec, horizon: usize) -> Result<usize, JobError> {
    match load.scale {
        Some(Scale::Auto) if !job.source.almanac.is_empty() => {
            let problem = "sampling_scale auto: how far the calendar has to reach is not known before the stream is read; give \
                           the scale as a number, such as 0.25";
            let kind = ingest::IngestErrorKind::Usage;
            Err(ingest::IngestError::new(kind, vec![problem.to_owned()]).into())
        }
        Some(Scale::By(rate @ Rate::Finer(_))) => Ok(rate.rows(horizon)),
        _ => Ok(horizon),
    }
}

/// How much of a stream is held at a time.
fn bounds(reach: usize) -> Bounds {
    Bounds { rows: GROUP_ROWS, series: (FORECAST_ROWS / reach.max(1)).max(GROUP_SERIES_MIN) }
}

/// The frequency of series that are too short to tell theirs: that of the model, if it has one, for no other is forecast.
fn usual(job: &WorkerJob, load: &LoadSpec, opened: &Opened) -> Option<Frequency> {
    match opened.forecaster.frequencies()[..] {
        [only] if job.source.frequency.is_none() && load.scale.is_none() => Some(only),
        _ => None,
    }
}

/// Covariates have to be known as far as the longest forecast of all series goes, which no group tells of the others.
fn one_reach(known: &mut Option<usize>, rows: usize, source: &SourceSpec) -> Result<(), JobError> {
    let before = *known.get_or_insert(rows);
    if before == rows || !source.covariates.has_known_ahead() {
        return Ok(());
    }
    let problem = format!(
        "{}: forecasts of {before} rows and of {rows}: how far covariates have to be known would depend on all series; run those \
         of each step in a stream of their own",
        ingest::STREAM_NAME
    );
    Err(ingest::IngestError::new(ingest::IngestErrorKind::Data, vec![problem]).into())
}

/// The thread that reads.
fn reading(mut groups: ingest::Groups) -> Stage<Group, JobError> {
    Stage::run("reading", move || Ok(groups.next_group()?))
}

/// The ids of some series in the order of the stream, and their panel.
type Assembled = (Vec<Vec<String>>, Ingested);

/// The thread that makes panels.
fn assembling(
    mut parts: Parts,
    mut groups: impl FnMut() -> Result<Option<Group>, JobError> + Send + 'static,
) -> Stage<Assembled, JobError> {
    Stage::run("assembling", move || {
        let Some(group) = groups()? else { return Ok(None) };
        let ids = group.ids().to_vec();
        Ok(Some((ids, parts.read(group)?)))
    })
}

/// The forecasts in the order in which their series came.
fn in_stream_order(mut forecasts: Forecasts, ids: &[Vec<String>]) -> Forecasts {
    let places: HashMap<&[String], usize> = ids.iter().map(Vec::as_slice).zip(0..).collect();
    forecasts.series.sort_by_key(|one| places.get(one.keys.as_slice()).copied());
    forecasts
}

/// What every row and the metadata say of where the forecasts come from.
fn provenance(
    job: &WorkerJob,
    moment: &Moment,
    spec: &ModelSpec,
    opened: Option<&Opened>,
    weights_sha256: &str,
) -> Provenance {
    let version = opened.and_then(|opened| opened.manifest.as_ref());
    let seed = spec.seed().to_string();
    let metadata = [
        ("config_sha256", job.config_sha256.as_str()),
        ("code_sha256", crate::CODE_SHA256),
        ("weights_sha256", weights_sha256),
        ("seed", &seed),
        ("model", spec.kind().as_str()),
    ];
    let mut metadata: Vec<(String, String)> =
        metadata.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    metadata.extend(version.map(|manifest| ("job".into(), manifest.job.clone())));
    Provenance {
        run_id: moment.run_id.clone(),
        issued_at: moment.issued_at,
        created_at: moment.created_at,
        model_version: version.map_or(1, |manifest| i32::try_from(manifest.version).unwrap_or(i32::MAX)),
        primary_level: spec.levels()[0],
        levels: spec.levels().to_vec(),
        correction: None,
        metadata,
    }
}

/// What no reader may see.
fn unfit(reason: String) -> JobError {
    PublishError::Verify { path: "stdout".into(), reason }.into()
}

/// Writes a stream without rows.
fn empty(
    output: impl Write,
    levels: &[f64],
    id_columns: &[String],
    provenance: &Provenance,
) -> io::Result<()> {
    ForecastStream::begin(output, levels, id_columns, provenance)?.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_bounded_by_what_comes_of_it() {
        assert_eq!(bounds(28).series, 4681);
        assert_eq!(bounds(10_000).series, GROUP_SERIES_MIN);
    }
}
