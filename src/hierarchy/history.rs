//! The past of aggregates: sums of their leaves on one grid.

use super::HierarchyError;
use super::tree::Hierarchy;
use crate::series::{Panel, Series};
use rayon::prelude::*;

/// Share of an aggregate's size that may be carried forward; with more, its value is missing.
const CARRIED_MAX: f64 = 0.1;

/// A leaf on the common grid.
struct Placed<'a> {
    begin: usize,
    values: &'a [f64],
}

impl Hierarchy {
    /// The panel of all nodes: every aggregate with the sum of its leaves, and the leaves as they are.
    ///
    /// A leaf counts 0 before its first value: it was not there. Where it has no value later, its last one is carried
    /// forward, until it has one again, or for one usual season (at least one step) after its end; then it has ended and
    /// counts 0. Where what is carried is more than a tenth of an aggregate's size (Σ |value|), the aggregate's value is
    /// missing: a late or broken meter makes no dip, and one gap among thousands of leaves no hole. Nothing later than a step
    /// is used for it, but that a leaf came back at all.
    ///
    /// An aggregate begins with its first leaf and ends with its last value; one without any value is left out. `panel` is
    /// that of the leaves the hierarchy was built from.
    pub fn aggregate(&self, mut panel: Panel) -> Result<Panel, HierarchyError> {
        let Some(earliest) =
            panel.series.iter().filter(|one| !one.times.is_empty()).min_by_key(|one| one.times[0])
        else {
            return Ok(panel);
        };
        let end = panel.series.iter().filter_map(Series::cutoff).max().unwrap_or(earliest.times[0]);
        let grid = earliest.frequency.grid(earliest.times[0], end, &panel.zone);
        let mut placed: Vec<Option<Placed<'_>>> = (0..self.leaves()).map(|_| None).collect();
        for one in panel.series.iter().filter(|one| !one.times.is_empty()) {
            if one.frequency != earliest.frequency {
                return Err(HierarchyError::Frequencies {
                    one: earliest.unique_id.clone(),
                    frequency_one: earliest.frequency,
                    two: one.unique_id.clone(),
                    frequency_two: one.frequency,
                });
            }
            let begin = grid.partition_point(|&time| time < one.times[0]);
            if grid.get(begin..begin + one.times.len()) != Some(one.times.as_slice()) {
                let ids = (earliest.unique_id.clone(), one.unique_id.clone());
                return Err(HierarchyError::Grids { one: ids.0, two: ids.1 });
            }
            if let Some(leaf) = self.node(&one.unique_id).and_then(|node| node.checked_sub(self.aggregates()))
            {
                placed[leaf] = Some(Placed { begin, values: &one.values });
            }
        }
        let late = earliest.frequency.season_lengths().first().copied().unwrap_or(1);
        let frequency = earliest.frequency;
        let series: Vec<Series> = (0..self.aggregates())
            .into_par_iter()
            .filter_map(|node| {
                let leaves = self.members(node).iter().filter_map(|&leaf| placed[leaf as usize].as_ref());
                let (begin, values) = sum(leaves, grid.len(), late)?;
                Some(Series {
                    covariates: Vec::new(),
                    unique_id: self.id(node).to_owned(),
                    keys: self.keys(node).to_vec(),
                    frequency,
                    times: grid[begin..begin + values.len()].to_vec(),
                    values,
                    observations: None,
                    filled: Vec::new(),
                })
            })
            .collect();
        panel.series.extend(series);
        panel.series.sort_by(|a, b| a.unique_id.cmp(&b.unique_id));
        Ok(panel)
    }
}

/// Sums of leaves from the first step that any of them has on; `None` if there is no value.
fn sum<'a>(
    leaves: impl Iterator<Item = &'a Placed<'a>>,
    steps: usize,
    late: usize,
) -> Option<(usize, Vec<f64>)> {
    let (mut sums, mut sizes, mut carried) = (vec![0.0; steps], vec![0.0; steps], vec![0.0; steps]);
    let mut begin = steps;
    for leaf in leaves {
        let Some(first) = leaf.values.iter().position(|value| !value.is_nan()) else { continue };
        begin = begin.min(leaf.begin + first);
        let mut last = f64::NAN;
        let until = (leaf.begin + leaf.values.len() + late).min(steps);
        for step in leaf.begin..until {
            let value = leaf.values.get(step - leaf.begin).copied().unwrap_or(f64::NAN);
            if !value.is_nan() {
                last = value;
            } else if !last.is_nan() {
                carried[step] += last.abs();
            }
            if !last.is_nan() {
                sums[step] += last;
                sizes[step] += last.abs();
            }
        }
    }
    for step in begin..steps {
        if carried[step] > CARRIED_MAX * sizes[step] {
            sums[step] = f64::NAN;
        }
    }
    let end = sums.iter().rposition(|value| !value.is_nan())? + 1;
    (begin < end).then(|| (begin, sums[begin..end].to_vec()))
}
