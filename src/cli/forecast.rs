//! `s4cast forecast`.

use crate::cli::args::Forecast;
use crate::cli::error::CliError;
use crate::cli::terminal::Terminal;
use crate::cli::{Exit, clock, json, launch, summary};
use crate::config;
use crate::pipeline::{self, JobError, JobReport, Moment, Sharded};
use std::time::{Duration, Instant};

/// How often a shard looks whether the others have delivered: soon at first, then less often.
const LOOKS: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(10)];

/// Runs one job and prints what it did.
pub(super) fn run(args: &Forecast, terminal: &Terminal) -> Result<Exit, CliError> {
    let env = |name: &str| std::env::var(name).ok();
    let mut settings = launch::settings(args.source.config.as_deref())?;
    args.apply(&mut settings);
    let mut launch = config::job(&settings)?;
    let asked = config::run(&args.run.raw(), &mut launch.job, &env)?;
    if launch.names_folder && launch.job.sharded.is_none() {
        let output = &launch.job.output;
        return Err(CliError::Request {
            message: format!("{output}/ names a folder of objects, not one of them"),
            help: Some(format!("write for example -o {output}/forecast.parquet")),
        });
    }
    launch::limit_threads(launch.threads);
    launch::end_tidily();
    let moment = clock::moment(asked.issued_at.or(launch.job.source.as_of));
    let moment = Moment { run_id: asked.run_id.unwrap_or(moment.run_id), ..moment };
    let moment = pipeline::begin(&launch.job, moment)?;
    launch.job.source = launch.job.source.at(moment.issued_at);
    tracing::info!(run_id = moment.run_id, output = %launch.job.output, "job started");
    let mut report = {
        let meter = terminal.meter();
        pipeline::run(&launch.job, moment, &|progress| meter.show(progress))?
    };
    let limit = asked.shard_timeout.map(|limit| limit.unsigned_abs());
    if let (Some(sharded), Some(limit)) = (&launch.job.sharded, limit) {
        wait(sharded, &mut report, limit)?;
    }
    terminal.result(|| json::job(&report), || summary::job(&report))?;
    let is_late = limit.is_some() && !report.missing_shards().is_empty();
    match is_late || args.output.strict && !report.degradations().is_empty() {
        true => Ok(Exit::Degraded),
        false => Ok(Exit::Ok),
    }
}

/// Waits until all parts of a run are there, but no longer than so long. A store that fails meanwhile is asked again.
fn wait(sharded: &Sharded, report: &mut JobReport, limit: Duration) -> Result<(), CliError> {
    let begun = Instant::now();
    let mut pause = LOOKS[0];
    while !report.missing_shards().is_empty() {
        let left = limit.saturating_sub(begun.elapsed());
        if left.is_zero() {
            return Ok(());
        }
        std::thread::sleep(pause.min(left));
        pause = (pause * 2).min(LOOKS[1]);
        match pipeline::complete(sharded) {
            Ok(delivery) => report.deliver(delivery),
            Err(JobError::Publish(error)) if error.is_retryable() => {
                tracing::warn!(%error, "the store is asked again");
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
