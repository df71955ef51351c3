//! Lists of problems that stay readable: all are counted, the first of each kind are shown.

/// How many problems of one kind are shown.
pub(super) const SHOWN: usize = 20;

/// A list that keeps the first entries and counts the rest.
#[derive(Clone, Debug, Default)]
pub(super) struct Capped {
    lines: Vec<String>,
    total: usize,
}

impl Capped {
    pub(super) fn push(&mut self, line: String) {
        self.push_with(|| line);
    }

    /// Builds the line only if it will be shown.
    pub(super) fn push_with(&mut self, line: impl FnOnce() -> String) {
        if self.lines.len() < SHOWN {
            self.lines.push(line());
        }
        self.total += 1;
    }

    /// How many problems there are.
    pub(super) fn total(&self) -> usize {
        self.total
    }

    /// The shown lines, and how many more there are.
    pub(super) fn into_lines(self) -> Vec<String> {
        let more = self.total - self.lines.len();
        let rest = (more > 0).then(|| format!("and {more} more of this kind"));
        self.lines.into_iter().chain(rest).collect()
    }
}

/// What is wrong with a series, in the order in which the report lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Cell,
    Order,
    Duplicate,
    Infinite,
    Empty,
    Frequency,
    Gap,
}

/// One reason to leave a series out.
#[derive(Clone, Debug)]
pub(super) struct Reason {
    pub(super) kind: Kind,
    pub(super) text: String,
    /// How many problems the text stands for without describing them; 0 where it describes one.
    pub(super) undescribed: usize,
}

/// The reasons of many series, capped per kind.
pub(super) fn listed<'a>(reasons: impl Iterator<Item = (&'a str, &'a Reason)>) -> Vec<String> {
    let mut kinds: std::collections::BTreeMap<Kind, Capped> = std::collections::BTreeMap::new();
    for (id, reason) in reasons {
        let kind = kinds.entry(reason.kind).or_default();
        match reason.undescribed {
            0 => kind.push_with(|| format!("series '{id}': {}", reason.text)),
            count => kind.total += count,
        }
    }
    kinds.into_values().flat_map(Capped::into_lines).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_problems_are_shown_in_part_and_counted_in_full() {
        let reason = |n| Reason { kind: Kind::Cell, text: format!("bad {n}"), undescribed: 0 };
        let more = Reason { kind: Kind::Cell, text: "and 300 more".to_owned(), undescribed: 300 };
        let reasons: Vec<Reason> = (0..37).map(reason).chain([more]).collect();
        let mut lines = listed(reasons.iter().map(|reason| ("a", reason)));
        assert_eq!(lines.len(), SHOWN + 1);
        assert_eq!(lines.pop().unwrap(), "and 317 more of this kind");
        assert_eq!(lines[0], "series 'a': bad 0");
    }
}
