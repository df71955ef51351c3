//! The columns of a file of forecasts, and their rows in bounded chunks.

use crate::publish::{Naming, Provenance, SCHEMA_VERSION, names};
use crate::series::{Forecasts, ScenarioForecasts, SeriesForecast};
use arrow_array::{ArrayRef, Float64Array, Int32Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use std::iter::repeat_n;
use std::sync::Arc;

/// Rows handed to the writer at once; series stay whole, so a chunk may exceed it by one horizon.
const CHUNK_ROWS: usize = 16_384;

/// Rows per row group: small enough to bound the writer's memory, and what DuckDB scans as one unit.
pub(super) const GROUP_ROWS: usize = 122_880;

/// Type of every timestamp column: INT64 TIMESTAMP(MICROS, isAdjustedToUTC = true).
pub(super) fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// What a column holds.
#[derive(Clone, Copy)]
enum Content {
    UniqueId,
    /// Value of an id column: index into a series' keys.
    Key(usize),
    Ds,
    Horizon,
    Point,
    /// Index into the quantile levels.
    Quantile(usize),
    Cutoff,
    IssuedAt,
    CreatedAt,
    RunId,
    ModelId,
    ModelVersion,
    Status,
    Scenario,
    Weights,
}

/// The columns of one file.
pub(super) struct Table<'a> {
    provenance: &'a Provenance,
    /// Names and types.
    pub(super) schema: SchemaRef,
    contents: Vec<Content>,
    /// Names of the columns that must not decrease from one to the next.
    pub(super) quantiles: Vec<String>,
    /// Series, ascending by id; of one series the plain forecast stands before those of scenarios, ascending by name.
    series: Vec<One<'a>>,
    /// Rows of all series.
    pub(super) rows: usize,
}

/// The forecast of one series, plain or of a scenario.
#[derive(Clone, Copy)]
struct One<'a> {
    scenario: Option<&'a str>,
    series: &'a SeriesForecast,
}

