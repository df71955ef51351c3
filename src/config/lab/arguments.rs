//! The arguments of `s4cast train`: `pipeline=NAME|FILE model=NAME|FILE key=value …`.

use crate::config::file::Env;
use crate::config::lab::bundled;
use crate::config::lab::definition;
use crate::config::lab::model::{self, Wishes};
use crate::config::lab::table::{self, Entry, Reading};
use crate::config::lab::value;
use crate::config::reader::did_you_mean;
use crate::config::words::Wrong;
use crate::config::{Problem, Problems};
use crate::lab::{Experiment, Pipeline, RawPipeline};
use std::path::{Path, PathBuf};
use toml::de::DeValue;

/// A benchmark to run, and what is not part of it.
#[derive(Clone, Debug)]
pub struct Train {
    /// What to do.
    pub experiment: Experiment,
    /// Worker threads; `None` takes one per core.
    pub threads: Option<usize>,
}

/// Keys of the definition that may be given without `pipeline.` in front.
const SHORT: [&str; 4] = ["horizon", "horizons", "stride", "split"];

/// Keys of neither definition nor model.
const OWN: [&str; 4] = ["pipeline", "model", "data_dir", "threads"];

/// Names the folder of the data where no argument does.
const DATA_DIR: &str = "S4CAST_DATA_DIR";

/// The definition, and where its files are if it is a file of the user's own.
struct Definition {
    raw: RawPipeline,
    reading: Reading,
    folder: Option<PathBuf>,
}

/// The arguments, taken apart: key and value as written.
struct Arguments<'a> {
    pairs: Vec<(&'a str, &'a str)>,
    problems: Vec<Problem>,
}

/// The benchmark that some arguments ask for.
///
/// # Errors
/// Every problem of the arguments and of the files that they name.
pub fn train(arguments: &[String], env: Env<'_>) -> Result<Train, Problems> {
    let mut arguments = Arguments::new(arguments);
    let definition = arguments.definition();
    let mut wishes = arguments.model();
    let mut raw = definition.as_ref().map(|one| one.raw.clone()).unwrap_or_default();
    for (key, written) in arguments.pairs.clone() {
        let inner = key.strip_prefix("pipeline.").or(SHORT.contains(&key).then_some(key));
        let inner = inner.map(|key| if key == "horizon" { "horizons" } else { key });
        if let Some(entry) = inner.and_then(|key| find(definition::KEYS, key)) {
            arguments.note(key, value::argument(written, |value| (entry.1)(&mut raw, value)));
        } else if let Some(entry) = find(model::KEYS, key.strip_prefix("model.").unwrap_or(key)) {
            arguments.note(key, value::argument(written, |value| (entry.1)(&mut wishes, value)));
        } else if !OWN.contains(&key) {
            let help = did_you_mean(key, known().iter().map(String::as_str));
            arguments.problems.push(Problem::of_flag(format!("unknown key '{key}'"), help));
        }
    }
    let data_dir = arguments.one("data_dir", value::text).map(PathBuf::from);
    let threads = arguments.one("threads", threads);
    arguments.problems.extend(definition.iter().flat_map(|one| one.reading.problems.clone()));
    Problems::none_of(arguments.problems)?;
    let Some(definition) = definition else { unreachable!("a missing definition is a problem") };
    let pipeline = checked(&definition, raw.clone())?;
    let specs = pipeline.horizons().iter().map(|&horizon| wishes.spec(horizon, pipeline.point()));
    let models = specs.collect::<Result<Vec<_>, Wrong>>().map_err(|wrong| of_flag("model", wrong))?;
    let from_env = || env(DATA_DIR).filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let experiment = Experiment {
        is_official: is_official(&definition.raw, &raw),
        data_dir: data_dir.or_else(|| definition.folder.clone()).or_else(from_env),
        pipeline,
        models,
    };
    Ok(Train { experiment, threads })
}

/// The definition with what arguments changed in it.
fn checked(definition: &Definition, raw: RawPipeline) -> Result<Pipeline, Problems> {
    let is_changed = raw != definition.raw;
    let is_sound = Pipeline::try_from(definition.raw.clone()).is_ok();
    let problem = |one: crate::lab::PipelineProblem| {
        let wrong = Wrong { message: one.message, help: None };
        match is_changed && is_sound {
            true => Problem::of_flag(wrong.message, wrong.help),
            false => definition.reading.problem(one.key, wrong),
        }
    };
    Pipeline::try_from(raw).map_err(|problems| Problems::of(problems.into_iter().map(problem).collect()))
}

/// Whether the protocol is the one defined: some of its horizons, all else as it stands.
fn is_official(defined: &RawPipeline, used: &RawPipeline) -> bool {
    let is_known = used.horizons.iter().all(|horizon| defined.horizons.contains(horizon));
    let (horizons, point) = (defined.horizons.clone(), defined.point);
    let used = RawPipeline { horizons, point, ..used.clone() };
    is_known && Pipeline::try_from(used) == Pipeline::try_from(defined.clone())
}

