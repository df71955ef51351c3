//! Every setting and every table of a config file; what is said about each stands in `describe`.

use crate::config::describe::{ROWS, Row};

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
    /// Whether time stamps stand on a grid.
    Sampling,
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
    /// How long after its end a period is complete.
    LatencyOffset,
    /// Age of the last value from which on a series is stale.
    StaleAfter,
    /// What becomes of a stale series.
    OnStale,
    /// Equal values from which on a series is flat.
    FlatSteps,
    /// What becomes of a flat series.
    OnFlat,
    /// Distance from which on a value is a spike.
    SpikeThreshold,
    /// What becomes of spikes.
    OnSpike,
    /// Steps of the window whose level is looked at.
    ShiftSteps,
    /// Distance from which on it moved.
    ShiftThreshold,
    /// What becomes of a series whose level moved.
    OnShift,
    /// Covariates that are known with the target.
    PastCovariates,
    /// Covariates that are known in advance.
    FutureCovariates,
    /// Covariates that never change.
    StaticCovariates,
    /// Covariates whose numbers are names.
    Categories,
    /// Policy for covariates that are not known far enough.
    MissingCovariates,
    /// Levels of sums.
    Hierarchy,
    /// How forecasts of sums are reconciled.
    Reconcile,
    /// Cycles of the calendar.
    Calendar,
    /// Public holidays.
    Holidays,
    /// Files of events.
    Events,
    /// Days before holidays and events that have columns of their own.
    DaysBefore,
    /// Days after them.
    DaysAfter,
    /// Bytes that the files of a source may have.
    MaxBytes,
    /// Rows that they may have.
    MaxRows,
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
    /// How much work a fit is worth.
    Preset,
    /// What the point forecast is.
    Point,
    /// Least value of a forecast.
    Min,
    /// Largest value of a forecast.
    Max,
    /// Whether forecasts are whole numbers.
    Integer,
    /// Whether the least value of a forecast is zero.
    NonNegative,
    /// Worker threads of a one-shot job.
    Threads,
    /// Memory that a one-shot job may take.
    MaxMemory,
    /// Where the forecasts of a one-shot job go.
    Output,
    /// Where the weights go.
    SaveModel,
    /// Where the quality report goes.
    Quality,
    /// State folder of the daemon.
    State,
    /// Slots that run at a time.
    Workers,
    /// Worker threads of the daemon.
    DaemonThreads,
    /// How long a shutdown waits.
    DrainLimit,
    /// How often the config file is looked at.
    Reload,
    /// How long ended slots stay in the ledger.
    LedgerRetention,
    /// Store of the models.
    Models,
    /// Store of the leases.
    Leases,
    /// Name of this daemon among those that share jobs.
    Node,
    /// How long a silent holder keeps a slot.
    LeaseTtl,
    /// Share of the series.
    Shard,
    /// How long a shard waits for the others.
    ShardTimeout,
    /// Secret key that signs model versions.
    SigningKey,
    /// Public keys of which one has to have signed a model version.
    TrustedKeys,
    /// Memory that the daemon may take.
    DaemonMaxMemory,
    /// Free space below which no slot is begun.
    MinFree,
    /// Folders and addresses below which everything lies.
    AllowPaths,
    /// Whether commands may be sources.
    AllowExec,
    /// Address to listen on.
    Listen,
    /// Bearer token.
    Token,
    /// Names by which requests may call the daemon.
    Hosts,
    /// Certificates of the address.
    Tls,
    /// Whether a proxy speaks TLS.
    Plaintext,
    /// Who may read.
    Reads,
    /// Whether nothing can be changed.
    ReadOnly,
    /// Requests per second of one peer.
    RateLimit,
    /// Connections at a time.
    Connections,
    /// Certificate of this machine.
    TlsCert,
    /// Its private key.
    TlsKey,
    /// Authorities of clients' certificates.
    TlsClientCa,
    /// Environment variable that holds a secret.
    SecretEnv,
    /// File that holds a secret.
    SecretFile,
    /// Name of the schedule that an inline one stands for.
    ScheduleName,
    /// Cron expression.
    Cron,
    /// Interval.
    Every,
    /// Zone of the cron expression.
    ScheduleTz,
    /// Policy for slots that passed unseen.
    Missed,
    /// Lateness from which on a slot is missed.
    MaxLateness,
    /// Policy for slots that meet a running one.
    Overlap,
    /// Largest delay of a start.
    Jitter,
    /// Attempts in all.
    Attempts,
    /// Wait before the second attempt.
    Backoff,
    /// Root folder of a sink.
    SinkPath,
    /// File format of a sink.
    Format,
    /// Column names of a sink.
    Columns,
    /// Age from which on runs are removed.
    Retention,
    /// How long a superseded run stays readable.
    Grace,
    /// Name of the source of a job.
    JobSource,
    /// Name of the model of a job.
    JobModel,
    /// Name of the sink of a job.
    JobSink,
    /// When to train.
    Train,
    /// When to forecast.
    Forecast,
    /// When to score.
    Score,
    /// What stands in for a model.
    Fallback,
    /// Whether new files start a forecast.
    OnNewData,
    /// Versions to keep.
    KeepVersions,
    /// How many bad series end a slot of the job.
    JobMaxBadSeries,
    /// Which new versions may serve.
    Promotion,
    /// Id column that scores are split by.
    Segment,
    /// What makes a training due.
    Retrain,
    /// What counts as an anomaly.
    Anomaly,
    /// Age of the champion.
    RetrainAge,
    /// New rows.
    RetrainNewRows,
    /// Growth of the error.
    RetrainErrorDrift,
    /// Distance of the coverage.
    RetrainCoverageDrift,
    /// Least time between trainings.
    RetrainCoolDown,
    /// Interval that values are held against.
    AnomalyLevel,
    /// Side of the forecast.
    AnomalyDirection,
    /// Least distance from the forecast.
    AnomalyDistance,
    /// Least distance as a share.
    AnomalyShare,
    /// Values that may occur.
    AnomalyRange,
    /// Whether intervals follow their live coverage.
    Adaptive,
    /// Whether training starts from the networks of the version that serves.
    WarmStart,
    /// Runs in shadow before a decision.
    ShadowRuns,
    /// What is forecast beside the plan by a one-shot job.
    Scenarios,
    /// What is forecast beside the plan with every run of a job.
    JobScenarios,
    /// A command whose output is the data.
    Exec,
    /// How long the command may take.
    ExecTimeout,
    /// How much the command may print.
    ExecMaxBytes,
    /// What covariates are to sums.
    HierarchyCovariates,
    /// A saved model in place of a training.
    LoadModel,
    /// How the step of the data may differ from the saved model's.
    SamplingScale,
    /// Public keys of which one has to have signed the saved model.
    ModelTrustedKeys,
}

