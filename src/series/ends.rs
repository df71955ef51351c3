//! Where data ends of which not all series are at hand.

use crate::series::{Frequency, Panel};
use std::collections::BTreeMap;

/// The last times of series, by frequency: one whose forecast ends before another's last observation is stale. What is
/// not known here is taken from the series at hand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    /// Microseconds UTC, by frequency as people write it.
    at: BTreeMap<String, i64>,
    /// Of every other frequency.
    any: Option<i64>,
    is_apart: bool,
}

impl Ends {
    /// Of series that say nothing of each other: none is stale because another goes on.
    pub fn apart() -> Ends {
        Ends { is_apart: true, ..Ends::default() }
    }

    /// Sets the end of the series of a frequency, or of all others.
    pub fn set(&mut self, frequency: Option<Frequency>, end: i64) {
        match frequency {
            Some(frequency) => drop(self.at.insert(frequency.to_string(), end)),
            None => self.any = Some(end),
        }
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Ends::default()
    }

    /// The end of a frequency as it was set.
    pub fn known(&self, frequency: Frequency) -> Option<i64> {
        self.at.get(&frequency.to_string()).copied().or(self.any)
    }

    /// Moves the ends to those of the series of a panel, where these are later.
    pub fn reach(&mut self, panel: &Panel) {
        for series in &panel.series {
            let Some(cutoff) = series.cutoff() else { continue };
            let end = self.at.entry(series.frequency.to_string()).or_insert(cutoff);
            *end = cutoff.max(*end);
        }
    }

    /// The end of a frequency of which the last series at hand ends there; `None` where nobody is held against it.
    pub fn of(&self, frequency: Frequency, own: Option<i64>) -> Option<i64> {
        if self.is_apart { None } else { own.max(self.known(frequency)) }
    }
}

/// By frequency as people write it.
impl FromIterator<(String, i64)> for Ends {
    fn from_iter<I: IntoIterator<Item = (String, i64)>>(ends: I) -> Ends {
        Ends { at: ends.into_iter().collect(), ..Ends::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_later_end_counts_unless_series_stand_apart() {
        let (hour, day): (Frequency, Frequency) = ("1h".parse().unwrap(), "1d".parse().unwrap());
        let mut ends = Ends::default();
        assert_eq!((ends.of(hour, Some(5)), ends.is_empty()), (Some(5), true));
        ends.set(None, 7);
        ends.set(Some(day), 3);
        assert_eq!((ends.of(hour, Some(5)), ends.of(hour, Some(9))), (Some(7), Some(9)));
        assert_eq!((ends.of(day, Some(2)), ends.known(day)), (Some(3), Some(3)));
        assert_eq!(Ends::apart().of(hour, Some(5)), None);
    }
}
