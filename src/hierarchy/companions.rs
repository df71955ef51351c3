//! What comes with aggregates: the covariates of their leaves, pooled.
//!
//! Of numbers an aggregate has the mean or the sum of what is known of its leaves at a step, of names the one that most of
//! them have (of as many, the first). A name that never changes is that of all leaves, or missing: the region of a region is
//! known, that of the total is none.

use super::tree::Hierarchy;
use crate::series::covariate::{Known, Row, Values};
use crate::series::{Panel, Series};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// What numbers of leaves are to their aggregates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pooling {
    /// Their mean: a price, a temperature, whether there is a promotion.
    #[default]
    Mean,
    /// Their sum: visitors, floor area.
    Sum,
}

/// A leaf, as far as its covariates are concerned.
struct Leaf<'a> {
    /// Step of the common grid that it begins at.
    begin: usize,
    rows: &'a [Row],
}

impl Hierarchy {
    /// Gives every aggregate of a panel its covariates, those in front of place `count`, from the leaves that are there; what
    /// stands behind stays. `pooling` says by column what becomes of numbers.
    pub fn pool(&self, panel: &mut Panel, count: usize, pooling: impl Fn(&str) -> Pooling + Sync) {
        let leaf_of = |one: &Series| self.node(&one.unique_id)?.checked_sub(self.aggregates());
        let Some(earliest) =
            panel.series.iter().filter(|one| !one.times.is_empty()).min_by_key(|one| one.times[0])
        else {
            return;
        };
        let end = panel.series.iter().filter_map(Series::cutoff).max().unwrap_or(earliest.times[0]);
        let grid = earliest.frequency.grid(earliest.times[0], end, &panel.zone);
        let place = |one: &Series| one.times.first().map(|first| grid.partition_point(|time| time < first));
        let mut leaves: Vec<Option<Leaf<'_>>> = (0..self.leaves()).map(|_| None).collect();
        for one in &panel.series {
            if let Some((leaf, begin)) = leaf_of(one).zip(place(one)) {
                leaves[leaf] = Some(Leaf { begin, rows: &one.covariates });
            }
        }
        let rows = |one: &Series| -> Option<Vec<Row>> {
            let node = self.node(&one.unique_id).filter(|node| *node < self.aggregates())?;
            let begin = place(one)?;
            let members: Vec<&Leaf<'_>> =
                self.members(node).iter().filter_map(|&leaf| leaves[leaf as usize].as_ref()).collect();
            let row = |(at, covariate): (usize, &crate::series::Covariate)| {
                let of = members.iter().filter_map(|leaf| Some((leaf.begin, leaf.rows.get(at)?)));
                let members: Vec<(usize, &Row)> = of.collect();
                let steps = steps(covariate.known, &members, begin, one.values.len());
                let how = match (&covariate.values, covariate.known) {
                    (Values::Category(_), Known::Static) => How::Same,
                    (Values::Category(_), _) => How::Most,
                    (Values::Real, _) if pooling(&covariate.name) == Pooling::Sum => How::Sum,
                    (Values::Real, _) => How::Mean,
                };
                let values = (0..steps).map(|step| pooled(&members, begin + step, covariate.known, how));
                Row::new(covariate.known, values.collect())
            };
            Some(panel.covariates[..count].iter().enumerate().map(row).collect())
        };
        let pooled: Vec<Option<Vec<Row>>> = panel.series.par_iter().map(rows).collect();
        for (one, rows) in panel.series.iter_mut().zip(pooled) {
            if let Some(rows) = rows {
                let own = count.min(one.covariates.len());
                one.covariates.splice(..own, rows);
            }
        }
    }
}

/// How values become one.
#[derive(Clone, Copy)]
enum How {
    Mean,
    Sum,
    /// The one that most have.
    Most,
    /// The one that all have.
    Same,
}

/// How many values the row of an aggregate has that begins at a step of the grid and is `own` steps long.
fn steps(known: Known, members: &[(usize, &Row)], begin: usize, own: usize) -> usize {
    match known {
        Known::Static => 1,
        Known::Past => own,
        Known::Future => {
            let ends = members.iter().map(|(from, row)| from + row.values().len());
            ends.max().unwrap_or(0).saturating_sub(begin).max(own)
        }
    }
}

