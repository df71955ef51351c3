//! What is wrong with the settings, with its place in the config file where it has one.

use miette::{Diagnostic, NamedSource, SourceSpan};
use std::ops::Range;
use std::sync::Arc;

/// Text of a config file with its name, shared by all of its problems.
pub(super) type ConfigText = Arc<NamedSource<String>>;

/// One problem.
#[derive(Clone, Debug, thiserror::Error, Diagnostic)]
#[error("{message}")]
pub struct Problem {
    message: String,
    #[source_code]
    text: Option<ConfigText>,
    #[label("{label}")]
    span: Option<SourceSpan>,
    label: &'static str,
    #[help]
    help: Option<String>,
}

impl Problem {
    /// A problem without a place: of a flag, or of something that is missing.
    pub(super) fn of_flag(message: String, help: Option<String>) -> Problem {
        Problem { message, text: None, span: None, label: "", help }
    }

    /// A problem at a place of a config file.
    pub(super) fn in_file(
        text: &ConfigText,
        span: Range<usize>,
        message: String,
        help: Option<String>,
    ) -> Problem {
        Problem { message, text: Some(text.clone()), span: Some(span.into()), label: "here", help }
    }

    /// What is wrong, with the offending value.
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// All problems of the settings.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the settings have problems: {}", .problems.len())]
pub struct Problems {
    problems: Vec<Problem>,
}

impl Problems {
    /// `Ok` if there is none. Those of a file come in its order, after those without a place.
    pub(super) fn none_of(mut problems: Vec<Problem>) -> Result<(), Problems> {
        problems.sort_by_key(|problem| problem.span.map(|span| span.offset()));
        match problems.is_empty() {
            true => Ok(()),
            false => Err(Problems { problems }),
        }
    }

    /// All of them.
    pub fn all(&self) -> &[Problem] {
        &self.problems
    }

    /// Whether a config file is to blame; otherwise the command line is.
    pub fn in_config(&self) -> bool {
        self.problems.iter().any(|problem| problem.text.is_some())
    }
}
