//! Files of a run: the model of the best epoch, and the checkpoint that an interrupted run goes on from.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::engine::codes::Companding;
use crate::engine::optim::AdamW;
use crate::ingest::Sound;
use crate::model::artifact::{self, LoadError, Tensors, Weights as Tensor, sha256};
use crate::publish::{PublishError, write_bytes};
use crate::sequence::backbone::{Ports, Weights};
use crate::sequence::curve::{JSON_LINES, PARQUET, PICTURE, Point};
use crate::sequence::data::{self, CODES, Data};
use crate::sequence::learner::{Learner, State};
use crate::sequence::run::{Epoch, SequenceError};
use crate::sequence::score::Score;
use crate::sequence::spec::{Architecture, LEN_MAX, SequenceSpec};
use crate::sequence::words::{Order, Task};

/// Version of both files.
const FORMAT: u64 = 1;

/// Names of the files.
const MODEL: &str = "best.safetensors";
const CHECKPOINT: &str = "last.safetensors";

/// Why a file of a run cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoredError {
    /// It cannot be read.
    #[error("cannot read {path}: {reason}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's words.
        reason: io::Error,
    },
    /// It is damaged, or of something else.
    #[error("{path}: {reason}")]
    Load {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: LoadError,
    },
    /// It belongs to another run.
    #[error(
        "{path} is the checkpoint of another run: data, settings or program differ; choose another out=DIR, or begin anew without resume"
    )]
    OtherRun {
        /// The file.
        path: PathBuf,
    },
    /// It is a model of another network.
    #[error(
        "{path} holds a network with {key} {found}, the settings say {wanted}; set {key}={found}, or train anew"
    )]
    OtherNetwork {
        /// The file.
        path: PathBuf,
        /// The setting.
        key: &'static str,
        /// In the file.
        found: String,
        /// In the settings.
        wanted: String,
    },
}

/// What a model file says besides its weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// Version of the file.
    pub format: u64,
    /// Name of the definition.
    pub pipeline: String,
    /// What was learnt.
    pub task: Task,
    /// The network.
    pub architecture: Architecture,
    /// Positions of a training sequence.
    pub len: usize,
    /// Number of classes, or of codes.
    pub classes: usize,
    /// Mean and standard deviation of the training values.
    pub scale: (f32, f32),
    /// Order of positions.
    pub order: Order,
    /// Codes of sounds.
    pub codes: Companding,
    /// Samples per second of sounds.
    pub rate: Option<u32>,
    /// Positions of a window of series that scale it.
    pub context: Option<usize>,
    /// Divides the logits where nothing else is asked for: at it, sums of paths cover what came.
    pub temperature: f64,
    /// The epoch that was kept.
    pub epoch: usize,
    /// Of the program that wrote it.
    pub code_sha256: String,
}

