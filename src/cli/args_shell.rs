//! The clap types of what is made from the command line itself, nothing else.

use clap_complete::Shell;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(super) struct Completions {
    /// Shell to complete for
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: Shell,
}

#[derive(Debug, clap::Args)]
pub(super) struct Man {
    /// Command whose page is printed, such as forecast or models ls (default: s4cast itself)
    #[arg(value_name = "COMMAND", conflicts_with = "output")]
    pub command: Vec<String>,
    /// Write the pages of all commands into this folder instead; it is created if need be
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
}
