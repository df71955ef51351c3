//! `s4cast validate`.

use crate::cli::Exit;
use crate::cli::args::Validate;
use crate::cli::error::CliError;
use crate::cli::summary::{Page, count};
use crate::cli::terminal::Terminal;
use crate::config::{self, FileKind, Problem, Verdict};
use serde_json::{Value, json};

/// Checks a config file and says everything that is wrong with it.
pub(super) fn run(args: &Validate, terminal: &Terminal) -> Result<Exit, CliError> {
    let env = |name: &str| std::env::var(name).ok();
    let verdict = config::validate(&args.config, &env, !args.no_environment);
    let denied = args.deny_warnings && !verdict.warnings.is_empty();
    let valid = verdict.problems.is_empty() && !denied;
    for problem in verdict.problems.iter().chain(&verdict.warnings) {
        terminal.diagnostic(problem);
    }
    terminal.result(|| document(&verdict, valid), || page(args, &verdict, valid))?;
    Ok(if valid { Exit::Ok } else { Exit::Config })
}

fn page(args: &Validate, verdict: &Verdict, valid: bool) -> String {
    let mut page = Page::default();
    if !valid {
        return page.text;
    }
    let kind = match verdict.kind {
        Some(FileKind::Daemon) => format!("for the daemon, {}", count(verdict.jobs.len(), "job")),
        _ => "one-shot".into(),
    };
    let depth = if args.no_environment { "; inputs, folders and secrets were not looked at" } else { "" };
    page.line("Valid", format!("{}: {kind}{depth}", args.config.display()));
    for job in &verdict.jobs {
        page.line("Job", job);
    }
    for fact in &verdict.facts {
        page.line("Found", fact);
    }
    page.text
}

fn document(verdict: &Verdict, valid: bool) -> Value {
    let all = |problems: &[Problem]| problems.iter().map(problem).collect::<Vec<_>>();
    json!({
        "valid": valid,
        "kind": verdict.kind.map(|kind| match kind {
            FileKind::OneShot => "one_shot",
            FileKind::Daemon => "daemon",
        }),
        "jobs": verdict.jobs,
        "problems": all(&verdict.problems),
        "warnings": all(&verdict.warnings),
        "found": verdict.facts,
    })
}

fn problem(problem: &Problem) -> Value {
    let place = problem.place();
    json!({
        "file": place.as_ref().map(|place| &place.file),
        "line": place.as_ref().map(|place| place.line),
        "column": place.as_ref().map(|place| place.column),
        "message": problem.message(),
        "help": problem.remedy(),
    })
}
