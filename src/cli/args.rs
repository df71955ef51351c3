//! The clap types, nothing else. Values stay text here: flags and config files are checked by the same code.

use crate::cli::args_backtest::{Backtest, Compare};
use crate::cli::args_daemon::{Explain, Run, RunsCommand, ScheduleCommand, Score, Serve, Top};
use crate::cli::args_models::ModelsCommand;
use crate::cli::args_plot::Plot;
use crate::cli::args_run::RunArgs;
use crate::cli::args_shell::{Completions, Man};
use crate::cli::args_worker::Worker;
use crate::cli::exit;
use crate::config::{Key, Settings};
use clap::builder::FalseyValueParser;
use clap::{ArgAction, Parser, Subcommand, ValueEnum, value_parser};
use std::path::PathBuf;

/// Time-series forecasting: CSV and Parquet in, forecasts with intervals out, as Parquet.
#[derive(Debug, Parser)]
#[command(name = "s4cast", version, after_help = exit::help(), arg_required_else_help = true)]
#[command(disable_help_subcommand = true, infer_long_args = false)]
pub(super) struct Args {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub global: Global,
}

/// Flags of every command.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "General")]
pub(super) struct Global {
    /// Print exactly one JSON document on stdout
    #[arg(long, global = true, env = "S4CAST_JSON", action = ArgAction::SetTrue, value_parser = FalseyValueParser::new())]
    pub json: bool,
    /// No progress on stderr: no bars, and no lines where stderr is no terminal
    #[arg(long, global = true, env = "S4CAST_NO_PROGRESS", action = ArgAction::SetTrue, value_parser = FalseyValueParser::new())]
    pub no_progress: bool,
    /// More of what happens, on stderr; twice for details
    #[arg(short, long, global = true, env = "S4CAST_VERBOSE", action = ArgAction::Count)]
    pub verbose: u8,
    /// No summary, and only errors on stderr
    #[arg(short, long, global = true, env = "S4CAST_QUIET", action = ArgAction::SetTrue, value_parser = FalseyValueParser::new())]
    pub quiet: bool,
    /// Colour of messages
    #[arg(
        long,
        global = true,
        env = "S4CAST_COLOR",
        value_enum,
        default_value = "auto",
        value_name = "WHEN"
    )]
    pub color: Color,
}

/// When to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Forecast every series of some files
    #[command(after_help = exit::help())]
    Forecast(Box<Forecast>),
    /// Forecast from cutoffs in the past and score what came of it
    #[command(after_help = exit::help())]
    Backtest(Box<Backtest>),
    /// Tell whether one model of a backtest is better than another
    #[command(after_help = exit::help())]
    Compare(Compare),
    /// Draw forecasts over what was observed: SVG, PNG, or characters on stdout
    #[command(after_help = exit::help())]
    Plot(Box<Plot>),
    /// Forecast an Arrow IPC stream on stdin, sorted by series and time, as an Arrow IPC stream on stdout
    #[command(after_help = exit::help())]
    Worker(Box<Worker>),
    /// Put a model to a benchmark, or a network to a sequence task: train, score
    #[command(after_help = exit::help())]
    Train(Train),
    /// Generate more of what a network was trained on: sounds, bytes, sample paths of series
    #[command(after_help = exit::help())]
    Generate(Generate),
    /// Look at data before forecasting it
    #[command(subcommand)]
    Data(DataCommand),
    /// Run the daemon: train and forecast on schedule, account for every slot
    #[command(after_help = exit::help())]
    Serve(Serve),
    /// Compare the published forecasts of a job with what came
    #[command(after_help = exit::help())]
    Score(Score),
    /// Tell why a series is forecast as it is
    #[command(after_help = exit::help())]
    Explain(Explain),
    /// Work one slot of a job now
    #[command(after_help = exit::help())]
    Run(Run),
    /// When what is due
    #[command(subcommand)]
    Schedule(ScheduleCommand),
    /// What became of every slot
    #[command(subcommand)]
    Runs(RunsCommand),
    /// Watch a daemon at work: jobs, next slots, progress, how forecasts have done
    #[command(after_help = exit::help())]
    Top(Top),
    /// Look at trained models, and choose which one serves
    #[command(subcommand)]
    Models(ModelsCommand),
    /// Write small example series with known truth, and commands to try
    #[command(after_help = exit::help())]
    Demo(Demo),
    /// Print a commented daemon config for some data
    #[command(after_help = exit::help())]
    Init(Box<Init>),
    /// Check a config file: what is wrong, where, and what would do; exit code 78 if anything is
    #[command(after_help = exit::help())]
    Validate(Validate),
    /// Print the JSON Schema of the config files, or SQL that makes views over what is published
    #[command(after_help = exit::help())]
    Schema(Schema),
    /// Print a script that completes commands, flags and values in a shell
    #[command(after_help = exit::help())]
    Completions(Completions),
    /// Print the manual page of a command, or write those of all
    #[command(after_help = exit::help())]
    Man(Man),
}

