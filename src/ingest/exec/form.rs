//! What a command has printed, by its first bytes; Arrow IPC to Parquet, batch by batch.

use arrow_array::cast::AsArray;
use arrow_array::types::{TimestampMillisecondType, TimestampSecondType};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

/// Rows per row group: what is held in memory at once.
const GROUP_ROWS: usize = 1 << 17;

/// What the bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Csv,
    Parquet,
    Arrow(Layout),
}

/// The two layouts of Arrow IPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    Stream,
    File,
}

/// The form of a file by its first bytes; why it is none that can be read.
pub(super) fn of(mut file: &File) -> io::Result<Result<Form, &'static str>> {
    file.seek(SeekFrom::Start(0))?;
    let mut head = Vec::new();
    file.take(8).read_to_end(&mut head)?;
    Ok(told(&head))
}

fn told(head: &[u8]) -> Result<Form, &'static str> {
    match head {
        [b'P', b'A', b'R', b'1', ..] => Ok(Form::Parquet),
        [b'A', b'R', b'R', b'O', b'W', b'1', ..] => Ok(Form::Arrow(Layout::File)),
        [0xff, 0xff, 0xff, 0xff, ..] => Ok(Form::Arrow(Layout::Stream)),
        [0x1f, 0x8b, ..] | [0x28, 0xb5, 0x2f, 0xfd, ..] | [b'P', b'K', 3, 4, ..] => {
            Err("the command printed compressed data; let it print plain CSV, Parquet or Arrow IPC")
        }
        [b'{', ..] | [b'[', b'{', ..] => {
            Err("the command printed JSON; let it print CSV, Parquet or Arrow IPC")
        }
        _ => Ok(Form::Csv),
    }
}

/// Writes what an Arrow file or stream holds as Parquet.
///
/// # Errors
/// Why it cannot be read, in words.
pub(super) fn to_parquet(source: File, layout: Layout, target: File) -> Result<(), String> {
    let words = |error: &dyn std::fmt::Display| {
        let text = error.to_string();
        let text = text.lines().next().unwrap_or_default();
        let help = match text.to_lowercase().contains("compress") {
            true => "write it without compression",
            false => "let the command print all of it, and cast columns of unusual types",
        };
        format!("damaged or unusual Arrow IPC: {text}; {help}")
    };
    // The bytes may be anything, and the reader is not ours.
    let copied = std::panic::catch_unwind(AssertUnwindSafe(|| {
        let source = BufReader::new(source);
        match layout {
            Layout::Stream => {
                let reader = StreamReader::try_new(source, None).map_err(|error| words(&error))?;
                copy(&reader.schema(), reader, target).map_err(|error| words(&error))
            }
            Layout::File => {
                let reader = FileReader::try_new(source, None).map_err(|error| words(&error))?;
                copy(&reader.schema(), reader, target).map_err(|error| words(&error))
            }
        }
    }));
    copied.unwrap_or_else(|_| Err(words(&"the reader gave up"))).map(drop)
}

/// Writes batches of one schema as Parquet; how many rows they have.
pub(in crate::ingest) fn copy(
    schema: &Schema,
    batches: impl Iterator<Item = Result<RecordBatch, ArrowError>>,
    target: File,
) -> parquet::errors::Result<usize> {
    let schema = readable(schema);
    let properties = WriterProperties::builder()
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .build();
    let mut writer = ArrowWriter::try_new(target, schema.clone(), Some(properties))?;
    let mut rows = 0;
    for batch in batches {
        let batch = batch?;
        rows += batch.num_rows();
        let columns = batch.columns().iter().map(in_milliseconds).collect();
        writer.write(&RecordBatch::try_new(schema.clone(), columns).map_err(|error: ArrowError| error)?)?;
    }
    writer.close().map(|_| rows)
}

/// The schema with timestamps of seconds as milliseconds, the coarsest that Parquet has.
fn readable(schema: &Schema) -> SchemaRef {
    let field = |field: &Arc<Field>| match field.data_type() {
        DataType::Timestamp(TimeUnit::Second, zone) => {
            let kind = DataType::Timestamp(TimeUnit::Millisecond, zone.clone());
            Arc::new(field.as_ref().clone().with_data_type(kind))
        }
        _ => field.clone(),
    };
    Arc::new(Schema::new(schema.fields().iter().map(field).collect::<Vec<_>>()))
}

fn in_milliseconds(column: &ArrayRef) -> ArrayRef {
    match column.data_type() {
        DataType::Timestamp(TimeUnit::Second, zone) => {
            let seconds = column.as_primitive::<TimestampSecondType>();
            let times = seconds.unary::<_, TimestampMillisecondType>(|second| second.saturating_mul(1000));
            Arc::new(times.with_timezone_opt(zone.clone()))
        }
        _ => column.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell() {
        let cases: [(&[u8], Form); 5] = [
            (b"PAR1\x15\x00", Form::Parquet),
            (b"ARROW1\0\0", Form::Arrow(Layout::File)),
            (&[0xff, 0xff, 0xff, 0xff, 16], Form::Arrow(Layout::Stream)),
            (b"ds,y", Form::Csv),
            (b"", Form::Csv),
        ];
        for (head, form) in cases {
            assert_eq!(told(head), Ok(form));
        }
        assert!(told(b"{\"ds\"").unwrap_err().contains("JSON"));
        assert!(told(&[0x1f, 0x8b, 8]).unwrap_err().contains("compressed"));
    }
}
