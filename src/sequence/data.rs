//! What is learnt from: values of many sequences, where each begins, and their labels.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ndarray::{Array1, ArrayView1};
use rand::seq::SliceRandom;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::engine::codes::{Codes, Companding, Range};
use crate::ingest::{self, Images, IngestError, Sound, SourceSpec};
use crate::lab::MissingFile;
use crate::sequence::paths;
use crate::sequence::spec::{Columns, SequenceSpec};
use crate::sequence::words::{Form, Order, Task};
use crate::series::Panel;

/// Why there is nothing to learn from.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// A file is not there.
    #[error(transparent)]
    NoFile(#[from] MissingFile),
    /// A file cannot be read, or is not what the definition says.
    #[error("{path}: {reason}")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong, and what would do.
        reason: String,
    },
    /// Series cannot be read.
    #[error(transparent)]
    Ingest(#[from] IngestError),
    /// The data does not fit the task.
    #[error("{0}")]
    Fit(String),
}

/// Values as they are kept: a thousandth of the memory of what a network makes of them, so no smaller than need be.
#[derive(Clone, Debug)]
pub enum Values {
    /// Pixels, or codes.
    Bytes(Vec<u8>),
    /// Samples of a sound.
    Samples(Vec<i16>),
    /// Values of series.
    Reals(Vec<f32>),
}

impl Values {
    fn len(&self) -> usize {
        match self {
            Values::Bytes(values) => values.len(),
            Values::Samples(values) => values.len(),
            Values::Reals(values) => values.len(),
        }
    }

