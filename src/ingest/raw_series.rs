//! The rows of one series as they were read, in input order.

/// Raw times and values of one series.
#[derive(Clone, Debug, Default)]
pub(super) struct RawSeries {
    /// See [`super::timeline::Timeline`].
    pub(super) times: Vec<i64>,
    /// `NaN` where nothing was observed.
    pub(super) values: Vec<f64>,
    /// Which row of all files each one is.
    pub(super) rows: RowIds,
    /// Its cells that cannot be used: indices into [`super::rows::Rows::faults`].
    pub(super) faults: Vec<u32>,
}

impl RawSeries {
    /// Adds neighbouring rows, of which the first is `row`.
    pub(super) fn push(&mut self, row: u32, times: &[i64], values: &[f64]) {
        self.times.extend_from_slice(times);
        self.values.extend_from_slice(values);
        // There are fewer rows than 32 bits can count.
        self.rows.push(row, times.len() as u32);
    }
}

/// Numbers of rows. Those of a series mostly stand together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RowIds {
    /// The first of some neighbours, and how many there are.
    Run(u32, u32),
    /// Any rows.
    Listed(Vec<u32>),
}

impl Default for RowIds {
    fn default() -> RowIds {
        RowIds::Run(0, 0)
    }
}

impl RowIds {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        match self {
            RowIds::Run(_, count) => *count as usize,
            RowIds::Listed(rows) => rows.len(),
        }
    }

    /// The row at a place.
    pub(super) fn at(&self, place: usize) -> u32 {
        match self {
            RowIds::Run(first, _) => first + place as u32,
            RowIds::Listed(rows) => rows[place],
        }
    }

    /// The first row.
    pub(super) fn first(&self) -> Option<u32> {
        (self.len() > 0).then(|| self.at(0))
    }

    /// Whether a row is among them, where they ascend.
    pub(super) fn contains(&self, row: u32) -> bool {
        match self {
            RowIds::Run(first, count) => (*first..first + count).contains(&row),
            RowIds::Listed(rows) => rows.binary_search(&row).is_ok(),
        }
    }

    /// The rows at some places.
    pub(super) fn select(&self, places: impl Iterator<Item = usize>) -> RowIds {
        RowIds::Listed(places.map(|place| self.at(place)).collect())
    }

    /// Keeps the rows from one place up to another.
    pub(super) fn cut(&mut self, start: usize, end: usize) {
        match self {
            RowIds::Run(first, count) => (*first, *count) = (*first + start as u32, (end - start) as u32),
            RowIds::Listed(rows) => {
                rows.truncate(end);
                rows.drain(..start);
            }
        }
    }

    fn push(&mut self, row: u32, count: u32) {
        match self {
            RowIds::Run(_, 0) => *self = RowIds::Run(row, count),
            RowIds::Run(first, before) if *first + *before == row => *before += count,
            RowIds::Run(first, before) => {
                *self = RowIds::Listed((*first..*first + *before).chain(row..row + count).collect());
            }
            RowIds::Listed(rows) => rows.extend(row..row + count),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn runs_are_like_lists(
            runs in prop::collection::vec((0u32..3, 0u32..4), 0..8), start in 0usize..4, length in 0usize..8,
        ) {
            let mut series = RawSeries::default();
            let mut rows: Vec<u32> = Vec::new();
            let mut next = 0;
            for (gap, count) in runs {
                let first = next + gap;
                series.push(first, &vec![0; count as usize], &vec![0.0; count as usize]);
                rows.extend(first..first + count);
                next = first + count;
            }
            let mut ids = series.rows;
            prop_assert_eq!(ids.select(0..ids.len()), RowIds::Listed(rows.clone()));
            prop_assert_eq!(ids.first(), rows.first().copied());
            prop_assert!((0..40).all(|row| ids.contains(row) == rows.contains(&row)));
            let (start, end) = (start.min(rows.len()), (start + length).min(rows.len()));
            ids.cut(start, end);
            prop_assert_eq!(ids.select(0..ids.len()), RowIds::Listed(rows[start..end].to_vec()));
        }
    }
}
