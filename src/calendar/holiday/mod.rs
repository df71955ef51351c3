//! Public holidays of countries, computed offline from rules.
//!
//! Rules of our own, not a library: of the crates that offer this, `holidays` 0.1.0 and `py-holidays-rs` 0.1.3 are lists of
//! dates that were exported from the Python package `holidays` once. The first (109 thousand lines, one release) lacks days of
//! eight of thirty countries from 2016 to 2027; the second calls itself a beta and reads the network unless told otherwise.
//! Others know one to five countries. The rules here give the dates of `holidays` 0.109 (Python, MIT), the best-kept source
//! there is, for every country and year in `tests/golden/holidays.csv`, and for all years that they are given for.
//!
//! Listed is what the whole country has off; regional, bank, optional and half holidays are not. A substitute (the Monday for
//! a Sunday) carries the name of the day that it stands for. Years that lie ahead follow today's law.

mod days;
mod laws_europe;
mod laws_world;
mod rule;
mod tables;

use crate::calendar::error::CalendarError;
use rule::Rule;
use std::str::FromStr;

/// Holidays of one country, or of one part of it.
struct Law {
    code: &'static str,
    rules: &'static [&'static [Rule]],
    /// First and last year that the rules hold for.
    years: (i64, i64),
    /// Whether a day between two holidays is one, too.
    bridges: bool,
}

/// A country whose years are those of most.
const fn law(code: &'static str, rules: &'static [&'static [Rule]]) -> Law {
    Law { code, rules, years: (1992, 2050), bridges: false }
}

impl Law {
    const fn years(self, first: i64, last: i64) -> Law {
        Law { years: (first, last), ..self }
    }

    const fn bridges(self) -> Law {
        Law { bridges: true, ..self }
    }
}

/// Every country that is built in, by code. India is not: its feasts follow the sighting of the moon and are announced by
/// each state.
const LAWS: &[Law] = &[
    law("AT", &[laws_europe::AT]),
    law("AU", &[laws_world::AU]),
    law("BE", &[laws_europe::BE]),
    law("BR", &[laws_world::BR]),
    law("CA", &[laws_world::CA]),
    law("CH", &[laws_europe::CH]),
    law("CN", &[laws_world::CN]).years(2010, 2026),
    law("CZ", &[laws_europe::CZ]),
    law("DE", &[laws_europe::DE]),
    law("DK", &[laws_europe::DK]),
    law("ES", &[laws_europe::ES]).years(2008, 2050),
    law("FI", &[laws_europe::FI]),
    law("FR", &[laws_europe::FR]),
    law("GB", &[laws_europe::GB]),
    law("GB-ENG", &[laws_europe::GB, laws_europe::GB_ENG]),
    law("GB-NIR", &[laws_europe::GB, laws_europe::GB_ENG, laws_europe::GB_NIR]),
    law("GB-SCT", &[laws_europe::GB, laws_europe::GB_SCT]),
    law("GB-WLS", &[laws_europe::GB, laws_europe::GB_ENG]),
    law("GR", &[laws_europe::GR]),
    law("HU", &[laws_europe::HU]),
    law("IE", &[laws_europe::IE]),
    law("IT", &[laws_europe::IT]),
    law("JP", &[laws_world::JP]).bridges(),
    law("KR", &[laws_world::KR]).years(2000, 2050),
    law("MX", &[laws_world::MX]),
    law("NL", &[laws_europe::NL]),
    law("NO", &[laws_europe::NO]),
    law("NZ", &[laws_world::NZ]),
    law("PL", &[laws_europe::PL]),
    law("PT", &[laws_europe::PT]),
    law("SE", &[laws_europe::SE]),
    law("SK", &[laws_europe::SK]).years(1993, 2050),
    law("US", &[laws_world::US]),
    law("ZA", &[laws_world::ZA]).years(1995, 2050),
];

/// A country, or a part of one, whose holidays are built in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country(usize);

/// One holiday.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holiday {
    /// Days since 1970-01-01.
    pub day: i64,
    /// Stable English name in snake case, as it stands in column names.
    pub name: &'static str,
}

impl Country {
    /// Every country, ascending by code.
    pub fn all() -> impl Iterator<Item = Country> {
        (0..LAWS.len()).map(Country)
    }

    /// ISO 3166 code: `DE`, or `GB-SCT` for a part of a country.
    pub fn code(self) -> &'static str {
        LAWS[self.0].code
    }

    /// First and last year whose holidays are known.
    pub fn years(self) -> (i64, i64) {
        LAWS[self.0].years
    }

    /// Names of all holidays that the country ever has, ascending, whatever the years. Columns are made of these, so that they
    /// do not change with the span.
    pub fn names(self) -> Vec<&'static str> {
        let mut names: Vec<_> = LAWS[self.0].rules.iter().copied().flatten().map(Rule::name).collect();
        if LAWS[self.0].bridges {
            names.push(rule::BRIDGE);
        }
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Refuses years that are not known.
    pub(super) fn check(self, first: i64, last: i64) -> Result<(), CalendarError> {
        let Law { code, years, .. } = LAWS[self.0];
        match [first, last].into_iter().find(|&year| year < years.0 || year > years.1) {
            Some(year) => {
                Err(CalendarError::UnknownYear { country: code, year, first: years.0, last: years.1 })
            }
            None => Ok(()),
        }
    }

    /// Holidays of the years `first` to `last`, ascending by day; two of them may share a day.
    ///
    /// A holiday at the turn of the year whose substitute falls into the year before or after is given with that year.
    ///
    /// # Errors
    /// Where one of the years is not known.
    pub fn holidays(self, first: i64, last: i64) -> Result<Vec<Holiday>, CalendarError> {
        self.check(first, last)?;
        let Law { rules, bridges, .. } = LAWS[self.0];
        let of_year = |year| rule::holidays(rules, bridges, year);
        let span = rule::first_day(first)..rule::first_day(last + 1);
        let named = (first - 1..=last + 1).flat_map(of_year).filter(|(day, _)| span.contains(day));
        let mut found: Vec<_> = named.map(|(day, name)| Holiday { day, name }).collect();
        found.sort_by_key(|holiday| holiday.day);
        Ok(found)
    }
}

impl FromStr for Country {
    type Err = CalendarError;

    /// The code in any case; `UK` is `GB`.
    fn from_str(code: &str) -> Result<Country, CalendarError> {
        let upper = code.trim().to_ascii_uppercase();
        let upper = if upper == "UK" { "GB" } else { upper.as_str() };
        let index = LAWS.iter().position(|law| law.code == upper);
        index.map(Country).ok_or_else(|| CalendarError::UnknownCountry { code: code.to_string() })
    }
}

/// The codes that are built in, for messages.
pub(super) fn known() -> String {
    Country::all().map(Country::code).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