    /// All of them as bytes, for a digest.
    pub fn bytes(&self) -> Cow<'_, [u8]> {
        match self {
            Values::Bytes(values) => Cow::Borrowed(values),
            Values::Samples(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Values::Reals(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        }
    }

    fn get(&self, at: usize) -> f32 {
        match self {
            Values::Bytes(values) => f32::from(values[at]),
            Values::Samples(values) => f32::from(values[at]),
            Values::Reals(values) => values[at],
        }
    }

    /// Some neighbouring values of series.
    pub fn reals(&self, start: usize, len: usize) -> &[f32] {
        match self {
            Values::Reals(values) => &values[start..start + len],
            Values::Bytes(_) | Values::Samples(_) => panic!("only series have real values"),
        }
    }
}

/// Sequences of one length.
#[derive(Clone, Debug)]
pub struct Part {
    /// All values; parts of one file share them.
    pub values: Arc<Values>,
    /// Where each sequence begins.
    pub starts: Vec<usize>,
    /// Class of each sequence, where there are classes.
    pub labels: Vec<u16>,
}

/// Training part, the share of it that chooses, test part.
#[derive(Clone, Debug)]
pub struct Data {
    /// Positions of a sequence (L).
    pub len: usize,
    /// Number of classes, or of codes.
    pub classes: usize,
    /// Trained on.
    pub train: Part,
    /// Chooses the best epoch.
    pub valid: Part,
    /// Scored once, at the end.
    pub test: Part,
    /// Mean and standard deviation of the training values.
    pub scale: (f32, f32),
    /// Value `i` of a sequence is read at position `order[i]` of the file.
    pub order: Vec<usize>,
    /// Width of an image, which can be shifted.
    pub width: Option<usize>,
    /// Samples per second of sounds.
    pub rate: Option<u32>,
    /// Positions of a window of series that scale it, and that paths continue.
    pub context: Option<usize>,
    /// Files that were read.
    pub files: Vec<PathBuf>,
}

/// Everything that a definition names, below a folder.
pub fn load(spec: &SequenceSpec, folder: Option<&Path>) -> Result<Data, DataError> {
    match spec.form {
        Form::Images => images(spec, folder),
        Form::Sounds => sounds(spec, folder),
        Form::Bytes => bytes(spec, folder),
        Form::Series => series(spec, folder),
    }
}

/// The first of some names that is there.
fn find(spec: &SequenceSpec, names: &[String], folder: Option<&Path>) -> Result<PathBuf, DataError> {
    let candidates = names.iter().map(|name| folder.unwrap_or(Path::new("")).join(name));
    let found = candidates.into_iter().find(|path| path.exists() && (folder.is_some() || path.is_absolute()));
    Ok(found.ok_or_else(|| MissingFile {
        pipeline: spec.name.clone(),
        files: names.join(" or "),
        folder: folder.map(Path::to_path_buf),
        source_line: spec.source.clone(),
    })?)
}

fn images(spec: &SequenceSpec, folder: Option<&Path>) -> Result<Data, DataError> {
    let read = |names: &[String]| {
        let path = find(spec, names, folder)?;
        let images =
            ingest::images(&path).map_err(|reason| DataError::File { path: path.clone(), reason })?;
        Ok::<(PathBuf, Images), DataError>((path, images))
    };
    let (path, images) = read(&spec.files)?;
    let len = images.pixels_per_image;
    let part = |images: Images| Part {
        starts: (0..images.labels.len()).map(|index| index * len).collect(),
        labels: images.labels.iter().map(|&label| u16::from(label)).collect(),
        values: Arc::new(Values::Bytes(images.pixels)),
    };
    let (mut files, train) = (vec![path], part(images));
    let test = match spec.test_files.is_empty() {
        true => None,
        false => {
            let (path, images) = read(&spec.test_files)?;
            if images.pixels_per_image != len {
                let found = images.pixels_per_image;
                let reason = format!("images have {found} pixels, those of the training part {len}");
                return Err(DataError::File { path, reason });
            }
            files.push(path);
            Some(part(images))
        }
    };
    let classes = train.labels.iter().chain(test.iter().flat_map(|test| &test.labels)).max();
    let classes = classes.map_or(0, |&label| usize::from(label) + 1);
    let side = len.isqrt();
    let width = (side * side == len).then_some(side);
    Ok(Data { width, ..parts(spec, train, test, len, classes, files)? })
}

fn bytes(spec: &SequenceSpec, folder: Option<&Path>) -> Result<Data, DataError> {
    let len = spec.len.expect("a checked spec of bytes has a length");
    let read = |names: &[String]| {
        let path = find(spec, names, folder)?;
        let bytes = std::fs::read(&path)
            .map_err(|error| DataError::File { path: path.clone(), reason: error.to_string() })?;
        Ok::<(PathBuf, Vec<u8>), DataError>((path, bytes))
    };
    let (path, values) = read(&spec.files)?;
    let part = |values: Vec<u8>| Part {
        starts: (0..values.len() / len).map(|index| index * len).collect(),
        labels: Vec::new(),
        values: Arc::new(Values::Bytes(values)),
    };
    let (mut files, train) = (vec![path], part(values));
    let test = match spec.test_files.is_empty() {
        true => None,
        false => {
            let (path, values) = read(&spec.test_files)?;
            files.push(path);
            Some(part(values))
        }
    };
    parts(spec, train, test, len, CODES, files)
}

/// Every WAV file below a folder; for classes, one folder each, named by it.
fn sounds(spec: &SequenceSpec, folder: Option<&Path>) -> Result<Data, DataError> {
    let len = spec.len.expect("a checked spec of sounds has a length");
    let names = |root: &Path| -> Result<Vec<String>, DataError> {
        let folders = entries(root)?.into_iter().filter(|path| path.is_dir());
        Ok(folders.filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())).collect())
    };
    let root = find(spec, &spec.files, folder)?;
    let classes = if spec.task == Task::Classify { names(&root)? } else { Vec::new() };
    if spec.task == Task::Classify && classes.len() < 2 {
        let reason =
            format!("{} folders in it; sounds to classify stand in one folder per class", classes.len());
        return Err(DataError::File { path: root, reason });
    }
    let (mut files, mut rate) = (Vec::new(), None);
    let mut read = |root: &Path| -> Result<Part, DataError> {
        let (mut samples, mut starts, mut labels) = (Vec::new(), Vec::new(), Vec::new());
        let groups: Vec<(u16, PathBuf)> = match spec.task {
            Task::Classify => (0..).zip(&classes).map(|(label, name)| (label, root.join(name))).collect(),
            Task::Generate | Task::Reconstruct => vec![(0, root.to_path_buf())],
        };
        for (label, group) in groups {
            for path in wav_files(&group)? {
                let wrong = |reason| DataError::File { path: path.clone(), reason };
                let Sound { rate: own, samples: mut sound } = ingest::sound(&path).map_err(wrong)?;
                if let Some(rate) = rate.filter(|rate| *rate != own) {
                    return Err(wrong(format!("{own} samples per second, the files before it have {rate}")));
                }
                rate = Some(own);
                if spec.task == Task::Classify {
                    // A word fills its file: what is longer is cut, what is shorter ends in silence.
                    sound.resize(len, 0);
                    labels.push(label);
                }
                let whole = sound.len() / len;
                starts.extend((0..whole).map(|index| samples.len() + index * len));
                samples.extend_from_slice(&sound[..whole * len]);
                files.push(path);
            }
        }
        if starts.is_empty() {
            let reason = format!("no WAV file of {len} samples or more below it");
            return Err(DataError::File { path: root.to_path_buf(), reason });
        }
        let values = match spec.task {
            Task::Generate => Values::Bytes(codes(spec.codes, &samples, &starts, len)),
            Task::Classify | Task::Reconstruct => Values::Samples(samples),
        };
        Ok(Part { values: Arc::new(values), starts, labels })
    };
    let mut train = read(&root)?;
    shuffle(&mut train);
    let test = match spec.test_files.is_empty() {
        true => None,
        false => Some(read(&find(spec, &spec.test_files, folder)?)?),
    };
    let count = if spec.task == Task::Generate { CODES } else { classes.len() };
    Ok(Data { rate, ..parts(spec, train, test, len, count, files)? })
}

