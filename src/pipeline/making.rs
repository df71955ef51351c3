//! Forecasts of a one-shot job: of a model that is trained on its data, or of one that was trained before.

use crate::ingest::{self, IngestError, Ingested, SourceSpec, Spans};
use crate::model::forecaster::{Control, Forecaster};
use crate::model::report::{FitReport, Progress};
use crate::model::spec::{ModelKind, ModelSpec};
use crate::pipeline::memory_plan::{Demand, MemoryPlan, MemoryReport};
use crate::pipeline::{
    Job, JobError, LoadReport, LoadSpec, Outlets, SourceReport, StopWatch, ahead, check_overwrites, coherent,
    load, memory_plan, outputs, room, scenario, shard,
};
use crate::publish;
use crate::series::{Ends, Forecasts, Panel};
use crate::store::{Place, scratch_parent};

/// Where the forecaster of a job comes from.
#[derive(Clone, Debug)]
pub enum Making {
    /// It is trained.
    Fit(ModelSpec),
    /// It was trained before.
    Load(LoadSpec),
}

impl Making {
    /// Which forecaster, where it is known before a model is loaded.
    pub fn kind(&self) -> Option<ModelKind> {
        match self {
            Making::Fit(spec) => Some(spec.kind()),
            Making::Load(load) => load.asked.kind,
        }
    }
}

/// Forecasts, and where they are from.
pub(super) struct Made {
    pub(super) forecasts: Forecasts,
    pub(super) scenarios: scenario::Made,
    pub(super) id_columns: Vec<String>,
    pub(super) source: SourceReport,
    pub(super) model: ModelSpec,
    pub(super) fits: Vec<FitReport>,
    pub(super) loaded: Option<LoadReport>,
    /// In the metadata, where data has another step than the model.
    pub(super) scales: Option<String>,
    /// What memory it was to take.
    pub(super) memory: MemoryReport,
    pub(super) weights_sha256: String,
}

/// Forecasts of a model that is trained on the data.
pub(super) fn fitted(
    job: &Job,
    model: &ModelSpec,
    outlets: &Outlets,
    watch: &(dyn Fn(Progress) + Sync),
    clock: &mut StopWatch,
) -> Result<Made, JobError> {
    let deadline = model.budget().and_then(|budget| clock.since.checked_add(budget));
    let demand = demand(job, model, true, model.horizon());
    let spec = job.source.clone().reaching(model.horizon(), model.season_length());
    let (ingested, mut source) = read(job, &spec, outlets, &demand, watch)?;
    let memory = planned(job, &ingested, &demand)?;
    check_room(job, &ingested.panel, model.horizon(), model)?;
    let (known, horizon) = ((&job.source.covariates, &job.source.sums), model.horizon());
    let ahead = ahead::complete(&ingested.panel, known, horizon, model.season_length())?;
    source.notes.extend(ahead.notes);
    scenario::check(&job.scenarios, &ahead.panel, known.0, horizon)?;
    clock.lap("read");

    let fitted = Forecaster::fit(&ingested.panel, model, &Control { deadline, ..Control::watched(watch) })?;
    let weights_sha256 = fitted.forecaster.weights_sha256();
    if let Some(outlet) = &outlets.save_model {
        publish::write_bytes(outlet.file(), &fitted.forecaster.to_bytes())?;
        outlet.send()?;
    }
    clock.lap("train");

    watch(Progress::begun("forecasting"));
    let (panel, ends) = match &job.sharded {
        Some(sharded) => shard::own(&ahead.panel, sharded.shard),
        None => (ahead.panel, Ends::default()),
    };
    source.warn(ahead::new_names(&fitted.forecaster, &panel));
    let predict = |panel: &Panel| {
        let forecasts = fitted.forecaster.predict_among(panel, &[], &ends, watch);
        coherent::coherent(forecasts, panel, &job.source.sums, model)
    };
    let (forecasts, scenarios) = what_if(job, &panel, horizon, predict)?;
    source.warn(scenarios.notes.clone());
    clock.lap("forecast");
    Ok(Made {
        forecasts,
        scenarios,
        id_columns: ingested.panel.id_columns.clone(),
        source,
        model: model.clone(),
        fits: fitted.reports,
        loaded: None,
        scales: None,
        memory,
        weights_sha256,
    })
}

