//! The dependency direction and the places of the heavy crates, as rules that run.

use std::path::{Path, PathBuf};

/// Crate, and the only layers that may name it.
const CONFINED: &[(&str, &[&str])] = &[
    ("polars", &["ingest"]),
    ("tokio", &["store", "schedule", "serve", "cli"]),
    ("object_store", &["store"]),
    ("futures_util", &["store"]),
    ("anyhow", &["cli"]),
    ("axum", &["serve"]),
    ("utoipa", &["serve"]),
    ("hyper", &["serve"]),
    ("hyper_util", &["serve"]),
    ("tokio_rustls", &["serve"]),
    ("governor", &["serve"]),
    ("ring", &["registry", "serve"]),
    ("rusqlite", &["schedule"]),
    ("croner", &["schedule"]),
    ("prometheus", &["schedule"]),
    ("sd_notify", &["cli"]),
    ("miette", &["cli", "config"]),
    ("faer", &["hierarchy", "model"]),
    ("stlrs", &["model"]),
    ("pulp", &["engine"]),
    ("realfft", &["engine"]),
    ("rustfft", &["engine"]),
    ("hound", &["ingest", "sequence"]),
    ("plotters", &["plot", "sequence"]),
    ("png", &["plot"]),
    ("ratatui", &["cli", "plot"]),
    ("postcard", &["pipeline"]),
    ("rrule", &["calendar"]),
];

/// Macros that write to the terminal, and the layers that may.
const PRINTING: &[&str] = &["println!", "print!", "eprintln!", "eprint!"];
const PRINTERS: &[&str] = &["cli", "main"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The layers in the order of src/lib.rs, lowest first.
fn layers() -> Vec<String> {
    let text = std::fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let name = |line: &str| Some(line.strip_prefix("pub mod ")?.strip_suffix(';')?.to_string());
    text.lines().filter_map(name).collect()
}

/// Every source file with the layer it belongs to; src/main.rs is the layer `main`.
fn sources() -> Vec<(String, PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let inside = path.strip_prefix(root().join("src")).unwrap();
                let layer = inside.components().next().unwrap().as_os_str().to_string_lossy();
                let layer = layer.trim_end_matches(".rs").to_string();
                let text = code(&std::fs::read_to_string(&path).unwrap());
                found.push((layer, inside.to_path_buf(), text));
            }
        }
    }
    found
}

/// The lines of a file without comments.
fn code(text: &str) -> String {
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    text.lines().filter(is_code).collect::<Vec<_>>().join("\n")
}

/// Whether a name occurs with nothing that would make it part of another.
fn names(text: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(part) && !after.is_some_and(part)
    })
}

/// Whether the file uses a crate: in a path or in a `use`.
fn uses(text: &str, library: &str) -> bool {
    text.match_indices(library).any(|(at, _)| {
        let alone = !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
        let rest = &text[at + library.len()..];
        alone && (rest.starts_with("::") || text[..at].ends_with("use ") && rest.starts_with([';', ' ']))
    })
}

/// The layers named after `crate::`, also inside `use crate::{…}`.
fn imports(text: &str, layer: &str) -> bool {
    let grouped =
        text.split("use crate::{").skip(1).any(|rest| names(rest.split(';').next().unwrap_or(rest), layer));
    grouped
        || text.match_indices("crate::").any(|(at, mark)| {
            let rest = &text[at + mark.len()..];
            rest.strip_prefix(layer)
                .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
        })
}

#[test]
fn a_layer_imports_only_from_those_above_it_in_the_list() {
    let layers = layers();
    assert!(layers.iter().any(|layer| layer == "engine"), "the layers are the pub mod lines of lib.rs");
    for (layer, path, text) in sources() {
        if layer == "lib" || layer == "main" {
            continue;
        }
        let rank = layers.iter().position(|name| *name == layer);
        let rank = rank.unwrap_or_else(|| panic!("{} is in no layer of lib.rs", path.display()));
        for forbidden in &layers[rank + 1..] {
            assert!(!imports(&text, forbidden), "{}: {layer} imports {forbidden}", path.display());
        }
    }
}

#[test]
fn engine_stands_alone() {
    for (layer, path, text) in sources() {
        let others = layers().into_iter().filter(|other| *other != layer);
        if layer == "engine" || layer == "series" {
            for other in others {
                assert!(!imports(&text, &other), "{}: {layer} imports {other}", path.display());
            }
        }
    }
}

#[test]
fn heavy_crates_stay_where_they_belong() {
    for (layer, path, text) in sources() {
        for (library, allowed) in CONFINED {
            let fine = allowed.contains(&layer.as_str()) || !uses(&text, library);
            assert!(fine, "{}: {library} belongs in {allowed:?}", path.display());
        }
    }
}

#[test]
fn only_the_command_line_prints() {
    for (layer, path, text) in sources() {
        if PRINTERS.contains(&layer.as_str()) {
            continue;
        }
        for print in PRINTING {
            assert!(!text.contains(print), "{}: {print} belongs in cli", path.display());
        }
    }
}

#[test]
fn the_architecture_names_every_layer() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    for layer in layers() {
        assert!(names(&text, &layer), "ARCHITECTURE.md does not mention {layer}");
    }
}

#[test]
fn the_rules_see_what_they_forbid() {
    assert!(imports("use crate::model::plan;", "model") && imports("crate::cli::run()", "cli"));
    assert!(imports("use crate::{series, model::spec};", "model") && !imports("use crate::models;", "model"));
    assert!(uses("use polars::prelude::*;", "polars") && uses("polars::df![]", "polars"));
    assert!(!uses("let my_polars = 1;", "polars") && !code("// crate::cli\nx").contains("cli"));
}
