//! The events of an iCalendar text, one by one: cut out, and each read with all that is wrong with it.

use crate::calendar::content_line::{Property, properties, unescaped};
use crate::calendar::error::Faults;
use crate::calendar::event::slug;
use crate::calendar::moment::{Moment, Zones};
use crate::calendar::recur::Recurrence;
use crate::series::civil::{DAY, HOUR, MINUTE, SECOND};
use std::collections::HashMap;

/// The properties of one VEVENT.
pub(super) struct Block {
    line: usize,
    properties: Vec<Property>,
}

/// Cuts a text into its VEVENTs.
pub(super) fn blocks(text: &str, faults: &mut Faults) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Vec<(String, usize)> = Vec::new();
    let mut seen_calendar = false;
    for property in properties(text) {
        let inside = open.last().is_some_and(|(name, _)| name == "VEVENT");
        let property = match property {
            Ok(property) => property,
            Err((line, text)) => {
                if inside || !seen_calendar {
                    faults.add(line, &text, "is no NAME:VALUE of a calendar");
                }
                continue;
            }
        };
        let component = property.value.trim().to_ascii_uppercase();
        match property.name.as_str() {
            "BEGIN" => {
                seen_calendar |= component == "VCALENDAR";
                if component == "VEVENT" {
                    blocks.push(Block { line: property.line, properties: Vec::new() });
                }
                open.push((component, property.line));
            }
            "END" => match open.pop() {
                Some((name, _)) if name == component => {}
                Some((name, line)) => {
                    faults.add(
                        property.line,
                        &property.value,
                        format!("ends what is not open; {name} of line {line} is"),
                    );
                }
                None => faults.add(property.line, &property.value, "ends what never began"),
            },
            _ if inside => {
                if let Some(block) = blocks.last_mut() {
                    block.properties.push(property);
                }
            }
            _ => {}
        }
    }
    for (name, line) in open {
        faults.add(line, &name, format!("never ends; END:{name} is missing"));
    }
    if !seen_calendar {
        faults.add(1, "", "no BEGIN:VCALENDAR; is this an iCal file?");
    }
    blocks
}

/// Properties that an event has once.
const SINGLE: [&str; 8] =
    ["DTSTART", "DTEND", "DURATION", "RRULE", "SUMMARY", "RECURRENCE-ID", "UID", "STATUS"];

/// One VEVENT, read.
pub(super) struct Found {
    pub line: usize,
    pub uid: String,
    pub name: String,
    pub start: Moment,
    /// Microseconds.
    pub length: i64,
    pub recurrence: Option<(usize, String, Recurrence)>,
    pub more: Vec<Moment>,
    pub less: Vec<Moment>,
    /// The start of the occurrence that it stands for.
    pub replaces: Option<Moment>,
    pub is_cancelled: bool,
}

/// Reads a block; what is wrong with it is noted, and a block without a start or name is left out.
pub(super) fn read(block: &Block, zones: &mut Zones, faults: &mut Faults) -> Option<Found> {
    let mut single: HashMap<&str, &Property> = HashMap::new();
    let (mut more, mut less) = (Vec::new(), Vec::new());
    for property in &block.properties {
        match property.name.as_str() {
            "RDATE" => more.extend(moments(property, zones, faults)),
            "EXDATE" => less.extend(moments(property, zones, faults)),
            name => {
                if SINGLE.contains(&name) && single.insert(name, property).is_some() {
                    faults.add(
                        property.line,
                        name,
                        format!("stands twice in the event of line {}", block.line),
                    );
                }
            }
        }
    }
    let mut one = |name: &str, faults: &mut Faults| {
        let property = single.get(name)?;
        let read = zones.ical(&property.value, property.parameter("TZID"));
        read.map_err(|problem| faults.add(property.line, &property.value, format!("{name} {problem}"))).ok()
    };
    let start = one("DTSTART", faults);
    let end = one("DTEND", faults);
    let replaces = one("RECURRENCE-ID", faults);
    if !single.contains_key("DTSTART") {
        faults.add(block.line, "VEVENT", "has no DTSTART");
    }
    let title = single.get("SUMMARY").map(|property| unescaped(&property.value)).unwrap_or_default();
    let name = slug(&title);
    if name.is_none() {
        let line = single.get("SUMMARY").map_or(block.line, |property| property.line);
        faults.add(line, &title, "SUMMARY needs a letter or digit: columns are named after it");
    }
    let recurrence = single.get("RRULE").and_then(|property| {
        let read = Recurrence::parse(&property.value, zones);
        let read =
            read.map_err(|problem| faults.add(property.line, &property.value, format!("RRULE {problem}")));
        Some((property.line, property.value.clone(), read.ok()?))
    });
    let start = start?;
    let length = length(&start, end, &single, faults)?;
    let text =
        |name: &str| single.get(name).map(|property| property.value.trim().to_string()).unwrap_or_default();
    let is_cancelled = text("STATUS").eq_ignore_ascii_case("CANCELLED");
    Some(Found {
        line: block.line,
        uid: text("UID"),
        name: name?,
        start,
        length,
        recurrence,
        more,
        less,
        replaces,
        is_cancelled,
    })
}

