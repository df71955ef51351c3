//! How much memory a job takes, told before its work begins, and held against what it may take.
//!
//! ```text
//! files ─▶ ingest::Dimensions ─▶ plan of the reading ─▶ refused, or read ─▶ plan of the whole ─▶ refused, or worked
//!           bytes, rows, about how many series            panel, exactly      largest of its stages
//! ```
//!
//! A stage is what is held while it works, and what it needs beside that; the plan is its largest stage. In bytes, with R rows of
//! S series that become V steps, N values of covariates, horizon T, levels Q:
//!
//! ```text
//! reading      process + 16 R (20 R where series take turns) + 1 800 S + 8 N + 16 R of the column being read + rows of a chunk
//! held         process + 16 V + 800 S + 8 N + half a chunk, which the allocator does not give back
//! training     held + model::footprint::fit of the largest group
//! forecasting  held + model::footprint::forecast of all groups, once more for each scenario
//! publishing   held + forecasts + a row group and its encoders
//! ```
//!
//! Constants are measured: `benches/memory.py` holds plans against peaks. A plan is no promise of the allocator; it is meant to
//! be right within a quarter.

mod limit;

pub use limit::{MemoryError, MemoryReport, guard, limit};

use crate::ingest::{Dimensions, Ingested, is_sum};
use crate::model::footprint::{self, Extent, Parts};
use crate::model::spec::ModelSpec;
use crate::series::Panel;
use std::collections::HashSet;

/// The program's own pages and what every job touches, without and with the reader of Parquet.
const PROCESS: u64 = 25 << 20;
const PROCESS_PARQUET: u64 = 29 << 20;

/// A series while it is read, and kept, beside its values: id, quality, list heads, what the allocator adds to small pieces.
const SERIES_READ: u64 = 1_800;
const SERIES_KEPT: u64 = 800;

/// A block of CSV with its cells, or a page of Parquet.
const BLOCK: u64 = 4 << 20;

/// A row of the file of forecasts: in a batch, and encoded in the row group that is being written.
const ROW_OF_BATCH: u64 = 420;
const ROW_OF_GROUP: u64 = 110;
const BATCH_ROWS: u64 = 16_384;
const GROUP_ROWS: u64 = 122_880;

/// Past errors of every node of a hierarchy, and its draws at one step.
const NODE_MOMENTS: u64 = 200 * 8;
const NODE_DRAWS: u64 = 512 * (2 + 8);

/// What is held while one stage of a job works, by what it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// In a word: `reading`, `training`, `forecasting`, `publishing`.
    pub name: &'static str,
    /// Bytes of each part.
    pub parts: Parts,
}

impl Stage {
    fn bytes(&self) -> u64 {
        self.parts.iter().fold(0, |sum: u64, (_, bytes)| sum.saturating_add(*bytes))
    }
}

/// The memory of a job, stage by stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryPlan {
    stages: Vec<Stage>,
}

/// What a job does with what it reads, as far as memory is concerned.
#[derive(Clone, Debug)]
pub struct Demand<'a> {
    /// Settings of every model, as they follow each other.
    pub models: Vec<&'a ModelSpec>,
    /// Whether they are fitted; else they are loaded.
    pub is_fitted: bool,
    /// Rows of every forecast.
    pub rows: usize,
    /// What is forecast beside the plan.
    pub scenarios: usize,
    /// Copies of the series that are held beside them: the part that a backtest cuts off.
    pub copies: u64,
    /// Processes that share the series.
    pub shards: u64,
    /// Worker threads.
    pub threads: usize,
}

impl Demand<'_> {
    fn levels(&self) -> u64 {
        self.models.iter().map(|spec| spec.quantile_levels().len() as u64).max().unwrap_or(0)
    }
}

impl MemoryPlan {
    /// Of a job whose source has not been read: its reading, and the forecasts that it must hold in any case.
    pub fn before(dimensions: &Dimensions, demand: &Demand<'_>) -> MemoryPlan {
        let reading = reading(dimensions, demand.shards, dimensions.series / demand.shards, 0);
        let series = dimensions.series / demand.shards;
        let mut forecasts = vec![
            ("process", process(dimensions)),
            ("values", 16 * dimensions.rows / demand.shards),
            ("series", SERIES_KEPT * series),
        ];
        let made = footprint::made(series, demand.rows as u64, demand.levels());
        forecasts.push(("forecasts", made * (1 + demand.scenarios as u64)));
        MemoryPlan { stages: vec![reading, Stage { name: "forecasting", parts: forecasts }] }
    }

