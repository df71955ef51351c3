//! `s4cast explain`: why one series is forecast as it is, as of now. Nothing is written.

use crate::cli::args_daemon::Explain;
use crate::cli::error::CliError;
use crate::cli::run::find;
use crate::cli::terminal::Terminal;
use crate::cli::{Exit, clock, launch};
use crate::config::nearest;
use crate::ingest::{self, SourceSpec};
use crate::model::components::{Components, Sight};
use crate::model::report::Progress;
use crate::pipeline::{Explanation, explain};
use clock::shown;
use serde_json::{Value, json};
use std::fmt::Write;

/// Past errors that are printed before the rest is left to `--json`.
const ERRORS: usize = 5;

/// Steps of what each covariate adds that are shown.
const COVARIATE_STEPS: usize = 6;

/// Explains a series of a job.
pub(super) fn run(args: &Explain, terminal: &Terminal) -> Result<Exit, CliError> {
    let config = launch::daemon(&args.config)?;
    let job = find(&config, &args.job)?.job.clone();
    launch::limit_threads(config.threads);
    launch::end_tidily();
    let registry = launch::registry(&config.spec)?;
    launch::refresh(&registry, &job);
    let champion = registry.champion(&job.name)?.ok_or_else(|| {
        CliError::Missing(format!(
            "no model of job '{0}' serves; train it: s4cast run {0} --stage train",
            job.name
        ))
    })?;
    let (forecaster, manifest) = registry.load(&job.name, champion.version)?;
    let explanation = {
        let meter = terminal.meter();
        let source = SourceSpec { as_of: Some(clock::now()), ..job.source.clone() };
        let ingested = ingest::read_watched(&source, &|progress| meter.show(progress))?;
        meter.show(Progress::begun("forecasting"));
        let found = explain(&job, &forecaster, &ingested, &args.unique_id)?;
        found.ok_or_else(|| {
            let ids = || ingested.panel.series.iter().map(|series| series.unique_id.as_str());
            CliError::Request {
                message: format!("there is no series '{}' among {}", args.unique_id, ids().count()),
                help: nearest(&args.unique_id, ids()).map(|meant| format!("did you mean '{meant}'?")),
            }
        })?
    };
    terminal.result(
        || document(args, manifest.version, &explanation),
        || page(args, manifest.version, &explanation),
    )?;
    Ok(Exit::Ok)
}

fn document(args: &Explain, version: u32, explanation: &Explanation) -> Value {
    let Components { times, point, trend, seasonal, covariates, network, remainder, bounds, sight } =
        &explanation.components;
    let steps = (0..times.len()).map(|step| {
        json!({
            "ds": shown(times[step]),
            "yhat": point[step],
            "trend": trend[step],
            "seasonal": seasonal[step],
            "covariates": covariates.iter().map(|(name, part)| (name.clone(), part[step].into())).collect::<serde_json::Map<String, Value>>(),
            "network": network[step],
            "remainder": remainder[step],
            "bounds": bounds[step],
        })
    });
    let errors = explanation.errors.iter().map(|error| {
        json!({
            "ds": shown(error.ds),
            "issued_at": shown(error.issued_at),
            "horizon": error.step,
            "y": error.y,
            "yhat": error.yhat,
            "yhat_lower": error.interval.map(|[lower, _]| lower),
            "yhat_upper": error.interval.map(|[_, upper]| upper),
        })
    });
    json!({
        "unique_id": args.unique_id,
        "job": args.job,
        "model_version": version,
        "status": explanation.status.as_str(),
        "quality": explanation.quality,
        "saw": {
            "model_id": sight.model_id,
            "first_ds": shown(sight.start),
            "inputs": sight.inputs,
            "missing": sight.missing,
            "season_length": sight.season_length,
            "space": sight.space,
            "network_share": sight.network_share,
            "members": sight.members.iter().map(|(kind, count)| json!({ "kind": kind, "count": count })).collect::<Vec<_>>(),
        },
        "steps": steps.collect::<Vec<_>>(),
        "errors": errors.collect::<Vec<_>>(),
    })
}

fn page(args: &Explain, version: u32, explanation: &Explanation) -> String {
    let Components { times, point, trend, seasonal, covariates, network, remainder, bounds, sight } =
        &explanation.components;
    let mut text =
        format!("{} is forecast by version {version} of job {}, status ", args.unique_id, args.job);
    let _ = writeln!(text, "{}", explanation.status.as_str());
    for line in &explanation.quality {
        let _ = writeln!(text, "  {line}");
    }
    text += &saw(sight);
    let _ = writeln!(
        text,
        "\n{:<21}{:>11}  = {:>11}{:>11}{:>11}{:>11}{:>11}{:>11}",
        "STEP", "YHAT", "TREND", "SEASON", "COVARIATES", "NETWORK", "REST", "BOUNDS"
    );
    for step in 0..times.len() {
        let _ = writeln!(
            text,
            "{:<21}{:>11.4}  = {:>11.4}{:>11.4}{:>11.4}{:>11.4}{:>11.4}{:>11.4}",
            shown(times[step]),
            point[step],
            trend[step],
            seasonal[step],
            covariates.iter().fold(0.0, |sum, (_, part)| sum + part[step]),
            network[step],
            remainder[step],
            bounds[step]
        );
    }
    for (name, part) in covariates {
        let parts: Vec<String> = part.iter().take(COVARIATE_STEPS).map(|part| format!("{part:.4}")).collect();
        let _ = writeln!(
            text,
            "  of {name}: {}{}",
            parts.join(", "),
            if part.len() > parts.len() { ", …" } else { "" }
        );
    }
    if !explanation.errors.is_empty() {
        let _ = writeln!(text, "\n{:<21}{:>11}{:>11}{:>11}  ISSUED", "PAST VALUE", "Y", "YHAT", "ERROR");
    }
    for error in explanation.errors.iter().take(ERRORS) {
        let (ds, issued, off) = (shown(error.ds), shown(error.issued_at), error.yhat - error.y);
        let (step, y, yhat) = (error.step, error.y, error.yhat);
        let _ = writeln!(text, "{ds:<21}{y:>11.4}{yhat:>11.4}{off:>11.4}  {issued}, {step} ahead");
    }
    text
}

/// What the model saw, in a line or two.
fn saw(sight: &Sight) -> String {
    let members: Vec<String> =
        sight.members.iter().map(|(kind, count)| format!("{count} of {kind}")).collect();
    let members = if members.is_empty() { String::new() } else { format!(": {}", members.join(", ")) };
    let season = match sight.season_length {
        0 | 1 => "no season".into(),
        steps => format!("season of {steps} steps"),
    };
    format!(
        "  {} saw {} steps from {} on, {} of them missing; {season}{members}\n",
        sight.model_id,
        sight.inputs,
        shown(sight.start),
        sight.missing
    )
}
