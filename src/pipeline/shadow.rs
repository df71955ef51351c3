//! A version in shadow: it forecasts what the champion forecasts, apart, and serves once it has done no worse.

use crate::ingest::{self, Fetched};
use crate::live::review::{self, Score};
use crate::live::shadow::{against, common};
use crate::live::truth::Truth;
use crate::pipeline::forecast::{Serving, make, publish_made};
use crate::pipeline::score::review_runs;
use crate::pipeline::stage::{Context, StageError};
use crate::pipeline::train::Fate;
use crate::pipeline::{JobSpec, Promotion, StopWatch};
use crate::publish::{self, Commit, PublishedRun, RunKey, ScoreRow};
use crate::registry::{Manifest, Registry, RegistryError};
use crate::series::Panel;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The newest runs that are compared.
const RUNS_MAX: usize = 250;

/// What a version in shadow did in a forecast slot.
pub struct Shadowed {
    /// The version.
    pub version: u32,
    /// Its run, or why there is none: the champion's run stands in any case.
    pub run: Result<PublishedRun, String>,
}

/// Forecasts with the version in shadow, if there is one, from the data of the slot and with the corrections of the job: what
/// would have been published if it served. Whatever goes wrong is reported and logged, and nothing more.
pub(super) fn forecast(job: &JobSpec, context: &Context, fetched: Option<&Fetched>) -> Option<Shadowed> {
    let manifest = context.registry.shadow(&job.name);
    let manifest =
        manifest.inspect_err(|error| tracing::warn!(%error, "no version runs in shadow")).ok()??;
    let version = manifest.version;
    let run = guarded(|| attempt(job, context, fetched, manifest).map_err(|error| error.to_string()));
    if let Err(error) = &run {
        tracing::warn!(job = job.name, version, error, "the version in shadow gave no forecast");
    }
    Some(Shadowed { version, run })
}

/// The value of some work, or why there is none, a panic included.
fn guarded<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err("s4cast has a bug: it panicked".into()))
}

fn attempt(
    job: &JobSpec,
    context: &Context,
    fetched: Option<&Fetched>,
    manifest: Manifest,
) -> Result<PublishedRun, StageError> {
    let model = context.registry.load(&job.name, manifest.version)?;
    let serving = Serving { model: Some(model), missing: String::new() };
    // What it remembers is not what the champion remembers.
    let state = context.state.join("shadow");
    let apart = Context { state: &state, ..*context };
    let own;
    let fetched = match fetched {
        Some(fetched) => fetched,
        None => {
            own = ingest::fetch(&job.source, context.known, context.stop, context.watch)?;
            &own
        }
    };
    let made = make(job, &apart, &serving, fetched, &mut StopWatch::start())?;
    publish_made(job, &job.sink.shadow(), context.moment, &serving, &made)
}

/// A version in shadow beside the champion, on the rows of runs that both have published and whose time has come.
#[derive(Clone, Debug, PartialEq)]
pub struct Duel {
    /// The version in shadow.
    pub version: u32,
    /// The champion.
    pub champion: u32,
    /// Runs compared: the newest ones.
    pub runs: usize,
    /// Scores of the version in shadow and of the champion; `None` where nothing has come yet.
    pub scores: Option<(Score, Score)>,
    /// What became of it; `None` while it runs on.
    pub fate: Option<Fate>,
}

