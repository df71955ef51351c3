//! The keys of one table to settings: every key is known, every value has the right shape, or it is a problem.

use crate::config::expand::expand;
use crate::config::file::Env;
use crate::config::key::{FileKind, Shape, Table};
use crate::config::problem::ConfigText;
use crate::config::settings::Item;
use crate::config::words::Wrong;
use crate::config::{Key, Problem, Settings, nearest};
use std::borrow::Cow;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

/// What reading a table takes.
pub(super) struct Reader<'a> {
    pub kind: FileKind,
    pub file: ConfigText,
    pub folder: PathBuf,
    pub env: Env<'a>,
}

/// Name and place of a table in a daemon file.
type Header = Option<(String, Range<usize>)>;

impl Reader<'_> {
    pub(super) fn problem(&self, span: Range<usize>, message: String, help: Option<String>) -> Problem {
        Problem::in_file(&self.file, span, message, help)
    }

    /// The settings of a table, or of an inline one.
    pub(super) fn table(&self, table: Table, header: Header, keys: &DeTable<'_>) -> Settings {
        let folder = self.folder.clone();
        let mut settings = Settings { file: Some(self.file.clone()), folder, header, ..Settings::default() };
        for (name, value) in keys {
            let is_inline = settings.header.as_ref().is_some_and(|(name, _)| name.starts_with("job."));
            let known = table.all_keys(self.kind).find(|key| key.name() == name.get_ref());
            match known.filter(|key| *key != Key::ScheduleName || is_inline) {
                Some(key) => self.value(&mut settings, key, value),
                None => {
                    let problem = self.unknown_key(table, &settings.header, name.get_ref(), name.span());
                    settings.problems.push(problem);
                    settings.misread = true;
                }
            }
        }
        settings
    }

    fn value(&self, settings: &mut Settings, key: Key, value: &Spanned<DeValue<'_>>) {
        let shape = key.shape();
        if let (DeValue::Table(keys), Some(table)) = (value.get_ref(), shape.inline()) {
            let above = settings.header.as_ref().map_or("", |(name, _)| name.as_str());
            let header = Some((format!("{above}.{}", key.name()), value.span()));
            let mut inline = self.table(table, header, keys);
            settings.problems.append(&mut inline.problems);
            settings.inline.insert(key, inline);
            return;
        }
        let many =
            matches!(shape, Shape::Texts | Shape::Paths | Shape::Numbers | Shape::Pairs(_) | Shape::Command);
        let items = match value.get_ref() {
            DeValue::Table(pairs) if matches!(shape, Shape::Pairs(_)) => {
                pairs.iter().map(|(name, value)| self.pair(key, name, value)).collect()
            }
            DeValue::Array(values) if many => values.iter().map(|one| self.item(key, one)).collect(),
            _ => vec![self.item(key, value)],
        };
        let mut read = Vec::new();
        for item in items {
            match item {
                Ok(item) => read.push(item),
                Err(problem) => settings.problems.push(problem),
            }
        }
        settings.values.insert(key, read);
    }

    /// A key and its value in a table, as one text.
    fn pair(
        &self,
        key: Key,
        name: &Spanned<Cow<'_, str>>,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<Item, Problem> {
        let joint = if let Shape::Pairs(joint) = key.shape() { joint } else { "" };
        let item = self.item(key, value)?;
        // A name that holds what the text means something by stands in quotes.
        let is_odd = joint == ": " && name.get_ref().contains([':', '=', ',', '"']);
        let name = if is_odd { format!("\"{}\"", name.get_ref()) } else { name.get_ref().to_string() };
        Ok(Item { text: format!("{name}{joint}{}", item.text), span: item.span })
    }

    fn item(&self, key: Key, value: &Spanned<DeValue<'_>>) -> Result<Item, Problem> {
        let (shape, span) = (key.shape(), value.span());
        let is_bare = matches!(shape, Shape::Integer | Shape::Number | Shape::Numbers | Shape::Flag);
        let text = match (value.get_ref(), shape) {
            (_, Shape::Inline(_)) => return Err(self.wrong_shape(key, value)),
            (DeValue::String(_), Shape::Timing) => return Err(self.wrong_shape(key, value)),
            (_, Shape::Secret) => return Err(self.literal_secret(key, value)),
            // A number may come from the environment: seed = "${SEED:-1}".
            (DeValue::String(text), _) if is_bare && !text.contains("${") => {
                return Err(self.wrong_shape(key, value));
            }
            (DeValue::String(text), _) => text.to_string(),
            (
                DeValue::Integer(number),
                Shape::Integer | Shape::Number | Shape::Numbers | Shape::IntegerOrText | Shape::NumberOrText,
            ) => integer(number),
            (DeValue::Float(number), Shape::Number | Shape::Numbers | Shape::NumberOrText) => {
                number.as_str().into()
            }
            (DeValue::Datetime(instant), Shape::Instant) => instant.to_string(),
            (DeValue::Boolean(flag), Shape::Flag) => flag.to_string(),
            _ => return Err(self.wrong_shape(key, value)),
        };
        let is_path = matches!(shape, Shape::Path | Shape::Paths);
        match expand(&text, self.env) {
            Ok(text) if is_path => Ok(Item { text: relative_to(&self.folder, &text), span: Some(span) }),
            Ok(text) => Ok(Item { text, span: Some(span) }),
            Err(Wrong { message, help }) => Err(self.problem(span, message, help)),
        }
    }

    fn wrong_shape(&self, key: Key, value: &Spanned<DeValue<'_>>) -> Problem {
        let message =
            format!("{} must be {}, not {}", key.name(), key.shape().wanted(), kind_of(value.get_ref()));
        self.problem(value.span(), message, None)
    }

    fn literal_secret(&self, key: Key, value: &Spanned<DeValue<'_>>) -> Problem {
        let message =
            format!("{} does not stand in the config, where it would be read by others", key.name());
        self.problem(
            value.span(),
            message,
            Some(format!("write {}", key.shape().wanted().replace("a table such as ", ""))),
        )
    }

    /// A name on the top level that is no table; it may be a key that lost its table.
    pub(super) fn unknown_name(&self, name: &str, span: Range<usize>) -> Problem {
        let tables = Table::ALL.into_iter().filter(|table| table.is_in(self.kind)).map(Table::name);
        let help = self.home(name).or_else(|| did_you_mean(name, tables.chain(["schema_version"])));
        self.problem(span, format!("unknown table or key '{name}'"), help)
    }

    fn unknown_key(&self, table: Table, header: &Header, name: &str, span: Range<usize>) -> Problem {
        let here = || table.keys(self.kind).map(Key::name);
        let help = match self.home(name) {
            Some(home) => Some(home),
            None => did_you_mean(name, here()).or_else(|| self.elsewhere(name)),
        };
        let shown = header.as_ref().map_or(table.name(), |(name, _)| name);
        self.problem(span, format!("unknown key '{name}' in [{shown}]"), help)
    }

    fn keys(&self) -> impl Iterator<Item = Key> {
        Table::ALL.into_iter().flat_map(|table| table.keys(self.kind))
    }

    /// Where a key belongs that stands elsewhere or is written as its flag.
    fn home(&self, name: &str) -> Option<String> {
        let homes: Vec<String> =
            self.keys().filter(|key| key.name() == name).map(|key| key.table().header(self.kind)).collect();
        if !homes.is_empty() {
            return Some(format!("'{name}' belongs under {}", homes.join(" or ")));
        }
        let flag = format!("--{}", name.replace('_', "-"));
        let key = self.keys().find(|key| key.flag() == flag)?;
        Some(format!("write {flag} as '{}' under {}", key.name(), key.table().header(self.kind)))
    }

    /// A key of another table that may be meant.
    fn elsewhere(&self, name: &str) -> Option<String> {
        let nearest = nearest(name, self.keys().map(Key::name))?;
        let key = self.keys().find(|key| key.name() == nearest)?;
        Some(format!("did you mean '{nearest}' under {}?", key.table().header(self.kind)))
    }
}

/// A relative path starts at a folder; a URL does not.
pub fn relative_to(folder: &Path, path: &str) -> String {
    let folder = folder.to_string_lossy();
    if folder.is_empty() || path.is_empty() || path.contains("://") || Path::new(path).is_absolute() {
        return path.into();
    }
    // Brackets in the folder's own name are no pattern.
    let folder = if path.contains(['*', '?', '[']) { glob::Pattern::escape(&folder) } else { folder.into() };
    Path::new(&folder).join(path).to_string_lossy().into_owned()
}

pub(super) fn did_you_mean<'a>(word: &str, words: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, words).map(|nearest| format!("did you mean '{nearest}'?"))
}

/// In decimal, whatever the notation.
pub(super) fn integer(number: &DeInteger<'_>) -> String {
    i128::from_str_radix(number.as_str(), number.radix())
        .map_or_else(|_| number.to_string(), |number| number.to_string())
}

/// What a value is, in words.
pub(super) fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a decimal number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
