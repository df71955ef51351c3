//! Public holidays of European countries. Years as in the acts that brought or took a day.

use super::days::{
    ALL_SAINTS, ARMISTICE, ASCENSION, ASSUMPTION, BOXING_DAY, CHRISTMAS, CHRISTMAS_EVE, CORPUS_CHRISTI,
    EASTER_MONDAY, EASTER_SUNDAY, EPIPHANY, GOOD_FRIDAY, IMMACULATE_CONCEPTION, LABOUR_DAY, MAUNDY_THURSDAY,
    NEW_YEAR, PENTECOST, SECOND_CHRISTMAS, VICTORY_DAY, WHIT_MONDAY,
};
use super::rule::When::{Easter, From, Nth, On, OrthodoxEaster, Table};
use super::rule::{FRI, MON, Rule, SAT, SUN, Substitute, WED, WEEKEND_TO_MONDAY, WEEKEND_TO_MONDAY_TUESDAY};

pub(super) const AT: &[Rule] = &[
    NEW_YEAR,
    EPIPHANY,
    EASTER_MONDAY,
    LABOUR_DAY,
    ASCENSION,
    WHIT_MONDAY,
    CORPUS_CHRISTI,
    ASSUMPTION,
    Rule::new("national_day", On(10, 26)),
    ALL_SAINTS,
    IMMACULATE_CONCEPTION,
    CHRISTMAS,
    SECOND_CHRISTMAS,
];

pub(super) const BE: &[Rule] = &[
    NEW_YEAR,
    EASTER_SUNDAY,
    EASTER_MONDAY,
    LABOUR_DAY,
    ASCENSION,
    PENTECOST,
    WHIT_MONDAY,
    Rule::new("national_day", On(7, 21)),
    ASSUMPTION,
    ALL_SAINTS,
    ARMISTICE,
    CHRISTMAS,
];

/// What all cantons share.
pub(super) const CH: &[Rule] = &[NEW_YEAR, ASCENSION, Rule::new("national_day", On(8, 1)), CHRISTMAS];

pub(super) const CZ: &[Rule] = &[
    NEW_YEAR,
    GOOD_FRIDAY.from(2016),
    EASTER_MONDAY,
    LABOUR_DAY,
    VICTORY_DAY,
    Rule::new("cyril_and_methodius_day", On(7, 5)),
    Rule::new("jan_hus_day", On(7, 6)),
    Rule::new("statehood_day", On(9, 28)).from(2000),
    Rule::new("independence_day", On(10, 28)),
    Rule::new("freedom_and_democracy_day", On(11, 17)),
    CHRISTMAS_EVE,
    CHRISTMAS,
    SECOND_CHRISTMAS,
];

/// What all states share.
pub(super) const DE: &[Rule] = &[
    NEW_YEAR,
    GOOD_FRIDAY,
    EASTER_MONDAY,
    LABOUR_DAY,
    ASCENSION,
    WHIT_MONDAY,
    Rule::new("german_unity_day", On(10, 3)),
    Rule::new("reformation_day", Table(&[(2017, 10, 31)])),
    Rule::new("repentance_day", From(WED, 11, 16)).to(1994),
    CHRISTMAS,
    SECOND_CHRISTMAS,
];

pub(super) const DK: &[Rule] = &[
    NEW_YEAR,
    MAUNDY_THURSDAY,
    GOOD_FRIDAY,
    EASTER_SUNDAY,
    EASTER_MONDAY,
    Rule::new("great_prayer_day", Easter(26)).to(2023),
    ASCENSION,
    PENTECOST,
    WHIT_MONDAY,
    CHRISTMAS,
    SECOND_CHRISTMAS,
];

