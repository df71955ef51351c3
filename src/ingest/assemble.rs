//! Rows to series: groups by id, judges every series, and decides whether enough of them can be used.

use super::columns::Assignment;
use super::companions::Companions;
use super::complete::Gate;
use super::draft::{self, Draft};
use super::fingerprint::fingerprint;
use super::gauge::Watch;
use super::grid::{self, Placed};
use super::keys::NO_CODE;
use super::problems::{Capped, Kind, listed};
use super::raw_series::RawSeries;
use super::rows::Rows;
use super::sketch::{self, Other, Share, Sketch, Spans};
use super::source::Source;
use super::spec::{BadSeriesLimit, IngestError, IngestErrorKind, Order, SourceSpec};
use super::timeline::{Decoded, NO_TIME, Timeline};
use super::{fill, suspect, text_of_instant};
use crate::series::civil::{DAY, LocalClock};
use crate::series::progress::Progress;
use crate::series::{Frequency, Panel, Quality, Series};
use jiff::tz::TimeZone;
use rayon::prelude::*;

/// Usable series, the quality of all, and what is worth a note.
#[derive(Debug)]
pub(super) struct Assembled {
    pub(super) panel: Panel,
    pub(super) quality: Vec<Quality>,
    pub(super) notes: Vec<String>,
    pub(super) fingerprint: String,
    /// See [`super::Ingested::times_are`].
    pub(super) times_are: String,
    pub(super) left_out: LeftOut,
    /// See [`super::Ingested::spans`].
    pub(super) spans: Option<Spans>,
    /// What is known of the times so far.
    pub(super) timeline: Timeline,
}

/// Rows that are only some of the series: what holds of the others has to be known beforehand, or nothing is made of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    /// Frequency of most series of all, for those that are too short to tell theirs.
    pub(super) majority: Option<Frequency>,
}

/// Rows that will count at a later time.
#[derive(Clone, Copy, Debug)]
pub(super) struct LeftOut {
    /// Rows after the as-of time.
    pub(super) after_as_of: usize,
    /// Rows of periods that are not over, and the series that have them.
    pub(super) incomplete: usize,
    pub(super) incomplete_series: usize,
    /// The first as-of time that gives another result.
    pub(super) changes_at: i64,
}

