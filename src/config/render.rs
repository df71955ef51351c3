//! Commented tables of a daemon file, from what is said about every key.

use crate::config::Key;
use crate::config::key::{FileKind, Table};

/// Width of a setting, as far as it is short enough for the comments to stand below each other.
const COMMENT: usize = 34;

/// A table with all of its keys: those of `values` (as TOML) are set, the others stand there as comments.
pub fn table(table: Table, name: Option<&str>, values: &[(Key, String)]) -> String {
    let header = match name {
        Some(name) => format!("[{}.{name}]", table.name()),
        None => format!("[{}]", table.name()),
    };
    let mut text = format!("# {}\n{header}\n", table.doc());
    for key in table.keys(FileKind::Daemon) {
        let value = values.iter().find(|(set, _)| *set == key).map(|(_, value)| value.as_str());
        text.push_str(&line(key, value));
    }
    text
}

/// A text as TOML writes it.
pub fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn line(key: Key, value: Option<&str>) -> String {
    let row = key.row();
    let setting = match value {
        Some(value) => format!("{} = {value}", row.name),
        None => format!("# {} = {}", row.name, row.example),
    };
    let choices = match key.choices() {
        [] => String::new(),
        words => format!(" ({})", words.join(", ")),
    };
    format!("{setting:<COMMENT$}  # {}{choices}\n", row.doc)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_set_or_shown() {
        let text = table(Table::Model, Some("day"), &[(Key::Horizon, "24".into())]);
        assert!(text.starts_with("# How to forecast.\n[model.day]\n# kind = \"auto\""), "{text}");
        assert!(text.contains("\nhorizon = 24                        # Steps to forecast\n"), "{text}");
        assert!(
            text.contains(
                "# Forecaster (auto, s4d, s4, sashimi, ridge, seasonal_naive, naive, ets, mstl, croston, croston_sba, tsb, \
                 adida, imapa, counts, ensemble)\n"
            ),
            "{text}"
        );
        assert!(!text.contains("threads"), "that is a key of [daemon]");
    }

    #[test]
    fn what_is_shown_is_toml() {
        for one in Table::ALL.into_iter().filter(|table| table.is_in(FileKind::Daemon)) {
            let text = table(one, one.is_named().then_some("x"), &[]).replace("\n# ", "\n");
            assert!(text.parse::<toml::Table>().is_ok(), "{text}");
        }
        assert_eq!(quoted("a\"b\\"), "'a\"b\\'");
    }
}
