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

/// Reads a text whose keys stand at the top, or all in one table of the name `inner`.
pub(super) fn read<D>(name: &str, text: &str, inner: &str, keys: &[Entry<D>], into: &mut D) -> Reading {
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
        match root.get(inner).map(|value| value.get_ref()) {
            Some(DeValue::Table(table)) => fill(table, keys, into, &mut reading),
            _ => fill(root, keys, into, &mut reading),
        }
    }
    reading
}

fn fill<D>(table: &DeTable<'_>, keys: &[Entry<D>], into: &mut D, reading: &mut Reading) {
    for (name, value) in table {
        let key = name.get_ref().as_ref();
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
