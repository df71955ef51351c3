//! What a benchmark is: as a person writes it, and checked.

use crate::model::spec::Point;
use crate::series::Frequency;

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

/// What rolling windows train on; forecasts are scored on the test part in either case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FitOn {
    /// The training part alone, as protocols demand.
    #[default]
    Train,
    /// Everything before the test part.
    TrainAndValidation,
}

/// From where the test rows of a holdout are counted back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Align {
    /// From the end of each series.
    #[default]
    End,
    /// From the latest end of all series: origins are the same instants everywhere.
    Calendar,
}

/// How origins are laid out.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Every window of the test part; values are scaled by mean and population deviation of the training part.
    Rolling {
        /// Training, validation and test part.
        split: Split,
        /// Rows from one origin to the next; 1 in protocols.
        stride: usize,
        /// What is trained on.
        fit_on: FitOn,
    },
    /// One forecast per series: of a test file, or of its last rows.
    OneOrigin {
        /// File that continues the series; `None` holds back the last rows, one horizon of them.
        test_file: Option<String>,
    },
    /// Origins through the last rows of every series, trained once, before the first.
    Holdout {
        /// Last rows of every series that are scored.
        test_rows: usize,
        /// Rows from one origin to the next; `None` is the horizon.
        step: Option<usize>,
        /// From where the rows are counted back.
        align: Align,
    },
}

impl Kind {
    /// Name in a definition.
    pub fn as_str(&self) -> &'static str {
        match self {
            Kind::Rolling { .. } => "rolling",
            Kind::OneOrigin { .. } => "one_origin",
            Kind::Holdout { .. } => "holdout",
        }
    }

    /// All names.
    pub const NAMES: [&str; 3] = ["rolling", "one_origin", "holdout"];
}

/// The figure that a benchmark is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Mean squared error, of scaled values where windows roll.
    Mse,
    /// Mean absolute scaled error.
    Mase,
    /// Overall weighted average of sMAPE and MASE relative to Naive2.
    Owa,
}

impl Metric {
    /// All of them.
    pub const ALL: [Metric; 3] = [Metric::Mse, Metric::Mase, Metric::Owa];

    /// Name in definitions and documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Metric::Mse => "mse",
            Metric::Mase => "mase",
            Metric::Owa => "owa",
        }
    }
}

/// Errors of Naive2 on the same test, the denominators of OWA. Source: Makridakis et al. (2020), the M4 competition.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Naive2 {
    /// Symmetric mean absolute percentage error, percent.
    pub smape: f64,
    /// Mean absolute scaled error.
    pub mase: f64,
}

/// Files and columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Data {
    /// Where the files come from, for whoever lacks them.
    pub source: Option<String>,
    /// Names below the data folder; the first that is there is read.
    pub files: Vec<String>,
    /// Id columns; empty finds them.
    pub id: Vec<String>,
    /// Time column; `None` finds it.
    pub time: Option<String>,
    /// Target column; `None` finds it, or takes every numeric column for a series of its own.
    pub target: Option<String>,
    /// Frequency; `None` finds it.
    pub freq: Option<Frequency>,
}

/// A benchmark as a person writes it: nothing is checked yet.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "the fields are those of the checked form")]
pub struct RawPipeline {
    pub name: String,
    pub source: Option<String>,
    pub files: Vec<String>,
    pub test_file: Option<String>,
    pub id: Vec<String>,
    pub time: Option<String>,
    pub target: Option<String>,
    pub freq: Option<Frequency>,
    pub kind: Option<String>,
    pub split: Option<Split>,
    pub stride: Option<usize>,
    pub fit_on: Option<FitOn>,
    pub test_rows: Option<usize>,
    pub step: Option<usize>,
    pub align: Option<Align>,
    pub horizons: Vec<usize>,
    pub season: Option<usize>,
    pub scale_season: Option<usize>,
    pub reference_season: Option<usize>,
    pub metric: Option<Metric>,
    pub naive2_smape: Option<f64>,
    pub naive2_mase: Option<f64>,
    pub point: Option<Point>,
}

