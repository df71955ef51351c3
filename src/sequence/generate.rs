//! More of what a network was trained on, code after code.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use ndarray::{Array1, Array2, ArrayView2};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::engine::chunked::Stream;
use crate::engine::codes::{Codes, Range};
use crate::engine::cross_entropy::log_probability;
use crate::engine::sashimi::autoregressive::{Autoregressive, AutoregressiveStepper};
use crate::engine::sashimi::sample::{Paths, Sampling, continue_told, draw};
use crate::engine::simd::Isa;
use crate::engine::ssm::SsmKind;
use crate::ingest;
use crate::model::report::{Counter, Progress, Unit};
use crate::publish::{PublishError, SeriesPaths, write_bytes, write_paths};
use crate::sequence::backbone::{Weights, sashimi_spec, shape};
use crate::sequence::data::{DataError, FIRST};
use crate::sequence::learner::generator;
use crate::sequence::load;
use crate::sequence::paths;
use crate::sequence::spec::Columns;
use crate::sequence::stored::{StoredError, read_model};
use crate::sequence::words::Task;
use crate::series::Series;

/// What to generate.
#[derive(Clone, Debug, PartialEq)]
pub struct GenerateSpec {
    /// Model file of a run.
    pub model: PathBuf,
    /// Where it goes; with several paths `name-1.wav`, `name-2.wav` and so on.
    pub out: PathBuf,
    /// Codes of a path; `None` takes the horizon of a model of series.
    pub steps: Option<usize>,
    /// Series to continue, of a model of series.
    pub input: Option<PathBuf>,
    /// Their columns.
    pub columns: Columns,
    /// Number of paths.
    pub paths: usize,
    /// Divides the logits; `None` takes the model's own.
    pub temperature: Option<f64>,
    /// Share of the probability that the codes to draw from have.
    pub top_p: f64,
    /// What stands before every path: a WAV file, or any file for a model of bytes.
    pub prefix: Option<PathBuf>,
    /// Seed of the draws.
    pub seed: u64,
}

/// Why nothing was generated.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// The model.
    #[error(transparent)]
    Stored(#[from] StoredError),
    /// The prefix.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The results cannot be written.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The model makes no codes.
    #[error("{path} was trained to {task}, not to generate; train a pipeline of kind = \"generate\"")]
    Task {
        /// The model file.
        path: PathBuf,
        /// What it was trained for.
        task: &'static str,
    },
    /// The model needs something else to go on from.
    #[error("{path} was trained on {trained}: {remedy}")]
    Input {
        /// The model file.
        path: PathBuf,
        /// What it was trained on.
        trained: &'static str,
        /// What to give or to leave out.
        remedy: &'static str,
    },
    /// The network has no steps.
    #[error(
        "{path} is a stack of S4 blocks, which take no single steps here; train with ssm=s4d or model=sashimi"
    )]
    Steps {
        /// The model file.
        path: PathBuf,
    },
}

/// What was generated.
#[derive(Clone, Debug, PartialEq)]
pub struct Generated {
    /// Files: of series one, else one for each path.
    pub files: Vec<PathBuf>,
    /// Logarithm of the probability of each path, in nats per code; none of series.
    pub log_likelihood: Vec<f64>,
    /// Codes of a path.
    pub steps: usize,
    /// Divided the logits.
    pub temperature: f64,
    /// Series that were continued, and those that were too short.
    pub series: Option<[usize; 2]>,
    /// Samples per second of sounds.
    pub rate: Option<u32>,
    /// The file that the model was read from, as SHA-256.
    pub weights_sha256: String,
}

/// Purpose of the random numbers.
const PATHS: u64 = 4;

