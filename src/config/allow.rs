//! What a file or the flags may name: folders and addresses below which everything has to lie.

use crate::config::check::{Check, flag};
use crate::config::document::Document;
use crate::config::key::Table;
use crate::config::settings::Item;
use crate::config::words::Wrong;
use crate::config::{Key, Problem, Settings};
use crate::schedule::spec::DaemonSpec;
use crate::store::{self, AllowList, Fence};

/// What helps whoever names something outside.
const HELP: &str = "name something below it, or let whoever runs this allow it";

impl Check<'_> {
    /// The fence of a daemon file, beside that of the process.
    pub(super) fn fence(&mut self) -> Fence {
        let texts: Vec<String> =
            self.settings.get(Key::AllowPaths).iter().map(|item| item.text.clone()).collect();
        let allows_exec = self.one(Key::AllowExec, flag);
        let mut fence = store::process_fence();
        if self.settings.has(Key::AllowPaths) {
            match AllowList::new("allow_paths", &texts) {
                Ok(list) => fence = fence.and(list),
                Err(problems) => {
                    for problem in problems {
                        let help =
                            "write for example allow_paths = [\"/srv/s4cast\", \"s3://bucket/forecasts\"]";
                        self.problem_at(self.settings.place(Key::AllowPaths), Wrong::new(problem, help));
                    }
                }
            }
        }
        match allows_exec {
            None => fence,
            Some(allows_exec) => fence.with_exec(allows_exec),
        }
    }

    /// Notes what a one-shot job names outside of the fence of the process.
    pub(super) fn within_fence(&mut self) {
        let fence = store::fence();
        let found = outside(
            self.settings,
            &fence,
            &[Key::Inputs, Key::Events, Key::LoadModel, Key::Output, Key::SaveModel, Key::Quality],
        );
        let command = no_command(self.settings, &fence);
        for (key, item, message) in found.into_iter().chain(command) {
            self.problem(key, &item, Wrong::new(message, HELP));
            if let Some(problem) = self.problems.pop() {
                self.problems.push(problem.forbidden());
            }
        }
    }
}

/// What the keys of a table name outside of the fence.
fn outside(settings: &Settings, fence: &Fence, keys: &[Key]) -> Vec<(Key, Item, String)> {
    let items = keys.iter().flat_map(|key| settings.get(*key).iter().map(|item| (*key, item)));
    let refusal = |(key, item): (Key, &Item)| {
        let refusal = fence.input(&item.text).err()?;
        Some((key, item.clone(), format!("{}: {refusal}", key.name())))
    };
    items.filter_map(refusal).collect()
}

/// The command of a source that may have none.
fn no_command(settings: &Settings, fence: &Fence) -> Option<(Key, Item, String)> {
    let item = settings.get(Key::Exec).first().filter(|_| !fence.allows_exec())?;
    let message = "exec: a command can reach anything, and may not be a source here".to_owned();
    Some((Key::Exec, item.clone(), message))
}

/// What a daemon file names outside of its fence.
pub(super) fn strays(document: &Document, spec: &DaemonSpec, fence: &Fence) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut add = |span: Option<std::ops::Range<usize>>, message: String, help: &str| {
        problems.push(Problem::in_file(&document.file, span.unwrap_or(0..0), message, Some(help.into())));
    };
    let tables = [(Table::Source, vec![Key::Inputs, Key::Events]), (Table::Sink, vec![Key::SinkPath])];
    for (table, keys) in tables {
        for settings in document.named.get(&table).into_iter().flat_map(|all| all.values()) {
            for (_, item, message) in outside(settings, fence, &keys) {
                add(item.span, message, HELP);
            }
            if let Some((_, item, message)) = no_command(settings, fence) {
                add(item.span, message, "write allow_exec = true under [daemon] if it may");
            }
        }
    }
    let general = document.daemon.as_ref();
    for (_, item, message) in
        general.map(|all| outside(all, fence, &[Key::Models, Key::Leases])).unwrap_or_default()
    {
        add(item.span, message, HELP);
    }
    if let Err(refusal) = fence.path(&spec.state) {
        let place =
            general.and_then(|all| all.place(if all.has(Key::State) { Key::State } else { Key::AllowPaths }));
        add(place, format!("state: {refusal}"), HELP);
    }
    problems
}
