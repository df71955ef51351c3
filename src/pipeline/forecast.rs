//! The forecast stage: read, predict with the champion, publish a run.

use crate::ingest::{self, Fetched};
use crate::model::forecaster::{Control, Forecaster};
use crate::model::spec::{ModelKind, ModelSpec, RawModelSpec};
use crate::pipeline::actuals::Actuals;
use crate::pipeline::ahead;
use crate::pipeline::coherent::coherent;
use crate::pipeline::correct::Corrections;
use crate::pipeline::memory::{self, Continued, Key, Page};
use crate::pipeline::parts;
use crate::pipeline::room;
use crate::pipeline::scenario;
use crate::pipeline::shadow::{self, Shadowed};
use crate::pipeline::stage::{Context, StageError};
use crate::pipeline::train::{SourceRead, Trained, train_on};
use crate::pipeline::{Fallback, JobSpec, Moment, ScenarioReport, SourceReport, StopWatch, report};
use crate::publish::{self, Commit, Provenance, PublishedRun, RunKey, SinkSpec};
use crate::registry::{Manifest, RegistryError};
use crate::series::{Forecasts, Panel, ScenarioForecasts, Status};

/// What a forecast did.
pub struct Forecasted {
    /// The run.
    pub run: PublishedRun,
    /// Whether the run was there already, from an attempt that did not get to its end.
    pub was_there: bool,
    /// The version that forecast; `None` for the stand-in.
    pub version: Option<u32>,
    /// What was found.
    pub source: Option<SourceRead>,
    /// Whether only new files were read, and the rest remembered.
    pub is_remembered: bool,
    /// Whether its quantiles were corrected by what past runs missed.
    pub is_corrected: bool,
    /// What came of each scenario that could be forecast.
    pub scenarios: Vec<ScenarioReport>,
    /// Number of series of each status that occurs.
    pub statuses: Vec<(Status, usize)>,
    /// What the version in shadow did, if there is one.
    pub shadow: Option<Shadowed>,
    /// The training before it, where the job has no schedule for one.
    pub trained: Option<Trained>,
    /// Its nominal instant, microseconds UTC.
    pub issued_at: i64,
    /// Last timestamp of any series, microseconds UTC.
    pub latest: Option<i64>,
    /// Why the result is less than what was asked for, one line each.
    pub shortfalls: Vec<String>,
    /// Seconds of each step.
    pub seconds: Vec<(&'static str, f64)>,
}

/// Forecasts a job from what was known at the slot, and publishes the run. `fits_first` trains before; `is_resumed`
/// keeps a run that an earlier attempt has published since the slot was asked for.
///
/// # Errors
/// See [`StageError`].
pub fn forecast(
    job: &JobSpec,
    context: &Context,
    fits_first: bool,
    is_resumed: bool,
) -> Result<Forecasted, StageError> {
    let moment = context.moment;
    let key = RunKey { job: job.name.clone(), run_id: moment.run_id.clone(), issued_at: moment.issued_at };
    context.registry.refresh_or_warn(&job.name);
    publish::pull(&job.sink, &job.name)?;
    // What is committed in a store stays as it is.
    let is_kept =
        |commit: &Commit| job.sink.remote.is_some() || is_resumed && commit.created_at >= context.asked_at;
    if let Some(commit) = publish::find_run(&job.sink, &key)?.filter(is_kept) {
        let missing = publish::complete_run(&job.sink, &key)?;
        let shortfall = parts::wait(job, context, &key, missing);
        return Ok(Forecasted {
            run: PublishedRun {
                rows: commit.rows,
                bytes: commit.bytes,
                path: commit.path(),
                sha256: commit.sha256,
                waits_for: Vec::new(),
            },
            was_there: true,
            version: None,
            source: None,
            is_remembered: false,
            is_corrected: false,
            scenarios: Vec::new(),
            statuses: Vec::new(),
            shadow: shadow::forecast(job, context, None),
            trained: None,
            issued_at: moment.issued_at,
            latest: None,
            shortfalls: shortfall.into_iter().collect(),
            seconds: Vec::new(),
        });
    }
    let fetch = || {
        context.tell(if job.source.exec.is_some() { "running the command" } else { "looking at files" });
        ingest::fetch(&job.source, context.known, context.stop, context.watch)
    };
    let early = fits_first.then(fetch).transpose()?;
    if let Some(fetched) = &early {
        check_ahead(job, context, fetched)?;
    }
    let trained = early.as_ref().map(|fetched| train_on(job, context, Some(fetched))).transpose()?;
    let mut clock = StopWatch::start();
    let serving = serving(job, context)?;
    // A command runs once a slot; files may have come meanwhile.
    let fetched = match early {
        Some(early) if job.source.exec.is_some() => early,
        _ => fetch()?,
    };
    let made = make(job, context, &serving, &fetched, &mut clock)?;
    context.tell("publishing");
    context.check_held()?;
    let run = publish_made(job, &job.sink, moment, &serving, &made)?;
    let waited = parts::wait(job, context, &key, run.waits_for.clone());
    // The run is out; that older ones could not be removed does not take it back.
    let pruned = publish::prune(&job.sink, &job.name, moment.created_at);
    clock.lap("publish");
    let shadow = shadow::forecast(job, context, Some(&fetched));
    let pruned = pruned.and(publish::prune(&job.sink.shadow(), &job.name, moment.created_at));
    if shadow.is_some() {
        clock.lap("shadow");
    }

    let Made { forecasts, reports, source, bytes_read, is_remembered, lacks, correction, .. } = made;
    let is_corrected = correction.is_some();
    let statuses = report::count_statuses(&forecasts);
    let mut shortfalls = report::shortfalls(&source, &statuses);
    shortfalls.extend(lacks);
    shortfalls.extend(waited);
    shortfalls.extend(pruned.err().map(|error| format!("old runs stay: {error}")));
    if let Some(trained) = &trained {
        shortfalls.extend(report::training_shortfalls(&trained.fits));
    }
    let latest = source.span.map(|(_, last)| last);
    let source = SourceRead { report: source, bytes_read, stamps: fetched.stamps };
    Ok(Forecasted {
        run,
        was_there: false,
        version: serving.manifest().map(|manifest| manifest.version),
        source: Some(source),
        is_remembered,
        is_corrected,
        scenarios: reports,
        statuses,
        shadow,
        trained,
        issued_at: moment.issued_at,
        latest,
        shortfalls,
        seconds: clock.laps,
    })
}

/// Whether what should be known in advance is, before a training that would be for nothing.
fn check_ahead(job: &JobSpec, context: &Context, fetched: &Fetched) -> Result<(), StageError> {
    let (spec, model) = (&job.source.covariates, &job.model);
    if spec.has_known_ahead() {
        let (as_of, demand) = (context.moment.issued_at, context.demand(job, model, true));
        let guard = |dimensions: &_| context.guard(dimensions, &demand);
        let (name, source) = (&job.source_name, &job.source);
        let reading = context.sources.read_fetched(name, source, as_of, fetched, context.watch, &guard)?;
        let known = (spec, &job.source.sums);
        ahead::complete(&reading.ingested.panel, known, model.horizon(), model.season_length())?;
    }
    Ok(())
}

/// What forecasts a job.
pub(super) struct Serving {
    pub(super) model: Option<(Forecaster, Manifest)>,
    /// Why there is no model.
    pub(super) missing: String,
}

impl Serving {
    fn manifest(&self) -> Option<&Manifest> {
        self.model.as_ref().map(|(_, manifest)| manifest)
    }

