//! Where the windows of a backtest lie: what is known of each series at each cutoff.

use crate::evaluation::spec::{Align, BacktestError, BacktestSpec};
use crate::series::{Panel, Series};
use std::collections::BTreeMap;

/// Steps that have to be known at a cutoff: one difference.
const KNOWN_MIN: usize = 2;

/// One window: what is known of each series, ascending by series.
pub(super) type Window = Vec<Known>;

/// What is known of one series at a cutoff.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    /// Index of the series in the panel.
    pub series: usize,
    /// Steps up to the cutoff; the last of them is observed.
    pub steps: usize,
    /// The cutoff, microseconds UTC.
    pub cutoff: i64,
    /// Whether anything comes after it.
    pub is_scored: bool,
}

/// The windows, oldest first.
///
/// # Errors
/// [`BacktestError::TooManyWindows`] if the data of no frequency holds so many.
pub(super) fn windows(panel: &Panel, spec: &BacktestSpec) -> Result<Vec<Window>, BacktestError> {
    let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, series) in panel.series.iter().enumerate() {
        groups.entry(series.frequency.to_string()).or_default().push(index);
    }
    let groups: Vec<Group> = groups.into_values().map(|members| Group::new(panel, members, spec)).collect();
    let longest = groups.iter().map(|group| group.steps).max().unwrap_or(0);
    let fitting = spec.fitting(longest);
    if fitting < spec.windows {
        return Err(BacktestError::TooManyWindows {
            windows: spec.windows,
            fitting,
            horizon: spec.horizon,
            gap: spec.gap,
            step: spec.step,
            longest,
        });
    }
    let window = |number: usize| {
        let back = spec.back(number);
        let mut known: Window = groups.iter().flat_map(|group| group.known(panel, back)).collect();
        known.sort_by_key(|known| known.series);
        known
    };
    Ok((0..spec.windows).map(window).collect())
}

impl BacktestSpec {
    /// Steps from the cutoff of a window (0 is the oldest) to the end of the data.
    fn back(&self, window: usize) -> usize {
        let later = self.windows.saturating_sub(window + 1);
        self.reach().saturating_add(later.saturating_mul(self.step.max(1)))
    }

    /// Steps from a cutoff to the end of its window.
    pub(super) fn reach(&self) -> usize {
        self.gap.saturating_add(self.horizon)
    }

    /// Windows that so many steps hold.
    fn fitting(&self, steps: usize) -> usize {
        let room = steps.checked_sub(self.reach().saturating_add(KNOWN_MIN));
        room.map_or(0, |room| 1 + room / self.step.max(1))
    }
}

/// The series of one frequency.
struct Group {
    members: Vec<usize>,
    /// Steps that cutoffs are counted back on: those of the calendar, or of the longest series.
    steps: usize,
    /// The calendar; `None` where each series is counted from its own end.
    calendar: Option<Vec<i64>>,
}

impl Group {
    fn new(panel: &Panel, members: Vec<usize>, spec: &BacktestSpec) -> Group {
        let series: Vec<&Series> = members.iter().map(|&index| &panel.series[index]).collect();
        let longest = series.iter().map(|series| series.times.len()).max().unwrap_or(0);
        match spec.align {
            Align::End => Group { members, steps: longest, calendar: None },
            Align::Calendar => {
                let calendar = calendar(&series);
                Group { members, steps: calendar.len(), calendar: Some(calendar) }
            }
        }
    }

    /// What is known of each member `back` steps before the end.
    fn known(&self, panel: &Panel, back: usize) -> Vec<Known> {
        let cutoff = match &self.calendar {
            Some(calendar) => match calendar.len().checked_sub(back + 1) {
                Some(place) => Some(calendar[place]),
                None => return Vec::new(),
            },
            None => None,
        };
        let known = |&index: &usize| {
            let series = &panel.series[index];
            let steps = match cutoff {
                Some(cutoff) => series.times.partition_point(|&time| time <= cutoff),
                None => series.times.len().checked_sub(back).filter(|&steps| steps >= KNOWN_MIN)?,
            };
            let cutoff = cutoff.or(steps.checked_sub(1).map(|last| series.times[last]))?;
            let is_scored = steps < series.times.len();
            // Ingestion ends a series with its last observed value.
            let steps = Some(series.observed_until(steps)).filter(|steps| *steps > 0)?;
            Some(Known { series: index, steps, cutoff, is_scored })
        };
        self.members.iter().filter_map(known).collect()
    }
}

/// The grid on which cutoffs of several series are counted: that of the series that ends last, continued into the past by
/// series that stand on it and began earlier.
fn calendar(series: &[&Series]) -> Vec<i64> {
    let span = |one: &&&Series| one.times.first().copied().zip(one.cutoff());
    let last = series.iter().filter(|one| span(one).is_some()).max_by_key(|one| {
        let span = span(one);
        (span.map(|(_, last)| last), span.map(|(first, _)| std::cmp::Reverse(first)))
    });
    let Some(last) = last else { return Vec::new() };
    let mut calendar = last.times.clone();
    while let Some(first) = calendar.first().copied() {
        let earlier = series.iter().filter(|one| one.times.first().is_some_and(|&start| start < first));
        let on_it = earlier.filter_map(|one| Some((one, one.times.binary_search(&first).ok()?)));
        let Some((one, place)) = on_it.max_by_key(|(_, place)| *place) else { break };
        calendar.splice(0..0, one.times[..place].iter().copied());
    }
    calendar
}

