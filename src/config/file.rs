//! A TOML file to settings: every table and key is known, every value has the right shape, or it is a problem.

use crate::config::expand::expand;
use crate::config::key::{Shape, TABLES};
use crate::config::problem::ConfigText;
use crate::config::settings::Item;
use crate::config::{Key, Problem, Settings, nearest};
use miette::NamedSource;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

/// Version of the config format.
const SCHEMA_VERSION: &str = "1";

/// Environment variables, as a value.
type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Settings {
    /// Reads a config file. Problems of its content are kept for the check, so that all are reported together.
    ///
    /// # Errors
    /// If the file cannot be read at all.
    pub fn read(path: &Path, env: Env<'_>) -> Result<Settings, std::io::Error> {
        let text = std::fs::read_to_string(path)?;
        let folder = path.parent().map(PathBuf::from).unwrap_or_default();
        let settings = Settings::parse(&path.display().to_string(), &text, folder, env);
        Ok(Settings { path: Some(path.into()), ..settings })
    }

    /// Reads the text of a config file that stands in `folder`.
    pub fn parse(name: &str, text: &str, folder: PathBuf, env: Env<'_>) -> Settings {
        let file: ConfigText = Arc::new(NamedSource::new(name, text.to_string()));
        let (document, errors) = DeTable::parse_recoverable(text);
        let settings = Settings { file: Some(file.clone()), folder, ..Settings::default() };
        let mut reader = Reader { settings, file, env };
        for error in errors {
            reader.settings.misread = true;
            reader.problem(error.span().unwrap_or(0..0), error.message().into(), None);
        }
        // After a syntax error the tables are guesses; what they lack would only distract.
        if reader.settings.problems.is_empty() {
            reader.document(document.get_ref());
        }
        reader.settings
    }
}

struct Reader<'a> {
    settings: Settings,
    file: ConfigText,
    env: Env<'a>,
}

impl Reader<'_> {
    fn problem(&mut self, span: Range<usize>, message: String, help: Option<String>) {
        self.settings.problems.push(Problem::in_file(&self.file, span, message, help));
    }

    fn document(&mut self, document: &DeTable<'_>) {
        for (name, value) in document {
            match (name.get_ref().as_ref(), value.get_ref()) {
                ("schema_version", DeValue::Integer(version)) if integer(version) == SCHEMA_VERSION => {}
                ("schema_version", _) => {
                    let help = Some(format!("this program reads schema_version = {SCHEMA_VERSION}"));
                    self.problem(value.span(), "unknown version of the config format".into(), help);
                }
                (table, DeValue::Table(keys)) if TABLES.contains(&table) => self.table(table, keys),
                (table, other) if TABLES.contains(&table) => {
                    let message = format!("{table} must be a table, not {}", kind(other));
                    self.settings.misread = true;
                    self.problem(
                        value.span(),
                        message,
                        Some(format!("write [{table}] on a line of its own")),
                    );
                }
                (unknown, _) => self.unknown_name(unknown, name.span()),
            }
        }
    }

    /// A name on the top level that is no table; it may be a key that lost its table.
    fn unknown_name(&mut self, name: &str, span: Range<usize>) {
        let help = home(name).or_else(|| did_you_mean(name, TABLES.into_iter().chain(["schema_version"])));
        self.settings.misread = true;
        self.problem(span, format!("unknown table or key '{name}'"), help);
    }

    fn table(&mut self, table: &str, keys: &DeTable<'_>) {
        for (name, value) in keys {
            let known = Key::ALL.into_iter().find(|key| key.table() == table && key.name() == name.get_ref());
            match known {
                Some(key) => self.value(key, value),
                None => self.unknown_key(table, name.get_ref(), name.span()),
            }
        }
    }

    fn unknown_key(&mut self, table: &str, name: &str, span: Range<usize>) {
        let here = Key::ALL.into_iter().filter(|key| key.table() == table).map(Key::name);
        let help = home(name).or_else(|| did_you_mean(name, here));
        self.settings.misread = true;
        self.problem(span, format!("unknown key '{name}' in [{table}]"), help);
    }

    fn value(&mut self, key: Key, value: &Spanned<DeValue<'_>>) {
        let shape = key.shape();
        let many = matches!(shape, Shape::Texts | Shape::Paths | Shape::Numbers);
        let items: Vec<Item> = match value.get_ref() {
            DeValue::Array(values) if many => values.iter().filter_map(|one| self.item(key, one)).collect(),
            _ => self.item(key, value).into_iter().collect(),
        };
        self.settings.values.insert(key, items);
    }

    fn item(&mut self, key: Key, value: &Spanned<DeValue<'_>>) -> Option<Item> {
        let (shape, span) = (key.shape(), value.span());
        let text = match (value.get_ref(), shape) {
            // A number may come from the environment: seed = "${SEED:-1}".
            (DeValue::String(text), Shape::Integer | Shape::Numbers) if text.contains("${") => {
                text.to_string()
            }
            (DeValue::String(_), Shape::Integer | Shape::Numbers) => return self.wrong_shape(key, value),
            (DeValue::String(text), _) => text.to_string(),
            (DeValue::Integer(number), Shape::Integer | Shape::Numbers | Shape::IntegerOrText) => {
                integer(number)
            }
            (DeValue::Float(number), Shape::Numbers) => number.as_str().into(),
            (DeValue::Datetime(instant), Shape::Instant) => instant.to_string(),
            _ => return self.wrong_shape(key, value),
        };
        match expand(&text, self.env) {
            Ok(text) if matches!(shape, Shape::Path | Shape::Paths) => {
                Some(Item { text: self.relative_to_file(&text), span: Some(span) })
            }
            Ok(text) => Some(Item { text, span: Some(span) }),
            Err(wrong) => {
                self.problem(span, wrong.message, wrong.help);
                None
            }
        }
    }

    fn wrong_shape(&mut self, key: Key, value: &Spanned<DeValue<'_>>) -> Option<Item> {
        let message =
            format!("{} must be {}, not {}", key.name(), key.shape().wanted(), kind(value.get_ref()));
        self.problem(value.span(), message, None);
        None
    }

    /// A relative path starts at the config file; a URL does not.
    fn relative_to_file(&self, path: &str) -> String {
        let folder = self.settings.folder.to_string_lossy();
        if folder.is_empty() || path.is_empty() || path.contains("://") || Path::new(path).is_absolute() {
            return path.into();
        }
        // Brackets in the folder's own name are no pattern.
        let folder =
            if path.contains(['*', '?', '[']) { glob::Pattern::escape(&folder) } else { folder.into() };
        Path::new(&folder).join(path).to_string_lossy().into_owned()
    }
}

/// Where a key belongs that stands elsewhere or is written as its flag.
fn home(name: &str) -> Option<String> {
    let flag = format!("--{}", name.replace('_', "-"));
    let named = Key::ALL.into_iter().find(|key| key.name() == name);
    if let Some(key) = named {
        return Some(format!("'{name}' belongs under [{}]", key.table()));
    }
    let key = Key::ALL.into_iter().find(|key| key.flag() == flag)?;
    Some(format!("write {flag} as '{}' under [{}]", key.name(), key.table()))
}

fn did_you_mean<'a>(word: &str, words: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, words).map(|nearest| format!("did you mean '{nearest}'?"))
}

/// In decimal, whatever the notation.
fn integer(number: &DeInteger<'_>) -> String {
    i128::from_str_radix(number.as_str(), number.radix())
        .map_or_else(|_| number.to_string(), |number| number.to_string())
}

fn kind(value: &DeValue<'_>) -> &'static str {
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
