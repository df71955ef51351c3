//! Reading a part file back, no more of it than is asked for.

use crate::publish::csv::Rows;
use crate::publish::{PublishError, schemas, verify};
use crate::series::version::Unread;
use arrow_array::cast::AsArray;
use arrow_array::{BooleanArray, RecordBatch};
use arrow_schema::ArrowError;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowPredicate, ArrowPredicateFn, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowFilter,
    RowSelection,
};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, RowGroupMetaData};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use std::collections::BTreeSet;
use std::fs::File;
use std::ops::Range;
use std::path::Path;

/// Which rows to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Series; all of them where it is empty.
    pub unique_ids: Vec<String>,
    /// Which forecasts of them.
    pub scenario: Which,
    /// Rows of those series to pass over.
    pub offset: usize,
    /// Most rows to read after that; `None` reads all.
    pub limit: Option<usize>,
    /// Columns to read, those of them that the file has; all where it is empty.
    pub columns: Vec<String>,
}

/// Which forecasts of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Which {
    /// The plain ones and those of scenarios.
    #[default]
    All,
    /// The plain ones.
    Plain,
    /// Those of one scenario.
    Scenario(String),
}

impl Which {
    /// Whether a row with that scenario is meant.
    fn holds(&self, scenario: Option<&str>) -> bool {
        match self {
            Which::All => true,
            Which::Plain => scenario.is_none(),
            Which::Scenario(wanted) => scenario == Some(wanted),
        }
    }
}

/// Reads rows of a part file, in its order.
///
/// Of a Parquet file only the pages are read that can hold the series asked for; CSV is read from the beginning.
///
/// # Errors
/// [`PublishError::Read`] if there is no such file, or it holds no forecasts.
pub fn read_run(path: &Path, filter: &Filter) -> Result<Vec<RecordBatch>, PublishError> {
    let file = File::open(path).map_err(|error| PublishError::read(path, &error))?;
    let ids: BTreeSet<String> = filter.unique_ids.iter().cloned().collect();
    match path.extension().is_some_and(|extension| extension == "csv") {
        true => read_csv(file, filter, &ids).map_err(Unread::Damaged),
        false => read_parquet(file, filter, &ids),
    }
    .map_err(|why| PublishError::unread(path, why))
}

fn read_parquet(file: File, filter: &Filter, ids: &BTreeSet<String>) -> Result<Vec<RecordBatch>, Unread> {
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
    let text = |error: &dyn std::fmt::Display| Unread::Damaged(error.to_string());
    let mut builder =
        ParquetRecordBatchReaderBuilder::try_new_with_options(file, options).map_err(|e| text(&e))?;
    schemas::check(builder.metadata())?;
    let mut filters: Vec<Box<dyn ArrowPredicate>> = Vec::new();
    match verify::place(builder.schema(), "scenario") {
        // Without the column there are plain forecasts alone.
        Err(_) if matches!(filter.scenario, Which::Scenario(_)) => return Ok(Vec::new()),
        Ok(column) if filter.scenario != Which::All && !is_plain(builder.metadata(), column) => {
            let mask = ProjectionMask::leaves(builder.parquet_schema(), [column]);
            let wanted = filter.scenario.clone();
            filters.push(Box::new(ArrowPredicateFn::new(mask, move |batch| of_scenario(&batch, &wanted))));
        }
        Ok(_) if matches!(filter.scenario, Which::Scenario(_)) => return Ok(Vec::new()),
        _ => {}
    }
    if !ids.is_empty() {
        let column = verify::place(builder.schema(), "unique_id").map_err(Unread::Damaged)?;
        let metadata = builder.metadata().clone();
        let rows = usize::try_from(metadata.file_metadata().num_rows()).map_err(|e| text(&e))?;
        let ranges = candidates(&metadata, column, ids).into_iter();
        let mask = ProjectionMask::leaves(builder.parquet_schema(), [column]);
        let wanted = ids.clone();
        let holds = ArrowPredicateFn::new(mask, move |batch| one_of(&batch, &wanted));
        filters.insert(0, Box::new(holds));
        builder = builder.with_row_selection(RowSelection::from_consecutive_ranges(ranges, rows));
    }
    if !filters.is_empty() {
        builder = builder.with_row_filter(RowFilter::new(filters));
    }
    builder = builder.with_offset(filter.offset);
    if let Some(limit) = filter.limit {
        builder = builder.with_limit(limit);
    }
    if !filter.columns.is_empty() {
        let names = filter.columns.iter().map(String::as_str);
        let mask = ProjectionMask::columns(builder.parquet_schema(), names);
        builder = builder.with_projection(mask);
    }
    builder.build().map_err(|e| text(&e))?.map(|batch| batch.map_err(|e| text(&e))).collect()
}