impl<'a> Table<'a> {
    /// The table of plain forecasts in their own order, and not in that of their ids; the reason as in [`Table::new`].
    pub(super) fn as_they_come(
        forecasts: &'a Forecasts,
        id_columns: &[String],
        provenance: &'a Provenance,
    ) -> Result<Table<'a>, String> {
        let empty = Forecasts { quantile_levels: forecasts.quantile_levels.clone(), series: Vec::new() };
        let Table { schema, contents, quantiles, .. } =
            Table::new(&empty, &[], id_columns, provenance, Naming::V1)?;
        let series: Vec<One<'_>> =
            forecasts.series.iter().map(|series| One { scenario: None, series }).collect();
        let rows = series.iter().map(|one| one.series.times.len()).sum();
        Ok(Table { provenance, schema, contents, quantiles, series, rows })
    }

    /// The table of some forecasts; the reason where an interval asked for was not forecast, or a scenario has no column.
    pub(super) fn new(
        forecasts: &'a Forecasts,
        scenarios: &'a [ScenarioForecasts],
        id_columns: &[String],
        provenance: &'a Provenance,
        naming: Naming,
    ) -> Result<Table<'a>, String> {
        let (columns, quantiles) = match naming {
            Naming::V1 => v1(&forecasts.quantile_levels, id_columns, provenance)?,
            Naming::Nixtla => nixtla(&forecasts.quantile_levels, provenance)?,
        };
        let field =
            |(name, content): &(String, Content)| Field::new(name, kind(*content), is_optional(*content));
        let schema = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
        if naming == Naming::Nixtla && !scenarios.is_empty() {
            return Err("the columns of Nixtla's libraries have none for scenarios".into());
        }
        let plain = forecasts.series.iter().map(|series| One { scenario: None, series });
        let others = scenarios.iter().flat_map(|scenario| {
            let series = scenario.forecasts.series.iter();
            series.map(|series| One { scenario: Some(&scenario.name), series })
        });
        let mut series: Vec<One<'_>> = plain.chain(others).collect();
        series.sort_by_key(|one| (one.series.unique_id.as_str(), one.scenario));
        let rows = series.iter().map(|one| one.series.times.len()).sum();
        let contents = columns.into_iter().map(|(_, content)| content).collect();
        Ok(Table { provenance, schema, contents, quantiles, series, rows })
    }

    /// How the file is written as Parquet.
    pub(super) fn properties(&self) -> Result<WriterProperties, ParquetError> {
        let has_scenarios = self.series.iter().any(|one| one.scenario.is_some());
        let place = |wanted: &str| self.schema.index_of(wanted).ok().and_then(|at| i32::try_from(at).ok());
        let names = ["unique_id", "scenario", "ds"];
        let sorted = names.into_iter().filter(|name| has_scenarios || *name != "scenario").filter_map(place);
        let scenario = place("scenario");
        let metadata = self.metadata().into_iter();
        let pairs = metadata.map(|(key, value)| KeyValue::new(format!("s4cast.{key}"), value));
        let ascending = |column| {
            let nulls_first = Some(column) == scenario;
            SortingColumn { column_idx: column, descending: false, nulls_first }
        };
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
            .set_statistics_enabled(EnabledStatistics::Page)
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .set_sorting_columns(Some(sorted.map(ascending).collect()))
            .set_key_value_metadata(Some(pairs.collect()));
        // Forecasts hardly ever repeat, so a dictionary of them would be built in vain.
        for field in self.schema.fields().iter().filter(|field| *field.data_type() == DataType::Float64) {
            properties =
                properties.set_column_dictionary_enabled(ColumnPath::from(field.name().as_str()), false);
        }
        Ok(properties.build())
    }

    /// Where the forecasts come from: keys without the `s4cast.` prefix.
    pub(super) fn metadata(&self) -> Vec<(String, String)> {
        let instant = |micros| {
            jiff::Timestamp::from_microsecond(micros).map_or_else(|_| micros.to_string(), |at| at.to_string())
        };
        let own = |key: &str, value: String| (key.to_string(), value);
        let mut metadata = vec![
            own("schema_version", SCHEMA_VERSION.to_string()),
            own("version", env!("CARGO_PKG_VERSION").into()),
            own("run_id", self.provenance.run_id.clone()),
            own("issued_at", instant(self.provenance.issued_at)),
            own("created_at", instant(self.provenance.created_at)),
            own("primary_level", self.provenance.primary_level.to_string()),
        ];
        metadata.extend(self.provenance.metadata.iter().cloned());
        metadata
    }

    /// The rows, in chunks of whole series of about [`CHUNK_ROWS`] rows.
    pub(super) fn batches(&self) -> impl Iterator<Item = Result<RecordBatch, ArrowError>> {
        let mut rows = 0;
        let chunks = self.series.chunk_by(move |before, _| {
            rows += before.series.times.len();
            let whole = rows < CHUNK_ROWS;
            rows = if whole { rows } else { 0 };
            whole
        });
        chunks.map(|chunk| {
            let columns = self.contents.iter().map(|content| self.column(*content, chunk)).collect();
            RecordBatch::try_new(self.schema.clone(), columns)
        })
    }

    /// One column of some series.
    fn column(&self, content: Content, all: &[One<'a>]) -> ArrayRef {
        let series: Vec<&'a SeriesForecast> = all.iter().map(|one| one.series).collect();
        let rows = series.iter().map(|one| one.times.len()).sum();
        let text = |value: &dyn Fn(&'a SeriesForecast) -> &'a str| -> ArrayRef {
            let values = series.iter().flat_map(|one| repeat_n(value(one), one.times.len()));
            Arc::new(StringArray::from_iter_values(values))
        };
        let instants = |values: &mut dyn Iterator<Item = i64>| -> ArrayRef {
            Arc::new(TimestampMicrosecondArray::from_iter_values(values).with_timezone("UTC"))
        };
        let numbers = |values: &mut dyn Iterator<Item = f64>| -> ArrayRef {
            Arc::new(Float64Array::from_iter_values(values))
        };
        match content {
            Content::UniqueId => text(&|one| &one.unique_id),
            Content::Key(key) => text(&|one| one.keys.get(key).map_or("", String::as_str)),
            Content::Ds => instants(&mut series.iter().flat_map(|one| one.times.iter().copied())),
            Content::Horizon => {
                let steps = series.iter().flat_map(|one| (1..).take(one.times.len()));
                Arc::new(Int32Array::from_iter_values(steps))
            }
            Content::Point => numbers(&mut series.iter().flat_map(|one| one.point.iter().copied())),
            Content::Quantile(q) => {
                numbers(&mut series.iter().flat_map(|one| one.quantiles.column(q).into_iter().copied()))
            }
            Content::Cutoff => {
                instants(&mut series.iter().flat_map(|one| repeat_n(one.cutoff, one.times.len())))
            }
            Content::IssuedAt => instants(&mut repeat_n(self.provenance.issued_at, rows)),
            Content::CreatedAt => instants(&mut repeat_n(self.provenance.created_at, rows)),
            Content::RunId => text(&|_| &self.provenance.run_id),
            Content::ModelId => text(&|one| &one.model_id),
            Content::ModelVersion => Arc::new(Int32Array::from_value(self.provenance.model_version, rows)),
            Content::Status => text(&|one| one.status.as_str()),
            Content::Scenario => {
                let names = all.iter().flat_map(|one| repeat_n(one.scenario, one.series.times.len()));
                Arc::new(StringArray::from_iter(names))
            }
            Content::Weights => {
                let texts: Vec<Option<String>> = series.iter().map(|one| one.weights_text()).collect();
                let rows = texts.iter().zip(&series);
                let rows = rows.flat_map(|(text, one)| repeat_n(text.as_deref(), one.times.len()));
                Arc::new(StringArray::from_iter(rows))
            }
        }
    }
}

fn kind(content: Content) -> DataType {
    match content {
        Content::Ds | Content::Cutoff | Content::IssuedAt | Content::CreatedAt => timestamp(),
        Content::Point | Content::Quantile(_) => DataType::Float64,
        Content::Horizon | Content::ModelVersion => DataType::Int32,
        _ => DataType::Utf8,
    }
}

/// Columns of schema v1 that may be empty.
pub(super) const OPTIONAL: [&str; 2] = ["scenario", "weights"];

/// Type of the column of that name, in a file of schema v1 or of Nixtla's columns.
pub(super) fn kind_of(name: &str, is_v1: bool) -> DataType {
    match name {
        "unique_id" => DataType::Utf8,
        "ds" | "cutoff" | "issued_at" | "created_at" => timestamp(),
        "horizon" | "model_version" => DataType::Int32,
        "yhat" | "yhat_lower" | "yhat_upper" => DataType::Float64,
        _ if !is_v1 || names::like_quantile(name) => DataType::Float64,
        _ => DataType::Utf8,
    }
}

fn is_optional(content: Content) -> bool {
    matches!(content, Content::Scenario | Content::Weights)
}

/// Columns in order, and the names of those that must not decrease from one to the next.
type Columns = (Vec<(String, Content)>, Vec<String>);

/// Schema v1.
fn v1(levels: &[f64], id_columns: &[String], provenance: &Provenance) -> Result<Columns, String> {
    let [lower, upper] = interval(levels, provenance.primary_level)?;
    let quantiles: Vec<String> = levels.iter().map(|&level| names::quantile_name(level)).collect();
    let named = |columns: &[(&str, Content)]| {
        columns.iter().map(|(name, content)| (name.to_string(), *content)).collect::<Vec<_>>()
    };
    let mut columns = named(&[("unique_id", Content::UniqueId)]);
    columns.extend(names::id_names(id_columns).into_iter().map(|(key, name)| (name, Content::Key(key))));
    columns.extend(named(&[
        ("ds", Content::Ds),
        ("horizon", Content::Horizon),
        ("yhat", Content::Point),
        ("yhat_lower", Content::Quantile(lower)),
        ("yhat_upper", Content::Quantile(upper)),
    ]));
    columns.extend(quantiles.iter().cloned().zip((0..).map(Content::Quantile)));
    columns.extend(named(&[
        ("cutoff", Content::Cutoff),
        ("issued_at", Content::IssuedAt),
        ("created_at", Content::CreatedAt),
        ("run_id", Content::RunId),
        ("model_id", Content::ModelId),
        ("model_version", Content::ModelVersion),
        ("status", Content::Status),
        ("scenario", Content::Scenario),
        ("weights", Content::Weights),
    ]));
    Ok((columns, quantiles))
}

/// The columns of Nixtla's libraries: the point under the model's name, then both ends of every level asked for.
fn nixtla(levels: &[f64], provenance: &Provenance) -> Result<Columns, String> {
    let mut columns = vec![
        ("unique_id".to_string(), Content::UniqueId),
        ("ds".to_string(), Content::Ds),
        ("s4cast".to_string(), Content::Point),
    ];
    let mut ends: Vec<(usize, String)> = Vec::new();
    for (place, &level) in provenance.levels.iter().enumerate() {
        if provenance.levels[..place].contains(&level) {
            continue;
        }
        let both = interval(levels, level)?.into_iter().zip(["lo", "hi"]);
        ends.extend(both.map(|(quantile, end)| (quantile, format!("s4cast-{end}-{level}"))));
    }
    columns.extend(ends.iter().map(|(quantile, name)| (name.clone(), Content::Quantile(*quantile))));
    ends.sort_by_key(|(quantile, _)| *quantile);
    Ok((columns, ends.into_iter().map(|(_, name)| name).collect()))
}

/// Indices of the quantiles that bound a central interval of `level` percent; quantile levels are rounded to 1e-6.
fn interval(levels: &[f64], level: f64) -> Result<[usize; 2], String> {
    let tail = (100.0 - level) / 200.0;
    let index = |wanted: f64| {
        let found = levels.iter().position(|have| (have - wanted).abs() < 5.1e-7);
        found.ok_or_else(|| format!("quantile {wanted} of the {level} % interval was not forecast"))
    };
    Ok([index(tail)?, index(1.0 - tail)?])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::spec::tails;

    #[test]
    fn every_level_finds_its_rounded_tails() {
        for level in [80.0, 79.999_999_8, 33.333_333_3, 99.99] {
            assert_eq!(interval(&tails(level), level), Ok([0, 1]));
        }
        assert!(interval(&[0.1, 0.9], 79.9998).is_err());
    }
}