#[derive(Debug, Subcommand)]
pub(super) enum DataCommand {
    /// Check every series and say what would be left out; exit code 65 if any would
    #[command(after_help = exit::help())]
    Check(Box<DataCheck>),
    /// Show the head, the tail and the statistics of one series
    #[command(after_help = exit::help())]
    Show(Box<DataShow>),
}

/// Where the data is and how to read it.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Source")]
pub(super) struct SourceArgs {
    /// CSV or Parquet files, globs or folders, by path or address (s3://, gs://, az://, http://)
    #[arg(value_name = "INPUT")]
    pub inputs: Vec<String>,
    /// Job file; flags win over it
    #[arg(short, long, env = "S4CAST_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Command, in place of INPUT, that prints CSV, Parquet or Arrow IPC; words as in a shell, but no shell runs
    #[arg(
        long,
        env = "S4CAST_EXEC",
        allow_hyphen_values = true,
        conflicts_with = "inputs",
        value_name = "COMMAND"
    )]
    pub exec: Option<String>,
    /// How long the command may take [default: 5m]
    #[arg(long, env = "S4CAST_EXEC_TIMEOUT", value_name = "TIME")]
    pub exec_timeout: Option<String>,
    /// How many bytes the command may print [default: 4 GiB]
    #[arg(long, env = "S4CAST_EXEC_MAX_BYTES", value_name = "BYTES")]
    pub exec_max_bytes: Option<String>,
    #[command(flatten)]
    pub reading: ReadingArgs,
}

