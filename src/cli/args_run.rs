//! Flags of `forecast` about the run that its forecasts are, and the share of it that one process makes.

use crate::config::RawRun;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Run")]
pub(super) struct RunArgs {
    /// Forecast the series of shard i of N alone, as a part of a run (--output names its folder or address), which is
    /// committed once all N parts are there; auto takes i and N from the scheduler (JOB_COMPLETION_INDEX,
    /// SLURM_ARRAY_TASK_ID or S4CAST_POD_NAME, and S4CAST_SHARD_COUNT)
    #[arg(long, env = "S4CAST_SHARD", value_name = "i/N")]
    pub shard: Option<String>,
    /// Wait so long for the parts of the other shards, and exit with code 3 if they do not come (default: do not wait)
    #[arg(long, env = "S4CAST_SHARD_TIMEOUT", allow_negative_numbers = true, value_name = "TIME")]
    pub shard_timeout: Option<String>,
    /// Id of the run in every row [default: a new UUIDv7; with --shard, that of the run in the folder]
    #[arg(long, env = "S4CAST_RUN_ID", value_name = "ID")]
    pub run_id: Option<String>,
    /// Nominal instant of the run [default: --as-of, else now; with --shard, that of the run in the folder]
    #[arg(long, env = "S4CAST_ISSUED_AT", value_name = "TIME")]
    pub issued_at: Option<String>,
}

impl RunArgs {
    /// As they are written.
    pub fn raw(&self) -> RawRun {
        RawRun {
            shard: self.shard.clone(),
            shard_timeout: self.shard_timeout.clone(),
            run_id: self.run_id.clone(),
            issued_at: self.issued_at.clone(),
        }
    }
}
