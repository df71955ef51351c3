//! A TOML file to settings: which of the two kinds it is, and its tables.

use crate::config::document::Document;
use crate::config::key::{FileKind, Table};
use crate::config::problem::ConfigText;
use crate::config::reader::{Reader, integer, kind_of};
use crate::config::redact::redacted;
use crate::config::{Problem, Settings};
use miette::NamedSource;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Version of the config format.
pub(super) const SCHEMA_VERSION: &str = "1";

/// Environment variables, as a value.
pub type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A file as read.
pub(super) enum ConfigFile {
    /// It is no TOML: only the problems can be told.
    Broken(Settings),
    OneShot(Settings),
    Daemon(Box<Document>),
}

impl Settings {
    /// Reads the config file of a one-shot job. Problems of its content are kept for the check, so that all are reported
    /// together.
    ///
    /// # Errors
    /// If the file cannot be read at all.
    pub fn read(path: &Path, env: Env<'_>) -> Result<Settings, std::io::Error> {
        let text = std::fs::read_to_string(path)?;
        let folder = path.parent().map(PathBuf::from).unwrap_or_default();
        let settings = Settings::parse(&path.display().to_string(), &text, folder, env);
        Ok(Settings { path: Some(path.into()), ..settings })
    }

    /// Reads the text of a one-shot config file that stands in `folder`.
    pub fn parse(name: &str, text: &str, folder: PathBuf, env: Env<'_>) -> Settings {
        match parse(name, text, folder, env) {
            ConfigFile::Broken(settings) | ConfigFile::OneShot(settings) => settings,
            ConfigFile::Daemon(document) => {
                let message = "this file is for the daemon: its tables have names".to_string();
                let help =
                    "give the file to `s4cast serve`; a one-shot file has [source], [model] and [output]";
                let file = document.file;
                let problem = Problem::in_file(&file, 0..0, message, Some(help.into()));
                Settings { file: Some(file), misread: true, problems: vec![problem], ..Settings::default() }
            }
        }
    }
}

/// Reads the text of a config file that stands in `folder`.
pub(super) fn parse(name: &str, text: &str, folder: PathBuf, env: Env<'_>) -> ConfigFile {
    let file: ConfigText = Arc::new(NamedSource::new(name, redacted(text)));
    let (document, errors) = DeTable::parse_recoverable(text);
    let root = document.get_ref();
    // After a syntax error the tables are guesses; what they lack would only distract.
    if !errors.is_empty() {
        let problem = |error: toml::de::Error| {
            Problem::in_file(&file, error.span().unwrap_or(0..0), error.message().into(), None)
        };
        let problems = errors.into_iter().map(problem).collect();
        return ConfigFile::Broken(Settings {
            file: Some(file.clone()),
            misread: true,
            problems,
            ..Settings::default()
        });
    }
    match kind(root) {
        FileKind::OneShot => {
            ConfigFile::OneShot(one_shot(&Reader { kind: FileKind::OneShot, file, folder, env }, root))
        }
        FileKind::Daemon => {
            let reader = Reader { kind: FileKind::Daemon, file, folder, env };
            ConfigFile::Daemon(Box::new(Document::of(&reader, root, text)))
        }
    }
}

/// A file is for the daemon if it has a table of the daemon, or a source or model with a name.
fn kind(root: &DeTable<'_>) -> FileKind {
    let is_daemon = |(name, value): (&Spanned<std::borrow::Cow<'_, str>>, &Spanned<DeValue<'_>>)| {
        let name = name.get_ref().as_ref();
        match (Table::of(name, FileKind::OneShot), value.get_ref()) {
            (Some(table), DeValue::Table(keys)) => keys.iter().any(|(name, value)| {
                let is_key = table.keys(FileKind::OneShot).any(|key| key.name() == name.get_ref());
                value.get_ref().is_table() && !is_key
            }),
            (Some(_), _) => false,
            (None, value) => Table::of(name, FileKind::Daemon).is_some() && value.is_table(),
        }
    };
    if root.iter().any(is_daemon) { FileKind::Daemon } else { FileKind::OneShot }
}

fn one_shot(reader: &Reader<'_>, root: &DeTable<'_>) -> Settings {
    let (file, folder) = (Some(reader.file.clone()), reader.folder.clone());
    let mut settings = Settings { file, folder, ..Settings::default() };
    for (name, value) in root {
        let table = Table::of(name.get_ref(), FileKind::OneShot);
        match (name.get_ref().as_ref(), value.get_ref(), table) {
            ("schema_version", ..) => settings.problems.extend(version(reader, value)),
            (_, DeValue::Table(keys), Some(table)) => {
                let part = reader.table(table, None, keys);
                settings.values.extend(part.values);
                settings.problems.extend(part.problems);
                settings.misread |= part.misread;
            }
            (name, other, Some(_)) => {
                let message = format!("{name} must be a table, not {}", kind_of(other));
                let help = Some(format!("write [{name}] on a line of its own"));
                settings.problems.push(reader.problem(value.span(), message, help));
                settings.misread = true;
            }
            (unknown, _, None) => {
                settings.problems.push(reader.unknown_name(unknown, name.span()));
                settings.misread = true;
            }
        }
    }
    settings
}

/// The problem of a version that this program does not read.
pub(super) fn version(reader: &Reader<'_>, value: &Spanned<DeValue<'_>>) -> Option<Problem> {
    match value.get_ref() {
        DeValue::Integer(version) if integer(version) == SCHEMA_VERSION => None,
        _ => {
            let program = env!("CARGO_PKG_VERSION");
            let help = format!(
                "s4cast {program} reads schema_version = {SCHEMA_VERSION}; a file for a newer s4cast needs that"
            );
            let help = Some(help);
            Some(reader.problem(value.span(), "unknown version of the config format".into(), help))
        }
    }
}
