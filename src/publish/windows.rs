//! Forecasts from many origins to one Parquet file, a few origins at a time: what a scorer of benchmarks reads.
//!
//! Columns: `series_id`, `ts` (target time, UTC), `h` (1-based), `mean` (the point forecast), `origin` (last step known,
//! UTC), `q0.025`, `q0.1`, … (quantiles).

use crate::publish::store::{Draft, Failure};
use crate::publish::table::timestamp;
use crate::publish::{PublishError, Published};
use crate::store::Place;
use arrow_array::{ArrayRef, Float64Array, Int32Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use ndarray::{ArrayView2, Axis};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use std::fs::File;
use std::iter::repeat_n;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Forecast of one series from one origin.
#[derive(Clone, Copy, Debug)]
pub struct Window<'a> {
    /// Name of the series.
    pub series_id: &'a str,
    /// Last step known, microseconds UTC.
    pub origin: i64,
    /// Target times (T), microseconds UTC.
    pub times: &'a [i64],
    /// Point forecast (T).
    pub point: &'a [f64],
    /// Quantile forecasts (T, Q); more levels than the file has are an error, all of them are left out where it has none.
    pub quantiles: ArrayView2<'a, f64>,
}

/// A file of forecasts under way; it appears whole when it is closed, and not at all when it is dropped.
pub struct WindowFile {
    path: PathBuf,
    draft: Draft,
    writer: ArrowWriter<File>,
    schema: SchemaRef,
    has_quantiles: bool,
    rows: usize,
}

/// Rows per row group: they are held until it is full.
const GROUP_ROWS: usize = 262_144;

impl WindowFile {
    /// Begins a file with a column for each of some quantile levels, maybe none.
    ///
    /// # Errors
    /// See [`PublishError`].
    pub fn create(path: &Path, quantile_levels: &[f64]) -> Result<WindowFile, PublishError> {
        let field = |name: &str, kind: DataType| Field::new(name, kind, false);
        let mut fields = vec![
            field("series_id", DataType::Utf8),
            field("ts", timestamp()),
            field("h", DataType::Int32),
            field("mean", DataType::Float64),
            field("origin", timestamp()),
        ];
        fields.extend(quantile_levels.iter().map(|level| field(&format!("q{level}"), DataType::Float64)));
        let schema: SchemaRef = Arc::new(Schema::new(fields));
        let draft = Draft::new(path)?;
        let writer = |file: File| -> Result<ArrowWriter<File>, Failure> {
            let properties = WriterProperties::builder()
                .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
                .set_max_row_group_row_count(Some(GROUP_ROWS))
                .build();
            Ok(ArrowWriter::try_new(file, schema.clone(), Some(properties))?)
        };
        let file = draft.file().try_clone().map_err(|error| draft.failed(&error))?;
        let writer = writer(file).map_err(|error| draft.failed(error.as_ref()))?;
        let has_quantiles = !quantile_levels.is_empty();
        Ok(WindowFile { path: path.into(), draft, writer, schema, has_quantiles, rows: 0 })
    }

    /// Adds some forecasts.
    ///
    /// # Errors
    /// [`PublishError::Io`] if the disk does not take them.
    pub fn write(&mut self, windows: &[Window<'_>]) -> Result<(), PublishError> {
        let batch = self.batch(windows);
        let written: Result<(), Failure> =
            batch.map_err(Failure::from).and_then(|batch| Ok(self.writer.write(&batch)?));
        self.rows += windows.iter().map(|window| window.times.len()).sum::<usize>();
        written.map_err(|error| self.draft.failed(error.as_ref()))
    }

    /// Ends the file, verifies it and lets it appear.
    ///
    /// # Errors
    /// See [`PublishError`].
    pub fn close(self) -> Result<Published, PublishError> {
        let WindowFile { path, draft, writer, rows, .. } = self;
        writer.close().map_err(|error| draft.failed(&error))?;
        let count = |file: File| {
            let reader = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| error.to_string())?;
            let found = reader.metadata().file_metadata().num_rows();
            (found == rows as i64)
                .then_some(())
                .ok_or_else(|| format!("{found} of {rows} rows in the footer"))
        };
        let (prepared, ()) = draft.seal(count)?;
        Ok(Published { rows, bytes: prepared.persist()?, path: Place::Local(path) })
    }

    fn batch(&self, windows: &[Window<'_>]) -> Result<RecordBatch, arrow_schema::ArrowError> {
        let ids = windows.iter().flat_map(|window| repeat_n(window.series_id, window.times.len()));
        let times = windows.iter().flat_map(|window| window.times.iter().copied());
        let origins = windows.iter().flat_map(|window| repeat_n(window.origin, window.times.len()));
        let steps = windows.iter().flat_map(|window| 1..=window.times.len() as i32);
        let points = windows.iter().flat_map(|window| window.point.iter().copied());
        let instants =
            |values: Vec<i64>| Arc::new(TimestampMicrosecondArray::from(values).with_timezone("UTC"));
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(ids)),
            instants(times.collect()),
            Arc::new(Int32Array::from_iter_values(steps)),
            Arc::new(Float64Array::from_iter_values(points)),
            instants(origins.collect()),
        ];
        let levels =
            if self.has_quantiles { windows.first().map_or(0, |one| one.quantiles.ncols()) } else { 0 };
        columns.extend((0..levels).map(|level| -> ArrayRef {
            let values =
                windows.iter().flat_map(|window| window.quantiles.index_axis_move(Axis(1), level).to_vec());
            Arc::new(Float64Array::from_iter_values(values))
        }));
        RecordBatch::try_new(self.schema.clone(), columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn a_file_of_windows_is_what_a_scorer_reads_and_appears_when_it_is_closed() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("f.parquet");
        let quantiles = array![[1.0, 2.0], [3.0, 4.0]];
        let window = Window {
            series_id: "a",
            origin: 10,
            times: &[20, 30],
            point: &[1.5, 3.5],
            quantiles: quantiles.view(),
        };
        let mut file = WindowFile::create(&path, &[0.1, 0.975]).expect("begun");
        file.write(&[window, Window { series_id: "b", ..window }]).expect("written");
        file.write(&[Window { origin: 20, ..window }]).expect("written");
        assert!(!path.exists());
        assert_eq!(file.close().expect("closed").rows, 6);
        let reader =
            ParquetRecordBatchReaderBuilder::try_new(File::open(&path).expect("open")).expect("reader");
        let names: Vec<String> = reader.schema().fields().iter().map(|field| field.name().clone()).collect();
        assert_eq!(names, ["series_id", "ts", "h", "mean", "origin", "q0.1", "q0.975"]);

        let mut plain = WindowFile::create(&path, &[]).expect("begun");
        plain.write(&[window]).expect("written");
        drop(plain);
        assert_eq!(std::fs::read_dir(folder.path()).expect("folder").count(), 1);
    }
}
