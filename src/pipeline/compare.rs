//! Two models of one or two backtests, held against each other on the same points.

use crate::evaluation::compare::{Block, Comparison, compare as judge};
use crate::ingest::{IngestError, Objects};
use crate::publish::{self, OutcomeColumns, PublishError};
use crate::series::civil::shown;
use crate::series::metric;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Draws of the bootstrap.
const DRAWS: usize = 10_000;

/// Rows that are named before the rest is only counted.
const SHOWN: usize = 3;

/// One side of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contender {
    /// Output of a backtest, by path or address.
    pub path: PathBuf,
    /// Which of its models; `None` where it has one only.
    pub model: Option<String>,
}

/// What is small where a model is good, each divided by the scale of the series at that cutoff.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Loss {
    /// |e| / scale: its mean is MASE.
    #[default]
    Mae,
    /// (e / scale)².
    Mse,
    /// Twice the mean pinball loss of all quantiles, by the scale: close to the scaled CRPS.
    Pinball,
}

impl Loss {
    /// Name in flags.
    pub fn as_str(self) -> &'static str {
        match self {
            Loss::Mae => "mae",
            Loss::Mse => "mse",
            Loss::Pinball => "pinball",
        }
    }
}

/// A checked comparison.
#[derive(Clone, Debug)]
pub struct CompareJob {
    /// The first and the second.
    pub contenders: [Contender; 2],
    /// What is compared.
    pub loss: Loss,
    /// Seed of the bootstrap.
    pub seed: u64,
}

/// What a comparison found.
#[derive(Clone, Debug)]
pub struct CompareReport {
    /// Names of both, as people tell them apart.
    pub names: [String; 2],
    /// How they compare.
    pub comparison: Comparison,
    /// Consecutive windows that share target times, 1 if none do.
    pub overlap: usize,
}

/// Why two models cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// A file cannot be read.
    #[error(transparent)]
    Read(#[from] PublishError),
    /// An object cannot be had.
    #[error(transparent)]
    Object(#[from] IngestError),
    /// There is no such model, or none is named and there are several.
    #[error("{}", no_model(.contender, .known))]
    Model {
        /// Asked for.
        contender: Contender,
        /// Those of the file.
        known: Vec<String>,
    },
    /// The two were not asked for the same forecasts, or not shown the same actuals.
    #[error("{}", .0.join("\n"))]
    Unpaired(Vec<String>),
    /// Nothing can be compared.
    #[error("no row of {0} has an actual value; there is nothing to compare")]
    NoActuals(PathBuf),
    /// The quantiles differ.
    #[error(
        "{first} and {second} have other quantiles; run both with the same --levels, or compare with --loss mae"
    )]
    Quantiles {
        /// The first.
        first: String,
        /// The second.
        second: String,
    },
}

fn no_model(contender: &Contender, known: &[String]) -> String {
    let (path, models) = (contender.path.display(), known.join(", "));
    match (&contender.model, known.first()) {
        (_, None) => format!("{path} has no rows"),
        (Some(model), _) => format!("{path} has no model '{model}'; it has {models}"),
        (None, Some(first)) => {
            format!("{path} has {} models: {models}; name one, as in {path}:{first}", known.len())
        }
    }
}

/// Compares two models. Both have to have forecast the same steps of the same series from the same cutoffs.
///
/// # Errors
/// See [`CompareError`].
pub fn compare(job: &CompareJob) -> Result<CompareReport, CompareError> {
    let [first, second] = &job.contenders;
    let objects = Objects::default();
    let a = read(first, &objects)?;
    let b = read(second, &objects)?;
    let names = names(&job.contenders, [&a.model, &b.model]);
    let pairs = pairs(&a, &b, &names)?;
    let levels =
        |columns: &OutcomeColumns| columns.quantiles.iter().map(|(level, _)| *level).collect::<Vec<_>>();
    if job.loss == Loss::Pinball && levels(&a) != levels(&b) {
        let [first, second] = names;
        return Err(CompareError::Quantiles { first, second });
    }
    let mut places: BTreeMap<(&str, i32), Block> = BTreeMap::new();
    let distinct: BTreeSet<&str> = a.unique_id.iter().map(String::as_str).collect();
    let ids: BTreeMap<&str, usize> = distinct.into_iter().zip(0..).collect();
    for &(row, other) in pairs.iter().filter(|(row, _)| !a.y[*row].is_nan()) {
        let id = a.unique_id[row].as_str();
        let window = usize::try_from(a.window[row]).unwrap_or(0);
        let block = places.entry((id, a.window[row]));
        let block = block.or_insert_with(|| Block { series: ids[id], window, points: 0, losses: [0.0; 2] });
        block.points += 1;
        // One scale for both, so that a difference is one of the forecasts.
        block.losses[0] += loss(&a, row, job.loss, a.scale[row]);
        block.losses[1] += loss(&b, other, job.loss, a.scale[row]);
    }
    let blocks: Vec<Block> = places.into_values().collect();
    if blocks.is_empty() {
        return Err(CompareError::NoActuals(first.path.clone()));
    }
    let overlap = overlap(&a);
    Ok(CompareReport { names, comparison: judge(&blocks, overlap, DRAWS, job.seed), overlap })
}

