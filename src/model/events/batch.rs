//! Observations in work space, and windows of them.

use ndarray::{Array2, Array3};

use crate::model::work::{Space, WorkSeries};
use crate::series::Series;

/// Observations of a series in work space.
#[derive(Clone, Debug, Default)]
pub struct Events {
    /// Where they stand, in steps from the first visible one.
    positions: Vec<f64>,
    /// Values, measured from the level of the series.
    values: Vec<f32>,
}

impl Events {
    /// Of a series that is `skipped` steps longer in front than what is visible; none if it carries none. Values that
    /// have no place in the space, such as zeros among logarithms, are left out.
    pub fn of(series: &Series, skipped: usize, space: Space, unit: f64, level: f64) -> Events {
        let Some(observations) = &series.observations else { return Events::default() };
        let positions = observations.positions(&series.times);
        let work = |(position, value): (f64, &f64)| {
            let value = (space.apply(*value, unit) - level) as f32;
            value.is_finite().then_some((position - skipped as f64, value))
        };
        let (positions, values) = positions.into_iter().zip(observations.values()).filter_map(work).unzip();
        Events { positions, values }
    }

    /// Number of observations before a step.
    fn before(&self, origin: usize) -> usize {
        self.positions.partition_point(|position| *position < origin as f64)
    }

    /// Observations per step.
    pub fn rate(&self, steps: usize) -> f64 {
        self.positions.len() as f64 / steps.max(1) as f64
    }
}

/// What a window asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queries {
    /// The middle of every step of the horizon.
    Steps,
    /// The observations within the horizon, at most as many as it has steps.
    Observed,
}

/// Values per token: value, value before, logarithm of one plus the gap, whether it is a query.
pub const TOKEN: usize = 4;

/// Longest gap that is told apart from longer ones, in steps.
const GAP_MAX: f64 = 1_000.0;

/// Added to the variance of a window, as in instance normalisation.
const VARIANCE_FLOOR: f32 = 1e-5;

/// Observations that a window needs at least.
const CONTEXT_MIN: usize = 4;

/// A slice of windows, gathered.
pub struct Batch {
    /// (batch, K + T, P).
    pub tokens: Array3<f32>,
    /// Time since the token before, in steps (batch, K + T); 0 for padding.
    pub gaps: Array2<f32>,
    /// What the values of each window are measured from; `NaN` where there are too few observations.
    pub levels: Vec<f32>,
    /// Spread of each window.
    pub spreads: Vec<f32>,
    /// Values at the queries (batch, T) in work space, `NaN` where there is none.
    pub targets: Array2<f32>,
}

impl Batch {
    /// Gathers windows of the last `context` observations before each origin (K), with `horizon` queries (T).
    pub fn gather(
        (context, horizon): (usize, usize),
        series: &[&WorkSeries],
        origins: &[usize],
        queries: Queries,
    ) -> Batch {
        let (batch, len) = (series.len(), context + horizon);
        let mut gathered = Batch {
            tokens: Array3::zeros((batch, len, TOKEN)),
            gaps: Array2::zeros((batch, len)),
            levels: vec![f32::NAN; batch],
            spreads: vec![1.0; batch],
            targets: Array2::from_elem((batch, horizon), f32::NAN),
        };
        for (row, (series, &origin)) in series.iter().zip(origins).enumerate() {
            gathered.fill(row, (context, horizon), &series.events, origin, queries);
        }
        gathered
    }

    fn fill(
        &mut self,
        row: usize,
        (context, horizon): (usize, usize),
        events: &Events,
        origin: usize,
        queries: Queries,
    ) {
        let end = events.before(origin);
        let start = end.saturating_sub(context);
        let values = &events.values[start..end];
        if values.len() < CONTEXT_MIN {
            return;
        }
        let count = values.len() as f32;
        let level = values.iter().sum::<f32>() / count;
        let variance = values.iter().map(|value| (value - level).powi(2)).sum::<f32>() / count;
        let spread = (variance + VARIANCE_FLOOR).sqrt();
        (self.levels[row], self.spreads[row]) = (level, spread);
        let padding = context - values.len();
        let scaled = |at: usize| (events.values[at] - level) / spread;
        for (token, at) in (padding..).zip(start..end) {
            // The first of a series is held for one step.
            let before = at.checked_sub(1).map_or(events.positions[at] - 1.0, |at| events.positions[at]);
            let last = scaled(at.saturating_sub(1));
            self.token(row, token, [scaled(at), last], events.positions[at] - before, None);
        }
        let last = events.positions[end - 1];
        let mut from = last;
        let asked: Vec<(f64, f32)> = match queries {
            Queries::Steps => (0..horizon).map(|step| ((origin + step) as f64 + 0.5, f32::NAN)).collect(),
            Queries::Observed => {
                let until = events.before(origin + horizon);
                let all = until - end;
                // Evenly spaced ones of too many.
                let taken = (0..all.min(horizon)).map(|at| end + at * all / all.min(horizon));
                taken.map(|at| (events.positions[at], events.values[at])).collect()
            }
        };
        for (query, &(position, value)) in asked.iter().enumerate() {
            self.token(row, context + query, [0.0; 2], position - from, Some(position - last));
            self.targets[[row, query]] = value;
            from = position;
        }
    }

    fn token(&mut self, row: usize, token: usize, values: [f32; 2], gap: f64, since: Option<f64>) {
        let told = since.unwrap_or(gap).clamp(0.0, GAP_MAX).ln_1p() as f32;
        let features = [values[0], values[1], told, f32::from(u8::from(since.is_some()))];
        (0..TOKEN).for_each(|at| self.tokens[[row, token, at]] = features[at]);
        self.gaps[[row, token]] = gap.clamp(0.0, GAP_MAX) as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::{Frequency, observations::Observations};
    use jiff::tz::TimeZone;

    fn work(times: &[i64]) -> WorkSeries {
        let values: Vec<f64> = times.iter().map(|time| *time as f64).collect();
        let observations = Observations::new(times.to_vec(), values);
        let frequency = Frequency::Fixed { micros: 10 };
        let (grid, values) = observations.on_grid(frequency, &TimeZone::UTC).unwrap();
        let series = Series {
            unique_id: "a".into(),
            keys: vec![],
            frequency,
            times: grid,
            values,
            covariates: Vec::new(),
            observations: Some(observations),
            filled: Vec::new(),
        };
        let steps = series.values.len();
        WorkSeries::new(&series, steps, steps, Space::Standard, 1)
    }

    #[test]
    fn a_window_ends_before_its_origin_and_asks_for_what_comes_after() {
        let work = work(&[1, 5, 12, 18, 24, 30, 31, 47, 58]);
        let batch = Batch::gather((6, 2), &[&work], &[3], Queries::Observed);
        let gaps: Vec<f32> = batch.gaps.row(0).iter().map(|gap| (gap * 10.0).round()).collect();
        // One of padding, one held for a step, then gaps; of 30, 31 and 47 within the horizon, two are asked for.
        assert_eq!(gaps, [0.0, 10.0, 4.0, 7.0, 6.0, 6.0, 6.0, 1.0]);
        let later = Batch::gather((6, 2), &[&work], &[3], Queries::Steps);
        assert_eq!(later.gaps.row(0).iter().map(|gap| (gap * 10.0).round()).sum::<f32>(), 33.0 + 11.0 + 10.0);
        assert!(later.targets.iter().all(|target| target.is_nan()));
        assert_eq!(batch.targets.iter().filter(|target| target.is_nan()).count(), 0);
        assert!(Batch::gather((6, 2), &[&work], &[1], Queries::Steps).levels[0].is_nan(), "two observations");
    }
}
