//! CSV and Parquet files to a [`Panel`]: column roles, readers, grids, and every way that a file can be wrong.
//!
//! With [`crate::publish`] the only user of polars. [`read`] looks at every row of every series and reports all
//! problems at once.

mod spec;

pub use spec::{
    BadSeriesLimit, Duplicates, Gaps, IngestError, IngestErrorKind, Ingested, Layout, Order, PolicyError,
    Roles, SourceSpec,
};

/// Reads the sources into a panel, with the quality of every series.
///
/// # Errors
/// Every problem of the input that stops the job, all at once.
pub fn read(spec: &SourceSpec) -> Result<Ingested, IngestError> {
    Err(IngestError::new(IngestErrorKind::Data, vec![format!("{}: no reader yet", spec.inputs.join(", "))]))
}
