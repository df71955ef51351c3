//! Public holidays of countries outside Europe. Years as in the acts that brought or took a day.

use super::days::{ANZAC_DAY, BOXING_DAY, CHRISTMAS, EASTER_MONDAY, GOOD_FRIDAY, LABOUR_DAY, NEW_YEAR};
use super::rule::When::{AutumnEquinox, Easter, Nth, On, SpringEquinox, Table};
use super::rule::{
    MON, NEAREST_WEEKDAY, Rule, SAT, SUN, SUNDAY_TO_MONDAY, Substitute, THU, WEEKEND_TO_MONDAY,
    WEEKEND_TO_MONDAY_TUESDAY,
};
use super::tables;

/// What all states share.
pub(super) const AU: &[Rule] = &[
    NEW_YEAR,
    Rule::new("australia_day", On(1, 26)),
    GOOD_FRIDAY,
    EASTER_MONDAY,
    ANZAC_DAY,
    Rule::new("national_day_of_mourning", Table(&[(2022, 9, 22)])),
    CHRISTMAS,
    BOXING_DAY,
];

/// Carnival and Corpus Christi are optional, and so not listed.
pub(super) const BR: &[Rule] = &[
    NEW_YEAR,
    GOOD_FRIDAY,
    Rule::new("tiradentes_day", On(4, 21)),
    LABOUR_DAY,
    Rule::new("independence_day", On(9, 7)),
    Rule::new("our_lady_of_aparecida", On(10, 12)),
    Rule::new("all_souls_day", On(11, 2)),
    Rule::new("republic_day", On(11, 15)),
    Rule::new("black_awareness_day", On(11, 20)).from(2024),
    CHRISTMAS,
];

/// What all provinces share.
pub(super) const CA: &[Rule] = &[
    NEW_YEAR.with(WEEKEND_TO_MONDAY),
    GOOD_FRIDAY,
    Rule::new("canada_day", On(7, 1)),
    Rule::new("labour_day", Nth(1, MON, 9)),
    CHRISTMAS.with(WEEKEND_TO_MONDAY),
];

/// The days off as the State Council announced them.
pub(super) const CN: &[Rule] = &[
    Rule::new("new_years_day", Table(tables::CN_NEW_YEAR)),
    Rule::new("spring_festival", Table(tables::CN_SPRING_FESTIVAL)),
    Rule::new("tomb_sweeping_day", Table(tables::CN_TOMB_SWEEPING)),
    Rule::new("labour_day", Table(tables::CN_LABOUR_DAY)),
    Rule::new("dragon_boat_festival", Table(tables::CN_DRAGON_BOAT)),
    Rule::new("mid_autumn_festival", Table(tables::CN_MID_AUTUMN)),
    Rule::new("national_day", Table(tables::CN_NATIONAL_DAY)),
    Rule::new("victory_day", Table(tables::CN_VICTORY)),
];

/// A holiday on a Sunday is made up for on the next day that is none.
const JAPAN: Substitute = Substitute::NextWorkday(&[SUN], false);

/// The Olympic Games moved three days in 2020 and 2021.
const OLYMPICS: &[i64] = &[2020, 2021];

