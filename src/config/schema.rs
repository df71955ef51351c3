//! The JSON Schema of the config files, from what is said about every key.

use crate::config::Key;
use crate::config::key::{FileKind, Shape, Table};
use serde_json::{Map, Value, json};

/// Words in which an environment variable may stand.
const VARIABLE: &str = "\\$\\{";

/// The schema of both kinds of config file (JSON Schema 2020-12): a file with a table of the daemon is one for the daemon.
pub fn schema() -> Value {
    let marks = [Table::Job, Table::Schedule, Table::Sink, Table::Daemon, Table::Http];
    let is_daemon: Vec<Value> = marks.iter().map(|table| json!({ "required": [table.name()] })).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "s4cast config file",
        "description": "One-shot files are for `s4cast forecast`, files with [job.NAME] are for the daemon.",
        "type": "object",
        "if": { "anyOf": is_daemon },
        "then": { "$ref": "#/$defs/daemon_file" },
        "else": { "$ref": "#/$defs/one_shot_file" },
        "$defs": definitions(),
    })
}

fn definitions() -> Value {
    let mut definitions = Map::new();
    definitions.insert("one_shot_file".into(), file(FileKind::OneShot));
    definitions.insert("daemon_file".into(), file(FileKind::Daemon));
    definitions.insert("inline_schedule".into(), inline_schedule());
    definitions.insert("secret".into(), secret());
    for table in [Table::Retrain, Table::Anomaly, Table::Tls] {
        let keys = || Key::all().filter(|key| key.table() == table);
        let mut inline = object(table.doc(), keys());
        let required: Vec<&str> = keys().filter(|key| key.row().required).map(Key::name).collect();
        if !required.is_empty() {
            inline["required"] = required.into();
        }
        definitions.insert(table.name().into(), inline);
    }
    for kind in [FileKind::OneShot, FileKind::Daemon] {
        for one in Table::ALL.into_iter().filter(|table| table.is_in(kind)) {
            definitions.insert(definition(one, kind), table(one, kind));
        }
    }
    definitions.into()
}

/// Name of the definition of a table.
fn definition(table: Table, kind: FileKind) -> String {
    match kind {
        FileKind::OneShot => format!("one_shot_{}", table.name()),
        FileKind::Daemon => table.name().into(),
    }
}

