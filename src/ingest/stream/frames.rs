//! Columns of record batches as columns of frames: copies with the types that Parquet files have.

use crate::ingest::decimal::big_endian;
use crate::ingest::source::ColumnType;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type,
    DecimalType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType as ArrowType, Field, TimeUnit as ArrowUnit};
use arrow_select::take::take;
use polars::prelude::{
    BooleanChunked, ChunkedArray, Column, DataFrame, DataType, Float32Type as F32, Float64Type as F64,
    Int8Type as I8, Int16Type as I16, Int32Type as I32, Int64Chunked, Int64Type as I64, IntoSeries,
    NewChunkedArray, PolarsNumericType, Series, StringChunked, TimeUnit, TimeZone, UInt8Type as U8,
    UInt16Type as U16, UInt32Type as U32, UInt64Type as U64,
};

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// What a column will be in a frame.
pub(super) fn column_type(field: &Field) -> ColumnType {
    let known = |dtype| ColumnType::Known(dtype, None);
    match plain(field.data_type()) {
        ArrowType::Boolean => known(DataType::Boolean),
        ArrowType::Int8 => known(DataType::Int8),
        ArrowType::Int16 => known(DataType::Int16),
        ArrowType::Int32 => known(DataType::Int32),
        ArrowType::Int64 => known(DataType::Int64),
        ArrowType::UInt8 => known(DataType::UInt8),
        ArrowType::UInt16 => known(DataType::UInt16),
        ArrowType::UInt32 => known(DataType::UInt32),
        ArrowType::UInt64 => known(DataType::UInt64),
        ArrowType::Float32 => known(DataType::Float32),
        ArrowType::Float64
        | ArrowType::Decimal32(..)
        | ArrowType::Decimal64(..)
        | ArrowType::Decimal128(..)
        | ArrowType::Decimal256(..) => known(DataType::Float64),
        ArrowType::Utf8 | ArrowType::LargeUtf8 | ArrowType::Utf8View => known(DataType::String),
        ArrowType::Date32 | ArrowType::Date64 => known(DataType::Date),
        ArrowType::Timestamp(unit, zone) => {
            let carried = zone.as_ref().map(|_| TimeZone::UTC);
            ColumnType::Known(
                DataType::Datetime(time_unit(*unit), carried),
                zone.as_ref().map(ToString::to_string),
            )
        }
        ArrowType::Null => ColumnType::Unusable("without type and values"),
        ArrowType::List(_) | ArrowType::LargeList(_) | ArrowType::FixedSizeList(..) => {
            ColumnType::Unusable("list")
        }
        ArrowType::Struct(_) => ColumnType::Unusable("struct"),
        ArrowType::Duration(_) => ColumnType::Unusable("duration"),
        ArrowType::Time32(_) | ArrowType::Time64(_) => ColumnType::Unusable("time of day"),
        ArrowType::Float16 => ColumnType::Unusable("16-bit float"),
        ArrowType::Binary | ArrowType::LargeBinary | ArrowType::BinaryView => ColumnType::Unusable("bytes"),
        _ => ColumnType::Unusable("unusable type"),
    }
}

/// The type of the values of a dictionary, any other type as it is.
fn plain(kind: &ArrowType) -> &ArrowType {
    match kind {
        ArrowType::Dictionary(_, values) => values,
        kind => kind,
    }
}

/// A batch without its dictionaries, so that it can be joined to others.
pub(super) fn without_dictionaries(batch: &RecordBatch) -> Result<RecordBatch, String> {
    let spelled = |column: &ArrayRef| match column.data_type() {
        ArrowType::Dictionary(..) => {
            let dictionary = column.as_any_dictionary();
            take(dictionary.values(), dictionary.keys(), None)
        }
        _ => Ok(column.clone()),
    };
    let columns = batch.columns().iter().map(spelled).collect::<Result<Vec<_>, _>>();
    let columns = columns.map_err(|error| error.to_string())?;
    let field = |(field, column): (&std::sync::Arc<Field>, &ArrayRef)| {
        Field::new(field.name(), column.data_type().clone(), true)
    };
    let fields: Vec<Field> = batch.schema_ref().fields().iter().zip(&columns).map(field).collect();
    let schema = std::sync::Arc::new(arrow_schema::Schema::new(fields));
    RecordBatch::try_new(schema, columns).map_err(|error| error.to_string())
}

/// The columns of a batch without dictionaries; those that cannot be used are null.
pub(super) fn frame(batch: &RecordBatch) -> Result<DataFrame, String> {
    let fields = batch.schema_ref().fields().iter();
    let column = |(field, array): (&std::sync::Arc<Field>, &ArrayRef)| {
        let series =
            series(array).unwrap_or_else(|| Series::full_null("".into(), array.len(), &DataType::Null));
        Column::from(series.with_name(field.name().as_str().into()))
    };
    let columns = fields.zip(batch.columns()).map(column).collect();
    DataFrame::new(batch.num_rows(), columns).map_err(|error| error.to_string())
}