/// How data is read, wherever it is from.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Source")]
pub(super) struct ReadingArgs {
    /// Time column (default: found by its values)
    #[arg(long, env = "S4CAST_TIME", value_name = "COLUMN")]
    pub time: Option<String>,
    /// Target column (default: found by its values)
    #[arg(long, env = "S4CAST_TARGET", value_name = "COLUMN")]
    pub target: Option<String>,
    /// Columns that are known as far as the target, such as a temperature; repeat the flag or separate by commas
    #[arg(long, env = "S4CAST_PAST_COVARIATES", value_name = "COLUMN", value_delimiter = ',')]
    pub past_covariates: Vec<String>,
    /// Columns that are known in advance, such as a price; rows without a target hold what is to come
    #[arg(long, env = "S4CAST_FUTURE_COVARIATES", value_name = "COLUMN", value_delimiter = ',')]
    pub future_covariates: Vec<String>,
    /// Columns with one value per series, such as a region
    #[arg(long, env = "S4CAST_STATIC_COVARIATES", value_name = "COLUMN", value_delimiter = ',')]
    pub static_covariates: Vec<String>,
    /// Those of these columns whose numbers are names; text is names anyway
    #[arg(long, env = "S4CAST_CATEGORIES", value_name = "COLUMN", value_delimiter = ',')]
    pub categories: Vec<String>,
    /// Columns known in advance that lack values of the horizon: error, last, seasonal, forecast, or COLUMN=POLICY [default: error]
    #[arg(long, env = "S4CAST_MISSING_COVARIATES", value_name = "POLICY", value_delimiter = ',')]
    pub missing_covariates: Vec<String>,
    /// Sums that are forecast with the series: total, and levels, each some id columns joined by /
    #[arg(long, env = "S4CAST_HIERARCHY", value_name = "LEVEL", value_delimiter = ',')]
    pub hierarchy: Vec<String>,
    /// How forecasts of a hierarchy are made to add up: bottom_up, wls_var, mint_shrink, … [default: wls_var]
    #[arg(long, env = "S4CAST_RECONCILE", value_name = "METHOD")]
    pub reconcile: Option<String>,
    /// What numbers of covariates are to sums: mean, sum, or COLUMN=mean|sum [default: mean]
    #[arg(long, env = "S4CAST_HIERARCHY_COVARIATES", value_name = "WORD", value_delimiter = ',')]
    pub hierarchy_covariates: Vec<String>,
    /// Cycles of the calendar: auto, minute, hour, weekday, monthday, month, week, year
    #[arg(long, env = "S4CAST_CALENDAR", value_name = "CYCLE", value_delimiter = ',')]
    pub calendar: Vec<String>,
    /// Public holidays by country, such as DE; US=names has a column for each of them
    #[arg(long, env = "S4CAST_HOLIDAYS", value_name = "COUNTRY", value_delimiter = ',')]
    pub holidays: Vec<String>,
    /// Files of events: iCal, or CSV with columns ds and event
    #[arg(long, env = "S4CAST_EVENTS", value_name = "FILE", value_delimiter = ',')]
    pub events: Vec<String>,
    /// Days before a holiday or event that have columns of their own [default: 0]
    #[arg(long, env = "S4CAST_DAYS_BEFORE", value_name = "DAYS")]
    pub days_before: Option<String>,
    /// Days after it [default: 0]
    #[arg(long, env = "S4CAST_DAYS_AFTER", value_name = "DAYS")]
    pub days_after: Option<String>,
    /// Frequency, for example 15m, 1h, 1d, 1w, B, MS, ME (default: inferred per series)
    #[arg(long, env = "S4CAST_FREQ", value_name = "STEP")]
    pub freq: Option<String>,
    /// Time stamps: regular (on a grid), irregular (anywhere; --freq is the step of the forecasts) [default: regular]
    #[arg(long, env = "S4CAST_SAMPLING", value_name = "KIND")]
    pub sampling: Option<String>,
    /// Time zone of times without an offset, and of civil days (default: UTC)
    #[arg(long, env = "S4CAST_TZ", value_name = "ZONE")]
    pub tz: Option<String>,
    /// Repeated timestamps: error, first, last, latest, mean, sum [default: error]
    #[arg(long, env = "S4CAST_DUPLICATES", value_name = "POLICY")]
    pub duplicates: Option<String>,
    /// Holes in the time grid: mask (null), error, zero, ffill, linear, seasonal [default: mask]
    #[arg(long, env = "S4CAST_GAPS", value_name = "POLICY")]
    pub gaps: Option<String>,
    /// Rows out of order: sort, error [default: sort]
    #[arg(long, env = "S4CAST_ORDER", value_name = "POLICY")]
    pub order: Option<String>,
    /// How many bad series end the job: a share as 5% or a number [default: 25%]
    #[arg(long, env = "S4CAST_MAX_BAD_SERIES", allow_negative_numbers = true, value_name = "LIMIT")]
    pub max_bad_series: Option<String>,
    /// Pretend that it is this time: of later rows only what is known in advance is read
    #[arg(long, env = "S4CAST_AS_OF", value_name = "TIME")]
    pub as_of: Option<String>,
    /// Bytes that the files may have together, such as 2GiB; more are refused before a row is read (default: any number)
    #[arg(long, env = "S4CAST_MAX_BYTES", value_name = "SIZE")]
    pub max_bytes: Option<String>,
    /// Rows that they may have together (default: any number)
    #[arg(long, env = "S4CAST_MAX_ROWS", allow_negative_numbers = true, value_name = "ROWS")]
    pub max_rows: Option<String>,
    /// Worker threads [default: one per core]
    #[arg(short = 'j', long, env = "S4CAST_THREADS", allow_negative_numbers = true, value_name = "N")]
    pub threads: Option<String>,
}

