//! `s4cast man`: manual pages, made from the command line itself, one per command.

mod examples;
mod page;

use crate::cli::Exit;
use crate::cli::args::Args;
use crate::cli::args_shell::Man;
use crate::cli::error::CliError;
use crate::cli::summary::{self, count};
use crate::cli::terminal::Terminal;
use crate::config::nearest;
use crate::publish::{self, PublishError};
use clap::{Command, CommandFactory};
use serde_json::json;
use std::path::Path;

/// One manual page of section 1.
struct ManualPage {
    /// Name of the command with its parents, joined by hyphens: `s4cast-models-ls`.
    name: String,
    /// The page, for man and its like.
    text: String,
}

/// Prints a page, or writes all of them.
pub(super) fn run(args: &Man, terminal: &Terminal) -> Result<Exit, CliError> {
    let mut root = Args::command();
    root.build();
    match &args.output {
        Some(folder) => write_all(&root, folder, terminal)?,
        None => {
            let page = page::page(&root, chosen(&root, &args.command)?);
            terminal.result(|| json!({ "name": page.name, "roff": page.text }), || page.text.clone())?;
        }
    }
    Ok(Exit::Ok)
}

fn write_all(root: &Command, folder: &Path, terminal: &Terminal) -> Result<(), CliError> {
    std::fs::create_dir_all(folder).map_err(|error| refusal(folder, &error))?;
    let mut files = Vec::new();
    for command in commands(root) {
        let page = page::page(root, command);
        let path = folder.join(format!("{}.1", page.name));
        publish::write_bytes(&path, page.text.as_bytes())?;
        files.push(path.display().to_string());
    }
    let summary = || {
        let mut page = summary::Page::default();
        page.line("Wrote", format!("{} to {}", count(files.len(), "page"), folder.display()));
        page.line("  read", format!("man {}", files[0]));
        page.text
    };
    terminal.result(|| json!({ "files": files }), summary)
}

/// The command and all below it, parents first.
fn commands(command: &Command) -> Vec<&Command> {
    let below = command.get_subcommands().flat_map(commands);
    std::iter::once(command).chain(below).collect()
}

/// The command of these words, the program's own name left out.
fn chosen<'a>(root: &'a Command, words: &[String]) -> Result<&'a Command, CliError> {
    let mut command = root;
    for word in words {
        let names = || command.get_subcommands().map(Command::get_name);
        command = command.find_subcommand(word).ok_or_else(|| unknown(command, word, names()))?;
    }
    Ok(command)
}

fn unknown<'a>(command: &Command, word: &str, names: impl Iterator<Item = &'a str>) -> CliError {
    let names: Vec<&str> = names.collect();
    let of = command.get_bin_name().unwrap_or("s4cast");
    let help = match (nearest(word, names.iter().copied()), names.is_empty()) {
        (_, true) => format!("{of} has no commands below it"),
        (Some(meant), false) => format!("did you mean '{meant}'?"),
        (None, false) => format!("the commands of {of} are {}", names.join(", ")),
    };
    CliError::Request { message: format!("'{word}' is no command of {of}"), help: Some(help) }
}

fn refusal(path: &Path, error: &std::io::Error) -> CliError {
    let (path, reason) = (path.to_path_buf(), error.to_string());
    CliError::from(PublishError::CannotCreate { path, reason })
}

#[cfg(test)]
mod tests;
