//! The settings of a one-shot job, from flags and file.

use crate::config::check::{Check, parquet, place};
use crate::config::{Key, Problems, Settings, words};
use crate::ingest::SourceSpec;
use crate::pipeline::{Job, Making};
use crate::store::{Address, Place};
use std::path::PathBuf;

/// A job, and what is not part of it.
#[derive(Clone, Debug)]
pub struct Launch {
    /// What to do.
    pub job: Job,
    /// Whether the output is an address with a slash at its end: a folder of objects.
    pub names_folder: bool,
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
    pub quality: Option<Place>,
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
    let making = check.making();
    let scenarios = check.scenarios(Key::Scenarios, Some(&source), making.as_ref().and_then(Making::kind));
    check.demand(Key::Output, "no output: give -o OUT.parquet, or path under [output]");
    let output = check.one(Key::Output, parquet);
    let save_model = check.one(Key::SaveModel, place);
    let quality = check.one(Key::Quality, parquet);
    let threads = check.threads(Key::Threads);
    let max_memory = check.one(Key::MaxMemory, words::size);
    check.within_fence();
    Problems::none_of(check.problems)?;
    let (Some(making), Some(output)) = (making, output) else {
        unreachable!("a missing value is a problem");
    };
    let (config_file, config_sha256) = (settings.path.clone(), settings.sha256());
    let job = Job {
        source,
        making,
        scenarios,
        output,
        sharded: None,
        save_model,
        quality,
        config_file,
        max_memory,
        config_sha256,
    };
    let is_folder = |text: &str| text.ends_with('/') && Address::parse(text).is_some();
    let names_folder = settings.get(Key::Output).first().is_some_and(|item| is_folder(&item.text));
    Ok(Launch { job, names_folder, threads })
}

/// The source that the settings describe; model and output are not looked at.
///
/// # Errors
/// Every problem of the file and of the flags, as far as the source is concerned.
pub fn source(settings: &Settings) -> Result<SourceLaunch, Problems> {
    let mut check = Check::new(settings);
    let mut source = check.source();
    // A model may be declared beside the source; what is wrong with it is said where it is used.
    source.season_length =
        settings.get(Key::SeasonLength).first().and_then(|item| item.text.trim().parse().ok());
    let quality = check.one(Key::Quality, parquet);
    let threads = check.threads(Key::Threads);
    check.within_fence();
    Problems::none_of(check.problems)?;
    let limit_given = !settings.get(Key::MaxBadSeries).is_empty();
    Ok(SourceLaunch { source, limit_given, quality, config_file: settings.path.clone(), threads })
}
