//! Settings as written to specs that cannot be wrong; every problem at once.

use crate::config::settings::Item;
use crate::config::words::{self, Wrong};
use crate::config::{Key, Problem, Problems, Settings};
use crate::ingest::{PolicyError, SourceSpec};
use crate::model::spec::{ModelKind, ModelSpec, RawModelSpec};
use crate::pipeline::Job;
use jiff::tz::TimeZone;
use std::path::PathBuf;
use std::str::FromStr;

/// Coverage levels where none are asked for, in percent.
const LEVELS: [f64; 2] = [80.0, 95.0];

/// Seed where none is asked for.
const SEED: u64 = 1;

/// A job, and what is not part of it.
#[derive(Clone, Debug)]
pub struct Launch {
    /// What to do.
    pub job: Job,
    /// Worker threads; `None` takes one per core.
    pub threads: Option<usize>,
}

/// A source, and what is not part of it.
#[derive(Clone, Debug)]
pub struct SourceLaunch {
    /// What to read.
    pub source: SourceSpec,
    /// Whether the limit of bad series was asked for.
    pub limit_given: bool,
    /// Where the quality report goes.
    pub quality: Option<PathBuf>,
    /// The job file, if there is one.
    pub config_file: Option<PathBuf>,
    /// Worker threads; `None` takes one per core.
    pub threads: Option<usize>,
}

/// The job that the settings describe.
///
/// # Errors
/// Every problem of the file and of the flags.
pub fn job(settings: &Settings) -> Result<Launch, Problems> {
    let mut check = Check::new(settings);
    let source = check.source();
    let model = check.model();
    check.demand(Key::Output, "no output: give -o OUT.parquet, or path under [output]");
    let output = check.one(Key::Output, parquet);
    let save_model = check.text(Key::SaveModel).map(PathBuf::from);
    let quality = check.one(Key::Quality, parquet);
    let threads = check.threads();
    Problems::none_of(check.problems)?;
    let (Some(model), Some(output)) = (model, output) else {
        unreachable!("a missing value is a problem");
    };
    let (config_file, config_sha256) = (settings.path.clone(), settings.sha256());
    let job = Job { source, model, output, save_model, quality, config_file, config_sha256 };
    Ok(Launch { job, threads })
}

/// The source that the settings describe; model and output are not looked at.
///
/// # Errors
/// Every problem of the file and of the flags, as far as the source is concerned.
pub fn source(settings: &Settings) -> Result<SourceLaunch, Problems> {
    let mut check = Check::new(settings);
    let source = check.source();
    let quality = check.one(Key::Quality, parquet);
    let threads = check.threads();
    Problems::none_of(check.problems)?;
    let limit_given = !settings.get(Key::MaxBadSeries).is_empty();
    Ok(SourceLaunch { source, limit_given, quality, config_file: settings.path.clone(), threads })
}

struct Check<'a> {
    settings: &'a Settings,
    problems: Vec<Problem>,
}

