//! Hierarchies of series: sums over groups of leaves, and forecasts of all of them that add up.
//!
//! ```text
//!  Panel of leaves ──Hierarchy::aggregate──▶ Panel of all nodes ──a model──▶ base Forecasts
//!                                                   │                              │
//!                                       Residuals (what was missed)  ──▶  reconcile ──▶ coherent Forecasts
//! ```
//!
//! A leaf is a series of the panel, an aggregate the sum of all leaves that agree in some id columns. Levels need not
//! nest: regions and products may cross. Nodes are counted from 0: aggregates first, level by level, then leaves.
//!
//! # What is promised
//!
//! - **Points add up.** Every aggregate's point is the sum of the points of its leaves, to rounding (1e-9 relative to the
//!   sum of their sizes), whatever the method: leaves are computed, aggregates are summed.
//! - **Paths add up.** Quantiles are read from sample paths ([`paths`]); in each of them every aggregate is the sum of its
//!   leaves. So there is one joint distribution that all published quantiles belong to.
//! - **Quantiles do not add up, and must not.** The 90 % quantile of a sum is less than the sum of the 90 % quantiles unless
//!   everything errs together.
//! - **Quantiles never cross**, and where the base forecast is a median between its quantiles, so is the published one: the
//!   0.5 quantile is the point, and draws on its wrong side count as it. Medians do not add up either, so of skewed leaves
//!   a summed point may lie far from the middle of the draws; forecasts of means (`point = "mean"`) are what sums want.
//! - **Coverage is not promised by construction.** Intervals of base forecasts are calibrated node by node; reconciliation
//!   moves them by errors that it takes to behave as in the past, and the bias of leaves adds up. `benches/RESULTS.md` has
//!   what was measured: paths are much better than shifted intervals where errors are skewed and independent, elsewhere
//!   the two are alike, and on tourism shifted ones hold about a point more.
//!
//! Paths say how nodes err together at one step, nothing about how errors of different steps hang together.
//! Results do not depend on the number of threads: every sum has one order, every draw belongs to (seed, node).

mod align;
mod chain;
mod companions;
mod history;
mod marginal;
mod method;
pub mod paths;
mod reconcile;
mod residuals;
mod shares;
mod shrink;
mod solve;
mod system;
mod tree;

pub use companions::Pooling;
pub use method::{Method, Proportions, Weights};
pub use reconcile::{Evidence, Quantiles, Reconciliation, reconcile};
pub use residuals::Residuals;
pub use tree::{Hierarchy, Level};

use crate::series::Frequency;

/// Nodes up to which full covariances are estimated: two matrices of 32 MB.
pub const DENSE_NODES_MAX: usize = 2000;

/// Why a hierarchy cannot be built or forecasts not be reconciled.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum HierarchyError {
    /// Nothing to sum.
    #[error("a hierarchy needs at least one series")]
    NoLeaves,
    /// A level names a column that identifies nothing.
    #[error("level '{level}' names the column '{column}', which is no id column; there are: {known}")]
    UnknownColumn {
        /// The level, its columns joined by `/`.
        level: String,
        /// The column.
        column: String,
        /// The id columns, joined by a comma.
        known: String,
    },
    /// A level names a column twice, or two levels the same columns.
    #[error("level '{0}' is written twice, or names a column twice")]
    RepeatedLevel(String),
    /// Two nodes would be published under one id.
    #[error(
        "the id '{id}' would stand for {one} and for {two}; rename one of the values or leave the level out"
    )]
    Collision {
        /// The id.
        id: String,
        /// What the first node is.
        one: String,
        /// What the second node is.
        two: String,
    },
    /// Steps of different length cannot be added.
    #[error(
        "series {one} has the step {frequency_one}, series {two} has {frequency_two}; sums need one step"
    )]
    Frequencies {
        /// Id of a series.
        one: String,
        /// Its step.
        frequency_one: Frequency,
        /// Id of another.
        two: String,
        /// Its step.
        frequency_two: Frequency,
    },
    /// Equal steps at different instants, such as weeks that end on different days.
    #[error("the times of series {one} and {two} do not lie on one grid; sums need common times")]
    Grids {
        /// Id of a series.
        one: String,
        /// Id of another.
        two: String,
    },
    /// A node without a base forecast.
    #[error("there is no forecast of '{0}' to reconcile")]
    MissingForecast(String),
    /// A forecast of something that is no node.
    #[error("'{0}' is forecast and is no node of the hierarchy")]
    UnknownSeries(String),
    /// A forecast that is no number.
    #[error("the forecast of '{0}' is not finite")]
    NotFinite(String),
    /// A method that distributes along a tree, asked for levels that cross.
    #[error(
        "forecast proportions need levels that nest, each within the one before; use historical proportions or wls_var"
    )]
    NotNested,
    /// The level to distribute from is none.
    #[error("there is no level '{0}' to distribute from")]
    UnknownLevel(String),
    /// A full covariance of too many nodes.
    #[error("mint_shrink needs the covariances of {nodes} nodes, more than {DENSE_NODES_MAX}; use wls_var")]
    TooManyNodes {
        /// Nodes of the hierarchy.
        nodes: usize,
    },
    /// A method that weighs by errors was given none.
    #[error("{0} needs residuals")]
    NoResiduals(&'static str),
    /// Historical proportions without a history.
    #[error("historical proportions need the history of all nodes")]
    NoHistory,
}

#[cfg(test)]
mod cases;
#[cfg(test)]
mod tests;