/// A benchmark, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Pipeline {
    pub(super) name: String,
    pub(super) data: Data,
    pub(super) kind: Kind,
    pub(super) horizons: Vec<usize>,
    pub(super) season: usize,
    pub(super) scale_season: usize,
    pub(super) reference_season: Option<usize>,
    pub(super) metric: Metric,
    pub(super) naive2: Option<Naive2>,
    pub(super) point: Point,
}

/// What is wrong with a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PipelineProblem {
    /// The key that it is about.
    pub key: &'static str,
    /// What is wrong, and what would do.
    pub message: String,
}

impl TryFrom<RawPipeline> for Pipeline {
    type Error = Vec<PipelineProblem>;

    /// All problems at once.
    fn try_from(raw: RawPipeline) -> Result<Pipeline, Vec<PipelineProblem>> {
        let mut problems = Vec::new();
        let mut problem =
            |key: &'static str, message: String| problems.push(PipelineProblem { key, message });
        if raw.files.is_empty() {
            problem("files", "no files; write for example files = [\"sales.parquet\"]".into());
        }
        if raw.horizons.is_empty() {
            problem("horizons", "no horizons; write for example horizons = [24]".into());
        }
        for (at, horizon) in raw.horizons.iter().enumerate() {
            if !(1..=10_000).contains(horizon) {
                problem("horizons", format!("horizon {horizon} is not in 1..=10000"));
            }
            if raw.horizons[..at].contains(horizon) {
                problem("horizons", format!("horizon {horizon} stands there twice; remove one of them"));
            }
        }
        let lengths = [
            ("season", raw.season),
            ("scale_season", raw.scale_season),
            ("reference_season", raw.reference_season),
        ];
        for (key, length) in lengths {
            if let Some(length) = length.filter(|length| !(1..=100_000).contains(length)) {
                problem(key, format!("{key} {length} is not in 1..=100000"));
            }
        }
        for (key, count) in [("stride", raw.stride), ("step", raw.step), ("test_rows", raw.test_rows)] {
            if count == Some(0) {
                problem(key, format!("{key} is 0; write 1 or more"));
            }
        }
        if let Some(Err(message)) = raw.split.map(check_split) {
            problem("split", message);
        }
        for (key, value) in [("naive2_smape", raw.naive2_smape), ("naive2_mase", raw.naive2_mase)] {
            if let Some(value) = value.filter(|value| !(value.is_finite() && *value > 0.0)) {
                problem(key, format!("{key} {value} is no error; write a number above 0"));
            }
        }
        let kind = kind(&raw, &mut problem);
        let naive2 = raw.naive2_smape.zip(raw.naive2_mase).map(|(smape, mase)| Naive2 { smape, mase });
        let metric = raw.metric.unwrap_or(if raw.kind.as_deref() == Some("rolling") {
            Metric::Mse
        } else {
            Metric::Mase
        });
        if metric == Metric::Owa && naive2.is_none() {
            problem("metric", "owa is relative to Naive2; write naive2_smape and naive2_mase".into());
        }
        let Some(kind) = kind.filter(|_| problems.is_empty()) else { return Err(problems) };
        let point = raw.point.unwrap_or(match metric {
            Metric::Mse => Point::Mean,
            Metric::Mase | Metric::Owa => Point::Median,
        });
        Ok(Pipeline {
            name: raw.name,
            data: Data {
                source: raw.source,
                files: raw.files,
                id: raw.id,
                time: raw.time,
                target: raw.target,
                freq: raw.freq,
            },
            kind,
            horizons: raw.horizons,
            season: raw.season.unwrap_or(1),
            scale_season: raw.scale_season.or(raw.season).unwrap_or(1),
            reference_season: raw.reference_season,
            metric,
            naive2,
            point,
        })
    }
}