/// The days of the whole state; one that falls on a Sunday is given by each community to another day.
pub(super) const ES: &[Rule] = &[
    NEW_YEAR.with(Substitute::NotOnSunday),
    EPIPHANY.with(Substitute::NotOnSunday),
    GOOD_FRIDAY,
    LABOUR_DAY.with(Substitute::NotOnSunday),
    ASSUMPTION.with(Substitute::NotOnSunday),
    Rule::new("national_day", On(10, 12)).with(Substitute::NotOnSunday),
    ALL_SAINTS.with(Substitute::NotOnSunday),
    Rule::new("constitution_day", On(12, 6)).with(Substitute::NotOnSunday),
    IMMACULATE_CONCEPTION.with(Substitute::NotOnSunday),
    CHRISTMAS.with(Substitute::NotOnSunday),
];

pub(super) const FI: &[Rule] = &[
    NEW_YEAR,
    EPIPHANY,
    GOOD_FRIDAY,
    EASTER_SUNDAY,
    EASTER_MONDAY,
    LABOUR_DAY,
    ASCENSION,
    PENTECOST,
    Rule::new("midsummer_eve", From(FRI, 6, 19)),
    Rule::new("midsummer_day", From(SAT, 6, 20)),
    Rule::new("all_saints_day", From(SAT, 10, 31)),
    Rule::new("independence_day", On(12, 6)),
    CHRISTMAS_EVE,
    CHRISTMAS,
    SECOND_CHRISTMAS,
];

pub(super) const FR: &[Rule] = &[
    NEW_YEAR,
    EASTER_MONDAY,
    LABOUR_DAY,
    VICTORY_DAY,
    ASCENSION,
    WHIT_MONDAY.except(&[2005, 2006, 2007]),
    Rule::new("national_day", On(7, 14)),
    ASSUMPTION,
    ALL_SAINTS,
    ARMISTICE,
    CHRISTMAS,
];

/// What England, Wales, Scotland and Northern Ireland share.
pub(super) const GB: &[Rule] = &[
    NEW_YEAR.with(WEEKEND_TO_MONDAY),
    GOOD_FRIDAY,
    Rule::new("early_may_bank_holiday", Nth(1, MON, 5)).except(&[1995, 2020]),
    Rule::new("early_may_bank_holiday", Table(&[(1995, 5, 8), (2020, 5, 8)])),
    Rule::new("spring_bank_holiday", Nth(-1, MON, 5)).except(&[2002, 2012, 2022]),
    Rule::new("spring_bank_holiday", Table(&[(2002, 6, 4), (2012, 6, 4), (2022, 6, 2)])),
    Rule::new(
        "royal_event",
        Table(&[(2002, 6, 3), (2011, 4, 29), (2012, 6, 5), (2022, 6, 3), (2022, 9, 19), (2023, 5, 8)]),
    ),
    Rule::new("millennium", Table(&[(1999, 12, 31)])),
    CHRISTMAS.with(WEEKEND_TO_MONDAY_TUESDAY),
    BOXING_DAY.with(WEEKEND_TO_MONDAY_TUESDAY),
];

/// England and Wales, beside what all share.
pub(super) const GB_ENG: &[Rule] = &[EASTER_MONDAY, Rule::new("summer_bank_holiday", Nth(-1, MON, 8))];

/// Northern Ireland, beside what England has.
pub(super) const GB_NIR: &[Rule] = &[
    Rule::new("saint_patricks_day", On(3, 17)).with(WEEKEND_TO_MONDAY),
    Rule::new("battle_of_the_boyne", On(7, 12)).with(WEEKEND_TO_MONDAY),
];

/// Scotland, beside what all share. Its second of January gives the Tuesday where it is a Monday, too, since the first
/// then is a Sunday.
pub(super) const GB_SCT: &[Rule] = &[
    Rule::new("second_of_january", On(1, 2)).with(Substitute::Also([1, 0, 0, 0, 0, 2, 2])),
    Rule::new("summer_bank_holiday", Nth(1, MON, 8)),
    Rule::new("saint_andrews_day", On(11, 30)).from(2006).with(WEEKEND_TO_MONDAY),
    Rule::new("world_cup", Table(&[(2026, 6, 15)])),
];

