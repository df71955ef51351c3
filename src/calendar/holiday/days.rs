//! Days that many countries share.

use super::rule::Rule;
use super::rule::When::{Easter, On};

pub(super) const NEW_YEAR: Rule = Rule::new("new_years_day", On(1, 1));
pub(super) const EPIPHANY: Rule = Rule::new("epiphany", On(1, 6));
pub(super) const MAUNDY_THURSDAY: Rule = Rule::new("maundy_thursday", Easter(-3));
pub(super) const GOOD_FRIDAY: Rule = Rule::new("good_friday", Easter(-2));
pub(super) const EASTER_SUNDAY: Rule = Rule::new("easter_sunday", Easter(0));
pub(super) const EASTER_MONDAY: Rule = Rule::new("easter_monday", Easter(1));
pub(super) const LABOUR_DAY: Rule = Rule::new("labour_day", On(5, 1));
pub(super) const VICTORY_DAY: Rule = Rule::new("victory_day", On(5, 8));
pub(super) const ASCENSION: Rule = Rule::new("ascension_day", Easter(39));
pub(super) const PENTECOST: Rule = Rule::new("pentecost", Easter(49));
pub(super) const WHIT_MONDAY: Rule = Rule::new("whit_monday", Easter(50));
pub(super) const CORPUS_CHRISTI: Rule = Rule::new("corpus_christi", Easter(60));
pub(super) const ASSUMPTION: Rule = Rule::new("assumption_day", On(8, 15));
pub(super) const ALL_SAINTS: Rule = Rule::new("all_saints_day", On(11, 1));
pub(super) const ARMISTICE: Rule = Rule::new("armistice_day", On(11, 11));
pub(super) const IMMACULATE_CONCEPTION: Rule = Rule::new("immaculate_conception", On(12, 8));
pub(super) const CHRISTMAS_EVE: Rule = Rule::new("christmas_eve", On(12, 24));
pub(super) const CHRISTMAS: Rule = Rule::new("christmas_day", On(12, 25));
pub(super) const SECOND_CHRISTMAS: Rule = Rule::new("second_day_of_christmas", On(12, 26));
pub(super) const ANZAC_DAY: Rule = Rule::new("anzac_day", On(4, 25));
pub(super) const BOXING_DAY: Rule = Rule::new("boxing_day", On(12, 26));
