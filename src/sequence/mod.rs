//! Networks on sequences as such: an image read pixel by pixel, a sound, a text.
//!
//! The tasks that state-space models are measured by, on the engine that forecasts are made with. A task is a loss on the
//! outputs at every position; nothing in the engine knows which.
//!
//! ```text
//! files ─▶ Data: values, labels ─▶ Learner: batches, gradient, AdamW ─▶ folder: best and last weights, metrics, curve
//!                                     score: what a task makes of the outputs (loss, gradient, hits)
//! ```

mod backbone;
mod curve;
mod data;
mod generate;
mod learner;
mod load;
mod paths;
mod run;
mod score;
mod spec;
mod stored;
#[cfg(test)]
mod tests;
mod words;

pub use curve::figures;
pub use data::DataError;
pub use generate::{GenerateError, GenerateSpec, Generated, generate};
pub use paths::SumCoverage;
pub use run::{Epoch, Outcome, Progress, SequenceError, TRAINING, default_folder, run};
pub use score::Score;
pub use spec::{Architecture, Columns, Places, RawSequence, Recipe, SequenceSpec, SpecProblem};
pub use stored::StoredError;
pub use words::{Arrangement, Form, Order, Readout, Task};
