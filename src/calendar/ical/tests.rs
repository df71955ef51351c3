//! Calendars that are right, that are wrong, and that are noise.

use super::*;
use crate::series::civil::{HOUR, MINUTE, days_from_date};
use proptest::prelude::*;

fn calendar(events: &[&str]) -> String {
    let event = |text: &&str| format!("BEGIN:VEVENT\r\n{}\r\nEND:VEVENT\r\n", text.replace('\n', "\r\n"));
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{}END:VCALENDAR\r\n",
        events.iter().map(event).collect::<String>()
    )
}

fn read(events: &[&str]) -> Vec<Event> {
    parse(&calendar(events), days_from_date(2024, 1, 1), days_from_date(2025, 12, 31)).unwrap()
}

fn faults(text: &str) -> Vec<String> {
    let error =
        parse(text, days_from_date(2024, 1, 1), days_from_date(2025, 12, 31)).unwrap_err().to_string();
    error.lines().map(str::to_string).collect()
}

fn wall(year: i64, month: i64, day: i64, hour: i64) -> i64 {
    days_from_date(year, month, day) * DAY + hour * HOUR
}

fn spans(event: &Event) -> Vec<Span> {
    event.occurrences.iter().map(|one| one.span).collect()
}

#[test]
fn dates_and_times_with_end_or_duration() {
    let events = read(&[
        "SUMMARY:Fair\nDTSTART;VALUE=DATE:20240501\nDTEND;VALUE=DATE:20240504",
        "SUMMARY:Sale\\, big\nDTSTART:20240601T080000\nDURATION:PT1H30M",
        "SUMMARY:Match\nDTSTART;TZID=Europe/Berlin:20240701T180000\nDTEND;TZID=Europe/Berlin:20240701T200000",
        "SUMMARY:Moment\nDTSTART:20240801T000000Z",
    ]);
    let first = days_from_date(2024, 5, 1);
    let names: Vec<_> = events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["fair", "match", "moment", "sale_big"]);
    assert_eq!(spans(&events[0]), [Span::days(first, first + 2)]);
    let utc = wall(2024, 7, 1, 16);
    assert_eq!(spans(&events[1]), [Span::Absolute { start: utc, end: utc + 2 * HOUR }]);
    let moment = wall(2024, 8, 1, 0);
    assert_eq!(spans(&events[2]), [Span::Absolute { start: moment, end: moment }]);
    let sale = wall(2024, 6, 1, 8);
    assert_eq!(spans(&events[3]), [Span::Wall { start: sale, end: sale + 90 * MINUTE }]);
}

#[test]
fn a_weekly_match_keeps_its_time_of_day_when_the_clock_changes() {
    let events = read(&[
        "SUMMARY:Match\nDTSTART;TZID=Europe/Berlin:20241025T180000\nDURATION:PT2H\nRRULE:FREQ=WEEKLY;COUNT=2",
    ]);
    let hours = |span: &Span| match span {
        Span::Absolute { start, end } => (start.rem_euclid(DAY) / HOUR, (end - start) / HOUR),
        Span::Wall { .. } => panic!("an event with a zone is absolute"),
    };
    assert_eq!(spans(&events[0]).iter().map(hours).collect::<Vec<_>>(), [(16, 2), (17, 2)]);
}

#[test]
fn exceptions_moved_and_further_dates() {
    let events = read(&[
        "UID:1\nSUMMARY:Sale\nDTSTART;VALUE=DATE:20240105\nRRULE:FREQ=MONTHLY;UNTIL=20240505\nEXDATE;VALUE=DATE:20240205\n\
         RDATE;VALUE=DATE:20240601,20240602",
        "UID:1\nRECURRENCE-ID;VALUE=DATE:20240305\nSUMMARY:Sale\nDTSTART;VALUE=DATE:20240307",
        "UID:1\nRECURRENCE-ID;VALUE=DATE:20240405\nSTATUS:CANCELLED\nSUMMARY:Sale\nDTSTART;VALUE=DATE:20240405",
    ]);
    let days = [(1, 5), (3, 7), (5, 5), (6, 1), (6, 2)].map(|(month, day)| days_from_date(2024, month, day));
    assert_eq!(spans(&events[0]), days.map(|day| Span::days(day, day)));
}

#[test]
fn until_in_utc_ends_a_series_of_a_zone() {
    let with = |until: &str| {
        let event = format!(
            "SUMMARY:a\nDTSTART;TZID=America/New_York:20240101T200000\nRRULE:FREQ=DAILY;UNTIL={until}"
        );
        read(&[&event])[0].occurrences.len()
    };
    // 20:00 in New York is 01:00 UTC of the next day.
    assert_eq!((with("20240103T010000Z"), with("20240103T005959Z"), with("20240103")), (2, 1, 3));
}