/// The layout of the origins, where it is clear; keys of other kinds are problems.
fn kind(raw: &RawPipeline, problem: &mut impl FnMut(&'static str, String)) -> Option<Kind> {
    let Some(name) = raw.kind.as_deref() else {
        problem("kind", format!("no kind; write one of {}", Kind::NAMES.join(", ")));
        return None;
    };
    if !Kind::NAMES.contains(&name) {
        problem("kind", format!("unknown kind '{name}'; choose one of {}", Kind::NAMES.join(", ")));
        return None;
    }
    let owned = [
        ("split", raw.split.is_some(), "rolling"),
        ("stride", raw.stride.is_some(), "rolling"),
        ("fit_on", raw.fit_on.is_some(), "rolling"),
        ("test_file", raw.test_file.is_some(), "one_origin"),
        ("test_rows", raw.test_rows.is_some(), "holdout"),
        ("step", raw.step.is_some(), "holdout"),
        ("align", raw.align.is_some(), "holdout"),
    ];
    for (key, _, owner) in owned.into_iter().filter(|(_, is_set, owner)| *is_set && *owner != name) {
        problem(key, format!("{key} belongs to kind = \"{owner}\", and this one is {name}; remove it"));
    }
    match name {
        "rolling" if raw.split.is_none() => {
            problem("split", format!("no split; write one of {}, or three numbers", Split::NAMES.join(", ")));
            None
        }
        "rolling" => Some(Kind::Rolling {
            split: raw.split?,
            stride: raw.stride.unwrap_or(1),
            fit_on: raw.fit_on.unwrap_or_default(),
        }),
        "one_origin" => Some(Kind::OneOrigin { test_file: raw.test_file.clone() }),
        _ => {
            let Some(test_rows) = raw.test_rows else {
                problem("test_rows", "no test_rows; write how many of the last rows are scored".into());
                return None;
            };
            for horizon in raw.horizons.iter().filter(|horizon| **horizon > test_rows) {
                problem("test_rows", format!("test_rows {test_rows} hold no forecast of {horizon} steps"));
            }
            Some(Kind::Holdout { test_rows, step: raw.step, align: raw.align.unwrap_or_default() })
        }
    }
}

fn check_split(split: Split) -> Result<(), String> {
    match split {
        Split::Rows([train, start, end]) if !(0 < train && train <= start && start < end) => Err(format!(
            "split [{train}, {start}, {end}] does not ascend; write where training ends, testing starts, testing ends"
        )),
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

impl Pipeline {
    /// Name of the benchmark.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Files and columns.
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// How origins are laid out.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// Steps to forecast, one model each; at least one.
    pub fn horizons(&self) -> &[usize] {
        &self.horizons
    }

    /// Season length of seasonal naive, in steps.
    pub fn season(&self) -> usize {
        self.season
    }

    /// Season length of the errors that MASE is relative to; that of seasonal naive unless another one is written.
    pub fn scale_season(&self) -> usize {
        self.scale_season
    }

    /// Season length of one more naive forecast, which absolute errors are held against (`rmae`).
    pub fn reference_season(&self) -> Option<usize> {
        self.reference_season
    }

    /// The figure that it is about.
    pub fn metric(&self) -> Metric {
        self.metric
    }

    /// Denominators of OWA, where there are any.
    pub fn naive2(&self) -> Option<Naive2> {
        self.naive2
    }

    /// What the point forecast is.
    pub fn point(&self) -> Point {
        self.point
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

    #[test]
    fn every_problem_of_a_definition_is_told() {
        let raw = RawPipeline {
            kind: Some("one_origin".into()),
            horizons: vec![0, 4, 4],
            stride: Some(0),
            metric: Some(Metric::Owa),
            naive2_smape: Some(-1.0),
            ..RawPipeline::default()
        };
        let problems = Pipeline::try_from(raw).expect_err("wrong");
        let keys: Vec<&str> = problems.iter().map(|problem| problem.key).collect();
        assert_eq!(keys, ["files", "horizons", "horizons", "stride", "naive2_smape", "stride", "metric"]);
    }
}