    /// What is not as the config asks for.
    fn shortfall(&self, job: &JobSpec) -> Option<String> {
        let Some(manifest) = self.manifest() else {
            return Some(format!("{}; seasonal naive stands in", self.missing));
        };
        let is_other = manifest.horizon != job.model.horizon()
            || manifest.quantile_levels != job.model.quantile_levels();
        is_other.then(|| {
            format!(
                "version {} was trained for another horizon or other levels than the config asks for now; it serves until the next training",
                manifest.version
            )
        })
    }
}

/// The job's champion, if there is a sound one or nothing may stand in for it.
fn serving(job: &JobSpec, context: &Context) -> Result<Serving, StageError> {
    let champion = context.registry.champion(&job.name);
    let loaded = champion.and_then(|champion| {
        champion.map(|manifest| context.registry.load(&job.name, manifest.version)).transpose()
    });
    match loaded {
        Ok(model) => Ok(Serving { model, missing: "no model serves yet".into() }),
        Err(error @ RegistryError::Broken { .. }) if job.fallback == Fallback::SeasonalNaive => {
            Ok(Serving { model: None, missing: error.to_string() })
        }
        Err(error) => Err(error.into()),
    }
}

/// Forecasts from what is remembered and new, or from everything.
pub(super) fn make(
    job: &JobSpec,
    context: &Context,
    serving: &Serving,
    fetched: &Fetched,
    clock: &mut StopWatch,
) -> Result<Made, StageError> {
    match remembered(job, context, serving, fetched, clock)? {
        Some(made) => Ok(made),
        None => whole(job, context, serving, fetched, clock),
    }
}

/// Publishes them as the run of a slot.
pub(super) fn publish_made(
    job: &JobSpec,
    sink: &SinkSpec,
    moment: &Moment,
    serving: &Serving,
    made: &Made,
) -> Result<PublishedRun, StageError> {
    let key = RunKey { job: job.name.clone(), run_id: moment.run_id.clone(), issued_at: moment.issued_at };
    let mut provenance = provenance(job, moment, &made.source, serving.manifest(), made.correction.clone());
    let in_words = scenario::in_words(&made.scenarios, &job.scenarios);
    provenance.metadata.extend(in_words.map(|words| ("scenarios".into(), words)));
    let (forecasts, scenarios) = (&made.forecasts, &made.scenarios);
    Ok(publish::publish_run(sink, &key, forecasts, scenarios, &made.id_columns, &provenance)?)
}

/// Forecasts on their way to a run.
pub(super) struct Made {
    forecasts: Forecasts,
    scenarios: Vec<ScenarioForecasts>,
    reports: Vec<ScenarioReport>,
    source: SourceReport,
    id_columns: Vec<String>,
    bytes_read: u64,
    is_remembered: bool,
    /// What is not as it was asked for, one line each.
    lacks: Vec<String>,
    correction: Option<String>,
}

/// Forecasts from what the champion remembers and the files that are new to it; `None` where everything is to be read, or
/// is at hand already.
fn remembered(
    job: &JobSpec,
    context: &Context,
    serving: &Serving,
    fetched: &Fetched,
    clock: &mut StopWatch,
) -> Result<Option<Made>, StageError> {
    let as_of = context.moment.issued_at;
    let Some((forecaster, manifest)) = &serving.model else { return Ok(None) };
    if context.sources.is_at_hand(&job.source_name, &job.source, as_of, &fetched.stamps) {
        return Ok(None);
    }
    let path = memory::path(context.state, &job.name);
    // Scenarios need covariates, of which nothing is remembered.
    let Some(page) = Page::read(&path).filter(|_| job.scenarios.is_empty()) else { return Ok(None) };
    let key = Key::new(&job.source, &manifest.weights_sha256);
    context.tell("reading new files");
    let Some(continued) = page.go_on(&job.source, &key, as_of, &fetched.stamps, &path) else {
        return Ok(None);
    };
    let Continued { memory, report, zone, bytes_read } = continued;
    clock.lap("read");
    context.tell("forecasting");
    let Some(mut forecasts) = forecaster.predict_remembered(&memory, &zone) else { return Ok(None) };
    clock.lap("predict");
    let corrections = correct(job, &Actuals::remembered(&memory, &zone), as_of, &mut forecasts)?;
    let Some(corrections) = corrections else { return Ok(None) };
    clock.lap("correct");
    Ok(Some(Made {
        forecasts,
        scenarios: Vec::new(),
        reports: Vec::new(),
        source: report,
        id_columns: memory.id_columns,
        bytes_read,
        is_remembered: true,
        lacks: serving.shortfall(job).into_iter().collect(),
        correction: corrections.to_text(),
    }))
}

/// Forecasts from everything; what the champion will want to remember of it is kept.
fn whole(
    job: &JobSpec,
    context: &Context,
    serving: &Serving,
    fetched: &Fetched,
    clock: &mut StopWatch,
) -> Result<Made, StageError> {
    let as_of = context.moment.issued_at;
    let spec = serving.model.as_ref().map_or(&job.model, |(forecaster, _)| forecaster.spec());
    let demand = context.demand(job, spec, false);
    let guard = |dimensions: &_| context.guard(dimensions, &demand);
    let (name, source) = (&job.source_name, &job.source);
    let reading = context.sources.read_fetched(name, source, as_of, fetched, context.watch, &guard)?;
    let ingested = &reading.ingested;
    let _memory = context.take_memory(job, ingested, &demand)?;
    let rows = ingested.panel.series.len() * spec.horizon() * (1 + job.scenarios.len());
    let bytes = room::of_forecasts(rows, spec.quantile_levels().len());
    room::check(&job.sink.path, bytes, context.budget.limits().min_free)?;
    if reading.bytes_read > 0 {
        let folder = context.state.join("quality");
        std::fs::create_dir_all(&folder)
            .map_err(|source| StageError::State { path: folder.clone(), source })?;
        publish::write_quality(&folder.join(format!("{}.parquet", job.name)), &ingested.quality)?;
    }
    let horizon = spec.horizon();
    let (known, season_length) = ((&job.source.covariates, &job.source.sums), job.model.season_length());
    let ahead = ahead::complete(&ingested.panel, known, horizon, season_length)?;
    let mut source = SourceReport::of(ingested);
    source.notes.extend(ahead.notes);
    if let Some((forecaster, _)) = &serving.model {
        source.warn(ahead::new_names(forecaster, &ahead.panel));
    }
    clock.lap("read");
    context.tell("forecasting");
    let mut forecasts = predict(job, context, serving, &ahead.panel)?;
    let what_if = (&*ahead.panel, &forecasts);
    let mut lacks: Vec<String> = serving.shortfall(job).into_iter().collect();
    let mut scenarios = scenario::Made::default();
    for one in &job.scenarios {
        let again = |panel: &Panel| predict(job, context, serving, panel);
        match scenario::forecast(std::slice::from_ref(one), what_if, known, horizon, again) {
            Ok(made) => scenarios.add(made),
            // What would be does not keep back what is planned.
            Err(StageError::Ingest(error)) => lacks.extend(error.problems().iter().cloned()),
            Err(error) => return Err(error),
        }
    }
    source.warn(std::mem::take(&mut scenarios.notes));
    clock.lap("predict");
    context.tell("correcting intervals");
    let corrections = correct(job, &Actuals::whole(&ingested.panel), as_of, &mut forecasts)?;
    let corrections = corrections.unwrap_or_default();
    if job.is_adaptive {
        let actuals = Actuals::whole(&ingested.panel);
        let forecasts = scenarios.forecasts.iter_mut().map(|one| &mut one.forecasts);
        forecasts.for_each(|forecasts| corrections.apply(forecasts, &actuals, &job.model));
    }
    clock.lap("correct");
    if reading.bytes_read > 0
        && let Some((forecaster, manifest)) = &serving.model
    {
        context.tell("remembering");
        let key = Key::new(&job.source, &manifest.weights_sha256);
        // Twice as far back as the runs reach that were learnt from: there will be more of them.
        let steps = 2 * corrections.steps;
        let page = Page::begin(&job.source, key, as_of, &reading.stamps.files, ingested, forecaster, steps);
        let written = page.map_or(Ok(()), |page| page.write(&memory::path(context.state, &job.name)));
        // The next forecast reads everything again.
        written.unwrap_or_else(|error| tracing::warn!(%error, "what the model remembers cannot be written"));
        clock.lap("remember");
    }
    Ok(Made {
        forecasts,
        scenarios: scenarios.forecasts,
        reports: scenarios.reports,
        source,
        id_columns: ingested.panel.id_columns.clone(),
        bytes_read: reading.bytes_read,
        is_remembered: false,
        lacks,
        correction: corrections.to_text(),
    })
}

/// Corrects intervals by what past runs missed; `None` if those reach further back than what is known.
fn correct(
    job: &JobSpec,
    actuals: &Actuals<'_>,
    before: i64,
    forecasts: &mut Forecasts,
) -> Result<Option<Corrections>, StageError> {
    if !job.is_adaptive {
        return Ok(Some(Corrections::default()));
    }
    let corrections = Corrections::learn(job, actuals, before)?;
    corrections.iter().for_each(|corrections| corrections.apply(forecasts, actuals, &job.model));
    Ok(corrections)
}

/// The champion's forecasts, or those of the stand-in.
fn predict(
    job: &JobSpec,
    context: &Context,
    serving: &Serving,
    panel: &Panel,
) -> Result<Forecasts, StageError> {
    if let Some((forecaster, _)) = &serving.model {
        let forecasts = forecaster.predict_watched(panel, &[], context.watch);
        return Ok(coherent(forecasts, panel, &job.source.sums, forecaster.spec())?);
    }
    if job.fallback == Fallback::None {
        return Err(StageError::NoModel(job.name.clone()));
    }
    let control = Control { stop: context.stop, ..Control::watched(context.watch) };
    let stand_in = Forecaster::fit(panel, &seasonal_naive(&job.model), &control)?.forecaster;
    let mut forecasts = stand_in.predict(panel);
    forecasts.series.iter_mut().for_each(|one| one.status = Status::Fallback);
    Ok(coherent(forecasts, panel, &job.source.sums, &job.model)?)
}

/// The same settings with seasonal naive for the model.
fn seasonal_naive(spec: &ModelSpec) -> ModelSpec {
    let raw = RawModelSpec {
        levels: spec.levels().to_vec(),
        season_length: spec.season_length(),
        seed: spec.seed(),
        bounds: spec.bounds(),
        ..RawModelSpec::new(ModelKind::SeasonalNaive.as_str(), spec.horizon())
    };
    ModelSpec::try_from(raw).expect("all of it comes from checked settings")
}

fn provenance(
    job: &JobSpec,
    moment: &Moment,
    source: &SourceReport,
    manifest: Option<&Manifest>,
    correction: Option<String>,
) -> Provenance {
    let weights = manifest.map_or("", |manifest| &manifest.weights_sha256);
    let config = manifest.map_or(&job.config_sha256, |manifest| &manifest.config_sha256);
    let version = manifest.map_or(0, |manifest| i32::try_from(manifest.version).unwrap_or(i32::MAX));
    let metadata = [
        ("job", job.name.as_str()),
        ("config_sha256", config),
        ("code_sha256", crate::CODE_SHA256),
        ("data_fingerprint", &source.fingerprint),
        ("weights_sha256", weights),
        ("seed", &manifest.map_or(job.model.seed(), |manifest| manifest.seed).to_string()),
        ("model", job.model.kind().as_str()),
        ("model_version", &version.to_string()),
    ];
    let command = source.command.clone().map(|command| ("source_command".into(), command));
    // Every shard trains on its own series: their weights differ, and still make one run.
    let shard = job.sink.remote.as_ref().map(|remote| remote.shard).filter(|shard| !shard.is_whole());
    let keys = ["shard", publish::parts::TRAINED_ON];
    let shard = shard.into_iter().flat_map(|shard| keys.map(|key| (key.to_owned(), shard.to_string())));
    Provenance {
        run_id: moment.run_id.clone(),
        issued_at: moment.issued_at,
        created_at: moment.created_at,
        model_version: version,
        primary_level: job.model.levels()[0],
        levels: job.model.levels().to_vec(),
        correction,
        metadata: metadata
            .map(|(key, value)| (key.into(), value.into()))
            .into_iter()
            .chain(command)
            .chain(shard)
            .collect(),
    }
}
