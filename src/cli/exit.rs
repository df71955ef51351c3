//! Exit codes: the sysexits family, so that a scheduler can tell bad data from a full disk. Codes keep their meaning.

use std::fmt::Write;
use std::process::ExitCode;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Ok,
    /// What was asked for was tried and did not succeed.
    Failed,
    /// The command line is wrong.
    Usage,
    /// Done, but with less than what was asked for (`--strict`), or without the other shards (`--shard-timeout`).
    Degraded,
    /// The data cannot be used.
    Data,
    /// The input does not exist.
    NoInput,
    /// An address or a source cannot be had, or the memory that the work would take.
    Unavailable,
    /// A bug.
    Internal,
    /// The output cannot be created.
    CannotCreate,
    /// Reading or writing failed.
    Io,
    /// Somebody else has it now; later it may work.
    TryLater,
    /// Not allowed.
    Permission,
    /// The config file is wrong.
    Config,
}

impl Exit {
    /// All of them, ascending by code.
    pub const ALL: [Exit; 13] = [
        Exit::Ok,
        Exit::Failed,
        Exit::Usage,
        Exit::Degraded,
        Exit::Data,
        Exit::NoInput,
        Exit::Unavailable,
        Exit::Internal,
        Exit::CannotCreate,
        Exit::Io,
        Exit::TryLater,
        Exit::Permission,
        Exit::Config,
    ];

    /// The code and what it means: the one table of exit codes.
    fn row(self) -> (u8, &'static str) {
        match self {
            Exit::Ok => (0, "done"),
            Exit::Failed => (1, "tried, and failed"),
            Exit::Usage => (2, "wrong command line"),
            Exit::Degraded => {
                (3, "done, but with less than what was asked for (only with --strict or --shard-timeout)")
            }
            Exit::Data => (65, "the data cannot be used"),
            Exit::NoInput => (66, "input missing"),
            Exit::Unavailable => (69, "an address, a source or memory for it cannot be had"),
            Exit::Internal => (70, "a bug in s4cast"),
            Exit::CannotCreate => (73, "output cannot be created"),
            Exit::Io => (74, "reading or writing failed"),
            Exit::TryLater => (75, "in use by another process; try later"),
            Exit::Permission => (77, "no permission"),
            Exit::Config => (78, "wrong config file"),
        }
    }

    /// The code.
    pub fn code(self) -> u8 {
        self.row().0
    }

    /// What it means.
    pub fn meaning(self) -> &'static str {
        self.row().1
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

/// The table, for `--help`.
pub(super) fn help() -> String {
    let mut text = String::from("Exit codes:\n");
    for exit in Exit::ALL {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {:>2}  {}", exit.code(), exit.meaning());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_documented() {
        let codes = Exit::ALL.map(Exit::code);
        assert!(codes.windows(2).all(|pair| pair[0] < pair[1]), "{codes:?}");
        let help = help();
        assert!(Exit::ALL.iter().all(|exit| help.contains(exit.meaning())));
    }
}
