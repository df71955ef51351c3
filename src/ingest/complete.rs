//! Which periods are over, and so complete.

use super::spec::SourceSpec;
use crate::series::Frequency;
use crate::series::civil::micros;
use jiff::SignedDuration;
use jiff::tz::TimeZone;

/// Lets a period through once it has been over for the latency at the as-of time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gate {
    pub(super) latency: SignedDuration,
    /// Microseconds UTC.
    pub(super) as_of: i64,
}

/// The first step of a series that is not complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Incomplete {
    /// Index of its time.
    pub(super) at: usize,
    /// The as-of time from which on it is complete.
    pub(super) from: i64,
}

impl Gate {
    /// The gate of a source that has one.
    pub(super) fn of(spec: &SourceSpec) -> Option<Gate> {
        Some(Gate { latency: spec.latency_offset?, as_of: spec.as_of? })
    }

    /// The first of some ascending times whose period is not over long enough; `None` if all are.
    pub(super) fn first_incomplete(
        self,
        times: &[i64],
        frequency: Frequency,
        zone: &TimeZone,
    ) -> Option<Incomplete> {
        let latency = micros(self.latency);
        let complete_from = |time: i64| frequency.period_end(time, zone).saturating_add(latency);
        let at = times.partition_point(|&time| complete_from(time) <= self.as_of);
        times.get(at).map(|&time| Incomplete { at, from: complete_from(time) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000;

    #[test]
    fn an_hour_is_complete_once_it_is_over_and_the_latency_has_passed() {
        let hourly = "1h".parse().expect("frequency");
        let times = [0, HOUR, 2 * HOUR];
        let first = |as_of, minutes| {
            let gate = Gate { latency: SignedDuration::from_mins(minutes), as_of };
            gate.first_incomplete(&times, hourly, &TimeZone::UTC)
        };
        assert_eq!(first(2 * HOUR, 0), Some(Incomplete { at: 2, from: 3 * HOUR }));
        assert_eq!(first(2 * HOUR, 30), Some(Incomplete { at: 1, from: 2 * HOUR + HOUR / 2 }));
        assert_eq!(first(3 * HOUR, 0), None);
        assert_eq!(first(0, 0), Some(Incomplete { at: 0, from: HOUR }));
    }
}
