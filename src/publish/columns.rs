//! A published run as plain columns, for whoever compares it with what came true.

use crate::publish::commit::COMMIT_FILE;
use crate::publish::{Commit, Filter, Naming, PublishError, Which, names, read_run};
use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, TimestampMicrosecondType};

/// The columns of a run; all have one entry per row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunColumns {
    /// Composed ids.
    pub unique_id: Vec<String>,
    /// Target timestamps, microseconds UTC.
    pub ds: Vec<i64>,
    /// Last observation used, microseconds UTC.
    pub cutoff: Vec<i64>,
    /// Steps ahead, from 1 on.
    pub step: Vec<i32>,
    /// Point forecasts.
    pub yhat: Vec<f64>,
    /// Quantile forecasts: (level, values), in the order asked for.
    pub quantiles: Vec<(f64, Vec<f64>)>,
}

/// Reads the plain forecasts of a run, those of scenarios left out, with those of some quantile levels that it has; `None` if its columns have other names than schema v1.
///
/// # Errors
/// [`PublishError::Read`] if the part file is gone or damaged. A run that retention has taken since it was listed has no rows.
pub fn read_columns(commit: &Commit, levels: &[f64]) -> Result<Option<RunColumns>, PublishError> {
    if commit.naming != Naming::V1 {
        return Ok(None);
    }
    let path = commit.path();
    let mut columns = RunColumns::default();
    let batches = match read_run(&path, &Filter { scenario: Which::Plain, ..Filter::default() }) {
        Err(_) if !commit.folder.join(COMMIT_FILE).exists() => return Ok(Some(columns)),
        batches => batches?,
    };
    for batch in batches {
        add(&mut columns, &batch, levels).ok_or_else(|| PublishError::Read {
            path: path.clone(),
            reason: "a column of schema v1 is missing or has another type".into(),
        })?;
    }
    Ok(Some(columns))
}

/// Adds the rows of a batch; `None` if a column is not as it should be.
fn add(columns: &mut RunColumns, batch: &RecordBatch, levels: &[f64]) -> Option<()> {
    let times = |name: &str| {
        let column = batch.column_by_name(name)?.as_primitive_opt::<TimestampMicrosecondType>()?;
        Some(column.values().to_vec())
    };
    let numbers = |name: &str| {
        let column = batch.column_by_name(name)?.as_primitive_opt::<Float64Type>()?;
        Some(column.values().to_vec())
    };
    let ids = batch.column_by_name("unique_id")?.as_string_opt::<i32>()?;
    columns.unique_id.extend(ids.iter().map(|id| id.unwrap_or_default().to_owned()));
    columns.ds.extend(times("ds")?);
    columns.cutoff.extend(times("cutoff")?);
    let steps = batch.column_by_name("horizon")?.as_primitive_opt::<Int32Type>()?;
    columns.step.extend(steps.values());
    columns.yhat.extend(numbers("yhat")?);
    for &level in levels {
        let Some(values) = numbers(&names::quantile_name(level)) else { continue };
        match columns.quantiles.iter_mut().find(|(have, _)| *have == level) {
            Some((_, all)) => all.extend(values),
            None => columns.quantiles.push((level, values)),
        }
    }
    Some(())
}
