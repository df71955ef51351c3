//! An Arrow IPC stream whose rows are sorted by series and time: whole series, group after group, without ever holding more
//! than some of them.
//!
//! ```text
//! bytes ─▶ messages: record batches ─▶ frames (copies of the wanted columns) ─▶ groups of whole series ─▶ parts: panels
//!                                                               sequence: do the ids go on in some order?
//! ```
//!
//! A group is read by the code that reads files, as if it were one. What that code asks all series at once is told beforehand
//! or carried from group to group:
//!
//! | asked of all series | in a stream |
//! |---|---|
//! | roles of columns | told by the first rows, as many as are looked at in a file |
//! | form of the times (kind, day or month first, unit of whole numbers) | told by all rows so far; a change is an error |
//! | frequency of short series | given: that of the model, or `--freq`; else they are left out |
//! | which cycles of the calendar the history is long enough for | all; a model reads those that it knows |
//! | two ids that compose the same text | remembered where a value holds the `/` that joins them |
//! | sums of series, wide tables, limit of bad series, fingerprint | refused, refused, left to the caller, none |
//!
//! [`spool()`] keeps a stream as a file, for whoever has to see all of it.

mod frames;
mod groups;
mod messages;
mod parts;
mod sequence;
mod spool;

pub use groups::{Bounds, Group, Groups};
pub use parts::Parts;
pub use spool::{Spooled, spool};

use super::assemble::Part;
use super::columns::{self, Assignment};
use super::files::usage;
use super::source::{ColumnType, Source};
use super::spec::{IngestError, IngestErrorKind, Layout, Roles, SourceSpec};
use super::wanted::Wanted;
use crate::series::Frequency;
use groups::Head;
use messages::Messages;
use polars::prelude::{Column, DataFrame, NamedFrom, Series};
use std::io::Read;

/// What messages call the stream.
pub const NAME: &str = "stdin";

/// A stream at its beginning, in two halves that two threads may have.
#[derive(Debug)]
pub struct Stream {
    /// Cuts the rows into groups of whole series.
    pub groups: Groups,
    /// Makes panels of groups.
    pub parts: Parts,
}

/// Reads the beginning of a stream and finds the parts of its columns. Groups are kept within `bounds`; `majority` is the
/// frequency of series that are too short to tell theirs.
///
/// # Errors
/// If it is no Arrow IPC stream, cannot be read, or lacks the columns; if the source asks for what a stream cannot have.
pub fn stream(
    input: impl Read + Send + 'static,
    spec: &SourceSpec,
    bounds: Bounds,
    majority: Option<Frequency>,
) -> Result<Stream, IngestError> {
    if spec.sums.levels.is_some() {
        let problem = "hierarchy: sums are of all series, and a stream is forecast series by series; leave --hierarchy out";
        return Err(usage(problem.to_owned()));
    }
    let mut messages = Messages::open(Box::new(input) as Box<dyn Read + Send>)?;
    let head = Head::read(&mut messages)?;
    let source = head.sample()?;
    let assignment = assigned(&source, spec)?;
    if !assignment.roles.targets.is_empty() {
        Wanted::new(&source, &assignment)?;
        for column in &assignment.covariates {
            Wanted::new(&source, &assignment.with_covariate(column))?;
        }
    }
    if assignment.layout == Layout::Wide {
        return Err(usage(format!(
            "{NAME}: {} columns would each be a series of its own, and a stream has a row per series and time; name the \
             column to forecast with --target",
            assignment.roles.targets.len()
        )));
    }
    let mut spec = spec.clone();
    spec.almanac.is_part = true;
    let wanted = wanted(&assignment);
    let used = head.columns_named(&wanted);
    let columns = used.iter().map(|&at| head.columns[at].clone()).collect();
    let groups = Groups::new(messages, head, used, &assignment, bounds)?;
    Ok(Stream { groups, parts: Parts::new(columns, assignment, spec, Part { majority }) })
}

/// The parts of the columns of a source; where it has no rows, as far as names, types and flags tell.
fn assigned(source: &Source, spec: &SourceSpec) -> Result<Assignment, IngestError> {
    let sample = source.sample()?;
    if sample.height() > 0 {
        return columns::assign(std::slice::from_ref(source), spec);
    }
    let texts = |(name, kind): &(String, ColumnType)| match kind {
        ColumnType::Known(dtype, _) if dtype.is_string() => {
            Column::from(Series::new(name.as_str().into(), ["series"]))
        }
        ColumnType::Known(dtype, _) => Column::full_null(name.as_str().into(), 1, dtype),
        ColumnType::Unusable(_) => {
            Column::full_null(name.as_str().into(), 1, &polars::prelude::DataType::Null)
        }
    };
    let row = DataFrame::new(1, source.columns.iter().map(texts).collect()).unwrap_or_default();
    let one_row = Source::of_frames(NAME, source.columns.clone(), vec![row], 0);
    match columns::assign(&[one_row], spec) {
        Err(error) if error.kind() == IngestErrorKind::Data => Ok(Assignment {
            roles: Roles { id: spec.id.clone(), time: String::new(), targets: Vec::new() },
            layout: Layout::Long,
            covariates: Vec::new(),
            notes: Vec::new(),
        }),
        assigned => assigned,
    }
}

/// Names of the columns that play a part.
fn wanted(assignment: &Assignment) -> Vec<&str> {
    let Roles { id, time, targets } = &assignment.roles;
    let own = id.iter().chain([time]).chain(targets).map(String::as_str);
    own.chain(assignment.covariates.iter().map(|covariate| covariate.name.as_str())).collect()
}
