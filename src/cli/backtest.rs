//! `s4cast backtest`.

use crate::cli::args_backtest::{Backtest, By};
use crate::cli::error::CliError;
use crate::cli::terminal::Terminal;
use crate::cli::{Exit, backtest_json, backtest_page, clock, launch};
use crate::config::{self, BacktestLaunch};
use crate::ingest::secrets;
use crate::pipeline;
use crate::{plot, publish};

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
    launch::end_tidily();
    let moment = clock::moment(job.source.as_of);
    job.source = job.source.at(moment.issued_at);
    let report = {
        let meter = terminal.meter();
        pipeline::backtest(&job, moment, &|progress| meter.show(progress))?
    };
    let page = match &job.report {
        Some(path) => {
            let page =
                plot::report::page(&report, &as_typed()).map_err(|error| CliError::Bug(error.to_string()))?;
            publish::write_to(path, |file| publish::write_bytes(file, page.as_bytes()))?;
            Some(path)
        }
        None => None,
    };
    terminal
        .result(|| backtest_json::document(&report, &by, page), || backtest_page::page(&report, &by, page))?;
    Ok(Exit::Ok)
}

/// The command as it was typed, quoted as a shell needs it, secrets masked.
fn as_typed() -> String {
    let mut words = vec!["s4cast".to_owned()];
    let mut is_secret = false;
    for word in std::env::args_os().skip(1) {
        let word = word.to_string_lossy();
        let shown = if is_secret { "****".to_owned() } else { secrets::masked(&word) };
        is_secret = secrets::announces(&word);
        words.push(quoted(&shown));
    }
    words.join(" ")
}

/// A word in quotes where a shell would read it as anything else.
fn quoted(word: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "_-./:=,@%+".contains(letter);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_can_be_pasted_into_a_shell() {
        assert_eq!(quoted("--models=auto,ets"), "--models=auto,ets");
        assert_eq!(quoted("it's here"), r"'it'\''s here'");
        assert_eq!((quoted(""), quoted("*.csv")), ("''".into(), "'*.csv'".into()));
    }
}
