//! What ends a command, as a person reads it, and the exit code that it deserves.

use crate::cli::Exit;
use crate::config::{Problems, nearest};
use crate::evaluation::spec::BacktestError;
use crate::ingest::{IngestError, IngestErrorKind};
use crate::lab::LabError;
use crate::model::forecaster::ModelError;
use crate::pipeline::{CompareError, JobError};
use crate::publish::PublishError;
use crate::registry::RegistryError;
use crate::schedule::ledger::LedgerError;
use crate::schedule::lock::LockError;
use crate::sequence::{DataError, GenerateError, SequenceError, StoredError};
use crate::store::StoreError;
use miette::Diagnostic;
use std::borrow::Cow;
use std::io::ErrorKind;
use std::path::PathBuf;

/// Why a command gave no result.
#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    /// Flags or config file are wrong.
    #[error(transparent)]
    Settings(#[from] Problems),
    /// The config file cannot be read.
    #[error("cannot read the config file {path}: {reason}; check what --config names")]
    ConfigFile { path: PathBuf, reason: std::io::Error },
    /// The job failed.
    #[error(transparent)]
    Job(#[from] JobError),
    /// The outcomes of two models cannot be compared.
    #[error(transparent)]
    Compare(#[from] CompareError),
    /// The benchmark has no result.
    #[error(transparent)]
    Lab(LabError),
    /// The sequence task has no result.
    #[error(transparent)]
    Sequence(SequenceError),
    /// Nothing was generated.
    #[error(transparent)]
    Generate(GenerateError),
    /// The models on disk cannot be read or changed like that.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// A flag asks for something that is not there.
    #[error("{message}")]
    Request { message: String, help: Option<String> },
    /// Another process has the state directory, or it cannot be used.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The ledger cannot be read or written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The address cannot be had.
    #[error("cannot listen on {address}: {reason}; stop what has it, or set another listen under [http]")]
    Listen { address: std::net::SocketAddr, reason: std::io::Error },
    /// What a command is to reach is not allowed here.
    #[error("{0}; name something below it, or let whoever runs this allow it")]
    Outside(String),
    /// The certificates of the address cannot be used.
    #[error("cannot speak TLS: {0}")]
    Tls(String),
    /// The operating system gives no threads or signals.
    #[error("cannot start: {0}")]
    Runtime(std::io::Error),
    /// The file holds no forecasts.
    #[error(
        "{path} holds no forecasts: {reason}; name a Parquet or CSV file that forecast, backtest or the daemon wrote"
    )]
    NoForecasts { path: PathBuf, reason: String },
    /// What a command needs is not there.
    #[error("{0}")]
    Missing(String),
    /// Stdout does not take the result.
    #[error("cannot write to stdout: {0}")]
    Stdout(std::io::Error),
    /// A panic.
    #[error("s4cast has a bug: {0}")]
    Bug(String),
}

impl From<IngestError> for CliError {
    fn from(error: IngestError) -> CliError {
        JobError::from(error).into()
    }
}

impl From<LabError> for CliError {
    fn from(error: LabError) -> CliError {
        match error {
            LabError::Job(error) => error.into(),
            error => CliError::Lab(error),
        }
    }
}

impl From<SequenceError> for CliError {
    fn from(error: SequenceError) -> CliError {
        match error {
            SequenceError::Publish(error) => error.into(),
            error => CliError::Sequence(error),
        }
    }
}

impl From<GenerateError> for CliError {
    fn from(error: GenerateError) -> CliError {
        match error {
            GenerateError::Publish(error) => error.into(),
            error => CliError::Generate(error),
        }
    }
}

impl From<PublishError> for CliError {
    fn from(error: PublishError) -> CliError {
        JobError::from(error).into()
    }
}

