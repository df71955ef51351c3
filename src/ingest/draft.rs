//! One series before it stands on a grid: its rows as instants in time order, one per instant, and what is wrong with it.

use super::problems::{ALIKE, Kind, Reason};
use super::raw_series::{RawSeries, RowIds};
use super::rows::{Fault, Rows};
use super::spec::{Duplicates, Order, Sampling};
use super::text_of_instant;
use super::timeline::{Decoded, NO_TIME};
use crate::series::Frequency;
use crate::series::civil::{DAY, Instants, LocalClock};
use crate::series::infer::{anchored, infer};
use crate::series::observations::usual_step;
use jiff::tz::TimeZone;

/// What all series share while they are drafted.
pub(super) struct Context<'a> {
    pub(super) rows: &'a Rows,
    pub(super) decoded: Decoded,
    pub(super) zone: &'a TimeZone,
    /// Whether the zone was named, not assumed.
    pub(super) zone_given: bool,
    pub(super) clock: &'a LocalClock,
    pub(super) duplicates: Duplicates,
    pub(super) order: Order,
    pub(super) declared: Option<Frequency>,
    pub(super) sampling: Sampling,
}

/// A series on its way.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    pub(super) code: u32,
    /// Rows read, those with bad cells included.
    pub(super) rows_read: usize,
    /// Rows without a value.
    pub(super) missing: usize,
    /// Instants, ascending.
    pub(super) times: Vec<i64>,
    pub(super) values: Vec<f64>,
    /// The row behind each instant.
    pub(super) rows: RowIds,
    pub(super) frequency: Option<Frequency>,
    pub(super) reasons: Vec<Reason>,
    /// Rows whose local time the clock skips, and that time.
    pub(super) shifted: Vec<(u32, i64)>,
    /// Whether the rows stood in the order of their times as they are written.
    is_written_in_order: bool,
    /// Rows after the limit, and the first of their instants.
    pub(super) left_out: usize,
    pub(super) next: Option<i64>,
}

impl Draft {
    /// From the rows of one series. Rows after the limit do not exist.
    pub(super) fn new(code: u32, raw: RawSeries, limit: Option<i64>, context: &Context<'_>) -> Draft {
        let RawSeries { times, values, rows, faults } = raw;
        let mut draft = Draft { code, times, values, rows, ..Draft::default() };
        let without_time = draft.place(limit, context);
        draft.rows_read = draft.rows.len() + without_time.len();
        draft.judge_cells(&faults, limit.is_some(), &without_time, context);
        draft.missing = draft.values.iter().filter(|value| value.is_nan()).count();
        draft.sort(context);
        draft.merge_repeats(context);
        draft.judge_values(context);
        draft.frequency = match context.declared {
            declared if context.sampling == Sampling::Irregular => {
                declared.or_else(|| usual_step(&draft.times))
            }
            Some(declared) => Some(anchored(declared, &draft.times, context.zone)),
            None => infer(&draft.times, context.zone),
        };
        draft
    }

    pub(super) fn reason(&mut self, kind: Kind, text: String) {
        self.reasons.push(Reason { kind, text });
    }

    /// Makes raw times instants. Rows without a time and those after the limit are left out; gives the former.
    fn place(&mut self, limit: Option<i64>, context: &Context<'_>) -> Vec<u32> {
        context.decoded.decode(&mut self.times);
        let mut without_time = Vec::new();
        if self.times.contains(&NO_TIME) {
            let places = (0..self.times.len()).filter(|&at| self.times[at] == NO_TIME);
            without_time.extend(places.map(|at| self.rows.at(at)));
            self.retain(|time| time != NO_TIME);
        }
        self.is_written_in_order = context.order != Order::Demand || self.times.is_sorted();
        if context.decoded.local {
            let file = |at: usize| context.rows.file(self.rows.at(at));
            let shifted = to_instants(&mut self.times, context.clock, file);
            self.shifted = shifted.into_iter().map(|(at, wall)| (self.rows.at(at), wall)).collect();
        }
        if let Some(limit) = limit {
            let after = || self.times.iter().copied().filter(|&time| time > limit);
            (self.left_out, self.next) = (after().count(), after().min());
            if self.left_out > 0 {
                self.retain(|time| time <= limit);
            }
        }
        without_time
    }

    fn retain(&mut self, keep: impl Fn(i64) -> bool) {
        let kept: Vec<usize> = (0..self.times.len()).filter(|&at| keep(self.times[at])).collect();
        self.select(&kept);
    }

