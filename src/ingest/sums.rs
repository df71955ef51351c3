//! Sums of series as series of their own.

use super::spec::{IngestError, IngestErrorKind};
use crate::hierarchy::{Hierarchy, HierarchyError, Method, Weights};
use crate::series::{Panel, Series};

/// Which sums of the series are forecast with them, and how all of it is made to add up.
#[derive(Clone, Debug, PartialEq)]
pub struct SumsSpec {
    /// Levels beside the total, each some id columns; `None` sums nothing.
    pub levels: Option<Vec<Vec<String>>>,
    /// How forecasts are reconciled.
    pub method: Method,
}

impl Default for SumsSpec {
    fn default() -> SumsSpec {
        SumsSpec { levels: None, method: Method::MinTrace(Weights::Variance) }
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
}

/// Whether a series is a sum of others: it has no value in the id columns that it sums over.
pub fn is_sum(series: &Series) -> bool {
    series.keys.iter().any(String::is_empty)
}

/// The panel with its sums.
pub(super) fn add(panel: Panel, spec: &SumsSpec) -> Result<Panel, IngestError> {
    let Some(tree) = spec.tree(&panel)? else { return Ok(panel) };
    if let Some(covariate) = panel.covariates.first() {
        let problem = format!(
            "hierarchy and the covariate '{}': sums have no covariates; leave one of them out (calendar, holidays and \
             events go with a hierarchy)",
            covariate.name
        );
        return Err(IngestError::new(IngestErrorKind::Usage, vec![problem]));
    }
    if let Some(nameless) = panel.series.iter().find(|series| is_sum(series)) {
        let problem = format!(
            "series '{}' has an empty id: it could not be told from a sum; fill the id columns",
            nameless.unique_id
        );
        return Err(IngestError::new(IngestErrorKind::Data, vec![problem]));
    }
    tree.aggregate(panel).map_err(refused)
}

/// As the error of an input.
pub(crate) fn refused(error: HierarchyError) -> IngestError {
    IngestError::new(IngestErrorKind::Usage, vec![format!("hierarchy: {error}")])
}