/// Generates and writes; `watch` hears how far it is.
///
/// # Errors
/// See [`GenerateError`].
pub fn generate(spec: &GenerateSpec, watch: &(dyn Fn(Progress) + Sync)) -> Result<Generated, GenerateError> {
    let (description, weights, weights_sha256) = read_model(&spec.model)?;
    if description.task != Task::Generate {
        return Err(GenerateError::Task { path: spec.model.clone(), task: description.task.as_str() });
    }
    let wrong = |trained, remedy| Err(GenerateError::Input { path: spec.model.clone(), trained, remedy });
    let temperature = spec.temperature.unwrap_or(description.temperature);
    let sampling = Sampling { temperature, top_p: spec.top_p };
    if let Some(context) = description.context {
        let Some(input) = &spec.input else { return wrong("series", "name some with --input") };
        if spec.prefix.is_some() {
            return wrong("series", "leave --prefix out; what comes before is in --input");
        }
        let Weights::Sashimi(params) = weights else {
            return Err(GenerateError::Steps { path: spec.model.clone() });
        };
        let shape = sashimi_spec(&description.architecture, description.classes, description.len);
        let model = Autoregressive::new(shape, params);
        let steps = spec.steps.unwrap_or(description.len - context);
        let series = continue_series(&model.stepper(), input, (context, steps), sampling, spec, watch)?;
        return Ok(Generated {
            files: vec![spec.out.clone()],
            log_likelihood: Vec::new(),
            steps,
            temperature,
            series: Some(series),
            rate: None,
            weights_sha256,
        });
    }
    let trained = if description.rate.is_some() { "sounds" } else { "bytes" };
    if spec.input.is_some() {
        return wrong(trained, "leave --input out; --prefix names what comes before");
    }
    let Some(steps) = spec.steps else { return wrong(trained, "say how many codes with --steps") };
    let quantiser = Codes { companding: description.codes, bins: description.classes };
    let prefix = match &spec.prefix {
        Some(path) => prefix(path, quantiser, description.rate)?,
        None => Vec::new(),
    };
    let mut rngs: Vec<ChaCha8Rng> = (0..spec.paths).map(|path| generator(spec.seed, PATHS, path)).collect();
    let mut told = |done: usize| watch(Progress::of("generating", done, steps, Unit::Steps));
    let paths = match weights {
        Weights::Sashimi(params) => {
            let shape = sashimi_spec(&description.architecture, description.classes, description.len);
            let model = Autoregressive::new(shape, params);
            let prefix = ArrayView2::from_shape((1, prefix.len()), &prefix).expect("one row");
            continue_told(&model.stepper(), prefix, (steps, sampling), &mut rngs, &mut told)
        }
        Weights::Stack(_) if description.architecture.ssm != SsmKind::S4d => {
            return Err(GenerateError::Steps { path: spec.model.clone() });
        }
        Weights::Stack(params) => {
            let shape = shape(&description.architecture, description.ports());
            let stream = Stream::new(shape, &params, spec.paths, Isa::detect());
            let step =
                |stream: &mut Stream, tokens: &[f32], out: &mut [f32]| stream.step(&params, tokens, out);
            stack_paths(stream, step, description.classes, &prefix, (steps, sampling), &mut rngs, &mut told)
        }
    };
    let mut files = Vec::new();
    for (index, codes) in paths.codes.rows().into_iter().enumerate() {
        let path = if spec.paths == 1 { spec.out.clone() } else { numbered(&spec.out, index + 1) };
        let bytes = match description.rate {
            Some(rate) => sound(&codes.to_vec(), quantiser, rate),
            None => codes.iter().map(|&code| code as u8).collect(),
        };
        write_bytes(&path, &bytes)?;
        files.push(path);
    }
    Ok(Generated {
        files,
        log_likelihood: paths.log_likelihood.iter().map(|sum| sum / steps as f64).collect(),
        steps,
        temperature,
        series: None,
        rate: description.rate,
        weights_sha256,
    })
}

