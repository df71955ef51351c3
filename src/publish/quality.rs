//! The quality report: one row per series, the quarantined ones included.

use crate::publish::table::timestamp;
use crate::publish::{PublishError, Published, store};
use crate::series::{Quality, Verdict};
use crate::store::Place;
use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use std::path::Path;
use std::sync::Arc;

/// Series handed to the writer at once.
const CHUNK_ROWS: usize = 16_384;

/// Version of the columns, in the file's metadata as `s4cast.quality_schema_version`.
pub(super) const SCHEMA_VERSION: u32 = 1;

/// Writes the quality report, atomically: counts (`filled` and `spikes` among them), `level_shift`, span, `verdict` (`ok`, `fallback`, `quarantined`), `reasons` for it
/// and `warnings` (`; ` between them, null where there are none).
///
/// # Errors
/// See [`PublishError`].
pub fn write_quality(path: &Path, quality: &[Quality]) -> Result<Published, PublishError> {
    let schema = batch(&[])
        .map_err(|error| PublishError::Io { path: path.into(), reason: error.to_string() })?
        .schema();
    let bytes = store::publish(
        path,
        |file| {
            let properties = WriterProperties::builder()
                .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
                .set_key_value_metadata(Some(vec![KeyValue::new(
                    "s4cast.quality_schema_version".into(),
                    SCHEMA_VERSION.to_string(),
                )]))
                .build();
            let mut writer = ArrowWriter::try_new(file, schema, Some(properties))?;
            for chunk in quality.chunks(CHUNK_ROWS) {
                writer.write(&batch(chunk)?)?;
            }
            Ok(writer.close().map(drop)?)
        },
        |file| {
            let reader = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| error.to_string())?;
            let found = reader.metadata().file_metadata().num_rows();
            (found == quality.len() as i64).then_some(()).ok_or_else(|| format!("{found} rows in the footer"))
        },
    )?;
    Ok(Published { rows: quality.len(), bytes, path: Place::Local(path.into()) })
}

fn batch(quality: &[Quality]) -> Result<RecordBatch, arrow_schema::ArrowError> {
    let count = |value: fn(&Quality) -> usize| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(quality.iter().map(|one| value(one) as i64)))
    };
    let instant = |value: fn(&Quality) -> Option<i64>| -> ArrayRef {
        Arc::new(TimestampMicrosecondArray::from_iter(quality.iter().map(value)).with_timezone("UTC"))
    };
    let text = |value: fn(&Quality) -> Option<String>| -> ArrayRef {
        Arc::new(StringArray::from_iter(quality.iter().map(value)))
    };
    let columns = [
        ("unique_id", DataType::Utf8, text(|one| Some(one.unique_id.clone()))),
        ("verdict", DataType::Utf8, text(|one| Some(verdict(one).into()))),
        ("reasons", DataType::Utf8, text(reasons)),
        ("rows", DataType::Int64, count(|one| one.rows)),
        ("missing", DataType::Int64, count(|one| one.missing)),
        ("gaps", DataType::Int64, count(|one| one.gaps)),
        ("longest_gap", DataType::Int64, count(|one| one.longest_gap)),
        ("flat_run", DataType::Int64, count(|one| one.flat_run)),
        ("first_ds", timestamp(), instant(|one| one.first_ds)),
        ("last_ds", timestamp(), instant(|one| one.last_ds)),
        ("freq", DataType::Utf8, text(|one| one.frequency.map(|frequency| frequency.to_string()))),
        ("warnings", DataType::Utf8, text(|one| joined(&one.warnings))),
        ("filled", DataType::Int64, count(|one| one.filled)),
        ("spikes", DataType::Int64, count(|one| one.spikes)),
        (
            "level_shift",
            DataType::Float64,
            Arc::new(Float64Array::from_iter(quality.iter().map(|one| one.level_shift))),
        ),
    ];
    let fields = columns.each_ref().map(|(name, kind, _)| Field::new(*name, kind.clone(), true));
    RecordBatch::try_new(
        Arc::new(Schema::new(fields.to_vec())),
        columns.into_iter().map(|(_, _, column)| column).collect(),
    )
}

fn verdict(quality: &Quality) -> &'static str {
    match quality.verdict {
        Verdict::Ok => "ok",
        Verdict::Fallback(_) => "fallback",
        Verdict::Quarantined(_) => "quarantined",
    }
}

fn reasons(quality: &Quality) -> Option<String> {
    match &quality.verdict {
        Verdict::Ok => None,
        Verdict::Fallback(reasons) | Verdict::Quarantined(reasons) => joined(reasons),
    }
}

fn joined(lines: &[String]) -> Option<String> {
    (!lines.is_empty()).then(|| lines.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::Array;
    use arrow_array::cast::AsArray;

    #[test]
    fn one_row_per_series_with_verdict_and_reasons() {
        let good = Quality {
            unique_id: "a".into(),
            rows: 10,
            missing: 1,
            gaps: 0,
            longest_gap: 1,
            flat_run: 2,
            filled: 3,
            spikes: 1,
            level_shift: Some(-4.5),
            first_ds: Some(0),
            last_ds: Some(9),
            frequency: None,
            verdict: Verdict::Ok,
            warnings: vec!["stale: the last value is old".into()],
        };
        let reasons = vec!["row 3: repeated".to_string(), "row 4: infinite".to_string()];
        let bad = Quality {
            unique_id: "b".into(),
            level_shift: None,
            verdict: Verdict::Quarantined(reasons),
            warnings: Vec::new(),
            ..good.clone()
        };
        let frozen = vec!["flatline: all alike".to_string()];
        let suspect = Quality { unique_id: "c".into(), verdict: Verdict::Fallback(frozen), ..bad.clone() };
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("q.parquet");
        assert_eq!(write_quality(&path, &[good, bad, suspect]).expect("published").rows, 3);
        let file = std::fs::File::open(&path).expect("open");
        let mut reader =
            ParquetRecordBatchReaderBuilder::try_new(file).expect("reader").build().expect("reader");
        let batch = reader.next().expect("rows").expect("batch");
        let verdicts: Vec<_> = batch["verdict"].as_string::<i32>().iter().flatten().collect();
        assert_eq!(verdicts, ["ok", "quarantined", "fallback"]);
        let reasons = batch["reasons"].as_string::<i32>();
        assert!(reasons.is_null(0));
        assert_eq!(reasons.value(1), "row 3: repeated; row 4: infinite");
        assert_eq!(reasons.value(2), "flatline: all alike");
        let warnings = batch["warnings"].as_string::<i32>();
        assert_eq!(warnings.value(0), "stale: the last value is old");
        assert!(warnings.is_null(1));
        let count = |name: &str| batch[name].as_primitive::<arrow_array::types::Int64Type>().value(0);
        assert_eq!((count("filled"), count("spikes")), (3, 1));
        let shift = batch["level_shift"].as_primitive::<arrow_array::types::Float64Type>();
        assert!(shift.value(0) == -4.5 && shift.is_null(1));
    }
}
