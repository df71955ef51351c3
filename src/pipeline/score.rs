//! Published forecasts against what came true.

use crate::model::exam::{COVERAGE_SLACK, scale};
use crate::model::season;
use crate::model::spec::tails;
use crate::publish::RunColumns;
use crate::series::metric::{self, Mean};
use crate::series::{Frequency, Panel, Series};
use std::collections::BTreeMap;

/// How the forecasts of a job compare with what came true.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// Forecasts whose time has an actual value, of series that still reach back to the cutoff.
    pub rows: usize,
    /// Mean absolute error in units of each series' scale: seasonal naive's in-sample error up to the cutoff.
    pub mase: Option<f64>,
    /// Mean error in the same units; positive where forecasts are too high.
    pub bias: Option<f64>,
    /// Sum of absolute errors over the sum of absolute actuals; `None` where those are all zero.
    pub wape: Option<f64>,
    /// Mean pinball loss over the quantile levels, in the same units as `mase`.
    pub pinball: Option<f64>,
    /// Share of actuals inside each central interval: (level in percent, share).
    pub coverage: Vec<(f64, f64)>,
}

/// Compares run after run with the actual values of a panel.
pub struct Scorer<'a> {
    panel: BTreeMap<&'a str, &'a Series>,
    seasons: BTreeMap<String, usize>,
    /// Central coverage levels in percent.
    levels: Vec<f64>,
    rows: usize,
    scaled: f64,
    signed: f64,
    errors: f64,
    actuals: f64,
    pinball: Mean,
    inside: Vec<Mean>,
}

