//! Which grid a series stands on, from all its timestamps.

use crate::series::civil::{DAY, LocalClock, date_from_days, days_in_month, weekday};
use crate::series::frequency::{Frequency, MonthAnchor, anchored_day};
use jiff::tz::TimeZone;
use std::collections::HashMap;

/// The frequency of a series, from all its timestamps (microseconds UTC, ascending; repeats do not count).
///
/// The most common step wins if its grid explains nearly all stamps (19 of 20); where it does not, the greatest common
/// step is taken if it is at least one in ten. Stamps at one civil time of day in `zone` are read as days, business
/// days, weeks, months, quarters or years; others as absolute steps. `None` where no grid fits or fewer than two
/// stamps differ.
pub fn infer(times: &[i64], zone: &TimeZone) -> Option<Frequency> {
    if let Some(micros) = even_step(times).filter(|step| (1..DAY / 2).contains(step)) {
        return Some(Frequency::Fixed { micros });
    }
    if steps_of(times).any(|step| step == 0) {
        let mut distinct = times.to_vec();
        distinct.dedup();
        return infer(&distinct, zone);
    }
    let (&first, &last) = (times.first()?, times.last()?);
    let usual = most_common(steps_of(times))?;
    if usual < DAY / 2 {
        // No civil day is that short, so there is no need to look at clocks.
        return Some(Frequency::Fixed { micros: step_of(times)? });
    }
    let clock = LocalClock::new(zone, first, last);
    match days_of(times, &clock) {
        Some(days) => calendar(&days),
        None => Some(Frequency::Fixed { micros: step_of(times)? }),
    }
}

/// The step between all neighbours, if it is one and the same.
pub(crate) fn even_step(values: &[i64]) -> Option<i64> {
    let mut steps = steps_of(values);
    let first = steps.next()?;
    steps.all(|step| step == first).then_some(first)
}

/// How many stamps may stand off the grid without another one being more likely.
fn slack(stamps: usize) -> usize {
    stamps / 20
}

/// The civil days of the stamps, if nearly all stand at one time of day.
fn days_of(times: &[i64], clock: &LocalClock) -> Option<Vec<i64>> {
    let time_of_day = most_common(times.iter().map(|&t| clock.civil(t).rem_euclid(DAY)))?;
    let day_of = |&t: &i64| {
        let civil = clock.civil(t);
        let day = civil.div_euclid(DAY);
        // A clock change may have moved the stamp off its usual time.
        let usual = civil.rem_euclid(DAY) == time_of_day || clock.first_instant(day * DAY + time_of_day) == t;
        usual.then_some(day)
    };
    let mut days: Vec<i64> = times.iter().filter_map(day_of).collect();
    let nearly_all = times.len() - days.len() <= slack(times.len());
    days.dedup();
    (nearly_all && days.len() > 1).then_some(days)
}

fn calendar(days: &[i64]) -> Option<Frequency> {
    let usual = most_common(days.windows(2).map(|pair| pair[1].saturating_sub(pair[0])))?;
    if usual >= 28
        && let Some(months) = months_of(days)
    {
        return Some(months);
    }
    let weekend = |&day: &i64| weekday(day) >= 5;
    let crossed = |pair: &[i64]| weekday(pair[1]) < weekday(pair[0]);
    if usual == 1 && !days.iter().any(weekend) && days.windows(2).any(crossed) {
        return Some(Frequency::BusinessDays);
    }
    Some(Frequency::Days { days: step_of(days)? })
}

/// A month-based frequency, if nearly all days stand on one anchor.
fn months_of(days: &[i64]) -> Option<Frequency> {
    let dates: Vec<(i64, i64, i64)> = days.iter().map(|&day| date_from_days(day)).collect();
    let index = |&(year, month, _): &(i64, i64, i64)| year * 12 + month - 1;
    let latest = dates.iter().map(|date| date.2).max().and_then(|day| i8::try_from(day).ok())?;
    let anchors = [MonthAnchor::Day(1), MonthAnchor::End, MonthAnchor::Day(latest)];
    let explains = |anchor: &MonthAnchor| {
        let off =
            dates.iter().zip(days).filter(|(date, day)| anchored_day(index(date), *anchor) != **day).count();
        off <= slack(days.len())
    };
    let anchor = anchors.into_iter().find(explains)?;
    let mut months: Vec<i64> = dates.iter().map(index).collect();
    months.dedup();
    Some(Frequency::Months { months: step_of(&months)?, anchor })
}

/// `frequency` with the anchor on which all stamps stand, where they agree on another one than it has.
pub fn anchored(frequency: Frequency, times: &[i64], zone: &TimeZone) -> Frequency {
    let (Frequency::Months { months, .. }, Some(&first), Some(&last)) =
        (frequency, times.first(), times.last())
    else {
        return frequency;
    };
    let clock = LocalClock::new(zone, first, last);
    let dates: Vec<(i64, i64, i64)> =
        times.iter().map(|&t| date_from_days(clock.civil(t).div_euclid(DAY))).collect();
    let is_end = |&(year, month, day): &(i64, i64, i64)| day == days_in_month(year, month);
    if dates.iter().all(|date| date.2 == dates[0].2) && !dates.iter().all(is_end) {
        let anchor = i8::try_from(dates[0].2).map_or(MonthAnchor::End, MonthAnchor::Day);
        return Frequency::Months { months, anchor };
    }
    if dates.iter().all(is_end) {
        return Frequency::Months { months, anchor: MonthAnchor::End };
    }
    frequency
}

