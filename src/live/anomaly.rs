//! Whether a value that came is one that was to be expected.

use crate::live::review::interval;
use crate::live::truth::Truth;
use crate::publish::{AnomalyRow, RunColumns};
use std::collections::{BTreeMap, BTreeSet};

/// Largest score: of a value beside an interval without width.
const SCORE_MAX: f64 = 1e6;

/// Anomalies that are kept beyond the recent values.
const KEPT: usize = 100_000;

/// On which side of the forecast a value may be anomalous.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// On both.
    #[default]
    Both,
    /// Above it.
    Above,
    /// Below it.
    Below,
}

impl Direction {
    /// Name in the config, and in the table of anomalies.
    pub fn as_str(self) -> &'static str {
        match self {
            Direction::Both => "both",
            Direction::Above => "above",
            Direction::Below => "below",
        }
    }
}

/// What counts as an anomaly: a value outside of the interval, by more than both dead-bands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AnomalySpec {
    /// Coverage level of the interval in percent; about 100 − level percent of ordinary values lie outside.
    pub level: f64,
    /// On which side.
    pub direction: Direction,
    /// Least distance from the forecast, units of the target.
    pub least_distance: f64,
    /// Least distance from the forecast as a share of its size.
    pub least_share: f64,
    /// Values that may occur at all, whatever was forecast.
    pub range: Option<[f64; 2]>,
}

/// Score, and the side on which a value is anomalous.
pub fn judge(
    spec: &AnomalySpec,
    actual: f64,
    yhat: f64,
    [lower, upper]: [f64; 2],
) -> (f64, Option<Direction>) {
    let distance = actual - yhat;
    let side = if distance > 0.0 { Direction::Above } else { Direction::Below };
    let half = if distance > 0.0 { upper - yhat } else { yhat - lower };
    let score = match distance.abs() {
        0.0 => 0.0,
        far if half > 0.0 => (far / half).min(SCORE_MAX),
        _ => SCORE_MAX,
    };
    let is_wanted = spec.direction == Direction::Both || spec.direction == side;
    let is_far = distance.abs() >= spec.least_distance && distance.abs() >= spec.least_share * yhat.abs();
    let is_impossible = spec.range.is_some_and(|[least, largest]| !(least..=largest).contains(&actual));
    (score, (is_impossible || score > 1.0 && is_wanted && is_far).then_some(side))
}

/// Values that came, by series and time, each beside what the newest run before it said.
pub type Look = BTreeMap<(String, i64), AnomalyRow>;

/// Adds the values that came within the reach of a run, but for those that a newer run was asked about before.
pub fn look(look: &mut Look, run_id: &str, run: &RunColumns, truth: &Truth<'_>, spec: &AnomalySpec) {
    for met in truth.met(run) {
        let Some([lower, upper]) = interval(run, met.row, spec.level) else { continue };
        let (id, ds, yhat) = (&run.unique_id[met.row], run.ds[met.row], run.yhat[met.row]);
        look.entry((id.clone(), ds)).or_insert_with(|| {
            let (score, side) = judge(spec, met.actual, yhat, [lower, upper]);
            AnomalyRow {
                unique_id: id.clone(),
                ds,
                y: met.actual,
                yhat,
                lower,
                upper,
                score,
                is_anomaly: side.is_some(),
                direction: side.map(|side| side.as_str().into()),
                run_id: run_id.into(),
            }
        });
    }
}

/// The table after a look: all values of the look, and earlier anomalies.
pub fn merge(table: Vec<AnomalyRow>, mut look: Look) -> Vec<AnomalyRow> {
    let recent: BTreeSet<(String, i64)> = look.keys().cloned().collect();
    let mut earlier: Vec<AnomalyRow> = table.into_iter().filter(|row| row.is_anomaly).collect();
    earlier.sort_by_key(|row| std::cmp::Reverse(row.ds));
    earlier.retain(|row| !recent.contains(&(row.unique_id.clone(), row.ds)));
    earlier.truncate(KEPT);
    look.extend(earlier.into_iter().map(|row| ((row.unique_id.clone(), row.ds), row)));
    look.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: AnomalySpec = AnomalySpec {
        level: 80.0,
        direction: Direction::Both,
        least_distance: 0.0,
        least_share: 0.0,
        range: None,
    };

    #[test]
    fn the_score_is_the_distance_in_halves_of_the_interval() {
        let judge = |spec: &AnomalySpec, actual| judge(spec, actual, 10.0, [8.0, 11.0]);
        assert_eq!(judge(&SPEC, 10.5), (0.5, None));
        assert_eq!(judge(&SPEC, 11.0), (1.0, None));
        assert_eq!(judge(&SPEC, 13.0), (3.0, Some(Direction::Above)));
        assert_eq!(judge(&SPEC, 7.0), (1.5, Some(Direction::Below)));
        assert_eq!(judge(&AnomalySpec { direction: Direction::Above, ..SPEC }, 7.0).1, None);
        assert_eq!(judge(&AnomalySpec { least_distance: 4.0, ..SPEC }, 13.0).1, None);
        assert_eq!(judge(&AnomalySpec { least_share: 0.4, ..SPEC }, 13.0).1, None);
        assert_eq!(judge(&AnomalySpec { least_share: 0.2, ..SPEC }, 13.0).1, Some(Direction::Above));
        let ranged = AnomalySpec { range: Some([0.0, 10.2]), least_distance: 99.0, ..SPEC };
        assert_eq!(judge(&ranged, 10.5).1, Some(Direction::Above));
    }

    #[test]
    fn an_interval_without_width_is_no_division_by_zero() {
        assert_eq!(judge(&SPEC, 5.0, 5.0, [5.0, 5.0]), (0.0, None));
        assert_eq!(judge(&SPEC, 6.0, 5.0, [5.0, 5.0]), (SCORE_MAX, Some(Direction::Above)));
    }

    #[test]
    fn old_values_are_forgotten_and_old_anomalies_are_not() {
        let row = |ds: i64, is_anomaly: bool| AnomalyRow {
            unique_id: "a".into(),
            ds,
            y: 1.0,
            yhat: 0.0,
            lower: 0.0,
            upper: 0.0,
            score: 1.0,
            is_anomaly,
            direction: None,
            run_id: "r".into(),
        };
        let look = BTreeMap::from([(("a".to_string(), 3), row(3, false))]);
        let merged = merge(vec![row(1, true), row(2, false), row(3, true)], look);
        let short: Vec<(i64, bool)> = merged.iter().map(|row| (row.ds, row.is_anomaly)).collect();
        assert_eq!(short, [(1, true), (3, false)]);
    }
}
