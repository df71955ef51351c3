//! More of what a network was trained on, code after code.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use ndarray::{Array2, ArrayView2};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::engine::chunked::Stream;
use crate::engine::codes::{Codes, Range};
use crate::engine::cross_entropy::log_probability;
use crate::engine::sashimi::autoregressive::Autoregressive;
use crate::engine::sashimi::sample::{Paths, Sampling, continue_prefix, draw};
use crate::engine::simd::Isa;
use crate::engine::ssm::SsmKind;
use crate::ingest;
use crate::publish::{PublishError, write_bytes};
use crate::sequence::backbone::{Weights, sashimi_spec, shape};
use crate::sequence::data::{DataError, FIRST};
use crate::sequence::learner::generator;
use crate::sequence::spec::Task;
use crate::sequence::stored::{StoredError, read_model};

/// What to generate.
#[derive(Clone, Debug, PartialEq)]
pub struct GenerateSpec {
    /// Model file of a run.
    pub model: PathBuf,
    /// Where it goes; with several paths `name-1.wav`, `name-2.wav` and so on.
    pub out: PathBuf,
    /// Codes of a path.
    pub steps: usize,
    /// Number of paths.
    pub paths: usize,
    /// How a code is drawn.
    pub sampling: Sampling,
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
    /// Files, one for each path.
    pub files: Vec<PathBuf>,
    /// Logarithm of the probability of each path, in nats per code.
    pub log_likelihood: Vec<f64>,
    /// Samples per second of sounds.
    pub rate: Option<u32>,
    /// The file that the model was read from, as SHA-256.
    pub weights_sha256: String,
}

/// Purpose of the random numbers.
const PATHS: u64 = 4;

/// Generates and writes.
///
/// # Errors
/// See [`GenerateError`].
pub fn generate(spec: &GenerateSpec) -> Result<Generated, GenerateError> {
    let (description, weights, weights_sha256) = read_model(&spec.model)?;
    if description.task != Task::Generate {
        return Err(GenerateError::Task { path: spec.model.clone(), task: description.task.as_str() });
    }
    let quantiser = Codes { companding: description.codes, bins: description.classes };
    let prefix = match &spec.prefix {
        Some(path) => prefix(path, quantiser, description.rate)?,
        None => Vec::new(),
    };
    let mut rngs: Vec<ChaCha8Rng> = (0..spec.paths).map(|path| generator(spec.seed, PATHS, path)).collect();
    let paths = match weights {
        Weights::Sashimi(params) => {
            let shape = sashimi_spec(&description.architecture, description.classes, description.len);
            let model = Autoregressive::new(shape, params);
            let prefix = ArrayView2::from_shape((1, prefix.len()), &prefix).expect("one row");
            continue_prefix(&model.stepper(), prefix, spec.steps, spec.sampling, &mut rngs)
        }
        Weights::Stack(_) if description.architecture.ssm != SsmKind::S4d => {
            return Err(GenerateError::Steps { path: spec.model.clone() });
        }
        Weights::Stack(params) => {
            let shape = shape(&description.architecture, description.ports());
            let stream = Stream::new(shape, &params, spec.paths, Isa::detect());
            let step =
                |stream: &mut Stream, tokens: &[f32], out: &mut [f32]| stream.step(&params, tokens, out);
            stack_paths(stream, step, description.classes, &prefix, spec, &mut rngs)
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
        log_likelihood: paths.log_likelihood.iter().map(|sum| sum / spec.steps as f64).collect(),
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
    spec: &GenerateSpec,
    rngs: &mut [ChaCha8Rng],
) -> Paths {
    let mut paths = Paths {
        codes: Array2::zeros((spec.paths, spec.steps)),
        log_likelihood: ndarray::Array1::zeros(spec.paths),
    };
    let mut tokens = vec![FIRST; spec.paths];
    let mut logits = Array2::<f32>::zeros((spec.paths, classes));
    for t in 0..prefix.len() + spec.steps {
        step(&mut stream, &tokens, logits.as_slice_mut().expect("standard layout"));
        for (path, (rng, logits)) in rngs.iter_mut().zip(logits.rows()).enumerate() {
            let code = match prefix.get(t) {
                Some(&code) => code,
                None => {
                    let code = draw(&spec.sampling.weights(logits), rng.random());
                    paths.codes[[path, t - prefix.len()]] = code as u16;
                    paths.log_likelihood[path] += log_probability(logits, code);
                    code as u16
                }
            };
            tokens[path] = f32::from(code);
        }
    }
    paths
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
            let samples: ndarray::Array1<f32> =
                sound.samples.iter().map(|&sample| f32::from(sample)).collect();
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