/// Which rows belong to one of the series.
fn one_of(batch: &RecordBatch, ids: &BTreeSet<String>) -> Result<BooleanArray, ArrowError> {
    let column = batch.column(0).as_string_opt::<i32>();
    let column = column.ok_or_else(|| ArrowError::SchemaError("unique_id is no text".into()))?;
    Ok(column.iter().map(|id| Some(id.is_some_and(|id| ids.contains(id)))).collect())
}

/// Which rows are of the scenario.
fn of_scenario(batch: &RecordBatch, wanted: &Which) -> Result<BooleanArray, ArrowError> {
    let column = batch.column(0).as_string_opt::<i32>();
    let column = column.ok_or_else(|| ArrowError::SchemaError("scenario is no text".into()))?;
    Ok(column.iter().map(|name| Some(wanted.holds(name))).collect())
}

/// Whether the statistics say that no row is of a scenario.
fn is_plain(metadata: &ParquetMetaData, column: usize) -> bool {
    let empty = |group: &RowGroupMetaData| {
        let nulls = group.column(column).statistics().and_then(|statistics| statistics.null_count_opt());
        nulls.is_some_and(|nulls| i64::try_from(nulls).is_ok_and(|nulls| nulls == group.num_rows()))
    };
    metadata.row_groups().iter().all(empty)
}

/// Ranges of rows, ascending, outside of which none of the series can be: whole pages, by their least and largest id.
fn candidates(metadata: &ParquetMetaData, column: usize, ids: &BTreeSet<String>) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut first = 0;
    for (number, group) in metadata.row_groups().iter().enumerate() {
        let end = first + usize::try_from(group.num_rows()).unwrap_or(0);
        let index = metadata.page_index_for_row_group(number);
        match index.column_index(column).zip(index.offset_index(column)) {
            Some((ColumnIndexMetaData::BYTE_ARRAY(bounds), pages)) => {
                let starts =
                    pages.page_locations().iter().map(|page| first + page.first_row_index.max(0) as usize);
                let starts: Vec<usize> = starts.chain([end]).collect();
                for (page, rows) in starts.windows(2).enumerate() {
                    if may_hold(bounds.min_value(page), bounds.max_value(page), ids) {
                        ranges.push(rows[0]..rows[1]);
                    }
                }
            }
            _ => ranges.push(first..end),
        }
        first = end;
    }
    ranges
}

/// Whether one of the series lies between the bounds of a page; they may be shortened, but never inwards.
fn may_hold(least: Option<&[u8]>, largest: Option<&[u8]>, ids: &BTreeSet<String>) -> bool {
    let Some((least, largest)) = least.zip(largest) else { return true };
    ids.iter().any(|id| least <= id.as_bytes() && id.as_bytes() <= largest)
}

fn read_csv(file: File, filter: &Filter, ids: &BTreeSet<String>) -> Result<Vec<RecordBatch>, String> {
    let rows = Rows::new(file)?;
    let column = verify::place(&rows.schema, "unique_id")?;
    let scenario = verify::place(&rows.schema, "scenario").ok();
    if scenario.is_none() && matches!(filter.scenario, Which::Scenario(_)) {
        return Ok(Vec::new());
    }
    let (mut skip, mut left) = (filter.offset, filter.limit.unwrap_or(usize::MAX));
    let mut batches = Vec::new();
    for batch in rows {
        let mut batch = batch?;
        if !ids.is_empty() {
            let key = batch.project(&[column]).map_err(|error| error.to_string())?;
            let wanted = one_of(&key, ids).map_err(|error| error.to_string())?;
            batch = arrow_select::filter::filter_record_batch(&batch, &wanted)
                .map_err(|error| error.to_string())?;
        }
        if let Some(column) = scenario.filter(|_| filter.scenario != Which::All) {
            let key = batch.project(&[column]).map_err(|error| error.to_string())?;
            let wanted = of_scenario(&key, &filter.scenario).map_err(|error| error.to_string())?;
            batch = arrow_select::filter::filter_record_batch(&batch, &wanted)
                .map_err(|error| error.to_string())?;
        }
        let from = skip.min(batch.num_rows());
        let count = left.min(batch.num_rows() - from);
        (skip, left) = (skip - from, left - count);
        if count > 0 {
            batches.push(of_columns(&batch.slice(from, count), &filter.columns)?);
        }
        if left == 0 {
            break;
        }
    }
    Ok(batches)
}

/// Some columns of a batch, in its order; all where none is named.
fn of_columns(batch: &RecordBatch, names: &[String]) -> Result<RecordBatch, String> {
    if names.is_empty() {
        return Ok(batch.clone());
    }
    let fields = batch.schema_ref().fields().iter().enumerate();
    let places: Vec<usize> =
        fields.filter(|(_, field)| names.contains(field.name())).map(|(place, _)| place).collect();
    batch.project(&places).map_err(|error| error.to_string())
}
