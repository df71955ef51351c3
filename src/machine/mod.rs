//! What this computer gives a process: memory and how much of it may be used, room on disks.
//!
//! Looks and never changes anything. What cannot be told (another system, no `/proc`) is `None`.

pub mod disk;
pub mod memory;
mod size;

pub use size::{Size, SizeError};
