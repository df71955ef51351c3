//! The command line: arguments, commands, printing, exit codes.
//!
//! The only layer that prints, reads the clock and reads the environment. A command returns a value or an error; this
//! module prints either once and picks the exit code.

mod args;
mod args_backtest;
mod args_daemon;
mod args_models;
mod args_plot;
mod args_run;
mod args_shell;
mod args_worker;
mod backtest;
mod backtest_json;
mod backtest_page;
mod beacon;
mod clock;
mod compare;
mod completions;
mod daemon;
mod data;
mod demo;
mod error;
mod exit;
mod explain;
mod fleet;
mod forecast;
mod generate;
mod init;
mod journal;
mod json;
mod launch;
mod log_limit;
mod manual;
mod meter;
mod notify;
mod plot;
mod run;
mod runs;
mod schedule;
mod models;
mod schema;
mod score;
mod signing;
mod summary;
mod terminal;
mod top;
mod train;
mod usage;
mod veil;
mod validate;
mod worker;

pub use exit::Exit;

use args::{Args, Command, DataCommand};
use args_daemon::LogFormat;
use clap::Parser;
use error::CliError;
use std::ffi::OsString;
use std::process::ExitCode;
use terminal::{Log, Terminal};

/// Runs the program with these arguments, the program's own name first.
pub fn run(arguments: Vec<OsString>) -> ExitCode {
    // What a worker prints is its stream.
    let is_worker = arguments.get(1).is_some_and(|command| command == "worker");
    let json = arguments.iter().any(|argument| argument == "--json")
        || std::env::var("S4CAST_JSON").is_ok_and(|value| is_true(&value));
    let args = match Args::try_parse_from(arguments) {
        Ok(args) => args,
        Err(refusal) => return refused(&refusal, json && !is_worker).into(),
    };
    let terminal = Terminal::new(&args.global, log(&args.command));
    let outcome = launch::fence().and_then(|()| launch::caught(|| dispatch(&args, &terminal)));
    launch::give_way();
    match outcome {
        Ok(exit) => exit.into(),
        Err(error) => {
            terminal.report(&error);
            error.exit().into()
        }
    }
}

/// As the parser reads a flag from the environment, which is not there yet where it refuses.
fn is_true(value: &str) -> bool {
    !["", "n", "no", "f", "false", "off", "0"].contains(&value.to_lowercase().as_str())
}

/// Prints what clap has to say. Help and version are refusals too, on stdout with code 0.
fn refused(refusal: &clap::Error, json: bool) -> Exit {
    // A closed pipe is nothing to report.
    let _ = refusal.print();
    if !refusal.use_stderr() {
        return Exit::Ok;
    }
    if json {
        let text = refusal.to_string();
        let line = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
        terminal::error_document(Exit::Usage, &[line.into()]);
    }
    Exit::Usage
}

fn log(command: &Command) -> Log {
    match command {
        Command::Serve(serve) => Log {
            is_daemon: true,
            is_json: serve.log_format == LogFormat::Json,
            is_stream: false,
            limit: serve.log_limit,
        },
        Command::Worker(_) => Log { is_stream: true, ..Log::default() },
        _ => Log::default(),
    }
}

fn dispatch(args: &Args, terminal: &Terminal) -> Result<Exit, CliError> {
    match &args.command {
        Command::Forecast(command) => forecast::run(command, terminal),
        Command::Worker(command) => worker::run(command, terminal),
        Command::Backtest(command) => backtest::run(command, terminal),
        Command::Compare(command) => compare::run(command, terminal),
        Command::Plot(command) => plot::run(command, terminal),
        Command::Train(command) => train::run(command, terminal),
        Command::Generate(command) => generate::run(command, terminal),
        Command::Data(DataCommand::Check(command)) => data::check(command, terminal),
        Command::Data(DataCommand::Show(command)) => data::show(command, terminal),
        Command::Serve(command) => daemon::serve(command, terminal.journal()),
        Command::Run(command) => run::run(command, terminal),
        Command::Explain(command) => explain::run(command, terminal),
        Command::Score(command) => score::run(command, terminal),
        Command::Schedule(command) => schedule::dispatch(command, terminal),
        Command::Runs(command) => runs::dispatch(command, terminal),
        Command::Top(command) => top::run(command, terminal),
        Command::Models(command) => models::run(command, terminal),
        Command::Demo(command) => demo::run(command, terminal),
        Command::Init(command) => init::run(command, terminal),
        Command::Validate(command) => validate::run(command, terminal),
        Command::Schema(command) => schema::run(command, terminal),
        Command::Completions(command) => completions::run(command, terminal),
        Command::Man(command) => manual::run(command, terminal),
    }
}
