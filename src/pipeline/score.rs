//! The score stage: published runs beside what came, values beside what was expected of them, and whether it is time to
//! train again.

use crate::live::anomaly::{self, Look};
use crate::live::drift::{self, Reason, Situation};
use crate::live::review::{self, RunName, Score};
use crate::live::truth::Truth;
use crate::model::report::{Progress, Unit};
use crate::pipeline::shadow::{self, Duel};
use crate::pipeline::stage::{Context, StageError};
use crate::pipeline::{JobSpec, SourceRead, SourceReport, StopWatch};
use crate::publish::{self, AnomalyRow, Commit, PublishError, ScoreRow, SinkSpec};
use crate::series::{Panel, Series};
use std::collections::BTreeSet;

/// The newest runs that are looked at: enough for a month of hours, and bounded for a job of every minute.
const RUNS_MAX: usize = 750;

/// What a score slot did.
pub struct Scored {
    /// The figures of the newest runs together; `None` if no forecast has come true yet.
    pub score: Option<Score>,
    /// Runs with an actual value among the newest ones.
    pub runs: usize,
    /// Runs compared this time: what is final is not compared again.
    pub compared: usize,
    /// Anomalies within the reach of those.
    pub anomalies: usize,
    /// Why a training is due, strongest reason first.
    pub retrain: Vec<(Reason, String)>,
    /// The version in shadow beside the champion, if there is one.
    pub shadow: Option<Duel>,
    /// Why the result is less than what was asked for, one line each.
    pub shortfalls: Vec<String>,
    /// What was found.
    pub source: SourceRead,
    /// Seconds of each step.
    pub seconds: Vec<(&'static str, f64)>,
}

/// Scores the runs of a job that were issued before the slot by what was known at the slot.
///
/// # Errors
/// See [`StageError`].
pub fn score(job: &JobSpec, context: &Context) -> Result<Scored, StageError> {
    let moment = context.moment;
    let mut clock = StopWatch::start();
    context.registry.refresh_or_warn(&job.name);
    let sinks = sinks(job, context);
    for sink in &sinks {
        publish::pull(sink, &job.name)?;
        publish::sync_files(sink, &job.name)?;
    }
    let (name, as_of) = (&job.source_name, moment.issued_at);
    let reading =
        context.sources.read(name, &job.source, as_of, context.known, context.stop, context.watch)?;
    clock.lap("read");

    let panel = &reading.ingested.panel;
    let mut reviewed = review_runs(job, panel, moment.issued_at, context.watch)?;
    clock.lap("compare");

    context.check_held()?;
    let scores = publish::scores_path(&job.sink.path, &job.name)?;
    if reviewed.compared > 0 {
        publish::write_scores(&scores, &reviewed.table)?;
    }
    if let Some(anomalies) = &reviewed.anomalies {
        publish::write_anomalies(&publish::anomalies_path(&job.sink.path, &job.name)?, anomalies)?;
    }
    context.tell("writing scores");
    let report = SourceReport::of(&reading.ingested);
    let retrain = retrain(job, context, panel, &reviewed.table)?;
    clock.lap("publish");
    let shadow = shadow::score(job, context, panel).unwrap_or_else(|error| {
        reviewed.shortfalls.push(format!("the version in shadow was not compared: {error}"));
        None
    });
    if shadow.is_some() {
        clock.lap("shadow");
    }
    for sink in &sinks {
        publish::sync_files(sink, &job.name)?;
    }

    let source = SourceRead { report, bytes_read: reading.bytes_read, stamps: reading.stamps };
    let newest: Vec<&ScoreRow> = review::whole_runs(&reviewed.table).rev().take(RUNS_MAX).collect();
    Ok(Scored {
        score: review::summary(newest.iter().copied()),
        runs: newest.len(),
        compared: reviewed.compared,
        anomalies: reviewed.found,
        retrain,
        shadow,
        shortfalls: reviewed.shortfalls,
        source,
        seconds: clock.laps,
    })
}

/// The sink of a job, and that of its versions in shadow where there are or were some.
fn sinks(job: &JobSpec, context: &Context) -> Vec<SinkSpec> {
    let shadow = job.sink.shadow();
    let runs = std::fs::read_dir(shadow.path.join(format!("job={}", job.name)));
    let is_used = runs.is_ok_and(|mut runs| runs.next().is_some())
        || context.registry.shadow(&job.name).is_ok_and(|version| version.is_some());
    std::iter::once(job.sink.clone()).chain(is_used.then_some(shadow)).collect()
}

/// What a look at the runs of a job gave.
pub struct Reviewed {
    /// The scores of all runs, those of earlier looks included.
    pub table: Vec<ScoreRow>,
    /// Values beside what was expected of them; `None` where the job does not look for anomalies.
    pub anomalies: Option<Vec<AnomalyRow>>,
    /// Runs compared this time.
    pub compared: usize,
    /// Anomalies within their reach.
    pub found: usize,
    /// What could not be done, one line each.
    pub shortfalls: Vec<String>,
}

/// Compares the runs of a job that were issued before an instant and are not final yet with a panel; writes nothing. `watch`
/// hears how far it is.
///
/// # Errors
/// If the sink cannot be read.
pub fn review_runs(
    job: &JobSpec,
    panel: &Panel,
    before: i64,
    watch: &dyn Fn(Progress),
) -> Result<Reviewed, PublishError> {
    let sink = &job.sink.path;
    let table = publish::read_scores(&publish::scores_path(sink, &job.name)?)?;
    let finals: BTreeSet<String> =
        review::whole_runs(&table).filter(|row| row.is_final).map(|row| row.run_id.clone()).collect();
    let truth = Truth::new(panel, job.model.season_length());
    let place = |wanted: &String| panel.id_columns.iter().position(|id| id == wanted);
    let segment = job.segment.as_ref().and_then(place);
    let mut shortfalls = Vec::new();
    if let Some(wanted) = job.segment.as_ref().filter(|_| segment.is_none()) {
        let known = panel.id_columns.join(", ");
        shortfalls.push(format!("segment: there is no id column '{wanted}'; the id columns are {known}"));
    }
    let commits = publish::runs(sink, &job.name)?;
    let earlier = commits.iter().filter(|commit| commit.issued_at < before).take(RUNS_MAX);
    let (mut new, mut look, mut compared, mut unreadable) = (Vec::new(), Look::new(), 0, 0);
    let open: Vec<&Commit> = earlier.filter(|commit| !finals.contains(&commit.run_id)).collect();
    for (done, commit) in open.iter().enumerate() {
        watch(Progress::of("comparing runs", done, open.len(), Unit::Runs));
        let Some(run) = publish::read_columns(commit, job.model.quantile_levels())? else {
            unreadable += 1;
            continue;
        };
        let rows = review::review(&name(commit), &run, &truth, job.model.levels(), segment);
        compared += usize::from(!rows.is_empty());
        new.extend(rows);
        if let Some(spec) = &job.anomaly {
            anomaly::look(&mut look, &commit.run_id, &run, &truth, spec);
        }
    }
    if unreadable > 0 {
        shortfalls
            .push(format!("{unreadable} runs have other columns than schema v1, which alone can be scored"));
    }
    let found = look.values().filter(|row| row.is_anomaly).count();
    let anomalies = match (&job.anomaly, look.is_empty()) {
        (Some(_), false) => {
            let earlier = publish::read_anomalies(&publish::anomalies_path(sink, &job.name)?)?;
            Some(anomaly::merge(earlier, look))
        }
        _ => None,
    };
    Ok(Reviewed { table: review::merge(table, new), anomalies, compared, found, shortfalls })
}

pub(super) fn name(commit: &Commit) -> RunName {
    let version = commit.metadata.get("model_version").and_then(|version| version.parse().ok());
    RunName {
        run_id: commit.run_id.clone(),
        issued_at: commit.issued_at,
        model_version: version.unwrap_or(0),
    }
}

/// Why a training is due; nothing where no model serves, or the job does not ask.
fn retrain(
    job: &JobSpec,
    context: &Context,
    panel: &Panel,
    scores: &[ScoreRow],
) -> Result<Vec<(Reason, String)>, StageError> {
    let Some(spec) = &job.retrain else { return Ok(Vec::new()) };
    let Some(champion) = context.registry.champion(&job.name)? else { return Ok(Vec::new()) };
    let versions = context.registry.versions(Some(&job.name));
    let trained_at = versions.iter().filter_map(|version| Some(version.manifest.as_ref().ok()?.slot)).max();
    let later = |series: &Series| {
        let known = series.times.partition_point(|&time| time <= champion.cutoff);
        (known..series.values.len()).filter(|step| !series.actual(*step).is_nan()).count()
    };
    let new_rows = panel.series.iter().map(later).sum();
    Ok(drift::due(
        spec,
        &Situation {
            trained_at: trained_at.unwrap_or(champion.slot),
            champion: &champion,
            now: context.moment.issued_at,
            new_rows,
            scores,
        },
    ))
}