/// Builds the panel of all rows, or says why too few series can be used. The sources are read again for covariates. Of a part
/// it may be that no series is left, and its values have no fingerprint.
pub(super) fn assemble(
    mut rows: Rows,
    sources: &[Source],
    assignment: &Assignment,
    spec: &SourceSpec,
    part: Option<Part>,
    watch: &Watch,
) -> Result<Assembled, IngestError> {
    watch(Progress::begun("putting series together"));
    let roles = &assignment.roles;
    let whole_column =
        |problem| refused(vec![format!("{}: column {}: {problem}", rows.first_file(), roles.time)]);
    let decoded = rows.timeline.decide().map_err(whole_column)?;
    judge_ids(&rows)?;
    let mut notes = Vec::new();
    if let Some(unit) = decoded.epoch_words() {
        notes.push(format!("the whole numbers of column {} are read as {unit}", roles.time));
    }
    let mut raw = std::mem::take(&mut rows.series);
    let sketches = std::mem::take(&mut rows.sketches);
    let sketches: Vec<(u32, &Sketch)> =
        (0..).zip(&sketches).filter(|(_, sketch)| !sketch.is_empty()).collect();
    let has_hours = || {
        let times = raw.iter().flat_map(|one| &one.times).map(|&raw| decoded.micros(raw));
        times.filter(|&time| time != NO_TIME).any(|time| time.rem_euclid(DAY) != 0)
    };
    let zone = zone(&rows, decoded.local, has_hours, spec, &mut notes);
    // Only a clock that is set now and then, and a limit, need to know the times.
    let (first, last) = match zone.to_fixed_offset().is_ok() && spec.as_of.is_none() {
        true => (0, 0),
        false => span(&raw, &sketches, &decoded),
    };
    let clock = LocalClock::new(&zone, first.min(last), last.max(first.min(last)));

    let context = draft::Context {
        rows: &rows,
        decoded,
        zone: &zone,
        zone_given: spec.zone.is_some(),
        clock: &clock,
        duplicates: spec.duplicates,
        order: spec.order,
        declared: spec.frequency,
        sampling: spec.sampling,
    };
    let gate = Gate::of(spec);
    // Rows are moved into their draft, unless another draft may follow.
    let draft = |(code, one): (usize, &mut RawSeries)| {
        let one = if gate.is_some() { one.clone() } else { std::mem::take(one) };
        Draft::new(u32::try_from(code).unwrap_or(NO_CODE), one, spec.as_of, &context)
    };
    let is_own = |(code, _): &(usize, &mut RawSeries)| rows.is_own(u32::try_from(*code).unwrap_or(NO_CODE));
    let mut drafts: Vec<Draft> = raw.par_iter_mut().enumerate().filter(is_own).map(draft).collect();
    in_order(&drafts, spec.order)?;
    let majority = match (spec.frequency, part) {
        (Some(_), _) => None,
        (None, Some(part)) => part.majority,
        (None, None) => {
            let of_others = sketches.par_iter().map(|one| sketch::stamps(*one, spec.as_of, &context));
            let own = drafts.iter().map(|draft| (draft.times.len(), draft.frequency));
            grid::majority(&own.chain(of_others.collect::<Vec<_>>()).collect::<Vec<_>>())
        }
    };
    let declared = spec.frequency.is_some();
    let rules = suspect::Rules::of(spec);
    let goes_ahead = spec.covariates.has_known_ahead();
    let grid_context = grid::Context {
        rows: &rows,
        zone: &zone,
        gaps: spec.gaps,
        sampling: spec.sampling,
        season: spec.season_length,
        majority,
        declared,
        is_part: part.is_some(),
        rules,
        goes_ahead,
    };
    let mut left_out = LeftOut::of(&drafts);
    if let Some(gate) = gate {
        let again = |code: u32, limit| Draft::new(code, raw[code as usize].clone(), limit, &context);
        let cut = |one: &mut Draft| complete(one, gate, &grid_context, again);
        left_out.add(drafts.par_iter_mut().filter_map(cut).collect());
        notes.extend(left_out.note(gate, &zone));
    }
    drop(raw);
    // A series that only begins after the as-of time does not exist yet.
    drafts.retain(|draft| draft.rows_read > 0 || spec.as_of.is_none());
    let other = |one: &(u32, &Sketch)| sketch::other(*one, spec.as_of, gate, &context, &grid_context);
    let mut others: Vec<Other> = sketches.par_iter().filter_map(other).collect();
    // A shard may have no series, and so may a part.
    let is_whole = (spec.shard.is_none() || spec.heeds_others) && part.is_none();
    if drafts.is_empty() && others.is_empty() && is_whole && rows.unplaced() == 0 {
        return Err(refused(vec![too_early(&rows, spec, first, decoded.local, &zone)]));
    }
    let shifted: usize = drafts.iter().map(|draft| draft.shifted.len()).sum();
    if shifted > 0 {
        notes.push(format!(
            "{shifted} local times are skipped by the clock and were moved to the end of the gap"
        ));
    }

    let mut placed: Vec<Placed> =
        drafts.into_par_iter().map(|draft| with_keys(draft.code, draft, &grid_context)).collect();
    placed.par_sort_by(|a, b| a.quality.unique_id.cmp(&b.quality.unique_id));
    let companions = Companions { sources, assignment, as_of: spec.as_of, share: Share::of(spec), watch };
    let (covariates, missing) = companions.attach(&mut placed, &mut others, &context)?;
    notes.extend(missing);
    let bad_allowed = if part.is_some() { BadSeriesLimit::All } else { spec.max_bad_series };
    limit(&placed, &others, &rows, bad_allowed)?;
    let spans = (spec.shard.is_some() && spec.heeds_others).then(|| spans(&placed, &others));
    if let (Some(majority), Some(note)) = (majority, borrowed_note(&placed)) {
        notes.push(format!("{note} the frequency {majority} of the others"));
    }
    notes.extend(suspect::notes(placed.iter().filter(|placed| placed.series.is_some()).map(Placed::look)));
    let used = placed.iter().filter(|placed| placed.series.is_some()).map(|placed| &placed.quality);
    notes.extend(fill::note(used, spec.gaps, spec.season_length));
    let stale_from = placed.iter().filter_map(|placed| placed.stale_from).min();
    left_out.changes_at = left_out.changes_at.min(stale_from.unwrap_or(i64::MAX));
    let marks = placed.iter().filter(|placed| placed.series.is_some());
    let marks =
        marks.map(Placed::look).filter_map(|(id, found)| Some((id.to_owned(), suspect::mark(found)?)));
    let marks = marks.collect();
    let (quality, series): (Vec<Quality>, Vec<Option<Series>>) =
        placed.into_iter().map(|placed| (placed.quality, placed.series)).unzip();
    let series: Vec<Series> = series.into_iter().flatten().collect();
    let fingerprint = if part.is_some() { String::new() } else { fingerprint(&series, &covariates) };
    let panel = Panel { id_columns: roles.id.clone(), series, zone, marks, covariates };
    let (times_are, timeline) = (format!("{decoded:?}"), rows.timeline);
    Ok(Assembled { panel, quality, notes, fingerprint, times_are, left_out, spans, timeline })
}

