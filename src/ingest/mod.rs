//! CSV and Parquet files to a [`Panel`](crate::series::Panel): column roles, readers, grids, and every way that a file
//! can be wrong.
//!
//! The only user of polars. [`read`] looks at every row of every series and reports all
//! problems at once.
//!
//! [`stamp()`] tells without reading rows which files are new or changed since an earlier look.
//!
//! ```text
//! stream (Arrow IPC, series after series) ─▶ frames in memory ─┐
//! exec (a command's output), objects (copies by address) ─┐
//! files ─▶ source (scan: CSV records, their cells) ─▶ columns: roles ─▶ rows (keys, time_column, value): raw series
//!       ─▶ assemble: draft (one series, instants in order) ─▶ complete (periods that are over)
//!                 ─▶ grid (regular steps, quality) ─▶ suspect (stale, flat, spike, shift) ─▶ fill (missing steps)
//!                 ─▶ companions (covariates on the grids)
//!                 ─▶ fingerprint ─▶ sums (of series) ─▶ almanac (columns of the calendar)
//! ```
//!
//! Covariates are read after the targets, a column at a time: the files are read again for each of them, by the same code and
//! in the same order, so that a row has the same number and a series the same code every time.

mod almanac;
mod assemble;
mod candidate;
mod cells;
mod columns;
mod companions;
mod complete;
mod covariate_spec;
mod decimal;
mod dimensions;
mod draft;
mod exec;
mod fetch;
mod files;
mod fill;
mod fingerprint;
mod footer;
mod fronts;
mod gauge;
mod grid;
mod hive;
mod images;
mod inputs;
mod iso;
mod keys;
mod objects;
mod pages;
mod parquet;
mod problems;
mod raw_series;
mod record;
mod robust;
mod rows;
mod scan;
pub mod secrets;
mod seen;
mod shapes;
mod shift;
mod sketch;
mod sounds;
mod source;
mod spec;
mod spike;
mod stamp;
mod stream;
mod sums;
mod suspect;
mod time;
mod time_column;
mod timeline;
mod value;
mod wanted;

pub use almanac::AlmanacSpec;
pub use covariate_spec::{CovariateSpec, MissingAhead};
pub use dimensions::{Dimensions, Guard};
pub use exec::{ExecSpec, end_commands};
pub use fetch::{Fetched, fetch};
pub use fingerprint::{Chain, chains, fingerprint_of};
pub use gauge::Watch;
pub use images::{Images, images};
pub use objects::Objects;
pub use sketch::Spans;
pub use sounds::{Sound, sound};
pub use spec::{
    BadSeriesLimit, Duplicates, Flat, Gaps, IngestError, IngestErrorKind, Ingested, Layout, LevelShift,
    LimitError, Order, PolicyError, Roles, Sampling, SourceSpec, SpikeAction, Spikes, Stale, SuspectAction,
};
pub use stamp::{Change, ChangeKind, FileStamp, Glance, Stamps, glance, stamp};
pub use stream::{Bounds, Group, Groups, NAME as STREAM_NAME, Parts, Spooled, Stream, spool, stream};
pub(crate) use sums::refused as hierarchy_refused;
pub use sums::{SumsSpec, is_sum};

use crate::series::Note;
use crate::series::civil::{DAY, date_from_days};
use crate::series::progress::Progress;
use gauge::Gauge;
use jiff::tz::TimeZone;
use rows::Rows;
use sketch::Share;
use source::Source;
use std::sync::atomic::AtomicBool;
use timeline::Timeline;

/// Reads the sources into a panel, with the quality of every series. A source that is a command runs it.
///
/// # Errors
/// Every problem of the input that stops the job, all at once.
pub fn read(spec: &SourceSpec) -> Result<Ingested, IngestError> {
    read_watched(spec, &|_| {})
}

/// As [`read`]; `watch` hears how far it is.
///
/// # Errors
/// See [`read`].
pub fn read_watched(spec: &SourceSpec, watch: &Watch) -> Result<Ingested, IngestError> {
    read_guarded(spec, watch, &|_| Ok(()))
}

/// As [`read_watched`]; `guard` is asked, once it is known how much there is to read, and before it is read.
///
/// # Errors
/// See [`read`]; what `guard` says.
pub fn read_guarded(spec: &SourceSpec, watch: &Watch, guard: &Guard) -> Result<Ingested, IngestError> {
    if let Some(spooled) = &spec.spooled {
        return read_found(spec, spooled.found()?, watch, guard);
    }
    match &spec.exec {
        Some(_) => {
            watch(Progress::begun("running the command"));
            fetch(spec, &[], &AtomicBool::new(false), watch)?.read_guarded(spec, watch, guard)
        }
        None => read_found(spec, inputs::find(spec, &AtomicBool::new(false), watch)?, watch, guard),
    }
}

