//! Whether the ids of a stream go on in one order, so that a series that was finished cannot come back unnoticed.

use super::NAME;
use crate::ingest::files::data;
use crate::ingest::spec::IngestError;
use std::cmp::Ordering;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

/// How one id stands to another.
type Order = fn(&Sequence, &[String], &[String]) -> Ordering;

/// Orders in which ids may be sorted.
const ORDERS: [Order; 3] =
    [|sequence, a, b| sequence.by_value(a, b), |_, a, b| a.cmp(b), |_, a, b| composed(a).cmp(&composed(b))];

/// The ids so far: which orders they may be in. No id comes twice in a sequence that strictly ascends, or descends.
#[derive(Debug)]
pub(super) struct Sequence {
    /// Which id columns hold numbers.
    is_number: Vec<bool>,
    /// For each of [`ORDERS`], whether the ids may ascend and whether they may descend.
    possible: [[bool; 2]; ORDERS.len()],
    last: Option<Vec<String>>,
    /// Hashes of the composed ids of which a value holds the `/` that joins values: two of them could be one text.
    slashed: HashSet<u64>,
}

impl Sequence {
    /// For id columns of which these hold numbers.
    pub(super) fn new(is_number: Vec<bool>) -> Sequence {
        let possible = [[true; 2]; ORDERS.len()];
        Sequence { is_number, possible, last: None, slashed: HashSet::new() }
    }

    /// Whether this is the series that the rows before were of.
    pub(super) fn goes_on(&self, id: &[String]) -> bool {
        self.last.as_deref() == Some(id)
    }

    /// Begins a series in a row, counted from 1.
    pub(super) fn begin(&mut self, id: Vec<String>, row: usize) -> Result<(), IngestError> {
        if let Some(last) = &self.last {
            let mut possible = self.possible;
            for (order, [ascends, descends]) in ORDERS.iter().zip(&mut possible) {
                let found = order(self, last, &id);
                *ascends &= found == Ordering::Less;
                *descends &= found == Ordering::Greater;
            }
            if possible.iter().flatten().all(|possible| !possible) {
                return Err(data(format!(
                    "{NAME}: row {row}: series '{}' after '{}' is out of order, or comes back after it was finished; sort the \
                     stream by unique_id and ds (within partitions, where it has some)",
                    composed(&id),
                    composed(last)
                )));
            }
            self.possible = possible;
        }
        if id.len() > 1 && id.iter().any(|value| value.contains('/')) {
            let mut hasher = DefaultHasher::new();
            composed(&id).hash(&mut hasher);
            if !self.slashed.insert(hasher.finish()) {
                return Err(data(format!(
                    "{NAME}: row {row}: the ids ('{}') and another before both become '{}'; remove the '/' from one of them",
                    id.join("', '"),
                    composed(&id)
                )));
            }
        }
        self.last = Some(id);
        Ok(())
    }

    /// Numbers as numbers, everything else as text.
    fn by_value(&self, a: &[String], b: &[String]) -> Ordering {
        let column = |(at, (a, b)): (usize, (&String, &String))| {
            let is_number = self.is_number.get(at).copied().unwrap_or(false);
            match (is_number, a.parse::<i128>(), b.parse::<i128>()) {
                (true, Ok(a), Ok(b)) => a.cmp(&b),
                (true, ..) => number(a).total_cmp(&number(b)),
                (false, ..) => a.cmp(b),
            }
        };
        let columns = a.iter().zip(b).enumerate().map(column);
        columns.fold(Ordering::Equal, Ordering::then)
    }
}

fn number(text: &str) -> f64 {
    text.parse().unwrap_or(f64::NAN)
}

/// The composed id.
fn composed(id: &[String]) -> String {
    if id.is_empty() { "series".to_owned() } else { id.join("/") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(sequence: &mut Sequence, ids: &[&[&str]]) -> Result<(), IngestError> {
        ids.iter()
            .enumerate()
            .try_for_each(|(row, id)| sequence.begin(id.iter().map(ToString::to_string).collect(), row + 1))
    }

    fn of(is_number: &[bool], ids: &[&[&str]]) -> Result<(), String> {
        after(&mut Sequence::new(is_number.to_vec()), ids).map_err(|error| error.to_string())
    }

    #[test]
    fn any_one_order_will_do() {
        assert!(of(&[false], &[&["1"], &["10"], &["9"]]).is_ok());
        assert!(of(&[true], &[&["1"], &["9"], &["10"]]).is_ok());
        assert!(of(&[false], &[&["1"], &["9"], &["10"]]).is_err());
        assert!(of(&[false], &[&["c"], &["b"], &["a"]]).is_ok());
        assert!(of(&[true], &[&["0.5"], &["2"], &["11"]]).is_ok());
        // By the columns, and by the composed id.
        assert!(of(&[false; 2], &[&["a", "x"], &["a b", "c"]]).is_ok());
        assert!(of(&[false; 2], &[&["a b", "c"], &["a", "x"], &["b", "a"]]).is_ok());
    }

    #[test]
    fn a_series_that_comes_back_is_seen() {
        let error = of(&[false], &[&["a"], &["b"], &["a"]]).unwrap_err();
        assert!(
            error.starts_with("stdin: row 3: series 'a' after 'b'") && error.contains("sort the stream"),
            "{error}"
        );
        assert!(of(&[true], &[&["1"], &["2"], &["3"], &["2"]]).is_err());
    }

    #[test]
    fn two_ids_may_not_compose_one_text() {
        let error = of(&[false; 2], &[&["a", "b/c"], &["a-b", "x"], &["a/b", "c"]]).unwrap_err();
        assert!(error.contains("both become 'a/b/c'"), "{error}");
        assert!(of(&[false; 2], &[&["a", "b/c"], &["a-b", "x"], &["a/b", "d"]]).is_ok());
    }
}