/// Windows of series: the last one of each is the test part, some before it choose, and those that end before the steps that
/// are judged there are trained on.
fn series(spec: &SequenceSpec, folder: Option<&Path>) -> Result<Data, DataError> {
    let len = spec.len.expect("a checked spec of series has a length");
    let horizon = spec.horizon.expect("a checked spec of series has a horizon");
    let mut files = vec![find(spec, &spec.files, folder)?];
    if !spec.test_files.is_empty() {
        files.push(find(spec, &spec.test_files, folder)?);
    }
    let panel = read_panel(&files, &spec.columns)?;
    // The steps that are judged in the earliest window that chooses, and all after them.
    let kept = horizon + spec.choose.iter().max().copied().unwrap_or(0);
    let (mut values, mut starts) = (Vec::new(), [Vec::new(), Vec::new(), Vec::new()]);
    for series in &panel.series {
        let (base, own) = (values.len(), without_holes(&series.values));
        if own.len() < len + kept {
            continue;
        }
        let last = base + own.len() - len;
        let [train, valid, test] = &mut starts;
        test.push(last);
        valid.extend(spec.choose.iter().map(|before| last - before));
        train.extend((base..=last - kept).rev().step_by((horizon / 2).max(1)));
        values.extend(own);
    }
    let values = Arc::new(Values::Reals(values));
    let [train, valid, test] =
        starts.map(|starts| Part { values: Arc::clone(&values), starts, labels: Vec::new() });
    if train.starts.len() < spec.recipe.batch {
        let (count, needed) = (train.starts.len(), len + kept);
        return Err(DataError::Fit(format!(
            "{count} windows to train on, fewer than one batch of {}; series of {needed} steps or more have some",
            spec.recipe.batch
        )));
    }
    Ok(Data {
        len,
        classes: CODES,
        train,
        valid,
        test,
        scale: (0.0, 1.0),
        order: (0..len).collect(),
        width: None,
        rate: None,
        context: Some(len - horizon),
        files,
    })
}

/// Series of some files, as a forecast reads them.
pub fn read_panel(files: &[PathBuf], columns: &Columns) -> Result<Panel, DataError> {
    let inputs = files.iter().map(|file| file.display().to_string()).collect();
    let spec = SourceSpec {
        id: columns.id.clone(),
        time: columns.time.clone(),
        target: columns.target.clone(),
        ..SourceSpec::new(inputs)
    };
    Ok(ingest::read(&spec)?.panel)
}

/// Values with the last one in place of missing ones; those before the first are left out.
pub fn without_holes(values: &[f64]) -> Vec<f32> {
    let mut last = None;
    let known = values.iter().filter_map(|&value| {
        if !value.is_nan() {
            last = Some(value as f32);
        }
        last
    });
    known.collect()
}

