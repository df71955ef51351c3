//! Published runs against what came: over all steps, by horizon band, by segment.

use crate::live::truth::{Met, Truth};
use crate::model::exam::COVERAGE_SLACK;
use crate::model::spec::tails;
use crate::publish::{RunColumns, ScoreRow};
use crate::series::metric::{self, Mean};
use std::collections::BTreeMap;

/// Horizon bands at most.
const BANDS_MAX: usize = 5;

/// Runs whose scores are kept, newest first.
const RUNS_KEPT: usize = 10_000;

/// Which run: what its rows in the table begin with.
#[derive(Clone, Debug)]
pub struct RunName {
    /// UUIDv7.
    pub run_id: String,
    /// Nominal instant, microseconds UTC.
    pub issued_at: i64,
    /// Version of the model; 0 for a stand-in.
    pub model_version: i32,
}

/// How the forecasts of a job compare with what came true.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// Forecasts whose time has an actual value.
    pub rows: usize,
    /// Mean absolute error in units of each series' scale: seasonal naive's in-sample error up to the cutoff.
    pub mase: f64,
    /// The same of seasonal naive on the same rows.
    pub mase_seasonal_naive: f64,
    /// Mean error in the same units; positive where forecasts are too high.
    pub bias: f64,
    /// Sum of absolute errors over the sum of absolute actuals; `None` where those are all zero.
    pub wape: Option<f64>,
    /// Mean pinball loss over the quantile levels, in the same units as `mase`.
    pub pinball: Option<f64>,
    /// Share of actuals inside each central interval: (level in percent, share).
    pub coverage: Vec<(f64, f64)>,
}

/// The scores of a run: over everything first, then by band and by segment. `segment` is the place of an id column, `levels`
/// are coverage levels in percent. Nothing where nothing has come true.
pub fn review(
    name: &RunName,
    run: &RunColumns,
    truth: &Truth<'_>,
    levels: &[f64],
    segment: Option<usize>,
) -> Vec<ScoreRow> {
    let met = truth.met(run);
    let is_final = truth.is_final(run);
    let horizon = run.step.iter().copied().max().unwrap_or(0);
    let bands = bands(horizon);
    let mut all = Sums::new(levels);
    let mut by_band: Vec<Sums> = bands.iter().map(|_| Sums::new(levels)).collect();
    let mut by_segment: BTreeMap<&str, Sums> = BTreeMap::new();
    for one in &met {
        all.add(run, one, levels);
        let step = run.step[one.row];
        let band = bands.iter().position(|(first, last)| (*first..=*last).contains(&step));
        if let Some(band) = band {
            by_band[band].add(run, one, levels);
        }
        if let Some(key) = segment.and_then(|place| one.series.keys.get(place)) {
            by_segment.entry(key).or_insert_with(|| Sums::new(levels)).add(run, one, levels);
        }
    }
    let row = |sums: &Sums, steps, segment: Option<&str>| sums.row(name, steps, segment, levels, is_final);
    let mut rows: Vec<ScoreRow> = row(&all, (1, horizon), None).into_iter().collect();
    if bands.len() > 1 {
        rows.extend(bands.iter().zip(&by_band).filter_map(|(steps, sums)| row(sums, *steps, None)));
    }
    rows.extend(by_segment.iter().filter_map(|(key, sums)| row(sums, (1, horizon), Some(*key))));
    rows
}

/// First and last step of each band: the far half of the horizon, half of the rest, and so on.
pub fn bands(horizon: i32) -> Vec<(i32, i32)> {
    let mut bands = Vec::new();
    let mut last = horizon;
    while last > 0 {
        let first = if bands.len() + 1 == BANDS_MAX { 1 } else { last / 2 + 1 };
        bands.push((first, last));
        last = first - 1;
    }
    bands.reverse();
    bands
}

/// The table with some runs scored anew, ascending by instant; the oldest beyond those to keep are dropped.
pub fn merge(table: Vec<ScoreRow>, new: Vec<ScoreRow>) -> Vec<ScoreRow> {
    let scored: Vec<&str> = new.iter().map(|row| row.run_id.as_str()).collect();
    let mut rows: Vec<ScoreRow> =
        table.into_iter().filter(|row| !scored.contains(&row.run_id.as_str())).collect();
    rows.extend(new);
    // Stable: the rows of a run stay in their order.
    rows.sort_by(|a, b| (a.issued_at, &a.run_id).cmp(&(b.issued_at, &b.run_id)));
    let runs = rows.chunk_by(|a, b| a.run_id == b.run_id).count();
    let excess = runs.saturating_sub(RUNS_KEPT);
    let dropped: usize = rows.chunk_by(|a, b| a.run_id == b.run_id).take(excess).map(<[ScoreRow]>::len).sum();
    rows.drain(..dropped);
    rows
}

