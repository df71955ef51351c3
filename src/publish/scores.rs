//! How every published run compared with what came: one table per job beside its forecasts, for dashboards and for the
//! daemon itself.
//!
//! ```text
//! OUT/scores/job=J/part-0.parquet     run × horizon band × segment
//! ```

use crate::publish::layout::JobFolders;
use crate::publish::schemas::Side;
use crate::publish::table::timestamp;
use crate::publish::{PublishError, Published, rows, store};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow_schema::{ArrowError, DataType, Field, Schema};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Begin the names of the columns of a coverage level.
const COVERAGE: &str = "coverage_";
const WIDTH: &str = "width_";

/// Rows of one run, of one horizon band and one segment, that have come true. Figures without a value are null.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoreRow {
    /// UUIDv7 of the run.
    pub run_id: String,
    /// Nominal instant of the run, microseconds UTC.
    pub issued_at: i64,
    /// Version of the model; 0 for a stand-in.
    pub model_version: i32,
    /// First and last step of the band, from 1 on.
    pub steps: (i32, i32),
    /// Value of the segment column; `None` over all series.
    pub segment: Option<String>,
    /// Forecasts with an actual value.
    pub points: i64,
    /// Mean absolute error in units of each series' in-sample error of seasonal naive.
    pub mase: f64,
    /// The same of seasonal naive on the same points.
    pub mase_seasonal_naive: f64,
    /// Mean error in the same units; positive where forecasts are too high.
    pub bias: f64,
    /// Mean absolute error, units of the target.
    pub mae: f64,
    /// Mean absolute actual, units of the target.
    pub size: f64,
    /// Mean pinball loss over the quantile levels, in units as `mase`.
    pub pinball: Option<f64>,
    /// Of each central interval: (level in percent, share of actuals inside, mean width in units as `mase`).
    pub intervals: Vec<(f64, f64, f64)>,
    /// Whether no later actual can change it any more.
    pub is_final: bool,
}

/// The table of a job.
///
/// # Errors
/// If the job is misnamed.
pub fn scores_path(sink: &Path, job: &str) -> Result<PathBuf, PublishError> {
    JobFolders::of(sink, job)?;
    Ok(sink.join("scores").join(format!("job={job}")).join("part-0.parquet"))
}

/// Writes the scores of a job, atomically; the rows should be in the order of their runs.
///
/// # Errors
/// See [`PublishError`].
pub fn write_scores(path: &Path, all: &[ScoreRow]) -> Result<Published, PublishError> {
    store::create_folder(path.parent().unwrap_or(Path::new(".")))?;
    let mut levels: Vec<f64> = all.iter().flat_map(|row| row.intervals.iter().map(|one| one.0)).collect();
    levels.sort_by(f64::total_cmp);
    levels.dedup();
    let schema = Arc::new(schema(&levels));
    rows::write(path, &schema, Some(Side::Scores), std::iter::once(batch(&schema, &levels, all)), all.len())
}

/// The scores of a job, in the order in which they were written; none where there is no table yet.
///
/// # Errors
/// [`PublishError::Read`] if the table is damaged or of another program.
pub fn read_scores(path: &Path) -> Result<Vec<ScoreRow>, PublishError> {
    let mut all = Vec::new();
    for batch in rows::read(path)? {
        add(&mut all, &batch).ok_or_else(|| PublishError::Read {
            path: path.into(),
            reason: "it is no table of scores: a column is missing or has another type; remove it".into(),
        })?;
    }
    Ok(all)
}

/// Name of the column of a level: `coverage_80`, `coverage_97_5`.
fn column(prefix: &str, level: f64) -> String {
    format!("{prefix}{}", level.to_string().replace('.', "_"))
}

fn schema(levels: &[f64]) -> Schema {
    let field = |name: &str, kind: DataType| Field::new(name, kind, false);
    let mut fields = vec![
        field("run_id", DataType::Utf8),
        field("issued_at", timestamp()),
        field("model_version", DataType::Int32),
        field("first_step", DataType::Int32),
        field("last_step", DataType::Int32),
        Field::new("segment", DataType::Utf8, true),
        field("points", DataType::Int64),
        field("mase", DataType::Float64),
        field("mase_seasonal_naive", DataType::Float64),
        field("bias", DataType::Float64),
        field("mae", DataType::Float64),
        field("size", DataType::Float64),
        Field::new("pinball", DataType::Float64, true),
        field("is_final", DataType::Boolean),
    ];
    for &level in levels {
        fields.push(Field::new(column(COVERAGE, level), DataType::Float64, true));
        fields.push(Field::new(column(WIDTH, level), DataType::Float64, true));
    }
    Schema::new(fields)
}

