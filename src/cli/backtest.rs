//! `s4cast backtest`.

use crate::cli::args_backtest::{Backtest, By};
use crate::cli::error::CliError;
use crate::cli::terminal::Terminal;
use crate::cli::{Exit, backtest_json, backtest_page, clock, launch};
use crate::config::{self, BacktestLaunch};
use crate::pipeline;

/// Runs one backtest and prints the scores.
pub(super) fn run(args: &Backtest, terminal: &Terminal) -> Result<Exit, CliError> {
    let mut by = args.windows.by.clone();
    by.extend(args.windows.segment.iter().map(|_| By::Segment));
    by.sort();
    by.dedup();
    if by.contains(&By::Segment) && args.windows.segment.is_none() {
        let help = "write for example --segment store, one of the id columns";
        return Err(CliError::Request {
            message: "--by segment without --segment COLUMN".into(),
            help: Some(help.into()),
        });
    }
    let mut settings = launch::settings(args.source.config.as_deref())?;
    args.apply(&mut settings);
    let BacktestLaunch { mut job, threads } = config::backtest(&settings, &args.raw())?;
    launch::limit_threads(threads);
    launch::take_along(&job.source);
    let moment = clock::moment(job.source.as_of);
    job.source = job.source.at(moment.issued_at);
    let report = {
        let meter = terminal.meter();
        pipeline::backtest(&job, moment, &|progress| meter.show(progress))?
    };
    terminal.result(|| backtest_json::document(&report, &by), || backtest_page::page(&report, &by))?;
    Ok(Exit::Ok)
}
