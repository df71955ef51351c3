//! The ledger as Parquet, for whoever queries runs beside forecasts.

use crate::publish::table::timestamp;
use crate::publish::{PublishError, Published, rows};
use arrow_array::{
    ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, UInt32Array,
};
use arrow_schema::{ArrowError, DataType, Field, Schema};
use std::path::Path;
use std::sync::Arc;

/// Rows written at once.
const CHUNK_ROWS: usize = 65_536;

/// One slot of the ledger; all instants in microseconds UTC.
#[derive(Clone, Debug)]
pub struct RunRow {
    /// Number in the ledger.
    pub id: i64,
    /// Name of the job.
    pub job: String,
    /// What it does.
    pub stage: String,
    /// Nominal instant.
    pub slot: i64,
    /// Why it was planned.
    pub trigger: String,
    /// When it was written.
    pub planned_at: i64,
    /// When its last attempt began.
    pub started_at: Option<i64>,
    /// When it ended.
    pub ended_at: Option<i64>,
    /// How it ended; `None` while it waits or runs.
    pub outcome: Option<String>,
    /// Whether its time had passed unseen.
    pub is_late: bool,
    /// Attempts begun.
    pub attempts: u32,
    /// UUIDv7 of its run.
    pub run_id: String,
    /// Why it ended as it did, one line each.
    pub reasons: String,
    /// What it did, as JSON.
    pub detail: String,
}

/// Writes slots as Parquet, atomically.
///
/// # Errors
/// See [`PublishError`].
pub fn write_runs(path: &Path, runs: &[RunRow]) -> Result<Published, PublishError> {
    let schema = Arc::new(schema());
    let batches = runs.chunks(CHUNK_ROWS).map(|chunk| batch(&schema, chunk));
    rows::write(path, &schema, None, batches, runs.len())
}

fn schema() -> Schema {
    let field = |name: &str, kind: DataType| Field::new(name, kind, false);
    Schema::new(vec![
        field("id", DataType::Int64),
        field("job", DataType::Utf8),
        field("stage", DataType::Utf8),
        field("slot", timestamp()),
        field("trigger", DataType::Utf8),
        field("planned_at", timestamp()),
        Field::new("started_at", timestamp(), true),
        Field::new("ended_at", timestamp(), true),
        Field::new("outcome", DataType::Utf8, true),
        field("late", DataType::Boolean),
        field("attempts", DataType::UInt32),
        field("run_id", DataType::Utf8),
        field("reasons", DataType::Utf8),
        field("detail", DataType::Utf8),
    ])
}

fn batch(schema: &Arc<Schema>, runs: &[RunRow]) -> Result<RecordBatch, ArrowError> {
    let text = |of: fn(&RunRow) -> Option<&str>| -> ArrayRef {
        Arc::new(StringArray::from_iter(runs.iter().map(of)))
    };
    let time = |of: fn(&RunRow) -> Option<i64>| -> ArrayRef {
        let values = TimestampMicrosecondArray::from_iter(runs.iter().map(of));
        Arc::new(values.with_timezone("UTC"))
    };
    let columns = vec![
        Arc::new(Int64Array::from_iter_values(runs.iter().map(|run| run.id))) as ArrayRef,
        text(|run| Some(&run.job)),
        text(|run| Some(&run.stage)),
        time(|run| Some(run.slot)),
        text(|run| Some(&run.trigger)),
        time(|run| Some(run.planned_at)),
        time(|run| run.started_at),
        time(|run| run.ended_at),
        text(|run| run.outcome.as_deref()),
        Arc::new(BooleanArray::from_iter(runs.iter().map(|run| Some(run.is_late)))),
        Arc::new(UInt32Array::from_iter_values(runs.iter().map(|run| run.attempts))),
        text(|run| Some(&run.run_id)),
        text(|run| Some(&run.reasons)),
        text(|run| Some(&run.detail)),
    ];
    RecordBatch::try_new(schema.clone(), columns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    #[test]
    fn a_ledger_is_read_back_as_it_was() {
        let run = |id: i64, outcome: Option<&str>| RunRow {
            id,
            job: "load".into(),
            stage: "forecast".into(),
            slot: id * 1_000_000,
            trigger: "schedule".into(),
            planned_at: 1,
            started_at: outcome.map(|_| 2),
            ended_at: outcome.map(|_| 3),
            outcome: outcome.map(Into::into),
            is_late: id == 2,
            attempts: 1,
            run_id: "r".into(),
            reasons: String::new(),
            detail: "null".into(),
        };
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("runs.parquet");
        assert_eq!(write_runs(&path, &[run(1, Some("ok")), run(2, None)]).expect("written").rows, 2);
        let file = std::fs::File::open(&path).expect("there");
        let reader =
            ParquetRecordBatchReaderBuilder::try_new(file).expect("Parquet").build().expect("reader");
        let batch = reader.into_iter().next().expect("one batch").expect("readable");
        assert_eq!(batch.schema().fields(), schema().fields());
        assert_eq!((batch.num_rows(), batch.column(8).null_count()), (2, 1));
        assert_eq!(write_runs(&path, &[]).expect("an empty ledger").rows, 0);
    }
}
