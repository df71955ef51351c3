//! Rules for days that come back every year, and what they give in one year.
//!
//! A country is a list of [`Rule`]s. They are written as constants (`laws_*.rs`), evaluated for one year at a time, and
//! checked against an independent calendar (`tests/golden/holidays.csv`).

use crate::series::civil::{days_from_date, days_in_month, weekday};
use std::collections::BTreeMap;

/// Monday, as [`weekday`] counts.
pub(super) const MON: i64 = 0;
pub(super) const WED: i64 = 2;
pub(super) const THU: i64 = 3;
pub(super) const FRI: i64 = 4;
pub(super) const SAT: i64 = 5;
pub(super) const SUN: i64 = 6;

/// Name of a day between two holidays.
pub(super) const BRIDGE: &str = "citizens_holiday";

/// Where in a year a day falls. Months are 1 to 12.
#[derive(Clone, Copy, Debug)]
pub(super) enum When {
    /// Month and day.
    On(i64, i64),
    /// The n-th such weekday of a month; -1 is the last.
    Nth(i64, i64, i64),
    /// The first such weekday on or after a month and day.
    From(i64, i64, i64),
    /// Days after Easter Sunday of the western churches.
    Easter(i64),
    /// Days after Easter Sunday of the orthodox churches.
    OrthodoxEaster(i64),
    /// The day of the spring equinox in Japan.
    SpringEquinox,
    /// The day of the autumn equinox in Japan.
    AutumnEquinox,
    /// Days that follow no rule: year, month, day.
    Table(&'static [(i64, i64, i64)]),
}

/// What happens where a holiday meets a weekend or another holiday.
#[derive(Clone, Copy, Debug)]
pub(super) enum Substitute {
    /// Nothing.
    Nothing,
    /// A further day, so many days away, by weekday from Monday; 0 is none.
    Also([i64; 7]),
    /// The day itself moves, by weekday from Monday.
    Moved([i64; 7]),
    /// No holiday on a Sunday.
    NotOnSunday,
    /// The next day that is neither weekend nor holiday, too, where the day is one of these weekdays or, if said so, falls
    /// together with another holiday.
    NextWorkday(&'static [i64], bool),
}

/// Saturday and Sunday give the Monday.
pub(super) const WEEKEND_TO_MONDAY: Substitute = Substitute::Also([0, 0, 0, 0, 0, 2, 1]);
/// Saturday gives the Monday and Sunday the Tuesday, as for two days in a row.
pub(super) const WEEKEND_TO_MONDAY_TUESDAY: Substitute = Substitute::Also([0, 0, 0, 0, 0, 2, 2]);
/// Sunday gives the Monday.
pub(super) const SUNDAY_TO_MONDAY: Substitute = Substitute::Also([0, 0, 0, 0, 0, 0, 1]);
/// Saturday gives the Friday before, Sunday the Monday.
pub(super) const NEAREST_WEEKDAY: Substitute = Substitute::Also([0, 0, 0, 0, 0, -1, 1]);

/// One holiday of one country.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    name: &'static str,
    when: When,
    first: i64,
    last: i64,
    except: &'static [i64],
    substitute: Substitute,
}

impl Rule {
    /// Name of the holiday.
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// A holiday of every year.
    pub(super) const fn new(name: &'static str, when: When) -> Rule {
        Rule { name, when, first: i64::MIN, last: i64::MAX, except: &[], substitute: Substitute::Nothing }
    }

    /// From that year on.
    pub(super) const fn from(self, year: i64) -> Rule {
        Rule { first: year, ..self }
    }

    /// Up to and including that year.
    pub(super) const fn to(self, year: i64) -> Rule {
        Rule { last: year, ..self }
    }

    /// Not in these years.
    pub(super) const fn except(self, years: &'static [i64]) -> Rule {
        Rule { except: years, ..self }
    }

    /// With a rule for weekends.
    pub(super) const fn with(self, substitute: Substitute) -> Rule {
        Rule { substitute, ..self }
    }

