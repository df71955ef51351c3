//! `s4cast models`: what is in the registry, and which version serves.

use crate::cli::args_models::{Chosen, Gc, ModelsCommand, Place, Promote, Show};
use crate::cli::clock::{self, shown};
use crate::cli::error::CliError;
use crate::cli::summary::{self, Page, count};
use crate::cli::terminal::Terminal;
use crate::cli::{Exit, json, launch, signing};
use crate::model::report::Progress;
use crate::registry::{
    Event, Figures, Keys, Manifest, Promotion, PublicKey, Registry, TrialFigures, Version,
};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Changes of the serving version that `show` prints.
const SHOWN: usize = 5;

/// Runs one of the commands.
pub(super) fn run(command: &ModelsCommand, terminal: &Terminal) -> Result<Exit, CliError> {
    match command {
        ModelsCommand::Ls(place) => list(place, terminal),
        ModelsCommand::Show(show) => describe(show, terminal),
        ModelsCommand::Promote(promote) => self::promote(promote, terminal),
        ModelsCommand::Rollback(place) => {
            let (registry, job) = (registry(place)?, job(place)?);
            promoted(&registry.rollback(&job, clock::now())?, terminal)
        }
        ModelsCommand::Pin(chosen) => pin(chosen, terminal, true),
        ModelsCommand::Unpin(chosen) => pin(chosen, terminal, false),
        ModelsCommand::Shadow(chosen) => shadow(chosen, terminal),
        ModelsCommand::Unshadow(place) => unshadow(place, terminal),
        ModelsCommand::Key(args) => signing::make(args, terminal),
        ModelsCommand::Sign(args) => signing::sign(args, terminal),
        ModelsCommand::Verify(place) => verify(place, terminal),
        ModelsCommand::Gc(gc) => collect(gc, terminal),
    }
}

/// The state directory that is meant, and whose signatures are asked for there.
fn state(place: &Place) -> Result<(PathBuf, Keys), CliError> {
    let asked = Keys { signing: None, trusted: signing::trusted(place)? };
    match (&place.state, &place.config) {
        (Some(state), _) => Ok((state.clone(), asked)),
        (None, None) => Ok((PathBuf::from("state"), asked)),
        (None, Some(config)) => {
            let spec = launch::daemon(config)?.spec;
            let keys = if asked.trusted.is_empty() { spec.keys } else { asked };
            Ok((spec.state, keys))
        }
    }
}

/// The models there, up to date where they stand in a store.
pub(super) fn registry(place: &Place) -> Result<Registry, CliError> {
    let (state, keys) = state(place)?;
    let registry = Registry::found(state.join("models"))?.with_keys(keys);
    if let Err(error) = registry.refresh_all() {
        tracing::warn!(%error, "the models cannot be brought up to date; those of the last time are shown");
    }
    Ok(registry)
}

/// The job that is meant: the one named, or the only one.
pub(super) fn job(place: &Place) -> Result<String, CliError> {
    if let Some(job) = &place.job {
        return Ok(job.clone());
    }
    let jobs = registry(place)?.jobs()?;
    match jobs.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(CliError::Missing(no_models(&state(place)?.0))),
        several => Err(CliError::Request {
            message: "there are models of several jobs".into(),
            help: Some(format!("name one of them with --job: {}", several.join(", "))),
        }),
    }
}

fn no_models(state: &Path) -> String {
    format!("there are no models in {}; --config or --state names the state directory", state.display())
}

/// All jobs that are meant; a name must be that of a job.
pub(super) fn jobs(place: &Place) -> Result<Vec<String>, CliError> {
    match &place.job {
        Some(job) => {
            registry(place)?.check(job)?;
            Ok(vec![job.clone()])
        }
        None => Ok(registry(place)?.jobs()?),
    }
}

fn list(place: &Place, terminal: &Terminal) -> Result<Exit, CliError> {
    jobs(place)?;
    let (at, _) = state(place)?;
    let versions = registry(place)?.versions(place.job.as_deref());
    let document = || json!({ "models": versions.iter().map(json::version).collect::<Vec<_>>() });
    let page = || match versions.is_empty() {
        true => format!("{}\n", no_models(&at)),
        false => table(&versions),
    };
    terminal.result(document, page)?;
    Ok(Exit::Ok)
}

