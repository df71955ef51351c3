//! Schema v1: forecasts to Parquet, in bounded chunks.

use crate::publish::{Provenance, PublishError, Published, SCHEMA_VERSION, names, store, verify};
use crate::series::{Forecasts, SeriesForecast};
use arrow_array::{
    ArrayRef, Float64Array, Int32Array, RecordBatch, StringArray, TimestampMicrosecondArray, new_null_array,
};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use std::iter::repeat_n;
use std::path::Path;
use std::sync::Arc;

/// Rows handed to the writer at once; series stay whole, so a chunk may exceed it by one horizon.
const CHUNK_ROWS: usize = 16_384;

/// Rows per row group: small enough to bound the writer's memory, and what DuckDB scans as one unit.
const GROUP_ROWS: usize = 122_880;

/// Type of every timestamp column: INT64 TIMESTAMP(MICROS, isAdjustedToUTC = true).
pub(super) fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// Writes forecasts in schema v1, atomically.
///
/// # Errors
/// See [`PublishError`].
pub fn write_forecasts(
    path: &Path,
    forecasts: &Forecasts,
    id_columns: &[String],
    provenance: &Provenance,
) -> Result<Published, PublishError> {
    let table = Table::new(forecasts, id_columns, provenance)
        .map_err(|reason| PublishError::Verify { path: path.into(), reason })?;
    let mut series: Vec<&SeriesForecast> = forecasts.series.iter().collect();
    series.sort_by(|a, b| a.unique_id.cmp(&b.unique_id));
    let rows = series.iter().map(|one| one.times.len()).sum();
    let bytes = store::publish(
        path,
        |file| {
            let mut writer = ArrowWriter::try_new(file, table.schema.clone(), Some(table.properties()?))?;
            for chunk in chunks(&series) {
                writer.write(&table.batch(chunk)?)?;
            }
            Ok(writer.close().map(drop)?)
        },
        |file| verify::forecasts(file, &table.schema, &table.quantiles, rows),
    )?;
    Ok(Published { rows, bytes, path: path.into() })
}

/// Runs of whole series of about [`CHUNK_ROWS`] rows.
fn chunks<'a, 'b>(series: &'a [&'b SeriesForecast]) -> impl Iterator<Item = &'a [&'b SeriesForecast]> {
    let mut rows = 0;
    series.chunk_by(move |before, _| {
        rows += before.times.len();
        let whole = rows < CHUNK_ROWS;
        rows = if whole { rows } else { 0 };
        whole
    })
}

/// The columns of one file.
struct Table<'a> {
    provenance: &'a Provenance,
    schema: SchemaRef,
    /// Id columns as published: index into a series' keys, in the order of the schema.
    keys: Vec<usize>,
    /// Names of the quantile columns, ascending by level.
    quantiles: Vec<String>,
    /// Indices of the quantiles that bound the primary interval.
    interval: [usize; 2],
}

