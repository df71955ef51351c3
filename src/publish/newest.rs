//! The newest runs of a job, and what one of them holds: for whoever looks, and does not want to wait.

use crate::publish::layout::{self, JobFolders};
use crate::publish::{Commit, Filter, PublishError, read_run};
use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use std::path::Path;

/// The newest committed runs of a job, newest first, at most `count`. Days are walked backwards until there are enough.
///
/// # Errors
/// If the sink cannot be read or the job is misnamed.
pub fn newest_runs(sink: &Path, job: &str, count: usize) -> Result<Vec<Commit>, PublishError> {
    let mut newest = Vec::new();
    for day in JobFolders::of(sink, job)?.days()?.iter().rev() {
        if newest.len() >= count {
            break;
        }
        // A day is later than another one with all of its runs.
        let mut found = layout::commits(day)?;
        found.sort_by(|a, b| b.age().cmp(&a.age()));
        newest.extend(found);
    }
    newest.truncate(count);
    Ok(newest)
}

/// What a run is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunSeries {
    /// Its series, ascending.
    pub unique_ids: Vec<String>,
    /// The latest cutoff of any of them, microseconds UTC; `None` where its columns do not say.
    pub cutoff: Option<i64>,
}

/// The series of a run, by two of its columns.
///
/// # Errors
/// [`PublishError::Read`] if the part file is gone or damaged.
pub fn read_series(commit: &Commit) -> Result<RunSeries, PublishError> {
    let path = commit.path();
    let filter = Filter { columns: ["unique_id", "cutoff"].map(String::from).into(), ..Filter::default() };
    let mut series = RunSeries::default();
    for batch in read_run(&path, &filter)? {
        add(&mut series, &batch).ok_or_else(|| PublishError::Read {
            path: path.clone(),
            reason: "unique_id is no text, or cutoff no time".into(),
        })?;
    }
    Ok(series)
}

/// Adds the rows of a batch, which follow those before in the order of ids; `None` if a column is not as it should be.
fn add(series: &mut RunSeries, batch: &RecordBatch) -> Option<()> {
    for id in batch.column_by_name("unique_id")?.as_string_opt::<i32>()?.iter().flatten() {
        if series.unique_ids.last().is_none_or(|last| last != id) {
            series.unique_ids.push(id.into());
        }
    }
    if let Some(column) = batch.column_by_name("cutoff") {
        let latest = column.as_primitive_opt::<TimestampMicrosecondType>()?.values().iter().max();
        series.cutoff = series.cutoff.max(latest.copied());
    }
    Some(())
}
