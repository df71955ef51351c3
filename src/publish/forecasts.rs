//! Forecasts to Parquet, in bounded chunks.

use crate::publish::store::{self, Failure};
use crate::publish::table::Table;
use crate::publish::{Naming, Provenance, PublishError, Published, verify};
use crate::series::{Forecasts, ScenarioForecasts};
use crate::store::Place;
use parquet::arrow::ArrowWriter;
use std::io::Write;
use std::path::Path;

/// Writes forecasts in schema v1, atomically: the plain ones, and those of scenarios beside them.
///
/// # Errors
/// See [`PublishError`].
pub fn write_forecasts(
    path: &Path,
    forecasts: &Forecasts,
    scenarios: &[ScenarioForecasts],
    id_columns: &[String],
    provenance: &Provenance,
) -> Result<Published, PublishError> {
    let table = Table::new(forecasts, scenarios, id_columns, provenance, Naming::V1)
        .map_err(|reason| PublishError::Verify { path: path.into(), reason })?;
    let bytes = store::publish(
        path,
        |file| write(&table, file),
        |file| verify::parquet(file, &table.schema, &table.quantiles, table.rows),
    )?;
    Ok(Published { rows: table.rows, bytes, path: Place::Local(path.into()) })
}

/// Writes a table as Parquet.
pub(super) fn write(table: &Table<'_>, sink: impl Write + Send) -> Result<(), Failure> {
    let mut writer = ArrowWriter::try_new(sink, table.schema.clone(), Some(table.properties()?))?;
    for batch in table.batches() {
        writer.write(&batch?)?;
    }
    Ok(writer.close().map(drop)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::{SeriesForecast, Status};
    use arrow_array::{Float64Array, Int32Array, StringArray};
    use ndarray::Array2;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use parquet::basic::Compression;
    use std::fs::File;

    const LEVELS: [f64; 5] = [0.025, 0.1, 0.5, 0.9, 0.975];

    fn series(unique_id: &str, horizon: usize) -> SeriesForecast {
        SeriesForecast {
            unique_id: unique_id.into(),
            keys: unique_id.split('/').map(String::from).collect(),
            cutoff: 0,
            times: (1..=horizon as i64).map(|step| step * 3_600_000_000).collect(),
            point: vec![2.0; horizon],
            quantiles: Array2::from_shape_fn((horizon, LEVELS.len()), |(_, q)| q as f64),
            reach: f64::INFINITY,
            status: Status::Ok,
            model_id: "s4d".into(),
            weights: vec![("s4d".into(), 0.75), ("ridge".into(), 0.25)],
        }
    }

    fn provenance() -> Provenance {
        Provenance {
            run_id: "run".into(),
            issued_at: 1,
            created_at: 2,
            model_version: 1,
            primary_level: 80.0,
            levels: vec![80.0, 95.0],
            correction: None,
            metadata: vec![("data_sha256".into(), "abc".into())],
        }
    }

    fn write(path: &Path, series: Vec<SeriesForecast>) -> Result<Published, PublishError> {
        let forecasts = Forecasts { quantile_levels: LEVELS.to_vec(), series };
        write_forecasts(path, &forecasts, &[], &["Site".into(), "Meter".into()], &provenance())
    }

    #[test]
    fn schema_v1_is_what_the_contract_says() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("out.parquet");
        let published = write(&path, vec![series("b/2", 3), series("a/1", 2)]).expect("published");
        assert_eq!((published.rows, published.bytes), (5, path.metadata().expect("file").len()));

        let reader =
            ParquetRecordBatchReaderBuilder::try_new(File::open(&path).expect("open")).expect("reader");
        let names: Vec<String> = reader.schema().fields().iter().map(|field| field.name().clone()).collect();
        assert_eq!(
            names.join(" "),
            "unique_id site meter ds horizon yhat yhat_lower yhat_upper p02_5 p10 p50 p90 p97_5 cutoff issued_at \
             created_at run_id model_id model_version status scenario weights"
        );
        let footer = reader.metadata().clone();
        let metadata = footer.file_metadata().key_value_metadata().expect("metadata");
        let value =
            |key: &str| metadata.iter().find(|pair| pair.key == key).and_then(|pair| pair.value.clone());
        assert_eq!(value("s4cast.schema_version").as_deref(), Some("1"));
        assert_eq!(value("s4cast.data_sha256").as_deref(), Some("abc"));
        let message = {
            let mut text = Vec::new();
            parquet::schema::printer::print_schema(&mut text, footer.file_metadata().schema());
            String::from_utf8(text).expect("text")
        };
        assert!(message.contains("REQUIRED INT64 ds (TIMESTAMP(MICROS,true))"), "{message}");
        assert!(message.contains("REQUIRED BYTE_ARRAY unique_id (STRING)"), "{message}");
        let group = footer.row_group(0);
        assert!(group.column(0).statistics().is_some());
        assert!(matches!(group.column(0).compression(), Compression::ZSTD(_)));

        let batch = reader.build().expect("reader").next().expect("rows").expect("batch");
        let ids = batch.column(0).as_any().downcast_ref::<StringArray>().expect("text").clone();
        assert_eq!(ids.iter().flatten().collect::<Vec<_>>(), ["a/1", "a/1", "b/2", "b/2", "b/2"]);
        let steps = batch.column(4).as_any().downcast_ref::<Int32Array>().expect("steps").values().to_vec();
        assert_eq!(steps, [1, 2, 1, 2, 3]);
        let lower = batch.column(6).as_any().downcast_ref::<Float64Array>().expect("numbers").value(0);
        assert_eq!(lower, 1.0);
    }

    #[test]
    fn scenarios_stand_behind_the_plain_forecast_of_their_series() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("out.parquet");
        let of = |series| Forecasts { quantile_levels: LEVELS.to_vec(), series };
        let both = || of(vec![series("b/2", 2), series("a/1", 2)]);
        let named = |name: &str| ScenarioForecasts { name: name.into(), forecasts: both() };
        let ids = ["Site".into(), "Meter".into()];
        let scenarios = [named("promo"), named("dear")];
        let published = write_forecasts(&path, &both(), &scenarios, &ids, &provenance()).expect("published");
        assert_eq!(published.rows, 12);
        let reader =
            ParquetRecordBatchReaderBuilder::try_new(File::open(&path).expect("open")).expect("reader");
        let sorted = reader.metadata().row_group(0).sorting_columns().expect("sorted").clone();
        let sorted: Vec<(i32, bool)> =
            sorted.iter().map(|column| (column.column_idx, column.nulls_first)).collect();
        assert_eq!(sorted, [(0, false), (20, true), (3, false)]);
        let batch = reader.build().expect("reader").next().expect("rows").expect("batch");
        let text = |place: usize| {
            let column = batch.column(place).as_any().downcast_ref::<StringArray>().expect("text").clone();
            column.iter().map(|value| value.map(String::from)).collect::<Vec<_>>()
        };
        let (ids_found, names) = (text(0), text(20));
        let found: Vec<(&str, Option<&str>)> = ids_found
            .iter()
            .zip(&names)
            .step_by(2)
            .map(|(id, name)| (id.as_deref().expect("id"), name.as_deref()))
            .collect();
        let scenarios = [None, Some("dear"), Some("promo")];
        let expected: Vec<_> =
            ["a/1", "b/2"].into_iter().flat_map(|id| scenarios.map(|name| (id, name))).collect();
        assert_eq!(found, expected);
        // A scenario that is there twice has two rows for one time.
        let twice = [named("promo"), named("promo")];
        assert!(write_forecasts(&path, &both(), &twice, &ids, &provenance()).is_err());
    }

    #[test]
    fn many_series_are_written_in_chunks() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("out.parquet");
        let all = (0..3_000).map(|number| series(&format!("s{number:05}/x"), 48)).collect();
        assert_eq!(write(&path, all).expect("published").rows, 144_000);
        let reader =
            ParquetRecordBatchReaderBuilder::try_new(File::open(&path).expect("open")).expect("reader");
        assert_eq!(reader.metadata().num_row_groups(), 2);
    }

    #[test]
    fn what_no_reader_may_see_is_not_published() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("out.parquet");
        write(&path, vec![series("a", 2)]).expect("published");
        let before = std::fs::read(&path).expect("read");
        let mut infinite = series("a", 2);
        infinite.point[1] = f64::INFINITY;
        let mut crossing = series("a", 2);
        crossing.quantiles[[1, 3]] = -1.0;
        let mut backwards = series("a", 2);
        backwards.times.reverse();
        let mut ragged = series("a", 2);
        ragged.point.pop();
        for wrong in [vec![infinite], vec![crossing], vec![backwards], vec![series("a", 1), series("a", 1)]] {
            let error = write(&path, wrong).expect_err("refused");
            assert!(matches!(error, PublishError::Verify { .. }), "{error}");
        }
        assert!(write(&path, vec![ragged]).is_err());
        assert_eq!(std::fs::read(&path).expect("read"), before);
        assert_eq!(std::fs::read_dir(folder.path()).expect("folder").count(), 1);
    }
}