#[test]
fn what_lies_elsewhere_keeps_its_name() {
    let events = read(&[
        "SUMMARY:Past\nDTSTART;VALUE=DATE:20100101",
        "SUMMARY:Endless\nDTSTART;VALUE=DATE:20100101\nRRULE:FREQ=YEARLY",
    ]);
    assert_eq!((events[0].name.as_str(), events[0].occurrences.len()), ("endless", 3));
    assert_eq!((events[1].name.as_str(), events[1].occurrences.len()), ("past", 0));
}

#[test]
fn every_fault_is_told_with_its_line() {
    let text = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:a\nEND:VEVENT\nBEGIN:VEVENT\nDTSTART:20240230\nSUMMARY:-\n\
        RRULE:FREQ=HOURLY\nEND:VEVENT\nBEGIN:VEVENT\nSUMMARY:b\nDTSTART;TZID=Mars/Base:20240101T000000\nDURATION:1h\n\
        EXDATE:x\nnonsense\nDTSTART:20240101\nEND:VTODO\n";
    let faults = faults(text);
    let expected = [
        "line 1: \"VCALENDAR\": never ends",
        "line 2: \"VEVENT\": has no DTSTART",
        "line 6: \"20240230\": DTSTART is no date of the calendar",
        "line 7: \"-\": SUMMARY needs a letter or digit",
        "line 8: \"FREQ=HOURLY\": RRULE FREQ \"HOURLY\" cannot be read",
        "line 13: \"1h\": DURATION is none",
        "line 14: \"x\": EXDATE is no time",
        "line 15: \"nonsense\": is no NAME:VALUE",
        "line 16: \"DTSTART\": stands twice in the event of line 10",
        "line 17: \"VTODO\": ends what is not open; VEVENT of line 10 is",
    ];
    assert_eq!(faults.len(), expected.len(), "{faults:#?}");
    for (fault, expected) in faults.iter().zip(expected) {
        assert!(fault.starts_with(expected), "{fault}");
    }
}

#[test]
fn other_components_are_passed_over() {
    let text = "BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nTZID:X\nBEGIN:STANDARD\nDTSTART:x\nEND:STANDARD\nEND:VTIMEZONE\n\
        BEGIN:VEVENT\nSUMMARY:a\nDTSTART:20240101\nBEGIN:VALARM\nSUMMARY:alarm\nDURATION:x\nEND:VALARM\nEND:VEVENT\nEND:VCALENDAR\n";
    let events = parse(text, 0, 30_000).unwrap();
    assert_eq!((events.len(), events[0].occurrences.len()), (1, 1));
}

#[test]
fn a_file_of_rules_without_end_is_refused_in_time() {
    let endless = "SUMMARY:a\nDTSTART:19500101T000000\nRRULE:FREQ=DAILY";
    let refused = faults(&calendar(&vec![endless; 1000]));
    assert!(refused.last().unwrap().contains("too many to follow"), "{refused:?}");
    let never = "SUMMARY:a\nDTSTART:20240101\nRRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30";
    let refused = faults(&calendar(&vec![never; 1000]));
    assert!(refused.last().unwrap().contains("too many to follow"), "{refused:?}");
    assert!(faults("not a calendar")[0].contains("is no NAME:VALUE"));
}

/// Lines as they stand in calendars, with what can stand in them.
fn any_line() -> impl Strategy<Value = String> {
    let names = vec![
        "DTSTART",
        "DTEND",
        "DURATION",
        "RRULE",
        "EXDATE",
        "RDATE",
        "SUMMARY",
        "UID",
        "RECURRENCE-ID",
        "BEGIN",
        "END",
    ];
    let values = vec![
        "VEVENT",
        "VCALENDAR",
        "20240101",
        "20240101T080000",
        "22001231T235959Z",
        "19000101",
        "a",
        "b",
        "P1D",
        "PT1H",
        "FREQ=DAILY",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
        "FREQ=WEEKLY;BYDAY=MO,FR;INTERVAL=10000",
        "FREQ=MONTHLY;BYDAY=-1FR,5MO;COUNT=9",
        "FREQ=YEARLY;BYWEEKNO=53;BYDAY=SU;WKST=SU",
        "FREQ=MONTHLY;BYSETPOS=-1;BYDAY=MO",
        "FREQ=YEARLY;BYYEARDAY=366,-1;UNTIL=21000101",
        "FREQ=YEARLY;BYDAY=53MO",
    ];
    let parameter = prop_oneof![
        Just(""),
        Just(";TZID=Europe/Berlin"),
        Just(";TZID=Australia/Lord_Howe"),
        Just(";VALUE=DATE")
    ];
    let line = (prop::sample::select(names), parameter, prop::sample::select(values));
    prop_oneof![
        20 => line.prop_map(|(name, parameter, value)| format!("{name}{parameter}:{value}")),
        1 => "[ A-Z:;=0-9,\"\\\\\u{e9}\t]{0,30}",
    ]
}

