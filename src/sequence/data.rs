//! What is learnt from: values of many sequences, where each begins, and their labels.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

use ndarray::ArrayView1;
use rand::{Rng, RngExt};

use crate::ingest::IngestError;
use crate::lab::MissingFile;
use crate::sequence::paths;
use crate::sequence::words::Task;

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

    /// One value.
    pub fn get(&self, at: usize) -> f32 {
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
    /// Positions at the beginning of a sequence that are read and not scored: a text is known up to where it is judged.
    pub lead: usize,
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

/// Codes of a byte.
pub const CODES: usize = 256;

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
