//! TOML job files and command-line flags to checked specs; no layer below sees TOML.
//!
//! Both spell the same [`Settings`]: text per [`Key`], with where it was written. Flags win. One check then turns the
//! text into specs and reports every problem at once, each at its place in the file.

mod check;
mod expand;
mod file;
mod key;
mod problem;
mod settings;
mod words;

pub use check::{Launch, SourceLaunch, job, source};
pub use key::Key;
pub use problem::{Problem, Problems};
pub use settings::Settings;
pub use words::nearest;

#[cfg(test)]
mod tests;
