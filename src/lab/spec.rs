//! What a benchmark is: as a person writes it, and checked.

use crate::lab::split::Split;
use crate::model::spec::Point;
use crate::series::Frequency;

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

/// A benchmark as a person writes it: nothing is checked yet, and what is not written is `None` or empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawPipeline {
    /// Name of the benchmark.
    pub name: String,
    /// Where the files come from.
    pub source: Option<String>,
    /// Names below the data folder; the first that is there is read.
    pub files: Vec<String>,
    /// File that continues the series; of kind `one_origin`.
    pub test_file: Option<String>,
    /// Id columns.
    pub id: Vec<String>,
    /// Time column.
    pub time: Option<String>,
    /// Target column.
    pub target: Option<String>,
    /// Frequency.
    pub freq: Option<Frequency>,
    /// Name of a [`Kind`].
    pub kind: Option<String>,
    /// Training, validation and test part; of kind `rolling`.
    pub split: Option<Split>,
    /// Rows from one origin to the next; of kind `rolling`.
    pub stride: Option<usize>,
    /// What is trained on; of kind `rolling`.
    pub fit_on: Option<FitOn>,
    /// Last rows that are scored; of kind `holdout`.
    pub test_rows: Option<usize>,
    /// Rows from one origin to the next; of kind `holdout`.
    pub step: Option<usize>,
    /// From where the test rows are counted back; of kind `holdout`.
    pub align: Option<Align>,
    /// Steps to forecast, one model each.
    pub horizons: Vec<usize>,
    /// Season length of seasonal naive, in steps.
    pub season: Option<usize>,
    /// Season length of the errors that MASE is relative to, in steps.
    pub scale_season: Option<usize>,
    /// Season length of one more naive forecast, in steps.
    pub reference_season: Option<usize>,
    /// The figure that it is about.
    pub metric: Option<Metric>,
    /// sMAPE of Naive2, percent.
    pub naive2_smape: Option<f64>,
    /// MASE of Naive2.
    pub naive2_mase: Option<f64>,
    /// What the point forecast is.
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
