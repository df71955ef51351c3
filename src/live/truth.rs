//! What came, for whoever asks about a published forecast.

use crate::model::exam;
use crate::model::season;
use crate::publish::RunColumns;
use crate::series::{Frequency, Panel, Series};
use std::collections::BTreeMap;

/// The actual values of a panel, found by series and time.
pub struct Truth<'a> {
    series: BTreeMap<&'a str, &'a Series>,
    /// Season length of each frequency.
    seasons: BTreeMap<String, usize>,
    /// The latest timestamp of any series, microseconds UTC.
    latest: i64,
}

/// A published row that has come true.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Met<'a> {
    /// Its place in the run.
    pub row: usize,
    /// The series.
    pub series: &'a Series,
    /// What came.
    pub actual: f64,
    /// What seasonal naive would have said at the run's cutoff.
    pub naive: f64,
    /// In-sample error of seasonal naive up to the cutoff, positive; see [`exam::scale`].
    pub scale: f64,
}

impl<'a> Truth<'a> {
    /// The values of a panel. `season_length` is the declared one; otherwise it is detected per frequency.
    pub fn new(panel: &'a Panel, season_length: Option<usize>) -> Truth<'a> {
        let mut groups: BTreeMap<String, (Frequency, Vec<&Series>)> = BTreeMap::new();
        for series in &panel.series {
            let group = groups.entry(series.frequency.to_string());
            group.or_insert_with(|| (series.frequency, Vec::new())).1.push(series);
        }
        let season = |(frequency, series): (Frequency, Vec<&Series>)| {
            season_length.unwrap_or_else(|| season::detect(&series, &frequency.season_lengths()))
        };
        Truth {
            series: panel.series.iter().map(|series| (series.unique_id.as_str(), series)).collect(),
            seasons: groups.into_iter().map(|(name, group)| (name, season(group))).collect(),
            latest: panel.series.iter().filter_map(Series::cutoff).max().unwrap_or(i64::MIN),
        }
    }

    /// The series of that id.
    pub fn series(&self, unique_id: &str) -> Option<&'a Series> {
        self.series.get(unique_id).copied()
    }

    /// Season length of a frequency in steps, 1 for none.
    pub fn season(&self, frequency: Frequency) -> usize {
        self.seasons.get(&frequency.to_string()).copied().unwrap_or(1)
    }

    /// The rows of a run that have an actual value, in its order. Series whose history no longer reaches back to the cutoff
    /// are left out: there is nothing to scale their errors by.
    pub fn met(&self, run: &RunColumns) -> Vec<Met<'a>> {
        let rows: Vec<usize> = (0..run.ds.len()).collect();
        let of_one = |rows: &[usize]| {
            let series = self.series(&run.unique_id[rows[0]])?;
            let history = series.times.partition_point(|&time| time <= run.cutoff[rows[0]]);
            (history > 0).then(|| self.met_by(run, rows, series, history))
        };
        let chunks = rows.chunk_by(|&a, &b| run.unique_id[a] == run.unique_id[b]);
        chunks.filter_map(of_one).flatten().collect()
    }

    fn met_by(&self, run: &RunColumns, rows: &[usize], series: &'a Series, history: usize) -> Vec<Met<'a>> {
        let season = self.season(series.frequency);
        let is_known = |row: &&usize| run.ds[**row] <= self.latest;
        if !rows.iter().any(|row| is_known(&row)) {
            return Vec::new();
        }
        let scale = exam::scale(&series.values[..history], season);
        let met = |&row: &usize| {
            let at = series.times.binary_search(&run.ds[row]).ok().filter(|&at| at >= history)?;
            let actual = Some(series.actual(at)).filter(|actual| !actual.is_nan())?;
            let naive = naive(&series.values[..history], at, season);
            Some(Met { row, series, actual, naive, scale })
        };
        rows.iter().filter(is_known).filter_map(met).collect()
    }

    /// Whether the time of every row of a run has come.
    pub fn has_come(&self, run: &RunColumns) -> bool {
        run.ds.iter().max().is_none_or(|last| self.latest >= *last)
    }

    /// Whether nothing that arrives later is likely to change what is known of a run: its last time lies as far back as
    /// the run reaches.
    pub fn is_final(&self, run: &RunColumns) -> bool {
        let (first, last) = (run.cutoff.iter().min(), run.ds.iter().max());
        first.zip(last).is_none_or(|(first, last)| self.latest >= last.saturating_add(last - first))
    }
}

/// The value of the same phase in the last season before the end of `history` that has one; that failing, the last value.
fn naive(history: &[f64], at: usize, season: usize) -> f64 {
    let ahead = at + 1 - history.len();
    let first = at.checked_sub(ahead.div_ceil(season.max(1)) * season.max(1));
    let earlier = std::iter::successors(first, |place| place.checked_sub(season.max(1)));
    let same_phase = earlier.map(|place| history[place]).find(|value| !value.is_nan());
    same_phase.or_else(|| history.iter().rev().copied().find(|value| !value.is_nan())).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seasonal_naive_looks_back_whole_seasons_until_there_is_a_value() {
        let history = [1.0, 2.0, 3.0, f64::NAN, 5.0, 6.0];
        assert_eq!([6, 7, 8].map(|at| naive(&history, at, 3)), [1.0, 5.0, 6.0]);
        assert_eq!([9, 10].map(|at| naive(&history, at, 3)), [1.0, 5.0]);
        assert_eq!(naive(&history, 6, 1), 6.0);
        assert_eq!(naive(&history, 6, 40), 6.0);
        assert_eq!(naive(&[f64::NAN], 1, 1), 0.0);
    }
}
