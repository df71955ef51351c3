//! Data that is not there: the files of a definition do not come with the program.

use std::path::{Path, PathBuf};

/// None of the files that a definition names is there.
#[derive(Clone, Debug, thiserror::Error)]
#[error("pipeline {pipeline} reads {files}: {}{}", place(.folder.as_deref()), whence(.source_line.as_deref()))]
pub struct MissingFile {
    /// Name of the definition.
    pub pipeline: String,
    /// What was looked for.
    pub files: String,
    /// Where; `None` if nobody said.
    pub folder: Option<PathBuf>,
    /// Where such a file comes from.
    pub source_line: Option<String>,
}

fn place(folder: Option<&Path>) -> String {
    match folder {
        Some(folder) => format!("no such file in {}", folder.display()),
        None => "no folder to look in; give data_dir=DIR or set S4CAST_DATA_DIR".into(),
    }
}

fn whence(source_line: Option<&str>) -> String {
    source_line.map_or(String::new(), |line| format!("; it comes from {line}"))
}
