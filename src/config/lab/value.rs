//! Single TOML values, in a file or behind the `=` of an argument.

use crate::config::reader::{integer, kind_of};
use crate::config::words::{self, Wrong};
use toml::de::{DeTable, DeValue};

fn other(wanted: &str, value: &DeValue<'_>) -> Wrong {
    Wrong { message: format!("must be {wanted}, not {}", kind_of(value)), help: None }
}

/// A text that is not empty.
pub(super) fn text(value: &DeValue<'_>) -> Result<String, Wrong> {
    match value {
        DeValue::String(text) if text.is_empty() => Err(Wrong { message: "is empty".into(), help: None }),
        DeValue::String(text) => Ok(text.to_string()),
        value => Err(other("a string", value)),
    }
}

/// A text or a list of texts.
pub(super) fn texts(value: &DeValue<'_>) -> Result<Vec<String>, Wrong> {
    match value {
        DeValue::Array(values) => values.iter().map(|one| text(one.get_ref())).collect(),
        DeValue::String(_) => Ok(vec![text(value)?]),
        value => Err(other("a string or a list of strings", value)),
    }
}

/// A whole number of zero or more.
pub(super) fn whole(value: &DeValue<'_>) -> Result<usize, Wrong> {
    match value {
        DeValue::Integer(number) => Ok(usize::try_from(words::whole(&integer(number))?)?),
        value => Err(other("a whole number", value)),
    }
}

/// `true` or `false`.
pub(super) fn flag(value: &DeValue<'_>) -> Result<bool, Wrong> {
    match value {
        DeValue::Boolean(flag) => Ok(*flag),
        value => Err(other("true or false", value)),
    }
}

/// Whole numbers: one, a list, or as `96,192`.
pub(super) fn wholes(value: &DeValue<'_>) -> Result<Vec<usize>, Wrong> {
    match value {
        DeValue::Array(values) => values.iter().map(|one| whole(one.get_ref())).collect(),
        DeValue::String(text) => {
            text.split(',').map(|part| Ok(usize::try_from(words::whole(part)?)?)).collect()
        }
        value => Ok(vec![whole(value)?]),
    }
}

/// A number.
pub(super) fn number(value: &DeValue<'_>) -> Result<f64, Wrong> {
    match value {
        DeValue::Integer(number) => words::number(&integer(number)),
        DeValue::Float(number) => words::number(number.as_str()),
        value => Err(other("a number", value)),
    }
}

/// Numbers: one, a list, or as `80,95`.
pub(super) fn numbers(value: &DeValue<'_>) -> Result<Vec<f64>, Wrong> {
    match value {
        DeValue::Array(values) => values.iter().map(|one| number(one.get_ref())).collect(),
        DeValue::String(text) => text.split(',').map(words::number).collect(),
        value => Ok(vec![number(value)?]),
    }
}

/// One of some words, each with what it stands for.
pub(super) fn choice<T: Copy>(value: &DeValue<'_>, words: &[(&str, T)]) -> Result<T, Wrong> {
    let word = text(value)?;
    let found = words.iter().find(|(known, _)| *known == word);
    found.map(|(_, choice)| *choice).ok_or_else(|| {
        let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
        Wrong::meant(format!("'{word}' is unknown; choose one of {}", names.join(", ")), &word, names)
    })
}

/// Gives what stands behind an `=` as the TOML value that it is, or else as the text that it is: neither names nor paths need
/// quotes.
pub(super) fn argument<T>(written: &str, read: impl FnOnce(&DeValue<'_>) -> T) -> T {
    let text = format!("value = {written}");
    match DeTable::parse(&text) {
        Ok(table) if table.get_ref().len() == 1 => match table.get_ref().get("value") {
            Some(value) => read(value.get_ref()),
            None => read(&DeValue::String(written.into())),
        },
        _ => read(&DeValue::String(written.into())),
    }
}
