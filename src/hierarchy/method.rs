//! How incoherent forecasts are made to add up.

use super::HierarchyError;

/// How base forecasts of all nodes become forecasts of the leaves, which are then summed.
#[derive(Clone, Debug, PartialEq)]
pub enum Method {
    /// The leaves' own forecasts; those of aggregates are not used and need not exist.
    BottomUp,
    /// The forecasts of one level, shared out among the leaves below.
    ///
    /// From the total this is top-down, from a level between middle-out (what is above is summed).
    TopDown {
        /// By what leaves share.
        proportions: Proportions,
        /// Name of the level whose forecasts stand, its columns joined by `/`; `None` is the total.
        from: Option<String>,
    },
    /// Leaves b that minimise (ŷ − S b)' W⁻¹ (ŷ − S b): minimum trace where W is the covariance of base errors.
    ///
    /// Source: Wickramasuriya, Athanasopoulos and Hyndman (2019).
    MinTrace(Weights),
}

/// By what leaves share an aggregate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proportions {
    /// The mean over time of a leaf's share in the aggregate. Source: Gross and Sohl (1990), method A.
    HistoryAverage,
    /// A leaf's mean over the aggregate's mean. Source: Gross and Sohl (1990), method F.
    AverageHistory,
    /// At every node its children share by their own forecasts. Source: Athanasopoulos, Ahmed and Hyndman (2009).
    Forecast,
}

/// What W is taken to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weights {
    /// The identity (`ols`).
    Equal,
    /// The number of leaves of every node (`wls_struct`).
    Structure,
    /// The variance of every node's residuals (`wls_var`).
    Variance,
    /// The covariance of all residuals, shrunk towards its diagonal (`mint_shrink`); up to
    /// [`DENSE_NODES_MAX`](super::DENSE_NODES_MAX) nodes.
    Shrunk,
}

impl Method {
    /// The word that a configuration and a published forecast use.
    pub fn name(&self) -> &'static str {
        match self {
            Method::BottomUp => "bottom_up",
            Method::TopDown { proportions: Proportions::HistoryAverage, .. } => {
                "top_down_average_proportions"
            }
            Method::TopDown { proportions: Proportions::AverageHistory, .. } => {
                "top_down_proportion_averages"
            }
            Method::TopDown { proportions: Proportions::Forecast, .. } => "top_down_forecast_proportions",
            Method::MinTrace(Weights::Equal) => "ols",
            Method::MinTrace(Weights::Structure) => "wls_struct",
            Method::MinTrace(Weights::Variance) => "wls_var",
            Method::MinTrace(Weights::Shrunk) => "mint_shrink",
        }
    }

    /// Whether it needs [`Residuals`](super::Residuals).
    pub fn needs_residuals(&self) -> bool {
        matches!(self, Method::MinTrace(Weights::Variance | Weights::Shrunk))
    }
}

impl std::str::FromStr for Method {
    type Err = UnknownMethod;

    /// Reads the words of [`Method::name`]; top-down starts from the total.
    fn from_str(word: &str) -> Result<Method, UnknownMethod> {
        let top_down = |proportions| Method::TopDown { proportions, from: None };
        let known = [
            Method::BottomUp,
            top_down(Proportions::HistoryAverage),
            top_down(Proportions::AverageHistory),
            top_down(Proportions::Forecast),
            Method::MinTrace(Weights::Equal),
            Method::MinTrace(Weights::Structure),
            Method::MinTrace(Weights::Variance),
            Method::MinTrace(Weights::Shrunk),
        ];
        known.into_iter().find(|method| method.name() == word).ok_or_else(|| UnknownMethod(word.to_owned()))
    }
}

/// A word that names no method.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown method '{0}'; there are bottom_up, top_down_average_proportions, top_down_proportion_averages, \
     top_down_forecast_proportions, ols, wls_struct, wls_var and mint_shrink"
)]
pub struct UnknownMethod(pub String);

/// The nodes of the level that a top-down method starts from.
pub(super) fn level_of(tree: &super::Hierarchy, from: Option<&str>) -> Result<usize, HierarchyError> {
    let Some(name) = from else { return Ok(0) };
    let found = tree.levels().iter().position(|level| level.name() == name);
    found.ok_or_else(|| HierarchyError::UnknownLevel(name.to_owned()))
}