pub(super) const GR: &[Rule] = &[
    NEW_YEAR,
    EPIPHANY,
    Rule::new("clean_monday", OrthodoxEaster(-48)),
    Rule::new("independence_day", On(3, 25)),
    Rule::new("good_friday", OrthodoxEaster(-2)),
    Rule::new("easter_monday", OrthodoxEaster(1)),
    LABOUR_DAY.to(2016),
    // In 2024 the first of May fell into Holy Week, and a decree moved it.
    LABOUR_DAY.from(2017).except(&[2024]).with(Substitute::NextWorkday(&[SAT, SUN], false)),
    Rule::new("labour_day", Table(&[(2024, 5, 7)])),
    Rule::new("whit_monday", OrthodoxEaster(50)),
    ASSUMPTION,
    Rule::new("ohi_day", On(10, 28)),
    CHRISTMAS,
    SECOND_CHRISTMAS,
];

/// Saturdays are worked in exchange for the bridging days off; the ministry names them year by year.
pub(super) const HU: &[Rule] = &[
    NEW_YEAR,
    Rule::new("national_day", On(3, 15)),
    GOOD_FRIDAY.from(2017),
    EASTER_SUNDAY,
    EASTER_MONDAY,
    LABOUR_DAY,
    PENTECOST,
    WHIT_MONDAY,
    Rule::new("state_foundation_day", On(8, 20)),
    Rule::new("revolution_day", On(10, 23)),
    ALL_SAINTS.from(1999),
    CHRISTMAS_EVE.from(2026),
    CHRISTMAS,
    SECOND_CHRISTMAS,
    Rule::new("bridging_day", Table(super::tables::HU_BRIDGING_DAYS)),
];

pub(super) const IE: &[Rule] = &[
    NEW_YEAR,
    // The first Monday of February, but the first of the month where that is a Friday.
    Rule::new("saint_brigids_day", Nth(1, MON, 2)).from(2023).except(super::tables::IE_FRIDAY_BRIGID),
    Rule::new("saint_brigids_day", Table(super::tables::IE_BRIGID)),
    Rule::new("saint_patricks_day", On(3, 17)),
    EASTER_MONDAY,
    Rule::new("may_bank_holiday", Nth(1, MON, 5)).from(1994).except(&[1995]),
    Rule::new("may_bank_holiday", Table(&[(1995, 5, 8)])),
    Rule::new("june_bank_holiday", Nth(1, MON, 6)),
    Rule::new("august_bank_holiday", Nth(1, MON, 8)),
    Rule::new("october_bank_holiday", Nth(-1, MON, 10)),
    Rule::new("millennium", Table(&[(1999, 12, 31)])),
    Rule::new("day_of_remembrance", Table(&[(2011, 9, 14), (2022, 3, 18)])),
    CHRISTMAS,
    Rule::new("saint_stephens_day", On(12, 26)),
];

pub(super) const IT: &[Rule] = &[
    NEW_YEAR,
    EPIPHANY,
    EASTER_SUNDAY,
    EASTER_MONDAY,
    Rule::new("liberation_day", On(4, 25)),
    LABOUR_DAY,
    Rule::new("republic_day", Nth(1, SUN, 6)).to(2000),
    Rule::new("republic_day", On(6, 2)).from(2001),
    ASSUMPTION,
    Rule::new("saint_francis_day", On(10, 4)).from(2026),
    ALL_SAINTS,
    Rule::new("national_unity_day", Nth(1, SUN, 11)),
    Rule::new("anniversary_of_unity", Table(&[(2011, 3, 17)])),
    IMMACULATE_CONCEPTION,
    CHRISTMAS,
    SECOND_CHRISTMAS,
];