/// Reads the files that were found.
fn read_found(
    spec: &SourceSpec,
    found: inputs::Found,
    watch: &Watch,
    guard: &Guard,
) -> Result<Ingested, IngestError> {
    if spec.needs_time() && spec.as_of.is_none() {
        let problem = "latency_offset and stale series need to know the time; set as_of";
        return Err(files::usage(problem.to_owned()));
    }
    let mut skipped_files = found.skipped;
    let sources = open(found.files, &mut skipped_files)?;
    let assignment = columns::assign(&sources, spec)?;
    let dimensions = Dimensions::of(&sources, &assignment)?;
    dimensions.within(spec)?;
    guard(&dimensions)?;
    let gauge = Gauge::new(watch, "reading", &sources, 1);
    let before = (Timeline::default(), Share::of(spec));
    let rows = Rows::read(&sources, &assignment, before, spec.max_rows, &gauge)?;
    if rows.count == 0 && rows.unplaced() == 0 {
        let names: Vec<&str> = sources.iter().map(|source| source.file.name.as_str()).collect();
        return Err(files::data(format!(
            "{}: columns but no rows; write at least one row",
            names.join(", ")
        )));
    }
    let file_rows = rows.file_rows;
    let mut assembled = assemble::assemble(rows, &sources, &assignment, spec, None, watch)?;
    assembled.panel = sums::add(assembled.panel, &spec.sums)?;
    let spans = assembled.spans.as_ref();
    almanac::add(&mut assembled.panel, &spec.almanac, &spec.objects, spans)?;
    let notes = assignment.notes.into_iter().chain(assembled.notes).map(Note).collect();
    Ok(Ingested {
        dimensions,
        panel: assembled.panel,
        quality: assembled.quality,
        notes,
        skipped_files,
        bytes: sources.iter().map(|source| source.file.seen.bytes).sum(),
        files: sources.into_iter().map(|source| source.file.name).collect(),
        command: spec.exec.as_ref().map(ExecSpec::shown),
        rows: file_rows,
        rows_after_as_of: assembled.left_out.after_as_of,
        rows_incomplete: assembled.left_out.incomplete,
        same_until: assembled.left_out.same_until(),
        times_are: assembled.times_are,
        layout: assignment.layout,
        roles: assignment.roles,
        fingerprint: assembled.fingerprint,
        spans: assembled.spans,
    })
}

/// What can be told of a source without reading its rows.
#[derive(Clone, Debug)]
pub struct Look {
    /// Files that would be read.
    pub files: Vec<String>,
    /// Which column plays which part; `None` where all files are objects too large to be copied for a look.
    pub roles: Option<Roles>,
}

/// Bytes of objects that are copied for a look.
const LOOK_BYTES: u64 = 64 << 20;

/// Finds the files of a source and the parts of their columns; no row is read but a sample, and no command is run. Of objects
/// the first ones are looked into, 64 MiB in all, and copied to a temporary folder for that.
///
/// # Errors
/// If no file can be read, or if the columns are not there.
pub fn look(spec: &SourceSpec) -> Result<Look, IngestError> {
    let spec = &SourceSpec { objects: Objects::default(), ..spec.clone() };
    let (found, left) = inputs::find_some(spec, LOOK_BYTES)?;
    if found.files.is_empty() {
        return Ok(Look { files: left, roles: None });
    }
    let sources = open(found.files, &mut found.skipped.clone())?;
    let assignment = columns::assign(&sources, spec)?;
    for source in &sources {
        wanted::Wanted::new(source, &assignment)?;
        for column in &assignment.covariates {
            wanted::Wanted::new(source, &assignment.with_covariate(column))?;
        }
    }
    let files = sources.into_iter().map(|source| source.file.name).chain(left).collect();
    Ok(Look { files, roles: Some(assignment.roles) })
}

/// Opens all files. One that cannot be read is an error if the user named it, and left out if a directory or glob
/// did: another program may be writing it. So is a file that this program wrote next to its input.
fn open(files: Vec<files::SourceFile>, skipped: &mut Vec<String>) -> Result<Vec<Source>, IngestError> {
    let mut sources = Vec::new();
    for file in files {
        let (named, parquet) = (file.named, file.format == files::Format::Parquet);
        match Source::open(file) {
            Ok(source) if source.own && !named => skipped
                .push(format!("{}: a forecast or quality report of s4cast, not its input", source.file.name)),
            Ok(source) => sources.push(source),
            Err(error) if !named && parquet && error.kind() == IngestErrorKind::Data => {
                skipped.extend(error.problems().iter().cloned());
            }
            Err(error) => return Err(error),
        }
    }
    if sources.is_empty() {
        return Err(IngestError::new(IngestErrorKind::Data, std::mem::take(skipped)));
    }
    Ok(sources)
}

/// An instant as messages write it: ISO 8601 with the offset of the zone.
pub fn text_of_instant(micros: i64, zone: &TimeZone) -> String {
    match jiff::Timestamp::from_microsecond(micros) {
        Ok(instant) if zone.to_offset(instant) == jiff::tz::Offset::UTC => instant.to_string(),
        Ok(instant) => instant.display_with_offset(zone.to_offset(instant)).to_string(),
        Err(_) => format!("{micros} µs"),
    }
}

/// A day since 1970-01-01 as an ISO date.
fn text_of_day(days: i64) -> String {
    let (year, month, day) = date_from_days(days.clamp(-800_000 * 365, i64::MAX / DAY));
    format!("{year:04}-{month:02}-{day:02}")
}
