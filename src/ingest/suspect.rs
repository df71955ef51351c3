//! Series that look wrong though every row is fine: stale and flat ones, those with spikes, and those whose level moved.

use super::shift::shift;
use super::spec::{Flat, LevelShift, SourceSpec, SpikeAction, Spikes, Stale, SuspectAction};
use super::spike::{Spike, spikes};
use super::text_of_instant;
use crate::series::Status;
use crate::series::civil::micros;
use jiff::SignedDuration;
use jiff::tz::TimeZone;

/// What makes a series of a source suspect.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    stale: Option<Stale>,
    flat: Option<Flat>,
    spikes: Option<Spikes>,
    level_shift: Option<LevelShift>,
    /// Microseconds UTC.
    as_of: Option<i64>,
}

/// In which way a series looks wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    Stale,
    Flat,
    Spike,
    Shift,
}

/// Something about a series that looks wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Suspicion {
    look: Look,
    action: SuspectAction,
    /// Begins with the word of the report: `stale`, `flatline`, `spike` or `level shift`.
    text: String,
}

/// What looks wrong with a series.
#[derive(Clone, Debug, Default)]
pub(super) struct Findings {
    pub(super) suspicions: Vec<Suspicion>,
    /// Steps of the values that are called spikes, ascending.
    pub(super) spikes: Vec<usize>,
    /// Whether they count as missing.
    pub(super) is_masked: bool,
    /// How far the level moved, if it did.
    pub(super) level_shift: Option<f64>,
}

impl Rules {
    /// The rules of a source.
    pub(super) fn of(spec: &SourceSpec) -> Rules {
        Rules {
            stale: spec.stale,
            flat: spec.flat,
            spikes: spec.spikes,
            level_shift: spec.level_shift,
            as_of: spec.as_of,
        }
    }

    /// What looks wrong with a series on its grid; both its ends hold observed values. Spikes that count as missing are none
    /// of the values that tell its level.
    pub(super) fn judge(&self, times: &[i64], values: &[f64], season: usize, zone: &TimeZone) -> Findings {
        let mut findings = Findings::default();
        findings.suspicions.extend(self.judge_age(times, zone).into_iter().chain(self.judge_run(values)));
        self.judge_spikes(&mut findings, times, values, season, zone);
        self.judge_level(&mut findings, values, season);
        findings
    }

    fn judge_spikes(
        &self,
        findings: &mut Findings,
        times: &[i64],
        values: &[f64],
        season: usize,
        zone: &TimeZone,
    ) {
        let Some(rule) = self.spikes else { return };
        let (from, action) = match rule.action {
            SpikeAction::Mask => (0, SuspectAction::Warn),
            SpikeAction::Suspect(action) => (values.len().saturating_sub(season), action),
        };
        let found = spikes(values, season, rule.threshold, from);
        let Some(Spike { at, value, expected, distance }) = found.last().copied() else { return };
        let count = match found.len() {
            1 => "the value".to_owned(),
            count => format!("{count} values, the last of them"),
        };
        findings.is_masked = rule.action == SpikeAction::Mask;
        let fate = if findings.is_masked { ", and counts as missing" } else { "" };
        let text = format!(
            "spike: {count} {value} of {} lies {distance:.1} robust deviations from the {} that season and level suggest, \
             more than {}{fate}",
            text_of_instant(times[at], zone),
            shown(expected),
            rule.threshold
        );
        findings.suspicions.push(Suspicion { look: Look::Spike, action, text });
        findings.spikes = found.iter().map(|spike| spike.at).collect();
    }

    fn judge_level(&self, findings: &mut Findings, values: &[f64], season: usize) {
        let Some(LevelShift { steps, threshold, action }) = self.level_shift else { return };
        let Some(found) = shift(values, season, steps, threshold) else { return };
        findings.level_shift = Some(found.by);
        let text = format!(
            "level shift: the last {steps} steps lie {:.1} robust deviations ({}) from the windows before them, more than \
             {threshold}",
            found.distance,
            shown(found.by)
        );
        findings.suspicions.push(Suspicion { look: Look::Shift, action, text });
    }

