//! Whether a config file of either kind is right, in up to three depths: syntax, meaning, environment.

use crate::config::daemon::{build, unreadable};
use crate::config::environment;
use crate::config::file::{ConfigFile, Env, parse};
use crate::config::one_shot::job;
use crate::config::problem::in_order;
use crate::config::secret::Secrets;
use crate::config::{FileKind, Problem, Problems};
use std::path::{Path, PathBuf};

/// What was found out about a file.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// Which kind it is; `None` where that could not be told.
    pub kind: Option<FileKind>,
    /// Its jobs, ascending; a one-shot file has one without a name.
    pub jobs: Vec<String>,
    /// What is wrong, in the order of the file.
    pub problems: Vec<Problem>,
    /// What looks like a mistake and stops nothing, in the order of the file.
    pub warnings: Vec<Problem>,
    /// What was found in the environment, a line each.
    pub facts: Vec<String>,
}

/// Checks a config file; the environment (inputs, folders, free space, secrets) only if asked for, and only where the
/// file itself is right.
pub fn validate(path: &Path, env: Env<'_>, with_environment: bool) -> Verdict {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => return Verdict { problems: vec![unreadable(path, &error)], ..Verdict::default() },
    };
    let folder = path.parent().map(PathBuf::from).unwrap_or_default();
    let mut verdict = Verdict::default();
    let found = match parse(&path.display().to_string(), &text, folder, env) {
        ConfigFile::Broken(settings) => Problems::none_of(settings.problems),
        ConfigFile::OneShot(settings) => {
            verdict.kind = Some(FileKind::OneShot);
            job(&settings).map(|launch| {
                if with_environment {
                    verdict.add(environment::one_shot(&settings, &launch.job));
                }
            })
        }
        ConfigFile::Daemon(document) => {
            verdict.kind = Some(FileKind::Daemon);
            let secrets = if with_environment { Secrets::Read(env) } else { Secrets::Unread };
            build(&document, secrets).map(|daemon| {
                if with_environment {
                    verdict.add(environment::daemon(&document, &daemon.spec));
                }
                verdict.jobs = daemon.spec.jobs.iter().map(|plan| plan.job.name.clone()).collect();
                verdict.warnings = daemon.warnings;
            })
        }
    };
    if let Err(problems) = found {
        verdict.problems = problems.all().to_vec();
    }
    verdict
}

impl Verdict {
    fn add(&mut self, found: environment::Found) {
        self.problems = in_order(found.problems);
        self.facts = found.facts;
    }
}
