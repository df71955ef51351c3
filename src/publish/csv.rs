//! Forecasts as CSV: RFC 4180, a header line, times in ISO 8601 UTC, numbers in the fewest digits that read back alike.

use crate::publish::store::Failure;
use crate::publish::table::{self, Table};
use crate::publish::verify;
use ::csv::StringRecord;
use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, Float64Array, Int32Array, RecordBatch, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use jiff::Timestamp;
use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::sync::Arc;

/// Rows read at once.
const CHUNK_ROWS: usize = 16_384;

/// Writes a table as CSV.
pub(super) fn write(table: &Table<'_>, sink: impl Write) -> Result<(), Failure> {
    let mut writer = ::csv::Writer::from_writer(sink);
    writer.write_record(table.schema.fields().iter().map(|field| field.name()))?;
    for batch in table.batches() {
        let batch = batch?;
        for row in 0..batch.num_rows() {
            for column in batch.columns() {
                writer.write_field(cell(column, row)?)?;
            }
            writer.write_record(None::<&[u8]>)?;
        }
    }
    Ok(writer.flush()?)
}

/// The text of a value; empty for none.
fn cell(column: &ArrayRef, row: usize) -> Result<String, jiff::Error> {
    Ok(match column.data_type() {
        _ if column.is_null(row) => String::new(),
        // The debug form is the shortest that reads back alike, with an exponent where digits would be many.
        DataType::Float64 => format!("{:?}", column.as_primitive::<Float64Type>().value(row)),
        DataType::Int32 => column.as_primitive::<Int32Type>().value(row).to_string(),
        DataType::Utf8 => column.as_string::<i32>().value(row).into(),
        _ => {
            let micros = column.as_primitive::<TimestampMicrosecondType>().value(row);
            Timestamp::from_microsecond(micros)?.to_string()
        }
    })
}

/// Reads the whole file back and checks it as a Parquet file is checked.
pub(super) fn verify(file: File, table: &Table<'_>) -> Result<(), String> {
    let rows = Rows::new(file)?;
    if rows.schema.fields() != table.schema.fields() {
        return Err("the header differs from what was written".into());
    }
    verify::batches_of(rows, &table.quantiles, table.rows)
}

/// The rows of a file that [`write()`] wrote, in chunks.
pub(super) struct Rows<R> {
    reader: ::csv::Reader<R>,
    /// Names and types, which follow from the names.
    pub(super) schema: SchemaRef,
}

impl<R: Read> Rows<BufReader<R>> {
    /// Reads the header.
    pub(super) fn new(file: R) -> Result<Rows<BufReader<R>>, String> {
        let mut reader = ::csv::Reader::from_reader(BufReader::new(file));
        let header = reader.headers().map_err(|error| error.to_string())?;
        let is_v1 = header.iter().any(|name| name == "yhat");
        let field =
            |name: &str| Field::new(name, table::kind_of(name, is_v1), table::OPTIONAL.contains(&name));
        let schema = Arc::new(Schema::new(header.iter().map(field).collect::<Vec<_>>()));
        Ok(Rows { reader, schema })
    }
}

impl<R: Read> Iterator for Rows<R> {
    type Item = Result<RecordBatch, String>;

    fn next(&mut self) -> Option<Self::Item> {
        let records: Result<Vec<StringRecord>, _> = self.reader.records().take(CHUNK_ROWS).collect();
        match records {
            Err(error) => Some(Err(error.to_string())),
            Ok(records) if records.is_empty() => None,
            Ok(records) => Some(batch(&self.schema, &records)),
        }
    }
}

fn batch(schema: &SchemaRef, records: &[StringRecord]) -> Result<RecordBatch, String> {
    let fields = schema.fields().iter().enumerate();
    let columns: Result<Vec<ArrayRef>, String> =
        fields.map(|(place, field)| column(field, place, records)).collect();
    RecordBatch::try_new(schema.clone(), columns?).map_err(|error| error.to_string())
}

fn column(field: &Field, place: usize, records: &[StringRecord]) -> Result<ArrayRef, String> {
    let cells = records.iter().map(|record| record.get(place).unwrap_or_default());
    let wrong = |cell: &str| format!("{}: '{cell}' is no {}", field.name(), field.data_type());
    Ok(match field.data_type() {
        DataType::Float64 => {
            let read: Result<Vec<f64>, String> =
                cells.map(|cell| cell.parse().map_err(|_| wrong(cell))).collect();
            Arc::new(Float64Array::from(read?))
        }
        DataType::Int32 => {
            let read: Result<Vec<i32>, String> =
                cells.map(|cell| cell.parse().map_err(|_| wrong(cell))).collect();
            Arc::new(Int32Array::from(read?))
        }
        DataType::Utf8 => {
            let mut texts = StringBuilder::new();
            cells.for_each(|cell| match field.is_nullable() && cell.is_empty() {
                true => texts.append_null(),
                false => texts.append_value(cell),
            });
            Arc::new(texts.finish())
        }
        _ => {
            let instant = |cell: &str| cell.parse::<Timestamp>().map_err(|_| wrong(cell));
            let read: Result<Vec<i64>, String> =
                cells.map(|cell| Ok(instant(cell)?.as_microsecond())).collect();
            Arc::new(TimestampMicrosecondArray::from(read?).with_timezone("UTC"))
        }
    })
}