/// Every time of a list, as RDATE and EXDATE have it.
fn moments(property: &Property, zones: &mut Zones, faults: &mut Faults) -> Vec<Moment> {
    let texts = property.value.split(',').filter(|text| !text.trim().is_empty());
    let mut read = Vec::new();
    for text in texts {
        // Of a PERIOD, the start counts.
        let start = text.split('/').next().unwrap_or(text);
        match zones.ical(start, property.parameter("TZID")) {
            Ok(moment) => read.push(moment),
            Err(problem) => faults.add(property.line, text, format!("{} {problem}", property.name)),
        }
    }
    read
}

/// How long an event lasts, by DTEND or DURATION; a day without either has 24 hours, a time none.
fn length(
    start: &Moment,
    end: Option<Moment>,
    single: &HashMap<&str, &Property>,
    faults: &mut Faults,
) -> Option<i64> {
    let length = match (end, single.get("DURATION")) {
        (Some(end), _) => {
            let line = single.get("DTEND").map_or(0, |property| property.line);
            if end.clock.is_date() != start.clock.is_date() {
                faults.add(line, "DTEND", "and DTSTART have to be two dates or two times");
                return None;
            }
            let length = match (start.instant(), end.instant()) {
                (Some(start), Some(end)) => end - start,
                _ => end.wall - start.wall,
            };
            if length < 0 {
                faults.add(line, "DTEND", "lies before DTSTART");
                return None;
            }
            Some(length)
        }
        (None, Some(property)) => {
            let length = duration(&property.value);
            if length.is_none() {
                faults.add(property.line, &property.value, "DURATION is none, such as PT1H30M, P2D or P1W");
                return None;
            }
            length
        }
        (None, None) => None,
    };
    // A date that ends on its own day is what some programs write for one day.
    let least = if start.clock.is_date() { DAY } else { 0 };
    Some(length.unwrap_or(0).max(least))
}

/// A DURATION (RFC 5545, 3.3.6) of less than a hundred years in microseconds.
fn duration(text: &str) -> Option<i64> {
    let text = text.trim().to_ascii_uppercase();
    let mut rest = text.strip_prefix('+').unwrap_or(&text).strip_prefix('P')?;
    let (mut total, mut is_time, mut parts) = (0i64, false, 0);
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('T') {
            (rest, is_time) = (after, true);
            continue;
        }
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: i64 = rest[..digits].parse().ok()?;
        let unit = match (rest.as_bytes()[digits], is_time) {
            (b'W', false) => 7 * DAY,
            (b'D', false) => DAY,
            (b'H', true) => HOUR,
            (b'M', true) => MINUTE,
            (b'S', true) => SECOND,
            _ => return None,
        };
        total = total.checked_add(number.checked_mul(unit)?)?;
        rest = &rest[digits + 1..];
        parts += 1;
    }
    (parts > 0 && total <= 36_525 * DAY).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, micros) in
            [("P1W", 7 * DAY), ("P1DT2H", DAY + 2 * HOUR), ("+PT90S", 90 * SECOND), ("PT0S", 0)]
        {
            assert_eq!(duration(text), Some(micros), "{text}");
        }
        for text in ["", "P", "PT", "-P1D", "P1H", "PT1D", "P99999999999999999999D", "P200000D", "1D", "P1"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}
