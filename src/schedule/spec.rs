//! When the stages of a job run, and how the daemon behaves, fully checked.

use crate::pipeline::{JobSpec, Limits};
use crate::registry::Keys;
use crate::schedule::cron::Rule;
use crate::series::shard::Shard;
use crate::store::Address;
use jiff::SignedDuration;
use std::path::PathBuf;
use std::sync::Arc;

/// What a slot does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Fits a model and adds it to the registry.
    Train,
    /// Forecasts with the champion and publishes a run.
    Forecast,
    /// Compares published runs with what came true.
    Score,
}

impl Stage {
    /// All stages.
    pub const ALL: [Stage; 3] = [Stage::Train, Stage::Forecast, Stage::Score];

    /// Name in the config, the ledger and the metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::Train => "train",
            Stage::Forecast => "forecast",
            Stage::Score => "score",
        }
    }

    /// The stage of that name.
    pub fn from_name(name: &str) -> Option<Stage> {
        Stage::ALL.into_iter().find(|stage| stage.as_str() == name)
    }
}

/// What becomes of slots that passed while the daemon was down, asleep or busy elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Missed {
    /// None of them runs.
    Skip,
    /// Only the latest of them runs, late.
    #[default]
    Once,
    /// All of them run, oldest first, late.
    All,
}

/// What becomes of a slot that is due while the previous one of the same job and stage still runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overlap {
    /// It is skipped.
    #[default]
    Forbid,
    /// It waits.
    Queue,
    /// It takes the place of the running one, which is stopped.
    Replace,
}

/// When a stage of a job runs.
#[derive(Clone, Debug)]
pub struct ScheduleSpec {
    /// The instants.
    pub rule: Rule,
    /// Slots that passed unseen.
    pub missed: Missed,
    /// A slot that would start later than this after its instant is recorded as missed; `None` sets no limit.
    pub max_lateness: Option<SignedDuration>,
    /// Slots that meet a running one.
    pub overlap: Overlap,
    /// Largest delay of the start; the delay itself is fixed by the names of job and stage.
    pub jitter: SignedDuration,
    /// Attempts in all, at least one; only failures that may pass by themselves are tried again.
    pub attempts: u32,
    /// Wait before the second attempt; it doubles with each further one.
    pub backoff: SignedDuration,
}

/// A job and its schedules.
#[derive(Clone, Debug)]
pub struct JobPlan {
    /// What to do.
    pub job: Arc<JobSpec>,
    /// When to train; `None` fits a model in every forecast slot.
    pub train: Option<ScheduleSpec>,
    /// When to forecast.
    pub forecast: ScheduleSpec,
    /// When to score; `None` never does.
    pub score: Option<ScheduleSpec>,
    /// Whether new or changed source files start a forecast between slots.
    pub on_new_data: bool,
    /// SHA-256 of everything that the config says about the job, lower-case hex: a reload restarts only what changed.
    pub fingerprint: String,
}

impl JobPlan {
    /// The stages that have a schedule.
    pub fn stages(&self) -> impl Iterator<Item = (Stage, &ScheduleSpec)> {
        let all = [
            (Stage::Train, self.train.as_ref()),
            (Stage::Forecast, Some(&self.forecast)),
            (Stage::Score, self.score.as_ref()),
        ];
        all.into_iter().filter_map(|(stage, schedule)| Some((stage, schedule?)))
    }
}

/// The daemon itself.
#[derive(Clone, Debug)]
pub struct DaemonSpec {
    /// State directory: ledger, models, lock.
    pub state: PathBuf,
    /// Forecast and score slots that run at a time; trainings run one at a time beside them.
    pub workers: usize,
    /// How long a shutdown waits for running slots.
    pub drain_limit: SignedDuration,
    /// How often the content of the config file is looked at; `None` waits for SIGHUP.
    pub reload_poll: Option<SignedDuration>,
    /// How long ended slots stay in the ledger; `None` keeps them.
    pub ledger_retention: Option<SignedDuration>,
    /// Where the models are; `None` keeps them below the state directory.
    pub models: Option<Address>,
    /// By what several daemons agree who works a slot; `None` works all.
    pub leases: Option<LeaseSpec>,
    /// Which series it works on.
    pub shard: Shard,
    /// How long it waits for the parts of the other shards.
    pub shard_timeout: SignedDuration,
    /// What signs model versions, and whose signatures they need.
    pub keys: Keys,
    /// What slots may take of the machine.
    pub limits: Limits,
    /// All jobs, ascending by name.
    pub jobs: Vec<JobPlan>,
}

/// By what several daemons with the same jobs agree who works a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseSpec {
    /// Root of the leases in a store that all of them reach.
    pub address: Address,
    /// Name of this daemon; `None` takes that of the machine.
    pub node: Option<String>,
    /// How long a holder may be silent.
    pub ttl: SignedDuration,
}