    /// Keeps the instants at some places, in that order.
    fn select(&mut self, places: &[usize]) {
        self.times = places.iter().map(|&at| self.times[at]).collect();
        self.values = places.iter().map(|&at| self.values[at]).collect();
        self.rows = self.rows.select(places.iter().copied());
    }

    fn judge_cells(&mut self, faults: &[u32], limited: bool, without_time: &[u32], context: &Context<'_>) {
        if faults.is_empty() {
            return;
        }
        let faults = faults.iter().map(|&at| &context.rows.faults[at as usize]);
        // A bad value in a row that is not read is nobody's problem. The rows still stand in input order here.
        let read = |row: u32| !limited || without_time.binary_search(&row).is_ok() || self.rows.contains(row);
        let faults = faults.filter(|fault| read(fault.row));
        let mut alike: Vec<(&str, Vec<&Fault>)> = Vec::new();
        for fault in faults {
            match alike.iter_mut().find(|(remedy, _)| *remedy == fault.remedy) {
                Some((_, group)) => group.push(fault),
                None => alike.push((fault.remedy, vec![fault])),
            }
        }
        for (remedy, group) in alike {
            let shown = if group.len() > ALIKE { 1 } else { group.len() };
            let rest = group[shown..].last().map_or(String::new(), |last| {
                let last = context.rows.place_after(group[0].row, last.row);
                format!(" (and {} more like it, the last in {last})", group.len() - shown)
            });
            for fault in &group[..shown] {
                let text = match fault.text.is_empty() {
                    true => format!("{}: a cell cannot be read", context.rows.place(fault.row)),
                    false => fault.text.clone(),
                };
                self.reason(Kind::Cell, format!("{text}; {remedy}{rest}"));
            }
        }
    }

    fn sort(&mut self, context: &Context<'_>) {
        let Some(at) = (1..self.times.len()).find(|&at| self.times[at] < self.times[at - 1]) else { return };
        if context.order == Order::Error {
            let (place, time) =
                (context.rows.place(self.rows.at(at)), text_of_instant(self.times[at], context.zone));
            self.reason(
                Kind::Order,
                format!("{place}: {time} comes after a later time; sort the rows, or set order = sort"),
            );
        }
        // Of an hour that the clock shows twice, either order is one.
        if context.order == Order::Demand && !self.is_written_in_order {
            let (row, before) = (self.rows.at(at), text_of_instant(self.times[at - 1], context.zone));
            let (place, time) = (context.rows.place(row), text_of_instant(self.times[at], context.zone));
            let id = context.rows.keys.unique_id(self.code);
            self.reason(
                Kind::Order,
                format!(
                    "{place}: {time} of series '{id}' comes after {before}; sort the stream by unique_id and ds \
                     (within partitions, where it has some), or let --order sort do it series by series"
                ),
            );
        }
        let mut order: Vec<usize> = (0..self.times.len()).collect();
        order.sort_by_key(|&at| self.times[at]);
        self.select(&order);
    }

    fn merge_repeats(&mut self, context: &Context<'_>) {
        let repeats = self.times.windows(2).filter(|pair| pair[0] == pair[1]).count();
        if repeats == 0 {
            return;
        }
        if context.duplicates == Duplicates::Error {
            let text = self.repeat_text(repeats, context);
            self.reason(Kind::Duplicate, text);
        }
        let mut kept = (Vec::new(), Vec::new(), Vec::new());
        let mut from = 0;
        while from < self.times.len() {
            let to = from + self.times[from..].iter().take_while(|&&time| time == self.times[from]).count();
            kept.0.push(self.times[from]);
            kept.1.push(match context.duplicates {
                // Of equal files the last: the rows stand in input order.
                Duplicates::Latest => (from..to)
                    .max_by_key(|&at| context.rows.modified(self.rows.at(at)))
                    .map_or(f64::NAN, |at| self.values[at]),
                policy => merged(&self.values[from..to], policy),
            });
            kept.2.push(from);
            from = to;
        }
        (self.times, self.values) = (kept.0, kept.1);
        self.rows = self.rows.select(kept.2.into_iter());
    }

