//! The score stage: read, find the runs that came true, compare.

use crate::pipeline::stage::{Context, StageError};
use crate::pipeline::{JobSpec, SourceRead};

/// stand-in
pub struct Score {
    pub rows: usize,
    pub mase: Option<f64>,
    pub bias: Option<f64>,
    pub wape: Option<f64>,
    pub pinball: Option<f64>,
    pub coverage: Vec<(f64, f64)>,
}
/// stand-in
pub struct Scored {
    pub score: Option<Score>,
    pub runs: usize,
    pub source: SourceRead,
    pub seconds: Vec<(&'static str, f64)>,
}
/// stand-in
pub fn score(_: &JobSpec, _: &Context) -> Result<Scored, StageError> {
    todo!()
}
