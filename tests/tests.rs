//! The one integration binary, so that polars is linked once.

// Clippy allows `unwrap` in test functions, not in the helpers that they share.
#![allow(clippy::unwrap_used)]

mod ingest;
