//! A TOML table with known keys, each with the function that reads it; every problem is noted at its place.

use crate::config::Problem;
use crate::config::problem::ConfigText;
use crate::config::reader::did_you_mean;
use crate::config::words::Wrong;
use miette::NamedSource;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use toml::de::{DeTable, DeValue};

/// A key, and how its value gets into what is read.
pub(super) type Entry<D> = (&'static str, fn(&mut D, &DeValue<'_>) -> Result<(), Wrong>);

/// A file as read: its problems, and where each key stands.
pub(super) struct Reading {
    pub file: ConfigText,
    pub places: BTreeMap<String, Range<usize>>,
    pub problems: Vec<Problem>,
}

impl Reading {
    /// A problem of a key; of the beginning of the file where that is missing.
    pub(super) fn problem(&self, key: &str, wrong: Wrong) -> Problem {
        let place = self.places.get(key).cloned().unwrap_or(0..0);
        Problem::in_file(&self.file, place, wrong.message, wrong.help)
    }
}

/// A table inside a file, by name, and its keys.
pub(super) type Section<'a, D> = (&'a str, &'a [Entry<D>]);

/// Reads a text whose keys stand at the top, or all in one table of the name `inner`, with some tables of their own.
pub(super) fn read_sections<D>(
    name: &str,
    text: &str,
    inner: Section<'_, D>,
    sections: &[Section<'_, D>],
    into: &mut D,
) -> Reading {
    let file: ConfigText = Arc::new(NamedSource::new(name, text.to_owned()));
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut reading = Reading { file, places: BTreeMap::new(), problems: Vec::new() };
    // After a syntax error the keys are guesses; what they lack would only distract.
    for error in &errors {
        let (place, message) = (error.span().unwrap_or(0..0), error.message().to_owned());
        reading.problems.push(Problem::in_file(&reading.file, place, message, None));
    }
    if errors.is_empty() {
        let root = document.get_ref();
        match root.get(inner.0).map(|value| value.get_ref()) {
            Some(DeValue::Table(table)) => fill(table, inner.1, sections, into, &mut reading),
            _ => fill(root, inner.1, sections, into, &mut reading),
        }
    }
    reading
}

/// [`read_sections`] without any.
pub(super) fn read<D>(name: &str, text: &str, inner: &str, keys: &[Entry<D>], into: &mut D) -> Reading {
    read_sections(name, text, (inner, keys), &[], into)
}

fn fill<D>(
    table: &DeTable<'_>,
    keys: &[Entry<D>],
    sections: &[Section<'_, D>],
    into: &mut D,
    reading: &mut Reading,
) {
    for (name, value) in table {
        let key = name.get_ref().as_ref();
        let section = sections.iter().find(|(section, _)| *section == key);
        if let (Some((_, keys)), DeValue::Table(table)) = (section, value.get_ref()) {
            fill(table, keys, &[], into, reading);
            continue;
        }
        let (place, wrong) = match keys.iter().find(|(known, _)| *known == key) {
            Some((_, set)) => {
                reading.places.insert(key.to_owned(), value.span());
                let wrong = set(into, value.get_ref()).err();
                let named =
                    wrong.map(|wrong| Wrong { message: format!("{key}: {}", wrong.message), ..wrong });
                (value.span(), named)
            }
            None => {
                let help = did_you_mean(key, keys.iter().map(|(known, _)| *known));
                (name.span(), Some(Wrong { message: format!("unknown key '{key}'"), help }))
            }
        };
        if let Some(Wrong { message, help }) = wrong {
            reading.problems.push(Problem::in_file(&reading.file, place, message, help));
        }
    }
}
