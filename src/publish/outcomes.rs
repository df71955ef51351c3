//! The outcomes of a backtest as plain columns, for whoever compares models.

use crate::publish::{Filter, PublishError, names, read_run};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use std::path::Path;

/// The outcomes of one model; all columns have one entry per row, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OutcomeColumns {
    /// Name of the model.
    pub model: String,
    /// Composed ids.
    pub unique_id: Vec<String>,
    /// Target timestamps, microseconds UTC.
    pub ds: Vec<i64>,
    /// Instants up to which values were known, microseconds UTC.
    pub cutoff: Vec<i64>,
    /// Numbers of the windows, from 1 on, the oldest first.
    pub window: Vec<i32>,
    /// What came; `NaN` where nothing was observed.
    pub y: Vec<f64>,
    /// Point forecasts.
    pub yhat: Vec<f64>,
    /// Quantile forecasts: (level, values), ascending by level.
    pub quantiles: Vec<(f64, Vec<f64>)>,
    /// What errors are divided by.
    pub scale: Vec<f64>,
}

/// Reads the outcomes of a backtest, model by model in the order in which they first occur.
///
/// # Errors
/// [`PublishError::Read`] if there is no such file or it holds no outcomes.
pub fn read_outcomes(path: &Path) -> Result<Vec<OutcomeColumns>, PublishError> {
    let mut models: Vec<OutcomeColumns> = Vec::new();
    for batch in read_run(path, &Filter::default())? {
        add(&mut models, &batch).ok_or_else(|| PublishError::Read {
            path: path.into(),
            reason: "it is no output of s4cast backtest: a column is missing or has another type".into(),
        })?;
    }
    Ok(models)
}

/// Adds the rows of a batch; `None` if a column is not as it should be.
fn add(models: &mut Vec<OutcomeColumns>, batch: &RecordBatch) -> Option<()> {
    let column = |name: &str| batch.column_by_name(name);
    let text = |name: &str| column(name)?.as_string_opt::<i32>();
    let times = |name: &str| column(name)?.as_primitive_opt::<TimestampMicrosecondType>();
    let numbers = |name: &str| column(name)?.as_primitive_opt::<Float64Type>();
    let (model, unique_id, ds, cutoff) = (text("model")?, text("unique_id")?, times("ds")?, times("cutoff")?);
    let window = column("window")?.as_primitive_opt::<Int32Type>()?;
    let (y, yhat, scale) = (numbers("y")?, numbers("yhat")?, numbers("scale")?);
    let mut quantiles = Vec::new();
    for field in batch.schema_ref().fields() {
        if let Some(level) = names::quantile_level(field.name()) {
            quantiles.push((level, numbers(field.name())?));
        }
    }
    quantiles.sort_by(|a, b| a.0.total_cmp(&b.0));
    for row in 0..batch.num_rows() {
        let name = model.value(row);
        let place = models.iter().position(|one| one.model == name).unwrap_or_else(|| {
            let quantiles = quantiles.iter().map(|(level, _)| (*level, Vec::new())).collect();
            models.push(OutcomeColumns { model: name.into(), quantiles, ..OutcomeColumns::default() });
            models.len() - 1
        });
        let own = &mut models[place];
        own.unique_id.push(unique_id.value(row).into());
        own.ds.push(ds.value(row));
        own.cutoff.push(cutoff.value(row));
        own.window.push(window.value(row));
        own.y.push(if y.is_null(row) { f64::NAN } else { y.value(row) });
        own.yhat.push(yhat.value(row));
        own.scale.push(scale.value(row));
        own.quantiles
            .iter_mut()
            .zip(&quantiles)
            .for_each(|((_, own), (_, values))| own.push(values.value(row)));
    }
    Some(())
}
