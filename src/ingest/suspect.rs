//! Series that look wrong though every row is fine: stale ones and flat ones.

use super::spec::{Flat, SourceSpec, Stale, SuspectAction};
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
    /// Microseconds UTC.
    as_of: Option<i64>,
}

/// In which way a series looks wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    Stale,
    Flat,
}

/// Something about a series that looks wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Suspicion {
    look: Look,
    action: SuspectAction,
    /// Begins with the word of the report: `stale` or `flatline`.
    text: String,
}

impl Rules {
    /// The rules of a source.
    pub(super) fn of(spec: &SourceSpec) -> Rules {
        Rules { stale: spec.stale, flat: spec.flat, as_of: spec.as_of }
    }

    /// What looks wrong with a series; both its ends hold observed values.
    pub(super) fn judge(&self, times: &[i64], values: &[f64], zone: &TimeZone) -> Vec<Suspicion> {
        self.judge_age(times, zone).into_iter().chain(self.judge_run(values)).collect()
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
    let (mut stale, mut flat): (Vec<_>, Vec<_>) = (Vec::new(), Vec::new());
    for (id, suspicions) in series {
        for suspicion in suspicions {
            let group = if suspicion.look == Look::Stale { &mut stale } else { &mut flat };
            group.push((id, suspicion));
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
    [note(&stale), note(&flat)].into_iter().flatten().collect()
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
            as_of: Some(as_of),
        }
    }

    #[test]
    fn old_and_frozen_series_are_told_and_others_are_not() {
        let times = [0, HOUR, 2 * HOUR, 3 * HOUR];
        let judge = |as_of, values: &[f64]| rules(as_of).judge(&times, values, &TimeZone::UTC);
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

    #[test]
    fn a_series_becomes_stale_once() {
        assert_eq!(rules(4 * HOUR).stale_from(3 * HOUR), Some(5 * HOUR + 1));
        assert_eq!(rules(6 * HOUR).stale_from(3 * HOUR), None);
    }

    #[test]
    fn a_note_counts_the_series_of_one_kind() {
        let flat = rules(0).judge(&[0, 1, 2], &[1.0, 1.0, 1.0], &TimeZone::UTC);
        let both = notes([("a", flat.as_slice()), ("b", &flat), ("c", &[])].into_iter());
        assert_eq!(both.len(), 1);
        assert!(both[0].starts_with("2 series look wrong, forecast by seasonal naive, 'a' first: flatline"));
    }
}
