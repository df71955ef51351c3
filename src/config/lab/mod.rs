//! `s4cast train`: `key=value` arguments and definitions of benchmarks to an [`Experiment`](crate::lab::Experiment).

mod arguments;
mod bundled;
mod definition;
mod model;
mod table;
mod value;

pub use arguments::{Train, train};

#[cfg(test)]
mod tests;
