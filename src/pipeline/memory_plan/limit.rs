//! Plans held against what a job may take.

use crate::ingest::{Dimensions, IngestError, IngestErrorKind};
use crate::machine::{Size, memory};
use crate::pipeline::memory_plan::{Demand, MemoryPlan};

/// Share of what the machine or its control group has that a job may take where nothing is written, in percent.
const SHARE: u64 = 90;

/// Bytes that a job may take: what is asked for, or nine tenths of what there is; `None` where nobody knows.
pub fn limit(asked: Option<u64>) -> Option<u64> {
    asked.or_else(|| memory::limit().map(|limit| limit / 100 * SHARE))
}

/// Whether a source may be read, and what must be held of its forecasts then.
///
/// # Errors
/// [`IngestErrorKind::Memory`] where that takes more than the limit.
pub fn guard(dimensions: &Dimensions, demand: &Demand<'_>, limit: Option<u64>) -> Result<(), IngestError> {
    let plan = MemoryPlan::before(dimensions, demand);
    tracing::debug!(?dimensions, bytes = plan.bytes(), parts = plan.in_words(), "memory of the reading");
    limit.map_or(Ok(()), |limit| plan.within(limit)).map_err(MemoryError::of_reading)
}

/// More memory than a job may take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{stage} would take about {planned} of memory, and {limit} may be taken: {parts}; {remedy}, or allow more with max_memory"
)]
pub struct MemoryError {
    stage: &'static str,
    planned: Size,
    limit: Size,
    /// What it is for, the largest part first.
    parts: String,
    remedy: &'static str,
}

impl MemoryError {
    /// As an error of reading, which is refused before it begins.
    pub(in crate::pipeline) fn of_reading(self) -> IngestError {
        IngestError::new(IngestErrorKind::Memory, vec![self.to_string()])
    }
}

impl MemoryPlan {
    /// Whether it is within a limit.
    ///
    /// # Errors
    /// What takes how much, and what would take less.
    pub fn within(&self, limit: u64) -> Result<(), MemoryError> {
        match self.largest().filter(|_| self.bytes() > limit) {
            None => Ok(()),
            Some(stage) => Err(MemoryError {
                stage: stage.name,
                planned: Size(self.bytes()),
                limit: Size(limit),
                parts: self.in_words(),
                remedy: match stage.name {
                    "training" => {
                        "train on fewer series and forecast all with --load-model, or train with preset fast"
                    }
                    _ => "share the series out with --shard I/N",
                },
            }),
        }
    }

    /// The parts of the largest stage, the largest first.
    pub fn in_words(&self) -> String {
        let mut parts = self.largest().map(|stage| stage.parts.clone()).unwrap_or_default();
        parts.retain(|(_, bytes)| *bytes > 0);
        parts.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
        let words: Vec<String> =
            parts.iter().map(|(name, bytes)| format!("{name} {}", Size(*bytes))).collect();
        words.join(", ")
    }
}

/// What memory a job was to take, and took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryReport {
    /// By the plan.
    pub planned_bytes: u64,
    /// The most that this process has held; `None` where nobody knows.
    pub peak_bytes: Option<u64>,
    /// The most that it may take.
    pub limit_bytes: Option<u64>,
    /// Whether that limit was asked for.
    pub is_limited: bool,
    /// Parts that the series were forecast in, one after the other; 1 where all were forecast at once.
    pub chunks: usize,
}

impl MemoryReport {
    /// Of work that is to begin, within the limit that was asked for or that there is.
    ///
    /// # Errors
    /// If the plan is above it.
    pub fn begun(plan: &MemoryPlan, asked: Option<u64>) -> Result<MemoryReport, MemoryError> {
        let limit_bytes = limit(asked);
        limit_bytes.map_or(Ok(()), |limit| plan.within(limit))?;
        let planned_bytes = plan.bytes();
        let is_limited = asked.is_some();
        Ok(MemoryReport { planned_bytes, peak_bytes: None, limit_bytes, is_limited, chunks: 1 })
    }

    /// The same with what was taken.
    pub fn ended(self) -> MemoryReport {
        MemoryReport { peak_bytes: memory::peak(), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::memory_plan::Stage;

    #[test]
    fn a_plan_above_the_limit_names_its_parts_and_what_would_do() {
        let stage = |name, parts: &[(&'static str, u64)]| Stage { name, parts: parts.to_vec() };
        let plan = MemoryPlan {
            stages: vec![
                stage("reading", &[("process", 25 << 20), ("rows", 1 << 30)]),
                stage("training", &[("process", 25 << 20), ("windows", 3 << 30)]),
            ],
        };
        assert_eq!(plan.within(4 << 30), Ok(()));
        let error = plan.within(2 << 30).expect_err("too much").to_string();
        assert!(error.starts_with("training would take about 3.02 GiB of memory, and 2.00 GiB may be taken"));
        assert!(error.contains("windows 3.00 GiB, process 25.0 MiB; "), "{error}");
        assert!(error.contains("--load-model") && error.contains("max_memory"), "{error}");
    }
}
