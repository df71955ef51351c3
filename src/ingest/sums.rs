//! Sums of series as series of their own.

use super::spec::PolicyError;
use super::spec::{IngestError, IngestErrorKind};
use crate::hierarchy::{Hierarchy, HierarchyError, Method, Pooling, Weights};
use crate::series::{Panel, Series};

/// Which sums of the series are forecast with them, and how all of it is made to add up.
#[derive(Clone, Debug, PartialEq)]
pub struct SumsSpec {
    /// Levels beside the total, each some id columns; `None` sums nothing.
    pub levels: Option<Vec<Vec<String>>>,
    /// How forecasts are reconciled.
    pub method: Method,
    /// What covariates that are numbers are to sums.
    pub pooling: Pooling,
    /// The same for single columns.
    pub pooling_of: Vec<(String, Pooling)>,
}

impl Default for SumsSpec {
    fn default() -> SumsSpec {
        SumsSpec {
            levels: None,
            method: Method::MinTrace(Weights::Variance),
            pooling: Pooling::default(),
            pooling_of: Vec::new(),
        }
    }
}

impl SumsSpec {
    /// The hierarchy of a panel, with or without the sums; `None` where none is asked for.
    ///
    /// # Errors
    /// Where a level names no id column, or two nodes would have one id.
    pub fn tree(&self, panel: &Panel) -> Result<Option<Hierarchy>, IngestError> {
        let Some(levels) = &self.levels else { return Ok(None) };
        let leaves: Vec<(&str, &[String])> = panel
            .series
            .iter()
            .filter(|series| !is_sum(series))
            .map(|series| (series.unique_id.as_str(), series.keys.as_slice()))
            .collect();
        Hierarchy::of_keys(&panel.id_columns, &leaves, levels).map(Some).map_err(refused)
    }

    /// Gives the sums of a panel the covariates of their leaves, the first `count` of them; nothing where there are none.
    ///
    /// # Errors
    /// As [`SumsSpec::tree`].
    pub fn pool(&self, panel: &mut Panel, count: usize) -> Result<(), IngestError> {
        if count > 0
            && let Some(tree) = self.tree(panel)?
        {
            tree.pool(panel, count, |column| self.pooling(column));
        }
        Ok(())
    }

    /// What a covariate is to sums. Letter case may differ, as where columns are found.
    fn pooling(&self, column: &str) -> Pooling {
        let exact = self.pooling_of.iter().find(|(name, _)| name == column);
        let alike = || self.pooling_of.iter().find(|(name, _)| name.eq_ignore_ascii_case(column));
        exact.or_else(alike).map_or(self.pooling, |(_, pooling)| *pooling)
    }
}

/// Whether a series is a sum of others: it has no value in the id columns that it sums over.
pub fn is_sum(series: &Series) -> bool {
    series.keys.iter().any(String::is_empty)
}

/// The panel with its sums.
pub(super) fn add(panel: Panel, spec: &SumsSpec) -> Result<Panel, IngestError> {
    let Some(tree) = spec.tree(&panel)? else { return Ok(panel) };
    if let Some(nameless) = panel.series.iter().find(|series| is_sum(series)) {
        let problem = format!(
            "series '{}' has an empty id: it could not be told from a sum; fill the id columns",
            nameless.unique_id
        );
        return Err(IngestError::new(IngestErrorKind::Data, vec![problem]));
    }
    let count = panel.covariates.len();
    let mut panel = tree.aggregate(panel).map_err(refused)?;
    tree.pool(&mut panel, count, |column| spec.pooling(column));
    Ok(panel)
}

impl std::str::FromStr for Pooling {
    type Err = PolicyError;

    fn from_str(word: &str) -> Result<Pooling, PolicyError> {
        match word.trim() {
            "mean" => Ok(Pooling::Mean),
            "sum" => Ok(Pooling::Sum),
            _ => Err(PolicyError {
                policy: "covariates of sums",
                word: word.into(),
                choices: vec!["mean", "sum"],
            }),
        }
    }
}

/// As the error of an input.
pub(crate) fn refused(error: HierarchyError) -> IngestError {
    IngestError::new(IngestErrorKind::Usage, vec![format!("hierarchy: {error}")])
}