/// What stands in a folder, by name.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let file = |error: std::io::Error| DataError::File { path: folder.into(), reason: error.to_string() };
    let found: Result<Vec<PathBuf>, _> =
        std::fs::read_dir(folder).map_err(file)?.map(|entry| Ok(entry?.path())).collect();
    let mut found = found.map_err(file)?;
    found.sort();
    Ok(found)
}

/// All WAV files below a folder, by name.
fn wav_files(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut files = Vec::new();
    for path in entries(folder)? {
        if path.is_dir() {
            files.extend(wav_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("wav")) {
            files.push(path);
        }
    }
    Ok(files)
}

/// Files stand class by class: the parts that are kept back have to hold some of all.
fn shuffle(part: &mut Part) {
    let mut order: Vec<usize> = (0..part.starts.len()).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(0));
    part.starts = order.iter().map(|&at| part.starts[at]).collect();
    if !part.labels.is_empty() {
        part.labels = order.iter().map(|&at| part.labels[at]).collect();
    }
}

/// Codes of a byte.
pub const CODES: usize = 256;

/// Keeps shares of the training part back: for the choice, and for the test if it has no files of its own.
///
/// Images stand in no order, so that the last ones serve; neighbouring windows of a text are alike, so that the share is one
/// stretch at the end.
fn parts(
    spec: &SequenceSpec,
    mut train: Part,
    test: Option<Part>,
    len: usize,
    classes: usize,
    files: Vec<PathBuf>,
) -> Result<Data, DataError> {
    let all = train.starts.len();
    let kept = |share: f64, all: usize| ((all as f64 * share).ceil() as usize).max(1);
    let split = |part: &mut Part, count: usize| {
        let at = part.starts.len().saturating_sub(count);
        let starts = part.starts.split_off(at);
        let labels = if part.labels.is_empty() { Vec::new() } else { part.labels.split_off(at) };
        Part { values: Arc::clone(&part.values), starts, labels }
    };
    let test = match test {
        Some(test) => test,
        None => split(&mut train, kept(TEST_SHARE, all)),
    };
    let valid = split(&mut train, kept(spec.recipe.valid, all));
    if train.starts.len() < spec.recipe.batch {
        return Err(DataError::Fit(format!(
            "{} sequences of {len} positions are left to train on, fewer than one batch of {}; lower batch, or len",
            train.starts.len(),
            spec.recipe.batch
        )));
    }
    let scale = moments(&train, len);
    let order = order(spec.order, len);
    Ok(Data { len, classes, valid, test, scale, order, width: None, rate: None, context: None, files, train })
}

/// Share of the training part that is the test part where no files are.
const TEST_SHARE: f64 = 0.1;

/// Mean and standard deviation of the values of some sequences.
fn moments(part: &Part, len: usize) -> (f32, f32) {
    let (mut sum, mut square) = (0.0, 0.0);
    for &start in &part.starts {
        for at in start..start + len {
            let value = f64::from(part.values.get(at));
            (sum, square) = (sum + value, square + value * value);
        }
    }
    let count = (part.starts.len() * len) as f64;
    let mean = sum / count;
    let deviation = (square / count - mean * mean).max(0.0).sqrt();
    (mean as f32, if deviation > 0.0 { deviation as f32 } else { 1.0 })
}

/// Positions of the file in the order in which they are read.
fn order(order: Order, len: usize) -> Vec<usize> {
    match order {
        Order::Plain => (0..len).collect(),
        Order::Bitrev => {
            let bits = len.next_power_of_two().trailing_zeros();
            let reversed = |at: usize| at.reverse_bits() >> (usize::BITS - bits);
            (0..1_usize << bits).map(reversed).filter(|&at| at < len).collect()
        }
    }
}

/// Sequences of one step, as a network reads them, and what is asked of it.
pub struct Batch {
    /// (batch, L, P): standardised values, codes of the positions before, or values and marks of hidden ones.
    pub tokens: Vec<f32>,
    /// Classes (batch), or codes (batch, L).
    pub codes: Vec<u16>,
    /// Values (batch, L) to reconstruct where they are hidden, else `NaN`.
    pub values: Vec<f32>,
}

impl Batch {
    /// Memory for nothing.
    pub fn new() -> Batch {
        Batch { tokens: Vec::new(), codes: Vec::new(), values: Vec::new() }
    }
}