fn file(kind: FileKind) -> Value {
    let mut properties = Map::new();
    properties.insert("schema_version".into(), json!({ "const": 1 }));
    for table in Table::ALL.into_iter().filter(|table| table.is_in(kind)) {
        let one = json!({ "$ref": format!("#/$defs/{}", definition(table, kind)) });
        let family = json!({
            "type": "object",
            "patternProperties": { "^[a-z0-9_-]{1,64}$": one },
            "additionalProperties": false,
            "minProperties": 1,
        });
        let named = kind == FileKind::Daemon && table.is_named();
        properties.insert(table.name().into(), if named { family } else { one });
    }
    let required: &[&str] = if kind == FileKind::Daemon { &["job"] } else { &[] };
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

fn table(table: Table, kind: FileKind) -> Value {
    // What a one-shot file lacks may come from flags.
    let required: Vec<&str> = table
        .keys(kind)
        .filter(|key| kind == FileKind::Daemon && key.row().required)
        .map(Key::name)
        .collect();
    let mut schema = object(table.doc(), table.keys(kind));
    schema["required"] = required.into();
    if table == Table::Source && kind == FileKind::Daemon {
        schema["oneOf"] = json!([{ "required": ["inputs"] }, { "required": ["exec"] }]);
    }
    if table == Table::Schedule {
        schema["oneOf"] = json!([{ "required": ["cron"] }, { "required": ["every"] }]);
        schema["dependentSchemas"] = tz_without_every();
    }
    schema
}

/// A schedule that stands in a job: as a named one, or the name of one.
fn inline_schedule() -> Value {
    let mut schema = object("A schedule, or the name of one.", Table::Schedule.all_keys(FileKind::Daemon));
    let by_name = json!({ "required": ["schedule"], "maxProperties": 1 });
    schema["oneOf"] = json!([by_name, { "required": ["cron"] }, { "required": ["every"] }]);
    schema["dependentSchemas"] = tz_without_every();
    schema
}

fn tz_without_every() -> Value {
    json!({ "every": { "not": { "required": ["tz"] } } })
}

fn secret() -> Value {
    let keys = Key::all().filter(|key| key.table() == Table::Secret);
    let mut schema = object(Table::Secret.doc(), keys);
    schema["minProperties"] = 1.into();
    schema["maxProperties"] = 1.into();
    schema
}

fn object(description: &str, keys: impl Iterator<Item = Key>) -> Value {
    let properties: Map<String, Value> = keys.map(|key| (key.name().into(), property(key))).collect();
    json!({ "type": "object", "description": description, "properties": properties, "additionalProperties": false })
}

fn property(key: Key) -> Value {
    let mut schema = shape(key.shape());
    schema["description"] = key.row().doc.into();
    // A default is a TOML value, and so is a document of one key.
    let default = format!("value = {}", key.row().default).parse::<toml::Table>();
    if let Some(default) = default.ok().and_then(|document| serde_json::to_value(&document["value"]).ok()) {
        schema["default"] = default;
    }
    schema
}

/// What a value must look like. Strings may hold environment variables in place of words and numbers.
fn shape(shape: Shape) -> Value {
    let text = || json!({ "type": "string", "minLength": 1 });
    let variable = || json!({ "type": "string", "pattern": VARIABLE });
    let number = || json!({ "anyOf": [{ "type": "number" }, variable()] });
    let duration = || json!({ "type": "string", "pattern": format!("[0-9] *[A-Za-zµ]|{VARIABLE}") });
    match shape {
        Shape::Text | Shape::Path | Shape::Name(_) => text(),
        Shape::Texts | Shape::Paths => json!({ "anyOf": [text(), { "type": "array", "items": text() }] }),
        Shape::Pairs(_) => json!({
            "anyOf": [
                text(),
                { "type": "array", "items": text() },
                { "type": "object", "additionalProperties": text() },
            ],
        }),
        Shape::Command => json!({ "type": "array", "items": { "type": "string" }, "minItems": 1 }),
        Shape::Choice(words) => json!({ "anyOf": [{ "enum": words }, variable()] }),
        Shape::Duration => duration(),
        Shape::DurationOr(word) => json!({ "anyOf": [{ "const": word }, duration()] }),
        Shape::Integer => json!({ "anyOf": [{ "type": "integer", "minimum": 0 }, variable()] }),
        Shape::Number => number(),
        Shape::Numbers => {
            let number = number();
            json!({ "anyOf": [number, { "type": "array", "items": number, "minItems": 1 }] })
        }
        Shape::IntegerOrText => json!({ "anyOf": [{ "type": "integer", "minimum": 0 }, text()] }),
        Shape::NumberOrText => json!({ "anyOf": [{ "type": "number" }, text()] }),
        // TOML dates become whatever the reader of the schema makes of them; most write them as text.
        Shape::Instant => json!({}),
        Shape::Flag => json!({ "anyOf": [{ "type": "boolean" }, variable()] }),
        Shape::Timing => json!({ "$ref": "#/$defs/inline_schedule" }),
        Shape::Secret => json!({ "$ref": "#/$defs/secret" }),
        Shape::Inline(table) => json!({ "$ref": format!("#/$defs/{}", table.name()) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_stands_in_its_table_with_its_description() {
        let schema = schema();
        for kind in [FileKind::OneShot, FileKind::Daemon] {
            for table in Table::ALL.into_iter().filter(|table| table.is_in(kind)) {
                let properties = &schema["$defs"][definition(table, kind)]["properties"];
                let names: Vec<&String> = properties.as_object().expect("properties").keys().collect();
                assert_eq!(names.len(), table.keys(kind).count(), "{names:?}");
                for key in table.keys(kind) {
                    let property = &properties[key.name()];
                    assert_eq!(property["description"], key.row().doc);
                    assert_eq!(
                        property.get("default").is_some(),
                        !key.row().default.is_empty(),
                        "{}",
                        key.name()
                    );
                }
            }
        }
        assert_eq!(schema["$defs"]["model"]["required"], json!(["horizon"]));
        assert_eq!(schema["$defs"]["one_shot_model"]["required"], json!([]));
        assert_eq!(schema["$defs"]["model"]["properties"]["levels"]["default"], json!([80, 95]));
        assert_eq!(schema["$defs"]["secret"]["properties"].as_object().map(Map::len), Some(2));
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let schema = schema();
        let text = schema.to_string();
        let references: Vec<&str> =
            text.split("\"#/$defs/").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(references.len() > 10);
        for name in references {
            assert!(schema["$defs"].get(name).is_some(), "{name}");
        }
    }
}
