//! `s4cast train`: `key=value` arguments and definitions of benchmarks to an
//! [`Experiment`](crate::lab::Experiment), or to a [`SequenceSpec`](crate::sequence::SequenceSpec).

mod arguments;
mod bundled;
mod definition;
mod model;
mod sequence;
mod sequence_keys;
mod table;
mod value;

pub use arguments::{BenchmarkTrain, Train, train};
pub use sequence::SequenceTrain;

#[cfg(test)]
mod tests;
