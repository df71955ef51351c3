//! `s4cast schema`.

use crate::cli::Exit;
use crate::cli::args::Schema;
use crate::cli::error::CliError;
use crate::cli::terminal::Terminal;
use crate::config;
use serde_json::json;
use std::path::Path;

/// The views of DuckDB, over the folder that its variable `s4cast_out` names.
const VIEWS: &str = include_str!("../../configs/deploy/duckdb/views.sql");

/// Prints the JSON Schema of the config files, which is JSON with and without `--json`; or the views over a folder.
pub(super) fn run(command: &Schema, terminal: &Terminal) -> Result<Exit, CliError> {
    match &command.views {
        Some(folder) => {
            let sql = views(folder);
            terminal.result(|| json!({ "sql": sql }), || sql.clone())?;
        }
        None => terminal.result(config::schema, || format!("{:#}\n", config::schema()))?,
    }
    Ok(Exit::Ok)
}

/// SQL that makes the views over a folder, wherever it is run. The folder need not exist yet.
fn views(folder: &Path) -> String {
    // Without a working directory a path stays as it was given.
    let path = std::path::absolute(folder).unwrap_or_else(|_| folder.into());
    let literal = path.to_string_lossy().replace('\'', "''");
    format!("SET VARIABLE s4cast_out = '{literal}';\n{VIEWS}")
}