    /// The days (since 1970-01-01) in a year, before substitutes.
    fn days(&self, year: i64) -> Vec<i64> {
        if year < self.first || year > self.last || self.except.contains(&year) {
            return Vec::new();
        }
        let table = match self.when {
            When::Table(days) => days,
            other => return vec![day_in(other, year)],
        };
        let of_year = table.iter().filter(|&&(of, _, _)| of == year);
        of_year.map(|&(_, month, day)| days_from_date(year, month, day)).collect()
    }
}

/// The day of a rule that is not a table.
fn day_in(when: When, year: i64) -> i64 {
    let next = |day: i64, wanted: i64| day + (wanted - weekday(day)).rem_euclid(7);
    match when {
        When::On(month, day) => days_from_date(year, month, day),
        When::Nth(n, wanted, month) if n < 0 => {
            next(days_from_date(year, month, days_in_month(year, month) - 6), wanted) + 7 * (n + 1)
        }
        When::Nth(n, wanted, month) => next(days_from_date(year, month, 1), wanted) + 7 * (n - 1),
        When::From(wanted, month, day) => next(days_from_date(year, month, day), wanted),
        When::Easter(offset) => easter(year) + offset,
        When::OrthodoxEaster(offset) => orthodox_easter(year) + offset,
        When::SpringEquinox => days_from_date(year, 3, equinox(20.8431, year)),
        When::AutumnEquinox => days_from_date(year, 9, equinox(23.2488, year)),
        When::Table(_) => 0,
    }
}

/// The first of January.
pub(super) fn first_day(year: i64) -> i64 {
    days_from_date(year, 1, 1)
}

/// Easter Sunday of the Gregorian calendar. Source: Butcher's algorithm in Meeus, "Astronomical Algorithms" (1991), 8.
pub(super) fn easter(year: i64) -> i64 {
    let (a, b, c) = (year % 19, year / 100, year % 100);
    let (d, e) = (b / 4, b % 4);
    let g = (8 * b + 13) / 25;
    let h = (19 * a + b - d - g + 15) % 30;
    let (i, k) = (c / 4, c % 4);
    let l = (32 + 2 * e + 2 * i - h - k) % 7;
    let m = (a + 11 * h + 19 * l) / 433;
    let month = (h + l - 7 * m + 90) / 25;
    let day = (h + l - 7 * m + 33 * month + 19) % 32;
    days_from_date(year, month, day)
}

/// Easter Sunday of the Julian calendar, as a Gregorian day. Source: Meeus (1991), 8; thirteen days apart until 2099.
pub(super) fn orthodox_easter(year: i64) -> i64 {
    let d = (19 * (year % 19) + 15) % 30;
    let e = (2 * (year % 4) + 4 * (year % 7) - d + 34) % 7;
    let (month, day) = ((d + e + 114) / 31, (d + e + 114) % 31 + 1);
    days_from_date(year, month, day) + 13
}

/// Day of the month of an equinox in Japan, 1980 to 2099. Source: Nagasawa, as used by the almanac's own forecasts.
fn equinox(at_1980: f64, year: i64) -> i64 {
    let years = year - 1980;
    (at_1980 + 0.242194 * years as f64).floor() as i64 - years.div_euclid(4)
}

/// Every holiday of a year: day since 1970-01-01 and name, ascending. A substitute may fall into the year beside it, and
/// carries the name of the day that it stands for.
///
/// `bridges` adds days between two holidays, as the law of Japan has it.
pub(super) fn holidays(rules: &[&[Rule]], bridges: bool, year: i64) -> Vec<(i64, &'static str)> {
    let rules = || rules.iter().copied().flatten();
    let mut named: BTreeMap<i64, Vec<&'static str>> = BTreeMap::new();
    let mut pending = Vec::new();
    for rule in rules() {
        for day in rule.days(year) {
            let on = usize::try_from(weekday(day)).unwrap_or(0);
            let day = match rule.substitute {
                Substitute::NotOnSunday if weekday(day) == SUN => continue,
                Substitute::Moved(by) => day + by[on],
                _ => day,
            };
            named.entry(day).or_default().push(rule.name);
            match rule.substitute {
                Substitute::Also(by) if by[on] != 0 => pending.push((day, rule.name, Some(day + by[on]))),
                Substitute::NextWorkday(..) => pending.push((day, rule.name, None)),
                _ => {}
            }
        }
    }
    let own: Vec<i64> = named.keys().copied().collect();
    pending.sort_by_key(|&(day, ..)| day);
    let mut before: Option<(i64, i64)> = None;
    for (day, name, fixed) in pending {
        // Two holidays on one day are made up for by one day.
        let shared = before.filter(|&(of, _)| of == day && fixed.is_none()).map(|(_, substitute)| substitute);
        let substitute = fixed.or(shared).or_else(|| next_workday(day, name, rules(), &named));
        if let Some(substitute) = substitute {
            before = Some((day, substitute));
            let names = named.entry(substitute).or_default();
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    if bridges {
        for pair in own.windows(2).filter(|pair| pair[1] - pair[0] == 2) {
            if weekday(pair[0] + 1) != SUN {
                named.entry(pair[0] + 1).or_insert_with(|| vec![BRIDGE]);
            }
        }
    }
    named.into_iter().flat_map(|(day, names)| names.into_iter().map(move |name| (day, name))).collect()
}

/// The substitute of a day whose rule asks for the next working day, if the day calls for one.
fn next_workday<'a>(
    day: i64,
    name: &str,
    mut rules: impl Iterator<Item = &'a Rule>,
    named: &BTreeMap<i64, Vec<&'static str>>,
) -> Option<i64> {
    let called = rules.any(|rule| {
        let Substitute::NextWorkday(weekdays, overlap) = rule.substitute else { return false };
        let together = overlap && named.get(&day).is_some_and(|names| names.len() > 1);
        rule.name == name && (weekdays.contains(&weekday(day)) || together)
    });
    let free = |day: &i64| weekday(*day) < SAT && !named.contains_key(day);
    called.then(|| (day + 1..day + 30).find(free)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::civil::date_from_days;

    #[test]
    fn easters_of_known_years() {
        for (year, western, orthodox) in [
            (2016, (3, 27), (5, 1)),
            (2024, (3, 31), (5, 5)),
            (2025, (4, 20), (4, 20)),
            (2038, (4, 25), (4, 25)),
        ] {
            assert_eq!(date_from_days(easter(year)), (year, western.0, western.1));
            assert_eq!(date_from_days(orthodox_easter(year)), (year, orthodox.0, orthodox.1));
        }
    }

    #[test]
    fn weekdays_of_a_month_are_counted_from_both_ends() {
        let shown = |when| date_from_days(day_in(when, 2024));
        assert_eq!(shown(When::Nth(1, MON, 7)), (2024, 7, 1));
        assert_eq!(shown(When::Nth(4, THU, 11)), (2024, 11, 28));
        assert_eq!(shown(When::Nth(-1, MON, 5)), (2024, 5, 27));
        assert_eq!(shown(When::Nth(-1, SUN, 6)), (2024, 6, 30));
        assert_eq!(shown(When::From(SAT, 6, 20)), (2024, 6, 22));
    }

    #[test]
    fn substitutes_take_the_name_of_their_day_and_step_over_holidays() {
        const RULES: &[Rule] = &[
            Rule::new("first", When::On(6, 2)).with(Substitute::NextWorkday(&[SUN], false)),
            Rule::new("second", When::On(6, 3)),
        ];
        let days: Vec<_> = holidays(&[RULES], false, 2024)
            .into_iter()
            .map(|(day, name)| (date_from_days(day).2, name))
            .collect();
        assert_eq!(days, [(2, "first"), (3, "second"), (4, "first")]);
    }

    #[test]
    fn equinoxes_as_the_almanac_has_them() {
        assert_eq!((equinox(20.8431, 2024), equinox(23.2488, 2024)), (20, 22));
        assert_eq!((equinox(20.8431, 2023), equinox(23.2488, 2023)), (21, 23));
    }
}
