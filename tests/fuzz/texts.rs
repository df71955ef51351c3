//! Good texts of every format, and the words that they are made of.

/// Rows of a CSV file.
fn rows(header: &str, count: usize, row: impl Fn(usize) -> String) -> Vec<u8> {
    let rows: String = (0..count).map(|at| row(at) + "\n").collect();
    format!("{header}\n{rows}").into_bytes()
}

pub fn csv() -> Vec<Vec<u8>> {
    let day = |at: usize| format!("2024-{:02}-{:02}", 1 + at / 28 % 12, 1 + at % 28);
    let hour = |at: usize| format!("2024-10-{:02} {:02}:00", 25 + at / 24, at % 24);
    vec![
        rows("ds,y", 60, |at| format!("{},{}", day(at), at * 7 % 10)),
        rows("unique_id,ds,y", 80, |at| format!("s{},{},{}.5", at / 40, hour(at % 40), at)),
        rows("id;ds;y;price;kind;region", 60, |at| {
            format!("\"a;{}\";{};{};{};k{};\"no\"\"rth\"", at / 30, day(at % 30), at, at % 3, at % 4)
        }),
        rows("time\tp\tq\tr", 50, |at| format!("{}\t{at}\t\t{}", hour(at), at % 5)),
        rows("ds,y", 50, |at| format!("2024-03-31T{:02}:{:02}:00+02:00,{at}", at / 4 % 24, at % 4 * 15)),
        rows("ds,y", 40, |at| format!("{},{at}e1", 1_704_067_200 + at * 3600)),
        rows("month,a,b", 30, |at| format!("{}-{:02},{at},-{at}", 2020 + at / 12, 1 + at % 12)),
        rows("ds,y", 30, |at| format!("{}/{}/2024,{at}", 1 + at % 12, 1 + at % 28)),
        rows("ds,y", 30, |at| format!("{},{at}", 1990 + at)),
    ]
}

pub const CSV_WORDS: &[&str] = &[
    ",",
    ";",
    "\t",
    "|",
    "\"",
    "\"\"",
    "\n",
    "\r\n",
    "\r",
    "ds",
    "y",
    "id",
    "2024-01-01",
    "0001-01-01",
    "-0001-01-01",
    "9999-12-31",
    "9999-12-31T23:59:59.999999Z",
    "-009999-01-01T00:00:00Z",
    "+010000-01-01",
    "1700-01-01",
    "2262-04-12",
    "2024-10-27 02:30",
    "2024-03-31 02:30",
    "2024-02-30",
    "2024-13-01",
    "2024-01-01T00:00:00+25:59",
    "2024-01-01T24:00:00",
    "2024-06-30T23:59:60Z",
    "1969-12-31T23:59:59.999999Z",
    "2024-01-01 00:00:00.000001",
    "31.12.2024",
    "12/31/24",
    "2024W01",
    "2024-W53-7",
    "2024-366",
    "1704067200",
    "1704067200000",
    "1704067200000000000",
    "true",
    "null",
    "NA",
    "-",
    "1.7976931348623157e308",
    "a\"b",
    "=cmd|' /C'!A0",
    "s0,2024-01-01,1\n",
    "zz,2300-01-01,\n",
    "2024-01-01,1\n9999-01-01,2\n",
];

