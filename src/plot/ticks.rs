//! Ticks of time: where hours, days, weeks, months and years begin on a wall clock, and what is written there.

use crate::series::civil::{
    DAY, HOUR, Instants, LocalClock, MINUTE, SECOND, date_from_days, days_from_date, weekday,
};
use jiff::tz::TimeZone;

/// A tick and its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tick {
    /// Microseconds UTC.
    pub at: i64,
    /// The small unit: `06:00`, `3 Mar`, `Mar`, `2025`.
    pub label: String,
    /// What it is a part of, where that is not the same as at the tick before: `30 Mar 2025`, `2025`.
    pub context: Option<String>,
}

/// Distance of ticks, in units of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Microseconds of the wall clock, a part of a day.
    Clock(i64),
    /// Days, every so many.
    Days(i64),
    /// Weeks that begin on Monday.
    Weeks(i64),
    Months(i64),
    Years(i64),
}

/// Finest first.
const STEPS: [Step; 33] = [
    Step::Clock(SECOND),
    Step::Clock(5 * SECOND),
    Step::Clock(15 * SECOND),
    Step::Clock(30 * SECOND),
    Step::Clock(MINUTE),
    Step::Clock(5 * MINUTE),
    Step::Clock(15 * MINUTE),
    Step::Clock(30 * MINUTE),
    Step::Clock(HOUR),
    Step::Clock(3 * HOUR),
    Step::Clock(6 * HOUR),
    Step::Clock(12 * HOUR),
    Step::Days(1),
    Step::Days(2),
    Step::Weeks(1),
    Step::Weeks(2),
    Step::Months(1),
    Step::Months(2),
    Step::Months(3),
    Step::Months(6),
    Step::Years(1),
    Step::Years(2),
    Step::Years(5),
    Step::Years(10),
    Step::Years(20),
    Step::Years(50),
    Step::Years(100),
    Step::Years(200),
    Step::Years(500),
    Step::Years(1_000),
    Step::Years(10_000),
    Step::Years(50_000),
    Step::Years(200_000),
];

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The finest ticks within a span (microseconds UTC) that number no more than `most` and that `fits` takes; where it takes
/// none of several, one alone, or none.
pub(super) fn ticks(
    first: i64,
    last: i64,
    zone: &TimeZone,
    most: usize,
    fits: &dyn Fn(&[Tick]) -> bool,
) -> Vec<Tick> {
    let clock = LocalClock::new(zone, first, last);
    let mut alone = Vec::new();
    for step in STEPS {
        let expected = last.saturating_sub(first) / step.length();
        if usize::try_from(expected).map_or(true, |expected| expected > most) {
            continue;
        }
        let found = worded(step, &step.instants(&clock, first, last), &clock);
        if found.len() > most {
            continue;
        }
        if found.len() > 1 && fits(&found) {
            return found;
        }
        if let [tick, ..] = found.as_slice() {
            alone = vec![tick.clone()];
        }
    }
    alone.retain(|tick| fits(std::slice::from_ref(tick)));
    alone
}

/// An instant as people write it; midnight is left out where times of day do not matter.
pub(super) fn written(at: i64, zone: &TimeZone, is_daily: bool) -> String {
    let local = LocalClock::new(zone, at, at).local(at);
    let (year, month, day) = date_from_days(local.div_euclid(DAY));
    let date = format!("{year:04}-{month:02}-{day:02}");
    match local.rem_euclid(DAY) {
        0 if is_daily => date,
        time => format!("{date} {}", time_of_day(time)),
    }
}

impl Step {
    /// About how long, in microseconds.
    fn length(self) -> i64 {
        match self {
            Step::Clock(micros) => micros,
            Step::Days(days) => days * DAY,
            Step::Weeks(weeks) => weeks * 7 * DAY,
            Step::Months(months) => months * 30 * DAY,
            Step::Years(years) => years.saturating_mul(365 * DAY),
        }
    }