pub(super) const NL: &[Rule] = &[
    NEW_YEAR,
    GOOD_FRIDAY,
    EASTER_SUNDAY,
    EASTER_MONDAY,
    Rule::new("kings_day", On(4, 30)).to(2013).with(Substitute::Moved([0, 0, 0, 0, 0, 0, -1])),
    Rule::new("kings_day", On(4, 27)).from(2014).with(Substitute::Moved([0, 0, 0, 0, 0, 0, -1])),
    Rule::new("liberation_day", Table(super::tables::NL_LIBERATION)),
    ASCENSION,
    PENTECOST,
    WHIT_MONDAY,
    CHRISTMAS,
    SECOND_CHRISTMAS,
];

pub(super) const NO: &[Rule] = &[
    NEW_YEAR,
    MAUNDY_THURSDAY,
    GOOD_FRIDAY,
    EASTER_SUNDAY,
    EASTER_MONDAY,
    LABOUR_DAY,
    Rule::new("constitution_day", On(5, 17)),
    ASCENSION,
    PENTECOST,
    WHIT_MONDAY,
    CHRISTMAS,
    SECOND_CHRISTMAS,
];

pub(super) const PL: &[Rule] = &[
    NEW_YEAR,
    EPIPHANY.from(2011),
    EASTER_SUNDAY,
    EASTER_MONDAY,
    LABOUR_DAY,
    Rule::new("constitution_day", On(5, 3)),
    PENTECOST,
    CORPUS_CHRISTI,
    ASSUMPTION,
    ALL_SAINTS,
    Rule::new("independence_day", On(11, 11)),
    Rule::new("independence_day", Table(&[(2018, 11, 12)])),
    CHRISTMAS_EVE.from(2025),
    CHRISTMAS,
    SECOND_CHRISTMAS,
];

/// Four days were suspended from 2013 to 2015.
const SUSPENDED: &[i64] = &[2013, 2014, 2015];

pub(super) const PT: &[Rule] = &[
    NEW_YEAR,
    GOOD_FRIDAY,
    EASTER_SUNDAY,
    Rule::new("freedom_day", On(4, 25)),
    LABOUR_DAY,
    CORPUS_CHRISTI.except(SUSPENDED),
    Rule::new("portugal_day", On(6, 10)),
    ASSUMPTION,
    Rule::new("republic_day", On(10, 5)).except(SUSPENDED),
    ALL_SAINTS.except(SUSPENDED),
    Rule::new("restoration_of_independence", On(12, 1)).except(SUSPENDED),
    IMMACULATE_CONCEPTION,
    CHRISTMAS,
];

pub(super) const SE: &[Rule] = &[
    NEW_YEAR,
    EPIPHANY,
    GOOD_FRIDAY,
    EASTER_SUNDAY,
    EASTER_MONDAY,
    LABOUR_DAY,
    ASCENSION,
    Rule::new("national_day", On(6, 6)).from(2005),
    PENTECOST,
    WHIT_MONDAY.to(2004),
    Rule::new("midsummer_day", From(SAT, 6, 20)),
    Rule::new("all_saints_day", From(SAT, 10, 31)),
    CHRISTMAS,
    SECOND_CHRISTMAS,
];

/// Two days were worked in 2026 to save the budget.
pub(super) const SK: &[Rule] = &[
    Rule::new("republic_day", On(1, 1)),
    EPIPHANY,
    GOOD_FRIDAY,
    EASTER_MONDAY,
    LABOUR_DAY,
    VICTORY_DAY.from(1997).except(&[2026]),
    Rule::new("cyril_and_methodius_day", On(7, 5)),
    Rule::new("national_uprising_day", On(8, 29)),
    Rule::new("constitution_day", On(9, 1)).to(2023),
    Rule::new("our_lady_of_sorrows", On(9, 15)).except(&[2026]),
    Rule::new("declaration_centenary", Table(&[(2018, 10, 30)])),
    ALL_SAINTS,
    Rule::new("freedom_and_democracy_day", On(11, 17)).from(2001).to(2024),
    CHRISTMAS_EVE,
    CHRISTMAS,
    SECOND_CHRISTMAS,
];
