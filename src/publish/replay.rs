//! The file of a backtest forecast by forecast, in its order: a batch of it is held at a time.

use crate::publish::layout::JobFolders;
use crate::publish::{PublishError, names, schemas};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, TimestampMicrosecondType};
use arrow_array::{Array, Float64Array, RecordBatch};
use ndarray::{ArrayView2, ShapeError};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Rows read at once.
const BATCH_ROWS: usize = 8_192;

/// A file of outcomes that is being read.
pub struct Replay {
    path: PathBuf,
    batches: ParquetRecordBatchReader,
    /// Rows of the file.
    pub rows: usize,
    /// Quantile levels, in the order of the columns.
    pub quantile_levels: Vec<f64>,
    /// Metadata of the file, without the `s4cast.` prefix.
    pub metadata: BTreeMap<String, String>,
}

/// One forecast of one series from one cutoff, and what came; one entry per scored step (T).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Replayed {
    /// Name of the model.
    pub model: String,
    /// Composed id.
    pub unique_id: String,
    /// Number of the window, from 1 on, the oldest first.
    pub window: i32,
    /// Instant up to which values were known, microseconds UTC.
    pub cutoff: i64,
    /// What came; `NaN` where nothing was observed.
    pub y: Vec<f64>,
    /// Point forecasts.
    pub yhat: Vec<f64>,
    /// Quantile forecasts, step by step (T × Q).
    quantiles: Vec<f64>,
    /// What errors are divided by; `None` in a file without it.
    pub scale: Option<f64>,
}

impl Replayed {
    /// Quantile forecasts (T, Q).
    ///
    /// # Errors
    /// If there are not `levels` of them a step.
    pub fn quantiles(&self, levels: usize) -> Result<ArrayView2<'_, f64>, ShapeError> {
        ArrayView2::from_shape((self.y.len(), levels), &self.quantiles)
    }

    fn is_of(&self, model: &str, unique_id: &str, window: i32) -> bool {
        self.window == window && self.unique_id == unique_id && self.model == model
    }
}

impl Replay {
    /// Opens a file that `s4cast backtest` wrote.
    ///
    /// # Errors
    /// [`PublishError::Read`] if there is no such file or it is none of these.
    pub fn open(path: &Path) -> Result<Replay, PublishError> {
        let failed = |reason: String| PublishError::Read { path: path.into(), reason };
        let file = File::open(path).map_err(|error| PublishError::read(path, &error))?;
        let builder =
            ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| failed(error.to_string()))?;
        schemas::check(builder.metadata()).map_err(|why| PublishError::unread(path, why))?;
        let footer = builder.metadata().file_metadata();
        let rows = usize::try_from(footer.num_rows()).map_err(|error| failed(error.to_string()))?;
        let pairs = footer.key_value_metadata().into_iter().flatten();
        let own = |pair: &parquet::file::metadata::KeyValue| {
            Some((pair.key.strip_prefix("s4cast.")?.to_owned(), pair.value.clone()?))
        };
        let metadata: BTreeMap<String, String> = pairs.filter_map(own).collect();
        if !metadata.contains_key("backtest_schema_version") {
            return Err(failed("it is no output of s4cast backtest".into()));
        }
        let fields = builder.schema().fields().iter();
        let quantile_levels = fields.filter_map(|field| names::quantile_level(field.name())).collect();
        let builder = builder.with_batch_size(BATCH_ROWS);
        let batches = builder.build().map_err(|error| failed(error.to_string()))?;
        Ok(Replay { path: path.into(), batches, rows, quantile_levels, metadata })
    }

    /// Shows every forecast of the file.
    ///
    /// # Errors
    /// [`PublishError::Read`] if the file is damaged.
    pub fn each(self, mut show: impl FnMut(&Replayed)) -> Result<(), PublishError> {
        let failed = |reason: String| PublishError::Read { path: self.path.clone(), reason };
        let mut current = Replayed::default();
        for batch in self.batches {
            let batch = batch.map_err(|error| failed(error.to_string()))?;
            let columns = Columns::of(&batch)
                .ok_or_else(|| failed("a column of a backtest is missing or has another type".into()))?;
            for row in 0..batch.num_rows() {
                let (model, unique_id) = (columns.model.value(row), columns.unique_id.value(row));
                let window = columns.window.value(row);
                if !current.is_of(model, unique_id, window) {
                    if !current.y.is_empty() {
                        show(&current);
                    }
                    current = Replayed {
                        model: model.into(),
                        unique_id: unique_id.into(),
                        window,
                        cutoff: columns.cutoff.value(row),
                        scale: columns.scale.map(|scale| scale.value(row)),
                        ..Replayed::default()
                    };
                }
                current.y.push(if columns.y.is_null(row) { f64::NAN } else { columns.y.value(row) });
                current.yhat.push(columns.yhat.value(row));
                current.quantiles.extend(columns.quantiles.iter().map(|values| values.value(row)));
            }
        }
        if !current.y.is_empty() {
            show(&current);
        }
        Ok(())
    }
}

