//! The footer of a Parquet file: which columns it has, and which of their types can be read.

use super::files::{self, SourceFile, data, io_error};
use super::pages::{self, Packing};
use super::seen::Seen;
use super::source::{ColumnType, guarded};
use super::spec::IngestError;
use super::{decimal, footer};
use polars::io::parquet::metadata::FileMetadataRef;
use polars::io::parquet::read::{FileMetadata, ParquetReader};
use polars::prelude::{ArrowDataType, ArrowField, ArrowSchema, DataType, PolarsError, SerReader};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// Rows that any file may have.
const ROWS_FREE: u64 = 256 << 10;

/// Rows per byte that a file may have beyond that: what repeats itself is packed well, but times never are so well.
const ROWS_PER_BYTE: u64 = 200;

/// Columns with their types, the footer, the scale of every column that is a decimal, whether this program wrote the file, and
/// which file it was.
type Opened = (Vec<(String, ColumnType)>, FileMetadataRef, Vec<Option<i32>>, bool, Seen);

/// Reads and checks the footer of a file.
pub(super) fn open(file: &SourceFile) -> Result<Opened, IngestError> {
    let mut reader = File::open(&file.path).map_err(|error| io_error(&file.path, &error))?;
    let footer = files::footer(&mut reader).map_err(|error| io_error(&file.path, &error))?;
    if !footer.is_some_and(|bytes| footer::is_plausible(&bytes)) {
        return Err(data(format!(
            "{}: damaged Parquet: its footer makes no sense; write the file again",
            file.name
        )));
    }
    let metadata = reader.metadata().map_err(|error| io_error(&file.path, &error))?;
    let (seen, length) = (Seen::of(&metadata), file.seen.bytes);
    let opened = guarded(|| {
        let mut reader = ParquetReader::new(reader);
        let schema = reader.schema()?;
        let mut metadata = reader.get_metadata()?.clone();
        if !is_consistent(&metadata) {
            return Err(polars_error("its footer contradicts itself"));
        }
        if metadata.num_rows as u64 > ROWS_FREE.saturating_add(ROWS_PER_BYTE.saturating_mul(length)) {
            return Err(polars_error("its footer claims more rows than its bytes can hold"));
        }
        let own = is_own(&metadata);
        let decimals = decimal::scales(&metadata);
        let mut readable = schema.clone();
        let dictionary = |field: &ArrowField| matches!(field.dtype, ArrowDataType::Dictionary(..));
        if schema.iter_values().any(dictionary) || decimals.iter().any(Option::is_some) {
            // The Arrow schema in the footer asks for dictionaries; without it the plain values are read.
            let mut plain = (*metadata).clone();
            plain.key_value_metadata = None;
            plain.schema_descr = decimal::without_decimals(&plain.schema_descr);
            readable = Arc::new(polars::io::parquet::read::infer_schema(&plain)?);
            metadata = Arc::new(plain);
        }
        let mut columns = column_types(&schema, &readable);
        for ((_, kind), _) in columns.iter_mut().zip(&decimals).filter(|(_, scale)| scale.is_some()) {
            *kind = ColumnType::Known(DataType::Float64, None);
        }
        Ok((columns, metadata, decimals, own, seen))
    });
    opened.map_err(|problem| data(format!("{}: damaged Parquet: {problem}; write the file again", file.name)))
}

/// What is wrong with the pages of some columns, of the row groups that hold these rows.
pub(super) fn fault_of_pages(
    file: &mut File,
    metadata: &FileMetadata,
    rows: Range<usize>,
    columns: &[&str],
) -> io::Result<Option<&'static str>> {
    let mut start = 0usize;
    for group in &metadata.row_groups {
        let end = start.saturating_add(group.num_rows());
        // A group without rows has no place of its own, but its dictionaries are read.
        if start < rows.end && rows.start < end || start == end {
            for chunk in columns.iter().filter_map(|name| group.columns_under_root_iter(name)).flatten() {
                let is_optional = chunk.descriptor().descriptor.max_def_level > 0;
                let packing = Packing { compression: chunk.compression(), is_optional };
                if let Some(fault) = pages::fault(file, chunk.byte_range(), group.num_rows() as u64, packing)?
                {
                    return Ok(Some(fault));
                }
            }
        }
        start = end;
    }
    Ok(None)
}

/// Whether rows and row groups of a footer agree: memory is reserved by these numbers.
fn is_consistent(metadata: &FileMetadata) -> bool {
    let mut groups = metadata.row_groups.iter().map(|group| group.num_rows());
    groups.try_fold(0usize, usize::checked_add) == Some(metadata.num_rows)
}

/// Whether the metadata has the version of a forecast file or of a quality report.
fn is_own(metadata: &FileMetadata) -> bool {
    const KEYS: [&str; 3] =
        ["s4cast.schema_version", "s4cast.quality_schema_version", "s4cast.backtest_schema_version"];
    metadata.key_value_metadata.iter().flatten().any(|pair| KEYS.contains(&pair.key.as_str()))
}

fn polars_error(problem: &'static str) -> PolarsError {
    PolarsError::ComputeError(problem.into())
}

/// Types as they will be read, with the zones of the original schema.
fn column_types(original: &ArrowSchema, readable: &ArrowSchema) -> Vec<(String, ColumnType)> {
    let kind = |dtype: &ArrowDataType, original: Option<&ArrowDataType>| {
        let zone = match original {
            Some(ArrowDataType::Timestamp(_, zone)) => zone.as_ref().map(ToString::to_string),
            _ => None,
        };
        match dtype {
            ArrowDataType::Boolean
            | ArrowDataType::Int8
            | ArrowDataType::Int16
            | ArrowDataType::Int32
            | ArrowDataType::Int64
            | ArrowDataType::UInt8
            | ArrowDataType::UInt16
            | ArrowDataType::UInt32
            | ArrowDataType::UInt64
            | ArrowDataType::Float32
            | ArrowDataType::Float64
            | ArrowDataType::Utf8
            | ArrowDataType::LargeUtf8
            | ArrowDataType::Utf8View
            | ArrowDataType::Date32
            | ArrowDataType::Timestamp(..) => ColumnType::Known(DataType::from_arrow_dtype(dtype), zone),
            ArrowDataType::Null => ColumnType::Unusable("without type and values"),
            ArrowDataType::List(_) | ArrowDataType::LargeList(_) | ArrowDataType::FixedSizeList(..) => {
                ColumnType::Unusable("list")
            }
            ArrowDataType::Struct(_) => ColumnType::Unusable("struct"),
            ArrowDataType::Duration(_) => ColumnType::Unusable("duration"),
            ArrowDataType::Time32(_) | ArrowDataType::Time64(_) => ColumnType::Unusable("time of day"),
            ArrowDataType::Float16 => ColumnType::Unusable("16-bit float"),
            ArrowDataType::Binary | ArrowDataType::LargeBinary | ArrowDataType::BinaryView => {
                ColumnType::Unusable("bytes")
            }
            _ => ColumnType::Unusable("unusable type"),
        }
    };
    let column = |(name, field): (&_, &ArrowField)| {
        let original = original.get(name).map(|field| &field.dtype);
        (ToString::to_string(name), kind(&field.dtype, original))
    };
    readable.iter().map(|(name, field)| column((name, field))).collect()
}
