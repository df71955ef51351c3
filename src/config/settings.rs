//! Settings as written, by flag or in a file.

use crate::config::problem::ConfigText;
use crate::config::values::sha256;
use crate::config::{Key, Problem};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

/// One written value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub text: String,
    /// Where it stands in the config file; `None` for a flag.
    pub span: Option<Range<usize>>,
}

/// Settings as written: nothing is checked yet. All of a one-shot job, or one table of a daemon file.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub(super) values: BTreeMap<Key, Vec<Item>>,
    /// Inline tables.
    pub(super) inline: BTreeMap<Key, Settings>,
    /// Header of the table in a daemon file, as in `source.load`, and where it stands.
    pub(super) header: Option<(String, Range<usize>)>,
    pub(super) file: Option<ConfigText>,
    /// Folder of the config file: where commands run. Empty is where the program was started.
    pub(super) folder: PathBuf,
    /// The config file itself.
    pub(super) path: Option<PathBuf>,
    /// Whether a part of the file could not be understood, so that what seems to be missing may stand there.
    pub(super) misread: bool,
    /// What is wrong with the shape of the file.
    pub(super) problems: Vec<Problem>,
}

impl Settings {
    /// Sets a value by flag or environment variable, which replaces what the file says; nothing where neither was given.
    ///
    /// An empty value is none: `S4CAST_TZ=` in an environment file means that no zone is set. Blanks around a value,
    /// as in `--id "a, b"`, are no part of it.
    pub fn flag<T: Into<String>>(&mut self, key: Key, values: impl IntoIterator<Item = T>) {
        let texts = values.into_iter().map(|value| value.into().trim().to_owned());
        let items: Vec<Item> =
            texts.filter(|text| !text.is_empty()).map(|text| Item { text, span: None }).collect();
        if !items.is_empty() {
            self.values.insert(key, items);
        }
    }

    /// Drops what a flag or the file says.
    pub fn unflag(&mut self, key: Key) {
        self.values.remove(&key);
    }

    /// Sets a value by flag as it is, blanks and all; what stands in its way is dropped.
    pub fn instead(&mut self, key: Key, text: Option<&String>, dropped: Key) {
        if let Some(text) = text.filter(|text| !text.trim().is_empty()) {
            self.values.insert(key, vec![Item { text: text.clone(), span: None }]);
            self.values.remove(&dropped);
        }
    }

    /// Drops the command that a file names in place of inputs, and its limits.
    pub fn drop_exec(&mut self) {
        for key in [Key::Exec, Key::ExecTimeout, Key::ExecMaxBytes] {
            self.values.remove(&key);
        }
    }

    /// What is written for a setting; empty where nothing is.
    pub(super) fn get(&self, key: Key) -> &[Item] {
        self.values.get(&key).map_or(&[], Vec::as_slice)
    }

    /// Whether something is written for a setting, right or wrong.
    pub(super) fn has(&self, key: Key) -> bool {
        self.values.contains_key(&key) || self.inline.contains_key(&key)
    }

    /// Where a setting, or else the table, stands in the file.
    pub(super) fn place(&self, key: Key) -> Option<Range<usize>> {
        let inline = self.inline.get(&key).and_then(|table| table.header.as_ref());
        let item = self.get(key).first().and_then(|item| item.span.clone());
        item.or(inline.or(self.header.as_ref()).map(|(_, span)| span.clone()))
    }

    /// SHA-256 over the settings that decide the result, lower-case hex.
    pub fn sha256(&self) -> String {
        let mut text = String::new();
        for (key, items) in self.values.iter().filter(|(key, _)| key.decides_result()) {
            let texts: Vec<&str> = items.iter().map(|item| item.text.as_str()).collect();
            text.push_str(&format!("{}.{} = {texts:?}\n", key.table().name(), key.name()));
        }
        sha256(&text)
    }
}