impl<'a> Check<'a> {
    fn new(settings: &'a Settings) -> Check<'a> {
        Check { settings, problems: settings.problems.clone() }
    }

    fn problem(&mut self, key: Key, item: &Item, wrong: Wrong) {
        self.problems.push(match (&self.settings.file, &item.span) {
            (Some(file), Some(span)) => Problem::in_file(file, span.clone(), wrong.message, wrong.help),
            _ => Problem::of_flag(format!("{}: {}", key.flag(), wrong.message), wrong.help),
        });
    }

    /// The checked values of a setting; the wrong ones are noted.
    fn many<T>(&mut self, key: Key, parse: impl Fn(&str) -> Result<T, Wrong>) -> Vec<T> {
        let mut values = Vec::new();
        for item in self.settings.get(key) {
            match parse(&item.text) {
                Ok(value) => values.push(value),
                Err(wrong) => self.problem(key, item, wrong),
            }
        }
        values
    }

    /// The checked value of a setting; a wrong one is noted.
    fn one<T>(&mut self, key: Key, parse: impl Fn(&str) -> Result<T, Wrong>) -> Option<T> {
        self.many(key, parse).pop()
    }

    fn text(&mut self, key: Key) -> Option<String> {
        self.one(key, written)
    }

    /// Notes a setting that is nowhere; one that was written but could not be read is a problem already.
    fn demand(&mut self, key: Key, message: &str) {
        let unread = self.settings.values.contains_key(&key) && !self.settings.problems.is_empty();
        if self.settings.get(key).is_empty() && !unread && !self.settings.misread {
            self.problems.push(Problem::of_flag(message.into(), None));
        }
    }

    fn source(&mut self) -> SourceSpec {
        self.demand(
            Key::Inputs,
            "no input: name a CSV or Parquet file, a glob or a folder, or inputs under [source]",
        );
        let texts = |text: &str| Ok(text.to_string());
        let zone = self.one(Key::Tz, words::zone);
        let civil = zone.clone().unwrap_or(TimeZone::UTC);
        SourceSpec {
            id: self.many(Key::Id, texts),
            time: self.text(Key::Time),
            target: self.text(Key::Target),
            frequency: self.one(Key::Freq, |text| Ok(text.parse()?)),
            duplicates: self.one(Key::Duplicates, policy).unwrap_or_default(),
            gaps: self.one(Key::Gaps, policy).unwrap_or_default(),
            order: self.one(Key::Order, policy).unwrap_or_default(),
            max_bad_series: self.one(Key::MaxBadSeries, |text| Ok(text.parse()?)).unwrap_or_default(),
            as_of: self.one(Key::AsOf, |text| words::instant(text, &civil)),
            zone,
            ..SourceSpec::new(self.many(Key::Inputs, texts))
        }
    }

    /// Each setting is checked alone, in an otherwise valid spec, so that one problem does not hide the next.
    fn model(&mut self) -> Option<ModelSpec> {
        self.demand(Key::Horizon, "no horizon: give -H STEPS, or horizon under [model]");
        let mut raw = valid();
        let before = self.problems.len();
        if let Some(kind) = self.one(Key::Kind, kind) {
            raw.kind = kind;
        }
        let horizon = |text: &str| checked(RawModelSpec { horizon: whole(text)?, ..valid() });
        raw.horizon = self.one(Key::Horizon, horizon).map_or(raw.horizon, |spec| spec.horizon());
        let level = |text: &str| checked(RawModelSpec { levels: vec![words::number(text)?], ..valid() });
        let levels: Vec<f64> =
            self.many(Key::Levels, level).iter().flat_map(ModelSpec::levels).copied().collect();
        if !self.settings.get(Key::Levels).is_empty() {
            raw.levels = levels;
        } else if self.settings.values.contains_key(&Key::Levels) {
            self.demand(Key::Levels, "no coverage level: write for example levels = [80, 95]");
        }
        let season = |text: &str| checked(RawModelSpec { season_length: Some(whole(text)?), ..valid() });
        raw.season_length = self.one(Key::SeasonLength, season).and_then(|spec| spec.season_length());
        raw.seed = self.one(Key::Seed, words::whole).unwrap_or(SEED);
        raw.budget = self.one(Key::Budget, words::duration);
        if self.problems.len() > before {
            return None;
        }
        ModelSpec::try_from(raw)
            .map_err(|error| self.problems.push(Problem::of_flag(error.to_string(), None)))
            .ok()
    }

    fn threads(&mut self) -> Option<usize> {
        self.one(Key::Threads, |text| match whole(text)? {
            threads @ 1..=1024 => Ok(threads),
            threads => Err(Wrong { message: format!("{threads} threads are not in 1..=1024"), help: None }),
        })
    }
}

/// A spec in which every setting is fine.
fn valid() -> RawModelSpec {
    RawModelSpec {
        kind: ModelKind::Auto.as_str().into(),
        horizon: 1,
        levels: LEVELS.to_vec(),
        season_length: None,
        seed: SEED,
        budget: None,
    }
}

fn checked(raw: RawModelSpec) -> Result<ModelSpec, Wrong> {
    Ok(ModelSpec::try_from(raw)?)
}

fn kind(text: &str) -> Result<String, Wrong> {
    match checked(RawModelSpec { kind: text.into(), ..valid() }) {
        Ok(spec) => Ok(spec.kind().as_str().into()),
        Err(wrong) => Err(Wrong::meant(wrong.message, text, ModelKind::ALL.map(ModelKind::as_str))),
    }
}

/// A text that is not empty.
fn written(text: &str) -> Result<String, Wrong> {
    match text.is_empty() {
        true => Err(Wrong { message: "the text is empty".into(), help: None }),
        false => Ok(text.to_string()),
    }
}

/// A path that does not promise another format than Parquet.
fn parquet(text: &str) -> Result<PathBuf, Wrong> {
    let path = PathBuf::from(written(text)?);
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    match ["csv", "tsv", "txt", "json", "jsonl", "xlsx"].contains(&extension.as_str()) {
        true => {
            let help = format!("write for example {}", path.with_extension("parquet").display());
            Err(Wrong::new(format!("'{text}' would hold Parquet, which is not {extension}"), &help))
        }
        false => Ok(path),
    }
}

/// A word of a policy.
fn policy<T: FromStr<Err = PolicyError>>(text: &str) -> Result<T, Wrong> {
    text.parse().map_err(|error: PolicyError| Wrong::meant(error.to_string(), text, error.choices))
}

/// A whole number that counts something in memory.
fn whole(text: &str) -> Result<usize, Wrong> {
    let number = words::whole(text)?;
    usize::try_from(number).map_err(Wrong::from)
}