impl<'a> Scorer<'a> {
    /// Nothing is compared yet. `season_length` is the declared one; otherwise it is detected per frequency.
    pub fn new(panel: &'a Panel, levels: &[f64], season_length: Option<usize>) -> Scorer<'a> {
        let mut groups: BTreeMap<String, (Frequency, Vec<&Series>)> = BTreeMap::new();
        for series in &panel.series {
            let group = groups.entry(series.frequency.to_string());
            group.or_insert_with(|| (series.frequency, Vec::new())).1.push(series);
        }
        let season = |(frequency, series): (Frequency, Vec<&Series>)| {
            season_length.unwrap_or_else(|| season::detect(&series, &frequency.season_lengths()))
        };
        Scorer {
            panel: panel.series.iter().map(|series| (series.unique_id.as_str(), series)).collect(),
            seasons: groups.into_iter().map(|(name, group)| (name, season(group))).collect(),
            levels: levels.to_vec(),
            rows: 0,
            scaled: 0.0,
            signed: 0.0,
            errors: 0.0,
            actuals: 0.0,
            pinball: Mean::default(),
            inside: vec![Mean::default(); levels.len()],
        }
    }

    /// Compares one run; rows of a series lie together, as they are published.
    pub fn add(&mut self, run: &RunColumns) {
        let rows: Vec<usize> = (0..run.ds.len()).collect();
        for rows in rows.chunk_by(|&a, &b| run.unique_id[a] == run.unique_id[b]) {
            if let Some(series) = self.panel.get(run.unique_id[rows[0]].as_str()).copied() {
                self.add_series(run, rows, series);
            }
        }
    }

    fn add_series(&mut self, run: &RunColumns, rows: &[usize], series: &Series) {
        let history = series.times.partition_point(|&time| time <= run.cutoff[rows[0]]);
        // A source that rolls on may have dropped what the run looked back on; then there is nothing to scale by.
        if history == 0 {
            return;
        }
        let season = self.seasons.get(&series.frequency.to_string()).copied().unwrap_or(1);
        let scale = scale(&series.values[..history], season);
        for &row in rows {
            let Ok(at) = series.times.binary_search(&run.ds[row]) else { continue };
            let actual = series.values[at];
            if !actual.is_nan() {
                self.add_row(run, row, actual, scale);
            }
        }
    }

    fn add_row(&mut self, run: &RunColumns, row: usize, actual: f64, scale: f64) {
        let error = run.yhat[row] - actual;
        self.rows += 1;
        self.scaled += error.abs() / scale;
        self.signed += error / scale;
        self.errors += error.abs();
        self.actuals += actual.abs();
        for (level, quantile) in &run.quantiles {
            self.pinball.add(metric::pinball(actual, quantile[row], *level) / scale);
        }
        let quantile = |wanted: f64| {
            run.quantiles.iter().find(|(level, _)| *level == wanted).map(|(_, values)| values[row])
        };
        let slack = COVERAGE_SLACK * scale;
        for (level, inside) in self.levels.iter().zip(&mut self.inside) {
            let [lower, upper] = tails(*level).map(quantile);
            if let (Some(lower), Some(upper)) = (lower, upper) {
                inside.add(f64::from(u8::from((lower - slack..=upper + slack).contains(&actual))));
            }
        }
    }

    /// The figures; `None` if nothing has come true.
    pub fn score(&self) -> Option<Score> {
        let rows = self.rows as f64;
        let coverage = self.levels.iter().zip(&self.inside);
        (self.rows > 0).then(|| Score {
            rows: self.rows,
            mase: Some(self.scaled / rows),
            bias: Some(self.signed / rows),
            wape: (self.actuals > 0.0).then(|| self.errors / self.actuals),
            pinball: self.pinball.value(),
            coverage: coverage.filter_map(|(level, inside)| Some((*level, inside.value()?))).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;

    const HOUR: i64 = 3_600_000_000;

    fn panel(values: &[f64]) -> Panel {
        let series = Series {
            unique_id: "a".into(),
            keys: vec!["a".into()],
            frequency: "1h".parse().expect("frequency"),
            times: (0..values.len() as i64).map(|hour| hour * HOUR).collect(),
            values: values.to_vec(),
        };
        Panel {
            id_columns: vec!["id".into()],
            series: vec![series],
            zone: TimeZone::UTC,
            marks: BTreeMap::new(),
        }
    }

    /// Forecasts of hours 4, 5, 6 from hour 3.
    fn run(id: &str, yhat: [f64; 3]) -> RunColumns {
        let quantile = |shift: f64| yhat.iter().map(|y| y + shift).collect();
        RunColumns {
            unique_id: vec![id.into(); 3],
            ds: vec![4 * HOUR, 5 * HOUR, 6 * HOUR],
            cutoff: vec![3 * HOUR; 3],
            yhat: yhat.into(),
            quantiles: vec![(0.1, quantile(-1.0)), (0.9, quantile(1.0))],
        }
    }

    #[test]
    fn figures_are_those_of_a_calculation_by_hand() {
        // Up to the cutoff the values change by 2 an hour, so the scale is 2; the last forecast has no actual yet.
        let panel = panel(&[0.0, 2.0, 0.0, 2.0, 4.0, 10.0]);
        let mut scorer = Scorer::new(&panel, &[80.0, 95.0], Some(1));
        scorer.add(&run("a", [5.0, 6.0, 7.0]));
        scorer.add(&run("unknown", [5.0, 6.0, 7.0]));
        let score = scorer.score().expect("two rows");
        assert_eq!(score.rows, 2);
        // Errors are +1 and -4.
        assert_eq!(score.mase, Some((0.5 + 2.0) / 2.0));
        assert_eq!(score.bias, Some((0.5 - 2.0) / 2.0));
        assert_eq!(score.wape, Some(5.0 / 14.0));
        // 4 is at the edge of [4, 6], 10 outside of [5, 7]; the 95 % interval was not published.
        assert_eq!(score.coverage, [(80.0, 0.5)]);
        // Quantiles 4 and 6 of actual 4, 5 and 7 of actual 10: losses 0, 0.1 * 2, 0.1 * 5, 0.9 * 3.
        let pinball = (0.0 + 0.2 + 0.5 + 2.7) / 2.0 / 4.0;
        assert!((score.pinball.expect("quantiles") - pinball).abs() < 1e-12);
    }

    #[test]
    fn without_actuals_there_is_no_score() {
        let panel = panel(&[0.0, 2.0, 0.0, 2.0, f64::NAN, f64::NAN, f64::NAN]);
        let mut scorer = Scorer::new(&panel, &[80.0], None);
        scorer.add(&run("a", [1.0, 1.0, 1.0]));
        assert_eq!(scorer.score(), None);
    }
}
