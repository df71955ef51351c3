//! One backtest, straight down: read, then window by window cut, fit, predict, score and write.

use crate::evaluation::backtest::{Backtest, ModelResult};
use crate::evaluation::spec::{Align, BacktestSpec};
use crate::ingest::{self, SourceSpec};
use crate::model::report::Progress;
use crate::model::spec::ModelSpec;
use crate::pipeline::coherent::coherent;
use crate::pipeline::gallery::{CutoffLoss, Gallery, Keeper};
use crate::pipeline::memory_plan::{self, Demand, MemoryPlan, MemoryReport};
use crate::pipeline::{JobError, Moment, SourceReport, check_overwrites};
use crate::publish::{BacktestFile, Outlet, Published};
use crate::series::{Forecasts, Panel};
use crate::store::Place;
use jiff::tz::TimeZone;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Share of series without a value in any window from which on a note says so.
const LEFT_OUT_SHARE: f64 = 0.1;

/// One backtest, fully checked.
#[derive(Clone, Debug)]
pub struct BacktestJob {
    /// What to read.
    pub source: SourceSpec,
    /// What to compare, and where.
    pub spec: BacktestSpec,
    /// Where the outcomes go, if anywhere.
    pub output: Option<Place>,
    /// Where a page about it goes, if anywhere: what is needed for one is kept, and whoever asked for the backtest writes it.
    pub report: Option<Place>,
    /// Id column whose values are segments, if any.
    pub segment: Option<String>,
    /// The job file, if there is one: it must not be overwritten.
    pub config_file: Option<PathBuf>,
    /// Bytes of memory that it may take; `None` takes nine tenths of what there is.
    pub max_memory: Option<u64>,
    /// SHA-256 of the settings that decide the result, lower-case hex.
    pub config_sha256: String,
}

/// What a backtest found.
pub struct BacktestReport {
    /// When and as what it ran.
    pub moment: Moment,
    /// What was read.
    pub source: SourceReport,
    /// What was asked for.
    pub spec: BacktestSpec,
    /// What became of each model, in the order asked for.
    pub models: Vec<ModelResult>,
    /// The cutoff of each window, microseconds UTC, the oldest first; the latest where series have their own.
    pub cutoffs: Vec<i64>,
    /// Season length of each frequency in steps.
    pub seasons: BTreeMap<String, usize>,
    /// Value of the segment column, by series; empty where no segments were asked for.
    pub segments: BTreeMap<String, String>,
    /// Zone in which times are read.
    pub zone: TimeZone,
    /// Loss of every model at every cutoff.
    pub losses: Vec<CutoffLoss>,
    /// Some series with their forecasts, where a page is asked for.
    pub gallery: Option<Gallery>,
    /// What memory it was to take, and took.
    pub memory: MemoryReport,
    /// SHA-256 of the settings that decide the result, lower-case hex.
    pub config_sha256: String,
    /// Series without a value in any window.
    pub left_out: Vec<String>,
    /// What a reader of the figures has to know.
    pub notes: Vec<String>,
    /// The outcomes.
    pub published: Option<Published>,
}