/// Compares the version in shadow, if there is one, with the champion by a panel; changes nothing.
///
/// # Errors
/// If the registry or the sink cannot be read.
pub fn duel(
    job: &JobSpec,
    registry: &Registry,
    panel: &Panel,
    before: i64,
) -> Result<Option<Duel>, RegistryError> {
    let Some((shadow, champion)) = registry.shadow(&job.name)?.zip(registry.champion(&job.name)?) else {
        return Ok(None);
    };
    let truth = Truth::new(panel, job.model.season_length());
    let is_of = |commit: &Commit, manifest: &Manifest| {
        commit.metadata.get("model_version").is_some_and(|version| *version == manifest.version.to_string())
    };
    let levels = job.model.quantile_levels();
    let (mut own, mut served): (Vec<ScoreRow>, Vec<ScoreRow>) = (Vec::new(), Vec::new());
    let commits = publish::runs(&job.sink.shadow().path, &job.name)?;
    for commit in commits.iter().filter(|commit| commit.issued_at < before && is_of(commit, &shadow)) {
        if own.len() == RUNS_MAX {
            break;
        }
        let key =
            RunKey { job: job.name.clone(), run_id: commit.run_id.clone(), issued_at: commit.issued_at };
        let beside = publish::find_run(&job.sink, &key)?.filter(|beside| is_of(beside, &champion));
        let Some(beside) = beside else { continue };
        let (Some(run), Some(beside)) =
            (publish::read_columns(commit, levels)?, publish::read_columns(&beside, levels)?)
        else {
            continue;
        };
        if !truth.has_come(&run) {
            continue;
        }
        let rows = common(&run, &beside).map(|run| {
            let name = super::score::name(commit);
            review::review(&name, &run, &truth, job.model.levels(), None).into_iter().next()
        });
        if let [Some(ours), Some(theirs)] = rows {
            own.push(ours);
            served.push(theirs);
        }
    }
    let scores = review::summary(own.iter()).zip(review::summary(served.iter()));
    let (version, champion) = (shadow.version, champion.version);
    Ok(Some(Duel { version, champion, runs: own.len(), scores, fate: None }))
}

/// Scores the runs of versions in shadow as those of the job are scored, and decides on the one that runs once enough of them
/// have come true.
///
/// # Errors
/// If registry or sink cannot be read or written.
pub(super) fn score(job: &JobSpec, context: &Context, panel: &Panel) -> Result<Option<Duel>, StageError> {
    let (registry, before) = (context.registry, context.moment.issued_at);
    let apart = JobSpec { sink: job.sink.shadow(), anomaly: None, ..job.clone() };
    let reviewed = review_runs(&apart, panel, before, context.watch)?;
    if reviewed.compared > 0 {
        publish::write_scores(&publish::scores_path(&apart.sink.path, &job.name)?, &reviewed.table)?;
    }
    let Some(mut duel) = duel(job, registry, panel, before)? else { return Ok(None) };
    if job.promotion == Promotion::Shadow && duel.runs >= job.shadow_runs {
        duel.fate = Some(decide(job, context, &duel)?);
    }
    Ok(Some(duel))
}

/// Lets the version in shadow serve, or ends its run.
fn decide(job: &JobSpec, context: &Context, duel: &Duel) -> Result<Fate, StageError> {
    context.check_held()?;
    let (registry, name) = (context.registry, &job.name);
    let mut reasons = match &duel.scores {
        Some((own, served)) => against(own, served),
        None => vec!["nothing of it has come true".into()],
    };
    let [own, served] = [duel.version, duel.champion].map(|version| registry.manifest(name, version));
    if own?.cutoff < served?.cutoff {
        reasons.push(format!("version {} was trained on later data and serves on", duel.champion));
    }
    if !reasons.is_empty() {
        registry.end_shadow(name)?;
        return Ok(Fate::Rejected(reasons));
    }
    let reason = format!("no worse than version {} in {} runs in shadow", duel.champion, duel.runs);
    match registry.promote(name, duel.version, context.moment.created_at, &reason) {
        Ok(_) => Ok(Fate::Promoted),
        Err(error @ (RegistryError::Pinned { .. } | RegistryError::Untrusted { .. })) => {
            Ok(Fate::HeldBack(error.to_string()))
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_reason() {
        assert_eq!(guarded(|| Ok(1)), Ok(1));
        assert!(guarded::<()>(|| panic!("a bug")).unwrap_err().contains("panicked"));
    }
}
