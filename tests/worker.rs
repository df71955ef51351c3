//! Workers: a stream is forecast as the same rows in a file are, however it is cut into batches.

mod equality;
mod refusals;
pub mod table;
