//! What the fields of Parquet's own structures are, by number.
//!
//! The reader goes by the numbers of fields alone: where a damaged footer has a number in the place of a list, it takes the
//! bytes of the number for the length of the list. So types are held against this table first. Source: parquet.thrift.

/// A structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    FileMetaData,
    SchemaElement,
    RowGroup,
    ColumnChunk,
    ColumnMetaData,
    Statistics,
    KeyValue,
    SortingColumn,
    ColumnOrder,
    LogicalType,
    DecimalType,
    /// Of times and of time stamps.
    TimeType,
    TimeUnit,
    IntType,
    PageHeader,
    DataPage,
    DataPageV2,
    DictionaryPage,
    /// One of which no field is read.
    Other,
}

/// A field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Flag,
    Byte,
    Number,
    Text,
    Numbers,
    Texts,
    One(Shape),
    Many(Shape),
}

impl Shape {
    /// The field of that number, if it is one that is read.
    pub(super) fn field(self, number: i64) -> Option<Field> {
        use Field::{Byte, Flag, Many, Number, Numbers, One, Text, Texts};
        use Shape::*;
        Some(match (self, number) {
            (FileMetaData, 1 | 3) => Number,
            (FileMetaData, 2) => Many(SchemaElement),
            (FileMetaData, 4) => Many(RowGroup),
            (FileMetaData, 5) => Many(KeyValue),
            (FileMetaData, 6) => Text,
            (FileMetaData, 7) => Many(ColumnOrder),
            (SchemaElement, 1..=3 | 5..=9) => Number,
            (SchemaElement, 4) => Text,
            (SchemaElement, 10) => One(LogicalType),
            (RowGroup, 1) => Many(ColumnChunk),
            (RowGroup, 2 | 3 | 5..=7) => Number,
            (RowGroup, 4) => Many(SortingColumn),
            (ColumnChunk, 1) => Text,
            (ColumnChunk, 2 | 4..=7) => Number,
            (ColumnChunk, 3) => One(ColumnMetaData),
            (ColumnMetaData, 1 | 4..=7 | 9..=11 | 14 | 15) => Number,
            (ColumnMetaData, 2) => Numbers,
            (ColumnMetaData, 3) => Texts,
            (ColumnMetaData, 8) => Many(KeyValue),
            (ColumnMetaData, 12) => One(Statistics),
            (ColumnMetaData, 13) => Many(Other),
            (Statistics, 1 | 2 | 5 | 6) => Text,
            (Statistics, 3 | 4) => Number,
            (Statistics, 7 | 8) => Flag,
            (KeyValue, 1 | 2) => Text,
            (SortingColumn, 1) => Number,
            (SortingColumn, 2 | 3) => Flag,
            (ColumnOrder, 1 | 2) => One(Other),
            (LogicalType, 5) => One(DecimalType),
            (LogicalType, 7 | 8) => One(TimeType),
            (LogicalType, 10) => One(IntType),
            (LogicalType, 1..=15) => One(Other),
            (DecimalType, 1 | 2) => Number,
            (TimeType, 1) => Flag,
            (TimeType, 2) => One(TimeUnit),
            (TimeUnit, 1..=3) => One(Other),
            (IntType, 1) => Byte,
            (IntType, 2) => Flag,
            (PageHeader, 1..=4) => Number,
            (PageHeader, 5) => One(DataPage),
            (PageHeader, 6) => One(Other),
            (PageHeader, 7) => One(DictionaryPage),
            (PageHeader, 8) => One(DataPageV2),
            (DataPage, 1..=4) | (DataPageV2, 1..=6) | (DictionaryPage, 1 | 2) => Number,
            (DataPage, 5) | (DataPageV2, 8) => One(Statistics),
            (DataPageV2, 7) | (DictionaryPage, 3) => Flag,
            _ => return None,
        })
    }
}