    /// Where the units begin, ascending, within a span; times that the clock skips do not exist, of two alike the first counts.
    fn instants(self, clock: &LocalClock, first: i64, last: i64) -> Vec<i64> {
        let (from, to) = (clock.local(first), clock.local(last));
        let days = from.div_euclid(DAY)..=to.div_euclid(DAY);
        let month_of = |local: i64| {
            let (year, month, _) = date_from_days(local.div_euclid(DAY));
            12 * year + month - 1
        };
        let begin = |month: i64| {
            days_from_date(month.div_euclid(12), month.rem_euclid(12) + 1, 1).saturating_mul(DAY)
        };
        let months = |step: i64| {
            let (from, to) = (month_of(from).div_euclid(step), month_of(to).div_euclid(step));
            (from..=to).map(|number| begin(number * step)).collect::<Vec<i64>>()
        };
        let locals: Vec<i64> = match self {
            Step::Clock(micros) => {
                (from.div_euclid(micros)..=to.div_euclid(micros)).map(|number| number * micros).collect()
            }
            Step::Days(step) => days.filter(|day| day.rem_euclid(step) == 0).map(|day| day * DAY).collect(),
            Step::Weeks(step) => {
                let is_tick = |day: i64| weekday(day) == 0 && (day + 3).div_euclid(7).rem_euclid(step) == 0;
                days.filter(|day| is_tick(*day)).map(|day| day * DAY).collect()
            }
            Step::Months(step) => months(step),
            Step::Years(step) => months(12 * step),
        };
        let instant = |local: i64| match clock.instants(local) {
            Instants::One(instant) | Instants::Two(instant, _) => Some(instant),
            // A day that begins later begins then.
            Instants::Gap(instant) => (!matches!(self, Step::Clock(_))).then_some(instant),
        };
        let mut instants: Vec<i64> = locals.into_iter().filter_map(instant).collect();
        instants.retain(|instant| (first..=last).contains(instant));
        instants.sort_unstable();
        instants.dedup();
        instants
    }
}

/// Instants with their words.
fn worded(step: Step, instants: &[i64], clock: &LocalClock) -> Vec<Tick> {
    let mut before = None;
    let tick = |&at: &i64| {
        // A midnight that is skipped counts as midnight.
        let local = clock.civil(at);
        let (year, month, day) = date_from_days(local.div_euclid(DAY));
        let name = MONTHS[usize::try_from(month - 1).unwrap_or(0) % 12];
        let (label, context) = match step {
            Step::Clock(_) => (time_of_day(local.rem_euclid(DAY)), Some(format!("{day} {name} {year}"))),
            Step::Days(_) | Step::Weeks(_) => (format!("{day} {name}"), Some(year.to_string())),
            Step::Months(_) => (name.to_owned(), Some(year.to_string())),
            Step::Years(_) => (year.to_string(), None),
        };
        let is_new = context != before;
        before.clone_from(&context);
        Tick { at, label, context: context.filter(|_| is_new) }
    };
    instants.iter().map(tick).collect()
}

