//! How many bytes of the files have been read, for whoever watches.

use super::source::Source;
use crate::series::progress::{Progress, Unit};
use std::cell::Cell;

/// Hears of the progress.
pub type Watch<'a> = dyn Fn(Progress) + Sync + 'a;

/// One or more passes over the files of a source.
pub(super) struct Gauge<'a> {
    watch: &'a Watch<'a>,
    stage: &'static str,
    total: u64,
    done: Cell<u64>,
}

impl<'a> Gauge<'a> {
    /// So many passes are to come.
    pub(super) fn new(
        watch: &'a Watch<'a>,
        stage: &'static str,
        sources: &[Source],
        passes: usize,
    ) -> Gauge<'a> {
        let bytes: u64 = sources.iter().map(|source| source.file.seen.bytes).sum();
        let gauge = Gauge { watch, stage, total: bytes.saturating_mul(passes as u64), done: Cell::new(0) };
        gauge.add(0);
        gauge
    }

    /// So many bytes more have been read.
    pub(super) fn add(&self, bytes: u64) {
        // A file may have grown since its size was looked at.
        self.done.set(self.done.get().saturating_add(bytes).min(self.total));
        let size = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        (self.watch)(Progress::of(self.stage, size(self.done.get()), size(self.total), Unit::Bytes));
    }
}