/// A column; `None` where it is of a type that cannot be used.
fn series(array: &ArrayRef) -> Option<Series> {
    Some(match array.data_type() {
        ArrowType::Boolean => {
            let values = array.as_boolean().iter();
            BooleanChunked::from_iter_options("".into(), values).into_series()
        }
        ArrowType::Int8 => numbers::<Int8Type, I8>(array).into_series(),
        ArrowType::Int16 => numbers::<Int16Type, I16>(array).into_series(),
        ArrowType::Int32 => numbers::<Int32Type, I32>(array).into_series(),
        ArrowType::Int64 => numbers::<Int64Type, I64>(array).into_series(),
        ArrowType::UInt8 => numbers::<UInt8Type, U8>(array).into_series(),
        ArrowType::UInt16 => numbers::<UInt16Type, U16>(array).into_series(),
        ArrowType::UInt32 => numbers::<UInt32Type, U32>(array).into_series(),
        ArrowType::UInt64 => numbers::<UInt64Type, U64>(array).into_series(),
        ArrowType::Float32 => numbers::<Float32Type, F32>(array).into_series(),
        ArrowType::Float64 => numbers::<Float64Type, F64>(array).into_series(),
        ArrowType::Decimal32(_, scale) => decimals::<Decimal32Type>(array, *scale, f64::from),
        ArrowType::Decimal64(_, scale) => decimals::<Decimal64Type>(array, *scale, |value| value as f64),
        ArrowType::Decimal128(_, scale) => decimals::<Decimal128Type>(array, *scale, |value| value as f64),
        ArrowType::Decimal256(_, scale) => decimals::<Decimal256Type>(array, *scale, |value| {
            value.to_i128().map_or_else(|| big_endian(&value.to_be_bytes()), |value| value as f64)
        }),
        ArrowType::Utf8 => texts(array.as_string::<i32>().iter(), array.null_count()),
        ArrowType::LargeUtf8 => texts(array.as_string::<i64>().iter(), array.null_count()),
        ArrowType::Utf8View => texts(array.as_string_view().iter(), array.null_count()),
        ArrowType::Date32 => numbers::<Date32Type, I32>(array).into_series().into_date(),
        ArrowType::Date64 => {
            let days = array.as_primitive::<Date64Type>().iter();
            let days = days.map(|ms| ms.and_then(|ms| i32::try_from(ms.div_euclid(DAY_MS)).ok()));
            ChunkedArray::<I32>::from_iter_options("".into(), days).into_series().into_date()
        }
        ArrowType::Timestamp(unit, zone) => {
            let stamps: Int64Chunked = match unit {
                ArrowUnit::Second => {
                    let stamps = array.as_primitive::<TimestampSecondType>().iter();
                    let in_ms = stamps.map(|second| second.map(|second| second.saturating_mul(1000)));
                    Int64Chunked::from_iter_options("".into(), in_ms)
                }
                ArrowUnit::Millisecond => numbers::<TimestampMillisecondType, I64>(array),
                ArrowUnit::Microsecond => numbers::<TimestampMicrosecondType, I64>(array),
                ArrowUnit::Nanosecond => numbers::<TimestampNanosecondType, I64>(array),
            };
            stamps.into_series().into_datetime(time_unit(*unit), zone.as_ref().map(|_| TimeZone::UTC))
        }
        _ => return None,
    })
}

/// Seconds are read as milliseconds.
fn time_unit(unit: ArrowUnit) -> TimeUnit {
    match unit {
        ArrowUnit::Second | ArrowUnit::Millisecond => TimeUnit::Milliseconds,
        ArrowUnit::Microsecond => TimeUnit::Microseconds,
        ArrowUnit::Nanosecond => TimeUnit::Nanoseconds,
    }
}

fn numbers<A, P>(array: &ArrayRef) -> ChunkedArray<P>
where
    A: ArrowPrimitiveType,
    P: PolarsNumericType<Native = A::Native>,
    ChunkedArray<P>: NewChunkedArray<P, A::Native>,
{
    let array = array.as_primitive::<A>();
    match array.null_count() {
        0 => ChunkedArray::from_vec("".into(), array.values().to_vec()),
        _ => ChunkedArray::from_iter_options("".into(), array.iter()),
    }
}

/// Decimals as the nearest numbers, as in Parquet files.
fn decimals<D: DecimalType>(array: &ArrayRef, scale: i8, whole: impl Fn(D::Native) -> f64) -> Series {
    let unit = 10f64.powi(i32::from(scale));
    let values = array.as_primitive::<D>().iter().map(|value| value.map(|value| whole(value) / unit));
    ChunkedArray::<F64>::from_iter_options("".into(), values).into_series()
}

fn texts<'a>(values: impl Iterator<Item = Option<&'a str>>, nulls: usize) -> Series {
    let texts = match nulls {
        0 => StringChunked::from_iter_values("".into(), values.flatten()),
        _ => StringChunked::from_iter_options("".into(), values),
    };
    texts.into_series()
}
