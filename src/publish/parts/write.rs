//! Forecasts to the file of a part, with what its record says of it.

use super::Part;
use crate::publish::table::Table;
use crate::publish::{
    Format, Naming, Provenance, PublishError, SCHEMA_VERSION, forecasts, latest, store, verify,
};
use crate::series::{Forecasts, ScenarioForecasts, Shard};
use std::fs::File;
use std::io::Seek;
use std::path::Path;

/// Writes the forecasts of a shard to a file at a path, as Parquet in schema v1, and gives the part that it is.
///
/// # Errors
/// See [`PublishError`].
pub fn write(
    path: &Path,
    (shard, job): (Shard, &str),
    forecasts: &Forecasts,
    scenarios: &[ScenarioForecasts],
    id_columns: &[String],
    provenance: &Provenance,
) -> Result<Part, PublishError> {
    let mut provenance = provenance.clone();
    provenance.metadata.push(("shard".into(), shard.to_string()));
    let table = Table::new(forecasts, scenarios, id_columns, &provenance, Naming::V1)
        .map_err(|reason| PublishError::Verify { path: path.into(), reason })?;
    let hashed = |mut file: File| {
        let hash = file.try_clone().and_then(latest::sha256).map_err(|error| error.to_string())?;
        file.rewind().map_err(|error| error.to_string())?;
        verify::parquet(file, &table.schema, &table.quantiles, table.rows)?;
        Ok(hash)
    };
    let (prepared, sha256) = store::prepare(path, |file| forecasts::write(&table, file), hashed)?;
    let bytes = prepared.persist()?;
    let names: Vec<&str> = table.schema.fields().iter().map(|field| field.name().as_str()).collect();
    let columns = ("columns".to_string(), names.join(","));
    Ok(Part {
        shard,
        job: job.into(),
        run_id: provenance.run_id.clone(),
        issued_at: provenance.issued_at,
        created_at: provenance.created_at,
        rows: table.rows,
        bytes,
        file: Part::file_name(shard, &sha256, Format::Parquet),
        sha256,
        schema_version: SCHEMA_VERSION,
        naming: Naming::V1,
        format: Format::Parquet,
        metadata: table.metadata().into_iter().chain([columns]).collect(),
    })
}
