//! How much of a step an event covers.

use crate::series::Frequency;
use crate::series::civil::{DAY, LocalClock, date_from_days, days_from_date};
use crate::series::frequency::MonthAnchor;

/// What a grid timestamp stands for, on the axis of its grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Period {
    /// First moment, microseconds.
    pub start: i64,
    /// Where it ends.
    pub end: i64,
}

impl Period {
    /// The period of a timestamp: from it to the next step. A business day is that day, and a month that is named by its last
    /// day ends with it.
    pub(super) fn of(stamp: i64, frequency: Frequency, clock: &LocalClock) -> Period {
        let micros = match frequency {
            Frequency::Fixed { micros } => return Period { start: stamp, end: stamp.saturating_add(micros) },
            Frequency::Days { days } => days.saturating_mul(DAY),
            Frequency::BusinessDays => DAY,
            Frequency::Months { months, anchor } => {
                let civil = clock.civil(stamp);
                let (day, time) = (civil.div_euclid(DAY), civil.rem_euclid(DAY));
                let (year, month, of_month) = date_from_days(day);
                let first_of = |ahead: i64| {
                    let month = (year * 12 + month - 1).saturating_add(ahead).clamp(-12_000_000, 12_000_000);
                    days_from_date(month.div_euclid(12), month.rem_euclid(12) + 1, 1)
                };
                return match anchor {
                    MonthAnchor::End => Period {
                        start: first_of(1i64.saturating_sub(months)) * DAY,
                        end: (day + 1).saturating_mul(DAY),
                    },
                    MonthAnchor::Day(_) => {
                        let end = first_of(months) + of_month - 1;
                        Period { start: civil, end: end.saturating_mul(DAY).saturating_add(time) }
                    }
                };
            }
        };
        let start = clock.civil(stamp);
        Period { start, end: start.saturating_add(micros) }
    }

    /// The span that fills a value of one: the step where it is shorter than a day, otherwise a day.
    fn unit(self) -> i64 {
        self.end.saturating_sub(self.start).clamp(1, DAY)
    }
}

/// Spans of time under one column name.
#[derive(Clone, Debug, Default)]
pub(super) struct Track {
    spans: Vec<(i64, i64)>,
}

impl Track {
    /// Adds a span.
    pub(super) fn add(&mut self, start: i64, end: i64) {
        self.spans.push((start, end));
    }

    /// Sorts the spans and joins those that meet.
    pub(super) fn close(&mut self) {
        self.spans.sort_unstable();
        let mut joined: Vec<(i64, i64)> = Vec::with_capacity(self.spans.len());
        for &(start, end) in &self.spans {
            match joined.last_mut() {
                Some(last) if start <= last.1 => last.1 = last.1.max(end),
                _ => joined.push((start, end)),
            }
        }
        self.spans = joined;
    }

    /// How much of each period is covered: the share of a step below a day, days of a longer one.
    pub(super) fn covered<'a>(&'a self, periods: &'a [Period]) -> impl Iterator<Item = f32> + 'a {
        let mut at = 0;
        let mut before = i64::MIN;
        periods.iter().map(move |period| {
            if period.start < before {
                at = self.spans.partition_point(|span| span.1 <= period.start);
            }
            before = period.start;
            while self.spans.get(at).is_some_and(|span| span.1 <= period.start) {
                at += 1;
            }
            let inside = self.spans[at..].iter().take_while(|span| span.0 < period.end);
            let covered = inside.map(|&(start, end)| {
                // One microsecond stands for an event without duration.
                let whole = if end - start == 1 {
                    period.unit()
                } else {
                    end.min(period.end) - start.max(period.start)
                };
                whole as f64 / period.unit() as f64
            });
            let most = (period.end.saturating_sub(period.start)) as f64 / period.unit() as f64;
            covered.sum::<f64>().min(most) as f32
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::civil::{HOUR, MINUTE};
    use jiff::tz::TimeZone;

    fn at(year: i64, month: i64, day: i64) -> i64 {
        days_from_date(year, month, day) * DAY
    }

    fn period(stamp: i64, step: &str) -> Period {
        Period::of(stamp, step.parse().unwrap(), &LocalClock::new(&TimeZone::UTC, stamp, stamp))
    }

    #[test]
    fn periods_of_every_kind() {
        let days = |period: Period| (period.start / DAY, (period.end - period.start) / DAY);
        assert_eq!(days(period(at(2024, 2, 1), "MS")), (at(2024, 2, 1) / DAY, 29));
        assert_eq!(days(period(at(2024, 2, 29), "ME")), (at(2024, 2, 1) / DAY, 29));
        assert_eq!(days(period(at(2024, 3, 31), "QE")), (at(2024, 1, 1) / DAY, 91));
        assert_eq!(days(period(at(2024, 3, 1), "B")), (at(2024, 3, 1) / DAY, 1));
        assert_eq!(days(period(at(2024, 3, 4), "1w")), (at(2024, 3, 4) / DAY, 7));
    }

    #[test]
    fn a_value_is_the_share_of_a_short_step_and_the_days_of_a_long_one() {
        let mut track = Track::default();
        let day = at(2024, 5, 1);
        track.add(day + 30 * MINUTE, day + 2 * HOUR);
        track.add(day + HOUR, day + 2 * HOUR);
        track.add(day + 5 * HOUR, day + 5 * HOUR + 1);
        track.close();
        let hours: Vec<_> = (0..7).map(|hour| period(day + hour * HOUR, "1h")).collect();
        assert_eq!(track.covered(&hours).collect::<Vec<_>>(), [0.5, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
        let backwards: Vec<_> = hours.iter().rev().copied().collect();
        assert_eq!(track.covered(&backwards).collect::<Vec<_>>(), [0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.5]);
        let mut whole = Track::default();
        whole.add(day, day + DAY);
        whole.add(day + 2 * DAY, day + 3 * DAY);
        whole.close();
        assert_eq!(
            whole.covered(&[period(day - DAY, "1w"), period(day, "1d")]).collect::<Vec<_>>(),
            [2.0, 1.0]
        );
    }
}
