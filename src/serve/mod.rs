//! The daemon's address: health, metrics, JSON and Arrow over HTTP.

mod spec;

pub use spec::{ServeError, ServeSpec, Token};
