//! `s4cast demo`: small series with known truth, and what to try on them. No network, no randomness but counters.

mod noise;
mod truth;

use crate::cli::Exit;
use crate::cli::args::Demo;
use crate::cli::error::CliError;
use crate::cli::summary::Page;
use crate::cli::terminal::Terminal;
use crate::publish::{self, PublishError};
use serde_json::json;
use std::path::Path;

/// One file of the demo.
pub(super) struct DemoFile {
    name: &'static str,
    text: String,
    /// What it is, in one line.
    what: &'static str,
    /// Arguments of `s4cast forecast` that suit it.
    arguments: &'static str,
}

/// Every file of the demo; the same bytes on every machine.
pub(super) fn files() -> Vec<DemoFile> {
    vec![
        DemoFile {
            name: "air_passengers.csv",
            text: include_str!("../../../datasets/air_passengers.csv").into(),
            what: "monthly airline passengers 1949 to 1960, the textbook series (Box and Jenkins, series G)",
            arguments: "-H 12",
        },
        DemoFile {
            name: "hourly_load.csv",
            text: truth::hourly_load(),
            what: "hourly electricity load that follows Berlin's clock across both changes of summer time",
            arguments: "-H 48 --tz Europe/Berlin",
        },
        DemoFile {
            name: "intermittent_counts.csv",
            text: truth::intermittent_counts(),
            what: "daily sales of eight spare parts, most of them zero",
            arguments: "-H 14",
        },
        DemoFile {
            name: "level_shift.csv",
            text: truth::level_shift(),
            what: "a daily series whose level jumps by 40 on 2024-09-01",
            arguments: "-H 14",
        },
        DemoFile {
            name: "missing_stretches.csv",
            text: truth::missing_stretches(),
            what: "three daily series with absent rows and empty values",
            arguments: "-H 14",
        },
    ]
}

/// Writes the files and says what to try.
pub(super) fn run(args: &Demo, terminal: &Terminal) -> Result<Exit, CliError> {
    let files = files();
    let dir = &args.dir;
    std::fs::create_dir_all(dir).map_err(|error| refusal(dir, &error))?;
    for file in &files {
        let path = dir.join(file.name);
        publish::write_bytes(&path, file.text.as_bytes())?;
    }
    let path = |file: &DemoFile| dir.join(file.name).display().to_string();
    let command = |file: &DemoFile| {
        let out = dir.join(file.name).with_extension("parquet");
        format!(
            "s4cast forecast {} {} -o {}",
            quoted(&path(file)),
            file.arguments,
            quoted(&out.display().to_string())
        )
    };
    terminal.result(
        || {
            let files: Vec<_> = files
                .iter()
                .map(|file| json!({ "path": path(file), "what": file.what, "command": command(file) }))
                .collect();
            json!({ "files": files })
        },
        || {
            let mut page = Page::default();
            for file in &files {
                page.line("Wrote", format!("{}: {}", path(file), file.what));
                page.line("  try", command(file));
            }
            page.text
        },
    )?;
    Ok(Exit::Ok)
}

fn refusal(path: &Path, error: &std::io::Error) -> CliError {
    use std::io::ErrorKind as Kind;
    let (path, reason) = (path.to_path_buf(), error.to_string());
    match error.kind() {
        Kind::PermissionDenied | Kind::ReadOnlyFilesystem => PublishError::Permission { path, reason },
        Kind::AlreadyExists | Kind::NotADirectory => {
            let reason = "a file stands in the way; name another folder".into();
            PublishError::CannotCreate { path, reason }
        }
        Kind::StorageFull | Kind::QuotaExceeded => PublishError::Io { path, reason },
        _ => PublishError::CannotCreate { path, reason },
    }
    .into()
}

/// A path as a shell reads it.
fn quoted(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    match path.bytes().all(plain) {
        true => path.into(),
        false => format!("'{}'", path.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_the_repository_are_what_the_demo_writes() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets");
        for file in files() {
            let committed = std::fs::read_to_string(folder.join(file.name)).expect(file.name);
            assert!(committed == file.text, "{} differs from what the demo writes", file.name);
        }
    }

    #[test]
    fn the_files_are_small_and_the_passengers_complete() {
        let files = files();
        assert!(files.iter().map(|file| file.text.len()).sum::<usize>() < 300_000);
        let lines: Vec<&str> = files[0].text.lines().collect();
        assert_eq!(lines.len(), 145);
        assert_eq!((lines[1], lines[144]), ("1949-01-01,112", "1960-12-01,432"));
        let sum: u32 = lines[1..].iter().filter_map(|line| line.split(',').nth(1)?.parse::<u32>().ok()).sum();
        assert_eq!(sum, 40_363);
    }

    #[test]
    fn paths_are_quoted_for_the_shell() {
        assert_eq!(quoted("a/b.csv"), "a/b.csv");
        assert_eq!(quoted("it's here"), "'it'\\''s here'");
    }
}
