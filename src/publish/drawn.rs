//! Forecasts as whoever draws them needs them: of a few series, each forecast apart, whatever file they are in.

use crate::publish::{Filter, PublishError, names, read_run, schemas};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch, StringArray};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;

/// One forecast of one series, of a file that `forecast`, `backtest` or the daemon wrote.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Drawn {
    /// Composed id.
    pub unique_id: String,
    /// Name of the model, in a file of a backtest.
    pub model: Option<String>,
    /// Name of the scenario; `None` for the plain forecast.
    pub scenario: Option<String>,
    /// Last observation used, microseconds UTC.
    pub cutoff: i64,
    /// Target timestamps, ascending, microseconds UTC.
    pub ds: Vec<i64>,
    /// Point forecasts.
    pub yhat: Vec<f64>,
    /// Quantile forecasts: (level, values), ascending by level.
    pub quantiles: Vec<(f64, Vec<f64>)>,
    /// What came, in a file of a backtest; `NaN` where nothing was observed.
    pub y: Vec<f64>,
}

/// The ids in a file, each once, ascending. Of a Parquet file only their column is read.
///
/// # Errors
/// [`PublishError::Read`] if there is no such file, or it has no ids.
pub fn series_of(path: &Path) -> Result<Vec<String>, PublishError> {
    let failed = |reason: String| PublishError::Read { path: path.into(), reason };
    let mut ids = BTreeSet::new();
    let mut add = |batch: &RecordBatch| {
        let column = batch.column_by_name("unique_id").and_then(|column| column.as_string_opt::<i32>());
        let column = column.ok_or_else(|| failed("column unique_id is missing or no text".into()))?;
        for id in column.iter().flatten().filter(|id| !id.is_empty()) {
            if !ids.contains(id) {
                ids.insert(id.to_owned());
            }
        }
        Ok::<(), PublishError>(())
    };
    if path.extension().is_some_and(|extension| extension == "csv") {
        read_run(path, &Filter::default())?.iter().try_for_each(&mut add)?;
    } else {
        let file = File::open(path).map_err(|error| PublishError::read(path, &error))?;
        let builder =
            ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| failed(error.to_string()))?;
        schemas::check(builder.metadata()).map_err(|why| PublishError::unread(path, why))?;
        let mask = ProjectionMask::columns(builder.parquet_schema(), ["unique_id"]);
        let reader = builder.with_projection(mask).build().map_err(|error| failed(error.to_string()))?;
        for batch in reader {
            add(&batch.map_err(|error| failed(error.to_string()))?)?;
        }
    }
    Ok(ids.into_iter().collect())
}

/// Every forecast of some series, by series, model, scenario (the plain one first) and cutoff.
///
/// # Errors
/// [`PublishError::Read`] if there is no such file, or its columns are not those of forecasts.
pub fn read_drawn(path: &Path, unique_ids: &[String]) -> Result<Vec<Drawn>, PublishError> {
    let mut all = BTreeMap::new();
    for batch in read_run(path, &Filter { unique_ids: unique_ids.to_vec(), ..Filter::default() })? {
        add(&mut all, &batch).ok_or_else(|| PublishError::Read {
            path: path.into(),
            reason: "one of the columns unique_id, ds, cutoff and yhat is missing or has another type".into(),
        })?;
    }
    let mut all: Vec<Drawn> = all.into_values().collect();
    all.iter_mut().for_each(sort);
    Ok(all)
}

/// What tells forecasts apart: series, model, scenario, cutoff.
type Place = (String, Option<String>, Option<String>, i64);

/// Adds the rows of a batch; `None` if a column is not as it should be.
fn add(all: &mut BTreeMap<Place, Drawn>, batch: &RecordBatch) -> Option<()> {
    let column = |name: &str| batch.column_by_name(name);
    let text = |name: &str| column(name)?.as_string_opt::<i32>();
    let times = |name: &str| column(name)?.as_primitive_opt::<TimestampMicrosecondType>();
    let numbers = |name: &str| column(name)?.as_primitive_opt::<Float64Type>();
    let (ids, ds, cutoffs, yhat) = (text("unique_id")?, times("ds")?, times("cutoff")?, numbers("yhat")?);
    // An id column may be called model, too, but not beside the others of a backtest.
    let is_backtest = column("window").is_some() && column("scale").is_some();
    let models = text("model").filter(|_| is_backtest);
    let y = numbers("y").filter(|_| is_backtest);
    let scenarios = text("scenario");
    let mut quantiles = Vec::new();
    for field in batch.schema_ref().fields() {
        if let Some(level) = names::quantile_level(field.name()) {
            quantiles.push((level, numbers(field.name())?));
        }
    }
    quantiles.sort_by(|a, b| a.0.total_cmp(&b.0));
    let name = |names: Option<&StringArray>, row: usize| {
        names.filter(|names| !names.is_null(row)).map(|names| names.value(row).to_owned())
    };
    for row in 0..batch.num_rows() {
        let (id, model, scenario) = (ids.value(row).to_owned(), name(models, row), name(scenarios, row));
        let place = (id.clone(), model.clone(), scenario.clone(), cutoffs.value(row));
        let own = all.entry(place).or_insert_with(|| Drawn {
            unique_id: id,
            model,
            scenario,
            cutoff: cutoffs.value(row),
            quantiles: quantiles.iter().map(|(level, _)| (*level, Vec::new())).collect(),
            ..Drawn::default()
        });
        own.ds.push(ds.value(row));
        own.yhat.push(yhat.value(row));
        own.y.extend(y.map(|y| if y.is_null(row) { f64::NAN } else { y.value(row) }));
        for ((_, own), (_, values)) in own.quantiles.iter_mut().zip(&quantiles) {
            own.push(values.value(row));
        }
    }
    Some(())
}

/// Puts steps in the order of time; files of ours have them so.
fn sort(drawn: &mut Drawn) {
    if drawn.ds.is_sorted() {
        return;
    }
    let mut order: Vec<usize> = (0..drawn.ds.len()).collect();
    order.sort_by_key(|row| drawn.ds[*row]);
    let sorted =
        |values: &[f64]| -> Vec<f64> { order.iter().filter_map(|row| values.get(*row).copied()).collect() };
    drawn.yhat = sorted(&drawn.yhat);
    drawn.y = sorted(&drawn.y);
    drawn.quantiles = drawn.quantiles.iter().map(|(level, values)| (*level, sorted(values))).collect();
    drawn.ds.sort_unstable();
}
