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
use crate::series::{Panel, Series};
use std::collections::HashSet;

/// The program's own pages and what every job touches, without and with the reader of Parquet.
const PROCESS: u64 = 31 << 20;
const PROCESS_PARQUET: u64 = 36 << 20;

/// A series while it is read, and kept, beside its values: id, quality, list heads, what the allocator adds to small pieces.
const SERIES_READ: u64 = 1_800;
const SERIES_KEPT: u64 = 800;

/// What is kept of a series of another share.
const SKETCH: u64 = 600;

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

/// Parts that forecasts are made in at most.
pub(super) const PARTS_MAX: u64 = 64;

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
    /// Parts that the forecasts are made in, one after the other.
    pub parts: u64,
    /// Passes over the source, each of which keeps a share of the series.
    pub passes: u64,
    /// Forecasts of earlier passes that are held.
    pub made: u64,
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
        let (shares, series) = (demand.shards * demand.passes, dimensions.series / demand.shards);
        let mut reading = reading(dimensions, shares, dimensions.series / shares, 0);
        let made = footprint::made(series, demand.rows as u64, demand.levels());
        if demand.passes > 1 {
            reading.parts.push(("forecasts", made));
        }
        let mut forecasts = vec![
            ("process", process(dimensions)),
            ("values", 16 * dimensions.rows / shares),
            ("series", SERIES_KEPT * series / demand.passes),
            ("series of other passes", others(dimensions, shares)),
        ];
        forecasts.push(("forecasts", made * (1 + demand.scenarios as u64)));
        MemoryPlan { stages: vec![reading, Stage { name: "forecasting", parts: forecasts }] }
    }

    /// Of a job whose source has been read.
    pub fn of(ingested: &Ingested, demand: &Demand<'_>) -> MemoryPlan {
        MemoryPlan::with(ingested, demand, &groups(ingested, demand))
    }

    /// Of a job whose source has been read, with its forecasts made in as few parts as keep it within a limit; in one where no
    /// number of parts does. With that number.
    pub fn in_parts(ingested: &Ingested, demand: &Demand<'_>, limit: Option<u64>) -> (MemoryPlan, u64) {
        let groups = groups(ingested, demand);
        let plan = |parts| MemoryPlan::with(ingested, &Demand { parts, ..demand.clone() }, &groups);
        let whole = plan(1);
        let Some(limit) = limit.filter(|limit| whole.bytes() > *limit) else { return (whole, 1) };
        let counts = (1..=PARTS_MAX.ilog2()).map(|power| 1_u64 << power);
        let smaller = counts.map(|parts| (plan(parts), parts)).find(|(plan, _)| plan.bytes() <= limit);
        smaller.unwrap_or((whole, 1))
    }

    fn with(ingested: &Ingested, demand: &Demand<'_>, groups: &[Vec<Extent>]) -> MemoryPlan {
        let (panel, dimensions) = (&ingested.panel, &ingested.dimensions);
        let covariates = 8 * covariate_values(panel) as u64;
        let exact = Dimensions { rows: rows(ingested), ..*dimensions };
        let series = ingested.quality.len() as u64;
        let steps: usize = panel.series.iter().map(|series| series.values.len()).sum();
        let observed = |series: &Series| series.observations.as_ref().map_or(0, |one| one.times().len());
        let observations: usize = panel.series.iter().map(observed).sum();
        let held: Parts = vec![
            ("process", process(dimensions)),
            ("values", 16 * steps as u64 * (1 + demand.copies)),
            ("series", SERIES_KEPT * (series + panel.series.len() as u64 * demand.copies)),
            ("covariates", covariates),
            ("observations", 16 * observations as u64),
            ("rows that were read", dimensions.chunk_bytes / 2),
            ("forecasts of other passes", footprint::made(demand.made, demand.rows as u64, demand.levels())),
        ];
        let mut read = reading(&exact, 1, series, covariates);
        let sketched = others(dimensions, demand.shards * demand.passes);
        read.parts.extend((sketched > 0).then_some(("series of others", sketched)));
        let mut stages = vec![read];
        let with = |parts: Parts| -> Parts {
            held.iter().cloned().chain(parts).filter(|(_, bytes)| *bytes > 0).collect()
        };
        for (spec, extents) in demand.models.iter().zip(groups) {
            if demand.is_fitted {
                let fits = extents.iter().map(|extent| footprint::fit(extent, spec, demand.threads));
                let fit = fits.max_by_key(|parts| parts.iter().map(|(_, bytes)| bytes).sum::<u64>());
                stages.push(Stage { name: "training", parts: with(fit.unwrap_or_default()) });
            }
            stages
                .push(Stage { name: "forecasting", parts: with(forecasting(panel, extents, spec, demand)) });
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

/// The groups of the series, as every model sees them.
fn groups(ingested: &Ingested, demand: &Demand<'_>) -> Vec<Vec<Extent>> {
    let of = |spec: &&ModelSpec| footprint::extents(&ingested.panel, spec, demand.is_fitted);
    demand.models.iter().map(of).collect()
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
        ("series of others", others(dimensions, shards)),
        ("covariates", covariates + columns),
        ("a block of rows", BLOCK + dimensions.chunk_bytes),
    ];
    Stage { name: "reading", parts: parts.into_iter().filter(|(_, bytes)| *bytes > 0).collect() }
}

/// Sketches of series that are not kept.
fn others(dimensions: &Dimensions, shares: u64) -> u64 {
    if shares > 1 { SKETCH * dimensions.series } else { 0 }
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
    if demand.parts > 1 {
        // All forecasts, and of one part what it takes to make them, with a copy of its series.
        let steps: usize = extents.iter().map(|extent| extent.steps).sum();
        let whole: u64 = sum.iter().map(|(_, bytes)| bytes).sum();
        let part = (whole.saturating_sub(made) + 16 * steps as u64) / demand.parts;
        sum = vec![("forecasts", made), ("a part of the series", part)];
    }
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
