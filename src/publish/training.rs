//! The course of a training run as Parquet.

use crate::publish::{PublishError, Published, rows};
use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray, UInt64Array};
use arrow_schema::{DataType, Field, Schema};
use std::path::Path;
use std::sync::Arc;

/// One figure of one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingRow {
    /// Steps done.
    pub step: u64,
    /// Epoch that it belongs to, from 1 on.
    pub epoch: u64,
    /// `train` or `valid`.
    pub part: &'static str,
    /// Name of the figure.
    pub metric: &'static str,
    /// The figure.
    pub value: f64,
}

/// Writes the figures as Parquet, atomically: step, epoch, part, metric, value.
///
/// # Errors
/// See [`PublishError`].
pub fn write_training(path: &Path, all: &[TrainingRow]) -> Result<Published, PublishError> {
    let field = |name: &str, kind: DataType| Field::new(name, kind, false);
    let schema = Arc::new(Schema::new(vec![
        field("step", DataType::UInt64),
        field("epoch", DataType::UInt64),
        field("part", DataType::Utf8),
        field("metric", DataType::Utf8),
        field("value", DataType::Float64),
    ]));
    let whole = |of: fn(&TrainingRow) -> u64| -> ArrayRef {
        Arc::new(UInt64Array::from_iter_values(all.iter().map(of)))
    };
    let text = |of: fn(&TrainingRow) -> &'static str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(all.iter().map(of)))
    };
    let columns = vec![
        whole(|row| row.step),
        whole(|row| row.epoch),
        text(|row| row.part),
        text(|row| row.metric),
        Arc::new(Float64Array::from_iter_values(all.iter().map(|row| row.value))) as ArrayRef,
    ];
    rows::write(
        path,
        &schema,
        None,
        std::iter::once(RecordBatch::try_new(schema.clone(), columns)),
        all.len(),
    )
}