/// Ends the job where rows that were promised to be sorted are not.
fn in_order(drafts: &[Draft], order: Order) -> Result<(), IngestError> {
    if order != Order::Demand {
        return Ok(());
    }
    let mut problems = Capped::default();
    let reasons = drafts.iter().flat_map(|draft| &draft.reasons);
    for reason in reasons.filter(|reason| reason.kind == Kind::Order) {
        problems.push(reason.text.clone());
    }
    if problems.total() > 0 { Err(refused(problems.into_lines())) } else { Ok(()) }
}

/// The first and the last time of all rows, microseconds.
fn span(raw: &[RawSeries], sketches: &[(u32, &Sketch)], decoded: &Decoded) -> (i64, i64) {
    let others = sketches.iter().map(|(_, sketch)| decoded.span(&sketch.rows().times));
    let spans = raw.iter().map(|one| decoded.span(&one.times)).chain(others);
    spans.fold((i64::MAX, i64::MIN), |(low, high), (first, last)| (low.min(first), high.max(last)))
}

/// How far the usable series of all shards go.
fn spans(placed: &[Placed], others: &[Other]) -> Spans {
    let mut spans = Spans::default();
    for series in placed.iter().filter_map(|placed| placed.series.as_ref()) {
        if let (Some(&first), Some(cutoff)) = (series.times.first(), series.cutoff()) {
            spans.add(series.frequency, first, cutoff);
        }
    }
    others
        .iter()
        .filter_map(|other| other.outline)
        .for_each(|one| spans.add(one.frequency, one.first, one.cutoff));
    spans
}

/// Leaves out the steps of a draft that are not complete; how many rows that are, and when the first of them will be.
///
/// The frequency is that of the grid before the cut, for the times of a step tell it whether it is over or not.
pub(super) fn complete(
    draft: &mut Draft,
    gate: Gate,
    context: &grid::Context<'_>,
    again: impl Fn(u32, Option<i64>) -> Draft,
) -> Option<(usize, i64)> {
    let frequency = grid::frequency(draft, context)?;
    let first = gate.first_incomplete(&draft.times, frequency, context.zone)?;
    let mut whole = again(draft.code, Some(draft.times[first.at] - 1));
    whole.frequency = Some(frequency);
    let rows = whole.left_out - draft.left_out;
    *draft = whole;
    Some((rows, first.from))
}

impl LeftOut {
    /// What the as-of time leaves out of the drafts.
    fn of(drafts: &[Draft]) -> LeftOut {
        LeftOut {
            after_as_of: drafts.iter().map(|draft| draft.left_out).sum(),
            incomplete: 0,
            incomplete_series: 0,
            changes_at: drafts.iter().filter_map(|draft| draft.next).min().unwrap_or(i64::MAX),
        }
    }

    /// The last as-of time that gives the same result.
    pub(super) fn same_until(&self) -> i64 {
        if self.changes_at == i64::MAX { i64::MAX } else { self.changes_at - 1 }
    }

    /// Adds the incomplete rows of some series, and when the first of each will be complete.
    fn add(&mut self, cut: Vec<(usize, i64)>) {
        self.incomplete = cut.iter().map(|(rows, _)| rows).sum();
        self.incomplete_series = cut.len();
        self.changes_at = cut.iter().map(|&(_, from)| from).fold(self.changes_at, i64::min);
    }

    fn note(&self, gate: Gate, zone: &TimeZone) -> Option<String> {
        let plural = if self.incomplete == 1 { "row is" } else { "rows are" };
        (self.incomplete > 0).then(|| {
            format!(
                "{} {plural} left out of {} series: their periods were not over {:#} before {}",
                self.incomplete,
                self.incomplete_series,
                gate.latency,
                text_of_instant(gate.as_of, zone)
            )
        })
    }
}

fn with_keys(code: u32, draft: Draft, context: &grid::Context<'_>) -> Placed {
    let mut placed = grid::place(draft, context);
    if let Some(series) = &mut placed.series {
        series.keys = context.rows.keys.values(code);
    }
    placed
}

fn borrowed_note(placed: &[Placed]) -> Option<String> {
    let borrowed: Vec<&str> = placed
        .iter()
        .filter(|placed| placed.borrowed)
        .map(|placed| placed.quality.unique_id.as_str())
        .collect();
    let first = borrowed.first()?;
    Some(match borrowed.len() {
        1 => format!("series '{first}' has too few rows to tell its step and takes"),
        count => format!("{count} series, '{first}' first, have too few rows to tell their step and take"),
    })
}

