//! docs/engine.md and its pages: every backward pass is on them, and all that they name exists.

use std::path::{Path, PathBuf};

/// Parts of the names of functions that make gradients.
const GRADIENTS: &[&str] = &["backward", "pull_back", "value_and_gradient", "accumulate", "input_gradient"];

/// What a name that a page refers to is declared with.
const ITEMS: &[&str] = &["fn", "struct", "enum", "const", "trait", "type"];

/// Folders and endings of what pages refer to.
const ROOTS: &[&str] = &["src/", "tests/", "benches/"];
const ENDINGS: &[&str] = &[".rs", ".py"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Name and text of docs/engine.md and of every file in docs/engine.
fn pages() -> Vec<(PathBuf, String)> {
    let folder = std::fs::read_dir(root().join("docs/engine")).unwrap();
    let mut paths: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
    paths.push(root().join("docs/engine.md"));
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

/// All Rust files below a folder.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// What stands between single backticks outside of code blocks.
fn spans(text: &str) -> Vec<String> {
    let mut is_block = false;
    let mut prose = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_block = !is_block;
        } else if !is_block {
            prose.push_str(line);
            prose.push('\n');
        }
    }
    prose.split('`').skip(1).step_by(2).map(String::from).collect()
}

/// File and name of each reference, `tests/gradients.rs::layer_norm`; of a file alone, no name.
fn references(text: &str) -> Vec<(String, Option<String>)> {
    let is_path = |file: &str| {
        ROOTS.iter().any(|root| file.starts_with(root)) && ENDINGS.iter().any(|ending| file.ends_with(ending))
    };
    let split = |span: String| match span.split_once("::") {
        Some((file, name)) => (file.to_string(), Some(name.to_string())),
        None => (span, None),
    };
    spans(text).into_iter().map(split).filter(|(file, _)| is_path(file)).collect()
}

/// Whether a file declares a name.
fn declares(text: &str, name: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    ITEMS.iter().any(|item| {
        let declaration = format!("{item} {name}");
        text.match_indices(&declaration).any(|(at, _)| {
            !text[at + declaration.len()..].starts_with(is_part) && !text[..at].ends_with(is_part)
        })
    })
}

#[test]
fn every_file_with_a_backward_pass_is_on_the_pages() {
    let index = std::fs::read_to_string(root().join("docs/engine.md")).unwrap();
    let named: Vec<String> = references(&index).into_iter().map(|(file, _)| file).collect();
    let mut count = 0;
    for path in rust_files(&root().join("src/engine")) {
        let text = std::fs::read_to_string(&path).unwrap();
        let is_test = path.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("tests"));
        let makes_gradients = |line: &str| {
            let name = line.split("fn ").nth(1).and_then(|rest| rest.split(['(', '<']).next());
            let is_code = !line.trim_start().starts_with("//");
            is_code && name.is_some_and(|name| GRADIENTS.iter().any(|gradient| name.contains(gradient)))
        };
        let code = text.split("#[cfg(test)]").next().unwrap();
        let is_kernel = code.contains("struct Backward") || code.contains("struct PullBack");
        if is_test || !(is_kernel || code.lines().any(makes_gradients)) {
            continue;
        }
        count += 1;
        let file = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
        assert!(named.contains(&file), "docs/engine.md does not name {file}, which has a backward pass");
    }
    assert!(count > 25, "only {count} files with a backward pass were found");
}

#[test]
fn every_file_and_name_of_the_pages_exists() {
    let mut problems = Vec::new();
    let mut tests = 0;
    for (page, text) in pages() {
        let page = page.strip_prefix(root()).unwrap().display();
        for (file, name) in references(&text) {
            let Ok(code) = std::fs::read_to_string(root().join(&file)) else {
                problems.push(format!("{page}: there is no {file}"));
                continue;
            };
            let Some(name) = name else { continue };
            if !declares(&code, &name) {
                problems.push(format!("{page}: {file} has no {name}"));
            }
            tests += usize::from(file.starts_with("tests/"));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(tests > 30, "only {tests} references to tests were found");
}

/// A path that is no reference would not be checked.
#[test]
fn every_path_on_the_pages_is_a_reference() {
    for (page, text) in pages() {
        let page = page.strip_prefix(root()).unwrap().display();
        for ending in ENDINGS {
            let found = references(&text).into_iter().filter(|(file, _)| file.ends_with(ending)).count();
            let written = text
                .match_indices(ending)
                .filter(|(at, _)| !text[at + ending.len()..].starts_with(char::is_alphanumeric));
            assert_eq!(written.count(), found, "{page}: names with {ending} that are not `FOLDER/FILE`");
        }
    }
}

#[test]
fn links_between_the_pages_lead_somewhere() {
    let anchor = |heading: &str| {
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    };
    for (page, text) in pages() {
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let path = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            let target = std::fs::read_to_string(&path);
            let target = target.unwrap_or_else(|_| panic!("{}: no {link}", page.display()));
            let headings = target.lines().filter(|line| line.starts_with('#'));
            let mut anchors = headings.map(|line| anchor(line.trim_start_matches('#').trim()));
            assert!(
                heading.is_empty() || anchors.any(|anchor| anchor == heading),
                "{}: no {link}",
                page.display()
            );
        }
    }
}