/// The panel as it was known at the cutoffs of a window. Marks of series that look wrong at the end of the data say
/// nothing about an earlier time, so there are none.
pub(super) fn cut(panel: &Panel, window: &Window, sliding: Option<usize>) -> Panel {
    let cut = |known: &Known| {
        let series = &panel.series[known.series];
        let first = known.steps.saturating_sub(sliding.unwrap_or(usize::MAX));
        // A series begins with an observed value; the last one of these is one.
        let skipped = (first..known.steps).take_while(|step| series.actual(*step).is_nan()).count();
        series.cut(first + skipped, known.steps)
    };
    Panel {
        id_columns: panel.id_columns.clone(),
        covariates: panel.covariates.clone(),
        series: window.iter().map(cut).collect(),
        zone: panel.zone.clone(),
        marks: BTreeMap::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::test_data::{DAY, panel, series, spec};

    fn fold(windows: &[Window]) -> Vec<Vec<(usize, usize, i64)>> {
        let of =
            |window: &Window| window.iter().map(|one| (one.series, one.steps, one.cutoff / DAY)).collect();
        windows.iter().map(of).collect()
    }

    #[test]
    fn cutoffs_are_counted_back_from_the_latest_end() {
        // Days 0..=19, and 5..=16 with nothing observed on days 13 and 14.
        let mut short: Vec<f64> = (0..12).map(f64::from).collect();
        (short[8], short[9]) = (f64::NAN, f64::NAN);
        let panel = panel(vec![series("a", 0, vec![1.0; 20]), series("b", 5, short)]);
        let windows = windows(&panel, &spec(2, 3)).expect("they fit");
        // The last window is days 17 to 19; the one before 14 to 16. On day 16 series b is at its end.
        assert_eq!(fold(&windows), [[(0, 14, 13), (1, 8, 13)], [(0, 17, 16), (1, 12, 16)]]);
        assert_eq!(windows[1].iter().map(|known| known.is_scored).collect::<Vec<_>>(), [true, false]);
    }

    #[test]
    fn what_is_known_at_a_cutoff_ends_with_an_observed_value_not_with_a_guess() {
        let mut one = series("a", 0, (0..12).map(f64::from).collect());
        // A line over days 7 to 9 knows day 10, which nobody knows on day 8.
        one.filled = vec![3, 7, 8, 9];
        let panel = panel(vec![one]);
        let windows = windows(&panel, &spec(1, 3)).expect("they fit");
        assert_eq!(fold(&windows), [[(0, 7, 8)]]);
        let known = &cut(&panel, &windows[0], Some(4)).series[0];
        // Of the last four steps the first is a guess.
        assert_eq!((known.values.as_slice(), known.filled.len()), (&[4.0, 5.0, 6.0][..], 0));
    }

    #[test]
    fn each_series_can_be_counted_from_its_own_end() {
        let panel = panel(vec![series("a", 0, vec![1.0; 20]), series("b", 90, vec![1.0; 7])]);
        let spec = BacktestSpec { align: Align::End, gap: 1, step: 2, ..spec(2, 3) };
        let windows = windows(&panel, &spec).expect("they fit");
        // Four steps back, and six: then one step is left of series b, which is too few.
        assert_eq!(fold(&windows), [vec![(0, 14, 13)], vec![(0, 16, 15), (1, 3, 92)]]);
    }

    #[test]
    fn the_calendar_goes_on_where_a_young_series_begins() {
        let all = [series("a", 0, vec![1.0; 10]), series("b", 8, vec![1.0; 4])];
        let calendar = calendar(&all.iter().collect::<Vec<_>>());
        assert_eq!(calendar, (0..12).map(|day| day * DAY).collect::<Vec<_>>());
        let apart = [series("a", 0, vec![1.0; 5]), series("b", 8, vec![1.0; 4])];
        assert_eq!(super::calendar(&apart.iter().collect::<Vec<_>>()).len(), 4);
        assert!(super::calendar(&[]).is_empty());
    }

    #[test]
    fn too_many_windows_are_refused_with_the_number_that_fits() {
        let panel = panel(vec![series("a", 0, vec![1.0; 12])]);
        assert!(windows(&panel, &spec(3, 3)).is_ok());
        let error = windows(&panel, &spec(4, 3)).expect_err("too many").to_string();
        assert!(error.contains("3 windows fit"), "{error}");
        let none = windows(&panel, &spec(1, 11)).expect_err("too long").to_string();
        assert!(none.contains("no window fits"), "{none}");
        let huge = BacktestSpec { step: usize::MAX, ..spec(usize::MAX, 3) };
        assert!(windows(&panel, &huge).is_err());
    }
}