/// A part of a rule, mostly with a value that can stand there.
fn any_part() -> impl Strategy<Value = String> {
    let list = |from: i64, to: i64| {
        let numbers = prop::collection::vec(from..to, 1..4);
        numbers.prop_map(|numbers| numbers.iter().map(i64::to_string).collect::<Vec<_>>().join(","))
    };
    prop_oneof![
        list(0, 14).prop_map(|text| format!(";BYMONTH={text}")),
        list(-32, 33).prop_map(|text| format!(";BYMONTHDAY={text}")),
        list(-367, 368).prop_map(|text| format!(";BYYEARDAY={text}")),
        list(-54, 55).prop_map(|text| format!(";BYWEEKNO={text}")),
        list(-5, 6).prop_map(|text| format!(";BYSETPOS={text}")),
        "(-?[1-6])?(MO|SU)(,[1-5]?(TU|SA))?".prop_map(|text| format!(";BYDAY={text}")),
        (0i64..70_000).prop_map(|number| format!(";INTERVAL={number}")),
        (0i64..200).prop_map(|number| format!(";COUNT={number}")),
        "(19|20|21)[0-9]{2}0[1-9][0-2][0-9](T[0-9]{6}Z)?".prop_map(|text| format!(";UNTIL={text}")),
        ";[A-Z]{3,8}=[-A-Z0-9,]{0,9}",
    ]
}

proptest! {
    #[test]
    fn any_lines_are_read_or_refused(
        events in prop::collection::vec(prop::collection::vec(any_line(), 0..8), 0..4),
        first in -40_000i64..100_000, days in 0i64..40_000,
    ) {
        let events: Vec<String> = events.iter().map(|lines| lines.join("\n")).collect();
        let text = calendar(&events.iter().map(String::as_str).collect::<Vec<_>>());
        if let Ok(events) = parse(&text, first, first + days) {
            prop_assert!(events.iter().all(|event| event.occurrences.is_sorted()));
        }
    }

    #[test]
    fn any_rule_is_followed_or_refused(
        frequency in prop::sample::select(vec!["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]),
        parts in prop::collection::vec(any_part(), 0..4),
        year in 1899i64..2202, days in 0i64..20_000, zone in prop::sample::select(vec!["", ";TZID=Africa/Cairo"]),
    ) {
        let event = format!("SUMMARY:a\nDTSTART{zone}:{year:04}0131T233000\nRRULE:FREQ={frequency}{}", parts.concat());
        let first = days_from_date(year.min(2000), 1, 1);
        if let Ok(events) = parse(&calendar(&[&event]), first, first + days) {
            prop_assert!(events[0].occurrences.len() <= 20_124);
            prop_assert!(events[0].occurrences.is_sorted());
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,300}", bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(&text, 0, 30_000);
        let _ = parse(&calendar(&[&text]), i64::MIN, i64::MAX);
        let _ = parse(&String::from_utf8_lossy(&bytes), 0, 30_000);
    }
}

/// Rules as python-dateutil expands them (`tests/calendar/recurrences.py`).
#[test]
fn rules_give_the_dates_of_the_golden_file() {
    let text = include_str!("../../../tests/golden/recurrences.csv");
    let text = std::env::var("S4CAST_RECURRENCES")
        .map_or(text.to_string(), |path| std::fs::read_to_string(path).unwrap());
    for line in text.lines().skip(1) {
        let [start, rule, dates] = line.split(';').collect::<Vec<_>>().try_into().unwrap();
        let event = format!("SUMMARY:a\nDTSTART:{start}\nRRULE:{}", rule.replace('|', ";"));
        let events =
            parse(&calendar(&[&event]), days_from_date(2009, 1, 1), days_from_date(2014, 1, 1)).unwrap();
        let shown = |span: &Span| match span {
            Span::Wall { start, .. } => {
                let (year, month, day) = crate::series::civil::date_from_days(start.div_euclid(DAY));
                format!("{year:04}{month:02}{day:02}")
            }
            Span::Absolute { .. } => panic!("a floating event stays on the wall clock"),
        };
        let found: Vec<String> =
            spans(&events[0]).iter().map(shown).filter(|date| date.as_str() < "2013").collect();
        assert_eq!(found.join(" "), dates, "{start} {rule}");
    }
}
