//! Events from an iCalendar text (RFC 5545).
//!
//! Read are VEVENTs: DTSTART with DTEND or DURATION, RRULE, RDATE, EXDATE, SUMMARY, and UID with RECURRENCE-ID, by which one
//! occurrence was moved or cancelled. A DATE is a whole day of the source's zone; so is a time without zone read from its wall
//! clock. A DATE-TIME with TZID or Z is that instant, and repeats at that zone's time of day. What else a calendar holds
//! (alarms, tasks, zones of its own) is passed over; a TZID has to be an IANA name.

use crate::calendar::error::{CalendarError, Faults};
use crate::calendar::event::{Event, Occurrence, Span, TEXT_BYTES_MAX, WINDOW_MAX, grouped};
use crate::calendar::moment::{Clock, Moment, Zones};
use crate::calendar::vevent::{Found, blocks, read};
use crate::series::civil::DAY;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Most occurrences that are kept of one file.
const KEPT_MAX: usize = 200_000;

/// How much expanding all rules of a file may cost, in days of a daily rule.
const COST_MAX: u64 = 2_000_000;

/// What a rule costs that is never met: the crate looks for it a hundred thousand periods long.
const NEVER_MET_COST: u64 = 100_000;

/// The events of a text, by name; of each, the occurrences from `first_day` to `last_day` (days since 1970-01-01) and within
/// [`WINDOW_MAX`] days of them, without windows. A name whose occurrences all lie elsewhere is kept without any.
///
/// # Errors
/// [`CalendarError::Events`] with every fault of the text.
pub fn parse(text: &str, first_day: i64, last_day: i64) -> Result<Vec<Event>, CalendarError> {
    let mut faults = Faults::default();
    if text.len() > TEXT_BYTES_MAX {
        faults.add(0, "", format!("has more than {TEXT_BYTES_MAX} bytes; split the calendar"));
        return faults.or(Vec::new());
    }
    let blocks = blocks(text, &mut faults);
    let mut zones = Zones::default();
    let mut found = Vec::new();
    for block in &blocks {
        found.extend(read(block, &mut zones, &mut faults));
    }
    let margin = i64::from(WINDOW_MAX) + 2;
    let first = first_day.saturating_sub(margin).saturating_mul(DAY);
    let last = last_day.saturating_add(margin).saturating_mul(DAY);
    let events = expand(&found, first, last, &mut faults);
    faults.or(events)
}

/// All occurrences between two wall times, by name.
fn expand(found: &[Found], first: i64, last: i64, faults: &mut Faults) -> Vec<Event> {
    // What a moved or cancelled occurrence takes from its series, by UID.
    let mut replaced: HashMap<&str, Vec<&Moment>> = HashMap::new();
    for one in found {
        if let Some(replaces) = one.replaces.as_ref().filter(|_| !one.uid.is_empty()) {
            replaced.entry(&one.uid).or_default().push(replaces);
        }
    }
    let mut kept: BTreeMap<&str, Vec<Occurrence>> = BTreeMap::new();
    let (mut count, mut cost) = (0, 0u64);
    for one in found.iter().filter(|one| !one.is_cancelled) {
        let own = kept.entry(&one.name).or_default();
        let mut walls: BTreeSet<i64> =
            one.more.iter().map(|moment| moment.wall_on(&one.start.clock)).collect();
        match &one.recurrence {
            Some((line, rule, recurrence)) if one.replaces.is_none() => {
                cost = cost.saturating_add(recurrence.cost(one.start.wall, last));
                if cost > COST_MAX {
                    faults.add(
                        *line,
                        rule,
                        "the recurring events of this file are too many to follow; split it, or end them",
                    );
                    break;
                }
                match recurrence.walls(&one.start, last) {
                    Ok(own) if own.is_empty() && one.start.wall <= last => {
                        cost = cost.saturating_add(NEVER_MET_COST)
                    }
                    Ok(own) => walls.extend(own),
                    Err(problem) => faults.add(*line, rule, format!("RRULE {problem}")),
                }
            }
            _ => {
                walls.insert(one.start.wall);
            }
        }
        let series = one.replaces.is_none().then(|| replaced.get(one.uid.as_str())).flatten();
        for moment in one.less.iter().chain(series.into_iter().flatten().copied()) {
            take(&mut walls, moment, &one.start.clock);
        }
        let reach = |wall: &i64| *wall <= last && wall.saturating_add(one.length) >= first;
        let spans = walls.into_iter().filter(reach).map(|wall| span(wall, one.length, &one.start.clock));
        let before = own.len();
        own.extend(spans.map(|span| Occurrence { span, before: 0, after: 0 }));
        count += own.len() - before;
        if count > KEPT_MAX {
            faults.add(
                one.line,
                &one.name,
                format!("is one too many: more than {KEPT_MAX} occurrences; split the calendar"),
            );
            break;
        }
    }
    grouped(kept)
}

/// Takes the occurrence at a moment away; a date takes all of its day.
fn take(walls: &mut BTreeSet<i64>, moment: &Moment, clock: &Clock) {
    let wall = moment.wall_on(clock);
    if moment.clock.is_date() {
        let of_day: Vec<i64> = walls.range(wall..wall + DAY).copied().collect();
        of_day.iter().for_each(|wall| {
            walls.remove(wall);
        });
    } else {
        walls.remove(&if clock.is_date() { wall.div_euclid(DAY) * DAY } else { wall });
    }
}

fn span(wall: i64, length: i64, clock: &Clock) -> Span {
    match clock {
        Clock::Zone(zone) => {
            let start = zone.first_instant(wall);
            Span::Absolute { start, end: start + length }
        }
        _ => Span::Wall { start: wall, end: wall + length },
    }
}

#[cfg(test)]
mod tests;
