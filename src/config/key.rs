//! Every setting: its place in a config file, its flag, the shape of its value.

/// A setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// Files to read.
    Inputs,
    /// Id columns.
    Id,
    /// Time column.
    Time,
    /// Target column.
    Target,
    /// Frequency.
    Freq,
    /// Time zone.
    Tz,
    /// Policy for repeated timestamps.
    Duplicates,
    /// Policy for holes.
    Gaps,
    /// Policy for rows out of order.
    Order,
    /// How many bad series end the job.
    MaxBadSeries,
    /// Instant after which nothing is known.
    AsOf,
    /// Name of the model.
    Kind,
    /// Steps to forecast.
    Horizon,
    /// Coverage levels in percent.
    Levels,
    /// Season length in steps.
    SeasonLength,
    /// Seed of every random number.
    Seed,
    /// Wall-clock limit of training.
    Budget,
    /// Worker threads.
    Threads,
    /// Where the forecasts go.
    Output,
    /// Where the weights go.
    SaveModel,
    /// Where the quality report goes.
    Quality,
}

/// What a value looks like in a config file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A string.
    Text,
    /// A string or a list of strings.
    Texts,
    /// A string that is a path; relative ones start at the config file.
    Path,
    /// A path or a list of paths.
    Paths,
    /// A whole number.
    Integer,
    /// A number or a list of numbers.
    Numbers,
    /// A whole number or a string.
    IntegerOrText,
    /// A date, a time or a string.
    Instant,
}

impl Shape {
    /// In words.
    pub(super) fn wanted(self) -> &'static str {
        match self {
            Shape::Text | Shape::Path => "a string",
            Shape::Texts | Shape::Paths => "a string or a list of strings",
            Shape::Integer => "a whole number",
            Shape::Numbers => "a number or a list of numbers",
            Shape::IntegerOrText => "a whole number or a string",
            Shape::Instant => "a date, a time or a string",
        }
    }
}

/// The tables of a config file.
pub(super) const TABLES: [&str; 3] = ["source", "model", "output"];

impl Key {
    /// All settings.
    pub const ALL: [Key; 21] = [
        Key::Inputs,
        Key::Id,
        Key::Time,
        Key::Target,
        Key::Freq,
        Key::Tz,
        Key::Duplicates,
        Key::Gaps,
        Key::Order,
        Key::MaxBadSeries,
        Key::AsOf,
        Key::Kind,
        Key::Horizon,
        Key::Levels,
        Key::SeasonLength,
        Key::Seed,
        Key::Budget,
        Key::Threads,
        Key::Output,
        Key::SaveModel,
        Key::Quality,
    ];

    /// Table, name in the table, flag, shape.
    fn row(self) -> (&'static str, &'static str, &'static str, Shape) {
        match self {
            Key::Inputs => ("source", "inputs", "INPUT", Shape::Paths),
            Key::Id => ("source", "id", "--id", Shape::Texts),
            Key::Time => ("source", "time", "--time", Shape::Text),
            Key::Target => ("source", "target", "--target", Shape::Text),
            Key::Freq => ("source", "freq", "--freq", Shape::Text),
            Key::Tz => ("source", "tz", "--tz", Shape::Text),
            Key::Duplicates => ("source", "duplicates", "--duplicates", Shape::Text),
            Key::Gaps => ("source", "gaps", "--gaps", Shape::Text),
            Key::Order => ("source", "order", "--order", Shape::Text),
            Key::MaxBadSeries => ("source", "max_bad_series", "--max-bad-series", Shape::IntegerOrText),
            Key::AsOf => ("source", "as_of", "--as-of", Shape::Instant),
            Key::Kind => ("model", "kind", "--model", Shape::Text),
            Key::Horizon => ("model", "horizon", "--horizon", Shape::Integer),
            Key::Levels => ("model", "levels", "--levels", Shape::Numbers),
            Key::SeasonLength => ("model", "season_length", "--season-length", Shape::Integer),
            Key::Seed => ("model", "seed", "--seed", Shape::Integer),
            Key::Budget => ("model", "budget", "--budget", Shape::Text),
            Key::Threads => ("model", "threads", "--threads", Shape::Integer),
            Key::Output => ("output", "path", "--output", Shape::Path),
            Key::SaveModel => ("output", "save_model", "--save-model", Shape::Path),
            Key::Quality => ("output", "quality", "--quality", Shape::Path),
        }
    }

    /// Table in a config file.
    pub fn table(self) -> &'static str {
        self.row().0
    }

    /// Name in that table.
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// Flag on the command line.
    pub fn flag(self) -> &'static str {
        self.row().2
    }

    pub(super) fn shape(self) -> Shape {
        self.row().3
    }

    /// Whether the setting decides what is forecast; paths and threads do not.
    pub(super) fn decides_result(self) -> bool {
        !matches!(self, Key::Inputs | Key::Threads | Key::Output | Key::SaveModel | Key::Quality)
    }
}
