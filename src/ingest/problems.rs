//! Lists of problems that stay readable: all are counted, the first of each kind are shown.

/// How many problems of one kind are shown.
pub(super) const SHOWN: usize = 20;

/// How many problems are shown one by one where one remedy repairs them all.
pub(super) const ALIKE: usize = 3;

/// A list that keeps the first entries and counts the rest.
#[derive(Clone, Debug)]
pub(super) struct Capped {
    lines: Vec<String>,
    total: usize,
    shown: usize,
}

impl Default for Capped {
    fn default() -> Capped {
        Capped::showing(SHOWN)
    }
}

impl Capped {
    /// A list of which at most so many lines are shown.
    pub(super) fn showing(shown: usize) -> Capped {
        Capped { lines: Vec::new(), total: 0, shown }
    }

    pub(super) fn push(&mut self, line: String) {
        self.push_with(|| line);
    }

    /// Builds the line only if it will be shown.
    pub(super) fn push_with(&mut self, line: impl FnOnce() -> String) {
        if self.lines.len() < self.shown {
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
    Static,
    Suspect,
}

/// One reason to leave a series out.
#[derive(Clone, Debug)]
pub(super) struct Reason {
    pub(super) kind: Kind,
    pub(super) text: String,
}

/// The reasons of many series, capped per kind. `id` is missing where the input is one series without a name.
pub(super) fn listed<'a>(reasons: impl Iterator<Item = (Option<&'a str>, &'a Reason)>) -> Vec<String> {
    let mut kinds: std::collections::BTreeMap<Kind, Capped> = std::collections::BTreeMap::new();
    for (id, reason) in reasons {
        kinds.entry(reason.kind).or_default().push_with(|| match id {
            Some(id) => format!("series '{id}': {}", reason.text),
            None => reason.text.clone(),
        });
    }
    kinds.into_values().flat_map(Capped::into_lines).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_problems_are_shown_in_part_and_counted_in_full() {
        let reason = |n| Reason { kind: Kind::Cell, text: format!("bad {n}") };
        let reasons: Vec<Reason> = (0..37).map(reason).collect();
        let mut lines = listed(reasons.iter().map(|reason| (Some("a"), reason)));
        assert_eq!(lines.len(), SHOWN + 1);
        assert_eq!(lines.pop().unwrap(), "and 17 more of this kind");
        assert_eq!(lines[0], "series 'a': bad 0");
        assert_eq!(listed([(None, &reasons[3])].into_iter()), ["bad 3"]);
    }
}