/// One value of what is known of the leaves at a step of the grid; `NaN` where nothing is.
fn pooled(members: &[(usize, &Row)], step: usize, known: Known, how: How) -> f64 {
    let at = |&(begin, row): &(usize, &Row)| match known {
        Known::Static => row.at(0),
        Known::Past | Known::Future => step.checked_sub(begin).map_or(f64::NAN, |step| row.at(step)),
    };
    let values = || members.iter().map(at).filter(|value| !value.is_nan());
    let count = values().count();
    if count == 0 {
        return f64::NAN;
    }
    match how {
        How::Sum => values().sum(),
        How::Mean => values().sum::<f64>() / count as f64,
        How::Same => {
            let first = values().next().unwrap_or(f64::NAN);
            if values().all(|value| value == first) { first } else { f64::NAN }
        }
        How::Most => {
            // Codes of names are not negative, so their bits are in their order.
            let mut counts: BTreeMap<u64, usize> = BTreeMap::new();
            values().for_each(|value| *counts.entry(value.to_bits()).or_default() += 1);
            let most = counts.into_iter().rev().max_by_key(|(_, count)| *count);
            most.map_or(f64::NAN, |(bits, _)| f64::from_bits(bits))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::Frequency;
    use crate::series::covariate::Covariate;
    use jiff::tz::TimeZone;

    const DAY: i64 = 86_400_000_000;

    /// A daily series from a day on: a price, visitors, an event, a region, a floor area.
    fn leaf(id: &str, from: i64, price: &[f64], visitors: &[f64], event: &[f64], region: f64) -> Series {
        let steps = visitors.len() as i64;
        Series {
            unique_id: id.replace('_', "/"),
            keys: id.split('_').map(String::from).collect(),
            frequency: Frequency::Days { days: 1 },
            times: (from..from + steps).map(|day| day * DAY).collect(),
            values: vec![1.0; visitors.len()],
            observations: None,
            filled: Vec::new(),
            covariates: vec![
                Row::new(Known::Future, price.to_vec()),
                Row::new(Known::Past, visitors.to_vec()),
                Row::new(Known::Future, event.to_vec()),
                Row::new(Known::Static, vec![region]),
                Row::new(Known::Static, vec![10.0]),
            ],
        }
    }

    #[test]
    fn numbers_are_pooled_and_names_are_those_of_most() {
        let covariate = |name: &str, known, values| Covariate { name: name.into(), known, values };
        let names = |names: &[&str]| Values::Category(names.iter().map(|name| (*name).to_owned()).collect());
        let events = names(&["fair", "none"]);
        let panel = Panel {
            id_columns: vec!["region".into(), "shop".into()],
            covariates: vec![
                covariate("price", Known::Future, Values::Real),
                covariate("visitors", Known::Past, Values::Real),
                covariate("event", Known::Future, events),
                covariate("region", Known::Static, names(&["n", "s"])),
                covariate("area", Known::Static, Values::Real),
            ],
            series: vec![
                leaf("n_a", 0, &[1.0, 2.0, 3.0, 4.0], &[5.0, 6.0, 7.0], &[0.0, 0.0, 0.0, 0.0], 0.0),
                leaf("n_b", 1, &[4.0, 5.0, f64::NAN], &[8.0, 9.0], &[1.0, 1.0, 1.0], 0.0),
                leaf("s_c", 0, &[9.0, 9.0, 9.0, 9.0, 9.0], &[1.0, f64::NAN, 1.0], &[1.0; 5], 1.0),
            ],
            zone: TimeZone::UTC,
            marks: BTreeMap::new(),
        };
        let leaves: Vec<(&str, &[String])> =
            panel.series.iter().map(|one| (one.unique_id.as_str(), one.keys.as_slice())).collect();
        let tree = Hierarchy::of_keys(&panel.id_columns, &leaves, &[vec!["region".into()]]).expect("a tree");
        let mut all = tree.aggregate(panel.clone()).expect("sums");
        let pooling = |name: &str| match name {
            "visitors" | "area" => Pooling::Sum,
            _ => Pooling::Mean,
        };
        tree.pool(&mut all, 5, pooling);
        let of = |id: &str| {
            let one = all.series.iter().find(|one| one.unique_id == id).expect("there");
            one.covariates.iter().map(|row| row.values().to_vec()).collect::<Vec<_>>()
        };
        let north = of("n");
        assert_eq!(north[0], [1.0, 3.0, 4.0, 4.0], "the mean of what is known");
        assert_eq!(north[1], [5.0, 14.0, 16.0]);
        assert_eq!(north[2], [0.0, 0.0, 0.0, 0.0], "of as many, the first name");
        assert_eq!((&north[3], &north[4]), (&vec![0.0], &vec![20.0]));
        let total = of("total");
        assert_eq!(total[0], [5.0, 5.0, 17.0 / 3.0, 6.5, 9.0], "as far as any leaf is known");
        assert_eq!(total[1], [6.0, 14.0, 17.0]);
        assert_eq!(total[2], [0.0, 1.0, 1.0, 1.0, 1.0]);
        assert!(total[3][0].is_nan(), "no region");
        assert_eq!(total[4], [30.0]);
        let leaf = of("n/b");
        assert_eq!(leaf[0][..2], [4.0, 5.0], "leaves stay");
        // Again, with a column behind that stays.
        let mut more = all.clone();
        for one in &mut more.series {
            one.covariates.push(Row::new(Known::Future, vec![7.0]));
        }
        tree.pool(&mut more, 5, pooling);
        let same = |(a, b): (&Series, &Series)| {
            let bits = |row: &Row| row.values().iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            b.covariates.len() == 6
                && b.covariates[5].values() == [7.0]
                && a.covariates.iter().zip(&b.covariates).all(|(a, b)| bits(a) == bits(b))
        };
        assert!(all.series.iter().zip(&more.series).all(same));
    }
}
