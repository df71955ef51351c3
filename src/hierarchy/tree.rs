//! The nodes of a hierarchy and which leaves each of them sums: S as a sparse matrix.
//!
//! Every level is a partition of the leaves, so S (N, L) is kept twice: by rows, the leaves of every aggregate, and by
//! columns, the one node of every level that a leaf is in. Its lower part, the identity of the leaves, is not stored.

use super::HierarchyError;
use super::chain::{Chain, chains};
use crate::series::Panel;
use ndarray::{Array2, ArrayView2, ArrayViewMut1, Axis, s};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::ops::Range;

/// Id of the sum of everything.
pub const TOTAL: &str = "total";

/// Aggregates that agree in the same id columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Level {
    /// The id columns whose values tell its nodes apart, in the order of their ids; none for the total.
    pub columns: Vec<String>,
    /// Its nodes.
    pub nodes: Range<usize>,
}

impl Level {
    /// Its columns joined by `/`; `total` for the total.
    pub fn name(&self) -> String {
        if self.columns.is_empty() { TOTAL.into() } else { self.columns.join("/") }
    }
}

/// Leaves, levels of aggregates above them, and the sums between them.
#[derive(Clone, Debug)]
pub struct Hierarchy {
    ids: Vec<String>,
    /// Values of all id columns of every aggregate, empty for those that it sums over.
    keys: Vec<Vec<String>>,
    levels: Vec<Level>,
    /// By level, the node that every leaf is in.
    groups: Vec<Vec<u32>>,
    /// Where the leaves of every aggregate begin in `members`.
    starts: Vec<usize>,
    members: Vec<u32>,
    /// Nodes, ascending by id.
    by_id: Vec<u32>,
    chains: Vec<Chain>,
}

impl Hierarchy {
    /// The hierarchy over the series of a panel: `total`, then `levels`, each a list of id columns, then the leaves.
    ///
    /// An aggregate's id is the values of its columns joined by `/`, in the order they are written in. The total is always
    /// there; a level of no columns names it, one of all columns names the leaves, and neither adds anything.
    pub fn new(panel: &Panel, levels: &[Vec<String>]) -> Result<Hierarchy, HierarchyError> {
        let leaves: Vec<(&str, &[String])> =
            panel.series.iter().map(|one| (one.unique_id.as_str(), one.keys.as_slice())).collect();
        Hierarchy::of_keys(&panel.id_columns, &leaves, levels)
    }

    /// The same from the ids of the leaves and the values of their id columns.
    pub fn of_keys(
        id_columns: &[String],
        leaves: &[(&str, &[String])],
        levels: &[Vec<String>],
    ) -> Result<Hierarchy, HierarchyError> {
        if leaves.is_empty() {
            return Err(HierarchyError::NoLeaves);
        }
        let mut tree = Hierarchy {
            ids: Vec::new(),
            keys: Vec::new(),
            levels: Vec::new(),
            groups: Vec::new(),
            starts: vec![0],
            members: Vec::new(),
            by_id: Vec::new(),
            chains: Vec::new(),
        };
        tree.add_level(Vec::new(), &[], id_columns.len(), leaves);
        for places in checked(levels, id_columns)? {
            let columns = places.iter().map(|&place| id_columns[place].clone()).collect();
            tree.add_level(columns, &places, id_columns.len(), leaves);
        }
        tree.ids.extend(leaves.iter().map(|&(id, _)| id.to_owned()));
        tree.by_id = (0..tree.ids.len() as u32).collect();
        tree.by_id.sort_by(|&a, &b| tree.ids[a as usize].cmp(&tree.ids[b as usize]));
        tree.refuse_collisions()?;
        tree.chains = chains(&tree.levels, &tree.groups);
        Ok(tree)
    }

    /// Adds the nodes of one level: leaves are grouped by their values in `places`, groups ascend by these.
    fn add_level(
        &mut self,
        columns: Vec<String>,
        places: &[usize],
        width: usize,
        leaves: &[(&str, &[String])],
    ) {
        let mut members: BTreeMap<Vec<&str>, Vec<u32>> = BTreeMap::new();
        for (leaf, (_, keys)) in leaves.iter().enumerate() {
            let values = places.iter().map(|&place| keys.get(place).map_or("", String::as_str)).collect();
            members.entry(values).or_default().push(leaf as u32);
        }
        let first = self.ids.len();
        let mut group = vec![0u32; leaves.len()];
        for (values, leaves) in members {
            let node = self.ids.len();
            leaves.iter().for_each(|&leaf| group[leaf as usize] = node as u32);
            let mut keys = vec![String::new(); width];
            places.iter().zip(&values).for_each(|(&place, value)| keys[place] = (*value).to_owned());
            self.ids.push(if places.is_empty() { TOTAL.to_owned() } else { values.join("/") });
            self.keys.push(keys);
            self.members.extend(leaves);
            self.starts.push(self.members.len());
        }
        self.levels.push(Level { columns, nodes: first..self.ids.len() });
        self.groups.push(group);
    }

    fn refuse_collisions(&self) -> Result<(), HierarchyError> {
        let pair = self.by_id.windows(2).find(|pair| self.id(pair[0] as usize) == self.id(pair[1] as usize));
        let Some(pair) = pair else { return Ok(()) };
        let what = |node: usize| match self.levels.iter().find(|level| level.nodes.contains(&node)) {
            Some(level) if level.columns.is_empty() => "the total".to_owned(),
            Some(level) => format!("a node of level '{}'", level.name()),
            None => "a series of the data".to_owned(),
        };
        Err(HierarchyError::Collision {
            id: self.id(pair[0] as usize).to_owned(),
            one: what(pair[0] as usize),
            two: what(pair[1] as usize),
        })
    }