impl<'a> Table<'a> {
    fn new(
        forecasts: &Forecasts,
        id_columns: &[String],
        provenance: &'a Provenance,
    ) -> Result<Table<'a>, String> {
        let levels = &forecasts.quantile_levels;
        let tail = (100.0 - provenance.primary_level) / 200.0;
        let index = |level: f64| {
            let found = levels.iter().position(|have| (have - level).abs() < 1e-8);
            found.ok_or_else(|| format!("quantile {level} of the primary interval was not forecast"))
        };
        let interval = [index(tail)?, index(1.0 - tail)?];
        let quantiles: Vec<String> = levels.iter().map(|&level| names::quantile_name(level)).collect();
        let ids = names::id_names(id_columns);
        let required = |name: &str, kind: DataType| Field::new(name, kind, false);
        let mut fields = vec![required("unique_id", DataType::Utf8)];
        fields.extend(ids.iter().map(|(_, name)| required(name, DataType::Utf8)));
        fields.push(required("ds", timestamp()));
        fields.push(required("horizon", DataType::Int32));
        let interval_names = ["yhat", "yhat_lower", "yhat_upper"].into_iter();
        let numbers = interval_names.chain(quantiles.iter().map(String::as_str));
        fields.extend(numbers.map(|name| required(name, DataType::Float64)));
        fields.extend(["cutoff", "issued_at", "created_at"].map(|name| required(name, timestamp())));
        fields.push(required("run_id", DataType::Utf8));
        fields.push(required("model_id", DataType::Utf8));
        fields.push(required("model_version", DataType::Int32));
        fields.push(required("status", DataType::Utf8));
        fields.push(Field::new("scenario", DataType::Utf8, true));
        let keys = ids.into_iter().map(|(key, _)| key).collect();
        Ok(Table { provenance, schema: Arc::new(Schema::new(fields)), keys, quantiles, interval })
    }

    fn properties(&self) -> Result<WriterProperties, ParquetError> {
        let own = |key: &str, value: String| KeyValue::new(format!("s4cast.{key}"), value);
        let mut metadata = vec![
            own("schema_version", SCHEMA_VERSION.to_string()),
            own("version", env!("CARGO_PKG_VERSION").into()),
            own("run_id", self.provenance.run_id.clone()),
            own("primary_level", self.provenance.primary_level.to_string()),
        ];
        metadata.extend(self.provenance.metadata.iter().map(|(key, value)| own(key, value.clone())));
        let ascending = |column: usize| SortingColumn {
            column_idx: column as i32,
            descending: false,
            nulls_first: false,
        };
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
            .set_statistics_enabled(EnabledStatistics::Page)
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .set_sorting_columns(Some(vec![ascending(0), ascending(1 + self.keys.len())]))
            .set_key_value_metadata(Some(metadata));
        // Forecasts hardly ever repeat, so a dictionary of them would be built in vain.
        for field in self.schema.fields().iter().filter(|field| *field.data_type() == DataType::Float64) {
            properties =
                properties.set_column_dictionary_enabled(ColumnPath::from(field.name().as_str()), false);
        }
        Ok(properties.build())
    }

    /// The rows of some series.
    fn batch(&self, series: &[&SeriesForecast]) -> Result<RecordBatch, ArrowError> {
        let rows = series.iter().map(|one| one.times.len()).sum();
        let text = |value: &dyn Fn(&SeriesForecast) -> String| -> ArrayRef {
            let values = series.iter().flat_map(|one| repeat_n(value(one), one.times.len()));
            Arc::new(StringArray::from_iter_values(values))
        };
        let quantile = |q: usize| -> ArrayRef {
            let values = series.iter().flat_map(|one| one.quantiles.column(q).into_iter().copied());
            Arc::new(Float64Array::from_iter_values(values))
        };
        let instants = |values: &mut dyn Iterator<Item = i64>| -> ArrayRef {
            Arc::new(TimestampMicrosecondArray::from_iter_values(values).with_timezone("UTC"))
        };
        let steps = series.iter().flat_map(|one| (1..).take(one.times.len()));
        let point = series.iter().flat_map(|one| one.point.iter().copied());
        let mut cutoffs = series.iter().flat_map(|one| repeat_n(one.cutoff, one.times.len()));

        let mut columns = vec![text(&|one| one.unique_id.clone())];
        columns
            .extend(self.keys.iter().map(|&key| text(&|one| one.keys.get(key).cloned().unwrap_or_default())));
        columns.push(instants(&mut series.iter().flat_map(|one| one.times.iter().copied())));
        columns.push(Arc::new(Int32Array::from_iter_values(steps)));
        columns.push(Arc::new(Float64Array::from_iter_values(point)));
        columns.extend(self.interval.map(quantile));
        columns.extend((0..self.quantiles.len()).map(quantile));
        columns.push(instants(&mut cutoffs));
        columns.push(instants(&mut repeat_n(self.provenance.issued_at, rows)));
        columns.push(instants(&mut repeat_n(self.provenance.created_at, rows)));
        columns.push(text(&|_| self.provenance.run_id.clone()));
        columns.push(text(&|one| one.model_id.clone()));
        columns.push(Arc::new(Int32Array::from_value(self.provenance.model_version, rows)));
        columns.push(text(&|one| one.status.as_str().into()));
        columns.push(new_null_array(&DataType::Utf8, rows));
        RecordBatch::try_new(self.schema.clone(), columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::Status;
    use ndarray::Array2;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use std::fs::File;

    const LEVELS: [f64; 5] = [0.025, 0.1, 0.5, 0.9, 0.975];

    fn series(unique_id: &str, horizon: usize) -> SeriesForecast {
        SeriesForecast {
            unique_id: unique_id.into(),
            keys: unique_id.split('/').map(String::from).collect(),
            cutoff: 0,
            times: (1..=horizon as i64).map(|step| step * 3_600_000_000).collect(),
            point: vec![2.0; horizon],
            quantiles: Array2::from_shape_fn((horizon, LEVELS.len()), |(_, q)| q as f64),
            status: Status::Ok,
            model_id: "s4d".into(),
        }
    }

    fn provenance() -> Provenance {
        Provenance {
            run_id: "run".into(),
            issued_at: 1,
            created_at: 2,
            model_version: 1,
            primary_level: 80.0,
            metadata: vec![("data_sha256".into(), "abc".into())],
        }
    }

    fn write(path: &Path, series: Vec<SeriesForecast>) -> Result<Published, PublishError> {
        let forecasts = Forecasts { quantile_levels: LEVELS.to_vec(), series };
        write_forecasts(path, &forecasts, &["Site".into(), "Meter".into()], &provenance())
    }

    #[test]
    fn schema_v1_is_what_the_contract_says() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("out.parquet");
        let published = write(&path, vec![series("b/2", 3), series("a/1", 2)]).expect("published");
        assert_eq!((published.rows, published.bytes), (5, path.metadata().expect("file").len()));

        let reader =
            ParquetRecordBatchReaderBuilder::try_new(File::open(&path).expect("open")).expect("reader");
        let names: Vec<String> = reader.schema().fields().iter().map(|field| field.name().clone()).collect();
        assert_eq!(
            names.join(" "),
            "unique_id site meter ds horizon yhat yhat_lower yhat_upper p02_5 p10 p50 p90 p97_5 cutoff issued_at \
             created_at run_id model_id model_version status scenario"
        );
        let footer = reader.metadata().clone();
        let metadata = footer.file_metadata().key_value_metadata().expect("metadata");
        let value =
            |key: &str| metadata.iter().find(|pair| pair.key == key).and_then(|pair| pair.value.clone());
        assert_eq!(value("s4cast.schema_version").as_deref(), Some("1"));
        assert_eq!(value("s4cast.data_sha256").as_deref(), Some("abc"));
        let message = {
            let mut text = Vec::new();
            parquet::schema::printer::print_schema(&mut text, footer.file_metadata().schema());
            String::from_utf8(text).expect("text")
        };
        assert!(message.contains("REQUIRED INT64 ds (TIMESTAMP(MICROS,true))"), "{message}");
        assert!(message.contains("REQUIRED BYTE_ARRAY unique_id (STRING)"), "{message}");
        let group = footer.row_group(0);
        assert!(group.column(0).statistics().is_some());
        assert!(matches!(group.column(0).compression(), Compression::ZSTD(_)));

        let batch = reader.build().expect("reader").next().expect("rows").expect("batch");
        let ids = batch.column(0).as_any().downcast_ref::<StringArray>().expect("text").clone();
        assert_eq!(ids.iter().flatten().collect::<Vec<_>>(), ["a/1", "a/1", "b/2", "b/2", "b/2"]);
        let steps = batch.column(4).as_any().downcast_ref::<Int32Array>().expect("steps").values().to_vec();
        assert_eq!(steps, [1, 2, 1, 2, 3]);
        let lower = batch.column(6).as_any().downcast_ref::<Float64Array>().expect("numbers").value(0);
        assert_eq!(lower, 1.0);
    }

    #[test]
    fn many_series_are_written_in_chunks() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("out.parquet");
        let all = (0..3_000).map(|number| series(&format!("s{number:05}/x"), 48)).collect();
        assert_eq!(write(&path, all).expect("published").rows, 144_000);
        let reader =
            ParquetRecordBatchReaderBuilder::try_new(File::open(&path).expect("open")).expect("reader");
        assert_eq!(reader.metadata().num_row_groups(), 2);
    }

    #[test]
    fn what_no_reader_may_see_is_not_published() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("out.parquet");
        write(&path, vec![series("a", 2)]).expect("published");
        let before = std::fs::read(&path).expect("read");
        let mut infinite = series("a", 2);
        infinite.point[1] = f64::INFINITY;
        let mut crossing = series("a", 2);
        crossing.quantiles[[1, 3]] = -1.0;
        let mut backwards = series("a", 2);
        backwards.times.reverse();
        let mut ragged = series("a", 2);
        ragged.point.pop();
        for wrong in [vec![infinite], vec![crossing], vec![backwards], vec![series("a", 1), series("a", 1)]] {
            let error = write(&path, wrong).expect_err("refused");
            assert!(matches!(error, PublishError::Verify { .. }), "{error}");
        }
        assert!(write(&path, vec![ragged]).is_err());
        assert_eq!(std::fs::read(&path).expect("read"), before);
        assert_eq!(std::fs::read_dir(folder.path()).expect("folder").count(), 1);
    }
}