/// Share of positions that are hidden, and how many lie side by side.
const HIDDEN: f64 = 0.25;
const HIDDEN_RUN: usize = 16;

/// Values per position that the network reads (P).
pub fn patch(task: Task, classes: usize) -> usize {
    match task {
        Task::Classify => 1,
        Task::Generate => classes,
        Task::Reconstruct => 2,
    }
}

/// Outputs per position.
pub fn outputs(task: Task, classes: usize) -> usize {
    match task {
        Task::Classify | Task::Generate => classes,
        Task::Reconstruct => 1,
    }
}

impl Data {
    /// Fills a batch with some sequences of a part; `shift` moves images by up to that many pixels, `offset` windows of a
    /// stream by that many positions, as far as there are values.
    pub fn fill(
        &self,
        task: Task,
        part: &Part,
        indices: &[usize],
        (shift, offset): (usize, usize),
        rng: &mut impl Rng,
        batch: &mut Batch,
    ) {
        batch.tokens.clear();
        batch.codes.clear();
        batch.values.clear();
        let (mean, deviation) = self.scale;
        for &index in indices {
            let start = (part.starts[index] + offset).min(part.values.len() - self.len);
            let moved = self.width.filter(|_| shift > 0).map(|width| {
                let mut draw = || rng.random_range(-(shift as i32)..=shift as i32);
                (width as i32, draw(), draw())
            });
            let value = |at: usize| {
                let Some((width, down, right)) = moved else {
                    return (part.values.get(start + self.order[at]) - mean) / deviation;
                };
                let at = self.order[at] as i32;
                let (row, column) = (at / width + down, at % width + right);
                let is_inside = (0..width).contains(&row) && (0..width).contains(&column);
                let raw =
                    if is_inside { part.values.get(start + (row * width + column) as usize) } else { 0.0 };
                (raw - mean) / deviation
            };
            match task {
                Task::Classify => {
                    batch.tokens.extend((0..self.len).map(value));
                    batch.codes.push(part.labels[index]);
                }
                Task::Generate => {
                    let scaled = self.context.map(|context| {
                        let window = part.values.reals(start, self.len);
                        paths::QUANTISER.encode(paths::range(&window[..context]), ArrayView1::from(window))
                    });
                    let code = |at: usize| match &scaled {
                        Some(codes) => f32::from(codes[at]),
                        None => part.values.get(start + at),
                    };
                    batch.tokens.extend((0..self.len).map(|at| if at == 0 { FIRST } else { code(at - 1) }));
                    batch.codes.extend((0..self.len).map(|at| code(at) as u16));
                }
                Task::Reconstruct => {
                    let hidden = hidden(self.len, rng);
                    for (at, &is_hidden) in hidden.iter().enumerate() {
                        let value = value(at);
                        let seen = if is_hidden { [0.0, 1.0] } else { [value, 0.0] };
                        batch.tokens.extend(seen);
                        batch.values.push(if is_hidden { value } else { f32::NAN });
                    }
                }
            }
        }
    }
}

/// What stands before the first code: silence in 8-bit sound.
pub const FIRST: f32 = 128.0;

/// Positions to hide: runs at random places.
fn hidden(len: usize, rng: &mut impl Rng) -> Vec<bool> {
    let mut hidden = vec![false; len];
    let run = HIDDEN_RUN.min(len);
    let runs = (len as f64 * HIDDEN / run as f64).ceil() as usize;
    for _ in 0..runs {
        let start = rng.random_range(0..=len - run);
        hidden[start..start + run].fill(true);
    }
    hidden
}

/// Codes of sounds, each sequence scaled to its own range.
fn codes(companding: Companding, samples: &[i16], starts: &[usize], len: usize) -> Vec<u8> {
    let quantiser = Codes { companding, bins: CODES };
    let mut out = vec![0_u8; samples.len()];
    for &start in starts {
        let part: Array1<f32> = samples[start..start + len].iter().map(|&sample| f32::from(sample)).collect();
        let codes = quantiser.encode(Range::of(&part), part.view());
        for (to, code) in out[start..start + len].iter_mut().zip(codes) {
            *to = u8::try_from(code).expect("256 codes");
        }
    }
    out
}
