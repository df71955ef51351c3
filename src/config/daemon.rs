//! A daemon file to the spec of the daemon; every problem at once.

use crate::config::check::Check;
use crate::config::document::Document;
use crate::config::file::{ConfigFile, Env, parse};
use crate::config::key::Table;
use crate::config::problem::in_order;
use crate::config::secret::Secrets;
use crate::config::words::{self, Wrong};
use crate::config::{Key, Problem, Problems, Settings, allow, fleet, paths};
use crate::ingest::{Objects, SourceSpec};
use crate::model::spec::ModelSpec;
use crate::pipeline::Limits;
use crate::publish::SinkSpec;
use crate::schedule::spec::{DaemonSpec, JobPlan, ScheduleSpec};
use crate::serve::ServeSpec;
use crate::store::Fence;
use jiff::SignedDuration;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Slots at a time where nothing is written.
const WORKERS: usize = 2;

/// Limit of a shutdown where nothing is written.
const DRAIN_LIMIT: SignedDuration = SignedDuration::from_secs(60);

/// Poll of the config file where nothing is written.
const RELOAD: SignedDuration = SignedDuration::from_secs(30);

/// Everything that a daemon file says.
#[derive(Clone, Debug)]
pub struct Daemon {
    /// What to do.
    pub spec: DaemonSpec,
    /// Where to listen; `None` opens no socket.
    pub http: Option<ServeSpec>,
    /// Worker threads; `None` takes one per core.
    pub threads: Option<usize>,
    /// What the jobs may reach.
    pub fence: Fence,
    /// SHA-256 of the file's text, lower-case hex.
    pub sha256: String,
    /// What looks like a mistake and stops nothing, in the order of the file.
    pub warnings: Vec<Problem>,
}

/// Reads the config file of the daemon.
///
/// # Errors
/// Every problem of the file, the secrets that it names included.
pub fn daemon(path: &Path, env: Env<'_>) -> Result<Daemon, Problems> {
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
    let folder = path.parent().map(PathBuf::from).unwrap_or_default();
    match parse(&path.display().to_string(), &text, folder, env) {
        ConfigFile::Daemon(document) => build(&document, Secrets::Read(env)),
        ConfigFile::Broken(settings) => {
            Err(Problems::none_of(settings.problems).err().unwrap_or_else(|| not_for_daemon(path).into()))
        }
        ConfigFile::OneShot(_) => Err(not_for_daemon(path).into()),
    }
}

/// The problem of a file that cannot be read at all.
pub(super) fn unreadable(path: &Path, error: &std::io::Error) -> Problem {
    let message = format!("cannot read the config file {}: {error}", path.display());
    Problem::of_file(path, message, "check what --config names")
}

fn not_for_daemon(path: &Path) -> Problem {
    let message = format!("{} is no file for the daemon: it has no [job.NAME]", path.display());
    Problem::of_file(
        path,
        message,
        "run it with `s4cast forecast -c`, or let `s4cast init --from DATA` write a daemon file",
    )
}

/// Checked tables of one kind.
pub(super) struct Checked<T> {
    /// By name; `None` stands for one that is wrong.
    pub all: BTreeMap<String, Option<T>>,
    /// Whether there may be more, in a part of the file that could not be understood.
    pub is_partial: bool,
}

/// What jobs refer to.
pub(super) struct Parts<'a> {
    pub document: &'a Document,
    pub sources: Checked<SourceSpec>,
    pub models: Checked<ModelSpec>,
    pub schedules: Checked<ScheduleSpec>,
    pub sinks: Checked<SinkSpec>,
}

/// The daemon that a document describes.
pub(super) fn build(document: &Document, secrets: Secrets<'_>) -> Result<Daemon, Problems> {
    let mut problems = document.problems.clone();
    let nothing = Settings::default();
    let mut general = Check::new(document.daemon.as_ref().unwrap_or(&nothing));
    let mut spec = general.daemon(&document.folder, secrets);
    let threads = general.threads(Key::DaemonThreads);
    let fence = general.fence();
    problems.append(&mut general.problems);
    let http = document.http.as_ref().and_then(|settings| {
        let mut check = Check::new(settings);
        let http = check.http(secrets);
        problems.append(&mut check.problems);
        http
    });
    // The slots of a daemon know their own time.
    let objects = Objects::kept(spec.state.join("objects"));
    let shard = Some(spec.shard).filter(|shard| !shard.is_whole());
    let source = |check: &mut Check<'_>, _: &str| {
        if shard.is_some() {
            check.no_sums_of_shards();
        }
        Some(SourceSpec { as_of: None, shard, objects: objects.clone(), ..check.source() })
    };
    let parts = Parts {
        document,
        sources: checked(document, Table::Source, &mut problems, source),
        models: checked(document, Table::Model, &mut problems, |check, _| check.model()),
        schedules: checked(document, Table::Schedule, &mut problems, |check, _| check.schedule()),
        sinks: checked(document, Table::Sink, &mut problems, |check, name| check.sink(name, &spec)),
    };
    let jobs: Checked<JobPlan> =
        checked(document, Table::Job, &mut problems, |check, name| check.plan(name, &parts));
    if jobs.all.is_empty() && !jobs.is_partial {
        let message = "no job: the daemon would have nothing to do".to_string();
        let help = "write a table [job.NAME] with source, model, sink and forecast";
        problems.push(Problem::in_file(&document.file, 0..0, message, Some(help.into())));
    }
    problems.extend(paths::overlaps(document, &parts.sinks, &spec.state));
    problems.extend(allow::strays(document, &spec, &fence));
    problems.extend(fleet::unshared(document, &spec, &parts.sinks));
    Problems::none_of(problems)?;
    spec.jobs = jobs.all.into_values().flatten().collect();
    let warnings = in_order(warnings(document));
    Ok(Daemon { spec, http, threads, fence, sha256: document.sha256.clone(), warnings })
}

