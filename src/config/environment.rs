//! Whether the machine has what a config file asks for: inputs with their columns, folders that can be written, space.

use crate::config::document::Document;
use crate::config::key::Table;
use crate::config::{Key, Problem, Settings};
use crate::ingest::{self, ExecSpec, Roles, SourceSpec};
use crate::machine::disk;
use crate::pipeline::{self, Job, Making};
use crate::publish::{Outlet, SinkSpec};
use crate::schedule::spec::DaemonSpec;
use crate::store::{Address, Store};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

/// Free space below which a run would soon fail, in bytes.
const FREE_BYTES_MIN: u64 = 64 << 20;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub problems: Vec<Problem>,
    pub facts: Vec<String>,
}

/// Looks at what a one-shot job reads and writes.
pub(super) fn one_shot(settings: &Settings, job: &Job) -> Found {
    let mut found = Found::default();
    found.inputs(settings, &job.source, "the input");
    if let Making::Load(load) = &job.making
        && let Err(error) = pipeline::open_model(load)
    {
        found.problem(settings, settings.place(Key::LoadModel), error.to_string(), None);
    }
    let outputs = [
        (Key::Output, Some(&job.output)),
        (Key::SaveModel, job.save_model.as_ref()),
        (Key::Quality, job.quality.as_ref()),
    ];
    for (key, path) in outputs.into_iter().filter_map(|(key, path)| Some((key, path?))) {
        if let Err(error) = Outlet::open(path) {
            found.problem(settings, settings.place(key), error.to_string(), None);
        }
    }
    found
}

/// Looks at what a daemon reads and writes.
pub(super) fn daemon(document: &Document, spec: &DaemonSpec) -> Found {
    let mut found = Found::default();
    let sources: BTreeMap<&str, &SourceSpec> =
        spec.jobs.iter().map(|plan| (plan.job.source_name.as_str(), &plan.job.source)).collect();
    let table = |table: Table, name: &str| document.named.get(&table).and_then(|all| all.get(name));
    for (name, source) in sources {
        if let Some(settings) = table(Table::Source, name) {
            found.inputs(settings, source, &format!("[source.{name}]"));
        }
    }
    let sinks: BTreeMap<&str, &SinkSpec> =
        spec.jobs.iter().map(|plan| (plan.job.sink.name.as_str(), &plan.job.sink)).collect();
    for (name, sink) in sinks {
        match (table(Table::Sink, name), &sink.remote) {
            (Some(settings), Some(remote)) => found.store(settings, Key::SinkPath, &remote.address),
            (Some(settings), None) => found.folder(settings, Key::SinkPath, &sink.path),
            (None, _) => {}
        }
    }
    let nothing = Settings { file: Some(document.file.clone()), ..Settings::default() };
    let general = document.daemon.as_ref().unwrap_or(&nothing);
    found.folder(general, Key::State, &spec.state);
    let leases = spec.leases.as_ref().map(|leases| &leases.address);
    for (key, address) in [(Key::Models, spec.models.as_ref()), (Key::Leases, leases)] {
        if let Some(address) = address {
            found.store(general, key, address);
        }
    }
    found
}

impl Found {
    fn problem(
        &mut self,
        settings: &Settings,
        place: Option<Range<usize>>,
        message: String,
        help: Option<&str>,
    ) {
        self.problems.push(match &settings.file {
            Some(file) => Problem::in_file(file, place.unwrap_or(0..0), message, help.map(str::to_owned)),
            None => Problem::of_flag(message, help.map(str::to_owned)),
        });
    }

    /// The files exist and have the columns; no row is read.
    fn inputs(&mut self, settings: &Settings, source: &SourceSpec, name: &str) {
        if let Some(exec) = &source.exec {
            return self.command(settings, exec, name);
        }
        match ingest::look(source) {
            Ok(look) => {
                let files = look.files.len();
                let plural = if files == 1 { "" } else { "s" };
                let columns = look.roles.as_ref().map_or_else(
                    || ", too large to be looked into from here".into(),
                    |roles| format!(", {}", in_words(roles)),
                );
                self.facts.push(format!("{name}: {files} file{plural}{columns}"));
            }
            Err(error) => {
                for line in error.problems() {
                    let place = named(settings, line).or_else(|| settings.place(Key::Inputs));
                    self.problem(settings, place, line.clone(), None);
                }
            }
        }
    }

    /// The program is there; it does not run.
    fn command(&mut self, settings: &Settings, exec: &ExecSpec, name: &str) {
        let program = exec.program();
        let paths = std::env::var_os("PATH").unwrap_or_default();
        let is_there = match program.components().count() {
            1 => std::env::split_paths(&paths).any(|folder| folder.join(&program).is_file()),
            _ => program.is_file(),
        };
        match is_there {
            true => self.facts.push(format!("{name}: the command {}, which was not run", exec.shown())),
            false => {
                let message = format!("there is no program '{}'", program.display());
                let help = Some("install it, or write its whole path");
                self.problem(settings, settings.place(Key::Exec), message, help);
            }
        }
    }

    /// The store answers; nothing is written.
    fn store(&mut self, settings: &Settings, key: Key, address: &Address) {
        let probe = Store::open(address).and_then(|store| store.head("_probe"));
        match probe {
            Ok(_) => self.facts.push(format!("{address}: the store answers")),
            Err(error) => self.problem(settings, settings.place(key), error.to_string(), None),
        }
    }

    /// The folder exists or can be made, can be written and has room.
    fn folder(&mut self, settings: &Settings, key: Key, path: &Path) {
        let Some(folder) = path.ancestors().map(or_here).find(|folder| folder.exists()) else { return };
        let shown = path.display();
        let refusal = match tempfile::tempfile_in(folder) {
            _ if !folder.is_dir() => {
                Some((format!("{} is not a folder", folder.display()), "choose another path"))
            }
            Err(error) => Some((
                format!("{shown} cannot be written: {}", error.kind()),
                "let this user write there, or choose another path",
            )),
            Ok(_) => None,
        };
        if let Some((message, help)) = refusal {
            return self.problem(settings, settings.place(key), message, Some(help));
        }
        let Some(free) = disk::free_bytes(folder) else { return };
        let megabytes = free >> 20;
        if free < FREE_BYTES_MIN {
            let message = format!("{shown} has only {megabytes} MiB of free space");
            self.problem(settings, settings.place(key), message, Some("make room, or choose another path"));
        } else {
            self.facts.push(format!("{shown}: writable, {megabytes} MiB free"));
        }
    }
}

/// Which column plays which part.
fn in_words(roles: &Roles) -> String {
    let id = if roles.id.is_empty() { String::new() } else { format!(", id {}", roles.id.join(" + ")) };
    let targets = roles.targets.len();
    let target = if targets == 1 { roles.targets[0].clone() } else { format!("{targets} columns") };
    format!("time {}{id}, target {target}", roles.time)
}

/// The setting whose text a message quotes.
fn named(settings: &Settings, message: &str) -> Option<Range<usize>> {
    let keys = [Key::Time, Key::Target, Key::Id];
    let mut items = keys.into_iter().flat_map(|key| settings.get(key));
    items.find(|item| message.contains(&format!("column '{}'", item.text)))?.span.clone()
}

/// The empty path is the folder that the program was started in.
fn or_here(path: &Path) -> &Path {
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}
