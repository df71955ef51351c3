//! Rows and faults by series.

use super::keys::NO_CODE;
use super::rows::Rows;
use std::ops::Range;

/// The rows of one series, in input order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowSet<'a> {
    /// Neighbours: the first row, and how many.
    Run(u32, u32),
    /// Indices of rows, ascending.
    Listed(&'a [u32]),
}

impl RowSet<'_> {
    /// Number of rows.
    pub(super) fn len(self) -> usize {
        match self {
            RowSet::Run(_, count) => count as usize,
            RowSet::Listed(rows) => rows.len(),
        }
    }

    /// Their indices.
    pub(super) fn to_vec(self) -> Vec<u32> {
        match self {
            RowSet::Run(first, count) => (first..first + count).collect(),
            RowSet::Listed(rows) => rows.to_vec(),
        }
    }

    /// What a column holds in these rows.
    pub(super) fn values<T: Copy>(self, column: &[T]) -> Vec<T> {
        match self {
            RowSet::Run(first, count) => column[first as usize..][..count as usize].to_vec(),
            RowSet::Listed(rows) => rows.iter().map(|&row| column[row as usize]).collect(),
        }
    }
}

/// Rows and faults of every series.
pub(super) struct Groups {
    rows: Buckets,
    faults: Buckets,
}

impl Groups {
    pub(super) fn new(rows: &Rows) -> Groups {
        let faults: Vec<u32> = rows.faults.iter().map(|fault| rows.codes[fault.row as usize]).collect();
        let series = rows.keys.len();
        Groups { rows: Buckets::new(&rows.codes, series), faults: Buckets::new(&faults, series) }
    }

    pub(super) fn rows(&self, code: u32) -> RowSet<'_> {
        self.rows.of(code)
    }

    /// Indices of the faults of a series.
    pub(super) fn faults(&self, code: u32) -> Vec<u32> {
        self.faults.of(code).to_vec()
    }
}

/// Indices of equal codes.
struct Buckets {
    /// Where each code starts in the order, and where the last one ends.
    starts: Vec<usize>,
    /// Indices by code and then ascending; `None` where they are so already.
    order: Option<Vec<u32>>,
}

impl Buckets {
    fn new(codes: &[u32], count: usize) -> Buckets {
        if codes.is_sorted() {
            let end = u32::try_from(count).unwrap_or(NO_CODE);
            let starts = (0..=end).map(|code| codes.partition_point(|&other| other < code)).collect();
            return Buckets { starts, order: None };
        }
        let (starts, order) = grouped(codes, count);
        Buckets { starts, order: Some(order) }
    }

    fn of(&self, code: u32) -> RowSet<'_> {
        let Range { start, end } = self.starts[code as usize]..self.starts[code as usize + 1];
        match &self.order {
            Some(order) => RowSet::Listed(&order[start..end]),
            // There are fewer rows than codes can count.
            None => RowSet::Run(start as u32, (end - start) as u32),
        }
    }
}

/// A counting sort that keeps the input order.
fn grouped(codes: &[u32], count: usize) -> (Vec<usize>, Vec<u32>) {
    let mut starts = vec![0; count + 1];
    for &code in codes.iter().filter(|&&code| code != NO_CODE) {
        starts[code as usize + 1] += 1;
    }
    for at in 0..count {
        starts[at + 1] += starts[at];
    }
    let mut next = starts.clone();
    let mut order = vec![0; starts[count]];
    for (index, &code) in (0..).zip(codes).filter(|&(_, &code)| code != NO_CODE) {
        order[next[code as usize]] = index;
        next[code as usize] += 1;
    }
    (starts, order)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn grouping_keeps_the_input_order() {
        assert_eq!(grouped(&[1, 0, NO_CODE, 1, 0], 2), (vec![0, 2, 4], vec![1, 4, 0, 3]));
        assert_eq!(grouped(&[], 1), (vec![0, 0], vec![]));
    }

    proptest! {
        #[test]
        fn rows_that_stand_by_series_need_no_order(
            mut codes in prop::collection::vec(prop::sample::select(vec![0, 1, 2, 3, NO_CODE]), 0..30),
        ) {
            codes.sort_unstable();
            let (starts, order) = grouped(&codes, 5);
            let buckets = Buckets::new(&codes, 5);
            prop_assert!(buckets.order.is_none());
            for code in 0..5 {
                let rows = &order[starts[code]..starts[code + 1]];
                prop_assert_eq!(buckets.of(code as u32).to_vec(), rows);
                prop_assert_eq!(buckets.of(code as u32).values(&codes), RowSet::Listed(rows).values(&codes));
            }
        }
    }
}