impl<'a> Arguments<'a> {
    fn new(arguments: &'a [String]) -> Arguments<'a> {
        let (mut pairs, mut problems) = (Vec::<(&str, &str)>::new(), Vec::new());
        for argument in arguments {
            match argument.split_once('=') {
                Some((key, _)) if pairs.iter().any(|(known, _)| *known == key.trim()) => {
                    problems
                        .push(Problem::of_flag(format!("{key} is given twice; remove one of them"), None));
                }
                Some((key, value)) => pairs.push((key.trim(), value.trim())),
                None => {
                    let help = "write for example pipeline=etth1 model=ridge horizon=96".to_owned();
                    problems.push(Problem::of_flag(format!("'{argument}' is not KEY=VALUE"), Some(help)));
                }
            }
        }
        Arguments { pairs, problems }
    }

    fn written(&self, key: &str) -> Option<&'a str> {
        self.pairs.iter().find(|(known, _)| *known == key).map(|(_, value)| *value)
    }

    fn note<T>(&mut self, key: &str, read: Result<T, Wrong>) -> Option<T> {
        read.map_err(|wrong| self.problems.push(of_flag(key, wrong))).ok()
    }

    fn one<T>(&mut self, key: &str, read: impl Fn(&DeValue<'_>) -> Result<T, Wrong>) -> Option<T> {
        let written = self.written(key)?;
        self.note(key, value::argument(written, read))
    }

    /// The definition of `pipeline=`: a bundled one, or a file.
    fn definition(&mut self) -> Option<Definition> {
        let Some(name) = self.written("pipeline") else {
            let message = format!(
                "no pipeline; write pipeline=NAME, one of {}, or pipeline=FILE.toml",
                bundled::NAMES.join(", ")
            );
            self.problems.push(Problem::of_flag(message, None));
            return None;
        };
        let mut raw = RawPipeline::default();
        if is_file(name) {
            let path = Path::new(name);
            let text = self.text(path)?;
            let reading = table::read(name, &text, "pipeline", definition::KEYS, &mut raw);
            raw.name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            let folder = Some(folder.unwrap_or(Path::new(".")).to_path_buf());
            return Some(Definition { raw, reading, folder });
        }
        let Some(text) = bundled::text(name) else {
            let message = format!(
                "unknown pipeline '{name}'; choose one of {}, or name a file as ./{name}.toml",
                bundled::NAMES.join(", ")
            );
            let help = did_you_mean(name, bundled::NAMES.iter().copied());
            self.problems.push(Problem::of_flag(message, help));
            return None;
        };
        let file = format!("configs/pipelines/{name}.toml");
        let reading = table::read(&file, text, "pipeline", definition::KEYS, &mut raw);
        raw.name = name.into();
        Some(Definition { raw, reading, folder: None })
    }

    /// The model of `model=`: a name, or a file of model settings.
    fn model(&mut self) -> Wishes {
        let mut wishes = Wishes::default();
        match self.written("model") {
            Some(name) if is_file(name) => {
                if let Some(text) = self.text(Path::new(name)) {
                    let reading = table::read(name, &text, "model", model::KEYS, &mut wishes);
                    self.problems.extend(reading.problems);
                }
            }
            Some(name) => {
                let kind = self.note("model", model::kind(name.into()));
                kind.into_iter().for_each(|kind| wishes.name(kind));
            }
            None => {}
        }
        wishes
    }

    fn text(&mut self, path: &Path) -> Option<String> {
        let unreadable = |error: std::io::Error| {
            let message = format!("cannot read {}: {error}", path.display());
            Problem::of_file(path, message, "check what pipeline= and model= name")
        };
        std::fs::read_to_string(path).map_err(|error| self.problems.push(unreadable(error))).ok()
    }
}

fn of_flag(key: &str, wrong: Wrong) -> Problem {
    Problem::of_flag(format!("{key}: {}", wrong.message), wrong.help)
}

/// Whether a name is that of a file.
fn is_file(name: &str) -> bool {
    name.ends_with(".toml") || name.contains(std::path::is_separator)
}

fn find<'a, D>(keys: &'a [Entry<D>], name: &str) -> Option<&'a Entry<D>> {
    keys.iter().find(|(known, _)| *known == name)
}

/// Everything that may stand before an `=`.
fn known() -> Vec<String> {
    let models = model::KEYS.iter().filter(|(key, _)| *key != "kind").map(|(key, _)| (*key).to_owned());
    let definitions = definition::KEYS.iter().map(|(key, _)| format!("pipeline.{key}"));
    OWN.iter().chain(&SHORT).map(|key| (*key).to_owned()).chain(models).chain(definitions).collect()
}

fn threads(value: &DeValue<'_>) -> Result<usize, Wrong> {
    match value::whole(value)? {
        threads @ 1..=1024 => Ok(threads),
        threads => Err(Wrong { message: format!("{threads} is not in 1..=1024"), help: None }),
    }
}