/// Days between two holidays are holidays, too: see `bridges` where the country is listed.
pub(super) const JP: &[Rule] = &[
    NEW_YEAR.with(JAPAN),
    Rule::new("coming_of_age_day", On(1, 15)).to(1999).with(JAPAN),
    Rule::new("coming_of_age_day", Nth(2, MON, 1)).from(2000),
    Rule::new("foundation_day", On(2, 11)).with(JAPAN),
    Rule::new("emperors_birthday", On(12, 23)).to(2018).with(JAPAN),
    Rule::new("emperors_birthday", On(2, 23)).from(2020).with(JAPAN),
    Rule::new("spring_equinox", SpringEquinox).with(JAPAN),
    Rule::new("showa_day", On(4, 29)).with(JAPAN),
    Rule::new("enthronement", Table(&[(1990, 11, 12), (1993, 6, 9), (2019, 5, 1), (2019, 10, 22)])),
    Rule::new("constitution_day", On(5, 3)).with(JAPAN),
    Rule::new("greenery_day", On(5, 4)).from(2007).with(JAPAN),
    Rule::new("childrens_day", On(5, 5)).with(JAPAN),
    Rule::new("marine_day", On(7, 20)).from(1996).to(2002).with(JAPAN),
    Rule::new("marine_day", Nth(3, MON, 7)).from(2003).except(OLYMPICS),
    Rule::new("marine_day", Table(&[(2020, 7, 23), (2021, 7, 22)])),
    Rule::new("mountain_day", On(8, 11)).from(2016).except(OLYMPICS).with(JAPAN),
    Rule::new("mountain_day", Table(&[(2020, 8, 10), (2021, 8, 8)])).with(JAPAN),
    Rule::new("respect_for_the_aged_day", On(9, 15)).to(2002).with(JAPAN),
    Rule::new("respect_for_the_aged_day", Nth(3, MON, 9)).from(2003),
    Rule::new("autumn_equinox", AutumnEquinox).with(JAPAN),
    Rule::new("sports_day", On(10, 10)).to(1999).with(JAPAN),
    Rule::new("sports_day", Nth(2, MON, 10)).from(2000).except(OLYMPICS),
    Rule::new("sports_day", Table(&[(2020, 7, 24), (2021, 7, 23)])),
    Rule::new("culture_day", On(11, 3)).with(JAPAN),
    Rule::new("labour_thanksgiving_day", On(11, 23)).with(JAPAN),
];

/// A day on a weekend, or together with another holiday, is made up for on the next working day.
const KOREA: Substitute = Substitute::NextWorkday(&[SAT, SUN], true);
/// The same for the two feasts of three days, whose Saturdays are not made up for.
const KOREA_FEAST: Substitute = Substitute::NextWorkday(&[SUN], true);

/// Feasts of the lunar calendar stand in tables; what is made up for grew from act to act.
pub(super) const KR: &[Rule] = &[
    NEW_YEAR,
    Rule::new("seollal", Table(tables::KR_SEOLLAL_BEFORE_2014)),
    Rule::new("seollal", Table(tables::KR_SEOLLAL)).with(KOREA_FEAST),
    Rule::new("independence_movement_day", On(3, 1)).to(2021),
    Rule::new("independence_movement_day", On(3, 1)).from(2022).with(KOREA),
    Rule::new("arbor_day", On(4, 5)).to(2005),
    Rule::new("buddhas_birthday", Table(tables::KR_BUDDHA)).to(2022),
    Rule::new("buddhas_birthday", Table(tables::KR_BUDDHA)).from(2023).with(KOREA),
    LABOUR_DAY.from(2026).with(KOREA),
    Rule::new("childrens_day", On(5, 5)).to(2014),
    Rule::new("childrens_day", On(5, 5)).from(2015).with(KOREA),
    Rule::new("memorial_day", On(6, 6)),
    Rule::new("constitution_day", On(7, 17)).to(2007),
    Rule::new("constitution_day", On(7, 17)).from(2026).with(KOREA),
    Rule::new("liberation_day", On(8, 15)).to(2020),
    Rule::new("liberation_day", On(8, 15)).from(2021).with(KOREA),
    Rule::new("chuseok", Table(tables::KR_CHUSEOK_BEFORE_2014)),
    Rule::new("chuseok", Table(tables::KR_CHUSEOK)).with(KOREA_FEAST),
    Rule::new("foundation_day", On(10, 3)).to(2020),
    Rule::new("foundation_day", On(10, 3)).from(2021).with(KOREA),
    Rule::new("hangul_day", On(10, 9)).from(2013).to(2020),
    Rule::new("hangul_day", On(10, 9)).from(2021).with(KOREA),
    CHRISTMAS.to(2022),
    CHRISTMAS.from(2023).with(KOREA),
    Rule::new("election_day", Table(tables::KR_ELECTIONS)),
    Rule::new("temporary_holiday", Table(tables::KR_TEMPORARY)),
];

