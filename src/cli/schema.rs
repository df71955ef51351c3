//! `s4cast schema`.

use crate::cli::Exit;
use crate::cli::error::CliError;
use crate::cli::terminal::Terminal;
use crate::config;

/// Prints the JSON Schema of the config files; it is JSON with and without `--json`.
pub(super) fn run(terminal: &Terminal) -> Result<Exit, CliError> {
    terminal.result(config::schema, || format!("{:#}\n", config::schema()))?;
    Ok(Exit::Ok)
}