/// The step of ascending integers, see [`infer`].
fn step_of(values: &[i64]) -> Option<i64> {
    if let Some(step) = even_step(values) {
        return Some(step).filter(|&step| step > 0);
    }
    let usual = most_common(steps_of(values)).filter(|&step| step > 0)?;
    if off_grid(values, usual) <= slack(values.len()) {
        return Some(usual);
    }
    let common = steps_of(values).fold(0, greatest_common_divisor);
    let hits = steps_of(values).filter(|&step| step == common).count();
    (common > 0 && hits * 10 >= values.len() - 1).then_some(common)
}

fn steps_of(values: &[i64]) -> impl Iterator<Item = i64> {
    values.windows(2).map(|pair| pair[1].saturating_sub(pair[0]))
}

/// How many values stand off the grid of that step, wherever the grid fits best.
fn off_grid(values: &[i64], step: i64) -> usize {
    let phase = most_common(values.iter().map(|value| value.rem_euclid(step)));
    values.iter().filter(|value| Some(value.rem_euclid(step)) != phase).count()
}

/// The most common value, the smallest of equally common ones.
pub(crate) fn most_common(values: impl Iterator<Item = i64>) -> Option<i64> {
    let mut counts: HashMap<i64, usize> = HashMap::new();
    // Runs of one value are the rule, so a run is counted before the table is asked.
    let mut run: Option<(i64, usize)> = None;
    for value in values {
        match &mut run {
            Some((same, count)) if *same == value => *count += 1,
            _ => {
                if let Some((done, count)) = run.replace((value, 1)) {
                    *counts.entry(done).or_default() += count;
                }
            }
        }
    }
    if let Some((done, count)) = run {
        *counts.entry(done).or_default() += count;
    }
    counts.into_iter().min_by_key(|&(value, count)| (std::cmp::Reverse(count), value)).map(|(value, _)| value)
}

/// The greatest common divisor of two numbers that are not negative; the other one where one is zero.
pub(crate) fn greatest_common_divisor(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::civil::{HOUR, days_from_date};
    use proptest::prelude::*;

    fn first_of(year: i64, month: i64) -> i64 {
        days_from_date(year, month, 1)
    }

    fn berlin() -> TimeZone {
        TimeZone::get("Europe/Berlin").unwrap()
    }

    fn frequency(text: &str) -> Frequency {
        text.parse().unwrap()
    }

    fn name(times: &[i64], zone: &TimeZone) -> Option<String> {
        infer(times, zone).map(|frequency| frequency.to_string())
    }

    #[test]
    fn days_and_hours_over_a_clock_change() {
        let start = first_of(2024, 3) * DAY - HOUR;
        assert_eq!(name(&frequency("1d").after(start, 300, &berlin()), &berlin()), Some("1d".into()));
        assert_eq!(name(&frequency("1h").after(start, 9000, &berlin()), &berlin()), Some("1h".into()));
        assert_eq!(
            name(&frequency("1d").after(start + HOUR * 5 / 2, 40, &berlin()), &berlin()),
            Some("1d".into())
        );
    }

    #[test]
    fn two_stamps_a_month_apart_are_months() {
        let pair = [first_of(2024, 2) * DAY, first_of(2024, 3) * DAY];
        assert_eq!(name(&pair, &TimeZone::UTC), Some("MS".into()));
        assert_eq!(name(&pair[..1], &TimeZone::UTC), None);
        assert_eq!(name(&[pair[0], pair[0]], &TimeZone::UTC), None);
    }

    #[test]
    fn irregular_stamps_have_none() {
        assert_eq!(name(&[0, 7 * DAY, 20 * DAY, 71 * DAY], &TimeZone::UTC), None);
    }

    #[test]
    fn every_second_step_missing_is_still_the_fine_grid() {
        let times: Vec<i64> = [0, 2, 4, 5, 7, 9, 10, 12, 14].iter().map(|hour| hour * HOUR).collect();
        assert_eq!(name(&times, &TimeZone::UTC), Some("1h".into()));
    }

    #[test]
    fn one_stray_stamp_among_many_does_not_hide_the_grid() {
        let mut times = frequency("15m").after(0, 100, &TimeZone::UTC);
        times[40] += 1_000_000;
        assert_eq!(name(&times, &TimeZone::UTC), Some("15m".into()));
    }

    #[test]
    fn a_declared_month_takes_the_anchor_of_the_stamps() {
        let starts = frequency("MS").after(0, 5, &TimeZone::UTC);
        assert_eq!(anchored(frequency("ME"), &starts, &TimeZone::UTC), frequency("MS"));
        let ends = frequency("ME").after(0, 5, &TimeZone::UTC);
        assert_eq!(anchored(frequency("MS"), &ends, &TimeZone::UTC), frequency("ME"));
    }

    proptest! {
        #[test]
        fn a_grid_with_gaps_is_recognised(
            word in prop::sample::select(vec!["5m", "1h", "6h", "1d", "B", "1w", "MS", "ME", "MS@15", "QS", "QE", "YS", "YE"]),
            gaps in prop::collection::vec(1usize..39, 0..4),
            zone in prop::sample::select(vec!["UTC", "Europe/Berlin", "America/New_York"]),
        ) {
            let zone = TimeZone::get(zone).unwrap();
            let clock = LocalClock::new(&zone, 0, 0);
            let start = clock.first_instant((first_of(1970, 1) - 1) * DAY);
            let times = frequency(word).after(start, 40, &zone);
            let kept: Vec<i64> = times.iter().enumerate().filter(|(i, _)| !gaps.contains(i)).map(|(_, &t)| t).collect();
            prop_assert_eq!(name(&kept, &zone), Some(word.to_owned()));
        }

        #[test]
        fn any_stamps_give_an_answer(mut times in prop::collection::vec(any::<i64>(), 0..40)) {
            times.sort_unstable();
            infer(&times, &TimeZone::UTC);
        }
    }
}
