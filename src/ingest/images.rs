//! Labelled images in Parquet: a column `label` and a column `pixels`, lists of bytes of one length.

use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::UInt8Type;
use arrow_array::{Array, ArrayRef, RecordBatch};
use std::fs::File;
use std::path::Path;

/// Images of one size, row-major, and their classes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    /// Class of each image.
    pub labels: Vec<u8>,
    /// Pixels of all images.
    pub pixels: Vec<u8>,
    /// Pixels of one.
    pub pixels_per_image: usize,
}

/// Reads a Parquet file of images.
///
/// # Errors
/// What is wrong with the file, and what would do.
pub fn images(path: &Path) -> Result<Images, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let not_parquet =
        |error: ::parquet::errors::ParquetError| format!("no Parquet file, or a damaged one: {error}");
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).map_err(not_parquet)?;
    let reader = reader.build().map_err(not_parquet)?;
    let mut images = Images { labels: Vec::new(), pixels: Vec::new(), pixels_per_image: 0 };
    for batch in reader {
        add(&mut images, &batch.map_err(|error| format!("a damaged Parquet file: {error}"))?)?;
    }
    match images.labels.is_empty() || images.pixels_per_image == 0 {
        true => Err("it holds no image".into()),
        false => Ok(images),
    }
}

fn add(images: &mut Images, batch: &RecordBatch) -> Result<(), String> {
    let column = |name: &str| {
        let names: Vec<&str> =
            batch.schema_ref().fields().iter().map(|field| field.name().as_str()).collect();
        batch.column_by_name(name).ok_or_else(|| format!("no column {name}; it has {}", names.join(", ")))
    };
    let labels = bytes(column("label")?, "label")?;
    let pixels = column("pixels")?;
    let (values, lengths) = if let Some(list) = pixels.as_fixed_size_list_opt() {
        (list.values().clone(), vec![list.value_length() as usize; list.len()])
    } else if let Some(list) = pixels.as_list_opt::<i32>() {
        let lengths = list.offsets().lengths().collect();
        (list.values().slice(list.value_offsets()[0] as usize, list.offsets().lengths().sum()), lengths)
    } else {
        return Err(format!("column pixels is {}; it has to be lists of uint8", pixels.data_type()));
    };
    if pixels.null_count() > 0 {
        return Err(format!("{} images of column pixels are null", pixels.null_count()));
    }
    for length in lengths {
        if images.pixels_per_image == 0 {
            images.pixels_per_image = length;
        } else if images.pixels_per_image != length {
            let (row, first) = (images.labels.len(), images.pixels_per_image);
            return Err(format!("an image at or after row {row} has {length} pixels, the first one {first}"));
        }
    }
    images.labels.extend(labels);
    images.pixels.extend(bytes(&values, "pixels")?);
    Ok(())
}

/// A column of bytes.
fn bytes(column: &ArrayRef, name: &str) -> Result<Vec<u8>, String> {
    let values = column
        .as_primitive_opt::<UInt8Type>()
        .ok_or_else(|| format!("column {name} holds {}; it has to be uint8", column.data_type()))?;
    match values.null_count() {
        0 => Ok(values.values().to_vec()),
        nulls => Err(format!("{nulls} values of column {name} are null")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::parquet::arrow::ArrowWriter;
    use arrow_array::{FixedSizeListArray, Int64Array, UInt8Array};
    use arrow_schema::{DataType, Field};
    use std::sync::Arc;

    fn written(columns: Vec<(&str, ArrayRef)>) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let batch = RecordBatch::try_from_iter(columns).expect("columns of one length");
        let mut writer =
            ArrowWriter::try_new(file.reopen().expect("open"), batch.schema(), None).expect("a writer");
        writer.write(&batch).expect("written");
        writer.close().expect("closed");
        file
    }

    fn pixels(values: Vec<u8>, size: i32) -> ArrayRef {
        let item = Arc::new(Field::new("item", DataType::UInt8, false));
        Arc::new(FixedSizeListArray::new(item, size, Arc::new(UInt8Array::from(values)), None))
    }

    #[test]
    fn images_are_read_with_their_labels() {
        let labels: ArrayRef = Arc::new(UInt8Array::from(vec![3, 7]));
        let file = written(vec![("label", labels), ("pixels", pixels(vec![1, 2, 3, 4, 5, 6, 7, 8], 4))]);
        let found = images(file.path()).expect("images");
        assert_eq!((found.labels, found.pixels_per_image), (vec![3, 7], 4));
        assert_eq!(found.pixels, [1, 2, 3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn other_files_are_refused_with_the_reason() {
        let labels: ArrayRef = Arc::new(Int64Array::from(vec![3, 7]));
        let file = written(vec![("label", labels.clone()), ("pixels", pixels(vec![1, 2], 1))]);
        assert_eq!(images(file.path()).expect_err("wide"), "column label holds Int64; it has to be uint8");
        let bytes: ArrayRef = Arc::new(UInt8Array::from(vec![3, 7]));
        let file = written(vec![("label", bytes)]);
        assert_eq!(images(file.path()).expect_err("no pixels"), "no column pixels; it has label");
        assert!(images(Path::new("/nowhere")).is_err());
    }
}
