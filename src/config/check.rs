//! Settings as written to values that cannot be wrong; every problem is noted, none hides the next.

use crate::config::settings::Item;
use crate::config::words::{self, Wrong};
use crate::config::{Key, Problem, Settings};
use crate::ingest::PolicyError;
use crate::store::Place;
use std::ops::Range;
use std::path::PathBuf;
use std::str::FromStr;

/// A check of one table of a daemon file, or of a one-shot job.
pub(super) struct Check<'a> {
    pub settings: &'a Settings,
    pub problems: Vec<Problem>,
}

impl<'a> Check<'a> {
    pub(super) fn new(settings: &'a Settings) -> Check<'a> {
        Check { settings, problems: settings.problems.clone() }
    }

    pub(super) fn problem(&mut self, key: Key, item: &Item, wrong: Wrong) {
        self.problems.push(match (&self.settings.file, &item.span) {
            (Some(file), Some(span)) => Problem::in_file(file, span.clone(), wrong.message, wrong.help),
            _ => Problem::of_flag(format!("{}: {}", key.flag(), wrong.message), wrong.help),
        });
    }

    /// A problem at a place of the file.
    pub(super) fn problem_at(&mut self, place: Option<Range<usize>>, wrong: Wrong) {
        self.problems.push(match (&self.settings.file, place) {
            (Some(file), Some(span)) => Problem::in_file(file, span, wrong.message, wrong.help),
            _ => Problem::of_flag(wrong.message, wrong.help),
        });
    }

    /// The checked values of a setting; the wrong ones are noted.
    pub(super) fn many<T>(&mut self, key: Key, parse: impl Fn(&str) -> Result<T, Wrong>) -> Vec<T> {
        let mut values = Vec::new();
        for item in self.settings.get(key) {
            match parse(&item.text) {
                Ok(value) => values.push(value),
                Err(wrong) => self.problem(key, item, wrong),
            }
        }
        values
    }

    /// The checked value of a setting; a wrong one is noted.
    pub(super) fn one<T>(&mut self, key: Key, parse: impl Fn(&str) -> Result<T, Wrong>) -> Option<T> {
        self.many(key, parse).pop()
    }

    pub(super) fn text(&mut self, key: Key) -> Option<String> {
        self.one(key, written)
    }

    /// One of `values`, which stand in the order of the key's choices; the default where nothing is written.
    pub(super) fn choice<T: Copy + Default>(&mut self, key: Key, values: &[T]) -> T {
        let words = key.choices();
        let parse = |text: &str| {
            let choice = words.iter().zip(values).find(|(word, _)| **word == text.trim());
            choice.map(|(_, value)| *value).ok_or_else(|| {
                let message = format!("unknown {} '{text}'; choose one of {}", key.name(), words.join(", "));
                Wrong::meant(message, text, words.iter().copied())
            })
        };
        self.one(key, parse).unwrap_or_default()
    }

    /// A whole number between two others, both included.
    pub(super) fn between(&mut self, key: Key, least: usize, most: usize) -> Option<usize> {
        self.one(key, |text| match whole(text)? {
            number if (least..=most).contains(&number) => Ok(number),
            number => Err(Wrong {
                message: format!("{} {number} is not in {least}..={most}", key.name()),
                help: None,
            }),
        })
    }

    pub(super) fn threads(&mut self, key: Key) -> Option<usize> {
        self.one(key, |text| match whole(text)? {
            threads @ 1..=1024 => Ok(threads),
            threads => Err(Wrong { message: format!("{threads} threads are not in 1..=1024"), help: None }),
        })
    }

    /// Notes a setting that is nowhere; one that was written but could not be read is a problem already.
    pub(super) fn demand(&mut self, key: Key, message: &str) {
        let settings = self.settings;
        let unread = settings.has(key) && !settings.problems.is_empty();
        let inline = settings.inline.contains_key(&key);
        if !settings.get(key).is_empty() || inline || unread || settings.misread {
            return;
        }
        match &settings.header {
            Some((header, span)) => {
                let message = format!("[{header}] has no {}", key.name());
                let help =
                    Wrong::new(message, &format!("write for example {} = {}", key.name(), key.row().example));
                self.problem_at(settings.place(key).or(Some(span.clone())), help);
            }
            None => self.problems.push(Problem::of_flag(message.into(), None)),
        }
    }

    /// The check of an inline table; its problems belong to the table above.
    pub(super) fn inline<T>(&mut self, key: Key, check: impl FnOnce(&mut Check<'_>) -> T) -> Option<T> {
        let settings = self.settings.inline.get(&key)?;
        let mut inner = Check::new(settings);
        let value = check(&mut inner);
        self.problems.append(&mut inner.problems);
        Some(value)
    }
}

/// A text that is not empty.
pub(super) fn written(text: &str) -> Result<String, Wrong> {
    match text.is_empty() {
        true => Err(Wrong { message: "the text is empty".into(), help: None }),
        false => Ok(text.to_string()),
    }
}

/// A path or an address.
pub(super) fn place(text: &str) -> Result<Place, Wrong> {
    Ok(Place::parse(&written(text)?)?)
}

/// A path or an address that does not promise another format than Parquet.
pub(super) fn parquet(text: &str) -> Result<Place, Wrong> {
    let place = place(text)?;
    let path = PathBuf::from(text);
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    match ["csv", "tsv", "txt", "json", "jsonl", "xlsx"].contains(&extension.as_str()) {
        true => {
            let help = format!("write for example {}", path.with_extension("parquet").display());
            Err(Wrong::new(format!("'{text}' would hold Parquet, which is not {extension}"), &help))
        }
        false => Ok(place),
    }
}

/// A word of a policy.
pub(super) fn policy<T: FromStr<Err = PolicyError>>(text: &str) -> Result<T, Wrong> {
    text.parse().map_err(|error: PolicyError| Wrong::meant(error.to_string(), text, error.choices))
}

/// A whole number that counts something in memory.
pub(super) fn whole(text: &str) -> Result<usize, Wrong> {
    let number = words::whole(text)?;
    usize::try_from(number).map_err(Wrong::from)
}

/// True or false.
pub(super) fn flag(text: &str) -> Result<bool, Wrong> {
    text.trim()
        .parse()
        .map_err(|_| Wrong::new(format!("'{text}' is not true or false"), "write true or false"))
}