impl SourceArgs {
    /// Lays the flags over the settings.
    pub fn apply(&self, settings: &mut Settings) {
        if self.inputs.iter().any(|input| !input.trim().is_empty()) {
            settings.drop_exec();
        }
        settings.flag(Key::Inputs, self.inputs.clone());
        settings.instead(Key::Exec, self.exec.as_ref(), Key::Inputs);
        settings.flag(Key::ExecTimeout, self.exec_timeout.clone());
        settings.flag(Key::ExecMaxBytes, self.exec_max_bytes.clone());
        self.reading.apply(settings);
    }
}

impl ReadingArgs {
    /// Lays the flags over the settings.
    pub fn apply(&self, settings: &mut Settings) {
        settings.flag(Key::Time, self.time.clone());
        settings.flag(Key::Target, self.target.clone());
        settings.flag(Key::PastCovariates, self.past_covariates.clone());
        settings.flag(Key::FutureCovariates, self.future_covariates.clone());
        settings.flag(Key::StaticCovariates, self.static_covariates.clone());
        settings.flag(Key::Categories, self.categories.clone());
        settings.flag(Key::MissingCovariates, self.missing_covariates.clone());
        settings.flag(Key::Hierarchy, self.hierarchy.clone());
        settings.flag(Key::Reconcile, self.reconcile.clone());
        settings.flag(Key::HierarchyCovariates, self.hierarchy_covariates.clone());
        settings.flag(Key::Calendar, self.calendar.clone());
        settings.flag(Key::Holidays, self.holidays.clone());
        settings.flag(Key::Events, self.events.clone());
        settings.flag(Key::DaysBefore, self.days_before.clone());
        settings.flag(Key::DaysAfter, self.days_after.clone());
        settings.flag(Key::Freq, self.freq.clone());
        settings.flag(Key::Sampling, self.sampling.clone());
        settings.flag(Key::Tz, self.tz.clone());
        settings.flag(Key::Duplicates, self.duplicates.clone());
        settings.flag(Key::Gaps, self.gaps.clone());
        settings.flag(Key::Order, self.order.clone());
        settings.flag(Key::MaxBadSeries, self.max_bad_series.clone());
        settings.flag(Key::AsOf, self.as_of.clone());
        settings.flag(Key::MaxBytes, self.max_bytes.clone());
        settings.flag(Key::MaxRows, self.max_rows.clone());
        settings.flag(Key::Threads, self.threads.clone());
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct Forecast {
    #[command(flatten)]
    pub source: SourceArgs,
    /// Id columns; repeat the flag or separate by commas (default: found by their values)
    #[arg(long, env = "S4CAST_ID", value_name = "COLUMN", value_delimiter = ',', help_heading = "Source")]
    pub id: Vec<String>,
    #[command(flatten)]
    pub model: ModelArgs,
    /// Also forecast what would be if columns known in advance were other over the horizon: price=+10%, =-3, =*1.2, =VALUE;
    /// several with commas, a name in front: "promo: price=-10%, promo=1"; repeat the flag for more
    #[arg(long = "scenario", env = "S4CAST_SCENARIO", value_name = "SCENARIO", help_heading = "Scenarios")]
    pub scenarios: Vec<String>,
    #[command(flatten)]
    pub load: LoadArgs,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub limits: LimitArgs,
    #[command(flatten)]
    pub run: RunArgs,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Model")]
pub(super) struct LoadArgs {
    /// Forecast with a saved model, without training: a file of --save-model, or STATE/models/JOB/VERSION, by path or address
    #[arg(long, env = "S4CAST_LOAD_MODEL", value_name = "PATH")]
    pub load_model: Option<String>,
    /// Step of the data in steps of the loaded model, for example 0.25 for 15 minutes and 1 hour; auto takes it from the
    /// frequencies (default: they are the same)
    #[arg(long, env = "S4CAST_SAMPLING_SCALE", allow_negative_numbers = true, value_name = "SCALE")]
    pub sampling_scale: Option<String>,
    /// Load only the folder of a version that this public key (ed25519:…) signed; repeat the flag for more keys
    #[arg(long = "trusted-key", env = "S4CAST_TRUSTED_KEY", value_name = "KEY", value_delimiter = ',')]
    pub trusted_keys: Vec<String>,
}

impl LoadArgs {
    /// Lays the flags over the settings.
    pub fn apply(&self, settings: &mut Settings) {
        settings.flag(Key::LoadModel, self.load_model.clone());
        settings.flag(Key::SamplingScale, self.sampling_scale.clone());
        settings.flag(Key::ModelTrustedKeys, self.trusted_keys.clone());
    }
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Model")]
pub(super) struct ModelArgs {
    /// Steps to forecast [with --load-model: those that the model was trained for]
    #[arg(short = 'H', long, env = "S4CAST_HORIZON", allow_negative_numbers = true, value_name = "STEPS")]
    pub horizon: Option<String>,
    /// Coverage levels of the intervals in percent; the first is the one of yhat_lower and yhat_upper [default: 80,95]
    #[arg(
        long,
        env = "S4CAST_LEVELS",
        allow_negative_numbers = true,
        value_name = "PERCENT",
        value_delimiter = ','
    )]
    pub levels: Vec<String>,
    /// Forecaster: auto, s4d, s4, sashimi, ridge, seasonal_naive, naive, ets, mstl, croston, croston_sba, tsb, adida,
    /// imapa, counts, ensemble [default: auto]
    #[arg(long, env = "S4CAST_MODEL", value_name = "NAME")]
    pub model: Option<String>,
    /// Season length in steps (default: detected)
    #[arg(long, env = "S4CAST_SEASON_LENGTH", allow_negative_numbers = true, value_name = "STEPS")]
    pub season_length: Option<String>,
    /// Seed of every random number [default: 1]
    #[arg(long, env = "S4CAST_SEED", allow_negative_numbers = true, value_name = "N")]
    pub seed: Option<String>,
    /// Wall-clock limit of training, for example 60s: the best model so far is used (default: none)
    #[arg(long, env = "S4CAST_BUDGET", allow_negative_numbers = true, value_name = "TIME")]
    pub budget: Option<String>,
    /// How much work a fit is worth: fast, balanced, best [default: balanced]
    #[arg(long, env = "S4CAST_PRESET", value_name = "NAME")]
    pub preset: Option<String>,
    /// What the point forecast is: median, mean [default: median]
    #[arg(long, env = "S4CAST_POINT", value_name = "NAME")]
    pub point: Option<String>,
    /// Least value of a forecast, its intervals included (default: none)
    #[arg(long, env = "S4CAST_MIN", allow_negative_numbers = true, value_name = "VALUE")]
    pub min: Option<String>,
    /// Largest value of a forecast, its intervals included (default: none)
    #[arg(long, env = "S4CAST_MAX", allow_negative_numbers = true, value_name = "VALUE")]
    pub max: Option<String>,
    /// Round forecasts and their intervals to whole numbers
    #[arg(long, env = "S4CAST_INTEGER", action = ArgAction::SetTrue, value_parser = FalseyValueParser::new())]
    pub integer: bool,
    /// The same as --min 0
    #[arg(long, env = "S4CAST_NON_NEGATIVE", action = ArgAction::SetTrue, value_parser = FalseyValueParser::new())]
    pub non_negative: bool,
}

impl ModelArgs {
    /// Lays the flags over the settings.
    pub fn apply(&self, settings: &mut Settings) {
        settings.flag(Key::Horizon, self.horizon.clone());
        settings.flag(Key::Levels, self.levels.clone());
        settings.flag(Key::Kind, self.model.clone());
        settings.flag(Key::SeasonLength, self.season_length.clone());
        settings.flag(Key::Seed, self.seed.clone());
        settings.flag(Key::Budget, self.budget.clone());
        settings.flag(Key::Preset, self.preset.clone());
        settings.flag(Key::Point, self.point.clone());
        settings.flag(Key::Min, self.min.clone());
        settings.flag(Key::Max, self.max.clone());
        settings.flag(Key::Integer, self.integer.then_some("true"));
        settings.flag(Key::NonNegative, self.non_negative.then_some("true"));
    }
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Output")]
pub(super) struct OutputArgs {
    /// Where the forecasts go, as Parquet; with --shard, the folder of the run
    #[arg(short, long, env = "S4CAST_OUTPUT", value_name = "OUT.parquet")]
    pub output: Option<String>,
    /// Also save the trained weights
    #[arg(long, env = "S4CAST_SAVE_MODEL", value_name = "FILE.safetensors")]
    pub save_model: Option<String>,
    /// Also write the quality report of every series
    #[arg(long, env = "S4CAST_QUALITY", value_name = "FILE.parquet")]
    pub quality: Option<String>,
    /// Exit with code 3 where the result is less than what was asked for
    #[arg(long, env = "S4CAST_STRICT", action = ArgAction::SetTrue, value_parser = FalseyValueParser::new())]
    pub strict: bool,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Limits")]
pub(super) struct LimitArgs {
    /// Memory that may be taken, such as 4GiB; what is estimated to take more is refused before it begins [default: nine tenths of
    /// what the machine or its control group has]
    #[arg(long, env = "S4CAST_MAX_MEMORY", value_name = "SIZE")]
    pub max_memory: Option<String>,
}

impl Forecast {
    /// Lays the flags over the settings.
    pub fn apply(&self, settings: &mut Settings) {
        self.source.apply(settings);
        settings.flag(Key::Id, self.id.clone());
        self.model.apply(settings);
        settings.flag(Key::MaxMemory, self.limits.max_memory.clone());
        settings.flag(Key::Scenarios, self.scenarios.clone());
        self.load.apply(settings);
        settings.flag(Key::Output, self.output.output.clone());
        settings.flag(Key::SaveModel, self.output.save_model.clone());
        settings.flag(Key::Quality, self.output.quality.clone());
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct Generate {
    /// Model file of a run, best.safetensors
    #[arg(value_name = "MODEL")]
    pub model: PathBuf,
    /// File to write: Parquet for series, WAV for sounds, else bytes; several paths of the latter go to name-1.wav,
    /// name-2.wav, …
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Codes to generate: samples of a sound, bytes, or steps of series [default for series: the horizon of the model]
    #[arg(short = 'n', long, value_name = "STEPS", value_parser = value_parser!(u32).range(1..=100_000_000))]
    pub steps: Option<u32>,
    /// Series to continue, CSV or Parquet
    #[arg(long, value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// Id columns of the series; repeat the flag or separate by commas (default: found by their values)
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    pub id: Vec<String>,
    /// Time column of the series (default: found by its values)
    #[arg(long, value_name = "COLUMN")]
    pub time: Option<String>,
    /// Target column of the series (default: found by its values)
    #[arg(long, value_name = "COLUMN")]
    pub target: Option<String>,
    /// How many times, each with draws of its own
    #[arg(long, default_value_t = 1, value_parser = value_parser!(u32).range(1..=10_000))]
    pub paths: u32,
    /// What comes before: a WAV file of the same rate, or any file for a model of bytes
    #[arg(long, value_name = "FILE")]
    pub prefix: Option<PathBuf>,
    /// Divides the logits: 1 draws from the model, 0 takes the likeliest code [default: the model's, 1 but for series]
    #[arg(long)]
    pub temperature: Option<f64>,
    /// Only the likeliest codes that have this share of the probability together
    #[arg(long, default_value_t = 1.0)]
    pub top_p: f64,
    /// Seed of the draws
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Worker threads (default: one per core)
    #[arg(short = 'j', long, value_parser = value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Train {
    /// pipeline=NAME|FILE.toml and model=NAME|FILE.toml, then any of their keys. Benchmarks: data_dir, horizon, seed,
    /// season_length, budget, preset, threads, levels, point, parts, stride, split, pipeline.KEY. Sequence tasks (mnist,
    /// speech_commands, text, audio): data_dir, out, resume, threads, pipeline.KEY, model.KEY, train.KEY; --dry-run lists them
    #[arg(value_name = "KEY=VALUE", required = true)]
    pub settings: Vec<String>,
    /// Write every forecast, as series_id, ts, h, mean, origin, q0.025, …; several horizons go to several files
    #[arg(long, value_name = "FILE.parquet")]
    pub save_forecasts: Option<PathBuf>,
    /// Print what would be done and do nothing
    #[arg(long, action = ArgAction::SetTrue)]
    pub dry_run: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct DataCheck {
    #[command(flatten)]
    pub source: SourceArgs,
    /// Id columns; repeat the flag or separate by commas (default: found by their values)
    #[arg(long, env = "S4CAST_ID", value_name = "COLUMN", value_delimiter = ',', help_heading = "Source")]
    pub id: Vec<String>,
    /// Write the quality report of every series
    #[arg(long, visible_alias = "report", env = "S4CAST_QUALITY", value_name = "FILE.parquet")]
    pub quality: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct DataShow {
    #[command(flatten)]
    pub source: SourceArgs,
    /// Id columns; repeat the flag or separate by commas (default: found by their values)
    #[arg(long, env = "S4CAST_ID", value_name = "COLUMN", value_delimiter = ',', help_heading = "Source")]
    pub id: Vec<String>,
    /// The series to show, by its unique_id (default: the first one)
    #[arg(long, env = "S4CAST_SERIES", value_name = "UNIQUE_ID")]
    pub series: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Demo {
    /// Folder for the files; it is created if need be
    #[arg(value_name = "DIR", default_value = "s4cast-demo")]
    pub dir: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(super) struct Schema {
    /// Print views for DuckDB over this folder of a sink instead: s4cast schema --views out | duckdb lake.db
    #[arg(long, value_name = "DIR")]
    pub views: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Init {
    /// CSV or Parquet files, globs or folders
    #[arg(long = "from", value_name = "DATA", required = true, num_args = 1..)]
    pub from: Vec<String>,
    /// Steps to forecast (default: one season, or a usual number of steps)
    #[arg(short = 'H', long, value_name = "STEPS", value_parser = value_parser!(u32).range(1..=10_000))]
    pub horizon: Option<u32>,
    /// Id columns; repeat the flag or separate by commas (default: found by their values)
    #[arg(long, env = "S4CAST_ID", value_name = "COLUMN", value_delimiter = ',')]
    pub id: Vec<String>,
    /// Time column (default: found by its values)
    #[arg(long, env = "S4CAST_TIME", value_name = "COLUMN")]
    pub time: Option<String>,
    /// Target column (default: found by its values)
    #[arg(long, env = "S4CAST_TARGET", value_name = "COLUMN")]
    pub target: Option<String>,
    /// Time zone of times without an offset, and of civil days (default: UTC)
    #[arg(long, env = "S4CAST_TZ", value_name = "ZONE")]
    pub tz: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Validate {
    /// Config file, one-shot or daemon
    #[arg(short, long, env = "S4CAST_CONFIG", value_name = "FILE")]
    pub config: PathBuf,
    /// Look at the file alone: not at inputs, folders, free space and secrets
    #[arg(long, env = "S4CAST_NO_ENVIRONMENT", action = ArgAction::SetTrue, value_parser = FalseyValueParser::new())]
    pub no_environment: bool,
    /// Take warnings for problems
    #[arg(long, env = "S4CAST_DENY_WARNINGS", action = ArgAction::SetTrue, value_parser = FalseyValueParser::new())]
    pub deny_warnings: bool,
}
