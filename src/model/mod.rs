//! From a panel to a trained forecaster and its forecasts.
//!
//! ```text
//! spec ─▶ forecaster: fit, predict, save        one group per frequency
//!           └─ fit: the story of one group      season ─▶ plan ─▶ select ─▶ learn ─▶ gate, mix ─▶ conformal ─▶ group
//!                └─ work, windows, features: work space, (lookback, horizon) windows, covariates as columns
//!                └─ ridge, smoothing, greedy: the base; member, train, warm: the network on a map of it, its training loop,
//!                   the network that it starts from
//!                └─ events: the network on observations whose times stand on no grid, in place of those
//!                └─ control, checkpoint, snapshot: budget, stop, and going on where a stopped training was
//!                └─ stored, artifact, known: a forecaster as a file, and files of any origin as forecasters; the series that it
//!                   was trained on
//!                └─ predict, holdout, components: what a group publishes, its score on the
//!                   tail, and the parts of it
//!                └─ agree, rate, sampling: whether a saved model is one for some data; data of another step than its own
//!                └─ wall: what a forecast looks at by the wall clock, where clocks change
//!                └─ past, memory: what of a series a forecast needs, and what is kept of a panel between two of them
//!                └─ classical, intermittent, ets, simplex: models of one series each, fitted as they forecast
//!                └─ counts: a zero-inflated negative binomial head over all series
//!                └─ blending, pooling, blend: all of these against each other on every series, and their average
//!                └─ footprint: memory that all of this takes, told beforehand from counts
//!                └─ baseline, exam, validation: seasonal naive and what every choice is judged by
//! ```

pub mod spec;
pub mod report;
pub mod control;
pub mod past;
pub mod work;
pub mod windows;
pub mod season;
pub mod baseline;
pub mod exam;
pub mod features;
pub mod artifact;
pub mod smoothing;
pub mod ridge;
mod simplex;
mod ets;
pub mod intermittent;
pub mod classical;
pub mod member;
pub mod train;
pub mod events;
pub mod plan;
pub mod ensemble;
pub mod validation;
pub mod greedy;
pub mod select;
pub mod gate;
pub mod conformal;
pub mod counts;
pub mod pooling;
pub mod blend;
pub mod group;
pub mod predict;
pub mod rate;
mod sampling;
mod wall;
pub mod memory;
pub mod holdout;
pub mod components;
mod known;
mod stored;
mod snapshot;
mod checkpoint;
pub mod intervals;
mod warm;
pub mod learn;
pub mod mix;
pub mod blending;
pub mod fit;
pub mod forecaster;
mod agree;
pub mod footprint;