    fn judge_age(&self, times: &[i64], zone: &TimeZone) -> Option<Suspicion> {
        let (stale, as_of, &last) = (self.stale?, self.as_of?, times.last()?);
        (as_of - last > micros(stale.after)).then(|| {
            let age = SignedDuration::from_secs((as_of - last) / 1_000_000);
            let (last, as_of) = (text_of_instant(last, zone), text_of_instant(as_of, zone));
            let text = format!(
                "stale: the last value is of {last}, {age:#} before {as_of}, more than {:#}",
                stale.after
            );
            Suspicion { look: Look::Stale, action: stale.action, text }
        })
    }

    fn judge_run(&self, values: &[f64]) -> Option<Suspicion> {
        let flat = self.flat?;
        let mut observed = values.iter().rev().filter(|value| !value.is_nan());
        let last = observed.next()?;
        let run = 1 + observed.take_while(|value| *value == last).count();
        (run >= flat.steps).then(|| {
            let text = format!("flatline: the last {run} values are all {last}, {} are too many", flat.steps);
            Suspicion { look: Look::Flat, action: flat.action, text }
        })
    }

    /// The as-of time from which on a series with this last value is stale; `None` if it is already, or never will be.
    pub(super) fn stale_from(&self, last: i64) -> Option<i64> {
        let from = last.saturating_add(micros(self.stale?.after)).saturating_add(1);
        self.as_of.filter(|&as_of| as_of < from).map(|_| from)
    }
}

/// What is said about the suspicions that have this action.
pub(super) fn texts(suspicions: &[Suspicion], action: SuspectAction) -> Vec<String> {
    let chosen = suspicions.iter().filter(|suspicion| suspicion.action == action);
    chosen.map(|suspicion| suspicion.text.clone()).collect()
}

/// One note for each way to look wrong, with the number of series and the first of them.
pub(super) fn notes<'a>(series: impl Iterator<Item = (&'a str, &'a [Suspicion])>) -> Vec<String> {
    let looks = [Look::Stale, Look::Flat, Look::Spike, Look::Shift];
    let mut groups: [Vec<(&str, &Suspicion)>; 4] = Default::default();
    for (id, suspicions) in series {
        for suspicion in suspicions {
            let groups = looks.iter().zip(&mut groups).filter(|(look, _)| **look == suspicion.look);
            groups.for_each(|(_, group)| group.push((id, suspicion)));
        }
    }
    let note = |group: &Vec<(&str, &Suspicion)>| {
        let (id, first) = group.first()?;
        let what = match first.action {
            SuspectAction::Fallback => ", forecast by seasonal naive",
            _ => "",
        };
        Some(match group.len() {
            1 => format!("series '{id}' looks wrong{what}: {}", first.text),
            count => format!("{count} series look wrong{what}, '{id}' first: {}", first.text),
        })
    };
    groups.iter().filter_map(note).collect()
}

/// A number as messages write it: about six significant digits.
fn shown(value: f64) -> f64 {
    format!("{value:.5e}").parse().unwrap_or(value)
}