/// The files of backtests that stand beside the runs of a job, `OUT/backtests/job=J/*.parquet`, with the time of their last
/// change, the newest first; none where there is no such folder.
///
/// # Errors
/// If the folder cannot be read or the job is misnamed.
pub fn backtest_files(sink: &Path, job: &str) -> Result<Vec<(PathBuf, SystemTime)>, PublishError> {
    JobFolders::of(sink, job)?;
    let folder = sink.join("backtests").join(format!("job={job}"));
    let entries = match std::fs::read_dir(&folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|error| PublishError::read(&folder, &error))?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| PublishError::read(&folder, &error))?.path();
        let is_hidden = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
        let is_parquet = path.extension().is_some_and(|extension| extension == "parquet");
        // A file that was removed meanwhile is none.
        if let Some(found) = path.metadata().ok().filter(|found| found.is_file() && is_parquet && !is_hidden)
        {
            files.push((path, found.modified().unwrap_or(SystemTime::UNIX_EPOCH)));
        }
    }
    files.sort_by(|a, b| (b.1, &a.0).cmp(&(a.1, &b.0)));
    Ok(files)
}

/// The columns of a batch.
struct Columns<'a> {
    model: &'a arrow_array::StringArray,
    unique_id: &'a arrow_array::StringArray,
    window: &'a arrow_array::Int32Array,
    cutoff: &'a arrow_array::TimestampMicrosecondArray,
    y: &'a Float64Array,
    yhat: &'a Float64Array,
    quantiles: Vec<&'a Float64Array>,
    scale: Option<&'a Float64Array>,
}

impl<'a> Columns<'a> {
    /// `None` if one is not as it should be.
    fn of(batch: &'a RecordBatch) -> Option<Columns<'a>> {
        let column = |name: &str| batch.column_by_name(name);
        let numbers = |name: &str| column(name)?.as_primitive_opt::<Float64Type>();
        let fields = batch.schema_ref().fields().iter();
        let quantiles = fields.filter(|field| names::quantile_level(field.name()).is_some());
        Some(Columns {
            model: column("model")?.as_string_opt()?,
            unique_id: column("unique_id")?.as_string_opt()?,
            window: column("window")?.as_primitive_opt::<Int32Type>()?,
            cutoff: column("cutoff")?.as_primitive_opt::<TimestampMicrosecondType>()?,
            y: numbers("y")?,
            yhat: numbers("yhat")?,
            quantiles: batch_columns(batch, quantiles)?,
            scale: numbers("scale"),
        })
    }
}

fn batch_columns<'a, 'b>(
    batch: &'a RecordBatch,
    fields: impl Iterator<Item = &'b arrow_schema::FieldRef>,
) -> Option<Vec<&'a Float64Array>> {
    fields.map(|field| batch.column_by_name(field.name())?.as_primitive_opt::<Float64Type>()).collect()
}
