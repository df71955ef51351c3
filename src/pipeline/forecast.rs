//! The forecast stage: read, predict with the champion, publish a run.

use crate::ingest::Ingested;
use crate::live::truth::Truth;
use crate::model::forecaster::{Control, Forecaster};
use crate::model::spec::{ModelKind, ModelSpec, RawModelSpec};
use crate::pipeline::correct::Corrections;
use crate::pipeline::stage::{Context, StageError};
use crate::pipeline::train::{SourceRead, Trained, train};
use crate::pipeline::{Fallback, JobSpec, SourceReport, StopWatch, report};
use crate::publish::{self, Provenance, PublishedRun, RunKey};
use crate::registry::{Manifest, RegistryError};
use crate::series::{Forecasts, Status};

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
    /// Whether its quantiles were corrected by what past runs missed.
    pub is_corrected: bool,
    /// Number of series of each status that occurs.
    pub statuses: Vec<(Status, usize)>,
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
/// keeps a run that an earlier attempt has published.
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
    if is_resumed && let Some(commit) = publish::find_run(&job.sink, &key)? {
        return Ok(Forecasted {
            run: PublishedRun {
                rows: commit.rows,
                bytes: commit.bytes,
                path: commit.path(),
                sha256: commit.sha256,
            },
            was_there: true,
            version: None,
            source: None,
            is_corrected: false,
            statuses: Vec::new(),
            trained: None,
            issued_at: moment.issued_at,
            latest: None,
            shortfalls: Vec::new(),
            seconds: Vec::new(),
        });
    }
    let trained = fits_first.then(|| train(job, context)).transpose()?;
    let mut clock = StopWatch::start();
    let reading = context.sources.read(&job.source_name, &job.source, moment.issued_at, context.known)?;
    let ingested = &reading.ingested;
    let source = SourceReport::of(ingested);
    if reading.bytes_read > 0 {
        let folder = context.state.join("quality");
        std::fs::create_dir_all(&folder)
            .map_err(|source| StageError::State { path: folder.clone(), source })?;
        publish::write_quality(&folder.join(format!("{}.parquet", job.name)), &ingested.quality)?;
    }
    clock.lap("read");

    let champion = champion(job, context, ingested)?;
    let mut forecasts = champion.forecasts;
    clock.lap("predict");

    let corrections = match job.is_adaptive {
        true => {
            let truth = Truth::new(&ingested.panel, job.model.season_length());
            let corrections = Corrections::learn(job, &truth, moment.issued_at)?;
            corrections.apply(&mut forecasts, &truth, &job.model);
            corrections
        }
        false => Corrections::default(),
    };
    clock.lap("correct");

    let correction = corrections.to_text();
    let is_corrected = correction.is_some();
    let provenance = provenance(job, context, &source, champion.manifest.as_ref(), correction);
    let run = publish::publish_run(&job.sink, &key, &forecasts, &ingested.panel.id_columns, &provenance)?;
    // The run is out; that older ones could not be removed does not take it back.
    let pruned = publish::prune(&job.sink, &job.name, moment.created_at);
    clock.lap("publish");

    let statuses = report::count_statuses(&forecasts);
    let mut shortfalls = report::shortfalls(&source, &statuses);
    shortfalls.extend(champion.shortfall);
    shortfalls.extend(pruned.err().map(|error| format!("old runs stay: {error}")));
    if let Some(trained) = &trained {
        shortfalls.extend(report::training_shortfalls(&trained.fits));
    }
    let latest = source.span.map(|(_, last)| last);
    let source = SourceRead { report: source, bytes_read: reading.bytes_read, stamps: reading.stamps };
    Ok(Forecasted {
        run,
        was_there: false,
        version: champion.manifest.map(|manifest| manifest.version),
        source: Some(source),
        is_corrected,
        statuses,
        trained,
        issued_at: moment.issued_at,
        latest,
        shortfalls,
        seconds: clock.laps,
    })
}

/// Forecasts, and by whom.
struct Champion {
    forecasts: Forecasts,
    manifest: Option<Manifest>,
    shortfall: Option<String>,
}

/// The champion's forecasts, or those of the stand-in.
fn champion(job: &JobSpec, context: &Context, ingested: &Ingested) -> Result<Champion, StageError> {
    let panel = &ingested.panel;
    let champion = context.registry.champion(&job.name);
    let loaded = champion.and_then(|champion| {
        champion.map(|manifest| context.registry.load(&job.name, manifest.version)).transpose()
    });
    let (loaded, missing) = match loaded {
        Ok(loaded) => (loaded, "no model serves yet".to_owned()),
        Err(error @ RegistryError::Broken { .. }) if job.fallback == Fallback::SeasonalNaive => {
            (None, error.to_string())
        }
        Err(error) => return Err(error.into()),
    };
    if let Some((forecaster, manifest)) = loaded {
        let is_other = manifest.horizon != job.model.horizon()
            || manifest.quantile_levels != job.model.quantile_levels();
        let shortfall = is_other.then(|| {
            format!(
                "version {} was trained for another horizon or other levels than the config asks for now; it serves until the next training",
                manifest.version
            )
        });
        return Ok(Champion { forecasts: forecaster.predict(panel), manifest: Some(manifest), shortfall });
    }
    if job.fallback == Fallback::None {
        return Err(StageError::NoModel(job.name.clone()));
    }
    let control = Control { stop: context.stop, ..Control::watched(context.watch) };
    let stand_in = Forecaster::fit(panel, &seasonal_naive(&job.model), &control)?.forecaster;
    let mut forecasts = stand_in.predict(panel);
    forecasts.series.iter_mut().for_each(|one| one.status = Status::Fallback);
    let shortfall = Some(format!("{missing}; seasonal naive stands in"));
    Ok(Champion { forecasts, manifest: None, shortfall })
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
    context: &Context,
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
    Provenance {
        run_id: context.moment.run_id.clone(),
        issued_at: context.moment.issued_at,
        created_at: context.moment.created_at,
        model_version: version,
        primary_level: job.model.levels()[0],
        levels: job.model.levels().to_vec(),
        correction,
        metadata: metadata.map(|(key, value)| (key.into(), value.into())).into(),
    }
}
