//! Zeroed f32 memory that starts on a cache line.

use std::ops::{Deref, DerefMut};

/// Bytes of a cache line, and of the widest register.
const LINE: usize = 64;

/// Floats of a cache line: rows that are shifted by one of these do not compete for the same cache sets.
pub const LINE_FLOATS: usize = LINE / size_of::<f32>();

/// A slice of floats whose first element starts a cache line, so that no vector of it lies across two.
#[derive(Clone, Debug, Default)]
pub struct Buffer {
    memory: Vec<f32>,
    start: usize,
    len: usize,
}

impl Buffer {
    /// `len` zeros.
    pub fn zeros(len: usize) -> Buffer {
        let memory = vec![0.0; len + LINE_FLOATS];
        let start = memory.as_ptr().align_offset(LINE).min(LINE_FLOATS);
        Buffer { memory, start, len }
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.memory[self.start..self.start + self.len]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.memory[self.start..self.start + self.len]
    }
}