/// `06:00`, with seconds where there are any.
fn time_of_day(micros: i64) -> String {
    let (hours, minutes, seconds) = (micros / HOUR, micros % HOUR / MINUTE, micros % MINUTE / SECOND);
    match seconds {
        0 => format!("{hours:02}:{minutes:02}"),
        seconds => format!("{hours:02}:{minutes:02}:{seconds:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> i64 {
        text.parse::<jiff::Timestamp>().unwrap().as_microsecond()
    }

    fn shown(first: &str, last: &str, zone: &str, most: usize) -> Vec<String> {
        let zone = TimeZone::get(zone).unwrap();
        let ticks = ticks(at(first), at(last), &zone, most, &|_| true);
        let word = |tick: Tick| match tick.context {
            Some(context) => format!("{} ({context})", tick.label),
            None => tick.label,
        };
        ticks.into_iter().map(word).collect()
    }

    #[test]
    fn ticks_stand_where_units_of_the_calendar_begin() {
        assert_eq!(
            shown("2024-05-06T22:10:00Z", "2024-05-07T22:00:00Z", "UTC", 5),
            ["00:00 (7 May 2024)", "06:00", "12:00", "18:00"]
        );
        assert_eq!(
            shown("2024-12-20T00:00:00Z", "2025-01-20T00:00:00Z", "UTC", 6),
            ["23 Dec (2024)", "30 Dec", "6 Jan (2025)", "13 Jan", "20 Jan"]
        );
        assert_eq!(
            shown("2023-10-15T00:00:00Z", "2024-06-20T00:00:00Z", "UTC", 4),
            ["Nov (2023)", "Jan (2024)", "Mar", "May"]
        );
        assert_eq!(shown("1948-12-01T00:00:00Z", "1960-12-01T00:00:00Z", "UTC", 4), ["1950", "1955", "1960"]);
        assert_eq!(
            shown("2024-02-25T00:00:00Z", "2024-03-06T00:00:00Z", "UTC", 6),
            ["25 Feb (2024)", "27 Feb", "29 Feb", "2 Mar", "4 Mar", "6 Mar"]
        );
    }

    #[test]
    fn the_hours_of_a_change_of_the_clocks_are_those_of_the_wall() {
        // 02:00 does not exist on that day, and is there twice on the other.
        let spring = shown("2024-03-30T23:00:00Z", "2024-03-31T04:00:00Z", "Europe/Berlin", 8);
        assert_eq!(spring, ["00:00 (31 Mar 2024)", "01:00", "03:00", "04:00", "05:00", "06:00"]);
        let autumn = shown("2024-10-26T22:00:00Z", "2024-10-27T04:00:00Z", "Europe/Berlin", 8);
        assert_eq!(autumn, ["00:00 (27 Oct 2024)", "01:00", "02:00", "03:00", "04:00", "05:00"]);
        let days = shown("2024-03-29T23:00:00Z", "2024-04-02T22:00:00Z", "Europe/Berlin", 6);
        assert_eq!(days, ["30 Mar (2024)", "31 Mar", "1 Apr", "2 Apr", "3 Apr"]);
        // A day that began at one o'clock.
        let days = shown("2018-11-03T03:00:00Z", "2018-11-05T02:00:00Z", "America/Sao_Paulo", 3);
        assert_eq!(days, ["3 Nov (2018)", "4 Nov", "5 Nov"]);
    }

    #[test]
    fn instants_are_written_by_the_wall_clock() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        assert_eq!(written(at("2024-06-30T22:00:00Z"), &berlin, true), "2024-07-01");
        assert_eq!(written(at("2024-06-30T22:00:00Z"), &berlin, false), "2024-07-01 00:00");
        assert_eq!(written(at("2024-06-30T22:15:30Z"), &TimeZone::UTC, true), "2024-06-30 22:15:30");
    }

    proptest! {
        #[test]
        fn ticks_ascend_within_the_span(first in -4_000_000_000_000_000i64..4_000_000_000_000_000, size in 0u32..57, most in 1usize..30) {
            let last = first.saturating_add(1 << size);
            for zone in ["UTC", "Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe"] {
                let found = ticks(first, last, &TimeZone::get(zone).unwrap(), most, &|_| true);
                prop_assert!(found.len() <= most);
                prop_assert!(found.windows(2).all(|pair| pair[0].at < pair[1].at));
                prop_assert!(found.iter().all(|tick| (first..=last).contains(&tick.at)));
                let has_context = found.first().is_none_or(|tick| tick.context.is_some() || tick.label.parse::<i64>().is_ok());
                prop_assert!(has_context);
            }
        }

        #[test]
        fn no_span_is_too_long_or_panics(first in any::<i64>(), last in any::<i64>()) {
            ticks(first.min(last), first.max(last), &TimeZone::UTC, 12, &|_| true);
        }
    }
}
