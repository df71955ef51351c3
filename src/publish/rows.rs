//! Small tables as Parquet, and back: what stands beside the forecasts.

use crate::publish::schemas::{self, Side};
use crate::publish::{PublishError, Published, store};
use crate::store::Place;
use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, Schema};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// Writes batches of one schema, atomically; the footer must count `rows` of them when it is read back. `mark` says which table
/// it is, where it is read again.
pub(super) fn write(
    path: &Path,
    schema: &Arc<Schema>,
    mark: Option<Side>,
    batches: impl Iterator<Item = Result<RecordBatch, ArrowError>>,
    rows: usize,
) -> Result<Published, PublishError> {
    let bytes = store::publish(
        path,
        |file| {
            let zstd = Compression::ZSTD(ZstdLevel::try_new(3)?);
            let properties = WriterProperties::builder()
                .set_compression(zstd)
                .set_key_value_metadata(mark.map(|side| vec![side.mark()]))
                .build();
            let mut writer = ArrowWriter::try_new(file, schema.clone(), Some(properties))?;
            for batch in batches {
                writer.write(&batch?)?;
            }
            Ok(writer.close().map(drop)?)
        },
        |file| {
            let reader = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| error.to_string())?;
            match reader.metadata().file_metadata().num_rows() {
                found if found == rows as i64 => Ok(()),
                found => Err(format!("{found} rows instead of {rows}")),
            }
        },
    )?;
    Ok(Published { rows, bytes, path: Place::Local(path.into()) })
}

/// All batches of a table; none where there is no file.
pub(super) fn read(path: &Path) -> Result<Vec<RecordBatch>, PublishError> {
    let failed = |reason: String| PublishError::Read { path: path.into(), reason };
    let file = match File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        file => file.map_err(|error| PublishError::read(path, &error))?,
    };
    let builder =
        ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| failed(error.to_string()))?;
    schemas::check(builder.metadata()).map_err(|why| PublishError::unread(path, why))?;
    let reader = builder.build().map_err(|error| failed(error.to_string()))?;
    reader.map(|batch| batch.map_err(|error| failed(error.to_string()))).collect()
}
