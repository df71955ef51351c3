//! The clap types of `s4cast worker`, nothing else.

use crate::cli::args::{LoadArgs, ModelArgs, ReadingArgs};
use crate::config::{Key, RawWorker, Settings};
use clap::ArgAction;
use clap::builder::{FalseyValueParser, Resettable};
use std::path::PathBuf;

/// What `--model` is, which `forecast` has for the name of a forecaster alone.
const MODEL: &str = "Saved model to forecast with: a file of --save-model, or STATE/models/JOB/VERSION. Where --train or \
                     --load-model is given, the name of a forecaster as in forecast: auto, s4d, ridge, …";

/// Where a stream is stricter than a file, and where it is not.
const ORDER: &str = "Rows of a series out of order: sort, error (leave the series out) [default: they end the stream; with \
                     --train: sort]";
const BAD_SERIES: &str = "How many bad series end the job, told at the end of the stream: a share as 5% or a number [default: no \
                          limit; with --train: 25%, told before the training]";

#[derive(Debug, clap::Args)]
#[command(mut_arg("order", |order| order.help(ORDER)))]
#[command(mut_arg("max_bad_series", |limit| limit.help(BAD_SERIES)))]
#[command(mut_arg("model", |model| model.help(MODEL).value_name("PATH").env(Resettable::Reset)))]
pub(super) struct Worker {
    /// Read the stream to its end, train on it and forecast it, as forecast does with a file
    #[arg(long, env = "S4CAST_TRAIN", action = ArgAction::SetTrue, value_parser = FalseyValueParser::new())]
    pub train: bool,
    /// Job file; flags win over it, and its inputs and output are not looked at
    #[arg(short, long, env = "S4CAST_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub reading: ReadingArgs,
    /// Id columns; repeat the flag or separate by commas (default: found by their values)
    #[arg(long, env = "S4CAST_ID", value_name = "COLUMN", value_delimiter = ',', help_heading = "Source")]
    pub id: Vec<String>,
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub load: LoadArgs,
    #[command(flatten)]
    pub run: RunArgs,
}

/// What the rows say of their run.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Run")]
pub(super) struct RunArgs {
    /// run_id of every row: the same for all streams of one job (default: a new one)
    #[arg(long, env = "S4CAST_RUN_ID", value_name = "ID")]
    pub run_id: Option<String>,
    /// issued_at of every row, the nominal instant of the run (default: --as-of, or now)
    #[arg(long, env = "S4CAST_ISSUED_AT", value_name = "TIME")]
    pub issued_at: Option<String>,
    /// Last time with a value in all of the data, of which the stream may be a part: a series whose forecast ends before is stale;
    /// FREQ=TIME where steps differ; none where no series is to be stale because others go on (default: the stream tells, and
    /// ends with an error where it tells too late)
    #[arg(long, env = "S4CAST_DATA_END", value_name = "TIME", value_delimiter = ',')]
    pub data_end: Vec<String>,
    /// Also save the weights, with --train
    #[arg(long, env = "S4CAST_SAVE_MODEL", value_name = "FILE.safetensors")]
    pub save_model: Option<String>,
    /// Exit with code 3 where the result is less than what was asked for
    #[arg(long, env = "S4CAST_STRICT", action = ArgAction::SetTrue, value_parser = FalseyValueParser::new())]
    pub strict: bool,
}

impl Worker {
    /// Lays the flags over the settings; `kind` is the forecaster that the environment names.
    pub fn apply(&self, settings: &mut Settings, kind: Option<String>) {
        self.reading.apply(settings);
        settings.flag(Key::Id, self.id.clone());
        self.model.apply(settings);
        self.load.apply(settings);
        settings.flag(Key::SaveModel, self.run.save_model.clone());
        let is_named = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.trim().is_empty());
        match (self.train || is_named(&self.load.load_model), &self.model.model) {
            (true, None) if self.train => settings.flag(Key::Kind, kind),
            (false, Some(path)) => {
                settings.unflag(Key::Kind);
                settings.flag(Key::LoadModel, [path.clone()]);
            }
            _ => {}
        }
    }

    /// The flags that no settings stand for.
    pub fn raw(&self) -> RawWorker {
        RawWorker {
            is_training: self.train,
            run_id: self.run.run_id.clone(),
            issued_at: self.run.issued_at.clone(),
            data_end: self.run.data_end.clone(),
        }
    }
}
