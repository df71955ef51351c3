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
use std::path::Path;

/// Puts a model to a benchmark, or a network to a sequence task, and prints how it did.
pub(super) fn run(args: &Train, terminal: &Terminal) -> Result<Exit, CliError> {
    let train = config::train(&args.settings, &|name| std::env::var(name).ok())?;
    launch::within_fence(folders(&train).into_iter().chain(args.save_forecasts.as_deref()))?;
    match train {
        config::Train::Benchmark(train) => benchmark(&train, args, terminal),
        config::Train::Sequence(_) if args.save_forecasts.is_some() => Err(CliError::Request {
            message: "--save-forecasts: a sequence task makes no forecasts".into(),
            help: Some("leave the flag out; out=DIR names the folder of the results".into()),
        }),
        config::Train::Sequence(train) => sequence::run(&train, args.dry_run, terminal),
    }
}

/// What a training reads and writes by itself.
fn folders(train: &config::Train) -> Vec<&Path> {
    match train {
        config::Train::Benchmark(train) => train.experiment.data_dir.as_deref().into_iter().collect(),
        config::Train::Sequence(train) => {
            let files = train.spec.files().into_iter().flatten().map(Path::new);
            let places = train.places.data.as_deref().into_iter().chain([train.places.out.as_path()]);
            places.chain(files.filter(|file| file.is_absolute())).collect()
        }
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