fn checked<T>(
    document: &Document,
    table: Table,
    problems: &mut Vec<Problem>,
    value: impl Fn(&mut Check<'_>, &str) -> Option<T>,
) -> Checked<T> {
    let mut all = BTreeMap::new();
    for (name, settings) in document.named.get(&table).into_iter().flatten() {
        let mut check = Check::new(settings);
        let value = value(&mut check, name).filter(|_| check.problems.is_empty());
        problems.append(&mut check.problems);
        all.insert(name.clone(), value);
    }
    Checked { all, is_partial: document.misread }
}

impl Check<'_> {
    /// The daemon without its jobs.
    fn daemon(&mut self, folder: &Path, secrets: Secrets<'_>) -> DaemonSpec {
        let off_or_span = |text: &str| match text.trim() {
            "off" => Ok(None),
            text => words::positive_span(text).map(Some).map_err(|wrong| Wrong {
                help: wrong.help.map(|help| format!("{help}, or \"off\"")),
                ..wrong
            }),
        };
        DaemonSpec {
            state: self.text(Key::State).map_or_else(|| folder.join("state"), PathBuf::from),
            workers: self.between(Key::Workers, 1, 256).unwrap_or(WORKERS),
            drain_limit: self.one(Key::DrainLimit, words::span).unwrap_or(DRAIN_LIMIT),
            reload_poll: self.one(Key::Reload, off_or_span).unwrap_or(Some(RELOAD)),
            ledger_retention: self.one(Key::LedgerRetention, words::positive_span),
            models: self.models(),
            leases: self.leases(),
            shard: self.shard(),
            shard_timeout: self.shard_timeout(),
            keys: self.keys(secrets),
            limits: Limits {
                max_memory: self.one(Key::DaemonMaxMemory, words::size),
                min_free: self.one(Key::MinFree, words::size).unwrap_or(Limits::default().min_free),
            },
            jobs: Vec::new(),
        }
    }
}

/// Tables that no job refers to, and what the daemon leaves aside.
fn warnings(document: &Document) -> Vec<Problem> {
    let used = used(document);
    let mut warnings = Vec::new();
    for (table, members) in &document.named {
        for (name, settings) in members {
            let Some((header, span)) = &settings.header else { continue };
            if *table != Table::Job && !used.contains(&(*table, name.as_str())) {
                let help = format!("refer to it from a job, or remove it: {} = \"{name}\"", table.name());
                let message = format!("no job refers to [{header}]");
                warnings.push(Problem::in_file(&document.file, span.clone(), message, Some(help)));
            }
            if let Some(span) = settings.get(Key::AsOf).first().and_then(|item| item.span.clone()) {
                let message =
                    "as_of is for one-shot jobs: the daemon takes the time of each slot".to_string();
                warnings.push(Problem::in_file(&document.file, span, message, Some("remove it".into())));
            }
        }
    }
    warnings.into_iter().map(Problem::warning).collect()
}

/// The tables that some job names.
fn used(document: &Document) -> BTreeSet<(Table, &str)> {
    let jobs = document.named.get(&Table::Job).into_iter().flatten().map(|(_, settings)| settings);
    let tables = jobs.flat_map(|settings| std::iter::once(settings).chain(settings.inline.values()));
    let names = [Key::JobSource, Key::JobModel, Key::JobSink, Key::ScheduleName];
    let named = [Table::Source, Table::Model, Table::Sink, Table::Schedule];
    let pairs = tables
        .flat_map(|settings| names.into_iter().zip(named).map(|(key, table)| (table, settings.get(key))));
    pairs.filter_map(|(table, items)| Some((table, items.first()?.text.as_str()))).collect()
}