impl CliError {
    /// The exit code: the one table from errors to codes.
    pub fn exit(&self) -> Exit {
        match self {
            CliError::Settings(problems) if problems.are_forbidden() => Exit::Permission,
            CliError::Settings(problems) if problems.in_config() => Exit::Config,
            CliError::Settings(_) | CliError::Request { .. } => Exit::Usage,
            CliError::ConfigFile { .. } => Exit::Config,
            CliError::Job(JobError::Ingest(error)) | CliError::Compare(CompareError::Object(error)) => {
                of_ingest(error)
            }
            CliError::Job(
                JobError::Model(ModelError::EmptyPanel)
                | JobError::Backtest(BacktestError::Model(ModelError::EmptyPanel)),
            ) => Exit::Data,
            CliError::Job(
                JobError::Backtest(BacktestError::TooManyWindows { .. }) | JobError::NoSegment { .. },
            ) => Exit::Usage,
            CliError::Lock(LockError::Held { .. }) => Exit::TryLater,
            CliError::Lock(LockError::Unusable { .. }) => Exit::CannotCreate,
            CliError::Ledger(LedgerError::Missing(_)) => Exit::NoInput,
            CliError::Ledger(LedgerError::Format { .. }) => Exit::Data,
            CliError::Ledger(LedgerError::Database { .. }) | CliError::Runtime(_) => Exit::Io,
            CliError::Listen { .. } => Exit::Unavailable,
            CliError::Tls(_) => Exit::Config,
            CliError::Outside(_) => Exit::Permission,
            // No command sets the flag.
            CliError::Job(
                JobError::Model(ModelError::Stopped)
                | JobError::Backtest(BacktestError::Model(ModelError::Stopped)),
            ) => Exit::Internal,
            CliError::Compare(CompareError::Read(PublishError::Read { path, .. })) if !path.exists() => {
                Exit::NoInput
            }
            CliError::Compare(CompareError::Read(_)) => Exit::Data,
            CliError::Compare(CompareError::NoActuals(_) | CompareError::Unpaired(_)) => Exit::Data,
            CliError::Compare(CompareError::Model { .. } | CompareError::Quantiles { .. }) => Exit::Usage,
            CliError::Job(JobError::Publish(error)) | CliError::Registry(RegistryError::Publish(error)) => {
                match error {
                    PublishError::CannotCreate { .. } | PublishError::NoRoom { .. } => Exit::CannotCreate,
                    PublishError::Permission { .. } | PublishError::Outside(_) => Exit::Permission,
                    PublishError::Io { .. } | PublishError::Read { .. } => Exit::Io,
                    PublishError::Verify { .. } => Exit::Internal,
                    PublishError::Newer { .. } => Exit::Data,
                    PublishError::OtherRun { .. } | PublishError::Disagree { .. } => Exit::CannotCreate,
                    PublishError::Store(error) => of_store(error),
                }
            }
            CliError::Registry(error) => of_registry(error),
            CliError::Job(JobError::Load(RegistryError::Io { source, .. }))
                if source.kind() == ErrorKind::NotFound =>
            {
                Exit::NoInput
            }
            CliError::Job(JobError::Load(error)) => of_registry(error),
            CliError::Job(JobError::Stream(_)) => Exit::Io,
            CliError::Job(JobError::Memory(_)) => Exit::Unavailable,
            CliError::Job(JobError::Unlike { .. }) => Exit::Data,
            CliError::Job(JobError::OverwritesInput(_) | JobError::SamePath(_)) => Exit::Usage,
            CliError::Missing(_) | CliError::Lab(LabError::NoFile { .. }) => Exit::NoInput,
            CliError::Lab(_) => Exit::Data,
            CliError::Sequence(SequenceError::Data(DataError::NoFile { .. })) => Exit::NoInput,
            CliError::Sequence(SequenceError::Stored(
                StoredError::OtherRun { .. } | StoredError::OtherNetwork { .. },
            )) => Exit::Usage,
            CliError::Sequence(_) => Exit::Data,
            CliError::Generate(GenerateError::Stored(StoredError::Read { .. })) => Exit::NoInput,
            CliError::Generate(
                GenerateError::Task { .. } | GenerateError::Steps { .. } | GenerateError::Input { .. },
            ) => Exit::Usage,
            CliError::Generate(_) => Exit::Data,
            CliError::NoForecasts { .. } => Exit::Data,
            CliError::Stdout(_) => Exit::Io,
            CliError::Bug(_) => Exit::Internal,
        }
    }

    /// Every problem, one line each.
    pub fn problems(&self) -> Vec<String> {
        match self {
            CliError::Settings(problems) => {
                problems.all().iter().map(|one| one.message().to_string()).collect()
            }
            CliError::Job(JobError::Ingest(error)) => error.problems().to_vec(),
            CliError::Job(JobError::Unlike { problems, .. }) => problems.clone(),
            CliError::Lab(LabError::Data(problems)) => problems.clone(),
            other => vec![other.to_string()],
        }
    }
}

/// The exit code of what is wrong with an input.
fn of_ingest(error: &IngestError) -> Exit {
    match error.kind() {
        IngestErrorKind::InputMissing => Exit::NoInput,
        IngestErrorKind::Data => Exit::Data,
        IngestErrorKind::Io => Exit::Io,
        IngestErrorKind::Unavailable => Exit::Unavailable,
        IngestErrorKind::Permission => Exit::Permission,
        IngestErrorKind::Usage => Exit::Usage,
        IngestErrorKind::Stopped => Exit::TryLater,
        IngestErrorKind::Memory => Exit::Unavailable,
    }
}