/// Forecasts of a model that was trained before.
pub(super) fn loaded(
    job: &Job,
    load: &LoadSpec,
    outlets: &Outlets,
    watch: &(dyn Fn(Progress) + Sync),
    clock: &mut StopWatch,
) -> Result<Made, JobError> {
    let opened = load::open_model(load)?;
    check_overwrites(outputs(job), [&opened.file])?;
    clock.lap("load");
    let horizon = opened.forecaster.spec().horizon();
    let season_length = load.asked.season_length;
    let reaching = |rows| job.source.clone().reaching(rows, season_length);
    let expected = demand(job, opened.forecaster.spec(), false, horizon);
    let (mut ingested, mut source) = read(job, &reaching(horizon), outlets, &expected, watch)?;
    let fitting = load::fitting(load, &opened, &ingested)?;
    let memory = planned(job, &ingested, &Demand { rows: fitting.rows, ..expected })?;
    check_room(job, &ingested.panel, fitting.rows, &fitting.spec)?;
    if fitting.rows > horizon && !job.source.almanac.is_empty() {
        // How many rows the calendar has to reach was known from the data alone.
        let demand = demand(job, opened.forecaster.spec(), false, fitting.rows);
        (ingested, source) = read(job, &reaching(fitting.rows), outlets, &demand, watch)?;
    }
    let known = (&job.source.covariates, &job.source.sums);
    let ends = ingested.spans.as_ref().map(Spans::ends).unwrap_or_default();
    let season_length = load.asked.season_length;
    let ahead = ahead::complete_among(&ingested.panel, known, fitting.rows, season_length, &ends)?;
    source.notes.extend(ahead.notes);
    scenario::check(&job.scenarios, &ahead.panel, known.0, fitting.rows)?;
    source.warn(fitting.warnings.clone());
    clock.lap("read");

    watch(Progress::begun("forecasting"));
    source.warn(ahead::new_names(&opened.forecaster, &ahead.panel));
    let predict = |panel: &Panel| {
        let forecasts = opened.forecaster.predict_among(panel, &fitting.matches, &ends, watch);
        coherent::coherent(forecasts, panel, &job.source.sums, &fitting.spec)
    };
    let (forecasts, scenarios) = what_if(job, &ahead.panel, fitting.rows, predict)?;
    source.warn(scenarios.notes.clone());
    clock.lap("forecast");
    Ok(Made {
        forecasts,
        scenarios,
        id_columns: ingested.panel.id_columns.clone(),
        source,
        fits: Vec::new(),
        loaded: Some(fitting.report(&load.path, &opened)),
        scales: (!fitting.is_same()).then(|| fitting.scales()),
        model: fitting.spec,
        memory,
        weights_sha256: opened.weights_sha256,
    })
}

/// What a job with a model asks of memory.
fn demand<'a>(job: &Job, spec: &'a ModelSpec, is_fitted: bool, rows: usize) -> Demand<'a> {
    Demand {
        models: vec![spec],
        is_fitted,
        rows,
        scenarios: job.scenarios.len(),
        copies: 0,
        shards: job.source.shard.map_or(1, |shard| u64::from(shard.count())),
        threads: rayon::current_num_threads(),
    }
}

/// Whether there is room for the forecasts of a panel, before any are made.
fn check_room(job: &Job, panel: &Panel, rows: usize, spec: &ModelSpec) -> Result<(), JobError> {
    let rows = panel.series.len() * rows * (1 + job.scenarios.len());
    let bytes = room::of_forecasts(rows, spec.quantile_levels().len());
    match (&job.sharded, &job.output) {
        (None, Place::Local(path)) => Ok(room::check(path, bytes, 0)?),
        // What goes to a store is written here first.
        _ => Ok(room::check(&scratch_parent(), bytes, 0)?),
    }
}

/// The plan of a job whose source has been read, within its limit.
fn planned(job: &Job, ingested: &Ingested, demand: &Demand<'_>) -> Result<MemoryReport, JobError> {
    let plan = MemoryPlan::of(ingested, demand);
    tracing::debug!(bytes = plan.bytes(), parts = plan.in_words(), "memory planned");
    Ok(MemoryReport::begun(&plan, job.max_memory)?)
}

/// The plain forecasts of a panel, and those of the scenarios beside them.
fn what_if(
    job: &Job,
    panel: &Panel,
    rows: usize,
    predict: impl Fn(&Panel) -> Result<Forecasts, IngestError>,
) -> Result<(Forecasts, scenario::Made), IngestError> {
    let plain = predict(panel)?;
    let known = (&job.source.covariates, &job.source.sums);
    let scenarios = scenario::forecast(&job.scenarios, (panel, &plain), known, rows, predict)?;
    Ok((plain, scenarios))
}

/// Reads the source, and writes its quality where that is asked for.
fn read(
    job: &Job,
    spec: &SourceSpec,
    outlets: &Outlets,
    demand: &Demand<'_>,
    watch: &(dyn Fn(Progress) + Sync),
) -> Result<(Ingested, SourceReport), JobError> {
    let limit = memory_plan::limit(job.max_memory);
    let ingested =
        ingest::read_guarded(spec, watch, &|dimensions| memory_plan::guard(dimensions, demand, limit))?;
    check_overwrites(outputs(job), &ingested.files)?;
    let source = SourceReport::of(&ingested);
    if let Some(outlet) = &outlets.quality {
        publish::write_quality(outlet.file(), &ingested.quality)?;
        outlet.send()?;
    }
    Ok((ingested, source))
}
