//! The words of a sequence task: what is learnt, from what, by which arrangement of blocks.

use serde::{Deserialize, Serialize};

/// What is learnt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// The class of a whole sequence: cross-entropy, share of hits.
    Classify,
    /// Every next code of a sequence: cross-entropy in bits, perplexity.
    Generate,
    /// Values of positions that were hidden: squared error.
    Reconstruct,
}

impl Task {
    /// All of them.
    pub const ALL: [Task; 3] = [Task::Classify, Task::Generate, Task::Reconstruct];

    /// Name in definitions and documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Task::Classify => "classify",
            Task::Generate => "generate",
            Task::Reconstruct => "reconstruct",
        }
    }
}

/// What the files hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Parquet with columns `label` and `pixels`.
    Images,
    /// Folders of WAV files; for classes, one folder each.
    Sounds,
    /// Bytes of any file.
    Bytes,
    /// Time series as a forecast reads them.
    Series,
}

impl Form {
    /// All of them.
    pub const ALL: [Form; 4] = [Form::Images, Form::Sounds, Form::Bytes, Form::Series];

    /// Name in definitions and documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Form::Images => "images",
            Form::Sounds => "sounds",
            Form::Bytes => "bytes",
            Form::Series => "series",
        }
    }
}

/// In which order the positions of a sequence are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// As they stand.
    #[default]
    Plain,
    /// Position i is the i-th smallest after reversing the bits of the indices (S4 repository, `mnist`).
    Bitrev,
}

impl Order {
    /// All of them.
    pub const ALL: [Order; 2] = [Order::Plain, Order::Bitrev];

    /// Name in definitions and documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Order::Plain => "plain",
            Order::Bitrev => "bitrev",
        }
    }
}

/// Which outputs answer for a whole sequence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Readout {
    /// The mean over all positions; as the head is linear, that is the head of the mean.
    #[default]
    Pool,
    /// The last position's.
    Last,
}

impl Readout {
    /// All of them.
    pub const ALL: [Readout; 2] = [Readout::Pool, Readout::Last];

    /// Name in definitions and documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Readout::Pool => "pool",
            Readout::Last => "last",
        }
    }
}

/// How the blocks of a network are arranged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arrangement {
    /// One after the other, all at the rate of the sequence.
    #[default]
    Stack,
    /// At several rates, down and up again (SaShiMi, Goel et al., arXiv 2202.09729).
    Sashimi,
}

impl Arrangement {
    /// All of them.
    pub const ALL: [Arrangement; 2] = [Arrangement::Stack, Arrangement::Sashimi];

    /// Name in definitions and documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Arrangement::Stack => "stack",
            Arrangement::Sashimi => "sashimi",
        }
    }
}
