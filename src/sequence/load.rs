//! Files to sequences: images, sounds, bytes, series, cut into what is trained on, what chooses and what is tested.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ndarray::Array1;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::engine::codes::{Codes, Companding, Range};
use crate::ingest::{self, Images, Sound, SourceSpec};
use crate::lab::MissingFile;
use crate::sequence::data::{CODES, Data, DataError, Part, Values};
use crate::sequence::spec::{Columns, SequenceSpec};
use crate::sequence::words::{Form, Order, Task};
use crate::series::Panel;

/// Everything that a definition names, below a folder.
pub fn load(spec: &SequenceSpec, folder: Option<&Path>) -> Result<Data, DataError> {
    let data = match spec.form {
        Form::Images => images(spec, folder),
        Form::Sounds => sounds(spec, folder),
        Form::Bytes => bytes(spec, folder),
        Form::Series => series(spec, folder),
    }?;
    // Images say by themselves how long they are.
    let (len, stride) = (data.len, spec.architecture.stride());
    match len.is_multiple_of(stride) {
        true => Ok(data),
        false => Err(DataError::Fit(format!(
            "a sequence has {len} positions, which is no multiple of {stride}, the product of the pools; choose others"
        ))),
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
        lead: 0,
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
        lead: 0,
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
    let data = parts(spec, train, test, len, CODES, files)?;
    Ok(Data { test: led(&data.test, len), ..data })
}

/// The same stretch of a text in windows that overlap by half, of which only the second half is scored: a window that began
/// from nothing would be charged for what the bytes before it tell. Of a file of its own the first half window stays unscored.
fn led(part: &Part, len: usize) -> Part {
    let lead = len / 2;
    let first = part.starts.first().copied().unwrap_or(0);
    let end = part.starts.last().map_or(0, |start| start + len);
    let starts = (first.saturating_sub(lead)..).step_by(len - lead).take_while(|start| start + len <= end);
    Part { starts: starts.collect(), lead, ..part.clone() }
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
        Ok(Part { values: Arc::new(values), starts, labels, lead: 0 })
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
        starts.map(|starts| Part { values: Arc::clone(&values), starts, labels: Vec::new(), lead: 0 });
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
        Part { values: Arc::clone(&part.values), starts, labels, lead: 0 }
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
