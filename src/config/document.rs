//! A daemon file as written: its tables, each with its settings, and what is wrong with its shape.

use crate::config::file::version;
use crate::config::key::Table;
use crate::config::problem::ConfigText;
use crate::config::reader::{Reader, kind_of};
use crate::config::values::sha256;
use crate::config::{Problem, Settings};
use crate::publish;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use toml::de::{DeTable, DeValue};

/// A daemon file as written.
pub(super) struct Document {
    pub file: ConfigText,
    pub folder: PathBuf,
    /// SHA-256 of the text.
    pub sha256: String,
    pub daemon: Option<Settings>,
    pub http: Option<Settings>,
    /// All tables with names.
    pub named: BTreeMap<Table, BTreeMap<String, Settings>>,
    /// Whether a part of the file could not be understood, so that what seems to be missing may stand there.
    pub misread: bool,
    /// What is wrong outside of the tables.
    pub problems: Vec<Problem>,
}

impl Document {
    /// The tables of a file.
    pub(super) fn of(reader: &Reader<'_>, root: &DeTable<'_>, text: &str) -> Document {
        let mut document = Document {
            file: reader.file.clone(),
            folder: reader.folder.clone(),
            sha256: sha256(text),
            daemon: None,
            http: None,
            named: BTreeMap::new(),
            misread: false,
            problems: Vec::new(),
        };
        for (name, value) in root {
            let (word, span) = (name.get_ref().as_ref(), name.span());
            match (word, Table::of(word, reader.kind), value.get_ref()) {
                ("schema_version", ..) => document.problems.extend(version(reader, value)),
                (_, Some(table), DeValue::Table(keys)) if table.is_named() => {
                    document.family(reader, table, keys)
                }
                (_, Some(table), DeValue::Table(keys)) => {
                    let settings = Some(reader.table(table, Some((word.into(), span)), keys));
                    match table {
                        Table::Http => document.http = settings,
                        _ => document.daemon = settings,
                    }
                }
                (_, Some(table), other) => {
                    let message = format!("{word} must be a table, not {}", kind_of(other));
                    let help = Some(format!("write {} on a line of its own", table.header(reader.kind)));
                    document.misread = true;
                    document.problems.push(reader.problem(value.span(), message, help));
                }
                ("output", ..) => document.problems.push(both_kinds(reader, span)),
                (unknown, None, _) => {
                    document.misread = true;
                    document.problems.push(reader.unknown_name(unknown, span));
                }
            }
        }
        document
    }

    /// The tables of one kind, each with its name.
    fn family(&mut self, reader: &Reader<'_>, table: Table, members: &DeTable<'_>) {
        for (name, value) in members {
            let (word, span) = (name.get_ref().as_ref(), name.span());
            let DeValue::Table(keys) = value.get_ref() else {
                self.misread = true;
                self.problems.push(nameless(reader, table, word, span));
                continue;
            };
            if !publish::is_name(word) {
                let message = format!("'{word}' is no name for a {}", table.name());
                let help = "write 1 to 64 of a to z, 0 to 9, _ and -".to_owned();
                self.problems.push(reader.problem(span.clone(), message, Some(help)));
            }
            let header = Some((format!("{}.{word}", table.name()), span));
            let settings = reader.table(table, header, keys);
            self.named.entry(table).or_default().insert(word.into(), settings);
        }
    }
}

/// A key that stands directly under `[source]`, as in a one-shot file.
fn nameless(reader: &Reader<'_>, table: Table, word: &str, span: Range<usize>) -> Problem {
    let message = format!("'{word}' stands in [{}], which has no name", table.name());
    let help =
        format!("write {}: in a daemon file every {} has a name", table.header(reader.kind), table.name());
    reader.problem(span, message, Some(help))
}

fn both_kinds(reader: &Reader<'_>, span: Range<usize>) -> Problem {
    let message = "[output] is of a one-shot file, and the other tables are of a daemon file".to_string();
    let help = "for `s4cast forecast` keep [source], [model] and [output] alone; for the daemon write [sink.NAME] \
                in place of [output]";
    reader.problem(span, message, Some(help.into()))
}