    /// What to say of so many rows whose instant another row has.
    fn repeat_text(&self, repeats: usize, context: &Context<'_>) -> String {
        let at = (1..self.times.len()).find(|&at| self.times[at] == self.times[at - 1]).unwrap_or_default();
        let (one, two) = (self.rows.at(at - 1), self.rows.at(at));
        let (place, other) = (context.rows.place(one), context.rows.place_after(one, two));
        let time = text_of_instant(self.times[at], context.zone);
        let count =
            if repeats == 1 { String::new() } else { format!("{repeats} repeated times, the first: ") };
        let repair = "set duplicates = first, last, latest, mean or sum";
        // Two wall-clock times become one instant only where the clock skips one of them.
        let shown = context.clock.local(self.times[at]);
        let wall =
            |row| self.shifted.iter().find(|shifted| shifted.0 == row).map_or(shown, |shifted| shifted.1);
        if context.decoded.local && wall(one) != wall(two) {
            let wall = text_of_instant(wall(one).min(wall(two)), &TimeZone::UTC);
            let wall = wall.trim_end_matches('Z');
            let zone = context.zone.iana_name().unwrap_or("the zone");
            return format!(
                "{count}{place} and {other} both stand at {time}, because {zone} skips {wall}; \
                 give --tz if the times are those of another zone, or {repair}"
            );
        }
        let several = match context.rows.keys.has_columns() {
            true => "",
            false => "; if these are several series, name their column with --id",
        };
        let below_a_day = || self.times.windows(2).any(|pair| (1..DAY).contains(&(pair[1] - pair[0])));
        let clocks = match context.decoded.local && !context.zone_given && below_a_day() {
            true => ", or, if these are local times over a change of the clocks, give --tz",
            false => "",
        };
        format!("{count}{place} and {other} both stand at {time}; remove one, or {repair}{clocks}{several}")
    }

    fn judge_values(&mut self, context: &Context<'_>) {
        let infinite = |value: &f64| value.is_infinite();
        if let Some(at) = self.values.iter().position(infinite) {
            let count = self.values.iter().filter(|value| infinite(value)).count();
            let place = context.rows.place(self.rows.at(at));
            let more = if count == 1 { String::new() } else { format!(" ({count} such rows)") };
            let value = self.values[at];
            self.reason(
                Kind::Infinite,
                format!("{place}: the value {value} is infinite{more}; correct it or leave it empty"),
            );
        }
        if self.values.iter().all(|value| value.is_nan())
            && !self.reasons.iter().any(|reason| reason.kind == Kind::Cell)
        {
            let text = match self.rows.first() {
                Some(row) => {
                    format!("{}: none of the {} rows has a value", context.rows.place(row), self.rows_read)
                }
                None => "no row stands at or before the as-of time".to_owned(),
            };
            self.reason(Kind::Empty, text);
        }
    }
}

/// The value of several rows at one instant, in input order; the latest file last.
fn merged(values: &[f64], policy: Duplicates) -> f64 {
    let observed = || values.iter().filter(|value| !value.is_nan());
    let sum = || observed().sum::<f64>();
    match (policy, observed().count()) {
        (_, 0) => f64::NAN,
        (Duplicates::Error | Duplicates::First, _) => values[0],
        (Duplicates::Last | Duplicates::Latest, _) => values[values.len() - 1],
        (Duplicates::Mean, count) => sum() / count as f64,
        (Duplicates::Sum, _) => sum(),
    }
}

/// Turns wall-clock times, in input order, into instants; gives the places of those that the clock skips, and what they
/// were. `file` gives the file of the row at a place.
///
/// A time that the clock shows twice is the earlier instant where it first occurs and the later one where it occurs
/// again. Which comes first is decided hour by hour, see [`Neighbours::later`].
fn to_instants(times: &mut [i64], clock: &LocalClock, file: impl Fn(usize) -> usize) -> Vec<(usize, i64)> {
    if let Some(offset) = clock.fixed_offset() {
        if offset == 0 {
            return Vec::new();
        }
        times.iter_mut().for_each(|time| *time = time.saturating_sub(offset));
        return Vec::new();
    }
    let mut shifted = Vec::new();
    let mut twice = Vec::new();
    for (at, time) in times.iter_mut().enumerate() {
        match clock.instants(*time) {
            Instants::One(instant) => *time = instant,
            Instants::Gap(jump) => {
                shifted.push((at, *time));
                *time = jump;
            }
            Instants::Two(earlier, later) => {
                twice.push((earlier, later, at));
                *time = earlier;
            }
        }
    }
    twice.sort_by_key(|&(earlier, _, at)| (earlier, at));
    for group in twice.chunk_by(|one, two| one.0 == two.0).filter(|group| group.len() > 1) {
        let places = group.iter().map(|&(_, _, at)| at).collect();
        for at in (Neighbours { times, clock, file: &file }).later(places) {
            times[at] = group[0].1;
        }
    }
    shifted
}

