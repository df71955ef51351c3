//! Rows to groups of whole series: as many as fit into bounds, in the order of the stream.

use super::NAME;
use super::frames;
use super::messages::Messages;
use super::sequence::Sequence;
use crate::ingest::columns::Assignment;
use crate::ingest::files::data;
use crate::ingest::keys::{Keys, NO_CODE, Part};
use crate::ingest::source::{ColumnOf, ColumnType, SAMPLE_ROWS, Source};
use crate::ingest::spec::IngestError;
use arrow_array::RecordBatch;
use arrow_select::concat::concat_batches;
use polars::prelude::{ChunkCompareEq, DataFrame, IdxSize, Series};
use std::collections::VecDeque;
use std::io::Read;

/// Rows that become a frame at once: shorter batches are joined, longer ones cut.
const FRAME_ROWS: usize = 1 << 16;

/// How much a group holds, about: it ends with the series in which one of them is reached.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Rows.
    pub rows: usize,
    /// Series.
    pub series: usize,
}

/// Whole series of a stream.
#[derive(Debug)]
pub struct Group {
    pub(super) frames: Vec<DataFrame>,
    /// Rows of the stream before it.
    pub(super) before: usize,
    /// Ids in the order of the stream.
    ids: Vec<Vec<String>>,
}

impl Group {
    /// Ids of its series, one value per id column, in the order of the stream.
    pub fn ids(&self) -> &[Vec<String>] {
        &self.ids
    }
}

/// The first batches of a stream, as many as the parts of columns are told by.
pub(super) struct Head {
    /// All columns of the stream.
    pub(super) columns: Vec<(String, ColumnType)>,
    batches: Vec<RecordBatch>,
}

impl Head {
    pub(super) fn read(messages: &mut Messages<impl Read>) -> Result<Head, IngestError> {
        let fields = messages.schema().fields();
        let columns: Vec<_> =
            fields.iter().map(|field| (field.name().clone(), frames::column_type(field))).collect();
        let mut names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(data(format!("{NAME}: two columns are called '{}'; rename one of them", twice[0])));
        }
        let (mut batches, mut rows) = (Vec::new(), 0);
        while rows < SAMPLE_ROWS {
            let Some(batch) = messages.next_batch()? else { break };
            rows += batch.num_rows();
            batches.push(batch);
        }
        Ok(Head { columns, batches })
    }

    /// Its rows, no more than are looked at.
    pub(super) fn sample(&self) -> Result<Source, IngestError> {
        let mut left = SAMPLE_ROWS;
        let mut sampled = Vec::new();
        for batch in &self.batches {
            let rows = batch.num_rows().min(left);
            left -= rows;
            let batch = frames::without_dictionaries(&batch.slice(0, rows)).map_err(unusable)?;
            sampled.push(frames::frame(&batch).map_err(unusable)?);
        }
        Ok(Source::of_frames(NAME, self.columns.clone(), sampled, 0))
    }

    /// Places of the columns with these names, ascending.
    pub(super) fn columns_named(&self, names: &[&str]) -> Vec<usize> {
        (0..self.columns.len()).filter(|&at| names.contains(&self.columns[at].0.as_str())).collect()
    }
}

/// Cuts the rows of a stream into groups.
#[derive(Debug)]
pub struct Groups {
    messages: Messages<Box<dyn Read + Send>>,
    /// Batches of the used columns that are no frame yet, and how many rows they have.
    batches: VecDeque<RecordBatch>,
    rows: usize,
    /// Places of the used columns in the stream, and of the id columns among those.
    used: Vec<usize>,
    id: Vec<usize>,
    bounds: Bounds,
    sequence: Sequence,
    /// Rows behind the group that is being made: a frame, and where its series begin.
    rest: Option<(DataFrame, VecDeque<Run>)>,
    /// Rows of the groups so far, and of the frames.
    before: usize,
    framed: usize,
}

/// Neighbouring rows of one series.
#[derive(Debug)]
struct Run {
    /// Row of its frame that is the first, and which one of the stream that is.
    start: usize,
    row: usize,
    id: Vec<String>,
}

impl Groups {
    pub(super) fn new(
        messages: Messages<Box<dyn Read + Send>>,
        head: Head,
        used: Vec<usize>,
        assignment: &Assignment,
        bounds: Bounds,
    ) -> Result<Groups, IngestError> {
        let at = |name: &String| used.iter().position(|&at| head.columns[at].0 == *name);
        let id: Vec<usize> = assignment.roles.id.iter().filter_map(at).collect();
        let is_number = |&at: &usize| matches!(&head.columns[used[at]].1, ColumnType::Known(dtype, _) if dtype.is_primitive_numeric());
        let sequence = Sequence::new(id.iter().map(is_number).collect());
        let rows = head.batches.iter().map(RecordBatch::num_rows).sum();
        let mut groups = Groups {
            messages,
            batches: VecDeque::new(),
            rows,
            used,
            id,
            bounds,
            sequence,
            rest: None,
            before: 0,
            framed: 0,
        };
        groups.batches = head.batches.iter().map(|batch| groups.narrowed(batch)).collect::<Result<_, _>>()?;
        Ok(groups)
    }

