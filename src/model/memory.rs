//! What a forecaster keeps of a panel: its forecasts from there cost the same however long the series are.
//!
//! ```text
//! panel ──remember──▶ Memory ──advance by new rows──▶ Memory ──predict──▶ the forecasts of the whole panel, bit for bit
//! ```

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::model::past::{Kept, Past};
use crate::model::predict::Reading;
use crate::series::{Frequency, Panel, SEASON_MAX, Series};

/// What a forecaster keeps of a panel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// See [`Panel::id_columns`].
    pub id_columns: Vec<String>,
    /// Series, ascending by `unique_id`.
    pub series: Vec<Remembered>,
    /// How the forecaster reads series, by frequency.
    readings: BTreeMap<String, Reading>,
    /// Steps that are kept of each series, if that is more than the forecaster reads.
    steps: usize,
}

/// What is kept of one series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Remembered {
    /// See [`Series::unique_id`].
    pub unique_id: String,
    /// See [`Series::keys`].
    pub keys: Vec<String>,
    /// See [`Series::frequency`].
    pub frequency: Frequency,
    /// Timestamp of the first step that is kept, microseconds UTC.
    pub start: i64,
    /// Timestamp of the last step, microseconds UTC.
    pub cutoff: i64,
    /// Its values, as far as a forecast needs them.
    pub kept: Kept,
}

/// Why new rows do not go on from what is remembered. The whole panel is to be read then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Apart {
    /// A series without a past.
    #[error("series '{0}' is new")]
    New(String),
    /// Rows at or before the last step that is remembered, or off its grid.
    #[error("rows of series '{0}' do not follow its last step")]
    Order(String),
}

impl Memory {
    pub(super) fn of(panel: &Panel, readings: BTreeMap<String, Reading>, steps: usize) -> Memory {
        let one = |series: &Series| {
            let Reading { space, season, reach } = readings[&series.frequency.to_string()];
            let kept = Kept::of(&Past::of(&series.values, space, season, reach.max(steps)));
            Some(Remembered {
                unique_id: series.unique_id.clone(),
                keys: series.keys.clone(),
                frequency: series.frequency,
                start: series.times[series.times.len().checked_sub(kept.tail.len().max(1))?],
                cutoff: series.cutoff()?,
                kept,
            })
        };
        let series = panel.series.par_iter().filter_map(one).collect();
        Memory { id_columns: panel.id_columns.clone(), series, readings, steps }
    }

    /// Whether a forecaster that reads series like that can go on from here.
    pub(super) fn is_read_as(&self, reading: impl Fn(Frequency) -> Reading) -> bool {
        let is_same =
            |one: &Remembered| self.readings.get(&one.frequency.to_string()) == Some(&reading(one.frequency));
        self.series.iter().all(is_same)
    }

    /// Whether it holds together: files may come from anywhere.
    pub fn is_valid(&self) -> bool {
        let is_whole = |one: &Remembered| {
            let Kept { sums, before, tail } = &one.kept;
            let Some(reading) = self.readings.get(&one.frequency.to_string()) else { return false };
            let is_all = sums.steps == tail.len();
            let is_written = one.frequency.to_string().parse() == Ok(one.frequency);
            let is_tail_long_enough = tail.len() >= reading.reach || is_all;
            // Or its grid would be longer than the file.
            let span = usize::try_from(one.frequency.steps_between(one.start, one.cutoff));
            let is_span_of_tail = span.is_ok_and(|steps| steps <= 2 * tail.len());
            (1..=reading.reach.min(SEASON_MAX)).contains(&reading.season)
                && one.start <= one.cutoff
                && !tail.is_empty()
                && sums.steps >= tail.len()
                && is_written
                && is_tail_long_enough
                && is_span_of_tail
                && before.len() == (sums.steps - tail.len()).min(reading.season)
        };
        self.series.is_sorted_by(|one, other| one.unique_id < other.unique_id)
            && self.series.iter().all(is_whole)
    }

    /// The steps of a panel of new rows, and the missing ones before them: what follows what is remembered.
    ///
    /// # Errors
    /// If they do not follow; see [`Apart`].
    pub fn follow(&self, mut panel: Panel) -> Result<Panel, Apart> {
        let zone = panel.zone.clone();
        let complete = |series: &mut Series| {
            let place = self.series.binary_search_by(|one| one.unique_id.cmp(&series.unique_id));
            let one = &self.series[place.map_err(|_| Apart::New(series.unique_id.clone()))?];
            one.lead_to(series, &zone).ok_or_else(|| Apart::Order(series.unique_id.clone()))
        };
        panel.series.par_iter_mut().try_for_each(complete)?;
        Ok(panel)
    }

    /// Goes on by the steps that [`Memory::follow`] gave.
    pub fn advance(&mut self, steps: &Panel) {
        let mut new: Vec<Option<&Series>> = vec![None; self.series.len()];
        for series in &steps.series {
            if let Ok(place) = self.series.binary_search_by(|one| one.unique_id.cmp(&series.unique_id)) {
                new[place] = Some(series);
            }
        }
        let (readings, kept) = (&self.readings, self.steps);
        self.series.par_iter_mut().zip(new).for_each(|(one, new)| {
            let Some(new) = new else { return };
            let Reading { space, season, reach } = readings[&one.frequency.to_string()];
            let before = one.kept.tail.len();
            one.kept.extend(&new.values, space, season, reach.max(kept));
            let gone = before + new.values.len() - one.kept.tail.len();
            one.start =
                one.frequency.after(one.start, gone, &steps.zone).last().copied().unwrap_or(one.start);
            one.cutoff = new.cutoff().unwrap_or(one.cutoff);
        });
    }
}

impl Remembered {
    /// Puts the steps that are missing between the last one and new ones in front of those; `None` where they do not follow.
    fn lead_to(&self, new: &mut Series, zone: &TimeZone) -> Option<()> {
        let (first, last) = (*new.times.first()?, new.cutoff()?);
        if self.frequency != new.frequency || first <= self.cutoff {
            return None;
        }
        let grid = self.frequency.grid(self.cutoff, last, zone);
        let (start, steps) = grid.split_first()?;
        if *start != self.cutoff || !steps.ends_with(&new.times) {
            return None;
        }
        let missing = steps.len() - new.times.len();
        new.values.splice(..0, std::iter::repeat_n(f64::NAN, missing));
        new.times = steps.to_vec();
        Some(())
    }
}