    /// Number of nodes N: aggregates and leaves.
    pub fn nodes(&self) -> usize {
        self.ids.len()
    }

    /// Number of aggregates A; nodes 0 to A are these.
    pub fn aggregates(&self) -> usize {
        self.keys.len()
    }

    /// Number of leaves L; leaf j is node A + j.
    pub fn leaves(&self) -> usize {
        self.nodes() - self.aggregates()
    }

    /// Levels of aggregates, the total first; leaves are none of them.
    pub fn levels(&self) -> &[Level] {
        &self.levels
    }

    /// Id of a node, as published.
    pub fn id(&self, node: usize) -> &str {
        &self.ids[node]
    }

    /// The node that an id names.
    pub fn node(&self, id: &str) -> Option<usize> {
        let place = self.by_id.binary_search_by(|&node| self.id(node as usize).cmp(id)).ok()?;
        Some(self.by_id[place] as usize)
    }

    /// All nodes, ascending by id, as panels and forecasts are sorted.
    pub fn by_id(&self) -> impl ExactSizeIterator<Item = usize> + '_ {
        self.by_id.iter().map(|&node| node as usize)
    }

    /// Values of the id columns of an aggregate; empty for the columns that it sums over.
    pub fn keys(&self, aggregate: usize) -> &[String] {
        &self.keys[aggregate]
    }

    /// Leaves (counted from 0) that an aggregate sums, ascending.
    pub fn members(&self, aggregate: usize) -> &[u32] {
        &self.members[self.starts[aggregate]..self.starts[aggregate + 1]]
    }

    /// Whether every level lies within the one before, so that the nodes are a tree.
    pub fn is_nested(&self) -> bool {
        self.chains.len() == 1
    }

    /// By level, the node that every leaf is in.
    pub(super) fn groups(&self) -> &[Vec<u32>] {
        &self.groups
    }

    /// The levels as few lists of levels that nest.
    pub(super) fn chains(&self) -> &[Chain] {
        &self.chains
    }

    /// S b: values of all nodes (N, C) from those of the leaves (L, C).
    pub fn sum(&self, leaves: &Array2<f64>) -> Array2<f64> {
        let mut all = Array2::zeros((self.nodes(), leaves.ncols()));
        all.slice_mut(s![self.aggregates().., ..]).assign(leaves);
        self.add_up(&mut all);
        all
    }

    /// Makes every aggregate's row of (N, C) the sum of its leaves' rows.
    pub fn add_up(&self, all: &mut Array2<f64>) {
        let sums = self.sums(all.slice(s![self.aggregates().., ..]));
        all.slice_mut(s![..self.aggregates(), ..]).assign(&sums);
    }

    /// A b: sums of leaves (L, C) for all aggregates (A, C).
    ///
    /// Of nested levels, the lowest sum leaves in their order, the others sum the nodes below them in theirs.
    pub(super) fn sums(&self, leaves: ArrayView2<'_, f64>) -> Array2<f64> {
        let mut sums = Array2::zeros((self.aggregates(), leaves.ncols()));
        let mut is_lowest = vec![false; self.aggregates()];
        for chain in &self.chains {
            chain.above_leaf.iter().for_each(|&at| is_lowest[chain.nodes[at]] = true);
        }
        let rows: Vec<ArrayViewMut1<'_, f64>> = sums.outer_iter_mut().collect();
        rows.into_par_iter().enumerate().filter(|(node, _)| is_lowest[*node]).for_each(|(node, mut row)| {
            self.members(node).iter().for_each(|&leaf| row += &leaves.row(leaf as usize));
        });
        for chain in &self.chains {
            for at in (0..chain.nodes.len()).rev() {
                if let Some(parent) = chain.parents[at] {
                    let nodes = (s![chain.nodes[parent], ..], s![chain.nodes[at], ..]);
                    let (mut above, below) = sums.multi_slice_mut(nodes);
                    above += &below;
                }
            }
        }
        sums
    }

    /// What all aggregates (A, C) have beyond the sums of their leaves: y_a − A b.
    pub(super) fn incoherence(&self, base: &Array2<f64>) -> Array2<f64> {
        let (above, below) = base.view().split_at(Axis(0), self.aggregates());
        &above - &self.sums(below)
    }
}

/// Places of the columns of every level, without levels that name the total or the leaves.
fn checked(levels: &[Vec<String>], id_columns: &[String]) -> Result<Vec<Vec<usize>>, HierarchyError> {
    let mut seen: Vec<Vec<usize>> = Vec::new();
    let mut kept = Vec::new();
    for columns in levels {
        let name = columns.join("/");
        let place = |column: &String| {
            id_columns.iter().position(|known| known == column).ok_or_else(|| HierarchyError::UnknownColumn {
                level: name.clone(),
                column: column.clone(),
                known: id_columns.join(", "),
            })
        };
        let places: Vec<usize> = columns.iter().map(place).collect::<Result<_, _>>()?;
        let mut sorted = places.clone();
        sorted.sort_unstable();
        if sorted.windows(2).any(|pair| pair[0] == pair[1]) || seen.contains(&sorted) {
            return Err(HierarchyError::RepeatedLevel(name));
        }
        if !sorted.is_empty() && sorted.len() < id_columns.len() {
            kept.push(places);
        }
        seen.push(sorted);
    }
    Ok(kept)
}