/// The status that the suspicions give a series that is used.
pub(super) fn mark(suspicions: &[Suspicion]) -> Option<Status> {
    if suspicions.iter().any(|suspicion| suspicion.action == SuspectAction::Fallback) {
        return Some(Status::Fallback);
    }
    suspicions.iter().any(|suspicion| suspicion.look == Look::Stale).then_some(Status::Stale)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000;

    fn rules(as_of: i64) -> Rules {
        Rules {
            stale: Some(Stale { after: SignedDuration::from_hours(2), action: SuspectAction::Warn }),
            flat: Some(Flat { steps: 3, action: SuspectAction::Fallback }),
            spikes: None,
            level_shift: None,
            as_of: Some(as_of),
        }
    }

    #[test]
    fn old_and_frozen_series_are_told_and_others_are_not() {
        let times = [0, HOUR, 2 * HOUR, 3 * HOUR];
        let judge = |as_of, values: &[f64]| rules(as_of).judge(&times, values, 1, &TimeZone::UTC).suspicions;
        assert!(judge(5 * HOUR, &[1.0, 2.0, 2.0, 3.0]).is_empty());
        let stale = judge(5 * HOUR + 1_000_000, &[1.0, 2.0, 2.0, 3.0]);
        assert_eq!(mark(&stale), Some(Status::Stale));
        assert!(stale[0].text.starts_with("stale: the last value is of 1970-01-01T03:00:00Z, 2h 1s before"));
        let flat = judge(4 * HOUR, &[2.0, 2.0, f64::NAN, 2.0]);
        assert_eq!(
            texts(&flat, SuspectAction::Fallback),
            ["flatline: the last 3 values are all 2, 3 are too many"]
        );
        assert_eq!(mark(&flat), Some(Status::Fallback));
    }

    /// Hours with a day of their own, 40 days of them.
    fn hours() -> Vec<f64> {
        let noise = |t: usize| (t * t % 11) as f64 / 2.0;
        (0..960).map(|t| 100.0 + (t % 24) as f64 + noise(t)).collect()
    }

    fn look(values: &[f64], action: SpikeAction) -> Findings {
        let rules = Rules {
            stale: None,
            flat: None,
            spikes: Some(Spikes { threshold: 8.0, action }),
            level_shift: Some(LevelShift { steps: 24, threshold: 4.0, action: SuspectAction::Quarantine }),
            as_of: None,
        };
        let times: Vec<i64> = (0..values.len() as i64).map(|step| step * HOUR).collect();
        rules.judge(&times, values, 24, &TimeZone::UTC)
    }

    #[test]
    fn spikes_of_the_last_season_are_suspect_and_masked_ones_may_stand_anywhere() {
        let mut values = hours();
        values[500] *= 10.0;
        values[940] = 1200.0;
        let warned = look(&values, SpikeAction::Suspect(SuspectAction::Fallback));
        assert_eq!((warned.spikes.as_slice(), warned.is_masked), (&[940][..], false));
        assert_eq!(mark(&warned.suspicions), Some(Status::Fallback));
        assert!(warned.suspicions[0].text.starts_with("spike: the value 1200 of 1970-02-09T04:00:00Z lies"));
        let masked = look(&values, SpikeAction::Mask);
        assert_eq!((masked.spikes.as_slice(), masked.is_masked), (&[500, 940][..], true));
        assert_eq!(mark(&masked.suspicions), None);
        let text = &texts(&masked.suspicions, SuspectAction::Warn)[0];
        assert!(
            text.starts_with("spike: 2 values, the last of them 1200") && text.ends_with("counts as missing")
        );
        assert!(look(&hours(), SpikeAction::Mask).suspicions.is_empty());
    }

    #[test]
    fn a_moved_level_is_told_with_its_size() {
        let mut values = hours();
        values[936..].iter_mut().for_each(|value| *value -= 60.0);
        let found = look(&values, SpikeAction::default());
        assert!(found.level_shift.is_some_and(|by| (by + 60.0).abs() < 5.0), "{found:?}");
        let texts = texts(&found.suspicions, SuspectAction::Quarantine);
        assert!(texts[0].starts_with("level shift: the last 24 steps lie"), "{texts:?}");
    }

    #[test]
    fn numbers_of_messages_are_short() {
        assert_eq!(
            [123.456_789, -0.001_234_567_8, 0.0, 1e300].map(shown),
            [123.457, -0.001_234_57, 0.0, 1e300]
        );
    }

    #[test]
    fn a_series_becomes_stale_once() {
        assert_eq!(rules(4 * HOUR).stale_from(3 * HOUR), Some(5 * HOUR + 1));
        assert_eq!(rules(6 * HOUR).stale_from(3 * HOUR), None);
    }

    #[test]
    fn a_note_counts_the_series_of_one_kind() {
        let flat = rules(0).judge(&[0, 1, 2], &[1.0, 1.0, 1.0], 1, &TimeZone::UTC).suspicions;
        let both = notes([("a", flat.as_slice()), ("b", &flat), ("c", &[])].into_iter());
        assert_eq!(both.len(), 1);
        assert!(both[0].starts_with("2 series look wrong, forecast by seasonal naive, 'a' first: flatline"));
    }
}
