//! The columns that come with the target.

use super::{Assignment, Search};
use crate::ingest::candidate::Kind;
use crate::ingest::files::{data, usage};
use crate::ingest::spec::{IngestError, Layout, Roles, SourceSpec};
use crate::series::Known;

/// A column that comes with the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::ingest) struct Companion {
    pub(in crate::ingest) name: String,
    pub(in crate::ingest) known: Known,
    /// Whether its values are names.
    pub(in crate::ingest) is_category: bool,
}

impl Assignment {
    /// The same with a covariate in the place of the target.
    pub(in crate::ingest) fn with_covariate(&self, column: &Companion) -> Assignment {
        let roles = Roles { targets: vec![column.name.clone()], ..self.roles.clone() };
        Assignment { roles, layout: Layout::Long, covariates: Vec::new(), notes: Vec::new() }
    }
}

impl Search {
    /// The columns that come with the target, with what their values are.
    pub(super) fn companions(
        &self,
        columns: &[(usize, Known)],
        layout: Layout,
        spec: &SourceSpec,
    ) -> Result<Vec<Companion>, IngestError> {
        let is_static = |(_, known): &&(usize, Known)| *known == Known::Static;
        if let Some((at, _)) = columns.iter().find(is_static).filter(|_| layout == Layout::Wide) {
            return Err(usage(format!(
                "{}: column '{}' would have one value per series, and this table has a column per series; name the one \
                 target with --target, or write the table in long form",
                self.file, self.columns[*at].name
            )));
        }
        let mut categories = Vec::new();
        for name in &spec.covariates.categories {
            let at = self.flagged("--categories", name)?;
            if !columns.iter().any(|(column, _)| *column == at) {
                return Err(usage(format!(
                    "{}: column '{name}' is among the categories and no covariate; name it under --past-covariates, \
                     --future-covariates or --static-covariates too",
                    self.file
                )));
            }
            categories.push(at);
        }
        let companion = |&(at, known): &(usize, Known)| {
            let column = &self.columns[at];
            let (file, name) = (&self.file, column.name.clone());
            if at >= self.in_file {
                return Err(usage(format!(
                    "{file}: '{name}' is a part of the path, and a covariate is a column of the file; write it as one"
                )));
            }
            let is_named = categories.contains(&at);
            if column.kind == Kind::Time && !is_named {
                return Err(data(format!(
                    "{file}: column '{name}' holds times, and a covariate is a number, a yes or no, or a name; with \
                     --categories {name} every time is a name"
                )));
            }
            Ok(Companion { name, known, is_category: is_named || column.kind == Kind::Text })
        };
        columns.iter().map(companion).collect()
    }
}

/// The flag that names a column of that kind.
pub(super) fn flag_of(known: Known) -> &'static str {
    match known {
        Known::Past => "--past-covariates",
        Known::Future => "--future-covariates",
        Known::Static => "--static-covariates",
    }
}
