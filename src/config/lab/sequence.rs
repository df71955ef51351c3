//! A sequence task from its definition, a network and arguments; what comes later wins.

use crate::config::file::Env;
use crate::config::lab::arguments::{Arguments, DATA_DIR, Source, find, is_file, of_flag};
use crate::config::lab::bundled::{self, NETWORKS};
use crate::config::lab::sequence_keys::{MODEL, PIPELINE, TRAIN};
use crate::config::lab::table::{self, Reading};
use crate::config::lab::value;
use crate::config::reader::did_you_mean;
use crate::config::words::Wrong;
use crate::config::{Problem, Problems};
use crate::sequence::{Places, RawSequence, SequenceSpec, default_folder};
use std::path::{Path, PathBuf};

/// A sequence task to learn.
#[derive(Clone, Debug)]
pub struct SequenceTrain {
    /// What to do.
    pub spec: SequenceSpec,
    /// Where the data is, and where the results go.
    pub places: Places,
    /// Whether an interrupted run goes on.
    pub resume: bool,
    /// Worker threads; `None` takes one per core.
    pub threads: Option<usize>,
}

/// Keys that belong to no table.
const OWN: [&str; 6] = ["pipeline", "model", "data_dir", "out", "resume", "threads"];

/// Keys with the table that they may name in front.
const TABLES: [(&str, &[table::Entry<RawSequence>]); 3] =
    [("pipeline", PIPELINE), ("model", MODEL), ("train", TRAIN)];

/// The task that some arguments ask for.
pub(super) fn sequence(
    mut arguments: Arguments<'_>,
    source: &Source,
    env: Env<'_>,
) -> Result<SequenceTrain, Problems> {
    let mut raw = RawSequence { name: source.name.clone(), ..RawSequence::default() };
    // The network first: a pipeline may ask for another size of it.
    let network = arguments.network(&mut raw);
    let sections = [("model", MODEL), ("train", TRAIN)];
    let keys: Vec<_> = PIPELINE.iter().chain(TRAIN).copied().collect();
    let reading = table::read_sections(&source.file, &source.text, ("pipeline", &keys), &sections, &mut raw);
    // Arguments win over files, also as the place of what is wrong.
    let mut given = Vec::new();
    for (key, written) in arguments.pairs.clone() {
        let entry = TABLES.iter().find_map(|(table, keys)| {
            let inner = key.strip_prefix(table).and_then(|rest| rest.strip_prefix('.')).unwrap_or(key);
            find(keys, inner)
        });
        if let Some(entry) = entry {
            given.push(entry.0);
            arguments.note(key, value::argument(written, |value| (entry.1)(&mut raw, value)));
        } else if !OWN.contains(&key) {
            let known = TABLES.iter().flat_map(|(_, keys)| keys.iter().map(|(key, _)| *key)).chain(OWN);
            let help = did_you_mean(key, known);
            arguments.problems.push(Problem::of_flag(format!("unknown key '{key}'"), help));
        }
    }
    let data = arguments.one("data_dir", value::text).map(PathBuf::from);
    let out = arguments.one("out", value::text).map(PathBuf::from);
    let resume = arguments.one("resume", value::flag).unwrap_or(false);
    let threads = arguments.threads();
    arguments.problems.extend(network.iter().flat_map(|reading| reading.problems.clone()));
    arguments.problems.extend(reading.problems.clone());
    Problems::none_of(arguments.problems)?;
    let problem = |one: crate::sequence::SpecProblem| {
        let wrong = Wrong { message: format!("{}: {}", one.key, one.message), help: None };
        let place = [Some(&reading), network.as_ref()].into_iter().flatten();
        let in_file = |reading: &&Reading| !given.contains(&one.key) && reading.places.contains_key(one.key);
        match place.into_iter().find(in_file) {
            Some(reading) => reading.problem(one.key, wrong),
            None => Problem::of_flag(wrong.message, wrong.help),
        }
    };
    let spec = SequenceSpec::try_from(raw)
        .map_err(|problems| Problems::of(problems.into_iter().map(problem).collect()))?;
    let from_env = || env(DATA_DIR).filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let places = Places {
        data: data.or_else(|| source.folder.clone()).or_else(from_env),
        out: out.unwrap_or_else(|| default_folder(&spec)),
    };
    Ok(SequenceTrain { spec, places, resume, threads })
}

impl Arguments<'_> {
    /// Reads the network of `model=`: a bundled one, or a file. Without it, the diagonal one.
    fn network(&mut self, raw: &mut RawSequence) -> Option<Reading> {
        let name = self.written("model").unwrap_or("s4d");
        let (file, text) = if is_file(name) {
            (name.to_owned(), self.text(Path::new(name))?)
        } else {
            let names = || NETWORKS.iter().map(|(name, _)| *name);
            let Some(text) = bundled::text(NETWORKS, name) else {
                let all = names().collect::<Vec<_>>().join(", ");
                let message = format!(
                    "'{name}' is no network of sequence tasks; choose one of {all}, or name a file as ./{name}.toml"
                );
                self.problems.push(of_flag("model", Wrong::meant(message, name, names())));
                return None;
            };
            (format!("configs/model/{name}.toml"), text.to_owned())
        };
        let keys: Vec<_> = MODEL.iter().chain(TRAIN).copied().collect();
        Some(table::read_sections(&file, &text, ("model", &keys), &[("train", TRAIN)], raw))
    }
}