/// What to say where the as-of time comes before all rows, or before any period is complete.
fn too_early(rows: &Rows, spec: &SourceSpec, first: i64, local: bool, zone: &TimeZone) -> String {
    let as_of = spec.as_of.map_or(String::new(), |as_of| text_of_instant(as_of, zone));
    let first = match local {
        true => text_of_instant(first, &TimeZone::UTC).trim_end_matches('Z').to_owned(),
        false => text_of_instant(first, zone),
    };
    let file = rows.first_file();
    if let Some(latency) = spec.latency_offset {
        return format!(
            "{file}: no period was over {latency:#} before the as-of time {as_of}, the first begins at {first}; choose a \
             later --as-of or a smaller latency_offset"
        );
    }
    format!(
        "{file}: no row stands at or before the as-of time {as_of}, the first is of {first}; choose a later --as-of"
    )
}

/// The zone of civil time, with a note where it was assumed and matters: dates alone are dates anywhere.
fn zone(
    rows: &Rows,
    local: bool,
    has_hours: impl FnOnce() -> bool,
    spec: &SourceSpec,
    notes: &mut Vec<String>,
) -> TimeZone {
    if let Some(zone) = &spec.zone {
        return zone.clone();
    }
    if local {
        if has_hours() {
            notes.push("times carry no zone and are read as UTC; set one with --tz".to_owned());
        }
        return TimeZone::UTC;
    }
    let named =
        rows.zone_name.as_deref().filter(|name| *name != "UTC").map(|name| (name, TimeZone::get(name)));
    match named {
        Some((name, Ok(zone))) => {
            notes.push(format!("days are those of {name}, the zone of the time column"));
            zone
        }
        Some((name, Err(_))) => {
            notes.push(format!(
                "the zone '{name}' of the time column is unknown; days are those of UTC; set one with --tz"
            ));
            TimeZone::UTC
        }
        None => TimeZone::UTC,
    }
}

/// Two different tuples of id values may not compose the same id.
fn judge_ids(rows: &Rows) -> Result<(), IngestError> {
    let mut seen = std::collections::HashMap::new();
    let mut clashes = Capped::default();
    for code in 0..u32::try_from(rows.keys.len()).unwrap_or(NO_CODE) {
        if let Some(other) = seen.insert(rows.keys.unique_id(code), code) {
            let (one, two) = (rows.keys.values(other).join("', '"), rows.keys.values(code).join("', '"));
            let id = rows.keys.unique_id(code);
            clashes.push(format!(
                "{}: the ids ('{one}') and ('{two}') both become '{id}'; remove the '/' from one of them",
                rows.first_file()
            ));
        }
    }
    if clashes.total() > 0 { Err(refused(clashes.into_lines())) } else { Ok(()) }
}

/// Ends the job where rows belong to no series or too many series are bad.
fn limit(placed: &[Placed], others: &[Other], rows: &Rows, limit: BadSeriesLimit) -> Result<(), IngestError> {
    let bad: Vec<&Placed> = placed.iter().filter(|placed| placed.series.is_none()).collect();
    let reasons = || {
        listed(bad.iter().flat_map(|placed| {
            let id = rows.keys.has_columns().then_some(placed.quality.unique_id.as_str());
            placed.reasons.iter().map(move |reason| (id, reason))
        }))
    };
    if rows.unplaced() > 0 {
        let mut problems: Vec<String> = rows.unplaced.iter().cloned().flat_map(Capped::into_lines).collect();
        problems.extend(reasons());
        let refusal = refused(problems);
        let is_unfinished = rows.unplaced() == rows.cut_off && bad.is_empty();
        return Err(if is_unfinished { refusal.unfinished() } else { refusal });
    }
    let bad_others = others.iter().filter(|other| other.outline.is_none()).count();
    let (all_bad, all) = (bad.len() + bad_others, placed.len() + others.len());
    if limit.allows(all_bad, all) {
        return Ok(());
    }
    let mut problems = reasons();
    if all > 1 {
        // First of all: a terminal shows some of the problems only.
        let count = format!(
            "{} of {} series cannot be used, max_bad_series allows {limit}; repair them, or leave them out with a \
             higher --max-bad-series",
            all_bad, all
        );
        problems.insert(0, count);
    }
    Err(refused(problems))
}

fn refused(problems: Vec<String>) -> IngestError {
    IngestError::new(IngestErrorKind::Data, problems)
}