fn batch(schema: &Arc<Schema>, levels: &[f64], all: &[ScoreRow]) -> Result<RecordBatch, ArrowError> {
    let number = |of: fn(&ScoreRow) -> f64| -> ArrayRef {
        Arc::new(Float64Array::from_iter_values(all.iter().map(of)))
    };
    let whole =
        |of: fn(&ScoreRow) -> i32| -> ArrayRef { Arc::new(Int32Array::from_iter_values(all.iter().map(of))) };
    let issued = TimestampMicrosecondArray::from_iter_values(all.iter().map(|row| row.issued_at));
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(all.iter().map(|row| &row.run_id))),
        Arc::new(issued.with_timezone("UTC")),
        whole(|row| row.model_version),
        whole(|row| row.steps.0),
        whole(|row| row.steps.1),
        Arc::new(StringArray::from_iter(all.iter().map(|row| row.segment.as_deref()))),
        Arc::new(Int64Array::from_iter_values(all.iter().map(|row| row.points))),
        number(|row| row.mase),
        number(|row| row.mase_seasonal_naive),
        number(|row| row.bias),
        number(|row| row.mae),
        number(|row| row.size),
        Arc::new(Float64Array::from_iter(all.iter().map(|row| row.pinball))),
        Arc::new(BooleanArray::from_iter(all.iter().map(|row| Some(row.is_final)))),
    ];
    for &level in levels {
        let of = |row: &ScoreRow| row.intervals.iter().find(|one| one.0 == level).copied();
        columns.push(Arc::new(Float64Array::from_iter(all.iter().map(|row| Some(of(row)?.1)))));
        columns.push(Arc::new(Float64Array::from_iter(all.iter().map(|row| Some(of(row)?.2)))));
    }
    RecordBatch::try_new(schema.clone(), columns)
}

/// Adds the rows of a batch; `None` if a column is not as it should be.
fn add(all: &mut Vec<ScoreRow>, batch: &RecordBatch) -> Option<()> {
    let column = |name: &str| batch.column_by_name(name);
    let number = |name: &str| column(name)?.as_primitive_opt::<Float64Type>();
    let whole = |name: &str| column(name)?.as_primitive_opt::<Int32Type>();
    let (run_id, segment) =
        (column("run_id")?.as_string_opt::<i32>()?, column("segment")?.as_string_opt::<i32>()?);
    let issued_at = column("issued_at")?.as_primitive_opt::<TimestampMicrosecondType>()?;
    let (version, first, last) = (whole("model_version")?, whole("first_step")?, whole("last_step")?);
    let points = column("points")?.as_primitive_opt::<Int64Type>()?;
    let (mase, naive, bias) = (number("mase")?, number("mase_seasonal_naive")?, number("bias")?);
    let (mae, size, pinball) = (number("mae")?, number("size")?, number("pinball")?);
    let is_final = column("is_final")?.as_boolean_opt()?;
    let mut intervals = Vec::new();
    for field in batch.schema_ref().fields() {
        let Some(word) = field.name().strip_prefix(COVERAGE) else { continue };
        let level: f64 = word.replace('_', ".").parse().ok()?;
        intervals.push((level, number(field.name())?, number(&self::column(WIDTH, level))?));
    }
    for row in 0..batch.num_rows() {
        let known = intervals.iter().filter(|(_, inside, _)| !inside.is_null(row));
        all.push(ScoreRow {
            run_id: run_id.value(row).into(),
            issued_at: issued_at.value(row),
            model_version: version.value(row),
            steps: (first.value(row), last.value(row)),
            segment: (!segment.is_null(row)).then(|| segment.value(row).into()),
            points: points.value(row),
            mase: mase.value(row),
            mase_seasonal_naive: naive.value(row),
            bias: bias.value(row),
            mae: mae.value(row),
            size: size.value(row),
            pinball: (!pinball.is_null(row)).then(|| pinball.value(row)),
            intervals: known
                .map(|(level, inside, width)| (*level, inside.value(row), width.value(row)))
                .collect(),
            is_final: is_final.value(row),
        });
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_read_back_as_they_were() {
        let row = |run: &str, segment: Option<&str>, intervals: Vec<(f64, f64, f64)>| ScoreRow {
            run_id: run.into(),
            issued_at: 5,
            model_version: 2,
            steps: (1, 24),
            segment: segment.map(Into::into),
            points: 48,
            mase: 0.5,
            mase_seasonal_naive: 1.0,
            bias: -0.1,
            mae: 2.0,
            size: 30.0,
            pinball: intervals.first().map(|_| 0.2),
            intervals,
            is_final: segment.is_none(),
        };
        let all = [
            row("a", None, vec![(80.0, 0.79, 2.5), (97.5, 1.0, 4.0)]),
            row("a", Some("north"), vec![(80.0, 0.5, 2.0)]),
            row("b", None, vec![]),
        ];
        let folder = tempfile::tempdir().expect("folder");
        let path = scores_path(folder.path(), "load").expect("a job");
        assert_eq!(read_scores(&path).expect("no table yet"), []);
        write_scores(&path, &all).expect("written");
        assert_eq!(read_scores(&path).expect("read"), all);
        assert!(scores_path(folder.path(), "../x").is_err());
        std::fs::write(&path, "no Parquet").expect("written");
        assert!(matches!(read_scores(&path), Err(PublishError::Read { .. })));
    }

    #[test]
    fn levels_have_names_that_sql_reads() {
        assert_eq!([column(COVERAGE, 80.0), column(COVERAGE, 97.5)], ["coverage_80", "coverage_97_5"]);
    }
}