pub fn events() -> Vec<Vec<u8>> {
    [
        "ds,event,lower_window,upper_window\n2024-01-05,sale,-1,2\n2024-05-01,fair,0,0\n2024-07-01 08:00,match,,\n",
        "holiday,ds,lower_window,upper_window\nplayoff,2008-01-13,0,1\n\"super, bowl\",2010-02-07 00:00:00,-1,1.0\n",
        "Start,End,Event\r\n2024-12-24,2024-12-26,fair\r\n2024-05-01T08:00Z,2024-05-01T10:00+01:00,open\r\n",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

pub const EVENT_WORDS: &[&str] = &[
    ",",
    "\"",
    "\n",
    "ds",
    "start",
    "end",
    "event",
    "holiday",
    "lower_window",
    "upper_window",
    "2024-01-01",
    "1899-12-31",
    "2200-12-31",
    "9999-12-31",
    "-9999-01-01",
    "2024-01-01T00:00:00Z",
    "2024-01-01 23:59:60",
    "2024-01-01T00:00+99:99",
    "2024-01-01T00:00:00[Europe/Berlin]",
    "-60",
    "60",
    "-61",
    "1e308",
    "nan",
    "-0.0",
    "sale",
    "Ünïcödé",
    "\u{130}",
    "x,2024-01-01\n",
];

pub fn calendars() -> Vec<Vec<u8>> {
    let event = |lines: &str| format!("BEGIN:VEVENT\r\n{}\r\nEND:VEVENT\r\n", lines.replace('\n', "\r\n"));
    let whole = |events: &[&str]| {
        let events: String = events.iter().map(|lines| event(lines)).collect();
        format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{events}END:VCALENDAR\r\n").into_bytes()
    };
    vec![
        whole(&[
            "SUMMARY:Fair\nDTSTART;VALUE=DATE:20240501\nDTEND;VALUE=DATE:20240504",
            "SUMMARY:Sale\\, big\nDTSTART:20240601T080000\nDURATION:PT1H30M",
            "SUMMARY:Match\nDTSTART;TZID=Europe/Berlin:20240701T180000\nDTEND;TZID=Europe/Berlin:20240701T200000",
        ]),
        whole(&[
            "UID:1\nSUMMARY:Sale\nDTSTART;VALUE=DATE:20240105\nRRULE:FREQ=MONTHLY;UNTIL=20240505\nEXDATE;VALUE=DATE:20240205\n\
             RDATE;VALUE=DATE:20240601,20240602",
            "UID:1\nRECURRENCE-ID;VALUE=DATE:20240305\nSUMMARY:Sale\nDTSTART;VALUE=DATE:20240307",
            "UID:1\nRECURRENCE-ID;VALUE=DATE:20240405\nSTATUS:CANCELLED\nSUMMARY:Sale\nDTSTART;VALUE=DATE:20240405",
        ]),
        whole(&[
            "SUMMARY:a\nDTSTART;TZID=America/New_York:20240101T200000\nRRULE:FREQ=WEEKLY;BYDAY=MO,WE;COUNT=20",
        ]),
        whole(&["SUMMARY:b\nDTSTART:20200131\nRRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH;WKST=SU;INTERVAL=1"]),
    ]
}

pub const CALENDAR_WORDS: &[&str] = &[
    "BEGIN:VEVENT\r\n",
    "END:VEVENT\r\n",
    "BEGIN:VCALENDAR\r\n",
    "END:VCALENDAR\r\n",
    "BEGIN:VALARM\r\n",
    "DTSTART",
    "DTEND",
    "DURATION",
    "RRULE",
    "EXDATE",
    "RDATE",
    "SUMMARY:x\r\n",
    "UID:1\r\n",
    "RECURRENCE-ID",
    ";TZID=",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "/a/b/c/d/e/f",
    ":",
    ";",
    "=",
    ",",
    "\"",
    "\r\n ",
    "\r\n\t",
    "\\n",
    "19000101",
    "22001231T235959Z",
    "20241027T023000",
    "00000101",
    "99991231T235959Z",
    "P1D",
    "PT0S",
    "P36525D",
    "P99999999W",
    "-P1D",
    "FREQ=DAILY",
    "FREQ=SECONDLY",
    "FREQ=YEARLY",
    "COUNT=1",
    "COUNT=1000000",
    "INTERVAL=1",
    "INTERVAL=10000",
    "INTERVAL=4294967295",
    "UNTIL=19000101",
    "UNTIL=99991231T235959Z",
    "BYDAY=-53MO,53SU",
    "BYMONTHDAY=-31,31",
    "BYYEARDAY=366,-366",
    "BYWEEKNO=53,-53",
    "BYSETPOS=366,-366",
    "BYMONTH=2",
    "BYMONTHDAY=30",
    "WKST=SU",
    "BYEASTER=0",
    "BYHOUR=0,1,2",
    "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30\r\n",
    "RRULE:FREQ=DAILY;COUNT=1000000\r\n",
    "DTSTART:19000101T000000\r\n",
    "RRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYSETPOS=31\r\n",
    "RRULE:FREQ=DAILY;INTERVAL=10000;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO\r\n",
    "SUMMARY:a\r\nDTSTART:19000101\r\nRRULE:FREQ=DAILY\r\n",
];

/// Names and texts that stand in the place of numbers in a rule.
pub const RULE_PARTS: &[&str] = &[
    "FREQ",
    "COUNT",
    "INTERVAL",
    "UNTIL",
    "BYDAY",
    "BYMONTH",
    "BYMONTHDAY",
    "BYYEARDAY",
    "BYWEEKNO",
    "BYSETPOS",
    "WKST",
];

pub fn configs() -> Vec<Vec<u8>> {
    [
        include_str!("../../configs/daemon_full.toml"),
        include_str!("../../configs/daemon.toml"),
        include_str!("../../configs/hourly_load.toml"),
        include_str!("../../configs/air_passengers.toml"),
        include_str!("../../configs/intermittent_counts.toml"),
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

pub const CONFIG_WORDS: &[&str] = &[
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    "a = [",
    "a = { b = ",
    "\"",
    "\"\"\"",
    "'",
    "'''",
    "=",
    "#",
    ".",
    ",",
    "a.a.a.a.",
    "[source.load]\n",
    "[job.load]\n",
    "[model.day]\n",
    "[a.b.c]\n",
    "[[source]]\n",
    "true",
    "nan",
    "inf",
    "0x",
    "1979-05-27T07:32:00Z",
    "9999-12-31",
    "${",
    "${A:-",
    "}",
    "${A}",
    "\\u0000",
    "\\UFFFFFFFF",
    "\\",
    "99999999999999999999",
    "-9223372036854775808",
    "1e400",
    "\"1s\"",
    "\"-1s\"",
    "\"1e9y\"",
    "\"9223372036854775807h\"",
    "\"P1Y\"",
    "every = \"1ns\"\n",
    "every = \"0s\"\n",
    "cron = \"* * * * *\"\n",
    "cron = \"0 0 30 2 *\"\n",
    "tz = \"Mars/Base\"\n",
    "horizon = 0\n",
    "horizon = 9223372036854775807\n",
    "levels = [0, 100, -1, nan]\n",
    "freq = \"99999999999w\"\n",
    "season_length = 18446744073709551615\n",
    "schema_version = 2\n",
    "inputs = \"[[[\"\n",
    "threads = 1000000000\n",
];

pub fn crons() -> Vec<Vec<u8>> {
    [
        "30 2 * * *",
        "*/15 * * * *",
        "0 0 1 1 *",
        "5 0 12 * * MON",
        "@daily",
        "0 9-17/2 * JAN-MAR MON#2",
        "0 0 L * *",
        "0 0 15W * 5L",
        "0 0 29 2 *",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

pub const CRON_WORDS: &[&str] = &[
    "*",
    "/",
    "-",
    ",",
    "L",
    "W",
    "#",
    "?",
    " ",
    "@yearly",
    "@",
    "MON",
    "SUN",
    "FEB",
    "31",
    "30",
    "29",
    "0",
    "7",
    "60",
    "99",
    "-1",
    "*/0",
    "*/99999999999",
    "1-0",
    "0-59/1",
    "L-1",
    "LW",
    "5#5",
    "MON#6",
    "+",
    "2024",
    "0,1,2,3,4,5,6,7,8,9",
];
