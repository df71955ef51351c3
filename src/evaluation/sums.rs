//! Error sums under way: what is kept of the points of one series, or of one step.

use crate::evaluation::score::{Case, Scores};
use crate::series::metric;

/// Sums over the observed points of one series, or of one step over all series.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sums {
    windows: usize,
    points: usize,
    /// Σ |e| / scale, Σ e² / squared scale, Σ sMAPE.
    scaled: f64,
    scaled_squared: f64,
    smape: f64,
    /// Σ |e| / scale of seasonal naive.
    naive: f64,
    /// Σ |e|, Σ e², Σ (ŷ − y), Σ |y|.
    absolute: f64,
    squared: f64,
    signed: f64,
    size: f64,
    /// Σ pinball loss, one per decile; Σ of their mean / scale.
    pinball: Vec<f64>,
    scaled_pinball: f64,
    /// One per coverage level.
    intervals: Vec<Interval>,
}

/// Sums of one central interval.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Interval {
    inside: usize,
    width: f64,
    /// Σ Winkler score / scale.
    scaled: f64,
}

/// Where the quantiles stand that are scored.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Columns {
    /// Deciles: (level, column); empty unless all nine are forecast.
    pub deciles: Vec<(f64, usize)>,
    /// Central intervals: (coverage in percent, lower column, upper column).
    pub intervals: Vec<(f64, usize, usize)>,
}

impl Sums {
    pub(super) fn new(columns: &Columns) -> Sums {
        Sums {
            windows: 0,
            points: 0,
            scaled: 0.0,
            scaled_squared: 0.0,
            smape: 0.0,
            naive: 0.0,
            absolute: 0.0,
            squared: 0.0,
            signed: 0.0,
            size: 0.0,
            pinball: vec![0.0; columns.deciles.len()],
            scaled_pinball: 0.0,
            intervals: vec![Interval::default(); columns.intervals.len()],
        }
    }

    /// Whether anything was observed.
    pub(super) fn is_empty(&self) -> bool {
        self.points == 0
    }

    /// Counts a window.
    pub(super) fn add_window(&mut self) {
        self.windows += 1;
    }

    /// Adds step `step` of a case; its actual is observed.
    pub(super) fn add(&mut self, case: &Case<'_>, step: usize, columns: &Columns) {
        let (y, point, scale) = (case.actual[step], case.point[step], case.scale);
        let error = y - point;
        self.points += 1;
        self.scaled += error.abs() / scale.absolute;
        self.scaled_squared += error * error / scale.squared;
        self.smape += metric::smape(&[y], &[point]).unwrap_or(0.0);
        self.naive += (y - case.naive[step]).abs() / scale.absolute;
        self.absolute += error.abs();
        self.squared += error * error;
        self.signed -= error;
        self.size += y.abs();
        let mut loss = 0.0;
        for (sum, &(level, column)) in self.pinball.iter_mut().zip(&columns.deciles) {
            let pinball = metric::pinball(y, case.quantiles[[step, column]], level);
            *sum += pinball;
            loss += pinball;
        }
        self.scaled_pinball += loss / columns.deciles.len().max(1) as f64 / scale.absolute;
        for (sums, &(level, lower, upper)) in self.intervals.iter_mut().zip(&columns.intervals) {
            let (lower, upper) = (case.quantiles[[step, lower]], case.quantiles[[step, upper]]);
            // Winkler (1972): the width, and 2/α times the miss.
            let miss = (lower - y).max(0.0) + (y - upper).max(0.0);
            sums.inside += usize::from(miss == 0.0);
            sums.width += upper - lower;
            sums.scaled += (upper - lower + 200.0 / (100.0 - level) * miss) / scale.absolute;
        }
    }

    pub(super) fn merge(&mut self, other: &Sums) {
        self.windows += other.windows;
        self.points += other.points;
        let pairs = [
            (&mut self.scaled, other.scaled),
            (&mut self.scaled_squared, other.scaled_squared),
            (&mut self.smape, other.smape),
            (&mut self.naive, other.naive),
            (&mut self.absolute, other.absolute),
            (&mut self.squared, other.squared),
            (&mut self.signed, other.signed),
            (&mut self.size, other.size),
            (&mut self.scaled_pinball, other.scaled_pinball),
        ];
        pairs.into_iter().for_each(|(sum, more)| *sum += more);
        self.pinball.iter_mut().zip(&other.pinball).for_each(|(sum, more)| *sum += more);
        for (sums, more) in self.intervals.iter_mut().zip(&other.intervals) {
            sums.inside += more.inside;
            sums.width += more.width;
            sums.scaled += more.scaled;
        }
    }
}

/// The scores of some series, each with its own sums: MASE, RMSSE and sMAPE are means over series of means over points,
/// everything else is a mean or a ratio over all points.
pub(super) fn scores<'a>(series: impl IntoIterator<Item = &'a Sums>, columns: &Columns) -> Scores {
    let mut all = Sums::new(columns);
    let (mut count, mut mase, mut rmsse, mut smape, mut naive) = (0, 0.0, 0.0, 0.0, 0.0);
    for sums in series.into_iter().filter(|sums| !sums.is_empty()) {
        let points = sums.points as f64;
        count += 1;
        mase += sums.scaled / points;
        rmsse += (sums.scaled_squared / points).sqrt();
        smape += sums.smape / points;
        naive += sums.naive / points;
        all.merge(sums);
    }
    let points = all.points as f64;
    let mean = |sum: f64| (all.points > 0).then(|| sum / points);
    let over_series = |sum: f64| (count > 0).then(|| sum / count as f64);
    let deciles = all.pinball.len() as f64;
    let pinball: f64 = all.pinball.iter().sum();
    let has_deciles = !all.pinball.is_empty();
    let per_level = |value: fn(&Interval) -> f64| -> Vec<(f64, f64)> {
        let levels = columns.intervals.iter().zip(&all.intervals);
        levels.filter_map(|((level, ..), sums)| Some((*level, mean(value(sums))?))).collect()
    };
    Scores {
        windows: all.windows,
        series: count,
        points: all.points,
        mase: over_series(mase),
        rmsse: over_series(rmsse),
        smape: over_series(smape),
        wape: (all.size > 0.0).then(|| all.absolute / all.size),
        mse: mean(all.squared),
        mae: mean(all.absolute),
        bias: mean(all.signed),
        wql: (has_deciles && all.size > 0.0).then(|| 2.0 * pinball / all.size / deciles),
        crps: mean(2.0 * pinball / deciles).filter(|_| has_deciles),
        scaled_crps: mean(2.0 * all.scaled_pinball).filter(|_| has_deciles),
        coverage: per_level(|sums| sums.inside as f64),
        width: per_level(|sums| sums.width),
        msis: per_level(|sums| sums.scaled),
        skill: (naive > 0.0).then(|| 1.0 - mase / naive),
    }
}
