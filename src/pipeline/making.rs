//! Forecasts of a one-shot job: of a model that is trained on its data, or of one that was trained before.

use crate::ingest::{self, Dimensions, IngestError, IngestErrorKind, Ingested, SourceSpec, Spans};
use crate::model::forecaster::{Control, Forecaster};
use crate::model::report::{FitReport, Progress};
use crate::model::spec::{ModelKind, ModelSpec};
use crate::pipeline::memory_plan::{Demand, MemoryPlan, MemoryReport};
use crate::pipeline::passes::Gathered;
use crate::pipeline::{
    Job, JobError, LoadReport, LoadSpec, Outlets, SourceReport, StopWatch, ahead, check_overwrites, coherent,
    load, memory_plan, outputs, passes, room, scenario, shard,
};
use crate::publish;
use crate::registry::Opened;
use crate::series::{Ends, Forecasts, Panel, Quality};
use crate::store::{Place, scratch_parent};
use std::cell::Cell;

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
    let (ingested, mut source) = read(job, &spec, &demand, &|_| {}, watch)?;
    write_quality(outlets, &ingested.quality)?;
    let (memory, parts) = planned(job, &ingested, &demand)?;
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
        let forecasts = passes::in_parts(panel, &ends, parts, |panel, ends| {
            fitted.forecaster.predict_among(panel, &[], ends, watch)
        });
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

/// Forecasts of a model that was trained before: of all series at once, or pass by pass where they do not fit into memory.
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
    let expected = demand(job, opened.forecaster.spec(), false, opened.forecaster.spec().horizon());
    let found = Cell::new(Dimensions::default());
    let seen = |dimensions: &Dimensions| found.set(*dimensions);
    let task = Task { job, load, opened: &opened, watch };
    let refused = match task.pass(&job.source, &expected, &seen, clock) {
        Ok(pass) => {
            write_quality(outlets, &pass.ingested.quality)?;
            let id_columns = pass.ingested.panel.id_columns;
            return Ok(task.made(pass.found, id_columns, pass.source, pass.fitting, pass.memory));
        }
        Err(refused) => refused,
    };
    let is_memory = match &refused {
        JobError::Ingest(error) => error.kind() == IngestErrorKind::Memory,
        error => matches!(error, JobError::Memory(_)),
    };
    let limit = memory_plan::limit(job.max_memory);
    let passes = passes::passes(job, &found.get(), &expected, limit).filter(|_| is_memory);
    let Some(passes) = passes else { return Err(refused) };
    tracing::info!(passes, "the series do not fit into memory at once: the source is read so often");
    let (mut gathered, mut last, mut planned) = (Gathered::default(), None, MemoryReport::default());
    for shard in passes::shares(passes) {
        let source = SourceSpec { shard: Some(shard), heeds_others: true, ..job.source.clone() };
        let demand = Demand { passes: passes.into(), made: gathered.made() as u64, ..expected.clone() };
        let Pass { ingested, source, fitting, found, memory } = task.pass(&source, &demand, &seen, clock)?;
        planned = MemoryReport { planned_bytes: planned.planned_bytes.max(memory.planned_bytes), ..memory };
        let (forecasts, scenarios) = found;
        last = Some((ingested.panel.id_columns.clone(), fitting, scenarios));
        gathered.add(ingested, source, forecasts);
    }
    let (Some((forecasts, source, quality)), Some((id_columns, fitting, scenarios))) =
        (gathered.whole(), last)
    else {
        return Err(refused);
    };
    write_quality(outlets, &quality)?;
    let memory = MemoryReport { chunks: passes as usize, ..planned };
    Ok(task.made((forecasts, scenarios), id_columns, source, fitting, memory))
}

/// A job with a model that was trained before.
struct Task<'a> {
    job: &'a Job,
    load: &'a LoadSpec,
    opened: &'a Opened,
    watch: &'a (dyn Fn(Progress) + Sync),
}

/// One reading of a source, and its forecasts.
struct Pass {
    ingested: Ingested,
    source: SourceReport,
    fitting: load::Fitting,
    found: (Forecasts, scenario::Made),
    memory: MemoryReport,
}

