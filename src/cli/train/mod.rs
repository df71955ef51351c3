//! `s4cast train`.

mod document;
mod summary;

use crate::cli::args::Train;
use crate::cli::error::CliError;
use crate::cli::terminal::Terminal;
use crate::cli::{Exit, launch};
use crate::config;
use crate::lab;

/// Puts a model to a benchmark and prints how it did.
pub(super) fn run(args: &Train, terminal: &Terminal) -> Result<Exit, CliError> {
    let train = config::train(&args.settings, &|name| std::env::var(name).ok())?;
    let experiment = &train.experiment;
    let resolved = || document::resolved(experiment, train.threads);
    if args.dry_run {
        terminal.result(resolved, || summary::settings(&resolved()))?;
        return Ok(Exit::Ok);
    }
    launch::limit_threads(train.threads);
    let report = {
        let meter = terminal.meter();
        lab::run(experiment, args.save_forecasts.as_deref(), &|progress| meter.show(progress))?
    };
    terminal.result(
        || document::report(experiment, resolved(), &report),
        || summary::report(experiment, &report),
    )?;
    Ok(Exit::Ok)
}