/// A run between two epochs.
pub struct Checkpoint {
    /// What the run is one of: data, settings and code.
    pub key: String,
    /// All that the next step depends on.
    pub state: State,
    /// All epochs so far.
    pub epochs: Vec<Epoch>,
    /// The curve.
    pub points: Vec<Point>,
    /// The best epoch and its score.
    pub best: Option<(usize, Score)>,
    /// Seconds that it has taken.
    pub seconds: f64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredCheckpoint {
    format: u64,
    key: String,
    step: usize,
    optimizer_steps: i32,
    epochs: Vec<Epoch>,
    points: Vec<Point>,
    best: Option<(usize, Score)>,
    seconds: f64,
}

impl Checkpoint {
    /// Nothing has been done.
    pub fn start(key: String, state: State) -> Checkpoint {
        Checkpoint { key, state, epochs: Vec::new(), points: Vec::new(), best: None, seconds: 0.0 }
    }
}

/// Makes the folder of the results.
pub fn make_folder(folder: &Path) -> Result<(), PublishError> {
    fs::create_dir_all(folder)
        .map_err(|error| PublishError::CannotCreate { path: folder.into(), reason: error.to_string() })
}

/// SHA-256 of all that decides the result.
pub fn key(spec: &SequenceSpec, data: &Data) -> String {
    let mut hash = Sha256::new();
    hash.update(crate::CODE_SHA256);
    hash.update(format!("{spec:?} {} {:?}", data.len, data.scale));
    hash.update(format!("{:?}", [&data.train, &data.valid, &data.test].map(|part| part.starts.len())));
    hash.update(data.train.values.bytes());
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Tensors of some weights, with a prefix.
fn tensors(weights: &mut Weights, prefix: &str) -> Vec<Tensor> {
    let tensor = |tensor: crate::engine::param::Tensor<'_, f32>| Tensor {
        name: format!("{prefix}{}", tensor.name),
        shape: tensor.shape,
        values: tensor.values.to_vec(),
    };
    weights.tensors().into_iter().map(tensor).collect()
}

/// Fills weights from a file.
fn fill(weights: &mut Weights, prefix: &str, tensors: &mut Tensors) -> Result<(), LoadError> {
    for tensor in weights.tensors() {
        let values = tensors.take(&format!("{prefix}{}", tensor.name), &tensor.shape)?;
        tensor.values.copy_from_slice(&values);
    }
    Ok(())
}

/// Writes the model of an epoch.
pub fn write_model(
    folder: &Path,
    spec: &SequenceSpec,
    data: &Data,
    weights: &mut Weights,
    epoch: &Epoch,
) -> Result<(), PublishError> {
    let description = Description { epoch: epoch.epoch, ..describe(spec, data) };
    write_described(&folder.join(MODEL), &description, weights)
}

/// Notes the temperature in the model of a run.
pub fn write_temperature(folder: &Path, temperature: f64) -> Result<(), SequenceError> {
    let path = folder.join(MODEL);
    let (description, mut weights, _) = read_model(&path)?;
    let description = Description { temperature, ..description };
    Ok(write_described(&path, &description, &mut weights)?)
}

fn write_described(
    path: &Path,
    description: &Description,
    weights: &mut Weights,
) -> Result<(), PublishError> {
    let text = serde_json::to_string(description).expect("a description has text keys only");
    let bytes = artifact::to_bytes(&tensors(weights, ""), &text).expect("names are unique and shapes fit");
    write_bytes(path, &bytes).map(drop)
}

fn describe(spec: &SequenceSpec, data: &Data) -> Description {
    Description {
        format: FORMAT,
        pipeline: spec.name.clone(),
        task: spec.task,
        architecture: spec.architecture.clone(),
        len: data.len,
        classes: data.classes,
        scale: data.scale,
        order: spec.order,
        codes: spec.codes,
        rate: data.rate,
        context: data.context,
        temperature: 1.0,
        epoch: 0,
        code_sha256: crate::CODE_SHA256.into(),
    }
}

/// A model file: what it says, its weights, and the SHA-256 of all.
///
/// # Errors
/// If it cannot be read, is damaged, or claims a size that it cannot hold.
pub fn read_model(path: &Path) -> Result<(Description, Weights, String), StoredError> {
    let bytes = fs::read(path).map_err(|reason| StoredError::Read { path: path.into(), reason })?;
    let broken = |reason| StoredError::Load { path: path.into(), reason };
    let (mut tensors, text) = Tensors::open(&bytes).map_err(broken)?;
    let description: Description = described(&text).map_err(broken)?;
    let value = |(what, found, wanted)| broken(LoadError::Value { what, found, wanted });
    description.check().map_err(value)?;
    let ports = description.ports();
    let parameters = description.architecture.parameters(ports.patch, ports.outputs);
    if !tensors.could_hold(parameters) {
        return Err(value(("number of weights", parameters.to_string(), "what the file holds".into())));
    }
    let mut weights = Weights::zeros(&description.architecture, ports);
    fill(&mut weights, "", &mut tensors).map_err(broken)?;
    tensors.finish().map_err(broken)?;
    Ok((description, weights, sha256(&bytes)))
}

/// The description in a file, if it is of a version that is known.
fn described<T: DeserializeOwned>(text: &str) -> Result<T, LoadError> {
    #[derive(Deserialize)]
    struct Version {
        format: u64,
    }
    let damaged = |error: serde_json::Error| LoadError::Description(error.to_string());
    match serde_json::from_str(text).map_err(damaged)? {
        Version { format: FORMAT } => serde_json::from_str(text).map_err(damaged),
        Version { format } => Err(LoadError::Format { found: format, known: FORMAT }),
    }
}

impl Description {
    /// What is out of range: name, value, range.
    fn check(&self) -> Result<(), (&'static str, String, String)> {
        self.architecture.check()?;
        if !(1..=LEN_MAX).contains(&self.len) {
            return Err(("len", self.len.to_string(), format!("1..={LEN_MAX}")));
        }
        if self.task == Task::Classify && !(1..=1 << 16).contains(&self.classes) {
            return Err(("classes", self.classes.to_string(), "1..=65536".into()));
        }
        let stride = self.architecture.stride();
        if !self.len.is_multiple_of(stride) {
            return Err((
                "len",
                self.len.to_string(),
                format!("a multiple of {stride}, the product of the pools"),
            ));
        }
        if let Some(rate) = self.rate.filter(|rate| !(1..=Sound::RATE_MAX).contains(rate)) {
            return Err(("rate", rate.to_string(), format!("1..={} samples per second", Sound::RATE_MAX)));
        }
        if self.context.is_some_and(|context| context == 0 || context >= self.len) {
            return Err(("context", format!("{:?}", self.context), format!("below {}", self.len)));
        }
        if !(self.temperature.is_finite() && self.temperature >= 0.0) {
            return Err(("temperature", self.temperature.to_string(), "zero or more".into()));
        }
        if self.task == Task::Generate && self.classes != CODES {
            return Err(("classes", self.classes.to_string(), CODES.to_string()));
        }
        Ok(())
    }