/// The two kinds of config file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// For `s4cast forecast`: one source, one model, one output.
    OneShot,
    /// For the daemon: named tables that jobs refer to.
    Daemon,
}

/// A table of a config file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// The daemon itself.
    Daemon,
    /// Where to listen.
    Http,
    /// What to read.
    Source,
    /// What to fit.
    Model,
    /// When something happens.
    Schedule,
    /// Where runs go.
    Sink,
    /// What is forecast: source, model, sink and schedules.
    Job,
    /// Where the forecasts of a one-shot job go.
    Output,
    /// Where a secret stands; only inline.
    Secret,
    /// When a model is trained beside its schedule; only inline.
    Retrain,
    /// What counts as an anomaly; only inline.
    Anomaly,
    /// Certificates; only inline.
    Tls,
}

impl Table {
    /// All tables that a file may have, in the order in which people read them.
    pub(super) const ALL: [Table; 8] = [
        Table::Daemon,
        Table::Http,
        Table::Source,
        Table::Model,
        Table::Schedule,
        Table::Sink,
        Table::Job,
        Table::Output,
    ];

    /// Name in a config file.
    pub fn name(self) -> &'static str {
        match self {
            Table::Daemon => "daemon",
            Table::Http => "http",
            Table::Source => "source",
            Table::Model => "model",
            Table::Schedule => "schedule",
            Table::Sink => "sink",
            Table::Job => "job",
            Table::Output => "output",
            Table::Secret => "secret",
            Table::Retrain => "retrain",
            Table::Anomaly => "anomaly",
            Table::Tls => "tls",
        }
    }

    /// What it is for, in a line.
    pub(super) fn doc(self) -> &'static str {
        match self {
            Table::Daemon => "The daemon itself.",
            Table::Http => {
                "Health, metrics and forecasts over HTTP; without this table there is no socket at all."
            }
            Table::Source => "What to read.",
            Table::Model => "How to forecast.",
            Table::Schedule => "When something happens.",
            Table::Sink => {
                "Where the runs go: job=J/issued_date=D/run_id=R/ below the path, the newest one also to latest/."
            }
            Table::Job => "What is forecast: a source, a model and a sink by their names, and when.",
            Table::Output => "Where the forecasts of a one-shot job go.",
            Table::Secret => "Where a secret stands: an environment variable or a file.",
            Table::Retrain => {
                "What makes a training due beside its schedule; the record of the training names it."
            }
            Table::Anomaly => "Which values that come are anomalies; needs score.",
            Table::Tls => "Files of certificates, as PEM; they are read again at every reload.",
        }
    }

    /// The table of that name in a file of that kind.
    pub(super) fn of(name: &str, kind: FileKind) -> Option<Table> {
        Table::ALL.into_iter().find(|table| table.name() == name && table.is_in(kind))
    }

    /// Whether a file of that kind may have the table.
    pub(super) fn is_in(self, kind: FileKind) -> bool {
        match kind {
            FileKind::OneShot => matches!(self, Table::Source | Table::Model | Table::Output),
            FileKind::Daemon => self != Table::Output,
        }
    }

    /// Whether a daemon file has several of them, each with a name.
    pub(super) fn is_named(self) -> bool {
        matches!(self, Table::Source | Table::Model | Table::Schedule | Table::Sink | Table::Job)
    }

    /// Its header in a file of that kind.
    pub(super) fn header(self, kind: FileKind) -> String {
        match kind == FileKind::Daemon && self.is_named() {
            true => format!("[{}.NAME]", self.name()),
            false => format!("[{}]", self.name()),
        }
    }

    /// Its keys in a file of that kind; those that only an inline table may have are left out.
    pub(super) fn keys(self, kind: FileKind) -> impl Iterator<Item = Key> {
        self.all_keys(kind).filter(|key| *key != Key::ScheduleName)
    }

    /// Its keys in a file of that kind, as an inline table has them.
    pub(super) fn all_keys(self, kind: FileKind) -> impl Iterator<Item = Key> {
        let here = move |key: &Key| key.table() == self && self.is_in(kind);
        let is_one_shot = |key: &Key| {
            matches!(
                key,
                Key::Threads | Key::MaxMemory | Key::LoadModel | Key::SamplingScale | Key::ModelTrustedKeys
            )
        };
        Key::all().filter(here).filter(move |key| kind == FileKind::OneShot || !is_one_shot(key))
    }
}