    /// Of a job whose source has been read.
    pub fn of(ingested: &Ingested, demand: &Demand<'_>) -> MemoryPlan {
        let (panel, dimensions) = (&ingested.panel, &ingested.dimensions);
        let covariates = 8 * covariate_values(panel) as u64;
        let exact = Dimensions { rows: rows(ingested), ..*dimensions };
        let series = ingested.quality.len() as u64;
        let steps: usize = panel.series.iter().map(|series| series.values.len()).sum();
        let held: Parts = vec![
            ("process", process(dimensions)),
            ("values", 16 * steps as u64 * (1 + demand.copies)),
            ("series", SERIES_KEPT * (series + panel.series.len() as u64 * demand.copies)),
            ("covariates", covariates),
            ("rows that were read", dimensions.chunk_bytes / 2),
        ];
        let mut stages = vec![reading(&exact, 1, series, covariates)];
        let with = |parts: Parts| -> Parts {
            held.iter().cloned().chain(parts).filter(|(_, bytes)| *bytes > 0).collect()
        };
        for spec in &demand.models {
            let extents = footprint::extents(panel, spec);
            if demand.is_fitted {
                let fits = extents.iter().map(|extent| footprint::fit(extent, spec, demand.threads));
                let fit = fits.max_by_key(|parts| parts.iter().map(|(_, bytes)| bytes).sum::<u64>());
                stages.push(Stage { name: "training", parts: with(fit.unwrap_or_default()) });
            }
            stages
                .push(Stage { name: "forecasting", parts: with(forecasting(panel, &extents, spec, demand)) });
        }
        let made = footprint::made(panel.series.len() as u64, demand.rows as u64, demand.levels());
        let made = made * (1 + demand.scenarios as u64);
        let rows = (panel.series.len() * demand.rows * (1 + demand.scenarios)) as u64;
        let written = ROW_OF_BATCH * rows.min(BATCH_ROWS) + ROW_OF_GROUP * rows.min(GROUP_ROWS);
        let publishing = vec![("forecasts", made), ("file", written)];
        stages.push(Stage { name: "publishing", parts: with(publishing) });
        MemoryPlan { stages }
    }

    /// Bytes of the largest stage but for what the process holds anyway.
    pub fn own_bytes(&self) -> u64 {
        let process =
            |stage: &Stage| stage.parts.iter().find(|(name, _)| *name == "process").map_or(0, |part| part.1);
        self.largest().map_or(0, |stage| stage.bytes() - process(stage))
    }

    /// Of one stage with these parts.
    #[cfg(test)]
    pub(in crate::pipeline) fn of_parts(name: &'static str, parts: Parts) -> MemoryPlan {
        MemoryPlan { stages: vec![Stage { name, parts }] }
    }

    /// Bytes of the largest stage.
    pub fn bytes(&self) -> u64 {
        self.largest().map_or(0, Stage::bytes)
    }

    /// The largest stage.
    pub fn largest(&self) -> Option<&Stage> {
        self.stages.iter().max_by_key(|stage| stage.bytes())
    }

    /// All stages, in order.
    pub fn stages(&self) -> &[Stage] {
        &self.stages
    }
}

/// What is held when the last rows are read.
fn reading(dimensions: &Dimensions, shards: u64, series: u64, covariates: u64) -> Stage {
    let row = if dimensions.is_interleaved { 20 } else { 16 };
    let rows = dimensions.rows / shards;
    let columns = if dimensions.covariates > 0 { 16 * rows } else { 0 };
    let covariates = covariates.max(8 * rows * dimensions.covariates);
    let parts = vec![
        ("process", process(dimensions)),
        ("rows", row * rows),
        ("series", SERIES_READ * series),
        ("covariates", covariates + columns),
        ("a block of rows", BLOCK + dimensions.chunk_bytes),
    ];
    Stage { name: "reading", parts: parts.into_iter().filter(|(_, bytes)| *bytes > 0).collect() }
}

/// What forecasting all groups takes; of a hierarchy what makes them add up, too.
fn forecasting(panel: &Panel, extents: &[Extent], spec: &ModelSpec, demand: &Demand<'_>) -> Parts {
    let mut sum: Parts = Vec::new();
    for (name, bytes) in extents.iter().flat_map(|extent| footprint::forecast(extent, spec, demand.rows)) {
        match sum.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => *sum += bytes,
            None => sum.push((name, bytes)),
        }
    }
    let nodes = panel.series.len() as u64;
    let made = footprint::made(nodes, demand.rows as u64, demand.levels());
    sum.push(("scenarios", made * demand.scenarios as u64));
    if panel.series.iter().any(is_sum) {
        sum.push(("reconciliation", nodes * (NODE_MOMENTS + NODE_DRAWS) + made));
    }
    sum
}

fn process(dimensions: &Dimensions) -> u64 {
    if dimensions.chunk_bytes > 0 { PROCESS_PARQUET } else { PROCESS }
}

/// Rows that were kept while reading: those of the usable series and of the others.
fn rows(ingested: &Ingested) -> u64 {
    ingested.quality.iter().map(|quality| quality.rows as u64).sum()
}

/// Bytes of a panel that is kept.
pub fn panel_bytes(panel: &Panel) -> u64 {
    let steps: usize = panel.series.iter().map(|series| series.values.len()).sum();
    16 * steps as u64 + 8 * covariate_values(panel) as u64 + SERIES_KEPT * panel.series.len() as u64
}

/// Values of covariates, those that series share counted once.
fn covariate_values(panel: &Panel) -> usize {
    let mut seen = HashSet::new();
    let rows = panel.series.iter().flat_map(|series| &series.covariates);
    rows.filter(|row| seen.insert(row.place().0)).map(|row| row.values().len()).sum()
}