/// One line per version.
fn table(versions: &[Version]) -> String {
    let width = versions.iter().map(|version| version.job.len()).max().unwrap_or(0).max(3);
    let mut page = Page::default();
    page.row(format!("{:<width$}  {:>7}  {:<18}{:<22}{}", "JOB", "VERSION", "", "TRAINED", "MODEL"));
    for version in versions {
        let is_rejected =
            version.manifest.as_ref().is_ok_and(|manifest| !manifest.judgement.reasons.is_empty());
        let marks = [
            (version.is_champion, "serves"),
            (version.is_shadow, "shadow"),
            (version.is_pinned, "pinned"),
            (is_rejected, "rejected"),
            (version.signature_problem.is_some(), "untrusted"),
        ];
        let marks: Vec<&str> = marks.into_iter().filter(|(is, _)| *is).map(|(_, mark)| mark).collect();
        let rest = match &version.manifest {
            Ok(manifest) => {
                let fits: Vec<String> = manifest.fits.iter().map(words).collect();
                format!("{:<22}{}", seconds(manifest.created_at), fits.join("; "))
            }
            Err(error) => error.to_string(),
        };
        let (job, number, marks) = (&version.job, version.version, marks.join(", "));
        page.row(format!("{job:<width$}  {number:>7}  {marks:<18}{rest}"));
    }
    page.text
}

/// An instant without its fraction of a second.
fn seconds(micros: i64) -> String {
    shown(micros - micros.rem_euclid(1_000_000))
}

/// One group of series in words.
fn words(fit: &Figures) -> String {
    let score = fit.holdout.as_ref().and_then(|score| score.mase.zip(score.mase_seasonal_naive));
    let score = score.map_or(String::new(), |(own, naive)| format!(", MASE {own:.2} (naive {naive:.2})"));
    format!("{} for {} of step {}{score}", fit.model_id, count(fit.series, "series"), fit.frequency)
}

/// One trial in words.
fn trial_words(trial: &TrialFigures) -> String {
    let mase = |value: Option<f64>| value.map_or("unknown".into(), |value| format!("{value:.3}"));
    let champion = trial.mase_champion.map_or(String::new(), |value| format!(", champion {value:.3}"));
    let chance = trial.p_value.map_or(String::new(), |p_value| format!(", p {p_value:.3}"));
    format!(
        "on {} of step {}: MASE {}{champion}, naive {}{chance}",
        count(trial.windows, "unseen window"),
        trial.frequency,
        mase(trial.mase),
        mase(trial.mase_seasonal_naive)
    )
}

fn describe(show: &Show, terminal: &Terminal) -> Result<Exit, CliError> {
    let (registry, job) = (registry(&show.place)?, job(&show.place)?);
    let history = registry.history(&job)?;
    let manifest = match show.version {
        Some(version) => registry.manifest(&job, version)?,
        None => registry.champion(&job)?.ok_or_else(|| {
            CliError::Missing(format!("no version of job '{job}' serves; name one, or promote one"))
        })?,
    };
    let versions = registry.versions(Some(&job));
    let mut version = versions.into_iter().filter(|one| one.version == manifest.version);
    let standing = version.next().map(|version| Standing {
        serves: version.is_champion,
        is_pinned: version.is_pinned,
        is_shadow: version.is_shadow,
        signed_by: version.signed_by,
        signature_problem: version.signature_problem,
    });
    let standing = standing.unwrap_or_default();
    terminal.result(
        || json::model_version(&manifest, &history, &standing),
        || portrait(&manifest, &history, &standing),
    )?;
    Ok(Exit::Ok)
}

/// What a version is at present.
#[derive(Clone, Default)]
pub(super) struct Standing {
    /// Whether it serves.
    pub serves: bool,
    /// Whether it is pinned.
    pub is_pinned: bool,
    /// Whether it runs in shadow.
    pub is_shadow: bool,
    /// The key that signed it.
    pub signed_by: Option<PublicKey>,
    /// What is wrong with its signature.
    pub signature_problem: Option<String>,
}