    /// What the network reads and answers.
    pub fn ports(&self) -> Ports {
        Ports {
            len: self.len,
            patch: data::patch(self.task, self.classes),
            reads_codes: self.task == Task::Generate,
            outputs: data::outputs(self.task, self.classes),
        }
    }
}

/// The weights of the best epoch, and the SHA-256 of their file.
///
/// # Errors
/// As [`read_model`], and if the file is of another network than the settings say.
pub fn best(folder: &Path, spec: &SequenceSpec, data: &Data) -> Result<(Weights, String), StoredError> {
    let path = folder.join(MODEL);
    let (found, weights, sha256) = read_model(&path)?;
    let wanted = describe(spec, data);
    let differs = |key, found: String, wanted: String| {
        (found != wanted).then(|| StoredError::OtherNetwork { path: path.clone(), key, found, wanted })
    };
    let (one, other) = (&found.architecture, &wanted.architecture);
    let mismatch = [
        differs("kind", found.task.as_str().into(), wanted.task.as_str().into()),
        differs("backbone", one.backbone.as_str().into(), other.backbone.as_str().into()),
        differs("ssm", one.ssm.as_str().into(), other.ssm.as_str().into()),
        differs("hidden", one.hidden.to_string(), other.hidden.to_string()),
        differs("state", one.state.to_string(), other.state.to_string()),
        differs("layers", one.layers.to_string(), other.layers.to_string()),
        differs("bidirectional", one.bidirectional.to_string(), other.bidirectional.to_string()),
        differs("pools", format!("{:?}", one.pools), format!("{:?}", other.pools)),
        differs("prenorm", one.prenorm.to_string(), other.prenorm.to_string()),
    ];
    match mismatch.into_iter().flatten().next() {
        Some(error) => Err(error),
        None => Ok((weights, sha256)),
    }
}

/// Writes the checkpoint.
pub fn write(folder: &Path, run: &mut Checkpoint) -> Result<(), PublishError> {
    let (optimizer_steps, first, second) = run.state.optimizer.moments();
    let stored = StoredCheckpoint {
        format: FORMAT,
        key: run.key.clone(),
        step: run.state.step,
        optimizer_steps,
        epochs: run.epochs.clone(),
        points: run.points.clone(),
        best: run.best,
        seconds: run.seconds,
    };
    let moments =
        |name: &str, values: Vec<f32>| Tensor { name: name.into(), shape: vec![values.len()], values };
    let mut all = tensors(&mut run.state.weights, "weights.");
    all.extend(tensors(&mut run.state.averaged, "averaged."));
    all.extend([moments("first", first), moments("second", second)]);
    let text = serde_json::to_string(&stored).expect("a description has text keys only");
    let bytes = artifact::to_bytes(&all, &text).expect("names are unique and shapes fit");
    write_bytes(&folder.join(CHECKPOINT), &bytes).map(drop)
}

/// The checkpoint of a run; `None` if there is none.
///
/// # Errors
/// If it cannot be read or belongs to another run.
pub fn read(folder: &Path, key: &str, learner: &Learner) -> Result<Option<Checkpoint>, StoredError> {
    let path = folder.join(CHECKPOINT);
    let bytes = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(reason) => return Err(StoredError::Read { path, reason }),
        Ok(bytes) => bytes,
    };
    let broken = |reason| StoredError::Load { path: path.clone(), reason };
    let (mut tensors, text) = Tensors::open(&bytes).map_err(broken)?;
    let stored: StoredCheckpoint = described(&text).map_err(broken)?;
    if stored.key != key {
        return Err(StoredError::OtherRun { path });
    }
    let (mut weights, mut averaged) = (learner.zeros(), learner.zeros());
    fill(&mut weights, "weights.", &mut tensors).map_err(broken)?;
    fill(&mut averaged, "averaged.", &mut tensors).map_err(broken)?;
    let sizes: Vec<usize> = weights.values().iter().map(|values| values.len()).collect();
    let shape = [sizes.iter().sum()];
    let first = tensors.take("first", &shape).map_err(broken)?;
    let second = tensors.take("second", &shape).map_err(broken)?;
    tensors.finish().map_err(broken)?;
    let optimizer = AdamW::resume(&sizes, stored.optimizer_steps, &first, &second);
    Ok(Some(Checkpoint {
        key: stored.key,
        state: State { weights, averaged, optimizer, step: stored.step },
        epochs: stored.epochs,
        points: stored.points,
        best: stored.best,
        seconds: stored.seconds,
    }))
}

/// Files of a run that are there.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let names = [MODEL, CHECKPOINT, JSON_LINES, PARQUET, PICTURE];
    names.map(|name| folder.join(name)).into_iter().filter(|path| path.exists()).collect()
}