/// What a value looks like in a config file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A string.
    Text,
    /// A string or a list of strings.
    Texts,
    /// As [`Shape::Texts`], or a table whose keys and values are joined by that text.
    Pairs(&'static str),
    /// A list of strings: a program and its arguments.
    Command,
    /// A string that is a path; relative ones start at the config file.
    Path,
    /// A path or a list of paths.
    Paths,
    /// One of some words.
    Choice(&'static [&'static str]),
    /// A length of time, as a string with a unit.
    Duration,
    /// A length of time, or a word that stands for none.
    DurationOr(&'static str),
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// A number or a list of numbers.
    Numbers,
    /// A whole number or a string.
    IntegerOrText,
    /// A number or a string.
    NumberOrText,
    /// A date, a time or a string.
    Instant,
    /// True or false.
    Flag,
    /// The name of a table of that kind.
    Name(Table),
    /// An inline schedule, or the name of one.
    Timing,
    /// Where a secret stands, never the secret.
    Secret,
    /// The keys of an inline table.
    Inline(Table),
}

impl Shape {
    /// In words.
    pub(super) fn wanted(self) -> &'static str {
        match self {
            Shape::Text | Shape::Path | Shape::Choice(_) | Shape::Name(_) => "a string",
            Shape::Texts | Shape::Paths => "a string or a list of strings",
            Shape::Pairs(_) => "a string, a list of strings or a table of strings",
            Shape::Command => "a list of strings: the program and its arguments",
            Shape::Duration | Shape::DurationOr(_) => "a string such as \"15m\"",
            Shape::Integer => "a whole number",
            Shape::Number => "a number",
            Shape::Numbers => "a number or a list of numbers",
            Shape::IntegerOrText => "a whole number or a string",
            Shape::NumberOrText => "a number or a string",
            Shape::Instant => "a date, a time or a string",
            Shape::Flag => "true or false",
            Shape::Timing => "a table such as { every = \"15m\" } or { schedule = \"NAME\" }",
            Shape::Secret => "a table such as { env = \"S4CAST_TOKEN\" } or { file = \"PATH\" }",
            Shape::Inline(_) => "a table such as { KEY = VALUE }",
        }
    }

    /// The table whose keys an inline value has.
    pub(super) fn inline(self) -> Option<Table> {
        match self {
            Shape::Timing => Some(Table::Schedule),
            Shape::Secret => Some(Table::Secret),
            Shape::Inline(table) => Some(table),
            _ => None,
        }
    }
}