/// Rows of a series in input order, and the file of each.
struct Neighbours<'a, F> {
    times: &'a [i64],
    clock: &'a LocalClock,
    file: &'a F,
}

impl<F: Fn(usize) -> usize> Neighbours<'_, F> {
    /// Those of the rows with one wall-clock time, given in input order, that stand at its later instant.
    ///
    /// A file that shows the time twice tells both instants, as the rows around them run, and other files repeat what it
    /// shows. Where none does, the file whose rows are earlier shows the first instant and all others the second.
    fn later(&self, places: Vec<usize>) -> Vec<usize> {
        let mut files: Vec<&[usize]> =
            places.chunk_by(|&one, &two| self.file(one) == self.file(two)).collect();
        if files.iter().all(|rows| rows.len() == 1) {
            files.sort_by_cached_key(|rows| self.middle(rows[0]));
            return files.concat().split_off(1);
        }
        let mut later = Vec::with_capacity(places.len());
        for rows in files {
            match rows {
                [one] if self.starts_at(*one) => later.push(*one),
                [_] => {}
                [rest @ .., last] if self.runs_backwards(rows[0], *last) => later.extend(rest),
                [_, rest @ ..] => later.extend(rest),
                [] => {}
            }
        }
        later
    }

    /// Whether the file of a row holds later wall-clock times and no earlier one: it begins in the repeated hour, and
    /// with the second of them, or it would hold both.
    fn starts_at(&self, at: usize) -> bool {
        let (low, high) = self.span(at);
        low == self.wall(at) && low < high
    }

    fn file(&self, at: usize) -> usize {
        (self.file)(at)
    }

    fn wall(&self, at: usize) -> i64 {
        self.clock.local(self.times[at])
    }

    /// Whether the rows around two with the same wall-clock time go back in time: the row before the first tells, else
    /// the row after the last, else those between.
    fn runs_backwards(&self, first: usize, last: usize) -> bool {
        let wall = self.wall(first);
        let other = |at: &usize| self.wall(*at) != wall;
        let same_file = |at: &usize| self.file(*at) == self.file(first);
        let before = (0..first).rev().take_while(same_file).find(other).map(|at| self.wall(at) > wall);
        let after =
            || (last + 1..self.times.len()).take_while(same_file).find(other).map(|at| self.wall(at) < wall);
        let between = || (first + 1..last).find(other).map(|at| self.wall(at) < wall);
        before.or_else(after).or_else(between).unwrap_or(false)
    }

    /// Twice the middle of the span that the file of a row covers.
    fn middle(&self, at: usize) -> i64 {
        let (low, high) = self.span(at);
        low + high
    }

    /// First and last wall-clock time of the file of a row.
    fn span(&self, at: usize) -> (i64, i64) {
        let same_file = |other: &usize| self.file(*other) == self.file(at);
        let (down, up) = ((0..=at).rev().take_while(same_file), (at..self.times.len()).take_while(same_file));
        let walls = down.chain(up).map(|other| self.wall(other));
        walls.fold((i64::MAX, i64::MIN), |(low, high), wall| (low.min(wall), high.max(wall)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::civil::HOUR;

    #[test]
    fn repeated_hours_are_told_apart_in_both_directions() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let start = "2024-10-26T22:00:00Z".parse::<jiff::Timestamp>().unwrap().as_microsecond();
        let clock = LocalClock::new(&zone, start, start);
        let instants: Vec<i64> = (0..8).map(|hour| start + hour * HOUR).collect();
        let local =
            |instants: &[i64]| -> Vec<i64> { instants.iter().map(|&instant| clock.local(instant)).collect() };
        for reversed in [false, true] {
            let mut instants = instants.clone();
            if reversed {
                instants.reverse();
            }
            let mut times = local(&instants);
            assert_eq!(to_instants(&mut times, &clock, |_| 0), []);
            assert_eq!(times, instants);
        }
    }

    #[test]
    fn policies_for_repeated_rows() {
        let values = [1.0, f64::NAN, 4.0];
        assert_eq!(merged(&values, Duplicates::First), 1.0);
        assert_eq!(merged(&values, Duplicates::Last), 4.0);
        assert_eq!(merged(&values, Duplicates::Mean), 2.5);
        assert_eq!(merged(&values, Duplicates::Sum), 5.0);
        assert!(merged(&[f64::NAN; 2], Duplicates::Sum).is_nan());
    }
}