pub(super) const MX: &[Rule] = &[
    NEW_YEAR,
    Rule::new("constitution_day", On(2, 5)).to(2005),
    Rule::new("constitution_day", Nth(1, MON, 2)).from(2006),
    Rule::new("benito_juarez_day", On(3, 21)).to(2006),
    Rule::new("benito_juarez_day", Nth(3, MON, 3)).from(2007),
    LABOUR_DAY,
    Rule::new("independence_day", On(9, 16)),
    Rule::new("revolution_day", On(11, 20)).to(2005),
    Rule::new("revolution_day", Nth(3, MON, 11)).from(2006),
    Rule::new("change_of_government", Table(tables::MX_CHANGE_OF_GOVERNMENT)),
    CHRISTMAS,
];

/// What all regions share.
pub(super) const NZ: &[Rule] = &[
    NEW_YEAR.with(WEEKEND_TO_MONDAY_TUESDAY),
    Rule::new("second_of_january", On(1, 2)).with(WEEKEND_TO_MONDAY_TUESDAY),
    Rule::new("waitangi_day", On(2, 6)).to(2013),
    Rule::new("waitangi_day", On(2, 6)).from(2014).with(WEEKEND_TO_MONDAY),
    ANZAC_DAY.to(2013),
    ANZAC_DAY.from(2014).with(WEEKEND_TO_MONDAY),
    GOOD_FRIDAY,
    EASTER_MONDAY,
    Rule::new("sovereigns_birthday", Nth(1, MON, 6)),
    Rule::new("matariki", Table(tables::NZ_MATARIKI)),
    Rule::new("mourning_for_elizabeth_ii", Table(&[(2022, 9, 26)])),
    Rule::new("labour_day", Nth(4, MON, 10)),
    CHRISTMAS.with(WEEKEND_TO_MONDAY_TUESDAY),
    BOXING_DAY.with(WEEKEND_TO_MONDAY_TUESDAY),
];

/// Federal holidays.
pub(super) const US: &[Rule] = &[
    NEW_YEAR.with(NEAREST_WEEKDAY),
    Rule::new("martin_luther_king_day", Nth(3, MON, 1)),
    Rule::new("washingtons_birthday", Nth(3, MON, 2)),
    Rule::new("memorial_day", Nth(-1, MON, 5)),
    Rule::new("juneteenth", On(6, 19)).from(2021).with(NEAREST_WEEKDAY),
    Rule::new("independence_day", On(7, 4)).with(NEAREST_WEEKDAY),
    Rule::new("labor_day", Nth(1, MON, 9)),
    Rule::new("columbus_day", Nth(2, MON, 10)),
    Rule::new("veterans_day", On(11, 11)).with(NEAREST_WEEKDAY),
    Rule::new("thanksgiving_day", Nth(4, THU, 11)),
    CHRISTMAS.with(NEAREST_WEEKDAY),
];

pub(super) const ZA: &[Rule] = &[
    NEW_YEAR.with(SUNDAY_TO_MONDAY),
    Rule::new("human_rights_day", On(3, 21)).with(SUNDAY_TO_MONDAY),
    GOOD_FRIDAY,
    Rule::new("family_day", Easter(1)),
    Rule::new("freedom_day", On(4, 27)).with(SUNDAY_TO_MONDAY),
    LABOUR_DAY.with(SUNDAY_TO_MONDAY),
    Rule::new("youth_day", On(6, 16)).with(SUNDAY_TO_MONDAY),
    Rule::new("womens_day", On(8, 9)).with(SUNDAY_TO_MONDAY),
    Rule::new("heritage_day", On(9, 24)).with(SUNDAY_TO_MONDAY),
    Rule::new("day_of_reconciliation", On(12, 16)).with(SUNDAY_TO_MONDAY),
    CHRISTMAS,
    Rule::new("day_of_goodwill", On(12, 26)).with(SUNDAY_TO_MONDAY),
    Rule::new("election_day", Table(tables::ZA_ELECTIONS)),
    Rule::new("declared_holiday", Table(tables::ZA_DECLARED)),
];
