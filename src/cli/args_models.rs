//! The clap types of `s4cast models`, nothing else.

use crate::cli::exit;
use clap::builder::FalseyValueParser;
use clap::{ArgAction, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(super) enum ModelsCommand {
    /// List all versions: which serve, which are pinned, how they scored
    #[command(after_help = exit::help())]
    Ls(Place),
    /// Show where a version comes from, how it scored, and what served when
    #[command(after_help = exit::help())]
    Show(Show),
    /// Let a version serve from now on
    #[command(after_help = exit::help())]
    Promote(Promote),
    /// Let the version serve that served before
    #[command(after_help = exit::help())]
    Rollback(Place),
    /// Keep a version, and let no other one be promoted until it is unpinned
    #[command(after_help = exit::help())]
    Pin(Chosen),
    /// Take a pin away
    #[command(after_help = exit::help())]
    Unpin(Chosen),
    /// Let a version forecast in shadow, beside the one that serves and apart from it
    #[command(after_help = exit::help())]
    Shadow(Chosen),
    /// End the shadow of a job
    #[command(after_help = exit::help())]
    Unshadow(Place),
    /// Make a key pair: the secret key into a file, the public one is printed
    #[command(after_help = exit::help())]
    Key(KeyArgs),
    /// Sign versions that are there, in place of who signed them before; their hashes are checked first
    #[command(after_help = exit::help())]
    Sign(Sign),
    /// Read every file and check its hash and who signed it; exit code 65 if one is damaged or of nobody who is trusted
    #[command(after_help = exit::help())]
    Verify(Place),
    /// Remove old versions; the champion, its shadow, the one before it and pinned ones stay
    #[command(after_help = exit::help())]
    Gc(Gc),
}

/// Which models.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Models")]
pub(super) struct Place {
    /// Config file of the daemon: its state directory, and whose signatures it asks for
    #[arg(short, long, env = "S4CAST_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// State directory of the daemon [default: that of the config, or state]
    #[arg(long, env = "S4CAST_STATE", value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Job whose models are meant (default: all of them, or the only one)
    #[arg(long, env = "S4CAST_JOB", value_name = "JOB")]
    pub job: Option<String>,
    /// Use only versions that this public key (ed25519:…) signed; repeat the flag for more keys
    #[arg(long = "trusted-key", env = "S4CAST_TRUSTED_KEY", value_name = "KEY", value_delimiter = ',')]
    pub trusted_keys: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct KeyArgs {
    /// File for the secret key, PKCS#8 in PEM; it must not exist
    #[arg(short, long, env = "S4CAST_OUTPUT", value_name = "FILE", help_heading = "Output")]
    pub output: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(super) struct Sign {
    /// Number of the version (default: all; where keys are trusted, those that one of them signed)
    #[arg(value_name = "VERSION")]
    pub version: Option<u32>,
    /// File of the secret key, as models key writes it
    #[arg(long, env = "S4CAST_SIGNING_KEY_FILE", value_name = "FILE")]
    pub signing_key_file: PathBuf,
    #[command(flatten)]
    pub place: Place,
}

#[derive(Debug, clap::Args)]
pub(super) struct Show {
    /// Number of the version (default: the one that serves)
    #[arg(value_name = "VERSION")]
    pub version: Option<u32>,
    #[command(flatten)]
    pub place: Place,
}

#[derive(Debug, clap::Args)]
pub(super) struct Promote {
    #[command(flatten)]
    pub chosen: Chosen,
    /// Why, for whoever reads the history
    #[arg(long, env = "S4CAST_REASON", value_name = "TEXT", default_value = "by hand")]
    pub reason: String,
}

#[derive(Debug, clap::Args)]
pub(super) struct Chosen {
    /// Number of the version
    #[arg(value_name = "VERSION")]
    pub version: u32,
    #[command(flatten)]
    pub place: Place,
}

#[derive(Debug, clap::Args)]
pub(super) struct Gc {
    #[command(flatten)]
    pub place: Place,
    /// Versions of each job to keep beside those that always stay
    #[arg(long, env = "S4CAST_KEEP", value_name = "N", default_value_t = 10)]
    pub keep: usize,
    /// Only say what would be removed
    #[arg(long, env = "S4CAST_DRY_RUN", action = ArgAction::SetTrue, value_parser = FalseyValueParser::new())]
    pub dry_run: bool,
}
