//! What the daemon writes must be apart from what it reads and from its state.

use crate::config::daemon::Checked;
use crate::config::document::Document;
use crate::config::key::Table;
use crate::config::{Key, Problem};
use crate::publish::SinkSpec;
use crate::store::Address;
use std::path::{Component, Path, PathBuf};

/// Files of a run, below the root of a sink.
const RUN_FILES: [&str; 3] = [
    "job=x/issued_date=2000-01-01/run_id=x/part-0.parquet",
    "job=x/issued_date=2000-01-01/run_id=x/part-0.csv",
    "latest/job=x/part-0.parquet",
];

/// Inputs that a sink's files would be among, and a state folder inside of a sink.
pub(super) fn overlaps(document: &Document, sinks: &Checked<SinkSpec>, state: &Path) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (name, sink) in sinks.all.iter().filter_map(|(name, sink)| Some((name, sink.as_ref()?))) {
        let root = plain(&sink.path);
        let shared = sink.remote.as_ref().map(|remote| as_path(remote.address.as_str()));
        let is_read =
            |input: &str| reads(input, &root) || shared.as_ref().is_some_and(|root| reads(input, root));
        for settings in document.named.get(&Table::Source).into_iter().flat_map(|sources| sources.values()) {
            let inputs = settings.get(Key::Inputs).iter().filter(|item| is_read(&item.text));
            problems.extend(inputs.filter_map(|item| {
                let message = format!("'{}' would read what [sink.{name}] writes", item.text);
                let help = "keep the folder of a sink apart from the inputs";
                Some(Problem::in_file(&document.file, item.span.clone()?, message, Some(help.into())))
            }));
        }
        if plain(state).starts_with(&root) {
            let written = document.daemon.as_ref().filter(|daemon| daemon.has(Key::State));
            let sink = document.named.get(&Table::Sink).and_then(|sinks| sinks.get(name));
            let place =
                written.and_then(|daemon| daemon.place(Key::State)).or_else(|| sink?.place(Key::SinkPath));
            let message = format!("the state folder {} lies inside of [sink.{name}]", state.display());
            let help = "give them folders beside each other: readers of the sink would find the ledger and the models";
            problems.push(Problem::in_file(
                &document.file,
                place.unwrap_or(0..0),
                message,
                Some(help.into()),
            ));
        }
    }
    problems
}

/// Whether an input names files below `root`, or would once there are some.
fn reads(input: &str, root: &Path) -> bool {
    let path = if input.is_empty() { PathBuf::new() } else { as_path(input) };
    if path.as_os_str().is_empty() {
        return false;
    }
    let is_pattern = |part: &Component<'_>| part.as_os_str().to_string_lossy().contains(['*', '?', '[']);
    let fixed: PathBuf = path.components().take_while(|part| !is_pattern(part)).collect();
    if fixed.starts_with(root) {
        return true;
    }
    let Ok(below) = root.strip_prefix(&fixed) else { return false };
    // Ingestion leaves such folders aside.
    if below.components().any(|part| part.as_os_str().to_string_lossy().starts_with(['.', '_'])) {
        return false;
    }
    let options = glob::MatchOptions { require_literal_separator: true, ..glob::MatchOptions::new() };
    match fixed == path {
        true => !path.is_file(),
        false => glob::Pattern::new(&path.to_string_lossy()).is_ok_and(|pattern| {
            RUN_FILES.iter().any(|file| pattern.matches_path_with(&root.join(file), options))
        }),
    }
}

/// A path as [`plain`] has it; what is in a store lies in a folder of its own there. Empty for what is no address.
fn as_path(text: &str) -> PathBuf {
    match Address::parse(text) {
        None => plain(Path::new(text)),
        Some(Err(_)) => PathBuf::new(),
        Some(Ok(address)) => address.local().map_or_else(
            || {
                let (_, rest) = address.as_str().split_once("://").unwrap_or_default();
                Path::new(&format!("{:?}:", address.scheme())).join(rest)
            },
            |path| plain(&path),
        ),
    }
}

/// Absolute, without `.` and `..`; links are not followed.
fn plain(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.into());
    let mut plain = PathBuf::new();
    for part in absolute.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_that_would_find_the_runs() {
        let root = Path::new("/data/out");
        for input in [
            "/data/out/x.csv",
            "/data/out",
            "/data",
            "/data/**/*.parquet",
            "/data/*/latest/*/*.parquet",
            "/data/in/../out",
        ] {
            assert!(reads(input, root), "{input}");
        }
        for input in [
            "/data/in.csv",
            "/data/*.parquet",
            "/data/outer/*.csv",
            "/data/in/**/*.csv",
            "https://host/data/out",
        ] {
            assert!(!reads(input, root), "{input}");
        }
        assert!(!reads("/data", Path::new("/data/_out")));
        let shared = as_path("s3://bucket/out");
        for input in
            ["s3a://bucket/out/x.csv", "s3://bucket", "s3://bucket/**/*.parquet", "s3://bucket/*/latest/*/*"]
        {
            assert!(reads(input, &shared), "{input}");
        }
        for input in
            ["s3://bucket/in/", "s3://other/out", "gs://bucket/out", "bucket/out", "s3://bucket/outer/*.csv"]
        {
            assert!(!reads(input, &shared), "{input}");
        }
        assert!(reads("file:///data/out/x.csv", root) && !reads("nosuch://data/out", root));
    }
}