fn portrait(manifest: &Manifest, history: &[Event], standing: &Standing) -> String {
    let mut page = Page::default();
    let marks = [
        (standing.serves, ", serves"),
        (standing.is_shadow, ", in shadow"),
        (standing.is_pinned, ", pinned"),
    ];
    let marks: String = marks.into_iter().filter(|(is, _)| *is).map(|(_, mark)| mark).collect();
    page.line("Model", format!("version {} of job {}{marks}", manifest.version, manifest.job));
    let levels: Vec<String> = manifest.levels.iter().map(f64::to_string).collect();
    let (horizon, seed) = (count(manifest.horizon, "step"), manifest.seed);
    page.line("", format!("{}, {horizon} ahead, levels {}, seed {seed}", manifest.kind, levels.join(", ")));
    let (series, rows) = (count(manifest.series, "series"), count(manifest.rows, "row"));
    let cutoff = seconds(manifest.cutoff);
    page.line(
        "Trained",
        format!("{} in {:.1} s, run {}", seconds(manifest.created_at), manifest.seconds, manifest.run_id),
    );
    page.line("", format!("on {series}, {rows}, up to {cutoff}"));
    if let Some(from) = &manifest.warm_from {
        page.line("", format!("from the networks of version {}", from.version));
    }
    for fit in &manifest.fits {
        page.line("Scored", words(fit));
        if fit.weights.len() > 1 {
            let mut weights: Vec<(&String, f64)> =
                fit.weights.iter().map(|(name, one)| (name, *one)).collect();
            weights.sort_by(|a, b| b.1.total_cmp(&a.1));
            page.line("", format!("forecasts are {} on average", summary::weighed(&weights)));
        }
        fit.notes.iter().for_each(|note| page.line("", note));
    }
    for trial in &manifest.judgement.trials {
        page.line("Judged", trial_words(trial));
    }
    let judgement = &manifest.judgement;
    judgement.reasons.iter().for_each(|reason| page.line("", format!("against it: {reason}")));
    judgement.notes.iter().for_each(|note| page.line("", note));
    page.line("Hashes", format!("weights {} ({} bytes)", manifest.weights_sha256, manifest.weights_bytes));
    page.line("", format!("config  {}", manifest.config_sha256));
    page.line("", format!("data    {}", manifest.data_fingerprint));
    page.line("", format!("code    {} (s4cast {})", manifest.code_sha256, manifest.s4cast));
    if let Some(key) = &standing.signed_by {
        page.line("Signed", format!("by {key}"));
    }
    if let Some(problem) = &standing.signature_problem {
        page.line("", problem);
    }
    for event in history.iter().rev().take(SHOWN) {
        let (version, reason) = (event.version, &event.reason);
        page.line("Served", format!("version {version} since {}: {reason}", seconds(event.at)));
    }
    page.text
}

fn promote(promote: &Promote, terminal: &Terminal) -> Result<Exit, CliError> {
    let (registry, job) = (registry(&promote.chosen.place)?, job(&promote.chosen.place)?);
    let promotion = registry.promote(&job, promote.chosen.version, clock::now(), &promote.reason)?;
    promoted(&promotion, terminal)
}

fn promoted(promotion: &Promotion, terminal: &Terminal) -> Result<Exit, CliError> {
    let Promotion { job, version, previous, is_change } = promotion;
    terminal.result(
        || json!({ "job": job, "version": version, "previous": previous, "changed": is_change }),
        || match (is_change, previous) {
            (false, _) => format!("version {version} of job {job} serves already\n"),
            (true, None) => format!("version {version} of job {job} serves from now on\n"),
            (true, Some(previous)) => {
                format!("version {version} of job {job} serves from now on, in place of version {previous}\n")
            }
        },
    )?;
    Ok(Exit::Ok)
}

