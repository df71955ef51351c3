//! The clap types of the daemon and of what looks into its state.

use crate::store::Place;
use clap::Subcommand;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(super) struct Serve {
    /// Config file of the daemon
    #[arg(short, long, env = "S4CAST_CONFIG", value_name = "FILE")]
    pub config: PathBuf,
    /// Clock: the machine's, or sim:START..END to replay that span as fast as it goes
    #[arg(long, env = "S4CAST_CLOCK", value_name = "CLOCK", default_value = "system")]
    pub clock: String,
    /// Plan and record every slot, but do no work: a drill of the schedules
    #[arg(long)]
    pub dry_run: bool,
    /// Format of the log on stderr
    #[arg(long, env = "S4CAST_LOG_FORMAT", value_enum, default_value = "text", value_name = "FORMAT")]
    pub log_format: LogFormat,
    /// Lines that one place in the program logs a minute; 0 sets no limit. What is left out is counted in one line a minute
    #[arg(long, env = "S4CAST_LOG_LIMIT", default_value_t = 60, value_name = "N")]
    pub log_limit: u32,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

#[derive(Debug, clap::Args)]
pub(super) struct Run {
    /// Name of the job
    #[arg(value_name = "JOB")]
    pub job: String,
    /// Config file of the daemon
    #[arg(short, long, env = "S4CAST_CONFIG", value_name = "FILE")]
    pub config: PathBuf,
    /// What to do: train, forecast or score
    #[arg(long, default_value = "forecast", value_name = "STAGE")]
    pub stage: String,
    /// Nominal instant of the slot; rows after it are not read
    #[arg(long, value_name = "TIME", conflicts_with = "now")]
    pub slot: Option<String>,
    /// The slot is now (the default)
    #[arg(long)]
    pub now: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Explain {
    /// Series to explain
    #[arg(value_name = "ID")]
    pub unique_id: String,
    /// Name of the job
    #[arg(long, value_name = "JOB")]
    pub job: String,
    /// Config file of the daemon
    #[arg(short, long, env = "S4CAST_CONFIG", value_name = "FILE")]
    pub config: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(super) struct Score {
    /// Name of the job
    #[arg(long, value_name = "JOB")]
    pub job: String,
    /// Config file of the daemon
    #[arg(short, long, env = "S4CAST_CONFIG", value_name = "FILE")]
    pub config: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(super) enum ScheduleCommand {
    /// The next slots, of a config or of one expression
    Next(ScheduleNext),
    /// The schedules of a config
    List(ScheduleList),
}

#[derive(Debug, clap::Args)]
pub(super) struct ScheduleNext {
    /// Config file of the daemon
    #[arg(short, long, env = "S4CAST_CONFIG", value_name = "FILE", required_unless_present_any = ["cron", "every"])]
    pub config: Option<PathBuf>,
    /// A cron expression instead of a config
    #[arg(long, value_name = "EXPRESSION", conflicts_with_all = ["every", "config"])]
    pub cron: Option<String>,
    /// An interval instead of a config, for example 15m
    #[arg(long, value_name = "INTERVAL", conflicts_with = "config")]
    pub every: Option<String>,
    /// Slots of each schedule
    #[arg(short = 'n', long, default_value_t = 5, value_name = "N")]
    pub number: usize,
    /// Slots after this time (default: now); without an offset it is read in --tz
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Zone of --from and --cron, and of what is shown (default: each schedule's own)
    #[arg(long, value_name = "ZONE")]
    pub tz: Option<String>,
    /// This job only
    #[arg(long, value_name = "JOB")]
    pub job: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct ScheduleList {
    /// Config file of the daemon
    #[arg(short, long, env = "S4CAST_CONFIG", value_name = "FILE")]
    pub config: PathBuf,
}

/// Where the state of a daemon is.
#[derive(Debug, clap::Args)]
pub(super) struct StateArgs {
    /// State directory (default: that of --config, or ./state)
    #[arg(long, env = "S4CAST_STATE", value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Config file that names the state directory
    #[arg(short, long, env = "S4CAST_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Top {
    #[command(flatten)]
    pub state: StateArgs,
    /// Print what there is to see once, as text, and end; so it is where stdout is no terminal
    #[arg(long)]
    pub once: bool,
    /// Look once, and exit with code 1 unless a daemon is there and its loop turns: for the health check of a container
    #[arg(long, conflicts_with = "interval")]
    pub check: bool,
    /// Time between two looks
    #[arg(long, default_value = "1s", value_name = "TIME")]
    pub interval: String,
}

#[derive(Debug, Subcommand)]
pub(super) enum RunsCommand {
    /// The slots of the ledger, newest first
    Ls(RunsLs),
    /// Everything about one slot
    Show(RunsShow),
    /// Work an ended slot again: the same instant, the same run, its files replaced
    Retry(RunsRetry),
    /// Write the ledger as Parquet
    Export(RunsExport),
}

#[derive(Debug, clap::Args)]
pub(super) struct RunsLs {
    #[command(flatten)]
    pub state: StateArgs,
    /// Of this job only
    #[arg(long, value_name = "JOB")]
    pub job: Option<String>,
    /// Of this stage only: train, forecast or score
    #[arg(long, value_name = "STAGE")]
    pub stage: Option<String>,
    /// With this outcome only: ok, degraded, failed, skipped or missed
    #[arg(long, value_name = "OUTCOME")]
    pub outcome: Option<String>,
    /// Slots at or after this time
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Slots before this time
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// At most so many
    #[arg(short = 'n', long, default_value_t = 50, value_name = "N")]
    pub limit: usize,
}

#[derive(Debug, clap::Args)]
pub(super) struct RunsShow {
    #[command(flatten)]
    pub state: StateArgs,
    /// Number of the slot
    #[arg(value_name = "ID")]
    pub id: i64,
}

#[derive(Debug, clap::Args)]
pub(super) struct RunsRetry {
    /// Config file of the daemon
    #[arg(short, long, env = "S4CAST_CONFIG", value_name = "FILE")]
    pub config: PathBuf,
    /// Number of the slot
    #[arg(value_name = "ID")]
    pub id: i64,
}

#[derive(Debug, clap::Args)]
pub(super) struct RunsExport {
    #[command(flatten)]
    pub state: StateArgs,
    /// Where it goes
    #[arg(short, long, value_name = "RUNS.parquet", value_parser = Place::parse)]
    pub output: Place,
}
