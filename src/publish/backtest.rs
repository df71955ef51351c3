//! The outcomes of a backtest as Parquet, window by window: nobody sees the file before it is whole.

use crate::evaluation::backtest::Outcome;
use crate::publish::store::Draft;
use crate::publish::table::{GROUP_ROWS, timestamp};
use crate::publish::{PublishError, Published, names, verify};
use crate::store::Place;
use arrow_array::{ArrayRef, Float64Array, Int32Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;
use std::fs::File;
use std::iter::repeat_n;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Version of the columns, in the file's metadata as `s4cast.backtest_schema_version`.
pub(super) const SCHEMA_VERSION: u32 = 1;

/// Rows handed to the writer at once, or a forecast more.
const CHUNK_ROWS: usize = 16_384;

/// Names that the file uses beside those of forecasts.
const OWN: [&str; 4] = ["model", "window", "h", "scale"];

/// A file of outcomes under way: `model, unique_id, (id columns), ds, cutoff, window, h, y, yhat, p…, scale, model_id,
/// status`, one row per model, series, window and scored step.
///
/// `cutoff` is the instant up to which values were known, the same for all series of a frequency unless each was counted
/// from its own end; `h` counts from the last value that was observed by then, `y` is null where nothing was observed,
/// `scale` is what MASE divides by, `model_id` the forecaster that served in the name of `model`.
pub struct BacktestFile {
    path: PathBuf,
    draft: Draft,
    writer: ArrowWriter<File>,
    schema: SchemaRef,
    /// Index into a series' keys, column by column.
    keys: Vec<usize>,
    quantiles: Vec<String>,
    rows: usize,
}

impl BacktestFile {
    /// An empty file that is to stand at a path; `metadata` are keys without the `s4cast.` prefix and their values.
    ///
    /// # Errors
    /// If no file can be written there.
    pub fn new(
        path: &Path,
        id_columns: &[String],
        quantile_levels: &[f64],
        metadata: &[(String, String)],
    ) -> Result<BacktestFile, PublishError> {
        let draft = Draft::new(path)?;
        let ids = names::id_names_beside(id_columns, &OWN);
        let quantiles: Vec<String> =
            quantile_levels.iter().map(|&level| names::quantile_name(level)).collect();
        let schema = schema(&ids, &quantiles);
        let file = draft.file().try_clone().map_err(|error| draft.failed(&error))?;
        let writer = properties(&schema, metadata)
            .and_then(|properties| ArrowWriter::try_new(file, schema.clone(), Some(properties)))
            .map_err(|error| draft.failed(&error))?;
        let keys = ids.into_iter().map(|(key, _)| key).collect();
        Ok(BacktestFile { path: path.into(), draft, writer, schema, keys, quantiles, rows: 0 })
    }

    /// Adds the outcomes of a window.
    ///
    /// # Errors
    /// If writing fails, for example on a full disk.
    pub fn write(&mut self, outcomes: &[Outcome]) -> Result<(), PublishError> {
        let mut rows = 0;
        let chunks = outcomes.chunk_by(|before, _| {
            rows += scored(before);
            let is_whole = rows < CHUNK_ROWS;
            rows = if is_whole { rows } else { 0 };
            is_whole
        });
        for chunk in chunks {
            let batch = self.batch(chunk).map_err(|error| self.draft.failed(&error))?;
            self.rows += batch.num_rows();
            self.writer.write(&batch).map_err(|error| self.draft.failed(&error))?;
        }
        Ok(())
    }

    /// Verifies the file and puts it at its path.
    ///
    /// # Errors
    /// See [`PublishError`].
    pub fn publish(self) -> Result<Published, PublishError> {
        let BacktestFile { path, draft, writer, schema, quantiles, rows, .. } = self;
        writer.close().map_err(|error| draft.failed(&error))?;
        let (prepared, ()) = draft.seal(|file| check(file, &schema, &quantiles, rows))?;
        Ok(Published { rows, bytes: prepared.persist()?, path: Place::Local(path) })
    }

    fn batch(&self, outcomes: &[Outcome]) -> Result<RecordBatch, ArrowError> {
        let text = |value: &dyn Fn(&Outcome) -> String| -> ArrayRef {
            let values = outcomes.iter().flat_map(|one| repeat_n(value(one), scored(one)));
            Arc::new(StringArray::from_iter_values(values))
        };
        let instants = |values: &mut dyn Iterator<Item = i64>| -> ArrayRef {
            Arc::new(TimestampMicrosecondArray::from_iter_values(values).with_timezone("UTC"))
        };
        let numbers = |values: &mut dyn Iterator<Item = f64>| -> ArrayRef {
            Arc::new(Float64Array::from_iter_values(values))
        };
        let integers = |values: &mut dyn Iterator<Item = usize>| -> ArrayRef {
            let values = values.map(|value| i32::try_from(value).unwrap_or(i32::MAX));
            Arc::new(Int32Array::from_iter_values(values))
        };
        let mut columns =
            vec![text(&|one| one.model.as_str().into()), text(&|one| one.forecast.unique_id.clone())];
        columns.extend(
            self.keys.iter().map(|&key| text(&|one| one.forecast.keys.get(key).cloned().unwrap_or_default())),
        );
        columns.extend([
            instants(&mut outcomes.iter().flat_map(|one| one.forecast.times[one.gap..].iter().copied())),
            instants(&mut outcomes.iter().flat_map(|one| repeat_n(one.cutoff, scored(one)))),
            integers(&mut outcomes.iter().flat_map(|one| repeat_n(one.window, scored(one)))),
            integers(&mut outcomes.iter().flat_map(|one| one.gap + 1..=one.actual.len())),
            Arc::new(Float64Array::from_iter(
                outcomes
                    .iter()
                    .flat_map(|one| one.actual[one.gap..].iter())
                    .map(|y| Some(*y).filter(|y| !y.is_nan())),
            )),
            numbers(&mut outcomes.iter().flat_map(|one| one.forecast.point[one.gap..].iter().copied())),
        ]);
        columns.extend((0..self.quantiles.len()).map(|q| {
            let column = |one: &Outcome| {
                (one.gap..one.actual.len()).map(|step| one.forecast.quantiles[[step, q]]).collect::<Vec<_>>()
            };
            numbers(&mut outcomes.iter().flat_map(column))
        }));
        columns.extend([
            numbers(&mut outcomes.iter().flat_map(|one| repeat_n(one.scale.absolute, scored(one)))),
            text(&|one| one.forecast.model_id.clone()),
            text(&|one| one.forecast.status.as_str().into()),
            Arc::new(StringArray::from_iter(
                outcomes.iter().flat_map(|one| repeat_n(one.forecast.weights_text(), scored(one))),
            )),
        ]);
        RecordBatch::try_new(self.schema.clone(), columns)
    }
}

/// Rows of an outcome.
fn scored(outcome: &Outcome) -> usize {
    outcome.actual.len() - outcome.gap
}

fn schema(ids: &[(usize, String)], quantiles: &[String]) -> SchemaRef {
    let is_optional = |name: &str| ["y", "weights"].contains(&name);
    let field = |name: &str, kind: &DataType| Field::new(name, kind.clone(), is_optional(name));
    let (text, number, integer) = (&DataType::Utf8, &DataType::Float64, &DataType::Int32);
    let mut fields = vec![field("model", text), field("unique_id", text)];
    fields.extend(ids.iter().map(|(_, name)| field(name, text)));
    fields.extend([("ds", &timestamp()), ("cutoff", &timestamp())].map(|(name, kind)| field(name, kind)));
    fields.extend(["window", "h"].map(|name| field(name, integer)));
    fields.extend(["y", "yhat"].map(|name| field(name, number)));
    fields.extend(quantiles.iter().map(|name| field(name, number)));
    fields.extend(
        [("scale", number), ("model_id", text), ("status", text), ("weights", text)]
            .map(|(name, kind)| field(name, kind)),
    );
    Arc::new(Schema::new(fields))
}

fn properties(schema: &Schema, metadata: &[(String, String)]) -> Result<WriterProperties, ParquetError> {
    let version = ("backtest_schema_version".to_owned(), SCHEMA_VERSION.to_string());
    let pairs = [version].into_iter().chain(metadata.iter().cloned());
    let pairs = pairs.map(|(key, value)| KeyValue::new(format!("s4cast.{key}"), value));
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_key_value_metadata(Some(pairs.collect()));
    // Forecasts hardly ever repeat, so a dictionary of them would be built in vain.
    let numbers = schema.fields().iter().filter(|field| *field.data_type() == DataType::Float64);
    for field in numbers.filter(|field| field.name() != "scale") {
        properties = properties.set_column_dictionary_enabled(ColumnPath::from(field.name().as_str()), false);
    }
    Ok(properties.build())
}

/// Checks a whole file: footer, schema, row count, then every number.
fn check(file: File, schema: &Schema, quantiles: &[String], rows: usize) -> Result<(), String> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| error.to_string())?;
    if reader.schema().fields() != schema.fields() {
        return Err("the schema differs from what was written".into());
    }
    let mut found = 0;
    for batch in reader.build().map_err(|error| error.to_string())? {
        let batch = batch.map_err(|error| error.to_string())?;
        found += batch.num_rows();
        verify::numbers(&batch, quantiles)?;
    }
    match found == rows {
        true => Ok(()),
        false => Err(format!("{found} rows instead of {rows}")),
    }
}
