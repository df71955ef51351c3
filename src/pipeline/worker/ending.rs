//! Where the data of a stream ends: a series whose forecast ends before it is stale.

use crate::ingest::{self, IngestError, IngestErrorKind, text_of_instant};
use crate::series::{self, Forecasts, Frequency, Panel, Status};
use jiff::tz::TimeZone;
use std::collections::BTreeMap;

/// What is known of where all of the data ends, of which the stream may be a part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Ending {
    /// Nothing: the stream is all of it.
    #[default]
    Unknown,
    /// The last times with an observed value.
    At(series::Ends),
    /// No series is stale because others go on.
    Apart,
}

/// The ends as far as they are known while a stream is read.
pub(super) struct Ends {
    ends: series::Ends,
    /// Whether the stream itself tells; then, by frequency, the forecast that ends first of those that count as alive.
    told: Option<BTreeMap<String, Alive>>,
    is_given: bool,
}

/// A forecast of a series that counts as alive.
struct Alive {
    unique_id: String,
    /// Its last time, microseconds UTC.
    until: i64,
}

impl Ends {
    pub(super) fn new(ending: &Ending) -> Ends {
        let (ends, told, is_given) = match ending {
            Ending::Unknown => (series::Ends::default(), Some(BTreeMap::new()), false),
            Ending::At(ends) => (ends.clone(), None, true),
            Ending::Apart => (series::Ends::apart(), None, false),
        };
        Ends { ends, told, is_given }
    }

    /// The ends after another panel.
    ///
    /// # Errors
    /// If a series goes on after the end that was given, or so far that one before it would have been stale.
    pub(super) fn reached(&mut self, panel: &Panel) -> Result<&series::Ends, IngestError> {
        if self.is_given {
            panel.series.iter().try_for_each(|series| self.within(series, &panel.zone))?;
        }
        if let Some(alive) = &self.told {
            self.ends.reach(panel);
            for series in &panel.series {
                let (Some(cutoff), Some(first)) = (series.cutoff(), alive.get(&series.frequency.to_string()))
                else {
                    continue;
                };
                if cutoff >= first.until {
                    return Err(late(&series.unique_id, cutoff, first, &panel.zone));
                }
            }
        }
        Ok(&self.ends)
    }

    /// Takes note of forecasts of a panel.
    pub(super) fn made(&mut self, panel: &Panel, forecasts: &Forecasts) {
        let Some(alive) = &mut self.told else { return };
        let steps: BTreeMap<&str, Frequency> =
            panel.series.iter().map(|series| (series.unique_id.as_str(), series.frequency)).collect();
        for one in &forecasts.series {
            let (Some(frequency), Some(&until)) = (steps.get(one.unique_id.as_str()), one.times.last())
            else {
                continue;
            };
            // Whatever else a forecast is, it is before it is stale.
            if !matches!(one.status, Status::Ok | Status::ColdStart) {
                continue;
            }
            let first = alive.entry(frequency.to_string());
            let first = first.or_insert_with(|| Alive { unique_id: one.unique_id.clone(), until });
            if until < first.until {
                *first = Alive { unique_id: one.unique_id.clone(), until };
            }
        }
    }

    fn within(&self, series: &series::Series, zone: &TimeZone) -> Result<(), IngestError> {
        match (series.cutoff(), self.ends.known(series.frequency)) {
            (Some(cutoff), Some(end)) if cutoff > end => Err(refused(format!(
                "{}: series '{}' goes on until {}, after --data-end {}; give the last time with a value in all of the data",
                ingest::STREAM_NAME,
                series.unique_id,
                text_of_instant(cutoff, zone),
                text_of_instant(end, zone)
            ))),
            _ => Ok(()),
        }
    }
}

fn late(unique_id: &str, cutoff: i64, first: &Alive, zone: &TimeZone) -> IngestError {
    let (end, until) = (text_of_instant(cutoff, zone), text_of_instant(first.until, zone));
    refused(format!(
        "{}: series '{unique_id}' goes on until {end}, and the forecast of '{}', which came before, ends {until}: it would be stale \
         beside it; give the last time with a value in all of the data with --data-end, or --data-end none if none is to be stale",
        ingest::STREAM_NAME,
        first.unique_id
    ))
}

fn refused(problem: String) -> IngestError {
    IngestError::new(IngestErrorKind::Data, vec![problem])
}
