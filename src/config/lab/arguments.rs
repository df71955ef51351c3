//! The arguments of `s4cast train`: `pipeline=NAME|FILE model=NAME|FILE key=value …`.

use crate::config::file::Env;
use crate::config::lab::bundled::{self, BENCHMARKS, SEQUENCES};
use crate::config::lab::definition;
use crate::config::lab::model::{self, Wishes};
use crate::config::lab::sequence::{SequenceTrain, sequence};
use crate::config::lab::table::{self, Entry, Reading};
use crate::config::lab::value;
use crate::config::reader::did_you_mean;
use crate::config::words::Wrong;
use crate::config::{Problem, Problems};
use crate::lab::{Experiment, Pipeline, RawPipeline};
use crate::sequence::Task;
use std::path::{Path, PathBuf};
use toml::de::DeValue;

/// What `s4cast train` is asked for.
#[derive(Clone, Debug)]
pub enum Train {
    /// A benchmark of forecasts.
    Benchmark(Box<BenchmarkTrain>),
    /// A sequence task.
    Sequence(Box<SequenceTrain>),
}

/// A benchmark to run, and what is not part of it.
#[derive(Clone, Debug)]
pub struct BenchmarkTrain {
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
pub(super) const DATA_DIR: &str = "S4CAST_DATA_DIR";

/// The text of a definition.
pub(super) struct Source {
    pub name: String,
    /// For messages.
    pub file: String,
    pub text: String,
    /// Where its files are, if it is a file of the user's own.
    pub folder: Option<PathBuf>,
}

/// The definition, and where its files are if it is a file of the user's own.
struct Definition {
    raw: RawPipeline,
    reading: Reading,
    folder: Option<PathBuf>,
}

/// The arguments, taken apart: key and value as written.
pub(super) struct Arguments<'a> {
    pub pairs: Vec<(&'a str, &'a str)>,
    pub problems: Vec<Problem>,
}

/// What some arguments ask for.
///
/// # Errors
/// Every problem of the arguments and of the files that they name.
pub fn train(arguments: &[String], env: Env<'_>) -> Result<Train, Problems> {
    let mut arguments = Arguments::new(arguments);
    let source = arguments.source();
    if let Some(source) = source.as_ref().filter(|source| source.is_sequence()) {
        return Ok(Train::Sequence(Box::new(sequence(arguments, source, env)?)));
    }
    Ok(Train::Benchmark(Box::new(benchmark(arguments, source, env)?)))
}

/// The benchmark that some arguments ask for.
fn benchmark(
    mut arguments: Arguments<'_>,
    source: Option<Source>,
    env: Env<'_>,
) -> Result<BenchmarkTrain, Problems> {
    let definition = source.map(Source::definition);
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
    let threads = arguments.threads();
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
    Ok(BenchmarkTrain { experiment, threads })
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

    pub(super) fn written(&self, key: &str) -> Option<&'a str> {
        self.pairs.iter().find(|(known, _)| *known == key).map(|(_, value)| *value)
    }

    pub(super) fn note<T>(&mut self, key: &str, read: Result<T, Wrong>) -> Option<T> {
        read.map_err(|wrong| self.problems.push(of_flag(key, wrong))).ok()
    }

    pub(super) fn one<T>(&mut self, key: &str, read: impl Fn(&DeValue<'_>) -> Result<T, Wrong>) -> Option<T> {
        let written = self.written(key)?;
        self.note(key, value::argument(written, read))
    }

    /// The text of `pipeline=`: a bundled one, or a file.
    fn source(&mut self) -> Option<Source> {
        let names = || bundled::pipelines().collect::<Vec<_>>().join(", ");
        let Some(name) = self.written("pipeline") else {
            let message =
                format!("no pipeline; write pipeline=NAME, one of {}, or pipeline=FILE.toml", names());
            self.problems.push(Problem::of_flag(message, None));
            return None;
        };
        if is_file(name) {
            let path = Path::new(name);
            let text = self.text(path)?;
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            return Some(Source {
                name: path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
                file: name.into(),
                text,
                folder: Some(folder.unwrap_or(Path::new(".")).to_path_buf()),
            });
        }
        let text = bundled::text(BENCHMARKS, name).or_else(|| bundled::text(SEQUENCES, name));
        let Some(text) = text else {
            let message = format!(
                "unknown pipeline '{name}'; choose one of {}, or name a file as ./{name}.toml",
                names()
            );
            let help = did_you_mean(name, bundled::pipelines());
            self.problems.push(Problem::of_flag(message, help));
            return None;
        };
        let file = format!("configs/pipeline/{name}.toml");
        Some(Source { name: name.into(), file, text: text.into(), folder: None })
    }

    /// Worker threads.
    pub(super) fn threads(&mut self) -> Option<usize> {
        self.one("threads", threads)
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

    pub(super) fn text(&mut self, path: &Path) -> Option<String> {
        let unreadable = |error: std::io::Error| {
            let message = format!("cannot read {}: {error}", path.display());
            Problem::of_file(path, message, "check what pipeline= and model= name")
        };
        std::fs::read_to_string(path).map_err(|error| self.problems.push(unreadable(error))).ok()
    }
}

impl Source {
    /// Whether it defines a sequence task: by its kind. A file that cannot be parsed is taken for a benchmark, which says why.
    fn is_sequence(&self) -> bool {
        let Ok(table) = toml::from_str::<toml::Table>(&self.text) else { return false };
        let inner = table.get("pipeline").and_then(toml::Value::as_table).unwrap_or(&table);
        let kind = inner.get("kind").and_then(toml::Value::as_str);
        kind.is_some_and(|kind| Task::ALL.iter().any(|task| task.as_str() == kind))
    }

    /// The definition of a benchmark.
    fn definition(self) -> Definition {
        let mut raw = RawPipeline::default();
        let reading = table::read(&self.file, &self.text, "pipeline", definition::KEYS, &mut raw);
        raw.name = self.name;
        Definition { raw, reading, folder: self.folder }
    }
}

pub(super) fn of_flag(key: &str, wrong: Wrong) -> Problem {
    Problem::of_flag(format!("{key}: {}", wrong.message), wrong.help)
}

/// Whether a name is that of a file.
pub(super) fn is_file(name: &str) -> bool {
    name.ends_with(".toml") || name.contains(std::path::is_separator)
}

pub(super) fn find<'a, D>(keys: &'a [Entry<D>], name: &str) -> Option<&'a Entry<D>> {
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
