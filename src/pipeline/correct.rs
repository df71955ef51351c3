//! The quantiles of a run, corrected by what past runs of the job promised and missed.
//!
//! What a run was corrected by is kept beside it, so that later ones know what the model itself had said. Everything is
//! computed from the runs that stand in the sink and the values that were known at the slot: the same slot gives the same
//! correction again.

use crate::live::adaptive::{Correction, Row, Vintage, adapt};
use crate::live::truth::Truth;
use crate::model::spec::ModelSpec;
use crate::pipeline::JobSpec;
use crate::publish::{self, Commit, PublishError, RunColumns};
use crate::series::Forecasts;
use ndarray::Axis;
use std::collections::BTreeMap;

/// The newest runs that are learnt from, and their rows in all.
const RUNS_MAX: usize = 250;
const ROWS_MAX: usize = 1_000_000;

/// Corrections of one run, by frequency of the series (`1h`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Corrections(BTreeMap<String, Correction>);

impl Corrections {
    /// Those that a run was published with; none if it was published as the model said. `None` if they cannot be read.
    fn of(commit: &Commit) -> Option<Corrections> {
        let text = publish::read_correction(commit);
        let text = text.inspect_err(|error| tracing::warn!(%error, "a run is not learnt from")).ok()?;
        let Some(text) = text else { return Some(Corrections::default()) };
        let all: BTreeMap<String, Correction> = serde_json::from_str(&text).ok()?;
        all.values().all(Correction::is_valid).then_some(Corrections(all))
    }

    /// As text; `None` if they change nothing.
    pub fn to_text(&self) -> Option<String> {
        let is_nothing = self.0.values().all(Correction::is_identity);
        (!is_nothing).then(|| serde_json::to_string(&self.0).expect("numbers and names are JSON"))
    }

    /// What the next run of a job is corrected by, learnt from the runs issued before an instant.
    ///
    /// # Errors
    /// If the sink cannot be read.
    pub fn learn(job: &JobSpec, truth: &Truth<'_>, before: i64) -> Result<Corrections, PublishError> {
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
                past.push(Past::new(commit.issued_at, corrections, &run, truth));
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
        Ok(Corrections(frequencies.iter().map(of).collect()))
    }

    /// Corrects the quantiles of all series; bounds hold afterwards as before.
    pub fn apply(&self, forecasts: &mut Forecasts, truth: &Truth<'_>, spec: &ModelSpec) {
        for one in &mut forecasts.series {
            let series = truth.series(&one.unique_id);
            let correction = series.and_then(|series| self.0.get(&series.frequency.to_string()));
            let Some(correction) = correction.filter(|correction| !correction.is_identity()) else {
                continue;
            };
            for (step, mut row) in one.quantiles.axis_iter_mut(Axis(0)).enumerate() {
                let mut quantiles = row.to_vec();
                correction.apply(&one.unique_id, step, &mut quantiles);
                row.iter_mut().zip(quantiles).for_each(|(to, from)| *to = spec.bounds().apply(from));
            }
        }
    }
}

/// A past run and its rows that have come true.
struct Past {
    issued_at: i64,
    corrections: Corrections,
    /// By frequency.
    rows: BTreeMap<String, Vec<Met>>,
}

/// A row that has come true.
struct Met {
    unique_id: String,
    step: usize,
    ds: i64,
    actual: f64,
    published: Vec<f64>,
}

impl Past {
    fn new(issued_at: i64, corrections: Corrections, run: &RunColumns, truth: &Truth<'_>) -> Past {
        let mut rows: BTreeMap<String, Vec<Met>> = BTreeMap::new();
        for met in truth.met(run) {
            let Ok(step) = usize::try_from(run.step[met.row] - 1) else { continue };
            rows.entry(met.series.frequency.to_string()).or_default().push(Met {
                unique_id: met.series.unique_id.clone(),
                step,
                ds: run.ds[met.row],
                actual: met.actual,
                published: run.quantiles.iter().map(|(_, values)| values[met.row]).collect(),
            });
        }
        Past { issued_at, corrections, rows }
    }

    fn vintage(&self, frequency: &str, levels: &[f64], horizon: usize) -> Option<Vintage<'_>> {
        let rows = self.rows.get(frequency)?.iter();
        let correction = self.corrections.0.get(frequency).cloned();
        Some(Vintage {
            issued_at: self.issued_at,
            correction: correction.unwrap_or_else(|| Correction::identity(levels, horizon)),
            rows: rows.map(row_of).collect(),
        })
    }
}

fn row_of(met: &Met) -> Row<'_> {
    Row {
        unique_id: &met.unique_id,
        step: met.step,
        ds: met.ds,
        actual: met.actual,
        published: &met.published,
    }
}