/// The rows over all steps and series: one for each run.
pub fn whole_runs(rows: &[ScoreRow]) -> impl DoubleEndedIterator<Item = &ScoreRow> {
    let chunks: Vec<&[ScoreRow]> = rows.chunk_by(|a, b| a.run_id == b.run_id).collect();
    chunks.into_iter().filter_map(<[ScoreRow]>::first)
}

/// The figures of some rows together; `None` of nothing.
pub fn summary<'a>(rows: impl Iterator<Item = &'a ScoreRow> + Clone) -> Option<Score> {
    let points: i64 = rows.clone().map(|row| row.points).sum();
    let mean = |of: fn(&ScoreRow) -> f64| {
        rows.clone().map(|row| of(row) * row.points as f64).sum::<f64>() / points as f64
    };
    let size = mean(|row| row.size);
    let mut pinball = (0.0, 0);
    let mut inside: BTreeMap<u64, (f64, f64, i64)> = BTreeMap::new();
    for row in rows.clone() {
        if let Some(loss) = row.pinball {
            pinball = (pinball.0 + loss * row.points as f64, pinball.1 + row.points);
        }
        for (level, share, _) in &row.intervals {
            // Levels are positive, so that their bits are in their order.
            let entry = inside.entry(level.to_bits()).or_insert((*level, 0.0, 0));
            (entry.1, entry.2) = (entry.1 + share * row.points as f64, entry.2 + row.points);
        }
    }
    (points > 0).then(|| Score {
        rows: usize::try_from(points).unwrap_or(0),
        mase: mean(|row| row.mase),
        mase_seasonal_naive: mean(|row| row.mase_seasonal_naive),
        bias: mean(|row| row.bias),
        wape: (size > 0.0).then(|| mean(|row| row.mae) / size),
        pinball: (pinball.1 > 0).then(|| pinball.0 / pinball.1 as f64),
        coverage: inside.into_values().map(|(level, sum, points)| (level, sum / points as f64)).collect(),
    })
}

/// Sums over rows that have come true.
struct Sums {
    points: i64,
    scaled: f64,
    naive: f64,
    signed: f64,
    errors: f64,
    size: f64,
    pinball: Mean,
    /// Of each level: inside or not, and width.
    intervals: Vec<(Mean, Mean)>,
}

impl Sums {
    fn new(levels: &[f64]) -> Sums {
        Sums {
            points: 0,
            scaled: 0.0,
            naive: 0.0,
            signed: 0.0,
            errors: 0.0,
            size: 0.0,
            pinball: Mean::default(),
            intervals: vec![Default::default(); levels.len()],
        }
    }

    fn add(&mut self, run: &RunColumns, met: &Met<'_>, levels: &[f64]) {
        let (row, actual, scale) = (met.row, met.actual, met.scale);
        let error = run.yhat[row] - actual;
        self.points += 1;
        self.scaled += error.abs() / scale;
        self.naive += (met.naive - actual).abs() / scale;
        self.signed += error / scale;
        self.errors += error.abs();
        self.size += actual.abs();
        for (level, quantile) in &run.quantiles {
            self.pinball.add(metric::pinball(actual, quantile[row], *level) / scale);
        }
        let slack = COVERAGE_SLACK * scale;
        for (&level, (inside, width)) in levels.iter().zip(&mut self.intervals) {
            if let Some([lower, upper]) = interval(run, row, level) {
                inside.add(f64::from(u8::from((lower - slack..=upper + slack).contains(&actual))));
                width.add((upper - lower) / scale);
            }
        }
    }

    fn row(
        &self,
        name: &RunName,
        steps: (i32, i32),
        segment: Option<&str>,
        levels: &[f64],
        is_final: bool,
    ) -> Option<ScoreRow> {
        let mean = |sum: f64| sum / self.points as f64;
        let intervals = levels.iter().zip(&self.intervals);
        (self.points > 0).then(|| ScoreRow {
            run_id: name.run_id.clone(),
            issued_at: name.issued_at,
            model_version: name.model_version,
            steps,
            segment: segment.map(str::to_owned),
            points: self.points,
            mase: mean(self.scaled),
            mase_seasonal_naive: mean(self.naive),
            bias: mean(self.signed),
            mae: mean(self.errors),
            size: mean(self.size),
            pinball: self.pinball.value(),
            intervals: intervals
                .filter_map(|(level, (inside, width))| Some((*level, inside.value()?, width.value()?)))
                .collect(),
            is_final,
        })
    }
}

/// The central interval of that level in percent, if both its ends were published.
pub fn interval(run: &RunColumns, row: usize, level: f64) -> Option<[f64; 2]> {
    let quantile =
        |wanted: f64| run.quantiles.iter().find(|(level, _)| *level == wanted).map(|(_, values)| values[row]);
    let [lower, upper] = tails(level).map(quantile);
    Some([lower?, upper?])
}
