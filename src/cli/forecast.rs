//! `s4cast forecast`.

use crate::cli::args::Forecast;
use crate::cli::error::CliError;
use crate::cli::terminal::Terminal;
use crate::cli::{Exit, clock, json, launch, summary};
use crate::config;
use crate::pipeline;

/// Runs one job and prints what it did.
pub(super) fn run(args: &Forecast, terminal: &Terminal) -> Result<Exit, CliError> {
    let mut settings = launch::settings(args.source.config.as_deref())?;
    args.apply(&mut settings);
    let mut launch = config::job(&settings)?;
    launch::limit_threads(launch.threads);
    launch::take_along(&launch.job.source);
    let job = &launch.job;
    launch::take_outputs_along(
        [Some(&job.output), job.save_model.as_ref(), job.quality.as_ref()].into_iter().flatten(),
    );
    let moment = clock::moment(launch.job.source.as_of);
    launch.job.source = launch.job.source.at(moment.issued_at);
    tracing::info!(run_id = moment.run_id, output = %launch.job.output, "job started");
    let report = {
        let meter = terminal.meter();
        pipeline::run(&launch.job, moment, &|progress| meter.show(progress))?
    };
    terminal.result(|| json::job(&report), || summary::job(&report))?;
    match args.output.strict && !report.degradations().is_empty() {
        true => Ok(Exit::Degraded),
        false => Ok(Exit::Ok),
    }
}
