//! Requests to a running daemon without a socket: small files in the state directory.

use crate::schedule::command::Command;
use crate::schedule::spec::Stage;
use crate::series::version;
use crate::store::Hidden;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Folder in the state directory.
const FOLDER: &str = "inbox";

/// Largest file that is read.
const BYTES_MAX: u64 = 64 << 10;

/// Version of a request, written from the second one on: what says nothing of it is of the first.
const VERSION: u32 = 1;

/// A request as a file.
#[derive(Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
enum Letter {
    Run { job: String, stage: String, slot: Option<i64> },
    Retry { id: i64 },
    Reload,
}

/// Leaves a request for the daemon that has the state directory.
///
/// # Errors
/// If the file cannot be written.
pub fn leave(state: &Path, command: &Command) -> std::io::Result<()> {
    let letter = match command {
        Command::Run { job, stage, slot } => {
            Letter::Run { job: job.clone(), stage: stage.as_str().into(), slot: *slot }
        }
        Command::Retry { id } => Letter::Retry { id: *id },
        Command::Reload => Letter::Reload,
    };
    let folder = state.join(FOLDER);
    std::fs::create_dir_all(&folder)?;
    let mut file = tempfile::Builder::new().prefix(".").suffix(".partial").tempfile_in(&folder)?;
    let _hidden = Hidden::new(file.path());
    file.write_all(serde_json::to_string(&letter)?.as_bytes())?;
    file.as_file().sync_all()?;
    let name = file.path().file_name().map(|name| name.to_string_lossy().trim_matches('.').to_string());
    let target = folder.join(name.unwrap_or_default().replace(".partial", ".json"));
    file.persist(target).map(drop).map_err(|error| error.error)
}

/// The requests that lie there, with their files; one that cannot be understood is removed with a warning.
pub fn look(state: &Path) -> Vec<(PathBuf, Command)> {
    let entries = std::fs::read_dir(state.join(FOLDER)).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| is_letter(path)).collect();
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        match read(&path) {
            Ok(command) => found.push((path, command)),
            Err(reason) => {
                tracing::warn!(file = %path.display(), reason, "a request cannot be understood and is removed");
                let _ = std::fs::remove_file(&path);
            }
        }
    }
    found
}

fn is_letter(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "json")
        && path.symlink_metadata().is_ok_and(|meta| meta.is_file())
}

fn read(path: &Path) -> Result<Command, String> {
    let size = path.metadata().map_err(|error| error.to_string())?.len();
    if size > BYTES_MAX {
        return Err(format!("{size} bytes"));
    }
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let mut document: Value =
        version::from_json(text.as_bytes(), VERSION).map_err(|error| error.to_string())?;
    if let Some(keys) = document.as_object_mut() {
        keys.remove("version");
    }
    match serde_json::from_value(document).map_err(|error| error.to_string())? {
        Letter::Run { job, stage, slot } => match Stage::from_name(&stage) {
            Some(stage) => Ok(Command::Run { job, stage, slot }),
            None => Err(format!("unknown stage '{stage}'")),
        },
        Letter::Retry { id } => Ok(Command::Retry { id }),
        Letter::Reload => Ok(Command::Reload),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_arrive_as_they_were_left_and_nonsense_is_removed() {
        let state = tempfile::tempdir().expect("folder");
        assert!(look(state.path()).is_empty());
        let commands = [
            Command::Run { job: "load".into(), stage: Stage::Train, slot: Some(7) },
            Command::Retry { id: 3 },
            Command::Reload,
        ];
        for command in &commands {
            leave(state.path(), command).expect("left");
        }
        let nonsense = state.path().join("inbox/x.json");
        std::fs::write(&nonsense, "{\"command\":\"explode\"}").expect("written");
        let newer = state.path().join("inbox/y.json");
        std::fs::write(&newer, "{\"command\":\"reload\",\"version\":2}").expect("written");
        assert!(read(&newer).expect_err("newer").contains("newer s4cast"));
        std::fs::write(&newer, "{\"command\":\"reload\",\"version\":1}").expect("written");
        assert_eq!(read(&newer), Ok(Command::Reload));
        std::fs::remove_file(&newer).expect("removed");
        let found: Vec<Command> = look(state.path()).into_iter().map(|(_, command)| command).collect();
        assert!(found.len() == 3 && commands.iter().all(|command| found.contains(command)), "{found:?}");
        assert!(!nonsense.exists());
    }
}
