//! Groups of whole series to panels.

use super::NAME;
use super::groups::Group;
use crate::ingest::almanac;
use crate::ingest::assemble::{self, Part};
use crate::ingest::columns::Assignment;
use crate::ingest::files::data;
use crate::ingest::gauge::Gauge;
use crate::ingest::rows::Rows;
use crate::ingest::source::{ColumnType, Source};
use crate::ingest::spec::{IngestError, Ingested, Roles, SourceSpec};
use crate::ingest::timeline::Timeline;
use crate::series::Note;

/// Makes panels of the groups of a stream, in their order.
#[derive(Debug)]
pub struct Parts {
    columns: Vec<(String, ColumnType)>,
    assignment: Assignment,
    spec: SourceSpec,
    part: Part,
    /// What is known of the times so far, and what was made of it.
    timeline: Timeline,
    times_are: Option<String>,
}

impl Parts {
    pub(super) fn new(
        columns: Vec<(String, ColumnType)>,
        assignment: Assignment,
        spec: SourceSpec,
        part: Part,
    ) -> Parts {
        Parts { columns, assignment, spec, part, timeline: Timeline::default(), times_are: None }
    }

    /// Which column plays which part; without time and target where the stream has no rows and its columns do not tell.
    pub fn roles(&self) -> &Roles {
        &self.assignment.roles
    }

    /// The panel of a group: all of its series, each as it would be in a panel of the whole stream. It has no fingerprint, its
    /// bad series are quarantined whatever their number, and it may have no series at all.
    ///
    /// # Errors
    /// If a row belongs to no series, rows are out of order, or times are of another form than those before.
    pub fn read(&mut self, group: Group) -> Result<Ingested, IngestError> {
        let before = group.before;
        let sources = [Source::of_frames(NAME, self.columns.clone(), group.frames, before)];
        let gauge = Gauge::new(&|_| {}, "reading", &sources, 1);
        let timeline = std::mem::take(&mut self.timeline);
        let rows = Rows::read(&sources, &self.assignment, (timeline, None), None, &gauge)?;
        let file_rows = rows.file_rows;
        let mut assembled =
            assemble::assemble(rows, &sources, &self.assignment, &self.spec, Some(self.part), &|_| {})?;
        self.timeline = assembled.timeline;
        let times_are = self.times_are.get_or_insert_with(|| assembled.times_are.clone());
        if *times_are != assembled.times_are {
            let (first, time) = (before + 1, &self.assignment.roles.time);
            return Err(data(format!(
                "{NAME}: column {time}: from row {first} on its times would be read another way than those before; write them \
                 as 2024-01-31T23:00:00, or as timestamps"
            )));
        }
        almanac::add(&mut assembled.panel, &self.spec.almanac, &self.spec.objects, None)?;
        let own = std::mem::take(&mut self.assignment.notes);
        Ok(Ingested {
            dimensions: crate::ingest::Dimensions { rows: file_rows as u64, ..Default::default() },
            panel: assembled.panel,
            quality: assembled.quality,
            notes: own.into_iter().chain(assembled.notes).map(Note).collect(),
            skipped_files: Vec::new(),
            bytes: 0,
            files: vec![NAME.to_owned()],
            command: None,
            rows: file_rows,
            rows_after_as_of: assembled.left_out.after_as_of,
            rows_incomplete: assembled.left_out.incomplete,
            same_until: assembled.left_out.same_until(),
            times_are: assembled.times_are,
            layout: self.assignment.layout,
            roles: self.assignment.roles.clone(),
            fingerprint: assembled.fingerprint,
            spans: None,
        })
    }
}
