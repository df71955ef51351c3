//! The quantiles of a run, corrected by what past runs of the job promised and missed.
//!
//! What a run was corrected by is kept beside it, so that later ones know what the model itself had said. Everything is
//! computed from the runs that stand in the sink and the values that were known at the slot: the same slot gives the same
//! correction again.

use crate::live::adaptive::{Correction, Row, Vintage, adapt};
use crate::model::spec::ModelSpec;
use crate::pipeline::JobSpec;
use crate::pipeline::actuals::Actuals;
use crate::publish::{self, Commit, PublishError, RunColumns};
use crate::series::Forecasts;
use crate::series::forecast::within;
use ndarray::Axis;
use std::collections::BTreeMap;

/// The newest runs that are learnt from, and their rows in all.
const RUNS_MAX: usize = 250;
const ROWS_MAX: usize = 1_000_000;

/// Corrections of one run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Corrections {
    /// By frequency of the series (`1h`).
    by_frequency: BTreeMap<String, Correction>,
    /// Steps that the runs they were learnt from reach back.
    pub steps: usize,
}

impl Corrections {
    /// Those that a run was published with; none if it was published as the model said. `None` if they cannot be read.
    fn of(commit: &Commit) -> Option<Corrections> {
        let text = publish::read_correction(commit);
        let text = text.inspect_err(|error| tracing::warn!(%error, "a run is not learnt from")).ok()?;
        let Some(text) = text else { return Some(Corrections::default()) };
        let all = serde_json::from_str::<BTreeMap<String, Correction>>(&text)
            .inspect_err(|error| tracing::warn!(run = commit.run_id, %error, "a run is not learnt from"))
            .ok()?;
        if !all.values().all(Correction::is_valid) {
            tracing::warn!(
                run = commit.run_id,
                "a run is not learnt from: its correction is of another s4cast"
            );
            return None;
        }
        Some(Corrections { by_frequency: all, steps: 0 })
    }

    /// As text; `None` if they change nothing.
    pub fn to_text(&self) -> Option<String> {
        let is_nothing = self.by_frequency.values().all(Correction::is_identity);
        (!is_nothing).then(|| serde_json::to_string(&self.by_frequency).expect("numbers and names are JSON"))
    }

    /// What the next run of a job is corrected by, learnt from the runs issued before an instant; `None` if those reach
    /// further back than what is known of the series.
    ///
    /// # Errors
    /// If the sink cannot be read.
    pub fn learn(
        job: &JobSpec,
        actuals: &Actuals<'_>,
        before: i64,
    ) -> Result<Option<Corrections>, PublishError> {
        let levels = job.model.quantile_levels();
        let mut past = Vec::new();
        let mut rows = 0;
        for commit in publish::runs(&job.sink.path, &job.name)?.iter().filter(|run| run.issued_at < before) {
            if past.len() == RUNS_MAX || rows >= ROWS_MAX {
                break;
            }
            let Some(corrections) = Corrections::of(commit) else { continue };
            let Some(run) = publish::read_columns(commit, levels)? else { continue };
            if run.quantiles.iter().map(|(level, _)| *level).eq(levels.iter().copied()) {
                rows += run.ds.len();
                let Some(one) = Past::new(commit.issued_at, corrections, &run, actuals) else {
                    return Ok(None);
                };
                past.push(one);
            }
        }
        let mut frequencies: Vec<&String> = past.iter().flat_map(|past| past.rows.keys()).collect();
        frequencies.sort();
        frequencies.dedup();
        let horizon = job.model.horizon();
        let of = |frequency: &&String| {
            let vintages: Vec<Vintage<'_>> =
                past.iter().filter_map(|past| past.vintage(frequency, levels, horizon)).collect();
            // The point is the model's own: it is not moved.
            ((*frequency).clone(), adapt(&vintages, levels, horizon, true))
        };
        let by_frequency = frequencies.iter().map(of).collect();
        Ok(Some(Corrections { by_frequency, steps: past.iter().map(|past| past.steps).max().unwrap_or(0) }))
    }