fn pin(chosen: &Chosen, terminal: &Terminal, is_pinned: bool) -> Result<Exit, CliError> {
    let (registry, job, version) = (registry(&chosen.place)?, job(&chosen.place)?, chosen.version);
    match is_pinned {
        true => registry.pin(&job, version)?,
        false => registry.unpin(&job, version)?,
    }
    let serves = registry.history(&job)?.last().map(|event| event.version);
    let page = || {
        let mut text =
            format!("version {version} of job {job} is {}pinned\n", if is_pinned { "" } else { "not " });
        if is_pinned && serves != Some(version) {
            let current = serves.map_or("none".into(), |serves| format!("version {serves}"));
            text += &format!(
                "serving now: {current}; to change that: s4cast models promote {version} --job {job}\n"
            );
        }
        text
    };
    terminal
        .result(|| json!({ "job": job, "version": version, "pinned": is_pinned, "serves": serves }), page)?;
    Ok(Exit::Ok)
}

fn shadow(chosen: &Chosen, terminal: &Terminal) -> Result<Exit, CliError> {
    let (registry, job, version) = (registry(&chosen.place)?, job(&chosen.place)?, chosen.version);
    let previous = registry.run_in_shadow(&job, version)?;
    let place = previous.map_or(String::new(), |previous| format!(", in place of version {previous}"));
    terminal.result(
        || json!({ "job": job, "shadow": version, "previous": previous }),
        || format!("version {version} of job {job} runs in shadow from the next forecast on{place}\n"),
    )?;
    Ok(Exit::Ok)
}

fn unshadow(place: &Place, terminal: &Terminal) -> Result<Exit, CliError> {
    let (registry, job) = (registry(place)?, job(place)?);
    let previous = registry.end_shadow(&job)?;
    terminal.result(
        || json!({ "job": job, "shadow": null, "previous": previous }),
        || match previous {
            Some(version) => format!("version {version} of job {job} no longer runs in shadow\n"),
            None => format!("no version of job {job} runs in shadow\n"),
        },
    )?;
    Ok(Exit::Ok)
}

fn verify(place: &Place, terminal: &Terminal) -> Result<Exit, CliError> {
    jobs(place)?;
    let registry = registry(place)?;
    let versions = registry.versions(place.job.as_deref()).len();
    let findings = {
        let meter = terminal.meter();
        meter.show(Progress::begun("verifying"));
        registry.verify(place.job.as_deref())
    };
    let document = || {
        let finding = |finding: &crate::registry::Finding| json!({ "job": finding.job, "version": finding.version, "problem": finding.error.to_string() });
        json!({ "versions": versions, "findings": findings.iter().map(finding).collect::<Vec<_>>() })
    };
    let page = || {
        let mut page = Page::default();
        for finding in &findings {
            let version = finding.version.map_or(String::new(), |version| format!("/{version}"));
            page.row(format!("{}{version}: {}", finding.job, finding.error));
        }
        page.row(format!(
            "{} checked, {} found",
            count(versions, "version"),
            count(findings.len(), "problem")
        ));
        page.text
    };
    terminal.result(document, page)?;
    Ok(if findings.is_empty() { Exit::Ok } else { Exit::Data })
}

fn collect(gc: &Gc, terminal: &Terminal) -> Result<Exit, CliError> {
    let registry = registry(&gc.place)?;
    let mut removed = Vec::new();
    for job in jobs(&gc.place)? {
        removed.extend(registry.gc(&job, gc.keep, gc.dry_run)?);
    }
    let bytes: u64 = removed.iter().map(|one| one.bytes).sum();
    let document = || {
        let one = |one: &crate::registry::Removed| json!({ "job": one.job, "version": one.version, "bytes": one.bytes });
        let removed: Vec<Value> = removed.iter().map(one).collect();
        json!({ "removed": removed, "bytes": bytes, "dry_run": gc.dry_run })
    };
    let page = || {
        let verb = if gc.dry_run { "would be removed" } else { "removed" };
        let mut page = Page::default();
        for one in &removed {
            page.row(format!("{}/{} {verb}, {} KiB", one.job, one.version, one.bytes.div_ceil(1024)));
        }
        page.row(format!("{} {verb}, {} KiB", count(removed.len(), "version"), bytes.div_ceil(1024)));
        page.text
    };
    terminal.result(document, page)?;
    Ok(Exit::Ok)
}
