//! `s4cast completions`: what a shell has to know to complete commands, flags, values and paths.

use crate::cli::Exit;
use crate::cli::args::Args;
use crate::cli::args_shell::Completions;
use crate::cli::error::CliError;
use crate::cli::terminal::Terminal;
use crate::config::Key;
use crate::schedule::outcome::Outcome;
use crate::schedule::spec::Stage;
use clap::builder::PossibleValuesParser;
use clap::{Arg, Command, CommandFactory, ValueHint};
use serde_json::json;

/// Prints the script of a shell.
pub(super) fn run(args: &Completions, terminal: &Terminal) -> Result<Exit, CliError> {
    let mut bytes = Vec::new();
    clap_complete::generate(args.shell, &mut hinted(Args::command()), "s4cast", &mut bytes);
    let script = String::from_utf8_lossy(&bytes).into_owned();
    let document = || json!({ "shell": args.shell.to_string(), "script": script });
    terminal.result(document, || script.clone())?;
    Ok(Exit::Ok)
}

/// The command with what its values may be. The parser takes any text, since `config` checks it; a shell wants words and paths.
fn hinted(command: Command) -> Command {
    command.mut_args(hint).mut_subcommands(hinted)
}

fn hint(arg: Arg) -> Arg {
    if !arg.get_action().takes_values() {
        return arg;
    }
    let name = arg.get_value_names().and_then(|names| names.first()).map_or("", |name| name.as_str());
    if let Some(hint) = of_paths(name) {
        return arg.value_hint(hint);
    }
    let words = words(&arg);
    match words.is_empty() {
        // Not a file, whatever it is.
        true if arg.get_value_hint() == ValueHint::Unknown => arg.value_hint(ValueHint::Other),
        true => arg,
        false => arg.value_parser(PossibleValuesParser::new(words)),
    }
}

/// What kind of path a value is, by its name in the help; none where it is no path.
fn of_paths(name: &str) -> Option<ValueHint> {
    match name {
        "DIR" => Some(ValueHint::DirPath),
        "COMMAND" => Some(ValueHint::CommandString),
        "INPUT" | "DATA" | "PATH" | "MODEL" | "FORECASTS" | "A" | "B" => Some(ValueHint::FilePath),
        name if name.starts_with("FILE") || name.starts_with("OUT.") || name.starts_with("RUNS.") => {
            Some(ValueHint::FilePath)
        }
        _ => None,
    }
}

/// The words to choose from; none where anything may be written.
fn words(arg: &Arg) -> Vec<&'static str> {
    let Some(flag) = arg.get_long() else { return Vec::new() };
    match flag {
        "stage" => return Stage::ALL.map(Stage::as_str).to_vec(),
        "outcome" => return Outcome::ALL.map(Outcome::as_str).to_vec(),
        "models" => return Key::Kind.choices().to_vec(),
        _ => {}
    }
    let key = Key::all().find(|key| key.flag().strip_prefix("--") == Some(flag));
    key.map_or(Vec::new(), |key| key.choices().to_vec())
}