fn read(contender: &Contender, objects: &Objects) -> Result<OutcomeColumns, CompareError> {
    let mut models = publish::read_outcomes(&objects.local(&contender.path)?)?;
    let place = match &contender.model {
        Some(model) => models.iter().position(|one| one.model == *model),
        None => (models.len() == 1).then_some(0),
    };
    match place {
        Some(place) => Ok(models.swap_remove(place)),
        None => {
            let known = models.into_iter().map(|one| one.model).collect();
            Err(CompareError::Model { contender: contender.clone(), known })
        }
    }
}

/// The names of the models, with their files where the names are the same.
fn names(contenders: &[Contender; 2], models: [&String; 2]) -> [String; 2] {
    let named = |place: usize| match models[0] == models[1] {
        true => format!("{}:{}", contenders[place].path.display(), models[place]),
        false => models[place].clone(),
    };
    [named(0), named(1)]
}

/// Rows of both that are the same step of the same series from the same cutoff.
fn pairs(
    a: &OutcomeColumns,
    b: &OutcomeColumns,
    names: &[String; 2],
) -> Result<Vec<(usize, usize)>, CompareError> {
    let rows = |of: &OutcomeColumns| -> BTreeMap<(String, i64, i64), usize> {
        let key = |row: usize| ((of.unique_id[row].clone(), of.cutoff[row], of.ds[row]), row);
        (0..of.ds.len()).map(key).collect()
    };
    let (left, right) = (rows(a), rows(b));
    let text = |(id, cutoff, ds): &(String, i64, i64)| {
        format!("{id} of {} from cutoff {}", shown(*ds), shown(*cutoff))
    };
    let lack = |from: &BTreeMap<_, usize>, to: &BTreeMap<_, usize>, name: &str| {
        let missing: Vec<&(String, i64, i64)> = from.keys().filter(|&key| !to.contains_key(key)).collect();
        let examples: Vec<String> = missing.iter().take(SHOWN).map(|key| text(key)).collect();
        let more = if missing.len() > SHOWN { ", …" } else { "" };
        (!missing.is_empty()).then(|| {
            format!(
                "{name} lacks {} rows that the other one has: {}{more}",
                missing.len(),
                examples.join(", ")
            )
        })
    };
    let mut problems: Vec<String> =
        [lack(&right, &left, &names[0]), lack(&left, &right, &names[1])].into_iter().flatten().collect();
    if !problems.is_empty() {
        problems.push("backtest both over the same data with the same horizon, windows and step".into());
        return Err(CompareError::Unpaired(problems));
    }
    let other = left.iter().find(|(key, row)| !same(a.y[**row], b.y[right[*key]]));
    if let Some((key, row)) = other {
        let (one, two) = (a.y[*row], b.y[right[key]]);
        let problem = format!(
            "the actual value of {} is {one} for {} and {two} for {}; backtest both over the same data",
            text(key),
            names[0],
            names[1]
        );
        return Err(CompareError::Unpaired(vec![problem]));
    }
    Ok(left.iter().map(|(key, row)| (*row, right[key])).collect())
}

fn same(one: f64, two: f64) -> bool {
    one == two || one.is_nan() && two.is_nan()
}

/// Loss of a row that has an actual.
fn loss(columns: &OutcomeColumns, row: usize, loss: Loss, scale: f64) -> f64 {
    let error = (columns.y[row] - columns.yhat[row]) / scale;
    match loss {
        Loss::Mae => error.abs(),
        Loss::Mse => error * error,
        Loss::Pinball => {
            let losses = columns.quantiles.iter();
            let sum: f64 =
                losses.map(|(level, values)| metric::pinball(columns.y[row], values[row], *level)).sum();
            2.0 * sum / columns.quantiles.len().max(1) as f64 / scale
        }
    }
}

/// The largest number of consecutive windows of a series that share target times.
fn overlap(columns: &OutcomeColumns) -> usize {
    // Cutoff and last target time of every window of a series.
    let mut spans: BTreeMap<(&str, i32), (i64, i64)> = BTreeMap::new();
    for row in 0..columns.ds.len() {
        let key = (columns.unique_id[row].as_str(), columns.window[row]);
        let span = spans.entry(key).or_insert((columns.cutoff[row], columns.ds[row]));
        span.1 = span.1.max(columns.ds[row]);
    }
    let spans: Vec<(&str, i64, i64)> =
        spans.into_iter().map(|((id, _), (cutoff, end))| (id, cutoff, end)).collect();
    let shared = |place: usize| {
        let (id, _, end) = spans[place];
        spans[place..].iter().take_while(|(other, cutoff, _)| *other == id && *cutoff < end).count()
    };
    (0..spans.len()).map(shared).max().unwrap_or(1)
}

/// The side that a person means by `FILE`, `FILE:MODEL`, or `:MODEL` for the file of the side before.
pub fn contender(text: &str, before: Option<&Contender>) -> Contender {
    let whole = Contender { path: text.into(), model: None };
    match text.rsplit_once(':') {
        _ if Path::new(text).exists() => whole,
        Some(("", model)) if before.is_some() => {
            let path = before.map(|before| before.path.clone()).unwrap_or_default();
            Contender { path, model: Some(model.into()) }
        }
        Some((path, model)) if !path.is_empty() && !model.is_empty() && !model.contains(['/', '\\']) => {
            Contender { path: path.into(), model: Some(model.into()) }
        }
        _ => whole,
    }
}