    /// The next group; `None` at the end of the stream.
    ///
    /// # Errors
    /// If the stream is damaged or cannot be read, a row has no id, or series are out of order.
    pub fn next_group(&mut self) -> Result<Option<Group>, IngestError> {
        let before = self.before;
        let (mut whole, mut ids, mut rows) = (Vec::new(), Vec::new(), 0);
        while let Some((frame, mut runs)) = self.next_frame()? {
            // The rows of a frame up to the first run belong to the series before.
            let is_room = |run: &mut Run, series: usize| {
                series == 0 || rows + run.start < self.bounds.rows && series < self.bounds.series
            };
            while let Some(run) = runs.pop_front_if(|run| is_room(run, ids.len())) {
                self.sequence.begin(run.id.clone(), run.row)?;
                ids.push(run.id);
            }
            let end = runs.front().map_or(frame.height(), |run| run.start);
            whole.extend((end > 0).then(|| frame.slice(0, end)));
            rows += end;
            if !runs.is_empty() {
                runs.iter_mut().for_each(|run| run.start -= end);
                self.rest = Some((frame.slice(end as i64, frame.height() - end), runs));
                break;
            }
        }
        self.before += rows;
        Ok((rows > 0).then_some(Group { frames: whole, before, ids }))
    }

    /// The next rows as a frame, with the runs that begin in it and do not go on with the series before.
    fn next_frame(&mut self) -> Result<Option<(DataFrame, VecDeque<Run>)>, IngestError> {
        if let Some(rest) = self.rest.take() {
            return Ok(Some(rest));
        }
        while self.rows < FRAME_ROWS {
            let Some(batch) = self.messages.next_batch()? else { break };
            let batch = self.narrowed(&batch)?;
            self.rows += batch.num_rows();
            self.batches.extend((batch.num_rows() > 0).then_some(batch));
        }
        let mut taken = Vec::new();
        let mut rows = 0;
        while let Some(batch) = self.batches.pop_front() {
            let room = FRAME_ROWS - rows;
            rows += batch.num_rows().min(room);
            if batch.num_rows() > room {
                self.batches.push_front(batch.slice(room, batch.num_rows() - room));
                taken.push(batch.slice(0, room));
                break;
            }
            taken.push(batch);
        }
        self.rows -= rows;
        let Some(first) = taken.first().filter(|_| rows > 0) else { return Ok(None) };
        let joined = match taken.len() {
            1 => first.clone(),
            _ => concat_batches(&first.schema(), &taken).map_err(|error| unusable(error.to_string()))?,
        };
        let frame = frames::frame(&joined).map_err(unusable)?;
        let runs = self.runs(&frame)?;
        self.framed += frame.height();
        Ok(Some((frame, runs)))
    }

    /// The used columns of a batch, dictionaries spelled out.
    fn narrowed(&self, batch: &RecordBatch) -> Result<RecordBatch, IngestError> {
        let batch = batch.project(&self.used).map_err(|error| unusable(error.to_string()))?;
        frames::without_dictionaries(&batch).map_err(unusable)
    }

    /// Where series begin in a frame whose first row may go on with the one before.
    fn runs(&self, frame: &DataFrame) -> Result<VecDeque<Run>, IngestError> {
        let columns: Vec<&Series> =
            self.id.iter().map(|&at| frame.columns()[at].as_materialized_series()).collect();
        let mut begins = vec![false; frame.height()];
        if let Some(first) = begins.first_mut() {
            *first = true;
        }
        for column in &columns {
            changes(column, &mut begins).map_err(|error| unusable(error.to_string()))?;
        }
        let starts: Vec<IdxSize> =
            (0..).zip(&begins).filter(|(_, begins)| **begins).map(|(at, _)| at).collect();
        let firsts: Vec<Series> = columns
            .iter()
            .map(|column| column.take_slice(&starts))
            .collect::<Result<_, _>>()
            .map_err(|error| unusable(error.to_string()))?;
        let mut keys = Keys::new(firsts.len());
        let parts: Vec<Part<'_>> = firsts.iter().map(|first| Part::Column(ColumnOf::Typed(first))).collect();
        let codes = keys.encode(&parts, starts.len());
        let mut runs: VecDeque<Run> = VecDeque::with_capacity(starts.len());
        let mut last = None;
        for (&start, &code) in starts.iter().zip(&codes) {
            let row = self.framed + start as usize + 1;
            if code == NO_CODE {
                return Err(data(format!(
                    "{NAME}: row {row}: the id is empty; fill it in or remove the row"
                )));
            }
            // What is written differently may be the same id: blanks around it do not count.
            if last.replace(code) == Some(code) {
                continue;
            }
            let id = keys.values(code);
            if runs.is_empty() && self.sequence.goes_on(&id) {
                continue;
            }
            runs.push_back(Run { start: start as usize, row, id });
        }
        Ok(runs)
    }
}

/// Marks the rows of a column that differ from those before them.
fn changes(column: &Series, begins: &mut [bool]) -> polars::prelude::PolarsResult<()> {
    let neighbours = column.len().saturating_sub(1);
    let differ = column.slice(0, neighbours).not_equal_missing(&column.slice(1, neighbours))?;
    for (begins, differs) in begins.iter_mut().skip(1).zip(differ.iter()) {
        *begins |= differs.unwrap_or(false);
    }
    Ok(())
}

fn unusable(problem: String) -> IngestError {
    let problem = problem.lines().next().unwrap_or_default().to_owned();
    data(format!(
        "{NAME}: a batch cannot be used: {problem}; write all batches with the columns of the schema"
    ))
}
