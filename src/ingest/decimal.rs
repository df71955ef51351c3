//! Decimals in Parquet: integers with a scale, read as such and turned into floats.
//!
//! polars is compiled without its decimal type. So the footer is read again as if the decimals were the plain integers
//! or bytes that they are stored as.

use polars::io::parquet::read::FileMetadata;
use polars::prelude::{Column, DataFrame, DataType, Float64Chunked, IntoColumn, PolarsResult};
use polars_parquet::parquet::metadata::SchemaDescriptor;
use polars_parquet::parquet::schema::types::{
    ParquetType, PrimitiveConvertedType, PrimitiveLogicalType, PrimitiveType,
};

/// For every column, how many digits of a decimal stand after the point; `None` where it is no decimal.
pub(super) fn scales(metadata: &FileMetadata) -> Vec<Option<i32>> {
    metadata.schema_descr.fields().iter().map(scale).collect()
}

fn scale(field: &ParquetType) -> Option<i32> {
    let ParquetType::PrimitiveType(PrimitiveType { logical_type, converted_type, .. }) = field else {
        return None;
    };
    let scale = match (logical_type, converted_type) {
        (Some(PrimitiveLogicalType::Decimal(_, scale)), _)
        | (_, Some(PrimitiveConvertedType::Decimal(_, scale))) => scale,
        _ => return None,
    };
    i32::try_from(*scale).ok()
}

/// The schema with every decimal as what it is stored as.
pub(super) fn without_decimals(schema: &SchemaDescriptor) -> SchemaDescriptor {
    let plain = |field: &ParquetType| match (field, scale(field)) {
        (ParquetType::PrimitiveType(stored), Some(_)) => ParquetType::PrimitiveType(PrimitiveType {
            logical_type: None,
            converted_type: None,
            ..stored.clone()
        }),
        _ => field.clone(),
    };
    SchemaDescriptor::new(schema.name().into(), schema.fields().iter().map(plain).collect())
}

/// The frame with its decimal columns as floats; `scales` has one entry per column.
pub(super) fn to_floats(mut frame: DataFrame, scales: &[Option<i32>]) -> PolarsResult<DataFrame> {
    for (at, scale) in scales.iter().enumerate() {
        if let Some(scale) = scale {
            let floats = floats(&frame.columns()[at], *scale)?;
            frame.replace_column(at, floats)?;
        }
    }
    Ok(frame)
}

fn floats(column: &Column, scale: i32) -> PolarsResult<Column> {
    let unit = 10f64.powi(scale);
    let series = column.as_materialized_series();
    let mut floats: Float64Chunked = match series.dtype() {
        DataType::Binary => {
            series.binary()?.iter().map(|bytes| bytes.map(|bytes| big_endian(bytes) / unit)).collect()
        }
        _ => series
            .cast(&DataType::Int64)?
            .i64()?
            .iter()
            .map(|value| value.map(|value| value as f64 / unit))
            .collect(),
    };
    floats.rename(column.name().clone());
    Ok(floats.into_column())
}

/// A two's complement integer of any length.
pub(super) fn big_endian(bytes: &[u8]) -> f64 {
    let negative = bytes.first().is_some_and(|&byte| byte >= 0x80);
    if bytes.len() <= 16 {
        let start = if negative { -1 } else { 0 };
        return bytes.iter().fold(start, |value: i128, &byte| (value << 8) | i128::from(byte)) as f64;
    }
    // The complement of a negative number is small where the number is, so nothing cancels.
    let flip = if negative { 0xff } else { 0 };
    let magnitude = bytes.iter().fold(0.0, |value, &byte| value * 256.0 + f64::from(byte ^ flip));
    if negative { -magnitude - 1.0 } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_of_any_length() {
        assert_eq!(big_endian(&[0x04, 0xd2]), 1234.0);
        assert_eq!(big_endian(&[0xff, 0xfe]), -2.0);
        assert_eq!(big_endian(&[0; 17]), 0.0);
        assert_eq!(big_endian(&[&[0xff; 16][..], &[0]].concat()), -256.0);
    }
}
