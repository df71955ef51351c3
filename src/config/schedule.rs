//! When something happens, checked: named schedules, and those that stand in a job.

use crate::config::Key;
use crate::config::check::Check;
use crate::config::daemon::Checked;
use crate::config::words::{self, Wrong};
use crate::schedule::cron::Rule;
use crate::schedule::spec::{Missed, Overlap, ScheduleSpec};
use jiff::SignedDuration;
use jiff::tz::TimeZone;

/// Attempts where nothing is written.
const ATTEMPTS: usize = 3;

/// Attempts beyond which a mistake is likelier than patience.
const ATTEMPTS_MAX: usize = 100;

/// Wait before the second attempt where nothing is written.
const BACKOFF: SignedDuration = SignedDuration::from_secs(30);

/// Slots that are looked at for the shortest interval of a cron expression.
const SLOTS: usize = 100;

impl Check<'_> {
    /// The schedule of a stage: written in the job, or by the name of one.
    pub(super) fn timing(&mut self, key: Key, schedules: &Checked<ScheduleSpec>) -> Option<ScheduleSpec> {
        let timing = self.inline(key, |inline| match inline.settings.has(Key::ScheduleName) {
            true => inline.named_schedule(schedules),
            false => inline.schedule(),
        });
        timing.flatten()
    }

    fn named_schedule(&mut self, schedules: &Checked<ScheduleSpec>) -> Option<ScheduleSpec> {
        let beside = self.settings.values.keys().find(|key| **key != Key::ScheduleName);
        if let Some(key) = beside {
            let message = format!("{} stands beside schedule", key.name());
            let help = "a named schedule brings all of its keys; keep one of the two";
            self.problem_at(self.settings.place(*key), Wrong::new(message, help));
        }
        self.refer(Key::ScheduleName, schedules)
    }

    /// The schedule of a table.
    pub(super) fn schedule(&mut self) -> Option<ScheduleSpec> {
        let rule = self.rule();
        let jitter = self.one(Key::Jitter, words::span).unwrap_or(SignedDuration::ZERO);
        if let Some(interval) = rule.as_ref().and_then(shortest_interval)
            && jitter >= interval
        {
            let message = format!("jitter {jitter:#} is not shorter than the interval of {interval:#}");
            let help = "write a shorter jitter: a start must not meet the next slot";
            self.problem_at(self.settings.place(Key::Jitter), Wrong::new(message, help));
        }
        let spec = ScheduleSpec {
            missed: self.choice(Key::Missed, &[Missed::Skip, Missed::Once, Missed::All]),
            max_lateness: self.one(Key::MaxLateness, words::span),
            overlap: self.choice(Key::Overlap, &[Overlap::Forbid, Overlap::Queue, Overlap::Replace]),
            jitter,
            attempts: self.between(Key::Attempts, 1, ATTEMPTS_MAX).unwrap_or(ATTEMPTS) as u32,
            backoff: self.one(Key::Backoff, words::span).unwrap_or(BACKOFF),
            rule: rule?,
        };
        Some(spec)
    }

    fn rule(&mut self) -> Option<Rule> {
        let zone = self.one(Key::ScheduleTz, words::zone);
        match (self.settings.has(Key::Cron), self.settings.has(Key::Every)) {
            (true, true) => {
                let help = "keep one of them: cron for times of day, every for an interval";
                self.problem_at(
                    self.settings.place(Key::Every),
                    Wrong::new("both cron and every".into(), help),
                );
                None
            }
            (true, false) if zone.is_none() && self.settings.has(Key::ScheduleTz) => None,
            (true, false) => {
                let zone = zone.unwrap_or(TimeZone::UTC);
                self.one(Key::Cron, |text| Ok(Rule::cron(text, zone.clone())?))
            }
            (false, true) => {
                if self.settings.has(Key::ScheduleTz) {
                    let message =
                        "tz means nothing with every, which counts from 1970-01-01T00:00:00Z".into();
                    let wrong = Wrong::new(message, "remove tz, or write cron in place of every");
                    self.problem_at(self.settings.place(Key::ScheduleTz), wrong);
                }
                self.one(Key::Every, |text| Ok(Rule::every(words::positive_span(text)?)?))
            }
            (false, false) if self.settings.misread => None,
            (false, false) => {
                let header = self.settings.header.as_ref().map_or("", |(name, _)| name.as_str());
                let help = "write for example cron = \"30 2 * * *\" or every = \"15m\"";
                let wrong = Wrong::new(format!("[{header}] has neither cron nor every"), help);
                self.problem_at(self.settings.header.as_ref().map(|(_, span)| span.clone()), wrong);
                None
            }
        }
    }
}

/// The shortest time between neighbouring slots.
fn shortest_interval(rule: &Rule) -> Option<SignedDuration> {
    let slots = std::iter::successors(rule.after(0), |slot| rule.after(*slot));
    let slots: Vec<i64> = slots.take(SLOTS).collect();
    let gaps = slots.windows(2).map(|pair| pair[1] - pair[0]);
    gaps.min().map(SignedDuration::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_interval_is_that_of_neighbouring_slots() {
        let shortest = |text: &str| {
            let rule = Rule::cron(text, TimeZone::UTC).expect("valid");
            shortest_interval(&rule).map(|interval| interval.as_secs())
        };
        assert_eq!(shortest("*/5 * * * *"), Some(300));
        assert_eq!(shortest("0 2,3 * * *"), Some(3600));
        assert_eq!(shortest("@daily"), Some(86_400));
        let every = Rule::every(SignedDuration::from_mins(15)).expect("valid");
        assert_eq!(shortest_interval(&every), Some(SignedDuration::from_mins(15)));
    }
}
