//! Work that does not fit into memory at once, done in parts that change no forecast.
//!
//! - Forecasts of series that are at hand are made some series at a time ([`in_parts`]): no forecast depends on which series are
//!   forecast beside it, but for where they end, which is told.
//! - Series that are too many to be at hand are read in passes, each of which keeps a share of them, as one of several processes
//!   would (`ingest::sketch`), and forecast by a model that was trained before. Their forecasts are kept and written at the end, as
//!   one file, sorted as ever.

use crate::ingest::{self, Dimensions, Ingested};
use crate::pipeline::memory_plan::{Demand, MemoryPlan, PARTS_MAX};
use crate::pipeline::{Job, SourceReport};
use crate::series::{Ends, Forecasts, Panel, Quality, Shard};

/// Passes over a source at most.
const PASSES_MAX: u32 = 64;

/// The least number of passes in which a source can be read within a limit; `None` where it is not to be read again and again, or
/// more would not do.
pub(super) fn passes(
    job: &Job,
    dimensions: &Dimensions,
    demand: &Demand<'_>,
    limit: Option<u64>,
) -> Option<u32> {
    let source = &job.source;
    // A command would run every time. Sums need all of their series. The fingerprint of covariates is one of all series.
    let can = source.exec.is_none()
        && source.spooled.is_none()
        && source.shard.is_none()
        && source.sums.levels.is_none()
        && dimensions.covariates == 0
        && source.almanac.is_empty()
        && job.scenarios.is_empty();
    let limit = limit.filter(|_| can)?;
    (2..=PASSES_MAX).find(|&passes| {
        let demand = Demand { passes: u64::from(passes), parts: PARTS_MAX, ..demand.clone() };
        MemoryPlan::before(dimensions, &demand).bytes() <= limit
    })
}

/// Forecasts of a panel, so many parts of it one after the other.
pub(super) fn in_parts(
    panel: &Panel,
    ends: &Ends,
    parts: usize,
    predict: impl Fn(&Panel, &Ends) -> Forecasts,
) -> Forecasts {
    if parts <= 1 {
        return predict(panel, ends);
    }
    let mut ends = ends.clone();
    ends.reach(panel);
    let Panel { id_columns, covariates, zone, marks, .. } = panel;
    let (id_columns, covariates, zone, marks) =
        (id_columns.clone(), covariates.clone(), zone.clone(), marks.clone());
    let mut part = Panel { id_columns, covariates, series: Vec::new(), zone, marks };
    let mut all: Option<Forecasts> = None;
    for some in panel.series.chunks(panel.series.len().div_ceil(parts).max(1)) {
        part.series = some.to_vec();
        let made = predict(&part, &ends);
        match &mut all {
            None => all = Some(made),
            Some(all) => all.series.extend(made.series),
        }
    }
    all.unwrap_or_else(|| predict(panel, &ends))
}

/// What several passes over one source found and made.
#[derive(Default)]
pub(super) struct Gathered {
    forecasts: Option<Forecasts>,
    pub(super) quality: Vec<Quality>,
    source: Option<SourceReport>,
    /// Ids of the usable series with what identifies their values.
    chains: Vec<(String, ingest::Chain)>,
}

impl Gathered {
    /// Adds what a pass found and made.
    pub(super) fn add(&mut self, ingested: Ingested, source: SourceReport, forecasts: Forecasts) {
        let ids = ingested.panel.series.iter().map(|series| series.unique_id.clone());
        self.chains.extend(ids.zip(ingest::chains(&ingested.panel.series)));
        self.quality.extend(ingested.quality);
        match &mut self.forecasts {
            None => self.forecasts = Some(forecasts),
            Some(all) => all.series.extend(forecasts.series),
        }
        match &mut self.source {
            None => self.source = Some(source),
            Some(all) => all.join(source),
        }
    }

    /// Number of forecasts so far.
    pub(super) fn made(&self) -> usize {
        self.forecasts.as_ref().map_or(0, |forecasts| forecasts.series.len())
    }

    /// All of it, as one reading would have found and made it; `None` before the first pass.
    pub(super) fn whole(mut self) -> Option<(Forecasts, SourceReport, Vec<Quality>)> {
        let (mut forecasts, mut source) = (self.forecasts?, self.source?);
        forecasts.series.sort_by(|a, b| a.unique_id.cmp(&b.unique_id));
        self.quality.sort_by(|a, b| a.unique_id.cmp(&b.unique_id));
        self.chains.sort_by(|a, b| a.0.cmp(&b.0));
        let chains: Vec<ingest::Chain> = self.chains.into_iter().map(|(_, chain)| chain).collect();
        source.fingerprint = ingest::fingerprint_of(&chains);
        source.quarantined.sort();
        Some((forecasts, source, self.quality))
    }
}

/// The shares of the passes.
pub(super) fn shares(passes: u32) -> impl Iterator<Item = Shard> {
    (0..passes).filter_map(move |pass| Shard::new(pass, passes).ok())
}
