//! Actual values beside the interval that was published for them: one table per job.
//!
//! ```text
//! OUT/anomalies/job=J/part-0.parquet     every recent actual, and older ones that were anomalous
//! ```

use crate::publish::layout::JobFolders;
use crate::publish::schemas::Side;
use crate::publish::table::timestamp;
use crate::publish::{PublishError, Published, rows, store};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow_schema::{ArrowError, DataType, Field, Schema};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An actual value and what was expected of it.
#[derive(Clone, Debug, PartialEq)]
pub struct AnomalyRow {
    /// Composed id.
    pub unique_id: String,
    /// Timestamp of the value, microseconds UTC.
    pub ds: i64,
    /// The value.
    pub y: f64,
    /// What was forecast by the newest run before it.
    pub yhat: f64,
    /// The interval that was published.
    pub lower: f64,
    /// Its upper end.
    pub upper: f64,
    /// Distance from the forecast in units of the interval's half on that side: above 1 it lies outside.
    pub score: f64,
    /// Whether it counts as an anomaly.
    pub is_anomaly: bool,
    /// `above`, `below`; null where the value was as expected.
    pub direction: Option<String>,
    /// UUIDv7 of the run that forecast it.
    pub run_id: String,
}

/// The table of a job.
///
/// # Errors
/// If the job is misnamed.
pub fn anomalies_path(sink: &Path, job: &str) -> Result<PathBuf, PublishError> {
    JobFolders::of(sink, job)?;
    Ok(sink.join("anomalies").join(format!("job={job}")).join("part-0.parquet"))
}

/// Writes the table of a job, atomically.
///
/// # Errors
/// See [`PublishError`].
pub fn write_anomalies(path: &Path, all: &[AnomalyRow]) -> Result<Published, PublishError> {
    store::create_folder(path.parent().unwrap_or(Path::new(".")))?;
    let schema = Arc::new(schema());
    rows::write(path, &schema, Some(Side::Anomalies), std::iter::once(batch(&schema, all)), all.len())
}

/// The table of a job, in the order in which it was written; nothing where there is none yet.
///
/// # Errors
/// [`PublishError::Read`] if the table is damaged or of another program.
pub fn read_anomalies(path: &Path) -> Result<Vec<AnomalyRow>, PublishError> {
    let mut all = Vec::new();
    for batch in rows::read(path)? {
        add(&mut all, &batch).ok_or_else(|| PublishError::Read {
            path: path.into(),
            reason: "it is no table of anomalies: a column is missing or has another type; remove it".into(),
        })?;
    }
    Ok(all)
}

fn schema() -> Schema {
    let field = |name: &str, kind: DataType| Field::new(name, kind, false);
    Schema::new(vec![
        field("unique_id", DataType::Utf8),
        field("ds", timestamp()),
        field("y", DataType::Float64),
        field("yhat", DataType::Float64),
        field("yhat_lower", DataType::Float64),
        field("yhat_upper", DataType::Float64),
        field("score", DataType::Float64),
        field("is_anomaly", DataType::Boolean),
        Field::new("direction", DataType::Utf8, true),
        field("run_id", DataType::Utf8),
    ])
}

fn batch(schema: &Arc<Schema>, all: &[AnomalyRow]) -> Result<RecordBatch, ArrowError> {
    let number = |of: fn(&AnomalyRow) -> f64| -> ArrayRef {
        Arc::new(Float64Array::from_iter_values(all.iter().map(of)))
    };
    let ds = TimestampMicrosecondArray::from_iter_values(all.iter().map(|row| row.ds));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(all.iter().map(|row| &row.unique_id))),
        Arc::new(ds.with_timezone("UTC")),
        number(|row| row.y),
        number(|row| row.yhat),
        number(|row| row.lower),
        number(|row| row.upper),
        number(|row| row.score),
        Arc::new(BooleanArray::from_iter(all.iter().map(|row| Some(row.is_anomaly)))),
        Arc::new(StringArray::from_iter(all.iter().map(|row| row.direction.as_deref()))),
        Arc::new(StringArray::from_iter_values(all.iter().map(|row| &row.run_id))),
    ];
    RecordBatch::try_new(schema.clone(), columns)
}

/// Adds the rows of a batch; `None` if a column is not as it should be.
fn add(all: &mut Vec<AnomalyRow>, batch: &RecordBatch) -> Option<()> {
    let column = |name: &str| batch.column_by_name(name);
    let number = |name: &str| column(name)?.as_primitive_opt::<Float64Type>();
    let text = |name: &str| column(name)?.as_string_opt::<i32>();
    let ds = column("ds")?.as_primitive_opt::<TimestampMicrosecondType>()?;
    let (unique_id, run_id, direction) = (text("unique_id")?, text("run_id")?, text("direction")?);
    let (y, yhat, score) = (number("y")?, number("yhat")?, number("score")?);
    let (lower, upper) = (number("yhat_lower")?, number("yhat_upper")?);
    let is_anomaly = column("is_anomaly")?.as_boolean_opt()?;
    all.extend((0..batch.num_rows()).map(|row| AnomalyRow {
        unique_id: unique_id.value(row).into(),
        ds: ds.value(row),
        y: y.value(row),
        yhat: yhat.value(row),
        lower: lower.value(row),
        upper: upper.value(row),
        score: score.value(row),
        is_anomaly: is_anomaly.value(row),
        direction: (!direction.is_null(row)).then(|| direction.value(row).into()),
        run_id: run_id.value(row).into(),
    }));
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anomalies_are_read_back_as_they_were() {
        let row = |ds: i64, direction: Option<&str>| AnomalyRow {
            unique_id: "a/1".into(),
            ds,
            y: 9.0,
            yhat: 2.0,
            lower: 1.0,
            upper: 3.0,
            score: 7.0,
            is_anomaly: direction.is_some(),
            direction: direction.map(Into::into),
            run_id: "r".into(),
        };
        let folder = tempfile::tempdir().expect("folder");
        let path = anomalies_path(folder.path(), "load").expect("a job");
        assert_eq!(read_anomalies(&path).expect("no table yet"), []);
        let all = [row(1, None), row(2, Some("above"))];
        write_anomalies(&path, &all).expect("written");
        assert_eq!(read_anomalies(&path).expect("read"), all);
    }
}
