//! Forecasts in schema v1 as an Arrow IPC stream: the columns and types of the Parquet files, batch after batch.

use crate::publish::table::Table;
use crate::publish::{Naming, Provenance, verify};
use crate::series::{Forecasts, ScenarioForecasts};
use arrow_array::RecordBatch;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, Schema};
use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::Arc;

/// Verified rows on their way into a stream.
#[derive(Debug)]
pub struct ForecastBatches {
    batches: Vec<RecordBatch>,
    /// Rows of all batches.
    pub rows: usize,
}

impl ForecastBatches {
    /// The rows of some forecasts, series in the order in which they stand.
    ///
    /// # Errors
    /// What no reader may see: a value that is not finite, quantiles that cross.
    pub fn as_they_come(
        forecasts: &Forecasts,
        id_columns: &[String],
        provenance: &Provenance,
    ) -> Result<ForecastBatches, String> {
        ForecastBatches::of(&Table::as_they_come(forecasts, id_columns, provenance)?)
    }

    /// The rows of all forecasts, as a file has them: series ascending by id, each with its scenarios.
    ///
    /// # Errors
    /// As [`ForecastBatches::as_they_come`].
    pub fn sorted(
        forecasts: &Forecasts,
        scenarios: &[ScenarioForecasts],
        id_columns: &[String],
        provenance: &Provenance,
    ) -> Result<ForecastBatches, String> {
        let table = Table::new(forecasts, scenarios, id_columns, provenance, Naming::V1)?;
        ForecastBatches::of(&table)
    }

    fn of(table: &Table<'_>) -> Result<ForecastBatches, String> {
        let batches = table.batches().collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
        batches.iter().try_for_each(|batch| verify::numbers(batch, &table.quantiles))?;
        Ok(ForecastBatches { batches, rows: table.rows })
    }
}

/// A stream of forecasts that has begun with its schema.
pub struct ForecastStream<W: Write> {
    writer: StreamWriter<W>,
}

impl<W: Write> ForecastStream<W> {
    /// Begins a stream of forecasts with these quantile levels. Its metadata says where they come from, in the keys of the
    /// Parquet files.
    ///
    /// # Errors
    /// If the sink takes nothing; if the levels lack an interval that was asked for.
    pub fn begin(
        sink: W,
        quantile_levels: &[f64],
        id_columns: &[String],
        provenance: &Provenance,
    ) -> io::Result<ForecastStream<W>> {
        let none = Forecasts { quantile_levels: quantile_levels.to_vec(), series: Vec::new() };
        let table = Table::as_they_come(&none, id_columns, provenance).map_err(io::Error::other)?;
        let metadata = table.metadata().into_iter();
        let metadata: HashMap<String, String> =
            metadata.map(|(key, value)| (format!("s4cast.{key}"), value)).collect();
        let schema = Arc::new(Schema::new_with_metadata(table.schema.fields().clone(), metadata));
        let mut writer = StreamWriter::try_new(sink, &schema).map_err(as_io)?;
        writer.flush().map_err(as_io)?;
        Ok(ForecastStream { writer })
    }

    /// Adds rows, and hands on whatever is buffered.
    ///
    /// # Errors
    /// If the sink takes no more.
    pub fn write(&mut self, rows: &ForecastBatches) -> io::Result<()> {
        rows.batches.iter().try_for_each(|batch| self.writer.write(batch)).map_err(as_io)?;
        self.writer.flush().map_err(as_io)
    }

    /// Marks the end: everything was written. Without it, readers may tell that the stream broke off.
    ///
    /// # Errors
    /// If the sink takes no more.
    pub fn end(mut self) -> io::Result<()> {
        self.writer.finish().map_err(as_io)?;
        self.writer.flush().map_err(as_io)
    }
}

fn as_io(error: ArrowError) -> io::Error {
    match error {
        ArrowError::IoError(_, error) => error,
        error => io::Error::other(error),
    }
}
