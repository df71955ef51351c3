//! The score stage: read, find the runs that came true, compare.

use crate::pipeline::score::{Score, Scorer};
use crate::pipeline::stage::{Context, StageError};
use crate::pipeline::{JobSpec, SourceRead, SourceReport, StopWatch};
use crate::publish;

/// The newest runs that are looked at: enough for a month of hours, and bounded for a job of every minute.
const RUNS_MAX: usize = 750;

/// What a score slot did.
pub struct Scored {
    /// The figures; `None` if no forecast has come true yet.
    pub score: Option<Score>,
    /// Runs compared.
    pub runs: usize,
    /// What was found.
    pub source: SourceRead,
    /// Seconds of each step.
    pub seconds: Vec<(&'static str, f64)>,
}

/// Compares the newest runs of a job that were issued before the slot with what was known at the slot.
///
/// # Errors
/// See [`StageError`].
pub fn score(job: &JobSpec, context: &Context) -> Result<Scored, StageError> {
    let moment = context.moment;
    let mut clock = StopWatch::start();
    let reading = context.sources.read(&job.source_name, &job.source, moment.issued_at, context.known)?;
    clock.lap("read");

    let ingested = &reading.ingested;
    let mut scorer = Scorer::new(&ingested.panel, job.model.levels(), job.model.season_length());
    let commits = publish::runs(&job.sink.path, &job.name)?;
    let earlier = commits.iter().filter(|commit| commit.issued_at < moment.issued_at);
    let mut runs = 0;
    for commit in earlier.take(RUNS_MAX) {
        if let Some(columns) = publish::read_columns(commit, job.model.quantile_levels())? {
            scorer.add(&columns);
            runs += 1;
        }
    }
    clock.lap("compare");

    let report = SourceReport::of(ingested);
    let source = SourceRead { report, bytes_read: reading.bytes_read, stamps: reading.stamps };
    Ok(Scored { score: scorer.score(), runs, source, seconds: clock.laps })
}
