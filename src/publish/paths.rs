//! Sample paths as Parquet: what may come, one possible future after the other.

use crate::publish::table::timestamp;
use crate::publish::{PublishError, Published, rows};
use arrow_array::{ArrayRef, Float64Array, Int32Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, Schema};
use std::path::Path;
use std::sync::Arc;

/// Paths of one series.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesPaths {
    /// Composed id.
    pub unique_id: String,
    /// Timestamps of the steps, microseconds UTC.
    pub ds: Vec<i64>,
    /// Values, one path of all steps after the other.
    pub values: Vec<f64>,
}

/// Writes paths as Parquet, atomically: unique_id, ds, path (from 1 on), value; series by series, path by path.
///
/// # Errors
/// See [`PublishError`].
pub fn write_paths(path: &Path, all: &[SeriesPaths]) -> Result<Published, PublishError> {
    let field = |name: &str, kind: DataType| Field::new(name, kind, false);
    let schema = Arc::new(Schema::new(vec![
        field("unique_id", DataType::Utf8),
        field("ds", timestamp()),
        field("path", DataType::Int32),
        field("value", DataType::Float64),
    ]));
    let count: usize = all.iter().map(|one| one.values.len()).sum();
    let batch = |one: &SeriesPaths| {
        let steps = one.ds.len();
        let count = one.values.len();
        let ds = TimestampMicrosecondArray::from_iter_values((0..count).map(|at| one.ds[at % steps]));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(std::iter::repeat_n(&one.unique_id, count))),
            Arc::new(ds.with_timezone("UTC")),
            Arc::new(Int32Array::from_iter_values((0..count).map(|at| (at / steps) as i32 + 1))),
            Arc::new(Float64Array::from(one.values.clone())),
        ];
        RecordBatch::try_new(schema.clone(), columns)
    };
    rows::write(path, &schema, None, all.iter().map(batch), count)
}
