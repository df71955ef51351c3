//! Where training ends and testing starts.

/// Rows of the training, validation and test part of every series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Split {
    /// Where training ends, testing starts and testing ends; later rows are not used.
    Rows([usize; 3]),
    /// Shares of the rows for training, validation and testing, as in TSLib: training and testing are rounded down, the
    /// test part is the last one, validation is what lies between.
    Shares([f64; 3]),
}

/// A split that the data cannot have.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SplitError {
    /// The series ends before the test part does.
    #[error("{rows} rows, but the split needs {needed}")]
    TooShort {
        /// Rows there are.
        rows: usize,
        /// Rows that the split speaks of.
        needed: usize,
    },
    /// The test part holds no window.
    #[error("{test} test rows are fewer than the horizon of {horizon}")]
    NoWindow {
        /// Rows of the test part.
        test: usize,
        /// Steps of a forecast.
        horizon: usize,
    },
    /// Nothing is left to train on.
    #[error("no training rows are left of {0}")]
    NoTraining(usize),
}

impl Split {
    /// The split of a word: the hourly and the quarter-hourly ETT sets (12, 4 and 4 months of 30 days), or 70, 10 and 20 %.
    pub fn from_name(name: &str) -> Option<Split> {
        let months = |rows_per_month: usize| Split::Rows([12, 16, 20].map(|months| months * rows_per_month));
        match name {
            "ett-hour" => Some(months(30 * 24)),
            "ett-min" => Some(months(30 * 24 * 4)),
            "ratio" => Some(Split::Shares([0.7, 0.1, 0.2])),
            _ => None,
        }
    }

    /// Names that [`Split::from_name`] knows.
    pub const NAMES: [&str; 3] = ["ett-hour", "ett-min", "ratio"];

    /// Whether the numbers are those of a split, of whatever series.
    pub(super) fn check(self) -> Result<(), String> {
        match self {
            Split::Rows([train, start, end]) if !(0 < train && train <= start && start < end) => {
                Err(format!(
                    "split [{train}, {start}, {end}] does not ascend; write where training ends, testing starts, testing ends"
                ))
            }
            Split::Shares(shares) => {
                let [train, validation, test] = shares;
                let is_share = shares.iter().all(|share| (0.0..1.0).contains(share));
                match is_share && train > 0.0 && test > 0.0 && train + validation + test <= 1.0 + 1e-9 {
                    true => Ok(()),
                    false => Err(format!(
                        "split [{train}, {validation}, {test}] are no shares of training, validation and test; write for \
                     example [0.7, 0.1, 0.2]"
                    )),
                }
            }
            Split::Rows(_) => Ok(()),
        }
    }

    /// Where training ends, testing starts and testing ends in a series of so many rows.
    ///
    /// # Errors
    /// If the rows do not reach, or no window of `horizon` steps fits into the test part.
    pub fn ends(self, rows: usize, horizon: usize) -> Result<[usize; 3], SplitError> {
        let ends = match self {
            Split::Rows(ends) => ends,
            Split::Shares([train, _, test]) => {
                let part = |share: f64| (rows as f64 * share) as usize;
                [part(train), rows - part(test), rows]
            }
        };
        let [train, start, end] = ends;
        if rows < end {
            return Err(SplitError::TooShort { rows, needed: end });
        }
        if train == 0 {
            return Err(SplitError::NoTraining(rows));
        }
        match end - start >= horizon {
            true => Ok(ends),
            false => Err(SplitError::NoWindow { test: end - start, horizon }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Windows of a test part at stride 1.
    fn windows(split: Split, rows: usize, horizon: usize) -> usize {
        let [_, start, end] = split.ends(rows, horizon).expect("fits");
        end - start - horizon + 1
    }

    #[test]
    fn ett_windows_are_those_of_the_protocol() {
        let split = Split::from_name("ett-hour").expect("known");
        assert_eq!(split, Split::Rows([8640, 11520, 14400]));
        let counts = [96, 192, 336, 720].map(|horizon| windows(split, 17420, horizon));
        assert_eq!(counts, [2785, 2689, 2545, 2161]);
        assert_eq!(Split::from_name("ett-min"), Some(Split::Rows([34560, 46080, 57600])));
    }

    #[test]
    fn shares_are_rounded_as_in_tslib() {
        // exchange_rate: 7588 rows, 5311 to train on, 760 between, 1517 to test.
        let split = Split::from_name("ratio").expect("known");
        assert_eq!(split.ends(7588, 96), Ok([5311, 6071, 7588]));
        assert_eq!(Split::Shares([0.5, 0.0, 0.5]).ends(11, 5), Ok([5, 6, 11]));
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let split = Split::Rows([5, 6, 10]);
        assert_eq!(split.ends(9, 1), Err(SplitError::TooShort { rows: 9, needed: 10 }));
        assert_eq!(split.ends(10, 5), Err(SplitError::NoWindow { test: 4, horizon: 5 }));
        assert_eq!(Split::Shares([0.7, 0.1, 0.2]).ends(1, 1), Err(SplitError::NoTraining(1)));
    }
}
