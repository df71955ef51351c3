//! What a forecast file must hold before anybody may see it.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, TimestampMicrosecondType};
use arrow_array::{Array, Float64Array, RecordBatch};
use arrow_schema::{DataType, Schema};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::fs::File;

/// Checks a whole Parquet file: footer, schema, row count, then every value; the first violation is the error.
///
/// `quantiles` are the columns that must not decrease from one to the next.
pub(super) fn parquet(file: File, schema: &Schema, quantiles: &[String], rows: usize) -> Result<(), String> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| error.to_string())?;
    if reader.schema().fields() != schema.fields() {
        return Err("the schema differs from what was written".into());
    }
    let batches = reader.build().map_err(|error| error.to_string())?;
    batches_of(batches.map(|batch| batch.map_err(|error| error.to_string())), quantiles, rows)
}

/// Checks the rows of a file, batch by batch.
pub(super) fn batches_of(
    batches: impl Iterator<Item = Result<RecordBatch, String>>,
    quantiles: &[String],
    rows: usize,
) -> Result<(), String> {
    let mut last = None;
    let mut found = 0;
    for batch in batches {
        let batch = batch?;
        found += batch.num_rows();
        last = check(&batch, quantiles, last)?;
    }
    match found == rows {
        true => Ok(()),
        false => Err(format!("{found} rows instead of {rows}")),
    }
}

/// Where a column stands.
pub(super) fn place(schema: &Schema, name: &str) -> Result<usize, String> {
    schema.index_of(name).map_err(|_| format!("column {name} is missing"))
}

/// Id, scenario and time of a row: strictly ascending over the file, the plain forecast of a series before its scenarios.
type Place = (String, Option<String>, i64);

/// Checks the rows of one batch; `last` is the place of the row before it. Returns the place of its last row.
fn check(batch: &RecordBatch, quantiles: &[String], last: Option<Place>) -> Result<Option<Place>, String> {
    numbers(batch, quantiles)?;
    let column = |name: &str| place(batch.schema_ref(), name).map(|place| batch.column(place));
    let ids = column("unique_id")?.as_string::<i32>();
    let times = column("ds")?.as_primitive::<TimestampMicrosecondType>();
    // Nixtla's columns have no scenarios.
    let scenarios = column("scenario").ok().map(|column| column.as_string::<i32>());
    let mut last = last;
    for row in 0..batch.num_rows() {
        let scenario = scenarios.filter(|names| !names.is_null(row)).map(|names| names.value(row));
        let (id, time) = (ids.value(row), times.value(row));
        let is_out_of_order = |(before, other, earlier): &Place| {
            (before.as_str(), other.as_deref(), *earlier) >= (id, scenario, time)
        };
        if last.as_ref().is_some_and(is_out_of_order) {
            return Err(format!(
                "{id}: rows are not in strictly ascending order of unique_id, scenario and ds"
            ));
        }
        last = Some((id.into(), scenario.map(String::from), time));
    }
    Ok(last)
}

/// Checks that all numbers are finite, where there are any, and that quantiles do not cross.
pub(super) fn numbers(batch: &RecordBatch, quantiles: &[String]) -> Result<(), String> {
    let column = |name: &str| place(batch.schema_ref(), name).map(|place| batch.column(place));
    let numbers = |name: &str| column(name).map(|found| found.as_primitive::<Float64Type>());
    let ids = column("unique_id")?.as_string::<i32>();
    for field in batch.schema_ref().fields().iter().filter(|field| *field.data_type() == DataType::Float64) {
        finite(field.name(), numbers(field.name())?)?;
    }
    let mut lower: Option<(&str, &Float64Array)> = None;
    for name in quantiles {
        let upper = numbers(name)?;
        if let Some((below, lower)) = lower
            && let Some(row) = crossing(lower.values(), upper.values())
        {
            let (low, high) = (lower.value(row), upper.value(row));
            return Err(format!("{}: {below} = {low:e} is above {name} = {high:e}", ids.value(row)));
        }
        lower = Some((name, upper));
    }
    Ok(())
}

fn finite(name: &str, values: &Float64Array) -> Result<(), String> {
    match values.iter().flatten().find(|value| !value.is_finite()) {
        Some(value) => Err(format!("{name} holds {value}")),
        None => Ok(()),
    }
}

/// First row where the lower quantile lies above the upper one.
fn crossing(lower: &[f64], upper: &[f64]) -> Option<usize> {
    lower.iter().zip(upper).position(|(low, high)| low > high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_crossing_is_found(mut values in proptest::collection::vec(-1e9_f64..1e9, 2..40)) {
            let shifted: Vec<f64> = values.iter().map(|value| value + 1.0).collect();
            prop_assert_eq!(crossing(&values, &shifted), None);
            prop_assert_eq!(crossing(&values, &values), None);
            let row = values.len() / 2;
            values[row] = shifted[row] + 1.0;
            prop_assert_eq!(crossing(&values, &shifted), Some(row));
        }
    }
}
