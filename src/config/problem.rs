//! What is wrong with the settings, with its place in the config file where it has one.

use miette::{Diagnostic, LabeledSpan, NamedSource, Severity, SourceCode};
use std::fmt::Display;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// Text of a config file with its name, shared by all of its problems.
pub(super) type ConfigText = Arc<NamedSource<String>>;

/// One problem, or one warning.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    message: String,
    text: Option<ConfigText>,
    span: Option<Range<usize>>,
    help: Option<String>,
    is_warning: bool,
    is_forbidden: bool,
}

/// Where a problem stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, as it was named.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl Problem {
    /// A problem without a place: of a flag, or of something that is missing.
    pub(super) fn of_flag(message: String, help: Option<String>) -> Problem {
        Problem { message, text: None, span: None, help, is_warning: false, is_forbidden: false }
    }

    /// A problem at a place of a config file.
    pub(super) fn in_file(
        text: &ConfigText,
        span: Range<usize>,
        message: String,
        help: Option<String>,
    ) -> Problem {
        let (text, span) = (Some(text.clone()), Some(span));
        Problem { message, text, span, help, is_warning: false, is_forbidden: false }
    }

    /// A problem of a config file as a whole.
    pub(super) fn of_file(path: &Path, message: String, help: &str) -> Problem {
        let text = Arc::new(NamedSource::new(path.display().to_string(), String::new()));
        let (text, help) = (Some(text), Some(help.into()));
        Problem { message, text, span: None, help, is_warning: false, is_forbidden: false }
    }

    /// The same, as something that stops nothing.
    pub(super) fn warning(self) -> Problem {
        Problem { is_warning: true, ..self }
    }

    /// The same, as something that is right and not allowed here.
    pub(super) fn forbidden(self) -> Problem {
        Problem { is_forbidden: true, ..self }
    }

    /// What is wrong, with the offending value.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What would do.
    pub fn remedy(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// Where it stands, if that is in a file.
    pub fn place(&self) -> Option<Place> {
        let (text, span) = (self.text.as_ref()?, self.span.as_ref()?);
        let before = text.inner().get(..span.start)?;
        let line = before.rsplit('\n').next().unwrap_or_default();
        let (lines, column) = (before.matches('\n').count(), line.chars().count());
        Some(Place { file: text.name().into(), line: lines + 1, column: column + 1 })
    }
}

impl Diagnostic for Problem {
    fn severity(&self) -> Option<Severity> {
        self.is_warning.then_some(Severity::Warning)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.span.as_ref().and(self.text.as_deref()).map(|text| text as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = self.span.clone()?;
        Some(Box::new(std::iter::once(LabeledSpan::at(span, "here"))))
    }
}

/// All problems of the settings.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the settings have problems: {}", .problems.len())]
pub struct Problems {
    problems: Vec<Problem>,
}

impl Problems {
    /// `Ok` if there is none.
    pub(super) fn none_of(problems: Vec<Problem>) -> Result<(), Problems> {
        match problems.is_empty() {
            true => Ok(()),
            false => Err(Problems::of(problems)),
        }
    }

    /// Some, at least one. Those of a file come in its order, after those without a place.
    pub(super) fn of(problems: Vec<Problem>) -> Problems {
        Problems { problems: in_order(problems) }
    }

    /// All of them.
    pub fn all(&self) -> &[Problem] {
        &self.problems
    }

    /// Whether all is right, but not allowed here.
    pub fn are_forbidden(&self) -> bool {
        self.problems.iter().all(|problem| problem.is_forbidden)
    }

    /// Whether a config file is to blame; otherwise the command line is.
    pub fn in_config(&self) -> bool {
        self.problems.iter().any(|problem| problem.text.is_some())
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Problems {
        Problems { problems: vec![problem] }
    }
}

/// In the order of the file, after those without a place.
pub(super) fn in_order(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort_by_key(|problem| problem.span.as_ref().map(|span| span.start));
    problems
}
