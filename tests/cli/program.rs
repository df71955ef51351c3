//! Runs the binary in a folder of its own, without the environment of the test.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A temporary folder to run the program in.
pub struct Place {
    folder: tempfile::TempDir,
}

/// What a run left behind.
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Place {
    pub fn new() -> Place {
        Place { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn put(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// Names of everything in the folder, hidden files included.
    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The program, not started yet.
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_s4cast"));
        command.current_dir(self.folder.path()).env_clear();
        command
    }

    /// Runs the program with arguments separated by spaces.
    pub fn run(&self, arguments: &str) -> Run {
        Run::of(self.command().args(arguments.split_whitespace()).output().unwrap())
    }
}

impl Run {
    pub fn of(output: Output) -> Run {
        Run {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Stdout as the one JSON document that it has to be.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }

    pub fn expect(self, code: i32) -> Run {
        assert_eq!(self.code, Some(code), "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }
}

/// A data set of the repository.
pub fn dataset(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets").join(name).display().to_string()
}

/// `ds,y` with one row a day from 2024-01-01 on.
pub fn daily(rows: u32, value: impl Fn(u32) -> String) -> String {
    let start = jiff::civil::date(2024, 1, 1);
    let row = |step: u32| {
        let day = start.saturating_add(jiff::Span::new().days(i64::from(step)));
        format!("{day},{}\n", value(step))
    };
    format!("ds,y\n{}", (0..rows).map(row).collect::<String>())
}

/// A weekly pattern.
pub fn weekly(rows: u32) -> String {
    daily(rows, |step| (10 + step % 7).to_string())
}
