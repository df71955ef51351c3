//! `s4cast train`.

mod document;
mod sequence;
mod summary;

use crate::cli::args::Train;
use crate::cli::error::CliError;
use crate::cli::terminal::Terminal;
use crate::cli::{Exit, launch};
use crate::config::{self, BenchmarkTrain};
use crate::lab;

/// Puts a model to a benchmark, or a network to a sequence task, and prints how it did.
pub(super) fn run(args: &Train, terminal: &Terminal) -> Result<Exit, CliError> {
    match config::train(&args.settings, &|name| std::env::var(name).ok())? {
        config::Train::Benchmark(train) => benchmark(&train, args, terminal),
        config::Train::Sequence(_) if args.save_forecasts.is_some() => Err(CliError::Request {
            message: "--save-forecasts: a sequence task makes no forecasts".into(),
            help: Some("leave the flag out; out=DIR names the folder of the results".into()),
        }),
        config::Train::Sequence(train) => sequence::run(&train, args.dry_run, terminal),
    }
}

fn benchmark(train: &BenchmarkTrain, args: &Train, terminal: &Terminal) -> Result<Exit, CliError> {
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