impl Key {
    /// All settings.
    pub fn all() -> impl Iterator<Item = Key> {
        ROWS.iter().map(|row| row.key)
    }

    /// What is said about it.
    pub(super) fn row(self) -> &'static Row {
        &ROWS[self as usize]
    }

    /// Table in a config file.
    pub fn table(self) -> Table {
        self.row().table
    }

    /// Name in that table.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// Flag on the command line; empty where there is none.
    pub fn flag(self) -> &'static str {
        self.row().flag
    }

    pub(super) fn shape(self) -> Shape {
        self.row().shape
    }

    /// The words to choose from; none where anything may be written.
    pub fn choices(self) -> &'static [&'static str] {
        match self.shape() {
            Shape::Choice(words) => words,
            _ => &[],
        }
    }

    /// Whether the setting decides what is forecast; paths, threads, schedules and sinks do not.
    pub(super) fn decides_result(self) -> bool {
        match self.table() {
            Table::Source => !matches!(
                self,
                Key::Inputs | Key::Exec | Key::ExecTimeout | Key::ExecMaxBytes | Key::MaxBytes | Key::MaxRows
            ),
            Table::Model => {
                !matches!(self, Key::Threads | Key::MaxMemory | Key::LoadModel | Key::ModelTrustedKeys)
            }
            _ => matches!(self, Key::Fallback | Key::Scenarios | Key::JobScenarios),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_stands_at_its_own_row_once() {
        for (place, row) in ROWS.iter().enumerate() {
            assert_eq!(row.key as usize, place, "{:?}", row.key);
            let same = |other: &&Row| other.table == row.table && other.name == row.name;
            assert_eq!(ROWS.iter().filter(same).count(), 1, "{}.{}", row.table.name(), row.name);
        }
        assert_eq!(ROWS.len(), Key::ModelTrustedKeys as usize + 1);
    }

    #[test]
    fn defaults_are_among_the_choices() {
        let has_default = |key: &Key| !key.choices().is_empty() && !key.row().default.is_empty();
        for key in Key::all().filter(has_default) {
            let default = key.row().default.trim_matches('"');
            assert!(key.choices().contains(&default), "{}: {default}", key.name());
        }
    }
}
