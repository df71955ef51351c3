//! What several integration tests share.

pub mod arrays;
pub mod finite_difference;
pub mod golden_file;