/// Runs a backtest; `watch` hears of the progress. What can be refused is refused before the first fit.
///
/// # Errors
/// See [`JobError`]; nothing is written then.
pub fn backtest(
    job: &BacktestJob,
    moment: Moment,
    watch: &(dyn Fn(Progress) + Sync),
) -> Result<BacktestReport, JobError> {
    let outputs = || job.output.iter().chain(&job.report);
    let outlet = job.output.as_ref().map(Outlet::open).transpose()?;
    job.report.as_ref().map(Outlet::open).transpose()?;
    check_overwrites(outputs(), job.config_file.iter())?;
    if let Some(path) = job.report.as_ref().filter(|path| job.output.as_ref() == Some(*path)) {
        return Err(JobError::SamePath(path.clone()));
    }

    let demand = Demand {
        models: job.spec.models.iter().collect(),
        is_fitted: true,
        rows: job.spec.horizon + job.spec.gap,
        scenarios: 0,
        // The part of every series that is known at a cutoff.
        copies: 1,
        shards: 1,
        parts: 1,
        passes: 1,
        made: 0,
        threads: rayon::current_num_threads(),
    };
    let limit = memory_plan::limit(job.max_memory);
    let guard = |dimensions: &_| memory_plan::guard(dimensions, &demand, limit);
    let ingested = ingest::read_guarded(&job.source, watch, &guard)?;
    let memory = MemoryReport::begun(&MemoryPlan::of(&ingested, &demand), job.max_memory)?;
    check_overwrites(outputs(), &ingested.files)?;
    let source = SourceReport::of(&ingested);
    let panel = &ingested.panel;
    let segments = segments(panel, job.segment.as_deref())?;

    let finish = |forecasts: Forecasts, known: &Panel, model: &ModelSpec| {
        coherent(forecasts, known, &job.source.sums, model).map_err(|error| error.to_string())
    };
    let mut backtest = Backtest::new(panel, &job.spec)?.finished_by(&finish);
    let mut notes = notes(panel, &job.spec, &backtest);
    let levels = job.spec.models.first().map_or(&[] as &[f64], ModelSpec::quantile_levels);
    let metadata = metadata(job, &moment, &source);
    let file =
        outlet.as_ref().map(|outlet| BacktestFile::new(outlet.file(), &panel.id_columns, levels, &metadata));
    let mut file = file.transpose()?;
    let spec = &job.spec;
    let mut keeper = Keeper::new(panel, &spec.models, spec.horizon, spec.windows, job.report.is_some());
    while let Some(outcomes) = backtest.next_window(watch)? {
        keeper.add(&outcomes);
        if let Some(file) = &mut file {
            file.write(&outcomes)?;
        }
    }
    let published = match (file, &outlet) {
        (Some(file), Some(outlet)) => Some(outlet.publish(file.publish()?)?),
        _ => None,
    };

    let left_out = backtest.left_out().into_iter().map(String::from).collect();
    let (cutoffs, seasons) = (backtest.cutoffs(), backtest.seasons().clone());
    let models = backtest.results();
    if models.iter().all(|model| model.tally.scores().points == 0) {
        notes.push("no step of any window was observed, so nothing is scored".into());
    }
    let (losses, gallery) = keeper.finish(panel, &models);
    let spec = job.spec.clone();
    Ok(BacktestReport {
        moment,
        source,
        spec,
        models,
        cutoffs,
        seasons,
        segments,
        zone: panel.zone.clone(),
        losses,
        gallery,
        memory: memory.ended(),
        config_sha256: job.config_sha256.clone(),
        left_out,
        notes,
        published,
    })
}

/// What a reader of the figures has to know.
fn notes(panel: &Panel, spec: &BacktestSpec, backtest: &Backtest<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    let (left_out, all) = (backtest.left_out().len(), panel.series.len());
    if spec.align == Align::Calendar && left_out as f64 > LEFT_OUT_SHARE * all as f64 {
        notes.push(format!(
            "{left_out} of {all} series end before every window; where times mean nothing, --align end counts each series \
             back from its own end"
        ));
    }
    if !panel.marks.is_empty() {
        notes.push(format!(
            "{} series are stale or flat at the end of the data; a backtest forecasts them like any other",
            panel.marks.len()
        ));
    }
    notes
}

/// Value of the segment column, by series.
fn segments(panel: &Panel, column: Option<&str>) -> Result<BTreeMap<String, String>, JobError> {
    let Some(column) = column else { return Ok(BTreeMap::new()) };
    let Some(place) = panel.id_columns.iter().position(|name| name == column) else {
        return Err(JobError::NoSegment { column: column.into(), known: panel.id_columns.clone() });
    };
    let value = |keys: &[String]| keys.get(place).cloned().unwrap_or_default();
    Ok(panel.series.iter().map(|series| (series.unique_id.clone(), value(&series.keys))).collect())
}

fn metadata(job: &BacktestJob, moment: &Moment, source: &SourceReport) -> Vec<(String, String)> {
    let spec = &job.spec;
    let models: Vec<&str> = spec.models.iter().map(|model| model.kind().as_str()).collect();
    let levels = spec.models.first().map_or(&[] as &[f64], ModelSpec::levels);
    let levels: Vec<String> = levels.iter().map(f64::to_string).collect();
    let pairs = [
        ("run_id", moment.run_id.clone()),
        ("config_sha256", job.config_sha256.clone()),
        ("code_sha256", crate::CODE_SHA256.into()),
        ("data_fingerprint", source.fingerprint.clone()),
        ("seed", spec.models.first().map_or(0, ModelSpec::seed).to_string()),
        ("models", models.join(",")),
        ("levels", levels.join(",")),
        ("horizon", spec.horizon.to_string()),
        ("windows", spec.windows.to_string()),
        ("step", spec.step.to_string()),
        ("gap", spec.gap.to_string()),
        ("refit", spec.refit.to_string()),
    ];
    let command = source.command.clone().map(|command| ("source_command".into(), command));
    pairs.map(|(key, value)| (key.into(), value)).into_iter().chain(command).collect()
}