/// The exit code of what is wrong with models on disk.
fn of_registry(error: &RegistryError) -> Exit {
    match error {
        RegistryError::UnknownJob { .. }
        | RegistryError::UnknownVersion { .. }
        | RegistryError::NothingBefore(_) => Exit::NoInput,
        RegistryError::Broken { .. } | RegistryError::Newer { .. } | RegistryError::Untrusted { .. } => {
            Exit::Data
        }
        RegistryError::Io { source, .. } if source.kind() == ErrorKind::PermissionDenied => Exit::Permission,
        RegistryError::Io { .. } | RegistryError::Publish(_) => Exit::Io,
        RegistryError::Store(error) => of_store(error),
        RegistryError::JobName(_) | RegistryError::Pinned { .. } | RegistryError::Serves { .. } => {
            Exit::Usage
        }
    }
}

/// The exit code of what is wrong with a store.
fn of_store(error: &StoreError) -> Exit {
    match error {
        StoreError::Address { .. } | StoreError::Unsupported { .. } => Exit::Usage,
        StoreError::Missing { .. } => Exit::NoInput,
        StoreError::Denied { .. } => Exit::Permission,
        StoreError::Unavailable { .. } => Exit::Unavailable,
        StoreError::TooLarge { .. } => Exit::Data,
        StoreError::Local { .. } => Exit::Io,
    }
}

/// What a person reads, one entry per problem.
pub(super) fn rendered(error: &CliError) -> Vec<Box<dyn Diagnostic + Send + Sync>> {
    let message = |text: String, help: Option<String>| -> Vec<Box<dyn Diagnostic + Send + Sync>> {
        vec![Box::new(Message { text, help })]
    };
    match error {
        CliError::Settings(problems) => problems
            .all()
            .iter()
            .cloned()
            .map(|one| Box::new(one) as Box<dyn Diagnostic + Send + Sync>)
            .collect(),
        CliError::Job(JobError::Ingest(error)) => message(shortened(error.problems()), None),
        CliError::Job(JobError::Unlike { path, problems }) => {
            let help = format!("{path} is another model than is asked for, or for other data");
            message(shortened(problems), Some(help))
        }
        CliError::Lab(LabError::Data(problems)) => message(shortened(problems), None),
        CliError::Request { message: text, help } => message(text.clone(), help.clone()),
        CliError::Registry(error) => message(error.to_string(), known_models(error)),
        CliError::Bug(_) => {
            let help = "please report this line with the command that you ran; nothing was published";
            message(error.to_string(), Some(help.into()))
        }
        other => message(other.to_string(), None),
    }
}

/// What a wrong job or version may have been meant to be.
fn known_models(error: &RegistryError) -> Option<String> {
    match error {
        RegistryError::UnknownJob { known, .. } if known.is_empty() => {
            Some("there are no models at all; --config or --state names the state directory".into())
        }
        RegistryError::UnknownJob { job, known } => {
            let meant = nearest(job, known.iter().map(String::as_str));
            let meant = meant.map_or(String::new(), |meant| format!("did you mean '{meant}'? "));
            Some(format!("{meant}the jobs are {}", known.join(", ")))
        }
        RegistryError::UnknownVersion { known, .. } => {
            let known: Vec<String> = known.iter().map(u32::to_string).collect();
            Some(format!("the versions are {}", known.join(", ")))
        }
        RegistryError::Broken { .. } => {
            Some("roll back, promote another version or train again; s4cast models verify lists all".into())
        }
        _ => None,
    }
}

/// Problems of the data that are printed before the rest is only counted.
const SHOWN: usize = 20;

fn shortened(problems: &[String]) -> String {
    let mut lines = problems[..problems.len().min(SHOWN)].to_vec();
    if problems.len() > SHOWN {
        lines.push(format!("and {} more; --json lists all", problems.len() - SHOWN));
    }
    lines.iter().map(|line| plain(line)).collect::<Vec<_>>().join("\n")
}

/// A line that cannot steer the terminal: cells and ids may hold control characters.
pub(super) fn plain(line: &str) -> Cow<'_, str> {
    match line.contains(char::is_control) {
        true => line
            .chars()
            .map(|c| if c.is_control() { c.escape_default().to_string() } else { c.into() })
            .collect(),
        false => line.into(),
    }
}

/// A message with help.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("{text}")]
struct Message {
    text: String,
    #[help]
    help: Option<String>,
}