    /// Corrects the quantiles of all series; bounds and their reach hold afterwards as before. (Where a row ends at its
    /// reach, taking the correction back gives a little less than the model had said.)
    pub fn apply(&self, forecasts: &mut Forecasts, actuals: &Actuals<'_>, spec: &ModelSpec) {
        for one in &mut forecasts.series {
            let series = actuals.series(&one.unique_id);
            let correction = series.and_then(|series| self.by_frequency.get(&series.frequency.to_string()));
            let Some(correction) = correction.filter(|correction| !correction.is_identity()) else {
                continue;
            };
            for (step, mut row) in one.quantiles.axis_iter_mut(Axis(0)).enumerate() {
                let mut quantiles = row.to_vec();
                correction.apply(&one.unique_id, step, &mut quantiles);
                within(one.reach, spec.median(), &mut quantiles);
                row.iter_mut().zip(quantiles).for_each(|(to, from)| *to = spec.bounds().apply(from));
            }
        }
    }
}

/// A past run and its rows that have come true.
struct Past {
    issued_at: i64,
    corrections: Corrections,
    unique_ids: Vec<String>,
    /// By frequency.
    rows: BTreeMap<String, Vec<Met>>,
    /// Quantiles of those rows (rows, Q), row after row.
    published: Vec<f64>,
    /// Steps from its cutoff to the last value of any series.
    steps: usize,
}

/// A row that has come true.
struct Met {
    /// Index of its series.
    series: usize,
    step: usize,
    ds: i64,
    actual: f64,
    /// Index of its quantiles.
    row: usize,
}

impl Past {
    /// `None` if what is known of a series begins too late to say.
    fn new(
        issued_at: i64,
        corrections: Corrections,
        run: &RunColumns,
        actuals: &Actuals<'_>,
    ) -> Option<Past> {
        let mut past = Past {
            issued_at,
            corrections,
            unique_ids: Vec::new(),
            rows: BTreeMap::new(),
            published: Vec::new(),
            steps: 0,
        };
        let all: Vec<usize> = (0..run.ds.len()).collect();
        for rows in all.chunk_by(|&a, &b| run.unique_id[a] == run.unique_id[b]) {
            let (unique_id, cutoff) = (&run.unique_id[rows[0]], run.cutoff[rows[0]]);
            let Some(series) = actuals.series(unique_id) else { continue };
            past.steps = past.steps.max(series.steps_since(cutoff) + 1);
            if series.begins_after(cutoff)? {
                continue;
            }
            let of_frequency = past.rows.entry(series.frequency.to_string()).or_default();
            for &row in rows {
                let Some(actual) = series.at(run.ds[row]) else { continue };
                let Ok(step) = usize::try_from(run.step[row] - 1) else { continue };
                let place = past.published.len() / run.quantiles.len();
                past.published.extend(run.quantiles.iter().map(|(_, values)| values[row]));
                let series = past.unique_ids.len();
                of_frequency.push(Met { series, step, ds: run.ds[row], actual, row: place });
            }
            past.unique_ids.push(unique_id.clone());
        }
        past.rows.retain(|_, rows| !rows.is_empty());
        Some(past)
    }

    fn vintage(&self, frequency: &str, levels: &[f64], horizon: usize) -> Option<Vintage<'_>> {
        let row = |met: &Met| Row {
            unique_id: &self.unique_ids[met.series],
            step: met.step,
            ds: met.ds,
            actual: met.actual,
            published: &self.published[met.row * levels.len()..][..levels.len()],
        };
        let correction = self.corrections.by_frequency.get(frequency).cloned();
        Some(Vintage {
            issued_at: self.issued_at,
            correction: correction.unwrap_or_else(|| Correction::identity(levels, horizon)),
            rows: self.rows.get(frequency)?.iter().map(row).collect(),
        })
    }
}
