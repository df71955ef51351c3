//! The words of the ingestion policies.

use crate::config::words::Wrong;
use crate::ingest::{BadSeriesLimit, Duplicates, Gaps, Order, PolicyError};

pub(super) fn duplicates(text: &str) -> Result<Duplicates, Wrong> {
    let words = [
        ("error", Duplicates::Error),
        ("first", Duplicates::First),
        ("last", Duplicates::Last),
        ("mean", Duplicates::Mean),
        ("sum", Duplicates::Sum),
    ];
    choose("policy for duplicates", "error, first, last, mean, sum", &words, text)
}

pub(super) fn gaps(text: &str) -> Result<Gaps, Wrong> {
    let words = [("mask", Gaps::Mask), ("error", Gaps::Error), ("zero", Gaps::Zero)];
    choose("policy for gaps", "mask, error, zero", &words, text)
}

pub(super) fn order(text: &str) -> Result<Order, Wrong> {
    choose("policy for order", "sort, error", &[("sort", Order::Sort), ("error", Order::Error)], text)
}

/// `5%` is a share of all series, `3` a number of them.
pub(super) fn bad_series(text: &str) -> Result<BadSeriesLimit, Wrong> {
    let text = text.trim();
    let limit = match text.strip_suffix('%') {
        Some(percent) => percent
            .trim()
            .parse::<f64>()
            .ok()
            .filter(|percent| *percent > 0.0 && *percent <= 100.0)
            .map(|percent| BadSeriesLimit::Share(percent / 100.0)),
        None => text.parse().ok().map(BadSeriesLimit::Count),
    };
    limit.ok_or_else(|| {
        let message = format!("'{text}' is neither a share of the series nor a number of them");
        Wrong::new(message, "write for example 5% or 3")
    })
}

fn choose<T: Copy>(
    what: &'static str,
    choices: &'static str,
    words: &[(&str, T)],
    text: &str,
) -> Result<T, Wrong> {
    let word = text.trim();
    words.iter().find(|(name, _)| *name == word).map(|(_, policy)| *policy).ok_or_else(|| {
        let error = PolicyError { what, word: word.into(), choices };
        Wrong::meant(error.to_string(), word, words.iter().map(|(name, _)| *name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_what_was_meant() {
        assert_eq!(duplicates("mean"), Ok(Duplicates::Mean));
        assert_eq!(gaps("zero"), Ok(Gaps::Zero));
        let wrong = order("sorted").expect_err("unknown");
        assert_eq!(wrong.message, "unknown policy for order 'sorted'; choose one of sort, error");
        assert_eq!(wrong.help.as_deref(), Some("did you mean 'sort'?"));
    }

    #[test]
    fn limits_are_shares_or_counts() {
        assert_eq!(bad_series("5%"), Ok(BadSeriesLimit::Share(0.05)));
        assert_eq!(bad_series("0"), Ok(BadSeriesLimit::Count(0)));
        for text in ["", "5 percent", "0%", "101%", "-1", "NaN%"] {
            assert!(bad_series(text).is_err(), "{text}");
        }
    }
}