impl Task<'_> {
    /// Reads a source, or a share of it, and forecasts it; `seen` hears of its size before it is read.
    fn pass(
        &self,
        spec: &SourceSpec,
        expected: &Demand<'_>,
        seen: &dyn Fn(&Dimensions),
        clock: &mut StopWatch,
    ) -> Result<Pass, JobError> {
        let Task { job, load, opened, watch } = *self;
        let horizon = opened.forecaster.spec().horizon();
        let season_length = load.asked.season_length;
        let reaching = |rows| spec.clone().reaching(rows, season_length);
        let (mut ingested, mut source) = read(job, &reaching(horizon), expected, seen, watch)?;
        let fitting = load::fitting(load, opened, &ingested)?;
        let (memory, parts) = planned(job, &ingested, &Demand { rows: fitting.rows, ..expected.clone() })?;
        check_room(job, &ingested.panel, fitting.rows, &fitting.spec)?;
        if fitting.rows > horizon && !job.source.almanac.is_empty() {
            // How many rows the calendar has to reach was known from the data alone.
            let demand = Demand { rows: fitting.rows, ..expected.clone() };
            (ingested, source) = read(job, &reaching(fitting.rows), &demand, seen, watch)?;
        }
        let known = (&job.source.covariates, &job.source.sums);
        let ends = ingested.spans.as_ref().map(Spans::ends).unwrap_or_default();
        let ahead = ahead::complete_among(&ingested.panel, known, fitting.rows, season_length, &ends)?;
        source.notes.extend(ahead.notes);
        scenario::check(&job.scenarios, &ahead.panel, known.0, fitting.rows)?;
        source.warn(fitting.warnings.clone());
        clock.lap("read");

        watch(Progress::begun("forecasting"));
        source.warn(ahead::new_names(&opened.forecaster, &ahead.panel));
        let predict = |panel: &Panel| {
            let forecasts = passes::in_parts(panel, &ends, parts, |panel, ends| {
                opened.forecaster.predict_among(panel, &fitting.matches, ends, watch)
            });
            coherent::coherent(forecasts, panel, &job.source.sums, &fitting.spec)
        };
        let (forecasts, scenarios) = what_if(job, &ahead.panel, fitting.rows, predict)?;
        source.warn(scenarios.notes.clone());
        clock.lap("forecast");
        drop(ahead.panel);
        Ok(Pass { ingested, source, fitting, found: (forecasts, scenarios), memory })
    }

    /// What one or several passes found and made.
    fn made(
        &self,
        (forecasts, scenarios): (Forecasts, scenario::Made),
        id_columns: Vec<String>,
        source: SourceReport,
        fitting: load::Fitting,
        memory: MemoryReport,
    ) -> Made {
        Made {
            forecasts,
            scenarios,
            id_columns,
            source,
            fits: Vec::new(),
            loaded: Some(fitting.report(&self.load.path, self.opened)),
            scales: (!fitting.is_same()).then(|| fitting.scales()),
            model: fitting.spec,
            memory,
            weights_sha256: self.opened.weights_sha256.clone(),
        }
    }
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
        parts: 1,
        passes: 1,
        made: 0,
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

/// The plan of a job whose source has been read, within its limit, and the parts that its forecasts are made in for that.
fn planned(job: &Job, ingested: &Ingested, demand: &Demand<'_>) -> Result<(MemoryReport, usize), JobError> {
    let (plan, parts) = MemoryPlan::in_parts(ingested, demand, memory_plan::limit(job.max_memory));
    tracing::debug!(bytes = plan.bytes(), parts = plan.in_words(), "memory planned");
    let chunks = usize::try_from(parts).unwrap_or(1);
    Ok((MemoryReport { chunks, ..MemoryReport::begun(&plan, job.max_memory)? }, chunks))
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

/// Reads the source, if its size, which `seen` hears of, allows that.
fn read(
    job: &Job,
    spec: &SourceSpec,
    demand: &Demand<'_>,
    seen: &dyn Fn(&Dimensions),
    watch: &(dyn Fn(Progress) + Sync),
) -> Result<(Ingested, SourceReport), JobError> {
    let limit = memory_plan::limit(job.max_memory);
    let guard = |dimensions: &Dimensions| {
        seen(dimensions);
        memory_plan::guard(dimensions, demand, limit)
    };
    let ingested = ingest::read_guarded(spec, watch, &guard)?;
    check_overwrites(outputs(job), &ingested.files)?;
    let source = SourceReport::of(&ingested);
    Ok((ingested, source))
}

/// Writes the quality of all series where that is asked for.
fn write_quality(outlets: &Outlets, quality: &[Quality]) -> Result<(), JobError> {
    if let Some(outlet) = &outlets.quality {
        publish::write_quality(outlet.file(), quality)?;
        outlet.send()?;
    }
    Ok(())
}
