//! `s4cast score`: how the published forecasts of a job compare with what came, as of now. Nothing is written.

use crate::cli::args_daemon::Score as Args;
use crate::cli::error::CliError;
use crate::cli::run::find;
use crate::cli::terminal::Terminal;
use crate::cli::{Exit, clock, launch};
use crate::ingest::{self, SourceSpec};
use crate::live::review::{self, Score};
use crate::model::report::Progress;
use crate::pipeline::{Duel, duel, review_runs};
use crate::publish::ScoreRow;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Scores a job.
pub(super) fn run(args: &Args, terminal: &Terminal) -> Result<Exit, CliError> {
    let config = launch::daemon(&args.config)?;
    let job = find(&config, &args.job)?.job.clone();
    launch::limit_threads(config.threads);
    launch::end_tidily();
    let now = clock::now();
    let (reviewed, duel) = {
        let meter = terminal.meter();
        let source = SourceSpec { as_of: Some(now), ..job.source.clone() };
        let watch = |progress: Progress| meter.show(progress);
        let ingested = ingest::read_watched(&source, &watch)?;
        let registry = launch::registry(&config.spec)?;
        launch::refresh(&registry, &job);
        (review_runs(&job, &ingested.panel, now, &watch)?, duel(&job, &registry, &ingested.panel, now)?)
    };
    let whole: Vec<&ScoreRow> = review::whole_runs(&reviewed.table).collect();
    let all = review::summary(whole.iter().copied());
    let parts = Parts::of(&reviewed.table);
    let document = || {
        json!({
            "job": args.job,
            "runs": whole.len(),
            "score": all.as_ref().map(figures),
            "bands": parts.bands.iter().map(|((first, last), score)| {
                with(json!({ "first_step": first, "last_step": last }), score)
            }).collect::<Vec<_>>(),
            "segments": parts.segments.iter().map(|(segment, score)| {
                with(json!({ "segment": segment }), score)
            }).collect::<Vec<_>>(),
            "shadow": duel.as_ref().map(side_by_side),
            "shortfalls": reviewed.shortfalls,
            "anomalies": reviewed.anomalies.as_ref().map(|_| reviewed.found),
        })
    };
    let page = || {
        let mut text = match &all {
            Some(all) => head(all) + &row(&format!("{} runs", whole.len()), all),
            None => "no published forecast has come true yet\n".into(),
        };
        for ((first, last), score) in &parts.bands {
            text += &row(&format!("step {first} to {last}"), score);
        }
        for (segment, score) in &parts.segments {
            text += &row(segment, score);
        }
        text += &duel.as_ref().map_or(String::new(), beside);
        for shortfall in &reviewed.shortfalls {
            let _ = writeln!(text, "{shortfall}");
        }
        if reviewed.anomalies.is_some() {
            let _ = writeln!(text, "{} anomalies among the recent values", reviewed.found);
        }
        text
    };
    terminal.result(document, page)?;
    Ok(Exit::Ok)
}

/// The version in shadow and the champion on the same rows.
fn side_by_side(duel: &Duel) -> Value {
    json!({
        "model_version": duel.version,
        "champion_version": duel.champion,
        "runs": duel.runs,
        "score": duel.scores.as_ref().map(|(own, _)| figures(own)),
        "champion_score": duel.scores.as_ref().map(|(_, served)| figures(served)),
    })
}

/// The same in words.
fn beside(duel: &Duel) -> String {
    let Some((own, served)) = &duel.scores else {
        return format!("version {} runs in shadow; none of its runs has come true yet\n", duel.version);
    };
    let runs = format!("version {} in shadow, {} runs that both have:\n", duel.version, duel.runs);
    let name = |version: u32, what: &str| format!("version {version}, {what}");
    runs + &row(&name(duel.version, "shadow"), own) + &row(&name(duel.champion, "serves"), served)
}

/// The scores of all runs by band and by segment.
struct Parts {
    bands: Vec<((i32, i32), Score)>,
    segments: Vec<(String, Score)>,
}

impl Parts {
    fn of(table: &[ScoreRow]) -> Parts {
        let mut bands: BTreeMap<(i32, i32), Vec<&ScoreRow>> = BTreeMap::new();
        let mut segments: BTreeMap<&str, Vec<&ScoreRow>> = BTreeMap::new();
        for run in table.chunk_by(|a, b| a.run_id == b.run_id) {
            for row in &run[1..] {
                match &row.segment {
                    Some(segment) => segments.entry(segment).or_default().push(row),
                    None => bands.entry(row.steps).or_default().push(row),
                }
            }
        }
        let score = |rows: Vec<&ScoreRow>| review::summary(rows.iter().copied());
        Parts {
            bands: bands.into_iter().filter_map(|(steps, rows)| Some((steps, score(rows)?))).collect(),
            segments: segments
                .into_iter()
                .filter_map(|(key, rows)| Some((key.into(), score(rows)?)))
                .collect(),
        }
    }
}

fn figures(score: &Score) -> Value {
    let coverage: Map<String, Value> =
        score.coverage.iter().map(|(level, share)| (level.to_string(), json!(share))).collect();
    json!({
        "rows": score.rows,
        "mase": score.mase,
        "mase_seasonal_naive": score.mase_seasonal_naive,
        "bias": score.bias,
        "wape": score.wape,
        "pinball": score.pinball,
        "coverage": coverage,
    })
}

/// The figures behind what they are about.
fn with(mut about: Value, score: &Score) -> Value {
    if let (Some(about), Value::Object(figures)) = (about.as_object_mut(), figures(score)) {
        about.extend(figures);
    }
    about
}

fn head(score: &Score) -> String {
    let levels: String =
        score.coverage.iter().map(|(level, _)| format!("{:>8}", format!("in {level} %"))).collect();
    format!("{:<20}{:>9}{:>8}{:>8}{:>8}{:>8}{levels}\n", "", "ROWS", "MASE", "NAIVE", "BIAS", "PINBALL")
}

fn row(name: &str, score: &Score) -> String {
    let pinball = score.pinball.map_or(String::new(), |pinball| format!("{pinball:.3}"));
    let inside: String =
        score.coverage.iter().map(|(_, share)| format!("{:>8}", format!("{:.1} %", 100.0 * share))).collect();
    let Score { rows, mase, mase_seasonal_naive, bias, .. } = score;
    format!("{name:<20}{rows:>9}{mase:>8.3}{mase_seasonal_naive:>8.3}{bias:>8.3}{pinball:>8}{inside}\n")
}