/// Paths of a stack of blocks, all side by side.
fn stack_paths(
    mut stream: Stream,
    step: impl Fn(&mut Stream, &[f32], &mut [f32]),
    classes: usize,
    prefix: &[u16],
    (steps, sampling): (usize, Sampling),
    rngs: &mut [ChaCha8Rng],
    told: &mut dyn FnMut(usize),
) -> Paths {
    let mut paths =
        Paths { codes: Array2::zeros((rngs.len(), steps)), log_likelihood: Array1::zeros(rngs.len()) };
    let mut tokens = vec![FIRST; rngs.len()];
    let mut logits = Array2::<f32>::zeros((rngs.len(), classes));
    for t in 0..prefix.len() + steps {
        step(&mut stream, &tokens, logits.as_slice_mut().expect("standard layout"));
        for (path, (rng, logits)) in rngs.iter_mut().zip(logits.rows()).enumerate() {
            let code = match prefix.get(t) {
                Some(&code) => code,
                None => {
                    let code = draw(&sampling.weights(logits), rng.random());
                    paths.codes[[path, t - prefix.len()]] = code as u16;
                    paths.log_likelihood[path] += log_probability(logits, code);
                    code as u16
                }
            };
            tokens[path] = f32::from(code);
        }
        told((t + 1).saturating_sub(prefix.len()));
    }
    paths
}

/// Paths of every series that has enough values, written; numbers of series that have and have not.
fn continue_series(
    model: &AutoregressiveStepper<'_, f32>,
    input: &Path,
    (context, steps): (usize, usize),
    sampling: Sampling,
    spec: &GenerateSpec,
    watch: &(dyn Fn(Progress) + Sync),
) -> Result<[usize; 2], GenerateError> {
    let panel = load::read_panel(&[input.into()], &spec.columns)?;
    let counter = Counter::new(watch, "generating", panel.series.len(), Unit::Series);
    let paths = |(index, series): (usize, &Series)| {
        counter.one();
        let values = load::without_holes(&series.values);
        let known = &values[values.len().checked_sub(context)?..];
        let last = *series.times.last()?;
        Some(SeriesPaths {
            unique_id: series.unique_id.clone(),
            ds: series.frequency.after(last, steps, &panel.zone),
            values: paths::draw(model, known, steps, spec.paths, sampling, (spec.seed, index)),
        })
    };
    let all: Vec<SeriesPaths> = panel.series.par_iter().enumerate().filter_map(paths).collect();
    if all.is_empty() {
        let reason = format!("no series has the {context} values that the model goes on from");
        return Err(DataError::File { path: input.into(), reason }.into());
    }
    write_paths(&spec.out, &all)?;
    Ok([all.len(), panel.series.len() - all.len()])
}

/// Codes of a file.
fn prefix(path: &Path, quantiser: Codes, rate: Option<u32>) -> Result<Vec<u16>, DataError> {
    let wrong = |reason: String| DataError::File { path: path.into(), reason };
    match rate {
        None => {
            let bytes = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
            Ok(bytes.into_iter().map(u16::from).collect())
        }
        Some(rate) => {
            let sound = ingest::sound(path).map_err(wrong)?;
            if sound.rate != rate {
                return Err(wrong(format!(
                    "{} samples per second, the model was trained on {rate}",
                    sound.rate
                )));
            }
            let samples: Array1<f32> = sound.samples.iter().map(|&sample| f32::from(sample)).collect();
            Ok(quantiser.encode(Range::of(&samples), samples.view()).to_vec())
        }
    }
}

/// A WAV file of codes: 16 bits, one channel.
fn sound(codes: &[u16], quantiser: Codes, rate: u32) -> Vec<u8> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: rate,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut bytes = Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut bytes, spec).expect("memory takes all that is written");
    for &code in codes {
        let sample = (quantiser.level(code) * 32_767.0).round() as i16;
        writer.write_sample(sample).expect("memory takes all that is written");
    }
    writer.finalize().expect("memory takes all that is written");
    bytes.into_inner()
}

/// `name-2.wav` of `name.wav`.
fn numbered(path: &Path, number: usize) -> PathBuf {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension =
        path.extension().map_or(String::new(), |extension| format!(".{}", extension.to_string_lossy()));
    path.with_file_name(format!("{name}-{number}{extension}"))
}
