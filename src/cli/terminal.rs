//! Stdout for results, stderr for progress, logs and errors.

use crate::cli::Exit;
use crate::cli::args::{Color, Global};
use crate::cli::error::{CliError, rendered};
use crate::cli::journal::Scribe;
use crate::cli::log_limit::Limit;
use crate::cli::meter::{Meter, Shown};
use crate::cli::veil::Veil;
use crate::plot::Columns;
use crate::serve::Journal;
use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme};
use serde_json::{Value, json};
use std::io::{ErrorKind, IsTerminal, Write};
use tracing_subscriber::filter::FilterExt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

/// How this run talks to the person who started it.
pub(super) struct Terminal {
    color: bool,
    /// As asked for.
    wanted: Color,
    json: bool,
    is_stream: bool,
    quiet: bool,
    progress: bool,
    /// Whether lines tell of the progress where no bar can.
    lines: bool,
    /// The last lines of a daemon's log.
    journal: Journal,
}

/// What a daemon's journal holds, whatever its log shows.
const JOURNAL: &str = "s4cast=info,warn";

/// What kind of log a command wants.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Log {
    /// A daemon tells what it does; a command tells what goes wrong.
    pub is_daemon: bool,
    /// One JSON object a line.
    pub is_json: bool,
    /// Whether stdout is for data, so that documents go to stderr.
    pub is_stream: bool,
    /// Lines of one place and minute; 0 sets no limit.
    pub limit: u32,
}

/// The environment, as far as it is text.
fn secrets() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

impl Terminal {
    /// Settles colour and progress, and starts the log.
    pub fn new(global: &Global, log: Log) -> Terminal {
        let is_stream = log.is_stream;
        let is_terminal = std::io::stderr().is_terminal();
        let color = has_color(global.color, is_terminal);
        let level = match (global.quiet, global.verbose) {
            (true, _) => "error",
            (false, 0) if log.is_daemon => "s4cast=info,warn",
            (false, 0) => "warn",
            (false, 1) => "s4cast=info,warn",
            (false, 2) => "s4cast=debug,info",
            (false, _) => "trace",
        };
        let filter = std::env::var("S4CAST_LOG").unwrap_or_else(|_| level.into());
        let veil = Veil::of(secrets());
        let lines = fmt::layer().with_writer(veil.clone()).with_ansi(color).with_target(false);
        let lines = match log.is_json {
            true => lines.json().flatten_event(true).with_span_list(false).boxed(),
            false => lines.boxed(),
        };
        let journal = Journal::default();
        let scribe = log.is_daemon.then(|| {
            Scribe(journal.clone(), veil).with_filter(EnvFilter::new(JOURNAL).and(Limit::new(log.limit)))
        });
        let limit = Limit::new(log.limit);
        let lines = lines.with_filter(EnvFilter::new(filter).and(limit.clone()));
        let is_first = tracing_subscriber::registry().with(lines).with(scribe).try_init().is_ok();
        // A second run in one process keeps the log of the first.
        if is_first {
            limit.tell();
        }
        // Log lines and a moving bar would overwrite each other.
        let progress = is_terminal && !global.no_progress && !global.quiet && global.verbose == 0;
        let lines = !progress && !global.no_progress && !global.quiet;
        Terminal {
            color,
            wanted: global.color,
            json: global.json,
            is_stream,
            quiet: global.quiet,
            progress,
            lines,
            journal,
        }
    }

    /// The last lines of the log, where the program is a daemon.
    pub fn journal(&self) -> Journal {
        self.journal.clone()
    }

    /// Prints the result: the document with `--json`, the summary otherwise.
    pub fn result(
        &self,
        document: impl FnOnce() -> Value,
        summary: impl FnOnce() -> String,
    ) -> Result<(), CliError> {
        match (self.json, self.quiet) {
            (true, _) => to_stdout(&format!("{:#}\n", document())),
            (false, true) => Ok(()),
            (false, false) => to_stdout(&summary()),
        }
    }

    /// Prints what a command did whose stdout is for data: on stderr, the document in one line. Where stderr is gone there is
    /// nobody to tell.
    pub fn result_of_stream(&self, document: impl FnOnce() -> Value, summary: impl FnOnce() -> String) {
        let text = match (self.json, self.quiet) {
            (true, _) => format!("{}\n", document()),
            (false, true) => return,
            (false, false) => summary(),
        };
        let _ = std::io::stderr().write_all(text.as_bytes());
    }

    /// Room of a picture of characters: what is asked for, else that of the terminal, else 80 columns of 24 lines.
    pub fn columns(&self, width: Option<u32>, height: Option<u32>) -> Columns {
        let is_terminal = std::io::stdout().is_terminal();
        let own = is_terminal.then(ratatui::crossterm::terminal::size).and_then(Result::ok);
        let asked = |number: Option<u32>| number.map(|number| u16::try_from(number).unwrap_or(u16::MAX));
        Columns {
            width: asked(width).or(own.map(|(width, _)| width)).unwrap_or(80),
            height: asked(height).unwrap_or(24),
            color: self.has_color(is_terminal),
        }
    }

    /// Prints an error once: for people on stderr, and as the document with `--json`.
    pub fn report(&self, error: &CliError) {
        if self.json && self.is_stream {
            let document = document_of(error.exit(), &error.problems());
            let _ = writeln!(std::io::stderr(), "{document}");
            return;
        }
        for diagnostic in rendered(error) {
            self.diagnostic(diagnostic.as_ref());
        }
        if self.json {
            error_document(error.exit(), &error.problems());
        }
    }

    /// Prints a problem for people, on stderr.
    pub fn diagnostic(&self, diagnostic: &dyn Diagnostic) {
        let theme = if self.color { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler = GraphicalReportHandler::new_themed(theme).with_wrap_lines(false).with_links(false);
        let mut text = String::new();
        if handler.render_report(&mut text, diagnostic).is_err() {
            text = diagnostic.to_string();
        }
        // Where stderr is gone there is nobody to tell.
        let _ = writeln!(std::io::stderr(), "{}", text.trim_end());
    }

    /// Whether the result is one JSON document.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Whether what goes to a terminal, or to none, has colours.
    pub fn has_color(&self, is_terminal: bool) -> bool {
        has_color(self.wanted, is_terminal)
    }

    /// The progress of long work, visible where a person can see it.
    pub fn meter(&self) -> Meter {
        Meter::new(self.shown())
    }

    /// How progress is shown.
    fn shown(&self) -> Shown {
        match (self.progress, self.lines) {
            (true, _) => Shown::Bar,
            (false, true) => Shown::Lines,
            (false, false) => Shown::Nothing,
        }
    }
}

fn has_color(wanted: Color, is_terminal: bool) -> bool {
    let no_color = || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    match wanted {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => is_terminal && !no_color(),
    }
}

/// The document of a command that gave no result. Where stdout is gone there is nobody to tell.
pub(super) fn error_document(exit: Exit, problems: &[String]) {
    let _ = to_stdout(&format!("{:#}\n", document_of(exit, problems)));
}

fn document_of(exit: Exit, problems: &[String]) -> Value {
    json!({ "error": { "exit_code": exit.code(), "meaning": exit.meaning(), "problems": problems } })
}

/// A reader that closes the pipe has seen enough: that is no error.
fn to_stdout(text: &str) -> Result<(), CliError> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(CliError::Stdout(error)),
        _ => Ok(()),
    }
}
